"""Features of songs, without audio, for the tests of simulated listeners."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def songs():
    """Ninety-six invented songs, with features distributed as in the demo study."""
    rng = np.random.default_rng(3)
    n = 96
    return pd.DataFrame(
        {
            "track_id": [f"s{i:02d}" for i in range(n)],
            "style": np.resize(["funk", "pop", "rock"], n),
            "syncopation": rng.normal(2.8, 1.0, n).clip(1) ** 2,
            "event_density": rng.normal(5.7, 1.1, n),
            "tempo": rng.normal(114, 14, n).clip(85, 160),
            "microtiming_ms": rng.lognormal(1.7, 0.6, n),
            "low_frequency_db": rng.normal(-3.3, 1.0, n),
            "bass_drum_coupling": rng.normal(0.77, 0.15, n).clip(0, 1),
        }
    )
