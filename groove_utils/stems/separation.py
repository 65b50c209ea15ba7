"""Take a signal, many tracks or a study apart into stems.

Whatever its length, a file is decoded, separated and written in blocks, so an hour takes no more
memory than a minute. Separated tracks are float32 WAV files in the cache, keyed by everything that
they depend on. Chapter 07 uses this.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from groove_utils.audio import AudioError
from groove_utils.cache import VERSIONS, ArrayCache
from groove_utils.errors import list_problems
from groove_utils.files import atomic_path, hash_bytes, hash_file
from groove_utils.stems.hpss import Hpss
from groove_utils.stems.signals import ArraySignal, FileSignal, WavWriter

__all__ = ["separate", "separate_study", "separate_tracks"]

WORTH_PROCESSES = 8  # tracks; for fewer, starting processes takes longer than it saves
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
    """Take a signal apart into stems.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Full scale is −1…1.
    sr : int
        Sample rate in Hz.
    separator : str or path-like
        ``"hpss"`` (percussive and harmonic part, needs no weights), a name of Demucs, such as
        ``"htdemucs_ft"`` (Rouard, Massa & Défossez 2023) or ``"htdemucs"``, or a path: a model's
        ``.th`` or ``.safetensors`` file, a bag's ``.yaml``, a folder that holds one model, or
        ``FOLDER/NAME`` for one of several; ``"hf://OWNER/NAME"`` is another's on the hub. A
        ``.th`` file is a pickle, which can run code: load only those that you trust.
    device : str, optional
        ``cpu``, ``cuda`` or ``mps``; ``$GROOVE_DEVICE``, else a GPU where there is one.
    shifts : int
        Average over so many random time shifts of up to half a second; 0 for none. It takes that
        many times as long and gains up to 0.2 dB.
    seed : int
        Of the shifts.
    overlap : float
        Share of a segment that overlaps with the next, in [0, 1).
    segment : float, optional
        Seconds that a network sees at once; what it was trained with by default.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_channels, n_samples)
        By stem, at the rate `sr` and of the signal's length; a mono signal gives (1, n_samples).
        Demucs gives ``drums, bass, other, vocals``, HPSS ``percussive, harmonic``.

    Raises
    ------
    ValueError
        If the signal is empty or holds NaN or infinite samples, has more channels than the
        separator takes, or a setting is out of range.
    SeparatorUnavailableError
        If the separator's weights are not on this machine and cannot be downloaded.

    Examples
    --------
    >>> stems = separate(y, sr, "hpss")  # doctest: +SKIP
    >>> stems["percussive"].shape  # doctest: +SKIP
    (2, 529200)
    """
    signal = ArraySignal(y, sr)
    engine = _engine(separator, device, shifts, seed, overlap, segment)
    engine.check()
    parts = []
    with _seconds_bar([signal], separator, progress) as bar:
        for block in engine.stream(signal):
            parts.append(block)
            bar.update(block.shape[-1] / signal.sr)
    joined = np.concatenate(parts, axis=-1)
    return dict(zip(engine.stems, joined, strict=True))


def separate_tracks(
    tracks: Mapping[str, str | os.PathLike],
    separator: str | os.PathLike = DEFAULT_SEPARATOR,
    *,
    cache: ArrayCache | None = None,
    device: str | None = None,
    shifts: int = 0,
    seed: int = 0,
    overlap: float = 0.25,
    segment: float | None = None,
    progress: bool = True,
) -> dict[str, dict[str, Path]]:
    """Take audio files apart into stems, and keep them.

    Parameters
    ----------
    tracks : mapping of str to path
        Audio files by track_id.
    separator, device, shifts, seed, overlap, segment
        As in :func:`separate`.
    cache : ArrayCache, optional
        Where stems are kept; the store ``stems`` of the project's cache by default.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of str to dict of str to pathlib.Path
        By track and stem: 32-bit float WAV files, at the rate and length of the track's file.

    Raises
    ------
    AudioError
        If files cannot be used; all are listed, and the others have been separated by then.
    SeparatorUnavailableError, ValueError
        As in :func:`separate`.

    Notes
    -----
    A track's key is a hash of its file's bytes, the separator's weights, the settings and this
    module's version; tracks with the same bytes are separated once. A track's stems count as
    there when all have been written; so an interrupted run goes on where it was. Each file is
    held to its SHA-256 when it is asked for: a damaged one is moved to ``damaged/``, and the
    track is separated again. ``make clean-cache`` removes them.
    """
    cache = ArrayCache(namespace="stems") if cache is None else cache
    engine = _engine(separator, device, shifts, seed, overlap, segment)
    signals, problems = {}, {}
    for track, path in tracks.items():
        try:
            signals[track] = FileSignal(path)
        except ValueError as error:
            problems[track] = str(error)
    recipe = json.dumps(
        {"version": VERSIONS["stems"], "separator": engine.fingerprint(), **engine.settings()},
        sort_keys=True,
    )
    keys = {track: hash_bytes(recipe, hash_file(s.path)) for track, s in signals.items()}
    done = {key: _kept(cache, key) for key in set(keys.values())}
    todo: dict[str, str] = {}  # of each key, the first track that has it
    for track in signals:
        if done[keys[track]] is None:
            todo.setdefault(keys[track], track)
    if todo:
        engine.check()
        work = [(signals[track], key) for key, track in todo.items()]
        with _seconds_bar([signal for signal, _ in work], separator, progress) as bar:
            for key, outcome in _separate_files(work, engine, cache, bar):
                if isinstance(outcome, ValueError):
                    problems |= {t: str(outcome) for t in signals if keys[t] == key}
                else:
                    done[key] = outcome
    if problems:
        problems = {track: problems[track] for track in tracks if track in problems}
        raise AudioError(list_problems(problems, "cannot be separated"))
    return {track: dict(done[keys[track]]) for track in tracks}


def separate_study(
    study, separator: str | os.PathLike = "true", **options
) -> dict[str, dict[str, Path]]:
    """Stems of all tracks of a study.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    separator : str or path-like
        ``"true"`` for the stems that come with the study, else as in :func:`separate`.
    **options
        As in :func:`separate_tracks`.

    Returns
    -------
    dict of str to dict of str to pathlib.Path
        By track, in the order of ``tracks.csv``, and stem.

    Raises
    ------
    ValueError
        If the study lacks what is asked for: stems, or the audio to separate.
    """
    ids = list(study.tracks["track_id"])
    if str(separator) == "true":
        stems = {track: study.stem_paths(track) for track in ids}
        missing = [track for track in ids if not stems[track]]
        if missing:
            raise ValueError(
                f"{study.path}: {len(missing)} of {len(ids)} tracks have no stems, the first is "
                f"{missing[0]!r}. Put them into stems/{missing[0]}/ (drums, bass, other, vocals), "
                "or choose a separator, such as 'hpss', which needs no weights."
            )
        return stems
    if not study.has("audio"):
        raise ValueError(
            f"{study.path}: there is no audio to separate. Put a file a track into audio/ and name "
            "it in the column `audio` of tracks.csv."
        )
    return separate_tracks({track: study.audio_path(track) for track in ids}, separator, **options)


def _engine(separator, device, shifts, seed, overlap, segment):
    """The separator of a name or path, with its settings checked."""
    if isinstance(shifts, bool) or not isinstance(shifts, (int, np.integer)) or shifts < 0:
        raise ValueError(f"shifts is {shifts!r}; expected a whole number, 0 or more.")
    if not 0 <= overlap < 1:
        raise ValueError(f"overlap is {overlap!r}; expected 0 or more, and less than 1.")
    if segment is not None and not segment > 0:
        raise ValueError(f"segment is {segment!r}; expected seconds above 0, or None.")
    if str(separator) == "true":
        raise ValueError("separator 'true' stands for a study's own stems: call separate_study().")
    if str(separator) == "hpss":
        return Hpss()
    from groove_utils.stems.demucs_stream import Demucs
    from groove_utils.stems.demucs_weights import find_package

    package = find_package(separator)
    return Demucs(package, device, shifts, seed, overlap, segment)


def _seconds_bar(signals, separator, progress: bool) -> tqdm:
    """A progress bar over seconds of audio."""
    return tqdm(
        total=sum(signal.n_samples / signal.sr for signal in signals),
        desc=Path(separator).name,
        disable=not progress,
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} s [{elapsed}]",
    )


def _separate_files(work, engine, cache: ArrayCache, bar) -> Iterator[tuple[str, object]]:
    """Of each key, the paths of its stems, or the error that its file caused."""
    if engine.uses_all_cores or len(work) < WORTH_PROCESSES:
        for signal, key in work:
            yield key, _separate_file(signal, engine, cache, key, bar.update)
        return
    tasks = (delayed(_separate_file)(signal, engine, cache, key) for signal, key in work)
    seconds = {key: signal.n_samples / signal.sr for signal, key in work}
    jobs = Parallel(n_jobs=-1, return_as="generator")(tasks)
    for (_, key), outcome in zip(work, jobs):
        bar.update(seconds[key])
        yield key, outcome


def _separate_file(
    signal: FileSignal, engine, cache: ArrayCache, key: str, told=None
) -> dict[str, Path] | ValueError:
    try:
        return _write_stems(signal, engine, cache, key, told)
    except ValueError as error:  # told with those of the other tracks
        return error


def _write_stems(signal: FileSignal, engine, cache: ArrayCache, key: str, told) -> dict[str, Path]:
    paths = {stem: _stem_path(cache, key, stem) for stem in engine.stems}
    with ExitStack() as stack:
        parts = [stack.enter_context(atomic_path(path)) for path in paths.values()]
        writers = [
            stack.enter_context(WavWriter(part, signal.sr, signal.n_channels)) for part in parts
        ]
        for block in engine.stream(signal):
            for writer, y in zip(writers, block, strict=True):
                writer.write(y)
            if told is not None:
                told(block.shape[-1] / signal.sr)
        for writer in writers:
            writer.close()
        sums = [hash_file(part) for part in parts]
    cache.put(key, {"stems": np.array(engine.stems), "sha256": np.array(sums)})
    return paths


def _stem_path(cache: ArrayCache, key: str, stem: str) -> Path:
    return cache.path(key).with_name(f"{key}-{stem}.wav")


def _kept(cache: ArrayCache, key: str) -> dict[str, Path] | None:
    """The files of an entry that is whole, else None."""
    entry = cache.get(key)
    if entry is None:
        return None
    paths = {str(stem): _stem_path(cache, key, str(stem)) for stem in entry["stems"]}
    for path, digest in zip(paths.values(), entry["sha256"], strict=True):
        if not path.is_file():
            return None
        if hash_file(path) != digest:
            aside = cache.folder / "damaged" / path.name
            aside.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process has noticed it first
                path.replace(aside)
            warnings.warn(
                f"{path}: the separated stem is damaged (its checksum does not match). It was "
                f"moved to {aside}, and the track will be separated again.",
                RuntimeWarning,
                stacklevel=3,
            )
            return None
    return paths
