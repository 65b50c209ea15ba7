"""Partition of the variance of ratings into the parts of a mixed model.

Chapter 09-mixed-models uses it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.memoisation import memoised
from groove_utils.mixed.fit import fit_lmm
from groove_utils.mixed.result import LmmResult

__all__ = ["partition_by_question", "variance_partition"]


def variance_partition(result: LmmResult) -> pd.DataFrame:
    """Compute the share of variance of each part of the model; the shares sum to one.

    Parameters
    ----------
    result : LmmResult

    Returns
    -------
    DataFrame
        Columns part, kind (fixed, random or residual), variance, share. The variance of a fixed
        term is its covariance with the whole fixed prediction, which may be negative; these sum to
        the variance of the fixed part.
    """
    parts = result.mean_variances()
    rows, prediction = [], result.frame.X @ result.beta
    # sum coding, so that a covariate's part is its average slope, not that of the reference level
    for label, (X, weights) in result.frame.sum_coding().items():
        part = X @ (weights @ result.beta)
        rows.append((label, "fixed", float(np.cov(part, prediction)[0, 1])))
    rows += [(factor, "random", parts[factor]) for factor in result.n_groups]
    rows.append(("Residual", "residual", parts["Residual"]))
    table = pd.DataFrame(rows, columns=["part", "kind", "variance"])
    return table.assign(share=table["variance"] / parts.sum())


@memoised("mixed-models")
def partition_by_question(formula: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Compute the share of variance of each part of a model, for each question.

    Parameters
    ----------
    formula : str
        See `fit_lmm`; it is fitted to the rows of one question at a time.
    rows : DataFrame
        Rows with a column ``question``.

    Returns
    -------
    DataFrame
        Index ``question``; columns are the parts of `variance_partition`; rows sum to one. Fixed
        terms of which one is negative for some question stand as one part, joined by “and”.
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
