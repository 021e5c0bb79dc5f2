"""Geocell networks: views and headings, what is tuned, checkpoints, and going on after a kill."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch

from shared.partitions import countries_partition
from shared.training.augment import Augmentation
from shared.training.batches import Split
from shared.training.checkpoint import Checkpoint
from shared.training.epochs import Epochs
from shared.training.features import embed
from shared.training.fit import fit
from shared.training.geocell import checkpoint_features, model_of, place_outputs
from shared.training.geocell_net import (
    GeocellHead,
    GeocellModel,
    GeocellNet,
    GeocellNetwork,
    net_of,
)
from shared.training.geocell_objective import GeocellObjective
from shared.training.geocell_targets import fit_facts, target_columns
from shared.training.headings import ViewFeatures, heading_columns
from shared.training.images import Bytes, Preprocessing
from shared.training.smoothing import SMOOTHINGS
from shared.training.targets import located
from shared.training.tower_fit import TowerSettings
from shared.training.tower_net import ImageTower, copy_tower
from shared.training.towers import build_tower
from shared.training.writer import Task
from tests.training.conftest import CODES, HEIGHT, PLACES, WIDTH, make_split

SMALL = {"hidden": 32, "layers": 2, "text_hidden": 16, "text_layers": 1, "projection": 16}
SIZE = (WIDTH, HEIGHT)
OFF = Augmentation(False, False, False)


def tower_of(name: str = "tiny") -> ImageTower:
    return build_tower(name, "none", SIZE, sizes=SMALL if name == "tiny" else None)[0].eval()


def net(views: str, tuning: str = "frozen", n_outputs: int = 5) -> GeocellNet:
    torch.manual_seed(0)
    return net_of(tower_of(), SIZE, n_outputs, GeocellHead(tuning, views)).eval()


def rows_of(n: int, views: int, seed: int = 0) -> torch.Tensor:
    features = torch.randn(n, views, 32, generator=torch.Generator().manual_seed(seed))
    headings = torch.from_numpy(heading_columns(90.0 * np.arange(views)))
    return torch.cat([features, headings.expand(n, -1, -1)], dim=2)


def test_headings_are_periodic_and_may_be_unknown() -> None:
    once, again, unknown = (heading_columns([v])[0] for v in (30.0, 390.0, np.nan))
    np.testing.assert_allclose(once, [0.5, np.sqrt(0.75)], atol=1e-6)
    np.testing.assert_allclose(again, once, atol=1e-6)
    assert unknown.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("views", ["one", "mean", "attention"])
def test_fillers_play_no_part_and_any_number_of_views_can_be_asked_about(views: str) -> None:
    trained = net(views)
    rows = rows_of(3, 6)
    wanted = trained(rows[:, :2])
    filled = rows.clone()
    filled[:, 2:] = torch.nan
    torch.testing.assert_close(trained(filled), wanted)
    for count in (1, 4, 6):
        assert trained(rows[:, :count]).isfinite().all()
    torch.testing.assert_close(trained(rows[:, 0]), trained(rows[:, :1]))
    assert torch.allclose(trained(rows), trained(rows[:, :1])) == (views == "one")


def test_the_mean_of_views_is_that_of_their_embeddings() -> None:
    trained = net("mean")
    rows = rows_of(2, 4)
    wanted = trained.head(trained.norm(rows[..., :-2].mean(dim=1)))
    torch.testing.assert_close(trained(rows), wanted)


@pytest.mark.parametrize(("views", "sees"), [("mean", False), ("attention", True)])
def test_only_attention_sees_headings_and_none_sees_the_order(views: str, sees: bool) -> None:
    trained = net(views)
    rows = rows_of(2, 4)
    torch.testing.assert_close(trained(rows[:, [2, 0, 3, 1]]), trained(rows), atol=1e-5, rtol=1e-5)
    turned = rows.clone()
    turned[..., -2:] = turned[:, [1, 2, 3, 0], -2:]
    assert torch.allclose(trained(turned), trained(rows), atol=1e-6) != sees


def test_features_of_photos_are_read_with_headings_behind() -> None:
    images = make_split(5, 0).images
    headings = heading_columns([0, 90, 180, 270, np.nan])
    joined = ViewFeatures(images, headings)
    assert joined.shape == (5, 3 * HEIGHT * WIDTH + 2)
    found: Any = np.take(cast(Any, joined), np.array([[3, -1], [0, 1]]), axis=0)
    assert found.shape == (2, 2, joined.shape[1])
    pixels = found[1, 1, :-2].reshape(3, HEIGHT, WIDTH)
    np.testing.assert_allclose(pixels, images[1].transpose(2, 0, 1) / 255, atol=1e-6)
    np.testing.assert_allclose(found[0, 0, -2:], [-1, 0], atol=1e-6)
    np.testing.assert_array_equal(joined[1:3], joined.take([1, 2]))
    with pytest.raises(ValueError, match=r"headings of shape \(5, 2\)"):
        ViewFeatures(images, headings[:4])


def test_the_last_block_on_kept_features_has_the_gradients_of_end_to_end() -> None:
    """Freezing all before the last block, pixels through the whole tower, is the reference."""
    tower, photos = tower_of(), make_split(6, 0)
    pixels = torch.from_numpy(photos.images).permute(0, 3, 1, 2).float() / 255
    kept = torch.from_numpy(embed(tower.stem, photos.images)).flatten(1)
    headings = torch.zeros(6, 2)
    torch.manual_seed(0)
    ours = net_of(copy_tower(tower), SIZE, 3, GeocellHead("last", "one"))
    whole = copy_tower(tower)
    whole.stem.requires_grad_(requires_grad=False)
    theirs = GeocellNet(whole, (3, HEIGHT, WIDTH), 32, 3, GeocellHead("all", "one"))
    theirs.head.load_state_dict(ours.head.state_dict())
    losses = []
    for model, features in ((ours, kept), (theirs, pixels.flatten(1))):
        outputs = model(torch.cat([features, headings], dim=1))
        loss = torch.nn.functional.cross_entropy(outputs, photos.targets)
        torch.autograd.backward(loss)
        losses.append(float(loss.detach()))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    mine = dict(ours.part.named_parameters())
    assert set(mine) == {
        n.removeprefix("tail.") for n, _ in whole.named_parameters() if "tail" in n
    }
    for name, parameter in whole.tail.named_parameters():
        own = mine[name].grad
        assert own is not None
        torch.testing.assert_close(own, parameter.grad, atol=1e-6, rtol=1e-4)
    assert all(p.grad is None for p in whole.stem.parameters())


HEADINGS = heading_columns(90.0 * (np.arange(48) // 24))
FACTS = pd.DataFrame({"climate": ["Cfb", "Af", "Dfb"] * 8, "temperature_c": [5.0, 20, 12] * 8})


def task_of(tower: ImageTower, head: GeocellHead, with_facts: bool = True) -> Task:
    partition = countries_partition(CODES)
    facts = fit_facts(FACTS, [str(name) for name in FACTS]) if with_facts else ()
    objective = GeocellObjective(partition.centres, facts, SMOOTHINGS["normalised"])
    network = GeocellNetwork(tower, SIZE, head, facts)
    size = Preprocessing(*SIZE)
    return Task("geocell", objective, partition, size, {"5-split-train": "0" * 32}, {}, network)


def splits_of(task: Task, images: Bytes, tower: ImageTower) -> tuple[Split, Split, Any]:
    """24 places with one view or two."""
    assert isinstance(task.network, GeocellNetwork)
    front = task.network.front
    features: Any = images if isinstance(front, torch.nn.Identity) else embed(front, images)
    joined: Any = ViewFeatures(features, HEADINGS)
    rows = np.stack([np.arange(24), np.arange(24) + 24], axis=1)
    rows[::3, 1] = -1
    places = located([PLACES[CODES[n % 3]] for n in range(24)], torch.arange(24) % 3)
    told = target_columns(task.network.facts_told, FACTS)
    train = Split(joined, torch.cat([places, told], dim=1), rows)
    return train, Split(joined, places, rows), features


SETTINGS = TowerSettings(
    backbone="tiny", epochs=6, batch_size=8, lr=3e-3, augmentation=OFF, accelerator="cpu",
    threads=1, precision="32",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("tiny", GeocellHead("frozen", "attention")),
        ("tiny", GeocellHead("last", "mean")),
        ("tiny", GeocellHead("all", "mean", augmentation=Augmentation(True, False, False))),
        ("mobilenet_v3_small", GeocellHead("last", "mean")),
    ],
)
def test_a_checkpoint_answers_as_the_training_left_it(
    name: str, head: GeocellHead, tmp_path: Path
) -> None:
    tower, photos = tower_of(name), make_split(48, 0)
    before = {k: v.clone() for k, v in tower.state_dict().items()}
    task = task_of(tower, head)
    train, validation, features = splits_of(task, photos.images, tower)
    result = fit(task, train, validation, SETTINGS, tmp_path / "run")
    assert all(torch.equal(v, before[k]) for k, v in tower.state_dict().items())
    found = Checkpoint.load(result.last)
    assert found.config["network"]["kind"] == "geocell"
    assert found.config["backbone"] == "tiny"
    probabilities = found.predict(photos.images)
    assert probabilities.shape == (48, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    # Photos by themselves, and from features, whose headings are not told.
    nowhere = np.zeros((48, 2), dtype=np.float32)
    outputs = place_outputs(found.model, features, np.arange(48), nowhere)
    np.testing.assert_allclose(found.logits(photos.images), outputs.logits, atol=2e-4, rtol=1e-3)
    kept = checkpoint_features(found, photos.images, "list", tmp_path)
    np.testing.assert_allclose(kept, features, atol=1e-5)
    # Places: as the network in training was asked.
    assert validation.rows is not None
    told = place_outputs(found.model, features, validation.rows, HEADINGS)
    assert told.embeddings.shape == (24, model_of(found).net.width)
    again = model_of(found).net.head(torch.from_numpy(told.embeddings)).detach().numpy()
    np.testing.assert_allclose(again[:, :3], told.logits, atol=1e-4)
    assert set(told.facts) == {"climate", "temperature_c"}
    assert set(told.facts["climate"]) <= {"Af", "Cfb", "Dfb"}
    assert told.facts["temperature_c"].shape == (24,)
    np.testing.assert_allclose(told.probabilities().sum(axis=1), 1)
    assert found.temperature != 1.0


def test_what_it_learns_it_tells(tmp_path: Path) -> None:
    tower, photos = tower_of(), make_split(48, 0)
    task = task_of(tower, GeocellHead("last", "mean"))
    train, validation, features = splits_of(task, photos.images, tower)
    settings = replace(SETTINGS, epochs=20)
    found = Checkpoint.load(fit(task, train, validation, settings, tmp_path).last)
    assert validation.rows is not None
    told = place_outputs(found.model, features, validation.rows, HEADINGS)
    assert (told.cells == np.arange(24) % 3).mean() > 0.8
    assert (told.facts["climate"] == FACTS["climate"]).mean() > 0.8
    assert np.abs(told.facts["temperature_c"] - FACTS["temperature_c"]).mean() < 3


class PulledPlugError(Exception):
    """The power is gone."""


def test_a_killed_training_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower, photos = tower_of(), make_split(48, 0)
    head = GeocellHead("all", "attention", dropout=0.2, augmentation=Augmentation())
    task = task_of(tower, head)
    train, validation, _ = splits_of(task, photos.images, tower)
    settings = replace(SETTINGS, epochs=3)
    whole = fit(task, train, validation, settings, tmp_path / "whole")
    original = Epochs.on_train_epoch_start

    def pulled(self: Epochs, trainer: object, module: object) -> None:
        if trainer.current_epoch == 2:  # type: ignore[attr-defined]
            raise PulledPlugError
        original(self, trainer, module)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Epochs, "on_train_epoch_start", pulled)
        with pytest.raises(PulledPlugError):
            fit(task, train, validation, settings, tmp_path / "cut")
    cut = fit(task, train, validation, settings, tmp_path / "cut")
    assert not cut.was_done
    for name in ("best", "last"):
        own = (tmp_path / folder / name / "model.safetensors" for folder in ("whole", "cut"))
        assert len({path.read_bytes() for path in own}) == 1
    assert cut.history == whole.history


def test_frozen_parts_stay_frozen_and_the_rest_learns() -> None:
    task = task_of(tower_of("resnet18"), GeocellHead("last", "one"))
    assert task.network is not None
    model = task.network.whole(task.network.build(task.objective.n_outputs))
    assert isinstance(model, GeocellModel)
    assert model.n_cells == 3
    assert not any(p.requires_grad for p in model.front.parameters())
    assert all(p.requires_grad for p in model.net.parameters())
    model.train()
    assert not model.front.training
    assert model.net.part.training
    pixels = torch.rand(2, 3, HEIGHT, WIDTH)
    assert model.eval()(pixels).shape == (2, 3)
    assert model.facts_of(pixels).shape == (2, 4)


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match="tuning to be one of"):
        GeocellHead("first")
    with pytest.raises(ValueError, match="no augmentation with tuning='last'"):
        GeocellHead("last", augmentation=Augmentation())
    with pytest.raises(ValueError, match="joined by one of"):
        net("lstm")
    with pytest.raises(ValueError, match="divides 32"):
        net_of(tower_of(), SIZE, 3, GeocellHead(views="attention", attention_heads=5))
    with pytest.raises(ValueError, match="'frozen' or 'all' for test_resnet"):
        GeocellNetwork(tower_of("timm:test_resnet"), SIZE, GeocellHead("last"))
    with pytest.raises(TypeError, match="a geocell model"):
        place_outputs(torch.nn.Linear(1, 1), np.zeros((1, 1), np.float32), np.arange(1), HEADINGS)
