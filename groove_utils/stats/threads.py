"""One BLAS thread while a mixed model computes.

The matrices are small: threads would only wait for one another, the more so where several
processes refit at once. Whoever calls need not know, and finds the number of threads as it was.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
"""Decorator: run a function with one BLAS thread, then give the threads back."""
