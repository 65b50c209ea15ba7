"""Profile-likelihood and parametric-bootstrap intervals of a fitted mixed model.

Chapter 08-mixed-models uses them through :meth:`groove_utils.mixed.LmmResult.variance_components`.

References
----------
Bates, Mächler, Bolker & Walker (2015), Journal of Statistical Software 67(1), section 5.1.
"""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
from scipy import optimize, stats

from groove_utils.mixed.formula import LmmError
from groove_utils.mixed.inference import check_level
from groove_utils.stats.threads import one_thread

__all__ = ["bootstrap", "bootstrap_intervals", "profile_intervals"]


class _Profile:
    """The deviance in standard deviations, correlation angles and log σ."""

    def __init__(self, result):
        self.deviance = result.deviance
        self.unit = result.sigma
        values, self.kinds, spreads = [], [], []
        for t, (term, L) in enumerate(zip(result.frame.random, self.deviance.unpack(result.theta))):
            L = L * result.sigma
            sd = np.sqrt((L**2).sum(axis=1))
            unit = result.sigma / np.sqrt((term.Z**2).mean(axis=0))
            levels = len(term.levels)
            for i, s in enumerate(sd):
                values.append(s)
                self.kinds.append(("sd", t, i))
                spreads.append((unit[i], 1 / (8 * levels)))
            for i in range(1, len(sd)):
                angles = _angles(L[i] / sd[i] if sd[i] > 0 else np.eye(len(sd))[i], i)
                for j in range(i):
                    values.append(angles[j])
                    self.kinds.append(("angle", t, (i, j)))
                    spreads.append((1.0, 1 / (2 * levels)))
        values.append(np.log(result.sigma))
        self.kinds.append(("sigma", None, None))
        spreads.append((1.0, 1 / (4 * self.deviance.df)))
        self.best = np.array(values)
        # units in which all parameters are alike, and about what the curvature is in them
        self.scale, self.curve = np.array(spreads).T
        self.least = self(self.best)[0]

    def __call__(self, values) -> tuple[float, np.ndarray]:
        """Deviance and its gradient."""
        sigma = np.exp(values[-1])
        sizes = self.deviance.sizes
        sds = [np.zeros(k) for k in sizes]
        angles = [np.zeros((k, k)) for k in sizes]
        for value, (kind, t, where) in zip(values, self.kinds):
            if kind == "sd":
                sds[t][where] = value
            elif kind == "angle":
                angles[t][where] = value
        factors = []
        for sd, angle in zip(sds, angles):
            L = np.zeros((len(sd), len(sd)))
            for i in range(len(sd)):
                L[i, : i + 1] = sd[i] / sigma * _direction(angle[i, :i])
            factors.append(L)
        theta = self.deviance.pack(factors)
        try:
            value, slope = self.deviance.with_gradient(theta, sigma)
        except np.linalg.LinAlgError:
            return 1e12, np.zeros(len(values))
        slope[:-1] /= self.deviance.theta_scale
        by_factor = self.deviance.unpack(slope[:-1])
        out = np.empty(len(values))
        for index, (kind, t, where) in enumerate(self.kinds):
            if kind == "sd":
                direction = _direction(angles[t][where, :where])
                out[index] = by_factor[t][where, : where + 1] @ direction / sigma
            elif kind == "angle":
                i, j = where
                turned = angles[t][i, :i].astype(complex)
                turned[j] += 1e-20j  # a complex step differentiates exactly
                bend = _direction(turned).imag / 1e-20
                out[index] = by_factor[t][i, : i + 1] @ bend * sds[t][i] / sigma
            else:
                out[index] = slope[-1] - slope[:-1] @ theta
        return value, out

    def rise(self, index: int, value: float, start: np.ndarray) -> tuple[float, np.ndarray]:
        """Least rise of the deviance with one value held, and where that is."""
        others = np.arange(len(self.best)) != index

        def held(part):
            full = start.copy()
            full[index] = value
            full[others] = part * self.scale[others]
            return full

        def goal(part):
            value, slope = self(held(part))
            return value, slope[others] * self.scale[others]

        found = optimize.minimize(
            goal,
            start[others] / self.scale[others],
            jac=True,
            method="BFGS",
            options={"gtol": 1e-3, "maxiter": 100, "hess_inv0": np.diag(self.curve[others])},
        )
        return found.fun - self.least, held(found.x)

    def bound(self, index: int, side: int, limit: float, step: float, height: float) -> float:
        """Where the profile has risen by `height`, going to one side as far as `limit`."""
        start, inner, width = self.best.copy(), self.best[index], step
        while True:
            outer = inner + side * width
            if side * (outer - limit) >= 0:
                outer = limit
            rise, where = self.rise(index, outer, start)
            if rise >= height:
                break
            if outer == limit:
                return limit
            inner, start, width = outer, where, 1.5 * width

        def excess(value):
            nonlocal start
            rise, start = self.rise(index, value, start)
            return rise - height

        ends = sorted((inner, outer))
        return optimize.brentq(excess, *ends, xtol=2e-4 * max(abs(outer - inner), 1e-12))


def _direction(angles: np.ndarray) -> np.ndarray:
    """Unit vector of spherical angles; one entry longer than they are."""
    out = np.ones(len(angles) + 1, dtype=np.asarray(angles).dtype)
    for j, angle in enumerate(angles):
        out[j] *= np.cos(angle)
        out[j + 1 :] *= np.sin(angle)
    return out


def _angles(row: np.ndarray, n: int) -> np.ndarray:
    out, rest = np.zeros(n), 1.0
    for j in range(n):
        ratio = row[j] / rest if rest > 1e-12 else 0.0
        out[j] = np.arccos(np.clip(ratio, -1, 1))
        rest *= np.sin(out[j])
    return out


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
        In the order of `LmmResult.variance_components`; NaN for the correlations between the
        second and later coefficients of a term, for which the bootstrap gives intervals.
    """
    check_level(level)
    profile = _Profile(result)
    height = stats.chi2.ppf(level, 1)
    index = {kind: i for i, kind in enumerate(profile.kinds)}
    bounds = []
    for t, term in enumerate(result.frame.random):
        for i in range(len(term.names)):
            at = index["sd", t, i]
            # the sampling spread of an sd over m levels is about sd / √(2 m)
            guess = profile.best[at] + 0.02 * profile.scale[at]
            step = 2 * guess / np.sqrt(2 * len(term.levels))
            low = 0.0
            if profile.best[at] > 0:
                low = profile.bound(at, -1, 0.0, min(step, profile.best[at]), height)
            bounds.append((low, profile.bound(at, 1, np.inf, step, height)))
        for i in range(len(term.names)):
            for j in range(i + 1, len(term.names)):
                if i > 0:
                    bounds.append((np.nan, np.nan))
                    continue
                at = index["angle", t, (j, i)]
                low = profile.bound(at, 1, np.pi, 0.2, height)
                high = profile.bound(at, -1, 0.0, 0.2, height)
                bounds.append((np.cos(low), np.cos(high)))
    at = len(profile.kinds) - 1
    step = 2 / np.sqrt(2 * result.deviance.df)
    bounds.append(
        tuple(np.exp(profile.bound(at, side, side * np.inf, step, height)) for side in (-1, 1))
    )
    low, high = np.array(bounds).T
    return low, high


@one_thread
def _redraw(result, seeds) -> list[dict]:
    out = []
    for seed in seeds:
        again = result.refit(result.simulate(1, seed=seed)[0])
        row = {("fixed", name): b for name, b in zip(result.names, again.beta)}
        table = again.variance_components()
        row |= {("variance", i): sd for i, sd in enumerate(table["sd"])}
        row |= {("r2", name): value for name, value in again.r2().items()}
        out.append(row)
    return out


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
        One row a redraw; columns (kind, name): ``("fixed", term)``, ``("variance", i)`` for row i
        of `variance_components` on the scale of its ``sd``, ``("r2", "marginal")``,
        ``("r2", "conditional")``.
    """
    if n_boot < 2:
        raise LmmError(f"n_boot is {n_boot}; expected at least 2 redraws (500 for an interval).")
    seeds = np.random.SeedSequence(seed).generate_state(n_boot)
    chunks = np.array_split(seeds, min(n_boot, max(1, joblib.effective_n_jobs(n_jobs)) * 4))
    parts = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_redraw)(result, chunk.tolist()) for chunk in chunks
    )
    table = pd.DataFrame([row for part in parts for row in part])
    table.columns = pd.MultiIndex.from_tuples(table.columns, names=["kind", "name"])
    return table


def bootstrap_intervals(result, level=0.95, n_boot=500, seed=0, n_jobs=1):
    """Percentile intervals of standard deviations and correlations, as `profile_intervals`."""
    check_level(level)
    draws = bootstrap(result, n_boot, seed, n_jobs)["variance"].to_numpy(dtype=float)
    tail = (1 - level) / 2
    return np.nanquantile(draws, tail, axis=0), np.nanquantile(draws, 1 - tail, axis=0)
