"""Recovery of known effects: a mixed model's estimates next to the values that drew the data.

Chapter 08-mixed-models uses it.
"""

from __future__ import annotations

import pandas as pd

from groove_utils.mixed.errors import LmmError
from groove_utils.mixed.result import LmmResult

__all__ = ["recovery_table"]


def recovery_table(
    result: LmmResult,
    truth: pd.Series,
    spreads: dict[str, tuple[str, str | None]],
    level: float = 0.95,
) -> pd.DataFrame:
    """Compare estimates and their intervals with the values that drew the data.

    Parameters
    ----------
    result : LmmResult
    truth : Series
        Known values by name: of coefficients, and of the standard deviations named in `spreads`
        (their size counts, not their sign).
    spreads : dict
        Name of a standard deviation → its grouping factor and coefficient in the fit, such as
        ``("listener", "Intercept")``, or ``("Residual", None)``.
    level : float
        Coverage; the intervals of standard deviations are those of the profiled likelihood.

    Returns
    -------
    DataFrame
        Columns kind (``Fixed effects`` or ``Standard deviations``), term, estimate, low, high,
        truth, within (whether the interval holds the truth).

    Raises
    ------
    LmmError
        If a spread is not in the model, or a truth is missing.
    """
    columns = ["kind", "term", "estimate", "low", "high"]
    fixed = result.fixed_effects(level).assign(kind="Fixed effects")[columns]
    spread = result.variance_components("profile", level)
    spread = spread[spread["other"].isna()].rename(columns={"sd": "estimate"})
    rows = []
    for name, (factor, term) in spreads.items():
        own = spread[spread["factor"] == factor]
        own = own[own["term"] == term] if term is not None else own
        if len(own) != 1:
            known = ", ".join(f"{f}: {t}" for f, t in zip(spread["factor"], spread["term"]))
            raise LmmError(
                f"there is no single spread ({factor}, {term}) in the model. It has {known}.",
                kind="unknown_spread", column=factor, value=term,
            )  # fmt: skip
        rows.append(own.assign(kind="Standard deviations", term=name)[columns])
    table = pd.concat([fixed, *rows], ignore_index=True)
    missing = [term for term in table["term"] if term not in truth]
    if missing:
        raise LmmError(
            f"`truth` has no value for {', '.join(missing)}.",
            kind="missing_truth",
            value=missing[0],
        )
    table["truth"] = truth.loc[table["term"]].to_numpy(dtype=float)
    sd = table["kind"] == "Standard deviations"
    table.loc[sd, "truth"] = table.loc[sd, "truth"].abs()
    return table.assign(within=table["truth"].between(table["low"], table["high"]))
