"""Compare fixed effects across error models that ignore or include grouping factors.

References
----------
Clark (1973), Journal of Verbal Learning and Verbal Behavior 12, 335–359 (treating items,
like participants, as a random sample).
Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29, 238–249 (two-way
clustering).
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from groove_utils.mixed.design import build_frame, random_bars
from groove_utils.mixed.errors import LmmWarning, check_known
from groove_utils.mixed.fit import fit_lmm
from groove_utils.mixed.inference import check_level, wald_table
from groove_utils.mixed.result import LmmResult
from groove_utils.stats.threads import one_thread

__all__ = ["add_random_intercepts", "compare_error_models"]


@one_thread
def compare_error_models(formula: str, data: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Compare fixed effects across error models that ignore or include the grouping factors.

    The models are: ``OLS`` (ordinary least squares); ``OLS, clustered by F``, with standard errors
    clustered by each grouping factor F and by the first two factors together; ``F only``, a mixed
    model with only the random terms of the factor F; and ``crossed``, the full mixed model.

    Parameters
    ----------
    formula : str
        Formula of the full mixed model, with crossed random terms.
    data : DataFrame
        One row per observation.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        One row per model and coefficient. Columns ``model, term, estimate, se, df, t, p, low,
        high`` and ``se_ratio`` (standard error divided by the standard error in the full model).
    """
    check_level(level)
    frame = build_frame(formula, data)
    codes = {term.factor: term.codes for term in frame.random}
    factors = list(codes)
    ols = sm.OLS(frame.y, frame.X).fit()
    variants = {"OLS": (ols.cov_params(), ols.df_resid)}
    for factor, groups in codes.items():
        robust = ols.get_robustcov_results("cluster", groups=groups)
        variants[f"OLS, clustered by {factor}"] = robust.cov_params(), groups.max()
    if len(factors) > 1:
        first, second = (codes[factor] for factor in factors[:2])
        both = cov_cluster_2groups(ols, first, second)[0]
        name = f"OLS, clustered by {factors[0]} and {factors[1]}"
        variants[name] = both, min(first.max(), second.max())
    tables = []
    for model, (cov, df) in variants.items():
        se = np.sqrt(np.clip(np.diag(cov), 0, None))
        keys = {"model": model, "term": frame.names}
        tables.append(wald_table(keys, ols.params, se, float(df), level))
    bars = {f: random_bars(t for t in frame.random if t.factor == f) for f in factors}
    models = [(f"{f} only", bars[f]) for f in factors] if len(factors) > 1 else []
    models.append(("crossed", [bar for f in factors for bar in bars[f]]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)  # some models are deliberately misspecified
        for name, kept in models:
            fit = fit_lmm(f"{frame.response} ~ {frame.fixed} + {' + '.join(kept)}", frame.data)
            table = fit.fixed_effects(level)
            table.insert(0, "model", name)
            tables.append(table)
    out = pd.concat(tables, ignore_index=True)
    full = out[out["model"] == "crossed"].set_index("term")["se"]
    return out.assign(se_ratio=out["se"] / out["term"].map(full))


def add_random_intercepts(
    formula: str, data: pd.DataFrame, factors: list[str], term: str, level: float = 0.95
) -> tuple[pd.DataFrame, LmmResult | None]:
    """Estimate a coefficient by least squares, then with random intercepts added one by one.

    This function is for studies with one mean rating per song, in which artists and styles are the
    only possible grouping factors.

    Parameters
    ----------
    formula : str
        Formula with the response and the fixed part, without random terms.
    data : DataFrame
        One row per song.
    factors : list of str
        Grouping factors, in the order in which they are added; may be empty.
    term : str
        Name of the coefficient to estimate.
    level : float
        Coverage of the intervals.

    Returns
    -------
    table : DataFrame
        One row per model, with the columns ``model`` (such as ``OLS``, ``artist random`` or
        ``artist and style random``), ``estimate, low, high``.
    fit : LmmResult or None
        Fit with all random intercepts; None if there are no factors.
    """
    check_level(level)
    plain = smf.ols(formula, data).fit()
    check_known(term, list(plain.params.index), "coefficient")
    low, high = plain.conf_int(1 - level).loc[term]
    rows = [{"model": "OLS", "estimate": plain.params[term], "low": low, "high": high}]
    fit = None
    for k in range(1, len(factors) + 1):
        bars = " + ".join(f"(1 | {factor})" for factor in factors[:k])
        fit = fit_lmm(f"{formula} + {bars}", data)
        row = fit.effect(term, level)[["estimate", "low", "high"]]
        rows.append({"model": f"{' and '.join(factors[:k])} random", **row})
    return pd.DataFrame(rows), fit
