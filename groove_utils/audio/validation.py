"""Validate signals in memory and samples read from files."""

from __future__ import annotations

import os

import numpy as np

from groove_utils.errors import DetailedError

__all__ = ["AudioError", "check_mono", "check_samples", "check_signal"]

LOUDEST = 64.0  # 36 dB above full scale, more than any recording reaches


class AudioError(DetailedError):
    """Error raised for unusable audio; the message states the problem and how to fix it."""


def check_signal(y: np.ndarray, sr: int | None = None, name: str = "the signal") -> np.ndarray:
    """Check that a signal can be processed, and return it as an array.

    Parameters
    ----------
    y : array-like of float, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1.
    sr : int, optional
        Sample rate in Hz; if given, it is checked as well.
    name : str
        Name of the signal in error messages.

    Returns
    -------
    ndarray
        `y` as an array.

    Raises
    ------
    AudioError
        If the samples are not floating-point numbers (``kind="not_floating"``), the shape is wrong
        (``"wrong_shape"``, ``"no_samples"``, ``"channels_last"``), the sample rate is not a
        positive integer (``"sample_rate"``), or samples are invalid (``"not_finite"``,
        ``"wrong_scale"``).

    Examples
    --------
    >>> check_signal([0.1, -0.2], 44100)
    array([ 0.1, -0.2])
    """
    y = np.asarray(y)
    if fault := _fault(y, sr):
        raise AudioError(f"{name} {fault[1]}", kind=fault[0], value=y.shape)
    check_samples(y, name)
    return y


def _fault(y: np.ndarray, sr: int | None) -> tuple[str, str] | None:
    """Return the kind and description of a fault in type, shape or sample rate; None if valid."""
    expected = "expected (n_samples,) or (n_channels, n_samples)"
    if y.dtype.kind != "f":
        return "not_floating", (
            f"has samples of type {y.dtype}; expected floating-point numbers with full scale "
            "−1…1. Divide 16-bit samples by 32768."
        )
    if y.ndim not in (1, 2):
        return "wrong_shape", f"has shape {y.shape}; {expected}."
    if y.size == 0:
        return "no_samples", f"has shape {y.shape}; {expected} with at least one sample."
    if y.ndim == 2 and y.shape[0] > max(2, y.shape[1]):
        return "channels_last", f"has shape {y.shape}; {expected}. Transpose it."
    if sr is not None and (isinstance(sr, bool) or not isinstance(sr, (int, np.integer)) or sr < 1):
        return "sample_rate", f"has a sample rate of {sr!r}; expected a positive integer, in Hz."
    return None


def check_samples(
    y: np.ndarray, name: str, first: int = 0, path: str | os.PathLike | None = None
) -> None:
    """Raise an error if samples are NaN, infinite or far beyond full scale (±1).

    Parameters
    ----------
    y : ndarray of float
        Samples. Time is the first axis if `path` is given, otherwise the last axis.
    name : str
        Name of the signal in the error message.
    first : int
        Position of the first sample of `y` in the complete signal.
    path : path-like, optional
        File from which the samples were read.

    Raises
    ------
    AudioError
        If a sample is NaN or infinite (``kind="not_finite"``; ``value`` is the position of the
        first such sample) or beyond ±64 (``kind="wrong_scale"``).
    """
    peak = float(max(y.max(initial=0), -y.min(initial=0)))
    if peak <= LOUDEST:
        return
    if np.isfinite(peak):
        fault = f"a sample has the absolute value {peak:g}, but full scale is 1. Divide 16-bit "
        fault += "samples by 32768."
        raise AudioError(f"{name}: {fault}", kind="wrong_scale", path=path, value=peak)
    channels = tuple(range(1, y.ndim)) if path else tuple(range(y.ndim - 1))
    invalid = np.flatnonzero(~np.isfinite(y).all(axis=channels))
    raise AudioError(
        f"{name}: {len(invalid)} samples are NaN or infinite; the first is sample "
        f"{first + invalid[0]}. Export the audio again, or correct these samples.",
        kind="not_finite",
        path=path,
        value=int(first + invalid[0]),
    )


def check_mono(y: np.ndarray) -> np.ndarray:
    """Check that a signal is mono and has at least two samples, and return it as float32.

    Raises
    ------
    AudioError
        If the signal is not usable (see :func:`check_signal`), has a channel axis, or has a single
        sample (``kind="wrong_shape"``).
    """
    y = check_signal(y)
    if y.ndim != 1 or y.size < 2:
        fault = f"the signal has shape {y.shape}; expected (n_samples,) with 2 samples or more."
        raise AudioError(fault, kind="wrong_shape", value=y.shape)
    return y.astype(np.float32, copy=False)
