"""Partition the variance of ratings into contributions of the terms of a mixed model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.mixed.fit import fit_lmm
from groove_utils.mixed.result import LmmResult

__all__ = ["partition_by_question", "variance_partition"]


def variance_partition(result: LmmResult) -> pd.DataFrame:
    """Compute the shares of variance due to fixed terms, grouping factors and the residual.

    Parameters
    ----------
    result : LmmResult
        Fitted model.

    Returns
    -------
    DataFrame
        Columns ``part`` (name of the term or factor, or ``Residual``), ``kind`` (fixed, random or
        residual), ``variance`` and ``share``; the shares sum to 1. For a fixed term, ``variance``
        is the covariance between the contribution of the term and the prediction from all fixed
        effects; it may be negative. The values for all fixed terms sum to the variance of the fixed
        part.
    """
    parts = result.mean_variances()
    rows, prediction = [], result.frame.X @ result.beta
    # in sum coding, a covariate has its average slope, not its slope at the reference level
    for label, (X, weights) in result.frame.sum_coding().items():
        part = X @ (weights @ result.beta)
        rows.append((label, "fixed", float(np.cov(part, prediction)[0, 1])))
    rows += [(factor, "random", parts[factor]) for factor in result.n_groups]
    rows.append(("Residual", "residual", parts["Residual"]))
    table = pd.DataFrame(rows, columns=["part", "kind", "variance"])
    return table.assign(share=table["variance"] / parts.sum())


@memoised("mixed-models")
def partition_by_question(formula: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Fit a mixed model to the ratings on each question, and partition the variance.

    Parameters
    ----------
    formula : str
        Formula of the model; see `fit_lmm`.
    rows : DataFrame
        One row per rating, with the column ``question`` and the variables of the formula.

    Returns
    -------
    DataFrame
        Shares of variance, with one row per question (index ``question``) and one column per
        ``part`` in the output of `variance_partition`. Each row sums to 1. If the share of a
        fixed term is negative for any question, all fixed terms are combined in one column, with
        their names joined by “and”.
    """
    shares, fixed = {}, []
    for question in dict.fromkeys(rows["question"]):
        parts = variance_partition(fit_lmm(formula, rows[rows["question"] == question]))
        shares[question] = parts.set_index("part")["share"]
        fixed = parts.loc[parts["kind"] == "fixed", "part"].tolist()
    table = pd.DataFrame(shares).T.rename_axis("question")
    if fixed and (table[fixed] < 0).any(axis=None):
        table.insert(0, " and ".join(fixed), table[fixed].sum(axis=1))
        table = table.drop(columns=fixed) if len(fixed) > 1 else table
    return table
