"""Invented files in the layout documented in the code of Marmoret et al. (2026).

Run as a script to write such a folder: ``python make_marmoret_fixture.py FOLDER [N_SONGS]``.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

MODELS = {
    "AudioMAE/audiomae": (1, 6144),
    "CLAP/clap-htsat-unfused": (1, 512),
    "M2D-CLAP/m2d_clap": (1, 768),
    "MATPAC++/matpac_plus": (1, 3840),
    "MERT/MERT-v1-95M": (13, 768),
    "MuQ-MuLan/MuQ-MuLan-large": (1, 512),
    "MusicFM/musicfm-25hz": (1, 1024),
}
STEMS = ("bass", "drums", "other", "vocals", "drums+bass")
DESCRIPTORS = (
    "event_density", "rms", "rms_sd", "spectral_flux",
    *(f"band_{i}_flux" for i in range(1, 11)), "pulse_clarity", "pulse_clarity_attack",
)  # fmt: skip
QUESTIONS = ("Q1_dance", "Q2_listen", "Q3_beat", "Q4_party", "Q5_rhythm", "Q6_disturbing")


def make_ids(n, rng):
    letters = np.array(list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"))
    ids = ["".join(rng.choice(letters, 11)) for _ in range(n)]
    ids[0] = "-0123456789"  # the most difficult kind of such ids
    ids[1] = "12345678901"
    return ids


def make_published(root, n=10, n_missing=2, n_extra=1, seed=0, small=True):
    """Write files as published for `n` songs with audio; return their ids and the table.

    `n_missing` more songs have ratings and descriptors but no embeddings; the last `n_extra` songs
    have only ratings.
    """
    root, rng = Path(root), np.random.default_rng(seed)
    total = n + n_missing + n_extra
    ids = make_ids(total, rng)
    cause = rng.standard_normal(total)
    sheet = pd.DataFrame(
        {
            "artist": [f"Artist {i}" for i in rng.integers(0, max(8, total // 2), total)],
            "song": [f"Song {i}, or not" for i in range(total)],
            "style_family": rng.choice(["funk", "pop", "rock"], total),
            "style": rng.choice(["p-funk", "synth pop", "hard rock"], total),
            "groove": np.clip(0.3 * cause + 0.2 * rng.standard_normal(total), -1, 1),
        }
    )
    for question in QUESTIONS:
        sheet[question] = np.clip(52 + 9 * cause + 8 * rng.standard_normal(total), 1, 100)
    sheet["id"] = ids
    sheet["video_type"] = "audio"
    sheet["recording_year"] = rng.integers(1965, 2020, total)
    sheet["drummer"] = "somebody"
    sheet["start"], sheet["end"], sheet["duration"] = 10.0, 40.0, 30.0
    sheet["tempo"] = rng.uniform(80, 140, total)
    for name in ("syncopation", "residual_microtiming", "number_of_events", "beat_salience_mean"):
        sheet[name] = rng.random(total)
    ratings = root / "3zjkd" / "data"
    ratings.mkdir(parents=True)
    sheet.to_excel(ratings / "groove_ratings.xlsx", index=False)
    features = pd.DataFrame(rng.random((n + n_missing, 16)), columns=DESCRIPTORS)
    features.insert(0, "id", ids[: n + n_missing])
    features.to_csv(ratings / "groove_MIR_features.csv", index=False)
    for place, shape in MODELS.items():
        if small:
            shape = (shape[0], min(shape[1], 24))
        for i in range(n):
            write_vector(root / "p2wzr" / "embeddings" / place, ids[i], shape, cause[i], rng)
            if place.startswith("MuQ"):
                for stem in STEMS:
                    separated = root / "p2wzr" / "embeddings" / "source_separated" / place / ids[i]
                    write_vector(separated, ids[i], shape, cause[i], rng, stem)
    return ids[:n], sheet


def write_vector(folder, song, shape, cause, rng, stem=None):
    folder.mkdir(parents=True, exist_ok=True)
    values = (cause + 3 * rng.standard_normal(shape)).astype(np.float32)
    extra = {} if stem is None else {"instrument_name": np.array(stem)}
    path = folder / f"audio_embedding_{stem or song}.npz"
    np.savez(path, song_id=np.array(song), audio_embedding=values, **extra)


if __name__ == "__main__":
    make_published(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 148, small=False)
