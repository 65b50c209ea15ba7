import pytest
import torch
from torch import nn
from torchinfo import summary

from groove_utils.networks import (
    MODULES,
    build_module,
    count_multiply_adds,
    count_parameters,
    receptive_field,
)

SHAPE = (24, 12)


@pytest.mark.parametrize("name", MODULES)
def test_parameters_equal_torchinfo(name):
    network = build_module(name, SHAPE, 4)
    assert count_parameters(network) == summary(network, (1, *SHAPE), verbose=0).trainable_params


@pytest.mark.parametrize("name", ["dense", "convolution"])
def test_multiply_adds_equal_torchinfo_without_its_biases(name):
    network = build_module(name, SHAPE, 4)
    for module in network.modules():  # torchinfo counts a bias as a multiply-add
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            module.bias = None
    network.norm = nn.Identity()
    total = summary(network, (1, *SHAPE), verbose=0).total_mult_adds
    assert count_multiply_adds(network, SHAPE) == total


def test_multiply_adds_of_a_gru_by_hand():
    network = build_module("recurrent", SHAPE, 4, width=8)
    gates = 3 * 8 * (24 + 8) * 12  # three gates, for input and state, in every frame
    assert count_multiply_adds(network, SHAPE) == gates + 8 * 4


@pytest.mark.parametrize(
    ("kernels", "strides", "dilations"),
    [
        ([3, 3, 3], [1, 1, 1], [1, 1, 1]),
        ([5, 2, 3, 2], [1, 2, 1, 2], [1] * 4),
        ([3, 3], [1, 1], [1, 4]),
    ],
)
def test_receptive_field_equals_what_a_gradient_reaches(kernels, strides, dilations):
    layers = [
        nn.Conv1d(1, 1, k, stride=s, dilation=d)
        for k, s, d in zip(kernels, strides, dilations, strict=True)
    ]
    for layer in layers:
        nn.init.ones_(layer.weight)
    x = torch.zeros(1, 1, 80, requires_grad=True)
    nn.Sequential(*layers)(x)[0, 0, 1].backward()
    reached = torch.nonzero(x.grad[0, 0])
    extent = int(reached.max() - reached.min()) + 1
    assert receptive_field(kernels, strides, dilations) == extent
