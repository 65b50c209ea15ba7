# %% [markdown]
# # Who heard what, and how far do listeners agree?
#
# Before a model can be asked to predict how much a song grooves, we should know what "how much a
# song grooves" means: who was asked, about which songs, in which words, and how far two listeners
# would have said the same. That last question sets a ceiling: no model can predict the part of a
# rating that is only chance.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to read a rating study: its design, its questions, and the reliability of its
# song means, which is the noise ceiling of every model in the chapters to come.
#
# **You need** means, variances and correlations. No machine learning yet.
#
# **It runs** in about half a minute. Module: `groove_utils.study`, `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
n_splits = 500  # random halves of the listeners, for split-half reliability

# %%
import pandas as pd

from groove_utils import figures, probe
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)

chapter = open_chapter("01-listeners-and-tracks", study)
data = chapter.study
data

# %% [markdown]
# A study is a folder of four small tables and some sound; {doc}`adapt` says what is in them.
# Everything in this book sees a study only through that folder, so that your own ratings can take
# the place of these.
#
# ## The songs
#
# Songs come from artists, and artists have habits: a drummer's feel, a producer's sound. Two songs
# by one band are therefore not two independent pieces of evidence, and we count artists beside
# songs from the start.

# %%
songs = data.tracks.groupby("style").agg(
    songs=("track_id", "size"), artists=("artist", "nunique")
)
show_table(
    songs.loc[data.styles],
    "songs",
    "Songs and artists by style: the sample that all rests on.",
)

# %% tags=["hide-input"]
report_value("n_songs", len(data.tracks), fmt=".0f")
report_value("n_artists", data.tracks["artist"].nunique(), fmt=".0f")
report_value("n_styles", len(data.styles), fmt=".0f")

# %% [markdown]
# There are {glue:text}`n_songs` songs by {glue:text}`n_artists` artists in {glue:text}`n_styles`
# style(s).

# %% [markdown] tags=["needs-audio"]
# ### Listen before you compute
#
# One song of each style, brought to the same loudness. Listen for what makes you want to move:
# where the snare falls, how the bass locks with the kick, what is left out.

# %% tags=["needs-audio"]
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
audio_player(
    {f"{style}: {track}": data.audio_path(track) for style, track in first.items()}
)

# %% [markdown] tags=["needs-stems"]
# The same funk (or first) song taken apart into its stems. {doc}`06-probing` will ask what a model
# hears in the mix; listening to the parts tells you what there is to be heard.

# %% tags=["needs-stems"]
track = first.iloc[0]
audio_player(
    {f"{track}: {stem}": path for stem, path in data.stem_paths(track).items()}
)

# %% [markdown]
# ## The questions
#
# What people were asked, word for word. "Groove" in the literature is the pleasurable urge to move
# {cite}`janata2012,madison2006`; the study of {cite:t}`marmoret2026` asks about its facets one by
# one and derives a groove score from them.

# %%
wording = pd.Series(data.queries, name="wording").rename_axis("query")
show_table(wording.to_frame(), "queries", "The questions and their wording.")

# %%
means = pd.concat(
    [
        data.song_means(query).rename("mean").reset_index().assign(query=query)
        for query in data.queries
    ]
).merge(data.tracks[["track_id", "style"]])
raw = [
    query for query in data.queries if data.scales[query] == max(data.scales.values())
]
show_figure(
    figures.plot_rating_distributions(means[means["query"].isin(raw)], data.styles),
    "distributions",
    "Each dot is a song's mean rating; boxes show the quartiles of a style.",
    "Box plots with dots of song mean ratings for each question, side by side for the styles; "
    "the boxes of different styles overlap in every question.",
    table=means,
)

# %% [markdown]
# {numref}`fig-distributions` is the first warning of the book. Where styles differ in their mean
# rating, a model that recognises nothing but style will already "predict" ratings. We will have to
# ask, again and again, whether a model hears groove or genre.

# %%
correlations = means.pivot(index="track_id", columns="query", values="mean").corr()
correlations = correlations.loc[list(data.queries), list(data.queries)]
show_figure(
    figures.plot_correlations(correlations),
    "correlations",
    f"Pearson correlations between questions, over the means of {len(data.tracks)} songs.",
    "Lower triangle of a correlation matrix of the questions; most of the positive questions "
    "correlate highly with one another, the question about disturbing things negatively.",
    table=correlations,
)

# %% [markdown]
# Several questions, but hardly several independent answers ({numref}`fig-correlations`): songs that
# people would like to dance to are largely the songs that they find great for a party. Four
# predicted questions are not four confirmations.
#
# ## Who rated what

# %% [markdown] tags=["needs-listeners"]
# Nobody rates everything. {numref}`fig-design` shows who rated which song: listeners and songs are
# *crossed*, each listener meets many songs and each song many listeners, with holes. Both are
# samples, of people and of music, which {doc}`08-mixed-models` takes seriously.

# %% tags=["needs-listeners"]
query = "dance" if "dance" in data.queries else next(iter(data.queries))
matrix = data.rating_matrix(query)
show_figure(
    figures.plot_design(matrix, data.tracks.set_index("track_id")["style"]),
    "design",
    f"Ratings of «{query}»: one row a listener, one column a song. White: not rated.",
    "Matrix of listeners by songs, its cells coloured by rating where a listener rated a song; "
    "coloured cells are scattered evenly, rows differ in overall brightness.",
)

# %% tags=["needs-listeners", "hide-input"]
rated = matrix.notna()
report_value("n_listeners", len(matrix), fmt=".0f")
report_value("raters_per_song", rated.sum().mean(), fmt=".0f", n=matrix.shape[1])
report_value("songs_per_listener", rated.sum(axis=1).mean(), fmt=".0f", n=len(matrix))

# %% [markdown] tags=["needs-listeners"]
# {glue:text}`n_listeners` listeners rated about {glue:text}`songs_per_listener` songs each, so that
# a song was rated by {glue:text}`raters_per_song` of them on average.
#
# ## How far do listeners agree?
#
# Take two listeners and look at how they order the songs: that is the *intraclass correlation* of
# single ratings, ICC(C,1) {cite}`shrout1979,mcgraw1996`. Now take the mean over many listeners:
# what is private to each averages out, and what remains is more reliable. The reliability of the
# song means is the share of their variance that belongs to the songs. It is also the R² that a
# *perfect* model of the songs would reach against them, and so it is the **noise ceiling**.

# %% tags=["needs-listeners"]
ceilings = probe.noise_ceiling(data.ratings, n_splits=n_splits, seed=seed)
ceilings = ceilings.set_index("query").loc[list(data.queries)].reset_index()
chapter.save_table(ceilings, "ceilings")

# %% tags=["needs-listeners"]
shown = ceilings[ceilings["method"].isin(["ICC(C,1)", "split-half", "song means"])]
show_figure(
    figures.plot_forest(shown, label="query", hue="method", xlabel="Reliability"),
    "ceilings",
    "Agreement between single listeners, ICC(C,1), and reliability of the song means by two "
    "methods, with 95% intervals.",
    "Forest plot by question: single-listener agreement is low, around a fifth, while both "
    "estimates of the reliability of song means lie close to one another and far higher.",
    table=shown,
)


# %% tags=["needs-listeners", "hide-input"]
def told(query, method):
    row = ceilings[(ceilings["query"] == query) & (ceilings["method"] == method)].iloc[
        0
    ]
    return {
        "value": row["estimate"],
        "ci": (row["low"], row["high"]),
        "n": row["n_listeners"],
    }


report_value("icc_single", **told(query, "ICC(C,1)"))
report_value("ceiling", **told(query, "song means"))
report_value("split_half", **told(query, "split-half"))
report_text("query", query)

# %% [markdown] tags=["needs-listeners"]
# For «{glue:text}`query`», two listeners agree only as far as
# {glue:text}`icc_single_full`. Yet the mean over all raters of a song has a reliability of
# {glue:text}`ceiling_full`, and halves of the listeners, stepped up to full length by the
# Spearman–Brown formula, tell the same: {glue:text}`split_half`. People disagree a great deal, and
# still the songs' means are worth predicting.
#
# ## What if fewer people had been asked?

# %% tags=["needs-listeners"]
curves = [
    probe.rater_curve(data.ratings[data.ratings["query"] == q], seed=seed).assign(
        query=q
    )
    for q in list(data.queries)[:4]
]
curve = pd.concat(curves, ignore_index=True)
show_figure(
    figures.plot_rater_curve(curve, rated.sum().mean()),
    "rater-curve",
    "The best R² that a perfect model could reach, by number of raters a song, from ICC(C,1) by "
    "the Spearman–Brown formula. Bands: 95% intervals.",
    "Reliability rises steeply from one to about twenty raters a song and then flattens out "
    "towards one; the questions' curves lie close together.",
    table=curve,
)

# %% [markdown] tags=["needs-listeners"]
# With five raters a song, a perfect model would look mediocre ({numref}`fig-rater-curve`). When you
# read that a model explains half of the variance in ratings, ask first how many people rated each
# song.

# %% [markdown] tags=["needs-simulation"]
# ## Are these listeners plausible?
#
# They are simulated. Whether what we find with them means anything for method depends on whether
# their disagreement is like that of people. Here are their numbers beside those of real studies.

# %% tags=["needs-simulation"]
from groove_utils.synth import simulation_table

show_table(
    simulation_table(data.ratings),
    "simulated-beside-real",
    "Simulated listeners beside real ones, with the source of the real value.",
)

# %% [markdown]
# ## What could be wrong here
#
# - **The ceiling is about these songs.** Extreme groups of songs, half of them chosen for high and
#   half for low groove, agree far better than an ordinary spread of songs
#   {cite}`oconnell2022`. A ceiling does not travel from one selection of songs to another.
# - **The mean is not the listener.** A model at the ceiling of the means still says nothing about
#   *whose* body moves. {doc}`08-mixed-models` goes there.
# - **Consistency or agreement?** ICC(C,·) forgives listeners who use the scale higher or lower than
#   others. That suits the means of a balanced design, and flatters comparisons of single answers.
#
# What would change the conclusion: intervals of the ceiling that reach down to the scores of the
# models. Then models could no longer be told from perfect ones.
#
# ## Exercises
#
# 1. Change `query` to another question and run the chapter again (`make chapter
#    CH=01-listeners-and-tracks`). Which question would you rather predict, and why?

# %% [markdown]
# ````{dropdown} Solution
# The one with the highest reliability leaves a model most to explain, but look at
# {numref}`fig-correlations` as well: a question that correlates with all others may be mostly
# about liking. The choice should be made before looking at any model's score.
# ````
#
# 2. How many raters a song would you ask for, if each rating cost the same, and you could also
#    spend the money on more songs?

# %% [markdown]
# ````{dropdown} Solution
# The curve flattens early: from twenty raters on, a second twenty buys little. More songs narrow
# the interval of every model's score instead, roughly with the square root of their number. Most
# studies would do better with more songs and fewer raters each. {doc}`06-probing` measures this.
# ````

# %% [markdown]
# ## Summary
#
# - Songs are nested in artists and styles, and ratings are crossed over listeners and songs.
# - Single listeners agree little; means over many listeners are reliable. Their reliability is the
#   ceiling that the next chapters draw into every figure.
# - The questions overlap so much that they count as little more than one.
#
# **Next:** {doc}`05-embeddings` shows what the pretrained models make of these songs.
