"""Frames of a window: their length, their spacing and their number."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["Framing"]


@dataclass(frozen=True)
class Framing:
    """Frames into which a window of samples is cut.

    Attributes
    ----------
    sample_rate : int
        Hz.
    length, hop : int
        Samples per frame, and from one frame to the next.
    n_frames : int
        Frames per window.

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
        """Seconds of the samples of all frames."""
        return ((self.n_frames - 1) * self.hop + self.length) / self.sample_rate

    @property
    def period(self) -> float:
        """Seconds from one window to the next, if frames follow each other without a gap."""
        return self.n_frames * self.hop / self.sample_rate

    @property
    def lead(self) -> float:
        """Seconds of silence that centre the first frame on the start of the signal."""
        return self.length // 2 / self.sample_rate

    def cut(self, batch: torch.Tensor) -> torch.Tensor:
        """Cut windows of samples into frames, (n_windows, n_frames, length)."""
        return batch.unfold(1, self.length, self.hop)

    def valid(self, n_valid: torch.Tensor) -> torch.Tensor:
        """Mark frames whose centre lies before the signal's end; the first one always counts.

        Parameters
        ----------
        n_valid : Tensor of int, shape (n_windows,)
            Samples of each window before the signal's end.

        Returns
        -------
        Tensor of bool, shape (n_windows, n_frames)
        """
        centres = torch.arange(self.n_frames, device=n_valid.device) * self.hop + self.length // 2
        mask = centres < n_valid[:, None]
        mask[:, 0] = True
        return mask
