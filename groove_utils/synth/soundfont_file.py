"""Reader for SoundFont 2 files.

In a SoundFont, a preset is a list of zones. A zone plays one of the file's samples over a range of
keys and velocities. Section numbers refer to the SoundFont technical specification, version 2.04.
"""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np

from groove_utils.errors import DetailedError

__all__ = ["SoundFontError", "read_soundfont"]

# names of the generators (parameters of a zone) that are read, by number (section 8.1.2)
GENERATORS = {
    0: "start", 1: "end", 2: "loop_start", 3: "loop_end", 4: "start_coarse", 8: "filter_fc",
    11: "mod_env_to_fc", 12: "end_coarse", 17: "pan", 33: "delay", 34: "attack", 35: "hold",
    36: "decay", 37: "sustain", 38: "release", 39: "key_to_hold", 40: "key_to_decay",
    41: "instrument", 43: "keys", 44: "velocities", 45: "loop_start_coarse", 48: "attenuation",
    50: "loop_end_coarse", 51: "coarse_tune", 52: "fine_tune", 53: "sample", 54: "modes",
    56: "scale_tuning", 58: "root",
}  # fmt: skip
WHOLE_RANGE = 127 << 8  # the low byte is the first value, the high byte the last
DEFAULTS = {
    **dict.fromkeys(GENERATORS.values(), 0),
    **dict.fromkeys(("delay", "attack", "hold", "decay", "release"), -12000),
    **dict.fromkeys(("keys", "velocities"), WHOLE_RANGE),
    "filter_fc": 13500, "scale_tuning": 100, "root": -1,
}  # fmt: skip
# generators to which preset zones add a value; all others are set only by instrument zones
ADDED = (
    "filter_fc", "mod_env_to_fc", "pan", "delay", "attack", "hold", "decay", "sustain", "release",
    "key_to_hold", "key_to_decay", "attenuation", "coarse_tune", "fine_tune", "scale_tuning",
)  # fmt: skip
ADDRESSES = ("start", "end", "loop_start", "loop_end")
SAMPLE_FIELDS = ("name", *ADDRESSES, "rate", "root", "correction", "link", "type")


class SoundFontError(DetailedError):
    """Error raised if a SoundFont cannot be read, or has no sound for a requested note."""


def read_soundfont(path: Path) -> tuple[dict, dict[tuple[int, int], list[dict]], np.ndarray]:
    """Read the presets and the sample pool of a SoundFont 2 file.

    Parameters
    ----------
    path : pathlib.Path
        Uncompressed ``.sf2`` file.

    Returns
    -------
    presets : dict
        Names of the presets, by (bank, program).
    zones : dict
        Lists of zones, by (bank, program). Each zone is a dict that contains the generators
        (parameters) in :data:`GENERATORS`, combined from the preset and the instrument; ``start,
        end, loop_start, loop_end`` as positions in the pool; ``root`` (MIDI note), ``rate`` (Hz)
        and ``correction`` (cents) of its sample; and ``keys`` and ``velocities`` as (first, last).
    pool : ndarray of float32, shape (n_samples,)
        All samples in the file, concatenated, in the range −1…1.

    Raises
    ------
    SoundFontError
        If the file is missing, is not a SoundFont, or is truncated.
    """
    chunks = _read_chunks(path)
    samples = [
        dict(zip(SAMPLE_FIELDS, record))
        for record in struct.iter_unpack("<20sIIIIIBbHH", chunks["shdr"])
    ]
    bags = [record[1] for record in struct.iter_unpack("<20sH", chunks["inst"])]
    instruments = _zone_lists(bags, chunks["ibag"], chunks["igen"])
    headers = list(struct.iter_unpack("<20sHHHIII", chunks["phdr"]))
    lists = _zone_lists([header[3] for header in headers], chunks["pbag"], chunks["pgen"])
    presets, zones = {}, {}
    for (name, program, bank, *_), preset_zones in zip(headers, lists):
        presets[bank, program] = name.split(b"\0")[0].decode("latin-1").strip()
        zones[bank, program] = [
            _join(preset, zone, samples[zone["sample"]])
            for preset in preset_zones
            if "instrument" in preset
            for zone in instruments[preset["instrument"]]
            if "sample" in zone
        ]
    return presets, zones, np.frombuffer(chunks["smpl"], "<i2").astype(np.float32) / 32768


def _join(preset: dict, instrument: dict, sample: dict) -> dict:
    """Combine a preset zone, an instrument zone and a sample.

    In the result, the key and velocity ranges are intersected, and the generators in :data:`ADDED`
    are summed.
    """
    zone = DEFAULTS | instrument
    for name in ADDED:
        zone[name] += preset.get(name, 0)
    for name in ADDRESSES:
        zone[name] += sample[name] + 32768 * zone[f"{name}_coarse"]
    for name in ("keys", "velocities"):
        ranges = [divmod(value, 256) for value in (preset.get(name, WHOLE_RANGE), zone[name])]
        zone[name] = max(low for _, low in ranges), min(high for high, _ in ranges)
    root = sample["root"] if zone["root"] < 0 else zone["root"]
    return zone | {"root": root, "rate": sample["rate"], "correction": sample["correction"]}


def _zone_lists(first_bags: list[int], bags: bytes, generators: bytes) -> list[list[dict]]:
    """Return each preset's or instrument's list of zones, with its global zone merged into each.

    `first_bags` contains the index of the first zone of each preset or instrument, followed by the
    total number of zones.
    """
    bags = [bag for bag, _ in struct.iter_unpack("<HH", bags)]
    # amounts are signed, except for ranges and indices
    generators = [
        (GENERATORS.get(number), amount % 65536 if number in (41, 43, 44, 53, 54) else amount)
        for number, amount in struct.iter_unpack("<Hh", generators)
    ]
    lists = []
    for first, after in itertools.pairwise(first_bags):
        zones = [dict(generators[bags[bag] : bags[bag + 1]]) for bag in range(first, after)]
        has_global = zones and not {"instrument", "sample"} & set(zones[0])
        common = zones.pop(0) if has_global else {}
        lists.append([common | zone for zone in zones])
    return lists


def _read_chunks(path: Path) -> dict[str, bytes]:
    if not path.is_file():
        raise SoundFontError(
            f"{path}: no such SoundFont. Give the path of an .sf2 file.",
            kind="missing_file", path=path,
        )  # fmt: skip
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise SoundFontError(
            f"{path}: the file starts with {data[:12]!r}; expected a RIFF file of type sfbk. "
            "Give an uncompressed .sf2 SoundFont.",
            kind="format", path=path, value=data[:12],
        )  # fmt: skip
    chunks, position = {}, 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        if name == b"LIST":
            position += 12  # descend into the chunk
            continue
        chunks[name.decode("latin-1")] = data[position + 8 : position + 8 + size]
        position += 8 + size + size % 2
    missing = sorted({"smpl", "phdr", "pbag", "pgen", "inst", "ibag", "igen", "shdr"} - set(chunks))
    if missing:
        raise SoundFontError(
            f"{path}: the chunks {missing} are missing; the file is truncated or damaged.",
            kind="incomplete", path=path, value=missing,
        )  # fmt: skip
    return chunks
