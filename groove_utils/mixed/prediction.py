"""Predict responses from a mixed model, for fitted and new levels of the grouping factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import linalg, stats

from groove_utils.mixed.design import group_keys
from groove_utils.mixed.errors import LmmError, check_columns, check_known, check_range
from groove_utils.mixed.inference import check_level
from groove_utils.stats.threads import one_thread

__all__ = ["predict"]

_MAX_EFFECTS = 6000  # largest number of effects whose joint covariance is computed


@one_thread
def predict(
    result, rows: pd.DataFrame | None = None, random="all", level: float = 0.95
) -> pd.DataFrame:
    """Predict responses, with or without random effects, for fitted or new listeners and tracks.

    Parameters
    ----------
    result : LmmResult
        Fitted model; the object itself if called as a method.
    rows : DataFrame, optional
        New rows with the variables used in the formula; by default, the fitted rows. For a level
        that does not occur in the fitted rows, the predicted random effects are 0, and the interval
        includes their variance.
    random : "all", None or list of str
        Grouping factors whose estimated random effects are included in the prediction. If None,
        predict for new levels of all factors, such as a new listener and a new track.
    level : float
        Coverage of the intervals.

    Returns
    -------
    DataFrame
        Indexed like `rows`. Columns ``estimate``, ``se`` (standard error of the expected response,
        given the included random effects) and ``low, high`` (prediction interval for a single
        new response). The interval includes the variance of the other random effects and of the
        residual.
    """
    check_level(level)
    frame = result.frame
    if isinstance(random, str):
        random = list(result.n_groups) if random == "all" else [random]
    factors = list(random or [])
    for factor in factors:
        check_known(factor, result.n_groups, "grouping factor")
    new = frame.data if rows is None else rows
    if not isinstance(new, pd.DataFrame) or len(new) == 0:
        raise LmmError(
            "there are no rows to predict; expected a DataFrame with at least one row.",
            kind="no_rows",
        )
    X = frame.fixed_design(new)
    estimate = X @ result.beta
    spread = np.full(len(new), result.sigma**2)
    designs = []
    for term, b, cov in zip(frame.random, result.solution.b, result.covariances()):
        Z = frame.random_design(term, new)
        codes = np.full(len(new), -1)
        if term.factor in factors:
            check_columns(term.columns, new, f"'{term.factor}' in `random`")
            codes = pd.Index(term.levels).get_indexer(group_keys(new, term.columns))
        seen = codes >= 0
        estimate[seen] += (Z[seen] * b[codes[seen]]).sum(axis=1)
        spread[~seen] += np.einsum("ni,ij,nj->n", Z[~seen], cov.to_numpy(), Z[~seen])
        designs.append((Z, codes))
    variance = _variance(result, X, designs)
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance + spread)
    table = {"estimate": estimate, "se": np.sqrt(variance)}
    table |= {"low": estimate - half, "high": estimate + half}
    return pd.DataFrame(table, index=new.index)


def _variance(result, X: np.ndarray, designs) -> np.ndarray:
    """Compute the variance of x'β̂ + z'b̂ − z'b for each row; b contains the included effects."""
    if all((codes < 0).all() for _, codes in designs):
        return np.einsum("ni,ij,nj->n", X, result.solution.vcov, X)
    frame, relative = result.frame, result.deviance.unpack(result.theta)
    # the covariance of (β, u) is the inverse of the mixed-model equations
    fitted = [(term.Z, term.codes) for term in frame.random]
    design = _joint_design(frame.X, fitted, relative, result)
    normal = design.T @ design
    random = np.arange(frame.X.shape[1], len(normal))
    normal[random, random] += 1.0
    rows = _joint_design(X, designs, relative, result)
    return result.sigma**2 * np.einsum("ni,ni->n", rows @ linalg.inv(normal), rows)


def _joint_design(X, designs, relative, result) -> np.ndarray:
    """Build the joint design matrix of β and the spherical random effects of each term."""
    sizes = [len(term.levels) * len(term.names) for term in result.frame.random]
    n_effects, expected = X.shape[1] + sum(sizes), f"at most {_MAX_EFFECTS}; try random=None"
    check_range("number of effects", n_effects, n_effects <= _MAX_EFFECTS, expected)
    blocks = [X]
    for (Z, codes), L, size in zip(designs, relative, sizes):
        block = np.zeros((len(X), size))
        seen = np.flatnonzero(codes >= 0)
        columns = codes[seen, None] * len(L) + np.arange(len(L))
        block[seen[:, None], columns] = Z[seen] @ L
        blocks.append(block)
    return np.hstack(blocks)
