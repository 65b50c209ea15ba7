"""Spread of random slopes: the proportion of a population with a positive slope.

The conditional modes of slopes are shrunk towards the average slope. If the average slope is
positive, the proportion of positive conditional modes is therefore biased upwards. Instead, the
proportion is computed from the normal distribution of slopes in the model.
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
    """Estimate the proportion of listeners (or other groups) with a positive random slope.

    The estimate is Φ(mean of the slopes / SD of the slopes).

    Parameters
    ----------
    result : LmmResult
        Fitted model in which the slope varies randomly across the levels of a grouping factor.
    term : str
        Name of a coefficient with a fixed and a random effect.
    draws : DataFrame, optional
        Output of :func:`groove_utils.mixed.bootstrap` for `result`, needed for the interval.
    level : float
        Coverage of the interval.

    Returns
    -------
    Series
        ``estimate, low, high``, between 0 and 1; the bounds are NaN without `draws`.
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
    """Compute the proportion of a normal distribution that lies above 0; the SD may be 0."""
    return stats.norm.cdf(mean / np.maximum(sd, 1e-9))
