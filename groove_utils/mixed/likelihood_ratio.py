"""Likelihood-ratio tests for mixed models, with corrected p-values for tests of variances.

References
----------
Stram & Lee (1994), Biometrics 50, 1171–1177.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import linalg, stats

from groove_utils.mixed.errors import LmmError
from groove_utils.mixed.result import LmmResult
from groove_utils.mixed.search import minimise
from groove_utils.stats.threads import one_thread

__all__ = ["likelihood_ratio_test", "random_effect_tests"]


@one_thread
def likelihood_ratio_test(smaller: LmmResult, larger: LmmResult) -> pd.DataFrame:
    """Use a likelihood-ratio test to compare two nested mixed models fitted to the same rows.

    Models that differ in their fixed part are refitted by maximum likelihood. If the larger model
    has additional variances, their null value of zero is on the boundary of the parameter space.
    The reference distribution is then a mixture of χ² distributions (Stram & Lee 1994), because a
    test with a single χ² distribution would be conservative.

    Parameters
    ----------
    smaller, larger : LmmResult
        Fits of the two models; the smaller model is a special case of the larger.

    Returns
    -------
    DataFrame
        One row, with the columns ``criterion`` (REML or ML), ``loglik_smaller``,
        ``loglik_larger``, ``chisq``, ``df``, ``p`` (with the boundary taken into account),
        ``p_naive`` (from a single χ² distribution) and ``reference`` (description of the
        reference distribution).

    Raises
    ------
    LmmError
        If the models were fitted to different rows, are not nested, or have the same parameters.
    """
    if not np.array_equal(smaller.frame.y, larger.frame.y):
        raise LmmError(
            f"the models were fitted to different rows ({smaller.n_obs:,} and {larger.n_obs:,}), "
            "or to rows in a different order. Drop rows with missing values in any variable first, "
            "then fit both models.",
            kind="different_rows",
        )
    A, B = smaller.frame.X, larger.frame.X
    outside = A - B @ linalg.lstsq(B, A)[0]
    if np.abs(outside).max() > 1e-6 * max(1.0, np.abs(A).max()):
        raise LmmError(
            f"'{smaller.frame.fixed}' is not contained in '{larger.frame.fixed}': the fixed parts "
            "are not nested. Pass the smaller model first.",
            kind="not_nested", column="fixed", value=smaller.frame.fixed,
        )  # fmt: skip
    extra = _extra_covariances(smaller, larger)
    fixed_df = B.shape[1] - A.shape[1]
    reml = smaller.reml and larger.reml and fixed_df == 0
    small = smaller if smaller.reml == reml else smaller.refit(reml=reml)
    large = larger if larger.reml == reml else larger.refit(reml=reml)
    chisq = max(0.0, 2 * (large.loglik - small.loglik))
    df = fixed_df + sum(n_params for _, n_params in extra)
    if df == 0:
        raise LmmError(
            "the two models have the same parameters, so there is nothing to test.",
            kind="same_parameters",
        )
    p, reference = _boundary_p(chisq, fixed_df, extra)
    row = {"criterion": "REML" if reml else "ML", "loglik_smaller": small.loglik}
    row |= {"loglik_larger": large.loglik, "chisq": chisq, "df": df, "p": p}
    row |= {"p_naive": float(stats.chi2.sf(chisq, df)), "reference": reference}
    return pd.DataFrame([row])


def _extra_covariances(smaller: LmmResult, larger: LmmResult) -> list[tuple[int, int]]:
    """Count the larger model's extra variances and covariance parameters per grouping factor."""
    before, after = {}, {}
    for names, result in ((before, smaller), (after, larger)):
        for term in result.frame.random:
            names.setdefault(term.factor, []).append(term.names)
    extra = []
    for factor, terms in before.items():
        for names in terms:
            if not any(set(names) <= set(other) for other in after.get(factor, [])):
                raise LmmError(
                    f"the random coefficients of '{factor}' ({', '.join(names)}) are only in the "
                    "smaller model: the random parts are not nested. Pass the smaller model first.",
                    kind="not_nested", column="random", value=factor,
                )  # fmt: skip
    for factor, terms in after.items():
        old = before.get(factor, [])
        count = [sum(len(n) for n in side) for side in (old, terms)]
        params = [sum(len(n) * (len(n) + 1) // 2 for n in side) for side in (old, terms)]
        if params[1] > params[0]:
            extra.append((count[1] - count[0], params[1] - params[0]))
    return extra


def _boundary_p(chisq: float, fixed_df: int, extra) -> tuple[float, str]:
    """Compute the p-value of a likelihood-ratio test, and describe the reference distribution.

    Under the null hypothesis, an additional variance is estimated as 0 in half of all samples.
    Estimates of different variances are treated as independent. `extra` is the output of
    :func:`_extra_covariances`.
    """
    total, m = fixed_df + sum(n for _, n in extra), sum(v for v, _ in extra)
    if not m:
        return float(stats.chi2.sf(chisq, total)), f"χ²({total})"
    if any(v not in (0, 1, n) for v, n in extra):
        words = f"χ²({total}), conservative: several correlated variances are on the boundary"
        return float(stats.chi2.sf(chisq, total)), words
    weights, dfs = stats.binom.pmf(np.arange(m + 1), m, 0.5), np.arange(total - m, total + 1)
    tails = np.where(dfs > 0, stats.chi2.sf(chisq, dfs.clip(1)), float(chisq <= 0))
    words = " + ".join(f"{w:.3g} χ²({df})" for w, df in zip(weights, dfs))
    return float(weights @ tails), words


@one_thread
def random_effect_tests(result: LmmResult) -> pd.DataFrame:
    """Test random slopes and intercepts by likelihood-ratio tests, like ``ranova`` in lmerTest.

    Each test compares the model with a smaller model that lacks one random slope or, if a random
    term has a single coefficient, the entire term.

    Parameters
    ----------
    result : LmmResult
        Fitted model.

    Returns
    -------
    DataFrame
        One row per test, with the columns ``term`` (removed coefficient or term),
        ``loglik`` (log-likelihood of the smaller model), and ``chisq, df, p, p_naive, reference``
        as in :func:`likelihood_ratio_test`.
    """
    deviance, theta = result.deviance, result.theta
    rows = []
    for t, term in enumerate(result.frame.random):
        names = [n for n in term.names if n != "Intercept"] if len(term.names) > 1 else term.names
        for name in names:
            i, masks = term.names.index(name), [np.ones((k, k)) for k in deviance.sizes]
            masks[t][i] = masks[t][:, i] = 0
            free = deviance.join(masks).astype(bool)
            less = deviance(minimise(deviance, theta, free=free))
            chisq = max(0.0, less + 2 * result.loglik)
            df = int((~free).sum())
            p, reference = _boundary_p(chisq, 0, [(1, df)])
            label = term.label if len(term.names) == 1 else f"{name} in {term.label}"
            naive = float(stats.chi2.sf(chisq, df))
            rows.append((label, -less / 2, chisq, df, p, naive, reference))
    columns = ["term", "loglik", "chisq", "df", "p", "p_naive", "reference"]
    return pd.DataFrame(rows, columns=columns)
