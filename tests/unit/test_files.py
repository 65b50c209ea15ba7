"""Files are written completely or not at all, and unchanged files are not written."""

import hashlib
import os
import stat
import subprocess
import sys

import pytest

from groove_utils.files import atomic_path, hash_bytes, hash_file, write_if_changed


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "a folder" / "table.csv"
    with atomic_path(path) as part:
        part.write_text("whole")
        assert not path.exists()
        assert (part.parent, part.suffix) == (path.parent, ".csv")
    assert path.read_text() == "whole"
    assert os.listdir(path.parent) == ["table.csv"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_error_leaves_what_was_there(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("before")

    def spoil():
        with atomic_path(path) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        spoil()
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_block_that_removes_its_file_is_an_error(tmp_path):
    def forget():
        with atomic_path(tmp_path / "x.csv") as part:
            part.unlink()

    with pytest.raises(FileNotFoundError):
        forget()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("before", [None, "before"])
@pytest.mark.parametrize("end", ["os._exit(9)", "os.kill(os.getpid(), 9)"])
def test_a_killed_process_leaves_nothing_under_the_final_name(tmp_path, before, end):
    path = tmp_path / "table.csv"
    if before:
        path.write_text(before)
    code = (
        "import os, sys\n"
        "from groove_utils.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as part:\n"
        "    part.write_text('half'); " + end
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert run.returncode in {9, -9}
    assert (path.read_text() if path.exists() else None) == before
    # a second run is not affected by files of the first
    with atomic_path(path) as part:
        part.write_text("whole")
    assert path.read_text() == "whole"


def test_files_get_ordinary_permissions(tmp_path):
    (tmp_path / "ordinary").touch()
    write_if_changed(tmp_path / "written", "text")
    modes = [stat.S_IMODE((tmp_path / n).stat().st_mode) for n in ("ordinary", "written")]
    assert modes[0] == modes[1]


def test_an_unchanged_file_keeps_its_time(tmp_path):
    path = tmp_path / "values.json"
    assert write_if_changed(path, "ä") is True
    os.utime(path, (1000, 1000))
    assert write_if_changed(path, "ä".encode()) is False
    assert path.stat().st_mtime == 1000
    assert write_if_changed(path, "ö") is True
    assert path.stat().st_mtime > 1000
    assert path.read_bytes() == "ö".encode()
    assert write_if_changed(path, b"") is True
    assert path.read_bytes() == b""


def test_hashes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc" * 100_000)
    assert hash_file(tmp_path / "x") == hashlib.sha256(b"abc" * 100_000).hexdigest()
    # the published digest of SHA-256 of "abc"
    (tmp_path / "y").write_bytes(b"abc")
    assert hash_file(tmp_path / "y").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert hash_bytes("ab", "c") != hash_bytes("a", "bc")
    assert hash_bytes("ä") == hash_bytes("ä".encode())
    assert hash_bytes() != hash_bytes("")


def test_hash_of_a_file_follows_its_content(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    first = hash_file(path)
    replaced = tmp_path / "new"
    replaced.write_bytes(b"xyz")
    os.utime(replaced, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    replaced.replace(path)  # same size and modification time
    assert hash_file(path) == hashlib.sha256(b"xyz").hexdigest() != first
    path.write_bytes(b"abcd")
    assert hash_file(path) == hashlib.sha256(b"abcd").hexdigest()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        hash_file(path)
