"""Generation of the demo study: songs, stems, simulated listeners, and their ground truth.

This is the book's default study (`STUDY=demo`); see the appendix "The demo study and its known
effects".
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import yaml
from joblib import Parallel, delayed
from tqdm import tqdm

from groove_utils.audio.encode import write_audio
from groove_utils.cache import cache_key
from groove_utils.files import hash_file, write_if_changed
from groove_utils.study.catalogue import get_dataset
from groove_utils.study.stem_names import STEMS
from groove_utils.synth.bands import STYLES
from groove_utils.synth.clipping import effects_as_rated
from groove_utils.synth.composition import compose
from groove_utils.synth.features import level_features, score_features
from groove_utils.synth.listener_effects import SimulationError, default_effects
from groove_utils.synth.listeners import simulate_listeners
from groove_utils.synth.questionnaire import (
    CONTROLS,
    QUESTIONS,
    RATED,
    SCALE,
    groove_score,
    question_table,
)
from groove_utils.synth.rendering import render
from groove_utils.synth.score import Song
from groove_utils.synth.soundfont import SAMPLE_RATE, default_soundfont

__all__ = ["make_demo"]

KEYS = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")


def make_demo(
    folder: str | os.PathLike,
    *,
    seed: int = 2026,
    n_bands: int = 48,
    songs_per_band: int = 3,
    n_listeners: int = 180,
    songs_per_listener: int = 24,
    n_jobs: int = 2,
    progress: bool = True,
) -> Path:
    """Generate the demo study, or complete or update an existing copy of it.

    Existing songs that were rendered from the same score with the same version of the renderer and
    the same SoundFont are kept. Files are written atomically, so an interrupted run can simply be
    restarted. On the same machine, every run produces identical files, regardless of `n_jobs`.

    Parameters
    ----------
    folder : path-like
        Folder for the study. Any songs in it that are not part of this study are removed.
    seed : int
        Seed for all random draws.
    n_bands, songs_per_band : int
        Number of bands (a multiple of three balances the styles), and number of songs per band.
    n_listeners, songs_per_listener : int
        Number of simulated listeners, and number of songs that each listener rates.
    n_jobs : int
        Number of parallel processes.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        The study's folder.

    Raises
    ------
    SimulationError
        If a number is below 1, or `songs_per_listener` exceeds the number of songs.
    """
    _check_counts(n_bands, songs_per_band, n_listeners, songs_per_listener)
    folder = Path(folder)
    songs = [compose(seed, band, song) for band in range(n_bands) for song in range(songs_per_band)]
    songs.sort(key=lambda song: song.track_id)
    levels = _render_all(folder, songs, n_jobs, progress)
    _remove_other_songs(folder, {song.track_id for song in songs})
    truth = pd.DataFrame(
        {
            "track_id": song.track_id,
            "band": song.band.name,
            "style": song.band.style,
            **score_features(song),
            **levels[song.track_id],
        }
        for song in songs
    )
    write_if_changed(folder / "truth" / "songs.csv", _csv(truth))
    # read the table back, so that ratings depend on the rounded numbers in the file
    truth = pd.read_csv(folder / "truth" / "songs.csv")
    simulated = simulate_listeners(
        truth, seed=seed, n_listeners=n_listeners, songs_per_listener=songs_per_listener
    )
    tables = {
        "tracks.csv": _tracks(songs),
        "listeners.csv": simulated.listeners,
        "ratings.csv": simulated.ratings,
        "truth/listeners.csv": simulated.truth["listeners"],
        "truth/song_effects.csv": simulated.truth["songs"],
        "truth/questions.csv": question_table(),
        "truth/effects.csv": default_effects().table(),
        "truth/effects_as_rated.csv": effects_as_rated(truth, seed=seed),
        "truth/onsets.csv": _onsets(songs),
    }
    for name, table in tables.items():
        write_if_changed(folder / name, _csv(table))
    write_if_changed(folder / "study.yml", _study_yml(seed, n_bands, n_listeners))
    _remove_temporary_files(folder)
    return folder


def _check_counts(
    n_bands: int, songs_per_band: int, n_listeners: int, songs_per_listener: int
) -> None:
    counts = {"n_bands": n_bands, "songs_per_band": songs_per_band, "n_listeners": n_listeners,
              "songs_per_listener": songs_per_listener}  # fmt: skip
    n_songs = n_bands * songs_per_band
    for name, count in counts.items():
        is_limited = name == "songs_per_listener"
        if count < 1 or (is_limited and count > n_songs):
            limits = f"1 to {n_songs} (the number of songs)" if is_limited else "at least 1"
            raise SimulationError(
                f"{name} is {count}; expected {limits}.",
                kind="out_of_range", column=name, value=count,
            )  # fmt: skip


def _render_all(folder: Path, songs: list[Song], n_jobs: int, progress: bool) -> dict[str, dict]:
    """Render missing and outdated songs, and return the audio levels of all songs."""
    levels = {song.track_id: _rendered_levels(folder, song) for song in songs}
    missing = [song for song in songs if levels[song.track_id] is None]
    if missing:
        work = (delayed(_render_song)(folder, song) for song in missing)
        # songs by the same band share many sounds, which each process caches, so one batch
        # contains as many songs as a band has
        n_songs = max(Counter(song.band.name for song in missing).values())
        done = Parallel(n_jobs=n_jobs, return_as="generator", batch_size=n_songs)(work)
        options = {"desc": "Rendering songs", "unit": "song", "disable": not progress}
        levels |= dict(tqdm(done, total=len(missing), **options))
    return levels


def _paths(folder: Path, song: Song) -> tuple[Path, dict[str, Path]]:
    """Return the path of a song's manifest, and the paths of its mix and stems by name."""
    sounds = {"mix": folder / "audio" / f"{song.track_id}.flac"}
    for stem in STEMS:
        sounds[stem] = folder / "stems" / song.track_id / f"{stem}.flac"
    return folder / "truth" / "rendered" / f"{song.track_id}.yml", sounds


def _key(song: Song) -> str:
    """Return a hash of everything that determines a song's sound."""
    notes = "\n".join(
        f"{n.part} {n.time:.6f} {n.duration:.6f} {n.pitch} {n.velocity}" for n in song.notes
    )
    soundfont = hash_file(default_soundfont())
    return cache_key("rendering", repr(song), f"{notes}\n{song.band!r}", soundfont)


def _rendered_levels(folder: Path, song: Song) -> dict | None:
    """Return a song's levels if its files are intact and up to date; otherwise, return None."""
    manifest, sounds = _paths(folder, song)
    if not all(path.is_file() for path in [manifest, *sounds.values()]):
        return None
    entry = yaml.safe_load(manifest.read_text())
    hashes = {name: hash_file(path) for name, path in sounds.items()}
    return entry["levels"] if (entry["key"], entry["files"]) == (_key(song), hashes) else None


def _render_song(folder: Path, song: Song) -> tuple[str, dict]:
    manifest, paths = _paths(folder, song)
    sounds = render(song)
    for name, path in paths.items():
        write_audio(path, sounds[name], SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    levels = {name: round(value, 4) for name, value in level_features(sounds).items()}
    files = {name: hash_file(path) for name, path in paths.items()}
    entry = {"key": _key(song), "levels": levels, "files": files}
    write_if_changed(manifest, yaml.safe_dump(entry, sort_keys=True))
    return song.track_id, levels


def _remove_other_songs(folder: Path, wanted: set[str]) -> None:
    """Remove the files of songs that are not part of this study."""
    for path in [*folder.glob("audio/*.flac"), *folder.glob("truth/rendered/*.yml")]:
        if path.stem not in wanted and not path.name.startswith("."):
            path.unlink()
    for stems in folder.glob("stems/*"):
        if stems.is_dir() and stems.name not in wanted:
            shutil.rmtree(stems)


def _remove_temporary_files(folder: Path) -> None:
    """Remove temporary files that interrupted runs left behind and that are over a minute old."""
    for path in folder.rglob(".*-*"):
        if path.is_file() and time.time() - path.stat().st_mtime > 60:
            path.unlink(missing_ok=True)


def _tracks(songs: list[Song]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "track_id": song.track_id,
            "title": song.title,
            "artist": song.band.name,
            "style": song.band.style,
            "audio": f"audio/{song.track_id}.flac",
            "tempo": song.tempo,
            "key": KEYS[song.key],
            "n_bars": song.n_bars,
            "duration": round(song.seconds, 3),
        }
        for song in songs
    )


def _onsets(songs: list[Song]) -> pd.DataFrame:
    notes = pd.concat([pd.DataFrame(s.notes).assign(track_id=s.track_id) for s in songs])
    columns = ["track_id", "stem", "part", "time", "duration", "pitch", "velocity", "bar", "step"]
    return notes[columns].rename(columns={"part": "instrument"})


def _csv(table: pd.DataFrame) -> str:
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _study_yml(seed, n_bands, n_listeners):
    # the scale of the groove score: its values at the two ends of the rating scale
    ends = [float(groove_score(pd.DataFrame([dict.fromkeys(RATED, v)]))[0]) for v in SCALE]
    queries = {**QUESTIONS, "groove": {"wording": QUESTIONS["groove"], "scale": ends}}
    demo = get_dataset("demo")
    meta = {
        "title": demo.meta["title"],
        "simulated": demo.meta["simulated"],
        "description": (
            f"{n_bands} invented bands and {n_listeners} simulated listeners (seed {seed}). "
            "Every score, every rating and every effect behind them is known; see truth/."
        ),
        "queries": queries,
        "controls": dict(CONTROLS),
        "scale": list(SCALE),
        "styles": list(STYLES[: min(n_bands, len(STYLES))]),
        "licence": demo.licence,
        "citation": demo.cite(),
    }
    return yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=88)
