"""True features of a generated song: rhythm computed from its score, and levels from its audio.

In the demo study, these features are columns of ``truth/songs.csv`` (see the appendix "The demo
study and its known effects"). They describe the finished song, not the target values from which it
was generated.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import butter, sosfilt

from groove_utils.audio import measure_loudness
from groove_utils.rhythm.density import onset_density
from groove_utils.rhythm.grid import STEPS
from groove_utils.rhythm.syncopation import lhl_syncopation, witek_syncopation
from groove_utils.synth.score import Song
from groove_utils.synth.soundfont import SAMPLE_RATE

__all__ = ["level_features", "score_features"]

LOW_BAND_HZ = 150.0
CYMBALS = ("hat", "open_hat", "ride", "crash")


def score_features(song: Song) -> dict[str, float]:
    """Compute a song's rhythmic features from its score.

    Returns
    -------
    dict of str to float
        ``tempo`` in BPM; ``swing_ratio`` (duration of the first sixteenth of each eighth note
        divided by that of the second; 1 for a straight rhythm); ``syncopation`` (index of Witek et
        al. 2014 for the drums, per bar); ``syncopation_lhl`` (index of Longuet-Higgins & Lee 1984
        for kick and snare combined into one stream, per bar); ``event_density`` (number of grid
        positions per second at which at least one instrument starts a note); ``drum_density`` (drum
        strokes per second); ``microtiming_ms`` (mean absolute deviation of drum and bass notes from
        the swung grid); ``bass_drum_coupling`` (F1 score, 0–1, of how well the grid positions of
        bass notes and kick strokes agree); ``backbeat`` (proportion of second and fourth beats with
        a loud snare or clap); ``n_bars``.
    """
    drums, seconds, grid = song.drums, song.n_bars * 240 / song.tempo, song.grid
    kick = drums["kick"] > 0
    snare = np.maximum(drums["snare"], drums["clap"]) >= 70
    hat = np.any([drums[cymbal] > 0 for cymbal in CYMBALS], axis=0)
    late = [n.time - grid[n.bar, n.step] for n in song.notes if n.stem in ("drums", "bass")]
    return {
        "tempo": song.tempo,
        "swing_ratio": song.swing_ratio,
        "syncopation": witek_syncopation(kick, snare, hat) / song.n_bars,
        "syncopation_lhl": lhl_syncopation(kick | snare) / song.n_bars,
        "event_density": onset_density([STEPS * n.bar + n.step for n in song.notes], seconds),
        "drum_density": sum(n.stem == "drums" for n in song.notes) / seconds,
        "microtiming_ms": 1000 * float(np.abs(late).mean()),
        "bass_drum_coupling": 2 * (song.bass & kick).sum() / max(1, song.bass.sum() + kick.sum()),
        "backbeat": float(snare[:, [4, 12]].mean()),
        "n_bars": song.n_bars,
    }


def level_features(stems: dict[str, np.ndarray]) -> dict[str, float]:
    """Measure the loudness, low-frequency energy and peak of a rendered song.

    `stems` is the output of :func:`groove_utils.synth.rendering.render`; only the mix is used.

    Returns
    -------
    dict of str to float
        ``loudness_lufs``; ``low_frequency_db`` (energy of the mix below 150 Hz relative to its
        total energy, in dB); ``peak`` (0–1).
    """
    mix = stems["mix"] / 32768
    mono = mix.mean(axis=0)
    low = sosfilt(butter(4, LOW_BAND_HZ, fs=SAMPLE_RATE, output="sos"), mono)
    share = (low**2).sum() / max(float((mono**2).sum()), 1e-12)
    return {
        "loudness_lufs": measure_loudness(mix, SAMPLE_RATE),
        "low_frequency_db": 10 * float(np.log10(max(share, 1e-12))),
        "peak": float(np.abs(mix).max()),
    }
