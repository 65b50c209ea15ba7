"""Dependence of ratings on a feature: partial dependence, quadratic fit, and two-lines test."""

from __future__ import annotations

import numpy as np
import pandas as pd
import statsmodels.api as sm
from patsy import dmatrix
from sklearn import inspection
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingRegressor

from groove_utils.probe.songs import ProbeError, as_data
from groove_utils.stats.validation import as_blocks, label_codes

__all__ = ["parabola", "partial_dependence", "two_lines"]

FEWEST_VALUES = 10


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
    """Compute the partial dependence of ratings on a feature, with a band from an artist bootstrap.

    Parameters
    ----------
    X : DataFrame, shape (n, d)
        Features of n songs.
    y : array-like of shape (n,)
        Target, such as mean ratings.
    artists : array-like of shape (n,), optional
        Artist of each song; by default, each song counts as its own artist.
    feature : str
        A column of `X`.
    estimator : scikit-learn regressor, optional
        By default, gradient boosting with 75 trees of depth 2, a learning rate of 0.05 and at least
        five songs per leaf.
    n_points : int
        Number of points at which the curve is computed: equally spaced quantiles of the feature,
        from the 5th to the 95th percentile.
    n_refits : int
        Number of bootstrap samples of artists. The estimator is refitted to each sample.
    seed : int
        Random seed.

    Returns
    -------
    DataFrame
        Columns: ``x`` (values of the feature); ``estimate`` (the curve minus its mean, since only
        its shape matters); ``low, high`` (2.5% and 97.5% quantiles of the bootstrap curves).

    Notes
    -----
    The method is described by Friedman (2001), Annals of Statistics 29(5), section 8.2. If features
    are correlated, the predictions that are averaged include some for combinations of values that
    do not occur in practice. The band shows how much the curve depends on the sample of artists; it
    is not a test of the curve's shape.
    """
    songs, blocks = as_data(X, y, artists)
    if feature not in X.columns:
        names = ", ".join(map(str, X.columns))
        raise ProbeError(f"no such feature: {feature!r}; expected one of {names}",
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
    """Regress ratings on a feature and its square, with standard errors clustered by artist.

    Parameters
    ----------
    x, y, artists : array-like of shape (n,)
        Feature, rating and artist of each song. The feature is converted to z-scores before
        fitting. Without `artists`, each song counts as its own artist.
    covariates : DataFrame of shape (n, k), optional
        Covariates to adjust for; they, too, are standardised before fitting. The table may have no
        columns (k = 0).
    points : array-like, optional
        Values of `x` at which to compute the curve; by default, 25 equally spaced quantiles from
        the 5th to the 95th percentile.

    Returns
    -------
    curve : DataFrame
        ``x, estimate, low, high`` (95% interval); the mean of ``estimate`` is 0.
    bend : Series
        ``estimate, low, high, p`` for the coefficient of z² (negative for an inverted U), and
        ``peak``, the turning point in units of `x`.

    Notes
    -----
    The covariance is estimated by the cluster-robust sandwich estimator with statsmodels'
    small-sample correction; t statistics have (number of artists − 1) degrees of freedom.
    """
    songs, blocks = as_data(np.asarray(x, dtype=np.float64), y, artists)
    x = blocks["features"][:, 0]
    if not x.std() > 0:
        raise ProbeError("the feature is constant", kind="constant", column="x", value=x[0])
    z = (x - x.mean()) / x.std()
    columns = [np.ones_like(z), z, z**2, *_standardise(covariates, len(songs))]
    fit = _fit_clustered(songs, columns)
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


def two_lines(x, y, artists=None, covariates=None) -> pd.DataFrame:
    """Test for a U shape or an inverted U by fitting a line on each side of a break point.

    A significant quadratic term alone is not evidence for a U shape, because it also occurs if a
    curve merely flattens out.

    Parameters
    ----------
    x, y, artists, covariates
        See :func:`parabola`.

    Returns
    -------
    DataFrame
        One row for each side of the break point (index ``below`` and ``above``): ``estimate``
        (slope, in rating points per unit of `x`), ``low, high`` (95% interval, clustered by
        artist), ``p``, ``n_songs`` and ``n_artists`` on this side (an artist may have songs on both
        sides), and ``break_at`` (the break point, which is the same in both rows). The shape is an
        inverted U if the slope is significantly positive below the break point and significantly
        negative above it.

    Notes
    -----
    The test was proposed by Simonsohn (2018), Advances in Methods and Practices in Psychological
    Science 1(4), 538–555. The break point is set by his “Robin Hood” algorithm: fit a cubic spline;
    find its most extreme value between the 10th and 90th percentiles of `x`; take the songs in this
    range whose fitted values are within one standard error of the extreme value; place the break
    point among these songs, so that the weaker of the two lines gets more of them. The lines need
    not meet at the break point. The chapter on descriptors estimates how often the test mistakes a
    curve that rises to a plateau for an inverted U.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-1, 1, 200)
    >>> lines = two_lines(x, -(x**2) + 0.2 * rng.standard_normal(200))
    >>> bool(lines.loc["below", "low"] > 0), bool(lines.loc["above", "high"] < 0)
    (True, True)
    """
    songs, blocks = as_data(np.asarray(x, dtype=np.float64), y, artists)
    x, adjusted = blocks["features"][:, 0], _standardise(covariates, len(songs))
    if len(np.unique(x)) < FEWEST_VALUES:
        raise ProbeError(
            f"the feature has {len(np.unique(x))} distinct values; the two-lines test needs at "
            f"least {FEWEST_VALUES}",
            kind="too_few", column="x", value=len(np.unique(x)),
        )  # fmt: skip
    z = (x - x.mean()) / x.std()
    sign = -1 if _fit_clustered(songs, [np.ones_like(z), z, z**2, *adjusted]).params[2] > 0 else 1
    spline = np.asarray(dmatrix("cr(z, df=5) - 1", {"z": z}))
    n_columns = spline.shape[1] + len(adjusted)
    if len(z) <= n_columns:
        raise ProbeError(
            f"there are {len(z)} songs; fitting the spline and {len(adjusted)} covariates needs "
            f"more than {n_columns}",
            kind="too_few", column="covariates", value=len(z),
        )  # fmt: skip
    smooth = sm.OLS(songs.ratings[:, 0], np.column_stack([spline, *adjusted])).fit()
    design = np.column_stack([spline, *[np.full(len(z), column.mean()) for column in adjusted]])
    height = sign * (design @ smooth.params)
    error = np.sqrt(np.einsum("ij,jk,ik->i", design, smooth.cov_params(), design))
    inner = (x >= np.quantile(x, 0.1)) & (x <= np.quantile(x, 0.9))
    top = np.flatnonzero(inner)[height[inner].argmax()]
    flat = np.sort(x[inner & (height >= height[top] - error[top])])
    first = _lines(songs, x, np.median(flat), adjusted)
    strength = (first["estimate"] / first["se"]).abs()
    share = strength["above"] / strength.sum()
    table = _lines(songs, x, np.quantile(flat, share), adjusted)
    return table.drop(columns="se")


def _lines(songs, x, cut, adjusted) -> pd.DataFrame:
    """Fit one line below and one above `cut`, with standard errors clustered by artist."""
    above = x > cut
    columns = [np.ones_like(x), np.where(above, 0, x - cut), np.where(above, x - cut, 0), above]
    fit = _fit_clustered(songs, [*columns, *adjusted])
    low, high = fit.conf_int()[1:3].T
    values = {"estimate": fit.params[1:3], "low": low, "high": high, "se": fit.bse[1:3]}
    sides = [~above, above]
    values |= {"p": fit.pvalues[1:3], "n_songs": [int(side.sum()) for side in sides]}
    values |= {"n_artists": [len(set(songs.artists[side])) for side in sides]}
    index = pd.Index(["below", "above"], name="side")
    return pd.DataFrame(values, index=index).assign(break_at=cut)


def _standardise(covariates, n: int) -> list[np.ndarray]:
    """Drop constant covariates, standardise the rest, and return them as a list of columns."""
    if covariates is None or np.shape(covariates)[1:] == (0,):
        return []
    values = as_blocks(covariates, n)["features"]
    values = values[:, values.std(axis=0) > 0]
    return list(((values - values.mean(axis=0)) / values.std(axis=0)).T)


def _fit_clustered(songs, columns):
    """Regress ratings on columns by least squares, with standard errors clustered by artist."""
    return sm.OLS(songs.ratings[:, 0], np.column_stack(columns).astype(float)).fit(
        cov_type="cluster", cov_kwds={"groups": label_codes(songs.artists)}, use_t=True
    )
