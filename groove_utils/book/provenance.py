"""Where everything on the pages comes from: versions, hashes, parameters, run times."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from pathlib import Path

import pandas as pd

from groove_utils.book.chapter import has_table
from groove_utils.embed import list_models
from groove_utils.files import hash_file
from groove_utils.study import Study

__all__ = ["model_card_pages", "provenance_tables"]


def provenance_tables(root: Path, build: Path, study: Study, chapters: list[str]) -> dict[str, str]:
    """The tables of the page "Provenance", as Markdown.

    Returns
    -------
    dict of str to str
        ``versions_table``, ``data_table``, ``runs_table``, ``weights_table`` and ``machine``.
    """
    return {
        "versions_table": _markdown(_versions(root)),
        "data_table": _markdown(_data(study)),
        "runs_table": _markdown(_runs(build, chapters)),
        "weights_table": _markdown(_weights(build)),
        "machine": f"Python {platform.python_version()} on {platform.system()} "
        f"{platform.machine()}",
    }


def model_card_pages() -> str:
    """A card for each model of the catalogue, as Markdown; untrained twins share their model's."""
    cards = []
    for name, row in list_models().iterrows():
        if name.endswith("-untrained"):
            continue
        marks = ["in the paper"] * bool(row["in_paper"]) + ["research only"] * bool(
            row["research_only"]
        )
        facts = {
            "architecture": row["architecture"],
            "trained on": row["training"],
            "paper": row["paper"],
            "licence of the weights": row["licence"],
            "sample rate, window, hop": f"{row['sample_rate']:,} Hz, {row['window']:.2f} s, "
            f"{row['hop']:.2f} s",
            "layers": f"{row['n_layers']} ({row['dims']} dimensions)",
            "parameters": "not counted"
            if pd.isna(row["parameters"])
            else f"{row['parameters']:,.0f}",
            "weights": f"{row['source']}, revision {row['revision']}",
            "state": row["state"],
            "how": f"`{row['how']}`" if row["how"] else "–",
        }
        lines = [
            f"## {name}",
            *([f"*{', '.join(marks)}*"] if marks else []),
            "",
            "| | |",
            "|---|---|",
        ]
        lines += [f"| {key} | {str(value).replace('|', ' ')} |" for key, value in facts.items()]
        cards.append("\n".join(lines))
    return "\n\n".join(cards)


def _versions(root: Path) -> pd.DataFrame:
    names = []
    for file in ("requirements.txt", "requirements-nodeps.txt"):
        for line in (root / file).read_text(encoding="utf-8").splitlines():
            if found := re.match(r"[A-Za-z0-9_.-]+", line.split("#")[0].strip()):
                names.append(found.group())
    rows = []
    for name in sorted(names, key=str.lower):
        facts = importlib.metadata.metadata(name)
        licence = facts.get("License-Expression") or facts.get("License") or ""
        if not licence or "\n" in licence or len(licence) > 40:
            classifiers = facts.get_all("Classifier") or []
            told = [c.split(" :: ")[-1] for c in classifiers if c.startswith("License")]
            licence = told[0] if told else licence.split("\n")[0][:40]
        rows.append({"package": name, "version": facts["Version"], "licence": licence or "–"})
    return pd.DataFrame(rows)


def _data(study: Study) -> pd.DataFrame:
    rows = []
    for file in ("study.yml", "tracks.csv", "listeners.csv", "ratings.csv", "descriptors.csv"):
        if (path := study.path / file).is_file():
            size = path.stat().st_size / 1024
            rows.append({"file": file, "KiB": f"{size:.1f}", "SHA-256": f"`{hash_file(path)}`"})
    return pd.DataFrame(rows)


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
    return models[shown].assign(fingerprint="`" + models["fingerprint"].astype(str) + "`")


def _markdown(frame: pd.DataFrame) -> str:
    if frame.empty:
        return "*None for this study.*"
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.shape[1]]
    for row in frame.itertuples(index=False):
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines)
