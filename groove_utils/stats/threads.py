"""Decorator that limits BLAS to one thread while a function runs.

The decorator speeds up functions that compute many small matrix products. With multiple threads,
such functions spend more time on synchronisation than on computation.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
"""Run the decorated function with one BLAS thread, then restore the previous number."""
