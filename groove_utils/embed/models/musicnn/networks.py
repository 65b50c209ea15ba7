"""The networks of the four music taggers of Pons & Serra (2019), re-implemented in PyTorch.

MusiCNN: a front end with musically motivated kernels (tall ones for timbre, long ones for time), a
mid end of three residual convolutions over time, and a back end that pools over time and tags.
VGG: five blocks of small square kernels, the computer-vision counterpart. Each was trained on
MagnaTagATune (``mtt-``) and on the Million Song Dataset (``msd-``). The weights are those that
the ``musicnn`` package carries; :mod:`.tf_checkpoint` reads them. Chapters 05
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
from functools import partial
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from groove_utils.embed.models.musicnn.checkpoints import (
    HOP,
    N_FRAMES,
    N_TAGS,
    SAMPLE_RATE,
    checkpoint_folder,
)
from groove_utils.embed.models.musicnn.convolution import SpectralPeaks, TemporalPeaks, WinogradConv
from groove_utils.embed.models.musicnn.tf_checkpoint import read_checkpoint

__all__ = ["VGG", "MelSpectrogram", "MusiCNN", "load_network"]

N_FFT, N_MELS = 512, 96
BN_EPSILON = 1e-3
LARGEST_HALF = torch.finfo(torch.float16).max  # more would be infinite
BLOCK_ROWS = 16  # of the VGG's first block, whose maps fit a processor's second cache


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
        mel = (power @ self.filters.to(precise)).float().clamp(max=LARGEST_HALF)
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

    The maximum over some places is taken first, on a tensor many times larger than what follows.
    For that, the norm's scale moves into kernel and bias; where it is negative, ReLU's zero is
    what its outputs do not exceed.
    """

    def __init__(self, n_filters: int, *shape: int):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(n_filters, *shape))
        self.bias = nn.Parameter(torch.zeros(n_filters))
        self.norm = _Affine(n_filters)
        self._folded = None, None

    def folded(self, make: Callable[[torch.Tensor], Any]) -> tuple[Any, list[torch.Tensor]]:
        """What `make` makes of the scaled kernel, and offset and bounds of its outputs.

        Both are kept, and made anew only where weights have changed.
        """
        key = _state_of(self)
        if self._folded[0] != key:
            with torch.inference_mode(False), torch.no_grad():
                scale, shift = self.norm.coefficients()
                kernel = self.kernel * scale.view([-1] + [1] * (self.kernel.ndim - 1))
                unbound = torch.full_like(shift, torch.inf)
                lowest = torch.where(scale < 0, -unbound, shift)
                highest = torch.where(scale < 0, shift, unbound)
                bounds = [self.bias * scale + shift, lowest, highest]
                self._folded = key, (make(kernel), bounds)
        return self._folded[1]


def _state_of(module: nn.Module) -> list[tuple[int, int]]:
    """What changes where a module's numbers do."""
    return [(t.data_ptr(), t._version) for t in (*module.parameters(), *module.buffers())]


def _bounded(largest: torch.Tensor, bounds: list[torch.Tensor]) -> torch.Tensor:
    """The outputs that belong to maxima under a scaled kernel; filters lie last in memory."""
    offset, lowest, highest = bounds
    return largest.add_(offset).clamp_(lowest, highest)


class _PooledConv(_Convolution):
    """Convolution, ReLU, batch norm and a maximum over all frequencies.

    Over time the input is padded as TensorFlow's "same" does it: the odd one of an even kernel's
    padding comes last.
    """

    def __init__(self, n_filters: int, n_time: int, n_freq: int):
        super().__init__(n_filters, 1, n_time, n_freq)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_frames, 96) to (n, n_frames, n_filters)."""
        peaks, bounds = self.folded(self._peaks)
        return _bounded(peaks(x), bounds)

    @staticmethod
    def _peaks(kernel: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        if kernel.shape[3] > 1:
            return SpectralPeaks(kernel[:, 0], N_MELS)
        return TemporalPeaks(kernel[:, 0, :, 0])


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


class _FirstBlock(_Convolution):
    """3×3 convolution, ReLU, batch norm, and the largest of four frames at every second one.

    Every second frequency is all that the pooling's stride leaves, so no other is computed.
    """

    pool, stride = 4, 2

    def __init__(self):
        super().__init__(128, 1, 3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_frames, n_freq) to (n, fewer frames, fewer frequencies, 128)."""
        kernel, bounds = self.folded(lambda kernel: kernel.flatten(1).T.contiguous())
        patches = functional.pad(x, (1, 1, 1, 1)).unfold(1, 3, 1).unfold(2, 3, self.stride)
        n_rows = (x.shape[1] - self.pool) // self.stride + 1
        at_once = BLOCK_ROWS if x.device.type == "cpu" else n_rows
        out = x.new_empty(len(x), n_rows, patches.shape[2] * len(self.bias))
        for window, maps in zip(patches, out):
            for rows in maps.split(at_once):
                frames, window = window[: 2 * len(rows) + 2], window[2 * len(rows) :]
                pairs = (frames.reshape(-1, 9) @ kernel).view(len(rows) + 1, 2, -1).amax(1)
                torch.maximum(pairs[:-1], pairs[1:], out=rows)
        return _bounded(out.unflatten(2, (-1, len(self.bias))), bounds)


class _SquareBlock(_Convolution):
    """3×3 convolution, ReLU, batch norm, and the largest of each square."""

    def __init__(self, pool: int):
        super().__init__(128, 128, 3, 3)
        self.pool = self.stride = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_frames, n_freq, 128) to (n, fewer frames, fewer frequencies, 128)."""
        convolve, bounds = self.folded(partial(WinogradConv, pool=self.pool))
        return _bounded(convolve(x), bounds)


class VGG(nn.Module):
    """The computer-vision tagger, 607 thousand parameters.

    Its dense layer is bound to patches of 187 frames. A shorter last window is filled up with
    silence, as the log spectrogram knows it (zeros); the positions of the feature maps that begin
    after the end are left out of the pooled layers. What the network makes of silence is known
    from a window that holds nothing else, so only the rows that the signal reaches are computed.
    """

    def __init__(self):
        super().__init__()
        self.spectrogram = MelSpectrogram()
        self.input_norm = _Affine(1)
        self.blocks = nn.ModuleList([_FirstBlock(), *(_SquareBlock(pool) for pool in (2, 2, 2, 4))])
        self.tags = _Dense(256, N_TAGS)
        self._silence = None, None

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
        batch : Tensor, shape (n_windows, n_samples)
            At most 48128 samples, which are 187 frames; after it there is silence.
        n_valid : Tensor of int, shape (n_windows,)
            Valid frames of each window, 1 … 187; positions beyond are NaN in the maps.
        """
        x = self.spectrogram(batch)
        frames = torch.arange(x.shape[1], device=batch.device)
        x = self.input_norm((x * (frames < n_valid[:, None])[..., None])[..., None]).squeeze(-1)
        silence = self._maps_of_silence()
        pooled, stride = {}, 1
        for i, block in enumerate(self.blocks, 1):
            # rows of this block's output that see a row of x, and the rows of x that they see
            n_rows = min(silence[i].shape[1], -(-(x.shape[1] + 1) // block.stride))
            n_seen = block.stride * (n_rows - 1) + block.pool + 1
            x = block(_followed(x[:, :n_seen], silence[i - 1][:, :n_seen]))[:, :n_rows]
            stride *= block.stride
            n_positions = -(-batch.shape[1] // (stride * HOP))
            starts = stride * torch.arange(n_positions, device=batch.device)
            missing = 0, 0, 0, max(0, n_positions - n_rows)
            maps = functional.pad(x.mean(2), missing, value=torch.nan)
            beyond = (starts >= n_valid[:, None])[..., None]
            pooled[f"pool{i}"] = maps[:, :n_positions].masked_fill(beyond, torch.nan)
        flat = _followed(x, silence[-1]).flatten(1)
        return {**pooled, "taggram": _probabilities(self.tags(flat))}

    def _maps_of_silence(self) -> list[torch.Tensor]:
        """Input and every block's output of a window of silence, made once for the weights."""
        key = _state_of(self)
        if self._silence[0] != key:
            device = self.tags.bias.device
            with torch.inference_mode(False), torch.no_grad():
                zeros = torch.zeros(1, N_FRAMES, N_MELS, 1, device=device)
                maps = [self.input_norm(zeros).squeeze(-1)]
                for block in self.blocks:
                    maps.append(block(maps[-1]))
            self._silence = key, maps
        return self._silence[1]


def _followed(x: torch.Tensor, silence: torch.Tensor) -> torch.Tensor:
    """Maps, followed by what is left of those of silence."""
    rest = silence[:, x.shape[1] :]
    return torch.cat([x, rest.expand(len(x), *rest.shape[1:])], 1) if rest.shape[1] else x


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    # in float32, vector and scalar instructions round differently, by the place in the batch
    precise = logits.double() if logits.device.type != "mps" else logits
    return torch.sigmoid(precise).float()


def _numbered(name: str, i: int) -> str:
    return f"{name}_{i}" if i else name


def load_network(name: str, seed: int = 0) -> nn.Module:
    """Load a tagger's network in evaluation mode."""
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
