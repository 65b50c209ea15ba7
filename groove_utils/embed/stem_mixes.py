"""Embed every sum of a study's stems, for the ablation of chapter 07."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import soundfile

from groove_utils.cache import ArrayCache
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.extract import check_stems, embed_models
from groove_utils.embed.model_selection import stem_sums
from groove_utils.embed.precomputed import precomputed_folder, read_precomputed, refuse_options
from groove_utils.embed.sources import FileSource, Source, SumSource, summed
from groove_utils.files import hash_bytes
from groove_utils.study.stem_names import stem_subsets

__all__ = ["embed_stem_sums"]

Sum = tuple[str, ...]
EXACT = 10 ** (-90 / 20)  # a difference below this is rounding to 16 bit


def embed_stem_sums(
    study,
    models: str | Sequence[str],
    sums: Iterable[Sequence[str]] | None = None,
    *,
    stems: Mapping[str, Mapping[str, Path]] | None = None,
    gains: Mapping[Sum, Mapping[str, float]] | None = None,
    tracks: Iterable[str] | None = None,
    excerpt: float = 0.0,
    **options,
) -> dict[str, dict[Sum, Embedding]]:
    """Embed sums of stems with several models, decoding and resampling each stem once.

    Parameters
    ----------
    study : Study
    models : str or sequence of str
        Models, or folders of the study's ``embeddings/``.
    sums : iterable of sequence of str, optional
        Which stems to add up; all non-empty subsets by default, from single stems to all. Of a
        study without stems, the sums of which it brings vectors.
    stems : mapping of str to mapping of str to path, optional
        Audio files by track_id and stem; the study's own by default. They may come from a
        separator, or from another song.
    gains : mapping of tuple of str to mapping of str to float, optional
        A linear gain for a sum, by track_id; 1 where none is given. For loudness matching.
    tracks : iterable of str, optional
        Track ids; all by default.
    excerpt : float
        Seconds from the middle of each song that are embedded; 0 for the whole song. Vectors that
        the study brings are of whatever they were made of.
    **options
        As in :func:`groove_utils.embed.embed_tracks`: seed, pooling, cache, device, executor,
        progress.

    Returns
    -------
    dict of str to dict of tuple of str to Embedding
        By model and sum, in the order of `sums`.

    Raises
    ------
    ValueError
        If a track lacks a stem of a sum, a sum is empty or names a stem twice, or another `pooling`
        than the mean is asked for of vectors that the study brings.
    FileNotFoundError
        If the study has no stems, and no vectors of a sum either.

    Notes
    -----
    Where the study holds ``embeddings/<model>/<stem>+<stem>/``, these are used (not with `stems`
    or `gains`). Where all of a track's own stems add up to its mix, within 16-bit rounding, the
    mix itself is embedded: it has been already, as a rule. Chapter 07 uses this.
    """
    models = [models] if isinstance(models, str) else list(models)
    ids = list(study.tracks["track_id"] if tracks is None else tracks)
    gains = {} if gains is None else gains
    files = _stem_files(study, ids) if stems is None else {track: stems[track] for track in ids}
    if sums is None and not files:
        sums = [name.split("+") for name in stem_sums(study, models[0])]
    wanted = stem_subsets(next(iter(files.values()))) if sums is None else list(map(tuple, sums))
    for each in wanted:
        check_stems(each)

    found: dict[str, dict[Sum, Embedding]] = {model: {} for model in models}
    if stems is None and not gains:
        for model, each in itertools.product(models, wanted):
            folder = precomputed_folder(study, model, each)
            if folder is not None:
                found[model][each] = read_precomputed(folder, model, ids)
    refuse_options([model for model in models if found[model]], **options)
    groups: dict[tuple[Sum, ...], list[str]] = {}
    for model in models:
        if missing := tuple(each for each in wanted if each not in found[model]):
            groups.setdefault(missing, []).append(model)
    for missing, of_models in groups.items():
        work: dict[str, Source] = {}  # song by song, so that a song's sums share its stems
        if not files:
            raise FileNotFoundError(
                f"{study.path}: the study has no stems, and embeddings/{of_models[0]}/ no vectors "
                f"of {'+'.join(missing[0])}. Put stems into stems/<track_id>/, or vectors into "
                f"embeddings/{of_models[0]}/{'+'.join(missing[0])}/."
            )
        for track in ids:
            mix = study.audio_path(track) if stems is None else None
            parts = _parts(files[track], excerpt)
            for each in missing:
                gain = gains.get(each, {}).get(track, 1.0)
                work[_label(track, each)] = _source(study.path, track, parts, each, gain, mix)
        for model, embedding in embed_models(work, of_models, **options).items():
            for each in missing:
                part = embedding.select([_label(track, each) for track in ids])
                silent = [track for track in ids if _label(track, each) in set(part.silent)]
                found[model][each] = Embedding(model, ids, part.layers, silent)
    return {model: {each: found[model][each] for each in wanted} for model in models}


def _label(track: str, each: Sum) -> str:
    return f"{track} ({' + '.join(each)})"


def _stem_files(study, ids: Sequence[str]) -> dict[str, dict[str, Path]]:
    return {track: study.stem_paths(track) for track in ids} if study.has("stems") else {}


def _parts(files: Mapping[str, Path], excerpt: float) -> dict[str, FileSource]:
    if not excerpt:
        return {stem: FileSource(path) for stem, path in files.items()}
    # one place in the song for all of its stems, the longest of which is as long as the song
    longest = max(soundfile.info(path).duration for path in files.values())
    start = max(0.0, (longest - excerpt) / 2)
    return {stem: FileSource(path, start, excerpt) for stem, path in files.items()}


def _source(
    place: Path,
    track: str,
    parts: Mapping[str, FileSource],
    each: Sum,
    gain: float,
    mix: Path | None,
) -> Source:
    missing = [stem for stem in each if stem not in parts]
    if missing:
        raise ValueError(
            f"{place}: track {track!r} has no stem {missing[0]!r}; it has "
            f"{', '.join(parts) or 'none'}. Put stems into stems/{track}/."
        )
    if mix is not None and gain == 1 and set(each) == set(parts) and _add_up(parts.values(), mix):
        return FileSource(mix, *_place(parts.values()))
    return SumSource([parts[stem] for stem in each], gain)


def _place(parts: Iterable[FileSource]) -> tuple[float, float | None]:
    part = next(iter(parts))
    return part.start, part.duration


def _add_up(parts: Iterable[FileSource], mix: Path) -> bool:
    """Whether files add up to another; remembered by their contents."""
    parts = list(parts)
    total, whole = SumSource(parts), FileSource(mix, *_place(parts))
    if total.sr != whole.sr:
        return False
    cache = ArrayCache(namespace="sums")
    key = hash_bytes("difference", total.content(), whole.content())
    known = cache.get(key)
    if known is None:
        rate = total.sr
        streams = [({rate: b} for b in total.blocks()), ({rate: -b} for b in whole.blocks())]
        peaks = [np.abs(b[rate]).max(initial=0) for b in summed(streams, [rate])]
        known = {"peak": np.float32(max(peaks, default=0))}
        cache.put(key, known)
    return float(known["peak"]) < EXACT
