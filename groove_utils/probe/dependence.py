"""Dependence of ratings on one feature: partial dependence, and a parabola."""

from __future__ import annotations

import numpy as np
import pandas as pd
import statsmodels.api as sm
from sklearn import inspection
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor

from groove_utils.probe.validation import ProbeError, as_data
from groove_utils.stats.validation import as_blocks, label_codes

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
    seed: int = 0,
) -> pd.DataFrame:
    """Average predictions with one feature set to given values, with a band over artists.

    Parameters
    ----------
    X : DataFrame, shape (n, d)
    y, artists : array-like of shape (n,)
        Without `artists` each song counts as an artist of its own.
    feature : str
        A column of `X`.
    estimator : scikit-learn regressor, optional
        By default boosted trees: 75 of depth 2 at a learning rate of 0.05, five songs per leaf.
    n_points : int
        Values of the feature, at equally spaced quantiles from the 5th to the 95th percentile.
    n_refits : int
        Fits to artists drawn with replacement; the 95% band is of their quantiles.
    seed : int

    Returns
    -------
    DataFrame
        ``x, estimate, low, high``, with mean 0 over the grid, so that only the shape counts.

    Notes
    -----
    Friedman (2001), Annals of Statistics 29(5), section 8.2. Where features are correlated, some
    of the averaged songs could not exist. The band shows how the curve depends on the sampled
    artists; it is not a test of the curve's shape.
    """
    songs, blocks = as_data(X, y, artists)
    if feature not in X.columns:
        raise ProbeError(f"no feature {feature!r}; there are {', '.join(map(str, X.columns))}",
                         kind="unknown", column="feature", value=feature)  # fmt: skip
    matrix, target = blocks["features"], songs.ratings[:, 0]
    column = X.columns.get_loc(feature)
    if estimator is None:
        estimator = GradientBoostingRegressor(
            n_estimators=75, max_depth=2, learning_rate=0.05, min_samples_leaf=5, random_state=seed
        )
    x = np.unique(np.quantile(matrix[:, column], np.linspace(0.05, 0.95, n_points)))

    def curve(rows):
        model = clone(estimator).fit(matrix[rows], target[rows])
        (means,) = inspection.partial_dependence(
            model, matrix, [column], custom_values={column: x}, method="brute", kind="average"
        )["average"]
        return means - means.mean()

    artist = label_codes(songs.artists)
    members = [np.flatnonzero(artist == k) for k in range(artist.max() + 1)]
    rng = np.random.default_rng(seed)
    draws = [
        curve(np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))]))
        for _ in range(n_refits)
    ]
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    return pd.DataFrame({"x": x, "estimate": curve(slice(None)), "low": low, "high": high})


def parabola(x, y, artists=None, covariates=None, *, points=None) -> tuple[pd.DataFrame, pd.Series]:
    """Regress ratings on a feature and its square, with errors clustered by artist.

    Parameters
    ----------
    x, y, artists : array-like of shape (n,)
        The feature, which is standardised to z; ratings; labels.
    covariates : DataFrame of shape (n, k), optional
        Held fixed; standardised.
    points : array-like, optional
        Values of `x` for the curve; by default 25 from the 5th to the 95th percentile.

    Returns
    -------
    curve : DataFrame
        ``x, estimate, low, high`` (95%), with mean 0 over the points.
    bend : Series
        ``estimate, low, high, p`` of the coefficient of z² (negative: an inverted U), and
        ``peak``, where the curve turns, in units of `x`.

    Notes
    -----
    The covariance is the sandwich clustered by artist with statsmodels' small-sample factor, and t
    has (artists − 1) degrees of freedom.
    """
    songs, blocks = as_data(np.asarray(x, dtype=np.float64), y, artists)
    x = blocks["features"][:, 0]
    if not x.std() > 0:
        raise ProbeError("the feature is constant", kind="constant", column="x", value=x[0])
    z = (x - x.mean()) / x.std()
    columns = [np.ones_like(z), z, z**2]
    if covariates is not None:
        held = as_blocks(covariates, len(songs))["features"]
        columns += list(((held - held.mean(axis=0)) / held.std(axis=0)).T)
    fit = sm.OLS(songs.ratings[:, 0], np.column_stack(columns)).fit(
        cov_type="cluster", cov_kwds={"groups": label_codes(songs.artists)}, use_t=True
    )
    if points is None:
        points = np.quantile(x, np.linspace(0.05, 0.95, 25))
    at = (np.asarray(points, dtype=np.float64) - x.mean()) / x.std()
    design = np.zeros((len(at), len(columns)))
    design[:, 1:3] = np.column_stack([at - at.mean(), at**2 - (at**2).mean()])
    effects = fit.t_test(design)
    low, high = effects.conf_int().T
    curve = pd.DataFrame({"x": points, "estimate": effects.effect, "low": low, "high": high})
    slope, bend = fit.params[1:3]
    peak = x.mean() - x.std() * slope / (2 * bend) if bend else np.nan
    values = [bend, *fit.conf_int()[2], fit.pvalues[2], peak]
    return curve, pd.Series(values, index=["estimate", "low", "high", "p", "peak"])
