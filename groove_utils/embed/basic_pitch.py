"""Basic Pitch (Bittner et al., 2022): what notes sound and where they begin, through ONNX.

A network of 17 thousand parameters, trained to transcribe any instrument. It hears a harmonically
stacked constant-Q transform and gives, for each of 172 frames of a two-second window, how likely
each of 88 piano keys sounds (``note``), begins (``onset``), and how likely each third of a
semitone carries pitch (``contour``). As an embedding, each of the three is summarised over time
by its mean and its standard deviation. Chapters 05 and 06 use it as a model that knows notes but
was never told about tags or styles.

References
----------
Bittner, R., Bosch, J. J., Rubinstein, D., Meseguer-Brocal, G. & Ewert, S. (2022). A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation. ICASSP.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import numpy as np

from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.protobuf import VARINT, fields, pack_field, spans

__all__ = ["BasicPitch", "randomise_kernels"]

SAMPLE_RATE = 22050
HOP = 256
WINDOW = 43844  # samples; what the graph takes
EDGE = 15  # frames at either end of a window that see too little context, and are dropped
N_FRAMES = 172

_OUTPUTS = {
    "note": "StatefulPartitionedCall:1",
    "onset": "StatefulPartitionedCall:2",
    "contour": "StatefulPartitionedCall:0",
}


class _Session:
    """An onnxruntime session with the bytes of its graph."""

    def __init__(self, graph: bytes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # as torch does; the library by itself would start a thread a core in every process
        options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", "0").split(",")[0])
        self.graph = graph
        self.session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def content(self) -> bytes:
        """What the fingerprint is taken of."""
        return self.graph

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        feed = {self.session.get_inputs()[0].name: batch[..., None]}
        values = self.session.run(list(_OUTPUTS.values()), feed)
        return dict(zip(_OUTPUTS, values, strict=True))


class BasicPitch:
    """Adapter of Basic Pitch, or of its untrained twin.

    The twin keeps the graph and the constant-Q transform, which was never learnt, and draws the
    learnt kernels anew: normal, each with the standard deviation of the trained one; biases are
    zero. So its activations are of a like size, and what it lacks is the training alone.

    Parameters
    ----------
    name : {'basic-pitch', 'basic-pitch-untrained'}
    seed : int
        Of the twin's kernels.
    """

    sample_rate = SAMPLE_RATE
    window = WINDOW / SAMPLE_RATE
    hop = (WINDOW - 2 * EDGE * HOP) / SAMPLE_RATE
    lead = EDGE * HOP / SAMPLE_RATE
    version = "0.4.0"

    def __init__(self, name: str = "basic-pitch", seed: int = 0):
        self.name, self.seed = name, seed
        self.trained = not name.endswith("-untrained")
        self.layers = {"note": 176, "onset": 176, "contour": 528}

    def files(self) -> list[Path]:
        """The file of the graph."""
        for package in ("basic_pitch", "onnxruntime"):
            if importlib.util.find_spec(package) is None:
                raise ModelUnavailableError(
                    f"{self.name}: the package {package} is not installed. "
                    "Run `pip install onnxruntime && pip install --no-deps basic-pitch==0.4.0`."
                )
        folder = Path(importlib.util.find_spec("basic_pitch").origin).parent
        return [folder / "saved_models" / "icassp_2022" / "nmp.onnx"]

    def load(self) -> _Session:
        """An onnxruntime session.

        Raises
        ------
        ModelUnavailableError
            If ``basic-pitch`` or ``onnxruntime`` is not installed.
        """
        graph = self.files()[0].read_bytes()
        return _Session(graph if self.trained else randomise_kernels(graph, self.seed))

    def forward(self, session: _Session, batch, n_valid) -> dict[str, np.ndarray]:
        """Mean and standard deviation over the valid frames, (n_windows, 2 × n_pitches).

        Parameters
        ----------
        session : object
            What :meth:`load` gave.
        batch : array-like of float32, shape (n_windows, 43844)
        n_valid : array-like of int, shape (n_windows,)
            Valid samples of each window.
        """
        values = session(np.asarray(batch, dtype=np.float32))
        frames = np.arange(EDGE, N_FRAMES - EDGE)
        # a frame counts where its centre lies within the signal
        mask = frames * HOP < np.asarray(n_valid)[:, None]
        mask[:, 0] = True
        weights = (mask / mask.sum(1, keepdims=True)).astype(np.float32)[..., None]
        pooled = {}
        for name, posterior in values.items():
            kept = posterior[:, EDGE : N_FRAMES - EDGE]
            mean = (weights * kept).sum(1, keepdims=True)
            variance = (weights * (kept - mean) ** 2).sum(1)
            pooled[name] = np.concatenate([mean[:, 0], np.sqrt(variance)], 1)
        return pooled


def randomise_kernels(graph: bytes, seed: int) -> bytes:
    """A copy of an ONNX model whose learnt convolutions are random.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    seed : int

    Returns
    -------
    bytes
        Kernels that span more than one row are drawn from a normal distribution with their own
        standard deviation, and the biases that go with them are zero. One-row kernels (the
        constant-Q transform's filters and its low-pass) are kept.
    """
    rng = np.random.default_rng(seed)
    learnt = _learnt_tensors(graph)

    def redraw(tensor: bytes) -> bytes:
        parts = dict(fields(tensor))
        name = parts[8].decode()
        if name not in learnt:
            return tensor
        values = np.frombuffer(parts[9], "<f4")
        if learnt[name] == "kernel":
            values = rng.normal(0, values.std(), len(values)).astype("<f4")
        else:
            values = np.zeros_like(values)
        return _with_field(tensor, 9, lambda _: values.tobytes())

    return _with_field(graph, 7, lambda body: _with_field(body, 5, redraw))


def _learnt_tensors(graph: bytes) -> dict[str, str]:
    body = dict(fields(graph))[7]
    shapes = {}
    for number, tensor in fields(body):
        if number == 5:
            dims = [value for field, value in fields(tensor) if field == 1]
            shapes[dict(fields(tensor))[8].decode()] = dims
    learnt = {}
    for number, node in fields(body):
        if number != 1 or dict(fields(node))[4] != b"Conv":
            continue
        _, kernel, *bias = (value.decode() for field, value in fields(node) if field == 1)
        if len(shapes[kernel]) == 4 and shapes[kernel][2] > 1:
            learnt[kernel] = "kernel"
            learnt.update(dict.fromkeys(bias, "bias"))
    return learnt


def _with_field(message: bytes, number: int, change) -> bytes:
    """A copy of `message` in which each length-delimited field `number` went through `change`."""
    copy = bytearray()
    for start, end, field, wire, value in spans(message):
        if field == number and wire != VARINT:
            copy += pack_field(number, change(value))
        else:
            copy += message[start:end]
    return bytes(copy)
