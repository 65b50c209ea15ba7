"""Descriptors as tidy rows: of one signal, of its stems, of a whole study (chapter 04)."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from tqdm.auto import tqdm

from groove_utils.audio import AudioError, load_audio
from groove_utils.cache import ArrayCache, cache_key
from groove_utils.descriptors import pulse, spectral
from groove_utils.descriptors.beat import PLAIN, estimate_grid
from groove_utils.descriptors.cards import DESCRIPTORS
from groove_utils.descriptors.drum_patterns import syncopation
from groove_utils.descriptors.fluctuation import danceability
from groove_utils.descriptors.onsets import (
    detect_onsets,
    find_kicks,
    onset_strength,
    region_onsets,
    region_strength,
)
from groove_utils.files import hash_file
from groove_utils.paths import cache_folder
from groove_utils.rhythm.timing import microtiming, swing_ratio

__all__ = ["compile_kernels", "describe", "describe_study"]

SILENT = 1e-5  # full-scale amplitude (−100 dB); below it there is nothing but dither
SHORTEST = 0.1  # s: two frames of 50 ms
SHORTEST_RHYTHM = 3.0  # s: twice the longest beat, 40 BPM


def describe(y: np.ndarray, sr: int, *, bands: np.ndarray | None = None) -> pd.Series:
    """All descriptors of one signal, as one tidy row.

    Parameters
    ----------
    y : ndarray, shape (n_samples,) or (n_channels, n_samples)
        The signal; channels are averaged.
    sr : int
        Sample rate in Hz, at least 4000.
    bands : ndarray, shape (10,), optional
        The signal's sub-band flux, where it is known already.

    Returns
    -------
    pandas.Series
        One float for each name in :data:`DESCRIPTORS` (units in :func:`descriptor_table`), and
        last ``reason``, a str: empty, or ``name: why it is NaN`` joined by semicolons.

    Raises
    ------
    ValueError
        If `sr` is not a usable rate or `y` has more than two dimensions. What the *signal* may be
        (silent, short, empty, holding NaN) never raises: it gives NaN and a reason.

    Notes
    -----
    Silence has level, flux and density 0 and no rhythm (NaN). Signals under 0.1 s have only their
    RMS; those under 3 s have no rhythm. Bands beyond half the sample rate are NaN.

    Examples
    --------
    >>> row = describe(y, sr)  # doctest: +SKIP
    >>> row["event_density"], row["reason"]  # doctest: +SKIP
    (7.9, '')
    """
    if not 4000 <= sr <= 400_000:
        raise ValueError(f"sr = {sr}: expected a sample rate between 4000 and 400000 Hz.")
    y = np.asarray(y)
    if y.ndim == 2:
        y = y.mean(axis=0)
    if y.ndim != 1:
        raise ValueError(f"describe() takes (n_samples,) or (n_channels, n_samples), not {y.shape}")
    values = dict.fromkeys(DESCRIPTORS, float("nan"))
    reasons: dict[str, str] = {}
    bad = int((~np.isfinite(y)).sum())
    if y.size == 0:
        _explain(reasons, DESCRIPTORS, "the signal is empty")
    elif bad:
        _explain(reasons, DESCRIPTORS, f"{bad} of {y.size} samples are NaN or infinite")
    else:
        _fill(values, reasons, y.astype(np.float32), int(sr), bands)
    return pd.Series({**values, "reason": _join(reasons)}, dtype=object)


def _fill(values: dict[str, float], reasons: dict[str, str], y: np.ndarray, sr: int, bands) -> None:
    """Compute what this signal allows into `values`; say in `reasons` why the rest is NaN."""
    values["rms"] = spectral.rms(y)
    duration = y.size / sr
    if duration < SHORTEST:
        _explain(reasons, values, f"{duration:.2g} s is shorter than {SHORTEST} s", skip=("rms",))
        return
    silent = bool(np.abs(y).max() < SILENT)
    spectra = spectral.analyse(y, sr)
    bands = spectral.subband_flux(y, sr) if bands is None else bands
    for band, flux in enumerate(bands, start=1):
        values[f"band_{band}_flux"] = float(flux)
        if np.isnan(flux):
            _explain(reasons, [f"band_{band}_flux"], f"beyond half the sample rate of {sr} Hz")
    values["rms_sd"] = float(spectral.rms_curve(y, sr).std())
    values["spectral_flux"] = float(spectra.flux.mean())
    values["low_flux"] = float(spectra.low_flux.mean())
    if silent:
        values |= dict.fromkeys(
            ("event_density", "density_low", "density_mid", "density_high"), 0.0
        )
        _explain(
            reasons, [name for name in values if np.isnan(values[name])], "the signal is silent"
        )
        return
    values["low_energy"] = spectra.low_energy
    curve, regions = onset_strength(spectra), region_strength(spectra)
    times, strengths = detect_onsets(curve, spectra.hop)
    values["event_density"] = times.size / duration
    for name, found in region_onsets(regions, spectra.hop).items():
        values[f"density_{name}"] = found.size / duration
    values["pulse_clarity_attack"] = pulse.pulse_clarity_attack(y, sr)
    if not np.isfinite(values["pulse_clarity_attack"]):
        _explain(reasons, ["pulse_clarity_attack"], "no attack rises out of the envelope")
    if duration < SHORTEST_RHYTHM:
        too_short = f"{duration:.2g} s is shorter than {SHORTEST_RHYTHM:g} s"
        _explain(reasons, _missing(values), too_short)
        return
    values["pulse_clarity"] = pulse.pulse_clarity(curve, spectra.hop)
    values["periodicity"] = pulse.periodicity(curve, spectra.hop)
    values["danceability"] = danceability(y, sr)
    grid = estimate_grid(curve, regions, spectra.hop)
    if grid is None:
        _explain(reasons, _missing(values), "no beat could be followed for eight beats")
        return
    plain = times[strengths > PLAIN * np.median(strengths)]
    mean, spread, percent = microtiming(plain, grid, find_kicks(regions["low"], spectra.hop))
    witek, lhl = syncopation(spectra, grid)
    values |= {
        "tempo": grid.tempo,
        "beat_salience": pulse.beat_salience(curve, spectra.hop, grid),
        "metrical_strength": pulse.metrical_strength(curve, spectra.hop, grid),
        "syncopation": witek,
        "syncopation_lhl": lhl,
        "microtiming_mean": mean,
        "microtiming_spread": spread,
        "microtiming_percent": percent,
        "swing_ratio": swing_ratio(grid),
    }
    _explain(reasons, _missing({"swing_ratio": values["swing_ratio"]}), "straight or too sparse: "
             "fewer than four onsets on odd sixteenths")  # fmt: skip
    _explain(reasons, _missing(values), "too few strokes on the grid")


def _missing(values: dict[str, float]) -> list[str]:
    return [name for name, value in values.items() if np.isnan(value)]


def _explain(
    reasons: dict[str, str], names: Iterable[str], why: str, skip: Iterable[str] = ()
) -> None:
    for name in names:
        if name not in skip:
            reasons.setdefault(name, why)


def _join(reasons: dict[str, str]) -> str:
    """One clause a cause: ``name, name: why; name: why``."""
    causes: dict[str, list[str]] = {}
    for name, why in reasons.items():
        causes.setdefault(why, []).append(name)
    return "; ".join(
        f"{'all' if len(names) == len(DESCRIPTORS) else ', '.join(names)}: {why}"
        for why, names in causes.items()
    )


def describe_study(study, jobs: int = 2, *, cache: ArrayCache | None = None) -> pd.DataFrame:
    """Descriptors of every track of a study.

    Parameters
    ----------
    study : groove_utils.study.Study
        Its ``descriptors.csv`` is used where it has one; descriptors that it lacks are computed
        from the audio where there is audio, and are NaN otherwise.
    jobs : int
        Processes.
    cache : ArrayCache, optional
        Where rows are kept, by content of the audio file; the store ``descriptors`` of the
        project's cache folder by default.

    Returns
    -------
    pandas.DataFrame
        One row a track in the order of ``study.tracks``, indexed by ``track_id``; the columns are
        :data:`DESCRIPTORS` (float64) and ``reason`` (str, see :func:`describe`). A file that
        cannot be decoded gives a row of NaN whose reason says so.
    """
    track_ids = study.tracks["track_id"].tolist()
    given = study.descriptors
    wanted = [name for name in DESCRIPTORS if given is None or name not in given.columns]
    if wanted and study.has("audio"):
        paths = [study.audio_path(track_id) for track_id in track_ids]
        table = _describe_files(track_ids, paths, jobs, cache)
    else:
        table = pd.DataFrame(np.nan, index=track_ids, columns=list(DESCRIPTORS), dtype=float)
        missing = f"{', '.join(wanted)}: not in descriptors.csv, and the study has no audio"
        table["reason"] = missing if wanted else ""
    if given is not None:
        known = [name for name in DESCRIPTORS if name in given.columns]
        table[known] = given[known].reindex(track_ids).astype(float)
        if not wanted:
            table["reason"] = ""
    return table.rename_axis("track_id")


def _describe_files(
    track_ids: list[str], paths: list, jobs: int, cache: ArrayCache | None
) -> pd.DataFrame:
    store = ArrayCache(cache_folder(), namespace="descriptors") if cache is None else cache
    if jobs > 1:
        compile_kernels()
    tasks = (delayed(_describe_file)(path, store) for path in paths)
    # a process a file would spend longer in starting than in computing: batches, kept in order
    parallel = Parallel(n_jobs=min(jobs, max(1, len(paths))), return_as="generator")
    rows = list(tqdm(parallel(tasks), total=len(paths), desc="descriptors", unit="track"))
    table = pd.DataFrame(rows, index=track_ids, columns=[*DESCRIPTORS, "reason"])
    return table.astype(dict.fromkeys(DESCRIPTORS, float) | {"reason": str})


@functools.cache
def compile_kernels() -> None:
    """Have librosa's compiled functions written to their cache by one process.

    Two processes that compile them at once, as on a machine where they have never been used, can
    read each other's half-written cache, and crash. Called by ``make setup`` and before workers
    are started; takes a second where the functions are compiled already.
    """
    rng = np.random.default_rng(0)
    y = rng.normal(0, 0.01, 6 * 22050).astype(np.float32)
    y[:: 22050 // 2] = 1.0  # clicks at 120 BPM, so that the beat tracker has beats to track
    describe(y, 22050)


def _describe_file(path, store: ArrayCache) -> pd.Series:
    key = cache_key("descriptors", hash_file(path)) if path.is_file() else None
    found = store.get(key) if key else None
    if found is not None and list(found["names"]) == list(DESCRIPTORS):
        return pd.Series(
            {**dict(zip(DESCRIPTORS, found["values"].tolist())), "reason": str(found["reason"])},
            dtype=object,
        )
    try:
        y, sr = load_audio(path)
        row = describe(y, sr)
    except AudioError as error:
        return pd.Series(
            {**dict.fromkeys(DESCRIPTORS, float("nan")), "reason": f"all: {error}"}, dtype=object
        )
    store.put(
        key,
        {
            "names": np.array(DESCRIPTORS),
            "values": row[list(DESCRIPTORS)].to_numpy(float),
            "reason": np.array(row["reason"]),
        },
    )
    return row
