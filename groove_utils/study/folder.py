"""Load study folders."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from groove_utils import audio
from groove_utils.errors import DetailedError
from groove_utils.paths import build_folder
from groove_utils.study import catalogue
from groove_utils.study.containment import find_file
from groove_utils.study.metadata import read_metadata
from groove_utils.study.problems import StudyError, UnknownNameError
from groove_utils.study.stem_names import STEMS, subset_name
from groove_utils.study.tables import RATING_COLUMNS, query_scales, read_table, unread_columns

__all__ = ["Study", "load_study"]


def load_study(name: str | os.PathLike = "demo", *, validate: bool = True) -> Study:
    """Load a study from the catalogue or from a folder.

    Parameters
    ----------
    name : str or path-like
        Name of a catalogued study, such as ``demo`` (see :func:`groove_utils.study.list_studies`),
        or path of a folder that contains a ``study.yml``. A catalogued study that has not been
        prepared yet is generated (``demo``) or downloaded.
    validate : bool
        If True, check the study first, but not the content of its audio files and embeddings.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If the folder has problems; the error lists all of them.
    FileNotFoundError
        If `name` is neither a catalogued study nor a study folder.
    """
    folder = Path(name)
    if not (folder / "study.yml").is_file():
        if str(name) not in (names := catalogue.dataset_names()):
            raise FileNotFoundError(
                f"{name} is neither a folder with a study.yml nor one of the catalogued studies "
                f"{', '.join(names)}. Create a new study with `python -m groove_utils.study new`."
            )
        folder = build_folder(str(name)) / "study"
        if not (folder / "study.yml").is_file():
            catalogue.prepare_study(str(name), folder)
    if validate:
        # imported here, because pandera takes longer to import than a study takes to load
        from groove_utils.study.validate import validate_study

        StudyError.raise_any(folder, validate_study(folder, check_audio=False))
    return Study(folder)


class Study:
    """Data from a study folder; each file is read when it is first needed.

    Parameters
    ----------
    path : path-like
        A study folder without problems; see :func:`groove_utils.study.validate_study`.

    Attributes
    ----------
    path : pathlib.Path
        The study folder.
    files_read : set of pathlib.Path
        Files read so far. Make re-runs a chapter if one of the files that it read has changed.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.files_read: set[Path] = set()

    def __repr__(self) -> str:
        listeners = self._all_ratings.get("listener_id", pd.Series(dtype=str)).nunique()
        return (
            f"<Study “{self.title}”: {len(self.tracks)} tracks by "
            f"{self.tracks['artist'].nunique()} artists, {listeners or 'no'} listeners, "
            f"{len(self._all_ratings)} ratings>"
        )

    @cached_property
    def meta(self) -> dict:
        """Content of ``study.yml``."""
        self._reading("study.yml")
        return read_metadata(self.path)

    @property
    def title(self) -> str:
        """Title of the study."""
        return self.meta["title"]

    @property
    def simulated(self) -> bool:
        """True if the ratings are simulated."""
        return bool(self.meta.get("simulated", False))

    @cached_property
    def queries(self) -> dict[str, str]:
        """Wording of each query that has ratings.

        Queries in :attr:`controls` and :attr:`constant_queries` are excluded.
        """
        used = set(self._all_ratings["query"]) - {*self.controls, *self.constant_queries}
        return {query: text for query, text in self._wordings().items() if query in used}

    @property
    def controls(self) -> dict[str, str]:
        """Control questions, mapped to what their ratings depend on: ``"style"`` or ``"none"``.

        If ratings depend only on the style of a song, methods should find no effect within styles.
        If they do not depend on the song at all (``"none"``), methods should find no effect.
        Control questions are also included in :attr:`ratings` and :attr:`scales`.
        """
        return dict(self.meta.get("controls") or {})

    def _wordings(self) -> dict[str, str]:
        return {
            query: entry["wording"] if isinstance(entry, dict) else entry
            for query, entry in self.meta["queries"].items()
        }

    @cached_property
    def constant_queries(self) -> dict[str, float]:
        """Queries whose ratings are all equal, each mapped to its constant rating.

        These queries have no variance to explain, so they are excluded from :attr:`queries` and
        :attr:`ratings`. If all queries except :attr:`controls` are constant, the mapping is empty
        and no query is excluded.
        """
        ranges = self._all_ratings.groupby("query")["rating"].agg(["min", "max"])
        constant = ranges.loc[ranges["min"] == ranges["max"], "min"].to_dict()
        return constant if set(ranges.index) - {*constant, *self.controls} else {}

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest possible rating for each query."""
        return query_scales(self.meta)

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """Table with one row per track: track_id, title, artist, style, audio and any other
        columns.

        Columns with names that are reserved for the tables of listeners and ratings, such as
        ``rating``, are dropped.
        """
        return self._facts("tracks.csv")

    @cached_property
    def song_names(self) -> pd.Series:
        """Display name of each track, ``artist: title``, indexed by track_id.

        A missing title is replaced by the track_id. If two or more tracks have the same name, their
        track_ids are appended.
        """
        ids = self.tracks["track_id"]
        names = self.tracks["artist"] + ": " + self.tracks["title"].fillna(ids)
        names = names.where(~names.duplicated(keep=False), names + " (" + ids + ")")
        return names.set_axis(ids).rename("name")

    @cached_property
    def _all_ratings(self) -> pd.DataFrame:
        table = self._table("ratings.csv")
        return table[[name for name in RATING_COLUMNS if name in table]]

    @cached_property
    def ratings(self) -> pd.DataFrame:
        """Table with one row per rating: track_id, query, rating and, if known, listener_id.

        Ratings on :attr:`constant_queries` are excluded.
        """
        varied = ~self._all_ratings["query"].isin(list(self.constant_queries))
        return self._all_ratings[varied].reset_index(drop=True)

    @cached_property
    def listeners(self) -> pd.DataFrame | None:
        """Table with one row per listener, or None if listeners are unknown.

        The columns are listener_id and, if the study has a ``listeners.csv``, its other columns.
        """
        if (self.path / "listeners.csv").is_file():
            return self._facts("listeners.csv")
        if "listener_id" in self.ratings:
            return self.ratings[["listener_id"]].drop_duplicates(ignore_index=True)
        return None

    @property
    def styles(self) -> list[str]:
        """Styles in the order given in ``study.yml``, then any others in alphabetical order."""
        styles = set(self.tracks["style"])
        listed = [style for style in self.meta.get("styles") or [] if style in styles]
        return listed + sorted(styles - set(listed))

    @cached_property
    def descriptors(self) -> pd.DataFrame | None:
        """Precomputed descriptors, indexed by track_id; None if there is no ``descriptors.csv``."""
        if not (self.path / "descriptors.csv").is_file():
            return None
        return self._table("descriptors.csv").set_index("track_id")

    def has(self, what: str) -> bool:
        """Return True if the study contains a given kind of optional data.

        Parameters
        ----------
        what : {'audio', 'stems', 'listeners', 'embeddings', 'stem-embeddings', 'descriptors', \
'truth', 'styles'}
            Kind of data. ``audio`` and ``stems`` must exist for all tracks; there must be at least
            two ``styles`` or ``listeners``; ``truth`` means tables of the known effects in a
            simulation, and ``stem-embeddings`` means precomputed vectors of stems.
        """
        match what:
            case "audio":
                return "audio" in self.tracks and bool(self.tracks["audio"].notna().all())
            case "listeners":
                ids = self.ratings.get("listener_id")
                return ids is not None and ids.nunique() > 1
            case "styles":
                return len(self.styles) > 1
            case "stems":
                tracks = self.tracks["track_id"]
                return all(find_file(self.path, f"stems/{track}").is_dir() for track in tracks)
            case "truth":
                return (self.path / what).is_dir()
            case "embeddings":
                return next((self.path / "embeddings").glob("*/*.npz"), None) is not None
            case "stem-embeddings":
                return next((self.path / "embeddings").glob("*/*/*.npz"), None) is not None
            case "descriptors":
                return (self.path / "descriptors.csv").is_file()
        parts = "audio, stems, listeners, embeddings, stem-embeddings, descriptors, truth, styles"
        message = f"Study.has({what!r}): expected one of {parts}."
        raise DetailedError(message, kind="unknown_part", value=what)

    def song_means(self, query: str) -> pd.Series:
        """Return each track's mean rating over listeners.

        Parameters
        ----------
        query : str
            One of :attr:`queries` or :attr:`controls`.

        Returns
        -------
        pandas.Series of float
            Mean ratings, indexed by track_id in the order of :attr:`tracks`; NaN for tracks without
            a rating on the query.
        """
        rows = self._query(query)
        means = rows.groupby("track_id")["rating"].mean()
        return means.reindex(self.tracks["track_id"]).rename(query)

    def rating_matrix(self, query: str) -> pd.DataFrame:
        """Return the ratings on one query as a listeners × tracks table, with NaN for missing
        ratings.

        Raises
        ------
        DetailedError
            If the study has no ratings by individual listeners (``kind="no_listeners"``).
        """
        if "listener_id" not in self.ratings:
            path = self.path / "ratings.csv"
            message = f"{path} has no column listener_id, only song means."
            raise DetailedError(message, kind="no_listeners", path=path, column="listener_id")
        table = self._query(query).pivot(index="listener_id", columns="track_id", values="rating")
        return table.reindex(columns=self.tracks["track_id"])

    def audio_path(self, track_id: str) -> Path:
        """Return the path of a track's full mix."""
        if track_id not in self._audio_files:
            raise self._unknown("audio", track_id, "tracks.csv", self.tracks["track_id"])
        return self._reading(self._audio_files[track_id])

    @cached_property
    def _audio_files(self) -> dict[str, str]:
        """Relative path of each track's full mix, for tracks with audio."""
        return self.tracks.set_index("track_id")["audio"].dropna().to_dict()

    def stem_paths(self, track_id: str) -> dict[str, Path]:
        """Return the path of each existing stem (drums, bass, other, vocals) of a track."""
        folder = find_file(self.path, f"stems/{track_id}")
        files = {file.stem: file for file in sorted(folder.glob("*"))}
        return {stem: self._reading(files[stem]) for stem in STEMS if stem in files}

    def vector_paths(self, model: str, stems: Iterable[str] | None = None) -> dict[str, Path]:
        """Return the paths of a model's precomputed vectors.

        Parameters
        ----------
        model : str
            Name of the model's folder in ``embeddings/``.
        stems : iterable of str, optional
            If given, return the vectors for the sum of these stems instead of the full mix.

        Returns
        -------
        dict of str to pathlib.Path
            Path of each track's NPZ archive, in the order of :attr:`tracks`. Tracks without an
            archive are omitted.
        """
        place = (
            f"embeddings/{model}" if stems is None else f"embeddings/{model}/{subset_name(stems)}"
        )
        archives = {track: f"{place}/{track}.npz" for track in self.tracks["track_id"]}
        return {
            track: self._reading(archive)
            for track, archive in archives.items()
            if find_file(self.path, archive).is_file()
        }

    def load(
        self, track_id: str, sr: int | None = None, mono: bool = True
    ) -> tuple[np.ndarray, int]:
        """Decode a track's full mix; see :func:`groove_utils.audio.load_audio`."""
        return audio.load_audio(self.audio_path(track_id), sr=sr, mono=mono)

    def load_stem(
        self, track_id: str, stem: str, sr: int | None = None, mono: bool = True
    ) -> tuple[np.ndarray, int]:
        """Decode one stem of a track; see :func:`groove_utils.audio.load_audio`."""
        stems = self.stem_paths(track_id)
        if stem not in stems:
            raise self._unknown("stem", stem, f"stems/{track_id}", stems)
        return audio.load_audio(stems[stem], sr=sr, mono=mono)

    def truth(self, name: str) -> pd.DataFrame:
        """Return ``truth/<name>.csv``, a table of the known effects in a simulated study."""
        return self._table(f"truth/{name}.csv")

    def _query(self, query: str) -> pd.DataFrame:
        names = [*self.queries, *self.controls]
        if query not in names:
            raise self._unknown("query", query, "study.yml", names)
        return self.ratings[self.ratings["query"] == query]

    def _unknown(self, what: str, name: str, file: str, names: Iterable) -> UnknownNameError:
        listed = ", ".join(list(names)[:10]) or "none"
        message = f"{self.path / file}: no {what} {name!r}; expected one of {listed}."
        return UnknownNameError(message, kind=f"unknown_{what}", path=self.path / file, value=name)

    def _reading(self, file: str | os.PathLike) -> Path:
        path = find_file(self.path, os.fspath(file))
        self.files_read.add(path)
        return path

    def _facts(self, file: str) -> pd.DataFrame:
        """Read a table, and drop the columns whose names are reserved for other tables."""
        table = self._table(file)
        return table.drop(columns=unread_columns(file, table))

    def _table(self, file: str) -> pd.DataFrame:
        self._reading(file)
        return read_table(self.path, file)
