"""Results of a probe: out-of-fold predictions, settings chosen in the inner folds, and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from groove_utils.probe.scores import SCORES, r2_by_repeat, rmse_by_repeat, score_statistic
from groove_utils.probe.songs import ProbeError, Songs

__all__ = ["ProbeResult", "by_target", "check_paired"]


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """Out-of-fold predictions of a probe, and the settings chosen in the inner folds.

    Attributes
    ----------
    songs : Songs
        The n songs: ``ids``, ``targets``, ``ratings``, ``artists`` and ``styles``.
    predicted, baseline : ndarray, shape (n_repeats, n, n_targets)
        Out-of-fold prediction for each song, and the baseline for its fold: the mean rating of the
        training songs, or the prediction from nuisance labels.
    folds : ndarray, shape (n_repeats, n), dtype int
        The fold in which each song was held out.
    choices : DataFrame
        Settings chosen in the inner folds, with one row per repeat, fold and target: ``layer``,
        ``alpha``, ``pca`` (missing if all components are used) and ``inner_mse``. For regressors
        other than ridge, there is one column per tuned parameter instead of the first three.
    leave_artist_out : ndarray, shape (n_artists, n_repeats, n, n_targets), or None
        Predictions with each artist in turn (in sorted order) left out of the training set.
        Intervals use these predictions to account for the sampling of training songs.
    """

    songs: Songs
    predicted: np.ndarray
    baseline: np.ndarray
    folds: np.ndarray
    choices: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    leave_artist_out: np.ndarray | None = field(default=None, repr=False)

    @property
    def predictions(self) -> pd.DataFrame:
        """Tidy table of predictions, with one row per repeat, song and target.

        The columns are ``repeat``, ``fold``, ``track_id``, ``artist``, ``style``, ``target``,
        ``observed``, ``predicted`` and ``baseline``.
        """
        songs, shape = self.songs, self.predicted.shape
        columns = {
            "repeat": np.arange(len(self.predicted))[:, None, None],
            "fold": self.folds[..., None],
            "track_id": songs.ids[:, None],
            "artist": songs.artists[:, None],
            "style": songs.styles[:, None],
            "target": np.array(songs.targets, dtype=object),
            "observed": songs.ratings,
            "predicted": self.predicted,
            "baseline": self.baseline,
        }
        spread = {name: np.broadcast_to(v, shape).ravel() for name, v in columns.items()}
        return pd.DataFrame(spread).infer_objects()

    def scores(self) -> pd.DataFrame:
        """Compute all scores, with one row per target.

        Returns
        -------
        DataFrame
            ``target``; ``r2`` (1 − SSE/SST over all held-out songs, mean over repeats) and
            ``r2_sd`` (population SD over repeats); ``spearman`` (mean over repeats); ``rmse`` (root
            of the mean squared error over songs and repeats); ``fold_r2`` and ``fold_r2_sd`` (R² in
            each fold, averaged over folds, then mean and population SD over repeats, as reported by
            Marmoret et al. 2026); ``r2_over_baseline`` (1 − SSE / SSE of the baseline);
            ``within_r`` (Pearson's r between ratings and predictions within styles, mean over
            repeats); ``fold_rmse`` and ``fold_rmse_sd`` (RMSE in each fold, averaged in the same
            way as ``fold_r2``); ``within_r2`` (R² within styles, see
            :func:`groove_utils.probe.style_scores`); ``n_songs``, ``n_artists``.
        """
        songs, weights = self.songs, np.ones((1, len(self.songs)))
        scores = {name: score_statistic(self, name)(weights)[0] for name in SCORES}
        frame = pd.DataFrame({"target": songs.targets, **scores})
        error = ((songs.ratings - self.predicted) ** 2).sum(axis=1)
        total = ((songs.ratings - songs.ratings.mean(axis=0)) ** 2).sum(axis=0)
        frame.insert(2, "r2_sd", (1 - error / total).std(axis=0))
        frame.insert(6, "fold_r2_sd", r2_by_repeat(self, weights)[:, 0].std(axis=0))
        frame["fold_rmse_sd"] = rmse_by_repeat(self, weights)[:, 0].std(axis=0)
        return frame.assign(n_songs=len(songs), n_artists=len(set(songs.artists)))

    def mean_predictions(self) -> pd.DataFrame:
        """Average predictions over repeats; return one row per song and target."""
        keys = ["track_id", "artist", "style", "target"]
        table = self.predictions.groupby(keys, sort=False)[["observed", "predicted"]]
        return table.mean().reset_index()


def by_target(frame: pd.DataFrame, targets) -> pd.DataFrame:
    """Sort the rows of a table in the order of `targets`, preserving the order within a target."""
    order = {name: i for i, name in enumerate(targets)}
    return frame.sort_values("target", key=lambda t: t.map(order), kind="stable", ignore_index=True)


def check_paired(results: Mapping[str, object]) -> None:
    """Raise an error unless all results have the same songs, targets and folds (if any)."""
    (first, reference), *others = results.items()
    for name, other in others:
        for column in ("ids", "artists", "targets", "ratings", "folds"):
            values = [getattr(r if column == "folds" else r.songs, column, None)
                      for r in (reference, other)]  # fmt: skip
            if not np.array_equal(*values):
                raise ProbeError(
                    f"{first!r} and {name!r} have different {column}; paired comparisons need the "
                    "same songs, targets and folds: use the same seed, or pass folds=",
                    kind="unpaired", column=column,
                )  # fmt: skip
