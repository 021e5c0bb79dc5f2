"""The city CLIP: captions, classes, text encoder, network, training that goes on, its folder."""

from dataclasses import replace
from pathlib import Path

import lightning as L
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from torch import nn
from transformers import DistilBertConfig, DistilBertModel

from shared.cities import city_table
from shared.paths import ROOT_VARIABLE
from shared.training.augment import Augmentation
from shared.training.checkpoint import Checkpoint
from shared.training.city_clip import CityTargets, city_captions, city_targets, group_photos
from shared.training.city_clip_fit import CityClip, CityTask, fit_city_clip
from shared.training.city_clip_net import ProjectionHead
from shared.training.city_clip_photo_split import split_by_photo
from shared.training.city_clip_settings import CityClipSettings
from shared.training.epochs import Epochs
from shared.training.images import Bytes, Preprocessing
from shared.training.inputs import read_lists
from shared.training.smoothing import PlaceClassification
from shared.training.text import build_text_encoder, train_tokenizer
from shared.training.writer import Task
from tests.training.city_photos import make_city_dataset

PIXELS = Preprocessing(64, 36)
SMALL = CityClipSettings(
    backbone="mobilenet_v3_small",
    weights="none",
    text_encoder="none",
    epochs=3,
    batch_size=8,
    lr=2e-3,
    image_lr=2e-3,
    text_lr=1e-3,
    projection=16,
    augmentation=Augmentation(False, False, False),
    threads=1,
    accelerator="cpu",
)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[CityTargets, Bytes, Bytes]:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    make_city_dataset(tmp_path)
    lists = read_lists("tiny", 0, 0)
    cities = city_table((), 0, str(tmp_path / "cities.csv"))
    targets = city_targets(lists.train, lists.validation, cities, held_out=0.3, seed=0)
    return targets, *lists.decode(PIXELS, "tiny", 1)


def task_of(targets: CityTargets) -> CityTask:
    objective = PlaceClassification(targets.partition.centres)
    task = Task("city_clip", objective, targets.partition, PIXELS, {}, targets.facts)
    return CityTask(task, targets.seen_captions)


def train(
    tiny: tuple[CityTargets, Bytes, Bytes], settings: CityClipSettings, folder: Path
) -> list[dict[str, object]]:
    targets, images, others = tiny
    first = targets.train.photos.split(images, targets.train_targets)
    second = targets.validation.photos.split(others, targets.validation_targets)
    return fit_city_clip(task_of(targets), first, second, settings, folder).history


def test_captions_name_the_nation_with_its_article() -> None:
    rows = [
        ("London", "England", "GB", "England", 51.5, -0.1),
        ("Boston", "Massachusetts", "US", "United States", 42.4, -71.1),
    ]
    columns = ["name", "region", "country", "nation", "lat", "lon"]
    cities = pd.DataFrame(rows, columns=columns)
    assert city_captions(cities) == [
        "a photo of London in England",
        "a photo of Boston in the United States",
    ]
    assert city_captions(cities, "{city}[, {region}], {country}")[0] == (
        "London, England, the United Kingdom"
    )
    assert city_captions(cities, "{part} of {nation}, near {position}, in {belt}") == [
        "the south-east of England, near 50 degrees north and 0 degrees west, in the cooler "
        "latitudes",
        "the north-east of the United States, near 40 degrees north and 70 degrees west, in the "
        "milder latitudes",
    ]
    with pytest.raises(ValueError, match=r"unknown: \['town'\]"):
        city_captions(cities, "a photo of {town}")


def test_photos_far_from_every_city_belong_to_none(
    tiny: tuple[CityTargets, Bytes, Bytes],
) -> None:
    cities = tiny[0].cities
    photos = read_lists("tiny", 0, 0).train
    grouped = group_photos(photos, cities, max_km=1.0)
    # The n-th place lies n / 1000 degrees (n * 0.111 km) north of its city: nine are within 1 km
    # (n = 1 to 8 of the first two cities; the ninth, 1.0008 km off, is not), two views each.
    assert len(grouped.photos) == 16
    assert grouped.lost == 48 - 16


def test_held_out_cities_have_no_photo_in_training(
    tiny: tuple[CityTargets, Bytes, Bytes],
) -> None:
    targets = tiny[0]
    assert len(targets.held_out) == 2  # 30 % of six
    assert len(targets.seen) == len(targets.partition) == 4
    assert set(targets.train.rows) == set(targets.seen)
    assert len(targets.train.photos) == 4 * 4 * 2
    assert targets.lost["training"] == (0, 2 * 4 * 2)
    # Each target's class is the row of the partition that its city is.
    codes = targets.cities["code"].to_numpy()[targets.train.rows]
    classes = targets.train_targets[:, 0].long().numpy()
    assert (np.array(targets.partition.codes)[classes] == codes).all()


def test_a_split_by_photo_parts_views_of_places(tiny: tuple[CityTargets, Bytes, Bytes]) -> None:
    targets, images, others = tiny
    halves = split_by_photo(targets, images, others, seed=0)
    assert (len(halves.train), len(halves.validation)) == (32, 16)
    train_rows, validation_rows = halves.train.rows, halves.validation.rows
    assert train_rows is not None
    assert validation_rows is not None
    assert sorted([*train_rows, *validation_rows]) == list(range(48))
    assert 0 < halves.shared_places < 1
    records = pd.concat([targets.train.photos.records, targets.validation.photos.records])
    places = records["place"].to_numpy()
    both = set(places[train_rows]) & set(places[validation_rows])
    shared = np.isin(places[validation_rows], list(both)).mean()
    assert halves.shared_places == pytest.approx(shared)


def test_unread_names_are_different_texts() -> None:
    tokenizer = train_tokenizer(["a photo of Brno in Czechia"], 32)
    first, second = tokenizer("Lyon")["input_ids"], tokenizer("Łódź!")["input_ids"]
    assert first != second
    assert tokenizer.unk_token_id not in first
    assert tokenizer.decode(tokenizer("BRNO")["input_ids"], skip_special_tokens=True) == "brno"


def test_an_encoder_of_transformers_is_read_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    tokenizer = train_tokenizer(["a photo of Brno"], 16)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=8, n_layers=1, n_heads=2, hidden_dim=8)
    network = DistilBertModel(config)
    network.save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    found = build_text_encoder("encoder", [], 16, 0)
    assert not found.is_stand_in
    assert found.width == 8
    weights = dict(found.network.named_parameters())
    for name, value in network.named_parameters():
        assert torch.equal(weights[name], value)


def test_an_encoder_that_is_nowhere_names_the_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(FileNotFoundError, match=r"'none' for the stand-in"):
        build_text_encoder("no-such/encoder", [], 16, 0)


def test_a_projection_head_is_what_was_published() -> None:
    torch.manual_seed(0)
    head = ProjectionHead(6, 4, 0.5).eval()
    features = torch.randn(3, 6)
    first = features @ head.first.weight.T + head.first.bias
    bent = first * 0.5 * (1 + torch.erf(first / 2**0.5))  # GELU, Hendrycks and Gimpel (2016)
    total = first + bent @ head.second.weight.T + head.second.bias
    centred = total - total.mean(dim=1, keepdim=True)
    wanted = centred / (total.var(dim=1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(head(features), wanted)
    names = [type(part) for part in head.children()]
    assert names == [nn.Linear, nn.Linear, nn.Dropout, nn.LayerNorm]


def test_the_defaults_are_those_published() -> None:
    found = CityClipSettings()
    assert (found.backbone, found.text_encoder) == ("resnet50", "distilbert-base-uncased")
    assert (found.image_lr, found.text_lr, found.lr) == (1e-4, 1e-5, 1e-3)
    assert (found.weight_decay, found.epochs) == (1e-3, 6)
    assert (found.schedule, found.schedule_patience, found.schedule_factor) == ("plateau", 1, 0.8)


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="repeats to be one of"):
        replace(SMALL, repeats="no")
    with pytest.raises(ValueError, match="schedule to be one of"):
        replace(SMALL, schedule="no")
    with pytest.raises(ValueError, match="two photos a batch or more"):
        replace(SMALL, batch_size=1)
    with pytest.raises(ValueError, match="projection and text_length of at least 2"):
        replace(SMALL, dropout=1.0)


@pytest.mark.slow
def test_the_folder_predicts_by_itself_and_embeds_any_text(
    tiny: tuple[CityTargets, Bytes, Bytes], tmp_path: Path
) -> None:
    history = train(tiny, SMALL, tmp_path / "run")
    assert len(history) == 3
    assert {"lr_image", "lr_text", "lr_head"} <= set(history[0])
    folder = tmp_path / "run" / "best"
    names = {path.name for path in folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "partition.parquet"} <= names
    model = CityClip.load(folder)
    photos = np.asarray(tiny[2][:6])
    images = model.image_embeddings(photos, batch_size=4)
    texts = model.text_embeddings(model.checkpoint.config["facts"]["class_captions"])
    torch.testing.assert_close(images.norm(dim=1), torch.ones(6))
    torch.testing.assert_close(texts.norm(dim=1), torch.ones(len(texts)))
    # The checkpoint's own classes are those captions: the same probabilities either way.
    by_text = (model.scale * images @ texts.T).softmax(dim=1).numpy()
    np.testing.assert_allclose(Checkpoint.load(folder).predict(photos), by_text, atol=1e-4)
    assert model.text_embeddings(["anything at all"]).shape == (1, 16)
    with pytest.raises(ValueError, match="Expected uint8"):
        model.image_embeddings(photos[:, :10])


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(
    tiny: tuple[CityTargets, Bytes, Bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(SMALL, schedule_patience=0, schedule_factor=0.5)
    whole = train(tiny, settings, tmp_path / "whole")
    ends = Epochs.on_train_epoch_end

    def killed(self: Epochs, trainer: L.Trainer, module: L.LightningModule) -> None:
        ends(self, trainer, module)
        if trainer.current_epoch == 1:
            raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(Epochs, "on_train_epoch_end", killed)
        with pytest.raises(InterruptedError):
            train(tiny, settings, tmp_path / "killed")
    again = train(tiny, settings, tmp_path / "killed")
    assert [one["train_loss"] for one in again] == [one["train_loss"] for one in whole]
    assert [one["lr_head"] for one in again] == [one["lr_head"] for one in whole]
    with (
        safe_open(tmp_path / "whole" / "last" / "model.safetensors", "pt") as first,
        safe_open(tmp_path / "killed" / "last" / "model.safetensors", "pt") as second,
    ):
        for name in first.keys():  # noqa: SIM118
            assert torch.equal(first.get_tensor(name), second.get_tensor(name)), name
