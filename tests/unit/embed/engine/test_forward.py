import numpy as np
import pytest
import torch
from expect import raises
from hypothesis import given
from hypothesis import strategies as st
from toy_models import SR, Frames, Prepared, noise, noises

from groove_utils.audio.streams import ArraySource
from groove_utils.embed import ModelRefusedError, embed_audio, embed_tracks
from groove_utils.embed.engine import Model, embed_windows, forward_windows, run


@given(st.integers(8, 500_000), st.floats(0, 1))
def test_a_bucket_holds_its_windows_and_is_its_own(length, share):
    adapter = Prepared()
    adapter.sample_rate, adapter.window = 1, length
    model, n = Model(adapter, None), max(1, round(share * length))
    assert n <= model.bucket(n) <= min(length, n + length / 8)
    assert model.bucket(model.bucket(n)) == model.bucket(n)


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (lambda batch: batch[:, None], "not_a_dict"),
        (lambda batch: {"other": batch[:, :3]}, "other_layers"),
        (lambda batch: {"out": batch[:, :4]}, "other_shape"),
        (lambda batch: {"out": batch[:, 0]}, "other_shape"),
        (lambda batch: {"out": batch[:, :6].reshape(16, 3)}, "other_shape"),
        (lambda batch: {"out": batch[:1, :3]}, "other_shape"),
        (lambda batch: {"out": batch[:, :0, None].expand(8, 0, 3)}, "other_shape"),
    ],
)
def test_output_must_be_what_the_adapter_declares(output, kind):
    class Odd(Frames):
        layers = {"out": 3}  # noqa: RUF012

        def forward(self, network, batch, n_valid):
            return output(batch)

    with raises(ModelRefusedError, kind):
        forward_windows(Model(Odd(), None), np.zeros((8, SR), np.float32), np.full(8, SR))


def test_infinite_frames_are_refused():
    class Overflow(Frames):
        def layers_of(self, frames, n_valid):
            layers = super().layers_of(frames, n_valid)
            return layers | {"frames": torch.where(frames[..., :2] > 5, torch.inf, 0.0)}

    y = noise(3 * SR)
    y[SR] = 6
    ((*_, error),) = run([ArraySource(y, SR)], [Model(Overflow(), None)])
    assert (error.kind, error.column) == ("not_finite", "frames")


def test_frames_that_are_all_missing_are_refused():
    class Missing(Frames):
        layers = {"out": 2}  # noqa: RUF012

        def forward(self, network, batch, n_valid):
            return {"out": torch.full((len(batch), 5, 2), torch.nan)}

    model = Model(Missing(), None)
    mean, _ = forward_windows(model, np.zeros((1, SR), np.float32), np.array([SR]))["out"]
    assert np.isnan(mean).all()
    (*_, error), *_ = run([ArraySource(noise(SR), SR)], [model])
    assert (error.kind, error.column) == ("not_finite", "out")


@pytest.mark.parametrize("model", ["msd-musicnn", "mtt-vgg"])
def test_sound_far_above_full_scale_stays_finite(model):
    for layer, values in embed_audio(40 * noise(SR * 4), SR, model).items():
        assert np.isfinite(values).all(), layer


def limited(kind, most, sizes):
    """Return a class of model that runs out of memory for more than `most` windows."""

    class Limited(kind):
        def forward(self, network, batch, n_valid):
            sizes.append(len(batch))
            if len(batch) > most:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return super().forward(network, batch, n_valid)

    return Limited


def test_out_of_memory_halves_the_batch_and_goes_on(cache, register):
    tracks = noises(4, 4)
    expected = embed_tracks(tracks, register(Frames), cache=cache, progress=False)
    sizes: list[int] = []
    name = register(limited(Frames, 3, sizes), "limited")
    with pytest.warns(RuntimeWarning, match="out of memory"):
        ours = embed_tracks(tracks, name, cache=cache, progress=False)
    np.testing.assert_array_equal(ours.layer("frames"), expected.layer("frames"))
    n_probe = 2
    assert sizes[n_probe:][:3] == [8, 4, 2]  # and larger ones are not tried again
    assert set(sizes[n_probe + 3 :]) == {2}


def test_one_window_that_does_not_fit_is_an_error():
    model = Model(limited(Frames, 0, [])(), None)
    with pytest.raises(torch.OutOfMemoryError):
        forward_windows(model, np.zeros((1, SR), np.float32), np.array([SR]))


@pytest.mark.parametrize("concurrent", [False, True])
def test_other_errors_of_a_model_come_back(concurrent):
    class Broken(Frames):
        def forward(self, network, batch, n_valid):
            raise RuntimeError("shapes do not match")

    Broken.concurrent = concurrent
    with pytest.raises(RuntimeError, match="shapes"):
        embed_windows(ArraySource(noise(SR * 30), SR), Model(Broken(), None))


@pytest.mark.parametrize("model", ["mtt-vgg", "basic-pitch"])
def test_half_precision_leaves_the_taggers_and_onnx_alone(model, cache, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    tracks = noises(1, 4)
    exact = embed_tracks(tracks, model, cache=cache, progress=False)
    half = embed_tracks(tracks, model, cache=cache, autocast=True, progress=False)
    for layer, values in exact.layers.items():
        assert values.tobytes() == half.layer(layer).tobytes()
    assert len(cache) == 2
