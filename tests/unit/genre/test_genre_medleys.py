import mir_eval
import numpy as np
import pandas as pd
import pytest
import torch
from expect import raises
from hypothesis import given, settings
from hypothesis import strategies as st

from groove_utils.cache import ArrayCache
from groove_utils.errors import DetailedError
from groove_utils.genre import TrainedNetwork
from groove_utils.genre.medleys import (
    boundary_scores,
    draw_programmes,
    find_changes,
    follow_signal,
    join_signals,
)

moments = st.lists(st.integers(1, 400), unique=True, max_size=8)


@settings(deadline=None, max_examples=40)
@given(moments, moments, st.sampled_from([0.15, 1.05, 4.95]))
def test_boundaries_are_matched_as_mir_eval_does(found, true, tolerance):
    found, true = (np.sort(np.array(x) / 10) for x in (found, true))
    scores = boundary_scores(found, true, tolerance)
    expected = mir_eval.onset.f_measure(true, found, window=tolerance)
    ours = [scores["F"], scores["precision"], scores["recall"]]
    assert ours == pytest.approx([float(x) for x in expected], abs=1e-12)


def test_planted_changes_are_found_in_noisy_probabilities():
    rng = np.random.default_rng(0)
    classes = np.repeat([2, 0, 5, 1], [14, 20, 11, 15])
    p = rng.dirichlet(np.ones(6) + 6 * np.eye(6)[0], size=60)[:, ::-1]
    p = 0.4 * p + 0.6 * np.eye(6)[classes]
    found = find_changes(p, 0.5 * np.arange(60), 3)
    np.testing.assert_allclose(found, 0.5 * np.cumsum([14, 20, 11]) - 0.25)


class Loudness(torch.nn.Module):
    """Classifier with two classes; the louder the clip, the more probable the second class."""

    def forward(self, x):
        level = x.mean(dim=(1, 2)) + 60
        return torch.stack([-level, level], dim=1)


def test_a_change_of_loudness_is_followed_and_kept(tmp_path, monkeypatch):
    sr = 16000
    noise = np.random.default_rng(0).normal(size=30 * sr).astype(np.float32)
    y = noise * np.where(np.arange(len(noise)) < 12 * sr, 1e-4, 1.0).astype(np.float32)
    cache = ArrayCache(tmp_path)
    trained = TrainedNetwork(Loudness(), cache=cache)
    p, times, changes = follow_signal(trained, y, 1)
    assert len(p) == len(times) == 1 + 2 * (30 - 3)
    assert (times[0], times[1]) == (1.5, 2.0)
    assert changes == pytest.approx([12.0], abs=1.5)
    monkeypatch.setattr("groove_utils.genre.medleys.clip_mels", None)
    for again, before in zip(follow_signal(trained, y, 1), (p, times, changes), strict=True):
        np.testing.assert_array_equal(again, before)
    assert len(cache) == 1


def test_joined_signals_keep_level_and_times():
    y, changes = join_signals([np.ones(1000)] * 3, 1000, 0.05)
    np.testing.assert_allclose(y, 1, atol=1e-6)
    np.testing.assert_allclose(changes, [0.975, 1.925])
    y, _ = join_signals([np.arange(5.0), np.arange(3.0)], 1, 0)
    assert y.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_no_band_plays_in_two_medleys(seed):
    rows = [(f"{style}{band}", style) for style in "abcdefgh" for band in range(6)]
    songs = pd.DataFrame(rows * 2, columns=["artist", "style"], index=range(7, 103))
    programmes = draw_programmes(songs, 5, seed)
    assert len(programmes) == 9  # 45 of 48 bands
    played = pd.concat(programmes)
    assert played["artist"].is_unique
    assert all(programme["style"].nunique() == 5 for programme in programmes)
    assert played.index.isin(songs.index).all()
    assert len(set(played.index > 54)) == 2  # either song of a band
    other = pd.concat(draw_programmes(songs, 5, seed + 1))
    assert list(other.index) != list(played.index)
    assert list(pd.concat(draw_programmes(songs, 5, seed)).index) == list(played.index)


def test_styles_without_enough_bands_give_no_medley():
    songs = pd.DataFrame({"artist": list("abc"), "style": list("xxy")})
    assert draw_programmes(songs, 3) == []
    assert len(draw_programmes(songs, 2)) == 1


def test_unusable_medleys():
    with raises(DetailedError, "too_short"):
        join_signals([np.ones(10), np.ones(3)], 10, 0.2)
    with raises(DetailedError, "too_short"):
        join_signals([], 10)
    with raises(DetailedError, "out_of_range", value=3):
        find_changes(np.eye(3), np.arange(3), 3)
