"""Check how robust an estimated effect is to alternative analyses.

References
----------
Steegen, Tuerlinckx, Gelman & Vanpaemel (2016), Perspectives on Psychological Science 11, 702–712.
"""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.memoisation import memoised
from groove_utils.mixed.design import random_bars
from groove_utils.mixed.diagnostics import leave_one_group_out
from groove_utils.mixed.errors import LmmError, LmmWarning, check_known
from groove_utils.mixed.fit import fit_lmm
from groove_utils.mixed.inference import wald_table
from groove_utils.mixed.ordinal import cumulative_link_check
from groove_utils.mixed.result import LmmResult

__all__ = ["robustness_table"]

_OUTLIER_SD = 2.5  # residual standard deviations


@memoised("mixed-models")
def robustness_table(
    result: LmmResult,
    term: str,
    level: float = 0.95,
    n_jobs: int = 1,
    extra: dict[str, LmmResult] | None = None,
) -> pd.DataFrame:
    """Re-estimate a coefficient of a mixed model in variants of the reported analysis.

    The variants are: the other criterion (ML or REML); no random slopes (if there are any); ratings
    z-scored within each level of the first grouping factor; outlying ratings removed (residuals
    beyond ±2.5 SD); for each grouping factor, one level removed (the level whose removal weakens
    the effect most); and a population-averaged cumulative logit model with clustered standard
    errors.

    Parameters
    ----------
    result : LmmResult
        Fit of the reported analysis.
    term : str
        Name of a fixed coefficient other than the intercept.
    level : float
        Coverage of the intervals.
    n_jobs : int
        Number of processes for the refits that leave out one level.
    extra : dict of str to LmmResult, optional
        Additional variants by name. Each must be a fit to the same response and contain the term.

    Returns
    -------
    DataFrame
        One row for the reported fit and one per variant. Columns ``variant``, ``unit``
        (``rating``, ``SD of F`` for the grouping factor F, or ``log odds``), ``estimate, se, p,
        low, high`` and ``same_conclusion`` (True if the estimate has the same sign as in the
        reported fit, and the interval excludes 0 in both fits or in neither). Values are missing if
        a variant cannot be fitted.
    """
    # the intercept is not allowed, because it depends on the rating scale
    check_known(term, [name for name in result.names if name != "Intercept"], "coefficient")
    reported = result.effect(term, level)
    rows = [("as reported", "rating", reported)]
    for name, unit, formula, data, reml in _linear_variants(result):
        rows.append((name, unit, _fitted(formula, data, reml, term, level)))
    for factor in result.n_groups:
        refits = leave_one_group_out(result, factor, n_jobs).query("term == @term").dropna()
        if len(refits):
            weakest = refits.loc[(refits["t"] * np.sign(reported["estimate"])).idxmin()]
            beta, se = np.array([weakest["estimate"]]), weakest["se"]
            row = wald_table({}, beta, se, reported["df"], level).iloc[0]
            rows.append((f"without {factor} {weakest['level']}", "rating", row))
    rows.append(("ordinal", "log odds", _ordinal(result, term, level)))
    rows += [(name, "rating", fit.effect(term, level)) for name, fit in (extra or {}).items()]
    columns = ["estimate", "se", "p", "low", "high"]
    table = pd.DataFrame([{"variant": v, "unit": u, **row[columns]} for v, u, row in rows])
    conclusion = np.sign(table["estimate"]) * ((table["low"] > 0) | (table["high"] < 0))
    same_sign = np.sign(table["estimate"]) == np.sign(reported["estimate"])
    return table.assign(same_conclusion=(conclusion == conclusion[0]) & same_sign)


def _linear_variants(result: LmmResult):
    """Yield the name, unit, formula, rows and `reml` argument of each mixed-model variant."""
    frame = result.frame
    bars = " + ".join(random_bars(frame.random))
    formula, reml = f"{frame.response} ~ {frame.fixed} + {bars}", result.reml
    other = "maximum likelihood" if reml else "restricted maximum likelihood"
    yield other, "rating", formula, frame.data, not reml
    if any(term.names != ["Intercept"] for term in frame.random):
        plain = " + ".join(f"(1 | {factor})" for factor in result.n_groups)
        plain = f"{frame.response} ~ {frame.fixed} + {plain}"
        yield "without random slopes", "rating", plain, frame.data, reml

    first = frame.random[0]
    groups = pd.Series(frame.y).groupby(first.codes)
    spread = groups.transform("std")
    z = ((frame.y - groups.transform("mean")) / spread.where(spread > 0)).to_numpy()
    # after z-scoring, the intercepts of this factor are 0 by construction
    kept = " + ".join(_without_intercepts(frame.random, first.factor)) or bars
    scored, unit = frame.data.assign(_z_score=z), f"SD of {first.factor}"
    yield (
        f"z-scored within {first.factor}",
        unit,
        f"_z_score ~ {frame.fixed} + {kept}",
        scored,
        reml,
    )

    inside = np.abs(result.residuals) <= _OUTLIER_SD * result.sigma
    name = f"without {int((~inside).sum())} outlying ratings"
    yield name, "rating", formula, frame.data[inside], reml


_MISSING = pd.Series(np.nan, ["estimate", "se", "p", "low", "high"])


def _fitted(formula, data, reml, term, level) -> pd.Series:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LmmWarning)  # variants are for comparison only
            return fit_lmm(formula, data, reml=reml).effect(term, level)
    except LmmError:
        return _MISSING


def _ordinal(result: LmmResult, term: str, level: float) -> pd.Series:
    try:
        table = cumulative_link_check(result.formula, result.frame.data, level=level)
    except LmmError:
        return _MISSING
    row = table.set_index("term").loc[term]
    half = stats.norm.ppf((1 + level) / 2) * row["ordinal_se"]
    values = [row["ordinal"], row["ordinal_se"], row["ordinal_p"]]
    return pd.Series([*values, values[0] - half, values[0] + half], _MISSING.index)


def _without_intercepts(terms, factor: str) -> list[str]:
    """Return the random terms of the formula, without the intercepts of one grouping factor."""
    kept = []
    for bar in random_bars(terms):
        split = [t for t in terms if t.bar == bar]
        names = [name for t in split for name in t.names]
        # with a categorical variable, the intercept refers to one level, not to the mean
        categorical = any("[" in name for name in names)
        if split[0].factor != factor or "Intercept" not in names or categorical:
            kept.append(bar)
        elif len(names) > 1:
            left, _, right = bar.partition("|")
            left = re.sub(r"^\(\s*1\s*\+", "(", left)
            kept.append(left.replace("(", "(0 + ", 1) + "|" + right)
    return kept
