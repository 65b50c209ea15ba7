"""Tables of features made ready for a probe (chapter 06)."""

from __future__ import annotations

import pandas as pd

from groove_utils.probe.validation import ProbeError

__all__ = ["usable_descriptors"]


def usable_descriptors(table: pd.DataFrame) -> pd.DataFrame:
    """Numeric descriptors that every song has.

    Parameters
    ----------
    table : DataFrame
        From :func:`groove_utils.descriptors.describe_study`: one row a song; may hold NaN.

    Returns
    -------
    DataFrame
        Without text columns and without descriptors that are missing for some song: a probe takes
        no NaN, and a value filled in from other songs would carry them into the test folds.

    Raises
    ------
    ProbeError
        If no descriptor is left.
    """
    numeric = table.select_dtypes("number").dropna(axis="columns")
    if numeric.empty:
        raise ProbeError(
            f"none of the {table.shape[1]} descriptors is known for all {len(table)} songs; see "
            "the column `reason` for why they are missing"
        )
    return numeric
