"""The container's commands exist, and install the same packages as `make setup`."""

import json
import re

import pytest

from groove_utils.paths import project_root

ROOT = project_root()
FILE = (ROOT / "Dockerfile").read_text()
DEV = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
VERBS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
EXCLUDED = (ROOT / ".dockerignore").read_text().split()
SETUP = "make setup BASE_PYTHON=python"


@pytest.mark.parametrize("text", [FILE, DEV["postCreateCommand"]])
def test_both_make_the_environment_by_the_makefile(text):
    assert SETUP in text
    assert "pip install" not in text


def test_the_verbs_that_they_call_exist():
    calls = re.findall(r"make ([a-z-]+)", FILE) + re.findall(r'"make", "([a-z-]+)"', FILE)
    assert {"setup", "book"} <= set(calls) <= VERBS


def test_the_development_container_is_a_stage_of_the_same_file():
    assert f" AS {DEV['build']['target']}\n" in FILE
    assert (ROOT / ".devcontainer" / DEV["build"]["dockerfile"]).is_file()


def test_its_python_is_supported_and_nothing_that_setup_needs_is_excluded(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / ".ci")
    import environment

    version = tuple(map(int, re.search(r"FROM python:(\d+)\.(\d+)", FILE).groups()))
    assert environment.OLDEST <= version <= environment.NEWEST
    assert not {*environment.INPUTS, "Makefile", ".ci", "analysis", "groove_utils"} & set(EXCLUDED)
