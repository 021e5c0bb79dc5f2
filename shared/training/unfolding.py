"""Batch norms whose statistics were folded into the weights, taken apart again for fine-tuning.

Weights that come from an inference format (TensorFlow Lite, ONNX) have each batch norm folded into
the convolution before it: what is left of the norm is a bias. Such a network predicts as it did,
but cannot be trained on: normalising by the batch changes what it computes, and the rates that suit
convolutions of ordinary size hardly move filters that are ten or a hundred times as large.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn


def is_folded(model: nn.Module) -> bool:
    """Whether no batch norm of the network normalises: means 0, variances and factors 1."""
    norms = [layer for layer in model.modules() if isinstance(layer, nn.BatchNorm2d)]
    return bool(norms) and all(_is_identity(norm) for norm in norms)


@torch.no_grad()
def unfold_batch_norms(model: nn.Module, images: Tensor) -> None:
    """Give the batch norms the statistics of some photos, and leave what is computed as it was.

    For each channel with mean m and variance v before its norm, filter length n, and a norm that
    so far returns g x + b: the filter is divided by n, and the norm gets the statistics m / n and
    v / n^2, the factor g sqrt(v + n^2 eps) and the bias b + g m, so that it still returns g x + b
    for every x that the filter returned before.

    Args:
        model: a network for which `is_folded` holds, of convolutions without bias, each followed
            by its norm. Changed in place.
        images: (N, 3, H, W) normalised photos; a few hundred give stable statistics.
    """
    statistics: dict[nn.Module, tuple[Tensor, Tensor]] = {}

    def note(norm: nn.Module) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], __: Tensor) -> None:
            variance, mean = torch.var_mean(inputs[0].float(), (0, 2, 3), correction=0)
            statistics[norm] = mean, variance

        return hook

    layers = [
        (convolution, norm)
        for convolution, norm in pairwise(model.modules())
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    ]
    handles = [norm.register_forward_hook(note(norm)) for _, norm in layers]
    was_training = model.training
    model.eval()(images)
    model.train(was_training)
    for handle in handles:
        handle.remove()
    for convolution, norm in layers:
        _unfold(convolution, norm, *statistics[norm])


def _is_identity(norm: nn.BatchNorm2d) -> bool:
    values = [norm.running_mean, norm.running_var, norm.weight]
    expected = [0.0, 1.0, 1.0]
    return all(
        value is not None and torch.allclose(value, torch.full_like(value, want), atol=1e-3)
        for value, want in zip(values, expected, strict=True)
    )


def _unfold(convolution: nn.Conv2d, norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    if norm.running_mean is None or norm.running_var is None:
        msg = "Expected batch norms with running statistics, but one has none"
        raise ValueError(msg)
    length = convolution.weight.flatten(1).norm(dim=1).clamp_min(1e-6)
    factor = norm.weight / (norm.running_var + norm.eps).sqrt()
    scaled_variance = variance / length**2
    norm.bias.add_(factor * (mean - norm.running_mean))
    norm.weight.copy_(factor * length * (scaled_variance + norm.eps).sqrt())
    norm.running_mean.copy_(mean / length)
    norm.running_var.copy_(scaled_variance)
    convolution.weight.div_(length[:, None, None, None])
