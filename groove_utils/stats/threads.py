"""A decorator that limits BLAS to one thread while a function runs.

The decorator speeds up functions that compute many small matrix products. With several threads,
such a function would spend more time on synchronisation than on computation.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
"""Run the decorated function with one BLAS thread, then restore the number of threads."""
