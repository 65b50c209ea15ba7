"""The project's own Makefile, run as somebody in a shell of their own would run it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def make_command(*words: str) -> list[str]:
    """What to run: Make with this Python, so that no environment is made."""
    return ["make", *words, f"PY={sys.executable}"]


def clean_environment() -> dict[str, str]:
    """Without what an outer Make, an open chapter or a test worker has put there."""
    ours = ("MAKE", "MFLAGS", "GROOVE_", "NUMBA_CACHE_DIR")
    # compiled functions and embeddings that are there already need not be made again
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {name: os.environ[name] for name in ("GROOVE_CACHE",) if name in os.environ}


def run_make(root: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess:
    """Run Make in a checkout, to its end; with `check`, it must succeed."""
    run = subprocess.run(
        make_command(*words),
        cwd=root,
        env=clean_environment(),
        capture_output=True,
        text=True,
        errors="replace",
        timeout=1200,
        check=False,
    )
    if check:
        assert run.returncode == 0, f"{run.args}:\n{run.stdout[-3000:]}\n{run.stderr[-5000:]}"
    return run
