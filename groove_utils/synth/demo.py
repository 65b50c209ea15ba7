"""Write the demo study: a folder of songs, stems, simulated listeners, and the truth about both.

The book's default study (`STUDY=demo`); appendix «The demo study and its truth».
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pandas as pd
import soundfile
import yaml
from joblib import Parallel, delayed
from tqdm import tqdm

from groove_utils.cache import VERSIONS
from groove_utils.files import atomic_path, hash_bytes, hash_file, write_if_changed
from groove_utils.study.catalogue import get_dataset
from groove_utils.synth.arrange import STEMS, STYLES, Song, compose
from groove_utils.synth.features import level_features, score_features
from groove_utils.synth.listeners import (
    QUESTIONS,
    RATED,
    SCALE,
    default_effects,
    effects_as_rated,
    groove_score,
    simulate_listeners,
)
from groove_utils.synth.render import render
from groove_utils.synth.soundfont import SAMPLE_RATE, default_soundfont

__all__ = ["make_demo"]


def make_demo(
    folder: str | os.PathLike,
    *,
    seed: int = 2026,
    n_bands: int = 24,
    songs_per_band: int = 4,
    n_listeners: int = 120,
    songs_per_listener: int = 24,
    jobs: int = 2,
    progress: bool = True,
) -> Path:
    """Make the demo study, or finish or refresh one that is there.

    Songs that are there already and came from the same score, renderer and SoundFont are left
    alone; files are whole or absent, so that a run that was killed can be run again. The bytes
    are the same on every run on one machine, whatever `jobs` is.

    Parameters
    ----------
    folder : path-like
        Where to; made if need be. Songs of an earlier, larger run are removed.
    seed : int
        Seed of everything.
    n_bands : int
        ≥ 1; styles take turns, so multiples of 3 are balanced.
    songs_per_band : int
        ≥ 1.
    n_listeners, songs_per_listener : int
        Simulated listeners, and how many songs each of them rates.
    jobs : int
        Processes that render at a time.
    progress : bool
        Show a progress bar.

    Returns
    -------
    pathlib.Path
        The folder: ``study.yml, tracks.csv, listeners.csv, ratings.csv, audio/, stems/, truth/``.

    Raises
    ------
    ValueError
        If a count is below 1, or listeners are to rate more songs than there are.
    """
    for name, count in (
        ("n_bands", n_bands),
        ("songs_per_band", songs_per_band),
        ("n_listeners", n_listeners),
        ("songs_per_listener", songs_per_listener),
    ):
        if count < 1:
            raise ValueError(f"{name} is {count}, expected 1 or more.")
    if songs_per_listener > n_bands * songs_per_band:
        raise ValueError(
            f"songs_per_listener is {songs_per_listener}, but there are only "
            f"{n_bands * songs_per_band} songs. Lower it, or raise n_bands or songs_per_band."
        )
    folder = Path(folder)
    songs = [compose(seed, b, s) for b in range(n_bands) for s in range(songs_per_band)]
    levels = _render_all(folder, songs, jobs, progress)
    _remove_others(folder, {song.track_id for song in songs})
    truth = pd.DataFrame(
        {
            "track_id": song.track_id,
            "band": song.band.name,
            "style": song.band.style,
            **score_features(song),
            **levels[song.track_id],
        }
        for song in songs
    ).sort_values("track_id", ignore_index=True)
    write_if_changed(folder / "truth" / "songs.csv", _csv(truth))
    # read back, so that ratings follow from the written numbers and not from their last digits
    truth = pd.read_csv(folder / "truth" / "songs.csv")
    simulated = simulate_listeners(
        truth,
        default_effects(),
        seed=seed,
        n_listeners=n_listeners,
        songs_per_listener=songs_per_listener,
    )
    tables = {
        "tracks.csv": _tracks(songs),
        "listeners.csv": simulated.listeners,
        "ratings.csv": simulated.ratings,
        "truth/listeners.csv": simulated.truth["listeners"],
        "truth/song_effects.csv": simulated.truth["songs"],
        "truth/effects.csv": default_effects().table(),
        "truth/effects_as_rated.csv": effects_as_rated(truth, default_effects(), seed),
        "truth/onsets.csv": _onsets(songs),
    }
    for name, table in tables.items():
        write_if_changed(folder / name, _csv(table))
    write_if_changed(folder / "study.yml", _study_yml(seed, n_bands, n_listeners))
    _remove_parts(folder)
    return folder


def _render_all(folder, songs, jobs, progress):
    """Render what is not there; give each song's levels, from its manifest or measured."""
    soundfont = hash_file(default_soundfont())
    levels = {song.track_id: _levels_of_rendered(folder, song, soundfont) for song in songs}
    missing = [song for song in songs if levels[song.track_id] is None]
    if not missing:
        return levels
    work = (delayed(_render_one)(folder, song, soundfont) for song in missing)
    done = tqdm(
        Parallel(n_jobs=jobs, return_as="generator")(work),
        total=len(missing),
        desc="Rendering songs",
        unit="song",
        disable=not progress,
    )
    return levels | dict(done)


def _paths(folder, song):
    """Where a song's manifest is, and where its mix and stems are."""
    sounds = {"mix": folder / "audio" / f"{song.track_id}.flac"}
    for stem in STEMS:
        sounds[stem] = folder / "stems" / song.track_id / f"{stem}.flac"
    return folder / "truth" / "rendered" / f"{song.track_id}.yml", sounds


def _key(song, soundfont):
    return hash_bytes(repr(song), _score_text(song), VERSIONS["rendering"], soundfont)


def _levels_of_rendered(folder, song, soundfont):
    """Levels of a song whose files are whole and come from this score; None where not."""
    manifest, sounds = _paths(folder, song)
    if not manifest.is_file() or not all(path.is_file() for path in sounds.values()):
        return None
    known = yaml.safe_load(manifest.read_text())
    if known["key"] != _key(song, soundfont):
        return None
    whole = all(hash_file(path) == known["files"][name] for name, path in sounds.items())
    return known["levels"] if whole else None


def _render_one(folder, song: Song, soundfont):
    manifest, paths = _paths(folder, song)
    sounds = render(song)
    for name, path in paths.items():
        with atomic_path(path) as part:
            soundfile.write(part, sounds[name].T, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    levels = {name: round(value, 4) for name, value in level_features(sounds).items()}
    entry = {
        "key": _key(song, soundfont),
        "levels": levels,
        "files": {name: hash_file(path) for name, path in paths.items()},
    }
    write_if_changed(manifest, yaml.safe_dump(entry, sort_keys=True))
    return song.track_id, levels


def _score_text(song):
    notes = "\n".join(
        f"{n.part} {n.time:.6f} {n.duration:.6f} {n.pitch} {n.velocity}" for n in song.notes
    )
    return f"{notes}\n{song.band!r}"


def _remove_others(folder, wanted):
    """Take away songs of an earlier run that this study does not have."""
    for path in [*folder.glob("audio/*.flac"), *folder.glob("truth/rendered/*.yml")]:
        if path.stem not in wanted and not path.name.startswith("."):
            path.unlink()
    for stems in folder.glob("stems/*"):
        if stems.is_dir() and stems.name not in wanted:
            for path in stems.glob("*.flac"):
                path.unlink()
            if not any(stems.iterdir()):
                stems.rmdir()


def _remove_parts(folder):
    """Take away what a killed run left half-written; a live one needs a second for a file."""
    for path in folder.rglob(".*-*"):
        if path.is_file() and time.time() - path.stat().st_mtime > 60:
            path.unlink(missing_ok=True)


def _tracks(songs):
    names = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"]
    return pd.DataFrame(
        {
            "track_id": song.track_id,
            "title": song.title,
            "artist": song.band.name,
            "style": song.band.style,
            "audio": f"audio/{song.track_id}.flac",
            "tempo": song.tempo,
            "key": names[song.key],
            "n_bars": song.n_bars,
            "duration": round(song.seconds, 3),
        }
        for song in songs
    ).sort_values("track_id", ignore_index=True)


def _onsets(songs):
    rows = [
        (s.track_id, n.stem, n.part, n.time, n.duration, n.pitch, n.velocity, n.bar, int(n.step))
        for s in sorted(songs, key=lambda song: song.track_id)
        for n in s.notes
    ]
    columns = ["track_id", "stem", "instrument", "time", "duration", "pitch", "velocity"]
    return pd.DataFrame(rows, columns=[*columns, "bar", "step"])


def _csv(table):
    return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _study_yml(seed, n_bands, n_listeners):
    # the derived score has a scale of its own: what it comes to at either end of the ratings'
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
        "scale": list(SCALE),
        "styles": list(STYLES[: min(n_bands, len(STYLES))]),
        "licence": demo.licence,
        "citation": demo.cite(),
    }
    return yaml.safe_dump(meta, sort_keys=False, allow_unicode=True, width=88)
