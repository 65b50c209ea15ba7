"""Search for the covariance parameters that minimise the deviance of a mixed model.

The deviance is even in each column of a Cholesky factor, so the search needs no bounds: a standard
deviation that passes through zero is the same as its absolute value. A standard deviation of zero
is therefore always stationary, and is accepted only where the deviance rises on both sides.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.stats.threads import one_thread

__all__ = ["minimise"]

_STEEP = 0.05  # largest gradient component of an accepted optimum


@one_thread
def minimise(
    model: CrossedDeviance, start: np.ndarray | None = None, tol: float = 1e-4, free=None
) -> np.ndarray:
    """Find the θ that minimises the deviance by BFGS, with restarts if the optimum is in doubt.

    Parameters
    ----------
    model : CrossedDeviance
    start : ndarray, shape (n_theta,), optional
        Starting point; by default, all random effects have half the residual's standard deviation.
    tol : float
        Largest gradient component that counts as zero.
    free : ndarray of bool, shape (n_theta,), optional
        Entries to optimise; the others are fixed at 0. All by default.

    Returns
    -------
    ndarray, shape (n_theta,)
        Optimal θ. Diagonal entries are positive, or exactly 0 if they are within the tolerance.
    """
    free = np.ones(model.n_theta, dtype=bool) if free is None else np.asarray(free)
    best = np.zeros(model.n_theta)
    if not free.any():
        return best
    on_diagonal = free & model.diagonal
    theta = 0.5 * model.diagonal if start is None else np.array(start, dtype=float)
    least = np.inf
    for again in (None, 1.0, 0.1):
        if again is not None:
            theta = again * model.diagonal
        theta[on_diagonal & (np.abs(theta) < 0.05)] = 0.05
        theta, value, steep = _descend(model, theta * free, free, tol)
        if value < least:
            best, least = theta, value
        if steep <= _STEEP:
            break
    best, least = _snap(model, best, least)
    for i in np.flatnonzero(on_diagonal & (best == 0)):
        trial = best.copy()
        trial[i] = 0.05
        if _value(model, trial) < least - 1e-6:  # zero was a ridge, not a minimum
            trial, value, _ = _descend(model, trial, free, tol)
            if value < least:
                best, least = _snap(model, trial, value)
    return best


def _descend(model, theta, free, tol) -> tuple[np.ndarray, float, float]:
    """Minimise from one start; return θ, the deviance, and its largest gradient component."""

    def expand(part):
        full = np.zeros(model.n_theta)
        full[free] = part
        return full

    def value(part):
        try:
            evaluation = model.at(expand(part))
        except np.linalg.LinAlgError:
            return 1e12, np.zeros(len(part))
        return evaluation.deviance(), evaluation.gradient()[free]

    # a standard deviation over m levels has a relative sampling error of about 1 / √(2m)
    curvature = np.diag(1 / (8 * model.n_levels[free]))
    options = {"gtol": tol, "maxiter": 200, "hess_inv0": curvature}
    found = optimize.minimize(value, theta[free], jac=True, method="BFGS", options=options)
    return expand(found.x), float(found.fun), float(np.abs(found.jac).max())


def _snap(model, theta, value) -> tuple[np.ndarray, float]:
    """Make the diagonal positive, and set entries within the tolerance of zero to zero."""
    theta = model.join([L * np.where(np.diag(L) < 0, -1.0, 1.0) for L in model.scaled(theta)])
    for i in np.flatnonzero(model.diagonal & (theta < 5e-3) & (theta > 0)):
        trial = theta.copy()
        trial[i] = 0.0
        if (other := _value(model, trial)) <= value + 1e-6:
            theta, value = trial, min(value, other)
    return theta, value


def _value(model, theta) -> float:
    try:
        return model(theta)
    except np.linalg.LinAlgError:
        return np.inf
