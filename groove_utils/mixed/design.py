"""Build and validate the design matrices of a mixed model from a formula and a tidy table."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import linalg

from groove_utils.mixed.errors import LmmError, check_columns
from groove_utils.mixed.formula import CONTEXT, design_matrix, split_formula, variables

__all__ = [
    "ModelFrame", "RandomTerm", "build_frame", "group_keys", "random_bars", "random_intercept",
]  # fmt: skip


@dataclass
class RandomTerm:
    """Random effects: coefficients that vary across the levels of one grouping factor."""

    factor: str  # ``listener``, or ``a:b`` for combinations of two columns
    names: list[str]  # names of the coefficients, such as ["Intercept", "x"]
    codes: np.ndarray  # level of the factor in each row, as an index into `levels`
    levels: list  # all levels, sorted
    Z: np.ndarray  # covariate of each coefficient, shape (n_rows, n_names)
    # formulaic's specification for new rows; not compared, because the other fields determine it
    spec: object = field(default=None, repr=False, compare=False)
    pick: list[int] = field(default_factory=list, repr=False)  # this term's columns of `spec`
    bar: str = ""  # term in the formula, with ``/`` expanded but not split at ``||``

    @property
    def columns(self) -> list[str]:
        """Names of the data columns that define the grouping factor."""
        return self.factor.split(":")

    @property
    def label(self) -> str:
        """Random term in lme4's notation, such as ``(1 + x | listener)``."""
        inner = ["1" if name == "Intercept" else name for name in self.names]
        if "1" not in inner:
            inner.insert(0, "0")
        return f"({' + '.join(inner)} | {self.factor})"

    @property
    def counts(self) -> np.ndarray:
        """Number of rows per level, shape (n_levels,)."""
        return np.bincount(self.codes, minlength=len(self.levels))


def random_intercept(factor: str, codes: np.ndarray) -> RandomTerm:
    """Create a random intercept from level codes; each code from 0 to n_levels − 1 must occur."""
    levels = list(range(codes.max() + 1))
    return RandomTerm(factor, ["Intercept"], codes, levels, np.ones((len(codes), 1)))


def random_bars(terms) -> list[str]:
    """List the random terms as written in a formula, without duplicates."""
    return list(dict.fromkeys(term.bar for term in terms))


@dataclass
class ModelFrame:
    """Formula, data and design matrices of a mixed model."""

    formula: str  # as given
    response: str  # left-hand side of the formula
    fixed: str  # right-hand side of the formula without random terms
    data: pd.DataFrame  # fitted rows (those without missing values), with their original index
    y: np.ndarray  # response, shape (n_rows,)
    X: np.ndarray  # fixed design matrix, shape (n_rows, n_fixed)
    names: list[str]  # names of the columns of `X`, such as ``style[pop]:x``
    random: list[RandomTerm]  # random terms, in the order of the formula
    n_dropped: int  # number of rows dropped because of missing values
    factors: dict[str, list]  # levels of each categorical variable; the first is the reference
    spec: object = field(repr=False, compare=False)  # formulaic's specification of `X`

    @property
    def fixed_variables(self) -> list[str]:
        """Sorted names of the data columns used in the fixed part of the formula."""
        return sorted(str(name) for name in self.spec.required_variables)

    def fixed_design(self, rows: pd.DataFrame) -> np.ndarray:
        """Build the fixed design matrix for new rows, coded like the fitted rows.

        The shape is (n_rows, n_fixed).
        """
        return self._design(self.spec, rows)

    def random_design(self, term: RandomTerm, rows: pd.DataFrame) -> np.ndarray:
        """Build the design matrix of a random term for new rows, shape (n_rows, n_names)."""
        return self._design(term.spec, rows)[:, term.pick]

    def _design(self, spec, rows: pd.DataFrame) -> np.ndarray:
        rows, needed = rows.copy(), sorted(map(str, spec.required_variables))
        check_columns(needed, rows, "the model")
        for name in needed:
            values = _as_label(rows[name]) if name in self.factors else rows[name]
            if values.isna().any():
                raise LmmError(
                    f"column '{name}' of the new rows contains missing values "
                    f"({int(values.isna().sum())} of {len(rows)}); drop those rows.",
                    kind="missing_value", column=name,
                )  # fmt: skip
            if name not in self.factors:
                continue
            levels = self.factors[name]
            unknown = [value for value in pd.unique(values) if value not in levels]
            if unknown:
                raise LmmError(
                    f"column '{name}' of the new rows contains {', '.join(map(repr, unknown))}, "
                    "which did not occur in the fitted rows. Known levels: "
                    f"{', '.join(map(repr, levels))}.",
                    kind="unknown_level", column=name, value=unknown[0],
                )  # fmt: skip
            rows[name] = pd.Categorical(values, categories=levels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix = spec.get_model_matrix(rows, context=CONTEXT, na_action="ignore")
        return np.asarray(matrix, dtype=float)

    def sum_coding(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Recode the fixed terms in sum coding, in which the effects of each factor sum to zero.

        Returns
        -------
        dict of str to (columns, weights)
            Two arrays for each term except the intercept: its design matrix in sum coding, shape
            (n_rows, k), and the matrix that converts the fitted coefficients to the term's k
            coefficients in sum coding, shape (k, n_fixed).

        Raises
        ------
        LmmError
            If the fixed part cannot be written in sum coding with full rank.
        """
        state = self.spec.encoder_state
        labels, parts = {}, ["1" if "Intercept" in self.names else "0"]
        for term in self.spec.terms:
            exprs = [str(factor.expr) for factor in term.factors]
            if exprs in (["1"], ["0"]):
                continue
            coded, plain = [], []
            for expr in exprs:
                categorical = expr in state and state[expr][0].value == "categorical"
                plain.append(variables(expr).pop() if categorical else expr)
                coded.append(f"C({plain[-1]}, contr.sum)" if categorical else expr)
            labels[frozenset(coded)] = ":".join(plain)
            parts.append(":".join(coded))
        X, _, spec = design_matrix(" + ".join(parts), self.data)
        # β in sum coding = change @ (β in the fitted coding)
        change, _, rank, _ = linalg.lstsq(X, self.X)
        if rank < len(self.names) or X.shape[1] != len(self.names):
            raise LmmError(
                "Type III tests and variance partitions require a full-rank sum coding of "
                f"'{self.fixed}'; in the fixed part, use only plain variables, joined by '+', '*' "
                "and ':'.",
                kind="no_sum_coding", value=self.fixed,
            )  # fmt: skip
        terms = {
            labels.get(frozenset(str(factor.expr) for factor in term.factors)): list(index)
            for term, index in spec.term_indices.items()
        }
        return {label: (X[:, cols], change[cols]) for label, cols in terms.items() if label}


def _as_label(values: pd.Series) -> pd.Series:
    """Convert booleans to strings; return other values unchanged."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("boolean").astype("string").astype(object)
    return values.astype(object)


def group_keys(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Return the group label of each row; values from multiple columns are joined by ``:``."""
    if len(columns) == 1:
        return _as_label(rows[columns[0]])
    return rows[columns].astype(str).agg(":".join, axis=1)


def _sorted_levels(values: pd.Series, name: str) -> list:
    try:
        levels = sorted(values.unique())
    except TypeError:
        kinds = {type(value).__name__: value for value in values}
        kinds = ", ".join(f"{kind} such as {value!r}" for kind, value in kinds.items())
        raise LmmError(
            f"column '{name}' contains values of different types ({kinds}), so its levels cannot "
            f"be sorted. Convert all values to text: data['{name}'] = data['{name}'].astype(str).",
            kind="mixed_types", column=name,
        ) from None  # fmt: skip
    if len(levels) < 2:
        raise LmmError(
            f"the factor '{name}' has a single level, {levels[0]!r}, in the {len(values)} complete "
            "rows, so its effects cannot be estimated. Remove it from the formula.",
            kind="single_level", column=name, value=levels[0],
        )  # fmt: skip
    return levels


def build_frame(formula: str, data: pd.DataFrame) -> ModelFrame:
    """Build the design matrices of a mixed model from a formula and a tidy table.

    Parameters
    ----------
    formula : str
        Formula in lme4's notation, with at least one random term.
    data : DataFrame
        One row per observation. Columns of strings, categories or booleans become factors with
        treatment coding. The reference level is the first category, or the first value in sorted
        order.

    Returns
    -------
    ModelFrame
        Formula, data and design matrices.

    Raises
    ------
    LmmError
        If the model cannot be fitted: for example, a column is missing from the table, every row
        has missing values, the response is constant or infinite, a factor has a single level, a
        grouping factor has one level per row, or columns of the fixed design matrix are collinear.
    """
    response, fixed, bars = split_formula(formula)
    if not bars:
        raise LmmError(
            f"the formula {formula!r} has no random term. Add '(1 | listener)', or use "
            "compare_error_models for ordinary least squares.",
            kind="no_random_term", value=formula,
        )  # fmt: skip
    parts = [response, fixed, *(left for left, _, _ in bars)]
    needed = set().union(*map(variables, parts))
    grouping = {name for _, factor, _ in bars for name in factor.split(":")}
    used, n_dropped = _complete_rows(data, sorted(needed | grouping), formula)
    factors = _make_factors(used, sorted(needed - variables(response)), " ".join(parts[1:]))

    y, _, _ = design_matrix(f"0 + {response}", used)
    if y.shape[1] != 1:
        raise LmmError(
            f"the response '{response}' is not numeric: it was coded as {y.shape[1]} columns.",
            kind="not_numeric", column=response,
        )  # fmt: skip
    X, names, spec = design_matrix(fixed, used)
    for what, values in ((f"response '{response}'", y), (f"fixed part '{fixed}'", X)):
        _check_finite(what, values, used.index)
    y = y[:, 0]
    if np.ptp(y) == 0:
        raise LmmError(
            f"the response '{response}' is {y[0]:g} in all {len(y)} rows, so there is nothing to "
            "model.",
            kind="constant_response", column=response, value=y[0],
        )  # fmt: skip
    random = [term for bar in bars for term in _random_terms(*bar, used)]
    _check_duplicates(random)
    frame = ModelFrame(
        formula, response, fixed, used, y, X, names, random, n_dropped, factors, spec
    )
    _check_rank(frame)
    return frame


def _complete_rows(data, names: list[str], formula: str) -> tuple[pd.DataFrame, int]:
    """Return the rows without missing values in the named columns, and the number of dropped rows.

    The returned table contains only the named columns.
    """
    if not isinstance(data, pd.DataFrame):
        raise LmmError(
            f"data is a {type(data).__name__}; expected a pandas DataFrame.",
            kind="not_a_table", value=type(data).__name__,
        )  # fmt: skip
    check_columns(names, data, f"the formula {formula!r}")
    used = data[names]
    complete = used.notna().all(axis=1)
    if not complete.any():
        holes = ", ".join(f"{name} ({used[name].isna().sum()})" for name in used)
        raise LmmError(
            "every row has a missing value in a column that the formula uses. Missing values per "
            f"column: {holes}.",
            kind="no_complete_row",
        )
    return used[complete].copy(), int((~complete).sum())


def _make_factors(used: pd.DataFrame, names: list[str], text: str) -> dict[str, list]:
    """Convert factor columns to categoricals in place, and return the levels of each factor."""
    factors = {}
    declared = set(re.findall(r"\bC\(\s*([\w.]+)", text))
    for name in names:
        column = used[name]
        numeric = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
        if numeric and name not in declared:
            continue
        values = _as_label(column)
        levels = _sorted_levels(values, name)
        if isinstance(column.dtype, pd.CategoricalDtype):
            levels = [level for level in column.cat.categories if level in set(levels)]
        factors[name] = levels
        used[name] = pd.Categorical(values, categories=levels)
    return factors


def _check_finite(what: str, values: np.ndarray, index) -> None:
    finite = np.isfinite(values).all(axis=1)
    if not finite.all():
        row = index[~finite][0]
        raise LmmError(
            f"the {what} is infinite or undefined in row {row!r} of the table. Correct the value "
            "or the transformation in the formula.",
            kind="not_finite", row=row,
        )  # fmt: skip


def _random_terms(left: str, factor: str, correlated: bool, used) -> list[RandomTerm]:
    """Create the term ``(left | factor)`` or, for ``||``, one term per summand of `left`."""
    keys = group_keys(used, factor.split(":"))
    levels = _sorted_levels(keys, factor)
    codes = pd.Index(levels).get_indexer(keys)
    n_levels, n_rows, term = len(levels), len(used), f"({left} | {factor})"
    Z, names, spec = design_matrix(left, used)

    def fail(kind, message):
        raise LmmError(message, kind=kind, column=factor)

    if Z.shape[1] == 0:
        fail("empty_term", f"the random term {term} has no coefficients.")
    _check_finite(f"random term {term}", Z, used.index)
    if n_levels >= n_rows:
        fail("one_row_per_level", f"'{factor}' has {n_levels} levels in {n_rows} rows: with one "
             "row per level, its variance cannot be separated from the residual variance. "
             "Remove its random term.")  # fmt: skip
    if n_levels * Z.shape[1] >= n_rows:
        fail("too_many_slopes", f"{term} has {n_levels} × {Z.shape[1]} random coefficients for "
             f"{n_rows} rows, so they cannot be separated from the residuals. Drop the slope."
             )  # fmt: skip
    for name in np.array(names)[~Z.any(axis=0)]:
        fail("empty_column", f"the random column '{name}' of {term} is 0 in every row; drop it.")
    # as in lme4, `||` splits the terms of `left`, but not the columns of one categorical variable
    blocks = [list(range(len(names)))]
    if not correlated:
        blocks = [list(index) for index in spec.term_indices.values()]
    bar = f"({left} {'|' if correlated else '||'} {factor})"
    return [
        RandomTerm(factor, [names[i] for i in pick], codes, levels, Z[:, pick], spec, pick, bar)
        for pick in blocks
    ]


def _check_duplicates(terms: list[RandomTerm]) -> None:
    pairs = [(term.factor, name) for term in terms for name in term.names]
    for factor, name in pairs:
        if pairs.count((factor, name)) > 1:
            raise LmmError(
                f"'{name}' occurs in two random terms for '{factor}'; keep one of them (write "
                f"'(0 + x | {factor})' for a slope without an intercept).",
                kind="duplicate_term", column=factor, value=name,
            )  # fmt: skip


def _check_rank(frame: ModelFrame) -> None:
    """Raise an error if columns of the fixed design are collinear, all zero or too numerous."""
    X = frame.X
    if X.shape[1] == 0 or X.shape[0] <= X.shape[1]:
        raise LmmError(
            f"the fixed part '{frame.fixed}' has {X.shape[1]} coefficients for {X.shape[0]} rows; "
            "expected at least one coefficient ('1' for an intercept), and more rows than "
            "coefficients.",
            kind="n_coefficients", value=X.shape[1],
        )  # fmt: skip
    scale = np.sqrt((X**2).mean(axis=0))
    empty = [name for name, s in zip(frame.names, scale) if s == 0]
    if empty:
        raise LmmError(
            f"the fixed column(s) {', '.join(map(repr, empty))} are 0 in every row: "
            "these combinations do not occur in the data. Remove the interaction or merge levels.",
            kind="empty_column", column=empty[0],
        )  # fmt: skip
    size = np.abs(np.diag(linalg.qr(X / scale, mode="r")[0]))
    dependent = np.flatnonzero(size < size.max() * 1e-9)
    if len(dependent) == 0:
        return
    extra = int(dependent[0])
    weights = linalg.lstsq(X[:, :extra] / scale[:extra], X[:, extra] / scale[extra])[0]
    others = [name for name, w in zip(frame.names, weights) if abs(w) > 1e-6]
    hint = "".join(
        f" Each level of '{inner}' occurs in only one level of '{outer}', so the two cannot both "
        f"be fixed effects: make '{inner}' random, as (1 | {inner})."
        for inner in frame.factors
        for outer in frame.factors
        if inner != outer and frame.data.groupby(inner, observed=True)[outer].nunique().eq(1).all()
    )
    raise LmmError(
        f"the fixed column '{frame.names[extra]}' is a linear combination of {', '.join(others)}, "
        f"so their coefficients cannot be estimated separately. Drop one of them.{hint}",
        kind="collinear", column=frame.names[extra],
    )  # fmt: skip
