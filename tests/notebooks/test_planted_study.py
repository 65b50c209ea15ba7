"""The real chapters on a study whose texts try to run code, or to show a file of the machine."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from plants import check_pages, plant, write_secret

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "build" / "demo-smoke" / "study"


@pytest.mark.slow
def test_no_plant_grows_in_a_whole_book(built_book, make_book, tmp_path):
    folder = tmp_path / "planted"
    folder.mkdir()
    for file in ("tracks.csv", "listeners.csv", "ratings.csv", "study.yml"):
        shutil.copy(DEMO / file, folder)
    meta = yaml.safe_load((folder / "study.yml").read_text()) | {"simulated": False}
    (folder / "study.yml").write_text(yaml.safe_dump(meta))
    (folder / "audio").mkdir()
    for audio in pd.read_csv(folder / "tracks.csv")["audio"]:
        shutil.copy(DEMO / audio, folder / "audio")
    plant(folder, write_secret(tmp_path))
    html = make_book(folder) / "html"
    check_pages(html)
    assert "{literalinclude}" in (html / "01-listeners-and-tracks.html").read_text()
