"""Bands and songs: who plays, on which instruments, with which habits, and every note of it.

Used for the demo study (appendix «The demo study and its truth»). A band has timbres, a mix and
habits of timing; its songs share them, so that songs by one band are alike, as real ones are.
:func:`compose` writes a song as a list of notes with times in seconds, which the renderer plays
and from which every true feature of the song is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from groove_utils.synth.patterns import STEPS, draw_drums, from_text

__all__ = ["LEAD_IN", "STEMS", "STYLES", "Band", "Note", "Part", "Song", "compose", "draw_band"]

STYLES = ("funk", "pop", "rock")
STEMS = ("drums", "bass", "other", "vocals")
LEAD_IN = 0.06  # seconds before the first beat, so that an early stroke is not cut
RING_OUT = 0.5  # seconds after the last bar
TARGET_SECONDS = 12.0

# mean and between-band and within-band SD of what a song aims at, by style
AIMS = {
    "syncopation": {
        "funk": (0.54, 0.12, 0.14),
        "pop": (0.40, 0.12, 0.17),
        "rock": (0.37, 0.11, 0.16),
    },
    "density": {"funk": (0.58, 0.13, 0.17), "pop": (0.52, 0.14, 0.18), "rock": (0.48, 0.13, 0.18)},
    "tempo": {"funk": (104, 7, 7), "pop": (114, 8, 8), "rock": (124, 11, 10)},
    "swing": {"funk": (0.20, 0.13, 0.05), "pop": (0.08, 0.10, 0.04), "rock": (0.03, 0.06, 0.02)},
    "coupling": {"funk": (0.68, 0.13, 0.13), "pop": (0.66, 0.14, 0.16), "rock": (0.62, 0.14, 0.16)},
    "loudness": {"funk": (-17.4, 0.9, 0.4), "pop": (-16.8, 0.9, 0.4), "rock": (-15.4, 0.8, 0.4)},
}
TEMPO_RANGE = (84.0, 164.0)


class Note(NamedTuple):
    """One note of a score; `time` and `duration` in seconds, `velocity` 1–127."""

    stem: str
    part: str
    time: float
    duration: float
    pitch: int
    velocity: int
    bar: int
    step: float


@dataclass(frozen=True)
class Part:
    """How a part sounds.

    Stem and preset; level in dB; place (−1 left … 1 right); room send; tuning, vibrato, scoop and
    longest release as :meth:`groove_utils.synth.soundfont.SoundFont.play` has them; drive, how hard
    the part is pushed into an amplifier that saturates (0: not at all).
    """

    stem: str
    bank: int
    program: int
    gain: float
    pan: float
    room: float
    cents: float = 0.0
    vibrato: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scoop: float = 0.0
    release: float = 4.0
    drive: float = 0.0


@dataclass(frozen=True)
class Band:
    """A simulated band: style, habits, and timbres by part."""

    name: str
    style: str
    habits: dict[str, float]
    parts: dict[str, Part]
    timekeeper: str
    room_seconds: float
    room_seed: int


@dataclass(frozen=True)
class Song:
    """A score with everything that is known of it."""

    track_id: str
    title: str
    band: Band
    tempo: float
    n_bars: int
    swing_ratio: float
    key: int
    loudness: float
    offsets: dict[str, float]
    jitter_ms: float
    drums: dict[str, np.ndarray]
    bass: np.ndarray
    notes: list[Note] = field(repr=False)

    @property
    def seconds(self) -> float:
        """Length of the audio in seconds: the whole bars, with a little room at both ends."""
        return LEAD_IN + self.n_bars * 240 / self.tempo + RING_OUT


def draw_band(seed: int, index: int) -> Band:
    """Draw the `index`-th band of a study: styles take turns, so every multiple of 3 is balanced.

    Parameters
    ----------
    seed : int
        Seed of the study.
    index : int
        0, 1, …; the same band comes out whatever the number of bands.

    Returns
    -------
    Band
    """
    rng = np.random.default_rng([seed, 1, index])
    style = STYLES[index % len(STYLES)]
    name = f"{style.capitalize()} band {index // len(STYLES) + 1:02d}"
    habits = {
        aim: float(mean + between * rng.standard_normal())
        for aim, (mean, between, _) in ((aim, by_style[style]) for aim, by_style in AIMS.items())
    }
    habits["snare_ms"] = float(rng.normal(3, 4))
    habits["hat_ms"] = float(rng.normal(-1, 3))
    habits["bass_ms"] = float(rng.normal(4, 5))
    habits["jitter_ms"] = float(rng.uniform(1.5, 4.5))
    habits["looseness"] = float(np.clip(rng.normal(0.16, 0.16), 0.02, 0.6))
    habits["sing"] = float(rng.uniform(0.35, 0.8))
    if style == "funk":
        kit, bass = rng.choice([0, 8, 40], p=[0.45, 0.45, 0.1]), rng.choice([33, 36, 37, 38])
        chords, second = rng.choice([27, 26, 7, 4]), rng.choice([61, 62, 17, 63])
        timekeeper = rng.choice(["hat", "ride"], p=[0.9, 0.1])
    elif style == "pop":
        kit, bass = (
            rng.choice([24, 25, 0, 16], p=[0.35, 0.25, 0.25, 0.15]),
            rng.choice([38, 33, 39]),
        )
        chords, second = rng.choice([0, 4, 5, 25, 27]), rng.choice([50, 51, 89, 48])
        timekeeper = rng.choice(["hat", "offbeat"], p=[0.55, 0.45])
    else:
        kit, bass = rng.choice([16, 8, 0], p=[0.55, 0.3, 0.15]), rng.choice([34, 33])
        chords, second = rng.choice([29, 30], p=[0.4, 0.6]), rng.choice([30, 18, 25, 0])
        timekeeper = rng.choice(["hat", "open", "ride"], p=[0.5, 0.3, 0.2])
    lead = rng.choice([52, 53, 54, 85])
    side = rng.choice([-1, 1])
    room = float(rng.uniform(0.05, 0.22))

    def db(spread=1.5):
        return float(rng.normal(0, spread))

    tune = float(rng.normal(0, 8))
    parts = {
        "drums": Part(
            "drums", 128, int(kit), db(1.2), 0.0, room, float(rng.normal(0, 60)), drive=0.6
        ),
        "bass": Part("bass", 0, int(bass), db(1.8), 0.0, 0.15 * room, tune),
        "chords": Part(
            "other", 0, int(chords), db(), side * float(rng.uniform(0.3, 0.7)), room, tune,
            drive=float(rng.uniform(2, 5)) if chords in (29, 30) else 0.0,
        ),
        "second": Part(
            "other", 0, int(second), db(), -side * float(rng.uniform(0.2, 0.7)), 1.3 * room, tune,
            drive=float(rng.uniform(2, 5)) if second == 30 else 0.0,
        ),
        "lead": Part(
            "vocals", 0, int(lead), db(1.2), float(rng.uniform(-0.1, 0.1)), 1.6 * room, tune,
            (float(rng.uniform(15, 35)), float(rng.uniform(4.8, 6.2)), 0.25),
            float(rng.uniform(30, 120)), 0.3,
        ),
    }  # fmt: skip
    return Band(
        name,
        style,
        habits,
        parts,
        str(timekeeper),
        float(rng.uniform(0.25, 0.9)),
        seed * 1000 + index,
    )


def compose(seed: int, band_index: int, song_index: int) -> Song:
    """Write one song.

    Parameters
    ----------
    seed : int
        Seed of the study.
    band_index, song_index : int
        Which band (0, 1, …), and which of its songs.

    Returns
    -------
    Song
        With whole bars of 4/4, as near to 12 s as they come.
    """
    band = draw_band(seed, band_index)
    rng = np.random.default_rng([seed, 2, band_index, song_index])
    aim = {
        name: band.habits[name] + by_style[band.style][2] * rng.standard_normal()
        for name, by_style in AIMS.items()
    }
    tempo = round(float(np.clip(aim["tempo"], *TEMPO_RANGE)), 1)
    n_bars = max(4, round(TARGET_SECONDS * tempo / 240))
    swing = round(float(np.clip(1 + max(0.0, aim["swing"]) * 1.8, 1.0, 1.75)), 3)
    syncopation = float(np.clip(aim["syncopation"], 0, 1))
    density = float(np.clip(aim["density"], 0, 1))
    coupling = float(np.clip(aim["coupling"], 0.1, 1))
    # a loose take: the offsets that the band has anyway, drawn out of proportion
    loose = rng.random() < band.habits["looseness"]
    stretch = float(rng.uniform(2.5, 5.5)) if loose else 1.0
    offsets = {
        "kick": 0.0,
        "snare": stretch * (band.habits["snare_ms"] + float(rng.normal(0, 1.5))),
        "hat": stretch * (band.habits["hat_ms"] + float(rng.normal(0, 1.0))),
        "bass": stretch * (band.habits["bass_ms"] + float(rng.normal(0, 2.0))),
    }
    jitter = band.habits["jitter_ms"] * (1 + 0.8 * (stretch - 1))
    key = int(rng.choice([4, 9, 2, 7, 0, 5, 10], p=[0.25, 0.2, 0.15, 0.15, 0.1, 0.1, 0.05]))

    drums = draw_drums(rng, band.style, n_bars, syncopation, density, band.timekeeper)
    clock = _Clock(rng, tempo, swing, offsets, jitter)
    notes = _play_drums(rng, drums, clock)
    chords = _progression(rng, band.style, n_bars)
    bass_notes, bass_grid = _play_bass(
        rng, band.style, drums["kick"], chords, key, density, coupling, clock
    )
    notes += bass_notes
    notes += _play_chords(rng, band, chords, key, density, syncopation, clock)
    notes += _sing(rng, band, chords, key, n_bars, clock)
    style_number = band_index // len(STYLES) + 1
    return Song(
        track_id=f"{band.style}-{style_number:02d}-{song_index + 1}",
        title=f"Song {song_index + 1}",
        band=band,
        tempo=tempo,
        n_bars=n_bars,
        swing_ratio=swing,
        key=key,
        loudness=float(np.clip(aim["loudness"], -19.6, -14.4)),
        offsets=offsets,
        jitter_ms=jitter,
        drums=drums,
        bass=bass_grid,
        notes=sorted(notes, key=lambda note: (note.time, note.part, note.pitch)),
    )


class _Clock:
    """From bar and step to seconds, with swing, the player's offset and jitter."""

    def __init__(self, rng, tempo, swing, offsets, jitter_ms):
        self.rng, self.sixteenth, self.swing = rng, 15 / tempo, swing
        self.offsets, self.jitter_ms = offsets, jitter_ms

    def grid(self, bar, step):
        """Seconds of a metrical place; the second sixteenth of each pair comes late by swing."""
        pair, odd = divmod(step, 2)
        late = 2 * self.swing / (1 + self.swing)
        inside = odd * late if odd <= 1 else late + (odd - 1) * (2 - late)
        return LEAD_IN + (bar * STEPS + 2 * pair + inside) * self.sixteenth

    def time(self, bar, step, player="", share=1.0):
        wobble = self.rng.normal(0, self.jitter_ms * share)
        wobble = np.clip(wobble, -2.5 * self.jitter_ms, 2.5 * self.jitter_ms)
        offset = self.offsets.get(player, 0.0)
        return max(0.002, self.grid(bar, step) + (offset + wobble) / 1000)


DRUM_KEYS = {
    "kick": 36,
    "snare": 38,
    "hat": 42,
    "open_hat": 46,
    "ride": 51,
    "crash": 49,
    "tom_high": 48,
    "tom_low": 43,
    "clap": 39,
}


def _play_drums(rng, drums, clock):
    notes = []
    player = {"snare": "snare", "clap": "snare", "hat": "hat", "open_hat": "hat", "ride": "hat"}
    for name, grid in drums.items():
        for bar, step in zip(*np.nonzero(grid)):
            velocity = int(np.clip(grid[bar, step] + rng.normal(0, 3.5), 20, 127))
            time = clock.time(bar, step, player.get(name, "kick"))
            notes.append(
                Note("drums", name, time, 2.5, DRUM_KEYS[name], velocity, int(bar), int(step))
            )
    closing = sorted(n.time for n in notes if n.part in ("hat", "open_hat"))
    out = []
    for note in notes:
        if note.part == "open_hat":  # the next stroke on the hats closes them
            after = [t for t in closing if t > note.time + 0.01]
            note = note._replace(duration=min(after[0] - note.time if after else 0.5, 0.6))
        out.append(note)
    return out


# chords as (semitones above the key, kind)
PROGRESSIONS = {
    "funk": [
        [(0, "9")],
        [(0, "9"), (5, "9")],
        [(0, "m7"), (5, "9")],
        [(0, "m7")],
        [(0, "9"), (0, "9"), (10, "9"), (5, "9")],
        [(0, "m7"), (3, "9"), (5, "9"), (5, "9")],
    ],
    "pop": [
        [(0, ""), (7, ""), (9, "m"), (5, "")],
        [(9, "m"), (5, ""), (0, ""), (7, "")],
        [(0, ""), (9, "m"), (5, ""), (7, "")],
        [(5, ""), (7, ""), (9, "m"), (0, "")],
        [(0, "maj7"), (4, "m"), (5, "maj7"), (7, "")],
        [(2, "m"), (5, ""), (0, ""), (0, "")],
    ],
    "rock": [
        [(0, "5"), (10, "5"), (5, "5"), (0, "5")],
        [(0, "5"), (8, "5"), (10, "5"), (0, "5")],
        [(0, "5"), (5, "5"), (7, "5"), (5, "5")],
        [(0, "5"), (3, "5"), (10, "5"), (5, "5")],
        [(0, "5"), (0, "5"), (5, "5"), (10, "5")],
        [(9, "5"), (5, "5"), (0, "5"), (7, "5")],
    ],
}
TONES = {
    "9": (0, 4, 10, 14),
    "m7": (0, 3, 7, 10),
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "maj7": (0, 4, 7, 11),
    "5": (0, 7, 12),
}
SCALES = {"funk": (0, 3, 5, 7, 10), "pop": (0, 2, 4, 7, 9), "rock": (0, 3, 5, 7, 10)}


def _progression(rng, style, n_bars):
    """One chord a bar."""
    options = PROGRESSIONS[style]
    chosen = options[rng.integers(len(options))]
    return [chosen[bar % len(chosen)] for bar in range(n_bars)]


def _near(pitch_class, centre):
    """The pitch of a class that lies nearest to a MIDI note."""
    return int(centre + (pitch_class - centre + 6) % 12 - 6)


def _play_bass(rng, style, kick, chords, key, density, coupling, clock):
    """Lock with the kick as far as the coupling goes; fill the rest with the style's own figure."""
    n_bars = len(chords)
    centre = int(rng.integers(36, 42))
    own = {
        "funk": ["x.....x...x..x..", "x..x...x..x...x.", "x.x....x.x..x.x.", "x.....xx..x..x.x"],
        "pop": ["x.x.x.x.x.x.x.x.", "x.....x.x.....x.", "..x...x...x...x.", "x...x...x...x..."],
        "rock": ["x.x.x.x.x.x.x.x.", "x.x.x.x.x.x.x.x.", "x...x...x.x.x...", "x.....x.x.x...x."],
    }[style]
    two = np.stack([from_text(own[i]) > 0 for i in rng.integers(len(own), size=2)])
    two[1] = np.where(rng.random(STEPS) < 0.7, two[0], two[1])
    keep_own = rng.random((2, STEPS)) < (1.05 - coupling) * (0.6 + 0.8 * density)
    follow = rng.random((2, STEPS)) < 0.15 + 0.9 * coupling
    grid = np.zeros((n_bars, STEPS), bool)
    for bar in range(n_bars):
        which = bar % 2
        grid[bar] = (kick[bar] > 0) & follow[which] | two[which] & keep_own[which]
        grid[bar, 0] |= bar == 0 or rng.random() < 0.8
    short = {"funk": 0.55, "pop": 0.85, "rock": 0.92}[style]
    steps = np.flatnonzero(grid.ravel())
    notes = []
    for i, at in enumerate(steps):
        bar, step = divmod(int(at), STEPS)
        gap = min((steps[i + 1] if i + 1 < steps.size else n_bars * STEPS) - at, 6)
        root = _near((key + chords[bar][0]) % 12, centre)
        pitch = root
        if step and style == "funk":
            pitch += int(rng.choice([0, 12, 10, 7, -2], p=[0.4, 0.22, 0.14, 0.16, 0.08]))
        elif step and style == "pop":
            pitch += int(rng.choice([0, 7, 12], p=[0.8, 0.12, 0.08]))
        elif step >= 12 and rng.random() < 0.35:  # walk into the next chord
            following = _near((key + chords[(bar + 1) % n_bars][0]) % 12, centre)
            pitch = following + int(rng.choice([-2, 2, -1]))
        velocity = int(np.clip((112 if step % 4 == 0 else 98) + rng.normal(0, 6), 50, 127))
        length = gap * clock.sixteenth * (short if rng.random() < 0.8 else 0.4)
        time = clock.time(bar, step, "bass")
        notes.append(Note("bass", "bass", time, max(0.07, length), pitch, velocity, bar, step))
    return notes, grid


COMPS = {
    "funk": [
        "..x...xx..x...x.",
        "x..x..x...x..x..",
        "..xx..x...xx..x.",
        "....x.x.....x.xx",
        "x.xx.xx.x.xx.xx.",
    ],
    "pop": [
        "x...x...x...x...",
        "x.x.x.x.x.x.x.x.",
        "x..x..x.x..x..x.",
        "..x...x...x...x.",
        "x.....x.....x...",
    ],
    "rock": [
        "x.x.x.x.x.x.x.x.",
        "x.......x.......",
        "x.x..xx.x.x..xx.",
        "x...x.x...x.x...",
        "x..x..x.x.......",
    ],
}
STABS = [
    "x..x............",
    "..........x..x..",
    "......x.......x.",
    "x.............xx",
    "....xx.....x....",
]


def _voicing(chord, key, centre):
    root = _near((key + chord[0]) % 12, centre - 4)
    pitches = [root + tone for tone in TONES[chord[1]]]
    if chord[1] != "5":  # keep the hand in place: bring every tone near the centre
        pitches = [_near(p % 12, centre) for p in pitches[1 if chord[1] in ("9", "m7") else 0 :]]
    return sorted(set(pitches))


def _play_chords(rng, band, chords, key, density, syncopation, clock):
    style = band.style
    figures = COMPS[style]
    two = [from_text(figures[i]) > 0 for i in rng.integers(len(figures), size=2)]
    two[1] = two[0] if rng.random() < 0.6 else two[1]
    centre = {"funk": 64, "pop": 62, "rock": 47}[style] + int(rng.integers(-2, 3))
    staccato = {"funk": 0.45, "pop": 0.9, "rock": 0.95}[style]
    notes = []

    def strike(part, bar, step, length, pitches, velocity, spread=0.0):
        start = clock.time(bar, step, share=0.7)
        for i, pitch in enumerate(pitches):
            loud = int(np.clip(velocity + rng.normal(0, 4), 25, 127))
            notes.append(
                Note("other", part, start + i * spread, length, int(pitch), loud, bar, step)
            )

    spread = 0.006 if band.parts["chords"].program in (25, 26, 27) else 0.0
    for bar, chord in enumerate(chords):
        pitches = _voicing(chord, key, centre)
        steps = np.flatnonzero(two[bar % 2])
        for i, step in enumerate(steps):
            gap = (steps[i + 1] if i + 1 < steps.size else STEPS) - step
            length = max(0.08, gap * clock.sixteenth * staccato)
            if style == "funk":
                length = min(length, 1.3 * clock.sixteenth)
            strike("chords", bar, int(step), length, pitches, 96 if step % 4 == 0 else 84, spread)
        if style == "funk" and band.parts["chords"].program in (26, 27):  # muted scratches
            for step in range(STEPS):
                if not two[bar % 2][step] and rng.random() < 0.55 * density:
                    strike("chords", bar, step, 0.035, pitches[-2:], 52)
    second = band.parts["second"].program
    if style == "funk":
        stab = from_text(STABS[rng.integers(len(STABS))]) > 0
        for bar in range(1, len(chords), 2):
            pitches = [p + 12 for p in _voicing(chords[bar], key, 62)]
            for step in np.flatnonzero(stab):
                strike("second", bar, int(step), 1.1 * clock.sixteenth, pitches, 100)
    elif style == "pop":
        for bar, chord in enumerate(chords):
            strike("second", bar, 0, 15.5 * clock.sixteenth, _voicing(chord, key, 60), 84)
    elif second == 30:  # a second guitar doubles the first
        doubles = [n for n in notes if n.part == "chords"]
        for note in doubles:
            late = note.time + abs(rng.normal(0.008, 0.004))
            notes.append(note._replace(part="second", time=late))
    else:
        for bar, chord in enumerate(chords):
            for step in (0, 8):
                tones = (
                    _voicing((chord[0], ""), key, 64) if second == 18 else _voicing(chord, key, 59)
                )
                strike("second", bar, step, 7.6 * clock.sixteenth, tones, 88)
    return notes


PHRASES = [
    "x.x.x...x..x....",
    "..x.x.x.x.......",
    "x..x..x.x.x.....",
    "....x.x.x..xx...",
    "x...x..x..x.x...",
    "..x..x..x.x...x.",
    "x.......x.x.x...",
]


def _sing(rng, band, chords, key, n_bars, clock):
    """A lead voice: a two-bar call that comes back with another ending, and rests to breathe."""
    scale = np.array(SCALES[band.style])
    centre = int(rng.integers(64, 71))
    ladder = np.array([p for p in range(centre - 9, centre + 11) if (p - key) % 12 in scale])
    calls = [from_text(PHRASES[i]) > 0 for i in rng.integers(len(PHRASES), size=3)]
    contour = np.zeros(32, int)
    for i in range(1, 32):  # a walk that is drawn back to where it began
        step = rng.choice([-3, -2, -1, -1, 1, 1, 2, 3])
        contour[i] = contour[i - 1] + (step if contour[i - 1] * step <= 3 else -step)
    silent = rng.random(4) > 0.45 + 0.55 * band.habits["sing"]
    silent[0] = False
    notes, place = [], len(ladder) // 2 + int(rng.integers(-1, 2))
    for bar in range(n_bars):
        if silent[bar % 4]:
            continue
        call = calls[0] if bar % 2 == 0 else calls[1 + (bar // 2) % 2]
        steps = np.flatnonzero(call)
        for i, step in enumerate(steps):
            gap = (steps[i + 1] if i + 1 < steps.size else STEPS) - step
            at = int(np.clip(place + contour[(i + 5 * (bar % 2)) % 32], 0, len(ladder) - 1))
            pitch = int(ladder[at])
            last = i + 1 == steps.size
            if last or step % 8 == 0:  # rest on a tone of the chord
                tones = [(key + chords[bar][0] + t) % 12 for t in TONES[chords[bar][1]]]
                pitch = min((_near(t, pitch) for t in tones), key=lambda p: (abs(p - pitch), p))
            length = min(gap, 7 if last else 4) * clock.sixteenth * 0.92
            velocity = int(np.clip(100 + (6 if step % 4 == 0 else 0) + rng.normal(0, 5), 60, 124))
            time = clock.time(bar, int(step), share=0.8)
            notes.append(
                Note("vocals", "lead", time, max(0.12, length), pitch, velocity, bar, int(step))
            )
    return notes
