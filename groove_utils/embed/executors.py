"""Distribution of an extraction over processes on this machine, or over a Dask cluster.

Tracks are sent in small bundles. Workers write to the same cache, which must be accessible to all
under the same path, and return only error messages. If a worker dies, its bundle is given to
another one, which finds completed results in the cache.
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

BUNDLE = 16  # tracks or sums of stems: a few batches, which may be lost


def embed_distributed(
    executor: str,
    work: Mapping,
    todo: Mapping[str, Sequence[str]],
    settings: Settings,
    cache: ArrayCache,
    bar=None,
) -> dict[str, str]:
    """Embed tracks through an executor, into the cache.

    Parameters
    ----------
    executor : str
        ``dask://HOST:PORT`` (the scheduler's address) or ``joblib:N`` (N processes here).
    work, todo, settings, cache, bar
        As in :func:`groove_utils.embed.jobs.compute_missing`.

    Returns
    -------
    dict of str to str
        Error messages, by track.

    Raises
    ------
    EmbedError
        If the executor's address is invalid.
    ConnectionError
        If no scheduler responds.
    """
    lacking = {name for models in todo.values() for name in models}
    factories = {name: f for name, f in registered_models().items() if name in lacking}
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
    """Embed a bundle in a worker; return the number of embeddings, and error messages."""
    for name, factory in factories.items():
        if registered_models().get(name) is not factory:  # otherwise it would be loaded again
            register_model(name, factory, replace=True)
    errors = compute_missing(work, todo, settings, ArrayCache(*place))
    return sum(map(len, todo.values())), errors


@contextlib.contextmanager
def pickled_by_value(factories: Iterable[Callable]) -> Iterator[None]:
    """Send source files of adapter factories to the workers, together with the jobs.

    A worker may run on another machine, which does not have the reader's file. Installed packages
    also have to be installed there.
    """
    installed = {Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib")}
    modules = {sys.modules.get(factory.__module__) for factory in factories}
    plain = []
    for module in modules - {None, sys.modules["__main__"]}:
        file = getattr(module, "__file__", None)
        own = module.__name__.partition(".")[0] == __name__.partition(".")[0]
        if file and not own and installed.isdisjoint(Path(file).absolute().parents):
            plain.append(module)
    for module in plain:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in plain:
            cloudpickle.unregister_pickle_by_value(module)


@contextlib.contextmanager
def open_pool(executor: str) -> Iterator[Callable]:
    """Connect to an executor; yield a function that runs jobs there and returns their results."""
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
            f"executor is {executor!r}; expected dask://HOST:PORT of a Dask scheduler, or "
            "joblib:N for N processes, 1 or more.",
            kind="bad_executor",
            column="executor",
            value=executor,
        )


def _run_on_cluster(client, function: Callable, jobs: Sequence[tuple]) -> Iterator:
    from distributed import as_completed

    # no list of all futures: workers free what belongs to one once nothing here refers to it
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
