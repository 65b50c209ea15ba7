import numpy as np
import pandas as pd
import pytest
from expect import raises

from groove_utils.audio import resample
from groove_utils.cache import ArrayCache
from groove_utils.errors import DetailedError
from groove_utils.genre import clips_at_tempo
from groove_utils.genre import tempo_clips as module
from groove_utils.genre.inputs import MEL_SETTINGS, clip_mels
from groove_utils.genre.stem_clips import render_song
from groove_utils.synth.score import LEAD_IN


def test_clips_are_those_of_songs_rendered_at_the_tempo(rendered, tmp_path, monkeypatch):
    cache = ArrayCache(tmp_path, "mels")
    tempi = pd.Series({"techno-01-1": 140.0, "funk-01-1": 90.0})
    clips = clips_at_tempo(rendered, tempi, cache=cache)
    assert clips.table["song_id"].tolist() == ["funk-01-1", "techno-01-1"]  # as in the corpus
    assert clips.table["tempo"].tolist() == [90.0, 140.0]
    assert clips.table["clip_id"].tolist() == ["funk-01-1-0", "techno-01-1-0"]
    assert clips.X.shape == (2, 48, 94)
    assert clips.styles == rendered.styles
    song = render_song("techno-01-1", seconds=3.0, tempo=140.0)
    y = resample(song.mix, song.sr, MEL_SETTINGS["sr"])
    np.testing.assert_array_equal(clips.X[1], clip_mels(y, **MEL_SETTINGS)[0][0])
    monkeypatch.setattr(module, "render_song", None)  # nothing is rendered again
    np.testing.assert_array_equal(clips_at_tempo(rendered, tempi, cache=cache).X, clips.X)


@pytest.mark.parametrize("tempo", [100.0, 140.0])
def test_strokes_lie_on_the_grid_of_the_tempo(tempo):
    onsets = render_song("techno-01-1", seconds=3.0, tempo=tempo).onsets
    times = onsets.loc[onsets["stem"] == "drums", "time"] - LEAD_IN

    def distance(tempo):
        sixteenth = 15 / tempo
        return (times - sixteenth * (times / sixteenth).round()).abs().median()

    assert distance(tempo) < 0.01
    assert distance(1.1 * tempo) > 0.015


@pytest.mark.parametrize(
    ("tempi", "kind"),
    [({"polka-01-1": 100.0}, "unknown_song"), ({"funk-01-1": 10.0}, "out_of_range")],
)
def test_unknown_songs_and_tempi_are_errors(rendered, tmp_path, tempi, kind):
    with raises(DetailedError, kind):
        clips_at_tempo(rendered, tempi, cache=ArrayCache(tmp_path, "mels"))
