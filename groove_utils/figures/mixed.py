"""Plots for mixed-effects models."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.figures.forest import draw_rows, value_colours
from groove_utils.figures.maps import draw_matrix
from groove_utils.figures.theme import legend_above

__all__ = [
    "plot_fitted_lines",
    "plot_power",
    "plot_recovery",
    "plot_residuals",
]


def plot_fitted_lines(
    lines: pd.DataFrame, *, x: str, xlabel: str, ylabel: str, colour: str | None = None
) -> plt.Figure:
    """Plot one regression line per listener, and a line with the mean intercept and slope.

    Parameters
    ----------
    lines : DataFrame
        One row per listener: ``intercept``, ``slope`` and, optionally, the numeric column named by
        `colour`.
    x : str
        Name of the predictor, which must be standardised; lines are drawn from −2 to 2 SD.
    xlabel, ylabel : str
        Axis labels. If `xlabel` is empty, `x` is used.
    colour : str, optional
        Column by which to colour the lines.
    """
    figure, axes = plt.subplots()
    ends = np.array([-2.0, 2.0])
    shades = None
    if colour is not None:
        shades = plt.cm.ScalarMappable(
            plt.Normalize(lines[colour].min(), lines[colour].max()), "viridis"
        )
    colours = ["#56B4E9"] * len(lines) if shades is None else shades.to_rgba(lines[colour])
    for start, slope, line_colour in zip(lines["intercept"], lines["slope"], colours):
        axes.plot(ends, start + slope * ends, color=line_colour, alpha=0.45, linewidth=0.8)
    average = lines[["intercept", "slope"]].mean()
    axes.plot(ends, average["intercept"] + average["slope"] * ends, color="black", linewidth=2.5)
    if shades is not None:
        figure.colorbar(shades, ax=axes, label=colour.replace("_", " "))
    axes.set(xlabel=xlabel or x, ylabel=ylabel, xlim=ends)
    return figure


def plot_power(table: pd.DataFrame, target: float = 0.8) -> plt.Figure:
    """Draw an annotated heat map of statistical power by number of listeners and songs.

    Parameters
    ----------
    table : DataFrame
        Output of :func:`groove_utils.mixed.power_simulation`.
    target : float
        Cells with at least this power are framed.
    """
    cells = table.pivot(index="n_listeners", columns="n_songs", values="power").sort_index()
    figure, axes = plt.subplots(figsize=(1.9 + 1.0 * cells.shape[1], 1.4 + 0.62 * len(cells)))
    draw_matrix(axes, cells, "Power", vmin=0, vmax=1, cmap="viridis")
    for row, column in np.argwhere(cells.to_numpy() >= target):
        corner = column + 0.04, row + 0.04
        frame = {"fill": False, "edgecolor": "#D55E00", "linewidth": 2.5}
        axes.add_patch(plt.Rectangle(corner, 0.92, 0.92, **frame))
    axes.set(xlabel="Songs", ylabel="Listeners")
    axes.invert_yaxis()
    return figure


def plot_recovery(table: pd.DataFrame, xlabel: str = "Rating points") -> plt.Figure:
    """Draw forest plots of estimates with intervals, and mark the known true values.

    Parameters
    ----------
    table : DataFrame
        Columns ``term`` (row names), ``kind`` (one panel per value), ``data`` (one colour per
        value), ``estimate``, ``low``, ``high`` and ``truth`` (the true value, which may differ
        between values of ``data``).
    xlabel : str
        Label of the horizontal axis, with unit.
    """
    kinds, colours = list(dict.fromkeys(table["kind"])), value_colours(table["data"])
    counts = [table.loc[table["kind"] == kind, "term"].nunique() for kind in kinds]
    figure, grid = plt.subplots(
        len(kinds), 1, squeeze=False, figsize=(7.5, 1.6 + 0.4 * sum(counts)),
        gridspec_kw={"height_ratios": counts},
    )  # fmt: skip
    for axes, kind in zip(grid[:, 0], kinds):
        part = table[table["kind"] == kind]
        terms = list(dict.fromkeys(part["term"]))
        draw_rows(axes, part, terms, y="term", hue="data", colours=colours)
        for bars, (_, rows) in zip(axes.containers, part.groupby("data", sort=False)):
            axes.plot(rows["truth"], bars.lines[0].get_ydata(), "D", markersize=7,
                      markerfacecolor="none", markeredgecolor="black")  # fmt: skip
        axes.lines[-1].set_label("true value")
        axes.axvline(0, color="#888888", linewidth=1, zorder=0)
        axes.set_yticks(range(len(terms)), terms)
        axes.set_title(kind)
    grid[-1, 0].set_xlabel(xlabel)
    legend_above(figure, grid[0, 0], 3)
    return figure


def plot_residuals(table: pd.DataFrame) -> plt.Figure:
    """Plot standardised residuals against fitted values and against normal quantiles.

    Parameters
    ----------
    table : DataFrame
        Output of :func:`groove_utils.mixed.residual_table`.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.4))
    left.scatter(table["fitted"], table["standardised"], s=5, alpha=0.25, color="#0072B2", lw=0)
    left.axhline(0, color="#888888", linewidth=1)
    left.set(xlabel="Fitted rating", ylabel="Residual (SD)")
    ordered = table.sort_values("quantile")
    right.scatter(ordered["quantile"], ordered["standardised"], s=5, color="#0072B2", lw=0)
    ends = [ordered["quantile"].iloc[0], ordered["quantile"].iloc[-1]]
    right.plot(ends, ends, color="#888888", linewidth=1)
    right.set(xlabel="Normal quantile", ylabel="Residual (SD)")
    return figure
