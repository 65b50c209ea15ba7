"""Fit a linear mixed model and ask it things: the front door of the family.

``fit_lmm("rating ~ style * x + (1 + x | listener) + (1 | track)", ratings)`` gives an
:class:`LmmResult`. An engine finds the optimum; likelihood, coefficients, standard errors, degrees
of freedom and conditional modes are then computed here, and the engine's own answer is held
against them. Chapter 08-mixed-models uses it.

References
----------
Baayen, Davidson & Bates (2008), Journal of Memory and Language 59, 390–412.
Bates, Mächler, Bolker & Walker (2015), Journal of Statistical Software 67(1).
Nakagawa, Johnson & Schielzeth (2017), Journal of the Royal Society Interface 14, 20170213.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from formulaic import Formula
from scipy import linalg, stats

from groove_utils.mixed import marginal
from groove_utils.mixed.checks import check_design, check_fit
from groove_utils.mixed.deviance import CrossedDeviance, Solution
from groove_utils.mixed.engines import EngineFit, run_engine
from groove_utils.mixed.formula import (
    LmmError,
    LmmWarning,
    ModelFrame,
    build_frame,
    group_keys,
)
from groove_utils.mixed.inference import Satterthwaite, check_level, f_test, t_table
from groove_utils.stats.threads import one_thread

__all__ = ["LmmResult", "fit_lmm"]


@one_thread
def fit_lmm(
    formula: str, data: pd.DataFrame, reml: bool = True, engine: str = "mixedlm"
) -> LmmResult:
    """Fit a linear mixed model with nested or crossed random effects.

    Parameters
    ----------
    formula : str
        As lme4 writes it: ``rating ~ style * x + (1 + x | listener) + (1 | track)``. ``||`` leaves
        out correlations, ``(1 | a / b)`` nests. Factors take treatment coding; give a pandas
        Categorical to choose the reference level.
    data : DataFrame
        One row an observation. Incomplete rows are left out, and their count is told.
    reml : bool
        Restricted maximum likelihood (default), or maximum likelihood.
    engine : {"mixedlm", "glmm", "builtin"}
        Who searches for the optimum. ``mixedlm`` is the default, ``glmm`` the cross-check (no
        slope without an intercept), ``builtin`` this package's own search.

    Returns
    -------
    LmmResult

    Raises
    ------
    LmmError
        If the model cannot be fitted to these data; the message says why and how to mend it.

    Warns
    -----
    LmmWarning
        Rows left out, singular fit, near-collinear predictors, levels with one row, and any
        disagreement between the engine and the likelihood computed here.

    Examples
    --------
    >>> result = fit_lmm("rating ~ x + (1 | listener) + (1 | track)", ratings)  # doctest: +SKIP
    >>> result.fixed_effects()  # doctest: +SKIP
    """
    frame = build_frame(formula, data)
    messages = check_design(frame)
    deviance = CrossedDeviance(frame.y, frame.X, frame.random, reml)
    answer = run_engine(frame, deviance, engine)
    theta, found = check_fit(frame, deviance, answer, engine)
    result = LmmResult(frame, deviance, theta, engine, answer, messages + found)
    for message in result.messages:
        warnings.warn(message, LmmWarning, stacklevel=3)  # 2 is the decorator
    return result


@dataclass(repr=False)
class LmmResult:
    """A fitted linear mixed model.

    Attributes
    ----------
    frame : ModelFrame
        Formula, rows used and design matrices.
    deviance : CrossedDeviance
        The likelihood as a function of `theta`.
    theta : ndarray
        Relative covariance parameters at the optimum.
    engine : str
        Who found it; `answer` is what it said.
    messages : list of str
        What the reader has to know, also given as warnings.
    beta : ndarray, shape (n_fixed,)
    sigma : float
        Residual standard deviation.
    """

    frame: ModelFrame
    deviance: CrossedDeviance
    theta: np.ndarray
    engine: str
    answer: EngineFit | None
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

    @property
    def formula(self) -> str:
        """The formula as given."""
        return self.frame.formula

    @property
    def reml(self) -> bool:
        """Whether restricted maximum likelihood was used."""
        return self.deviance.reml

    @property
    def names(self) -> list[str]:
        """Names of the fixed coefficients."""
        return self.frame.names

    @property
    def beta(self) -> np.ndarray:
        """Fixed coefficients, shape (n_fixed,)."""
        return self.solution.beta

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance of the fixed coefficients."""
        return pd.DataFrame(self.solution.vcov, self.names, self.names)

    @property
    def sigma(self) -> float:
        """Residual standard deviation, in units of the response."""
        return self.solution.sigma

    @property
    def n_obs(self) -> int:
        """Rows used."""
        return len(self.frame.y)

    @property
    def n_groups(self) -> dict[str, int]:
        """Levels of each grouping factor."""
        return {term.factor: len(term.levels) for term in self.frame.random}

    @property
    def n_params(self) -> int:
        """Fixed coefficients, covariance parameters and the residual variance."""
        return len(self.names) + len(self.theta) + 1

    @property
    def loglik(self) -> float:
        """Log-likelihood, restricted if the fit is."""
        return -self.solution.deviance / 2

    @property
    def aic(self) -> float:
        """Akaike's criterion; REML values compare only between fits of equal fixed part."""
        return -2 * self.loglik + 2 * self.n_params

    @property
    def bic(self) -> float:
        """Schwarz's criterion, with the number of rows as n."""
        return -2 * self.loglik + np.log(self.n_obs) * self.n_params

    @property
    def singular(self) -> bool:
        """Whether some random effect has no spread, or is determined by another."""
        small = self.theta < 1e-4 * self.deviance.theta_scale
        return bool((small & self.deviance.diagonal).any())

    # fixed effects ----------------------------------------------------------------------------

    def fixed_effects(self, level: float = 0.95) -> pd.DataFrame:
        """Tidy table of the fixed coefficients with Satterthwaite degrees of freedom.

        Parameters
        ----------
        level : float
            Coverage of the interval.

        Returns
        -------
        DataFrame
            Columns term, estimate, se, df, t, p, low, high; terms as ``style[pop]:x``.
        """
        table = t_table(np.eye(len(self.names)), self.beta, self.inference, level)
        table.insert(0, "term", self.names)
        return table

    def effect(self, term: str, level: float = 0.95) -> pd.Series:
        """One row of `fixed_effects`: estimate, se, df, t, p, low, high of a coefficient."""
        if term not in self.names:
            raise LmmError(f"{term!r} is no coefficient. There are: {', '.join(self.names)}.")
        return self.fixed_effects(level).set_index("term").loc[term]

    def contrast(self, weights: dict, level: float = 0.95) -> pd.DataFrame:
        """Any linear functions of the coefficients.

        Parameters
        ----------
        weights : dict
            Name → mapping from coefficient name to weight, or one weight for each coefficient.
        level : float

        Returns
        -------
        DataFrame
            Columns contrast, estimate, se, df, t, p, low, high.

        Examples
        --------
        >>> result.contrast(
        ...     {"jazz - rock": {"genre[jazz]": 1, "genre[rock]": -1}}
        ... )  # doctest: +SKIP
        """
        rows = []
        for name, given in weights.items():
            row = np.zeros(len(self.names))
            if isinstance(given, dict):
                for term, weight in given.items():
                    if term not in self.names:
                        raise LmmError(
                            f"contrast {name!r} names the coefficient {term!r}. There are: "
                            f"{', '.join(self.names)}."
                        )
                    row[self.names.index(term)] = weight
            elif len(given) == len(row):
                row[:] = given
            else:
                raise LmmError(
                    f"contrast {name!r} has {len(given)} weights for {len(row)} coefficients."
                )
            rows.append(row)
        table = t_table(np.array(rows), self.beta, self.inference, level)
        table.insert(0, "contrast", list(weights))
        return table

    def type3(self) -> pd.DataFrame:
        """Type III F tests of the fixed terms, with Satterthwaite denominators.

        Each term is tested with the others present, every factor in sum coding, so that a main
        effect is the one at the unweighted mean of the levels (and at 0 of a covariate).

        Returns
        -------
        DataFrame
            Columns term, num_df, den_df, F, p.
        """
        rows = []
        for term, (_, weights) in self.sum_coding().items():
            rows.append({"term": term, **f_test(weights, self.beta, self.inference)})
        return pd.DataFrame(rows, columns=["term", "num_df", "den_df", "F", "p"])

    @one_thread
    def sum_coding(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Each fixed term but the intercept, recoded so that a factor's effects add to zero.

        Returns
        -------
        dict
            Term → (columns, weights): its columns in sum coding, shape (n_rows, k), and the weights
            by which its k coefficients follow from those of the fit, shape (k, n_fixed).
        """
        spec, used = self.frame.spec, self.frame.data
        categorical = {
            expr for expr, (kind, _) in spec.encoder_state.items() if kind.value == "categorical"
        }
        parts, labels = [], []
        for term in spec.terms:
            exprs = [str(factor.expr) for factor in term.factors]
            if exprs in (["1"], ["0"]):
                continue
            coded, label = [], []
            for expr in exprs:
                if expr in categorical:
                    (variable,) = [
                        str(v) for v in Formula(expr).required_variables if str(v) in used
                    ]
                    coded.append(f"C({variable}, contr.sum)")
                    label.append(variable)
                else:
                    coded.append(expr)
                    label.append(expr)
            parts.append(":".join(coded))
            labels.append(":".join(label))
        intercept = "1" if "Intercept" in self.names else "0"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            matrix = Formula(" + ".join([intercept, *parts])).get_model_matrix(
                used, context={"np": np}
            )
        X = np.asarray(matrix, dtype=float)
        # β in sum coding = change · β in the fit's coding
        change, _, rank, _ = linalg.lstsq(X, self.frame.X)
        if rank < len(self.names) or X.shape[1] != len(self.names):
            raise LmmError(
                f"Type III tests need a full-rank sum coding of '{self.frame.fixed}'; write the "
                "fixed part with '*' and ':' of plain variables."
            )
        indices = [i for t, i in matrix.model_spec.term_indices.items() if str(t) != "1"]
        order = {frozenset(part.split(":")): label for part, label in zip(parts, labels)}
        names = [t for t in matrix.model_spec.term_indices if str(t) != "1"]
        out = {}
        for term, index in zip(names, indices):
            key = frozenset(str(factor.expr) for factor in term.factors)
            out[order.get(key, str(term))] = X[:, list(index)], change[list(index)]
        return out

    def emmeans(self, specs, by=None, at=None, level: float = 0.95) -> marginal.MarginalMeans:
        """Estimated marginal means of one or several factors.

        Parameters
        ----------
        specs : str or list of str
            Factors whose cells are wanted; a numeric variable too, with its values in `at`.
        by : str or list of str, optional
            Factors within whose levels contrasts are made and corrected.
        at : dict, optional
            Value(s) of other variables. Numeric ones are else held at their mean over the rows;
            other factors are averaged with equal weights.
        level : float

        Returns
        -------
        MarginalMeans
            Its `table` is tidy; its `contrasts()` are Holm- or Tukey-corrected.

        Examples
        --------
        >>> result.emmeans("genre", at={"x": 0}).contrasts(adjust="tukey")  # doctest: +SKIP
        """
        return marginal.emmeans(self, specs, by, at, level)

    def emtrends(
        self, variable: str, specs=None, by=None, at=None, level: float = 0.95
    ) -> marginal.MarginalMeans:
        """Estimated marginal slopes of a numeric variable, for each cell of `specs`.

        Parameters
        ----------
        variable : str
            Numeric variable of the fixed part; the slope is per unit of it, at the point given by
            `at` or at its mean.
        specs, by, at, level
            As in `emmeans`.

        Returns
        -------
        MarginalMeans
        """
        return marginal.emtrends(self, variable, specs, by, at, level)

    # random effects ---------------------------------------------------------------------------

    def covariances(self) -> list[pd.DataFrame]:
        """Covariance matrix of each random term, in the order of the formula."""
        out = []
        for term, L in zip(self.frame.random, self.deviance.unpack(self.theta)):
            out.append(pd.DataFrame(self.sigma**2 * L @ L.T, term.names, term.names))
        return out

    def random_effects(self, factor: str | None = None, level: float = 0.95) -> pd.DataFrame:
        """Conditional modes (BLUPs) of the levels, with their conditional standard deviation.

        Parameters
        ----------
        factor : str, optional
            One grouping factor; all by default.
        level : float
            Coverage of the interval, mode ± z · sd.

        Returns
        -------
        DataFrame
            Columns factor, level, term, value, sd, low, high, n (rows of that level). As lme4's
            condVar, the sd takes the fixed effects and variances as known.
        """
        check_level(level)
        self._known_factor(factor)
        z = stats.norm.ppf((1 + level) / 2)
        spreads = self.deviance.conditional_covariance(self.theta, self.sigma)
        tables = []
        for term, b, cov in zip(self.frame.random, self.solution.b, spreads):
            if factor is not None and term.factor != factor:
                continue
            sd = np.sqrt(np.diagonal(cov, axis1=1, axis2=2).clip(min=0))
            counts = np.bincount(term.codes, minlength=len(term.levels))
            for j, name in enumerate(term.names):
                tables.append(
                    pd.DataFrame(
                        {
                            "factor": term.factor,
                            "level": term.levels,
                            "term": name,
                            "value": b[:, j],
                            "sd": sd[:, j],
                            "low": b[:, j] - z * sd[:, j],
                            "high": b[:, j] + z * sd[:, j],
                            "n": counts,
                        }
                    )
                )
        return pd.concat(tables, ignore_index=True)

    def _known_factor(self, factor: str | None) -> None:
        if factor is not None and factor not in self.n_groups:
            raise LmmError(
                f"'{factor}' is no grouping factor of this model. There are: "
                f"{', '.join(self.n_groups)}."
            )

    def variance_components(
        self,
        interval: str | None = None,
        level: float = 0.95,
        n_boot: int = 500,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> pd.DataFrame:
        """Tidy table of the variances and correlations.

        Parameters
        ----------
        interval : {None, "profile", "bootstrap"}
            Profile-likelihood or parametric-bootstrap (percentile) intervals of the standard
            deviations and correlations.
        level : float
            Coverage of the intervals.
        n_boot : int
            Bootstrap redraws.
        seed, n_jobs : int
            Of the bootstrap.

        Returns
        -------
        DataFrame
            Columns factor, term, other (second coefficient of a correlation, else missing),
            variance (covariance for correlations), sd (correlation for correlations), and
            low, high on the scale of `sd` where an interval was asked for.
        """
        rows = []
        for term, cov in zip(self.frame.random, self.covariances()):
            values = cov.to_numpy()
            sd = np.sqrt(np.diag(values))
            for i, name in enumerate(term.names):
                rows.append((term.factor, name, None, values[i, i], sd[i]))
            for i, name in enumerate(term.names):
                for j in range(i + 1, len(sd)):
                    both = sd[i] * sd[j]
                    r = values[i, j] / both if both > 0 else np.nan
                    rows.append((term.factor, name, term.names[j], values[i, j], r))
        rows.append(("Residual", None, None, self.sigma**2, self.sigma))
        table = pd.DataFrame(rows, columns=["factor", "term", "other", "variance", "sd"])
        if interval is None:
            return table
        from groove_utils.mixed.intervals import bootstrap_intervals, profile_intervals

        if interval == "profile":
            low, high = profile_intervals(self, level)
        elif interval == "bootstrap":
            low, high = bootstrap_intervals(self, level, n_boot, seed, n_jobs)
        else:
            raise LmmError(f"interval is {interval!r}; expected None, 'profile' or 'bootstrap'.")
        return table.assign(low=low, high=high)

    def mean_variances(self) -> pd.Series:
        """Variance that each part gives the average row.

        Returns
        -------
        Series
            Index ``Fixed``, each grouping factor, ``Residual``. A random slope counts at the mean
            square of its covariate (Johnson 2014), so a factor's share is mean(z'Σz).
        """
        parts = {"Fixed": float(np.var(self.frame.X @ self.beta, ddof=1))}
        for term, cov in zip(self.frame.random, self.covariances()):
            value = np.einsum("ni,ij,nj->n", term.Z, cov.to_numpy(), term.Z).mean()
            parts[term.factor] = parts.get(term.factor, 0.0) + float(value)
        parts["Residual"] = self.sigma**2
        return pd.Series(parts, name="variance")

    def r2(self) -> pd.Series:
        """Marginal and conditional R² (Nakagawa & Schielzeth; Johnson for slopes).

        Returns
        -------
        Series
            ``marginal``: share of the fixed effects; ``conditional``: with the random effects.
        """
        parts = self.mean_variances()
        total = parts.sum()
        return pd.Series(
            {
                "marginal": parts["Fixed"] / total,
                "conditional": 1 - parts["Residual"] / total,
            },
            name="r2",
        )

    def icc(self) -> pd.DataFrame:
        """Intraclass correlation of each grouping factor.

        Returns
        -------
        DataFrame
            Columns factor, icc (variance of the intercepts over random and residual variance, as
            in R's performance; NaN without an intercept), share (all random coefficients of the
            factor over the same). Row ``(all)`` holds the adjusted ICC.
        """
        parts = self.mean_variances().drop("Fixed")
        total = parts.sum()
        rows = []
        for factor in self.n_groups:
            intercept = [
                cov.loc["Intercept", "Intercept"]
                for term, cov in zip(self.frame.random, self.covariances())
                if term.factor == factor and "Intercept" in term.names
            ]
            icc = intercept[0] / total if intercept else np.nan
            rows.append((factor, icc, parts[factor] / total))
        adjusted = 1 - parts["Residual"] / total
        rows.append(("(all)", adjusted, adjusted))
        return pd.DataFrame(rows, columns=["factor", "icc", "share"])

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
        """Response less `fitted`, shape (n_rows,)."""
        return self.frame.y - self.fitted

    @one_thread
    def predict(
        self, rows: pd.DataFrame | None = None, random="all", level: float = 0.95
    ) -> pd.DataFrame:
        """Predict, with or without random effects, also for listeners and tracks not in the fit.

        Parameters
        ----------
        rows : DataFrame, optional
            New rows with the variables of the formula; the rows used by default. A level that the
            fit has not seen gets random effects of zero, and its spread enters the interval.
        random : "all", None or list of str
            Grouping factors whose known levels are taken into account; with None the prediction is
            for a new listener and a new track.
        level : float

        Returns
        -------
        DataFrame
            Index of `rows`; columns estimate, se (of the expected rating of those levels), low,
            high (interval of one new rating: expected rating, levels not taken into account, and
            residual).
        """
        check_level(level)
        frame = self.frame
        factors = list(self.n_groups) if isinstance(random, str) and random == "all" else random
        factors = [] if factors is None else marginal._as_list(factors)
        for factor in factors:
            self._known_factor(factor)
        new = frame.data if rows is None else rows
        if not isinstance(new, pd.DataFrame) or len(new) == 0:
            raise LmmError("there are no rows to predict; expected a DataFrame with some.")
        X = frame.fixed_design(new)
        estimate = X @ self.beta
        spread = np.full(len(new), self.sigma**2)
        known = []
        for term, b, cov in zip(frame.random, self.solution.b, self.covariances()):
            Z = frame.random_design(term, new)
            codes = np.full(len(new), -1)
            if term.factor in factors:
                missing = [c for c in term.columns if c not in new]
                if missing:
                    raise LmmError(
                        f"the new rows have no column '{missing[0]}'; add it, or leave "
                        f"'{term.factor}' out of `random`."
                    )
                keys = group_keys(new, term.columns)
                codes = pd.Index(term.levels).get_indexer(keys)
            seen = codes >= 0
            estimate[seen] += (Z[seen] * b[codes[seen]]).sum(axis=1)
            spread[~seen] += np.einsum("ni,ij,nj->n", Z[~seen], cov.to_numpy(), Z[~seen])
            known.append((Z, codes))
        variance = self._prediction_variance(X, known)
        half = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance + spread)
        return pd.DataFrame(
            {
                "estimate": estimate,
                "se": np.sqrt(variance),
                "low": estimate - half,
                "high": estimate + half,
            },
            index=new.index,
        )

    def _prediction_variance(self, X: np.ndarray, known) -> np.ndarray:
        """Variance of x'β̂ + z'b̂ − z'b over the levels taken into account."""
        if all((codes < 0).all() for _, codes in known):
            return np.einsum("ni,ij,nj->n", X, self.solution.vcov, X)
        inverse, starts = self._joint_inverse
        rows = np.zeros((len(X), len(inverse)))
        rows[:, : X.shape[1]] = X
        relative = self.deviance.unpack(self.theta)
        for (Z, codes), L, start in zip(known, relative, starts):
            k = Z.shape[1]
            seen = np.flatnonzero(codes >= 0)
            spherical = Z[seen] @ L
            for j in range(k):
                rows[seen, start + codes[seen] * k + j] = spherical[:, j]
        return self.sigma**2 * np.einsum("ni,ni->n", rows @ inverse, rows)

    @cached_property
    def _joint_inverse(self) -> tuple[np.ndarray, list[int]]:
        """Inverse of the mixed-model equations in (β, u), and where each term starts."""
        design, starts = [self.frame.X], []
        position = self.frame.X.shape[1]
        for term, L in zip(self.frame.random, self.deviance.unpack(self.theta)):
            Z = term.Z @ L
            k, m = Z.shape[1], len(term.levels)
            block = np.zeros((len(Z), m * k))
            for j in range(k):
                block[np.arange(len(Z)), term.codes * k + j] = Z[:, j]
            design.append(block)
            starts.append(position)
            position += m * k
        if position > 6000:
            raise LmmError(
                f"prediction intervals need a {position}² matrix; ask for random=None instead."
            )
        full = np.hstack(design)
        normal = full.T @ full
        random = np.arange(self.frame.X.shape[1], position)
        normal[random, random] += 1.0
        return linalg.inv(normal), starts

    # other fits ---------------------------------------------------------------------------------

    def refit(self, y=None, reml: bool | None = None) -> LmmResult:
        """The same model on another response, or under the other criterion.

        Parameters
        ----------
        y : ndarray, shape (n_rows,), optional
            A response for the rows used.
        reml : bool, optional

        Returns
        -------
        LmmResult
            Found by the search built in here, started from this optimum.
        """
        deviance = self.deviance
        frame = self.frame
        if y is not None:
            y = np.asarray(y, dtype=float)
            if y.shape != frame.y.shape or not np.isfinite(y).all():
                raise LmmError(
                    f"the new response has shape {y.shape} or undefined values; expected "
                    f"{frame.y.shape} finite numbers."
                )
            deviance = deviance.with_response(y)
            frame = ModelFrame(**{**frame.__dict__, "y": y})
        if reml is not None:
            deviance = deviance.with_reml(reml)
        theta = deviance.minimise(self.theta)
        return LmmResult(frame, deviance, theta, "builtin", None, [])

    def simulate(self, n: int = 1, seed: int = 0) -> np.ndarray:
        """Draw responses from the fitted model, with new random effects and residuals.

        Parameters
        ----------
        n : int
            Draws.
        seed : int

        Returns
        -------
        ndarray, shape (n, n_rows)
        """
        rng = np.random.default_rng(seed)
        out = np.tile(self.frame.X @ self.beta, (n, 1))
        for term, L in zip(self.frame.random, self.deviance.unpack(self.theta)):
            for draw in out:
                b = rng.standard_normal((len(term.levels), len(L))) @ L.T * self.sigma
                draw += (term.Z * b[term.codes]).sum(axis=1)
        return out + self.sigma * rng.standard_normal(out.shape)

    def report(self, level: float = 0.95) -> str:
        """The results in plain words, as in the results section of an article."""
        from groove_utils.mixed.report import write_report

        return write_report(self, level)
