"""Plots of what a probe predicted (chapter 06)."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd

from groove_utils.figures.theme import style_palette

__all__ = ["plot_predictions"]


def plot_predictions(songs: pd.DataFrame, styles: list[str]) -> plt.Figure:
    """Observed against out-of-fold predicted song means, a panel a question.

    Parameters
    ----------
    songs : DataFrame
        Columns ``target``, ``style``, ``observed`` and ``predicted`` (mean over repeats).
    styles : list of str
        Order of the styles.

    Returns
    -------
    matplotlib.figure.Figure
    """
    targets = list(dict.fromkeys(songs["target"]))
    figure, grid = plt.subplots(
        1, len(targets), figsize=(max(4.5, 2.6 * len(targets)), 3.2), squeeze=False
    )
    palette = style_palette(styles)
    for axes, target in zip(grid[0], targets):
        part = songs[songs["target"] == target]
        both = part[["observed", "predicted"]]
        ends = [both.min().min(), both.max().max()]
        axes.plot(ends, ends, color="#888888", linewidth=1, zorder=0)
        for style in styles:
            own = part[part["style"] == style]
            axes.scatter(own["predicted"], own["observed"], s=14, color=palette[style], label=style)
        axes.set(title=target, xlabel="Predicted")
    grid[0, 0].set_ylabel("Observed mean rating")
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncol=len(styles))
    return figure
