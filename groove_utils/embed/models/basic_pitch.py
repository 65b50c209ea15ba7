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
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.numpy_helper
import onnx.shape_inference

from groove_utils.embed.adapters import ModelUnavailableError

__all__ = ["BasicPitch", "fold_convolutions", "randomise_kernels"]

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
        options.intra_op_num_threads = 1  # the engine runs batches side by side
        self.graph = graph
        self.session = onnxruntime.InferenceSession(
            fold_convolutions(graph), options, providers=["CPUExecutionProvider"]
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
    batch_size = 2  # the feature maps of more do not fit a processor's caches
    concurrent = True

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
    model = onnx.load_from_string(graph)
    learnt = _learnt_tensors(model)
    for tensor in model.graph.initializer:
        if tensor.name not in learnt:
            continue
        values = onnx.numpy_helper.to_array(tensor).ravel()
        if learnt[tensor.name] == "kernel":
            values = rng.normal(0, values.std(), len(values)).astype("<f4")
        else:
            values = np.zeros_like(values)
        tensor.raw_data = values.tobytes()
    return model.SerializeToString()


def _learnt_tensors(model: onnx.ModelProto) -> dict[str, str]:
    """Which tensors are learnt, and whether they are a ``kernel`` or a ``bias``."""
    dims = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    learnt = {}
    for node in model.graph.node:
        if node.op_type == "Conv" and dims[node.input[1]][2] > 1:
            learnt[node.input[1]] = "kernel"
            learnt.update(dict.fromkeys(node.input[2:], "bias"))
    return learnt


def fold_convolutions(graph: bytes) -> bytes:
    """A copy of an ONNX model that gives the same, and uses a processor better.

    A processor's convolution works on 16 channels at a time. Where one gives fewer, the outputs
    of neighbouring pitches are laid out as channels: the kernel is repeated, each time moved on
    by one pitch, and strides over all of them at once.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.

    Returns
    -------
    bytes
        Learnt convolutions from eights of channels to at most eight, without a stride, are
        folded; sums in them are rounded in another order.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), data_prop=True)
    inner = model.graph
    tensors = {tensor.name: tensor for tensor in inner.initializer}
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in inner.value_info}
    nodes = []
    for node in inner.node:
        nodes.append(node)
        if node.op_type != "Conv" or node.output[0] not in shapes:
            continue
        kernel = onnx.numpy_helper.to_array(tensors[node.input[1]])
        height, width = shapes[node.output[0]][2:]
        n_out, n_in, n_rows, n_columns = kernel.shape
        settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        fold = max((f for f in range(1, 16 // n_out + 1) if width % f == 0), default=1)
        if n_rows == 1 or n_in % 8 or fold == 1 or settings["strides"] != [1, 1]:
            continue
        wide = np.zeros((n_out, fold, n_in, n_rows, n_columns + fold - 1), np.float32)
        for step in range(fold):
            wide[:, step, ..., step : step + n_columns] = kernel
        name, out = node.output[0], node.output[0] + "/folded"
        constants = {
            "kernel": wide.reshape(-1, *wide.shape[2:]),
            "split": np.array([-1, n_out, fold, height, width // fold]),
            "join": np.array([-1, n_out, height, width]),
        }
        if len(node.input) == 3:
            bias = onnx.numpy_helper.to_array(tensors[node.input[2]])
            constants["bias"] = bias.repeat(fold)
        for part, values in constants.items():
            inner.initializer.append(onnx.numpy_helper.from_array(values, f"{out}/{part}"))
        given = [node.input[0], f"{out}/kernel", f"{out}/bias"][: len(node.input)]
        settings |= {"strides": [1, fold], "kernel_shape": list(wide.shape[-2:])}
        make = onnx.helper.make_node
        nodes[-1:] = [
            make("Conv", given, [out], node.name, **settings),
            make("Reshape", [out, f"{out}/split"], [f"{out}/5d"], f"{out}/a"),
            make("Transpose", [f"{out}/5d"], [f"{out}/turned"], f"{out}/b", perm=[0, 1, 3, 4, 2]),
            make("Reshape", [f"{out}/turned", f"{out}/join"], [name], f"{out}/c"),
        ]
    del inner.node[:]
    inner.node.extend(nodes)
    return model.SerializeToString()
