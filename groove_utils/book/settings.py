"""Settings of a build: the study, the parameter file and the port passed to Make.

The settings are passed in environment variables, never as part of a shell or Make command, so any
folder name works, and no folder name can inject code.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from groove_utils.book.errors import BookError
from groove_utils.paths import safe_name

__all__ = ["Settings", "read_port", "read_settings"]

DEFAULT = "default"


@dataclass(frozen=True)
class Settings:
    """Study, parameter file and build folder.

    Parameters
    ----------
    study : str
        Name of a study in the catalogue, or path of a study folder.
    own : bool
        True if `study` is a folder, False if it is in the catalogue.
    params_file : pathlib.Path
        File in ``analysis/params/``.
    build : pathlib.Path
        Folder for generated files: ``build/<study>``, or ``build/<study>-<params>`` for parameter
        files other than ``default.yml``.
    """

    study: str
    own: bool
    params_file: Path
    build: Path

    @property
    def study_folder(self) -> Path:
        """Folder of the study."""
        return Path(self.study).absolute() if self.own else self.build / "study"


def read_settings(root: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the study and the parameter file from the environment variables STUDY and PARAMS.

    Parameters
    ----------
    root : pathlib.Path
        Root folder of the repository.
    environment : mapping of str to str
        Environment variables.

    Returns
    -------
    Settings

    Raises
    ------
    BookError
        If the study or the parameter file does not exist; the message lists the valid names.

    Examples
    --------
    >>> from groove_utils.paths import project_root
    >>> settings = read_settings(project_root(), {"STUDY": "demo", "PARAMS": "smoke"})
    >>> settings.build.name, settings.own
    ('demo-smoke', False)
    """
    study = environment.get("STUDY", "demo")
    params = environment.get("PARAMS", DEFAULT)
    own = _is_own(study)
    files = {file.stem: file for file in sorted((root / "analysis" / "params").glob("*.yml"))}
    if params not in files:
        raise BookError(
            f"PARAMS={params}: no such file in analysis/params/; expected one of "
            f"{', '.join(files)}.",
            kind="unknown_params",
            column="PARAMS",
            value=params,
        )
    name = safe_name(Path(study).absolute().name if own else study)
    build = root / "build" / (name if params == DEFAULT else f"{name}-{params}")
    return Settings(study, own, files[params], build)


def _is_own(study: str) -> bool:
    """Return True for a study folder, False for a catalogued study; otherwise raise BookError."""
    if not study.strip():
        _refuse(study, "empty", "it is empty")
    folder = Path(study)
    try:
        if (folder / "study.yml").is_file():
            (folder / "study.yml").open().close()
            return True
        names = sorted(os.listdir(folder)) if folder.is_dir() else None
    except (OSError, ValueError) as error:
        _refuse(study, "unreadable", f"it cannot be read ({getattr(error, 'strerror', error)})")
    if study in _catalogue():
        return False
    if names is not None:
        shown = f"; it contains {', '.join(names[:5])}" if names else ""
        _refuse(study, "no_study_yml", f"this folder has no study.yml{shown}")
    if folder.is_file():
        _refuse(study, "not_a_folder", "this is a file, not a folder")
    _refuse(study, "unknown_study", "there is no such folder, and no study of that name")


def _refuse(study: str, kind: str, what: str) -> NoReturn:
    raise BookError(
        f"STUDY={study}: {what}. Expected one of {', '.join(_catalogue())}, or a folder with a "
        "study.yml. Start your own study with `python -m groove_utils.study new`.",
        kind=kind,
        column="STUDY",
        value=study,
    )


def _catalogue() -> list[str]:
    from groove_utils.study.catalogue import dataset_names

    return dataset_names()


def read_port(environment: Mapping[str, str] = os.environ) -> int:
    """Read the port of the web server from the environment variable PORT; the default is 8000.

    Raises
    ------
    BookError
        If PORT is not an integer from 1 to 65535.
    """
    text = environment.get("PORT", "8000")
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise BookError(
            f"PORT={text}: expected a whole number from 1 to 65535, such as 8000.",
            kind="invalid_port",
            column="PORT",
            value=text,
        )
    return int(text)
