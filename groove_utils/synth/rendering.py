"""Rendering of the demo study's songs: four stems that add up exactly to the mix.

The sampler plays each note at its exact sample position, and a little reverb is added to the stems.
To prevent clipping, all stems are multiplied by the same gain curve, so the mix remains the sum of
its stems. See the appendix "The demo study and its known effects".
"""

from __future__ import annotations

import numpy as np
from scipy.signal import oaconvolve, sosfilt

from groove_utils.audio import measure_loudness
from groove_utils.study.stem_names import STEMS
from groove_utils.synth.effects import design_filter, limiter_gain, pan, room_impulse, saturate
from groove_utils.synth.score import Note, Song
from groove_utils.synth.soundfont import SAMPLE_RATE, render_note

__all__ = ["render"]

# peak of each drum at full velocity, used for all kits, so that they have the same level
DRUM_LEVELS = {
    "kick": 0.95, "snare": 0.80, "hat": 0.34, "open_hat": 0.36, "ride": 0.32, "crash": 0.46,
    "tom_high": 0.60, "tom_low": 0.65, "clap": 0.40, "rim": 0.42, "tambourine": 0.26,
    "cowbell": 0.26, "shaker": 0.22, "conga_high": 0.42, "conga_low": 0.46,
}  # fmt: skip
DRUM_PANS = {
    "hat": 0.3, "open_hat": 0.3, "ride": -0.35, "crash": -0.25, "tom_high": 0.2, "tom_low": -0.3,
}  # fmt: skip
TUNED_DRUMS = ("kick", "snare", "tom_high", "tom_low")
# loudness of each stem relative to −23 LUFS, in LU, by style
BALANCE = {
    "funk": {"drums": 0.0, "bass": -0.5, "other": -5.0, "vocals": -5.5},
    "pop": {"drums": -0.5, "bass": -1.6, "other": -3.0, "vocals": -2.5},
    "rock": {"drums": 0.0, "bass": -1.8, "other": -1.5, "vocals": -3.5},
}
# level of the part `second` relative to `chords`, in dB, by style; both are in the stem `other`
SECOND_PART = {"funk": -2.0, "pop": -5.0, "rock": -4.0}
# part whose gain sets the level of each stem
MAIN_PART = {"drums": "drums", "bass": "bass", "other": "chords", "vocals": "lead"}


def render(song: Song) -> dict[str, np.ndarray]:
    """Render the stems and the mix of a song in stereo.

    Parameters
    ----------
    song : Song
        Score to render.

    Returns
    -------
    dict of str to ndarray of int16, shape (2, n_samples)
        The stems ``drums, bass, other, vocals`` and the ``mix``, at 44.1 kHz. Every sample of the
        mix is the exact sum of the stems' samples.
    """
    band, n_samples = song.band, round(song.seconds * SAMPLE_RATE)
    buses = {name: np.zeros((2, n_samples)) for name in band.parts}
    for note in song.notes:
        _add_note(buses, song, note)
    stems = {name: np.zeros((2, n_samples)) for name in STEMS}
    for name, part in band.parts.items():
        y = buses[name]
        if not y.any():
            continue
        if part.drive:
            y = saturate(y, part.drive)
        level = part.gain + (SECOND_PART[band.style] if name == "second" else 0.0)
        if name != "drums":
            level += -23.0 - measure_loudness(y, SAMPLE_RATE)
        y = 10 ** (level / 20) * pan(y, part.pan)
        room = oaconvolve(y, room_impulse(band.room_seed, band.room_seconds, SAMPLE_RATE), axes=1)
        stems[part.stem] += y + part.room * room[:, :n_samples]
    for name, y in stems.items():
        if y.any():
            level = -23.0 + BALANCE[band.style][name] + band.parts[MAIN_PART[name]].gain
            stems[name] = y * 10 ** ((level - measure_loudness(y, SAMPLE_RATE)) / 20)
    mix = sum(stems.values())
    gain = 10 ** ((song.loudness - measure_loudness(mix, SAMPLE_RATE)) / 20)
    curve = gain * limiter_gain(gain * mix, SAMPLE_RATE)
    n_fade = int(0.25 * SAMPLE_RATE)
    curve[-n_fade:] *= np.cos(np.linspace(0, np.pi / 2, n_fade)) ** 2
    sounds = {name: np.round(32767 * curve * y).astype(np.int16) for name, y in stems.items()}
    sounds["mix"] = sum(y.astype(np.int32) for y in sounds.values()).astype(np.int16)
    return sounds


def _add_note(buses: dict[str, np.ndarray], song: Song, note: Note) -> None:
    """Add a note's sound to the bus of its part, with the audible onset at the note's time."""
    drum = note.stem == "drums"
    name = "drums" if drum else note.part
    part, bus = song.band.parts[name], buses[name]
    y, onset = render_note(
        part.bank,
        part.program,
        note.pitch,
        127 if drum else min(127, 4 * round(note.velocity / 4)),
        round(note.duration, 2),
        0.0 if drum and note.part not in TUNED_DRUMS else part.cents,
        part.vibrato,
        part.scoop,
        part.release,
    )
    start = round(note.time * SAMPLE_RATE) - onset
    if start < 0:
        y, start = y[:, -start:], 0
    y = y[:, : bus.shape[1] - start]
    if drum:
        peak = float(np.abs(y[:, : SAMPLE_RATE // 5]).max())
        gain = DRUM_LEVELS[note.part] * (note.velocity / 127) ** 1.7 / peak
        if note.velocity < 70:  # softer strokes sound duller
            y = sosfilt(design_filter(1, 5000, "lowpass", SAMPLE_RATE), y)
        y = gain * pan(y, DRUM_PANS.get(note.part, 0.0))
    bus[:, start : start + y.shape[1]] += y
