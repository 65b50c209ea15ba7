# %% [markdown] tags=["needs-audio-or-stem-embeddings"]
# # Which instruments carry the groove?
#
# A probe that predicts ratings from a song's embedding says nothing about where in the song it
# found them. So take the song apart. If the drums alone predict as well as the whole band, the rest
# is decoration; if nothing is lost without the drums, they are. In between lies the interesting
# case, in which it is the instruments *together*, and then it needs some care to say who did what.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** to probe stems and all their sums, to share a score fairly among stems that work
# together, to tell what a model hears in a mix from what there is to be heard in a stem, and to
# control for loudness, for the separator and for chance company.
#
# **You need** {doc}`06-probing`.
#
# **It runs** in about four minutes the first time; then in seconds. Modules: `groove_utils.stems`,
# `groove_utils.probe.ablation`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
separator = ""  # empty: the study's own stems, else "hpss"; or "htdemucs_ft", or a path
rival = "hpss"  # a second separator to compare with; empty for none
models = []  # empty: those that the study brings, else five that run offline
targets = ["groove", "dance", "listen", "beat", "party", "rhythm", "disturbing"]
excerpt = 2.97  # seconds from the middle of a song that models hear; 0 for all of it
n_repeats = 5  # times that the songs are dealt into folds
n_bootstrap = 2000

# %%
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
from groove_utils.cache import ArrayCache
from groove_utils.descriptors import describe_study
from groove_utils.embed.model_selection import models_for, stem_sums
from groove_utils.stats import holm, join_words, typeset_minus
from groove_utils.stems.controls import (
    load_stems,
    regroup_stems,
    silence_stem,
    swap_stem,
    tempo_partners,
)
from groove_utils.stems.measure import describe_coupling, describe_sums, matching_gains
from groove_utils.study.stem_names import subset_name

chapter = open_chapter("07-stem-ablation", study)
data = chapter.study

# %% [markdown] tags=["needs-audio"]
# ## Hear it
#
# Before any number: listen. One song of each style, whole, then its {term}`stems <stem>` one by one,
# then drums and bass together, and everything *but* the drums. Where does the urge to move go?
# (All players are brought to the same loudness, so that a lonely voice is not judged for being
# soft.)

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
    "true": "the true ones, which the study brings",
    "hpss": "made by harmonic–percussive separation, which needs no weights",
}
report_text("separator", sources.get(separator, f"those of the separator {separator}"))

# %% [markdown] tags=["needs-audio"]
# Stems here are {glue:text}`separator`. Do they add up? The residual is what is left of the mix when
# all stems are taken away, in dB relative to the mix.


# %% tags=["needs-audio"]
def check_song(track):
    checks = stems.separation_checks(
        data.load(track, mono=False)[0], *load_stems(paths[track])
    )
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
# With four stems there are fifteen sums, from a stem alone to the whole band. Each is embedded by
# each model, as if it were a song. The targets are the mean ratings, as in {doc}`06-probing`.

# %%
has_sound = data.has("audio")
asked = models_for(data, models if has_sound else [])
models = [m for m in asked if has_sound or stem_sums(data, m)]
given = paths if has_sound and separator != "true" else None
hear = partial(embed.embed_stem_sums, data, excerpt=excerpt)
found = hear(models, stems=given)
features = {
    model: {subset: one.layers for subset, one in sums.items()}
    for model, sums in found.items()
}

# %%
parts = list(dict.fromkeys(s for subset in features[models[0]] for s in subset))
whole = tuple(parts)
for model in models:
    if whole not in features[model]:  # published vectors: the mix is the model's own
        features[model][whole] = embed.embed_study(data, model).layers

# %% tags=["needs-audio", "hide-input"]
report_text("heard", f"the middle {excerpt:g} s" if excerpt else "all")

# %% [markdown] tags=["needs-audio"]
# Of each song, models hear {glue:text}`heard` (parameter `excerpt`; the taggers take in 3 s at once):
# there are fifteen sums for each model to listen to, and whole songs would take four times as long.
# So the scores of the whole band are not those of {doc}`06-probing`. `make book PARAMS=full` lets
# them hear everything.
#
# The handcrafted {term}`descriptors <descriptor>` are computed of each sum as well, as a rival that
# we understand; they are those of whole songs. Those that some sum does not allow (a solo voice has no swing) are left out
# everywhere, so that all sums have the same {glue:text}`n_descriptors`.

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
# That makes {glue:text}`n_sums` sums of {glue:text}`n_songs` songs, for {glue:text}`models`.
#
# ## The published conditions
#
# {cite:t}`marmoret2026` probed five conditions beside the mix: bass, drums, other, vocals, and drums
# with bass, each with a probe of its own, under their protocol (one fixed penalty, features as they
# come, songs dealt without regard to artists). The same here, for every model.

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
    f"R² (mean of folds) ± SD over dealings, {len(ratings)} songs. Arrows: below −1.",
    "One panel a question and one row a condition, a dot for each representation.",
    table=published,
)

# %% tags=["hide-input"]
own = published[published["model"].isin(models) & (published["target"] == four[0])]
order = own.groupby("subset", sort=False)["fold_r2"].median().sort_values()
report_text("paper_lowest", order.index[0])
report_value("paper_lowest_r2", order.iloc[0], n=len(models))
report_text("paper_highest", order.index[-1])
report_value("paper_highest_r2", order.iloc[-1], n=len(models))
report_value("paper_spread", own["fold_r2_sd"].median())

# %% [markdown]
# Over the models, the median R² is lowest for {glue:text}`paper_lowest`
# ({glue:text}`paper_lowest_r2`) and highest for {glue:text}`paper_highest`
# ({glue:text}`paper_highest_r2`). The protocol's own measure of uncertainty, the standard deviation
# over five dealings, is {glue:text}`paper_spread` at the median: it knows of the dealing, not of the
# songs. What {doc}`06-probing` said of scale, penalty and artists holds here too, and one thing is
# added. The bass alone may score because the bass tells; or because it tells what the drums tell as
# well. Five conditions cannot say.

# %% [markdown]
# ## All the sums
#
# So: all subsets, under the stricter protocol. The folds are those of {doc}`06-probing`, of whole
# artists; each sum gets a probe that is trained on that sum, and chooses layer and penalty inside
# its training songs. What no stems at all are worth has to be said as well: a probe that hears
# nothing answers with the mean rating of its training songs. Out of fold that is a little worse
# than 0, because that mean is not the mean of the songs it is held against.

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
best = of_all[(of_all["target"] == target) & of_all["model"].isin(models)]
best = best.set_index("model")["estimate"].idxmax()

# %%
one_model = scores[(scores["model"] == best) & (scores["part"] == "all")]
show_figure(
    figures.plot_subset_scores(one_model[one_model["target"] == target], parts),
    "subset-scores",
    f"«{target}» from {best}: R² of every sum of stems with 95% intervals over artists.",
    "Sixteen rows with dots for the stems that sound; beside them R squared with intervals.",
    table=one_model,
)

# %% tags=["hide-input"]
rows = one_model[one_model["target"] == target].set_index("subset")
report_text("best_model", best)
report_value("whole_r2", **summaries.as_reported(rows.loc[together], len(ratings)))
report_value("nothing_r2", rows.loc["none", "estimate"], n=len(ratings))
top_sum = rows["estimate"].idxmax()
report_text("top_sum", top_sum)
report_value("top_sum_r2", **summaries.as_reported(rows.loc[top_sum], len(ratings)))
full_beaten = int((rows["estimate"] > rows.loc[together, "estimate"]).sum())
report_value("sums_ahead", full_beaten, fmt=".0f", n=len(rows) - 1)

# %% [markdown]
# The model shown is {glue:text}`best_model`, whose R² for the whole band is the highest
# ({glue:text}`whole_r2_full`); that choice was made by looking. Nothing is worth
# {glue:text}`nothing_r2`. The highest row is {glue:text}`top_sum` with {glue:text}`top_sum_r2_full`.
# Sums that score above the whole band: {glue:text}`sums_ahead_full`. With a probe trained on
# {glue:text}`n_songs` songs, more sound is more to be misled by, and the intervals overlap.

# %% [markdown]
# ## Alone, left out, and fairly shared
#
# *What does the bass carry?* has three answers. **Alone**: how far above nothing the bass comes by
# itself. **Left out**: what the band loses without it. The first gives a stem credit for what others
# tell as well, the second gives nobody credit for it. The {term}`Shapley value` {cite}`shapley1953`
# averages what a stem adds over all orders in which the stems could come in. It is the only way of
# sharing that adds up to the whole, treats alike stems alike, and gives a stem that never changes
# anything nothing.

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
    f"What each stem is worth for «{target}»: {join_words(measures)}; 95% intervals.",
    "One panel a model: for each stem up to three dots with intervals, most of which hold zero.",
    table=main,
)

# %% tags=["hide-input"]
fair = "Shapley" if "Shapley" in measures else measures[0]
fair_all = overall[overall["measure"] == fair].copy()
fair_all["p_all"] = holm(fair_all["p"])
fair_main = fair_all[(fair_all["target"] == target) & (fair_all["model"] == best)]
fair_main = fair_main.set_index("stem")
top_stem = fair_main["estimate"].idxmax()
last_stem = fair_main["estimate"].idxmin()
n = len(ratings)
report_text("measure", "Shapley value" if fair == "Shapley" else "score alone")
report_text("top_stem", top_stem)
report_value("top_share", **summaries.as_reported(fair_main.loc[top_stem], n))
report_value("top_share_p", fair_main.loc[top_stem, "p"], fmt=".3f")
report_text("last_stem", last_stem)
report_value("last_share", **summaries.as_reported(fair_main.loc[last_stem], n))
winners = fair_all[fair_all["target"] == target]
winners = winners.loc[winners.groupby("model")["estimate"].idxmax(), "stem"]
common = winners.mode().iloc[0]
report_text("common_stem", common)
report_value("common_count", (winners == common).sum(), fmt=".0f", n=len(winners))

# %% [markdown]
# For «{glue:text}`target`» and {glue:text}`best_model`, the largest {glue:text}`measure` is that of
# {glue:text}`top_stem`: {glue:text}`top_share_full`, with p = {glue:text}`top_share_p` before any
# correction. The smallest is that of {glue:text}`last_stem`: {glue:text}`last_share_full`. The stem
# that comes first in most representations is {glue:text}`common_stem`, in
# {glue:text}`common_count_full`. Where *alone* and *left out* lie far apart, stems repeat one
# another: each could do it, and none is missed.
#
# ### Question by question

# %%
show_figure(
    figures.plot_stem_shares(fair_all, panel="target", hue="model", columns=3),
    "stem-questions",
    f"{fair}: what each stem is worth for each question, in each representation.",
    "One panel a question: for each stem a dot with interval for each representation.",
    table=fair_all,
)

# %% tags=["hide-input"]
sure = fair_all[fair_all["p_all"] < 0.05]
plain_sure = fair_all[fair_all["p"] < 0.05]
report_value("n_shares", len(fair_all), fmt=".0f")
report_value("n_plain", len(plain_sure), fmt=".0f", n=len(fair_all))
report_value("n_sure", len(sure), fmt=".0f", n=len(fair_all))
report_value("n_by_chance", 0.05 * len(fair_all), fmt=".0f")
pairs = [f"{r.stem} for «{r.target}» ({r.model})" for r in sure.itertuples()]
report_text("sure_ones", join_words(pairs[:6], "none of them"))

# %% [markdown]
# These are {glue:text}`n_shares` numbers. By themselves {glue:text}`n_plain` of them differ from
# zero at the 5% level, where {glue:text}`n_by_chance` would by chance alone (and they are not
# independent: questions correlate, and so do models). Corrected by Holm over all of them,
# {glue:text}`n_sure` are left: {glue:text}`sure_ones`.

# %% [markdown] tags=["needs-styles"]
# ### Style by style
#
# The drums of funk have another task than those of pop. The probes stay the same, trained on all
# styles; R² is taken inside each style, about that style's mean.

# %% tags=["needs-styles"]
by_style = shares[(shares["measure"] == fair) & (shares["target"] == target)]
by_style = by_style[by_style["part"].isin(data.styles)]
show_figure(
    figures.plot_stem_shares(by_style, panel="part", hue="model"),
    "stem-styles",
    f"{fair}: what each stem is worth for «{target}» inside each style.",
    "One panel a style: for each stem a dot with interval for each representation.",
    table=by_style,
)

# %% tags=["needs-styles", "hide-input"]
style_best = by_style[by_style["model"] == best]
leaders = style_best.loc[style_best.groupby("part")["estimate"].idxmax()]
leaders = leaders.set_index("part").loc[data.styles]
told = [f"{row.stem} in {style}" for style, row in leaders.iterrows()]
report_text("style_leaders", join_words(told))
width = (style_best["high"] - style_best["low"]).median()
report_value("style_width", width)
report_value("style_songs", style_best["n_songs"].median(), fmt=".0f")
inside = by_style.assign(p_all=holm(by_style["p"]))
style_sure = (inside["p_all"] < 0.05).sum()
report_value("style_sure", style_sure, fmt=".0f", n=len(inside))
report_text(
    "style_word",
    "What looks like a difference between styles is not to be told from one between samples"
    if style_sure == 0
    else "The others are not to be told from differences between samples",
)

# %% [markdown] tags=["needs-styles"]
# For {glue:text}`best_model` the largest share is that of {glue:text}`style_leaders`. But a style
# has about {glue:text}`style_songs` songs, and the median interval is {glue:text}`style_width` wide;
# corrected over styles, stems and representations, {glue:text}`style_sure_full` differ from zero.
# {glue:text}`style_word`.

# %% [markdown]
# ## Two ways of being trained
#
# So far each sum had a probe of its own: *what is there to be heard in it?* Another reading of «the
# drums carry it» is *what does the model hear in the mix?* Then the probe is trained on the mix of
# the training songs, with its layer, its penalty and its standardisation, and is only *tested* on
# stems. That is what one would do who had one model and wanted to explain it.
#
# It has a catch. To a probe of mixes, a solo bass is no song that it has met. Its predictions for all
# solo basses are off together, by as much as you like, and R² counts that as error. So the second
# reading comes in two forms: **as it comes**, and with the **level taken out**, where the mean
# prediction for the *training* songs' stem is set to their mean rating. That forgives the offset all
# songs share, and keeps which song is put above which.

# %%
readings = {
    "the stems themselves": "stem",
    "the mix, level taken out": "mix_centred",
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
    f"«{target}» from {best}, by what the probe was trained on. Arrows: below −1.",
    "Sixteen rows of subsets, three dots each, one a reading; arrows at the left edge stand for far lower scores.",
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
report_value("level_median", wide["the mix, level taken out"].median(), n=len(wide))
report_value("stem_median", wide["the stems themselves"].median(), n=len(wide))
top_level = wide["the mix, level taken out"].idxmax()
report_text("level_top", top_level)
of_top = of_row.loc[("the mix, level taken out", top_level)]
report_value("level_top_r2", **summaries.as_reported(of_top, len(ratings)))

# %% [markdown]
# As it comes, the probe of the mix sinks to {glue:text}`mix_lowest` ({glue:text}`mix_lowest_sum`), and
# {glue:text}`mix_negative_full` sums lie below zero. Whoever shares out *these* numbers shares out how
# strange a stem sounds to a probe of mixes. With the level taken out, the median over the sums is
# {glue:text}`level_median`; probes of the stems themselves reach {glue:text}`stem_median`. The
# difference is information that is in the stem, and that the probe of the mix does not use in the
# form in which the stem has it. Best of the parts for the probe of the mix is
# {glue:text}`level_top`: {glue:text}`level_top_r2_full`.

# %% tags=["needs-audio"]
hears = stack(
    probe.contributions(one["mix_centred"], **interval).assign(
        model=name, trained_on="the mix"
    )
    for name, one in trained_on_mix.items()
)
hears = stack([hears, shares.assign(trained_on="the stems")])
hears = hears.query("measure == 'Shapley' and part == 'all' and target == @target")

# %% tags=["needs-audio"]
show_figure(
    figures.plot_stem_shares(hears, panel="model", hue="trained_on"),
    "stem-readings-shares",
    f"Shapley values for «{target}» under both readings (the mix: level taken out).",
    "One panel a representation: for each stem two dots with intervals, one a reading.",
    table=hears,
)

# %% tags=["needs-audio", "hide-input"]
heard = hears.pivot_table(
    index=["model", "stem"], columns="trained_on", values="estimate"
)
heard_top = heard["the mix"].groupby("model").idxmax().str[1]
common_heard = heard_top.mode().iloc[0]
report_text("heard_stem", common_heard)
report_value(
    "heard_count", (heard_top == common_heard).sum(), fmt=".0f", n=len(heard_top)
)
report_value("readings_r", heard.corr().iloc[0, 1], n=len(heard))

# %% [markdown] tags=["needs-audio"]
# Shared fairly, what the probes of the mix hear most is {glue:text}`heard_stem`, in
# {glue:text}`heard_count_full` representations. Over representations and stems, the two readings
# correlate with r = {glue:text}`readings_r_full`. They answer different questions; a paper that says
# «trained on drums» should say which one.

# %% [markdown] tags=["needs-audio"]
# ## Controls
#
# ### Is it only that a stem is softer?
#
# A stem is softer than its song, and a model hears level. So the stems of the published conditions
# are brought to the loudness (ITU-R BS.1770) of their whole song, embedded again, and probed again.

# %% tags=["needs-audio"]
soft = [s for s in conditions if s != whole]
gains = matching_gains(paths, soft)
matched = hear(best, soft, stems=given, gains=gains)[best]
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
    "One panel a question: for each condition two dots with intervals, one a loudness.",
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
# The largest median gain is {glue:text}`gain_most` ({glue:text}`gain_most_sum`). The R² of a condition
# changes by {glue:text}`matched_change` at the median, up or down; corrected over conditions and
# questions, {glue:text}`matched_sure_full` changes differ from zero.

# %% [markdown] tags=["needs-audio"]
# ### Is it the separator?
#
# True stems are a luxury of simulated bands and multitrack releases; with Demucs
# {cite}`rouard2023`, stems leak into one another, and a probe of «vocals» may live on the drums that
# were left in them. The separator is a parameter of this chapter (`separator`), and here a second one
# (`rival`) is held against it. Harmonic–percussive separation {cite}`fitzgerald2010` needs no weights
# and knows no instruments, only steady and sudden sound.

# %% tags=["needs-audio"]
other_way = stems.separate_study(data, rival) if rival and rival != separator else None
if other_way:
    rival_sums = hear(best, stems=other_way)[best]
    rival_sums = {subset: one.layers for subset, one in rival_sums.items()}
    rival_probe = ablate(rival_sums, ratings)

# %% tags=["needs-audio"]
if other_way:
    rival_scores = probe.ablation_scores(rival_probe, **interval).assign(by=rival)
    ours = probe.ablation_scores(raw, **interval).assign(
        by=sources.get(separator, separator)
    )
    compared = stack([ours, rival_scores]).query("part == 'all' and target == @target")
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
        f"«{target}» from {best}: single stems by two separators, beside the whole.",
        "Forest plot of R squared: a row for each stem of either separator, with intervals.",
        table=compared,
    )

# %% tags=["needs-audio"]
quality = []
for track in first if other_way and separator == "true" else []:
    guess, sr = load_stems(other_way[track], mono=True)
    right = regroup_stems(load_stems(paths[track], mono=True)[0], list(guess))
    if right:
        quality.append(stems.separation_quality(guess, right, sr))

# %% tags=["needs-audio", "hide-input"]
separator_note = "no second separator was asked for"
if other_way:
    of_rival = rival_scores.query("part == 'all' and target == @target")
    of_rival = of_rival.set_index("subset")["estimate"].drop(index="none")
    one_stem = of_rival[~of_rival.index.str.contains("+", regex=False)]
    separator_note = typeset_minus(
        f"by {rival}, the best single stem is {one_stem.idxmax()} with an R² of "
        f"{one_stem.max():.2f}, and all its stems together reach {of_rival.iloc[-1]:.2f}"
    )
quality_note = "How good a separation is cannot be told without true stems"
if quality:
    decibels = stack(quality).groupby("stem", sort=False)["si_sdr"].median()
    listed = [f"{db:.1f} dB for {stem}" for stem, db in decibels.items()]
    quality_note = typeset_minus(
        f"Held to the true stems, its scale-invariant signal-to-distortion ratio is "
        f"{join_words(listed)} (median of {len(first)} songs)"
    )
report_text("separator_note", separator_note)
report_text("quality_note", quality_note)

# %% [markdown] tags=["needs-audio"]
# Here, {glue:text}`separator_note`. {glue:text}`quality_note`. A separator may only move the border
# between stems; how much of the score it moves along is what one has to know before naming an
# instrument.

# %% [markdown] tags=["needs-audio"]
# ### What if a stem is silent?
#
# Many songs have no voice. A stem that plays nothing must get nothing, or else the shares of all the
# others are wrong as well. So look for silent stems, and in case there are none, make some: in the
# first song of each style the last stem is muted. A sum with a muted stem *is* the sum without it;
# only the stem alone is new, and it is silence.

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
        "it sounds": share_of_muted(trained_on_mix[best]["mix_centred"], silent),
        "it is mute": share_of_muted(mute_probe, silent),
        "mute, by the rule": share_of_muted(mute_probe, is_mute),
    }
)
show_table(
    loud_and_mute.rename_axis("song"),
    "stem-silence",
    f"Shapley value of {muted} for the predicted «{target}», in points of its scale.",
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
# {glue:text}`loudest_stem` has the largest part, {glue:text}`loudest_share` on average.) Where
# {glue:text}`muted` was muted, its Shapley value is still up to {glue:text}`mute_left`, beside a
# standard deviation of the ratings of {glue:text}`spread`. That is what the probe makes of silence
# where it expects a stem: silence is a sound to a model, and its answer need not be the mean rating
# that we say nothing is worth. The remedy is a rule: a song's sum is the sum of those of its stems
# that *sound*, and of none it is nothing. By the rule the mute stem gets {glue:text}`mute_ruled`, and
# the single songs below are shared out by it.

# %% [markdown] tags=["needs-audio"]
# ### Is it the company?
#
# Drums and bass of one band listen to each other. If that is what a probe uses, then a bass from
# somebody else's song should not do. So each song gets a stem of the song that is nearest in tempo,
# of the same style where there is one, but by other artists. Whatever the two carry *each by itself*
# about style and tempo stays; whatever they carry about this song together goes.

# %% tags=["needs-audio"]
pair = ("drums", "bass") if {"drums", "bass"} <= set(parts) else whole[:2]
tempo = data.tracks.set_index("track_id").get("tempo")
tempo = describe_study(data)["tempo"] if tempo is None else tempo
partners = tempo_partners(tempo.fillna(tempo.median()), artists, styles)
strange = swap_stem(paths, pair[1], partners["partner"])

# %% tags=["needs-audio"]
strangers = hear(best, [pair], stems=strange)[best][pair]
swapped = {pair: strangers.layers, whole: features[best][whole]}
swapped = ablate(swapped, everything)
true_pair = trained_on_stems[best]

# %% tags=["needs-audio"]
gain_of = {
    "its own": [(1, true_pair, pair), (-1, true_pair, pair[:1])],
    "a stranger's": [(1, swapped, pair), (-1, true_pair, pair[:1])],
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
    f"What a second stem ({pair[1]}) adds to {pair[0]}, if it is the song's own or a stranger's.",
    "Panels with three rows: the own stem, a stranger's, their difference, with intervals.",
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
sure_losses = list(lost.index[lost["p_all"] < 0.05])
report_value("company_sure", len(sure_losses), fmt=".0f", n=len(lost))
report_text("company_sure_names", join_words(sure_losses))
missed = lost["estimate"].idxmax()
report_text("company_most", missed)
report_value("company_most_r2", **summaries.as_reported(lost.loc[missed], len(ratings)))

# %% [markdown] tags=["needs-audio"]
# The partners' tempi differ by {glue:text}`tempo_off` at the median. For «{glue:text}`target`», a
# stranger's {glue:text}`second_stem` costs {glue:text}`company_lost_full` of R². Most is lost for
# {glue:text}`company_most`: {glue:text}`company_most_r2_full`. Corrected over all that was asked,
# {glue:text}`company_sure_full` losses differ from zero ({glue:text}`company_sure_names`).
#
# A control that finds nothing is worth something only if it could have found something. Does
# exchanging the bass destroy the coupling, in the sound itself? The onsets of bass and bass drum can
# be counted.

# %% tags=["needs-audio"]
if pair == ("drums", "bass"):
    onsets = {
        "its own": describe_coupling(paths),
        "a stranger's": describe_coupling(strange),
    }
    together_at = pd.DataFrame(
        {label: table["bass_drum_coincidence"] for label, table in onsets.items()}
    ).dropna()
    coincide = together_at.mean()

# %% tags=["needs-audio", "hide-input"]
if pair == ("drums", "bass"):
    own_mean, strange_mean = coincide["its own"], coincide["a stranger's"]
    onset_note = (
        f"Within 40 ms, bass and bass drum coincide with F = {own_mean:.2f} in the songs' own "
        f"company and {strange_mean:.2f} with a stranger (n = {len(together_at)})"
    )
    if causes:
        r = together_at.corrwith(
            everything.loc[together_at.index, "bass–drum coupling"]
        )
        onset_note += typeset_minus(
            f"; with the coupling that was composed, the first correlates at r = "
            f"{r['its own']:.2f}, the second at {r['a stranger' + chr(39) + 's']:.2f}"
        )
else:
    onset_note = "This separator gives no bass and drums whose onsets could be compared"
report_text("onset_note", onset_note)

# %% [markdown] tags=["needs-audio"]
# {glue:text}`onset_note`. That is what the exchange does to the sound; whether a model notices is
# another question.

# %% [markdown] tags=["needs-simulation"]
# ## Does the ablation find what was put in?
#
# With people's ratings one would have to stop here. In this study the causes are known: the drums'
# pattern makes the syncopation and the number of drum strokes; the bass has the low frequencies, with
# the bass drum; microtiming is that of drums and bass; and the coupling is in neither of the two, but
# between them. So probe the *causes*, stem by stem, and see whether the right ones are named.

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
    "One panel a cause: for each stem a dot with interval for each representation.",
    table=of_causes,
)

# %% tags=["needs-simulation", "needs-audio"]
of_causes["p_all"] = holm(of_causes["p"])
lead = of_causes.loc[of_causes.groupby(["model", "target"])["estimate"].idxmax()]
lead = lead[lead["model"] == best].set_index("target").loc[causes]
at = trained_on_stems[best].select(causes)
lead["r2"] = at.r2[at.place(whole), 0]
lead["made by"] = [join_words(made_by[cause]) for cause in causes]
verdict = lead[["made by", "r2", "stem", "estimate", "low", "high", "p_all"]]

# %% tags=["needs-simulation", "needs-audio"]
show_table(
    verdict.rename_axis("cause").rename(
        columns={"stem": "largest share", "r2": "R² of all"}
    ),
    "stem-truth",
    f"What makes a cause, and which stem {best} gives the largest share of its R².",
)

# %% tags=["needs-simulation", "needs-audio", "hide-input"]
carried = lead[lead["r2"] > 0.1]
right = [
    c
    for c in carried.index
    if carried.loc[c, "stem"] in made_by[c] and made_by[c] != parts
]
tested = [c for c in carried.index if made_by[c] != parts]
absent = [c for c in causes if c not in carried.index]
report_value("causes_right", len(right), fmt=".0f", n=len(tested))
report_text("causes_right_names", join_words(right))
by_chance = sum(len(made_by[c]) / len(parts) for c in tested)
report_value("causes_chance", by_chance, fmt=".1f", n=len(tested))
sure_leads = list(lead.index[lead["p_all"] < 0.05])
report_text("causes_sure", join_words(sure_leads))
report_value("n_cause_shares", len(of_causes), fmt=".0f")
report_text("causes_absent", join_words(absent))
report_value(
    "strokes_share", **summaries.as_reported(lead.loc["drum strokes"], len(ratings))
)
report_value(
    "low_share", **summaries.as_reported(lead.loc["low frequencies"], len(ratings))
)
report_text("low_stem", lead.loc["low frequencies", "stem"])

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
most = synergy["estimate"].idxmax()
report_text("synergy_model", most)
report_value("synergy", **summaries.as_reported(synergy.loc[most], len(ratings)))
coupled = max(one.r2[one.place(pair), 0, 0] for one in coupling.values())
report_value("coupling_r2", coupled, n=len(ratings))
loss = lost.loc["bass–drum coupling"]
report_value("coupling_lost", **summaries.as_reported(loss, len(ratings)))
report_text(
    "coupling_word",
    "but hardly any of it reaches a vector that is averaged over the song, so that a stranger's "
    "part can cost little; that is no proof that listeners would not mind"
    if coupled < 0.1
    else "and some of it reaches the vectors",
)

# %% [markdown] tags=["needs-simulation", "needs-audio"]
# Of the causes that {glue:text}`best_model` carries at all (R² above 0.1) and that belong to some stems
# rather than to all, the largest share goes to a stem that makes them in {glue:text}`causes_right_full`:
# {glue:text}`causes_right_names` (drawing lots would get {glue:text}`causes_chance` right). Corrected over
# all {glue:text}`n_cause_shares` shares of the figure, those that surely differ from zero are fewer:
# {glue:text}`causes_sure`. Drum strokes are given to the drums with
# {glue:text}`strokes_share_full`; low frequencies to {glue:text}`low_stem` with
# {glue:text}`low_share_full`. Not carried, so that nothing can be shared out:
# {glue:text}`causes_absent`. An ablation can only attribute what the representation holds.
#
# The coupling of bass and drums needs both: what the two carry beyond what each carries alone is
# highest in {glue:text}`synergy_model`, {glue:text}`synergy_full`, and no representation predicts it
# from drums and bass with an R² above {glue:text}`coupling_r2`. It is in the sound, as the onsets show,
# {glue:text}`coupling_word`. Exchanging the {glue:text}`second_stem` cost {glue:text}`coupling_lost_full`
# of the R² for the coupling.

# %% [markdown] tags=["needs-audio"]
# ## One song at a time
#
# A score is about many songs. For a single one the same sharing works on the *predicted rating*: from
# the mean of the training songs, each stem pushes it up or down, until the prediction is reached. The
# probe is the one of the mix with the level taken out, since the question is what it heard in this
# mix.

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
    figures.plot_attributions(picked, xlabel=f"Predicted «{target}»"),
    "stem-songs",
    f"From the mean rating to the prediction by {best}: the songs of each style that are predicted "
    "highest (above) and lowest (below).",
    "A line a song with coloured bars for the stems from a dotted line, and a diamond.",
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
# Over all songs, the push of {glue:text}`pusher` varies most (standard deviation
# {glue:text}`pusher_sd_full`). Among these songs the strongest push is that of the
# {glue:text}`strong_stem` in «{glue:text}`strong_song`»: {glue:text}`strong_push_full`. Of all pushes,
# {glue:text}`clear_pushes_full` have an interval that leaves out zero; it is over the artists that the
# probe was trained on, one at a time, without correction. Listen to the strongest push of each song
# beside the whole:

# %% tags=["needs-audio"]
for track, own in picked.groupby("track_id", sort=False):
    row = own.loc[own["estimate"].abs().idxmax()]
    way = "up" if row["estimate"] > 0 else "down"
    label = f"{row['stem']}, pushes {way} by {abs(row['estimate']):.2f}"
    audio_player(
        {f"{track}: whole": data.audio_path(track), label: paths[track][row["stem"]]}
    )

# %% [markdown] tags=["needs-audio"]
# Do you hear it? If not, that is a finding too. The probe may go by the sound of a drum kit rather than
# by what is played on it, and in the mean over training songs a sound that good bands share is as good
# as a rhythm.

# %% [markdown]
# ## What could be wrong here
#
# - **A stem alone is no music that listeners rated.** The ratings are of whole songs. That a stem's
#   embedding predicts them says where information *is*, not that listeners used it: the style can be
#   told from a vocal track.
# - **Stems are not independent.** A busy drummer plays with a busy bassist. What the bass predicts it
#   may predict as a witness of the drums. Only an intervention, such as the exchanged bass, tells cause
#   from witness.
# - **Wide intervals.** A share is a difference of scores, and there are {glue:text}`n_artists` artists.
# - **The model shown was picked by its score** ({glue:text}`best_model`). The figures with all
#   representations are there so that this can be judged.
# - **The empty sum is a convention.** Had we said that nothing is worth what silence is worth to the
#   model, shares of all stems would shift together.
#
# What would change the conclusion: more artists; a representation that keeps the order of events; or a
# separator that moves the score of a stem by more than the width of its interval.
#
# ## Exercises
#
# 1. Break it: compute the shares from the reading «the mix, as it comes» instead of the level taken
#    out. Which stem wins, and what has it won?

# %% [markdown]
# ````{dropdown} Solution
# Call `probe.contributions` with `trained_on_mix[best]["mix"]`. The drums usually win by a lot: most sums
# without them are so unlike a mix that predictions leave the scale, and the first sum that has drums
# gets all the credit for coming back. That measures likeness to a mix, not groove.
# ````
#
# 2. Give the Shapley values of «alone» by hand: average, over the orders in which four stems can come
#    in, what the drums add. For how many of the 24 orders do they come first?

# %% [markdown]
# ````{dropdown} Solution
# Six of the 24: once they are first, the other three come in any of 3! orders. So the score alone has
# a weight of one fourth, and so has what is lost when they are left out; the other half is shared by
# the sums of one and of two other stems.
# ````
#
# 3. Exchange the drums instead of the bass (`swap_stem(paths, "drums", …)`). Which causes should suffer
#    now?

# %% [markdown]
# ````{dropdown} Solution
# Whatever the drums alone make: the number of drum strokes and the syncopation go with them, while the
# low frequencies mostly stay. Compare with `of_causes`.
# ````
#
# 4. Set `separator = "hpss"` in the parameters and run the chapter. Which sections still make sense?

# %% [markdown]
# ````{dropdown} Solution
# All that speak of sums, with two stems and three sums. The published conditions do not: there is no
# bass to speak of. And «percussive» is not «drums»: a slapped bass is both.
# ````

# %% [markdown]
# ## Summary
#
# - Alone, left out and fairly shared are three questions; only Shapley values add up to the whole.
# - A probe of stems tells what is there; a probe of the mix what is used. The second needs its level
#   taken out, or it measures how strange a stem sounds.
# - Loudness, separator, silence and company each have a control.
# - For «{glue:text}`target`» and {glue:text}`best_model`, the largest {glue:text}`measure` is that of
#   {glue:text}`top_stem` ({glue:text}`top_share_full`); corrected for all that was asked,
#   {glue:text}`n_sure_full` shares differ from zero.
#
# **Next:** {doc}`08-mixed-models` asks whether the predictions hold for single listeners, and in
# every style.
