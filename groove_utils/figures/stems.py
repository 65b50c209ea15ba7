"""Plots of what stems carry (chapter 07)."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.figures.theme import OKABE_ITO
from groove_utils.stats.wording import format_number

__all__ = ["plot_attributions", "plot_stem_shares", "plot_subset_scores"]

STEM_COLOURS = dict(zip(("drums", "bass", "other", "vocals"), OKABE_ITO[:4]))


def _stem_colours(stems: Sequence[str]) -> dict[str, str]:
    """One colour a stem, the same in every plot."""
    free = iter(OKABE_ITO[4:] * len(stems))
    return {stem: STEM_COLOURS.get(stem) or next(free) for stem in stems}


def plot_subset_scores(
    table: pd.DataFrame,
    stems: Sequence[str],
    *,
    hue: str | None = None,
    xlabel: str = "Out-of-fold R²",
    floor: float = -1.0,
) -> plt.Figure:
    """Scores of every subset of stems, beside a table of dots that says which stems sound.

    Parameters
    ----------
    table : DataFrame
        Columns ``subset`` (such as ``drums+bass``; ``none``), ``estimate``, ``low``, ``high`` and
        `hue`. Rows keep their order, the first on top.
    stems : sequence of str
        Columns of the table of dots.
    hue : str, optional
        Column whose values get a colour each, such as what the probe was trained on.
    xlabel : str
    floor : float
        Left end of the axis; scores below are drawn there as an arrow with their number.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows = list(dict.fromkeys(table["subset"]))
    hues = [None] if hue is None else list(dict.fromkeys(table[hue]))
    figure, (dots, axes) = plt.subplots(
        1, 2, sharey=True, figsize=(7.8, 1.2 + 0.24 * len(rows) * max(1.0, 0.6 * len(hues))),
        width_ratios=[0.2 + 0.1 * len(stems), 2],
    )  # fmt: skip
    colours = _stem_colours(stems)
    for x, stem in enumerate(stems):
        there = np.array([stem in name.split("+") for name in rows])
        y = np.arange(len(rows))
        dots.scatter(np.full((~there).sum(), x), y[~there], s=14, color="#DDDDDD")
        dots.scatter(np.full(there.sum(), x), y[there], s=42, color=colours[stem])
    dots.set_xticks(range(len(stems)), stems, rotation=55, ha="right", rotation_mode="anchor")
    dots.set(xlim=(-0.6, len(stems) - 0.4), yticks=[])
    dots.grid(visible=False)
    dots.spines[:].set_visible(False)
    offsets = np.linspace(-0.24, 0.24, len(hues)) if len(hues) > 1 else [0.0]
    axes.axvline(0, color="#888888", linewidth=1, zorder=1.5)
    for value, offset, colour in zip(hues, offsets, ["#000000", *OKABE_ITO[4:6]]):
        own = table if value is None else table[table[hue] == value]
        own = own.set_index("subset").reindex(rows)
        y = np.arange(len(rows)) + offset
        seen = (own["estimate"] >= floor).to_numpy()
        part = own[seen]
        spread = [
            np.maximum(part["estimate"] - part["low"], 0),
            np.maximum(part["high"] - part["estimate"], 0),
        ]
        axes.errorbar(part["estimate"], y[seen], xerr=spread, fmt="o", markersize=4.5,
                      color=colour, label=value)  # fmt: skip
        for at, number in zip(y[~seen], own["estimate"][~seen]):
            if np.isnan(number):
                continue
            axes.scatter(floor, at, marker="<", s=28, color=colour)
            axes.annotate(format_number(number, ",.3g"), (floor, at), xytext=(6, 0),
                          textcoords="offset points", va="center", fontsize=8)  # fmt: skip
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=max(axes.get_xlim()[0], floor - 0.08))
    axes.set(xlabel=xlabel)
    for number in range(1, len(rows)):
        axes.axhline(number - 0.5, color="#EEEEEE", linewidth=0.8, zorder=0)
    axes.grid(visible=False, axis="y")
    if hue is not None:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncol=3)
    return figure


def plot_stem_shares(
    table: pd.DataFrame,
    *,
    panel: str,
    hue: str | None = None,
    label: str = "stem",
    columns: int = 3,
    xlabel: str = "Share of out-of-fold R²",
    limits: tuple[float, float] | None = None,
    floor: float | None = None,
) -> plt.Figure:
    """What stems are worth, with intervals: panels in several lines, one row a stem.

    Parameters
    ----------
    table : DataFrame
        Columns `label`, `panel`, `hue`, ``estimate``, ``low``, ``high``; rows keep their order.
    panel, hue, label : str
        Columns that name the panels, the colours and the rows.
    columns : int
        Panels a line.
    xlabel : str
    limits : (float, float), optional
        Ends of the common axis; what lies beyond is cut off. By default they follow the
        estimates, and leave out the farther half of intervals much longer than those.
    floor : float, optional
        Left end of the axis; estimates below are drawn there as arrows.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels, rows = list(dict.fromkeys(table[panel])), list(dict.fromkeys(table[label]))
    hues = [None] if hue is None else list(dict.fromkeys(table[hue]))
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    figure, grid = plt.subplots(
        lines, columns, sharex=True, sharey=True, squeeze=False,
        figsize=(max(6.0, 1.1 * len(hues), 1.0 + 2.2 * columns),
                 0.8 + lines * (0.6 + 0.22 * len(rows) * max(1.0, 0.5 * len(hues)))),
    )  # fmt: skip
    colours = dict(zip(hues, OKABE_ITO * (len(hues) // len(OKABE_ITO) + 1)))
    offsets = np.linspace(-0.3, 0.3, len(hues)) if len(hues) > 1 else [0.0]
    for axes, one in zip(grid.flat, panels):
        axes.axvline(0, color="#888888", linewidth=1, zorder=1.5)
        for value, offset in zip(hues, offsets):
            own = table[table[panel] == one]
            own = own if value is None else own[own[hue] == value]
            y = np.array([rows.index(name) for name in own[label]], dtype=float) + offset
            if floor is not None:
                off = (own["estimate"] < floor).to_numpy()
                axes.scatter(np.full(off.sum(), floor), y[off], marker="<", s=24,
                             color=colours[value])  # fmt: skip
                own, y = own[~off], y[~off]
            spread = [
                np.maximum(own["estimate"] - own["low"], 0),
                np.maximum(own["high"] - own["estimate"], 0),
            ]
            axes.errorbar(own["estimate"], y, xerr=spread, fmt="o", markersize=4,
                          color=colours[value], elinewidth=1.2, label=value)  # fmt: skip
        axes.set_title(one)
        axes.grid(visible=False, axis="y")
        for number in range(1, len(rows)):
            axes.axhline(number - 0.5, color="#EEEEEE", linewidth=0.8, zorder=0)
    grid[0, 0].set_yticks(range(len(rows)), rows)
    grid[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    if floor is not None:
        table = table[table["estimate"] >= floor]
        limits = limits or (floor - 0.03 * (1 - floor), _span(table)[1])
    grid[0, 0].set_xlim(*(limits or _span(table)))
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for place in range(len(panels)):
        if place + columns >= len(panels):  # the lowest of its column
            grid.flat[place].tick_params(labelbottom=True)
    figure.supxlabel(xlabel, fontsize="medium")
    if hue is not None:
        handles, names = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper right", ncol=min(6, len(hues)))
    return figure


def _span(table: pd.DataFrame) -> tuple[float, float]:
    """Limits that hold all estimates and nine in ten ends of their intervals."""
    low = np.nanmin([table["estimate"].min(), table["low"].quantile(0.05), 0.0])
    high = np.nanmax([table["estimate"].max(), table["high"].quantile(0.95), 0.0])
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def plot_attributions(songs: pd.DataFrame, *, xlabel: str = "Predicted rating") -> plt.Figure:
    """From the mean rating to a song's predicted one: how far each stem pushes, and which way.

    Parameters
    ----------
    songs : DataFrame
        From :func:`groove_utils.probe.attribute_songs`, of a handful of songs: ``track_id, stem,
        estimate, baseline, predicted, observed``, and ``label`` where rows are to be named by it.
    xlabel : str

    Returns
    -------
    matplotlib.figure.Figure
        One line a song, arrows from the baseline to the prediction, and the observed rating.
    """
    named = "label" if "label" in songs else "track_id"
    names, stems = list(dict.fromkeys(songs[named])), list(dict.fromkeys(songs["stem"]))
    colours = _stem_colours(stems)
    figure, axes = plt.subplots(figsize=(7.8, 1.2 + 0.62 * len(names)))
    step = 0.68 / len(stems)
    for line, name in enumerate(names):
        own = songs[songs[named] == name].set_index("stem").loc[stems]
        at = float(own["baseline"].iloc[0])
        top = line - 0.34
        for i, (stem, row) in enumerate(own.iterrows()):
            y = top + (i + 0.5) * step
            axes.barh(y, row["estimate"], left=at, height=0.86 * step, color=colours[stem],
                      label=stem if line == 0 else None)  # fmt: skip
            after = at + row["estimate"]
            axes.plot([after, after], [y, y + step], color="#999999", linewidth=0.8, zorder=0)
            at = after
        axes.plot(own["observed"].iloc[0], line, marker="D", color="black", markersize=5,
                  linestyle="", label="observed" if line == 0 else None)  # fmt: skip
        axes.plot([own["baseline"].iloc[0]] * 2, [line - 0.4, line + 0.4], color="#666666",
                  linewidth=1, linestyle=":",
                  label="mean of the training songs" if line == 0 else None)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set(xlabel=xlabel)
    axes.grid(visible=False, axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncol=6,
                  fontsize=9)  # fmt: skip
    return figure
