"""Cut a stream of blocks into windows that cover the complete signal."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["WindowCutter"]


class WindowCutter:
    """Object that cuts a stream of blocks into windows of equal length.

    The last window is padded with zeros to the full length.

    Parameters
    ----------
    length, hop : int
        Length of the windows and distance between their starts, in samples; ``hop <= length``.
    lead : int
        Number of zeros to insert before the signal.

    Examples
    --------
    >>> cutter = WindowCutter(2, 2)
    >>> [window.tolist() for window, n_valid in cutter.push(np.arange(5.0))]
    [[0.0, 1.0], [2.0, 3.0]]
    >>> window, n_valid = cutter.finish()
    >>> window.tolist(), n_valid
    ([4.0, 0.0], 1)
    """

    def __init__(self, length: int, hop: int, lead: int = 0):
        self.length, self.hop = length, hop
        self.waiting = np.zeros(lead, np.float32)
        self.lead = lead
        self.heard = 0  # number of samples received so far

    def push(self, block: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
        """Add a block, and yield each complete window with its number of valid samples."""
        self.heard += len(block)
        waiting = np.concatenate([self.waiting, block])
        start = 0
        # yield a window only if more samples follow it; `finish` returns the last window
        while len(waiting) - start > self.length:
            yield waiting[start : start + self.length], self.length
            start += self.hop
        self.waiting = waiting[start:].copy()

    def finish(self) -> tuple[np.ndarray, int]:
        """Return the last window, padded with zeros, and its number of valid samples."""
        n_valid = len(self.waiting)
        last = np.zeros(self.length, np.float32)
        last[:n_valid] = self.waiting
        return last, n_valid
