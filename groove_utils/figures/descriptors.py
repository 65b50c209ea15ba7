"""Plots of handcrafted descriptors."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from groove_utils.figures.theme import legend_above, style_palette

__all__ = [
    "plot_clustered_correlations",
    "plot_dependence",
    "plot_distributions",
    "plot_estimates",
    "plot_pulse",
]


def plot_distributions(
    songs: pd.DataFrame, panels: Mapping[str, str], styles: list[str], columns: int = 4
) -> plt.Figure:
    """Plot the distribution of each descriptor by style, one panel per descriptor.

    Parameters
    ----------
    songs : DataFrame
        One row per song: ``style`` and one column per descriptor. NaN values are ignored, and
        descriptors that are NaN for all songs have no panel.
    panels : mapping of str to str
        Column of the descriptor → title of its panel.
    styles : list of str
        Order of the styles.
    columns : int
        Number of panels per row.
    """
    panels = {name: title for name, title in panels.items() if songs[name].notna().any()}
    lines = -(-len(panels) // columns)
    figure, grid = plt.subplots(
        lines, columns, figsize=(9.5, 0.5 + (0.55 + 0.28 * len(styles)) * lines), squeeze=False,
        sharey=True,
    )  # fmt: skip
    palette = style_palette(styles)
    for axes, (name, title) in zip(grid.flat, panels.items()):
        shared = {"data": songs, "x": name, "y": "style", "order": styles, "hue": "style"}
        shared |= {"hue_order": styles, "palette": palette, "legend": False, "ax": axes}
        sns.boxplot(**shared, fill=False, fliersize=0, width=0.6, linewidth=1)
        sns.stripplot(**shared, size=2.2, alpha=0.6)
        axes.set_title(title, fontsize=9.5)
        axes.set(xlabel="", ylabel="")
        axes.tick_params(labelsize=9)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    return figure


def plot_clustered_correlations(correlations: pd.DataFrame) -> plt.Figure:
    """Draw a heat map of correlations, with similar rows and columns next to each other.

    Parameters
    ----------
    correlations : DataFrame, square
        Pearson correlations. Rows and columns are ordered by average-linkage clustering, with 1
        minus the absolute correlation as the distance.
    """
    distance = 1 - correlations.abs().to_numpy()
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), method="average", optimal_ordering=True)
    order = correlations.index[leaves_list(tree)]
    size = 2.2 + 0.2 * len(order)
    figure, axes = plt.subplots(figsize=(size + 1, size))
    sns.heatmap(
        correlations.loc[order, order],
        vmin=-1,
        vmax=1,
        cmap="RdBu_r",
        square=True,
        linewidths=0.4,
        xticklabels=True,
        yticklabels=True,
        cbar_kws={"label": "Pearson r", "shrink": 0.6},
        ax=axes,
    )
    axes.tick_params(labelsize=9)
    axes.grid(visible=False)
    axes.set(xlabel="", ylabel="")
    return figure


def plot_dependence(curves: pd.DataFrame, songs: pd.Series, xlabel: str, ylabel: str) -> plt.Figure:
    """Plot partial-dependence curves with shaded intervals, and the songs' values as a rug plot.

    Parameters
    ----------
    curves : DataFrame
        Columns ``kind`` (one curve per value), ``x``, ``estimate``, ``low`` and ``high``. Curves
        whose bounds are NaN are dashed.
    songs : Series
        Value of each song, drawn as a tick on the horizontal axis.
    xlabel, ylabel : str
        Axis labels.
    """
    figure, axes = plt.subplots()
    for kind, part in curves.groupby("kind", sort=False):
        banded = part["low"].notna().all()
        (line,) = axes.plot(part["x"], part["estimate"], label=kind, ls="-" if banded else "--")
        if banded:
            axes.fill_between(
                part["x"], part["low"], part["high"], color=line.get_color(), alpha=0.15
            )
    axes.axhline(0, color="#888888", linewidth=1, zorder=0)
    visible = songs[songs.between(curves["x"].min(), curves["x"].max())]
    bottom = axes.get_ylim()[0]
    axes.plot(visible, np.full(len(visible), bottom), "|", color="black", alpha=0.5, markersize=8)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    figure.legend(loc="outside upper right", ncol=3)
    return figure


def plot_estimates(estimates: pd.DataFrame, titles: Mapping[str, str], styles: list[str]):
    """Plot estimates from audio against true values, one panel per quantity.

    Parameters
    ----------
    estimates : DataFrame
        One row per song and quantity: ``quantity``, ``style``, ``truth``, ``estimate``, ``low`` and
        ``high``. Error bars extend from ``low`` to ``high``, which may be NaN.
    titles : mapping of str to str
        Quantity → title of its panel.
    styles : list of str
        Order of the styles.
    """
    columns = min(3, len(titles))
    lines = -(-len(titles) // columns)
    figure, grid = plt.subplots(lines, columns, figsize=(9.5, 3.1 * lines + 0.3), squeeze=False)
    palette = style_palette(styles)
    for axes, (quantity, title) in zip(grid.flat, titles.items()):
        part = estimates[estimates["quantity"] == quantity].dropna(subset=["estimate"])
        both = part[["truth", "estimate"]]
        ends = [both.min().min(), both.max().max()]
        axes.plot(ends, ends, color="#888888", linewidth=1, zorder=0)
        for style in styles:
            rows = part[part["style"] == style]
            axes.vlines(rows["truth"], rows["low"], rows["high"], color=palette[style], alpha=0.3)
            axes.scatter(rows["truth"], rows["estimate"], s=11, color=palette[style], label=style)
        margin = 0.06 * (ends[1] - ends[0])
        axes.set(title=title, ylim=(ends[0] - margin, ends[1] + margin))
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("Estimated from audio")
    for axes in grid[-1]:
        axes.set_xlabel("True value")
    legend_above(figure, grid[0, 0], len(styles))
    return figure


def plot_pulse(
    onsets: np.ndarray,
    r: np.ndarray,
    step: float,
    best: float,
    lags: tuple[float, float] = (0.3, 1.5),
) -> plt.Figure:
    """Plot an onset curve next to its autocorrelation, and mark the lag of the clearest pulse.

    Parameters
    ----------
    onsets : ndarray, shape (n_frames,)
        Onset strength; only the first five seconds are shown.
    r : ndarray, shape (n_lags,)
        Autocorrelation of the onset strength, normalised to 1 at lag 0.
    step : float
        Time step of both curves, in seconds.
    best : float
        Lag of the highest peak, in seconds.
    lags : (float, float)
        Range of lags to shade, in seconds: the range that was searched for the peak.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3), width_ratios=[1.3, 1])
    shown = onsets[: round(5 / step)]
    left.plot(np.arange(len(shown)) * step, shown, color="#0072B2", linewidth=0.9)
    left.set(xlabel="Time (s)", ylabel="Onset strength")
    shown = r[: round(2 / step)]
    right.plot(np.arange(len(shown)) * step, shown, color="#0072B2", linewidth=1)
    right.axvspan(*lags, color="#E69F00", alpha=0.18, linewidth=0)
    right.plot(best, r[round(best / step)], "o", color="#D55E00")
    right.set(xlabel="Lag (s)", ylabel="Autocorrelation")
    return figure
