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
from dataclasses import replace

import pandas as pd

from groove_utils import embed, figures, mixed, probe
from groove_utils.book import (
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
    summaries,
)
from groove_utils.book.verdicts import pick_verdict
from groove_utils.descriptors import BASELINE, describe_study
from groove_utils.embed.model_selection import models_for, stem_sums, twins_of
from groove_utils.similarity import rsa
from groove_utils.stats import holm, join_words, typeset_minus

chapter = open_chapter("06-probing", study)
data = chapter.study

# %% [markdown]
# ## What goes in, what should come out
#
# The features are every layer of each model, the same of its {term}`untrained twin` where there is
# one, and the handcrafted {term}`descriptors <descriptor>` as a rival. The targets are the mean
# ratings of the songs, on {glue:text}`n_targets` questions.

# %%
models, targets = models_for(data, models), summaries.rated_targets(data, targets)
twins = twins_of(data, models)
embeddings = embed.embed_study(data, [*models, *twins])
features = {name: one.layers for name, one in embeddings.items()}
if data.has("audio") or data.has("descriptors"):
    features["descriptors"] = probe.usable_descriptors(describe_study(data))

# %%
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists, styles = data.tracks["artist"].to_numpy(), data.tracks["style"].to_numpy()
target = targets[0]  # the one that the text follows
n_songs, n_artists = len(ratings), len(set(artists))
size = f"{n_songs} songs by {n_artists} artists"

# %% tags=["hide-input"]
answers = {}  # what a reviewer asks → what this chapter answers
report_value("n_targets", len(targets), fmt=".0f")
report_value("n_models", len(models), fmt=".0f")
report_value("n_artists", n_artists, fmt=".0f")
report_value("n_songs", n_songs, fmt=".0f")
report_text("target", target)
report_text("models", join_words(models))

# %% [markdown]
# The models are {glue:text}`models`; the songs are {glue:text}`n_songs`, by
# {glue:text}`n_artists` artists. Figures show every question; the text follows one of them,
# «{glue:text}`target`».
#
# ## The published protocol
#
# {cite:t}`marmoret2026` put all layers of a model side by side, fitted a {term}`ridge regression`
# with one fixed penalty (0.2) on features as they came, dealt the songs into four folds without
# regard to artists, and took the mean of the folds' R². They did so with five dealings, and report
# mean ± standard deviation over these. Here is that protocol, to the letter, on this study.

# %%
trained = [name for name in features if name not in twins]
pretrained = {name: features[name] for name in models}
published = {name: features[name] for name in trained}
if "descriptors" in features:
    sixteen = [name for name in BASELINE if name in features["descriptors"]]
    published["descriptors"] = features["descriptors"][sixteen]

# %%
for model in models:
    for stems in stem_sums(data, model):
        only = embed.embed_study(data, model, stems=stems.split("+"))
        published[f"{model}: {stems}"] = only.layers

# %%
paper = {
    name: probe.paper_protocol(X, ratings, artists, styles)
    for name, X in published.items()
}
show_table(
    summaries.text_table(paper),
    "paper",
    f"R² under the published protocol, mean ± SD over five dealings of {n_songs} songs.",
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
report_value("paper_worst_r2", lowest.min(), n=n_songs)
report_value("paper_best_r2", lowest.max(), n=n_songs)
report_text("paper_best", lowest.idxmax())
report_value("paper_negative", (paper_scores < 0).sum(), fmt=".0f", n=len(paper_scores))

# %% [markdown]
# R² is 0 for whoever predicts the mean rating, and negative for whoever does worse. The rows of
# this table reach from {glue:text}`paper_worst_r2` ({glue:text}`paper_worst`) to
# {glue:text}`paper_best_r2` ({glue:text}`paper_best`), and {glue:text}`paper_negative_full` cells
# lie below zero. {glue:text}`stem_note`
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
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
once = replace(protocol, n_repeats=1)  # for what is repeated in other ways
shuffles = {"n_permutations": n_permutations, "n_jobs": 2}
songs = ratings, artists, styles


def probe_all(names, protocol=protocol, **options):
    chosen = {name: features[name] for name in names}
    return probe.nested_ridges(chosen, *songs, protocol, n_jobs=2, **options)


# %%
results = probe_all(features)
results["style alone"] = probe.style_baseline(*songs, protocol)

# %%
resampled = {"n_boot": n_bootstrap, "seed": seed}
scores = summaries.score_table(results, **resampled)
kinds = dict.fromkeys(models, "pretrained") | dict.fromkeys(twins, "untrained twin")
scores["kind"] = scores["model"].map(kinds).fillna("rival")
scores["row"] = scores["model"].str.removesuffix("-untrained")
chapter.save_table(scores, "probe_scores")

# %%
bands = summaries.ceiling_bands(chapter.find_table("ceilings"))
show_figure(
    figures.plot_scores(scores, row="row", hue="kind", bands=bands),
    "probe-scores",
    f"Out-of-fold R² on {size}, 95% intervals over artists. Shaded: the noise ceiling, if known.",
    "Forest plot: models beside their untrained twins, descriptors, and style alone, with wide "
    "intervals.",
    table=scores,
)

# %% tags=["hide-input"]
report_value("repeats", n_repeats, fmt=".0f")
own = scores[scores["target"] == target].set_index("model")
ranked = own.loc[models, "estimate"].sort_values(ascending=False)
best = ranked.index[0]
report_text("best_model", best)
report_value("best_r2", **summaries.as_reported(own.loc[best], n_songs))
report_value("style_r2", **summaries.as_reported(own.loc["style alone"], n_songs))

# %% [markdown]
# The best of the pretrained models is {glue:text}`best_model` with an R² of
# {glue:text}`best_r2_full`. Knowing nothing but the style gives {glue:text}`style_r2_full`.
#
# From here on, each objection changes one thing about this protocol and leaves the rest.
#
# ## Objection 1: it is a matter of scale
#
# *«You regress on units as they come. One that hardly varies counts for nothing, and one that is
# all but constant in training and jumps in a test song throws its prediction far off.»* Dividing
# each unit by its standard deviation cures the first and worsens the second, unless the divisor has
# a floor and the result a bound (five standard deviations, here).

# %%
treatments = {
    "as published": {name: paper[name] for name in models},
    "standardised": probe_all(models, replace(protocol, floor=0, clip=1e12)),
    "with floor and bound": {name: results[name] for name in models},
}
scale = summaries.settings_table(treatments)

# %%
show_figure(
    figures.plot_settings(scale, value="fold_r2", xlabel="Mean R² of folds"),
    "probe-scale",
    f"The statistic of {{numref}}`tab-paper` under three treatments of scale, {n_songs} songs.",
    "Dot plots, three dots a model; scores below −1 are arrows at the left with their number.",
    table=scale,
)

# %% [markdown]
# How far do units differ? {numref}`tab-scale-facts` counts those of each model, and those that are
# constant in some training set; then come the orders of magnitude between the largest and the
# smallest standard deviation, the furthest that a held-out song lies from the training mean in
# standard deviations of its unit, and the percentage of values that the bound touches.

# %%
facts = {n: probe.scale_facts(features[n], results[n].folds) for n in models}
facts = pd.DataFrame(facts).T.astype({"units": int, "constant": int})
show_table(
    facts.rename_axis("model"),
    "scale-facts",
    "How far the units of a model differ in scale.",
    fmt="{:,.2f}",
)

# %% tags=["hide-input"]
mean_r2 = summaries.by_setting(scale, target, "fold_r2").median()
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
medians = f"median R² of {mean_r2.iloc[0]:.2f} against {mean_r2.iloc[-1]:.2f}"
answers["scale"] = f"{scale_word} ({medians})"

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
equal = probe_all(trained, replace(protocol, pca=n_components))
options = {"n_components": n_components, "n_draws": n_draws, "n_jobs": 2}
control = {
    name: probe.random_projection_control(features[name], *songs, once, **options)
    for name in trained
}

# %%
full = {name: results[name] for name in trained}
sizes = {"all dimensions": full, f"{n_components} components": equal}
parts = [
    summaries.settings_table(sizes),
    summaries.control_table(control, "projection", f"{n_components} random directions"),
    summaries.control_table(control, "noise", f"{n_components} columns of noise"),
]
dimension = pd.concat(parts)

# %%
show_figure(
    figures.plot_settings(dimension),
    "dimension",
    f"R² by number and kind of dimensions; random ones are means of {n_draws} draws.",
    "Dot plots, four dots a model: all dimensions, few components, random directions, noise.",
    table=dimension,
)

# %% tags=["hide-input"]
report_value("n_components", n_components, fmt=".0f")
here = summaries.by_setting(dimension, target)
cut = here[f"{n_components} components"]
change = (cut - here["all dimensions"])[models].mean()
report_value("dimension_change", change, n=len(models))
report_value("noise_r2", here[f"{n_components} columns of noise"].mean())
dimension_best = cut[models].idxmax()
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
    if abs(change) < 0.05
    else "part of what tells the models apart is their number of dimensions",
)
answers["dimension"] = f"{dimension_word}; R² changes by {change:+.2f} on average"

# %% [markdown]
# With {glue:text}`n_components` dimensions R² changes by {glue:text}`dimension_change` on average,
# and noise of that size gives {glue:text}`noise_r2`. {glue:text}`dimension_word`;
# {glue:text}`dimension_owed`.
#
# ## Objection 3: it knows the artists
#
# *«Your model has heard the band.»* Songs of one artist share players, studio and habits, in sound
# and in ratings. If one of them is in the training folds, recognising the artist is enough. The
# difference between folds of songs and folds of whole artists is what that is worth.

# %%
chosen = {name: features[name] for name in trained}
free = probe.nested_ridges(chosen, ratings, None, styles, protocol, n_jobs=2)
folds = summaries.settings_table({"songs dealt freely": free, "whole artists": full})
show_figure(
    figures.plot_settings(folds),
    "artists",
    f"R² when {n_songs} songs are dealt freely, and when whole artists are held out.",
    "Dot plots, two dots a model, for freely dealt songs and for folds of whole artists.",
    table=folds,
)

# %% [markdown]
# A leak is no matter of opinion, either. Change the ratings of the held-out songs at random, and
# look whether their predictions move. Change the features of some held-out songs, and look whether
# the predictions of the others do. Our protocol, and the same with freely dealt folds:


# %%
def probe_once(X, y, folds):
    return probe.nested_ridge(X, y, None, styles, protocol, folds=folds)


def leaks_in(folds):
    layer = {"last": list(features[best].values())[-1]}
    given = {"artists": artists, "folds": folds, "n_tries": 1}
    return probe.find_leaks(probe_once, layer, ratings[[target]], **given)


# %%
found = {"whole artists": results[best], "freely": free[best]}
leaks = {name: leaks_in(result.folds[0]) for name, result in found.items()}
leaks = {name: table.set_index("check")["leaks"] for name, table in leaks.items()}
leaks = pd.DataFrame(leaks).replace({True: "leaks", False: "tight"})
caption = "What could reach a model from its test songs, and whether it does."
show_table(leaks, "leaks", caption)

# %% tags=["hide-input"]
gain = summaries.by_setting(folds, target)
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
answers["artists"] = f"{artist_word}: by {gain[models].mean():.2f} of R² on average"

# %% [markdown]
# {glue:text}`artist_word`: on average by {glue:text}`artist_gain` of R², most for
# {glue:text}`artist_gain_most` ({glue:text}`artist_gain_max`).
#
# ## Objection 4: it is style, not groove

# %% [markdown] tags=["needs-styles"]
# *«It tells funk from rock. So can I.»* R² over all songs mixes two feats: telling the styles apart,
# and ordering the songs within a style. Splitting both ratings and predictions into style means
# and departures from them gives each its own R².

# %% tags=["needs-styles"]
parts = probe.style_scores(results[best], **resampled)
shown = parts[parts["part"].isin(["all", "between", "within"])]
show_figure(
    figures.plot_scores(shown, value="r2", row="part", xlabel="R²"),
    "within-styles",
    f"R² of {best} over all songs, between the styles' means, and within styles.",
    "Forest plot, three rows a question, which differ, and whose intervals are wide.",
    table=parts,
)

# %% tags=["needs-styles", "hide-input"]
within = summaries.row_of(parts, target=target, part="within")
between = summaries.row_of(parts, target=target, part="between")
report_value("within_r2", **summaries.as_reported(within, n_songs, value="r2"))
report_value("between_share", between["share"])
report_text(
    "within_verdict",
    pick_verdict(
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
# training fold, and asks what is predicted beyond it: which share of the squared error of the style
# means does the probe remove? At 0 it adds nothing.

# %% tags=["needs-styles"]
residual = probe_all(trained, nuisance=styles)
beyond = summaries.score_table(residual, score="r2_over_baseline", **resampled)
show_figure(
    figures.plot_scores(beyond, xlabel="R² beyond style"),
    "beyond-style",
    f"R² beyond the style's mean, of probes trained on departures from it, {n_songs} songs.",
    "Forest plot, one row a model, of R squared beyond style with intervals around zero.",
    table=beyond,
)

# %% tags=["needs-styles"]
within_styles = {"within_style": True, "nuisance": styles}
chance = probe.permutation_test(pretrained, *songs, once, **within_styles, **shuffles)
beyond_chance = chance.loc[chance["p_family"] < 0.05, "model"].unique()

# %% tags=["needs-styles", "hide-input"]
ahead = beyond[(beyond["low"] > 0) & (beyond["target"] == target)]["model"]
report_text("beyond_style", join_words(ahead, "none of them"))
report_text("beyond_chance", join_words(beyond_chance, "none of the models"))
orders = pick_verdict(within, "orders", "misorders", "cannot be shown to order")
answers["style"] = (
    f"{best} {orders} songs within a style; beyond style, surely above 0: "
    f"{join_words(ahead)}"
)

# %% [markdown] tags=["needs-styles"]
# Surely above 0: {glue:text}`beyond_style`. When ratings are shuffled among songs of one style only,
# those that beat every shuffled run of any model and question at the 5% level are:
# {glue:text}`beyond_chance`.
#
# Does what is learnt in one style hold in another? Train on one style, test on the next; on the
# diagonal, whole artists of the style itself are held out.

# %% tags=["needs-styles"]
trainable = data.tracks.groupby("style")["artist"].nunique().min() >= 4
if trainable:
    transfer = probe.transfer_matrix(
        features[best],
        ratings[[target]],
        artists,
        styles,
        protocol,
        n_boot=n_bootstrap,
        n_jobs=2,
    )

# %% tags=["needs-styles"]
if trainable:
    show_figure(
        figures.plot_transfer(transfer, data.styles),
        "style-transfer",
        f"«{target}» from {best}, trained on one style (rows), tested on another (columns).",
        "Two matrices of training by test style: R squared, and rank correlations.",
        table=transfer,
    )

# %% tags=["needs-styles", "hide-input"]
if trainable:
    same = transfer["train"] == transfer["test"]
    across, inside = transfer.loc[~same, "spearman"], transfer.loc[same, "spearman"]
    report_value("transfer_inside", inside.mean(), n=len(inside))
    report_value("transfer_across", across.mean(), n=len(across))
    transfer_note = typeset_minus(
        f"inside a style the mean rank correlation is {inside.mean():.2f}, across "
        f"styles it is {across.mean():.2f}"
    )
else:
    transfer_note = "the styles have too few artists for that here"
report_text("transfer_note", transfer_note)

# %% [markdown] tags=["needs-styles"]
# In short: {glue:text}`transfer_note`. R² is harsher than the rank correlation, since a wrong level
# of the new style counts as error too.

# %% [markdown] tags=["needs-styles", "needs-audio-or-descriptors"]
# Finally, style, descriptors and embedding may tell the same story. A variance partition asks what
# each tells alone and what they share {cite}`dupre2022`. Its seven shares add up to the R² of all
# together; some may be negative, since out of fold a block of features can harm.

# %% tags=["needs-styles", "needs-audio-or-descriptors"]
layers = [pd.DataFrame(X) for X in features[best].values()]
blocks = {"style": styles, "descriptors": features["descriptors"]}
blocks["embedding"] = pd.concat(layers, axis=1).to_numpy()
twice = replace(protocol, n_repeats=2)
partition = probe.variance_partition(
    blocks, *songs, twice, n_boot=n_bootstrap, n_jobs=2
)

# %% tags=["needs-styles", "needs-audio-or-descriptors"]
shares = partition[partition["kind"] != "model"]
show_figure(
    figures.plot_scores(shares, value="r2", row="part", xlabel="Share of R²"),
    "partition",
    f"R² that belongs to style, descriptors or embedding ({best}) alone, to two, and to all.",
    "Forest plot of seven shares a question: three unique, three of pairs, one common to all.",
    table=partition,
)

# %% tags=["needs-styles", "needs-audio-or-descriptors", "hide-input"]
unique = summaries.row_of(partition, target=target, kind="unique", part="embedding")
report_value("unique_r2", **summaries.as_reported(unique, n_songs, value="r2"))
report_text(
    "unique_word",
    pick_verdict(unique, "something", "less than nothing", "nothing certain"),
)

# %% [markdown] tags=["needs-styles", "needs-audio-or-descriptors"]
# What the embedding tells that neither style nor descriptors tell is {glue:text}`unique_r2_full`:
# {glue:text}`unique_word`.

# %% [markdown]
# ## Objection 5: it is luck
#
# *«You tried several models, layers and questions. Some of them had to work.»* Shuffle the ratings
# over songs, run the whole procedure again, choices and all, and note the highest R² that any model
# reaches on any question. Do that {glue:text}`permutations` times: that is how far luck goes.

# %%
luck, null = probe.permutation_test(
    pretrained, *songs, once, return_null=True, **shuffles
)
by_artist = probe.permutation_test(pretrained, *songs, once, unit="artist", **shuffles)
luck["p_artists"] = by_artist["p_family"]

# %%
show_figure(
    figures.plot_luck(luck, null, target),
    "luck",
    f"R² for «{target}» (dots) and for {n_permutations} shuffled studies (violins); below, the "
    f"best of {len(models)} models and {len(targets)} questions in each shuffle.",
    "Violins of R squared under shuffled ratings, one a model and one for the best of all; "
    "dots for the observed scores; dotted, the 95% quantile of the best of all.",
    table=luck,
)

# %% tags=["hide-input"]
report_value("permutations", n_permutations, fmt=".0f")
mine = luck[luck["target"] == target]
beat = mine.loc[mine["p_family"] < 0.05, "model"]
sure = mine.loc[mine["p_artists"] < 0.05, "model"]
report_value("n_beyond_luck", len(beat), fmt=".0f", n=len(models))
report_value("n_beyond_luck_artists", len(sure), fmt=".0f", n=len(models))
report_value("p_least", 1 / (n_permutations + 1), fmt=".4f")
answers["luck"] = (
    f"{len(beat)} of {len(models)} models beat the best of all shuffled runs, "
    f"{len(sure)} when whole artists are shuffled"
)

# %% [markdown]
# {glue:text}`n_beyond_luck` of {glue:text}`n_models` models did better than luck at the 5% level,
# corrected for all models and questions. Songs of one artist resemble each other, though, and
# shuffling single songs destroys that. When whole artists exchange their ratings, it is
# {glue:text}`n_beyond_luck_artists` models. (With this many shuffles no p-value can be below
# {glue:text}`p_least`.)
#
# ## Objection 6: the rest is noise

# %% [markdown] tags=["needs-table-ceilings"]
# *«An R² like that leaves most of the variance unexplained.»* Unexplained by whom? Part of a song's
# mean rating is chance, and the {term}`noise ceiling` of {doc}`01-listeners-and-tracks` says how
# much. R² as a share of that ceiling is what can be held against a model.

# %% tags=["needs-table-ceilings"]
ceilings = chapter.load_table("ceilings")
reach = mixed.normalise_by_ceiling(scores[scores["kind"] != "untrained twin"], ceilings)
reach["estimate"] = reach["r2_normalised"]
reach[["low", "high"]] = reach[["low", "high"]].div(reach["ceiling"], axis=0)

# %% tags=["needs-table-ceilings"]
show_figure(
    figures.plot_scores(reach, row="row", xlabel="R² / ceiling", reference=1.0),
    "reach",
    f"R² as a share of the ceiling ({n_songs} songs); at the line, a perfect model. The "
    "intervals are those of R², with the ceiling as estimated.",
    "Forest plot, one row a model or rival, of shares below a line at one.",
    table=reach,
)

# %% tags=["needs-table-ceilings", "hide-input"]
row = summaries.row_of(reach, target=target, model=best)
report_value("reach", **summaries.as_reported(row, n_songs))
report_value("ceiling", row["ceiling"], ci=(row["ceiling_low"], row["ceiling_high"]))
report_text(
    "reach_word",
    "leaves room below the ceiling"
    if row["high"] < 1
    else "cannot be told from a perfect model",
)
part, whole = f"{row['estimate']:.0%}", f"{row['ceiling']:.2f}"
answers["noise"] = f"{best} reaches {part} of the ceiling of {whole}"

# %% [markdown] tags=["needs-table-ceilings"]
# The ceiling is {glue:text}`ceiling_full`. Of it, {glue:text}`best_model` reaches a share of
# {glue:text}`reach_full`, and {glue:text}`reach_word`. What is missing is owed to the model, to the
# probe, or to the number of songs, and not to the listeners.

# %% [markdown]
# ## Better than what?
#
# The honest question is not whether a model beats zero but whether it beats its rivals *on the same
# songs*. {numref}`fig-rival-differences` shows paired differences: what makes an artist hard is hard
# for both, so that their intervals are narrower than {numref}`fig-probe-scores` suggests.

# %%
rivals = {"untrained twin": f"{best}-untrained", "descriptors": "descriptors"}
rivals["style alone"] = "style alone"
rivals = {label: name for label, name in rivals.items() if name in results}

# %%
differences = []
for label, name in rivals.items():
    pair = {best: results[best], name: results[name]}
    differences.append(probe.compare_models(pair, **resampled).assign(rival=label))
differences = pd.concat(differences, ignore_index=True)
differences["p_holm"] = holm(differences["p"])

# %%
axis = {"row": "rival", "xlabel": "Difference in R²"}
show_figure(
    figures.plot_scores(differences, value="difference", **axis),
    "rival-differences",
    f"R² of {best} minus that of its rivals on {size}, with 95% intervals.",
    "Forest plot of the best model's lead over each rival, with intervals around zero.",
    table=differences,
)

# %% tags=["hide-input"]
verdicts = []
for label in rivals:
    row = summaries.row_of(differences, target=target, rival=label)
    found = summaries.as_reported(row, n_songs, value="difference")
    report_value(f"ahead_of_{label.replace(' ', '_')}", **found)
    word = pick_verdict(row, "ahead of", "behind", "not clearly different from")
    verdicts.append(f"{word} {'' if label == 'style alone' else 'the '}{label}")
verdict = f"{best} is " + "; ".join(verdicts)
report_text("verdict", verdict)
answers["rivals"] = verdict

# %% [markdown]
# In words: {glue:text}`verdict`. The best model was picked by its score, which flatters it a little;
# a lead would have to survive that as well.
#
# ### Another regressor?
#
# Perhaps a straight line is too simple. The same folds, with a kernel that bends, with partial
# least squares, and with boosted trees on the descriptors, each tuned inside the training folds.
# (Partial least squares and boosting have no closed form: their intervals are over test songs only,
# and too narrow.)

# %%
straight = f"ridge on {best}"
bent = {straight: probe.nested_ridge(features[best], *songs, once)}
for kind in ("kernel", "pls"):
    bent[f"{kind} on {best}"] = probe.nested_estimator(
        features[best], *songs, once, estimator=kind, n_jobs=2
    )

# %%
if "descriptors" in features:
    formulas = features["descriptors"]
    bent["ridge on descriptors"] = probe.nested_ridge(formulas, *songs, once)
    bent["boosting on descriptors"] = probe.nested_estimator(
        formulas, *songs, once, estimator="boosting", n_jobs=2
    )
regressors = summaries.score_table(bent, **resampled)

# %%
show_figure(
    figures.plot_scores(regressors),
    "regressors",
    f"Other regressors on the same folds of {n_songs} songs (one dealing), 95% intervals.",
    "Forest plot with a row a regressor, linear and not: R squared with wide intervals.",
    table=regressors,
)

# %% tags=["hide-input"]
here = regressors[regressors["target"] == target].set_index("model")["estimate"]
against = probe.compare_models(bent, reference=straight, **resampled)
against = against[against["target"] == target].set_index("first")
better = against[(against["p_holm"] < 0.05) & (against["difference"] > 0)].index
report_text("regressor_best", here.idxmax())
report_value("regressor_lead", here.max() - here[straight])
report_text("regressor_better", join_words(better, "none of them"))

# %% [markdown]
# The highest R² comes from {glue:text}`regressor_best`, {glue:text}`regressor_lead` above the plain
# ridge on {glue:text}`best_model`. Clearly better than that ridge (paired, by Holm):
# {glue:text}`regressor_better`.
#
# ## Where in the network?
#
# Each layer by itself. The highest of many noisy scores is too high, so three things stand beside
# it: filled dots are layers that *may be* the best, given how scores vary together over artists; the
# bar at the right is the R² when the inner folds choose the layer; and the p-values in the
# downloadable table are against the best layer of shuffled ratings.

# %%
deep = [name for name in models if len(features[name]) > 1]
fewer = replace(protocol, n_repeats=min(n_repeats, 2))
options = {"n_permutations": min(n_permutations, 200), "n_boot": n_bootstrap}
profiles = [
    probe.layer_profile(features[name], *songs, fewer, n_jobs=2, **options).assign(
        model=name
    )
    for name in deep
]

# %%
if deep:
    profile = pd.concat(profiles, ignore_index=True)
    show_figure(
        figures.plot_layer_profiles(profile),
        "layer-scores",
        "R² of each layer. Filled: may be the best. Bar: layers chosen in training folds.",
        "Line plots over layers, one panel a model, with filled or hollow dots.",
        table=profile,
    )

# %% tags=["hide-input"]
if deep:
    many = profile[profile["target"] == target].groupby("model", sort=False)
    tied = many["may_be_best"].mean().mean()
    named = {name: part.loc[part["r2"].idxmax(), "layer"] for name, part in many}
    listed = join_words(f"{layer} ({name})" for name, layer in named.items())
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
controls = {"all pairs": False}
if data.has("styles"):
    controls["style held constant"] = True
given = {"n_permutations": n_permutations, "seed": seed}
one = ratings[[target]]

# %%
alike = [
    rsa(features[name], one, artists, styles, control_style=control, **given).assign(
        model=name, pairs=pairs
    )
    for name in models
    for pairs, control in controls.items()
]
alike = pd.concat(alike)

# %%
top = alike.sort_values("rho").groupby(["model", "pairs"]).tail(1)
top = top.sort_values(["pairs", "model"])
axis = {"hue": "pairs", "xlabel": "Spearman's ρ of distances"}
show_figure(
    figures.plot_scores(top, value="rho", **axis),
    "rsa",
    f"Rank correlation of distances between {n_songs} songs with differences in rating, by the "
    "layer where it is highest.",
    "Forest plot, one row a model, for all pairs and with style held constant.",
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
layers, draws = features[best], replace(protocol, n_repeats=n_draws)
curve = probe.learning_curve(layers, *songs, draws, n_jobs=2)
panel = None
if data.has("listeners"):
    answered = data.ratings[data.ratings["query"] == target]
    panel = probe.rater_learning_curve(
        layers, answered, list(ratings.index), artists, styles, protocol
    )

# %%
show_figure(
    figures.plot_learning_curves(curve, panel),
    "probe-learning",
    f"R² of {best} by songs trained on, ± SD over {n_draws} draws; and, for «{target}», by "
    "raters a song, beside its ceiling, where listeners are known.",
    "Line plots: R squared over songs, one line a question; and over raters, below a ceiling.",
    table=curve,
)

# %% tags=["hide-input"]
runner = own.drop(index=[best, *twins])["estimate"].idxmax()
runner = ranked.index[1] if len(models) > 1 else runner
needed = probe.songs_needed({best: results[best], runner: results[runner]}, power=[0.8])
need = summaries.row_of(needed, target=target)
last = curve[curve["target"] == target].tail(2)["r2"].to_numpy()
report_text("runner", runner)
report_text("songs_needed", summaries.count_words(need["n_songs"]))
report_text("songs_needed_low", summaries.count_words(need["low"]))
report_text("songs_needed_high", summaries.count_words(need["high"]))
report_text(
    "ranking_word",
    "A ranking of models on so few songs is no ranking"
    if need["n_songs"] > n_songs
    else "This study has as many",
)
report_value("curve_end", last[-1], n=n_songs)
report_value("curve_step", last[-1] - last[0])

# %% [markdown]
# The last fifth of the training artists moved R² by {glue:text}`curve_step`, to
# {glue:text}`curve_end`. And to settle whether {glue:text}`best_model` is better than
# {glue:text}`runner`, one would need {glue:text}`songs_needed` songs for a power of 80%, if the
# difference is what it seems to be; by the uncertainty of that difference, anything from
# {glue:text}`songs_needed_low` to {glue:text}`songs_needed_high`. {glue:text}`ranking_word`.

# %% [markdown] tags=["needs-simulation"]
# ## Which causes do the embeddings carry?
#
# In this study we know what makes the songs groove, because we put it there. So the probe can be
# asked for the causes themselves, as the songs were rendered: their rhythm
# ({numref}`fig-causes-rhythm`) and their sound ({numref}`fig-causes-sound`).

# %% tags=["needs-simulation"]
names = {
    "syncopation": "syncopation",
    "tempo": "tempo",
    "event_density": "event density",
    "microtiming_ms": "microtiming",
    "bass_drum_coupling": "bass–drum coupling",
    "low_frequency_db": "low-frequency level",
}

# %% tags=["needs-simulation"]
truth = data.truth("songs").set_index("track_id").loc[ratings.index]
truth, causes = truth.rename(columns=names), list(names.values())
carried = probe.nested_ridges(
    features, truth[causes], artists, styles, protocol, n_jobs=2
)

# %% tags=["needs-simulation"]
cause_scores = summaries.score_table(carried, **resampled)
cause_scores["kind"] = cause_scores["model"].map(kinds).fillna("rival")
cause_scores["row"] = cause_scores["model"].str.removesuffix("-untrained")


def show_causes(name, some):
    shown = cause_scores[cause_scores["target"].isin(some)]
    show_figure(
        figures.plot_scores(shown, row="row", hue="kind"),
        f"causes-{name}",
        f"R² with which probes recover {join_words(some)}, {n_songs} songs.",
        "Forest plot, one panel a cause: models, their twins and the descriptors.",
        table=shown,
    )


# %% tags=["needs-simulation"]
show_causes("rhythm", causes[:3])
show_causes("sound", causes[3:])

# %% tags=["needs-simulation", "hide-input"]
read = cause_scores[cause_scores["model"].isin(models)]
read = read.loc[read.groupby("target")["estimate"].idxmax()].set_index("target")
well = [cause for cause in causes if read.loc[cause, "estimate"] > 0.5]
poor = [cause for cause in causes if read.loc[cause, "low"] < 0]
report_text("causes_well", join_words(well))
report_text("causes_poor", join_words(poor))
for name, cause in names.items():
    report_value(f"cause_{name}", **summaries.as_reported(read.loc[cause], n_songs))

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
oracle = probe.nested_ridge(exact, *songs, protocol)
pair = {"the causes themselves": oracle, best: results[best]}
known = summaries.score_table(pair, **resampled)

# %% tags=["needs-simulation"]
show_figure(
    figures.plot_scores(known, bands=bands),
    "oracle",
    f"R² of a ridge on the exact causes and their squares, beside {best}. Shaded: noise ceiling.",
    "Forest plot of two rows, the exact causes and the best embedding, below the ceiling.",
    table=known,
)

# %% tags=["needs-simulation", "hide-input"]
row = summaries.row_of(known, target=target, model="the causes themselves")
report_value("oracle_r2", **summaries.as_reported(row, n_songs))
gap = row["estimate"] - own.loc[best, "estimate"]
report_text(
    "oracle_word",
    "what the embedding lacks is mostly knowledge of the causes"
    if gap > 0.1
    else "the embedding tells about as much of them as a ridge can use with so few songs",
)
answers["truth"] = (
    f"Knowing the causes exactly gives R² {row['estimate']:.2f}; the embedding carries "
    f"{join_words(well)} well"
)

# %% [markdown] tags=["needs-simulation"]
# That gives {glue:text}`oracle_r2_full`: {glue:text}`oracle_word`. The distance from there to the
# ceiling is what songs differ in that none of these causes names, and what so few songs cannot teach.

# %% [markdown]
# ## The verdict

# %%
caption = f"What a reviewer asked, and what «{target}» answers, on {size}."
show_table(summaries.answers_table(answers), "probe-verdict", caption)

# %% tags=["hide-input"]
headline = pick_verdict(
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
handed = [found.mean_predictions().assign(model=n) for n, found in handed.items()]
predictions = pd.concat(handed, ignore_index=True)
order = ["model", "target", "track_id", "artist", "style", "observed", "predicted"]
predictions = predictions[order].assign(best=predictions["model"] == best)
chapter.save_table(predictions, "predictions")

# %%
foremost = predictions[predictions["best"]]
show_figure(
    figures.plot_predictions(foremost, data.styles),
    "predicted-songs",
    f"Means of {n_songs} songs against the out-of-fold predictions of {best}.",
    "Scatter plots by question, coloured by style; predictions spread less than ratings do.",
    table=foremost,
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
# **Next:** {doc}`07-stem-ablation` asks which instruments carry it; {doc}`08-mixed-models` whether it
# holds for single listeners.
