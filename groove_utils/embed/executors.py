"""The same extraction on another engine: processes of this machine, or a Dask cluster.

Tracks are shared out in small bundles; whoever computes one writes into the same cache, which all
must reach under the same path. Nothing is sent back but what went wrong. When a worker dies, its
bundle is given to another, and what it had finished is found in the cache.
"""

from __future__ import annotations

import contextlib
import re
import sys
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import cloudpickle

from groove_utils.cache import ArrayCache
from groove_utils.embed.catalogue import register_model, registered_models
from groove_utils.embed.jobs import compute_missing

__all__ = ["embed_distributed"]

BUNDLE = 16  # tracks, or sums of stems: a few batches, little enough to lose


def embed_distributed(
    executor: str,
    work: Mapping,
    todo: Mapping[str, Sequence[str]],
    settings: Mapping,
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
        What went wrong, by track.

    Raises
    ------
    ValueError
        If the executor's address is malformed.
    ConnectionError
        If no scheduler answers.
    """
    factories = {
        name: factory
        for name, factory in registered_models().items()
        if any(name in models for models in todo.values())
    }
    ids = list(todo)
    bundles = [ids[i : i + BUNDLE] for i in range(0, len(ids), BUNDLE)]
    jobs = [
        (
            {track: work[track] for track in bundle},
            {track: tuple(todo[track]) for track in bundle},
            dict(settings),
            str(cache.folder.parent.resolve()),
            cache.namespace,
            factories,
        )
        for bundle in bundles
    ]
    problems: dict[str, str] = {}
    with sent_along(factories.values()), _pool(executor) as run:
        for n_models, errors in run(jobs):
            problems |= errors
            if bar is not None:
                bar.update(n_models)
    return problems


def _embed_bundle(work, todo, settings, folder, namespace, factories) -> tuple[int, dict[str, str]]:
    """What a worker does."""
    for name, factory in factories.items():
        if registered_models().get(name) is not factory:  # else it would be loaded anew
            register_model(name, factory, replace=True)
    errors = compute_missing(work, todo, settings, ArrayCache(folder, namespace))
    return sum(map(len, todo.values())), errors


@contextlib.contextmanager
def sent_along(factories: Iterable[Callable]) -> Iterator[None]:
    """Send the plain files that factories of adapters come from to the workers, with the jobs.

    A worker may run on another machine, which does not have a reader's file. What is installed, or
    comes with Python, has to be installed there, too.
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
def _pool(executor: str) -> Iterator:
    if match := re.fullmatch(r"joblib:([1-9]\d*)", executor):
        import joblib

        def run(jobs):
            parallel = joblib.Parallel(int(match[1]), return_as="generator_unordered")
            return parallel(joblib.delayed(_embed_bundle)(*job) for job in jobs)

        yield run
        return
    match = re.fullmatch(r"(?:dask|tcp)://(\[?[^/\s]+\]?:\d+)", executor)
    if not match:
        raise ValueError(
            f"executor is {executor!r}; expected dask://HOST:PORT of a Dask scheduler, or "
            "joblib:N for N processes, 1 or more."
        )
    try:
        from distributed import Client, as_completed
    except ImportError as error:
        raise ValueError(
            f"executor {executor!r} needs the package distributed: `pip install distributed`."
        ) from error
    try:
        client = Client(f"tcp://{match[1]}", timeout="10s", set_as_default=False)
    except OSError as error:
        raise ConnectionError(
            f"no Dask scheduler answers at {match[1]} ({error}). Start one with `dask scheduler`, "
            "and workers with `dask worker HOST:PORT --nthreads 1`."
        ) from error
    if not client.scheduler_info()["workers"]:
        warnings.warn(
            f"the Dask scheduler at {match[1]} has no workers yet; waiting for them. Start some "
            f"with `dask worker {match[1]} --nthreads 1`.",
            RuntimeWarning,
            stacklevel=6,
        )

    def run(jobs):
        futures = [client.submit(_embed_bundle, *job, pure=False, retries=3) for job in jobs]
        for future in as_completed(futures, loop=client.loop):
            yield future.result()

    with client:
        yield run
