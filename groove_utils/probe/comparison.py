"""Paired comparisons of models, and the number of songs needed to detect a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.probe.intervals import artist_influence
from groove_utils.probe.result import ProbeResult, check_paired
from groove_utils.probe.scores import score_statistic
from groove_utils.probe.songs import ProbeError
from groove_utils.stats.bootstrap import influence_interval
from groove_utils.stats.multiple_testing import holm

__all__ = ["compare_models", "mean_difference", "songs_needed"]


def _differences(results, pairs, score):
    """Yield each pair's difference in a score, and each artist's influence on the difference."""
    check_paired(results)
    statistic = partial(score_statistic, score=score)
    influences = {name: artist_influence(result, statistic) for name, result in results.items()}
    for first, second in pairs:
        yield [a - b for a, b in zip(influences[first], influences[second], strict=True)]


def compare_models(
    results: Mapping[str, ProbeResult],
    *,
    score="r2",
    reference: str | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
    n_boot=2000,
    seed=0,
) -> pd.DataFrame:
    """Compute paired differences in a score between models tested on the same songs and folds.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        Probe result of each model, keyed by model name.
    score, n_boot, seed
        See :func:`bootstrap_scores`.
    reference : str, optional
        Model to compare all others with. If given, `pairs` is ignored.
    pairs : sequence of (first, second), optional
        Pairs of models to compare, such as each model and its untrained version. An empty sequence
        gives an empty table. By default, all pairs are compared.

    Returns
    -------
    DataFrame
        One row per target and pair: ``target, first, second, difference`` (first − second), ``low,
        high`` (95% interval), ``se, p, p_holm, refit``. For each target, Holm's correction is
        applied over all pairs. ``refit`` is True if, for both probes, the effect of leaving an
        artist out of the training set has a closed form; the interval then also accounts for the
        sampling of training songs.

    Notes
    -----
    An artist's influence on a difference is the difference between the artist's influences on the
    two scores. If an artist's songs are equally difficult to predict for both models, this
    difficulty therefore cancels out.
    """
    names = list(results)
    if len(names) < 2:
        raise ProbeError(f"a comparison needs two or more models, but results has {len(names)}",
                         kind="too_few")  # fmt: skip
    if reference is not None and reference not in names:
        raise ProbeError(f"no such model: {reference!r}; expected one of {names}",
                         kind="unknown", column="reference", value=reference)  # fmt: skip
    if pairs is None:
        pairs = list(combinations(names, 2))
    if reference is not None:
        pairs = [(name, reference) for name in names if name != reference]
    tables = []
    for pair, (difference, influence) in zip(pairs, _differences(results, pairs, score)):
        low, high, se, p = influence_interval(difference, influence, n_boot=n_boot, seed=seed)
        table = pd.DataFrame({"target": results[names[0]].songs.targets})
        table["first"], table["second"] = pair
        table = table.assign(difference=difference, low=low, high=high, se=se, p=p)
        table["refit"] = all(results[name].leave_artist_out is not None for name in pair)
        tables.append(table)
    columns = ["target", "first", "second", "difference", "low", "high", "se", "p", "refit"]
    frame = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    frame.insert(8, "p_holm", frame.groupby("target")["p"].transform(holm))
    return frame


def songs_needed(
    results: Mapping[str, ProbeResult],
    difference: float,
    *,
    score="r2",
    power: Sequence[float] = (0.8, 0.9),
    alpha=0.05,
) -> pd.DataFrame:
    """Estimate the number of songs needed to detect a given difference between two models.

    Parameters
    ----------
    results : mapping of str to ProbeResult
        Exactly two probe results for the same songs and folds, keyed by model name.
    difference : float
        Smallest difference of interest, greater than 0, chosen before looking at the results. Do
        not use the observed difference: the power to detect it is just a function of its p-value
        (Hoenig & Heisey 2001).
    score : str
        See :func:`bootstrap_scores`.
    power : sequence of float
        Desired probabilities of detecting the difference, between 0 and 1.
    alpha : float
        Significance level of the two-sided test.

    Returns
    -------
    DataFrame
        One row per target and power: ``target, first, second, difference, se`` (standard error of
        the observed difference), ``power, n_songs`` (number of songs needed), and ``n_now,
        power_now`` (number of songs and power in the present study).

    Notes
    -----
    The standard error is assumed to be inversely proportional to the square root of the number of
    songs, and the number of artists to be proportional to the number of songs.
    """
    if len(results) != 2:
        raise ProbeError(f"there are {len(results)} results ({list(results)}); expected two",
                         kind="n_results", value=len(results))  # fmt: skip
    if not all(0 < value < 1 for value in [*power, alpha]):
        raise ProbeError(f"power is {list(power)} and alpha is {alpha}; expected numbers between "
                         "0 and 1",
                         kind="out_of_range", column="power")  # fmt: skip
    if not difference > 0:
        raise ProbeError(f"difference is {difference}; expected the smallest difference of "
                         "interest, above 0", kind="out_of_range", column="difference",
                         value=difference)  # fmt: skip
    (first, result), (second, _) = results.items()
    ((observed, influence),) = _differences(results, [(first, second)], score)
    n, se = len(result.songs), influence_interval(observed, influence, n_boot=1).se
    z = stats.norm.isf(alpha / 2)
    rows = []
    for j, target in enumerate(result.songs.targets):
        effect = difference / max(se[j], 1e-12)
        power_now = stats.norm.sf(z - effect) + stats.norm.cdf(-z - effect)
        for chance in power:
            needed = np.ceil((z + stats.norm.ppf(chance)) ** 2 * se[j] ** 2 * n / difference**2)
            rows.append((target, first, second, difference, se[j], chance, needed, n, power_now))
    columns = ["target", "first", "second", "difference", "se", "power", "n_songs"]
    return pd.DataFrame(rows, columns=[*columns, "n_now", "power_now"])


def mean_difference(
    first: Sequence[ProbeResult] | Mapping[str, ProbeResult],
    second: Sequence[ProbeResult] | Mapping[str, ProbeResult],
    *,
    score="r2",
    n_boot=2000,
    seed=0,
) -> pd.DataFrame:
    """Average the difference in a score over pairs of probes, such as each model in two settings.

    Parameters
    ----------
    first, second : sequence of ProbeResult, or mapping of str to ProbeResult
        Results to compare. They must be for the same songs and targets, but may use different
        folds. Sequences are paired by position. Mappings are paired by key, and must have the same
        keys.
    score, n_boot, seed
        See :func:`bootstrap_scores`.

    Returns
    -------
    DataFrame
        One row per target: ``target, estimate`` (mean of first − second), ``low, high`` (95%
        interval over artists), ``se, p``.
    """
    if isinstance(first, Mapping):
        if set(first) != set(second):
            raise ProbeError(
                f"the first mapping has the keys {sorted(first)}, and the second {sorted(second)}; "
                "expected the same keys",
                kind="unpaired", column="second", value=sorted(set(first) ^ set(second)),
            )  # fmt: skip
        first, second = zip(*((first[name], second[name]) for name in first))
    statistic = partial(score_statistic, score=score)
    parts = [
        [a - b for a, b in zip(*(artist_influence(r, statistic) for r in pair), strict=True)]
        for pair in zip(first, second, strict=True)
    ]
    estimate, influence = (np.mean(side, axis=0) for side in zip(*parts, strict=True))
    interval = influence_interval(estimate, influence, n_boot=n_boot, seed=seed)
    table = pd.DataFrame({"target": first[0].songs.targets, "estimate": estimate})
    return table.assign(**interval._asdict())
