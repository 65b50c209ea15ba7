"""Embed sums of a study's stems, for the chapter on stem ablation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from groove_utils.audio import audio_duration
from groove_utils.audio.streams import FileSource, Source
from groove_utils.cache import ArrayCache
from groove_utils.embed.adapters import EmbedError
from groove_utils.embed.cache_keys import difference_key
from groove_utils.embed.embedding import Embedding
from groove_utils.embed.extract import embed_models, pick_stems
from groove_utils.embed.precomputed import check_options, read_precomputed
from groove_utils.embed.study_models import precomputed_sums
from groove_utils.embed.sum_source import SumSource, add_streams
from groove_utils.study.stem_names import stem_subsets, subset_name

__all__ = ["embed_stem_sums"]

Sum = tuple[str, ...]
EXACT = 10 ** (-90 / 20)  # smaller differences can be due to rounding to 16 bits


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
    """Embed sums of stems with one or more models.

    Parameters
    ----------
    study : Study
        See :func:`groove_utils.study.load_study`.
    models : str or sequence of str
        Names of models, or of folders in the study's ``embeddings/``.
    sums : iterable of sequence of str, optional
        Combinations of stems to sum. By default, all non-empty subsets of the stems or, if there
        are no stems, the sums for which the study has precomputed vectors from the first model in
        `models`.
    stems : mapping of str to mapping of str to path, optional
        Audio files, keyed by track_id and then stem; by default, the study's stems.
    gains : mapping of tuple of str to mapping of str to float, optional
        Linear gains, keyed by sum and then track_id, for example to match loudness; 1 by default.
    tracks : iterable of str, optional
        Track ids; by default, all tracks.
    excerpt : float
        Duration in seconds of the excerpt to embed from the middle of each song; 0 for the whole
        song. It has no effect on precomputed vectors.
    **options
        Options of :func:`groove_utils.embed.embed_models`, such as `pooling` and `cache`.

    Returns
    -------
    dict of str to dict of tuple of str to Embedding
        Embeddings, keyed by model and then by sum, in the order of `sums`.

    Raises
    ------
    EmbedError
        If a track lacks a stem, a sum is empty or contains duplicates, the study has neither stems
        nor vectors for a sum, or `pooling` is not ``'mean'`` although the vectors are precomputed.

    Notes
    -----
    Stems that occupy at most 8 MiB after resampling are decoded only once for all sums. Vectors in
    the study's ``embeddings/<model>/<stem>+<stem>/`` are used unless `stems` or `gains` is given.
    If a track's stems in the study add up to its mix within 16-bit rounding, the mix is embedded
    instead of the sum of all stems, because the embedding of the mix is usually cached.
    """
    models = [models] if isinstance(models, str) else list(models)
    ids = list(study.tracks["track_id"] if tracks is None else tracks)
    files = _stem_files(study, ids) if stems is None else {track: stems[track] for track in ids}
    if sums is None and not files:
        sums = [name.split("+") for name in precomputed_sums(study, models[0])]
    sums = stem_subsets(next(iter(files.values()))) if sums is None else list(map(tuple, sums))
    vectors: dict[str, dict[Sum, Embedding]] = {model: {} for model in models}
    if stems is None and not gains:
        vectors = {model: _precomputed(study, model, sums, ids) for model in models}
    check_options([model for model in models if vectors[model]], **options)
    groups: dict[tuple[Sum, ...], list[str]] = {}  # models grouped by missing sums
    for model in models:
        if missing := tuple(subset for subset in sums if subset not in vectors[model]):
            groups.setdefault(missing, []).append(model)
    for missing, group in groups.items():
        if not files:
            raise _no_stems(study, group[0], missing[0])
        work: dict[str, Source] = {}  # ordered by track, so that its sums share stems in memory
        for track in ids:
            mix = study.audio_path(track) if stems is None else None
            parts = _parts(files[track], excerpt)
            for subset in missing:
                gain = (gains or {}).get(subset, {}).get(track, 1.0)
                work[_label(track, subset)] = _source(study, track, parts, subset, gain, mix)
        for model, embedding in embed_models(work, group, **options).items():
            vectors[model] |= {subset: _of_sum(embedding, ids, subset) for subset in missing}
    return {model: {subset: vectors[model][subset] for subset in sums} for model in models}


def _precomputed(study, model, sums: Iterable[Sum], ids: Sequence[str]) -> dict[Sum, Embedding]:
    archives = {subset: study.vector_paths(model, subset) for subset in sums}
    return {
        subset: read_precomputed(paths, model, ids) for subset, paths in archives.items() if paths
    }


def _label(track: str, subset: Sum) -> str:
    return f"{track} ({' + '.join(subset)})"


def _of_sum(embedding: Embedding, ids: Sequence[str], subset: Sum) -> Embedding:
    """Extract the embeddings of one sum of stems, with the track ids as row labels."""
    part = embedding.select([_label(track, subset) for track in ids])
    silent = [track for track in ids if _label(track, subset) in part.silent]
    return Embedding(embedding.model, list(ids), part.layers, silent)


def _no_stems(study, model: str, subset: Sum) -> EmbedError:
    place = f"embeddings/{model}/{subset_name(subset)}/"
    return EmbedError(
        f"{study.path}: the study has no stems, and no vectors in {place}. Put stems into "
        f"stems/<track_id>/, or vectors into {place}.",
        kind="no_stems",
        path=study.path,
    )


def _stem_files(study, ids: Sequence[str]) -> dict[str, dict[str, Path]]:
    return {track: study.stem_paths(track) for track in ids} if study.has("stems") else {}


def _parts(files: Mapping[str, Path], excerpt: float) -> dict[str, FileSource]:
    if not excerpt:
        return {stem: FileSource(path) for stem, path in files.items()}
    # the excerpt is the same for all stems; the longest stem gives the length of the song
    lengths = [audio_duration(path) for path in files.values()]
    start = max(0.0, (max(lengths) - excerpt) / 2)
    if start >= min(lengths):  # a stem ends before the excerpt begins
        start = max(0.0, min(lengths) - excerpt)
    return {stem: FileSource(path, start, excerpt) for stem, path in files.items()}


def _source(
    study, track: str, parts: Mapping[str, FileSource], subset: Sum, gain: float, mix: Path | None
) -> Source:
    chosen = pick_stems(study, track, parts, subset)
    if mix is not None and gain == 1 and set(subset) == set(parts):
        excerpt = FileSource(mix, chosen[0].start, chosen[0].duration)
        if _add_up(list(parts.values()), excerpt):
            return excerpt
    return SumSource(chosen, gain)


def _add_up(parts: Sequence[FileSource], mix: FileSource) -> bool:
    """Check whether stems add up to a mix within 16-bit rounding; the result is cached."""
    total = SumSource(parts)
    if total.sr != mix.sr:
        return False
    cache = ArrayCache(namespace="sums")
    key = difference_key(total.content(), mix.content())
    entry = cache.get(key)
    if entry is None:
        rate = total.sr
        streams = [({rate: b} for b in total.blocks()), ({rate: -b} for b in mix.blocks())]
        peaks = [np.abs(b[rate]).max(initial=0) for b in add_streams(streams, [rate])]
        entry = {"peak": np.float32(max(peaks, default=0))}
        cache.put(key, entry)
    return float(entry["peak"]) < EXACT
