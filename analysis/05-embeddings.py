# %% [markdown] tags=["needs-audio-or-embeddings"]
# # What do pretrained models make of a song?
#
# A network that was trained to tag a million songs, or to transcribe their notes, was not trained on
# groove. Its inner activations may still carry musical properties that go with groove. Read as a vector,
# they are an {term}`embedding`. This chapter computes embeddings of our songs with several models and
# describes them, before any rating is used.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** what the models are and were trained for, how a song becomes a vector, how to
# read a map of songs, and why each trained network is compared with an untrained one.
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
from groove_utils.book.verdicts import clear_rows, pick_verdict
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
# None of them was trained on groove or on listeners' ratings. What they predict of the ratings, they
# learnt for another task.
#
# ## From sound to vector
#
# A song is resampled to the model's rate, cut into the windows that the model was made for, and
# each window runs through the network. We keep every layer, and average over time within a window
# and over the windows of a song, so that a song becomes one vector per layer.
#
# The last window of a song is padded with silence. Frames of padding are left out of the mean, and for
# networks that accept a length, the padding does not influence other frames. The other networks get the
# padding that they were trained with: Whisper and AudioMAE silence, CLAP and MuQ-MuLan the sound repeated
# until the window is full.
#
# Libraries have been known to return random weights without a warning. Before a model is used, its weights
# and its output for a test signal are compared with recorded values.
#
# Each model that runs offline has an **untrained twin**: the same architecture with random weights. An
# untrained network already computes useful features, because convolutions, rectification and pooling act
# on a spectrogram {cite}`choi2017`. The effect of training is the difference between the model and its twin.

# %%
twins = model_selection.twins_of(data, models)
embeddings = embed.embed_study(data, [*models, *twins])
embeddings[models[0]]

# %%
chapter.save_table(provenance.model_facts({m: embeddings[m] for m in models}), "models")

# %% [markdown] tags=["needs-audio"]
# ### What it costs
#
# {numref}`tab-cost` shows the cost of an embedding. It was measured on the machine that built this page,
# without the cache; each model had its own process.

# %% tags=["needs-audio"]
tracks = {t: data.audio_path(t) for t in data.tracks["track_id"].iloc[:cost_songs]}
show_table(
    benchmark.measure_cost(tracks, models).set_index("model"),
    "cost",
    f"Seconds of computing per second of audio, added over cores ({cost_songs} songs); peak memory of "
    "the process (MiB), weights included; numbers kept per song.",
    fmt="{:.3g}",
    simulated=False,
)

# %% [markdown] tags=["needs-audio"]
# ### The output of a tagger
#
# The last layer of a tagger holds probabilities of tags. {numref}`tab-tags` shows the most probable tags
# of the one trained on the Million Song Dataset for one song of each style. (It was trained on recordings of
# bands. The demo is played by samples, which affects the tags.)

# %% tags=["needs-audio"]
from musicnn.configuration import MSD_LABELS

tagger = embed.embed_study(data, "msd-musicnn")
tags = tagger.frame("taggram").set_axis(MSD_LABELS, axis=1)
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
likely = {style: tags.loc[track].nlargest(5) for style, track in first.items()}
top = {s: ", ".join(f"{t} ({p:.2f})" for t, p in o.items()) for s, o in likely.items()}

# %% tags=["needs-audio"]
show_table(
    pd.Series(top, name="five most probable tags").rename_axis("style").to_frame(),
    "tags",
    "The most probable tags by `msd-musicnn`, with probabilities, of one song of each style.",
)

# %% [markdown]
# ## Maps of songs
#
# Each dot in {numref}`fig-maps` is a song, placed by a model's last hidden layer, twice: by the
# first two principal components, and by UMAP {cite}`mcinnes2018` with the settings of
# {cite:t}`marmoret2026`. Above, the colour is the style; below, the same dots are coloured by their
# mean rating. If a style forms a cloud, the model separates it from the others. For groove, we look for
# ratings that change *within* a cloud.

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
# UMAP separates the groups more clearly, but this is no evidence. It preserves neighbourhoods; the gaps
# between clusters, and their sizes, are artefacts of the method. The two maps show the same vectors.

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
# ### Nearest neighbours
#
# The players below hold one song, and the song nearest to it in the embedding of each of three models.

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
# The silhouette compares a song's distance to its own style with that to the nearest other style, on a
# scale from −1 to 1. Songs of one band sound alike, so the test exchanges the styles of whole bands. The
# p-values are corrected for all rows of {numref}`tab-separation`.

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
# {numref}`fig-neighbours` shows how often a song's nearest neighbour is of the same style, and how often
# it is by the same band.

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
report_value(
    "clannish_rate", 100 * rate[best], ci=(100 * low, 100 * high), n=len(songs),
    fmt=".0f", unit="%",
)  # fmt: skip
report_value("chance_artist", 100 * by_band.loc[best, "chance"], fmt=".0f", unit="%")
report_value("n_models", len(models), fmt=".0f")
gains = [
    similarity.neighbour_difference(
        spaces[twin.removesuffix("-untrained")], spaces[twin], artist, artist, seed=seed
    )
    for twin in twins
]
words = [pick_verdict(row, "more", "less", "unclear") for row in gains]
report_value("training_more", words.count("more"), fmt=".0f", n=len(twins))
report_value("training_less", words.count("less"), fmt=".0f", n=len(twins))

# %% [markdown] tags=["needs-styles"]
# For {glue:text}`clannish_rate_full` of the songs, the nearest neighbour in the embedding of
# {glue:text}`clannish` is by the same band; by chance it would be {glue:text}`chance_artist`. A regression
# that is tested on songs of a band from its training set can therefore profit from recognising the band.
# This is the reason for {term}`artist-grouped folds` in {doc}`06-probing`. Training makes the neighbour
# clearly more often one of the same band in {glue:text}`training_more_full` models, and clearly less often
# in {glue:text}`training_less_full`. In the others, the untrained network finds bands about equally well.

# %% [markdown]
# ## Do models agree with one another?
#
# Models have different numbers of units, in no common order. We can compare which songs are similar
# according to each model. {term}`Centred kernel alignment` does this {cite}`kornblith2019`. Its plain form
# is close to 1 for any two wide embeddings of few songs, so we use the debiased form. The figure also shows
# the rank correlation of all distances. It is tested by permuting whole bands (Mantel test), because pairs
# of songs are not independent and songs of one band resemble each other.

# %%
hidden = {m: embeddings[m].layer(last[m]) for m in models}
options = {"n_permutations": n_permutations, "seed": seed}
pairs = similarity.compare_embeddings(hidden, songs["artist"], **options)

# %%
show_figure(
    figures.plot_similarity(pairs, models),
    "similarity",
    f"Similarity of models over {len(songs)} songs. Below: CKA. Above: Spearman's rho of distances.",
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
report_value("n_related", len(clear_rows(pairs)), fmt=".0f")

# %% [markdown]
# Most alike are {glue:text}`most_alike` (CKA {glue:text}`most_alike_cka`), least alike
# {glue:text}`least_alike` ({glue:text}`least_alike_cka`). Of {glue:text}`n_pairs` pairs,
# {glue:text}`n_related` agree beyond chance by the Mantel test, corrected by Holm. If similar models
# predict the same, this is not independent evidence.
#
# ### Layer by layer
#
# {numref}`fig-layers` compares each layer of one model with each other layer.

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
# - **Averages lose order.** A song's vector is a mean over time. A pattern in the activations can be lost
#   in the mean.
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
# - A model turns a song into one vector per layer; windows cover the whole song, and time is averaged.
# - Embeddings carry the band as well as the style. Both can be mistaken for groove.
# - Models with similar geometry give no independent evidence.
# - Each trained model is compared with its untrained twin.
#
# **Next:** {doc}`06-probing` asks how much of the ratings these vectors predict.
