# %% [markdown] tags=["needs-audio-or-embeddings"]
# # Can embeddings predict how much a song grooves?
#
# Take a song's embedding, fit the simplest model there is to the ratings of other songs, and
# predict this one's. If that works, the embedding carries something that listeners respond to. If
# it works for the wrong reason, the number looks just as good. So this chapter begins with the
# published procedure and its numbers, and then lets a sceptical reviewer speak: one objection at a
# time, each answered by a figure.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to probe frozen embeddings so that every choice is made without the test songs;
# and to ask of a score whether it is owed to scale, to dimension, to artists, to style, to luck or
# to noise before you believe that it is owed to groove.
#
# **You need** {doc}`01-listeners-and-tracks` and {doc}`05-embeddings`; linear regression.
#
# **It runs** in about two minutes. Module: `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
models = []  # empty: those that the study brings, else five that run offline
targets = ["groove", "dance", "listen", "party"]
n_repeats = 5  # times that the songs are dealt into folds
n_bootstrap = 2000
n_permutations = 1000
n_components = 10  # the common dimension at which models are compared
n_draws = 5  # random projections, and random choices of training songs

# %%
import pandas as pd
from statsmodels.stats.multitest import multipletests

from groove_utils import embed, figures, probe
from groove_utils.book import (
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)
from groove_utils.descriptors import BASELINE, describe_study
from groove_utils.embed.choice import models_for, stem_sums, twins_of
from groove_utils.probe import tables
from groove_utils.probe.features import usable_descriptors

chapter = open_chapter("06-probing", study)
data = chapter.study

# %% [markdown]
# ## What goes in, what should come out
#
# The features are every layer of each model, the same of its {term}`untrained twin` where there is
# one, and the handcrafted {term}`descriptors <descriptor>` as a rival. The targets are the mean
# ratings of the songs, on {glue:text}`n_targets` questions.

# %%
models, targets = models_for(data, models), tables.rated_targets(data, targets)
twins = twins_of(data, models)
features = {name: embed.embed_study(data, name).layers for name in [*models, *twins]}
if data.has("audio") or data.has("descriptors"):
    features["descriptors"] = usable_descriptors(describe_study(data))

# %%
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists, styles = data.tracks["artist"].to_numpy(), data.tracks["style"].to_numpy()
target = targets[0]

# %% tags=["hide-input"]
objections = []  # what a reviewer asks, and what this chapter answers
report_value("n_targets", len(targets), fmt=".0f")
report_value("n_models", len(models), fmt=".0f")
report_value("n_artists", len(set(artists)), fmt=".0f")
report_value("n_songs", len(ratings), fmt=".0f")
report_text("target", target)
report_text("models", tables.name_list(models))

# %% [markdown]
# The models are {glue:text}`models`; the songs are {glue:text}`n_songs`, by
# {glue:text}`n_artists` artists.
#
# ## The published protocol
#
# {cite:t}`marmoret2026` put all layers of a model side by side, fitted a {term}`ridge regression`
# with one fixed penalty (0.2) on features as they came, dealt the songs into four folds without
# regard to artists, and took the mean of the folds' R². They did so with five dealings, and report
# mean ± standard deviation over these. Here is that protocol, to the letter, on this study.

# %%
published = {name: X for name, X in features.items() if name not in twins}
if "descriptors" in features:
    sixteen = [name for name in BASELINE if name in features["descriptors"]]
    published["descriptors"] = features["descriptors"][sixteen]
for model in models:
    for stems in stem_sums(data, model):
        only = embed.embed_study(data, model, stems=stems.split("+"))
        published[f"{model}: {stems}"] = only.layers

# %%
paper = {
    name: probe.paper_protocol(X, ratings, artists, styles)
    for name, X in published.items()
}

# %%
show_table(
    tables.text_table(paper),
    "paper",
    f"R² under the published protocol, mean ± SD over five dealings of {len(ratings)} songs into "
    "four folds. Rows named with a stem rest on the vectors of that stem alone.",
)

# %% tags=["hide-input"]
stem_rows = [name for name in paper if ": " in name]
report_text(
    "stem_note",
    f"The study brings vectors of separated stems; they make the last {len(stem_rows)} rows."
    if stem_rows
    else "The study brings no vectors of separated stems, so that there are no rows for them.",
)
paper_scores = pd.concat(
    [found.scores().assign(model=name) for name, found in paper.items()]
).set_index(["model", "target"])["fold_r2"]
lowest = paper_scores.xs(target, level="target")
report_text("paper_worst", lowest.idxmin())
report_value("paper_worst_r2", lowest.min(), n=len(ratings))
report_value("paper_best_r2", lowest.max(), n=len(ratings))
report_text("paper_best", lowest.idxmax())
report_value("paper_negative", (paper_scores < 0).sum(), fmt=".0f", n=len(paper_scores))

# %% [markdown]
# R² is 0 for whoever predicts the mean rating, and negative for whoever does worse. For
# «{glue:text}`target`» the rows of this table reach from {glue:text}`paper_worst_r2`
# ({glue:text}`paper_worst`) to {glue:text}`paper_best_r2` ({glue:text}`paper_best`), and
# {glue:text}`paper_negative_full` cells lie below zero. {glue:text}`stem_note`
#
# What may be concluded? A reviewer would have questions. We ask them ourselves.

# %% [markdown]
# ## A protocol without choices after the fact
#
# A ridge has a penalty, and a model has several layers. Whoever tries them all and reports the best
# has tuned on the test. So the songs are dealt into four folds of **whole artists**, balanced over
# styles; penalty and layer are chosen by a second round of cross-validation *inside* the training
# folds; and standardisation is learnt there too. Every song is then predicted by a model that has
# never heard its artist, and never helped to choose itself. That is repeated
# {glue:text}`repeats` times with other folds, and R² is taken over all held-out songs at once.

# %%
report_value("repeats", n_repeats, fmt=".0f")
dealt = {"styles": styles, "n_repeats": n_repeats, "seed": seed, "n_jobs": 2}
settings = {"artists": artists, **dealt}
results = {
    name: probe.nested_ridge(layers, ratings, method=name, **settings)
    for name, layers in features.items()
}
results["style alone"] = probe.style_baseline(
    ratings, artists, styles, n_repeats=n_repeats, seed=seed
)

# %%
scores = tables.score_table(results, n_boot=n_bootstrap, seed=seed)
kinds = {
    **dict.fromkeys(models, "pretrained"),
    **dict.fromkeys(twins, "untrained twin"),
}
scores["kind"] = scores["model"].map(kinds).fillna("rival")
scores["row"] = scores["model"].str.removesuffix("-untrained")
chapter.save_table(scores, "probe_scores")

# %%
bands = None
if chapter.has_table("ceilings"):
    bands = chapter.load_table("ceilings").query("method == 'song means'")
    bands = bands.rename(columns={"query": "target"})

# %%
show_figure(
    figures.plot_forest(
        scores,
        label="row",
        panel="target",
        hue="kind",
        xlabel="Out-of-fold R²",
        bands=bands,
    ),
    "probe-scores",
    f"Out-of-fold R² on {len(ratings)} songs by {len(set(artists))} artists, with 95% intervals "
    "over artists. Shaded, where listeners are known: the noise ceiling with its interval.",
    "Forest plot, one panel a question: R squared of each pretrained model, where possible beside "
    "its untrained twin, of the descriptors and of style alone, each with a wide interval, and a "
    "shaded band for the noise ceiling where there is one.",
    table=scores,
)

# %% tags=["hide-input"]
own = scores[scores["target"] == target].set_index("model")
ranked = own.loc[models, "estimate"].sort_values(ascending=False)
best = ranked.index[0]
report_text("best_model", best)
report_value("best_r2", **tables.as_reported(own.loc[best], len(ratings)))
report_value("style_r2", **tables.as_reported(own.loc["style alone"], len(ratings)))

# %% [markdown]
# For «{glue:text}`target`», the best of the pretrained models is {glue:text}`best_model` with an R²
# of {glue:text}`best_r2_full`. Knowing nothing but the style gives {glue:text}`style_r2_full`.
#
# ## Objection 1: it is a matter of scale
#
# *«You regress on units as they come. One that hardly varies counts for nothing, and one that is
# all but constant in training and jumps in a test song throws its prediction far off.»* Dividing
# each unit by its standard deviation cures the first and worsens the second, unless the divisor has
# a floor and the result a bound.

# %%
plain = {
    name: probe.nested_ridge(features[name], ratings, floor=0, clip=1e12, **settings)
    for name in models
}
scale = tables.settings_table(
    {
        "as published": {name: paper[name] for name in models},
        "standardised": plain,
        "with floor and bound": {name: results[name] for name in models},
    }
)

# %%
show_figure(
    figures.plot_settings(scale, value="fold_r2", xlabel="Mean R² of folds"),
    "probe-scale",
    "The statistic of the published table (mean of the folds' R²) under three treatments of scale: "
    "the published protocol; penalty and layer chosen inside, features standardised; the same "
    "with a floor under the standard deviation and values bounded at five of them.",
    "Dot plots, one panel a question and one line a model: three dots for three treatments of "
    "scale. Scores below −1 are arrows at the left edge with their number.",
    table=scale,
)

# %%
facts = pd.DataFrame(
    {n: tables.scale_facts(features[n], results[n].folds, artists) for n in models}
).T

# %%
show_table(
    facts.rename_axis("model").astype({"units": int, "constant": int}),
    "scale-facts",
    "Units of a model; those that are constant in some training set; orders of magnitude between "
    "the largest and the smallest standard deviation of the others; the furthest that a held-out "
    "song lies from the training mean, in standard deviations of its unit; and the percentage of "
    "values that the bound touches.",
    fmt="{:,.2f}",
)

# %% tags=["hide-input"]
mean_r2 = (
    scale[scale["target"] == target].groupby("setting", sort=False)["fold_r2"].median()
)
report_value("scale_published", mean_r2["as published"], n=len(models))
report_value("scale_floor", mean_r2["with floor and bound"], n=len(models))
report_value("largest_z", facts["largest_z"].max(), fmt=".0f")
moved = mean_r2["with floor and bound"] - mean_r2["as published"]
scale_word = (
    "Scale and penalty matter: the published numbers are too low"
    if moved > 0.05
    else "Scale and penalty matter: the published numbers are higher"
    if moved < -0.05
    else "Scale and penalty hardly matter here"
)
report_text("scale_word", scale_word)
objections.append(
    (
        "scale",
        f"{scale_word} (median R² of {mean_r2.iloc[0]:.2f} against {mean_r2.iloc[-1]:.2f})",
    )
)

# %% [markdown]
# {glue:text}`scale_word`: over the models, the median goes from {glue:text}`scale_published` to
# {glue:text}`scale_floor`. With plain standardisation, some held-out song lies
# {glue:text}`largest_z` standard deviations off in some unit. One such song can ruin a fold.
#
# ## Objection 2: it is a matter of dimension
#
# *«A model with thousands of dimensions fits anything. Compare at equal size.»* So each model is
# cut to {glue:text}`n_components` principal components, learnt from the training songs only. As a
# control, each is projected to as many *random* directions, and as many columns of pure noise
# stand in for a model altogether.

# %%
report_value("n_components", n_components, fmt=".0f")
equal = {
    name: probe.nested_ridge(features[name], ratings, pca=n_components, **settings)
    for name in published
    if name in features
}
control = {
    name: probe.random_projection_control(
        features[name],
        ratings,
        n_components=n_components,
        n_draws=n_draws,
        **{**settings, "n_repeats": 1},
    )
    for name in equal
}

# %%
sizes = {
    "all dimensions": {n: results[n] for n in equal},
    f"{n_components} components": equal,
}
dimension = pd.concat(
    [
        tables.settings_table(sizes),
        tables.control_table(
            control, "projection", f"{n_components} random directions"
        ),
        tables.control_table(control, "noise", f"{n_components} columns of noise"),
    ]
)

# %%
show_figure(
    figures.plot_settings(dimension),
    "dimension",
    f"R² with all dimensions, with {n_components} principal components, with {n_components} random "
    f"directions (mean of {n_draws} draws), and with {n_components} columns of noise instead.",
    "Dot plots, one panel a question and one line a model: four dots each, for all dimensions, few "
    "principal components, random directions, and noise, which lies at about zero.",
    table=dimension,
)

# %% tags=["hide-input"]
here = dimension[dimension["target"] == target].pivot_table(
    index="model", columns="setting", values="r2"
)
change = here[f"{n_components} components"] - here["all dimensions"]
report_value("dimension_change", change[models].mean(), n=len(models))
report_value("noise_r2", here[f"{n_components} columns of noise"].mean())
dimension_best = here.loc[models, f"{n_components} components"].idxmax()
dimension_word = (
    f"At equal size {dimension_best} is still ahead"
    if dimension_best == best
    else f"At equal size {dimension_best} is ahead instead of {best}"
)
report_text("dimension_word", dimension_word)
report_text(
    "dimension_owed",
    "how many dimensions a model has is not what it owes its score to, as long as the penalty may "
    "adapt to them"
    if abs(change[models].mean()) < 0.05
    else "part of what tells the models apart is their number of dimensions",
)
objections.append(
    (
        "dimension",
        f"{dimension_word}; R² changes by {change[models].mean():+.2f} on average",
    )
)

# %% [markdown]
# With {glue:text}`n_components` dimensions the R² of «{glue:text}`target`» changes by
# {glue:text}`dimension_change` on average, and noise of that size gives {glue:text}`noise_r2`.
# {glue:text}`dimension_word`; {glue:text}`dimension_owed`.
#
# ## Objection 3: it knows the artists
#
# *«Your model has heard the band.»* Songs of one artist share players, studio and habits, in sound
# and in ratings. If one of them is in the training folds, recognising the artist is enough. The
# difference between folds of songs and folds of whole artists is what that is worth.

# %%
free = {name: probe.nested_ridge(features[name], ratings, **dealt) for name in equal}
folds = tables.settings_table(
    {"songs dealt freely": free, "whole artists": {n: results[n] for n in equal}}
)

# %%
show_figure(
    figures.plot_settings(folds),
    "artists",
    "R² when songs are dealt into folds freely, so that most artists are on both sides, and when "
    "whole artists are held out. Everything else is the same.",
    "Dot plots, one panel a question and one line a model: two dots each, one for freely dealt "
    "songs and one for folds of whole artists.",
    table=folds,
)

# %% [markdown]
# A leak is no matter of opinion, either. Change the ratings of the held-out songs at random, and
# look whether their predictions move. Change the features of some held-out songs, and look whether
# the predictions of the others do. Our protocol, and the same with freely dealt folds:


# %%
def probe_once(X, y, folds):
    return probe.nested_ridge(X, y, styles=styles, folds=folds, seed=seed)


found = {
    name: probe.find_leaks(
        probe_once,
        {"last": list(features[best].values())[-1]},
        ratings[[target]],
        artists,
        folds=result.folds[0],
        n_tries=1,
    ).set_index("check")["leaks"]
    for name, result in {"whole artists": results[best], "freely": free[best]}.items()
}
leaks = pd.DataFrame(found).replace({True: "leaks", False: "tight"})

# %%
show_table(
    leaks, "leaks", "What could reach a model from its test songs, and whether it does."
)

# %% tags=["hide-input"]
gain = folds[folds["target"] == target].pivot_table(
    index="model", columns="setting", values="r2"
)
gain = gain["songs dealt freely"] - gain["whole artists"]
report_value("artist_gain", gain[models].mean(), n=len(models))
report_text("artist_gain_most", gain.idxmax())
report_value("artist_gain_max", gain.max())
artist_word = (
    "Knowing the artist would have flattered the models"
    if gain[models].mean() > 0.02
    else "Knowing the artist would hardly have helped"
)
report_text("artist_word", artist_word)
objections.append(
    (
        "artists",
        f"{artist_word}: by {gain[models].mean():.2f} of R² on average",
    )
)

# %% [markdown]
# {glue:text}`artist_word`: on average by {glue:text}`artist_gain` of R² for «{glue:text}`target`»,
# most for {glue:text}`artist_gain_most` ({glue:text}`artist_gain_max`).
#
# ## Objection 4: it is style, not groove

# %% [markdown] tags=["needs-styles"]
# *«It tells funk from rock. So can I.»* R² over all songs mixes two feats: telling the styles apart,
# and ordering the songs within a style. Splitting both ratings and predictions into style means
# and departures from them gives each its own R².

# %% tags=["needs-styles"]
parts = probe.style_scores(results[best], n_boot=n_bootstrap, seed=seed)
shown = parts[parts["part"].isin(["all", "between", "within"])]

# %% tags=["needs-styles"]
show_figure(
    figures.plot_forest(
        shown.rename(columns={"r2": "estimate"}),
        label="part",
        panel="target",
        xlabel="R²",
    ),
    "within-styles",
    f"R² of {best} over all songs, between the styles' means, and within styles.",
    "Forest plot with three rows, all songs, between styles and within styles, for each question; "
    "the rows differ, and the intervals are wide.",
    table=parts,
)

# %% tags=["needs-styles", "hide-input"]
own_parts = parts[parts["target"] == target].set_index("part")
within = own_parts.loc["within"]
report_value("within_r2", **tables.as_reported(within, len(ratings), value="r2"))
report_value("between_share", own_parts.loc["between", "share"])
report_text(
    "within_verdict",
    tables.side_of_zero(
        within,
        "orders songs within a style",
        "does worse than the style's mean within a style",
        "cannot be shown to order songs within a style",
    ),
)

# %% [markdown] tags=["needs-styles"]
# Differences between styles make {glue:text}`between_share` of the variance of
# «{glue:text}`target`». Within styles the R² is {glue:text}`within_r2_full`: the model
# {glue:text}`within_verdict`.
#
# A harder test takes the style out of the ratings *before* the probe is trained, inside each
# training fold, and asks what is predicted beyond it.

# %% tags=["needs-styles"]
residual = {
    name: probe.nested_ridge(features[name], ratings, nuisance=styles, **settings)
    for name in equal
}
beyond = tables.score_table(
    residual, score="r2_over_baseline", n_boot=n_bootstrap, seed=seed
)

# %% tags=["needs-styles"]
show_figure(
    figures.plot_forest(
        beyond, label="model", panel="target", xlabel="R² beyond style"
    ),
    "beyond-style",
    "Share of the squared error of the style means that a probe removes, when it is trained on "
    "departures from them. At 0 it adds nothing.",
    "Forest plot, one panel a question and one row a model, of R squared beyond the style's mean "
    "with intervals and a line at zero.",
    table=beyond,
)

# %% tags=["needs-styles"]
chance = probe.permutation_test(
    {name: features[name] for name in models},
    ratings,
    n_permutations=n_permutations,
    within_style=True,
    nuisance=styles,
    **{**settings, "n_repeats": 1},
)
beyond_chance = chance.loc[chance["p_family"] < 0.05, "model"].unique()

# %% tags=["needs-styles", "hide-input"]
ahead = beyond[(beyond["low"] > 0) & (beyond["target"] == target)]["model"]
report_text("beyond_style", tables.name_list(ahead, "none of them"))
report_text("beyond_chance", tables.name_list(beyond_chance, "none of the models"))
objections.append(
    (
        "style",
        f"{best} {tables.side_of_zero(within, 'orders', 'misorders', 'cannot be shown to order')} "
        f"songs within a style; beyond style, surely above 0: {tables.name_list(ahead)}",
    )
)

# %% [markdown] tags=["needs-styles"]
# For «{glue:text}`target`», surely above 0: {glue:text}`beyond_style`. When ratings are shuffled
# among songs of one style only, those that beat every shuffled run of any model and question at the
# 5% level are: {glue:text}`beyond_chance`.
#
# Does what is learnt in one style hold in another? Train on one style, test on the next; on the
# diagonal, whole artists of the style itself are held out.

# %% tags=["needs-styles"]
trainable = data.tracks.groupby("style")["artist"].nunique().min() >= 4
if trainable:
    transfer = probe.transfer_matrix(
        features[best], ratings[[target]], n_boot=n_bootstrap, **settings
    )
    show_figure(
        figures.plot_transfer(transfer, data.styles),
        "style-transfer",
        f"«{target}» from {best}, trained on one style (rows) and tested on another (columns).",
        "Two square matrices of training style by test style, one of R squared and one of rank "
        "correlations, with a last row for training on all other styles.",
        table=transfer,
    )

# %% tags=["needs-styles", "hide-input"]
if trainable:
    across = transfer[(transfer["train"] != transfer["test"])]
    inside = transfer[transfer["train"] == transfer["test"]]
    report_value("transfer_inside", inside["spearman"].mean(), n=len(inside))
    report_value("transfer_across", across["spearman"].mean(), n=len(across))
    transfer_note = (
        f"inside a style the mean rank correlation is {inside['spearman'].mean():.2f}, across "
        f"styles it is {across['spearman'].mean():.2f}"
    ).replace("-", "−")
else:
    transfer_note = "the styles have too few artists for that here"
report_text("transfer_note", transfer_note)

# %% [markdown] tags=["needs-styles"]
# In short: {glue:text}`transfer_note`. R² is harsher than the rank correlation, since a wrong level
# of the new style counts as error too.

# %% [markdown] tags=["needs-styles", "needs-audio-or-descriptors"]
# Finally, style, descriptors and embedding may tell the same story. A variance partition asks what
# each tells alone and what they share {cite}`dupre2022`. Shares may be negative: out of fold, a
# block of features can harm.

# %% tags=["needs-styles", "needs-audio-or-descriptors"]
blocks = {
    "style": styles,
    "descriptors": features["descriptors"],
    "embedding": embed.embed_study(data, best).layers,
}
blocks["embedding"] = pd.concat(
    [pd.DataFrame(X) for X in blocks["embedding"].values()], axis=1
).to_numpy()
partition = probe.variance_partition(
    blocks, ratings, n_boot=n_bootstrap, **{**settings, "n_repeats": 2}
)

# %% tags=["needs-styles", "needs-audio-or-descriptors"]
show_figure(
    figures.plot_forest(
        partition[partition["kind"] != "model"].rename(columns={"r2": "estimate"}),
        label="part",
        panel="target",
        xlabel="Share of R²",
    ),
    "partition",
    f"Out-of-fold R² that belongs to style, descriptors or embedding ({best}) alone, to two of "
    "them, and to all three. The seven rows add up to the R² of all together.",
    "Forest plot of seven shares for each question: three unique ones, three of pairs, and the one "
    "common to style, descriptors and embedding, with intervals and a line at zero.",
    table=partition,
)

# %% tags=["needs-styles", "needs-audio-or-descriptors", "hide-input"]
unique = partition[
    (partition["target"] == target)
    & (partition["kind"] == "unique")
    & (partition["part"] == "embedding")
].iloc[0]
report_value("unique_r2", **tables.as_reported(unique, len(ratings), value="r2"))
report_text(
    "unique_word",
    tables.side_of_zero(unique, "something", "less than nothing", "nothing certain"),
)

# %% [markdown] tags=["needs-styles", "needs-audio-or-descriptors"]
# What the embedding tells of «{glue:text}`target`» that neither style nor descriptors tell is
# {glue:text}`unique_r2_full`: {glue:text}`unique_word`.

# %% [markdown]
# ## Objection 5: it is luck
#
# *«You tried several models, layers and questions. Some of them had to work.»* Shuffle the ratings
# over songs, run the whole procedure again, choices and all, and note the highest R² that any model
# reaches on any question. Do that {glue:text}`permutations` times: that is how far luck goes.

# %%
report_value("permutations", n_permutations, fmt=".0f")
pretrained = {name: features[name] for name in models}
once = {**settings, "n_repeats": 1}
luck, null = probe.permutation_test(
    pretrained, ratings, n_permutations=n_permutations, return_null=True, **once
)
by_artist = probe.permutation_test(
    pretrained, ratings, n_permutations=n_permutations, unit="artist", **once
)
luck["p_artists"] = by_artist["p_family"]

# %%
show_figure(
    figures.plot_luck(luck, null, target),
    "luck",
    f"R² for «{target}» (dots) and for {n_permutations} shuffled studies (violins), by model, and "
    f"the best of {len(models)} models and {len(targets)} questions in each shuffle.",
    "Violin plots of R squared under shuffled ratings, one row a model and one for the best of all; "
    "dots show the observed scores, a dotted line the 95% quantile of the best of all.",
    table=luck,
)

# %% tags=["hide-input"]
p_least = 1 / (n_permutations + 1)
beat = luck.loc[(luck["p_family"] < 0.05) & (luck["target"] == target), "model"]
sure = luck.loc[(luck["p_artists"] < 0.05) & (luck["target"] == target), "model"]
report_value("n_beyond_luck", len(beat), fmt=".0f", n=len(models))
report_value("n_beyond_luck_artists", len(sure), fmt=".0f", n=len(models))
report_value("p_least", p_least, fmt=".4f")
objections.append(
    (
        "luck",
        f"{len(beat)} of {len(models)} models beat the best of all shuffled runs, "
        f"{len(sure)} when whole artists are shuffled",
    )
)

# %% [markdown]
# For «{glue:text}`target`», {glue:text}`n_beyond_luck` of {glue:text}`n_models` models did better
# than luck at the 5% level, corrected for all models and questions. Songs of one artist resemble
# each other, though, and shuffling single songs destroys that. When whole artists exchange their
# ratings, it is {glue:text}`n_beyond_luck_artists` models. (With this many shuffles no p-value can
# be below {glue:text}`p_least`.)
#
# ## Objection 6: the rest is noise

# %% [markdown] tags=["needs-table-ceilings"]
# *«An R² like that leaves most of the variance unexplained.»* Unexplained by whom? Part of a song's
# mean rating is chance, and the {term}`noise ceiling` of {doc}`01-listeners-and-tracks` says how
# much. R² as a share of that ceiling is what can be held against a model.

# %% tags=["needs-table-ceilings"]
ceilings = chapter.load_table("ceilings")
reach = probe.normalise_by_ceiling(scores[scores["kind"] != "untrained twin"], ceilings)
reach["estimate"] = reach["r2_normalised"]
reach[["low", "high"]] = reach[["low", "high"]].div(reach["ceiling"], axis=0)

# %% tags=["needs-table-ceilings"]
show_figure(
    figures.plot_forest(
        reach, label="row", panel="target", xlabel="R² / ceiling", reference=1.0
    ),
    "reach",
    "R² as a share of the noise ceiling; the line is a perfect model. Intervals are those of R², "
    "with the ceiling as estimated.",
    "Forest plot of R squared divided by the noise ceiling, one panel a question and one row a "
    "model or rival, with a line at one for a perfect model.",
    table=reach,
)

# %% tags=["needs-table-ceilings", "hide-input"]
row = reach[(reach["target"] == target) & (reach["model"] == best)].iloc[0]
report_value("reach", **tables.as_reported(row, len(ratings)))
report_value("ceiling", row["ceiling"], ci=(row["ceiling_low"], row["ceiling_high"]))
report_text(
    "reach_word",
    "leaves room below the ceiling"
    if row["high"] < 1
    else "cannot be told from a perfect model",
)
objections.append(
    (
        "noise",
        f"{best} reaches {row['estimate']:.0%} of the ceiling of {row['ceiling']:.2f}",
    )
)

# %% [markdown] tags=["needs-table-ceilings"]
# For «{glue:text}`target`» the ceiling is {glue:text}`ceiling_full`. Of it, {glue:text}`best_model`
# reaches a share of {glue:text}`reach_full`, and {glue:text}`reach_word`. What is missing is owed to
# the model, to the probe, or to the number of songs, and not to the listeners.

# %% [markdown]
# ## Better than what?
#
# The honest question is not whether a model beats zero but whether it beats its rivals *on the same
# songs*. {numref}`fig-rival-differences` shows paired differences: what makes an artist hard is hard
# for both, so that their intervals are narrower than {numref}`fig-probe-scores` suggests.

# %%
rivals = {
    "untrained twin": f"{best}-untrained",
    "descriptors": "descriptors",
    "style alone": "style alone",
}
rivals = {label: name for label, name in rivals.items() if name in results}
differences = pd.concat(
    [
        probe.compare_models(
            {best: results[best], name: results[name]}, n_boot=n_bootstrap, seed=seed
        ).assign(rival=label)
        for label, name in rivals.items()
    ],
    ignore_index=True,
)
differences["p_holm"] = multipletests(differences["p"], method="holm")[1]

# %%
show_figure(
    figures.plot_forest(
        differences.rename(columns={"difference": "estimate"}),
        label="rival",
        panel="target",
        xlabel="Difference in R²",
    ),
    "rival-differences",
    f"R² of {best} minus that of its rivals, paired over artists, with 95% intervals.",
    "Forest plot of differences in R squared between the best model and its rivals, one panel a "
    "question, with a line at zero.",
    table=differences,
)

# %% tags=["hide-input"]
verdicts = []
for label in rivals:
    row = differences[
        (differences["rival"] == label) & (differences["target"] == target)
    ].iloc[0]
    found = tables.as_reported(row, len(ratings), value="difference")
    report_value(f"ahead_of_{label.replace(' ', '_')}", **found)
    word = tables.side_of_zero(row, "ahead of", "behind", "not clearly different from")
    verdicts.append(f"{word} {'' if label == 'style alone' else 'the '}{label}")
verdict = f"{best} is " + "; ".join(verdicts)
report_text("verdict", verdict)
objections.append(("rivals", verdict))

# %% [markdown]
# For «{glue:text}`target`»: {glue:text}`verdict`. The best model was picked by its score, which
# flatters it a little; a lead would have to survive that as well.
#
# ### Another regressor?
#
# Perhaps a straight line is too simple. The same folds, with a kernel that bends, with partial
# least squares, and with boosted trees on the descriptors, each tuned inside the training folds.

# %%
once = {**settings, "n_repeats": 1}
bent = {f"ridge on {best}": probe.nested_ridge(features[best], ratings, **once)}
for kind in ("kernel", "pls"):
    bent[f"{kind} on {best}"] = probe.nested_rival(
        features[best], ratings, kind=kind, **once
    )
if "descriptors" in features:
    for name, make in (("ridge", probe.nested_ridge), ("boosting", probe.nested_rival)):
        kind = {"kind": name} if name == "boosting" else {}
        bent[f"{name} on descriptors"] = make(
            features["descriptors"], ratings, **kind, **once
        )
regressors = tables.score_table(bent, n_boot=n_bootstrap, seed=seed)

# %%
show_figure(
    figures.plot_forest(
        regressors, label="model", panel="target", xlabel="Out-of-fold R²"
    ),
    "regressors",
    "Other regressors on the same folds (one dealing). Partial least squares and boosting have "
    "intervals over test songs only, which are too narrow.",
    "Forest plot with a row a regressor, linear and not, for each question: R squared with "
    "intervals, and a line at zero.",
    table=regressors,
)

# %% tags=["hide-input"]
here = regressors[regressors["target"] == target].set_index("model")["estimate"]
straight = f"ridge on {best}"
against = probe.compare_models(bent, reference=straight, n_boot=n_bootstrap, seed=seed)
against = against[against["target"] == target].set_index("first")
better = against[(against["p_holm"] < 0.05) & (against["difference"] > 0)].index
report_text("regressor_best", here.idxmax())
report_value("regressor_lead", here.max() - here[straight])
report_text("regressor_better", tables.name_list(better, "none of them"))

# %% [markdown]
# The highest R² for «{glue:text}`target`» comes from {glue:text}`regressor_best`,
# {glue:text}`regressor_lead` above the plain ridge on {glue:text}`best_model`. Clearly better than
# that ridge (paired, by Holm): {glue:text}`regressor_better`.
#
# ## Where in the network?
#
# Each layer by itself. The highest of many noisy scores is too high, so three things stand beside
# it: filled dots are layers that *may be* the best, given how scores vary together over artists; the
# bar at the right is the R² when the inner folds choose the layer; and the p-values in the
# downloadable table are against the best layer of shuffled ratings.

# %%
deep = [name for name in models if len(features[name]) > 1]
profiles = [
    probe.layer_profile(
        features[name],
        ratings,
        n_permutations=min(n_permutations, 200),
        n_boot=n_bootstrap,
        **{**settings, "n_repeats": min(n_repeats, 2)},
    ).assign(model=name)
    for name in deep
]

# %%
if deep:
    profile = pd.concat(profiles, ignore_index=True)
    show_figure(
        figures.plot_layer_profiles(profile),
        "layer-scores",
        "Out-of-fold R² of each layer by itself. Filled: cannot be told from the best layer. Bar at "
        "the right: R² when layers are chosen inside the training folds.",
        "Line plots of R squared over layers, one panel a model and one line a question, with filled "
        "or hollow dots for the layers and a short bar at the right of each line.",
        table=profile,
    )

# %% tags=["hide-input"]
if deep:
    many = profile[profile["target"] == target].groupby("model", sort=False)
    tied = many["may_be_best"].mean().mean()
    named = {name: part.loc[part["r2"].idxmax(), "layer"] for name, part in many}
    listed = tables.name_list([f"{layer} ({name})" for name, layer in named.items()])
    layer_note = (
        f"the peaks are {listed}; but on average {tied:.0%} of the layers of a model may be "
        "its best"
    )
else:
    layer_note = "the models of this study come with one layer each"
report_text("layer_note", layer_note)

# %% [markdown]
# For «{glue:text}`target`», {glue:text}`layer_note`.
#
# ## Without any regression
#
# Representational similarity {cite}`kriegeskorte2008` asks a question that needs no fitting: are
# songs that are alike to the model also alike to listeners? Pairs of songs are not independent, so
# chance is judged by shuffling songs, and intervals leave out artists. Pairs of one artist are left
# out.

# %%
alike = pd.concat(
    [
        probe.rsa(
            features[name],
            ratings[[target]],
            artists,
            styles,
            control_style=control,
            n_permutations=n_permutations,
            seed=seed,
        ).assign(model=name, pairs="style held constant" if control else "all pairs")
        for name in models
        for control in ([False, True] if data.has("styles") else [False])
    ]
)

# %%
top = alike.sort_values("rho").groupby(["model", "pairs"]).tail(1)
top = top.sort_values(["pairs", "model"])

# %%
show_figure(
    figures.plot_forest(
        top.rename(columns={"rho": "estimate"}),
        label="model",
        hue="pairs",
        xlabel="Spearman's ρ of distances",
    ),
    "rsa",
    f"Rank correlation of cosine distances between songs with differences in «{target}», for the "
    "layer where it is highest.",
    "Forest plot of rank correlations, one row a model, for all pairs of songs and with style held "
    "constant, with intervals and a line at zero.",
    table=alike,
)

# %% tags=["hide-input"]
similar = top[top["p_layers"] < 0.05].groupby("pairs")["model"].nunique()
report_value("rsa_all", similar.get("all pairs", 0), fmt=".0f", n=len(models))
report_value("rsa_highest", top["rho"].max())

# %% [markdown]
# The highest ρ is {glue:text}`rsa_highest`; for {glue:text}`rsa_all` of {glue:text}`n_models` models
# it is beyond chance at the 5% level, corrected for its layers.
#
# ## More songs, or more raters?

# %%
curve = probe.learning_curve(
    features[best], ratings, artists, styles, n_draws=n_draws, seed=seed, n_jobs=2
)
panel = None
if data.has("listeners"):
    panel = probe.rater_learning_curve(
        features[best],
        data.ratings[data.ratings["query"] == target],
        list(ratings.index),
        artists,
        styles,
        seed=seed,
    )

# %%
show_figure(
    figures.plot_learning_curves(curve, panel),
    "probe-learning",
    f"R² of {best}: by number of training songs, with ± one SD over draws; and, where single "
    f"listeners are known, by number of raters a song for «{target}», beside its ceiling.",
    "Line plots of R squared: against the number of training songs, one line a question; and, where "
    "there are listeners, against the number of raters a song, below the rising ceiling.",
    table=curve,
)

# %% tags=["hide-input"]
runner = own.drop(index=[best, *twins])["estimate"].idxmax()
runner = ranked.index[1] if len(models) > 1 else runner
needed = probe.songs_needed({best: results[best], runner: results[runner]}, power=[0.8])
need = needed[needed["target"] == target].iloc[0]
last = curve[curve["target"] == target].tail(2)["r2"].to_numpy()
report_text("runner", runner)
report_text("songs_needed", tables.count_words(need["n_songs"]))
report_text("songs_needed_low", tables.count_words(need["low"]))
report_text("songs_needed_high", tables.count_words(need["high"]))
report_text(
    "ranking_word",
    "A ranking of models on so few songs is no ranking"
    if need["n_songs"] > len(ratings)
    else "This study has as many",
)
report_value("curve_end", last[-1], n=len(ratings))
report_value("curve_step", last[-1] - last[0])

# %% [markdown]
# The last fifth of the training artists moved the R² of «{glue:text}`target`» by
# {glue:text}`curve_step`, to {glue:text}`curve_end`. And to settle whether
# {glue:text}`best_model` is better than {glue:text}`runner`, one would need
# {glue:text}`songs_needed` songs for a power of 80%, if the difference is what it seems to be; by the
# uncertainty of that difference, anything from {glue:text}`songs_needed_low` to
# {glue:text}`songs_needed_high`. {glue:text}`ranking_word`.

# %% [markdown] tags=["needs-simulation"]
# ## Which causes do the embeddings carry?
#
# In this study we know what makes the songs groove, because we put it there. So the probe can be
# asked for the causes themselves: the songs' syncopation, tempo, density of events and spread of
# timing, as they were rendered.

# %% tags=["needs-simulation"]
names = {
    "syncopation": "syncopation",
    "tempo": "tempo",
    "event_density": "event density",
    "microtiming_ms": "microtiming",
    "bass_drum_coupling": "bass–drum coupling",
    "low_frequency_db": "low-frequency level",
}
truth = data.truth("songs").set_index("track_id").loc[ratings.index]
truth, causes = truth.rename(columns=names), list(names.values())

# %% tags=["needs-simulation"]
carried = {
    name: probe.nested_ridge(X, truth[causes], **settings)
    for name, X in features.items()
}
cause_scores = tables.score_table(carried, n_boot=n_bootstrap, seed=seed)

# %% tags=["needs-simulation"]
cause_scores["kind"] = cause_scores["model"].map(kinds).fillna("rival")
cause_scores["row"] = cause_scores["model"].str.removesuffix("-untrained")
for half, some in (("rhythm", causes[:3]), ("sound", causes[3:])):
    shown = cause_scores[cause_scores["target"].isin(some)]
    show_figure(
        figures.plot_forest(
            shown, label="row", panel="target", hue="kind", xlabel="Out-of-fold R²"
        ),
        f"causes-{half}",
        f"R² with which probes recover the known causes: {tables.name_list(some)}.",
        "Forest plot, one panel a cause: R squared of pretrained models, their untrained twins and "
        "the descriptors, with intervals and a line at zero.",
        table=shown,
    )

# %% tags=["needs-simulation", "hide-input"]
read = cause_scores[cause_scores["model"].isin(models)]
read = read.loc[read.groupby("target")["estimate"].idxmax()].set_index("target")
well = [cause for cause in causes if read.loc[cause, "estimate"] > 0.5]
poor = [cause for cause in causes if read.loc[cause, "low"] < 0]
report_text("causes_well", tables.name_list(well))
report_text("causes_poor", tables.name_list(poor))
for name, cause in names.items():
    report_value(f"cause_{name}", **tables.as_reported(read.loc[cause], len(ratings)))

# %% [markdown] tags=["needs-simulation"]
# The best model recovers the tempo with an R² of {glue:text}`cause_tempo_full`, event density with
# {glue:text}`cause_event_density_full`, syncopation with {glue:text}`cause_syncopation_full` and the
# spread of timing with {glue:text}`cause_microtiming_ms_full`. Carried well (R² above a half):
# {glue:text}`causes_well`. Not surely carried at all: {glue:text}`causes_poor`.
#
# How far would one get who knew the causes exactly? The same probe, on the causes and their squares
# instead of an embedding:

# %% tags=["needs-simulation"]
exact = truth[causes].apply(lambda column: (column - column.mean()) / column.std())
exact = exact.join(exact**2, rsuffix=" squared")
oracle = probe.nested_ridge(exact, ratings, **settings)
known = tables.score_table(
    {"the causes themselves": oracle, best: results[best]},
    n_boot=n_bootstrap,
    seed=seed,
)

# %% tags=["needs-simulation"]
show_figure(
    figures.plot_forest(
        known, label="model", panel="target", xlabel="Out-of-fold R²", bands=bands
    ),
    "oracle",
    f"R² of a ridge on the exact causes and their squares, beside {best}. Shaded: noise ceiling.",
    "Forest plot of two rows, the exact causes and the best embedding, for each question, with the "
    "noise ceiling shaded.",
    table=known,
)

# %% tags=["needs-simulation", "hide-input"]
row = known[(known["model"] != best) & (known["target"] == target)].iloc[0]
report_value("oracle_r2", **tables.as_reported(row, len(ratings)))
gap = row["estimate"] - own.loc[best, "estimate"]
report_text(
    "oracle_word",
    "what the embedding lacks is mostly knowledge of the causes"
    if gap > 0.1
    else "the embedding tells about as much of them as a ridge can use with so few songs",
)
objections.append(
    (
        "truth",
        f"Knowing the causes exactly gives R² {row['estimate']:.2f}; the embedding carries "
        f"{tables.name_list(well)} well",
    )
)

# %% [markdown] tags=["needs-simulation"]
# That gives {glue:text}`oracle_r2_full` for «{glue:text}`target`»: {glue:text}`oracle_word`. The
# distance from there to the ceiling is what songs differ in that none of these causes names, and
# what so few songs cannot teach.

# %% [markdown]
# ## The verdict

# %%
show_table(
    tables.answers_table(objections),
    "probe-verdict",
    f"What a reviewer asked, and what «{target}» answers in this study.",
)

# %% tags=["hide-input"]
headline = tables.side_of_zero(
    own.loc[best],
    "predict the ratings of artists that they were not trained on",
    "fail to predict the ratings of new artists",
    "cannot be shown to predict the ratings of new artists",
)
report_text("headline", headline)

# %% [markdown]
# In plain words: for «{glue:text}`target`», the embeddings {glue:text}`headline`
# (R² {glue:text}`best_r2_full`, {glue:text}`best_model`). {glue:text}`verdict`.
#
# ## What is handed on
#
# The {term}`out-of-fold predictions <out-of-fold prediction>`, averaged over repeats, go to
# {doc}`08-mixed-models`.

# %%
handed = {name: results[name] for name in [best, *rivals.values()]}
predictions = pd.concat(
    [found.mean_predictions().assign(model=name) for name, found in handed.items()],
    ignore_index=True,
)
order = ["model", "target", "track_id", "artist", "style", "observed", "predicted"]
predictions = predictions[order].assign(best=predictions["model"] == best)
chapter.save_table(predictions, "predictions")

# %%
show_figure(
    figures.plot_predictions(predictions[predictions["best"]], data.styles),
    "predicted-songs",
    f"Observed song means against the out-of-fold predictions of {best}, averaged over repeats.",
    "Scatter plots of observed against predicted mean ratings, one a question, dots coloured by "
    "style; predictions spread less than the ratings do around the diagonal.",
    table=predictions[predictions["best"]],
)

# %% [markdown]
# ## What could be wrong here
#
# - **One number a song.** A song mean hides whom it moves. {doc}`08-mixed-models` predicts single
#   ratings.
# - **Few artists.** The intervals rest on {glue:text}`n_artists` artists. They are wide because
#   that is what we know.
# - **A linear probe.** What the embedding carries in a form that no line can read counts as absent.
# - **Averaged time.** Each song is one vector; the order of events inside it may be lost
#   ({doc}`05-embeddings`).
# - **Best of several.** The best model was picked by looking, and its score is a little too high for
#   that. {numref}`fig-luck` corrects the test for it; nothing corrects the estimate in
#   {numref}`fig-probe-scores`.
#
# What would change the conclusion: a difference in {numref}`fig-rival-differences` whose interval
# moves across zero with more artists.
#
# ## Exercises
#
# 1. Break it: choose the layer by its score in the figure of layers instead of inside the folds.
#    How much higher does R² come out, and for which model most?

# %% [markdown]
# ````{dropdown} Solution
# Compare the highest dot of each line with the bar at its right. The difference is the price of
# honesty; it grows with the number of layers and with the noise of their scores, so a model with
# thirteen layers profits more from looking than one with three.
# ````
#
# 2. Predict «disturbing» as well: set `targets = ["disturbing"]`. Which sign do you expect the R²
#    to have?

# %% [markdown]
# ````{dropdown} Solution
# R² has no direction: a question that runs against groove can be predicted as well as one that runs
# with it, as far as its own noise ceiling allows.
# ````
#
# 3. Plant a leak: standardise `ratings` over all songs within each style before the probe, and run
#    `find_leaks` on that procedure. Which check gives it away?

# %% [markdown]
# ````{dropdown} Solution
# The style's mean over *all* songs includes the held-out ones, so the check of `ratings` moves:
# predictions of a fold depend on that fold's own ratings. `nuisance=styles` does the same thing
# inside the training folds, and stays tight.
# ````
#
# 4. You may buy either twice the songs or twice the raters. Which does {numref}`fig-probe-learning`
#    suggest?

# %% [markdown]
# ````{dropdown} Solution
# Compare the slopes at the right ends. Beyond some twenty raters the ceiling flattens and the score
# with it, while the curve over songs is usually still rising. More songs also narrow every interval
# of this chapter, which more raters do not.
# ````

# %% [markdown]
# ## Summary
#
# - Every choice is made inside the training folds, and artists are never split.
# - A score means something beside a ceiling, an untrained network, a formula, and the style alone.
# - Scale, dimension, artists, style, luck and noise can each make a score; each has a test.
# - For «{glue:text}`target`», {glue:text}`verdict`.
#
# **Next:** {doc}`08-mixed-models` asks whether the prediction holds for single listeners, and in
# every style.
