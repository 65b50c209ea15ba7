# %% [markdown]
# # Does it hold for single listeners, and in every style?
#
# A song's mean rating is nobody's rating. Does the prediction of a probe hold for single people, or
# only for their average? And would it hold for *other* listeners and *other* songs? Both were
# sampled, so both must enter the error term: a {term}`linear mixed model` with
# {term}`crossed random effects`.
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
query = "dance"
smallest = 0.03  # smallest slope that would matter, as a share of the rating scale
n_bootstrap = 200
n_simulations = 100  # simulated studies in each cell of the power map
n_jobs = 2
oconnell_csv = ""  # the ratings of O'Connell et al. (2022), if you downloaded them

# %%
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
from groove_utils.stats.wording import format_p

chapter = open_chapter("08-mixed-models", study)
data = chapter.study

# %% tags=["hide-input"]
query = query if query in data.queries else next(iter(data.queries))
facts = data.tracks.set_index("track_id")[["style", "artist"]]
several_styles = data.has("styles")
# where each song has an artist of its own, the two cannot be told apart
several_songs = facts["artist"].nunique() < len(facts)
scale = data.scales[query]
matters = smallest * (scale[1] - scale[0])
report_text("query", query)


# %% tags=["hide-input"]
def direction(effect):
    """Where an interval lies: above 0 (1), below (−1), or on both sides (0)."""
    return int(effect["low"] > 0) - int(effect["high"] < 0)


# %% [markdown] tags=["needs-listeners"]
# ## Two samples, not one
#
# Every coloured cell of {numref}`fig-crossed` is one answer of one person about one song. Songs
# differ, which is what we are after. People differ too: some find everything danceable. Whoever
# averages over listeners throws the second sample away, and with it the chance to ask whether a
# result would hold for *other* people. Whoever averages over songs does the same to the music.

# %% tags=["needs-listeners"]
show_figure(
    figures.plot_crossed_design(data.rating_matrix(query)),
    "crossed",
    f"Ratings of «{query}», with the means of songs and of listeners; white: not rated.",
    "Matrix of ratings, listeners by songs, brighter to the right and downwards; above "
    "and beside it, dots of the song means and of the listener means.",
)

# %% tags=["needs-listeners"]
answers = data.ratings.rename(columns={"listener_id": "listener", "track_id": "track"})
answers = answers.join(facts, on="track")
rows = answers[answers["query"] == query]
report_value("n_ratings", len(rows), fmt=".0f")
report_value("n_listeners", rows["listener"].nunique(), fmt=".0f")
report_value("n_songs", rows["track"].nunique(), fmt=".0f")

# %% [markdown] tags=["needs-listeners"]
# On «{glue:text}`query`» there are {glue:text}`n_ratings` answers by {glue:text}`n_listeners`
# listeners about {glue:text}`n_songs` songs. The simplest model that respects both samples gives
# every listener and every song an intercept of their own:
#
# > rating = overall mean + listener's level + song's level + residual
#
# where the two levels and the residual are draws from normal distributions, whose variances are
# what we want to know. Nothing is predicted yet. The model only says how much of an answer is the person, how much the
# song, and how much neither {cite}`baayen2008`.

# %% tags=["needs-listeners"]
crossed = "(1 | listener) + (1 | track)"
nothing = mixed.fit_lmm(f"rating ~ 1 + {crossed}", rows)
boot = {"n_boot": n_bootstrap, "seed": seed, "n_jobs": n_jobs}
spreads = nothing.variance_components("bootstrap", **boot).set_index("factor")

# %% tags=["needs-listeners"]
show_table(
    spreads[["variance", "sd", "low", "high"]],
    "empty-model",
    f"Variances and standard deviations of «{query}», the latter with bootstrap intervals.",
)

# %% tags=["needs-listeners", "hide-input"]
parts = mixed.crossed_variances(rows)
whole = parts[["song", "listener", "residual"]].sum()
report_value("share_song", parts["song"] / whole, n=len(rows))
report_value("share_listener", parts["listener"] / whole, n=len(rows))
# consistency of single listeners: what listeners' levels do is left out
report_value("icc", parts["ICC(C,1)"], n=len(rows))
more, fewer = parts[["song", "listener"]].sort_values(ascending=False).index
report_text("who_more", f"more between {more}s than between {fewer}s")

# %% [markdown] tags=["needs-listeners"]
# Songs hold {glue:text}`share_song` of the variance of single answers and listeners' levels
# {glue:text}`share_listener`: answers vary {glue:text}`who_more`. The share of songs once listeners'
# levels are set aside is the ICC(C,1) of {doc}`01-listeners-and-tracks`, here
# {glue:text}`icc` by another road. All the rest is the person with this song at this moment.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## What if one of the samples is ignored?
#
# The predictor is the {term}`out-of-fold prediction` of the best model of {doc}`06-probing`: no
# song's prediction has seen any rating of that song, nor of its band. It is standardised over songs,
# so that a slope is in points of the rating scale for one standard deviation of the prediction.

# %% tags=["needs-table-predictions"]
predictions = chapter.load_table("predictions")
model_name = predictions.loc[predictions["best"], "model"].iloc[0]
targets = list(predictions["target"].unique())
query = query if query in targets else targets[0]
on_prediction = f"Slope of «{query}» on the prediction"
songs = predictions[predictions["target"] == query]
songs = songs.pivot(index="track_id", columns="model", values="predicted")
songs = (songs - songs.mean()) / songs.std()

# %% tags=["needs-listeners", "needs-table-predictions"]
rows = answers[answers["query"] == query].copy()
rows["predicted"] = rows["track"].map(songs[model_name])
rivals = ["predicted"]
if "descriptors" in songs:
    rows["handcrafted"] = rows["track"].map(songs["descriptors"])
    rivals.append("handcrafted")
report_text("model", model_name)
report_text("predicted_query", query)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {cite:t}`clark1973` saw it in studies of words: whoever treats the items as fixed has shown
# something about these items only, and calls it language. The same slope is estimated below under
# error models that ignore listeners, songs, both, or neither. The estimate hardly moves; what
# moves is how sure one believes to be. «Clustered» in {numref}`fig-error-models` are ordinary
# regressions with cluster-robust standard errors.

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
hurts = "Ignoring songs is what hurts here: a listener more is no new song"
alike = "Here the choice makes little difference"
report_text("lost", hurts if ratio["listener only"] < 0.9 else alike)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# Ordinary regression has a standard error {glue:text}`se_ols` times that of the crossed model, the
# model with listeners only {glue:text}`se_listener_only`, the one with songs only
# {glue:text}`se_song_only`. {glue:text}`lost`. Interval width is not the whole story: a model
# with songs only would be just as wrong about anything that varies between people.
#
# ## From the probe to the listener
#
# Every listener gets a level and a slope of their own {cite}`barr2013`, every song a level.
# Intervals rest on Satterthwaite's degrees of freedom.

# %% tags=["needs-listeners", "needs-table-predictions"]
slopes = "(1 + predicted | listener) + (1 | track)"
model = mixed.fit_lmm(f"rating ~ predicted + {slopes}", rows)
display(Markdown(model.report()))

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
draws = mixed.bootstrap(model, **boot)["r2"]
ends = draws.quantile([0.025, 0.975])
for part, share in model.r2().items():
    report_value(f"r2_{part}", share, ci=tuple(ends[part]), n=len(rows))
slope = model.effect("predicted")
interval = tuple(slope[["low", "high"]])
report_value("slope", slope["estimate"], ci=interval, n=len(rows))

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
carries = {
    1: "does carry over",
    -1: "points the wrong way when carried over",
    0: "cannot be shown to carry over",
}
report_text("slope_verdict", carries[direction(slope)])

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# One standard deviation of the prediction goes with {glue:text}`slope_full` points of
# «{glue:text}`predicted_query`». The prediction of {glue:text}`model`, made without this song or
# band, {glue:text}`slope_verdict` to single listeners. It accounts for {glue:text}`r2_marginal_full`
# of the variance of single ratings, and together with the levels of listeners and songs
# {glue:text}`r2_conditional_full` {cite}`nakagawa2017`. Small numbers, and they have to be: most of
# a single rating belongs to the person and the moment.
#
# ### Over and above a formula, and the style?
#
# A pretrained model that merely rediscovers event density, or recognises the style, would be an
# expensive way to do so. So the handcrafted prediction (out-of-fold as well, from the
# {term}`descriptors <descriptor>`) and the style enter beside it, and each slope is now for songs
# that are alike in the rest.

# %% tags=["needs-listeners", "needs-table-predictions"]
styles_too = ["style"] if several_styles else []
ladder = {"beside style": ["predicted", "style"]} if several_styles else {}
ladder["beside all"] = [*rivals, *styles_too]
fits = {"alone": model}
for label, terms in ladder.items():
    fits[label] = mixed.fit_lmm(f"rating ~ {' + '.join(terms)} + {slopes}", rows)
beside = [fit.fixed_effects().assign(model=label) for label, fit in fits.items()]
beside = pd.concat(beside).query("term in @rivals")

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_forest(beside, label="term", hue="model", xlabel="Points for one SD"),
    "over-and-above",
    f"Slope of «{query}» on the prediction, alone and beside style and its handcrafted rival.",
    "Forest plot with one row for the pretrained model's prediction and one for the "
    "handcrafted one, and a colour for what else was in the model.",
    table=beside,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
left = fits["beside all"].effect("predicted")
interval = tuple(left[["low", "high"]])
report_value("slope_beside", left["estimate"], ci=interval, n=len(rows))
others = " + ".join(ladder["beside all"][1:] or ["1"])
rivals_only = mixed.fit_lmm(f"rating ~ {others} + {slopes}", rows)
test = mixed.likelihood_ratio_test(rivals_only, fits["beside all"]).iloc[0]
report_text("p_beside", f"p {format_p(test['p'])}")

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
says = {
    1: "says more than its rivals do",
    -1: "is turned round beside its rivals",
    0: "cannot be shown to say anything that its rivals do not say",
}
report_text("beside_verdict", says[direction(left)])

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# Beside all of them the slope is {glue:text}`slope_beside_full` (likelihood-ratio test against the
# model without it: {glue:text}`p_beside`). For single listeners, the pretrained model
# {glue:text}`beside_verdict`.
#
# ## For whom does the model work?
#
# Each line is a listener. The steeper it rises, the more this person's answers follow the
# prediction. Slopes are shrunken towards the average: with a couple of dozen songs a listener,
# single slopes are uncertain, and the model knows.

# %% tags=["needs-listeners", "needs-table-predictions"]
modes = model.random_effects("listener")
modes = modes.pivot(index="level", columns="term", values="value")
lines = modes[model.names] + model.beta
lines.columns = ["intercept", "slope"]
people = data.listeners.set_index("listener_id").select_dtypes("number")
shown = next(iter(people), None)

# %% tags=["needs-listeners", "needs-table-predictions"]
axes = {"xlabel": "Prediction (SD over songs)", "ylabel": f"Rating of «{query}»"}
coloured = f", coloured by {shown.replace('_', ' ')}" if shown else ""

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_fitted_lines(lines.join(people), x="predicted", colour=shown, **axes),
    "listeners",
    f"One line a listener (conditional modes{coloured}); black: the average.",
    "Fan of straight lines, one a listener, of different heights and slopes, around a "
    "thick black average line.",
    table=lines.rename_axis("listener"),
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
components = model.variance_components()
components = components[components["other"].isna()]  # the others are correlations
sd = components.set_index("factor")["sd"]
slope_sd = sd["listener"].iloc[1]
report_value("slope_sd", slope_sd, n=len(lines))
rising = 100 * (lines["slope"] > 0).mean()
report_value("rising", rising, unit="%", fmt=".0f", n=len(lines))

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
tests = mixed.random_effect_tests(model)
p = tests.loc[tests["term"].str.startswith("predicted in"), "p"].item()
report_text("p_slope_sd", f"p {format_p(p)}")
report_text("slopes_differ", "differ" if p < 0.05 else "cannot be shown to differ")

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {glue:text}`rising_full` of the listeners have a rising line. Slopes {glue:text}`slopes_differ`
# between people: their standard deviation is {glue:text}`slope_sd` points
# ({glue:text}`p_slope_sd`; a variance cannot be below 0, so the test refers to a mixture of χ²
# distributions, {cite:t}`stram1994`).
#
# Do facts about the listener tell for whom the model works? Each fact enters as a level, and as a
# change of the slope. How much somebody likes the style at hand is a fact about listener *and*
# song.

# %% tags=["needs-listeners", "needs-table-predictions"]
told, asked = mixed.join_facts(rows, data.listeners, data.styles)
changes = mixed.slopes_by_fact(told, asked, "predicted", slopes)

# %% tags=["needs-listeners", "needs-table-predictions"]
if asked:
    show_figure(
        figures.plot_forest(changes, label="fact", xlabel="Change of slope for one SD"),
        "for-whom",
        "Change of the slope with facts about the listener, in points for one SD each.",
        "Forest plot: one change of slope for each fact, around a line at zero.",
        table=changes,
    )

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
moves = changes.loc[changes["p_holm"] < 0.05, "fact"].tolist()
if not asked:
    whom = "The study tells nothing about its listeners that could be asked here"
elif moves:
    whom = f"Corrected for their number, the slope changes with {' and '.join(moves)}"
else:
    whom = "Corrected for their number, none of them can be shown to change the slope"
report_text("for_whom", whom)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {glue:text}`for_whom`.
#
# ## In every style?

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# The interaction of prediction and style asks whether the slope differs between styles. A slope that
# is "significant" in one style and not in another is no evidence of a difference; the difference
# itself has to be tested {cite}`gelman2006`.

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
by_style = mixed.fit_lmm(f"rating ~ predicted * style + {slopes}", rows)
trends = by_style.emtrends("predicted", "style")
show_figure(
    figures.plot_forest(trends.table, label="style", xlabel=on_prediction),
    "style-slopes",
    "Slope of single ratings on the prediction within each style, with 95% intervals.",
    "Forest plot of one slope a style, each with its interval, on a common axis.",
    table=trends.table,
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Where no difference is found, that is not evidence of equality. Equality needs a test of its own:
# two one-sided tests ask whether the difference is *smaller* than what would matter
# {cite}`schuirmann1987,lakens2017`. What would matter has to be said beforehand; here it is
# {glue:text}`matters` points for one standard deviation, {glue:text}`smallest` of the scale.

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
contrasts = trends.contrasts(adjust="holm", equivalence=matters)
show_table(
    contrasts.drop(columns=["se", "t", "p"]),
    "style-contrasts",
    "Differences of slope: p that they differ, and p that they are too small to matter (Holm).",
)

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles", "hide-input"]
n_different = (contrasts["p_adjusted"] < 0.05).sum()
n_equal = (contrasts["p_equivalence"] < 0.05).sum()
report_value("matters", matters, fmt=".3g")
report_value("smallest", 100 * smallest, unit="%", fmt=".3g")
report_value("n_pairs", len(contrasts), fmt=".0f")
report_value("n_different", n_different, fmt=".0f")
report_value("n_equal", n_equal, fmt=".0f")

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles", "hide-input"]
decided = n_different + n_equal >= len(contrasts)
undecided = "The rest is undecided: neither a difference nor its absence has been shown"
report_text("style_verdict", "That decides every pair" if decided else undecided)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Pairs of styles: {glue:text}`n_pairs`. Shown to differ in slope at the 5% level:
# {glue:text}`n_different`. Shown to be practically equal: {glue:text}`n_equal`.
# {glue:text}`style_verdict`.
#
# ### Style bias
#
# Listeners come with likings. A random intercept for each pair of listener and style catches by how
# much somebody favours a style, whatever the song {cite}`senn2018`.

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
sure = bias["p"].iloc[0] < 0.05
report_text("bias_verdict", "do have" if sure else "cannot be shown to have")

# %% [markdown] tags=["needs-listeners", "needs-table-predictions", "needs-styles"]
# Listeners {glue:text}`bias_verdict` a bias for styles: its standard deviation is
# {glue:text}`bias_sd_full` points.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## Which question is the most predictable?
#
# One predictor for all questions, the out-of-fold prediction of «{glue:text}`common`», and every
# question in units of its own standard deviation. First each question by itself. Then all of them
# in one model, in which listeners and songs have intercepts of their own, and departures from them
# for each question; there the differences *between* questions can be tested.

# %% tags=["needs-listeners", "needs-table-predictions"]
common = "groove" if "groove" in targets else query
best = predictions[predictions["best"] & (predictions["target"] == common)]
best = best.set_index("track_id")["predicted"]
answers["predicted"] = answers["track"].map((best - best.mean()) / best.std())
report_text("common", common)

# %% tags=["needs-listeners", "needs-table-predictions"]
# a score that was computed from the questions is none of them
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
    f"Slopes of single ratings on the prediction of «{common}», in standard deviations.",
    "Forest plot of two estimates a question, one from separate models and one from a "
    "single model, with their intervals.",
    table=compared,
)

# %% tags=["needs-listeners", "needs-table-predictions"]
apart = compared[compared["model"] == "each by itself"].set_index("question")
explained, against = ["p_holm", "explained"], ["against_mean", "p_against_mean"]
show_table(
    apart.filter(["estimate", "low", "high", *explained, *against]),
    "questions",
    "Slopes, and the share of the songs' variance that the prediction explains, question "
    "by question; then the difference from the mean slope, from the one model.",
    fmt="{:.3f}",
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
top = apart["explained"].idxmax()
report_text("top_question", top)
report_value("top_explained", apart.loc[top, "explained"], n=len(best))
report_value("n_questions", len(apart), fmt=".0f")
report_value("n_predictable", (apart["p_holm"] < 0.05).sum(), fmt=".0f")
odd = apart.filter(["p_against_mean"]) < 0.05
report_value("n_odd", int(odd.to_numpy().sum()), fmt=".0f")

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# Of {glue:text}`n_questions` questions, {glue:text}`n_predictable` have a slope that is reliably
# different from zero, corrected for their number.
# The most predictable is «{glue:text}`top_question`»: the prediction explains
# {glue:text}`top_explained` of the songs' own variance in it. A slope that
# differs from the mean of all: {glue:text}`n_odd` of them. Remember from {doc}`01-listeners-and-tracks` that
# the questions are hardly independent: this is not as many confirmations as there are rows.

# %% [markdown] tags=["needs-listeners"]
# ## How much is left?
#
# Whose variance is it? For each question, the shares of what the model predicted and of the style
# (one share, where the two work against each other), of the songs beyond both, of the listeners'
# levels (and slopes), of their bias for styles, and what nobody can explain with this design. They
# add to one.

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
    "Whose variance is it? Shares of the variance of single ratings, one bar a question.",
    "Stacked bars, one a question, that add to one: songs, listeners and what was "
    "predicted in colours with their percentages, the residual in grey at the right.",
    table=shares,
)

# %% tags=["needs-listeners", "hide-input"]
own = shares.loc[query]
report_value("left", own["residual"], n=len(rows))
report_value("left_songs", own["song"], n=len(rows))
report_value("adds_to", shares.sum(axis=1).mean(), n=len(shares))

# %% [markdown] tags=["needs-listeners"]
# The bars add to {glue:text}`adds_to`. Of single ratings of «{glue:text}`query`»,
# {glue:text}`left` is residual: no model of songs, and no model of listeners' general habits, will
# ever get there. {glue:text}`left_songs` belongs to the songs beyond what was predicted, and that is
# the room for better models.

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# ## Does the conclusion change?
#
# An analysis is a chain of choices {cite}`steegen2016`. {numref}`tab-robustness` makes other
# reasonable ones: maximum likelihood, no random slopes, ratings standardised within each listener,
# without outliers, without the listener or the song that matters most, and as merely ordered
# categories. Artists as a third sample are added here, since bands have habits.

# %% tags=["needs-listeners", "needs-table-predictions"]
more_samples = {}
if several_songs:
    third = mixed.fit_lmm(f"rating ~ predicted + {slopes} + (1 | artist)", rows)
    more_samples = {"with artists as a sample": third}
robust = mixed.robustness_table(model, "predicted", n_jobs=n_jobs, extra=more_samples)
show_table(robust, "robustness", "The slope under other reasonable analyses.")

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
variants = robust.iloc[1:]
same = variants["same"].astype(bool)
report_value("n_same", same.sum(), fmt=".0f")
report_value("n_variants", len(same), fmt=".0f")
changed = "; ".join(variants.loc[~same, "variant"])
verdict = f"The conclusion changes {changed}" if changed else "No choice changes it"
report_text("robust_verdict", verdict)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {glue:text}`n_same` of {glue:text}`n_variants` variants come to the same conclusion as the model
# above. {glue:text}`robust_verdict`. And are the residuals as the model assumes?

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_residuals(mixed.residual_table(model)),
    "residuals",
    "Standardised residuals against fitted ratings (left) and against normal quantiles (right).",
    "Left, a cloud of residuals around zero, bounded by slanting lines where the rating scale "
    "ends. Right, residuals against normal quantiles, along a diagonal line.",
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
# {glue:text}`at_ends_full` of the answers lie at the very ends of the scale, where the slanting
# edges of the cloud come from. The ordinal row of {numref}`tab-robustness` tells whether that
# matters for the slope.
#
# ## How many listeners, how many songs?
#
# Power to find a given slope is best simulated: draw a study of that size from the spreads just
# estimated, fit the same model, and count how often the slope is found. The slope is the smallest
# that would matter ({glue:text}`power_effect` points), not the one that was found: power for a
# found effect only restates its p-value {cite}`hoenig2001`.

# %% tags=["needs-listeners", "needs-table-predictions"]
n_heard = int(rows.groupby("listener").size().median())
spread = {"sd_listener": sd["listener"].iloc[0], "sd_slope": slope_sd}
spread |= {"sd_song": sd["track"], "sd_residual": model.sigma}
often = {"n_simulations": n_simulations, "seed": seed, "n_jobs": n_jobs}
sizes = {"n_listeners": [30, 60, 120, 240], "n_songs": [24, 48, 96, 192]}
design = {**sizes, **spread, "songs_per_listener": n_heard}
power = mixed.power_simulation(effect=matters, **design, **often)

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_power(power),
    "power",
    f"Power to find a slope of {matters:.3g} points; framed: at least 0.80. Each listener "
    f"rates {n_heard} songs at most; {n_simulations} simulated studies a cell.",
    "Heat map of power, listeners upwards and songs to the right: it grows along both.",
    table=power,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
report_value("power_effect", matters, fmt=".3g")
cells = power.set_index(["n_listeners", "n_songs"])["power"]
more_people = cells[240, 48] - cells[60, 48]
more_songs = cells[60, 192] - cells[60, 48]
report_value("more_people", more_people, tolerance=0.1, n=n_simulations)
report_value("more_songs", more_songs, tolerance=0.1, n=n_simulations)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
if abs(more_songs - more_people) <= 0.05:
    buy = "listeners and songs buy about the same"
elif more_songs > more_people:
    buy = "buy songs rather than listeners"
else:
    buy = "buy listeners rather than songs"
report_text("buy", buy)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# From 60 listeners and 48 songs on, four times the listeners add {glue:text}`more_people` to the
# power, four times the songs (with no more answers asked of anybody) {glue:text}`more_songs`. With
# spreads like these: {glue:text}`buy`. More of one sample never makes up for too few of the other
# {cite}`westfall2014`.

# %% [markdown] tags=["needs-simulation"]
# ## Are the known effects found again?
#
# The demo's ratings were drawn from a mixed model whose every number is known
# ({doc}`demo-study`). Give the true song covariates to `fit_lmm`, and all should come back.
#
# But which numbers are true? A rating of 120 cannot be given. The ends of the scale press ratings
# together, so that effects and spreads of ratings as given are smaller than those that drew them,
# whatever the method. What they come to is part of the demo's truth, computed from large studies in
# which everybody rates everything. The demo's ratings are held against these numbers, and a new draw,
# neither rounded nor clipped, against those that drew it. The intervals of the spreads follow the
# profile of the likelihood.

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
    """Known effects behind one set of ratings, beside what a mixed model finds."""
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
    f"Known effects behind «{truth_query}» (diamonds) and what the mixed model finds, from "
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
# (outside: {glue:text}`missed_free`). With so many intervals, about one in twenty may miss. The ends
# of the scale took the residual's standard deviation from {glue:text}`sd_drawn` to
# {glue:text}`sd_rated` points. Real sliders do so too, only that nobody knows the first number.

# %% [markdown]
# ## Real listeners
#
# Simulated or not, every study has its own songs. Here are people: {cite:t}`oconnell2022` had 124
# listeners rate 20 songs, ten chosen for high and ten for low groove, on groove, liking and
# familiarity. Nobody has said under which licence the table is, so it is fetched when the chapter
# runs, checked by its hash, and never passed on.

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
    chapter.study = real  # captions tell whose ratings they show
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
    told = f"""For groove, songs hold a variance of {whole["song"]:.2f}, listeners
{whole["listener"]:.2f}, and {whole["residual"]:.2f} is residual: single listeners agree as
far as ICC(C,1) = {whole[icc]:.2f}. But these songs are extreme groups. Within the high
ones the agreement is {high[icc]:.2f}, within the low ones {low[icc]:.2f}: a ceiling belongs
to a selection of songs. Songs of the one group are rated higher than those of the other by
{effect} points, and whoever takes the songs as fixed gets a standard error
{by_model.loc["listener only", "se_ratio"]:.2f} times as large as it should be."""
    display(Markdown(told.replace("\n", " ")))
chapter.study = data

# %% [markdown]
# The point does not depend on the figures: with twenty songs, twenty is the number that counts for
# any statement about songs, however many people were asked.

# %% [markdown] tags=["needs-table-predictions"]
# ## If all you have is song means
#
# Some studies publish one mean a song {cite}`marmoret2026`. Songs are then the only rows, and
# artists and styles take the place of the second sample: random intercepts of bands, and of styles
# where there are several.

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
few = "With a single style, nothing can be said about styles"
if several_styles:
    few = (
        f"{len(data.styles)} styles are a small sample: their spread "
        f"({spread.loc['style', 'sd']:.1f} points) is hardly known, and neither is the "
        "interval of anything that varies between styles"
    )
report_text("few_styles", few)

# %% [markdown] tags=["needs-table-predictions"]
# With all of that random, the slope of the song means is {glue:text}`song_level_slope_full`.
# {glue:text}`few_styles`. What can no longer be asked:
#
# - **For whom?** Slopes of single listeners, their bias for styles, and all facts about them.
# - **For other people?** The listeners are averaged away, as if these were all there are.
# - **How far from perfect?** A song's own variance and the noise of its mean are one residual, so
#   there is no {term}`noise ceiling`.

# %% [markdown]
# ## What could be wrong here
#
# - **The prediction is itself estimated.** Its error makes the slope smaller than that of a perfect
#   prediction, and the model does not know about it.
# - **The scale has ends.** Ratings near them are squeezed, which a linear model ignores.
# - **A line is assumed.** Within the range of these songs a listener's answers may bend.
# - **Shrunken slopes are no test of persons.** A flat line may be a person who hears otherwise, or
#   one who rated too few songs.
#
# What would change the conclusion: a slope whose interval, with songs and listeners both random,
# reaches zero; or an equally good slope from the handcrafted prediction alone.
#
# ## Exercises
#
# 1. Give each listener other songs: in `rows`, rename every song to «song of this listener»
#    (`rows["track"] = rows["listener"] + rows["track"]`) and fit the crossed model again. What
#    happens to the standard error, and why is that the mistake of *nesting* what is crossed?

# %% [markdown]
# ````{dropdown} Solution
# Every listener–song pair is a level of its own then, with one answer in it: `fit_lmm` refuses, since
# such a variance cannot be told from the residual. Leave the term out, as it says, and you have the
# model with listeners only, and its standard error: a difference between songs counts once for each
# listener, as if it were news each time. Software that nests without asking gives you just that.
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
# - Listeners and songs are both samples; ignoring one makes one too sure.
# - What the probe predicts for the mean has to be shown again for single listeners, beside its
#   rivals, and as a difference between styles rather than style by style.
# - Most of a single rating is neither song nor listener. The variance that songs have beyond the
#   prediction is what better models could still win.
# - More songs, or more listeners? Simulate it from the spreads of a study like yours.
#
# **Next:** {doc}`adapt` tells how to ask all this of songs and listeners of your own.
