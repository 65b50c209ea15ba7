"""Results of a linear mixed model: coefficients, tests, variances and random effects.

References
----------
Johnson (2014), Methods in Ecology and Evolution 5, 944–946.
Nakagawa, Johnson & Schielzeth (2017), Journal of the Royal Society Interface 14, 20170213.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from groove_utils.mixed.design import ModelFrame
from groove_utils.mixed.deviance import CrossedDeviance, Solution
from groove_utils.mixed.errors import LmmError, check_known
from groove_utils.mixed.inference import Satterthwaite, check_level, f_test, t_table
from groove_utils.mixed.intervals import bootstrap_intervals, profile_intervals
from groove_utils.mixed.marginal import emmeans, emtrends
from groove_utils.mixed.prediction import predict
from groove_utils.mixed.report import write_report
from groove_utils.mixed.search import minimise

__all__ = ["LmmResult"]


@dataclass(repr=False)
class LmmResult:
    """Fitted linear mixed model, as returned by :func:`groove_utils.mixed.fit_lmm`.

    Attributes
    ----------
    frame : ModelFrame
        Formula, fitted rows and design matrices.
    deviance : CrossedDeviance
        Profiled −2 log-likelihood as a function of `theta`.
    theta : ndarray, shape (n_theta,)
        Relative covariance parameters at the optimum.
    messages : list of str
        Warnings about the fit; :func:`fit_lmm` also issues them as `LmmWarning`.
    formula : str
        Formula of the model, as passed to :func:`fit_lmm`.
    reml : bool
        True if the model was fitted by restricted maximum likelihood.
    n_obs : int
        Number of fitted rows.
    n_params : int
        Number of parameters: fixed coefficients, covariance parameters and the residual variance.
    loglik : float
        Log-likelihood (restricted for REML).
    aic, bic : float
        Akaike and Bayesian information criteria. For REML, values are comparable only between fits
        with the same fixed part.
    names : list of str
        Names of the fixed coefficients.
    beta : ndarray, shape (n_fixed,)
        Fixed coefficients.
    sigma : float
        Residual standard deviation, in units of the response.
    """

    frame: ModelFrame
    deviance: CrossedDeviance
    theta: np.ndarray
    messages: list[str]

    def __repr__(self) -> str:
        criterion = "REML" if self.reml else "ML"
        groups = ", ".join(f"{name} {n:,}" for name, n in self.n_groups.items())
        return (
            f"LmmResult({self.formula!r}: {self.n_obs:,} rows; {groups}; "
            f"{criterion} log-likelihood {self.loglik:.3f})"
        )

    # model and estimates ---------------------------------------------------------------------

    @cached_property
    def solution(self) -> Solution:
        """Fixed coefficients with their covariance, and conditional modes of the random effects."""
        return self.deviance.solve(self.theta)

    @cached_property
    def inference(self) -> Satterthwaite:
        """Covariance and Satterthwaite degrees of freedom for contrasts of the coefficients."""
        return Satterthwaite(self.deviance, self.theta, self.sigma)

    formula = property(lambda self: self.frame.formula)
    names = property(lambda self: self.frame.names)
    reml = property(lambda self: self.deviance.reml)
    beta = property(lambda self: self.solution.beta)
    sigma = property(lambda self: self.solution.sigma)
    loglik = property(lambda self: -self.solution.deviance / 2)
    n_obs = property(lambda self: len(self.frame.y))
    n_params = property(lambda self: len(self.names) + len(self.theta) + 1)
    aic = property(lambda self: -2 * self.loglik + 2 * self.n_params)
    bic = property(lambda self: -2 * self.loglik + np.log(self.n_obs) * self.n_params)

    @property
    def n_groups(self) -> dict[str, int]:
        """Number of levels of each grouping factor."""
        return {term.factor: len(term.levels) for term in self.frame.random}

    @property
    def singular(self) -> bool:
        """True if a random effect has zero variance or is perfectly correlated with others."""
        return bool((self.theta[self.deviance.diagonal] < 1e-4).any())

    # fixed effects ----------------------------------------------------------------------------

    def fixed_effects(self, level: float = 0.95) -> pd.DataFrame:
        """Tabulate the fixed coefficients with Satterthwaite degrees of freedom.

        Parameters
        ----------
        level : float
            Coverage of the intervals.

        Returns
        -------
        DataFrame
            One row per coefficient, with the columns ``term`` (such as ``style[pop]:x``),
            ``estimate, se, df, t, p, low, high``.
        """
        return t_table(self, np.eye(len(self.names)), {"term": self.names}, level)

    def effect(self, term: str, level: float = 0.95) -> pd.Series:
        """Return the row of `fixed_effects` for one coefficient."""
        check_known(term, self.names, "coefficient")
        return self.fixed_effects(level).set_index("term").loc[term]

    def type3(self) -> pd.DataFrame:
        """Compute Type III F tests of the fixed terms, with Satterthwaite denominator df.

        Each term is adjusted for all other terms, with factors in sum coding. The test of a main
        effect therefore refers to the unweighted mean over the levels of the other factors, and to
        a value of 0 for covariates.

        Returns
        -------
        DataFrame
            One row per term, with the columns ``term, num_df, den_df, F, p``.
        """
        rows = [
            {"term": term, **f_test(self, weights)}
            for term, (_, weights) in self.frame.sum_coding().items()
        ]
        return pd.DataFrame(rows, columns=["term", "num_df", "den_df", "F", "p"])

    emmeans, emtrends = emmeans, emtrends

    # random effects ---------------------------------------------------------------------------

    def covariances(self) -> list[pd.DataFrame]:
        """Return the covariance matrix of each random term, in the order of the formula."""
        return [
            pd.DataFrame(self.sigma**2 * L @ L.T, term.names, term.names)
            for term, L in zip(self.frame.random, self.deviance.unpack(self.theta))
        ]

    def random_effects(self, factor: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """Tabulate the conditional modes (BLUPs) of the random effects.

        Parameters
        ----------
        factor : str, optional
            Grouping factor; by default, all factors.
        level : float
            Coverage of the intervals (mode ± z · sd).

        Returns
        -------
        DataFrame
            One row per level and coefficient, with the columns ``factor, level, term``, ``value``
            (mode), ``sd`` (conditional standard deviation), ``low, high`` and ``n`` (number of rows
            with this level). Like ``condVar`` in lme4, ``sd`` treats the fixed effects and
            variances as known.
        """
        check_level(level)
        if factor is not None:
            check_known(factor, self.n_groups, "grouping factor")
        z = stats.norm.ppf((1 + level) / 2)
        spreads = self.deviance.at(self.theta).conditional_covariance(self.sigma)
        tables = []
        for term, b, cov in zip(self.frame.random, self.solution.b, spreads):
            if factor is not None and term.factor != factor:
                continue
            sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2).clip(min=0))
            for name, value, spread in zip(term.names, b.T, sd.T):
                columns = {"factor": term.factor, "level": term.levels, "term": name}
                columns |= {"value": value, "sd": spread, "low": value - z * spread}
                columns |= {"high": value + z * spread, "n": term.counts}
                tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)

    def variance_components(
        self,
        interval: str | None = None,
        level: float = 0.95,
        n_boot: int = 500,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> pd.DataFrame:
        """Tabulate the variances and correlations of the random effects.

        Parameters
        ----------
        interval : {None, "profile", "bootstrap"}
            Kind of interval to add: profile-likelihood, parametric-bootstrap percentile, or none.
        level : float
            Coverage of the intervals.
        n_boot : int
            Number of bootstrap samples.
        seed, n_jobs : int
            Random seed and number of processes for the bootstrap.

        Returns
        -------
        DataFrame
            One row per random coefficient, one per pair of correlated coefficients, and one for the
            residual. Columns ``factor, term, other, variance, sd``. For a pair, ``other`` is the
            second coefficient, ``variance`` is the covariance, and ``sd`` is the correlation;
            otherwise ``other`` is missing. If `interval` is given, ``low, high`` are the bounds of
            the interval for ``sd``.
        """
        rows = []
        for term, cov in zip(self.frame.random, self.covariances()):
            values, k = cov.to_numpy(), len(term.names)
            sd = np.sqrt(np.diag(values))
            rows += [(term.factor, term.names[i], None, values[i, i], sd[i]) for i in range(k)]
            for i, j in zip(*np.triu_indices(k, 1)):
                both = sd[i] * sd[j]
                r = values[i, j] / both if both > 0 else np.nan
                rows.append((term.factor, term.names[i], term.names[j], values[i, j], r))
        rows.append(("Residual", None, None, self.sigma**2, self.sigma))
        table = pd.DataFrame(rows, columns=["factor", "term", "other", "variance", "sd"])
        check_known(interval, (None, "profile", "bootstrap"), "interval")
        if interval is None:
            return table
        if interval == "profile":
            low, high = profile_intervals(self, level)
        else:
            low, high = bootstrap_intervals(self, level, n_boot, seed, n_jobs)
        return table.assign(low=low, high=high)

    def mean_variances(self) -> pd.Series:
        """Compute the variances due to the fixed effects, each grouping factor and the residual.

        Returns
        -------
        Series
            Variances, indexed by ``Fixed``, the names of the grouping factors and ``Residual``. The
            variance due to a grouping factor is the mean over rows of z'Σz, where z is the row of
            the random design matrix and Σ is the covariance matrix of the random coefficients. A
            random slope therefore contributes in proportion to the mean square of its covariate
            (Johnson 2014).
        """
        parts = {"Fixed": float(np.var(self.frame.X @ self.beta, ddof=1))}
        for term, cov in zip(self.frame.random, self.covariances()):
            value = np.einsum("ni,ij,nj->n", term.Z, cov.to_numpy(), term.Z).mean()
            parts[term.factor] = parts.get(term.factor, 0.0) + float(value)
        parts["Residual"] = self.sigma**2
        return pd.Series(parts, name="variance")

    def r2(self) -> pd.Series:
        """Compute the marginal and the conditional R² of the model (Nakagawa et al. 2017).

        Returns
        -------
        Series
            ``marginal``, the share of the variance due to fixed effects, and ``conditional``, the
            share due to fixed and random effects together.
        """
        shares = self.mean_variances()
        shares /= shares.sum()
        values = {"marginal": shares["Fixed"], "conditional": 1 - shares["Residual"]}
        return pd.Series(values, name="r2")

    # predictions --------------------------------------------------------------------------------

    @cached_property
    def fitted(self) -> np.ndarray:
        """Predictions for the fitted rows, including the random effects; shape (n_rows,)."""
        out = self.frame.X @ self.beta
        for term, b in zip(self.frame.random, self.solution.b):
            out = out + (term.Z * b[term.codes]).sum(axis=1)
        return out

    @property
    def residuals(self) -> np.ndarray:
        """Residuals: response minus `fitted`, shape (n_rows,)."""
        return self.frame.y - self.fitted

    predict = predict

    # refits and simulations ---------------------------------------------------------------------

    def refit(self, y=None, reml: bool | None = None) -> LmmResult:
        """Fit the same model to a different response, or with a different criterion.

        Parameters
        ----------
        y : ndarray, shape (n_rows,), optional
            New response for the fitted rows; by default, the response of this fit.
        reml : bool, optional
            Use restricted maximum likelihood or, if False, maximum likelihood; by default, as in
            this fit.

        Returns
        -------
        LmmResult
            The new fit. The optimisation starts from the optimum of this fit.
        """
        deviance, frame = self.deviance, self.frame
        if y is not None:
            y = np.asarray(y, dtype=float)
            if y.shape != frame.y.shape or not np.isfinite(y).all():
                raise LmmError(
                    f"the new response has shape {y.shape} or contains values that are not finite; "
                    f"expected finite numbers of shape {frame.y.shape}.",
                    kind="wrong_response", value=y.shape,
                )  # fmt: skip
            deviance, frame = deviance.with_response(y), replace(frame, y=y)
        if reml is not None:
            deviance = deviance.with_reml(reml)
        return LmmResult(frame, deviance, minimise(deviance, self.theta), [])

    def simulate(self, seed: int = 0) -> np.ndarray:
        """Simulate a response, shape (n_rows,), with new random effects and residuals."""
        rng = np.random.default_rng(seed)
        y = self.frame.X @ self.beta
        for term, L in zip(self.frame.random, self.deviance.unpack(self.theta)):
            b = rng.standard_normal((len(term.levels), len(L))) @ L.T * self.sigma
            y += (term.Z * b[term.codes]).sum(axis=1)
        return y + self.sigma * rng.standard_normal(len(y))

    report = write_report
