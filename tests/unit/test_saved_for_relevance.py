"""What a model changes in place is handed to the backward pass as it was before."""

import torch
from torch import nn

from semlens_widgets.attribution.crp import frozen


def test_no_tensor_is_taken_for_another_one_that_lay_in_its_place():
    """``relu(x)`` and then ``+=``, over and over: memory is given back and used again."""
    inputs = [torch.full((1000,), float(n), requires_grad=True) for n in range(1, 301)]
    outputs = []
    with frozen(nn.Linear(1, 1)):
        for x in inputs:
            changed = x * 1
            outputs.append(changed**2)  # keeps `changed` for its gradient
            changed += 1
            del changed
        gradients = torch.autograd.grad(outputs, inputs, [torch.ones(1000)] * len(outputs))
    for x, gradient in zip(inputs, gradients, strict=True):
        torch.testing.assert_close(gradient, 2 * x.detach())
