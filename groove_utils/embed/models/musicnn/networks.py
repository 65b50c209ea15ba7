"""Networks of the four music taggers of Pons & Serra (2019), re-implemented in PyTorch.

MusiCNN: a front end with musically motivated kernels (tall ones for timbre, long ones for time), a
mid end of three residual convolutions over time, and a back end that pools over time and tags.
VGG: five blocks of small square kernels, its counterpart from computer vision. Each was trained on
MagnaTagATune (``mtt-``) and on the Million Song Dataset (``msd-``); the weights come from the
``musicnn`` package.

References
----------
Pons, J. & Serra, X. (2019). musicnn: pre-trained convolutional neural networks for music audio
tagging. ISMIR late-breaking demo. arXiv:1909.06654.

Pons, J., Nieto, O., Prockup, M., Schmidt, E., Ehmann, A. & Serra, X. (2018). End-to-end learning
for music audio tagging at scale. ISMIR.
"""

from __future__ import annotations

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
# from our order of axes to TensorFlow's, by their number
CHECKPOINT_AXES = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 3, 1, 0)}


def _derived(module: nn.Module, make: Callable):
    """Return what `make` computes from a module's weights; compute it again if they change."""
    version = [(t.data_ptr(), t._version) for t in (*module.parameters(), *module.buffers())]
    if getattr(module, "_kept", (None,))[0] != version:
        with torch.inference_mode(False), torch.no_grad():
            module._kept = version, make()
    return module._kept[1]


class _BatchNorm(nn.Module):
    """Batch normalisation at inference: a scale and a shift per channel, which is the last axis."""

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
    """A kernel, with outputs along its first axis, and a bias."""

    def __init__(self, *shape: int):
        super().__init__()
        self.kernel = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0]))


class _Dense(_Weights):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # the rounding of a matrix product would depend on the place in the batch
        return (x[:, None] * self.kernel).sum(2) + self.bias


class _PooledConvolution(_Weights):
    """Convolution, ReLU, batch norm and max-pooling; channels last.

    The maximum is taken first, because the tensors after it are many times smaller. For that,
    kernel and bias are multiplied by the norm's scale, and ReLU becomes a bound on the result:
    from below, or from above where the scale is negative.
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

    def maxima(self, kernel: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function from input to pooled correlations with the kernel."""
        raise NotImplementedError


class _FrontConvolution(_PooledConvolution):
    """Pooled over all frequencies: (n, n_frames, n_freq) to (n, n_frames, n_filters)."""

    def maxima(self, kernel):
        if kernel.device.type == "cpu" and kernel.shape[3] > 1:
            return SpectralPeaks(kernel[:, 0], N_MELS)
        return partial(frequency_maxima, kernel)


def frequency_maxima(kernel: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Correlate with a kernel (n_filters, 1, n_time, height) and pool over all frequencies.

    Padding over time is TensorFlow's "same": for even kernels, one frame more at the end.
    """
    n_time = kernel.shape[2]
    x = functional.pad(x, (0, 0, (n_time - 1) // 2, n_time // 2))
    return functional.conv2d(x[:, None], kernel).amax(3).mT.contiguous()


class _MidConvolution(_Weights):
    """Convolution over seven frames and all features, ReLU, batch norm."""

    def __init__(self, n_in: int, n_out: int = 64):
        super().__init__(n_out, n_in, 7)
        self.norm = _BatchNorm(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_frames, n_in) to (n, n_frames, n_out)."""
        maps = functional.conv1d(x.mT, self.kernel, self.bias, padding=3)
        return self.norm(functional.relu(maps).mT)


class MusiCNN(nn.Module):
    """The musically motivated tagger, 787 thousand parameters.

    It convolves over time with zero padding and pools over time, so a shorter window gives the
    same numbers as a full one whose later frames are masked.
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
        """Return the front end's convolutions: timbral ones, then temporal ones."""
        timbral = [self.timbral_tall, self.timbral_taller]
        return [*timbral, self.temporal_long, self.temporal_medium, self.temporal_short]

    def scopes(self) -> dict[str, nn.Module]:
        """Return the module for each variable scope of the checkpoint."""
        convolutions = [*self.front(), self.mid1, self.mid2, self.mid3]
        norms = [self.input_norm, *(part.norm for part in convolutions)]
        norms += [self.pool_norm, self.hidden_norm]
        dense = {"dense": self.hidden, "dense_1": self.tags}
        return _numbered("conv2d", convolutions) | _numbered("batch_normalization", norms) | dense

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute every layer, pooled over the valid frames.

        Parameters
        ----------
        batch : Tensor, shape (n_windows, n_samples)
            Of any length; the engine gives up to 48128 samples, which are 187 frames.
        n_valid : Tensor of int, shape (n_windows,)
            Valid frames of each window, ≥ 1.
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
        # the checkpoint's dense layer takes maximum and mean of each feature in turn
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
    """Pooled over four frames at every second frame and frequency.

    Frequencies between those are not computed.
    """

    pool, stride = 4, 2

    def maxima(self, kernel):
        return partial(self._strided, kernel.flatten(1).T.contiguous())

    def _strided(self, kernel: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """From (n, n_frames, n_freq, 1) to (n, n_frames // 2 − 1, n_freq // 2, n_filters)."""
        patches = functional.pad(x[..., 0], (1, 1, 1, 1)).unfold(1, 3, 1).unfold(2, 3, 2)
        n_pairs = x.shape[1] // 2
        maps = []
        for window in patches:
            frames = (window.reshape(-1, 9) @ kernel).view(len(window), -1)
            pairs = frames[: 2 * n_pairs].unflatten(0, (n_pairs, 2)).amax(1)
            maps.append(torch.maximum(pairs[:-1], pairs[1:]))
        return torch.stack(maps).unflatten(2, (-1, kernel.shape[1]))


class _SquareBlock(_PooledConvolution):
    """Pooled over squares: (n, n_frames, n_freq, 128) to fewer frames and frequencies."""

    def __init__(self, pool: int):
        super().__init__(128, 128, 3, 3)
        self.pool = self.stride = pool

    def maxima(self, kernel):
        if kernel.device.type == "cpu":
            return WinogradConvolution(kernel, self.pool)
        return partial(square_maxima, kernel, self.pool)


def square_maxima(kernel: torch.Tensor, pool: int, x: torch.Tensor) -> torch.Tensor:
    """Convolve with a 3×3 kernel and pool over squares; channels last."""
    maps = functional.conv2d(x.permute(0, 3, 1, 2), kernel, padding=1)
    return functional.max_pool2d(maps, pool).permute(0, 2, 3, 1)


class VGG(nn.Module):
    """The tagger from computer vision, 606 thousand parameters.

    Its dense layer needs windows of 187 frames. A shorter last window is padded with silence
    (zeros in the log spectrogram), and positions of the feature maps that begin after the end are
    left out of the pooled layers. Only the rows that depend on the signal are computed; the others
    are taken from the maps of a silent window.
    """

    def __init__(self):
        super().__init__()
        self.spectrogram = MelSpectrogram()
        self.input_norm = _BatchNorm(1)
        first = _FirstBlock(128, 1, 3, 3)
        self.blocks = nn.ModuleList([first, *map(_SquareBlock, (2, 2, 2, 4))])
        self.tags = _Dense(N_TAGS, 256)

    def scopes(self) -> dict[str, nn.Module]:
        """Return the module for each variable scope of the checkpoint."""
        norms = [self.input_norm, *(block.norm for block in self.blocks)]
        blocks = {f"{i}CNN": block for i, block in enumerate(self.blocks, 1)}
        return blocks | _numbered("batch_normalization", norms) | {"dense": self.tags}

    def forward(self, batch: torch.Tensor, n_valid: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the feature maps averaged over frequency, and the tags.

        Parameters
        ----------
        batch : Tensor, shape (n_windows, n_samples)
            At most 48128 samples, which are 187 frames.
        n_valid : Tensor of int, shape (n_windows,)
            Valid frames of each window, 1 … 187.

        Returns
        -------
        dict of str to Tensor
            ``pool1`` … ``pool5``, shape (n_windows, n_positions, 128), NaN at positions after the
            end; ``taggram``, shape (n_windows, 50).
        """
        x = self.spectrogram(batch)
        mask = torch.arange(x.shape[1], device=x.device) < n_valid[:, None]
        x = self.input_norm((x * mask[..., None])[..., None])
        silence = _derived(self, self._maps_of_silence)
        pooled, stride = {}, 1
        for i, block in enumerate(self.blocks, 1):
            # rows of the output that depend on a row of x, and rows of the input that they need
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
        """Compute the input and every block's output for a silent window."""
        maps = [self.input_norm(self.tags.bias.new_zeros(1, N_FRAMES, N_MELS, 1))]
        for block in self.blocks:
            maps.append(block(maps[-1]))
        return maps


def _continued(x: torch.Tensor, silence: torch.Tensor) -> torch.Tensor:
    """Pad maps to the length of those of silence, with their remaining rows."""
    rest = silence[:, x.shape[1] :]
    return torch.cat([x, rest.expand(len(x), *rest.shape[1:])], 1) if rest.shape[1] else x


def _probabilities(logits: torch.Tensor) -> torch.Tensor:
    # in float32, vector and scalar instructions round differently, by the place in the batch
    precise = logits.double() if logits.device.type != "mps" else logits
    return torch.sigmoid(precise).float()


def _numbered(scope: str, parts: list[nn.Module]) -> dict[str, nn.Module]:
    return {f"{scope}_{i}" if i else scope: part for i, part in enumerate(parts)}


def _architecture(name: str) -> MusiCNN | VGG:
    return (MusiCNN() if "musicnn" in name else VGG()).eval()


def random_network(name: str, seed: int = 0) -> MusiCNN | VGG:
    """Build an untrained network, its kernels drawn by Glorot & Bengio's (2010) uniform rule."""
    network = _architecture(name)
    generator = torch.Generator().manual_seed(zlib.crc32(f"{name}/{seed}".encode()))
    for part in network.modules():
        if isinstance(part, _Weights):
            nn.init.xavier_uniform_(part.kernel, generator=generator)
    return network


def trained_network(name: str, path: Path) -> MusiCNN | VGG:
    """Build a network with the weights of a checkpoint's data file.

    Raises
    ------
    ModelRefusedError
        If the file is damaged or of another network.
    """
    network = _architecture(name)
    views = {}
    for scope, part in network.scopes().items():
        own = part.named_parameters(recurse=False), part.named_buffers(recurse=False)
        for key, tensor in itertools.chain(*own):
            views[f"{scope}/{key}"] = tensor.detach().permute(CHECKPOINT_AXES[tensor.ndim])
    shapes = {key: view.shape for key, view in views.items()}
    for key, values in read_checkpoint(path, shapes).items():
        views[key].copy_(torch.from_numpy(values))
    return network
