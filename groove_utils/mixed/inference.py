"""Satterthwaite degrees of freedom for any contrast of fixed effects, and F tests.

lmerTest's method (Kuznetsova et al. 2017): the variance of a contrast is itself an estimate; its
sampling variance follows from the curvature of the deviance in the covariance parameters. Works on
any linear function of the coefficients, so marginal means, slopes and Type III tests are only a
matter of the right rows. Chapter 08-mixed-models uses it.

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
from groove_utils.stats.threads import one_thread

__all__ = ["Satterthwaite", "f_test", "t_table"]


class Satterthwaite:
    """Degrees of freedom of contrasts in one fitted model.

    Parameters
    ----------
    deviance : CrossedDeviance
    theta : ndarray
        At the optimum.
    sigma : float
    step : float
        Step of the differences in θ, relative to the larger of |θ| and half its scale.

    Attributes
    ----------
    vcov : ndarray, shape (n_fixed, n_fixed)
        Covariance of the coefficients.
    """

    @one_thread
    def __init__(self, deviance: CrossedDeviance, theta, sigma: float, step: float = 2e-3):
        theta = np.asarray(theta, dtype=float)
        k, df = len(theta), deviance.df
        h = step * np.maximum(np.abs(theta), 0.5 * deviance.theta_scale)

        def at(*moves):
            moved = theta.copy()
            for i, sign in moves:
                moved[i] += sign * h[i]
            log_det, rss, unscaled = deviance.pieces(moved)
            return log_det + rss / sigma**2, rss, unscaled

        centre, _, unscaled = at()
        hessian = np.zeros((k + 1, k + 1))
        slopes = np.zeros((k + 1, *unscaled.shape))
        for i in range(k):
            up, down = at((i, 1)), at((i, -1))
            hessian[i, i] = (up[0] - 2 * centre + down[0]) / h[i] ** 2
            hessian[i, k] = hessian[k, i] = -2 * (up[1] - down[1]) / (2 * h[i]) / sigma**3
            slopes[i] = sigma**2 * (up[2] - down[2]) / (2 * h[i])
            for j in range(i):
                cross = (
                    at((i, 1), (j, 1))[0]
                    - at((i, 1), (j, -1))[0]
                    - at((i, -1), (j, 1))[0]
                    + at((i, -1), (j, -1))[0]
                ) / (4 * h[i] * h[j])
                hessian[i, j] = hessian[j, i] = cross
        hessian[k, k] = 4 * df / sigma**2
        slopes[k] = 2 * sigma * unscaled
        self.vcov = sigma**2 * unscaled
        self._slopes = slopes
        # a flat direction (a variance at zero) says nothing about the others: leave it out; the
        # units of the predictors must not decide what is flat
        scale = np.append(deviance.theta_scale, sigma)
        values, vectors = np.linalg.eigh(hessian * scale[:, None] * scale)
        keep = values > max(1e-8 * values.max(), 1e-4)
        self._acov = 2 * (vectors[:, keep] / values[keep]) @ vectors[:, keep].T
        self._acov *= scale[:, None] * scale

    def df(self, rows) -> np.ndarray:
        """Degrees of freedom of each contrast.

        Parameters
        ----------
        rows : ndarray, shape (n_contrasts, n_fixed) or (n_fixed,)

        Returns
        -------
        ndarray, shape (n_contrasts,)
        """
        rows = np.atleast_2d(np.asarray(rows, dtype=float))
        variance = np.einsum("ij,jk,ik->i", rows, self.vcov, rows)
        slopes = np.einsum("ij,vjk,ik->iv", rows, self._slopes, rows)
        spread = np.einsum("iv,vw,iw->i", slopes, self._acov, slopes)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, 2 * variance**2 / spread, np.inf)


def t_table(
    rows, beta, inference: Satterthwaite, level: float = 0.95, null: float = 0.0
) -> pd.DataFrame:
    """Estimate, SE, df, t, p and interval of each linear function of the coefficients.

    Parameters
    ----------
    rows : ndarray, shape (n, n_fixed)
    beta : ndarray, shape (n_fixed,)
    inference : Satterthwaite
    level : float
        Coverage of the interval, 0…1.
    null : float
        Value that the two-sided test is against.

    Returns
    -------
    DataFrame
        Columns estimate, se, df, t, p, low, high.
    """
    check_level(level)
    rows = np.atleast_2d(np.asarray(rows, dtype=float))
    estimate = rows @ beta
    se = np.sqrt(np.einsum("ij,jk,ik->i", rows, inference.vcov, rows).clip(min=0))
    df = inference.df(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (estimate - null) / se
    half = stats.t.ppf((1 + level) / 2, df) * se
    return pd.DataFrame(
        {
            "estimate": estimate,
            "se": se,
            "df": df,
            "t": t,
            "p": 2 * stats.t.sf(np.abs(t), df),
            "low": estimate - half,
            "high": estimate + half,
        }
    )


def f_test(rows, beta, inference: Satterthwaite) -> dict[str, float]:
    """F test that several linear functions of the coefficients are all zero.

    Parameters
    ----------
    rows : ndarray, shape (n, n_fixed)
        May be linearly dependent.

    Returns
    -------
    dict
        num_df, den_df, F, p.
    """
    rows = np.atleast_2d(np.asarray(rows, dtype=float))
    cov = rows @ inference.vcov @ rows.T
    values, vectors = linalg.eigh(cov)
    keep = values > 1e-10 * values.max()
    q = int(keep.sum())
    apart = vectors[:, keep].T @ rows
    t2 = (apart @ beta) ** 2 / values[keep]
    F = float(t2.sum() / q)
    nu = inference.df(apart)
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
    """Refuse a coverage outside 0…1."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level!r}; expected a coverage between 0 and 1, such as 0.95.")
