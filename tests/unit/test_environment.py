"""The environment is created with uv or pip, and an interrupted installation is continued."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from groove_utils.packages import required_packages
from groove_utils.paths import project_root

ROOT = project_root()
spec = importlib.util.spec_from_file_location("environment", ROOT / ".ci" / "environment.py")
environment = importlib.util.module_from_spec(spec)
spec.loader.exec_module(environment)


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Recorded commands; `.fails` says how often commands with a word fail. uv is not installed."""

    class Calls(list):
        fails: dict[str, int] = {}  # noqa: RUF012
        tools = ()

    made = Calls()

    def call(command, env, close_fds):
        made.append([str(word) for word in command])
        (tmp_path / "env").mkdir(exist_ok=True)
        for word, left in made.fails.items():
            if word in command and left:
                made.fails[word] -= 1
                return 7
        return 0

    for name in environment.INPUTS:
        (tmp_path / name).write_text("# a comment\nnumpy==2\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment.subprocess, "call", call)
    monkeypatch.setattr(environment.shutil, "which", lambda name: name in made.tools)
    return made


def count(calls, *words):
    return sum(all(word in call for word in words) for call in calls)


def test_pip_is_used_where_there_is_no_uv(calls, capsys):
    assert environment.main("env") == 0
    assert calls[0] == [sys.executable, "-m", "venv", "env"]
    assert not any(call[0] == "uv" for call in calls)
    assert count(calls, "env/bin/python", "-r", "requirements.lock") == 1
    assert count(calls, "--no-deps", "requirements-nodeps.txt") == 1
    assert count(calls, "--no-deps", "--no-build-isolation", "-e", ".") == 1
    assert Path("env/.ready").is_file()
    assert "1 packages" in capsys.readouterr().out
    calls.clear()
    assert environment.main("env") == 0
    assert calls == []


def test_uv_is_used_where_it_is_installed(calls):
    calls.tools = ("uv",)
    assert environment.main("env") == 0
    assert calls[0][:2] == ["uv", "venv"]
    assert not count(calls, "-m", "pip")
    assert count(calls, "uv", "pip", "install") == 3


def test_pip_takes_over_from_uv(calls):
    calls.tools, calls.fails = ("uv",), {"uv": 2}
    assert environment.main("env") == 0
    assert count(calls, "-m", "venv") == 1


def test_a_broken_download_is_tried_again(calls):
    calls.fails = {"requirements.lock": 2}
    assert environment.main("env") == 0
    assert count(calls, "requirements.lock") == 3


def test_a_download_that_breaks_every_time_is_an_error(calls, capsys):
    calls.fails = {"requirements.lock": 9}
    assert environment.main("env") == 7
    assert count(calls, "requirements.lock") == environment.TRIES
    assert not Path("env/.ready").exists()
    assert "make setup" in capsys.readouterr().err


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_another_python_is_refused(calls, monkeypatch, capsys, version):
    monkeypatch.setattr(environment.sys, "version_info", version)
    assert environment.main("env") == 1
    assert calls == []
    assert "BASE_PYTHON" in capsys.readouterr().err


def test_its_pythons_are_those_of_the_package():
    line = next(
        line
        for line in (ROOT / "pyproject.toml").read_text().splitlines()
        if line.startswith("requires-python")
    )
    supported = SpecifierSet(re.search('"(.+)"', line)[1])
    minors = [minor for minor in range(8, 20) if f"3.{minor}.9" in supported]
    assert (3, minors[0]) == environment.OLDEST
    assert (3, minors[-1]) == environment.NEWEST


@pytest.mark.parametrize("python", ["3.11.2", "3.11.9", "3.12.4", "3.13.1", "3.14.0"])
@pytest.mark.parametrize("system", [("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64")])
def test_the_lock_has_one_version_of_each_package_for_every_python(python, system):
    place = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "sys_platform": system[0],
        "platform_machine": system[1],
    }
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    fitting = [pin.name for pin in pins if pin.marker is None or pin.marker.evaluate(place)]
    assert len(fitting) == len(set(fitting))
    carriers = {"musicnn", "basic-pitch", "beatnet", "vibenet", "pyaudioanalysis"}
    assert {canonicalize_name(name) for name in required_packages()} - carriers <= set(fitting)
