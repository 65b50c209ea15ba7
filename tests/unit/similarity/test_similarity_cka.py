"""Centred kernel alignment compared with published formulas."""

from itertools import permutations

import numpy as np
import pytest
from expect import raises
from scipy.stats import ortho_group

from groove_utils.similarity import (
    compare_embeddings,
    extreme_pairs,
    layer_similarity,
    linear_cka,
)
from groove_utils.stats import StatsError

RNG = np.random.default_rng(5)


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
    pairs = [(RNG.normal(size=(30, 1000)), RNG.normal(size=(30, 1000))) for _ in range(20)]
    assert np.mean([linear_cka(x, y, debiased=False) for x, y in pairs]) > 0.9
    assert abs(np.mean([linear_cka(x, y) for x, y in pairs])) < 0.02


def test_debiased_cka_against_sums_over_distinct_songs():
    # the U-statistic by its definition, over all quadruples of distinct songs
    x, y = RNG.normal(size=(6, 3)), RNG.normal(size=(6, 2))
    y[:, 0] += x[:, 0]

    def hsic(k, m):
        terms = [
            k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q]) for i, j, q, r in permutations(range(6), 4)
        ]
        return np.mean(terms)

    k, m = (v @ v.T for v in (x - x.mean(0), y - y.mean(0)))
    expected = hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))
    assert linear_cka(x, y) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("first", "second"), [((5, 3), (6, 3)), ((3, 3), (3, 3)), ((5,), (5, 3))])
def test_cka_refuses_sets_that_cannot_be_compared(first, second):
    with raises(StatsError, "shape", value=(first, second)):
        linear_cka(np.ones(first), np.ones(second))


def test_cka_of_identical_songs_is_not_a_number():
    assert np.isnan(linear_cka(np.ones((6, 3)), RNG.normal(size=(6, 3))))


def test_pairs_of_models_and_their_extremes():
    x = RNG.normal(size=(20, 5))
    table = compare_embeddings({"a": x, "b": 2 * x, "c": RNG.normal(size=(20, 5))}, seed=1)
    assert list(zip(table["first"], table["second"])) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert table["cka"].iloc[0] == pytest.approx(1)
    assert (table["p_holm"] >= table["p"]).all()
    most, least = extreme_pairs(table)
    assert (most["second"], least["second"]) == ("b", "c")
    alone = compare_embeddings({"a": x})
    assert alone.empty
    assert "p_holm" in alone
    assert [pair["first"] for pair in extreme_pairs(alone)] == ["–", "–"]


def test_layers_are_compared_pairwise():
    layers = {"one": RNG.normal(size=(10, 3)), "two": RNG.normal(size=(10, 3))}
    table = layer_similarity(layers)
    assert table.loc["one", "two"] == table.loc["two", "one"] == linear_cka(*layers.values())
    assert (np.diag(table) == 1).all()


def test_a_model_without_distances_is_named():
    vectors = {"good": np.random.default_rng(0).normal(size=(6, 4)), "constant": np.ones((6, 3))}
    with raises(StatsError, "no_distances", column="constant"):
        compare_embeddings(vectors)
