# %% [markdown] tags=["needs-audio-or-stem-embeddings"]
# # Which instruments carry the groove?
#
# If we predict ratings from a song's embedding, we do not see which instruments the prediction
# depends on. We therefore separate songs into {term}`stems <stem>` and repeat the prediction with
# each stem alone and with every sum of stems (several instruments playing together). If the drums
# alone predict the ratings as well as the whole band does, the other instruments add nothing to what
# the drums reveal. If the predictions are equally good without the drums, the drums add nothing to
# what the other instruments reveal. Usually, several instruments carry the same information, and we
# need a rule for dividing the credit among them.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to predict ratings from stems and all their sums, to divide a score among stems
# that carry the same information, to distinguish the information in a stem from the information that
# a model uses in a mix, and to check the results with stems of equal loudness and with stems from
# other songs.
#
# **You need** {doc}`06-probing`.
#
# **Run time**: {run-time}`08-stem-ablation`, measured when this page was built; the first run takes
# longer. **Modules**: `groove_utils.stems`, `groove_utils.probe.ablation`, `groove_utils.stats.shapley`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
separator = ""  # empty: the study's own stems, else "hpss"; or "htdemucs_ft"
model = ""  # empty: the best model from the chapter on probing
targets = ["groove", "dance", "listen", "party"]
excerpt = 5.98  # seconds from the middle of each song; 0 for the whole song
n_repeats = 5  # how many times the songs are divided into folds
n_bootstrap = 2000

# %%
from functools import partial
from itertools import combinations, pairwise, permutations

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from groove_utils import embed, figures, probe, stems
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
    summaries,
)
from groove_utils.book.verdicts import (
    clear_rows,
    describe_difference,
    describe_ranks,
    pick_verdict,
)
from groove_utils.cache import ArrayCache
from groove_utils.descriptors import describe_study
from groove_utils.embed.study_models import stem_models
from groove_utils.stats import holm, join_words, shapley_values
from groove_utils.stems import load_stems
from groove_utils.study.stem_names import subset_name

chapter = open_chapter("08-stem-ablation", study)
data = chapter.study

# %% [markdown] tags=["needs-audio"]
# ## Hear it
#
# Here are the stems of one song from each style. Play the whole band, then the drums alone, the drums
# and bass alone, and everything except the drums. Which of these combinations make you want to move?

# %%
separator = separator or ("true" if data.has("stems") else "hpss")
paths = stems.separate_study(data, separator)
sources = list(next(iter(paths.values())))
first_songs = data.tracks.groupby("style")["track_id"].first().loc[data.styles]

# %%
for style, track in first_songs.items():
    waves, sr = load_stems(paths[track])
    sounds = {f"{style}: {stem}": (y, sr) for stem, y in waves.items()}
    audio_player(sounds, mixer=True)

# %% [markdown]
# First, we check that the stems add up to the mix. For the last song above, we subtract the sum of
# the stems from the mix and compare the level of the difference with the level of the mix:

# %%
mix, sr = data.load(track, sr=sr, mono=False)
residual = stems.separation_checks(mix, waves, sr)["residual_db"].iloc[0]

# %% tags=["hide-input"]
report_value("residual", max(residual, -120), fmt=".0f", unit=" dB")
origins = {"true": "the true stems of the study"}
origins["hpss"] = "those from harmonic–percussive separation, which needs no weights"
report_texts(separator=origins.get(separator, f"those from {separator}"))

# %% [markdown]
# The stems used here are {glue:text}`separator`. The mix minus the sum of its stems has a level of
# {glue:text}`residual` relative to the mix (any level below −120 dB is given as −120 dB).

# %% [markdown]
# ## Embeddings of stems
#
# With four stems, there are fifteen sums, from a single stem to the whole band. Each sum is embedded
# as if it were a song. We use {glue:text}`used_model`. The model receives {glue:text}`heard` of each
# song; short excerpts save time. For comparison, two bars of four beats each last 4.8 seconds at 100
# beats per minute and 6 seconds at 80.

# %%
predictions = chapter.find_table("predictions")
probe_scores = chapter.find_table("probe_scores")
best, ranked = "", []
if predictions is not None and probe_scores is not None:
    best = predictions.loc[predictions["best"], "model"].iloc[0]
    pretrained = probe_scores[probe_scores["kind"] == "pretrained"]
    r2 = pretrained.groupby("model")["estimate"].mean()
    ranked = [best, *r2.sort_values(ascending=False).index]
usable = stem_models(data, ranked)
model = model or usable[0]

# %%
stem_paths = paths if data.has("audio") and separator != "true" else None
embed_sums = partial(embed.embed_stem_sums, data, model, excerpt=excerpt)
embeddings = embed_sums(stems=stem_paths)[model]
sources = list(dict.fromkeys(stem for subset in embeddings for stem in subset))
band = tuple(sources)
if band not in embeddings:  # published sums of stems do not include the mix
    embeddings[band] = embed.embed_study(data, model)
mixes = {subset: e.layers for subset, e in embeddings.items()}

# %%
targets = summaries.rated_targets(data, targets)
target = targets[0]  # the question that the text discusses
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists = data.tracks["artist"].to_numpy()
styles = data.tracks["style"].to_numpy()

# %% tags=["hide-input"]
n = len(ratings)
heard = f"the middle {excerpt:.3g} s" if excerpt and data.has("audio") else "the whole"
used = model
if model == best:
    used = "the best model of the probes, which was chosen with the ratings of all songs; its R² is "
    used += "therefore slightly too high"
if best and best not in usable:
    used += f", because the best model, {best}, has no vectors of stems"
report_texts(target=target, best_model=model, used_model=used, heard=heard)
report_counts(n_songs=n, n_artists=len(set(artists)), n_sums=len(mixes))

# %% [markdown]
# For each of the {glue:text}`n_songs` songs by {glue:text}`n_artists` artists, there are
# {glue:text}`n_sums` sums of stems. The model is {glue:text}`best_model`; the text of this chapter
# discusses the mean ratings of “{glue:text}`target`”.

# %% [markdown] tags=["needs-audio"]
# ## The Shapley value by hand
#
# We begin with three stems. Let $v(S)$ be the score of a set $S$ of stems: the R² that a ridge
# regression on the embedding of their sum reaches for songs by artists that it was not trained on.
# The next cell defines $v$ with scikit-learn. For brevity, the function concatenates all layers and
# divides the songs into folds only once; the next section chooses one layer, so its numbers are
# different. Without any stems, there is nothing to predict from, so we give the regression a column
# of zeros; it then predicts the mean rating of its training songs.

# %%
trio = tuple(sources[:3])
penalties = np.logspace(1, 6, 11)
ridge = make_pipeline(probe.ClippedStandardScaler(), RidgeCV(penalties))
y = ratings[target].to_numpy()


def v(S):
    layers = mixes[S].values() if S else [np.zeros((len(y), 1))]
    X, folds = np.hstack(list(layers)), GroupKFold(min(8, len(set(artists))))
    return r2_score(y, cross_val_predict(ridge, X, y, groups=artists, cv=folds))


# %%
score = {frozenset(S): v(S) for k in range(4) for S in combinations(trio, k)}

# %% [markdown]
# Now we add the stems one after the other. Three stems can be added in six orders. A stem raises the
# score a lot if it carries much new information, and not at all if the stems before it already carry
# the same information. The {term}`Shapley value` of a stem {cite}`shapley1953` is the amount that the
# stem adds to the score, averaged over all orders:
#
# $$ \phi_i = \frac{1}{n!} \sum_{\text{orders}} \bigl( v(B_i \cup \{i\}) - v(B_i) \bigr) $$
#
# where $n$ is the number of stems and $B_i$ is the set of stems added before stem $i$. Many orders
# have the same stems before stem $i$. If we combine such orders, we obtain a sum over all sets $S$
# that do not contain stem $i$, where $s$ is the number of stems in $S$:
#
# $$ \phi_i = \sum_{S} \frac{s! \, (n - 1 - s)!}{n!} \, \bigl( v(S \cup \{i\}) - v(S) \bigr) $$
#
# With three stems, we can simply go through all orders:

# %%
added = {}
for order in permutations(trio):
    before = frozenset()
    for stem in order:
        added[" → ".join(order), stem] = score[before | {stem}] - score[before]
        before |= {stem}
added = pd.Series(added).unstack()[list(trio)]
by_hand = added.mean()

# %% [markdown]
# The function `shapley_values` computes the same values, for up to six stems and for whole arrays of
# scores at once. Its results agree with those computed by hand, up to rounding errors:

# %%
shares = shapley_values(score, trio)
difference = max(abs(by_hand[stem] - shares[stem]) for stem in trio)
assert difference < 1e-12

# %% [markdown]
# For which stem does the order make the largest difference?

# %%
extremes = added.agg(["min", "max"])
most_shared = extremes.diff().loc["max"].idxmax()
added.loc["mean: the Shapley value"] = by_hand

# %% tags=["hide-input"]
show_table(
    added.rename_axis("order"),
    "orders",
    f"Change in R² for “{target}” when each stem is added to the stems before it, for each order.",
)
report_texts(most_shared=most_shared)
report_value("same_shapley", difference, fmt=".0e", tolerance=1e-12)
report_value("sum_by_hand", by_hand.sum())
report_values(extremes[most_shared].add_prefix("most_shared_"))

# %% [markdown]
# The largest difference between a Shapley value computed by hand and the value from `shapley_values`
# is {glue:text}`same_shapley`. In each row of {numref}`tab-orders`, the three numbers add up to
# {glue:text}`sum_by_hand`: the score with all three stems minus the score with no stems. Each order
# divides this total differently among the stems. The amount added by {glue:text}`most_shared` lies
# between {glue:text}`most_shared_min` and {glue:text}`most_shared_max`, depending on which stems come
# before. If a stem adds less when it comes after the other stems than when it comes before them, it
# shares information with them. If a stem adds more after the other stems than before them, some
# information is present only in the combination of stems. A negative number means that the stem made
# the predictions worse. Because the orders give different results, we need a rule: the Shapley value
# takes the mean over all orders.

# %% [markdown]
# ## All sums of stems
#
# Now we use all stems and the protocol of {doc}`06-probing`: the songs are divided into folds five
# times, all songs by an artist are in the same fold, and the layer and the penalty are chosen using
# the training songs only. Each sum has its own regression. Without any stems, R² is slightly below 0,
# because the prediction is the mean rating of the training songs, which differs from that of the test
# songs.

# %% [markdown]
# In one call, we predict the ratings, the ratings for two control questions (explained below) and, in
# the simulated study, the known causes of the ratings:

# %%
all_targets, causes = ratings.copy(), []

# %% tags=["needs-simulation"]
names = {
    "event_density": "event density",
    "syncopation": "syncopation",
    "tempo": "tempo",
    "low_frequency_db": "low frequencies",
    "microtiming_ms": "microtiming",
    "bass_drum_coupling": "bass–drum coupling",
}
truth = data.truth("songs").set_index("track_id").rename(columns=names)
causes = list(names.values())
all_targets[causes] = truth[causes]

# %%
controls = list(data.controls)
for query in controls:
    all_targets[query] = data.song_means(query)

# %%
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
cache = ArrayCache(namespace="ablation")


def ablate(mixes, targets, train_on="stem"):
    options = {"train_on": train_on, "n_jobs": 2, "cache": cache}
    return probe.ablate(mixes, targets, artists, styles, protocol, **options)


on_stems = ablate(mixes, all_targets)

# %%
ablation_scores, contributions, contrast, share_difference, attribute_songs = (
    partial(function, n_boot=n_bootstrap, seed=seed)
    for function in (
        probe.ablation_scores,
        probe.contributions,
        probe.contrast,
        probe.share_difference,
        probe.attribute_songs,
    )
)
scores = ablation_scores(on_stems.select([*targets, *controls]))

# %%
pair = ("drums", "bass") if {"drums", "bass"} <= set(sources) else band[:2]
pair = pair if pair in mixes else band
gap = contrast([(1, on_stems, pair), (-1, on_stems, band)])  # sum of ±1 × R²
gap = gap.query("part == 'all' and target == @target").iloc[0]
target_scores = scores.query("part == 'all' and target == @target")

# %% tags=["hide-input"]
show_figure(
    figures.plot_subset_scores(target_scores, sources),
    "subset-scores",
    f"R² for “{target}” from {model}, for every sum of stems, with 95% intervals (artists resampled).",
    "One row for no stems and one for each sum: dots for the stems in the sum and, next to them, R² with "
    "its interval.",
    table=target_scores,
)
rows = target_scores.set_index("subset")
report_effects({"whole_r2": rows.loc[subset_name(band)]}, n)
report_value("nothing_r2", rows.loc["none", "estimate"], n=n)
report_texts(
    pair=join_words(pair), pair_note=describe_difference(gap, "the whole band")
)

# %% [markdown]
# The whole band gives an R² of {glue:text}`whole_r2_full`; without any stems, R² is
# {glue:text}`nothing_r2`. (In this chapter, n is the number of songs, and the intervals are computed
# by resampling the {glue:text}`n_artists` artists.) As predictors, {glue:text}`pair` together,
# without the other stems, are {glue:text}`pair_note`. The intervals of most sums in
# {numref}`fig-subset-scores` overlap, so the order of neighbouring rows is uncertain with
# {glue:text}`n_songs` songs. (In {doc}`06-probing`, the same model receives whole songs, so its R²
# differs a little from the R² in the last row of {numref}`fig-subset-scores`.)
#
# ### The published conditions
#
# {cite:t}`marmoret2026` used five conditions besides the mix: bass, drums, “other”, vocals, and drums
# with bass. Each condition had its own regression, under the published protocol (one fixed penalty,
# unscaled features, folds that ignore artists). {numref}`tab-stems-paper` shows the results for the
# same conditions in the present study.

# %%
conditions = [(stem,) for stem in sources] + [pair, band]
conditions = [S for S in dict.fromkeys(conditions) if S in mixes]
published = probe.paper_scores(
    {S: mixes[S] for S in conditions}, ratings, artists, styles, cache=cache
)
order = published[published["target"] == target].set_index("subset")
order = order["fold_r2"].sort_values()

# %% tags=["hide-input"]
show_table(
    summaries.plus_minus_table(published, "subset", "target", "fold_r2", "fold_r2_sd"),
    "stems-paper",
    f"R² (mean over folds) ± SD over five divisions of {n} songs into folds.",
)
report_texts(paper_lowest=order.index[0], paper_highest=order.index[-1])
report_value("paper_lowest_r2", order.iloc[0], n=n)
report_value("paper_highest_r2", order.iloc[-1], n=n)

# %% [markdown]
# If R² is negative, it would be better to predict the mean rating for every song. In
# {numref}`fig-subset-scores`, the same stems were analysed with the stricter protocol of the chapter
# “06-probing”, so differences between {numref}`fig-subset-scores` and {numref}`tab-stems-paper` are
# due to the protocols ({doc}`07-objections`), not to the stems. In {numref}`tab-stems-paper`, R² is
# lowest for “{glue:text}`paper_lowest`” ({glue:text}`paper_lowest_r2`) and highest for
# “{glue:text}`paper_highest`” ({glue:text}`paper_highest_r2`). The standard deviation in
# {numref}`tab-stems-paper` measures the uncertainty due to the division into folds, but not the
# uncertainty due to the sample of songs. The objections to a fixed penalty and to folds that divide
# an artist's songs apply here as well. In addition, the stems carry overlapping information: the bass
# may predict ratings because of the bass line, or because the bass line is related to the drums.
# These five conditions cannot show how much of the information in the bass is also in the other
# stems; all the sums together can. No sum can show what *causes* the ratings (see “What could be
# wrong here”).

# %% [markdown]
# ## Alone, left out, and shared
#
# The contribution of a stem can be defined in three ways. **Alone**: the R² with only this stem minus
# the R² with no stems. **Left out**: the R² with all stems minus the R² with all stems except this
# one. If two stems carry the same information, “alone” credits both stems with it, and “left out”
# credits neither. The **Shapley value** averages these two cases and all cases in between. It is the
# only rule that has these four properties: the shares add up to the score of the whole band minus the
# score with no stems; stems with the same effect receive equal shares; a stem that never changes the
# score receives zero; and if two scores are added, their shares add up as well.
#
# We planned one family of comparisons before we looked at the results: which stems have a Shapley
# value above 0 for “{glue:text}`target`”? The p-values are corrected by Holm's method for the number
# of stems. Where the causes of the ratings are known, as in a simulated study, we also planned a
# second family of comparisons, about these causes. All other comparisons are exploratory.

# %%
shares = contributions(on_stems.select([*targets, *controls]))
overall = shares[shares["part"] == "all"]
measure = overall["measure"].iloc[-1]  # Shapley, if all sums are available
by_stem = overall[overall["measure"] == measure].set_index(["target", "stem"])
planned = by_stem.loc[target].assign(p_holm=lambda rows: holm(rows["p"]))
clear = clear_rows(planned, value="estimate").index
target_shares = overall[overall["target"] == target]

# %% [markdown]
# Even if the share of one stem is clearly above 0 and that of another is not, the two shares may not
# differ clearly from each other. We therefore sort the stems by their shares and compare each stem
# with the next:

# %%
ranked = planned.sort_values("estimate", ascending=False).index
runs = on_stems.select([target])


def lead(first, second):
    if measure == "Shapley":
        table = share_difference(runs, [first], [second])
    else:
        table = contrast([(1, runs, [first]), (-1, runs, [second])])
    return table.query("part == 'all'").iloc[0]


leads = {two: lead(*two) for two in pairwise(ranked)}

# %% tags=["hide-input"]
show_figure(
    figures.plot_forest(
        target_shares, y="stem", hue="measure", xlabel="Share of out-of-fold R²"
    ),
    "stem-measures",
    f"Contribution of each stem to R² for “{target}”: {join_words(target_shares['measure'].unique())}; "
    "95% intervals, not corrected for multiple comparisons.",
    "For each stem, up to three dots with intervals, one per measure.",
    table=target_shares,
)
show_table(
    planned.loc[ranked, ["estimate", "low", "high", "p_holm"]],
    "stem-planned",
    f"Share of R² of each stem for “{target}” ({measure}). p is Holm-corrected for the number of "
    "stems; the 95% intervals are not corrected.",
)
report_texts(
    ranks=describe_ranks(leads),
    measure="Shapley value" if measure == "Shapley" else "score alone",
    top_stem=ranked[0],
    clear_stems=join_words(clear, "none of them"),
)
report_effects({"top_share": planned.loc[ranked[0]]}, n)
report_counts(n_planned=len(planned))

# %% [markdown]
# The R² of the whole band is {glue:text}`whole_r2`. The stem with the largest {glue:text}`measure` is
# {glue:text}`top_stem`: {glue:text}`top_share_full`. {numref}`tab-stem-planned` contains the
# p-values, corrected for {glue:text}`n_planned` stems. After this correction, the
# {glue:text}`measure` is clearly above 0 for {glue:text}`clear_stems`. We also compare each stem with
# the next one in the ranking (differences in brackets): {glue:text}`ranks`. Two stems that are not
# clearly different cannot be ranked, even if the {glue:text}`measure` is clearly above 0 for only one
# of them.
#
# If a stem contributes a lot *alone*, but little is lost when it is *left out*
# ({numref}`fig-stem-measures`), other stems carry the same information.
#
# ### Exploratory results: other questions and single styles
#
# {numref}`fig-stem-questions` shows the {glue:text}`measure` of each stem for all questions.

# %%
planned_or_control = shares["target"].isin([target, *controls])
other_question = (shares["part"] == "all") & ~planned_or_control
one_style = shares["part"].isin(data.styles) & (shares["target"] == target)
further = shares[(shares["measure"] == measure) & (other_question | one_style)]
n_uncorrected = (further["p"] < 0.05).sum()
n_corrected = (holm(further["p"]) < 0.05).sum()

# %% tags=["hide-input"]
by_question = by_stem.reset_index()
by_question["target"] = by_question["target"].str.replace("_", " ")
show_figure(
    figures.plot_stem_shares(by_question, panel="target", columns=2),
    "stem-questions",
    f"Contribution of each stem to R² for each question ({measure}), from {model}; 95% intervals, not "
    "corrected for multiple comparisons.",
    "One panel per question: for each stem, a dot with its interval.",
    table=by_question,
)
report_counts(n_shares=len(further), n_plain=n_uncorrected, n_sure=n_corrected)
report_value("n_by_chance", 0.05 * len(further), fmt=".1f")

# %% [markdown]
# For the other questions, and for “{glue:text}`target`” within each style (where R² compares the
# predictions with the mean of the style), there are {glue:text}`n_shares` further shares. Without
# correction, {glue:text}`n_plain` of these shares have p < .05; {glue:text}`n_by_chance` would be
# expected by chance. After Holm's correction, {glue:text}`n_sure` of these shares have p < .05.
# Because the questions are correlated, these results are not independent of each other.

# %% [markdown] tags=["needs-simulation"]
# ### Two control questions
#
# In this simulated study, two questions are controls with a known answer. The ratings for “placebo”
# have no cause in the music. The ratings for “style only” depend on the style of a song and on nothing
# else. {numref}`tab-control-questions` shows how well the ratings for both questions can be predicted
# from the whole band, over all songs and within styles. (Within styles, a prediction based on style
# alone has an R² slightly below 0.)

# %%
band_scores = scores[scores["subset"] == subset_name(band)]
is_shown = band_scores["target"].isin([target, *controls])
within = band_scores["part"].isin(["all", "within"])
control_rows = band_scores[is_shown & within].copy()
control_rows["target"] = control_rows["target"].str.replace("_", " ")
words = "yes", "no, worse than the mean rating", "not shown"
predictable = [pick_verdict(row, *words) for _, row in control_rows.iterrows()]
control_rows["can be predicted"] = predictable

# %% tags=["hide-input"]
columns = ["part", "estimate", "low", "high", "can be predicted"]
show_table(
    control_rows.set_index("target")[columns],
    "control-questions",
    "R² of the whole band for the target and for the control questions. The last column is “yes” "
    "where the 95% interval lies above 0.",
)

# %% [markdown]
# In {numref}`tab-control-questions`, ratings for “placebo” should not be predictable at all; those
# for “style only” should be predictable over all songs, but not within styles. For the “style only”
# question, the shares in {numref}`fig-stem-questions` show from which stems a style can be
# recognised, not what the ratings depend on. Likewise, the shares for “{glue:text}`target`” may
# partly reflect how well the style can be recognised from each stem.

# %% [markdown]
# ## Training on stems or on the mix
#
# So far, each sum has had its own regression. Such regressions show *what information is in a stem*.
# We can also ask *what a model uses in a mix*. To answer this question, we *train* the regression on
# the mixes of the training songs, which also determine the layer, the penalty and the
# standardisation, and then *test* it on stems.
#
# One problem is that a solo bass is unlike any mix in the training set. All predictions for a solo
# bass are therefore wrong by a similar amount, and R² counts this offset as an error. We therefore
# report two versions. In “the mix, **as it comes**”, the predictions are left unchanged. In “the mix,
# **mean shifted**”, the predictions for each sum are shifted so that their mean over the *training*
# songs equals the mean rating of these songs. The shift removes a common offset and leaves the order
# of the songs unchanged.

# %%
kinds = {
    "the stems themselves": on_stems.select([target]),
    "the mix, mean shifted": ablate(mixes, ratings[[target]], "mix_centred"),
    "the mix, as it comes": ablate(mixes, ratings[[target]], "mix"),
}
by_kind = pd.concat(
    ablation_scores(run).assign(trained_on=kind) for kind, run in kinds.items()
).query("part == 'all'")
wide = by_kind.pivot(index="subset", columns="trained_on", values="estimate")
wide = wide.drop(index=["none", subset_name(band)])
raw = wide["the mix, as it comes"]

# %% tags=["hide-input"]
show_figure(
    figures.plot_subset_scores(by_kind, sources, hue="trained_on"),
    "stem-readings",
    f"R² for “{target}” from {model}, for three kinds of training data. Arrows: R² below −1.",
    "One row per sum, with three dots; arrows at the left edge mark scores below −1.",
    table=by_kind,
)
report_texts(mix_lowest_sum=raw.idxmin())
report_value("mix_lowest", raw.min(), n=n)
report_value("mix_negative", (raw < 0).sum(), fmt=".0f", n=len(wide))
report_value("level_median", wide["the mix, mean shifted"].median(), n=len(wide))
report_value("stem_median", wide["the stems themselves"].median(), n=len(wide))

# %% [markdown]
# Without the shift, the lowest R² of the regression on the mix is {glue:text}`mix_lowest`
# ({glue:text}`mix_lowest_sum`), and R² is below zero for {glue:text}`mix_negative` of
# {glue:text}`n_sums` sums. Shapley values computed from such scores would mostly measure how unlike a
# full mix each stem sounds. With the mean shifted, the median R² over the sums is
# {glue:text}`level_median`; for regressions on the stems themselves, it is {glue:text}`stem_median`.
# A stem can contain information in a form that a regression on the mix does not use. A report on an
# ablation (an analysis in which stems are left out) should therefore state what the regression was
# trained on.

# %% [markdown] tags=["needs-audio"]
# ## Controls
#
# **Loudness.** A stem is quieter than its song, and embeddings depend on level. We take the stem that
# is quietest relative to its song, raise it to the loudness (ITU-R BS.1770) of the song, and repeat
# the embedding and the regression. If R² changes little for this stem, it should change even less for
# the others.

# %%
single = [(stem,) for stem in sources]
gains = stems.matching_gains(paths, single)
median_gain = {S: np.median(list(gains[S].values())) for S in single}
softest = max(single, key=median_gain.get)
decibels = 20 * np.log10(median_gain[softest])
louder = embed_sums([softest], stems=stem_paths, gains=gains)[model][softest]
with_louder = {band: mixes[band], softest: louder.layers}
on_louder = ablate(with_louder, ratings[[target]])

# %% [markdown]
# **The bass of another song.** The drums and the bass of a band are played together. If a prediction
# uses the interplay of the two instruments, it should become worse with the bass of another song. We
# therefore replace the bass of each song with that of another song: among the songs of the same style
# by other artists, the one with the nearest tempo. The style thus stays the same, and so, nearly,
# does the tempo. The exchange removes the interplay of the two instruments, but also everything else
# that is particular to the original bass; a loss in R² may be due to either. The regression is
# trained again on the songs' own drums with the swapped bass. For the first song of each style,
# listen to the drums and bass as they were played, and then to the drums with the other bass.

# %%
tempo = data.tracks.set_index("track_id").get("tempo")
tempo = describe_study(data)["tempo"] if tempo is None else tempo
partners = stems.tempo_partners(tempo.fillna(tempo.median()), artists, styles)
deviation = 100 * (partners["tempo_ratio"] - 1).abs().median()  # in percent
swapped = stems.swap_stem(paths, pair[1], partners["partner"])

# %%
for style, track in first_songs.items():
    for label, files in {"own": paths, "another song's": swapped}.items():
        waves, sr = load_stems(files[track])
        name = f"{style}: {pair[0]} with {label} {pair[1]}"
        audio_player({name: (stems.remix(waves, pair, sr), sr)})

# %%
other_bass = embed_sums([pair], stems=swapped)[model][pair]
with_other_bass = {band: mixes[band], pair: other_bass.layers}
on_exchanged = ablate(with_other_bass, all_targets)

# %%
on_other = on_exchanged.select([target])
changes = {
    "louder_change": [(1, on_louder, softest), (-1, runs, softest)],
    "exchanged_change": [(1, on_other, pair), (-1, runs, pair)],
}
changed = pd.concat({name: contrast(terms) for name, terms in changes.items()})
changed = changed.query("part == 'all'").droplevel(1)

# %% tags=["hide-input"]
report_value("tempo_off", deviation, fmt=".1f", unit="%", n=n)
report_value("gain_most", decibels, fmt=".1f", unit=" dB", n=n)
words = "a clear gain in R²", "a clear loss in R²", "no clear change in R²"
report_effects(changed, n, words=words)
report_texts(
    gain_most_stem=subset_name(softest), first_stem=pair[0], second_stem=pair[1]
)

# %% [markdown]
# The quietest stem is “{glue:text}`gain_most_stem`”, which needs a median gain of
# {glue:text}`gain_most` to become as loud as the song. With these gains, there is
# {glue:text}`louder_change_verdict`: {glue:text}`louder_change_full`. With the
# {glue:text}`second_stem` of another song (median difference in tempo: {glue:text}`tempo_off`), there
# is {glue:text}`exchanged_change_verdict`: {glue:text}`exchanged_change_full`.
#
# A control that shows no effect is informative only if an effect was possible. We therefore check
# whether the sound has changed: does the exchange destroy the coupling of bass and bass drum, that
# is, do their notes no longer start together? To find out, we compare the onsets of the two
# instruments in one song by each artist.

# %%
tracks = data.tracks.groupby("artist")["track_id"].first()
onsets = pd.DataFrame()
if pair == ("drums", "bass"):
    for label, files in {"own": paths, "exchanged": swapped}.items():
        selected = {track: files[track] for track in tracks}
        coupling_table = stems.describe_coupling(selected)
        onsets[label] = coupling_table["bass_drum_coincidence"]
onsets = onsets.dropna()

# %% tags=["hide-input"]
coincide = [f"{100 * share:.0f}%" for share in onsets.mean()]
report_texts(
    onset_note=(
        f"Of the onsets of bass and bass drum, {coincide[0]} coincide within 40 ms in the original "
        f"songs, and {coincide[1]} after the exchange (F-measure, {len(onsets)} songs)"
        if coincide
        else "This separator does not yield a bass and drums whose onsets could be compared"
    )
)

# %% [markdown]
# {glue:text}`onset_note`. A change in the sound does not show that the embedding changes as well.
#
# **The separator.** Only simulated bands and multitrack releases have true stems. Stems separated by
# Demucs {cite}`rouard2023` contain traces of each other, so “vocals” may contain drums. In an exercise
# below, you can listen to the output of a separator.

# %% [markdown] tags=["needs-simulation", "needs-audio"]
# ## Does the ablation recover the known causes?
#
# In this study, the causes of the ratings are known, and so are the stems that produce these causes.
# Syncopation is determined by the drum pattern; microtiming is measured on drums and bass, although
# the timing of the voice and the other instruments varies just as much; coupling is a relation
# between drums and bass. Two further causes come mainly, but not only, from the drums or the bass:
# event density counts the moments at which *any* instrument starts a note, and the level of low
# frequencies is measured relative to the level of the whole mix, so every stem can affect both
# causes. Of all moments at which a note starts, we compute the share at which the drums play, and the
# share at which neither the drums nor the bass plays:

# %%
notes = data.truth("onsets")
for stem in ("drums", "bass"):
    notes[stem] = notes["stem"] == stem
moments = notes.groupby(["track_id", "bar", "step"])[["drums", "bass"]].any()
drummed = moments["drums"].groupby("track_id").mean()
only_others = 1 - moments.any(axis=1).groupby("track_id").mean()
shares = {"drum_moments": drummed.mean(), "other_moments": only_others.mean()}

# %% tags=["hide-input"]
report_percentages(shares | {"other_moments_most": only_others.max()}, n)

# %% [markdown]
# On average, the drums play at {glue:text}`drum_moments` of the moments at which a note starts. At
# {glue:text}`other_moments` of all moments at which a note starts (at most
# {glue:text}`other_moments_most` in any one song), neither the drums nor the bass starts a note; only
# voices or other instruments do. We predict the causes from the stems. For each cause, a planned
# comparison tests whether the stems that produce all or most of it have a larger share of R² than the
# other stems. Tempo can be measured in every stem, so we do not test it in this way.

# %%
drums, bass = "drums", "bass"
if "drums" not in sources:  # two stems, by harmonic–percussive separation
    drums, bass = "percussive", "harmonic"
producers = {"event density": [drums], "syncopation": [drums]}
for cause in ("low frequencies", "microtiming", "bass–drum coupling"):
    if len(sources) > 2:  # else all stems produce it
        producers[cause] = [drums, bass]

# %%
of_causes = contributions(on_stems.select(causes)).query("part == 'all'")
of_causes = of_causes[of_causes["measure"] == "Shapley"]

# %%
differences = {}
for cause, makers in producers.items():
    others = [stem for stem in sources if stem not in makers]
    table = share_difference(on_stems.select([cause]), makers, others)
    differences[cause] = table[table["part"] == "all"].iloc[0]
tests = pd.DataFrame(differences).T.infer_objects()
tests["p_holm"] = holm(tests["p"])
tests["mainly made by"] = [join_words(makers) for makers in producers.values()]
right = clear_rows(tests, value="estimate").index
wrong = clear_rows(tests, value="estimate", sign=-1).index

# %% [markdown]
# {numref}`fig-stem-causes` shows the shares of R²; the stems that produce all or most of a cause are
# named in brackets.

# %%
names = of_causes["target"].map(tests["mainly made by"]).fillna("all stems")
of_causes = of_causes.assign(cause=of_causes["target"] + " (" + names + ")")

# %% tags=["hide-input"]
show_figure(
    figures.plot_stem_shares(of_causes, panel="cause", columns=2),
    "stem-causes",
    f"Shapley values (shares of R²) of stems for the known causes, from {model}; in brackets, the stems "
    "that produce all or most of the cause; 95% intervals, not corrected for multiple comparisons.",
    "One panel per cause: for each stem, a dot with its interval.",
    table=of_causes,
)
columns = ["mainly made by", "estimate", "low", "high", "p_holm"]
show_table(
    tests[columns].rename_axis("cause"),
    "stem-truth",
    "R² share of the stems that produce all or most of a cause, minus that of the other stems. p is "
    "Holm-corrected for the number of causes; the 95% intervals are not corrected.",
)
report_value("causes_right", len(right), fmt=".0f", n=len(tests))
report_texts(causes_right_names=join_words(right), causes_wrong_names=join_words(wrong))

# %% [markdown]
# For {glue:text}`causes_right` of the tested causes ({glue:text}`causes_right_names`), the stems that
# produce all or most of the cause clearly have the larger share. The other stems clearly have the
# larger share for: {glue:text}`causes_wrong_names`. For the remaining causes, the result is unclear.
# An ablation can credit a stem only with information that the embedding contains, so an inconclusive
# result may be due to the embedding rather than to the stems.
#
# Coupling is a relation between two stems. We therefore compare the joint contribution of drums and
# bass to R² with the sum of what each of the two contributes alone. We also compute how much R²
# changes when the bass is exchanged.

# %%
coupling = on_stems.select(["bass–drum coupling"])
coupling_other = on_exchanged.select(["bass–drum coupling"])
signs = [(1, pair), (-1, pair[:1]), (-1, pair[1:]), (1, ())]
contrasts = {
    "coupling_r2": [(1, coupling, pair)],
    "synergy": [(sign, coupling, subset) for sign, subset in signs],
    "coupling_lost": [(1, coupling, pair), (-1, coupling_other, pair)],
}
estimates = {
    name: contrast(terms).query("part == 'all'").iloc[0]
    for name, terms in contrasts.items()
}

# %% tags=["hide-input"]
report_effects(estimates, n)
words = (
    "the embedding of the two stems contains part of the coupling",
    "the embedding of the two stems does not contain the coupling",
    "this result does not show that the embedding of the two stems, which is averaged over the "
    "song, contains the coupling; listeners may still notice the coupling",
)
report_texts(coupling_word=pick_verdict(estimates["coupling_r2"], *words))

# %% [markdown]
# From {glue:text}`first_stem` and {glue:text}`second_stem` together, coupling is predicted with an R²
# of {glue:text}`coupling_r2_full`: {glue:text}`coupling_word`. Beyond the R² that each stem adds
# alone, the two stems together add {glue:text}`synergy_full`. For coupling, R² with the song's own
# bass minus R² with the bass of another song is {glue:text}`coupling_lost_full`.

# %% [markdown] tags=["needs-audio"]
# ## One song at a time
#
# The Shapley value also divides the *predicted rating* of a single song: each stem raises or lowers
# the prediction relative to the mean rating of the training songs. We use the version “the mix, mean
# shifted”, because we are asking what the regression uses in the mix of this song. In some songs, a
# stem is silent. Silence also has an embedding and would receive a share, so we leave silent stems
# out of the sums.

# %%
silent = pd.DataFrame(
    {S[0]: [t in embeddings[S].silent for t in ratings.index] for S in single},
    index=ratings.index,
)
on_mix = kinds["the mix, mean shifted"]
attributions = attribute_songs(on_mix, target, silent=silent)

# %%
predicted = attributions.groupby("track_id")["predicted"].first()
by_style = predicted.groupby(data.tracks.set_index("track_id")["style"])
highest, lowest = by_style.idxmax(), by_style.idxmin()
extremes = [*highest.loc[data.styles], *lowest.loc[data.styles]]
shown = attributions.set_index("track_id").loc[extremes].reset_index()
shown["label"] = shown["track_id"].map(data.song_names)
sds = attributions.groupby("stem")["estimate"].std().sort_values()
strongest = shown.loc[shown["estimate"].abs().idxmax()]
excludes_zero = (attributions["low"] > 0) | (attributions["high"] < 0)

# %% tags=["hide-input"]
show_figure(
    figures.plot_attributions(shown, xlabel=f"Predicted “{target}”"),
    "stem-songs",
    f"Steps from the mean rating (dotted line) to the prediction by {model} (grey tick): each bar "
    "shows what one stem adds, starting with the drums. Diamonds: observed mean ratings. Songs "
    "shown: those with the highest (above) and the lowest (below) predictions in each style.",
    "One row per song: coloured bars for the stems, starting at a dotted line, and a diamond.",
    table=attributions,
)
report_value("pusher_sd", sds.iloc[-1], fmt=".2f", n=n)
report_value("n_silent", silent.any(axis=1).sum(), fmt=".0f", n=n)
report_value("clear_pushes", excludes_zero.sum(), fmt=".0f", n=len(attributions))
report_counts(n_pushes=len(attributions))
report_effects({"strong_push": strongest}, len(set(artists)))
report_texts(
    pusher=sds.index[-1], strong_song=strongest["label"], strong_stem=strongest["stem"]
)

# %% [markdown]
# Over all songs, the contribution of “{glue:text}`pusher`” varies most, with a standard deviation of
# {glue:text}`pusher_sd_full`. The largest contribution in the songs shown is that of the
# {glue:text}`strong_stem` in “{glue:text}`strong_song`”: {glue:text}`strong_push_full` (here n is the
# number of artists). For {glue:text}`clear_pushes` of {glue:text}`n_pushes` contributions, the
# interval excludes zero. These intervals are computed by resampling the artists in the training set
# and are not corrected for multiple comparisons. In {glue:text}`n_silent` of the {glue:text}`n_songs`
# songs, a stem is silent.
#
# With each audio player below, you can listen to one of the songs shown and to the stem that
# contributes most to its prediction.

# %%
for track, song_rows in shown.groupby("track_id", sort=False):
    row = song_rows.loc[song_rows["estimate"].abs().idxmax()]
    way = "raises" if row["estimate"] > 0 else "lowers"
    label = f"{row['stem']}: {way} the prediction by {abs(row['estimate']):.2f}"
    stem_path = paths[track][row["stem"]]
    song_label = f"{data.song_names[track]}, whole"
    audio_player({song_label: data.audio_path(track), label: stem_path})

# %% [markdown]
# If you cannot hear why a stem raises or lowers the prediction, the regression may use a property
# that listeners ignore, such as a drum sound that highly rated bands have in common.

# %% [markdown]
# ## What could be wrong here
#
# - **Listeners rated whole songs.** If a stem's embedding predicts the ratings, the stem carries
#   information about the ratings, but listeners need not have used this information. For example, the
#   vocals may predict ratings only because they reveal the style.
# - **Stems are not independent.** A busy drummer may play with a busy bassist. The bass then predicts
#   what the drums cause. Exchanging the bass does not separate the effects of the two instruments,
#   because the ratings are still those of the original songs. To separate these effects, listeners would
#   have to rate songs with swapped stems.
# - **Intervals are wide.** A share is a difference between scores and therefore has a wide interval
#   with only {glue:text}`n_artists` artists.
# - **The score without any stems is a convention.** If we used the score with the embedding of
#   silence as the baseline instead, all shares would shift.
#
# ## Exercises

# %% [markdown] tags=["needs-audio"]
# ```{exercise} First and last
# :label: ex-first
#
# Use the table `added` to compute how much the first stem listed in `trio` adds on average when it
# comes first in the order, and how much when it comes last. Call the two numbers `first` and `last`.
# To which two of the three measures do these numbers correspond? What weight does each of these two
# measures have in the Shapley value with three stems, and with four?
# ```
#
# ```{solution-start} ex-first
# :class: dropdown
# ```

# %% tags=["solution", "needs-audio"]
stem = trio[0]
first = added.loc[added.index.str.startswith(stem), stem].mean()
last = added.loc[added.index.str.endswith(stem), stem].mean()
first, last

# %% [markdown] tags=["needs-audio"]
# The two measures are “alone” and “left out”. A stem comes first in two of the six orders and last in
# two others, so each measure has a weight of one third; with four stems, the weight is one quarter. The
# rest of the weight belongs to orders in which the stem comes neither first nor last.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-audio"]
nothing, full = score[frozenset()], score[frozenset(trio)]
assert np.isclose(first, score[frozenset(trio[:1])] - nothing), (
    "a stem that comes first is added to nothing: which rows of `added` begin with it?"
)
assert np.isclose(last, full - score[frozenset(trio[1:])]), (
    "when a stem comes last, all others have already been added"
)

# %% [markdown]
# ```{exercise} Predictions that are not shifted
# :label: ex-as-it-comes
#
# Compute the contributions of the stems for the version “the mix, as it comes”, over all songs, and call
# the table `broken`. Which stem has the largest Shapley value, and why?
# ```
#
# ```{solution-start} ex-as-it-comes
# :class: dropdown
# ```

# %% tags=["solution"]
broken = contributions(kinds["the mix, as it comes"]).query("part == 'all'")
broken[["stem", "measure", "estimate", "low", "high"]].tail(len(sources)).round(2)

# %% [markdown]
# Predictions for sums that are unlike a mix lie far outside the rating scale. The stem that makes a
# sum resemble a mix again, often the drums, receives most of the score. Its share then measures
# similarity to a mix, not groove.
#
# ```{solution-end}
# ```

# %% tags=["check"]
assert set(broken["part"]) == {"all"}, "keep only the rows for all songs"
assert len(broken.merge(target_shares, on=["stem", "measure", "estimate"])) == 0, (
    "these contributions come from the regressions on the stems themselves: look at `kinds`"
)

# %% [markdown] tags=["needs-stems"]
# ```{exercise} Separate by ear
# :label: ex-separate
#
# Add up one song's stems (`stems.remix`), separate the sum into harmonic and percussive parts
# {cite}`fitzgerald2010` with `stems.separate(y, sr, "hpss")`, call the result `guess`, and compare
# its percussive part with the true drums by listening. Which instruments do you hear in the
# percussive part? What is the signal-to-distortion ratio of each part (`stems.separation_quality`)?
# This ratio compares the true stem, scaled to fit the estimate, with the error: it is 10 log₁₀ of the
# ratio of the scaled stem's energy to the energy of the error. `stems.regroup_stems` combines the
# true stems into the same two parts.
# ```
#
# ```{solution-start} ex-separate
# :class: dropdown
# ```

# %% tags=["solution", "needs-stems"]
true, sr = load_stems(data.stem_paths(first_songs.iloc[0]))
guess = stems.separate(stems.remix(true, list(true), sr), sr, "hpss")
audio_player({"drums": (true["drums"], sr), "percussive": (guess["percussive"], sr)})
stems.separation_quality(guess, stems.regroup_stems(true, list(guess)), sr)

# %% [markdown] tags=["needs-stems"]
# The table gives the ratio (`si_sdr`, in decibels) of each part; 10 dB would indicate a good
# separation. “Percussive” means “short”, not “drums”: this part contains the attacks of the bass and
# the voice, but not ringing cymbals. If you set `separator = "hpss"` in the parameters, the whole
# chapter uses these two stems.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-stems"]
assert set(guess) == {"harmonic", "percussive"}, 'the separator is called "hpss"'

# %% [markdown]
# **An open question**: exchange the drums instead of the bass, with `"drums"` in `stems.swap_stem`.
# Which causes should become harder to predict, and which should not? Write down what you expect
# before you run your code.
#
# ## Summary
#
# **Asked**: which instruments carry the information that a model has about “{glue:text}`target`”.
# **Found**: the stem with the largest {glue:text}`measure` is {glue:text}`top_stem`
# ({glue:text}`top_share_full`). The {glue:text}`measure` is clearly above 0 for
# {glue:text}`clear_stems`. A regression on stems shows which information is in a stem. A regression
# on the mix shows which information a model uses in a mix, but its predictions for stems have to be
# shifted to a common mean first.

# %% [markdown] tags=["needs-simulation"]
# **True in the simulation**: drums and bass produce most of the causes, but event density and the level
# of low frequencies also depend on the other stems, and tempo and microtiming can be measured in all
# stems.

# %% [markdown]
# **What would change our mind**: other results with more artists; another separator or another
# loudness that changes the score of a stem by more than the width of its interval; or a cause for
# which the other stems clearly have a larger share than the stems that produce most of it.
#
# **Next:** {doc}`09-mixed-models` asks whether the predictions hold for individual listeners and in
# every style.
