"""Plots of ratings, listeners and song means."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from groove_utils.figures.maps import draw_matrix, scatter_by_style
from groove_utils.figures.theme import style_palette

__all__ = [
    "plot_correlations",
    "plot_design",
    "plot_halves",
    "plot_rater_curve",
    "plot_rating_distributions",
    "plot_scale_use",
]


def plot_design(matrix: pd.DataFrame, styles: pd.Series) -> plt.Figure:
    """Draw all ratings as a matrix, one row per listener and one column per track.

    Parameters
    ----------
    matrix : DataFrame, listeners × tracks
        Ratings; NaN if a listener did not rate a track.
    styles : Series of str, indexed by track
        Style of each track. The tracks are sorted by style.
    """
    order = styles.sort_values(kind="stable").index
    figure, axes = plt.subplots(figsize=(7.5, 4.6))
    cells = np.ma.masked_invalid(matrix[order].to_numpy(dtype=float))
    image = axes.imshow(cells, aspect="auto", cmap="viridis", interpolation="nearest")
    edges = np.cumsum(styles.value_counts().reindex(styles[order].unique()))
    for edge in edges[:-1]:
        axes.axvline(edge - 0.5, color="black", linewidth=1)
    starts = np.r_[0, edges[:-1]]
    axes.set_xticks((starts + edges) / 2 - 0.5, edges.index)
    axes.set(xlabel="Tracks, sorted by style", ylabel="Listeners")
    axes.grid(visible=False)
    figure.colorbar(image, label="Rating")
    return figure


def plot_rating_distributions(means: pd.DataFrame, styles: list[str]) -> plt.Figure:
    """Plot the distribution of the songs' mean ratings by style, for each question.

    Parameters
    ----------
    means : DataFrame
        One row per song and question: ``query`` (the question), ``style`` and ``mean``.
    styles : list of str
        Order of the styles.
    """
    figure, axes = plt.subplots(figsize=(7.5, 4.2))
    shared = {"data": means, "x": "query", "y": "mean", "hue": "style", "hue_order": styles}
    palette = style_palette(styles)
    sns.boxplot(**shared, palette=palette, fliersize=0, width=0.75, fill=False, ax=axes)
    sns.stripplot(**shared, palette=palette, dodge=True, size=2.6, alpha=0.6, legend=False, ax=axes)
    axes.set(xlabel="", ylabel="Mean rating of a song")
    sns.move_legend(axes, "lower center", bbox_to_anchor=(0.5, 1), ncol=len(styles), title=None)
    return figure


def plot_correlations(correlations: pd.DataFrame, label: str = "Pearson r") -> plt.Figure:
    """Draw the lower triangle of a correlation matrix as an annotated heat map.

    Parameters
    ----------
    correlations : DataFrame, square
        Correlations, from −1 to 1.
    label : str
        Label of the colour bar.
    """
    size = 1.6 + 0.75 * len(correlations)
    figure, axes = plt.subplots(figsize=(size + 0.8, size))
    above = np.triu(np.ones(correlations.shape, dtype=bool), k=1)
    draw_matrix(axes, correlations, label, mask=above, vmin=-1, vmax=1, cmap="RdBu_r", square=True)
    axes.set(xlabel="", ylabel="")
    return figure


def plot_rater_curve(curve: pd.DataFrame, raters: float) -> plt.Figure:
    """Plot the reliability of song means by number of raters.

    Parameters
    ----------
    curve : DataFrame
        Output of :func:`groove_utils.mixed.rater_curve`, with the additional column ``query`` (one
        curve per question). An optional column ``observed``, containing the correlation between two
        panels of k raters, is drawn as crosses.
    raters : float
        Number of raters per song in this study, marked by a vertical line.
    """
    figure, axes = plt.subplots()
    for query, part in curve.groupby("query", sort=False):
        (line,) = axes.plot(part["k"], part["reliability"], marker="o", markersize=4, label=query)
        axes.fill_between(part["k"], part["low"], part["high"], color=line.get_color(), alpha=0.12)
        if part.get("observed", pd.Series(dtype=float)).notna().any():
            axes.plot(part["k"], part["observed"], "x", color="black", label="two panels compared")
    axes.axvline(raters, color="black", linestyle=":", linewidth=1)
    axes.annotate(f"this study: {raters:.0f}", (raters, 0.02), xytext=(5, 0),
                  textcoords="offset points", va="bottom")  # fmt: skip
    axes.set_xscale("log")
    ticks = sorted(set(curve["k"]))
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.minorticks_off()
    axes.set(xlabel="Raters per song", ylabel="Reliability of the song means", ylim=(0, 1))
    axes.legend(title=None)
    return figure


def plot_scale_use(listeners: pd.DataFrame, scale: tuple[float, float]) -> plt.Figure:
    """Plot the standard deviation of each listener's ratings against the listener's mean rating.

    Parameters
    ----------
    listeners : DataFrame
        One row per listener: ``mean`` and ``sd`` (standard deviation) of the listener's ratings.
    scale : (float, float)
        Lowest and highest possible rating.
    """
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    axes.scatter(listeners["mean"], listeners["sd"], s=22, alpha=0.7, color="#0072B2")
    axes.axvline(listeners["mean"].mean(), color="black", linestyle=":", linewidth=1)
    axes.set(xlabel="Mean of a listener's ratings", ylabel="Standard deviation", xlim=scale)
    axes.set_ylim(bottom=0)
    return figure


def plot_halves(halves: pd.DataFrame, styles: list[str]) -> plt.Figure:
    """Plot songs' mean ratings from one half of the listeners against those from the other half.

    Parameters
    ----------
    halves : DataFrame
        One row per song: ``one`` and ``other`` (mean ratings from each half), and ``style``.
    styles : list of str
        Order of the styles.
    """
    figure, axes = plt.subplots(figsize=(5.2, 4.4))
    scatter_by_style(axes, halves, "one", "other", styles, 20, diagonal=True)
    axes.set(xlabel="Mean of one half of the listeners", ylabel="Mean of the other half")
    axes.legend()
    return figure
