"""Basic Pitch (Bittner et al., 2022): note transcription, run with ONNX Runtime.

The network has 17 thousand parameters and was trained to transcribe any instrument. Its input is a
harmonically stacked constant-Q transform of a two-second window. For each of 172 frames, the
network estimates three types of probability: that each of 88 piano keys is sounding (``note``),
that it is just beginning to sound (``onset``), and that a pitch is present in each of 264 bins,
each a third of a semitone wide (``contour``). The embedding consists of the means and standard
deviations of these probabilities over time. The model was trained to recognise notes, not tags or
styles.

References
----------
Bittner, R., Bosch, J. J., Rubinstein, D., Meseguer-Brocal, G. & Ewert, S. (2022). A lightweight
instrument-agnostic model for polyphonic note transcription and multipitch estimation. ICASSP.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnx.helper
import onnx.shape_inference
from onnx.numpy_helper import from_array, to_array

from groove_utils.embed.models.frame_statistics import mean_and_deviation
from groove_utils.embed.models.packaged_graph import (
    GraphSession,
    PackagedGraph,
    randomise_graph,
)

__all__ = ["BasicPitch", "fold_convolutions"]

SAMPLE_RATE = 22050
HOP = 256
WINDOW = 43844  # samples; the graph's input
EDGE = 15  # number of frames to drop at each end of a window, where they lack context
N_FRAMES = 172
OUTPUTS = {
    "note": "StatefulPartitionedCall:1",
    "onset": "StatefulPartitionedCall:2",
    "contour": "StatefulPartitionedCall:0",
}
VECTOR_LENGTH = 16  # number of channels that a convolution on a CPU computes at once


class BasicPitch(PackagedGraph):
    """Adapter for Basic Pitch (``basic-pitch``) or its untrained twin (``basic-pitch-untrained``).

    The twin has random weights, except in the constant-Q transform, which is not learnt.
    """

    sample_rate = SAMPLE_RATE
    window = WINDOW / SAMPLE_RATE
    hop = (WINDOW - 2 * EDGE * HOP) / SAMPLE_RATE
    lead = EDGE * HOP / SAMPLE_RATE
    version = "0.4.0"
    file = "saved_models/icassp_2022/nmp.onnx"
    sha256 = "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec"
    outputs = OUTPUTS

    def randomise(self, graph: bytes) -> bytes:
        """Return the graph with random weights, except in the constant-Q transform."""
        tensors = onnx.load_from_string(graph).graph.initializer
        # only the kernels of the transform have a single row
        fixed = [tensor.name for tensor in tensors if tensor.dims[2:3] == [1]]
        return randomise_graph(graph, self.seed, fixed)

    def optimise(self, graph: bytes) -> bytes:
        """Return an equivalent graph that runs faster; see :func:`fold_convolutions`."""
        return fold_convolutions(graph)

    def forward(self, session: GraphSession, batch, n_valid) -> dict[str, np.ndarray]:
        """Compute the mean and standard deviation of each probability over valid frames.

        Parameters
        ----------
        session : GraphSession
            Result of :meth:`load`.
        batch : array-like of float32, shape (n_windows, 43844)
            Windows at 22,050 Hz.
        n_valid : array-like of int, shape (n_windows,)
            Number of samples in each window that precede the end of the signal.

        Returns
        -------
        dict of str to ndarray of float32, shape (n_windows, 2 × n_pitches)
            Means, followed by standard deviations, keyed by layer.
        """
        inner = slice(EDGE, N_FRAMES - EDGE)
        times = np.arange(N_FRAMES)[inner] * HOP
        posteriors = session(np.asarray(batch, dtype=np.float32)[..., None])
        return {
            name: mean_and_deviation(posterior[:, inner], times, n_valid)
            for name, posterior in posteriors.items()
        }


def fold_convolutions(graph: bytes) -> bytes:
    """Rewrite an ONNX model so that it runs faster with the same outputs, up to rounding.

    On a CPU, a convolution computes 16 channels at once. A convolution with at most eight output
    channels is therefore replaced by one that computes neighbouring pitches as additional channels.
    The new convolution has a shifted copy of the kernel for each of these pitches, and its stride
    equals the number of pitches.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.

    Returns
    -------
    bytes
        The rewritten ``ModelProto``.
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
