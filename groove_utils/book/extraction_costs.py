"""Tables of the costs of embedding large collections, for the page “Model cards”.

The costs are measured separately, by ``python tests/bench/bench_scale.py --write``, since
measuring them takes longer than building the book.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from groove_utils.book.markdown import MystText, markdown_table
from groove_utils.cache import format_bytes
from groove_utils.stats.wording import join_words

__all__ = ["extraction_costs"]

SCALE = "scale.csv"
SONG_SECONDS, N_CORES = 30, 2
BLOCK = 4096  # usual block size of a file system, in bytes
ADVICE = {
    10**4: "nothing; `EXECUTOR=joblib:N` uses N cores",
    10**5: "use a GPU, or the workers of a Dask cluster (`EXECUTOR=dask://HOST:PORT`), and put "
    "`GROOVE_CACHE` on a disk that has room for this many files and is shared by all workers",
    10**6: "embed 100,000 tracks per call of `embed_tracks`, since each call keeps all of its "
    "vectors in memory; keep only the layers that you need, and analyse a sample",
}
STEPS = {
    "validate": "validate a study with its audio",
    "load": "load the study",
    "manifest": "record the study's files for Make",
    "compare": "compare the files with the record",
    "cached": "read the vectors from the cache",
}


def extraction_costs(folder: Path) -> dict[str, MystText | str]:
    """Return tables of the costs of embedding large collections, as Markdown.

    Parameters
    ----------
    folder : pathlib.Path
        Folder with the file ``scale.csv``. The first line of this file begins with ``#`` and
        describes how the costs were measured.

    Returns
    -------
    dict of str to str
        ``table``: costs by number of tracks; ``assumed``: the track length and number of cores that
        the table assumes; ``models``: names of the measured models; ``growth``: sentences on time
        and memory per track; ``steps``: a table of the time taken by other steps; ``made``: how the
        costs were measured. All values are empty strings if the file is missing.
    """
    if not (folder / SCALE).is_file():
        return dict.fromkeys(("table", "assumed", "models", "growth", "steps", "made"), "")
    rows = pd.read_csv(folder / SCALE, comment="#").set_index(["quantity", "subject"])
    progress = _progress(rows)
    first = (folder / SCALE).read_text(encoding="utf-8").partition("\n")[0]
    return {
        "table": markdown_table(_costs(rows, progress), myst=["what to change"]),
        "assumed": f"tracks of {SONG_SECONDS} s on {N_CORES} cores",
        "models": join_words(rows.loc["numbers"].index),
        "growth": _describe_growth(rows, progress),
        "steps": markdown_table(_steps(rows), fmt="{:.2g}"),
        "made": first.removeprefix("#").strip(),
    }


def _progress(rows: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the time (s) and memory (MiB) of the extraction, by number of tracks processed."""
    columns = ["seconds", "client_mib", "worker_mib"]
    series = {name: rows.loc[(name, "extraction")].set_index("tracks")["value"] for name in columns}
    return pd.DataFrame(series).sort_index()


def _slope(values: pd.Series) -> float:
    """Return the average increase per track between the first and the last value."""
    return (values.iloc[-1] - values.iloc[0]) / (values.index[-1] - values.index[0])


def _costs(rows: pd.DataFrame, progress: pd.DataFrame) -> pd.DataFrame:
    overhead = _slope(progress["seconds"])
    models = rows.loc["numbers"].index
    seconds = rows.loc["seconds_per_second"].loc[models, "value"] * SONG_SECONDS + overhead
    numbers = rows.loc["numbers"].loc[models, "value"]
    file_bytes = 4 * numbers + rows.loc[("entry_overhead", "cache"), "value"].item()
    disk = np.ceil(file_bytes / BLOCK) * BLOCK
    # each vector is in memory twice: as a separate array, and as part of a stacked array
    vector_bytes = rows.loc[("vector_bytes", "cache"), "value"].item()
    memory = 2**20 * _slope(progress["client_mib"]) + 2 * (4 * numbers - vector_bytes)
    return pd.DataFrame(
        [
            {
                "tracks": f"{n:,}",
                "hours per model": _span(n * seconds / N_CORES / 3600, _hours),
                "files per model": f"{n:,}",
                "disk per model": _span(n * disk, format_bytes),
                "memory": _span(n * memory, format_bytes),
                "what to change": advice,
            }
            for n, advice in ADVICE.items()
        ]
    )


def _hours(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _span(values: pd.Series, write) -> str:
    """Format the range of values as text, such as ``1.2–3.4``."""
    return "–".join(dict.fromkeys(write(value) for value in (values.min(), values.max())))


def _describe_growth(rows: pd.DataFrame, progress: pd.DataFrame) -> str:
    inner = progress[1:-1]  # without the initial look-up of all tracks, and the final reading
    half = len(inner) // 2
    halves = [1e3 * _slope(part["seconds"]) for part in (inner[: half + 1], inner[half:])]
    client = 1e3 * _slope(progress["client_mib"])
    worker = 1e3 * _slope(inner["worker_mib"])
    files, fullest = (
        rows.loc[(name, "cache"), "value"].item() for name in ("files", "files_per_folder")
    )
    return (
        "In addition to the computations of the neural network, each track took "
        f"{1e3 * _slope(progress['seconds']):.1f} ms of processor time. Without the steps that "
        f"process all tracks at once, each track took {halves[0]:.1f} ms in the first half of "
        f"{progress.index[-1]:,.0f} tracks, and {halves[1]:.1f} ms in the second half. The memory "
        f"of the calling process, including the vectors, grew by {client:.1f} MiB per 1,000 "
        f"tracks, and the memory of a worker by {worker:.1f} MiB. The cache contained {files:,.0f} "
        f"files, with at most {fullest:,.0f} in one folder."
    )


def _steps(rows: pd.DataFrame) -> pd.DataFrame:
    """Tabulate the time of each step, in milliseconds per track, by number of tracks."""
    table = rows.loc[[("seconds", step) for step in STEPS]].reset_index()
    table["per_track"] = 1e3 * table["value"] / table["tracks"]
    table = table.pivot(index="subject", columns="tracks", values="per_track").loc[list(STEPS)]
    table.columns = [f"ms per track, {n:,.0f} tracks" for n in table.columns]
    return table.rename(STEPS).rename_axis("step").reset_index()
