import numpy as np
import pytest
import torch
import torchinfo
from expect import raises
from transformers import ResNetConfig, ResNetModel

from groove_utils.cache import ArrayCache
from groove_utils.errors import DetailedError
from groove_utils.genre import NETWORKS, build_network, network_sizes, resnet18_parallel
from groove_utils.genre.architectures import AttentionPooling, ResidualTrunk, ViridisPicture
from groove_utils.networks import count_multiply_adds, count_parameters, size

SHAPE = {"n_mels": 48, "n_frames": 94}
X = torch.from_numpy(np.random.default_rng(0).normal(-40, 12, (3, 48, 94)).astype(np.float32))


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_gradients_and_size(name):
    network = build_network(name, 8, **SHAPE)
    network.scale_by(X.numpy())
    x = X.clone().requires_grad_()
    logits = network.train()(x)
    logits.sum().backward()
    assert logits.shape == (3, 8)
    assert network.embed(X).shape == (3, network.output.in_features)
    assert (x.grad.abs().amax(dim=(1, 2)) > 0).all()
    assert all(p.grad is not None for p in network.parameters())
    assert count_parameters(network) == pytest.approx(200_000, rel=0.1)
    info = torchinfo.summary(network, (1, 48, 94), verbose=0)
    assert info.total_params == count_parameters(network)


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_linear_in_the_embedding(name):
    network = build_network(name, 8, **SHAPE).eval()
    expected = network.embed(X) @ network.output.weight.T + network.output.bias
    torch.testing.assert_close(network(X), expected)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_draws_the_weights(name):
    first, same, other = (build_network(name, 8, **SHAPE, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first.output.weight, same.output.weight)
    assert not torch.equal(first.output.weight, other.output.weight)


@pytest.mark.parametrize("name", ["resnet", "bigru", "resnet-bigru", "crnn"])
def test_networks_without_positions_take_any_length(name):
    network = build_network(name, 8, **SHAPE).eval()
    assert network(torch.zeros(2, 48, 188)).shape == (2, 8)


def test_multiply_adds_of_a_transformer_hold_its_layers():
    layer = torch.nn.TransformerEncoderLayer(72, 4, 288, batch_first=True)
    # per token: four projections and two layers of the width times four; and the attention
    expected = 33 * (4 * 72**2 + 2 * 4 * 72**2) + 2 * 33 * 33 * 72
    assert count_multiply_adds(layer, (33, 72)) == expected


def test_sizes_are_counted_once_and_again_for_another_network(tmp_path, monkeypatch):
    cache = ArrayCache(tmp_path)
    names = ["mel-cnn", "resnet"]
    sizes = network_sizes(names, 8, **SHAPE, cache=cache)
    built = [build_network(name, 8, **SHAPE) for name in names]
    assert sizes["parameters"].tolist() == [count_parameters(network) for network in built]
    products = [count_multiply_adds(network, (48, 94)) / 1e6 for network in built]
    assert sizes["million multiply-adds"].tolist() == products
    monkeypatch.setattr(size, "count_multiply_adds", None)
    assert network_sizes(names, 8, **SHAPE, cache=cache).equals(sizes)
    with pytest.raises(TypeError):
        network_sizes(names, 9, **SHAPE, cache=cache)


def test_our_resnet18_is_resnet18():
    trunk = ResidualTrunk(3, (64, 128, 256, 512), (1, 2, 2, 2), depth=2, kernel=7, pool=True)
    config = ResNetConfig(
        embedding_size=64, hidden_sizes=[64, 128, 256, 512], depths=[2, 2, 2, 2],
        layer_type="basic",
    )  # fmt: skip
    reference = ResNetModel(config)
    assert count_parameters(trunk) == count_parameters(reference) == 11_176_512
    # the same weights, in the order in which both define them, give the same maps
    weights = zip(trunk.parameters(), _in_our_order(reference), strict=True)
    with torch.no_grad():
        for ours, theirs in weights:
            ours.copy_(theirs)
    x = torch.randn(2, 3, 64, 64)
    expected = reference.eval()(x).last_hidden_state
    torch.testing.assert_close(trunk.eval()(x), expected, rtol=1e-4, atol=1e-5)


def _in_our_order(reference):
    """Return the reference's parameters, with each block's shortcut after its convolutions."""
    yield from reference.embedder.parameters()
    for stage in reference.encoder.stages:
        for block in stage.layers:
            yield from block.layer.parameters()
            yield from block.shortcut.parameters()


def test_the_published_network_has_its_size_and_reads_three_times():
    network = resnet18_parallel()
    assert count_parameters(network) == 12_873_290
    picture = torch.arange(224.0).expand(1, 3, 224, 224).clone()  # each pixel holds its column
    sequence = network.sequence(picture)
    assert sequence.shape == (1, 224, 672)
    first = sequence[0, :, 0]  # the frame that each step starts with
    # the clip has passed twice before the last third begins
    assert (torch.diff(first) < 0).sum() == 2
    assert sorted(set(sequence[0, 0].tolist())) == [0, 1, 2]
    with torch.no_grad():
        assert network.eval()(picture / 224).shape == (1, 10)


def test_the_pooled_network_reads_one_step():
    assert build_network("resnet-bigru-pooled", 8, **SHAPE).sequence(X).shape == (3, 1, 48)
    assert build_network("resnet-bigru", 8, **SHAPE).sequence(X).shape == (3, 47, 84)


def test_time_order_matters_to_a_gru_and_not_to_a_pooled_network():
    turned = X.flip(2)
    serial = build_network("resnet-bigru", 8, **SHAPE).eval()
    assert not torch.allclose(serial(X), serial(turned), atol=1e-4)


def test_viridis_inside_a_network_is_matplotlibs():
    from matplotlib import colormaps

    level = torch.linspace(-80, 0, 256).reshape(1, 16, 16)
    colours = ViridisPicture()(level)[0].permute(1, 2, 0).reshape(256, 3)
    np.testing.assert_allclose(colours, colormaps["viridis"].colors, atol=1e-5)


def test_attention_weights_add_up_to_one():
    pooling = AttentionPooling(6)
    states = torch.randn(2, 5, 6)
    torch.testing.assert_close(pooling.weights(states).sum(dim=1), torch.ones(2))
    torch.testing.assert_close(pooling(states[:, :1]), states[:, 0])


def test_what_cannot_be_built_is_refused():
    with raises(DetailedError, "unknown_choice", column="name", value="vgg"):
        build_network("vgg", 8, **SHAPE)
    with raises(DetailedError, "out_of_range", column="n_mels", value=16):
        build_network("resnet", 8, n_mels=16, n_frames=94)
