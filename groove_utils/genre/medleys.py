"""Medleys (concatenated songs), and detection of style changes within them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import librosa
import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from groove_utils.errors import DetailedError
from groove_utils.genre.inputs import MEL_SETTINGS, clip_mels
from groove_utils.genre.network_results import cached_result
from groove_utils.genre.trained_networks import TrainedNetwork
from groove_utils.networks.training import predict

__all__ = [
    "boundary_scores",
    "draw_programmes",
    "find_changes",
    "follow_signal",
    "join_signals",
]


def draw_programmes(songs: pd.DataFrame, n_songs: int = 5, seed: int = 0) -> list[pd.DataFrame]:
    """Draw songs for several medleys, using each band in at most one medley.

    Each medley contains one song from each of the `n_songs` styles with the most unused bands. If
    medleys shared a band, they would not be independent, and confidence intervals computed from
    them would be too narrow.

    Parameters
    ----------
    songs : DataFrame
        One row per song, with columns ``artist``, ``style`` and any others.
    n_songs : int
        Number of songs in a medley, each of a different style.
    seed : int

    Returns
    -------
    list of DataFrame
        One table per medley, with rows from `songs` in playing order. Medleys are drawn until fewer
        than `n_songs` styles have unused bands.

    Examples
    --------
    >>> songs = pd.DataFrame({"artist": list("abcdef"), "style": ["funk", "disco", "pop"] * 2})
    >>> [len(programme) for programme in draw_programmes(songs, n_songs=3)]
    [3, 3]
    """
    rng = np.random.default_rng(seed)
    drawn = songs.iloc[rng.permutation(len(songs))].drop_duplicates("artist")
    bands = {style: list(rows.index) for style, rows in drawn.groupby("style")}
    programmes = []
    while sum(map(bool, bands.values())) >= n_songs:
        order = rng.permutation(sorted(bands))
        styles = sorted(order, key=lambda style: -len(bands[style]))[:n_songs]
        programme = [bands[style].pop() for style in styles]
        programmes.append(songs.loc[rng.permutation(programme)])
    return programmes


def join_signals(
    signals: Sequence[np.ndarray], sr: int, fade: float = 0.05
) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate signals with short cross-fades.

    Parameters
    ----------
    signals : sequence of ndarray, each of shape (n_samples,)
    sr : int
        Sample rate in Hz.
    fade : float
        Duration of a cross-fade in seconds.

    Returns
    -------
    y : ndarray of float32, shape (n_samples,)
        Concatenated signal.
    changes : ndarray of float, shape (n_signals − 1,)
        Midpoint of each cross-fade, in seconds.

    Raises
    ------
    DetailedError
        If there are no signals, or a signal is shorter than two cross-fades.

    Examples
    --------
    >>> y, changes = join_signals([np.ones(1000), np.zeros(1000)], sr=1000, fade=0.1)
    >>> y.shape, changes.tolist()
    ((1900,), [0.95])
    """
    n_fade = round(fade * sr)
    if not len(signals) or min(map(len, signals)) < 2 * n_fade:
        raise DetailedError(
            f"signals have {[len(y) for y in signals]} samples; expected at least one signal, and "
            f"at least {2 * n_fade} samples (two cross-fades) in each.",
            kind="too_short", value=[len(y) for y in signals],
        )  # fmt: skip
    rise = (np.arange(n_fade) + 0.5) / max(n_fade, 1)
    y, changes = np.asarray(signals[0], dtype=np.float32), []
    for signal in signals[1:]:
        signal = np.asarray(signal, dtype=np.float32)
        start = len(y) - n_fade
        changes.append((start + n_fade / 2) / sr)
        overlap = y[start:] * (1 - rise) + signal[:n_fade] * rise
        y = np.concatenate([y[:start], overlap.astype(np.float32), signal[n_fade:]])
    return y, np.array(changes)


def find_changes(p: np.ndarray, times: np.ndarray, n_changes: int) -> np.ndarray:
    """Find the times at which class probabilities change, given the number of changes.

    Neighbouring windows are merged by :func:`librosa.segment.agglomerative`, starting with the most
    similar ones, until ``n_changes + 1`` segments remain.

    Parameters
    ----------
    p : ndarray, shape (n_windows, n_classes)
        Class probabilities of successive windows.
    times : ndarray, shape (n_windows,)
        Midpoint of each window in seconds.
    n_changes : int
        Number of changes, between 1 and n_windows − 1.

    Returns
    -------
    ndarray of float, shape (n_changes,)
        Times of the changes in seconds, halfway between the last window of a segment and the first
        window of the next segment.

    Raises
    ------
    DetailedError
        If `n_changes` is out of range.

    Examples
    --------
    >>> p = np.eye(2)[[0, 0, 0, 1, 1]]
    >>> find_changes(p, np.arange(5.0), 1).tolist()
    [2.5]
    """
    if not 1 <= n_changes < len(p):
        raise DetailedError(
            f"n_changes is {n_changes}; with {len(p)} windows, expected 1 to {len(p) - 1} changes.",
            kind="out_of_range", column="n_changes", value=n_changes,
        )  # fmt: skip
    first = librosa.segment.agglomerative(np.sqrt(p).T, n_changes + 1)[1:]
    times = np.asarray(times)
    return (times[first - 1] + times[first]) / 2


def follow_signal(
    trained: TrainedNetwork, y: np.ndarray, n_changes: int, *, step: float = 0.5,
    settings: Mapping = MEL_SETTINGS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Classify the style of a signal in sliding windows and find the times of style changes.

    Parameters
    ----------
    trained : TrainedNetwork
        Network used to classify the windows. If it has a cache, results are stored there.
    y : ndarray of float, shape (n_samples,)
        Mono signal with the sample rate given in `settings`.
    n_changes : int
        As in :func:`find_changes`.
    step : float
        Time from the start of one window to the start of the next, in seconds.
    settings : mapping
        Settings to pass to :func:`groove_utils.genre.inputs.clip_mels`. They must be the same as in
        training.

    Returns
    -------
    p : ndarray of float32, shape (n_windows, n_classes)
        Class probabilities in each window.
    times : ndarray of float, shape (n_windows,)
        Midpoint of each window in seconds.
    changes : ndarray of float, shape (n_changes,)
        Times of the style changes in seconds, from :func:`find_changes`.
    """
    sliding = {**settings, "hop_seconds": step}

    def compute():
        p = predict(trained.network, clip_mels(y, **sliding)[0])
        times = settings["seconds"] / 2 + step * np.arange(len(p))
        return {"p": p, "times": times, "changes": find_changes(p, times, n_changes)}

    facts = ["changes", sliding, n_changes]
    result = cached_result(
        trained.cache, "genre-networks", trained.network, facts, [np.asarray(y)], compute
    )
    return result["p"], result["times"], result["changes"]


def boundary_scores(
    found: Sequence[float], true: Sequence[float], tolerance: float = 1.5
) -> dict[str, float]:
    """Score detected changes by matching them one-to-one with the true changes.

    Parameters
    ----------
    found, true : sequence of float
        Times of the detected changes and of the true changes, in seconds.
    tolerance : float
        Maximum time difference between a detected change and the true change matched to it, in
        seconds.

    Returns
    -------
    dict
        ``precision``, ``recall``, ``F`` (their harmonic mean) and ``error`` (mean absolute
        difference between matched times, in seconds; NaN if there are no matches).

    Examples
    --------
    >>> boundary_scores([10.2, 31.0], [10.0, 20.0], tolerance=0.5)["F"]
    0.5
    """
    distance = np.abs(np.subtract.outer(np.asarray(found), np.asarray(true)))
    rows, columns = linear_sum_assignment(np.where(distance <= tolerance, distance, 1e6))
    matched = distance[rows, columns]
    matched = matched[matched <= tolerance]
    precision = len(matched) / len(found) if len(found) else 0.0
    recall = len(matched) / len(true) if len(true) else 0.0
    total = precision + recall
    return {
        "precision": precision,
        "recall": recall,
        "F": 2 * precision * recall / total if total else 0.0,
        "error": float(matched.mean()) if len(matched) else float("nan"),
    }
