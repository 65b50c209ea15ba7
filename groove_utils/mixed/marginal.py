"""Estimated marginal means and slopes, and contrasts with corrected p-values.

Predictions are averaged over a balanced grid of the factors, as in emmeans (Lenth 2023). Each mean,
slope or contrast is a linear function of the fixed effects, with its own Satterthwaite degrees of
freedom.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations, product

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.mixed.errors import LmmError, check_known, check_range
from groove_utils.mixed.inference import t_table
from groove_utils.stats import holm

__all__ = ["MarginalMeans", "emmeans", "emtrends"]


@dataclass
class MarginalMeans:
    """Marginal means or slopes of a fitted model, and contrasts between them.

    A cell is a combination of levels of the factors.
    """

    table: pd.DataFrame  # one row per cell; columns: factors, estimate, se, df, t, p, low, high
    rows: np.ndarray  # weights of the coefficients in each cell, shape (n_cells, n_fixed)
    specs: list[str]  # factors whose levels are compared
    by: list[str]  # other factors; cells are compared within each combination of their levels
    level: float  # coverage of the intervals
    result: object = field(repr=False)  # fitted model

    def contrasts(
        self, method="pairwise", adjust: str = "holm", equivalence: float | None = None
    ) -> pd.DataFrame:
        """Compute contrasts between cells (combinations of factor levels), with corrected p-values.

        Parameters
        ----------
        method : {"pairwise", "reference", "mean"} or dict
            Compare all pairs of cells, each cell with the first, or each cell with the mean of all
            cells. A dict maps names of contrasts to one weight per cell, such as
            ``{"pop - rest": [-.5, 1, -.5]}``.
        adjust : {"holm", "tukey", "none"}
            Correction for the number of contrasts within each combination of levels of `by`.
            Tukey's method is available only for pairwise contrasts. As in emmeans, it uses the
            studentised range with the degrees of freedom of each contrast, and its intervals are
            simultaneous.
        equivalence : float, optional
            Smallest relevant difference; must be greater than 0. If given, two one-sided tests
            (Schuirmann 1987) test whether the absolute value of each contrast is below this
            difference. Their p-values are corrected by Holm's method unless `adjust` is ``"none"``.

        Returns
        -------
        DataFrame
            One row per contrast. Columns: the factors in `by`, ``contrast, estimate, se, df, t``,
            ``p`` (uncorrected), ``p_adjusted, low, high`` and, if `equivalence` is given,
            ``p_equivalence``.
        """
        check_known(adjust, ("none", "holm", "tukey"), "adjust")
        if adjust == "tukey":
            check_known(method, ["pairwise"], "method for Tukey's correction")
        if equivalence is not None:
            expected = "the smallest relevant difference, above 0"
            check_range("equivalence", equivalence, equivalence > 0, expected)
        tables = []
        families = self.table.groupby(self.by, sort=False) if self.by else [((), self.table)]
        for key, family in families:
            cells = family.index
            names = [", ".join(str(self.table[spec].iloc[i]) for spec in self.specs) for i in cells]
            weights = _contrast_weights(method, names)
            rows = np.array(list(weights.values())) @ self.rows[cells]
            table = t_table(self.result, rows, {"contrast": list(weights)}, self.level)
            _adjust(table, adjust, len(cells), self.level)
            if equivalence is not None:
                excess = (table["estimate"].abs() - equivalence) / table["se"]
                p = stats.t.cdf(excess, table["df"])
                table["p_equivalence"] = p if adjust == "none" else holm(p)
            for name, value in zip(reversed(self.by), reversed(key)):
                table.insert(0, name, value)
            tables.append(table)
        return pd.concat(tables, ignore_index=True)


def _contrast_weights(method, names: list[str]) -> dict[str, np.ndarray]:
    n = len(names)
    eye = np.eye(n)
    if isinstance(method, dict):
        for name, weights in method.items():
            if len(weights) != n:
                raise LmmError(
                    f"contrast {name!r} has {len(weights)} weights for {n} cells: "
                    f"{'; '.join(names)}.",
                    kind="n_weights", column=name, value=len(weights),
                )  # fmt: skip
        return {name: np.asarray(w, dtype=float) for name, w in method.items()}
    if n < 2:
        raise LmmError(
            f"there is only one cell ({names[0]}), so there is nothing to compare.",
            kind="single_cell",
        )
    check_known(method, ("pairwise", "reference", "mean"), "method")
    if method == "pairwise":
        pairs = combinations(range(n), 2)
        return {f"{names[i]} - {names[j]}": eye[i] - eye[j] for i, j in pairs}
    if method == "reference":
        return {f"{names[i]} - {names[0]}": eye[i] - eye[0] for i in range(1, n)}
    return {f"{names[i]} - mean": eye[i] - 1 / n for i in range(n)}


def _adjust(table: pd.DataFrame, adjust: str, n_cells: int, level: float) -> None:
    """Add corrected p-values to a table of contrasts; for Tukey's method, replace the intervals."""
    corrected = p = table["p"].to_numpy()
    if adjust == "holm":
        corrected = holm(p)
    elif adjust == "tukey":
        df = table["df"].to_numpy()
        corrected = stats.studentized_range.sf(np.abs(table["t"]) * np.sqrt(2), n_cells, df)
        # for two cells, Tukey's test is the t test: keep its exact p-value
        corrected = p if n_cells == 2 else np.maximum(corrected, p)
        half = stats.studentized_range.ppf(level, n_cells, df) / np.sqrt(2) * table["se"]
        table["low"], table["high"] = table["estimate"] - half, table["estimate"] + half
    table.insert(table.columns.get_loc("p") + 1, "p_adjusted", corrected)


def emmeans(result, specs, by=None, at=None, level: float = 0.95) -> MarginalMeans:
    """Compute estimated marginal means of a mixed model for the levels of one or more factors.

    Parameters
    ----------
    result : LmmResult
        Fitted model; the object itself if called as a method.
    specs : str or list of str
        Factors for which means are estimated, with one mean per combination of their levels. For a
        numeric variable, specify its values in `at`.
    by : str or list of str, optional
        Additional factors. Contrasts are computed and corrected separately for each combination of
        their levels.
    at : dict, optional
        Maps the name of each variable to a value or a list of values. Other numeric variables are
        fixed at their mean over the rows, and predictions are averaged over the levels of other
        factors with equal weights.
    level : float
        Coverage of the intervals.

    Returns
    -------
    MarginalMeans
        The means are in ``table``, and the method ``contrasts`` compares them.
    """
    specs, by = _as_list(specs), _as_list(by)
    grid = _grid(result, specs, by, at)
    return _average(result, grid, result.frame.fixed_design(grid), specs, by, level)


def emtrends(
    result, variable: str, specs=None, by=None, at=None, level: float = 0.95
) -> MarginalMeans:
    """Compute estimated marginal slopes of a numeric variable for the levels of other factors.

    Parameters
    ----------
    result : LmmResult
        Fitted model; the object itself if called as a method.
    variable : str
        Numeric variable of the fixed part. The slope is the change in the response per unit of this
        variable, at its value in `at` or by default at its mean.
    specs, by, at, level
        As in `emmeans`.

    Returns
    -------
    MarginalMeans
        The slopes are in ``table``, and the method ``contrasts`` compares them.
    """
    specs, by = _as_list(specs), _as_list(by)
    frame = result.frame
    numeric = [name for name in frame.fixed_variables if name not in frame.factors]
    check_known(variable, numeric, "numeric variable")
    grid = _grid(result, specs, by, at)
    # a central difference is exact for linear and quadratic terms
    step = 1e-3 * np.ptp(frame.data[variable].to_numpy(dtype=float))
    up, down = grid.copy(), grid.copy()
    up[variable] = up[variable] + step
    down[variable] = down[variable] - step
    rows = (frame.fixed_design(up) - frame.fixed_design(down)) / (2 * step)
    return _average(result, grid, rows, specs, by, level)


def _as_list(names) -> list[str]:
    if names is None:
        return []
    return [names] if isinstance(names, str) else list(names)


def _grid(result, specs, by, at) -> pd.DataFrame:
    frame, at = result.frame, dict(at or {})
    variables = frame.fixed_variables
    for name in [*specs, *by, *at]:
        check_known(name, variables, "variable of the fixed part")
    values = {}
    for name in [*by, *specs, *[v for v in variables if v not in (*specs, *by)]]:
        if name in at:
            values[name] = at[name] if np.ndim(at[name]) else [at[name]]
        elif name in frame.factors:
            values[name] = frame.factors[name]
        elif name in (*specs, *by):
            raise LmmError(
                f"'{name}' is numeric: specify its values, such as at={{'{name}': [-1, 0, 1]}}.",
                kind="missing_values_at", column=name,
            )  # fmt: skip
        else:
            values[name] = [float(frame.data[name].mean())]
    return pd.DataFrame(list(product(*values.values())), columns=list(values))


def _average(result, grid, rows, specs, by, level) -> MarginalMeans:
    keys = [*by, *specs]
    cells = grid[keys].drop_duplicates().to_dict("list")
    cell = grid.groupby(keys, sort=False).ngroup() if keys else np.zeros(len(grid))
    mean = pd.DataFrame(rows).groupby(cell).mean().to_numpy()
    table = t_table(result, mean, cells, level)
    return MarginalMeans(table, mean, specs, by, level, result)
