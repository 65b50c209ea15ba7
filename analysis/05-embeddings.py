# %% [markdown] tags=["needs-audio-or-embeddings"]
# # How do pretrained models represent a song?
#
# A network that was trained to tag songs, or to transcribe their notes, was never shown a groove
# rating. Its internal activations may still carry information about musical properties that are
# related to groove. The activations of a layer, treated as a vector, are called an {term}`embedding`.
# This chapter computes embeddings of our songs with several models and describes them before any
# ratings are used.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** which pretrained models there are and what they were trained for, how a song becomes
# a vector, how to read a map of songs, and why each trained network is compared with an untrained one.
#
# **You need** {doc}`01-listeners-and-tracks`, {doc}`02-representations` for spectrograms, and
# {doc}`03-networks` for convolutions.
#
# **Run time**: {run-time}`05-embeddings`, measured when this page was built; the first run takes
# longer. **Module**: `groove_utils.embed`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
models = []  # empty: the study's own models, else five that run offline
n_permutations = 1000
cost_songs = 4  # songs used to measure a model's cost

# %%
import librosa
import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import pdist
from scipy.stats import spearmanr
from sklearn.metrics import silhouette_score
from sklearn.preprocessing import StandardScaler

from groove_utils import embed, figures, similarity
from groove_utils.book import (
    audio_player,
    listening_map,
    open_chapter,
    report_counts,
    report_effects,
    report_percentages,
    report_texts,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.book.verdicts import clear_rows, pick_verdict
from groove_utils.embed import benchmark, provenance, study_models
from groove_utils.embed.loading import load_model
from groove_utils.stats import holm

chapter = open_chapter("05-embeddings", study)
data = chapter.study
models = study_models.models_for(data, models)

# %% [markdown]
# ## The models
#
# {numref}`tab-models` lists the models used on this page; {doc}`model-cards` lists all models in the
# book, including the seven models that {cite:t}`marmoret2026` used. Some models run offline, because
# their weights are included in Python packages; if a study has no vectors of its own, five of these
# models are used. The taggers of {cite:t}`pons2019` were trained to predict fifty tags for each song
# (genre, mood, instruments and voice): two of them on the Million Song Dataset (`msd`), and two on
# MagnaTagATune (`mtt`). The architecture `vgg` stacks small square kernels, as networks for images
# do; `musicnn` has kernels designed for music: some are tall (in frequency), for timbre, and others
# long (in time), for rhythm. Basic Pitch {cite}`bittner2022` was trained to transcribe notes.
# {doc}`06-probing` adds networks that were trained to find beats and to predict danceability.

# %% tags=["hide-input"]
columns = ["architecture", "training", "sample_rate", "window", "parameters", "licence"]
cards = embed.list_models().reindex(models)[columns].astype({"parameters": "Int64"})
show_table(
    cards,
    "models",
    "The models: network, training, sample rate (Hz), window (s), number of parameters, licence.",
    fmt="{:.1f}",
    simulated=False,
)

# %% [markdown]
# None of these models was trained on groove or on listeners' ratings. If features of these models
# help to predict the ratings, the models learnt them for another task.
#
# ## From sound to vector
#
# A song is resampled to the model's sample rate and cut into windows of the length for which the
# model was designed. Each window is passed through the network. We keep the activations $h$ of a
# layer and average them over the $W$ windows $x_1, \dots, x_W$ of the song, which gives one vector
# per song and layer:
#
# $$ \mathbf{v} = \frac{1}{W} \sum_{w=1}^{W} h(x_w) $$
#
# (If a layer has several frames per window, we first average over these frames.)

# %% [markdown] tags=["needs-audio"]
# We compute such a vector by hand, for the first song and the tagger `msd-musicnn`. The tagger takes
# mono sound at 16 kHz, in windows of about 3 s, one starting every 2.976 s (47,616 samples):

# %% tags=["needs-audio"]
y, sr = data.load(data.tracks["track_id"].iloc[0])
mono = librosa.resample(y, orig_sr=sr, target_sr=16000)
padded = np.pad(mono, (256, 0))  # half a frame, to centre the first frame
window, hop = 48128, 47616
windows = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
windows.shape

# %% [markdown] tags=["needs-audio"]
# The network is an ordinary PyTorch module. It first computes a log-mel spectrogram, as in
# {doc}`02-representations`; convolutions, pooling and two dense layers follow. A single call returns
# the activations of all layers:

# %% tags=["needs-audio"]
network = load_model("msd-musicnn").network
with torch.inference_mode():
    n_frames = torch.full((len(windows),), 187)  # (48128 - 512) / 256 + 1
    layers = network(torch.tensor(windows), n_frames)
vector = layers["penultimate"].numpy().mean(axis=0)
vector.shape

# %% [markdown] tags=["needs-audio"]
# Our function `embed_audio` computes such vectors with any model, for sounds of any length. The next
# cell compares the vector computed by hand with the one from `embed_audio`, for the same windows. The
# two differ by at most $10^{-4}$ of the largest activation, because of rounding in single precision.

# %% tags=["needs-audio"]
trimmed = mono[: (len(windows) - 1) * hop + window - 256]  # no padding needed
ours = embed.embed_audio(trimmed, 16000, "msd-musicnn")["penultimate"]
rounding = 1e-4 * abs(vector).max()
np.testing.assert_allclose(ours.mean(axis=0), vector, atol=rounding)

# %% [markdown]
# The last window of a song is padded with silence, but the padding frames are excluded from the mean.
# In networks that also receive the length of the signal, the padding does not influence other frames.
# {doc}`model-cards` lists the networks whose windows are padded differently, because a different kind
# of padding was used during their training.
#
# Some libraries have been known to load random weights instead of trained ones without any warning.
# Before we use a model, we therefore compare its weights and its output for a test signal with
# recorded values.
#
# Each model that runs offline has an **untrained twin**: the same architecture with random weights.
# Even an untrained network computes useful features, because it applies convolutions, rectification
# and pooling to a spectrogram {cite}`choi2017`. The effect of training is the difference between a
# model and its untrained twin.

# %%
twins = study_models.twins_of(data, models)
embeddings = embed.embed_study(data, [*models, *twins])
facts = provenance.model_facts({m: embeddings[m] for m in models})
chapter.save_table(facts, "models")

# %% [markdown] tags=["needs-audio"]
# ### What an embedding costs
#
# {numref}`tab-cost` shows the cost of computing embeddings. It was measured on the machine that built
# this page, without the cache, in a separate process for each model.

# %% tags=["needs-audio"]
track_ids = data.tracks["track_id"].iloc[:cost_songs]
tracks = {track: data.audio_path(track) for track in track_ids}
cost = benchmark.measure_cost(tracks, models).set_index("model")

# %% tags=["needs-audio", "hide-input"]
show_table(
    cost,
    "cost",
    f"CPU seconds per second of audio, summed over cores ({cost_songs} songs); peak memory of the "
    "process (MiB), including weights; number of values kept per song.",
    fmt="{:.3g}",
    simulated=False,
)

# %% [markdown] tags=["needs-audio"]
# ### The output of a tagger
#
# The last layer of a tagger gives the probability of each tag. {numref}`tab-tags` shows the most
# probable tags of one song of each style, according to `msd-musicnn`, which was trained on the
# Million Song Dataset. (This tagger was trained on recordings of bands, whereas the songs of the demo
# study are played on sampled instruments, which may affect the tags.)

# %% tags=["needs-audio"]
from musicnn.configuration import MSD_LABELS

tagger = embed.embed_study(data, "msd-musicnn")
tags = tagger.frame("taggram").set_axis(MSD_LABELS, axis=1)
sample = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
likely = {style: tags.loc[track].nlargest(5) for style, track in sample.items()}

# %% tags=["needs-audio", "hide-input"]
top = {s: ", ".join(f"{t} ({p:.2f})" for t, p in o.items()) for s, o in likely.items()}
show_table(
    pd.Series(top, name="five most probable tags").rename_axis("style").to_frame(),
    "tags",
    "The five most probable tags of one song per style, with probabilities, from `msd-musicnn`.",
)

# %% [markdown]
# ## Maps of songs
#
# A vector of 200 numbers cannot be plotted directly. A *map* therefore keeps only two directions of
# the embedding. Principal component analysis (PCA) chooses the directions in which the songs differ
# most. If the rows of $Z$ are the standardised vectors of all songs, the singular value decomposition
# gives these directions:
#
# $$ Z = U \Sigma V^\top, \qquad
# \text{map} = (\sigma_1 \mathbf{u}_1, \; \sigma_2 \mathbf{u}_2), \qquad
# \text{share of the variance} = \frac{\sigma_1^2 + \sigma_2^2}{\sum_k \sigma_k^2} $$
#
# The next cells compute the PCA map for the last hidden layer of the first model.

# %%
rating = "groove" if "groove" in data.queries else next(iter(data.queries))
last = {m: similarity.last_hidden_layer(embeddings[m].layers) for m in models}
songs = data.tracks[["track_id", "title", "style", "artist"]]
songs = songs.assign(**{rating: data.song_means(rating).to_numpy()})

# %%
first_model = models[0]
vectors = embeddings[first_model].layer(last[first_model])
Z = StandardScaler().fit_transform(vectors.astype(float))
U, sigma, Vt = np.linalg.svd(Z, full_matrices=False)
by_hand = U[:, :2] * sigma[:2]
variance_share = (sigma[:2] ** 2).sum() / (sigma**2).sum()

# %% [markdown]
# The function `song_map` computes the same PCA map, except that an axis may be reversed, because the
# sign of a singular vector is arbitrary.

# %%
pca = similarity.song_map(vectors.astype(float))
np.testing.assert_allclose(np.abs(pca), np.abs(by_hand), atol=1e-8)

# %% [markdown]
# A second method, UMAP {cite}`mcinnes2018`, tries to keep each song close to its nearest neighbours;
# we use the settings of {cite:t}`marmoret2026`. Each dot in {numref}`fig-maps` is a song. In the
# upper row, the colour shows the style of the song; in the lower row, it shows the mean rating. If a
# style forms a cloud of its own, the model separates this style from the others. We also look at
# whether ratings vary *within* a cloud. If ratings differ only between clouds, a regression that
# predicts the ratings from the map has learnt only the styles.

# %%
maps = {"PCA": pca, "UMAP": similarity.song_map(vectors, "umap", seed)}

# %% tags=["hide-input"]
positions = pd.concat(
    [songs.assign(x=xy[:, 0], y=xy[:, 1], map=name) for name, xy in maps.items()]
)
show_figure(
    figures.plot_song_maps(positions, data.styles, rating),
    "maps",
    f"Maps of {len(songs)} songs from layer “{last[first_model]}” of {first_model}. "
    "Colour: style (above) and mean rating (below).",
    "Four scatter plots of the same songs: principal components and UMAP, coloured by style "
    "above and by mean rating below; UMAP draws smaller, denser groups.",
    table=positions,
)
report_value("in_plane", 100 * variance_share, fmt=".0f", unit="%", n=len(songs))
report_value("n_dimensions", vectors.shape[1], fmt=".0f")
report_texts(shown=first_model)

# %% [markdown]
# The first two principal components explain {glue:text}`in_plane` of the variance in
# {glue:text}`n_dimensions` dimensions; the map does not show the rest. UMAP often separates groups
# more clearly than PCA, but this is not evidence that the groups are farther apart in the embedding:
# both maps show the same vectors. UMAP preserves neighbourhoods, whereas the sizes of clusters and
# the gaps between them are mostly artefacts of the method.

# %% [markdown] tags=["needs-embeddings"]
# ### One map for each model and stem
#
# This study comes with its own vectors. {numref}`fig-all-maps` shows these vectors in the same way as
# {cite:t}`marmoret2026`: all layers of a model are concatenated, and UMAP computes the positions of
# the songs. If the study also contains vectors of stems (separated groups of instruments), these are
# shown in maps of their own. Look for maps in which the styles overlap: predictions based on the
# vectors shown in such a map are less likely to rely on style.

# %% tags=["needs-embeddings"]
vector_sets = [
    (model, stems)
    for model in models
    for stems in [None, *study_models.precomputed_sums(data, model)]
]
joined = {}  # name → concatenated layers, shape (songs, units)
for model, stems in vector_sets:
    sources = stems.split("+") if stems else None
    embedding = embed.embed_study(data, model, stems=sources)
    name = f"{model}: {stems}" if stems else model
    joined[name] = np.concatenate(list(embedding.layers.values()), axis=1)

# %% tags=["needs-embeddings"]
umaps = {name: similarity.song_map(X, "umap") for name, X in joined.items()}

# %% tags=["needs-embeddings", "hide-input"]
all_maps = pd.concat(
    [songs.assign(x=xy[:, 0], y=xy[:, 1], map=name) for name, xy in umaps.items()]
)
show_figure(
    figures.plot_model_maps(all_maps, data.styles),
    "all-maps",
    f"UMAP of {len(songs)} songs from all layers of each model, one map per model and "
    "stem; colour: style.",
    "Small scatter plots of the same songs, one per model and stem, coloured by style.",
    table=all_maps,
)

# %% [markdown] tags=["needs-audio"]
# ### A map to listen to
#
# {numref}`fig-listening-map` has one map per model, with one dot per song. Do neighbouring songs
# sound alike to you? In which model do they sound most alike? (To play a song, click its dot; or
# press Tab until a dot has the focus, move to another dot with the arrow keys, and press Enter.) When
# a song is selected, the other songs by its artist are marked. Colour the dots by artist: which model
# places songs by the same artist close together? The songs nearest to the selected song according to
# each model are listed below the map. Here, distances are computed in all dimensions of the layer,
# not only in the plane of the map. Listen to these songs, too.

# %% tags=["needs-audio"]
hidden = {m: embeddings[m].layer(last[m]) for m in models}
planes = {m: similarity.song_map(space) for m, space in hidden.items()}
means = pd.DataFrame({q: data.song_means(q).to_numpy() for q in data.queries})
labels = songs["track_id"].map(data.song_names)
paths = [data.audio_path(track) for track in songs["track_id"]]
labelled_songs = songs.assign(label=labels, path=paths)
neighbours = {m: similarity.nearest_songs(space) for m, space in hidden.items()}
options = {"layers": last, "styles": data.styles}
options["nearest"] = {m: rows[:, :3] for m, rows in neighbours.items()}
listening_map(labelled_songs, planes, means, **options)

# %% [markdown] tags=["needs-audio"]
# ### Nearest neighbours
#
# The players below let you compare one song with its nearest neighbour according to each of the first
# three models.

# %% tags=["needs-audio"]
pick = 0
sounds = {f"the song: {labels[pick]}": paths[pick]}
for model in models[:3]:
    nearest = neighbours[model][pick, 0]
    sounds[f"{model}: {labels[nearest]}"] = paths[nearest]
audio_player(sounds)

# %% [markdown] tags=["needs-styles"]
# ## Do songs form groups by style or by artist?
#
# A two-dimensional map can mislead, so we measure distances in all dimensions of an embedding. The
# silhouette {cite}`rousseeuw1987` of a song compares $a$, its mean distance to the songs of its own
# style, with $b$, its mean distance to the songs of the nearest other style:
#
# $$ s = \frac{b - a}{\max(a, b)} $$
#
# The silhouette is close to 1 if the song's style is a tight group far from all other styles, 0 if
# another style is equally near, and negative if another style is nearer. We use 1 − Pearson's $r$ as
# the distance between two vectors. The mean silhouette of all songs is computed with scikit-learn:

# %% tags=["needs-styles"]
style, artist = songs["style"], songs["artist"]
by_sklearn = silhouette_score(vectors, style, metric="correlation")

# %% [markdown] tags=["needs-styles"]
# `style_separation` computes the same mean silhouette and tests it against chance. Songs by the same
# artist sound alike, so the test shuffles the style labels between whole artists rather than between
# songs. The p-values are corrected for the number of rows in {numref}`tab-separation`.

# %% tags=["needs-styles"]
spaces = {
    name: embeddings[name].layer(last[name.removesuffix("-untrained")])
    for name in [*models, *twins]
}
draws = {"n_permutations": n_permutations, "seed": seed}
separation = {
    name: similarity.style_separation(space, style, artist, **draws)
    for name, space in spaces.items()
}
ours = separation[first_model]["silhouette"]
np.testing.assert_allclose(ours, by_sklearn, atol=1e-6)
table = pd.DataFrame(separation).T.rename_axis("model")
table["p_holm"] = holm(table["p"])
scores = table["silhouette"]
partners = [twin.removesuffix("-untrained") for twin in twins]
n_higher = np.sum(scores[twins].to_numpy() > scores[partners].to_numpy())

# %% tags=["needs-styles", "hide-input"]
show_table(
    table[["silhouette", "null_mean", "p", "p_holm"]],
    "separation",
    "Silhouette of the styles, its mean over permutations, and p, without and with Holm's correction "
    f"({len(songs)} songs, {artist.nunique()} artists). With {n_permutations} permutations, no p is "
    f"below 1/{n_permutations + 1}.",
)
twin_note = (
    f"In {n_higher} of {len(twins)} pairs, the untrained twin has a higher "
    "silhouette than the trained network."
)
report_counts(n_separated=len(clear_rows(table)), n_spaces=len(table))
report_texts(twins_apart=twin_note if twins else "Published vectors have no twins.")

# %% [markdown] tags=["needs-styles"]
# Of {glue:text}`n_spaces` networks, trained and untrained, {glue:text}`n_separated` place the songs of a
# style closer together than expected by chance. {glue:text}`twins_apart`
#
# {numref}`fig-neighbours` shows how often a song and its nearest neighbour have the same style, and
# how often they are by the same artist. The last lines of the next cell compare each trained network
# with its untrained twin and correct the p-values for the number of comparisons.

# %% tags=["needs-styles"]
rates = {
    (name, kind): similarity.neighbour_rate(space, values, artist, seed=seed)
    for name, space in spaces.items()
    for kind, values in (("style", style), ("artist", artist))
}
rates = pd.DataFrame(rates).T.rename_axis(["model", "label"]).reset_index()
trained = [spaces[twin.removesuffix("-untrained")] for twin in twins]
gains = [
    similarity.neighbour_difference(a, spaces[b], artist, artist, seed=seed)
    for a, b in zip(trained, twins)
]
gains = pd.DataFrame(gains, columns=["low", "high", "p"])
gains["p_holm"] = holm(gains["p"])

# %% tags=["needs-styles", "hide-input"]
show_figure(
    figures.plot_neighbours(rates),
    "neighbours",
    f"Share of {len(songs)} songs whose nearest neighbour has the same style, or the same artist, "
    "with 95% intervals (artists resampled). Dashed: rate for a neighbour drawn at random.",
    "Two panels, for style and artist, with a row for each model: a dot for the trained network, "
    "one for its untrained twin, and a dashed line at chance.",
    table=rates,
)
by_artist = rates[rates["label"] == "artist"].set_index("model")
best = by_artist.loc[models, "rate"].astype(float).idxmax()
report_texts(clannish=best)
rate, percent = {"clannish_rate": by_artist.loc[best]}, {"fmt": ".0f", "unit": "%"}
report_effects(rate, len(songs), value="rate", scale=100, **percent)
report_percentages({"chance_artist": by_artist.loc[best, "chance"]})
report_counts(n_models=len(models))
verdicts = "more", "less", "unclear"
words = [pick_verdict(row, *verdicts, p="p_holm") for _, row in gains.iterrows()]
report_value("training_more", words.count("more"), fmt=".0f", n=len(twins))
report_value("training_less", words.count("less"), fmt=".0f", n=len(twins))
above = by_artist["low"] > by_artist["chance"]
report_value("twins_above", above[twins].sum(), fmt=".0f", n=len(twins))

# %% [markdown] tags=["needs-styles"]
# For {glue:text}`clannish_rate_full` of the songs, the nearest neighbour in the embedding of
# {glue:text}`clannish` is by the same artist; no other trained model has a higher rate. By chance,
# the rate would be {glue:text}`chance_artist`. (As the highest of several rates, the observed rate is
# biased upwards.) If a regression is tested on songs by artists who are also in its training set, its
# predictions can improve merely because it recognises the artist. {doc}`06-probing` therefore uses
# {term}`artist-grouped folds`.
#
# Is this an effect of training? We compare each trained model with its untrained twin. In
# {glue:text}`training_more` of the trained models, clearly more songs than in the untrained twin have
# a nearest neighbour by the same artist, and in {glue:text}`training_less`, clearly fewer (p < .05,
# Holm-corrected); in the other models, there is no clear difference. The interval for the rate lies
# above chance in {glue:text}`twins_above` of the untrained twins: the architecture of these twins
# places songs by the same artist close together even without training.

# %% [markdown]
# ## Do models agree with one another?
#
# The units of two models differ in number and order, so we cannot compare models unit by unit.
# Instead, we use {term}`centred kernel alignment` (CKA) to compare which songs are similar according
# to each model {cite}`kornblith2019`. If the rows of $X$ and $Y$ are the centred vectors of two
# models, the products $K = XX^\top$ and $M = YY^\top$ contain the similarities of all pairs of songs,
# and
#
# $$ \mathrm{CKA} = \frac{\sum_{ij} K_{ij} M_{ij}}
# {\sqrt{\sum_{ij} K_{ij}^2 \; \sum_{ij} M_{ij}^2}} $$
#
# is the cosine similarity between the two similarity matrices. The next cell computes CKA by hand and
# with `linear_cka`:

# %%
hidden = {m: embeddings[m].layer(last[m]).astype(float) for m in models}
pair = hidden[models[0]], hidden[models[-1]]
K, M = (x @ x.T for x in (x - x.mean(axis=0) for x in pair))
by_hand = (K * M).sum() / np.sqrt((K**2).sum() * (M**2).sum())
ours = similarity.linear_cka(*pair, debiased=False)
np.testing.assert_allclose(ours, by_hand, atol=1e-8)

# %% [markdown]
# Plain CKA is close to 1 for any two embeddings with many dimensions and few songs (as an exercise
# below shows), so we use debiased CKA, which leaves out the diagonals of $K$ and $M$ and corrects for
# the number of songs. {numref}`fig-similarity` also shows how strongly the pairwise distances between
# songs in one model are rank-correlated with those in another. We test this correlation with the
# Mantel test, which shuffles the songs of one model many times, recomputes the correlation each time,
# and compares the observed correlation with those after shuffling. We shuffle whole artists, because
# songs by the same artist resemble each other.

# %%
options = {"n_permutations": n_permutations, "seed": seed}
pairs = similarity.compare_embeddings(hidden, songs["artist"], **options)

# %% tags=["hide-input"]
show_figure(
    figures.plot_similarity(pairs, models),
    "similarity",
    f"Similarity of models over {len(songs)} songs. Below the diagonal: debiased CKA. Above the "
    "diagonal: Spearman's rho between distances of pairs of songs.",
    "Heat map of models by models with a number in each cell, one measure below the diagonal "
    "and the other above.",
    table=pairs,
)
for name, pair in zip(("most_alike", "least_alike"), similarity.extreme_pairs(pairs)):
    report_texts(**{name: f"{pair['first']} and {pair['second']}"})
    if len(models) > 1:
        report_value(f"{name}_cka", pair["cka"], n=len(songs))
    else:
        report_texts(**{f"{name}_cka": "–"})
report_counts(n_pairs=len(pairs), n_related=len(clear_rows(pairs)))

# %% [markdown]
# The most similar models are {glue:text}`most_alike` (CKA {glue:text}`most_alike_cka`), and the least
# similar are {glue:text}`least_alike` ({glue:text}`least_alike_cka`). Of {glue:text}`n_pairs` pairs of
# models, {glue:text}`n_related` agree beyond chance about which songs are similar (Mantel test with
# Holm's correction). If two similar models make similar predictions, the two predictions are not
# independent evidence.
#
# ### Layer by layer
#
# {numref}`fig-layers` compares the layers of one model with each other.

# %%
between_layers = similarity.layer_similarity(embeddings[first_model].layers)

# %% tags=["hide-input"]
show_figure(
    figures.plot_correlations(between_layers, label="Debiased CKA"),
    "layers",
    f"Debiased CKA between the layers of {first_model}, from input to output ({len(songs)} songs).",
    "Triangular heat map of layers by layers with numbers, and ones on the diagonal.",
    table=between_layers,
)

# %% [markdown] tags=["needs-embeddings"]
# ## Are similar songs rated alike?
#
# {cite:t}`marmoret2026` also compare distances. They ask whether two songs that are close in an
# embedding are also close in their ratings. This method is called representational similarity
# analysis (RSA) {cite}`kriegeskorte2008`. For each pair of songs, the authors compute the cosine
# distance between the vectors and the absolute difference between the ratings. They then correlate
# the two measures over all pairs by means of Spearman's
#
# $$\rho = \operatorname{corr}\bigl(\operatorname{rank} d_{ij},
# \operatorname{rank} |y_i - y_j|\bigr), \qquad i < j.$$

# %% tags=["needs-embeddings"]
paper_queries = ("groove", "dance", "listen", "party")  # as in the paper
available = [query for query in paper_queries if query in data.queries]
queries = list(dict.fromkeys([rating, *available]))
ratings = pd.DataFrame({q: data.song_means(q).to_numpy() for q in queries})
rated = ratings.notna().all(axis=1).to_numpy()
song_distances = {name: pdist(X[rated], "cosine") for name, X in joined.items()}
published = pd.DataFrame(index=list(joined), columns=queries, dtype=float)
for query in queries:
    rating_gaps = pdist(ratings.loc[rated, [query]], "cityblock")
    for name, distances in song_distances.items():
        published.loc[name, query] = spearmanr(distances, rating_gaps).statistic

# %% [markdown] tags=["needs-embeddings"]
# Two songs by the same artist often have similar vectors and similar ratings, because they share
# musicians, studio and style. Such pairs raise the correlation even if the model recognises nothing
# but the artist. The function `rsa` computes the same correlation without these pairs. It also
# computes an interval, by leaving out one artist at a time, and a p-value, by permuting whole
# artists; the p-value is corrected for the number of rows in {numref}`tab-rsa`.

# %% tags=["needs-embeddings"]
table = similarity.rsa(
    {name: X[rated] for name, X in joined.items()},
    ratings.loc[rated, rating].to_numpy(),
    songs["artist"].to_numpy()[rated],
    n_permutations=n_permutations,
    seed=seed,
).set_index("layer")

# %% tags=["needs-embeddings"]
names = {"rho": f"{rating}, other artists", "p_layers": "p"}
ours = table[["rho", "low", "high", "p_layers"]].rename(columns=names)
rhos = published.rename_axis("model").join(ours)

# %% tags=["needs-embeddings", "hide-input"]
n_pairs, n_all = table["n_pairs"].iloc[0], len(rating_gaps)
show_table(
    rhos,
    "rsa",
    f"Spearman's rho between distances in vectors and in ratings ({rated.sum()} songs). First "
    "columns: all pairs, as in the published method, one column for each question. Other columns: "
    f"the {n_pairs:,} pairs by different artists, with the 95% interval and p.",
)
report_texts(rsa_rating=rating)
report_value("rsa_drop", (rhos[rating] - table["rho"]).median(), n=len(rhos))
report_value("rsa_same_artist", 100 * (1 - n_pairs / n_all), fmt=".1f", unit="%")
report_value("rsa_clear", len(clear_rows(table, "p_layers")), fmt=".0f", n=len(rhos))

# %% [markdown] tags=["needs-embeddings"]
# Of all pairs of songs, {glue:text}`rsa_same_artist` are pairs by the same artist. Without these
# pairs, rho for “{glue:text}`rsa_rating`” falls by {glue:text}`rsa_drop` (median over the rows; if
# this number is negative, rho rises). In {glue:text}`rsa_clear` of the rows of {numref}`tab-rsa`, the
# distances between songs and the differences between their ratings are correlated more strongly than
# expected by chance (p < .05). RSA weights all units equally, so a model in which only a few of many
# units are useful can have a rho near zero and still predict ratings well ({doc}`06-probing`).

# %% [markdown]
# ## What could be wrong here
#
# - **Averaging discards order.** A song's vector is a mean over time. If the activations follow a
#   pattern in time, the mean can lose it.
# - **Layers differ.** Most maps on this page show one layer per model. {doc}`06-probing` chooses the
#   layer inside the training folds.
# - **The distance measure is a choice.** With another measure, a song may have different nearest
#   neighbours.
#
# ## Exercises
#
# Exercises marked as open questions have no single answer.

# %% [markdown] tags=["needs-styles", "needs-audio"]
# ```{exercise} Without training
# :label: ex-twin
#
# Take the vectors from the layer `"penultimate"` of the untrained twin, `"msd-musicnn-untrained"`,
# and compute the silhouette of the styles. Call it `untrained`. Does training separate the styles?
# ```
#
# ```{solution-start} ex-twin
# :class: dropdown
# ```

# %% tags=["solution", "needs-styles", "needs-audio"]
twin = embed.embed_study(data, "msd-musicnn-untrained").layer("penultimate")
untrained = silhouette_score(twin, style, metric="correlation")
untrained

# %% [markdown] tags=["needs-styles", "needs-audio"]
# Compare `untrained` with the silhouette of `msd-musicnn` in {numref}`tab-separation`. If the trained
# network has the higher silhouette, training helped to separate the styles. If the two silhouettes
# are similar, the separation is due to the spectrogram and the architecture. If the untrained network
# has the higher silhouette, training has moved songs of different styles closer to each other. This
# is possible because the network was not trained to separate these styles: its tags also describe
# voices, instruments and moods, which songs of different styles can share.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-styles", "needs-audio"]
assert -1 <= untrained <= 1, "a silhouette lies between −1 and 1"
space = embed.embed_study(data, "msd-musicnn").layer("penultimate")
trained = silhouette_score(space, style, metric="correlation")
assert not np.isclose(untrained, trained), (
    "this is the silhouette of the trained network: look at the name of the model"
)
space = embed.embed_study(data, "msd-musicnn-untrained").layer("penultimate")
assert np.isclose(untrained, silhouette_score(space, style, metric="correlation")), (
    'expected the twin, its layer "penultimate", and `metric="correlation"`'
)

# %% [markdown] tags=["needs-audio"]
# ```{exercise} Backwards
# :label: ex-backwards
#
# A vector is a mean over time. Reverse the first song in time, embed the reversed song, and correlate
# its vector with the vector of the original song. Call the correlation `same`. Does the reversed song
# sound the same to you? Is its vector similar?
# ```
#
# ```{solution-start} ex-backwards
# :class: dropdown
# ```

# %% tags=["solution", "needs-audio"]
audio_player({"forwards": (trimmed, 16000), "backwards": (trimmed[::-1], 16000)})
reverse = embed.embed_audio(trimmed[::-1], 16000, "msd-musicnn")["penultimate"]
same = np.corrcoef(vector, reverse.mean(axis=0))[0, 1]
others = embed.embed_study(data, "msd-musicnn").layer("penultimate")
same, np.corrcoef(vector, others)[0, 1:].mean()  # the song backwards; all songs

# %% [markdown] tags=["needs-audio"]
# You will hear the difference at once: notes swell instead of starting with an attack. The mean over
# time ignores the order of the windows, so one might expect a correlation near 1. In the demo study,
# however, the correlation is even lower than the mean correlation between the song's vector and the
# vectors of all songs of all styles. A likely reason is that the network processes three seconds at a
# time, and swelling notes are rare in the recordings on which it was trained.
#
# ```{solution-end}
# ```

# %% tags=["check", "needs-audio"]
assert -1 <= same <= 1, "`same` should be a correlation"
assert same < 0.99999, "this is the song itself: `trimmed[::-1]` is the song backwards"
reverse = embed.embed_audio(trimmed[::-1], 16000, "msd-musicnn")["penultimate"]
assert np.isclose(same, np.corrcoef(vector, reverse.mean(axis=0))[0, 1], atol=1e-3), (
    "expected the mean of the layer `penultimate` over the windows"
)

# %% [markdown]
# ```{exercise} Is noise similar to noise?
# :label: ex-noise
#
# Compute the plain CKA, with `debiased=False`, of two independent random matrices, each of 96 songs ×
# 5000 dimensions. Call it `plain`, and call the debiased CKA `corrected`. Why is the plain CKA so
# high?
# ```
#
# ```{solution-start} ex-noise
# :class: dropdown
# ```

# %% tags=["solution"]
noise = np.random.default_rng(seed).standard_normal((2, 96, 5000))
plain = similarity.linear_cka(*noise, debiased=False)
corrected = similarity.linear_cka(*noise)
plain, corrected

# %% [markdown]
# In a random matrix with many more dimensions than songs, all pairs of songs are about equally far
# apart. As a result, plain CKA is dominated by the diagonals of the two similarity matrices, which
# contain each song's similarity with itself. Debiased CKA, which leaves out the diagonals, is about
# 0.
#
# ```{solution-end}
# ```

# %% tags=["check"]
assert plain > 0.9, "did you set `debiased=False`, and have more dimensions than songs?"
assert abs(corrected) < 0.1, (
    "the two matrices are related: draw each of them independently at random"
)

# %% [markdown] tags=["needs-audio"]
# ```{exercise} What do neighbours share?
# :label: ex-neighbours
#
# This is an open question. Change `pick` to choose five songs, and listen to each of them together
# with its nearest neighbours. What do neighbours share: the style, the artist, the tempo, the drum
# sound? Write down your guess before you look at the names.
# ```
#
# ```{solution-start} ex-neighbours
# :class: dropdown
# ```

# %% tags=["solution", "needs-audio"]
pick = 40 % len(songs)
nearest = neighbours[models[0]][pick, :2]
audio_player({labels[song]: paths[song] for song in (pick, *nearest)})

# %% [markdown] tags=["needs-audio"]
# There is no single right answer, but it is a good habit to listen before interpreting a distance. In
# the demo study, neighbours often share an artist's instruments and room rather than a rhythm.
#
# ```{solution-end}
# ```

# %% [markdown]
# ## Summary
#
# **Asked**: how pretrained models represent a song, before any ratings are used. **Found**: a model
# turns a song into one vector per layer, averaged over time. A two-dimensional map shows
# {glue:text}`in_plane` of the variance in a layer of {glue:text}`shown`. Of {glue:text}`n_pairs`
# pairs of models, {glue:text}`n_related` agree beyond chance about which songs are similar. If two
# models agree in this way, their predictions are not independent evidence.

# %% [markdown] tags=["needs-styles"]
# Embeddings carry information about the artist as well as the style: for {glue:text}`clannish_rate` of
# the songs, the nearest neighbour in the embedding of {glue:text}`clannish`, the model with the highest
# rate, is by the same artist. Information about the artist or the style can be mistaken for information
# about groove.

# %% [markdown] tags=["needs-simulation"]
# **True in the simulation**: songs by one artist share instruments, room and tempo range by
# construction, so a model *should* recognise artists. Nothing on this page shows that a model recognises
# a cause of groove.

# %% [markdown]
# **What would change our mind**: a layer or a distance measure for which songs by the same artist no
# longer cluster.
#
# **Next:** {doc}`06-probing` asks how well these vectors predict the ratings.
