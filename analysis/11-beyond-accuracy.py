# %% [markdown]
# # What lies beyond accuracy?
#
# Suppose that two networks both classify 75% of the clips correctly. One of them mistakes disco for
# funk, the other for bossa nova. One gives well-calibrated probabilities, the other is always 99%
# sure. One relies on the drums, the other on an inaudible hum. Accuracy reveals none of these
# differences. In this chapter, we examine how large the mistakes of a network are, how confident its
# predictions are, whether it detects changes of style within a recording, whether explanations of its
# predictions are correct, and what it learns without labels. At the end, we return to the question of
# this book: does a network that learns styles also learn to predict groove?
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to score mistakes by their size; to calibrate probabilities; to test explanations
# against a known ground truth; to pretrain a network without labels; and to find out what such a network
# ignores.
#
# **You need** {doc}`10-genre-networks`, because we use its networks and songs again, and
# {doc}`06-probing` for the last section.
#
# **Run time**: {run-time}`11-beyond-accuracy`, measured when this page was built; the first run takes
# longer. **Modules**: `groove_utils.genre`, `captum`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
n_explained = 32  # clips
n_medleys = 9  # at most; no band appears in two medleys
songs_per_medley = 5
label_counts = [1, 2, 4, 8, 18]  # labelled bands per style
pretraining_epochs = 30
fewest_steps = 100  # minimum number of steps when training from scratch
n_repeats = 5  # repeats of the cross-validation over the study's songs
n_draws = 3  # random draws of labelled bands
n_bootstrap = 2000
n_permutations = 1000
n_jobs = 2  # processes

# %%
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from joblib import delayed
from scipy.special import logit
from sklearn import metrics

from groove_utils import embed, figures, genre, probe
from groove_utils.audio import load_audio
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
from groove_utils.book.verdicts import clear_rows, pick_by_p, pick_verdict
from groove_utils.cache import ArrayCache, run_cached_jobs
from groove_utils.genre import planted_cues, self_supervision
from groove_utils.genre.explanations import METHODS
from groove_utils.genre.inputs import MEL_SETTINGS
from groove_utils.genre.trained_networks import SETTINGS
from groove_utils.stats import holm, join_words

# %%
chapter = open_chapter("11-beyond-accuracy", study)
data = chapter.study
resampled = {"n_boot": n_bootstrap, "seed": seed}
cache = ArrayCache(namespace="genre-networks")
run = partial(run_cached_jobs, cache=cache, n_jobs=n_jobs)
as_percent = partial(report_effects, scale=100, fmt=".0f", unit="%")
as_points = partial(report_effects, scale=100, fmt="+.0f", unit=" points")

# %% [markdown]
# ## Which mistakes, and with what confidence?
#
# We use the corpus and the clips from {doc}`10-genre-networks`, whose settings were saved in a table,
# and take the test set of the first split: {glue:text}`n_test` clips by {glue:text}`n_test_bands`
# bands that were not in training. There are {glue:text}`n_styles` styles, so random guessing is right
# for one clip in {glue:text}`n_styles`. All songs in this corpus are rendered by a program, including
# those used in figures and tables that are not marked as simulated. Unless the text says otherwise,
# intervals come from resampling bands, and n is the number of bands. We compute the usual scores with
# scikit-learn:

# %%
size = chapter.load_table("genre_settings").to_dict("records")[0]
epochs, song_seconds = size.pop("epochs"), size["seconds"]
corpus = genre.rendered_corpus(**size, n_jobs=n_jobs)
clips = genre.log_mels(corpus, n_jobs=n_jobs)
split = genre.split_clips(clips.table, by="artist", seed=seed)
test, styles = split["test"], clips.styles

# %%
all_predictions = chapter.load_table("genre_predictions")
first = all_predictions[all_predictions["seed"] == seed]
columns = [f"p_{style}" for style in styles]


# %%
def probabilities(network, part="test"):
    rows = first[(first["network"] == network) & (first["split"] == part)]
    ids = clips.table["clip_id"].iloc[split[part]]
    p = rows.set_index("clip_id").loc[ids, columns].to_numpy(dtype=float)
    return p / p.sum(axis=1, keepdims=True)  # correct rounding errors


# %%
y, bands = clips.y[test], clips.table["artist"].to_numpy()[test]
p = probabilities("resnet-bigru")
named = p.argmax(axis=1)
usual = {
    "accuracy": metrics.accuracy_score(y, named),
    "balanced accuracy": metrics.balanced_accuracy_score(y, named),
    "macro-F1": metrics.f1_score(y, named, average="macro"),
    "top-3 accuracy": metrics.top_k_accuracy_score(y, p, k=3),
    "log loss": metrics.log_loss(y, p),
}

# %% [markdown]
# `score_intervals` computes the same scores for the clips and for 2,000 resamples of the bands. The
# resamples give an interval for each score. The function also computes the scores that are explained
# in the next section.

# %%
scores = genre.score_intervals(y, p, bands, corpus.tree, styles, **resampled)
scores = scores.set_index("score")
differences = scores.loc[list(usual), "estimate"] - pd.Series(usual)
assert differences.abs().max() < 1e-10
n_bands = len(set(bands))

# %% tags=["hide-input"]
report_counts(n_test=len(test), n_test_bands=n_bands, n_valid=len(split["valid"]))
report_counts(n_styles=len(styles))
show_table(
    scores,
    "beyond-scores",
    "Scores of resnet-bigru on bands that were not used in training, with 95% intervals over bands.",
    simulated=False,
)

# %% [markdown]
# The scores from scikit-learn and from `score_intervals` agree to ten decimal places; otherwise, the
# build of this page would have stopped. Here, all styles have the same number of clips, so balanced
# accuracy equals accuracy; with rare styles, the two would differ.
#
# Probabilities should be correct on average: of all clips that a network classifies with a confidence
# of 80%, it should classify 80% correctly. A *reliability* curve compares confidence and accuracy in
# bins of confidence, and the *expected calibration error* (ECE) is the mean absolute difference
# between confidence and accuracy. {cite:t}`guo2017` found that large networks are far too confident,
# and proposed a remedy with a single parameter. The logits $\mathbf{z}$, which are the outputs of the
# network before the softmax, are divided by a temperature $T$, which is fitted on the *validation*
# clips:
#
# $$ p = \operatorname{softmax}(\mathbf{z} / T) $$
#
# A temperature above 1 makes a network less confident. The predicted styles do not change, because
# the order of the classes stays the same.

# %%
temperature = genre.fit_temperature(
    clips.y[split["valid"]], probabilities("resnet-bigru", "valid")
)
calibrated = genre.change_temperature(p, temperature)
kinds = {"as trained": p, f"T = {temperature:.2f}": calibrated}
reliability = {k: genre.reliability_curve(y, q) for k, q in kinds.items()}
curves = pd.concat(table.assign(kind=k) for k, table in reliability.items())
errors = {
    "ece_before": genre.calibration_error(y, p),
    "ece_after": genre.calibration_error(y, calibrated),
}
change = genre.calibration_change(y, p, calibrated, bands, **resampled)

# %% [markdown]
# Which mistake is the most frequent? The diagonal of the confusion matrix counts the correct
# predictions, so we leave it out.

# %%
counts = genre.confusion_counts(y, named, len(styles))
mistakes = counts * (1 - np.eye(len(styles)))
worst = np.unravel_index(mistakes.argmax(), mistakes.shape)

# %% tags=["hide-input"]
show_figure(
    figures.plot_confusion_and_reliability(counts, styles, curves),
    "mistakes",
    "Left: percentage of clips of each style (rows) that were classified as each style (columns). "
    "Right: accuracy by confidence; larger dots stand for more clips, and the line marks "
    "perfect calibration.",
    "A matrix with high numbers on the diagonal and a few groups of mistakes; a plot of two curves "
    "near the diagonal.",
    table=curves,
    simulated=False,
)
report_texts(
    varies=True, confused_true=styles[worst[0]], confused_named=styles[worst[1]]
)
report_value("temperature", temperature, tolerance=0.3)
report_values(errors, fmt=".3f", tolerance=0.04)
words = "makes calibration worse", "improves calibration", "makes no clear difference"
effects = {"ece_change": change}
report_effects(effects, n_bands, words=words, fmt="+.3f", tolerance=0.04)

# %% [markdown]
# The most frequent mistake is to classify {glue:text}`confused_true` as {glue:text}`confused_named`
# ({numref}`fig-mistakes`). The best temperature on the validation clips is {glue:text}`temperature`.
# A value above 1 means that the network was overconfident on these clips, and a value below 1 that it
# was underconfident. (The network was trained on mixed pairs of clips, which makes a network less
# confident.) On the test clips, the ECE is {glue:text}`ece_before` without a temperature and
# {glue:text}`ece_after` with this temperature; the difference is {glue:text}`ece_change_full`, so the
# temperature {glue:text}`ece_change_verdict`. The best temperature for {glue:text}`n_valid`
# validation clips is not necessarily the best one for clips by other bands. Even a perfectly
# calibrated network would have an ECE above 0 here, because each bin contains few clips.
#
# ## How bad is a mistake?
#
# Is mistaking disco for funk a smaller error than mistaking it for reggae? To answer this, we need a
# tree that describes how similar the styles are. Our tree is part of the corpus. We print the
# children of each inner node; nodes that are not listed as a child are children of the root.

# %%
branches = pd.Series(corpus.tree).groupby(corpus.tree).groups
{parent: list(children) for parent, children in branches.items()}

# %% [markdown]
# The distance between two styles is the height of their lowest common ancestor, divided by the height of
# the root. The distance is 0 between a style and itself, and 1 if two styles have only the root in
# common.

# %%
by_hand = genre.tree_distances(corpus.tree, styles)
by_hand["disco"].sort_values()

# %% [markdown]
# In this tree, mistaking disco for funk counts as an error of size {glue:text}`disco_funk`, and
# mistaking disco for reggae as one of size {glue:text}`disco_reggae`.
#
# Let α be the set of nodes from the predicted style up to the root, without the root itself, and β
# the corresponding set for the true style. {cite:t}`silla2011` define hierarchical precision (hP) and
# hierarchical recall (hR) as
#
# $$ \mathrm{hP} = \frac{\sum |\alpha \cap \beta|}{\sum |\alpha|}, \qquad
# \mathrm{hR} = \frac{\sum |\alpha \cap \beta|}{\sum |\beta|}, $$
#
# where the sums are over all clips; hF is the harmonic mean of hP and hR. {cite:t}`bertinetto2020`
# use the distance between the predicted and the true style: its mean over mistakes is the **mistake
# severity**. The **distance@k** is its mean over the k most probable styles of each clip and over all
# clips. Both measures should be reported, because many additional small mistakes lower the severity
# of a network but raise its distance@1.
#
# But whose tree should we use: an expert's, a listener's or a shop's? We compare three trees. The
# first is the one shown above, which was made by hand. The second is derived from embeddings: we
# compute each style's mean embedding in MusiCNN, a pretrained tagger, and merge similar styles step
# by step. The third is derived from the causes of the sound: it is computed in the same way, but from
# tempo, swing, density and other properties of the musical scores. Neither the second nor the third
# tree is based on songs by test bands.

# %%
unlabelled = np.sort(np.concatenate([split["train"], split["valid"]]))
train_clips = clips.table.iloc[unlabelled].set_index("clip_id")
vectors = chapter.load_table("genre_tagger").loc[train_clips.index]
causes = ["tempo", "swing_ratio", "syncopation", "event_density", "backbeat"]


# %%
def style_tree(features):
    z = (features - features.mean()) / features.std().clip(lower=1e-6)
    means = z.groupby(train_clips["style"]).mean()
    return genre.cluster_tree(means.loc[styles])


# %%
trees = {
    "by hand": corpus.tree,
    "from embeddings": style_tree(vectors),
    "from causes": style_tree(train_clips[causes]),
}
compared = ["resnet-bigru", "mel-cnn", "handcrafted + boosting"]
predicted = {name: probabilities(name) for name in compared}
semantic = genre.compare_in_trees(y, predicted, trees, styles, seed=seed)

# %% [markdown]
# {numref}`fig-severity` compares three classifiers. For resnet-bigru, we also compute p-values, which
# are explained below, and correct them for the number of trees:

# %%
resnet = semantic[semantic["network"] == "resnet-bigru"].set_index("tree")
resnet["p_holm"] = holm(resnet["p"])
smaller = "smaller than expected by chance"
words = smaller, f"not clearly {smaller}"
resnet["mistakes are"] = [pick_by_p(p, *words) for p in resnet["p_holm"]]

# %% tags=["hide-input"]
show_figure(
    figures.plot_severity(semantic),
    "severity",
    "Mistake severity and distance@1 of three classifiers in three trees; 0: the same style, 1: "
    "only the root in common. Grey: the middle 95% of severities when styles are assigned to random "
    "leaves.",
    "Three panels with three rows each. Most dots (severity) lie inside grey bars or to the left of "
    "them; the diamonds (distance@1) lie far to the left.",
    table=semantic,
    simulated=False,
)
report_values(by_hand["disco"][["funk", "reggae"]].add_prefix("disco_"))
show_table(
    resnet[["hF", "severity", "chance", "p_holm", "mistakes are"]],
    "tree-severity",
    "Mistakes of resnet-bigru by tree. “chance” is the mean severity when styles are assigned to "
    "random leaves.",
    simulated=False,
)
by_tree = resnet.set_axis(resnet.index.str.split().str[-1])  # the last word
report_values(by_tree["severity"].add_prefix("severity_"), tolerance=0.15)
report_texts(varies=True, **by_tree["mistakes are"].add_prefix("small_"))

# %% [markdown]
# A severity alone is hard to interpret: in a tree whose branches join only near the root, nearly all
# mistakes are large. We therefore assign the styles to random leaves of the same tree, 2,000 times.
# The p-value is the share of these trees in which the mistakes are on average no larger than in the
# original tree; it is corrected for three trees by Holm's method. {numref}`tab-tree-severity` shows
# the results for resnet-bigru: in the tree made by hand, its mistakes are {glue:text}`small_hand`; in
# the tree from embeddings, {glue:text}`small_embeddings`; and in the tree from causes,
# {glue:text}`small_causes`.
#
# Does it depend on the choice of tree which network scores better? We subtract the scores of mel-cnn
# from those of resnet-bigru, using the same resamples of bands for every tree and both networks.

# %%
pair = predicted["resnet-bigru"], predicted["mel-cnn"]
gaps = genre.severity_differences(y, *pair, bands, trees, styles, **resampled)
words = "larger mistakes", "smaller mistakes", "no clear difference"
verdicts = [pick_verdict(row, *words) for _, row in gaps.iterrows()]
gaps["resnet-bigru has"] = verdicts
by_tree = gaps[gaps["score"] == "mistake severity"]

# %% tags=["hide-input"]
show_table(
    gaps.set_index(["tree", "score"]),
    "severity-differences",
    "Score of resnet-bigru minus the score of mel-cnn, with 95% intervals over bands.",
    simulated=False,
)
verdict_by_tree = by_tree["resnet-bigru has"] + " (" + by_tree["tree"] + ")"
report_texts(varies=True, tree_verdicts=join_words(verdict_by_tree))

# %% [markdown]
# For mistake severity, resnet-bigru has, compared with mel-cnn in the three trees (intervals not
# corrected for multiple comparisons): {glue:text}`tree_verdicts`
# ({numref}`tab-severity-differences`). If the sign of the estimate differs between trees, a report
# without intervals could favour either network, depending on the choice of tree. When you report such
# a score, name the tree and its source.
#
# ## Detecting changes of style in a medley
#
# Each song in our corpus has one style, but a DJ set may contain many styles. We join excerpts of random
# lengths from {glue:text}`n_medley_songs` test songs, and let the network classify a window of three
# seconds that moves in steps of half a second. Where does the network detect changes of style?

# %%
trained = partial(genre.train_network, clips=clips, split=split)
settings = replace(SETTINGS, epochs=epochs, seed=seed)
network = trained("resnet-bigru", settings=settings)
sr = MEL_SETTINGS["sr"]
test_songs = corpus.songs[corpus.songs["artist"].isin(bands)]

programmes = genre.draw_programmes(test_songs, songs_per_medley, seed)
programmes = programmes[:n_medleys]


# %%
def play_medley(number):
    rng, songs = np.random.default_rng([seed, number]), programmes[number]
    lengths = rng.uniform(0.45, 0.95, len(songs)) * song_seconds * sr
    parts = [load_audio(corpus.path(s), sr)[0] for s in songs["song_id"]]
    parts = [part[: int(length)] for part, length in zip(parts, lengths)]
    return *genre.join_signals(parts, sr), songs["style"].tolist()


# %%
rows = []
for number in range(len(programmes)):
    signal, true, played = play_medley(number)
    course, times, detected = genre.follow_signal(network, signal, len(true))
    guess = np.random.default_rng(number).uniform(*times[[0, -1]], len(true))
    changes = detected, guess
    rows.append([genre.boundary_scores(c, true)["F"] for c in changes])
medleys = pd.DataFrame(rows, columns=["network", "random moments"])
mean_f = genre.mean_intervals(medleys, medleys.index, **resampled)
mean_f = mean_f.set_index("score")
audio_player({f"a medley: {', '.join(played)}": (signal, sr)}, max_seconds=60)

# %% tags=["hide-input"]
show_figure(
    figures.plot_medley(course, times, styles, true, detected, played),
    "medley",
    "Probability of each style over time, as predicted by resnet-bigru for a medley. The true styles "
    "are written above; solid lines are true changes, dashed lines are detected changes.",
    "Stacked bands of colour over a minute. One colour fills most of the height for several seconds, "
    "then another; dashed lines lie on or near most of the solid lines.",
    simulated=False,
)
report_effects(mean_f, len(medleys), prefix="medley_", tolerance=0.2)
report_counts(n_medleys=len(medleys), n_medley_songs=songs_per_medley)

# %% [markdown]
# To detect changes, we merge neighbouring windows, the most similar first, until the number of
# changes between the merged windows equals the true number of changes. A detected change counts as
# correct if it is within 1.5 seconds (half a window) of a true change. Over {glue:text}`n_medleys`
# medleys, the mean F score is {glue:text}`medley_network_full`; for changes placed at random moments,
# it is {glue:text}`medley_random_moments_full`. Here, n is the number of medleys; no band appears in
# two medleys. At each change, the band and the mix change together with the style, so this test does
# not show that it is the change of style that is detected. A window that contains parts of two songs
# has no single style: at such a transition, the network may predict a third style that is not in the
# medley at all.
#
# ### How long does a clip have to be?
#
# We use resnet-bigru again, and classify excerpts of one, three, six or twelve seconds. Songs are cut
# into clips of three seconds without gaps between the clips. For excerpts of one second, we shorten the
# clips; for excerpts of six or twelve seconds, we average the log probabilities of their clips.

# %%
seamless = {**MEL_SETTINGS, "hop_seconds": 3.0}
gapless = genre.log_mels(corpus, **seamless, n_jobs=n_jobs)
rows = np.flatnonzero(np.isin(gapless.table["artist"], bands))
cut, facts = gapless.X[rows], gapless.table.iloc[rows]


# %%
def accuracy_at(seconds):
    n_frames = 94 * min(seconds, 3) // 3
    log_p = np.log(network.predict(cut[:, :, :n_frames]) + 1e-9)
    excerpt = (facts["start"] // max(seconds, 3)).astype(int).astype(str)
    keys = facts[["artist", "style"]].assign(excerpt=facts["song_id"] + excerpt)
    log_p = pd.DataFrame(log_p, columns=styles)
    means = log_p.groupby(list(keys.to_numpy().T)).mean()
    right = means.idxmax(axis=1) == means.index.get_level_values(1)
    band = means.index.get_level_values(0)
    return genre.mean_intervals(right.to_frame("right"), band, **resampled)


# %%
lengths = [length for length in (1, 3, 6, 12) if length <= song_seconds]
context = pd.concat([accuracy_at(s).assign(seconds=s) for s in lengths])
context = context.set_index("seconds")[["estimate", "low", "high"]]

# %% tags=["hide-input"]
show_table(
    context,
    "context",
    "Share of excerpts that are classified correctly, by length in seconds, with 95% intervals over "
    "bands.",
    simulated=False,
)
ends = {"context_short": context.iloc[0], "context_long": context.iloc[-1]}
as_percent(ends, n_bands, tolerance=8)
report_value("longest", lengths[-1], fmt=".0f", unit=" seconds")

# %% [markdown]
# Of the excerpts of one second, {glue:text}`context_short_full` are classified correctly; of the
# excerpts of {glue:text}`longest`, {glue:text}`context_long_full`. Short excerpts may be harder to
# classify for two reasons. One second of music reveals the timbre and contains about two beats, but
# it does not contain a complete pattern. In addition, one second is an unfamiliar length for a
# network that was trained on three-second clips. This test cannot separate the two reasons.
#
# ## Are explanations of predictions correct?
#
# Which cells of the spectrogram made the network predict “funk”? Two methods of explanation are common.
# **Integrated gradients** {cite}`sundararajan2017` change the input gradually from silence x′ to the
# clip x and add up the gradients along the way:
#
# $$ e_i = (x_i - x'_i) \int_0^1 \frac{\partial f(x' + t (x - x'))}{\partial x_i} \, dt $$
#
# where $f$ is the logit of the predicted style and $i$ a cell of the spectrogram. **Occlusion** hides
# a patch of the spectrogram and measures how much the logit of the predicted style falls. The library
# `captum` implements both methods. We compare both methods with three baselines that cannot explain
# what the network has learnt: *random* numbers; the *edges* of the spectrogram, which do not depend
# on the network; and integrated gradients of an *untrained* network, which has learnt nothing about
# styles. We explain the predictions of mel-cnn.

# %%
cnn = trained("mel-cnn", settings=settings)
rng = np.random.default_rng(seed)
chosen = np.sort(rng.choice(test, min(n_explained, len(test)), replace=False))
X = clips.X[chosen]
target = cnn.predict(X).argmax(axis=1)
shape = {"n_mels": X.shape[1], "n_frames": X.shape[2]}
untrained = genre.build_network("mel-cnn", len(styles), **shape, seed=seed + 1)
untrained.scale_by(clips.X[split["train"]])

# %%
silence = {"baseline": -80.0}  # dB below the loudest moment of the song


# %%
def explain_both(network, X, target):
    maps = genre.explain_all(network, X, target, **silence)
    only = genre.explain_all(untrained, X, target, METHODS[:1], **silence)
    return {**maps, "untrained": only[METHODS[0]]}


maps = explain_both(cnn.network, X, target)

# %% [markdown]
# For real recordings, the right explanation is unknown, so the scores in common use are computed from
# the network's own predictions. Let p be the probability of the predicted style, p₊ its probability
# when only the 20% of cells that the explanation ranks highest are shown, and p₋ its probability when
# these cells are hidden:
#
# - **AI**, average increase: the share of clips with p₊ > p;
# - **AD**, average drop: the mean of max(0, p − p₊) / p (lower is better);
# - **AG**, average gain: the mean of max(0, p₊ − p) / (1 − p);
# - **FF**, faithfulness: the mean of p − p₋;
# - **Fid-In**: the share of clips whose predicted style stays the same with the top cells alone.
#
# *Deletion* hides the cells step by step, beginning with those that the explanation ranks highest,
# and *insertion* shows them in the same order ({numref}`fig-hide-and-show`).

# %%
faith, steps = genre.score_explanations(cnn.network, X, target, maps, **silence)
areas = steps.groupby("explanation")[["deletion", "insertion"]].mean()
scored = faith.join(areas)
better = scored.assign(AD=-scored["AD"], deletion=-scored["deletion"])
agreement = better.corr("spearman")
least = agreement.min().idxmin()
least = least, agreement[least].idxmin()
tied = faith.index[faith["FF"].round(2) == round(faith["FF"].max(), 2)]

# %% tags=["hide-input"]
show_table(
    scored,
    "faithfulness",
    f"Faithfulness of explanations of {len(X)} clips, for the top 20% of the cells; the last two "
    "columns are areas under curves. Lower is better for AD and deletion; higher is better for the "
    "others.",
    simulated=False,
)
report_value("ff_random", faith.loc["random", "FF"], tolerance=0.2)
report_value("ff_highest", faith["FF"].max(), tolerance=0.2)
report_texts(varies=True, ff_best=join_words(tied), least_agreeing=join_words(least))
report_value("least_agreement", agreement.loc[least], tolerance=0.4)
show_figure(
    figures.plot_hide_and_show(steps),
    "hide-and-show",
    f"Mean probability of the predicted style in {len(X)} clips, by the share of cells that are hidden "
    "(left) or shown (right), in the order of each explanation.",
    "Two panels with five curves each. Left, most curves fall steeply at first. Right, the curve of "
    "integrated gradients rises early, and the others rise late.",
    table=steps,
    simulated=False,
)

# %% [markdown]
# These scores have a weakness. A spectrogram with holes is unlike any clip in training, so the scores
# partly measure how the network responds to unfamiliar input: hiding *random* cells gives an FF of
# {glue:text}`ff_random`, and the highest FF of all explanations is {glue:text}`ff_highest`. Moreover,
# the scores need not agree with each other. Each score ranks the five explanations from best to worst;
# the lowest rank correlation between two scores is {glue:text}`least_agreement`, for
# {glue:text}`least_agreeing`.
#
# ### Tests against a known ground truth
#
# We rendered the songs, so we can render them again with changes, and test explanations against a known
# ground truth.
#
# 1. **The right stem.** We render each song without the drums, and measure how much the log-odds
#    $\log (p / (1 - p))$ of the predicted style fall. We do the same for bass, vocals and the
#    remaining instruments. When a stem is left out, the other stems stay as loud as before. This is
#    an experiment, and its result is a fact about the network. To compare an explanation with this
#    result, we divide the explanation's value in each cell among the stems, in proportion to their
#    power in that cell, and then add up the signed values for each stem. The *right stem* of a clip
#    is the stem whose absence lowers the log-odds most. An explanation is correct for a clip if this
#    stem also has the largest sum. A random choice is correct for one clip in four. For many clips,
#    however, the right stem is the drums, so an explanation should at least do better than always
#    choosing the drums.
# 2. **The planted horse.** A *horse* (named after Clever Hans) is a network that is right for the
#    wrong reason. In {doc}`10-genre-networks`, we trained such a network by adding a tone of 12 Hz to
#    all songs of half of the styles. An explanation should find the cells of the lowest mel band,
#    which contains the tone; we call these the true cells. The presence of the tone can be evidence
#    for one style, and its absence can be evidence for another, so we rank cells by absolute values.
#    The *AUC* is the probability that a true cell is ranked above a cell of another mel band;
#    guessing gives 0.5. But an explanation may rank the lowest mel band high for other reasons. As a
#    control, we explain a network of the same architecture that was trained *without* the tone, for
#    the same clips without the tone. The tone may also raise an AUC simply because it is part of the
#    sound, even for edges and for the untrained network, neither of which can have learnt anything
#    about it. We therefore say that an explanation has found the tone if three conditions are met:
#    its AUC is above 0.5; its AUC is above the AUC of the control; and the difference between these
#    two AUCs (the *rise*) is larger than the rise for edges and the rise for the untrained network.
#    Each of these differences has to be clear, that is, its 95% interval has to lie above 0. (Levels
#    are relative to the loudest cell of a spectrogram, so a loud tone also lowers the level of all
#    other cells. This effect appears outside the lowest mel band, and therefore limits the AUC that
#    any explanation can reach.)

# %%
songs = clips.table["song_id"].iloc[chosen].unique()
rendering = {"seconds": song_seconds, "n_jobs": n_jobs}
stem_clips = genre.make_stem_clips(corpus, songs, **rendering)
order = clips.table["song_id"].isin(songs).to_numpy().nonzero()[0]
rows = pd.Index(order).get_indexer(chosen)
shares, without = stem_clips.shares()[:, rows], stem_clips.without[:, rows]


# %%
def evidence(X):
    p = cnn.predict(X)[np.arange(len(X)), target]
    return logit(np.clip(p, 1e-6, 1 - 1e-6))


effects = np.stack([evidence(X) - evidence(stemless) for stemless in without])
hurts_most = effects.argmax(axis=0)
right_stem = {
    name: (shares * e).sum(axis=(2, 3)).argmax(axis=0) == hurts_most
    for name, e in maps.items()
}
right_stem["always drums"] = hurts_most == stem_clips.stems.index("drums")
baselines = {"ahead": "always drums", "learnt": "untrained"}
short = {"integrated gradients": "ig", "occlusion": "occlusion"}

# %%
levels = chapter.load_table("genre_tone")["tone_db"].to_dict()
turntable = partial(planted_cues.add_rumble, levels=levels)
planted = genre.log_mels(corpus, change=turntable, n_jobs=n_jobs)
horse = genre.train_network("mel-cnn", planted, split, settings)
X_planted = planted.X[chosen]
cue = np.zeros(X.shape[1:], dtype=bool)
cue[0] = True  # the lowest mel band
horse_target = horse.predict(X_planted).argmax(axis=1)
horse_maps = explain_both(horse.network, X_planted, horse_target)
correct = {
    name: horse.predict(version.X[test]).argmax(axis=1) == y
    for name, version in {"planted": planted, "removed": clips}.items()
}
correct["fall"] = 1.0 * correct["removed"] - correct["planted"]
relies = genre.mean_intervals(pd.DataFrame(correct), bands, **resampled)
relies = relies.set_index("score")


# %%
def tone_auc(maps):
    scores = {k: genre.truth_scores(np.abs(e), cue) for k, e in maps.items()}
    return pd.DataFrame({k: table["auc"] for k, table in scores.items()})


# %%
auc, auc_without = tone_auc(horse_maps), tone_auc(maps)
who = clips.table["artist"].to_numpy()[chosen]
n_who = len(set(who))
rise = auc - auc_without
right = pd.DataFrame(right_stem)
truths = {"stem": right, "horse": auc, "clean": auc_without, "found": rise}
truths = pd.concat(
    genre.mean_intervals(values, who, **resampled).assign(test=test_name)
    for test_name, values in truths.items()
)

# %% [markdown]
# We compute an interval for each of these differences, and check whether it lies above 0:

# %%
conditions = {
    (name, short[key]): values
    for key in METHODS[:2]
    for name, values in {
        "above": auc[key] - 0.5,
        "risen": rise[key],
        "beyond_edges": rise[key] - rise["edges"],
        "beyond_untrained": rise[key] - rise["untrained"],
    }.items()
}
conditions = genre.mean_intervals(pd.DataFrame(conditions), who, **resampled)
conditions.index = pd.MultiIndex.from_tuples(conditions["score"])
met = (conditions["low"] > 0).groupby(level=1).all()
verdict = met.map({True: "yes", False: "not shown"})

# %% [markdown]
# For the test of the right stem, we compare each method with two baselines on the same clips:

# %%
gains = {
    (short[name], key): 1.0 * right_stem[name] - right_stem[baseline]
    for key, baseline in baselines.items()
    for name in METHODS[:2]
}
stem_gains = genre.mean_intervals(pd.DataFrame(gains), who, **resampled)
stem_gains = stem_gains.set_index("score")

# %% [markdown]
# The three panels of {numref}`fig-explanation-truth` compare each explanation with guessing.
# {numref}`fig-explanation-maps` shows the clip that was classified with the highest probability.

# %%
titles = {
    "stem": "finds the right stem",
    "horse": "ranks the tone (AUC)",
    "clean": "control without tone (AUC)",
}
shown = truths.assign(question=truths["test"].map(titles))
shown = shown.dropna(subset="question")
guess = np.array([0.25, 0.5, 0.5])
guessing = pd.DataFrame({"low": guess - 0.005, "high": guess + 0.005})
guessing["question"] = list(titles.values())

# %%
example = int(np.argmax([q.max() for q in cnn.predict(X)]))
shown_maps = {name: maps[name][example] for name in [*METHODS[:2], "edges"]}
mostly_drums = shares[stem_clips.stems.index("drums"), example] > 0.5

# %% tags=["hide-input"]
show_figure(
    figures.plot_forest(
        shown,
        y="score",
        panel="question",
        xlabel="Share, or AUC",
        reference=None,
        bands=guessing,
        band_label="guessing",
    ),
    "explanation-truth",
    f"Two tests of the explanations of {len(X)} clips, with 95% intervals over bands. "
    "The last panel is the control for the second panel: a network and clips without the tone.",
    "Three panels, each with an interval for each explanation and a grey band for guessing.",
    table=shown,
    simulated=False,
)
report_counts(n_explained=len(X), n_explained_bands=n_who)
by_test = truths[truths["score"] != "random"].replace({"score": short})
by_test = by_test.set_index(["test", "score"]).rename({"always drums": "drums"})
words = "yes", "no, worse than guessing", "unclear"
of_stems, of_tone = by_test.loc[["stem"]], by_test.loc[["horse", "clean", "found"]]
as_percent(of_stems, n_who, words=words, reference=0.25, tolerance=20)
report_effects(of_tone, n_who, tolerance=0.2)
report_effects(conditions, n_who, fmt="+.2f", tolerance=0.2)
report_texts(
    varies=True,
    cue_best=rise.mean().idxmax(),
    **verdict.rename("found_{}_verdict".format),
)
words = "better", "worse", "not clearly better or worse"
as_points(stem_gains, n_who, words=words, tolerance=20)
as_percent(relies[:2], n_bands, prefix="horse_", tolerance=12)
as_points(relies[2:], n_bands, prefix="horse_", tolerance=12)
show_figure(
    figures.plot_explanations(X[example], shown_maps, truth=mostly_drums),
    "explanation-maps",
    f"A clip that was classified as {styles[target[example]]}, and three explanations: red cells are "
    "evidence for the style, blue cells against it. Outlined: cells in which the drums are louder than "
    "all other stems together.",
    "Four spectrogram-shaped panels. Integrated gradients are fine-grained, occlusion shows smooth "
    "patches, and edges follow the strokes.",
    simulated=False,
)

# %% [markdown]
# The results for {glue:text}`n_explained` clips by {glue:text}`n_explained_bands` bands are:
#
# | explanation | finds the right stem (share of clips) | better than guessing (25%)? |
# |:--|:--|:--|
# | integrated gradients | {glue:text}`stem_ig_full` | {glue:text}`stem_ig_verdict` |
# | occlusion | {glue:text}`stem_occlusion_full` | {glue:text}`stem_occlusion_verdict` |
# | edges | {glue:text}`stem_edges_full` | {glue:text}`stem_edges_verdict` |
# | untrained | {glue:text}`stem_untrained_full` | {glue:text}`stem_untrained_verdict` |
# | always drums | {glue:text}`stem_drums_full` | {glue:text}`stem_drums_verdict` |
#
# Look at the baselines first. If edges or an untrained network do better than guessing, part of any
# explanation's score comes from the sound alone: cells that are loud, low in frequency or changing
# get large values regardless of what the network has learnt. The baseline “always drums” ignores the
# network; it finds the right stem in {glue:text}`stem_drums` of the clips. Edge detection mostly
# chooses the drums as well, because most edges in a spectrogram are drum strokes. Compared with
# always choosing the drums, integrated gradients are {glue:text}`ig_ahead_verdict`
# ({glue:text}`ig_ahead_full`), and occlusion is {glue:text}`occlusion_ahead_verdict`
# ({glue:text}`occlusion_ahead_full`). Compared with the untrained network, integrated gradients are
# {glue:text}`ig_learnt_verdict` ({glue:text}`ig_learnt_full`), and occlusion is
# {glue:text}`occlusion_learnt_verdict` ({glue:text}`occlusion_learnt_full`). Only the differences
# from these baselines show what the network has learnt.
#
# | explanation | AUC for the tone | AUC of the control | rise |
# |:--|:--|:--|:--|
# | integrated gradients | {glue:text}`horse_ig_full` | {glue:text}`clean_ig_full` | {glue:text}`found_ig_full` |
# | occlusion | {glue:text}`horse_occlusion_full` | {glue:text}`clean_occlusion_full` | {glue:text}`found_occlusion_full` |
# | edges | {glue:text}`horse_edges_full` | {glue:text}`clean_edges_full` | {glue:text}`found_edges_full` |
# | untrained | {glue:text}`horse_untrained_full` | {glue:text}`clean_untrained_full` | {glue:text}`found_untrained_full` |
#
# The three conditions above require four differences, which the next table lists. An explanation has
# found the tone if all four are clearly above 0, that is, if their intervals lie above 0:
#
# | explanation | AUC − 0.5 | rise | rise − rise for edges | rise − rise for untrained | tone found? |
# |:--|:--|:--|:--|:--|:--|
# | integrated gradients | {glue:text}`above_ig_full` | {glue:text}`risen_ig_full` | {glue:text}`beyond_edges_ig_full` | {glue:text}`beyond_untrained_ig_full` | {glue:text}`found_ig_verdict` |
# | occlusion | {glue:text}`above_occlusion_full` | {glue:text}`risen_occlusion_full` | {glue:text}`beyond_edges_occlusion_full` | {glue:text}`beyond_untrained_occlusion_full` | {glue:text}`found_occlusion_verdict` |
#
# Does the network rely on the tone? In this split, the network classifies
# {glue:text}`horse_planted_full` of the test clips correctly with the tone and
# {glue:text}`horse_removed_full` without the tone; the difference is {glue:text}`horse_fall_full`.
# Integrated gradients add up contributions along the whole path from silence to the clip, so evidence
# for a style and evidence against it may cancel out. One of the exercises uses another starting point
# for the path.
#
# Whether an explanation is faithful to the network's predictions and whether it agrees with a known
# ground truth are different questions. The highest FF, rounded to two decimal places, is reached by
# {glue:text}`ff_best`. When the tone is added, the AUC rises most for {glue:text}`cue_best`. Small
# differences in either score do not establish a ranking of the methods. Agreement with a ground truth
# can only be tested on rendered songs.
#
# ### Do explanations highlight drum strokes?
#
# Listeners recognise a rhythm by its strokes. How much of the evidence for the style lies in frames
# that contain or directly follow a drum stroke? If an explanation had no preference for drum strokes,
# this share would equal the share of such frames in the clip.

# %%
struck = stem_clips.onsets[stem_clips.stems.index("drums")][rows]
struck = struck | np.roll(struck, 1, axis=1)
excess = pd.DataFrame()
for name in ("integrated gradients", "untrained"):
    onset = genre.truth_scores(maps[name], struck[:, None])
    excess[name] = onset["mass"] - onset["chance"]
excess["learnt"] = excess["integrated gradients"] - excess["untrained"]
has_drums = excess.notna().all(axis=1).to_numpy()
on_drums = genre.mean_intervals(excess[has_drums], who[has_drums], **resampled)
on_drums = on_drums.set_index("score")

# %% tags=["hide-input"]
words = "clearly more", "clearly less", "neither clearly more nor clearly less"
n_drummed = len(set(who[has_drums]))
as_points(on_drums, n_drummed, prefix="onset_", words=words, fmt="+.1f", tolerance=6)

# %% [markdown]
# In the explanation of the trained network, drum strokes receive
# {glue:text}`onset_integrated_gradients_verdict` of the evidence than expected from their share of
# the frames ({glue:text}`onset_integrated_gradients_full`). But strokes are loud, and a path from
# silence gives loud cells more weight in any network: for the untrained network, the difference is
# {glue:text}`onset_untrained_full`. In the trained network, strokes receive
# {glue:text}`onset_learnt_verdict` of the evidence than in the untrained network
# ({glue:text}`onset_learnt_full`). Evidence that falls on strokes need not be about rhythm, because a
# stroke also has a timbre.
#
# ### Do explanations depend on what was learnt?
#
# In a final check {cite}`adebayo2018`, we destroy what the network has learnt by shuffling its
# weights, layer by layer, beginning with the output. An explanation that depends on what was learnt
# must then change.


# %%
few = slice(None, None, -(-len(X) // 8))  # clips of all styles


def explain_few(network):
    maps = genre.explain_all(
        network, X[few], target[few], METHODS[:1], steps=8, **silence
    )
    return maps["integrated gradients"]


original = explain_few(cnn.network)
cascade = {
    layer: genre.rank_similarity(original, explain_few(shuffled))
    for layer, shuffled in genre.shuffled_layers(cnn.network, X, seed)
}
cascade = genre.mean_intervals(pd.DataFrame(cascade), who[few], **resampled)

# %% tags=["hide-input"]
ends = {"cascade_first": cascade.iloc[0], "cascade_last": cascade.iloc[-1]}
report_counts(n_layers=len(cascade), n_cascade=len(original))
changes = (
    "changes little, although the predictions depend on this layer",
    "changes greatly, as it must if it depends on what was learnt",
    "changes by an amount that these clips cannot determine",
)
n_few = len(set(who[few]))
report_effects(ends, n_few, words=changes, reference=0.5, tolerance=0.4)

# %% [markdown]
# Over {glue:text}`n_cascade` clips, the mean rank correlation with the original explanation is
# {glue:text}`cascade_first_full` with the last layer shuffled, and {glue:text}`cascade_last_full`
# with all {glue:text}`n_layers` layers shuffled. For edges, the correlation would stay at 1. With the
# last layer shuffled, the explanation {glue:text}`cascade_first_verdict`. (The verdict depends on
# whether the correlation is below or above 0.5.) A change does not prove that an explanation is
# right, as the tests above show.
#
# ### Listen to an explanation
#
# We keep the cells with the strongest evidence for the style, and play them with the phase of the mix.

# %%
song = clips.table.iloc[chosen[example]]
begin = int(song["start"] * sr)
mix = load_audio(corpus.path(song["song_id"]), sr)[0][begin : begin + 3 * sr]
stft = {name: MEL_SETTINGS[name] for name in ("sr", "n_fft", "hop_length")}
masked = partial(genre.masked_sound, mix, **stft, cache=cache)
mask = genre.keep_top(maps["occlusion"][[example]], 0.2)[0].astype(float)
kept, rest = masked(mask), masked(1 - mask)
versions = {
    "the clip": (mix, sr),
    "the 20% of cells with the strongest evidence": (kept, sr),
    "the remaining cells": (rest, sr),
}
audio_player(versions)

# %% [markdown]
# ## Learning without labels
#
# Labels are scarce, and they require people to agree. *Contrastive* learning needs no labels
# {cite}`chen2020`. We take two **views** of each song, embed them, and train the network to find each
# view's partner among all views in the batch. If zᵢ and zⱼ are the embeddings of two views of one
# song, sim is the cosine similarity and τ = 0.5, the loss is
#
# $$ L = -\log \frac{\exp(\operatorname{sim}(z_i, z_j) / \tau)}
# {\sum_{k \neq i} \exp(\operatorname{sim}(z_i, z_k) / \tau)} $$
#
# The network learns to represent what the two views have in common, and to ignore the rest. The choice
# of views therefore determines what the network learns:
#
# - **moments**: two clips of one song. The clips share instruments, mix and tempo.
# - **moments, stretched**: two clips of one song, each played up to 1.4 times faster or slower. The
#   clips no longer share a tempo.
# - **stems**: two clips of one song, each of which contains either only drums and bass or only the
#   other stems {cite}`garoufis2023`. All pairs share tempo and harmony; more than half of them share
#   no instruments.

# %%
names = np.sort(train_clips.groupby("artist")["song_id"].first())
rows = np.flatnonzero(np.isin(gapless.table["song_id"], names))
moments = genre.song_views(gapless, rows)
parts = genre.make_stem_clips(corpus, names, **rendering, settings=seamless)
pairs = parts.sums([["drums", "bass"], ["other", "vocals"]])
by_stem = pairs.reshape(2, len(names), -1, *X.shape[1:]).swapaxes(0, 1)
stem_views = by_stem.reshape(len(names), -1, *X.shape[1:])

# %%
recipes = {
    "moments": (moments, 0.0),
    "moments, stretched": (moments, 0.4),
    "stems": (stem_views, 0.0),
}
pretraining = replace(
    self_supervision.PRETRAINING, epochs=pretraining_epochs, seed=seed
)
pretrain = partial(genre.pretrain_network, "mel-cnn", settings=pretraining)
jobs = [delayed(pretrain)(v, stretch=share) for v, share in recipes.values()]
pretrained = run(jobs)

# %% [markdown]
# Are the features that the network has learnt useful? We train a linear {term}`probe`, a logistic
# regression on the frozen features, with the labels of a few bands per style. We compare these
# features with those of the same network with random weights, and with mel-cnn trained from scratch
# on the same few labels. For reference, we add the features of the network that was trained on the
# labels of *all* bands in the training set. The labelled bands are drawn at random several times. In
# each draw, all methods use the same labelled bands, and none of them has validation clips. Training
# from scratch takes at least {glue:text}`fewest_steps` steps, and the weights after the last step are
# used.

# %%
features = {k: m.embed(clips.X) for k, m in zip(recipes, pretrained)}
random = genre.TrainedNetwork(untrained, cache=cache)
features["random weights"] = random.embed(clips.X)
features["supervised, all labels"] = cnn.embed(clips.X)
artists = clips.table["artist"].to_numpy()
labels = {"y": clips.y, "bands": artists, "train": unlabelled, "test": test}
label_curve = partial(genre.label_curve, **labels, n_draws=n_draws, seed=seed)
curves = [
    label_curve(f, n_bands=label_counts, cache=cache).assign(features=name)
    for name, f in features.items()
]


# %%
def from_scratch(count, draw, cache):
    rows = genre.draw_labelled(clips.y, artists, unlabelled, count, draw, seed)
    per_epoch = -(-len(rows) // settings.batch_size)
    long = max(epochs, -(-fewest_steps // per_epoch))
    options = replace(settings, epochs=long, seed=seed + draw)
    labelled = {"train": rows}
    model = trained("mel-cnn", split=labelled, settings=options, cache=cache)
    right = model.predict(clips.X[test]).argmax(axis=1) == y
    return genre.accuracy_by_band(right, bands, bands=count, draw=draw)


# %%
drawn = curves[0][["bands", "draw"]].drop_duplicates()
jobs = [delayed(from_scratch)(n, d) for n, d in drawn.to_numpy().tolist()]
curves += [table.assign(features="from scratch") for table in run(jobs)]
curve = pd.concat(curves, ignore_index=True)
per_draw = curve.groupby(["features", "bands", "draw"], sort=False)["accuracy"]
means = per_draw.mean().reset_index()

# %% [markdown]
# For a small number of labelled bands, we compare each set of features with those of the network with
# random weights, on the same test bands and in the same draws. We leave out the features that were
# trained on all labels.

# %%
small_count = label_counts[min(1, len(label_counts) - 1)]
at = curve[curve["bands"] == small_count]
at = at[at["features"] != "supervised, all labels"]
at = at.pivot(index=["artist", "draw"], columns="features", values="accuracy")
gains = at.sub(at["random weights"], axis=0).drop(columns="random weights")
where = [at.index.get_level_values(level) for level in ("artist", "draw")]
at_few = genre.mean_intervals(at, *where).set_index("score")
gain = genre.mean_intervals(gains, *where).set_index("score")
gain["p_holm"] = holm(gain["p"])

# %% tags=["hide-input"]
show_figure(
    figures.plot_label_curves(
        means, "bands", "Labelled bands per style", 1 / len(styles), ("pi", 100)
    ),
    "few-labels",
    "Accuracy on bands that were not used in training, by number of labelled bands per style: "
    "mean and range over draws of these bands. Grey line: guessing.",
    "Six curves. The curve of the supervised features is high and flat; the others start lower and "
    "rise with the number of labels.",
    table=means,
    simulated=False,
)
report_counts(few_bands=small_count, n_draws=n_draws, fewest_steps=fewest_steps)
as_percent(at_few, n_bands, prefix="few_", tolerance=12)
words = "better", "worse", "not clearly different"
as_points(gain, n_bands, prefix="gain_", words=words, p="p_holm", tolerance=12)

# %% [markdown]
# The table shows the accuracies with {glue:text}`few_bands` labelled bands per style and
# {glue:text}`n_draws` draws of these bands. Intervals account for variation over test bands and
# draws. They are not corrected for multiple comparisons, but the verdicts are corrected for four
# comparisons by Holm's method. A verdict can therefore be “not clearly different” even if the
# interval of the difference lies above 0. Random guessing is right for one clip in
# {glue:text}`n_styles`.
#
# | features | accuracy | difference from random weights | verdict |
# |:--|:--|:--|:--|
# | moments | {glue:text}`few_moments_full` | {glue:text}`gain_moments_full` | {glue:text}`gain_moments_verdict` |
# | moments, stretched | {glue:text}`few_moments_stretched_full` | {glue:text}`gain_moments_stretched_full` | {glue:text}`gain_moments_stretched_verdict` |
# | stems | {glue:text}`few_stems_full` | {glue:text}`gain_stems_full` | {glue:text}`gain_stems_verdict` |
# | none: trained from scratch | {glue:text}`few_from_scratch_full` | {glue:text}`gain_from_scratch_full` | {glue:text}`gain_from_scratch_verdict` |
# | random weights | {glue:text}`few_random_weights_full` | | |
#
# Each set of pretrained features comes from a single pretraining run; the intervals do not show how much
# such runs differ.
#
# ### What did the network learn to ignore?
#
# We now turn to the causes of groove. A ridge probe predicts each song's tempo, density, syncopation,
# swing and microtiming from the features. Whole bands are held out from the probe, as in
# {doc}`06-probing`, but most of these bands were used to train the networks, so comparisons with
# random weights may favour the trained networks. Styles differ in all of these properties, so we look
# *within* styles: for instance, how much of the variance of tempo among funk songs can the probe
# predict?

# %%
rhythm = ["tempo", "event_density", "syncopation", "swing_ratio"]
rhythm += ["microtiming_ms"]
per_song = clips.table.groupby("song_id", sort=False).first()
by_song = clips.table["song_id"].to_numpy()
song_features = {
    name: pd.DataFrame(f).groupby(by_song, sort=False).mean().to_numpy()
    for name, f in features.items()
}
songs = per_song[rhythm], *per_song[["artist", "style"]].to_numpy().T
once = probe.Protocol(n_repeats=1, seed=seed)
probing = {"n_jobs": n_jobs, "cache": cache}
heard_causes = probe.nested_ridges(song_features, *songs, once, **probing)

# %%
within = pd.concat(
    probe.style_scores(result, **resampled).assign(features=name)
    for name, result in heard_causes.items()
)
within = within[within["part"] == "within"]
grid = within.pivot(index="features", columns="target", values="r2")
grid = grid.loc[list(features), rhythm]
below = grid.columns[(grid < 0).all()]
stretching = {k: heard_causes[k] for k in ("moments", "moments, stretched")}
effect = probe.compare_models(stretching, score="within_r2", **resampled)
effect = effect.set_index("target")
tempo = within[within["target"] == "tempo"].set_index("features")
n_heard = per_song["artist"].nunique()
no_better = below.str.removesuffix("_ms").str.replace("_", " ")

# %% tags=["hide-input"]
show_table(
    grid,
    "heard-causes",
    f"Out-of-fold R² within styles, by features (rows) and property (columns), for {len(per_song)} "
    "songs. A constant prediction would give 0.",
    simulated=False,
)
report_texts(varies=True, not_predicted=join_words(no_better))
report_effects(tempo, n_heard, prefix="tempo_", value="r2", tolerance=0.2)
report_counts(n_rhythm_songs=len(per_song))
words = (
    "makes tempo harder to predict",
    "makes tempo easier to predict",
    "makes no clear difference to the prediction of tempo",
)
effects = {"deaf": effect.loc["tempo"]}
report_effects(effects, n_heard, value="difference", words=words, tolerance=0.15)
to_lose = "Without stretching, tempo can be predicted within styles, so this comparison could show a loss"
nothing_to_lose = (
    "Even without stretching, tempo cannot be shown to be predictable within styles, so this "
    "comparison cannot show whether stretching removes information about tempo"
)
words = to_lose, nothing_to_lose, nothing_to_lose
report_texts(varies=True, to_lose=pick_verdict(tempo.loc["moments"], *words))

# %% [markdown]
# This table shows the R² for tempo within styles, for {glue:text}`n_rhythm_songs` songs, with 95%
# intervals over bands:
#
# | features | R² |
# |:--|:--|
# | moments | {glue:text}`tempo_moments_full` |
# | moments, stretched | {glue:text}`tempo_moments_stretched_full` |
# | stems | {glue:text}`tempo_stems_full` |
# | supervised, all labels | {glue:text}`tempo_supervised_all_labels_full` |
# | random weights | {glue:text}`tempo_random_weights_full` |
#
# Stretching {glue:text}`deaf_verdict` within styles: the R² without stretching minus the R² with
# stretching is {glue:text}`deaf_full`. {glue:text}`to_lose`. {numref}`tab-heard-causes` shows the
# other properties. If every R² in a column is below 0, no set of features predicts this property
# better than a constant would, so the property cannot be used to compare them. This is the case for:
# {glue:text}`not_predicted`.
#
# Augmentations, such as stretching, determine what a network learns to ignore. This example is too
# small for a precise estimate of this effect. Before you probe a pretrained model for groove, find
# out which augmentations were used to train it.
#
# ## Classifying with words
#
# A model of text and audio can classify styles without having been trained on their labels: it
# compares a clip with sentences such as “a funk song”, and chooses the most similar sentence. The
# wording of the sentences is therefore a setting that can change the result. If the weights of the
# model are on the machine that runs this chapter, we describe the styles in six wordings. For each
# question in the study for which sentences are available, we use three graded sentences: for groove,
# from “music without any groove” to “music with a strong groove”.

# %%
sampled = test_songs.groupby("style").head(6)
sounds = {song: corpus.path(song) for song in sampled["song_id"]}
codes = pd.Categorical(sampled["style"], styles).codes.astype(int)
rated = ratings = None
questions = [q for q in genre.GROOVE_SENTENCES if q in data.queries]
if data.has("audio") and questions:
    ratings = pd.DataFrame({q: data.song_means(q) for q in questions})
    rated = {track: data.audio_path(track) for track in ratings.index}
text_summary = genre.summarise_text_model(sounds, codes, styles, rated, ratings)

# %% tags=["hide-input"]
report_texts(text_model=text_summary)

# %% [markdown]
# The model is CLAP {cite}`wu2023clap`. {glue:text}`text_model`
#
# ## Back to groove: does learning styles help to predict groove?

# %% [markdown] tags=["needs-audio"]
# We add the networks of this chapter to the catalogue of models. {numref}`fig-genre-groove` shows how
# well the ratings of the study can be predicted from these networks and from the pretrained models, with
# the protocol of {doc}`06-probing`; in this section, n is the number of songs. The networks were not
# trained on any song or band of the study. But if the study is the demo, its songs were rendered by the
# same program as the training songs, with the same SoundFont and samplers, whereas the pretrained models
# were trained on recordings. In this case, the comparison favours the networks of this chapter.

# %% tags=["needs-audio"]
learners = {
    "genre-resnet-bigru": network.network,
    "genre-mel-cnn": cnn.network,
    "mel-cnn-untrained": untrained,
}
learners |= {
    f"ssl-{name.replace(', ', '-')}": model.network
    for name, model in zip(recipes, pretrained, strict=True)
}
for name, model in learners.items():
    genre.register_network(name, model)
embed.list_models().loc[list(learners), ["architecture", "window", "dims"]]

# %% tags=["needs-audio"]
earlier = chapter.load_table("probe_scores")
earlier_targets = earlier["target"].unique()
query = "groove" if "groove" in earlier_targets else earlier_targets[0]
target_ratings = pd.DataFrame({query: data.song_means(query)})
who_and_what = data.tracks["artist"].to_numpy(), data.tracks["style"].to_numpy()
embeddings = embed.embed_study(data, list(learners))
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
layers = {name: e.layers for name, e in embeddings.items()}
songs_rated = target_ratings, *who_and_what
results = probe.nested_ridges(layers, *songs_rated, protocol, **probing)

# %% tags=["needs-audio"]
learnt = summaries.score_table(results, **resampled).assign(kind="this chapter")
earlier = earlier[earlier["target"] == query]
earlier = earlier[earlier["kind"] != "untrained twin"]
board = pd.concat([earlier, learnt], ignore_index=True)
gain = probe.compare_models(
    {k: results[k] for k in ("genre-mel-cnn", "mel-cnn-untrained")}, **resampled
).iloc[0]

# %% tags=["hide-input", "needs-audio"]
n_songs = len(target_ratings)
report_texts(query=query)
show_figure(
    figures.plot_scores(
        board,
        hue="kind",
        bands=summaries.ceiling_bands(chapter.find_table("ceilings"), [query]),
    ),
    "genre-groove",
    f"Out-of-fold R² for ratings of “{query}” on {n_songs} songs, with 95% intervals over artists. "
    "Shaded: the noise ceiling, if known.",
    "Forest plot with wide intervals: pretrained models and descriptors above, the networks of this "
    "chapter below.",
    table=board,
)
chapter_rows = board.set_index("model").loc[[*learners, "style alone"]]
report_effects(chapter_rows, n_songs, prefix="groove_", tolerance=0.12)
effects = {"groove_gain": gain}
report_effects(effects, n_songs, value="difference", tolerance=0.12)
words = "helps", "hurts", "makes no clear difference"
report_texts(varies=words, gain_verdict=pick_verdict(gain, *words))

# %% [markdown] tags=["needs-audio"]
# - **genre-resnet-bigru**: R² is {glue:text}`groove_genre-resnet-bigru_full`; predicting the mean rating
#   of each song's style gives an R² of {glue:text}`groove_style_alone`.
# - **Training or architecture?** Here we compare another network, genre-mel-cnn (R² =
#   {glue:text}`groove_genre-mel-cnn`), with an untrained network of the same architecture (R² =
#   {glue:text}`groove_mel-cnn-untrained`). Training to recognise styles {glue:text}`gain_verdict`: R²
#   changes by {glue:text}`groove_gain_full`.
# - **Without labels**: R² is {glue:text}`groove_ssl-moments_full` for moments,
#   {glue:text}`groove_ssl-moments-stretched_full` for stretched moments, and {glue:text}`groove_ssl-stems_full` for
#   stems.
#
# Styles differ in their mean ratings, so any feature that separates styles predicts part of the
# ratings. We therefore also look at the correlation between predictions and ratings *within* styles,
# which is more informative. As in {doc}`07-objections`, we compute p from permutations that exchange
# all ratings of one artist with all ratings of another artist of the same style. In each permutation,
# we take the highest correlation across all networks, so that p is corrected for the number of
# networks.

# %% tags=["needs-audio"]
once = replace(protocol, n_repeats=1)
options = {"within_style": True, "score": "within_r", "n_jobs": n_jobs}
options |= {"n_permutations": n_permutations}
chance = probe.permutation_test(layers, *songs_rated, once, **options)
inside = summaries.score_table(results, score="within_r", **resampled)
inside = inside.merge(chance[["model", "target", "p", "p_target"]])
inside = inside.set_index("model")
beyond_style = clear_rows(inside, "p_target", value="estimate").index

# %% tags=["hide-input", "needs-audio"]
show_table(
    inside[["estimate", "low", "high", "p", "p_target"]],
    "genre-within",
    f"Correlation of predictions with “{query}” within styles: {n_songs} songs, 95% intervals over "
    "artists. “p”: p-value from permutations of artists, for each row alone; “p target”: "
    "p-value corrected for the number of rows.",
)
report_texts(varies=True, beyond_style=join_words(beyond_style))
report_texts(varies=True, above_zero=join_words(inside.index[inside["low"] > 0]))

# %% [markdown] tags=["needs-audio"]
# After this correction, the permutation test finds that the following networks predict which songs of
# a style are rated higher: {glue:text}`beyond_style`. The intervals over artists, which do not assume
# that the ratings are unrelated to the sound, lie above 0 for: {glue:text}`above_zero`. A network
# that is in the first list but not in the second is only weakly supported. In the demo, the ratings
# are simulated from known causes, the three styles are among those that the networks have learnt, and
# the songs are played by the same virtual instruments as the training songs.

# %% [markdown]
# ## What could be wrong here
#
# - **What a genre label is.** A label is an agreement between people: musicians, shops, listeners, and
#   lately the makers of playlists. Labels change with time and place, and listeners who know a kind of
#   music well use finer labels. A tree of styles expresses its author's view; our tree puts bossa nova
#   next to reggae, which says more about us than about Brazil and Jamaica.
# - **Whose culture is represented.** Genre collections consist mostly of English-language popular
#   music. A single class called “world” reflects the views of the people who chose the classes.
# - **What GTZAN did to the field.** For two decades, systems were compared on one collection with
#   repeated songs and wrong labels {cite}`sturm2013`. Differences of one percentage point were published
#   as progress.
# - **What rendered styles cannot show.** Our styles have no history, no lyrics and no fashions in
#   production. The causes of their sound are known because we chose them. An explanation that fails
#   on rendered songs is unlikely to do better on real recordings; one that succeeds on rendered songs
#   may still fail on real ones.
# - **Most of this chapter uses one split and one seed.** Intervals show the variation over bands, not
#   over training runs; {doc}`10-genre-networks` shows how much training runs differ.
#
# ## Exercises
#
# ```{exercise} Improve the severity by cheating
# :label: ex-severity
#
# Change the predictions of resnet-bigru so that its mistake severity in the tree made by hand becomes
# *lower*, while every prediction stays the same or gets worse.
# ```
#
# ```{solution-start} ex-severity
# :class: dropdown
# ```

# %% tags=["solution"]
distances = genre.tree_distances(corpus.tree, styles).to_numpy()
nearest = (distances + 9 * np.eye(len(styles))).argmin(axis=1)
cheat = np.where(named == y, nearest[y], named)
cheated = genre.confusion_counts(y, cheat, len(styles))
before, after = (genre.mistake_severity(c, distances) for c in (counts, cheated))
print(f"severity {before:.2f} → {after:.2f}, accuracy {(cheat == y).mean():.2f}")

# %% [markdown]
# Every correct prediction was replaced by the nearest wrong style. The mean severity of mistakes falls,
# although no prediction is correct any more. Distance@1 cannot be lowered in this way.
#
# ```{solution-end}
# ```
#
# ```{exercise} Another baseline
# :label: ex-silence
#
# The explanations in this chapter compare a clip with silence. Use the mean spectrogram of the
# training clips as the starting point instead. What share of the integrated gradients falls on the
# planted tone, as a multiple of the share expected by chance?
# ```
#
# ```{solution-start} ex-silence
# :class: dropdown
# ```

# %% tags=["solution"]
average = planted.X[split["train"]].mean(axis=(0, 2))[:, None]
other = genre.explain_all(
    horse.network, X_planted, horse_target, METHODS[:1], baseline=average
)
for e in (horse_maps["integrated gradients"], other["integrated gradients"]):
    on_cue = genre.truth_scores(np.abs(e), cue)
    print((on_cue["mass"] / on_cue["chance"]).mean().round(2))

# %% [markdown]
# The first number is for silence as the baseline, the second for the mean spectrogram. With the mean
# as the baseline, the question changes from “what is there?” to “what is unlike other music?”. For
# half of the styles, the answer is that the tone is *missing*. Whenever you report an explanation,
# state its baseline. Neither number shows that the tone was found: to show this, compute the same
# numbers for the control without the tone, for edges and for the untrained network.
#
# ```{solution-end}
# ```
#
# ```{exercise} Stretch further
# :label: ex-stretch-views
#
# Pretrain with `stretch=1.0` (from half to double speed). What happens to the R² for tempo, and to the
# accuracy of a probe for styles?
# ```
#
# ```{solution-start} ex-stretch-views
# :class: dropdown
# ```

# %% tags=["solution"]
far = genre.pretrain_network("mel-cnn", moments, pretraining, stretch=1.0)
far_features = far.embed(clips.X)
far_songs = pd.DataFrame(far_features).groupby(by_song, sort=False).mean()
far_probe = probe.nested_ridge(far_songs.to_numpy(), *songs, once)
far_within = probe.style_scores(far_probe, n_boot=100)
far_within[far_within["part"] == "within"].set_index("target")["r2"].round(2)

# %% tags=["solution"]
far_curve = label_curve(far_features, n_bands=[small_count], cache=cache)
far_curve["accuracy"].mean().round(2)

# %% [markdown]
# Compare the R² with {numref}`tab-heard-causes`. Compare the accuracy with
# {glue:text}`few_moments_stretched`, which is the accuracy for a stretch by a factor of up to 1.4 and
# the same number of labelled bands. Stretching encourages the network to ignore tempo. If the R² for
# tempo is not clearly above zero to begin with, the comparison cannot show a loss.
#
# ```{solution-end}
# ```
#
# ## Summary
#
# **Asked**: what accuracy hides, and whether learning styles helps to predict groove. **Found** (n is
# the number of bands):
#
# - **Mistakes**: those of resnet-bigru are {glue:text}`small_hand` in the tree made by hand,
#   {glue:text}`small_embeddings` in the tree from embeddings, and {glue:text}`small_causes` in the
#   tree from causes.
# - **Confidence**: the best temperature for the probabilities of resnet-bigru is
#   {glue:text}`temperature`.
# - **The right stem** is found in {glue:text}`stem_ig_full` of the clips with integrated gradients, in
#   {glue:text}`stem_edges_full` with the edges of the spectrogram, and in
#   {glue:text}`stem_drums_full` if we always choose the drums.
# - **The planted tone**: do the explanations find it? Integrated gradients:
#   {glue:text}`found_ig_verdict` (the AUC minus that of the control is {glue:text}`found_ig_full`).
#   Occlusion: {glue:text}`found_occlusion_verdict` ({glue:text}`found_occlusion_full`). For edges,
#   which do not depend on the network, the difference between the two AUCs is
#   {glue:text}`found_edges_full`.
# - **Stretching time** {glue:text}`deaf_verdict` within styles ({glue:text}`deaf_full`).

# %% [markdown] tags=["needs-audio"]
# **Do these networks predict groove?** For “{glue:text}`query`”, the features of genre-resnet-bigru
# predict ratings with an R² of {glue:text}`groove_genre-resnet-bigru_full`. Predicting the mean
# rating of each song's style gives an R² of {glue:text}`groove_style_alone_full`. According to the
# permutation test, the following networks of this chapter predict which songs of a style are rated
# higher: {glue:text}`beyond_style`; the interval over artists lies above 0 for:
# {glue:text}`above_zero`. For another network, mel-cnn, training to recognise styles
# {glue:text}`gain_verdict` compared with random weights ({glue:text}`groove_gain_full`). Here n is
# the number of songs.

# %% [markdown]
# **True by construction**: we designed the stems, the causes and the tone. **What would change our
# mind**: an explanation that scores as well against a known ground truth as it does on faithfulness, or
# a network that was trained to recognise styles and predicts groove within styles on real recordings.
