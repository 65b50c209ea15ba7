"""Separate signals, audio files or the tracks of a study into stems.

Files of any length are decoded, separated and written block by block. When tracks are separated,
their stems are cached as 32-bit floating-point WAV files.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from groove_utils.audio import AudioError, audio_duration
from groove_utils.audio.encode import stream_to_file
from groove_utils.audio.streams import ArraySource, FileSource
from groove_utils.cache import ArrayCache, cache_key
from groove_utils.errors import DetailedError, list_problems
from groove_utils.files import atomic_path, hash_file
from groove_utils.stems.hpss import Hpss

__all__ = ["separate", "separate_study", "separate_tracks"]

WORTH_PROCESSES = 8  # tracks; with fewer, starting processes takes more time than it saves
DEFAULT_SEPARATOR = "htdemucs_ft"


def separate(
    y: np.ndarray,
    sr: int,
    separator: str | os.PathLike = DEFAULT_SEPARATOR,
    *,
    device: str | None = None,
    shifts: int = 0,
    seed: int = 0,
    overlap: float = 0.25,
    segment: float | None = None,
    progress: bool = False,
) -> dict[str, np.ndarray]:
    """Separate a signal into stems.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1.
    sr : int
        Sample rate in Hz.
    separator : str or path-like
        ``"hpss"`` (percussive and harmonic parts; needs no weights); a Demucs model, such as
        ``"htdemucs_ft"`` (Rouard, Massa & Défossez 2023) or ``"htdemucs"``; ``hf://OWNER/NAME`` for
        a model on the Hugging Face hub; the path of a network's ``.th`` file, or of the ``.yaml``
        file of a bag (an ensemble) of networks; or ``FOLDER/NAME`` for local files called ``NAME``.
        A ``.th`` file is a pickle, which can run arbitrary code: load only files that you trust.
    device : str, optional
        ``cpu``, ``cuda`` or ``mps``; by default, ``$GROOVE_DEVICE`` if it is set, otherwise a GPU
        if there is one.
    shifts : int
        Number of random time shifts, of up to half a second, to average over; 0 for no shift. The
        computing time is proportional to the number of shifts, and the signal-to-distortion ratio
        improves by at most 0.2 dB.
    seed : int
        Seed of the random shifts.
    overlap : float
        Fraction of a segment that overlaps with the next segment, in [0, 1).
    segment : float, optional
        Length in seconds of the segments passed to the network; by default, the length used in
        training.
    progress : bool
        If True, show a progress bar.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_channels, n_samples)
        Signal of each stem, with the sample rate and length of `y`; the shape is (1, n_samples) if
        `y` is mono. The stems are ``drums, bass, other, vocals`` for most Demucs models, and
        ``percussive, harmonic`` for HPSS.

    Raises
    ------
    AudioError
        If the signal is not usable (see :func:`groove_utils.audio.check_signal`), or has more
        channels than the separator supports.
    DetailedError
        If a setting is out of range, or the separator is unknown.
    SeparatorUnavailableError
        If the separator cannot be loaded.

    Examples
    --------
    >>> stems = separate(np.zeros((2, 8000)), 8000, "hpss")
    >>> {stem: y.shape for stem, y in stems.items()}
    {'percussive': (2, 8000), 'harmonic': (2, 8000)}
    """
    source = ArraySource(y, sr)
    engine = _engine(separator, device, shifts, seed, overlap, segment)
    engine.check()
    blocks = []
    with _seconds_bar(source.y.shape[-1] / source.sr, separator, progress) as bar:
        for block in engine.stream(source):
            blocks.append(block)
            bar.update(block.shape[-1] / source.sr)
    signals = np.concatenate(blocks, axis=-1)
    return dict(zip(engine.stems, signals, strict=True))


def separate_tracks(
    tracks: Mapping[str, str | os.PathLike],
    separator: str | os.PathLike = DEFAULT_SEPARATOR,
    *,
    cache: ArrayCache | None = None,
    progress: bool = True,
    **settings,
) -> dict[str, dict[str, Path]]:
    """Separate audio files into stems, and cache the stems.

    Parameters
    ----------
    tracks : mapping of str to path
        Path of each track's audio file, by track_id.
    separator : str or path-like
        As in :func:`separate`.
    cache : ArrayCache, optional
        Cache for the stems; by default, the project's ``stems`` cache.
    progress : bool
        If True, show a progress bar.
    **settings
        As in :func:`separate`: ``device, shifts, seed, overlap, segment``.

    Returns
    -------
    dict of str to dict of str to pathlib.Path
        Paths of 32-bit floating-point WAV files, by track and stem. Each file has the sample rate
        and length of its track.

    Raises
    ------
    AudioError
        If some files cannot be separated (``kind="unusable_tracks"``). The error lists all of these
        files and is raised after the other tracks have been separated.
    DetailedError, SeparatorUnavailableError
        As in :func:`separate`.
    OSError
        If stems cannot be written, for instance because the disk is full. Incomplete files are
        removed.

    Notes
    -----
    The cache key of a track is a hash of the bytes of its file, the separator's weights and
    settings, and a version number. Tracks with identical files are separated only once. An
    interrupted run can be resumed, because an entry counts as complete only after all of its stems
    have been written. Each stem is checked against its SHA-256 hash when it is requested; if a stem
    is damaged, the track is separated again. ``make clean-cache`` deletes all cached stems.
    """
    cache = ArrayCache(namespace="stems") if cache is None else cache
    engine = _engine(separator, **settings)
    recipe = json.dumps(engine.recipe(), sort_keys=True)
    sources, keys, problems = {}, {}, {}
    for track, path in tracks.items():
        try:
            sources[track] = FileSource(path)
            keys[track] = cache_key("stems", recipe, sources[track].content())
        except ValueError as error:
            problems[track] = str(error)
    entries = {key: _cached_stems(cache, key) for key in set(keys.values())}
    todo: dict[str, FileSource] = {}  # by key, so that identical files are separated only once
    for track, key in keys.items():
        if entries[key] is None:
            todo.setdefault(key, sources[track])
    if todo:
        engine.check()
        for key, result in _separate_files(todo, engine, cache, separator, progress):
            if isinstance(result, ValueError):
                problems |= {t: str(result) for t in keys if keys[t] == key}
            else:
                entries[key] = result
    if problems:
        problems = {track: problems[track] for track in tracks if track in problems}
        message = list_problems(problems, "cannot be separated")
        raise AudioError(message, kind="unusable_tracks", value=problems)
    return {track: dict(entries[keys[track]]) for track in tracks}


def separate_study(
    study, separator: str | os.PathLike = "true", **options
) -> dict[str, dict[str, Path]]:
    """Return the true or separated stems of all tracks in a study.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    separator : str or path-like
        ``"true"`` for the study's true stems; otherwise as in :func:`separate`.
    **options
        As in :func:`separate_tracks`; ignored for true stems.

    Returns
    -------
    dict of str to dict of str to pathlib.Path
        Paths by track and stem; tracks are in the order of ``tracks.csv``.

    Raises
    ------
    DetailedError
        If the study has no stems (``kind="no_stems"``), or no audio to separate
        (``kind="no_audio"``).
    """
    ids = list(study.tracks["track_id"])
    if str(separator) == "true":
        stems = {track: study.stem_paths(track) for track in ids}
        missing = [track for track in ids if not stems[track]]
        if missing:
            raise DetailedError(
                f"{study.path}: {len(missing)} of {len(ids)} tracks have no stems; the first is "
                f"{missing[0]!r}. Put them into stems/{missing[0]}/ (drums, bass, other, vocals), "
                "or choose a separator, such as 'hpss', which needs no weights.",
                kind="no_stems",
                path=study.path,
                value=missing,
            )
        return stems
    if not study.has("audio"):
        raise DetailedError(
            f"{study.path}: there is no audio to separate. Put one file per track into audio/ and "
            "name it in the column `audio` of tracks.csv.",
            kind="no_audio",
            path=study.path,
        )
    return separate_tracks({track: study.audio_path(track) for track in ids}, separator, **options)


def _engine(separator, device=None, shifts=0, seed=0, overlap=0.25, segment=None):
    """Check the settings, and create the separator with a given name or path."""
    for column, value, valid, expected in (
        ("shifts", shifts, _is_count(shifts), "a whole number, 0 or more"),
        ("overlap", overlap, 0 <= overlap < 1, "0 or more, and less than 1"),
        ("segment", segment, segment is None or segment > 0, "a positive duration in s, or None"),
        ("separator", separator, str(separator) != "true", "a separator; see separate_study()"),
    ):
        if not valid:
            message = f"{column} is {value!r}; expected {expected}."
            raise DetailedError(message, kind="out_of_range", column=column, value=value)
    if str(separator) == "hpss":
        return Hpss()
    from groove_utils.stems.demucs_separator import Demucs
    from groove_utils.stems.demucs_weights import find_weights

    return Demucs(find_weights(separator), device, shifts, seed, overlap, segment)


def _is_count(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and value >= 0


def _seconds_bar(seconds: float, separator, progress: bool) -> tqdm:
    """Create a progress bar that counts seconds of audio."""
    return tqdm(
        total=seconds,
        desc=Path(separator).name,
        disable=not progress,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}]",
    )


def _separate_files(
    work: Mapping[str, FileSource], engine, cache: ArrayCache, separator, progress: bool
) -> Iterator[tuple[str, dict[str, Path] | ValueError]]:
    """Separate the file for each key; yield each key with the paths of its stems or with an error.

    Raises
    ------
    OSError
        If stems cannot be written. The error is raised only after all other processes have
        finished.
    """
    seconds = {}
    failure = None
    for key, source in work.items():
        try:
            seconds[key] = audio_duration(source.path)
        except ValueError as error:
            yield key, error
    with _seconds_bar(sum(seconds.values()), separator, progress) as bar:
        if engine.uses_all_cores or len(seconds) < WORTH_PROCESSES:
            for key in seconds:
                result = _separate_file(work[key], engine, cache, key, bar.update)
                if isinstance(result, OSError):
                    raise result
                yield key, result
            return
        tasks = (delayed(_separate_file)(work[key], engine, cache, key) for key in seconds)
        results = Parallel(n_jobs=-1, return_as="generator")(tasks)
        for key, result in zip(seconds, results):
            bar.update(seconds[key])
            if isinstance(result, OSError):
                failure = failure or result
            else:
                yield key, result
    if failure is not None:
        raise failure


def _separate_file(
    source: FileSource, engine, cache: ArrayCache, key: str, update=lambda seconds: None
) -> dict[str, Path] | ValueError | OSError:
    # RF64 has no size limit, and its bytes are reproducible: WAV files contain the current time
    form = {"format": "RF64", "subtype": "FLOAT"}
    try:
        paths = {stem: _stem_path(cache, key, stem) for stem in engine.stems}
        with ExitStack() as stack:
            temporary = [stack.enter_context(atomic_path(path)) for path in paths.values()]
            with ExitStack() as writing:
                size = source.sr, source.n_channels
                files = [
                    writing.enter_context(stream_to_file(path, *size, **form)) for path in temporary
                ]
                for block in engine.stream(source):
                    for file, y in zip(files, block, strict=True):
                        file.write(y.T)
                    update(block.shape[-1] / source.sr)
            hashes = [hash_file(path) for path in temporary]
        cache.put(key, {"stems": np.array(engine.stems), "sha256": np.array(hashes)})
    except (ValueError, OSError) as error:  # returned so that other tracks are still separated
        return error
    return paths


def _stem_path(cache: ArrayCache, key: str, stem: str) -> Path:
    return cache.path(key).with_name(f"{key}-{stem}.wav")


def _cached_stems(cache: ArrayCache, key: str) -> dict[str, Path] | None:
    """Return the paths of the cached stems, or None if the entry is incomplete or damaged."""
    entry = cache.get(key)
    if entry is None:
        return None
    paths = {str(stem): _stem_path(cache, key, stem) for stem in entry["stems"]}
    for path, digest in zip(paths.values(), entry["sha256"], strict=True):
        if path.is_file() and hash_file(path) != digest:
            warnings.warn(
                f"{path}: the separated stem is damaged (its checksum does not match). The track "
                "will be separated again.",
                RuntimeWarning,
                stacklevel=3,
            )
            return None
    return paths if all(path.is_file() for path in paths.values()) else None
