"""Geocells of real street views on the world's first-level areas, whose outlines are rounded."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import shapely

from shared.geo import Floats
from shared.processing.geocells import make_geocells, preset
from shared.processing.geocells_areas import administrative_areas
from shared.processing.geocells_check import coverage_report
from shared.regions import regions_partition

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LOST_AND_FOUND_REAL_DATA", ROOT.parent / "shared" / "data"))
AREAS = REAL / "geodata" / "admin_1_world_rounded.geojson"
VIEWS = REAL / "street-views"

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (AREAS.exists() and VIEWS.is_dir()),
        reason="no real data: name their folder in LOST_AND_FOUND_REAL_DATA",
    ),
]


def _places() -> Floats:
    """Street views, and made places at the antimeridian and near the pole."""
    records = [json.loads(path.read_text()) for path in sorted(VIEWS.glob("*.json"))]
    draw = np.random.default_rng(0)
    made = [
        np.array(middle) + draw.normal(0, spread, (20, 2))
        for middle, spread in (((-16.8, 180.0), 0.3), ((66.5, 180.0), 1.0), ((78.5, 17.0), 0.8))
    ]
    places = np.vstack([[record["coordinates"] for record in records], *made])
    places[:, 1] = (places[:, 1] + 180) % 360 - 180
    return np.unique(places, axis=0)


def test_real_places_come_to_cells_that_divide_the_land() -> None:
    places = _places()
    areas = administrative_areas(regions_partition(str(AREAS)), places)
    settings = preset("scaled", len(places))
    cells = make_geocells(places, areas, settings)
    report = coverage_report(cells.partition, areas, places)
    assert report["random points in one cell"] == 10_000
    assert report["places in one class"] == len(places)
    assert abs(report["covered twice, km2"]) < 1e-6 * report["land, km2"]
    assert abs(report["not covered, km2"]) < 1e-6 * report["land, km2"]
    by_country = {country: cells.partition.countries.count(country) for country in areas.countries}
    few = cells.counts < settings.minimum
    # Only a country that is one cell may have too few places.
    alone = [by_country[country] == 1 for country in cells.partition.countries]
    assert np.asarray(alone)[few].all()
    assert (cells.counts <= settings.maximum).mean() > 0.97
    # Cells of Fiji and Chukotka lie on both sides of the seam.
    bounds = shapely.bounds(cells.partition.table.geometry.to_numpy())
    for country in ("FJ", "RU"):
        own = bounds[[c == country for c in cells.partition.countries]]
        assert ((own[:, 0] < -179) & (own[:, 2] > 179)).any()
    again = make_geocells(places[::-1], areas, settings)
    assert again.partition.table.equals(cells.partition.table)
