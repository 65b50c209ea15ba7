"""Transfer between styles: train on one, test on another."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from groove_utils.probe.folds import Split, artist_folds, nested_splits, outer_splits
from groove_utils.probe.intervals import artist_influence
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.ridge import assemble, make_plan, run_ridge
from groove_utils.probe.scores import score_statistic
from groove_utils.probe.validation import ProbeError, as_data
from groove_utils.stats.bootstrap import influence_interval

__all__ = ["transfer_matrix"]

FEWEST_ARTISTS = 4  # to train on
FEWEST_SONGS = 3  # to test on
SCORES = ("r2", "spearman")


def transfer_matrix(
    X, y, artists=None, styles=None, protocol: Protocol = Protocol(), *, n_boot=2000, n_jobs=1
) -> pd.DataFrame:
    """Train on one style and test on another.

    Parameters
    ----------
    X, y, artists, styles, protocol, n_jobs
        See :func:`nested_ridge`. Penalty and layer are chosen inside the training style.
    n_boot : int
        Draws of artists for the 95% intervals, with the protocol's seed.

    Returns
    -------
    DataFrame
        One row per ``train`` style, ``test`` style and ``target``, with ``r2, low, high``,
        ``spearman, spearman_low, spearman_high``, ``n_train, n_test``. On the diagonal, songs are
        held out by artist folds inside the style. Rows with ``train == "others"`` leave the test
        style out and train on all others. Two more rows per target have the means over pairs of
        single styles: ``train`` is ``the same style`` or ``another style``, and ``test`` is
        ``mean``. R² is about the mean of the test style, so a wrong level counts as error;
        Spearman's ρ ignores it. Styles with fewer than four artists are not trained on.

    Notes
    -----
    Songs by artists who are in the training songs are left out of the test.
    """
    songs, blocks = as_data(X, y, artists, styles)
    plan = make_plan(blocks, protocol)
    style, artist = songs.styles.astype(str), songs.artist_codes
    names = list(np.unique(style))
    if len(names) < 2:
        raise ProbeError(f"all songs are of one style, {names[0]!r}; transfer needs two",
                         kind="one_style", value=names[0])  # fmt: skip
    tables, influences = [], {"the same style": [], "another style": []}
    draws = {"n_boot": n_boot, "seed": protocol.seed}
    for train in [*names, "others"]:
        for test in names:
            source = style != test if train == "others" else style == train
            if len(np.unique(artist[source])) < FEWEST_ARTISTS:
                continue
            splits = _splits(songs, np.flatnonzero(source), style == test, artist, protocol)
            if not splits:
                continue
            splits = nested_splits(songs, splits, protocol)
            fits = run_ridge(blocks, songs.ratings, splits, plan, groups=artist, n_jobs=n_jobs)
            scores = _transfer_influence(songs, splits, fits)
            if train != "others":
                kind = "the same style" if train == test else "another style"
                influences[kind].append(scores)
            table = _transfer_table(songs, scores, **draws).assign(train=train, test=test)
            trained, tested = (
                len(np.unique(np.concatenate([getattr(split, side) for split in splits])))
                for side in ("train", "test")
            )
            tables.append(table.assign(n_train=trained, n_test=tested))
    for kind, several in influences.items():
        if several:
            mean = {score: [np.mean(side, axis=0) for side in zip(*(one[score] for one in several))]
                    for score in SCORES}  # fmt: skip
            table = _transfer_table(songs, mean, **draws).assign(train=kind, test="mean")
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _splits(songs, source, tested, artist, protocol) -> list[Split]:
    """Folds inside a style that is tested on itself, else one split; none without test songs."""
    if tested[source].all():
        folds = artist_folds(
            songs.artists[source], n_splits=min(protocol.n_splits, len(np.unique(artist[source]))),
            n_repeats=protocol.n_repeats, seed=protocol.seed,
        )  # fmt: skip
        return [
            Split(split.repeat, split.fold, source[split.train], source[split.test])
            for split in outer_splits(folds)
        ]
    new = np.flatnonzero(tested & ~np.isin(artist, artist[source]))
    return [Split(0, 0, source, new)] if len(new) >= FEWEST_SONGS else []


def _transfer_influence(songs, splits, fits) -> dict[str, tuple]:
    """Estimate and influences of artists for each score, over the tested songs alone."""
    predicted, left_out = (
        assemble(splits, fits, name, len(songs)) for name in ("predicted", "leave_artist_out")
    )
    tested = np.isfinite(predicted).all(axis=(0, 2)).astype(float)
    # songs that are not tested have weight 0, so their predictions do not matter
    predicted, left_out = np.nan_to_num(predicted), np.nan_to_num(left_out)
    folds = np.zeros(predicted.shape[:2], int)
    result = ProbeResult(songs, predicted, predicted, folds, leave_artist_out=left_out)

    def statistic(one, score):
        of_weights = score_statistic(one, score)
        return lambda w: of_weights(w * tested)

    return {score: artist_influence(result, partial(statistic, score=score)) for score in SCORES}


def _transfer_table(songs, scores, *, n_boot, seed) -> pd.DataFrame:
    """Scores with their intervals over artists of training and test songs."""
    table = pd.DataFrame({"train": "", "test": "", "target": songs.targets})
    for score, prefix in zip(SCORES, ("", "spearman_")):
        estimate, influence = scores[score]
        low, high, *_ = influence_interval(estimate, influence, n_boot=n_boot, seed=seed)
        table[score] = estimate
        table[f"{prefix}low"], table[f"{prefix}high"] = low, np.minimum(high, 1.0)
    table["spearman_low"] = table["spearman_low"].clip(lower=-1.0)
    return table
