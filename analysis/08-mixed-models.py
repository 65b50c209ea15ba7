# %% [markdown] tags=["needs-listeners"]
# # Does it hold for single listeners, and in every style?
#
# A song's mean rating is nobody's rating. Does the prediction of a probe hold for single people, or
# only for their average? And would it hold for *other* listeners and *other* songs? Both were
# sampled, so both must enter the error term: a {term}`linear mixed model` with
# {term}`crossed random effects`.
#
# ```{admonition} In this chapter
# :class: tip lesson
# **You will learn** why song means are not enough, what happens to a standard error when listeners
# or songs are treated as fixed, and how to read random intercepts and slopes.
#
# **You need** {doc}`01-listeners-and-tracks` and {doc}`06-probing`; linear regression.
#
# **It runs** in half a minute. Module: `groove_utils.mixed`.
# ```

# %% tags=["parameters"]
study = "demo"  # a study's name, or a folder with a study.yml
seed = 2026
query = "dance"

# %%
import pandas as pd

from groove_utils import figures, mixed
from groove_utils.book import (
    open_chapter,
    report_text,
    report_value,
    show_figure,
    show_table,
)

chapter = open_chapter("08-mixed-models", study)
data = chapter.study
query = query if query in data.queries else next(iter(data.queries))

# %% [markdown] tags=["needs-table-predictions"]
# ## From the probe to the listener
#
# The predictor is the {term}`out-of-fold prediction <out-of-fold prediction>` of the best model of
# {doc}`06-probing`: no song's prediction has seen any rating of that song, nor of its band. It is
# standardised over songs, so that a slope is in points of the rating scale for one standard
# deviation of the prediction.

# %% tags=["needs-table-predictions"]
predictions = chapter.load_table("predictions")
own = predictions[predictions["best"] & (predictions["target"] == query)].set_index(
    "track_id"
)
predicted = (own["predicted"] - own["predicted"].mean()) / own["predicted"].std()
rows = data.ratings[data.ratings["query"] == query].copy()
rows["predicted"] = rows["track_id"].map(predicted)
rows["style"] = rows["track_id"].map(data.tracks.set_index("track_id")["style"])
rows = rows.rename(columns={"listener_id": "listener", "track_id": "track"})
report_text("query", query)
report_text("model", own["model"].iloc[0])

# %% [markdown] tags=["needs-table-predictions"]
# ## What if either sample is ignored?
#
# {cite:t}`clark1973` saw it in studies of words: whoever treats the items as fixed has shown
# something about these items only. The same slope is estimated below under five error models. The
# estimate hardly moves; what moves is how sure one believes to be.

# %% tags=["needs-table-predictions"]
formula = "rating ~ predicted + (1 | listener) + (1 | track)"
errors = mixed.compare_error_models(formula, rows)
errors = errors[errors["term"] == "predicted"]
show_figure(
    figures.plot_forest(
        errors, label="model", xlabel=f"Slope of «{query}» on the prediction"
    ),
    "error-models",
    "The same slope under error models that ignore listeners, songs, both or neither, with 95% "
    "intervals.",
    "Forest plot of one slope under several error models: nearly the same estimate in each row, "
    "the interval of the crossed model among the widest, that of ordinary least squares narrower.",
    table=errors,
)

# %% tags=["needs-table-predictions", "hide-input"]
narrowest = errors.loc[errors["se_ratio"].idxmin()]
report_text("narrowest", narrowest["model"])
report_value("narrowest_ratio", narrowest["se_ratio"], n=len(rows))

# %% [markdown] tags=["needs-table-predictions"]
# The most optimistic of them («{glue:text}`narrowest`») has a standard error only
# {glue:text}`narrowest_ratio` times that of the crossed model.
#
# ## The model
#
# Every listener gets an own level and an own slope, every song an own level
# {cite}`barr2013`. The intervals use Satterthwaite's degrees of freedom.

# %% tags=["needs-table-predictions"]
with_style = " * style" if data.has("styles") else ""
formula = f"rating ~ predicted{with_style} + (1 + predicted | listener) + (1 | track)"
model = mixed.fit_lmm(formula, rows)
show_table(
    model.fixed_effects().set_index("term"),
    "fixed-effects",
    f"Fixed effects on «{query}» ({model.n_obs:,} ratings).",
)

# %% tags=["needs-table-predictions", "hide-input"]
slope = model.emtrends("predicted").table.iloc[0]
report_value("slope", slope["estimate"], ci=(slope["low"], slope["high"]), n=len(rows))
r2 = model.r2()
report_value("r2_marginal", r2["marginal"], n=len(rows))
report_value("r2_conditional", r2["conditional"], n=len(rows))
report_text("slope_verdict", "does" if slope["low"] > 0 else "cannot be shown to")

# %% [markdown] tags=["needs-table-predictions"]
# Averaged over styles, one standard deviation of prediction goes with {glue:text}`slope_full` points
# of «{glue:text}`query`». The prediction of {glue:text}`model`, made without this song or band,
# {glue:text}`slope_verdict` carry over to single listeners. Fixed effects account for
# {glue:text}`r2_marginal` of the variance of single ratings, fixed and random effects together for
# {glue:text}`r2_conditional` {cite}`nakagawa2017`. Small numbers, and they have to be: most of a
# single rating belongs to the person and the moment.

# %% tags=["needs-table-predictions"]
parts = mixed.variance_partition(model)
show_table(
    parts.set_index("part")[["kind", "variance", "share"]],
    "partition",
    "Whose variance is it? Shares add to one; a term that works against the others is negative.",
)

# %% [markdown] tags=["needs-table-predictions"]
# ## For whom does the model work?
#
# Each line is a listener. The steeper it rises, the more this person's answers follow the model's
# prediction. Slopes are shrunken towards the average: with a couple of dozen songs a listener,
# single slopes are uncertain.

# %% tags=["needs-table-predictions"]
modes = model.random_effects("listener").pivot(
    index="level", columns="term", values="value"
)
fixed = model.fixed_effects().set_index("term")["estimate"]
lines = pd.DataFrame(
    {
        "intercept": modes.iloc[:, 0] + rows["rating"].mean(),
        "slope": modes["predicted"] + slope["estimate"],
    }
)
show_figure(
    figures.plot_fitted_lines(
        lines,
        x="predicted",
        xlabel="Prediction (SD over songs)",
        ylabel=f"Rating of «{query}»",
    ),
    "listeners",
    "One line a listener, from their level and slope (conditional modes); black: the average.",
    "Fan of straight lines, one a listener, most of them rising from left to right, spread widely "
    "in height; a thick black average line rises through their middle.",
    table=lines.reset_index(names="listener"),
)

# %% tags=["needs-table-predictions", "hide-input"]
spread = lines["slope"].std()
rising = (lines["slope"] > 0).mean()
report_value("slope_sd", spread, n=len(lines))
report_value("rising", 100 * rising, unit="%", fmt=".0f", n=len(lines))

# %% [markdown] tags=["needs-table-predictions"]
# {glue:text}`rising_full` of the listeners have a rising line.
#
# ## In every style?

# %% [markdown] tags=["needs-styles", "needs-table-predictions"]
# The interaction of prediction and style asks whether the slope differs between styles. A slope that
# is "significant" in one style and not in another is no evidence of a difference; the difference
# itself has to be tested.

# %% tags=["needs-styles", "needs-table-predictions"]
trends = model.emtrends("predicted", "style")
slopes = trends.table
show_figure(
    figures.plot_forest(
        slopes, label="style", xlabel=f"Slope of «{query}» on the prediction"
    ),
    "style-slopes",
    "Slope of single ratings on the prediction within each style, with 95% intervals.",
    "Forest plot of one slope a style with a line at zero; the intervals of the styles overlap.",
    table=slopes,
)

# %% tags=["needs-styles", "needs-table-predictions"]
contrasts = trends.contrasts(adjust="holm")
show_table(
    contrasts, "style-contrasts", "Differences between the styles' slopes, p by Holm."
)
different = (contrasts["p_adjusted"] < 0.05).sum()
report_value("n_different", different, fmt=".0f", n=len(contrasts))

# %% [markdown] tags=["needs-styles", "needs-table-predictions"]
# Of the pairs of styles, {glue:text}`n_different_full` differ in slope at the 5% level. Where none
# does, that is not evidence of equality: look at the width of the intervals.

# %% [markdown]
# ## What could be wrong here
#
# - **The prediction is itself estimated.** Its error makes the slope smaller than that of a perfect
#   prediction, and the model does not know about it.
# - **The scale has ends.** Ratings near 1 and 100 are squeezed, which a linear model ignores.
# - **Songs are nested in bands.** With few songs a band, the band's own effect goes into the songs'.
#
# What would change the conclusion: a slope whose interval, with songs and listeners both random,
# reaches zero.
#
# ## Exercises
#
# 1. Set `query` to «disturbing» in the parameters, if the study asks it. What should happen to the
#    slope, and does it?

# %% [markdown]
# ````{dropdown} Solution
# The probe is trained on each question by itself, so the prediction for «disturbing» predicts
# disturbance, and its slope should be positive as well. It is handed on only for the questions that
# {doc}`06-probing` lists in its `targets`; add it there first.
# ````

# %% [markdown]
# ## Summary
#
# - Listeners and songs are both samples; ignoring one makes one too sure.
# - What the probe predicts for the mean, it predicts, more weakly, for single listeners.
# - Slopes differ between people; whether they differ between styles has to be tested as a
#   difference.
