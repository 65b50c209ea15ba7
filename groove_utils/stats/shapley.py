"""Shapley values: what each stem is worth, fairly shared (chapter 07).

A song's stems play together. Taken alone, or left out, a stem shows two different parts of what it
does: alone it gets no help, left out it is missed only for what no other stem can replace. The
Shapley value (1953) averages what a stem adds over all orders in which the stems may come in, and
is the only way of sharing that adds up to the whole, treats like stems alike and gives nothing to
one that never changes anything. It is linear in the values, so that bootstrap draws, questions and
songs can be trailing axes of one array.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from itertools import combinations
from math import comb

import numpy as np

__all__ = ["shapley_sampled", "shapley_values"]

MOST_PLAYERS = 6  # 64 subsets; beyond, each further player doubles what has to be embedded


def shapley_values(
    values: Mapping[Sequence[Hashable], np.ndarray | float],
    players: Sequence[Hashable] | None = None,
) -> dict[Hashable, np.ndarray]:
    """Exact Shapley values.

    Parameters
    ----------
    values : mapping of tuple of players → float or ndarray
        The value of every subset, ``()`` for the empty one included; all of one shape. A subset
        may name its players in any order.
    players : sequence, optional
        At most 6; by default those of the largest subset, in its order.

    Returns
    -------
    dict of player → ndarray of float64, of the shape of the values
        They sum to ``values[all players] − values[()]``.

    Raises
    ------
    ValueError
        A subset is missing, there twice, or names no known player; shapes differ; values that are
        no finite numbers; more than 6 players.

    Notes
    -----
    φᵢ = Σ over S without i of |S|! (n − 1 − |S|)! / n! · (v(S ∪ i) − v(S)).

    The empty subset has to be given, because what nothing is worth is a decision, not a fact. For
    out-of-fold R² it is the score of a probe that hears nothing and answers with the mean rating of
    its training songs. That is a little below 0, since the training mean of a fold is not the mean
    of the songs that it is held against. For a song's predicted rating it is that mean itself.

    References
    ----------
    Shapley (1953), A value for n-person games. Contributions to the Theory of Games II, 307–317.

    Examples
    --------
    The glove game of the textbooks: one left glove and two right ones; a pair is worth 1.

    >>> pairs = {
    ...     s: min("L" in s, len(set(s) & {"R", "r"}))
    ...     for s in [(), "L", "R", "r", "LR", "Lr", "Rr", "LRr"]
    ... }
    >>> {player: round(float(share), 3) for player, share in shapley_values(pairs).items()}
    {'L': 0.667, 'R': 0.167, 'r': 0.167}
    """
    table = {}
    for subset, value in values.items():
        key = frozenset(subset)
        if len(key) < len(subset):
            raise ValueError(f"the subset {subset!r} names a player twice; give each once.")
        if key in table:
            raise ValueError(f"the subset {subset!r} is there twice, in two orders; give it once.")
        table[key] = np.asarray(value, dtype=np.float64)
    if players is None:
        players = max(values, key=len, default=())
    players = list(players)
    _check_players(players, most=MOST_PLAYERS)
    wanted = [frozenset(s) for k in range(len(players) + 1) for s in combinations(players, k)]
    if missing := [_name(subset, players) for subset in wanted if subset not in table]:
        raise ValueError(
            f"{len(missing)} of the {len(wanted)} subsets of {len(players)} players have no value, "
            f"the first is {missing[0]}; exact Shapley values need all of them, () included."
        )
    if unknown := set(table) - set(wanted):
        raise ValueError(
            f"the subset {sorted(map(str, next(iter(unknown))))} names somebody who is not among "
            f"the players {players}."
        )
    shapes = {table[subset].shape for subset in wanted}
    if len(shapes) > 1:
        raise ValueError(f"the values have different shapes: {sorted(shapes)}; expected one.")
    for subset in wanted:
        if not np.isfinite(table[subset]).all():
            raise ValueError(f"the value of {_name(subset, players)} is NaN or infinite.")
    n = len(players)
    found = {player: np.zeros(shapes.pop() if shapes else ()) for player in players}
    for size in range(n):
        share = 1.0 / (n * comb(n - 1, size))
        for subset in combinations(players, size):
            before = frozenset(subset)
            for player in players:
                if player not in before:
                    added = table[before | {player}] - table[before]
                    found[player] = found[player] + share * added
    return found


def shapley_sampled(
    value: Callable[[tuple], np.ndarray | float],
    players: Sequence[Hashable],
    *,
    n_permutations: int = 200,
    seed: int = 0,
) -> tuple[dict[Hashable, np.ndarray], dict[Hashable, np.ndarray]]:
    """Shapley values by Monte Carlo, for more players than can be enumerated.

    Parameters
    ----------
    value : callable
        ``value(subset)`` gives the value of a tuple of players (in the order of `players`; ``()``
        is asked for as well), a float or an array. It is called once for each subset met.
    players : sequence
    n_permutations : int
        Random orders, at least 4; each is also run backwards (antithetic pairs), which lowers the
        variance.
    seed : int

    Returns
    -------
    estimates, errors : dict of player → ndarray
        Estimates and their standard errors, from the spread over the pairs of orders. The
        estimates sum to ``value(players) − value(())`` exactly, whatever the number of orders.

    Raises
    ------
    ValueError
        Too few orders, no players or one twice, or a value that is no finite number.

    References
    ----------
    Castro, Gómez & Tejada (2009), Computers & Operations Research 36; Mitchell et al. (2022),
    Journal of Machine Learning Research 23(43), on antithetic sampling.
    """
    players = list(players)
    _check_players(players)
    if n_permutations < 4:
        raise ValueError(f"n_permutations is {n_permutations}; expected 4 or more.")
    known: dict[frozenset, np.ndarray] = {}

    def look_up(subset: frozenset) -> np.ndarray:
        if subset not in known:
            found = np.asarray(value(tuple(p for p in players if p in subset)), dtype=np.float64)
            if not np.isfinite(found).all():
                raise ValueError(f"the value of {_name(subset, players)} is NaN or infinite.")
            known[subset] = found
        return known[subset]

    rng = np.random.default_rng(seed)
    pairs = -(-n_permutations // 2)
    total = {player: 0.0 for player in players}
    squares = {player: 0.0 for player in players}
    for _ in range(pairs):
        order = rng.permutation(len(players))
        added = {player: 0.0 for player in players}
        for direction in (order, order[::-1]):
            before: frozenset = frozenset()
            for place in direction:
                after = before | {players[place]}
                step = look_up(after) - look_up(before)
                added[players[place]] = added[players[place]] + step / 2
                before = after
        for player, mean in added.items():
            total[player] = total[player] + mean
            squares[player] = squares[player] + mean**2
    estimates = {player: np.asarray(total[player] / pairs) for player in players}
    errors = {
        player: np.sqrt(
            np.maximum(squares[player] / pairs - estimates[player] ** 2, 0.0) / (pairs - 1)
        )
        for player in players
    }
    return estimates, errors


def _check_players(players: list, most: int | None = None) -> None:
    if not players:
        raise ValueError("no players given; expected one or more.")
    if len(set(players)) < len(players):
        raise ValueError(f"the players {players} name somebody twice; give each once.")
    if most is not None and len(players) > most:
        raise ValueError(
            f"{len(players)} players have {2 ** len(players)} subsets; for more than {most} use "
            "shapley_sampled()."
        )


def _name(subset, players) -> str:
    return repr(tuple(player for player in players if player in subset))
