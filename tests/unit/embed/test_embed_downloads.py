"""The command ``fetch --paper``, with the hub's own client and a tiny local hub."""

import dataclasses
import hashlib
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import huggingface_hub
import pytest
import torch
from expect import raises
from huggingface_hub import constants
from safetensors.torch import load_file, save_file

from groove_utils.embed import (
    ModelRefusedError,
    ModelUnavailableError,
    downloads,
    fingerprints,
    forget_models,
    load_model,
    model_card,
)
from groove_utils.embed.__main__ import main
from groove_utils.embed.cards import catalogued_models
from groove_utils.embed.downloads import fetch_models, fetch_weights, plan_download
from groove_utils.embed.weights import find_weights

sys.path.insert(0, str(Path(__file__).parent / "models"))
import tiny_checkpoints as tiny

HUB = ["mert-v1-95m", "clap-htsat-unfused"]
VECTORS = ["m2d-clap", "matpac-plus", "musicfm"]


class Hub(http.server.BaseHTTPRequestHandler):
    """Server with the responses that the hub's client needs; `sent` counts the bytes of files."""

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        path = self.path.partition("?")[0]
        server = self.server
        server.asked.append(path)
        if match := re.fullmatch(r"/api/models/(.+?)/(revision|tree)/(\w+)", path):
            folder = server.folder / match[1]
            if not folder.is_dir():
                return self.reply(404, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
            listing = [entry(file) for file in sorted(folder.iterdir())]
            info = {"id": match[1], "sha": match[3], "siblings": listing}
            content = listing if match[2] == "tree" else info
            return self.reply(200, json.dumps(content).encode(), {}, body)
        match = re.fullmatch(r"/(.+?)/resolve/(\w+)/(.+)", path)
        content = (server.folder / match[1] / match[3]).read_bytes()
        headers = {"ETag": f'"{entry(server.folder / match[1] / match[3])["oid"]}"'}
        headers |= {"X-Repo-Commit": match[2], "X-Linked-Size": str(len(content))}
        if body:
            server.sent += len(content)
            if match[3] in server.broken:
                return self.reply(500, b"", {}, body)
        return self.reply(200, content, headers, body)

    def reply(self, code, content, headers, body):
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def entry(file):
    """Describe a file as in both of the hub's listings; weights have the hash of Git LFS."""
    content = file.read_bytes()
    sha = hashlib.sha256(content).hexdigest()
    facts = {"rfilename": file.name, "path": file.name, "size": len(content), "type": "file"}
    facts |= {"oid": sha[:40], "blobId": sha[:40]}
    if file.suffix == ".safetensors":
        facts["lfs"] = {"sha256": sha, "oid": sha, "size": len(content), "pointerSize": 134}
        facts["oid"] = sha
    return facts


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    root = tmp_path_factory.mktemp("remote")
    for i, name in enumerate(HUB):
        torch.manual_seed(i)
        tiny.MAKERS[name](root / model_card(name).repository)
    return root


@pytest.fixture
def hub(checkpoints, tmp_path, monkeypatch):
    """Server with two of the paper's models, which the hub's client uses as the hub."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.folder, server.asked, server.sent, server.broken = checkpoints, [], 0, set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", address)
    template = address + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    for module in ("_snapshot_download", "file_download", "hf_api"):
        module = getattr(huggingface_hub, module)
        for name in ("ENDPOINT", "HUGGINGFACE_CO_URL_TEMPLATE"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, getattr(constants, name))
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(fingerprints, "REGISTRY", tmp_path / "fingerprints.json")
    monkeypatch.setenv("GROOVE_MODELS", str(tmp_path / "own"))
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GROOVE_REMOTE_CODE", raising=False)
    for card in list(catalogued_models().values()):  # the tiny hub has two of the four
        if card.in_paper and card.repository and card.name not in [*HUB, "audiomae"]:
            other = dataclasses.replace(card, in_paper=False)
            monkeypatch.setitem(catalogued_models(), card.name, other)
    forget_models()
    yield
    forget_models()


def test_the_papers_models_are_fetched_recorded_and_used(hub, capsys):
    assert main(["fetch", "--paper"]) == 0
    lines = capsys.readouterr().out.splitlines()
    plan, rest = lines[:6], lines[6:]
    assert {line.partition(":")[0] for line in plan} == {*HUB, *VECTORS, "audiomae"}
    for line in plan:
        card = model_card(line.partition(":")[0])
        assert card.licence in line
        assert ("to fetch from" in line) == (card.name in HUB)
        assert ("research only" in line) == (card.research_only is True)
    assert rest[0].startswith("2 models: ")
    records = json.loads(fingerprints.REGISTRY.read_text())
    assert sorted(records) == sorted(f"{name}@{model_card(name).revision}" for name in HUB)
    for name in HUB:
        assert find_weights(model_card(name)) is not None
        assert (
            load_model(name).fingerprint
            == records[f"{name}@{model_card(name).revision}"]["fingerprint"]
        )


def test_a_second_run_fetches_nothing_and_compares(hub, capsys):
    assert main(["fetch", "--paper"]) == 0
    before, sent = fingerprints.REGISTRY.read_text(), hub.sent
    capsys.readouterr()
    hub.shutdown()  # needs no network either
    assert main(["fetch", "--paper"]) == 0
    assert capsys.readouterr().out.count("matches its record") == len(HUB)
    assert hub.sent == sent
    assert fingerprints.REGISTRY.read_text() == before


def test_a_stopped_download_goes_on_with_what_is_missing(hub, capsys):
    hub.broken = {"model.safetensors"}
    assert main(["fetch", "--paper"]) == 1
    assert "could not be fetched" in capsys.readouterr().err
    assert not fingerprints.REGISTRY.exists()
    assert [find_weights(model_card(name)) for name in HUB] == [None, None]
    hub.broken, hub.asked[:] = set(), []
    cards = [model_card(name) for name in HUB]
    plans = [plan_download(card) for card in cards]
    for plan in plans:
        weights = {f.name: f.size for f in plan.files if f.name == "model.safetensors"}
        assert plan.missing_bytes == sum(weights.values())
    assert main(["fetch", "--paper"]) == 0
    assert {Path(path).name for path in hub.asked if "/resolve/" in path} == {"model.safetensors"}


def test_files_are_held_to_the_hash_that_the_hub_states(hub, monkeypatch):
    card = model_card(HUB[0])
    plan = plan_download(card)
    other = [file._replace(sha256=file.sha256 and "0" * 64) for file in plan.files]
    with raises(ModelRefusedError, "damaged_file"):
        fetch_weights(card, downloads.Download(card, plan.revision, plan.patterns, tuple(other)))


def test_a_model_that_differs_from_its_record_is_refused(hub):
    assert main(["fetch", "--paper"]) == 0
    folder = find_weights(model_card(HUB[0]))
    weights = load_file(folder / "model.safetensors")
    changed = {key: value + 1 for key, value in weights.items()}
    (folder / "model.safetensors").unlink()  # a link
    save_file(changed, folder / "model.safetensors", metadata={"format": "pt"})
    assert fetch_models([model_card(HUB[0])]) == 1
    with raises(ModelRefusedError, "other_weights", value="the registry"):
        load_model(HUB[0])


def test_a_missing_repository_does_not_stop_the_others(hub, tmp_path, capsys):
    repository = model_card(HUB[1]).repository
    shutil.copytree(hub.folder / repository, tmp_path / "remote" / repository)
    hub.folder = tmp_path / "remote"
    assert main(["fetch", "--paper"]) == 1
    assert f"{HUB[0]}: " in capsys.readouterr().err
    assert [find_weights(model_card(name)) is None for name in HUB] == [True, False]
    assert list(json.loads(fingerprints.REGISTRY.read_text())) == [
        f"{HUB[1]}@{model_card(HUB[1]).revision}"
    ]


def test_a_model_without_its_package_is_fetched_but_not_ready(hub, capsys, monkeypatch):
    card = model_card(HUB[0])
    other = dataclasses.replace(card, packages=("absent",), install="pip install absent")
    monkeypatch.setitem(catalogued_models(), card.name, other)
    assert fetch_models([other]) == 1
    said = capsys.readouterr()
    assert "to run it, pip install absent" in said.out  # before it is fetched
    assert "to run it, pip install absent" in said.err
    assert find_weights(other) is not None
    assert not fingerprints.REGISTRY.exists()


def test_too_little_space_is_said_before(hub, monkeypatch):
    usage = type(downloads.shutil.disk_usage("/"))(100, 100, 0)
    monkeypatch.setattr(downloads.shutil, "disk_usage", lambda _: usage)
    with raises(ModelUnavailableError, "disk_full"):
        fetch_models([model_card(name) for name in HUB])
    assert not hub.sent


def test_without_a_network_one_message_and_nothing_written(tmp_path):
    """Run the command in a separate process, with a hub that refuses connections."""
    environment = os.environ | {
        "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "home"),
        "GROOVE_MODELS": str(tmp_path / "own"), "GROOVE_CACHE": str(tmp_path / "cache"),
    }  # fmt: skip
    registry = Path(fingerprints.__file__).with_name("fingerprints.json")
    before = registry.stat().st_mtime_ns
    command = [sys.executable, "-m", "groove_utils.embed", "fetch", "--paper"]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    message = run.stderr.strip().splitlines()[-1]
    for name in ("mert-v1-95m", "clap-htsat-unfused", "muq-mulan", "http://127.0.0.1:9"):
        assert name in message
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert registry.stat().st_mtime_ns == before
