"""Provenance of the pages: package versions, file hashes, parameters and run times."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from collections import Counter
from contextlib import closing
from pathlib import Path

import pandas as pd

from groove_utils.audio.decode import open_audio
from groove_utils.book.chapter import has_table
from groove_utils.book.markdown import MystText, escape_text, markdown_table
from groove_utils.descriptors import DESCRIPTORS
from groove_utils.files import hash_file
from groove_utils.packages import required_packages
from groove_utils.study import Study, validate_study

__all__ = ["provenance_tables"]


def provenance_tables(root: Path, build: Path, study: Study, chapters: list[str]) -> dict[str, str]:
    """Return the tables and texts for the page “Provenance”, as Markdown.

    Parameters
    ----------
    root : pathlib.Path
        Root folder of the repository.
    build : pathlib.Path
        The study's build folder.
    study : Study
        The study for which the book is built.
    chapters : list of str
        Names of the chapters.

    Returns
    -------
    dict of str to str
        Variables of the page's template: ``versions_table``, ``data_table``, ``found_table``,
        ``sample_rates``, ``unused``, ``runs_table``, ``weights_table`` and ``machine``.
        ``found_table``, ``sample_rates`` and ``unused`` are empty if they do not apply to the
        study; the other tables are replaced with a note if they have no rows.
    """
    return {
        "versions_table": _table(_versions(root)),
        "data_table": _table(_data(study)),
        "found_table": _found(study),
        "sample_rates": _sample_rates(study),
        "unused": _unused(study),
        "runs_table": _table(_runs(build, chapters)),
        "weights_table": _table(_weights(build)),
        "machine": f"Python {platform.python_version()} on {platform.system()} "
        f"{platform.machine()}",
    }


def _versions(root: Path) -> pd.DataFrame:
    rows = []
    for name in sorted(required_packages(root), key=str.lower):
        facts = importlib.metadata.metadata(name)
        licence = facts.get("License-Expression") or facts.get("License") or ""
        if not licence or "\n" in licence or len(licence) > 40:
            classifiers = facts.get_all("Classifier") or []
            licences = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License")]
            licence = licences[0] if licences else licence.split("\n")[0][:40]
        rows.append({"package": name, "version": facts["Version"], "licence": licence or "–"})
    return pd.DataFrame(rows)


def _data(study: Study) -> pd.DataFrame:
    rows = []
    for file in ("study.yml", "tracks.csv", "listeners.csv", "ratings.csv", "descriptors.csv"):
        if (path := study.path / file).is_file():
            size = path.stat().st_size / 1024
            rows.append({"file": file, "KiB": f"{size:.1f}", "SHA-256": hash_file(path)})
    return pd.DataFrame(rows)


def _sample_rates(study: Study) -> str:
    """List the sample rates of the sound files, with file counts; return "" if there are none."""
    if not study.has("audio"):
        return ""
    counts = Counter()
    for track in study.tracks["track_id"]:
        with closing(open_audio(study.audio_path(track))) as file:
            counts[file.sr] += 1
    return ", ".join(f"{rate:,} Hz ({count} files)" for rate, count in sorted(counts.items()))


def _unused(study: Study) -> MystText:
    """List the columns and files of the study folder that no analysis reads."""
    notes: list[str] = []
    validate_study(study.path, check_audio=False, report=notes.append)
    given = [] if study.descriptors is None else study.descriptors.columns
    if others := [name for name in given if name not in (*DESCRIPTORS, "reason")]:
        notes.append(f"descriptors.csv: not read: {', '.join(others)} (unknown descriptors).")
    return MystText("\n".join(f"- {escape_text(note)}" for note in notes))


def _found(study: Study) -> MystText:
    """Tabulate the published files from which a study was created; return "" if there are none."""
    if not (study.path / "found.csv").is_file():
        return MystText()
    return _table(pd.read_csv(study.path / "found.csv"))


def _runs(build: Path, chapters: list[str]) -> pd.DataFrame:
    rows = []
    for chapter in chapters:
        file = build / "runs" / f"{chapter}.json"
        if not file.is_file():
            continue
        run = json.loads(file.read_text(encoding="utf-8"))
        parameters = ", ".join(f"{key} = {value}" for key, value in run["parameters"].items())
        rows.append(
            {
                "chapter": chapter,
                "seconds": run["seconds"],
                "peak memory (MiB)": run["peak_memory_mib"],
                "began (UTC)": run["began"].removesuffix("+00:00"),
                "parameters": parameters,
            }
        )
    return pd.DataFrame(rows)


def _weights(build: Path) -> pd.DataFrame:
    if not has_table(build / "tables", "models"):
        return pd.DataFrame()
    models = pd.read_parquet(build / "tables" / "models.parquet")
    shown = [c for c in ("model", "source", "licence", "fingerprint") if c in models]
    return models[shown]


def _table(frame: pd.DataFrame) -> MystText:
    if frame.empty:
        return MystText("*None for this study.*")
    code = frame.columns.intersection(["SHA-256", "fingerprint"])
    return markdown_table(frame, "{:.1f}", code=code)
