"""Beat trackers on eight recorded metal songs with charted tempi, from two Debian packages."""

import importlib.util
import shutil
import subprocess

import librosa
import numpy as np
import pandas as pd
import pretty_midi
import pytest
import soundfile

from groove_utils import descriptors
from groove_utils.embed.models.beatnet import FRAME_RATE, beat_activations
from groove_utils.rhythm import score_beats

PACKAGES = ("fretsonfire-songs-sectoid", "fretsonfire-songs-muldjord")
SECONDS = 60


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Return the folders of the songs; each contains two stems and notes.mid."""
    folder = tmp_path_factory.mktemp("songs")
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        pytest.skip("the songs are fetched with apt-get, which is not here")
    fetched = subprocess.run(["apt-get", "download", *PACKAGES], cwd=folder, capture_output=True)
    if fetched.returncode:
        pytest.skip("the songs cannot be fetched")
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    found = sorted(path.parent for path in folder.rglob("notes.mid"))
    assert len(found) == 8
    return found


def track(folder):
    """Compare the descriptors' grid, BeatNet and librosa with the chart."""
    stems = [soundfile.read(folder / f"{name}.ogg", dtype="float32") for name in ("song", "guitar")]
    sr = stems[0][1]
    y = sum(np.resize(y, (SECONDS * sr, 2)).mean(1) for y, _ in stems)
    chart = pretty_midi.PrettyMIDI(str(folder / "notes.mid"))
    assert len(chart.get_tempo_changes()[0]) == 1
    beats = chart.get_beats()
    beats = beats[beats < SECONDS]
    spectra = descriptors.analyse(y, sr)
    curve, regions = descriptors.onset_strength(spectra), descriptors.region_strength(spectra)
    grid = descriptors.estimate_grid(curve, regions, spectra.hop)
    likely = beat_activations(y, sr).max(axis=1)
    found = {
        "grid": grid.beats,
        "BeatNet": descriptors.track_beats(likely, 1 / FRAME_RATE),
        "librosa": librosa.beat.beat_track(y=y, sr=sr, units="time")[1],
    }
    tempo = 60 / np.median(np.diff(beats))
    return {
        name: score_beats(b, beats) | {"charted": tempo, "tracked": 60 / np.median(np.diff(b))}
        for name, b in found.items()
    }


@pytest.mark.weekly
@pytest.mark.skipif(not importlib.util.find_spec("BeatNet"), reason="BeatNet is not installed")
def test_charted_tempi_are_found_or_their_half(songs):
    """The chart's first beat is not aligned with all recordings, so only tempi are compared."""
    scores = [track(song) for song in songs]
    tables = {name: pd.DataFrame([score[name] for score in scores]) for name in scores[0]}
    right = {name: table["right"].sum() for name, table in tables.items()}
    for table in (tables["grid"], tables["BeatNet"]):
        assert (table["right"] + table["octave"] == 1).all()
        halved = table[table["octave"] == 1]
        assert len(halved)
        assert (halved["tracked"] < halved["charted"]).all()
        assert halved["charted"].between(165, 195).all()
    assert right["librosa"] == 8 > right["grid"] >= right["BeatNet"] >= 4
