"""Batch norms are taken apart without changing what the network computes."""

import pytest
import torch
from torch import nn

from shared.training.backbones import build_backbone
from shared.training.unfolding import is_folded, unfold_batch_norms


def folded_network() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
        nn.Conv2d(8, 8, 3, groups=8, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU6(),
    )
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(30)
            if isinstance(layer, nn.BatchNorm2d):
                layer.bias.normal_()
    return network


def test_a_network_fresh_from_torchvision_counts_as_folded_and_a_trained_norm_does_not() -> None:
    network = folded_network()
    assert is_folded(network)
    network.train()(torch.rand(4, 3, 16, 16))
    assert not is_folded(network)


def test_a_network_without_batch_norms_is_not_folded() -> None:
    assert not is_folded(nn.Sequential(nn.Conv2d(3, 8, 3)))


def test_unfolding_leaves_what_is_computed_and_gives_norms_that_normalise() -> None:
    network, photos = folded_network(), torch.rand(64, 3, 16, 16)
    before = network.eval()(photos)
    unfold_batch_norms(network, photos)
    torch.testing.assert_close(network.eval()(photos), before, atol=1e-4, rtol=1e-4)
    # In training mode the batch's own statistics are the ones that were noted, so it still agrees.
    torch.testing.assert_close(network.train()(photos), before, atol=1e-3, rtol=1e-3)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            lengths = layer.weight.flatten(1).norm(dim=1)
            torch.testing.assert_close(lengths, torch.ones(8))


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_every_norm_of_a_torchvision_network_is_reached(name: str) -> None:
    network = build_backbone(name, 5)
    assert is_folded(network)
    unfold_batch_norms(network, torch.rand(8, 3, 64, 64))
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    assert all(norm.running_mean.abs().sum() > 0 for norm in norms if norm.running_mean is not None)
