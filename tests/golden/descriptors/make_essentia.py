"""Write essentia.json: descriptors of a known signal, computed by Essentia for comparison.

This script is not part of the tests. Run it by hand from the repository's root, in a separate
environment with numpy and ``essentia`` (``pip install essentia==2.1b6.dev1389``).
"""

import json
import sys
from pathlib import Path

import essentia
import essentia.standard as es
import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "unit" / "descriptors"))
from descriptor_signals import click_track, noise  # noqa: E402

FRAME, HOP = 2200, 1100

y = click_track(3.0, 6.0) + noise(6, amplitude=0.05)
# normalised windows are divided by their sum and doubled: amplitude spectra like ours
window = es.Windowing(type="hamming", size=FRAME, normalized=True, zeroPhase=False)
spectrum, flux = es.Spectrum(size=FRAME), es.Flux(norm="L2", halfRectify=False)
frames = [y[start : start + FRAME] for start in range(0, y.size - FRAME + 1, HOP)]
fluxes = [flux(spectrum(window(frame))) for frame in frames][1:]  # the first compares with silence
signals = {
    "clicks": click_track(2.0, 20.0) + noise(20, amplitude=0.01),
    "noise": noise(20),
    "swell": noise(20) * np.linspace(0, 1, 20 * 44100, dtype="f"),
}
golden = {
    "essentia": essentia.__version__,
    "rms": float(es.RMS()(y)),
    "rms_sd": float(np.std([es.RMS()(frame) for frame in frames])),
    "spectral_flux": float(np.mean(fluxes)),
    "danceability": {name: float(es.Danceability()(y)[0]) for name, y in signals.items()},
}
(HERE / "essentia.json").write_text(json.dumps(golden, indent=1) + "\n")
