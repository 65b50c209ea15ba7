"""Load a study folder."""

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
    """Load a study by its name in the catalogue, or from its folder.

    Parameters
    ----------
    name : str or path-like
        ``demo`` or another name of :func:`groove_utils.study.list_studies`, or a folder with a
        ``study.yml``. A catalogued study that does not exist yet is made (``demo``) or downloaded.
    validate : bool
        Check the tables first (``make`` checks the audio too).

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        If the folder violates the contract; the error lists all problems.
    FileNotFoundError
        If there is no catalogued study and no study folder of that name.
    """
    folder = Path(name)
    if not (folder / "study.yml").is_file():
        if str(name) not in (names := catalogue.dataset_names()):
            raise FileNotFoundError(
                f"{name} is not a folder with a study.yml, nor one of the studies "
                f"{', '.join(names)}. Start your own with `python -m groove_utils.study new`."
            )
        folder = build_folder(str(name)) / "study"
        if not (folder / "study.yml").is_file():
            catalogue.prepare_study(str(name), folder)
    if validate:
        # imported here, since pandera takes longer to load than a study
        from groove_utils.study.validate import validate_study

        StudyError.raise_any(folder, validate_study(folder, check_audio=False))
    return Study(folder)


class Study:
    """A study folder, whose files are read when needed.

    Parameters
    ----------
    path : path-like
        A folder without problems (see :func:`groove_utils.study.validate_study`).

    Attributes
    ----------
    path : pathlib.Path
    files_read : set of pathlib.Path
        Files read so far, from which Make knows what each chapter depends on.
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
        """Wording of each rated query, except :attr:`controls` and :attr:`constant_queries`."""
        used = set(self._all_ratings["query"]) - {*self.controls, *self.constant_queries}
        return {query: text for query, text in self._wordings().items() if query in used}

    @property
    def controls(self) -> dict[str, str]:
        """The only cause of the answers to each control question: ``"none"`` or ``"style"``.

        Methods must find nothing in the former, and nothing within styles in the latter.
        :attr:`ratings` and :attr:`scales` include controls.
        """
        return dict(self.meta.get("controls") or {})

    def _wordings(self) -> dict[str, str]:
        return {
            query: entry["wording"] if isinstance(entry, dict) else entry
            for query, entry in self.meta["queries"].items()
        }

    @cached_property
    def constant_queries(self) -> dict[str, float]:
        """Queries to which all answers are the same, with that answer.

        They have no variance to explain, so they are left out of :attr:`queries` and
        :attr:`ratings`, unless there is no other query.
        """
        answers = self._all_ratings.groupby("query")["rating"].agg(["min", "max"])
        constant = answers.loc[answers["min"] == answers["max"], "min"].to_dict()
        return constant if set(answers.index) - {*constant, *self.controls} else {}

    @property
    def scales(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest possible rating of each query."""
        return query_scales(self.meta)

    @cached_property
    def tracks(self) -> pd.DataFrame:
        """One row per track: track_id, title, artist, style, audio, and any facts.

        Facts named like a column of another of the three tables are left out, here and in
        :attr:`listeners`.
        """
        return self._facts("tracks.csv")

    @cached_property
    def song_names(self) -> pd.Series:
        """Name of each track for readers, ``artist: title``, indexed by track_id.

        The track_id stands in for a missing title, and behind a name that several tracks have.
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
        """One row per rating: track_id, query, rating, and listener_id if there are any.

        Without :attr:`constant_queries`.
        """
        varied = ~self._all_ratings["query"].isin(list(self.constant_queries))
        return self._all_ratings[varied].reset_index(drop=True)

    @cached_property
    def listeners(self) -> pd.DataFrame | None:
        """One row per listener, or None if there are only song means."""
        if (self.path / "listeners.csv").is_file():
            return self._facts("listeners.csv")
        if "listener_id" in self.ratings:
            return self.ratings[["listener_id"]].drop_duplicates(ignore_index=True)
        return None

    @property
    def styles(self) -> list[str]:
        """Styles in the order of ``study.yml`` if given there, otherwise in alphabetical order."""
        styles = set(self.tracks["style"])
        listed = [style for style in self.meta.get("styles") or [] if style in styles]
        return listed + sorted(styles - set(listed))

    @cached_property
    def descriptors(self) -> pd.DataFrame | None:
        """Precomputed handcrafted descriptors, indexed by track_id, or None."""
        if not (self.path / "descriptors.csv").is_file():
            return None
        return self._table("descriptors.csv").set_index("track_id")

    def has(self, what: str) -> bool:
        """Return True if the study has the given optional part.

        Parameters
        ----------
        what : {'audio', 'stems', 'listeners', 'embeddings', 'stem-embeddings', 'descriptors', \
'truth', 'styles'}
            ``styles`` and ``listeners`` require more than one; ``truth`` is the known effects of a
            simulation, and ``stem-embeddings`` are vectors of single stems.
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
        """Return the mean rating of each track over its listeners.

        Parameters
        ----------
        query : str
            One of :attr:`queries` or :attr:`controls`.

        Returns
        -------
        pandas.Series of float, indexed by track_id in the order of :attr:`tracks`
            NaN if a track has no rating on that query.
        """
        rows = self._query(query)
        means = rows.groupby("track_id")["rating"].mean()
        return means.reindex(self.tracks["track_id"]).rename(query)

    def rating_matrix(self, query: str) -> pd.DataFrame:
        """Return the ratings on one query, listeners × tracks, with NaN for missing ones."""
        if "listener_id" not in self.ratings:
            path = self.path / "ratings.csv"
            message = f"{path} has no column listener_id, only song means."
            raise DetailedError(message, kind="no_listeners", path=path, column="listener_id")
        table = self._query(query).pivot(index="listener_id", columns="track_id", values="rating")
        return table.reindex(columns=self.tracks["track_id"])

    def audio_path(self, track_id: str) -> Path:
        """Return the file of a track's full mix."""
        if track_id not in self._audio_files:
            raise self._unknown("audio", track_id, "tracks.csv", self.tracks["track_id"])
        return self._reading(self._audio_files[track_id])

    @cached_property
    def _audio_files(self) -> dict[str, str]:
        """Relative path of the full mix by track, without tracks that have none."""
        return self.tracks.set_index("track_id")["audio"].dropna().to_dict()

    def stem_paths(self, track_id: str) -> dict[str, Path]:
        """Return the files of a track's stems, in the order drums, bass, other, vocals."""
        folder = find_file(self.path, f"stems/{track_id}")
        files = {file.stem: file for file in sorted(folder.glob("*"))}
        return {stem: self._reading(files[stem]) for stem in STEMS if stem in files}

    def vector_paths(self, model: str, stems: Iterable[str] | None = None) -> dict[str, Path]:
        """Return the archives of a model's precomputed vectors, by track.

        Parameters
        ----------
        model : str
        stems : iterable of str, optional
            Vectors of the sum of these stems rather than of the full mix.

        Returns
        -------
        dict of str to pathlib.Path
            In the order of :attr:`tracks`; tracks without an archive are left out.
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
        """Decode a track's full mix, see :func:`groove_utils.audio.load_audio`."""
        return audio.load_audio(self.audio_path(track_id), sr=sr, mono=mono)

    def load_stem(
        self, track_id: str, stem: str, sr: int | None = None, mono: bool = True
    ) -> tuple[np.ndarray, int]:
        """Decode one stem of a track, see :func:`groove_utils.audio.load_audio`."""
        stems = self.stem_paths(track_id)
        if stem not in stems:
            raise self._unknown("stem", stem, f"stems/{track_id}", stems)
        return audio.load_audio(stems[stem], sr=sr, mono=mono)

    def truth(self, name: str) -> pd.DataFrame:
        """Return a table with the known truth of a simulated study, ``truth/<name>.csv``."""
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
        """Read a table without the columns of other tables, with which it will be joined."""
        table = self._table(file)
        return table.drop(columns=unread_columns(file, table))

    def _table(self, file: str) -> pd.DataFrame:
        self._reading(file)
        return read_table(self.path, file)
