"""Selection of the descriptors that a probe can use as features."""

from __future__ import annotations

import pandas as pd

from groove_utils.probe.songs import ProbeError

__all__ = ["usable_descriptors"]


def usable_descriptors(table: pd.DataFrame) -> pd.DataFrame:
    """Select the numeric descriptors that have a value for every song and vary between songs.

    Missing values are not imputed, since imputation would let values from other songs leak into the
    test folds.

    Parameters
    ----------
    table : DataFrame
        Output of :func:`groove_utils.descriptors.describe_study`: one row per song; may contain
        NaN.

    Returns
    -------
    DataFrame
        The selected columns.

    Raises
    ------
    ProbeError
        If no column meets these conditions.
    """
    numeric = table.select_dtypes("number").dropna(axis="columns")
    numeric = numeric.loc[:, numeric.nunique() > 1]
    if numeric.empty:
        raise ProbeError(
            f"none of the {table.shape[1]} columns is numeric, has a value for all {len(table)} "
            "songs, and varies between songs; the column `reason` explains missing values",
            kind="empty", column="table",
        )  # fmt: skip
    return numeric
