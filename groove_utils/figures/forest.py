"""Estimates with their intervals, one row each: the book's most frequent plot."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.figures.theme import OKABE_ITO

__all__ = ["plot_forest"]


def plot_forest(
    table: pd.DataFrame,
    *,
    label: str,
    panel: str | None = None,
    hue: str | None = None,
    xlabel: str = "Estimate",
    reference: float | None = 0.0,
    bands: pd.DataFrame | None = None,
    band_label: str = "noise ceiling",
) -> plt.Figure:
    """Draw estimates and intervals, in one panel or several side by side.

    Parameters
    ----------
    table : DataFrame
        Columns ``estimate``, ``low``, ``high`` and those named below. Rows keep their order, the
        first on top.
    label : str
        Column that names the rows.
    panel, hue : str, optional
        Columns whose values get a panel, or a colour, each.
    xlabel : str
        What the estimates are, with unit.
    reference : float, optional
        A vertical line, such as no effect.
    bands : DataFrame, optional
        Columns `panel`, ``low`` and ``high``: a shaded band in each panel, such as a ceiling.
    band_label : str
        What the band is.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = [None] if panel is None else list(dict.fromkeys(table[panel]))
    rows = list(dict.fromkeys(table[label]))
    hues = [None] if hue is None else list(dict.fromkeys(table[hue]))
    colours = dict(zip(hues, OKABE_ITO * (len(hues) // len(OKABE_ITO) + 1)))
    height = 1.1 + 0.30 * len(rows) * max(1.0, 0.55 * len(hues))
    figure, grid = plt.subplots(
        1,
        len(panels),
        sharey=True,
        squeeze=False,
        figsize=(max(7.5, 1.6 + 2.1 * len(panels)), height),
    )
    offsets = np.linspace(-0.25, 0.25, len(hues)) if len(hues) > 1 else [0.0]
    for axes, one in zip(grid[0], panels):
        part = table if one is None else table[table[panel] == one]
        if reference is not None:
            axes.axvline(reference, color="#888888", linewidth=1, zorder=1.5)  # above the grid
        if bands is not None:
            _draw_band(axes, bands if one is None else bands[bands[panel] == one], band_label)
        for value, offset in zip(hues, offsets):
            own = part if value is None else part[part[hue] == value]
            y = np.array([rows.index(name) for name in own[label]]) + offset
            # a bootstrap interval need not hold the estimate
            below = np.maximum(own["estimate"] - own["low"], 0)
            above = np.maximum(own["high"] - own["estimate"], 0)
            axes.errorbar(
                own["estimate"],
                y,
                xerr=[below, above],
                fmt="o",
                markersize=4.5,
                color=colours[value],
                label=value,
            )
        axes.set(xlabel=xlabel, title=one)
        axes.grid(visible=False, axis="y")
    grid[0, 0].set_yticks(range(len(rows)), rows)
    grid[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    handles, names = grid[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside upper right", ncol=4)
    return figure


def _draw_band(axes: plt.Axes, band: pd.DataFrame, name: str) -> None:
    for _, row in band.iterrows():
        axes.axvspan(row["low"], row["high"], color="#E69F00", alpha=0.22, linewidth=0, label=name)
