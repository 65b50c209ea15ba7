"""Parse mixed-model formulas, using the formulaic package for everything except random terms.

Formulas use lme4's notation, as in ``rating ~ style * x + (1 + x | listener) + (1 | track)``. They
may contain ``scale(x)``, ``poly(x, 2)``, ``bs(x, df=4)``, ``np.log(x)``, ``a / b``, ``-1`` or
``C(style, contr.sum)``. New rows are transformed with the parameters estimated from the fitted
rows; ``scale(x)``, for example, uses the mean and SD of x in the fitted rows.

The formulae package, which Bambi uses, also parses random terms, but it is not suitable here.
Version 0.9 reads ``x > 0`` as ``x``, ignores everything after ``%in%``, labels more columns than it
creates for ``a / x``, estimates a coefficient for ``offset(x)``, does not support products with
splines, ignores the order of unordered categories, and cannot code new rows that lack a level of
``C(ordered, Sum)``. Moreover, statsmodels already depends on formulaic.
"""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
from formulaic import Formula
from formulaic.errors import FormulaicError
from formulaic.parser.types import Factor
from formulaic.transforms import TRANSFORMS
from formulaic.utils.variables import Variable, get_required_variables

from groove_utils.mixed.errors import LmmError

__all__ = ["design_matrix", "split_formula", "variables"]

CONTEXT = {"np": np}
# `lag` depends on the order of the rows, and the columns created by `hashed` cannot be interpreted
_UNSUPPORTED = ("lag", "hashed")


def split_formula(formula: str) -> tuple[str, str, list[tuple[str, str, bool]]]:
    """Split a formula into the response, the fixed part and the random terms.

    Parameters
    ----------
    formula : str
        Formula in lme4's notation.

    Returns
    -------
    response : str
        Left-hand side.
    fixed : str
        Right-hand side without random terms; ``"1"`` if there are no other terms.
    random : list of (left, factor, correlated)
        One tuple per random term ``(left | factor)``. ``correlated`` is False for ``||``. A nested
        term ``(1 | a / b)`` gives two tuples, for ``a`` and ``a:b``.

    Raises
    ------
    LmmError
        If the formula is invalid (``kind="formula_syntax"``).

    Examples
    --------
    >>> split_formula("rating ~ x + (1 + x | listener) + (1 | track)")
    ('rating', 'x', [('1 + x', 'listener', True), ('1', 'track', True)])
    """
    if not isinstance(formula, str) or formula.count("~") != 1:
        raise _syntax(formula, "must contain one '~': write 'rating ~ style + (1 | listener)'")
    response, right = (part.strip() for part in formula.split("~"))
    if not response:
        raise _syntax(formula, "has no response before '~'")
    random, fixed, depth, start = [], [], 0, None
    for i, char in enumerate(right):
        if char == "(":
            start = i if depth == 0 else start
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
        raise _syntax(formula, "has unbalanced brackets")
    text = "".join(fixed)
    if "|" in text:
        raise _syntax(formula, "has a bar outside brackets; write '(1 | listener)'")
    text = re.sub(r"[+]\s*\0", "", text)
    text = re.sub(r"^\s*\0\s*[+]?", "", text)
    text = re.sub(r"\s+", " ", text).strip()
    if "\0" in text:
        raise _syntax(formula, "has a random term that is not added with '+'")
    return response, text or "1", random


def _read_bar(inner: str, formula: str) -> list[tuple[str, str, bool]]:
    correlated = "||" not in inner
    left, _, factor = inner.partition("|" if correlated else "||")
    left, factor = left.strip(), factor.strip()
    if not left or not factor or "|" in factor:
        raise _syntax(formula, f"has the random term ({inner}); expected '(terms | factor)'")
    parts = [part.strip() for part in factor.split("/")]
    factors = [":".join(parts[: i + 1]) for i in range(len(parts))]
    for name in factors:
        if not re.fullmatch(r"[\w.]+(\s*:\s*[\w.]+)*", name):
            raise _syntax(
                formula, f"groups by '{factor}'; expected a column, or columns joined by ':' or '/'"
            )
    return [(left, re.sub(r"\s", "", name), correlated) for name in factors]


def _syntax(formula, fault: str) -> LmmError:
    return LmmError(f"the formula {formula!r} {fault}.", kind="formula_syntax", value=formula)


def variables(part: str) -> set[str]:
    """Return the names of all columns in a part of a formula, including those in function calls.

    Examples
    --------
    >>> sorted(variables("scale(x) * C(style, contr.sum) + np.log(tempo)"))
    ['style', 'tempo', 'x']
    """
    try:
        factors = [factor for term in Formula(part) for factor in term.factors]
    except (FormulaicError, SyntaxError) as error:
        raise _unreadable(part, error) from error
    columns = {f.expr for f in factors if f.eval_method is Factor.EvalMethod.LOOKUP}
    for factor in factors:
        if factor.eval_method is not Factor.EvalMethod.PYTHON:
            continue
        # formulaic's own list misses columns in scale(), poly() and other stateful transforms
        for name in get_required_variables(factor.expr):
            if name in _UNSUPPORTED:
                raise _syntax(
                    part, f"uses {name}(), which is not supported; add its values as a column"
                )
            if Variable.Role.VALUE in name.roles or "." in name:  # x, or x of x.clip(0)
                columns.add(str(name.root))
    return columns - set(TRANSFORMS) - set(CONTEXT)


def _unreadable(part: str, error: Exception) -> LmmError:
    return _syntax(part, f"cannot be evaluated: {str(error).splitlines()[0]}")


def design_matrix(part, data: pd.DataFrame):
    """Build the design matrix for a part of a formula from a table.

    Parameters
    ----------
    part : str
        Part of a formula, without random terms.
    data : DataFrame
        Rows without missing values.

    Returns
    -------
    matrix : ndarray, shape (n_rows, n_columns)
        Design matrix.
    names : list of str
        Column names, such as ``style[pop]:x``.
    spec : formulaic.ModelSpec
        Specification used to code new rows in the same way.

    Raises
    ------
    LmmError
        If the part cannot be evaluated (``kind="formula_syntax"``).
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix = Formula(part).get_model_matrix(data, context=CONTEXT, na_action="ignore")
    except (FormulaicError, SyntaxError, TypeError, ValueError, NameError) as error:
        raise _unreadable(part, error) from error
    names = [_tidy_name(name) for name in matrix.columns]
    return np.asarray(matrix, dtype=float), names, matrix.model_spec


def _tidy_name(name: str) -> str:
    """Simplify a coefficient's name: ``C(style, …)[T.pop]:x`` becomes ``style[pop]:x``."""
    name = re.sub(r"C\(\s*([\w.]+)\s*(?:,(?:[^()]|\([^()]*\))*)?\)\[", r"\1[", name)
    return re.sub(r"\[[A-Z]\.", "[", name)
