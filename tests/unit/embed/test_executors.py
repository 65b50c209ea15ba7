"""Interruption, several processes with one cache, and workers."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module

import dask
import numpy as np
import pytest
import soundfile
from expect import raises
from toy_models import SR, Frames, Slow, noise, noises

from groove_utils.audio import AudioError
from groove_utils.audio.streams import FileSource
from groove_utils.cache import ArrayCache
from groove_utils.embed import EmbedError, embed_tracks, extract, register_model
from groove_utils.embed.executors import open_pool, pickled_by_value
from groove_utils.embed.models.musicnn.taggers import Tagger
from groove_utils.embed.sum_source import SumSource

N_TRACKS = 24
# processes are forked from a server that has imported the slow libraries
dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
SERVER = multiprocessing.get_context("forkserver")
PRELOAD = ["distributed", "groove_utils.embed.engine.batches", "groove_utils.embed.extract"]
SERVER.set_forkserver_preload(PRELOAD)


def tracks():
    return noises(N_TRACKS, 3)


def run_slow(folder, out, count):
    if count:
        os.environ["GROOVE_COUNT"] = count
    register_model("slow", Slow)
    embedding = embed_tracks(tracks(), "slow", cache=ArrayCache(folder), progress=False)
    np.save(out, embedding.layer("frames"))


def start(folder, out, count=""):
    process = SERVER.Process(target=run_slow, args=(folder, out, str(count)))
    process.start()
    return process


@pytest.fixture
def slow(register):
    return register(Slow)


@pytest.fixture
def expected(cache, slow):
    return embed_tracks(tracks(), slow, cache=cache, progress=False).layer("frames")


def test_a_killed_extraction_is_resumed_by_two_processes(tmp_path, expected):
    for n_awaited in (6, 3, 1):  # kill earlier if the extraction was faster than the kill
        shared = tmp_path / f"shared-{n_awaited}"
        store = ArrayCache(shared)
        first = start(shared, tmp_path / "0.npy")
        while len(store) < n_awaited:
            assert first.is_alive() or len(store) >= n_awaited
            time.sleep(0.01)
        first.kill()
        first.join()
        n_done = len(store)
        if n_done < N_TRACKS:
            break
    assert n_done < N_TRACKS, "the extraction ended before it could be killed, three times"
    outs = [tmp_path / f"{i}.npy" for i in (1, 2)]
    both = [start(shared, out, tmp_path / "count") for out in outs]
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert len(store) == N_TRACKS
    # each computed at most the remaining tracks, and its probe of two windows
    n_batches = len((tmp_path / "count").read_text().split())
    assert n_batches <= 2 * (-(-3 * (N_TRACKS - n_done) // 8) + 2)
    for out in outs:
        assert np.load(out).tobytes() == expected.tobytes()


def test_joblib_gives_the_same_and_lists_what_fails(cache, tmp_path, register):
    name = register(Frames)
    there = ArrayCache(tmp_path / "there")
    (tmp_path / "text.wav").write_text("no audio")
    some = tracks() | {"bad": FileSource(tmp_path / "text.wav")}
    with pytest.raises(AudioError) as caught:
        embed_tracks(some, name, cache=there, executor="joblib:2", progress=False)
    assert list(caught.value.value) == ["bad"]
    assert len(there) == N_TRACKS
    here = embed_tracks(tracks(), name, cache=cache, progress=False)
    again = embed_tracks(tracks(), name, cache=there, progress=False)
    assert here.layer("frames").tobytes() == again.layer("frames").tobytes()


def test_a_cluster_survives_the_death_of_a_worker(tmp_path, monkeypatch, slow, expected):
    from distributed import Client, LocalCluster

    SERVER.set_forkserver_preload(PRELOAD)  # dask has set its own list
    store = ArrayCache(tmp_path / "there")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        with Client(cluster) as client:
            pids = client.run(os.getpid)
        assert len(set(pids.values())) == 2

        def kill_one():
            while len(store) < 2:
                time.sleep(0.01)
            os.kill(next(iter(pids.values())), signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        monkeypatch.setenv("EXECUTOR", address)
        there = embed_tracks(tracks(), slow, cache=store, progress=False)
        killer.join(10)
    assert not killer.is_alive()
    assert len(store) == N_TRACKS
    assert there.layer("frames").tobytes() == expected.tobytes()


def test_a_cluster_without_workers_is_reported():
    from distributed import LocalCluster

    empty = LocalCluster(n_workers=0, dashboard_address=None, protocol="tcp://")
    warned = pytest.warns(RuntimeWarning, match="no workers")
    with empty as cluster, warned, open_pool(cluster.scheduler_address):
        pass


def test_a_model_from_a_plain_file_is_sent_to_workers_that_lack_it(tmp_path, monkeypatch):
    import cloudpickle

    (tmp_path / "beside.py").write_text(
        "SCALE = 3\n"
        "def half(x):\n"
        "    return x / 2\n"
        "class Own:\n"
        "    def value(self):\n"
        "        return half(SCALE)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    beside = import_module("beside")
    with pickled_by_value([beside.Own, Tagger, np.ndarray]):
        sent = cloudpickle.dumps(beside.Own)
    assert b"beside" in cloudpickle.dumps(beside.Own)  # by its name, as before
    code = "import sys, pickle; print(pickle.load(sys.stdin.buffer)().value())"
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, input=sent, capture_output=True, check=True, cwd=tmp_path.parent)
    assert out.stdout.decode().strip() == "1.5"
    assert not cloudpickle.list_registry_pickle_by_value()


@pytest.mark.parametrize("executor", ["dask:host", "slurm://x:1", "joblib"])
def test_malformed_executors_are_refused(executor, cache, register):
    with raises(EmbedError, "bad_executor", value=executor):
        embed_tracks(noises(1, 1), register(Frames), cache=cache, executor=executor, progress=False)


def test_an_absent_scheduler_is_an_error(cache, monkeypatch, register):
    import distributed

    def refuse(*args, **options):
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    address = "dask://localhost:1"
    with pytest.raises(ConnectionError, match="localhost:1"):
        embed_tracks(noises(1, 1), register(Frames), cache=cache, executor=address, progress=False)


def test_vectors_that_do_not_arrive_are_missed(cache, monkeypatch, register):
    monkeypatch.setattr(extract, "embed_distributed", lambda *_: {})
    with raises(EmbedError, "lost_vectors"):
        embed_tracks(noises(1, 1), register(Frames), cache=cache, executor="joblib:2")


def test_relative_paths_reach_workers(tmp_path, monkeypatch, cache, register):
    seen = []
    monkeypatch.setattr(extract, "embed_distributed", lambda _, work, *__: seen.append(work) or {})
    soundfile.write(tmp_path / "a.wav", noise(SR), SR)
    monkeypatch.chdir(tmp_path)
    work = {"file": "a.wav", "sum": SumSource(["a.wav", "a.wav"])}
    with raises(EmbedError, "lost_vectors"):
        embed_tracks(work, register(Frames), cache=cache, executor="joblib:2", progress=False)
    for source in seen[0].values():
        for part in getattr(source, "parts", [source]):
            assert part.path == tmp_path / "a.wav"
