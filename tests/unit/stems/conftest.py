"""Fixtures for tests of stems: a rendered song with its true stems, and tiny networks."""

import numpy as np
import pytest
import soundfile

from groove_utils.study import load_study
from groove_utils.synth import make_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """A demo study with one rendered song."""
    folder = tmp_path_factory.mktemp("demo")
    sizes = {"n_bands": 1, "songs_per_band": 1, "n_listeners": 4, "songs_per_listener": 1}
    return load_study(make_demo(folder, n_jobs=1, progress=False, **sizes), validate=False)


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """Folder with two networks and a bag of both, as for ``demucs --repo``."""
    from tiny_demucs import save_network, tiny_network  # imports torch

    folder = tmp_path_factory.mktemp("repository")
    save_network(tiny_network(0), folder, "aaaa1111")
    save_network(tiny_network(1), folder, "bbbb2222")
    (folder / "both.yaml").write_text(
        "models: ['aaaa1111', 'bbbb2222']\nweights: [[1, 0, 0.5, 2], [0, 1, 0.5, 1]]\n"
    )
    return folder


@pytest.fixture(scope="session")
def band():
    """Clicks and chords in stereo (3.2 s at 44.1 kHz), with an offset and different channels."""
    rng = np.random.default_rng(1)
    t = np.arange(141_120) / 44_100
    chord = sum(np.sin(2 * np.pi * f * t) for f in (110, 220.3, 331))
    clicks = rng.normal(size=t.size) * np.exp(-60 * (t % 0.4))
    return np.stack([0.1 * chord + 0.3 * clicks, 0.15 * chord + 0.2 * clicks + 0.01]).astype("f4")


@pytest.fixture
def write(tmp_path):
    """Function that writes an audio file and returns its path."""

    def write(name, y, sr=44_100, **options):
        soundfile.write(tmp_path / name, np.atleast_2d(y).T, sr, **options)
        return tmp_path / name

    return write
