"""Plots of probes: predictions, scores, folds and permutation tests."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from groove_utils.figures.forest import plot_forest, value_colours
from groove_utils.figures.maps import draw_matrix, scatter_by_style
from groove_utils.figures.theme import OKABE_ITO, legend_above
from groove_utils.stats.wording import format_number

__all__ = [
    "plot_folds",
    "plot_gains",
    "plot_layer_profiles",
    "plot_learning_curves",
    "plot_luck",
    "plot_predictions",
    "plot_scores",
]


def plot_scores(
    table: pd.DataFrame,
    *,
    x: str = "estimate",
    y: str = "model",
    hue: str | None = None,
    xlabel: str = "Out-of-fold R²",
    reference: float | None = 0.0,
    bands: pd.DataFrame | None = None,
    columns: int | None = None,
) -> plt.Figure:
    """Plot probe scores with intervals, one panel per question.

    Parameters
    ----------
    table : DataFrame
        One row per probe and question: ``target`` (the question), ``low``, ``high``, and the
        columns named by `x` and `y`.
    x, y : str
        Columns with the scores and with the row names.
    hue : str, optional
        Column whose values define the colours.
    xlabel : str
        Label of the horizontal axis.
    reference : float, optional
        Position of a vertical line, such as 0.
    bands : DataFrame, optional
        Output of :func:`groove_utils.book.summaries.ceiling_bands`.
    columns : int, optional
        Number of panels per row; by default, all panels are in one row.
    """
    return plot_forest(
        table, x=x, y=y, panel="target", hue=hue, xlabel=xlabel, reference=reference,
        bands=bands, columns=columns,
    )  # fmt: skip


def plot_gains(table: pd.DataFrame, level: float = 0.05) -> plt.Figure:
    """Draw a heat map of differences in R² between trained and untrained models.

    Parameters
    ----------
    table : DataFrame
        One row per model and predicted property: ``task`` (the task for which the model was
        trained), ``first`` (the model), ``target`` (the property), ``difference`` (R², trained −
        untrained), ``low``, ``high`` and ``p_holm``. The rows and columns of the heat map are in
        order of appearance.
    level : float
        Differences with ``p_holm`` below `level` are printed in bold, with an asterisk.
    """
    table = table.assign(row=table["task"] + "\n" + table["first"])
    rows, columns = table["row"].unique(), table["target"].unique()
    clear = table["p_holm"] < level
    numbers = table["difference"].map(lambda x: format_number(x, "+.2f"))
    numbers += clear.map({True: "*", False: ""})
    ends = [table[end].map(format_number) for end in ("low", "high")]
    table = table.assign(text=numbers + "\n" + ends[0] + " to " + ends[1], clear=clear)

    def arrange(column: str) -> pd.DataFrame:
        square = table.pivot(index="row", columns="target", values=column)
        return square.loc[rows, columns].rename_axis(index=None, columns=None)

    differences = arrange("difference")
    figure, axes = plt.subplots(figsize=(8.6, 1 + 0.6 * len(rows)))
    limit = 1.6 * differences.abs().max().max()  # cells are pale enough for dark text
    draw_matrix(
        axes, differences, "R², trained − untrained", annot=arrange("text"),
        annot_kws={"size": 9.5}, cmap="RdBu_r", vmin=-limit, vmax=limit, linewidths=1,
    )  # fmt: skip
    for text, bold in zip(axes.texts, arrange("clear").to_numpy().ravel()):
        text.set_fontweight("bold" if bold else "normal")
    axes.set_yticklabels(rows, rotation=0)
    axes.set_xticklabels(columns, rotation=20, ha="right")
    return figure


def plot_folds(
    outer: np.ndarray, inner: np.ndarray, artists: Sequence[str], styles: Sequence[str]
) -> plt.Figure:
    """Plot which songs are held out in each outer fold, and in each inner fold of the first one.

    Songs are grouped by style and, within a style, by artist.

    Parameters
    ----------
    outer : ndarray of int, shape (n,)
        Outer fold in which each song is held out.
    inner : ndarray of int, shape (n_train,)
        Inner fold in which each training song of the first outer fold is held out.
    artists, styles : sequence of str, length n
        Artist and style of each song.
    """
    order = np.lexsort([artists, styles])
    inner_fold = np.full(len(outer), -1)
    inner_fold[outer != 0] = inner
    outer, inner_fold, styles = outer[order], inner_fold[order], np.asarray(styles)[order]
    colours = ["#DDDDDD", OKABE_ITO[1], OKABE_ITO[0], "#FFFFFF"]
    names = ["training", "held out", "held out (inner fold)", "not used"]
    rows = [np.where(outer == number, 1, 0) for number in range(outer.max() + 1)]
    for number in range(inner.max() + 1):
        rows.append(np.select([outer == 0, inner_fold == number], [3, 2], 0))
    labels = [f"outer fold {number + 1}" for number in range(outer.max() + 1)]
    labels += [f"inner fold {number + 1}" for number in range(inner.max() + 1)]
    figure, axes = plt.subplots(figsize=(7.5, 0.7 + 0.28 * len(rows)))
    axes.imshow(np.array(rows), cmap=ListedColormap(colours), vmin=-0.5, vmax=3.5,
                aspect="auto", interpolation="nearest")  # fmt: skip
    axes.set_yticks(range(len(rows)), labels)
    axes.axhline(outer.max() + 0.5, color="black", linewidth=1)
    starts = np.flatnonzero(np.r_[True, styles[1:] != styles[:-1]])
    ends = np.r_[starts[1:], len(styles)]
    axes.set_xticks((starts + ends - 1) / 2, styles[starts])
    for start in starts[1:]:
        axes.axvline(start - 0.5, color="black", linewidth=1)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    patches = [Patch(facecolor=c, edgecolor="#888888", label=n) for c, n in zip(colours, names)]
    figure.legend(handles=patches, loc="outside upper center", ncols=len(patches), frameon=False)
    return figure


def plot_predictions(songs: pd.DataFrame, styles: list[str]) -> plt.Figure:
    """Plot songs' observed mean ratings against out-of-fold predictions, one panel per question.

    Parameters
    ----------
    songs : DataFrame
        One row per song and question: ``target`` (the question), ``style``, ``observed`` and
        ``predicted`` (mean over repeats).
    styles : list of str
        Order of the styles.
    """
    targets = list(dict.fromkeys(songs["target"]))
    figure, grid = plt.subplots(
        1, len(targets), figsize=(max(4.5, 2.6 * len(targets)), 3.2), squeeze=False
    )
    for axes, target in zip(grid[0], targets):
        part = songs[songs["target"] == target]
        scatter_by_style(axes, part, "predicted", "observed", styles, 14, diagonal=True)
        axes.set(title=target, xlabel="Predicted")
    grid[0, 0].set_ylabel("Observed mean rating")
    legend_above(figure, grid[0, 0], len(styles))
    return figure


def plot_luck(luck: pd.DataFrame, null: np.ndarray, target: str) -> plt.Figure:
    """Plot each model's R² for one question, together with its null distribution.

    The last row shows the maximum R² over all models and questions.

    Parameters
    ----------
    luck : DataFrame
        Output of :func:`groove_utils.probe.permutation_test`: columns ``model, target, r2``.
    null : ndarray, shape (n_permutations, n_rows)
        Null distributions of R² from the same test, one column per row of `luck`.
    target : str
        Question to show.
    """
    rows = np.flatnonzero((luck["target"] == target).to_numpy())
    names = [*luck["model"].iloc[rows], "best of all"]
    columns = [*null[:, rows].T, null.max(axis=1)]
    observed = [*luck["r2"].iloc[rows], luck["r2"].max()]
    figure, axes = plt.subplots(figsize=(7.5, 1.3 + 0.42 * len(names)))
    parts = axes.violinplot(columns, positions=range(len(names)), orientation="horizontal",
                            showextrema=False, widths=0.8)  # fmt: skip
    for body in parts["bodies"]:
        body.set(facecolor="#9E9E9E", alpha=0.6)
    cut = np.quantile(columns[-1], 0.95)
    ends = [np.quantile(columns, 0.005), max(observed)]  # clips the lowest values
    margin = 0.05 * (ends[1] - ends[0])
    axes.set_xlim(ends[0] - margin, ends[1] + margin)
    axes.axvline(cut, color="black", linestyle=":", linewidth=1.2,
                 label="95% quantile of “best of all”")  # fmt: skip
    axes.scatter(observed, range(len(names)), color=OKABE_ITO[0], zorder=3, label="observed")
    axes.axvline(0, color="#888888", linewidth=1, zorder=0)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set(xlabel="Out-of-fold R² (one assignment of songs to folds)", title=target)
    axes.grid(visible=False, axis="y")
    legend_above(figure, axes, 2)
    return figure


def plot_layer_profiles(profiles: pd.DataFrame) -> plt.Figure:
    """Plot the R² of each layer, one panel per model and one line per question.

    Filled dots mark layers that may be the best (column ``may_be_best``). The short horizontal
    lines on the right show the R² obtained by selecting the layer in the inner folds.

    Parameters
    ----------
    profiles : DataFrame
        Concatenated outputs of :func:`groove_utils.probe.layer_profile`, with the additional column
        ``model``.
    """
    models = list(dict.fromkeys(profiles["model"]))
    targets = list(dict.fromkeys(profiles["target"]))
    columns = min(3, len(models))
    lines = -(-len(models) // columns)
    figure, grid = plt.subplots(
        lines, columns, sharey=True, squeeze=False,
        figsize=(max(7.5, 3.1 * columns), 1 + 2.7 * lines),
    )  # fmt: skip
    colours = value_colours(targets)
    for axes, model in zip(grid.flat, models):
        for target in targets:
            part = profiles[(profiles["model"] == model) & (profiles["target"] == target)]
            x, colour = np.arange(len(part)), colours[target]
            axes.plot(x, part["r2"], color=colour, linewidth=1.4, label=target)
            fill = [colour if filled else "white" for filled in part["may_be_best"]]
            axes.scatter(x, part["r2"], s=20, c=fill, edgecolors=colour, zorder=3)
            axes.plot([len(part) - 0.6, len(part) - 0.1], [part["nested_r2"].iloc[0]] * 2,
                      color=colour, linewidth=3)  # fmt: skip
        axes.axhline(0, color="#888888", linewidth=1, zorder=0)
        axes.set_xticks(x, part["layer"], rotation=55, ha="right", fontsize=9)
        axes.set_title(model)
    for axes in grid.flat[len(models) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("Out-of-fold R²")
    legend_above(figure, grid[0, 0], len(targets))
    return figure


def plot_learning_curves(songs: pd.DataFrame, raters: pd.DataFrame | None = None) -> plt.Figure:
    """Plot R² by number of training songs and, optionally, by number of raters per song.

    Parameters
    ----------
    songs : DataFrame
        Output of :func:`groove_utils.probe.learning_curve`.
    raters : DataFrame, optional
        Output of :func:`groove_utils.probe.rater_learning_curve`, for one question.
    """
    count = 1 if raters is None else 2
    figure, grid = plt.subplots(1, count, squeeze=False, figsize=(4.6 * count, 3.6))
    axes = grid[0, 0]
    for colour, (target, part) in zip(OKABE_ITO * 2, songs.groupby("target", sort=False)):
        axes.plot(part["n_train"], part["r2"], marker="o", markersize=4, color=colour, label=target)
        axes.fill_between(part["n_train"], part["r2"] - part["r2_sd"], part["r2"] + part["r2_sd"],
                          color=colour, alpha=0.12)  # fmt: skip
    axes.axhline(0, color="#888888", linewidth=1, zorder=0)
    axes.set(xlabel="Training songs", ylabel="Out-of-fold R²")
    axes.legend(loc="lower right", fontsize=9)
    if raters is None:
        return figure
    axes = grid[0, 1]
    axes.plot(raters["n_raters"], raters["ceiling"], color="#E69F00", linewidth=4, alpha=0.5,
              label="noise ceiling")  # fmt: skip
    for column, name, colour in (
        ("r2", "R² against means of these raters", OKABE_ITO[0]),
        ("r2_all", "R² against means of all raters", OKABE_ITO[1]),
    ):
        axes.plot(raters["n_raters"], raters[column], marker="o", markersize=4, color=colour,
                  label=name)  # fmt: skip
    axes.axhline(0, color="#888888", linewidth=1, zorder=0)
    axes.set_xscale("log")
    axes.set_xticks(raters["n_raters"], [str(k) for k in raters["n_raters"]])
    axes.minorticks_off()
    axes.set(xlabel="Raters per song", ylabel="R²", ylim=(None, 1))
    axes.legend(fontsize=9)
    return figure
