"""Plots of mixed models (chapter 08)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.figures.theme import OKABE_ITO

__all__ = [
    "plot_crossed_design",
    "plot_fitted_lines",
    "plot_partition",
    "plot_power",
    "plot_recovery",
    "plot_residuals",
]

# whose variance: songs and people in colours that also differ in lightness, chance in grey
_PART_COLOURS = ["#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7", "#000000"]
_RESIDUAL = "#D0D0D0"


def plot_crossed_design(matrix: pd.DataFrame) -> plt.Figure:
    """Who rated what, with the mean of every song above and of every listener at the right.

    Parameters
    ----------
    matrix : DataFrame, listeners × tracks
        NaN where a listener did not rate a track. Both are put in order of their means.

    Returns
    -------
    matplotlib.figure.Figure
    """
    songs, people = matrix.mean().sort_values(), matrix.mean(axis=1).sort_values()
    cells = np.ma.masked_invalid(matrix.loc[people.index, songs.index].to_numpy(dtype=float))
    figure, grid = plt.subplots(
        2, 2, figsize=(7.5, 5.2), sharex="col", sharey="row",
        gridspec_kw={"width_ratios": [5, 1], "height_ratios": [1, 4]},
    )  # fmt: skip
    (above, corner), (body, beside) = grid
    corner.remove()
    image = body.imshow(cells, aspect="auto", cmap="viridis", interpolation="nearest")
    above.plot(np.arange(len(songs)), songs, ".", color="#0072B2", markersize=4)
    beside.plot(people, np.arange(len(people)), ".", color="#009E73", markersize=4)
    above.set(ylabel="Song\nmean")
    beside.set(xlabel="Listener mean")
    body.set(xlabel="Song, by its mean", ylabel="Listener, by their mean")
    for axes in (above, beside):
        axes.tick_params(labelbottom=axes is beside, labelleft=axes is above)
    body.grid(visible=False)
    figure.colorbar(image, ax=[body, beside], label="Rating", shrink=0.8)
    return figure


def plot_fitted_lines(
    lines: pd.DataFrame, *, x: str, xlabel: str, ylabel: str, colour: str | None = None
) -> plt.Figure:
    """One line a listener, from their own intercept and slope, and the average line.

    Parameters
    ----------
    lines : DataFrame
        Columns ``intercept`` and ``slope``, one row a listener, and optionally a numeric one
        named by `colour`. The average line is their mean.
    x : str
        Name of the predictor, standardised: lines run from −2 to 2.
    xlabel, ylabel : str
        Axis labels.
    colour : str, optional
        Column by which the lines are coloured.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots()
    ends = np.array([-2.0, 2.0])
    shades = None
    if colour is not None:
        shades = plt.cm.ScalarMappable(
            plt.Normalize(lines[colour].min(), lines[colour].max()), "viridis"
        )
    shade = ["#56B4E9"] * len(lines) if shades is None else shades.to_rgba(lines[colour])
    for start, slope, one in zip(lines["intercept"], lines["slope"], shade):
        axes.plot(ends, start + slope * ends, color=one, alpha=0.45, linewidth=0.8)
    average = lines[["intercept", "slope"]].mean()
    axes.plot(ends, average["intercept"] + average["slope"] * ends, color="black", linewidth=2.5)
    if shades is not None:
        figure.colorbar(shades, ax=axes, label=colour)
    axes.set(xlabel=xlabel or x, ylabel=ylabel, xlim=ends)
    return figure


def plot_partition(shares: pd.DataFrame) -> plt.Figure:
    """Whose variance it is: one bar a row, whose parts add to one.

    Parameters
    ----------
    shares : DataFrame
        Index: what the bars stand for; columns: the parts in the order of drawing, shares of at
        least 0. A column ``residual`` is drawn grey.

    Returns
    -------
    matplotlib.figure.Figure
    """
    if (shares.to_numpy() < 0).any():
        raise ValueError("a share below 0 cannot be drawn; join the parts that overlap.")
    figure, axes = plt.subplots(figsize=(7.5, 1.3 + 0.42 * len(shares)))
    left = np.zeros(len(shares))
    rows = np.arange(len(shares))
    colours = iter(_PART_COLOURS * (shares.shape[1] // len(_PART_COLOURS) + 1))
    for part in shares:
        own = shares[part].to_numpy(dtype=float)
        colour = _RESIDUAL if part == "residual" else next(colours)
        axes.barh(rows, own, left=left, height=0.7, color=colour, label=part, edgecolor="white")
        for row in rows[own >= 0.045]:
            dark = colour in {"#0072B2", "#009E73", "#D55E00", "#000000"}
            axes.text(
                left[row] + own[row] / 2, row, f"{own[row]:.0%}", ha="center", va="center",
                fontsize=9, color="white" if dark else "black",
            )  # fmt: skip
        left = left + own
    axes.set_yticks(rows, shares.index)
    axes.set(xlim=(0, 1), xlabel="Share of the variance of single ratings")
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.grid(visible=False)
    parts = shares.shape[1]
    figure.legend(loc="outside upper center", ncol=parts if parts <= 5 else -(-parts // 2))
    return figure


def plot_power(table: pd.DataFrame, target: float = 0.8) -> plt.Figure:
    """Power by number of listeners and songs, as a map with its numbers.

    Parameters
    ----------
    table : DataFrame
        From :func:`groove_utils.mixed.power_simulation`.
    target : float
        Cells with at least this power get a frame.

    Returns
    -------
    matplotlib.figure.Figure
    """
    cells = table.pivot(index="n_listeners", columns="n_songs", values="power").sort_index()
    figure, axes = plt.subplots(figsize=(1.9 + 1.0 * cells.shape[1], 1.4 + 0.62 * len(cells)))
    image = axes.imshow(cells, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (row, column), power in np.ndenumerate(cells.to_numpy()):
        colour = "black" if power > 0.6 else "white"
        axes.text(column, row, f"{power:.2f}", ha="center", va="center", color=colour)
        if power >= target:
            frame = plt.Rectangle(
                (column - 0.46, row - 0.46), 0.92, 0.92, fill=False, edgecolor="#D55E00", lw=2.5
            )
            axes.add_patch(frame)
    axes.set_xticks(range(cells.shape[1]), cells.columns)
    axes.set_yticks(range(len(cells)), cells.index)
    axes.set(xlabel="Songs", ylabel="Listeners")
    axes.invert_yaxis()
    axes.grid(visible=False)
    figure.colorbar(image, label="Power")
    return figure


def plot_recovery(table: pd.DataFrame, xlabel: str = "Rating points") -> plt.Figure:
    """Estimates with intervals, and the known true values beside them.

    Parameters
    ----------
    table : DataFrame
        Columns ``term``, ``kind`` (a panel each), ``data`` (a colour each), ``estimate``, ``low``,
        ``high`` and ``truth``, which may differ between `data`.
    xlabel : str
        Unit of all of them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    kinds, hues = list(dict.fromkeys(table["kind"])), list(dict.fromkeys(table["data"]))
    counts = [table.loc[table["kind"] == kind, "term"].nunique() for kind in kinds]
    figure, grid = plt.subplots(
        len(kinds), 1, squeeze=False, figsize=(7.5, 1.6 + 0.4 * sum(counts)),
        gridspec_kw={"height_ratios": counts},
    )  # fmt: skip
    offsets = np.linspace(-0.18, 0.18, len(hues)) if len(hues) > 1 else [0.0]
    for axes, kind in zip(grid[:, 0], kinds):
        part = table[table["kind"] == kind]
        terms = list(dict.fromkeys(part["term"]))
        for hue, offset, colour in zip(hues, offsets, OKABE_ITO[1:]):
            own = part[part["data"] == hue]
            y = np.array([terms.index(term) for term in own["term"]]) + offset
            reach = [
                (own["estimate"] - own["low"]).clip(0),
                (own["high"] - own["estimate"]).clip(0),
            ]
            axes.errorbar(
                own["estimate"], y, xerr=reach, fmt="o", markersize=4, color=colour, label=hue
            )
            axes.plot(
                own["truth"], y, linestyle="none", marker="D", markersize=7,
                markerfacecolor="none", markeredgecolor="black",
                label="known truth" if hue == hues[-1] else None,
            )  # fmt: skip
        axes.axvline(0, color="#888888", linewidth=1, zorder=0)
        axes.set_yticks(range(len(terms)), terms)
        axes.set_ylim(len(terms) - 0.5, -0.5)
        axes.set_title(kind)
        axes.grid(visible=False, axis="y")
    grid[-1, 0].set_xlabel(xlabel)
    handles = dict(zip(*reversed(grid[0, 0].get_legend_handles_labels())))
    figure.legend(handles.values(), handles.keys(), loc="outside upper right", ncol=3)
    return figure


def plot_residuals(table: pd.DataFrame) -> plt.Figure:
    """Standardised residuals against the fitted values and against normal quantiles.

    Parameters
    ----------
    table : DataFrame
        From :func:`groove_utils.mixed.residual_table`.

    Returns
    -------
    matplotlib.figure.Figure
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
