"""Plots of spectrograms and other representations of sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.audio.representations import Representation
from groove_utils.figures.theme import OKABE_ITO, legend_above

__all__ = ["plot_bar_profiles", "plot_losses", "plot_representations", "plot_spectrograms"]

PITCH_CLASSES = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"]
LOSSES = {
    "waveform_db": "Samples: signal-\nto-error ratio (dB)",
    "spectrum": "Spectrum: error\n(0 is best)",
    "rhythm": "Rhythm: r of\nonset curves",
    "harmony": "Harmony: r of\nchroma",
}
TICKS = {"Hz": [100, 200, 400, 800, 1600, 3200, 6400], "BPM": [60, 90, 120, 180, 240]}


def plot_representations(
    songs: Mapping[str, Mapping[str, Representation]],
    span: tuple[float, float],
    beats: Mapping[str, np.ndarray] | None = None,
) -> plt.Figure:
    """Draw a grid of representations, one row per representation and one column per song.

    Parameters
    ----------
    songs : mapping of str to (mapping of str to Representation)
        Song → output of :func:`groove_utils.audio.representations.represent`. All songs must have
        the same representations.
    span : (float, float)
        Time range to show, in seconds.
    beats : mapping of str to ndarray, optional
        Song → beat times in seconds, drawn as thin vertical lines.
    """
    names = list(next(iter(songs.values())))
    is_curve = [next(iter(songs.values()))[name].unit == "" for name in names]
    heights = [0.95 if curve else 1.45 for curve in is_curve]
    figure, grid = plt.subplots(
        len(names),
        len(songs),
        figsize=(9.5, sum(heights) + 0.5),
        sharex=True,
        squeeze=False,
        height_ratios=heights,
    )
    for column, (song, shown) in enumerate(songs.items()):
        for row, name in enumerate(names):
            axes = grid[row, column]
            _draw(axes, shown[name], span)
            for beat in () if beats is None else beats.get(song, ()):
                axes.axvline(beat, color="white" if shown[name].unit else "#BBBBBB", lw=0.5)
            axes.set_xlim(*span)
            axes.grid(visible=False)
            if column == 0:
                unit = f"\n({shown[name].unit})" if shown[name].unit else ""
                axes.set_ylabel(name.replace(" ", "\n") + unit)
            else:
                axes.set_yticklabels([])
        grid[0, column].set_title(song)
        grid[-1, column].set_xlabel("Time (s)")
    figure.align_ylabels()
    return figure


def _draw(axes: plt.Axes, shown: Representation, span: tuple[float, float]) -> None:
    values = shown.array
    first, last = (np.clip(round(t / shown.hop), 0, values.shape[1] - 1) for t in span)
    part = values[:, first : last + 1]
    if not shown.unit:
        times = np.arange(first, last + 1) * shown.hop
        axes.plot(times, part[0], color=OKABE_ITO[1], linewidth=0.6)
        axes.set_yticks([])
        return
    order = np.argsort(shown.rows)
    edges = (np.arange(first, last + 2) - 0.5) * shown.hop
    rows, part = shown.rows[order], part[order]
    if shown.unit == "Hz" and rows[0] == 0:  # a logarithmic axis has no zero
        rows, part = rows[1:], part[1:]
    axes.pcolormesh(edges, _edges(rows, shown.unit), part, cmap="magma", rasterized=True)
    if shown.unit == "pitch class":
        axes.set_yticks(range(0, 12, 2), PITCH_CLASSES[::2])
        return
    axes.set_yscale("log")
    low = max(rows[0], 40)
    axes.set_ylim(low, rows[-1])
    ticks = [tick for tick in TICKS[shown.unit] if low <= tick <= rows[-1]]
    axes.set_yticks(ticks, ticks)
    axes.minorticks_off()


def _edges(rows: np.ndarray, unit: str) -> np.ndarray:
    """Return the n + 1 edges of n rows, midway between the row centres as drawn on the axis."""
    x = rows if unit == "pitch class" else np.log(rows)
    middle = (x[1:] + x[:-1]) / 2
    x = np.r_[2 * x[0] - middle[0], middle, 2 * x[-1] - middle[-1]]
    return x if unit == "pitch class" else np.exp(x)


def plot_spectrograms(
    panels: Sequence[Mapping[str, Representation]], span: tuple[float, float], top: float = 5000.0
) -> plt.Figure:
    """Draw spectrograms in a grid of panels with shared axes.

    Parameters
    ----------
    panels : sequence of (mapping of str to Representation)
        One mapping per row of the grid: panel title → spectrogram.
    span : (float, float)
        Time range to show, in seconds.
    top : float
        Highest frequency to show, in Hz.
    """
    figure, grid = plt.subplots(
        len(panels),
        max(len(row) for row in panels),
        figsize=(9.5, 2.4 * len(panels)),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for line, row in zip(grid, panels):
        for axes, (title, shown) in zip(line, row.items()):
            edges = (np.arange(shown.array.shape[1] + 1) - 0.5) * shown.hop
            inside = edges[:-1] <= span[1] + shown.hop
            heights = np.r_[shown.rows - shown.rows[1] / 2, shown.rows[-1] + shown.rows[1] / 2]
            axes.pcolormesh(
                edges[: inside.sum() + 1],
                heights,
                shown.array[:, inside],
                cmap="magma",
                rasterized=True,
            )
            axes.set(title=title, xlim=span, ylim=(0, top))
            axes.grid(visible=False)
        line[0].set_ylabel("Frequency (Hz)")
    for axes in grid[-1]:
        axes.set_xlabel("Time (s)")
    return figure


def plot_losses(losses: pd.DataFrame, measures: Mapping[str, str] = LOSSES) -> plt.Figure:
    """Plot how well reconstructed sounds agree with the originals, one panel per measure.

    Parameters
    ----------
    losses : DataFrame
        One row per representation and song: ``made_from`` (the representation from which the sound
        was reconstructed), ``song``, and one column per measure. Representations are drawn in order
        of appearance.
    measures : mapping of str to str
        Column of a measure → its axis label. By default, the measures are those returned by
        :func:`groove_utils.audio.inversion.reconstruction_error`.
    """
    names = list(dict.fromkeys(losses["made_from"]))
    songs = list(dict.fromkeys(losses["song"]))
    figure, grid = plt.subplots(
        1, len(measures), sharey=True, squeeze=False, figsize=(9.5, 0.9 + 0.34 * len(names))
    )
    for axes, (measure, label) in zip(grid[0], measures.items()):
        for song, colour, shift in zip(songs, OKABE_ITO, np.linspace(-0.12, 0.12, len(songs))):
            values = losses[losses["song"] == song].set_index("made_from").loc[names, measure]
            y = np.arange(len(names)) + shift
            axes.hlines(y, 0, values, color=colour, linewidth=1.2, alpha=0.5)
            axes.plot(values, y, "o", color=colour, markersize=5, label=song)
        axes.axvline(0, color="#888888", linewidth=1, zorder=0)
        axes.set_xlabel(label)
        axes.grid(visible=False, axis="y")
    grid[0, 0].set_yticks(range(len(names)), names)
    grid[0, 0].set_ylim(len(names) - 0.5, -0.5)
    legend_above(figure, grid[0, 0], len(songs))
    return figure


def plot_bar_profiles(profiles: pd.DataFrame, steps: int = 16) -> plt.Figure:
    """Plot onset strength averaged over bars, by song (columns) and by frequency region (rows).

    Parameters
    ----------
    profiles : DataFrame
        One row per song, frequency region and step: ``song``, ``region`` (the first is drawn at the
        bottom), ``step`` (position in the bar, from 0) and ``strength``.
    steps : int
        Number of steps per bar.
    """
    songs = list(dict.fromkeys(profiles["song"]))
    regions = list(dict.fromkeys(profiles["region"]))[::-1]  # low frequencies at the bottom
    figure, grid = plt.subplots(
        len(regions), len(songs), figsize=(9.5, 1.25 * len(regions) + 0.7), sharex=True,
        squeeze=False,
    )  # fmt: skip
    for column, song in enumerate(songs):
        for row, region in enumerate(regions):
            axes = grid[row, column]
            part = profiles[(profiles["song"] == song) & (profiles["region"] == region)]
            axes.bar(part["step"], part["strength"], color=OKABE_ITO[1], width=0.8)
            for beat in range(0, steps, steps // 4):
                axes.axvline(beat - 0.5, color="#BBBBBB", linewidth=1, zorder=0)
            axes.set(yticks=[], ylim=(0, None), xlim=(-0.6, steps - 0.4))
            axes.grid(visible=False)
            if column == 0:
                axes.set_ylabel(region, rotation=0, ha="right", va="center")
        grid[0, column].set_title(song)
        grid[-1, column].set_xticks(
            range(0, steps, 2), [str(k // 4 + 1) if k % 4 == 0 else "&" for k in range(0, steps, 2)]
        )
        grid[-1, column].set_xlabel("Beat of the bar")
    return figure
