# %% [markdown]
# # Do predictions hold for individual listeners, and in every style?
#
# A song's mean rating is not the rating of any single listener. Does a prediction of mean ratings
# also hold for individual listeners? Would it hold for *other* listeners and *other* songs? Listeners
# and songs are both samples, so a model should treat both as random, as a {term}`linear mixed model`
# with {term}`crossed random effects` does.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** why song means are not enough, what happens to a standard error when listeners or
# songs are treated as fixed, how to read random intercepts and slopes, how to test whether styles differ
# (and whether they are practically equal), and how many listeners and songs a study needs.
#
# **You need** {doc}`01-listeners-and-tracks`, {doc}`06-probing` and some knowledge of linear regression.
#
# **Run time**: {run-time}`09-mixed-models`, measured when this page was built. **Module**:
# `groove_utils.mixed`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
query = "groove"
smallest = 0.03  # smallest slope of interest, as a fraction of the rating scale
n_bootstrap = 200
n_simulations = 100  # simulated studies in each cell of the power map
n_jobs = 2
oconnell_csv = ""  # ratings of O'Connell et al. (2022), if you downloaded them

# %%
from functools import partial

import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from IPython.display import Markdown, display

from groove_utils import figures, mixed
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_counts,
    report_effects,
    report_percentages,
    report_texts,
    report_value,
    report_values,
    show_figure,
    show_table,
)
from groove_utils.book.verdicts import (
    clear_rows,
    describe_additions,
    list_estimates,
    pick_by_p,
    pick_verdict,
)
from groove_utils.stats import format_p, holm, join_words, typeset_minus
from groove_utils.study.datasets.oconnell2022 import URL, load_oconnell2022
from groove_utils.synth import (
    EFFECT_NAMES,
    default_effects,
    describe_score,
    simulate_listeners,
    song_covariates,
)

chapter = open_chapter("09-mixed-models", study)
data = chapter.study

# %%
query = query if query in data.queries else next(iter(data.queries))
low, high = data.scales[query]
matters = smallest * (high - low)  # points of the scale
short_names = {"listener_id": "listener", "track_id": "track"}
facts = data.tracks.set_index("track_id")[["style", "artist"]]
several_songs = facts["artist"].nunique() < len(facts)  # per artist

# %% tags=["needs-table-predictions"]
predictions = chapter.load_table("predictions")
model_name = predictions.loc[predictions["best"], "model"].iloc[0]
if query not in set(predictions["target"]):
    query = predictions["target"].iloc[0]
songs = predictions[predictions["target"] == query]
songs = songs.pivot(index="track_id", columns="model", values="predicted")
songs = (songs - songs.mean()) / songs.std()
on_prediction = f"Slope of “{query}” on the prediction"

# %% [markdown] tags=["needs-listeners"]
# ## Two samples, not one
#
# Each rating is given by one listener to one song. Songs differ, and listeners differ too: some give
# high ratings to everything. Averaging over listeners discards the differences between them, so we
# can no longer test whether a result would hold for *other* listeners. In the same way, averaging
# over songs discards the differences between them.

# %%
answers = data.ratings.rename(columns=short_names).join(facts, on="track")
rows = answers[answers["query"] == query].copy()
n_listeners, n_songs = rows[["listener", "track"]].nunique()

# %% [markdown]
# The simplest model that treats both listeners and songs as samples has an *intercept* for each listener
# and one for each song:
#
# $$ y_{ij} = \mu + u_i + v_j + \varepsilon_{ij}, \qquad u_i \sim N(0, \sigma_u^2), \;
# v_j \sim N(0, \sigma_v^2), \; \varepsilon_{ij} \sim N(0, \sigma^2) $$
#
# Here $y_{ij}$ is the rating of song $j$ by listener $i$, $\mu$ the overall mean, $u_i$ the
# listener's intercept, $v_j$ the song's intercept and $\varepsilon_{ij}$ the residual. We estimate
# the three variances. The model has no predictors yet: it only divides the variance of the ratings
# among listeners, songs and the residual {cite}`baayen2008`.
#
# In `fit_lmm`, `(1 | listener)` means that each listener has a *random intercept* $u_i$, drawn from a
# normal distribution. `(1 + predicted | listener)` adds a *random slope*, `0 +` leaves out the
# intercept, and `a:b` means that each combination of `a` and `b` is a group of its own. *Fixed*
# coefficients, such as $\mu$, are the same for everyone. The fit uses restricted maximum likelihood
# (REML), because plain maximum likelihood underestimates the variances.

# %%
crossed = "(1 | listener) + (1 | track)"
empty_model = mixed.fit_lmm(f"rating ~ 1 + {crossed}", rows)
spreads = empty_model.variance_components(
    "bootstrap", n_boot=n_bootstrap, seed=seed, n_jobs=n_jobs
).set_index("factor")

# %% [markdown]
# The fitted model gives three variances. We divide each of them by their sum, which gives its share of
# the variance of single ratings, and compute the agreement between individual listeners:

# %%
variances = mixed.crossed_variances(rows)
parts = variances[["song", "listener", "residual"]]
shares = parts / parts.sum()

# %% tags=["hide-input"]
report_texts(query=query, score_note=describe_score(data, query))
report_texts(scale=typeset_minus("{:.3g} to {:.3g}".format(*data.scales[query])))
report_counts(n_ratings=len(rows), n_listeners=n_listeners, n_songs=n_songs)
show_table(
    spreads[["variance", "sd", "low", "high"]],
    "empty-model",
    f"Variances and standard deviations (SD) of “{query}”; low and high: limits of the 95% bootstrap "
    "interval of the SD.",
)
report_percentages(shares[["song", "listener"]].add_prefix("share_"), len(rows))
report_value("icc", variances["ICC(C,1)"], n=len(rows))

# %% [markdown]
# There are {glue:text}`n_ratings` ratings of “{glue:text}`query`”, given by {glue:text}`n_listeners`
# listeners to {glue:text}`n_songs` songs, on a scale from {glue:text}`scale`. groove
# {glue:text}`score_note`
#
# Songs account for {glue:text}`share_song` of the variance of individual ratings, and listeners'
# intercepts for {glue:text}`share_listener`. If the variance of listeners' intercepts is left out of
# the total, the songs' share is the ICC(C,1) from {doc}`01-listeners-and-tracks`: {glue:text}`icc`.
# The residual variance comes from the ways in which individual listeners respond to individual songs,
# and from chance.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## One slope: ordinary regression and mixed models
#
# The predictor $x_j$ is the {term}`out-of-fold prediction` of the best model of {doc}`06-probing`. The
# regression that predicts a song's rating was not trained on ratings of that song or of other songs by
# the same artist. Only the choice of the best model used the ratings of all songs; {doc}`06-probing`
# shows how much this choice raises the score. The prediction is standardised over songs, so slopes are
# in points of the rating scale per standard deviation of the prediction.

# %%
rows = answers[answers["query"] == query].copy()
rows["predicted"] = rows["track"].map(songs[model_name])
predictors = ["predicted"]
if "descriptors" in songs:
    rows["handcrafted"] = rows["track"].map(songs["descriptors"])
    predictors.append("handcrafted")

# %% [markdown]
# **Ordinary least squares** treats every rating as an independent observation:

# %%
ols = smf.ols("rating ~ predicted", rows).fit()
ols.summary2().tables[1].round(3)

# %% [markdown]
# The estimate of the slope is valid, but its standard error is too small, because ratings of the same
# song are partly redundant: they share the song's intercept $v_j$ and the prediction. Let $m$ be the
# number of ratings per song, and let $\rho$ be the share of the variance that lies between songs. If
# a predictor is the same for all ratings of a song, the true variance of the estimated slope is $1 +
# (m - 1) \rho$ times as large as ordinary least squares reports, and its standard error is $\sqrt{1 +
# (m - 1) \rho}$ times as large. The factor $1 + (m - 1) \rho$ is the {term}`design effect`
# {cite}`kish1965`. We estimate $\rho$ with the crossed model in which the prediction is the
# predictor, compute the factor $\sqrt{1 + (m - 1) \rho}$, and compare it with the observed ratio: the
# standard error of the crossed model divided by that of ordinary least squares.

# %%
two_samples = mixed.fit_lmm(f"rating ~ predicted + {crossed}", rows)
variance = two_samples.variance_components().set_index("factor")["variance"]
rho = variance["track"] / variance.sum()
m = len(rows) / rows["track"].nunique()
expected = np.sqrt(1 + (m - 1) * rho)
observed = two_samples.effect("predicted")["se"] / ols.bse["predicted"]

# %% tags=["hide-input"]
report_texts(model=model_name)
report_counts(answers_per_song=m)
report_values({"se_expected": expected, "se_observed": observed}, len(rows))

# %% [markdown]
# With {glue:text}`answers_per_song` ratings per song, the formula predicts a standard error
# {glue:text}`se_expected` times as large as that of ordinary least squares. In fact, the standard
# error of the crossed model is {glue:text}`se_observed` times as large. (The listeners' intercepts
# explain the difference between the two factors: ordinary least squares treats these intercepts as
# noise, and the crossed model removes them.)

# %% [markdown] tags=["needs-simulation"]
# ### The same models in statsmodels
#
# Python's standard package for mixed models is statsmodels. Its function `mixedlm` was designed for
# *nested* groups, such as ratings within listeners. With listeners as the only random factor,
# statsmodels and `fit_lmm` give the same estimates:

# %%
nested = smf.mixedlm("rating ~ predicted", rows, groups="listener")
nested = nested.fit(reml=True)
ours = mixed.fit_lmm("rating ~ predicted + (1 | listener)", rows)
nested_difference = np.abs(nested.fe_params - ours.beta).max()

# %% [markdown]
# *Crossed* random effects can be written in statsmodels as variance components of a single group that
# contains all rows. This method is slow, and takes much longer still with twice as many listeners. We
# therefore use only the first twenty listeners.

# %%
few = rows[rows["listener"].isin(rows["listener"].unique()[:20])].assign(all=1)
parts = {"listener": "0 + C(listener)", "track": "0 + C(track)"}
theirs = smf.mixedlm(
    "rating ~ predicted", few, groups="all", re_formula="0", vc_formula=parts
).fit(reml=True)
ours = mixed.fit_lmm(f"rating ~ predicted + {crossed}", few)

# %%
names = ["intercept", "slope", "SE of the intercept", "SE of the slope"]
names += ["variance of listeners", "variance of songs", "residual variance"]
numbers = [*theirs.fe_params, *theirs.bse_fe, *theirs.vcomp, theirs.scale]
compared = pd.DataFrame({"statsmodels": numbers}, index=names, dtype=float)
effects, spread = ours.fixed_effects(), ours.variance_components()
numbers = [*effects["estimate"], *effects["se"], *spread["variance"]]
compared["fit_lmm"] = numbers
crossed_difference = (compared["statsmodels"] - compared["fit_lmm"]).abs().max()
compared.round(4)

# %% tags=["hide-input"]
report_value("nested_difference", nested_difference, fmt=".0e", tolerance=1e-4)
report_value("crossed_difference", crossed_difference, fmt=".0e", tolerance=1e-2)

# %% [markdown]
# With listeners as the only random factor, the coefficients of the two packages differ by at most
# {glue:text}`nested_difference`. With crossed random effects, the largest difference in the table above
# is {glue:text}`crossed_difference`. `fit_lmm` needs a fraction of a second for all ratings, because it
# exploits the fact that each rating belongs to exactly one listener and one song {cite}`bates2015`.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## What if one of the samples is ignored?
#
# {cite:t}`clark1973` described what then goes wrong in studies of language: if words are treated as
# fixed, the conclusions apply only to those words. {numref}`fig-error-models` shows the slope from
# above, estimated under several assumptions about the errors (*error models*), which ignore
# listeners, songs, both, or neither. The estimates are similar, but the intervals differ in width.
# Rows labelled “clustered” are ordinary regressions with cluster-robust standard errors, which allow
# the errors within a cluster (the ratings by one listener or of one song) to be correlated.

# %%
errors = mixed.compare_error_models(f"rating ~ predicted + {crossed}", rows)
errors["model"] = errors["model"].str.replace("track", "song")
errors = errors[errors["term"] == "predicted"]
ratios = errors.set_index("model")["se_ratio"]
ratios = ratios[["OLS", "listener only", "song only"]]

# %% tags=["hide-input"]
show_figure(
    figures.plot_forest(errors, y="model", xlabel=on_prediction),
    "error-models",
    "One slope under error models that ignore listeners, songs, both or neither.",
    "Forest plot of one slope under several error models: similar estimates in all "
    "rows, with intervals of very different widths.",
    table=errors,
)
report_values(ratios.add_prefix("se_"), len(rows))

# %% [markdown]
# We divide each standard error by that of the crossed model. The ratio is {glue:text}`se_ols` for
# ordinary regression, {glue:text}`se_listener_only` with listeners as the only random factor, and
# {glue:text}`se_song_only` with songs as the only random factor. A ratio below 1 means that the
# standard error is too small. More listeners cannot make up for too few songs, because the prediction
# varies only between songs. For a predictor that varies between listeners, a model with songs as the
# only random factor would underestimate the standard error in the same way.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## A model with a slope for each listener
#
# In the next model, each listener has an intercept and a slope {cite}`barr2013`, and each song has an
# intercept. Each artist $a(j)$ has an intercept as well, because songs by the same artist resemble
# each other:
#
# $$ y_{ij} = (\mu + u_i) + (\beta + s_i) \, x_j + v_j + w_{a(j)} + \varepsilon_{ij} $$
#
# where $\beta$ is the average slope and $s_i$ is the difference between listener $i$'s slope and
# $\beta$. The pairs $(u_i, s_i)$ are jointly normal with mean 0, two variances and a correlation;
# $a(j)$ is the artist of song $j$, and $w_a \sim N(0, \sigma_w^2)$. Satterthwaite's method
# approximates the degrees of freedom for the *t* test of the slope; the result is closer to the
# number of listeners, songs or artists than to the number of ratings.

# %%
by_artist = " + (1 | artist)" if several_songs else ""
slopes = f"(1 + predicted | listener) + (1 | track){by_artist}"
model = mixed.fit_lmm(f"rating ~ predicted + {slopes}", rows)
slope = model.effect("predicted")
display(Markdown(model.report()))

# %%
redraws = mixed.bootstrap(model, n_boot=n_bootstrap, seed=seed, n_jobs=n_jobs)
explained = redraws["r2"].quantile([0.025, 0.975]).T
explained.columns = ["low", "high"]
explained["estimate"] = pd.Series(model.r2())

# %% tags=["hide-input"]
report_effects(explained, prefix="r2_", scale=100, fmt=".0f", unit="%")
verdicts = (
    "holds for single ratings, on average over listeners",
    "has the wrong sign for single ratings",
    "cannot be shown to hold for single ratings",
)
report_effects({"slope": slope}, words=verdicts)
report_value("matters", matters, fmt=".3g")

# %% [markdown]
# The slope, in points of “{glue:text}`query`” per standard deviation of the prediction, is
# {glue:text}`slope_full`. The prediction of {glue:text}`model` {glue:text}`slope_verdict`. It
# accounts for {glue:text}`r2_marginal_full` of the variance of single ratings (*marginal* R², R²m:
# fixed coefficients only). Together with the random effects of listeners, songs and artists, the
# prediction accounts for {glue:text}`r2_conditional_full` (*conditional* R², R²c)
# {cite}`nakagawa2017`. The rest of the variance is residual: it comes from each listener's individual
# response to each song, and from chance.
#
# The number of ratings is a poor guide to the precision of the slope, because ratings of the same
# song are not independent. The width of the intervals depends mainly on the numbers of listeners,
# songs and artists. In the output above, the number in brackets after *t* gives the degrees of
# freedom; it is far smaller than the number of ratings. The intervals for shares of variance come
# from a parametric bootstrap: we simulate sets of ratings from the fitted model, each with new
# listeners, songs and artists, and fit the model to each set. We test below whether the slope is the
# same for all listeners.
#
# ### Does the prediction add anything beyond style and descriptors?
#
# A pretrained model may do no more than recognise the style, or measure what a descriptor also
# measures. We therefore add two predictors to the mixed model: the style, and the out-of-fold
# prediction from the handcrafted {term}`descriptors <descriptor>`. Each slope then compares songs
# with the same values of the other predictors. In each model, the slope of the tested predictor also
# varies at random between listeners.

# %%
style = ["style"] if data.has("styles") else []
fits = {}
for term in predictors:
    others = [other for other in predictors if other != term]
    sets = {"alone": [], "with style": style, "with all": [*others, *style]}
    for label, also in sets.items():
        fixed = " + ".join([term, *also])
        random = slopes.replace("predicted", term)
        fits[term, label] = mixed.fit_lmm(f"rating ~ {fixed} + {random}", rows)

# %% [markdown]
# {numref}`fig-over-and-above` shows the slopes of both predictions in each model. Does a slope stay
# above zero when other predictors are added?

# %%
tested = {key: fit.effect(key[0]) for key, fit in fits.items()}
joint = pd.DataFrame(tested).T.rename_axis(["term", "model"]).reset_index()
labels = {"predicted": model_name, "handcrafted": "descriptors"}
joint["prediction"] = joint["term"].map(labels)

# %%
slope_style = tested["predicted", "with style"]
slope_all = tested["predicted", "with all"]
handcrafted = tested[predictors[-1], "with all"]
by_model = f"prediction of {model_name}"
by_descriptors = "prediction from the descriptors"
additions = [  # tested predictor, other predictors, slope
    (f"The {by_model}", style, slope_style),
    (f"The {by_model}", [*style, f"the {by_descriptors}"], slope_all),
    (f"The {by_descriptors}", [*style, f"the {by_model}"], handcrafted),
]

# %% tags=["hide-input"]
show_figure(
    figures.plot_forest(joint, y="prediction", hue="model", xlabel=on_prediction),
    "over-and-above",
    f"Slope of “{query}” on each prediction: alone, with style, and with all other predictors.",
    "Forest plot with one row for the prediction of the pretrained model, one row for the "
    "prediction from descriptors, and one colour per set of predictors in the model.",
    table=joint,
)
report_effects({"slope_all": slope_all})
report_texts(adds=describe_additions(additions[: 2 * len(predictors) - 1]))

# %% [markdown]
# {glue:text}`adds`
#
# How are these slopes related to the results of earlier chapters? In {doc}`06-probing` and
# {doc}`07-objections`, we compare the *R²* of the best model with the R² of style and of descriptors,
# and divide R² among the three. There, a new regression is fitted for every comparison, and many
# songs are needed to detect a difference between two values of R² reliably. In this chapter, we take
# both predictions as given, including their errors, and use the slopes to test whether ratings vary
# with one prediction among songs for which the other prediction is the same. This test shows less
# than one might think: the prediction from the descriptors does not use all the information in the
# descriptors, so another regression on the same descriptors could add something beyond this
# prediction, too.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## For which listeners does the model work?
#
# Each line in {numref}`fig-listeners` represents a listener. A steeper line means that the listener's
# ratings change more with the prediction. The lines show *conditional modes*: each listener's most
# probable intercept and slope, given the ratings and the estimated variances. Conditional modes are
# shrunk towards the average, because each slope is estimated from only a few songs. They therefore
# vary less than the true slopes. If the average slope is positive, the share of rising lines in the
# figure is higher than the share of listeners with a positive slope. We therefore compute the share
# of listeners with a positive slope from the model, which assumes that slopes are normally
# distributed around the average slope, with the estimated standard deviation.

# %%
modes = model.random_effects("listener")
modes = modes.pivot(index="level", columns="term", values="value")
lines = modes[model.names] + model.beta
lines.columns = ["intercept", "slope"]
rising = mixed.positive_share(model, "predicted", redraws)

# %%
components = model.variance_components()
sd = components[components["other"].isna()].set_index("factor")["sd"]
slope_sd = sd["listener"].iloc[1]
tests = mixed.random_effect_tests(model)
p_slope = tests.loc[tests["term"].str.startswith("predicted in"), "p"].item()

# %% [markdown]
# The colour of the lines shows the first numeric variable in the table of listeners, if there is one:

# %%
listener_facts = data.listeners.set_index("listener_id")
listener_facts = listener_facts.select_dtypes("number")
colour = next(iter(listener_facts), None)

# %% tags=["hide-input"]
show_figure(
    figures.plot_fitted_lines(
        lines.join(listener_facts), x="predicted", colour=colour,
        xlabel="Prediction (SD over songs)", ylabel=f"Rating of “{query}”",
    ),
    "listeners",
    "One line per listener (conditional modes); the thick line is the average.",
    "Fan of straight lines, one per listener, with different heights and slopes, around a "
    "thick average line.",
    table=lines.rename_axis("listener"),
)  # fmt: skip
report_effects({"rising": rising}, len(lines), scale=100, unit="%", fmt=".0f")
report_value("slope_sd", slope_sd, n=len(lines))
report_texts(
    p_slope_sd=f"p {format_p(p_slope)}",
    slopes_differ=pick_by_p(p_slope, "differ", "cannot be shown to differ"),
)

# %% [markdown]
# According to the model, the slope is positive for {glue:text}`rising_full` of the listeners. Slopes
# {glue:text}`slopes_differ` between listeners: the standard deviation of the slopes is
# {glue:text}`slope_sd` points ({glue:text}`p_slope_sd`). (A variance cannot be negative, so the test
# uses a mixture of χ² distributions {cite}`stram1994`.)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Could listeners' slopes appear to differ for another reason? The prediction is higher for some
# styles than for others. A listener who likes the styles with high predictions gives higher ratings
# to songs with high predictions, and therefore appears to have a steeper slope. A random intercept
# for each pair of listener and style, `(1 | listener:style)`, measures how much more or less than
# usual a listener likes a style, regardless of the song {cite}`senn2018`. We add this intercept to
# the model:

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
preferring = mixed.fit_lmm(
    f"rating ~ predicted + {slopes} + (1 | listener:style)", rows
)
parts = preferring.variance_components()
sd = parts[parts["other"].isna()].set_index(["factor", "term"])["sd"]
tests = mixed.random_effect_tests(preferring).set_index("term")["p"]
p_beyond = tests["predicted in (1 + predicted | listener)"]
p_bias = tests["(1 | listener:style)"]
sds = {
    "bias_sd": sd["listener:style", "Intercept"],
    "slope_sd_beyond": sd["listener", "predicted"],
}

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles", "hide-input"]
report_values(sds, tolerance=0.02)
report_texts(
    p_bias=f"p {format_p(p_bias)}",
    p_beyond=f"p {format_p(p_beyond)}",
    bias_verdict=pick_by_p(p_bias, "have", "cannot be shown to have"),
    beyond_verdict=pick_by_p(p_beyond, "still differ", "cannot be shown to differ"),
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Listeners {glue:text}`bias_verdict` preferences for styles ({glue:text}`p_bias`): the standard
# deviation of these preferences is {glue:text}`bias_sd` points. With these preferences in the model, the
# standard deviation of the slopes is {glue:text}`slope_sd_beyond` points ({glue:text}`p_beyond`): slopes
# {glue:text}`beyond_verdict` between listeners. (A fit in which a variance is almost 0, or a correlation
# almost ±1, is called *singular*: the ratings contain no evidence of the corresponding differences.)
# Without preferences in the model, the random slope also absorbs differences in preference.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# For whom does the model work? The listeners' characteristics may tell us. We add each characteristic
# to the model, with a main effect and an interaction with the prediction. One of them, “taste”,
# concerns both the listener *and* the song: it is how much the listener likes the song's style. Not
# every study measures it.

# %%
with_facts, listed_facts = mixed.join_facts(rows, data.listeners, data.styles)
changes = mixed.slopes_by_fact(with_facts, listed_facts, "predicted", slopes)

# %% tags=["hide-input"]
if listed_facts:
    show_table(
        changes.rename(columns={"fact": "characteristic"}).set_index("characteristic")[
            ["estimate", "low", "high", "p_holm"]
        ],
        "for-whom",
        "Change in the slope, in points, per SD of each characteristic of the listeners. p is "
        "Holm-corrected; the 95% intervals are not.",
        fmt="{:.3f}",
    )
report_texts(for_whom=join_words(clear_rows(changes)["fact"]))

# %% [markdown]
# After correction for the number of characteristics, the slope clearly changes with:
# {glue:text}`for_whom`.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# ## Does the slope differ between styles?
#
# We use the interaction between prediction and style to test whether the slope differs between
# styles. A slope that is “significant” in one style but not in another is not evidence of a
# difference between them; the difference itself has to be tested {cite}`gelman2006`.

# %%
by_style = mixed.fit_lmm(f"rating ~ predicted * style + {slopes}", rows)
trends = by_style.emtrends("predicted", "style")
contrasts = trends.contrasts(adjust="holm", equivalence=matters)
within = trends.table.assign(p_holm=holm(trends.table["p"]))
rising_in = clear_rows(within, value="estimate")["style"]
different = clear_rows(contrasts, "p_adjusted")
equal = clear_rows(contrasts, "p_equivalence")

# %% tags=["hide-input"]
show_figure(
    figures.plot_forest(trends.table, y="style", xlabel=on_prediction),
    "style-slopes",
    "Slope of single ratings on the prediction within each style, with 95% intervals.",
    "Forest plot of one slope per style, each with its interval, on a common axis.",
    table=trends.table,
)
show_table(
    contrasts.drop(columns=["se", "t", "p"]),
    "style-contrasts",
    "Differences in slope, with Holm-corrected p-values: “p adjusted” for the test of a "
    "difference, “p equivalence” for the test of equality.",
)
listed = list_estimates(within, "style")
report_texts(within_styles=listed, clear_styles=join_words(rising_in))
report_counts(n_styles=len(within), n_clear_styles=len(rising_in))
report_counts(n_pairs=len(contrasts), n_different=len(different), n_equal=len(equal))

# %% [markdown]
# The slope, in points of “{glue:text}`query`”, is {glue:text}`within_styles`. After correction for the
# number of styles, the slope is clearly above zero in {glue:text}`n_clear_styles` of
# {glue:text}`n_styles` styles: {glue:text}`clear_styles`.
#
# Failing to find a difference is not evidence of equality. Two one-sided tests check whether the
# difference is *smaller* than a margin, which is the smallest difference that would matter
# {cite}`schuirmann1987,lakens2017`. The margin has to be fixed beforehand; here, it is
# {glue:text}`matters` points of “{glue:text}`query`” per standard deviation of the prediction. It is
# a small share of the scale ({glue:text}`scale`), set by the parameter `smallest`.
#
# Of {glue:text}`n_pairs` pairs of styles, {glue:text}`n_different` clearly differ in slope, and
# {glue:text}`n_equal` are practically equal. For the remaining pairs, neither a difference nor equality
# has been shown.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## For which questions does the prediction work?
#
# We use one predictor for all questions, the out-of-fold prediction of “{glue:text}`common`”, and
# divide the ratings on each question by their standard deviation. We fit a separate model for each
# question, with the same random effects as before: intercepts and slopes of listeners, and intercepts
# of songs and artists. To test the differences *between* two questions, we take each listener's
# ratings of a song on both questions, subtract one from the other, and fit the same model to the
# differences. The slope of this model is the difference between the slopes for the two questions. We
# leave out a groove score that is computed from other questions.

# %%
common = "groove" if "groove" in set(predictions["target"]) else query
best = predictions[predictions["best"] & (predictions["target"] == common)]
best = best.set_index("track_id")["predicted"]
answers["predicted"] = answers["track"].map((best - best.mean()) / best.std())

# %%
# a score that is computed from the questions is left out
questions = [q for q in data.queries if q != "groove"] or list(data.queries)
asked = answers.rename(columns={"query": "question"})
spread = asked.groupby("question")["rating"].transform("std")
asked["rating"] = asked["rating"] / spread
single = asked[asked["question"].isin(questions)]
by_question = mixed.slopes_by_question(single, "predicted", slopes)
pairs = mixed.compare_questions(single, "predicted", slopes)
sloping, apart = clear_rows(by_question), clear_rows(pairs)

# %% tags=["hide-input"]
show_figure(
    figures.plot_forest(by_question, y="question", xlabel="SD per SD"),
    "questions",
    f"Slopes of single ratings on the prediction of “{common}”, in standard deviations; 95% "
    "intervals, not corrected for multiple comparisons.",
    "Forest plot of one slope per question, each with its interval, on a common axis.",
    table=by_question,
)
report_counts(n_questions=len(by_question), n_predictable=len(sloping))
report_counts(n_question_pairs=len(pairs), n_apart=len(apart))
predictable = join_words(f"“{name}”" for name in sloping["question"])
report_texts(common=common, predictable=predictable)

# %% [markdown]
# After correction for the number of questions, the slope clearly differs from zero for
# {glue:text}`n_predictable` of {glue:text}`n_questions` questions: {glue:text}`predictable`. After
# correction for the number of pairs, {glue:text}`n_apart` of {glue:text}`n_question_pairs` pairs of
# questions clearly differ in slope. The questions are correlated ({doc}`01-listeners-and-tracks`), so
# the findings for different questions are not independent.

# %% [markdown] tags=["needs-simulation"]
# ### Two control questions
#
# In this simulated study, ratings on “placebo” have no cause in the music, and ratings on “style
# only” depend on no property of a song other than its style. We fit the same model to these ratings.
# A valid analysis should find no slope for “placebo”. It may find a slope for “style only”, because
# the prediction differs between styles, but this slope should disappear when the style is added to
# the model.

# %%
controls = asked[asked["question"].isin(list(data.controls))]
models = {"alone": "predicted", "with style": "predicted + style"}
control_slopes = pd.concat(
    mixed.slopes_by_question(controls, fixed, slopes).assign(model=label)
    for label, fixed in models.items()
)

# %%
columns = ["question", "model", "estimate", "low", "high", "p", "n"]
control_slopes = control_slopes[columns].sort_values("question", kind="stable")
control_slopes["question"] = control_slopes["question"].str.replace("_", " ")
clear_controls = clear_rows(control_slopes, "p")
names = clear_controls["question"] + " (" + clear_controls["model"] + ")"

# %% tags=["hide-input"]
show_table(
    control_slopes.set_index("question"),
    "control-slopes",
    f"Slopes of ratings for the control questions on the prediction of “{common}”, in standard "
    "deviations; n: number of ratings.",
)
report_texts(control_note=join_words(names))

# %% [markdown]
# In {numref}`tab-control-slopes`, the slopes that clearly differ from zero are:
# {glue:text}`control_note`. If the slope for “style only” clearly differs from zero in the model
# without the style, but not in the model with it, adding the style removes the slope, as it should.
# If it clearly differs from zero in neither model, these songs cannot show whether adding the style
# would remove such a slope. In the model with the style, the slope for “style only” should not
# clearly differ from zero. A few control questions cannot show that the intervals contain the true
# value as often as they should (their *coverage*). The tests of `groove_utils.mixed` check the
# coverage with many simulated studies.

# %% [markdown] tags=["needs-listeners"]
# ## How much variance is unexplained?
#
# For each question, {numref}`tab-shares` divides the variance of single ratings among the prediction,
# the style, other differences between songs, listeners, listeners' preferences for styles, and the
# residual. (Prediction and style are combined if the share of either would be negative.) The shares add
# up to 100%.

# %%
fixed, random = ["1"], ["(1 | listener)", "(1 | track)"]
if "predicted" in answers:
    fixed = ["predicted"]
if data.has("styles"):
    fixed, random = [*fixed, "style"], [*random, "(1 | listener:style)"]
formula = f"rating ~ {' + '.join([*fixed, *random])}"

# %%
asked = answers[answers["query"].isin(list(data.queries))]
asked = asked.rename(columns={"query": "question"})
names = {"track": "song", "listener:style": "listener × style"}
names |= {"Residual": "residual"}
shares = mixed.partition_by_question(formula, asked).rename(columns=names)
shares = shares.loc[list(data.queries)]
of_query = shares.loc[query, ["residual", "song"]]

# %% tags=["hide-input"]
show_table(
    100 * shares,
    "shares",
    "Shares of the variance of single ratings, in %.",
    fmt="{:.0f}",
)
report_percentages(of_query.set_axis(["left", "left_songs"]), len(rows))

# %% [markdown]
# Of the variance of single ratings of “{glue:text}`query`”, {glue:text}`left` is residual: it comes
# from each listener's individual response to each song, and from chance. No model that describes only
# songs and listeners' general habits can explain this residual variance. Another
# {glue:text}`left_songs` is due to differences between songs (including differences between artists)
# that the prediction and the style do not explain. Better models of the audio could explain these
# differences only to the extent that the differences have a cause in the sound.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## Does the conclusion depend on the analysis?
#
# An analysis involves many choices {cite}`steegen2016`. {numref}`tab-robustness` shows what happens
# if we replace one choice at a time with another reasonable one: we use maximum likelihood instead of
# REML; drop the random slopes; standardise ratings within each listener; drop outliers; drop the most
# influential listener, song or artist; treat ratings as ordered categories; or drop the intercepts of
# artists. The model with the style, and the model with the style and the descriptors, answer a
# different question; the table shows them as well, but they are not counted.

# %%
extra = {label: fits["predicted", label] for label in list(sets)[1:]}
if several_songs:
    without = slopes.replace(by_artist, "")
    fit = mixed.fit_lmm(f"rating ~ predicted + {without}", rows)
    extra["without artists as a sample"] = fit
robust = mixed.robustness_table(model, "predicted", n_jobs=n_jobs, extra=extra)
variants = robust.set_index("variant")["same_conclusion"].astype(bool)
variants = variants.drop(["as reported", "with style", "with all"])

# %%
checks = mixed.check_residuals(model)[["check", "of", "value", "meaning"]]
at_ends = mixed.share_at_ends(rows["rating"], data.scales[query])

# %% tags=["hide-input"]
show_table(
    robust,
    "robustness",
    "The slope in other analyses. Same conclusion: the slope has the same sign as in the model "
    "above, and its p-value is on the same side of .05.",
)
report_counts(n_same=variants.sum(), n_variants=len(variants))
report_texts(changed=join_words(variants.index[~variants]))
show_table(
    checks,
    "checks",
    "Checks of the model's assumptions, as effect sizes rather than tests.",
    fmt="{:.3f}",
)
report_value("at_ends", 100 * at_ends, unit="%", fmt=".1f", n=len(rows))

# %% [markdown]
# Of {glue:text}`n_variants` variants of the analysis, {glue:text}`n_same` lead to the same conclusion
# as the model above (exceptions: {glue:text}`changed`). {numref}`tab-checks` describes the residuals.
# The share of ratings at the ends of the scale, where a linear model cannot be entirely correct, is
# {glue:text}`at_ends_full`. The ordinal model uses only the order of the ratings, in seven classes,
# so the ends of the scale cause no problem. The slope of the ordinal model is in log odds, so its
# sign and its p-value can be compared with those in the other rows, but its size cannot.

# %% [markdown] tags=["needs-simulation"]
# The demo's groove score is computed from the ratings on several questions, and these ratings are
# limited to a scale as well:

# %% tags=["needs-simulation"]
parts = data.truth("questions").query("in_groove")["question"].tolist()
by = ["listener", "track"]
wide = answers.pivot(index=by, columns="query", values="rating")
score_at_ends = mixed.share_at_ends(wide[parts].dropna(), data.scales[parts[0]])

# %% tags=["needs-simulation", "hide-input"]
report_percentages({"score_at_ends": score_at_ends})

# %% [markdown] tags=["needs-simulation"]
# For {glue:text}`score_at_ends` of the groove scores, at least one of the ratings that enter the score
# lies at an end of the scale.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## How many listeners, how many songs?
#
# We compute power by simulation: we simulate studies of a given size, fit the same model to each, and
# count how often the slope is detected. The simulated slope is the smallest slope that would matter
# ({glue:text}`matters` points), which we fixed beforehand. The power to detect the *observed* slope
# would only restate its p-value {cite}`hoenig2001`.
#
# In the simulation, listeners and residuals vary as estimated above, and songs vary as much as in the
# data. A smaller slope explains less of the variance between songs, so more of this variance remains
# for the intercepts $v_j$ and $w_{a(j)}$. With the estimated slope, the intercepts of songs and
# artists have a combined standard deviation of {glue:text}`sd_left` points; with the smallest slope
# that would matter, it would be {glue:text}`sd_left_assumed`. The simulated songs are grouped by
# artist, and the share of the variance of the prediction that lies between artists is the same as in
# the data. Preferences for styles are not simulated separately, because a model without preferences
# already attributes them to the slopes and the residual.

# %%
n_rated = int(rows.groupby("listener").size().median())
in_bands = "artist" if several_songs else None
assume = partial(mixed.assume_slope, model, "predicted", artist=in_bands)
assumed, estimated = assume(matters), assume(slope["estimate"])
sd_left_assumed = np.hypot(assumed["sd_song"], assumed["sd_artist"])
sd_left = np.hypot(estimated["sd_song"], estimated["sd_artist"])

# %%
simulation = {"songs_per_listener": n_rated, "n_simulations": n_simulations}
simulation |= {"seed": seed, "n_jobs": n_jobs}
power_of = partial(mixed.power_simulation, **assumed, **simulation)
power = power_of(n_listeners=[30, 60, 120], n_songs=[24, 48, 96, 192])
here = power_of(n_listeners=n_listeners, n_songs=n_songs)

# %% [markdown]
# We start with 30 listeners and 48 songs, quadruple each number in turn, and compare the resulting
# power:

# %%
small, many_listeners, many_songs = (30, 48), (120, 48), (30, 192)
gains = {
    "more_people": mixed.compare_power(power, many_listeners, small),
    "more_songs": mixed.compare_power(power, many_songs, small),
}
songs_or_people = mixed.compare_power(power, many_songs, many_listeners)

# %% tags=["hide-input"]
show_figure(
    figures.plot_power(power),
    "power",
    f"Power to detect a slope of {matters:.3g} points; framed: at least 0.80. Each listener rates at "
    f"most {n_rated} songs; songs per artist: {assumed['songs_per_artist']}; {n_simulations} "
    "simulated studies per cell.",
    "Heat map of power: the number of listeners increases upwards, the number of songs to the right.",
    table=power,
)
report_values({"sd_left": sd_left, "sd_left_assumed": sd_left_assumed})
report_effects(here.set_axis(["power_here"]), value="power", tolerance=0.1)
report_effects(gains, tolerance=0.1)
words = (
    "additional songs help more than additional listeners",
    "additional listeners help more than additional songs",
    "the simulation does not show which of the two helps more",
)
report_texts(buy=pick_verdict(songs_or_people, *words))

# %% [markdown]
# For a study of this size, the power is {glue:text}`power_here_full`. Compared with 30 listeners and
# 48 songs, four times as many listeners increase the power by {glue:text}`more_people_full`, and four
# times as many songs (without more ratings per listener) by {glue:text}`more_songs_full`. (The
# intervals for the power describe only the error due to the limited number of simulated studies.)
# With variances like those in this study, {glue:text}`buy`. A larger sample of one kind cannot make
# up for too small a sample of the other {cite}`westfall2014`.

# %% [markdown] tags=["needs-simulation"]
# ## Are the known effects recovered?
#
# The demo's ratings were drawn from a mixed model with known parameters ({doc}`demo-study`). Given
# the true values of the songs' properties (the covariates), `fit_lmm` should recover these
# parameters. The groove score is computed from several questions. We therefore check the method with
# a single question, whose ratings come directly from such a model.
#
# Ratings cannot lie outside the scale. The ends of the scale compress the ratings, so effects and
# standard deviations are smaller for the ratings than in the model from which they were drawn. The
# demo's files contain both the parameters and the effects on the ratings after rounding and clipping,
# computed from very large simulated studies. We make two comparisons. First, we compare estimates
# from the demo's ratings with the effects after rounding and clipping. Second, we use another random
# seed to draw ratings of the same songs by new listeners, without rounding or clipping them, and
# compare the estimates from these ratings with the parameters themselves. Intervals for standard
# deviations are profile-likelihood intervals: they contain the values that a likelihood-ratio test
# does not reject.

# %%
true_songs, true_effects = data.truth("songs"), default_effects()
covariates = song_covariates(true_songs)
truth_query = query if query in true_effects.fixed else "dance"
terms = [*covariates, "dance_inclination_z", "musicianship_z:syncopation_z"]
samples = ["(1 | track)", "(1 | listener)", "(1 | listener:style)"]
samples += ["(0 + syncopation_z | listener)"]

# %%
sources = {
    "song": ("track", "Intercept"),
    "listener": ("listener", "Intercept"),
    "style_bias": ("listener:style", "Intercept"),
    "slope_syncopation": ("listener", "syncopation_z"),
    "residual": ("Residual", None),
}


# %%
def recover(ratings, listeners, truth):
    """Fit a mixed model to ratings; compare estimates with true values."""
    rows = ratings[ratings["query"] == truth_query].rename(columns=short_names)
    rows = rows.join(covariates, on="track").join(facts, on="track")
    rows = rows.join(listeners.set_index("listener_id"), on="listener")
    effects = truth[truth["question"] == truth_query].set_index("term")["value"]
    effects = effects.rename({"intercept": "Intercept"})
    fit = mixed.fit_lmm(f"rating ~ {' + '.join([*terms, *samples])}", rows)
    table = mixed.recovery_table(fit, effects, sources)
    return table.replace({"term": EFFECT_NAMES})


# %%
as_drawn = true_effects.table().query("component in ['fixed', 'sd']")
as_rated = data.truth("effects_as_rated")
new = simulate_listeners(true_songs, true_effects, seed + 1, discrete=False)
rated = recover(data.ratings, data.truth("listeners"), as_rated)
free = recover(new.ratings, new.truth["listeners"], as_drawn)

# %%
recovered = {"demo, as rated": rated, "new, not clipped": free}
recovered = pd.concat(recovered, names=["data"]).reset_index("data")

# %%
missed, missed_free = (x.loc[~x["within"], "term"] for x in (rated, free))
n_within, n_within_free = rated["within"].sum(), free["within"].sum()
p_known, p_known_free = rated["p_holm"].min(), free["p_holm"].min()
residual = pd.concat([as_drawn, as_rated]).query("term == 'residual'")
drawn_sd, rated_sd = residual.loc[residual["question"] == truth_query, "value"]

# %% tags=["hide-input"]
show_figure(
    figures.plot_recovery(recovered[recovered["term"] != "Intercept"]),
    "recovery",
    f"Known effects on “{truth_query}” (diamonds) and the estimates of the mixed model, from "
    "the demo's ratings and from ratings by new listeners that were not rounded or clipped.",
    "Two panels of estimates with intervals: fixed effects above, standard deviations below. "
    "There is one colour for each set of ratings, and a diamond at each true value.",
    table=recovered,
)
report_counts(n_known=len(rated), n_within=n_within, n_within_free=n_within_free)
report_texts(missed=join_words(missed), missed_free=join_words(missed_free))
report_texts(p_known=format_p(p_known), p_known_free=format_p(p_known_free))
report_values({"sd_drawn": drawn_sd, "sd_rated": rated_sd}, fmt=".1f")

# %% [markdown]
# Of {glue:text}`n_known` true values, {glue:text}`n_within` lie within the 95% intervals of the
# estimates from the demo's ratings (exceptions: {glue:text}`missed`). For the new listeners,
# {glue:text}`n_within_free` true values lie within these intervals (exceptions:
# {glue:text}`missed_free`). Among so many estimates, a few can be expected to differ clearly from the
# true value by chance. After correction for the number of values, the clearest difference has p
# {glue:text}`p_known` in the demo's ratings, and p {glue:text}`p_known_free` for the new listeners.
#
# The ends of the scale reduced the residual standard deviation from {glue:text}`sd_drawn` to
# {glue:text}`sd_rated` points. The scales that real listeners use have the same effect, but its size
# is unknown.

# %% [markdown]
# ## Real listeners
#
# {cite:t}`oconnell2022` asked 124 people to rate 20 songs, ten chosen for high and ten for low groove,
# on groove, liking and familiarity. The licence of the data is unknown. The table of ratings is
# therefore downloaded when the chapter runs, verified by its hash, and not redistributed. We apply the
# methods of this chapter to these ratings. First, we compute the agreement between listeners over all
# songs and within each of the two groups of songs. Then, we estimate the difference between the groups
# under each error model.


# %%
def grouped_ratings(real):
    rows = real.ratings.rename(columns={**short_names, "query": "question"})
    group = real.tracks.set_index("track_id")["groove_group"]
    return rows.assign(songs=rows["track"].map(group))


# %%
def agreement(rows):
    groups = pd.concat([rows.assign(songs="all"), rows])
    return groups.groupby(["question", "songs"]).apply(mixed.crossed_variances)


# %%
def group_difference(rows):
    rows = rows[rows["question"] == "groove"]
    # coded as −0.5 and 0.5, so the slope is the difference between the groups
    rows = rows.assign(group=rows["songs"].map({"low": -0.5, "high": 0.5}))
    formula = "rating ~ group + (1 + group | listener) + (1 | track)"
    errors = mixed.compare_error_models(formula, rows)
    errors["model"] = errors["model"].str.replace("track", "song")
    return errors[errors["term"] == "group"]


# %% tags=["hide-input"]
not_fetched = f"""````{{admonition}} Not run: the ratings could not be fetched
:class: warning not-run
This copy of the book was built without an internet connection. Connect to the internet and run the
chapter again, or download <{URL}> and set the chapter's parameter `oconnell_csv` to its path.
````"""
real_text = (
    "For groove, the variance between songs is {all[song]:.2f}, between listeners "
    "{all[listener]:.2f}, and the residual variance is {all[residual]:.2f}: ICC(C,1) = "
    "{all[ICC(C,1)]:.2f}. The songs form two extreme groups. Among the high-groove songs, the "
    "agreement is {high[ICC(C,1)]:.2f}; among the low-groove songs, {low[ICC(C,1)]:.2f}. A noise "
    "ceiling applies only to the songs for which it was computed. High-groove songs are rated "
    "higher in {{numref}}`fig-real-groups`, whatever the error model; if the songs are treated as "
    "fixed (“listener only”), the interval is narrower than that of the crossed model."
)
try:
    rated = grouped_ratings(load_oconnell2022(oconnell_csv or None))
    agreed, real_errors = agreement(rated), group_difference(rated)
    caption = "Real listeners: variances of ratings on a scale from 1 to 7, and agreement (ICC)."
    show_table(agreed, "real-variances", caption, simulated=False)
    show_figure(
        figures.plot_forest(real_errors, y="model", xlabel="Points of 1–7"),
        "real-groups",
        "Real listeners: mean groove rating of high-groove songs minus that of low-groove songs, by "
        "error model.",
        "Forest plot of one difference under several error models: the same estimate in "
        "each row, far from zero, with narrower intervals where songs are ignored.",
        table=real_errors,
        simulated=False,
    )
    display(Markdown(real_text.format(**agreed.loc["groove"].T)))
except ConnectionError:
    display(Markdown(not_fetched))

# %% [markdown]
# However many listeners there are, any statement about songs rests on a sample of twenty songs.

# %% [markdown] tags=["needs-table-predictions"]
# ## If all you have is song means
#
# Some studies publish only one mean per song {cite}`marmoret2026`. Each row of the data is then a
# song. The data no longer show the individual listeners, but songs are still grouped by artist and
# style. We add random intercepts for artists and for styles.

# %%
means = predictions[predictions["best"] & (predictions["target"] == query)]
means = means.set_index("track_id")[["observed", "style", "artist"]]
means["predicted"] = songs[model_name]
samples = ["artist"] * several_songs + ["style"] * data.has("styles")
song_level, _ = mixed.add_random_intercepts(
    "observed ~ predicted", means, samples, "predicted"
)

# %% tags=["hide-input"]
show_table(
    song_level.set_index("model"),
    "song-level",
    f"{on_prediction}, from song means: ordinary regression, then models with random intercepts added.",
)
report_effects({"song_level_slope": song_level.iloc[-1]}, len(means))

# %% [markdown]
# With all these random intercepts, the slope for song means is {glue:text}`song_level_slope_full`.
# With only a few styles, the standard deviation between styles is very uncertain, and its estimate is
# often 0, the lowest possible value. The interval for any effect that varies between styles is
# therefore unreliable, too. Song means cannot answer these questions:
#
# - **For whom does the model work?** Slopes and preferences of single listeners cannot be estimated.
# - **Does the result hold for other listeners?** Averaging treats the listeners as fixed.
# - **How far is the model from perfect?** The variance between songs cannot be separated from the
#   noise in their means, so there is no {term}`noise ceiling`.

# %% [markdown]
# ## What could be wrong here
#
# - **The prediction is itself estimated.** The error of the prediction makes the slope smaller than it
#   would be with a perfect prediction, and the model does not account for this error.
# - **The scale has ends.** Ratings near the ends of the scale are compressed, which a linear model
#   ignores.
# - **A straight line is assumed.** A listener's ratings may follow a curve within the range of these
#   songs.
# - **Shrunk slopes do not test individual listeners.** A flat line may belong to a listener for whom the
#   model does not work, or to a listener who rated too few songs.
#
# ## Exercises

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# ```{exercise} A wider margin
# :label: ex-margin
#
# In one line of code, test the slopes of the styles for equality with a margin twice as wide, and call
# the table `wider`. Which columns of {numref}`tab-style-contrasts` change, and which do not? Why must
# the margin be fixed before looking at the results?
# ```
#
# ```{solution-start} ex-margin
# :class: dropdown
# ```

# %% tags=["solution", "needs-listeners", "needs-table-predictions", "needs-styles"]
wider = trends.contrasts(adjust="holm", equivalence=2 * matters)
wider[["contrast", "estimate", "low", "high", "p_adjusted", "p_equivalence"]].round(3)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# The differences, their intervals and the p-values for a difference stay the same. Only the p-values for
# equality become smaller: with a margin that is wide enough, any two slopes are “equal”.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-listeners", "needs-table-predictions", "needs-styles"]
assert np.allclose(wider["estimate"], contrasts["estimate"]), (
    "the differences should be the same: call `trends.contrasts` again"
)
assert (wider["p_equivalence"] <= contrasts["p_equivalence"]).all(), (
    "with a wider margin, equality is easier to show: which argument is the margin?"
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ```{exercise} Treat crossed samples as nested
# :label: ex-nested
#
# Fit `rating ~ predicted + (1 | listener)`, as if each listener had rated different songs. Divide the
# standard error of the slope by that in the model `two_samples`, and call the result `ratio`. Why can
# the model not include an intercept for each pair of listener and song?
# ```
#
# ```{solution-start} ex-nested
# :class: dropdown
# ```

# %% tags=["solution", "needs-listeners", "needs-table-predictions"]
nested = mixed.fit_lmm("rating ~ predicted + (1 | listener)", rows)
ratio = nested.effect("predicted")["se"] / two_samples.effect("predicted")["se"]
ratio

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# There is only one rating for each pair of listener and song, so the intercept of a pair cannot be
# separated from the residual: `(1 | listener:track)` raises an error. Without the songs' intercepts,
# the model treats the ratings of a song by different listeners as independent. The same difference
# between two songs then counts as evidence once for each listener, and the standard error is too small.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-listeners", "needs-table-predictions"]
assert np.isclose(ratio, errors.set_index("model").loc["listener only", "se_ratio"]), (
    "divide by the standard error of `two_samples`; the model has no term for songs"
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-audio"]
# ```{exercise} Listen to the misses
# :label: ex-misses
#
# Which songs do listeners rate higher than the model predicts, and which lower? Sort the intercepts
# $v_j$ of the songs, call the result `levels`, and play the songs with the highest and the lowest
# intercept. Can you hear what the model misses?
# ```
#
# ```{solution-start} ex-misses
# :class: dropdown
# ```

# %% tags=["solution", "needs-listeners", "needs-table-predictions", "needs-audio"]
levels = model.random_effects("track").set_index("level")["value"].sort_values()
for track in (levels.index[-1], levels.index[0]):
    name = f"{data.song_names[track]}, {levels[track]:+.2f} points"
    audio_player({name: data.audio_path(track)})

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-audio"]
# These intercepts are the differences between songs that the prediction does not explain. In the
# demo, some of these differences have no acoustic cause at all, so you may think that you hear a
# reason where there is none.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-listeners", "needs-table-predictions", "needs-audio"]
assert len(levels) == rows["track"].nunique(), "there should be one level per song"
assert levels.is_monotonic_increasing, "sort the intercepts, the lowest first"

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ```{exercise} Look at the residuals
# :label: ex-residuals
#
# This is an open question. Plot the standardised residuals against the fitted ratings, and against
# normal quantiles; `mixed.residual_table(model)` returns all three. Where do the points in the second
# plot depart from the line, and does this matter for the slope?
# ```
#
# ```{solution-start} ex-residuals
# :class: dropdown
# ```

# %% tags=["solution", "needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_residuals(mixed.residual_table(model)),
    "ex-residuals",
    "Standardised residuals against fitted ratings, and against normal quantiles.",
    "Two scatter plots: a cloud with slanting edges, and points along a line, with departures at "
    "both ends.",
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# Ratings cannot be arbitrarily far from the fitted values, because the scale has ends. The cloud of
# points therefore has slanting edges, and the tails of the residuals are shorter than those of a normal
# distribution. Two rows of {numref}`tab-robustness` show whether the conclusion depends on the shape of
# this distribution: the row without outliers, and the row for ordered categories.
#
# ```{solution-end}
# ```

# %% [markdown]
# **An open question**: if songs differed twice as much as they do here, would you rather pay for more
# listeners or for more songs? Write down what you expect, then call `power_of` with other values of
# `sd_song` and `sd_artist`.
#
# ## Summary
#
# **Asked**: whether a prediction of mean ratings holds for individual listeners, for other songs, and in
# every style.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# **Found**: the prediction of {glue:text}`model` {glue:text}`slope_verdict`. For each standard
# deviation of the prediction, ratings change by {glue:text}`slope_full` points of
# “{glue:text}`query`” (on a scale from {glue:text}`scale`). {glue:text}`adds` Of the variance of
# single ratings, {glue:text}`left` is residual: it comes from each listener's individual response to
# each song, and from chance. If we ignore the fact that the songs are a sample, the standard error of
# the slope is {glue:text}`se_listener_only` times the correct value.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# **In every style?** The slope is clearly above zero in {glue:text}`n_clear_styles` of
# {glue:text}`n_styles` styles: {glue:text}`within_styles`. Of {glue:text}`n_pairs` pairs of styles,
# {glue:text}`n_different` clearly differ in slope, and {glue:text}`n_equal` are practically equal; the
# remaining pairs are undecided.

# %% [markdown] tags=["needs-simulation"]
# **True in the simulation**: before rounding and clipping, the ratings come from the model in the
# section on known effects, so the parameters of that model can be recovered. The models with the
# prediction are different: the simulated listeners have no individual slopes on the prediction;
# instead, they have preferences for styles and individual slopes on syncopation. Real ratings need
# not follow either model.

# %% [markdown]
# **What would change our mind**: a slope whose interval includes zero when listeners, songs and
# artists are random; a model that adds nothing to style and descriptors; or a clear slope for a
# question whose ratings have no cause in the music.
#
# **Next:** {doc}`10-genre-networks` trains networks to recognise styles, and asks which cues they use.
