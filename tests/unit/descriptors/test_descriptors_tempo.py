"""Tempo of simulated drum patterns from 60 to 200 BPM, compared with librosa's estimate."""

from dataclasses import replace

import librosa
import numpy as np
import pandas as pd
import pytest
from descriptor_signals import curve_of

from groove_utils.descriptors import estimate_tempo
from groove_utils.synth.arrangement import play_drums
from groove_utils.synth.composition import compose
from groove_utils.synth.patterns import draw_drums
from groove_utils.synth.rendering import render
from groove_utils.synth.score import Clock
from groove_utils.synth.soundfont import SAMPLE_RATE


def drum_solo(tempo, band):
    """Render twelve seconds of random drums of a style at a given tempo."""
    rng = np.random.default_rng([tempo, band, 0])
    model, n_bars = compose(77, band, 0), max(3, round(12 * tempo / 240))
    style, keeper = model.band.style, model.band.timekeeper
    drums = draw_drums(rng, style, n_bars, rng.uniform(0.2, 0.7), rng.uniform(0.3, 0.8), keeper)
    clock = Clock(rng, n_bars, tempo, model.swing_ratio, model.offsets, model.jitter_ms)
    notes = sorted(play_drums(rng, drums, clock), key=lambda note: note.time)
    solo = replace(model, tempo=float(tempo), n_bars=n_bars, drums=drums, notes=notes)
    return (render(solo)["mix"].mean(0) / 32768).astype(np.float32)


def level(estimate, tempo):
    """Return the metrical level that an estimate matches within 4%."""
    levels = {"right": 1, "half": 0.5, "double": 2}
    return next((k for k, f in levels.items() if abs(estimate / tempo / f - 1) <= 0.04), "wrong")


@pytest.mark.weekly
def test_errors_are_octaves_outside_of_80_to_150_bpm():
    rows = []
    for tempo in range(60, 201, 10):
        for band in range(6):
            y = drum_solo(tempo, band)
            low = librosa.resample(y, orig_sr=SAMPLE_RATE, target_sr=22050)
            theirs = librosa.feature.tempo(y=low, sr=22050)[0]
            ours = estimate_tempo(*curve_of(y, SAMPLE_RATE))
            rows.append([tempo, level(ours, tempo), level(theirs, tempo)])
    table = pd.DataFrame(rows, columns=["tempo", "ours", "librosa"])
    assert (table[table["tempo"] < 80]["ours"] == "double").all()
    assert (table[table["tempo"].between(80, 150)]["ours"] == "right").all()
    assert table[table["tempo"] > 150]["ours"].isin(["right", "half"]).all()
    assert (table["ours"] == "right").sum() > (table["librosa"] == "right").sum()
    assert (table["librosa"] == "wrong").any()
