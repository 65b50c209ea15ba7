"""Networks of the four music taggers by Pons & Serra (2019), re-implemented in PyTorch.

MusiCNN has a front end with musically motivated kernels (tall for timbre, long for time), a mid end
of three residual convolutions over time, and a back end that pools over time and predicts tags. VGG
has five blocks with small square kernels, as used in computer vision. Each network was trained
separately on MagnaTagATune (``mtt-``) and on the Million Song Dataset (``msd-``). The weights come
from the package ``musicnn``.

References
----------
Pons, J. & Serra, X. (2019). musicnn: pre-trained convolutional neural networks for music audio
tagging. ISMIR late-breaking demo. arXiv:1909.06654.

Pons, J., Nieto, O., Prockup, M., Schmidt, E., Ehmann, A. & Serra, X. (2018). End-to-end learning
for music audio tagging at scale. ISMIR.
"""

from __future__ import annotations

import abc
import itertools
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from groove_utils.embed.models.musicnn.convolution import SpectralPeaks, WinogradConvolution
from groove_utils.embed.models.musicnn.framing import HOP, N_FRAMES
from groove_utils.embed.models.musicnn.spectrogram import N_MELS, MelSpectrogram
from groove_utils.embed.models.musicnn.tf_checkpoint import read_checkpoint

__all__ = ["VGG", "MusiCNN", "random_network", "trained_network"]

N_TAGS = 50
BN_EPSILON = 1e-3
# permutation from this module's axes to those of TensorFlow, by number of axes
CHECKPOINT_AXES = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}


def _derived(module: nn.Module, make: Callable):
    """Return the result of ``make()``, cached until the weights of `module` change."""
    version = [(t.data_ptr(), t._version) for t in (*module.parameters(), *module.buffers())]
    if getattr(module, "_kept", (None,))[0] != version:
        with torch.inference_mode(False), torch.no_grad():
            module._kept = version, make()
    return module._kept[1]


class _BatchNorm(nn.Module):
    """Batch normalisation at inference: one scale and one shift per channel (the last axis)."""

    def __init__(self, n_channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(n_channels))
        self.beta = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("moving_mean", torch.zeros(n_channels))
        self.register_buffer("moving_variance", torch.ones(n_channels))

    def coefficients(self) -> tuple[torch.Tensor, torch.Tensor]:
        scale = self.gamma * torch.rsqrt(self.moving_variance + BN_EPSILON)
        return scale, self.beta - self.moving_mean * scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale, shift = self.coefficients()
        return x * scale + shift


class _Weights(nn.Module):
    """Base class for layers with a kernel and a bias; axis 0 of the kernel indexes the outputs."""

    def __init__(self, *shape: int):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))


class _Dense(_Weights):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # the rounding errors of a matrix product would depend on the position in the batch
        return (x[:, None] * self.kernel).sum(2) + self.bias


class _PooledConvolution(_Weights, abc.ABC):
    """Base class for channels-last blocks of convolution, ReLU, batch norm and max-pooling.

    Max-pooling is done directly after the convolution, so that the remaining steps process far
    fewer values. To give the same result, the kernel and the bias are multiplied by the scale of
    the batch norm, and the ReLU becomes a bound on the result: a lower bound, or an upper bound if
    the scale is negative.
    """

    def __init__(self, *shape: int):
        super().__init__(*shape)
        self.norm = _BatchNorm(shape[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maxima, offset, lowest, highest = _derived(self, self._folded)
        return maxima(x).add_(offset).clamp_(lowest, highest)

    def _folded(self) -> tuple:
        scale, shift = self.norm.coefficients()
        unbound = torch.full_like(shift, torch.inf)
        lowest = torch.where(scale < 0, -unbound, shift)
        highest = torch.where(scale < 0, shift, unbound)
        maxima = self.maxima(self.kernel * scale[:, None, None, None])
        return maxima, self.bias * scale + shift, lowest, highest

    @abc.abstractmethod
    def maxima(self, kernel: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that correlates its input with a kernel and takes local maxima."""


class _FrontConvolution(_PooledConvolution):
    """Convolution followed by the maximum over all frequencies, in the front end of MusiCNN."""

    def maxima(self, kernel):
        if kernel.device.type == "cpu" and kernel.shape[3] > 1:
            return SpectralPeaks(kernel[:, 0], N_MELS)
        return partial(frequency_maxima, kernel)


def frequency_maxima(kernel: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Correlate spectrograms with a kernel, and take the maximum over all frequencies.

    Parameters
    ----------
    kernel : Tensor, shape (n_filters, 1, n_time, height)
        Kernels of the filters.
    x : Tensor, shape (n, n_frames, n_freq)
        Spectrograms. They are zero-padded in time as with TensorFlow's "same" padding: if `n_time`
        is even, there is one more frame of zeros at the end than at the start.

    Returns
    -------
    Tensor, shape (n, n_frames, n_filters)
        Maximum over frequency for each frame and filter.
    """
    n_time = kernel.shape[2]
    x = functional.pad(x, (0, 0, (n_time - 1) // 2, n_time // 2))
    return functional.conv2d(x[:, None], kernel).amax(3).mT.contiguous()


class _MidConvolution(_Weights):
    """Convolution over seven frames and all features, followed by ReLU and batch norm."""

    def __init__(self, n_in: int, n_out: int = 64):
        super().__init__(n_out, n_in, 7)
        self.norm = _BatchNorm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map features (n, n_frames, n_in) to (n, n_frames, n_out)."""
        maps = functional.conv1d(x.mT, self.kernel, self.bias, padding=3)
        return self.norm(functional.relu(maps).mT)


class MusiCNN(nn.Module):
    """Music tagger with musically motivated kernels and 787 thousand parameters.

    The network convolves over time with zero padding, and pools over time. A short window therefore
    gives the same result as a full window whose frames after the end of the signal are masked.
    """

    def __init__(self):
        super().__init__()
        self.spectrogram = MelSpectrogram()
        self.input_norm = _BatchNorm(1)
        self.timbral_tall = _FrontConvolution(204, 1, 7, 38)
        self.timbral_taller = _FrontConvolution(204, 1, 7, 67)
        self.temporal_long = _FrontConvolution(51, 1, 128, 1)
        self.temporal_medium = _FrontConvolution(51, 1, 64, 1)
        self.temporal_short = _FrontConvolution(51, 1, 32, 1)
        self.mid1, self.mid2, self.mid3 = map(_MidConvolution, (561, 64, 64))
        self.pool_norm = _BatchNorm(1506)
        self.hidden = _Dense(200, 1506)
        self.hidden_norm = _BatchNorm(200)
        self.tags = _Dense(N_TAGS, 200)

    def front(self) -> list[_FrontConvolution]:
        """Return the timbral convolutions of the front end, followed by the temporal ones."""
        timbral = [self.timbral_tall, self.timbral_taller]
        return [*timbral, self.temporal_long, self.temporal_medium, self.temporal_short]

    def scopes(self) -> dict[str, nn.Module]:
        """Return the network's modules, with their variable scopes in the checkpoint as keys."""
        convolutions = [*self.front(), self.mid1, self.mid2, self.mid3]
        norms = [self.input_norm, *(part.norm for part in convolutions)]
        norms += [self.pool_norm, self.hidden_norm]
        dense = {"dense": self.hidden, "dense_1": self.tags}
        return _numbered("conv2d", convolutions) | _numbered("batch_normalization", norms) | dense

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the outputs of all layers, pooled over the valid frames.

        Parameters
        ----------
        batch : Tensor, shape (n_windows, n_samples)
            Windows of any length; a full window has 48,128 samples, or 187 frames.
        n_valid : Tensor of int, shape (n_windows,)
            Number of valid frames in each window, at least one.

        Returns
        -------
        dict of str to Tensor, shape (n_windows, dim)
            Outputs by layer.
        """
        x = self.spectrogram(batch)
        mask = (torch.arange(x.shape[1], device=x.device) < n_valid[:, None])[..., None]
        x = self.input_norm(x[..., None]).squeeze(3) * mask
        front = torch.cat([part(x) for part in self.front()], 2) * mask
        mid1 = self.mid1(front) * mask
        mid2 = (self.mid2(mid1) + mid1) * mask
        mid3 = (self.mid3(mid2) + mid2) * mask
        features = torch.cat([front, mid1, mid2, mid3], 2)
        mean_pool = features.sum(1) / n_valid[:, None]
        max_pool = features.masked_fill(~mask, -torch.inf).amax(1)
        # the dense layer of the checkpoint expects the maximum and mean of each feature in turn
        pooled = self.pool_norm(torch.stack([max_pool, mean_pool], 2).flatten(1))
        penultimate = self.hidden_norm(functional.relu(self.hidden(pooled)))
        means = mean_pool.split([408, 153, 64, 64, 64], 1)
        return {
            **dict(zip(["timbral", "temporal", "cnn1", "cnn2", "cnn3"], means)),
            "mean_pool": mean_pool,
            "max_pool": max_pool,
            "penultimate": penultimate,
            "taggram": _probabilities(self.tags(penultimate)),
        }


class _FirstBlock(_PooledConvolution):
    """First block of VGG: convolution, then maxima over four frames with a stride of two.

    The convolution has a stride of two along frequency.
    """

    pool, stride = 4, 2

    def maxima(self, kernel):
        return partial(self._strided, kernel.flatten(1).T.contiguous())

    def _strided(self, kernel: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Map inputs (n, n_frames, n_freq, 1) to (n, n_frames // 2 − 1, n_freq // 2, n_filters)."""
        patches = functional.pad(x[..., 0], (1, 1, 1, 1)).unfold(1, 3, 1).unfold(2, 3, 2)
        n_pairs = x.shape[1] // 2
        maps = []
        for window in patches:
            frames = (window.reshape(-1, 9) @ kernel).view(len(window), -1)
            pairs = frames[: 2 * n_pairs].unflatten(0, (n_pairs, 2)).amax(1)
            maps.append(torch.maximum(pairs[:-1], pairs[1:]))
        return torch.stack(maps).unflatten(2, (-1, kernel.shape[1]))


class _SquareBlock(_PooledConvolution):
    """VGG block after the first: convolution, then maxima over squares in time and frequency."""

    def __init__(self, pool: int):
        super().__init__(128, 128, 3, 3)
        self.pool = self.stride = pool

    def maxima(self, kernel):
        if kernel.device.type == "cpu":
            return WinogradConvolution(kernel, self.pool)
        return partial(square_maxima, kernel, self.pool)


def square_maxima(kernel: torch.Tensor, pool: int, x: torch.Tensor) -> torch.Tensor:
    """Convolve channels-last feature maps with a 3×3 kernel, and take maxima over squares."""
    maps = functional.conv2d(x.permute(0, 3, 1, 2), kernel, padding=1)
    return functional.max_pool2d(maps, pool).permute(0, 2, 3, 1)


class VGG(nn.Module):
    """Music tagger with a VGG architecture and 606 thousand parameters.

    The dense layer requires windows of 187 frames. A short last window is padded with silence
    (zeros in the log spectrogram), and positions in the feature maps that begin after the end of
    the signal are excluded from the pooled layers. Only the rows of the feature maps that depend on
    the signal are computed; the other rows are copied from the feature maps of silence.
    """

    def __init__(self):
        super().__init__()
        self.spectrogram = MelSpectrogram()
        self.input_norm = _BatchNorm(1)
        first = _FirstBlock(128, 1, 3, 3)
        self.blocks = nn.ModuleList([first, *map(_SquareBlock, (2, 2, 2, 4))])
        self.tags = _Dense(N_TAGS, 256)

    def scopes(self) -> dict[str, nn.Module]:
        """Return the network's modules, with their variable scopes in the checkpoint as keys."""
        norms = [self.input_norm, *(block.norm for block in self.blocks)]
        blocks = {f"{i}CNN": block for i, block in enumerate(self.blocks, 1)}
        return blocks | _numbered("batch_normalization", norms) | {"dense": self.tags}

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the feature maps, averaged over frequency, and the tag probabilities.

        Parameters
        ----------
        batch : Tensor, shape (n_windows, n_samples)
            Windows of at most 48,128 samples, or 187 frames.
        n_valid : Tensor of int, shape (n_windows,)
            Number of valid frames in each window, from 1 to 187.

        Returns
        -------
        dict of str to Tensor
            ``pool1`` to ``pool5``, shape (n_windows, n_positions, 128), with NaN at positions after
            the end of the signal; and ``taggram``, shape (n_windows, 50).
        """
        x = self.spectrogram(batch)
        mask = torch.arange(x.shape[1], device=x.device) < n_valid[:, None]
        x = self.input_norm((x * mask[..., None])[..., None])
        silence = _derived(self, self._maps_of_silence)
        pooled, stride = {}, 1
        for i, block in enumerate(self.blocks, 1):
            # number of output rows that depend on x, and number of input rows that determine them
            n_rows = min(silence[i].shape[1], -(-(x.shape[1] + 1) // block.stride))
            n_needed = block.stride * (n_rows - 1) + block.pool + 1
            x = block(_continued(x[:, :n_needed], silence[i - 1][:, :n_needed]))[:, :n_rows]
            stride *= block.stride
            starts = torch.arange(0, -(-batch.shape[1] // HOP), stride, device=x.device)
            missing = max(0, len(starts) - n_rows)
            maps = functional.pad(x.mean(2), (0, 0, 0, missing), value=torch.nan)[:, : len(starts)]
            beyond = (starts >= n_valid[:, None])[..., None]
            pooled[f"pool{i}"] = maps.masked_fill(beyond, torch.nan)
        flat = _continued(x, silence[-1]).flatten(1)
        return {**pooled, "taggram": _probabilities(self.tags(flat))}

    def _maps_of_silence(self) -> list[torch.Tensor]:
        """Compute the normalised input and each block's output for a silent window."""
        maps = [self.input_norm(self.tags.bias.new_zeros(1, N_FRAMES, N_MELS, 1))]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps


def _continued(x: torch.Tensor, silence: torch.Tensor) -> torch.Tensor:
    """Extend short feature maps with the corresponding rows of the feature maps of silence."""
    rest = silence[:, x.shape[1] :]
    return torch.cat([x, rest.expand(len(x), *rest.shape[1:])], 1) if rest.shape[1] else x


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    # in float32, rounding would depend on the position, as vector and scalar code differ
    precise = logits.double() if logits.device.type != "mps" else logits
    return torch.sigmoid(precise).float()


def _numbered(scope: str, parts: list[nn.Module]) -> dict[str, nn.Module]:
    return {f"{scope}_{i}" if i else scope: part for i, part in enumerate(parts)}


def _architecture(name: str) -> MusiCNN | VGG:
    return (MusiCNN() if "musicnn" in name else VGG()).eval()


def random_network(name: str, seed: int = 0) -> MusiCNN | VGG:
    """Build an untrained tagger with random kernels (uniform, Glorot & Bengio 2010)."""
    network = _architecture(name)
    generator = torch.Generator().manual_seed(zlib.crc32(f"{name}/{seed}".encode()))
    for part in network.modules():
        if isinstance(part, _Weights):
            nn.init.xavier_uniform_(part.kernel, generator=generator)
    return network


def trained_network(name: str, path: Path) -> MusiCNN | VGG:
    """Build a tagger with the weights from a checkpoint.

    Parameters
    ----------
    name : str
        Name of the tagger, such as ``msd-vgg``.
    path : pathlib.Path
        Data file of the checkpoint.

    Raises
    ------
    ModelRefusedError
        If the file is damaged, or belongs to another network.
    """
    network = _architecture(name)
    views = {}
    for scope, part in network.scopes().items():
        tensors = part.named_parameters(recurse=False), part.named_buffers(recurse=False)
        for key, tensor in itertools.chain(*tensors):
            views[f"{scope}/{key}"] = tensor.detach().permute(CHECKPOINT_AXES[tensor.ndim])
    shapes = {key: view.shape for key, view in views.items()}
    for key, values in read_checkpoint(path, shapes).items():
        views[key].copy_(torch.from_numpy(values))
    return network
