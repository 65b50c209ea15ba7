// The listening map: every dot is a song. Hover or arrow keys show it, click or Enter plays it.
// Data come from a JSON script inside each .listening-map, so that pages work from a folder, too.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const SHADES = ["#440154", "#3b528b", "#21918c", "#5ec962", "#fde725"]; // viridis

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

  const chooser = (label, names, parent) => {
    const box = make("label", {}, parent);
    box.append(`${label} `);
    const select = make("select", {}, box);
    for (const name of names) make("option", { value: name }, select).textContent = name;
    return select;
  };

  const build = (root) => {
    const data = JSON.parse(root.querySelector("script").textContent);
    const bar = make("div", { class: "map-controls" }, root);
    const model = chooser("Model", Object.keys(data.maps), bar);
    const colour = chooser("Colour", ["style", ...Object.keys(data.ratings)], bar);
    const legend = make("span", { class: "map-legend" }, bar);
    const picture = make("svg", {
      viewBox: "0 0 640 400", role: "group", "aria-label": "Map of songs. Arrow keys move from "
        + "song to song, Enter plays, Escape stops.",
    }, root);
    const told = make("p", { class: "map-told", "aria-live": "polite" }, root);
    told.textContent = "Pick a song: hover and click, or Tab into the map, arrow keys and Enter.";
    const sound = new Audio();
    let playing = -1;

    const dots = data.songs.map((song, k) => {
      const dot = make("circle", { r: 6, role: "button", tabindex: k ? -1 : 0 }, picture);
      dot.addEventListener("mouseenter", () => tell(k));
      dot.addEventListener("focus", () => { tell(k); rove(k); });
      dot.addEventListener("click", () => toggle(k));
      return dot;
    });

    const describe = (k) => {
      const song = data.songs[k];
      const ratings = Object.entries(data.ratings).map(([q, all]) => `${q} ${all[k]}`).join(", ");
      return `${song.label} (${song.style}): ${ratings}`;
    };
    const tell = (k) => { told.textContent = (k === playing ? "♪ " : "") + describe(k); };
    const rove = (k) => dots.forEach((dot, j) => dot.setAttribute("tabindex", j === k ? 0 : -1));
    const mark = () => dots.forEach((dot, k) => {
      dot.classList.toggle("playing", k === playing);
      dot.setAttribute("aria-pressed", k === playing);
    });
    const stop = () => { sound.pause(); playing = -1; mark(); };
    const toggle = (k) => {
      if (k === playing) { stop(); tell(k); return; }
      sound.src = data.songs[k].sound;
      playing = k;
      sound.play().catch((error) => {
        if (error.name !== "AbortError") told.textContent = `This song cannot be played: ${error.message}`;
      });
      mark();
      tell(k);
    };
    sound.addEventListener("ended", stop);

    // the nearest dot that lies mainly in the arrow's direction
    const neighbour = (k, dx, dy) => {
      const map = data.maps[model.value];
      let best = k, least = Infinity;
      map.forEach(([x, y], j) => {
        const ahead = (x - map[k][0]) * dx - (y - map[k][1]) * dy;
        const aside = Math.abs((x - map[k][0]) * dy) + Math.abs((y - map[k][1]) * dx);
        if (j !== k && ahead > 1e-9 && ahead + 2 * aside < least) { least = ahead + 2 * aside; best = j; }
      });
      return best;
    };
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    picture.addEventListener("keydown", (event) => {
      const k = dots.indexOf(event.target);
      if (k < 0) return;
      if (arrows[event.key]) dots[neighbour(k, ...arrows[event.key])].focus();
      else if (event.key === "Enter" || event.key === " ") toggle(k);
      else if (event.key === "Escape") stop();
      else return;
      event.preventDefault();
      event.stopPropagation(); // the theme turns pages with the arrow keys
    });

    const paint = () => {
      data.maps[model.value].forEach(([x, y], k) => {
        dots[k].setAttribute("cx", 20 + 600 * x);
        dots[k].setAttribute("cy", 380 - 360 * y);
      });
      const values = data.ratings[colour.value];
      legend.replaceChildren();
      if (values) {
        const low = Math.min(...values), high = Math.max(...values);
        dots.forEach((dot, k) => dot.setAttribute("fill", shade((values[k] - low) / (high - low || 1))));
        legend.append(`${low} `);
        make("i", { style: `width:5em;background:linear-gradient(to right,${SHADES.join(",")})` }, legend);
        legend.append(` ${high}`);
      } else {
        dots.forEach((dot, k) => dot.setAttribute("fill", data.colours[data.songs[k].style]));
        for (const [style, value] of Object.entries(data.colours)) {
          make("i", { style: `background:${value}` }, legend);
          legend.append(` ${style} `);
        }
      }
      dots.forEach((dot, k) => dot.setAttribute("aria-label", describe(k)));
    };
    model.addEventListener("change", paint);
    colour.addEventListener("change", paint);
    paint();
    mark();
    root.classList.add("ready");
  };

  const start = () => document.querySelectorAll(".listening-map").forEach(build);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
