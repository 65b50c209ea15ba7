"""Check a study's precomputed vectors (``embeddings/``) and descriptors (``descriptors.csv``)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandera.pandas as pa

from groove_utils.errors import DetailedError
from groove_utils.files import hash_bytes
from groove_utils.study.archives import LARGEST, read_arrays
from groove_utils.study.containment import check_file, check_folder
from groove_utils.study.problems import Problem, StudyError, problem, reading
from groove_utils.study.schemas import FILE_NAME, FINITE, check_frame, identifier
from groove_utils.study.stem_names import NO_STEMS, parse_subset, subset_name
from groove_utils.study.tables import MISSING, read_csv
from groove_utils.study.text import is_label, plain_text

__all__ = ["check_descriptors", "check_embeddings"]

DESCRIPTORS = "descriptors.csv"


def check_descriptors(
    folder: Path, tracks: set[str], report: Callable[[str], object] | None = None
) -> list[Problem]:
    """Check the table of precomputed descriptors, ``descriptors.csv``.

    Each track may have at most one row, whose values must be finite or missing.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    tracks : set of str
        Identifiers of the tracks in the study.
    report : callable, optional
        Function called with a message if some tracks have no row.

    Returns
    -------
    list of Problem
        All problems found in the file.
    """
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
        if report and (missing := sorted(tracks.difference(frame["track_id"]))):
            report(
                f"{DESCRIPTORS}: no row for {len(missing)} of {len(tracks)} tracks (the first is "
                f"{missing[0]}), so their descriptors are treated as missing."
            )
    return problems


def check_embeddings(
    folder: Path, tracks: list[str], report: Callable[[str], object] | None = None
) -> Iterator[Problem]:
    """Check the vectors in ``embeddings/<model>/`` and ``embeddings/<model>/<stems>/``.

    Parameters
    ----------
    folder : pathlib.Path
        The study folder.
    tracks : list of str
        Identifiers of the tracks in the study.
    report : callable, optional
        Function called with a message for each folder in which some tracks have identical vectors.

    Yields
    ------
    Problem
    """
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
        yield from _check_vectors(folder, place, tracks, report)
        for part in sorted(filter(Path.is_dir, model.glob("[!.]*"))):
            if not _is_sum(part.name):
                details = {"value": part.name, "expected": "drums, bass, other, vocals, drums+bass"}
                yield problem("unknown_stem", f"{place}/{part.name}", **details)
            else:
                yield from _check_vectors(folder, f"{place}/{part.name}", tracks, report)


def _is_sum(name: str) -> bool:
    """Return True if `name` is the name of a stem, or of a sum of stems in the usual order."""
    try:
        return name != NO_STEMS and subset_name(parse_subset(name)) == name
    except DetailedError:
        return False


def _check_vectors(
    folder: Path, place: str, tracks: list[str], report: Callable[[str], object] | None
) -> Iterator[Problem]:
    """Check that a folder has one archive per track, all with the same layers and dimensions."""
    files = {plain_text(path.stem): path for path in sorted((folder / place).glob("*.npz"))}
    for track in sorted(set(files) - set(tracks)):
        yield problem("unknown_vectors", f"{place}/{files[track].name}", value=track)
    if missing := [track for track in tracks if track not in files]:
        yield problem("missing_vectors", place, value=missing[0], count=len(missing))
    first, expected = None, None
    hashes: dict[str, str] = {}  # track → hash of its vectors
    for track in tracks:
        if track not in files:
            continue
        file = f"{place}/{files[track].name}"
        if problems := check_file(folder, file, largest=LARGEST):
            yield from problems
            continue
        try:
            sizes, hashes[track] = _summarise_vectors(files[track])
        except ValueError as error:
            yield problem("damaged_vectors", file, error=error)
            continue
        first, expected = (file, sizes) if expected is None else (first, expected)
        if sizes != expected:
            details = {"value": sizes, "expected": expected, "first": Path(first).name}
            yield problem("other_layers", file, **details)
    yield from _check_copies(place, hashes, report)


def _check_copies(
    place: str, hashes: dict[str, str], report: Callable[[str], object] | None
) -> Iterator[Problem]:
    """Report tracks with identical vectors; yield a problem if all mixes have the same vectors.

    The vectors of a stem may be the same for all tracks, as in the case of vocals in instrumental
    music.
    """
    counts = Counter(hashes.values())
    of_mixes = Path(place).parent.name == "embeddings"
    if len(hashes) > 1 and len(counts) == 1 and of_mixes:
        yield problem("identical_vectors", place, count=len(hashes))
    elif report and len(counts) < len(hashes):
        shared = [track for track in hashes if counts[hashes[track]] > 1]
        alike = [track for track in shared if hashes[track] == hashes[shared[0]]]
        report(
            f"{place}: {len(shared)} of {len(hashes)} tracks have the same vectors as another "
            f"track ({' and '.join(alike[:2])}, for example). Are they different recordings?"
        )


def _summarise_vectors(path: Path) -> tuple[dict[str, int], str]:
    """Return the number of dimensions of each layer in an archive, and a hash of all vectors."""
    sizes, hashes = {}, []
    for name, values in read_arrays(path).items():
        if values.ndim not in (1, 2) or not values.size:
            raise ValueError(f"contains {name!r} with shape {values.shape}, which is not a vector")
        with np.errstate(over="ignore"):
            if not np.isfinite(values.astype(np.float32)).all():
                raise ValueError(f"contains NaN or infinite values in {name!r}")
        if not is_label(name):
            raise ValueError(f"contains an array whose name includes markup ({name!r})")
        sizes[name] = values.shape[-1]
        hashes += [name, values.tobytes()]
    return sizes, hash_bytes(*hashes)
