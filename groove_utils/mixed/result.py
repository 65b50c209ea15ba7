"""A fitted linear mixed model: coefficients, tests, variances, conditional modes, predictions.

It is returned by :func:`groove_utils.mixed.fit_lmm`.

References
----------
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
    """A fitted linear mixed model.

    Attributes
    ----------
    frame : ModelFrame
        Formula, rows used and design matrices.
    deviance : CrossedDeviance
        −2 log-likelihood as a function of `theta`.
    theta : ndarray
        Relative covariance parameters at the optimum.
    messages : list of str
        Properties of the fit that affect its interpretation, also issued as warnings.
    formula : str
        Formula as given.
    reml : bool
        Whether restricted maximum likelihood was used.
    n_obs, n_params : int
        Rows used; fixed coefficients, covariance parameters and the residual variance.
    loglik, aic, bic : float
        Log-likelihood (restricted for REML), and the criteria of Akaike and Schwarz. REML values
        are comparable only between fits with the same fixed part.
    names, beta : list of str; ndarray, shape (n_fixed,)
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

    # what was fitted -------------------------------------------------------------------------

    @cached_property
    def solution(self) -> Solution:
        """Coefficients, their covariance and conditional modes."""
        return self.deviance.solve(self.theta)

    @cached_property
    def inference(self) -> Satterthwaite:
        """Degrees of freedom for any contrast of the coefficients."""
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
        """True if a random effect has zero variance, or is determined by others."""
        return bool((self.theta[self.deviance.diagonal] < 1e-4).any())

    # fixed effects ----------------------------------------------------------------------------

    def fixed_effects(self, level: float = 0.95) -> pd.DataFrame:
        """Tabulate the fixed coefficients with Satterthwaite degrees of freedom.

        Parameters
        ----------
        level : float
            Coverage of the interval.

        Returns
        -------
        DataFrame
            Columns term, estimate, se, df, t, p, low, high; terms as ``style[pop]:x``.
        """
        return t_table(self, np.eye(len(self.names)), {"term": self.names}, level)

    def effect(self, term: str, level: float = 0.95) -> pd.Series:
        """Return one row of `fixed_effects`: estimate, se, df, t, p, low, high of a coefficient."""
        check_known(term, self.names, "coefficient")
        return self.fixed_effects(level).set_index("term").loc[term]

    def type3(self) -> pd.DataFrame:
        """Compute Type III F tests of the fixed terms, with Satterthwaite denominator df.

        Each term is tested in the presence of all others, with factors in sum coding, so that a
        main effect refers to the unweighted mean of the other factors' levels (and to 0 for
        covariates).

        Returns
        -------
        DataFrame
            Columns term, num_df, den_df, F, p.
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
        """Tabulate the conditional modes (BLUPs) of the levels, and their conditional SDs.

        Parameters
        ----------
        factor : str, optional
            Grouping factor; all by default.
        level : float
            Coverage of the interval, mode ± z · sd.

        Returns
        -------
        DataFrame
            Columns factor, level, term, value, sd, low, high, n (rows of that level). As in lme4's
            condVar, the sd treats the fixed effects and variances as known.
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
            Profile-likelihood or parametric-bootstrap (percentile) intervals of the standard
            deviations and correlations.
        level : float
            Coverage of the intervals.
        n_boot : int
            Number of bootstrap samples.
        seed, n_jobs : int
            Seed and number of processes of the bootstrap.

        Returns
        -------
        DataFrame
            Columns factor, term, other (second coefficient of a correlation, else missing),
            variance (covariance for correlations), sd (correlation for correlations), and low, high
            on the scale of `sd` if intervals were requested.
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
        """Return the variance contributed by each part, averaged over rows.

        Returns
        -------
        Series
            Index ``Fixed``, each grouping factor, ``Residual``. A random slope contributes in
            proportion to the mean square of its covariate (Johnson 2014), so a factor's
            contribution is mean(z'Σz).
        """
        parts = {"Fixed": float(np.var(self.frame.X @ self.beta, ddof=1))}
        for term, cov in zip(self.frame.random, self.covariances()):
            value = np.einsum("ni,ij,nj->n", term.Z, cov.to_numpy(), term.Z).mean()
            parts[term.factor] = parts.get(term.factor, 0.0) + float(value)
        parts["Residual"] = self.sigma**2
        return pd.Series(parts, name="variance")

    def r2(self) -> pd.Series:
        """Compute marginal and conditional R² (Nakagawa & Schielzeth; Johnson for slopes).

        Returns
        -------
        Series
            ``marginal``: share of the fixed effects; ``conditional``: with the random effects.
        """
        shares = self.mean_variances()
        shares /= shares.sum()
        values = {"marginal": shares["Fixed"], "conditional": 1 - shares["Residual"]}
        return pd.Series(values, name="r2")

    # rows ---------------------------------------------------------------------------------------

    @cached_property
    def fitted(self) -> np.ndarray:
        """Predictions for the rows used, random effects included, shape (n_rows,)."""
        out = self.frame.X @ self.beta
        for term, b in zip(self.frame.random, self.solution.b):
            out = out + (term.Z * b[term.codes]).sum(axis=1)
        return out

    @property
    def residuals(self) -> np.ndarray:
        """Response minus `fitted`, shape (n_rows,)."""
        return self.frame.y - self.fitted

    predict = predict

    # other fits ---------------------------------------------------------------------------------

    def refit(self, y=None, reml: bool | None = None) -> LmmResult:
        """Fit the same model to a different response, or with the other criterion.

        Parameters
        ----------
        y : ndarray, shape (n_rows,), optional
            New response for the rows used.
        reml : bool, optional

        Returns
        -------
        LmmResult
            The new fit. Its optimisation starts from this one's optimum.
        """
        deviance, frame = self.deviance, self.frame
        if y is not None:
            y = np.asarray(y, dtype=float)
            if y.shape != frame.y.shape or not np.isfinite(y).all():
                raise LmmError(
                    f"the new response has shape {y.shape} or contains undefined values; expected "
                    f"{frame.y.shape} finite numbers.",
                    kind="wrong_response", value=y.shape,
                )  # fmt: skip
            deviance, frame = deviance.with_response(y), replace(frame, y=y)
        if reml is not None:
            deviance = deviance.with_reml(reml)
        return LmmResult(frame, deviance, minimise(deviance, self.theta), [])

    def simulate(self, seed: int = 0) -> np.ndarray:
        """Draw a response, shape (n_rows,), with new random effects and residuals."""
        rng = np.random.default_rng(seed)
        y = self.frame.X @ self.beta
        for term, L in zip(self.frame.random, self.deviance.unpack(self.theta)):
            b = rng.standard_normal((len(term.levels), len(L))) @ L.T * self.sigma
            y += (term.Z * b[term.codes]).sum(axis=1)
        return y + self.sigma * rng.standard_normal(len(y))

    report = write_report
