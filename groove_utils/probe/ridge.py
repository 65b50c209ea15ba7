"""Ridge probes: the protocol of the published study, and a stricter nested one (chapter 06)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from groove_utils.probe.folds import artist_folds, check_folds
from groove_utils.probe.nested_cv import Plan, leave_out, ridge_splits, run_ridge
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.scaling import ClippedStandardScaler
from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["DEFAULT_ALPHAS", "nested_ridge", "nested_ridges", "paper_protocol"]

DEFAULT_ALPHAS = np.logspace(-1, 6, 15)
"""Penalties on standardised features: wide enough for 16 dimensions and for 9,984, and up to where
the prediction is all but the mean, so that «nothing to be heard here» can be chosen."""


def paper_protocol(
    X,
    y,
    artists=None,
    styles=None,
    *,
    ids=None,
    seeds: Sequence[int] = range(5),
    n_splits=4,
    alpha=0.2,
) -> ProbeResult:
    """Probe as Marmoret, Farrugia & Stupacher (2026) did, to the letter.

    Ridge with one fixed penalty on unscaled features, songs sorted by id, shuffled K folds for
    each seed, without regard to artists. The paper's score is ``fold_r2`` with ``fold_r2_sd`` of
    :meth:`ProbeResult.scores`.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer → such arrays
        Layers are concatenated in their order.
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
    artists, styles : array-like of shape (n,), optional
        Have no part in the protocol; the result carries them, for intervals and plots.
    ids : array-like of shape (n,), optional
        Song identifiers to sort by; by default the index of `y`.
    seeds : sequence of int
        One shuffled ``KFold`` each.
    n_splits : int
    alpha : float

    Returns
    -------
    ProbeResult
        Songs in sorted order; one repeat a seed.

    References
    ----------
    Marmoret, Farrugia & Stupacher (2026), arXiv:2603.27237.
    """
    songs = as_songs(y, artists, styles)
    blocks = as_blocks(X, len(songs), songs.ids)
    names = songs.ids if ids is None else np.asarray(ids, dtype=object)
    if names.shape != (len(songs),):
        raise ProbeError(f"ids have shape {names.shape}; expected ({len(songs)},)")
    order = np.array(sorted(range(len(songs)), key=lambda i: names[i]))
    matrix = np.concatenate(list(blocks.values()), axis=1)[order]
    values = songs.ratings[order]
    seeds = list(seeds)
    if not seeds or len(songs) < n_splits:
        raise ProbeError(f"{len(seeds)} seeds and {len(songs)} songs for {n_splits} folds")
    predicted = np.empty((len(seeds), *values.shape))
    baseline, folds = np.empty_like(predicted), np.empty((len(seeds), len(songs)), dtype=np.int64)
    groups = artist_codes(songs.artists[order])
    without = np.empty((groups.max() + 1, *predicted.shape))
    for repeat, seed in enumerate(seeds):
        cut = KFold(n_splits, shuffle=True, random_state=int(seed))
        for number, (train, test) in enumerate(cut.split(matrix)):
            model = Ridge(alpha=alpha, solver="cholesky").fit(matrix[train], values[train])
            predicted[repeat, test] = model.predict(matrix[test]).reshape(len(test), -1)
            baseline[repeat, test] = values[train].mean(axis=0)
            folds[repeat, test] = number
            change = np.zeros((groups.max() + 1, len(test), values.shape[1]))
            error = values[train] - model.predict(matrix[train]).reshape(len(train), -1)
            centred = matrix - matrix[train].mean(axis=0)
            gram = centred @ centred[train].T
            inverse = np.linalg.inv(gram[train] + alpha * np.eye(len(train)))
            leave_out(change, groups[train], error, gram[train] @ inverse, gram[test] @ inverse)
            without[:, repeat, test] = predicted[repeat, test] + change
    return ProbeResult(
        "paper protocol",
        names[order],
        songs.targets,
        values,
        predicted,
        baseline,
        folds,
        songs.artists[order],
        songs.styles[order],
        without=without,
    )


def nested_ridge(
    X,
    y,
    artists=None,
    styles=None,
    *,
    n_splits=4,
    n_repeats=5,
    n_inner=4,
    alphas=DEFAULT_ALPHAS,
    layers="select",
    pca=None,
    nuisance=None,
    folds=None,
    floor=1e-4,
    clip=5.0,
    seed=0,
    n_jobs=1,
    method="nested ridge",
) -> ProbeResult:
    """Probe with every choice made inside the training songs, and whole artists held out.

    For each outer fold the penalty, the layer and the number of principal components are those
    with the least mean squared error over inner folds of the training songs (mean over folds,
    as in scikit-learn's ``GridSearchCV``), for each target on its own; the model is then fitted
    to all training songs. Standardisation (:class:`ClippedStandardScaler`) is learnt in each inner
    and outer training set.

    Parameters
    ----------
    X : array-like of shape (n, d), or mapping of layer → such arrays
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
        One or several targets; all are probed at once.
    artists, styles : array-like of shape (n,), optional
        Folds are made of whole artists and balanced over styles. Without `artists` each song is
        its own.
    n_splits, n_repeats, n_inner : int
        Outer folds, repetitions of them, inner folds (fewer where a training set has fewer
        artists).
    alphas : array-like of float > 0
        Ridge penalties on standardised features.
    layers : {"select", "concat"} or str or sequence of str
        Choose one layer inside the inner folds; concatenate all standardised layers; or take
        the named layer, or choose among the named ones.
    pca : int or sequence of (int or None), optional
        Number of principal components to regress on, or several to choose from inside the inner
        folds; None stands for all. One number for all models compares them at equal dimension.
    nuisance : array-like of shape (n,) of labels, or (n, q) of numbers, optional
        Regressed out of the targets inside each training set, for instance style. The probe then
        predicts what is left; predictions and baseline include what the nuisance predicts.
    folds : ndarray of shape (n,) or (n_repeats, n), optional
        Outer folds to use instead of dealing new ones, for example of another result.
    floor, clip : float
        Of :class:`ClippedStandardScaler`.
    seed : int
    n_jobs : int
        Threads over outer folds.
    method : str
        Name that the result carries.

    Returns
    -------
    ProbeResult

    Raises
    ------
    ProbeError
        Unusable data or settings; folds that split an artist.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 20))
    >>> y = X[:, 0] + rng.standard_normal(60)
    >>> result = nested_ridge(X, y, artists=np.arange(60) // 2, n_repeats=2)
    >>> bool(result.scores().r2[0] > 0)
    True
    """
    songs = as_songs(y, artists, styles)
    blocks = as_blocks(X, len(songs), songs.ids)
    plan = make_plan(blocks, alphas=alphas, layers=layers, pca=pca, floor=floor, clip=clip)
    folds = outer_folds(songs, folds, n_splits, n_repeats, seed)
    design = nuisance_design(nuisance, len(songs))
    return run_plan(
        method, songs, blocks, plan, folds, n_inner=n_inner, design=design, seed=seed, n_jobs=n_jobs
    )


def nested_ridges(features: Mapping[str, object], y, *, n_jobs=1, **settings):
    """:func:`nested_ridge` of several representations of the same songs, side by side.

    Parameters
    ----------
    features : mapping of name → features
        As the X of :func:`nested_ridge`, by representation.
    y : Series, DataFrame or array-like of shape (n,) or (n, m)
    n_jobs : int
        Processes, each of which takes one representation after the other.
    **settings
        As in :func:`nested_ridge`.

    Returns
    -------
    dict of str → ProbeResult
        By representation, in their order.
    """
    tasks = (delayed(nested_ridge)(X, y, **settings) for X in features.values())
    return dict(zip(features, Parallel(n_jobs)(tasks), strict=True))


def run_plan(
    method, songs, blocks, plan, folds, *, n_inner=4, design=None, seed=0, n_jobs=1
) -> ProbeResult:
    """All outer folds of a plan, with the refits without each artist, as one result."""
    splits = ridge_splits(folds, songs.artists, songs.styles, n_inner=n_inner, seed=seed)
    groups = artist_codes(songs.artists)
    fits = run_ridge(
        blocks, songs.ratings, splits, plan, nuisance=design, groups=groups, n_jobs=n_jobs
    )
    return collect(method, songs, folds, splits, fits, plan)


def artist_codes(artists) -> np.ndarray:
    """Number of each song's artist in sorted order, 0 … g − 1."""
    return np.unique(np.asarray(artists).astype(str), return_inverse=True)[1]


def make_plan(blocks, *, alphas, layers, pca, floor, clip) -> Plan:
    """The candidates of a nested ridge as a :class:`~groove_utils.probe.nested_cv.Plan`."""
    alphas = np.atleast_1d(np.asarray(alphas, dtype=np.float64))
    if alphas.ndim != 1 or not len(alphas) or not (np.isfinite(alphas) & (alphas > 0)).all():
        raise ProbeError(f"alphas are {alphas}; expected one or more penalties above 0")
    sizes = [None] if pca is None else [pca] if np.isscalar(pca) else list(pca)
    bad = [k for k in sizes if k is not None and (int(k) != k or k < 1)]
    if bad or not sizes:
        raise ProbeError(f"pca is {pca!r}; expected numbers of components of 1 or more, or None")
    names = list(blocks)
    identity = np.eye(len(names))
    if isinstance(layers, str) and layers == "select":
        chosen, weights = names, identity
    elif isinstance(layers, str) and layers == "concat":
        chosen, weights = ["concat"], np.ones((1, len(names)))
    else:
        chosen = [layers] if isinstance(layers, str) else [str(name) for name in layers]
        unknown = [name for name in chosen if name not in names]
        if unknown or not chosen:
            raise ProbeError(
                f"no such layers: {unknown or layers!r}; X has {names}, and 'select' and 'concat' "
                "are allowed"
            )
        weights = identity[[names.index(name) for name in chosen]]
    sizes = [None if k is None else int(k) for k in sizes]
    return Plan(chosen, weights, alphas, sizes, ClippedStandardScaler(floor, clip))


def outer_folds(songs, folds, n_splits, n_repeats, seed) -> np.ndarray:
    """Outer folds (n_repeats, n): those given, checked, or newly dealt ones."""
    if folds is None:
        return artist_folds(
            songs.artists, songs.styles, n_splits=n_splits, n_repeats=n_repeats, seed=seed
        )
    folds = np.atleast_2d(np.asarray(folds))
    check_folds(folds, songs.artists)
    return folds


def nuisance_design(nuisance, n: int) -> np.ndarray | None:
    """Design matrix of nuisance variables: an indicator a label, or numbers with an intercept."""
    if nuisance is None:
        return None
    frame = pd.DataFrame(nuisance)
    if len(frame) != n:
        raise ProbeError(f"nuisance has {len(frame)} rows for {n} songs")
    if frame.isna().to_numpy().any():
        raise ProbeError("nuisance holds missing values; give unknown ones a label of their own")
    numeric = all(pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes)
    if numeric:
        return np.column_stack([np.ones(n), frame.to_numpy(dtype=np.float64)])
    if frame.shape[1] > 1:
        raise ProbeError("give either one column of labels or numeric columns as nuisance")
    labels = frame.iloc[:, 0].astype(str).to_numpy()
    indicators = (labels[:, None] == np.unique(labels)).astype(np.float64)
    return np.column_stack([np.ones(n), indicators])


def collect(method, songs, folds, splits, fits, plan) -> ProbeResult:
    """Fits of all splits as one :class:`ProbeResult`."""
    shape = (len(folds), *songs.ratings.shape)
    predicted, baseline = np.empty(shape), np.empty(shape)
    without = None
    if "without" in fits[0]:
        without = np.empty((len(fits[0]["without"]), *shape))
    rows = []
    for split, fit in zip(splits, fits, strict=True):
        predicted[split.repeat, split.test] = fit["predicted"]
        baseline[split.repeat, split.test] = fit["baseline"]
        if without is not None:
            without[:, split.repeat, split.test] = fit["without"]
        rows.append(
            pd.DataFrame(
                {
                    "repeat": split.repeat,
                    "fold": split.fold,
                    "target": songs.targets,
                    "layer": np.array(plan.names, dtype=object)[fit["candidate"]],
                    "alpha": plan.alphas[fit["alpha"]],
                    "pca": pd.array([plan.sizes[i] for i in fit["size"]], dtype="Int64"),
                    "inner_mse": fit["inner_mse"],
                }
            )
        )
    choices = pd.concat(rows, ignore_index=True)
    return ProbeResult.from_arrays(method, songs, predicted, baseline, folds, choices, without)
