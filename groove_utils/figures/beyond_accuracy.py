"""Plots of classifiers' mistakes, calibration and explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns

from groove_utils.figures.theme import OKABE_ITO

__all__ = [
    "plot_confusion_and_reliability",
    "plot_explanations",
    "plot_hide_and_show",
    "plot_medley",
    "plot_severity",
]


def plot_confusion_and_reliability(
    counts: np.ndarray, labels: Sequence[str], reliability: pd.DataFrame
) -> plt.Figure:
    """Draw a confusion matrix next to reliability curves.

    Parameters
    ----------
    counts : ndarray, shape (k, k)
        Confusion matrix; rows are true classes, columns are predicted classes.
    labels : sequence of str
        Names of the classes.
    reliability : DataFrame
        Columns ``confidence``, ``accuracy``, ``n`` (number of clips, shown as the size of the dots)
        and ``kind`` (one curve per value).
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.2), width_ratios=(1.15, 1))
    share = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    sns.heatmap(
        share, annot=True, fmt=".0f", cmap="Blues", vmin=0, vmax=100, cbar=False, square=True,
        xticklabels=labels, yticklabels=labels, ax=left, annot_kws={"size": 8.5},
    )  # fmt: skip
    left.set(xlabel="Predicted style", ylabel="True style", title="Share of each style's clips (%)")
    left.tick_params(axis="x", rotation=45)
    left.tick_params(axis="y", rotation=0)
    right.plot([0, 1], [0, 1], color="#888888", linewidth=1)
    for number, (kind, rows) in enumerate(reliability.groupby("kind", sort=False)):
        color = OKABE_ITO[number]
        right.plot(rows["confidence"], rows["accuracy"], color=color, label=kind)
        right.scatter(
            rows["confidence"],
            rows["accuracy"],
            s=8 + 120 * rows["n"] / rows["n"].sum(),
            color=color,
        )
    right.set(
        xlabel="Confidence", ylabel="Accuracy", xlim=(0, 1.02), ylim=(0, 1.02), title="Reliability"
    )
    right.legend(loc="upper left")
    return figure


def plot_severity(table: pd.DataFrame) -> plt.Figure:
    """Plot the mistake severity and distance@1 of each network, one panel per genre tree.

    Both are mean distances in the tree between the true and the predicted style: severity over
    misclassified clips, and distance@1 over all clips. Grey bars show the central 95% range of
    severities in trees with randomly shuffled leaves.

    Parameters
    ----------
    table : DataFrame
        Output of :func:`groove_utils.genre.compare_in_trees`.
    """
    trees = list(dict.fromkeys(table["tree"]))
    figure, grid = plt.subplots(
        1, len(trees), figsize=(2.6 * len(trees) + 1.6, 3.2), sharey=True, squeeze=False
    )
    for axes, tree in zip(grid[0], trees, strict=True):
        rows = table[table["tree"] == tree].reset_index(drop=True)
        heights = np.arange(len(rows))[::-1]
        axes.hlines(
            heights, rows["chance_low"], rows["chance_high"], color="#BBBBBB", linewidth=7,
            label="severity with random leaves",
        )  # fmt: skip
        axes.plot(rows["severity"], heights, "o", color=OKABE_ITO[0], label="severity")
        axes.plot(rows["distance@1"], heights, "D", color=OKABE_ITO[1], label="distance@1")
        axes.set(title=tree, xlabel="Distance in the tree", xlim=(0, 1.02))
        axes.set_yticks(heights, rows["network"])
        axes.set_ylim(-0.6, len(rows) - 0.4)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncol=3)
    return figure


def plot_medley(
    p: np.ndarray, times: np.ndarray, styles: Sequence[str], true: Sequence[float],
    found: Sequence[float], played: Sequence[str],
) -> plt.Figure:  # fmt: skip
    """Plot style probabilities over a medley, with the true and detected style changes.

    Parameters
    ----------
    p : ndarray, shape (n_windows, k)
        Probability of each style in each window.
    times : ndarray, shape (n_windows,)
        Midpoints of the windows, in seconds.
    styles : sequence of str
        Names of the k styles.
    true, found : sequence of float
        Times of the true and the detected style changes, in seconds.
    played : sequence of str
        True styles of the songs, in playing order; has one more element than `true`.
    """
    figure, axes = plt.subplots(figsize=(8.5, 3.6))
    colors = sns.color_palette("husl", len(styles))
    axes.stackplot(times, p.T, labels=styles, colors=colors, linewidth=0)
    edges = [times[0], *true, times[-1]]
    for start, end, style in zip(edges[:-1], edges[1:], played, strict=True):
        axes.text((start + end) / 2, 1.03, style, ha="center", fontsize=9)
    for k, moment in enumerate(true):
        axes.axvline(moment, color="black", linewidth=1.6, label="_" if k else "true change")
    for k, moment in enumerate(found):
        axes.axvline(moment, color="white", linewidth=2.4, linestyle="--", label="_" if k else None)
        axes.axvline(
            moment, color="black", linewidth=1, linestyle="--",
            label="_" if k else "detected change",
        )  # fmt: skip
    axes.set(xlabel="Time (s)", ylabel="Probability", ylim=(0, 1.1), xlim=(times[0], times[-1]))
    axes.set_yticks(np.linspace(0, 1, 5))
    axes.grid(visible=False)
    figure.legend(loc="outside right center")
    return figure


def plot_explanations(
    spectrogram: np.ndarray, maps: Mapping[str, np.ndarray], truth: np.ndarray | None = None,
    seconds: float = 3.0,
) -> plt.Figure:  # fmt: skip
    """Draw a spectrogram and explanations of its classification, in a grid of panels.

    Parameters
    ----------
    spectrogram : ndarray, shape (n_bands, n_frames)
        Log-mel spectrogram of the clip.
    maps : mapping of str to ndarray, shape (n_bands, n_frames)
        Panel title → explanation. Red cells are evidence for the class, and blue cells are evidence
        against it. Each map has its own colour scale.
    truth : ndarray of bool, shape (n_bands, n_frames), optional
        True for cells that are known to be relevant. These cells are outlined.
    seconds : float
        Duration of the clip, in seconds.
    """
    figure, grid = plt.subplots(
        (len(maps) + 2) // 2, 2, figsize=(8.5, 1.9 * ((len(maps) + 2) // 2) + 0.4), sharex=True,
        sharey=True, squeeze=False,
    )  # fmt: skip
    options = {
        "aspect": "auto", "origin": "lower", "extent": (0, seconds, 0, len(spectrogram)),
    }  # fmt: skip
    cells = list(grid.ravel())
    cells[0].imshow(spectrogram, cmap="magma", **options)
    cells[0].set_title("log-mel spectrogram")
    for axes, (name, values) in zip(cells[1:], maps.items(), strict=False):
        most = np.quantile(np.abs(values), 0.99) or 1.0
        axes.imshow(values, cmap="RdBu_r", vmin=-most, vmax=most, **options)
        axes.set_title(name)
    for axes in cells:
        axes.grid(visible=False)
        if truth is not None:
            axes.contour(
                truth.astype(float), levels=[0.5], colors="black", linewidths=0.5,
                extent=options["extent"],
            )  # fmt: skip
    for axes in cells[len(maps) + 1 :]:
        axes.set_visible(False)
    for axes in grid[-1]:
        axes.set_xlabel("Time (s)")
    for axes in grid[:, 0]:
        axes.set_ylabel("Mel band")
    return figure


def plot_hide_and_show(curves: pd.DataFrame) -> plt.Figure:
    """Plot deletion and insertion curves for several explanations.

    Parameters
    ----------
    curves : DataFrame
        Concatenated outputs of :func:`groove_utils.genre.hide_and_show` (``share, deletion,
        insertion``), with the name of the explanation in the additional column ``explanation``.
    """
    figure, panels = plt.subplots(1, 2, figsize=(8.5, 3.4), sharey=True)
    titles = {"deletion": "Top-ranked cells hidden", "insertion": "Only top-ranked cells shown"}
    for axes, (column, title) in zip(panels, titles.items(), strict=True):
        sns.lineplot(
            curves, x="share", y=column, hue="explanation", style="explanation", ax=axes,
            legend=column == "deletion",
        )  # fmt: skip
        axes.set(title=title, xlabel="Share of cells", ylabel="Probability of the class",
                 ylim=(0, 1.02))  # fmt: skip
    panels[0].legend(title=None)
    return figure
