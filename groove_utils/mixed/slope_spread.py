"""Spread of random slopes: the share of a population whose slope is positive.

Conditional modes are shrunk towards the average, so counting the positive ones overstates a share
above one half. The share follows from the model's normal distribution of slopes instead.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.mixed.errors import check_known
from groove_utils.mixed.result import LmmResult

__all__ = ["positive_share"]


def positive_share(
    result: LmmResult, term: str, draws: pd.DataFrame | None = None, level: float = 0.95
) -> pd.Series:
    """Compute the share of levels with a positive slope, Φ(mean / SD of the slopes).

    Parameters
    ----------
    result : LmmResult
        With one random slope of the term, over any grouping factor.
    term : str
        Coefficient that is both fixed and random.
    draws : DataFrame, optional
        From :func:`groove_utils.mixed.bootstrap` of `result`, for the interval.
    level : float

    Returns
    -------
    Series
        ``estimate, low, high``, 0…1; the bounds are NaN without `draws`.
    """
    check_known(term, result.names, "coefficient")
    table = result.variance_components()
    rows = np.flatnonzero((table["term"] == term) & table["other"].isna())
    check_known(term, table.loc[rows, "term"].tolist(), "random slope")
    mean, sd = result.effect(term)["estimate"], table.loc[rows[0], "sd"]
    values = {"estimate": _share(mean, sd), "low": np.nan, "high": np.nan}
    if draws is not None:
        shares = _share(draws[("fixed", term)], draws[("variance", rows[0])])
        tail = (1 - level) / 2
        values["low"], values["high"] = np.quantile(shares, [tail, 1 - tail])
    return pd.Series(values)


def _share(mean, sd):
    """Share above 0 of a normal distribution; without spread all slopes have one sign."""
    return stats.norm.cdf(mean / np.maximum(sd, 1e-9))
