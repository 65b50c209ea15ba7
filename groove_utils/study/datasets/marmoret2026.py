"""Convert the published data of Marmoret et al. (2026) to a study folder.

The data are mean ratings of 148 funk, pop and rock songs, 16 descriptors, and embeddings from seven
models, one of which was also applied to separated stems. There is no audio, and there are no
ratings by individual listeners. Files are recognised by their names, whichever folder they are in.

References
----------
Marmoret, Farrugia & Stupacher (2026), Can pre-trained Deep Learning models predict groove ratings?,
arXiv:2603.27237.
"""

from __future__ import annotations

import math
import os
import re
import shutil
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pandera.pandas as pa

from groove_utils.files import hash_file, write_if_changed
from groove_utils.paths import cache_folder
from groove_utils.study.catalogue import get_dataset
from groove_utils.study.datasets.marmoret2026_vectors import (
    EXPECTED_MODELS,
    EXPECTED_STEMS,
    REPORT,
    STEM_MODEL,
    choose_checkpoints,
    find_vectors,
    write_vectors,
)  # fmt: skip
from groove_utils.study.osf import download_files, list_files
from groove_utils.study.problems import StudyError, problem, reading
from groove_utils.study.schemas import (
    FILE_NAME,
    FINITE,
    NUMBER,
    ONE_LINE,
    check_frame,
    identifier,
)  # fmt: skip
from groove_utils.study.tables import MISSING, read_csv, write_study
from groove_utils.study.text import plain_text

__all__ = ["download_marmoret2026", "make_marmoret2026"]

DATASET = get_dataset("marmoret2026")
QUERIES = {entry["column"]: query for query, entry in DATASET.meta["queries"].items()}
WANTED = r"(ratings.*\.xlsx|mir_?features.*\.csv|audio_embedding_.*\.npz|\.zip)$"
TEXTS = ["id", "artist", "song", "style_family", "style"]
REQUIRED = ("groove", "Q1_dance", "Q2_listen", "Q4_party")
DESCRIPTORS = (
    "event_density", "rms", "rms_sd", "spectral_flux",
    *(f"band_{i}_flux" for i in range(1, 11)), "pulse_clarity", "pulse_clarity_attack",
)  # fmt: skip
FEATURES = pa.DataFrameSchema(
    {"id": identifier(FILE_NAME)}
    | {name: pa.Column(str, FINITE, nullable=True) for name in DESCRIPTORS}
)
SHEET = pa.DataFrameSchema(
    {"id": identifier(FILE_NAME), "artist": identifier(ONE_LINE)}
    | {name: pa.Column(nullable=True) for name in ("song", "style_family")}
    | {q: pa.Column(checks=NUMBER, nullable=True, required=q in REQUIRED) for q in QUERIES}
)
MIN_COVERAGE = 0.9  # models that cover a smaller share of songs are excluded, to keep more songs
MIN_SONGS = 8
MAX_ARCHIVES = 10_000
LARGEST_ARCHIVE = 64 << 30  # maximum unpacked size in bytes


def make_marmoret2026(
    folder: str | os.PathLike, *, source: str | os.PathLike | None = None
) -> Path:
    """Write the published data to a study folder.

    Parameters
    ----------
    folder : path-like
        The study folder to write; unchanged files are not rewritten.
    source : path-like, optional
        Folder that contains the published files ``*ratings*.xlsx``, ``*MIR_features*.csv`` and
        ``audio_embedding_*.npz``, in any subfolder or ZIP archive. By default, the files are
        downloaded to the cache.

    Returns
    -------
    pathlib.Path
        The study folder. For each kind of file, ``found.csv`` in this folder lists the number of
        songs found, the number of songs used, and the songs that are missing.

    Raises
    ------
    ConnectionError
        If OSF does not respond; the message says what to download by hand and where to put it.
    StudyError
        If files are missing or not in the expected format.

    Notes
    -----
    A song is kept if it has descriptors, ratings on the four questions used in the paper, and an
    embedding from every model that covers at least 90% of the songs. All models are therefore
    compared on the same songs. If more than one row has the same id, the first is used; rows
    without an id are dropped, as in the authors' code.

    Vectors are kept in float32, as published. The authors' code also fits regressions in float32,
    whereas this package uses float64; the resulting R² values differ by at most 2e-6.
    """
    folder = Path(folder)
    source = download_marmoret2026() if source is None else Path(source)
    if not source.is_dir():
        raise StudyError(folder, [problem("missing_folder", source, expected="published files")])
    _unpack(source)
    sheet = _read_ratings(folder, source)
    descriptors = _read_descriptors(folder, source)
    vectors, others = find_vectors(folder, source)
    vectors, copies = choose_checkpoints(vectors)
    songs, report = _select_songs(sheet, descriptors, vectors)
    if len(songs) < MIN_SONGS:
        details = {"value": len(songs), "expected": "about 148"}
        raise StudyError(folder, [problem("too_few_songs", source, **details)])
    used = report.loc[report["used"] > 0, ["model", "stem"]]
    for row in vectors[vectors["track"].isin(songs)].merge(used).itertuples():
        write_vectors(row, folder / "embeddings" / row.model / row.stem / f"{row.track}.npz")
    tables = pd.DataFrame([*sheet.attrs["report"], *descriptors.attrs["report"]], columns=REPORT)
    report = pd.concat([report, copies, others, tables], ignore_index=True)
    write_if_changed(folder / "found.csv", report.to_csv(index=False))
    tracks, ratings = _convert_sheet(sheet.loc[songs])
    meta = _describe(sheet.loc[songs], tracks)
    descriptors = descriptors.loc[songs].rename_axis("track_id").reset_index()
    return write_study(folder, meta, tracks=tracks, ratings=ratings, descriptors=descriptors)


def download_marmoret2026(folder: str | os.PathLike | None = None) -> Path:
    """Download the published files from OSF, and return their folder.

    By default, `folder` is ``marmoret2026`` in the cache. If OSF cannot be reached, files that were
    put into `folder` by hand are used.
    """
    folder = cache_folder() / "marmoret2026" if folder is None else Path(folder)
    try:
        files = [file for project in DATASET.remotes for file in list_files(project)]
    except (OSError, RuntimeError) as error:
        if any(folder.rglob("*.xlsx")) or any(folder.rglob("*.zip")):
            return folder
        names = " and ".join(f"{r['files']} from {r['url']}" for r in DATASET.remotes.values())
        raise ConnectionError(
            f"OSF could not be reached ({error}). Download these files by hand: {names}. Put them "
            f"into {folder} or a subfolder, and run again. If OSF reported too many requests "
            "(status 429), wait an hour or set OSF_TOKEN to your own access token."
        ) from error
    download_files([f for f in files if re.search(WANTED, Path(f.path).name, re.I)], folder)
    return folder


def _unpack(source: Path) -> None:
    """Unpack all archives, including archives inside archives, into folders next to them."""
    unpacked: set[Path] = set()
    while archives := sorted(set(source.rglob("*.zip")) - unpacked):
        unpacked.update(archives)
        if len(unpacked) > MAX_ARCHIVES:
            details = {"names": f"more than {MAX_ARCHIVES} archives", "expected": "a few"}
            raise StudyError(source, [problem("several_files", source, **details)])
        for archive in archives:
            if (target := archive.with_suffix("")).is_dir():
                continue
            with reading(source, archive.relative_to(source), "a ZIP archive"):
                with ZipFile(archive) as content:
                    size = sum(member.file_size for member in content.infolist())
                if size > LARGEST_ARCHIVE:
                    details = {"value": size / 2**20, "limit": LARGEST_ARCHIVE / 2**20}
                    raise StudyError(source, [problem("too_large", archive, **details)])
                part = target.with_name(f".{target.name}.part")
                part.mkdir(exist_ok=True)  # also for an archive without files
                shutil.unpack_archive(archive, part)
                part.replace(target)


def _find_file(folder: Path, source: Path, pattern: str, name: str) -> tuple[Path, list[tuple]]:
    """Find a file by its usual name or, if no file has that name, by a pattern.

    Return its path, and rows for ``found.csv`` about other matching files.
    """
    files = [
        path
        for path in sorted(source.rglob("*"))
        if re.search(pattern, path.name, re.I) and not path.name.startswith((".", "~"))
    ]
    if not files:
        expected = f"{name} (from {DATASET.meta['source']})"
        raise StudyError(folder, [problem("missing_file", source, expected=expected)])
    exact = [path for path in files if path.name == name] or files
    if len({hash_file(path) for path in exact}) > 1:
        names = f"{len(exact)} such files ({', '.join(path.name for path in exact)})"
        details = {"names": names, "expected": f"one {name}"}
        raise StudyError(folder, [problem("several_files", source, **details)])
    others = [path for path in files if hash_file(path) != hash_file(exact[0])]
    return exact[0], [("other tables", "", "", 1, 0, path.name) for path in others]


def _drop_rows(table: pd.DataFrame, what: str) -> tuple[pd.DataFrame, list[tuple]]:
    """Keep only the first row with each id.

    Return the table, and rows for ``found.csv`` about the dropped rows.
    """
    named = table[table["id"].notna()]
    once = named.drop_duplicates("id")
    report = []
    if dropped := len(table) - len(named):
        report.append((what, "", "", dropped, 0, "rows without an id"))
    if repeated := len(named) - len(once):
        names = ", ".join(named.loc[named["id"].duplicated(), "id"].unique()[:10])
        report.append((what, "", "", repeated, 0, f"repeated ids, first row used: {names}"))
    return once, report


def _read_ratings(folder: Path, source: Path) -> pd.DataFrame:
    path, report = _find_file(folder, source, r"ratings.*\.xlsx$", "groove_ratings.xlsx")
    with reading(folder, path.name, "XLSX"):
        sheet = pd.read_excel(path, dtype=object).dropna(how="all")
    sheet.columns = [str(name).strip() for name in sheet.columns]
    if "style_family" not in sheet:
        sheet = sheet.rename(columns={"style": "style_family"})
    for name in sheet.columns.intersection(TEXTS):
        text = sheet[name].astype("str").map(plain_text)
        sheet[name] = text.mask(text.isin(["", "nan", "None"]))
    if "id" in sheet:
        sheet, dropped = _drop_rows(sheet, "ratings")
        report += dropped
    StudyError.raise_any(folder, check_frame(sheet, SHEET, path.name))
    sheet = sheet.infer_objects().set_index("id")
    sheet.attrs["report"] = report
    return sheet


def _read_descriptors(folder: Path, source: Path) -> pd.DataFrame:
    """Read the 16 descriptors; ``attrs["report"]`` contains rows for ``found.csv``."""
    path, report = _find_file(folder, source, r"mir_?features.*\.csv$", "groove_MIR_features.csv")
    with reading(folder, path.name, "UTF-8 text, comma-separated"):
        table = read_csv(path, dtype=str)
    if "id" in table:
        table["id"] = table["id"].map(plain_text, na_action="ignore")
        table, dropped = _drop_rows(table, "descriptors")
        report += dropped
    for name in table.columns.intersection(DESCRIPTORS):
        text = table[name].astype("str").str.replace(",", ".")
        table[name] = text.mask(table[name].isna() | table[name].isin(MISSING))
    StudyError.raise_any(folder, check_frame(table, FEATURES, path.name))
    if others := [name for name in table if name not in {*DESCRIPTORS, "id"}]:
        report.append(("descriptors", "", "", len(others), 0, f"other columns: {_join(others)}"))
    table = table.set_index("id")[list(DESCRIPTORS)].astype(float)
    table.attrs["report"] = report
    return table


def _join(names: list[str]) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")


def _select_songs(
    sheet: pd.DataFrame, descriptors: pd.DataFrame, vectors: pd.DataFrame
) -> tuple[list[str], pd.DataFrame]:
    """Return the songs with complete data, and rows for ``found.csv`` about the files found."""
    tracks = vectors.groupby(["model", "stem"])["track"].agg(set).to_dict()
    mixes = {model: songs for (model, stem), songs in tracks.items() if not stem}
    rated = sheet[list(REQUIRED)].notna().all(axis=1)
    candidates = set().union(*mixes.values()) & set(sheet.index[rated])
    least = MIN_COVERAGE * len(candidates)
    complete = [songs for songs in mixes.values() if len(songs & candidates) >= least]
    described = set(descriptors.index[descriptors.notna().all(axis=1)])
    songs = (candidates & described).intersection(*complete)
    expected = {(model, "") for model in EXPECTED_MODELS}
    expected |= {(STEM_MODEL, stem) for stem in EXPECTED_STEMS}
    rows = [
        ("ratings", "", "", len(sheet), len(songs), _list(set(sheet.index) - songs)),
        ("descriptors", "", "", len(descriptors), len(songs), _list(candidates - described)),
    ]
    for model, stem in sorted(expected | set(tracks), key=lambda key: (key[1] != "", key)):
        covered = tracks.get((model, stem), set())
        missing = (songs if stem else candidates) - covered if covered else set()
        is_used = covered >= songs if stem else covered in complete
        what = "stem embeddings" if stem else "embeddings"
        rows.append((what, model, stem, len(covered), len(songs) * is_used, _list(missing)))
    return sorted(songs), pd.DataFrame(rows, columns=REPORT)


def _list(missing: set[str]) -> str:
    return f"{len(missing)} songs missing: {_join(sorted(missing))}" if missing else ""


def _convert_sheet(sheet: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the published table into a table of tracks and a table of ratings."""
    names = {"song": "title", "artist": "artist", "style_family": "style"}
    tracks = sheet[list(names)].rename(columns=names)
    tracks["style"] = tracks["style"].str.lower()
    facts = sheet.drop(columns=[*names, *QUERIES], errors="ignore")
    tracks = tracks.join(facts.rename(columns={"style": "substyle"})).rename_axis("track_id")
    queries = [query for column, query in QUERIES.items() if column in sheet]
    wide = sheet.rename_axis("track_id").rename(columns=QUERIES).reset_index()
    ratings = wide.melt("track_id", queries, "query", "rating")
    return tracks.reset_index(), ratings.dropna(subset=["rating"])


def _describe(sheet: pd.DataFrame, tracks: pd.DataFrame) -> dict:
    """Return the content of ``study.yml``; widen the scales of derived scores if necessary."""
    queries = {}
    for query, entry in DATASET.meta["queries"].items():
        if entry["column"] in sheet:
            queries[query] = entry["wording"]
            if "scale" in entry:
                values = [*entry["scale"], *sheet[entry["column"]].dropna()]
                scale = [float(math.floor(min(values))), float(math.ceil(max(values)))]
                queries[query] = {"wording": entry["wording"], "scale": scale}
    return DATASET.meta | {"queries": queries, "styles": sorted(tracks["style"].unique())}
