"""A small project whose photos went through the pipeline, and a checkpoint of it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from shared.data_loader import Pair, pin_pairs, processed_store, raw_store, write_json
from shared.partitions import Partition, countries_partition
from shared.paths import ROOT_VARIABLE, data_folder
from shared.processing.resize import ResizeSettings, resize_pairs
from shared.training.backbones import Normalisation, build_backbone
from shared.training.checkpoint import Checkpoint
from shared.training.heads import PointHead
from shared.training.model_card import origin_facts

CODES = ("CZ", "FR", "JP")
COLOURS = {"CZ": (200, 40, 40), "FR": (40, 200, 40), "JP": (40, 40, 200)}
PLACES = {"CZ": (50.1, 14.4), "FR": (46.2, 2.2), "JP": (35.7, 139.7)}
SMALL = ResizeSettings(160, 90)


def scene(code: str, seed: int, width: int = 400, height: int = 230) -> np.ndarray:
    """A colourful photo in a country's colour, (H, W, 3) RGB."""
    rng = np.random.default_rng([seed, ord(code[0])])
    spots = cv2.resize(rng.integers(0, 120, (6, 9, 3)).astype(np.uint8), (width, height))
    mixed = np.asarray(COLOURS[code], np.int64) // 2 + spots
    found: np.ndarray = np.clip(mixed, 0, 255).astype(np.uint8)
    return found


def encoded(rgb: np.ndarray, suffix: str = ".jpg") -> bytes:
    return cv2.imencode(suffix, np.ascontiguousarray(rgb[..., ::-1]))[1].tobytes()


def make_photos(dataset: str, show: bool = True) -> list[Pair]:
    """Raw photos of six places with two views, made small by 1-resize, in two lists."""
    raw, small = raw_store(dataset), processed_store(dataset)
    for folder in (raw.images, small.records):
        folder.mkdir(parents=True, exist_ok=True)
    lists = raw.images.parents[2] / "data-lists" / dataset
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text(f'title = "Tiny"\nsynthetic = {str(show).lower()}\n')
    pairs = []
    for number in range(12):
        code, place = CODES[number % 3], f"singleplayer_{number % 6:05d}"
        name = f"{place}_{number // 6}"
        (raw.images / f"{name}.jpg").write_bytes(encoded(scene(code, number)))
        lat, lon = PLACES[code]
        record = {"coordinates": [lat, lon], "country_code": code, "place": place}
        write_json(raw.images / f"{name}.json", record)
        write_json(small.records / f"{name}.json", record)
        pairs.append(Pair(name, raw.images / f"{name}.jpg", raw.images / f"{name}.json"))
    resize_pairs(pairs, small.images, SMALL, n_processes=1)
    ids = sorted(pair.id for pair in pairs)
    for step, some in (("5-split-train", ids[:6]), ("5-split-test", ids[6:])):
        pin_pairs(dataset, step, small, ids=some, source="made for a test", may_write=True)
    return pairs


def make_checkpoint(
    dataset: str, partition: Partition | None = None, task: str = "country", **more: object
) -> Path:
    """A checkpoint with random weights whose answers differ from photo to photo."""
    torch.manual_seed(0)
    folder = data_folder("3-training", dataset) / task / "best"
    classes = partition or countries_partition(CODES)
    config = {
        "task": task,
        "backbone": "resnet18",
        "classes": classes.codes,
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "normalisation": vars(Normalisation.of("half")),
        "lists": {},
        "seed": 0,
        **origin_facts(folder),
        **more,
    }
    Checkpoint(build_backbone("resnet18", len(classes)), config, classes).save(folder)
    return folder


def make_point_checkpoint(dataset: str, head: PointHead) -> Path:
    """A checkpoint of coordinates with random weights."""
    torch.manual_seed(0)
    folder = data_folder("3-training", dataset) / "coordinates" / "best"
    config = {
        "task": "coordinates",
        "head": head.facts(),
        "backbone": "resnet18",
        "classes": [],
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "normalisation": vars(Normalisation.of("half")),
        "lists": {},
        "seed": 0,
        **origin_facts(folder),
    }
    Checkpoint(build_backbone("resnet18", head.n_outputs), config, None).save(folder)
    return folder


@pytest.fixture
def tiny_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the data set `tiny` and its checkpoint."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    make_photos("tiny")
    make_checkpoint("tiny")
    return tmp_path
