"""Statistics without music: resampling, Shapley values, threads.

Chapters use it through `probe`, `mixed` and `stems`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "shapley": ["shapley_sampled", "shapley_values"],
        "threads": ["one_thread"],
    },
)
