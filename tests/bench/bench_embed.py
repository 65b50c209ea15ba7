"""Compare the extraction of embeddings with alternatives, in one run on the same machine.

``python tests/bench/bench_embed.py [--long] [SECTION ...]`` prints one line per bar (a limit for a
measured value), which says whether the bar is met, and the duration of each section. Our code and
the alternatives are timed alternately, and the shortest time of each counts, so that other load on
the machine affects all of them equally. With ``--long``, there are more files and repetitions.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import soundfile
import torch
from torch.nn import functional

from groove_utils.audio.windowing import WindowCutter
from groove_utils.cache import ArrayCache
from groove_utils.embed import (
    embed_audio,
    embed_models,
    embed_tracks,
    forget_models,
    load_model,
    model_card,
)
from groove_utils.embed.benchmark import peak_memory
from groove_utils.embed.engine import WorkerPool
from groove_utils.embed.models.musicnn.taggers import Tagger
from groove_utils.networks import choose_device

GOLDEN = Path(__file__).parents[1] / "golden" / "embed"
TAGGERS = ("msd-musicnn", "mtt-musicnn", "msd-vgg", "mtt-vgg")
OFFLINE = (*TAGGERS, "basic-pitch")


missed: list[str] = []


def report(what: str, value: float, bar: str, met: bool, note: str = "") -> None:
    """Print a measured value next to its bar, and record a missed bar."""
    if bar != "-" and not met:
        missed.append(what)
    verdict = "-" if bar == "-" else "met" if met else "NOT MET"
    print(f"{what:64} {value:10.3g}   {bar:>10}   {verdict:8} {note}", flush=True)


def songs(folder: Path, n: int, seconds: float = 12.0, sr: int = 44100) -> list[Path]:
    """Write different noise bursts to stereo FLAC files; return their paths."""
    paths = []
    for i in range(n):
        rng = np.random.default_rng(i)
        n_samples = round(seconds * sr)
        envelope = np.exp(-8 * ((2 * np.arange(n_samples) / sr) % 1))
        y = 0.3 * rng.standard_normal((2, n_samples)) * envelope
        paths.append(folder / f"{i:04d}.flac")
        soundfile.write(paths[-1], y.T.clip(-1, 1), sr)
    return paths


def best(functions: dict, repeats: int) -> dict[str, float]:
    """Run functions alternately; return the shortest time of each in seconds."""
    times = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - start)
    return {name: min(values) for name, values in times.items()}


def parity(_options) -> None:
    """Compare the taggers' outputs with those of the original TensorFlow networks."""
    y, sr = soundfile.read(GOLDEN / "groove_16k.wav", dtype="float32")
    with np.load(GOLDEN / "musicnn_golden.npz") as golden:
        for model in TAGGERS:
            data, kind = model.split("-")
            ours = embed_audio(y, sr, model)
            for key in golden.files:
                name, layer = key.split("/")
                if name != f"{data.upper()}_{kind}":
                    continue
                theirs = golden[key]
                if layer == "pool5":
                    theirs = theirs.reshape(3, 2, 128).mean(1)
                rows = 1 if layer == "penultimate" else 3  # the original repeats its first row
                worst = float(np.abs(ours[layer][:rows] - theirs[:rows]).max())
                bar = 1e-4 if layer == "taggram" else 1e-3
                report(f"parity, {model} {layer}", worst, f"<= {bar:g}", worst <= bar)


def per_song(options) -> None:
    """Time the embedding of a 12 s song, including decoding."""
    with tempfile.TemporaryDirectory() as folder:
        paths = songs(Path(folder), 16 if options.long else 6)
        for model in OFFLINE:
            load_model(model)
            start = time.perf_counter()
            tracks = {path.stem: path for path in paths}
            embed_tracks(tracks, model, cache=ArrayCache(f"{folder}/{model}"), progress=False)
            spent = (time.perf_counter() - start) / len(paths)
            report(f"seconds per 12 s song, {model}", spent, "-", True)


def normed(part, maps: torch.Tensor) -> torch.Tensor:
    """Apply ReLU and batch normalisation to feature maps with channels first."""
    return part.norm(functional.relu(maps).movedim(1, -1)).movedim(-1, 1)


def plain_musicnn(net, spectrogram: torch.Tensor) -> dict[str, torch.Tensor]:
    """Run MusiCNN as it is usually written, one operation after another."""
    x = net.input_norm(spectrogram[..., None]).squeeze(-1)
    front = []
    for part in net.front():
        n_time = part.kernel.shape[2]
        padded = functional.pad(x[:, None], (0, 0, (n_time - 1) // 2, n_time // 2))
        maps = normed(part, functional.conv2d(padded, part.kernel, part.bias))
        front.append(functional.max_pool2d(maps, (1, maps.shape[3])).squeeze(3).mT)
    front = torch.cat(front, 2)
    mid1 = net.mid1(front)
    mid2 = net.mid2(mid1) + mid1
    mid3 = net.mid3(mid2) + mid2
    features = torch.cat([front, mid1, mid2, mid3], 2)
    mean, top = features.mean(1), features.amax(1)
    pooled = net.pool_norm(torch.stack([top, mean], 2).flatten(1))
    hidden = functional.linear(pooled, net.hidden.kernel, net.hidden.bias)
    hidden = net.hidden_norm(functional.relu(hidden))
    tags = functional.linear(hidden, net.tags.kernel, net.tags.bias)
    return {"mean_pool": mean, "max_pool": top, "penultimate": hidden, "taggram": tags}


def plain_block(block, x: torch.Tensor) -> torch.Tensor:
    """Run a block of the VGG network as it is usually written, one operation after another."""
    maps = normed(block, functional.conv2d(x, block.kernel, block.bias, padding=1))
    pool = block.pool if block.kernel.shape[1] > 1 else (block.pool, 1)
    return functional.max_pool2d(maps, pool, block.stride)


def tagger_loop(folder: str, reload: str) -> None:
    """Embed files with each tagger in the usual loop over files and windows, with librosa.

    With `reload`, the network is loaded again for each file, as in the extractor of the ``musicnn``
    package. :func:`timed_alone` runs this function in a separate process.
    """
    device = choose_device()
    loaded = {name: Tagger(name).load().to(device) for name in TAGGERS}

    def embed(name: str, path: Path) -> None:
        network = Tagger(name).load().to(device) if reload == "reload" else loaded[name]
        y, sr = librosa.load(path, sr=16000)
        mel = librosa.feature.melspectrogram(y=y, sr=sr, n_fft=512, hop_length=256, n_mels=96)
        log = np.log10(10000 * mel.T.astype(np.float16).astype(np.float32) + 1)
        rows: list = []
        with torch.inference_mode():
            for patch in [log[i : i + 187] for i in range(0, len(log), 186)]:
                filled = np.zeros((1, 187, 96), np.float32)
                filled[0, : len(patch)] = patch
                x = torch.from_numpy(filled).to(device)
                if "vgg" in name:
                    x = network.input_norm(x[..., None]).squeeze(-1)[:, None]
                    for block in network.blocks:
                        x = plain_block(block, x)
                    rows.append({"pool5": x.mean(3).mean(2)})
                else:
                    rows.append(plain_musicnn(network, x))
        vectors = {key: torch.cat([row[key] for row in rows]).mean(0).cpu() for key in rows[0]}
        np.savez(path.with_name(f"{name}-{path.stem}.npz"), **vectors)

    time_files(folder, *(partial(embed, name) for name in TAGGERS))


def time_files(folder: str, *functions) -> None:
    """Print how many seconds functions need for all files of a folder, after one to warm up."""
    paths = sorted(Path(folder).glob("*.flac"))
    for function in functions:
        function(paths[0])
    start = time.perf_counter()
    for function in functions:
        for path in paths:
            function(path)
    print(time.perf_counter() - start)


def timed_alone(loop: str, *arguments: str) -> float:
    """Return the seconds of one of `LOOPS`, run in a process without the engine's settings."""
    command = [sys.executable, __file__, "--loop", loop, *arguments]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def musicnn_family(options) -> None:
    """Compare the time of all four taggers with per-file loops.

    The bar is 4. With one thread each, the loops need 3.3 times (networks kept) and 3.5 times
    (networks loaded per file) our processor time. With several threads, the ratio also depends on
    how much the loops gain from more cores. On two cores under a load of 8, the threads wait for
    each other, and the ratios rise to 16 and 12, so only an idle machine tests the bar.
    """
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        paths = songs(folder, 32 if options.long else 6)
        tracks = {path.stem: path for path in paths}
        for model in TAGGERS:
            load_model(model)
        count = iter(range(1000))

        def ours():
            cache = ArrayCache(folder / f"cache{next(count)}")
            embed_models(tracks, TAGGERS, cache=cache, progress=False)

        loops: dict[str, list] = {"reload": [], "kept": []}
        functions = {"ours": ours}
        for kind, times in loops.items():
            functions[kind] = lambda kind=kind, times=times: times.append(
                timed_alone("taggers", root, kind)
            )
        spent = best(functions, 3 if options.long else 2)["ours"]
        for kind, what in (("reload", "loads per file"), ("kept", "keeps its networks")):
            ratio = min(loops[kind]) / spent
            note = f"ms per song: {1e3 * spent / len(paths):.0f}, loop "
            note += f"{1e3 * min(loops[kind]) / len(paths):.0f}"
            report(f"MusiCNN family, x loop that {what}", ratio, ">= 4", ratio >= 4, note)


def save_at_random(name: str, folder: Path) -> None:
    """Save a full-size network with random weights in the format of its checkpoint."""
    import transformers

    torch.manual_seed(0)
    if name == "ast":
        network = transformers.ASTModel(transformers.ASTConfig())
        extractor = transformers.ASTFeatureExtractor()
    else:
        network = transformers.HubertModel(transformers.HubertConfig())
        extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True)
    network.save_pretrained(folder / name)
    extractor.save_pretrained(folder / name)


def transformers_loop(folder: str, name: str, at_once: str) -> None:
    """Embed files in the usual loop: load, resample, run the network and save.

    The windows of a file are run one by one, or, if `at_once` is "file", as one padded batch.
    """
    import transformers

    device = choose_device()
    network = transformers.AutoModel.from_pretrained(Path(folder) / name).eval().to(device)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(Path(folder) / name)
    length = round(model_card(name).window * 16000)

    def embed(path: Path) -> None:
        y, sr = librosa.load(path, sr=16000)
        rows = []
        cut = [y[start : start + length] for start in range(0, len(y), length)]
        for batch in [cut] if at_once == "file" else [[window] for window in cut]:
            x = extractor(batch, sampling_rate=sr, return_tensors="pt", padding=True)
            with torch.inference_mode():
                values = x.input_values.to(device)
                states = network(values, output_hidden_states=True).hidden_states
            rows.append(torch.stack([state.mean((0, 1)) for state in states]))
        np.save(path.with_suffix(".npy"), torch.stack(rows).mean(0).cpu().numpy())

    time_files(folder, embed)


def run_bare(model, ready: list[list[tuple[np.ndarray, int]]]) -> None:
    """Run only the forward passes, on windows that are already prepared and sorted by bucket."""
    size = model.batch_size
    cut = [b[i : i + size] for b in ready for i in range(0, len(b), size)]
    if not model.concurrent:
        for batch in cut:
            model.forward(*zip(*batch))
        return
    with WorkerPool() as workers:
        for done in [workers.submit(model.forward, *zip(*batch)) for batch in cut]:
            done.result()


def full_size(name: str, seconds: float, n_songs: int, options, precisions: dict) -> None:
    """Compare a full-size network with bare forward passes and with per-file loops.

    The weights are random. `precisions` maps each precision to the required speed-up over the
    loops.
    """
    with tempfile.TemporaryDirectory() as root:
        save_at_random(name, Path(root))
        os.environ["GROOVE_MODELS"] = root
        forget_models()
        model = load_model(name)
        for precision in precisions:  # loading and its checks are not timed
            load_model(name, autocast=precision == "bfloat16")
        paths = songs(Path(root), n_songs, seconds)
        tracks = {path.stem: path for path in paths}
        ready: dict[int, list] = {}
        for path in paths:
            cutter = WindowCutter(model.length, model.length)
            cut = list(cutter.push(librosa.load(path, sr=16000)[0]))
            for window, n in [*cut, cutter.finish()]:
                ready.setdefault(model.bucket(n), []).append((model.prepare(window, n), int(n)))
        count = iter(range(1000))

        def ours(precision):
            cache = ArrayCache(Path(root) / f"cache{next(count)}")
            autocast = precision == "bfloat16"
            return embed_tracks(tracks, name, cache=cache, autocast=autocast, progress=False)

        loops: dict[str, list[float]] = {"window": [], "file": []}
        embeddings: dict[str, object] = {}
        functions = {p: lambda p=p: embeddings.update({p: ours(p)}) for p in precisions}
        functions["bare"] = lambda: run_bare(model, list(ready.values()))
        for kind, spent in loops.items():
            functions[kind] = lambda kind=kind, spent=spent: spent.append(
                timed_alone("transformers", root, name, kind)
            )
        times = best(functions, 3 if options.long else 2)
        name = f"{name}, songs of {seconds:g} s"
        share = times["bare"] / times["float32"]
        report(f"{name}, share of the bare forward pass", share, ">= 0.9", share >= 0.9)
        for precision, wanted in precisions.items():
            for kind, spent in loops.items():
                ratio = min(spent) / times[precision]
                per_song = [1e3 * t / len(paths) for t in (times[precision], min(spent))]
                note = "ms per song: {:.0f}, loop {:.0f}".format(*per_song)
                what = f"{name}, {precision}, x loop by the {kind}"
                bar = f">= {wanted}" if wanted else "-"
                report(what, ratio, bar, ratio >= wanted, note)
        if "bfloat16" in embeddings:
            half, exact = (embeddings[kind].layers for kind in ("bfloat16", "float32"))
            worst = max(
                np.linalg.norm(half[n] - exact[n]) / np.linalg.norm(exact[n]) for n in exact
            )
            report(f"{name}, bfloat16 against float32", worst, "<= 0.02", worst <= 0.02)
        os.environ.pop("GROOVE_MODELS")
        forget_models()


def ast(options) -> None:
    """Measure AST on songs of 12 s, as in the demo study, and on songs of two whole windows.

    In the loop, a last window that is too short is padded, and the network is run on the whole
    window; the engine omits patches without sound.
    """
    n_songs = 10 if options.long else 3
    full_size("ast", 12.0, n_songs, options, {"float32": 1.5})
    full_size("ast", 20.48, n_songs, options, {"float32": 0})


def hubert(options) -> None:
    """Measure HuBERT on songs of four whole windows, which need no padding.

    In float32, nothing can be omitted, since nearly all of the time is spent on matrix products;
    the engine is faster only because the loop's threads wait for each other.
    """
    seconds = 4 * model_card("hubert-base").window
    n_songs = 10 if options.long else 2
    full_size("hubert-base", seconds, n_songs, options, {"float32": 1.5, "bfloat16": 1.5})


def memory(options) -> None:
    """Compare peak memory for 20 minutes of 44.1 kHz stereo (60 with ``--long``) and for one."""
    with tempfile.TemporaryDirectory() as root:
        peaks = {}
        for minutes in (1, 60 if options.long else 20):
            path = Path(root) / f"{minutes}.wav"
            rng = np.random.default_rng(0)
            with soundfile.SoundFile(path, "w", 44100, 2, subtype="PCM_16") as file:
                for _ in range(minutes):
                    file.write(rng.uniform(-0.5, 0.5, (60 * 44100, 2)))
            command = [sys.executable, __file__, "--peak", str(path), str(Path(root) / "cache")]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            peaks[minutes] = float(out)
        few, many = peaks.values()
        report(
            f"MiB more for {max(peaks)} minutes than for one",
            many - few,
            "<= 300",
            many - few <= 300,
            f"{few:.0f} and {many:.0f}",
        )


def peak(path: str, cache: str) -> None:
    """Embed one file, and print the peak memory of this process in MiB."""
    embed_tracks({"x": path}, "mtt-musicnn", cache=ArrayCache(cache), progress=False)
    print(peak_memory())


def cached(_options) -> None:
    """Time the reading of 96 tracks × 5 models from the cache, without loading a model.

    The tracks are short, since the size of a cache entry does not depend on the length of a track.
    """
    with tempfile.TemporaryDirectory() as root:
        paths = songs(Path(root), 96, seconds=2.0)
        cache = ArrayCache(Path(root) / "cache")
        tracks = {path.stem: path for path in paths}
        embed_models(tracks, OFFLINE, cache=cache, progress=False)
        forget_models()
        start = time.perf_counter()
        for model in OFFLINE:
            embed_tracks(tracks, model, cache=cache, progress=False)
        spent = time.perf_counter() - start
        report("seconds for 96 tracks x 5 models from the cache", spent, "<= 2", spent <= 2)


def many(options) -> None:
    """Test whether the time per track grows over 400 short tracks (1,000 with ``--long``)."""
    n_tracks = 1000 if options.long else 400
    load_model("mtt-musicnn")
    with tempfile.TemporaryDirectory() as root:
        cache = ArrayCache(root)
        spent = {}
        few = n_tracks // 5
        for n in (few // 2, few, n_tracks):  # the first warms up
            rng = np.random.default_rng(n)
            tracks = {
                f"{n}-{i}": (rng.uniform(-0.5, 0.5, 16000).astype(np.float32), 16000)
                for i in range(n)
            }
            start = time.perf_counter()
            embed_tracks(tracks, "mtt-musicnn", cache=cache, progress=False)
            spent[n] = 1e3 * (time.perf_counter() - start)
    first, later = spent[few] / few, (spent[n_tracks] - spent[few]) / (n_tracks - few)
    what = f"a track beyond {few} of {n_tracks}, x one before"
    note = f"{first:.1f} ms, then {later:.1f} ms"
    report(what, later / first, "<= 1.2", later / first <= 1.2, note)


LOOPS = {"taggers": tagger_loop, "transformers": transformers_loop}
SECTIONS = {
    "parity": parity,
    "song": per_song,
    "musicnn": musicnn_family,
    "ast": ast,
    "hubert": hubert,
    "memory": memory,
    "cached": cached,
    "many": many,
}


def main(argv: list[str] | None = None) -> int:
    """Run the requested sections, by default all; return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []])
    parser.add_argument("--long", action="store_true", help="more files and repetitions")
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--loop", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.peak:
        peak(*options.peak)
        return 0
    if options.loop:
        LOOPS[options.loop[0]](*options.loop[1:])
        return 0
    print(f"{choose_device()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GROOVE_CACHE"] = folder
        for name in options.sections or SECTIONS:
            start = time.perf_counter()
            SECTIONS[name](options)
            print(f"-- {name}: {time.perf_counter() - start:.0f} s", flush=True)
    return int(bool(missed))


if __name__ == "__main__":
    raise SystemExit(main())
