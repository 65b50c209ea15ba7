"""Threads that run batches side by side on a processor."""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch

__all__ = ["WorkerPool"]

MAX_WORKERS = 4  # batches that run side by side; each holds its feature maps


class WorkerPool:
    """Threads that each keep to their share of the processor's cores.

    Cores that work on one batch together wait for each other between its many small steps.

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
        torch.set_num_threads(self._threads)  # the default of threads to come

    def submit(self, function: Callable, *arguments, concurrent: bool = True) -> Future:
        """Call a function in the next free thread; if not `concurrent`, here and now."""
        if concurrent:
            return self._pool.submit(function, *arguments)
        done: Future = Future()
        done.set_result(function(*arguments))
        return done


@functools.cache
def _keep_freed_memory() -> None:
    """Have the C library keep the memory of feature maps for the next ones.

    glibc returns large blocks to the system each time, which then has to clear them again: that
    is up to a quarter of the time of HuBERT's forward pass.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # names in malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, (1 << 31) - 1)
        mallopt(arena_max, 1)  # a thread's own arena could not hold large blocks
