"""What surrounds photos: made rasters, records, the driving side table, and pinned addresses."""

import hashlib
import os
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin

from shared.collection.demo_place import make_place
from shared.countries import all_codes
from shared.processing.surroundings import (
    COLUMNS,
    UNITS,
    driving_sides,
    facts_of,
    load_surroundings,
    month_of,
    save_surroundings,
    surroundings,
)
from shared.processing.surroundings_climate import climate_name, koeppen, read_classes
from shared.processing.surroundings_measured import Rasters
from shared.processing.surroundings_rasters import cell_areas_km2, sample
from shared.processing.surroundings_sources import local_name

Values = NDArray[Any]
SERVER = Path(__file__).with_name("range_server.py")
KM_A_DEGREE = 111.195  # 2 pi 6371.0088 / 360


def _raster(
    path: Path, values: Values, west: float, north: float, step: float, **more: object
) -> str:
    settings = {"crs": "EPSG:4326", "dtype": values.dtype.name} | more
    scales = settings.pop("scales", None)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=values.shape[0],
        width=values.shape[1],
        count=1,
        transform=from_origin(west, north, step, step),
        **settings,
    ) as raster:
        raster.write(values, 1)
        if scales:
            raster.scales = scales
    return str(path)


def _world(path: Path, step: float = 10.0, **more: object) -> str:
    """A raster of the Earth whose cells are numbered row by row from the north-west."""
    shape = int(180 / step), int(360 / step)
    values = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    return _raster(path, values, -180, 90, step, **more)


def test_points_take_the_value_of_their_cell(tmp_path: Path) -> None:
    path = _world(tmp_path / "world.tif")
    # By hand: 36 columns; the corner points belong to the first and last rows, and 180 is -180.
    points = [(85, -175), (85, 175), (-85, 175), (5, 5), (90, 180), (-90, -180), (5, 180)]
    values, distance_km, answered = sample([path], points)
    assert values.tolist() == [0, 35, 17 * 36 + 35, 8 * 36 + 18, 0, 17 * 36, 8 * 36]
    assert distance_km.tolist() == [0] * 7
    assert answered.tolist() == [0] * 7


def test_water_takes_the_nearest_cell_of_land_within_reach(tmp_path: Path) -> None:
    values = np.full((10, 20), -9999.0, dtype=np.float32)
    values[:, 0] = 7  # the westernmost column, from 180 W to 162 W
    path = _raster(tmp_path / "sea.tif", values, -180, 90, 18, nodata=-9999)
    points = [(9, 177), (9, 100)]
    found, distance_km, answered = sample([path], points, reach_km=2000)
    assert np.isnan(found).tolist() == [False, True]
    assert answered.tolist() == [0, -1]
    # Across the antimeridian: from 177 E to the middle of the column at 171 W.
    assert distance_km[0] == pytest.approx(12 * KM_A_DEGREE * np.cos(np.radians(9)), rel=0.01)
    assert np.isnan(sample([path], points, reach_km=1000)[0]).all()


def test_tiles_answer_for_their_part_and_scales_are_applied(tmp_path: Path) -> None:
    west = _raster(tmp_path / "w.tif", np.full((4, 4), 10, dtype=np.int16), 0, 4, 1, scales=(0.1,))
    east = _raster(tmp_path / "e.tif", np.full((4, 4), 50, dtype=np.int16), 4, 4, 1)
    values, _, answered = sample([west, east], [(1, 1), (1, 5), (1, 9)])
    assert answered.tolist() == [0, 1, -1]
    assert values[:2].tolist() == pytest.approx([1.0, 50.0])
    assert np.isnan(values[2])


def test_a_raster_in_metres_is_read_by_its_projection(tmp_path: Path) -> None:
    # Mollweide: x of (0, lon) is 2 sqrt(2) R lon / pi; at 90 E that is sqrt(2) a, 9,020,048 m.
    values = np.arange(4, dtype=np.float32).reshape(1, 4)
    with rasterio.open(
        tmp_path / "moll.tif",
        "w",
        driver="GTiff",
        height=1,
        width=4,
        count=1,
        dtype="float32",
        crs="ESRI:54009",
        transform=from_origin(9_020_048 - 2000, 500, 1000, 1000),
    ) as raster:
        raster.write(values, 1)
    east = 89.999, 90.001  # 100 m to either side of the border of the second and third cell
    found = sample([str(tmp_path / "moll.tif")], [(0, lon) for lon in east]).value
    assert found.tolist() == [1, 2]
    assert cell_areas_km2(str(tmp_path / "moll.tif"), [(0, 90)]).tolist() == pytest.approx([1.0])


def test_cells_in_degrees_have_the_area_of_their_latitude(tmp_path: Path) -> None:
    path = _world(tmp_path / "world.tif", 1.0)
    area = cell_areas_km2(path, [(0.5, 0.5), (60.5, 0.5)])
    radius = 6371.0088
    exact = [radius**2 * np.radians(1) * (np.sin(np.radians(b)) - np.sin(np.radians(a)))
             for a, b in ((0, 1), (60, 61))]  # fmt: skip
    assert area.tolist() == pytest.approx(exact, rel=1e-6)


def test_a_picture_without_a_projection_covers_the_earth(tmp_path: Path) -> None:
    values = np.repeat(np.arange(18, dtype=np.uint8)[:, None], 36, axis=1)
    for name, array in (("whole.png", values), ("half.png", values[:, :18])):
        with rasterio.open(
            tmp_path / name,
            "w",
            driver="PNG",
            height=18,
            width=array.shape[1],
            count=1,
            dtype="uint8",
        ) as raster:
            raster.write(array, 1)
    assert sample([str(tmp_path / "whole.png")], [(89, 0), (-89, 0)])[0].tolist() == [0, 17]
    with pytest.raises(ValueError, match="twice as wide as high, but it is 18 x 18"):
        sample([str(tmp_path / "half.png")], [(0, 0)])


def test_an_absent_raster_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"rasterio opens at nowhere\.tif"):
        sample(["nowhere.tif"], [(0, 0)])


@pytest.mark.parametrize(
    ("year", "code"),
    [
        ((11.0, 13.0, 1.65, 0.8), "Cfb"),  # London
        ((23.0, 22.0, 0.07, 0.1), "BWh"),  # Cairo
        ((27.5, 1.8, 6.4, 4.0), "Af"),  # Singapore
        ((6.0, 26.0, 1.9, 1.3), "Dfb"),  # Moscow
        ((16.0, 21.0, 3.2, 2.5), "Cfa"),  # Tokyo, mild
        ((1.0, 10.0, 2.0, 1.0), "ET"),
        ((-50.0, 35.0, 0.1, 0.1), "EF"),
        ((-9.0, 57.0, 0.65, 1.0), "Dfc"),  # eastern Siberia, but for its coldest months
        ((9.0, 26.0, 0.6, 0.5), "BSk"),
        ((np.nan, 1.0, 1.0, 1.0), ""),
    ],
)
def test_the_rule_names_known_climates(year: tuple[float, ...], code: str) -> None:
    assert koeppen(*([value] for value in year)).tolist() == [code]


def test_climates_have_names_and_wrong_letters_are_refused() -> None:
    assert climate_name("Cfb") == "temperate, no dry season, warm summer"
    assert climate_name("BWh") == "dry, desert, hot"
    assert climate_name("") == ""
    with pytest.raises(ValueError, match="such as 'Cfb', but got 'Xyz'"):
        climate_name("Xyz")


def test_the_numbers_of_rasters_have_letters(tmp_path: Path) -> None:
    # Beck et al. (2018), legend: 1 Af, 4 BWh, 15 Cfb, 26 Dfb, 29 ET, 30 EF.
    beck = read_classes(None)
    assert [beck[n] for n in (1, 4, 15, 26, 29, 30)] == ["Af", "BWh", "Cfb", "Dfb", "ET", "EF"]
    path = tmp_path / "classes.csv"
    path.write_text(",kg_zone,zoneNum\n1,Af,1\n32,Ocean,32\n")
    assert read_classes(path) == {1: "Af"}
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="the columns zoneNum and kg_zone"):
        read_classes(path)


def test_every_country_has_a_driving_side() -> None:
    sides = driving_sides()
    assert list(sides) == all_codes()
    left = ("AU", "CY", "GB", "IE", "IN", "JP", "KE", "MT", "NZ", "TH", "WS", "ZA")
    right = ("BR", "CN", "DE", "FR", "GI", "IO", "MM", "SE", "US", "XK")
    assert {sides[code] for code in left} == {"left"}
    assert {sides[code] for code in right} == {"right"}
    assert sides["AQ"] == ""


def test_months_come_from_dates() -> None:
    assert [month_of("2019-07"), month_of("2019-12-31")] == [7, 12]
    assert np.isnan([month_of(""), month_of("2019"), month_of("2019-13"), month_of(np.nan)]).all()


def _records(rows: dict[str, dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("id")


def test_each_fact_says_where_it_is_from(tmp_path: Path) -> None:
    climate = _raster(tmp_path / "kg.tif", np.full((2, 4), 15, dtype=np.uint8), -180, 90, 90)
    tavg = [_raster(tmp_path / f"tavg_{m:02d}.tif", np.full((2, 4), float(m)), -180, 90, 90)
            for m in range(1, 13)]  # fmt: skip
    prec = [_raster(tmp_path / f"prec_{m:02d}.tif", np.full((2, 4), 31.0), -180, 90, 90)
            for m in range(1, 13)]  # fmt: skip
    people = _raster(tmp_path / "people.tif", np.full((2, 4), 250.0), -180, 90, 90)
    height = _raster(tmp_path / "height.tif", np.full((2, 2), 408.0), 0, 90, 90)
    assert len(tavg) == len(prec) == 12
    records = _records(
        {
            "a": {"lat": 47.37, "lon": 8.54, "date": "2019-07", "driving_side": "left"},
            "b": {"lat": 51.5, "lon": -0.13},
            "c": {"country": "Japan"},
            "d": {"lat": 0.0, "lon": 0.0},
        }
    )
    rasters = Rasters(
        climate=climate,
        elevation=[height],
        population=people,
        temperature=str(tmp_path / "tavg_{month:02d}.tif"),
        precipitation=str(tmp_path / "prec_{month:02d}.tif"),
    )
    facts = surroundings(records, rasters)
    assert list(facts.columns) == COLUMNS
    assert facts["climate"].tolist() == ["Cfb", "Cfb", "", ""]
    assert facts["climate_from"].tolist() == ["kg.tif", "kg.tif", "", ""]
    # The means of 1 to 12, and 11 between them; 31 mm a month, 1 mm a day in January.
    assert facts.loc["a", "temperature_c"] == pytest.approx(6.5)
    assert facts.loc["a", "temperature_range_c"] == pytest.approx(11)
    assert facts.loc["a", "precipitation_mm_day"] == pytest.approx(12 * 31 / 365.25)
    assert facts.loc["a", "precipitation_range_mm_day"] == pytest.approx(31 / 28.25 - 1)
    assert facts["population_per_km2"].tolist()[:2] == [250, 250]
    assert facts["elevation_m"].notna().tolist() == [True, False, False, False]
    assert facts.loc["a", "month"] == 7
    assert facts["month_from"].tolist() == ["capture date", "", "", ""]
    assert facts["driving_side"].tolist() == ["left", "left", "left", ""]
    sources = ["record", "country of the nearest place", "country", ""]
    assert facts["driving_side_from"].tolist() == sources


def test_people_of_a_cell_are_divided_by_its_area(tmp_path: Path) -> None:
    path = _raster(tmp_path / "people.tif", np.full((180, 360), 1000.0), -180, 90, 1)
    records = _records({"a": {"lat": 60.5, "lon": 8.5}})
    facts = surroundings(records, Rasters(population=path, population_unit="per cell"))
    # A cell of one degree at 60.5 N has 6,088 km2: 111.195^2 cos(60.5).
    assert facts.loc["a", "population_per_km2"] == pytest.approx(1000 / 6088, rel=1e-3)


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ({"population_unit": "heads"}, "Expected a unit of"),
        ({"reach_km": -1.0}, "a reach_km of at least 0"),
        ({"temperature": "tavg.tif"}, "Expected monthly rasters as"),
    ],
)
def test_rasters_that_cannot_be_read_are_refused(bad: dict[str, object], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Rasters(**bad)  # type: ignore[arg-type]


def test_every_fact_of_a_photo_has_its_unit_and_the_raster_that_told_it(tmp_path: Path) -> None:
    tiles = [
        _raster(tmp_path / "w.tif", np.full((90, 180), 408.0), -180, 90, 1),
        _raster(tmp_path / "e.tif", np.full((90, 180), 43.0), 0, 90, 1),
    ]
    records = _records({"zurich": {"lat": 47.37, "lon": 8.54}, "sea": {"lat": -47.0, "lon": 8.54}})
    facts = surroundings(records, Rasters(elevation=tiles))
    assert facts.attrs["units"] == UNITS
    known = facts_of(facts, "zurich")
    # Zurich lies in the eastern tile; the side is the country's.
    assert known == {
        "elevation_m": {"value": 43.0, "unit": "m above the sea", "from": "e.tif"},
        "driving_side": {
            "value": "right", "unit": "left or right", "from": "country of the nearest place",
        },
    }  # fmt: skip
    assert "elevation_m" not in facts_of(facts, "sea")


def test_a_raster_in_an_archive_is_read_where_it_lies(tmp_path: Path) -> None:
    plain = _world(tmp_path / "inner.tif")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "inner.tif")
    Path(plain).unlink()
    records = _records({"a": {"lat": 5.0, "lon": 5.0}})
    facts = surroundings(records, Rasters(population=f"{tmp_path / 'outer.zip'}!inner.tif"))
    assert facts.loc["a", "population_per_km2"] == 8 * 36 + 18
    assert facts.loc["a", "population_per_km2_from"] == "inner.tif"


@pytest.mark.parametrize(
    ("rasters", "expected"),
    [
        ({"climate": "kg.tif"}, r"Beck_KG_V1_present_0p0083\.tif from .* as climate"),
        ({"elevation": ["srtm.tif"]}, r"wc2\.1_10m_elev\.tif from .* as elevation; its unit is m"),
        ({"population": "p.tif"}, r"GHS_POP_E2020_GLOBE_R2023A_4326_30ss.* population_unit"),
        ({"temperature": "t_{month}.tif"}, r"wc2\.1_10m_tavg_\{month:02d\}\.tif from .*tavg\.zip"),
        ({"precipitation": "https://x.org/p_{month}.tif"}, "a pinned address.*mm, sum of a month"),
    ],
)
def test_an_absent_raster_says_what_to_download(rasters: dict[str, Any], expected: str) -> None:
    records = _records({"a": {"lat": 5.0, "lon": 5.0}})
    with pytest.raises(FileNotFoundError, match=expected):
        surroundings(records, Rasters(**rasters))


def test_the_demo_tells_what_it_was_painted_with() -> None:
    place = make_place(0, "singleplayer_00003", "GB", 51.50853, -0.12574)  # London's place
    row: dict[str, Any] = {
        "lat": place.lat,
        "lon": place.lon,
        "place": "singleplayer_00003",
        "month": place.month,
        "driving_side": "left",
        "warmth": round(place.climate.warmth, 3),
        "dryness": round(place.climate.dryness, 3),
    }
    records = _records(
        {"a": row, "b": row | {"place": "singleplayer_00009"}, "c": {"country": "Japan"}}
    )
    facts = surroundings(records, Rasters(), is_demo=True)
    height, people = (facts[name].tolist() for name in ("elevation_m", "population_per_km2"))
    assert height[:2] == [pytest.approx(10 + 2500 * place.climate.hills**2)] * 2  # visited again
    assert np.log10(people[0]) == pytest.approx(0.3 + 3.7 * place.town)
    assert facts["temperature_c"].tolist()[0] == pytest.approx(-2 + 30 * row["warmth"])
    assert facts["climate_from"].tolist() == ["the demo's record, by a rule"] * 2 + [""]
    assert np.isnan(height[2])
    other = surroundings(records, Rasters(), is_demo=True, demo_seed=7)
    assert other["elevation_m"].isna().all()  # another world: nothing is guessed


def test_the_table_is_read_again_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"run 2-data-processing/2-enrich/surroundings"):
        load_surroundings("tiny")
    facts = surroundings(_records({"a": {"lat": 47.37, "lon": 8.54}}), Rasters())
    save_surroundings("tiny", facts)
    again = load_surroundings("tiny")
    pd.testing.assert_frame_equal(again, facts)
    assert again.attrs["units"] == UNITS


@contextmanager
def _serving(path: str) -> Iterator[str]:
    """The address of a file on a loopback server that answers ranges and tells an ETag."""
    server = subprocess.Popen([sys.executable, SERVER, path], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}/{Path(path).name}"
    finally:
        server.terminate()
        server.communicate()


@pytest.fixture
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def served(tmp_path: Path, no_proxy: None) -> Iterator[tuple[str, bytes]]:
    """A raster on a loopback server."""
    path = _world(tmp_path / "remote.tif")
    with _serving(path) as url:
        yield url, Path(path).read_bytes()


def test_of_a_remote_raster_only_the_windows_with_points_are_fetched(
    tmp_path: Path, no_proxy: None
) -> None:
    values = np.random.default_rng(0).random((1800, 3600), dtype=np.float32)  # cannot be packed
    tiles = {"tiled": True, "blockxsize": 256, "blockysize": 256}
    path = _raster(tmp_path / "large.tif", values, -180, 90, 0.1, **tiles)
    points = [(47.37, 8.54), (47.1, 8.2), (-33.87, 151.21)]  # two near each other, one far off
    with _serving(path) as url:
        found = sample([f"{url}#etag=tag-1"], points).value
        with urllib.request.urlopen(f"{url.rpartition('/')[0]}/sent") as answer:
            sent = int(answer.read())
    # By hand: 10 cells a degree, from 90 N and 180 W.
    cells = [(int((90 - lat) * 10), int((lon + 180) * 10)) for lat, lon in points]
    assert found.tolist() == [float(values[cell]) for cell in cells]
    assert Path(path).stat().st_size > 25e6
    # Two or three tiles of 256 kB, the head, and what GDAL reads ahead.
    assert 0 < sent < 2e6


def test_a_remote_raster_is_read_where_it_lies_if_its_etag_is_the_pinned_one(
    served: tuple[str, bytes],
) -> None:
    url, _ = served
    found = sample([f"{url}#etag=tag-1"], [(85, -175), (5, 5)]).value
    assert found.tolist() == [0, 8 * 36 + 18]
    with pytest.raises(FileNotFoundError, match="with ETag old, but it has tag-1"):
        sample([f"{url}#etag=old"], [(0, 0)])


def test_a_remote_raster_is_downloaded_if_its_digest_is_the_pinned_one(
    served: tuple[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, data = served
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pinned = f"{url}#sha256={hashlib.sha256(data).hexdigest()}"
    assert Path(local_name(pinned)).read_bytes() == data
    assert sample([pinned], [(85, 175)])[0].tolist() == [35]
    with pytest.raises(FileNotFoundError, match=r"Could not download .* give the path of a local"):
        local_name(f"{url}#sha256={'0' * 64}")
    with pytest.raises(FileNotFoundError, match="Expected a pinned address"):
        local_name(url)
