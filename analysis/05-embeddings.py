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
models = ["msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg", "basic-pitch"]
n_permutations = 1000

# %%
import pandas as pd
from statsmodels.stats.multitest import multipletests

from groove_utils import embed, figures
from groove_utils.book import (
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.embed.geometry import neighbour_rate, song_map, style_separation

chapter = open_chapter("05-embeddings", study)
data = chapter.study

# %% [markdown]
# ## The models
#
# All of these run offline, because their weights come inside Python packages. The taggers of
# {cite:t}`pons2019` were trained to predict fifty tags of a song (genre, mood, instrument, voice);
# two were trained on the Million Song Dataset (`msd`), two on MagnaTagATune (`mtt`); one
# architecture is a stack of small square kernels as for photographs (`vgg`), the other has kernels
# shaped after music: tall ones for timbre, long ones for rhythm (`musicnn`). Basic Pitch
# {cite}`bittner2022` was trained to transcribe notes.

# %%
catalogue = embed.list_models().loc[models]
show_table(
    catalogue[["training", "sample_rate", "window", "parameters", "licence"]],
    "models",
    "The models, what they were trained on, their sample rate (Hz), window (s), number of "
    "parameters, and the licence of their weights.",
    fmt="{:.1f}",
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
# Every model has an **untrained twin**: the same architecture with random weights. Convolutions,
# rectification and pooling of a spectrogram are a decent feature extractor even if nothing was
# learnt {cite}`choi2017`. Only what a model has beyond its twin is owed to training.

# %%
twins = [f"{model}-untrained" for model in models if data.has("audio")]
embeddings = {name: embed.embed_study(data, name) for name in [*models, *twins]}
embeddings[models[0]]

# %%
facts = pd.DataFrame(
    {
        "model": models,
        "source": catalogue["source"].to_numpy(),
        "licence": catalogue["licence"].to_numpy(),
        "fingerprint": [embed.load_model(name).fingerprint[:16] for name in models],
    }
)
chapter.save_table(facts, "models")

# %% [markdown] tags=["needs-audio"]
# ### What a tagger says
#
# The last layer of a tagger can be read in plain words. Here is what the one trained on the Million
# Song Dataset hears in one song of each style. (It has heard recordings of bands. Our demo is
# played by samples, and it shows.)

# %% tags=["needs-audio"]
from musicnn.configuration import MSD_LABELS

tags = embeddings["msd-musicnn"].frame("taggram").set_axis(MSD_LABELS, axis=1)
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
top = {
    style: ", ".join(
        f"{tag} ({p:.2f})" for tag, p in tags.loc[track].nlargest(5).items()
    )
    for style, track in first.items()
}
show_table(
    pd.Series(top, name="five likeliest tags").rename_axis("style").to_frame(),
    "tags",
    "The tags that `msd-musicnn` finds likeliest, with their probabilities, for the first song of "
    "each style.",
)

# %% [markdown]
# ## Maps of songs
#
# Each dot in {numref}`fig-pca` is a song, placed by the first two principal components of a model's
# last hidden layer. Above, the colour is the style; below, the same dots are coloured by their mean
# rating. A style that forms a cloud of its own is easy for the model to tell. A rating that changes
# smoothly across the map would be easy to predict, and a rating that changes *within* a cloud is
# what we are after.

# %%
hidden = {
    m: [name for name in embeddings[m].layers if name != "taggram"] for m in models
}
last = {m: names[-1] for m, names in hidden.items()}
rating = "groove" if "groove" in data.queries else next(iter(data.queries))
songs = data.tracks[["track_id", "style", "artist"]].assign(
    **{rating: data.song_means(rating).to_numpy()}
)


def maps(method):
    return pd.concat(
        [
            songs.assign(
                **dict(
                    zip("xy", song_map(embeddings[m].layer(last[m]), method, seed).T)
                ),
                map=m,
            )
            for m in models
        ]
    )


# %%
positions = maps("pca")
show_figure(
    figures.plot_song_maps(positions, data.styles, rating),
    "pca",
    "Principal components of each model's last hidden layer. Above: style; below: mean rating.",
    "One scatter plot of songs a model, twice: coloured by style in the upper row, where styles "
    "form overlapping clouds, and by mean rating in the lower row, where colours are mixed.",
    table=positions,
)

# %% [markdown]
# {numref}`fig-umap` shows the same vectors through UMAP {cite}`mcinnes2018` with the settings of
# {cite:t}`marmoret2026`. It looks tidier. Do not read more into it: UMAP keeps neighbourhoods, but
# the gaps between clusters, and their sizes, are made by the method.

# %%
positions = maps("umap")
show_figure(
    figures.plot_song_maps(positions, data.styles, rating),
    "umap",
    "The same layers through UMAP (5 neighbours, minimal distance 0.3, correlation distance).",
    "UMAP scatter plots of songs, one a model: small tight groups of dots that mostly share a "
    "style in the upper row, with mixed ratings inside the groups in the lower row.",
    table=positions,
)

# %% [markdown] tags=["needs-styles"]
# ## Do styles lie apart? Or bands?
#
# A picture is no test. The silhouette compares a song's distance to its own style with that to the
# nearest other style, from −1 to 1. Since songs of one band sound alike, we test it by exchanging
# the styles of whole bands.

# %% tags=["needs-styles"]
names = [*models, *twins]
layer = {name: last[name.removesuffix("-untrained")] for name in names}
table = pd.DataFrame(
    {
        name: style_separation(
            embeddings[name].layer(layer[name]),
            songs["style"],
            songs["artist"],
            n_permutations=n_permutations,
            seed=seed,
        )
        for name in names
    }
).T.rename_axis("model")
table["p_holm"] = multipletests(table["p"].astype(float), method="holm")[1]

# %% tags=["needs-styles"]
for label in ("style", "artist"):
    rates = [neighbour_rate(embeddings[n].layer(layer[n]), songs[label]) for n in names]
    table[f"same_{label}"] = [rate["rate"] for rate in rates]
    report_value(f"chance_{label}", rates[0]["chance"], n=len(songs))
show_table(
    table[["silhouette", "null_mean", "p", "p_holm", "same_style", "same_artist"]],
    "separation",
    "Silhouette of the styles, its mean when styles are exchanged between bands, and the p-value, "
    "plain and by Holm over all rows; then the share of songs whose nearest neighbour has the same "
    f"style or comes from the same band ({len(songs)} songs, {songs['artist'].nunique()} bands).",
)

# %% tags=["needs-styles", "hide-input"]
artist = table.loc[models, "same_artist"]
best = artist.idxmax()
report_text("clannish", best)
report_value("clannish_rate", artist[best], n=len(songs))
beaten = sum(
    table.loc[f"{m}-untrained", "same_artist"] >= artist[m] for m in models if twins
)
report_value("n_models", len(models), fmt=".0f")
report_value("twins_ahead", beaten, fmt=".0f", n=len(models))

# %% [markdown] tags=["needs-styles"]
# In the embedding of {glue:text}`clannish`, the nearest neighbour of a song is by the same band
# in a share of {glue:text}`clannish_rate` of cases, where chance would give
# {glue:text}`chance_artist`. The model knows the band. A probe that is tested on a band which it was
# trained on can therefore look clever by recognising it: the reason for
# {term}`artist-grouped folds` in {doc}`06-probing`. Does training teach that? Of the
# {glue:text}`n_models` models, {glue:text}`twins_ahead` have an untrained twin that finds the band
# at least as well: much of what tells bands apart lies open in the spectrogram.

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
# 1. Show the maps for an untrained twin: replace `models` in `maps` by `twins`. Is training what
#    pulls the styles apart?

# %% [markdown]
# ````{dropdown} Solution
# Compare the silhouettes of the trained and the untrained network of one architecture in the table
# of this chapter. Where they are alike, the architecture and the spectrogram did the work.
# ````
#
# 2. Use an earlier layer in `last`, say `pool1` for the `vgg` models. What happens to the styles?

# %% [markdown]
# ````{dropdown} Solution
# Early layers stay close to the spectrogram: they separate songs by loudness and spectral balance,
# which differ between bands as much as between styles. Later layers are closer to the tags that the
# network was trained to tell, genre among them.
# ````

# %% [markdown]
# ## Summary
#
# - A model turns a song into one vector a layer; windows cover the whole song, and time is averaged.
# - Models know bands as well as styles. Both can be mistaken for groove.
# - Every trained model stands beside its untrained twin.
#
# **Next:** {doc}`06-probing` asks how much of the ratings these vectors predict.
