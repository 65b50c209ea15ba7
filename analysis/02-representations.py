# %% [markdown] tags=["needs-audio"]
# # What does a groove look like to a machine?
#
# A recording is a long series of numbers, which give the position of a loudspeaker's cone tens of
# thousands of times per second. No one hears sound as such a series, and few models use the numbers
# directly. Most models read a *representation* computed from the recording, and no model can use what
# its representation leaves out. In this chapter, we look at two songs in eight representations. Then
# we reconstruct the sound from each representation, and listen for what has been lost.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** which properties of a sound each representation keeps and which it loses
# (waveform, STFT, mel and log-mel spectrogram, constant-Q transform, chromagram, tempogram and onset
# strength); how each representation is computed; which tasks it suits; and why phase, loudness and
# sample rate matter. The selection of topics follows {cite:t}`choi2017`.
#
# **You need** to know what a frequency is. Headphones help.
#
# **Run time**: {run-time}`02-representations`, measured when this page was built. **Modules**:
# `groove_utils.audio.representations`, `groove_utils.audio.inversion`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
songs = []  # two track ids; if empty: from the first and the last style
seconds = 8  # duration of each excerpt
n_iter = 32  # iterations of the Griffin–Lim algorithm, which estimates phases

# %%
import librosa
import numpy as np
import pandas as pd
from scipy.signal import find_peaks

from groove_utils import descriptors, figures
from groove_utils.audio import (
    inversion,
    load_audio,
    measure_loudness,
    representations,
    resample,
)
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_texts,
    report_value,
    show_figure,
    show_table,
)

chapter = open_chapter("02-representations", study)
data = chapter.study

# %% [markdown]
# ## Two songs
#
# Listen first; both songs are played at the same loudness. Which of them makes you want to move, and
# why?

# %%
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
last = data.tracks["track_id"].iloc[-1]  # used if there is only one style
tracks = songs or [first.iloc[0], first.iloc[-1] if len(first) > 1 else last]
names = [data.song_names[track] for track in tracks]

# %%
sr = 22050
paths = [data.audio_path(track) for track in tracks]
clips = [load_audio(path, sr=sr)[0][: seconds * sr] for path in paths]
sounds = dict(zip(names, clips))
audio_player({name: (y, sr) for name, y in sounds.items()})

# %% tags=["hide-input"]
report_texts(first=names[0], second=names[1])
report_value("rate", sr, fmt=",.0f")

# %% [markdown]
# We use the first few seconds of each song, mixed to one channel, at {glue:text}`rate` samples per
# second.
#
# ## From samples to a spectrogram
#
# The **short-time Fourier transform** (STFT) cuts the signal $x$ into overlapping windows of $N$
# samples, which start every $H$ samples (the *hop length*), and measures the strength of each
# frequency in each window:
#
# $$ X[k, m] = \sum_{n=0}^{N-1} x[n + mH] \, w[n] \, e^{-2 \pi i k n / N} $$
#
# Here $k$ is the index of the frequency, $m$ is the index of the window, and $w$ is a window function
# that fades in and out. In librosa, a single call computes the STFT. To see what it does, we compute
# one column by hand:

# %%
y, n_fft, hop = sounds[names[0]], 2048, 256
X = librosa.stft(y, n_fft=n_fft, hop_length=hop)

m = X.shape[1] // 2  # column m is centred on sample m * hop
frame = y[m * hop - n_fft // 2 : m * hop + n_fft // 2]
window = librosa.filters.get_window("hann", n_fft)
np.allclose(np.fft.rfft(window * frame), X[:, m], atol=1e-3)

# %% [markdown]
# In a picture of $|X|$, a drum stroke appears as a vertical line, because it is short and contains
# all frequencies. A held note appears as a set of horizontal lines, one for each harmonic.
#
# The **mel spectrogram** sums the power of the STFT within bands $F_b$ that become wider towards
# higher frequencies, like the critical bands of the ear. The **log-mel spectrogram** $L$ converts the
# mel spectrogram $M$ to decibels, because we hear ratios of power, not differences:
#
# $$ M[b, m] = \sum_k F_b[k] \, |X[k, m]|^2, \qquad
# L[b, m] = 10 \, \log_{10} \frac{M[b, m]}{\max M} $$

# %%
power = np.abs(X) ** 2
mel = librosa.filters.mel(sr=sr, n_fft=n_fft, n_mels=96) @ power
log_mel = librosa.power_to_db(mel, ref=np.max, top_db=80)

# %% [markdown]
# The **constant-Q transform** (CQT) has one row per semitone: row $k$ measures the frequency $f_k =
# f_0 \, 2^{k/12}$, and its window gets shorter as the frequency rises. If a melody is transposed, its
# pattern in the CQT moves up or down without changing its shape. The **chromagram** adds up all
# octaves of a spectrogram (here, of the STFT) and has twelve rows, one per pitch class (a note name,
# in whatever octave).

# %%
cqt = np.abs(librosa.cqt(y, sr=sr, hop_length=hop, n_bins=84))
chroma = librosa.feature.chroma_stft(S=power, sr=sr)

# %% [markdown]
# **Onset strength** $o$ is a single curve: the rise of the log-mel spectrogram from one column to the
# next, averaged over bands. This curve loses melody, chords and timbre, but keeps the rhythm. The
# **tempogram** is the autocorrelation of the onset strength (its correlation with delayed copies of
# itself) within a moving window. For each moment, it shows the tempi at which the onsets recur. The
# onset strength is computed as follows:
#
# $$ o[m] = \frac{1}{B} \sum_{b=1}^{B} \max(0, \, L[b, m] - L[b, m - 1]) $$

# %%
strength = librosa.onset.onset_strength(S=log_mel, sr=sr, hop_length=hop)
rise = np.maximum(0, np.diff(log_mel, axis=1)).mean(axis=0)
shift = 1 + n_fft // (2 * hop)  # librosa delays the curve by half a window
np.allclose(strength[shift:], rise[: len(strength) - shift], atol=1e-3)

# %%
rate = {"sr": sr, "hop_length": hop}
tempogram = librosa.feature.tempogram(onset_envelope=strength, **rate)

# %% [markdown]
# The function `representations.represent` computes all of these. The next cell checks that its
# log-mel spectrogram matches the one computed above:

# %%
views = {name: representations.represent(y, sr) for name, y in sounds.items()}
np.allclose(views[names[0]]["log-mel"].array, log_mel, atol=1e-3)

# %% [markdown]
# ## Eight representations
#
# {numref}`fig-eight` shows two seconds of each song. Brighter pixels mean larger values; the
# frequency axes are logarithmic. Thin lines mark the beats that `groove_utils.descriptors` estimated
# from the onset strength. Before reading on, find the bass drum in as many rows of the figure as you
# can.

# %%
spectra = {name: descriptors.analyse(y, sr) for name, y in sounds.items()}
curves = {name: descriptors.onset_strength(s) for name, s in spectra.items()}
regions = {name: descriptors.region_strength(s) for name, s in spectra.items()}
grids = {
    name: descriptors.estimate_grid(curves[name], regions[name], s.hop)
    for name, s in spectra.items()
}

# %% tags=["hide-input"]
beats = {name: grid.beats for name, grid in grids.items() if grid}
show_figure(
    figures.plot_representations(views, (2, 4), beats),
    "eight",
    "Two seconds of two songs in eight representations. Thin lines: estimated beats.",
    "Eight rows of pictures for two songs: a spiky waveform, spectrograms with vertical "
    "stripes at strokes and, in the last row, a curve with sharp peaks, many of them on beats.",
)

# %% [markdown]
# A bass-drum stroke appears as a bright patch below about 100 Hz in the STFT, the mel spectrograms
# and the CQT. In the waveform and in the onset strength, it appears as a peak that looks like that of
# any other instrument; in the chromagram and the tempogram, no individual drum can be recognised.
#
# The **waveform** is the sound itself. Strokes appear as spikes, but the picture does not show which
# instrument is struck. In the **mel spectrogram**, which shows power on a linear scale, only the
# loudest bass notes are visible. Most networks therefore read the **log-mel spectrogram** instead.
#
# ## Precise in time, or in frequency?
#
# An STFT has two settings, the window length and the hop length. A long window separates frequencies
# that are close together but smears a stroke over its whole length; a short window does the opposite.
# No window is precise in both time and frequency: for a given window shape, the product of the
# window's widths in time and in frequency is constant ({numref}`tab-resolution`).

# %%
sizes = [256, 1024, 4096]
widths = [representations.window_resolution(n, sr) for n in sizes]
widths = pd.DataFrame(widths, columns=["ms", "Hz"], index=sizes)
widths["product"] = widths["ms"] * widths["Hz"]
widths["ms"] *= 1000

# %% tags=["hide-input"]
show_table(
    widths.rename_axis("window (samples)"),
    "resolution",
    "Width at half power of a click (in time) and of a sine wave (in frequency), by length of the "
    "Hann window.",
    fmt="{:.3g}",
)


# %%
def stft(n_fft, hop):
    y = sounds[names[0]]
    return representations.represent(y, sr, n_fft=n_fft, hop_length=hop)["STFT"]


windows = {f"window {n}, hop 64": stft(n, 64) for n in sizes}
hops = {f"window 1024, hop {hop}": stft(1024, hop) for hop in (128, 512, 2048)}

# %% tags=["hide-input"]
show_figure(
    figures.plot_spectrograms([windows, hops], (2, 3), top=3000),
    "windows",
    "STFT of one second of the first song. Top row: three windows, one hop. Bottom row: three "
    "hops, one window.",
    "Six spectrograms. In the top row, thin vertical lines give way to thin horizontal ones as the "
    "window grows; in the bottom row, columns widen with the hop until strokes are lost.",
)
sixteenth = 15000 / (grids[names[0]].tempo if grids[names[0]] else 120)
report_value("sixteenth", sixteenth, fmt=".0f", unit=" ms")
report_value("short_ms", widths["ms"].iloc[0], fmt=".0f", unit=" ms")
report_value("long_ms", widths["ms"].iloc[-1], fmt=".0f", unit=" ms")
report_value("long_hz", widths["Hz"].iloc[-1], fmt=".0f", unit=" Hz")
report_value("short_hz", widths["Hz"].iloc[0], fmt=".0f", unit=" Hz")
report_value("coarse_hop", 2048 / sr * 1000, fmt=".0f", unit=" ms")

# %% [markdown]
# A window of 256 samples shows when a stroke occurs to within {glue:text}`short_ms` but smears each
# frequency over {glue:text}`short_hz`. A window of 4096 samples separates tones that are
# {glue:text}`long_hz` apart, but smears a stroke over {glue:text}`long_ms`. A sixteenth note of the
# first song lasts {glue:text}`sixteenth`, and the {term}`microtiming` that drummers care about is on
# a scale of about a tenth of this duration.
#
# The **hop length** determines how often a window is taken, but not how long each window is. With a
# hop of 2048 samples, there is one column every {glue:text}`coarse_hop`, and no model can recover
# finer rhythmic detail from these columns.
#
# ## Which task needs which representation?
#
# {cite:t}`choi2017` sort the tasks of music information retrieval by what they need from a
# representation. {numref}`tab-tasks` lists what each representation keeps and loses, the tasks that it
# suits, and its size.

# %%
table = representations.representation_table()
arrays = {kind: view.array for kind, view in views[names[0]].items()}
length = len(sounds[names[0]]) / sr
rates = [round(arrays[kind].size / length) for kind in table.index]
table.insert(0, "numbers per second", rates)
table.insert(1, "rows", [len(arrays[kind]) for kind in table.index])

# %% tags=["hide-input"]
show_table(
    table,
    "tasks",
    "What each representation keeps and loses, the tasks that it suits, and its size in this chapter.",
)

# %% [markdown]
# If a small representation keeps what a task needs, a model that reads it can learn the task from
# fewer songs. A larger representation is not always better: what the STFT contains beyond the mel
# spectrogram is mostly fine pitch detail, which is of little use for tagging songs (labelling them
# with a genre or a mood, for example).
#
# ## Hear what is left
#
# Now we set the recording aside and reconstruct a plausible sound from each representation. Each
# value of an STFT is a complex number, with a magnitude and a phase, but often only the magnitudes
# are known. The Griffin–Lim algorithm {cite}`griffin1984` starts from random phases and computes a
# sound. It then combines the phases of this sound's STFT with the given magnitudes, computes a new
# sound, and repeats these steps:

# %%
estimate = librosa.griffinlim(
    np.abs(X), n_iter=n_iter, n_fft=n_fft, hop_length=hop, random_state=seed
)
audio_player({"original": (y, sr), "from its magnitudes alone": (estimate, sr)})

# %% [markdown]
# For the other representations, the reconstruction needs one more step: the power of a mel band is
# spread over the frequencies in that band; the chromagram is played with Shepard tones
# {cite}`shepard1964`, which contain all octaves at once; and the onset strength controls the level of
# white noise.

# %%
reconstructed = {}
for name, y in sounds.items():
    reconstructed[name] = inversion.invert(y, sr, n_iter=n_iter, seed=seed)
    reconstructed[name]["onset strength"] = inversion.from_onsets(
        curves[name], spectra[name].hop, y.size, sr, seed
    )


# %%
def listen(name):
    by_kind = reconstructed[name]
    versions = {f"from {kind}": (sound, sr) for kind, sound in by_kind.items()}
    audio_player({"original": (sounds[name], sr)} | versions)


listen(names[0])

# %% [markdown]
# The sounds above were reconstructed from “{glue:text}`first`”, and the sounds below from
# “{glue:text}`second`”:

# %%
listen(names[1])

# %% [markdown]
# Listen first, then look at the numbers. {numref}`fig-losses` shows four measures of agreement between
# a reconstruction and the original, after both have been set to the same level. *Samples* is the energy
# of the original divided by the energy of the difference, in decibels; for two unrelated sounds, this
# ratio is about −3 dB. *Spectrum* is the norm of the difference between the STFT magnitudes, divided by
# the norm of the original magnitudes; for identical sounds, this error is 0. *Rhythm* is the
# correlation of the onset strengths: it is high if the strokes of both sounds occur at the same times
# and with the same relative strengths. *Harmony* is the correlation of the chromagrams: it is high if
# the same pitch classes sound at the same times.

# %%
losses = pd.DataFrame(
    {"song": name, "made_from": kind}
    | inversion.reconstruction_error(sounds[name], sound, sr)
    for name in names
    for kind, sound in reconstructed[name].items()
)

# %% tags=["hide-input"]
show_figure(
    figures.plot_losses(losses),
    "losses",
    "Agreement of reconstructed sounds with the original, for two songs. In the second panel, lower "
    "is better; in the others, higher is better.",
    "Dot plots of four measures for seven reconstructions: only the CQT with its phase matches "
    "the samples; spectrograms keep the rhythm, chroma does not; most keep the harmony.",
    table=losses,
)
mean = losses.groupby("made_from")[
    ["waveform_db", "spectrum", "rhythm", "harmony"]
].mean()
report_value("stft_db", mean.loc["STFT", "waveform_db"], fmt=".1f", unit=" dB")
report_value("stft_spectrum", mean.loc["STFT", "spectrum"])
report_value("mel_rhythm", mean.loc["mel (24 bands)", "rhythm"])
report_value("mel_harmony", mean.loc["mel (24 bands)", "harmony"])
report_value("chroma_rhythm", mean.loc["chroma", "rhythm"])
report_value("chroma_harmony", mean.loc["chroma", "harmony"])
report_texts(
    opposites="have opposite strengths"
    if mean.loc["chroma", "harmony"] > mean.loc["mel (24 bands)", "harmony"]
    and mean.loc["chroma", "rhythm"] < mean.loc["mel (24 bands)", "rhythm"]
    else "do not have opposite strengths"
)

# %% [markdown]
# First, **two signals can sound alike even though their samples differ**. For the sounds
# reconstructed from STFT magnitudes, the mean agreement of the samples is {glue:text}`stft_db`,
# because the reconstructed phases differ from the original ones (for unrelated sounds, the agreement
# would be about −3 dB). The mean spectrum error is {glue:text}`stft_spectrum`. Which of the two
# numbers better matches what you heard?
#
# Second, **each representation loses something different**. For the sounds reconstructed from 24 mel
# bands, the mean correlation with the original is {glue:text}`mel_rhythm` for rhythm and
# {glue:text}`mel_harmony` for harmony. For the sounds reconstructed from the chromagram, the mean
# correlation is {glue:text}`chroma_rhythm` for rhythm and {glue:text}`chroma_harmony` for harmony. For
# these songs, the two representations {glue:text}`opposites`.
#
# ## Does phase matter, then?
#
# If phases can be estimated, do we need to keep them? Here we keep the magnitudes and replace the
# phases with random numbers: first in windows of 256 samples, then in longer windows, and finally in
# a single window as long as the sound. The magnitude spectrum of this last sound is *exactly* that of
# the original.

# %%
y = sounds[names[0]]
lengths = {"256": 256, "2048": 2048, "32,768": 32768, "the whole sound": None}
randomised = {}
for length, n in lengths.items():
    randomised[length] = inversion.randomise_phase(y, n_fft=n, seed=seed)
shown = {f"random phases, window: {k}": (x, sr) for k, x in randomised.items()}
audio_player(shown)

# %%
errors = [inversion.reconstruction_error(y, x, sr) for x in randomised.values()]
phase = pd.DataFrame(errors, index=randomised)[["rhythm", "harmony"]]

# %% tags=["hide-input"]
show_table(
    phase.rename_axis("window"),
    "phase",
    "The first song with random phases: correlation of its onset strength (rhythm) and of its "
    "chromagram (harmony) with those of the original.",
)
report_value("whole_rhythm", phase.loc["the whole sound", "rhythm"])
report_value("short_rhythm", phase.loc["256", "rhythm"])

# %% [markdown]
# When the phases are randomised in a single window as long as the sound, the correlation of the onset
# strengths is {glue:text}`whole_rhythm`: the pitches remain, but the groove is gone. With windows of
# 256 samples, the correlation is {glue:text}`short_rhythm`. Within a window, only the phase encodes
# *when* something happens. A magnitude spectrogram shows rhythm because its windows are short.
#
# ## Why songs are matched in loudness
#
# A louder copy of a song is the same song, but its RMS level (the root mean square of the samples),
# its spectral flux (the change of the spectrum from one frame to the next) and all values of its mel
# spectrogram are larger. All values of its log-mel spectrogram are larger by the same number of
# decibels, unless they are measured relative to the maximum, as they were above. Songs are therefore
# set to the same loudness before they are compared. Loudness is not the same as power, because the
# ear is less sensitive to low frequencies. The broadcasting standard BS.1770 {cite}`itu1770`
# therefore filters the signal before measuring its power, and leaves out silent passages. The unit is
# LUFS (loudness units relative to full scale). These three tones have the same power:

# %%
t = np.arange(2 * 44100) / 44100
tones = {}
for f in (50, 500, 3000):
    tones[f"{f} Hz"] = np.float32(0.2 * np.sin(2 * np.pi * f * t)), 44100
audio_player(tones, match=False)

# %%
signals = tones | {name: (y, sr) for name, y in sounds.items()}
levels = pd.DataFrame(index=pd.Index(signals, name="sound"))
powers = [np.mean(y**2) for y, _ in signals.values()]
levels["RMS (dB)"] = 10 * np.log10(powers)
levels["LUFS"] = [measure_loudness(y, rate) for y, rate in signals.values()]
levels["difference"] = levels["LUFS"] - levels["RMS (dB)"]

# %% tags=["hide-input"]
show_table(
    levels,
    "loudness",
    "Power (RMS, in dB relative to full scale) and loudness of the three tones and the two songs.",
    fmt="{:.1f}",
)

# %% [markdown]
# All audio players in this book match their sounds in loudness, except for the player with the three
# tones. Does the level of a recording contribute to its groove? {cite:t}`stupacher2016` found that
# the level had no effect on groove, but that its *variability* did.
#
# ## What a low sample rate removes
#
# At a sample rate of $r$ samples per second, a signal can contain frequencies up to $r/2$. Most
# models in {doc}`05-embeddings` work at 16 kHz. What would be lost at 8 kHz? Listen to the cymbals.
# For the third sound, samples were dropped without filtering the sound first, so high frequencies
# reappear as lower ones. This error is called *aliasing*; a filter before resampling prevents it.

# %%
full, full_sr = load_audio(data.audio_path(tracks[0]))
full = full[: seconds * full_sr]
versions = {f"{full_sr} Hz": (full, full_sr)}
versions["8000 Hz"] = (resample(full, full_sr, 8000), 8000)
versions["every 5th sample, no filter"] = (full[::5], full_sr // 5)
audio_player(versions)

# %%
power = np.abs(np.fft.rfft(full)) ** 2
above = np.fft.rfftfreq(full.size, 1 / full_sr) > 4000
bands = descriptors.region_strength(descriptors.analyse(full, full_sr))
onsets = {
    region: len(descriptors.detect_onsets(curve, hop=0.005)[0])
    for region, curve in bands.items()
}

# %% tags=["hide-input"]
share_high = 100 * onsets["high"] / max(sum(onsets.values()), 1)
report_value("energy_above", 100 * power[above].sum() / power.sum(), unit="%")
report_value("share_high", share_high, fmt=".0f", unit="%")

# %% [markdown]
# Only {glue:text}`energy_above` of the energy of the first song is above 4 kHz. But when onsets are
# detected separately in three regions of the spectrum, {glue:text}`share_high` of them are in the
# region above 3.2 kHz. The hi-hat is quiet, but it carries much of the pulse.
#
# ## Where the groove is visible
#
# {numref}`fig-bar` shows the onset strength in three regions of the spectrum for each sixteenth note
# of the bar, averaged over all bars. The result resembles drum notation: bass drum and bass are in
# the lowest region and the hi-hat in the highest. The middle region contains the strokes of all
# instruments. A tall column in the middle region without one in the lowest region indicates a snare
# stroke; in most rock music, the snare is struck on beats 2 and 4. A tall column *between* the beats,
# followed by a lower column on the next beat, is what {doc}`04-descriptors` counts as
# {term}`syncopation`.

# %%
by_song = {
    name: descriptors.bar_profile(regions[name], grid, spectra[name].hop)
    for name, grid in grids.items()
}
profiles = pd.concat(by_song, names=["song"]).reset_index(level="song")
labels = {"high": "> 3.2 kHz", "mid": "0.1–3.2 kHz", "low": "< 100 Hz"}
profiles["region"] = profiles["region"].map(labels)

# %% tags=["hide-input"]
show_figure(
    figures.plot_bar_profiles(profiles),
    "bar",
    "Onset strength in three regions, averaged over the bars of each song; each panel has its "
    "own scale. Lines: beats.",
    "Three rows of sixteen columns for two songs. Most tall columns are on beats; between "
    "the beats, the two songs differ, especially in the lowest region.",
    table=profiles,
)

# %% [markdown]
# ## What could be wrong here
#
# - **A good reconstruction proves that information is there, not that a model uses it.** A log-mel
#   spectrogram shows the rhythm, but a model that averages the spectrogram over time loses the
#   rhythm.
# - **A bad reconstruction proves less than it seems to.** Another algorithm might reconstruct more from
#   the same chromagram.
# - **There are only two songs.** We simply took the first song in each of two styles, but two songs
#   are a small sample.
# - **The beats were estimated.** Where the beat tracker is wrong, {numref}`fig-bar` is wrong too.
#   {doc}`04-descriptors` measures how often the tracker is wrong.
#
# ## Exercises
#
# ```{exercise} Few mel bands
# :label: ex-bands
#
# How few mel bands are enough to recognise the groove? Reconstruct the first song from 96, 24, 8 and 2
# bands with `inversion.from_mel(y, sr, n_mels=...)`, and listen.
# ```
#
# ```{solution-start} ex-bands
# :class: dropdown
# ```

# %% tags=["solution"]
from_bands = {
    f"{n} bands": (inversion.from_mel(y, sr, n_mels=n, n_iter=n_iter, seed=seed), sr)
    for n in (96, 24, 8, 2)
}
audio_player(from_bands)

# %% [markdown]
# Eight bands are enough to tell bass drum, snare and hi-hat apart. With two bands, you still hear
# *when* something is struck, but hardly *what*. Chords need far more bands than rhythm does. To predict
# groove, a model needs little resolution in frequency but high resolution in time.
#
# ```{solution-end}
# ```
#
# ```{exercise} A hop longer than the window
# :label: ex-hop
#
# Suppose that the hop is longer than the window: `n_fft=512, hop_length=2048`. Which samples belong to
# at least one window? Play only these samples. What do you expect, and what do you hear?
# ```
#
# ```{solution-start} ex-hop
# :class: dropdown
# ```

# %% tags=["solution"]
in_window = np.arange(len(y)) % 2048 < 512
fragments = np.where(in_window, y, 0)
audio_player({"original": (y, sr), "in a window": (fragments, sr)})

# %% [markdown]
# Three quarters of the samples do not belong to any window. The STFT contains no information about
# these samples, and no algorithm can restore them. What is left is a series of short fragments. In
# practice, the hop is therefore shorter than the window, often a quarter of its length.
#
# ```{solution-end}
# ```
#
# ```{exercise} Bands of the tempogram
# :label: ex-tempogram
#
# The tempogram has bright bands at several tempi at once. From the estimated tempo,
# `grids[names[0]].tempo`, predict the tempi at which these bands lie. Then average the tempogram over
# time, and find its five highest peaks with `scipy.signal.find_peaks`.
# ```
#
# ```{solution-start} ex-tempogram
# :class: dropdown
# ```

# %% tags=["solution"]
view = views[names[0]]["tempogram"]
strength = view.array.mean(axis=1)
peaks = find_peaks(strength)[0]
highest = peaks[strength[peaks].argsort()[::-1][:5]]
view.rows[highest].round(1)  # beats per minute

# %% [markdown]
# A pattern that recurs after one eighth note also recurs after two, three, four and five eighth
# notes. If a song has a stroke on every eighth note, the bands of its tempogram therefore lie at the
# rate of the eighth notes, which is twice the tempo, and at a half, a third, a quarter and a fifth of
# this rate. A tempo estimator must choose among these bands. When an estimated tempo is wrong, it is
# therefore usually off by a factor of two, and sometimes by a factor of 3/2.
#
# ```{solution-end}
# ```
#
# ## Summary
#
# **Asked**: which aspects of a groove does each representation keep? **Found**: log-mel spectrograms
# keep strokes and timbre, the CQT keeps notes, chroma keeps chords, and onset strength keeps only the
# rhythm. A longer window is less precise in time and more precise in frequency, and the hop limits
# how fine a rhythm can be represented. Songs can be compared only at the same loudness and sample
# rate. **True in the simulation**: the drum pattern of a simulated song is known from its score, and
# {numref}`fig-bar` should show this pattern. **What would change our mind**: songs whose rhythm
# consists of changes in pitch or timbre rather than of strokes. For such songs, onset strength would
# not keep the information that matters.
#
# **Next:** {doc}`03-networks` asks what a network can learn from such representations.
# {doc}`04-descriptors` reduces songs to single numbers and asks how well these predict groove.
