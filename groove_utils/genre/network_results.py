"""Caching of results computed with networks, and calculation of network sizes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from torch import nn

from groove_utils.cache import ArrayCache, cache_key
from groove_utils.files import hash_file
from groove_utils.genre import architectures

__all__ = ["cached_result", "network_sizes"]


def cached_result(
    cache: ArrayCache | None, kind: str, network: nn.Module | None, facts: Sequence,
    arrays: Sequence[np.ndarray], compute: Callable[[], Mapping[str, np.ndarray]],
) -> Mapping[str, np.ndarray]:  # fmt: skip
    """Read a result from the cache, or compute and store it.

    Parameters
    ----------
    cache : ArrayCache, optional
        Cache to use. If None, the result is always computed.
    kind : str
        Kind of result; a key of :data:`groove_utils.cache.VERSIONS`.
    network : torch.nn.Module, optional
        Network used to compute the result. Its layers and weights are part of the cache key.
    facts : sequence
        Settings that the result depends on: strings, numbers, arrays, and lists or mappings of
        these.
    arrays : sequence of ndarray
        Inputs that the result depends on. Only their bytes are part of the cache key, not their
        shape and dtype, so pass the same dtype in every call.
    compute : callable
        Function that takes no arguments and returns the result, a mapping from names to arrays.

    Returns
    -------
    mapping of str to ndarray
        The result.

    Examples
    --------
    >>> import tempfile
    >>> cache = ArrayCache(tempfile.mkdtemp())
    >>> key = [cache, "genre-networks", nn.Linear(2, 2), ["sum"], [np.ones(3)]]
    >>> cached_result(*key, lambda: {"sum": np.array(3.0)})["sum"].item()
    3.0
    >>> cached_result(*key, compute=None)["sum"].item()
    3.0
    """
    if cache is None:
        return compute()
    text = json.dumps([*facts, repr(network)], sort_keys=True, default=np.ndarray.tolist)
    state = {} if network is None else network.state_dict()
    weights = [value.cpu().numpy() for value in state.values()]
    key = cache_key(kind, text, *(array.tobytes() for array in [*arrays, *weights]))
    if (result := cache.get(key)) is None:
        result = compute()
        cache.put(key, result)
    return result


def network_sizes(
    names: Iterable[str],
    n_classes: int,
    n_mels: int,
    n_frames: int,
    cache: ArrayCache | None = None,
) -> pd.DataFrame:
    """Count the parameters and multiply–add operations of networks.

    Parameters
    ----------
    names : iterable of str
        Names of the networks; keys of :data:`groove_utils.genre.architectures.NETWORKS`.
    n_classes, n_mels, n_frames : int
        As in :func:`groove_utils.genre.build_network`.
    cache : ArrayCache, optional
        Cache to use; by default, the project's cache ``genre-networks``.

    Returns
    -------
    DataFrame
        One row per network, indexed by ``network``, with columns ``parameters`` and ``million
        multiply-adds`` (for one clip).
    """
    cache = ArrayCache(namespace="genre-networks") if cache is None else cache
    shape = {"n_mels": n_mels, "n_frames": n_frames}
    networks = {name: architectures.build_network(name, n_classes, **shape) for name in names}
    facts = json.dumps([n_mels, n_frames, *map(repr, networks.values())])
    key = cache_key("genre-networks", "sizes", facts, hash_file(architectures.__file__))
    if (sizes := cache.get(key)) is None:
        from groove_utils.networks.size import count_multiply_adds, count_parameters

        counts = [count_multiply_adds(network, (n_mels, n_frames)) for network in networks.values()]
        sizes = {
            "parameters": np.array([*map(count_parameters, networks.values())]),
            "million multiply-adds": np.array(counts) / 1e6,
        }
        cache.put(key, sizes)
    return pd.DataFrame(sizes, index=pd.Index(networks, name="network"))
