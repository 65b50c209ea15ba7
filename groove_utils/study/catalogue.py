"""Catalogue of studies, with one YAML file per study in ``datasets/``.

To add a data set, add ``datasets/<name>.yml`` with the fields of :class:`Dataset`, and a function
that writes the study folder.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import yaml

from groove_utils.errors import DetailedError
from groove_utils.study.problems import UnknownNameError

__all__ = ["Dataset", "dataset_names", "get_dataset", "list_studies", "prepare_study"]

if TYPE_CHECKING:
    import pandas as pd

FOLDER = Path(__file__).parent / "datasets"


@dataclass(frozen=True)
class Dataset:
    """A catalogued data set.

    Parameters
    ----------
    name, summary : str
        Name of the study, and a one-sentence description.
    converter : str
        Function that writes the study folder, as ``"module:function"``; imported only when needed.
    meta : dict
        Entries of ``study.yml`` that are known in advance, such as the licence and the citation.
    remotes : dict
        URLs of the published files, with their hashes if known.

    Examples
    --------
    >>> get_dataset("oconnell2022").licence
    'No licence is stated; the data are downloaded when needed and not redistributed.'
    """

    name: str
    summary: str
    converter: str
    meta: dict
    remotes: dict = field(default_factory=dict)

    @property
    def licence(self) -> str:
        """Terms of use, or a note that none are stated."""
        return self.meta["licence"]

    def cite(self) -> str:
        """Return the reference to cite."""
        return self.meta["citation"]

    def prepare(self, folder: str | os.PathLike, **params: object) -> Path:
        """Generate or download the study folder, keeping existing files that are still valid.

        Parameters
        ----------
        folder : path-like
            The study folder to write.
        **params
            Keyword arguments for the converter, such as ``n_bands`` for
            :func:`groove_utils.synth.make_demo`.

        Returns
        -------
        pathlib.Path
            The study folder.

        Raises
        ------
        DetailedError
            If the converter does not accept a parameter or its value.
        """
        converter = resolve_name(self.converter)
        self._check_options(inspect.signature(converter), params)
        converter(Path(folder), **params)
        return Path(folder)

    def _check_options(self, signature: inspect.Signature, params: Mapping[str, object]) -> None:
        accepted = dict(list(signature.parameters.items())[1:])  # all but the folder
        for name, value in params.items():
            is_integer = name in accepted and accepted[name].annotation in ("int", int)
            if name not in accepted or (is_integer and type(value) is not int):
                expected = "a whole number" if is_integer else f"one of {', '.join(accepted)}"
                option = f"{name}: {value!r}" if is_integer else f"the option {name!r}"
                raise DetailedError(
                    f"Study {self.name}: found {option}; expected {expected}. Correct it in the "
                    "section `study` of the parameter file.",
                    kind="wrong_value" if is_integer else "unknown_option",
                    column=name,
                    value=value,
                )


def dataset_names() -> list[str]:
    """Return the names of the catalogued data sets."""
    return sorted(path.stem for path in FOLDER.glob("*.yml"))


def get_dataset(name: str) -> Dataset:
    """Return the data set with the given name; raise an UnknownNameError if there is none."""
    if name not in (names := dataset_names()):
        message = f"No study {name!r} in the catalogue; expected one of {', '.join(names)}."
        raise UnknownNameError(message, kind="unknown_study", value=name)
    return Dataset(name, **yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8")))


def list_studies() -> pd.DataFrame:
    """Return a table of the catalogued studies, with the columns ``study`` and ``what``."""
    import pandas as pd  # imported here, because it is slow and Make needs only the names

    rows = [{"study": name, "what": get_dataset(name).summary} for name in dataset_names()]
    return pd.DataFrame(rows)


def prepare_study(name: str, folder: str | os.PathLike, **params: object) -> Path:
    """Generate or download a catalogued study; see :meth:`Dataset.prepare`."""
    return get_dataset(name).prepare(folder, **params)
