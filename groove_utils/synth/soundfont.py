"""A small sampler: read a SoundFont 2 file and play single notes of it, in numpy.

The demo study (appendix «The demo study and its truth») is played with it. The sampler places
notes to the sample, answers to velocity, and gives the same numbers on every run, which is what a
study with known onsets needs. It covers the part of the SoundFont 2.04 specification that General
MIDI presets use: key and velocity zones, tuning, loops, the volume envelope, a static low-pass
filter opened by velocity, attenuation and pan. LFOs and the modulation envelope are left out,
save for a vibrato that the score asks for.
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

__all__ = ["SAMPLE_RATE", "SoundFont", "SoundFontError", "default_soundfont", "load_soundfont"]

SAMPLE_RATE = 44100
DRUM_BANK = 128

# The generators that are read, by number (SoundFont 2.04, section 8.1.2).
_START, _END, _LOOP_START, _LOOP_END = 0, 1, 2, 3
_START_COARSE, _END_COARSE, _LOOP_START_COARSE, _LOOP_END_COARSE = 4, 12, 45, 50
_FILTER_FC, _MODENV_TO_FC, _PAN = 8, 11, 17
_DELAY, _ATTACK, _HOLD, _DECAY, _SUSTAIN, _RELEASE = 33, 34, 35, 36, 37, 38
_KEY_TO_HOLD, _KEY_TO_DECAY = 39, 40
_INSTRUMENT, _KEY_RANGE, _VEL_RANGE, _KEYNUM, _VELOCITY = 41, 43, 44, 46, 47
_ATTENUATION, _COARSE_TUNE, _FINE_TUNE, _SAMPLE, _MODES = 48, 51, 52, 53, 54
_SCALE_TUNING, _ROOT_KEY = 56, 58
_UNSIGNED = {_INSTRUMENT, _SAMPLE, _KEY_RANGE, _VEL_RANGE, _MODES}
# a preset's zone may not set these: they belong to the sample, not to the sound
_INSTRUMENT_ONLY = {0, 1, 2, 3, 4, 12, 45, 46, 47, 50, 54, 57, 58}
_DEFAULTS = {
    _FILTER_FC: 13500,
    _SCALE_TUNING: 100,
    **dict.fromkeys((_DELAY, _ATTACK, _HOLD, _DECAY, _RELEASE), -12000),
}


class SoundFontError(ValueError):
    """A SoundFont that cannot be read or has no such preset; the message says which and why."""


@dataclass(frozen=True)
class _Sample:
    """Header of one sample; addresses count samples in the pool."""

    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    root: int
    correction: int


@dataclass(frozen=True)
class _Zone:
    """One sample with the generators that apply to it, preset and instrument summed."""

    keys: tuple[int, int]
    velocities: tuple[int, int]
    sample: _Sample
    generators: Mapping[int, int]

    def get(self, number: int) -> int:
        return self.generators.get(number, _DEFAULTS.get(number, 0))


def default_soundfont() -> Path:
    """Path of TimGM6mb.sf2, the General MIDI SoundFont inside the ``pretty_midi`` package.

    It is © 2004 Tim Brechbill, 2010 David Bolton, under the GNU General Public License, version 2.
    """
    path = Path(str(files("pretty_midi") / "TimGM6mb.sf2"))
    if not path.is_file():
        raise SoundFontError(
            f"{path}: no such file. The SoundFont comes with pretty_midi 0.2.11; install it again "
            "with `pip install --force-reinstall --no-deps pretty_midi==0.2.11.post0`."
        )
    return path


@lru_cache(maxsize=2)
def load_soundfont(path: str | os.PathLike | None = None) -> SoundFont:
    """Read a SoundFont once per process; the default is :func:`default_soundfont`."""
    return SoundFont(default_soundfont() if path is None else path)


class SoundFont:
    """The presets and samples of one SoundFont 2 file.

    Parameters
    ----------
    path : path-like
        An ``.sf2`` file with 16-bit samples.

    Attributes
    ----------
    presets : dict
        (bank, program) → name. Drum kits are in bank 128.

    Raises
    ------
    SoundFontError
        If the file is missing or is not a SoundFont.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        if not self.path.is_file():
            raise SoundFontError(f"{self.path}: no such SoundFont. Give the path of an .sf2 file.")
        chunks = _read_chunks(self.path)
        self._pool = np.frombuffer(chunks["smpl"], "<i2").astype(np.float32) / 32768
        self._zones: dict[tuple[int, int], list[_Zone]] = {}
        self.presets: dict[tuple[int, int], str] = {}
        self._note = lru_cache(maxsize=64)(self._render_note)
        self._parse(chunks)

    def play(
        self,
        bank: int,
        program: int,
        key: int,
        velocity: int,
        duration: float,
        *,
        cents: float = 0.0,
        vibrato: tuple[float, float, float] = (0.0, 0.0, 0.0),
        scoop: float = 0.0,
        release: float = 4.0,
    ) -> tuple[np.ndarray, int]:
        """Play one note.

        Parameters
        ----------
        bank, program : int
            Preset; bank 128 holds the drum kits.
        key : int
            MIDI note number, 0–127.
        velocity : int
            1–127; level goes with its square, as the specification has it.
        duration : float
            Seconds from onset to release.
        cents : float
            Detuning in cents.
        vibrato : (float, float, float)
            Depth in cents, rate in Hz, and the seconds it takes to come in.
        scoop : float
            Cents below the note at which it starts; it reaches the note within about 60 ms.
        release : float
            Longest release in seconds, for presets that ring on too long for a melody.

        Returns
        -------
        y : ndarray of float32, shape (2, n_samples)
            The sound at 44.1 kHz, with its release. Do not write to it: it is kept and given again.
        onset : int
            Sample at which the sound reaches a tenth of its peak within the first 100 ms. Start
            the note this much earlier and its audible onset falls on the beat.

        Raises
        ------
        SoundFontError
            If there is no such preset, or it has no sample for that key and velocity.
        """
        n_held = max(1, round(duration * SAMPLE_RATE))
        return self._note(
            bank, program, key, velocity, n_held, cents, tuple(vibrato), scoop, release
        )

    def _render_note(self, bank, program, key, velocity, n_held, cents, vibrato, scoop, release):
        if (bank, program) not in self._zones:
            raise SoundFontError(
                f"{self.path.name}: no preset {program} in bank {bank}. "
                "Look at SoundFont.presets for those it has."
            )
        parts = [
            self._render_zone(zone, key, velocity, n_held, cents, vibrato, scoop, release)
            for zone in self._zones[bank, program]
            if zone.keys[0] <= key <= zone.keys[1]
            and zone.velocities[0] <= velocity <= zone.velocities[1]
        ]
        if not parts:
            raise SoundFontError(
                f"{self.path.name}: {self.presets[bank, program]!r} has no sample for key {key} "
                f"at velocity {velocity}. Choose another key."
            )
        y = np.zeros((2, max(part.shape[1] for part in parts)), np.float32)
        for part in parts:
            y[:, : part.shape[1]] += part
        y.flags.writeable = False
        head = np.abs(y[:, : SAMPLE_RATE // 10]).max(axis=0)
        return y, int(np.argmax(head >= 0.1 * head.max()))

    def _render_zone(self, zone, key, velocity, n_held, cents, vibrato, scoop, release):
        sample = zone.sample
        root = zone.generators.get(_ROOT_KEY, -1)
        root = sample.root if root < 0 else root
        tuning = (
            (key - root) * zone.get(_SCALE_TUNING)
            + 100 * zone.get(_COARSE_TUNE)
            + zone.get(_FINE_TUNE)
            + sample.correction
            + cents
        )
        ratio = 2 ** (tuning / 1200) * sample.rate / SAMPLE_RATE
        envelope = _volume_envelope(zone, key, n_held, release)
        position = _positions(ratio, len(envelope), vibrato, scoop)
        y = self._read(zone, position)
        # a soft note is duller: the specification closes the filter by up to two octaves
        fc = zone.get(_FILTER_FC) + 0.5 * zone.get(_MODENV_TO_FC) - 2400 * (1 - velocity / 127)
        cutoff = 8.176 * 2 ** (fc / 1200)
        if cutoff < 16000:
            y = sosfilt(_lowpass(round(max(cutoff, 60.0))), y)
        # attenuation in centibels, of which hardware (and every player since) takes 0.4
        gain = 10 ** (-0.4 * zone.get(_ATTENUATION) / 200) * (velocity / 127) ** 2
        y = (gain * envelope[: len(y)] * y).astype(np.float32)
        angle = (np.clip(zone.get(_PAN), -500, 500) / 1000 + 0.5) * np.pi / 2
        return np.stack([np.cos(angle) * y, np.sin(angle) * y]).astype(np.float32)

    def _read(self, zone, position):
        """Read the pool at fractional positions with a cubic through four neighbours."""
        sample = zone.sample
        start = sample.start + zone.get(_START) + 32768 * zone.get(_START_COARSE)
        end = sample.end + zone.get(_END) + 32768 * zone.get(_END_COARSE)
        position = position + start
        if zone.get(_MODES) & 1:
            loop_start = sample.loop_start + zone.get(_LOOP_START)
            loop_start += 32768 * zone.get(_LOOP_START_COARSE)
            loop_end = sample.loop_end + zone.get(_LOOP_END)
            loop_end += 32768 * zone.get(_LOOP_END_COARSE)
            if loop_end > loop_start:
                past = position >= loop_end
                position[past] = loop_start + (position[past] - loop_start) % (
                    loop_end - loop_start
                )
                end = loop_end + 4
        position = position[: int(np.searchsorted(position >= end - 2, True))]
        index = position.astype(np.int64)
        t = (position - index).astype(np.float32)
        a, b, c, d = (self._pool[np.clip(index + k, 0, len(self._pool) - 1)] for k in (-1, 0, 1, 2))
        return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))

    def _parse(self, chunks):
        def records(name, fmt):
            return list(struct.iter_unpack(fmt, chunks[name]))

        samples = [
            _Sample(r[1], r[2], r[3], r[4], r[5], r[6], r[7])
            for r in records("shdr", "<20sIIIIIBbHH")
        ]
        instruments = _zone_lists(records("inst", "<20sH"), 1, chunks["ibag"], chunks["igen"])
        headers = records("phdr", "<20sHHHIII")
        presets = _zone_lists(headers, 3, chunks["pbag"], chunks["pgen"])
        for header, (own, preset_zones) in zip(headers[:-1], presets):
            address = header[2], header[1]
            self.presets[address] = header[0].split(b"\0")[0].decode("latin-1").strip()
            self._zones[address] = [
                zone
                for generators in preset_zones
                if _INSTRUMENT in generators
                for zone in _join(own | generators, instruments[generators[_INSTRUMENT]], samples)
            ]


def _join(preset, instrument, samples):
    """Zones of one instrument under one preset zone: ranges intersect, amounts add."""
    common, zones = instrument
    for own in zones:
        if _SAMPLE not in own:
            continue
        total = common | own
        for number, amount in preset.items():
            if number in (_KEY_RANGE, _VEL_RANGE, _INSTRUMENT) or number in _INSTRUMENT_ONLY:
                continue
            total[number] = total.get(number, _DEFAULTS.get(number, 0)) + amount
        ranges = []
        for number in (_KEY_RANGE, _VEL_RANGE):
            pairs = [divmod(g.get(number, 127 << 8), 256)[::-1] for g in (preset, total)]
            ranges.append((max(p[0] for p in pairs), min(p[1] for p in pairs)))
        if all(low <= high for low, high in ranges):
            yield _Zone(ranges[0], ranges[1], samples[total[_SAMPLE]], total)


def _zone_lists(headers, bag_field, bags, generators):
    """For each header: the generators of its global zone, and those of its other zones."""
    bags = [bag[0] for bag in struct.iter_unpack("<HH", bags)]
    generators = list(struct.iter_unpack("<Hh", generators))
    out = []
    for header, following in itertools.pairwise(headers):
        common, zones = {}, []
        for bag in range(header[bag_field], following[bag_field]):
            own = {
                number: amount & 0xFFFF if number in _UNSIGNED else amount
                for number, amount in generators[bags[bag] : bags[bag + 1]]
            }
            first = bag == header[bag_field]
            if first and _INSTRUMENT not in own and _SAMPLE not in own:
                common = own
            else:
                zones.append(own)
        out.append((common, zones))
    return out


def _read_chunks(path):
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise SoundFontError(
            f"{path}: starts with {data[:12]!r}, expected a RIFF file of type sfbk. "
            "Give an uncompressed .sf2 SoundFont."
        )
    chunks, position = {}, 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"LIST":
            position += 4  # step inside
            continue
        chunks[name.decode("latin-1")] = data[position : position + size]
        position += size + size % 2
    missing = {"smpl", "phdr", "pbag", "pgen", "inst", "ibag", "igen", "shdr"} - set(chunks)
    if missing:
        raise SoundFontError(f"{path}: lacks {sorted(missing)}; the file is cut short or damaged.")
    return chunks


def _seconds(timecents):
    return 0.0 if timecents <= -12000 else 2 ** (timecents / 1200)


def _volume_envelope(zone, key, n_held, longest):
    """Attack in amplitude, decay and release in decibels, as the specification has them."""
    delay, attack = _seconds(zone.get(_DELAY)), _seconds(zone.get(_ATTACK))
    hold = _seconds(zone.get(_HOLD) + zone.get(_KEY_TO_HOLD) * (60 - key))
    decay = _seconds(zone.get(_DECAY) + zone.get(_KEY_TO_DECAY) * (60 - key))
    sustain = np.clip(zone.get(_SUSTAIN) / 10, 0.0, 100.0)
    release = np.clip(_seconds(zone.get(_RELEASE)), 0.012, longest)
    # the release runs 100 dB at the given time; below −70 dB nothing is heard
    n_release = int(0.7 * release * SAMPLE_RATE)
    t = np.arange(n_held + n_release) / SAMPLE_RATE - delay
    rise = np.clip(t / max(attack, 0.0005), 0.0, 1.0)
    fall = np.clip((t - attack - hold) / max(decay, 0.001) * 100.0, 0.0, sustain)
    fall[n_held:] = fall[n_held - 1] + 100.0 * (np.arange(n_release) / SAMPLE_RATE) / release
    rise[n_held:] = rise[n_held - 1]
    level = rise * 10 ** (-fall / 20)
    fade = min(200, len(level))
    level[-fade:] *= np.linspace(1, 0, fade)
    return level


def _positions(ratio, n_samples, vibrato, scoop):
    depth, rate, onset = vibrato
    if not depth and not scoop:
        return ratio * np.arange(n_samples)
    t = np.arange(n_samples) / SAMPLE_RATE
    bend = -scoop * np.exp(-t / 0.025)
    if depth:
        bend += depth * np.clip(t / max(onset, 1e-3) - 1, 0, 1) * np.sin(2 * np.pi * rate * t)
    step = ratio * 2 ** (bend / 1200)
    return np.concatenate([[0.0], np.cumsum(step[:-1])])


@lru_cache(maxsize=4096)
def _lowpass(cutoff):
    return butter(2, min(cutoff, 0.45 * SAMPLE_RATE), fs=SAMPLE_RATE, output="sos")
