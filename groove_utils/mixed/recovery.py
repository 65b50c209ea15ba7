"""Compare a mixed model's estimates with the values used to simulate the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.memoisation import memoised
from groove_utils.mixed.errors import check_known
from groove_utils.mixed.result import LmmResult
from groove_utils.stats import holm

__all__ = ["recovery_table"]


@memoised("mixed-models")
def recovery_table(
    result: LmmResult,
    truth: pd.Series,
    spreads: dict[str, tuple[str, str | None]],
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare a mixed model's estimates and intervals with the values used to simulate the data.

    Parameters
    ----------
    result : LmmResult
        Fitted model.
    truth : Series
        True values, indexed by the names of the coefficients and of the standard deviations in
        `spreads`. The signs of the standard deviations are ignored.
    spreads : dict of str to (str, str or None)
        Maps the name of each standard deviation to its grouping factor and coefficient in `result`,
        such as ``("listener", "Intercept")`` or ``("Residual", None)``.
    level : float
        Coverage of the intervals. Standard deviations have profile-likelihood intervals.

    Returns
    -------
    DataFrame
        One row per coefficient or standard deviation. Columns ``kind`` (``Fixed effects`` or
        ``Standard deviations``), ``term, estimate, low, high, truth``, ``within`` (True if the
        interval contains the true value), ``z`` (true value minus estimate, divided by a standard
        error that is derived from the interval bound on the same side of the estimate as the true
        value) and ``p_holm`` (two-sided p-value of ``z``, corrected for the number of rows).

    Raises
    ------
    LmmError
        If a standard deviation is not in the model, or a true value is missing.
    """
    columns = ["kind", "term", "estimate", "low", "high"]
    fixed = result.fixed_effects(level).assign(kind="Fixed effects")[columns]
    spread = result.variance_components("profile", level)
    spread = spread[spread["other"].isna()].rename(columns={"sd": "estimate"})
    terms = [None if pd.isna(term) else term for term in spread["term"]]
    components = list(zip(spread["factor"], terms))
    for component in spreads.values():
        check_known(component, components, "standard deviation of the model")
    spread = spread.iloc[[components.index(component) for component in spreads.values()]]
    spread = spread.assign(kind="Standard deviations", term=list(spreads))[columns]
    table = pd.concat([fixed, spread], ignore_index=True)
    for term in table["term"]:
        check_known(term, truth.index, "value of `truth`")
    table["truth"] = truth.loc[table["term"]].to_numpy(dtype=float)
    sd = table["kind"] == "Standard deviations"
    table.loc[sd, "truth"] = table.loc[sd, "truth"].abs()
    gap = table["truth"] - table["estimate"]
    half = np.where(gap > 0, table["high"] - table["estimate"], table["estimate"] - table["low"])
    z = gap / half * stats.norm.isf((1 - level) / 2)
    return table.assign(
        within=table["truth"].between(table["low"], table["high"]),
        z=z,
        p_holm=holm(2 * stats.norm.sf(np.abs(z))),
    )
