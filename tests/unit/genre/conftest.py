"""Fixtures with a tiny corpus: noise bursts whose tempo and spectrum depend on the style."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from scipy import signal

from groove_utils.genre import Corpus

STYLES = ["slow", "fast", "dark"]
RATE = 16000


def draw_song(style, rng, seconds=4.0):
    n = round(seconds * RATE)
    period = {"slow": 0.6, "fast": 0.3, "dark": 0.6}[style] * rng.uniform(0.95, 1.05)
    cutoff = 1000 if style == "dark" else 5000
    envelope = np.exp(-8 * (np.arange(n) / RATE % period))
    noise = signal.lfilter(*signal.butter(2, cutoff, fs=RATE), rng.standard_normal(n))
    return 0.2 * envelope * noise


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory):
    folder, rng, songs = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0), []
    for style in STYLES:
        for band in range(6):
            for number in range(2):
                song = f"{style}-{band}-{number}"
                soundfile.write(folder / f"{song}.flac", draw_song(style, rng), RATE)
                songs.append((song, style, f"{style} {band}", f"{song}.flac"))
    table = pd.DataFrame(songs, columns=["song_id", "style", "artist", "audio"])
    return Corpus("tiny", folder, table)


@pytest.fixture(scope="session")
def clips(tiny_corpus, tmp_path_factory):
    from groove_utils.cache import ArrayCache
    from groove_utils.genre import log_mels

    cache = ArrayCache(tmp_path_factory.mktemp("mels"), "mels")
    return log_mels(tiny_corpus, seconds=1.5, hop_seconds=1.0, cache=cache)


@pytest.fixture(scope="session")
def rendered(tmp_path_factory):
    """One song of four seconds per style of the rendered corpus."""
    from groove_utils.genre import rendered_corpus

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROOVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return rendered_corpus(n_bands=1, songs_per_band=1, seconds=4, n_jobs=1, progress=False)
