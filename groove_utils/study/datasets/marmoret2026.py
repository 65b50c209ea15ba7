"""Convert the published data of Marmoret et al. (2026) to a study folder (chapters 01, 04 and 08).

148 songs of funk, pop and rock with their mean ratings, 16 descriptors and the embeddings of seven
models, for one model also those of separated stems; no audio and no single listeners. The files are
found by their names, in any folders.

References
----------
Marmoret, Farrugia & Stupacher (2026), Can pre-trained Deep Learning models predict groove ratings?,
arXiv:2603.27237.
"""

from __future__ import annotations

import io
import math
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.pandas as pa

from groove_utils.files import hash_file, write_if_changed
from groove_utils.paths import cache_folder
from groove_utils.study.catalogue import get_dataset
from groove_utils.study.contracts import NUMBER, check_frame, identifier
from groove_utils.study.osf import download_files, list_files
from groove_utils.study.problems import StudyError, problem, reading
from groove_utils.study.stem_names import STEMS, subset_name
from groove_utils.study.tables import write_study

__all__ = ["download_marmoret2026", "make_marmoret2026"]

DATASET = get_dataset("marmoret2026")
QUERIES = {entry["column"]: query for query, entry in DATASET.meta["queries"].items()}
WANTED = r"(ratings.*\.xlsx|mir_?features.*\.csv|audio_embedding_.*\.npz|\.zip)$"
TEXTS = ["id", "artist", "song", "style_family", "style"]
REQUIRED = ("groove", "Q1_dance", "Q2_listen", "Q4_party")
FEATURES = pa.DataFrameSchema({"id": identifier(unique=True)})
SHEET = pa.DataFrameSchema(
    {"id": identifier(unique=True), "artist": identifier()}
    | {name: pa.Column(nullable=True) for name in ("song", "style_family")}
    | {q: pa.Column(checks=NUMBER, nullable=True, required=q in REQUIRED) for q in QUERIES}
)
# The first key that a folder's name contains gives the model, so longer keys come first.
MODELS = {
    "mertv1330m": "mert-v1-330m",
    "mert": "mert-v1-95m",
    "m2d": "m2d-clap",
    "matpac": "matpac-plus",
    "musicfm": "musicfm",
    "muq": "muq-mulan",
    "audiomae": "audiomae",
    "largerclap": "larger-clap-music",
    "clap": "clap-htsat-unfused",
}
EXPECTED_MODELS = set(MODELS.values()) - {"mert-v1-330m", "larger-clap-music"}
STEM_MODEL = "muq-mulan"  # the model that was also applied to stems
EXPECTED_STEMS = (*STEMS, "drums+bass")
STEM_NAMES = {stem.rstrip("s"): stem for stem in STEMS} | {"voice": "vocals", "vox": "vocals"}
MIN_COVERAGE = 0.9  # a model with fewer of the songs is left out, instead of losing the songs
MIN_SONGS = 8
REPORT = ["what", "model", "stem", "found", "used", "remark"]  # columns of found.csv


def make_marmoret2026(
    folder: str | os.PathLike, *, source: str | os.PathLike | None = None
) -> Path:
    """Write the study folder `marmoret2026`.

    Parameters
    ----------
    folder : path-like
        The study folder to write; files that would not change are left alone.
    source : path-like, optional
        A folder with the published files ``*ratings*.xlsx``, ``*MIR_features*.csv`` and
        ``audio_embedding_*.npz`` at any depth, also inside zip archives. By default they are
        downloaded into the cache.

    Returns
    -------
    pathlib.Path
        The folder. Its ``found.csv`` lists the files that were found, those that were used, and
        the songs that they lack.

    Raises
    ------
    ConnectionError
        If OSF does not answer; the message says what to download by hand, and where to put it.
    StudyError
        If files are missing or in another form than expected.

    Notes
    -----
    A song is kept if it has ratings, descriptors and the embedding of every model that covers at
    least nine tenths of the songs, so that all models are compared on the same songs.
    """
    folder = Path(folder)
    source = download_marmoret2026() if source is None else Path(source)
    if not source.is_dir():
        raise StudyError(folder, [problem("missing_folder", source, expected="published files")])
    _unpack(source)
    sheet = _read_ratings(folder, source)
    descriptors = _read_descriptors(folder, source)
    vectors, other_checkpoints = _choose_checkpoints(_read_vectors(folder, source))
    songs, report = _select_songs(sheet, descriptors, vectors)
    if len(songs) < MIN_SONGS:
        details = {"value": len(songs), "expected": "about 148"}
        raise StudyError(folder, [problem("too_few_songs", source, **details)])
    used = report.loc[report["used"] > 0, ["model", "stem"]]
    for row in vectors[vectors["track"].isin(songs)].merge(used).itertuples():
        place = folder / "embeddings" / row.model / row.stem / f"{row.track}.npz"
        write_if_changed(place, _layers(row.path))
    report = pd.concat([report, other_checkpoints], ignore_index=True)
    write_if_changed(folder / "found.csv", report.to_csv(index=False))
    tracks, ratings = _convert_sheet(sheet.loc[songs])
    meta = _describe(sheet.loc[songs], tracks)
    descriptors = descriptors.loc[songs].rename_axis("track_id").reset_index()
    return write_study(folder, meta, tracks=tracks, ratings=ratings, descriptors=descriptors)


def download_marmoret2026(folder: str | os.PathLike | None = None) -> Path:
    """Download the published files from OSF, and return their folder.

    They go to `folder`, or to ``marmoret2026`` in the cache. Without a connection, files that were
    put there by hand are used.
    """
    folder = cache_folder() / "marmoret2026" if folder is None else Path(folder)
    try:
        files = [file for project in DATASET.remotes for file in list_files(project)]
    except (OSError, RuntimeError) as error:
        if any(folder.rglob("*.xlsx")) or any(folder.rglob("*.zip")):
            return folder
        names = " and ".join(f"{r['files']} from {r['url']}" for r in DATASET.remotes.values())
        raise ConnectionError(
            f"OSF could not be reached ({error}). Download by hand: {names}; put them into "
            f"{folder}, in any folders, and run again. If OSF refused because of too many requests "
            "(status 429), wait an hour or set OSF_TOKEN to a token of your own."
        ) from error
    download_files([f for f in files if re.search(WANTED, Path(f.path).name, re.I)], folder)
    return folder


def _unpack(source: Path) -> None:
    """Unpack each archive once, into a folder next to it."""
    for archive in sorted(source.rglob("*.zip")):
        if not (target := archive.with_suffix("")).is_dir():
            part = target.with_name(f".{target.name}.part")
            shutil.unpack_archive(archive, part)
            part.replace(target)


def _find_file(folder: Path, source: Path, pattern: str, name: str) -> Path:
    files = [
        path
        for path in sorted(source.rglob("*"))
        if re.search(pattern, path.name, re.I) and not path.name.startswith((".", "~"))
    ]
    if not files:
        expected = f"{name} (from {DATASET.meta['source']})"
        raise StudyError(folder, [problem("missing_file", source, expected=expected)])
    if len({hash_file(path) for path in files}) > 1:
        names = f"{len(files)} such files ({', '.join(path.name for path in files)})"
        raise StudyError(folder, [problem("several_files", source, names=names, expected=name)])
    return files[0]


def _read_ratings(folder: Path, source: Path) -> pd.DataFrame:
    path = _find_file(folder, source, r"ratings.*\.xlsx$", "groove_ratings.xlsx")
    with reading(folder, path.name, "XLSX"):
        sheet = pd.read_excel(path, dtype=object).dropna(how="all")
    sheet.columns = [str(name).strip() for name in sheet.columns]
    if "style_family" not in sheet:
        sheet = sheet.rename(columns={"style": "style_family"})
    for name in sheet.columns.intersection(TEXTS):
        text = sheet[name].astype("str").str.strip()
        sheet[name] = text.mask(text.isin(["", "nan", "None"]))
    StudyError.raise_any(folder, check_frame(sheet, SHEET, path.name))
    return sheet.infer_objects().set_index("id")


def _read_descriptors(folder: Path, source: Path) -> pd.DataFrame:
    path = _find_file(folder, source, r"mir_?features.*\.csv$", "groove_MIR_features.csv")
    table = pd.read_csv(path, dtype={"id": str}, encoding="utf-8-sig", skipinitialspace=True)
    table.columns = [str(name).strip() for name in table.columns]
    StudyError.raise_any(folder, check_frame(table, FEATURES, path.name))
    numeric = table.set_index(table["id"].str.strip()).select_dtypes("number")
    numeric = numeric.loc[:, ~numeric.columns.str.startswith("Unnamed")]
    return numeric.dropna(axis="columns", how="all")


def _read_vectors(folder: Path, source: Path) -> pd.DataFrame:
    """One row per embedding: path, root, model, stem (empty for the mix) and track.

    `root` is the folder that holds one checkpoint.
    """
    files = sorted(source.rglob("audio_embedding_*.npz"))
    rows, problems = [], []
    if not files:
        expected = f"audio_embedding_<id>.npz in a folder per model (from {DATASET.meta['source']})"
        problems.append(problem("missing_file", source, expected=expected))
    for path in files:
        try:
            rows.append(_read_vector(path, path.relative_to(source)))
        except StudyError as error:
            problems += error.problems
    StudyError.raise_any(folder, problems)
    return pd.DataFrame(rows)


def _read_vector(path: Path, file: Path) -> dict:
    separated = any("separated" in part.lower() for part in file.parts)
    # the folder of a song's stems is named by the song's id, which may contain a model's name
    model = _model_name(file.parts[: -2 if separated else -1])
    with reading(file.parent, file, "an NPZ archive"), np.load(path) as archive:
        facts = {key: str(archive[key]) for key in ("song_id", "instrument_name") if key in archive}
        keys = archive.files
    name = path.stem.removeprefix("audio_embedding_")
    instrument = facts.get("instrument_name") or (name if separated else "")
    stem = _stem_name(instrument)
    problems = []
    if model is None:
        problems.append(problem("unknown_model", file, expected=", ".join(sorted(EXPECTED_MODELS))))
    if "audio_embedding" not in keys:
        details = {"keys": ", ".join(sorted(keys)), "expected": "audio_embedding"}
        problems.append(problem("missing_array", file, **details))
    if instrument and not stem:
        details = {"value": instrument, "expected": ", ".join(EXPECTED_STEMS)}
        problems.append(problem("unknown_stem", file, **details))
    StudyError.raise_any(file.parent, problems)
    # the stems of a song have a folder of their own
    root, name = (path.parent.parent, path.parent.name) if instrument else (path.parent, name)
    track = (facts.get("song_id") or name).strip()
    return {"path": path, "root": root, "model": model, "stem": stem, "track": track}


def _layers(path: Path) -> bytes:
    """Archive of a published vector; the rows of layers × dimensions become layers of their own."""
    with reading(path.parent, path.name, "an NPZ archive"), np.load(path) as archive:
        rows = np.atleast_2d(np.squeeze(archive["audio_embedding"])).astype(np.float32)
    names = [f"layer_{i:02d}" for i in range(len(rows))] if len(rows) > 1 else ["audio_embedding"]
    content = io.BytesIO()
    np.savez(content, **dict(zip(names, rows, strict=True)))
    return content.getvalue()


def _model_name(folders: tuple[str, ...]) -> str | None:
    """Model named by the folders of a path; the folder nearest to the file comes first."""
    for folder in reversed(folders):
        name = re.sub(r"[^a-z0-9]", "", folder.lower())
        for key, model in MODELS.items():
            if key in name:
                return model
    return None


def _stem_name(text: str) -> str:
    """Normalise ``drums``, ``bass+drums``, ``drums_and_bass`` …; empty if no stem is meant."""
    words = {word.rstrip("s") for word in re.split(r"[^a-z]+|and", text.lower()) if word}
    if not words or not words <= set(STEM_NAMES):
        return ""
    return subset_name({STEM_NAMES[word] for word in words})


def _choose_checkpoints(vectors: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the checkpoint with most songs for each model and stem, and list the others."""
    kept, others = [], []
    for (model, stem), group in vectors.groupby(["model", "stem"]):
        songs = set()
        for root, part in sorted(group.groupby("root"), key=lambda item: (-len(item[1]), item[0])):
            if songs.isdisjoint(part["track"]):  # one checkpoint may be spread over folders
                kept.append(part.drop_duplicates("track"))
                songs |= set(part["track"])
            else:
                remark = f"another checkpoint: {root.name}"
                others.append(("embeddings", model, stem, len(part), 0, remark))
    return pd.concat(kept, ignore_index=True), pd.DataFrame(others, columns=REPORT)


def _select_songs(
    sheet: pd.DataFrame, descriptors: pd.DataFrame, vectors: pd.DataFrame
) -> tuple[list[str], pd.DataFrame]:
    """Songs for which everything is there, and a report of what was found."""
    tracks = vectors.groupby(["model", "stem"])["track"].agg(set).to_dict()
    mixes = {model: songs for (model, stem), songs in tracks.items() if not stem}
    rated = sheet[sheet.columns.intersection(list(QUERIES))].notna().all(axis=1)
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
        found = tracks.get((model, stem), set())
        missing = (songs if stem else candidates) - found if found else set()
        use = found >= songs if stem else found in complete
        what = "stem embeddings" if stem else "embeddings"
        rows.append((what, model, stem, len(found), len(songs) * use, _list(missing)))
    return sorted(songs), pd.DataFrame(rows, columns=REPORT)


def _list(missing: set[str]) -> str:
    names = ", ".join(sorted(missing)[:10]) + (" …" if len(missing) > 10 else "")
    return f"{len(missing)} songs missing: {names}" if missing else ""


def _convert_sheet(sheet: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables of tracks and of ratings."""
    names = {"song": "title", "artist": "artist", "style_family": "style"}
    tracks = sheet[list(names)].rename(columns=names)
    tracks["style"] = tracks["style"].str.lower()
    facts = sheet.drop(columns=[*names, *QUERIES], errors="ignore")
    tracks = tracks.join(facts.rename(columns={"style": "substyle"})).rename_axis("track_id")
    queries = [query for column, query in QUERIES.items() if column in sheet]
    wide = sheet.rename_axis("track_id").rename(columns=QUERIES).reset_index()
    return tracks.reset_index(), wide.melt("track_id", queries, "query", "rating")


def _describe(sheet: pd.DataFrame, tracks: pd.DataFrame) -> dict:
    """Content of ``study.yml``; scores beyond a query's own scale widen it."""
    queries = {}
    for query, entry in DATASET.meta["queries"].items():
        if entry["column"] in sheet:
            queries[query] = entry["wording"]
            if "scale" in entry:
                values = [*entry["scale"], *sheet[entry["column"]]]
                scale = [float(math.floor(min(values))), float(math.ceil(max(values)))]
                queries[query] = {"wording": entry["wording"], "scale": scale}
    return DATASET.meta | {"queries": queries, "styles": sorted(tracks["style"].unique())}
