"""Transfer of probes between styles, using training sets of equal size."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.probe.folds import Split, artist_folds, nested_splits, outer_splits
from groove_utils.probe.intervals import artist_influence
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import assemble, make_plan, run_ridge
from groove_utils.probe.scores import score_statistic
from groove_utils.probe.songs import ProbeError, Songs, as_data
from groove_utils.stats.bootstrap import influence_interval

__all__ = ["matched_transfer"]

FEWEST_ARTISTS = 4  # per style
SCORES = ("r2", "spearman")
SOURCES = ("same style", "another style", "mixed styles")


@memoised("probes")
def matched_transfer(
    X, y, artists=None, styles=None, protocol: Protocol = Protocol(), *, n_boot=2000, n_jobs=1
) -> pd.DataFrame:
    """Score probes on one style after training on the same style, another style or mixed styles.

    For each test fold, which consists of artists from one style, all training sets have the same
    number of artists. They contain other artists from the same style, artists from one other style,
    or artists from all styles in almost equal numbers. Differences between the scores are therefore
    not due to the amount of training data.

    Parameters
    ----------
    X, y, artists, styles, protocol, n_jobs
        See :func:`nested_ridge`. The penalty and the layer are chosen for each training set.
    n_boot : int
        Number of bootstrap samples of artists for the 95% intervals; the seed is `protocol.seed`.

    Returns
    -------
    DataFrame
        One row per ``train`` (``same style``, ``another style``, ``mixed styles``), ``test`` (a
        style, or ``mean`` over styles), ``target`` and ``score`` (``r2``, ``spearman``), with
        ``estimate, low, high`` and ``n_train``, the mean number of training songs. For each target
        and score, two additional rows contain the differences between the means: ``same − another``
        and ``same − mixed``. R² is computed relative to the mean of the test style, so it is
        reduced if all predictions are too high or too low; Spearman's ρ is not. Styles with fewer
        than four artists are excluded.

    Raises
    ------
    ProbeError
        If fewer than two styles have four or more artists.
    """
    songs, blocks = as_data(X, y, artists, styles)
    plan = make_plan(blocks, protocol)
    style = songs.styles.astype(str)
    names = [name for name in np.unique(style)
             if len(set(songs.artists[style == name])) >= FEWEST_ARTISTS]  # fmt: skip
    if len(names) < 2:
        raise ProbeError(
            f"the number of styles with at least {FEWEST_ARTISTS} artists is {len(names)}; "
            "expected 2 or more",
            kind="one_style", value=names,
        )  # fmt: skip
    all_scores: dict[tuple[str, str], dict] = {}
    for test in names:
        parts: dict[str, list] = {source: [] for source in SOURCES}
        for source, splits in _training_sets(songs, test, names, protocol):
            splits = nested_splits(songs, splits, protocol)
            fits = run_ridge(
                blocks, songs.ratings, splits, plan, groups=songs.artist_codes, n_jobs=n_jobs
            )
            scores = _influence(songs, splits, fits)
            scores["n_train"] = np.mean([len(split.train) for split in splits])
            parts[source].append(scores)
        all_scores |= {(source, test): _mean(scores) for source, scores in parts.items()}
    for source in SOURCES:
        all_scores[source, "mean"] = _mean([all_scores[source, name] for name in names])
    for label, other in (("same − another", SOURCES[1]), ("same − mixed", SOURCES[2])):
        pair = all_scores[SOURCES[0], "mean"], all_scores[other, "mean"]
        all_scores[label, "mean"] = {
            score: [a - b for a, b in zip(pair[0][score], pair[1][score])] for score in SCORES
        }
    tables = [
        _table(songs, scores, n_boot, protocol.seed).assign(train=train, test=test)
        for (train, test), scores in all_scores.items()
    ]
    return pd.concat(tables, ignore_index=True)


def _training_sets(songs: Songs, test: str, names, protocol: Protocol):
    """Return (source, splits) pairs; all training sets have the same number of artists."""
    style, artist = songs.styles.astype(str), songs.artist_codes
    of_style = {name: np.flatnonzero(style == name) for name in names}
    inside = of_style[test]
    folds = artist_folds(
        artist[inside], n_splits=min(protocol.n_splits, len(set(artist[inside]))),
        n_repeats=protocol.n_repeats, seed=protocol.seed,
    )  # fmt: skip
    splits: dict[tuple[str, str], list[Split]] = {}
    for split in outer_splits(folds):
        held_out = inside[split.test]
        seed = [protocol.seed, names.index(test), split.repeat, split.fold]
        rng = np.random.default_rng(seed)
        pools = {
            name: rng.permutation(np.setdiff1d(artist[rows], artist[held_out]))
            for name, rows in of_style.items()
        }
        size = min(map(len, pools.values()))
        order = [test, *(name for name in names if name != test)]
        turns = [(name, i) for i in range(size) for name in order][:size]
        chosen = {(SOURCES[2], ""): [(name, pools[name][i]) for name, i in turns]}
        for name, pool in pools.items():
            source = SOURCES[0] if name == test else SOURCES[1]
            chosen[source, name] = [(name, number) for number in pool[:size]]
        for key, pairs in chosen.items():
            train = [of_style[name][artist[of_style[name]] == number] for name, number in pairs]
            matched = replace(split, train=np.sort(np.concatenate(train)), test=held_out)
            splits.setdefault(key, []).append(matched)
    return [(source, source_splits) for (source, _), source_splits in splits.items()]


def _influence(songs, splits, fits) -> dict[str, list]:
    """Compute each score over the test songs, and the influence of each artist on the score."""
    predicted, left_out = (
        assemble(splits, fits, name, len(songs)) for name in ("predicted", "leave_artist_out")
    )
    tested = np.isfinite(predicted).all(axis=(0, 2)).astype(float)
    # songs that are not tested have weight 0, so their predictions do not matter
    predicted, left_out = np.nan_to_num(predicted), np.nan_to_num(left_out)
    folds = np.zeros(predicted.shape[:2], int)
    result = ProbeResult(songs, predicted, predicted, folds, leave_artist_out=left_out)

    def statistic(result, score):
        of_weights = score_statistic(result, score)
        return lambda w: of_weights(w * tested)

    return {
        score: list(artist_influence(result, partial(statistic, score=score))) for score in SCORES
    }


def _mean(results: list[dict]) -> dict:
    """Average the estimates, influences and numbers of training songs over results."""
    mean = {
        score: [np.mean(side, axis=0) for side in zip(*(result[score] for result in results))]
        for score in SCORES
    }
    return mean | {"n_train": np.mean([result["n_train"] for result in results])}


def _table(songs, scores, n_boot, seed) -> pd.DataFrame:
    """Tabulate scores, with intervals over the artists in the training and test sets."""
    tables = []
    for score in SCORES:
        estimate, influence = scores[score]
        low, high, *_ = influence_interval(estimate, influence, n_boot=n_boot, seed=seed)
        table = pd.DataFrame({"train": "", "test": "", "target": songs.targets, "score": score})
        tables.append(table.assign(estimate=estimate, low=low, high=high))
    return pd.concat(tables).assign(n_train=scores.get("n_train", np.nan))
