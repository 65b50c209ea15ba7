// The listening map: every dot is a song. Hover or arrow keys show it, click or Enter plays it.
// Data come from a JSON script inside each .listening-map, so that pages work from a folder, too.
// The map takes the place of a static figure, which stays where anything fails.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const SHADES = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"]; // viridis
  const MISSING = "#9e9e9e";
  const REACH = 24; // pixels around a dot in which a tap picks it
  const FEW = 60; // songs or fewer have larger dots
  const LISTED = 7; // so many groups have colours of their own

  const make = (name, attributes = {}, parent = null) => {
    const node = name === "svg" || parent?.namespaceURI === SVG
      ? document.createElementNS(SVG, name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    parent?.append(node);
    return node;
  };

  const shade = (share) => {
    const place = Math.min(Math.max(share, 0), 1) * (SHADES.length - 1);
    const k = Math.min(Math.floor(place), SHADES.length - 2);
    const part = place - k;
    const channel = (hex, at) => parseInt(hex.slice(at, at + 2), 16);
    const mixed = [1, 3, 5].map((at) =>
      Math.round(channel(SHADES[k], at) * (1 - part) + channel(SHADES[k + 1], at) * part));
    return `rgb(${mixed.join(",")})`;
  };

  // with a true minus sign, and without one on zero
  const write = (value, digits) =>
    (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "\u2212");

  const chooser = (label, choices, parent) => {
    const box = make("label", {}, parent);
    box.append(`${label} `);
    const select = make("select", {}, box);
    for (const { name } of choices) make("option", {}, select).textContent = name;
    box.hidden = choices.length < 2;
    return { chosen: () => choices[select.selectedIndex], select };
  };

  const swatch = (colour, text, legend) => {
    const item = make("span", {}, legend);
    make("i", { style: `background:${colour}` }, item);
    item.append(` ${text}`);
  };

  // a way of colouring: the colour of song k, and what the legend says
  const byGroup = ({ name, colours }, songs) => {
    // black would be lost on dark pages: the colour of the text is black enough, and seen on both
    const ink = (value) => value === "#000000" ? "currentColor" : value;
    const palette = new Map(colours.map(([one, value]) => [one, ink(value)]));
    return {
      name,
      fill: (k) => palette.get(songs[k][name]) ?? MISSING,
      explain: (legend) => {
        if (name === "artist" && palette.size > LISTED) {
          legend.append(`${palette.size} artists; colours repeat, lines join the songs of one artist`);
        } else palette.forEach((value, one) => swatch(value, one, legend));
        if (songs.some((song) => song[name] === null)) swatch(MISSING, "unknown", legend);
      },
    };
  };
  const byRating = ({ name, digits, values }) => {
    const rated = values.filter((value) => value !== null);
    const low = Math.min(...rated), high = Math.max(...rated);
    return {
      name,
      fill: (k) => values[k] === null ? MISSING : shade((values[k] - low) / (high - low || 1)),
      explain: (legend) => {
        if (rated.length) {
          const scale = make("span", {}, legend);
          scale.append(`${write(low, digits)} `);
          const ramp = `width:5em;background:linear-gradient(to right,${SHADES.join(",")})`;
          make("i", { style: ramp }, scale);
          scale.append(` ${write(high, digits)}`);
        }
        if (rated.length < values.length) swatch(MISSING, "not rated", legend);
      },
    };
  };

  const build = (root) => {
    const data = JSON.parse(root.querySelector("script").textContent);
    const { songs, maps, ratings } = data;
    const figure = document.getElementById(root.dataset.figure);
    const bar = make("div", { class: "map-controls" });
    const model = chooser("Model", maps, bar);
    const colour = chooser("Colour", [
      ...data.groups.map((group) => byGroup(group, songs)), ...ratings.map(byRating),
    ], bar);
    const legend = make("span", { class: "map-legend" }, bar);
    const picture = make("svg", {
      viewBox: "0 0 640 400", role: "group", "aria-label": "Map of songs. Arrow keys move from "
        + "song to song, Enter plays, Escape stops.",
    });
    const ties = make("g", { class: "map-ties", "aria-hidden": "true" }, picture);
    const status = make("p", { class: "map-status", "aria-live": "polite" });
    status.textContent = matchMedia("(pointer: coarse)").matches
      ? "Tap a dot to hear the song; tap it again to stop."
      : "Click a dot to hear the song. Keyboard: Tab, arrow keys, Enter.";
    const near = make("div", { class: "map-near" });
    const shown = make("p", { class: "map-shown" });
    const sound = make("audio", { preload: "none" }, root); // players.js stops it for others
    let playing = -1;

    const lines = songs.map(({ artist }) => artist === null ? null : make("line", {}, ties));
    const dots = songs.map((song, k) => {
      const dot = make("circle", { r: songs.length > FEW ? 6 : 9, role: "button", tabindex: k ? -1 : 0 }, picture);
      dot.addEventListener("mouseenter", () => { announce(k); point(k); });
      dot.addEventListener("mouseleave", () => point(dots.indexOf(document.activeElement)));
      dot.addEventListener("focus", () => { announce(k); rove(k); point(k); });
      dot.addEventListener("blur", () => point(-1));
      dot.addEventListener("click", () => pick(k));
      return dot;
    });

    const sameArtist = (k) => songs.map((song, j) => j)
      .filter((j) => j === k || (songs[k].artist !== null && songs[j].artist === songs[k].artist));
    const describe = (k) => {
      const { label, style } = songs[k];
      const means = ratings.filter(({ values }) => values[k] !== null)
        .map(({ name, digits, values }) => `${name} ${write(values[k], digits)}`).join(", ");
      return label + (style === null ? "" : ` (${style})`) + (means && `: ${means}`);
    };
    const announce = (k) => {
      const others = sameArtist(k).length - 1;
      status.textContent = (k === playing ? "♪ " : "") + describe(k)
        + (others ? `. Marked with it: ${others} more by this artist.` : "");
    };
    // the song that is pointed at stands out with all of its artist
    const point = (k) => {
      const kin = k < 0 || sameArtist(k).length < 2 ? [] : sameArtist(k);
      picture.classList.toggle("pointed", kin.length > 0);
      for (const nodes of [dots, lines]) {
        nodes.forEach((node, j) => node?.classList.toggle("kin", kin.includes(j)));
      }
    };
    // a tap or click next to a dot picks the nearest one, since dots are smaller than fingers
    picture.addEventListener("click", (event) => {
      if (dots.includes(event.target)) return;
      const distances = dots.map((dot) => {
        const box = dot.getBoundingClientRect();
        return Math.hypot(box.x + box.width / 2 - event.clientX,
          box.y + box.height / 2 - event.clientY);
      });
      const nearest = distances.indexOf(Math.min(...distances));
      if (distances[nearest] <= REACH) { dots[nearest].focus(); pick(nearest); }
    });
    const rove = (k) => dots.forEach((dot, j) => dot.setAttribute("tabindex", j === k ? 0 : -1));
    const mark = () => {
      for (const button of [...dots, ...near.querySelectorAll("button")]) {
        const k = button.dataset.song ? Number(button.dataset.song) : dots.indexOf(button);
        button.classList.toggle("playing", k === playing);
        button.setAttribute("aria-pressed", k === playing);
      }
    };
    const stop = () => { sound.pause(); playing = -1; mark(); };
    const toggle = (k) => {
      if (k === playing) { stop(); announce(k); return; }
      if (!songs[k].sound) { status.textContent = `${describe(k)}. It has no sound file.`; return; }
      sound.src = songs[k].sound;
      playing = k;
      sound.play().catch((error) => {
        if (error.name === "AbortError") return;
        status.textContent = `This song cannot be played: ${error.message}`;
      });
      mark();
      announce(k);
    };
    sound.addEventListener("ended", stop);
    sound.addEventListener("pause", () => {
      if (playing < 0 || !sound.paused) return;
      const k = playing;
      stop();
      if (status.textContent.startsWith("♪")) announce(k);
    });

    // what each model finds nearest to the song that was picked last
    const listed = maps.filter(({ nearest }) => nearest?.[0]?.length);
    const list = (k) => {
      near.replaceChildren();
      if (!listed.length) return;
      const title = make("p", {}, near);
      title.textContent = `Nearest to ${songs[k].label}, by all dimensions of the layer:`;
      const rows = make("ul", {}, near);
      for (const { name, nearest } of listed) {
        const row = make("li", {}, rows);
        make("b", {}, row).textContent = name;
        for (const j of nearest[k]) {
          const button = make("button", { type: "button", "data-song": j }, row);
          const own = songs[k].artist !== null && songs[j].artist === songs[k].artist;
          button.textContent = songs[j].label + (own ? " (same artist)" : "");
          button.addEventListener("click", () => toggle(j));
        }
      }
    };
    const pick = (k) => { list(k); toggle(k); };

    // the nearest dot that lies mainly in the arrow's direction; dots in one place follow in order
    const neighbour = (k, dx, dy) => {
      const { xy } = model.chosen();
      let best = k, least = Infinity;
      xy.forEach(([x, y], j) => {
        let ahead = (x - xy[k][0]) * dx - (y - xy[k][1]) * dy;
        const aside = Math.abs((x - xy[k][0]) * dy) + Math.abs((y - xy[k][1]) * dx);
        if (!ahead && !aside) ahead = (j - k) * (dx + dy) * 1e-9;
        if (ahead > 0 && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = j; }
      });
      return best;
    };
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    picture.addEventListener("keydown", (event) => {
      const k = dots.indexOf(event.target);
      if (k < 0) return;
      if (arrows[event.key]) dots[neighbour(k, ...arrows[event.key])].focus();
      else if (event.key === "Enter" || event.key === " ") pick(k);
      else if (event.key === "Escape") stop();
      else return;
      event.preventDefault();
      event.stopPropagation(); // the theme turns pages with the arrow keys
    });

    const paint = () => {
      const { name, layer, xy } = model.chosen();
      const places = xy.map(([x, y]) => [20 + 600 * x, 380 - 360 * y]);
      const way = colour.chosen() ?? { name: null, fill: () => MISSING, explain: () => {} };
      dots.forEach((dot, k) => {
        dot.setAttribute("cx", places[k][0]);
        dot.setAttribute("cy", places[k][1]);
        dot.setAttribute("fill", way.fill(k));
        dot.setAttribute("aria-label", describe(k));
        if (!lines[k]) return;
        const own = sameArtist(k);
        const mean = (i) => own.reduce((sum, j) => sum + places[j][i], 0) / own.length;
        const ends = { x1: places[k][0], y1: places[k][1], x2: mean(0), y2: mean(1) };
        for (const [key, value] of Object.entries(ends)) lines[k].setAttribute(key, value);
        lines[k].setAttribute("stroke", way.fill(k));
      });
      ties.classList.toggle("all", way.name === "artist");
      legend.replaceChildren();
      if (colour.select.options.length === 1) legend.append(`${way.name}:`); // nothing to choose
      way.explain(legend);
      shown.textContent = [
        `On the map: ${name}`, layer && `layer ${layer}`, data.projection,
        way.name && `coloured by ${way.name}`,
      ].filter(Boolean).join(", ") + ".";
    };
    model.select.addEventListener("change", paint);
    colour.select.addEventListener("change", paint);
    paint();
    mark();

    // nothing has been shown so far, so that nothing is left half drawn
    const output = root.closest(".output");
    root.querySelector(".map-note")?.remove();
    root.append(bar, picture, status, near);
    (figure?.querySelector("figcaption") ?? root).append(shown);
    figure?.prepend(root);
    if (output && !output.textContent.trim()) output.remove();
    root.classList.add("ready");
  };

  const start = () => document.querySelectorAll(".listening-map").forEach((root) => {
    try {
      build(root);
    } catch (error) {
      console.error(error);
      const note = root.querySelector(".map-note") ?? make("p", { class: "map-note" }, root);
      note.textContent = "The map to listen to could not be drawn."
        + (root.dataset.figure ? " The figure above shows the same songs." : "");
    }
  });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
