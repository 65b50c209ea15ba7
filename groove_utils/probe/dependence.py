"""How ratings depend on one feature: partial dependence, and a parabola (chapter 04)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor

from groove_utils.probe.validation import ProbeError, as_blocks, as_songs

__all__ = ["parabola", "partial_dependence"]


def partial_dependence(
    X: pd.DataFrame,
    y,
    artists=None,
    *,
    feature: str,
    estimator=None,
    n_points: int = 25,
    n_refits: int = 30,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Mean prediction as one feature takes given values and all others stay as they are.

    Parameters
    ----------
    X : DataFrame, shape (n, d)
        One row a song, without NaN.
    y : Series or array-like of shape (n,)
    artists : array-like of shape (n,), optional
        Without it each song counts as an artist of its own.
    feature : str
        A column of `X`.
    estimator : scikit-learn regressor, optional
        By default boosted trees: 75 of depth 2 at a learning rate of 0.05, five songs a leaf.
    n_points : int
        Values of the feature, at equally spaced quantiles from the 5th to the 95th percentile.
    n_refits : int
        Fits to artists drawn with replacement, for the band.
    level : float
        Of the band: quantiles of the refits at each value.
    seed : int

    Returns
    -------
    DataFrame
        ``x, estimate, low, high``; each curve has mean 0 over the grid, since its shape is the
        question and not its height.

    Raises
    ------
    ProbeError
        If there is no such feature, or NaN in it.

    References
    ----------
    Friedman (2001), Annals of Statistics 29(5), 1189–1232, section 8.2.

    Notes
    -----
    Where features go together, some of the songs that are averaged over could not exist. The band
    says how far the curve depends on who was sampled; it is no test of the curve's shape.
    """
    songs = as_songs(y, artists)
    if feature not in X.columns:
        raise ProbeError(f"no feature {feature!r}; there are {', '.join(map(str, X.columns))}")
    matrix = as_blocks(X, len(songs))["features"]
    column = X.columns.get_loc(feature)
    target = songs.ratings[:, 0]
    if estimator is None:
        estimator = GradientBoostingRegressor(
            n_estimators=75, max_depth=2, learning_rate=0.05, min_samples_leaf=5, random_state=seed
        )
    x = np.unique(np.quantile(matrix[:, column], np.linspace(0.05, 0.95, n_points)))

    def curve(rows):
        model = clone(estimator).fit(matrix[rows], target[rows])
        grid = np.repeat(matrix[None], len(x), axis=0)
        grid[:, :, column] = x[:, None]
        means = model.predict(grid.reshape(-1, matrix.shape[1])).reshape(len(x), -1).mean(axis=1)
        return means - means.mean()

    estimate = curve(np.arange(len(songs)))
    names, artist = np.unique(songs.artists.astype(str), return_inverse=True)
    members = [np.flatnonzero(artist == k) for k in range(len(names))]
    rng = np.random.default_rng(seed)
    draws = [
        curve(np.concatenate([members[k] for k in rng.integers(0, len(names), len(names))]))
        for _ in range(n_refits)
    ]
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return pd.DataFrame({"x": x, "estimate": estimate, "low": low, "high": high})


def parabola(
    x, y, artists=None, covariates=None, *, points=None, level: float = 0.95
) -> tuple[pd.DataFrame, pd.Series]:
    """Regression of ratings on a feature and its square, with errors clustered by artist.

    Parameters
    ----------
    x : array-like of shape (n,)
        The feature; it is standardised to z.
    y : Series or array-like of shape (n,)
    artists : array-like of shape (n,), optional
        Without it each song counts as an artist of its own.
    covariates : DataFrame of shape (n, k), optional
        Held fixed; standardised.
    points : array-like, optional
        Values of `x` at which to give the curve; 25 from the 5th to the 95th percentile by
        default.
    level : float

    Returns
    -------
    curve : DataFrame
        ``x, estimate, low, high``, with mean 0 over the points.
    bend : Series
        ``estimate, low, high, p`` of the coefficient of z² (negative: an inverted U), and
        ``peak``, where the curve turns, in units of `x`.

    Raises
    ------
    ProbeError
        If `x` is constant or does not match `y`.

    Notes
    -----
    The covariance is the sandwich clustered by artist with statsmodels' small-sample factor, and t
    has (artists − 1) degrees of freedom.
    """
    songs = as_songs(y, artists)
    x = as_blocks(np.asarray(x, dtype=np.float64), len(songs))["features"][:, 0]
    if not x.std() > 0:
        raise ProbeError("the feature is constant; there is nothing for ratings to depend on")
    z = (x - x.mean()) / x.std()
    columns = [np.ones_like(z), z, z**2]
    if covariates is not None:
        held = as_blocks(covariates, len(songs))["features"]
        columns += list(((held - held.mean(axis=0)) / held.std(axis=0)).T)
    groups = pd.factorize(songs.artists)[0]
    fit = sm.OLS(songs.ratings[:, 0], np.column_stack(columns)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    t = stats.t.isf((1 - level) / 2, groups.max())
    if points is None:
        points = np.quantile(x, np.linspace(0.05, 0.95, 25))
    at = (np.asarray(points, dtype=np.float64) - x.mean()) / x.std()
    design = np.column_stack([at, at**2])
    design = design - design.mean(axis=0)
    error = np.sqrt(np.einsum("ij,jk,ik->i", design, fit.cov_params()[1:3, 1:3], design))
    estimate = design @ fit.params[1:3]
    curve = pd.DataFrame({"x": points, "estimate": estimate, "low": estimate - t * error}).assign(
        high=estimate + t * error
    )
    slope, bend = fit.params[1:3]
    peak = x.mean() - x.std() * slope / (2 * bend) if bend else np.nan
    low, high = bend - t * fit.bse[2], bend + t * fit.bse[2]
    told = {"estimate": bend, "low": low, "high": high, "p": fit.pvalues[2], "peak": peak}
    return curve, pd.Series(told)
