# %% [markdown] tags=["without-study"]
# # What can a network learn to hear?
#
# A neural network is built from a few kinds of modules. Each kind treats sound differently: one
# assigns a weight to every position in a spectrogram, one slides a pattern over it, one keeps a state
# that it updates over time, and one compares distant moments. In this chapter, we test each module on
# a musical question that suits it, and on questions that suit the others. We know the correct
# answers, because we synthesised the sounds ourselves.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** what dense, convolutional, recurrent and attention modules can and cannot
# recognise; how to choose a kernel, an input and a time scale; how to work with few labels; and four
# ways to fool yourself. The syllabus follows {cite:t}`choi2017`.
#
# **You need** {doc}`02-representations`, and a little linear algebra.
#
# **Run time**: {run-time}`03-networks`, measured when this page was built; the first run takes
# longer. **Modules**: `groove_utils.networks`, `groove_utils.synth.listening_tasks`.
# ```
#
# This chapter uses no ratings. All its sounds were rendered for the questions below.

# %% tags=["parameters"]
study = "demo"  # a study's name or folder; this chapter does not use its data
seed = 2026
n_seeds = 3  # training runs per network
n_phrases = 240  # phrases in the section on few labels
n_tosses = 10  # random draws in the section on how to fool yourself
share = 1.0  # share of the examples to use; less for a quick trial
n_jobs = 2  # parallel processes

# %%
import inspect
from dataclasses import replace
from functools import partial
from itertools import product

import librosa
import numpy as np
import pandas as pd
import torch
from IPython.display import Code
from joblib import delayed
from scipy import stats
from torch import nn

from groove_utils import figures, networks
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
from groove_utils.cache import ArrayCache, run_cached_jobs
from groove_utils.networks import augmentation
from groove_utils.synth import listening_tasks

chapter = open_chapter("03-networks", study)
cache = ArrayCache(namespace="training")
run = partial(run_cached_jobs, cache=cache, n_jobs=n_jobs)
seeds = range(seed, seed + n_seeds)

# %% [markdown]
# ## One neuron: was that a kick drum?
#
# Take a drum loop and divide it into frames, one per sixteenth note. In each frame, measure the level
# below 150 Hz and the level above 2500 Hz. Is the kick drum (another name for the bass drum) struck
# in this frame? The two levels are the input $\mathbf{x}$ of a neuron. The neuron multiplies the
# levels by the weights $\mathbf{w}$, adds the bias $b$, and turns the sum into a probability $p$:
#
# $$ p = \sigma(\mathbf{w} \cdot \mathbf{x} + b), \qquad \sigma(a) = \frac{1}{1 + e^{-a}} $$
#
# How wrong are these probabilities? With $y = 1$ for a frame with a kick and $y = 0$ for a frame
# without one, the *cross-entropy*
#
# $$ L = -\frac{1}{n} \sum_{i=1}^{n} \bigl( y_i \log p_i + (1 - y_i) \log (1 - p_i) \bigr) $$
#
# is small if the neuron assigns high probabilities to the correct answers, and large if it is
# confident but wrong. The gradient of the cross-entropy has a simple form,
#
# $$ \frac{\partial L}{\partial \mathbf{w}} = \frac{1}{n} \sum_i (p_i - y_i) \, \mathbf{x}_i,
# \qquad \frac{\partial L}{\partial b} = \frac{1}{n} \sum_i (p_i - y_i), $$
#
# and points in the direction in which the cross-entropy grows fastest. Training reduces the
# cross-entropy (here called the *loss*) by repeatedly taking a step in the opposite direction. Here
# is the whole procedure in NumPy. The first half of the frames is used for training, and the second
# half for testing.

# %%
levels, kick = listening_tasks.kick_frames(n_loops=40, seed=seed)
half = len(kick) // 2
levels = (levels - levels[:half].mean(axis=0)) / levels[:half].std(axis=0)
x, y = levels[:half], kick[:half]

# %%
w, b, losses = np.zeros(2), 0.0, []
for _ in range(200):
    p = 1 / (1 + np.exp(-(x @ w + b)))
    losses.append(-np.log(np.where(y == 1, p, 1 - p)).mean())
    w -= x.T @ (p - y) / len(y)
    b -= (p - y).mean()

# %% [markdown]
# PyTorch can train the same neuron without being given a formula for the gradient: `loss.backward()`
# computes the gradient automatically, and the optimiser takes the step.

# %%
neuron = nn.Linear(2, 1, dtype=torch.float64)
nn.init.zeros_(neuron.weight), nn.init.zeros_(neuron.bias)
optimiser = torch.optim.SGD(neuron.parameters(), lr=1.0)
inputs, target = torch.tensor(x), torch.tensor(y, dtype=torch.float64)
for _ in range(200):
    logits = neuron(inputs)[:, 0]
    loss = nn.functional.binary_cross_entropy_with_logits(logits, target)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
difference = np.abs(neuron.weight.detach().numpy()[0] - w).max()
correct = ((levels[half:] @ w + b > 0) == kick[half:]).mean()
guess = max(kick[half:].mean(), 1 - kick[half:].mean())

# %% tags=["hide-input"]
report_value("same_weights", difference, fmt=".0e", tolerance=1e-9)
shares = {"kick_accuracy": correct, "kick_guess": guess}
report_percentages(shares, len(kick) - half, tolerance=10)
report_value("first_loss", losses[0])
report_value("last_loss", losses[-1])

# %% [markdown]
# The weights from NumPy and PyTorch differ by at most {glue:text}`same_weights`. During training, the
# loss fell from {glue:text}`first_loss` to {glue:text}`last_loss`. The initial loss is log 2, the
# loss of a neuron that always predicts a probability of 50%. The trained neuron is right for
# {glue:text}`kick_accuracy` of the test frames; a neuron that always gave the more frequent answer
# would be right for {glue:text}`kick_guess`. {numref}`fig-neuron` shows why the neuron is not always
# right: it separates the frames with a single straight line, but some frames with a kick lie among
# those without one.

# %% tags=["hide-input"]
show_figure(
    figures.plot_decision(levels[half:], kick[half:], w, b, losses),
    "neuron",
    "Left: the loss during training. Right: test frames, and the line at which the probability is "
    "50%.",
    "A loss curve that falls steeply and levels off; a scatter plot of frames in which kicks lie "
    "on the side of strong low frequencies, separated from the others by a straight line.",
    simulated=False,
)

# %% [markdown]
# ## Four modules, four questions
#
# All other networks in this chapter consist of many neurons, connected in different ways. We test these
# networks on four questions:
#
# - **Which tom is it?** Four toms differ in pitch. The answer depends on a *position* on the
#   frequency axis.
# - **Which chord is it?** The chord is minor, major, suspended or diminished, on any root. The answer
#   depends on a *shape*, wherever that shape lies on the frequency axis. The roots of the test chords
#   are an octave above those of the training chords.
# - **Straight or swung?** The answer depends on a *pattern in time*: how late each off-beat comes
#   (later if the loop is swung). The tempo and the starting point vary between examples.
# - **Which bar does the last bar repeat?** One of five earlier bars is played again. The answer
#   depends on a *match* between distant moments.
#
# Listen to two examples for each question.

# %%
tasks = listening_tasks.draw_tasks(seed, share=share)
for task in tasks.values():
    first = list(task.sounds.items())[:2]
    audio_player({f"{task.question} {name}": sound for name, sound in first})

# %% [markdown]
# These are the modules, each built into a small classifier. (A tom or a chord is given as a single
# spectrum, so the recurrent and attention modules have no time axis to work with for these two
# questions.)
#
# - A **dense** layer has separate weights for every band of every frame. It distinguishes positions,
#   but has to learn each of them separately.
# - A **convolution** slides small patterns of weights, called *kernels*, over all positions; here,
#   only the best match of each kernel is kept. It detects a shape, but discards the position of that
#   shape.
# - A **recurrent** layer (here a gated recurrent unit, GRU) reads the input frame by frame and updates
#   a state. The effect of a frame therefore depends on the frames before it. (The older long short-term
#   memory, LSTM, has two states and one more gate. Try `cell="lstm"`, or `both_directions=True` for a
#   second layer that reads backwards.)
# - **Attention** compares frames at any distance. Each frame is turned into three vectors of length d:
#   a query, a key and a value. Our module uses only the query of the last frame. This query is
#   multiplied by all keys, the softmax turns the products into weights that add up to one, and the
#   output is the weighted mean of the values: softmax(Q Kᵀ / √d) V.

# %%
source = inspect.getsource(networks.ConvolutionClassifier.forward)
Code(source, language="python")

# %% [markdown]
# We train all modules with the same short loop. For each batch of examples, it computes the
# cross-entropy and lets the optimiser take one step:

# %%
Code(inspect.getsource(networks.train_epoch), language="python")

# %% [markdown]
# We now train each module on each question with several random seeds. The seed determines the initial
# weights and the order of the examples. The baseline is the accuracy that we would reach by always
# giving the most frequent answer.

# %%
storage = {"cache": cache, "n_jobs": n_jobs}
scores = networks.compare_modules(tasks, seeds=seeds, **storage)
summary = networks.summarise_scores(scores)

# %% tags=["hide-input"]
questions = {name: task.question for name, task in tasks.items()}
panels = summary.rename(columns={"accuracy": "estimate"})
panels["question"] = summary["task"].map(questions)
guessing = panels[["question", "chance"]].drop_duplicates().assign(low=0.0)
guessing = guessing.rename(columns={"chance": "high"})
shaded = {"bands": guessing, "band_label": "guessing"}
axes = {"y": "module", "panel": "question", "xlabel": "Accuracy"}
show_figure(
    figures.plot_forest(panels, **axes, **shaded, reference=None),
    "modules",
    "Accuracy of four modules on four questions: means over seeds with 95% t intervals.",
    "Four panels. In each panel, one module has an accuracy near 1 (dense for toms, convolution for "
    "chords, recurrent for swing, attention for repeats), and at least one other is far below it.",
    table=summary,
    simulated=False,
)
compared = ["tom_dense", "tom_convolution", "chord_convolution", "chord_dense"]
compared += ["swing_recurrent", "swing_attention", "swing_convolution"]
compared += ["repeat_attention", "repeat_recurrent"]
rows = summary.set_index(summary["task"] + "_" + summary["module"]).loc[compared]
percent = {"value": "accuracy", "scale": 100, "fmt": ".0f", "unit": "%"}
report_effects(dict(rows.iterrows()), n_seeds, **percent, tolerance=10)
report_texts(varies=True, **rows["verdict"].add_suffix("_verdict"))

# %% [markdown]
# In the table below, we give each module a verdict: *found* if the whole interval for its accuracy
# lies above the midpoint between guessing and perfect accuracy, and *not found* if the whole interval
# lies below this midpoint.
#
# | question | module | correct | verdict | module | correct | verdict |
# |:--|:--|--:|:--|:--|--:|:--|
# | tom | dense | {glue:text}`tom_dense` | {glue:text}`tom_dense_verdict` | convolution | {glue:text}`tom_convolution` | {glue:text}`tom_convolution_verdict` |
# | chord | convolution | {glue:text}`chord_convolution` | {glue:text}`chord_convolution_verdict` | dense | {glue:text}`chord_dense` | {glue:text}`chord_dense_verdict` |
# | swing | recurrent | {glue:text}`swing_recurrent` | {glue:text}`swing_recurrent_verdict` | attention | {glue:text}`swing_attention` | {glue:text}`swing_attention_verdict` |
# | repeat | attention | {glue:text}`repeat_attention` | {glue:text}`repeat_attention_verdict` | recurrent | {glue:text}`repeat_recurrent` | {glue:text}`repeat_recurrent_verdict` |
#
# We chose the second module in each row because there is a reason to expect it to fail. The
# convolution keeps only the best match of each kernel, so it cannot use the position that
# distinguishes a low tom from a high one. A dense network learns each position separately, and the
# roots of the test chords lie outside the octave of the training chords. On the swing question, our
# attention module uses only the query of the last frame. On the repeat question, the GRU would have
# to store five bars in a state of 32 numbers. These are reasons to expect failures, but they do not
# prove what caused the failures.
#
# A failure tells us only about this module at this size, with this much training. More layers, more
# data or another way of computing the output could change the result; some of the exercises try such
# changes.
#
# ### What each module costs
#
# The number of parameters measures how much a module has to learn and store, and the number of
# multiply-adds how much it has to compute for one example. One of them can be small and the other
# large: a kernel has few parameters but is applied at every position.

# %%
sizes = summary.rename(columns={"multiply_adds": "multiply-adds"})
counts = ["parameters", "multiply-adds"]
costs = sizes.pivot(index="module", columns="task", values=counts)
costs.columns = [f"{task}: {count}" for count, task in costs.columns]
show_table(
    costs.loc[list(networks.MODULES)].astype(int),
    "costs",
    "Parameters, and multiply-adds per example, by module and question.",
    simulated=False,
)

# %% [markdown]
# ## What a kernel sees
#
# A kernel is a small picture that is compared with every part of a larger picture. Its shape
# determines what it can match. {numref}`fig-kernels` shows how three hand-made kernels respond to a
# drum loop from the swing question. A *tall* kernel, which compares each frame with the one before it
# in all bands, responds to strokes. A *wide* kernel responds to sustained sounds. A *square* kernel
# responds to a small patch, such as a stroke of a certain drum.

# %%
loop = tasks["swing"].X[-1]
kernels = {
    "tall: 12 bands × 2 frames": np.tile([-1.0, 1.0], (12, 1)) / 24,
    "wide: 1 band × 9 frames": np.ones((1, 9)) / 9,
    "square: 3 bands × 3 frames": np.outer([-1, 2, -1], [-1, 2, -1]) / 9,
}
responses = {
    name: nn.functional.conv2d(
        torch.tensor(loop)[None, None],
        torch.tensor(kernel, dtype=torch.float32)[None, None],
    )[0, 0].numpy()
    for name, kernel in kernels.items()
}

# %% tags=["hide-input"]
show_figure(
    figures.plot_kernels(loop, responses),
    "kernels",
    "A drum loop as a log-mel spectrogram, and the response of each of three kernels by position.",
    "Four pictures over time: the loop with vertical stripes; the tall kernel's single row of "
    "peaks at strokes; the wide kernel's smeared bands; the square kernel's isolated dots.",
    simulated=False,
)

# %% [markdown]
# **How far** a kernel reaches in time matters as much as its shape. Swing depends on the times
# between strokes, so a kernel that never covers two strokes at once cannot detect it. The span of
# input on which an output depends is called the *receptive field* of that output. For a stack of
# layers, the receptive field is
#
# $$ 1 + (k_1 - 1) + (k_2 - 1) \, s_1 + (k_3 - 1) \, s_1 s_2 + \dots $$
#
# frames, where $k_i$ are the sizes of the kernels and $s_i$ their strides (the number of frames by
# which a kernel is moved at each step):

# %%
networks.receptive_field([3, 2, 3], strides=[1, 2, 1])

# %% [markdown]
# Two convolutions of 3 frames each, with pooling over 2 frames between them, cover as much as one
# kernel of 8 frames. Pooling replaces each group of frames by a single one, and is a cheap way to
# cover more time: with groups of two, there are half as many frames, so every later kernel spans
# twice the time. {numref}`fig-field` shows how the accuracy on the swing question changes as a single
# kernel gets wider.

# %%
swing = tasks["swing"]
widths = [1, 3, 5, 9, 15]
runs = pd.MultiIndex.from_product([widths, seeds], names=["width", "seed"])
accuracies = run(
    delayed(networks.task_accuracy)(swing, "convolution", s, kernel=(12, width))
    for width, s in runs
)
field = pd.Series(accuracies, runs, name="accuracy").reset_index()
field["ms"] = 40 * field["width"]  # one frame lasts 40 ms

# %% tags=["hide-input"]
shortest, longest = 60000 / 132 / 3.2, 60000 / 84 / 2
show_figure(
    figures.plot_receptive_field(field, (shortest, longest)),
    "field",
    "Straight or swung? Accuracy by the width of the kernel: mean and range over seeds. Shaded: "
    "possible times between strokes, from the shortest swung eighth note at 132 BPM to a straight "
    "eighth note at 84 BPM.",
    "A curve that rises from near one half to one as the receptive field grows from 40 ms to "
    "360 ms, crossing a shaded band between 150 and 360 ms.",
    table=field,
    simulated=False,
)
by_ms = field.groupby("ms")["accuracy"].mean()
shares = {"narrow_field": by_ms.loc[40], "wide_field": by_ms.loc[600]}
report_percentages(shares, n_seeds, tolerance=10)

# %% [markdown]
# With a kernel of one frame, the accuracy of the convolution is {glue:text}`narrow_field`; with a
# kernel of fifteen frames, it is {glue:text}`wide_field`. In {numref}`fig-modules`, the receptive field
# of the convolution was 120 ms, and its accuracy on the swing question was
# {glue:text}`swing_convolution`. Before you blame a module, compute its receptive field, and compare it
# with the duration of the pattern that the module should detect.
#
# ## Where attention looks
#
# Attention can be inspected: its weights show how much each frame contributes to the output. On the
# question of which bar is repeated, the weight of the repeated bar should stand out.

# %%
repeat = tasks["repeat"]
n_train = repeat.n_train
torch.manual_seed(seed)
shape, n_classes = repeat.X.shape[1:], len(repeat.classes)
network = networks.build_module("attention", shape, n_classes)
scaled = (repeat.X - repeat.X[:n_train].mean()) / repeat.X[:n_train].std()
networks.fit(network, scaled[:n_train], repeat.y[:n_train])
weights = network.attention_weights(torch.tensor(scaled[n_train:]))
weights = pd.DataFrame(weights.detach().numpy())
by_bar = weights.groupby(repeat.y[n_train:]).mean()
earlier, bar = by_bar.iloc[:, :-1].to_numpy(), np.arange(len(by_bar))
n_max = (earlier.argmax(axis=1) == bar).sum()
n_min = (earlier.argmin(axis=1) == bar).sum()

# %% tags=["hide-input"]
bars = [f"bar {k + 1}" for k in range(by_bar.shape[1])]
labelled = by_bar.set_axis(bars, axis=1).set_axis(repeat.classes)
show_figure(
    figures.plot_attention(labelled),
    "attention",
    "Mean attention weight of each bar, by the bar that the last bar repeats (test set).",
    "A table of weights, one row per repeated bar and one column per bar. In each row, the "
    "repeated bar, on the diagonal, stands out from the other earlier bars.",
    simulated=False,
)
report_value("stands_out", max(n_max, n_min), fmt=".0f", n=len(by_bar), tolerance=0.5)
report_texts(varies=True, looks="largest" if n_max > n_min else "smallest")
report_counts(n_bars=len(by_bar))

# %% [markdown]
# For {glue:text}`stands_out` of the {glue:text}`n_bars` bars that can be repeated, the repeated bar
# has the {glue:text}`looks` mean weight among the earlier bars. It is arbitrary whether a network
# gives the repeated bar a large or a small weight, because either identifies it. Attention weights
# show which frames the information was taken from. They do not show what the network did with this
# information, so a large weight alone does not explain the output.
#
# ## Which input for which question?
#
# A network can use only what its input contains. Here a network receives single notes, played by six
# instruments over two octaves. Each note is given in one of six representations, and we train the
# network on each of them in turn. We ask two questions: which pitch class does a note have, and which
# instrument plays it? The test set consists of combinations of note and instrument that do not occur
# in training.

# %%
sounds, keys, instruments = listening_tasks.draw_notes(480, seed)
sr, hop = listening_tasks.RATE, 1024
power = np.abs(librosa.stft(sounds, hop_length=hop)) ** 2
mel = partial(librosa.feature.melspectrogram, S=power, sr=sr)
lowest = librosa.note_to_hz("C2")
cqt = np.abs(librosa.cqt(sounds, sr=sr, hop_length=hop, n_bins=72, fmin=lowest))
frames = sounds[:, : 43 * 256].reshape(len(sounds), 43, 256)

# %%
views = {
    "waveform": frames.transpose(0, 2, 1),
    "48 mels, power": mel(n_mels=48),
    "48 mels, log": librosa.power_to_db(mel(n_mels=48), top_db=60),
    "128 mels, log": librosa.power_to_db(mel(n_mels=128), top_db=60),
    "CQT, log": librosa.amplitude_to_db(cqt, top_db=60),
    "chroma": np.stack(
        [librosa.feature.chroma_cqt(C=c, bins_per_octave=12) for c in cqt]
    ),
}

# %%
unseen = (keys + instruments) % 3 == 0
labels = {"which pitch class?": keys % 12, "which instrument?": instruments}
runs = pd.MultiIndex.from_product(
    [labels, views, seeds], names=["question", "input", "seed"]
)


def note_job(question, name, s):
    X, y = views[name], labels[question]
    job = delayed(networks.holdout_accuracy)
    return job(X, y, unseen, "convolution", s, kernel=(X.shape[1], 1))


# %%
accuracies = run(note_job(*values) for values in runs)
inputs = pd.Series(accuracies, runs, name="accuracy").reset_index()
columns = {"estimate": "mean", "low": "min", "high": "max"}
means = inputs.groupby(["question", "input"], sort=False)
means = means["accuracy"].agg(**columns)

# %% tags=["hide-input"]
table, xlabel = means.reset_index(), "Accuracy (mean and range)"
show_figure(
    figures.plot_forest(
        table, y="input", panel="question", xlabel=xlabel, reference=None
    ),
    "inputs",
    "Accuracy of one network on two questions, with each of six inputs in turn: mean and range "
    "over seeds.",
    "Two panels of dots. Chroma has the highest accuracy for pitch class and the lowest for "
    "instrument; the constant-Q transform has high accuracy for both.",
    table=table,
    simulated=False,
)
reported = {
    "chroma_pitch": ("which pitch class?", "chroma"),
    "chroma_timbre": ("which instrument?", "chroma"),
    "cqt_pitch": ("which pitch class?", "CQT, log"),
    "cqt_timbre": ("which instrument?", "CQT, log"),
    "mel48_pitch": ("which pitch class?", "48 mels, log"),
    "mel128_pitch": ("which pitch class?", "128 mels, log"),
    "power_pitch": ("which pitch class?", "48 mels, power"),
}
shares = {name: means.loc[row, "estimate"] for name, row in reported.items()}
report_percentages(shares, tolerance=10)

# %% [markdown]
# From chroma, the network identifies the pitch class of {glue:text}`chroma_pitch` of the test notes,
# but the instrument of only {glue:text}`chroma_timbre`: chroma was designed to discard timbre. A
# guess would be right for one note in six. (An accuracy below that of guessing could arise if the
# network remembers which instruments played a note in training, and therefore never chooses a
# combination that was held out. We have not tested this explanation.) From the constant-Q transform,
# the network identifies the pitch class of {glue:text}`cqt_pitch` of the notes and the instrument of
# {glue:text}`cqt_timbre`. For pitch classes, the accuracy is {glue:text}`mel128_pitch` with 128 mel
# bands and {glue:text}`mel48_pitch` with 48 wider bands; without the logarithm, these 48 bands give
# {glue:text}`power_pitch`. The waveform contains all the information, but the network has to learn
# its own filters from a few hundred notes.
#
# ## Which output for which task?
#
# Tasks differ in the *time scale* of their answers, from one answer per frame to one per song, and in
# how closely listeners agree on the answers {cite}`choi2017`. These two properties determine how a
# network should pool its features over time, and with which loss it should be trained.

# %%
mir = networks.mir_tasks()
show_table(
    mir[["answer", "output", "loss"]],
    "outputs",
    "Music information retrieval tasks, each with a suitable output and loss.",
    simulated=False,
)

# %% tags=["hide-input"]
show_figure(
    figures.plot_task_map(mir),
    "map",
    "Tasks by the duration that one prediction covers, and by how subjective the correct answer is "
    "(our own ordering).",
    "Names of tasks in a plane: onsets and pitch at the lower left, tempo and key at the lower "
    "right, genre, tags and groove at the upper right.",
    simulated=False,
)

# %% [markdown]
# In {numref}`fig-map`, groove is at the upper right: there is one answer per song, and listeners
# agree on it only in part ({doc}`01-listeners-and-tracks`). But groove depends on onsets and their
# timing, which are at the lower left. A network that predicts groove must measure timing to within
# milliseconds, and then summarise a whole song.
#
# ## Learning from few labels
#
# ### Change the sound, not the answer
#
# *Augmentation* creates new examples by changing existing ones in a way that does not affect the
# answer. These new examples teach the network what to ignore. Moving the constant-Q transform of a
# chord up by a few rows transposes the chord, and a transposed minor chord is still minor:

# %%
(chord, rate), (other, _), *_ = tasks["chord"].sounds.values()
shift = partial(librosa.effects.pitch_shift, chord, sr=rate)
versions = {
    "a chord": (chord, rate),
    "up 4 semitones": (shift(n_steps=4), rate),
    "up 9 semitones": (shift(n_steps=9), rate),
    "mixed with another chord": (0.7 * chord + 0.3 * other, rate),
}
audio_player(versions)

# %% [markdown]
# No training chord has its root in the octave of the test chords; with random shifts, some training
# chords do. We compare such shifts with two other augmentations. SpecAugment masks a range of bands
# and a range of frames {cite}`park2019`. Mixup computes weighted means of two examples and of their
# answers {cite}`zhang2018`, so the last sound above counts as 70% of one chord and 30% of the other.
# In this comparison, the networks are trained for 60 epochs instead of 15, since augmented examples
# take longer to learn.

# %%
changes = {
    "none": None,
    "shift bands": augmentation.shift_bands,
    "mask": augmentation.mask,
    "mix": partial(augmentation.mixup, n_classes=4),
}
rows = [
    {
        "change": name,
        "accuracy": networks.task_accuracy(
            tasks["chord"], "dense", s, cache, change, epochs=60
        ),
    }
    for name, change in changes.items()
    for s in seeds
]
chords = pd.DataFrame(rows).groupby("change", sort=False)["accuracy"].mean()

# %% [markdown]
# But an augmentation must suit the question. Playing a loop faster or slower (*time stretching*) does
# not change whether it swings, but does change the answer to “how fast is it?”:

# %%
loop, rate = next(iter(tasks["swing"].sounds.values()))
versions = {
    "a loop": (loop, rate),
    "20% faster": (librosa.effects.time_stretch(loop, rate=1.2), rate),
    "20% slower": (librosa.effects.time_stretch(loop, rate=0.8), rate),
}
audio_player(versions)

# %%
time_tasks = {
    "straight or swung?": tasks["swing"],
    "how fast?": listening_tasks.tempo_task(
        round(400 * share), round(320 * share), seed
    ),
}
time_changes = {
    "none": None,
    "stretch time": augmentation.stretch_time,
    "mask": augmentation.mask,
}

# %%
runs = pd.MultiIndex.from_product(
    [time_tasks, time_changes, seeds], names=["question", "change", "seed"]
)
job = delayed(networks.task_accuracy)
options = {"n_train": 60, "epochs": 40, "kernel": (12, 15)}
accuracies = run(
    job(time_tasks[q], "convolution", s, augment=time_changes[c], **options)
    for q, c, s in runs
)
times = pd.Series(accuracies, runs)
times = times.groupby(level=["question", "change"], sort=False).mean()

# %% tags=["hide-input"]
columns = {"which chord? (dense, 400 examples)": chords}
for question in time_tasks:
    columns[f"{question} (convolution, 60 examples)"] = times[question]
show_table(
    pd.concat(columns, axis=1),
    "augmentation",
    f"Accuracy with and without augmentation (mean over {n_seeds} seeds).",
    simulated=False,
)
swings, tempi = times["straight or swung?"], times["how fast?"]
shares = {
    "chord_plain": chords["none"],
    "chord_shifted": chords["shift bands"],
    "swing_plain": swings["none"],
    "swing_stretched": swings["stretch time"],
    "tempo_plain": tempi["none"],
    "tempo_stretched": tempi["stretch time"],
}
report_percentages(shares, n_seeds, tolerance=10)

# %% [markdown]
# On the chord question, the accuracy of the dense network is {glue:text}`chord_plain` without
# shifting and {glue:text}`chord_shifted` with shifting: augmentation can teach a dense network what
# is built into a convolution. Stretching keeps the ratio of long to short notes: the accuracy for
# swing is {glue:text}`swing_plain` without stretching and {glue:text}`swing_stretched` with
# stretching. But it changes the tempo of an example without changing the label: the accuracy for
# tempo is {glue:text}`tempo_plain` without stretching and {glue:text}`tempo_stretched` with
# stretching. Remember this effect if you study groove with a model that was trained with time
# stretching.
#
# ### Borrow a network
#
# A network trained on one task has often learnt features that are useful for another. *Transfer
# learning* keeps the layers of such a network and trains only a small classifier on top of them. Here
# the task is to name the instrument family heard in a three-second phrase, given only a few labelled
# phrases. (The test phrases are new, but their 64 instruments also occur in training: the question is
# how many labels are needed, not how well a network recognises new instruments.) We compare four
# methods:
#
# - a **trained tagger**: logistic regression on the pooled layers of MusiCNN, which was trained to tag
#   songs {cite}`pons2019`;
# - the **same network with random weights**: it has not been trained, but its convolutions and pooling
#   still turn a spectrogram into features {cite}`choi2017`;
# - **MFCC**: logistic regression on mel-frequency cepstral coefficients, a classic description of
#   timbre;
# - a **small convolutional network**, trained from scratch on the labelled phrases.

# %%
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from groove_utils.embed import embed_tracks
from groove_utils.probe import ClippedStandardScaler

# %%
phrases, families, _ = listening_tasks.draw_phrases(n_phrases, seed)
signals = {f"phrase {k:03d}": (phrase, sr) for k, phrase in enumerate(phrases)}
tagger = embed_tracks(signals, "mtt-musicnn").layers["max_pool"]
twin = embed_tracks(signals, "mtt-musicnn-untrained").layers["max_pool"]

# %%
coefficients = librosa.feature.mfcc(y=phrases, sr=sr, n_mfcc=20)
mfcc = np.hstack([coefficients.mean(axis=2), coefficients.std(axis=2)])
power = np.abs(librosa.stft(phrases, hop_length=hop)) ** 2
phrase_mel = librosa.feature.melspectrogram(S=power, sr=sr, n_mels=48)
phrase_mel = librosa.power_to_db(phrase_mel, top_db=80)

# %%
testing = np.arange(n_phrases) >= 0.6 * n_phrases
pool = np.flatnonzero(~testing)
features = {"trained tagger": tagger, "random weights": twin, "MFCC": mfcc}
classifier = LogisticRegression(C=0.1)
model = make_pipeline(ClippedStandardScaler(), PCA(0.99), classifier)
rows = []
for n_labels, s in product((8, 16, 32, 64, 128), range(5)):
    chosen = np.random.default_rng(s).permutation(pool)[:n_labels]
    for name, X in features.items():
        with threadpool_limits(1):  # faster for matrices this small
            model.fit(X[chosen], families[chosen])
        accuracy = model.score(X[testing], families[testing])
        rows.append((name, n_labels, s, accuracy))

# %%
for n_labels in (32, 64, 128):
    for s in range(3):
        chosen = np.random.default_rng(s).permutation(pool)[:n_labels]
        indices = np.r_[chosen, np.flatnonzero(testing)]
        accuracy = networks.holdout_accuracy(
            phrase_mel[indices],
            families[indices],
            testing[indices],
            "convolution",
            s,
            cache,
            epochs=60,
            kernel=(48, 3),
        )
        rows.append(("small convolution", n_labels, s, accuracy))
curves = pd.DataFrame(rows, columns=["features", "labels", "seed", "accuracy"])

# %% tags=["hide-input"]
show_figure(
    figures.plot_label_curves(curves, "labels", "Labelled phrases", chance=1 / 8),
    "labels",
    "Accuracy of naming the instrument family, by number of labelled phrases: mean and range over "
    "five draws of the training phrases (small convolution: three). Grey line: guessing.",
    "Four rising curves: the trained tagger on top at every number of labels, random weights "
    "below it, MFCC and the small convolution lowest.",
    table=curves,
    simulated=False,
)
mean = curves[curves["labels"] == 64].groupby("features")["accuracy"].mean()
shares = {"tagger_64": mean["trained tagger"], "random_64": mean["random weights"]}
shares["small_64"] = mean["small convolution"]
report_percentages(shares, tolerance=10)

# %% [markdown]
# With 64 labels, the trained tagger classifies {glue:text}`tagger_64` of the phrases correctly. The
# same network with random weights classifies {glue:text}`random_64` correctly, and the small
# convolutional network, which had to learn everything from those 64 phrases, {glue:text}`small_64`.
# The effect of training is the difference between the tagger's accuracy and that of the network with
# random weights, not the tagger's accuracy alone: convolutions and pooling are useful even before
# anything is learnt. From {doc}`05-embeddings` on, pretrained models are therefore compared with
# their {term}`untrained twins <untrained twin>`.
#
# ## How to fool yourself
#
# We use twelve loops by each of 24 bands (here, groups of musicians), and call half of them “good”.
# The good bands are drawn at random, so the sound of a new band cannot show whether it is good, and
# the expected accuracy is one half. We repeat the draw several times, and train the same kind of
# network each time. We compute the accuracy of these networks in five ways:

# %%
X, bands = listening_tasks.draw_band_loops(24, 12, seed)


# %%
def toss(s):
    order = np.random.default_rng(s).permutation(24)
    good, others = order[:12], order[12:]
    new_bands = np.concatenate([good[:4], others[:4]])
    return np.isin(bands, good).astype(int), np.isin(bands, new_bands)


# %%
def all_tosses(by_band=True, **options):
    jobs = []
    for s in range(n_tosses):
        labels, held_out = toss(s)
        if not by_band:
            held_out = np.random.default_rng(s).random(len(X)) < 1 / 3
        job = delayed(networks.holdout_accuracy)
        jobs.append(job(X, labels, held_out, "convolution", s, **options))
    return run(jobs)


# %% [markdown]
# - **Honest**: whole bands, half of them good, are held out for testing, and all settings are fixed in
#   advance.
# - **Split by clip**: about a third of the loops are held out at random, so loops by the same band are
#   in both the training set and the test set.
# - **Early stopping on the test set**: the network is trained for different numbers of epochs, and
#   only the best test result of each draw is reported.
# - **Best of all**: only the best of the honest runs is reported.
# - **Scaled with the test set**: the features are scaled using a mean and a standard deviation
#   computed from all loops, including the test loops.

# %%
honest = all_tosses()
by_clip = all_tosses(by_band=False)
stopped = np.max([all_tosses(epochs=n) for n in (2, 5, 10, 15)], axis=0)
leaked = all_tosses(scale_on_all=True)

# %%
ways = pd.Series(
    {
        "honest": np.mean(honest),
        "split by clip": np.mean(by_clip),
        "early stopping on the test set": np.mean(stopped),
        "best of all": np.max(honest),
        "scaled with the test set": np.mean(leaked),
    },
    name="accuracy",
)
half_width = stats.t.ppf(0.975, n_tosses - 1) * stats.sem(honest)

# %% tags=["hide-input"]
show_table(
    ways.rename_axis("way").to_frame(),
    "fooled",
    "Accuracy for random labels, by method of testing. The expected accuracy for new bands is 0.50.",
    simulated=False,
)
row = {"estimate": ways["honest"]}
row |= {"low": ways["honest"] - half_width, "high": ways["honest"] + half_width}
report_effects({"honest": row}, n_tosses, scale=100, fmt=".0f", unit="%", tolerance=10)
keys = ["clip_split", "stopped", "best_run", "leaked"]
report_percentages(dict(zip(keys, ways.iloc[1:])), tolerance=10)

# %% [markdown]
# With whole bands held out, the mean accuracy is {glue:text}`honest_full`. With a split by clip, the
# mean accuracy is {glue:text}`clip_split`, although the labels are random, because the network
# recognises the bands. Choosing the number of epochs on the test set gives an accuracy of
# {glue:text}`stopped`, and reporting only the best honest run gives {glue:text}`best_run`. Scaling
# with the test set gives an accuracy of {glue:text}`leaked`. A mean over hundreds of loops depends
# little on the test loops among them, but it is easier to avoid such a leak of information from the
# test set than to argue that it is harmless.
#
# To avoid such errors, the following chapters hold out whole artists, choose layers and penalties in
# inner folds, and report means with intervals.
#
# ## What could be wrong here
#
# - **Rendered sounds are tidy.** Real recordings contain noise, reverberation and voices. The
#   *ranking* of the modules on a question may carry over to recordings; the percentages will not.
# - **Small networks.** Each module was tested at one size. A module that failed may succeed with more
#   layers: depth or pooling can add a property that another module has by design.
# - **One way of training.** All modules were trained with the same optimiser, the same learning rate
#   and the same small number of epochs. A module that learns slowly looks worse here than it is.
# - **The intervals are computed over seeds.** They reflect the role of chance in training, but not
#   that of the choice of examples and questions.
#
# ## Exercises
#
# ```{exercise} Help the convolution, and break the dense network
# :label: ex-place
#
# The convolution failed on the tom question. Give the convolution a way to distinguish positions:
# pass `kernel=(72, 1)`, a kernel as tall as the input. Why does this help, and which other module
# does the network now resemble? Then break the dense network: rotate the spectrum of each example by
# a random number of bands (`np.roll`), drawn separately for each example, and train the network
# again. How accurate is it now?
# ```
#
# ```{solution-start} ex-place
# :class: dropdown
# ```

# %% tags=["solution"]
tom = tasks["tom"]
shifts = np.random.default_rng(0).integers(0, 72, len(tom.X))
rolled = np.stack([np.roll(x, k, axis=0) for x, k in zip(tom.X, shifts)])
moved_toms = replace(tom, X=rolled)
(
    networks.task_accuracy(tom, "convolution", seed, cache, kernel=(72, 1)),
    networks.task_accuracy(moved_toms, "dense", seed, cache),
)

# %% [markdown]
# A kernel as tall as the input fits at only one position, so the convolution now works like a dense
# layer. The four toms differ in position, and the random shifts erase this difference. Small
# differences in shape remain, but a dense network would have to learn them separately at every
# position. The accuracy of the dense network falls to slightly above chance level.
#
# ```{solution-end}
# ```
#
# ```{exercise} Break the recurrent network
# :label: ex-order
#
# Shuffle the frames of each loop of the swing question, in a different random order for each loop,
# and train the recurrent network again. What information is left?
# ```
#
# ```{solution-start} ex-order
# :class: dropdown
# ```

# %% tags=["solution"]
draws = np.random.default_rng(0).random((len(swing.X), 1, swing.X.shape[2]))
order = np.argsort(draws)
shuffled = replace(swing, X=np.take_along_axis(swing.X, order, axis=2))
networks.task_accuracy(shuffled, "recurrent", seed, cache)

# %% [markdown]
# The times between strokes are lost, and the accuracy falls to about chance level. All information
# that does not depend on the order of the frames, such as how many strokes there are, how strong they
# are and which drums are struck, is still there.
#
# ```{solution-end}
# ```
#
# ```{exercise} Stretch until it no longer swings
# :label: ex-stretch
#
# Stretch a swung loop to half and to twice its speed with `librosa.effects.time_stretch`, and listen.
# Would you still call it swung? Choose the largest factor that you would allow, and measure how
# augmentation with factors up to this one affects the accuracy of the network.
# ```
#
# ```{solution-start} ex-stretch
# :class: dropdown
# ```

# %% tags=["solution"]
stretch = partial(augmentation.stretch_time, most=1.0)
networks.task_accuracy(
    swing, "convolution", seed, cache, augment=stretch, kernel=(12, 15)
)

# %% [markdown]
# Only listening can tell you whether a stretched loop still swings; the measurement shows only
# whether the network still learns the label that you gave the loop.
#
# ```{solution-end}
# ```
#
# ```{exercise} Break attention
# :label: ex-attention
#
# Permute the bars in the examples of the repeat question, so that the last bar comes first:
# `repeat.X[:, :, [5, 0, 1, 2, 3, 4]]`. How would the network have to change to give the right answers
# again?
# ```
#
# ```{solution-start} ex-attention
# :class: dropdown
# ```

# %% tags=["solution"]
moved = replace(repeat, X=repeat.X[:, :, [5, 0, 1, 2, 3, 4]].copy())
networks.task_accuracy(moved, "attention", seed, cache)

# %% [markdown]
# Only the query of the last frame is used, and the last frame now belongs to bar 5. The query should
# come from the bar that is now first: compute the query of every frame, and use the output of the
# first frame.
#
# ```{solution-end}
# ```
#
# **An open question**: attention failed on swing. Is this because only the query of the last frame is
# used? Change `AttentionClassifier.forward` so that the queries of all frames are used and the outputs
# are averaged.
#
# ## Summary
#
# **Asked**: what each module can recognise. **Found**: at this size, a module that suits a question
# is far more accurate than one that does not; the table below {numref}`fig-modules` lists the
# verdicts. Other choices mattered, too: a wider receptive field, for example, changed the accuracy of
# a convolution on the swing question from {glue:text}`narrow_field` to {glue:text}`wide_field`.
# **True by construction**: the answers were built into the sounds. **What would change our mind**: a
# single module of the same size that learns to answer all four questions from equally few examples.
#
# **Next:** {doc}`04-descriptors` describes groove with formulas that need no training.
