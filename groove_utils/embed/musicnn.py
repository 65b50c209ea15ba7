"""The networks of the four music taggers of Pons & Serra (2019), re-implemented in PyTorch.

MusiCNN: a front end with musically motivated kernels (tall ones for timbre, long ones for time), a
mid end of three residual convolutions over time, and a back end that pools over time and tags.
VGG: five blocks of small square kernels, the computer-vision counterpart. Each was trained on
MagnaTagATune (``mtt-``) and on the Million Song Dataset (``msd-``). The weights are those that
the ``musicnn`` package carries; :mod:`groove_utils.embed.tf_checkpoint` reads them. Chapters 05
to 07 use them.

References
----------
Pons, J. & Serra, X. (2019). musicnn: pre-trained convolutional neural networks for music audio
tagging. ISMIR late-breaking demo. arXiv:1909.06654.

Pons, J., Nieto, O., Prockup, M., Schmidt, E., Ehmann, A. & Serra, X. (2018). End-to-end learning
for music audio tagging at scale. ISMIR.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from groove_utils.embed.convolution import SpectralPeaks, WinogradConv, temporal_peaks
from groove_utils.embed.taggers import HOP, N_FRAMES, N_TAGS, SAMPLE_RATE, checkpoint_folder
from groove_utils.embed.tf_checkpoint import read_checkpoint

__all__ = ["VGG", "MelSpectrogram", "MusiCNN", "load_network"]

N_FFT, N_MELS = 512, 96
BN_EPSILON = 1e-3


class MelSpectrogram(nn.Module):
    """Log-compressed mel power spectrogram, as the taggers were trained on.

    96 Slaney-scaled mel bands of a 512-point power spectrum every 256 samples at 16 kHz, rounded
    to half precision (as the training data were stored), then log10(10000·x + 1).
    """

    def __init__(self):
        super().__init__()
        filters = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=N_FFT, n_mels=N_MELS)
        self.register_buffer("filters", torch.tensor(filters.T, dtype=torch.float32))

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """From (n_windows, n_samples) to (n_windows, n_frames, 96)."""
        # in double precision where there is one: what lies between two half-precision numbers
        # then seldom falls to the other side than it did in the original
        precise = torch.float32 if batch.device.type == "mps" else torch.float64
        window = torch.hann_window(N_FFT, dtype=precise, device=batch.device)
        spectrum = torch.fft.rfft(batch.to(precise).unfold(1, N_FFT, HOP) * window)
        power = spectrum.real.square() + spectrum.imag.square()
        mel = (power @ self.filters.to(precise)).float()
        return torch.log10(10000 * mel.half().float() + 1)


class _Affine(nn.Module):
    """Batch normalisation at inference: a scale and a shift for each channel."""

    def __init__(self, n_channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(n_channels))
        self.beta = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("moving_mean", torch.zeros(n_channels))
        self.register_buffer("moving_variance", torch.ones(n_channels))

    def coefficients(self) -> tuple[torch.Tensor, torch.Tensor]:
        scale = self.gamma * torch.rsqrt(self.moving_variance + BN_EPSILON)
        return scale, self.beta - self.moving_mean * scale

    def forward(self, x: torch.Tensor, channel: int = -1) -> torch.Tensor:
        shape = [1] * x.ndim
        shape[channel] = -1
        scale, shift = self.coefficients()
        return x * scale.view(shape) + shift.view(shape)


class _Convolution(nn.Module):
    """A kernel with its bias and batch norm, computed in another order than they are written.

    The maximum over some places is taken before ReLU and norm, on a tensor many times larger than
    what follows. That is the same where the norm's scale is positive; where it is negative, the
    norm turns the largest into the smallest, so these filters are negated, and their maxima once
    more.
    """

    def __init__(self, n_filters: int, *shape: int):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(n_filters, *shape))
        self.bias = nn.Parameter(torch.zeros(n_filters))
        self.norm = _Affine(n_filters)
        self._fast = None, None

    def signs(self) -> torch.Tensor:
        """−1 for each filter that is negated, else 1."""
        scale, _ = self.norm.coefficients()
        return torch.where(scale < 0, -1.0, 1.0)

    def after_maximum(self, largest: torch.Tensor, channel: int = -1) -> torch.Tensor:
        """ReLU and norm of what is largest under a filter of positive sign."""
        shape = [1] * largest.ndim
        shape[channel] = -1
        sign, bias = self.signs().view(shape), self.bias.view(shape)
        return self.norm(functional.relu(largest * sign + bias), channel)

    def fast(self, make: Callable[[torch.Tensor], Any]) -> Any:
        """What `make` makes of the signed kernel, made anew only where weights have changed."""
        key = [(p.data_ptr(), p._version) for p in (self.kernel, self.norm.gamma)]
        if self._fast[0] != key:
            shape = [-1] + [1] * (self.kernel.ndim - 1)
            self._fast = key, make(self.kernel * self.signs().view(shape))
        return self._fast[1]


class _PooledConv(_Convolution):
    """Convolution, ReLU, batch norm and a maximum over all frequencies.

    Over time the input is padded as TensorFlow's "same" does it: the odd one of an even kernel's
    padding comes last.
    """

    def __init__(self, n_filters: int, n_time: int, n_freq: int):
        super().__init__(n_filters, 1, n_time, n_freq)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_frames, 96) to (n, n_frames, n_filters)."""
        if self.kernel.shape[3] > 1:
            largest = self.fast(lambda kernel: SpectralPeaks(kernel[:, 0], N_MELS))(x)
        else:
            largest = temporal_peaks(self.fast(lambda kernel: kernel[:, 0, :, 0]), x)
        return self.after_maximum(largest)


class _MidConv(nn.Module):
    """Convolution over seven frames and all features, ReLU, batch norm."""

    def __init__(self, n_in: int, n_out: int = 64):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(n_out, n_in, 7))
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.norm = _Affine(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_frames, n_in) to (n, n_frames, n_out)."""
        maps = functional.conv1d(x.transpose(1, 2), self.kernel, self.bias, padding=3)
        return self.norm(functional.relu(maps).transpose(1, 2))


class _Dense(nn.Module):
    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(n_out, n_in))
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # a matrix product would round a row differently at another place in the batch
        return (x[:, None] * self.kernel).sum(2) + self.bias


class MusiCNN(nn.Module):
    """The musically motivated tagger, 792 thousand parameters.

    Its parts are convolutions over time with zero padding and pooling over time, so a shorter
    patch is a full one whose later frames are masked: the two give the same numbers.
    """

    def __init__(self):
        super().__init__()
        self.spectrogram = MelSpectrogram()
        self.input_norm = _Affine(1)
        self.timbral_tall = _PooledConv(204, 7, 38)
        self.timbral_taller = _PooledConv(204, 7, 67)
        self.temporal_long = _PooledConv(51, 128, 1)
        self.temporal_medium = _PooledConv(51, 64, 1)
        self.temporal_short = _PooledConv(51, 32, 1)
        self.mid1, self.mid2, self.mid3 = _MidConv(561), _MidConv(64), _MidConv(64)
        self.pool_norm = _Affine(1506)
        self.hidden = _Dense(1506, 200)
        self.hidden_norm = _Affine(200)
        self.tags = _Dense(200, N_TAGS)

    def variables(self) -> dict[str, nn.Module]:
        """Which variable scope of the checkpoint holds which part's numbers."""
        fronts = [
            self.timbral_tall,
            self.timbral_taller,
            self.temporal_long,
            self.temporal_medium,
            self.temporal_short,
        ]
        convs = [*fronts, self.mid1, self.mid2, self.mid3]
        norms = [self.input_norm, *(conv.norm for conv in convs), self.pool_norm, self.hidden_norm]
        return {
            **{_numbered("conv2d", i): part for i, part in enumerate(convs)},
            **{_numbered("batch_normalization", i): part for i, part in enumerate(norms)},
            "dense": self.hidden,
            "dense_1": self.tags,
        }

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Every layer, pooled over the valid frames.

        Parameters
        ----------
        batch : Tensor, shape (n_windows, n_samples)
            Of any length; the engine gives 48128 samples, which are 187 frames.
        n_valid : Tensor of int, shape (n_windows,)
            Valid frames of each window, ≥ 1.
        """
        x = self.spectrogram(batch)
        frames = torch.arange(x.shape[1], device=batch.device)
        mask = (frames < n_valid[:, None])[..., None]
        x = self.input_norm(x[..., None]).squeeze(-1) * mask
        fronts = [
            self.timbral_tall(x),
            self.timbral_taller(x),
            self.temporal_long(x),
            self.temporal_medium(x),
            self.temporal_short(x),
        ]
        front = torch.cat(fronts, 2) * mask
        mid1 = self.mid1(front) * mask
        mid2 = (self.mid2(mid1) + mid1) * mask
        mid3 = (self.mid3(mid2) + mid2) * mask
        features = torch.cat([front, mid1, mid2, mid3], 2)
        mean_pool = features.sum(1) / n_valid[:, None]
        max_pool = features.masked_fill(~mask, -torch.inf).amax(1)
        # the checkpoint's dense layer takes maximum and mean of each feature in turn
        pooled = self.pool_norm(torch.stack([max_pool, mean_pool], 2).flatten(1))
        penultimate = self.hidden_norm(functional.relu(self.hidden(pooled)))
        timbral, temporal, cnn1, cnn2, cnn3 = mean_pool.split([408, 153, 64, 64, 64], 1)
        return {
            "timbral": timbral,
            "temporal": temporal,
            "cnn1": cnn1,
            "cnn2": cnn2,
            "cnn3": cnn3,
            "mean_pool": mean_pool,
            "max_pool": max_pool,
            "penultimate": penultimate,
            "taggram": _probabilities(self.tags(penultimate)),
        }


class _SquareConv(_Convolution):
    """3×3 convolution, ReLU, batch norm, max pooling.

    Of the first block, which pools over time only, every second frequency is all that its stride
    leaves, so no other is computed.
    """

    def __init__(self, n_in: int, pool: tuple[int, int], stride: int):
        super().__init__(128, n_in, 3, 3)
        self.pool, self.stride = pool, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_in, n_frames, n_freq) to (n, 128, fewer frames, fewer frequencies)."""
        stride = (self.stride, self.stride)
        if self.kernel.shape[1] == 1:
            patches = functional.pad(x[:, 0], (1, 1, 1, 1)).unfold(1, 3, 1).unfold(2, 3, stride[1])
            kernel = self.fast(lambda k: k.flatten(1)[..., None, None])
            maps = functional.conv2d(patches.flatten(3).permute(0, 3, 1, 2), kernel)
            stride = (self.stride, 1)
        else:
            maps = self.fast(WinogradConv)(x)
        return self.after_maximum(functional.max_pool2d(maps, self.pool, stride), 1)


class VGG(nn.Module):
    """The computer-vision tagger, 607 thousand parameters.

    Its dense layer is bound to patches of 187 frames. A shorter last window is filled up with
    silence, as the log spectrogram knows it (zeros); the positions of the feature maps that begin
    after the end are left out of the pooled layers.
    """

    def __init__(self):
        super().__init__()
        self.spectrogram = MelSpectrogram()
        self.input_norm = _Affine(1)
        self.blocks = nn.ModuleList(
            [
                _SquareConv(1, (4, 1), 2),
                _SquareConv(128, (2, 2), 2),
                _SquareConv(128, (2, 2), 2),
                _SquareConv(128, (2, 2), 2),
                _SquareConv(128, (4, 4), 4),
            ]
        )
        self.tags = _Dense(256, N_TAGS)

    def variables(self) -> dict[str, nn.Module]:
        """Which variable scope of the checkpoint holds which part's numbers."""
        norms = [self.input_norm, *(block.norm for block in self.blocks)]
        return {
            **{f"{i}CNN": block for i, block in enumerate(self.blocks, 1)},
            **{_numbered("batch_normalization", i): norm for i, norm in enumerate(norms)},
            "dense": self.tags,
        }

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """The feature maps averaged over frequency, (n_windows, n_positions, 128), and the tags.

        Parameters
        ----------
        batch : Tensor, shape (n_windows, 48128)
        n_valid : Tensor of int, shape (n_windows,)
            Valid frames of each window, 1 … 187; positions beyond are NaN in the maps.
        """
        frames = torch.arange(N_FRAMES, device=batch.device)
        x = self.spectrogram(batch) * (frames < n_valid[:, None])[..., None]
        x = self.input_norm(x[:, None], 1)
        pooled, stride = {}, 1
        for i, block in enumerate(self.blocks, 1):
            x = block(x)
            stride *= block.stride
            starts = stride * torch.arange(x.shape[2], device=batch.device)
            beyond = (starts >= n_valid[:, None])[..., None]
            maps = x.mean(3).transpose(1, 2)
            pooled[f"pool{i}"] = maps.masked_fill(beyond, torch.nan)
        flat = x.permute(0, 2, 3, 1).flatten(1)
        return {**pooled, "taggram": _probabilities(self.tags(flat))}


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    # in float32, vector and scalar instructions round differently, by the place in the batch
    precise = logits.double() if logits.device.type != "mps" else logits
    return torch.sigmoid(precise).float()


def _numbered(name: str, i: int) -> str:
    return f"{name}_{i}" if i else name


def load_network(name: str, seed: int = 0) -> nn.Module:
    """A tagger's network in evaluation mode, see :class:`groove_utils.embed.taggers.Tagger`."""
    network = MusiCNN() if "musicnn" in name else VGG()
    if name.endswith("-untrained"):
        _fill_at_random(network, zlib.crc32(f"{name}/{seed}".encode()))
    else:
        _fill_from_checkpoint(network, checkpoint_folder(name))
    return network.eval()


def _fill_from_checkpoint(network: nn.Module, folder: Path) -> None:
    values = read_checkpoint(folder)
    state = {}
    names = {id(part): scope for scope, part in network.variables().items()}
    for path, part in network.named_modules():
        if id(part) not in names:
            continue
        own = [*part._parameters, *(key for key in part._buffers)]
        for key in own:
            value = values.pop(f"{names[id(part)]}/{key}")
            if key == "kernel":
                value = _to_torch_layout(value, part)
            state[f"{path}.{key}"] = torch.from_numpy(np.ascontiguousarray(value))
    if values:
        raise ValueError(
            f"{folder}: the checkpoint holds variables that the network does not have: "
            f"{sorted(values)}."
        )
    constant = {k: v for k, v in network.state_dict().items() if k.startswith("spectrogram.")}
    network.load_state_dict({**state, **constant}, strict=True)


def _to_torch_layout(kernel: np.ndarray, part: nn.Module) -> np.ndarray:
    if isinstance(part, _Dense):
        return kernel.T
    if isinstance(part, _MidConv):  # (time, feature, 1, filter)
        return kernel[:, :, 0].transpose(2, 1, 0)
    return kernel.transpose(3, 2, 0, 1)  # (time, frequency, in, out)


def _fill_at_random(network: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _, part in network.named_modules():
        if isinstance(getattr(part, "kernel", None), nn.Parameter):
            nn.init.xavier_uniform_(part.kernel, generator=generator)
