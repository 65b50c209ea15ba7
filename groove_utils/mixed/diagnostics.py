"""Residuals and influence of a fitted mixed model as tidy tables.

Chapter 08-mixed-models uses them for its robustness section.

References
----------
Nieuwenhuis, te Grotenhuis & Pelzer (2012), The R Journal 4(2), 38–47 (influence of groups).
Hodges (1998), Journal of the Royal Statistical Society B 60, 497–536 (residuals of mixed models).
"""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.diagnostic import het_breuschpagan

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.formula import LmmError, RandomTerm
from groove_utils.mixed.model import LmmResult
from groove_utils.stats.threads import one_thread

__all__ = ["check_residuals", "leave_one_group_out", "residual_table"]


def residual_table(result: LmmResult) -> pd.DataFrame:
    """One row an observation: what was predicted, and how far off it was.

    Parameters
    ----------
    result : LmmResult

    Returns
    -------
    DataFrame
        Index of the table fitted; columns of the grouping factors, then response, fixed (fixed
        part alone), fitted (with random effects), residual, standardised (residual over σ),
        quantile (normal quantile of its rank).
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
    """Assumptions of the model, each with a size and a test.

    Parameters
    ----------
    result : LmmResult

    Returns
    -------
    DataFrame
        Columns check, of (``residual`` or ``term by factor``), value, p, meaning. Checks: skewness
        and excess kurtosis of residuals, spread that changes with the prediction (correlation of
        |residual| with fitted, p of Breusch and Pagan), share of |standardised| > 3 (0.3% if
        normal), skewness of the conditional modes of each random coefficient. With thousands of
        ratings p is small for trifles: look at `value`.
    """
    residual = result.residuals
    fitted = result.fitted
    z = residual / result.sigma
    rows = []

    def shape(name, of, value, test):
        words = {
            "skewness": "0 if symmetric; beyond ±1 is marked",
            "kurtosis": "0 if normal; above 2 means heavy tails",
        }
        rows.append((name, of, float(value), float(test), words[name]))

    shape("skewness", "residual", stats.skew(residual), stats.skewtest(residual).pvalue)
    shape("kurtosis", "residual", stats.kurtosis(residual), stats.kurtosistest(residual).pvalue)
    if np.ptp(fitted) > 0:
        trend = np.corrcoef(np.abs(residual), fitted)[0, 1]
        design = np.column_stack([np.ones_like(fitted), fitted])
        p = het_breuschpagan(residual, design, robust=True)[1]
        rows.append(
            ("spread", "residual", float(trend), float(p),
             "correlation of |residual| with the prediction; beyond ±.3 is marked")
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
                shape(
                    "skewness",
                    f"{name} by {term.factor}",
                    stats.skew(b[:, j]),
                    stats.skewtest(b[:, j]).pvalue,
                )
    return pd.DataFrame(rows, columns=["check", "of", "value", "p", "meaning"])


def leave_one_group_out(result: LmmResult, factor: str, n_jobs: int = 1) -> pd.DataFrame:
    """Refit without each level of a factor in turn: does one listener or song carry the result?

    Parameters
    ----------
    result : LmmResult
    factor : str
        A grouping factor, or another column of the rows used.
    n_jobs : int
        Processes.

    Returns
    -------
    DataFrame
        One row a level and coefficient; columns level, term, estimate and se (without that level),
        t, p (at the full model's df), change (from the full estimate), dfbetas (change over the
        new se), cook (Cook's distance of the level, the same in all its rows), flips (whether the
        verdict at .05 changes), n (rows left out). Estimates are missing where the model
        cannot be fitted without the level.
    """
    frame = result.frame
    if factor in result.n_groups:
        term = next(t for t in frame.random if t.factor == factor)
        codes, levels = term.codes, term.levels
    elif factor in frame.data:
        codes, levels = pd.factorize(frame.data[factor].astype(object), sort=True)
    else:
        raise LmmError(
            f"'{factor}' is neither a grouping factor ({', '.join(result.n_groups)}) nor another "
            f"variable of the model."
        )
    refits = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_without)(result, codes != i) for i in range(len(levels))
    )
    full = result.fixed_effects()
    precision = np.linalg.inv(result.solution.vcov)
    tables = []
    for i, (level, fit) in enumerate(zip(levels, refits)):
        beta, se = fit
        change = beta - result.beta
        with np.errstate(divide="ignore", invalid="ignore"):
            t = beta / se
            dfbetas = change / se
        p = 2 * stats.t.sf(np.abs(t), full["df"])
        tables.append(
            pd.DataFrame(
                {
                    "level": level,
                    "term": result.names,
                    "estimate": beta,
                    "se": se,
                    "t": t,
                    "p": p,
                    "change": change,
                    "dfbetas": dfbetas,
                    "cook": change @ precision @ change / len(beta),
                    "flips": (p < 0.05) != (full["p"].to_numpy() < 0.05),
                    "n": int((codes == i).sum()),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


@one_thread
def _without(result: LmmResult, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    frame = result.frame
    p = frame.X.shape[1]
    X = frame.X[keep]
    missing = np.full(p, np.nan), np.full(p, np.nan)
    if len(X) <= p or np.linalg.matrix_rank(X) < p:
        return missing
    terms = []
    for term in frame.random:
        kept, codes = np.unique(term.codes[keep], return_inverse=True)
        if len(kept) < 2:
            return missing
        levels = [term.levels[i] for i in kept]
        terms.append(
            RandomTerm(
                term.factor, term.names, codes, levels, term.Z[keep], term.columns, None, term.pick
            )
        )
    deviance = CrossedDeviance(frame.y[keep], X, terms, result.reml)
    solution = deviance.solve(deviance.minimise(result.theta, tol=1e-3))
    return solution.beta, np.sqrt(np.diag(solution.vcov))
