"""Bands in the genre corpus: their rhythmic figures, instruments and mixes.

Each band has a style. Like some real bands, crossover bands borrow aspects of their music (drums,
bass, harmony, …) from a related style; these aspects are called roles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from groove_utils.synth.bands import DISTORTED, OVERDRIVEN, Band, Part
from groove_utils.synth.genre_styles import GENRES, style_sheet

__all__ = ["ROLES", "GenreBand", "draw_genre_band"]

ROLES = ("tempo", "drums", "bass", "harmony", "chords", "second", "lead", "instruments", "mix")
BORROWED = 0.33  # probability that a crossover band borrows a given role
N_FIGURES = 3  # number of figures that a band uses for each role
NO_VIBRATO = (0.0, 0.0, 0.0)
VOICES = (52, 53, 54, 85)  # General MIDI programs that represent singers


@dataclass(frozen=True)
class GenreBand:
    """A band in the genre corpus.

    Attributes
    ----------
    band : Band
        Name, style, timing habits, and sound of each part.
    crossover : str
        Related style from which the band borrows; empty if it borrows nothing.
    sources : dict of str to str
        Style that the band follows in each role; the keys are :data:`ROLES`.
    figures : dict of str to list
        Rhythmic figures and chord progressions from which the band's songs are built, by role.
    mix : dict of str to float
        Mixing settings, such as loudness and the balance of the stems.
    """

    band: Band
    crossover: str
    sources: dict[str, str]
    figures: dict[str, list]
    mix: dict[str, float]

    def sheet(self, role: str) -> dict:
        """Return the definition of the style that the band uses for the given role."""
        return style_sheet(self.sources[role])


def draw_genre_band(style: str, index: int, seed: int = 0) -> GenreBand:
    """Generate one band for the genre corpus; it depends only on `style`, `index` and `seed`.

    Examples
    --------
    >>> band = draw_genre_band("reggae", 3)
    >>> band.band.name, sorted(band.band.parts)
    ('reggae-04', ['bass', 'chords', 'drums', 'lead', 'second'])
    """
    sheet = style_sheet(style)
    rng = np.random.default_rng([seed, 11, GENRES.index(style), index])
    crossover = _draw_relative(rng, sheet["relatives"])
    borrowed = (rng.random(len(ROLES)) < BORROWED) & bool(crossover)
    crossover = crossover if borrowed.any() else ""
    sources = {role: crossover if b else style for role, b in zip(ROLES, borrowed)}
    sheets = {role: style_sheet(source) for role, source in sources.items()}
    pools = {
        "drums": sheets["drums"]["drums"],
        "harmony": sheets["harmony"]["harmony"],
        "lead": sheets["lead"]["lead"]["phrases"],
    } | {role: sheets[role][role]["figures"] for role in ("bass", "chords", "second")}
    figures = {}
    for role, pool in pools.items():
        chosen = rng.permutation(len(pool))[:N_FIGURES]
        figures[role] = [pool[i] for i in chosen]
    band = Band(
        name=f"{style}-{index + 1:02d}",
        style=style,
        habits=_draw_habits(rng, sheets),
        parts=_draw_parts(rng, sheets["instruments"]["instruments"], sheets["mix"]["mix"]),
        timekeeper="",
        room_seconds=float(rng.uniform(*sheets["mix"]["mix"]["room"][:2])),
        room_seed=int(rng.integers(1 << 31)),
    )
    return GenreBand(band, crossover, sources, figures, _draw_mix(rng, sheets["mix"]["mix"]))


def _draw_relative(rng, relatives: dict[str, float]) -> str:
    chances = np.cumsum(list(relatives.values()))
    place = int(np.searchsorted(chances, rng.random()))
    return list(relatives)[place] if place < len(relatives) else ""


def _draw_habits(rng, sheets: dict[str, dict]) -> dict[str, float]:
    timing = sheets["tempo"]
    habits = {
        "tempo": timing["tempo"][0] + timing["tempo"][1] * rng.standard_normal(),
        "swing": rng.normal(*timing["swing"]),
        "density": sheets["drums"]["density"][0]
        + sheets["drums"]["density"][1] * rng.standard_normal(),
        "sing": rng.uniform(*sheets["lead"]["lead"]["sing"]),
        "jitter_ms": rng.uniform(*timing["jitter"]),
    }
    for player in ("snare", "hat", "bass"):
        habits[f"{player}_ms"] = rng.normal(*timing["late"].get(player, (0, 1)))
    return {name: float(value) for name, value in habits.items()}


def _draw_parts(rng, instruments: dict, mix: dict) -> dict[str, Part]:
    programs = {
        role: int(rng.choice(list(chances), p=list(chances.values())))
        for role, chances in instruments.items()
    }
    room, tune = mix["room"][2] * rng.uniform(0.5, 1.5), float(rng.normal(0, 8))
    parts = {}
    for name in ("drums", "bass", "chords", "second", "lead"):
        program = programs["kit" if name == "drums" else name]
        drive = 0.6 if name == "drums" else 0.0
        if program in (OVERDRIVEN, DISTORTED) and name != "drums":
            drive = rng.uniform(2, 5)
        elif name == "bass" and "bass_drive" in mix:
            drive = rng.uniform(*mix["bass_drive"])
        voice = name == "lead" and program in VOICES
        parts[name] = Part(
            stem={"drums": "drums", "bass": "bass"}.get(name, "vocals" if voice else "other"),
            bank=128 if name == "drums" else 0,
            program=program,
            gain=float(rng.normal(0, 1.5)),
            pan=0.0,
            room=float(room * {"bass": 0.0, "second": 1.3, "lead": 1.6}.get(name, 1.0)),
            cents=float(rng.normal(0, 60)) if name == "drums" else tune,
            vibrato=(rng.uniform(15, 35), rng.uniform(4.8, 6.2), 0.25) if voice else NO_VIBRATO,
            scoop=float(rng.uniform(30, 120)) if voice else 0.0,
            release=0.8 if name in ("chords", "second") else 0.3,
            drive=float(drive),
        )
    return parts


def _draw_mix(rng, mix: dict) -> dict[str, float]:
    low, high = np.log(mix["highs"])
    return {
        "loudness": float(mix["loudness"][0] + mix["loudness"][1] * rng.standard_normal()),
        "highs": float(np.exp(rng.uniform(low, high))),
        "pump": float(rng.uniform(*mix.get("pump", (0, 0)))),
        "echo": float(rng.uniform(*mix.get("echo", (0, 0)))),
        "second": mix["second"],
    } | {stem: float(level + rng.normal(0, 1.2)) for stem, level in mix["balance"].items()}
