# %% [markdown] tags=["needs-audio"]
# # What does a groove look like to a machine?
#
# A recording is a long row of numbers: the position of a loudspeaker's cone, tens of thousands of
# times a second. Nobody hears it so, and few models read it so. Between the sound and the model
# stands a *representation*, a picture of the sound, and whoever chooses it decides what the model
# can still notice. In this chapter we look at two songs through eight such pictures. Then we throw
# the sound away, make it again from each picture, and listen to what is gone.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** what waveform, STFT, mel spectrogram, constant-Q transform, chromagram,
# tempogram and onset strength keep of a sound and what they lose, which tasks want which, and what
# phase, loudness and sample rate have to do with it. The syllabus is that of {cite:t}`choi2017`.
#
# **You need** no more than the idea of a frequency. Headphones help.
#
# **It runs** in about half a minute. Modules: `groove_utils.audio.representations`,
# `groove_utils.audio.inversion`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
songs = []  # two track ids; empty: the first song of the first and of the last style
seconds = 8  # how much of each song
n_iter = 32  # rounds of guessing phases

# %%
import numpy as np
import pandas as pd

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
    report_text,
    report_value,
    show_figure,
    show_table,
)

chapter = open_chapter("02-representations", study)
data = chapter.study

# %% [markdown]
# ## Two songs
#
# Listen first, both at the same loudness. Which of them makes you move, and what in it?

# %%
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
last = data.tracks["track_id"].iloc[-1]  # where there is only one style
tracks = songs or [first.iloc[0], first.iloc[-1] if len(first) > 1 else last]
styles = data.tracks.set_index("track_id")["style"]
names = [f"{styles[track]}: {track}" for track in tracks]

# %%
sr = 22050
paths = [data.audio_path(track) for track in tracks]
clips = [load_audio(path, sr=sr)[0][: seconds * sr] for path in paths]
sounds = dict(zip(names, clips))
audio_player({name: (y, sr) for name, y in sounds.items()})

# %% tags=["hide-input"]
report_text("first", names[0])
report_text("second", names[1])
report_value("rate", sr, fmt=",.0f")

# %% [markdown]
# Of each we take the first seconds, one channel, at {glue:text}`rate` samples a second.
#
# ## Eight pictures
#
# {numref}`fig-eight` shows two seconds of both songs. Brighter is more, and frequency axes are
# logarithmic. Thin lines mark the beats that `groove_utils.descriptors` found in the onset curve.
# Before reading on, find the bass drum in as many rows as you can.

# %%
spectra = {name: descriptors.analyse(y, sr) for name, y in sounds.items()}
curves = {name: descriptors.onset_strength(s) for name, s in spectra.items()}
regions = {name: descriptors.region_strength(s) for name, s in spectra.items()}
grids = {
    name: descriptors.estimate_grid(curves[name], regions[name], s.hop)
    for name, s in spectra.items()
}

# %%
views = {name: representations.represent(y, sr) for name, y in sounds.items()}
beats = {name: grid.beats for name, grid in grids.items() if grid}
show_figure(
    figures.plot_representations(views, (2, 4), beats),
    "eight",
    "Two seconds of two songs in eight representations. Thin lines: estimated beats.",
    "Eight rows of pictures for two songs: a spiky waveform, spectrograms with upright "
    "stripes at strokes, and, last, a curve whose sharp peaks often stand on beats.",
)

# %% [markdown]
# - The **waveform** is the sound itself. Strokes show as spikes; what is played does not show.
# - The **short-time Fourier transform** (STFT) cuts the sound into overlapping windows and asks of
#   each how much of every frequency it holds. Drums are upright lines, since a stroke is short and
#   has all frequencies; held notes are level lines, one for each harmonic.
# - The **mel spectrogram** adds the STFT's bins up into bands that get wider upwards, as those of
#   the ear do. As plain power, as in the third row, only the loudest bass notes are to be seen.
# - The **log-mel spectrogram** is the same in decibels. We hear ratios of power and not
#   differences, and so do networks that are given this one, which is most of them.
# - The **constant-Q transform** (CQT) has windows that get shorter upwards, so that every semitone
#   gets its own row. A melody that is transposed moves up without changing its shape.
# - The **chromagram** folds all octaves into one: twelve rows, one a pitch class.
# - The **tempogram** asks of every moment at which tempo the onsets around it recur.
# - **Onset strength** is one curve, high where the spectrum rises. Melody, chords and timbre are
#   gone, and the rhythm is left.
#
# ## Sharp in time, or in frequency?
#
# An STFT has two numbers to be chosen. A long window tells close frequencies apart, but it smears
# a stroke over its whole length; a short one is the other way round. No choice gives both: the
# product of the two widths is fixed.

# %%
sizes = [256, 1024, 4096]
widths = [representations.window_resolution(n, sr) for n in sizes]
widths = pd.DataFrame(widths, columns=["ms", "Hz"], index=sizes)
widths["product"] = widths["ms"] * widths["Hz"]
widths["ms"] *= 1000

# %%
show_table(
    widths.rename_axis("window (samples)"),
    "resolution",
    "Widths at half power of a click in time and of a sine in frequency, by Hann window.",
    fmt="{:.3g}",
)


# %%
def stft(n_fft, hop):
    y = sounds[names[0]]
    return representations.represent(y, sr, n_fft=n_fft, hop_length=hop)["STFT"]


windows = {f"window {n}, hop 64": stft(n, 64) for n in sizes}
hops = {f"window 1024, hop {hop}": stft(1024, hop) for hop in (128, 512, 2048)}

# %%
show_figure(
    figures.plot_spectrograms([windows, hops], (2, 3), top=3000),
    "windows",
    "One second of the first song. Above: three windows, one hop. Below: three hops, one window.",
    "Six spectrograms. Above, thin upright lines give way to thin level ones as the window "
    "grows; below, columns widen with the hop until strokes are lost in coarse blocks.",
)

# %% tags=["hide-input"]
sixteenth = 15000 / (grids[names[0]].tempo if grids[names[0]] else 120)
report_value("sixteenth", sixteenth, fmt=".0f", unit=" ms")
report_value("short_ms", widths["ms"].iloc[0], fmt=".0f", unit=" ms")
report_value("long_ms", widths["ms"].iloc[-1], fmt=".0f", unit=" ms")
report_value("long_hz", widths["Hz"].iloc[-1], fmt=".0f", unit=" Hz")
report_value("short_hz", widths["Hz"].iloc[0], fmt=".0f", unit=" Hz")
report_value("coarse_hop", 2048 / sr * 1000, fmt=".0f", unit=" ms")

# %% [markdown]
# A window of 256 samples places a stroke within {glue:text}`short_ms` and blurs pitches over
# {glue:text}`short_hz`; one of 4096 tells tones {glue:text}`long_hz` apart and spreads a stroke over
# {glue:text}`long_ms`. A sixteenth note of this song lasts {glue:text}`sixteenth`, and the
# {term}`microtiming` that drummers care about is a tenth of that.
#
# The **hop** is another matter. It does not sharpen anything, it only says how often we look. At a
# hop of 2048 samples there is one look every {glue:text}`coarse_hop`, and a rhythm finer than that
# cannot come back however clever the model is.
#
# ## Which task wants which?
#
# {cite:t}`choi2017` sort the tasks of music information retrieval by what they need. The table adds
# what each picture costs.

# %%
table = representations.representation_table()
arrays = {kind: view.array for kind, view in views[names[0]].items()}
length = len(sounds[names[0]]) / sr
rates = [round(arrays[kind].size / length) for kind in table.index]
table.insert(0, "numbers a second", rates)
table.insert(1, "rows", [len(arrays[kind]) for kind in table.index])

# %%
show_table(
    table,
    "tasks",
    "What each representation keeps and loses, tasks that it suits, and its size here.",
)

# %% [markdown]
# Small is not poor: a small picture that keeps what a task needs lets a model learn from fewer
# songs. And large is not rich: what the STFT has beyond the mel spectrogram is mostly fine pitch,
# which tells a tagger little.
#
# ## Hear what is left
#
# Now the test. Take one representation, throw the song away, and make the most plausible sound that
# has that representation. Where the phase is missing, it is guessed and improved in rounds
# {cite}`griffin1984`; a mel band's power is spread over its bins; a chromagram is played with
# {cite:t}`shepard1964`'s tones, which have all octaves at once; and the onset curve opens and closes
# a noise.

# %%
made = {}
for name, y in sounds.items():
    made[name] = inversion.invert(y, sr, n_iter=n_iter, seed=seed)
    made[name]["onset strength"] = inversion.from_onsets(
        curves[name], spectra[name].hop, y.size, sr, seed
    )


# %%
def listen(name):
    again = {f"from {kind}": (sound, sr) for kind, sound in made[name].items()}
    audio_player({"original": (sounds[name], sr)} | again)


listen(names[0])

# %% [markdown]
# That was {glue:text}`first`. Here is {glue:text}`second`:

# %%
listen(names[1])

# %% [markdown]
# Ears first, then numbers. {numref}`fig-losses` measures four things: whether the *samples* agree,
# whether the *spectrum* does, whether strokes come at the same times with the same strength
# (*rhythm*), and whether the same pitch classes sound (*harmony*). Of samples, two unrelated sounds
# have about −3 dB.

# %%
losses = pd.DataFrame(
    {"song": name, "made_from": kind}
    | inversion.reconstruction_error(sounds[name], sound, sr)
    for name in names
    for kind, sound in made[name].items()
)

# %%
show_figure(
    figures.plot_losses(losses),
    "losses",
    "How near the sounds made again come to the original, for two songs.",
    "Dot plots of four measures for seven inversions: only the CQT with its phase agrees in "
    "its samples; spectrograms keep rhythm, chroma does not; most keep harmony.",
    table=losses,
)

# %% tags=["hide-input"]
mean = losses.groupby("made_from")[
    ["waveform_db", "spectrum", "rhythm", "harmony"]
].mean()
report_value("stft_db", mean.loc["STFT", "waveform_db"], fmt=".1f", unit=" dB")
report_value("stft_spectrum", mean.loc["STFT", "spectrum"])
report_value("mel_rhythm", mean.loc["mel (24 bands)", "rhythm"])
report_value("mel_harmony", mean.loc["mel (24 bands)", "harmony"])
report_value("chroma_rhythm", mean.loc["chroma", "rhythm"])
report_value("chroma_harmony", mean.loc["chroma", "harmony"])
report_text(
    "opposites",
    "trade places"
    if mean.loc["chroma", "harmony"] > mean.loc["mel (24 bands)", "harmony"]
    and mean.loc["chroma", "rhythm"] < mean.loc["mel (24 bands)", "rhythm"]
    else "do not trade places as one might expect",
)

# %% [markdown]
# Two lessons. First, **error in the samples is not error to the ear**. What was made from STFT
# magnitudes has {glue:text}`stft_db`, as bad as an unrelated sound, because its guessed phases are
# other ones. Yet its spectrum is off by {glue:text}`stft_spectrum` only, and it is hard to tell from
# the original.
#
# Second, **what is lost depends on what you ask for**. Twenty-four mel bands keep
# {glue:text}`mel_rhythm` of the rhythm and {glue:text}`mel_harmony` of the harmony; the chromagram
# keeps {glue:text}`chroma_rhythm` of the rhythm and {glue:text}`chroma_harmony` of the harmony. For
# these songs the two {glue:text}`opposites`.
#
# ## Does phase matter, then?
#
# If phases can be guessed, are they idle? Here the magnitudes are kept and the phases are replaced
# by dice, first in windows of 256 samples, then in longer ones, and last in one window as long as
# the sound: its spectrum is then *exactly* that of the original.

# %%
y = sounds[names[0]]
lengths = {"256": 256, "2048": 2048, "32,768": 32768, "the whole sound": None}
diced = {
    k: inversion.randomise_phase(y, n_fft=n, seed=seed) for k, n in lengths.items()
}
audio_player({f"random phases, window: {k}": (x, sr) for k, x in diced.items()})

# %%
phase = {k: inversion.reconstruction_error(y, x, sr) for k, x in diced.items()}
phase = pd.DataFrame(phase).T[["rhythm", "harmony"]].rename_axis("window")
show_table(
    phase,
    "phase",
    "Random phases in the first song: correlations of onset curves and chroma with its own.",
)

# %% tags=["hide-input"]
report_value("whole_rhythm", phase.loc["the whole sound", "rhythm"])
report_value("short_rhythm", phase.loc["256", "rhythm"])

# %% [markdown]
# With one long window, the correlation of the onset curves is {glue:text}`whole_rhythm`: a wash of
# sound with the right notes and no groove at all. With short windows it is
# {glue:text}`short_rhythm`. *When* something happens inside a window is told by phase alone. A
# magnitude spectrogram knows about rhythm because its windows are short, not because it has no need
# of phase.
#
# ## How loud?
#
# A louder copy of a song is the same song. Yet RMS, flux and the plain mel spectrogram change with
# it, and in decibels the whole picture moves up. So loudness should be fixed before songs are
# compared. *Which* loudness? The ear hears little in the lows, so the broadcasting standard BS.1770
# {cite}`itu1770` filters before it measures power, and leaves silent passages out. The result is
# in LUFS. These three tones have the same power:

# %%
t = np.arange(2 * 44100) / 44100
waves = {f: np.float32(0.2 * np.sin(2 * np.pi * f * t)) for f in (50, 500, 3000)}
tones = {f"{f} Hz": (wave, 44100) for f, wave in waves.items()}
audio_player(tones, match=False)

# %%
heard = tones | {name: (y, sr) for name, y in sounds.items()}
levels = pd.DataFrame(index=pd.Index(heard, name="sound"))
levels["RMS (dB)"] = [10 * np.log10(np.mean(y**2)) for y, _ in heard.values()]
levels["LUFS"] = [measure_loudness(y, rate) for y, rate in heard.values()]
levels["difference"] = levels["LUFS"] - levels["RMS (dB)"]

# %%
show_table(
    levels,
    "loudness",
    "Power (RMS, dB below full scale) and loudness of three tones and the two songs.",
    fmt="{:.1f}",
)

# %% [markdown]
# All players of this book are matched in LUFS, except those just above. Whether the level of a
# recording is part of its groove is another question: {cite:t}`stupacher2016` found that it is
# not, but the *variability* of the level is.
#
# ## What a low sample rate takes away
#
# A rate of *r* samples a second holds frequencies up to *r*/2. {doc}`05-embeddings` uses models
# that hear at 16 kHz. What would be gone at 8 kHz? Listen to the cymbals. And to the third player:
# there every so-and-so-many samples were dropped without filtering, so that high frequencies come
# back as wrong, low ones. That is *aliasing*, and why one resamples with a filter.

# %%
full, full_sr = load_audio(data.audio_path(tracks[0]))
full = full[: seconds * full_sr]
lower = {f"{full_sr} Hz": (full, full_sr)}
lower["8000 Hz"] = (resample(full, full_sr, 8000), 8000)
lower["every 5th sample, no filter"] = (full[::5], full_sr // 5)
audio_player(lower)

# %%
power = np.abs(np.fft.rfft(full)) ** 2
above = np.fft.rfftfreq(full.size, 1 / full_sr) > 4000
bands = descriptors.region_strength(descriptors.analyse(full, full_sr))
onsets = {k: descriptors.detect_onsets(c, 0.005)[0].size for k, c in bands.items()}

# %% tags=["hide-input"]
share_high = 100 * onsets["high"] / max(sum(onsets.values()), 1)
report_value("energy_above", 100 * power[above].sum() / power.sum(), unit="%")
report_value("share_high", share_high, fmt=".0f", unit="%")

# %% [markdown]
# Only {glue:text}`energy_above` of the song's energy lies above 4 kHz. But of all onsets that are
# found in three regions of the spectrum, {glue:text}`share_high` are found above 3.2 kHz: the hi-hat
# is quiet, and it carries much of the pulse. Energy is a poor guide to what matters.
#
# ## Where the groove is visible
#
# Fold the onset curves of three regions of the spectrum onto one bar, sixteenth by sixteenth, and
# something like a drummer's score appears ({numref}`fig-bar`): the bass drum (and the bass) below,
# the hi-hat on top, and in the middle all that strikes, the snare above all. A tall bar *between*
# the beats, with little on the beat after it, is what {doc}`04-descriptors` will count as
# {term}`syncopation`.

# %%
folded = {
    name: descriptors.bar_profile(regions[name], grid, spectra[name].hop)
    for name, grid in grids.items()
}
profiles = pd.concat(folded, names=["song"]).reset_index(level="song")
lanes = {"high": "> 3.2 kHz", "mid": "0.1–3.2 kHz", "low": "< 100 Hz"}
profiles["region"] = profiles["region"].map(lanes)

# %%
show_figure(
    figures.plot_bar_profiles(profiles),
    "bar",
    "Onset strength in three regions, averaged over the bars of each song. Lines: beats.",
    "Three lanes of sixteen bars for two songs. Most tall ones stand on beats; the songs "
    "differ in the places between beats, above all in the lows.",
    table=profiles,
)

# %% [markdown]
# ## What could be wrong here
#
# - **A good inversion proves that information is there, not that a model uses it.** Rhythm is in
#   the log-mel spectrogram, and a model that averages it over time has lost it all the same.
# - **A bad inversion proves less than it seems.** Another algorithm might make more of the same
#   chromagram.
# - **Two songs.** They were not chosen, and that is all that can be said for them.
# - **The beats were estimated.** Where the beat tracker is wrong, {numref}`fig-bar` is folded
#   wrongly. {doc}`04-descriptors` measures how often that is.
#
# What would change the conclusion: songs whose rhythm sits in pitch or timbre rather than in
# strokes. There, onset strength would keep the wrong thing.
#
# ## Exercises
#
# 1. Listen: how few mel bands are enough to recognise the groove? Make the first song again from
#    96, 24, 8 and 2 bands with `inversion.from_mel(y, sr, n_mels=...)`.

# %% [markdown]
# ````{dropdown} Solution
# ```python
# audio_player(
#     {
#         f"{n} bands": (inversion.from_mel(sounds[names[0]], sr, n_mels=n, seed=seed), sr)
#         for n in (96, 24, 8, 2)
#     }
# )
# ```
# Eight bands are enough for bass drum, snare and hi-hat; with two, you still hear *when* but hardly
# *what*. Chords are gone long before. A model that is to predict groove needs little resolution in
# frequency, and a fine one in time.
# ````
#
# 2. Break it: make the song again from an STFT whose hop is longer than its window,
#    `inversion.from_stft(y, n_fft=512, hop_length=2048)`. What do you expect, and what do you hear?

# %% [markdown]
# ````{dropdown} Solution
# Between the windows nobody looked. The magnitudes say nothing about three quarters of the
# samples, and no algorithm can know what was there: the sound comes back as a train of short
# grains. The usual hop is a quarter of the window for this reason.
# ````
#
# 3. The tempogram shows bands at several tempi at once. Which of them are the beat's? Predict from
#    the tempo in `grids[names[0]].tempo` where others must lie, then look.

# %% [markdown]
# ````{dropdown} Solution
# Whatever recurs every beat also recurs every two and every four, so there are bands at half and a
# quarter of the tempo; quavers give one at double. A tempo estimator must choose among them, which
# is why most of its errors are errors by a factor of two.
# ````

# %% [markdown]
# ## Summary
#
# - A representation decides what can be noticed. Hearing its inversion tells you what is gone.
# - Time and frequency trade places in the window; the hop limits the finest rhythm.
# - Log-mel spectrograms keep strokes and timbre, the CQT keeps notes, chroma keeps chords, onset
#   strength keeps the rhythm alone.
# - Fix loudness and sample rate before comparing songs, and know what they took away.
#
# **Next:** {doc}`03-networks` asks what a network can learn from such pictures; {doc}`04-descriptors`
# boils them down to single numbers, and asks how far those get.
