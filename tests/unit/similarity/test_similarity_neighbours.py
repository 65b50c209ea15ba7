"""Separation of styles and nearest neighbours compared with scikit-learn and known geometries."""

import numpy as np
import pytest
from expect import raises
from scipy import stats
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from groove_utils.similarity import (
    mean_silhouette,
    nearest_songs,
    neighbour_difference,
    neighbour_rate,
    style_separation,
)
from groove_utils.stats import StatsError

RNG = np.random.default_rng(5)


def clusters(n_artists=12, songs=4, styles=3, spread=4.0, dim=20):
    artist = np.repeat(np.arange(n_artists), songs)
    style = artist % styles
    centres = RNG.normal(size=(styles, dim)) * spread
    vectors = centres[style] + RNG.normal(size=(len(artist), dim))
    return vectors, style.astype(str), artist.astype(str)


def test_silhouettes_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    distances = squareform(pdist(rng.standard_normal((30, 4)), "correlation"))
    for labels in (rng.choice(["a", "b", "c"], 30), np.array(["alone"] + ["a"] * 14 + ["b"] * 15)):
        expected = silhouette_score(distances, labels, metric="precomputed")
        assert mean_silhouette(distances, labels) == pytest.approx(expected, abs=1e-12)
    assert mean_silhouette(np.zeros((4, 4)), np.array(list("aabb"))) == 0


def test_separation_is_found():
    vectors, style, artist = clusters()
    found = style_separation(vectors, style, artist, n_permutations=99)
    expected = silhouette_score(vectors, style, metric="correlation")
    assert found["silhouette"] == pytest.approx(expected)
    assert found["p"] == 0.01
    assert found["n_artists"] == 12
    with raises(StatsError, "one_style", column="styles"):
        style_separation(vectors, np.full(len(style), "funk"), artist)


def test_artists_without_styles_are_not_mistaken_for_styles():
    # songs cluster by artist; styles are assigned to artists at random: a test that exchanged
    # songs instead of artists would nearly always find styles
    p = []
    for k in range(40):
        rng = np.random.default_rng(k)
        artist = np.repeat(np.arange(12), 4)
        vectors = rng.normal(size=(12, 10))[artist] * 3 + rng.normal(size=(48, 10))
        style = rng.permutation(np.arange(12) % 3)[artist]
        p.append(style_separation(vectors, style, artist, n_permutations=39, seed=k)["p"])
    assert np.mean(np.array(p) <= 0.05) <= 0.15


def test_an_artist_of_several_styles_counts_once_for_each():
    vectors, style, artist = clusters()
    mixed = np.where(np.arange(len(style)) % 5 == 0, "everybody", artist.astype(str))
    found = style_separation(vectors, style, mixed, n_permutations=19)
    pairs = [f"{one} {other}" for one, other in zip(mixed, style)]
    expected = style_separation(vectors, style, pairs, n_permutations=19)
    assert found.drop("n_artists").equals(expected.drop("n_artists"))
    assert found["n_artists"] == len(set(mixed)) < expected["n_artists"]


def test_nearest_songs_are_those_of_scikit_learn():
    vectors = RNG.normal(size=(30, 8))
    finder = NearestNeighbors(metric="correlation").fit(vectors)
    expected = finder.kneighbors(n_neighbors=29, return_distance=False)  # without the song itself
    np.testing.assert_array_equal(nearest_songs(vectors), expected)


def test_identical_songs_are_neighbours_of_each_other_and_not_of_themselves():
    vectors = np.repeat(RNG.normal(size=(1, 4)), 3, axis=0)
    assert nearest_songs(vectors).tolist() == [[1, 2], [0, 2], [0, 1]]
    assert nearest_songs(vectors[:1]).shape == (1, 0)


def test_neighbours_by_hand():
    vectors = np.array([[1.0, 0, 0, 1], [1, 0.1, 0, 1], [0, 1, 1, 0], [0, 1, 1.1, 0]])
    rate = neighbour_rate(vectors, ["a", "a", "b", "b"], list("wxyz"))
    assert rate["rate"] == 1
    assert rate["chance"] == pytest.approx(1 / 3)
    assert (rate["low"], rate["high"]) == (1, 1)
    assert neighbour_rate(vectors, ["a", "b", "a", "b"], list("wxyz"))["rate"] == 0


def test_a_difference_between_embeddings_is_paired():
    vectors, _, artist = clusters()
    noise = RNG.normal(size=vectors.shape)
    bands = np.repeat(RNG.normal(size=(12, 20)) * 5, 4, axis=0) + vectors
    row = neighbour_difference(bands, noise, artist, artist, seed=1)
    rates = [neighbour_rate(x, artist, artist)["rate"] for x in (bands, noise)]
    assert row["estimate"] == pytest.approx(rates[0] - rates[1])
    assert 0 < row["low"] <= row["estimate"] <= row["high"]
    hits = [(nearest_songs(x)[:, 0] // 4 == np.arange(48) // 4) * 1.0 for x in (bands, noise)]
    of_artist = (hits[0] - hits[1]).reshape(12, 4).mean(axis=1)
    assert row["p"] == pytest.approx(stats.ttest_1samp(of_artist, 0).pvalue)
    same = neighbour_difference(bands, bands, artist, artist)
    assert (same[["estimate", "low", "high"]] == 0).all()
    assert same["p"] == 1


@pytest.mark.parametrize("runs", [40, pytest.param(200, marks=pytest.mark.weekly)])
def test_neighbour_rates_are_uncertain_by_the_artists(runs):
    """All songs of an artist have the same result here, so the interval is that of 20 trials."""
    rng = np.random.default_rng(3)
    covered = 0
    for seed in range(runs):
        lucky = rng.random(20) < 0.6  # artists whose three songs lie together
        near = np.repeat(np.where(lucky, 0.01, 5.0), 3)[:, None] * rng.normal(size=(60, 8))
        vectors = near + np.repeat(rng.normal(size=(20, 8)) * np.where(lucky, 5, 0)[:, None], 3, 0)
        artists = np.repeat(np.arange(20), 3)
        rate = neighbour_rate(vectors, artists, artists, n_boot=400, seed=seed)
        covered += rate["low"] <= 0.6 + 0.4 * rate["chance"] <= rate["high"]
    assert 0.85 <= covered / runs <= 1.0
