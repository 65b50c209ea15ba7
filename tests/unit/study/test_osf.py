"""Listing and downloading projects of OSF."""

from copy import deepcopy
from types import SimpleNamespace

import pytest
import requests
from expect import raises
from osfclient.models.session import OSFSession

from groove_utils.files import hash_file
from groove_utils.study import StudyError
from groove_utils.study.osf import RemoteFile, download_files, list_files

API = "https://api.osf.io/v2"


@pytest.fixture
def remote(serve, tmp_path):
    """Server with two files; returns the list of requested paths."""
    folder = tmp_path / "server"
    (folder / "abcde").mkdir(parents=True)
    files = []
    url, asked = serve(folder)
    for name in ("abcde/a.csv", "abcde/b.npz"):
        (folder / name).write_text(f"content of {name}")
        files.append(RemoteFile(name, f"{url}/{name}", hash_file(folder / name)))
    return SimpleNamespace(folder=folder, files=files, asked=asked)


def test_files_are_downloaded_once_and_checked(remote, tmp_path):
    folder = tmp_path / "in"
    download_files(remote.files, folder)
    assert (folder / "abcde/b.npz").read_text() == "content of abcde/b.npz"
    download_files(remote.files, folder)
    assert len(remote.asked) == 2
    (folder / "abcde/a.csv").write_text("damaged")
    download_files(remote.files, folder)
    assert (folder / "abcde/a.csv").read_text() == "content of abcde/a.csv"


def test_a_changed_file_on_osf_is_reported(remote, tmp_path):
    folder = tmp_path / "in"
    download_files(remote.files, folder)
    (remote.folder / "abcde/a.csv").write_text("a second version")
    sha256 = hash_file(remote.folder / "abcde/a.csv")
    remote.files[0] = RemoteFile("abcde/a.csv", remote.files[0].url, sha256)
    with raises(StudyError, "changed_remote", path="a.csv"):
        download_files(remote.files, folder)
    assert (folder / "abcde/a.csv").read_text() == "content of abcde/a.csv"


def test_a_file_other_than_osf_says_is_refused(remote, tmp_path):
    remote.files[0] = RemoteFile("abcde/a.csv", remote.files[0].url, "0" * 64)
    with raises(StudyError, "wrong_hash", path="a.csv"):
        download_files(remote.files, tmp_path / "in")
    assert not (tmp_path / "in/abcde/a.csv").exists()
    assert (tmp_path / "in/abcde/b.npz").exists()


def test_an_interrupted_download_continues(remote, tmp_path):
    missing = RemoteFile("abcde/c.npz", remote.files[0].url + ".none", None)
    with pytest.raises(ConnectionError):
        download_files([remote.files[0], missing, remote.files[1]], tmp_path / "in")
    download_files(remote.files, tmp_path / "in")
    assert remote.asked == ["/abcde/a.csv", "/abcde/a.csv.none", "/abcde/b.npz"]


def related(url):
    return {"links": {"related": {"href": url}}}


def entry(name, kind="file"):
    path = f"/{name}" if kind == "file" else f"/{name}/"
    links = dict.fromkeys(("self", "html", "delete", "new_folder", "move"), path)
    attributes = {
        "kind": kind, "name": name.split("/")[-1], "path": path, "materialized_path": path,
        "date_created": "", "date_modified": "", "size": 5,
        "extra": {"hashes": {"sha256": f"hash of {name}"}},
    }  # fmt: skip
    links["upload"] = f"https://files.osf.io/{name}"
    files = {"files": related(f"{API}/in/{name}")}
    return {"id": name, "links": links, "attributes": attributes, "relationships": files}


def node(project):
    attributes = dict.fromkeys(("title", "date_created", "date_modified", "description"), "")
    files = {"files": related(f"{API}/storages/{project}")}
    return {"data": {"id": project, "type": "nodes", "links": {"self": ""},
                     "attributes": attributes, "relationships": files}}  # fmt: skip


def storage(project):
    attributes = {"path": "/", "name": "osfstorage", "node": "", "provider": "osfstorage"}
    return {"data": [{"id": project, "attributes": attributes,
                      "links": {"new_folder": "", "upload": ""},
                      "relationships": {"files": related(f"{API}/root/{project}")}}]}  # fmt: skip


def test_a_project_is_listed_with_its_folders_pages_and_components(monkeypatch):
    pages = {f"{API}//guids/{p}/": {"data": {"type": "nodes"}} for p in ("p2wzr", "child")}
    pages |= {f"{API}//nodes/{p}/": node(p) for p in ("p2wzr", "child")}
    pages |= {f"{API}/storages/{p}": storage(p) for p in ("p2wzr", "child")}

    def page(*data, after=None):
        return {"data": list(data), "links": {"next": after}}

    pages |= {
        f"{API}/root/p2wzr": page(entry("MERT", "folder"), after=f"{API}/root/p2wzr?page=2"),
        f"{API}/root/p2wzr?page=2": page(entry("readme.md")),
        f"{API}/in/MERT": page(entry("MERT/audio_embedding_a.npz")),
        f"{API}/root/child": page(entry("audio_embedding_b.npz")),
        f"{API}/nodes/p2wzr/children/": {"data": [{"id": "child"}]},
        f"{API}/nodes/child/children/": {"data": []},
    }

    def get(*args, **_):
        answer = pages[args[-1]]
        return SimpleNamespace(
            status_code=200, json=lambda: deepcopy(answer), raise_for_status=lambda: None
        )

    monkeypatch.setattr(OSFSession, "get", get)
    monkeypatch.setattr(requests, "get", get)
    files = {file.path: file for file in list_files("p2wzr")}
    assert set(files) == {
        "p2wzr/MERT/audio_embedding_a.npz", "p2wzr/readme.md", "child/audio_embedding_b.npz"
    }  # fmt: skip
    file = files["p2wzr/MERT/audio_embedding_a.npz"]
    assert file.url == "https://files.osf.io/MERT/audio_embedding_a.npz"
    assert file.sha256 == "hash of MERT/audio_embedding_a.npz"
    del pages[f"{API}/in/MERT"]
    with pytest.raises(RuntimeError):
        list(list_files("p2wzr"))
