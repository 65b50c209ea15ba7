"""NumPy sampler that plays single notes from a SoundFont 2 file.

The sampler implements the parts of the SoundFont 2.04 specification that General MIDI presets use:
key and velocity zones, tuning, loops, the volume envelope, attenuation, pan, and a low-pass filter
whose cutoff is constant during a note and depends on its velocity. LFOs and the modulation envelope
are not implemented, but notes can be played with vibrato.

The C library TinySoundFont (``tinysoundfont`` 0.3.7) was evaluated as a replacement. Its output is
reproducible, its tuning errors for twenty presets are −0.4…+7.8 cents (this sampler: −1.1…+6.5),
its onsets are accurate to within 1 ms, and it renders a song in 0.77 s of processor time instead of
0.96 s. However, its sound is brighter (in the demo study, spectral flux above 6.4 kHz is 35 to 58%
higher), syncopation (Longuet-Higgins & Lee) measured from audio correlates less strongly with
syncopation computed from the scores (r = .37 instead of .84), and 23 of the 68 values reported in
the chapters on listeners and descriptors change by more than their tolerances. This sampler was
therefore kept.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from scipy.signal import butter, sosfilt

from groove_utils.synth.soundfont_file import SoundFontError, read_soundfont

__all__ = ["SAMPLE_RATE", "default_soundfont", "load_soundfont", "render_note"]

SAMPLE_RATE = 44100


def default_soundfont() -> Path:
    """Return the path of TimGM6mb.sf2, a General MIDI SoundFont in the ``pretty_midi`` package.

    The file is © 2004 Tim Brechbill, 2010 David Bolton, and licensed under the GNU General Public
    License, version 2.
    """
    return Path(str(files("pretty_midi") / "TimGM6mb.sf2"))


@lru_cache(maxsize=1)
def load_soundfont() -> tuple[dict, dict, np.ndarray]:
    """Read the presets, zones and samples of the default SoundFont, once per process."""
    return read_soundfont(default_soundfont())


@lru_cache(maxsize=64)
def render_note(
    bank: int,
    program: int,
    key: int,
    velocity: int,
    duration: float,
    cents: float = 0.0,
    vibrato: tuple[float, float, float] = (0.0, 0.0, 0.0),
    scoop: float = 0.0,
    release: float = 4.0,
) -> tuple[np.ndarray, int]:
    """Render one note of a General MIDI preset.

    Parameters
    ----------
    bank, program : int
        General MIDI preset; bank 128 contains the drum kits.
    key : int
        MIDI note number, 0–127.
    velocity : int
        MIDI velocity, 1–127. The amplitude is proportional to its square, as in the specification.
    duration : float
        Time in seconds from onset to release.
    cents : float
        Detuning in cents.
    vibrato : (float, float, float)
        Depth in cents, rate in Hz, and delay in seconds. The vibrato begins after the delay and
        reaches its full depth after twice the delay.
    scoop : float
        How far below its pitch the note starts, in cents; it reaches its pitch after about 60 ms.
    release : float
        Maximum release time in seconds, for presets that ring too long for a melody.

    Returns
    -------
    y : ndarray of float32, shape (2, n_samples)
        The sound at 44.1 kHz, including its release. The array is read-only, since it is cached.
    onset : int
        Index of the audible onset: the first sample that reaches a tenth of the peak level of the
        first 100 ms. A note that starts this many samples before a beat is heard on the beat.

    Raises
    ------
    SoundFontError
        If the preset does not exist, or has no sample for the key and velocity.

    Examples
    --------
    >>> y, onset = render_note(0, 33, key=40, velocity=100, duration=0.5)  # fingered bass
    >>> y.shape[0], onset < 0.01 * SAMPLE_RATE
    (2, True)
    """
    presets, zones, pool = load_soundfont()
    n_held = max(1, round(duration * SAMPLE_RATE))
    sounds = [
        _play_zone(pool, zone, key, velocity, n_held, cents, vibrato, scoop, release)
        for zone in zones.get((bank, program), ())
        if zone["keys"][0] <= key <= zone["keys"][1]
        and zone["velocities"][0] <= velocity <= zone["velocities"][1]
    ]
    if not sounds:
        preset = presets.get((bank, program), "no preset")
        raise SoundFontError(
            f"program {program} of bank {bank} ({preset}) has no sample for key {key} at velocity "
            f"{velocity}. Choose another key, or one of the presets {sorted(presets)}.",
            kind="no_sample", path=default_soundfont(), value=(bank, program, key, velocity),
        )  # fmt: skip
    y = np.zeros((2, max(sound.shape[1] for sound in sounds)), np.float32)
    for sound in sounds:
        y[:, : sound.shape[1]] += sound
    y.flags.writeable = False
    head = np.abs(y[:, : SAMPLE_RATE // 10]).max(axis=0)
    return y, int(np.argmax(head >= 0.1 * head.max()))


def _play_zone(pool, zone, key, velocity, n_held, cents, vibrato, scoop, release):
    envelope = _volume_envelope(zone, key, n_held, release)
    tuning = (
        (key - zone["root"]) * zone["scale_tuning"]
        + 100 * zone["coarse_tune"]
        + zone["fine_tune"]
        + zone["correction"]
        + cents
    )
    ratio = 2 ** (tuning / 1200) * zone["rate"] / SAMPLE_RATE
    y = _read_pool(pool, zone, _positions(ratio, len(envelope), vibrato, scoop))
    # soft notes are duller: the specification lowers the cutoff by up to two octaves
    fc = zone["filter_fc"] + 0.5 * zone["mod_env_to_fc"] - 2400 * (1 - velocity / 127)
    cutoff = 8.176 * 2 ** (fc / 1200)
    if cutoff < 16000:
        y = sosfilt(_lowpass(round(max(cutoff, 60.0))), y)
    # attenuation is in centibels, of which hardware and software players apply only 40%
    gain = 10 ** (-0.4 * zone["attenuation"] / 200) * (velocity / 127) ** 2
    y = (gain * envelope[: len(y)] * y).astype(np.float32)
    angle = (np.clip(zone["pan"], -500, 500) / 1000 + 0.5) * np.pi / 2
    return np.stack([np.cos(angle) * y, np.sin(angle) * y]).astype(np.float32)


def _positions(ratio, n_samples, vibrato, scoop):
    """Compute the positions at which to read the sample pool, with vibrato and scoop."""
    depth, rate, onset = vibrato
    if not depth and not scoop:
        return ratio * np.arange(n_samples)
    t = np.arange(n_samples) / SAMPLE_RATE
    bend = -scoop * np.exp(-t / 0.025)
    if depth:
        bend += depth * np.clip(t / max(onset, 1e-3) - 1, 0, 1) * np.sin(2 * np.pi * rate * t)
    step = ratio * 2 ** (bend / 1200)
    return np.concatenate([[0.0], np.cumsum(step[:-1])])


def _read_pool(pool, zone, position):
    """Read the sample pool at fractional positions by cubic interpolation of four neighbours."""
    position, end = position + zone["start"], zone["end"]
    loop = zone["loop_end"] - zone["loop_start"]
    if zone["modes"] & 1 and loop > 0:
        past = position >= zone["loop_end"]
        position[past] = zone["loop_start"] + (position[past] - zone["loop_start"]) % loop
        end = zone["loop_end"] + 4
    position = position[: int(np.searchsorted(position >= end - 2, True))]
    index = position.astype(np.int64)
    t = (position - index).astype(np.float32)
    a, b, c, d = (pool.take(index + k, mode="clip") for k in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _volume_envelope(zone, key, n_held, longest):
    """Compute the volume envelope: attack linear in amplitude, decay and release linear in dB."""
    delay, attack = _seconds(zone["delay"]), _seconds(zone["attack"])
    hold = _seconds(zone["hold"] + zone["key_to_hold"] * (60 - key))
    decay = _seconds(zone["decay"] + zone["key_to_decay"] * (60 - key))
    sustain = float(np.clip(zone["sustain"] / 10, 0.0, 100.0))
    release = float(np.clip(_seconds(zone["release"]), 0.012, longest))
    return _draw_envelope(delay, attack, hold, decay, sustain, release, n_held)


@lru_cache(maxsize=4)  # the zones of a note often have the same envelope
def _draw_envelope(delay, attack, hold, decay, sustain, release, n_held):
    # the level falls by 100 dB during the release; it is cut off at −70 dB, where it is inaudible
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


def _seconds(timecents):
    return 0.0 if timecents <= -12000 else 2 ** (timecents / 1200)


@lru_cache(maxsize=4096)
def _lowpass(cutoff):
    return butter(2, min(cutoff, 0.45 * SAMPLE_RATE), fs=SAMPLE_RATE, output="sos")
