"""The studies that the book knows by name."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pandas as pd

__all__ = ["BUILDERS", "list_studies", "prepare_study"]

# name -> ("module:function" that makes the folder, what it is). The functions are named, not
# imported: a study must not drag in the synthesiser or the downloaders of the others.
BUILDERS: dict[str, tuple[str, str]] = {
    "demo": (
        "groove_utils.synth:make_demo",
        "Simulated bands and simulated listeners with known effects; made offline.",
    ),
    "marmoret2026": (
        "groove_utils.study.marmoret2026:make_marmoret2026",
        "148 rated songs with descriptors and embeddings of seven models; fetched from OSF.",
    ),
    "oconnell2022": (
        "groove_utils.study.oconnell2022:make_oconnell2022",
        "124 listeners' ratings of 20 songs, without audio; fetched from GitHub.",
    ),
}


def list_studies() -> pd.DataFrame:
    """The catalogue: one row a study, with its name and what it is."""
    rows = [{"study": name, "what": what} for name, (_, what) in BUILDERS.items()]
    return pd.DataFrame(rows)


def prepare_study(name: str, folder: str | os.PathLike, **options: object) -> Path:
    """Make or fetch a catalogued study.

    Parameters
    ----------
    name : str
        A name of :func:`list_studies`.
    folder : path-like
        Where to put it. What is there already and still right is kept.
    **options
        Passed to the study's builder, for instance ``n_bands`` to
        :func:`groove_utils.synth.make_demo`.

    Returns
    -------
    pathlib.Path
        The folder.
    """
    if name not in BUILDERS:
        raise KeyError(f"No study {name!r} in the catalogue; expected one of {list(BUILDERS)}.")
    module, function = BUILDERS[name][0].split(":")
    getattr(importlib.import_module(module), function)(Path(folder), **options)
    return Path(folder)
