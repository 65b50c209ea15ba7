"""Compare a linear mixed model with an ordinal model of the same ratings.

References
----------
Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29, 238–249 (multiway
clustering).
"""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import linalg, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel

from groove_utils.mixed.errors import LmmError, LmmWarning
from groove_utils.mixed.fit import fit_lmm
from groove_utils.mixed.inference import check_level
from groove_utils.stats.threads import one_thread

__all__ = ["cumulative_link_check"]


@one_thread
def cumulative_link_check(
    formula: str, data: pd.DataFrame, n_bins: int = 7, level: float = 0.95
) -> pd.DataFrame:
    """Compare the fixed effects of a linear mixed model with those of a cumulative logit model.

    The cumulative logit model is population-averaged: it has the same fixed effects, but no random
    effects. Its standard errors are clustered by all grouping factors simultaneously. A factor that
    is nested in another (such as songs in artists) is ignored, because the clusters of the outer
    factor contain the clusters of the inner factor.

    Parameters
    ----------
    formula, data
        Formula and observations of the linear mixed model, as in `fit_lmm`.
    n_bins : int
        Maximum number of response categories. A response with more distinct values is divided into
        at most this many bins, which contain similar numbers of observations.
    level : float
        Confidence level: an effect is significant if p < 1 − `level`.

    Returns
    -------
    DataFrame
        One row per coefficient except the intercept. Columns ``term``, ``linear``, ``linear_se``,
        ``linear_p``, ``linear_sd`` (linear estimate divided by the residual SD), ``ordinal`` (log
        odds), ``ordinal_se``, ``ordinal_p`` and ``agree`` (True if the sign and the significance
        are the same in both models).

    Raises
    ------
    LmmError
        If there are no predictors (``kind="no_predictor"``), or if the ordinal model does not
        converge (``kind="not_converged"``).
    """
    check_level(level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)  # already issued when the user fitted the model
        linear = fit_lmm(formula, data)
    frame = linear.frame
    y = frame.y
    if len(np.unique(y)) > n_bins:
        edges = np.unique(np.quantile(y, np.arange(1, n_bins) / n_bins))
        y = np.searchsorted(edges, y, side="left")
    _, y = np.unique(y, return_inverse=True)
    keep = [j for j, name in enumerate(frame.names) if name != "Intercept"]
    if not keep:
        raise LmmError(
            f"the fixed part '{frame.fixed}' contains only the intercept, so there are no effects "
            "to compare.",
            kind="no_predictor", value=frame.fixed,
        )  # fmt: skip
    centre, scale = frame.X[:, keep].mean(axis=0), frame.X[:, keep].std(axis=0)
    X = (frame.X[:, keep] - centre) / scale
    model = OrderedModel(y, X, distr="logit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(method="bfgs", disp=False, maxiter=500)
    if not fit.mle_retvals["converged"]:
        raise LmmError(
            "the ordinal model did not converge; use fewer bins (n_bins) or a simpler formula.",
            kind="not_converged",
        )
    params = np.asarray(fit.params)
    codes = _outer_clusters(frame.random)
    beta, se = params[: len(keep)], _clustered_se(model, params, len(keep), codes)
    ordinal_p = 2 * stats.norm.sf(np.abs(beta / se))
    table = linear.fixed_effects(level).iloc[keep].reset_index(drop=True)
    same_significance = (table["p"] < 1 - level) == (ordinal_p < 1 - level)
    columns = {"term": "term", "estimate": "linear", "se": "linear_se", "p": "linear_p"}
    return (
        table[list(columns)]
        .rename(columns=columns)
        .assign(
            linear_sd=table["estimate"] / linear.sigma,
            ordinal=beta / scale,
            ordinal_se=se / scale,
            ordinal_p=ordinal_p,
            agree=same_significance & (np.sign(beta) == np.sign(table["estimate"])),
        )
    )


def _clustered_se(model: OrderedModel, params: np.ndarray, n: int, codes: list) -> np.ndarray:
    """Compute the standard errors of the first n parameters, clustered by several factors."""
    bread = linalg.inv(-model.hessian(params))
    scores = model.score_obs(params)
    variance = np.diag(bread @ _multiway_meat(scores, codes) @ bread)[:n]
    if (variance <= 0).any():  # multiway estimates can be negative; one-way estimates cannot
        one_way = [np.diag(bread @ _cluster_meat(scores, c) @ bread)[:n] for c in codes]
        variance = np.max(one_way, axis=0)
    return np.sqrt(variance)


def _outer_clusters(terms) -> list[np.ndarray]:
    """Return the codes of the grouping factors that are not nested in another factor."""
    codes = {term.factor: term.codes for term in terms}

    def nested(inner, outer):
        pairs = np.unique(np.stack([codes[inner], codes[outer]]), axis=1).shape[1]
        return pairs == len(np.unique(codes[inner]))

    return [
        groups for name, groups in codes.items()
        if not any(nested(name, other) for other in codes if other != name)
    ]  # fmt: skip


def _multiway_meat(scores: np.ndarray, codes: list[np.ndarray]) -> np.ndarray:
    """Compute the multiway-clustered covariance of the summed scores by inclusion–exclusion."""
    meat = np.zeros((scores.shape[1],) * 2)
    for size in range(1, len(codes) + 1):
        for chosen in combinations(codes, size):
            both = np.unique(np.stack(chosen), axis=1, return_inverse=True)[1].ravel()
            meat += (-1) ** (size + 1) * _cluster_meat(scores, both)
    return meat


def _cluster_meat(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    sums = pd.DataFrame(scores).groupby(codes).sum().to_numpy()
    m = len(sums)
    return sums.T @ sums * m / (m - 1)
