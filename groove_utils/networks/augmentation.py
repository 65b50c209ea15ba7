"""Data augmentation: random changes to the spectrograms used for training.

Each function takes a batch of spectrograms and their targets and returns both, so it can be passed
to :func:`groove_utils.networks.train_epoch` as `augment` (for :func:`mixup`, first bind `n_classes`
with :func:`functools.partial`). Random numbers are drawn from torch's default generator. Whether a
change preserves the correct label depends on the task.
"""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ["mask", "mixup", "shift_bands", "stretch_time"]


def mask(
    x: torch.Tensor, target: torch.Tensor, bands: float = 0.2, frames: float = 0.2
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mask a random range of bands and a random range of frames in each example (SpecAugment).

    Masked values are replaced with the mean of the batch.

    Parameters
    ----------
    x : Tensor, shape (batch, n_bands, n_frames)
    target : Tensor
        Returned unchanged.
    bands, frames : float
        Maximum fraction of the bands and of the frames to mask. The fraction that is masked in each
        example is drawn uniformly between 0 and the maximum.

    References
    ----------
    Park et al. (2019), "SpecAugment", Interspeech.
    """
    hidden = _random_ranges(x.shape[0], x.shape[1], bands)[:, :, None]
    hidden = hidden | _random_ranges(x.shape[0], x.shape[2], frames)[:, None, :]
    return x.masked_fill(hidden.to(x.device), x.mean().item()), target


def mixup(
    x: torch.Tensor, target: torch.Tensor, n_classes: int, alpha: float = 0.3
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix random pairs of examples, and mix their targets in the same proportions.

    Parameters
    ----------
    x : Tensor, shape (batch, ...)
    target : Tensor of int64, shape (batch,)
        Class of each example.
    n_classes : int
        Number of classes.
    alpha : float
        Parameter of the Beta(alpha, alpha) distribution from which the mixing proportion of each
        pair is drawn.

    Returns
    -------
    x : Tensor, shape (batch, ...)
    target : Tensor of float, shape (batch, n_classes)
        Class probabilities of each mixed example.

    References
    ----------
    Zhang et al. (2018), "mixup: beyond empirical risk minimization", ICLR.
    """
    share = torch.distributions.Beta(alpha, alpha).sample((len(x),)).to(x.device)
    other = torch.randperm(len(x)).to(x.device)
    classes = functional.one_hot(target, n_classes).to(x.dtype)
    mixed_target = share[:, None] * classes + (1 - share[:, None]) * classes[other]
    share = share.reshape(-1, *[1] * (x.ndim - 1))
    return share * x + (1 - share) * x[other], mixed_target


def shift_bands(
    x: torch.Tensor, target: torch.Tensor, most: int = 12
) -> tuple[torch.Tensor, torch.Tensor]:
    """Shift each example up by a random number of bands.

    In a constant-Q spectrogram, shifting the bands transposes the music. The lowest bands, which
    become empty, are filled with the minimum of the example.

    Parameters
    ----------
    x : Tensor, shape (batch, n_bands, n_frames)
    target : Tensor
        Returned unchanged.
    most : int
        Maximum shift, in bands.
    """
    steps = torch.randint(0, most + 1, (len(x),))
    source = (torch.arange(x.shape[1]) - steps[:, None]).to(x.device)
    moved = x.gather(1, source.clamp(min=0)[:, :, None].expand_as(x))
    floor = x.amin(dim=(1, 2), keepdim=True)
    return torch.where((source >= 0)[:, :, None], moved, floor), target


def stretch_time(
    x: torch.Tensor, target: torch.Tensor, most: float = 0.25
) -> tuple[torch.Tensor, torch.Tensor]:
    """Speed up or slow down each example by a random factor without changing its length.

    Examples that become too long are truncated; examples that become too short are repeated from
    the beginning.

    Parameters
    ----------
    x : Tensor, shape (batch, n_bands, n_frames)
    target : Tensor
        Returned unchanged.
    most : float
        Maximum relative change in speed. The factor is drawn log-uniformly between
        1 / (1 + most) and 1 + most.
    """
    span = torch.log1p(torch.tensor(most))
    rate = torch.exp((2 * torch.rand(len(x), 1) - 1) * span)
    position = ((rate * torch.arange(x.shape[2])) % (x.shape[2] - 1)).to(x.device)
    low = position.floor().long()
    fraction = (position - low)[:, None].to(x.dtype)
    low = low[:, None].expand(-1, x.shape[1], -1)
    return (1 - fraction) * x.gather(2, low) + fraction * x.gather(2, low + 1), target


def _random_ranges(n: int, length: int, share: float) -> torch.Tensor:
    """Draw `n` random ranges of consecutive positions; return a boolean mask, shape (n, length).

    Each range covers at most the fraction `share` of all positions.
    """
    width = (torch.rand(n, 1) * share * length).round()
    start = (torch.rand(n, 1) * (length - width + 1)).floor()
    positions = torch.arange(length)
    return (positions >= start) & (positions < start + width)
