"""Profile-likelihood and parametric-bootstrap intervals for a fitted mixed model.

Profiles are computed as in Bates et al. (2015, section 5.1). Use
:meth:`groove_utils.mixed.LmmResult.variance_components` to compute either kind of interval.
"""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from scipy import optimize, stats

from groove_utils.memoisation import memoised
from groove_utils.mixed.errors import check_range
from groove_utils.mixed.inference import check_level
from groove_utils.stats.threads import one_thread

__all__ = ["bootstrap", "bootstrap_intervals", "profile_intervals"]


# A `constrain` function changes the Cholesky factors L (in place) and σ so that a statistic has a
# given value. It returns the new σ and a function `pull_back`, which converts the gradient with
# respect to the new L and log σ to the gradient with respect to the original L and log σ. It
# changes G, the gradient with respect to L, in place, and returns the derivatives with respect to
# the original log σ and to the value.


def _constrain_sd(t: int, i: int):
    """Create a `constrain` function that fixes the standard deviation of coefficient i of term t.

    The direction of row i of the Cholesky factor remains free.
    """

    def constrain(L, sigma, value):
        size, d = _unit(L[t][i], i)
        L[t][i] = value / sigma * d

        def pull_back(G, log_sigma):
            along, G[t][i] = G[t][i] @ d, value / sigma * (G[t][i] - (G[t][i] @ d) * d) / size
            return log_sigma - value / sigma * along, along / sigma

        return sigma, pull_back

    return constrain


def _constrain_angle(t: int, j: int):
    """Create a `constrain` function that fixes the correlation of coefficients 0 and j of term t.

    The correlation is the cosine of the angle between rows 0 and j of the Cholesky factor, and
    `value` is this angle. During optimisation, the first entry of row j stores the length of the
    row, and the other entries store its direction.
    """

    def constrain(L, sigma, value):
        length, cos, sin = L[t][j][0], np.cos(value), np.sin(value)
        size, d = _unit(L[t][j][1:], j - 1)
        L[t][j] = length * np.append(cos, sin * d)

        def pull_back(G, log_sigma):
            first, others = G[t][j][0], G[t][j][1:].copy()
            along = others @ d
            G[t][j][0] = cos * first + sin * along
            G[t][j][1:] = length * sin * (others - along * d) / size
            return log_sigma, length * (cos * along - sin * first)

        return sigma, pull_back

    return constrain


def _constrain_sigma(L, sigma, value):
    """Fix the logarithm of the residual standard deviation at `value` (a `constrain` function)."""
    return np.exp(value), lambda G, log_sigma: (0.0, log_sigma)


def _unit(v: np.ndarray, i: int) -> tuple[float, np.ndarray]:
    """Return a vector's length and direction; for a zero vector, 1 and the i-th unit vector."""
    size = np.linalg.norm(v)
    return (size, v / size) if size > 1e-9 else (1.0, np.eye(len(v))[i])


class _Profile:
    """Deviance as a function of one statistic, minimised over all other parameters."""

    def __init__(self, result):
        self.model = result.deviance
        self.best = np.append(result.theta, np.log(result.sigma))
        self.least = result.solution.deviance
        self.curve = np.diag(1 / np.append(8 * self.model.n_levels, 4 * self.model.df))

    def rise(self, constrain, value: float, start: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Minimise the deviance with the statistic fixed at `value`.

        Returns
        -------
        rise : float
            Constrained minimum minus the minimum without the constraint.
        slope : float
            Derivative of the deviance with respect to `value`.
        point : ndarray
            θ and log σ at the constrained minimum.
        """
        lowest = np.inf, 0.0, start

        def goal(x):
            nonlocal lowest
            L = self.model.scaled(x[:-1])
            sigma, pull_back = constrain(L, np.exp(x[-1]), value)
            try:
                evaluation = self.model.at(self.model.join(L))
            except np.linalg.LinAlgError:
                return 1e12, np.zeros(len(x))
            gradient = evaluation.gradient(sigma)
            G = self.model.scaled(gradient[:-1])
            log_sigma, slope = pull_back(G, gradient[-1])
            deviance = evaluation.deviance(sigma)
            if deviance < lowest[0]:
                lowest = deviance, slope, x.copy()
            return deviance, np.append(self.model.join(G), log_sigma)

        options = {"gtol": 1e-2, "maxiter": 100, "hess_inv0": self.curve}
        optimize.minimize(goal, start, jac=True, method="BFGS", options=options)
        return lowest[0] - self.least, *lowest[1:]

    def bound(
        self, constrain, best, side: int, limit, step: float, height: float, now=None
    ) -> float:
        """Find the value at which the profiled deviance exceeds its minimum by `height`.

        The search starts at `best` and goes up or down (`side` is 1 or −1). If the deviance does
        not rise by `height` before `limit` is reached, return `limit`. Newton's method is applied
        to the square root of the rise, which is nearly a linear function of the value.
        """
        inner, outer, value = best, limit, best + side * step
        now = self.best if now is None else now
        for _ in range(50):
            value = limit if side * (value - limit) > -1e-12 else value
            rise, slope, now = self.rise(constrain, value, now)
            if abs(rise - height) < 1e-3 * height or (value == limit and rise < height):
                break
            inner, outer = (value, outer) if rise < height else (inner, value)
            root = np.sqrt(max(rise, 1e-9))
            change = 2 * root * (np.sqrt(height) - root) / slope if slope * side > 0 else np.inf
            value = value + np.clip(change, -4 * step, 4 * step)
            if not side * inner < side * value < side * outer:
                value = (inner + outer) / 2 if np.isfinite(outer) else inner + 4 * side * step
        return value


@one_thread
def profile_intervals(result, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Compute profile-likelihood intervals for standard deviations and correlations.

    For a REML fit, the restricted likelihood is profiled. In lme4, ``confint`` always profiles the
    unrestricted likelihood; pass ``result.refit(reml=False)`` to reproduce lme4's intervals.

    Parameters
    ----------
    result : LmmResult
        Fitted model.
    level : float
        Coverage of the intervals.

    Returns
    -------
    low, high : ndarray, shape (n_rows,)
        Bounds in the order of the rows of `LmmResult.variance_components`. They are NaN for
        correlations that do not involve the first coefficient of a term; use the bootstrap for
        these correlations.
    """
    check_level(level)
    profile, height, bounds = _Profile(result), stats.chi2.ppf(level, 1), []
    factors = profile.model.scaled(result.theta)
    for t, (term, L, unit) in enumerate(zip(result.frame.random, factors, profile.model.spreads)):
        sizes = np.linalg.norm(L, axis=1)
        for i, sd in enumerate(sizes * result.sigma):
            # the standard error of an SD estimated from m levels is about SD / √(2m)
            step = 2 * (sd + 0.02 * result.sigma) / np.sqrt(2 * len(term.levels))
            constrain, low = _constrain_sd(t, i), 0.0
            if sd > 0:
                low = profile.bound(constrain, sd, -1, 0.0, min(step, sd), height)
            high = profile.bound(constrain, sd, 1, np.inf, step, height)
            bounds.append(np.array([low, high]) / unit[i])
        for j in range(1, len(sizes)):
            start = [M.copy() for M in factors]
            start[t][j][0] = sizes[j]
            now = np.append(profile.model.join(start), np.log(result.sigma))
            angle = np.arccos(np.clip(L[j][0] / max(sizes[j], 1e-12), -1, 1))
            ends = [profile.bound(_constrain_angle(t, j), angle, side, limit, 0.2, height, now)
                    for side, limit in ((1, np.pi), (-1, 0.0))]  # fmt: skip
            bounds.append(np.cos(ends))
        bounds += [(np.nan, np.nan)] * ((len(sizes) - 1) * (len(sizes) - 2) // 2)
    step, log_sigma = 2 / np.sqrt(2 * result.deviance.df), np.log(result.sigma)
    ends = [profile.bound(_constrain_sigma, log_sigma, side, side * np.inf, step, height)
            for side in (-1, 1)]  # fmt: skip
    low, high = np.array([*bounds, np.exp(ends)]).T
    return low, high


@one_thread
def _simulate_and_refit(result, seed: int) -> dict:
    refit = result.refit(result.simulate(seed))
    row = {("fixed", name): b for name, b in zip(result.names, refit.beta)}
    row |= {("variance", i): sd for i, sd in enumerate(refit.variance_components()["sd"])}
    return row | {("r2", name): value for name, value in refit.r2().items()}


@memoised("mixed-models")
def bootstrap(result, n_boot: int = 500, seed: int = 0, n_jobs: int = 1) -> pd.DataFrame:
    """Run a parametric bootstrap: simulate responses, refit the mixed model, and collect estimates.

    Parameters
    ----------
    result : LmmResult
        Fitted model.
    n_boot : int
        Number of bootstrap samples, at least 2.
    seed : int
        Random seed.
    n_jobs : int
        Number of processes; does not affect the samples.

    Returns
    -------
    DataFrame
        One row per bootstrap sample, with columns (kind, name): ``("fixed", term)``, the fixed
        coefficients; ``("variance", i)``, the standard deviation or correlation in row i of
        `LmmResult.variance_components`; ``("r2", "marginal")`` and ``("r2", "conditional")``.
    """
    check_range("n_boot", n_boot, n_boot > 1, "at least 2 bootstrap samples (500 for an interval)")
    seeds = np.random.SeedSequence(seed).generate_state(n_boot)
    # `result` is pickled once per batch
    batch = -(-n_boot // (4 * max(1, joblib.effective_n_jobs(n_jobs))))
    table = pd.DataFrame(
        joblib.Parallel(n_jobs=n_jobs, batch_size=batch)(
            joblib.delayed(_simulate_and_refit)(result, int(seed)) for seed in seeds
        )
    )
    table.columns = pd.MultiIndex.from_tuples(table.columns, names=["kind", "name"])
    return table


def bootstrap_intervals(result, level=0.95, n_boot=500, seed=0, n_jobs=1):
    """Compute bootstrap percentile intervals for standard deviations and correlations."""
    check_level(level)
    draws = bootstrap(result, n_boot, seed, n_jobs)["variance"].to_numpy(dtype=float)
    tail = (1 - level) / 2
    return np.nanquantile(draws, tail, axis=0), np.nanquantile(draws, 1 - tail, axis=0)
