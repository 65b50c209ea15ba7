# %% [markdown]
# # Does it hold for single listeners, and in every style?
#
# A song's mean rating is not the rating of any single listener. Does a prediction also hold for single
# listeners? Would it hold for *other* listeners and *other* songs? Listeners and songs are both samples,
# so both belong in the error term. A {term}`linear mixed model` with {term}`crossed random effects` does
# this.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** why song means are not enough, what happens to a standard error when listeners
# or songs are treated as fixed, how to read random intercepts and slopes, how to test a difference
# between styles (and the absence of one), and how many people and songs a study needs.
#
# **You need** {doc}`01-listeners-and-tracks` and {doc}`06-probing`; linear regression.
#
# **It runs** in about a minute. Module: `groove_utils.mixed`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
query = "groove"
smallest = 0.03  # smallest slope that would matter, as a share of the rating scale
n_bootstrap = 200
n_simulations = 100  # simulated studies in each cell of the power map
n_jobs = 2
oconnell_csv = ""  # the ratings of O'Connell et al. (2022), if you downloaded them

# %%
import numpy as np
import pandas as pd
from IPython.display import Markdown, display

from groove_utils import figures, mixed
from groove_utils.book import (
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.book.outputs import format_value
from groove_utils.book.verdicts import clear_rows, pick_by_p, pick_verdict
from groove_utils.stats import join_words
from groove_utils.stats.wording import format_p

chapter = open_chapter("09-mixed-models", study)
data = chapter.study

# %% tags=["hide-input"]
query = query if query in data.queries else next(iter(data.queries))
facts = data.tracks.set_index("track_id")[["style", "artist"]]
several_styles = data.has("styles")
# where each song has an artist of its own, the two have one variance
several_songs = facts["artist"].nunique() < len(facts)
scale = data.scales[query]
matters = smallest * (scale[1] - scale[0])
report_text("query", query)


# %% tags=["hide-input"]
def report_effect(name, effect, n):
    """Report an estimate with its interval."""
    report_value(name, effect["estimate"], ci=(effect["low"], effect["high"]), n=n)


# %% [markdown] tags=["needs-listeners"]
# ## Two samples, not one
#
# Each coloured cell of {numref}`fig-crossed` is one answer of one listener about one song. Songs differ,
# and listeners differ too: some give high ratings to everything. Averaging over listeners discards the
# second sample, and one can no longer test whether a result would hold for *other* listeners. Averaging
# over songs does the same for the music.

# %% tags=["needs-listeners"]
show_figure(
    figures.plot_crossed_design(data.rating_matrix(query)),
    "crossed",
    f"Ratings of “{query}”, with the means of songs and of listeners; white: not rated.",
    "Matrix of ratings, listeners by songs, brighter to the right and downwards; above "
    "and to the right of it, dots of the song means and of the listener means.",
)

# %% tags=["needs-listeners"]
answers = data.ratings.rename(columns={"listener_id": "listener", "track_id": "track"})
answers = answers.join(facts, on="track")
rows = answers[answers["query"] == query]
report_value("n_ratings", len(rows), fmt=".0f")
report_value("n_listeners", rows["listener"].nunique(), fmt=".0f")
report_value("n_songs", rows["track"].nunique(), fmt=".0f")

# %% [markdown] tags=["needs-listeners"]
# For “{glue:text}`query`” there are {glue:text}`n_ratings` answers by {glue:text}`n_listeners`
# listeners about {glue:text}`n_songs` songs. The simplest model with both samples gives each listener
# and each song its own intercept:
#
# $$ y_{ij} = \mu + u_i + v_j + \varepsilon_{ij}, \qquad u_i \sim N(0, \sigma_u^2), \;
# v_j \sim N(0, \sigma_v^2), \; \varepsilon_{ij} \sim N(0, \sigma^2) $$
#
# Here $y_{ij}$ is the rating of song $j$ by listener $i$, $\mu$ the overall mean, $u_i$ the listener's
# level, $v_j$ the song's level and $\varepsilon_{ij}$ the residual. We estimate the three variances. The
# model predicts nothing yet. It divides the variance of the answers between listeners, songs and the rest
# {cite}`baayen2008`.

# %% tags=["needs-listeners"]
crossed = "(1 | listener) + (1 | track)"
nothing = mixed.fit_lmm(f"rating ~ 1 + {crossed}", rows)
boot = {"n_boot": n_bootstrap, "seed": seed, "n_jobs": n_jobs}
spreads = nothing.variance_components("bootstrap", **boot).set_index("factor")

# %% tags=["needs-listeners"]
show_table(
    spreads[["variance", "sd", "low", "high"]],
    "empty-model",
    f"Variances and standard deviations of “{query}”, the latter with bootstrap intervals.",
)

# %% tags=["needs-listeners", "hide-input"]
parts = mixed.crossed_variances(rows)
whole = parts[["song", "listener", "residual"]].sum()
report_value("share_song", parts["song"] / whole, n=len(rows))
report_value("share_listener", parts["listener"] / whole, n=len(rows))
# consistency of single listeners: what listeners' levels do is left out
report_value("icc", parts["ICC(C,1)"], n=len(rows))

# %% [markdown] tags=["needs-listeners"]
# Songs account for {glue:text}`share_song` of the variance of single answers, and listeners' levels for
# {glue:text}`share_listener`. Without the listeners' levels, the share of songs is the ICC(C,1) of
# {doc}`01-listeners-and-tracks`: {glue:text}`icc`. The rest is the individual response of one listener to
# one song, and chance.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## What if one of the samples is ignored?
#
# The predictor is the {term}`out-of-fold prediction` of the best model of {doc}`06-probing`. The prediction
# of a song does not use any rating of that song or of its band. It is standardised over songs: slopes are
# in points of the rating scale for one standard deviation of the prediction.

# %% tags=["needs-table-predictions"]
predictions = chapter.load_table("predictions")
model_name = predictions.loc[predictions["best"], "model"].iloc[0]
targets = list(predictions["target"].unique())
query = query if query in targets else targets[0]
on_prediction = f"Slope of “{query}” on the prediction"
songs = predictions[predictions["target"] == query]
songs = songs.pivot(index="track_id", columns="model", values="predicted")
songs = (songs - songs.mean()) / songs.std()

# %% tags=["needs-listeners", "needs-table-predictions"]
rows = answers[answers["query"] == query].copy()
rows["predicted"] = rows["track"].map(songs[model_name])
predictors = ["predicted"]
if "descriptors" in songs:
    rows["handcrafted"] = rows["track"].map(songs["descriptors"])
    predictors.append("handcrafted")
report_text("model", model_name)
report_text("predicted_query", query)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {cite:t}`clark1973` described the problem for studies of words: treating items as fixed limits the
# conclusion to those items. {numref}`fig-error-models` estimates the same slope under error models that
# ignore listeners, songs, both, or neither. The estimates are similar; the intervals are not. “Clustered”
# rows are ordinary regressions with cluster-robust standard errors.

# %% tags=["needs-listeners", "needs-table-predictions"]
errors = mixed.compare_error_models(f"rating ~ predicted + {crossed}", rows)
errors = errors[errors["term"] == "predicted"]

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_forest(errors, label="model", xlabel=on_prediction),
    "error-models",
    "One slope under error models that ignore listeners, songs, both or neither.",
    "Forest plot of one slope under several error models: similar estimates in each "
    "row, with intervals of very different width.",
    table=errors,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
ratio = errors.set_index("model")["se_ratio"]
report_value("se_ols", ratio["OLS"], n=len(rows))
report_value("se_listener_only", ratio["listener only"], n=len(rows))
report_value("se_song_only", ratio["track only"], n=len(rows))

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# The standard error of ordinary regression is {glue:text}`se_ols` times that of the crossed model; with
# listeners only it is {glue:text}`se_listener_only` times, and with songs only {glue:text}`se_song_only`
# times as large. A ratio below 1 is a standard error that is too small. More listeners cannot replace more
# songs: the prediction varies between songs only. A model with songs only would be as wrong about
# anything that varies between listeners.
#
# ## From the probe to the listener
#
# Each listener gets a level and a slope {cite}`barr2013`, and each song a level. Songs of one band
# resemble each other, so bands are a third sample with levels of their own, where there are several songs
# per band. Intervals use Satterthwaite's degrees of freedom.

# %% tags=["needs-listeners", "needs-table-predictions"]
bands = " + (1 | artist)" if several_songs else ""
slopes = f"(1 + predicted | listener) + (1 | track){bands}"
model = mixed.fit_lmm(f"rating ~ predicted + {slopes}", rows)
display(Markdown(model.report()))

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
redraws = mixed.bootstrap(model, **boot)
ends = redraws["r2"].quantile([0.025, 0.975])
for part, share in model.r2().items():
    report_value(f"r2_{part}", share, ci=tuple(ends[part]), n=len(rows))
slope = model.effect("predicted")
report_effect("slope", slope, len(rows))
carries = (
    "carries over to single listeners",
    "carries over with the wrong sign",
    "cannot be shown to carry over to single listeners",
)
report_text("slope_verdict", pick_verdict(slope, *carries))

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# One standard deviation of the prediction goes with {glue:text}`slope_full` points of
# “{glue:text}`predicted_query`”. The prediction of {glue:text}`model` {glue:text}`slope_verdict`. It
# accounts for {glue:text}`r2_marginal_full` of the variance of single ratings, and together with the levels
# of listeners, songs and bands for {glue:text}`r2_conditional_full` {cite}`nakagawa2017`. The first number
# is small because most of a single rating depends on the listener and on chance.
#
# ### Does it add to style and descriptors?
#
# A pretrained model may only recognise the style, or only measure what a descriptor measures. We therefore
# add the style and the handcrafted prediction (out of fold as well, from the
# {term}`descriptors <descriptor>`) to the model. Each slope then compares songs that are equal in the other
# predictors.

# %% tags=["needs-listeners", "needs-table-predictions"]
styles_too = ["style"] if several_styles else []
sets = {"alone": ["predicted"]}
if several_styles:
    sets["next to style"] = ["predicted", "style"]
if "handcrafted" in predictors:
    sets["descriptors alone"] = ["handcrafted"]
sets["next to all"] = [*predictors, *styles_too]

# %% tags=["needs-listeners", "needs-table-predictions"]
fits = {
    label: mixed.fit_lmm(f"rating ~ {' + '.join(terms)} + {slopes}", rows)
    for label, terms in sets.items()
}
together = [fit.fixed_effects().assign(model=label) for label, fit in fits.items()]
together = pd.concat(together).query("term in @predictors")
names = {"predicted": model_name, "handcrafted": "descriptors"}
together["prediction"] = together["term"].map(names)

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_forest(
        together, label="prediction", hue="model", xlabel="Points for one SD"
    ),
    "over-and-above",
    f"Slope of “{query}” on the predictions, alone and next to style and each other.",
    "Forest plot with one row for the pretrained model's prediction and one for the "
    "handcrafted one, and a colour for what else was in the model.",
    table=together,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
adds = "adds to", "has the opposite sign next to", "cannot be shown to add to"
effects = {
    "slope_style": ("next to style", "predicted"),
    "slope_all": ("next to all", "predicted"),
    "handcrafted_alone": ("descriptors alone", "handcrafted"),
    "handcrafted_all": ("next to all", "handcrafted"),
}
sentences = {}
for name, (label, term) in effects.items():
    if label in fits and term in fits[label].names:
        effect = fits[label].effect(term)
        report_effect(name, effect, len(rows))
        reported = format_value(effect["estimate"], ci=(effect["low"], effect["high"]))
        number = reported["full"].replace(" (", ", ").rstrip(")")
        sentences[name] = pick_verdict(effect, *adds), number
with_both = join_words([*styles_too, "descriptors"][: len(sets["next to all"]) - 1])
listed = []
if "slope_style" in sentences:
    word, number = sentences["slope_style"]
    listed.append(f"The prediction of {model_name} {word} style ({number}).")
if "handcrafted_all" in sentences:
    word, number = sentences["slope_all"]
    listed.append(f"It {word} {with_both} together ({number}).")
    word, number = sentences["handcrafted_all"]
    other = join_words([*styles_too, "the pretrained model"])
    listed.append(
        f"The prediction of the descriptors {word} {other} together ({number})."
    )
word = sentences.get("slope_all", ("", ""))[0]
if "handcrafted" not in predictors:
    falsifier = "This study has no descriptors to compare with."
elif word == adds[0]:
    falsifier = "That is not the case in this study."
else:
    falsifier = "That may be the case in this study."
report_text("falsifier", falsifier)
report_text(
    "adds", " ".join(listed) or "There is nothing to compare with in this study."
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# Numbers are slopes with their intervals. {glue:text}`adds` A model that adds nothing to style and
# descriptors would not be needed for single listeners. {glue:text}`falsifier`
#
# How does this agree with {doc}`06-probing`? There, the *R²* of the best model is compared with those of
# style and descriptors. A difference between two R² needs many songs to be clear. The slopes here test
# whether a prediction goes with the ratings of songs that are equal in the other predictors, as the
# correlations within styles do in {doc}`06-probing`.
#
# ## For which listeners does the model work?
#
# Each line in {numref}`fig-listeners` is a listener. A steeper line means that the answers follow the
# prediction more closely. The estimated slopes are shrunk towards the average, because a listener's slope
# rests on few songs. Their spread is therefore smaller than that of the true slopes, and the share of
# rising lines in the figure is too high. We compute the share from the model instead: slopes are normally
# distributed around the average slope, with the standard deviation that the model estimates.

# %% tags=["needs-listeners", "needs-table-predictions"]
modes = model.random_effects("listener")
modes = modes.pivot(index="level", columns="term", values="value")
lines = modes[model.names] + model.beta
lines.columns = ["intercept", "slope"]
people = data.listeners.set_index("listener_id").select_dtypes("number")
shown = next(iter(people), None)

# %% tags=["needs-listeners", "needs-table-predictions"]
axes = {"xlabel": "Prediction (SD over songs)", "ylabel": f"Rating of “{query}”"}
coloured = f", coloured by {shown.replace('_', ' ')}" if shown else ""

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_fitted_lines(lines.join(people), x="predicted", colour=shown, **axes),
    "listeners",
    f"One line per listener (conditional modes{coloured}); black: the average.",
    "Fan of straight lines, one per listener, of different heights and slopes, around a "
    "thick black average line.",
    table=lines.rename_axis("listener"),
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
components = model.variance_components()
components = components[components["other"].isna()]  # the others are correlations
sd = components.set_index("factor")["sd"]
slope_sd = sd["listener"].iloc[1]
report_value("slope_sd", slope_sd, n=len(lines))
share = mixed.positive_share(model, "predicted", redraws)
report_value(
    "rising", 100 * share["estimate"], ci=(100 * share["low"], 100 * share["high"]),
    unit="%", fmt=".0f", n=len(lines),
)  # fmt: skip
report_value("rising_shrunk", 100 * (lines["slope"] > 0).mean(), unit="%", fmt=".0f")

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
tests = mixed.random_effect_tests(model)
p = tests.loc[tests["term"].str.startswith("predicted in"), "p"].item()
report_text("p_slope_sd", f"p {format_p(p)}")
report_text("slopes_differ", pick_by_p(p, "differ", "cannot be shown to differ"))

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# According to the model, the slope is positive for {glue:text}`rising_full` of the listeners; of the
# shrunk lines in the figure, {glue:text}`rising_shrunk` rise. Slopes {glue:text}`slopes_differ` between
# listeners: their standard deviation is {glue:text}`slope_sd` points ({glue:text}`p_slope_sd`; a variance
# cannot be negative, so the test uses a mixture of χ² distributions, {cite:t}`stram1994`).
#
# Do facts about listeners predict for whom the model works? Each fact enters as a level and as a change of
# the slope. The liking of a song's style is a fact about listener *and* song.

# %% tags=["needs-listeners", "needs-table-predictions"]
with_facts, listed_facts = mixed.join_facts(rows, data.listeners, data.styles)
changes = mixed.slopes_by_fact(with_facts, listed_facts, "predicted", slopes)

# %% tags=["needs-listeners", "needs-table-predictions"]
if listed_facts:
    show_figure(
        figures.plot_forest(changes, label="fact", xlabel="Change of slope for one SD"),
        "for-whom",
        "Change of the slope with facts about the listener, in points for one SD each.",
        "Forest plot: one change of slope for each fact, around a line at zero.",
        table=changes,
    )

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
moves = clear_rows(changes)["fact"].tolist()
if not listed_facts:
    whom = "The study has no numeric facts about its listeners"
elif moves:
    whom = f"Corrected for their number, the slope changes with {join_words(moves)}"
else:
    whom = "Corrected for their number, none of them can be shown to change the slope"
report_text("for_whom", whom)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {glue:text}`for_whom`.
#
# ## In every style?

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# The interaction of prediction and style tests whether the slope differs between styles. A slope that
# is “significant” in one style and not in another is no evidence of a difference; the difference
# itself has to be tested {cite}`gelman2006`.

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
by_style = mixed.fit_lmm(f"rating ~ predicted * style + {slopes}", rows)
trends = by_style.emtrends("predicted", "style")
show_figure(
    figures.plot_forest(trends.table, label="style", xlabel=on_prediction),
    "style-slopes",
    "Slope of single ratings on the prediction within each style, with 95% intervals.",
    "Forest plot of one slope per style, each with its interval, on a common axis.",
    table=trends.table,
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Not finding a difference is no evidence of equality. Two one-sided tests check whether the difference
# is *smaller* than the smallest one that would matter {cite}`schuirmann1987,lakens2017`. This margin has to
# be fixed beforehand; here it is {glue:text}`matters` points for one standard deviation of the prediction,
# {glue:text}`smallest` of the scale.

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
contrasts = trends.contrasts(adjust="holm", equivalence=matters)
show_table(
    contrasts.drop(columns=["se", "t", "p"]),
    "style-contrasts",
    "Differences of slope: p that they differ, and p that they are too small to matter (Holm).",
)

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles", "hide-input"]
n_different = len(clear_rows(contrasts, "p_adjusted"))
n_equal = len(clear_rows(contrasts, "p_equivalence"))
report_value("matters", matters, fmt=".3g")
report_value("smallest", 100 * smallest, unit="%", fmt=".3g")
report_value("n_pairs", len(contrasts), fmt=".0f")
report_value("n_different", n_different, fmt=".0f")
report_value("n_equal", n_equal, fmt=".0f")

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles", "hide-input"]
n_undecided = len(contrasts) - n_different - n_equal
report_value("n_undecided", n_undecided, fmt=".0f")

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Of {glue:text}`n_pairs` pairs of styles, {glue:text}`n_different` clearly differ in slope,
# {glue:text}`n_equal` are practically equal, and {glue:text}`n_undecided` are undecided: neither a
# difference nor its absence has been shown.
#
# ### Style bias
#
# Listeners like some styles more than others. A random intercept for each pair of listener and style
# measures how much a listener prefers a style, whatever the song {cite}`senn2018`.

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
interaction = f"rating ~ predicted * style + {slopes}"
biased = mixed.fit_lmm(f"{interaction} + (1 | listener:style)", rows)
bias = mixed.likelihood_ratio_test(by_style, biased)
show_table(
    bias[["chisq", "p", "reference"]],
    "style-bias",
    "Likelihood-ratio test of the listeners' bias for styles.",
)

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles", "hide-input"]
parts = biased.variance_components().set_index("factor")["sd"]
report_value("bias_sd", parts["listener:style"], n=biased.n_groups["listener:style"])
report_text(
    "bias_verdict", pick_by_p(bias["p"].iloc[0], "have", "cannot be shown to have")
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Listeners {glue:text}`bias_verdict` preferences for styles; their standard deviation is
# {glue:text}`bias_sd_full` points.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## Which questions does it predict?
#
# We use one predictor for all questions, the out-of-fold prediction of “{glue:text}`common`”, and divide
# each question by its standard deviation. First, each question has a model of its own. Then all questions
# are in one model, in which listeners and songs have intercepts and deviations from them for each
# question. That model tests the differences *between* questions, for each pair of them.

# %% tags=["needs-listeners", "needs-table-predictions"]
common = "groove" if "groove" in targets else query
best = predictions[predictions["best"] & (predictions["target"] == common)]
best = best.set_index("track_id")["predicted"]
answers["predicted"] = answers["track"].map((best - best.mean()) / best.std())
report_text("common", common)

# %% tags=["needs-listeners", "needs-table-predictions"]
# a score that is computed from the questions is not compared with them
questions = [q for q in data.queries if q != "groove"] or list(data.queries)
single = answers[answers["query"].isin(questions)].rename(columns={"query": "question"})
single["rating"] /= single.groupby("question")["rating"].transform("std")
compared = mixed.compare_questions(single)

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_forest(
        compared, label="question", hue="model", xlabel="SD for one SD"
    ),
    "questions",
    f"Slopes of single ratings on the prediction of “{common}”, in standard deviations.",
    "Forest plot of two estimates per question, one from separate models and one from a "
    "single model, with their intervals.",
    table=compared,
)

# %% tags=["needs-listeners", "needs-table-predictions"]
apart = compared[compared["model"] == "each by itself"].set_index("question")
show_table(
    apart.filter(["estimate", "low", "high", "p_holm", "explained", "n_apart"]),
    "questions",
    "Slopes, and the share of the songs' variance that the prediction explains, question "
    "by question; then the number of other questions with a clearly different slope (Holm).",
    fmt="{:.3f}",
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
n_questions = len(apart)
sloping = clear_rows(apart)
report_value("n_questions", n_questions, fmt=".0f")
report_value("n_predictable", len(sloping), fmt=".0f")
report_text("predictable", join_words(f"“{name}”" for name in sloping.index))
pairs_apart = apart["n_apart"].sum() / 2 if "n_apart" in apart else 0
report_value("n_apart", pairs_apart, fmt=".0f", n=n_questions * (n_questions - 1) // 2)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# Of {glue:text}`n_questions` questions, {glue:text}`n_predictable` have a slope that clearly differs from
# zero, corrected for their number: {glue:text}`predictable`. The slopes of {glue:text}`n_apart_full` pairs
# of questions clearly differ. The questions are correlated ({doc}`01-listeners-and-tracks`), so this is not
# as many confirmations as there are rows.

# %% [markdown] tags=["needs-listeners"]
# ## How much is left?
#
# {numref}`fig-shares` divides the variance of single ratings for each question: the part that is predicted
# and the style (one share, if the two work against each other), songs beyond both, the levels and slopes of
# listeners, their preferences for styles, and the residual. The shares add up to one.

# %% tags=["needs-listeners"]
fixed, random = ["1"], ["(1 | listener)", "(1 | track)"]
if chapter.has_table("predictions"):
    fixed, random = ["predicted"], ["(1 + predicted | listener)", "(1 | track)"]
if several_styles:
    fixed, random = [*fixed, "style"], [*random, "(1 | listener:style)"]
formula = f"rating ~ {' + '.join([*fixed, *random])}"

# %% tags=["needs-listeners"]
everything = answers.rename(columns={"query": "question"})
shares = mixed.partition_by_question(formula, everything)
names = {"listener:style": "listener × style", "track": "song", "Residual": "residual"}
shares = shares.rename(columns=names).loc[list(data.queries)]

# %% tags=["needs-listeners"]
show_figure(
    figures.plot_variance_shares(shares, fmt=".0%"),
    "shares",
    "Shares of the variance of single ratings, one bar per question.",
    "Stacked bars, one per question, that add to one: songs, listeners and what was "
    "predicted in colours with their percentages, the residual in grey at the right.",
    table=shares,
)

# %% tags=["needs-listeners", "hide-input"]
own = shares.loc[query]
report_value("left", own["residual"], n=len(rows))
report_value("left_songs", own["song"], n=len(rows))

# %% [markdown] tags=["needs-listeners"]
# Of the variance of single ratings of “{glue:text}`query`”, {glue:text}`left` is residual. No model of
# songs and of listeners' general habits can explain it. {glue:text}`left_songs` belongs to differences
# between songs beyond the prediction: better models could explain this part.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## Does the conclusion change?
#
# An analysis consists of many choices {cite}`steegen2016`. {numref}`tab-robustness` repeats it with other
# reasonable ones: maximum likelihood; no random slopes; ratings standardised within each listener; without
# outliers; without the most influential listener, song or band; as ordered categories; and without bands as
# a sample. Adding the style or the descriptors is not the same analysis with another choice, because it
# asks another question. We list these two as well, because they can change the answer.

# %% tags=["needs-listeners", "needs-table-predictions"]
extra = {
    label: fits[label] for label in ("next to style", "next to all") if label in fits
}
if several_songs:
    two_samples = slopes.replace(bands, "")
    fit = mixed.fit_lmm(f"rating ~ predicted + {two_samples}", rows)
    extra["without bands as a sample"] = fit
robust = mixed.robustness_table(model, "predicted", n_jobs=n_jobs, extra=extra)
show_table(robust, "robustness", "The slope under other analyses.")

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
variants = robust.iloc[1:]
same = variants["same"].astype(bool)
report_value("n_same", same.sum(), fmt=".0f")
report_value("n_variants", len(same), fmt=".0f")
report_text("changed", join_words(variants.loc[~same, "variant"], "none"))

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {glue:text}`n_same` of {glue:text}`n_variants` variants give the same conclusion as the model above;
# different: {glue:text}`changed`. The next figure checks the residuals.

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_residuals(mixed.residual_table(model)),
    "residuals",
    "Standardised residuals against fitted ratings (left) and against normal quantiles (right).",
    "Left, a cloud of residuals around zero. Right, residuals against normal quantiles, along a diagonal line.",
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
checks = mixed.check_residuals(model)
show_table(
    checks[["check", "of", "value", "meaning"]],
    "checks",
    "Assumptions of the model, as sizes rather than tests.",
)
at_ends = 100 * rows["rating"].isin(data.scales[query]).mean()
report_value("at_ends", at_ends, unit="%", fmt=".1f", n=len(rows))

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {glue:text}`at_ends_full` of the answers lie at the ends of the scale. Such answers form slanting edges of
# the cloud. The ordinal row of {numref}`tab-robustness` shows whether this matters for the slope.
#
# ## How many listeners, how many songs?
#
# We compute power by simulation: draw studies of a given size with the standard deviations just estimated,
# fit the same model, and count how often the slope is found. The slope is the smallest that would matter
# ({glue:text}`power_effect` points), fixed beforehand. The power to find the *observed* slope would only
# restate its p-value {cite}`hoenig2001`.

# %% tags=["needs-listeners", "needs-table-predictions"]
n_rated = int(rows.groupby("listener").size().median())
spread = {"sd_listener": sd["listener"].iloc[0], "sd_slope": slope_sd}
sd_song = np.sqrt((sd[["track", *(["artist"] if several_songs else [])]] ** 2).sum())
spread |= {"sd_song": sd_song, "sd_residual": model.sigma}
often = {"n_simulations": n_simulations, "seed": seed, "n_jobs": n_jobs}
sizes = {"n_listeners": [30, 60, 120, 240], "n_songs": [24, 48, 96, 192]}
design = {**sizes, **spread, "songs_per_listener": n_rated}
power = mixed.power_simulation(effect=matters, **design, **often)
here = {"n_listeners": rows["listener"].nunique(), "n_songs": rows["track"].nunique()}
here = mixed.power_simulation(effect=matters, **(design | here), **often).iloc[0]

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_power(power),
    "power",
    f"Power to find a slope of {matters:.3g} points; framed: at least 0.80. Each listener "
    f"rates {n_rated} songs at most; {n_simulations} simulated studies per cell.",
    "Heat map of power, listeners upwards and songs to the right: it grows along both.",
    table=power,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
report_value("power_effect", matters, fmt=".3g")
interval = tuple(here[["low", "high"]])
report_value("power_here", here["power"], ci=interval, n=n_simulations, tolerance=0.1)
cells = power.set_index(["n_listeners", "n_songs"])["power"]
ways = {"more_people": (240, 48), "more_songs": (60, 192)}
for name, cell in ways.items():
    gain = cells[cell] - cells[60, 48]
    report_value(name, gain, tolerance=0.1, n=n_simulations)
first, second = cells[ways["more_songs"]], cells[ways["more_people"]]
half = 1.96 * np.sqrt((first * (1 - first) + second * (1 - second)) / n_simulations)
buy = pick_verdict(
    {"low": first - second - half, "high": first - second + half},
    "more songs help more than more listeners",
    "more listeners help more than more songs",
    "songs and listeners help about equally",
)
report_text("buy", buy)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# At the size of this study, the power is {glue:text}`power_here_full`. From 60 listeners and 48 songs,
# four times as many listeners add {glue:text}`more_people` to the power, and four times as many songs (with
# no more answers per listener) {glue:text}`more_songs`. With variances like these, {glue:text}`buy`. More of
# one sample cannot replace the other {cite}`westfall2014`.

# %% [markdown] tags=["needs-simulation"]
# ## Are the known effects found again?
#
# The demo's ratings were drawn from a mixed model with known parameters ({doc}`demo-study`). With the true
# song covariates, `fit_lmm` should recover them. Groove is computed from four questions; we check one
# question as it was drawn.
#
# Ratings cannot leave the scale. Its ends compress the ratings, so effects and standard deviations of the
# ratings are smaller than those of the model that drew them. The demo's truth holds both: the parameters,
# and the effects on ratings as given, computed from very large simulated studies. We compare the demo's
# ratings with the latter, and a new draw that is neither rounded nor clipped with the former. Intervals of
# standard deviations are profile-likelihood intervals.

# %% tags=["needs-simulation"]
from groove_utils.synth import default_effects, simulate_listeners, song_covariates

true_songs = data.truth("songs")
covariates = song_covariates(true_songs)
known = default_effects()
truth_query = query if query in known.fixed else "dance"

# %% tags=["needs-simulation"]
terms = [*covariates, "dance_inclination_z", "musicianship_z:syncopation_z"]
bars = ["track", "listener", "listener:style"]
bars = [f"(1 | {name})" for name in bars] + ["(0 + syncopation_z | listener)"]
true_formula = f"rating ~ {' + '.join([*terms, *bars])}"
sources = {
    "song": ("track", "Intercept"),
    "listener": ("listener", "Intercept"),
    "style_bias": ("listener:style", "Intercept"),
    "slope_syncopation": ("listener", "syncopation_z"),
    "residual": ("Residual", None),
}


# %% tags=["needs-simulation"]
def recover(ratings, listeners, truth):
    """Compare known effects behind one set of ratings with those of a mixed model."""
    own = ratings[ratings["query"] == truth_query].join(covariates, on="track_id")
    own = own.join(listeners.set_index("listener_id"), on="listener_id")
    own = own.join(facts, on="track_id")
    own = own.rename(columns={"listener_id": "listener", "track_id": "track"})
    effects = truth[truth["question"] == truth_query].set_index("term")["value"]
    effects = effects.rename({"intercept": "Intercept"})
    return mixed.recovery_table(mixed.fit_lmm(true_formula, own), effects, sources)


# %% tags=["needs-simulation"]
as_rated = data.truth("effects_as_rated")
as_drawn = known.table().query("component in ['fixed', 'sd']")
again = simulate_listeners(true_songs, known, seed, discrete=False)
rated = recover(data.ratings, data.truth("listeners"), as_rated)
free = recover(again.ratings, again.truth["listeners"], as_drawn)
found = [rated.assign(data="as rated"), free.assign(data="without a scale's ends")]
found = pd.concat(found, ignore_index=True)

# %% tags=["needs-simulation"]
show_figure(
    figures.plot_recovery(found[found["term"] != "Intercept"]),
    "recovery",
    f"Known effects behind “{truth_query}” (diamonds) and what the mixed model finds, from "
    "the demo's ratings, and from a new draw that is neither rounded nor clipped.",
    "Two panels of estimates with intervals, fixed effects above and standard deviations "
    "below, two colours for two sets of ratings, and a diamond at each true value.",
    table=found,
)

# %% tags=["needs-simulation", "hide-input"]
report_value("n_known", len(rated), fmt=".0f")
for name, table in (("", rated), ("_free", free)):
    report_value(f"n_within{name}", table["within"].sum(), fmt=".0f")
    missed = ", ".join(table.loc[~table["within"], "term"])
    report_text(f"missed{name}", missed or "none")
residual = pd.concat([as_drawn, as_rated]).query("term == 'residual'")
drawn_sd, rated_sd = residual.loc[residual["question"] == truth_query, "value"]
report_value("sd_drawn", drawn_sd, fmt=".1f")
report_value("sd_rated", rated_sd, fmt=".1f")

# %% [markdown] tags=["needs-simulation"]
# Of {glue:text}`n_known` true values, {glue:text}`n_within` lie within their 95% intervals
# (outside: {glue:text}`missed`), and without rounding and clipping {glue:text}`n_within_free`
# (outside: {glue:text}`missed_free`). About one in twenty intervals may miss. The ends of the scale reduced
# the residual's standard deviation from {glue:text}`sd_drawn` to {glue:text}`sd_rated` points. Real rating
# scales do the same, but there the first number is unknown.

# %% [markdown]
# ## Real listeners
#
# {cite:t}`oconnell2022` asked 124 people to rate 20 songs, ten chosen for high and ten for low groove, on
# groove, liking and familiarity. The licence of the table is unknown. It is therefore downloaded when the
# chapter runs, verified by its hash, and not redistributed.

# %% tags=["hide-input"]
from groove_utils.study.datasets.oconnell2022 import URL, load_oconnell2022

not_fetched = f"""````{{admonition}} Not run: the ratings could not be fetched
:class: warning not-run
This copy of the book was built without a connection. Download <{URL}>, and name the
file in this chapter's parameter `oconnell_csv`; or run the chapter again with a connection.
````"""

# %% tags=["hide-input"]
real = data if "groove_group" in data.tracks else None
try:
    real = load_oconnell2022(oconnell_csv or None) if real is None else real
except ConnectionError:
    display(Markdown(not_fetched))

# %%
if real is not None:
    chapter.study = real  # captions name the study
    own_names = {"listener_id": "listener", "track_id": "track", "query": "question"}
    people_said = real.ratings.rename(columns=own_names)
    group = real.tracks.set_index("track_id")["groove_group"]
    people_said["songs"] = people_said["track"].map(group)

# %%
if real is not None:
    both = pd.concat([people_said.assign(songs="all"), people_said])
    real_parts = both.groupby(["question", "songs"]).apply(mixed.crossed_variances)
    caption = "Real listeners: variances on the scale of 1–7, and their agreement."
    show_table(real_parts, "real-variances", caption)

# %%
if real is not None:
    grooves = people_said[people_said["question"] == "groove"]
    # half a point to either side, so that the slope is the difference of the groups
    grooves = grooves.assign(group=grooves["songs"].map({"low": -0.5, "high": 0.5}))
    both_ways = "rating ~ group + (1 + group | listener) + (1 | track)"
    real_errors = mixed.compare_error_models(both_ways, grooves)
    real_errors = real_errors[real_errors["term"] == "group"]

# %%
if real is not None:
    show_figure(
        figures.plot_forest(real_errors, label="model", xlabel="Points of 1–7"),
        "real-groups",
        "Real listeners: groove of high- less that of low-groove songs, by error model.",
        "Forest plot of one difference under several error models: the same estimate in "
        "each row, all far from zero, with narrower intervals where songs are ignored.",
        table=real_errors,
    )

# %% tags=["hide-input"]
if real is not None:
    by_model = real_errors.set_index("model")
    effect = by_model.loc["crossed"]
    effect = format_value(effect["estimate"], ci=(effect["low"], effect["high"]))[
        "full"
    ]
    whole, high, low = (
        real_parts.loc[("groove", one)] for one in ("all", "high", "low")
    )
    icc = "ICC(C,1)"
    text = f"""For groove, the variance between songs is {whole["song"]:.2f}, between listeners
{whole["listener"]:.2f}, and the residual variance is {whole["residual"]:.2f}: ICC(C,1) =
{whole[icc]:.2f}. These songs are extreme groups. Among the high-groove songs the agreement is
{high[icc]:.2f}, among the low-groove ones {low[icc]:.2f}: a ceiling belongs to a selection of
songs. High-groove songs are rated higher by {effect} points. If the songs are treated as
fixed, the standard error is {by_model.loc["listener only", "se_ratio"]:.2f} times as large as
it should be."""
    display(Markdown(text.replace("\n", " ")))
chapter.study = data

# %% [markdown]
# With twenty songs, any statement about songs rests on a sample of twenty, whatever the number of
# listeners.

# %% [markdown] tags=["needs-table-predictions"]
# ## If all you have is song means
#
# Some studies publish one mean per song {cite}`marmoret2026`. The rows are then songs, and artists and
# styles are the remaining samples, with random intercepts.

# %% tags=["needs-table-predictions"]
means = predictions[predictions["best"] & (predictions["target"] == query)]
means = means.set_index("track_id")[["observed", "style", "artist"]]
means["predicted"] = songs[model_name]
samples = ["artist"] * several_songs + ["style"] * several_styles

# %% tags=["needs-table-predictions"]
plain = "observed ~ predicted"
level, song_fit = mixed.add_random_intercepts(plain, means, samples, "predicted")
level["model"] = "song means, " + level["model"]
if data.has("listeners"):
    crossed_slope = [slope[name] for name in ("estimate", "low", "high")]
    level.loc[len(level)] = ["single ratings, crossed", *crossed_slope]

# %% tags=["needs-table-predictions"]
show_figure(
    figures.plot_forest(level, label="model", xlabel=on_prediction),
    "song-level",
    "The slope from song means, and from single ratings where there are any.",
    "Forest plot of the slope from song means, by ordinary regression and with growing "
    "random parts, each with its interval.",
    table=level,
)

# %% tags=["needs-table-predictions", "hide-input"]
last = level[level["model"].str.startswith("song means")].iloc[-1]
interval = tuple(last[["low", "high"]])
report_value("song_level_slope", last["estimate"], ci=interval, n=len(means))
if song_fit is not None:
    spread = song_fit.variance_components().rename(columns={"factor": "of"})
    spread = spread[["of", "variance", "sd"]].set_index("of")
    show_table(spread, "song-level-variances", "Whose variance, from song means alone.")

# %% tags=["needs-table-predictions", "hide-input"]
few = "With a single style, differences between styles cannot be estimated"
if several_styles:
    few = (
        f"{len(data.styles)} styles are a small sample: their standard deviation "
        f"({spread.loc['style', 'sd']:.2g} points) is very uncertain, as is the interval of "
        "anything that varies between styles"
    )
report_text("few_styles", few)

# %% [markdown] tags=["needs-table-predictions"]
# With all of these random, the slope of the song means is {glue:text}`song_level_slope_full`.
# {glue:text}`few_styles`. Song means cannot answer:
#
# - **For whom?** Slopes of single listeners, their preferences for styles, and facts about them.
# - **For other listeners?** Listeners are averaged and treated as fixed.
# - **How far from perfect?** The variance of songs and the noise of their means are one residual, so
#   there is no {term}`noise ceiling`.

# %% [markdown]
# ## What could be wrong here
#
# - **The prediction is itself estimated.** Its error makes the slope smaller than that of a perfect
#   prediction, and the model does not know about it.
# - **The scale has ends.** Ratings near them are squeezed, which a linear model ignores.
# - **A line is assumed.** Within the range of these songs a listener's answers may bend.
# - **Shrunk slopes are no test of persons.** A flat line may belong to a listener for whom the model does
#   not work, or to one who rated too few songs.
#
# What would change the conclusion: a slope whose interval, with listeners, songs and bands random, reaches
# zero; or a model that adds nothing to style and descriptors.
#
# ## Exercises
#
# 1. Give each listener other songs: in `rows`, rename every song to “song of this listener”
#    (`rows["track"] = rows["listener"] + rows["track"]`) and fit the crossed model again. What
#    happens to the standard error, and why is that the mistake of *nesting* what is crossed?

# %% [markdown]
# ````{dropdown} Solution
# Each listener–song pair is then a level with one answer. `fit_lmm` raises an error, because its variance
# cannot be separated from the residual. Without the term, the model is that with listeners only, and so is
# its standard error: a difference between songs counts once for each listener. Software that nests without
# a warning gives this result.
# ````
#
# 2. Set `smallest` to 0.06 in the parameters. Which statements about styles change, and which do
#    not?

# %% [markdown]
# ````{dropdown} Solution
# The differences, their intervals and their p-values stay. Only the verdict on equality and the
# power map change: with a wider margin, a difference is more easily called too small to matter.
# That is why the margin must be fixed before looking.
# ````
#
# 3. Which of the two bars of a study's budget would you lengthen, listeners or songs, if songs
#    differed twice as much as here? Double `sd_song` in the call of `power_simulation`.

# %% [markdown]
# ````{dropdown} Solution
# Songs. The song's own variance is divided by the number of songs only; listeners average nothing
# of it away. Power falls everywhere, and the rows of the map become more alike.
# ````

# %% [markdown]
# ## Summary
#
# - Listeners, songs and bands are samples; ignoring one makes intervals too narrow.
# - A prediction of mean ratings has to be tested again for single listeners, next to style and
#   descriptors. Differences between styles need tests of their own.
# - Most of the variance of a single rating belongs neither to the song nor to the listener.
# - The numbers of songs and listeners that a study needs can be simulated from a similar study.
#
# **Next:** {doc}`adapt` explains how to analyse your own songs and listeners.
