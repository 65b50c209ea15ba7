# %% [markdown] tags=["needs-audio-or-embeddings"]
# # What do pretrained models make of a song?
#
# A network that was trained to tag a million songs, or to write down their notes, has never been
# asked about groove. But somewhere on its way from sound to answer it may have had to notice what
# makes us move. Its inner activations, read as a vector, are an {term}`embedding`. This chapter
# takes embeddings of our songs from several models and looks at them, before any rating comes in.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** what the models are and were trained for, how a song becomes a vector, how to
# read a map of songs, and why an untrained network must stand beside every trained one.
#
# **You need** {doc}`01-listeners-and-tracks`, and an idea of what a convolutional network is.
#
# **It runs** in a minute or two the first time; embeddings are then kept. Module:
# `groove_utils.embed`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
models = []  # empty: those that the study brings, else five that run offline
n_permutations = 1000
cost_songs = 4  # songs by which a model's cost is measured

# %%
import pandas as pd

from groove_utils import embed, figures, similarity
from groove_utils.book import (
    audio_player,
    listening_map,
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.embed import benchmark, model_selection, provenance
from groove_utils.stats import holm

chapter = open_chapter("05-embeddings", study)
data = chapter.study
models = model_selection.models_for(data, models)

# %% [markdown]
# ## The models
#
# {numref}`tab-models` lists those of this page; {doc}`model-cards` has them all, the seven of
# {cite:t}`marmoret2026` among them. Five run offline, because their weights come inside Python
# packages. The taggers of {cite:t}`pons2019` were trained to predict fifty tags of a song (genre,
# mood, instrument, voice): two on the Million Song Dataset (`msd`), two on MagnaTagATune (`mtt`).
# One architecture is a stack of small square kernels as for photographs (`vgg`), the other has
# kernels shaped after music: tall ones for timbre, long ones for rhythm (`musicnn`). Basic Pitch
# {cite}`bittner2022` was trained to transcribe notes.

# %%
columns = ["architecture", "training", "sample_rate", "window", "parameters", "licence"]
cards = embed.list_models().reindex(models)[columns].astype({"parameters": "Int64"})
show_table(
    cards,
    "models",
    "The models: network, training, sample rate (Hz), window (s), parameters, licence of weights.",
    fmt="{:.1f}",
    simulated=False,
)

# %% [markdown]
# None of them was trained on groove, and none on listeners' ratings of anything. Whatever of the
# ratings they predict, they learnt on the way to something else.
#
# ## From sound to vector
#
# A song is resampled to the model's rate, cut into the windows that the model was made for, and
# each window runs through the network. We keep every layer, and average over time within a window
# and over the windows of a song, so that a song becomes one vector a layer.
#
# What lies beyond a song's end does not count: the last window is filled up with silence, and its
# frames are left out of the mean. Networks that can be told where a sound ends are told, so that
# the silence does not colour the frames before it. The others hear what they were trained on:
# Whisper and AudioMAE the silence, CLAP and MuQ-MuLan the sound repeated until the window is full.
#
# Before a model is used it passes a gate, since libraries have been seen to hand out random weights
# without a word: its weights, and what it makes of a test signal, must be those that were recorded.
#
# Each model that runs offline has an **untrained twin**: the same architecture with random weights.
# Convolutions, rectification and pooling of a spectrogram are a decent feature extractor even if
# nothing was learnt {cite}`choi2017`. Only what a model has beyond its twin is owed to training.

# %%
twins = model_selection.twins_of(data, models)
embeddings = embed.embed_study(data, [*models, *twins])
embeddings[models[0]]

# %%
chapter.save_table(provenance.model_facts({m: embeddings[m] for m in models}), "models")

# %% [markdown] tags=["needs-audio"]
# ### What it costs
#
# Whoever means to embed thousands of songs should know the price. {numref}`tab-cost` was measured
# on the machine that built this page, without the cache; each model had a process of its own.

# %% tags=["needs-audio"]
tracks = {t: data.audio_path(t) for t in data.tracks["track_id"].iloc[:cost_songs]}
show_table(
    benchmark.measure_cost(tracks, models).set_index("model"),
    "cost",
    f"A second of audio in seconds of computing, all cores added up ({cost_songs} songs); the most "
    "memory that the process held (MiB), weights included; numbers that are kept of a song.",
    fmt="{:.3g}",
    simulated=False,
)

# %% [markdown] tags=["needs-audio"]
# ### What a tagger says
#
# The last layer of a tagger can be read in plain words. Here is what the one trained on the Million
# Song Dataset hears in one song of each style. (It has heard recordings of bands. Our demo is
# played by samples, and it shows.)

# %% tags=["needs-audio"]
from musicnn.configuration import MSD_LABELS

tagger = embed.embed_study(data, "msd-musicnn")
tags = tagger.frame("taggram").set_axis(MSD_LABELS, axis=1)
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
likely = {style: tags.loc[track].nlargest(5) for style, track in first.items()}
top = {s: ", ".join(f"{t} ({p:.2f})" for t, p in o.items()) for s, o in likely.items()}

# %% tags=["needs-audio"]
show_table(
    pd.Series(top, name="five likeliest tags").rename_axis("style").to_frame(),
    "tags",
    "What `msd-musicnn` finds likeliest, with probabilities, in one song of each style.",
)

# %% [markdown]
# ## Maps of songs
#
# Each dot in {numref}`fig-maps` is a song, placed by a model's last hidden layer, twice: by the
# first two principal components, and by UMAP {cite}`mcinnes2018` with the settings of
# {cite:t}`marmoret2026`. Above, the colour is the style; below, the same dots are coloured by
# their mean rating. A style that forms a cloud of its own is easy for the model to tell. A rating
# that changes *within* a cloud is what we are after.

# %%
rating = "groove" if "groove" in data.queries else next(iter(data.queries))
last = {m: similarity.last_hidden_layer(embeddings[m].layers) for m in models}
songs = data.tracks[["track_id", "title", "style", "artist"]]
songs = songs.assign(**{rating: data.song_means(rating).to_numpy()})

# %%
shown = models[0]
vectors = embeddings[shown].layer(last[shown])
maps = {name: similarity.song_map(vectors, name, seed) for name in ("pca", "umap")}
positions = pd.concat(
    [
        songs.assign(x=xy[:, 0], y=xy[:, 1], map=name.upper())
        for name, xy in maps.items()
    ]
)

# %%
show_figure(
    figures.plot_song_maps(positions, data.styles, rating),
    "maps",
    f"{len(songs)} songs by the layer {last[shown]} of {shown}, by style and by mean rating.",
    "Four scatter plots of the same songs: principal components and UMAP, coloured by style "
    "above and by mean rating below; UMAP draws smaller, denser groups.",
    table=positions,
)

# %% [markdown]
# UMAP looks tidier. Do not read more into it: it keeps neighbourhoods, but the gaps between
# clusters, and their sizes, are made by the method. The two maps show the same vectors.

# %% [markdown] tags=["needs-audio"]
# ### A map to listen to
#
# {numref}`fig-listening-map` maps the songs by every model, and every dot can be heard. Do
# neighbours sound alike to you? In which model most? (Hover and click; or press Tab until a dot is
# marked, move with the arrow keys, play with Enter.) With a song, the rest of its band is marked.
# Colour the dots by band: which model keeps the songs of a band together? Beneath the map stand the
# songs that each model finds nearest to the one you picked, by all dimensions of its layer and not
# by the plane. Hear them, too.

# %% tags=["needs-audio"]
planes = {m: similarity.song_map(embeddings[m].layer(last[m])) for m in models}
means = pd.DataFrame({q: data.song_means(q).to_numpy() for q in data.queries})
label = songs["artist"] + ": " + songs["title"].fillna(songs["track_id"])
paths = [data.audio_path(track) for track in songs["track_id"]]
shelf = songs.assign(label=label, path=paths)
near = {m: similarity.nearest_songs(embeddings[m].layer(last[m])) for m in models}
few = {m: rows[:, :3] for m, rows in near.items()}
listening_map(shelf, planes, means, layers=last, nearest=few, styles=data.styles)

# %% [markdown] tags=["needs-audio"]
# ### Who are the neighbours?
#
# For those who read this without the map: one song, and the one that each of three models finds
# nearest to it.

# %% tags=["needs-audio"]
pick = 0
sounds = {f"the song: {label[pick]}": paths[pick]}
for model in models[:3]:
    nearest = near[model][pick, 0]
    sounds[f"{model}: {label[nearest]}"] = paths[nearest]
audio_player(sounds)

# %% [markdown] tags=["needs-styles"]
# ## Do styles lie apart? Or bands?
#
# A picture is no test. The silhouette compares a song's distance to its own style with that to the
# nearest other style, from −1 to 1. Since songs of one band sound alike, we test it by exchanging
# the styles of whole bands, and correct the p-values for all rows of {numref}`tab-separation`.

# %% tags=["needs-styles"]
layer = {name: last[name.removesuffix("-untrained")] for name in [*models, *twins]}
spaces = {name: embeddings[name].layer(one) for name, one in layer.items()}
style, artist = songs["style"], songs["artist"]
draws = {"n_permutations": n_permutations, "seed": seed}
apart = {
    name: similarity.style_separation(vectors, style, artist, **draws)
    for name, vectors in spaces.items()
}

# %% tags=["needs-styles"]
table = pd.DataFrame(apart).T.rename_axis("model")
table["p_holm"] = holm(table["p"])
show_table(
    table[["silhouette", "null_mean", "p", "p_holm"]],
    "separation",
    "Silhouette of the styles, its mean under exchange, and p, plain and by Holm "
    f"({len(songs)} songs, {artist.nunique()} bands).",
)

# %% [markdown] tags=["needs-styles"]
# And who is a song's nearest neighbour? {numref}`fig-neighbours` counts how often it is a song of
# the same style, and how often one by the same band.

# %% tags=["needs-styles"]
rates = {
    (name, label): similarity.neighbour_rate(vectors, values, artist, seed=seed)
    for name, vectors in spaces.items()
    for label, values in (("style", style), ("band", artist))
}
rates = pd.DataFrame(rates).T.rename_axis(["model", "label"]).reset_index()

# %% tags=["needs-styles"]
show_figure(
    figures.plot_neighbours(rates),
    "neighbours",
    f"Share of {len(songs)} songs whose nearest neighbour has the same style, or the same band, "
    "with 95% intervals over bands. Dashed: a neighbour drawn at random.",
    "Two panels, for style and band, with a row for each model: a dot for the trained network, "
    "one for its untrained twin, and a dashed line at chance.",
    table=rates,
)

# %% tags=["needs-styles", "hide-input"]
by_band = rates[rates["label"] == "band"].set_index("model")
rate = by_band["rate"]
best = rate[models].idxmax()
report_text("clannish", best)
low, high = by_band.loc[best, ["low", "high"]]
report_value("clannish_rate", rate[best], ci=(low, high), n=len(songs))
report_value("chance_artist", by_band.loc[best, "chance"], n=len(songs))
beaten = sum(rate[twin] >= rate[twin.removesuffix("-untrained")] for twin in twins)
report_value("n_models", len(models), fmt=".0f")
report_value("twins_ahead", beaten, fmt=".0f", n=len(models))

# %% [markdown] tags=["needs-styles"]
# In the embedding of {glue:text}`clannish`, the nearest neighbour of a song is by the same band
# in a share of {glue:text}`clannish_rate_full` of cases, where chance would give
# {glue:text}`chance_artist`. The model knows the band. A probe that is tested on a band which it was
# trained on can therefore look clever by recognising it: the reason for
# {term}`artist-grouped folds` in {doc}`06-probing`. Does training teach that? Of the
# {glue:text}`n_models` models, {glue:text}`twins_ahead` have an untrained twin that finds the band
# at least as well. Where that is so, what tells bands apart lies open in the spectrogram.

# %% [markdown]
# ## Do models agree with one another?
#
# Models have different numbers of units, in no common order. What can be compared is which songs
# they find alike. {term}`Centred kernel alignment` does that {cite}`kornblith2019`; its plain form
# calls any two wide embeddings of few songs alike, so we use the debiased one. Beside it stands
# the rank correlation of all distances, tested by permuting songs (Mantel), since pairs of songs
# are not independent.

# %%
hidden = {m: embeddings[m].layer(last[m]) for m in models}
pairs = similarity.compare_embeddings(hidden, n_permutations=n_permutations, seed=seed)

# %%
show_figure(
    figures.plot_similarity(pairs, models),
    "similarity",
    f"How alike models find {len(songs)} songs. Below: CKA. Above: Spearman's rho of distances.",
    "Heat map of models by models with a number in each cell, one measure below the diagonal "
    "and the other above.",
    table=pairs,
)

# %% tags=["hide-input"]
for name, pair in zip(("most_alike", "least_alike"), similarity.extreme_pairs(pairs)):
    report_text(name, f"{pair['first']} and {pair['second']}")
    if len(models) > 1:
        report_value(f"{name}_cka", pair["cka"], n=len(songs))
    else:
        report_text(f"{name}_cka", "–")
report_value("n_pairs", len(pairs), fmt=".0f")
report_value("n_related", (pairs["p_holm"] < 0.05).sum(), fmt=".0f")

# %% [markdown]
# Most alike are {glue:text}`most_alike` (CKA {glue:text}`most_alike_cka`), least alike
# {glue:text}`least_alike` ({glue:text}`least_alike_cka`). Of {glue:text}`n_pairs` pairs,
# {glue:text}`n_related` agree beyond chance by the Mantel test, corrected by Holm. Models that
# agree are no independent witnesses.
#
# ### Layer by layer
#
# How far does a network move away from where it started? {numref}`fig-layers` compares each layer
# with each other layer of one model.

# %%
layers = similarity.layer_similarity(embeddings[shown].layers)
show_figure(
    figures.plot_correlations(layers, label="Debiased CKA"),
    "layers",
    f"Debiased CKA between the layers of {shown}, from input to output ({len(songs)} songs).",
    "Triangular heat map of layers by layers with numbers, and ones on the diagonal.",
    table=layers,
)

# %% [markdown]
# ## What could be wrong here
#
# - **Averages forget order.** A song's vector is a mean over time. A model could hear the pattern
#   and the mean could lose it.
# - **Layers differ.** These maps show one layer each. {doc}`06-probing` lets the data choose, inside
#   the training folds.
# - **Distance is a choice.** Another metric gives other neighbours.
#
# What would change the conclusion: a layer, or a metric, in which bands no longer cluster.
#
# ## Exercises
#
# 1. Set `shown` to an untrained twin, such as `"msd-musicnn-untrained"`, and give `last` its layer.
#    Is training what pulls the styles apart?

# %% [markdown]
# ````{dropdown} Solution
# Compare the silhouettes of the trained and the untrained network of one architecture in the table
# above. Where they are alike, the architecture and the spectrogram did the work.
# ````
#
# 2. Choose another song by `pick`, and listen to its neighbours. What do they share: the style, the
#    band, the tempo, the drum sound?

# %% [markdown]
# ````{dropdown} Solution
# There is no right answer, but a habit to acquire: listen before interpreting a distance. In the
# demo, neighbours often share the band's instruments and room rather than its rhythm.
# ````
#
# 3. Break it: call `linear_cka` with `debiased=False` on two random matrices of 96 × 5000.

# %% [markdown]
# ````{dropdown} Solution
# The plain estimate is close to 1 for vectors that have nothing in common, because with more
# dimensions than songs every song is equally far from every other in both. The debiased one is
# about 0.
# ````

# %% [markdown]
# ## Summary
#
# - A model turns a song into one vector a layer; windows cover the whole song, and time is averaged.
# - Models know bands as well as styles. Both can be mistaken for groove.
# - Models that find the same songs alike are no independent witnesses.
# - Every trained model stands beside its untrained twin.
#
# **Next:** {doc}`06-probing` asks how much of the ratings these vectors predict.
