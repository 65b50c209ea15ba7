# %% [markdown] tags=["needs-audio-or-embeddings"]
# # Can embeddings predict how much a song grooves?
#
# Take a song's embedding, fit the simplest model there is to the ratings of other songs, and
# predict this one's. If that works, the embedding carries something that listeners respond to. If
# it works for the wrong reason, the number looks just as good. So most of this chapter is about
# wrong reasons.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to probe frozen embeddings with ridge regression so that every choice is made
# without the test songs, to hold the result against a noise ceiling, an untrained network,
# handcrafted descriptors and the style alone, and to say how sure one may be.
#
# **You need** {doc}`01-listeners-and-tracks` and {doc}`05-embeddings`; linear regression.
#
# **It runs** in about two minutes. Module: `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
models = ["msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg", "basic-pitch"]
targets = ["groove", "dance", "listen", "party"]
n_repeats = 5  # times that the songs are dealt into folds
n_bootstrap = 2000
n_permutations = 1000

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
from groove_utils.descriptors import describe_study
from groove_utils.probe.features import usable_descriptors

chapter = open_chapter("06-probing", study)
data = chapter.study
targets = [query for query in targets if query in data.queries]

# %% [markdown]
# ## What goes in, what should come out
#
# The features are every layer of each model, the same of its untrained twin, and the handcrafted
# {term}`descriptors <descriptor>` as a rival. The targets are the mean ratings of the songs on
# four questions.

# %%
twins = [f"{model}-untrained" for model in models if data.has("audio")]
features = {name: embed.embed_study(data, name).layers for name in [*models, *twins]}
if data.has("audio") or data.has("descriptors"):
    features["descriptors"] = usable_descriptors(describe_study(data))
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists, styles = data.tracks["artist"].to_numpy(), data.tracks["style"].to_numpy()

# %% [markdown]
# ## The rules of the game
#
# {term}`Ridge regression` has a penalty, and a model has several layers. Whoever tries them all and
# reports the best has tuned on the test. Here the songs are dealt into four folds of **whole
# artists**, balanced over styles; penalty and layer are chosen by a second round of
# cross-validation *inside* the training folds; and standardisation is learnt there too. Every
# song is then predicted by a model that has never heard its band, and never helped to choose
# itself. That is repeated {glue:text}`repeats` times with other folds.

# %%
report_value("repeats", n_repeats, fmt=".0f")
settings = {"artists": artists, "styles": styles, "n_repeats": n_repeats, "seed": seed}
results = {
    name: probe.nested_ridge(layers, ratings, method=name, **settings)
    for name, layers in features.items()
}
results["style alone"] = probe.style_baseline(ratings, **settings)

# %%
scores = pd.concat(
    [
        probe.bootstrap_scores(
            result, scores=["r2"], n_boot=n_bootstrap, seed=seed
        ).assign(model=name)
        for name, result in results.items()
    ],
    ignore_index=True,
)
family = {
    **dict.fromkeys(models, "pretrained"),
    **dict.fromkeys(twins, "untrained twin"),
}
scores["kind"] = scores["model"].map(family).fillna("rival")
scores["row"] = scores["model"].str.removesuffix("-untrained")
chapter.save_table(scores, "probe_scores")

# %% [markdown]
# ## The result
#
# R² is 0 for a model that knows no more than the mean rating of its training songs, and negative
# for one that does worse. The band at the right is the {term}`noise ceiling` of
# {doc}`01-listeners-and-tracks`, where there is one: what a perfect model would reach.

# %%
bands = None
if chapter.has_table("ceilings"):
    bands = chapter.load_table("ceilings").query("method == 'song means'")
    bands = bands.rename(columns={"query": "target"})
show_figure(
    figures.plot_forest(
        scores,
        label="row",
        panel="target",
        hue="kind",
        xlabel="Out-of-fold R²",
        bands=bands,
    ),
    "scores",
    f"Out-of-fold R² on {len(ratings)} songs by {len(set(artists))} artists, with 95% intervals "
    "from a bootstrap over artists. Shaded: the noise ceiling with its interval.",
    "Forest plot, one panel a question: R squared of each pretrained model beside its untrained "
    "twin, of the descriptors and of style alone; every interval lies left of the shaded ceiling "
    "or touches it.",
    table=scores,
)

# %% tags=["hide-input"]
target = targets[0]
own = scores[scores["target"] == target].set_index("model")


def told(name):
    row = own.loc[name]
    return {
        "value": row["estimate"],
        "ci": (row["low"], row["high"]),
        "n": row["n_songs"],
    }


best = own.loc[models, "estimate"].idxmax()
report_text("target", target)
report_text("best_model", best)
report_value("best_r2", **told(best))
report_value("style_r2", **told("style alone"))

# %% [markdown]
# For «{glue:text}`target`», the best of the pretrained models is {glue:text}`best_model` with an R²
# of {glue:text}`best_r2_full`. Picking the best of several flatters it a little. Knowing nothing but
# the style gives {glue:text}`style_r2_full`.
#
# ## Luck?
#
# Shuffle the ratings over songs, run the whole procedure again, choices and all, and note the
# highest R² that any model reaches. Do that {glue:text}`permutations` times: the p-value says how
# often chance alone did as well, corrected for having tried several models.

# %%
report_value("permutations", n_permutations, fmt=".0f")
luck = probe.permutation_test(
    {name: features[name] for name in models},
    ratings[[target]],
    artists,
    styles,
    n_permutations=n_permutations,
    n_repeats=1,
    seed=seed,
)
show_table(
    luck[["model", "r2", "null_mean", "null_95", "p", "p_family"]],
    "luck",
    f"«{target}»: R² with one dealing of folds, mean and 95% quantile of R² for permuted ratings, "
    "and p, by itself and corrected for the number of models by the maximum statistic.",
    fmt="{:.3f}",
)

# %% tags=["hide-input"]
beat = luck.loc[luck["p_family"] < 0.05, "model"].tolist()
report_value("n_beyond_luck", len(beat), fmt=".0f", n=len(models))

# %% [markdown]
# {glue:text}`n_beyond_luck_full` models did better than luck at the 5% level, corrected.
#
# ## Training, or architecture? Better than a formula?
#
# The honest question is not whether a model beats zero but whether it beats its rivals *on the same
# songs*. {numref}`fig-differences` shows paired differences: the same bootstrap draw of artists for
# both. Its intervals are narrower than {numref}`fig-scores` suggests, because what makes a song
# hard is hard for both.

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
    "differences",
    f"R² of {best} minus that of its rivals, paired over artists, with 95% intervals.",
    "Forest plot of differences in R squared between the best model and its untrained twin, the "
    "descriptors and the style baseline, one panel a question, with a line at zero.",
    table=differences,
)

# %% tags=["hide-input"]
verdicts = []
for label in rivals:
    row = differences[
        (differences["rival"] == label) & (differences["target"] == target)
    ].iloc[0]
    report_value(
        f"ahead_of_{label.replace(' ', '_')}",
        row["difference"],
        ci=(row["low"], row["high"]),
        n=len(ratings),
    )
    sure = (
        "ahead of"
        if row["low"] > 0
        else "behind"
        if row["high"] < 0
        else "not clearly different from"
    )
    verdicts.append(
        f"{sure} the {label}" if label != "style alone" else f"{sure} {label}"
    )
report_text("verdict", f"{best} is " + "; ".join(verdicts))

# %% [markdown]
# For «{glue:text}`target`»: {glue:text}`verdict`.
#
# ## Groove or genre?

# %% [markdown] tags=["needs-styles"]
# R² over all songs mixes two feats: telling the styles apart, and ordering the songs within a style.
# Splitting both ratings and predictions into style means and departures from them gives each its
# own R².

# %% tags=["needs-styles"]
parts = probe.style_scores(results[best], n_boot=n_bootstrap, seed=seed)
parts = parts[parts["part"].isin(["all", "between", "within"])].rename(
    columns={"r2": "estimate"}
)
show_figure(
    figures.plot_forest(parts, label="part", panel="target", xlabel="R²"),
    "within-styles",
    f"R² of {best} over all songs, between the styles' means, and within styles.",
    "Forest plot with three rows, all songs, between styles and within styles, for each question; "
    "the rows differ, the one between styles having by far the widest interval.",
    table=parts,
)

# %% tags=["needs-styles", "hide-input"]
row = parts[(parts["part"] == "within") & (parts["target"] == target)].iloc[0]
report_value("within_r2", row["estimate"], ci=(row["low"], row["high"]), n=len(ratings))
report_text(
    "within_verdict",
    "orders songs within a style"
    if row["low"] > 0
    else "cannot be shown to order songs within a style",
)

# %% [markdown] tags=["needs-styles"]
# Within styles the R² is {glue:text}`within_r2_full`: the model {glue:text}`within_verdict`.
#
# ## The published protocol

# %% [markdown]
# {cite:t}`marmoret2026` used one fixed penalty on unscaled features, shuffled folds of songs
# without regard to artists, and the mean of the folds' R². What does that change?

# %%
paper = pd.concat(
    [
        probe.paper_protocol(features[name], ratings, artists, styles)
        .scores()
        .assign(model=name)
        for name in models
    ],
    ignore_index=True,
)
ours = pd.concat(
    [results[n].scores().assign(model=n) for n in models], ignore_index=True
)
both = pd.DataFrame(
    {
        "ours": ours.set_index(["model", "target"])["r2"],
        "ours, fold mean": ours.set_index(["model", "target"])["fold_r2"],
        "published": paper.set_index(["model", "target"])["fold_r2"],
    }
)
show_table(
    both.xs(target, level="target"),
    "protocols",
    f"«{target}»: R² under the nested, artist-grouped protocol (pooled, and as a mean over folds) "
    "and under the published one (mean over folds).",
    fmt="{:.3g}",
)

# %% [markdown]
# Where the two differ wildly, look at scale first: an unscaled feature that hardly varies in the
# training songs and jumps in a test song throws the prediction far off, and one such song ruins a
# fold's R². Where the published protocol is the more generous, artists shared between training and
# test are the likeliest reason.
#
# ## What is handed on

# %%
predictions = pd.concat(
    [results[name].predictions.assign(model=name) for name in [best, *rivals.values()]],
    ignore_index=True,
)
mean = ["model", "target", "track_id", "artist", "style"]
predictions = predictions.groupby(mean, as_index=False, sort=False)[
    ["observed", "predicted"]
].mean()
chapter.save_table(predictions.assign(best=predictions["model"] == best), "predictions")
show_figure(
    figures.plot_predictions(predictions[predictions["model"] == best], data.styles),
    "predictions",
    f"Observed song means against the out-of-fold predictions of {best}, averaged over repeats.",
    "Scatter plots of observed against predicted mean ratings, one a question, dots coloured by "
    "style; predictions spread less than the ratings do around the diagonal.",
)

# %% [markdown]
# ## What could be wrong here
#
# - **One number a song.** A song mean hides whom it moves. {doc}`08-mixed-models` predicts single
#   ratings.
# - **Few artists.** The intervals rest on {glue:text}`n_artists` artists. They are wide because
#   that is what we know.
# - **Best of several.** The best model was picked by looking. Its lead over the others is not
#   tested here.
#
# What would change the conclusion: a difference in {numref}`fig-differences` whose interval moves
# across zero with more artists.

# %% tags=["hide-input"]
report_value("n_artists", len(set(artists)), fmt=".0f")

# %% [markdown]
# ## Exercises
#
# 1. Break it: set `artists` to `data.tracks["track_id"]`, so that folds no longer respect artists.
#    Which models gain most?

# %% [markdown]
# ````{dropdown} Solution
# Models that know the band (see {doc}`05-embeddings`) gain most, since bands
# share habits and so ratings. The gain is no skill: it disappears on a band that nobody has heard.
# ````
#
# 2. Predict «disturbing» as well. Which sign do you expect the R² to have?

# %% [markdown]
# ````{dropdown} Solution
# R² has no direction: a question that runs against groove can be predicted as well as one that runs
# with it, as far as its own noise ceiling allows.
# ````

# %% [markdown]
# ## Summary
#
# - Every choice is made inside the training folds, and bands are never split.
# - A score means something beside a ceiling, an untrained twin, a formula, and the style alone.
# - For «{glue:text}`target`», {glue:text}`verdict`.
#
# **Next:** {doc}`08-mixed-models` asks whether the prediction holds for single listeners, and in
# every style.
