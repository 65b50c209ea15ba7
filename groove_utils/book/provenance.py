"""Provenance of the pages: versions, hashes, parameters, run times, model cards."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
from pathlib import Path

import pandas as pd

from groove_utils.book.chapter import has_table
from groove_utils.embed import ModelCard, list_models, model_card
from groove_utils.embed.weights import availability
from groove_utils.files import hash_file
from groove_utils.study import Study

__all__ = ["model_card_pages", "provenance_tables"]


def provenance_tables(root: Path, build: Path, study: Study, chapters: list[str]) -> dict[str, str]:
    """Write the tables of the page "Provenance", as Markdown.

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
    """Write an overview of the catalogue and a card for each model, as Markdown.

    Untrained twins share their model's card.
    """
    cards = [model_card(name) for name in list_models().index if not name.endswith("-untrained")]
    overview = pd.DataFrame([_overview_row(card) for card in cards])
    return "\n\n".join([_markdown(overview), *map(_card, cards)])


def _overview_row(card: ModelCard) -> dict[str, str]:
    available, state, _ = availability(card)
    return {
        "model": f"{{ref}}`{card.name} <model-{card.name}>`",
        "trained on": card.training.partition(";")[0],
        "rate (Hz)": f"{card.sample_rate:,}",
        "dimensions × layers": _sizes(card),
        "parameters": f"{card.parameters:,}" if card.parameters else "not counted",
        "licence of the weights": _licence(card),
        "in the paper": "yes" if card.in_paper else "",
        "here now": "yes" if available else state,
    }


def _card(card: ModelCard) -> str:
    _, state, how = availability(card)
    marks = ["in the paper"] * card.in_paper + ["research only"] * (card.research_only is True)
    facts = {
        "architecture": card.architecture,
        "trained on": card.training,
        "paper": card.paper,
        "licence of the weights": _licence(card),
        "sample rate": f"{card.sample_rate:,} Hz",
        "window, hop": f"{card.window:.2f} s, {card.hop:.2f} s",
        "layers (dimensions)": _layers(card.layers),
        "parameters": _parameters(card),
        "weights": _origin(card),
        "note": card.note,
        "state": state,
        "how": f"`{how}`" if how and card.factory else how or "–",  # a command, or a step
    }
    lines = [f"(model-{card.name})=", f"## {card.name}", ""]
    lines += [f"*{', '.join(marks)}*", ""] if marks else []
    lines += ["| | |", "|---|---|"]
    lines += [f"| {key} | {value.replace('|', ' ')} |" for key, value in facts.items() if value]
    return "\n".join(lines)


def _licence(card: ModelCard) -> str:
    return f"{card.licence} ({card.terms})" if card.terms else card.licence


def _parameters(card: ModelCard) -> str:
    if not card.parameters:
        return "not counted"
    return f"{card.parameters:,}{' (from the configuration)' if card.repository else ''}"


def _origin(card: ModelCard) -> str:
    if not card.repository:
        return f"{card.source}, revision {card.revision}"
    parts = [f"; configuration from `{part}`, revision not pinned" for part in card.parts]
    return f"{card.source}, `{card.repository}` at revision `{card.revision}`{''.join(parts)}"


def _sizes(card: ModelCard) -> str:
    """Summarise dimensions × layers, such as ``768 × 13``, or ``96–768 × 7``."""
    sizes = [size for size in card.layers.values() if size is not None]
    if not sizes:
        return "as published"
    span = f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)}–{max(sizes)}"
    return f"{span} × {len(sizes)}"


def _layers(layers: dict[str, int | None]) -> str:
    """List names and dimensions, with numbered layers of the same size as one range."""
    runs: list[list[tuple[str, int | None]]] = []
    for name, size in layers.items():
        stem = name.rstrip("0123456789")
        joins = runs and runs[-1][0][1] == size and runs[-1][0][0].rstrip("0123456789") == stem
        if joins and stem != name:
            runs[-1].append((name, size))
        else:
            runs.append([(name, size)])
    texts = []
    for run in runs:
        names = f"`{run[0][0]}`" if len(run) == 1 else f"`{run[0][0]}` … `{run[-1][0]}`"
        texts.append(f"{names} ({run[0][1] or 'as published'})")
    return ", ".join(texts)


def _versions(root: Path) -> pd.DataFrame:
    names = []
    for file in ("requirements.txt", "requirements-nodeps.txt"):
        for line in (root / file).read_text(encoding="utf-8").splitlines():
            if name := re.match(r"[A-Za-z0-9_.-]+", line.split("#")[0].strip()):
                names.append(name.group())
    rows = []
    for name in sorted(names, key=str.lower):
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
