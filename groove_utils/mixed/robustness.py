"""One effect under other reasonable analyses: does the conclusion change?

Chapter 08-mixed-models shows the table in its robustness section.

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

from groove_utils.mixed.compare import cumulative_link_check
from groove_utils.mixed.diagnostics import leave_one_group_out
from groove_utils.mixed.formula import LmmError, LmmWarning, random_bars
from groove_utils.mixed.model import LmmResult, fit_lmm

__all__ = ["robustness_table"]

_OUTLIER = 2.5  # residual standard deviations


def robustness_table(
    result: LmmResult,
    term: str,
    level: float = 0.95,
    n_jobs: int = 1,
    extra: dict[str, LmmResult] | None = None,
) -> pd.DataFrame:
    """A coefficient under other criteria, random parts, scales and samples.

    Parameters
    ----------
    result : LmmResult
        The fit as reported.
    term : str
        Name of a fixed coefficient.
    level : float
        Coverage of the intervals; a verdict is whether 0 lies outside.
    n_jobs : int
        Processes, for leaving levels out.
    extra : dict, optional
        Variants of one's own: name → another fit of the same response that holds the term.

    Returns
    -------
    DataFrame
        Columns variant, unit (``rating``, ``SD of F`` or ``log odds``), estimate, se, p, low, high,
        same (same sign and same verdict as reported). Variants: as reported; the other criterion;
        without random slopes (if there are any); z-scored within each level of the first grouping
        factor; without ratings beyond 2.5 residual SD; without the level of each grouping factor
        whose leaving out weakens the effect most; ordinal (population-averaged cumulative logit,
        clustered over two factors). A variant that cannot be fitted has missing numbers.
    """
    if term not in result.names:
        raise LmmError(f"{term!r} is no coefficient. There are: {', '.join(result.names)}.")
    if term == "Intercept":
        raise LmmError("the intercept depends on the scale; name another coefficient.")
    frame, engine = result.frame, result.engine
    response, fixed, data = frame.response, frame.fixed, frame.data
    factors = list(result.n_groups)
    bars = " + ".join(random_bars(frame.random))
    rows = []

    def add(variant, unit, row):
        rows.append({"variant": variant, "unit": unit, **row})

    def linear(variant, formula, rows_used, unit="rating", reml=result.reml):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", LmmWarning
                )  # variants are to be looked at, not used
                fit = fit_lmm(formula, rows_used, reml=reml, engine=engine)
            row = fit.fixed_effects(level).set_index("term").loc[term]
        except (LmmError, KeyError):
            row = dict.fromkeys(("estimate", "se", "p", "low", "high"), np.nan)
        add(variant, unit, {k: row[k] for k in ("estimate", "se", "p", "low", "high")})

    reported = result.fixed_effects(level).set_index("term").loc[term]
    add("as reported", "rating", {k: reported[k] for k in ("estimate", "se", "p", "low", "high")})
    other = "maximum likelihood" if result.reml else "restricted maximum likelihood"
    linear(other, f"{response} ~ {fixed} + {bars}", data, reml=not result.reml)
    if any(t.names != ["Intercept"] for t in frame.random):
        plain = " + ".join(f"(1 | {factor})" for factor in factors)
        linear("without random slopes", f"{response} ~ {fixed} + {plain}", data)

    codes = {t.factor: t.codes for t in frame.random}
    first = factors[0]
    groups = pd.Series(frame.y).groupby(codes[first])
    spread = groups.transform("std").to_numpy()
    z = (frame.y - groups.transform("mean").to_numpy()) / np.where(spread > 0, spread, np.nan)
    scored = data.assign(_z_score=z)
    # after z-scoring, that factor's intercepts are 0 by construction
    kept = _without_intercepts(frame.random, first)
    linear(
        f"z-scored within {first}",
        f"_z_score ~ {fixed} + {' + '.join(kept or [bars])}",
        scored,
        unit=f"SD of {first}",
    )
    inside = np.abs(result.residuals) <= _OUTLIER * result.sigma
    dropped = int((~inside).sum())
    linear(f"without {dropped} outlying ratings", f"{response} ~ {fixed} + {bars}", data[inside])

    for factor in factors:
        left = leave_one_group_out(result, factor, n_jobs).query("term == @term")
        left = left.dropna(subset=["estimate"])
        if left.empty:
            continue
        weakest = left.loc[(left["t"] * np.sign(reported["estimate"])).idxmin()]
        half = stats.t.ppf((1 + level) / 2, reported["df"]) * weakest["se"]
        add(
            f"without {factor} {weakest['level']}",
            "rating",
            {
                "estimate": weakest["estimate"],
                "se": weakest["se"],
                "p": weakest["p"],
                "low": weakest["estimate"] - half,
                "high": weakest["estimate"] + half,
            },
        )
    try:
        ordinal = cumulative_link_check(f"{response} ~ {fixed} + {bars}", data, engine=engine)
        row = ordinal.set_index("term").loc[term]
        estimate, se, p = row["ordinal"], row["ordinal_se"], row["ordinal_p"]
    except LmmError:
        estimate = se = p = np.nan
    half = stats.norm.ppf((1 + level) / 2) * se
    add(
        "ordinal",
        "log odds",
        {"estimate": estimate, "se": se, "p": p, "low": estimate - half, "high": estimate + half},
    )
    for name, fit in (extra or {}).items():
        row = fit.effect(term, level)
        add(name, "rating", {k: row[k] for k in ("estimate", "se", "p", "low", "high")})
    table = pd.DataFrame(rows)
    verdict = np.sign(table["estimate"]) * ((table["low"] > 0) | (table["high"] < 0))
    alike = (verdict == verdict[0]) & (np.sign(table["estimate"]) == np.sign(reported["estimate"]))
    return table.assign(same=alike)


def _without_intercepts(terms, factor: str) -> list[str]:
    """Bars of the random terms, less the intercepts of one factor."""
    kept = []
    for bar in random_bars(terms):
        own = [t for t in terms if t.bar == bar]
        names = [name for t in own for name in t.names]
        if own[0].factor != factor or "Intercept" not in names:
            kept.append(bar)
        elif any("[" in name for name in names):
            kept.append(bar)  # of a categorical the intercept is one level's, not the mean
        elif len(names) > 1:
            left, _, right = bar.partition("|")
            left = re.sub(r"^\(\s*1\s*\+", "(", left)
            kept.append(left.replace("(", "(0 + ", 1) + "|" + right)
    return kept
