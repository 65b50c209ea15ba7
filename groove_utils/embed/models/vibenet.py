"""VibeNet (Shim, 2025): estimation of danceability, energy and five other attributes of songs.

The network is an EfficientNet-B0 whose input is a mel spectrogram; it is run with ONNX Runtime. It
was trained on songs from the Free Music Archive to reproduce the output of a larger network, which
had itself been trained to predict seven attributes of these songs: acousticness, danceability,
energy, instrumentalness, liveness, speechiness and valence. These attributes had been computed with
an unpublished method by The Echo Nest, a company that described songs for streaming services. The
layers are the last feature maps averaged over time and frequency (``pooled``), the hidden layer of
the head (``hidden``), and the seven attributes (``attributes``).

The package ``vibenet`` contains the graph; its own code is not used.

References
----------
Shim, J. (2025). VibeNet. github.com/jaeheonshim/vibenet

Tan, M. & Le, Q. (2019). EfficientNet: rethinking model scaling for convolutional neural networks.
ICML. arXiv:1905.11946.

Defferrard, M., Benzi, K., Vandergheynst, P. & Bresson, X. (2017). FMA: a dataset for music
analysis. ISMIR. arXiv:1612.01840.
"""

from __future__ import annotations

import librosa
import numpy as np
import onnx
import onnx.helper
from onnx.numpy_helper import from_array

from groove_utils.embed.models.packaged_graph import GraphSession, PackagedGraph

__all__ = ["ATTRIBUTES", "VibeNet", "log_mel_spectrogram", "normalise_examples"]

SAMPLE_RATE = 16000
HOP, FRAME, N_FFT, N_MELS = 320, 640, 1024, 128
OUTPUTS = {"pooled": "view", "hidden": "gelu", "attributes": "out"}
ATTRIBUTES = (
    "acousticness",
    "danceability",
    "energy",
    "instrumentalness",
    "liveness",
    "speechiness",
    "valence",
)
"""Columns of the layer ``attributes``; the values range from 0 to 1."""

# positions of attributes that are probabilities; the network returns their log odds
LIKELIHOODS = [ATTRIBUTES.index(name) for name in ("acousticness", "instrumentalness", "liveness")]


class VibeNet(PackagedGraph):
    """Adapter for VibeNet (``vibenet``) or a copy with random weights (``vibenet-untrained``).

    Batch normalisation uses statistics from the training songs, which an untrained network does not
    have. The untrained copy therefore normalises each layer using the mean and variance of its
    values in the window being processed. (Without normalisation, the values shrink from layer to
    layer. With statistics from a few test sounds, the values for other sounds become far too
    large.)
    """

    sample_rate = SAMPLE_RATE
    window = 10.0
    version = "0.1.0"
    batch_size = 1  # the graph was exported for one window
    any_length = True
    file = "artifacts/efficientnet_model.onnx"
    sha256 = "efa88450153863a1461989a00846526ac9230665b19fbf82f33e46fdeef7d275"
    outputs = OUTPUTS

    def randomise(self, graph: bytes) -> bytes:
        """Return the graph with random weights and with separate normalisation of each window."""
        return normalise_examples(super().randomise(graph))

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """Compute the network's input, the mel spectrogram of a window, shape (128, n_frames).

        The spectrogram of the valid samples is repeated until the window is full, because the
        network averages over all frames.
        """
        frames = log_mel_spectrogram(samples[:n_valid])
        n_frames = 1 + max(0, len(samples) - FRAME) // HOP
        return frames[:, np.arange(n_frames) % frames.shape[1]]

    def forward(self, session: GraphSession, batch, n_valid) -> dict[str, np.ndarray]:
        """Compute the layer outputs for a batch of spectrograms.

        Parameters
        ----------
        session : GraphSession
            Result of :meth:`load`.
        batch : array-like of float32, shape (n_windows, 128, n_frames)
            Results of :meth:`prepare`.
        n_valid : array-like of int, shape (n_windows,)
            Not used, because :meth:`prepare` has replaced the frames after the end of the signal.
        """
        rows = [session(row[None]) for row in np.asarray(batch, dtype=np.float32)]
        layers = {name: np.concatenate([row[name] for row in rows]) for name in self.outputs}
        raw = layers["attributes"]
        attributes = raw.clip(0, 1)
        attributes[:, LIKELIHOODS] = 1 / (1 + np.exp(-raw[:, LIKELIHOODS]))
        return layers | {"attributes": attributes}


def log_mel_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Compute the mel spectrogram in decibels, clipped at 80 dB below its maximum.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Mono signal at 16 kHz. A signal of fewer than 640 samples is padded to this length.

    Returns
    -------
    ndarray of float32, shape (128, n_frames)
        Spectra of the frames that lie entirely within the signal. A frame has 640 samples, and
        frames are 320 samples apart.
    """
    samples = np.pad(samples, (0, max(0, FRAME - len(samples))))
    # librosa centres the FRAME samples of a frame within N_FFT samples
    margin = (N_FFT - FRAME) // 2
    power = librosa.feature.melspectrogram(
        y=np.pad(samples, margin),
        sr=SAMPLE_RATE,
        n_fft=N_FFT,
        win_length=FRAME,
        hop_length=HOP,
        n_mels=N_MELS,
        center=False,
    )
    return librosa.power_to_db(power).astype(np.float32)


def normalise_examples(graph: bytes) -> bytes:
    """Replace batch normalisation in an ONNX model with separate normalisation of each example.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto`` that processes one example at a time.

    Returns
    -------
    bytes
        The modified ``ModelProto``.
    """
    model = onnx.load_from_string(graph)
    nodes = []
    for node in model.graph.node:
        nodes += _normalise(node) if node.op_type == "BatchNormalization" else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def _normalise(node) -> list:
    """Return graph nodes that normalise an example using the mean and variance of its values."""
    make, name, x = onnx.helper.make_node, node.output[0], node.input[0]
    parts = ("mean", "variance", "centred", "square", "epsilon", "floored", "deviation")
    mean, variance, centred, square, epsilon, floored, deviation = (f"{name}/{p}" for p in parts)
    floor = next(a.f for a in node.attribute if a.name == "epsilon")
    return [
        make("ReduceMean", [x], [mean]),  # the graph takes one example at a time
        make("Sub", [x, mean], [centred]),
        make("Mul", [centred, centred], [square]),
        make("ReduceMean", [square], [variance]),
        make("Constant", [], [epsilon], value=from_array(np.float32(floor))),
        make("Add", [variance, epsilon], [floored]),
        make("Sqrt", [floored], [deviation]),
        make("Div", [centred, deviation], [name]),
    ]
