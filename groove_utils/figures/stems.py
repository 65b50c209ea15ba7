"""Plots of how stems contribute to scores and predictions."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.figures.forest import draw_panels, draw_rows
from groove_utils.figures.theme import OKABE_ITO, legend_above
from groove_utils.study.stem_names import STEMS

__all__ = ["plot_attributions", "plot_stem_shares", "plot_subset_scores"]

STEM_COLOURS = dict(zip(STEMS, OKABE_ITO))


def _stem_colours(stems: Sequence[str]) -> dict[str, str]:
    """Return one colour per stem; known stems have the same colour in every plot."""
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
    """Plot scores for subsets of stems, next to dots that show which stems are in each subset.

    Parameters
    ----------
    table : DataFrame
        Columns ``subset`` (such as ``drums+bass`` or ``none``), ``estimate``, ``low``, ``high``,
        and the column named by `hue`. Subsets are drawn in order of appearance, with the first at
        the top.
    stems : sequence of str
        Names of the stems, one per column of the grid of dots.
    hue : str, optional
        Column whose values define the colours, such as the audio on which a probe was trained.
    xlabel : str
        Label of the horizontal axis.
    floor : float
        Left end of the horizontal axis. Lower scores are drawn there, as arrows labelled with the
        score.
    """
    rows = list(dict.fromkeys(table["subset"]))
    hues = [None] if hue is None else dict.fromkeys(table[hue])
    colours = dict(zip(hues, ["#000000", *OKABE_ITO[4:6]]))
    figure, (dots, axes) = plt.subplots(
        1, 2, sharey=True, figsize=(7.8, 1.2 + 0.24 * len(rows) * max(1.0, 0.6 * len(colours))),
        width_ratios=[0.2 + 0.1 * len(stems), 2],
    )  # fmt: skip
    for x, (stem, colour) in enumerate(_stem_colours(stems).items()):
        present = np.array([stem in name.split("+") for name in rows])
        y = np.arange(len(rows))
        dots.scatter(np.full((~present).sum(), x), y[~present], s=14, color="#DDDDDD")
        dots.scatter(np.full(present.sum(), x), y[present], s=42, color=colour)
    dots.set_xticks(range(len(stems)), stems, rotation=55, ha="right", rotation_mode="anchor")
    dots.set(xlim=(-0.6, len(stems) - 0.4), yticks=[])
    dots.grid(visible=False)
    dots.spines[:].set_visible(False)
    axes.axvline(0, color="#888888", linewidth=1, zorder=1.5)
    draw_rows(axes, table, rows, y="subset", hue=hue, colours=colours, floor=floor)
    axes.set_xlim(left=max(axes.get_xlim()[0], floor - 0.08))
    axes.set(xlabel=xlabel)
    if hue is not None:
        legend_above(figure, axes, 3)
    return figure


def plot_stem_shares(
    table: pd.DataFrame,
    *,
    panel: str,
    hue: str | None = None,
    y: str = "stem",
    columns: int = 3,
    xlabel: str = "Share of out-of-fold R²",
    floor: float = -np.inf,
) -> plt.Figure:
    """Plot stems' contributions and their intervals, in a grid of panels that have a row per stem.

    Parameters
    ----------
    table : DataFrame
        Columns ``estimate``, ``low``, ``high``, and the columns named by `y`, `panel` and `hue`.
        Stems are drawn in order of appearance.
    panel, hue, y : str
        Columns whose values define the panels, the colours and the rows.
    columns : int
        Number of panels per row.
    xlabel : str
        Label of the horizontal axis.
    floor : float
        Left end of the horizontal axis; lower estimates are drawn there as arrows. By default, the
        axis includes all estimates, but the longest intervals may be cut off.
    """
    figure, panels = draw_panels(
        table, y=y, panel=panel, hue=hue, columns=columns, row_height=0.22, floor=floor,
        share_x=True,
    )  # fmt: skip
    low, high = _span(table[table["estimate"] >= floor])
    panels[0].set_xlim(low if np.isinf(floor) else floor - 0.03 * (1 - floor), high)
    figure.supxlabel(xlabel, fontsize="medium")
    return figure


def _span(table: pd.DataFrame) -> tuple[float, float]:
    """Return axis limits that include 0, all estimates, and 95% of the lower and upper bounds."""
    low = np.nanmin([table["estimate"].min(), table["low"].quantile(0.05), 0.0])
    high = np.nanmax([table["estimate"].max(), table["high"].quantile(0.95), 0.0])
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def plot_attributions(songs: pd.DataFrame, *, xlabel: str = "Predicted rating") -> plt.Figure:
    """Plot the contributions of stems as steps from the mean rating to each song's prediction.

    Parameters
    ----------
    songs : DataFrame
        Output of :func:`groove_utils.probe.attribute_songs` for a few songs: ``track_id, stem,
        estimate, baseline, predicted, observed``. The row names are taken from the column
        ``label``, if there is one, and otherwise from ``track_id``.
    xlabel : str
        Label of the horizontal axis.
    """
    name_column = "label" if "label" in songs else "track_id"
    names, stems = list(dict.fromkeys(songs[name_column])), list(dict.fromkeys(songs["stem"]))
    colours = _stem_colours(stems)
    figure, axes = plt.subplots(figsize=(7.8, 1.2 + 0.62 * len(names)))
    step = 0.68 / len(stems)
    for line, name in enumerate(names):
        song = songs[songs[name_column] == name].set_index("stem").loc[stems]
        at = float(song["baseline"].iloc[0])
        top = line - 0.34
        for i, (stem, row) in enumerate(song.iterrows()):
            y = top + (i + 0.5) * step
            axes.barh(y, row["estimate"], left=at, height=0.86 * step, color=colours[stem],
                      label=stem if line == 0 else None)  # fmt: skip
            after = at + row["estimate"]
            axes.plot([after, after], [y, y + step], color="#999999", linewidth=0.8, zorder=0)
            at = after
        axes.plot(song["observed"].iloc[0], line, marker="D", color="black", markersize=5,
                  linestyle="", label="observed" if line == 0 else None)  # fmt: skip
        axes.plot([song["baseline"].iloc[0]] * 2, [line - 0.4, line + 0.4], color="#666666",
                  linewidth=1, linestyle=":",
                  label="mean of the training songs" if line == 0 else None)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set(xlabel=xlabel)
    axes.grid(visible=False, axis="y")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncol=6,
                  fontsize=9)  # fmt: skip
    return figure
