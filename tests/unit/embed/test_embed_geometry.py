"""Maps, separation and similarity of embeddings, against formulas and known geometries."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform
from scipy.stats import ortho_group, spearmanr
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors

from groove_utils.similarity.geometry import (
    _silhouette,
    nearest_songs,
    neighbour_rate,
    song_map,
    style_separation,
)
from groove_utils.similarity.model_similarity import (
    compare_geometries,
    extreme_pairs,
    linear_cka,
    mantel_test,
)

RNG = np.random.default_rng(5)


def clusters(n_artists=12, songs=4, styles=3, spread=4.0, dim=20):
    artist = np.repeat(np.arange(n_artists), songs)
    style = artist % styles
    centres = RNG.normal(size=(styles, dim)) * spread
    vectors = centres[style] + RNG.normal(size=(len(artist), dim))
    return vectors, style.astype(str), artist.astype(str)


def test_cka_is_one_up_to_rotation_scale_and_shift():
    x = RNG.normal(size=(40, 8))
    turned = 3.0 * x @ ortho_group.rvs(8, random_state=1) + 7.0
    assert linear_cka(x, turned) == pytest.approx(1.0, abs=1e-12)
    assert linear_cka(x, turned, debiased=False) == pytest.approx(1.0, abs=1e-12)


def test_plain_cka_is_the_published_formula():
    x, y = RNG.normal(size=(30, 5)), RNG.normal(size=(30, 7))
    x, y = x - x.mean(0), y - y.mean(0)
    norm = np.linalg.norm
    formula = norm(y.T @ x) ** 2 / (norm(x.T @ x) * norm(y.T @ y))
    assert linear_cka(x, y, debiased=False) == pytest.approx(formula, rel=1e-10)


def test_debiased_cka_is_about_zero_for_unrelated_wide_vectors_where_the_plain_one_is_not():
    pairs = [(RNG.normal(size=(30, 2000)), RNG.normal(size=(30, 2000))) for _ in range(20)]
    assert np.mean([linear_cka(x, y, debiased=False) for x, y in pairs]) > 0.9
    assert abs(np.mean([linear_cka(x, y) for x, y in pairs])) < 0.02


def test_unbiased_criterion_against_sums_over_distinct_songs():
    # the U-statistic by its definition, over all quadruples of distinct songs
    from itertools import permutations

    from groove_utils.similarity.model_similarity import _unbiased_hsic

    x, y = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
    k, m = x @ x.T, y @ y.T
    terms = [
        k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(6), 4)
    ]
    assert _unbiased_hsic(k, m) == pytest.approx(np.mean(terms), rel=1e-10)


@pytest.mark.parametrize(("first", "second"), [((5, 3), (6, 3)), ((3, 3), (3, 3)), ((5,), (5, 3))])
def test_cka_refuses_sets_that_cannot_be_compared(first, second):
    with pytest.raises(ValueError, match="expected"):
        linear_cka(np.ones(first), np.ones(second))


def test_cka_of_identical_songs_is_not_a_number():
    assert np.isnan(linear_cka(np.ones((6, 3)), RNG.normal(size=(6, 3))))


def test_mantel_rho_is_spearmans_and_the_test_tells_related_from_unrelated():
    from scipy.spatial.distance import pdist

    x = RNG.normal(size=(25, 6))
    y = x + 0.3 * RNG.normal(size=x.shape)
    found = mantel_test(x, y, n_permutations=200)
    rho = spearmanr(pdist(x, "correlation"), pdist(y, "correlation")).statistic
    assert found["rho"] == pytest.approx(rho, rel=1e-10)
    assert found["p"] == pytest.approx(1 / 201)


def test_what_has_no_distances_has_no_p_value():
    x = RNG.normal(size=(12, 4))
    for spoil in (0.0, np.nan):
        y = x.copy()
        y[3] = spoil
        with pytest.raises(ValueError, match="constant or not finite"):
            mantel_test(x, y)
    alone = compare_geometries({"a": x})
    assert alone.empty
    assert "p_holm" in alone
    assert [pair["first"] for pair in extreme_pairs(alone)] == ["–", "–"]


def test_mantel_keeps_its_level_under_the_null():
    p = [
        mantel_test(RNG.normal(size=(12, 4)), RNG.normal(size=(12, 4)), n_permutations=99, seed=k)[
            "p"
        ]
        for k in range(200)
    ]
    assert 0.02 <= np.mean(np.array(p) <= 0.05) <= 0.095


def test_pairs_of_models_with_holm():
    x = RNG.normal(size=(20, 5))
    table = compare_geometries({"a": x, "b": 2 * x, "c": RNG.normal(size=(20, 5))}, seed=1)
    assert list(zip(table["first"], table["second"])) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table["cka"].iloc[0] == pytest.approx(1)
    assert (table["p_holm"] >= table["p"]).all()


def test_separation_is_sklearns_silhouette_and_is_found():
    vectors, style, artist = clusters()
    found = style_separation(vectors, style, artist, n_permutations=99)
    assert found["silhouette"] == pytest.approx(
        silhouette_score(vectors, style, metric="correlation")
    )
    assert found["p"] == 0.01
    assert found["n_artists"] == 12


def test_bands_without_styles_are_not_mistaken_for_styles():
    # songs cluster by artist; styles are dealt to artists at random: a test that exchanged songs
    # instead of artists would nearly always find «styles»
    p = []
    for k in range(60):
        rng = np.random.default_rng(k)
        artist = np.repeat(np.arange(12), 4)
        vectors = rng.normal(size=(12, 10))[artist] * 3 + rng.normal(size=(48, 10))
        style = rng.permutation(np.arange(12) % 3)[artist]
        p.append(style_separation(vectors, style, artist, n_permutations=59, seed=k)["p"])
    assert np.mean(np.array(p) <= 0.05) <= 0.15


def test_separation_says_what_it_cannot_use():
    vectors, style, artist = clusters()
    with pytest.raises(ValueError, match="one style"):
        style_separation(vectors, np.full(len(style), "funk"), artist)


def test_an_artist_of_several_styles_counts_once_for_each():
    vectors, style, artist = clusters()
    mixed = np.where(np.arange(len(style)) % 5 == 0, "everybody", artist.astype(str))
    found = style_separation(vectors, style, mixed, n_permutations=19)
    told = [f"{one} {other}" for one, other in zip(mixed, style)]
    expected = style_separation(vectors, style, told, n_permutations=19)
    assert found.drop("n_artists").equals(expected.drop("n_artists"))
    assert found["n_artists"] == len(set(mixed)) < expected["n_artists"]


def test_nearest_songs_are_those_of_scikit_learn():
    vectors = RNG.normal(size=(30, 8))
    finder = NearestNeighbors(metric="correlation").fit(vectors)
    expected = finder.kneighbors(n_neighbors=29, return_distance=False)  # of others, not itself
    np.testing.assert_array_equal(nearest_songs(vectors), expected)


def test_songs_in_one_place_are_neighbours_of_each_other_and_not_of_themselves():
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


def test_neighbour_rates_are_uncertain_by_the_artists():
    """Songs of an artist share their fate here, so the interval must be that of 20 trials."""
    rng = np.random.default_rng(3)
    covered = 0
    for seed in range(200):
        lucky = rng.random(20) < 0.6  # artists whose three songs lie together
        near = np.repeat(np.where(lucky, 0.01, 5.0), 3)[:, None] * rng.normal(size=(60, 8))
        vectors = near + np.repeat(rng.normal(size=(20, 8)) * np.where(lucky, 5, 0)[:, None], 3, 0)
        artists = np.repeat(np.arange(20), 3)
        rate = neighbour_rate(vectors, artists, artists, n_bootstrap=400, seed=seed)
        covered += rate["low"] <= 0.6 + 0.4 * rate["chance"] <= rate["high"]
    assert 0.85 <= covered / 200 <= 0.99


def test_map_keeps_the_main_axis_and_takes_constant_units():
    line = np.linspace(-1, 1, 30)
    vectors = np.column_stack([line, 2 * line, -line, np.ones(30)])
    x = song_map(vectors)[:, 0]
    assert abs(np.corrcoef(x, line)[0, 1]) == pytest.approx(1)
    with pytest.raises(ValueError, match="expected method"):
        song_map(vectors, "tsne")


def test_umap_is_the_same_for_the_same_seed():
    vectors, _, _ = clusters(n_artists=6)
    first, again = (song_map(vectors, "umap", seed=3) for _ in range(2))
    assert first.shape == (24, 2)
    np.testing.assert_array_equal(first, again)


def test_silhouettes_of_permuted_labels_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    distances = squareform(pdist(rng.standard_normal((30, 4)), "correlation"))
    for labels in (rng.choice(["a", "b", "c"], 30), np.array(["alone"] + ["a"] * 14 + ["b"] * 15)):
        expected = silhouette_score(distances, labels, metric="precomputed")
        assert _silhouette(distances, labels) == pytest.approx(expected, abs=1e-12)
    assert _silhouette(np.zeros((4, 4)), np.array(list("aabb"))) == 0


def test_umap_is_that_of_its_own_neighbours():
    import umap

    vectors = np.random.default_rng(0).standard_normal((40, 12)).astype(np.float32)
    plain = umap.UMAP(n_neighbors=5, min_dist=0.3, metric="correlation", random_state=3, n_jobs=1)
    np.testing.assert_allclose(
        song_map(vectors, "umap", 3), plain.fit_transform(vectors), atol=1e-5
    )
