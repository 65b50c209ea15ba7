# %% [markdown]
# # Who heard what, and how far do listeners agree?
#
# Before we predict how much a song grooves, we describe the ratings: who was asked, about which songs,
# in which words, and how far two listeners agree. The agreement sets a ceiling, because no model can
# predict the part of a rating that is chance.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to read a rating study: its design, its questions, and the reliability of its
# song means, which is the noise ceiling of every model in the chapters to come.
#
# **You need** means, variances and correlations. No machine learning yet.
#
# **It runs** in about half a minute. Module: `groove_utils.study`, `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
query = "groove"  # the question that the text follows
n_splits = 500  # random halves of the listeners, for split-half reliability

# %%
import numpy as np
import pandas as pd

from groove_utils import figures, mixed
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.book.summaries import as_reported
from groove_utils.book.verdicts import pick_verdict
from groove_utils.stats import join_words

chapter = open_chapter("01-listeners-and-tracks", study)
data = chapter.study
query = query if query in data.queries else next(iter(data.queries))
data

# %% [markdown]
# A study is a folder of four small tables and some sound; {doc}`adapt` says what is in them.
# All chapters read a study only from that folder, so you can replace it by your own ratings.
#
# ## The songs
#
# Songs by one artist resemble each other: they share a drummer and a producer. Two songs by one band
# are therefore not two independent pieces of evidence, and we count artists as well as songs.

# %%
by_style = data.tracks.groupby("style")
songs = by_style.agg(songs=("track_id", "size"), artists=("artist", "nunique"))
caption = "Songs and artists by style: the sample that all rests on."
show_table(songs.loc[data.styles], "songs", caption)

# %% tags=["hide-input"]
report_value("n_songs", len(data.tracks), fmt=".0f")
report_value("n_artists", data.tracks["artist"].nunique(), fmt=".0f")
report_value("n_styles", len(data.styles), fmt=".0f")

# %% [markdown]
# There are {glue:text}`n_songs` songs by {glue:text}`n_artists` artists in {glue:text}`n_styles`
# style(s).

# %% [markdown] tags=["needs-audio"]
# ### Listen before you compute
#
# One song of each style, at the same loudness. Listen for what makes you want to move: the position of
# the snare, the bass and the bass drum together, the rests.

# %% tags=["needs-audio"]
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
audio_player(
    {f"{style}: {track}": data.audio_path(track) for style, track in first.items()}
)

# %% [markdown] tags=["needs-stems"]
# The stems of the first of these songs. Models receive the mix; {doc}`08-stem-ablation` asks which stems
# carry the information that they use.

# %% tags=["needs-stems"]
track = first.iloc[0]
audio_player(
    {f"{track}: {stem}": path for stem, path in data.stem_paths(track).items()}
)

# %% [markdown]
# ## The questions
#
# These are the questions in the words of the study. In the literature, “groove” is the pleasurable
# urge to move {cite}`janata2012,madison2006`. {cite:t}`marmoret2026` ask about its facets one by one
# and compute a groove score from the answers. The book follows one target through all chapters,
# “{glue:text}`query`”; figures also show the others.

# %%
wording = pd.Series(data.queries, name="wording").rename_axis("query")
show_table(wording.to_frame(), "queries", "The questions and their wording.")

# %%
means = {query: data.song_means(query).rename("mean") for query in data.queries}
means = pd.concat(means, names=["query"]).reset_index()
means = means.merge(data.tracks[["track_id", "style"]])

# %%
widest = max(data.scales.values())  # a derived score may have a scale of its own
raw = [query for query in data.queries if data.scales[query] == widest]
show_figure(
    figures.plot_rating_distributions(means[means["query"].isin(raw)], data.styles),
    "song-means",
    f"Mean ratings of {len(data.tracks)} songs; boxes show the quartiles of a style.",
    "Box plots with dots, one group per question and one box per style, for comparison.",
    table=means,
)

# %% tags=["hide-input"]
fmt = (
    ".0f" if np.ptp(data.scales[query]) > 20 else ".2f"
)  # decimals that the scale needs
one = means[means["query"] == query].dropna(subset=["mean"])
between = one.groupby("style")["mean"].transform("mean").var() / one["mean"].var()
report_text("query", query)
report_value("song_sd", one["mean"].std(), n=len(one), fmt=fmt)
report_value("style_share", between, n=len(one))
report_value("lowest_song", one["mean"].min(), fmt=fmt)
report_value("highest_song", one["mean"].max(), fmt=fmt)

# %% [markdown]
# For “{glue:text}`query`”, song means range from {glue:text}`lowest_song` to
# {glue:text}`highest_song`, with a standard deviation of {glue:text}`song_sd`. Differences between
# styles account for {glue:text}`style_share` of their variance. This matters for every later
# chapter: if styles differ in their mean rating, a model that recognises only the style already
# predicts part of the ratings. Each score is therefore compared with that of the style alone.

# %%
correlations = means.pivot(index="track_id", columns="query", values="mean").corr()
correlations = correlations.loc[raw, raw]  # a derived score would count its parts twice
show_figure(
    figures.plot_correlations(correlations),
    "correlations",
    f"Pearson correlations between questions, over the means of {len(data.tracks)} songs.",
    "Lower triangle of a matrix with a number in each cell, red if positive, blue if negative.",
    table=correlations,
)

# %% tags=["hide-input"]
axes = np.linalg.eigvalsh(correlations)[::-1] / len(correlations)
derived = [name for name in data.queries if name not in raw]
report_value("n_queries", len(correlations), fmt=".0f")
report_value("first_axis", 100 * axes[0], n=len(data.tracks), fmt=".0f", unit="%")
report_text(
    "derived",
    f"“{join_words(derived)}” is computed from them and counts as no further question"
    if derived
    else "none is computed from the others",
)

# %% [markdown]
# Listeners answered {glue:text}`n_queries` questions; {glue:text}`derived`. The answers are not
# independent ({numref}`fig-correlations`): the first principal axis holds {glue:text}`first_axis` of
# their variance over songs. A feature that predicts one of two correlated questions also predicts
# the other. Several predicted questions are therefore not several confirmations.
#
# ## Who rated what

# %% [markdown] tags=["needs-listeners"]
# {numref}`fig-design` shows who rated which song: listeners and songs are *crossed*, each listener
# meets many songs and each song many listeners. Both are samples, of people and of music, which
# {doc}`09-mixed-models` takes seriously.

# %% tags=["needs-listeners"]
matrix = data.rating_matrix(query)
show_figure(
    figures.plot_design(matrix, data.tracks.set_index("track_id")["style"]),
    "design",
    f"Ratings of “{query}”: one row per listener, one column per song. White: not rated.",
    "Matrix of listeners by songs, coloured where rated; rows differ in overall brightness.",
)

# %% tags=["needs-listeners", "hide-input"]
rated = matrix.notna()
report_value("n_listeners", len(matrix), fmt=".0f")
report_value("raters_per_song", rated.sum().mean(), fmt=".0f", n=matrix.shape[1])
report_value("songs_per_listener", rated.sum(axis=1).mean(), fmt=".0f", n=len(matrix))
report_value("rated_share", rated.to_numpy().mean(), fmt=".0%")

# %% [markdown] tags=["needs-listeners"]
# {glue:text}`n_listeners` listeners rated about {glue:text}`songs_per_listener` songs each, so that
# a song was rated by {glue:text}`raters_per_song` of them on average, and
# {glue:text}`rated_share` of the matrix is filled.
#
# ### Listeners use the scale differently
#
# Some rows of that matrix are brighter than others. {numref}`fig-scale-use` shows each listener's
# mean and standard deviation. The same number need not mean the same for two people.

# %% tags=["needs-listeners"]
use = matrix.agg(["mean", "std"], axis=1).rename(columns={"std": "sd"})
show_figure(
    figures.plot_scale_use(use, data.scales[query]),
    "scale-use",
    f"Ratings of “{query}” by {len(use)} listeners. Dotted: the mean over listeners.",
    "Scatter plot of listeners' means and standard deviations around a dotted line.",
    table=use,
)

# %% [markdown] tags=["needs-listeners"]
# A model with crossed random effects divides the variance of a single rating into three parts:
# differences between songs, differences between the average ratings of listeners, and the rest, which
# is taste, mood and chance.

# %% tags=["needs-listeners"]
by_query = data.ratings.groupby("query")
variances = pd.DataFrame({q: mixed.rating_variances(part) for q, part in by_query}).T
shares = variances.div(variances.sum(axis=1), axis=0).loc[list(data.queries)]
shares = shares.rename_axis("query")

# %% tags=["needs-listeners"]
show_figure(
    figures.plot_variance_shares(shares),
    "variance",
    "Shares of the variance of single ratings: songs, listeners' own levels, and the rest.",
    "Stacked bars, one a question, of the shares of song, listener and residual with numbers.",
    table=shares,
)

# %% tags=["needs-listeners", "hide-input"]
report_value("song_variance", shares.loc[query, "song"], n=len(matrix))
report_value("listener_variance", shares.loc[query, "listener"], n=len(matrix))
report_value("residual_variance", shares.loc[query, "residual"], n=len(matrix))

# %% [markdown] tags=["needs-listeners"]
# For “{glue:text}`query`”, songs account for {glue:text}`song_variance` of the variance, the average
# levels of listeners for {glue:text}`listener_variance`, and {glue:text}`residual_variance` is neither.
# A model of the songs can explain only the first part.
#
# ## How far do listeners agree?
#
# We divide the listeners into two halves at random and compare the song means of the halves
# ({numref}`fig-halves`). With perfect agreement, all dots would lie on the line.

# %% tags=["needs-listeners"]
lot = np.random.default_rng(seed).permutation(len(matrix)) % 2 == 0
halves = pd.DataFrame({"one": matrix[lot].mean(), "other": matrix[~lot].mean()})
halves["style"] = data.tracks.set_index("track_id")["style"]
show_figure(
    figures.plot_halves(halves.dropna(), data.styles),
    "halves",
    f"Mean ratings of “{query}” by one half of {len(matrix)} listeners and by the other.",
    "Scatter plot of songs, one half's mean against the other's, by style around the diagonal.",
    table=halves,
)

# %% [markdown] tags=["needs-listeners"]
# The {term}`intraclass correlation` of single ratings, ICC(C,1) {cite}`shrout1979,mcgraw1996`,
# measures how similarly two listeners order the songs. The mean over many listeners is more reliable,
# because individual taste averages out. The reliability of the song means is the share of their
# variance that belongs to the songs. It is also the R² that a *perfect* model of the songs would reach
# against them: the {term}`noise ceiling`.

# %% tags=["needs-listeners"]
ceilings = mixed.noise_ceiling(data.ratings, n_splits=n_splits, seed=seed)
ceilings = ceilings.set_index("query").loc[list(data.queries)].reset_index()
chapter.save_table(ceilings, "ceilings")

# %% tags=["needs-listeners"]
shown = ceilings[ceilings["method"].isin(["ICC(C,1)", "split-half", "song means"])]
show_figure(
    figures.plot_forest(shown, label="query", hue="method", xlabel="Reliability"),
    "ceilings",
    "Agreement of single listeners and reliability of song means, with 95% intervals.",
    "Forest plot by question: agreement of single listeners on the left, and two estimates of "
    "the reliability of song means further to the right.",
    table=shown,
)

# %% tags=["needs-listeners", "hide-input"]
mine = ceilings[ceilings["query"] == query].set_index("method")
for name, method in (
    ("icc_single", "ICC(C,1)"),
    ("icc_agreement", "ICC(A,1)"),
    ("ceiling", "song means"),
    ("split_half", "split-half"),
):
    row = mine.loc[method]
    report_value(name, **as_reported(row, row["n_listeners"]))
report_text(
    "ceiling_word",
    pick_verdict(
        mine.loc["song means"],
        "more than half of the variance of song means belongs to the songs",
        "more than half of the variance of song means is chance",
        "it is unclear whether the songs make more than half of the variance of the means",
        reference=0.5,
    ),
)

# %% [markdown] tags=["needs-listeners"]
# For “{glue:text}`query`”, the agreement of two single listeners is low: ICC(C,1) is
# {glue:text}`icc_single_full`. If they also have to give the same *numbers*, ICC(A,1) is
# {glue:text}`icc_agreement_full`. The mean over all raters of a song has a reliability of
# {glue:text}`ceiling_full`. Split halves, extrapolated to all listeners by the Spearman–Brown formula,
# estimate the same quantity: {glue:text}`split_half_full`. In short, {glue:text}`ceiling_word`.
#
# The ceiling is that of the *songs*, not of their sound: a quality of a song that leaves no trace in
# the audio also counts as song variance. A model of the audio can therefore stay below the ceiling
# even if it uses everything that can be heard.
#
# ## What if fewer people had been asked?
#
# The answer depends on the design. If the same people rate all songs, their average levels move all
# songs alike and do not matter. If each song has raters of its own, a song can meet generous or strict
# ones, which adds noise. {numref}`fig-rater-curve` shows both. The crosses check the second case: they
# are correlations between two panels of raters that were drawn for each song.

# %% tags=["needs-listeners"]
answers = data.ratings[data.ratings["query"] == query]
curve = mixed.rater_curve(answers, seed=seed)
curve["query"] = curve["raters"] + " raters for each song"

# %% tags=["needs-listeners"]
show_figure(
    figures.plot_rater_curve(curve, rated.sum().mean()),
    "rater-curve",
    f"Reliability of the song means of “{query}”, the R² of a perfect model, by raters per song "
    "in two designs. Bands: 95%.",
    "Two curves over the number of raters that rise steeply, then flatten out; the one for "
    "different raters is lower, and crosses lie on it.",
    table=curve,
)

# %% tags=["needs-listeners", "hide-input"]
designs = {"reach": "different", "reach_same": "the same"}
for name, raters in designs.items():
    steps = curve[curve["raters"] == raters].set_index("k")
    for k in (5, 20, 50):
        report_value(f"{name}_{k}", **as_reported(steps.loc[k], value="reliability"))

# %% [markdown] tags=["needs-listeners"]
# With five raters for each song, different for each, a perfect model of “{glue:text}`query`” would
# reach an R² of {glue:text}`reach_5_full`, with twenty {glue:text}`reach_20_full`, and with fifty
# {glue:text}`reach_50_full`. If the same people rate all songs, it would reach
# {glue:text}`reach_same_5`, {glue:text}`reach_same_20` and {glue:text}`reach_same_50`. The number and the
# choice of raters therefore belong to every report of an R².

# %% [markdown] tags=["needs-simulation"]
# ### Is the ceiling right?
#
# In the simulation, the true mean of each song is known: the mean over an unlimited number of
# listeners. Its squared correlation with the means of the ratings is what a perfect model reaches.

# %% tags=["needs-simulation"]
from groove_utils.synth.questionnaire import groove_score

true = data.truth("song_effects").set_index("track_id").filter(like="mean_")
true.columns = true.columns.str.removeprefix("mean_")
true["groove"] = groove_score(true)
means_wide = means.pivot(index="track_id", columns="query", values="mean")
true = true[true.columns.intersection(means_wide.columns)]
reached = (true.corrwith(means_wide[true.columns]) ** 2).rename("estimate")
reached = reached.rename_axis("query").reset_index().assign(method="true song means")
reached["low"] = reached["high"] = reached["estimate"]
estimated = ceilings[ceilings["method"] == "song means"]
estimated = estimated[estimated["query"].isin(true.columns)].assign(method="ceiling")

# %% tags=["needs-simulation"]
both = pd.concat([estimated, reached])
show_figure(
    figures.plot_forest(both, label="query", hue="method", xlabel="R²", reference=None),
    "ceiling-check",
    "The noise ceiling, estimated from the ratings alone, and the R² of the true song means.",
    "Forest plot by question: the estimated ceiling with its interval, and a dot for the truth.",
    table=both[["query", "method", "estimate", "low", "high"]],
)

# %% tags=["needs-simulation", "hide-input"]
paired = estimated.merge(reached, on="query", suffixes=("", "_true"))
inside = paired["estimate_true"].between(paired["low"], paired["high"])
errors = (paired["estimate"] - paired["estimate_true"]).abs()
report_value("ceilings_inside", inside.sum(), fmt=".0f", n=len(inside))
report_value("ceiling_error", errors.mean(), n=len(errors))
outside = [
    f"“{row.query}” ({row.estimate:.2f} instead of {row.estimate_true:.2f})"
    for row in paired[~inside].itertuples()
]
report_text("ceiling_missed", join_words(outside))

# %% [markdown] tags=["needs-simulation"]
# The truth lies inside the interval for {glue:text}`ceilings_inside_full` questions; outside:
# {glue:text}`ceiling_missed`. The mean absolute error of the estimates is {glue:text}`ceiling_error`.

# %% [markdown] tags=["needs-simulation"]
# ## Are these listeners plausible?
#
# The listeners are simulated. Results about methods carry over only if simulated listeners disagree
# as people do. The table compares their statistics with those of real studies.

# %% tags=["needs-simulation"]
show_table(
    mixed.simulation_table(data.ratings),
    "simulated-beside-real",
    "Simulated and real listeners, with the source of the real value.",
)

# %% [markdown]
# ## What could be wrong here
#
# - **The ceiling is about these songs.** Extreme groups of songs, half of them chosen for high and
#   half for low groove, agree far better than an ordinary spread of songs
#   {cite}`oconnell2022`. A ceiling does not travel from one selection of songs to another.
# - **The mean is not the listener.** A model at the ceiling of the means does not show which single
#   listeners want to move. {doc}`09-mixed-models` predicts single ratings.
# - **Consistency or agreement?** ICC(C,·) ignores differences between listeners' average ratings.
#   That suits means of a design in which the same people rate all songs. It is too favourable for
#   single answers and for songs with different raters.
#
# What would change the conclusion: intervals of the ceiling that reach down to the scores of the
# models. Models could then not be distinguished from perfect ones.
#
# ## Exercises
#
# 1. Change `query` to another question and run the chapter again (`make chapter
#    CH=01-listeners-and-tracks`). Which question would you rather predict, and why?

# %% [markdown]
# ````{dropdown} Solution
# The one with the highest reliability leaves a model most to explain, but look at
# {numref}`fig-correlations` as well: a question that correlates with all others may be mostly
# about liking. The choice should be made before looking at any model's score.
# ````
#
# 2. How many raters per song would you ask for, if each rating cost the same, and you could also
#    spend the money on more songs?

# %% [markdown]
# ````{dropdown} Solution
# Read the curve: where it is flat, another rater buys little. More songs narrow the interval of
# every model's score instead, roughly with the square root of their number. {doc}`06-probing`
# measures both.
# ````
#
# 3. Take each listener's mean away from their ratings before you average over listeners. Do the song
#    means become more reliable? When would they?
#
# ````{dropdown} Solution
# Where every listener rated every song, nothing changes: each song's mean loses the same amount.
# In an incomplete design, a song whose raters happen to be generous has too high a mean. Subtracting
# the levels corrects this, and helps most if each song has few raters.
# ````

# %% [markdown]
# ## Summary
#
# - Songs are nested in artists and styles, and ratings are crossed over listeners and songs.
# - Listeners differ in how they use the scale and in what they like; the mean over many of them is
#   more reliable than any one. Its reliability is the ceiling that the next chapters draw into their
#   figures.
# - Questions overlap: what is found for one is not confirmed by another that correlates with it.
#
# **Next:** {doc}`02-representations` looks at what there is to be heard, and at what is lost when
# sound becomes a picture.
