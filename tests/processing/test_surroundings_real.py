"""Koeppen-Geiger at known cities, from a real raster of 100 arc seconds."""

import os
from pathlib import Path

import pandas as pd
import pytest

from shared.processing.surroundings import surroundings
from shared.processing.surroundings_measured import Rasters

ROOT = Path(__file__).parents[2]
GEODATA = Path(
    os.environ.get("LOST_AND_FOUND_GEODATA", ROOT.parent / "shared" / "data" / "geodata")
)
RASTER, CLASSES = GEODATA / "koppen_geiger_100arcsec.png", GEODATA / "koppen_geiger_classes.csv"

# Climates as Beck et al. (2018) and the cities' articles in Wikipedia have them.
CITIES = {
    "Singapore": (1.35, 103.82, "Af"),
    "Bangkok": (13.75, 100.52, "Aw"),
    "Cairo": (30.04, 31.24, "BWh"),
    "Las Vegas": (36.17, -115.14, "BWh"),
    "Athens": (37.98, 23.73, "Csa"),
    "Buenos Aires": (-34.60, -58.40, "Cfa"),
    "Tokyo": (35.68, 139.70, "Cfa"),
    "London": (51.51, -0.13, "Cfb"),
    "Moscow": (55.75, 37.62, "Dfb"),
    "Vostok": (-78.46, 106.84, "EF"),
}

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not RASTER.exists(), reason="no raster: name its folder in LOST_AND_FOUND_GEODATA"
    ),
]


def test_cities_have_their_climates() -> None:
    rows = {name: {"lat": lat, "lon": lon} for name, (lat, lon, _) in CITIES.items()}
    records = pd.DataFrame.from_dict(rows, orient="index")
    facts = surroundings(records, Rasters(climate=str(RASTER), climate_classes=str(CLASSES)))
    found = dict(zip(CITIES, facts["climate"], strict=True))
    assert found == {name: code for name, (_, _, code) in CITIES.items()}
    assert set(facts["climate_from"]) == {"koppen_geiger_100arcsec.png"}


def test_water_far_from_land_has_no_climate_and_a_coast_takes_the_nearest() -> None:
    # The middle of the Pacific, and 2 km off Barcelona's harbour.
    records = pd.DataFrame({"lat": [0.0, 41.36], "lon": [-140.0, 2.21]}, index=["sea", "coast"])
    settings = {"climate": str(RASTER), "climate_classes": str(CLASSES)}
    facts = surroundings(records, Rasters(**settings, reach_km=20.0))
    assert facts["climate"].tolist() == ["", "Csa"]
