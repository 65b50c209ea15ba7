"""Base class for adapters of models whose weights are stored in a file of a Python package.

Only the weights file is read; the package's code is never imported. This module does not import
torch, so that cached vectors can be read without this slow import.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.files import hash_file

__all__ = ["PackagedModel"]


class PackagedModel:
    """Base class for adapters of models in Python packages and of their untrained twins.

    Parameters
    ----------
    name : str
        Name of the model in the catalogue. The name of the untrained twin, which has random
        weights, ends in ``-untrained``.
    seed : int
        Seed for the twin's random weights; ignored by trained models.

    Attributes
    ----------
    file : str
        Path of the weights file, relative to the folder of the first package listed on the model
        card.
    sha256 : str
        SHA-256 hash (hex) of the weights file.

    Examples
    --------
    >>> from groove_utils.embed.models.basic_pitch import BasicPitch
    >>> BasicPitch("basic-pitch").verify().name
    'nmp.onnx'
    """

    file: str
    sha256: str
    batch_size = 2  # the feature maps of larger batches do not fit into a CPU's caches
    concurrent = True

    def __init__(self, name: str, seed: int = 0):
        self.name, self.seed = name, seed
        self.trained = not name.endswith("-untrained")
        self.layers = dict(catalogued_models()[name].layers)

    def files(self) -> list[Path]:
        """Return a list with the path of the weights file, or an empty list for the untrained twin.

        Raises
        ------
        ModelUnavailableError
            If a package that the model needs is not installed (``kind="missing_package"``).
        """
        return [self.locate()] if self.trained else []

    def locate(self) -> Path:
        """Return the path of the weights file; raise the same errors as :meth:`files`."""
        card = catalogued_models()[self.name]
        specs = {package: importlib.util.find_spec(package) for package in card.packages}
        for package, spec in specs.items():
            if spec is None or spec.origin is None:
                raise ModelUnavailableError(
                    f"{self.name}: the package {package} is not installed. Run `{card.install}`.",
                    kind="missing_package",
                    value=package,
                )
        return Path(specs[card.packages[0]].origin).parent / self.file

    def verify(self) -> Path:
        """Return the path of the weights file after checking the file's hash.

        Raises
        ------
        ModelUnavailableError
            As in :meth:`files`.
        ModelRefusedError
            If the file is missing (``kind="missing_files"``) or differs from the expected file
            (``kind="wrong_hash"``).
        """
        path = self.locate()
        if path.is_file() and hash_file(path) == self.sha256:
            return path
        install = catalogued_models()[self.name].install
        raise ModelRefusedError(
            f"{self.name}: refused. {path} is not the expected file (SHA-256 "
            f"{self.sha256[:12]}…) and was not opened. Reinstall the package: "
            f"`{install} --force-reinstall`.",
            kind="wrong_hash" if path.is_file() else "missing_files",
            path=path,
        )
