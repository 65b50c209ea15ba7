"""Shapley values: each player's share of the value of a coalition.

The value that a player achieves alone does not reflect interactions with other players. The loss of
value when a player is removed does not reflect the fact that other players may replace this
player's contribution. The Shapley value is the change in value when a player joins, averaged over
all orders in which the players can join. It is the only rule that is additive over games,
distributes exactly the total value, treats equal players alike, and gives nothing to a player that
never changes the value. The chapter on stem ablation uses Shapley values to attribute scores to
stems.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np

from groove_utils.stats.validation import StatsError

__all__ = ["MOST_PLAYERS", "shapley_values"]

MOST_PLAYERS = 6  # 64 subsets


def shapley_values(
    values: Mapping[Sequence[Hashable], np.ndarray | float],
    players: Sequence[Hashable] | None = None,
) -> dict[Hashable, np.ndarray]:
    """Compute exact Shapley values for up to 6 players.

    Parameters
    ----------
    values : mapping of tuple of players to float or ndarray
        Value of each subset of players, including the empty subset ``()``. All values must have the
        same shape. A subset may list its players in any order.
    players : sequence, optional
        At most 6 players; by default, the players in the largest subset, in the same order.

    Returns
    -------
    dict of player to ndarray of float64
        Shapley value of each player, with the same shape as each entry of `values`. The Shapley
        values add up to the value of all players minus the value of the empty subset.

    Raises
    ------
    StatsError
        If there are no players or more than 6, a subset is missing or occurs twice, or the values
        have different shapes or are not finite.

    Notes
    -----
    φᵢ = Σ over S without i of |S|! (n − 1 − |S|)! / n! · (v(S ∪ i) − v(S)); Shapley (1953), A
    value for n-person games. Contributions to the Theory of Games II, 307–317. Arrays are
    processed element by element, so their axes may be bootstrap draws, targets or songs. The value
    of the empty subset is a matter of definition. For out-of-fold R², use the score of a model that
    predicts the training mean, which is slightly below 0.

    Examples
    --------
    In the glove game, one player has a left glove, two players have a right glove each, and a pair
    of gloves is worth 1.

    >>> pairs = {
    ...     s: min("L" in s, len(set(s) & {"R", "r"}))
    ...     for s in [(), "L", "R", "r", "LR", "Lr", "Rr", "LRr"]
    ... }
    >>> {player: round(float(share), 3) for player, share in shapley_values(pairs).items()}
    {'L': 0.667, 'R': 0.167, 'r': 0.167}
    """
    players = list(max(values, key=len, default=()) if players is None else players)
    table = _check_values(values, players)
    n = len(players)
    shares = {player: np.zeros(table[frozenset()].shape) for player in players}
    for size in range(n):
        weight = 1.0 / (n * comb(n - 1, size))
        for before in map(frozenset, combinations(players, size)):
            for player in set(players) - before:
                shares[player] = shares[player] + weight * (
                    table[before | {player}] - table[before]
                )
    return shares


def _check_values(values, players: list) -> dict[frozenset, np.ndarray]:
    """Validate players and subsets; return the values, keyed by frozenset of players."""
    if not 0 < len(players) <= MOST_PLAYERS:
        raise StatsError(
            f"there are {len(players)} players; expected 1 to {MOST_PLAYERS}",
            kind="n_players", value=len(players),
        )  # fmt: skip
    table = {frozenset(s): np.asarray(v, dtype=np.float64) for s, v in values.items()}
    subsets = {frozenset(s) for k in range(len(players) + 1) for s in combinations(players, k)}
    duplicated = len(table) < len(values) or any(len(set(s)) < len(s) for s in values)
    if set(table) != subsets or duplicated:
        raise StatsError(
            f"the subsets are {list(values)}; expected each of the {len(subsets)} subsets of "
            f"{players} exactly once, including ()",
            kind="subsets", value=set(table) ^ subsets,
        )  # fmt: skip
    shapes = {value.shape for value in table.values()}
    if len(shapes) > 1 or not all(np.isfinite(value).all() for value in table.values()):
        raise StatsError(f"values have the shapes {sorted(shapes)}; expected finite values of the "
                         "same shape", kind="values", value=shapes)  # fmt: skip
    return table
