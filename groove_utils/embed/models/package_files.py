"""Files inside the Python packages that contain pretrained weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from groove_utils.embed.adapters import ModelUnavailableError
from groove_utils.embed.cards import catalogued_models

__all__ = ["package_file"]


def package_file(model: str, *parts: str) -> Path:
    """Return the path of a file in the package with a model's weights, without importing it.

    Parameters
    ----------
    model : str
        Name in the catalogue; the first of its packages contains the weights.
    *parts : str
        Folders and name of the file inside the package.

    Raises
    ------
    ModelUnavailableError
        If one of the model's packages is not installed (``kind="missing_package"``).

    Examples
    --------
    >>> package_file("basic-pitch", "saved_models", "icassp_2022", "nmp.onnx").is_file()
    True
    """
    card = catalogued_models()[model]
    specs = {package: importlib.util.find_spec(package) for package in card.packages}
    for package, spec in specs.items():
        if spec is None or spec.origin is None:
            raise ModelUnavailableError(
                f"{model}: the package {package} is not installed. Run `{card.install}`.",
                kind="missing_package",
                value=package,
            )
    return Path(specs[card.packages[0]].origin).parent.joinpath(*parts)
