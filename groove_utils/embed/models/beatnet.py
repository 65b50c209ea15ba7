"""BeatNet (Heydari, Cwitkowitz & Duan, 2021): real-time tracking of beats and downbeats.

The network has 400 thousand parameters. Its input is a spectrum every 20 ms, with 24 bands per
octave, and the increase in each band since the previous frame. A convolution over frequency and a
dense layer reduce each frame to 150 values. These layers are followed by two LSTM layers that run
forwards only, so the output for a frame does not depend on later frames. The network estimates the
probability that a frame is a beat, a downbeat or neither. The embedding consists of the means and
standard deviations of the layers over time.

The package ``BeatNet`` contains the weights; its own code is not used. The spectrum is computed as
in the library madmom, whose spectra were used for training. madmom's own beat trackers are not in
the catalogue, because the licence of their weights (CC BY-NC-SA) excludes commercial use. The
chapter on descriptors compares the beats of BeatNet with those of other trackers.

References
----------
Heydari, M., Cwitkowitz, F. & Duan, Z. (2021). BeatNet: CRNN and particle filtering for online joint
beat, downbeat and meter tracking. ISMIR. arXiv:2108.03576.

Böck, S., Korzeniowski, F., Schlüter, J., Krebs, F. & Widmer, G. (2016). madmom: a new Python audio
and music signal processing library. ACM Multimedia. arXiv:1605.07008.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft
import torch
from torch import nn
from torch.nn import functional

from groove_utils.audio import check_signal, resample
from groove_utils.embed.models.frame_statistics import mean_and_deviation
from groove_utils.embed.models.packaged_network import PackagedNetwork

__all__ = [
    "FRAME_RATE",
    "BeatNet",
    "BeatNetNetwork",
    "beat_activations",
    "filterbank",
    "spectral_features",
]

SAMPLE_RATE = 22050
HOP = 441
FRAME_RATE = SAMPLE_RATE // HOP  # frames per second
FRAME = 1411  # samples, 64 ms
N_BINS = FRAME // 2
BANDS_PER_OCTAVE, LOWEST, HIGHEST, TUNING = 24, 30.0, 17000.0, 440.0  # Hz
KERNEL, N_CHANNELS, WIDTH = 10, 2, 150


class BeatNetNetwork(nn.Module):
    """Network of BeatNet, with modules named as in the weights file."""

    def __init__(self):
        super().__init__()
        n_features = 2 * filterbank().shape[1]
        self.conv1 = nn.Conv1d(1, N_CHANNELS, KERNEL)
        self.linear0 = nn.Linear(N_CHANNELS * ((n_features - KERNEL + 1) // 2), WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, num_layers=2, batch_first=True)
        self.linear = nn.Linear(WIDTH, 3)

    def forward(self, features: torch.Tensor) -> dict[str, torch.Tensor]:
        """Compute the layer outputs for each frame, of shape (n_windows, n_frames, dim).

        Parameters
        ----------
        features : Tensor of float32, shape (n_windows, n_frames, 272)
            Result of :func:`spectral_features` for each window.
        """
        n_windows, n_frames, _ = features.shape
        x = functional.relu(self.conv1(features.flatten(0, 1)[:, None]))
        x = self.linear0(functional.max_pool1d(x, 2).flatten(1))
        dense = x.view(n_windows, n_frames, WIDTH)
        memory, _ = self.lstm(dense)
        activations = self.linear(memory).float().softmax(-1)
        return {"dense": dense, "memory": memory, "activations": activations}


class BeatNet(PackagedNetwork):
    """Adapter for BeatNet (``beatnet``) or a copy with random weights (``beatnet-untrained``).

    The package contains three sets of weights. The adapter uses the first set, which was trained
    without the GTZAN data set. The untrained copy has PyTorch's default initial weights.
    """

    architecture = BeatNetNetwork
    sample_rate = SAMPLE_RATE
    window = hop = 30.0
    lead = 0.0
    version = "1.1.3"
    batch_size = 1  # rounding errors depend on a window's position in a batch
    any_length = True  # no output depends on later frames
    file = "models/model_1_weights.pt"
    sha256 = "619091bc317ca3e83b45591d46f6de3d5a41588bcb39fe9fe7be30cffa6aca84"

    def draw(self) -> nn.Module:
        """Return a network with random weights, for the untrained twin."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self.architecture()

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """Compute the network's input, the spectral features of a window, shape (n_frames, 272)."""
        return spectral_features(samples)

    def forward(self, network: nn.Module, batch: torch.Tensor, n_valid: torch.Tensor) -> dict:
        """Compute the mean and standard deviation of each layer over valid frames."""
        times = np.arange(batch.shape[1]) * HOP
        return {
            name: mean_and_deviation(frames.float().cpu().numpy(), times, n_valid.cpu())
            for name, frames in network(batch).items()
        }


def beat_activations(y: np.ndarray, sr: int) -> np.ndarray:
    """Estimate beat and downbeat probabilities over time with BeatNet.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1. Channels are averaged.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    ndarray of float32, shape (n_frames, 2)
        Probabilities of a beat that is not a downbeat (first column) and of a downbeat (second
        column). There are 50 frames per second (`FRAME_RATE`); frame k is centred on k / 50 s. A
        frame lasts 64 ms, and its probabilities do not depend on samples after its end.

    Raises
    ------
    AudioError
        If the signal is empty, or contains NaN or infinite samples.
    ModelUnavailableError
        If the package ``BeatNet`` is not installed.

    Examples
    --------
    >>> clicks = np.zeros(5 * 22050, np.float32)
    >>> for start in range(0, len(clicks), 11025):
    ...     clicks[start : start + 300] = 0.5
    >>> beat_activations(clicks, 22050).shape
    (250, 2)
    """
    from groove_utils.embed.loading import load_model

    mono = np.atleast_2d(check_signal(y, sr)).astype(np.float32).mean(0)
    signal = resample(mono, sr, SAMPLE_RATE)
    network = load_model("beatnet", device="cpu").network
    with torch.inference_mode():
        features = torch.from_numpy(spectral_features(signal))[None]
        return network(features)["activations"][0, :, :2].numpy()


@functools.cache
def filterbank() -> np.ndarray:
    """Return a bank of triangular filters, 24 per octave, that maps spectral bins to bands.

    Returns
    -------
    ndarray of float32, shape (705, 136)
        One column per filter. Each filter rises from the centre of its lower neighbour and falls to
        the centre of its upper neighbour. Its weights sum to 1. Centres are rounded to bins of the
        spectrum; at low frequencies, where bins are wider than bands, there is one filter per bin.
    """
    spacing = SAMPLE_RATE / (2 * N_BINS)
    steps = np.arange(-240, 240) / BANDS_PER_OCTAVE  # octaves from the tuning tone
    centres = TUNING * 2.0**steps
    centres = centres[(centres >= LOWEST) & (centres <= HIGHEST)]
    bins = np.unique(np.rint(centres / spacing).clip(0, N_BINS - 1))
    corners = np.lib.stride_tricks.sliding_window_view(bins, 3)
    filters = np.stack([np.interp(np.arange(N_BINS), c, [0, 1, 0]) for c in corners], 1)
    return (filters / filters.sum(0)).astype(np.float32)


def spectral_features(samples: np.ndarray) -> np.ndarray:
    """Compute the log spectrum of each frame, and its increase since the previous frame.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Mono signal with a sample rate of 22,050 Hz.

    Returns
    -------
    ndarray of float32, shape (n_frames, 272)
        log10(1 + magnitude) in 136 bands, followed by the positive part of the differences between
        consecutive frames. Frames are centred on multiples of 441 samples; the signal is padded
        with zeros.
    """
    n_frames = -(-len(samples) // HOP)
    padded = np.zeros((n_frames - 1) * HOP + FRAME, np.float32)
    padded[FRAME // 2 :][: len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    spectrum = scipy.fft.rfft(frames * np.hanning(FRAME).astype(np.float32))[:, :N_BINS]
    bands = np.log10(1 + np.abs(spectrum) @ filterbank())
    rise = np.diff(bands, axis=0, prepend=bands[:1]).clip(min=0)
    return np.concatenate([bands, rise], 1)
