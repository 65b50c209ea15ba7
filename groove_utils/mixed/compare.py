"""Compare mixed models: likelihood ratios, error models, partitions, equivalence, ordinal check.

Chapter 08-mixed-models uses all of them.

References
----------
Clark (1973), Journal of Verbal Learning and Verbal Behavior 12, 335–359 (songs are a sample too).
Stram & Lee (1994), Biometrics 50, 1171–1177 (variances on the boundary).
Schuirmann (1987), Journal of Pharmacokinetics and Biopharmaceutics 15, 657–680 (two one-sided
tests). Cameron, Gelbach & Miller (2011), Journal of Business & Economic Statistics 29, 238–249
(two-way clustering).
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import linalg, stats
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from groove_utils.mixed.formula import (
    LmmError,
    LmmWarning,
    build_frame,
    random_bars,
    split_formula,
)
from groove_utils.mixed.inference import check_level
from groove_utils.mixed.model import LmmResult, fit_lmm
from groove_utils.stats.threads import one_thread

__all__ = [
    "add_random_intercepts",
    "compare_error_models",
    "cumulative_link_check",
    "equivalence_test",
    "likelihood_ratio_test",
    "random_effect_tests",
    "variance_partition",
]


# likelihood ratios ---------------------------------------------------------------------------


@one_thread
def likelihood_ratio_test(smaller: LmmResult, larger: LmmResult) -> pd.DataFrame:
    """Likelihood-ratio test between two nested models on the same rows.

    Models that differ in their fixed part are refitted by maximum likelihood. Where the smaller one
    lacks variances, the null value lies on the edge of what is possible, and the reference is a
    mixture of χ² distributions (Stram & Lee 1994) instead of one, which would be too strict.

    Parameters
    ----------
    smaller, larger : LmmResult

    Returns
    -------
    DataFrame
        One row; columns criterion (REML or ML), loglik_smaller, loglik_larger, chisq, df, p
        (boundary-aware), p_naive (one χ² with `df`), reference (the distribution in words).

    Raises
    ------
    LmmError
        If the rows differ or the models are not nested.
    """
    _same_rows(smaller, larger)
    A, B = smaller.frame.X, larger.frame.X
    outside = A - B @ linalg.lstsq(B, A)[0]
    if np.abs(outside).max() > 1e-6 * max(1.0, np.abs(A).max()):
        raise LmmError(
            f"'{smaller.frame.fixed}' is not within '{larger.frame.fixed}': the fixed parts are "
            "not nested. Give the smaller model first."
        )
    extra = _extra_covariances(smaller, larger)
    fixed_df = B.shape[1] - A.shape[1]
    reml = smaller.reml and larger.reml and fixed_df == 0
    small = smaller if smaller.reml == reml else smaller.refit(reml=reml)
    large = larger if larger.reml == reml else larger.refit(reml=reml)
    chisq = max(0.0, 2 * (large.loglik - small.loglik))
    df = fixed_df + sum(n_params for _, n_params in extra)
    if df == 0:
        raise LmmError("the two models have the same parameters; there is nothing to test.")
    p, reference = _boundary_p(chisq, fixed_df, extra)
    return pd.DataFrame(
        [
            {
                "criterion": "REML" if reml else "ML",
                "loglik_smaller": small.loglik,
                "loglik_larger": large.loglik,
                "chisq": chisq,
                "df": df,
                "p": p,
                "p_naive": float(stats.chi2.sf(chisq, df)),
                "reference": reference,
            }
        ]
    )


def _same_rows(smaller: LmmResult, larger: LmmResult) -> None:
    same = smaller.n_obs == larger.n_obs and np.array_equal(smaller.frame.y, larger.frame.y)
    if not same:
        raise LmmError(
            f"the models were fitted to different rows ({smaller.n_obs:,} and {larger.n_obs:,}, or "
            "in another order). Drop incomplete rows of all variables first, then fit both."
        )


def _structure(result: LmmResult) -> dict[str, list[list[str]]]:
    out: dict[str, list[list[str]]] = {}
    for term in result.frame.random:
        out.setdefault(term.factor, []).append(term.names)
    return out


def _extra_covariances(smaller: LmmResult, larger: LmmResult) -> list[tuple[int, int]]:
    """(new variances, new parameters) of each random factor that the larger model adds."""
    before, after = _structure(smaller), _structure(larger)
    extra = []
    for factor, terms in before.items():
        for names in terms:
            if not any(set(names) <= set(other) for other in after.get(factor, [])):
                raise LmmError(
                    f"the random term of {', '.join(names)} over '{factor}' is in the smaller "
                    "model only: the random parts are not nested. Give the smaller model first."
                )
    for factor, terms in after.items():
        old = before.get(factor, [])
        count = [sum(len(n) for n in side) for side in (old, terms)]
        params = [sum(len(n) * (len(n) + 1) // 2 for n in side) for side in (old, terms)]
        if params[1] > params[0]:
            extra.append((count[1] - count[0], params[1] - params[0]))
    return extra


def _boundary_p(chisq: float, fixed_df: int, extra) -> tuple[float, str]:
    """Tail of a likelihood ratio with `fixed_df` free parameters and some new variances."""

    def tail(df):
        return float(stats.chi2.sf(chisq, df)) if df else float(chisq <= 0)

    total = fixed_df + sum(n for _, n in extra)
    variances = [v for v, _ in extra if v]
    free = fixed_df + sum(n for v, n in extra if v == 0)  # correlations alone lie inside
    if not variances:
        return tail(total), f"χ²({total})"
    if all(v == n for v, n in extra if v):
        m = sum(variances)
        weights = stats.binom.pmf(np.arange(m + 1), m, 0.5)
        words = " + ".join(f"{w:.3g} χ²({free + j})" for j, w in enumerate(weights))
        return float(sum(w * tail(free + j) for j, w in enumerate(weights))), words
    with_variance = [(v, n) for v, n in extra if v]
    if len(with_variance) == 1 and with_variance[0][0] == 1:
        n = with_variance[0][1]
        low, high = free + n - 1, free + n
        return 0.5 * tail(low) + 0.5 * tail(high), f"0.5 χ²({low}) + 0.5 χ²({high})"
    return tail(total), f"χ²({total}), conservative: several correlated variances are on the edge"


@one_thread
def random_effect_tests(result: LmmResult) -> pd.DataFrame:
    """Likelihood-ratio test of each random coefficient, as lmerTest's ranova.

    Parameters
    ----------
    result : LmmResult

    Returns
    -------
    DataFrame
        Columns term (what is left out), loglik (without it), chisq, df, p (boundary-aware),
        p_naive, reference. Of a term with slopes each slope is left out in turn, of another term
        the whole.
    """
    deviance, theta = result.deviance, result.theta
    rows = []
    for t, term in enumerate(result.frame.random):
        names = [n for n in term.names if n != "Intercept"] if len(term.names) > 1 else term.names
        for name in names:
            masks = []
            for u, k in enumerate(deviance.sizes):
                mask = np.tril(np.ones((k, k)))
                if u == t:
                    i = term.names.index(name)
                    mask[i], mask[:, i] = 0, 0
                masks.append(mask)
            free = deviance.pack(masks).astype(bool)
            less = deviance(deviance.minimise(theta, free=free))
            chisq = max(0.0, less + 2 * result.loglik)
            df = int((~free).sum())
            p, reference = _boundary_p(chisq, 0, [(1, df)])
            label = term.label if len(term.names) == 1 else f"{name} in {term.label}"
            rows.append(
                (label, -less / 2, chisq, df, p, float(stats.chi2.sf(chisq, df)), reference)
            )
    columns = ["term", "loglik", "chisq", "df", "p", "p_naive", "reference"]
    return pd.DataFrame(rows, columns=columns)


# error models --------------------------------------------------------------------------------


@one_thread
def compare_error_models(
    formula: str, data: pd.DataFrame, level: float = 0.95, engine: str = "mixedlm"
) -> pd.DataFrame:
    """The same fixed effects under error models that ignore or respect the sampled factors.

    Parameters
    ----------
    formula : str
        The full mixed model, with crossed random terms.
    data : DataFrame
    level : float
        Coverage of the intervals.
    engine : str
        For the mixed models.

    Returns
    -------
    DataFrame
        Columns model, term, estimate, se, df, t, p, low, high, and se_ratio (SE over that of the
        full model). Models: ``OLS``; ``OLS, clustered by F`` for each factor, and by the first two
        at once; ``F only`` for each factor; ``crossed`` (the full model).
    """
    check_level(level)
    frame = build_frame(formula, data)
    response, fixed, _ = split_formula(formula)
    factors = list(dict.fromkeys(term.factor for term in frame.random))
    codes = {term.factor: term.codes for term in frame.random}
    ols = sm.OLS(frame.y, frame.X).fit()
    tables = [_ols_table("OLS", ols, ols.cov_params(), ols.df_resid, frame.names, level)]
    for factor in factors:
        robust = ols.get_robustcov_results("cluster", groups=codes[factor])
        df = len(np.unique(codes[factor])) - 1
        tables.append(
            _ols_table(
                f"OLS, clustered by {factor}", ols, robust.cov_params(), df, frame.names, level
            )
        )
    if len(factors) > 1:
        both = cov_cluster_2groups(ols, codes[factors[0]], codes[factors[1]])[0]
        df = min(len(np.unique(codes[f])) for f in factors[:2]) - 1
        name = f"OLS, clustered by {factors[0]} and {factors[1]}"
        tables.append(_ols_table(name, ols, both, df, frame.names, level))
    bars = {f: random_bars(t for t in frame.random if t.factor == f) for f in factors}
    models = [(f"{f} only", bars[f]) for f in factors] if len(factors) > 1 else []
    models.append(("crossed", [bar for f in factors for bar in bars[f]]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)  # wrong on purpose: not a thing to warn of
        for name, kept in models:
            fit = fit_lmm(f"{response} ~ {fixed} + {' + '.join(kept)}", frame.data, engine=engine)
            table = fit.fixed_effects(level)
            table.insert(0, "model", name)
            tables.append(table)
    out = pd.concat(tables, ignore_index=True)
    full = out[out["model"] == "crossed"].set_index("term")["se"]
    return out.assign(se_ratio=out["se"] / out["term"].map(full))


def _ols_table(model, ols, cov, df, names, level) -> pd.DataFrame:
    se = np.sqrt(np.clip(np.diag(cov), 0, None))
    with np.errstate(divide="ignore"):
        t = ols.params / se
    half = stats.t.ppf((1 + level) / 2, df) * se
    return pd.DataFrame(
        {
            "model": model,
            "term": names,
            "estimate": ols.params,
            "se": se,
            "df": float(df),
            "t": t,
            "p": 2 * stats.t.sf(np.abs(t), df),
            "low": ols.params - half,
            "high": ols.params + half,
        }
    )


def add_random_intercepts(
    formula: str, data: pd.DataFrame, factors: list[str], term: str, level: float = 0.95
) -> tuple[pd.DataFrame, LmmResult | None]:
    """A coefficient by ordinary least squares, and with one random intercept more at a time.

    For studies that have one mean a song: artists and styles are then the samples that are left.

    Parameters
    ----------
    formula : str
        Response and fixed part.
    data : DataFrame
        One row a song.
    factors : list of str
        Grouping factors, in the order in which they come in; may be empty.
    term : str
        Name of the coefficient.
    level : float
        Coverage of the intervals.

    Returns
    -------
    table : DataFrame
        Columns model (``OLS``, ``artist random``, ``artist and style random``), estimate, low,
        high.
    fit : LmmResult or None
        The last fit; None without factors.
    """
    check_level(level)
    plain = smf.ols(formula, data).fit()
    if term not in plain.params:
        raise LmmError(f"{term!r} is no coefficient. There are: {', '.join(plain.params.index)}.")
    low, high = plain.conf_int(1 - level).loc[term]
    rows = [{"model": "OLS", "estimate": plain.params[term], "low": low, "high": high}]
    fit = None
    for k in range(1, len(factors) + 1):
        bars = " + ".join(f"(1 | {factor})" for factor in factors[:k])
        fit = fit_lmm(f"{formula} + {bars}", data)
        row = fit.effect(term, level)[["estimate", "low", "high"]]
        rows.append({"model": f"{' and '.join(factors[:k])} random", **row})
    return pd.DataFrame(rows), fit


# partition -----------------------------------------------------------------------------------


def variance_partition(result: LmmResult, split_fixed: bool = True) -> pd.DataFrame:
    """Share of the variance that each part of the model holds; the shares add to one.

    Parameters
    ----------
    result : LmmResult
    split_fixed : bool
        Give each fixed term its covariance with the whole fixed prediction (they add to the
        variance of the fixed part; a term that works against the others can be negative).

    Returns
    -------
    DataFrame
        Columns part, kind (fixed, random or residual), variance, share.
    """
    parts = result.mean_variances()
    rows = []
    if split_fixed:
        # sum coding, so that a covariate's part is its average slope and not the reference's
        whole = result.frame.X @ result.beta
        for label, (X, weights) in result.sum_coding().items():
            part = X @ (weights @ result.beta)
            rows.append((label, "fixed", float(np.cov(part, whole)[0, 1])))
    else:
        rows.append(("Fixed", "fixed", parts["Fixed"]))
    rows += [(factor, "random", parts[factor]) for factor in result.n_groups]
    rows.append(("Residual", "residual", parts["Residual"]))
    table = pd.DataFrame(rows, columns=["part", "kind", "variance"])
    return table.assign(share=table["variance"] / parts.sum())


# equivalence ---------------------------------------------------------------------------------


def equivalence_test(
    estimate: float, se: float, df: float, bound: float, alpha: float = 0.05
) -> pd.Series:
    """Two one-sided tests: is an effect smaller than what would matter?

    Parameters
    ----------
    estimate, se, df : float
        Of the effect, such as a row of `contrasts()`.
    bound : float
        Smallest effect that would matter, in the units of `estimate`, above 0.
    alpha : float
        Level of each one-sided test.

    Returns
    -------
    Series
        p (the larger of the two), p_lower (against ≤ −bound), p_upper (against ≥ bound), low and
        high (the 1 − 2·alpha interval), equivalent (whether p < alpha).
    """
    if not bound > 0:
        raise ValueError(f"bound is {bound!r}; expected the smallest effect that matters, above 0.")
    if not (se > 0 and df > 0):
        raise ValueError(f"se is {se!r} and df is {df!r}; expected both above 0.")
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha is {alpha!r}; expected a level between 0 and 0.5.")
    lower = float(stats.t.sf((estimate + bound) / se, df))
    upper = float(stats.t.cdf((estimate - bound) / se, df))
    half = stats.t.ppf(1 - alpha, df) * se
    p = max(lower, upper)
    return pd.Series(
        {
            "p": p,
            "p_lower": lower,
            "p_upper": upper,
            "low": estimate - half,
            "high": estimate + half,
            "equivalent": p < alpha,
        }
    )


# ordinal check -------------------------------------------------------------------------------


@one_thread
def cumulative_link_check(
    formula: str,
    data: pd.DataFrame,
    n_bins: int = 7,
    level: float = 0.95,
    engine: str = "mixedlm",
) -> pd.DataFrame:
    """Do the conclusions survive if the scale is taken as merely ordered?

    A cumulative logit of the fixed part (population-averaged: no random effects), with standard
    errors clustered by the first two grouping factors at once, beside the linear mixed model.

    Parameters
    ----------
    formula : str
        As for `fit_lmm`.
    data : DataFrame
    n_bins : int
        A response with more distinct values is cut into this many bins of equal count.
    level : float
        Coverage; a term counts as reliable if its interval leaves out 0.
    engine : str
        For the mixed model.

    Returns
    -------
    DataFrame
        Columns term, linear, linear_se, linear_p, linear_sd (estimate in residual SD), ordinal (log
        odds), ordinal_se, ordinal_p, agree (same sign and same verdict at 1 − level). No row for
        the intercept.
    """
    check_level(level)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LmmWarning)  # fit_lmm has told it when first fitted
        linear = fit_lmm(formula, data, engine=engine)
    frame = linear.frame
    y = frame.y
    if len(np.unique(y)) > n_bins:
        edges = np.unique(np.quantile(y, np.arange(1, n_bins) / n_bins))
        y = np.searchsorted(edges, y, side="left")
    _, y = np.unique(y, return_inverse=True)
    keep = [j for j, name in enumerate(frame.names) if name != "Intercept"]
    if not keep:
        raise LmmError(f"the fixed part '{frame.fixed}' holds nothing to check but the intercept.")
    centre, scale = frame.X[:, keep].mean(axis=0), frame.X[:, keep].std(axis=0)
    X = (frame.X[:, keep] - centre) / scale
    model = OrderedModel(y, X, distr="logit")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(method="bfgs", disp=False, maxiter=500)
    if not fit.mle_retvals["converged"]:
        raise LmmError(
            "the ordinal model did not converge; use fewer bins (n_bins) or a simpler formula."
        )
    params = np.asarray(fit.params)
    bread = linalg.inv(-model.hessian(params))
    scores = model.score_obs(params)
    factors = list(dict.fromkeys(term.factor for term in frame.random))[:2]
    codes = [next(t.codes for t in frame.random if t.factor == f) for f in factors]
    meat = sum(_cluster_meat(scores, code) for code in codes)
    if len(codes) == 2:
        meat = meat - _cluster_meat(scores, codes[0] * (codes[1].max() + 1) + codes[1])
    variance = np.diag(bread @ meat @ bread)[: len(keep)]
    if (variance <= 0).any():  # two-way estimates can fail; the larger one-way one is safe
        one_way = [np.diag(bread @ _cluster_meat(scores, c) @ bread)[: len(keep)] for c in codes]
        variance = np.max(one_way, axis=0)
    se = np.sqrt(variance)
    beta = params[: len(keep)]
    table = linear.fixed_effects(level).iloc[keep]
    ordinal_p = 2 * stats.norm.sf(np.abs(beta / se))
    alike = (table["p"].to_numpy() < 1 - level) == (ordinal_p < 1 - level)
    return pd.DataFrame(
        {
            "term": table["term"].to_numpy(),
            "linear": table["estimate"].to_numpy(),
            "linear_se": table["se"].to_numpy(),
            "linear_p": table["p"].to_numpy(),
            "linear_sd": table["estimate"].to_numpy() / linear.sigma,
            "ordinal": beta / scale,
            "ordinal_se": se / scale,
            "ordinal_p": ordinal_p,
            "agree": alike & (np.sign(beta) == np.sign(table["estimate"].to_numpy())),
        }
    )


def _cluster_meat(scores: np.ndarray, codes: np.ndarray) -> np.ndarray:
    sums = pd.DataFrame(scores).groupby(codes).sum().to_numpy()
    m = len(sums)
    return sums.T @ sums * m / (m - 1)
