"""Tiny made data for the tests of training: coloured scenes that a network can tell apart."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from shared.data_loader import pin_pairs, processed_store, write_json
from shared.partitions import countries_partition
from shared.paths import ROOT_VARIABLE
from shared.training.batches import Split
from shared.training.images import Bytes, Preprocessing
from shared.training.objectives import Classification
from shared.training.settings import FitSettings
from shared.training.writer import Task

CODES = ("CZ", "FR", "JP")
PLACES = {"CZ": (50.1, 14.4), "FR": (46.2, 2.2), "JP": (35.7, 139.7), "KE": (-1.3, 36.8)}
COLOURS = {"CZ": (200, 40, 40), "FR": (40, 200, 40), "JP": (40, 40, 200), "KE": (150, 150, 20)}
HEIGHT, WIDTH = 36, 64
# Parameters of a notebook that trains on them.
TINY = {"epochs": 2, "batch_size": 16, "width": WIDTH, "height": HEIGHT, "threads": 1}


def paint(code: str, seed: int, height: int = HEIGHT, width: int = WIDTH) -> Bytes:
    """A scene in a country's colour with soft spots, (height, width, 3) bytes, RGB."""
    rng = np.random.default_rng([seed, ord(code[0]), ord(code[1])])
    spots = cv2.resize(rng.integers(0, 60, (4, 6, 3)).astype(np.uint8), (width, height))
    scene = np.asarray(COLOURS[code], dtype=np.int64) * 3 // 4 + spots
    return np.asarray(np.clip(scene, 0, 255), dtype=np.uint8)


def make_split(n: int, seed: int) -> Split:
    """n scenes of the three countries in turn."""
    images = np.stack([paint(CODES[i % 3], seed * 10_000 + i) for i in range(n)])
    return Split(images, torch.arange(n) % 3)


@pytest.fixture
def splits() -> tuple[Split, Split]:
    """70 scenes to learn from, and 26 others."""
    return make_split(70, 0), make_split(26, 1)


@pytest.fixture
def make_task() -> Callable[[], Task]:
    """The country task of the three countries."""

    def make() -> Task:
        return Task(
            "country",
            Classification(3),
            countries_partition(CODES),
            Preprocessing(WIDTH, HEIGHT),
            {"5-split-train": "0" * 32},
            {},
        )

    return make


@pytest.fixture
def tiny_settings() -> FitSettings:
    """Settings that take a second or two."""
    return FitSettings(epochs=3, batch_size=16, schedule="one-cycle", threads=1, accelerator="cpu")


@pytest.fixture
def tiny_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a data set `tiny`: 48 + 16 photos, the validation with an unknown country."""
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    lists = tmp_path / "data-lists" / "tiny"
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text('title = "Tiny"\nsynthetic = true\n', encoding="utf-8")
    store = processed_store("tiny")
    store.images.mkdir(parents=True)
    store.records.mkdir(parents=True)
    parts: dict[str, list[str]] = {"train": [], "validation": []}
    for n in range(64):
        code = "KE" if n == 63 else CODES[n % 3]
        name = f"singleplayer_{n:05d}_0"
        parts["train" if n < 48 else "validation"].append(name)
        bgr = np.ascontiguousarray(paint(code, n, 90, 160)[..., ::-1])
        cv2.imwrite(str(store.images / f"{name}.jpg"), bgr)
        lat, lon = PLACES[code]
        record = {"coordinates": [lat + n / 100, lon], "country_code": code, "place": name[:-2]}
        write_json(store.records / f"{name}.json", record)
    for part, ids in parts.items():
        pin_pairs("tiny", f"5-split-{part}", store, ids=ids, source="made", may_write=True)
    return tmp_path
