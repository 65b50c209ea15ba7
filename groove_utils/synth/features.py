"""What is true of a demo song: features counted from its score, and levels of its sound.

The columns of ``truth/songs.csv``; appendix «The demo study and its truth». They describe the
score that was played, not what the generator aimed at.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from groove_utils.audio import measure_loudness
from groove_utils.rhythm.syncopation import lhl_syncopation, witek_syncopation
from groove_utils.synth.arrange import LEAD_IN, Song
from groove_utils.synth.patterns import STEPS
from groove_utils.synth.soundfont import SAMPLE_RATE

__all__ = ["LOW_BAND_HZ", "grid_times", "level_features", "score_features"]

LOW_BAND_HZ = 150.0
CYMBALS = ("hat", "open_hat", "ride", "crash")


def grid_times(song: Song) -> np.ndarray:
    """Seconds of each sixteenth of a song as a metronome with its swing would play them.

    Returns
    -------
    ndarray of float64, shape (n_bars, 16)
    """
    sixteenth = 15 / song.tempo
    late = 2 * song.swing_ratio / (1 + song.swing_ratio)
    bar = np.repeat(2.0 * np.arange(STEPS // 2), 2) + np.tile([0.0, late], STEPS // 2)
    return LEAD_IN + sixteenth * (STEPS * np.arange(song.n_bars)[:, None] + bar)


def score_features(song: Song) -> dict[str, float]:
    """Count a song's rhythmic features from its score.

    Parameters
    ----------
    song : Song

    Returns
    -------
    dict of str to float
        ``tempo`` in BPM; ``swing_ratio`` (first sixteenth to second, 1 is straight);
        ``syncopation`` (Witek et al. 2014, drums, per bar); ``syncopation_lhl`` (kick and snare
        as one stream, per bar); ``event_density`` (distinct moments in s⁻¹ at which any
        instrument starts a note); ``drum_density`` (drum strokes in s⁻¹); ``microtiming_ms`` (mean
        distance of drum and bass notes from the swung grid); ``bass_drum_coupling`` (F1 of the
        grid places of bass and kick, 0–1); ``backbeat`` (share of the second and fourth beats with
        a loud snare or clap); ``n_bars``.
    """
    drums, seconds = song.drums, song.n_bars * 240 / song.tempo
    streams = {
        "bass": drums["kick"] > 0,
        "snare": np.maximum.reduce([drums[k] for k in ("snare", "clap")]) >= 70,
        "hat": np.any([drums[k] > 0 for k in CYMBALS], axis=0),
    }
    grid = grid_times(song)
    timed = [n for n in song.notes if n.stem in ("drums", "bass")]
    deviations = [abs(n.time - grid[n.bar, int(n.step)]) for n in timed]
    places = {(n.bar, n.step) for n in song.notes}
    both = (song.bass & streams["bass"]).sum()
    snare = streams["snare"]
    return {
        "tempo": song.tempo,
        "swing_ratio": song.swing_ratio,
        "syncopation": witek_syncopation(*streams.values()) / song.n_bars,
        "syncopation_lhl": lhl_syncopation(streams["bass"] | snare) / song.n_bars,
        "event_density": len(places) / seconds,
        "drum_density": sum(n.stem == "drums" for n in song.notes) / seconds,
        "microtiming_ms": 1000 * float(np.mean(deviations)),
        "bass_drum_coupling": 2 * both / max(1, song.bass.sum() + streams["bass"].sum()),
        "backbeat": float(snare[:, [4, 12]].mean()),
        "n_bars": song.n_bars,
    }


def level_features(stems: dict[str, np.ndarray]) -> dict[str, float]:
    """Measure levels of a rendered song.

    Parameters
    ----------
    stems : dict of str to ndarray of int16, shape (2, n_samples)
        As :func:`groove_utils.synth.render.render` gives them.

    Returns
    -------
    dict of str to float
        ``loudness_lufs``; ``low_frequency_db`` (energy of the mix under 150 Hz relative to all of
        it, in dB); ``peak`` (0–1).
    """
    mix = stems["mix"] / 32768
    low = sosfilt(butter(4, LOW_BAND_HZ, fs=SAMPLE_RATE, output="sos"), mix.mean(axis=0))
    total = float((mix.mean(axis=0) ** 2).sum())
    return {
        "loudness_lufs": measure_loudness(mix, SAMPLE_RATE),
        "low_frequency_db": 10 * float(np.log10(max((low**2).sum() / max(total, 1e-12), 1e-12))),
        "peak": float(np.abs(mix).max()),
    }
