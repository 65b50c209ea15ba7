# %% [markdown] tags=["needs-audio-or-embeddings"]
# # Can embeddings predict how much a song grooves?
#
# We fit a linear model to the embeddings and ratings of some songs, and predict the ratings of other
# songs. If the predictions are good, the embeddings contain information that is related to the
# ratings. The chapter begins with one regression computed by hand. It then follows the procedure of a
# published study, repeats the analysis with a stricter procedure, and compares the embeddings with
# simpler explanations of the ratings, such as the style of a song. Finally, it asks which musical
# properties can be predicted better from trained networks than from untrained ones.
# {doc}`07-objections` answers the objections of a sceptical reviewer.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to predict ratings from the embeddings of networks that are not trained any
# further (“probing”), to choose penalties and layers without using the test songs, to choose the best
# model without looking at its test score, and to compare trained with untrained networks, one musical
# property at a time.
#
# **You need** {doc}`01-listeners-and-tracks` and {doc}`05-embeddings`, and some knowledge of linear
# regression.
#
# **Run time**: {run-time}`06-probing`, measured when this page was built. **Module**: `groove_utils.probe`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
models = []  # empty: the study's own models, else five that run offline
task_models = ["beatnet", "vibenet"]  # further models, trained for other tasks
targets = ["groove", "dance", "listen", "party"]
n_repeats = 5  # number of divisions of the songs into folds
n_bootstrap = 2000

# %%
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from groove_utils import embed, figures, probe
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_counts,
    report_effects,
    report_texts,
    report_value,
    report_values,
    show_figure,
    show_table,
    summaries,
)
from groove_utils.book.verdicts import (
    clear_rows,
    describe_difference,
    describe_differences,
    describe_gains,
    describe_single_feature,
    describe_tasks,
    list_estimates,
    pick_verdict,
)
from groove_utils.descriptors import BASELINE, describe_study
from groove_utils.embed.models.vibenet import ATTRIBUTES
from groove_utils.embed.study_models import (
    TASKS,
    models_for,
    precomputed_sums,
    runnable_models,
    twins_of,
)
from groove_utils.stats import holm, join_words

chapter = open_chapter("06-probing", study)
data = chapter.study

# %% [markdown]
# ## Features and ratings
#
# The features are the embeddings from all layers of each model and of its {term}`untrained twin`, if
# there is one. For comparison, we add the handcrafted {term}`descriptors <descriptor>`.

# %%
models = models_for(data, models)
targets = summaries.rated_targets(data, targets)
twins = twins_of(data, models)
embeddings = embed.embed_study(data, [*models, *twins])
features = {name: embedding.layers for name, embedding in embeddings.items()}
if data.has("audio") or data.has("descriptors"):
    features["descriptors"] = probe.usable_descriptors(describe_study(data))

# %% [markdown]
# The targets are the mean ratings of the songs. The listeners rated each song on several questions.
# The figures show the ratings for these questions; the text discusses only the first one.

# %%
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists = data.tracks["artist"].to_numpy()
styles = data.tracks["style"].to_numpy()
target = targets[0]
n_songs, n_artists = len(ratings), len(set(artists))
size = f"{n_songs} songs by {n_artists} artists"

# %% tags=["hide-input"]
report_counts(n_models=len(models), n_artists=n_artists, n_songs=n_songs)
report_texts(target=target, models=join_words(models))

# %% [markdown]
# The models are {glue:text}`models`. There are {glue:text}`n_songs` songs by {glue:text}`n_artists`
# artists. In the text, we discuss the ratings of “{glue:text}`target`”.
#
# ## One regression, by hand
#
# In the matrix $Z$, each row is a song and each column is a standardised unit of one layer. The
# vector $y$ contains the ratings. {term}`Ridge regression` finds weights that predict $y$ well but
# are not too large:
#
# $$ \hat{w} = (Z^\top Z + \alpha I)^{-1} Z^\top (y - \bar{y}), \qquad \hat{y} = \bar{y} + Z \hat{w} $$
#
# The larger the penalty $\alpha$, the closer the predictions are to the mean rating. If a layer has
# more units than there are songs, as most layers do, it is cheaper to compute the same predictions
# from a square matrix with one row and one column for each song:
#
# $$ \hat{y} = \bar{y} + Z Z^\top (Z Z^\top + \alpha I)^{-1} (y - \bar{y}) $$

# %%
X = list(features[models[0]].values())[-1].astype(float)  # the last layer
y = ratings[target].to_numpy()
Z = StandardScaler().fit_transform(X)
G = Z @ Z.T
centred = y - y.mean()
by_hand = y.mean() + G @ np.linalg.solve(G + 100 * np.eye(n_songs), centred)

# %%
by_library = Ridge(alpha=100).fit(Z, y).predict(Z)
largest_difference = np.abs(by_library - by_hand).max()
report_value("same_ridge", largest_difference, fmt=".0e", tolerance=1e-7)
unexplained = ((y - by_hand) ** 2).sum() / (centred**2).sum()
report_value("fit_r2", 1 - unexplained)

# %% [markdown]
# scikit-learn's `Ridge` gives the same predictions; the largest difference is {glue:text}`same_ridge`
# points on the rating scale. So far, the regression predicts the ratings of the very songs on which
# it was trained, so the fit (R² = {glue:text}`fit_r2`) does not show how well it would predict the
# ratings of new songs.
#
# ## The published protocol
#
# {cite:t}`marmoret2026` concatenated all layers of a model and fitted a ridge regression with one
# fixed penalty (0.2) to unscaled features. They divided the songs into four folds without regard to
# artists and averaged R² over the folds. They did this for five different divisions into folds and
# reported the mean ± standard deviation over these divisions. {numref}`tab-paper` shows the results
# of this protocol for the present study. Of the descriptors, the table includes only the sixteen that
# were used in the paper. If the study contains embeddings of stems (instruments separated from the
# mix), the table has additional rows for them.

# %%
trained = [name for name in features if name not in twins]
published = {name: features[name] for name in trained}
if "descriptors" in features:
    table = published.pop("descriptors")
    baseline = [name for name in BASELINE if name in table]
    published[f"{len(baseline)} descriptors"] = table[baseline]

# %%
for model in models:
    for stems in precomputed_sums(data, model):
        stem_embedding = embed.embed_study(data, model, stems=stems.split("+"))
        published[f"{model}: {stems}"] = stem_embedding.layers

# %%
paper = {
    name: probe.paper_protocol(X, ratings, artists, styles)
    for name, X in published.items()
}

# %% [markdown]
# For the comparisons in the text, we put the unrounded scores in a table with one row per question
# and one column per set of features:

# %%
tables = {name: run.scores().set_index("target") for name, run in paper.items()}
fold_r2 = pd.DataFrame({n: table["fold_r2"] for n, table in tables.items()})
target_r2 = fold_r2.loc[target]
paper_best = target_r2.idxmax()

# %% tags=["hide-input"]
show_table(
    summaries.text_table(paper),
    "paper",
    f"R² under the published protocol, mean ± SD over five divisions of {n_songs} songs into folds.",
)
report_texts(paper_worst=target_r2.idxmin(), paper_best=paper_best)
extremes = {"paper_worst_r2": target_r2.min(), "paper_best_r2": target_r2.max()}
report_values(extremes, n_songs)
report_counts(paper_negative=(fold_r2 < 0).sum().sum(), paper_scores=fold_r2.size)

# %% [markdown]
# If every prediction were equal to the mean rating of the test songs, R² would be 0; predictions with
# a larger squared error give a negative R². For “{glue:text}`target`”, the scores range from
# {glue:text}`paper_worst_r2` ({glue:text}`paper_worst`) to {glue:text}`paper_best_r2`
# ({glue:text}`paper_best`). Over all questions, {glue:text}`paper_negative` of
# {glue:text}`paper_scores` scores are negative. The ranking of the models changes if the units are
# standardised and the penalty is tuned ({doc}`07-objections`), so a model with a low score here may
# have a high score below. The scores match the published ones only if the study contains the ratings
# and the embedding vectors used in the paper.

# %% [markdown] tags=["needs-embeddings"]
# ### Results with the published embedding vectors
#
# The paper also reports the error in points on the rating scale: the root mean squared error (RMSE)
# of each fold, averaged in the same way as R² ({numref}`tab-paper-rmse`). As in the paper,
# {numref}`fig-paper-predictions` plots the predictions averaged over the five divisions.

# %% tags=["needs-embeddings"]
rmse = summaries.text_table(paper, "fold_rmse", "fold_rmse_sd")
averaged = paper[paper_best].mean_predictions()
precision = max(
    probe.single_precision_difference(X, ratings) for X in published.values()
)

# %% tags=["needs-embeddings", "hide-input"]
show_table(
    rmse,
    "paper-rmse",
    "RMSE under the published protocol, in points of the rating scale, mean ± SD over five divisions.",
)
show_figure(
    figures.plot_predictions(averaged, data.styles),
    "paper-predictions",
    f"Mean ratings of {n_songs} songs against predictions from {paper_best} under the published "
    "protocol.",
    "Scatter plots by question, coloured by style, around the line of equal values.",
    table=averaged,
)
report_value("single_precision", precision, fmt=".0e", tolerance=1e-5)

# %% [markdown] tags=["needs-embeddings"]
# The authors' code keeps the vectors in single precision (32 bits), so the regression is fitted in
# single precision as well; our code uses double precision. For these vectors, the largest difference
# in R² between the two precisions, over all models, questions and divisions, is
# {glue:text}`single_precision`.

# %% [markdown]
# ## A protocol without post-hoc choices
#
# Two things have to be chosen: the penalty of the ridge regression and the layer of the model. If we
# tried all penalties and layers and reported the best result, we would be using the test songs for
# tuning. We therefore divide the songs into four outer folds. All songs by an artist are in the same
# fold (folds of **whole artists**), and the styles are balanced across the folds. The penalty and the
# layer are chosen by a second cross-validation *within* the training songs. {numref}`fig-folds` shows
# both levels of cross-validation. Each outer fold is held out once, and the remaining songs are
# divided into inner folds; the figure shows the inner folds for the first outer fold.

# %%
(outer,) = probe.artist_folds(artists, styles, seed=seed)


def inner_folds(fold):
    train = outer != fold
    n_inner = min(4, len(set(artists[train])))
    options = {"n_splits": n_inner, "seed": [seed, 1, 1 + fold]}
    return probe.artist_folds(artists[train], styles[train], **options)[0]


# %% tags=["hide-input"]
show_figure(
    figures.plot_folds(outer, inner_folds(0), artists, styles),
    "folds",
    f"Outer and inner folds of {size}, one column per song; songs by the same artist are side by side.",
    "Two rows with one stripe per song: above, the outer folds; below, the inner folds of the remaining "
    "songs.",
)

# %% [markdown]
# In scikit-learn, such a nested cross-validation is a `GridSearchCV` inside a loop over folds.
# (`GroupKFold` also keeps all songs by an artist in one fold, but it does not balance the styles, so
# we do not use it here.) The pipeline in the next cell standardises each unit with a mean and a
# standard deviation computed from the training songs alone:

# %%
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
model = make_pipeline(StandardScaler(), Ridge())
predicted = np.empty(n_songs)
for fold in range(4):
    train, test = outer != fold, outer == fold
    search = GridSearchCV(
        model,
        {"ridge__alpha": protocol.alphas},
        cv=PredefinedSplit(inner_folds(fold)),
        scoring="neg_mean_squared_error",
    ).fit(X[train], y[train])
    predicted[test] = search.predict(X[test])

# %% [markdown]
# Our function `nested_ridge` computes the same predictions, but needs only one eigenvalue
# decomposition per training set, however many penalties are tried. It can also choose among layers,
# and it limits standardised values to ±5, because a unit that is almost constant in the training
# songs can have an enormous standardised value in a test song ({doc}`07-objections` shows an
# example). In the next cell, we use the function with one layer and without these limits:

# %%
plain = replace(protocol, n_repeats=1, floor=0, clip=1e12)
ours = probe.nested_ridge(X, y, artists, styles, plain, folds=outer)
largest_difference = np.abs(ours.predicted[0, :, 0] - predicted).max()
report_value("same_nested", largest_difference, fmt=".0e", tolerance=1e-6)

# %% [markdown]
# The largest difference between the predictions of `GridSearchCV` and `nested_ridge` is
# {glue:text}`same_nested` points on the rating scale. From here on, we use `nested_ridge` for every
# model and every question, with all layers and {glue:text}`repeats` divisions into folds. Each song's
# rating is predicted by a regression that was fitted without any songs by the same artist; these
# songs were not used to choose the penalty or the layer either. R² is then computed over all held-out
# songs (*out-of-fold* R²). The 95% interval of R² is computed by resampling artists, both among the
# training songs and among the test songs; penalties and layers are not chosen again. The baseline
# “style alone” predicts, for each song, the mean rating of the training songs of the same style.

# %%
songs = ratings, artists, styles
results = probe.nested_ridges(features, *songs, protocol, n_jobs=2)
results["style alone"] = probe.style_baseline(*songs, protocol)

# %%
resampled = {"n_boot": n_bootstrap, "seed": seed}
scores = summaries.score_table(results, **resampled)
kinds = dict.fromkeys(models, "pretrained")
kinds |= dict.fromkeys(twins, "untrained twin")
scores["kind"] = scores["model"].map(kinds).fillna("comparison")
scores["row"] = scores["model"].str.removesuffix("-untrained")
chapter.save_table(scores, "probe_scores")
bands = summaries.ceiling_bands(chapter.find_table("ceilings"))

# %% tags=["hide-input"]
show_figure(
    figures.plot_scores(scores, y="row", hue="kind", bands=bands),
    "probe-scores",
    f"Out-of-fold R² on {size}, with 95% intervals (artists resampled). Shaded: noise ceiling, if known.",
    "Forest plot: models with their untrained twins, descriptors, and style alone, with wide "
    "intervals.",
    table=scores,
)

# %% [markdown]
# Which model is best? The highest of several test scores would be biased upwards. In this and all
# later chapters, “the best model” therefore means the one with the smallest mean error in the *inner*
# folds, which contain only training songs; no test score is used for this choice. However, the
# ratings of all songs influence the choice, because each song is a training song whenever a different
# outer fold is held out. We therefore also report the R² that results when the model is chosen
# separately for each outer fold, using only the songs outside that fold.

# %%
pretrained = {name: results[name] for name in models}
inner_errors = probe.inner_errors(pretrained)[target].sort_values()
best = inner_errors.index[0]
chosen = {"chosen in each fold": probe.select_by_inner_folds(pretrained)}
chosen = summaries.score_table(chosen, **resampled)
target_scores = pd.concat([scores, chosen]).set_index("model")
target_scores = target_scores[target_scores["target"] == target]

# %% tags=["hide-input"]
report_counts(repeats=n_repeats)
report_texts(best_model=best)
names = {best: "best_r2", "style alone": "style_r2", "descriptors": "descriptors_r2"}
names |= {"chosen in each fold": "chosen_r2"}
report_effects(target_scores[target_scores.index.isin(names)].rename(names), n_songs)

# %% [markdown]
# For “{glue:text}`target`”, the best model is {glue:text}`best_model`, with an R² of
# {glue:text}`best_r2_full`. If the model is chosen separately for each fold, R² is
# {glue:text}`chosen_r2_full`. Predicting the mean rating of each song's style gives an R² of
# {glue:text}`style_r2_full`.
#
# ## Is the best model better than simpler explanations?
#
# A model should be compared with simpler explanations *on the same songs*, and not only with an R² of
# zero. {numref}`fig-differences` shows paired differences, that is, the R² of the best model minus
# the R² of each simpler explanation. If an artist's songs are difficult to predict with both models,
# this difficulty cancels out. (The separate intervals in {numref}`fig-probe-scores` ignore this
# pairing and should not be compared with each other.)

# %%
simpler = [f"{best}-untrained", "descriptors", "style alone"]
simpler = [name for name in simpler if name in results]
compared = {name: results[name] for name in [best, *simpler]}
pairs = [(best, name) for name in simpler]
differences = probe.compare_models(compared, pairs=pairs, **resampled)
twin_label = {f"{best}-untrained": "untrained twin"}
differences["compared_with"] = differences["second"].replace(twin_label)
leads = differences[differences["target"] == target].set_index("compared_with")

# %% [markdown]
# In the text, a difference is described by a verdict that depends on its sign and its p-value. Unless
# p is below .05 after correction, the two explanations are called “not clearly different”.

# %%
verdicts, named = {}, {}
for label, row in leads.iterrows():
    article = {"style alone": "", "untrained twin": "its "}.get(label, "the ")
    name = article + label
    key = f"compared_{label.replace(' ', '_')}"
    verdicts[key] = describe_difference(row, name, p="p_holm")
    named[name] = row
verdict = describe_differences(named, p="p_holm")

# %% tags=["hide-input"]
show_figure(
    figures.plot_scores(
        differences, x="difference", y="compared_with", xlabel="Difference in R²"
    ),
    "differences",
    f"R² of {best} minus the R² of simpler explanations on {size}, with 95% intervals.",
    "Forest plot of the best model's lead over each simpler explanation, with intervals and a line at "
    "zero.",
    table=differences,
)
report_effects(leads, n_songs, prefix="ahead_of_", value="difference")
report_texts(verdict=f"{best} is {verdict}", **verdicts)

# %% [markdown]
# For “{glue:text}`target`”, {glue:text}`verdict` (p < .05, corrected for multiple comparisons by
# Holm's method). {doc}`04-descriptors` compares the descriptors with style alone on the same
# songs and folds.
#
# The comparison with the twin favours the trained model, which was chosen from several for its small
# error, whereas the twin was not. We therefore add two comparisons: one of all trained networks with
# their twins, and one of the best trained network with the best untrained network, both chosen in the
# inner folds:

# %%
if twins:
    untrained = {name: results[name] for name in twins}
    partners = {n: results[n.removesuffix("-untrained")] for n in twins}
    average = probe.mean_difference(partners, untrained, **resampled)
    first, second = map(probe.select_by_inner_folds, [pretrained, untrained])
    selected = probe.mean_difference([first], [second], **resampled)
    average["of"] = f"{len(twins)} pairs on average"
    selected["of"] = "the networks chosen in the inner folds"
    gains = pd.concat([average, selected], keys=["mean", "chosen"]).droplevel(1)
    gains = gains[gains["target"] == target]

# %% tags=["hide-input"]
twin_note = "The models of this study have no untrained twins."
if twins:
    report_effects(gains, n_songs, prefix="training_")
    twin_note = (
        "The R² of trained networks minus that of untrained networks is "
        f"{list_estimates(gains, 'of')}."
    )
report_texts(twin_note=twin_note)

# %% [markdown]
# {glue:text}`twin_note` ({doc}`demo-study` counts in how many simulated studies a trained network is
# clearly better than its twin.)

# %% [markdown] tags=["needs-audio"]
# ### Does danceability predict the ratings equally well?
#
# Streaming services describe each song by several numbers, one of which is called danceability; its
# formula has never been published. VibeNet {cite}`shim2025` was trained to reproduce this number for
# songs of the Free Music Archive {cite}`defferrard2017`. Does danceability predict the ratings as
# well as a whole embedding does? To find out, we use VibeNet's danceability as the only feature of
# the regression, and compare it with the best model and with style alone. (The p-values of these two
# comparisons are corrected by Holm's method.)

# %% tags=["needs-audio"]
runs, danceability_text = runnable_models(data, ["vibenet"])
if runs:
    attributes = embed.embed_study(data, "vibenet").layer("attributes")
    danceability = attributes[:, [ATTRIBUTES.index("danceability")]]
    results["danceability"] = probe.nested_ridge(danceability, *songs, protocol)
    subset = ["danceability", best, "style alone"]
    subset = {name: results[name] for name in subset}
    score = summaries.score_table(subset, **resampled)
    score = summaries.row_of(score, target=target, model="danceability")
    leads = probe.compare_models(subset, reference="danceability", **resampled)
    leads = leads[leads["target"] == target]

# %% tags=["needs-audio", "hide-input"]
if runs:
    report_effects({"danceability_r2": score}, n_songs)
    danceability_text = describe_single_feature(score, leads)
report_texts(danceability_text=danceability_text)

# %% [markdown] tags=["needs-audio"]
# {glue:text}`danceability_text`

# %% [markdown] tags=["needs-controls"]
# ### Two control questions with known answers
#
# We also need to check that the method finds no effect where there is none. For this purpose, the
# listeners in this study answered two control questions. The answers to the *placebo* question differ
# between songs, but not because of anything that can be heard. The answers to the *style-only*
# question depend on the style and on nothing else. A valid method should find no effect for the
# placebo question, and only an effect of style for the style-only question
# ({numref}`tab-probe-controls`). A regression that finds no relation has an R² slightly *below* 0,
# because the mean rating that it predicts is that of other songs. The correlation between predictions
# and ratings then tends to be negative as well: if the held-out songs have high ratings, the mean
# rating of the other songs is lower.

# %%
controls = pd.DataFrame({name: data.song_means(name) for name in data.controls})
control_songs = controls, artists, styles
control_runs = probe.nested_ridges(features, *control_songs, protocol, n_jobs=2)
control_runs["style alone"] = probe.style_baseline(*control_songs, protocol)

# %% [markdown]
# {numref}`tab-probe-controls` contains R² for the best model and for style alone, and, for the best
# model, the correlation within styles (the correlation between predictions and ratings after the mean
# of each style has been subtracted from both):

# %%
pair = {name: control_runs[name] for name in [best, "style alone"]}
best_only = {best: control_runs[best]}
control_scores = {
    "R²": summaries.score_table(pair, **resampled),
    "correlation within styles": summaries.score_table(
        best_only, score="within_r", **resampled
    ),
}
control_scores = pd.concat(control_scores, names=["what"]).reset_index("what")
control_scores = control_scores.set_index(["target", "what", "model"])
control_scores = control_scores[["estimate", "low", "high"]]
leads = probe.compare_models(pair, **resampled).set_index("target")

# %% [markdown]
# A method that finds effects where there are none may do so with any model, not only with the best
# one. We therefore also list all models for which the whole interval of R² lies above 0:

# %%
above_zero = {name: control_runs[name] for name in models}
above_zero = summaries.score_table(above_zero, **resampled).query("low > 0")

# %% tags=["hide-input"]
show_table(
    control_scores.rename(index={"style_only": "style only"}),
    "probe-controls",
    f"Scores of {best} and of style alone for the two control questions; {n_songs} songs.",
)
names = {**data.controls, "R²": "r2", "correlation within styles": "within"}
of_best = control_scores.xs(best, level="model").rename(index=names)
report_effects(of_best, n_songs, prefix="control_")
for query, cause in data.controls.items():
    verdict = describe_difference(leads.loc[query], "style alone")
    named = join_words(above_zero[above_zero["target"] == query]["model"])
    report_texts(
        **{f"control_{cause}_verdict": verdict, f"control_{cause}_found": named}
    )
without_cause = [name for name, cause in data.controls.items() if cause == "none"]
effects = [
    above_zero["target"].isin(without_cause).any(),
    (leads["low"] > 0).any(),  # better than style alone
    (of_best.xs("within", level="what")["low"] > 0).any(),
]
as_expected = "not all as expected of" if any(effects) else "as expected of"
report_texts(controls_word=as_expected)

# %% [markdown]
# For the placebo question, the R² of {glue:text}`best_model` is {glue:text}`control_none_r2_full`.
# Models with an interval of R² above 0 for this question: {glue:text}`control_none_found`. For the
# style-only question, the R² of {glue:text}`best_model` is {glue:text}`control_style_r2_full`: the
# model is {glue:text}`control_style_verdict`. Within styles, the correlation between the predictions
# and the ratings for the style-only question is r = {glue:text}`control_style_within_full`. These
# results are {glue:text}`controls_word` a valid method, which should find no effect for the placebo
# question, and no effect beyond style for the style-only question.

# %% [markdown] tags=["needs-simulation"]
# ## Which causes can be predicted from the embeddings?
#
# In the simulation, the causes of groove are known: we have the values, such as tempo and
# syncopation, from which each song was rendered. We can therefore use the causes themselves as the
# targets of a regression ({numref}`fig-causes`). The styles differ in these causes, so style alone
# predicts them to some extent. We therefore compare the embeddings with style alone.
#
# The embeddings used so far come from networks that were trained to tag songs or to transcribe notes.
# We add the embeddings of networks that were trained for other tasks: BeatNet {cite}`heydari2021`
# finds beats, and VibeNet predicts danceability (above, we used only this prediction).
# {glue:text}`task_note` (The added networks are not candidates for the best model.)

# %%
tasks, task_note = runnable_models(data, task_models)
tasks = [model for model in tasks if model not in models]
task_twins = twins_of(data, tasks)
task_embeddings = embed.embed_study(data, [*tasks, *task_twins])
probed = features | {name: e.layers for name, e in task_embeddings.items()}
report_texts(task_note=task_note)

# %% [markdown] tags=["needs-simulation"]
# The targets of the next regressions are the causes of groove:

# %%
names = {
    "event_density": "event density",
    "microtiming_ms": "microtiming",
    "syncopation": "syncopation",
    "tempo": "tempo",
    "bass_drum_coupling": "bass–drum coupling",
    "low_frequency_db": "low-frequency level",
}
truth = data.truth("songs").set_index("track_id").loc[ratings.index]
truth, causes = truth.rename(columns=names), list(names.values())

# %%
cause_songs = truth[causes], artists, styles
cause_runs = probe.nested_ridges(probed, *cause_songs, protocol, n_jobs=2)
cause_runs["style alone"] = probe.style_baseline(*cause_songs, protocol)
cause_scores = summaries.score_table(cause_runs, **resampled)
kinds |= dict.fromkeys(tasks, "pretrained")
kinds |= dict.fromkeys(task_twins, "untrained twin")
cause_scores["kind"] = cause_scores["model"].map(kinds).fillna("comparison")
cause_scores["row"] = cause_scores["model"].str.removesuffix("-untrained")

# %% [markdown]
# We say that the best model predicts a cause if its R² is clearly higher than that of style alone,
# and that no model predicts a cause if there is no pretrained model whose interval of R² lies above
# 0:

# %%
pair = {name: cause_runs[name] for name in [best, "style alone"]}
leads = probe.compare_models(pair, **resampled)
leads["p_holm"] = holm(leads["p"])  # over the causes
clear = clear_rows(leads, value="difference")["target"]
unclear = [cause for cause in causes if cause not in set(clear)]
above_zero = cause_scores.query("low > 0 and kind == 'pretrained'")
absent = [cause for cause in causes if cause not in set(above_zero["target"])]
of_best = cause_scores[cause_scores["model"] == best].set_index("target")

# %% tags=["hide-input"]
show_figure(
    figures.plot_scores(cause_scores, y="row", hue="kind", columns=3),
    "causes",
    f"Out-of-fold R² of probes that predict the causes of groove, over {n_songs} songs.",
    "Forest plot, one panel per cause: models, their twins and the descriptors.",
    table=cause_scores,
)
report_texts(
    causes_carried=join_words(clear, "none of them"),
    causes_unclear=join_words(unclear, "none of them"),
    causes_unpredicted=join_words(absent, "none"),
)
effects = {name: of_best.loc[cause] for name, cause in names.items()}
report_effects(effects, n_songs, prefix="cause_")

# %% [markdown]
# From the embedding of {glue:text}`best_model`, ridge regression reaches an R² of
# {glue:text}`cause_tempo_full` for tempo, {glue:text}`cause_event_density_full` for event density,
# {glue:text}`cause_syncopation_full` for syncopation, {glue:text}`cause_microtiming_ms_full` for
# microtiming, {glue:text}`cause_low_frequency_db_full` for the low-frequency level, and
# {glue:text}`cause_bass_drum_coupling_full` for bass–drum coupling. Which causes are predicted?
#
# - **Clearly better by {glue:text}`best_model` than by style alone** (p < .05, corrected by Holm's
#   method for the number of causes): {glue:text}`causes_carried`.
# - **Not clearly better than by style alone**: {glue:text}`causes_unclear`.
# - **Not by any pretrained model** (no interval of R² lies above 0; style is not considered here):
#   {glue:text}`causes_unpredicted`.
#
# ### What does training add?
#
# An untrained network already preserves much of the information in the spectrogram. To find out what
# training adds, we compare each trained network with its untrained twin, for each cause.
# {numref}`fig-training` shows the differences in R² on the same songs and folds, with intervals
# computed by resampling artists. The p-values are corrected by Holm's method over all models and
# causes. (Each twin has only one set of random weights, and the intervals do not show how much the
# results would vary with other random weights. {doc}`demo-study` counts how often such gains occur in
# ten simulated sets of songs.)

# %%
pairs = [*twins, *task_twins]
pairs = [(twin.removesuffix("-untrained"), twin) for twin in pairs]
training = probe.compare_models(cause_runs, pairs=pairs, **resampled)
training["p_holm"] = holm(training["p"])  # over models and causes
training["task"] = training["first"].map(TASKS).fillna("other")

# %% tags=["hide-input"]
if pairs:
    show_figure(
        figures.plot_gains(training),
        "training",
        "R² of each trained network minus R² of its untrained twin, for each cause, over "
        f"{n_songs} songs. Rows are grouped by training task. 95% intervals, not corrected for multiple "
        "comparisons. Bold, with an asterisk: p < .05 after correction for all models and causes.",
        "Heat map, one row per model and one column per cause, with differences and intervals.",
        table=training,
    )
    density = training[training["target"] == names["event_density"]]["difference"]
    report_value("gain_event_density", density.median(), n=len(density))
report_counts(n_tests=len(training))
report_texts(**describe_gains(training, causes))

# %% [markdown]
# {glue:text}`training_medians`. With p-values corrected for {glue:text}`n_tests` tests, training has
# the following effects:
#
# - **easier to predict after training**: {glue:text}`training_gains`;
# - **no clear gain in any model**: {glue:text}`training_unchanged`;
# - **harder to predict after training**: {glue:text}`training_losses`.
#
# The absence of a clear gain does not show that there is no gain, because the intervals are wide.
#
# ### Does the training task matter?
#
# The rows of {numref}`fig-training` are grouped by the task for which a network was trained. If the
# task matters, we expect the largest gains for tempo in networks trained to find beats, for event
# density in networks trained to transcribe notes, and for several causes of groove in networks trained
# to predict danceability. For each task, we list the causes with a clear gain, according to the
# corrected p-values.

# %%
report_texts(task_gains=describe_tasks(training))

# %% [markdown] tags=["needs-simulation"]
# By training task, the clear gains are: {glue:text}`task_gains`. If a cause is listed for one task
# but not for another, this does not show that the two tasks have different effects, because the
# difference between tasks was not tested. Moreover, most tasks are represented by a single network.
# The networks also differ in more than the training task: in architecture, in input, and in the songs
# that they were trained on.
#
# ### How well do the exact causes predict the ratings?
#
# As the features of the same regression, we now use the exact values of the causes and their squares
# instead of an embedding:

# %%
exact = (truth[causes] - truth[causes].mean()) / truth[causes].std()
exact = pd.concat([exact, (exact**2).add_suffix(" squared")], axis=1)
results["exact causes"] = probe.nested_ridge(exact, *songs, protocol)
pair = {name: results[name] for name in ["exact causes", best]}
exact_score = summaries.score_table(pair, **resampled)
exact_score = summaries.row_of(exact_score, target=target, model="exact causes")
gap = summaries.row_of(probe.compare_models(pair, **resampled), target=target)

# %% tags=["hide-input"]
report_effects({"oracle_r2": exact_score}, n_songs)
report_effects({"oracle_gap": gap}, n_songs, value="difference")
oracle_words = (
    "more than the embedding",
    "less than the embedding",
    "not clearly more than the embedding",
)
report_texts(oracle_word=pick_verdict(gap, *oracle_words))

# %% [markdown]
# The exact causes give an R² of {glue:text}`oracle_r2_full`. The R² of the exact causes minus that of
# the embedding is {glue:text}`oracle_gap_full`: the causes explain {glue:text}`oracle_word`.

# %% [markdown]
# ## All explanations together
#
# {numref}`fig-ladder` compares the explanations of “{glue:text}`target`”. An R² of zero corresponds
# to predicting the mean rating of the test songs. The {term}`noise ceiling` is the R² of a perfect
# model of the *songs*, which knows the true mean rating of each song
# ({doc}`01-listeners-and-tracks`). A perfect model of the *audio*, which knows only the sound, may
# stay below the noise ceiling, because listeners may rate two songs differently for reasons that
# leave no trace in the sound.

# %% [markdown] tags=["needs-simulation"]
# In the simulation, some of the differences between the songs' ratings are random and leave no trace
# in the sound. A perfect model of the audio could nevertheless predict the ratings about as well as
# the exact causes do, or better.

# %%
rungs = ["style alone", "danceability", "descriptors"]
rungs += [f"{best}-untrained", best, "exact causes"]
rungs = {name: results[name] for name in rungs if name in results}
rungs = summaries.score_table(rungs, **resampled)
if bands is not None:
    rungs = pd.concat([rungs, bands.assign(model="noise ceiling")])
rungs = rungs[rungs["target"] == target]
rungs = rungs.rename(columns={"model": "explanation"})
rungs = rungs[["explanation", "estimate", "low", "high"]]

# %% tags=["hide-input"]
show_figure(
    figures.plot_forest(rungs, y="explanation", xlabel="R²"),
    "ladder",
    f"R² of explanations of “{target}” on {size}, with 95% intervals (artists resampled; for the "
    "ceiling, songs resampled).",
    "Forest plot, one row per explanation, between zero and the noise ceiling.",
    table=rungs,
)
headline = pick_verdict(
    target_scores.loc[best],
    "predict the ratings of songs by new artists",
    "predict the ratings of songs by new artists less well than the mean rating does",
    "cannot be shown to predict the ratings of songs by new artists",
)
report_texts(headline=headline)

# %% [markdown]
# For “{glue:text}`target`”, the embeddings of {glue:text}`best_model` {glue:text}`headline` (R² =
# {glue:text}`best_r2_full`). Compared with simpler explanations, {glue:text}`verdict`.
#
# ## Results used in later chapters
# The next three chapters ({doc}`07-objections`, {doc}`08-stem-ablation`, {doc}`09-mixed-models`)
# continue with the best model. The {term}`out-of-fold predictions <out-of-fold prediction>` of the best
# model and of the simpler explanations are averaged over the divisions into folds and saved
# ({numref}`fig-predicted-songs`).

# %%
predictions = pd.concat(
    run.mean_predictions().assign(model=name) for name, run in compared.items()
)
columns = ["model", "target", "track_id", "artist", "style"]
predictions = predictions[[*columns, "observed", "predicted"]]
predictions = predictions.assign(best=predictions["model"] == best)
chapter.save_table(predictions, "predictions")
best_predictions = predictions[predictions["best"]]

# %% tags=["hide-input"]
show_figure(
    figures.plot_predictions(best_predictions, data.styles),
    "predicted-songs",
    f"Mean ratings of {n_songs} songs against the out-of-fold predictions from {best}.",
    "Scatter plots by question, coloured by style; predictions vary less than ratings do.",
    table=best_predictions,
)

# %% [markdown]
# ## What could be wrong here
#
# - **One number per song.** The mean rating of a song hides differences between listeners.
#   {doc}`09-mixed-models` predicts individual ratings.
# - **Few artists.** The intervals are wide, because they are based on only {glue:text}`n_artists`
#   artists.
# - **A linear probe.** Information that a linear model cannot use is counted as absent.
# - **Averaging over time.** Each song is represented by a single vector, so the order of events
#   within the song may be lost ({doc}`05-embeddings`).
#
# ## Exercises
#
# ```{exercise} A penalty that is too small, and one that is too large
# :label: ex-penalty
#
# Replace the penalties of `protocol` with a single one: first with `alphas=0.01`, then with
# `alphas=1e6`. Call the two R² values of the best model `small` and `large`. Why are both far below
# the R² with a tuned penalty?
# ```
#
# ```{solution-start} ex-penalty
# :class: dropdown
# ```


# %% tags=["solution"]
def r2_with(**settings):
    changed = replace(protocol, **settings)
    run = probe.nested_ridge(features[best], ratings[target], artists, styles, changed)
    return run.scores()["r2"][0]


small, large = r2_with(alphas=0.01), r2_with(alphas=1e6)
small, large

# %% tags=["check"]
assert small != large, (
    "the two values are the same: did you pass on the changed protocol?"
)
assert abs(large) < 0.5, (
    "predictions with the large penalty should be close to the mean, and their R² close to 0"
)

# %% [markdown]
# With almost no penalty, the regression fits the noise in the training ratings. With a very large
# penalty, all predictions are close to the mean rating of the training songs, and R² is about 0
# (slightly below 0, because the mean rating of the test songs differs from that of the training
# songs).
#
# ```{solution-end}
# ```
#
# ```{exercise} Choose the layer by its test score
# :label: ex-layer
#
# Score every layer of the best model on its own (`replace(protocol, layers=...)`), collect the R²
# values in a dictionary `by_layer`, and find the highest value. How much higher is it than the R²
# obtained when the layer is chosen in the inner folds? Is it a fair estimate of the R² for new songs?
# ```
#
# ```{solution-start} ex-layer
# :class: dropdown
# ```

# %% tags=["solution"]
by_layer = {layer: r2_with(layers=layer) for layer in features[best]}
max(by_layer.values()), target_scores.loc[best, "estimate"]

# %% tags=["check"]
assert set(by_layer) == set(features[best]), "`by_layer` should have one R² per layer"
assert len(by_layer) == 1 or len(set(by_layer.values())) > 1, (
    "all layers have the same R²: did you pass the changed protocol on?"
)

# %% [markdown]
# The highest of several noisy scores is partly due to chance, so it is not a fair estimate of the
# score for new songs. The bias grows with the number of layers and with the noise in their scores.
#
# ```{solution-end}
# ```
#
# ```{exercise} Listen to the errors
# :label: ex-errors
#
# For which songs is the prediction of the best model much too high or much too low? Call the two most
# extreme songs `too_low` and `too_high`, and listen to them. Can you hear a reason?
# ```
#
# ```{solution-start} ex-errors
# :class: dropdown
# ```

# %% tags=["solution"]
error = best_predictions[best_predictions["target"] == target].set_index("track_id")
error = (error["predicted"] - error["observed"]).sort_values()
too_low, too_high = error.index[0], error.index[-1]
if data.has("audio"):
    audio_player(
        {
            "predicted too low": data.audio_path(too_low),
            "predicted too high": data.audio_path(too_high),
        }
    )

# %% tags=["check"]
both = best_predictions[best_predictions["target"] == target].set_index("track_id")
assert both.loc[too_low, "predicted"] < both.loc[too_low, "observed"], (
    "`too_low` should be predicted below its rating"
)
assert both.loc[too_high, "predicted"] > both.loc[too_high, "observed"], (
    "`too_high` should be predicted above its rating"
)

# %% [markdown]
# One pair of songs proves nothing, but it may suggest a hypothesis that can be tested: for every
# song, compute a number that measures the property named in the hypothesis, and correlate these
# numbers with `error`.
#
# ```{solution-end}
# ```
#
# ## Summary
#
# **Asked**: do embeddings predict the ratings of songs by artists that the regression was not trained
# on? **Found**: for “{glue:text}`target`”, the embeddings of {glue:text}`best_model`
# {glue:text}`headline`; the model is {glue:text}`compared_style_alone`. Penalties and layers were chosen
# inside the training folds, no test score was used to choose the model, and all songs by the same artist
# were in the same fold.

# %% [markdown] tags=["needs-simulation"]
# **True in the simulation**: ratings depend on the causes, and the exact causes explain
# {glue:text}`oracle_word`. In this set of songs, training makes these causes clearly easier to
# predict: {glue:text}`training_gains`. This last result is an estimate; {doc}`demo-study` shows how
# it varies between sets of songs.

# %% [markdown]
# **What would change our mind**: data from more artists, in which the best model's lead over style
# alone or over the untrained twin vanishes, or in which the best model is clearly better or worse
# than the descriptors.
#
# **Next:** {doc}`07-objections` answers the objections of a sceptical reviewer, one at a time;
# {doc}`08-stem-ablation` asks which instruments the predictions depend on.
