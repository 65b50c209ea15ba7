"""Base of adapters whose weights are a file in a Python package.

Only this file is read; the package's own code is never imported. This module does not import torch,
so that cached vectors are found at once.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.files import hash_file

__all__ = ["PackagedModel"]


class PackagedModel:
    """Base of the adapters of a model in a Python package, and of its untrained twin.

    Parameters
    ----------
    name : str
        Name of the model in the catalogue, with ``-untrained`` for the twin.
    seed : int
        Seed of the twin's weights.

    Attributes
    ----------
    file : str
        Path of the weights inside the package, which is the first of the card's packages.
    sha256 : str
        Hash of that file.

    Examples
    --------
    >>> from groove_utils.embed.models.basic_pitch import BasicPitch
    >>> BasicPitch("basic-pitch").verify().name
    'nmp.onnx'
    """

    file: str
    sha256: str
    batch_size = 2  # the feature maps of more do not fit a processor's caches
    concurrent = True

    def __init__(self, name: str, seed: int = 0):
        self.name, self.seed = name, seed
        self.trained = not name.endswith("-untrained")
        self.layers = dict(catalogued_models()[name].layers)

    def files(self) -> list[Path]:
        """Return the file of the weights; none for the untrained twin.

        Raises
        ------
        ModelUnavailableError
            If one of the model's packages is not installed (``kind="missing_package"``).
        """
        return [self.locate()] if self.trained else []

    def locate(self) -> Path:
        """Return the path of the weights; errors are those of :meth:`files`."""
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
        """Return the path of the weights, or refuse a file that differs from the known one.

        Raises
        ------
        ModelUnavailableError
            As in :meth:`files`.
        ModelRefusedError
            With kind ``missing_files`` or ``wrong_hash``.
        """
        path = self.locate()
        if path.is_file() and hash_file(path) == self.sha256:
            return path
        install = catalogued_models()[self.name].install
        raise ModelRefusedError(
            f"{self.name}: refused. {path} is not the known file (SHA-256 {self.sha256[:12]}…), "
            f"and was not opened. Install the package again: `{install} --force-reinstall`.",
            kind="wrong_hash" if path.is_file() else "missing_files",
            path=path,
        )
