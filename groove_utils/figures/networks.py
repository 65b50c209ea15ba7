"""Plots of small networks, their training, and learning from only a few labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from groove_utils.figures.theme import OKABE_ITO

__all__ = [
    "plot_attention",
    "plot_decision",
    "plot_kernels",
    "plot_label_curves",
    "plot_receptive_field",
    "plot_task_map",
]


def plot_attention(weights: pd.DataFrame) -> plt.Figure:
    """Draw the mean attention weights of the last bar as an annotated heat map.

    Parameters
    ----------
    weights : DataFrame
        One row for each earlier bar that the last bar could be a repeat of, and one column for each
        bar that the network attends to. The index and the column names are used as tick labels.
    """
    figure, axes = plt.subplots(figsize=(6, 3.6))
    sns.heatmap(weights, annot=True, fmt=".2f", cmap="Blues", ax=axes)
    axes.set(xlabel="Attended bar", ylabel="Bar that the last bar repeats")
    return figure


def plot_receptive_field(
    accuracies: pd.DataFrame, shaded: tuple[float, float] | None = None
) -> plt.Figure:
    """Plot accuracy by duration of the receptive field, as the mean and range over training runs.

    Parameters
    ----------
    accuracies : DataFrame
        One row per training run: ``ms`` (receptive field in milliseconds) and ``accuracy`` (from 0
        to 1).
    shaded : (float, float), optional
        Range to shade, in milliseconds.
    """
    figure, axes = plt.subplots(figsize=(6.5, 3.4))
    sns.lineplot(accuracies, x="ms", y="accuracy", marker="o", errorbar=("pi", 100), ax=axes)
    if shaded is not None:
        axes.axvspan(*shaded, color=OKABE_ITO[0], alpha=0.22, linewidth=0)
    axes.set(xlabel="Receptive field (ms)", ylabel="Accuracy", ylim=(0.45, 1.02))
    return figure


def plot_label_curves(
    accuracies: pd.DataFrame, x: str, xlabel: str, chance: float, errorbar=("pi", 100)
) -> plt.Figure:
    """Plot accuracy by number of labels, one curve per set of features.

    Parameters
    ----------
    accuracies : DataFrame
        One row per training run: ``features``, ``accuracy`` and the column named by `x`.
    x : str
        Column with the number of labels, which is plotted on a logarithmic axis.
    xlabel : str
        Label of the horizontal axis.
    chance : float
        Chance accuracy, drawn as a grey line.
    errorbar : tuple
        As in :func:`seaborn.lineplot`. By default, the full range of accuracies is shaded.
    """
    figure, axes = plt.subplots(figsize=(7.5, 4.2))
    sns.lineplot(
        accuracies, x=x, y="accuracy", hue="features", style="features", markers=True,
        dashes=False, errorbar=errorbar, seed=0, ax=axes,
    )  # fmt: skip
    axes.axhline(chance, color="#888888", linewidth=1)
    axes.set(xscale="log", xlabel=xlabel, ylabel="Accuracy", ylim=(0, 1))
    numbers = sorted(accuracies[x].unique())
    axes.set_xticks(numbers, numbers)
    axes.minorticks_off()
    axes.legend(title=None, fontsize=9, ncol=2)
    return figure


def plot_decision(
    x: np.ndarray, y: np.ndarray, w: np.ndarray, b: float, losses: Sequence[float]
) -> plt.Figure:
    """Plot the training loss and the decision boundary of a neuron with two inputs.

    Parameters
    ----------
    x : ndarray, shape (n, 2)
        Inputs: standardised levels below 150 Hz and above 2500 Hz.
    y : ndarray of int, shape (n,)
        Classes: 0 (no kick) or 1 (kick).
    w : ndarray, shape (2,)
        Weights.
    b : float
        Bias. The decision boundary is the line ``w @ x + b = 0``.
    losses : sequence of float
        Cross-entropy at each training step, in nats.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.4))
    left.plot(losses)
    left.set(xlabel="Step", ylabel="Cross-entropy (nats)", ylim=(0, None))
    for value, name in enumerate(["no kick", "kick"]):
        right.scatter(*x[y == value].T, s=12, alpha=0.6, color=OKABE_ITO[1 - value], label=name)
    limits = np.array([x[:, 0].min(), x[:, 0].max()])
    right.plot(limits, -(w[0] * limits + b) / w[1], color="black", linewidth=1.2)
    spread = np.ptp(x[:, 1]) * 0.05
    right.set(
        xlabel="Level below 150 Hz (z)", ylabel="Level above 2500 Hz (z)",
        ylim=(x[:, 1].min() - spread, x[:, 1].max() + spread),
    )  # fmt: skip
    right.legend(loc="lower left", frameon=True)
    return figure


def plot_kernels(spectrogram: np.ndarray, responses: Mapping[str, np.ndarray]) -> plt.Figure:
    """Draw a spectrogram and, below it, the responses of convolution kernels.

    Parameters
    ----------
    spectrogram : ndarray, shape (n_bands, n_frames)
        Log-mel spectrogram.
    responses : mapping of str to ndarray, shape (n_rows, n_columns)
        Panel title → response of a kernel to the spectrogram.
    """
    rows = {"log-mel spectrogram": spectrogram, **responses}
    heights = [max(0.5, 0.2 + 0.07 * len(image)) for image in rows.values()]
    figure, grid = plt.subplots(
        len(rows), 1, sharex=True, figsize=(7.5, 1.8 * sum(heights) + 0.8),
        height_ratios=heights,
    )  # fmt: skip
    for axes, (name, image) in zip(grid, rows.items(), strict=True):
        axes.imshow(
            image, aspect="auto", origin="lower", cmap="magma",
            extent=(0, image.shape[1], -0.5, len(image) - 0.5),
        )  # fmt: skip
        axes.set_title(name)
        axes.set_yticks([])
        axes.grid(visible=False)
    grid[-1].set(xlabel="Frame (40 ms)", xlim=(0, spectrogram.shape[1]))
    return figure


def plot_task_map(tasks: pd.DataFrame) -> plt.Figure:
    """Plot music-information-retrieval tasks by time scale and subjectivity.

    Parameters
    ----------
    tasks : DataFrame
        Output of :func:`groove_utils.networks.mir_tasks`.
    """
    figure, axes = plt.subplots(figsize=(7.5, 4))
    for level, row in tasks.groupby("subjectivity"):
        for rank, (task, seconds) in enumerate(row["seconds"].sort_values().items()):
            # place neighbouring tasks at different heights, so that their names do not overlap
            point = seconds, level + 0.26 * (rank % 3 - 1)
            near_end = seconds > 50
            axes.plot(*point, "o", color=OKABE_ITO[1], markersize=5)
            axes.annotate(
                task, point, xytext=(-7 if near_end else 7, 0), textcoords="offset points",
                va="center", ha="right" if near_end else "left",
            )  # fmt: skip
    axes.set(
        xscale="log", xlim=(0.005, 400), ylim=(-0.4, 3.6),
        xlabel="Seconds covered by one prediction", ylabel="Subjectivity",
    )  # fmt: skip
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_yticks(range(4), ["measurable", "mostly agreed", "partly agreed", "opinion"])
    return figure
