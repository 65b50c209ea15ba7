import numpy as np
import pandas as pd
import pytest

from groove_utils.rhythm import compare_trackers, score_beats

TRUE = np.arange(0, 12, 0.5)


@pytest.mark.parametrize(
    ("beats", "f", "tempo"),
    [
        (TRUE, 1, "right"),
        (TRUE + 0.06, 1, "right"),
        (TRUE + 0.08, 0, "right"),
        (TRUE[::2], 2 / 3, "octave"),
        (np.arange(0, 12, 0.25), 2 / 3, "octave"),
        (TRUE * 1.03, None, "right"),
        (TRUE * 1.05, None, "wrong"),
        (np.arange(0, 12, 0.75), None, "wrong"),
        ([0.0], 2 / 25, "wrong"),
        ([], 0, "wrong"),
    ],
)
def test_beats_and_tempo_are_scored_by_hand(beats, f, tempo):
    found = score_beats(beats, TRUE)
    if f is not None:
        assert found["f"] == pytest.approx(f)
    assert {key for key in ("right", "octave", "wrong") if found[key]} == {tempo}
    assert found["right"] + found["octave"] + found["wrong"] == 1


def table(n_artists=12, gain=0.0, seed=0):
    """Draw scores of two trackers for two songs per artist; the second is better by `gain`."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(2 * n_artists):
        score = rng.normal(0.8, 0.1)
        for tracker, f in (("a", score), ("b", score + gain + rng.normal(0, 0.05))):
            row = {"tracker": tracker, "song": f"s{i}", "artist": f"a{i // 2}", "f": f}
            rows.append(row | {"right": float(i % 2), "octave": 1 - float(i % 2), "wrong": 0.0})
    return pd.DataFrame(rows)


def test_means_are_over_songs_and_gains_are_paired():
    accuracy = table(gain=0.1)
    found = compare_trackers(accuracy)
    mean = accuracy.groupby("tracker")["f"].mean()
    np.testing.assert_allclose(found["f"], mean[found.index])
    assert found.loc["a", ["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    better = found.loc["b"]
    assert better["gain"] == pytest.approx(mean["b"] - mean["a"])
    assert 0 < better["gain_low"] < 0.1 < better["gain_high"]
    # the difference has a narrower interval, since songs differ more than trackers
    assert better["gain_high"] - better["gain_low"] < better["high"] - better["low"]
    assert found["right"].tolist() == [0.5, 0.5]


def test_intervals_cover_an_equal_mean():
    covered = [
        row["gain_low"] < 0 < row["gain_high"]
        for row in (compare_trackers(table(20, seed=s), n_boot=500).loc["b"] for s in range(60))
    ]
    assert np.mean(covered) >= 0.88


def test_two_artists_are_too_few_for_an_interval():
    found = compare_trackers(table(2))
    assert found[["low", "high", "gain_low", "gain_high"]].isna().all(axis=None)
    assert found[["f", "gain"]].notna().all(axis=None)
