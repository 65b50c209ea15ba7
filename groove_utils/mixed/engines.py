"""The engines that find the optimum, behind one small interface.

An engine gets numbers, not names: scaled columns and level codes, in a formula of plain terms.
What comes back is θ alone. :mod:`groove_utils.mixed.deviance` then evaluates the likelihood and
solves for everything else, and so checks the engine's answer on every single fit.

Chapter 08-mixed-models uses it, through :func:`groove_utils.mixed.fit_lmm`.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from groove_utils.mixed.deviance import CrossedDeviance
from groove_utils.mixed.formula import LmmError, ModelFrame

__all__ = ["ENGINES", "EngineFit", "run_engine"]


@dataclass
class EngineFit:
    """An engine's answer in the units of the data.

    Attributes
    ----------
    theta : ndarray
        Relative covariance parameters, laid out as in `CrossedDeviance`.
    beta : ndarray, shape (n_fixed,)
    loglik : float
        Log-likelihood that the engine claims (restricted if asked).
    converged : bool
    message : str
    """

    theta: np.ndarray
    beta: np.ndarray
    loglik: float
    converged: bool
    message: str


def run_engine(frame: ModelFrame, deviance: CrossedDeviance, engine: str) -> EngineFit:
    """Fit with a named engine.

    Parameters
    ----------
    frame : ModelFrame
    deviance : CrossedDeviance
        Gives the criterion, and the layout of θ.
    engine : {"mixedlm", "glmm", "builtin"}

    Raises
    ------
    LmmError
        Unknown engine, or an engine that cannot fit this formula.
    """
    if engine not in ENGINES:
        raise LmmError(f"engine {engine!r} is unknown; expected one of {', '.join(ENGINES)}.")
    return ENGINES[engine](frame, deviance)


def _plain_data(frame: ModelFrame):
    """Columns of unit root mean square with plain names, and how they were scaled."""
    x_scale = np.sqrt((frame.X**2).mean(axis=0))
    columns = {"y": frame.y}
    for j, s in enumerate(x_scale):
        columns[f"x{j}"] = frame.X[:, j] / s
    z_scales = []
    for t, term in enumerate(frame.random):
        scale = np.sqrt((term.Z**2).mean(axis=0))
        if (scale == 0).any():
            name = term.names[int(np.argmin(scale))]
            raise LmmError(
                f"the random column '{name}' of {term.label} is 0 in every row; drop it."
            )
        z_scales.append(scale)
        for j, (name, s) in enumerate(zip(term.names, scale)):
            if name != "Intercept":
                columns[f"z{t}k{j}"] = term.Z[:, j] / s
        width = len(str(len(term.levels)))
        columns[f"g{t}"] = np.char.add("g", np.char.zfill(term.codes.astype(str), width))
    return pd.DataFrame(columns), x_scale, z_scales


def _unscale(deviance: CrossedDeviance, relative: list[np.ndarray], z_scales) -> np.ndarray:
    return deviance.canonical(
        deviance.pack([L / scale[:, None] for L, scale in zip(relative, z_scales)])
    )


def _fit_mixedlm(frame: ModelFrame, deviance: CrossedDeviance) -> EngineFit:
    import mixedlm

    data, x_scale, z_scales = _plain_data(frame)
    bars = []
    for t, term in enumerate(frame.random):
        inner = [f"z{t}k{j}" for j, name in enumerate(term.names) if name != "Intercept"]
        first = "1" if "Intercept" in term.names else "0"
        bars.append(f"({' + '.join([first, *inner])} | g{t})")
    fixed = " + ".join(f"x{j}" for j in range(len(x_scale)))
    formula = f"y ~ 0 + {fixed} + {' + '.join(bars)}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told again, in the study's words, by fit_lmm
        try:
            fit = mixedlm.lmer(formula, data, REML=deviance.reml)
        except (ValueError, RuntimeError, np.linalg.LinAlgError) as error:
            raise LmmError(f"engine 'mixedlm' failed on {frame.formula!r}: {error}") from error
    relative = deviance.unpack(np.asarray(fit.theta, dtype=float))
    penalty = 2 * np.log(x_scale).sum() if deviance.reml else 0.0
    return EngineFit(
        theta=_unscale(deviance, relative, z_scales),
        beta=np.asarray(fit.beta) / x_scale,
        loglik=float(-(fit.deviance + penalty) / 2),
        converged=bool(fit.converged),
        message=str(fit.message),
    )


def _fit_glmm(frame: ModelFrame, deviance: CrossedDeviance) -> EngineFit:
    import glmm

    data, x_scale, z_scales = _plain_data(frame)
    by_factor: dict[str, list[int]] = {}
    for t, term in enumerate(frame.random):
        by_factor.setdefault(term.factor, []).append(t)
    bars = []
    for factor, members in by_factor.items():
        term = frame.random[members[0]]
        if len(members) > 1:
            raise LmmError(
                f"engine 'glmm' always fits the correlations over '{factor}': write '|' for '||', "
                "or use engine='mixedlm'."
            )
        if "Intercept" not in term.names:
            raise LmmError(
                f"engine 'glmm' fits no slope without an intercept: add '1 +' to {term.label}, or "
                "use engine='mixedlm'."
            )
        inner = [
            _same_column(frame, term.Z[:, j], name)
            for j, name in enumerate(term.names)
            if name != "Intercept"
        ]
        bars.append(f"({' + '.join(['1', *inner])} | g{members[0]})")
    fixed = " + ".join(f"x{j}" for j in range(len(x_scale)))
    formula = f"y ~ 0 + {fixed} + {' + '.join(bars)}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told again, in the study's words, by fit_lmm
        try:
            fit = glmm.fit(data, formula, reml=deviance.reml, satterthwaite=False)
        except (ValueError, RuntimeError) as error:
            raise LmmError(f"engine 'glmm' failed on {frame.formula!r}: {error}") from error
    sigma2 = float(fit.dispersion)
    relative: list = [None] * len(frame.random)
    for members, packed in zip(by_factor.values(), fit.varcorr):
        k = len(frame.random[members[0]].names)
        cov = np.zeros((k, k))
        rows, columns = np.tril_indices(k)
        cov[rows, columns] = cov[columns, rows] = packed
        relative[members[0]] = _semi_cholesky(cov / sigma2)
    penalty = np.log(x_scale).sum() if deviance.reml else 0.0
    return EngineFit(
        theta=_unscale(deviance, relative, z_scales),
        beta=np.asarray(fit.beta) / x_scale,
        loglik=float(fit.loglik - penalty),
        converged=bool(fit.converged),
        message=str(fit.diagnostics.get("notes", "")),
    )


def _same_column(frame: ModelFrame, values: np.ndarray, name: str) -> str:
    """Plain name of the fixed column that a slope is over; glmm takes no other."""
    for j in range(frame.X.shape[1]):
        if np.array_equal(frame.X[:, j], values):
            return f"x{j}"
    raise LmmError(
        f"engine 'glmm' fits a random slope only over a fixed effect, and '{name}' is none: add it "
        "to the fixed part, or use engine='mixedlm'."
    )


def _semi_cholesky(cov: np.ndarray) -> np.ndarray:
    """Lower factor of a positive semi-definite matrix; zero columns where it is singular."""
    k = len(cov)
    L = np.zeros((k, k))
    for j in range(k):
        rest = cov[j, j] - L[j, :j] @ L[j, :j]
        if rest <= 1e-12 * max(cov[j, j], 1e-300):
            continue
        L[j, j] = np.sqrt(rest)
        L[j + 1 :, j] = (cov[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
    return L


def _fit_builtin(frame: ModelFrame, deviance: CrossedDeviance) -> EngineFit:
    theta = deviance.minimise()
    solution = deviance.solve(theta)
    return EngineFit(theta, solution.beta, -solution.deviance / 2, True, "")


ENGINES = {"mixedlm": _fit_mixedlm, "glmm": _fit_glmm, "builtin": _fit_builtin}
