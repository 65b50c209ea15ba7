"""Written report on a fitted mixed model, as in the results section of an article."""

from __future__ import annotations

from groove_utils.stats.wording import format_p, join_words

__all__ = ["write_report"]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%" if share >= 0.0095 or share == 0 else f"{100 * share:.1f}%"


def write_report(result, level: float = 0.95) -> str:
    """Write a report on a mixed model: its formula, tests, coefficients, variances and warnings.

    Parameters
    ----------
    result : LmmResult
        Fitted model.
    level : float
        Coverage of the intervals.

    Returns
    -------
    str
        Paragraphs separated by blank lines.
    """
    criterion = "restricted maximum likelihood" if result.reml else "maximum likelihood"
    groups = join_words([f"{name} ({n:,})" for name, n in result.n_groups.items()])
    method = (
        f"A linear mixed model ({criterion}) was fitted to {result.n_obs:,} values of "
        f"{result.frame.response}, with random effects of {groups}: {result.formula}. Degrees of "
        "freedom were computed by Satterthwaite's method."
    )

    tests = result.type3()
    sentences = []
    for row in tests.itertuples():
        sentences.append(
            f"There was {'a' if row.p < 0.05 else 'no'} clear effect of {row.term}, "
            f"F({row.num_df}, {row.den_df:.1f}) = {row.F:.2f}, p {format_p(row.p)}."
        )
    table = result.fixed_effects(level)
    coefficients = [
        f"{row.term}: b = {row.estimate:.3g}, {100 * level:g}% CI [{row.low:.3g}, {row.high:.3g}], "
        f"t({row.df:.1f}) = {row.t:.2f}, p {format_p(row.p)}"
        for row in table.itertuples()
        if row.term != "Intercept"
    ]
    fixed = " ".join(sentences)
    if coefficients:
        fixed += f" Coefficients: {'; '.join(coefficients)}."
    else:
        mean, low, high = table.loc[0, ["estimate", "low", "high"]]
        fixed = f"The mean was {mean:.3g}, {100 * level:g}% CI [{low:.3g}, {high:.3g}]."

    r2, parts = result.r2(), result.mean_variances()
    shares = parts / parts.sum()
    random = join_words([f"{name} {_percent(shares[name])}" for name in result.n_groups])
    variance = (
        f"The fixed effects account for {_percent(r2['marginal'])} of the variance (R²m), and "
        f"fixed and random effects together for {_percent(r2['conditional'])} (R²c). The shares of "
        f"the random effects are: {random}. The residual share is {_percent(shares['Residual'])} "
        f"(SD {result.sigma:.3g})."
    )
    spreads = result.variance_components()
    slopes = spreads[spreads["other"].isna() & (spreads["term"] != "Intercept")]
    slopes = slopes[slopes["factor"] != "Residual"]
    if len(slopes):
        words = [f"{row.term} by {row.factor} (SD {row.sd:.3g})" for row in slopes.itertuples()]
        variance += f" Random slopes: {join_words(words)}."

    paragraphs = [method, fixed, variance]
    if result.messages:
        paragraphs.append("Note: " + " ".join(m[0].upper() + m[1:] for m in result.messages))
    return "\n\n".join(paragraphs)
