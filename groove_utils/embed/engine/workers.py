"""Threads that run batches in parallel on a CPU."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

__all__ = ["WorkerPool"]

MAX_WORKERS = 4  # each parallel batch needs memory for its feature maps


class WorkerPool:
    """Pool of threads that run batches in parallel, each on an equal share of the cores.

    This is faster than running one batch at a time on all cores, because cores that share a batch
    must wait for each other after every one of its many small steps.

    Attributes
    ----------
    count : int
        Number of threads.
    """

    def __init__(self):
        _keep_freed_memory()
        self._threads = torch.get_num_threads()
        self.count = min(self._threads, MAX_WORKERS)
        self._pool = ThreadPoolExecutor(
            self.count, "worker", torch.set_num_threads, (self._threads // self.count,)
        )

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_exception) -> None:
        self._pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self._threads)  # restore the default for new threads

    def submit(self, function: Callable, *arguments, concurrent: bool = True) -> Future:
        """Call a function in the next free thread, or in the caller's if `concurrent` is False."""
        if concurrent:
            return self._pool.submit(function, *arguments)
        done: Future = Future()
        done.set_result(function(*arguments))
        return done


@functools.cache
def _keep_freed_memory() -> None:
    """Make the C library keep freed memory for reuse.

    By default, glibc returns large blocks to the system when they are freed, and the system clears
    them before they are used again. This slows down models with large feature maps, such as HuBERT.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # from malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)
        mallopt(arena_max, 1)  # a thread's own arena cannot contain large blocks
