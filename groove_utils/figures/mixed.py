"""Plots of mixed models (chapter 08)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

__all__ = ["plot_fitted_lines"]


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
    for row in lines.itertuples():
        shade = "#56B4E9" if shades is None else shades.to_rgba(getattr(row, colour))
        axes.plot(ends, row.intercept + row.slope * ends, color=shade, alpha=0.45, linewidth=0.8)
    average = lines[["intercept", "slope"]].mean()
    axes.plot(ends, average["intercept"] + average["slope"] * ends, color="black", linewidth=2.5)
    if shades is not None:
        figure.colorbar(shades, ax=axes, label=colour)
    axes.set(xlabel=xlabel or x, ylabel=ylabel, xlim=ends)
    return figure
