"""Residual and influence diagnostics for mixed models, and a measure of floor and ceiling effects.

References
----------
Nieuwenhuis, te Grotenhuis & Pelzer (2012), The R Journal 4(2), 38–47 (influence of groups).
Hodges (1998), Journal of the Royal Statistical Society B 60, 497–536 (residuals of mixed models).
"""

from __future__ import annotations

from dataclasses import replace

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.diagnostic import het_breuschpagan

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.errors import check_known
from groove_utils.mixed.inference import wald_table
from groove_utils.mixed.result import LmmResult
from groove_utils.mixed.search import minimise
from groove_utils.stats.threads import one_thread

__all__ = ["check_residuals", "leave_one_group_out", "residual_table", "share_at_ends"]


def residual_table(result: LmmResult) -> pd.DataFrame:
    """Tabulate the responses, predictions and residuals of a mixed model.

    Parameters
    ----------
    result : LmmResult
        Fitted model.

    Returns
    -------
    DataFrame
        One row per observation, indexed like the fitted rows. Columns: the grouping factors,
        ``response``, ``fixed`` (prediction from the fixed effects), ``fitted`` (prediction from
        fixed and random effects), ``residual``, ``standardised`` (residual divided by σ) and
        ``quantile`` (normal quantile expected for the rank of the residual).
    """
    out = {}
    for term in result.frame.random:
        out.setdefault(term.factor, np.asarray(term.levels, dtype=object)[term.codes])
    residual = result.residuals
    rank = stats.rankdata(residual)
    return pd.DataFrame(
        out
        | {
            "response": result.frame.y,
            "fixed": result.frame.X @ result.beta,
            "fitted": result.fitted,
            "residual": residual,
            "standardised": residual / result.sigma,
            "quantile": stats.norm.ppf((rank - 0.375) / (len(rank) + 0.25)),
        },
        index=result.frame.data.index,
    )


def check_residuals(result: LmmResult) -> pd.DataFrame:
    """Use effect sizes and tests to check the distributional assumptions of a mixed model.

    The checks are: skewness and excess kurtosis of the residuals; heteroscedasticity (correlation
    between absolute residuals and fitted values, with the p-value of the Breusch–Pagan test); the
    proportion of residuals beyond ±3 SD (0.3% for a normal distribution); and the skewness of the
    conditional modes of each random coefficient. With thousands of ratings, p is small even for
    negligible deviations, so rely on the effect sizes.

    Parameters
    ----------
    result : LmmResult
        Fitted model.

    Returns
    -------
    DataFrame
        One row per check. Columns ``check``, ``of`` (what is checked: ``residual``, or a random
        coefficient such as ``Intercept by listener``), ``value`` (effect size), ``p`` and
        ``meaning`` (how to interpret the value).
    """
    residual = result.residuals
    fitted = result.fitted
    z = residual / result.sigma
    rows = []

    def add_shape(of, values):
        for name, size, test, meaning in (
            ("skewness", stats.skew, stats.skewtest, "0 if symmetric; beyond ±1: very skewed"),
            ("kurtosis", stats.kurtosis, stats.kurtosistest, "0 if normal; above 2: heavy tails"),
        )[: 2 if of == "residual" else 1]:  # there are too few modes to estimate kurtosis
            rows.append((name, of, float(size(values)), float(test(values).pvalue), meaning))

    add_shape("residual", residual)
    if np.ptp(fitted) > 0:
        trend = np.corrcoef(np.abs(residual), fitted)[0, 1]
        design = np.column_stack([np.ones_like(fitted), fitted])
        p = het_breuschpagan(residual, design, robust=True)[1]
        rows.append(
            ("spread", "residual", float(trend), float(p),
             "correlation of |residual| with the prediction; beyond ±.3: strong")
        )  # fmt: skip
    beyond = int((np.abs(z) > 3).sum())
    expected = 2 * stats.norm.sf(3)
    p = stats.binomtest(beyond, len(z), expected, alternative="greater").pvalue
    rows.append(
        ("outliers", "residual", beyond / len(z), float(p), "share beyond 3 SD; 0.003 if normal")
    )
    for term, b in zip(result.frame.random, result.solution.b):
        for j, name in enumerate(term.names):
            if len(b) >= 8 and np.ptp(b[:, j]) > 0:
                add_shape(f"{name} by {term.factor}", b[:, j])
    return pd.DataFrame(rows, columns=["check", "of", "value", "p", "meaning"])


def leave_one_group_out(result: LmmResult, factor: str, n_jobs: int = 1) -> pd.DataFrame:
    """Find influential levels of a factor by refitting a mixed model without each level in turn.

    Parameters
    ----------
    result : LmmResult
        Fitted model.
    factor : str
        Name of a grouping factor.
    n_jobs : int
        Number of processes.

    Returns
    -------
    DataFrame
        One row per level and coefficient. Columns: ``level``, ``term``, ``estimate``, ``se``, ``t``
        and ``p`` for the model without the level (``p`` with the degrees of freedom of the full
        model), ``change`` (estimate without the level minus estimate with it), ``dfbetas`` (change
        divided by the standard error without the level), ``cook`` (Cook's distance for the level,
        the same for all coefficients), ``flips`` (True if significance at the 5% level changes) and
        ``n`` (number of observations in the level). Estimates are missing if the model cannot be
        fitted without the level.
    """
    frame = result.frame
    check_known(factor, result.n_groups, "grouping factor")
    codes, levels = next((t.codes, t.levels) for t in frame.random if t.factor == factor)
    refits = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_refit_rows)(result, codes != i) for i in range(len(levels))
    )
    full = result.fixed_effects()
    precision = np.linalg.inv(result.solution.vcov)
    tables = []
    for i, (level, (beta, se)) in enumerate(zip(levels, refits)):
        change = beta - result.beta
        keys = {"level": [level] * len(beta), "term": result.names}
        table = wald_table(keys, beta, se, full["df"].to_numpy(), 0.95)
        table = table.drop(columns=["df", "low", "high"]).assign(change=change)
        table["dfbetas"] = change / table["se"]
        table["cook"] = change @ precision @ change / len(beta)
        table["flips"] = (table["p"] < 0.05) != (full["p"] < 0.05)
        tables.append(table.assign(n=int((codes == i).sum())))
    return pd.concat(tables, ignore_index=True)


@one_thread
def _refit_rows(result: LmmResult, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frame = result.frame
    p = frame.X.shape[1]
    X = frame.X[keep]
    missing = np.full(p, np.nan), np.full(p, np.nan)
    if len(X) <= p or np.linalg.matrix_rank(X) < p:
        return missing
    terms = []
    for term in frame.random:
        kept, codes = np.unique(term.codes[keep], return_inverse=True)
        if len(kept) < 2 or not term.Z[keep].any(axis=0).all():
            return missing
        levels = [term.levels[i] for i in kept]
        terms.append(replace(term, codes=codes, levels=levels, Z=term.Z[keep]))
    deviance = CrossedDeviance(frame.y[keep], X, terms, result.reml)
    solution = deviance.solve(minimise(deviance, result.theta, tol=1e-3))
    return solution.beta, np.sqrt(np.diag(solution.vcov))


def share_at_ends(ratings, scale: tuple[float, float]) -> float:
    """Compute the proportion of ratings at the lower or upper end of the rating scale.

    Parameters
    ----------
    ratings : array-like, shape (n_ratings,) or (n_ratings, n_items)
        Ratings. A rating that consists of several items counts as being at an end of the scale if
        any of its items is at an end.
    scale : (float, float)
        Lowest and highest possible rating. A rating counts as being at an end if it differs from
        that end by at most 0.001% of the range, because ratings in files are rounded.

    Returns
    -------
    float
        Proportion, from 0 to 1.

    Examples
    --------
    >>> share_at_ends([-2.16667, 0.5, 1.2, 1.95833], (-13 / 6, 47 / 24))
    0.5
    >>> share_at_ends([[1, 50], [30, 60]], (1, 100))
    0.5
    """
    values = np.asarray(ratings, dtype=float)
    near = 1e-5 * (scale[1] - scale[0])
    at_end = (np.abs(values[..., None] - np.asarray(scale)) <= near).any(axis=-1)
    return float(at_end.reshape(len(values), -1).any(axis=1).mean())
