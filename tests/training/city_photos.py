"""A tiny made data set of cities: coloured photos, two views a place; and their populations."""

from pathlib import Path

import cv2
import numpy as np

from shared.data_loader import pin_pairs, processed_store, write_json

# name, lat, lon, population, country, and a colour that tells the country
CITIES = (
    ("Prague", 50.08, 14.43, 1_300_000, "CZ", (200, 40, 40)),
    ("Brno", 49.19, 16.61, 380_000, "CZ", (220, 60, 60)),
    ("Paris", 48.86, 2.35, 2_100_000, "FR", (40, 200, 40)),
    ("Lyon", 45.76, 4.84, 520_000, "FR", (60, 220, 60)),
    ("Tokyo", 35.69, 139.69, 9_700_000, "JP", (40, 40, 200)),
    ("Osaka", 34.69, 135.50, 2_700_000, "JP", (60, 60, 220)),
)
PARTS = {"train": 4, "validation": 2, "test": 2}  # places of each city
TINY_CITIES = {
    "dataset": "tiny",
    "cities_file": "cities.csv",
    "epochs": 2,
    "backbone_epochs": 1,
    "batch_size": 8,
    "width": 64,
    "height": 36,
    "threads": 1,
    "projection": 16,
}


def write_cities(folder: Path) -> Path:
    """The table of populations."""
    lines = [f"{n},{lat},{lon},{people},{code}" for n, lat, lon, people, code, _ in CITIES]
    path = folder / "cities.csv"
    path.write_text("\n".join(["name,lat,lon,population,country_code", *lines, ""]))
    return path


def make_city_dataset(folder: Path) -> None:
    """The project's data set `tiny` with its lists of training, validation and test."""
    lists = folder / "data-lists" / "tiny"
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text('title = "Tiny"\nsynthetic = true\n', encoding="utf-8")
    write_cities(folder)
    store = processed_store("tiny")
    for path in (store.images, store.records):
        path.mkdir(parents=True)
    number = 0
    for part, n_places in PARTS.items():
        ids = []
        for _, lat, lon, _, code, colour in CITIES:
            for _ in range(n_places):
                number += 1
                for view in range(2):
                    name = f"singleplayer_{number:05d}_{view}"
                    rng = np.random.default_rng([number, view])
                    scene = np.clip(np.add(colour, rng.integers(-30, 30, (36, 64, 3))), 0, 255)
                    bgr = np.ascontiguousarray(scene[..., ::-1].astype(np.uint8))
                    cv2.imwrite(str(store.images / f"{name}.png"), bgr)
                    record = {
                        "coordinates": [lat + number / 1000, lon],
                        "country_code": code,
                        "place": name[:-2],
                    }
                    write_json(store.records / f"{name}.json", record)
                    ids.append(name)
        step = f"5-split-{part}"
        pin_pairs("tiny", step, store, ids=ids, source="made for a test", may_write=True)
