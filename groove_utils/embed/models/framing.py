"""Division of audio windows into frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Framing"]


@dataclass(frozen=True)
class Framing:
    """Division of a window into overlapping frames.

    Attributes
    ----------
    sample_rate : int
        Sample rate in Hz.
    length, hop : int
        Length of the frames and hop between them, in samples.
    n_frames : int
        Number of frames per window.

    Examples
    --------
    >>> framing = Framing(sample_rate=1000, length=4, hop=2, n_frames=4)
    >>> framing.window, framing.period, framing.lead
    (0.01, 0.008, 0.002)
    >>> framing.valid(torch.tensor([3, 9])).int().tolist()
    [[1, 0, 0, 0], [1, 1, 1, 1]]
    """

    sample_rate: int
    length: int
    hop: int
    n_frames: int

    @property
    def window(self) -> float:
        """Duration in seconds of a window that holds exactly `n_frames` frames."""
        return ((self.n_frames - 1) * self.hop + self.length) / self.sample_rate

    @property
    def period(self) -> float:
        """Hop between windows in seconds that keeps frames evenly spaced from window to window."""
        return self.n_frames * self.hop / self.sample_rate

    @property
    def lead(self) -> float:
        """Seconds of silence to insert so that the first frame is centred on the signal's start."""
        return self.length // 2 / self.sample_rate

    def cut(self, batch: torch.Tensor) -> torch.Tensor:
        """Cut windows (n_windows, n_samples) into frames (n_windows, n_frames, length)."""
        return batch.unfold(1, self.length, self.hop)

    def valid(self, n_valid: torch.Tensor) -> torch.Tensor:
        """Mark the frames centred before the end of the signal; the first frame is always valid.

        Parameters
        ----------
        n_valid : Tensor of int, shape (n_windows,)
            Number of samples in each window that precede the end of the signal.

        Returns
        -------
        Tensor of bool, shape (n_windows, n_frames)
            True for valid frames.
        """
        centres = torch.arange(self.n_frames, device=n_valid.device) * self.hop + self.length // 2
        mask = centres < n_valid[:, None]
        mask[:, 0] = True
        return mask
