"""Basic Pitch (Bittner et al., 2022): which notes sound and where they begin, through ONNX.

A network of 17 thousand parameters, trained to transcribe any instrument. From a harmonically
stacked constant-Q transform, it estimates for each of 172 frames of a two-second window how likely
each of 88 piano keys sounds (``note``) or begins (``onset``), and how likely each third of a
semitone carries pitch (``contour``). The embedding is each one's mean and standard deviation over
time. It is a model that knows notes but neither tags nor styles.

References
----------
Bittner, R., Bosch, J. J., Rubinstein, D., Meseguer-Brocal, G. & Ewert, S. (2022). A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation. ICASSP.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import onnx.shape_inference
from onnx.numpy_helper import from_array, to_array

from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.models.frame_statistics import mean_and_deviation
from groove_utils.embed.models.package_files import package_file

__all__ = ["BasicPitch", "fold_convolutions", "randomise_kernels"]

SAMPLE_RATE = 22050
HOP = 256
WINDOW = 43844  # samples; the graph's input
EDGE = 15  # frames at either end of a window that see too little context, and are dropped
N_FRAMES = 172
OUTPUTS = {
    "note": "StatefulPartitionedCall:1",
    "onset": "StatefulPartitionedCall:2",
    "contour": "StatefulPartitionedCall:0",
}
VECTOR_LENGTH = 16  # channels that a processor's convolution computes at once


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
        """Return the bytes of which the fingerprint is taken."""
        return self.graph

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        feed = {self.session.get_inputs()[0].name: batch[..., None]}
        return dict(zip(OUTPUTS, self.session.run(list(OUTPUTS.values()), feed), strict=True))


class BasicPitch:
    """Adapter of Basic Pitch, or of its untrained twin.

    The twin keeps the graph and the constant-Q transform, which is not learnt. Its learnt kernels
    are drawn from normal distributions with the trained ones' standard deviations, and biases are
    zero, so its activations are of similar size and only the training is missing.

    Parameters
    ----------
    name : {'basic-pitch', 'basic-pitch-untrained'}
    seed : int
        Seed of the twin's kernels.
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
        self.layers = dict(catalogued_models()[name].layers)

    def files(self) -> list[Path]:
        """Return the graph's file.

        Raises
        ------
        ModelUnavailableError
            If ``basic-pitch`` or ``onnxruntime`` is not installed.
        """
        return [package_file(self.name, "saved_models", "icassp_2022", "nmp.onnx")]

    def load(self) -> _Session:
        """Return an onnxruntime session; errors are those of :meth:`files`."""
        graph = self.files()[0].read_bytes()
        return _Session(graph if self.trained else randomise_kernels(graph, self.seed))

    def forward(self, session: _Session, batch, n_valid) -> dict[str, np.ndarray]:
        """Compute mean and standard deviation over the valid frames, (n_windows, 2 × n_pitches).

        Parameters
        ----------
        session : object
            Returned by :meth:`load`.
        batch : array-like of float32, shape (n_windows, 43844)
        n_valid : array-like of int, shape (n_windows,)
            Valid samples of each window.
        """
        # a frame counts if its centre lies within the signal
        mask = np.arange(EDGE, N_FRAMES - EDGE) * HOP < np.asarray(n_valid)[:, None]
        mask[:, 0] = True
        pooled = {}
        for name, posterior in session(np.asarray(batch, dtype=np.float32)).items():
            pooled[name] = mean_and_deviation(posterior[:, EDGE : N_FRAMES - EDGE], mask)
        return pooled


def randomise_kernels(graph: bytes, seed: int) -> bytes:
    """Draw the learnt kernels of an ONNX model at random.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    seed : int

    Returns
    -------
    bytes
        Kernels with more than one row are drawn from a normal distribution with their own standard
        deviation, and their biases are zero. Kernels of one row are kept: those of the constant-Q
        transform and its low-pass.
    """
    rng = np.random.default_rng(seed)
    model = onnx.load_from_string(graph)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    convolutions = [node.input for node in model.graph.node if node.op_type == "Conv"]
    learnt = [names for names in convolutions if tensors[names[1]].dims[2] > 1]
    kernels, biases = {names[1] for names in learnt}, {b for names in learnt for b in names[2:]}
    for name, tensor in tensors.items():  # in the file's order, which fixes the draws
        values = to_array(tensor)
        if name in kernels:
            values = rng.normal(0, values.std(), values.size).astype(np.float32)
        elif name in biases:
            values = np.zeros_like(values)
        else:
            continue
        tensor.raw_data = values.tobytes()
    return model.SerializeToString()


def fold_convolutions(graph: bytes) -> bytes:
    """Rewrite an ONNX model to run a third faster, with the same outputs up to rounding.

    A processor's convolution computes 16 channels at a time. Convolutions with fewer outputs get
    the outputs of neighbouring pitches as further channels: the kernel is repeated, shifted by one
    pitch each time, and strides over all of them at once.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load_from_string(graph), data_prop=True)
    content, make = model.graph, onnx.helper.make_node
    tensors = {tensor.name: to_array(tensor) for tensor in content.initializer}
    shapes = {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in content.value_info
    }
    nodes = []
    for node in content.node:
        nodes.append(node)
        name = node.output[0]
        if node.op_type != "Conv" or name not in shapes:
            continue
        kernel, (height, width) = tensors[node.input[1]], shapes[name][2:]
        n_out, n_in, n_rows, n_columns = kernel.shape
        settings = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        fold = max((f for f in range(1, VECTOR_LENGTH // n_out + 1) if width % f == 0), default=1)
        if n_rows == 1 or n_in % 8 or fold == 1 or settings["strides"] != [1, 1]:
            continue
        wide = np.zeros((n_out, fold, n_in, n_rows, n_columns + fold - 1), np.float32)
        for step in range(fold):
            wide[:, step, ..., step : step + n_columns] = kernel
        constants = {
            f"{name}/kernel": wide.reshape(-1, *wide.shape[2:]),
            f"{name}/bias": tensors[node.input[2]].repeat(fold),
            f"{name}/split": np.array([-1, n_out, fold, height, width // fold]),
            f"{name}/join": np.array([-1, n_out, height, width]),
        }
        content.initializer.extend(from_array(value, key) for key, value in constants.items())
        kernel, bias, split, join = constants
        folded, apart, ordered = (f"{name}/{step}" for step in ("folded", "apart", "ordered"))
        settings |= {"strides": [1, fold], "kernel_shape": list(wide.shape[-2:])}
        nodes[-1:] = [
            make("Conv", [node.input[0], kernel, bias], [folded], **settings),
            make("Reshape", [folded, split], [apart]),
            make("Transpose", [apart], [ordered], perm=[0, 1, 3, 4, 2]),
            make("Reshape", [ordered, join], [name]),
        ]
    del content.node[:]
    content.node.extend(nodes)
    return model.SerializeToString()
