"""Functions that run the project's Makefile as from a shell."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def make_command(*words: str, python: str = sys.executable) -> list[str]:
    """Return Make's command line with this Python, so that no environment is created."""
    return ["make", *words, f"PY={python}"]


def clean_environment(root: Path) -> dict[str, str]:
    """Return the environment without variables set by an outer Make, a chapter or a test worker.

    The package is imported from the checkout `root`.
    """
    ours = ("MAKE", "MFLAGS", "GROOVE_", "NUMBA_CACHE_DIR")
    # existing compiled functions and embeddings are used again
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    for name in ("STUDY", "PARAMS", "CH", "PORT", "MARKS", "COVERAGE"):
        kept.pop(name, None)
    kept["PYTHONPATH"] = str(root)
    return kept | {name: os.environ[name] for name in ("GROOVE_CACHE",) if name in os.environ}


def run_make(
    root: Path,
    *words: str,
    check: bool = True,
    python: str = sys.executable,
    timeout: float = 1200,
) -> subprocess.CompletedProcess:
    """Run Make in a checkout until it ends; with `check`, it must succeed."""
    environment = clean_environment(root)
    if "PARAMS=smoke" in words:  # processes of chapters would take longer to start than to run
        environment["JOBLIB_MULTIPROCESSING"] = "0"
    run = subprocess.run(
        make_command(*words, python=python),
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )
    if check:
        assert run.returncode == 0, f"{run.args}:\n{run.stdout[-3000:]}\n{run.stderr[-5000:]}"
    return run
