"""The real site: all three editions on invented or small data, and only the demo if offline.

The books of the second have stub chapters.
"""

import shutil
import sys
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup
from real_make import run_make
from small_project import STUBS, add_stub
from small_project import checkout as small_checkout

from groove_utils.files import hash_file
from groove_utils.study.datasets.oconnell2022 import SHA256

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "study"))

from make_marmoret_fixture import make_published  # noqa: E402
from make_oconnell_fixture import make_ratings  # noqa: E402

EDITIONS = ["marmoret2026", "oconnell2022", "demo"]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Copy the sources of the book, and earlier test results that need not be computed again."""
    root = tmp_path / "checkout"
    ignore = shutil.ignore_patterns("build", ".*", "__pycache__", "tests", "*.egg-info")
    shutil.copytree(ROOT, root, ignore=ignore)
    monkeypatch.setenv("GROOVE_CACHE", str(ROOT / "build" / "cache"))
    return root


def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@pytest.mark.weekly
def test_three_editions(checkout, tmp_path):
    params = checkout / "analysis" / "params" / "smoke.yml"
    settings = yaml.safe_load(params.read_text())
    make_published(tmp_path / "published", n=148)
    for name, source in {
        "marmoret2026": tmp_path / "published",
        "oconnell2022": make_ratings(tmp_path / "ratings.csv", 40),
    }.items():
        settings["study"][name] = {"source": str(source)}
    params.write_text(yaml.safe_dump(settings))
    catalogued = checkout / "groove_utils" / "study" / "datasets" / "oconnell2022.yml"
    text = catalogued.read_text().replace(SHA256, hash_file(tmp_path / "ratings.csv"))
    catalogued.write_text(text)
    # with few resamples, a chapter uses one core; this takes ten minutes on two idle cores
    run_make(checkout, "site", "-j2", "PARAMS=smoke", timeout=3600)
    site = checkout / "build" / "site-smoke"
    front = read(site / "index.html")
    assert [section["id"] for section in front.select("section")] == EDITIONS
    assert not front.select(".missing")
    for page in site.rglob("*.html"):
        for link in read(page).select(".editions a"):
            assert (page.parent / link["href"]).is_file(), (page, link["href"])


def test_without_a_network_the_demo_alone_is_built_and_the_site_says_so(tmp_path, monkeypatch):
    root = add_stub(small_checkout(tmp_path / "checkout", STUBS))
    shutil.copytree(ROOT / "site", root / "site")
    size = {"n_bands": 4, "songs_per_band": 1, "n_listeners": 8, "songs_per_listener": 4}
    settings = {"all": {"seed": 1}, "study": {"demo": {"seed": 1, **size}}}
    (root / "analysis" / "params" / "default.yml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "empty cache"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # refuses connections
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    run = run_make(root, "site", python="./stub_python")
    for name in ("marmoret2026", "oconnell2022"):
        message = "the data could not be fetched or read; the site is built without this edition."
        assert f"{name}: {message}" in run.stdout
    site = root / "build" / "site"
    front = read(site / "index.html")
    assert [section["id"] for section in front.select("section")] == EDITIONS
    assert [bool(section.select(".missing")) for section in front.select("section")] == [
        True, True, False,
    ]  # fmt: skip
    assert [folder.name for folder in site.iterdir() if folder.is_dir()] == ["demo"]
    assert not {link["href"] for link in front.select("a")} - {"demo/index.html"}
