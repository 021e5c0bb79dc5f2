"""The heads of the grid: the ancestor's counts, views, and a checkpoint that predicts by itself."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from shared.partitions import countries_partition
from shared.training.augment import Augmentation
from shared.training.batches import Split
from shared.training.checkpoint import Checkpoint
from shared.training.features import FrozenBackbone, embed, weights_digest
from shared.training.fit import fit
from shared.training.grid_net import (
    SIZES,
    GridHead,
    GridNet,
    GridNetwork,
    feature_logits,
    trainable_parameters,
)
from shared.training.images import Preprocessing
from shared.training.objectives import Classification
from shared.training.settings import FitSettings
from shared.training.writer import Task
from tests.training.conftest import CODES, HEIGHT, WIDTH, make_split

RESNET50_ON_600_X_300 = (2048, 10, 19)  # see test_features
OFF = Augmentation(False, False, False)


# The published counts: 75,463, 1,473,331, 6,878,707 and 13,357,555 for 243 cells.
@pytest.mark.parametrize(
    ("size", "count"),
    [("75k", 75_463), ("1.5M", 1_473_331), ("6.9M", 6_878_707), ("13.4M", 13_357_555)],
)
def test_heads_have_the_ancestors_trainable_parameters(size: str, count: int) -> None:
    head = GridNet(RESNET50_ON_600_X_300, 243, GridHead(size))
    assert trainable_parameters(head) == count == SIZES[size][2]
    assert (
        trainable_parameters(GridNet(RESNET50_ON_600_X_300, 243, GridHead(size, "mean"))) == count
    )


def test_only_the_head_of_the_whole_network_is_trained() -> None:
    backbone = FrozenBackbone.named("resnet50", "none", "map")
    network = GridNetwork(backbone, backbone.shape(300, 600), GridHead("1.5M"))
    whole = network.whole(network.build(243))
    assert trainable_parameters(whole) == 1_473_331
    frozen = sum(p.numel() for p in whole.parameters()) - 1_473_331
    # 25,557,032 of ResNet-50 less its last layer of 2,048 x 1,000 weights and 1,000 biases.
    assert frozen == 25_557_032 - 2_049_000


def test_the_layers_are_those_of_the_report() -> None:
    head = GridNet(RESNET50_ON_600_X_300, 243, GridHead("6.9M")).eval()
    shapes = []
    for layer in head.encoder:
        layer.register_forward_hook(lambda _, __, found: shapes.append(tuple(found.shape[1:])))
    assert head(torch.rand(2, *RESNET50_ON_600_X_300)).shape == (2, 243)
    assert list(dict.fromkeys(shapes)) == [(256, 8, 17), (256, 4, 8), (8192,), (256,)]


@pytest.mark.parametrize("shape", [(8, 2, 4), (8, 1, 1), (8, 3, 3)])
def test_small_maps_are_padded(shape: tuple[int, int, int]) -> None:
    assert GridNet(shape, 5, GridHead("75k")).eval()(torch.rand(2, *shape)).shape == (2, 5)


@pytest.mark.parametrize("views", ["one", "mean", "lstm", "attention"])
def test_any_number_of_views_can_be_asked_about(views: str) -> None:
    torch.manual_seed(0)
    head = GridNet((8, 4, 4), 5, GridHead("75k", views)).eval()
    features = torch.rand(2, 6, 8, 4, 4)
    features[0, 1:] = torch.nan
    outputs = head(features)
    assert outputs.isfinite().all()
    torch.testing.assert_close(outputs[:1], head(features[:1, 0]))  # one view: a photo
    same = torch.allclose(outputs[1], head(features[1:, 0])[0])
    assert same == (views == "one")


def _network(views: str) -> GridNetwork:
    torch.manual_seed(0)
    backbone = FrozenBackbone.named("resnet18", "none", "map")
    return GridNetwork(backbone, backbone.shape(HEIGHT, WIDTH), GridHead("1.5M", views, (0.0, 0.0)))


def _fit(network: GridNetwork, train: Split, validation: Split, folder: Path) -> Checkpoint:
    settings = FitSettings(
        backbone="resnet18",
        epochs=8,
        batch_size=16,
        lr=2e-3,
        augmentation=OFF,
        accelerator="cpu",
        threads=1,
    )
    partition = countries_partition(CODES)
    lists = {"5-split-train": "0" * 32}
    size = Preprocessing(WIDTH, HEIGHT)
    task = Task("grid", Classification(3), partition, size, lists, {}, network)
    return Checkpoint.load(fit(task, train, validation, settings, folder).best)


def test_a_head_is_trained_on_features_and_predicts_photos_by_itself(tmp_path: Path) -> None:
    photos = make_split(48, 0)
    network = _network("one")
    features = embed(network.backbone, photos.images)
    split = Split(features, photos.targets)
    found = _fit(network, split, split, tmp_path)
    probabilities = found.predict(photos.images)
    assert (probabilities.argmax(axis=1) == photos.targets.numpy()).mean() > 0.8
    from_features = feature_logits(found.model, features, np.arange(48))
    np.testing.assert_allclose(found.logits(photos.images), from_features, rtol=1e-3, atol=1e-3)
    assert found.config["network"]["backbone_digest"] == weights_digest(network.backbone)
    assert found.temperature != 1.0


def test_views_of_a_place_are_trained_together(tmp_path: Path) -> None:
    photos = make_split(48, 0)  # three countries in turn
    rows = np.stack([np.arange(24), np.arange(24) + 24], axis=1)
    rows[::2, 1] = -1
    network = _network("lstm")
    features = embed(network.backbone, photos.images)
    places = Split(features, photos.targets[:24], rows)
    found = _fit(network, places, places, tmp_path)
    logits = feature_logits(found.model, features, rows)
    assert (logits.argmax(axis=1) == photos.targets[:24].numpy()).mean() > 0.8


def test_features_cannot_be_augmented(tmp_path: Path) -> None:
    network = _network("one")
    split = Split(np.zeros((4, 512, 2, 2), dtype=np.float32), torch.arange(4) % 3)
    task = Task("grid", Classification(3), None, Preprocessing(64, 36), {}, {}, network)
    with pytest.raises(ValueError, match="no augmentation"):
        fit(task, split, split, FitSettings(epochs=1), tmp_path)


def test_an_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="a size out of"):
        GridHead("7M")


def test_a_network_without_a_frozen_backbone_has_no_feature_logits() -> None:
    with pytest.raises(TypeError, match="frozen backbone"):
        feature_logits(nn.Linear(1, 1), np.zeros((1, 1), np.float32), np.arange(1))
