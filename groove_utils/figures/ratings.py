"""Plots of who rated what, and how (chapter 01)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from groove_utils.figures.theme import style_palette

__all__ = ["plot_correlations", "plot_design", "plot_rater_curve", "plot_rating_distributions"]


def plot_design(matrix: pd.DataFrame, styles: pd.Series) -> plt.Figure:
    """Which listener rated which track, and how.

    Parameters
    ----------
    matrix : DataFrame, listeners × tracks
        NaN where a listener did not rate a track.
    styles : Series of str, indexed by track
        The tracks are put in order of it.

    Returns
    -------
    matplotlib.figure.Figure
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
    axes.set(xlabel="Track, by style", ylabel="Listener")
    axes.grid(visible=False)
    figure.colorbar(image, label="Rating")
    return figure


def plot_rating_distributions(means: pd.DataFrame, styles: list[str]) -> plt.Figure:
    """Song means of each question, by style.

    Parameters
    ----------
    means : DataFrame
        Columns ``query``, ``style`` and ``mean``, one row a song and question.
    styles : list of str
        Order of the styles.

    Returns
    -------
    matplotlib.figure.Figure
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
    """A correlation matrix with its numbers.

    Parameters
    ----------
    correlations : DataFrame, square
        Values from −1 to 1.
    label : str
        What the values are.

    Returns
    -------
    matplotlib.figure.Figure
    """
    size = 1.6 + 0.75 * len(correlations)
    figure, axes = plt.subplots(figsize=(size + 0.8, size))
    above = np.triu(np.ones(correlations.shape, dtype=bool), k=1)
    sns.heatmap(
        correlations,
        mask=above,
        annot=True,
        fmt=".2f",
        vmin=-1,
        vmax=1,
        cmap="RdBu_r",
        square=True,
        cbar_kws={"label": label, "shrink": 0.7},
        ax=axes,
    )
    axes.grid(visible=False)
    axes.set(xlabel="", ylabel="")
    return figure


def plot_rater_curve(curve: pd.DataFrame, raters: float) -> plt.Figure:
    """Reliability of song means against the number of raters.

    Parameters
    ----------
    curve : DataFrame
        From :func:`groove_utils.probe.rater_curve`, with a column ``query``.
    raters : float
        How many raters a song had in this study; marked.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots()
    for query, part in curve.groupby("query", sort=False):
        (line,) = axes.plot(part["k"], part["reliability"], marker="o", markersize=4, label=query)
        axes.fill_between(part["k"], part["low"], part["high"], color=line.get_color(), alpha=0.12)
    axes.axvline(raters, color="black", linestyle=":", linewidth=1)
    axes.annotate(
        f"this study: {raters:.0f}",
        (raters, 0.02),
        xytext=(5, 0),
        textcoords="offset points",
        va="bottom",
    )
    axes.set_xscale("log")
    ticks = sorted(set(curve["k"]))
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.minorticks_off()
    axes.set(xlabel="Raters a song", ylabel="Reliability of the song means", ylim=(0, 1))
    axes.legend(title=None)
    return figure
