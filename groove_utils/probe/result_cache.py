"""Results of probes that are computed once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.probe.protocol import Protocol
from groove_utils.probe.result import ProbeResult
from groove_utils.probe.songs import Songs

__all__ = ["cached_arrays", "pack_result", "unpack_result"]

CHOICE = "choices."  # prefix of the columns of `ProbeResult.choices`


def cached_arrays(
    compute: Callable[[], dict[str, np.ndarray]], cache: ArrayCache | None, kind: str, method: str,
    blocks: Mapping[tuple[str, ...], Mapping[str, np.ndarray]], songs: Songs,
    folds: np.ndarray, protocol: Protocol,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Compute arrays from features by name and layer, or read them from the cache.

    Parameters
    ----------
    compute : callable
        ``compute()`` returns the arrays.
    cache : ArrayCache, optional
        Without one, the arrays are computed.
    kind : str
        One of :data:`groove_utils.cache.VERSIONS`.
    method : str
        Everything that the arrays depend on besides the other arguments.
    blocks : mapping of tuple of str → mapping of str → ndarray
        Features by name, such as a subset of stems, and layer.
    songs, folds, protocol
        Targets, groups and settings of the probe.
    """
    if cache is None:
        return compute()
    chunks = [method, repr(protocol), repr(songs.targets)]
    chunks += ["\n".join(map(str, part)) for part in (songs.ids, songs.artists, songs.styles)]
    chunks += [np.ascontiguousarray(folds).tobytes(), songs.ratings.tobytes()]
    for name in sorted(blocks):
        for layer, block in blocks[name].items():
            chunks += ["+".join(name), layer, str(block.shape), block.tobytes()]
    key = cache_key(kind, *chunks)
    if (arrays := cache.get(key)) is None:
        arrays = compute()
        cache.put(key, arrays)
    return arrays


def pack_result(result: ProbeResult) -> dict[str, np.ndarray]:
    """Return the arrays of a probe's result, without its songs."""
    arrays = {"predicted": result.predicted, "baseline": result.baseline, "folds": result.folds}
    if result.leave_artist_out is not None:
        arrays["leave_artist_out"] = result.leave_artist_out
    choices = result.choices.assign(pca=result.choices["pca"].fillna(-1).astype(int))
    texts = choices.select_dtypes(exclude="number").columns
    columns = {k: v.to_numpy(str if k in texts else None) for k, v in choices.items()}
    return arrays | {CHOICE + name: column for name, column in columns.items()}


def unpack_result(songs: Songs, arrays: Mapping[str, np.ndarray]) -> ProbeResult:
    """Return the result of a probe from its songs and arrays."""
    columns = {k.removeprefix(CHOICE): v for k, v in arrays.items() if k.startswith(CHOICE)}
    choices = pd.DataFrame(columns).astype({"layer": object})
    choices["pca"] = choices["pca"].astype("Int64").mask(choices["pca"] < 0)
    rest = {name: array for name, array in arrays.items() if not name.startswith(CHOICE)}
    return ProbeResult(songs, choices=choices, **rest)
