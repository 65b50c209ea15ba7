"""Check the design of a mixed model before fitting, and the solution after fitting.

:func:`groove_utils.mixed.fit_lmm` issues the resulting warnings. Most of them describe a problem,
its consequence and a remedy.
"""

from __future__ import annotations

import numpy as np

from groove_utils.mixed.design import ModelFrame, RandomTerm
from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.errors import LmmError

__all__ = ["check_design", "check_fit"]


def check_design(frame: ModelFrame) -> list[str]:
    """Check the rows and the design of a mixed model before it is fitted.

    Parameters
    ----------
    frame : ModelFrame
        Formula, data and design matrices.

    Returns
    -------
    list of str
        Warnings about dropped rows, groups with a single row, levels of a fixed factor that
        occur in a single group, and nearly collinear predictors.

    Raises
    ------
    LmmError
        If two factors group the rows in the same way, or if random effects cannot be separated
        from the fixed effects.
    """
    messages = []
    if frame.n_dropped:
        total = frame.n_dropped + len(frame.y)
        messages.append(
            f"{frame.n_dropped:,} of {total:,} rows have missing values in variables used in "
            f"the formula and were dropped; {len(frame.y):,} remain."
        )
    messages += _single_rows(frame) + _separation(frame) + _near_collinear(frame)
    return messages


def _first_terms(frame: ModelFrame) -> list[RandomTerm]:
    """Return the first random term of each grouping factor."""
    return list({term.factor: term for term in reversed(frame.random)}.values())[::-1]


def _shorten(names, most: int = 3) -> str:
    """Join the first `most` names with commas, and add “…” if there are more."""
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _single_rows(frame: ModelFrame) -> list[str]:
    out = []
    for term in _first_terms(frame):
        single = [level for level, n in zip(term.levels, term.counts) if n == 1]
        if not single:
            continue
        slopes = sorted({n for t in frame.random if t.factor == term.factor for n in t.names})
        slopes = [name for name in slopes if name != "Intercept"]
        tail = f" and of its slopes of {_shorten(slopes)}" if slopes else ""
        out.append(
            f"{len(single)} of {len(term.levels)} levels of '{term.factor}' have a single row "
            f"({_shorten(single)}): they contribute little to the estimated variance of this "
            f"factor{tail}. Check whether they should be included."
        )
    return out


def _pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the distinct pairs of codes in the same row, as an array of shape (n_pairs, 2)."""
    width = int(second.max()) + 1
    return np.stack(np.divmod(np.unique(first * width + second), width), axis=1)


def _separation(frame: ModelFrame) -> list[str]:
    out = []
    terms = _first_terms(frame)
    for i, term in enumerate(terms):
        for other in terms[:i]:
            if len(_pairs(term.codes, other.codes)) == len(term.levels) == len(other.levels):
                raise LmmError(
                    f"'{term.factor}' and '{other.factor}' group the rows in the same way, so "
                    "their variances cannot be separated. Keep one of them.",
                    kind="same_grouping", column=term.factor, value=other.factor,
                )  # fmt: skip
        for name in frame.factors:
            if name in term.columns:
                continue
            pairs = _pairs(term.codes, frame.data[name].cat.codes.to_numpy())
            if len(pairs) > len(term.levels):
                continue  # crossed: some groups contain more than one level of the fixed factor
            counts = np.bincount(pairs[:, 1])
            single = [frame.factors[name][i] for i in np.flatnonzero(counts == 1)]
            if len(single) == len(counts):
                raise LmmError(
                    f"each level of '{name}' occurs with only one level of '{term.factor}' "
                    f"({_shorten(single)}): the effect of '{name}' cannot be separated from the "
                    f"differences between levels of '{term.factor}'. Drop (… | {term.factor}), and "
                    f"limit the conclusions to the levels of '{term.factor}' in the data.",
                    kind="confounded", column=name, value=term.factor,
                )  # fmt: skip
            if single:
                out.append(
                    f"levels of '{name}' with only one level of '{term.factor}': "
                    f"{_shorten(single)}. Tests of their effects rely on the variance of "
                    f"'{term.factor}' that is estimated from the other levels of '{name}'."
                )
        if frame.X.shape[1] >= len(term.levels):
            indicator = np.eye(len(term.levels))[term.codes]
            rank = np.linalg.matrix_rank(np.hstack([frame.X, indicator]))
            if rank == frame.X.shape[1]:
                raise LmmError(
                    f"the fixed effects distinguish all levels of '{term.factor}', so its variance "
                    "cannot be estimated. Drop its random term, or drop some fixed effects.",
                    kind="confounded", column=term.factor,
                )  # fmt: skip
    return out


def _near_collinear(frame: ModelFrame) -> list[str]:
    """Check numeric columns, except products of variables, for high variance inflation."""
    plain = [j for j, name in enumerate(frame.names) if ":" not in name and "[" not in name]
    plain = [j for j in plain if np.ptp(frame.X[:, j]) > 0]
    if len(plain) < 2:
        return []
    r = np.corrcoef(frame.X[:, plain], rowvar=False)
    inflation = np.diag(np.linalg.pinv(r))
    if inflation.max() < 10:
        return []
    worst = int(np.argmax(inflation))
    partner = int(np.argmax(np.abs(r[worst] - np.eye(len(plain))[worst])))
    return [
        f"'{frame.names[plain[worst]]}' is nearly determined by the other predictors (variance "
        f"inflation factor {inflation[worst]:.0f}; r = {r[worst, partner]:.2f} with "
        f"'{frame.names[plain[partner]]}'): their individual coefficients are uncertain. Drop or "
        "combine them."
    ]


def check_fit(frame: ModelFrame, deviance: CrossedDeviance, theta) -> list[str]:
    """Check a fitted mixed model for non-convergence, zero coefficients and singularity.

    Parameters
    ----------
    frame : ModelFrame
        Formula, data and design matrices.
    deviance : CrossedDeviance
        Deviance of the model.
    theta : ndarray, shape (n_theta,)
        Relative covariance parameters at the optimum.

    Returns
    -------
    list of str
        Warnings about non-convergence, coefficients that are exactly 0, and singular fits.

    Raises
    ------
    LmmError
        If the model fits the response exactly.
    """
    try:
        evaluation = deviance.at(theta)
        solution, max_gradient = evaluation.solve(), np.abs(evaluation.gradient()).max()
    except np.linalg.LinAlgError:
        solution = None
    if solution is None or solution.sigma < 1e-4 * frame.y.std():
        raise LmmError(
            "the model fits the response exactly, so there is no residual variance. Check that the "
            "response was not computed from the predictors, and that rows are not duplicated.",
            kind="exact_fit", column=frame.response,
        )  # fmt: skip
    messages = []
    if max_gradient > 0.5:
        messages.append(
            f"the optimiser did not converge (largest gradient component {max_gradient:.2g}). "
            "Simplify the random effects, or scale the predictors."
        )
    se = np.sqrt(np.diag(solution.vcov))
    exact = [name for name, z in zip(frame.names, np.abs(solution.beta) < 1e-9 * se) if z]
    if exact:
        messages.append(
            f"the coefficient of {_shorten(exact)} is exactly 0, which does not happen with real "
            "data. Check that the response was recorded correctly."
        )
    return messages + _singular(frame, deviance, theta)


def _singular(frame: ModelFrame, deviance: CrossedDeviance, theta) -> list[str]:
    out = []
    for term, scaled in zip(frame.random, deviance.scaled(theta)):
        sd = np.sqrt((scaled**2).sum(axis=1))
        flat = [name for name, s in zip(term.names, sd) if s < 1e-4]
        for name in flat:
            what = "intercepts" if name == "Intercept" else f"effect of '{name}'"
            advice = (
                f"drop {term.label}"
                if len(term.names) == 1
                else f"remove '{name}' from {term.label}"
            )
            out.append(
                f"singular fit: the estimated variance of the {what} across levels of "
                f"'{term.factor}' is 0 in {term.label}. The fixed effects remain valid; to "
                f"simplify the model, {advice}."
            )
        kept = sd >= 1e-4
        if kept.sum() > 1:
            unit = scaled[kept] / sd[kept, None]
            if np.linalg.eigvalsh(unit @ unit.T).min() < 1e-6:
                names = [name for name, k in zip(term.names, kept) if k]
                out.append(
                    f"singular fit: in {term.label}, {' and '.join(names)} are perfectly "
                    f"correlated across levels of '{term.factor}'. The data are insufficient to "
                    "estimate this correlation. Write '||' instead of '|' to omit it, and check "
                    "that the conclusions do not change."
                )
    return out
