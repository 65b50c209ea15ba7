"""Plots of song maps, nearest neighbours and the similarity of models."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from groove_utils.figures.forest import draw_panels
from groove_utils.figures.theme import legend_above, style_palette
from groove_utils.stats.wording import format_number

__all__ = [
    "draw_matrix",
    "plot_model_maps",
    "plot_similarity",
    "plot_song_maps",
    "scatter_by_style",
    "signed",
]


def signed(square: pd.DataFrame) -> pd.DataFrame:
    """Format numbers to two decimal places with a true minus sign; NaN becomes an empty string."""
    return square.map(lambda v: "" if pd.isna(v) else format_number(v))


def draw_matrix(axes: plt.Axes, table: pd.DataFrame, label: str, **options) -> None:
    """Draw a matrix as an annotated heat map, passing `options` to :func:`seaborn.heatmap`."""
    style = {"annot": signed(table), "fmt": "", "cbar_kws": {"label": label, "shrink": 0.8}}
    sns.heatmap(table, ax=axes, **(style | options))
    axes.grid(visible=False)


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
    """Draw a scatter plot of songs, coloured by style.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes to draw on.
    songs : DataFrame
        One row per song: ``style`` and the columns named by `x` and `y`.
    x, y : str
        Columns to plot on the x and y axes.
    styles : list of str
        Order of the styles in the legend.
    size : float
        Area of a dot, in square points.
    diagonal : bool
        If True, also draw the line y = x.
    """
    palette = style_palette(styles)
    if diagonal:
        both = songs[[x, y]].to_numpy()
        ends = [np.nanmin(both), np.nanmax(both)]
        axes.plot(ends, ends, color="#888888", linewidth=1, zorder=0)
    for style in styles:
        part = songs[songs["style"] == style]
        axes.scatter(part[x], part[y], s=size, color=palette[style], label=style)


def plot_song_maps(
    positions: pd.DataFrame, styles: list[str], rating: str, columns: str = "map"
) -> plt.Figure:
    """Draw maps of songs side by side, coloured by style (upper row) and by rating (lower row).

    Parameters
    ----------
    positions : DataFrame
        One row per song and map: ``x``, ``y``, ``style``, and the columns named by `rating` and
        `columns`.
    styles : list of str
        Order of the styles.
    rating : str
        Column with the ratings that determine the colours in the lower row.
    columns : str
        Column with the names of the maps.
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
    legend_above(figure, grid[0, 0], len(styles))
    return figure


def plot_model_maps(positions: pd.DataFrame, styles: list[str]) -> plt.Figure:
    """Draw small maps of songs, three per row, coloured by style.

    Parameters
    ----------
    positions : DataFrame
        One row per song and map: ``x``, ``y``, ``style`` and ``map`` (name of the map).
    styles : list of str
        Order of the styles.
    """
    parts = dict(list(positions.groupby("map", sort=False)))
    n_rows = -(-len(parts) // 3)
    figure, grid = plt.subplots(n_rows, 3, figsize=(7.5, 0.4 + 2.6 * n_rows), squeeze=False)
    for axes in grid.flat[len(parts) :]:
        axes.set_axis_off()
    for axes, (name, part) in zip(grid.flat, parts.items()):
        scatter_by_style(axes, part, "x", "y", styles)
        axes.set(xticks=[], yticks=[])
        axes.set_title(name, fontsize=10)
    if len(styles) > 1:
        handles, labels = grid[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper right", ncol=min(len(styles), 6))
    return figure


def plot_similarity(pairs: pd.DataFrame, models: list[str]) -> plt.Figure:
    """Draw a similarity matrix for models: CKA below the diagonal, rank correlation above it.

    Parameters
    ----------
    pairs : DataFrame
        Output of :func:`groove_utils.similarity.compare_embeddings`.
    models : list of str
        Order of the models.
    """
    values = pd.DataFrame(np.nan, index=models, columns=models)
    for row in pairs.itertuples():
        first, second = sorted([row.first, row.second], key=models.index)
        values.loc[second, first] = row.cka
        values.loc[first, second] = row.rho
    figure, axes = plt.subplots(figsize=(2.4 + 0.85 * len(models), 1.6 + 0.7 * len(models)))
    draw_matrix(axes, values, "CKA (below diagonal), rho (above)", vmin=0, vmax=1, cmap="viridis")
    axes.tick_params(axis="x", rotation=30)
    return figure


def plot_neighbours(rates: pd.DataFrame) -> plt.Figure:
    """Plot, for each model, how often nearest neighbours share an artist or a style.

    Untrained networks, whose names end in ``-untrained``, share a row with their trained
    counterparts. Dashed lines show the rates expected by chance.

    Parameters
    ----------
    rates : DataFrame
        Results of :func:`groove_utils.similarity.neighbour_rate`, one row per model and label:
        ``model, label, rate, low, high, chance``.
    """
    twin = rates["model"].str.endswith("-untrained")
    table = rates.assign(
        estimate=rates["rate"],
        model=rates["model"].str.removesuffix("-untrained"),
        network=np.where(twin, "untrained twin", "trained"),
        label="Same " + rates["label"],
    )
    figure, panels = draw_panels(
        table, y="model", panel="label", hue="network", reference=None, share_x=True
    )
    for axes, chance in zip(panels, table.groupby("label", sort=False)["chance"].first()):
        axes.axvline(chance, linestyle="--", color="0.4", linewidth=1)
        axes.set(xlabel="Share of nearest neighbours", xlim=(0, 1.03))
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    return figure
