"""Files inside the Python packages that contain pretrained weights."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from groove_utils.embed.adapters import ModelRefusedError, ModelUnavailableError
from groove_utils.embed.cards import catalogued_models
from groove_utils.files import hash_file

__all__ = ["check_file", "package_file"]


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


def check_file(model: str, path: Path, sha256: str) -> None:
    """Refuse a file of weights that differs from the known one.

    Parameters
    ----------
    model : str
        Name in the catalogue.
    path : pathlib.Path
    sha256 : str
        Hash of the known file.

    Raises
    ------
    ModelRefusedError
        With kind ``missing_files`` or ``wrong_hash``.
    """
    if path.is_file() and hash_file(path) == sha256:
        return
    install = catalogued_models()[model].install
    raise ModelRefusedError(
        f"{model}: refused. {path} is not the known file (SHA-256 {sha256[:12]}…), and was not "
        f"opened. Install the package again: `{install} --force-reinstall`.",
        kind="wrong_hash" if path.is_file() else "missing_files",
        path=path,
    )
