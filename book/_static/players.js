// Players: one sound at a time on a page and its map, Escape stops, and stems that play together.
(() => {
  "use strict";
  const mixerOf = (sound) => sound.closest(".stem-mixer");
  const stopAll = (except = () => false) => {
    for (const sound of document.querySelectorAll("audio")) {
      if (!sound.paused && !except(sound)) sound.pause();
    }
  };
  document.addEventListener("play", ({ target }) => {
    const mixer = mixerOf(target);
    stopAll((sound) => sound === target || (mixer !== null && mixerOf(sound) === mixer));
  }, true); // events of sounds do not bubble
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stopAll();
  });

  const button = (text, parent, label) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-pressed", "false");
    if (label) made.setAttribute("aria-label", label);
    parent.append(made);
    return made;
  };
  const press = (made, pressed) => made.setAttribute("aria-pressed", String(pressed));
  const clock = (seconds) =>
    `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

  const NEAR = 0.02; // seconds between two stems that nobody hears
  const FAR = 0.5; // seconds that would take too long to catch up
  const MOST = 0.1; // change of speed, as a share
  // All stems of a song run in step; a stem is heard unless it is muted, or others are alone.
  const build = (mixer) => {
    const bar = document.createElement("div");
    bar.className = "mixer-bar";
    mixer.prepend(bar);
    const play = button("Play", bar);
    const whole = button("All stems", bar);
    const time = document.createElement("span");
    bar.append(time);
    const stems = [...mixer.querySelectorAll("figure.player")].map((figure) => {
      const sound = figure.querySelector("audio");
      const name = sound.getAttribute("aria-label");
      sound.controls = false;
      const stem = { sound };
      for (const kind of ["Solo", "Mute"]) {
        const made = button(kind, figure, `${kind} ${name}`);
        stem[kind] = false;
        made.addEventListener("click", () => { stem[kind] = !stem[kind]; show(); });
        stem[`button${kind}`] = made;
      }
      return stem;
    });
    const first = stems[0].sound;
    const show = () => {
      const alone = stems.some((stem) => stem.Solo);
      for (const stem of stems) {
        stem.sound.muted = stem.Mute || (alone && !stem.Solo);
        stem.sound.closest("figure").classList.toggle("muted", stem.sound.muted);
        for (const kind of ["Solo", "Mute"]) press(stem[`button${kind}`], stem[kind]);
      }
      press(whole, !stems.some((stem) => stem.Solo || stem.Mute));
    };
    // A seek takes longer on a slow machine than it corrects, so a small lag is caught up by speed.
    const follow = (sound) => {
      const lag = first.currentTime - sound.currentTime;
      if (Math.abs(lag) > FAR) sound.currentTime = first.currentTime;
      const small = Math.abs(lag) > NEAR && Math.abs(lag) <= FAR;
      sound.playbackRate = small ? 1 + Math.max(-MOST, Math.min(MOST, 2 * lag)) : 1;
    };
    const tick = () => {
      const end = Number(mixer.dataset.seconds);
      time.textContent = `${clock(first.currentTime)} of ${clock(end)}`;
      stems.slice(1).forEach(({ sound }) => follow(sound));
    };
    const mark = () => {
      play.textContent = first.paused ? "Play" : "Stop";
      press(play, !first.paused);
    };
    play.addEventListener("click", () => {
      if (!first.paused) { stems.forEach(({ sound }) => sound.pause()); return; }
      stems.forEach(({ sound }) => { sound.currentTime = first.ended ? 0 : first.currentTime; });
      Promise.all(stems.map(({ sound }) => sound.play())).then(() => {
        // each began when it had been loaded
        const last = Math.min(...stems.map(({ sound }) => sound.currentTime));
        stems.forEach(({ sound }) => { sound.currentTime = last; });
      }).catch((error) => {
        stems.forEach(({ sound }) => sound.pause());
        if (error.name !== "AbortError") time.textContent = `Cannot be played: ${error.message}`;
      });
    });
    whole.addEventListener("click", () => {
      stems.forEach((stem) => { stem.Solo = stem.Mute = false; });
      show();
    });
    first.addEventListener("timeupdate", tick);
    for (const kind of ["play", "pause", "ended"]) first.addEventListener(kind, mark);
    first.addEventListener("pause", () => stems.forEach(({ sound }) => sound.pause()));
    tick();
    show();
    mark();
    mixer.classList.add("ready");
  };
  const start = () => document.querySelectorAll(".stem-mixer").forEach(build);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
