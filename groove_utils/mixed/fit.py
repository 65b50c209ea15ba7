"""Fit a linear mixed model.

References
----------
Baayen, Davidson & Bates (2008), Journal of Memory and Language 59, 390–412.
Bates, Mächler, Bolker & Walker (2015), Journal of Statistical Software 67(1).
"""

from __future__ import annotations

import warnings

import pandas as pd

from groove_utils.mixed.checks import check_design, check_fit
from groove_utils.mixed.design import build_frame
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.errors import LmmWarning
from groove_utils.mixed.result import LmmResult
from groove_utils.mixed.search import minimise
from groove_utils.stats.threads import one_thread

__all__ = ["fit_lmm"]


@one_thread
def fit_lmm(formula: str, data: pd.DataFrame, reml: bool = True) -> LmmResult:
    """Fit a linear mixed model with nested or crossed random effects.

    Parameters
    ----------
    formula : str
        Formula in lme4's notation, such as ``rating ~ style * x + (1 + x | listener) +
        (1 | track)``. ``||`` instead of ``|`` omits the correlations between random coefficients,
        and ``(1 | a / b)`` nests b in a. Factors are treatment-coded; to choose the reference
        level, use a categorical column.
    data : DataFrame
        One row per observation. Incomplete rows are dropped with a warning.
    reml : bool
        Use restricted maximum likelihood (default) instead of maximum likelihood.

    Returns
    -------
    LmmResult
        The fitted model.

    Raises
    ------
    LmmError
        If the model cannot be fitted to the data; the message states the cause and a remedy.

    Warns
    -----
    LmmWarning
        If rows were dropped, groups have a single row, a level of a fixed factor occurs in a single
        group, predictors are nearly collinear, the optimiser did not converge, a coefficient is
        exactly 0, or the fit is singular.

    Examples
    --------
    >>> songs = pd.DataFrame({"song": list("abcdef"), "tempo": [90, 96, 102, 108, 114, 120]})
    >>> data = pd.concat([songs.assign(listener=name) for name in ("Ann", "Ben", "Cy")])
    >>> data["rating"] = [3, 4, 3, 5, 6, 6, 2, 4, 3, 4, 4, 5, 4, 4, 5, 6, 5, 7]
    >>> result = fit_lmm("rating ~ tempo + (1 | listener) + (1 | song)", data)
    >>> print(f"{result.beta[1]:.3f} points per BPM, SE {result.effect('tempo')['se']:.3f}")
    0.092 points per BPM, SE 0.015
    """
    frame = build_frame(formula, data)
    messages = check_design(frame)
    deviance = CrossedDeviance(frame.y, frame.X, frame.random, reml)
    theta = minimise(deviance)
    result = LmmResult(frame, deviance, theta, messages + check_fit(frame, deviance, theta))
    for message in result.messages:
        warnings.warn(message, LmmWarning, stacklevel=3)  # stacklevel 2 would be the decorator
    return result
