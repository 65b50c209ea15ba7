"""Read the taggers' TensorFlow checkpoints without TensorFlow.

The data file of a checkpoint contains the variables one after the other, sorted by name, as raw
float32 values. Each trained variable is followed by the two moments that the Adam optimiser
estimated for it. Names and shapes are therefore sufficient to locate a variable. The values are
verified later; see :mod:`groove_utils.embed.fingerprints`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

import numpy as np

from groove_utils.embed.adapters import ModelRefusedError

__all__ = ["read_checkpoint"]


def read_checkpoint(
    path: str | os.PathLike, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, np.ndarray]:
    """Read the variables of a TensorFlow checkpoint.

    Parameters
    ----------
    path : path-like
        Data file of the checkpoint.
    shapes : mapping of str to tuple of int
        Shapes of all variables except those of the optimiser, by name.

    Returns
    -------
    dict of str to ndarray of float32
        Values of the variables in `shapes`, by name.

    Raises
    ------
    ModelRefusedError
        If the size of the file does not match the shapes.
    """
    stored = {"beta1_power": (), "beta2_power": ()} | dict(shapes)
    for name, shape in shapes.items():
        if "/moving_" not in name:
            stored |= {f"{name}/Adam": shape, f"{name}/Adam_1": shape}
    values = np.fromfile(path, "<f4")
    names = sorted(stored)
    stops = np.cumsum([math.prod(stored[name]) for name in names])
    size = os.path.getsize(path)
    if size != 4 * stops[-1]:
        raise ModelRefusedError(
            f"{path} has {size} bytes; expected {4 * stops[-1]}. It is damaged, or belongs to "
            "another network. Reinstall the package that contains it.",
            kind="damaged_file",
            path=path,
            value=size,
        )
    pieces = zip(names, np.split(values, stops[:-1]))
    return {name: piece.reshape(stored[name]) for name, piece in pieces if name in shapes}
