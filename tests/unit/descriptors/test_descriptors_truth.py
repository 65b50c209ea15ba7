"""Compare descriptors measured from audio with the scores of the demo study."""

import numpy as np
import pytest

from groove_utils.cache import ArrayCache
from groove_utils.descriptors import describe_stems, describe_study
from groove_utils.study import load_study
from groove_utils.synth import make_demo

pytestmark = pytest.mark.weekly


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    make_demo(folder, seed=11, n_bands=18, songs_per_band=2, progress=False)
    study = load_study(folder)
    rows = describe_study(study, cache=ArrayCache(folder / "cache", "descriptors"))
    return study, rows, study.truth("songs").set_index("track_id").loc[rows.index]


@pytest.mark.parametrize(
    ("descriptor", "truth", "least"),
    [
        ("syncopation", "syncopation", 0.7),
        ("syncopation_lhl", "syncopation_lhl", 0.7),
        ("event_density", "event_density", 0.85),  # 0.9 over the 96 songs of the whole study
        ("microtiming_spread", "microtiming_ms", 0.5),
        ("swing_ratio", "swing_ratio", 0.6),
        ("low_energy", "low_frequency_db", 0.9),
    ],
)
def test_correlation_with_the_score(measured, descriptor, truth, least):
    _, rows, score = measured
    known = rows[descriptor].notna()
    assert known.mean() > 0.7
    assert np.corrcoef(rows.loc[known, descriptor], score.loc[known, truth])[0, 1] >= least


def test_tempo_is_right_in_nine_of_ten_songs(measured):
    _, rows, score = measured
    assert ((rows["tempo"] / score["tempo"] - 1).abs() < 0.04).mean() >= 0.9


def test_bass_and_bass_drum_on_the_true_stems(measured):
    study, rows, score = measured
    values = []
    for track_id in rows.index:
        stems = {name: study.load_stem(track_id, name)[0] for name in ("drums", "bass")}
        values.append(describe_stems(stems, 44100)["bass_drum_coincidence"])
    assert np.corrcoef(values, score["bass_drum_coupling"])[0, 1] > 0.6
