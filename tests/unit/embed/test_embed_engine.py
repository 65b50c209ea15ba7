import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from groove_utils.audio import AudioError, resample, windows
from groove_utils.cache import ArrayCache
from groove_utils.embed import (
    ModelRefusedError,
    embed_audio,
    embed_models,
    embed_tracks,
    executors,
    forget_models,
    load_model,
    register_model,
    unregister_model,
)
from groove_utils.embed.engine import (
    Model,
    choose_autocast,
    choose_device,
    forward_windows,
    run,
    workers,
)
from groove_utils.embed.engine.devices import precision
from groove_utils.embed.engine.reader import TrackReader, read_windows
from groove_utils.embed.integrity import fingerprint
from groove_utils.embed.models.musicnn.taggers import Tagger
from groove_utils.embed.registry import REGISTRY, check_model, model_record, probe_signal
from groove_utils.embed.sources import (
    BLOCK,
    ArraySource,
    FileSource,
    SumSource,
    WindowCutter,
    resampled,
)

SR = 16000


class Moments:
    """Passes its frames through, so that pooling can be held to NumPy."""

    sample_rate = SR
    window = 1.0
    layers = {"frames": 2}  # noqa: RUF012
    version = "1"

    def load(self):
        return None

    def forward(self, network, batch, n_valid):
        frames = batch.unfold(1, 100, 100)
        return {"frames": torch.stack([frames.mean(2), frames[..., 0]], 2)}


class Prepared(Moments):
    """Takes windows of any length, as frames that are cut ahead."""

    any_length = True
    version = "prepared"

    def prepare(self, samples, n_valid):
        return samples.reshape(-1, 100)

    def forward(self, network, batch, n_valid):
        return {"frames": torch.stack([batch.mean(2), batch[..., 0]], 2)}


class Slow(Moments):
    """Takes its time, so that it can be interrupted; counts in a file."""

    version = "slow"

    def forward(self, network, batch, n_valid):
        time.sleep(0.05)
        if "GROOVE_COUNT" in os.environ:
            with open(os.environ["GROOVE_COUNT"], "a") as file:
                file.write(f"{len(batch)}\n")
        return super().forward(network, batch, n_valid)


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.setenv("GROOVE_CACHE", str(tmp_path / "default-cache"))
    forget_models()
    register_model("moments", Moments)
    register_model("prepared", Prepared)
    register_model("slow", Slow)
    yield
    for name in ("moments", "prepared", "slow"):
        unregister_model(name)
    forget_models()


@pytest.fixture
def cache(tmp_path):
    return ArrayCache(tmp_path / "cache")


def noise(n, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n).astype(np.float32)


@pytest.mark.parametrize("n", [1, 99, 100, 101, 250, 1000, 1001])
@pytest.mark.parametrize(("length", "hop", "lead"), [(100, 100, 0), (100, 60, 0), (100, 90, 30)])
@pytest.mark.parametrize("block", [7, 100, 5000])
def test_cutting_in_blocks_equals_cutting_the_whole(n, length, hop, lead, block):
    y = noise(n)
    cutter = WindowCutter(length, hop, lead)
    ours = [w for i in range(0, n, block) for w in cutter.push(y[i : i + block])]
    ours.append(cutter.finish())
    cut, n_valid = windows(np.concatenate([np.zeros(lead, np.float32), y]), length, hop)
    np.testing.assert_array_equal(np.stack([w for w, _ in ours]), cut)
    assert [n for _, n in ours] == n_valid.tolist()


@pytest.mark.parametrize("sr", [8000, 22050, 44100, 192000])
def test_resampling_in_blocks_equals_resampling_the_whole(sr):
    y = noise(3 * sr)
    blocks = list(resampled(iter(np.array_split(y, 17)), sr, [SR, 24000, sr]))
    for rate in (SR, 24000, sr):
        joined = np.concatenate([block[rate] for block in blocks])
        np.testing.assert_allclose(joined, resample(y, sr, rate), atol=1e-5)


def test_sources_join_to_the_file(tmp_path):
    y = noise(2 * BLOCK + 12345).reshape(1, -1) * np.array([[1], [0.5]], np.float32)
    soundfile.write(tmp_path / "x.wav", y.T, 44100, subtype="FLOAT")
    joined = np.concatenate(list(FileSource(tmp_path / "x.wav").blocks()))
    np.testing.assert_allclose(joined, y.mean(0), atol=1e-7)
    np.testing.assert_allclose(np.concatenate(list(ArraySource(y, 44100).blocks())), joined)
    short = noise(BLOCK // 3, 1)
    soundfile.write(tmp_path / "s.wav", short, 44100, subtype="FLOAT")
    total = np.concatenate(list(SumSource([tmp_path / "x.wav", tmp_path / "s.wav"]).blocks()))
    expected = y.mean(0)
    expected[: len(short)] += short
    np.testing.assert_allclose(total, expected, atol=1e-6)
    soundfile.write(tmp_path / "r.wav", short, 22050)
    with pytest.raises(AudioError, match=r"x\.wav \(44100 Hz\), r\.wav \(22050 Hz\)"):
        SumSource([tmp_path / "x.wav", tmp_path / "r.wav"])


@pytest.mark.parametrize("model", ["moments", "prepared"])
@pytest.mark.parametrize("n", [1600, 16000, 23400, 100_000])
def test_mean_and_spread_over_all_frames(cache, n, model):
    y = noise(n)
    options = {"cache": cache, "progress": False}
    both = embed_tracks({"y": (y, SR)}, model, pooling="mean+std", **options)
    frames = y.reshape(-1, 100)
    values = np.stack([frames.mean(1), frames[:, 0]], 1)
    expected = np.concatenate([values.mean(0), values.std(0)])
    np.testing.assert_allclose(both.layer("frames")[0], expected, atol=1e-6)
    mean = embed_tracks({"y": (y, SR)}, model, **options)
    np.testing.assert_array_equal(mean.layer("frames")[0], both.layer("frames")[0, :2])
    with pytest.raises(ValueError, match=r"pooling is 'max'; expected one of mean, mean\+std"):
        embed_tracks({"y": (y, SR)}, model, pooling="max", **options)


@given(st.integers(8, 500_000), st.floats(0, 1))
def test_a_bucket_holds_its_windows_and_is_its_own(length, share):
    adapter = Prepared()
    adapter.sample_rate, adapter.window = 1, length
    model, n = Model(adapter, None), max(1, round(share * length))
    assert n <= model.bucket(n) <= min(length, n + length / 8)
    assert model.bucket(model.bucket(n)) == model.bucket(n)


def test_several_models_read_each_track_once(cache, monkeypatch):
    opened = []
    original = ArraySource.blocks
    monkeypatch.setattr(ArraySource, "blocks", lambda s: opened.append(s) or original(s))
    tracks = {f"t{i}": (noise(SR * 3, i), SR) for i in range(3)}
    models = ["moments", "mtt-vgg", "mtt-musicnn", "basic-pitch"]
    together = embed_models(tracks, models, cache=cache, progress=False)
    assert len(opened) == 3
    for model in models:
        alone = embed_tracks(
            tracks, model, cache=ArrayCache(cache.folder.parent / model), progress=False
        )
        for layer, values in alone.layers.items():
            assert values.tobytes() == together[model].layer(layer).tobytes()


@pytest.mark.parametrize("model", ["mtt-musicnn", "mtt-vgg", "basic-pitch"])
def test_neighbours_and_resumption_change_no_bit(model, cache, tmp_path):
    tracks = {f"t{i}": (noise(SR * (1 + 2 * i), i), SR) for i in range(4)}
    together = embed_tracks(tracks, model, cache=cache, progress=False)
    resumed = ArrayCache(tmp_path / "resumed")
    embed_tracks({"t2": tracks["t2"]}, model, cache=resumed, progress=False)
    again = embed_tracks(tracks, model, cache=resumed, progress=False)
    for layer, values in together.layers.items():
        assert values.tobytes() == again.layer(layer).tobytes()


class Hooked(Moments):
    """Keeps something from one step of a call to the next, as a hook on a layer does."""

    version = "hooked"
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
    """The same, and says that it keeps nothing."""

    version = "reentrant"
    concurrent = True


def test_batches_run_side_by_side_only_where_a_model_allows_it(cache, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    tracks = {f"t{i}": (noise(SR * 9, i), SR) for i in range(9)}
    for kind, most in ((Hooked, 1), (Reentrant, 2)):
        kind.running = kind.most = 0
        register_model(kind.version, kind)
        embed_tracks(tracks, kind.version, cache=cache, progress=False)
        unregister_model(kind.version)
        assert kind.most == most


@pytest.mark.parametrize("model", ["mtt-musicnn", "mtt-vgg", "basic-pitch"])
def test_lanes_change_no_bit(model, cache, monkeypatch):
    """Side by side, or one after the other, each with one thread."""
    tracks = {f"t{i}": (noise(SR * (2 + 3 * i), i), SR) for i in range(4)}
    there = embed_tracks(tracks, model, cache=cache, progress=False)
    monkeypatch.setattr(workers, "MAX_WORKERS", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        here = embed_tracks(
            tracks, model, cache=ArrayCache(cache.folder.parent / "here"), progress=False
        )
    finally:
        torch.set_num_threads(threads)
    for layer, values in there.layers.items():
        assert values.tobytes() == here.layer(layer).tobytes()


def test_threads_are_given_back():
    before = torch.get_num_threads()
    embed_audio(noise(SR * 5), SR, "mtt-vgg")
    assert torch.get_num_threads() == before
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [before]


def test_an_error_in_a_lane_comes_back(monkeypatch):
    def broken(self, network, batch, n_valid):
        raise RuntimeError("the lane is closed")

    monkeypatch.setattr(Moments, "concurrent", True, raising=False)
    register_model("broken", type("Broken", (Moments,), {"version": "b"}))
    loaded = load_model("broken")
    monkeypatch.setattr(type(loaded.adapter), "forward", broken)
    with pytest.raises(RuntimeError, match="the lane is closed"):
        embed_audio(noise(SR * 30), SR, "broken")
    unregister_model("broken")


def test_bad_tracks_are_all_listed_and_the_good_ones_kept(cache, tmp_path):
    (tmp_path / "text.wav").write_text("no audio")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), SR)
    bad = noise(SR)
    bad[5] = np.inf
    soundfile.write(tmp_path / "inf.wav", bad, SR, subtype="FLOAT")
    soundfile.write(tmp_path / "cut.flac", noise(10 * SR), SR)
    content = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(content[: len(content) // 2])
    tracks = {name: tmp_path / f"{name}.wav" for name in ("text", "empty", "inf", "absent")}
    tracks |= {"good": (noise(SR), SR), "zero": (np.zeros(0), SR)}
    with pytest.raises(AudioError) as caught:
        embed_tracks(tracks, "moments", cache=cache, progress=False)
    message = str(caught.value)
    assert message.startswith("5 tracks cannot be embedded")
    for part in ("text.wav", "holds no samples", "1 samples are NaN", "no such", "at least one"):
        assert part in message
    assert len(cache) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embed_tracks({"good": tracks["good"]}, "moments", cache=cache, progress=False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda batch: batch[:, None], "gave a Tensor; expected a dict of layer"),
        (lambda batch: {"other": batch[:, :3]}, "gave the layers 'other'; .* declares 'out'"),
        (lambda batch: {"out": batch[:, :4]}, r"layer 'out' in shape \(8, 4\); expected .*3\)"),
        (lambda batch: {"out": batch[:, 0]}, r"layer 'out' in shape \(8,\)"),
        (lambda batch: {"out": batch[:, :6].reshape(16, 3)}, r"shape \(16, 3\).*n_windows = 8"),
        (lambda batch: {"out": batch[:1, :3]}, r"shape \(1, 3\).*n_windows = 8"),
        (lambda batch: {"out": batch[:, :0, None].expand(8, 0, 3)}, "and one frame or more"),
    ],
)
def test_output_must_be_what_the_adapter_declares(given, message):
    class Odd(Moments):
        layers = {"out": 3}  # noqa: RUF012

        def forward(self, network, batch, n_valid):
            return given(batch)

    with pytest.raises(ModelRefusedError, match=message):
        forward_windows(Model(Odd(), None), np.zeros((8, SR), np.float32), np.full(8, SR))


def test_infinite_frames_are_not_taken_for_numbers():
    class Overflow(Moments):
        def forward(self, network, batch, n_valid):
            frames = super().forward(network, batch, n_valid)["frames"]
            return {"frames": torch.where(frames > 5, torch.inf, frames)}

    y = noise(3 * SR)
    y[SR] = 6
    ((*_, error),) = run([ArraySource(y, SR)], [Model(Overflow(), None)])
    assert isinstance(error, ValueError)
    assert "NaN or infinite (layer frames)" in str(error)


@pytest.mark.parametrize("model", ["moments", "mtt-musicnn", "basic-pitch"])
def test_too_short_for_a_sample_at_the_model_s_rate(cache, model):
    tracks = {f"t{i}": (noise(SR, i), SR) for i in range(3)}
    tracks = {"t0": tracks["t0"], "tiny": (np.ones(1, np.float32), 192000), **tracks}
    with pytest.raises(AudioError, match=r"1 track .*\n  tiny: it is too short: no sample of it"):
        embed_tracks(tracks, model, cache=cache, progress=False)
    assert len(cache) == 3


@pytest.mark.parametrize("method", ["content", "blocks"])
def test_files_that_cannot_be_read_are_listed_and_the_others_kept(
    cache, tmp_path, monkeypatch, method
):
    """No permission, gone in the meantime, a disk that fails."""
    for i, name in enumerate("abc"):
        soundfile.write(tmp_path / f"{name}.wav", noise(SR, i), SR)
    original = getattr(FileSource, method)

    def failing(self, *arguments):
        if self.path.stem == "b":
            raise PermissionError(13, "Permission denied", str(self.path))
        return original(self, *arguments)

    monkeypatch.setattr(FileSource, method, failing)
    tracks = {name: tmp_path / f"{name}.wav" for name in "abc"} | {"d": tmp_path / "absent.wav"}
    with pytest.raises(AudioError, match=r"2 tracks(.*\n)*.*b: .*Permission denied: .*b\.wav"):
        embed_tracks(tracks, "moments", cache=cache, progress=False)
    assert len(cache) == 2


def test_float32_is_float32_on_a_gpu():
    with precision("cuda:0"):
        assert not torch.backends.cudnn.allow_tf32
        assert torch.backends.cudnn.deterministic
    with precision("cpu"):
        assert torch.backends.cudnn.allow_tf32  # as it was


def test_frames_that_are_all_missing_are_not_taken_for_zeros():
    class Missing(Moments):
        layers = {"out": 2}  # noqa: RUF012

        def forward(self, network, batch, n_valid):
            return {"out": torch.full((len(batch), 5, 2), torch.nan)}

    model = Model(Missing(), None)
    mean, _ = forward_windows(model, np.zeros((1, SR), np.float32), np.array([SR]))["out"]
    assert np.isnan(mean).all()
    (*_, error), *_ = run([ArraySource(noise(SR), SR)], [model])
    assert isinstance(error, ValueError)
    assert "NaN or infinite (layer out)" in str(error)


@pytest.mark.parametrize("model", ["msd-musicnn", "mtt-vgg"])
def test_sound_far_above_full_scale_stays_finite(model):
    for layer, values in embed_audio(40 * noise(SR * 4), SR, model).items():
        assert np.isfinite(values).all(), layer


def test_numbers_of_another_scale_are_refused(cache, tmp_path):
    y = noise(SR)
    with pytest.raises(ValueError, match=r"int16 numbers.*y / 32768"):
        embed_audio((y * 32767).astype(np.int16), SR, "moments")
    with pytest.raises(ValueError, match="another scale"):
        embed_audio(y * 32768, SR, "moments")
    soundfile.write(tmp_path / "loud.wav", y * 32768, SR, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"loud: a sample is .* another scale"):
        embed_tracks({"loud": tmp_path / "loud.wav"}, "moments", cache=cache, progress=False)


def test_a_missing_sample_is_located():
    y = noise(SR)
    y[SR // 2] = np.nan
    with pytest.raises(ValueError, match=r"1 of \d+ samples are NaN .*, the first at 0\.5"):
        embed_audio(y, SR, "moments")


def test_a_batch_that_did_not_fit_is_not_tried_again(monkeypatch):
    sizes = []
    original = Moments.forward

    def limited(self, network, batch, n_valid):
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return original(self, network, batch, n_valid)

    monkeypatch.setattr(Moments, "forward", limited)
    with pytest.warns(RuntimeWarning, match="out of memory"):
        list(run([ArraySource(noise(SR * 60), SR)], [Model(Moments(), None)]))
    assert sizes[:3] == [8, 4, 2]
    assert set(sizes[3:]) == {2}


def test_out_of_memory_halves_the_batch_and_goes_on(cache, monkeypatch):
    tracks = {f"t{i}": (noise(SR * 4, i), SR) for i in range(4)}
    expected = embed_tracks(tracks, "moments", cache=cache, progress=False)
    original = Moments.forward

    def limited(self, network, batch, n_valid):
        if len(batch) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return original(self, network, batch, n_valid)

    monkeypatch.setattr(Moments, "forward", limited)
    forget_models()
    other = ArrayCache(cache.folder.parent / "other")
    with pytest.warns(
        RuntimeWarning, match="out of memory with 8 windows at once; going on with 4"
    ):
        ours = embed_tracks(tracks, "moments", cache=other, progress=False)
    np.testing.assert_array_equal(ours.layer("frames"), expected.layer("frames"))

    def hopeless(self, network, batch, n_valid):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(Moments, "forward", hopeless)
    model = Model(Moments(), None)
    with pytest.raises(torch.OutOfMemoryError):
        forward_windows(model, np.zeros((1, SR), np.float32), np.array([SR]))


def test_other_runtime_errors_are_not_swallowed(monkeypatch):
    def broken(self, network, batch, n_valid):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Moments, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        embed_audio(noise(SR), SR, "moments")


def test_reading_stops_when_nobody_listens(monkeypatch):
    sources = (ArraySource(noise(SR * 200), SR) for _ in range(5))
    reading = read_windows(sources, [Model(Moments(), None)])
    next(reading)
    before = [t for t in threading.enumerate() if isinstance(t, TrackReader)]
    assert before
    reading.close()
    for thread in before:
        thread.join(5)
        assert not thread.is_alive()


def test_devices_are_named(monkeypatch):
    assert choose_device("cpu") == "cpu"
    monkeypatch.setenv("GROOVE_DEVICE", "cpu")
    assert choose_device() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == "cpu"
    with pytest.raises(ValueError, match="device 'cuda' is not there; this machine has cpu"):
        choose_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"


def capable(monkeypatch, **units):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, **units})


def test_half_precision_is_used_where_the_processor_has_it(monkeypatch):
    capable(monkeypatch, avx512_bf16=True)
    assert choose_autocast(True, "cpu")
    assert not choose_autocast(False, "cpu")
    capable(monkeypatch, avx512_bf16=False)
    with pytest.warns(RuntimeWarning, match="no units for bfloat16; computing in float32"):
        assert not choose_autocast(True, "cpu")


@pytest.mark.parametrize("model", ["mtt-musicnn", "mtt-vgg", "basic-pitch"])
def test_half_precision_leaves_the_taggers_and_onnx_alone(model, cache, monkeypatch):
    capable(monkeypatch, amx_bf16=True)
    tracks = {"t": (noise(SR * 4), SR)}
    exact = embed_tracks(tracks, model, cache=cache, progress=False)
    half = embed_tracks(tracks, model, cache=cache, autocast=True, progress=False)
    for layer, values in exact.layers.items():
        assert values.tobytes() == half.layer(layer).tobytes()
    assert len(cache) == 2


# ------------------------------------------------------------------------------------ the gate


class Linear(Moments):
    """A small network whose weights and buffers can be tampered with."""

    version = "linear"
    layers = {"out": 3}  # noqa: RUF012
    spoil = staticmethod(lambda network: None)

    def load(self):
        network = torch.nn.Sequential(torch.nn.Linear(100, 3), torch.nn.Dropout(0.5))
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.uniform_(-1, 1, generator=generator)
        network.register_buffer("scale", torch.ones(3), persistent=False)
        network.eval()
        self.spoil(network)
        return network

    def forward(self, network, batch, n_valid):
        return {"out": network(batch.unfold(1, 100, 100)) * network.scale}


@pytest.fixture
def registry(tmp_path):
    network = Linear().load()
    model = Model(Linear(), network, fingerprint(network))
    path = tmp_path / "registry.json"
    path.write_text(json.dumps({"linear": model_record(model)}))
    return path


def pass_gate(registry, spoil=lambda network: None, forward=None):
    adapter = Linear()
    network = adapter.load()
    spoil(network)
    if forward is not None:
        adapter.forward = forward.__get__(adapter)
    check_model(Model(adapter, network, fingerprint(network)), "linear", registry=registry)


def test_the_right_model_passes(registry):
    pass_gate(registry)


def test_random_weights_are_refused(registry):
    with pytest.raises(ModelRefusedError, match="the registry has"):
        pass_gate(registry, lambda network: torch.nn.init.normal_(network[0].weight))


def test_one_weight_of_three_hundred_is_enough(registry):
    def spoil(network):
        network[0].weight.data[1, 17] += 1e-6

    with pytest.raises(ModelRefusedError, match="fingerprint"):
        pass_gate(registry, spoil)


def test_uninitialised_buffer_is_refused(registry):
    with pytest.raises(ModelRefusedError, match="uninitialised buffer"):
        pass_gate(registry, lambda network: network.scale.fill_(1e-38))


def test_a_reader_s_own_model_is_told_about_versions(registry):
    with pytest.raises(ModelRefusedError, match="If you have changed it, give its class another"):
        pass_gate(registry, lambda network: torch.nn.init.normal_(network[0].weight))


def test_random_crop_is_refused(registry):
    def cropping(self, network, batch, n_valid):
        start = int(np.random.default_rng().integers(1, 8000))
        return Linear.forward(self, network, batch[:, start : start + 8000], n_valid)

    with pytest.raises(ModelRefusedError, match="Two passes over the same signal"):
        pass_gate(registry, forward=cropping)


def test_dropout_that_was_left_on_is_refused(registry):
    with pytest.raises(ModelRefusedError, match="dropout"):
        pass_gate(registry, lambda network: network.train())


def test_other_preprocessing_is_refused(registry):
    def louder(self, network, batch, n_valid):
        return Linear.forward(self, network, batch * 2, n_valid)

    with pytest.raises(ModelRefusedError, match="weights are those recorded, but layer out"):
        pass_gate(registry, forward=louder)


def test_what_is_not_finite_is_refused(registry):
    def spoil(network):
        network.scale.fill_(torch.inf)

    with pytest.raises(ModelRefusedError, match="not finite"):
        pass_gate(registry, spoil)


def test_first_use_is_recorded_and_held_to(tmp_path):
    none = tmp_path / "none.json"
    pass_gate(none)
    pass_gate(none)
    with pytest.raises(ModelRefusedError, match="first use on this machine"):
        pass_gate(none, lambda network: torch.nn.init.normal_(network[0].weight))
    (memory,) = (tmp_path / "default-cache" / "models").rglob("*.json")
    for damage in (
        "{ damaged",
        "{}",
        "[]",
        '{"fingerprint": 1}',
        '{"fingerprint": "", "probe": 1}',
    ):
        memory.write_text(damage)
        pass_gate(none)
        assert json.loads(memory.read_text())["key"] == "linear"


@pytest.mark.parametrize("model", ["msd-musicnn", "mtt-vgg-untrained", "basic-pitch"])
def test_models_of_the_package_are_in_the_committed_registry(model, monkeypatch):
    from groove_utils.embed.cache_keys import adapter_key
    from groove_utils.embed.models.musicnn import networks

    assert adapter_key(model, load_model(model).adapter) in json.loads(REGISTRY.read_text())
    if model == "msd-musicnn":
        forget_models()
        original = networks.read_checkpoint
        monkeypatch.setattr(
            networks,
            "read_checkpoint",
            lambda path, shapes: {k: v + 1 for k, v in original(path, shapes).items()},
        )
        with pytest.raises(ModelRefusedError, match="the registry has"):
            load_model(model)


def test_probe_has_no_silent_or_repeated_second():
    y = probe_signal(7 * SR, SR)
    assert np.abs(y).max() < 1
    seconds = y.reshape(7, SR)
    assert (seconds.std(1) > 0.02).all()
    assert np.abs(np.corrcoef(seconds) - np.eye(7)).max() < 0.9


# ------------------------------------------------------------------------- interruption, workers

RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from test_embed_engine import SR, Slow, noise
from groove_utils.cache import ArrayCache
from groove_utils.embed import embed_tracks, register_model
register_model("slow", Slow)
tracks = {f"t{i}": (noise(SR * 3, i), SR) for i in range(40)}
embedding = embed_tracks(tracks, "slow", cache=ArrayCache(sys.argv[2]), progress=False)
np.save(sys.argv[3], embedding.layer("frames"))
"""


def run_slow(cache, out, **options):
    command = [sys.executable, "-c", RUN, os.path.dirname(__file__), str(cache), str(out)]
    return subprocess.Popen(command, **options)


def test_killed_extraction_resumes_with_what_was_done(tmp_path, monkeypatch):
    monkeypatch.setenv("GROOVE_COUNT", str(tmp_path / "count"))
    store = ArrayCache(tmp_path / "killed")
    process = run_slow(tmp_path / "killed", tmp_path / "a.npy")
    while len(store) < 8:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    n_done = len(store)
    assert 8 <= n_done < 40
    (tmp_path / "count").unlink()
    assert run_slow(tmp_path / "killed", tmp_path / "a.npy").wait() == 0
    n_batches = len((tmp_path / "count").read_text().split())
    assert n_batches <= -(-3 * (40 - n_done) // 8) + 2  # the probe's two
    monkeypatch.delenv("GROOVE_COUNT")
    assert run_slow(tmp_path / "whole", tmp_path / "b.npy").wait() == 0
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


def test_two_processes_share_the_cache(tmp_path):
    both = [run_slow(tmp_path / "shared", tmp_path / f"{i}.npy") for i in (1, 2)]
    assert [process.wait() for process in both] == [0, 0]
    assert (tmp_path / "1.npy").read_bytes() == (tmp_path / "2.npy").read_bytes()
    assert len(ArrayCache(tmp_path / "shared")) == 40


def tracks_for_workers():
    return {f"t{i}": (noise(SR * 3, i), SR) for i in range(40)}


@pytest.fixture
def importable(monkeypatch):
    """Workers are other processes: they need to import this module."""
    paths = [os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))


def test_joblib_gives_the_same(cache, tmp_path, importable):
    here = embed_tracks(tracks_for_workers(), "moments", cache=cache, progress=False)
    there = embed_tracks(
        tracks_for_workers(),
        "moments",
        cache=ArrayCache(tmp_path / "there"),
        executor="joblib:2",
        progress=False,
    )
    assert here.layer("frames").tobytes() == there.layer("frames").tobytes()


def test_cluster_survives_the_death_of_a_worker(cache, tmp_path, importable, monkeypatch):
    from distributed import Client, LocalCluster

    here = embed_tracks(tracks_for_workers(), "slow", cache=cache, progress=False)
    store = ArrayCache(tmp_path / "there")
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        with Client(cluster) as client:
            pids = client.run(os.getpid)
        assert len(set(pids.values())) == 2

        def kill_one():
            while len(store) < 4:
                time.sleep(0.02)
            os.kill(next(iter(pids.values())), signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        monkeypatch.setenv("EXECUTOR", address)
        there = embed_tracks(tracks_for_workers(), "slow", cache=store, progress=False)
        killer.join(10)
    assert not killer.is_alive()
    assert len(store) == 40
    assert here.layer("frames").tobytes() == there.layer("frames").tobytes()


def test_a_cluster_without_workers_is_named():
    from distributed import LocalCluster

    told = pytest.warns(RuntimeWarning, match="has no workers yet; waiting")
    empty = LocalCluster(n_workers=0, dashboard_address=None, protocol="tcp://")
    with empty as cluster, told, executors.open_pool(cluster.scheduler_address):
        pass


def test_a_model_from_a_plain_file_is_sent_to_workers_that_lack_it(tmp_path, monkeypatch):
    import cloudpickle

    (tmp_path / "beside.py").write_text(
        "SCALE = 3\n"
        "def half(x):\n"
        "    return x / 2\n"
        "class Own:\n"
        "    def value(self):\n"
        "        return half(SCALE)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    beside = importlib.import_module("beside")
    with executors.pickled_by_value([beside.Own, Tagger, np.ndarray]):
        sent = cloudpickle.dumps(beside.Own)
    assert b"beside" in cloudpickle.dumps(beside.Own)  # by its name, as before
    code = "import sys, pickle; print(pickle.load(sys.stdin.buffer)().value())"
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, input=sent, capture_output=True, check=True, cwd=tmp_path.parent)
    assert out.stdout.decode().strip() == "1.5"
    assert not cloudpickle.list_registry_pickle_by_value()


def test_errors_come_back_from_workers(tmp_path, importable):
    (tmp_path / "text.wav").write_text("no audio")
    tracks = {"bad": tmp_path / "text.wav", "good": (noise(SR), SR)}
    with pytest.raises(AudioError, match=r"1 track cannot.*\n.*bad: .*text\.wav"):
        embed_tracks(
            tracks,
            "moments",
            cache=ArrayCache(tmp_path / "there"),
            executor="joblib:2",
            progress=False,
        )


@pytest.mark.parametrize("executor", ["dask:host", "slurm://x:1", "joblib"])
def test_malformed_executors_are_explained(executor, cache):
    with pytest.raises(ValueError, match=r"expected dask://HOST:PORT.*or joblib:N"):
        embed_tracks({"a": (noise(SR), SR)}, "moments", cache=cache, executor=executor)


def test_an_absent_scheduler_is_explained(cache, monkeypatch):
    import distributed

    def refuse(*args, **options):
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answers at localhost:1.*Start"):
        embed_tracks({"a": (noise(SR), SR)}, "moments", cache=cache, executor="dask://localhost:1")


# ---------------------------------------------------------------------------------------- memory

MEMORY = """
import sys
from groove_utils.cache import ArrayCache
from groove_utils.embed import embed_tracks
embed_tracks({"x": sys.argv[1]}, sys.argv[2], cache=ArrayCache(sys.argv[3]), progress=False)
from groove_utils.embed.benchmark import peak_memory
print(round(peak_memory()))
"""


@pytest.mark.slow
def test_ten_minutes_need_no_more_memory_than_one(tmp_path):
    """The hour itself is in the benchmark."""
    peaks = []
    for minutes in (1, 10):
        path = tmp_path / f"{minutes}.wav"
        with soundfile.SoundFile(path, "w", 44100, 2, subtype="PCM_16") as file:
            for i in range(minutes):
                file.write(np.stack([noise(60 * 44100, i)] * 2, 1))
        command = [sys.executable, "-c", MEMORY, path, "mtt-vgg-untrained", tmp_path / "cache"]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True).stdout))
    assert peaks[1] - peaks[0] < 120  # MiB; ten minutes are 100 MiB as float32 at 44.1 kHz
