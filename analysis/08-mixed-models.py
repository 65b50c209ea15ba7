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
import numpy as np
import pandas as pd
import statsmodels.formula.api as smf
from IPython.display import Markdown, display
from statsmodels.stats.multitest import multipletests
from threadpoolctl import threadpool_limits

from groove_utils import figures, mixed
from groove_utils.book import (
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.book.reports import format_value
from groove_utils.mixed.report import format_p

chapter = open_chapter("08-mixed-models", study)
data = chapter.study
threadpool_limits(1)  # the matrices are small: threads would only wait for one another

# %% tags=["hide-input"]
query = query if query in data.queries else next(iter(data.queries))
facts = data.tracks.set_index("track_id")[["style", "artist"]]
several_styles = data.has("styles")


def in_words(p):
    """A p-value as a table shows it."""
    return "–" if np.isnan(p) else format_p(p).removeprefix("= ")


# where each song has an artist of its own, the two cannot be told apart
several_songs = facts["artist"].nunique() < len(facts)
scale = data.scales[query]
matters = smallest * (scale[1] - scale[0])
report_text("query", query)

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
    f"Two crossed samples: ratings of «{query}» with the mean of every song (above) and of "
    "every listener (right), both in order of their means. White: not rated.",
    "Matrix of ratings, listeners by songs, growing brighter to the right and downwards along the "
    "order of means; above and beside it, dots of the song means and of the listener means.",
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
spreads = nothing.variance_components(
    "bootstrap", n_boot=n_bootstrap, seed=seed, n_jobs=n_jobs
)
show_table(
    spreads[["factor", "variance", "sd", "low", "high"]].set_index("factor"),
    "empty-model",
    f"Variances and standard deviations of «{query}», with bootstrap intervals of the latter.",
)

# %% tags=["needs-listeners", "hide-input"]
share = nothing.mean_variances().drop("Fixed")
report_value("share_song", share["track"] / share.sum(), n=len(rows))
report_value("share_listener", share["listener"] / share.sum(), n=len(rows))
# consistency of single listeners: what listeners' levels do is left out
report_value("icc", share["track"] / (share["track"] + share["Residual"]), n=len(rows))
report_text(
    "who_more",
    "more between listeners than between songs"
    if share["listener"] > share["track"]
    else "more between songs than between listeners",
)

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
songs = predictions[predictions["target"] == query].pivot(
    index="track_id", columns="model", values="predicted"
)
songs = (songs - songs.mean()) / songs.std()
report_text("model", model_name)
report_text("predicted_query", query)

# %% tags=["needs-listeners", "needs-table-predictions"]
rows = answers[answers["query"] == query].copy()
rows["predicted"] = rows["track"].map(songs[model_name])
rivals = ["predicted"]
if "descriptors" in songs:
    rows["handcrafted"] = rows["track"].map(songs["descriptors"])
    rivals.append("handcrafted")

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# {cite:t}`clark1973` saw it in studies of words: whoever treats the items as fixed has shown
# something about these items only, and calls it language. The same slope is estimated below under
# error models that ignore listeners, songs, both, or neither. The estimate hardly moves; what
# moves is how sure one believes to be.

# %% tags=["needs-listeners", "needs-table-predictions"]
errors = mixed.compare_error_models(f"rating ~ predicted + {crossed}", rows)
errors = errors[errors["term"] == "predicted"]
show_figure(
    figures.plot_forest(
        errors, label="model", xlabel=f"Slope of «{query}» on the prediction"
    ),
    "error-models",
    "The same slope under error models that ignore listeners, songs, both or neither, with 95% "
    "intervals. «Clustered» are ordinary regressions with cluster-robust standard errors.",
    "Forest plot of one slope under several error models, from ordinary regression to the crossed "
    "model: similar estimates in each row, with intervals of very different width.",
    table=errors,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
by_model = errors.set_index("model")
report_value("se_ols", by_model.loc["OLS", "se_ratio"], n=len(rows))
report_value("se_listener_only", by_model.loc["listener only", "se_ratio"], n=len(rows))
report_value("se_song_only", by_model.loc["track only", "se_ratio"], n=len(rows))
lost = "song" if by_model.loc["listener only", "se_ratio"] < 0.9 else "none"
report_text(
    "lost",
    "Ignoring songs is what hurts here, since the prediction varies over songs and not within "
    "them: a listener more is no new song"
    if lost == "song"
    else "Here the choice makes little difference",
)

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
print(model.report())

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
draws = mixed.bootstrap(model, n_bootstrap, seed=seed, n_jobs=n_jobs)["r2"]
r2, ends = model.r2(), draws.quantile([0.025, 0.975])
slope = model.fixed_effects().set_index("term").loc["predicted"]
report_value("slope", slope["estimate"], ci=(slope["low"], slope["high"]), n=len(rows))
report_value("r2_marginal", r2["marginal"], ci=tuple(ends["marginal"]), n=len(rows))
report_value(
    "r2_conditional", r2["conditional"], ci=tuple(ends["conditional"]), n=len(rows)
)
report_text(
    "slope_verdict",
    "does carry over"
    if slope["low"] > 0
    else "points the wrong way"
    if slope["high"] < 0
    else "cannot be shown to carry over",
)

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
fits = {
    label: mixed.fit_lmm(f"rating ~ {' + '.join(terms)} + {slopes}", rows)
    for label, terms in ladder.items()
}
fits = {"alone": model, **fits}
beside = pd.concat(
    [fit.fixed_effects().assign(model=label) for label, fit in fits.items()]
)
beside = beside[beside["term"].isin(rivals)]

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_forest(
        beside, label="term", hue="model", xlabel="Slope in rating points for one SD"
    ),
    "over-and-above",
    f"Slope of «{query}» on the prediction by itself, and beside the style and the handcrafted "
    "prediction.",
    "Forest plot with one row for the pretrained model's prediction and one for the handcrafted "
    "prediction, and a colour for each set of rivals beside which the slope was estimated.",
    table=beside,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
left = beside[beside["model"] == "beside all"].set_index("term")
report_value(
    "slope_beside",
    left.loc["predicted", "estimate"],
    ci=tuple(left.loc["predicted", ["low", "high"]]),
    n=len(rows),
)
test = mixed.likelihood_ratio_test(
    mixed.fit_lmm(
        f"rating ~ {' + '.join(ladder['beside all'][1:] or ['1'])} + {slopes}", rows
    ),
    fits["beside all"],
).iloc[0]
report_text("p_beside", f"p {format_p(test['p'])}")
sign = np.sign(left.loc["predicted", ["low", "high"]]).sum()
report_text(
    "beside_verdict",
    {2: "says more than its rivals do", -2: "is turned round beside its rivals"}.get(
        sign, "cannot be shown to say anything that its rivals do not say"
    ),
)

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
modes = model.random_effects("listener").pivot(
    index="level", columns="term", values="value"
)
lines = pd.DataFrame(
    {
        "intercept": modes["Intercept"] + model.beta[0],
        "slope": modes["predicted"] + model.beta[1],
    }
)
people = data.listeners.set_index("listener_id").select_dtypes("number")
shown = next(iter(people), None)
show_figure(
    figures.plot_fitted_lines(
        lines.join(people),
        x="predicted",
        xlabel="Prediction (SD over songs)",
        ylabel=f"Rating of «{query}»",
        colour=shown,
    ),
    "listeners",
    "One line a listener, from their level and slope (conditional modes"
    + (f"; coloured by {shown})" if shown else ")")
    + "; black: the average.",
    "Fan of straight lines, one a listener, of different heights and slopes, around a thick black "
    "average line.",
    table=lines.rename_axis("listener"),
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
components = model.variance_components()
components = components[components["other"].isna()]  # the others are correlations
sd = components.set_index("factor")["sd"]
slope_sd = sd["listener"].iloc[1]
tests = mixed.random_effect_tests(model).set_index("term")
slope_test = tests.filter(like="predicted in", axis=0).iloc[0]
report_value("slope_sd", slope_sd, n=len(lines))
report_text("p_slope_sd", f"p {format_p(slope_test['p'])}")
rising = 100 * (lines["slope"] > 0).mean()
report_value("rising", rising, unit="%", fmt=".0f", n=len(lines))
report_text(
    "slopes_differ", "differ" if slope_test["p"] < 0.05 else "cannot be shown to differ"
)

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
taste = people.filter(regex="^taste_")
traits = people.drop(columns=taste.columns)
traits = ((traits - traits.mean()) / traits.std()).dropna(axis="columns")
told = rows.join(traits, on="listener")
tastes = {f"taste_{style}" for style in data.styles}
if several_styles and tastes <= set(taste):
    who = taste.index.get_indexer(told["listener"])
    which = taste.columns.get_indexer("taste_" + told["style"])
    told["taste"] = taste.to_numpy()[who, which]
    told["taste"] = (told["taste"] - told["taste"].mean()) / told["taste"].std()
asked = [name for name in [*traits, "taste"] if name in told and name.isidentifier()]

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
changes = pd.DataFrame()
if asked:
    products = " + ".join(f"predicted * {name}" for name in asked)
    whom = mixed.fit_lmm(f"rating ~ {products} + {slopes}", told).fixed_effects()
    changes = whom[whom["term"].str.contains(":")].copy()
    changes["trait"] = [t.split(":")[-1].replace("_", " ") for t in changes["term"]]
    changes["p_holm"] = multipletests(changes["p"], method="holm")[1]
    show_figure(
        figures.plot_forest(
            changes, label="trait", xlabel="Change of the slope for one SD"
        ),
        "for-whom",
        "How the slope on the prediction changes with facts about the listener, in rating points "
        "for one standard deviation of each.",
        "Forest plot of the change of slope with each fact about the listener, around a line at "
        "zero.",
        table=changes,
    )

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
moves = changes.loc[changes["p_holm"] < 0.05, "trait"].tolist() if asked else []
report_text(
    "for_whom",
    "The study tells nothing about its listeners that could be asked here"
    if not asked
    else f"Corrected for their number, the slope changes with {' and '.join(moves)}"
    if moves
    else f"Corrected for their number, none of them ({', '.join(changes['trait'])}) can be "
    "shown to change the slope",
)

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
    figures.plot_forest(
        trends.table, label="style", xlabel=f"Slope of «{query}» on the prediction"
    ),
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
contrasts = trends.contrasts(adjust="holm")
equal = [
    mixed.equivalence_test(row.estimate, row.se, row.df, bound=matters)
    for row in contrasts.itertuples()
]
contrasts["p_equivalence"] = [one["p"] for one in equal]
columns = ["contrast", "estimate", "low", "high", "df", "p_adjusted", "p_equivalence"]
p_columns = ["p_adjusted", "p_equivalence"]
show_table(
    contrasts[columns].assign(**contrasts[p_columns].map(in_words)),
    "style-contrasts",
    "Differences between the styles' slopes: p that they differ (Holm), and p that the difference "
    "is smaller than what would matter.",
)

# %% tags=["needs-listeners", "needs-table-predictions", "needs-styles", "hide-input"]
n_pairs = len(contrasts)
n_different = (contrasts["p_adjusted"] < 0.05).sum()
n_equal = (contrasts["p_equivalence"] < 0.05).sum()
report_value("matters", matters, fmt=".3g")
report_value("smallest", 100 * smallest, unit="%", fmt=".3g")
report_value("n_pairs", n_pairs, fmt=".0f")
report_value("n_different", n_different, fmt=".0f")
report_value("n_equal", n_equal, fmt=".0f")
report_text(
    "style_verdict",
    "The rest is undecided: neither a difference nor its absence has been shown"
    if n_different + n_equal < n_pairs
    else "That decides every pair",
)

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
biased = mixed.fit_lmm(
    f"rating ~ predicted * style + {slopes} + (1 | listener:style)", rows
)
bias = mixed.likelihood_ratio_test(by_style, biased)
show_table(
    bias[["chisq", "p", "reference"]].assign(p=bias["p"].map(in_words)),
    "style-bias",
    "Likelihood-ratio test of the listeners' bias for styles.",
    fmt="{:.1f}",
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
# a score that was computed from the questions is none of them
questions = [q for q in data.queries if q != "groove"] or list(data.queries)
asked_all = answers[answers["query"].isin(questions)].rename(
    columns={"query": "question"}
)
asked_all["predicted"] = asked_all["track"].map((best - best.mean()) / best.std())
asked_all["rating"] /= asked_all.groupby("question")["rating"].transform("std")
report_text("common", common)

# %% tags=["needs-listeners", "needs-table-predictions"]
apart = {}
for question, own in asked_all.groupby("question", sort=False):
    with_it = mixed.fit_lmm(f"rating ~ predicted + {crossed}", own)
    without = mixed.fit_lmm(f"rating ~ 1 + {crossed}", own)
    apart[question] = with_it.fixed_effects().set_index("term").loc["predicted"]
    songs_var = [fit.mean_variances()["track"] for fit in (without, with_it)]
    apart[question]["explained"] = 1 - songs_var[1] / songs_var[0]
apart = pd.DataFrame(apart).T.astype(float).rename_axis("question").loc[questions]
apart["p_holm"] = multipletests(apart["p"], method="holm")[1]

# %% tags=["needs-listeners", "needs-table-predictions"]
both = [apart.reset_index().assign(model="each by itself")]
if len(questions) > 1:
    nested = f"{crossed} + (1 | listener:question) + (1 | track:question)"
    together = mixed.fit_lmm(f"rating ~ question * predicted + {nested}", asked_all)
    by_question = together.emtrends("predicted", "question")
    one = by_question.table.set_index("question").loc[questions].reset_index()
    both.append(one.assign(model="all in one model"))
show_figure(
    figures.plot_forest(
        pd.concat(both), label="question", hue="model", xlabel="Slope (SD for SD)"
    ),
    "questions",
    f"Slope of single ratings of each question on the prediction of «{common}», in standard "
    "deviations of single ratings, estimated for each question and in one model.",
    "Forest plot of two estimates a question, one from separate models and one from a single "
    "model, with their intervals.",
    table=pd.concat(both),
)

# %% tags=["needs-listeners", "needs-table-predictions"]
table = apart[["estimate", "low", "high", "p_holm", "explained"]].copy()
if len(questions) > 1:
    against = by_question.contrasts("mean", adjust="holm").set_index("contrast")
    names = [f"{question} - mean" for question in questions]
    table["against_mean"] = against.loc[names, "estimate"].to_numpy()
    table["p_against_mean"] = against.loc[names, "p_adjusted"].to_numpy()
shown_p = [name for name in table if name.startswith("p_")]
show_table(
    table.assign(**table[shown_p].map(in_words)),
    "questions",
    "Each question by itself: slope, p by Holm, and the share of the songs' variance that the "
    "prediction explains; then the difference from the mean slope, from the one model.",
    fmt="{:.3f}",
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
top = apart["explained"].idxmax()
report_text("top_question", top)
report_value("top_explained", apart.loc[top, "explained"], n=len(best))
reliable = (apart["p_holm"] < 0.05).sum()
report_value("n_questions", len(questions), fmt=".0f")
report_value("n_predictable", reliable, fmt=".0f")
odd = int((table["p_against_mean"] < 0.05).sum()) if len(questions) > 1 else 0
report_value("n_odd", odd, fmt=".0f")

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
# Whose variance is it? For each question, the shares of what the model predicted, the style beyond
# that, the songs beyond both, the listeners' levels (and slopes), their bias for styles, and what
# nobody can explain with this design. They add to one.

# %% tags=["needs-listeners"]
fixed, random = ["1"], ["(1 | listener)", "(1 | track)"]
if chapter.has_table("predictions"):
    fixed, random = ["predicted"], ["(1 + predicted | listener)", "(1 | track)"]
if several_styles:
    fixed, random = [*fixed, "style"], [*random, "(1 | listener:style)"]
formula = " + ".join([f"rating ~ {' + '.join(fixed)}", *random])
names = {"listener:style": "listener × style", "track": "song", "Residual": "residual"}

# %% tags=["needs-listeners"]
everything = answers.copy()
if chapter.has_table("predictions"):
    everything["predicted"] = everything["track"].map((best - best.mean()) / best.std())
shares = {}
for question, own in everything.groupby("query", sort=False):
    parts = mixed.variance_partition(mixed.fit_lmm(formula, own)).set_index("part")
    shares[question] = parts["share"].rename(index=names)
shares = pd.DataFrame(shares).T.loc[list(data.queries)]

# %% tags=["needs-listeners"]
# fixed terms that work against one another have no shares of their own
overlap = [name for name in ("predicted", "style") if name in shares]
if (shares < 0).any(axis=None):
    shares.insert(0, " and ".join(overlap), shares[overlap].sum(axis=1))
    shares = shares.drop(columns=overlap)
show_figure(
    figures.plot_partition(shares.clip(lower=0)),
    "shares",
    "Whose variance is it? Shares of the variance of single ratings, one bar a question.",
    "Stacked bars, one a question, that add to one: parts of songs, of listeners and of what was "
    "predicted in colours with their percentages, the residual in grey at the right.",
    table=shares.rename_axis("question"),
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
robust = mixed.robustness_table(model, "predicted", n_jobs=n_jobs)
if several_songs:
    third = mixed.fit_lmm(f"rating ~ predicted + {slopes} + (1 | artist)", rows)
    row = third.fixed_effects().set_index("term").loc["predicted"].to_dict()
    row["same"] = (row["low"] > 0, row["high"] < 0) == (
        slope["low"] > 0,
        slope["high"] < 0,
    )
    added = pd.DataFrame(
        [{"variant": "with artists as a sample", "unit": "rating", **row}]
    )
    robust = pd.concat([robust, added[robust.columns]], ignore_index=True)
show_table(
    robust.assign(p=robust["p"].map(in_words)),
    "robustness",
    "The slope under other reasonable analyses.",
    fmt="{:.3f}",
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
same = robust["same"].iloc[1:].astype(bool)
report_value("n_same", same.sum(), fmt=".0f")
report_value("n_variants", len(same), fmt=".0f")
changed = robust["variant"].iloc[1:][~same].tolist()
report_text(
    "robust_verdict",
    "No choice changes the conclusion"
    if not changed
    else f"The conclusion changes {'; '.join(changed)}",
)

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
power = mixed.power_simulation(
    [30, 60, 120, 240],
    [24, 48, 96, 192],
    matters,
    sd_listener=sd["listener"].iloc[0],
    sd_slope=slope_sd,
    sd_song=sd["track"],
    sd_residual=model.sigma,
    songs_per_listener=n_heard,
    n_simulations=n_simulations,
    seed=seed,
    n_jobs=n_jobs,
)

# %% tags=["needs-listeners", "needs-table-predictions"]
show_figure(
    figures.plot_power(power),
    "power",
    f"Power to find a slope of {matters:.3g} points at the 5% level by number of listeners and "
    f"songs, each listener rating {n_heard} songs at most; framed: at least 0.80. "
    f"{n_simulations} simulated studies a cell.",
    "Heat map of power with its numbers, listeners upwards and songs to the right: it grows along "
    "both.",
    table=power,
)

# %% tags=["needs-listeners", "needs-table-predictions", "hide-input"]
report_value("power_effect", matters, fmt=".3g")
cells = power.set_index(["n_listeners", "n_songs"])["power"]
more_people = cells[240, 48] - cells[60, 48]
more_songs = cells[60, 192] - cells[60, 48]
for name, size in (("more_people", more_people), ("more_songs", more_songs)):
    report_value(name, size, tolerance=0.1, n=n_simulations)
report_text(
    "buy",
    "buy songs rather than listeners"
    if more_songs > more_people + 0.05
    else "buy listeners rather than songs"
    if more_people > more_songs + 0.05
    else "listeners and songs buy about the same",
)

# %% [markdown] tags=["needs-listeners", "needs-table-predictions"]
# From 60 listeners and 48 songs on, four times the listeners add {glue:text}`more_people` to the
# power, four times the songs (with no more answers asked of anybody) {glue:text}`more_songs`. With
# spreads like these: {glue:text}`buy`. More of one sample never makes up for too few of the other
# {cite}`westfall2014`.

# %% [markdown] tags=["needs-simulation"]
# ## Are the known effects found again?
#
# The demo's ratings were drawn from a mixed model whose every number is known
# ({doc}`demo-study`). Give the true song covariates to `fit_lmm`, and all should come back. The
# intervals of the spreads follow the profile of the likelihood.

# %% tags=["needs-simulation"]
from groove_utils.synth import default_effects, simulate_listeners, song_covariates

true_songs = data.truth("songs")
covariates = song_covariates(true_songs)
known = default_effects()
truth_query = query if query in known.fixed else "dance"
own_slopes = "(1 | listener) + (0 + syncopation_z | listener) + (1 | listener:style)"
true_formula = (
    f"rating ~ {' + '.join(covariates)} + dance_inclination_z + musicianship_z:syncopation_z"
    f" + (1 | track) + {own_slopes}"
)


# %% tags=["needs-simulation"]
def recover(ratings, listeners, label):
    """Estimates of all known effects from one set of ratings, beside the truth."""
    own = ratings[ratings["query"] == truth_query].join(covariates, on="track_id")
    own = own.join(listeners.set_index("listener_id"), on="listener_id")
    own = own.join(facts, on="track_id")
    own = own.rename(columns={"listener_id": "listener", "track_id": "track"})
    fit = mixed.fit_lmm(true_formula, own)
    effects = fit.fixed_effects().assign(kind="Fixed effects")
    spread = fit.variance_components("profile")
    spread["term"] = ["song", "listener", "slope_syncopation", "style_bias", "residual"]
    spread = spread.rename(columns={"sd": "estimate"}).assign(
        kind="Standard deviations"
    )
    return pd.concat([effects, spread], ignore_index=True).assign(data=label)


# %% tags=["needs-simulation"]
again = simulate_listeners(true_songs, known, seed, discrete=False)
found = pd.concat(
    [
        recover(data.ratings, data.truth("listeners"), "as rated"),
        recover(again.ratings, again.truth["listeners"], "without a scale's ends"),
    ],
    ignore_index=True,
)
truth = pd.concat([known.fixed[truth_query], known.sd[truth_query]])
truth = truth.rename({"intercept": "Intercept"})
found["truth"] = found["term"].map(truth)
found["within"] = found["truth"].between(found["low"], found["high"])

# %% tags=["needs-simulation"]
show_figure(
    figures.plot_recovery(found[found["term"] != "Intercept"]),
    "recovery",
    f"Known effects behind «{truth_query}» (diamonds) and what the mixed model finds, from the "
    "demo's ratings, and from a new draw that is neither rounded nor clipped to the scale.",
    "Two panels of estimates with intervals, fixed effects above and standard deviations below, "
    "two colours for two sets of ratings, and a diamond at each true value.",
    table=found[["data", "kind", "term", "estimate", "low", "high", "truth", "within"]],
)

# %% tags=["needs-simulation", "hide-input"]
rated, free = (found[found["data"] == label] for label in found["data"].unique())
report_value("n_known", len(rated), fmt=".0f")
report_value("n_within", rated["within"].sum(), fmt=".0f")
report_value("n_within_free", free["within"].sum(), fmt=".0f")
missed = rated.loc[~rated["within"], "term"].tolist()
report_text("missed", ", ".join(missed) if missed else "none")
missed_free = free.loc[~free["within"], "term"].tolist()
report_text("missed_free", ", ".join(missed_free) if missed_free else "none")

# %% [markdown] tags=["needs-simulation"]
# Of {glue:text}`n_known` true values, {glue:text}`n_within` lie within their 95% intervals
# (outside: {glue:text}`missed`), and without rounding and clipping {glue:text}`n_within_free`
# (outside: {glue:text}`missed_free`). With so many intervals, about one in twenty may miss. The residual is
# another matter: the ends of the scale press it together, so that its standard deviation comes out
# too small whatever the model. That is a property of sliders, and not of this method.

# %% [markdown]
# ## Real listeners
#
# Simulated or not, every study has its own songs. Here are people: {cite:t}`oconnell2022` had 124
# listeners rate 20 songs, ten chosen for high and ten for low groove, on groove, liking and
# familiarity. Nobody has said under which licence the table is, so it is fetched when the chapter
# runs, checked by its hash, and never passed on.

# %% tags=["hide-input"]
from groove_utils.files import hash_file
from groove_utils.paths import cache_folder
from groove_utils.study import load_study, oconnell2022

if oconnell_csv and hash_file(oconnell_csv) != oconnell2022.SHA256:
    raise ValueError(
        f"oconnell_csv: {oconnell_csv} is not the published table (sha256 expected: "
        f"{oconnell2022.SHA256}). Download it again from {oconnell2022.URL}"
    )

# %% tags=["hide-input"]
real = data if "groove_group" in data.tracks else None
if real is None:
    place = cache_folder() / "oconnell2022" / "study"
    try:
        oconnell2022.make_oconnell2022(place, csv=oconnell_csv or None)
        real = load_study(place)
    except ConnectionError:
        display(
            Markdown(
                "````{admonition} Not run: the ratings could not be fetched\n"
                ":class: warning not-run\n"
                "This copy of the book was built without a connection. Download\n"
                f"<{oconnell2022.URL}>,\nand name the file in this chapter's parameter "
                "`oconnell_csv`; or run it again with a connection.\n````"
            )
        )

# %%
if real is not None:
    chapter.study = real  # captions tell whose ratings they show
    people_said = real.ratings.rename(
        columns={"listener_id": "listener", "track_id": "track"}
    )
    group = real.tracks.set_index("track_id")["groove_group"]
    # half a point to either side, so that the slope is the difference of the groups
    people_said["group"] = (
        people_said["track"].map(group).map({"low": -0.5, "high": 0.5})
    )

# %%
if real is not None:
    kinds = {"all songs": [-0.5, 0.5], "high groove": [0.5], "low groove": [-0.5]}
    real_parts = []
    for question, (label, groups) in [
        (q, k) for q in real.queries for k in kinds.items()
    ]:
        own = people_said[people_said["query"] == question]
        own = own[own["group"].isin(groups)]
        fit = mixed.fit_lmm("rating ~ 1 + (1 | listener) + (1 | track)", own)
        spread = fit.mean_variances().drop("Fixed").rename({"track": "song"})
        single = spread["song"] / (spread["song"] + spread["Residual"])
        real_parts.append(
            {"question": question, "songs": label, **spread, "ICC(C,1)": single}
        )
    real_parts = pd.DataFrame(real_parts)
    show_table(
        real_parts,
        "real-variances",
        "Real listeners: variances on the scale of 1–7, and agreement of single listeners.",
    )

# %%
if real is not None:
    grooves = people_said[people_said["query"] == "groove"]
    real_errors = mixed.compare_error_models(
        "rating ~ group + (1 + group | listener) + (1 | track)", grooves
    )
    real_errors = real_errors[real_errors["term"] == "group"].reset_index(drop=True)
    show_figure(
        figures.plot_forest(
            real_errors, label="model", xlabel="High minus low groove, points of 1–7"
        ),
        "real-groups",
        "Real listeners: the difference between songs of high and low groove under error models "
        "that ignore listeners, songs, both or neither.",
        "Forest plot of one difference under several error models: the same estimate in each row, "
        "all far from zero, with much narrower intervals where songs are ignored.",
        table=real_errors,
    )

# %% tags=["hide-input"]
if real is not None:
    grooved = real_parts[real_parts["question"] == "groove"].set_index("songs")
    whole = grooved.loc["all songs"]
    answer = real_errors.set_index("model").loc["crossed"]
    told_real = {
        name: format_value(value, n=len(grooves))["text"]
        for name, value in {
            "song": whole["song"],
            "listener": whole["listener"],
            "residual": whole["Residual"],
            "icc": whole["ICC(C,1)"],
            "high": grooved.loc["high groove", "ICC(C,1)"],
            "low": grooved.loc["low groove", "ICC(C,1)"],
            "ratio": real_errors.set_index("model").loc["listener only", "se_ratio"],
        }.items()
    }
    effect = format_value(answer["estimate"], ci=(answer["low"], answer["high"]))[
        "full"
    ]
    display(
        Markdown(
            f"For groove, songs hold a variance of {told_real['song']}, listeners "
            f"{told_real['listener']}, and {told_real['residual']} is residual: single listeners "
            f"agree as far as ICC(C,1) = {told_real['icc']}. But these songs are extreme groups. "
            f"Within the high ones the agreement is {told_real['high']}, within the low ones "
            f"{told_real['low']}: a ceiling belongs to a selection of songs. Songs of the one group "
            f"are rated higher than those of the other by {effect} points, and whoever takes the "
            f"songs as fixed gets a standard error {told_real['ratio']} times as large as it should "
            "be."
        )
    )
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
bars = {
    "artist": "(1 | artist)" if several_songs else "",
    "style": "(1 | style)" if several_styles else "",
}
bars = {name: bar for name, bar in bars.items() if bar}

# %% tags=["needs-table-predictions"]
plain = smf.ols("observed ~ predicted", means).fit()
low, high = plain.conf_int().loc["predicted"]
level = [{"model": "song means, OLS", "estimate": plain.params["predicted"]}]
level[0] |= {"low": low, "high": high}
song_fit = None
for k in range(1, len(bars) + 1):
    song_fit = mixed.fit_lmm(
        f"observed ~ predicted + {' + '.join([*bars.values()][:k])}", means
    )
    row = song_fit.fixed_effects().set_index("term").loc["predicted"]
    label = f"song means, {' and '.join([*bars][:k])} random"
    level.append({"model": label, **row[["estimate", "low", "high"]]})
if data.has("listeners"):
    level.append(
        {"model": "single ratings, crossed", **slope[["estimate", "low", "high"]]}
    )
level = pd.DataFrame(level)

# %% tags=["needs-table-predictions"]
show_figure(
    figures.plot_forest(
        level, label="model", xlabel=f"Slope of «{query}» on the prediction"
    ),
    "song-level",
    "The slope from song means alone, with bands and styles as random effects, and from single "
    "ratings where there are any.",
    "Forest plot of the slope from song means, by ordinary regression and with growing random "
    "parts, each with its interval.",
    table=level,
)

# %% tags=["needs-table-predictions", "hide-input"]
last = level[level["model"].str.startswith("song means")].iloc[-1]
report_value(
    "song_level_slope", last["estimate"], ci=(last["low"], last["high"]), n=len(means)
)
if song_fit is not None:
    spread = song_fit.variance_components().rename(columns={"factor": "of"})
    spread = spread[["of", "variance", "sd"]].set_index("of")
    show_table(spread, "song-level-variances", "Whose variance, from song means alone.")
styles_sd = (
    spread.loc["style", "sd"] if song_fit is not None and several_styles else 0.0
)
report_text(
    "few_styles",
    f"{len(data.styles)} styles are a small sample: their spread ({styles_sd:.1f} points) is "
    "hardly known, and neither is the interval of anything that varies between styles"
    if several_styles
    else "With a single style, nothing can be said about styles",
)

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
# Every listener–song pair is a level of its own then, so that the random term of songs swallows the
# residual (the model will complain of exactly that), and nothing links two listeners who heard the
# same song. The standard error falls to about that of the model with listeners only: a difference
# between songs counts once for each listener, as if it were news each time.
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
