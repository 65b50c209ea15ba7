"""STUDY, PARAMS and PORT are read from the environment; wrong values give clear errors."""

import socket
import threading
import urllib.request
from pathlib import Path

import pytest
from expect import raises

from groove_utils.book import server
from groove_utils.book.__main__ import main
from groove_utils.book.errors import BookError
from groove_utils.book.settings import read_port, read_settings
from groove_utils.paths import project_root

ROOT = project_root()


def settings(study="demo", params="default"):
    return read_settings(ROOT, {"STUDY": study, "PARAMS": params})


def test_a_catalogued_study():
    demo = settings()
    assert (demo.study, demo.own) == ("demo", False)
    assert demo.build == ROOT / "build" / "demo"
    assert demo.study_folder == ROOT / "build" / "demo" / "study"
    assert demo.params_file == ROOT / "analysis" / "params" / "default.yml"
    assert settings(params="smoke").build == ROOT / "build" / "demo-smoke"
    assert read_settings(ROOT, {}) == demo


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("own study", "own-study"), ('quo"te', "quo-te"), ("a$b", "a-b"), ("$(x)", "--x-"),
        ("it's", "it-s"), ("-x", "-x"), ("ünï", "-n-"), ("new\nline", "new-line"),
        ("cache", "cache-study"), ("models", "models-study"), ("...", "...-study"),
    ],
)  # fmt: skip
def test_a_folder_of_any_name(tmp_path, monkeypatch, name, build):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "study.yml").touch()
    for study in (str(folder), f"{folder}/"):
        own = settings(study)
        assert own.own
        assert own.build == ROOT / "build" / build
        assert own.study_folder == folder
    monkeypatch.chdir(folder)
    assert settings(".").build == ROOT / "build" / build


@pytest.mark.parametrize("study", ["", " ", "nonsense", 'x"; touch P; "', "a\0b", "x" * 5000])
def test_a_study_that_is_none(study):
    with pytest.raises(BookError) as caught:
        settings(study)
    assert caught.value.kind in {"empty", "unknown_study", "unreadable"}
    assert caught.value.column == "STUDY"
    assert caught.value.value == study
    assert "demo, marmoret2026, oconnell2022" in str(caught.value)


def test_paths_that_are_no_study(tmp_path, monkeypatch):
    (tmp_path / "tracks.csv").touch()
    with raises(BookError, "no_study_yml", value=str(tmp_path)) as caught:
        settings(str(tmp_path))
    assert "tracks.csv" in str(caught.value)
    with raises(BookError, "not_a_folder"):
        settings(str(tmp_path / "tracks.csv"))
    (tmp_path / "study.yml").touch()

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with raises(BookError, "unreadable"):
        settings(str(tmp_path))


@pytest.mark.parametrize("params", ["", "nonsense", "../params/default", "default.yml", "$x"])
def test_an_unknown_parameter_file_lists_those_that_there_are(params):
    with raises(BookError, "unknown_params", column="PARAMS", value=params) as caught:
        settings(params=params)
    assert "default, full, smoke" in str(caught.value)


@pytest.mark.parametrize("port", ["", "0", "65536", "-1", "80a", "８０００", "1e3", "9" * 30])
def test_ports(port):
    assert read_port({"PORT": "8001"}) == 8001
    with raises(BookError, "invalid_port", value=port):
        read_port({"PORT": port})


def test_a_busy_port_names_another(tmp_path, monkeypatch, capsys):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        with raises(BookError, "busy_port", value=port):
            server.serve_pages(tmp_path, port)
        monkeypatch.setenv("PORT", str(port))
        monkeypatch.setenv("STUDY", "demo")
        monkeypatch.setenv("PARAMS", "default")
        assert main(["serve"]) == 1
    message = capsys.readouterr().err
    assert "make serve PORT=" in message
    assert message.count("\n") == 1


def test_pages_are_served(tmp_path, monkeypatch, capsys):
    (tmp_path / "index.html").write_text("pages")
    servers = []
    start = server.http.server.ThreadingHTTPServer

    def remember(address, handler):
        servers.append(start(("127.0.0.1", 0), handler))
        return servers[0]

    monkeypatch.setattr(server.http.server, "ThreadingHTTPServer", remember)
    thread = threading.Thread(target=server.serve_pages, args=(tmp_path, 8000))
    thread.start()
    while not servers:
        pass
    address = f"http://127.0.0.1:{servers[0].server_address[1]}/index.html"
    with urllib.request.urlopen(address) as page:
        assert page.read() == b"pages"
    servers[0].shutdown()
    thread.join()
