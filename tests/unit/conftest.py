"""Fixtures for unit tests: a tiny study folder, and a separate cache."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

SR = 8000
SECONDS = 0.5


def sound(k: int, seconds: float = SECONDS, sr: int = SR) -> np.ndarray:
    """Generate a decaying tone every quarter of a second, with a pitch that depends on `k`."""
    t = np.arange(round(seconds * sr)) / sr
    return (0.4 * np.sin(2 * np.pi * (220 + 40 * k) * t) * np.exp(-12 * (t % 0.25))).astype("f4")


@pytest.fixture(scope="module")
def own_cache(tmp_path_factory):
    """Let the tests of a module use a temporary cache instead of the project's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GROOVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def make_study(tmp_path):
    """Function that writes a study folder: 8 tracks by 4 artists, 5 listeners, 2 queries."""

    def make(
        name: str = "study",
        *,
        listeners: bool = True,
        audio: bool = True,
        stems: bool = False,
        styles: tuple[str, ...] = ("funk", "pop"),
        simulated: bool = False,
        names: tuple[str, ...] = tuple(f"song{k}" for k in range(8)),
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        rng = np.random.default_rng(5)
        tracks = pd.DataFrame(
            {
                "track_id": names,
                "title": [f"Title {k}" for k in range(len(names))],
                "artist": [f"band {k % 4}" for k in range(len(names))],
                "style": [styles[k % 4 % len(styles)] for k in range(len(names))],
            }
        )
        if audio:
            tracks["audio"] = [f"audio/{track}.flac" for track in names]
            (folder / "audio").mkdir()
            for k, track in enumerate(names):
                soundfile.write(folder / "audio" / f"{track}.flac", sound(k), SR)
                if stems:
                    (folder / "stems" / track).mkdir(parents=True)
                    for stem in ("drums", "bass", "other", "vocals"):
                        path = folder / "stems" / track / f"{stem}.flac"
                        soundfile.write(path, sound(k) / 4, SR)
        rows = [
            {"track_id": track, "query": query, "rating": int(rng.integers(1, 101))}
            | ({"listener_id": f"L{who}"} if listeners else {})
            for who in range(5 if listeners else 1)
            for track in names
            for query in ("dance", "listen")
        ]
        tracks.to_csv(folder / "tracks.csv", index=False)
        pd.DataFrame(rows).to_csv(folder / "ratings.csv", index=False)
        if listeners:
            facts = pd.DataFrame({"listener_id": [f"L{who}" for who in range(5)], "age": range(5)})
            facts.to_csv(folder / "listeners.csv", index=False)
        meta = {
            "title": "A tiny study",
            "queries": {"dance": "I would like to dance to this music", "listen": "I like it"},
            "scale": [1, 100],
            "styles": list(styles),
            "simulated": simulated,
        }
        if simulated:
            (folder / "truth").mkdir()
            pd.DataFrame({"effect": ["tempo"], "value": [0.5]}).to_csv(
                folder / "truth" / "effects.csv", index=False
            )
        (folder / "study.yml").write_text(yaml.safe_dump(meta, sort_keys=False), encoding="utf-8")
        return folder

    return make
