import threading
import time

import numpy as np
import pytest
import torch
from toy_models import SR, Frames, Prepared, calls, noise, noises

from groove_utils.audio.streams import ArraySource
from groove_utils.cache import ArrayCache
from groove_utils.embed import embed_audio, embed_models, embed_tracks
from groove_utils.embed.engine import Model, workers
from groove_utils.embed.engine.reader import TrackReader, read_windows

PACKAGED = ["mtt-musicnn", "mtt-vgg", "basic-pitch", "beatnet", "vibenet"]


def same_bytes(one, other):
    return one.layers.keys() == other.layers.keys() and all(
        values.tobytes() == other.layer(layer).tobytes() for layer, values in one.layers.items()
    )


def test_windows_cover_the_whole_signal_and_only_it(register):
    y = np.concatenate([np.full(SR, 0.1), np.full(SR // 2, 0.4)]).astype(np.float32)
    layers = embed_audio(y, SR, register(Frames))
    np.testing.assert_allclose(layers["frames"], [[0.1, 0.1], [0.4, 0.4]], rtol=1e-5)
    np.testing.assert_allclose(layers["window"], [[0.1], [0.4]], rtol=1e-5)


@pytest.mark.parametrize("kind", [Frames, Prepared])
def test_mean_and_spread_over_all_frames(cache, kind, register):
    tracks = {f"t{n}": (noise(n), SR) for n in (1600, 16000, 23400, 100_000)}
    options = {"cache": cache, "progress": False}
    both = embed_tracks(tracks, register(kind), pooling="mean+std", **options)
    mean = embed_tracks(tracks, kind.__name__.lower(), **options)
    for i, (y, _) in enumerate(tracks.values()):
        frames = y.reshape(-1, 100)
        values = np.stack([frames.mean(1), frames[:, 0]], 1)
        expected = np.concatenate([values.mean(0), values.std(0)])
        np.testing.assert_allclose(both.layer("frames")[i], expected, atol=1e-6)
        np.testing.assert_allclose(mean.layer("window")[i], y.mean(), atol=1e-6)
    np.testing.assert_array_equal(mean.layer("frames"), both.layer("frames")[:, :2])


def test_batches_across_tracks_keep_tracks_apart(register, cache):
    tracks = {f"t{i}": (noise(3200 + 5920 * i, i), SR) for i in range(12)}
    name = register(Frames)
    before = len(calls)
    together = embed_tracks(tracks, name, cache=cache, progress=False)
    n_windows = sum(-(-len(y) // SR) for y, _ in tracks.values())
    assert len(calls) - before <= -(-n_windows // 8) + 2  # two belong to the probe
    assert together.track_ids == list(tracks)
    expected = [[y.mean()] for y, _ in tracks.values()]
    np.testing.assert_allclose(together.layer("window"), expected, atol=1e-6)


def test_several_models_read_each_track_once(cache, monkeypatch, register):
    opened = []
    original = ArraySource.blocks
    monkeypatch.setattr(ArraySource, "blocks", lambda s: opened.append(s) or original(s))
    tracks = noises(3, 3)
    models = [register(Frames), "mtt-vgg", "basic-pitch"]
    together = embed_models(tracks, models, cache=cache, progress=False)
    assert len(opened) == 3
    for model in models:
        other = ArrayCache(cache.folder.parent / model)
        assert same_bytes(embed_tracks(tracks, model, cache=other, progress=False), together[model])


@pytest.fixture
def set_threads():
    """Set the number of torch's threads for one test: more than one slow down all later tests."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("model", PACKAGED)
def test_neighbours_resumption_and_threads_change_no_bit(
    model, cache, tmp_path, monkeypatch, set_threads
):
    """Embed tracks alone or in batches, in several threads or in one, with identical results."""
    tracks = noises(4, 2, 5, 8, 11)
    together = embed_tracks(tracks, model, cache=cache, progress=False)
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    set_threads(1)
    resumed = ArrayCache(tmp_path / "resumed")
    embed_tracks({"t2": tracks["t2"]}, model, cache=resumed, progress=False)
    again = embed_tracks(tracks, model, cache=resumed, progress=False)
    assert same_bytes(together, again)


class Hooked(Frames):
    """Model that stores something between steps of a call, as with a hook on a layer."""

    version = "hooked"  # its class attributes change
    running = 0
    most = 0

    def forward(self, network, batch, n_valid):
        kind = type(self)
        kind.running += 1
        kind.most = max(kind.most, kind.running)
        self.seen = batch
        time.sleep(0.01)
        result = super().forward(network, self.seen, n_valid)
        kind.running -= 1
        return result


class Reentrant(Hooked):
    """The same model, which declares that it stores nothing."""

    version = "reentrant"
    concurrent = True


@pytest.mark.parametrize(("kind", "most"), [(Hooked, 1), (Reentrant, 2)])
def test_batches_run_side_by_side_only_where_a_model_allows_it(
    cache, register, set_threads, kind, most
):
    set_threads(2)
    embed_tracks(noises(9, 9), register(kind), cache=cache, progress=False)
    assert kind.most == most


def test_threads_are_given_back():
    before = torch.get_num_threads()
    embed_audio(noise(SR * 5), SR, "mtt-vgg")
    assert torch.get_num_threads() == before
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [before]


def test_reading_stops_when_nobody_listens():
    sources = (ArraySource(noise(SR * 200), SR) for _ in range(5))
    reading = read_windows(sources, [Model(Frames(), None)])
    next(reading)
    readers = [t for t in threading.enumerate() if isinstance(t, TrackReader)]
    assert readers
    reading.close()
    for thread in readers:
        thread.join(5)
        assert not thread.is_alive()
