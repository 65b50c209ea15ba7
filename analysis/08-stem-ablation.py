# %% [markdown] tags=["needs-audio-or-stem-embeddings"]
# # Which instruments carry the groove?
#
# A prediction from a song's embedding does not show which instruments it uses. We therefore divide songs
# into {term}`stems <stem>` and repeat the prediction with each of them and with all their sums. If the drums
# alone predict as well as the whole band, the other instruments add nothing to them. If nothing is lost
# without the drums, the drums add nothing to the others. Usually, several instruments carry the same
# information, and a rule is needed to divide it among them.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to predict from stems and all their sums, to divide a score among stems that carry the
# same information, to distinguish what a model uses in a mix from what is in a stem, and to control for
# loudness, for the separator, and for stems of other songs.
#
# **You need** {doc}`06-probing`.
#
# **It runs** in about five minutes the first time; then in seconds. Modules: `groove_utils.stems`,
# `groove_utils.probe.ablation`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
separator = ""  # empty: the study's own stems, else "hpss"; or "htdemucs_ft", or a path
second_separator = "hpss"  # to compare with; empty for none
models = []  # empty: the best model of the chapter on probing
targets = ["groove", "dance", "listen", "party"]
excerpt = 0  # seconds from the middle of each song; 0 for all of it
n_repeats = 5  # times that the songs are divided into folds
n_bootstrap = 2000

# %%
import re
from functools import partial

import numpy as np
import pandas as pd

from groove_utils import embed, figures, probe, stems
from groove_utils.book import (
    audio_player,
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
    summaries,
)
from groove_utils.book.verdicts import clear_rows, describe_difference, pick_verdict
from groove_utils.cache import ArrayCache
from groove_utils.descriptors import describe_study
from groove_utils.embed.model_selection import models_for, stem_sums
from groove_utils.stats import holm, join_words, typeset_minus
from groove_utils.stats.wording import format_p
from groove_utils.stems.controls import (
    load_stems,
    regroup_stems,
    silence_stem,
    swap_stem,
    tempo_partners,
)
from groove_utils.stems.measure import describe_coupling, describe_sums, matching_gains
from groove_utils.study.stem_names import subset_name

chapter = open_chapter("08-stem-ablation", study)
data = chapter.study

# %% [markdown] tags=["needs-audio"]
# ## Hear it
#
# The players hold one song of each style: the whole, each stem, drums and bass together, and everything
# except the drums. Which of them make you want to move? (All are set to the same loudness.)

# %% tags=["needs-audio"]
separator = separator or ("true" if data.has("stems") else "hpss")
paths = stems.separate_study(data, separator)
players = list(next(iter(paths.values())))
wanted = [players, *([s] for s in players)]
if "bass" in players and "drums" in players:
    wanted += [["drums", "bass"], [s for s in players if s != "drums"]]


# %% tags=["needs-audio"]
def play_parts(track, label):
    waves, sr = load_stems(paths[track])
    sums = {subset_name(w): (stems.remix(waves, w, sr), sr) for w in wanted}
    audio_player({f"{label}: {name}": sound for name, sound in sums.items()})


# %% tags=["needs-audio"]
first = data.tracks.groupby("style")["track_id"].first().loc[data.styles]
for style, track in first.items():
    play_parts(track, style)

# %% tags=["needs-audio", "hide-input"]
sources = {
    "true": "the true stems of the study",
    "hpss": "those of harmonic–percussive separation, which needs no weights",
}
report_text("separator", sources.get(separator, f"those of the separator {separator}"))

# %% [markdown] tags=["needs-audio"]
# The stems are {glue:text}`separator`. {numref}`tab-stem-checks` checks that they add up to the mix. The
# residual is the mix minus all stems, in dB relative to the mix.


# %% tags=["needs-audio"]
def check_song(track):
    parts, sr = load_stems(paths[track])
    mix = data.load(track, sr=sr, mono=False)[0]
    checks = stems.separation_checks(mix, parts, sr)
    energy = checks.set_index("stem")["energy_share"]
    return {**energy, "residual (dB)": max(checks["residual_db"].iloc[0], -120)}


show_table(
    pd.DataFrame({track: check_song(track) for track in first}).T.rename_axis("song"),
    "stem-checks",
    "Each stem's share of the energy, and the residual (−120 dB stands for that or less).",
)

# %% [markdown]
# ## What goes in
#
# With four stems there are fifteen sums, from a single stem to the whole band. Each sum is embedded as if
# it were a song. The targets are the mean ratings, as in {doc}`06-probing`. We use the best model of that
# chapter, which was chosen by the inner folds there, and the handcrafted
# {term}`descriptors <descriptor>`.

# %%
has_sound = data.has("audio")
predictions = chapter.find_table("predictions")
if predictions is not None and not models:
    models = predictions.loc[predictions["best"], "model"].unique().tolist()
usable = models_for(data, models if has_sound else [])
usable = [m for m in usable if has_sound or stem_sums(data, m)]
models = [m for m in models if m in usable] or usable[:1]
given = paths if has_sound and separator != "true" else None
embed_sums = partial(embed.embed_stem_sums, data, excerpt=excerpt)
features = {
    model: {subset: one.layers for subset, one in sums.items()}
    for model, sums in embed_sums(models, stems=given).items()
}
best = models[0]

# %%
parts = list(dict.fromkeys(s for subset in features[models[0]] for s in subset))
whole = tuple(parts)
for model in models:
    if whole not in features[model]:  # published vectors: the mix is the model's own
        features[model][whole] = embed.embed_study(data, model).layers

# %% tags=["needs-audio", "hide-input"]
report_text("heard", f"the middle {excerpt:g} s" if excerpt else "the whole")

# %% [markdown] tags=["needs-audio"]
# The model receives {glue:text}`heard` of each song, and the descriptors are computed from whole songs. A
# descriptor that cannot be computed for some sum (a solo voice has no swing) is left out for all sums, so
# that all have the same {glue:text}`n_descriptors`.

# %% tags=["needs-audio"]
features["descriptors"] = describe_sums(paths, list(features[models[0]]))
report_value("n_descriptors", features["descriptors"][whole].shape[1], fmt=".0f")

# %%
targets = summaries.rated_targets(data, targets)
ratings = pd.DataFrame({query: data.song_means(query) for query in targets})
artists, styles = data.tracks["artist"].to_numpy(), data.tracks["style"].to_numpy()
target = targets[0]
cache = ArrayCache(namespace="ablation")
stack = partial(pd.concat, ignore_index=True)

# %% tags=["hide-input"]
report_text("target", target)
report_text("models", join_words(models))
report_value("n_songs", len(ratings), fmt=".0f")
report_value("n_artists", len(set(artists)), fmt=".0f")
report_value("n_sums", len(features[models[0]]), fmt=".0f")
report_value("n_targets", len(targets), fmt=".0f")

# %% [markdown]
# There are {glue:text}`n_sums` sums of the stems of {glue:text}`n_songs` songs; the model is
# {glue:text}`models`.
#
# ## The published conditions
#
# {cite:t}`marmoret2026` used five conditions besides the mix: bass, drums, other, vocals, and drums with
# bass, each with its own regression, under their protocol (one fixed penalty, unscaled features, folds
# without regard to artists). {numref}`fig-stems-paper` repeats these conditions here.

# %%
conditions = [("bass",), ("drums",), ("other",), ("vocals",), ("drums", "bass"), whole]
conditions = [s for s in conditions if s in features[models[0]]]
if len(conditions) < 2:  # other stems than the published ones
    conditions = list(features[models[0]])
four = [q for q in ("groove", "dance", "listen", "party") if q in targets] or targets

# %%
published = stack(
    probe.paper_scores(
        {s: X[s] for s in conditions}, ratings[four], artists, styles, cache=cache
    ).assign(model=name)
    for name, X in features.items()
)
published = published.replace({"subset": {subset_name(whole): "all stems"}})
published["estimate"] = published["fold_r2"]
published["low"] = published["fold_r2"] - published["fold_r2_sd"]
published["high"] = published["fold_r2"] + published["fold_r2_sd"]

# %%
as_published = {"label": "subset", "floor": -1, "xlabel": "R², mean of folds"}
show_figure(
    figures.plot_stem_shares(
        published, panel="target", hue="model", columns=2, **as_published
    ),
    "stems-paper",
    f"R² (mean of folds) ± SD over divisions, {len(ratings)} songs. Arrows: below −1.",
    "One panel per question and one row per condition, a dot for each representation.",
    table=published,
)

# %% tags=["hide-input"]
own = published[(published["model"] == best) & (published["target"] == four[0])]
order = own.set_index("subset")["fold_r2"].sort_values()
report_text("paper_lowest", order.index[0])
report_value("paper_lowest_r2", order.iloc[0], n=len(ratings))
report_text("paper_highest", order.index[-1])
report_value("paper_highest_r2", order.iloc[-1], n=len(ratings))
report_value("paper_spread", own["fold_r2_sd"].median())

# %% [markdown]
# For {glue:text}`models`, R² is lowest for {glue:text}`paper_lowest` ({glue:text}`paper_lowest_r2`) and
# highest for {glue:text}`paper_highest` ({glue:text}`paper_highest_r2`). The standard deviation over five
# divisions is {glue:text}`paper_spread` at the median. It measures the uncertainty due to the division into
# folds, and not that due to the sample of songs. The objections of {doc}`06-probing` about penalty and
# artists apply here as well. In addition, the conditions overlap: the bass may predict ratings because of
# the bass line, or because the bass line goes with the drums. Five conditions cannot separate the two.

# %% [markdown]
# ## All the sums
#
# We use all sums, with the protocol and the folds of {doc}`06-probing`. Each sum has its own regression,
# which chooses layer and penalty inside its training songs. Without any stem, the prediction is the mean
# rating of the training songs. Its R² is slightly below 0, because this mean differs from that of the test
# songs.

# %%
everything, causes = ratings, []

# %% tags=["needs-simulation"]
names = {
    "drum_density": "drum strokes",
    "syncopation": "syncopation",
    "tempo": "tempo",
    "low_frequency_db": "low frequencies",
    "microtiming_ms": "microtiming",
    "bass_drum_coupling": "bass–drum coupling",
}
truth = data.truth("songs").set_index("track_id").rename(columns=names)
causes = list(names.values())
everything = ratings.join(truth[causes])

# %%
protocol = probe.Protocol(n_repeats=n_repeats, seed=seed)
songs = {"artists": artists, "styles": styles}
ablate = partial(probe.ablate, **songs, protocol=protocol, n_jobs=2, cache=cache)
interval = {"n_boot": n_bootstrap, "seed": seed}
trained_on_stems = {name: ablate(X, everything) for name, X in features.items()}

# %%
scores = stack(
    probe.ablation_scores(one.select(targets), **interval).assign(model=name)
    for name, one in trained_on_stems.items()
)
together = subset_name(whole)
of_all = scores[(scores["subset"] == together) & (scores["part"] == "all")]

# %%
one_model = scores[(scores["model"] == best) & (scores["part"] == "all")]
show_figure(
    figures.plot_subset_scores(one_model[one_model["target"] == target], parts),
    "subset-scores",
    f"“{target}” from {best}: R² of every sum of stems with 95% intervals over artists.",
    "Sixteen rows with dots for the stems that sound; next to them R squared with intervals.",
    table=one_model,
)

# %% tags=["hide-input"]
rows = one_model[one_model["target"] == target].set_index("subset")
report_text("best_model", best)
report_value("whole_r2", **summaries.as_reported(rows.loc[together], len(ratings)))
report_value("nothing_r2", rows.loc["none", "estimate"], n=len(ratings))
ahead = probe.contrast(
    [(1, trained_on_stems[best].select(targets), ("drums", "bass")),
     (-1, trained_on_stems[best].select(targets), whole)], **interval,
) if {"drums", "bass"} <= set(parts) else None  # fmt: skip
pair_note = "The stems of this study have no drums and bass to compare with the whole"
if ahead is not None:
    row = ahead.query("part == 'all' and target == @target").iloc[0]
    report_value("rhythm_section", **summaries.as_reported(row, len(ratings)))
    words = describe_difference(row, "the whole band")
    pair_note = f"Drums and bass together are {words}"
report_text("pair_note", pair_note)

# %% [markdown]
# The whole band gives an R² of {glue:text}`whole_r2_full`, no stem gives {glue:text}`nothing_r2`.
# {glue:text}`pair_note`. The intervals of most sums overlap: with {glue:text}`n_songs` songs, neighbouring
# rows cannot be ranked.

# %% [markdown]
# ## Alone, left out, and shared
#
# The contribution of a stem can be defined in three ways. **Alone**: the R² of the stem minus that of no
# stem. **Left out**: the loss of R² without it. If two stems carry the same information, the first counts it
# for both, and the second for neither. The {term}`Shapley value` {cite}`shapley1953` is the mean of what a
# stem adds, over all orders in which stems can be added. It is the only rule whose shares add up to the
# score of the whole, are equal for equal stems, and are zero for a stem that never changes the score.
#
# One question was planned before looking: which stems have a Shapley value above 0 for the target, in the
# best model? Its p-values are corrected by Holm over the stems. All other shares of this chapter are
# exploratory.

# %%
shares = stack(
    probe.contributions(one.select(targets), **interval).assign(model=name)
    for name, one in trained_on_stems.items()
)
overall = shares[shares["part"] == "all"]
measures = list(dict.fromkeys(shares["measure"]))
main = overall[overall["target"] == target]

# %%
show_figure(
    figures.plot_stem_shares(main, panel="model", hue="measure"),
    "stem-measures",
    f"Contribution of each stem to “{target}”: {join_words(measures)}; 95% intervals.",
    "One panel per model: for each stem up to three dots with intervals.",
    table=main,
)

# %% tags=["hide-input"]
fair = "Shapley" if "Shapley" in measures else measures[0]
fair_all = overall[overall["measure"] == fair].copy()
planned = fair_all[(fair_all["target"] == target) & (fair_all["model"] == best)].copy()
planned["p_holm"] = holm(planned["p"])
planned = planned.set_index("stem")
n = len(ratings)
report_text("measure", "Shapley value" if fair == "Shapley" else "score alone")
for stem in planned.index:
    row = summaries.as_reported(planned.loc[stem], n)
    report_value(f"share_{re.sub('[^a-z]', '_', stem.lower())}", **row)
top_stem = planned["estimate"].idxmax()
report_text("top_stem", top_stem)
report_value("top_share", **summaries.as_reported(planned.loc[top_stem], n))
report_text("top_p", f"p {format_p(planned.loc[top_stem, 'p_holm'])}")
clear = clear_rows(planned, value="estimate").index
report_value("n_planned", len(planned), fmt=".0f")
report_text("clear_stems", join_words(clear, "none of them"))

# %% [markdown]
# For “{glue:text}`target`” and {glue:text}`best_model`, the largest {glue:text}`measure` is that of
# {glue:text}`top_stem`: {glue:text}`top_share_full`, {glue:text}`top_p` (corrected by Holm over
# {glue:text}`n_planned` stems). Clearly above 0: {glue:text}`clear_stems`. If *alone* is large and *left out*
# is small, other stems carry the same information.
#
# ### Exploration: other questions

# %%
show_figure(
    figures.plot_stem_shares(fair_all, panel="target", hue="model", columns=2),
    "stem-questions",
    f"{fair}: contribution of each stem to each question, in each representation.",
    "One panel per question: for each stem a dot with interval for each representation.",
    table=fair_all,
)

# %% tags=["hide-input"]
explored = fair_all.drop(
    fair_all[(fair_all["target"] == target) & (fair_all["model"] == best)].index
)
report_value("n_shares", len(explored), fmt=".0f")
report_value("n_plain", len(clear_rows(explored, "p")), fmt=".0f", n=len(explored))
report_value("n_by_chance", 0.05 * len(explored), fmt=".1f")
report_value("n_sure", (holm(explored["p"]) < 0.05).sum(), fmt=".0f", n=len(explored))

# %% [markdown]
# {numref}`fig-stem-questions` holds {glue:text}`n_shares` further shares. Without correction,
# {glue:text}`n_plain` have p < .05; {glue:text}`n_by_chance` would be expected by chance. After correction,
# {glue:text}`n_sure` are left. Questions and representations are correlated, so these are not independent
# findings.

# %% [markdown] tags=["needs-styles"]
# ### Style by style
#
# Drums play different roles in funk and in pop. The regressions stay the same, trained on all styles; R² is
# computed within each style, about the mean of that style.

# %% tags=["needs-styles"]
by_style = shares[(shares["measure"] == fair) & (shares["target"] == target)]
by_style = by_style[by_style["part"].isin(data.styles)]
show_figure(
    figures.plot_stem_shares(by_style, panel="part", hue="model"),
    "stem-styles",
    f"{fair}: contribution of each stem to “{target}” within each style.",
    "One panel per style: for each stem a dot with interval for each representation.",
    table=by_style,
)

# %% tags=["needs-styles", "hide-input"]
style_best = by_style[by_style["model"] == best]
width = (style_best["high"] - style_best["low"]).median()
report_value("style_width", width)
report_value("style_songs", style_best["n_songs"].median(), fmt=".0f")
style_sure = (holm(by_style["p"]) < 0.05).sum()
report_value("style_sure", style_sure, fmt=".0f", n=len(by_style))

# %% [markdown] tags=["needs-styles"]
# A style has about {glue:text}`style_songs` songs, and the median width of an interval is
# {glue:text}`style_width`. After correction over styles, stems and representations,
# {glue:text}`style_sure_full` shares differ from zero. Shares that do not differ from zero cannot be used to
# compare styles.

# %% [markdown]
# ## Two kinds of training
#
# So far, each sum had its own regression. This shows *which information is in a stem*. One can also ask
# *what a model uses in a mix*. For this, the regression is trained on the mix of the training songs, with
# the layer, penalty and standardisation of the mix, and only *tested* on stems.
#
# This has a problem. A solo bass is unlike all mixes of the training set. The predictions for all solo
# basses are wrong by a similar amount, and R² counts this as error. We therefore use two forms: **as it
# comes**, and **with the level removed**, where the mean prediction for this stem in the *training* songs is
# set to their mean rating. The second form ignores a common offset and keeps the order of songs.

# %%
readings = {
    "the stems themselves": "stem",
    "the mix, level removed": "mix_centred",
    "the mix, as it comes": "mix",
}
trained_on_mix = {
    name: {t: ablate(X, ratings, train_on=t) for t in ("mix", "mix_centred")}
    for name, X in features.items()
}
of_best = {"stem": trained_on_stems[best].select(targets), **trained_on_mix[best]}

# %%
both = stack(
    probe.ablation_scores(of_best[train_on], **interval).assign(trained_on=label)
    for label, train_on in readings.items()
)
both = both[(both["part"] == "all") & (both["target"] == target)]

# %%
show_figure(
    figures.plot_subset_scores(both, parts, hue="trained_on"),
    "stem-readings",
    f"“{target}” from {best}, by what the regression was trained on. Arrows: below −1.",
    "Sixteen rows of subsets, three dots each; arrows at the left edge stand for far lower "
    "scores.",
    table=both,
)

# %% tags=["hide-input"]
wide = both.pivot(index="subset", columns="trained_on", values="estimate")
wide = wide.drop(index=["none", together])
of_row = both.set_index(["trained_on", "subset"])
lowest = "the mix, as it comes", wide["the mix, as it comes"].idxmin()
report_value("mix_lowest", **summaries.as_reported(of_row.loc[lowest], len(ratings)))
report_text("mix_lowest_sum", lowest[1])
report_value(
    "mix_negative", (wide["the mix, as it comes"] < 0).sum(), fmt=".0f", n=len(wide)
)
report_value("level_median", wide["the mix, level removed"].median(), n=len(wide))
report_value("stem_median", wide["the stems themselves"].median(), n=len(wide))

# %% [markdown]
# As it comes, the lowest R² of the regression on the mix is {glue:text}`mix_lowest`
# ({glue:text}`mix_lowest_sum`), and {glue:text}`mix_negative_full` sums lie below zero. Shapley values of
# these scores would mostly measure how unlike a full mix each stem sounds. With the level removed, the median
# over the sums is {glue:text}`level_median`; regressions on the stems themselves reach
# {glue:text}`stem_median`. Information can be in a stem in a form that a regression on the mix does not use.

# %% tags=["needs-audio"]
both_kinds = stack(
    probe.contributions(one["mix_centred"], **interval).assign(
        model=name, trained_on="the mix"
    )
    for name, one in trained_on_mix.items()
)
both_kinds = stack([both_kinds, shares.assign(trained_on="the stems")])
both_kinds = both_kinds.query(
    "measure == 'Shapley' and part == 'all' and target == @target"
)

# %% tags=["needs-audio"]
show_figure(
    figures.plot_stem_shares(both_kinds, panel="model", hue="trained_on"),
    "stem-readings-shares",
    f"Shapley values for “{target}” with both kinds of training (the mix: level removed).",
    "One panel per representation: for each stem two dots with intervals, one per kind.",
    table=both_kinds,
)

# %% tags=["needs-audio", "hide-input"]
by_kind = both_kinds.pivot_table(
    index=["model", "stem"], columns="trained_on", values="estimate"
)
report_value("readings_r", by_kind.corr().iloc[0, 1], n=len(by_kind))

# %% [markdown] tags=["needs-audio"]
# Over representations and stems, the Shapley values of the two kinds of training correlate with r =
# {glue:text}`readings_r_full`. The two kinds answer different questions, so a report of an ablation should
# state which one it used.

# %% [markdown] tags=["needs-audio"]
# ## Controls
#
# ### Loudness
#
# A stem is softer than its song, and embeddings depend on level. We set the stems of the published
# conditions to the loudness (ITU-R BS.1770) of their song, and repeat the embedding and the regression.

# %% tags=["needs-audio"]
soft = [s for s in conditions if s != whole]
gains = matching_gains(paths, soft)
matched = embed_sums(best, soft, stems=given, gains=gains)[best]
matched = {subset: one.layers for subset, one in matched.items()}
matched[whole] = features[best][whole]

# %% tags=["needs-audio"]
raw = trained_on_stems[best].select(targets)
louder = ablate(matched, ratings)
gain_names = [subset_name(s) for s in soft]
levels = stack(
    probe.ablation_scores(one, **interval).assign(loudness=label)
    for label, one in {"as it is": raw, "matched": louder}.items()
)
levels = levels[(levels["part"] == "all") & levels["subset"].isin(gain_names)]

# %% tags=["needs-audio"]
show_figure(
    figures.plot_stem_shares(
        levels, panel="target", hue="loudness", label="subset", columns=3, xlabel="R²"
    ),
    "stem-loudness",
    f"R² from {best}, with stems as loud as they are, and as loud as their song.",
    "One panel per question: for each condition two dots with intervals, one per loudness.",
    table=levels,
)

# %% tags=["needs-audio", "hide-input"]
gain_db = pd.Series(
    {
        subset_name(s): 20 * np.log10(np.median(list(g.values())))
        for s, g in gains.items()
    }
)
moved = stack(
    probe.contrast([(1, louder, s), (-1, raw, s)], **interval) for s in soft
).query("part == 'all'")
moved["p_all"] = holm(moved["p"])
report_value("gain_most", gain_db.max(), fmt=".1f", unit=" dB", n=len(ratings))
report_text("gain_most_sum", gain_db.idxmax())
report_value("matched_change", moved["estimate"].abs().median(), n=len(moved))
report_value("matched_sure", (moved["p_all"] < 0.05).sum(), fmt=".0f", n=len(moved))

# %% [markdown] tags=["needs-audio"]
# The largest median gain is {glue:text}`gain_most` ({glue:text}`gain_most_sum`). The median absolute change
# of R² is {glue:text}`matched_change`. After correction over conditions and questions,
# {glue:text}`matched_sure_full` changes differ from zero.

# %% [markdown] tags=["needs-audio"]
# ### The separator
#
# Only simulated bands and multitrack releases have true stems. Stems of Demucs {cite}`rouard2023` contain
# parts of each other, so “vocals” may contain drums. The separator is a parameter of this chapter
# (`separator`); here we compare it with a second one (`second_separator`). Harmonic–percussive separation
# {cite}`fitzgerald2010` needs no weights. It separates sustained from percussive sound, not instruments.

# %% tags=["needs-audio"]
other_way = None
if second_separator and second_separator != separator:
    other_way = stems.separate_study(data, second_separator)
if other_way:
    other_sums = embed_sums(best, stems=other_way)[best]
    other_sums = {subset: one.layers for subset, one in other_sums.items()}
    other_probe = ablate(other_sums, ratings)

# %% tags=["needs-audio"]
if other_way:
    other_scores = probe.ablation_scores(other_probe, **interval).assign(
        by=second_separator
    )
    ours = probe.ablation_scores(raw, **interval).assign(
        by=sources.get(separator, separator)
    )
    compared = stack([ours, other_scores]).query("part == 'all' and target == @target")
    single = compared["subset"].str.count(r"\+") == 0
    compared = compared[single | (compared["subset"] == together)]
    compared["by"] = compared["by"].str.split(",").str[0]

# %% tags=["needs-audio"]
if other_way:
    show_figure(
        figures.plot_forest(
            compared, label="subset", hue="by", xlabel="Out-of-fold R²"
        ),
        "stem-separators",
        f"“{target}” from {best}: single stems of two separators, and the whole.",
        "Forest plot of R squared: a row for each stem of either separator, with intervals.",
        table=compared,
    )

# %% tags=["needs-audio"]
quality = []
for track in first if other_way and separator == "true" else []:
    guess, sr = load_stems(other_way[track], mono=True)
    right = regroup_stems(load_stems(paths[track], sr=sr, mono=True)[0], list(guess))
    if right:
        quality.append(stems.separation_quality(guess, right, sr))

# %% tags=["needs-audio", "hide-input"]
separator_note = "no second separator was requested"
if other_way:
    of_other = other_scores.query("part == 'all' and target == @target")
    of_other = of_other.set_index("subset")["estimate"].drop(index="none")
    one_stem = of_other[~of_other.index.str.contains("+", regex=False)]
    separator_note = typeset_minus(
        f"by {second_separator}, the best single stem is {one_stem.idxmax()} with an R² of "
        f"{one_stem.max():.2f}, and all its stems together reach {of_other.iloc[-1]:.2f}"
    )
quality_note = "The quality of a separation cannot be measured without true stems"
if quality:
    decibels = stack(quality).groupby("stem", sort=False)["si_sdr"].median()
    listed = [f"{db:.1f} dB for {stem}" for stem, db in decibels.items()]
    quality_note = typeset_minus(
        f"Compared with the true stems, its scale-invariant signal-to-distortion ratio is "
        f"{join_words(listed)} (median of {len(first)} songs)"
    )
report_text("separator_note", separator_note)
report_text("quality_note", quality_note)

# %% [markdown] tags=["needs-audio"]
# Here, {glue:text}`separator_note`. {glue:text}`quality_note`. A separator moves parts of the sound from one
# stem to another. Before naming an instrument, one should know how much of the score moves with them.

# %% [markdown] tags=["needs-audio"]
# ### Silent stems
#
# Many songs have no vocals. The share of a silent stem should be zero. If it is not, the shares of the
# other stems are wrong too. To test this, we mute the last stem in the first song of each style. A sum with the
# muted stem is then the same as the sum without it; only the stem alone is new, and it is silent.

# %% tags=["needs-audio"]
power = pd.DataFrame({s: features["descriptors"][(s,)]["rms"] ** 2 for s in parts})
share = power.div(power.sum(axis=1), axis=0)
silent = share < 1e-6  # 60 dB under the song

# %% tags=["needs-audio"]
muted = parts[-1]
rows = [list(ratings.index).index(track) for track in first]
nothing = embed.embed_tracks({"silence": (np.zeros(2**18), 44100)}, best).layers
nothing = {layer: values[0] for layer, values in nothing.items()}
mute = silence_stem(features[best], muted, rows, nothing)
mute_probe = ablate(mute, ratings, train_on="mix_centred")

# %% tags=["needs-audio"]
is_mute = silent.copy()
is_mute.loc[list(first), muted] = True


def share_of_muted(one, rule):
    songs = probe.attribute_songs(one, target, silent=rule, **interval)
    return songs[songs["stem"] == muted].set_index("track_id")["estimate"].loc[first]


# %% tags=["needs-audio"]
loud_and_mute = pd.DataFrame(
    {
        "playing": share_of_muted(trained_on_mix[best]["mix_centred"], silent),
        "muted": share_of_muted(mute_probe, silent),
        "muted, with the rule": share_of_muted(mute_probe, is_mute),
    }
)
show_table(
    loud_and_mute.rename_axis("song"),
    "stem-silence",
    f"Shapley value of {muted} for the predicted “{target}”, in points of its scale.",
    fmt="{:.3f}",
)

# %% tags=["needs-audio", "hide-input"]
report_value("n_silent", silent.any(axis=1).sum(), fmt=".0f", n=len(silent))
report_text("muted", muted)
left, ruled = (loud_and_mute[c].abs().max() for c in loud_and_mute.columns[1:])
report_value("mute_left", left, fmt=".3f", n=len(first))
report_value("mute_ruled", ruled, fmt=".3f", n=len(first))
report_value("spread", ratings[target].std(), fmt=".2f", n=len(ratings))
report_text("loudest_stem", share.mean().idxmax())
report_value("loudest_share", share.mean().max(), n=len(share))

# %% [markdown] tags=["needs-audio"]
# Songs with a silent stem in this study: {glue:text}`n_silent_full`. (Of the songs' energy,
# {glue:text}`loudest_stem` has the largest part, {glue:text}`loudest_share` on average.) If
# {glue:text}`muted` is muted, its Shapley value is still up to {glue:text}`mute_left`; the standard deviation
# of the ratings is {glue:text}`spread`. The reason is that silence has an embedding too, and its prediction
# is not exactly the mean rating. A rule corrects this: a sum contains only the stems that sound. With the rule
# the share of the muted stem is {glue:text}`mute_ruled`. The single songs below use the rule.

# %% [markdown] tags=["needs-audio"]
# ### Stems of other songs
#
# Drums and bass of one band are played together. If a prediction uses this, it should become worse with the
# bass of another song. Each song gets the bass of the song with the nearest tempo, of the same style if
# possible, by another artist. Information of each stem about style and tempo stays; information about how
# the two are played together is removed.

# %% tags=["needs-audio"]
pair = ("drums", "bass") if {"drums", "bass"} <= set(parts) else whole[:2]
tempo = data.tracks.set_index("track_id").get("tempo")
tempo = describe_study(data)["tempo"] if tempo is None else tempo
partners = tempo_partners(tempo.fillna(tempo.median()), artists, styles)
exchanged = swap_stem(paths, pair[1], partners["partner"])

# %% tags=["needs-audio"]
exchanged_sums = embed_sums(best, [pair], stems=exchanged)[best][pair]
swapped = {pair: exchanged_sums.layers, whole: features[best][whole]}
swapped = ablate(swapped, everything)
true_pair = trained_on_stems[best]

# %% tags=["needs-audio"]
gain_of = {
    "its own": [(1, true_pair, pair), (-1, true_pair, pair[:1])],
    "of another song": [(1, swapped, pair), (-1, true_pair, pair[:1])],
    "difference": [(1, true_pair, pair), (-1, swapped, pair)],
}
company = stack(
    probe.contrast(terms, **interval).assign(second=label)
    for label, terms in gain_of.items()
).query("part == 'all'")

# %% tags=["needs-audio"]
shown = company[company["target"].isin([target, *causes])]
show_figure(
    figures.plot_stem_shares(
        shown, panel="target", label="second", columns=3, xlabel="R²"
    ),
    "stem-company",
    f"R² that a second stem ({pair[1]}) adds to {pair[0]}: of the same song, or of another.",
    "Panels with three rows: the song's own stem, that of another song, and their difference.",
    table=company,
)

# %% tags=["needs-audio", "hide-input"]
lost = company[company["second"] == "difference"].set_index("target")
lost["p_all"] = holm(lost["p"])
report_text("second_stem", pair[1])
report_text("first_stem", pair[0])
off = (partners["tempo_ratio"] - 1).abs().median()
report_value("tempo_off", 100 * off, fmt=".1f", unit="%", n=len(partners))
report_value("company_lost", **summaries.as_reported(lost.loc[target], len(ratings)))
sure_losses = list(clear_rows(lost, "p_all").index)
report_value("company_sure", len(sure_losses), fmt=".0f", n=len(lost))
report_text("company_sure_names", join_words(sure_losses))

# %% [markdown] tags=["needs-audio"]
# The median difference between the tempi of the two songs is {glue:text}`tempo_off`. For
# “{glue:text}`target`”, R² with the {glue:text}`second_stem` of another song is lower by
# {glue:text}`company_lost_full`. After correction over questions and causes, {glue:text}`company_sure_full`
# losses differ from zero ({glue:text}`company_sure_names`).
#
# A control without effect is informative only if an effect was possible. We therefore check the sound: does
# the exchange destroy the coupling of bass and bass drum? For this we compare their onsets.

# %% tags=["needs-audio"]
if pair == ("drums", "bass"):
    onsets = {
        "its own": describe_coupling(paths),
        "of another song": describe_coupling(exchanged),
    }
    together_at = pd.DataFrame(
        {label: table["bass_drum_coincidence"] for label, table in onsets.items()}
    ).dropna()
    coincide = together_at.mean()

# %% tags=["needs-audio", "hide-input"]
if pair == ("drums", "bass"):
    own_mean, other_mean = coincide["its own"], coincide["of another song"]
    onset_note = (
        f"Within 40 ms, onsets of bass and bass drum coincide with F = {own_mean:.2f} in the songs "
        f"and F = {other_mean:.2f} after the exchange (n = {len(together_at)})"
    )
    if causes:
        r = together_at.corrwith(
            everything.loc[together_at.index, "bass–drum coupling"]
        )
        onset_note += typeset_minus(
            f"; with the coupling that was composed, the first correlates at r = "
            f"{r['its own']:.2f}, the second at {r['of another song']:.2f}"
        )
else:
    onset_note = "This separator gives no bass and drums whose onsets could be compared"
report_text("onset_note", onset_note)

# %% [markdown] tags=["needs-audio"]
# {glue:text}`onset_note`. The exchange changes the sound; whether it changes an embedding is another question.

# %% [markdown] tags=["needs-simulation"]
# ## Does the ablation find what was put in?
#
# In this study, the causes are known, and so are the stems that produce them: the pattern of the drums
# determines syncopation and the number of drum strokes; low frequencies come from the bass and the bass
# drum; microtiming is that of drums and bass; coupling is a relation between these two. We predict the causes
# from the stems. A planned comparison for each cause tests whether the stems that produce it have a larger
# share of R² than the other stems.

# %% tags=["needs-simulation", "needs-audio"]
drums, bass = ("drums", "bass") if "drums" in parts else ("percussive", "harmonic")
made_by = {cause: [drums, bass] for cause in causes}
made_by |= {"drum strokes": [drums], "syncopation": [drums], "tempo": parts}
of_causes = stack(
    probe.contributions(one.select(causes), **interval).assign(model=name)
    for name, one in trained_on_stems.items()
).query("measure == 'Shapley' and part == 'all'")

# %% tags=["needs-simulation", "needs-audio"]
show_figure(
    figures.plot_stem_shares(of_causes, panel="target", hue="model"),
    "stem-causes",
    "Shapley values of stems in R² for the known causes, in each representation.",
    "One panel per cause: for each stem a dot with interval for each representation.",
    table=of_causes,
)

# %% tags=["needs-simulation", "needs-audio"]
at = trained_on_stems[best].select(causes)
rows = {}
for cause in [one for one in causes if set(made_by[one]) < set(parts)]:
    others = [stem for stem in parts if stem not in made_by[cause]]
    table = probe.share_difference(at, made_by[cause], others, **interval)
    rows[cause] = table.query("part == 'all' and target == @cause").iloc[0]
verdict = pd.DataFrame(rows).T
verdict["p_holm"] = holm(verdict["p"].astype(float))
verdict["made by"] = [join_words(made_by[cause]) for cause in verdict.index]
verdict["r2"] = [
    at.r2[at.place(whole), 0, causes.index(cause)] for cause in verdict.index
]

# %% tags=["needs-simulation", "needs-audio"]
columns = {"r2": "R² of all", "estimate": "difference", "p_holm": "p (Holm)"}
show_table(
    verdict[["made by", "r2", "estimate", "low", "high", "p_holm"]]
    .infer_objects()
    .rename_axis("cause")
    .rename(columns=columns),
    "stem-truth",
    f"Share of R² of the stems that produce a cause, minus that of the others, in {best}.",
)

# %% tags=["needs-simulation", "needs-audio", "hide-input"]
right = clear_rows(verdict, value="estimate").index
wrong = clear_rows(verdict, value="estimate", sign=-1).index
report_value("causes_right", len(right), fmt=".0f", n=len(verdict))
report_text("causes_right_names", join_words(right, "none"))
report_text("causes_wrong_names", join_words(wrong, "none"))
for name, cause in (("strokes", "drum strokes"), ("low", "low frequencies")):
    row = verdict.loc[cause] if cause in verdict.index else None
    if row is not None:
        report_value(f"{name}_share", **summaries.as_reported(row, len(ratings)))

# %% tags=["needs-simulation", "needs-audio", "hide-input"]
coupling = {
    name: one.select(["bass–drum coupling"]) for name, one in trained_on_stems.items()
}
synergy = stack(
    probe.contrast(
        [(1, one, pair), (-1, one, pair[:1]), (-1, one, pair[1:]), (1, one, ())],
        **interval,
    ).assign(model=name)
    for name, one in coupling.items()
).query("part == 'all'")
synergy = synergy.set_index("model")
report_value("synergy", **summaries.as_reported(synergy.loc[best], len(ratings)))
coupling_scores = probe.ablation_scores(coupling[best], **interval)
row = (
    coupling_scores[coupling_scores["subset"] == subset_name(pair)]
    .query("part == 'all'")
    .iloc[0]
)
report_value("coupling_r2", **summaries.as_reported(row, len(ratings)))
loss = lost.loc["bass–drum coupling"]
report_value("coupling_lost", **summaries.as_reported(loss, len(ratings)))
report_text(
    "coupling_word",
    pick_verdict(
        row,
        "part of it is in the embedding of drums and bass",
        "it is not in the embedding of drums and bass",
        "it cannot be shown to be in the embedding of drums and bass, which is averaged over the "
        "song; listeners may still notice it",
    ),
)

# %% [markdown] tags=["needs-simulation", "needs-audio"]
# For {glue:text}`causes_right_full` causes, the stems that produce the cause have the larger share (corrected
# by Holm): {glue:text}`causes_right_names`. The other stems have the larger share for:
# {glue:text}`causes_wrong_names`. For the remaining causes the result is not clear. An ablation can only
# attribute information that the embedding contains, so an unclear result may be due to the embedding.
#
# Coupling needs both stems. The R² of drums and bass beyond what each of them adds alone is
# {glue:text}`synergy_full` in {glue:text}`best_model`, and their R² for the coupling is
# {glue:text}`coupling_r2_full`. Coupling is in the sound, as the onsets show; {glue:text}`coupling_word`. The
# exchange of the {glue:text}`second_stem` reduced this R² by {glue:text}`coupling_lost_full`.

# %% [markdown] tags=["needs-audio"]
# ## One song at a time
#
# The same rule divides the *predicted rating* of a single song: starting from the mean of the training
# songs, each stem raises or lowers the prediction. We use the regression on the mix with the level removed,
# because the question is what it uses in this mix.

# %% tags=["needs-audio"]
pushes = probe.attribute_songs(
    trained_on_mix[best]["mix_centred"], target, silent=silent, **interval
)
predicted = pushes.groupby("track_id")["predicted"].first()
ranked = predicted.groupby(data.tracks.set_index("track_id")["style"])
extremes = [*ranked.idxmax().loc[data.styles], *ranked.idxmin().loc[data.styles]]
picked = pushes[pushes["track_id"].isin(extremes)].copy()
picked["label"] = picked["artist"] + ": " + picked["track_id"]
picked = picked.set_index("track_id").loc[extremes].reset_index()

# %% tags=["needs-audio"]
show_figure(
    figures.plot_attributions(picked, xlabel=f"Predicted “{target}”"),
    "stem-songs",
    f"From the mean rating to the prediction by {best}: the songs of each style that are predicted "
    "highest (above) and lowest (below).",
    "A line per song with coloured bars for the stems from a dotted line, and a diamond.",
    table=pushes,
)

# %% tags=["needs-audio", "hide-input"]
size = pushes.groupby("stem")["estimate"].std().sort_values()
report_text("pusher", size.index[-1])
report_value("pusher_sd", size.iloc[-1], fmt=".2f", n=len(ratings))
clear = (pushes["low"] > 0) | (pushes["high"] < 0)
report_value("clear_pushes", clear.sum(), fmt=".0f", n=len(pushes))
strongest = picked.loc[picked["estimate"].abs().idxmax()]
report_text("strong_song", strongest["label"])
report_text("strong_stem", strongest["stem"])
report_value("strong_push", **summaries.as_reported(strongest, len(set(artists))))

# %% [markdown] tags=["needs-audio"]
# Over all songs, the contribution of {glue:text}`pusher` varies most (standard deviation
# {glue:text}`pusher_sd_full`). Among the songs shown, the largest contribution is that of the
# {glue:text}`strong_stem` in “{glue:text}`strong_song`”: {glue:text}`strong_push_full`. Of all contributions,
# {glue:text}`clear_pushes_full` have an interval that excludes zero. These intervals are over the artists of
# the training set and are not corrected. The players hold the stem with the largest contribution and the
# whole of each song:

# %% tags=["needs-audio"]
for track, own in picked.groupby("track_id", sort=False):
    row = own.loc[own["estimate"].abs().idxmax()]
    way = "raises" if row["estimate"] > 0 else "lowers"
    label = f"{row['stem']}, {way} the prediction by {abs(row['estimate']):.2f}"
    audio_player(
        {f"{track}: whole": data.audio_path(track), label: paths[track][row["stem"]]}
    )

# %% [markdown] tags=["needs-audio"]
# If you cannot hear why, the regression may use a property that listeners ignore, such as the sound of a
# drum kit that highly rated bands share.

# %% [markdown]
# ## What could be wrong here
#
# - **Listeners rated whole songs.** If a stem's embedding predicts the ratings, the stem carries
#   information about them. This does not show that listeners used it: a vocal track can reveal the style.
# - **Stems are not independent.** A busy drummer may play with a busy bassist. The bass then predicts what
#   the drums cause. Only an intervention, such as the exchanged bass, separates the two.
# - **Wide intervals.** A share is a difference of scores, and there are {glue:text}`n_artists` artists.
# - **The empty sum is a convention.** If silence were the baseline, all shares would shift.
#
# What would change the conclusion: more artists; a representation that keeps the order of events; or a
# separator that changes the score of a stem by more than the width of its interval.
#
# ## Exercises
#
# 1. Break it: compute the shares from “the mix, as it comes” instead of “level removed”. Which stem has the
#    largest share, and why?

# %% [markdown]
# ````{dropdown} Solution
# Call `probe.contributions` with `trained_on_mix[best]["mix"]`. The drums usually have by far the largest
# share. Most sums without drums are so unlike a mix that their predictions leave the scale, and adding the
# drums corrects this. The share measures similarity to a mix, not groove.
# ````
#
# 2. Compute a Shapley value by hand: average what the drums add over all orders in which four stems can be
#    added. In how many of the 24 orders do they come first?

# %% [markdown]
# ````{dropdown} Solution
# In six of the 24: if they are first, the other three stems follow in any of 3! orders. The score alone
# therefore has a weight of one fourth, and so has the loss without them. The other half belongs to sums with
# one or two other stems.
# ````
#
# 3. Exchange the drums instead of the bass (`swap_stem(paths, "drums", …)`). Which causes should become less
#    predictable?

# %% [markdown]
# ````{dropdown} Solution
# Those that the drums produce: the number of drum strokes and the syncopation change, while the low
# frequencies mostly stay. Compare with `of_causes`.
# ````
#
# 4. Set `separator = "hpss"` in the parameters and run the chapter. Which sections still make sense?

# %% [markdown]
# ````{dropdown} Solution
# All sections about sums, with two stems and three sums. The published conditions do not, because there is
# no bass. “Percussive” does not mean “drums”: a slapped bass is percussive too.
# ````

# %% [markdown]
# ## Summary
#
# - Alone, left out and shared are three questions; only Shapley values add up to the whole.
# - A regression on stems shows which information is in a stem; a regression on the mix shows what is used. The
#   second needs its level removed; otherwise it measures how unlike a mix a stem sounds.
# - Loudness, separator, silence and stems of other songs are controls.
# - For “{glue:text}`target`” and {glue:text}`best_model`, the largest {glue:text}`measure` is that of
#   {glue:text}`top_stem` ({glue:text}`top_share_full`); clearly above 0: {glue:text}`clear_stems`.
#
# **Next:** {doc}`09-mixed-models` asks whether the predictions hold for single listeners, and in
# every style.
