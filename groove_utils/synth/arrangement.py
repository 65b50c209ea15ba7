"""Generation of the notes in the demo study's songs: drums, bass, chords and a lead voice.

Parts are built from rhythmic figures. A figure is one bar of sixteenths, written as text (see
:func:`groove_utils.synth.patterns.from_text`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from groove_utils.rhythm.grid import STEPS
from groove_utils.synth.bands import Band
from groove_utils.synth.patterns import from_text
from groove_utils.synth.score import Clock, Note

__all__ = [
    "Hands",
    "draw_progression",
    "nearest_pitch",
    "play_bass",
    "play_chords",
    "play_drums",
    "play_lead",
    "voice_chord",
]

DRUM_KEYS = {
    "kick": 36, "snare": 38, "hat": 42, "open_hat": 46, "ride": 51, "crash": 49, "tom_high": 48,
    "tom_low": 43, "clap": 39, "rim": 37, "tambourine": 54, "cowbell": 56, "shaker": 70,
    "conga_high": 63, "conga_low": 64,
}  # fmt: skip
# player whose timing offset applies to each drum; drums not listed here use the kick's offset
PLAYERS = {
    "snare": "snare", "clap": "snare", "rim": "snare", "hat": "hat", "open_hat": "hat",
    "ride": "hat", "shaker": "hat", "tambourine": "hat",
}  # fmt: skip
# chord progressions by style; a chord is (root in semitones above the tonic, chord quality)
PROGRESSIONS = {
    "funk": [
        [(0, "9")], [(0, "9"), (5, "9")], [(0, "m7"), (5, "9")], [(0, "m7")],
        [(0, "9"), (0, "9"), (10, "9"), (5, "9")], [(0, "m7"), (3, "9"), (5, "9"), (5, "9")],
    ],
    "pop": [
        [(0, ""), (7, ""), (9, "m"), (5, "")], [(9, "m"), (5, ""), (0, ""), (7, "")],
        [(0, ""), (9, "m"), (5, ""), (7, "")], [(5, ""), (7, ""), (9, "m"), (0, "")],
        [(0, "maj7"), (4, "m"), (5, "maj7"), (7, "")], [(2, "m"), (5, ""), (0, ""), (0, "")],
    ],
    "rock": [
        [(root, "5") for root in roots]
        for roots in [(0, 10, 5, 0), (0, 8, 10, 0), (0, 5, 7, 5), (0, 3, 10, 5), (0, 0, 5, 10),
                      (9, 5, 0, 7)]
    ],
}  # fmt: skip
# semitones above the root, by chord quality
TONES = {
    "9": (0, 4, 10, 14), "m7": (0, 3, 7, 10), "": (0, 4, 7), "m": (0, 3, 7), "maj7": (0, 4, 7, 11),
    "5": (0, 7, 12), "7": (0, 4, 7, 10), "m9": (0, 3, 10, 14), "maj9": (0, 4, 11, 14),
    "6": (0, 4, 7, 9), "sus4": (0, 5, 7, 10),
}  # fmt: skip
SCALES = {"funk": (0, 3, 5, 7, 10), "pop": (0, 2, 4, 7, 9), "rock": (0, 3, 5, 7, 10)}
BASS_FIGURES = {
    "funk": ["x.....x...x..x..", "x..x...x..x...x.", "x.x....x.x..x.x.", "x.....xx..x..x.x"],
    "pop": ["x.x.x.x.x.x.x.x.", "x.....x.x.....x.", "..x...x...x...x.", "x...x...x...x..."],
    "rock": ["x.x.x.x.x.x.x.x.", "x.x.x.x.x.x.x.x.", "x...x...x.x.x...", "x.....x.x.x...x."],
}
CHORD_FIGURES = {
    "funk": ["..x...xx..x...x.", "x..x..x...x..x..", "..xx..x...xx..x.", "....x.x.....x.xx",
             "x.xx.xx.x.xx.xx."],
    "pop": ["x...x...x...x...", "x.x.x.x.x.x.x.x.", "x..x..x.x..x..x.", "..x...x...x...x.",
            "x.....x.....x..."],
    "rock": ["x.x.x.x.x.x.x.x.", "x.......x.......", "x.x..xx.x.x..xx.", "x...x.x...x.x...",
             "x..x..x.x......."],
}  # fmt: skip
STABS = ["x..x............", "..........x..x..", "......x.......x.", "x.............xx",
         "....xx.....x...."]  # fmt: skip
PHRASES = ["x.x.x...x..x....", "..x.x.x.x.......", "x..x..x.x.x.....", "....x.x.x..xx...",
           "x...x..x..x.x...", "..x..x..x.x...x.", "x.......x.x.x..."]  # fmt: skip
ORGAN, GUITARS, STRUMMED, DISTORTED = 18, (26, 27), (25, 26, 27), 30  # MIDI programs


def play_drums(rng, drums: dict[str, np.ndarray], clock: Clock) -> list[Note]:
    """Turn the output of :func:`groove_utils.synth.patterns.draw_drums` into notes."""
    notes = []
    for name, grid in drums.items():
        for bar, step in zip(*np.nonzero(grid)):
            velocity = int(np.clip(grid[bar, step] + rng.normal(0, 3.5), 20, 127))
            time = clock.time(bar, step, PLAYERS.get(name, "kick"))
            key = DRUM_KEYS[name]
            notes.append(Note("drums", name, time, 2.5, key, velocity, int(bar), int(step)))
    # an open hi-hat rings until the next hi-hat stroke, for at most 0.6 s
    closing = np.sort([note.time for note in notes if note.part in ("hat", "open_hat")])
    for i, note in enumerate(notes):
        if note.part == "open_hat":
            after = closing[closing > note.time + 0.01]
            length = min(after[0] - note.time if after.size else 0.5, 0.6)
            notes[i] = note._replace(duration=length)
    return notes


def draw_progression(rng, style: str, n_bars: int) -> list[tuple[int, str]]:
    """Choose a random chord progression in the given style, with one chord per bar.

    A chord is a pair (root in semitones above the tonic, chord quality).
    """
    options = PROGRESSIONS[style]
    chosen = options[rng.integers(len(options))]
    return [chosen[bar % len(chosen)] for bar in range(n_bars)]


def nearest_pitch(pitch_class: int, centre: int) -> int:
    """Return the MIDI note with the given pitch class that is nearest to the note `centre`."""
    return int(centre + (pitch_class - centre + 6) % 12 - 6)


def play_bass(
    rng,
    style: str,
    kick: np.ndarray,
    chords: list[tuple[int, str]],
    key: int,
    density: float,
    coupling: float,
    clock: Clock,
) -> tuple[list[Note], np.ndarray]:
    """Generate a bass line from the kick pattern and the style's bass figures.

    The higher `coupling` is, the more closely the line follows the kick. Return the notes, and a
    bool array of shape (n_bars, 16) that is True at the grid positions where the notes start.
    """
    n_bars = len(chords)
    centre = int(rng.integers(36, 42))
    figures = BASS_FIGURES[style]
    two_bars = np.stack([from_text(figures[i]) > 0 for i in rng.integers(len(figures), size=2)])
    two_bars[1] = np.where(rng.random(STEPS) < 0.7, two_bars[0], two_bars[1])
    keep = rng.random((2, STEPS)) < (1.05 - coupling) * (0.6 + 0.8 * density)
    follow = rng.random((2, STEPS)) < 0.15 + 0.9 * coupling
    grid = np.zeros((n_bars, STEPS), bool)
    for bar in range(n_bars):
        which = bar % 2
        grid[bar] = (kick[bar] > 0) & follow[which] | two_bars[which] & keep[which]
        grid[bar, 0] |= bar == 0 or rng.random() < 0.8
    short = {"funk": 0.55, "pop": 0.85, "rock": 0.92}[style]
    steps = np.flatnonzero(grid)
    notes = []
    for at, gap in zip(steps, np.diff(steps, append=grid.size)):
        bar, step = divmod(int(at), STEPS)
        pitch = nearest_pitch((key + chords[bar][0]) % 12, centre)
        if step and style == "funk":
            pitch += int(rng.choice([0, 12, 10, 7, -2], p=[0.4, 0.22, 0.14, 0.16, 0.08]))
        elif step and style == "pop":
            pitch += int(rng.choice([0, 7, 12], p=[0.8, 0.12, 0.08]))
        elif step >= 12 and rng.random() < 0.35:  # approach the root of the next chord
            following = nearest_pitch((key + chords[(bar + 1) % n_bars][0]) % 12, centre)
            pitch = following + int(rng.choice([-2, 2, -1]))
        velocity = int(np.clip((112 if step % 4 == 0 else 98) + rng.normal(0, 6), 50, 127))
        length = min(gap, 6) * clock.sixteenth * (short if rng.random() < 0.8 else 0.4)
        time = clock.time(bar, step, "bass")
        notes.append(Note("bass", "bass", time, max(0.07, length), pitch, velocity, bar, step))
    return notes, grid


def voice_chord(chord: tuple[int, str], key: int, centre: int) -> list[int]:
    """Return the MIDI notes of a chord, voiced around the note `centre`."""
    root = nearest_pitch((key + chord[0]) % 12, centre - 4)
    pitches = [root + tone for tone in TONES[chord[1]]]
    if chord[1] != "5":  # keep the hand position: move all chord tones close to the centre
        first = 1 if chord[1] in ("9", "m7") else 0
        pitches = [nearest_pitch(pitch % 12, centre) for pitch in pitches[first:]]
    return sorted(set(pitches))


class Hands:
    """Chord player that appends each note it plays to the list `notes`."""

    def __init__(self, rng, clock: Clock):
        self.rng, self.clock, self.notes = rng, clock, []

    def strike(self, part, bar, step, sixteenths, pitches, velocity, *, least=0.0, spread=0.0):
        """Play a chord whose notes start `spread` seconds apart (all at once if `spread` is 0)."""
        start = self.clock.time(bar, step, share=0.7)
        length = max(least, sixteenths * self.clock.sixteenth)
        for i, pitch in enumerate(pitches):
            loud = int(np.clip(velocity + self.rng.normal(0, 4), 25, 127))
            self.notes.append(
                Note("other", part, start + i * spread, length, int(pitch), loud, bar, step)
            )


def play_chords(
    rng, band: Band, chords: list[tuple[int, str]], key: int, density: float, clock: Clock
) -> list[Note]:
    """Generate the two chord parts: the main part and a second part that depends on the style."""
    style, first = band.style, band.parts["chords"].program
    figures = CHORD_FIGURES[style]
    two_bars = [from_text(figures[i]) > 0 for i in rng.integers(len(figures), size=2)]
    two_bars[1] = two_bars[0] if rng.random() < 0.6 else two_bars[1]
    centre = {"funk": 64, "pop": 62, "rock": 47}[style] + int(rng.integers(-2, 3))
    staccato, longest = {"funk": (0.45, 1.3), "pop": (0.9, 16), "rock": (0.95, 16)}[style]
    spread = 0.006 if first in STRUMMED else 0.0
    hands = Hands(rng, clock)
    for bar, chord in enumerate(chords):
        pitches = voice_chord(chord, key, centre)
        steps = np.flatnonzero(two_bars[bar % 2])
        for step, gap in zip(steps.tolist(), np.diff(steps, append=STEPS)):
            velocity = 96 if step % 4 == 0 else 84
            sixteenths = min(gap * staccato, longest)
            hands.strike(
                "chords", bar, step, sixteenths, pitches, velocity, least=0.08, spread=spread
            )
        if style == "funk" and first in GUITARS:  # muted scratches
            for step in np.flatnonzero(~two_bars[bar % 2]).tolist():
                if rng.random() < 0.55 * density:
                    hands.strike("chords", bar, step, 0, pitches[-2:], 52, least=0.035)
    _play_second(hands, band, chords, key)
    return hands.notes


def _play_second(hands: Hands, band: Band, chords, key: int) -> None:
    """Add the second chord part: stabs in funk, sustained chords in pop, half-bar chords in rock.

    In rock, if the second instrument is a distorted guitar, it doubles the first part instead.
    """
    rng, program = hands.rng, band.parts["second"].program
    if band.style == "funk":
        stab = np.flatnonzero(from_text(STABS[rng.integers(len(STABS))]))
        for bar in range(1, len(chords), 2):
            pitches = [pitch + 12 for pitch in voice_chord(chords[bar], key, 62)]
            for step in stab.tolist():
                hands.strike("second", bar, step, 1.1, pitches, 100)
    elif band.style == "pop":
        for bar, chord in enumerate(chords):
            hands.strike("second", bar, 0, 15.5, voice_chord(chord, key, 60), 84)
    elif program == DISTORTED:  # a second guitar doubles the first
        for note in list(hands.notes):
            late = note.time + abs(rng.normal(0.008, 0.004))
            hands.notes.append(note._replace(part="second", time=late))
    else:
        for bar, chord in enumerate(chords):
            for step in (0, 8):
                organ = voice_chord((chord[0], ""), key, 64)
                pitches = organ if program == ORGAN else voice_chord(chord, key, 59)
                hands.strike("second", bar, step, 7.6, pitches, 88)


def play_lead(
    rng,
    band: Band,
    chords: list[tuple[int, str]],
    key: int,
    clock: Clock,
    *,
    scale: Sequence[int] | None = None,
    phrases: Sequence[str] = PHRASES,
    centres: tuple[int, int] = (64, 70),
) -> list[Note]:
    """Generate a lead melody: a two-bar phrase, repeated with alternating endings and some rests.

    By default, the melody uses the scale of the band's style.
    """
    scale = np.array(SCALES[band.style] if scale is None else scale)
    centre = int(rng.integers(centres[0], centres[1] + 1))
    ladder = [p for p in range(centre - 9, centre + 11) if (p - key) % 12 in scale]
    calls = [from_text(phrases[i]) > 0 for i in rng.integers(len(phrases), size=3)]
    contour = np.zeros(32, int)
    for i in range(1, 32):  # a random walk that stays near its starting point
        step = rng.choice([-3, -2, -1, -1, 1, 1, 2, 3])
        contour[i] = contour[i - 1] + (step if contour[i - 1] * step <= 3 else -step)
    silent = rng.random(4) > 0.45 + 0.55 * band.habits["sing"]
    silent[0] = False
    notes, place = [], len(ladder) // 2 + int(rng.integers(-1, 2))
    for bar, (root, kind) in enumerate(chords):
        if silent[bar % 4]:
            continue
        steps = np.flatnonzero(calls[0] if bar % 2 == 0 else calls[1 + (bar // 2) % 2])
        for i, (step, gap) in enumerate(zip(steps.tolist(), np.diff(steps, append=STEPS))):
            at = int(np.clip(place + contour[(i + 5 * (bar % 2)) % 32], 0, len(ladder) - 1))
            pitch = ladder[at]
            last = i + 1 == steps.size
            if last or step % 8 == 0:  # chord tones at the end of a bar, and on beats one and three
                near = [nearest_pitch((key + root + tone) % 12, pitch) for tone in TONES[kind]]
                pitch = min(near, key=lambda p: (abs(p - pitch), p))
            length = max(0.12, min(gap, 7 if last else 4) * clock.sixteenth * 0.92)
            velocity = int(np.clip(100 + (6 if step % 4 == 0 else 0) + rng.normal(0, 5), 60, 124))
            time = clock.time(bar, step, share=0.8)
            notes.append(Note("vocals", "lead", time, length, pitch, velocity, bar, step))
    return notes
