"""Regions and coordinates end to end: trained, killed, written, read and predicted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from shapely import box

from shared.geo import haversine_km
from shared.partitions import Partition
from shared.processing.regions import label_regions, save_regions
from shared.training import epochs as epochs_module
from shared.training.batches import Split
from shared.training.checkpoint import Checkpoint
from shared.training.coordinates import LOSSES, Coordinates, groups_of
from shared.training.fit import fit
from shared.training.images import Preprocessing
from shared.training.inputs import read_lists
from shared.training.regions import read_regions, region_targets
from shared.training.settings import FitSettings
from shared.training.smoothing import HaversineSmoothing, PlaceClassification
from shared.training.targets import classes_of, located
from shared.training.temperature import fit_temperature
from shared.training.writer import Task

Splits = tuple[Split, Split]
MakeTask = Callable[[], Task]
# The three colours' places: beside the antimeridian, near the pole, and at the equator.
PLACES = np.array([(52.0, 179.6), (88.0, -40.0), (0.0, 10.0)])
SIZE = Preprocessing(64, 36)


def with_points(split: Split, has_classes: bool) -> Split:
    classes = split.targets
    points = PLACES[classes.numpy()]
    return Split(split.images, located(points, classes if has_classes else None))


@pytest.fixture
def quick(tiny_settings: FitSettings) -> FitSettings:
    return replace(tiny_settings, backbone="resnet18", epochs=4, batch_size=10, precision="32")


@pytest.mark.slow
@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "lat-lon"])
def test_coordinates_are_learned_at_the_pole_and_the_antimeridian(
    loss: str, splits: Splits, quick: FitSettings, tmp_path: Path
) -> None:
    train, validation = (with_points(split, has_classes=False) for split in splits)
    groups = groups_of(PLACES, 3, 0) if loss == "vmf-mixture" else None
    quick = replace(quick, epochs=12 if loss == "vmf-mixture" else quick.epochs)  # it begins wide
    task = Task("coordinates", Coordinates(loss, groups), None, SIZE, {"5-split-train": "0"}, {})
    result = fit(task, train, validation, quick, tmp_path / "coordinates")
    assert not (result.best / "partition.parquet").exists()
    found = Checkpoint.load(result.best)
    assert (found.partition, found.classes) == (None, [])
    assert found.config["task"] == "coordinates"
    output = found.predict_points(validation.images)
    km = haversine_km(output.points, validation.targets.numpy())
    assert np.median(km) < 1500  # a constant point misses by 4,000 km and more
    assert (output.mixture is not None) == (loss == "vmf-mixture")
    record = result.history[result.best_epoch]
    assert {"validation_median_km", "validation_mean_km", "validation_geoscore"} <= set(record)
    if loss != "vmf-mixture":  # a mixture's measures are of a quicker point
        assert record["validation_median_km"] == pytest.approx(float(np.median(km)), rel=1e-3)
    with pytest.raises(ValueError, match="it gives points, by predict_points"):
        found.predict(validation.images)


def test_a_mixtures_training_that_died_ends_with_the_same_bits(
    splits: Splits, tiny_settings: FitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, validation = (with_points(split, has_classes=False) for split in splits)

    def task() -> Task:
        objective = Coordinates("vmf-mixture", groups_of(PLACES, 3, 0))
        return Task("coordinates", objective, None, SIZE, {}, {})

    whole = fit(task(), train, validation, tiny_settings, tmp_path / "whole")
    write = epochs_module.Epochs._write

    def dying(self: epochs_module.Epochs, *arguments: object) -> None:
        write(self, *arguments)  # type: ignore[arg-type]
        if arguments[2] == 1:
            monkeypatch.undo()
            raise KeyboardInterrupt

    monkeypatch.setattr(epochs_module.Epochs, "_write", dying)
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        fit(task(), train, validation, tiny_settings, tmp_path / "cut")
    again = fit(task(), train, validation, tiny_settings, tmp_path / "cut")
    weights = [(r.last / "model.safetensors").read_bytes() for r in (whole, again)]
    assert weights[0] == weights[1]
    assert again.history == whole.history


def square_regions() -> Partition:
    """Squares of 10 degrees about the places, in three countries, and one without photos."""
    centres = [(52.0, 174.0), (83.0, -40.0), (0.0, 10.0), (-40.0, 0.0)]
    table = pd.DataFrame(
        {
            "code": ["A", "B", "C", "D"],
            "name": ["Aa", "Bb", "Cc", "Dd"],
            "lat": [lat for lat, _ in centres],
            "lon": [lon for _, lon in centres],
            "country": ["US", "GL", "GA", "ZA"],
        }
    )
    shapes = [box(lon - 6, lat - 6, lon + 6, min(lat + 6, 90)) for lat, lon in centres]
    return Partition("regions", gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326"))


@pytest.mark.slow
def test_regions_are_learned_and_the_temperature_fits_the_validation_photos(
    splits: Splits, quick: FitSettings, tmp_path: Path
) -> None:
    train, validation = (with_points(split, has_classes=True) for split in splits)
    partition = square_regions().subset(["A", "B", "C"])
    objective = PlaceClassification(PLACES, HaversineSmoothing(100.0))
    facts = {"moved": {"A": "A"}}
    task = Task("region", objective, partition, SIZE, {"5-split-train": "0"}, facts)
    result = fit(task, train, validation, quick, tmp_path / "region")
    found = Checkpoint.load(result.best)
    assert found.config["head"] == {"kind": "classes"}
    assert found.config["facts"]["moved"] == {"A": "A"}
    plain, calm = (found.predict(validation.images, calibrated=c) for c in (False, True))
    guessed = plain.argmax(axis=1)
    truth = classes_of(validation.targets).numpy()
    assert (guessed == truth).mean() >= 0.9
    assert np.array_equal(guessed, calm.argmax(axis=1))
    logits = np.log(plain.astype(float))

    def loss(temperature: float) -> float:
        return float(
            -log_softmax(logits / temperature, axis=1)[np.arange(len(truth)), truth].mean()
        )

    grid = np.exp(np.linspace(-4.6, 4.6, 500))
    # The colours are told apart perfectly, so the loss is flat where it is least.
    assert loss(found.temperature) <= min(loss(t) for t in grid) + 1e-6
    expected = np.exp(log_softmax(logits / found.temperature, axis=1))
    assert calm == pytest.approx(expected, abs=1e-4)
    assert result.history[result.best_epoch]["validation_median_km"] == pytest.approx(
        float(np.median(haversine_km(PLACES[guessed], PLACES[truth]))), abs=1e-3
    )
    with pytest.raises(ValueError, match="use predict"):
        found.predict_points(validation.images)


def test_temperature_is_what_a_search_finds_and_undoes_a_scaling() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)) * 2
    shares = np.exp(log_softmax(logits, axis=1))
    classes = np.array([rng.choice(5, p=share) for share in shares])
    found = fit_temperature(logits, classes)
    assert found == pytest.approx(1.0, abs=0.06)  # drawn from them, they are calibrated
    assert fit_temperature(7 * logits, classes) == pytest.approx(7 * found, rel=1e-3)
    searched = minimize(
        lambda t: -log_softmax(logits / t[0], axis=1)[np.arange(4000), classes].mean(),
        [2.0],
        method="Nelder-Mead",
    )
    assert found == pytest.approx(searched.x[0], rel=1e-3)
    assert fit_temperature(np.empty((0, 3)), np.empty(0, int)) == 1.0
    with pytest.raises(ValueError, match="classes from 0 to 4"):
        fit_temperature(logits[:1], [5])


def test_regions_without_photos_are_no_classes_and_small_ones_move(tiny_root: Path) -> None:
    # The photos lie at 50 N 14 E, 46 N 2 E and 36 N 140 E; the last validation photo in Kenya.
    centres = {"CZ.1": (50.3, 14.4), "FR.1": (46.4, 2.2), "JP.1": (35.9, 139.7), "KE.1": (-1, 36.8)}
    table = pd.DataFrame(
        {
            "code": list(centres),
            "name": list(centres),
            "lat": [lat for lat, _ in centres.values()],
            "lon": [lon for _, lon in centres.values()],
            "country": [code[:2] for code in centres],
        }
    )
    shapes = [box(lon - 2, lat - 2, lon + 2, lat + 2) for lat, lon in centres.values()]
    partition = Partition("regions", gpd.GeoDataFrame(table, geometry=shapes, crs="EPSG:4326"))
    lists = read_lists("tiny", 0, 0)
    records = pd.concat([lists.train.records, lists.validation.records])
    save_regions("tiny", partition, label_regions(partition, records[["lat", "lon"]]))
    regions = read_regions("tiny")
    found = region_targets(lists.train, lists.validation, regions, 1, "merge", "photos")
    assert found.partition.codes == ["CZ.1", "FR.1", "JP.1"]
    assert found.partition.countries == ["CZ", "FR", "JP"]
    # Latitudes 50.1 + n / 100 for n = 0, 3, .. 45: the middle of the photos, not of the area.
    assert found.partition.centres[0] == pytest.approx([50.1 + 0.225, 14.4], abs=1e-3)
    assert (len(found.train), len(found.validation)) == (48, 15)
    assert found.facts["moved"] == {code: code for code in ("CZ.1", "FR.1", "JP.1")}
    assert found.reach["validation"]["no_class"] == 1
    assert any("1 lie in 1 regions without a class" in line for line in found.report)
    by_area = region_targets(lists.train, lists.validation, regions, 1, "merge", "area")
    assert by_area.partition.centres[0] == pytest.approx([50.3, 14.4])
    with pytest.raises(ValueError, match="'merge', 'leave-out'"):
        region_targets(lists.train, lists.validation, regions, 1, "drop", "photos")
    assert torch.equal(classes_of(found.train_targets)[:3], torch.tensor([0, 1, 2]))
