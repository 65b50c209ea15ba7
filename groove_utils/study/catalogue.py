"""Studies that the book knows by name: one YAML file each, in ``datasets/``.

To add a data set, add ``datasets/<name>.yml`` (summary, remotes, licence, citation) and a function
that writes the study folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name

import pandas as pd
import yaml

from groove_utils.study.problems import UnknownNameError

__all__ = ["Dataset", "dataset_names", "get_dataset", "list_studies", "prepare_study"]

FOLDER = Path(__file__).parent / "datasets"


@dataclass(frozen=True)
class Dataset:
    """A catalogued data set.

    Parameters
    ----------
    name : str
        Name of the study.
    summary : str
        One sentence about it.
    converter : str
        ``"module:function"`` that writes the study folder. The function is imported only when it
        is called: loading one study must not import the others' synthesiser or downloader.
    remotes : dict
        Where the published files are, with hashes where they are known.
    meta : dict
        The fixed part of the folder's ``study.yml``, with licence and citation.

    Examples
    --------
    >>> get_dataset("oconnell2022").licence
    'None is stated: downloaded when needed, not redistributed.'
    """

    name: str
    summary: str
    converter: str
    remotes: dict = field(default_factory=dict)
    meta: dict = field(default_factory=dict)

    @property
    def licence(self) -> str:
        """Terms of use, as far as they are stated."""
        return self.meta["licence"]

    def cite(self) -> str:
        """Return the reference to cite."""
        return self.meta["citation"]

    def prepare(self, folder: str | os.PathLike, **params: object) -> Path:
        """Make or fetch the study folder; keep files that are there and still right.

        Parameters
        ----------
        folder : path-like
            The study folder to write.
        **params
            Passed to the converter, for example ``n_bands`` to
            :func:`groove_utils.synth.make_demo`.

        Returns
        -------
        pathlib.Path
            The folder.
        """
        resolve_name(self.converter)(Path(folder), **params)
        return Path(folder)


def dataset_names() -> list[str]:
    """Names of the catalogued data sets, in alphabetical order."""
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def get_dataset(name: str) -> Dataset:
    """Return the catalogued data set of a name.

    Raises
    ------
    UnknownNameError
        If there is none.
    """
    if name not in dataset_names():
        raise UnknownNameError(
            f"No study {name!r} in the catalogue; expected one of {', '.join(dataset_names())}.",
            kind="unknown_study",
            value=name,
        )
    entry = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    return Dataset(name, **entry)


def list_studies() -> pd.DataFrame:
    """Return the catalogue: one row per study, with its name and a summary."""
    rows = [{"study": name, "what": get_dataset(name).summary} for name in dataset_names()]
    return pd.DataFrame(rows)


def prepare_study(name: str, folder: str | os.PathLike, **params: object) -> Path:
    """Make or fetch a catalogued study; see :meth:`Dataset.prepare`."""
    return get_dataset(name).prepare(folder, **params)
