"""Editing chapters in JupyterLab, where saving a notebook also writes the chapter's script."""

from __future__ import annotations

import os
import subprocess
import sys

from groove_utils.book.jupytext_sync import sync_pairs
from groove_utils.book.settings import Settings
from groove_utils.paths import project_root

__all__ = ["lab_command", "open_lab"]


def lab_command(chapter: str) -> list[str]:
    """Return the command line that opens a chapter's notebook in JupyterLab.

    The environment variable ``JUPYTER_FLAGS`` may contain more options, such as ``--no-browser``.

    Examples
    --------
    >>> lab_command("06-probing")[-1]
    'analysis/06-probing.ipynb'
    """
    root = f"--ServerApp.root_dir={project_root()}"  # the default is the notebook's folder
    flags = os.environ.get("JUPYTER_FLAGS", "").split()
    return [sys.executable, "-m", "jupyterlab", root, *flags, f"analysis/{chapter}.ipynb"]


def open_lab(settings: Settings, chapter: str) -> int:
    """Synchronise scripts and notebooks, open a chapter in JupyterLab, and wait until it exits.

    Parameters
    ----------
    settings : Settings
        Settings of the build. If the study is not ``demo``, a message asks the user to change the
        study in the chapter's parameters cell.
    chapter : str
        Name of the chapter.

    Returns
    -------
    int
        Exit status of JupyterLab.
    """
    sync_pairs(project_root() / "analysis")
    if settings.study != "demo":
        print(f"In the parameters cell, set study = {settings.study!r}.")
    print(f"Saving the notebook also writes analysis/{chapter}.py, from which the book is built.")
    print(
        f"Afterwards, run `make chapter CH={chapter}` to execute the chapter for the book, and "
        "`make sync` to remove the outputs from the notebook.",
        flush=True,
    )
    try:
        return subprocess.run(lab_command(chapter), cwd=project_root(), check=False).returncode
    except KeyboardInterrupt:
        return 0
