"""Similarity of songs in embeddings: maps, CKA, RSA with Mantel tests.

Chapters 05 and 06 use it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mantel": ["rsa"],
    },
)
