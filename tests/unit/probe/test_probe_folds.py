"""Folds of whole artists, balanced over styles."""

import numpy as np
from expect import raises
from sklearn.model_selection import StratifiedGroupKFold

from groove_utils.probe import ProbeError, artist_folds, check_folds


def _catalogue(seed, n=148, artists=95):
    rng = np.random.default_rng(seed)
    artist = rng.integers(0, artists, n)
    style_of = rng.choice(["funk", "pop", "rock"], size=artists, p=[0.5, 0.3, 0.2])
    return artist, style_of[artist]


def test_no_artist_crosses_a_fold_and_none_is_empty():
    artist, style = _catalogue(0)
    folds = artist_folds(artist, style, n_splits=4, n_repeats=6, seed=3)
    assert folds.shape == (6, 148)
    for fold in folds:
        assert set(fold) == {0, 1, 2, 3}
        for one in np.unique(artist):
            assert len(set(fold[artist == one])) == 1


def test_balance_is_at_least_that_of_scikit_learn():
    ours, theirs, sizes = [], [], []
    for seed in range(10):
        artist, style = _catalogue(seed)
        share = np.array([(style == s).sum() / 4 for s in np.unique(style)])

        def departure(fold, style=style, share=share):
            counts = [
                [((fold == f) & (style == s)).sum() for s in np.unique(style)] for f in range(4)
            ]
            return ((np.array(counts) - share) ** 2).sum()

        fold = artist_folds(artist, style, seed=seed)[0]
        other = np.empty(148, int)
        split = StratifiedGroupKFold(4, shuffle=True, random_state=seed)
        for f, (_, test) in enumerate(split.split(style, style, artist)):
            other[test] = f
        ours.append(departure(fold))
        theirs.append(departure(other))
        sizes.append(np.ptp(np.bincount(fold)))
    assert np.mean(ours) <= np.mean(theirs)
    assert max(sizes) <= 2


def test_repeats_differ_and_the_seed_decides():
    artist, style = _catalogue(1)
    folds = artist_folds(artist, style, n_repeats=2, seed=5)
    assert (folds[0] != folds[1]).any()
    assert np.array_equal(folds, artist_folds(artist, style, n_repeats=2, seed=5))
    assert (folds != artist_folds(artist, style, n_repeats=2, seed=6)).any()


def test_one_giant_artist_still_leaves_no_fold_empty():
    artist = np.array(["giant"] * 50 + ["a", "b", "c"])
    fold = artist_folds(artist, n_splits=4)[0]
    assert sorted(np.bincount(fold)) == [1, 1, 1, 50]


def test_too_few_artists_or_folds():
    for n_splits in (4, 1):
        with raises(ProbeError, "n_splits", value=n_splits):
            artist_folds(["a", "b", "c", "a"], n_splits=n_splits)


def test_unusable_folds_are_described():
    artists = ["a", "b", "b", "c"]
    with raises(ProbeError, "divided_artist", row=1, value="b"):
        check_folds([[0, 1, 1, 0], [0, 1, 0, 1]], artists)
    with raises(ProbeError, "fold_numbers", row=0):
        check_folds([0, 2, 2, 0], artists)
    for unusable in ([0, 1], [0.0, 1.0, 1.0, 0.0]):
        with raises(ProbeError, "shape", column="folds"):
            check_folds(unusable, artists)
    check_folds([0, 1, 1, 0], artists)
