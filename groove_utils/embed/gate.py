"""Is a loaded model the one that it claims to be?"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

__all__ = ["fingerprint"]


def fingerprint(network: Any) -> str:
    """SHA-256 (hex) over everything that a network's output depends on.

    Parameters
    ----------
    network : torch.nn.Module or object
        Of a module, all parameters and all buffers count, those too that are not saved with it.
        Another object counts by its ``content()``, else by its type's name.
    """
    digest = hashlib.sha256(type(network).__qualname__.encode())
    if hasattr(network, "named_parameters"):
        tensors = [*network.named_parameters(), *network.named_buffers()]
        for name, tensor in sorted(tensors, key=lambda item: item[0]):
            values = np.ascontiguousarray(tensor.detach().float().cpu().numpy())
            digest.update(f"{name}{tuple(values.shape)}{tensor.dtype}".encode())
            digest.update(values)
    elif hasattr(network, "content"):
        digest.update(network.content())
    return digest.hexdigest()
