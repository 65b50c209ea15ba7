"""Extraction of embeddings from a signal, a set of tracks or a study."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from groove_utils.audio import AudioError
from groove_utils.audio.streams import ArraySource, FileSource, Source, as_source
from groove_utils.cache import ArrayCache
from groove_utils.embed.adapters import EmbedError
from groove_utils.embed.cache_keys import vector_key
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.executors import embed_distributed
from groove_utils.embed.jobs import Settings, compute_missing
from groove_utils.embed.loading import load_model
from groove_utils.embed.precomputed import check_options, read_precomputed
from groove_utils.embed.sum_source import SumSource
from groove_utils.errors import list_problems

__all__ = ["embed_audio", "embed_models", "embed_study", "embed_tracks", "pick_stems"]

SILENCE = 10 ** (-90 / 20)

T = TypeVar("T")
Signal = str | os.PathLike | tuple[np.ndarray, int] | Source


def embed_audio(
    y: np.ndarray, sr: int, model: str, *, seed: int = 0, device: str | None = None
) -> dict[str, np.ndarray]:
    """Embed one signal, window by window.

    Parameters
    ----------
    y : ndarray of float, shape (n_samples,) or (n_channels, n_samples)
        Signal, scaled so that full scale is ±1. Channels are averaged.
    sr : int
        Sample rate in Hz.
    model : str
        Name of a model; see :func:`groove_utils.embed.list_models`.
    seed : int
        Seed for the random weights of models named ``…-untrained``; ignored by other models.
    device : str, optional
        ``cpu``, ``cuda`` or ``mps``; by default, ``$GROOVE_DEVICE`` if it is set, otherwise a GPU
        if there is one.

    Returns
    -------
    dict of str to ndarray of float32, shape (n_windows, dim)
        Vectors of each layer, with one row per window. The windows cover the whole signal; frames
        after the end of the signal are ignored.

    Raises
    ------
    AudioError
        If the signal is empty, or contains NaN or infinite samples.
    EmbedError
        If there is no such model.
    ModelUnavailableError
        If the model cannot be loaded; the message says how to fix it.
    ModelRefusedError
        If the loaded model differs from its weights file, or from its recorded fingerprint or
        outputs.

    Examples
    --------
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5 * 16000)
    >>> embed_audio(noise, 16000, "msd-musicnn")["penultimate"].shape
    (2, 200)
    """
    from groove_utils.embed.engine import embed_windows

    return embed_windows(ArraySource(y, sr), load_model(model, seed=seed, device=device))


def embed_tracks(tracks: Mapping[str, Signal], model: str, **options) -> Embedding:
    """Embed audio files or signals with one model; return one vector per track and layer.

    Parameters
    ----------
    tracks : mapping of str to path or (ndarray, int)
        Audio files, or pairs of a signal and its sample rate, keyed by track_id.
    model : str
        Name of a model; see :func:`groove_utils.embed.list_models`.
    **options
        Arguments passed to :func:`embed_models`: seed, pooling, cache, device, autocast, executor,
        progress.

    Returns
    -------
    Embedding
        Matrix of vectors for each layer, with one row per track.

    Raises
    ------
    AudioError, EmbedError, ModelUnavailableError, ModelRefusedError
        As in :func:`embed_models`.

    Examples
    --------
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    >>> embed_tracks({"a": (noise, 16000)}, "basic-pitch", progress=False)
    <Embedding of 1 tracks by basic-pitch: note 176, onset 176, contour 528>
    """
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
    """Embed tracks with one or more models, decoding each track only once.

    Parameters
    ----------
    tracks : mapping of str to path or (ndarray, int)
        Audio files, or pairs of a signal and its sample rate, keyed by track_id.
    models : sequence of str
        Names of models; see :func:`groove_utils.embed.list_models`.
    seed : int
        Seed for the random weights of models named ``…-untrained``; ignored by other models.
    pooling : {'mean', 'mean+std'}
        A track's vector is the mean over its frames, or this mean followed by the SD.
    cache : ArrayCache, optional
        Cache for vectors; the project's cache by default. Identical audio is embedded only once.
    device : str, optional
        ``cpu``, ``cuda`` or ``mps``; by default, ``$GROOVE_DEVICE`` if set, or a GPU if available.
    autocast : bool
        Compute matrix products in bfloat16 if the device supports it in hardware. This is faster,
        and changes a layer by less than 2% of its norm.
    executor : str, optional
        ``dask://HOST:PORT`` (a Dask scheduler) or ``joblib:N`` (N local processes); all workers
        must have access to the cache. By default, ``$EXECUTOR`` if it is set, otherwise this
        process with all cores.
    progress : bool
        Show a progress bar.

    Returns
    -------
    dict of str to Embedding
        Embeddings, keyed by model name.

    Raises
    ------
    AudioError
        If some tracks cannot be embedded; the message lists them. The vectors of the other tracks
        are cached.
    EmbedError
        If an option is invalid, there are no tracks, or there is no such model.
    ModelUnavailableError, ModelRefusedError
        As in :func:`embed_audio`.
    """
    models = [models] if isinstance(models, str) else list(models)
    cache = ArrayCache(namespace="embeddings") if cache is None else cache
    if autocast:
        from groove_utils.networks import choose_autocast  # imports torch

        autocast = choose_autocast(autocast, device)
    settings = Settings(seed, pooling, device, autocast)
    executor = executor or os.environ.get("EXECUTOR")

    sources, contents, problems = _open_sources(tracks)
    recipes = {m: settings.recipe(m) for m in models}
    keys = {m: {t: vector_key(recipes[m], contents[t]) for t in sources} for m in models}
    entries = {key: cache.get(key) for m in models for key in set(keys[m].values())}
    todo, missing = _missing(keys, sources, entries)
    if todo:
        work = {track: sources[track] for track in todo}
        bar = tqdm(total=len(missing), desc=", ".join(models), unit="track", disable=not progress)
        with bar:
            if executor:
                problems |= embed_distributed(executor, _absolute(work), todo, settings, cache, bar)
            else:
                problems |= compute_missing(work, todo, settings, cache, bar)
    if problems:
        message = list_problems(problems, "cannot be embedded")
        raise AudioError(message, kind="unusable_tracks", value=problems)
    entries |= _read_computed(missing, cache, executor)
    return {model: _collect(model, tracks, keys[model], entries) for model in models}


def _missing(
    keys: Mapping[str, Mapping[str, str]], tracks: Iterable[str], entries: Mapping
) -> tuple[dict[str, list[str]], set[str]]:
    """Return the models to run on each track, and the cache keys of the missing vectors."""
    todo: dict[str, list[str]] = {}
    missing: set[str] = set()
    for track in tracks:
        for model, by_track in keys.items():
            key = by_track[track]
            if entries[key] is None and key not in missing:
                missing.add(key)
                todo.setdefault(track, []).append(model)
    return todo, missing


def _read_computed(keys: set[str], cache: ArrayCache, executor: str | None) -> dict[str, dict]:
    entries = {key: cache.get(key) for key in keys}
    if lost := sum(entry is None for entry in entries.values()):
        raise EmbedError(
            f"{lost} of {len(keys)} new vectors were not found in {cache.folder}. Check that "
            f"the workers of {executor or 'this process'} write to the same folder and have "
            "the same package versions. Set GROOVE_CACHE to a folder that all of them can access.",
            kind="lost_vectors",
            path=cache.folder,
        )
    return entries


def embed_study(
    study,
    model: str | Sequence[str],
    *,
    stems: str | Sequence[str] | None = None,
    tracks: Iterable[str] | None = None,
    **options,
) -> Embedding | dict[str, Embedding]:
    """Embed the tracks of a study with one or more models.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    model : str or sequence of str
        Name of a model, or of a folder in the study's ``embeddings/``. If several models are given,
        each track is still read only once.
    stems : str or sequence of str, optional
        Stems (``drums``, ``bass``, ``other``, ``vocals``) to sum and embed instead of the full mix.
    tracks : iterable of str, optional
        Track ids; by default, all tracks in the order of ``tracks.csv``.
    **options
        Arguments passed to :func:`embed_models`: seed, pooling, cache, device, autocast, executor,
        progress.

    Returns
    -------
    Embedding, or dict of str to Embedding
        The embedding, or a dict of embeddings keyed by model name if `model` is a sequence.

    Raises
    ------
    EmbedError
        If a track lacks one of the stems, `stems` is empty or contains duplicates, vectors in
        ``embeddings/`` are missing or damaged, or `pooling` is not ``'mean'`` although the vectors
        are precomputed.
    AudioError, ModelUnavailableError, ModelRefusedError
        As in :func:`embed_models`.

    Notes
    -----
    If the study contains files ``embeddings/<model>/<track_id>.npz``, their vectors are used and
    nothing is computed. In this case, `seed` and `autocast` have no effect, and a RuntimeWarning is
    issued if they are given. The keys of each archive are layer names. An array of shape (dim,) is
    used as the track's vector; an array of shape (n_windows, dim) is averaged over windows. There
    is one exception: if all layers of a catalogued model are named ``layer_00``, ``layer_01``, …,
    an array ``audio_embedding`` of shape (n_layers, dim) is read as one vector per layer, as in the
    published vectors of MERT (13 × 768).

    The vectors of a stem are read from ``embeddings/<model>/<stem>/<track_id>.npz``, and those of a
    sum of stems from ``embeddings/<model>/<stem>+<stem>/``, with the stems in the order drums,
    bass, other, vocals.
    """
    ids = list(study.tracks["track_id"] if tracks is None else tracks)
    stems = [stems] if isinstance(stems, str) else stems
    models = [model] if isinstance(model, str) else list(model)
    archives = {name: study.vector_paths(name, stems) for name in models}
    embeddings = {
        name: read_precomputed(paths, name, ids) for name, paths in archives.items() if paths
    }
    check_options(embeddings, **options)
    if missing := [name for name in models if name not in embeddings]:
        if stems is None:
            work = {track: study.audio_path(track) for track in ids}
        else:
            work = {
                track: SumSource(pick_stems(study, track, study.stem_paths(track), stems))
                for track in ids
            }
        embeddings |= embed_models(work, missing, **options)
    if isinstance(model, str):
        return embeddings[model]
    return {name: embeddings[name] for name in models}


def pick_stems(study, track: str, parts: Mapping[str, T], stems: Sequence[str]) -> list[T]:
    """Select the `parts` of a track by stem; raise an error if a stem is missing or repeated."""
    if not stems or len(set(stems)) < len(stems) or not set(stems) <= set(parts):
        raise EmbedError(
            f"{study.path}: the stems chosen for track {track!r} are {', '.join(stems) or 'none'}; "
            f"expected one or more of {', '.join(parts) or 'none'}, without repetition. Put stems "
            f"into stems/{track}/, or choose other stems.",
            kind="wrong_stems",
            path=study.path,
            column="stems",
            value=tuple(stems),
        )
    return [parts[stem] for stem in stems]


def _absolute(work: Mapping[str, Source]) -> Mapping[str, Source]:
    """Make file paths absolute, because workers may have a different working directory."""
    for source in work.values():
        for part in getattr(source, "parts", [source]):
            if isinstance(part, FileSource):
                part.path = part.path.resolve()
    return work


def _open_sources(
    tracks: Mapping[str, Signal],
) -> tuple[dict[str, Source], dict[str, str], dict[str, str]]:
    """Return the sources and hashes of readable tracks, and error messages for the others."""
    if not isinstance(tracks, Mapping):
        raise EmbedError(
            f"tracks is a {type(tracks).__name__}; expected a dict that maps each track_id to a "
            "path or to a (signal, sample rate) pair.",
            kind="not_a_mapping",
            column="tracks",
        )
    sources, contents, problems = {}, {}, {}
    for track, signal in tracks.items():
        try:
            source = as_source(signal)
            contents[track] = source.content()
            sources[track] = source
        except (ValueError, OSError) as error:
            problems[track] = str(error)
    return sources, contents, problems


def _collect(model: str, tracks: Iterable[str], keys: Mapping, entries: Mapping) -> Embedding:
    ids = list(tracks)
    if not ids:
        raise EmbedError(f"{model}: there are no tracks to embed.", kind="no_tracks")
    rows = [entries[keys[track]] for track in ids]
    names = [name for name in rows[0] if name != "peak"]
    layers = {name: np.stack([row[name] for row in rows]) for name in names}
    silent = [track for track, row in zip(ids, rows) if float(row["peak"]) < SILENCE]
    if silent:
        warnings.warn(
            f"{model}: {len(silent)} of {len(ids)} tracks are silent (the first is {silent[0]}). "
            "They were embedded anyway; they are listed in the embedding's attribute silent.",
            RuntimeWarning,
            stacklevel=4,
        )
    return Embedding(model, ids, layers, silent)
