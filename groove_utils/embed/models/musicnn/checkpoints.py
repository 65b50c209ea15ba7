"""What the four music taggers were trained on, and where the ``musicnn`` package keeps them.

Their adapters (:mod:`groove_utils.embed.models.musicnn.taggers`) and their networks
(:mod:`groove_utils.embed.models.musicnn.networks`) both stand on this; chapters 05 to 07 use them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from groove_utils.embed.adapters import ModelUnavailableError

__all__ = ["HOP", "N_FRAMES", "N_TAGS", "SAMPLE_RATE", "checkpoint_folder"]

SAMPLE_RATE = 16000
HOP = 256  # samples from one frame of the spectrogram to the next
N_FRAMES = 187  # of a patch, about 3 s
N_TAGS = 50


def checkpoint_folder(name: str) -> Path:
    """Where the ``musicnn`` package keeps a tagger's checkpoint.

    Raises
    ------
    ModelUnavailableError
        If the package is not installed.
    """
    spec = importlib.util.find_spec("musicnn")
    if spec is None or spec.origin is None:
        raise ModelUnavailableError(
            f"{name}: the package that carries its weights is not installed. "
            "Run `pip install --no-deps musicnn==0.1.0`."
        )
    data, kind = name.split("-")[:2]
    return Path(spec.origin).parent / f"{data.upper()}_{kind}"
