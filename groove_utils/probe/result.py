"""What a probe leaves behind: out-of-fold predictions, choices, and their scores (chapter 06)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from groove_utils.probe.validation import ProbeError, Songs

__all__ = ["SCORES", "ProbeResult", "score_statistic"]

SCORES = ("r2", "spearman", "rmse", "fold_r2", "r2_over_baseline")


@dataclass(frozen=True, eq=False)
class ProbeResult:
    """Out-of-fold predictions of one probe.

    Attributes
    ----------
    method : str
        What made the predictions.
    ids, artists, styles : ndarray, shape (n,), dtype object
    targets : list of str
    observed : ndarray, shape (n, n_targets)
    predicted, baseline : ndarray, shape (n_repeats, n, n_targets)
        Predictions of each song by a model that never saw its artist, and the same by the
        baseline of that fold: the training mean, or what the nuisance variables predict.
    folds : ndarray, shape (n_repeats, n), dtype int
        The fold in which each song was held out.
    without : ndarray, shape (n_artists, n_repeats, n, n_targets), or None
        The predictions had one artist (in sorted order) been missing from the training songs.
        From these :func:`bootstrap_scores` learns how far scores hang on who was trained on.
    choices : DataFrame
        One row a repeat, fold and target: ``layer``, ``alpha``, ``pca`` (missing: all
        components) and ``inner_mse``.
    """

    method: str
    ids: np.ndarray
    targets: list[str]
    observed: np.ndarray
    predicted: np.ndarray
    baseline: np.ndarray
    folds: np.ndarray
    artists: np.ndarray
    styles: np.ndarray
    choices: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    without: np.ndarray | None = field(default=None, repr=False)

    @property
    def predictions(self) -> pd.DataFrame:
        """Tidy table, one row a repeat, song and target.

        Columns ``repeat``, ``fold``, ``track_id``, ``artist``, ``style``, ``target``,
        ``observed``, ``predicted``, ``baseline``.
        """
        repeats, n, targets = self.predicted.shape
        shape = (repeats, n, targets)

        def spread(values, axes):
            return np.broadcast_to(np.expand_dims(values, axes), shape).ravel()

        return pd.DataFrame(
            {
                "repeat": spread(np.arange(repeats), (1, 2)),
                "fold": spread(self.folds, 2),
                "track_id": spread(self.ids, (0, 2)),
                "artist": spread(self.artists, (0, 2)),
                "style": spread(self.styles, (0, 2)),
                "target": spread(np.array(self.targets, dtype=object), (0, 1)),
                "observed": spread(self.observed, 0),
                "predicted": self.predicted.ravel(),
                "baseline": self.baseline.ravel(),
            }
        ).infer_objects()

    @classmethod
    def from_predictions(cls, frame: pd.DataFrame, *, method="", choices=None) -> ProbeResult:
        """A result from the tidy table of :attr:`predictions`, for instance one read from disk."""
        ids = pd.unique(frame["track_id"])
        targets = [str(name) for name in pd.unique(frame["target"])]
        repeats = np.sort(frame["repeat"].unique())
        shape = (len(repeats), len(ids), len(targets))
        if len(frame) != np.prod(shape):
            raise ProbeError(
                f"the table of predictions has {len(frame)} rows; {shape[0]} repeats × {shape[1]} "
                f"songs × {shape[2]} targets make {np.prod(shape)}; it is cut short or doubled"
            )
        place = tuple(
            pd.Categorical(frame[name], categories=levels).codes
            for name, levels in (("repeat", repeats), ("track_id", ids), ("target", targets))
        )

        def grid(name, dtype=np.float64):
            values = np.empty(shape, dtype=dtype)
            values[place] = frame[name].to_numpy()
            return values

        return cls(
            method=method,
            ids=np.asarray(ids, dtype=object),
            targets=targets,
            observed=grid("observed")[0],
            predicted=grid("predicted"),
            baseline=grid("baseline"),
            folds=grid("fold", np.int64)[:, :, 0],
            artists=grid("artist", object)[0, :, 0],
            styles=grid("style", object)[0, :, 0],
            choices=pd.DataFrame() if choices is None else choices,
        )

    @classmethod
    def from_arrays(
        cls, method, songs: Songs, predicted, baseline, folds, choices=None, without=None
    ) -> ProbeResult:
        """A result from checked songs and arrays of predictions."""
        return cls(
            method,
            songs.ids,
            songs.targets,
            songs.ratings,
            predicted,
            baseline,
            folds,
            songs.artists,
            songs.styles,
            pd.DataFrame() if choices is None else choices,
            without,
        )

    def scores(self) -> pd.DataFrame:
        """Scores, one row a target.

        Returns
        -------
        DataFrame
            ``target``; ``r2`` (1 − SSE/SST over all held-out songs, mean over repeats) and
            ``r2_sd`` (population SD over repeats); ``spearman`` (mean over repeats); ``rmse``
            (root of the mean squared error over repeats); ``fold_r2`` and ``fold_r2_sd`` (mean
            of the folds' own R², then mean and population SD over repeats: the statistic of
            Marmoret et al. 2026); ``r2_over_baseline`` (1 − SSE/SSE of the fold baseline);
            ``n_songs``, ``n_artists``.
        """
        unit = np.ones((1, len(self.ids)))
        table = {"target": self.targets}
        table |= {name: score_statistic(self, name)(unit)[0] for name in SCORES}
        frame = pd.DataFrame(table)
        error = ((self.observed - self.predicted) ** 2).sum(axis=1)
        total = ((self.observed - self.observed.mean(axis=0)) ** 2).sum(axis=0)
        frame.insert(2, "r2_sd", (1 - error / total).std(axis=0))
        by_repeat = np.stack(
            [_fold_r2(self, repeat)(unit)[0] for repeat in range(len(self.predicted))]
        )
        frame.insert(list(frame).index("fold_r2") + 1, "fold_r2_sd", by_repeat.std(axis=0))
        frame["n_songs"] = len(self.ids)
        frame["n_artists"] = len(set(self.artists))
        return frame

    def mean_predictions(self) -> pd.DataFrame:
        """Predictions averaged over repeats, one row a song and target (for scatter plots)."""
        keys = ["track_id", "artist", "style", "target"]
        table = self.predictions.groupby(keys, sort=False)[["observed", "predicted"]]
        return table.mean().reset_index()

    def select(self, targets) -> ProbeResult:
        """The same result for some of its targets."""
        targets = [targets] if isinstance(targets, str) else list(targets)
        unknown = [name for name in targets if name not in self.targets]
        if unknown:
            raise ProbeError(f"no such targets: {unknown}; this result has {self.targets}")
        keep = [self.targets.index(name) for name in targets]
        choices = self.choices
        if len(choices):
            choices = choices[choices["target"].isin(targets)].reset_index(drop=True)
        return ProbeResult(
            self.method,
            self.ids,
            targets,
            self.observed[:, keep],
            self.predicted[..., keep],
            self.baseline[..., keep],
            self.folds,
            self.artists,
            self.styles,
            choices,
            None if self.without is None else self.without[..., keep],
        )


def check_paired(results: Mapping[str, ProbeResult]) -> None:
    """Refuse results that are not of the same songs, targets and folds."""
    names = list(results)
    if not names:
        raise ProbeError("no results given")
    first = results[names[0]]
    for name in names[1:]:
        other = results[name]
        for what in ("ids", "targets", "observed", "folds"):
            if not np.array_equal(getattr(first, what), getattr(other, what)):
                raise ProbeError(
                    f"{names[0]!r} and {name!r} differ in their {what}; paired comparisons need "
                    "the same songs, targets and folds: run both with the same seed, or pass folds="
                )


def score_statistic(result: ProbeResult, score: str):
    """A function of song weights (n_draws, n) that gives the score (n_draws, n_targets).

    Weights are how often each song is counted: all 1 for the score itself, bootstrap counts for
    its distribution, 0 for left-out songs.
    """
    y = result.observed
    squared = ((y - result.predicted) ** 2).mean(axis=0)
    if score == "r2":
        return lambda w: 1 - _divide(w @ squared, _spread(w, y))
    if score == "rmse":
        return lambda w: np.sqrt(w @ squared / w.sum(axis=1, keepdims=True))
    if score == "r2_over_baseline":
        base = ((y - result.baseline) ** 2).mean(axis=0)
        return lambda w: 1 - _divide(w @ squared, w @ base)
    if score == "fold_r2":
        return lambda w: np.mean(
            [_fold_r2(result, repeat)(w) for repeat in range(len(result.predicted))], axis=0
        )
    if score == "spearman":
        return lambda w: np.stack([_spearman(result, row) for row in w])
    raise ProbeError(f"no such score: {score!r}; there are {', '.join(SCORES)}")


def _divide(above, below):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, above / below, np.nan)


def _spread(w, y):
    """Weighted sum of squares about the weighted mean, (n_draws, n_targets)."""
    y = y - y.mean(axis=0)  # keeps the difference of squares accurate
    return w @ y**2 - (w @ y) ** 2 / w.sum(axis=1, keepdims=True)


def _fold_r2(result: ProbeResult, repeat: int):
    def statistic(w):
        scores = []
        for number in range(result.folds[repeat].max() + 1):
            held = result.folds[repeat] == number
            y = result.observed[held]
            error = w[:, held] @ (y - result.predicted[repeat, held]) ** 2
            with np.errstate(divide="ignore", invalid="ignore"):
                scores.append(1 - _divide(error, _spread(w[:, held], y)))
        return np.mean(scores, axis=0)

    return statistic


def _spearman(result: ProbeResult, weights):
    rows = np.repeat(np.arange(len(weights)), weights.astype(int))
    y = rankdata(result.observed[rows], axis=0)
    y -= y.mean(axis=0)
    p = rankdata(result.predicted[:, rows], axis=1)
    p -= p.mean(axis=1, keepdims=True)
    below = np.sqrt((y**2).sum(axis=0) * (p**2).sum(axis=1))
    return _divide((y * p).sum(axis=1), below).mean(axis=0)
