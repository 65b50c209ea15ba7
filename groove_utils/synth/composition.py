"""Composition of the demo study's songs: drums, bass, chords and lead."""

from __future__ import annotations

import numpy as np

from groove_utils.synth.arrangement import (
    draw_progression,
    play_bass,
    play_chords,
    play_drums,
    play_lead,
)
from groove_utils.synth.bands import AIMS, STYLES, draw_band
from groove_utils.synth.patterns import draw_drums
from groove_utils.synth.score import Clock, Song

__all__ = ["compose"]

TARGET_SECONDS = 12.0
TEMPO_RANGE = (84.0, 164.0)  # BPM


def compose(seed: int, band_index: int, song_index: int) -> Song:
    """Compose one song of the demo study.

    Parameters
    ----------
    seed : int
        Seed of the study.
    band_index, song_index : int
        Index of the band, and index of the song within the band (0, 1, …).

    Returns
    -------
    Song
        Song in 4/4 that lasts about 12 s, and has at least four bars.

    Examples
    --------
    >>> song = compose(2026, 0, 0)
    >>> song.track_id, song.tempo, song.n_bars
    ('funk-01-1', 102.8, 5)
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
    # in some songs, the band's timing is loose: offsets and jitter are exaggerated
    loose = rng.random() < band.habits["looseness"]
    stretch = float(rng.uniform(2.5, 5.5)) if loose else 1.0
    offsets = {"kick": 0.0}
    for player, spread in (("snare", 1.5), ("hat", 1.0), ("bass", 2.0)):
        offset = band.habits[f"{player}_ms"] + float(rng.normal(0, spread))
        offsets[player] = stretch * offset
    jitter = band.habits["jitter_ms"] * (1 + 0.8 * (stretch - 1))
    key = int(rng.choice([4, 9, 2, 7, 0, 5, 10], p=[0.25, 0.2, 0.15, 0.15, 0.1, 0.1, 0.05]))

    drums = draw_drums(rng, band.style, n_bars, syncopation, density, band.timekeeper)
    clock = Clock(rng, n_bars, tempo, swing, offsets, jitter)
    notes = play_drums(rng, drums, clock)
    chords = draw_progression(rng, band.style, n_bars)
    line, bass = play_bass(rng, band.style, drums["kick"], chords, key, density, coupling, clock)
    notes += line
    notes += play_chords(rng, band, chords, key, density, clock)
    notes += play_lead(rng, band, chords, key, clock)
    return Song(
        track_id=f"{band.style}-{band_index // len(STYLES) + 1:02d}-{song_index + 1}",
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
        bass=bass,
        notes=sorted(notes, key=lambda note: (note.time, note.part, note.pitch)),
    )
