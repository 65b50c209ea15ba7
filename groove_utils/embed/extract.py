"""Embed a signal, a set of tracks, a study."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from groove_utils.audio import load_audio, resample
from groove_utils.cache import ArrayCache
from groove_utils.embed.catalogue import make_adapter
from groove_utils.embed.embedding import Embedding
from groove_utils.files import hash_bytes, hash_file

__all__ = ["embed_audio", "embed_study", "embed_tracks", "load_model"]

VERSION = "1"  # of windowing, pooling and preprocessing; a change makes all cached entries unused
SILENCE = 10 ** (-90 / 20)

Signal = str | os.PathLike | tuple[np.ndarray, int]


def load_model(model: str, *, seed: int = 0) -> tuple:
    """The adapter and the network of a model, kept for the next call.

    Parameters
    ----------
    model : str
    seed : int
        Of an untrained twin's weights.

    Returns
    -------
    adapter : Adapter
    network : object
    fingerprint : str
        Of its weights and buffers.
    """
    return _load(model, seed)


@functools.lru_cache(maxsize=4)
def _load(model: str, seed: int) -> tuple:
    from groove_utils.embed.gate import fingerprint

    adapter = make_adapter(model, seed)
    network = adapter.load()
    return adapter, network, fingerprint(network)


def embed_audio(y: np.ndarray, sr: int, model: str, *, seed: int = 0) -> dict[str, np.ndarray]:
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

    Examples
    --------
    >>> embed_audio(y, sr, "msd-musicnn")["penultimate"].shape  # doctest: +SKIP
    (5, 200)
    """
    from groove_utils.embed.engine import window_layers

    adapter, network, _ = load_model(model, seed=seed)
    return window_layers(_prepare(y, sr, adapter.sample_rate), adapter, network)


def embed_tracks(
    tracks: Mapping[str, Signal],
    model: str,
    *,
    seed: int = 0,
    cache: ArrayCache | None = None,
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
    cache : ArrayCache, optional
        Where vectors are kept; the project's cache by default. Tracks with the same audio are
        computed once.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Embedding
    """
    from groove_utils.embed.engine import run

    cache = ArrayCache(namespace="embeddings") if cache is None else cache
    adapter, network, print_ = load_model(model, seed=seed)
    recipe = _recipe(adapter, print_)
    keys = {track: hash_bytes(recipe, _content_hash(signal)) for track, signal in tracks.items()}
    found = {key: cache.get(key) for key in set(keys.values())}
    todo = {key: tracks[track] for track, key in keys.items() if found[key] is None}
    if todo:
        bar = tqdm(total=len(todo), desc=model, unit="track", disable=not progress)
        levels = {}

        def signals():
            for key, signal in todo.items():
                y = _read(signal, adapter.sample_rate)
                levels[key] = float(np.abs(y).max())
                yield key, y

        with bar:
            for key, layers in run(signals(), adapter, network):
                found[key] = {**layers, "peak": np.float32(levels.pop(key))}
                cache.put(key, found[key])
                bar.update()
    names = [name for name in next(iter(found.values())) if name != "peak"] if found else []
    layers = {name: np.stack([found[keys[track]][name] for track in tracks]) for name in names}
    silent = [track for track in tracks if float(found[keys[track]]["peak"]) < SILENCE]
    return Embedding(model, list(tracks), layers, silent)


def embed_study(
    study,
    model: str,
    *,
    stems: str | Sequence[str] | None = None,
    tracks: Iterable[str] | None = None,
    seed: int = 0,
    cache: ArrayCache | None = None,
    progress: bool = True,
) -> Embedding:
    """Embed the tracks of a study.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    model : str
        A model, or a folder of the study's ``embeddings/``.
    stems : str or sequence of str, optional
        Embed the sum of these stems (``drums``, ``bass``, ``other``, ``vocals``) instead of the
        full mix.
    tracks : iterable of str, optional
        Track ids; all by default, in the order of ``tracks.csv``.
    seed : int
        Of an untrained twin's weights.
    cache, progress
        As in :func:`embed_tracks`.

    Returns
    -------
    Embedding

    Notes
    -----
    Where the study holds ``embeddings/<model>/<track_id>.npz``, these are used and nothing is
    computed. The keys of each archive are layer names; an array of shape (dim,) is a track's
    vector, and one of shape (n_windows, dim) is averaged over its windows. Vectors of a single
    stem are looked for in ``embeddings/<model>/<stem>/<track_id>.npz``, those of a sum of stems
    in ``embeddings/<model>/<stem>+<stem>/``, with the stems in the order drums, bass, other,
    vocals.
    """
    ids = list(study.tracks["track_id"] if tracks is None else tracks)
    stems = [stems] if isinstance(stems, str) else stems
    folder = _precomputed_folder(study, model, stems)
    if folder is not None:
        return _read_precomputed(folder, model, ids)
    if stems is None:
        return embed_tracks(
            {track: study.audio_path(track) for track in ids},
            model,
            seed=seed,
            cache=cache,
            progress=progress,
        )
    signals = {track: _StemMix(study, track, stems) for track in ids}
    return embed_tracks(signals, model, seed=seed, cache=cache, progress=progress)


class _StemMix:
    """The sum of some stems of a track, read when it is needed."""

    def __init__(self, study, track: str, stems: Sequence[str]):
        paths = study.stem_paths(track)
        missing = [stem for stem in stems if stem not in paths]
        if missing:
            raise ValueError(
                f"{study.path}: track {track!r} has no stem {missing[0]!r}; it has "
                f"{', '.join(paths) or 'none'}. Put stems into stems/{track}/."
            )
        self.paths = [paths[stem] for stem in sorted(stems)]

    def content(self) -> str:
        return hash_bytes("sum", *(hash_file(path) for path in self.paths))

    def load(self) -> tuple[np.ndarray, int]:
        signals = [load_audio(path) for path in self.paths]
        rate = signals[0][1]
        total = np.zeros(max(len(resample(y, sr, rate)) for y, sr in signals), np.float32)
        for y, sr in signals:
            part = resample(y, sr, rate)
            total[: len(part)] += part
        return total, rate


def _recipe(adapter, print_: str) -> str:
    facts = {
        "version": VERSION,
        "model": print_,
        "adapter": type(adapter).__qualname__,
        "rate": adapter.sample_rate,
        "window": adapter.window,
        "hop": getattr(adapter, "hop", adapter.window),
        "lead": getattr(adapter, "lead", 0),
        "layers": adapter.layers,
    }
    return json.dumps(facts, sort_keys=True)


def _content_hash(signal: Signal | _StemMix) -> str:
    if isinstance(signal, _StemMix):
        return signal.content()
    if isinstance(signal, tuple):
        y, sr = signal
        y = np.ascontiguousarray(y, dtype=np.float32)
        return hash_bytes("signal", str(y.shape), str(sr), y.tobytes())
    path = Path(signal)
    if not path.is_file():
        load_audio(path)  # raises the error that explains it
    return hash_file(path)


def _read(signal: Signal | _StemMix, rate: int) -> np.ndarray:
    if isinstance(signal, _StemMix):
        signal = signal.load()
    if isinstance(signal, tuple):
        return _prepare(*signal, rate)
    return load_audio(signal, sr=rate)[0]


def _prepare(y: np.ndarray, sr: int, rate: int) -> np.ndarray:
    y = np.asarray(y, dtype=np.float32)
    if y.ndim == 2:
        y = y.mean(axis=0)
    if y.ndim != 1 or y.size == 0:
        raise ValueError(
            f"the signal has shape {y.shape}; expected (n_samples,) or (n_channels, n_samples) "
            "with at least one sample."
        )
    if not np.isfinite(y).all():
        raise ValueError(f"{int((~np.isfinite(y)).sum())} of {y.size} samples are NaN or infinite.")
    return resample(y, sr, rate)


def _precomputed_folder(study, model: str, stems: Sequence[str] | None) -> Path | None:
    folder = Path(study.path) / "embeddings" / model
    if stems is not None:
        order = ["drums", "bass", "other", "vocals"]
        known = sorted(stems, key=lambda stem: order.index(stem) if stem in order else 9)
        folder = folder / "+".join(known)
    return folder if next(folder.glob("*.npz"), None) is not None else None


def _read_precomputed(folder: Path, model: str, ids: list[str]) -> Embedding:
    missing = [track for track in ids if not (folder / f"{track}.npz").is_file()]
    if missing:
        raise FileNotFoundError(
            f"{folder}: no vectors of {len(missing)} tracks, the first is {missing[0]}.npz. Add "
            "them, or remove the folder to have them computed from the audio."
        )
    rows = []
    for track in ids:
        with np.load(folder / f"{track}.npz") as archive:
            layers = {
                name: archive[name].astype(np.float32)
                for name in archive.files
                if archive[name].dtype.kind == "f"
            }
        row = {name: v.mean(axis=0) if v.ndim == 2 else v for name, v in layers.items()}
        if rows and {k: v.shape for k, v in row.items()} != {
            k: v.shape for k, v in rows[0].items()
        }:
            raise ValueError(
                f"{folder}: {track}.npz has layers {_shapes(row)}, but {ids[0]}.npz has "
                f"{_shapes(rows[0])}. All tracks need the same."
            )
        for name, vector in row.items():
            if vector.ndim != 1 or not np.isfinite(vector).all():
                raise ValueError(
                    f"{folder}: layer {name!r} of {track}.npz has shape {vector.shape}"
                    f"{'' if np.isfinite(vector).all() else ' and holds NaN or infinite values'}; "
                    "expected finite numbers of shape (dim,) or (n_windows, dim)."
                )
        rows.append(row)
    layers = {name: np.stack([row[name] for row in rows]) for name in (rows[0] if rows else {})}
    return Embedding(model, ids, layers, source=str(folder))


def _shapes(row: dict[str, np.ndarray]) -> dict[str, tuple]:
    return {name: vector.shape for name, vector in row.items()}
