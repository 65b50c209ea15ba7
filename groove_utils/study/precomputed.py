"""Precomputed vectors and descriptors of a study: ``embeddings/`` and ``descriptors.csv``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandera.pandas as pa

from groove_utils.errors import DetailedError
from groove_utils.study.archives import LARGEST, read_arrays
from groove_utils.study.containment import check_file, check_folder
from groove_utils.study.problems import Problem, StudyError, problem, reading
from groove_utils.study.schemas import FILE_NAME, FINITE, check_frame, identifier
from groove_utils.study.stem_names import NO_STEMS, parse_subset
from groove_utils.study.tables import MISSING, read_csv
from groove_utils.study.text import is_label, plain_text

__all__ = ["check_descriptors", "check_embeddings"]

DESCRIPTORS = "descriptors.csv"


def check_descriptors(folder: Path, tracks: set[str]) -> list[Problem]:
    """Check ``descriptors.csv``: at most one row per track, and finite numbers or empty cells."""
    if problems := check_file(folder, DESCRIPTORS):
        return problems
    try:
        with reading(folder, DESCRIPTORS, "UTF-8 text, comma-separated, with a column track_id"):
            frame = read_csv(folder / DESCRIPTORS, dtype=str, skip_blank_lines=False)
    except StudyError as error:
        return error.problems
    names = [name for name in frame if name != "track_id"]
    frame[names] = frame[names].mask(frame[names].isin(MISSING))
    columns = {name: pa.Column(str, FINITE, nullable=True) for name in names if name != "reason"}
    schema = pa.DataFrameSchema({"track_id": identifier(FILE_NAME, unique=True)} | columns)
    problems = check_frame(frame, schema, DESCRIPTORS)
    problems += [
        problem("not_a_label", DESCRIPTORS, 1, name, value=name)
        for name in names
        if not is_label(name)
    ]
    if not names:
        problems.append(problem("empty_table", DESCRIPTORS, expected="columns of descriptors"))
    if "track_id" in frame:
        unknown = frame.loc[~frame["track_id"].isin(tracks), "track_id"].dropna()
        for row, value in unknown.items():
            details = {"value": value, "count": 1, "source": "tracks.csv"}
            problems.append(problem("unknown_name", DESCRIPTORS, row + 2, "track_id", **details))
    return problems


def check_embeddings(folder: Path, tracks: list[str]) -> Iterator[Problem]:
    """Check ``embeddings/<model>/<track_id>.npz`` and ``embeddings/<model>/<stems>/…``."""
    paths = sorted((folder / "embeddings").glob("[!.]*"))
    for path in paths:
        if path.suffix == ".npz":
            yield problem("no_model", f"embeddings/{path.name}")
    for model in filter(Path.is_dir, paths):
        place = f"embeddings/{model.name}"
        if not is_label(model.name):
            yield problem("not_a_label", place, column="embeddings", value=model.name)
            continue
        if problems := check_folder(folder, place):
            yield from problems
            continue
        parts = [path for path in sorted(model.glob("[!.]*")) if path.is_dir()]
        if not parts or next(model.glob("*.npz"), None):
            yield from _check_vectors(folder, place, tracks)
        for part in parts:
            try:
                known = part.name != NO_STEMS and parse_subset(part.name)
            except DetailedError:
                known = False
            if not known:
                details = {"value": part.name, "expected": "drums, bass, other, vocals, drums+bass"}
                yield problem("unknown_stem", f"{place}/{part.name}", **details)
            else:
                yield from _check_vectors(folder, f"{place}/{part.name}", tracks)


def _check_vectors(folder: Path, place: str, tracks: list[str]) -> Iterator[Problem]:
    """Check the vectors of a model: one file per track, with the same layers and dimensions."""
    files = {plain_text(path.stem): path for path in sorted((folder / place).glob("*.npz"))}
    for track in sorted(set(files) - set(tracks)):
        yield problem("unknown_vectors", f"{place}/{files[track].name}", value=track)
    if missing := [track for track in tracks if track not in files]:
        yield problem("missing_vectors", place, value=missing[0], count=len(missing))
    first, expected = None, None
    for track in tracks:
        if track not in files:
            continue
        file = f"{place}/{files[track].name}"
        if problems := check_file(folder, file, largest=LARGEST):
            yield from problems
            continue
        try:
            sizes = _vector_sizes(files[track])
        except ValueError as error:
            yield problem("damaged_vectors", file, error=error)
            continue
        first, expected = (file, sizes) if expected is None else (first, expected)
        if sizes != expected:
            details = {"value": sizes, "expected": expected, "first": Path(first).name}
            yield problem("other_layers", file, **details)


def _vector_sizes(path: Path) -> dict[str, int]:
    sizes = {}
    for name, values in read_arrays(path).items():
        if values.ndim not in (1, 2) or not values.size:
            raise ValueError(f"has {name!r} of shape {values.shape}, which is not a vector")
        with np.errstate(over="ignore"):
            if not np.isfinite(values.astype(np.float32)).all():
                raise ValueError(f"has NaN or infinite values in {name!r}")
        if not is_label(name):
            raise ValueError(f"has an array named {name!r}, which contains markup")
        sizes[name] = values.shape[-1]
    return sizes
