"""Search for the covariance parameters that minimise the deviance of a mixed model.

The deviance does not change if a column of a Cholesky factor changes sign. The search therefore
needs no bounds: a negative standard deviation is equivalent to its absolute value. For the same
reason, a standard deviation of 0 is always a stationary point. Such a point is accepted only if the
deviance rises when the standard deviation increases.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.stats.threads import one_thread

__all__ = ["minimise"]

_MAX_GRADIENT = 0.05  # largest gradient component of an accepted optimum


@one_thread
def minimise(
    model: CrossedDeviance, start: np.ndarray | None = None, tol: float = 1e-4, free=None
) -> np.ndarray:
    """Minimise the deviance of a mixed model over θ by BFGS, with restarts if necessary.

    Parameters
    ----------
    model : CrossedDeviance
        Deviance to minimise.
    start : ndarray, shape (n_theta,), optional
        Starting point; by default, the standard deviation of each random effect is half the
        residual standard deviation.
    tol : float
        Gradient tolerance of the optimiser.
    free : ndarray of bool, shape (n_theta,), optional
        True for the entries of θ to optimise (all by default); the other entries are fixed at 0.

    Returns
    -------
    ndarray, shape (n_theta,)
        Optimal θ. Diagonal entries are not negative, and negligible ones are set to exactly 0.
    """
    free = np.ones(model.n_theta, dtype=bool) if free is None else np.asarray(free)
    best = np.zeros(model.n_theta)
    if not free.any():
        return best
    on_diagonal = free & model.diagonal
    theta = 0.5 * model.diagonal if start is None else np.array(start, dtype=float)
    least = np.inf
    for restart in (None, 1.0, 0.1):
        if restart is not None:
            theta = restart * model.diagonal
        theta[on_diagonal & (np.abs(theta) < 0.05)] = 0.05
        theta, value, max_gradient = _descend(model, theta * free, free, tol)
        if value < least:
            best, least = theta, value
        if max_gradient <= _MAX_GRADIENT:
            break
    best, least = _snap(model, best, least)
    for i in np.flatnonzero(on_diagonal & (best == 0)):
        trial = best.copy()
        trial[i] = 0.05
        if _value(model, trial) < least - 1e-6:  # 0 was not a minimum
            trial, value, _ = _descend(model, trial, free, tol)
            if value < least:
                best, least = _snap(model, trial, value)
    return best


def _descend(model, theta, free, tol) -> tuple[np.ndarray, float, float]:
    """Minimise from one starting point; return θ, deviance and largest absolute gradient entry."""

    def expand(entries):
        full = np.zeros(model.n_theta)
        full[free] = entries
        return full

    def value(entries):
        try:
            evaluation = model.at(expand(entries))
        except np.linalg.LinAlgError:
            return 1e12, np.zeros(len(entries))
        return evaluation.deviance(), evaluation.gradient()[free]

    # the relative standard error of an SD estimated from m levels is about 1 / √(2m)
    curvature = np.diag(1 / (8 * model.n_levels[free]))
    options = {"gtol": tol, "maxiter": 200, "hess_inv0": curvature}
    optimum = optimize.minimize(value, theta[free], jac=True, method="BFGS", options=options)
    return expand(optimum.x), float(optimum.fun), float(np.abs(optimum.jac).max())


def _snap(model, theta, value) -> tuple[np.ndarray, float]:
    """Make the diagonal non-negative; zero its small entries unless this raises the deviance."""
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
