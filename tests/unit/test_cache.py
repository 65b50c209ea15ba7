import hashlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import safetensors.numpy
from expect import raises

from groove_utils.cache import ArrayCache, format_bytes, main, run_cached_jobs
from groove_utils.errors import DetailedError
from groove_utils.files import hash_bytes

KEY = hash_bytes("a track")


@pytest.fixture
def store(tmp_path):
    return ArrayCache(tmp_path, "embeddings")


def example(seed=0):
    rng = np.random.default_rng(seed)
    return {"pool": rng.normal(size=(3, 4)).astype(np.float32), "file": rng.integers(9, size=5)}


def test_round_trip_keeps_values_dtypes_shapes_and_order(store):
    arrays = example() | {"empty": np.zeros((0, 7)), "scalar": np.float64(3), "name": np.array("x")}
    store.put(KEY, arrays)
    back = store.get(KEY)
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert (back[name].dtype, back[name].shape) == (np.asarray(array).dtype, np.shape(array))
    assert len(store) == 1


def count_and_double(number, cache=None):
    """Job that also records the number of its process."""
    key = hash_bytes("double", str(number))
    if cache is None or (entry := cache.get(key)) is None:
        entry = {"value": np.array([2 * number, os.getpid()])}
        if cache is not None:
            cache.put(key, entry)
    return entry["value"].tolist()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_processes_compute_only_what_is_missing(store, n_jobs):
    expected = count_and_double(3, store)
    jobs = [(count_and_double, (number,), {}) for number in (5, 3, 4)]
    results = run_cached_jobs(jobs, store, n_jobs)
    assert [value for value, _ in results] == [10, 6, 8]
    assert results[1] == expected
    assert (results[0][1] == os.getpid()) == (n_jobs == 1)
    assert run_cached_jobs(jobs, store, n_jobs) == results
    assert [value for value, _ in run_cached_jobs(jobs, None)] == [10, 6, 8]


def test_a_result_may_keep_its_store_and_ask_it_for_more(store):
    store.put(KEY, example())

    def load(cache):
        assert cache.get(KEY) is not None
        return cache

    [kept] = run_cached_jobs([(load, (), {})], store)
    assert kept.get(hash_bytes("another track")) is None


def test_absent_entry_is_none(store):
    assert store.get(KEY) is None
    assert (len(store), store.clear()) == (0, 0)


def test_same_content_gives_the_same_file(store, tmp_path):
    store.put(KEY, example())
    other = ArrayCache(tmp_path, "other")
    other.put(KEY, example())
    assert store.path(KEY).read_bytes() == other.path(KEY).read_bytes()


def test_safetensors_opens_an_entry_less_its_checksum(store):
    store.put(KEY, example())
    arrays = safetensors.numpy.load(store.path(KEY).read_bytes()[:-32])
    np.testing.assert_array_equal(arrays["pool"], example()["pool"])


def test_text_of_any_shape_comes_back(store):
    text = {"row": np.array(["bass", "«drums»"]), "none": np.array([], str), "one": np.array("ü")}
    store.put(KEY, text | {"grid": np.array([["a", "b"], ["cd", ""]])})
    back = store.get(KEY)
    for name, array in text.items():
        np.testing.assert_array_equal(back[name], array)
    assert back["grid"].tolist() == [["a", "b"], ["cd", ""]]


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "append"])
def test_damaged_entry_is_removed_and_can_be_written_again(store, damage):
    store.put(KEY, example())
    path = store.path(KEY)
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        del content[-100:]
    elif damage == "empty":
        content.clear()
    else:
        content += b"x"
    path.write_bytes(content)
    with pytest.warns(RuntimeWarning, match="damaged"):
        assert store.get(KEY) is None
    assert not path.exists()
    assert store.get(KEY) is None
    store.put(KEY, example())
    np.testing.assert_array_equal(store.get(KEY)["pool"], example()["pool"])
    assert len(store) == 1


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"another program's",
        b"\x02" + bytes(7) + b"{}",
        b"\x13" + bytes(7) + b'{"__metadata__":[]}',
        safetensors.numpy.save({"x": np.zeros(3)}),
        safetensors.numpy.save({"x": np.zeros(3)}, {"entry": '{"order": ["y"], "text": []}'}),
        safetensors.numpy.save({"x": np.zeros(3)}, {"entry": '{"order": ["x"], "text": ["x"]}'}),
        safetensors.numpy.save({"x": np.zeros(3)}, {"entry": "7"}),
    ],
)
def test_an_entry_of_another_program_is_removed_whatever_its_checksum(store, archive):
    path = store.path(KEY)
    path.parent.mkdir(parents=True)
    path.write_bytes(archive + hashlib.sha256(archive).digest())
    with pytest.warns(RuntimeWarning, match="damaged"):
        assert store.get(KEY) is None
    store.put(KEY, example())
    assert list(store.get(KEY)) == ["pool", "file"]


def test_every_single_bit_flip_is_noticed(store):
    store.put(KEY, {"x": np.arange(4)})
    path = store.path(KEY)
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        with pytest.warns(RuntimeWarning, match="damaged"):
            assert store.get(KEY) is None


def test_object_arrays_and_bad_keys_are_refused(store):
    with raises(DetailedError, "object_array", column="x"):
        store.put(KEY, {"x": np.array([{}, 1], dtype=object)})
    assert store.get(KEY) is None
    for key in ("../../etc", "ABCDEF0123", "abc", 3):
        with raises(DetailedError, "invalid_key", value=key):
            store.get(key)
    with raises(DetailedError, "invalid_name", value="../elsewhere"):
        ArrayCache(store.folder, "../elsewhere")


def test_clear_returns_the_bytes_freed(store):
    for seed in range(5):
        store.put(hash_bytes(str(seed)), example(seed))
    remains = store.path(KEY).parent / f".{KEY}-abc.entry"  # of a write that was killed
    remains.parent.mkdir(exist_ok=True)
    remains.write_bytes(b"half")
    size = sum(path.stat().st_size for path in store.folder.rglob("*") if path.is_file())
    assert len(store) == 5
    assert store.clear() == size
    assert not store.folder.exists()


def test_folder_comes_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "elsewhere"))
    assert ArrayCache(namespace="stems").folder == tmp_path / "elsewhere" / "stems"
    monkeypatch.delenv("GROOVE_CACHE")
    assert ArrayCache(namespace="stems").folder.parts[-3:] == ("build", "cache", "stems")


def test_the_command_clears_all_stores(store, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path))
    store.put(KEY, example())
    ArrayCache(tmp_path, "stems").put(KEY, example())
    size = format_bytes(2 * store.path(KEY).stat().st_size)
    for path in ("marmoret2026/osfstorage.zip", "marmoret2026/MERT/a.npz", "models/ab/abc.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    assert main(["clear"]) == 0
    text = capsys.readouterr().out
    assert f"freed {size}" in text
    assert "embeddings: 1 entries" in text
    paths = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert paths == ["marmoret2026/MERT/a.npz", "marmoret2026/osfstorage.zip"]
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "nowhere"))
    assert main(["clear"]) == 0
    assert "freed 0 B" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (3400, "3.4 kB"), (2.5e6, "2.5 MB"), (7e12, "7000.0 GB")],
)
def test_sizes_are_readable(size, text):
    assert format_bytes(size) == text


def hammer(folder, seed, n_rounds):
    store = ArrayCache(folder, "embeddings")
    rng = np.random.default_rng(seed)
    for _ in range(n_rounds):
        which = int(rng.integers(4))
        key = hash_bytes(str(which))
        found = store.get(key)
        if found is not None:
            np.testing.assert_array_equal(found["pool"], example(which)["pool"])
        store.put(key, example(which))


def test_two_processes_share_a_store(tmp_path, recwarn):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=hammer, args=(tmp_path, seed, 40)) for seed in (1, 2)]
    for worker in workers:
        worker.start()
    hammer(tmp_path, 3, 40)
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    store = ArrayCache(tmp_path, "embeddings")
    assert len(store) == 4
    assert not any("damaged" in str(warning.message) for warning in recwarn)


def test_killed_writer_leaves_only_whole_entries(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from groove_utils.cache import ArrayCache\n"
        "from groove_utils.files import hash_bytes\n"
        "store = ArrayCache(sys.argv[1], 'embeddings')\n"
        "print('ready', flush=True)\n"
        "i = 0\n"
        "while True:\n"
        "    store.put(hash_bytes(str(i)), {'x': np.full(200_000, i)})\n"
        "    i += 1\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=-1) as writer:
        writer.stdout.readline()
        time.sleep(0.3)
        os.kill(writer.pid, signal.SIGKILL)
    store = ArrayCache(tmp_path, "embeddings")
    assert len(store) > 0
    for i in range(len(store)):
        np.testing.assert_array_equal(store.get(hash_bytes(str(i)))["x"], np.full(200_000, i))
