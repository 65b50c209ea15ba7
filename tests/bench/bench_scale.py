"""Test whether the cost per track is constant over 20,000 short tracks.

``python tests/bench/bench_scale.py [--tracks N] [--write]`` writes N different noise bursts, embeds
them with a small network in two Dask workers, and prints time, memory and number of files for each
tenth of the tracks, the cost of handling a study of this size, and the cost of real models per
second of audio. With ``--write``, the values are saved in ``analysis/expected/scale.csv``, from
which the page on model cards computes its table. Times are processor times, so that other
processes have little influence.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import torch
import yaml

from groove_utils.cache import ArrayCache
from groove_utils.embed import embed_tracks, register_model
from groove_utils.embed.benchmark import measure_cost
from groove_utils.files import write_if_changed
from groove_utils.manifest import find_changes, write_manifest
from groove_utils.packages import installed_versions
from groove_utils.study import load_study
from groove_utils.study.validate import validate_study

TABLE = Path(__file__).parents[2] / "analysis" / "expected" / "scale.csv"
SR, SECONDS = 16000, 0.5
N_WORKERS, N_PARTS = 2, 10
MODELS = ("msd-musicnn", "mtt-vgg", "basic-pitch")
SONG_SECONDS, N_SONGS = 30.0, 2


class Bands:
    """Network of negligible cost: a projection of the magnitude spectrum."""

    sample_rate, window, version = SR, 1.0, "1"
    layers = {"bands": 512}  # noqa: RUF012

    def load(self):
        torch.manual_seed(0)
        return torch.nn.Linear(257, 512)

    def forward(self, network, batch, n_valid):
        return {"bands": network(torch.fft.rfft(batch.unfold(1, 512, 512)).abs())}


def write_tracks(folder: Path, n: int) -> dict[str, Path]:
    """Write different noise bursts as mono 16-bit WAV files."""
    folder.mkdir(parents=True)
    decay = np.exp(-8 * np.arange(round(SECONDS * SR)) / SR)
    tracks = {}
    for i in range(n):
        burst = 0.3 * np.random.default_rng(i).standard_normal(len(decay)) * decay
        tracks[f"t{i:06d}"] = folder / f"t{i:06d}.wav"
        soundfile.write(tracks[f"t{i:06d}"], burst.clip(-1, 1), SR)
    return tracks


def used() -> tuple[float, float]:
    """Return processor time (s) and current memory (MiB) of this process."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return time.process_time(), int(status["VmRSS"].split()[0]) / 1024


def list_entries(cache: ArrayCache) -> list[os.DirEntry]:
    """List the files of a store."""
    folders = [entry.path for entry in os.scandir(cache.folder)] if cache.folder.is_dir() else []
    return [entry for folder in folders for entry in os.scandir(folder) if entry.name[0] != "."]


def extract(tracks: dict[str, Path], cache: ArrayCache) -> pd.DataFrame:
    """Embed tracks in Dask workers.

    Return one row per tenth of the tracks: number of embedded tracks, total processor seconds of
    the workers and this process, memory of this process, and of the largest worker (MiB).
    """
    from distributed import Client, LocalCluster

    rows, stop = [], threading.Event()
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with LocalCluster(n_workers=N_WORKERS, **options) as cluster, Client(cluster) as client:
        first = dict(list(tracks.items())[: 64 * N_WORKERS])  # so that workers load the network
        run = functools.partial(embed_tracks, model="bands", cache=cache, progress=False)
        run(first, executor=cluster.scheduler_address)

        def watch() -> None:
            while not stop.wait(0.2):
                done = len(list_entries(cache))
                if done >= len(rows) * len(tracks) / N_PARTS + len(first):
                    record(done)

        def record(done: int) -> None:
            workers, here = client.run(used).values(), used()
            seconds = here[0] + sum(seconds for seconds, _ in workers)
            rows.append((done, seconds, here[1], max(memory for _, memory in workers)))

        watcher = threading.Thread(target=watch)
        watcher.start()
        run(tracks, executor=cluster.scheduler_address)
        stop.set()
        watcher.join()
        record(len(list_entries(cache)))
    columns = ["tracks", "seconds", "client_mib", "worker_mib"]
    return pd.DataFrame(rows, columns=columns)


def processor_seconds(function: Callable) -> float:
    """Return the processor time of a function call in seconds."""
    start = time.process_time()
    function()
    return time.process_time() - start


def write_study(folder: Path, tracks: dict[str, Path]) -> None:
    """Write the tables of a study whose audio is already in its folder."""
    ids = list(tracks)
    table = pd.DataFrame({"track_id": ids, "title": ids, "style": "noise"})
    table["artist"] = [f"a{i // 10}" for i in range(len(ids))]
    table["audio"] = [f"audio/{path.name}" for path in tracks.values()]
    table.to_csv(folder / "tracks.csv", index=False)
    ratings = pd.DataFrame({"track_id": ids, "query": "groove", "rating": np.arange(len(ids)) % 7})
    ratings.to_csv(folder / "ratings.csv", index=False)
    meta = {"title": "Noise", "queries": {"groove": "Groove?"}, "scale": [0, 6]}
    (folder / "study.yml").write_text(yaml.safe_dump(meta))


def measure_study(folder: Path, tracks: dict[str, Path], cache: ArrayCache) -> dict[str, float]:
    """Return processor seconds of the steps that handle all tracks of a study."""
    write_study(folder, tracks)
    manifest = folder.parent / "manifest.json"
    record = functools.partial(write_manifest, manifest, inputs=tracks.values(), outputs=[])
    steps = {
        "validate": lambda: validate_study(folder),
        "load": lambda: load_study(folder),
        "manifest": record,
        "compare": lambda: find_changes(manifest),
        "cached": lambda: embed_tracks(tracks, "bands", cache=cache, progress=False),
    }
    return {name: processor_seconds(step) for name, step in steps.items()}


def measure_models(folder: Path) -> pd.DataFrame:
    """Return the seconds per second of audio, and numbers per track, of pretrained models."""
    folder.mkdir()
    songs = {}
    for i in range(N_SONGS):
        y = np.random.default_rng(i).uniform(-0.3, 0.3, round(SONG_SECONDS * 22050))
        songs[f"s{i}"] = folder / f"s{i}.wav"
        soundfile.write(songs[f"s{i}"], y, 22050)
    return measure_cost(songs, MODELS)


def machine() -> str:
    """Describe the machine and the relevant versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    installed = installed_versions()
    versions = [f"{name} {installed[name]}" for name in ("torch", "distributed", "numpy")]
    cores = f"{os.cpu_count()} cores, {memory:.0f} GiB of memory"
    python = f"Python {platform.python_version()}"
    return f"{names[0] if names else platform.machine()}, {cores}, {python}, {', '.join(versions)}"


def tidy(parts: pd.DataFrame, cache: ArrayCache, studies: dict, models: pd.DataFrame):
    """Return all values in one table: quantity, subject, tracks, value."""
    entries = list_entries(cache)
    folders = pd.Series([Path(entry.path).parent.name for entry in entries]).value_counts()
    sizes = [entry.stat().st_size for entry in entries]
    rows = [
        (column, "extraction", row.tracks, getattr(row, column))
        for row in parts.itertuples()
        for column in ("seconds", "client_mib", "worker_mib")
    ]
    rows += [
        ("files", "cache", len(entries), len(entries)),
        ("vector_bytes", "cache", len(entries), 4 * Bands.layers["bands"]),
        ("files_per_folder", "cache", len(entries), folders.max()),
        ("entry_overhead", "cache", len(entries), np.mean(sizes) - 4 * Bands.layers["bands"]),
    ]
    rows += [("seconds", step, n, s) for n, steps in studies.items() for step, s in steps.items()]
    for model in models.itertuples():
        rows.append(("seconds_per_second", model.model, np.nan, model.seconds_per_second))
        rows.append(("numbers", model.model, np.nan, model.numbers))
        rows.append(("peak_mib", model.model, np.nan, model.peak_MiB))
    table = pd.DataFrame(rows, columns=["quantity", "subject", "tracks", "value"])
    return table.astype({"tracks": "Int64"})


def growing(table: pd.DataFrame) -> list[str]:
    """List the steps whose time per track, or memory, clearly grows with the number of tracks."""
    seconds = table[table["quantity"] == "seconds"].set_index("subject")
    tracks, spent = (
        seconds.loc["extraction", name].to_numpy(float)[1:-1] for name in ("tracks", "value")
    )
    per_track = np.diff(spent) / np.diff(tracks)
    grown = ["extraction"] if per_track[-4:].mean() > 1.3 * per_track[:4].mean() else []
    for step in ("validate", "load", "manifest", "compare", "cached"):
        few, many = seconds.loc[step, "value"] / seconds.loc[step, "tracks"]
        grown += [step] if many > 1.5 * few else []
    memory = table.loc[table["quantity"] == "worker_mib", "value"].to_numpy()[1:-1]
    return grown + (["memory of a worker"] if memory[-1] - memory[0] > 20 else [])  # MiB


def main(argv: list[str] | None = None) -> int:
    """Print and, with ``--write``, save all values; return 1 if the cost per track grows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=20000)
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.name}")
    options = parser.parse_args(argv)
    register_model("bands", Bands)
    with tempfile.TemporaryDirectory() as root:
        os.environ["GROOVE_CACHE"] = root
        folder, cache = Path(root) / "study", ArrayCache(Path(root) / "store")
        tracks = write_tracks(folder / "audio", options.tracks)
        parts = extract(tracks, cache)
        print(parts.to_string(index=False))
        studies = {}
        for n in (options.tracks // 10, options.tracks):
            some = dict(list(tracks.items())[:n])
            studies[n] = measure_study(folder, some, cache)
            print({step: f"{1e3 * s / n:.3f} ms per track" for step, s in studies[n].items()})
        models = measure_models(Path(root) / "songs")
        print(models.to_string(index=False))
        table = tidy(parts, cache, studies, models)
    if grown := growing(table):
        print(f"cost per track grows: {', '.join(grown)}; nothing was written", file=sys.stderr)
        return 1
    if options.write:
        made = (
            f"{options.tracks} noise bursts of {SECONDS} s, {N_WORKERS} Dask workers; {machine()}"
        )
        text = f"# {made}\n" + table.to_csv(index=False, float_format="%.6g")
        write_if_changed(TABLE, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
