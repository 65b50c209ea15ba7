"""Plots of style-classification networks."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from groove_utils.figures.forest import plot_forest
from groove_utils.figures.theme import OKABE_ITO

__all__ = ["plot_accuracies", "plot_clip_pictures", "plot_reading_order", "plot_training"]


def plot_accuracies(
    table: pd.DataFrame,
    y: str,
    chance: float | None = None,
    by_seed: pd.DataFrame | None = None,
) -> plt.Figure:
    """Draw a forest plot of accuracies with intervals, in per cent.

    Parameters
    ----------
    table : DataFrame
        Output of :func:`groove_utils.genre.accuracy_table`: the column named by `y`, and
        ``accuracy, low, high`` (from 0 to 1).
    y : str
        Column with the row names.
    chance : float, optional
        Chance accuracy in per cent, drawn as a vertical line.
    by_seed : DataFrame, optional
        Output of :func:`groove_utils.genre.accuracy_by_seed`, drawn as open circles, one per
        training run.
    """
    percent = table.assign(**100 * table[["accuracy", "low", "high"]])
    xlabel = "Clips classified correctly (%)"
    figure = plot_forest(percent, x="accuracy", y=y, xlabel=xlabel, reference=chance)
    if by_seed is not None:
        axes = figure.axes[0]
        accuracies = 100 * by_seed.loc[list(table[y])]
        for row, (_, values) in enumerate(accuracies.iterrows()):
            axes.plot(values, [row] * len(values), "o", color="#777777", mfc="none", markersize=4)
    return figure


def plot_clip_pictures(clips: Mapping[str, np.ndarray], seconds: float = 3.0) -> plt.Figure:
    """Draw one log-mel spectrogram per style, in viridis colours, as in arXiv:2307.10773.

    Parameters
    ----------
    clips : mapping of str to ndarray, shape (n_mels, n_frames)
        Style → log-mel spectrogram of a clip, in dB.
    seconds : float
        Duration of each clip, in seconds.
    """
    columns = min(4, len(clips))
    rows = -(-len(clips) // columns)
    figure, grid = plt.subplots(
        rows, columns, sharex=True, sharey=True, squeeze=False, figsize=(7.5, 0.6 + 1.6 * rows)
    )
    for axes, (style, clip) in zip(grid.flat, clips.items()):
        extent = (0, seconds, 0, len(clip))
        axes.imshow(clip, origin="lower", aspect="auto", cmap="viridis", extent=extent)
        axes.set_title(style)
        axes.grid(visible=False)
    for axes in grid.flat[len(clips) :]:
        axes.set_axis_off()
    figure.supxlabel("Time (s)", fontsize="medium")
    figure.supylabel("Mel band", fontsize="medium")
    return figure


def plot_reading_order(orders: Mapping[str, np.ndarray]) -> plt.Figure:
    """Plot the order in which recurrent networks process the frames of a clip.

    Parameters
    ----------
    orders : mapping of str to ndarray, shape (n_steps,)
        Panel title → for each step, the index of the first of the frames that the network
        processes.
    """
    figure, grid = plt.subplots(1, len(orders), sharey=True, squeeze=False, figsize=(7.5, 3.2))
    for axes, (title, frames) in zip(grid.flat, orders.items()):
        axes.plot(frames, ".", markersize=3)
        axes.set(title=title, xlabel="Step of the GRU")
    grid[0, 0].set_ylabel("Frame of the clip")
    return figure


def plot_training(histories: pd.DataFrame) -> plt.Figure:
    """Plot training and validation loss by epoch, as the mean and range over seeds.

    Parameters
    ----------
    histories : DataFrame
        One row per network, seed and epoch: ``network, seed, epoch, loss, valid_loss``.
    """
    names = list(dict.fromkeys(histories["network"]))
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure, grid = plt.subplots(
        rows, columns, sharex=True, sharey=True, squeeze=False, figsize=(7.5, 0.7 + 1.7 * rows)
    )
    losses = {"loss": "training", "valid_loss": "validation"}
    epochs = histories.groupby(["network", "epoch"])[list(losses)].agg(["mean", "min", "max"])
    for axes, name in zip(grid.flat, names):
        for (loss, label), color in zip(losses.items(), OKABE_ITO):
            curve = epochs.loc[name, loss]
            axes.plot(curve.index, curve["mean"], color=color, label=label)
            axes.fill_between(
                curve.index, curve["min"], curve["max"], color=color, alpha=0.2, linewidth=0
            )
        axes.set_title(name)
    for axes in grid.flat[len(names) :]:
        axes.set_axis_off()
    grid[0, 0].legend(fontsize="small")
    figure.supxlabel("Epoch", fontsize="medium")
    figure.supylabel("Cross-entropy (nats)", fontsize="medium")
    return figure
