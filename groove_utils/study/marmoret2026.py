"""The published study: Marmoret et al. (2026) as a study folder.

148 songs of funk, pop and rock with their mean ratings, 16 descriptors and the embeddings of seven
models, for one model also those of separated stems; no audio and no single listeners. The files lie
on OSF (ratings osf.io/3zjkd, embeddings osf.io/p2wzr). They are downloaded when needed, and found
by their names, not by their folders. Chapters 01, 05, 06 and 07 use the study.

References
----------
Marmoret, Farrugia & Stupacher (2026), Can pre-trained Deep Learning models predict groove ratings?,
arXiv:2603.27237.
"""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import requests
import yaml
from tqdm.auto import tqdm

from groove_utils.files import atomic_path, hash_file, write_if_changed
from groove_utils.paths import cache_folder
from groove_utils.study.problems import Problem, StudyError
from groove_utils.study.tables import MAX_ROWS_TOLD

__all__ = ["OSF_PROJECTS", "download_marmoret2026", "make_marmoret2026"]

OSF_PROJECTS = {"3zjkd": "ratings and descriptors", "p2wzr": "embeddings"}
_API = "https://api.osf.io/v2"
_ZIP = "https://files.osf.io/v1/resources/p2wzr/providers/osfstorage/?zip="
_WANTED = re.compile(r"(ratings.*\.xlsx|mir_?features.*\.csv|audio_embedding_.*\.npz|\.zip)$", re.I)

# column of the published table -> query, its wording, its scale (None: 1–100)
_QUERIES = {
    "groove": ("groove", "Groove: a score derived from the other questions", (-1.0, 1.0)),
    "Q1_dance": ("dance", "I would like to dance to this music", None),
    "Q2_listen": ("listen", "I like to listen to this music", None),
    "Q3_beat": ("beat", "The beat of this music is easy to recognize", None),
    "Q4_party": ("party", "This music is great for a party", None),
    "Q5_rhythm": ("rhythm", "This music has an interesting rhythm", None),
    "Q6_disturbing": ("disturbing", "Something in this music is disturbing", None),
}
_NEEDED = ("id", "artist", "song", "groove", "Q1_dance", "Q2_listen", "Q4_party")
# the first that a folder's name holds is the model; so the more special ones come first
_MODELS = (
    ("mertv1330m", "mert-v1-330m"),
    ("mert", "mert-v1-95m"),
    ("m2d", "m2d-clap"),
    ("matpac", "matpac-plus"),
    ("musicfm", "musicfm"),
    ("muq", "muq-mulan"),
    ("audiomae", "audiomae"),
    ("largerclap", "larger-clap-music"),
    ("clap", "clap-htsat-unfused"),
)
_EXPECTED_MODELS = (
    "audiomae", "clap-htsat-unfused", "m2d-clap", "matpac-plus", "mert-v1-95m", "muq-mulan",
    "musicfm",
)  # fmt: skip
_STEMS = ("drums", "bass", "other", "vocals")
_EXPECTED_STEMS = ("drums", "bass", "other", "vocals", "drums+bass")
_MOST = 0.9  # a model with fewer of the songs than this is left out, instead of losing the songs


@dataclass(frozen=True)
class _Vector:
    path: Path
    model: str
    stem: str  # empty for the full mix
    track: str


def make_marmoret2026(
    folder: str | os.PathLike, *, source: str | os.PathLike | None = None
) -> Path:
    """Write the study folder `marmoret2026`.

    Parameters
    ----------
    folder : path-like
        The study folder to write; files that would be the same are left alone.
    source : path-like, optional
        A folder with the published files, at any depth: ``*ratings*.xlsx``,
        ``*MIR_features*.csv`` and ``audio_embedding_*.npz``, also inside zip archives. By default
        they are downloaded into the cache.

    Returns
    -------
    pathlib.Path
        The folder, with ``study.yml``, ``tracks.csv``, ``ratings.csv`` (song means, no listeners),
        ``descriptors.csv``, ``embeddings/<model>/<track_id>.npz`` (float32, one key a layer),
        ``embeddings/<model>/<stem>/…`` and ``found.csv``: what was there, what was used, what not
        and why.

    Raises
    ------
    ConnectionError
        If files are neither there nor to be had; the message says what to download by hand and
        where to put it.
    StudyError
        If files are missing or not in the expected form; all problems are told at once.

    Notes
    -----
    A song is kept if it is rated and has descriptors and the embedding of every model that covers
    at least nine tenths of the songs, so that all models are compared on the same songs.
    """
    folder = Path(folder)
    source = download_marmoret2026() if source is None else Path(source)
    if not source.is_dir():
        problem = Problem(str(source), "no such folder", "the published files", "Check the path.")
        raise StudyError(folder, [problem])
    _unpack(source)
    sheet = _read_ratings(folder, source)
    descriptors = _read_descriptors(folder, source)
    vectors, problems = _find_vectors(source)
    if not vectors:
        problems.append(
            Problem(
                str(source),
                "no embeddings",
                "files audio_embedding_<id>.npz in a folder for each model",
                f"Download them from osf.io/{list(OSF_PROJECTS)[1]}.",
            )
        )
    if problems:
        raise StudyError(folder, _shorten(problems, source))
    vectors, doubled = _one_checkpoint(vectors)
    songs, found = _complete(sheet, descriptors, vectors)
    if len(songs) < 8:
        raise StudyError(folder, [Problem(
            str(source), f"{len(songs)} songs with ratings, descriptors and all embeddings",
            "about 148", "Complete the download, and see that ids agree between the files.",
        )])  # fmt: skip
    problems = _write_vectors(folder, vectors, songs, found)
    if problems:
        raise StudyError(folder, _shorten(problems, source))
    _write_tables(folder, sheet, descriptors, songs)
    report = pd.DataFrame([*found, *doubled], columns=["what", "model", "stem", "found", "used",
                                                       "remark"])  # fmt: skip
    write_if_changed(folder / "found.csv", report.to_csv(index=False))
    text = yaml.safe_dump(_meta(sheet, songs), sort_keys=False, allow_unicode=True)
    write_if_changed(folder / "study.yml", text)  # last: a folder with a study.yml is whole
    return folder


# --- reading -----------------------------------------------------------------------------------


def _unpack(source: Path) -> None:
    """Unpack archives beside themselves, once."""
    for archive in sorted(source.rglob("*.zip")):
        place = archive.with_suffix("")
        if place.is_dir():
            continue
        with zipfile.ZipFile(archive) as zipped, atomic_folder(place) as part:
            zipped.extractall(part)


class atomic_folder:
    """A folder that gets its name only when all is in it."""

    def __init__(self, place: Path):
        self.place, self.part = place, place.with_name(f".{place.name}.part")

    def __enter__(self) -> Path:
        self.part.mkdir(parents=True, exist_ok=True)
        return self.part

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.part.replace(self.place)


def _one_file(folder: Path, source: Path, pattern: str, what: str, project: str) -> Path:
    files = [
        path for path in sorted(source.rglob("*"))
        if re.search(pattern, path.name, re.I) and not path.name.startswith((".", "~"))
    ]  # fmt: skip
    if len({hash_file(path) for path in files}) != 1:
        found = f"{len(files)} such files: {', '.join(p.name for p in files)}" if files else "none"
        mend = "Keep only the right one." if files else f"Download it from osf.io/{project}."
        raise StudyError(folder, [Problem(str(source), found, f"one {what}", mend)])
    return files[0]


def _read_ratings(folder: Path, source: Path) -> pd.DataFrame:
    path = _one_file(folder, source, r"ratings.*\.xlsx$", "groove_ratings.xlsx", "3zjkd")
    try:
        sheet = pd.read_excel(path, dtype={"id": str})
    except (ValueError, OSError, zipfile.BadZipFile, KeyError) as error:
        problem = Problem(
            path.name, f"no readable workbook ({error})", "XLSX", "Download it again."
        )
        raise StudyError(folder, [problem]) from error
    sheet.columns = [str(name).strip() for name in sheet.columns]
    sheet = sheet.dropna(how="all")
    problems = [
        Problem(path.name, f"the columns {', '.join(sheet.columns)}", f"a column {name} as well",
                f"Add or rename the column {name}.")
        for name in _NEEDED if name not in sheet
    ]  # fmt: skip
    if not {"style", "style_family"} & set(sheet.columns):
        problems.append(Problem(path.name, "neither style nor style_family", "one", "Add it."))
    if problems:
        raise StudyError(folder, problems)
    for name in ("id", "artist", "song"):
        sheet[name] = sheet[name].astype("str").str.strip()
        sheet[name] = sheet[name].mask(sheet[name].isin(["", "nan", "None"]))
    for row in sheet.index[sheet["id"].isna() | sheet["artist"].isna()]:
        problems.append(
            Problem(path.name, "no id or no artist", "both", "Fill the cell in.", int(row) + 2)
        )
    for row in sheet.index[sheet["id"].notna() & sheet["id"].duplicated()]:
        mend = "Delete one of the rows."
        found = f"id {sheet['id'][row]!r} more than once"
        problems.append(Problem(path.name, found, "it once", mend, int(row) + 2))
    for name in [name for name in _QUERIES if name in sheet]:
        values = pd.to_numeric(sheet[name], errors="coerce")
        for row in sheet.index[values.isna() & sheet[name].notna()]:
            found = f"{sheet[name][row]!r} in {name}"
            problems.append(Problem(path.name, found, "a number", "Correct it.", int(row) + 2))
        sheet[name] = values
    if problems:
        raise StudyError(folder, _shorten(problems, path))
    return sheet.set_index("id")


def _read_descriptors(folder: Path, source: Path) -> pd.DataFrame:
    path = _one_file(folder, source, r"mir_?features.*\.csv$", "groove_MIR_features.csv", "3zjkd")
    table = pd.read_csv(path, dtype={"id": str}, encoding="utf-8-sig")
    table.columns = [str(name).strip() for name in table.columns]
    problems = []
    if "id" not in table:
        found = f"the columns {', '.join(table.columns)}"
        problems.append(Problem(path.name, found, "a column id as well", "Name it."))
    elif table["id"].duplicated().any():
        found = f"id {table['id'][table['id'].duplicated()].iloc[0]!r} more than once"
        problems.append(Problem(path.name, found, "it once", "Delete one of the rows."))
    if problems:
        raise StudyError(folder, problems)
    table["id"] = table["id"].str.strip()
    numeric = table.set_index("id").select_dtypes("number")
    numeric = numeric.drop(columns=[name for name in numeric if name.startswith("Unnamed")])
    return numeric.dropna(axis="columns", how="all")


def _find_vectors(source: Path) -> tuple[list[_Vector], list[Problem]]:
    files = sorted(source.rglob("audio_embedding_*.npz"))
    vectors, problems = [], []
    for path in tqdm(files, desc="embeddings", unit="file", disable=len(files) < 500):
        place = path.relative_to(source)
        model = _model_of(place)
        if model is None:
            known = ", ".join(_EXPECTED_MODELS)
            problems.append(
                Problem(str(place), "no known model in its path", known, "Rename its folder.")
            )
            continue
        name = path.stem.removeprefix("audio_embedding_")
        try:
            with np.load(path) as archive:
                keys = set(archive.files)
                track = str(archive["song_id"]) if "song_id" in keys else ""
                stem = str(archive["instrument_name"]) if "instrument_name" in keys else ""
        except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
            found = f"no readable archive ({error})"
            problems.append(Problem(str(place), found, "npz", "Download it again."))
            continue
        if "audio_embedding" not in keys:
            found = f"the keys {', '.join(sorted(keys))}"
            problems.append(Problem(str(place), found, "audio_embedding", "Download it again."))
            continue
        separated = bool(stem) or any("separated" in part.lower() for part in place.parts)
        if separated:
            stem, track = _stem_name(stem or name), track or path.parent.name
            if stem is None:
                expected = ", ".join(_EXPECTED_STEMS)
                found = f"the instrument {name!r}"
                problems.append(Problem(str(place), found, expected, "Rename it."))
                continue
        vectors.append(_Vector(path, model, stem or "", (track or name).strip()))
    return vectors, problems


def _model_of(place: Path) -> str | None:
    """Model by the folders of a path; the one nearest to the file speaks first."""
    folders = place.parts[:-1]
    if any("separated" in part.lower() for part in folders):
        folders = folders[:-1]  # the last is a song's id, which may spell anything
    for part in reversed(folders):
        name = re.sub(r"[^a-z0-9]", "", part.lower())
        for key, model in _MODELS:
            if key in name:
                return model
    return None


def _stem_name(text: str) -> str | None:
    """Stems in the folders' order, from ``drums``, ``bass+drums``, ``drums_and_bass``…"""
    parts = {part.rstrip("s") for part in re.split(r"[^a-z]+|and", text.lower()) if part}
    known = {stem.rstrip("s"): stem for stem in _STEMS}
    known |= {"voice": "vocals", "vox": "vocals"}
    if not parts or not parts <= set(known):
        return None
    chosen = {known[part] for part in parts}
    return "+".join(stem for stem in _STEMS if stem in chosen)


def _one_checkpoint(vectors: list[_Vector]):
    """One file a model, stem and song: of several checkpoints the one with most songs."""
    groups: dict[tuple, dict[Path, list[_Vector]]] = {}
    for vector in vectors:
        # songs of one checkpoint share a folder; stems have one more level, the song's own
        root = vector.path.parent.parent if vector.stem else vector.path.parent
        groups.setdefault((vector.model, vector.stem), {}).setdefault(root, []).append(vector)
    kept, doubled = [], []
    for (model, stem), roots in groups.items():
        first, *others = sorted(roots, key=lambda root: (-len(roots[root]), str(root)))
        have = {}
        for vector in roots[first]:
            have.setdefault(vector.track, vector)
        for root in others:
            extra = [v for v in roots[root] if v.track not in have]
            # the same checkpoint may be spread over folders: then no song comes twice
            if len(extra) == len(roots[root]):
                have |= {v.track: v for v in extra}
            else:
                doubled.append(("embeddings", model, stem, len(roots[root]), 0,
                                f"another checkpoint, left out: {root.name}"))  # fmt: skip
        kept += have.values()
    return kept, doubled


# --- what is complete --------------------------------------------------------------------------


def _complete(sheet, descriptors, vectors):
    """Songs that everything has, and a report of what was found."""
    by_model: dict[tuple, set] = {}
    for vector in vectors:
        by_model.setdefault((vector.model, vector.stem), set()).add(vector.track)
    mixes = {model: tracks for (model, stem), tracks in by_model.items() if not stem}
    rated = set(sheet.index[sheet[[n for n in _QUERIES if n in sheet]].notna().all(axis=1)])
    heard = set.union(*mixes.values()) & rated if mixes else set()
    enough = {model for model, tracks in mixes.items() if len(tracks & heard) >= _MOST * len(heard)}
    songs = heard & set(descriptors.index[descriptors.notna().all(axis=1)])
    for model in enough:
        songs &= mixes[model]
    rows = [
        ("ratings", "", "", len(sheet), len(songs), _absent(set(sheet.index) - songs, "left out")),
        ("descriptors", "", "", len(descriptors), len(songs),
         _absent(heard - set(descriptors.index), "without descriptors")),
    ]  # fmt: skip
    for model in sorted(set(_EXPECTED_MODELS) | set(mixes)):
        tracks = mixes.get(model, set())
        remark = "not found" if not tracks else _absent(heard - tracks, "missing")
        if tracks and model not in enough:
            remark = f"too few songs, left out; {remark}"
        used = len(songs) if model in enough else 0
        rows.append(("embeddings", model, "", len(tracks), used, remark))
    with_stems = sorted({model for model, stem in by_model if stem} | {"muq-mulan"})
    for model in with_stems:
        stems = {stem for one, stem in by_model if one == model and stem}
        for stem in sorted(stems | set(_EXPECTED_STEMS)):
            tracks = by_model.get((model, stem), set())
            lacking = songs - tracks
            remark = "not found" if not tracks else _absent(lacking, "missing")
            if tracks and lacking:
                remark = f"left out; {remark}"
            used = len(songs) if tracks and not lacking else 0
            rows.append(("stem embeddings", model, stem, len(tracks), used, remark))
    order = [track for track in sorted(songs)]
    return order, rows


def _absent(tracks, word) -> str:
    if not tracks:
        return ""
    told = ", ".join(sorted(tracks)[:10])
    return f"{len(tracks)} {word}: {told}{' …' if len(tracks) > 10 else ''}"


# --- writing -----------------------------------------------------------------------------------


def _write_vectors(folder, vectors, songs, found) -> list[Problem]:
    used = {(row[1], row[2]) for row in found if "embeddings" in row[0] and row[4]}
    chosen = [v for v in vectors if (v.model, v.stem) in used and v.track in set(songs)]
    problems, shapes = [], {}
    ready = []
    for vector in chosen:
        with np.load(vector.path) as archive:
            values = np.asarray(archive["audio_embedding"])
        values = np.squeeze(values)
        values = values[None] if values.ndim == 1 else values
        expected = shapes.setdefault((vector.model, vector.stem), values.shape)
        if values.dtype.kind not in "fiu" or values.ndim != 2 or not np.isfinite(values).all():
            problems.append(Problem(
                str(vector.path.name), f"{values.dtype} of shape {values.shape}, or NaN",
                "finite numbers, 1 × dimensions or layers × dimensions", "Download it again.",
            ))  # fmt: skip
        elif values.shape != expected:
            problems.append(Problem(
                str(vector.path.name), f"shape {values.shape}", f"{expected}, as of other songs",
                "Download it again.",
            ))  # fmt: skip
        ready.append((vector, values))
    if problems:
        return problems
    for vector, values in tqdm(ready, desc="converting", unit="file", disable=len(ready) < 500):
        place = folder / "embeddings" / vector.model / vector.stem / f"{vector.track}.npz"
        names = [f"layer_{i:02d}" for i in range(len(values))]
        names = ["audio_embedding"] if len(values) == 1 else names
        layers = dict(zip(names, values.astype(np.float32), strict=True))
        if _same(place, layers):
            continue
        with atomic_path(place) as part:
            np.savez(part, **layers)
    return []


def _same(place: Path, layers) -> bool:
    if not place.is_file():
        return False
    try:
        with np.load(place) as archive:
            return set(archive.files) == set(layers) and all(
                np.array_equal(archive[name], values) for name, values in layers.items()
            )
    except (ValueError, OSError, zipfile.BadZipFile, EOFError):
        return False


def _write_tables(folder, sheet, descriptors, songs) -> None:
    sheet = sheet.loc[songs]
    style = "style_family" if "style_family" in sheet else "style"
    facts = [n for n in sheet if n not in _QUERIES and n not in ("artist", "song", style)]
    tracks = pd.DataFrame(
        {"track_id": songs, "title": sheet["song"].to_numpy(),
         "artist": sheet["artist"].to_numpy(),
         "style": sheet[style].astype("str").str.strip().str.lower().to_numpy()}
    )  # fmt: skip
    for name in facts:
        tracks["substyle" if name == "style" else name] = sheet[name].to_numpy()
    ratings = pd.concat(
        [
            pd.DataFrame({"track_id": songs, "query": query, "rating": sheet[name].to_numpy()})
            for name, (query, *_) in _QUERIES.items()
            if name in sheet
        ],
        ignore_index=True,
    )
    table = descriptors.loc[songs].rename_axis("track_id").reset_index()
    for name, frame in (("tracks", tracks), ("ratings", ratings), ("descriptors", table)):
        write_if_changed(folder / f"{name}.csv", frame.to_csv(index=False))


def _meta(sheet, songs) -> dict:
    queries = {}
    for name, (query, wording, scale) in _QUERIES.items():
        if name not in sheet:
            continue
        queries[query] = wording
        if scale is not None:
            values = sheet.loc[songs, name]
            low, high = min(scale[0], values.min()), max(scale[1], values.max())
            ends = [float(math.floor(low)), float(math.ceil(high))]
            queries[query] = {"wording": wording, "scale": ends}
    style = "style_family" if "style_family" in sheet else "style"
    styles = sorted(sheet.loc[songs, style].astype("str").str.strip().str.lower().unique())
    return {
        "title": "Groove ratings of Marmoret, Farrugia & Stupacher (2026)",
        "queries": queries,
        "scale": [1, 100],
        "styles": styles,
        "licence": "See osf.io/3zjkd and osf.io/p2wzr: downloaded when needed, not redistributed.",
        "citation": (
            "Marmoret, A., Farrugia, N., & Stupacher, J. (2026). Can pre-trained Deep Learning "
            "models predict groove ratings? arXiv:2603.27237."
        ),
        "source": "https://osf.io/3zjkd, https://osf.io/p2wzr",
        "simulated": False,
    }


def _shorten(problems, place) -> list[Problem]:
    rest = len(problems) - MAX_ROWS_TOLD
    told = problems[:MAX_ROWS_TOLD]
    if rest > 0:
        told.append(Problem(str(place), f"{rest} more such problems", "none", "See above."))
    return told


# --- fetching ----------------------------------------------------------------------------------


def download_marmoret2026(place: str | os.PathLike | None = None) -> Path:
    """Download the published files from OSF, resuming what was broken off.

    Parameters
    ----------
    place : path-like, optional
        Where to keep them; ``marmoret2026`` in the cache by default.

    Returns
    -------
    pathlib.Path
        `place`. Its ``manifest.json`` records size and SHA-256 of each file on first fetch; files
        already there are held against it.

    Raises
    ------
    ConnectionError
        OSF cannot be reached and nothing was fetched before; says what to do by hand.
    StudyError
        A file is not what it was when it was first fetched, or not what OSF says it is.
    """
    place = cache_folder() / "marmoret2026" if place is None else Path(place)
    manifest_path = place / "manifest.json"
    manifest = json.loads(manifest_path.read_text()) if manifest_path.is_file() else {}
    try:
        listed = [entry for project in OSF_PROJECTS for entry in _list_project(project)]
    except (OSError, RuntimeError) as error:
        by_hand = any(place.rglob("*.xlsx")) or any(place.rglob("*.zip"))
        if by_hand:
            _check_manifest(place, manifest)
            return place
        raise ConnectionError(
            f"OSF could not be reached ({error}). Download by hand: all files of "
            "https://osf.io/3zjkd (groove_ratings.xlsx, groove_MIR_features.csv) and of "
            f"https://osf.io/p2wzr (the embeddings; one archive is at {_ZIP}), put them into "
            f"{place}, in any folders, and run again. If OSF refused because of too many requests "
            "(status 429), wait an hour or set OSF_TOKEN to a token of your own."
        ) from error
    problems = []
    for name, url, size, sha256 in tqdm(listed, desc="OSF", unit="file"):
        target = place / name
        known = manifest.get(name, {})
        if not (target.is_file() and known and target.stat().st_size == known["size"]):
            _fetch(url, target, size)
            known = {}
        digest = hash_file(target)
        for expected, who in ((sha256, "OSF says"), (known.get("sha256"), "it was")):
            if expected and digest != expected:
                mend = f"Delete {target} and run again."
                problems.append(Problem(name, f"sha256 {digest}", f"{who} {expected}", mend))
        manifest[name] = {"size": target.stat().st_size, "sha256": known.get("sha256", digest)}
        if not problems:
            write_if_changed(manifest_path, json.dumps(manifest, indent=1, sort_keys=True))
    if problems:
        raise StudyError(place, _shorten(problems, place))
    return place


def _check_manifest(place: Path, manifest: dict) -> None:
    problems = []
    for name, known in manifest.items():
        path = place / name
        if not path.is_file():
            problems.append(Problem(name, "no such file", "it, as fetched", "Fetch it again."))
        elif hash_file(path) != known["sha256"]:
            mend = f"Delete {path} and fetch it again."
            problems.append(Problem(name, "other bytes", f"sha256 {known['sha256']}", mend))
    if problems:
        raise StudyError(place, _shorten(problems, place))


def _list_project(project: str):
    """Files of a project and its components: name, address, size, SHA-256 (None if not told)."""
    from osfclient.api import OSF
    from osfclient.exceptions import OSFException

    try:
        for storage in OSF(token=os.environ.get("OSF_TOKEN")).project(project).storages:
            for file in storage.files:
                if _WANTED.search(file.name or ""):
                    name = f"{project}/{file.path.lstrip('/')}"
                    yield name, file._download_url, file.size, (file.hashes or {}).get("sha256")
    except (OSFException, KeyError) as error:
        raise RuntimeError(f"project {project}: {error}") from error
    answer = requests.get(f"{_API}/nodes/{project}/children/", timeout=30)
    answer.raise_for_status()
    for child in answer.json()["data"]:
        yield from _list_project(child["id"])


def _fetch(url: str, target: Path, size: int | None) -> None:
    """Download one file, going on where an earlier try broke off."""
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    have = part.stat().st_size if part.is_file() else 0
    if size is None or have != size:
        headers = {"Range": f"bytes={have}-"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=60) as answer:
            answer.raise_for_status()
            with part.open("ab" if answer.status_code == 206 else "wb") as out:
                for block in answer.iter_content(1 << 20):
                    out.write(block)
    if size is not None and part.stat().st_size != size:
        raise ConnectionError(
            f"{target.name}: {part.stat().st_size} of {size} bytes came; run again to go on."
        )
    part.replace(target)
