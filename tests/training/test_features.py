"""Frozen features: what they are, that they are computed once, and that they know their weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from shared.training import features as code
from shared.training.backbones import IMAGENET, Normalisation, build_backbone
from shared.training.features import (
    FrozenBackbone,
    cached_features,
    embed,
    features_path,
    weights_digest,
)
from shared.training.images import Bytes, Preprocessing

SIZE = Preprocessing(48, 32)


def photos(n: int = 5) -> Bytes:
    return np.random.default_rng(0).integers(0, 256, (n, 32, 48, 3), dtype=np.uint8)


class Mean(nn.Module):
    """The mean colour, times a weight; counts the images that it saw."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))
        self.seen = 0

    def forward(self, pixels: Tensor) -> Tensor:
        self.seen += len(pixels)
        return self.weight * pixels.mean(dim=(2, 3))


def test_features_are_what_torchvisions_own_layers_give() -> None:
    torch.manual_seed(0)
    state = resnet18(weights=None).state_dict()
    model = build_backbone("resnet18", 1000)
    model.load_state_dict(state)
    frozen = FrozenBackbone("resnet18", model, Normalisation(*IMAGENET))
    reference = resnet18(weights=None)
    reference.load_state_dict(state)
    reference.fc = nn.Identity()
    mean, std = np.array(IMAGENET[0]), np.array(IMAGENET[1])
    pixels = (photos() / 255 - mean) / std
    with torch.inference_mode():
        wanted = reference.eval()(torch.from_numpy(pixels).permute(0, 3, 1, 2).float()).numpy()
    np.testing.assert_allclose(embed(frozen, photos(), batch_size=2), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "mobilenet_v3_small"])
def test_the_pooled_map_is_the_vector(name: str) -> None:
    torch.manual_seed(0)
    state = build_backbone(name, 1).state_dict()

    def frozen(kind: str) -> FrozenBackbone:
        model = build_backbone(name, 1)
        model.load_state_dict(state)
        return FrozenBackbone(name, model, Normalisation.of("half"), kind)

    maps, vectors = embed(frozen("map"), photos()), embed(frozen("vector"), photos())
    assert maps.shape[1:] == frozen("map").shape(32, 48)
    if name != "mobilenet_v3_small":  # that one has a layer between its pooling and its head
        np.testing.assert_allclose(maps.mean(axis=(2, 3)), vectors, rtol=1e-4, atol=1e-5)


def test_resnet50_sees_a_600_by_300_photo_as_19_by_10_places_of_2048_numbers() -> None:
    assert FrozenBackbone.named("resnet50", "none", "map").shape(300, 600) == (2048, 10, 19)


def test_a_frozen_backbone_learns_nothing_and_keeps_its_statistics() -> None:
    frozen = FrozenBackbone.named("resnet18", "none")
    before = weights_digest(frozen)
    frozen.train()(torch.rand(4, 3, 32, 32))
    assert weights_digest(frozen) == before
    assert not any(parameter.requires_grad for parameter in frozen.parameters())


def test_features_are_computed_once(tmp_path: Path) -> None:
    model, images = Mean(), photos()
    first = cached_features(model, images, "list", SIZE, tmp_path, name="mean")
    again = cached_features(model, images, "list", SIZE, tmp_path, name="mean")
    np.testing.assert_allclose(first, images.mean(axis=(1, 2)) / 255, rtol=1e-5)
    np.testing.assert_array_equal(first, again)
    assert model.seen == len(images)


def test_another_list_size_weight_or_normalisation_is_another_file(tmp_path: Path) -> None:
    half, imagenet = (
        FrozenBackbone("net", nn.Sequential(nn.Linear(1, 1)), Normalisation.of(name))
        for name in ("half", "imagenet")
    )
    imagenet.load_state_dict({**imagenet.state_dict(), **dict(half.body.named_parameters("body"))})
    paths = {
        features_path(Mean(1.0), "list", SIZE, tmp_path, "mean"),
        features_path(Mean(2.0), "list", SIZE, tmp_path, "mean"),
        features_path(Mean(1.0), "other", SIZE, tmp_path, "mean"),
        features_path(Mean(1.0), "list", Preprocessing(48, 33), tmp_path, "mean"),
        features_path(half, "list", SIZE, tmp_path),
        features_path(imagenet, "list", SIZE, tmp_path),
    }
    assert len(paths) == 6


def test_a_killed_run_goes_on_with_the_next_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code, "SHARD_IMAGES", 2)

    class Dies(Mean):
        def forward(self, pixels: Tensor) -> Tensor:
            if self.seen >= 4:
                raise KeyboardInterrupt
            return super().forward(pixels)

    with pytest.raises(KeyboardInterrupt):
        cached_features(Dies(), photos(), "list", SIZE, tmp_path, name="mean")
    second = Mean()
    found = cached_features(second, photos(), "list", SIZE, tmp_path, name="mean")
    assert second.seen == 1
    np.testing.assert_allclose(found, photos().mean(axis=(1, 2)) / 255, rtol=1e-5)
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


def test_cached_features_are_opened_without_reading_them(tmp_path: Path) -> None:
    cached_features(Mean(), photos(), "list", SIZE, tmp_path, name="mean")
    found = cached_features(Mean(), photos(), "list", SIZE, tmp_path, name="mean")
    assert isinstance(found, np.memmap)
    assert not found.flags.writeable


def test_features_of_other_images_are_refused(tmp_path: Path) -> None:
    cached_features(Mean(), photos(5), "list", SIZE, tmp_path, name="mean")
    with pytest.raises(ValueError, match="features of 6 images"):
        cached_features(Mean(), photos(6), "list", SIZE, tmp_path, name="mean")


def test_a_model_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a name for the features of Mean"):
        features_path(Mean(), "list", SIZE, tmp_path)


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, H, W, 3\)"):
        embed(Mean(), np.zeros((2, 3, 4), dtype=np.uint8))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="kind of features"):
        FrozenBackbone("x", nn.Linear(1, 1), Normalisation.of("half"), "tokens")
