"""Bands in the demo study: their styles, instruments, mixes and timing habits.

All songs by a band share these properties, so they sound alike, as songs by real bands do (see the
appendix "The demo study and its known effects").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["AIMS", "STYLES", "Band", "Part", "draw_band"]

STYLES = ("funk", "pop", "rock")

# target values for songs, by style: mean, SD between bands, SD between songs by the same band
AIMS = {
    "syncopation": {
        "funk": (0.54, 0.12, 0.14), "pop": (0.40, 0.12, 0.17), "rock": (0.37, 0.11, 0.16),
    },
    "density": {"funk": (0.58, 0.13, 0.17), "pop": (0.52, 0.14, 0.18), "rock": (0.48, 0.13, 0.18)},
    "tempo": {"funk": (104, 7, 7), "pop": (114, 8, 8), "rock": (124, 11, 10)},
    "swing": {"funk": (0.20, 0.13, 0.05), "pop": (0.08, 0.10, 0.04), "rock": (0.03, 0.06, 0.02)},
    "coupling": {"funk": (0.68, 0.13, 0.13), "pop": (0.66, 0.14, 0.16), "rock": (0.62, 0.14, 0.16)},
    "loudness": {"funk": (-17.4, 0.9, 0.4), "pop": (-16.8, 0.9, 0.4), "rock": (-15.4, 0.8, 0.4)},
}  # fmt: skip
# options for each role, by style, and their probabilities (None: all equal). Options are General
# MIDI programs (drum kits are in bank 128), or drum parts for the timekeeper (see `draw_drums`).
INSTRUMENTS = {
    "funk": {
        "kit": ([0, 8, 40], [0.45, 0.45, 0.1]), "bass": ([33, 36, 37, 38], None),
        "chords": ([27, 26, 7, 4], None), "second": ([61, 62, 17, 63], None),
        "timekeeper": (["hat", "ride"], [0.9, 0.1]),
    },
    "pop": {
        "kit": ([24, 25, 0, 16], [0.35, 0.25, 0.25, 0.15]), "bass": ([38, 33, 39], None),
        "chords": ([0, 4, 5, 25, 27], None), "second": ([50, 51, 89, 48], None),
        "timekeeper": (["hat", "offbeat"], [0.55, 0.45]),
    },
    "rock": {
        "kit": ([16, 8, 0], [0.55, 0.3, 0.15]), "bass": ([34, 33], None),
        "chords": ([29, 30], [0.4, 0.6]), "second": ([30, 18, 25, 0], None),
        "timekeeper": (["hat", "open", "ride"], [0.5, 0.3, 0.2]),
    },
}  # fmt: skip
OVERDRIVEN, DISTORTED = 29, 30  # guitar programs


@dataclass(frozen=True)
class Part:
    """Sound of one of a band's instrumental or vocal parts.

    Attributes
    ----------
    stem : str
        Stem that contains the part.
    bank, program : int
        General MIDI preset.
    gain : float
        Level in dB relative to the default balance.
    pan : float
        Position from −1 (left) to 1 (right).
    room : float
        Reverberation level.
    cents, vibrato, scoop, release
        See :func:`groove_utils.synth.soundfont.render_note`.
    drive : float
        Amount of saturation (see `drive` in :func:`groove_utils.synth.effects.saturate`), or 0 for
        no saturation.
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
    """A simulated band: its style, its habits, and the sound of each part.

    `habits` contains the band's timing habits and its averages of the target values from which
    songs are generated (see :data:`AIMS`). `timekeeper` is the part that the drummer plays with the
    right hand, and `room_seconds` is the reverberation time.
    """

    name: str
    style: str
    habits: dict[str, float]
    parts: dict[str, Part]
    timekeeper: str
    room_seconds: float
    room_seed: int


def draw_band(seed: int, index: int) -> Band:
    """Randomly draw the instruments, sounds and timing habits of one band.

    Successive bands cycle through the three styles, so all styles are equally frequent if the
    number of bands is a multiple of three.

    Parameters
    ----------
    seed : int
        Seed of the study.
    index : int
        Index of the band (0, 1, …). The result does not depend on the total number of bands.

    Returns
    -------
    Band
        The band, with its habits and the sound of each part.
    """
    rng = np.random.default_rng([seed, 1, index])
    style = STYLES[index % len(STYLES)]
    name = f"{style.capitalize()} band {index // len(STYLES) + 1:02d}"
    habits = {}
    for aim, by_style in AIMS.items():
        mean, between, _ = by_style[style]
        habits[aim] = float(mean + between * rng.standard_normal())
    habits["snare_ms"] = float(rng.normal(3, 4))
    habits["hat_ms"] = float(rng.normal(-1, 3))
    habits["bass_ms"] = float(rng.normal(4, 5))
    habits["jitter_ms"] = float(rng.uniform(1.5, 4.5))
    habits["looseness"] = float(np.clip(rng.normal(0.16, 0.16), 0.02, 0.6))
    habits["sing"] = float(rng.uniform(0.35, 0.8))
    chosen = {role: rng.choice(options, p=p) for role, (options, p) in INSTRUMENTS[style].items()}
    timekeeper = str(chosen.pop("timekeeper"))
    parts = _draw_parts(rng, **{role: int(program) for role, program in chosen.items()})
    seconds = float(rng.uniform(0.25, 0.9))
    return Band(name, style, habits, parts, timekeeper, seconds, seed * 1000 + index)


def _draw_parts(rng, kit: int, bass: int, chords: int, second: int) -> dict[str, Part]:
    """Randomly choose the sound of each part, given its instrument.

    Do not change the order of the random draws: all songs depend on it.
    """
    lead, side = int(rng.choice([52, 53, 54, 85])), rng.choice([-1, 1])
    room = float(rng.uniform(0.05, 0.22))

    def db(spread=1.5):
        return float(rng.normal(0, spread))

    def uniform(low, high):
        return float(rng.uniform(low, high))

    tune = float(rng.normal(0, 8))
    return {
        "drums": Part("drums", 128, kit, db(1.2), 0.0, room, float(rng.normal(0, 60)), drive=0.6),
        "bass": Part("bass", 0, bass, db(1.8), 0.0, 0.15 * room, tune),
        "chords": Part(
            "other", 0, chords, db(), side * uniform(0.3, 0.7), room, tune,
            drive=uniform(2, 5) if chords in (OVERDRIVEN, DISTORTED) else 0.0,
        ),
        "second": Part(
            "other", 0, second, db(), -side * uniform(0.2, 0.7), 1.3 * room, tune,
            drive=uniform(2, 5) if second == DISTORTED else 0.0,
        ),
        "lead": Part(
            "vocals", 0, lead, db(1.2), uniform(-0.1, 0.1), 1.6 * room, tune,
            (uniform(15, 35), uniform(4.8, 6.2), 0.25), uniform(30, 120), 0.3,
        ),
    }  # fmt: skip
