"""Plotting theme: fonts, sizes, and colours that colour-blind readers can distinguish."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import matplotlib as mpl
import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.text import Text
from matplotlib.ticker import Formatter

__all__ = ["legend_above", "shorten_texts", "style_palette", "use_theme"]

LONGEST = 80  # characters per line

# Okabe & Ito (2008), colours that colour-blind people can distinguish
OKABE_ITO = ["#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
KNOWN_STYLES = {"funk": "#D55E00", "pop": "#0072B2", "rock": "#009E73"}


def use_theme() -> None:
    """Set the book's plotting theme for the current process."""
    sns.set_theme(context="notebook", style="whitegrid", palette=OKABE_ITO)
    mpl.rcParams.update(
        {
            "figure.figsize": (7.5, 4.2),
            "figure.dpi": 96,
            "figure.constrained_layout.use": True,
            "font.family": "DejaVu Sans",
            "font.size": 10.5,
            "text.parse_math": False,  # names of artists and styles may contain $
            "axes.titlesize": 11.5,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": "#E5E5E5",
            "legend.frameon": False,
            "savefig.facecolor": "white",
            "svg.hashsalt": "groove",
        }
    )


def legend_above(figure: plt.Figure, axes: plt.Axes, ncol: int) -> None:
    """Draw the legend of one panel above the figure, unless the legend is empty."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside upper right", ncol=ncol)


def shorten_texts(figure: plt.Figure) -> None:
    """Truncate each line of text in a figure to at most 80 characters, in place.

    Long song titles would otherwise leave no room for the plot. All text is affected: titles, axis
    and tick labels, legends and annotations.
    """
    for text in figure.findobj(Text):
        text.set_text(_cut_lines(text.get_text()))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if labels != [*map(_cut_lines, labels)]:
                axis.set_major_formatter(partial(_format_tick, axis.get_major_formatter()))


def _format_tick(formatter: Formatter, value: float, position: int) -> str:
    return _cut_lines(formatter(value, position))


def _cut_lines(text: str) -> str:
    lines = str(text).split("\n")
    return "\n".join(s if len(s) <= LONGEST else s[: LONGEST - 1] + "…" for s in lines)


def style_palette(styles: Sequence[str]) -> dict[str, str]:
    """Return one colour per style; each style has the same colour in every chapter.

    Parameters
    ----------
    styles : sequence of str
        Styles, in the order used in the study. The palette has seven colours, which are repeated if
        there are more styles.

    Returns
    -------
    dict of str to str
        Style → hex colour.
    """
    free = [c for c in OKABE_ITO if c not in {KNOWN_STYLES.get(style) for style in styles}]
    palette = {}
    for k, style in enumerate(style for style in styles if style not in KNOWN_STYLES):
        palette[style] = free[k % len(free)]
    return {style: KNOWN_STYLES.get(style) or palette[style] for style in styles}
