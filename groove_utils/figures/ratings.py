"""Plots of who rated what, and how (chapter 01)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from groove_utils.figures.maps import scatter_by_style, signed
from groove_utils.figures.theme import style_palette

__all__ = [
    "plot_correlations",
    "plot_design",
    "plot_halves",
    "plot_rater_curve",
    "plot_rating_distributions",
    "plot_scale_use",
    "plot_variance_shares",
]


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
        annot=signed(correlations),
        fmt="",
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
        From :func:`groove_utils.mixed.rater_curve`, with a column ``query``.
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


def plot_scale_use(listeners: pd.DataFrame, scale: tuple[float, float]) -> plt.Figure:
    """Where on the scale each listener's ratings lie, and how widely.

    Parameters
    ----------
    listeners : DataFrame
        Columns ``mean`` and ``sd``, one row a listener.
    scale : (float, float)
        The lowest and highest possible rating.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(figsize=(7.5, 3.8))
    axes.scatter(listeners["mean"], listeners["sd"], s=22, alpha=0.7, color="#0072B2")
    axes.axvline(listeners["mean"].mean(), color="black", linestyle=":", linewidth=1)
    axes.set(
        xlabel="Mean of a listener's ratings",
        ylabel="Standard deviation",
        xlim=scale,
        ylim=(0, None),
    )
    return figure


def plot_variance_shares(shares: pd.DataFrame) -> plt.Figure:
    """Whose is the variance of single ratings?

    Parameters
    ----------
    shares : DataFrame, queries × parts
        Shares that add up to 1; columns such as ``song``, ``listener`` and ``residual``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(figsize=(7.5, 1.2 + 0.38 * len(shares)))
    colours = {"song": "#D55E00", "listener": "#0072B2"}
    left = np.zeros(len(shares))
    for part in shares:
        values = shares[part].to_numpy(dtype=float)
        axes.barh(range(len(shares)), values, left=left, color=colours.get(part, "#BDBDBD"),
                  label=part)  # fmt: skip
        for row, (start, value) in enumerate(zip(left, values)):
            if value >= 0.06:
                axes.text(start + value / 2, row, f"{value:.2f}", ha="center", va="center",
                          fontsize=9, color="black" if part == "residual" else "white")  # fmt: skip
        left += values
    axes.set_yticks(range(len(shares)), shares.index)
    axes.invert_yaxis()
    axes.set(xlabel="Share of the variance of single ratings", xlim=(0, 1))
    axes.grid(visible=False, axis="y")
    figure.legend(loc="outside upper right", ncol=len(shares.columns))
    return figure


def plot_halves(halves: pd.DataFrame, styles: list[str]) -> plt.Figure:
    """Song means of one half of the listeners against those of the other.

    Parameters
    ----------
    halves : DataFrame
        Columns ``one``, ``other`` and ``style``, one row a song.
    styles : list of str
        Order of the styles.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = plt.subplots(figsize=(5.2, 4.4))
    scatter_by_style(axes, halves, "one", "other", styles, 20, diagonal=True)
    axes.set(xlabel="Mean of one half of the listeners", ylabel="Mean of the other half")
    axes.legend()
    return figure
