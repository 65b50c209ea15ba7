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

from groove_utils.mixed.errors import LmmError
from groove_utils.mixed.inference import check_level
from groove_utils.stats.threads import one_thread

__all__ = ["bootstrap", "bootstrap_intervals", "profile_intervals"]


class _Profile:
    """Deviance as a function of standard deviations, correlation angles and log σ.

    Standard deviations are those of random columns of root mean square 1.
    """

    def __init__(self, result):
        self.deviance = result.deviance
        values, self.kinds, spreads = [], [], []
        for t, (term, L) in enumerate(zip(result.frame.random, self.deviance.scaled(result.theta))):
            L, levels = L * result.sigma, len(term.levels)
            sd = np.sqrt((L**2).sum(axis=1))
            for i, s in enumerate(sd):
                values.append(s)
                self.kinds.append(("sd", t, i))
                spreads.append((result.sigma, 1 / (8 * levels)))
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
        # units in which all parameters are of one size, and the rough inverse curvature in them
        self.scale, self.curve = np.array(spreads).T
        self.least = self(self.best)[0]

    def __call__(self, values) -> tuple[float, np.ndarray]:
        """Deviance and its gradient."""
        sigma, sizes = np.exp(values[-1]), self.deviance.sizes
        sds = [np.zeros(k) for k in sizes]
        angles = [np.zeros((k, k)) for k in sizes]
        for value, (kind, t, where) in zip(values, self.kinds):
            if kind != "sigma":
                (sds if kind == "sd" else angles)[t][where] = value
        theta = self.deviance.join(
            [
                np.array([sd[i] / sigma * _direction(turn[i, :i], len(sd)) for i in range(len(sd))])
                for sd, turn in zip(sds, angles)
            ]
        )
        try:
            evaluation = self.deviance.at(theta)
        except np.linalg.LinAlgError:
            return 1e12, np.zeros(len(values))
        slope = evaluation.gradient(sigma)
        by_term = self.deviance.scaled(slope[:-1])
        out = np.empty(len(values))
        for index, (kind, t, where) in enumerate(self.kinds):
            if kind == "sd":
                direction = _direction(angles[t][where, :where], len(sds[t]))
                out[index] = by_term[t][where] @ direction / sigma
            elif kind == "angle":
                i, j = where
                turned = angles[t][i, :i].astype(complex)
                turned[j] += 1e-20j  # a complex step differentiates exactly
                bend = _direction(turned, len(sds[t])).imag / 1e-20
                out[index] = by_term[t][i] @ bend * sds[t][i] / sigma
            else:
                out[index] = slope[-1] - slope[:-1] @ theta
        return evaluation.deviance(sigma), out

    def rise(self, index: int, value: float, start: np.ndarray) -> tuple[float, float, np.ndarray]:
        """Least rise of the deviance with one value held, its slope, and the parameters there."""
        others = np.arange(len(self.best)) != index
        full, lowest = start.copy(), (np.inf, 0.0, start)
        full[index] = value

        def goal(part):
            nonlocal lowest
            full[others] = part * self.scale[others]
            deviance, slope = self(full)
            if deviance < lowest[0]:
                lowest = deviance, slope[index], full.copy()
            return deviance, slope[others] * self.scale[others]

        start = start[others] / self.scale[others]
        options = {"gtol": 2e-3, "maxiter": 100, "hess_inv0": np.diag(self.curve[others])}
        optimize.minimize(goal, start, jac=True, method="BFGS", options=options)
        return lowest[0] - self.least, *lowest[1:]

    def bound(self, index: int, side: int, limit: float, step: float, height: float) -> float:
        """Find the value at which the profile has risen by `height`, or `limit`.

        Newton steps on the square root of the rise, which is nearly a straight line.
        """
        inner, outer = self.best[index], limit
        value, path = inner + side * step, [self.best, self.best]
        for _ in range(50):
            value = limit if side * (value - limit) > 0 else value
            # the other parameters follow nearly straight lines
            before, last = path[-2:]
            run = last[index] - before[index]
            ahead = (value - last[index]) / run if run else 0.0
            rise, slope, now = self.rise(index, value, last + ahead * (last - before))
            path.append(now)
            if abs(rise - height) < 1e-3 * height or (value == limit and rise < height):
                break
            inner, outer = (value, outer) if rise < height else (inner, value)
            root = np.sqrt(max(rise, 1e-9))
            change = 2 * root * (np.sqrt(height) - root) / slope if slope * side > 0 else np.inf
            value = value + np.clip(change, -4 * step, 4 * step)
            if not side * inner < side * value < side * outer:
                value = (inner + outer) / 2 if np.isfinite(outer) else inner + 4 * side * step
        return value


def _direction(angles: np.ndarray, size: int) -> np.ndarray:
    """Unit vector of spherical angles, filled up with zeros to a given size."""
    out = np.zeros(size, dtype=angles.dtype)
    out[: len(angles) + 1] = 1.0
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
    for t, (term, unit) in enumerate(zip(result.frame.random, profile.deviance.spreads)):
        for i in range(len(term.names)):
            at = index["sd", t, i]
            best = profile.best[at]
            # the sampling error of an sd over m levels is about sd / √(2 m)
            step = 2 * (best + 0.02 * result.sigma) / np.sqrt(2 * len(term.levels))
            low = profile.bound(at, -1, 0.0, min(step, best), height) if best > 0 else 0.0
            bounds.append(np.array([low, profile.bound(at, 1, np.inf, step, height)]) / unit[i])
        for i, j in zip(*np.triu_indices(len(term.names), 1)):
            if i > 0:
                bounds.append((np.nan, np.nan))
                continue
            at = index["angle", t, (j, i)]
            ends = [profile.bound(at, side, max(0, side) * np.pi, 0.2, height) for side in (1, -1)]
            bounds.append(np.cos(ends))
    at = len(profile.kinds) - 1
    step = 2 / np.sqrt(2 * result.deviance.df)
    bounds.append(
        np.exp([profile.bound(at, side, side * np.inf, step, height) for side in (-1, 1)])
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
        One row per redraw; columns (kind, name): ``("fixed", term)``, ``("variance", i)`` for row i
        of `variance_components` on the scale of its ``sd``, ``("r2", "marginal")``,
        ``("r2", "conditional")``.
    """
    if n_boot < 2:
        raise LmmError(
            f"n_boot is {n_boot}; expected at least 2 redraws (500 for an interval).",
            kind="out_of_range", column="n_boot", value=n_boot,
        )  # fmt: skip
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
