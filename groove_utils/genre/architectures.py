"""Networks that classify the style of a clip from its log-mel spectrogram.

Each network takes log-mel spectrograms in dB, shape (batch, n_mels, n_frames), and has two methods:
``embed(x)`` returns features, shape (batch, dim), and ``forward(x)`` applies a linear layer to them
and returns logits. To make comparisons fair, all networks have about 200,000 parameters by default.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps
from torch import nn

from groove_utils.errors import DetailedError

__all__ = [
    "NETWORKS",
    "AttentionPooling",
    "ConvolutionNetwork",
    "ConvolutionRecurrentNetwork",
    "ParallelNetwork",
    "PooledRecurrentNetwork",
    "RecurrentNetwork",
    "ResidualBlock",
    "ResidualNetwork",
    "ResidualRecurrentNetwork",
    "ResidualTrunk",
    "SpectrogramNetwork",
    "TransformerNetwork",
    "ViridisPicture",
    "build_network",
    "resnet18_parallel",
]

Pair = int | tuple[int, int]


class SpectrogramNetwork(nn.Module, ABC):
    """Base class for spectrogram classifiers: feature extractor, dropout and linear output layer.

    Subclasses must define :meth:`features`. If they do not compute the features from a standardised
    spectrogram, they must also override :meth:`prepare`.

    Parameters
    ----------
    dim : int
        Number of features.
    n_classes : int
        Number of classes.
    dropout : float
        Probability of dropping a feature in training.

    Attributes
    ----------
    mean, deviation : Tensor
        Mean and standard deviation used to standardise inputs, set by :meth:`scale_by`; initially 0
        and 1.
    """

    def __init__(self, dim: int, n_classes: int, dropout: float = 0.3):
        super().__init__()
        self.register_buffer("mean", torch.tensor(0.0))
        self.register_buffer("deviation", torch.tensor(1.0))
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(dim, n_classes)

    def scale_by(self, X: np.ndarray) -> None:
        """Standardise all future inputs with the mean and standard deviation of `X`."""
        self.mean.fill_(float(X.mean()))
        self.deviation.fill_(max(float(X.std()), 1e-6))

    def embed(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of shape (batch, dim) for spectrograms in dB."""
        return self.features(self.prepare(x))

    def prepare(self, x: torch.Tensor) -> torch.Tensor:
        """Standardise spectrograms in dB, shape (batch, n_mels, n_frames)."""
        return (x - self.mean) / self.deviation

    @abstractmethod
    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of shape (batch, dim) for inputs returned by :meth:`prepare`."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, shape (batch, n_classes)."""
        return self.output(self.dropout(self.embed(x)))


def convolution(n_inputs: int, n_outputs: int, stride: Pair = 1, kernel: int = 3) -> nn.Sequential:
    """Build a convolutional layer without bias, followed by batch normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(n_inputs, n_outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(n_outputs),
        nn.ReLU(),
    )


class ResidualBlock(nn.Module):
    """Residual block of He et al. (2016): the output of two convolutions is added to the input.

    Parameters
    ----------
    n_inputs, n_outputs : int
        Number of input channels and number of output channels.
    stride : int or (int, int)
        Stride of the first convolution along the mel and time axes.
    """

    def __init__(self, n_inputs: int, n_outputs: int, stride: Pair = 1):
        super().__init__()
        self.first = convolution(n_inputs, n_outputs, stride)
        self.second = convolution(n_outputs, n_outputs)[:2]
        same = n_inputs == n_outputs and stride in (1, (1, 1))
        shortcut = nn.Conv2d(n_inputs, n_outputs, 1, stride, bias=False)
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(shortcut, nn.BatchNorm2d(n_outputs))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return feature maps, shape (batch, n_outputs, n_mels / stride, n_frames / stride)."""
        return torch.relu(self.second(self.first(x)) + self.shortcut(x))


class ResidualTrunk(nn.Sequential):
    """Body of a residual network: a convolution, followed by stages of residual blocks.

    Parameters
    ----------
    n_inputs : int
        Number of input channels: 1 for a spectrogram, 3 for a colour image.
    widths : sequence of int
        Number of channels in each stage; the first convolution has as many channels as the first
        stage.
    strides : sequence of int or (int, int)
        Stride of the first block of each stage.
    depth : int
        Number of blocks per stage.
    kernel : int
        Kernel size of the first convolution, which has a stride of 2.
    pool : bool
        Apply max pooling with stride 2 before the first stage, as in ResNet-18.

    Examples
    --------
    ResNet-18 consists of this trunk and a linear layer for 1,000 classes, with 11.69 million
    parameters in total:

    >>> from groove_utils.networks import count_parameters
    >>> trunk = ResidualTrunk(3, (64, 128, 256, 512), (1, 2, 2, 2), depth=2, kernel=7, pool=True)
    >>> count_parameters(trunk) + count_parameters(nn.Linear(512, 1000))
    11689512
    """

    def __init__(
        self,
        n_inputs: int,
        widths: Sequence[int],
        strides: Sequence[Pair],
        depth: int = 1,
        kernel: int = 3,
        pool: bool = False,
    ):
        layers = [convolution(n_inputs, widths[0], 2, kernel)]
        if pool:
            layers.append(nn.MaxPool2d(3, 2, 1))
        before = widths[0]
        for width, stride in zip(widths, strides, strict=True):
            for number in range(depth):
                layers.append(ResidualBlock(before, width, 1 if number else stride))
                before = width
        super().__init__(*layers)


class AttentionPooling(nn.Module):
    """Weighted mean over frames, with weights from a linear layer followed by a softmax.

    Parameters
    ----------
    dim : int
        Number of features per frame.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def weights(self, states: torch.Tensor) -> torch.Tensor:
        """Return the attention weight of each frame, shape (batch, n_frames)."""
        return self.score(states)[..., 0].softmax(dim=1)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Reduce states, shape (batch, n_frames, dim), to weighted means, shape (batch, dim)."""
        return (self.weights(states)[:, :, None] * states).sum(dim=1)


class ConvolutionNetwork(SpectrogramNetwork):
    """Network ``mel-cnn``: strided convolutions, followed by global average and max pooling."""

    def __init__(self, n_classes: int, n_mels: int, n_frames: int, widths=(20, 40, 88, 200)):
        super().__init__(2 * widths[-1], n_classes)
        pairs = zip((1, *widths[:-1]), widths)
        self.layers = nn.Sequential(*(convolution(before, after, 2) for before, after in pairs))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features, shape (batch, 400) by default, for standardised spectrograms."""
        maps = self.layers(x[:, None])
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)


class ResidualNetwork(SpectrogramNetwork):
    """Network ``resnet``: a small ResNet with global average pooling."""

    def __init__(self, n_classes: int, n_mels: int, n_frames: int, widths=(24, 52, 104)):
        super().__init__(widths[-1], n_classes)
        self.trunk = ResidualTrunk(1, widths, (2,) * len(widths))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features, shape (batch, 104) by default, for standardised spectrograms."""
        return self.trunk(x[:, None]).mean(dim=(2, 3))


class RecurrentNetwork(SpectrogramNetwork):
    """Network ``bigru``: a bidirectional GRU over pairs of frames, with attention pooling."""

    def __init__(self, n_classes: int, n_mels: int, n_frames: int, width: int = 140):
        super().__init__(2 * width, n_classes)
        self.recurrence = nn.GRU(2 * n_mels, width, batch_first=True, bidirectional=True)
        self.pooling = AttentionPooling(2 * width)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features, shape (batch, 280) by default, for standardised spectrograms."""
        pairs = x.unfold(2, 2, 2).permute(0, 2, 3, 1).flatten(2)
        return self.pooling(self.recurrence(pairs)[0])


class ResidualRecurrentNetwork(SpectrogramNetwork):
    """Network ``resnet-bigru``: a ResNet that does not pool over time, followed by a GRU.

    The first convolution halves both axes; the residual stages downsample only the frequency axis.
    Each step of the bidirectional GRU therefore corresponds to two spectrogram frames (64 ms by
    default). The states of the GRU are combined by :class:`AttentionPooling`.
    """

    def __init__(self, n_classes: int, n_mels: int, n_frames: int, widths=(20, 28), width=136):
        super().__init__(2 * width, n_classes)
        self.trunk = ResidualTrunk(1, widths, ((4, 1), (2, 1)))
        height = -(-n_mels // 16)
        self.recurrence = nn.GRU(height * widths[-1], width, batch_first=True, bidirectional=True)
        self.pooling = AttentionPooling(2 * width)

    def sequence(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input sequence of the GRU, shape (batch, n_steps, dim)."""
        return self.trunk(x[:, None]).permute(0, 3, 1, 2).flatten(2)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features, shape (batch, 272) by default, for standardised spectrograms."""
        return self.pooling(self.recurrence(self.sequence(x))[0])


class PooledRecurrentNetwork(SpectrogramNetwork):
    """Network ``resnet-bigru-pooled``: a ResNet with global average pooling, followed by a GRU.

    This is a small version of the serial network in arXiv:2307.10773, including its flaw: global
    average pooling leaves only one time step, so the GRU has no sequence to process.
    """

    def __init__(self, n_classes: int, n_mels: int, n_frames: int, widths=(24, 48, 72), width=48):
        super().__init__(2 * width, n_classes)
        self.trunk = ResidualTrunk(1, widths, (2,) * len(widths))
        self.mixing = nn.Conv1d(widths[-1], 48, 3, padding=1)
        self.recurrence = nn.GRU(48, width, num_layers=2, batch_first=True, bidirectional=True)

    def sequence(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input sequence of the GRU, shape (batch, 1, 48)."""
        means = self.trunk(x[:, None]).mean(dim=(2, 3))
        return self.mixing(means[:, :, None]).transpose(1, 2)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features, shape (batch, 96) by default, for standardised spectrograms."""
        return _end_states(self.recurrence, self.sequence(x))


class ViridisPicture(nn.Module):
    """Differentiable layer that converts a spectrogram to an image, using the viridis colour map.

    The maximum of each clip is shown in yellow, and values that are `range_db` or more below it in
    violet.

    Parameters
    ----------
    range_db : float
        Range of levels covered by the colour scale, in dB.
    """

    def __init__(self, range_db: float = 80.0):
        super().__init__()
        self.range_db = range_db
        table = torch.tensor(colormaps["viridis"].colors, dtype=torch.float32)
        self.register_buffer("table", table, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convert levels in dB, shape (batch, n_mels, n_frames), to RGB images.

        The images have the shape (batch, 3, n_mels, n_frames) and values between 0 and 1.
        """
        top = x.amax(dim=(1, 2), keepdim=True)
        position = ((x - top) / self.range_db + 1).clamp(0, 1) * (len(self.table) - 1)
        low = position.detach().floor().clamp(max=len(self.table) - 2).long()
        fraction = (position - low)[..., None]
        colours = (1 - fraction) * self.table[low] + fraction * self.table[low + 1]
        return colours.permute(0, 3, 1, 2)


class ParallelNetwork(SpectrogramNetwork):
    """Network ``resnet-bigru-parallel``: a ResNet and a GRU in parallel, applied to a colour image.

    Reimplementation of the code for arXiv:2307.10773, including its reshaping error: the image,
    shape (3, height, width), is transposed to (3, width, height) and reshaped into ``width`` rows.
    Each row then contains three frames of one colour channel, and the GRU processes the clip three
    times, once per colour channel.

    Parameters
    ----------
    n_classes, n_mels, n_frames : int
    widths, strides, depth, kernel, pool
        See :class:`ResidualTrunk`.
    branch : int
        Number of features from each branch.
    width : int
        Size of the GRU's hidden state in each direction.
    dropout : float
        Dropout probability.
    picture : bool
        Convert the input to a colour image. If False, the input must already be an image, shape
        (batch, 3, height, width).
    """

    def __init__(
        self,
        n_classes: int,
        n_mels: int,
        n_frames: int,
        widths=(16, 32, 56),
        strides=(2, 2, 2),
        depth: int = 1,
        kernel: int = 3,
        pool: bool = False,
        branch: int = 64,
        width: int = 84,
        dropout: float = 0.5,
        picture: bool = True,
    ):
        super().__init__(2 * branch, n_classes, dropout)
        self.picture = ViridisPicture() if picture else nn.Identity()
        self.trunk = ResidualTrunk(3, widths, strides, depth, kernel, pool)
        self.trunk_head = nn.Sequential(
            nn.Linear(widths[-1], branch), nn.Dropout(dropout), nn.BatchNorm1d(branch)
        )
        self.recurrence = nn.GRU(3 * n_mels, width, batch_first=True, bidirectional=True)
        self.recurrence_head = nn.Linear(2 * width, branch)

    def prepare(self, x: torch.Tensor) -> torch.Tensor:
        """Convert spectrograms in dB to colour images, unless the inputs are already images."""
        return self.picture(x)

    def sequence(self, picture: torch.Tensor) -> torch.Tensor:
        """Reshape images to (batch, width, 3 × height), as in arXiv:2307.10773."""
        transposed = picture.permute(0, 1, 3, 2)
        return transposed.contiguous().view(len(transposed), transposed.shape[2], -1)

    def features(self, picture: torch.Tensor) -> torch.Tensor:
        """Return the features of both branches, shape (batch, 128) by default."""
        maps = self.trunk(picture).mean(dim=(2, 3))
        states = _end_states(self.recurrence, self.sequence(picture))
        return torch.cat([self.trunk_head(maps), self.recurrence_head(states)], dim=1)


class ConvolutionRecurrentNetwork(SpectrogramNetwork):
    """Network ``crnn``: convolutions that downsample both axes, followed by a GRU.

    References
    ----------
    Choi et al. (2017), "Convolutional recurrent neural networks for music classification", ICASSP.
    """

    def __init__(self, n_classes: int, n_mels: int, n_frames: int, widths=(24, 40, 64), width=152):
        super().__init__(width, n_classes)
        pairs = zip((1, *widths[:-1]), widths, ((2, 2), (4, 1), (2, 2)))
        self.layers = nn.Sequential(*(convolution(*pair) for pair in pairs))
        self.recurrence = nn.GRU(-(-n_mels // 16) * widths[-1], width, batch_first=True)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the GRU's final state, shape (batch, 152) by default."""
        return self.recurrence(self.layers(x[:, None]).permute(0, 3, 1, 2).flatten(2))[1][-1]


class TransformerNetwork(SpectrogramNetwork):
    """Network ``transformer``: a transformer applied to patches of the spectrogram.

    References
    ----------
    Gong et al. (2021), "AST: audio spectrogram transformer", Interspeech.
    """

    def __init__(
        self,
        n_classes: int,
        n_mels: int,
        n_frames: int,
        patch: tuple[int, int] = (16, 8),
        width: int = 72,
        depth: int = 3,
        n_heads: int = 4,
    ):
        super().__init__(width, n_classes)
        n_patches = (n_mels // patch[0]) * (n_frames // patch[1])
        self.patches = nn.Conv2d(1, width, patch, patch)
        self.position = nn.Parameter(0.02 * torch.randn(n_patches, width))
        layer = nn.TransformerEncoderLayer(
            width, n_heads, 4 * width, dropout=0.1, activation="gelu",
            batch_first=True, norm_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(width)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Return features, shape (batch, 72) by default, for standardised spectrograms."""
        patches = self.patches(x[:, None]).flatten(2).transpose(1, 2)
        return self.norm(self.layers(patches + self.position)).mean(dim=1)


NETWORKS = {
    "mel-cnn": ConvolutionNetwork,
    "resnet": ResidualNetwork,
    "bigru": RecurrentNetwork,
    "resnet-bigru": ResidualRecurrentNetwork,
    "resnet-bigru-pooled": PooledRecurrentNetwork,
    "resnet-bigru-parallel": ParallelNetwork,
    "crnn": ConvolutionRecurrentNetwork,
    "transformer": TransformerNetwork,
}
"""Network classes by name."""


def build_network(
    name: str, n_classes: int, *, n_mels: int, n_frames: int, seed: int = 0, **options
) -> SpectrogramNetwork:
    """Build a style-classification network with random weights.

    Parameters
    ----------
    name : str
        Name of the network; a key of :data:`NETWORKS`.
    n_classes : int
    n_mels, n_frames : int
        Number of mel bands and number of frames in each example.
    seed : int
        Random seed for the initial weights.
    **options
        Options passed to the network class, such as ``width``.

    Returns
    -------
    SpectrogramNetwork

    Raises
    ------
    DetailedError
        If `name` is unknown, or if examples have fewer than 32 mel bands or fewer than 16 frames.

    Examples
    --------
    >>> network = build_network("resnet-bigru", 8, n_mels=48, n_frames=94)
    >>> x = torch.zeros(2, 48, 94)
    >>> network(x).shape, network.embed(x).shape, network.sequence(x).shape
    (torch.Size([2, 8]), torch.Size([2, 272]), torch.Size([2, 47, 84]))
    """
    if name not in NETWORKS:
        raise DetailedError(
            f"unknown network {name!r}; expected one of {', '.join(NETWORKS)}.",
            kind="unknown_choice", column="name", value=name,
        )  # fmt: skip
    if n_mels < 32 or n_frames < 16:
        raise DetailedError(
            f"examples have {n_mels} mel bands and {n_frames} frames; expected at least 32 bands "
            "and 16 frames. Use more mel bands or longer clips.",
            kind="out_of_range", column="n_mels" if n_mels < 32 else "n_frames",
            value=min(n_mels, n_frames),
        )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = NETWORKS[name](n_classes, n_mels, n_frames, **options)
    # small convolutions take a third less time in the channels-last memory format
    return network.to(memory_format=torch.channels_last)


def resnet18_parallel(n_classes: int = 10, size: int = 224) -> ParallelNetwork:
    """Build the parallel ResNet-18 and GRU network from arXiv:2307.10773 at its original size.

    The network takes colour images, shape (batch, 3, size, size). The authors initialised the
    ResNet with ImageNet weights; here, all weights are random.

    Parameters
    ----------
    n_classes : int
    size : int
        Height and width of the image in pixels.

    Returns
    -------
    ParallelNetwork

    Examples
    --------
    >>> from groove_utils.networks import count_parameters
    >>> count_parameters(resnet18_parallel())
    12873290
    """
    return ParallelNetwork(
        n_classes, size, size, widths=(64, 128, 256, 512), strides=(1, 2, 2, 2), depth=2,
        kernel=7, pool=True, branch=256, width=256, picture=False,
    )  # fmt: skip


def _end_states(recurrence: nn.GRU, sequence: torch.Tensor) -> torch.Tensor:
    """Return the final forward and backward states of the GRU's top layer, concatenated."""
    _, states = recurrence(sequence)
    return torch.cat([states[-2], states[-1]], dim=1)
