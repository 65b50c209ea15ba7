"""Write vibenet_golden.npz with VibeNet's own code.

Needs, next to what the book needs, `pip install --no-deps vibenet==0.1.0 BeatNet==1.1.3
pydub==0.25.1`. Inner layers are read from VibeNet's graph, fed by its own front end; the package
itself returns the attributes only.
"""

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from recorded_signals import recorded_signals

HERE = Path(__file__).parent
RATE = 16000
LAYERS = {"pooled": "view", "hidden": "gelu"}


def original_layers(y: np.ndarray) -> dict[str, np.ndarray]:
    """Return the seven attributes, and two inner layers."""
    import vibenet
    from vibenet.core import extract_mel

    (result,) = vibenet.load_model().predict(y, RATE)
    attributes = np.array([result.to_dict()[name] for name in vibenet.labels], np.float32)
    folder = Path(importlib.util.find_spec("vibenet").origin).parent
    model = onnx.load(folder / "artifacts" / "efficientnet_model.onnx")
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in LAYERS.values())
    session = onnxruntime.InferenceSession(model.SerializeToString())
    inner = session.run(list(LAYERS.values()), {"x": extract_mel(y, RATE)[None]})
    return {"attributes": attributes, **{k: v[0] for k, v in zip(LAYERS, inner, strict=True)}}


if __name__ == "__main__":
    golden = {
        f"{name}/{layer}": values
        for name, y in recorded_signals(RATE).items()
        for layer, values in original_layers(y).items()
    }
    np.savez_compressed(HERE / "vibenet_golden.npz", **golden)
