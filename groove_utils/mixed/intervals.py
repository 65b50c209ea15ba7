"""Profile-likelihood and parametric-bootstrap intervals of a fitted mixed model.

Chapter 08-mixed-models uses them through :meth:`groove_utils.mixed.LmmResult.variance_components`;
Bates et al. (2015, section 5.1) describe the profile.
"""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from scipy import optimize, stats

from groove_utils.mixed.errors import check_range
from groove_utils.mixed.inference import check_level
from groove_utils.stats.threads import one_thread

__all__ = ["bootstrap", "bootstrap_intervals", "profile_intervals"]


class _Profile:
    """Deviance in θ and log σ, profiled over all but one statistic of them.

    A statistic is a function that returns its value and its gradient.
    """

    def __init__(self, result):
        self.model = model = result.deviance
        self.best = np.append(result.theta, np.log(result.sigma))
        self.least = result.solution.deviance
        # the curvature is roughly 1 in these units
        self.unit = 1 / np.sqrt(np.append(8 * model.n_levels, 4 * model.df))

    def sd(self, t: int, i: int):
        """Standard deviation of a coefficient of a term, for its column scaled to rms 1."""

        def statistic(x):
            L, sigma = self.model.scaled(x[:-1]), np.exp(x[-1])
            size = np.linalg.norm(L[t][i])
            slope = [np.zeros_like(M) for M in L]
            slope[t][i] = sigma * L[t][i] / max(size, 1e-12)
            return sigma * size, np.append(self.model.join(slope), sigma * size)

        return statistic

    def correlation(self, t: int, i: int, j: int):
        """Correlation of two coefficients of a term."""

        def statistic(x):
            L = self.model.scaled(x[:-1])
            sizes = np.linalg.norm(L[t], axis=1).clip(1e-12)
            first, second = L[t][i] / sizes[i], L[t][j] / sizes[j]
            r = first @ second
            slope = [np.zeros_like(M) for M in L]
            slope[t][i] = (second - r * first) / sizes[i]
            slope[t][j] = (first - r * second) / sizes[j]
            return r, np.append(self.model.join(slope), 0.0)

        return statistic

    def goal(self, z):
        """Rise of the deviance and its gradient, in scaled units."""
        x = z * self.unit
        try:
            evaluation = self.model.at(x[:-1])
        except np.linalg.LinAlgError:
            return 1e12, np.zeros(len(z))
        sigma = np.exp(x[-1])
        return evaluation.deviance(sigma) - self.least, evaluation.gradient(sigma) * self.unit

    def rise(self, statistic, value: float, start: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Least rise of the deviance with a statistic held, its slope, and the parameters there."""
        held = {
            "type": "eq",
            "fun": lambda z: statistic(z * self.unit)[0] - value,
            "jac": lambda z: statistic(z * self.unit)[1] * self.unit,
        }
        z = optimize.minimize(
            self.goal, start / self.unit, jac=True, method="SLSQP", constraints=[held],
            options={"ftol": 1e-5, "maxiter": 200},
        ).x  # fmt: skip
        rise, slope = self.goal(z)
        normal = held["jac"](z)
        return rise, slope @ normal / (normal @ normal), z * self.unit

    def bound(self, statistic, side: int, limit: float, step: float, height: float) -> float:
        """Find the value at which the profile has risen by `height`, or `limit`.

        Newton steps on the square root of the rise, which is nearly a straight line.
        """
        best = inner = statistic(self.best)[0]
        value, outer, now = best + side * step, limit, self.best
        for _ in range(50):
            value = limit if side * (value - limit) > 0 else value
            rise, slope, now = self.rise(statistic, value, now)
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
    """Profile-likelihood intervals of standard deviations and correlations.

    The criterion profiled is the one that was maximised: REML for a REML fit. (lme4's ``confint``
    always profiles maximum likelihood; ``result.refit(reml=False)`` gives the same.)

    Parameters
    ----------
    result : LmmResult
    level : float
        Coverage.

    Returns
    -------
    low, high : ndarray
        In the order of `LmmResult.variance_components`.
    """
    check_level(level)
    profile, height, bounds = _Profile(result), stats.chi2.ppf(level, 1), []
    for t, (term, unit) in enumerate(zip(result.frame.random, profile.model.spreads)):
        k, width = len(term.names), 2 / np.sqrt(2 * len(term.levels))
        for i in range(k):
            sd = profile.sd(t, i)
            best = sd(profile.best)[0]
            # the sampling error of an sd over m levels is about sd / √(2 m)
            step = width * (best + 0.02 * result.sigma)
            low = profile.bound(sd, -1, 0.0, min(step, best), height) if best > 0 else 0.0
            bounds.append(np.array([low, profile.bound(sd, 1, np.inf, step, height)]) / unit[i])
        for i, j in zip(*np.triu_indices(k, 1)):
            r = profile.correlation(t, i, j)
            bounds.append([profile.bound(r, side, side, 0.2, height) for side in (-1, 1)])
    step = 2 / np.sqrt(2 * result.deviance.df)
    at_sigma = np.append(0.0 * result.theta, 1.0)
    sigma = [
        profile.bound(lambda x: (x[-1], at_sigma), side, side * np.inf, step, height)
        for side in (-1, 1)
    ]
    low, high = np.array([*bounds, np.exp(sigma)]).T
    return low, high


@one_thread
def _redraw(result, seed: int) -> dict:
    again = result.refit(result.simulate(seed))
    row = {("fixed", name): b for name, b in zip(result.names, again.beta)}
    row |= {("variance", i): sd for i, sd in enumerate(again.variance_components()["sd"])}
    return row | {("r2", name): value for name, value in again.r2().items()}


def bootstrap(result, n_boot: int = 500, seed: int = 0, n_jobs: int = 1) -> pd.DataFrame:
    """Parametric bootstrap: simulate from the model, refit, collect.

    Parameters
    ----------
    result : LmmResult
    n_boot : int
        Redraws, at least 2.
    seed : int
        The draws are the same for every `n_jobs`.
    n_jobs : int
        Processes.

    Returns
    -------
    DataFrame
        One row per redraw; columns (kind, name): ``("fixed", term)``, ``("variance", i)`` for row i
        of `variance_components` on the scale of its ``sd``, ``("r2", "marginal")``,
        ``("r2", "conditional")``.
    """
    check_range("n_boot", n_boot, n_boot > 1, "at least 2 redraws (500 for an interval)")
    seeds = np.random.SeedSequence(seed).generate_state(n_boot)
    # one copy of `result` is sent with each batch
    batch = -(-n_boot // (4 * max(1, joblib.effective_n_jobs(n_jobs))))
    table = pd.DataFrame(
        joblib.Parallel(n_jobs=n_jobs, batch_size=batch)(
            joblib.delayed(_redraw)(result, int(seed)) for seed in seeds
        )
    )
    table.columns = pd.MultiIndex.from_tuples(table.columns, names=["kind", "name"])
    return table


def bootstrap_intervals(result, level=0.95, n_boot=500, seed=0, n_jobs=1):
    """Percentile intervals of standard deviations and correlations, as `profile_intervals`."""
    check_level(level)
    draws = bootstrap(result, n_boot, seed, n_jobs)["variance"].to_numpy(dtype=float)
    tail = (1 - level) / 2
    return np.nanquantile(draws, tail, axis=0), np.nanquantile(draws, 1 - tail, axis=0)
