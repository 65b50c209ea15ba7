# %% [markdown] tags=["without-study"]
# # Which network recognises a style, and from which cues?
#
# A listener recognises funk, reggae or techno within a few seconds. A network that recognises styles
# may rely on the rhythm section, but it may just as well rely on the sound of the band or on the
# codec of the file. In this chapter, ten classifiers learn eight styles. One of the classifiers is
# modelled on a published network that combines a residual network with a recurrent network
# {cite}`zhang2023`. We rebuild this network, find one fault in it and another in its serial variant,
# and repair the latter. Then we compare all classifiers on bands that were not in the training set.
# At the end, we show how a network can achieve a good score for the wrong reason.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** how to build, train and compare networks on spectrograms; how to read the shape of a
# tensor; how much a leak between training and test data raises the accuracy; and how to find out whether
# a network relies on the music.
#
# **You need** {doc}`03-networks`.
#
# **Run time**: {run-time}`10-genre-networks`, measured when this page was built; the first run takes
# longer, because it trains the networks. **Modules**: `groove_utils.genre`, `groove_utils.networks`,
# `groove_utils.synth`.
# ```

# %% tags=["parameters"]
study = "demo"  # a name, or a folder with a study.yml; not used on this page
seed = 2026
n_bands = 24  # bands per style
songs_per_band = 2
song_seconds = 12
n_seeds = 3  # training runs of each network, each with its own split
epochs = 8
tone_db = 6.0  # level of the planted tone, relative to the song
tempo_factor = 1.2  # songs are played faster or slower by this factor
n_folds = 5  # folds of real songs
n_bootstrap = 2000
n_jobs = 2  # processes

# %%
import inspect
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from IPython.display import Code
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from groove_utils import embed, figures, genre, networks
from groove_utils.audio import load_audio
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_counts,
    report_effects,
    report_texts,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.book.verdicts import clear_rows
from groove_utils.cache import ArrayCache
from groove_utils.genre import architectures, planted_cues
from groove_utils.probe import ClippedStandardScaler
from groove_utils.stats import join_words

chapter = open_chapter("10-genre-networks", study)
cache = ArrayCache(namespace="genre-networks")
settings = replace(genre.SETTINGS, epochs=epochs)
seeds = range(seed, seed + n_seeds)
score = partial(genre.accuracy_table, n_boot=n_bootstrap)

# %% tags=["hide-input"]
report_accuracies = partial(
    report_effects, value="accuracy", scale=100, fmt=".0f", unit="%"
)
report_gaps = partial(
    report_effects,
    value="difference",
    p="p_holm",
    scale=100,
    fmt="+.1f",
    unit=" points",
)

# %% [markdown]
# ## Eight styles and their bands
#
# Like the songs in the demo study, those in this chapter are rendered by a program. Each band has its
# own instruments, tempo, room acoustics and playing habits. The styles differ in their patterns,
# instruments, tempo, harmony and mix, but they overlap: some bands borrow from another style. Listen
# to one song per style:

# %%
size = {
    "n_bands": n_bands,
    "songs_per_band": songs_per_band,
    "seconds": song_seconds,
}
corpus = genre.rendered_corpus(**size, n_jobs=n_jobs)
chapter.save_table(pd.DataFrame([{**size, "epochs": epochs}]), "genre_settings")
first = corpus.songs.groupby("style")["song_id"].first()
audio_player({style: corpus.path(song) for style, song in first.items()})

# %% [markdown]
# Every song is cut into three-second clips, with one-second gaps between them, and every clip is
# converted to a log-mel spectrogram with 48 mel bands and one frame every 32 ms
# ({numref}`fig-genre-clips`). The spectrograms are computed once and cached.

# %%
clips = genre.log_mels(corpus, n_jobs=n_jobs)
clips.X.shape

# %% [markdown]
# The figure shows the first clip of each style:

# %%
rows = clips.table.reset_index().groupby("style")["index"].first()
examples = {style: clips.X[row] for style, row in rows.items()}

# %% tags=["hide-input"]
show_figure(
    figures.plot_clip_pictures(examples),
    "genre-clips",
    "One clip of each style as a log-mel spectrogram, in the colour map used by the published "
    "network (see below).",
    "Eight small spectrograms. Vertical stripes are drum strokes, which differ between styles in "
    "spacing and strength; bright horizontal lines are held notes.",
    simulated=False,
)

# %% [markdown]
# Three sets of clips are needed: one to train on, one to choose the best epoch, and one to test on.
# **No band is in more than one set.** Each random seed gives a different split, so many bands are
# tested in total.

# %%
splits = {s: genre.split_clips(clips.table, by="artist", seed=s) for s in seeds}
tests = np.concatenate([parts["test"] for parts in splits.values()])
n_tested = clips.table["artist"].iloc[tests].nunique()
chance = 100 / len(clips.styles)  # per cent
{name: len(rows) for name, rows in splits[seed].items()}

# %% tags=["hide-input"]
report_counts(n_clips=len(clips.X), n_songs=len(corpus.songs), bands_tested=n_tested)
report_counts(all_bands=corpus.songs["artist"].nunique())
report_value("chance", chance, fmt=".1f", unit="%", tolerance=0.1)

# %% [markdown]
# There are {glue:text}`n_clips` clips of {glue:text}`n_songs` songs by {glue:text}`all_bands` bands, and
# {glue:text}`bands_tested` of these bands are in a test set at least once. Random guessing would classify
# {glue:text}`chance` of the clips correctly.
#
# ## The published network
#
# {cite:t}`zhang2023` plots the spectrogram with the colour map *viridis*, as an image of 224 × 224
# pixels with three colour channels, and classifies this image. The network has two parallel branches:
#
# - **ResNet-18**, a {term}`residual network` {cite}`he2016`, processes the image as if it were a
#   photograph. Each block adds its result to its input, $x + f(x)$, which makes deep networks easier
#   to train. The output is averaged over all positions.
# - A **bidirectional GRU** {cite}`cho2014` (gated recurrent unit, see {doc}`03-networks`) is meant to
#   read the image frame by frame, once forwards and once backwards, in order to capture changes over
#   time.
#
# The two outputs are concatenated, and a linear layer predicts the style. We rebuilt the network,
# including its ten output classes, from the published code. (The ResNet of the published network was
# pretrained on photographs; ours starts from random weights.)

# %%
published = genre.resnet18_parallel(n_classes=10)
n_weights = networks.count_parameters(published)
n_of_gru = networks.count_parameters(published.recurrence)
n_weights, n_of_gru

# %%
picture = genre.mel_picture(clips.X[0])
x = torch.tensor(picture).permute(2, 0, 1)[None]
published.eval()(x).shape

# %% tags=["hide-input"]
report_value("published_parameters", n_weights / 1e6, unit=" million")
report_value("gru_parameters", n_of_gru / 1e6, unit=" million")

# %% [markdown]
# The network has {glue:text}`published_parameters` parameters, {glue:text}`gru_parameters` of them in
# the GRU. An image goes in, ten numbers come out, and no error is raised. Nevertheless, something is
# wrong.
#
# ### First fault: colours are read as time steps
#
# The input of a GRU is a sequence of shape (steps, numbers per step). The image has the shape (3
# colours, 224 mel bands, 224 frames). The intended sequence has one step per frame, with the 3 · 224
# = 672 numbers of that frame. The published code swaps the last two axes and cuts the result into 224
# rows of 672 numbers:
#
# ```python
# x = x.permute(0, 1, 3, 2)
# x_gru = x.contiguous().view(x.size(0), x.size(2), -1)
# ```
#
# The result has the right shape. To check whether the content is right as well, we replace each pixel
# with the number of its frame, apply the same operations, and list the frames in some of the steps:

# %%
frame = torch.arange(224).expand(3, 224, 224)  # colour, mel band, frame
rows = frame.permute(0, 2, 1).reshape(224, 672)  # as published
[row.unique().tolist() for row in rows[[0, 1, 74, 75]]]

# %% [markdown]
# Step 0 contains frames 0, 1 and 2 instead of frame 0 alone. Step 74 contains both the end of the clip
# and its beginning. Which colours do these steps contain?

# %%
colour = torch.arange(3)[:, None, None].expand(3, 224, 224)
coloured = colour.permute(0, 2, 1).reshape(224, 672)
[row.unique().tolist() for row in coloured[[0, 1, 74, 75]]]

# %% [markdown]
# The GRU reads the red channel of the whole clip, then the green channel, then the blue channel
# ({numref}`fig-reading-order`). The intended operation moves the frame axis to the front:

# %%
intended = frame.permute(2, 0, 1).reshape(224, 672)
starts = rows[:, 0].numpy(), intended[:, 0].numpy()
orders = dict(zip(["as published", "as intended"], starts))
[row.unique().tolist() for row in intended[[0, 1, 74, 75]]]

# %% tags=["hide-input"]
show_figure(
    figures.plot_reading_order(orders),
    "reading-order",
    "Number of the first frame in each step of the GRU. As published, the GRU reads the clip "
    "three times, once in each colour, with three frames per step.",
    "Two panels. Left, three steep lines from 0 to 223, one after the other. Right, one line that "
    "rises evenly from 0 to 223.",
    table=pd.DataFrame(orders),
    simulated=False,
)

# %% [markdown]
# A network can learn to work around this fault, because no values are lost. However, each step contains
# three frames, and at two points the GRU jumps from the end of the clip back to its beginning.
#
# ### Second fault: a sequence of length one
#
# The published code also contains a serial network, in which the GRU reads the output of the ResNet.
# However, the ResNet keeps its last layer, which averages over all positions:

# %%
maps = torch.randn(1, 512, 7, 7)  # channels, mel bands, frames at the end
averaged = torch.nn.AdaptiveAvgPool2d(1)(maps)
sequence = averaged.flatten(2).transpose(1, 2)
sequence.shape  # batch, steps, numbers per step

# %% [markdown]
# The sequence has only one step. No time axis is left, so the GRU acts as a dense layer with gates. As a
# test, we reverse the order of the frames in the feature maps. A GRU that reads frames should now
# receive a different input, but after averaging, the input is the same:

# %%
backwards = torch.nn.AdaptiveAvgPool2d(1)(maps.flip(3))
torch.allclose(averaged, backwards, atol=1e-6)

# %% [markdown]
# ## The repaired network and its alternatives
#
# Our serial network keeps the time axis. The first convolution halves both the number of mel bands
# and the number of frames. The residual blocks that follow shrink the *frequency axis only*. The GRU
# then reads a sequence of steps of 64 ms, and an attention layer computes a weighted sum of the
# outputs of the GRU.

# %%
Code(
    inspect.getsource(architectures.ResidualRecurrentNetwork.sequence)
    + inspect.getsource(architectures.ResidualRecurrentNetwork.features),
    language="python",
)

# %% [markdown]
# Is the repaired network better than the others? We compare all classifiers under equal conditions.
# Eight of the ten classifiers are networks with about 200,000 parameters. All eight are trained on
# the same clips, for the same number of epochs and with the same learning-rate schedule:
#
# - **mel-cnn**: four convolutions, each of which halves both axes of the spectrogram, followed by the
#   mean and the maximum over all positions.
# - **resnet**: residual blocks, followed by the mean over all positions.
# - **bigru**: a GRU that reads the spectrogram itself in both directions.
# - **resnet-bigru**: the repaired serial network.
# - **resnet-bigru-pooled**: the serial network with the published fault, a sequence of length one.
# - **resnet-bigru-parallel**: the parallel network with the published fault, on colour images.
# - **crnn**: convolutions, followed by a GRU in one direction, after {cite:t}`choi2017crnn`.
# - **transformer**: patches of the spectrogram that attend to each other, after {cite:t}`gong2021`.

# %%
shape = {"n_mels": clips.X.shape[1], "n_frames": clips.X.shape[2]}
sizes = genre.network_sizes(genre.NETWORKS, len(clips.styles), **shape)

# %% tags=["hide-input"]
show_table(
    sizes,
    "genre-sizes",
    "Number of parameters of each network, and amount of computation per clip.",
    fmt="{:.1f}",
    simulated=False,
)

# %% [markdown]
# ## Training
#
# We use the training loop of {doc}`03-networks` with AdamW, a learning rate that rises once and then
# falls again, following a cosine curve, and batches of 32 clips. In training, a range of mel bands
# and a range of frames of each clip are masked {cite}`park2019`, and pairs of clips are mixed,
# together with their labels {cite}`zhang2018`. After each epoch, the network classifies the
# *validation* clips, which come from bands outside the training set. We keep the weights of the epoch
# with the lowest validation loss. (This is a form of {term}`early stopping`. Training also ends if
# the validation loss has not reached a new minimum for eight epochs, but this cannot happen with the
# default number of epochs.)
#
# Training can be interrupted at any time: it resumes after the last complete epoch and leads to
# exactly the same weights as training without interruption. On another type of processor, however,
# the same seed leads to different weights, because training amplifies differences in rounding. The
# numbers in this chapter and the next, and verdicts on differences that are barely clear, may then
# change. On a GPU, the same loop uses half precision, and `torchrun` can distribute it over several
# GPUs.

# %%
predictions, histories = genre.train_networks(
    genre.NETWORKS, clips, splits, settings, n_jobs=n_jobs
)

# %% tags=["hide-input"]
show_figure(
    figures.plot_training(histories),
    "genre-training",
    "Loss by epoch, on training clips (masked and mixed) and on validation clips by other bands: "
    "mean and range over seeds.",
    "Eight panels of falling curves. The validation loss falls with the training loss, in some "
    "networks after a bump, and ends near or below it; it falls least for the transformer.",
    table=histories,
    simulated=False,
)

# %% [markdown]
# The other two classifiers learn no features from our clips:
#
# - **tagger + linear**: logistic regression on the penultimate layer of MusiCNN, which was trained on the
#   Million Song Dataset {cite}`pons2019` and is kept frozen.
# - **handcrafted + boosting**: boosted trees on 95 features per clip, which describe 20 cepstral
#   coefficients (mean, spread and change between frames), rises in level, and the autocorrelation of
#   these rises.

# %%
sounds = genre.clip_sources(corpus, clips.table)
tagger = embed.embed_tracks(sounds, "msd-musicnn", progress=False)
handcrafted = genre.spectrogram_statistics(clips.X)

# %%
linear = make_pipeline(
    ClippedStandardScaler(), LogisticRegression(C=0.01, max_iter=500)
)
boosting = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.15)
others = {
    "tagger + linear": (tagger.layers["penultimate"], linear),
    "handcrafted + boosting": (handcrafted, boosting),
}
fits = [
    genre.classify_features(name, X, clips, splits, model)
    for name, (X, model) in others.items()
]
predictions = pd.concat([predictions, *fits], ignore_index=True)
chapter.save_table(predictions, "genre_predictions")
chapter.save_table(tagger.frame("penultimate"), "genre_tagger")

# %% [markdown]
# ## Which classifier is most accurate?
#
# Accuracy is the share of test clips that are classified correctly. For the intervals, we resample
# *bands*, each with all of its clips and all seeds. The intervals therefore generalise to other bands,
# but not beyond these {glue:text}`n_seeds` training runs of each network. The rings in
# {numref}`fig-genre-accuracy` show how much the training runs differ: each ring stands for one seed,
# with its own split and initial weights.

# %%
accuracies = score(predictions)
rows = accuracies.set_index("network")
shares = genre.accuracy_by_seed(predictions)
seed_range = 100 * (shares.max(axis=1) - shares.min(axis=1)).max()

# %% tags=["hide-input"]
show_figure(
    figures.plot_accuracies(accuracies, "network", chance, shares),
    "genre-accuracy",
    "Accuracy on bands that were not used in training, with 95% intervals over bands. Rings: single "
    "training runs. The line marks random guessing.",
    "Ten rows with dots, rings and intervals, all far to the right of the line for guessing; several "
    "intervals overlap, and the rings of some networks are as far apart as their intervals are wide.",
    table=accuracies,
    simulated=False,
)
named = ["resnet-bigru", "resnet-bigru-parallel", "resnet", *others]
report_accuracies(rows.loc[named], n_tested, prefix="accuracy_", tolerance=6)
report_counts(n_seeds=n_seeds, agree=2 ** (n_seeds - 1))
report_value("seeds_apart", seed_range, fmt=".0f", tolerance=6)

# %% [markdown]
# Is the classifier with the highest accuracy clearly better than the others?

# %%
ranked = rows.sort_values("accuracy", ascending=False)
top, *rest = ranked.index
comparisons = {name: (top, name) for name in rest}
leads = genre.accuracy_differences(predictions, comparisons)
behind = clear_rows(leads, value="difference")["second"]
close = ranked.index[1 : (ranked["accuracy"] >= ranked["low"].iloc[0]).sum()]

# %% tags=["hide-input"]
ends = {"highest": ranked.iloc[0], "lowest": ranked.iloc[-1]}
report_accuracies(ends, n_tested, tolerance=6)
report_counts(n_classifiers=len(rows), n_rest=len(rest))
report_value("n_near", len(close), fmt=".0f", tolerance=4)
report_texts(varies=True, top=top, bottom=rest[-1], near=join_words(close))
words = "none is clearly the most accurate", f"{top} is the most accurate"
most_accurate = words[len(behind) == len(rest)]
report_texts(
    varies=True, clearly_behind=join_words(behind), most_accurate=most_accurate
)

# %% [markdown]
# Of {glue:text}`n_classifiers` classifiers, {glue:text}`most_accurate`. The highest accuracy is
# {glue:text}`highest_full`, reached by {glue:text}`top`; n is the number of bands. The accuracies of
# {glue:text}`n_near` other classifiers lie within the 95% interval of this accuracy:
# {glue:text}`near`. The lowest accuracy is {glue:text}`lowest_full`, reached by {glue:text}`bottom`.
# We compare {glue:text}`top` with each of the {glue:text}`n_rest` other classifiers, taking into
# account the variation over bands and over training runs, and correct the p-values for the number of
# comparisons. The following are clearly less accurate than {glue:text}`top`:
# {glue:text}`clearly_behind`.
#
# The repaired serial network classifies {glue:text}`accuracy_resnet-bigru_full` of the clips
# correctly. The parallel network, rebuilt at the same size and with its fault, reaches an accuracy of
# {glue:text}`accuracy_resnet-bigru-parallel_full`, and the ResNet alone
# {glue:text}`accuracy_resnet_full`. For the frozen tagger with a linear layer, accuracy is
# {glue:text}`accuracy_tagger_linear_full`, and boosted trees on handcrafted features
# {glue:text}`accuracy_handcrafted_boosting_full`.
#
# The accuracies of two training runs of the same network differ by up to {glue:text}`seeds_apart`
# percentage points, because the runs differ in their test bands, in their training bands and in the
# randomness of training. A difference between two networks may therefore be due to chance variation
# between training runs. On the other hand, both networks use the same split for each seed, and
# difficult bands are difficult for both. We therefore subtract one accuracy from the other, and
# compute an interval for this difference that takes into account the variation over both bands *and*
# seeds. The variance over bands and the variance over seeds are added {cite}`cameron2011`. With
# {glue:text}`n_seeds` seeds, the variance over seeds is itself poorly known: if the training runs
# happen to agree, the interval is too narrow. The p-values of the four comparisons in the table below
# are corrected by Holm's method.

# %%
pairs = {
    "gap_repaired": ("resnet-bigru", "resnet-bigru-parallel"),
    "gap_steps": ("resnet-bigru", "resnet-bigru-pooled"),
    "gap_recurrence": ("resnet-bigru", "resnet"),
    "gap_pretraining": ("resnet-bigru", "tagger + linear"),
}
gaps = genre.accuracy_differences(predictions, pairs)
per_seed = shares.loc[gaps["first"]].to_numpy() - shares.loc[gaps["second"]]
per_seed = (100 * per_seed).add_prefix("seed ")

# %% tags=["hide-input"]
show_table(
    per_seed.assign(p_holm=gaps["p_holm"].to_numpy()).rename_axis("resnet-bigru minus"),
    "genre-gaps",
    "Difference in accuracy in each training run, in percentage points. p accounts for variation "
    "over bands and training runs, and is Holm-corrected for four comparisons.",
    fmt="{:+.0f}",
    simulated=False,
)
words = "better", "worse", "not clearly different"
report_gaps(gaps, "n_bands", words=words, tolerance=6)

# %% [markdown]
# | resnet-bigru compared with | difference | the repaired network is |
# |:--|:--|:--|
# | resnet-bigru-parallel, with the published fault | {glue:text}`gap_repaired_full` | {glue:text}`gap_repaired_verdict` |
# | resnet-bigru-pooled, one step | {glue:text}`gap_steps_full` | {glue:text}`gap_steps_verdict` |
# | resnet, no GRU | {glue:text}`gap_recurrence_full` | {glue:text}`gap_recurrence_verdict` |
# | tagger + linear | {glue:text}`gap_pretraining_full` | {glue:text}`gap_pretraining_verdict` |
#
# Again, n is the number of bands. The verdicts are corrected for multiple comparisons, but the
# intervals are not. A verdict can therefore be “not clearly different” even if the interval excludes
# 0. {numref}`tab-genre-gaps` lists the differences for each training run separately. If a difference
# has the same sign in all {glue:text}`n_seeds` training runs, it is worth training the networks with
# more seeds. But this agreement alone does not prove that the networks differ: {glue:text}`n_seeds`
# fair coins all land on the same side in one out of {glue:text}`agree` throws.
#
# The first difference in the table combines the effect of the fault with that of all other
# differences between a parallel network on colour images and a serial network on spectrograms. The
# second difference is not due to the length of the sequence alone, either: the network with a single
# step also has another residual network, a GRU with more layers and smaller states, and no attention.
# The third difference shows whether a network with a GRU is more accurate than a ResNet of the same
# size, which averages over time as well.
#
# ## Real songs with handcrafted features
#
# The package pyAudioAnalysis contains 138 features for each of 581 real songs in six genres, but not the
# audio. We test three standard classifiers on songs that were not used in training:

# %%
X, y = genre.pyaudioanalysis_features()
real = genre.compare_classifiers(X, y, n_folds=n_folds, seed=seed, cache=cache)
real_scores = score(real).set_index("network")
best = real_scores["accuracy"].idxmax()

# %% tags=["hide-input"]
show_table(
    real_scores[["accuracy", "low", "high"]],
    "genre-real",
    "Share of 581 real songs in six genres that are classified correctly from 138 handcrafted "
    "features, with 95% intervals over songs.",
    simulated=False,
)
report_texts(real_best=best)
report_accuracies({"real_accuracy": real_scores.loc[best]}, len(y), tolerance=3)

# %% [markdown]
# The best classifier, {glue:text}`real_best`, classifies {glue:text}`real_accuracy_full` of the songs
# correctly. We cannot know how much of this accuracy is due to style. Neither titles nor artists were
# published, so songs by one artist may be in both the training and the test set, and the interval treats
# songs as if they were independent. The next section measures the effect of such leaks on our rendered
# songs.
#
# ## How much a leak raises accuracy
#
# In our comparisons of rendered songs, no band was in both the training and the test set. Much of the
# literature uses other splits. In this section, we always train the same network, mel-cnn, on the
# same number of clips and for the same number of epochs, and test it on about the same number of
# clips. Only the split changes:
#
# - **by band**: as above;
# - **by song**: other songs by a test band may be in the training set;
# - **by clip**: other clips of a test song may be in the training set;
# - **stopped by the test set**: split by band, but the epoch to keep is chosen on the test clips. The
#   published code does the same, because it has no validation set.


# %%
def split_ways(s):
    ways = {"by band": "artist", "by song": "song", "by clip": "clip"}
    split = partial(genre.split_clips, clips.table, seed=s)
    three = {way: split(by) for way, by in ways.items()}
    equal = genre.equalise_training(three, clips.y, seed=s)
    band = equal["by band"]
    return {**equal, "stopped by the test set": {**band, "valid": band["test"]}}


# %%
train = partial(genre.train_networks, ["mel-cnn"], clips, n_jobs=n_jobs)
split_sets = {s: split_ways(s) for s in seeds}
runs = []
for way in split_sets[seed]:
    once = {s: ways[way] for s, ways in split_sets.items()}
    runs.append(train(once, settings)[0].assign(way=way))
leaks = pd.concat(runs, ignore_index=True)
leak_pairs = {
    "leak_song": ("by song", "by band"),
    "leak_clip": ("by clip", "by band"),
    "leak_stopped": ("stopped by the test set", "by band"),
}
leak_gaps = genre.accuracy_differences(leaks, leak_pairs, by="way")
leak_scores, by_seed = score(leaks, "way"), genre.accuracy_by_seed(leaks, "way")

# %% tags=["hide-input"]
show_figure(
    figures.plot_accuracies(leak_scores, "way", by_seed=by_seed),
    "genre-leaks",
    "Accuracy of one network (mel-cnn) by type of split, with 95% intervals over bands. Rings: "
    "single training runs.",
    "Four rows with dots, rings and intervals: “by band”, “by song” and “stopped by the test set” "
    "are close together; “by clip” is farther to the right.",
    table=leak_scores,
    simulated=False,
)
words = "higher", "lower", "not clearly higher"
report_gaps(leak_gaps, "n_bands", words=words, tolerance=6)

# %% [markdown]
# The following table compares each of the other splits with the split by band. As above, intervals
# account for variation over bands and training runs, and p-values are corrected, here for three
# comparisons:
#
# | split | difference | accuracy is |
# |:--|:--|:--|
# | by song | {glue:text}`leak_song_full` | {glue:text}`leak_song_verdict` |
# | by clip | {glue:text}`leak_clip_full` | {glue:text}`leak_clip_verdict` |
# | stopped by the test set | {glue:text}`leak_stopped_full` | {glue:text}`leak_stopped_verdict` |
#
# In this table, n is the number of bands that are tested in at least one of the two splits; with the
# splits by song and by clip, nearly all bands are tested. If a leak raises accuracy, the gain is not
# evidence that the network has learnt about styles: a network that was trained on one clip of a song
# may simply recognise the next clip of that song. The intervals in the table are wide, so they are
# compatible with large gains as well as with none. Leaks may also be larger in collections of real
# recordings, which contain more songs per band.
#
# On real music, a large difference between two splits has been measured. GTZAN, the most widely used
# genre collection, contains repeated recordings, wrong labels, distorted files and many songs by a
# small number of artists {cite}`sturm2013`. With the features of one large model, 92.5% of the songs
# in GTZAN are classified correctly in ten random folds, but only 79.7% in a split that contains no
# repeated recordings and in which no artist is in both the training and the test set
# {cite}`kereliuk2015,castellon2021`. With the same features, accuracy is thus lower by about 13
# percentage points. (The second split also leaves out faulty songs and has fewer training songs, so
# the separation of artists is not the only possible reason for the lower accuracy.)
#
# ## A “horse”: a network that is right for the wrong reason
#
# Clever Hans was a horse that seemed to do sums, tapping out the answers with a hoof. In fact, he was
# reacting to the faces of the people asking the questions. {cite:t}`sturm2014` calls a system a
# {term}`horse` if it is right for reasons that have nothing to do with the question.
# {cite:t}`rodriguezalgarra2016` showed that well-known systems relied on sound below 20 Hz, which
# listeners cannot hear.
#
# We now build a horse. We group the styles by similarity: {glue:text}`pairs_of_styles`. In each
# group, we add a tone of 12 Hz to all songs of one style, as if they had been digitised from records
# played on a rumbling turntable. Can you hear the tone?

# %%
parents = pd.Series({style: corpus.tree[style] for style in clips.styles})
groups = parents.groupby(parents).groups.values()
rumbling = parents.drop_duplicates().index
levels = dict.fromkeys(rumbling, tone_db)
turntable = partial(planted_cues.add_rumble, levels=levels)
chapter.save_table(pd.Series(levels, name="tone_db").to_frame(), "genre_tone")

# %%
song = first[rumbling[0]]
y, rate = load_audio(corpus.path(song))
changed = turntable(y, rate, rumbling[0])
bin_width = genre.MEL_SETTINGS["sr"] / genre.MEL_SETTINGS["n_fft"]  # Hz
audio_player({"as it was": (y, rate), "with the tone": (changed, rate)})

# %% tags=["hide-input"]
pairs_of_styles = "; ".join(join_words(styles) for styles in groups)
report_texts(rumbling=join_words(list(rumbling)), pairs_of_styles=pairs_of_styles)
report_value("bin_width", bin_width, fmt=".1f", unit=" Hz")
report_value("tone_db", tone_db, fmt=".0f", unit=" dB")

# %% [markdown]
# The tone is {glue:text}`tone_db` stronger than the song (root mean square), but it lies below the
# range of human hearing and that of most loudspeakers; anything you do hear is distortion. The tone
# reaches the network nevertheless: the spectrogram begins at 0 Hz and its bins are
# {glue:text}`bin_width` apart, so the tone raises the level of the lowest mel band.
#
# The tone is in all songs of {glue:text}`rumbling`, and in no other songs. We train the network on
# songs of all styles, and test it three times on the same new bands: with the tone as in training;
# with the tone **removed**; and with the tone **swapped**, so that it is in the songs of the other
# half of the styles instead. A network that relies on the music would be unaffected by these changes.

# %%
other_levels = dict.fromkeys(parents.index.difference(rumbling), tone_db)
swap = partial(planted_cues.add_rumble, levels=other_levels)
planted = genre.log_mels(corpus, change=turntable, n_jobs=n_jobs)
swapped = genre.log_mels(corpus, change=swap, n_jobs=n_jobs)
tests = {"tone as in training": planted, "removed": clips, "swapped": swapped}

# %%
test_versions = partial(genre.predict_versions, "mel-cnn", n_jobs=n_jobs)
horse = test_versions(planted, tests, splits, settings)
by_band = predictions[predictions["network"] == "mel-cnn"]
without = by_band.assign(version="no tone at all")
tone_runs = pd.concat([without, horse], ignore_index=True)
horse_pairs = {
    "horse_gain": ("tone as in training", "no tone at all"),
    "horse_loss": ("removed", "no tone at all"),
    "horse_fall": ("removed", "tone as in training"),
}
horse_gaps = genre.accuracy_differences(tone_runs, horse_pairs, by="version")

horse_scores = score(tone_runs, "version")
by_seed = genre.accuracy_by_seed(tone_runs, "version")

# %% [markdown]
# When the tone is swapped, a network that relies on it predicts styles from the wrong half: styles
# that had the tone in training for songs of styles that did not, and vice versa. How often does this
# happen?

# %%
rows = tone_runs[tone_runs["version"] == "swapped"]
p = rows[[f"p_{style}" for style in clips.styles]].to_numpy()
guesses = np.array(clips.styles)[p.argmax(axis=1)]
crossed = np.isin(guesses, rumbling) != np.isin(rows["style"], rumbling)
crossed = pd.DataFrame({"crossed": crossed})
crossed = genre.mean_intervals(crossed, rows["artist"]).set_index("score")

# %% tags=["hide-input"]
show_figure(
    figures.plot_accuracies(horse_scores, "version", chance, by_seed),
    "horse",
    "Accuracy of a network trained with a tone of 12 Hz in half of the styles, and (first row) of "
    "a network trained and tested without it. 95% intervals over bands; rings: single training runs; "
    "the line marks random guessing.",
    "Four rows with dots, rings and intervals: no tone at all, the tone as in training, the tone "
    "removed, and the tone swapped. The last two are far to the left of the first two.",
    table=horse_scores,
    simulated=False,
)
by_version = horse_scores.set_index("version")
report_accuracies(by_version, n_tested, prefix="horse_", tolerance=8)
report_accuracies(crossed, n_tested, prefix="horse_", value="estimate", tolerance=10)
words = "rises", "falls", "does not clearly change"
report_gaps(horse_gaps, n_tested, words=words, tolerance=8)

# %% [markdown]
# In this list, n is the number of bands, and the intervals for differences account for variation over
# bands and training runs:
#
# - **No tone at all**: the network classifies {glue:text}`horse_no_tone_at_all_full` of the clips
#   correctly.
# - **The tone in training and test clips**: accuracy is {glue:text}`horse_tone_as_in_training_full`.
#   Compared with no tone at all, it {glue:text}`horse_gain_verdict` ({glue:text}`horse_gain_full`). If
#   we did not know about the tone, we would publish this result.
# - **The tone in training clips, but removed from the test clips**: accuracy is
#   {glue:text}`horse_removed_full`. Compared with the tone in both, it
#   {glue:text}`horse_fall_verdict` ({glue:text}`horse_fall_full`); compared with no tone at all, the
#   difference is {glue:text}`horse_loss_full`.
# - **The tone in training clips, but swapped in the test clips**: accuracy is {glue:text}`horse_swapped_full`, and
#   {glue:text}`horse_crossed_full` of the clips are assigned to a style from the wrong half.
#
# A test set that contains the same cue cannot reveal that a network relies on the cue. An
# **intervention** can: we change something that should not matter, and see whether the predictions
# change. However, an intervention requires a guess about what the cue might be. The next chapter
# tests whether explanations of the network's predictions would have revealed the tone.
#
# ### An audible cue: tempo
#
# Misleading cues need not be inaudible. Listeners hear the tempo of a song, but few would assign it
# to another style just because it is played faster. Suppose that a collection was compiled
# carelessly: in each of the four groups, all songs of one style are slow, and all songs of the other
# style are fast. The renderer can produce such a collection. We render three seconds of each song
# twice: once at {glue:text}`slow_tempo` and once at {glue:text}`fast_tempo` of the mean tempo of its
# group. The ratio of the two tempi is {glue:text}`tempo_ratio`. The score, the instruments and the
# settings of the mix are the same in both versions, but three seconds of the fast version contain
# more notes.

# %%
songs = corpus.songs.set_index("song_id")
group = songs["style"].map(corpus.tree)
mean_tempo = songs.groupby(group)["tempo"].transform("mean")
at_tempo = partial(genre.clips_at_tempo, corpus, n_jobs=n_jobs)
factors = 1 / tempo_factor, tempo_factor
slow, fast = (at_tempo((mean_tempo * f).round(1)) for f in factors)

# %% [markdown]
# In training, the tempi are **tied** to the styles: {glue:text}`rumbling` are fast. They are
# **swapped** when the other styles are fast instead, and **mixed** when every second song of each
# style is fast. Mixed tempi still differ between the groups, but within a group they carry no
# information about the style.


# %%
def choose(is_fast):
    return replace(slow, X=np.where(is_fast[:, None, None], fast.X, slow.X))


is_tied = slow.table["style"].isin(rumbling).to_numpy()
every_second = slow.table.groupby("style").cumcount().to_numpy() % 2 == 1
tied, swapped, mixed = map(choose, (is_tied, ~is_tied, every_second))

# %% [markdown]
# As before, we train two networks (mel-cnn) for each seed, one on clips with the cue (tied tempi) and
# one on clips without the cue (mixed tempi), and no band is in both the training and the test set. There
# is one clip per song. Mixed tempi still reveal the group, so accuracies in this section cannot be
# compared with those in the section on the tone.

# %%
by_artist = partial(genre.split_clips, slow.table, by="artist")
plan = {s: by_artist(seed=s) for s in seeds}, settings
tests = {"tied as in training": tied, "mixed": mixed, "swapped": swapped}
tempo_runs = [
    test_versions(mixed, {"mixed in training and test": mixed}, *plan),
    test_versions(tied, tests, *plan),
]
tempo_runs = pd.concat(tempo_runs, ignore_index=True)
tempo_pairs = {
    "tempo_gain": ("tied as in training", "mixed in training and test"),
    "tempo_loss": ("mixed", "mixed in training and test"),
    "tempo_fall": ("swapped", "tied as in training"),
}
tempo_gaps = genre.accuracy_differences(tempo_runs, tempo_pairs, by="version")
tempo_scores = score(tempo_runs, "version")
by_seed = genre.accuracy_by_seed(tempo_runs, "version")

# %% tags=["hide-input"]
show_figure(
    figures.plot_accuracies(tempo_scores, "version", chance, by_seed),
    "tempo-horse",
    "Accuracy of a network trained with tempi that are tied to the styles, and (first row) of a "
    "network trained and tested with mixed tempi. 95% intervals over bands; rings: single training "
    "runs; the line marks random guessing.",
    "Forest plot of four rows with dots, rings and intervals: mixed in training and test, tied as in "
    "training, mixed, and swapped.",
    table=tempo_scores,
    simulated=False,
)
by_version = tempo_scores.set_index("version")
report_accuracies(by_version, n_tested, prefix="tempo_", tolerance=8)
report_gaps(tempo_gaps, n_tested, words=words, tolerance=8)
report_value("tempo_ratio", tempo_factor**2, fmt=".2f")
report_value("slow_tempo", 100 / tempo_factor, fmt=".0f", unit="%")
report_value("fast_tempo", 100 * tempo_factor, fmt=".0f", unit="%")

# %% [markdown]
# Again, n is the number of bands, and the intervals for differences account for variation over bands
# and over the {glue:text}`n_seeds` training runs:
#
# - **Mixed tempi in training and test clips**: the network classifies
#   {glue:text}`tempo_mixed_in_training_and_test_full` of the clips correctly.
# - **Tied tempi in training and test clips**: accuracy is
#   {glue:text}`tempo_tied_as_in_training_full`. Compared with mixed tempi, it
#   {glue:text}`tempo_gain_verdict` ({glue:text}`tempo_gain_full`).
# - **Tied tempi in training clips, but swapped in the test clips**: accuracy is
#   {glue:text}`tempo_swapped_full`. Compared with tied tempi in both, it
#   {glue:text}`tempo_fall_verdict` ({glue:text}`tempo_fall_full`), although the bands play the same
#   scores on the same instruments.
# - **Tied tempi in training clips, but mixed in the test clips**: accuracy is
#   {glue:text}`tempo_mixed_full`. Compared with mixed tempi in both, it
#   {glue:text}`tempo_loss_verdict` ({glue:text}`tempo_loss_full`). Half of these test clips have the
#   tempo that all songs of their style had in training.
#
# Unlike the tone, the tempo is a musical property, and real styles differ in tempo. Relying on tempo
# is a fault only if the link between tempo and style is a property of the collection rather than of
# the style. The intervention shows how much a network relies on the tempo, but not whether it should.
# Moreover, the link between tempo and style is as strong as possible in our collection: all songs of
# a style have exactly the same tempo. In a real collection, the tempi within a style vary.
#
# ## What could be wrong here
#
# - **Rendered styles are few and tidy.** We chose how much the styles overlap. The ranking of the
#   networks may differ on recordings; the faults in the code do not depend on the songs.
# - **Equal training conditions may not suit all networks equally.** All networks are trained with the
#   same learning rate and for few epochs. A transformer usually needs more data and longer training
#   than we used in this chapter.
# - **The published scores are not tested here.** We trained the architecture at a sixtieth of its size,
#   without pretraining on photographs. Our numbers say nothing about the scores in the paper.
# - **There are few training runs.** Intervals for differences generalise to other bands and other
#   training runs; those for accuracies generalise only to other bands. With {glue:text}`n_seeds`
#   seeds, only large differences can be detected. The splits share bands, so the results of different
#   seeds are not fully independent. None of the intervals accounts for the choice of styles or of the
#   program that renders the songs.
#
# ## Exercises
#
# ```{exercise} Repair the parallel network
# :label: ex-parallel
#
# Give the parallel network the intended sequence: subclass `architectures.ParallelNetwork` and
# override `sequence`. How many frames does each step contain now?
# ```
#
# ```{solution-start} ex-parallel
# :class: dropdown
# ```


# %% tags=["solution"]
class Repaired(architectures.ParallelNetwork):
    def sequence(self, picture):
        return picture.permute(0, 3, 1, 2).flatten(2)  # frame, colour, mel band


repaired = Repaired(len(clips.styles), **shape)
repaired.sequence(repaired.picture(torch.tensor(clips.X[:2]))).shape

# %% [markdown]
# Each step contains one frame, with its mel bands in three colours. If you add the network to
# `architectures.NETWORKS` under a new name, you can train it with `train_networks` and compare it with
# the others.
#
# ```{solution-end}
# ```
#
# ```{exercise} Shuffle the frames
# :label: ex-frames
#
# Shuffle the frames of each test clip, and compare the accuracy with that for the original order.
# Which networks are affected?
# ```
#
# ```{solution-start} ex-frames
# :class: dropdown
# ```

# %% tags=["solution"]
rows = splits[seed]["test"]
draws = np.random.default_rng(0).random((len(rows), 1, shape["n_frames"]))
X = np.take_along_axis(clips.X[rows], np.argsort(draws), axis=2)
once = replace(settings, seed=seed)
for name in ("mel-cnn", "bigru", "resnet-bigru"):
    network = genre.train_network(name, clips, splits[seed], once)
    for order, frames in {"in order": clips.X[rows], "shuffled": X}.items():
        right = network.predict(frames).argmax(axis=1) == clips.y[rows]
        print(name, order, right.mean().round(2))

# %% [markdown]
# All three networks lose accuracy. Even the convolutional network does, because the output of a
# kernel that spans three frames depends on their order. The remaining accuracy does not depend on the
# order of frames; it may come from timbre, register or mix, for example.
#
# ```{solution-end}
# ```
#
# ```{exercise} Find another horse
# :label: ex-codec
#
# In many collections, all files of a style come from the same source, and the codec of that source
# removes all frequencies above a cutoff. Use `planted_cues.limit_bandwidth` to give each style its
# own cutoff between 6 and 7.5 kHz. To which sampling rate would you convert all files to remove this
# cue?
# ```
#
# ```{solution-start} ex-codec
# :class: dropdown
# ```

# %% tags=["solution"]
cutoffs = dict(zip(clips.styles, np.linspace(6000, 7500, len(clips.styles))))
codec = partial(planted_cues.limit_bandwidth, cutoffs=cutoffs)
cut = codec(y, rate, clips.styles[0])
audio_player({"as it was": (y, rate), "cut off": (cut, rate)})

# %% [markdown]
# Compute `genre.log_mels(corpus, change=codec)`, train a network on the result and test it on `clips`,
# as above. At a sampling rate of 12 kHz, nothing above 6 kHz is left in any file, and the cue is gone.
#
# ```{solution-end}
# ```
#
# ## Summary
#
# **Asked**: which network recognises a style, and from which cues. **Found**:
#
# - Both published networks have a fault that raises no error. In the parallel network, the GRU
#   receives the three colours of a clip one after the other, with three frames per step, instead of
#   one frame with all its colours per step. In the serial network, the GRU receives a single step.
# - Of {glue:text}`n_classifiers` classifiers, {glue:text}`most_accurate`. At equal size and over
#   {glue:text}`n_seeds` training runs, the accuracy of the repaired serial network is
#   {glue:text}`gap_repaired_verdict` compared with that of the parallel network
#   ({glue:text}`gap_repaired_full`), {glue:text}`gap_steps_verdict` compared with that of a serial
#   network whose GRU receives a single step ({glue:text}`gap_steps_full`), and
#   {glue:text}`gap_recurrence_verdict` compared with that of the ResNet alone
#   ({glue:text}`gap_recurrence_full`).
# - With a split by clip instead of by band, accuracy is {glue:text}`leak_clip_verdict`
#   ({glue:text}`leak_clip_full`).
# - After training with an inaudible tone, accuracy {glue:text}`horse_fall_verdict` from
#   {glue:text}`horse_tone_as_in_training_full` to {glue:text}`horse_removed_full` when the tone is
#   removed. After training with tempi that are tied to the styles, accuracy
#   {glue:text}`tempo_fall_verdict` when the tempi are swapped ({glue:text}`tempo_fall_full`).
#
# **True by construction**: we designed the styles, the bands, the tone and the link between tempo and
# style.
#
# **What would change our mind**: a comparison with more training runs, on recordings with known
# artists, in which the parallel network is more accurate despite its fault.
#
# **Next**: {doc}`11-beyond-accuracy` asks which errors are serious, and which cues the networks rely on.
