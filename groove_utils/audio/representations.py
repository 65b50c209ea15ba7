"""Standard audio representations in music information retrieval.

The waveform, STFT, mel and log-mel spectrograms, constant-Q transform and chromagram are those
listed by Choi et al. (2017). The onset strength and the tempogram are added to represent rhythm.
"""

from __future__ import annotations

from typing import NamedTuple

import librosa
import numpy as np
import pandas as pd
from scipy import signal

from groove_utils.audio.validation import check_mono
from groove_utils.errors import DetailedError

__all__ = ["Representation", "represent", "representation_table", "window_resolution"]

FLOOR_DB = 80.0  # dynamic range in dB; lower values are clipped


class Representation(NamedTuple):
    """Representation of a signal as an array over time.

    Attributes
    ----------
    array : ndarray of float32, shape (n_rows, n_frames)
        Values of the representation. The waveform and the onset strength have one row.
    hop : float
        Time in seconds between consecutive columns; the first column is at 0 s.
    rows : ndarray of float64, shape (n_rows,)
        Frequency, pitch class or tempo of each row, in the given `unit`; 0 if there is only one
        row.
    unit : str
        Unit of `rows`: ``Hz``, ``pitch class`` (0 is C) or ``BPM``; empty if there is only one row.
    scale : str
        Quantity or unit of the values in `array`, such as ``dB``.
    """

    array: np.ndarray
    hop: float
    rows: np.ndarray
    unit: str
    scale: str


def represent(
    y: np.ndarray, sr: int, *, n_fft: int = 2048, hop_length: int = 256, n_mels: int = 96
) -> dict[str, Representation]:
    """Compute eight standard representations of a signal.

    Parameters
    ----------
    y : ndarray, shape (n_samples,)
        Mono signal.
    sr : int
        Sample rate in Hz, at least 11025, because the constant-Q transform extends to 4.2 kHz.
    n_fft, hop_length : int
        Window length and hop length in samples.
    n_mels : int
        Number of mel bands.

    Returns
    -------
    dict of str to Representation
        ``waveform, STFT, mel, log-mel, CQT, chroma, tempogram, onset strength``, in this order.

    Raises
    ------
    DetailedError
        If the signal is not usable or not mono, or the sample rate is too low.
    """
    y = check_mono(y)
    if sr < 11025:
        message = f"sr is {sr}; expected 11025 Hz or more. Resample the signal first."
        raise DetailedError(message, kind="out_of_range", column="sr", value=sr)
    hop = hop_length / sr
    power = np.abs(librosa.stft(y, n_fft=n_fft, hop_length=hop_length)) ** 2
    mel = librosa.feature.melspectrogram(S=power, sr=sr, n_mels=n_mels)
    cqt = np.abs(librosa.cqt(y, sr=sr, hop_length=hop_length, n_bins=84))
    chroma = librosa.feature.chroma_stft(S=power, sr=sr)
    strength = librosa.onset.onset_strength(S=_decibel(mel), sr=sr, hop_length=hop_length)
    tempogram = librosa.feature.tempogram(onset_envelope=strength, sr=sr, hop_length=hop_length)
    tempi = librosa.tempo_frequencies(len(tempogram), sr=sr, hop_length=hop_length)
    kept = (tempi >= 40) & (tempi <= 300)
    hz = {
        "STFT": librosa.fft_frequencies(sr=sr, n_fft=n_fft),
        "mel": librosa.mel_frequencies(n_mels=n_mels + 2, fmax=sr / 2)[1:-1],
        "CQT": librosa.cqt_frequencies(n_bins=84, fmin=librosa.note_to_hz("C1")),
    }
    single = np.zeros(1)
    items = {
        "waveform": Representation(y[None], 1 / sr, single, "", "amplitude"),
        "STFT": Representation(_decibel(power), hop, hz["STFT"], "Hz", "dB"),
        "mel": Representation(mel, hop, hz["mel"], "Hz", "power"),
        "log-mel": Representation(_decibel(mel), hop, hz["mel"], "Hz", "dB"),
        "CQT": Representation(_decibel(cqt**2), hop, hz["CQT"], "Hz", "dB"),
        "chroma": Representation(chroma, hop, np.arange(12.0), "pitch class", "share"),
        "tempogram": Representation(tempogram[kept], hop, tempi[kept], "BPM", "autocorrelation"),
        "onset strength": Representation(strength[None], hop, single, "", "rise in dB"),
    }
    return {
        name: item._replace(array=np.asarray(item.array, dtype=np.float32))
        for name, item in items.items()
    }


def representation_table() -> pd.DataFrame:
    """Tabulate the information that each representation keeps and loses, and its typical uses.

    Returns
    -------
    DataFrame of str
        Columns ``keeps, loses, tasks``; indexed by ``representation``, in the order of
        :func:`represent`.
    """
    rows = {
        "waveform": ("everything", "nothing, but hard to use directly", "end-to-end models"),
        "STFT": ("time and frequency", "phase (if magnitudes)", "separation, synthesis"),
        "mel": ("coarse spectrum", "fine pitch, phase", "rarely used without the logarithm"),
        "log-mel": ("timbre and onsets, as we hear them", "fine pitch, phase", "tagging, genre"),
        "CQT": ("notes", "exact times of low notes, phase", "transcription, chords"),
        "chroma": ("pitch classes", "octave, timbre, most drum strokes", "chords, key, covers"),
        "tempogram": ("periods of the rhythm", "pitch, timbre", "tempo, metre"),
        "onset strength": ("times and strengths of onsets", "pitch, timbre", "beat, groove"),
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["keeps", "loses", "tasks"])
    return table.rename_axis("representation")


def window_resolution(n_fft: int, sr: int) -> tuple[float, float]:
    """Compute the time and frequency resolution of a Hann window.

    Parameters
    ----------
    n_fft : int
        Window length in samples, at least 16.
    sr : int
        Sample rate in Hz.

    Returns
    -------
    seconds : float
        Width at half power of a click in the spectrogram, in seconds.
    hertz : float
        Width at half power of the spectral peak of a sine wave, in Hz. ``seconds * hertz`` is about
        0.52 for every `n_fft`.

    Raises
    ------
    DetailedError
        If the window has fewer than 16 samples.
    """
    if n_fft < 16:
        message = f"n_fft is {n_fft}; expected a window of 16 samples or more."
        raise DetailedError(message, kind="out_of_range", column="n_fft", value=n_fft)
    window = signal.get_window("hann", n_fft)
    within = np.flatnonzero(window**2 >= 0.5)
    response = np.abs(np.fft.rfft(window, 64 * n_fft)) ** 2
    above = np.flatnonzero(response < response[0] / 2)[0]
    return within.size / sr, (2 * above - 1) * sr / (64 * n_fft)


def _decibel(power: np.ndarray) -> np.ndarray:
    """Convert power to dB relative to its maximum, and clip values below −80 dB."""
    return librosa.power_to_db(power, ref=max(float(power.max()), 1e-10), top_db=FLOOR_DB)
