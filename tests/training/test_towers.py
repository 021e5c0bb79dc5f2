"""Image towers: the seam before the last block, weights, sizes, and what cannot be had offline."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from shared.training.clip_tiny import caption_tokenizer, tiny_clip
from shared.training.features import FrozenBackbone
from shared.training.tower_net import (
    CLIP,
    ImageTower,
    TowerFacts,
    clip_tower,
    copy_tower,
    make_tower,
)
from shared.training.towers import build_tower

SMALL = {"hidden": 32, "layers": 2, "text_hidden": 16, "text_layers": 1, "projection": 16}
SIZE = (64, 48)
ALL = ("tiny", "mobilenet_v3_small", "resnet18", "timm:test_vit", "timm:test_resnet")


def tower_of(name: str, readout: str = "mean") -> ImageTower:
    return build_tower(name, "none", SIZE, readout, SMALL if name == "tiny" else None)[0].eval()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("name", ALL)
def test_a_tower_is_its_tail_behind_its_stem_and_can_be_made_again(name: str) -> None:
    tower, pixels = tower_of(name), torch.rand(2, 3, 48, 64)
    at_seam = tower.stem(pixels)
    shape, width = tower.shapes(48, 64)
    assert tuple(at_seam.shape[1:]) == shape
    embedding = tower(pixels)
    assert embedding.shape == (2, width)
    torch.testing.assert_close(tower.tail(at_seam), embedding)
    assert tower.has_seam == (name != "timm:test_resnet")
    again = copy_tower(tower).eval()
    assert torch.equal(again(pixels), embedding)
    assert TowerFacts(**tower.facts.as_dict()).as_dict() == tower.facts.as_dict()


def test_a_clip_tower_gives_what_transformers_gives() -> None:
    vision = CLIPVisionModel(make_tower_config())
    vision.train(mode=False)
    pixels = torch.rand(2, 3, 48, 64)
    normalised = (pixels - 0.5) / 0.5
    theirs = vision(pixel_values=normalised, interpolate_pos_encoding=True)
    for readout in ("mean", "class"):
        tower = clip_tower(vision, TowerFacts(CLIP, "tiny", vision.config.to_dict(), readout))
        wanted = theirs.pooler_output if readout == "class" else theirs.last_hidden_state.mean(1)
        torch.testing.assert_close(tower.eval()(pixels), wanted)


def make_tower_config() -> CLIPVisionConfig:
    tower, _ = build_tower("tiny", "none", SIZE, sizes=SMALL)
    return CLIPVisionConfig(**tower.facts.architecture)


def test_a_torchvision_tower_gives_what_its_backbone_gives() -> None:
    tower, _ = build_tower("resnet18", "none", SIZE, seed=3)
    torch.manual_seed(3)
    whole = FrozenBackbone.named("resnet18", "none", "vector")
    pixels = torch.rand(2, 3, 48, 64)
    torch.testing.assert_close(tower.eval()(pixels), whole(pixels))


def test_a_timm_tower_gives_what_timm_gives() -> None:
    import timm

    torch.manual_seed(0)
    theirs: Any = timm.create_model("test_vit", num_classes=0, img_size=[48, 64]).eval()
    built, size = build_tower("timm:test_vit", "none", SIZE)
    tower: Any = built
    assert size == SIZE
    assert tower.facts.architecture == {"img_size": [48, 64]}
    tower.stem.body.model.load_state_dict(theirs.state_dict(), strict=False)
    tower.tail.block.load_state_dict(theirs.blocks[-1].state_dict())
    tower.tail.norm.load_state_dict(theirs.norm.state_dict())
    tower.tail.last_norm.load_state_dict(theirs.fc_norm.state_dict())
    pixels = torch.rand(2, 3, 48, 64)
    wanted = theirs((pixels - tower.stem.pixels.mean) / tower.stem.pixels.std)
    torch.testing.assert_close(tower.eval()(pixels), wanted)


def test_a_seed_decides_random_weights_and_leaves_the_generator_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second, other = (
        build_tower("tiny", "none", SIZE, sizes=SMALL, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert torch.equal(torch.get_rng_state(), before)
    key = "stem.body.embeddings.patch_embedding.weight"
    assert torch.equal(first.state_dict()[key], second.state_dict()[key])
    assert not torch.equal(first.state_dict()[key], other.state_dict()[key])


def test_a_clip_from_a_folder_is_its_vision_tower(tmp_path: Path) -> None:
    tokenizer = caption_tokenizer(["a photo of France", "a photo of Japan"], 16)
    clip = tiny_clip(tokenizer, {**SMALL, "text_length": 16}, 64, 0)
    clip.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    built, size = build_tower(str(tmp_path), "default", (0, 0), "class")
    tower: Any = built
    assert size == (64, 64)
    pixels = torch.rand(2, 3, 64, 64)
    normalised = (pixels - tower.stem.pixels.mean) / tower.stem.pixels.std
    wanted = clip.vision_model(pixel_values=normalised).pooler_output
    torch.testing.assert_close(tower.eval()(pixels), wanted)
    torch.testing.assert_close(copy_tower(built).eval()(pixels), wanted)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("nobody/no-such-clip", "give its path, or train model='tiny'"),
        ("timm:vit_tiny_patch16_224", "Without network: weights='train'"),
    ],
)
def test_what_cannot_be_downloaded_names_the_offline_choice(name: str, choice: str) -> None:
    with pytest.raises((FileNotFoundError, ConnectionError), match=choice):
        build_tower(name, "default", (0, 0))


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("tiny", "default", "'train' or 'none'"),
        ("timm:no_such_model", "none", "a model of timm"),
        ("timm:test_vit", "file.pth", "'default' or 'none'"),
        ("openai/clip", "none", "weights='default'"),
    ],
)
def test_combinations_that_there_are_none_of_are_refused(
    name: str, weights: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_tower(name, weights, SIZE)


def test_unknown_readouts_sizes_and_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="a readout out of"):
        TowerFacts(CLIP, "tiny", readout="last")
    with pytest.raises(ValueError, match="sizes out of"):
        build_tower("tiny", "none", SIZE, sizes={"depth": 3})
    with pytest.raises(ValueError, match="one of the kinds"):
        make_tower(TowerFacts("keras", "tiny"))
