"""Size of a network: parameters, multiply–add operations and receptive field."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["count_multiply_adds", "count_parameters", "receptive_field"]


def count_parameters(network: nn.Module) -> int:
    """Count the trainable parameters of a network.

    Examples
    --------
    >>> count_parameters(nn.Linear(48, 10))
    490
    """
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def count_multiply_adds(network: nn.Module, shape: Sequence[int]) -> int:
    """Count the multiply–add operations in the forward pass for one example.

    Only matrix products and convolutions are counted, not bias additions or pointwise functions.

    Parameters
    ----------
    network : torch.nn.Module
    shape : sequence of int
        Shape of one example, without the batch dimension.

    Examples
    --------
    >>> count_multiply_adds(nn.Linear(48, 10), (48,))
    480
    """
    training, fused = network.training, torch.backends.mha.get_fastpath_enabled()
    network.eval()
    torch.backends.mha.set_fastpath_enabled(False)  # operations in fused layers are not counted
    unfused = sdpa_kernel(SDPBackend.MATH)  # attention as explicit matrix products
    with unfused, FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    torch.backends.mha.set_fastpath_enabled(fused)
    network.train(training)
    return counter.get_total_flops() // 2  # the counter counts each multiplication and addition


def receptive_field(
    kernels: Sequence[int], strides: Sequence[int] = (), dilations: Sequence[int] = ()
) -> int:
    """Compute the receptive field, along one axis, of a stack of convolution or pooling layers.

    Parameters
    ----------
    kernels : sequence of int
        Kernel size of each layer, from input to output.
    strides, dilations : sequence of int
        Stride and dilation of each layer; 1 by default.

    Returns
    -------
    int
        Number of consecutive input positions on which one output value depends.

    References
    ----------
    Araujo, Norris & Sim (2019), "Computing receptive fields of convolutional neural networks",
    Distill.

    Examples
    --------
    Two convolutional layers with kernel size 3, with a pooling layer of size 2 between them:

    >>> receptive_field([3, 2, 3], [1, 2, 1])
    8
    """
    strides = list(strides) or [1] * len(kernels)
    dilations = list(dilations) or [1] * len(kernels)
    size, jump = 1, 1
    for kernel, stride, dilation in zip(kernels, strides, dilations, strict=True):
        size += (kernel - 1) * dilation * jump
        jump *= stride
    return size
