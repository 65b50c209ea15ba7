"""What a mixed model has to be checked for, before and after it is fitted.

Warnings say what was found, what it means and what to do. Chapter 08-mixed-models uses them.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.engines import EngineFit
from groove_utils.mixed.formula import LmmError, ModelFrame, RandomTerm

__all__ = ["check_design", "check_fit"]


def check_design(frame: ModelFrame) -> list[str]:
    """Look at the rows and the design before the fit.

    Returns
    -------
    list of str
        Warnings.

    Raises
    ------
    LmmError
        If a fixed factor and a grouping factor, or two grouping factors, are one and the same.
    """
    messages = []
    if frame.n_dropped:
        total = frame.n_dropped + len(frame.y)
        messages.append(
            f"{frame.n_dropped:,} of {total:,} rows lack a value that the formula needs and were "
            f"left out; {len(frame.y):,} remain."
        )
    messages += _single_rows(frame) + _separation(frame) + _near_collinear(frame)
    return messages


def _first_terms(frame: ModelFrame) -> list[RandomTerm]:
    """One term for each grouping factor."""
    seen: dict[str, RandomTerm] = {}
    for term in frame.random:
        seen.setdefault(term.factor, term)
    return list(seen.values())


def _few(names, most: int = 3) -> str:
    names = [str(name) for name in names]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def _single_rows(frame: ModelFrame) -> list[str]:
    out = []
    for term in _first_terms(frame):
        counts = np.bincount(term.codes, minlength=len(term.levels))
        lone = [level for level, n in zip(term.levels, counts) if n == 1]
        if not lone:
            continue
        slopes = sorted({n for t in frame.random if t.factor == term.factor for n in t.names})
        slopes = [name for name in slopes if name != "Intercept"]
        tail = f", nor to the spread of {_few(slopes)}" if slopes else ""
        out.append(
            f"{len(lone)} of {len(term.levels)} levels of '{term.factor}' have a single row "
            f"({_few(lone)}): they add little to its variance{tail}. Check that they belong in."
        )
    return out


def _separation(frame: ModelFrame) -> list[str]:
    out = []
    terms = _first_terms(frame)
    for i, term in enumerate(terms):
        for other in terms[:i]:
            pairs = pd.DataFrame({"a": term.codes, "b": other.codes}).drop_duplicates()
            if len(pairs) == len(term.levels) == len(other.levels):
                raise LmmError(
                    f"'{term.factor}' and '{other.factor}' group the rows alike, so their "
                    "variances cannot be told apart. Keep one of them."
                )
        for name in frame.factors:
            if name not in frame.data or name in term.columns:
                continue
            pairs = pd.DataFrame({"fixed": frame.data[name].astype(object).to_numpy(),
                                  "random": term.codes}).drop_duplicates()  # fmt: skip
            if pairs["random"].duplicated().any():
                continue  # crossed: each level is seen under several levels of the factor
            counts = pairs.groupby("fixed").size()
            single = counts[counts == 1].index
            if len(single) == len(counts):
                raise LmmError(
                    f"each level of '{name}' holds a single '{term.factor}' ({_few(single)}): the "
                    f"effect of '{name}' cannot be told from the difference between them. Drop "
                    f"(… | {term.factor}), and speak of these {term.factor}s only."
                )
            if len(single):
                out.append(
                    f"'{name}' {_few(single)} holds a single '{term.factor}': what is said of that "
                    f"level rests on the spread between '{term.factor}' levels elsewhere."
                )
        if frame.X.shape[1] >= len(term.levels):
            indicator = np.eye(len(term.levels))[term.codes]
            both = np.linalg.matrix_rank(np.hstack([frame.X, indicator]))
            if both == frame.X.shape[1]:
                raise LmmError(
                    f"the fixed effects tell every '{term.factor}' apart, so its variance cannot "
                    "be estimated. Drop its random term or some fixed effects."
                )
    return out


def _near_collinear(frame: ModelFrame) -> list[str]:
    """Variance inflation among the plain numeric columns (products are correlated by nature)."""
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
        f"inflation {inflation[worst]:.0f}; r = {r[worst, partner]:.2f} with "
        f"'{frame.names[plain[partner]]}'): their separate coefficients are uncertain. Drop or "
        "combine them."
    ]


def check_fit(
    frame: ModelFrame, deviance: CrossedDeviance, answer: EngineFit, engine: str
) -> tuple[np.ndarray, list[str]]:
    """Hold the engine's answer against the likelihood computed here.

    Returns
    -------
    theta : ndarray
        The engine's optimum, improved where it stopped short.
    messages : list of str
    """
    try:
        return _hold_to_account(frame, deviance, answer, engine)
    except np.linalg.LinAlgError as error:
        raise LmmError(_EXACT) from error


_EXACT = (
    "the model fits the response exactly, so that no residual variance is left to compare with: "
    "check that the response is not computed from the predictors, and that rows are not copies."
)


def _hold_to_account(frame, deviance, answer, engine) -> tuple[np.ndarray, list[str]]:
    messages = []
    theta = deviance.snap(np.nan_to_num(answer.theta))
    found = deviance.solve(theta)
    if not np.isfinite(answer.theta).all() or not np.isfinite(answer.loglik):
        messages.append(f"engine '{engine}' gave undefined values; the search was begun anew.")
        theta = deviance.minimise()
    elif abs(found.deviance + 2 * answer.loglik) > 2e-3:
        messages.append(
            f"engine '{engine}' claims log-likelihood {answer.loglik:.4f}, but its parameters give "
            f"{-found.deviance / 2:.4f}; the latter is used."
        )
    slope = np.abs(deviance.gradient(theta)).max()
    if slope > 0.05 or not answer.converged:
        better = deviance.minimise(theta)
        gain = deviance(theta) - deviance(better)
        if gain > 0:
            theta = better
        if gain > 1e-2:
            messages.append(
                f"engine '{engine}' stopped short of the optimum; the search was carried on, and "
                f"the log-likelihood rose by {gain / 2:.4f}."
            )
        slope = np.abs(deviance.gradient(theta)).max()
        if slope > 0.5:
            messages.append(
                f"the search did not converge (largest gradient {slope:.2g}). Simplify the random "
                "part, or scale the predictors."
            )
    found = deviance.solve(theta)
    if found.sigma < 1e-4 * frame.y.std():
        raise LmmError(_EXACT)
    se = np.sqrt(np.diag(found.vcov))
    zero = (answer.beta == 0) & (np.abs(found.beta) > 1e-8 * se)
    if zero.any():
        names = [name for name, z in zip(frame.names, zero) if z]
        messages.append(
            f"engine '{engine}' gave coefficients of exactly 0 ({_few(names)}), which the data do "
            "not say; they were solved for anew."
        )
    elif (np.abs(answer.beta - found.beta) > 0.01 * se).any():
        messages.append(
            f"engine '{engine}' and the normal equations disagree on the coefficients by up to "
            f"{np.abs((answer.beta - found.beta) / se).max():.3f} standard errors; the latter are "
            "used."
        )
    exact = [name for name, z in zip(frame.names, np.abs(found.beta) < 1e-9 * se) if z]
    if exact:
        messages.append(
            f"the coefficient of {_few(exact)} is exactly 0, which real data do not give: check "
            "that the response varies with it at all."
        )
    return theta, messages + _singular(frame, deviance, theta)


def _singular(frame: ModelFrame, deviance: CrossedDeviance, theta) -> list[str]:
    out = []
    for term, L in zip(frame.random, deviance.unpack(theta)):
        spread = np.sqrt((term.Z**2).mean(axis=0))
        scaled = L * spread[:, None]
        sd = np.sqrt((scaled**2).sum(axis=1))
        flat = [name for name, s in zip(term.names, sd) if s < 1e-4]
        for name in flat:
            what = "intercepts" if name == "Intercept" else f"effect of '{name}'"
            advice = (
                f"drop {term.label}"
                if len(term.names) == 1
                else f"leave '{name}' out of {term.label}"
            )
            out.append(
                f"singular fit: the {what} of '{term.factor}' have no spread beyond chance "
                f"(variance 0 in {term.label}). Fixed effects stand; to simplify, {advice}."
            )
        kept = sd >= 1e-4
        if kept.sum() > 1:
            unit = scaled[kept] / sd[kept, None]
            if np.linalg.eigvalsh(unit @ unit.T).min() < 1e-6:
                names = [name for name, k in zip(term.names, kept) if k]
                out.append(
                    f"singular fit: in {term.label}, {' and '.join(names)} are perfectly "
                    f"correlated over '{term.factor}', which is more than the data can tell. Write "
                    f"'||' instead of '|' to leave the correlation out, and see if results hold."
                )
    return out
