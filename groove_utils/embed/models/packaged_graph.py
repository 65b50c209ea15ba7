"""Base of adapters of ONNX graphs inside Python packages, which onnxruntime runs."""

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
    """An onnxruntime session with the bytes of its graph.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto`` with one input.
    outputs : mapping of str to str
        Names in the graph, by layer.
    faster : bytes, optional
        Equivalent graph to run instead.
    """

    def __init__(self, graph: bytes, outputs: Mapping[str, str], faster: bytes = b""):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1  # the engine runs batches side by side
        self.graph, self.outputs = graph, outputs
        self.session = onnxruntime.InferenceSession(
            faster or graph, options, providers=["CPUExecutionProvider"]
        )

    def content(self) -> bytes:
        """Return the bytes of which the fingerprint is taken."""
        return self.graph

    def __call__(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the layers of a batch of inputs, float32."""
        (entry,) = self.session.get_inputs()
        values = self.session.run(list(self.outputs.values()), {entry.name: batch})
        return dict(zip(self.outputs, values, strict=True))


class PackagedGraph(PackagedModel):
    """Base of the adapters of an ONNX graph in a Python package, and of its untrained twin.

    The twin has the same graph. Its kernels are drawn from normal distributions with the trained
    ones' standard deviations, so that its activations are of similar size, and its biases are zero.

    Attributes
    ----------
    outputs : mapping of str to str
        Names of outputs or inner values in the graph, by layer.
    """

    outputs: Mapping[str, str]

    def files(self) -> list[Path]:
        """Return the graph's file, which the twin needs as well.

        Raises
        ------
        ModelUnavailableError
            If one of the model's packages is not installed (``kind="missing_package"``).
        """
        return [self.locate()]

    def load(self) -> GraphSession:
        """Return a session; errors are those of :meth:`verify`."""
        graph = add_outputs(self.verify().read_bytes(), self.outputs.values())
        if not self.trained:
            graph = self.randomise(graph)
        return GraphSession(graph, self.outputs, self.optimise(graph))

    def randomise(self, graph: bytes) -> bytes:
        """Return the twin's graph."""
        return randomise_graph(graph, self.seed)

    def optimise(self, graph: bytes) -> bytes:
        """Return an equivalent graph that runs faster."""
        return graph


def add_outputs(graph: bytes, names: Iterable[str]) -> bytes:
    """Return a serialised model that also returns inner values.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    names : iterable of str
        Names of values in the graph; those that are outputs already may be among them.
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
    """Draw the weights of an ONNX model at random.

    Parameters
    ----------
    graph : bytes
        A serialised ``ModelProto``.
    seed : int
    fixed : iterable of str
        Names of kernels that are kept, with their biases.

    Returns
    -------
    bytes
        Kernels of convolutions and dense layers are drawn from a normal distribution with their own
        standard deviation, and their biases are 0. Layer normalisation is neutral.
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
    for tensor in model.graph.initializer:  # in the file's order, which fixes the draws
        if tensor.name not in roles:
            continue
        values = to_array(tensor)
        if roles[tensor.name] == "kernel":
            values = rng.normal(0, values.std(), values.shape)
        else:
            values = np.full_like(values, roles[tensor.name] == "one")
        tensor.CopyFrom(from_array(values.astype(np.float32), tensor.name))
    return model.SerializeToString()
