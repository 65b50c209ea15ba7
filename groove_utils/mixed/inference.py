"""Satterthwaite degrees of freedom, t tests and F tests for contrasts of fixed effects.

The method is the same as in lmerTest (Kuznetsova et al. 2017). The degrees of freedom depend on the
sampling variance of a contrast's estimated variance. This sampling variance is computed from the
curvature of the deviance with respect to the covariance parameters. The method applies to every
linear function of the coefficients: marginal means, slopes and Type III tests differ only in their
contrast matrices.

References
----------
Kuznetsova, Brockhoff & Christensen (2017), Journal of Statistical Software 82(13).
Fai & Cornelius (1996), Journal of Statistical Computation and Simulation 54, 363–378.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import linalg, stats

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.errors import check_range
from groove_utils.stats.threads import one_thread

__all__ = ["Satterthwaite", "check_level", "f_test", "t_table", "wald_table"]


class Satterthwaite:
    """Satterthwaite degrees of freedom for contrasts of a fitted model.

    Parameters
    ----------
    deviance : CrossedDeviance
        Deviance of the model.
    theta : ndarray, shape (n_theta,)
        Relative covariance parameters at the optimum.
    sigma : float
        Residual standard deviation.

    Attributes
    ----------
    vcov : ndarray, shape (n_fixed, n_fixed)
        Covariance of the fixed-effect coefficients.
    """

    @one_thread
    def __init__(self, deviance: CrossedDeviance, theta: np.ndarray, sigma: float):
        k = len(theta)
        self.vcov = sigma**2 * deviance.at(theta).unscaled()
        # Hessian of the deviance and derivatives of vcov, with respect to θ and log σ
        hessian = np.zeros((k + 1, k + 1))
        slopes = np.zeros((k + 1, *self.vcov.shape))
        for i in range(k):
            move = np.zeros(k)
            move[i] = 2e-3 * max(abs(theta[i]), 0.5)
            up, down = deviance.at(theta + move), deviance.at(theta - move)
            hessian[i] = (up.gradient(sigma) - down.gradient(sigma)) / (2 * move[i])
            slopes[i] = sigma**2 * (up.unscaled() - down.unscaled()) / (2 * move[i])
        hessian[k] = np.append(hessian[:k, k], 4 * deviance.df)
        slopes[k] = 2 * self.vcov
        self._slopes = slopes
        # exclude flat directions (due to variances of 0), which do not affect the others
        values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
        keep = values > max(1e-8 * values.max(), 1e-4)
        self._acov = 2 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T

    def df(self, rows) -> np.ndarray:
        """Compute the degrees of freedom of contrasts.

        Parameters
        ----------
        rows : array-like, shape (n_contrasts, n_fixed) or (n_fixed,)
            Weights of the coefficients in each contrast.

        Returns
        -------
        ndarray, shape (n_contrasts,)
            Degrees of freedom.
        """
        rows = np.atleast_2d(np.asarray(rows, dtype=float))
        variance = np.einsum("ij,jk,ik->i", rows, self.vcov, rows)
        slopes = np.einsum("ij,vjk,ik->iv", rows, self._slopes, rows)
        spread = np.einsum("iv,vw,iw->i", slopes, self._acov, slopes)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, 2 * variance**2 / spread, np.inf)


def t_table(result, rows, keys: dict, level: float = 0.95) -> pd.DataFrame:
    """Test linear functions of the fixed coefficients against 0.

    Parameters
    ----------
    result : LmmResult
        Fitted model.
    rows : array-like, shape (n, n_fixed)
        Weights of the coefficients in each linear function.
    keys : dict of str to list
        Columns that identify the rows of the table.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        One row per linear function, with the columns of `keys`, then ``estimate, se, df, t, p, low,
        high``.
    """
    check_level(level)
    rows = np.atleast_2d(np.asarray(rows, dtype=float))
    estimate = rows @ result.beta
    se = np.sqrt(np.einsum("ij,jk,ik->i", rows, result.inference.vcov, rows).clip(min=0))
    return wald_table(keys, estimate, se, result.inference.df(rows), level)


def wald_table(keys: dict, estimate, se, df, level: float) -> pd.DataFrame:
    """Tabulate estimates with their t values, p-values and intervals, as in `t_table`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = estimate / se
    half = stats.t.ppf((1 + level) / 2, df) * se
    columns = {"estimate": estimate, "se": se, "df": df, "t": t}
    columns |= {"p": 2 * stats.t.sf(np.abs(t), df), "low": estimate - half, "high": estimate + half}
    return pd.DataFrame(keys | columns)


def f_test(result, rows) -> dict[str, float]:
    """Compute an F test of whether linear functions of the fixed coefficients are all 0.

    Parameters
    ----------
    result : LmmResult
        Fitted model.
    rows : ndarray, shape (n, n_fixed)
        Weights of the coefficients in each linear function; rows may be linearly dependent.

    Returns
    -------
    dict of str to float
        ``num_df, den_df`` (numerator and denominator degrees of freedom), ``F`` and ``p``.
    """
    rows = np.atleast_2d(np.asarray(rows, dtype=float))
    cov = rows @ result.inference.vcov @ rows.T
    values, vectors = linalg.eigh(cov)
    keep = values > 1e-10 * values.max()
    q = int(keep.sum())
    independent = vectors[:, keep].T @ rows
    t2 = (independent @ result.beta) ** 2 / values[keep]
    F = float(t2.sum() / q)
    nu = result.inference.df(independent)
    if q == 1:
        den = float(nu[0])
    elif np.ptp(nu) < 1e-8:
        den = float(nu.mean())
    elif (nu <= 2).any():
        den = 2.0
    else:
        expected = (nu / (nu - 2)).sum()
        den = float(2 * expected / (expected - q))
    return {"num_df": q, "den_df": den, "F": F, "p": float(stats.f.sf(F, q, den))}


def check_level(level: float) -> None:
    """Raise an error if the coverage of an interval is not between 0 and 1."""
    check_range("level", level, 0 < level < 1, "a coverage between 0 and 1, such as 0.95")
