"""VibeNet: danceability, energy, valence and four other attributes of a song, through ONNX.

An EfficientNet-B0 on a mel spectrogram. It was trained on songs of the Free Music Archive to give
the answers of a larger network, which had been trained to predict the attributes that Echo Nest, a
company that described songs for streaming services, computed for them: acousticness, danceability,
energy, instrumentalness, liveness, speechiness and valence. How Echo Nest computed them was never
published. The embedding is the average of the last feature maps over time and frequency
(``pooled``), the hidden layer of the head (``hidden``), and the seven attributes.

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

from pathlib import Path

import librosa
import numpy as np
import onnx
import onnx.helper
from onnx.numpy_helper import from_array, to_array

from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.models.package_files import package_file

__all__ = ["ATTRIBUTES", "VibeNet", "log_mel_spectrogram", "randomise_graph"]

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
"""Columns of the layer ``attributes``, each from 0 to 1."""

# these three are probabilities, and the network returns their log odds
LIKELIHOODS = [ATTRIBUTES.index(name) for name in ("acousticness", "instrumentalness", "liveness")]


class _Session:
    """An onnxruntime session with the bytes of its graph."""

    def __init__(self, graph: bytes):
        self.graph = graph
        self.session = _open_session(graph)

    def content(self) -> bytes:
        """Return the bytes of which the fingerprint is taken."""
        return self.graph

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        return dict(zip(OUTPUTS, self.session.run(list(OUTPUTS.values()), {"x": batch})))


class VibeNet:
    """Adapter of VibeNet, or of its untrained twin.

    The twin has the same layers. Its kernels are drawn from normal distributions with the trained
    ones' standard deviations, and its biases are zero. Batch normalisation uses the statistics of
    the training songs, which an untrained network has never seen: the twin normalises each layer
    by the mean and variance of its values in the same window. (Without normalisation, they would
    vanish from layer to layer; with statistics of a few test sounds, they exploded for others.)

    Parameters
    ----------
    name : {'vibenet', 'vibenet-untrained'}
    seed : int
        Seed of the twin's kernels.
    """

    sample_rate = SAMPLE_RATE
    window = 10.0
    version = "0.1.0"
    batch_size = 1  # the graph was exported for one window
    concurrent = True
    any_length = True

    def __init__(self, name: str = "vibenet", seed: int = 0):
        self.name, self.seed = name, seed
        self.trained = not name.endswith("-untrained")
        self.layers = dict(catalogued_models()[name].layers)

    def files(self) -> list[Path]:
        """Return the graph's file.

        Raises
        ------
        ModelUnavailableError
            If ``vibenet`` or ``onnxruntime`` is not installed.
        """
        return [package_file(self.name, "artifacts", "efficientnet_model.onnx")]

    def load(self) -> _Session:
        """Return an onnxruntime session; errors are those of :meth:`files`."""
        graph = _with_outputs(self.files()[0].read_bytes(), OUTPUTS.values())
        if self.trained:
            return _Session(graph)
        return _Session(randomise_graph(graph, self.seed))

    def prepare(self, samples: np.ndarray, n_valid: int) -> np.ndarray:
        """Compute the network's input from a window, (128, n_frames).

        The spectrogram of the valid samples is repeated until the window is full, because the
        network averages over all frames.
        """
        frames = log_mel_spectrogram(samples[:n_valid])
        n_frames = 1 + max(0, len(samples) - FRAME) // HOP
        return frames[:, np.arange(n_frames) % frames.shape[1]]

    def forward(self, session: _Session, batch, n_valid) -> dict[str, np.ndarray]:
        """Compute the layers of a batch of spectrograms, (n_windows, 128, n_frames).

        Parameters
        ----------
        session : object
            Returned by :meth:`load`.
        batch : array-like of float32, shape (n_windows, 128, n_frames)
        n_valid : array-like of int, shape (n_windows,)
            Not used; :meth:`prepare` has replaced the frames beyond the end.
        """
        rows = [session(row[None]) for row in np.asarray(batch, dtype=np.float32)]
        layers = {name: np.concatenate([row[name] for row in rows]) for name in OUTPUTS}
        raw = layers["attributes"]
        attributes = raw.clip(0, 1)
        attributes[:, LIKELIHOODS] = 1 / (1 + np.exp(-raw[:, LIKELIHOODS]))
        return layers | {"attributes": attributes}


def log_mel_spectrogram(samples: np.ndarray) -> np.ndarray:
    """Compute the mel spectrogram in decibels, limited to 80 dB below its maximum.

    Parameters
    ----------
    samples : ndarray of float32, shape (n_samples,)
        Mono, at 16 kHz; shorter signals are padded to 640 samples.

    Returns
    -------
    ndarray of float32, shape (128, n_frames)
        Frames of 640 samples, 320 apart, that lie within the signal.
    """
    samples = np.pad(samples, (0, max(0, FRAME - len(samples))))
    # librosa centres a short frame in its Fourier transform
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


def randomise_graph(graph: bytes, seed: int) -> bytes:
    """Draw the weights of an ONNX model at random.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    seed : int

    Returns
    -------
    bytes
        Kernels and matrices are drawn from a normal distribution with their own standard deviation,
        and their biases are 0. Batch normalisation is replaced by normalisation of each example.
    """
    rng = np.random.default_rng(seed)
    model = onnx.load_from_string(graph)
    roles = {"Conv": ("kernel", "zero"), "Gemm": ("kernel", "zero")}
    roles |= {"LayerNormalization": ("one", "zero")}
    role = {
        name: kind
        for node in model.graph.node
        for name, kind in zip(node.input[1:], roles.get(node.op_type, ()))
    }
    for tensor in model.graph.initializer:  # in the file's order, which fixes the draws
        if tensor.name not in role:
            continue
        values = to_array(tensor)
        if role[tensor.name] == "kernel":
            values = rng.normal(0, values.std(), values.shape)
        else:
            values = np.full_like(values, role[tensor.name] == "one")
        tensor.CopyFrom(from_array(values.astype(np.float32), tensor.name))
    nodes = []
    for node in model.graph.node:
        nodes += _normalise(node) if node.op_type == "BatchNormalization" else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model.SerializeToString()


def _normalise(node) -> list:
    """Return nodes that normalise each example by the mean and variance of all its values."""
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


def _with_outputs(graph: bytes, names) -> bytes:
    """Return a serialised model that also returns inner values."""
    model = onnx.load_from_string(graph)
    present = {output.name for output in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if name not in present
    )
    return model.SerializeToString()


def _open_session(graph: bytes):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # the engine runs batches side by side
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
