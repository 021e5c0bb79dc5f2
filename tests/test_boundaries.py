"""Country polygons: tiny squares made here, a server on loopback, never the network."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely

from shared import boundaries
from shared.boundaries import PolygonIndex, country_polygons, world_outlines


def _feature(box: tuple[float, float, float, float], **properties: str) -> dict[str, Any]:
    """A square from west, south, east and north, degrees."""
    shape = shapely.geometry.mapping(shapely.box(*box))
    return {"type": "Feature", "properties": properties, "geometry": shape}


def _geojson(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": list(features)})


@pytest.fixture
def natural_earth_like(tmp_path: Path) -> Path:
    path = tmp_path / "countries.geojson"
    path.write_text(
        _geojson(
            _feature((0, 40, 10, 50), ISO_A2="-99", ADM0_A3="FRA", NAME="France"),
            _feature((20, 40, 22, 42), ISO_A2="XK", ADM0_A3="KOS", NAME="Kosovo"),
            _feature((10, 60, 12, 62), ISO_A2="-99", ADM0_A3="NOR", NAME="Norway"),
            _feature((32, 35, 33, 36), ISO_A2="-99", ADM0_A3="CYN", NAME="N. Cyprus"),
            _feature((33, 35, 34, 36), ISO_A2="CY", ADM0_A3="CYP", NAME="Cyprus"),
            _feature((15, -25, 17, -20), ISO_A2="NA", ADM0_A3="NAM", NAME="Namibia"),
            _feature((77, 35, 78, 36), ISO_A2="-99", ADM0_A3="KAS", NAME="Siachen Glacier"),
            _feature((-68, 18, -65, 19), ISO_A2="PR", ADM0_A3="PRI", NAME="Puerto Rico"),
        )
    )
    return path


def test_codes_of_minus_99_are_fixed(natural_earth_like: Path) -> None:
    table = country_polygons(str(natural_earth_like))
    assert table["code"].tolist() == ["CY", "FR", "NA", "NO", "PR", "XK"]
    assert table["name"].tolist()[2] == "Namibia"
    area = table.set_index("code").geometry["CY"].area
    assert area == pytest.approx(2)  # its north is counted with it


def test_territories_join_their_sovereigns_when_asked(natural_earth_like: Path) -> None:
    codes = country_polygons(str(natural_earth_like), "sovereign")["code"].tolist()
    assert "US" in codes
    assert "PR" not in codes


def test_the_exact_code_column_comes_before_the_iso_one(tmp_path: Path) -> None:
    path = tmp_path / "eh.geojson"
    path.write_text(_geojson(_feature((0, 0, 1, 1), ISO_A2_EH="FR", ISO_A2="-99", NAME="France")))
    assert country_polygons(str(path))["code"].tolist() == ["FR"]


def test_geoparquet_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "own.parquet"
    shapes = gpd.GeoDataFrame({"code": ["NA"]}, geometry=[shapely.box(15, -25, 17, -20)], crs=4326)
    shapes.to_parquet(path)
    assert country_polygons(str(path))["name"].tolist() == ["Namibia"]


def test_a_missing_file_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"natural-earth-50m.*empty string"):
        country_polygons(str(tmp_path / "none.geojson"))


def test_a_file_without_codes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "shapes.geojson"
    path.write_text(_geojson(_feature((0, 0, 1, 1), colour="red")))
    with pytest.raises(ValueError, match="column 'code'"):
        country_polygons(str(path))


def test_the_folder_of_geodata_is_looked_in_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ne_50m_admin_0_countries.geojson"
    path.write_text("{}")
    monkeypatch.setenv("LOST_AND_FOUND_GEODATA", str(tmp_path))
    assert boundaries.natural_earth_path() == path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A file server on loopback, and the folder that it serves."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, directory=str(folder), **kwargs)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", folder
        running.shutdown()
        thread.join()


@pytest.fixture
def download(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, bytes]:
    """Point the download at loopback; where it is served from, and the bytes that it expects."""
    url, folder = server
    content = _geojson(_feature((0, 0, 1, 1), ISO_A2="FR")).encode()
    monkeypatch.delenv("LOST_AND_FOUND_GEODATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(boundaries, "NATURAL_EARTH_URL", f"{url}/countries.json")
    digest = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(boundaries, "NATURAL_EARTH_SHA256", digest)
    return folder / "countries.json", content


def test_polygons_are_downloaded_once(download: tuple[Path, bytes]) -> None:
    served, content = download
    served.write_bytes(content)
    assert country_polygons("natural-earth-50m")["code"].tolist() == ["FR"]
    served.unlink()
    assert country_polygons("natural-earth-50m")["code"].tolist() == ["FR"]


def test_other_bytes_are_not_used(download: tuple[Path, bytes]) -> None:
    served, content = download
    served.write_bytes(content + b" ")
    with pytest.raises(FileNotFoundError, match="hash"):
        country_polygons("natural-earth-50m")


def test_no_network_names_the_offline_choices(download: tuple[Path, bytes]) -> None:
    with pytest.raises(FileNotFoundError, match=r"LOST_AND_FOUND_GEODATA.*empty string"):
        country_polygons("natural-earth-50m")


def test_the_pinned_address_is_of_a_commit() -> None:
    assert "/0b9a6ceb0a7032713abd9460ac1e995a9c60cd1e/" in boundaries.NATURAL_EARTH_URL
    assert len(boundaries.NATURAL_EARTH_SHA256) == 64


def test_outlines_of_the_world_need_no_network() -> None:
    outlines = world_outlines()
    assert {"FR", "NO", "XK", "CY", "SO", "NA", "US"} <= set(outlines["code"])
    assert outlines.crs.to_epsg() == 4326
    assert outlines["code"].is_unique
    holds_paris = outlines.set_index("code").geometry["FR"].contains(shapely.Point(2.35, 48.85))
    assert holds_paris


def test_inside_edge_and_outside() -> None:
    index = PolygonIndex([shapely.box(0, 0, 2, 2), None, shapely.box(2, 0, 4, 2)])
    rows, distance_km = index.label([(1, 1), (1, 2), (1, 3), (5, 5)])
    assert rows.tolist() == [0, 0, 2, -1]  # the shared border belongs to the first
    assert distance_km.tolist() == [0, 0, 0, np.inf]


def test_nearest_polygon_is_told_with_its_distance() -> None:
    index = PolygonIndex([None, shapely.box(0, 0, 2, 2), shapely.box(10, 0, 12, 2)])
    rows, distance_km = index.nearest([(1, 3), (1, 9)])
    assert rows.tolist() == [1, 2]
    # One degree of longitude at latitude 1: 111.195 km times cos 1°, less than 2 m for the arc.
    np.testing.assert_allclose(distance_km, 111.178, atol=0.02)


def test_nearest_polygon_may_lie_across_the_antimeridian() -> None:
    index = PolygonIndex([shapely.box(176, -20, 179.5, -15), shapely.box(-176, -20, -170, -15)])
    rows, _ = index.nearest([(-17, -179.9)])
    assert rows.tolist() == [0]


def test_nearest_of_no_polygons_is_none() -> None:
    rows, distance_km = PolygonIndex(np.array([None])).nearest([(0, 0)])
    assert rows.tolist() == [-1]
    assert distance_km.tolist() == [np.inf]
