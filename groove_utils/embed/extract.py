"""Embed a signal, a set of tracks, a study."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from tqdm.auto import tqdm

from groove_utils.audio import AudioError
from groove_utils.cache import ArrayCache
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.executors import embed_distributed
from groove_utils.embed.jobs import compute_missing, recipe
from groove_utils.embed.loading import load_model
from groove_utils.embed.precomputed import precomputed_folder, read_precomputed, refuse_options
from groove_utils.embed.sources import ArraySource, FileSource, Source, SumSource, as_source
from groove_utils.files import hash_bytes

__all__ = ["check_stems", "embed_audio", "embed_models", "embed_study", "embed_tracks"]

SILENCE = 10 ** (-90 / 20)
POOLINGS = ("mean", "mean+std")

Signal = str | os.PathLike | tuple[np.ndarray, int] | Source


def embed_audio(
    y: np.ndarray, sr: int, model: str, *, seed: int = 0, device: str | None = None
) -> dict[str, np.ndarray]:
    """Embed one signal, window by window.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Full scale is −1…1; channels are averaged.
    sr : int
        Sample rate in Hz.
    model : str
        One of :func:`groove_utils.embed.list_models`, or registered.
    seed : int
        Of an untrained twin's weights.
    device : str, optional
        ``cpu``, ``cuda`` or ``mps``; ``$GROOVE_DEVICE``, else a GPU where there is one.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_windows, dim)
        By layer. The windows cover the whole signal; frames beyond its end do not count.

    Raises
    ------
    ValueError
        If the signal is empty or holds NaN or infinite samples, or the model is not known.
    ModelUnavailableError
        If the model cannot be loaded here; the message names the command that changes that.
    ModelRefusedError
        If what was loaded is not the model that it should be.

    Examples
    --------
    >>> embed_audio(y, sr, "msd-musicnn")["penultimate"].shape  # doctest: +SKIP
    (5, 200)
    """
    from groove_utils.embed.engine import embed_windows

    return embed_windows(ArraySource(y, sr), load_model(model, seed=seed, device=device))


def embed_tracks(
    tracks: Mapping[str, Signal],
    model: str,
    *,
    seed: int = 0,
    pooling: str = "mean",
    cache: ArrayCache | None = None,
    device: str | None = None,
    autocast: bool = False,
    executor: str | None = None,
    progress: bool = True,
) -> Embedding:
    """Embed audio files or signals, one vector a track and layer.

    Parameters
    ----------
    tracks : mapping of str to path or (ndarray, int)
        Audio files, or signals with their sample rates, by track_id.
    model : str
        One of :func:`groove_utils.embed.list_models`, or registered.
    seed : int
        Of an untrained twin's weights.
    pooling : {'mean', 'mean+std'}
        A track's vector is the mean over its frames, with their standard deviation appended.
    cache : ArrayCache, optional
        Where vectors are kept; the project's cache by default. Tracks with the same audio are
        computed once.
    device : str, optional
        ``cpu``, ``cuda`` or ``mps``; ``$GROOVE_DEVICE``, else a GPU where there is one.
    autocast : bool
        Compute matrix products in bfloat16 where the device has units for it, as GPUs and some
        processors do: up to twice as fast, and different by less than 2% of a layer's norm.
    executor : str, optional
        ``dask://HOST:PORT`` of a Dask scheduler, or ``joblib:N`` for N processes; the tracks are
        shared out and the results meet in the cache, which all must be able to reach. By default
        ``$EXECUTOR``, else this process, with all of its cores.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Embedding

    Raises
    ------
    AudioError
        If tracks cannot be used; all are listed, and the others have been cached by then.
    """
    options = {"seed": seed, "pooling": pooling, "cache": cache, "device": device}
    options |= {"autocast": autocast, "executor": executor, "progress": progress}
    return embed_models(tracks, [model], **options)[model]


def embed_models(
    tracks: Mapping[str, Signal],
    models: Sequence[str],
    *,
    seed: int = 0,
    pooling: str = "mean",
    cache: ArrayCache | None = None,
    device: str | None = None,
    autocast: bool = False,
    executor: str | None = None,
    progress: bool = True,
) -> dict[str, Embedding]:
    """Embed tracks with several models, reading each once and resampling it once for each rate.

    Parameters
    ----------
    tracks, seed, pooling, cache, device, autocast, executor, progress
        As in :func:`embed_tracks`.
    models : sequence of str

    Returns
    -------
    dict of str to Embedding
        By model.
    """
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}; expected one of {', '.join(POOLINGS)}.")
    if not isinstance(tracks, Mapping):
        raise ValueError(
            f"tracks is a {type(tracks).__name__}; expected a dict of track_id to a path, or to a "
            "pair (signal, sample rate)."
        )
    if isinstance(models, str):
        models = [models]
    cache = ArrayCache(namespace="embeddings") if cache is None else cache
    if autocast:
        from groove_utils.embed.engine import choose_autocast  # imports torch

        autocast = choose_autocast(autocast, device)
    sources, contents, problems = _open_sources(tracks)
    recipes = {m: recipe(m, seed, device, pooling, autocast) for m in models}
    keys = {m: {t: hash_bytes(recipes[m], contents[t]) for t in sources} for m in models}
    found = {key: cache.get(key) for m in models for key in set(keys[m].values())}

    todo: dict[str, list[str]] = {}  # of each track, the models that have not seen its audio
    claimed = set()
    for track in sources:
        for model in models:
            key = keys[model][track]
            if found[key] is None and key not in claimed:
                claimed.add(key)
                todo.setdefault(track, []).append(model)
    if todo:
        executor = executor or os.environ.get("EXECUTOR")
        settings = {"seed": seed, "pooling": pooling, "device": device, "autocast": autocast}
        with tqdm(
            total=len(claimed), desc=", ".join(models), unit="track", disable=not progress
        ) as bar:
            work = {track: sources[track] for track in todo}
            if executor:
                work = {track: _reachable(source) for track, source in work.items()}
                errors = embed_distributed(executor, work, todo, settings, cache, bar)
            else:
                errors = compute_missing(work, todo, settings, cache, bar)
        problems |= errors
        if not problems:
            found |= {key: cache.get(key) for key in claimed}
            if lost := sum(found[key] is None for key in claimed):
                raise FileNotFoundError(
                    f"{lost} of {len(claimed)} vectors were computed, but are not in "
                    f"{cache.folder}. Do the workers of {executor or 'this process'} write into "
                    "that same folder, and have they the same versions of the packages? Set "
                    "GROOVE_CACHE to a folder that all of them reach."
                )
    if problems:
        raise _all_problems(problems)
    return {model: _collect(model, tracks, keys[model], found) for model in models}


def embed_study(
    study,
    model: str | Sequence[str],
    *,
    stems: str | Sequence[str] | None = None,
    tracks: Iterable[str] | None = None,
    **options,
) -> Embedding | dict[str, Embedding]:
    """Embed the tracks of a study.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    model : str or sequence of str
        A model, or a folder of the study's ``embeddings/``. Several read each track once.
    stems : str or sequence of str, optional
        Embed the sum of these stems (``drums``, ``bass``, ``other``, ``vocals``) instead of the
        full mix.
    tracks : iterable of str, optional
        Track ids; all by default, in the order of ``tracks.csv``.
    **options
        As in :func:`embed_tracks`: seed, pooling, cache, device, autocast, executor, progress.

    Returns
    -------
    Embedding, or dict of str to Embedding
        By model, where several are given.

    Raises
    ------
    ValueError
        If a track lacks a stem, `stems` is empty or names one twice, or another `pooling` is asked
        for than the one of the vectors that the study brings, which is the mean.

    Notes
    -----
    Where the study holds ``embeddings/<model>/<track_id>.npz``, these are used and nothing is
    computed: a `seed` or `autocast` changes nothing then, and a RuntimeWarning says so. The keys of
    each archive are layer names; an array of shape (dim,) is a track's vector, and one of shape
    (n_windows, dim) is averaged over its windows. But ``audio_embedding`` of shape (n_layers, dim)
    holds the layers ``layer_00``, ``layer_01``… of a catalogued model that has just these, as in
    the published vectors of MERT (13 × 768). Vectors of a stem are looked for in
    ``embeddings/<model>/<stem>/<track_id>.npz``, those of a sum of stems in
    ``embeddings/<model>/<stem>+<stem>/``, stems in the order drums, bass, other, vocals.
    """
    ids = list(study.tracks["track_id"] if tracks is None else tracks)
    stems = [stems] if isinstance(stems, str) else stems
    if stems is not None:
        check_stems(stems)
    models = [model] if isinstance(model, str) else list(model)
    folders = {name: precomputed_folder(study, name, stems) for name in models}
    found = {
        name: read_precomputed(folder, name, ids)
        for name, folder in folders.items()
        if folder is not None
    }
    refuse_options(found, **options)
    if missing := [name for name in models if name not in found]:
        if stems is None:
            work = {track: study.audio_path(track) for track in ids}
        else:
            work = {track: _stem_source(study, track, stems) for track in ids}
        found |= embed_models(work, missing, **options)
    return found[model] if isinstance(model, str) else {name: found[name] for name in models}


def check_stems(stems: Sequence[str]) -> None:
    """Make sure that there are stems to add up, each once.

    Raises
    ------
    ValueError
        If there are none, or one twice.
    """
    if not stems:
        raise ValueError("there are no stems to add up; name one or more, or None for the mix.")
    if twice := [stem for stem in dict.fromkeys(stems) if list(stems).count(stem) > 1]:
        raise ValueError(
            f"stems are {', '.join(stems)}: {twice[0]!r} is named twice. Name it once."
        )


def _stem_source(study, track: str, stems: Sequence[str]) -> SumSource:
    paths = study.stem_paths(track)
    missing = [stem for stem in stems if stem not in paths]
    if missing:
        raise ValueError(
            f"{study.path}: track {track!r} has no stem {missing[0]!r}; it has "
            f"{', '.join(paths) or 'none'}. Put stems into stems/{track}/."
        )
    return SumSource([paths[stem] for stem in stems])


def _reachable(source: Source) -> Source:
    """The same source for a worker that may run in another folder."""
    for part in getattr(source, "parts", [source]):
        if isinstance(part, FileSource):
            part.path = part.path.resolve()
    return source


def _open_sources(
    tracks: Mapping[str, Signal],
) -> tuple[dict[str, Source], dict[str, str], dict[str, str]]:
    """Sources of the tracks that can be read, the hashes of their audio, and what is wrong."""
    sources, contents, problems = {}, {}, {}
    for track, signal in tracks.items():
        try:
            source = as_source(signal)
            contents[track] = source.content()
            sources[track] = source
        except (ValueError, OSError) as error:
            problems[track] = str(error)
    return sources, contents, problems


def _all_problems(problems: Mapping[str, str]) -> AudioError:
    lines = [f"  {track}: {text}" for track, text in problems.items()]
    count = "1 track" if len(lines) == 1 else f"{len(lines)} tracks"
    return AudioError("\n".join([f"{count} cannot be embedded:", *lines]))


def _collect(model: str, tracks: Iterable[str], keys: Mapping, found: Mapping) -> Embedding:
    ids = list(tracks)
    if not ids:
        raise ValueError(f"{model}: there are no tracks to embed.")
    rows = [found[keys[track]] for track in ids]
    names = [name for name in rows[0] if name != "peak"]
    layers = {name: np.stack([row[name] for row in rows]) for name in names}
    silent = [track for track, row in zip(ids, rows) if float(row["peak"]) < SILENCE]
    if silent:
        warnings.warn(
            f"{model}: {len(silent)} of {len(ids)} tracks are silent (the first is {silent[0]}); "
            "they are embedded all the same, and listed in the embedding's attribute silent.",
            RuntimeWarning,
            stacklevel=4,
        )
    return Embedding(model, ids, layers, silent)
