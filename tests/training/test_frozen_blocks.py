"""Frozen blocks keep their weights and statistics; everything after them learns."""

import pytest
import torch

from shared.training.backbones import BACKBONES, Normalisation, blocks_of, build_backbone, head_of
from shared.training.module import Training
from shared.training.objectives import Classification
from shared.training.settings import FitSettings


def training(frozen_blocks: int) -> Training:
    settings = FitSettings(backbone="mobilenet_v2", frozen_blocks=frozen_blocks)
    model = build_backbone("mobilenet_v2", 3)
    return Training(model, Classification(3), settings, Normalisation.of("half"), 0.1)


def test_a_step_changes_what_follows_the_frozen_blocks_and_nothing_before() -> None:
    torch.manual_seed(0)
    module = training(frozen_blocks=15).train()
    before = {name: value.clone() for name, value in module.model.state_dict().items()}
    learning = [p for p in module.model.parameters() if p.requires_grad]
    module(torch.rand(4, 3, 32, 32)).square().sum().backward()
    torch.optim.SGD(learning, lr=0.1).step()
    after = module.model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert {int(name.split(".")[1]) for name in changed if "features" in name} == {15, 16, 17, 18}
    assert "classifier.1.weight" in changed


def test_without_frozen_blocks_every_weight_learns() -> None:
    assert all(parameter.requires_grad for parameter in training(0).model.parameters())


@pytest.mark.parametrize(("name", "n_blocks"), [("mobilenet_v2", 19), ("efficientnet_b1", 9)])
def test_blocks_are_the_entries_of_features(name: str, n_blocks: int) -> None:
    assert len(blocks_of(build_backbone(name, 2))) == n_blocks


@pytest.mark.parametrize("name", BACKBONES)
def test_no_block_holds_the_head(name: str) -> None:
    model = build_backbone(name, 2)
    inside = {id(layer) for block in blocks_of(model) for layer in block.modules()}
    assert id(head_of(model)) not in inside


def test_a_negative_number_of_frozen_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="frozen_blocks"):
        FitSettings(frozen_blocks=-1)
