"""A small project with the real Makefile and package, for tests of Make's dependency graph."""

from __future__ import annotations

import shutil
import stat
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
import yaml

ROOT = Path(__file__).resolve().parents[2]
STUDY = "own study"
CHAPTERS_MK = """CHAPTERS := 01-first 02-second
01-first.writes := means
02-second.reads := means
"""

STUBS = {
    "01-first": "# writes own study/ratings.csv\n# uses groove_utils/figures/forest.py\n",
    "02-second": "# uses own study/tracks.csv\n# uses groove_utils/figures/maps.py\n",
}


def checkout(root: Path, chapters: dict[str, str]) -> Path:
    """Write a checkout with the real Makefile and package, two chapters and a tiny study."""
    (root / "analysis" / "params").mkdir(parents=True)
    (root / "book" / "_static").mkdir(parents=True)
    for name in ("Makefile", "_config.yml", "requirements.txt", "requirements-nodeps.txt"):
        shutil.copy(ROOT / name, root)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "groove_utils", root / "groove_utils", ignore=ignore)
    for file in ("logo.svg", "groove.css"):
        shutil.copy(ROOT / "book" / "_static" / file, root / "book" / "_static")
    toc = "format: jb-book\nroot: index\nchapters:\n"
    toc += "{% for c in chapters %}\n- file: {{ c }}\n{% endfor %}\n"
    (root / "book" / "_toc.yml").write_text(toc)
    (root / "book" / "references.bib").write_text("")
    (root / "book" / "index.md").write_text('# Index\n\n{{ value("02-second.songs") }} songs\n')
    (root / "analysis" / "chapters.mk").write_text(CHAPTERS_MK)
    for name, text in chapters.items():
        (root / "analysis" / f"{name}.py").write_text(text)
    params = {"all": {"seed": 1}, "chapters": {"02-second": {"factor": 1}}}
    (root / "analysis" / "params" / "default.yml").write_text(yaml.safe_dump(params))
    write_study(root / STUDY)
    return root


def write_study(folder: Path) -> None:
    (folder / "audio").mkdir(parents=True)
    tracks = [f"t {k}" for k in range(8)]
    rng = np.random.default_rng(0)
    for track in tracks:
        soundfile.write(folder / "audio" / f"{track} [live].wav", rng.normal(0, 0.1, 8000), 8000)
    pd.DataFrame(
        {
            "track_id": tracks,
            "title": tracks,
            "artist": [f"a{k // 2}" for k in range(8)],
            "style": ["funk", "rock"] * 4,
            "audio": [f"audio/{track} [live].wav" for track in tracks],
        }
    ).to_csv(folder / "tracks.csv", index=False)
    pd.DataFrame({"track_id": tracks, "query": "groove", "rating": range(8)}).to_csv(
        folder / "ratings.csv", index=False
    )
    meta = {"title": "Own", "queries": {"groove": "Groove?"}, "scale": [0, 100]}
    (folder / "study.yml").write_text(yaml.safe_dump(meta))


def add_stub(root: Path) -> Path:
    """Replace Python by `stub_python.py`, which runs stub chapters and pages."""
    stub = root / "stub_python"
    text = (Path(__file__).parent / "stub_python.py").read_text()
    stub.write_text(f"#!/usr/bin/env -S {sys.executable} -S\n{text}")
    stub.chmod(stub.stat().st_mode | stat.S_IXUSR)
    return root
