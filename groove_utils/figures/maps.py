"""Songs as dots on a plane (chapter 05)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from groove_utils.figures.theme import style_palette

__all__ = ["plot_similarity", "plot_song_maps", "scatter_by_style", "signed"]


def signed(square: pd.DataFrame) -> pd.DataFrame:
    """Numbers of a matrix as text with two decimals and proper minus signs, blank where missing."""
    return square.map(lambda v: "" if pd.isna(v) else f"{v:.2f}".replace("-", "−"))


def scatter_by_style(
    axes: plt.Axes,
    songs: pd.DataFrame,
    x: str,
    y: str,
    styles: list[str],
    size: float = 16,
    *,
    diagonal: bool = False,
) -> None:
    """Draw songs as dots in the colours of their styles.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    songs : DataFrame
        Columns ``style`` and those named by `x` and `y`, one row a song.
    x, y : str
    styles : list of str
        Order of the styles; each becomes a label.
    size : float
        Area of a dot, in square points.
    diagonal : bool
        Draw the line of equal values, over the range of both.
    """
    palette = style_palette(styles)
    if diagonal:
        both = songs[[x, y]].to_numpy()
        ends = [np.nanmin(both), np.nanmax(both)]
        axes.plot(ends, ends, color="#888888", linewidth=1, zorder=0)
    for style in styles:
        own = songs[songs["style"] == style]
        axes.scatter(own[x], own[y], s=size, color=palette[style], label=style)


def plot_song_maps(
    positions: pd.DataFrame, styles: list[str], rating: str, columns: str = "map"
) -> plt.Figure:
    """Maps of the same songs side by side: coloured by style above, by rating below.

    Parameters
    ----------
    positions : DataFrame
        Columns ``x``, ``y``, ``style``, the one named by `rating`, and the one named by
        `columns`, one row a song and map.
    styles : list of str
        Order of the styles.
    rating : str
        Column that colours the lower row.
    columns : str
        Column whose values get a map each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = list(dict.fromkeys(positions[columns]))
    figure, grid = plt.subplots(
        2, len(names), figsize=(max(7.5, 3.1 * len(names)), 6.5), squeeze=False
    )
    low, high = np.nanpercentile(positions[rating], [2, 98])
    for column, name in enumerate(names):
        part = positions[positions[columns] == name]
        scatter_by_style(grid[0, column], part, "x", "y", styles)
        shade = grid[1, column].scatter(
            part["x"], part["y"], s=16, c=part[rating], cmap="viridis", vmin=low, vmax=high
        )
        grid[0, column].set_title(name)
        for axes in grid[:, column]:
            axes.set(xticks=[], yticks=[])
    figure.colorbar(shade, ax=grid[1, :], label=f"Mean rating: {rating}", shrink=0.85)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncol=len(styles))
    return figure


def plot_similarity(pairs: pd.DataFrame, models: list[str]) -> plt.Figure:
    """How alike models find the same songs: CKA below the diagonal, rank correlation above.

    Parameters
    ----------
    pairs : DataFrame
        From :func:`groove_utils.embed.similarity.compare_geometries`.
    models : list of str
        Order of the models.

    Returns
    -------
    matplotlib.figure.Figure
    """
    values = pd.DataFrame(np.nan, index=models, columns=models)
    for row in pairs.itertuples():
        first, second = sorted([row.first, row.second], key=models.index)
        values.loc[second, first] = row.cka
        values.loc[first, second] = row.rho
    figure, axes = plt.subplots(figsize=(2.4 + 0.85 * len(models), 1.6 + 0.7 * len(models)))
    sns.heatmap(
        values,
        annot=signed(values),
        fmt="",
        vmin=0,
        vmax=1,
        cmap="viridis",
        cbar_kws={"label": "CKA (below), rho (above)"},
        ax=axes,
    )
    axes.grid(visible=False)
    axes.tick_params(axis="x", rotation=30)
    return figure
