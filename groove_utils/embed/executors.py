"""Distribute the extraction of embeddings across local processes or a Dask cluster.

Tracks are sent to the workers in small bundles. The workers write embeddings to a shared cache,
which must have the same path on all of them, and return only counts and error messages. If a worker
in a cluster dies, another worker processes its bundle.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cloudpickle

from groove_utils.cache import ArrayCache
from groove_utils.embed.adapters import EmbedError
from groove_utils.embed.catalogue import register_model, registered_models
from groove_utils.embed.jobs import Settings, compute_missing

__all__ = ["embed_distributed", "open_pool", "pickled_by_value"]

BUNDLE = 16  # tracks or sums of stems per job; small, because a job is repeated if its worker dies


def embed_distributed(
    executor: str,
    work: Mapping,
    todo: Mapping[str, Sequence[str]],
    settings: Settings,
    cache: ArrayCache,
    bar=None,
) -> dict[str, str]:
    """Embed tracks in parallel processes or on a cluster, and write the results to the cache.

    Parameters
    ----------
    executor : str
        ``dask://HOST:PORT`` (address of a Dask scheduler) or ``joblib:N`` (N local processes).
    work, todo, settings, cache, bar
        As in :func:`groove_utils.embed.jobs.compute_missing`.

    Returns
    -------
    dict of str to str
        Error messages for the tracks that could not be embedded, keyed by track.

    Raises
    ------
    EmbedError
        If `executor` has neither of the forms above.
    ConnectionError
        If no scheduler responds at the address.
    """
    needed = {name for models in todo.values() for name in models}
    factories = {name: f for name, f in registered_models().items() if name in needed}
    place = str(cache.folder.parent.resolve()), cache.namespace
    embed = functools.partial(_embed_bundle, settings, place, factories)
    ids = list(todo)
    bundles = [ids[i : i + BUNDLE] for i in range(0, len(ids), BUNDLE)]
    jobs = [({t: work[t] for t in bundle}, {t: todo[t] for t in bundle}) for bundle in bundles]
    problems: dict[str, str] = {}
    with pickled_by_value(factories.values()), open_pool(executor) as run:
        for n_embeddings, errors in run(embed, jobs):
            problems |= errors
            if bar is not None:
                bar.update(n_embeddings)
    return problems


def _embed_bundle(settings, place, factories, work, todo) -> tuple[int, dict[str, str]]:
    """Embed a bundle of tracks; return the number of embeddings, and error messages by track."""
    for name, factory in factories.items():
        # registering the same factory again would reload the model
        if registered_models().get(name) is not factory:
            register_model(name, factory, replace=True)
    errors = compute_missing(work, todo, settings, ArrayCache(*place))
    return sum(map(len, todo.values())), errors


@contextlib.contextmanager
def pickled_by_value(factories: Iterable[Callable]) -> Iterator[None]:
    """Within a ``with`` block, pickle user-defined adapter factories together with their code.

    This is necessary because a worker may run on another machine, without access to the user's
    files. Code from installed packages is not pickled, so the packages must also be installed on
    that machine.
    """
    installed = {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")}
    modules = {sys.modules.get(factory.__module__) for factory in factories}
    local_modules = []
    for module in modules - {None, sys.modules["__main__"]}:
        file = getattr(module, "__file__", None)
        in_package = module.__name__.partition(".")[0] == __name__.partition(".")[0]
        if file and not in_package and installed.isdisjoint(Path(file).absolute().parents):
            local_modules.append(module)
    for module in local_modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in local_modules:
            cloudpickle.unregister_pickle_by_value(module)


@contextlib.contextmanager
def open_pool(executor: str) -> Iterator[Callable]:
    """Connect to an executor; yield a function that runs jobs on it and yields their results."""
    processes = re.fullmatch(r"joblib:([1-9]\d*)", executor)
    cluster = re.fullmatch(r"(?:dask|tcp)://(\[?[^/\s]+\]?:\d+)", executor)
    if processes:
        import joblib

        parallel = joblib.Parallel(int(processes[1]), return_as="generator_unordered")
        yield lambda function, jobs: parallel(joblib.delayed(function)(*job) for job in jobs)
    elif cluster:
        with _connect(cluster[1]) as client:
            yield functools.partial(_run_on_cluster, client)
    else:
        raise EmbedError(
            f"executor is {executor!r}; expected dask://HOST:PORT (a Dask scheduler) or "
            "joblib:N (N processes, at least 1).",
            kind="bad_executor",
            column="executor",
            value=executor,
        )


def _run_on_cluster(client, function: Callable, jobs: Sequence[tuple]) -> Iterator:
    from distributed import as_completed

    # a generator, so that workers can free a result once its future has been used here
    futures = (client.submit(function, *job, pure=False, retries=3) for job in jobs)
    for future in as_completed(futures, loop=client.loop):
        yield future.result()


def _connect(address: str):
    """Connect to the Dask scheduler at HOST:PORT; return the client."""
    from distributed import Client

    try:
        client = Client(f"tcp://{address}", timeout="10s", set_as_default=False)
    except OSError as error:
        raise ConnectionError(
            f"no Dask scheduler responds at {address} ({error}). Start one with `dask scheduler`, "
            "and workers with `dask worker HOST:PORT --nthreads 1`."
        ) from error
    if not client.scheduler_info()["workers"]:
        warnings.warn(
            f"the Dask scheduler at {address} has no workers yet; waiting for them. Start some "
            f"with `dask worker {address} --nthreads 1`.",
            RuntimeWarning,
            stacklevel=7,
        )
    return client
