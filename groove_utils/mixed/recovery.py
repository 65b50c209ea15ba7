"""Known effects beside what a mixed model finds: the demo study's use.

Chapter 08-mixed-models shows the table in its last section but one.
"""

from __future__ import annotations

import pandas as pd

from groove_utils.mixed.formula import LmmError
from groove_utils.mixed.model import LmmResult

__all__ = ["recovery_table"]


def recovery_table(
    result: LmmResult,
    truth: pd.Series,
    spreads: dict[str, tuple[str, str | None]],
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimates with intervals beside the values that drew the data.

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
    found = result.variance_components("profile", level)
    found = found[found["other"].isna()].rename(columns={"sd": "estimate"})
    rows = []
    for name, (factor, term) in spreads.items():
        own = found[found["factor"] == factor]
        own = own[own["term"] == term] if term is not None else own
        if len(own) != 1:
            known = ", ".join(f"{f}: {t}" for f, t in zip(found["factor"], found["term"]))
            raise LmmError(
                f"there is no one spread ({factor}, {term}) in the model. It has {known}."
            )
        rows.append(own.assign(kind="Standard deviations", term=name)[columns])
    table = pd.concat([fixed, *rows], ignore_index=True)
    missing = [term for term in table["term"] if term not in truth]
    if missing:
        raise LmmError(f"the truth says nothing about {', '.join(missing)}.")
    table["truth"] = truth.loc[table["term"]].to_numpy(dtype=float)
    sd = table["kind"] == "Standard deviations"
    table.loc[sd, "truth"] = table.loc[sd, "truth"].abs()
    return table.assign(within=table["truth"].between(table["low"], table["high"]))
