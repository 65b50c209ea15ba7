"""Base class for adapters of ONNX models in Python packages, run with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
from onnx.numpy_helper import from_array, to_array

from groove_utils.embed.models.packaged_model import PackagedModel

__all__ = ["GraphSession", "PackagedGraph", "add_outputs", "randomise_graph"]


class GraphSession:
    """ONNX Runtime session that returns the outputs of selected layers.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto`` with one input.
    outputs : mapping of str to str
        Name of the graph's output for each layer.
    faster : bytes, optional
        Equivalent graph to run instead of `graph`.
    """

    def __init__(self, graph: bytes, outputs: Mapping[str, str], faster: bytes = b""):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1  # the engine runs batches in parallel
        self.graph, self.outputs = graph, outputs
        self.session = onnxruntime.InferenceSession(
            faster or graph, options, providers=["CPUExecutionProvider"]
        )

    def content(self) -> bytes:
        """Return the bytes of the graph, from which the fingerprint is computed."""
        return self.graph

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the layer outputs for a batch of inputs, given as a float32 array."""
        (entry,) = self.session.get_inputs()
        values = self.session.run(list(self.outputs.values()), {entry.name: batch})
        return dict(zip(self.outputs, values, strict=True))


class PackagedGraph(PackagedModel):
    """Base class for adapters of ONNX models in Python packages and of their untrained twins.

    A twin has the same graph with random weights. Each kernel is drawn from a normal distribution
    with the same standard deviation as the trained kernel, so that activations have similar
    magnitudes. Biases are zero.

    Attributes
    ----------
    outputs : mapping of str to str
        Name of the graph's output for each layer.
    """

    outputs: Mapping[str, str]

    def files(self) -> list[Path]:
        """Return a list with the path of the graph, which the untrained twin also needs.

        Raises
        ------
        ModelUnavailableError
            If a package that the model needs is not installed (``kind="missing_package"``).
        """
        return [self.locate()]

    def load(self) -> GraphSession:
        """Verify the graph's file, and return a session that runs the graph."""
        graph = add_outputs(self.verify().read_bytes(), self.outputs.values())
        if not self.trained:
            graph = self.randomise(graph)
        return GraphSession(graph, self.outputs, self.optimise(graph))

    def randomise(self, graph: bytes) -> bytes:
        """Return the graph with random weights, for the untrained twin."""
        return randomise_graph(graph, self.seed)

    def optimise(self, graph: bytes) -> bytes:
        """Return an equivalent graph that runs faster; by default, the same graph."""
        return graph


def add_outputs(graph: bytes, names: Iterable[str]) -> bytes:
    """Add intermediate values of an ONNX model to the model's outputs.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    names : iterable of str
        Names of values in the graph; values that are already outputs are ignored.

    Returns
    -------
    bytes
        The extended ``ModelProto``.
    """
    model = onnx.load_from_string(graph)
    present = {output.name for output in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None)
        for name in names
        if name not in present
    )
    return model.SerializeToString()


def randomise_graph(graph: bytes, seed: int, fixed: Iterable[str] = ()) -> bytes:
    """Replace the weights of an ONNX model with random weights.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    seed : int
        Seed for the random weights.
    fixed : iterable of str
        Names of kernels to leave unchanged, together with their biases.

    Returns
    -------
    bytes
        The ``ModelProto`` with random weights. Each kernel of a convolution or dense layer is drawn
        from a normal distribution with the standard deviation of the original kernel. Biases are
        zero. Layer normalisations have scales of 1 and shifts of 0.
    """
    rng = np.random.default_rng(seed)
    model = onnx.load_from_string(graph)
    fixed, roles = set(fixed), {}
    for node in model.graph.node:
        weights = node.input[1:]
        if node.op_type in ("Conv", "Gemm") and weights[0] not in fixed:
            roles |= dict(zip(weights, ("kernel", "zero")))
        elif node.op_type == "LayerNormalization":
            roles |= dict(zip(weights, ("one", "zero")))
    for tensor in model.graph.initializer:  # in file order, on which the random draws depend
        if tensor.name not in roles:
            continue
        values = to_array(tensor)
        if roles[tensor.name] == "kernel":
            values = rng.normal(0, values.std(), values.shape)
        else:
            values = np.full_like(values, roles[tensor.name] == "one")
        tensor.CopyFrom(from_array(values.astype(np.float32), tensor.name))
    return model.SerializeToString()
