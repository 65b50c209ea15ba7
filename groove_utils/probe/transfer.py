"""Transfer between styles: train on one, test on another."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from groove_utils.probe.folds import Split, artist_folds, nested_splits, outer_splits
from groove_utils.probe.intervals import result_interval
from groove_utils.probe.nested_cv import assemble, make_plan, run_ridge
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.scores import score_statistic
from groove_utils.probe.validation import ProbeError, as_data

__all__ = ["transfer_matrix"]

FEWEST_ARTISTS = 4  # to train on
FEWEST_SONGS = 3  # to test on


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
        One row per ``train`` style, ``test`` style and ``target``, with ``r2, low, high`` and
        ``spearman``, ``n_train, n_test``. On the diagonal, songs are held out by artist folds
        inside the style. Rows with ``train == "others"`` leave the test style out and train on all
        others. R² is about the mean of the test style, so a wrong level counts as error;
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
    tables = []
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
            table = _transfer_scores(songs, splits, fits, n_boot=n_boot, seed=protocol.seed)
            table.insert(0, "train", train)
            table.insert(1, "test", test)
            trained, tested = (
                len(np.unique(np.concatenate([getattr(split, side) for split in splits])))
                for side in ("train", "test")
            )
            tables.append(table.assign(n_train=trained, n_test=tested))
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


def _transfer_scores(songs, splits, fits, *, n_boot, seed):
    """Scores over the tested songs alone; artists of training and test songs count."""
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

    r2, low, high, *_ = result_interval(
        result, partial(statistic, score="r2"), n_boot=n_boot, seed=seed
    )
    rho = statistic(result, "spearman")(np.ones((1, len(songs))))[0]
    return pd.DataFrame({"target": songs.targets, "r2": r2, "low": low,
                         "high": np.minimum(high, 1.0), "spearman": rho})  # fmt: skip
