"""Shapley values compared with their axioms, worked examples, and brute force over all orders."""

from itertools import combinations, permutations

import numpy as np
import pytest
from expect import raises

from groove_utils.stats import StatsError, shapley_values

STEMS = ("drums", "bass", "other", "vocals")


def subsets(players):
    return [s for k in range(len(players) + 1) for s in combinations(players, k)]


def random_game(players, shape=(), seed=0):
    rng = np.random.default_rng(seed)
    return {subset: rng.normal(size=shape) for subset in subsets(players)}


def by_all_orders(game, players):
    """Compute Shapley values by definition: mean contributions over all orders."""
    orders = list(permutations(players))
    found = dict.fromkeys(players, 0.0)
    for order in orders:
        for place, player in enumerate(order):
            before = tuple(p for p in players if p in order[:place])
            after = tuple(p for p in players if p in order[: place + 1])
            found[player] = found[player] + (game[after] - game[before]) / len(orders)
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6])
def test_equals_the_average_over_all_orders(n):
    players = tuple("abcdef"[:n])
    game = random_game(players, seed=n)
    found, expected = shapley_values(game), by_all_orders(game, players)
    for player in players:
        assert found[player] == pytest.approx(expected[player], abs=1e-12)


def test_values_add_up_to_the_whole_on_every_axis():
    game = random_game(STEMS, shape=(50, 7, 3), seed=1)
    found = shapley_values(game)
    total = sum(found.values())
    assert total.shape == (50, 7, 3)
    np.testing.assert_allclose(total, game[STEMS] - game[()], atol=1e-9, rtol=0)


def test_a_null_player_gets_nothing_and_like_players_get_alike():
    rng = np.random.default_rng(2)
    base = {s: rng.normal() for s in subsets(("bass", "other"))}
    game = {}
    for subset in subsets(STEMS):
        # vocals have no effect; drums and bass can replace each other
        rest = set(subset) - {"vocals"}
        twins = len(rest & {"drums", "bass"})
        game[subset] = base[("other",) if "other" in rest else ()] + 3.0 * (twins > 0) + twins**2
    found = shapley_values(game)
    assert found["vocals"] == 0
    assert found["drums"] == pytest.approx(found["bass"], abs=1e-12)
    assert found["drums"] != found["other"]


def test_linear_in_the_values():
    one, two = random_game(STEMS, seed=3), random_game(STEMS, seed=4)
    both = shapley_values({s: 2 * one[s] - 0.5 * two[s] for s in one})
    first, second = shapley_values(one), shapley_values(two)
    for stem in STEMS:
        assert both[stem] == pytest.approx(2 * first[stem] - 0.5 * second[stem], abs=1e-12)


def test_an_additive_game_gives_each_its_own():
    own = dict(zip(STEMS, (0.3, 0.1, -0.05, 0.0)))
    found = shapley_values({s: 0.2 + sum(own[stem] for stem in s) for s in subsets(STEMS)})
    for stem in STEMS:
        assert found[stem] == pytest.approx(own[stem], abs=1e-12)


def test_worked_example_of_the_airport():
    """Littlechild & Owen (1973): the cost of a runway is that of the largest aeroplane using it.

    Costs 8, 11, 13, 18: each stretch is shared by those who need it, so 8/4, 8/4 + 3/3,
    8/4 + 3/3 + 2/2 and that with the last 5.
    """
    cost = dict(zip("ABCD", (8, 11, 13, 18)))
    found = shapley_values({s: max((cost[p] for p in s), default=0) for s in subsets("ABCD")})
    assert {p: float(v) for p, v in found.items()} == pytest.approx(
        {"A": 2, "B": 3, "C": 4, "D": 9}
    )


def test_order_of_players_and_of_names_does_not_matter():
    game = random_game(STEMS, seed=5)
    turned = {tuple(reversed(s)): v for s, v in game.items()}
    one, other = shapley_values(game), shapley_values(turned, players=STEMS)
    assert list(other) == list(STEMS)
    for stem in STEMS:
        assert one[stem] == pytest.approx(other[stem], abs=1e-12)


def test_unusable_subsets_and_values():
    game = random_game(("drums", "bass"))
    with raises(StatsError, "subsets", value={frozenset()}):
        shapley_values({s: v for s, v in game.items() if s})
    with raises(StatsError, "subsets", value={frozenset({"vocals"})}):
        shapley_values(game | {("vocals",): 1.0}, players=("drums", "bass"))
    for doubled in ({**game, ("bass", "drums"): 1.0}, {**game, ("drums", "drums"): 1.0}):
        with raises(StatsError, "subsets"):
            shapley_values(doubled, players=("drums", "bass"))
    for unusable in (np.zeros(3), np.nan):
        with raises(StatsError, "values"):
            shapley_values(game | {("drums",): unusable})
    for values, players in (({}, "abcdefg"), ({(): 0.0}, None)):
        with raises(StatsError, "n_players"):
            shapley_values(values, players=players)
