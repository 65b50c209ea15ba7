"""Forest plots: estimates with intervals, in labelled rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.errors import DetailedError
from groove_utils.figures.theme import OKABE_ITO, legend_above
from groove_utils.stats.wording import format_number, join_words

__all__ = ["draw_panels", "draw_rows", "plot_forest", "plot_forests", "value_colours"]


def plot_forest(
    table: pd.DataFrame,
    *,
    y: str,
    x: str = "estimate",
    interval: tuple[str, str] = ("low", "high"),
    panel: str | None = None,
    hue: str | None = None,
    xlabel: str = "Estimate",
    reference: float | None = 0.0,
    bands: pd.DataFrame | None = None,
    band_label: str = "noise ceiling",
    columns: int | None = None,
) -> plt.Figure:
    """Draw a forest plot: estimates with intervals in labelled rows, in one or more panels.

    Parameters
    ----------
    table : DataFrame
        One row per estimate, with the columns named by the parameters below. Rows are drawn in the
        order of the table, with the first at the top.
    y : str
        Column with the row names.
    x : str
        Column with the estimates.
    interval : (str, str)
        Columns with the lower and upper bounds. If the table lacks these columns, only dots are
        drawn.
    panel, hue : str, optional
        Columns whose values define the panels and the colours.
    xlabel : str
        Label of the horizontal axis, with unit.
    reference : float, optional
        Position of a vertical line, such as 0 for no effect.
    bands : DataFrame, optional
        One row per vertical band to shade, such as a noise ceiling: ``low``, ``high`` and the
        column named by `panel`.
    band_label : str
        Legend entry for the bands.
    columns : int, optional
        Number of panels per row; by default, all panels are in one row.

    Examples
    --------
    >>> table = pd.DataFrame({"model": ["a", "b"], "r2": [0.2, 0.4], "sd": [0.1, 0.1]})
    >>> table["from"], table["to"] = table["r2"] - table["sd"], table["r2"] + table["sd"]
    >>> figure = plot_forest(table, x="r2", y="model", interval=("from", "to"), xlabel="R²")
    >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
    ['a', 'b']
    """
    figure, panels = draw_panels(
        table, x=x, y=y, interval=interval, panel=panel, hue=hue, reference=reference,
        bands=bands, band_label=band_label, columns=columns,
    )  # fmt: skip
    for axes in panels:
        axes.set(xlabel=xlabel)
    return figure


def plot_forests(
    tables: Mapping[str, pd.DataFrame],
    *,
    y: str | Sequence[str],
    x: str | Sequence[str] = "estimate",
    interval: tuple[str, str] = ("low", "high"),
    hue: str | Sequence[str | None] | None = None,
    xlabel: str = "Estimate",
    reference: float | None = 0.0,
    floor: float = -np.inf,
) -> plt.Figure:
    """Draw several forest plots, one below the other, each with its own rows.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Title of a forest plot → its table; see :func:`plot_forest`.
    y, x, hue
        Column names as in :func:`plot_forest`, or sequences with one name per table. Each value in
        the `hue` columns has the same colour in all plots. A table whose `hue` is None is drawn in
        grey if another table has a `hue`.
    interval, xlabel, reference
        See :func:`plot_forest`.
    floor : float
        Estimates below this value are drawn at this value, as arrows labelled with the estimate.
    """
    xs, ys, hues = (
        [names] * len(tables) if names is None or isinstance(names, str) else list(names)
        for names in (x, y, hue)
    )
    rows = [list(dict.fromkeys(table[name])) for table, name in zip(tables.values(), ys)]
    coloured = [table[name] for table, name in zip(tables.values(), hues) if name is not None]
    colours = value_colours(pd.concat(coloured) if coloured else [None])
    neutral = {None: "#555555"} if coloured else colours
    heights = [0.9 + len(names) * 0.3 * max(1.0, 0.4 * len(colours)) for names in rows]
    figure, panels = plt.subplots(
        len(tables), 1, sharex=True, squeeze=False,
        figsize=(7.5, 0.8 + sum(heights)), height_ratios=heights,
    )  # fmt: skip
    for axes, (title, table), names, *columns in zip(
        panels[:, 0], tables.items(), rows, xs, ys, hues
    ):
        if reference is not None:
            axes.axvline(reference, color="#888888", linewidth=1, zorder=1.5)
        x, y, hue = columns
        draw_rows(
            axes, table, names, x=x, y=y, interval=interval, hue=hue,
            colours=neutral if hue is None else colours, floor=floor,
        )  # fmt: skip
        axes.set_yticks(range(len(names)), names)
        axes.set_title(title)
    panels[-1, 0].set_xlabel(xlabel)
    legend_above(figure, panels[0, 0], min(4, len(colours)))
    return figure


def value_colours(values: Iterable) -> dict:
    """Assign one palette colour to each distinct value, in order of appearance."""
    values = list(dict.fromkeys(values))
    return dict(zip(values, OKABE_ITO * (len(values) // len(OKABE_ITO) + 1)))


def draw_panels(
    table: pd.DataFrame,
    *,
    y: str,
    x: str = "estimate",
    interval: tuple[str, str] = ("low", "high"),
    panel: str | None = None,
    hue: str | None = None,
    columns: int | None = None,
    row_height: float = 0.3,
    reference: float | None = 0.0,
    floor: float = -np.inf,
    share_x: bool = False,
    bands: pd.DataFrame | None = None,
    band_label: str | None = None,
) -> tuple[plt.Figure, list[plt.Axes]]:
    """Draw one panel of estimates per value of `panel`, with shared rows and a shared legend.

    Parameters
    ----------
    table, x, y, interval, panel, hue, reference, bands, band_label
        See :func:`plot_forest`.
    columns : int, optional
        Number of panels per row; by default, all panels are in one row.
    row_height : float
        Height of a row in inches. If there are n ≥ 2 colours, the height is multiplied by 0.55 n.
    floor : float
        See :func:`draw_rows`.
    share_x : bool
        If True, all panels have the same horizontal range.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    panels : list of matplotlib.axes.Axes
        The axes of the panels.
    """
    values = [None] if panel is None else list(dict.fromkeys(table[panel]))
    rows = list(dict.fromkeys(table[y]))
    colours = value_colours([None] if hue is None else table[hue])
    columns = min(columns or len(values), len(values))
    lines = -(-len(values) // columns)
    height = 0.6 + row_height * len(rows) * max(1.0, 0.55 * len(colours))
    figure, grid = plt.subplots(
        lines, columns, sharex=share_x, sharey=True, squeeze=False,
        figsize=(max(7.5, 1.6 + 2.1 * columns), 0.5 + lines * height),
    )  # fmt: skip
    for axes, value in zip(grid.flat, values):
        if reference is not None:
            axes.axvline(reference, color="#888888", linewidth=1, zorder=1.5)  # above the grid
        if bands is not None:
            shaded = bands if value is None else bands[bands[panel] == value]
            for low, high in zip(shaded["low"], shaded["high"]):
                axes.axvspan(low, high, color="#E69F00", alpha=0.22, linewidth=0, label=band_label)
        part = table if value is None else table[table[panel] == value]
        draw_rows(
            axes, part, rows, x=x, y=y, interval=interval, hue=hue, colours=colours, floor=floor
        )
        axes.set_title(value)
    grid[0, 0].set_yticks(range(len(rows)), rows)
    for axes in grid.flat[len(values) :]:
        axes.set_axis_off()
    for axes in grid.flat[max(0, len(values) - columns) : len(values)]:
        axes.tick_params(labelbottom=True)  # on the lowest panel in each column
    legend_above(figure, grid[0, 0], min(6, max(4, len(colours))))
    return figure, list(grid.flat[: len(values)])


def draw_rows(
    axes: plt.Axes,
    table: pd.DataFrame,
    rows: Sequence[str],
    *,
    y: str,
    x: str = "estimate",
    interval: tuple[str, str] = ("low", "high"),
    hue: str | None = None,
    colours: dict,
    floor: float = -np.inf,
) -> None:
    """Draw estimates as dots in labelled rows, with their intervals.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Axes to draw on.
    table : DataFrame
        One row per estimate, with the columns named by `y`, `x`, `hue` and, optionally, `interval`.
        Bounds may be NaN, but if any colour has bounds, every colour must have bounds in at least
        one row.
    rows : sequence of str
        Names of the rows, with the first at the top.
    x, y, interval, hue
        See :func:`plot_forest`.
    colours : dict
        Value of `hue` → its colour.
    floor : float
        Estimates below this value are drawn at this value, as arrows labelled with the estimate, so
        that a very low estimate does not compress the rest of the axis.

    Raises
    ------
    DetailedError
        If some colours have bounds, but others have none.
    """
    _check_bounds(table, x, interval, hue)
    low, high = interval
    offsets = np.linspace(-0.25, 0.25, len(colours)) if len(colours) > 1 else [0.0]
    for (value, colour), offset in zip(colours.items(), offsets):
        part = table if hue is None else table[table[hue] == value]
        heights = np.array([rows.index(name) for name in part[y]], dtype=float) + offset
        estimates = part[x].to_numpy(dtype=float)
        shown, errors = estimates >= floor, None
        if low in part:  # a bootstrap interval need not contain the estimate
            ends = [estimates - part[low].to_numpy(float), part[high].to_numpy(float) - estimates]
            errors = np.maximum(ends, 0)[:, shown]
        axes.errorbar(
            estimates[shown], heights[shown], xerr=errors, fmt="o", markersize=4.5, color=colour,
            label=value,
        )  # fmt: skip
        below = estimates < floor
        axes.scatter(np.full(below.sum(), floor), heights[below], marker="<", s=28, color=colour)
        for height, number in zip(heights[below], estimates[below]):
            axes.annotate(format_number(number, ",.3g"), (floor, height), xytext=(6, 0),
                          textcoords="offset points", va="center", fontsize=9)  # fmt: skip
    if len(colours) > 1:
        for number in range(1, len(rows)):
            axes.axhline(number - 0.5, color="#EEEEEE", linewidth=0.8, zorder=0)
    axes.grid(visible=False, axis="y")
    axes.set_ylim(len(rows) - 0.5, -0.5)


def _check_bounds(table: pd.DataFrame, x: str, interval: tuple[str, str], hue: str | None) -> None:
    """Raise a DetailedError if some colours have bounds, but others have none."""
    if hue is None or not set(interval) <= set(table):
        return
    drawn = table[table[x].notna()]
    has_bounds = drawn[list(interval)].notna().all(axis=1).groupby(drawn[hue], sort=False).any()
    if has_bounds.any() and not has_bounds.all():
        missing = has_bounds.index[~has_bounds].tolist()
        raise DetailedError(
            f"{join_words(interval)} are NaN in all rows with {hue} = "
            f"{join_words(map(repr, missing))}, but other rows have bounds. If you assigned a "
            "Series, pandas aligned it by its index: assign its values instead (.to_numpy()). To "
            "draw no intervals, remove these columns from the table.",
            kind="not_finite", column=interval[0], value=missing,
        )  # fmt: skip
