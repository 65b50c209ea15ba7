import numpy as np
import pytest

from groove_utils.cache import ArrayCache
from groove_utils.genre.inputs import log_mels
from groove_utils.genre.stem_clips import make_stem_clips, render_song


def test_stems_are_those_of_the_corpus(rendered, tmp_path):
    cache = ArrayCache(tmp_path, "mels")
    ids = rendered.songs["song_id"].tolist()[:3]
    found = make_stem_clips(rendered, ids, seconds=4, cache=cache)
    clips = log_mels(rendered, cache=cache)
    assert found.song_ids.tolist() == clips.table["song_id"].tolist()[:3]
    assert found.X.shape == found.without.shape == (4, *clips.X[:3].shape)
    shares = found.shares()
    np.testing.assert_allclose(shares.sum(axis=0), 1, rtol=1e-5)
    every = found.sums([found.stems])[0]
    assert np.median(np.abs(every - clips.X[:3])[clips.X[:3] > -50]) < 1
    np.testing.assert_allclose(found.sums([["bass"]])[0], found.X[1], atol=1e-4)
    # where one stem dominates, it equals the mix within the 16-bit resolution of the file
    alone = (shares.max(axis=0) > 0.999) & (clips.X[:3] > -50)
    assert alone.mean() > 0.05
    np.testing.assert_allclose(found.X.max(axis=0)[alone], clips.X[:3][alone], atol=0.7)
    # a mix without a silent stem equals the mix
    for stem, part in enumerate(found.X):
        for k in range(3):
            rows = [k]
            if (part[rows] <= -80).all():
                loud = clips.X[rows] > -50
                assert np.abs(found.without[stem][rows] - clips.X[rows])[loud].max() < 0.1
    # where a stem is much softer than the others, removing it changes nothing
    soft = (shares < 1e-4) & (clips.X[:3] > -50)
    assert soft.mean() > 0.05
    np.testing.assert_allclose(
        found.without[soft], np.broadcast_to(clips.X[:3], soft.shape)[soft], atol=0.5
    )
    again = make_stem_clips(rendered, ids, seconds=4, cache=cache)
    np.testing.assert_array_equal(again.without, found.without)
    assert again.song_ids.tolist() == found.song_ids.tolist()


def test_onsets_are_where_stems_get_louder(rendered, tmp_path):
    found = make_stem_clips(
        rendered, ["techno-01-1"], seconds=4, cache=ArrayCache(tmp_path, "mels")
    )
    drums = found.stems.index("drums")
    power = (10 ** (found.X[drums] / 10)).sum(axis=1)
    rise = np.diff(power, axis=1, prepend=power[:, :1])
    near = found.onsets[drums] | np.roll(found.onsets[drums], 1, axis=1)
    assert 0 < near.mean() < 1
    assert rise[near].mean() > 0.05 > 0 > rise[~near].mean()


def test_songs_are_rendered_by_name(rendered):
    song = render_song("bossa-nova-01-1", seconds=4)
    row = rendered.songs.set_index("song_id").loc["bossa-nova-01-1"]
    assert song.causes["tempo"] == pytest.approx(row["tempo"], rel=1e-5)
