# %% [markdown]
# # What lies beyond accuracy?
#
# Two networks name the style of 75% of all clips. One takes disco for funk, the other takes disco
# for bossa nova. One is as sure as it should be, the other always says 99%. One listens to the
# drums, the other to a hum that nobody hears. The number 75 shows none of this. This chapter looks
# behind it: at the size of mistakes, at confidence, at change over time, at explanations, and at what
# a network learns when nobody tells it the style. At the end we ask the question of this book again:
# does learning styles teach groove?
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to score mistakes by their size; to calibrate probabilities; to test
# explanations against a truth; to pretrain a network without labels, and to see what it ignores.
#
# **You need** {doc}`10-genre-networks`, whose networks and songs are used again, and
# {doc}`06-probing` for the last section.
#
# **It runs** in {run-time}`11-beyond-accuracy` in the run that made this page, more the first time.
# Modules: `groove_utils.genre`, `captum`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
n_explained = 32  # clips
n_medleys = 10
label_counts = [1, 2, 4, 8, 18]  # labelled bands per style
pretraining_epochs = 30
n_repeats = 5  # times that the songs of the study are dealt into folds
n_bootstrap = 2000
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
    report_percentages,
    report_texts,
    report_value,
    show_figure,
    show_table,
    summaries,
)
from groove_utils.book.verdicts import pick_verdict
from groove_utils.cache import ArrayCache, run_cached_jobs
from groove_utils.genre import planted_cues, self_supervision
from groove_utils.genre.explanations import METHODS
from groove_utils.genre.inputs import MEL_SETTINGS, clip_mels
from groove_utils.genre.trained_networks import SETTINGS

# %%
chapter = open_chapter("11-beyond-accuracy", study)
data = chapter.study
resampled = {"n_boot": n_bootstrap, "seed": seed}
cache = ArrayCache(namespace="genre-networks")
run = partial(run_cached_jobs, cache=cache, n_jobs=n_jobs)

# %% [markdown]
# ## Which mistakes, and how sure?
#
# Corpus, clips and split are those of {doc}`10-genre-networks`, which left its settings in a table. We
# look at one split, and at its test clips: {glue:text}`n_test` clips by {glue:text}`n_test_bands` bands
# that the networks have never heard. scikit-learn has the usual scores.

# %%
size = chapter.load_table("genre_settings").to_dict("records")[0]
epochs, song_seconds = size.pop("epochs"), size["seconds"]
corpus = genre.rendered_corpus(**size, n_jobs=n_jobs)
clips = genre.log_mels(corpus, n_jobs=n_jobs)
split = genre.split_clips(clips.table, by="artist", seed=seed)
test, styles = split["test"], clips.styles

# %%
everything = chapter.load_table("genre_predictions")
first = everything[everything["seed"] == seed]
columns = [f"p_{style}" for style in styles]


# %%
def probabilities(network, part="test"):
    rows = first[(first["network"] == network) & (first["split"] == part)]
    ids = clips.table["clip_id"].iloc[split[part]]
    p = rows.set_index("clip_id").loc[ids, columns].to_numpy(dtype=float)
    return p / p.sum(axis=1, keepdims=True)  # float32 has rounded


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
# `score_intervals` gives the same numbers, and does it 2,000 times for other draws of bands, so that
# each has an interval. It also has scores that the next section explains.

# %%
scores = genre.score_intervals(y, p, bands, corpus.tree, styles, **resampled)
scores = scores.set_index("score")
largest_gap = max(abs(scores.loc[k, "estimate"] - v) for k, v in usual.items())

# %% tags=["hide-input"]
report_counts(n_test=len(test), n_test_bands=len(set(bands)))
report_value("same_scores", largest_gap, fmt=".0e", tolerance=1e-6)
show_table(
    scores,
    "beyond-scores",
    "Scores of resnet-bigru on bands that it has not heard, with 95% intervals over bands.",
    simulated=False,
)

# %% [markdown]
# The largest difference between both is {glue:text}`same_scores`. Here all styles have as many clips,
# so that balanced accuracy and accuracy are the same; with rare styles they are not.
#
# A probability should mean something. Of all clips for which a network says 80%, it should name 80%
# correctly. *Reliability* compares the two in bins, and the *expected calibration error* (ECE) is the
# mean gap. {cite:t}`guo2017` found large networks far too sure. The cure is one number: divide the
# logits $\mathbf{z}$ by a temperature $T$, found on the *validation* clips,
#
# $$ p = \operatorname{softmax}(\mathbf{z} / T) $$
#
# T above 1 makes a network less sure. No answer changes, since the order of the classes stays.

# %%
temperature = genre.fit_temperature(
    clips.y[split["valid"]], probabilities("resnet-bigru", "valid")
)
calibrated = genre.change_temperature(p, temperature)
kinds = {"as trained": p, f"T = {temperature:.2f}": calibrated}
curves = [genre.reliability(y, q).assign(kind=k) for k, q in kinds.items()]
curves = pd.concat(curves)
errors = [genre.calibration_error(y, q) for q in kinds.values()]

# %% tags=["hide-input"]
counts = genre.confusion_counts(y, named, len(styles))
show_figure(
    figures.plot_confusion_and_reliability(counts, styles, curves),
    "mistakes",
    "Left: how often clips of each style (rows) were named as each style (columns), in percent. "
    "Right: accuracy by confidence; larger dots are more clips, and the line is perfect.",
    "A matrix with high numbers on the diagonal and a few groups of mistakes; a plot of two curves "
    "near the diagonal.",
    table=curves,
    simulated=False,
)
off = counts * (1 - np.eye(len(styles)))
worst = np.unravel_index(off.argmax(), off.shape)
report_texts(confused_true=styles[worst[0]], confused_named=styles[worst[1]])
report_value("temperature", temperature, tolerance=0.3)
report_value("ece_before", errors[0], tolerance=0.04)
report_value("ece_after", errors[1], tolerance=0.04)

# %% [markdown]
# The most frequent mistake takes {glue:text}`confused_true` for {glue:text}`confused_named`
# ({numref}`fig-mistakes`). The best temperature on the validation clips is
# {glue:text}`temperature`; above 1 the network was too sure there, below 1 not sure enough. (It was
# trained with mixed pairs of clips, which keeps a network from being sure.) On the test clips, the ECE
# goes from {glue:text}`ece_before` to {glue:text}`ece_after`: a temperature near 1 means that there was
# little to correct. A perfectly calibrated network would
# have an ECE above 0, too, because each bin holds few clips.
#
# ## How bad is a mistake?
#
# To take disco for funk is a smaller mistake than to take it for reggae. Or is it? It depends on a
# tree of styles. Ours is part of the corpus:

# %%
branches = pd.Series(corpus.tree).groupby(corpus.tree).groups
{parent: list(children) for parent, children in branches.items()}

# %% [markdown]
# With α the nodes from the named style up to the root, without the root itself, and β those from the
# true style, {cite:t}`silla2011` define
#
# $$ \mathrm{hP} = \frac{\sum |\alpha \cap \beta|}{\sum |\alpha|}, \qquad
# \mathrm{hR} = \frac{\sum |\alpha \cap \beta|}{\sum |\beta|}, $$
#
# summed over all clips, and hF as their harmonic mean. {cite:t}`bertinetto2020` measure the height of
# the lowest common ancestor of both: its mean over mistakes is the **mistake severity**, and its mean
# over the k most probable answers to every clip is the **distance@k**. Report both. A network that
# adds many small mistakes lowers its severity and raises its distance.
#
# But whose tree? A committee's, a listener's, a shop's? We compare three. The second comes from
# embeddings: the styles' mean vectors in MusiCNN, a pretrained tagger, joined step by step. The third
# comes from the causes: tempo, swing, density and other facts of the scores. Both use songs by
# training bands only.

# %%
unlabelled = np.sort(np.concatenate([split["train"], split["valid"]]))
known = clips.table.iloc[unlabelled].set_index("clip_id")
vectors = chapter.load_table("genre_tagger").loc[known.index]
causes = ["tempo", "swing_ratio", "syncopation", "event_density", "backbeat"]


# %%
def style_tree(features):
    z = (features - features.mean()) / features.std().clip(lower=1e-6)
    return genre.cluster_tree(z.groupby(known["style"]).mean().loc[styles])


# %%
trees = {
    "by hand": corpus.tree,
    "from embeddings": style_tree(vectors),
    "from causes": style_tree(known[causes]),
}
compared = ["resnet-bigru", "mel-cnn", "handcrafted + boosting"]
predicted = {name: probabilities(name) for name in compared}
semantic = genre.compare_in_trees(y, predicted, trees, styles, seed=seed)

# %% tags=["hide-input"]
show_figure(
    figures.plot_severity(semantic),
    "severity",
    "Mistake severity and distance@1 of three classifiers in three trees; 0 is the same style, 1 "
    "only the root in common. Grey: the middle 95% of severities when styles hang at random "
    "leaves.",
    "Three panels with three rows each. Dots of severity lie mostly at the left of or inside grey "
    "bars; diamonds of distance at 1 lie far to the left.",
    table=semantic,
    simulated=False,
)
ours = semantic[semantic["network"] == "resnet-bigru"].set_index("tree")
for tree, row in ours.iterrows():
    key = tree.split()[-1]
    report_value(f"severity_{key}", row["severity"], tolerance=0.15)
    report_value(f"chance_{key}", row["chance"], tolerance=0.1)
    report_value(f"hf_{key}", row["hF"], tolerance=0.06)
    below = row["severity"] < row["chance_low"]
    words = "smaller than by chance" if below else "within chance"
    report_texts(**{f"small_{key}": words})

# %% [markdown]
# A severity alone says little: a tree with one early branch makes nearly all mistakes large. So we
# hang the styles at random leaves of the same tree, 2,000 times. For resnet-bigru:
#
# | tree | hF | severity | mean of random leaves | mistakes are |
# |:--|--:|--:|--:|:--|
# | by hand | {glue:text}`hf_hand` | {glue:text}`severity_hand` | {glue:text}`chance_hand` | {glue:text}`small_hand` |
# | from embeddings | {glue:text}`hf_embeddings` | {glue:text}`severity_embeddings` | {glue:text}`chance_embeddings` | {glue:text}`small_embeddings` |
# | from causes | {glue:text}`hf_causes` | {glue:text}`severity_causes` | {glue:text}`chance_causes` | {glue:text}`small_causes` |
#
# Does the tree decide who wins? We subtract the scores of mel-cnn from those of resnet-bigru, for the
# same draws of bands in every tree.

# %%
pair = predicted["resnet-bigru"], predicted["mel-cnn"]
gaps = genre.severity_differences(y, *pair, bands, trees, styles, **resampled)
words = "larger mistakes", "smaller mistakes", "not clearly different"
verdicts = [pick_verdict(row, *words) for _, row in gaps.iterrows()]
gaps["resnet-bigru has"] = verdicts

# %% tags=["hide-input"]
show_table(
    gaps.set_index(["tree", "score"]),
    "severity-differences",
    "Score of resnet-bigru minus that of mel-cnn, with 95% intervals over bands.",
    simulated=False,
)
by_tree = gaps[gaps["score"] == "mistake severity"]
n_verdicts = by_tree["resnet-bigru has"].nunique()
signs = np.sign(by_tree["estimate"]).nunique()
same_verdict = "The verdict is the same in all three trees"
same_sign = "and the estimates have the same sign"
other_sign = (
    "but the estimates differ in sign, so that a report without intervals could choose its winner "
    "by choosing a tree"
)
report_texts(
    tree_word=same_verdict if n_verdicts == 1 else "The verdict depends on the tree",
    sign_word=same_sign if signs == 1 else other_sign,
)

# %% [markdown]
# {glue:text}`tree_word`, {glue:text}`sign_word` ({numref}`tab-severity-differences`). Name the tree
# with the score, and say where it is from.
#
# ## A medley, moment by moment
#
# A song has one label, a set by a disc jockey has many. We play excerpts of five test songs in a row,
# of random lengths, and let the network listen through a window of three seconds that moves by half a
# second. Where does it notice the change?

# %%
trained = partial(genre.train_network, clips=clips, split=split)
settings = replace(SETTINGS, epochs=epochs, seed=seed)
network = trained("resnet-bigru", settings=settings)
sr = MEL_SETTINGS["sr"]
sliding = {**MEL_SETTINGS, "hop_seconds": 0.5}
heard = corpus.songs[corpus.songs["artist"].isin(bands)]


# %%
def draw_medley(number):
    rng = np.random.default_rng([seed, number])
    shuffled = heard.sample(frac=1, random_state=number)
    songs = shuffled.drop_duplicates("style")[:5]
    lengths = (rng.uniform(0.45, 0.95, 5) * song_seconds * sr).astype(int)
    parts = [load_audio(corpus.path(s), sr)[0] for s in songs["song_id"]]
    parts = [part[:length] for part, length in zip(parts, lengths)]
    return *genre.join_signals(parts, sr), songs["style"].tolist()


# %%
def follow(signal, n_changes):
    course = network.predict(clip_mels(signal, **sliding)[0])
    times = 1.5 + 0.5 * np.arange(len(course))  # middle of each window
    return course, times, genre.find_changes(course, times, n_changes)


# %%
rows = []
for number in range(n_medleys):
    signal, true, played = draw_medley(number)
    course, times, found = follow(signal, len(true))
    guess = np.random.default_rng(number).uniform(*times[[0, -1]], len(true))
    rows.append({
        "network": genre.boundary_scores(found, true)["F"],
        "random moments": genre.boundary_scores(guess, true)["F"],
    })  # fmt: skip
medleys = pd.DataFrame(rows)
audio_player({f"a medley: {', '.join(played)}": (signal, sr)}, max_seconds=60)

# %% tags=["hide-input"]
show_figure(
    figures.plot_medley(course, times, styles, true, found, played),
    "medley",
    "What resnet-bigru makes of a medley: probability of each style over time. The true styles are "
    "above; solid lines are the true changes, dashed ones those that were found.",
    "Stacked bands of colour over a minute. One colour fills most of the height for several seconds, "
    "then another; dashed lines lie on or near most of the solid lines.",
    simulated=False,
)
mean_f = genre.mean_intervals(medleys, range(n_medleys), **resampled)
effects = dict(zip(["medley_f", "medley_random"], mean_f.to_dict("records")))
report_effects(effects, n_medleys, tolerance=0.2)
report_counts(n_medleys=n_medleys)

# %% [markdown]
# The changes are cut where the course of probabilities splits into the most even pieces; the number
# of changes was given. A change counts as found within 1.5 seconds, half a window. Over
# {glue:text}`n_medleys` medleys, the F score is {glue:text}`medley_f_full`, and that of random moments
# {glue:text}`medley_random_full`. A window that holds two songs is neither: between two styles the
# network may name a third, which no moment of the sound supports.
#
# ### How long must one listen?
#
# The same network hears one second, three, six or twelve. Songs are cut into clips without gaps.
# For one second, clips are shortened; longer pieces are answered by the mean of the log
# probabilities of their clips.

# %%
seamless = {**MEL_SETTINGS, "hop_seconds": 3.0}
gapless = genre.log_mels(corpus, **seamless, n_jobs=n_jobs)
rows = np.flatnonzero(np.isin(gapless.table["artist"], bands))
cut, facts = gapless.X[rows], gapless.table.iloc[rows]


# %%
def answer(seconds):
    n_frames = 94 * min(seconds, 3) // 3
    log_p = np.log(network.predict(cut[:, :, :n_frames]) + 1e-9)
    piece = (facts["start"] // max(seconds, 3)).astype(int).astype(str)
    groups = pd.DataFrame(log_p, columns=styles).groupby(
        [facts["artist"].to_numpy(), facts["style"].to_numpy(),
         (facts["song_id"] + piece).to_numpy()]
    )  # fmt: skip
    means = groups.mean()
    right = means.idxmax(axis=1) == means.index.get_level_values(1)
    band = means.index.get_level_values(0)
    return genre.mean_intervals(right.to_frame("right"), band, **resampled)


# %%
lengths = [length for length in (1, 3, 6, 12) if length <= song_seconds]
context = pd.concat([answer(s).assign(seconds=s) for s in lengths])
context = context.set_index("seconds")[["estimate", "low", "high"]]

# %% tags=["hide-input"]
show_table(
    context,
    "context",
    "Share of pieces named correctly by their length in seconds, with 95% intervals over bands.",
    simulated=False,
)
ends = {"context_short": context.iloc[0], "context_long": context.iloc[-1]}
report_effects(ends, scale=100, fmt=".0f", unit="%", tolerance=8)
report_value("longest", lengths[-1], fmt=".0f", unit=" seconds")

# %% [markdown]
# With one second, {glue:text}`context_short_full` of the pieces are named correctly; with
# {glue:text}`longest`, {glue:text}`context_long_full`. (The network was trained on three seconds, so one
# second is also unfamiliar to it.) A second holds timbre and about two beats, but no pattern. This
# test cannot separate the two reasons.
#
# ## Does an explanation tell the truth?
#
# Which cells of the spectrogram made the network say “funk”? Two methods are common.
# **Integrated gradients** {cite}`sundararajan2017` raise the input x from silence x′ to what it is and
# add up the gradients on the way:
#
# $$ e_i = (x_i - x'_i) \int_0^1 \frac{\partial f(x' + t (x - x'))}{\partial x_i} \, dt $$
#
# **Occlusion** hides a patch and measures how much the logit falls. Library: `captum`. Both are
# compared with explanations that cannot be right: *random* numbers; the *edges* of the spectrogram,
# which know nothing of the network; and integrated gradients of an *untrained* network, which know
# nothing of styles. The network here is mel-cnn.

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
# For real recordings nobody knows the truth, so the network is asked again. Let p be the probability
# of the named style, p₊ that with only the first 20% of the cells, and p₋ that without them:
#
# - **AI**, average increase: the share of clips with p₊ > p;
# - **AD**, average drop: the mean of max(0, p − p₊) / p, better when low;
# - **AG**, average gain: the mean of max(0, p₊ − p) / (1 − p);
# - **FF**, faithfulness: the mean of p − p₋;
# - **Fid-In**: the share of clips that are still named the same with these cells alone.
#
# *Deletion* hides the first cells of an explanation, step by step, and *insertion* shows them
# ({numref}`fig-hide-and-show`).

# %%
score = partial(genre.faithfulness, cnn.network, X, **silence)
faith = pd.DataFrame({name: score(e) for name, e in maps.items()})
faith = faith.T.rename_axis("explanation")
hide = partial(genre.hide_and_show, cnn.network, X, target, **silence)
steps = {name: hide(explanation=e) for name, e in maps.items()}
areas = {k: v[["deletion", "insertion"]].mean() for k, v in steps.items()}
areas = pd.DataFrame(areas).T

# %% tags=["hide-input"]
show_table(
    faith.join(areas.rename_axis("explanation")),
    "faithfulness",
    f"Faithfulness of explanations of {len(X)} clips, with the first 20% of the cells as "
    "explanation; the last two columns are areas under curves. Better when lower: AD, deletion.",
    simulated=False,
)
report_value("ff_random", faith.loc["random", "FF"], tolerance=0.2)
report_value("ff_highest", faith["FF"].max(), tolerance=0.2)
report_texts(ff_best=faith["FF"].idxmax())
both = pd.concat(v.assign(explanation=k) for k, v in steps.items())
show_figure(
    figures.plot_hide_and_show(both),
    "hide-and-show",
    f"Mean probability of the named style in {len(X)} clips, by the share of cells that are hidden "
    "(left) or shown (right), in the order of each explanation.",
    "Two panels with five curves each. Left, most fall steeply at the beginning. Right, that of "
    "integrated gradients rises first, the others late.",
    table=both,
    simulated=False,
)

# %% [markdown]
# These scores have a weakness. A spectrogram with holes is not a sound that the network has ever
# heard, so part of what they measure is surprise: hiding *random* cells gives an FF of
# {glue:text}`ff_random`, and the highest is {glue:text}`ff_highest`.
#
# ### A truth that recordings do not have
#
# We rendered the songs, so we can render them again and ask better questions.
#
# 1. **The right stem.** Take the drums out of the mix, really, and see how much the logit falls; do
#    the same with bass, vocals and the rest. This is an experiment, and its result is a truth about
#    the network. An explanation is right about a clip if the stem on which most of it lies is the
#    one whose absence hurts most. A blind choice is right once in four times. But the drums hurt most
#    for many clips, so a choice that always names the drums is the baseline to beat.
# 2. **The planted horse.** A *horse* (after Clever Hans) is right for a wrong reason. The last chapter
#    trained one on songs of which half the styles have
#    a tone of 12 Hz. The true cells are the lowest mel band, where the tone is. Its presence can speak
#    for a style and its absence for another, so cells are ranked by absolute values. The *AUC* is the
#    probability that a true cell is ranked above another one; guessing gives 0.5. One more control:
#    the same network, trained *without* the tone. (Spectrograms are relative to their loudest cell,
#    so a loud tone also lowers all other cells. This part of the cue has no place, and limits what
#    any explanation can reach.)

# %%
songs = clips.table["song_id"].iloc[chosen].unique()
rendering = {"seconds": song_seconds, "n_jobs": n_jobs}
again = genre.make_stem_clips(corpus, songs, **rendering)
order = clips.table["song_id"].isin(songs).to_numpy().nonzero()[0]
rows = pd.Index(order).get_indexer(chosen)
shares, without = again.shares()[:, rows], again.without[:, rows]


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
right_stem["always drums"] = hurts_most == again.stems.index("drums")

# %%
levels = chapter.load_table("genre_tone")["tone_db"].to_dict()
turntable = partial(planted_cues.add_rumble, levels=levels)
planted = genre.log_mels(corpus, change=turntable, n_jobs=n_jobs)
horse = genre.train_network("mel-cnn", planted, split, settings)
X_planted = planted.X[chosen]
cue = np.zeros(X.shape[1:], dtype=bool)
cue[0] = True  # the lowest mel band
answers = horse.predict(X_planted).argmax(axis=1)
horse_maps = explain_both(horse.network, X_planted, answers)
relies = {
    way: (horse.predict(heard_as.X[test]).argmax(axis=1) == y).mean()
    for way, heard_as in {"planted": planted, "removed": clips}.items()
}

# %%
heard_tone = {
    k: genre.truth_scores(np.abs(e), cue)["auc"] for k, e in horse_maps.items()
}
honest = genre.truth_scores(np.abs(maps["occlusion"]), cue)["auc"]
heard_tone["occlusion, no tone planted"] = honest
who = clips.table["artist"].to_numpy()[chosen]
truths = pd.concat([
    genre.mean_intervals(pd.DataFrame(right_stem), who, **resampled)
    .assign(question="names the right stem"),
    genre.mean_intervals(pd.DataFrame(heard_tone), who, **resampled)
    .assign(question="finds the planted tone (AUC)"),
])  # fmt: skip

# %% tags=["hide-input"]
guessing = pd.DataFrame(
    {
        "question": truths["question"].unique(),
        "low": [0.245, 0.495],
        "high": [0.255, 0.505],
    }
)
show_figure(
    figures.plot_forest(
        truths,
        label="score",
        panel="question",
        xlabel="Share, or AUC",
        reference=None,
        bands=guessing,
        band_label="guessing",
    ),
    "explanation-truth",
    f"Explanations of {len(X)} clips compared with two truths, with 95% intervals over bands.",
    "Two panels with a row per explanation, with intervals, and a band for guessing.",
    table=truths,
    simulated=False,
)
truth = truths.set_index(["question", "score"])
reported = {
    "integrated gradients": "ig",
    "occlusion": "occlusion",
    "edges": "edges",
    "untrained": "untrained",
    "always drums": "drums",
    "occlusion, no tone planted": "honest",
}
tone = truth.loc["finds the planted tone (AUC)", "estimate"]
shares_right = {f"horse_{way}": share for way, share in relies.items()}
report_percentages(shares_right, tolerance=12)
report_texts(cue_best=tone.drop("occlusion, no tone planted").idxmax())
better = "yes", "no, worse than guessing", "unclear"
keys = {"names the right stem": "stem", "finds the planted tone (AUC)": "horse"}
for (question, name), row in truth.drop("random", level="score").iterrows():
    key = f"{keys[question]}_{reported[name]}"
    chance = 0.25 if keys[question] == "stem" else 0.5
    report_effects({key: row}, tolerance=0.2)
    verdict = pick_verdict(row[["low", "high"]] - chance, *better)
    report_texts(**{f"{key}_verdict": verdict})
ahead = pd.DataFrame({
    name: 1.0 * right_stem[name] - right_stem["always drums"] for name in METHODS[:2]
})  # fmt: skip
ahead = genre.mean_intervals(ahead, who, **resampled).to_dict("records")
words = "better", "worse", "not clearly better or worse"
for key, row in zip(("ig_ahead", "occlusion_ahead"), ahead):
    report_effects({key: row}, scale=100, fmt="+.0f", unit=" points", tolerance=20)
    report_texts(**{f"{key}_verdict": pick_verdict(row, *words)})

example = int(np.argmax([q.max() for q in cnn.predict(X)]))
show_figure(
    figures.plot_explanations(
        X[example],
        {
            name: maps[name][example]
            for name in ("integrated gradients", "occlusion", "edges")
        },
        truth=shares[again.stems.index("drums"), example] > 0.5,
    ),
    "explanation-maps",
    f"A clip that was named {styles[target[example]]}, and three explanations: red speaks for the "
    "style, blue against it. Outlined: cells in which the drums are louder than all other stems "
    "together.",
    "Four spectrogram-shaped panels. Integrated gradients are fine-grained, occlusion shows smooth "
    "patches, edges follow the strokes.",
    simulated=False,
)

# %% [markdown]
# | better than guessing? | the right stem | | the planted tone | |
# |:--|--:|:--|--:|:--|
# | integrated gradients | {glue:text}`stem_ig` | {glue:text}`stem_ig_verdict` | {glue:text}`horse_ig` | {glue:text}`horse_ig_verdict` |
# | occlusion | {glue:text}`stem_occlusion` | {glue:text}`stem_occlusion_verdict` | {glue:text}`horse_occlusion` | {glue:text}`horse_occlusion_verdict` |
# | edges | {glue:text}`stem_edges` | {glue:text}`stem_edges_verdict` | {glue:text}`horse_edges` | {glue:text}`horse_edges_verdict` |
# | untrained | {glue:text}`stem_untrained` | {glue:text}`stem_untrained_verdict` | {glue:text}`horse_untrained` | {glue:text}`horse_untrained_verdict` |
# | always drums | {glue:text}`stem_drums` | {glue:text}`stem_drums_verdict` | | |
# | occlusion, no tone planted | | | {glue:text}`horse_honest` | {glue:text}`horse_honest_verdict` |
#
# Look at the baselines first. Where edges or an untrained network are better than guessing, a part of
# any explanation's score comes from the sound alone: what is loud, or low, or changes, is pointed at
# whatever the network has learnt. Always naming the drums, without any look at the network, is right in
# a share of {glue:text}`stem_drums` of clips. Edge detection mostly names the drums as well, because the
# edges of a spectrogram are drum strokes.
# Compared with always naming the drums, integrated gradients are
# {glue:text}`ig_ahead_verdict` ({glue:text}`ig_ahead_full`), and occlusion is
# {glue:text}`occlusion_ahead_verdict` ({glue:text}`occlusion_ahead_full`). Only the distance to the
# baselines is about the network.
#
# Does the network rely on the tone? It names {glue:text}`horse_planted` of the test clips with the tone
# and {glue:text}`horse_removed` without it. Occlusion ranks the
# lowest band with an AUC of {glue:text}`horse_occlusion`; for a network that never heard the tone, it is
# {glue:text}`horse_honest`. Only a value above the second would show that the tone was found.
# Integrated gradients add up what happens on the whole way from silence to the clip, and
# what the tone says for one style and against another may cancel. An exercise tries another start.
#
# Faithfulness and truth are different questions. By FF, the highest score is that of
# {glue:text}`ff_best`; {glue:text}`cue_best` ranks the planted tone highest. Small differences in either
# are not a ranking of methods. Only rendered songs can ask the second question.
#
# ### Where are the onsets?
#
# A listener who names a rhythm attends to strokes. How much of what speaks for the style lies in the
# frames in which a drum is struck, and the frame after? With no preference it would be the share of
# such frames.

# %%
struck = again.onsets[again.stems.index("drums")][rows]
struck = struck | np.roll(struck, 1, axis=1)
excess = pd.DataFrame()
for name in ("integrated gradients", "untrained"):
    onset = genre.truth_scores(maps[name], struck[:, None])
    excess[name] = onset["mass"] - onset["chance"]
excess["learnt"] = excess["integrated gradients"] - excess["untrained"]
has_drums = excess.notna().all(axis=1).to_numpy()
on_drums = genre.mean_intervals(excess[has_drums], who[has_drums], **resampled)

# %% tags=["hide-input"]
keys = ["onset_excess", "onset_untrained", "onset_learnt"]
effects = dict(zip(keys, on_drums.to_dict("records")))
form = {"scale": 100, "fmt": "+.1f", "unit": " points", "tolerance": 6}
report_effects(effects, int(has_drums.sum()), **form)
words = "more", "less", "not clearly more or less"
report_texts(onset_verdict=pick_verdict(effects["onset_excess"], *words))
report_texts(learnt_verdict=pick_verdict(effects["onset_learnt"], *words))

# %% [markdown]
# Compared with the share of such frames, {glue:text}`onset_verdict` of the explanation lies there
# ({glue:text}`onset_excess_full`). But strokes are loud, and a path from silence gives loud cells more
# weight in any network: in the untrained one, it is {glue:text}`onset_untrained_full`. The trained
# network has {glue:text}`learnt_verdict` of it on strokes than the untrained one
# ({glue:text}`onset_learnt_full`). And a stroke is also a timbre.
#
# ### Does it depend on what was learnt?
#
# A last check {cite}`adebayo2018` destroys the network, layer by layer from the output down, by
# shuffling its weights. An explanation of what was learnt must change.


# %%
def explain_few(network):
    maps = genre.explain_all(
        network, X[:8], target[:8], METHODS[:1], steps=8, **silence
    )
    return maps["integrated gradients"]


original = explain_few(cnn.network)
cascade = pd.Series({
    layer: genre.rank_similarity(original, explain_few(shuffled)).mean()
    for layer, shuffled in genre.shuffled_layers(cnn.network, X, seed)
})  # fmt: skip

# %% tags=["hide-input"]
report_value("cascade_first", cascade.iloc[0], tolerance=0.4)
report_value("cascade_last", cascade.iloc[-1], tolerance=0.4)
report_counts(n_layers=len(cascade))

# %% [markdown]
# With the last layer shuffled, the rank correlation with the original explanation is
# {glue:text}`cascade_first`; with all {glue:text}`n_layers` layers shuffled, it is
# {glue:text}`cascade_last`. Edges would stay at 1.
#
# ### Listen to an explanation
#
# Keep the cells that speak most for the style, smooth the mask a little, and play them with the
# phase of the mix.

# %%
song = clips.table.iloc[chosen[example]]
begin = int(song["start"] * sr)
mix = load_audio(corpus.path(song["song_id"]), sr)[0][begin : begin + 3 * sr]
settings_of_mel = {"sr": sr, "n_fft": MEL_SETTINGS["n_fft"]}
settings_of_mel["hop_length"] = MEL_SETTINGS["hop_length"]
mask = genre.keep_top(maps["occlusion"][[example]], 0.2)[0].astype(float)
kept = genre.masked_sound(mix, mask, **settings_of_mel)
rest = genre.masked_sound(mix, 1 - mask, **settings_of_mel)
audio_player({
    "the clip": (mix, sr),
    "a fifth of its cells: what speaks for the style": (kept, sr),
    "all the rest": (rest, sr),
})  # fmt: skip

# %% [markdown]
# ## Learning without labels
#
# Labels are scarce, and somebody has to agree on them. *Contrastive* learning needs none
# {cite}`chen2020`. Take two **views** of each song, embed them, and train the network to find each
# view's partner among all views of the batch. With zᵢ and zⱼ a pair, sim the cosine and τ = 0.5,
#
# $$ L = -\log \frac{\exp(\operatorname{sim}(z_i, z_j) / \tau)}
# {\sum_{k \neq i} \exp(\operatorname{sim}(z_i, z_k) / \tau)} $$
#
# The network learns what the views have in common, and to ignore what they do not. So the choice of
# views *is* the question:
#
# - **moments**: two clips of one song. They share instruments, mix and tempo.
# - **moments, stretched**: the same, but each clip is played faster or slower by up to 40%. They share
#   no tempo any more.
# - **stems**: clips of drums with bass, or of all other stems. They share tempo and harmony, but
#   hardly any instrument {cite}`garoufis2023`.

# %%
names = np.sort(known.groupby("artist")["song_id"].first())
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
# Is it useful? A linear {term}`probe`, logistic regression on the frozen features, gets the labels of a few
# bands per style. For comparison: the same network with random weights; the features of the network that was
# trained on the labels of *all* bands, for reference; and mel-cnn trained from nothing on the same few
# labels.

# %%
features = {k: m.embed(clips.X) for k, m in zip(recipes, pretrained)}
features["random weights"] = genre.TrainedNetwork(untrained).embed(clips.X)
features["supervised, all labels"] = cnn.embed(clips.X)
artists = clips.table["artist"].to_numpy()
labels = {"y": clips.y, "bands": artists, "train": unlabelled, "test": test}
label_curve = partial(genre.label_curve, **labels, n_draws=3, seed=seed)
curves = [
    label_curve(f, n_bands=label_counts, cache=cache).assign(features=name)
    for name, f in features.items()
]

# %%
train_bands = clips.table.iloc[split["train"]].groupby("style")["artist"]


def from_nothing(count, draw, cache):
    rng = np.random.default_rng([seed, draw])
    names = [rng.permutation(n)[:count] for n in train_bands.unique()]
    few = np.isin(artists[split["train"]], np.concatenate(names))
    once = {**split, "train": split["train"][few]}
    model = trained("mel-cnn", split=once, settings=settings, cache=cache)
    right = model.predict(clips.X[test]).argmax(axis=1) == y
    return {"bands": count, "draw": draw, "accuracy": right.mean()}


# %%
numbers = [n for n in label_counts if n <= train_bands.nunique().min()]
jobs = [delayed(from_nothing)(n, d) for n in numbers for d in range(2)]
scratch = run(jobs)
curves.append(pd.DataFrame(scratch).assign(features="from nothing"))
curve = pd.concat(curves, ignore_index=True)

# %% tags=["hide-input"]
show_figure(
    figures.plot_label_curves(
        curve, "bands", "Labelled bands per style", 1 / len(styles), ("pi", 100)
    ),
    "few-labels",
    "Accuracy on bands that were not heard, by number of labelled bands per style: mean and range "
    "over draws of these bands. Grey line: guessing.",
    "Six curves that rise with the number of labels: that of supervised features is flat and high, "
    "the others start lower.",
    table=curve,
    simulated=False,
)
middle = label_counts[min(1, len(label_counts) - 1)]
at = curve[curve["bands"] == middle].groupby("features")["accuracy"].mean()
report_counts(few_bands=middle)
keys = {
    "few_moments": "moments",
    "few_stretched": "moments, stretched",
    "few_stems": "stems",
    "few_random": "random weights",
    "few_nothing": "from nothing",
}
report_percentages({key: at[name] for key, name in keys.items()}, tolerance=10)

# %% [markdown]
# With {glue:text}`few_bands` labelled bands per style, the probe gets {glue:text}`few_moments` on
# moments, {glue:text}`few_stretched` on stretched moments, {glue:text}`few_stems` on stems, and
# {glue:text}`few_random` on random weights; training from nothing gets {glue:text}`few_nothing`, with as many epochs
# and therefore few steps. With two or three draws, small differences are not reliable.
#
# ### What did it learn to ignore?
#
# Now the causes of groove. A ridge probe predicts each song's tempo, density, syncopation, swing and
# microtiming from the features, with whole bands held out, as in {doc}`06-probing`. Styles differ in
# all of these, so we look *within* styles: does the network know which of two funk songs is faster?

# %%
rhythm = [
    "tempo", "event_density", "syncopation", "swing_ratio", "microtiming_ms",
]  # fmt: skip
per_song = clips.table.groupby("song_id", sort=False).first()
by_song = clips.table["song_id"].to_numpy()
song_features = {
    name: pd.DataFrame(f).groupby(by_song, sort=False).mean().to_numpy()
    for name, f in features.items()
}
songs = per_song[rhythm], *per_song[["artist", "style"]].to_numpy().T
once = probe.Protocol(n_repeats=1, seed=seed)
heard_causes = probe.nested_ridges(song_features, *songs, once, n_jobs=n_jobs)

# %%
within = pd.concat(
    probe.style_scores(result, **resampled).assign(features=name)
    for name, result in heard_causes.items()
)
within = within[within["part"] == "within"]
deaf = probe.compare_models(
    {k: heard_causes[k] for k in ("moments", "moments, stretched")}, **resampled
).set_index("target")

# %% tags=["hide-input"]
grid = within.pivot(index="features", columns="target", values="r2")
show_table(
    grid.loc[list(features), rhythm],
    "heard-causes",
    f"Out-of-fold R² within styles, for facts of {len(per_song)} songs, by features. 0 is no better "
    "than the mean of the training songs.",
    simulated=False,
)
tempo = within[within["target"] == "tempo"].set_index("features")
keys = {
    "tempo_moments": "moments",
    "tempo_stretched": "moments, stretched",
    "tempo_stems": "stems",
    "tempo_random": "random weights",
    "tempo_supervised": "supervised, all labels",
}
effects = {key: tempo.loc[name] for key, name in keys.items()}
report_effects(effects, value="r2", tolerance=0.2)
n_heard = len(per_song)
report_effects({"deaf": deaf.loc["tempo"]}, n_heard, value="difference", tolerance=0.15)
report_counts(n_rhythm_songs=n_heard)
to_lose = "Without stretching, it does tell tempi within styles, so that there was something to lose"
nothing_to_lose = (
    "Without stretching, it already shows no clear trace of tempo within styles, so that there was "
    "little to lose"
)
report_texts(
    to_lose=pick_verdict(
        tempo.loc["moments"], to_lose, nothing_to_lose, nothing_to_lose
    ),
    deaf_verdict=pick_verdict(
        deaf.loc["tempo"],
        "costs tempo",
        "helps tempo",
        "makes no clear difference to tempo",
    ),
)

# %% [markdown]
# For tempo within styles, over {glue:text}`n_rhythm_songs` songs, with 95% intervals over bands:
#
# | features | R² |
# |:--|:--|
# | moments | {glue:text}`tempo_moments_full` |
# | moments, stretched | {glue:text}`tempo_stretched_full` |
# | stems | {glue:text}`tempo_stems_full` |
# | supervised, all labels | {glue:text}`tempo_supervised_full` |
# | random weights | {glue:text}`tempo_random_full` |
#
# Stretching {glue:text}`deaf_verdict`: the difference, not only within styles, is
# {glue:text}`deaf_full`. {glue:text}`to_lose`.
#
# An augmentation decides what a network may ignore, before any data are seen. This example is too small
# to show how much. Before you probe a
# pretrained model for groove, read how it was augmented.
#
# ## Ask in words
#
# A model of text and audio names styles without any training on them: it compares a clip with
# sentences such as “a funk song”, and takes the nearest. That makes the wording a parameter. We use
# six wordings, and for groove three graded sentences, from “music without any groove” to “music with a
# strong groove”.

# %%
asked = heard.groupby("style").head(6)
sounds = {song: corpus.path(song) for song in asked["song_id"]}
codes = pd.Categorical(asked["style"], styles).codes.astype(int)
rated = ratings = None
if data.has("audio") and "groove" in data.queries:
    ratings = data.song_means("groove").dropna()
    rated = {track: data.audio_path(track) for track in ratings.index}
in_words = genre.summarise_text_model(sounds, codes, styles, rated, ratings)

# %% tags=["hide-input"]
report_texts(text_model=in_words)

# %% [markdown]
# CLAP {cite}`wu2023clap`: {glue:text}`text_model`
#
# ## Back to groove: does learning styles teach it?

# %% [markdown] tags=["needs-audio"]
# The networks become models of the catalogue like any other: {numref}`fig-genre-groove` probes them on
# the ratings of the study, with the protocol of {doc}`06-probing`, next to the pretrained ones. The
# study's songs and bands are none of those that the networks were trained on.

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
asked_before = earlier["target"].unique()
query = "groove" if "groove" in asked_before else asked_before[0]
target_ratings = pd.DataFrame({query: data.song_means(query)})
who_and_what = data.tracks["artist"].to_numpy(), data.tracks["style"].to_numpy()
embeddings = embed.embed_study(data, list(learners))
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
results = probe.nested_ridges(
    {name: e.layers for name, e in embeddings.items()},
    target_ratings, *who_and_what, protocol, n_jobs=n_jobs,
)  # fmt: skip

# %% tags=["needs-audio"]
learnt = summaries.score_table(results, **resampled).assign(kind="this chapter")
earlier = earlier[earlier["target"] == query]
earlier = earlier[earlier["kind"] != "untrained twin"]
board = pd.concat([earlier, learnt], ignore_index=True)
inside = pd.concat(
    probe.style_scores(result, **resampled).assign(model=name)
    for name, result in results.items()
)
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
    "A forest plot: pretrained models and descriptors above, the networks of this chapter below, "
    "with wide intervals.",
    table=board,
)
own = board.set_index("model")
keys = {
    "groove_genre": "genre-resnet-bigru",
    "groove_untrained": "mel-cnn-untrained",
    "groove_moments": "ssl-moments",
    "groove_stretched": "ssl-moments-stretched",
    "groove_stems": "ssl-stems",
    "groove_style": "style alone",
}
report_effects(
    {key: own.loc[name] for key, name in keys.items()}, n_songs, tolerance=0.12
)
row = inside[inside["part"] == "within"].set_index("model").loc["genre-resnet-bigru"]
report_effects({"groove_within": row}, n_songs, value="r2", tolerance=0.15)
report_effects({"groove_gain": gain}, n_songs, value="difference", tolerance=0.12)
nothing = "nothing clear"
report_texts(
    within_verdict=pick_verdict(
        row, "something beyond style", "less than nothing", nothing
    ),
    gain_verdict=pick_verdict(gain, "helps", "hurts", "makes no clear difference"),
)

# %% [markdown] tags=["needs-audio"]
# - **genre-resnet-bigru**: R² = {glue:text}`groove_genre_full`; the style's mean alone gives
#   {glue:text}`groove_style`. Within styles it is {glue:text}`groove_within_full`: about groove, the
#   features hold {glue:text}`within_verdict`.
# - **Training or architecture?** Learning styles {glue:text}`gain_verdict`, compared with the same
#   mel-cnn at random weights (R² {glue:text}`groove_untrained`): the difference is
#   {glue:text}`groove_gain_full`.
# - **Without labels**: R² is {glue:text}`groove_moments_full` for moments,
#   {glue:text}`groove_stretched_full` for stretched moments, and {glue:text}`groove_stems_full` for
#   stems.
#
# A style has a typical groove, so whatever separates styles predicts some of the ratings. The part
# within styles is the test. Listeners here are simulated from known causes, and the styles of the
# study are three of those that the network has learnt.

# %% [markdown]
# ## What could be wrong here
#
# - **What a genre label is.** A label is an agreement between people: musicians, shops, listeners,
#   and lately playlists. It changes with time and place, and listeners who know a music well divide
#   it more finely. A tree of styles is somebody's view of the world drawn as geometry; ours has
#   bossa nova next to reggae, which says more about its author than about Brazil and Jamaica.
# - **Whose culture.** Collections of genres are mostly English-language popular music. A network that
#   learns “world” as one class has learnt who made the list.
# - **What GTZAN did to the field.** For two decades, systems were compared on one collection with
#   repeated songs and wrong labels {cite}`sturm2013`. Differences of a point were published as
#   progress.
# - **What rendered styles cannot show.** Our styles have no history, no lyrics and no studio fashion.
#   Their causes are known because we wrote them. An explanation that fails here will hardly do
#   better on records; one that succeeds here may still fail there.
# - **One split, one seed** for most of this chapter. Intervals cover bands, not training.
#
# ## Exercises
#
# ```{exercise} Cheat with severity
# :label: ex-severity
#
# Change the answers of resnet-bigru so that its mistake severity in the tree by hand gets *lower*,
# while every answer stays the same or gets worse.
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
# Every right answer became the nearest wrong one. The mean over mistakes falls, and nothing is right
# any more. Distance@1 is not fooled.
#
# ```{solution-end}
# ```
#
# ```{exercise} Another silence
# :label: ex-silence
#
# Explanations compare the clip with silence. Compare it with the mean spectrogram of the training
# clips instead. How much of the integrated gradients lies on the planted tone, in multiples of what
# chance would put there?
# ```
#
# ```{solution-start} ex-silence
# :class: dropdown
# ```

# %% tags=["solution"]
average = planted.X[split["train"]].mean(axis=(0, 2))[:, None]
other = genre.explain_all(
    horse.network, X_planted, answers, METHODS[:1], baseline=average
)
for e in (horse_maps["integrated gradients"], other["integrated gradients"]):
    on_cue = genre.truth_scores(np.abs(e), cue)
    print((on_cue["mass"] / on_cue["chance"]).mean().round(2))

# %% [markdown]
# The first number compares with silence, the second with the mean. The question has changed: not
# “what is there?” but “what is unlike other music?”. For half of the styles the answer is that the
# tone is *missing*. State the baseline with every explanation.
#
# ```{solution-end}
# ```
#
# ```{exercise} Stretch further
# :label: ex-stretch-views
#
# Pretrain with `stretch=1.0` (half to double speed). What happens to tempo, and to the accuracy of a
# probe for styles?
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
far_curve = label_curve(far_features, n_bands=[middle], cache=cache)
far_curve["accuracy"].mean().round(2)

# %% [markdown]
# Compare with {numref}`tab-heard-causes`, and the accuracy with {glue:text}`few_stretched` for a stretch
# of up to 40%, from as many labelled bands. Training asks the network to ignore tempo. Where tempo is
# already near zero, stretching further has nothing left to remove.
#
# ```{solution-end}
# ```
#
# ## Summary
#
# **Asked**: what accuracy hides, and whether learning styles teaches groove. **Found**: mistakes by resnet-bigru are {glue:text}`small_hand` in
# the tree by hand; the best temperature was {glue:text}`temperature`; integrated
# gradients find the right stem in a share of {glue:text}`stem_ig` of clips, edges of the spectrogram in
# {glue:text}`stem_edges`, and always naming the drums is right in {glue:text}`stem_drums`; for a planted tone, the AUC is {glue:text}`horse_ig` for integrated gradients
# and {glue:text}`horse_occlusion` for occlusion ({glue:text}`horse_honest` where no tone was planted);
# stretching time {glue:text}`deaf_verdict`.

# %% [markdown] tags=["needs-audio"]
# **Can these networks hear the groove?** For “{glue:text}`query`”, genre-resnet-bigru predicts ratings
# with R² = {glue:text}`groove_genre_full`, and the mean of the style with
# {glue:text}`groove_style_full`. Within styles, its features hold {glue:text}`within_verdict` about it,
# and learning styles {glue:text}`gain_verdict` compared with random weights.

# %% [markdown]
# **True by construction**: stems, causes and the tone are ours. **What would change our mind**: an explanation
# that scores as well on truths as on faithfulness, and a network for styles that predicts groove
# within styles on recordings.
