# %% [markdown] tags=["needs-table-predictions"]
# # What would a sceptical reviewer say?
#
# In {doc}`06-probing`, we measured how well the embeddings of a model predict ratings of songs by new
# artists. A good score, however, may have nothing to do with groove. This chapter answers seven
# objections with experiments, each of which changes one aspect of the protocol or the data.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to test whether a score is affected by the scale of the features, the number of
# dimensions, the artists, the style, chance or noise; to compare a model properly with predictions
# from the mean rating of each style; and to find out how many songs are needed to answer a question.
#
# **You need** {doc}`06-probing`.
#
# **Run time**: {run-time}`07-objections`, measured when this page was built. **Module**:
# `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
models = []  # empty: the study's own models, else five that run offline
targets = ["groove", "dance", "listen", "party"]
n_repeats = 5  # number of divisions of the songs into folds
n_bootstrap = 2000
n_permutations = 1000
n_components = 10  # dimensions to which all models are reduced
n_draws = 5  # number of random projections and of random training sets
smallest = 0.05  # smallest difference in R² that matters, fixed in advance

# %%
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import pyplot as plt
from scipy import stats

from groove_utils import embed, figures, mixed, probe
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_counts,
    report_effects,
    report_texts,
    report_value,
    report_values,
    show_figure,
    show_table,
    summaries,
)
from groove_utils.book.verdicts import (
    clear_rows,
    describe_differences,
    pick_by_p,
    pick_verdict,
)
from groove_utils.descriptors import describe_study
from groove_utils.embed.study_models import models_for
from groove_utils.similarity import rsa
from groove_utils.stats import format_count, join_words

chapter = open_chapter("07-objections", study)
data = chapter.study

# %% [markdown]
# The songs, features, ratings and best model are the same as in {doc}`06-probing`, where the best
# model was chosen by its error in the inner folds.

# %%
models = models_for(data, models)
targets = summaries.rated_targets(data, targets)
features = {n: e.layers for n, e in embed.embed_study(data, models).items()}
if data.has("audio") or data.has("descriptors"):
    features["descriptors"] = probe.usable_descriptors(describe_study(data))

# %%
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists = data.tracks["artist"].to_numpy()
styles = data.tracks["style"].to_numpy()
songs = ratings, artists, styles
target, n_songs, n_artists = targets[0], len(ratings), len(set(artists))
predictions = chapter.load_table("predictions")
chosen = predictions[predictions["best"] & (predictions["target"] == target)]
best = chosen["model"].iloc[0]
one_target = ratings[[target]], artists, styles

# %%
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
once = replace(protocol, n_repeats=1)  # a single division into folds
resampled = {"n_boot": n_bootstrap, "seed": seed}
pretrained = {name: features[name] for name in models}
results = probe.nested_ridges(features, *songs, protocol, n_jobs=2)
baseline = probe.style_baseline(*songs, protocol)

# %% tags=["hide-input"]
report_counts(n_models=len(models), n_artists=n_artists, n_songs=n_songs)
report_counts(permutations=n_permutations, n_components=n_components)
report_texts(target=target, best_model=best)

# %% [markdown]
# There are {glue:text}`n_songs` songs by {glue:text}`n_artists` artists. The text discusses the
# ratings of “{glue:text}`target`” and the model {glue:text}`best_model`.
#
# ## Objections 1 to 3: scale, dimension, artists
#
# *“You regress on unscaled units, so units with a small variance are ignored. And a unit that is
# almost constant in the training songs, but has a very different value in a test song, distorts the
# prediction for that song.”* Dividing each unit by its standard deviation gives units with a small
# variance more weight, but also inflates units that are almost constant. We therefore also set a
# lower limit for the standard deviation and clip the standardised values at ±5. The first panel of
# {numref}`fig-settings` shows the steps from the published protocol to ours, one change at a time.
# All rows of this panel except the last use the folds of the published protocol.

# %%
paper = {n: probe.paper_protocol(X, *songs) for n, X in pretrained.items()}
published = paper[best]  # all models have the same folds
folds = pd.DataFrame(published.folds.T, index=published.songs.ids)
folds = folds.loc[ratings.index].T.to_numpy()

# %% [markdown]
# A `Protocol` contains all settings of a probe. The first protocol below standardises the features
# and keeps all other settings as published: all layers concatenated, one fixed penalty, and no limits
# on the standardised values. Each of the others changes one setting of the one before it. If several
# penalties or layers are allowed, the choice is made in the inner folds, as in {doc}`06-probing`.

# %%
plain = replace(protocol, whole_artists=False, layers="concat", alphas=0.2)
plain = replace(plain, floor=0, clip=1e12)
limited = replace(plain, floor=protocol.floor, clip=protocol.clip)
tuned = replace(limited, alphas=protocol.alphas)
selected = replace(tuned, layers=protocol.layers)

# %%
steps = {"standardised": plain, "with limits": limited}
steps |= {"penalty tuned": tuned, "layer chosen": selected}
scale = {"as published": paper}
for label, changed in steps.items():
    scale[label] = probe.nested_ridges(
        pretrained, *songs, changed, folds=folds, n_jobs=2
    )
grouped = {name: results[name] for name in models}
scale["whole artists"] = grouped

# %% [markdown]
# For each change to the protocol, we compute the mean difference in R² over the models, with an interval
# computed by resampling artists. We also arrange the scores in a table with one row per model and one
# column per step:

# %%
changes = {}
for before, after in pairwise(scale):
    pair = scale[after], scale[before]
    step = probe.mean_difference(*pair, score="fold_r2", **resampled)
    changes[after] = summaries.row_of(step, target=target)
changes = pd.DataFrame(changes.values(), index=list(changes))

# %%
scale = summaries.settings_table(scale, score="fold_r2")
panels = {"Scale (mean R² over folds)": scale}
by_step = summaries.by_setting(scale, target)

# %% [markdown]
# The model with the lowest score after standardising may suffer from almost constant units, so we look
# for the largest standardised value of any unit of this model in any test song:

# %%
lowest = by_step["standardised"].idxmin()
scale_facts = probe.scale_facts(pretrained[lowest], paper[lowest].folds)
n_raised = (by_step["standardised"] > by_step["as published"]).sum()

# %% [markdown]
# *“A model with thousands of dimensions can fit anything. Compare models with the same number of
# dimensions.”* We reduce the features of each model to {glue:text}`n_components` principal
# components, computed from the training songs. For comparison, we also project the features onto the
# same number of *random* directions and, in a third variant, replace the features with the same
# number of columns of noise.

# %%
reduced = replace(protocol, pca=n_components)
compact = probe.nested_ridges(pretrained, *songs, reduced, n_jobs=2)
controls = {}
for name, X in pretrained.items():
    controls[name] = probe.random_projection_control(
        X, *songs, once, n_components=n_components, n_draws=n_draws, n_jobs=2
    )

# %% [markdown]
# Random projections roughly preserve the distances between songs but, unlike principal components,
# are not fitted to the songs. Noise is unrelated to the songs, so its score shows what a regression
# on this many columns achieves without any information about the songs.

# %%
settings = {"all dimensions": grouped, f"{n_components} components": compact}
names = {"projection": f"{n_components} random directions"}
names["noise"] = f"{n_components} columns of noise"
controls = summaries.control_table(controls, names)
by_dimension = pd.concat([summaries.settings_table(settings), controls])
panels["Dimension (R²)"] = by_dimension
means = summaries.by_setting(by_dimension, target).mean()[1:]
dimension_change = probe.mean_difference(compact, grouped, **resampled)
dimension_change = summaries.row_of(dimension_change, target=target)

# %% [markdown]
# *“Your regression has seen the artist.”* Songs by one artist share musicians, studios and habits, so
# they resemble each other in sound and in ratings. If some songs by an artist are in the training
# folds, recognising the artist helps to predict the artist's other songs. This is possible if songs
# are assigned to folds one by one, but not with folds of whole artists. The difference in R² between
# the two kinds of folds measures how much recognising the artist helps.

# %%
song_folds = replace(protocol, whole_artists=False)
single = probe.nested_ridges(pretrained, *songs, song_folds, n_jobs=2)
settings = {
    "folds that ignore artists": single,
    "folds of whole artists": grouped,
}
panels["Artists (R²)"] = summaries.settings_table(settings)
gain = probe.mean_difference(single, grouped, **resampled)
gain = summaries.row_of(gain, target=target)
panels = {name: rows[rows["target"] == target] for name, rows in panels.items()}

# %% tags=["hide-input"]
show_figure(
    figures.plot_forests(
        panels, y="setting", hue="model", xlabel="Out-of-fold R²", floor=-1
    ),
    "settings",
    f"R² for “{target}” under changes to the protocol, {n_songs} songs. In the first panel, each row "
    "keeps the changes of the rows above it; only the last row changes the folds.",
    "Dot plots in three panels (scale, dimension, artists): one dot per model in each row. Scores "
    "below −1 are shown as arrows at the left edge, with their values.",
    table=pd.concat(panels, names=["panel"]).reset_index("panel"),
)
words = "raises the scores", "lowers the scores", "makes no clear difference"
report_effects(changes, n_songs, prefix="step_", words=words)
report_values(by_step.median().add_prefix("median_"), len(models))
report_counts(n_raised=n_raised, largest_z=scale_facts["largest_z"])
report_values(by_step.loc[lowest].add_prefix("lowest_"))
report_values(dict(zip(["components_r2", "random_r2", "noise_r2"], means)))
dimension_word = pick_verdict(
    dimension_change,
    "fewer dimensions are better",
    "fewer dimensions are worse",
    "the number of dimensions makes no clear difference",
    margin=smallest,
    equal="the number of dimensions makes little difference",
)
report_texts(lowest_model=lowest, dimension_word=dimension_word)
words = (
    "folds that ignore artists give higher scores",
    "folds that ignore artists give lower scores",
    "the two kinds of folds do not differ clearly",
)
report_effects({"dimension_change": dimension_change}, n_songs)
report_effects({"artist_gain": gain}, n_songs, words=words)

# %% [markdown]
# **Scale.** The steps from the published protocol to ours have the following effects (changes in R²
# are means over the models; the intervals and verdicts of objections 1 to 3 are not corrected for the
# number of comparisons):
#
# - **Standardising alone** raises the scores of {glue:text}`n_raised` of {glue:text}`n_models`
#   models, and the median R² changes from {glue:text}`median_as_published` to
#   {glue:text}`median_standardised`. However, {glue:text}`lowest_model` now has an R² of
#   {glue:text}`lowest_standardised`, because the value of one unit in one test song lies
#   {glue:text}`largest_z` standard deviations from the mean of the training songs.
# - **With limits on the standardised values**, the R² of {glue:text}`lowest_model` is
#   {glue:text}`lowest_with_limits`, and the median R² of all models is
#   {glue:text}`median_with_limits`.
# - **Tuning the penalty** {glue:text}`step_penalty_tuned_verdict`
#   ({glue:text}`step_penalty_tuned_full`).
# - **Choosing one layer** instead of concatenating all layers
#   {glue:text}`step_layer_chosen_verdict` ({glue:text}`step_layer_chosen_full`). We choose one layer
#   all the same, because the result for a single layer is easier to interpret.
# - **Folds of whole artists**: this step {glue:text}`step_whole_artists_verdict`
#   ({glue:text}`step_whole_artists_full`). After all changes, the median R² is
#   {glue:text}`median_whole_artists`.
#
# **Dimension.** With {glue:text}`n_components` components instead of all dimensions, R² changes by
# {glue:text}`dimension_change_full` on average over the models, to {glue:text}`components_r2`. With a
# tuned penalty, {glue:text}`dimension_word`. (We would say “little difference” only if the whole
# interval lay within ±{glue:text}`smallest`, a margin that we fixed before looking at the results.)
# The components are the directions in which the training songs differ most. The same number of random
# directions gives an R² of {glue:text}`random_r2`, and the same number of columns of noise gives an
# R² of {glue:text}`noise_r2`.
#
# **Artists.** The R² with folds that ignore artists minus the R² with folds of whole artists is
# {glue:text}`artist_gain_full` on average over the models: {glue:text}`artist_gain_verdict`. A leak
# of information from test songs does not always change the score, so we also look for leaks directly
# ({numref}`tab-leaks`). First, we change the features of some held-out songs and check whether the
# predictions for any other songs change. Second, we change the ratings of some held-out songs and
# check whether the predictions for those same songs change. If the folds ignore artists, songs by one
# artist are in both the training set and the test set; this is the leak that the row “artists” shows.
# For these checks, the procedure has to be a function that uses the folds passed to it:


# %%
def probe_once(X, y, folds):
    return probe.nested_ridge(X, y, None, styles, protocol, folds=folds)


layer = {"last": list(features[best].values())[-1]}
leaks = {}
kinds = {"whole artists": grouped, "ignoring artists": single}
for kind, result in kinds.items():
    leaks[kind] = probe.find_leaks(
        probe_once,
        layer,
        ratings[[target]],
        artists=artists,
        folds=result[best].folds[0],
        n_tries=1,
    ).set_index("check")["leaks"]

# %% tags=["hide-input"]
show_table(
    pd.DataFrame(leaks).replace({True: "leak", False: "no leak"}),
    "leaks",
    "Ways in which test songs could influence a model, and the result of each check.",
)

# %% [markdown] tags=["needs-styles"]
# ## Objection 4: it is style, not groove
#
# *“Your model only distinguishes funk from rock.”* R² over all songs reflects two abilities:
# distinguishing the styles, and predicting which songs of a style are rated higher. To isolate the
# second ability, we subtract the mean of each style from the ratings and from the predictions,
# correlate the residuals, and average the correlation over the divisions into folds:


# %%
def within_style(values):
    return values - pd.Series(values).groupby(styles).transform("mean")


y = within_style(ratings[target].to_numpy())
repeats = results[best].predicted[:, :, targets.index(target)]
r = np.mean([stats.pearsonr(y, within_style(row)).statistic for row in repeats])

# %% [markdown]
# In the package, this correlation is the score `within_r` (the difference from the value computed by
# hand is {glue:text}`same_within`). To compute a p-value, we exchange the ratings between artists of
# the same style, keeping the ratings of each artist's songs together, and repeat the whole procedure
# for {glue:text}`permutations` such permutations. (The permutations use a single division into folds;
# the reported correlations are means over all divisions.)

# %%
within_r = summaries.score_table(results, score="within_r", **resampled)
permuted = probe.permutation_test(
    features,
    *songs,
    once,
    within_style=True,
    score="within_r",
    n_permutations=n_permutations,
    n_jobs=2,
)
within_r = within_r.merge(permuted[["model", "target", "p", "p_target"]])
within_r = within_r[within_r["target"] == target].set_index("model")
words = "predicts", "cannot be shown to predict"
within_r["verdict"] = [
    f"{pick_by_p(p, *words)} which songs of a style are rated higher"
    for p in within_r["p_target"]
]
difference = abs(within_r.loc[best, "estimate"] - r)
report_value("same_within", difference, fmt=".0e", tolerance=1e-9)

# %% tags=["hide-input"]
show_table(
    within_r[["estimate", "low", "high", "p", "p_target"]],
    "within-order",
    f"Correlation of predictions with “{target}” within styles. p: from permutations of whole "
    "artists, for each row separately; p target: corrected for the choice among rows, by "
    "comparison with the highest correlation of any row in each permutation.",
)

# %% [markdown]
# Objection 4 can also be answered in three other ways ({numref}`fig-style`). First, R² can be split
# into a part between styles and a part within styles. For the part *within* styles, zero is not the
# natural baseline: predicting each song from the mean rating of other songs of its style gives a
# negative R². Second, the mean rating of each style, computed from the training songs, can be
# subtracted from the ratings *before* the regression is fitted. The share of the remaining squared
# error that the regression removes is called “R² beyond style”.

# %%
parts = pd.concat(
    [
        probe.style_scores(run, **resampled).assign(model=name)
        for name, run in {best: results[best], "style alone": baseline}.items()
    ]
)
residual = probe.nested_ridges(features, *songs, protocol, nuisance=styles)
beyond = summaries.score_table(residual, score="r2_over_baseline", **resampled)

# %% [markdown]
# Third, we can take into account that style, descriptors and embedding may carry the same
# information. A variance partition separates what each of these blocks of features explains alone
# from what several blocks explain jointly {cite}`dupre2022`. If $R^2_{S}$ is the score of a
# regression on a set $S$ of blocks, the share explained by block $a$ alone, out of three blocks $a$,
# $b$ and $c$, is
#
# $$ R^2_{abc} - R^2_{bc} $$
#
# and all shares, single and joint, add up to $R^2_{abc}$. Shares can be negative, because a block of
# features can make out-of-fold predictions worse.

# %%
layers = list(features[best].values())
blocks = {"style": styles, "embedding": np.hstack(layers)}
if "descriptors" in features:
    blocks["descriptors"] = features["descriptors"]
partition = probe.variance_partition(
    blocks, *songs, replace(protocol, n_repeats=2), n_boot=n_bootstrap, n_jobs=2
)

# %% [markdown]
# {numref}`fig-style` has one panel for each of these analyses:

# %%
parts = parts[parts["part"].isin(["all", "between", "within"])]
panels = {
    f"R² of {best} and of style alone, by part": parts,
    "R² beyond the style's mean": beyond,
    "Shares of R² (partition)": partition[partition["kind"] != "model"],
}
panels = {name: rows[rows["target"] == target] for name, rows in panels.items()}
by_part, beyond, shares = panels.values()
by_part = by_part.set_index(["model", "part"])
within = by_part.xs("within", level="part")
within = within.rename({best: "within_r2", "style alone": "within_r2_style"})
ahead = beyond.loc[beyond["low"] > 0, "model"]

# %% tags=["hide-input"]
show_figure(
    figures.plot_forests(
        panels,
        x=["r2", "estimate", "r2"],
        y=["part", "model", "part"],
        hue=["model", None, None],
        xlabel="R²",
    ),
    "style",
    f"“{target}” and style: parts of R², R² beyond style, and a partition of R² among style, "
    f"descriptors and embedding; {n_songs} songs, 95% intervals (artists resampled).",
    "Forest plots: parts of R squared for the model and for style alone; R squared beyond style, "
    "one row per model; shares of a partition.",
    table=pd.concat(panels, names=["panel"]).reset_index("panel"),
)
report_effects(within, n_songs, value="r2")
report_value("between_share", by_part.loc[(best, "between"), "share"], fmt=".0%")
row = within_r.loc[best]
report_effects({"within_r": row}, n_songs)
p_values = row[["p", "p_target"]].add_prefix("within_")
report_values(p_values, fmt=".3f", tolerance=0.02)
report_texts(
    within_verdict=row["verdict"],
    within_ordered=join_words(clear_rows(within_r, "p_target").index),
    beyond_style=join_words(ahead, "none of them"),
)

# %% [markdown]
# Differences between styles account for {glue:text}`between_share` of the variance of the
# “{glue:text}`target`” ratings. Within styles, the correlation between the predictions of
# {glue:text}`best_model` and the ratings is r = {glue:text}`within_r_full`, p =
# {glue:text}`within_p`. This p-value treats the model as if it had been fixed in advance, although it
# was chosen by its errors on the same ratings. To allow for any choice among the rows of
# {numref}`tab-within-order`, we also compare the observed correlation with the highest correlation of
# any row in each permutation. This comparison gives p = {glue:text}`within_p_target`, so
# {glue:text}`best_model` {glue:text}`within_verdict`. Within styles, the R² of this model is
# {glue:text}`within_r2`, and that of style alone is {glue:text}`within_r2_style`.
#
# The results for the individual sets of features are:
#
# - **Sets that predict which songs of a style are rated higher** (p < .05, corrected in the same
#   way): {glue:text}`within_ordered`.
# - **Sets for which the interval of R² beyond style lies above 0** (not corrected):
#   {glue:text}`beyond_style`.

# %% [markdown] tags=["needs-audio-or-descriptors"]
# ### What do embeddings explain that descriptors do not, and vice versa?
#
# The share of one block alone is what we would lose by leaving out this block. A joint share could be
# explained by any one of the blocks involved. We look at two shares of each kind:

# %% tags=["needs-audio-or-descriptors"]
shares = shares.set_index("part")
unique = shares.loc[["embedding", "descriptors"]]
several = ["embedding & descriptors", "style & embedding & descriptors"]
shared = shares.loc[several]

# %% tags=["needs-audio-or-descriptors", "hide-input"]
row = within_r.loc["descriptors"]
report_effects({"within_r_descriptors": row}, n_songs)
report_value("within_p_descriptors", row["p_target"], fmt=".3f", tolerance=0.02)
report_texts(within_verdict_descriptors=row["verdict"])
words = (
    "adds information to the other two",
    "makes the predictions from the other two worse",
    "cannot be shown to add anything to the other two",
)
report_effects(unique, n_songs, prefix="unique_", value="r2", words=words)
report_effects(shared, n_songs, prefix="shared_", value="r2")

# %% [markdown] tags=["needs-audio-or-descriptors"]
# The R² shared by embedding and descriptors, but not by style, is
# {glue:text}`shared_embedding_descriptors_full`; the R² shared by all three blocks is
# {glue:text}`shared_style_embedding_descriptors_full`. The share of the embedding alone is
# {glue:text}`unique_embedding_full`: this block {glue:text}`unique_embedding_verdict`. The share of
# the descriptors alone is {glue:text}`unique_descriptors_full`: this block
# {glue:text}`unique_descriptors_verdict`. Within styles, the correlation between the predictions from
# the descriptors and the ratings is r = {glue:text}`within_r_descriptors_full`, p =
# {glue:text}`within_p_descriptors` (corrected for the rows of {numref}`tab-within-order`): a
# regression on the descriptors {glue:text}`within_verdict_descriptors`.

# %% [markdown]
# ### Does it help to train on one style?
#
# *“Groove in funk is not groove in rock. Train on one style only.”* A training set from one style is
# smaller, however, and this is a disadvantage in itself. We therefore compare training sets of
# **equal size** ({numref}`fig-transfer`). For each held-out fold of artists from one style, we form
# three training sets with the same number of other artists: from the same style, from one other
# style, or from all styles in equal numbers. If the relation between sound and ratings differs
# between styles, training on the style itself should be best. If it is the same in all styles,
# training on another style should work equally well, and a mixture may be better, because it is more
# varied.

# %%
trainable = data.tracks.groupby("style")["artist"].nunique().ge(4).sum() > 1
transfer_note = "The styles have too few artists for this experiment."
if trainable:
    transfer = probe.matched_transfer(
        features[best], *one_target, protocol, n_boot=n_bootstrap, n_jobs=2
    )
    ranks = transfer[transfer["score"] == "spearman"]
    levels = ranks.dropna(subset="n_train")
    means = ranks[ranks["test"] == "mean"].set_index("train")
    other_style = {"training on another style": means.loc["same − another"]}
    all_styles = {"training on all styles": means.loc["same − mixed"]}
    leads = describe_differences(other_style | all_styles)

# %% tags=["hide-input"]
if trainable:
    show_figure(
        figures.plot_forest(
            levels, y="train", panel="test", xlabel="Spearman's ρ", columns=2
        ),
        "transfer",
        f"“{target}” predicted from {best} in each style, after training on equal numbers of "
        "artists from the same style, from one other style, or from all styles; last panel: the "
        "mean over styles.",
        "Forest plots of rank correlations with intervals: one panel per style and one for the mean, "
        "with three rows each.",
        table=transfer,
    )
    transfer_note = (
        f"With {means.loc['same style', 'n_train']:.0f} songs, training on the style itself is "
        f"{leads}."
    )
report_texts(transfer_note=transfer_note)

# %% [markdown]
# {glue:text}`transfer_note` (We use Spearman's ρ, because it ignores differences between the mean
# ratings of two styles. R² counts such differences as error; the table of the plotted numbers also
# contains R².)

# %% [markdown]
# ## Objection 5: it is chance
#
# *“You tried several models, layers and questions. Some of them were bound to work.”* We permute the
# ratings of whole artists, repeat the whole procedure with all its choices, and record the highest R²
# of any model for any question. The values from {glue:text}`permutations` permutations show how high
# R² can be by chance ({numref}`fig-luck`). (Exchanging the ratings of single songs would be wrong,
# because songs by one artist resemble each other.)

# %%
observed, null = probe.permutation_test(
    pretrained,
    *songs,
    once,
    return_null=True,
    n_permutations=n_permutations,
    n_jobs=2,
)
clear = clear_rows(observed[observed["target"] == target], "p_family")["model"]

# %% tags=["hide-input"]
show_figure(
    figures.plot_luck(observed, null, target),
    "luck",
    f"R² for “{target}” (dots), and R² in {n_permutations} permutations of artists (violins). Bottom "
    f"row: the highest R² over {len(models)} models and {len(targets)} questions in each permutation.",
    "Violins of R squared under permuted ratings, one per model and one for the best of all; "
    "dots for the observed scores; a dotted line at the 95% quantile of the best of all.",
    table=observed,
)
report_value("n_beyond_luck", len(clear), fmt=".0f", n=len(models))

# %% [markdown]
# For {glue:text}`n_beyond_luck` of {glue:text}`n_models` models, R² is above chance after correction
# for the number of models and questions (family-wise p < .05: if only chance were at work, a study
# would find at least one such model with a probability of at most 5%). With $n$ permutations, the
# smallest possible p is $1/(n + 1)$, because the observed order of the ratings counts as one more
# permutation. In the permutations, the ratings have no relation to the sound, not even through style.
# A model that only distinguishes the styles can therefore pass this test. So can a model whose
# interval of R² ({numref}`fig-probe-scores`) includes 0.

# %% [markdown] tags=["needs-table-ceilings"]
# ## Objection 6: most of the variance is unexplained
#
# *“An R² of this size leaves most of the variance unexplained.”* Part of the variance of the songs'
# mean ratings is due to chance. The {term}`noise ceiling`, introduced in
# {doc}`01-listeners-and-tracks`, is the R² of a perfect model of the songs. We divide the R² of the
# best model by the ceiling:

# %%
ceilings = chapter.load_table("ceilings")
scores = summaries.score_table({best: results[best]}, **resampled)
reach = mixed.normalise_by_ceiling(scores, ceilings)
reach = summaries.row_of(reach, target=target)
share = reach[["low", "high"]] / reach["ceiling"]
share["estimate"] = reach["r2_normalised"]

# %% tags=["hide-input"]
words = (
    "more than the ceiling, which can only be due to chance",
    "clearly less than a perfect model",
    "not clearly less than a perfect model",
)
report_effects({"reach": share}, n_songs, fmt=".0%", words=words, reference=1)
report_effects(
    {"ceiling": reach}, value="ceiling", interval=("ceiling_low", "ceiling_high")
)

# %% [markdown]
# The noise ceiling is an R² of {glue:text}`ceiling_full`. {glue:text}`best_model` reaches
# {glue:text}`reach_full` of the ceiling: {glue:text}`reach_verdict`. (The interval of this percentage
# treats the ceiling as known.) The ceiling accounts for the noise in the ratings of the *test* songs.
# Any gap between the R² of a model and the ceiling therefore has other causes, which may lie in the
# model, the regression, the number of songs, noise in the ratings of the training songs, or
# differences between songs that leave no trace in the audio. ({numref}`fig-ladder` shows the R² of
# predictions from the exact causes of groove, if these are known.)

# %% [markdown]
# ## Objection 7: another method would have found more
#
# **Another regression?** A linear model may be too simple. On the same folds, we fit kernel ridge
# regression and partial least squares to the embedding, and boosted trees to the descriptors
# ({numref}`tab-regressors`). Each method is tuned inside the training folds. Kernel ridge regression
# predicts from a nonlinear measure of the similarity of songs, so it can fit curved relations.
# Partial least squares looks for the directions that covary most strongly with the ratings, whereas
# principal components ignore the ratings. Boosted trees split the songs at thresholds of descriptors
# and can represent interactions between descriptors. (For partial least squares and boosting, the
# effect of leaving out an artist cannot be computed without fitting the regression again. For these
# two methods, we therefore resample only the test songs, so their intervals are too narrow.)

# %%
reference = f"ridge on {best}"
fits = {reference: probe.nested_ridge(features[best], *songs, once)}
for kind in ("kernel", "pls"):
    fits[f"{kind} on {best}"] = probe.nested_estimator(
        features[best], *songs, once, estimator=kind, n_jobs=2
    )

# %%
if "descriptors" in features:
    descriptors = features["descriptors"]
    fits["ridge on descriptors"] = probe.nested_ridge(descriptors, *songs, once)
    fits["boosting on descriptors"] = probe.nested_estimator(
        descriptors, *songs, once, estimator="boosting", n_jobs=2
    )

# %% [markdown]
# Each regression is compared with ridge regression on the embedding, for the same songs:

# %%
regressors = summaries.score_table(fits, **resampled)
regressors = regressors[regressors["target"] == target]
comparisons = probe.compare_models(fits, reference=reference, **resampled)
comparisons = comparisons[comparisons["target"] == target]
better = clear_rows(comparisons, value="difference")["first"]
highest = regressors.loc[regressors["estimate"].idxmax()]
marked = summaries.mark_test_only(regressors).set_index("model")

# %% tags=["hide-input"]
show_table(
    marked[["estimate", "low", "high"]],
    "regressors",
    f"R² of other regressions on the same folds of {n_songs} songs (one division).",
)
if len(better):
    regressors_verdict = (
        f"these are clearly better than ridge regression: {join_words(better)}"
    )
else:
    regressors_verdict = "no other regression is clearly better than ridge regression"
report_texts(regressor_best=highest["model"], regressors_verdict=regressors_verdict)

# %% [markdown]
# The highest R² is that of “{glue:text}`regressor_best`”. In paired comparisons with ridge regression
# on {glue:text}`best_model` (Holm-corrected), {glue:text}`regressors_verdict`.
#
# **Another layer?** {numref}`fig-layer-scores` shows the score of each layer alone. The highest of
# many noisy scores is biased upwards. Filled dots therefore mark all layers that *may be* the best,
# given how much the scores vary between artists. The bar on the right shows the R² for the layer
# chosen in the inner folds.

# %%
layered = [name for name in models if len(features[name]) > 1]
quick = replace(protocol, n_repeats=min(n_repeats, 2))
profiles = [
    probe.layer_profile(
        features[name],
        *one_target,
        quick,
        n_permutations=min(n_permutations, 200),
        n_boot=n_bootstrap,
        n_jobs=2,
    ).assign(model=name)
    for name in layered
]

# %%
layer_note = "the models of this study have only one layer each"
if layered:
    profile = pd.concat(profiles, ignore_index=True)
    tied = profile.groupby("model")["may_be_best"].mean().mean()
    layer_note = f"{tied:.0%} of layers may be the best layer of their model"

# %% tags=["hide-input"]
if layered:
    show_figure(
        figures.plot_layer_profiles(profile),
        "layer-scores",
        f"R² of each layer for “{target}”. Filled dots: layers that may be the best. Bar: layer chosen "
        "in the training folds.",
        "Line plots over layers, one panel per model, with filled or hollow dots.",
        table=profile,
    )
report_texts(layer_note=layer_note)

# %% [markdown]
# For “{glue:text}`target`”, {glue:text}`layer_note`.
#
# **No regression at all?** Representational similarity analysis {cite}`kriegeskorte2008` tests
# whether songs with similar embeddings have similar ratings. Because pairs of songs are not
# independent, we permute whole artists to compute p-values, and leave out whole artists to compute
# intervals. Pairs of songs by the same artist are not used. To hold style constant, we remove the
# mean difference between pairs from the same style and pairs from different styles, both from the
# distances in the embedding and from the distances in the ratings. Even then, pairs from different
# styles can differ from each other: two styles may be closer to each other than to a third style, in
# the sound and in the ratings. With style held constant, artists are therefore exchanged only within
# their style.

# %%
controls = {"all pairs": False}
if data.has("styles"):
    controls["style held constant"] = True
similarities = pd.concat(
    rsa(
        features[name],
        *one_target,
        control_style=control,
        within_style=control,
        n_permutations=n_permutations,
        seed=seed,
    ).assign(model=name, pairs=pairs)
    for name in models
    for pairs, control in controls.items()
)

# %% [markdown]
# For each model, we keep the layer with the highest rank correlation (Spearman's ρ) between the
# distances in the embedding and the distances in the ratings; p is corrected for this choice:

# %%
top = similarities.sort_values("rho").groupby(["model", "pairs"]).tail(1)
top = top.sort_values(["pairs", "model"])
of_best = top[top["model"] == best].set_index("pairs")
above_chance = clear_rows(top, "p_layers")["pairs"].value_counts()
kinds = ["all pairs", "style held constant"]
above_chance = above_chance.reindex(kinds, fill_value=0)

# %% tags=["hide-input"]
show_figure(
    figures.plot_scores(top, x="rho", hue="pairs", xlabel="Spearman's ρ of distances"),
    "rsa",
    f"Rank correlation between pairwise distances and rating differences of {n_songs} songs, in "
    "the layer with the highest correlation; 95% intervals, not corrected for the choice of layer.",
    "Forest plot, one row per model, for all pairs and with style held constant.",
    table=similarities,
)
report_values(above_chance.add_prefix("rsa_"), len(models), fmt=".0f")
report_effects(of_best, n_songs, prefix="rsa_best_", value="rho")

# %% [markdown]
# For {glue:text}`best_model`, the highest ρ of any layer is {glue:text}`rsa_best_all_pairs_full`.
# This value is biased upwards, because the layer was chosen for its high ρ. Over all pairs of songs,
# ρ is above chance for {glue:text}`rsa_all_pairs` of {glue:text}`n_models` models (p < .05, corrected
# for layers, not for models).

# %% [markdown] tags=["needs-styles"]
# With style held constant, the highest ρ of {glue:text}`best_model` is
# {glue:text}`rsa_best_style_held_constant`, and ρ is above chance for
# {glue:text}`rsa_style_held_constant` of {glue:text}`n_models` models.

# %% [markdown]
# ## How many songs are needed?
#
# {numref}`fig-learning` shows how R² changes with the number of training songs and, if the ratings of
# individual listeners are available, with the number of raters per song. A curve that still rises at
# its right end suggests that more songs or raters would give a higher score; a flat curve does not.
# With few raters, the noise ceiling is low as well, so the score has to be compared with the ceiling.

# %%
draws = replace(protocol, n_repeats=n_draws)
curve = probe.learning_curve(features[best], *one_target, draws, n_jobs=2)
panel = None
if data.has("listeners"):
    answered = data.ratings[data.ratings["query"] == target]
    panel = probe.rater_learning_curve(
        features[best], answered, list(ratings.index), artists, styles, protocol
    )

# %% tags=["hide-input"]
show_figure(
    figures.plot_learning_curves(curve, panel),
    "learning",
    f"R² of {best} by number of training songs, ± SD over {n_draws} draws; and, where listeners are "
    "known, by number of raters per song, with the noise ceiling.",
    "Line plots of R squared against the number of songs and, with the noise ceiling, of raters.",
    table=curve,
)

# %% [markdown]
# More songs not only raise R² but also narrow its interval. Because the intervals are computed by
# resampling artists, we repeat the probe on random subsets of the artists and compute half the width
# of the interval each time ({numref}`fig-width`).

# %%
rng = np.random.default_rng(seed)
widths = []
quarters = [round(n_artists * part / 4) for part in (1, 2, 3, 4)]
for count in sorted({max(size, min(8, n_artists)) for size in quarters}):
    for _ in range(n_draws if count < n_artists else 1):
        drawn = rng.permutation(np.unique(artists))[:count]
        is_drawn = np.isin(artists, drawn)
        part = {layer: X[is_drawn] for layer, X in features[best].items()}
        drawn_ratings = ratings.loc[is_drawn, [target]]
        labels = artists[is_drawn], styles[is_drawn]
        run = probe.nested_ridge(part, drawn_ratings, *labels, once)
        row = probe.bootstrap_scores(run, scores=["r2"], **resampled).iloc[0]
        widths.append((len(drawn), (row["high"] - row["low"]) / 2))

# %% [markdown]
# The power to detect a given lead over style alone follows from the standard error of the observed
# lead; with four times as many songs, the standard error is halved.

# %%
widths = pd.DataFrame(widths, columns=["artists", "half-width"])
pair = {best: results[best], "style alone": baseline}
required = probe.songs_needed(pair, smallest, power=[0.8])
required = summaries.row_of(required, target=target)
before_last, last = curve["r2"].tail(2)

# %% tags=["hide-input"]
figure, axes = plt.subplots(figsize=(5.5, 3))
sns.lineplot(widths, x="artists", y="half-width", marker="o", errorbar=None, ax=axes)
axes.set(xlabel="Artists", ylabel="Half-width of the interval of R²", ylim=(0, None))
show_figure(
    figure,
    "width",
    f"Half-width of the 95% interval of R² for {best}, by number of artists; mean of {n_draws} draws.",
    "A line that falls from left to right: more artists, narrower intervals.",
    table=widths,
)
report_texts(songs_needed=format_count(required["n_songs"]))
report_value("power_now", required["power_now"], n=n_songs, tolerance=0.05, fmt=".0%")
report_value("curve_end", last, n=n_songs)
report_values({"smallest": smallest, "curve_step": last - before_last})
report_value("width_now", widths["half-width"].iloc[-1], n=n_artists)

# %% [markdown]
# Adding the last fifth of the training artists changes R² by {glue:text}`curve_step`, to
# {glue:text}`curve_end`. With all artists, half the width of the interval of R² is
# {glue:text}`width_now`. How small a lead over style alone could be detected? Before looking at the
# results, we fixed the smallest difference in R² that matters: {glue:text}`smallest`. A study with
# {glue:text}`n_songs` songs detects a lead of this size with a probability of {glue:text}`power_now`.
# To raise this probability to 80%, we would need {glue:text}`songs_needed` songs, with the number of
# artists growing in proportion. These power calculations assume that a small lead has the same
# standard error as the observed lead. ({doc}`06-probing` tests the observed lead. The power to detect
# the *observed* lead would only restate its p-value {cite}`hoenig2001`.)
#
# ## The answers
#
# For “{glue:text}`target`”:
#
# - **Scale**: standardising alone raises the scores of {glue:text}`n_raised` of {glue:text}`n_models`
#   models. Tuning the penalty {glue:text}`step_penalty_tuned_verdict` (mean change
#   {glue:text}`step_penalty_tuned`). Choosing one layer {glue:text}`step_layer_chosen_verdict`.
# - **Dimension**: with a tuned penalty, {glue:text}`dimension_word` (mean change
#   {glue:text}`dimension_change`).
# - **Artists**: {glue:text}`artist_gain_verdict` (mean difference {glue:text}`artist_gain`).

# %% [markdown] tags=["needs-styles"]
# - **Style**: {glue:text}`best_model` {glue:text}`within_verdict` (r = {glue:text}`within_r`).

# %% [markdown]
# - **Chance**: R² is above chance for {glue:text}`n_beyond_luck` of {glue:text}`n_models` models
#   (family-wise p < .05).

# %% [markdown] tags=["needs-table-ceilings"]
# - **Noise**: {glue:text}`best_model` reaches {glue:text}`reach` of the ceiling of {glue:text}`ceiling`:
#   {glue:text}`reach_verdict`.

# %% [markdown]
# - **Method**: {glue:text}`regressors_verdict`; {glue:text}`layer_note`.

# %% [markdown]
# ## What could be wrong here
#
# - **Further objections.** A score can have causes that are not on this list; the placebo question in
#   {doc}`06-probing` would reveal some of them.
# - **One model.** Most experiments use the best model; results for the other models are in the tables.
# - **Permutations of artists** require artists whose ratings can be exchanged. If the number of songs
#   differs greatly between artists, few permutations are possible.
#
# ## Exercises
#
# ```{exercise} Larger and smaller differences
# :label: ex-smallest
#
# How many songs are needed to detect a difference of 0.1 in R² with a power of 90%, and how many to
# detect a difference of 0.02? Call the two numbers of songs `many` and `more`. How does the number of
# songs depend on the difference?
# ```
#
# ```{solution-start} ex-smallest
# :class: dropdown
# ```

# %% tags=["solution"]
many, more = (
    summaries.row_of(probe.songs_needed(pair, difference, power=[0.9]), target=target)[
        "n_songs"
    ]
    for difference in (0.1, 0.02)
)
many, more

# %% tags=["check"]
assert many < more, "a smaller difference needs more songs"
assert 20 < more / many < 30, "is the power 0.9 for both?"

# %% [markdown]
# The number of songs needed is inversely proportional to the square of the difference: a difference one
# fifth as large needs 25 times as many songs.
#
# ```{solution-end}
# ```
#
# ```{exercise} Plant a leak
# :label: ex-plant
#
# Standardise the ratings within each style *before* the probe, with the means and standard deviations of
# all songs, and run `find_leaks` on that procedure. Call the resulting table `found_leaks`. Which check
# detects the leak?
# ```
#
# ```{solution-start} ex-plant
# :class: dropdown
# ```


# %% tags=["solution"]
def leaky(X, y, folds):
    groups = pd.DataFrame(np.asarray(y)).groupby(styles)
    z = (np.asarray(y) - groups.transform("mean")) / groups.transform("std")
    return probe.nested_ridge(X, z.to_numpy(), None, styles, protocol, folds=folds)


found_leaks = probe.find_leaks(
    leaky,
    layer,
    ratings[[target]],
    artists=artists,
    folds=results[best].folds[0],
    n_tries=1,
)
found_leaks

# %% tags=["check"]
assert found_leaks["leaks"].any(), (
    "no check found the leak: does your procedure use ratings of held-out songs?"
)

# %% [markdown]
# The mean of a style over *all* songs includes the held-out songs, so the check “ratings” detects the
# leak: the predictions for a fold depend on that fold's own ratings. The option `nuisance=styles`
# computes the means inside the training folds and has no such leak.
#
# ```{solution-end}
# ```
#
# ```{exercise} Listen to the extremes of a style
# :label: ex-within
#
# Within one style, which song has the highest prediction, and which the lowest? Put the two songs in
# a dictionary `ends`, and listen to them. Would you say that they differ in groove?
# ```
#
# ```{solution-start} ex-within
# :class: dropdown
# ```

# %% tags=["solution"]
style = data.styles[0]
ranked = chosen[chosen["style"] == style].sort_values("predicted")["track_id"]
ends = {"lowest": ranked.iloc[0], "highest": ranked.iloc[-1]}
if data.has("audio"):
    audio_player({name: data.audio_path(track) for name, track in ends.items()})

# %% tags=["check"]
assert len(set(chosen.set_index("track_id").loc[list(ends.values()), "style"])) == 1, (
    "the two songs are from different styles"
)

# %% [markdown]
# Compare your answer with the values of the causes for the two songs, if the study contains these
# values (`data.truth("songs")`).
#
# ```{solution-end}
# ```
#
# ```{exercise} Songs or raters?
# :label: ex-buy
#
# Suppose that you can pay for either twice as many songs or twice as many raters. Which of the two
# would be the better investment, according to {numref}`fig-learning`?
# ```
#
# ```{solution-start} ex-buy
# :class: dropdown
# ```

# %% tags=["solution"]
curve[["n_train", "r2"]].round(3)

# %% [markdown]
# Compare the slopes at the right ends of the curves. Beyond about twenty raters, the noise ceiling
# and the score level off, whereas the curve for songs is usually still rising. More artists narrow
# every interval in this chapter; more raters do so only to the extent that they reduce noise.
#
# ```{solution-end}
# ```
#
# ## Summary
#
# **Asked**: could the score reported in {doc}`06-probing` be due to scale, dimension, artists, style,
# chance, noise or method? **Found**: the answers are listed above, one per objection. **What would
# change our mind**: data from more artists. The intervals in this chapter would then be narrower, and
# results that are now unclear could turn out clearly positive or clearly negative.
#
# **Next:** {doc}`08-stem-ablation` asks which instruments the predictions depend on;
# {doc}`09-mixed-models` asks whether the predictions hold for individual listeners.
