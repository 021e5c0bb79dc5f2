"""Tiny made data for the tests of evaluation: tables of predictions, and a project to evaluate."""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
import torch

from shared.data_loader import pin_pairs, processed_store, write_json
from shared.evaluation.predictions import make_predictions
from shared.geo import to_unit_vectors
from shared.partitions import Partition, countries_partition
from shared.paths import ROOT_VARIABLE, data_folder
from shared.training.backbones import Normalisation, build_backbone
from shared.training.checkpoint import Checkpoint
from shared.training.heads import VmfHead

CODES = ("CZ", "FR", "JP")
COLOURS = {"CZ": (200, 40, 40), "FR": (40, 200, 40), "JP": (40, 40, 200), "KE": (150, 150, 20)}
PLACES = {"CZ": (50.1, 14.4), "FR": (46.2, 2.2), "JP": (35.7, 139.7), "KE": (-1.3, 36.8)}


@pytest.fixture
def table_of() -> Callable[..., pd.DataFrame]:
    """Makes predictions from true codes and rows of probabilities."""

    def make(
        codes: Sequence[str],
        probabilities: Sequence[Sequence[float]],
        places: Sequence[str] | None = None,
        classes: Sequence[str] = CODES,
    ) -> pd.DataFrame:
        names = [f"photo_{n:03d}" for n in range(len(codes))]
        truth = pd.DataFrame(
            {"place": list(places or names), "code": list(codes), "lat": np.nan, "lon": np.nan},
            index=names,
        )
        return make_predictions(truth, np.asarray(probabilities), countries_partition(classes))

    return make


@pytest.fixture
def random_table(table_of: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    """200 photos of 80 places in five countries, of which the model has four; often right."""
    rng = np.random.default_rng(7)
    classes = ["CZ", "FR", "JP", "KE"]
    codes = rng.choice([*classes, "US"], size=80, p=[0.4, 0.3, 0.1, 0.1, 0.1])
    place = np.r_[np.arange(80), rng.integers(0, 80, 120)]
    scores = rng.normal(size=(200, 4))
    for row, code in enumerate(codes[place]):
        if code in classes:
            scores[row, classes.index(code)] += 1.5
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    names = [f"place_{n:02d}" for n in place]
    return table_of([str(c) for c in codes[place]], shares.tolist(), names, classes)


def make_dataset(
    dataset: str, parts: dict[str, Sequence[str]], is_synthetic: bool, views: int = 2
) -> None:
    """Photos and lists of a data set: for each part the countries of its places."""
    store = processed_store(dataset)
    for folder in (store.images, store.records):
        folder.mkdir(parents=True)
    text = f'title = "{dataset.title()}"\nsynthetic = {str(is_synthetic).lower()}\n'
    lists = Path(store.images).parents[3] / "data-lists" / dataset
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text(text, encoding="utf-8")
    number = 0
    for part, codes in parts.items():
        ids = []
        for code in codes:
            for view in range(views):
                name = f"singleplayer_{number:05d}_{view}"
                rng = np.random.default_rng([number, view])
                scene = np.clip(np.add(COLOURS[code], rng.integers(-30, 30, (36, 64, 3))), 0, 255)
                bgr = np.ascontiguousarray(scene[..., ::-1].astype(np.uint8))
                cv2.imwrite(str(store.images / f"{name}.png"), bgr)
                lat, lon = PLACES[code]
                place = f"singleplayer_{number:05d}"
                record = {"coordinates": [lat, lon], "country_code": code, "place": place}
                write_json(store.records / f"{name}.json", record)
                ids.append(name)
            number += 1
        step = f"5-split-{part}"
        pin_pairs(dataset, step, store, ids=ids, source="made for a test", may_write=True)


def make_checkpoint(dataset: str) -> Path:
    """A checkpoint with random weights, where 3-training would write it."""
    torch.manual_seed(0)
    folder = data_folder("3-training", dataset) / "country" / "best"
    config = {
        "task": "country",
        "backbone": "mobilenet_v3_small",
        "classes": list(CODES),
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "normalisation": vars(Normalisation.of("half")),
        "lists": {"5-split-train": "0" * 32},
        "seed": 0,
    }
    model = build_backbone("mobilenet_v3_small", len(CODES))
    Checkpoint(model, config, countries_partition(CODES)).save(folder)
    return folder


def region_partition() -> Partition:
    """Four regions in three countries; France has two."""
    rows = [
        ("CZ-1", "Bohemia", 50.1, 14.4, "CZ"),
        ("FR-1", "North", 48.5, 2.2, "FR"),
        ("FR-2", "South", 44.5, 2.2, "FR"),
        ("JP-1", "Kanto", 35.7, 139.7, "JP"),
    ]
    table = pd.DataFrame(rows, columns=["code", "name", "lat", "lon", "country"])
    boxes = [shapely.box(lon - 2, lat - 2, lon + 2, lat + 2) for _, _, lat, lon, _ in rows]
    return Partition("regions", gpd.GeoDataFrame(table, geometry=boxes, crs="EPSG:4326"))


def make_place_checkpoint(dataset: str, task: str) -> Path:
    """A checkpoint of regions or coordinates with random weights."""
    torch.manual_seed(1)
    partition = region_partition() if task == "region" else None
    anchors = to_unit_vectors([PLACES[code] for code in CODES]).tolist()
    points = VmfHead(anchors, [50.0] * len(anchors))
    head = {"kind": "classes"} if partition else points.facts()
    config: dict[str, object] = {
        "task": task,
        "head": head,
        "backbone": "mobilenet_v3_small",
        "classes": partition.codes if partition else [],
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "normalisation": vars(Normalisation.of("half")),
        "lists": {"5-split-train": "0" * 32},
        "seed": 0,
    }
    if partition:
        config |= {"temperature": 1.5, "facts": {"moved": {}}}
    n_outputs = len(partition) if partition else points.n_outputs
    folder = data_folder("3-training", dataset) / task / "best"
    Checkpoint(build_backbone("mobilenet_v3_small", n_outputs), config, partition).save(folder)
    return folder


@pytest.fixture
def tiny_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a synthetic data set `tiny`, its checkpoint, and `other` without one.

    `other`'s photos may not be shown, and two of its eight places are in Kenya, which the model
    does not know.
    """
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    make_dataset("tiny", {"train": CODES * 4, "test": CODES * 3}, is_synthetic=True)
    make_dataset("other", {"train": CODES, "test": (*CODES * 2, "KE", "KE")}, is_synthetic=False)
    make_checkpoint("tiny")
    return tmp_path
