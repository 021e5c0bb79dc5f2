from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely

from shared.data_loader import load_pairs, processed_store
from shared.evaluation.cells import cell_areas_km2, cells
from shared.evaluation.inputs import truth_of
from shared.evaluation.pooling import pool_views
from shared.evaluation.predictions import make_predictions
from shared.geo import haversine_km
from shared.partitions import Partition, countries_partition
from shared.paths import data_folder
from shared.predict import ImageRefusedError, Predictor
from shared.predict.areas import Classes
from shared.training.images import cache_images
from tests.predict.conftest import CODES, SMALL, encoded, make_checkpoint, scene


def regions() -> Partition:
    """Two squares of France and one of Spain on the equator, 1 x 1 degrees each."""
    boxes = [shapely.box(west, 0, west + 1, 1) for west in (0, 1, 2)]
    table = pd.DataFrame(
        {
            "code": ["a", "b", "c"],
            "name": ["West", "Middle", "East"],
            "lat": 0.5,
            "lon": [0.5, 1.5, 2.5],
            "country": ["FR", "FR", "ES"],
        }
    )
    return Partition("regions", gpd.GeoDataFrame(table, geometry=boxes, crs="EPSG:4326"))


def test_raw_photos_are_answered_as_evaluation_answers_them(tiny_root: Path) -> None:
    predictor = Predictor.load("tiny")
    assert predictor.resize == SMALL  # as 1-resize was run, not its default
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    images = cache_images(pairs, predictor.checkpoint.preprocessing, "d", tiny_root / "c", 1)
    expected = predictor.checkpoint.predict(images)
    raw = [data_folder("1-data-collection", "tiny") / f"{pair.id}.jpg" for pair in pairs]
    found = predictor.predict(raw, batch_size=6)
    assert np.array_equal(found.probabilities, expected)
    assert np.array_equal(predictor.predict([p.image for p in pairs]).probabilities, expected)
    assert len({row.argmax() for row in expected} | {tuple(row) for row in expected}) > 2


def test_views_are_pooled_as_evaluation_pools_them(tiny_root: Path) -> None:
    predictor = Predictor.load("tiny")
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    single = predictor.predict([pair.image for pair in pairs]).probabilities
    table = make_predictions(truth_of(pairs).assign(place="one", code="FR"), single, _classes())
    for pooling in ("log", "mean"):
        expected = pool_views(table, pooling)
        found = predictor.predict([p.image for p in pairs], views=True, pooling=pooling)
        assert len(found) == 1
        ranked = [guess.probability for guess in found[0].countries]
        assert ranked == pytest.approx(list(expected["probabilities"][0]), abs=1e-6)
        assert [guess.code for guess in found[0].countries] == list(expected["codes"][0])
    nested = predictor.predict([[p.image for p in pairs[:2]], [p.image for p in pairs[2:]]])
    assert [answer.photos for answer in nested] == [
        tuple(p.image.name for p in pairs[:2]),
        tuple(p.image.name for p in pairs[2:]),
    ]


def _classes() -> Partition:
    return countries_partition(CODES)


def test_no_point_is_given_unless_it_is_asked_for(tiny_root: Path) -> None:
    predictor = Predictor.load("tiny")
    photo = scene("FR", 1)
    quiet, asked = predictor.predict(photo), predictor.predict(photo, pin=True)
    assert quiet[0].pin is None
    assert "oint" not in quiet[0].text()
    assert asked[0].pin is not None
    assert "Point (as asked for)" in asked[0].text()
    assert any("asked for" in caution for caution in asked.cautions)
    assert not any("asked for" in caution for caution in quiet.cautions)


def test_a_bad_photo_among_good_ones_is_named_and_alone_it_is_an_error(tiny_root: Path) -> None:
    predictor = Predictor.load("tiny")
    bad = tiny_root / "bad.jpg"
    bad.write_bytes(encoded(scene("FR", 1))[:500])
    found = predictor.predict([scene("FR", 1), bad, scene("JP", 1)], batch_size=2)
    assert [answer.name for answer in found] == ["photo 1", "photo 3"]
    assert list(found.refused) == ["bad.jpg"]
    assert found.refused["bad.jpg"].startswith("truncated: ")
    with pytest.raises(ImageRefusedError, match="truncated"):
        predictor.predict(bad)
    views = predictor.predict([scene("FR", 1), bad], views=True)
    assert views[0].photos == ("photo 1",)


def test_regions_are_summed_to_countries_and_areas_are_square_kilometres(tiny_root: Path) -> None:
    folder = make_checkpoint("tiny", regions(), "region")
    predictor = Predictor.load(folder)
    classes, shares = predictor.classes, np.array([0.3, 0.25, 0.45])
    assert classes is not None
    countries = classes.best_countries(shares, 5)
    assert [(g.code, round(g.probability, 6)) for g in countries] == [("FR", 0.55), ("ES", 0.45)]
    area = classes.area(shares, 0.7)
    assert [guess.name for guess in area.classes] == ["East", "West"]
    assert area.held == pytest.approx(0.75)
    assert area.countries == ("ES", "FR")
    # WGS84: 110.574 km x 111.32 km at the equator (Snyder, 1987, table 1), within 0.1 %.
    assert area.km2 == pytest.approx(2 * 110.574 * 111.32, rel=1e-3)
    found = predictor.predict(scene("FR", 1), top=2)
    assert len(found[0].regions) == 2
    assert found.model["countries"] == 2


def test_a_temperature_makes_answers_calibrated(tiny_root: Path) -> None:
    photo = scene("CZ", 1)
    plain = Predictor.load("tiny").predict(photo)
    folder = make_checkpoint("tiny", temperature=4.0)
    calm = Predictor.load(folder).predict(photo)
    logits = np.log(plain.probabilities[0]) / 4.0  # softmax of logits / T
    expected = np.exp(logits) / np.exp(logits).sum()
    assert calm.probabilities[0] == pytest.approx(expected, abs=1e-6)
    assert "not calibrated" in " ".join(plain.cautions)
    assert "not calibrated" not in " ".join(calm.cautions)


def test_cells_cover_the_earth_and_know_their_countries() -> None:
    found = cells()
    # 4 pi R^2 with R = 6371.0088 km is 510,065,884 km2 (IUGG mean radius).
    assert cell_areas_km2(found).sum() == pytest.approx(510_065_884, rel=1e-6)
    cities = {"FR": (48.9, 2.4), "AU": (-25.0, 133.0), "NZ": (-39.0, 176.0), "RU": (66.0, -175.0)}
    for code, point in cities.items():
        nearest = int(np.argmin(haversine_km(np.asarray(point), found.centres)))
        assert found.countries[nearest] == code
    assert Classes(found).kind == "cells"


def test_settings_out_of_range_are_refused(tiny_root: Path) -> None:
    predictor = Predictor.load("tiny")
    with pytest.raises(ValueError, match=r"top=0, level=0.9"):
        predictor.predict(scene("FR", 1), top=0)
    with pytest.raises(ValueError, match=r"level=1.5"):
        predictor.predict(scene("FR", 1), level=1.5)
    with pytest.raises(ValueError, match="at least one photo"):
        predictor.predict([])
    with pytest.raises(FileNotFoundError, match="3-training"):
        Predictor.load("nowhere")
