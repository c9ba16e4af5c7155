"""Counting floating-point operations."""

from __future__ import annotations

import torch

from zerosum.bench._flops import flops


def test_a_product_and_the_gradient_of_its_gradient_are_counted() -> None:
    a, b = torch.randn(3, 5), torch.randn(5, 7, requires_grad=True)
    assert flops(lambda: a @ b) == 2 * 3 * 5 * 7
    assert flops(lambda: a @ b, times=2) == 2 * 2 * 3 * 5 * 7
    x = torch.randn(3, 5, requires_grad=True)

    def penalty() -> None:
        (gradient,) = torch.autograd.grad((x @ b).sum(), x, create_graph=True)
        gradient.square().sum().backward()

    assert flops(penalty) == 3 * 2 * 3 * 5 * 7  # there, to x, and from that to b
