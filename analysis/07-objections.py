# %% [markdown] tags=["needs-table-predictions"]
# # What would a sceptical reviewer say?
#
# In {doc}`06-probing`, we measured how well the embeddings of a model predict ratings of songs by new
# artists. A good score can have many causes that have nothing to do with groove. This chapter answers
# seven objections, each with an experiment that changes one property of the protocol or of the data.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to test whether a score is due to scale, dimension, artists, style, chance or noise;
# to compare a model properly with the mean rating of each style; and to find out how many songs are
# needed to answer a question.
#
# **You need** {doc}`06-probing`.
#
# **It runs** in {run-time}`07-objections` in the run that made this page.
# Module: `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
models = []  # empty: those that the study brings, else five that run offline
targets = ["groove", "dance", "listen", "party"]
n_repeats = 5  # times that the songs are divided into folds
n_bootstrap = 2000
n_permutations = 1000
n_components = 10  # the common dimension at which models are compared
n_draws = 5  # random projections, and random choices of training songs
smallest = 0.05  # smallest difference in R² that matters, fixed before looking

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
    show_figure,
    show_table,
    summaries,
)
from groove_utils.book.verdicts import clear_rows, pick_by_p, pick_verdict
from groove_utils.descriptors import describe_study
from groove_utils.embed.study_models import models_for
from groove_utils.similarity import rsa
from groove_utils.stats import format_count, join_words, typeset_minus

chapter = open_chapter("07-objections", study)
data = chapter.study

# %% [markdown]
# The songs, features and ratings are those of {doc}`06-probing`, and so is the best model, which was
# chosen there by its error in the inner folds.

# %%
models = models_for(data, models)
targets = summaries.rated_targets(data, targets)
features = {n: one.layers for n, one in embed.embed_study(data, models).items()}
if data.has("audio") or data.has("descriptors"):
    features["descriptors"] = probe.usable_descriptors(describe_study(data))

# %%
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists = data.tracks["artist"].to_numpy()
styles = data.tracks["style"].to_numpy()
songs = ratings, artists, styles
target, n_songs, n_artists = targets[0], len(ratings), len(set(artists))
predictions = chapter.load_table("predictions")
mine = predictions[predictions["best"] & (predictions["target"] == target)]
best = mine["model"].iloc[0]

# %%
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
once = replace(protocol, n_repeats=1)  # for what is repeated in other ways
resampled = {"n_boot": n_bootstrap, "seed": seed}
pretrained = {name: features[name] for name in models}
results = probe.nested_ridges(features, *songs, protocol, n_jobs=2)
baseline = probe.style_baseline(*songs, protocol)

# %% tags=["hide-input"]
answers = {}  # objection → answer
size = f"{n_songs} songs by {n_artists} artists"
report_counts(n_models=len(models), n_artists=n_artists, n_songs=n_songs)
report_counts(permutations=n_permutations, n_components=n_components)
report_texts(target=target, best_model=best)

# %% [markdown]
# The text discusses the ratings of “{glue:text}`target`” and the model {glue:text}`best_model`, for
# {glue:text}`n_songs` songs by {glue:text}`n_artists` artists.
#
# ## Objections 1 to 3: scale, dimension, artists
#
# *“You regress on unscaled units. A unit with a small variance is ignored, and a unit that is almost
# constant in training but not in a test song distorts that song's prediction.”* Dividing each unit by its
# standard deviation solves the first problem and aggravates the second. We therefore also limit the
# divisor from below and the result to ±5 standard deviations. The first panel of {numref}`fig-settings`
# leads from the published protocol to ours, one change at a time. All rows but the last use the folds of
# the published protocol.

# %%
paper = {n: probe.paper_protocol(X, *songs) for n, X in pretrained.items()}
one = paper[best]  # its folds are those of all models
folds = pd.DataFrame(one.folds.T, index=one.songs.ids).loc[ratings.index]
folds = folds.T.to_numpy()

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
scale["whole artists"] = {name: results[name] for name in models}

# %% [markdown]
# *“A model with thousands of dimensions can fit anything. Compare models at equal size.”* We reduce each
# model to {glue:text}`n_components` principal components, computed from the training songs. For
# comparison, we also project it onto the same number of *random* directions, and replace it by the same
# number of columns of noise.

# %%
few = replace(protocol, pca=n_components)
equal = probe.nested_ridges(pretrained, *songs, few, n_jobs=2)
random = {}
for name, X in pretrained.items():
    random[name] = probe.random_projection_control(
        X, *songs, once, n_components=n_components, n_draws=n_draws, n_jobs=2
    )

# %% [markdown]
# *“Your regression has seen the artist.”* Songs by one artist share players, studio and habits, so they
# resemble each other in sound and in ratings. If one of them is in the training folds, recognising the
# artist helps to predict the others. The difference between folds of single songs and folds of whole
# artists measures how much.

# %%
single = replace(protocol, whole_artists=False)
free = probe.nested_ridges(pretrained, *songs, single, n_jobs=2)

# %% tags=["hide-input"]
whole = scale["whole artists"]
size_rows = {"all dimensions": whole, f"{n_components} components": equal}
sizes = [
    summaries.settings_table(size_rows),
    summaries.control_table(random, "projection", f"{n_components} random directions"),
    summaries.control_table(random, "noise", f"{n_components} columns of noise"),
]
panels = {
    "Scale (mean R² of folds)": summaries.settings_table(scale).assign(
        r2=lambda table: table["fold_r2"]
    ),
    "Dimension (R²)": pd.concat(sizes),
    "Artists (R²)": summaries.settings_table(
        {"folds of single songs": free, "folds of whole artists": whole}
    ),
}

shown = {
    title: table[table["target"] == target].rename(columns={"r2": "estimate"})
    for title, table in panels.items()
}
show_figure(
    figures.plot_forests(
        shown, y="setting", hue="model", xlabel="Out-of-fold R²", floor=-1
    ),
    "settings",
    f"R² of “{target}” under changes of the protocol, {n_songs} songs. In the first panel, each row "
    "keeps the changes above it; only its last row changes the folds.",
    "Dot plots, one dot per model, in three panels: scale, dimension and artists. Scores below −1 "
    "are shown as arrows at the left edge, with their values.",
    table=pd.concat(panels, names=["panel"]).reset_index("panel"),
)


def change(after, before, score="r2"):
    pair = [[one[name] for name in models] for one in (after, before)]
    table = probe.mean_difference(*pair, score=score, **resampled)
    return summaries.row_of(table, target=target)


order = list(scale)
moved = {
    after: change(scale[after], scale[before], "fold_r2")
    for before, after in pairwise(order)
}
effects = {f"step_{name.replace(' ', '_')}": row for name, row in moved.items()}
words = "raises the scores", "lowers the scores", "makes no clear difference"
clear = {step: pick_verdict(row, *words) for step, row in moved.items()}
by_step = summaries.by_setting(panels["Scale (mean R² of folds)"], target)
median, lowest = by_step.median(), by_step["standardised"].idxmin()
raised = int((by_step["standardised"] > by_step["as published"]).sum())
for name in ("as published", "standardised", "with limits", "whole artists"):
    report_value(f"median_{name.replace(' ', '_')}", median[name], n=len(models))
report_counts(n_raised=raised)
report_value("lowest_standardised", by_step.loc[lowest, "standardised"])
report_value("lowest_with_limits", by_step.loc[lowest, "with limits"])
facts = {n: probe.scale_facts(X, paper[n].folds) for n, X in pretrained.items()}
report_value("largest_z", facts[lowest]["largest_z"], fmt=".0f")
answers["scale"] = (
    f"standardising alone raises {raised} of {len(models)} scores; "
    f"tuning the penalty {clear['penalty tuned']} "
    f"(mean change {moved['penalty tuned']['estimate']:+.2f}); choosing a layer "
    f"{clear['layer chosen']}"
)
smaller = change(equal, whole)
noise = summaries.by_setting(panels["Dimension (R²)"], target)
report_value("noise_r2", noise[f"{n_components} columns of noise"].mean())
report_value("random_r2", noise[f"{n_components} random directions"].mean())
report_value("components_r2", noise[f"{n_components} components"].mean())
dimension_word = pick_verdict(
    smaller,
    "fewer dimensions are better",
    "fewer dimensions are worse",
    "the number of dimensions makes no clear difference",
    margin=smallest,
    equal="the number of dimensions makes little difference",
)
answers["dimension"] = (
    f"{dimension_word} with a tuned penalty (mean change {smaller['estimate']:+.2f})"
)
gain = change(free, whole)
effects |= {"dimension_change": smaller, "artist_gain": gain}
report_effects(effects, n_songs)
artist_word = pick_verdict(
    gain,
    "folds of single songs give higher scores",
    "folds of single songs give lower scores",
    "the two kinds of folds do not differ clearly",
)
report_texts(
    lowest_model=lowest,
    penalty_word=clear["penalty tuned"],
    layer_word=clear["layer chosen"],
    whole_word=clear["whole artists"],
    dimension_word=dimension_word,
    artist_word=artist_word,
)
answers["artists"] = f"{artist_word} (mean difference {gain['estimate']:+.2f})"

# %% [markdown]
# **Scale.** Standardising alone raises the score of {glue:text}`n_raised` of {glue:text}`n_models`
# models, and the median goes from {glue:text}`median_as_published` to {glue:text}`median_standardised`.
# However, {glue:text}`lowest_model` has an R² of {glue:text}`lowest_standardised`, because a single test
# song can lie far from the training songs in some unit ({glue:text}`largest_z` standard deviations). With
# limits, the R² of this model is {glue:text}`lowest_with_limits`, and the median is
# {glue:text}`median_with_limits`. Tuning the penalty changes R² by {glue:text}`step_penalty_tuned_full`
# on average over the models: it {glue:text}`penalty_word`. Choosing one layer instead of concatenating
# all layers changes R² by {glue:text}`step_layer_chosen_full`: it {glue:text}`layer_word`. We choose a
# layer nevertheless, because the result is easier to interpret. Using folds of whole artists changes R²
# by {glue:text}`step_whole_artists_full`: it {glue:text}`whole_word`. After all changes, the median is
# {glue:text}`median_whole_artists`. (The intervals and verdicts of objections 1 to 3 are not corrected
# for the number of comparisons.)
#
# **Dimension.** With {glue:text}`n_components` components instead of all dimensions, R² changes by
# {glue:text}`dimension_change_full` on average over the models, to {glue:text}`components_r2`. With a
# tuned penalty, {glue:text}`dimension_word`. The components are the directions in which the training
# songs differ most. The same number of random directions gives {glue:text}`random_r2`, and the same
# number of columns of noise {glue:text}`noise_r2`.
#
# **Artists.** The R² with folds of single songs minus that with folds of whole artists is
# {glue:text}`artist_gain_full` on average over the models: {glue:text}`artist_word`. A leak does not
# always show in a score, so we also look for leaks directly ({numref}`tab-leaks`). We change the features
# of some held-out songs and check whether the predictions for other songs change. We also change the
# ratings of held-out songs and check whether their own predictions change. With folds of single songs,
# songs by one artist are in both training and test, which is the leak in the row “artists”.


# %%
def probe_once(X, y, folds):
    return probe.nested_ridge(X, y, None, styles, protocol, folds=folds)


layer = {"last": list(features[best].values())[-1]}
leaks = {}
for kind, result in {"whole artists": whole, "single songs": free}.items():
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
    "Ways in which test songs could influence a model, and whether they do.",
)

# %% [markdown] tags=["needs-styles"]
# ## Objection 4: it is style, not groove
#
# *“Your model only distinguishes funk from rock.”* R² over all songs combines two abilities:
# distinguishing the styles, and ordering the songs within a style. To isolate the second, we subtract the
# means of the styles from the ratings and from the predictions, correlate the remainders, and average the
# correlation over the divisions into folds:


# %%
def within_style(values):
    return values - pd.Series(values).groupby(styles).transform("mean")


y = within_style(ratings[target].to_numpy())
found = results[best].predicted[:, :, targets.index(target)]
r = np.mean([stats.pearsonr(y, within_style(row)).statistic for row in found])

# %% [markdown]
# The package's score `within_r` is this correlation (the two differ by {glue:text}`same_within`). To
# compute p, we exchange the ratings of whole artists with those of artists of the same style, and repeat
# the whole procedure for {glue:text}`permutations` such permutations (with one division into folds; the
# correlations are means over all divisions).

# %%
ordered = summaries.score_table(results, score="within_r", **resampled)
chance = probe.permutation_test(
    features,
    *songs,
    once,
    within_style=True,
    score="within_r",
    n_permutations=n_permutations,
    n_jobs=2,
)
ordered = ordered.merge(chance[["model", "target", "p", "p_target"]])
ordered = ordered[ordered["target"] == target].set_index("model")
same = abs(ordered.loc[best, "estimate"] - r)
report_value("same_within", same, fmt=".0e", tolerance=1e-9)

# %% tags=["hide-input"]
show_table(
    ordered[["estimate", "low", "high", "p", "p_target"]],
    "within-order",
    f"Correlation of predictions with “{target}” within styles. “p”: by permuting whole artists, for "
    "each row alone; “p target”: against the highest correlation of all rows.",
)

# %% [markdown]
# {numref}`fig-style` answers the same question in three other ways. First, R² can be split into a part
# between and a part within styles. For the part *within* styles, zero is not the natural baseline:
# predicting the mean of the style, computed from other songs, gives a negative R². Second, the mean of
# the style can be removed from the ratings *before* the regression is trained, inside each training fold.
# R² beyond style is then the share of the remaining squared error that the regression removes.

# %%
parts = pd.concat(
    [
        probe.style_scores(one, **resampled).assign(model=name)
        for name, one in {best: results[best], "style alone": baseline}.items()
    ]
)
residual = probe.nested_ridges(features, *songs, protocol, nuisance=styles)
beyond = summaries.score_table(residual, score="r2_over_baseline", **resampled)

# %% [markdown]
# Third, style, descriptors and embedding may carry the same information. A variance partition separates
# what only one of them explains from what they share {cite}`dupre2022`. If $R^2_{S}$ is the score of a
# regression on a set $S$ of these blocks of features, the share of block $a$ alone is
#
# $$ R^2_{abc} - R^2_{bc} $$
#
# and all shares add up to $R^2_{abc}$. Shares can be negative, because a block of features can make
# out-of-fold predictions worse.

# %%
layers = list(features[best].values())
blocks = {"style": styles, "embedding": np.hstack(layers)}
if "descriptors" in features:
    blocks["descriptors"] = features["descriptors"]
partition = probe.variance_partition(
    blocks, *songs, replace(protocol, n_repeats=2), n_boot=n_bootstrap, n_jobs=2
)

# %% tags=["hide-input"]
shown = {
    f"R² of {best} and of style alone, by part": parts.rename(
        columns={"r2": "estimate", "part": "row", "model": "colour"}
    ).query("row in ['all', 'between', 'within']"),
    "R² beyond the style's mean": beyond.assign(row=beyond["model"], colour=best),
}
shown["Shares of R² (partition)"] = partition[partition["kind"] != "model"].assign(
    estimate=lambda table: table["r2"], row=lambda table: table["part"], colour=best
)
shown = {title: table[table["target"] == target] for title, table in shown.items()}
show_figure(
    figures.plot_forests(shown, y="row", hue="colour", xlabel="R²"),
    "style",
    f"“{target}” and style: parts of R², R² beyond style, and a partition of R² among style, "
    f"descriptors and embedding; {n_songs} songs, 95% intervals over artists.",
    "Forest plots: parts of R squared for model and style; R squared beyond style, one row per "
    "model; shares of a partition.",
    table=pd.concat(shown, names=["panel"]).reset_index("panel"),
)

inside = parts[parts["target"] == target].set_index(["model", "part"])
effects = {
    "within_r2": inside.loc[(best, "within")],
    "within_r2_style": inside.loc[("style alone", "within")],
}
report_effects(effects, n_songs, value="r2")
report_value("between_share", inside.loc[(best, "between"), "share"], fmt=".0%")
within_words = (
    "orders songs within a style",
    "cannot be shown to order songs within a style",
)
within_verdict = pick_by_p(ordered.loc[best, "p_target"], *within_words)
report_effects({"within_r": ordered.loc[best]}, n_songs)
for name, column in {"within_p": "p", "within_p_rows": "p_target"}.items():
    report_value(name, ordered.loc[best, column], fmt=".3f", tolerance=0.02)
ahead = beyond[(beyond["low"] > 0) & (beyond["target"] == target)]["model"]
report_texts(
    within_verdict=within_verdict,
    within_ordered=join_words(clear_rows(ordered, "p_target").index),
    beyond_style=join_words(ahead, "none of them"),
)
answers["style"] = f"{best} {within_verdict} (r = {ordered.loc[best, 'estimate']:.2f})"

# %% [markdown]
# Differences between styles make up {glue:text}`between_share` of the variance of “{glue:text}`target`”.
# Within styles, the correlation of the predictions of {glue:text}`best_model` with the ratings is r =
# {glue:text}`within_r_full`, p = {glue:text}`within_p`. This p treats the model as given, but it was
# chosen by its errors on the same ratings. Against the highest correlation of all rows, which allows for
# any choice among them, p = {glue:text}`within_p_rows`: the model {glue:text}`within_verdict`. Its R²
# within styles is {glue:text}`within_r2`, and that of style alone is {glue:text}`within_r2_style`.
# Features that order songs within styles, corrected in the same way: {glue:text}`within_ordered`.
# Features with an R² beyond style above 0, without correction: {glue:text}`beyond_style`.

# %% [markdown] tags=["needs-audio-or-descriptors"]
# ### What do embeddings explain that descriptors do not, and vice versa?

# %% tags=["needs-audio-or-descriptors", "hide-input"]
report_effects({"within_r_descriptors": ordered.loc["descriptors"]}, n_songs)
descriptors_p = ordered.loc["descriptors", "p_target"]
report_value("within_p_descriptors", descriptors_p, fmt=".3f", tolerance=0.02)
report_texts(within_verdict_descriptors=pick_by_p(descriptors_p, *within_words))
unique_words = (
    "adds information to the other two",
    "makes the predictions from the other two worse",
    "cannot be shown to add anything to the other two",
)
for block in ("embedding", "descriptors"):
    row = summaries.row_of(partition, target=target, kind="unique", part=block)
    report_effects({f"unique_{block}": row}, n_songs, value="r2")
    report_texts(**{f"unique_{block}_word": pick_verdict(row, *unique_words)})
shared = partition[(partition["target"] == target) & (partition["kind"] == "shared")]
shared = shared.set_index("part")
effects = {
    "shared_two": shared.loc["embedding & descriptors"],
    "shared_all": shared.loc["style & embedding & descriptors"],
}
report_effects(effects, n_songs, value="r2")

# %% [markdown] tags=["needs-audio-or-descriptors"]
# Embedding and descriptors, but not style, share an R² of {glue:text}`shared_two_full`; all three share
# {glue:text}`shared_all_full`. The share of the embedding alone is {glue:text}`unique_embedding_full`: it
# {glue:text}`unique_embedding_word`. The share of the descriptors alone is
# {glue:text}`unique_descriptors_full`: this block {glue:text}`unique_descriptors_word`. Within styles,
# the correlation of predictions from descriptors with the ratings is r =
# {glue:text}`within_r_descriptors_full`, p = {glue:text}`within_p_descriptors` (corrected for the rows of
# {numref}`tab-within-order`): a regression on the descriptors {glue:text}`within_verdict_descriptors`.

# %% [markdown]
# ### Does it help to train on one style?
#
# *“Groove in funk is not groove in rock. Train on one style only.”* A smaller training set is a
# disadvantage in itself. We therefore compare training sets of **equal size** ({numref}`fig-transfer`).
# For each held-out fold of artists of a style, we train on the same number of other artists: from that
# style, from one other style, or from all styles in equal parts.

# %%
trainable = data.tracks.groupby("style")["artist"].nunique().ge(4).sum() > 1
if trainable:
    transfer = probe.matched_transfer(
        features[best],
        ratings[[target]],
        artists,
        styles,
        protocol,
        n_boot=n_bootstrap,
        n_jobs=2,
    )

# %% tags=["hide-input"]
if trainable:
    figure = figures.plot_forest(
        transfer.assign(estimate=transfer["spearman"])
        .drop(columns=["low", "high"])
        .rename(columns={"spearman_low": "low", "spearman_high": "high"})
        .dropna(subset="n_train"),
        y="train",
        panel="test",
        xlabel="Spearman's ρ",
        columns=2,
    )
    show_figure(
        figure,
        "transfer",
        f"“{target}” predicted from {best} in each style, after training on equal numbers of songs of "
        "the same style, of one other style, and of all styles; last, the mean over styles.",
        "Forest plots of rank correlations with intervals: one panel per style and one for the mean, "
        "with three rows each.",
        table=transfer,
    )

transfer_note = "The styles have too few artists for this experiment."
if trainable:
    means = transfer[transfer["test"] == "mean"].set_index("train")
    means = means.drop(columns=["low", "high"]).rename(
        columns={"spearman_low": "low", "spearman_high": "high"}
    )
    effects = {
        f"transfer_{name.replace(' − ', '_minus_').replace(' ', '_')}": row
        for name, row in means.iterrows()
    }
    report_effects(effects, n_songs, value="spearman")
    report_counts(transfer_n=means.loc["same style", "n_train"])
    verdicts = [
        pick_verdict(
            means.loc[f"same − {other}"],
            f"clearly better than on {label}",
            f"clearly worse than on {label}",
            f"not clearly different from training on {label}",
        )
        for other, label in (("another", "another style"), ("mixed", "all styles"))
    ]
    transfer_note = (
        f"With {means.loc['same style', 'n_train']:.0f} songs, training on the style itself is "
        f"{verdicts[0]}, and {verdicts[1]}."
    )
report_texts(transfer_note=transfer_note)

# %% [markdown]
# {glue:text}`transfer_note` (We use Spearman's ρ, because it ignores differences between the mean ratings
# of two styles. R² counts them as error; it is listed with the plotted numbers.)

# %% [markdown]
# ## Objection 5: it is chance
#
# *“You tried several models, layers and questions. Some had to work.”* We permute the ratings of whole
# artists, repeat the whole procedure with all its choices, and record the highest R² of any model on any
# question. We do this {glue:text}`permutations` times to find out how high R² can be by chance
# ({numref}`fig-luck`). (Single songs must not be exchanged, because songs by one artist resemble each
# other.)

# %%
luck, null = probe.permutation_test(
    pretrained,
    *songs,
    once,
    return_null=True,
    n_permutations=n_permutations,
    n_jobs=2,
)

# %% tags=["hide-input"]
show_figure(
    figures.plot_luck(luck, null, target),
    "luck",
    f"R² for “{target}” (dots) and for {n_permutations} permutations of artists (violins); below, "
    f"the highest of {len(models)} models and {len(targets)} questions in each permutation.",
    "Violins of R squared under permuted ratings, one per model and one for the best of all; "
    "dots for the observed scores; dotted, the 95% quantile of the best of all.",
    table=luck,
)

beat = clear_rows(luck[luck["target"] == target], "p_family")["model"]
report_value("n_beyond_luck", len(beat), fmt=".0f", n=len(models))
report_value("p_least", 1 / (n_permutations + 1), fmt=".4f")
answers["chance"] = (
    f"R² is above chance for {len(beat)} of {len(models)} models (family-wise p < .05)"
)

# %% [markdown]
# For {glue:text}`n_beyond_luck` of {glue:text}`n_models` models, R² is above chance, corrected for all
# models and questions (family-wise p < .05). (With this number of permutations, the smallest possible p
# is {glue:text}`p_least`.) Permuted ratings have no relation to the sound, not even through style, so a
# model that only distinguishes the styles passes this test. The interval of its R² over artists
# ({numref}`fig-probe-scores`) can still include 0.

# %% [markdown] tags=["needs-table-ceilings"]
# ## Objection 6: most of the variance is unexplained
#
# *“Such an R² leaves most of the variance unexplained.”* Part of a song's mean rating is chance. The
# {term}`noise ceiling` of {doc}`01-listeners-and-tracks` is the R² of a perfect model of the songs. We
# divide the score by it:

# %%
ceilings = chapter.load_table("ceilings")
scores = summaries.score_table({best: results[best]}, **resampled)
reach = mixed.normalise_by_ceiling(scores, ceilings)
reach = summaries.row_of(reach, target=target)

# %% tags=["hide-input"]
share = {"estimate": reach["r2_normalised"]}
share |= {end: reach[end] / reach["ceiling"] for end in ("low", "high")}
report_effects({"reach": share}, n_songs, fmt=".0%")
report_value(
    "ceiling", reach["ceiling"], ci=(reach["ceiling_low"], reach["ceiling_high"])
)
reach_word = pick_verdict(
    share,
    "more than the ceiling, which can only be chance",
    "clearly less than a perfect model",
    "not clearly less than a perfect model",
    reference=1,
)
report_texts(reach_word=reach_word)
answers["noise"] = (
    f"{best} reaches {share['estimate']:.0%} of the ceiling of {reach['ceiling']:.2f}: {reach_word}"
)

# %% [markdown]
# The ceiling is {glue:text}`ceiling_full`. {glue:text}`best_model` reaches {glue:text}`reach_full` of it:
# {glue:text}`reach_word`. (The interval treats the ceiling as known.) The ceiling accounts for the noise
# in the ratings of the *test* songs. The gap below it has other causes: the model, the regression, the
# number of songs, noise in the ratings of the training songs, or differences between songs that leave no
# trace in the audio. ({numref}`fig-ladder` shows the R² of the exact causes, where they are known.)

# %% [markdown]
# ## Objection 7: another method would have found more
#
# **Another regression?** A linear model may be too simple. On the same folds we fit kernel ridge
# regression, partial least squares, and boosted trees on the descriptors, each tuned inside the training
# folds ({numref}`tab-regressors`). (For partial least squares and boosting, the effect of leaving out an
# artist cannot be computed without fitting again. Their intervals resample only test songs and are
# therefore too narrow.)

# %%
straight = f"ridge on {best}"
bent = {straight: probe.nested_ridge(features[best], *songs, once)}
for kind in ("kernel", "pls"):
    bent[f"{kind} on {best}"] = probe.nested_estimator(
        features[best], *songs, once, estimator=kind, n_jobs=2
    )

# %%
if "descriptors" in features:
    formulas = features["descriptors"]
    bent["ridge on descriptors"] = probe.nested_ridge(formulas, *songs, once)
    bent["boosting on descriptors"] = probe.nested_estimator(
        formulas, *songs, once, estimator="boosting", n_jobs=2
    )

# %% tags=["hide-input"]
regressors = summaries.score_table(bent, **resampled)
regressors = regressors[regressors["target"] == target].set_index("model")
marked = summaries.mark_test_only(regressors.reset_index()).set_index("model")
show_table(
    marked[["estimate", "low", "high"]],
    "regressors",
    f"R² of other regressions on the same folds of {n_songs} songs (one division).",
)

against = probe.compare_models(bent, reference=straight, **resampled)
against = against[against["target"] == target].set_index("first")
better = clear_rows(against, value="difference").index
report_texts(
    regressor_best=regressors["estimate"].idxmax(),
    regressor_better=join_words(better, "none of them"),
)

# %% [markdown]
# The highest R² is that of {glue:text}`regressor_best`. Regressions that are clearly better than ridge on
# {glue:text}`best_model` (paired comparison, Holm-corrected): {glue:text}`regressor_better`.
#
# **Another layer?** {numref}`fig-layer-scores` shows the score of each layer alone. The highest of many
# noisy scores is biased upwards. Filled dots therefore mark all layers that *may be* the best, given how
# scores vary over artists. The bar at the right shows the R² when the inner folds choose the layer.

# %%
deep = [name for name in models if len(features[name]) > 1]
fewer = replace(protocol, n_repeats=min(n_repeats, 2))
profiles = [
    probe.layer_profile(
        features[name],
        ratings[[target]],
        artists,
        styles,
        fewer,
        n_permutations=min(n_permutations, 200),
        n_boot=n_bootstrap,
        n_jobs=2,
    ).assign(model=name)
    for name in deep
]

# %% tags=["hide-input"]
layer_note = "the models of this study have only one layer each"
if deep:
    profile = pd.concat(profiles, ignore_index=True)
    show_figure(
        figures.plot_layer_profiles(profile),
        "layer-scores",
        f"R² of each layer for “{target}”. Filled dots: layers that may be the best. Bar: layer chosen "
        "in the training folds.",
        "Line plots over layers, one panel per model, with filled or hollow dots.",
        table=profile,
    )
    tied = profile.groupby("model", sort=False)["may_be_best"].mean().mean()
    layer_note = f"{tied:.0%} of the layers may be the best one of their model"
report_texts(layer_note=layer_note)
answers["method"] = (
    f"clearly better than ridge regression: {join_words(better, 'none')}; {layer_note}"
)

# %% [markdown]
# For “{glue:text}`target`”, {glue:text}`layer_note`.
#
# **No regression at all?** Representational similarity {cite}`kriegeskorte2008` asks whether songs with
# similar embeddings have similar ratings. Pairs of songs are not independent. To compute p, we therefore
# permute whole artists, and to compute intervals, we leave out whole artists. Pairs of songs by the same
# artist are not used. To hold style constant, we remove from both tables of distances how far pairs of one
# style differ from pairs of two styles. Pairs of different styles can still differ: two of the styles may
# be closer to each other than to the third, in the sound and in the ratings. For p, artists are therefore
# exchanged only within their style.

# %%
controls = {"all pairs": False}
if data.has("styles"):
    controls["style held constant"] = True
alike = pd.concat(
    rsa(
        features[name],
        ratings[[target]],
        artists,
        styles,
        control_style=control,
        within_style=control,
        n_permutations=n_permutations,
        seed=seed,
    ).assign(model=name, pairs=pairs)
    for name in models
    for pairs, control in controls.items()
)

# %% tags=["hide-input"]
top = alike.sort_values("rho").groupby(["model", "pairs"]).tail(1)
top = top.sort_values(["pairs", "model"])
show_figure(
    figures.plot_scores(top, x="rho", hue="pairs", xlabel="Spearman's ρ of distances"),
    "rsa",
    f"Rank correlation between the distances of {n_songs} songs and their differences in rating, in "
    "the layer where it is highest, with 95% intervals that are not corrected for this choice.",
    "Forest plot, one row per model, for all pairs and with style held constant.",
    table=alike,
)

similar = clear_rows(top, "p_layers").groupby("pairs")["model"].nunique()
report_value("rsa_all", similar.get("all pairs", 0), fmt=".0f", n=len(models))
report_value(
    "rsa_style", similar.get("style held constant", 0), fmt=".0f", n=len(models)
)
nearest = {"rsa_best": summaries.row_of(top, model=best, pairs="all pairs")}
if "style held constant" in controls:
    row = summaries.row_of(top, model=best, pairs="style held constant")
    nearest["rsa_best_style"] = row
report_effects(nearest, n_songs, value="rho")

# %% [markdown]
# For {glue:text}`best_model`, ρ is {glue:text}`rsa_best_full` in the layer where it is highest; because
# of this choice, it is biased upwards. With style held constant, the highest ρ is
# {glue:text}`rsa_best_style`. The number of models above chance (p < .05, corrected for layers, not for
# models) is {glue:text}`rsa_all` of {glue:text}`n_models` over all pairs, and {glue:text}`rsa_style` with
# style held constant.
#
# ## How many songs does such a question need?
#
# {numref}`fig-learning` shows how R² grows with the number of training songs and, if the listeners are
# known, with the number of raters per song.

# %%
draws = replace(protocol, n_repeats=n_draws)
curve = probe.learning_curve(
    features[best], ratings[[target]], artists, styles, draws, n_jobs=2
)
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
    "Line plots of R squared against the number of songs and, below a ceiling, of raters.",
    table=curve,
)

# %% [markdown]
# More songs not only raise the score but also narrow its interval. The intervals resample artists, so we
# repeat the probe on random subsets of the artists and measure half the width of the interval
# ({numref}`fig-width`).

# %%
rng = np.random.default_rng(seed)
width = []
quarters = [round(n_artists * part / 4) for part in (1, 2, 3, 4)]
for count in sorted({max(size, min(8, n_artists)) for size in quarters}):
    for _ in range(n_draws if count < n_artists else 1):
        some = rng.permutation(np.unique(artists))[:count]
        kept = np.isin(artists, some)
        part = {layer: X[kept] for layer, X in features[best].items()}
        answer = ratings.loc[kept, [target]]
        labels = artists[kept], styles[kept]
        one = probe.nested_ridge(part, answer, *labels, once)
        row = probe.bootstrap_scores(one, scores=["r2"], **resampled).iloc[0]
        width.append((len(some), (row["high"] - row["low"]) / 2))

# %% tags=["hide-input"]
width = pd.DataFrame(width, columns=["artists", "half-width"])
figure, axes = plt.subplots(figsize=(5.5, 3))
sns.lineplot(width, x="artists", y="half-width", marker="o", errorbar=None, ax=axes)
axes.set(xlabel="Artists", ylabel="Half-width of the interval of R²", ylim=(0, None))
show_figure(
    figure,
    "width",
    f"Half-width of the 95% interval of R² of {best} by number of artists; mean of {n_draws} draws.",
    "A line that falls from left to right: more artists, narrower intervals.",
    table=width,
)

pair = {best: results[best], "style alone": baseline}
need = probe.songs_needed(pair, smallest, power=[0.8])
need = summaries.row_of(need, target=target)
report_value("smallest", smallest, fmt=".2f")
report_texts(songs_needed=format_count(need["n_songs"]))
report_value("power_now", need["power_now"], n=n_songs, tolerance=0.05, fmt=".0%")
last = curve.tail(2)["r2"].to_numpy()
report_value("curve_end", last[-1], n=n_songs)
report_value("curve_step", last[-1] - last[0])
report_value("width_now", width["half-width"].iloc[-1], n=n_artists)

# %% [markdown]
# The last fifth of the training artists changes R² by {glue:text}`curve_step`, to {glue:text}`curve_end`.
# With all artists, half the width of the interval is {glue:text}`width_now`. How small a lead over the
# mean of the style could be detected? Before looking at the results, we fixed the smallest difference in
# R² that matters: {glue:text}`smallest`. A study of this size detects such a lead with a probability of
# {glue:text}`power_now`. The number of songs needed for a probability of 80% is
# {glue:text}`songs_needed`, with proportionally more artists. Both numbers assume that a small lead has
# the same standard error as the observed one. ({doc}`06-probing` tests the observed lead. The power to
# detect the *observed* lead would only restate its p-value {cite}`hoenig2001`.)
#
# ## The answers

# %% tags=["hide-input"]
caption = f"Objections and answers for “{target}”, on {size}."
table = pd.DataFrame({"objection": answers.keys(), "answer": answers.values()})
show_table(table.map(typeset_minus).set_index("objection"), "answers", caption)

# %% [markdown]
# ## What could be wrong here
#
# - **Further objections.** A score can have causes that are not on this list; the placebo question in
#   {doc}`06-probing` would reveal some of them.
# - **One model.** Most experiments use the best model; results for the others are in the tables.
# - **Permutations of artists** require artists whose ratings can be exchanged. If artists differ greatly
#   in their number of songs, few permutations are possible.
#
# ## Exercises
#
# ```{exercise} Another smallest difference
# :label: ex-smallest
#
# How many songs are needed to detect a difference of 0.1 in R² with a power of 90%, and how many to
# detect a difference of 0.02? Call the numbers `many` and `more`. How do they depend on the difference?
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
# The number of songs is inversely proportional to the square of the difference: a difference one fifth as
# large needs 25 times as many songs.
#
# ```{solution-end}
# ```
#
# ```{exercise} Plant a leak
# :label: ex-plant
#
# Standardise the ratings within each style *before* the probe, with the means and standard deviations of
# all songs, and run `find_leaks` on that procedure. Call its table `found_leaks`. Which check detects the
# leak?
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
# The mean of a style over *all* songs includes the held-out ones, so the check of the ratings detects the
# leak: the predictions for a fold depend on that fold's own ratings. `nuisance=styles` computes the means
# inside the training folds and has no such leak.
#
# ```{solution-end}
# ```
#
# ```{exercise} Listen to the extremes of a style
# :label: ex-within
#
# Within one style, which song has the highest prediction, and which the lowest? Put the two in a
# dictionary `ends`, and listen to them. Would you call the difference between them groove?
# ```
#
# ```{solution-start} ex-within
# :class: dropdown
# ```

# %% tags=["solution"]
style = data.styles[0]
ranked = mine[mine["style"] == style].sort_values("predicted")["track_id"]
ends = {"lowest": ranked.iloc[0], "highest": ranked.iloc[-1]}
if data.has("audio"):
    audio_player({name: data.audio_path(track) for name, track in ends.items()})

# %% tags=["check"]
assert len(set(mine.set_index("track_id").loc[list(ends.values()), "style"])) == 1, (
    "the two songs are of different styles"
)

# %% [markdown]
# Compare your answer with the causes of the two songs, where they are known (`data.truth("songs")`).
#
# ```{solution-end}
# ```
#
# ```{exercise} Songs or raters?
# :label: ex-buy
#
# Suppose that you can pay for either twice as many songs or twice as many raters. Which does
# {numref}`fig-learning` suggest?
# ```
#
# ```{solution-start} ex-buy
# :class: dropdown
# ```

# %% tags=["solution"]
curve[["n_train", "r2"]].round(3)

# %% [markdown]
# Compare the slopes at the right ends of the curves. Beyond about twenty raters, the ceiling flattens,
# and so does the score, while the curve for songs usually still rises. More artists narrow every interval
# of this chapter; more raters do so only as far as they reduce noise.
#
# ```{solution-end}
# ```
#
# ## Summary
#
# **Asked**: could the score of {doc}`06-probing` be due to scale, dimension, artists, style, chance,
# noise, or to the method? **Found**: {numref}`tab-answers` lists the answers. **What would change our
# mind**: more artists. The intervals of this chapter would be narrower, and results that are unclear now
# could become clear in either direction.
#
# **Next:** {doc}`08-stem-ablation` asks which instruments the predictions depend on;
# {doc}`09-mixed-models` asks whether they hold for single listeners.
