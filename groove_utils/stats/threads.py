"""A decorator that limits BLAS to one thread, for many small matrix products.

In small products, threads spend more time waiting for each other than computing: on two busy cores,
several threads are ten times slower. The number of threads is restored afterwards.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
"""Decorator: run a function with one BLAS thread."""
