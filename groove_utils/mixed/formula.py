"""Read a mixed-model formula and turn a tidy table into design matrices.

The formulas are lme4's: ``rating ~ style * x + (1 + x | listener) + (1 | track)``. The fixed part
and each random part are built by formulaic, so that ``np.log(x)``, ``poly(x, 2)`` or
``C(style, contr.sum)`` work; the bars are read here. Chapter 08-mixed-models uses it, through
:func:`groove_utils.mixed.fit_lmm`.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError
from scipy import linalg

__all__ = [
    "LmmError",
    "LmmWarning",
    "ModelFrame",
    "RandomTerm",
    "build_frame",
    "group_keys",
    "split_formula",
]


class LmmError(ValueError):
    """A mixed model that cannot be fitted as asked; the message says why and how to mend it."""


class LmmWarning(UserWarning):
    """Something about a fitted mixed model that its reader has to know."""


@dataclass
class RandomTerm:
    """One random term: coefficients that vary over the levels of one factor.

    Attributes
    ----------
    factor : str
        Name of the grouping factor, such as ``listener`` (``a:b`` for a crossing of columns).
    names : list of str
        Its coefficients, such as ``["Intercept", "x"]``.
    codes : ndarray of int, shape (n_rows,)
        Level of the factor in each row, as an index into `levels`.
    levels : list
        The factor's levels, sorted.
    Z : ndarray, shape (n_rows, n_names)
        Covariates that the coefficients multiply.
    columns : list of str
        Columns of the table that make up the factor.
    spec : formulaic.ModelSpec
        Recipe by which `Z` is built for new rows.
    pick : list of int
        Columns of what `spec` gives that belong to this term.
    bar : str
        The term as it was asked for, such as ``(1 + style || listener)``, which may have been
        split into several; the ``/`` of nested factors is written out.
    """

    factor: str
    names: list[str]
    codes: np.ndarray
    levels: list
    Z: np.ndarray
    columns: list[str]
    spec: object = field(repr=False)
    pick: list[int] = field(repr=False)
    bar: str = ""

    @property
    def label(self) -> str:
        """The term as lme4 writes it, such as ``(1 + x | listener)``."""
        inner = ["1" if name == "Intercept" else name for name in self.names]
        if "1" not in inner:
            inner.insert(0, "0")
        return f"({' + '.join(inner)} | {self.factor})"


@dataclass
class ModelFrame:
    """The complete rows of a table with everything a fit needs.

    Attributes
    ----------
    formula, fixed : str
        The whole formula, and its fixed right-hand side.
    response : str
        Left-hand side.
    data : DataFrame
        The rows used (n_rows), with their original index.
    y : ndarray, shape (n_rows,)
    X : ndarray, shape (n_rows, n_fixed)
        Fixed design; `names` are its columns, as ``style[pop]:x``.
    random : list of RandomTerm
    n_dropped : int
        Rows left out because a variable was missing.
    factors : dict of str to list
        Categorical variables of the fixed part and their levels; the first is the reference.
    """

    formula: str
    response: str
    fixed: str
    data: pd.DataFrame
    y: np.ndarray
    X: np.ndarray
    names: list[str]
    random: list[RandomTerm]
    n_dropped: int
    factors: dict[str, list]
    spec: object = field(repr=False)

    def fixed_design(self, rows: pd.DataFrame) -> np.ndarray:
        """Fixed design of other rows, shape (n_rows, n_fixed), coded as in the fit."""
        rows = self._recode(rows, self.spec.required_variables)
        return np.asarray(self.spec.get_model_matrix(rows, context=_CONTEXT), dtype=float)

    def random_design(self, term: RandomTerm, rows: pd.DataFrame) -> np.ndarray:
        """Covariates of one random term for other rows, shape (n_rows, n_names)."""
        rows = self._recode(rows, term.spec.required_variables)
        Z = np.asarray(term.spec.get_model_matrix(rows, context=_CONTEXT), dtype=float)
        return Z[:, term.pick]

    def _recode(self, rows: pd.DataFrame, variables) -> pd.DataFrame:
        rows = rows.copy()
        for name in sorted(str(v) for v in variables):
            if name not in rows:
                if name in _CONTEXT:
                    continue
                raise LmmError(
                    f"the new rows have no column '{name}', which the model uses. They have: "
                    f"{', '.join(map(str, rows.columns))}."
                )
            if name not in self.factors:
                if rows[name].isna().any():
                    raise LmmError(
                        f"column '{name}' of the new rows holds missing values "
                        f"({int(rows[name].isna().sum())} of {len(rows)}); leave those rows out."
                    )
                continue
            levels = self.factors[name]
            values = _as_label(rows[name])
            unknown = sorted(set(values.dropna()) - set(levels)) or (
                ["a missing value"] if values.isna().any() else []
            )
            if unknown:
                raise LmmError(
                    f"column '{name}' of the new rows holds {', '.join(map(repr, unknown))}, which "
                    f"the fit has not seen. Known levels: {', '.join(map(repr, levels))}."
                )
            rows[name] = pd.Categorical(values, categories=levels)
        return rows


_CONTEXT = {"np": np}


def split_formula(formula: str) -> tuple[str, str, list[tuple[str, str, bool]]]:
    """Split a formula into response, fixed part and random parts.

    Parameters
    ----------
    formula : str
        As lme4 writes it.

    Returns
    -------
    response : str
    fixed : str
        ``"1"`` if nothing but random terms stands on the right.
    random : list of (left, factor, correlated)
        One for each bar; ``(x || g)`` is uncorrelated; ``(1 | a / b)`` gives ``a`` and ``a:b``.

    Examples
    --------
    >>> split_formula("rating ~ x + (1 + x | listener) + (1 | track)")
    ('rating', 'x', [('1 + x', 'listener', True), ('1', 'track', True)])
    """
    if not isinstance(formula, str) or formula.count("~") != 1:
        raise LmmError(
            f"the formula {formula!r} has no single '~'. Expected for instance "
            "'rating ~ style + (1 | listener) + (1 | track)'."
        )
    response, right = (part.strip() for part in formula.split("~"))
    if not response:
        raise LmmError(f"the formula {formula!r} names no response before '~'.")
    random, fixed, depth, start = [], [], 0, None
    for i, char in enumerate(right):
        if char == "(":
            if depth == 0:
                start = i
            depth += 1
        elif char == ")":
            depth -= 1
            if depth < 0:
                break
            if depth == 0:
                inner = right[start + 1 : i]
                is_call = re.search(r"[\w.]$", right[:start]) is not None
                if "|" in inner and not is_call:
                    random.extend(_read_bar(inner, formula))
                    fixed.append("\0")
                else:
                    fixed.append(right[start : i + 1])
        elif depth == 0:
            fixed.append(char)
    if depth != 0:
        raise LmmError(f"the brackets of the formula {formula!r} do not match.")
    text = "".join(fixed)
    if "|" in text:
        raise LmmError(
            f"the formula {formula!r} has a bar outside brackets; write '(1 | listener)'."
        )
    text = re.sub(r"[+]\s*\0", "", text)
    text = re.sub(r"^\s*\0\s*[+]?", "", text)
    text = re.sub(r"\s+", " ", text).strip()
    if "\0" in text:
        raise LmmError(f"a random term of {formula!r} is not added with '+'.")
    return response, text or "1", random


def _read_bar(inner: str, formula: str) -> list[tuple[str, str, bool]]:
    correlated = "||" not in inner
    left, _, factor = inner.partition("||" if not correlated else "|")
    left, factor = left.strip(), factor.strip()
    if not left or not factor or "|" in factor:
        raise LmmError(f"the random term ({inner}) of {formula!r} is not '(terms | factor)'.")
    parts = [part.strip() for part in factor.split("/")]
    factors = [":".join(parts[: i + 1]) for i in range(len(parts))]
    for name in factors:
        if not re.fullmatch(r"[\w.]+(\s*:\s*[\w.]+)*", name):
            raise LmmError(
                f"the grouping factor '{factor}' of ({inner}) is not a column, nor columns joined "
                "by ':' or '/'."
            )
    return [(left, re.sub(r"\s", "", name), correlated) for name in factors]


def random_bars(terms) -> list[str]:
    """What was written for these random terms, each bar once: to put into another formula."""
    return list(dict.fromkeys(term.bar for term in terms))


def _as_label(values: pd.Series) -> pd.Series:
    """Values as strings where they are booleans, as they are otherwise."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("boolean").astype("string").astype(object)
    return values.astype(object)


def group_keys(rows: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Level of a grouping factor in each row; crossed columns are joined by ``:``."""
    if len(columns) == 1:
        return _as_label(rows[columns[0]])
    return rows[columns].astype(str).agg(":".join, axis=1)


def _is_factor(values: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(values.dtype) or pd.api.types.is_bool_dtype(
        values.dtype
    )


def _tidy_name(name: str) -> str:
    """Name a coefficient by its level: ``C(style, …)[T.pop]:x`` becomes ``style[pop]:x``."""
    name = re.sub(r"C\(\s*([\w.]+)\s*(?:,(?:[^()]|\([^()]*\))*)?\)\[", r"\1[", name)
    return re.sub(r"\[[A-Z]\.", "[", name)


def _matrix(formula: str, data: pd.DataFrame):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix = Formula(formula).get_model_matrix(data, context=_CONTEXT, na_action="ignore")
    except (FormulaicError, SyntaxError, TypeError, ValueError, NameError) as error:
        raise LmmError(f"the formula part '{formula}' cannot be evaluated: {error}") from error
    return np.asarray(matrix, dtype=float), list(matrix.columns), matrix.model_spec


def build_frame(formula: str, data: pd.DataFrame) -> ModelFrame:
    """Build design matrices from a formula and a tidy table, and refuse what cannot be fitted.

    Parameters
    ----------
    formula : str
        As lme4 writes it; at least one random term.
    data : DataFrame
        One row an observation. Strings, categories and booleans are factors (treatment coding;
        the first category, or the first in sorted order, is the reference).

    Returns
    -------
    ModelFrame

    Raises
    ------
    LmmError
        Unknown column, no complete row, constant or infinite response, factor with one level,
        grouping factor with a level for every row, or fixed columns that determine each other.
    """
    response, fixed, bars = split_formula(formula)
    if not bars:
        raise LmmError(
            f"the formula {formula!r} has no random term. Add '(1 | listener)', or use "
            "compare_error_models for ordinary least squares."
        )
    if not isinstance(data, pd.DataFrame):
        raise LmmError(f"data is a {type(data).__name__}; expected a pandas DataFrame.")
    wanted = _variables([response, fixed, *(left for left, _, _ in bars)])
    grouping = {name for _, factor, _ in bars for name in factor.split(":")}
    missing = [name for name in sorted(wanted | grouping) if name not in data.columns]
    if missing:
        raise LmmError(
            f"the formula names {', '.join(map(repr, missing))}, but the table has no such column. "
            f"It has: {', '.join(map(str, data.columns))}."
        )
    used = data[sorted(wanted | grouping)].copy()
    complete = used.notna().all(axis=1)
    n_dropped = int((~complete).sum())
    if not complete.any():
        holes = ", ".join(f"{name} ({used[name].isna().sum()})" for name in used)
        raise LmmError(f"no row of the table is complete; missing values: {holes}.")
    used = used[complete].copy()

    factors = {}
    made = set(re.findall(r"\bC\(\s*([\w.]+)", " ".join([fixed, *(left for left, _, _ in bars)])))
    for name in sorted(wanted - {response}):
        if name in made or _is_factor(used[name]):
            values = _as_label(used[name])
            if isinstance(used[name].dtype, pd.CategoricalDtype):
                seen = set(values)
                levels = [level for level in used[name].cat.categories if level in seen]
            else:
                levels = sorted(values.unique())
            if len(levels) < 2:
                raise LmmError(
                    f"the factor '{name}' has a single level, {levels[0]!r}, in the {len(used)} "
                    "complete rows, so it explains nothing. Leave it out of the formula."
                )
            factors[name] = list(levels)
            used[name] = pd.Categorical(values, categories=levels)

    y, _, _ = _matrix(f"0 + {response}", used)
    if y.shape[1] != 1:
        raise LmmError(
            f"the response '{response}' is not a number: it was coded as {y.shape[1]} columns."
        )
    y = y[:, 0]
    X, names, spec = _matrix(fixed, used)
    for what, values in ((f"response '{response}'", y), ("fixed part", X)):
        if not np.isfinite(values).all():
            row = used.index[~np.isfinite(values.reshape(len(used), -1)).all(axis=1)][0]
            raise LmmError(
                f"the {what} is infinite or undefined in row {row!r} of the table. Mend the value, "
                "or the transformation in the formula."
            )
    if np.ptp(y) == 0:
        raise LmmError(f"the response '{response}' is {y[0]:g} in all {len(y)} rows.")
    random = _random_terms(bars, used)
    frame = ModelFrame(
        formula, response, fixed, used, y, X, [_tidy_name(n) for n in names], random, n_dropped,
        factors, spec,
    )  # fmt: skip
    _check_rank(frame)
    return frame


def _variables(parts: list[str]) -> set[str]:
    names = set()
    for part in parts:
        try:
            names |= {str(v) for v in Formula(part).required_variables} - set(_CONTEXT)
        except (FormulaicError, SyntaxError) as error:
            raise LmmError(f"the formula part '{part}' cannot be read: {error}") from error
    return names


def _random_terms(bars, used: pd.DataFrame) -> list[RandomTerm]:
    terms = []
    for left, factor, correlated in bars:
        columns = factor.split(":")
        codes, levels = pd.factorize(group_keys(used, columns), sort=True)
        n_levels, n_rows = len(levels), len(used)
        if n_levels < 2:
            raise LmmError(
                f"the grouping factor '{factor}' has a single level, {levels[0]!r}: its variance "
                "cannot be estimated. Leave its term out."
            )
        Z, names, spec = _matrix(left, used)
        if Z.shape[1] == 0:
            raise LmmError(f"the random term ({left} | {factor}) holds no coefficient.")
        if not np.isfinite(Z).all():
            raise LmmError(f"the random term ({left} | {factor}) holds undefined values.")
        if n_levels >= n_rows:
            raise LmmError(
                f"'{factor}' has {n_levels} levels in {n_rows} rows: with one row a level its "
                "variance cannot be told from the residual. Leave its term out."
            )
        if n_levels * Z.shape[1] >= n_rows:
            raise LmmError(
                f"({left} | {factor}) has {n_levels} × {Z.shape[1]} random coefficients for "
                f"{n_rows} rows, so they cannot be told from the residual. Drop the slope."
            )
        names = [_tidy_name(name) for name in names]
        # `||` separates formula terms; the columns of one factor stay together, as in lme4
        blocks = [list(range(len(names)))]
        if not correlated:
            blocks = [list(index) for index in spec.term_indices.values()]
        for pick in blocks:
            terms.append(
                RandomTerm(
                    factor,
                    [names[i] for i in pick],
                    codes,
                    list(levels),
                    Z[:, pick],
                    columns,
                    spec,
                    pick,
                    f"({left} {'|' if correlated else '||'} {factor})",
                )
            )
    seen = set()
    for term in terms:
        for name in term.names:
            if (term.factor, name) in seen:
                raise LmmError(
                    f"'{name}' varies over '{term.factor}' in two random terms; keep one of them "
                    f"(write '(0 + x | {term.factor})' for a slope without its intercept)."
                )
            seen.add((term.factor, name))
    return terms


def _check_rank(frame: ModelFrame) -> None:
    """Refuse a fixed design whose columns determine each other, and name them."""
    X = frame.X
    scale = np.sqrt((X**2).mean(axis=0))
    empty = [name for name, s in zip(frame.names, scale) if s == 0]
    if empty:
        raise LmmError(
            f"the fixed column(s) {', '.join(map(repr, empty))} are 0 in every row: that "
            "combination does not occur in the data. Leave the interaction out or merge levels."
        )
    if X.shape[0] <= X.shape[1]:
        raise LmmError(
            f"{X.shape[1]} fixed coefficients for {X.shape[0]} rows; use a simpler formula."
        )
    size = np.abs(np.diag(linalg.qr(X / scale, mode="r")[0]))
    dependent = np.flatnonzero(size < size.max() * 1e-9)
    if len(dependent) == 0:
        return
    extra = int(dependent[0])
    before = X[:, :extra] / scale[:extra]
    weights = linalg.lstsq(before, X[:, extra] / scale[extra])[0]
    with_ = [name for name, w in zip(frame.names, weights) if abs(w) > 1e-6]
    hint = ""
    names = sorted(frame.factors)
    for inner in names:
        for outer in names:
            if inner != outer and _nested(frame.data[inner], frame.data[outer]):
                hint = (
                    f" Each level of '{inner}' lies within one level of '{outer}', so the two "
                    f"cannot both be fixed: make '{inner}' random, as (1 | {inner})."
                )
    raise LmmError(
        f"the fixed column '{frame.names[extra]}' is determined by {', '.join(with_)}: their "
        f"coefficients cannot be told apart. Drop one of them.{hint}"
    )


def _nested(inner: pd.Series, outer: pd.Series) -> bool:
    return bool((outer.groupby(inner.to_numpy(), observed=True).nunique() == 1).all())
