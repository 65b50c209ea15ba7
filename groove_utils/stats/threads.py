"""One BLAS thread for many small matrix products.

Threads inside small products wait for each other more than they work: ten times slower on two busy
cores. The number of threads is restored afterwards.
"""

from __future__ import annotations

from threadpoolctl import threadpool_limits

__all__ = ["one_thread"]

one_thread = threadpool_limits.wrap(limits=1, user_api="blas")
"""Decorator: run a function with one BLAS thread."""
