# %% [markdown]
# # Who heard what, and how far do listeners agree?
#
# Before we predict how much a song grooves, we describe the ratings: who rated which songs, what
# questions the listeners were asked, and how closely any two of them agree. This agreement limits how
# well any model can score, because no model can predict the part of a rating that is due to chance.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** how to read a rating study: its design, its questions, and the reliability of its
# song means (the mean rating of each song), which sets an upper limit, the noise ceiling, for the
# models in the following chapters.
#
# **You need** to know means, variances and correlations, but no machine learning.
#
# **Run time**: {run-time}`01-listeners-and-tracks`, measured when this page was built. **Modules**:
# `groove_utils.study`, `groove_utils.mixed`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
query = "groove"  # the question that this chapter discusses
n_splits = 500  # random splits of the listeners, for split-half reliability

# %%
import numpy as np
import pandas as pd

from groove_utils import figures, mixed
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_counts,
    report_effects,
    report_percentages,
    report_texts,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.book.verdicts import pick_verdict
from groove_utils.stats import join_words

chapter = open_chapter("01-listeners-and-tracks", study)
data = chapter.study
query = query if query in data.queries else next(iter(data.queries))
data

# %% [markdown]
# A study is a folder with a short description, a few small tables, and sound files; {doc}`adapt`
# lists them. The chapters read all their data from this folder, so you can run them on your own
# ratings by specifying another folder.
#
# ## The songs
#
# Songs by the same artist tend to resemble each other: for instance, they often share a drummer or a
# producer. Two songs by one artist are therefore not two independent pieces of evidence, so we count
# artists as well as songs.

# %%
by_style = data.tracks.groupby("style")
songs = by_style.agg(songs=("track_id", "size"), artists=("artist", "nunique"))

# %% tags=["hide-input"]
show_table(songs.loc[data.styles], "songs", "Numbers of songs and artists, by style.")
report_counts(n_songs=len(data.tracks), n_artists=data.tracks["artist"].nunique())
report_counts(n_styles=len(data.styles))

# %% [markdown]
# The study contains {glue:text}`n_songs` songs by {glue:text}`n_artists` artists (number of styles:
# {glue:text}`n_styles`).

# %% [markdown] tags=["needs-audio"]
# ### Listen before you compute
#
# Here is one song in each style. All songs are played at the same loudness. Listen for what makes you
# want to move: for example, where the snare strokes fall, the interplay of bass and bass drum, or the
# rests.

# %% tags=["needs-audio"]
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
titles = data.song_names
sounds = {f"{titles[t]} ({s})": data.audio_path(t) for s, t in first.items()}
audio_player(sounds)

# %% [markdown] tags=["needs-stems"]
# Here are the {term}`stems <stem>` of the first song: separate recordings of its drums, bass, vocals
# and other instruments. The models receive the full mix; {doc}`08-stem-ablation` asks which stems
# carry the information that the models use. Play all stems together, then mute one of them, or listen
# to one on its own.

# %% tags=["needs-stems"]
track = first.iloc[0]
audio_player(data.stem_paths(track), mixer=True)

# %% [markdown]
# ## The questions
#
# {numref}`tab-queries` quotes the questions of the study. In the literature, “groove” is defined as
# the pleasurable urge to move {cite}`janata2012,madison2006`. {cite:t}`marmoret2026` ask about
# several facets of groove, and compute a groove score from the answers. This chapter discusses one
# question, “{glue:text}`query`”; some figures also show the others.

# %% tags=["hide-input"]
wording = pd.Series(data.queries, name="wording").rename_axis("query")
show_table(wording.to_frame(), "queries", "The questions and their wording.")

# %% [markdown]
# Most of the later chapters predict each song's mean rating, averaged over the listeners who rated
# it. {numref}`fig-song-means` shows these means for each question, by style. The function
# `style_share` computes the proportion of the variance of these means that is due to differences
# between styles.

# %%
means = {query: data.song_means(query).rename("mean") for query in data.queries}
means = pd.concat(means, names=["query"]).reset_index()
means = means.merge(data.tracks[["track_id", "style"]])
chosen = means[means["query"] == query].dropna(subset=["mean"])
style = data.tracks.set_index("track_id")["style"]
widest = max(data.scales.values())  # a derived score may have its own scale
raw = [q for q in data.queries if data.scales[q] == widest]


def style_share(song_means):
    song_means = song_means.dropna()
    style_means = song_means.groupby(style).transform("mean")
    return style_means.var() / song_means.var()


# %% tags=["hide-input"]
show_figure(
    figures.plot_rating_distributions(means[means["query"].isin(raw)], data.styles),
    "song-means",
    f"Mean ratings of {len(data.tracks)} songs. Boxes show the quartiles of each style.",
    "Box plots with dots, one group per question and one box per style.",
    table=means,
)
report_texts(query=query)
report_value("song_sd", chosen["mean"].std(), n=len(chosen))
report_percentages({"style_share": style_share(data.song_means(query))}, len(chosen))
report_value("lowest_song", chosen["mean"].min())
report_value("highest_song", chosen["mean"].max())

# %% [markdown]
# For “{glue:text}`query`”, song means range from {glue:text}`lowest_song` to
# {glue:text}`highest_song`, with a standard deviation of {glue:text}`song_sd`. Differences between
# styles account for {glue:text}`style_share` of the variance of song means. These differences matter
# in every later chapter: if styles differ in their mean rating, a model that merely recognises the
# style can already predict the ratings to some extent. We therefore compare the score of each model
# with that of a prediction based on style alone.

# %%
wide = means.pivot(index="track_id", columns="query", values="mean")
correlations = wide[raw].corr()  # without scores computed from other questions
shares = np.linalg.eigvalsh(correlations)[::-1] / len(correlations)

# %% tags=["hide-input"]
show_figure(
    figures.plot_correlations(correlations),
    "correlations",
    f"Pearson correlations between questions, computed from the means of {len(data.tracks)} songs.",
    "Lower triangle of a correlation matrix; positive correlations are red, negative ones blue.",
    table=correlations,
)
report_texts(derived=join_words(name for name in data.queries if name not in raw))
report_counts(n_queries=len(correlations))
report_percentages({"first_axis": shares[0]}, len(data.tracks))

# %% [markdown]
# Listeners answered {glue:text}`n_queries` questions. Scores computed from several answers (in this
# study: {glue:text}`derived`) are left out here, because including them would count the same answers
# twice. The questions are not independent ({numref}`fig-correlations`): the first principal
# component, the weighted sum of the questions with the largest variance, accounts for
# {glue:text}`first_axis` of the variance of the standardised song means. If two questions are
# correlated, a feature that predicts the answers to one tends to predict the answers to the other as
# well. If a model succeeds on several questions, these successes are therefore not independent
# confirmations.
#
# ## Who rated what

# %% [markdown] tags=["needs-listeners"]
# {numref}`fig-design` shows who rated which song. Listeners and songs are *crossed*: each listener
# rates many songs, and each song is rated by many listeners. The listeners are a sample of people and
# the songs a sample of music; for this reason, {doc}`09-mixed-models` treats both as random effects.

# %% tags=["needs-listeners"]
matrix = data.rating_matrix(query)
rated = matrix.notna()

# %% tags=["needs-listeners", "hide-input"]
show_figure(
    figures.plot_design(matrix, style),
    "design",
    f"Ratings of “{query}”: one row per listener, one column per song. Blank: not rated.",
    "Matrix of listeners by songs, coloured where rated; rows differ in overall brightness.",
)
report_counts(n_listeners=len(matrix))
report_value("raters_per_song", rated.sum().mean(), fmt=".0f", n=matrix.shape[1])
report_value("songs_per_listener", rated.sum(axis=1).mean(), fmt=".0f", n=len(matrix))
report_percentages({"rated_share": rated.to_numpy().mean()})

# %% [markdown] tags=["needs-listeners"]
# The {glue:text}`n_listeners` listeners rated about {glue:text}`songs_per_listener` songs each. On
# average, each song was rated by {glue:text}`raters_per_song` listeners, and {glue:text}`rated_share`
# of the cells in {numref}`fig-design` are filled.
#
# ### Listeners use the scale differently
#
# Some rows of {numref}`fig-design` are brighter than others, because listeners differ in their
# average rating. {numref}`fig-scale-use` shows the mean and standard deviation of each listener's
# ratings. Because of these differences, two people who give the same rating may not mean the same
# thing by it.

# %% tags=["needs-listeners"]
scale_use = matrix.agg(["mean", "std"], axis=1).rename(columns={"std": "sd"})

# %% tags=["needs-listeners", "hide-input"]
show_figure(
    figures.plot_scale_use(scale_use, data.scales[query]),
    "scale-use",
    f"Mean and standard deviation of the ratings of “{query}” by each of {len(scale_use)} listeners. "
    "Dotted line: the mean over listeners.",
    "Scatter plot of listeners' means and standard deviations around a dotted line.",
    table=scale_use,
)

# %% [markdown] tags=["needs-listeners"]
# ## How closely do two listeners agree?
#
# Let $x_{ij}$ be the rating of song $i$ by listener $j$. A model with crossed effects describes this
# rating as the sum of an overall mean, a song effect, a listener effect and a residual, which
# includes individual taste, mood and chance:
#
# $$ x_{ij} = \mu + s_i + l_j + e_{ij} $$
#
# The variances of the song effects, the listener effects and the residuals are $S$, $L$ and $E$,
# respectively. The {term}`intraclass correlation` of single ratings is the share of the variance that
# is due to songs. It has two versions: ICC(C,1) is the songs' share of the variance *within
# listeners*, and ICC(A,1) is their share of the total variance:
#
# $$ \mathrm{ICC}(C,1) = \frac{S}{S + E}, \qquad \mathrm{ICC}(A,1) = \frac{S}{S + L + E} $$
#
# ICC(C) measures consistency and ignores differences between listeners' average ratings; ICC(A)
# measures agreement and counts such differences as disagreement. The 1 stands for a single rating. We
# apply the formulas to the best-known example in the literature, in which four judges rate six
# targets (the objects that are judged) {cite}`shrout1979`. If every judge rates every target, $S$ and
# $E$ can be computed from two mean squares in an analysis of variance: the mean square of the targets
# and that of the residuals.

# %% tags=["needs-listeners"]
A, B = [9, 6, 8, 7, 10, 6], [2, 1, 4, 1, 5, 2]
C, D = [5, 3, 6, 2, 6, 4], [8, 2, 8, 6, 9, 7]
judges = pd.DataFrame({"A": A, "B": B, "C": C, "D": D})
n, k = judges.shape
target_means, judge_means = judges.mean(axis=1), judges.mean()
residuals = judges.sub(target_means, axis=0).sub(judge_means)
residuals = residuals + judge_means.mean()
ms_targets = k * target_means.var()
ms_residual = (residuals**2).sum().sum() / ((n - 1) * (k - 1))
single = (ms_targets - ms_residual) / (ms_targets + (k - 1) * ms_residual)
print(f"ICC(C,1) = {single:.2f}")

# %% [markdown] tags=["needs-listeners"]
# The published value of ICC(C,1) for this example is .71. The *mean* of several judges is more
# reliable than a single judge, because individual tastes and random errors average out. If $k$ judges
# rate all targets, the reliability of their mean is ICC(C,k), known in psychology as Cronbach's
# alpha. The Spearman–Brown formula gives this reliability in terms of ICC(C,1), written $\rho_1$
# below. It can also be computed from the variance of each judge's ratings $x_j$ and the variance of
# the sum of all judges' ratings:
#
# $$ \rho_k = \frac{k \, \rho_1}{1 + (k - 1) \, \rho_1} = \frac{k}{k - 1}
# \left( 1 - \frac{\sum_j \mathrm{var}(x_j)}{\mathrm{var}(\sum_j x_j)} \right) $$
#
# The first two lines of the next cell compute ICC(C,k) from these two formulas. `assert_allclose`
# then checks the results: the build of this page stops if our function `icc` does not give the same
# numbers to within $10^{-8}$.

# %% tags=["needs-listeners"]
stepped_up = k * single / (1 + (k - 1) * single)
alpha = k / (k - 1) * (1 - judges.var().sum() / judges.sum(axis=1).var())
icc = mixed.icc(judges.T).set_index("type")["estimate"]
np.testing.assert_allclose(icc[["C,1", "C,k"]], [single, alpha], atol=1e-8)
print(f"ICC(C,4) = {stepped_up:.2f} = {alpha:.2f}")

# %% [markdown] tags=["needs-listeners"]
# Most rating tables are incomplete, because few people are willing to rate hundreds of songs. For
# such tables, the formulas based on mean squares do not apply, so we estimate the variances by
# restricted maximum likelihood instead. The function `rating_variances` does this for the ratings of
# “{glue:text}`query`”.

# %% tags=["needs-listeners"]
ratings = data.ratings[data.ratings["query"] == query]
S, L, E = mixed.rating_variances(ratings)
variances = {"song_variance": S, "listener_variance": L, "residual_variance": E}
shares = pd.Series(variances) / (S + L + E)

# %% [markdown] tags=["needs-listeners"]
# Differences between songs account for {glue:text}`song_variance` of the variance of single ratings,
# differences between listeners' average levels for {glue:text}`listener_variance`, and the residuals
# for {glue:text}`residual_variance`. A model that is given only the songs, and no information about
# the listeners, can explain only the variance between songs.
#
# ## How reliable is a song's mean?
#
# The most direct measure of reliability does not require a statistical model. We divide the listeners
# at random into two halves and correlate the song means of the two halves ({numref}`fig-halves`). If
# the two halves agreed perfectly, all dots would lie on the diagonal. Each mean is based on only half
# of the listeners, so we extrapolate the correlation to all listeners using the Spearman–Brown
# formula with $k = 2$:

# %% tags=["needs-listeners"]
in_half = np.arange(len(matrix)) < len(matrix) // 2
in_half = np.random.default_rng(seed).permuted(in_half)
half_means = {"one": matrix[in_half].mean(), "other": matrix[~in_half].mean()}
halves = pd.DataFrame(half_means).dropna().assign(style=style)
r = halves["one"].corr(halves["other"])
by_hand = 2 * r / (1 + r)

# %% [markdown] tags=["needs-listeners"]
# The result of a single split depends on chance, so `split_half` repeats the computation for many
# random splits. For a single split, `split_half` gives the same result as the computation above:

# %% tags=["needs-listeners"]
one_split = mixed.split_half(ratings, n_splits=1, n_boot=1, seed=seed)
np.testing.assert_allclose(one_split["estimate"], by_hand, atol=1e-8)

# %% tags=["needs-listeners", "hide-input"]
show_figure(
    figures.plot_halves(halves, data.styles),
    "halves",
    f"Mean ratings of “{query}” by one half of {len(matrix)} listeners and by the other half.",
    "Scatter plot of songs, coloured by style: the two halves' means lie around a diagonal.",
    table=halves,
)
report_value("one_split", by_hand, n=len(halves))
report_percentages(shares, len(matrix))

# %% [markdown] tags=["needs-listeners"]
# The split in {numref}`fig-halves` gives a reliability of {glue:text}`one_split`.
#
# ### The noise ceiling
#
# A *perfect* model would know every song's true level $s_i$, but not the part of the song's mean
# rating that is due to chance. The R² of these predictions, that is, the share of the variance of the
# observed means that they explain, would be the share that is due to songs. This R² is the
# {term}`noise ceiling`. The mean of song $i$ is taken over the $k_i$ listeners who rated it. Noise
# enters this mean from two sources: the average levels of these listeners, and the residuals. Let row
# $i$ of the matrix $A$ contain $1/k_i$ for each listener who rated song $i$ and 0 for all others. The
# noise in the song means has the covariance matrix $N$, and $v$ is the variance that this noise is
# expected to add to the variance of the means of $n$ songs. The ceiling is $S$ divided by $S + v$:
#
# $$ N = L\,AA^\top + E\,\mathrm{diag}(1/k_i), \qquad
# v = \frac{\mathrm{tr}(MN)}{n-1}, \qquad
# \mathrm{ceiling} = \frac{S}{S + v} $$
#
# Here the matrix $M$ subtracts the mean over songs, because R² does not change if the means of all
# songs are shifted by the same amount. In NumPy, this takes four lines:

# %% tags=["needs-listeners"]
A = (rated / rated.sum()).to_numpy().T  # songs × listeners
N = L * A @ A.T + E * np.diag(1 / rated.sum())
v = np.trace(N - N.mean(axis=0)) / (len(N) - 1)
by_formula = S / (S + v)

# %% [markdown] tags=["needs-listeners"]
# The function `noise_ceiling` computes the ceiling and the other measures of reliability for all
# questions, with 95% intervals. The last line of the next cell checks that the result of
# `noise_ceiling` agrees with the formula.

# %% tags=["needs-listeners"]
ceilings = mixed.noise_ceiling(data.ratings, n_splits=n_splits, seed=seed)
questions = [*data.queries, *data.controls]
ceilings = ceilings.set_index("query").loc[questions].reset_index()
chapter.save_table(ceilings, "ceilings")
reliability = ceilings[ceilings["query"] == query].set_index("method")
ceiling = reliability.loc["song means"]
np.testing.assert_allclose(ceiling["estimate"], by_formula, atol=1e-8)

# %% [markdown] tags=["needs-listeners"]
# {numref}`fig-ceilings` shows three of these measures for every question. ICC(C,1) describes single
# ratings; the other two estimate the reliability of song means in different ways.

# %% tags=["needs-listeners"]
methods = ["ICC(C,1)", "split-half", "song means"]
shown = ceilings[ceilings["method"].isin(methods)]
shown = shown.assign(query=shown["query"].str.replace("_", " "))

# %% tags=["needs-listeners", "hide-input"]
show_figure(
    figures.plot_forest(shown, y="query", hue="method", xlabel="Reliability"),
    "ceilings",
    "Agreement of individual listeners and reliability of song means, with 95% intervals.",
    "Forest plot by question: agreement of individual listeners on the left, and two estimates "
    "of the reliability of song means further to the right.",
    table=shown,
)
names = {"ICC(C,1)": "icc_single", "ICC(A,1)": "icc_agreement"}
names |= {"song means": "ceiling", "split-half": "split_half"}
report_effects(reliability.loc[list(names)].rename(names), "n_tracks")
words = (
    "more than half of the variance of song means is due to differences between songs",
    "more than half of the variance of song means is due to chance",
    "it is unclear whether more than half of the variance of song means is due to "
    "differences between songs",
)
report_texts(ceiling_word=pick_verdict(ceiling, *words, reference=0.5))

# %% [markdown] tags=["needs-listeners"]
# For “{glue:text}`query`”, the expected correlation between the ratings of two listeners, ICC(C,1),
# is {glue:text}`icc_single_full`. If differences between listeners' average ratings are also counted
# as disagreement, the corresponding value, ICC(A,1), is {glue:text}`icc_agreement_full`. A song's
# mean over all its raters has a reliability of {glue:text}`ceiling_full`. The split-half reliability,
# averaged over many splits, estimates the same quantity: {glue:text}`split_half_full`. (n is the
# number of songs. The intervals treat all songs as independent, even songs by the same artist.) In
# short, {glue:text}`ceiling_word`.
#
# The ceiling limits predictions from the *songs*, not from their sound: the variance between songs
# also includes differences that cannot be detected in the audio. A model based on the audio may
# therefore score below the ceiling even if it uses everything that can be heard.

# %% [markdown] tags=["needs-simulation"]
# ### Two control questions
#
# The ratings in this study are simulated. The simulation contains two more questions, for which we
# know exactly what the answers depend on. The answers to “placebo” do not depend on the sound:
# listeners tend to rate the same songs higher than others, but which songs these are was decided at
# random. The answers to “style only” depend on the style alone. Listeners agree on the answers to
# both questions, so the song means for both are reliable ({numref}`fig-ceilings`). Reliable ratings
# are therefore no evidence that anything can be predicted from the audio. Later chapters test their
# methods on both questions: a valid method should find no effect for “placebo”, and only an effect of
# style for “style only”. The next cell computes the share of the variance of the song means that is
# due to differences between styles:

# %% tags=["needs-simulation"]
controls = {name: style_share(data.song_means(name)) for name in data.controls}
pd.Series(controls, dtype=float).round(2)

# %% [markdown] tags=["needs-listeners"]
# ## What if fewer people had been asked?
#
# The effect of the number of raters depends on the design. If the same people rate all songs, their
# average levels shift the means of all songs by the same amount and do not matter. If each song has
# its own raters, some songs happen to get generous raters and others strict ones, which adds noise.
# In both designs, the Spearman–Brown formula gives the reliability of the mean in terms of the
# agreement of individual listeners, which is ICC(C,1) in the first design and ICC(A,1) in the second.
# {numref}`fig-rater-curve` shows both curves. The crosses check the curve for different raters: for
# each song, two panels of raters were drawn at random, and the crosses show the mean correlation
# between the song means of the two panels.

# %% tags=["needs-listeners"]
curve = mixed.rater_curve(ratings, seed=seed)
curve["query"] = curve["raters"] + " raters for each song"

# %% tags=["needs-listeners", "hide-input"]
show_figure(
    figures.plot_rater_curve(curve, rated.sum().mean()),
    "rater-curve",
    f"Reliability of the song means of “{query}” (the R² of a perfect model), by number of raters "
    "per song, in two designs. Bands: 95% intervals.",
    "Two curves that rise steeply with the number of raters, then flatten out. The curve for "
    "different raters is lower, and crosses lie on it.",
    table=curve,
)
steps = curve[curve["k"].isin([5, 20, 50])].set_index(["raters", "k"])
report_effects(steps, prefix="reach_", value="reliability")

# %% [markdown] tags=["needs-listeners"]
# If each song has its own raters, a perfect model of “{glue:text}`query`” would reach an R² of
# {glue:text}`reach_different_5_full` with five raters per song, {glue:text}`reach_different_20_full`
# with twenty, and {glue:text}`reach_different_50_full` with fifty. If the same people rate all songs,
# the corresponding values are {glue:text}`reach_the_same_5`, {glue:text}`reach_the_same_20` and
# {glue:text}`reach_the_same_50`. Anyone who reports an R² should therefore also give the number of
# raters per song, and say whether the same people rated all songs.

# %% [markdown] tags=["needs-simulation"]
# ### Is the estimate of the ceiling correct?
#
# In the simulation, the true mean of each song is known; it is the mean over an unlimited number of
# listeners. The squared correlation between true and observed means is the R² that a perfect model
# would reach. {numref}`fig-ceiling-check` compares this R² with the ceiling, which was estimated from
# the ratings alone. The last two lines of the next cell check which intervals contain the true value,
# and compute the errors of the estimates.

# %% tags=["needs-simulation"]
from groove_utils.synth.questionnaire import groove_score

true = data.truth("song_effects").set_index("track_id").filter(like="mean_")
true.columns = true.columns.str.removeprefix("mean_")
true["groove"] = groove_score(true)
true = true[true.columns.intersection(wide.columns)]
reached = (true.corrwith(wide[true.columns]) ** 2).rename("estimate")
reached = reached.rename_axis("query").reset_index()
reached["low"] = reached["high"] = reached["estimate"]
estimated = ceilings[ceilings["method"] == "song means"]
estimated = estimated[estimated["query"].isin(true.columns)]
paired = estimated.merge(reached, on="query", suffixes=("", "_true"))
inside = paired["estimate_true"].between(paired["low"], paired["high"])
errors = (paired["estimate"] - paired["estimate_true"]).abs()

# %% [markdown] tags=["needs-simulation"]
# The figure has two rows per question, one for the estimated ceiling and one for the true value:

# %% tags=["needs-simulation"]
reached["method"] = "true song means"
both = pd.concat([estimated.assign(method="ceiling"), reached])

# %% tags=["needs-simulation", "hide-input"]
show_figure(
    figures.plot_forest(both, y="query", hue="method", xlabel="R²", reference=None),
    "ceiling-check",
    "The noise ceiling, estimated from the ratings alone, and the R² of the true song means.",
    "Forest plot by question: the estimated ceiling with its interval, and a dot at the true value.",
    table=both[["query", "method", "estimate", "low", "high"]],
)
report_value("ceilings_inside", inside.sum(), fmt=".0f", n=len(inside))
report_value("ceiling_error", errors.mean(), n=len(errors))
report_texts(ceiling_missed=join_words(paired.loc[~inside, "query"]))
report_counts(n_ceilings=len(paired))

# %% [markdown] tags=["needs-simulation"]
# For {glue:text}`ceilings_inside` of {glue:text}`n_ceilings` questions, the true value lies inside
# the interval for the ceiling (exceptions: {glue:text}`ceiling_missed`). The mean absolute error of
# the estimates is {glue:text}`ceiling_error`.

# %% [markdown] tags=["needs-simulation"]
# ## Are these listeners plausible?
#
# The listeners in this study are simulated. What we learn about methods from them applies to real
# listeners only if simulated listeners disagree as much as real ones do.
# {numref}`tab-simulated-beside-real` compares the simulated ratings with ratings from real studies.

# %% tags=["needs-simulation", "hide-input"]
show_table(
    mixed.simulation_table(data.ratings),
    "simulated-beside-real",
    "Statistics of simulated and real listeners' ratings, with the sources of the real values.",
)

# %% [markdown]
# ## What could be wrong here
#
# - **The ceiling applies to these songs only.** If half of the songs are chosen for high groove and
#   half for low groove, listeners agree far more closely than they do on an ordinary range of songs
#   {cite}`oconnell2022`. A ceiling estimated for one selection of songs does not apply to another.
# - **Means hide individual listeners.** Even a model that predicts song means perfectly cannot tell
#   which listeners want to move to a song. {doc}`09-mixed-models` predicts individual ratings.
# - **Consistency or agreement?** ICC(C,1) and ICC(C,k) ignore differences between listeners' average
#   ratings. They are appropriate for comparing songs that were rated by the same people, but too
#   optimistic for single ratings and for songs with different raters.
#
# ## Exercises
#
# The first exercise asks you to change one line of code; the last exercise has no single answer.

# %% [markdown] tags=["needs-listeners"]
# ```{exercise} A generous judge
# :label: ex-judge
#
# Add 3 points to every rating by judge B, and recompute both single-judge intraclass correlations.
# Call the new table `generous` and the correlations `new_icc`. Which of the two correlations changes,
# and in which direction? Predict the answer before you run the code.
# ```
#
# ```{solution-start} ex-judge
# :class: dropdown
# ```

# %% tags=["solution", "needs-listeners"]
generous = judges.assign(B=judges["B"] + 3)
new_icc = mixed.icc(generous.T).set_index("type")["estimate"]
new_icc[["C,1", "A,1"]]

# %% [markdown] tags=["needs-listeners"]
# ICC(C,1), the consistency, stays at .71, because it ignores the judges' average levels. ICC(A,1),
# the agreement, rises: judge B was the strictest, so adding 3 points brings this judge's ratings
# closer to those of the others.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-listeners"]
assert np.isclose(generous.to_numpy().sum(), judges.to_numpy().sum() + 18), (
    "only one column should differ from `judges`, by 3 in each of its six rows"
)
assert np.isclose(new_icc["C,1"], single), (
    "ICC(C,1) should not have changed: `icc` expects listeners in rows and songs in columns"
)

# %% [markdown] tags=["needs-listeners"]
# ```{exercise} Enough raters
# :label: ex-raters
#
# Solve the Spearman–Brown formula for $k$. If the same people rate all songs, how many people are
# needed for the song means to have a reliability of .95? Call the number `n_raters`.
# ```
#
# ```{solution-start} ex-raters
# :class: dropdown
# ```

# %% tags=["solution", "needs-listeners"]
rho = reliability.loc["ICC(C,1)", "estimate"]
n_raters = int(np.ceil(0.95 * (1 - rho) / (rho * (1 - 0.95))))
n_raters

# %% [markdown] tags=["needs-listeners"]
# Raising the reliability from .90 to .95 roughly doubles the number of raters needed. In
# {numref}`fig-rater-curve`, the curve is almost flat by that point. Beyond some point, more *songs*
# are a better investment than more raters, because more songs narrow the interval around every
# model's score.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-listeners"]
one_rater = reliability.loc["ICC(C,1)", "estimate"]
assert n_raters == int(n_raters), "`n_raters` should be a whole number: round up"
assert n_raters * one_rater / (1 + (n_raters - 1) * one_rater) >= 0.95, (
    "`n_raters` is too small: put it into the formula and look at the result"
)
assert (n_raters - 1) * one_rater / (1 + (n_raters - 2) * one_rater) < 0.95, (
    "fewer raters would be enough: did you start from ICC(C,1), the reliability of one rater?"
)

# %% [markdown] tags=["needs-audio"]
# ```{exercise} Do you agree with the mean?
# :label: ex-extremes
#
# Listen to the songs with the lowest and the highest mean rating *within one style*. Would you have
# put these two songs in the same order? Put their track ids into the list `extremes`, beginning with
# the lower-rated song.
# ```
#
# ```{solution-start} ex-extremes
# :class: dropdown
# ```

# %% tags=["solution", "needs-audio"]
inside = chosen[chosen["style"] == data.styles[0]].set_index("track_id")["mean"]
extremes = [inside.idxmin(), inside.idxmax()]
labels = [f"{data.song_names[t]} ({inside[t]:.2f})" for t in extremes]
audio_player(dict(zip(labels, map(data.audio_path, extremes))))

# %% [markdown] tags=["needs-audio"]
# If you disagree, remember how little any two listeners agree. Your ranking is that of one more
# rater, and does not show that the other raters are wrong.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-audio"]
low, high = chosen.set_index("track_id").loc[extremes, "mean"]
assert low < high, "the first song should be the one with the lower mean"
assert chosen.set_index("track_id").loc[extremes, "style"].nunique() == 1, (
    "the two songs should be of the same style"
)

# %% [markdown] tags=["needs-listeners"]
# ```{exercise} Should listeners' means be subtracted?
# :label: ex-levels
#
# This is an open question. Some researchers subtract each listener's mean rating before they average
# over listeners. When does this subtraction help, when does it have no effect, and when does it do
# harm? Try it here, and think of a listener who heard only songs with a strong groove.
# ```
#
# ```{solution-start} ex-levels
# :class: dropdown
# ```

# %% tags=["solution", "needs-listeners"]
centred = matrix.sub(matrix.mean(axis=1), axis=0)
pd.DataFrame({"as rated": matrix.mean(), "centred": centred.mean()}).corr()

# %% [markdown] tags=["needs-listeners"]
# If all listeners rate all songs, every song's mean shifts by the same amount, and nothing changes.
# In an incomplete design, subtraction removes the advantage of songs that happened to get generous
# raters. But it also removes part of the true differences between songs if listeners heard different
# songs: a listener who heard only songs with a strong groove has a high mean for a good reason. A
# model with crossed effects ({doc}`09-mixed-models`) separates the effects of songs from those of
# listeners.
#
# ```{solution-end}
# ```

# %% [markdown]
# ## Summary
#
# **Asked**: who rated which songs, and how well these ratings could be predicted by a perfect model.
# **Found**: {glue:text}`style_share` of the variance of song means is due to differences between
# styles, so a model that recognises only the style can already predict the ratings to some extent.
# The questions are correlated, so similar results for two questions are not two independent
# confirmations.

# %% [markdown] tags=["needs-listeners"]
# The expected correlation between the ratings of two listeners, ICC(C,1), is {glue:text}`icc_single`. A
# song's mean over all its raters has a reliability of {glue:text}`ceiling`: {glue:text}`ceiling_word`.
# Later chapters show this reliability in their figures as the noise ceiling.

# %% [markdown] tags=["needs-simulation"]
# **True in the simulation**: the mean absolute error of the estimated ceilings is
# {glue:text}`ceiling_error`, and the true value lies inside the interval for
# {glue:text}`ceilings_inside` of {glue:text}`n_ceilings` questions.

# %% [markdown]
# **What would change our mind**: a noise ceiling whose interval reaches down to the models' scores.
# In that case, we could not distinguish the models from a perfect one.
#
# **Next:** {doc}`02-representations` looks at what a recording contains, and at what is lost when
# sound is turned into a picture.
