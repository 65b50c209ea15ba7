"""A decorator that limits BLAS to one thread while a function runs.

It speeds up functions that compute many small matrix products, in which several threads would spend
more time waiting for each other than computing.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
"""Run the decorated function with one BLAS thread, then restore the number of threads."""
