"""Regions: made files as Natural Earth has them, the gazetteer, and real files where they are."""

import functools
import hashlib
import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from sklearn.neighbors import BallTree

from shared import regions
from shared.boundaries import world_outlines
from shared.gazetteer import gazetteer
from shared.geo import EARTH_RADIUS_KM, to_lat_lon, to_unit_vectors
from shared.partitions import Partition, countries_partition
from shared.regions import regions_partition

GEODATA = Path(
    os.environ.get("LOST_AND_FOUND_GEODATA")
    or Path(__file__).parents[2] / "shared" / "data" / "geodata"
)
WORLD = GEODATA / "admin_1_world_rounded.geojson"
STATES = GEODATA / "ne_50m_admin_1_states_provinces.geojson"
needs_world = pytest.mark.skipif(not WORLD.exists(), reason="admin-1 polygons are not here")
needs_states = pytest.mark.skipif(not STATES.exists(), reason="admin-1 polygons are not here")


def _feature(shape: Any, **properties: str | None) -> dict[str, Any]:
    geometry = shapely.geometry.mapping(shape)
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _square(lat: float, lon: float, size: float = 1.0) -> shapely.Polygon:
    """A square around a point."""
    half = size / 2
    return shapely.box(lon - half, lat - half, lon + half, lat + half)


def _written(path: Path, *features: dict[str, Any]) -> str:
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return str(path)


@pytest.fixture(scope="module")
def by_gazetteer() -> Partition:
    return regions_partition()


@pytest.fixture(scope="module")
def world() -> Partition:
    return regions_partition(str(WORLD))


@pytest.fixture
def natural_earth_like(tmp_path: Path) -> str:
    france = {"iso_a2": "FR", "adm0_a3": "FRA"}
    afghan = {"iso_a2": "AF", "iso_3166_2": "AF-URU", "name": "Uruzgan"}
    return _written(
        tmp_path / "admin1.geojson",
        _feature(_square(47.4, 8.6), iso_a2="CH", iso_3166_2="CH-ZH", name="Zürich"),
        _feature(_square(33, 66), adm1_code="AFG-1752", **afghan),
        _feature(_square(34, 66), adm1_code="AFG-1753", **afghan),
        _feature(_square(-21.1, 55.5), iso_3166_2="FR-RE", name="La Réunion", **france),
        _feature(_square(48.85, 2.35), iso_3166_2="FR-75", name="Paris", **france),
        _feature(_square(9.6, 44.1), iso_a2="-99", adm0_a3="SOL", name=None, name_en="Awdal"),
        _feature(_square(35.5, 77), iso_a2="-99", adm0_a3="KAS", name="Siachen"),
        _feature(_square(-22.5, 17), iso_a2="NA", iso_3166_2="NA-KH", name="Khomas"),
    )


def test_codes_are_iso_where_that_is_one_regions_own(natural_earth_like: str) -> None:
    codes = regions_partition(natural_earth_like).codes
    assert {"CH-ZH", "NA-KH", "FR-75", "AFG-1752", "AFG-1753"} <= set(codes)
    assert "AF-URU" not in codes  # two areas have it
    assert "SO.001" in codes  # without any code of its own


def test_names_are_of_country_region_and_code(natural_earth_like: str) -> None:
    found = regions_partition(natural_earth_like)
    names = dict(zip(found.codes, found.names, strict=True))
    assert names["CH-ZH"] == "Switzerland, Zürich (CH-ZH)"
    assert names["SO.001"] == "Somalia, Awdal (SO.001)"
    assert len(set(names.values())) == len(names)


def test_countries_are_fixed_as_everywhere(natural_earth_like: str) -> None:
    found = regions_partition(natural_earth_like)
    countries = dict(zip(found.codes, found.countries, strict=True))
    assert countries["FR-RE"] == "RE"  # a territory that the file draws within France
    assert countries["FR-75"] == "FR"
    assert countries["NA-KH"] == "NA"
    assert countries["none.001"] == ""  # the glacier belongs to nobody, and has no place
    joined = regions_partition(natural_earth_like, "sovereign")
    assert dict(zip(joined.codes, joined.countries, strict=True))["FR-RE"] == "FR"


def test_the_same_file_gives_the_same_partition(natural_earth_like: str) -> None:
    first, second = (regions_partition(natural_earth_like) for _ in range(2))
    assert first.table.drop(columns="geometry").equals(second.table.drop(columns="geometry"))
    assert first.codes == sorted(first.codes)


def test_a_file_without_names_is_refused(tmp_path: Path) -> None:
    path = _written(tmp_path / "bare.geojson", _feature(_square(0, 0), colour="red"))
    with pytest.raises(ValueError, match=r"a column of .*iso_a2.* in .*bare\.geojson"):
        regions_partition(path)


def test_a_missing_file_names_the_choices(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"natural-earth-10m.*gazetteer"):
        regions_partition(str(tmp_path / "none.geojson"))


def test_an_enclave_is_not_part_of_what_lies_around_it(tmp_path: Path) -> None:
    around = _square(-29.5, 28.5, 6) - _square(-29.5, 28.5, 2)
    path = _written(
        tmp_path / "enclave.geojson",
        _feature(around, iso_a2="ZA", iso_3166_2="ZA-FS", name="Free State"),
        _feature(_square(-29.5, 28.5, 1.9), iso_a2="LS", iso_3166_2="LS-A", name="Maseru"),
    )
    found = regions_partition(path)
    codes, distance_km = found.label_with_distance([(-29.5, 28.5), (-29.5, 26.5), (-29.5, 29.46)])
    assert codes.tolist() == ["LS-A", "ZA-FS", "LS-A"]  # the last in the gap, 1 km from LS
    assert distance_km[:2].tolist() == [0, 0]
    assert 0 < distance_km[2] < 2


def test_regions_across_the_antimeridian_are_one(tmp_path: Path) -> None:
    chukotka = shapely.MultiPolygon(
        [shapely.box(170, 62, 180, 70), shapely.box(-180, 64, -170, 68)]
    )
    path = _written(
        tmp_path / "antimeridian.geojson",
        _feature(chukotka, iso_a2="RU", iso_3166_2="RU-CHU", name="Chukotka"),
        _feature(shapely.box(-166, 55, -141, 71), iso_a2="US", iso_3166_2="US-AK", name="Alaska"),
    )
    found = regions_partition(path)
    points = [(66, 179.99), (66, -179.99), (61, -179.9), (61, 179.9)]
    assert found.label(points).tolist() == ["RU-CHU"] * 4
    _, km = found.nearest([(66, -179.9)], 2)
    assert km[0, 1] < 700  # to Alaska: 13.9 degrees of longitude at 66 N, not 346
    centre = found.centres[found.codes.index("RU-CHU")]
    assert centre[1] > 170 or centre[1] < -175


def test_poles_are_in_what_holds_or_is_nearest_to_them(tmp_path: Path) -> None:
    path = _written(
        tmp_path / "poles.geojson",
        _feature(shapely.box(-180, -90, 180, -70), iso_a2="AQ", name="Antarctica"),
        _feature(shapely.box(-60, 60, -20, 83), iso_a2="GL", name="Greenland"),
        _feature(shapely.box(-90, 50, -70, 80), iso_a2="CA", name="Nunavut"),
    )
    found = regions_partition(path)
    assert found.label([(-90, 0), (-90, 179), (90, 0), (90, -150)]).tolist() == [
        "AQ.001",
        "AQ.001",
        "GL.001",
        "GL.001",
    ]
    _, distance_km = found.label_with_distance([(90, 100)])
    assert distance_km[0] == pytest.approx(7 * 111.195, abs=1)
    assert found.centres[0][0] == pytest.approx(-90, abs=1e-6)


@pytest.mark.parametrize(
    ("point", "country", "region"),
    [
        ((-29.31, 27.48), "LS", "Maseru"),
        ((41.9029, 12.4530), "VA", "Vatican"),
        ((54.71, 20.51), "RU", "Kaliningrad"),
        ((-16.8, -179.99), "FJ", "Northern"),
        ((64.42, -173.2), "RU", "Chuk"),
        ((19.7, -155.1), "US", "Hawaii"),
        ((-21.1, 55.5), "RE", "Reunion"),
        ((90.0, 0.0), "SJ", "Svalbard"),
        ((-90.0, 0.0), "AQ", "Antarctica"),
        ((-22.56, 17.08), "NA", "Khomas"),
    ],
)
def test_places_of_the_gazetteer_name_regions_all_over_the_world(
    by_gazetteer: Partition, point: tuple[float, float], country: str, region: str
) -> None:
    row = by_gazetteer.index_of(by_gazetteer.label([point]))[0]
    assert by_gazetteer.countries[row] == country
    assert region in by_gazetteer.names[row]


def test_the_gazetteers_regions_are_numbered_by_country(by_gazetteer: Partition) -> None:
    table = by_gazetteer.table
    assert len(table) == 3734
    assert table["name"].is_unique
    swiss = table[table["country"] == "CH"]
    assert swiss["code"].tolist() == [f"CH.{n:03d}" for n in range(1, 27)]  # 26 cantons
    # Each region has places, and every place is in one region.
    assert shapely.get_num_geometries(table.geometry.to_numpy()).sum() == len(gazetteer())


def test_random_points_have_the_region_of_the_place_that_another_tree_finds(
    by_gazetteer: Partition,
) -> None:
    points = _random_points(10_000)
    places, owners = shapely.get_coordinates(by_gazetteer.table.geometry, return_index=True)
    tree = BallTree(np.radians(places[:, ::-1]), metric="haversine")
    radians, found = tree.query(np.radians(points))
    codes, distance_km = by_gazetteer.label_with_distance(points)
    np.testing.assert_allclose(distance_km, radians[:, 0] * EARTH_RADIUS_KM, atol=1e-6)
    expected = np.asarray(by_gazetteer.codes, dtype=object)[owners[found[:, 0]]]
    ties = codes != expected
    assert ties.sum() <= 5  # two places at one point, of two regions


def test_random_points_have_the_area_that_arcs_and_joins_find() -> None:
    """10,000 points: inside by geopandas' join, outside by the exact distance to every edge."""
    outlines = world_outlines()
    partition = countries_partition(outlines["code"], outlines)
    points = _random_points(10_000)
    codes, distance_km = partition.label_with_distance(points)
    frame = gpd.GeoDataFrame(geometry=shapely.points(points[:, ::-1]), crs=4326)
    joined = frame.sjoin(outlines[["code", "geometry"]], predicate="intersects")
    joined = joined[~joined.index.duplicated()]
    inside = np.isin(np.arange(len(points)), joined.index)
    assert (distance_km[inside] == 0).all()
    assert (codes[inside] == joined["code"].sort_index().to_numpy()).all()

    exact_km = _arc_distances_km(points[~inside], partition)
    rows = partition.index_of(codes[~inside])
    mine_km = exact_km[np.arange(len(rows)), rows]
    # Outlines are searched at places 0.02 degrees apart: no more than 1.1 km is lost.
    np.testing.assert_allclose(mine_km, exact_km.min(axis=1), atol=1.2)
    np.testing.assert_allclose(distance_km[~inside], mine_km, atol=1.2)


@needs_world
def test_random_points_have_the_region_of_geopandas_join(world: Partition) -> None:
    points = _random_points(10_000)
    frame = gpd.GeoDataFrame(geometry=shapely.points(points[:, ::-1]), crs=4326)
    joined = frame.sjoin(world.table[["code", "geometry"]], predicate="intersects")
    codes, distance_km = world.label_with_distance(points)
    assert set(np.flatnonzero(distance_km == 0)) == set(joined.index)
    pairs = set(zip(joined.index, joined["code"], strict=True))
    assert all((row, codes[row]) in pairs for row in set(joined.index))


@needs_world
@pytest.mark.parametrize(
    ("point", "country", "region"),
    [
        ((-29.6, 28.3), "LS", ""),
        ((54.71, 20.9), "RU", "Kaliningrad"),
        ((66.5, 179.99), "RU", "Chuk"),
        ((66.5, -179.99), "RU", "Chuk"),
        ((-21.1, 55.5), "RE", "Réunion"),
        ((-90.0, 12.0), "AQ", "Antarctica"),
        ((46.0, -5.5), "FR", "Finist"),
    ],
)
def test_real_outlines_name_enclaves_islands_and_the_antimeridian(
    world: Partition, point: tuple[float, float], country: str, region: str
) -> None:
    row = world.index_of(world.label([point]))[0]
    assert world.countries[row] == country
    assert region in world.names[row]


@needs_states
def test_states_of_four_countries_have_their_iso_codes() -> None:
    states = regions_partition(str(STATES))
    assert len(states) == 100
    assert {"US-HI", "CA-NU", "BR-AM", "AU-WA"} <= set(states.codes)
    assert states.label([(36.1, -115.2), (-33.9, 151.2)]).tolist() == ["US-NV", "AU-NSW"]


def _random_points(count: int) -> np.ndarray:
    """Points spread evenly over the sphere, the poles and the antimeridian among them."""
    vectors = np.random.default_rng(4).normal(size=(count, 3))
    points = to_lat_lon(vectors)
    points[:4] = [(90, 0), (-90, 0), (66, 180), (-17, -180)]
    return points


def _arc_distances_km(points: np.ndarray, partition: Partition) -> np.ndarray:
    """(N, K) distances from points to the outlines of classes: to every arc, on the sphere."""
    lines = shapely.segmentize(shapely.boundary(partition.table.geometry.to_numpy()), 1.0)
    parts, owner = shapely.get_parts(lines, return_index=True)
    places, part = shapely.get_coordinates(parts, return_index=True)
    vectors = to_unit_vectors(np.clip(places[:, ::-1], (-90, -180), (90, 180)))
    is_arc = part[1:] == part[:-1]
    start, end = vectors[:-1][is_arc], vectors[1:][is_arc]
    is_arc_long = np.linalg.norm(end - start, axis=1) > 1e-9
    start, end = start[is_arc_long], end[is_arc_long]
    owners = owner[part[:-1][is_arc]][is_arc_long]
    normal = np.cross(start, end)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    first = np.flatnonzero(np.append(True, np.diff(owners) != 0))
    found = []
    for chunk in np.array_split(to_unit_vectors(points), len(points) // 200 + 1):
        height = chunk @ normal.T
        ends = np.arccos(np.clip(np.maximum(chunk @ start.T, chunk @ end.T), -1, 1))
        # The foot of the point lies on the arc if it lies between both ends.
        beyond = chunk @ np.cross(normal, start).T
        before = chunk @ np.cross(end, normal).T
        angle = np.where(
            (beyond > 0) & (before > 0), np.abs(np.arcsin(np.clip(height, -1, 1))), ends
        )
        found.append(np.minimum.reduceat(angle, first, axis=1))
    return np.concatenate(found) * EARTH_RADIUS_KM


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, bytes]]:
    """Point the download at loopback: where the file is served from, and what is expected."""
    folder = tmp_path / "served"
    folder.mkdir()
    content = Path(_written(tmp_path / "one", _feature(_square(0, 0), iso_a2="GA", name="A")))
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{running.server_address[1]}/regions.json"
        digest = hashlib.sha256(content.read_bytes()).hexdigest()
        monkeypatch.delenv("LOST_AND_FOUND_GEODATA", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setattr(regions, "NATURAL_EARTH_URL", url)
        monkeypatch.setattr(regions, "NATURAL_EARTH_SHA256", digest)
        yield folder / "regions.json", content.read_bytes()
        running.shutdown()
        thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_natural_earth_is_downloaded_once_and_checked(served: tuple[Path, bytes]) -> None:
    path, content = served
    path.write_bytes(content)
    assert regions_partition("natural-earth-10m").countries == ["GA"]
    path.unlink()
    assert regions_partition("natural-earth-10m").countries == ["GA"]


def test_other_bytes_are_not_used(served: tuple[Path, bytes]) -> None:
    path, content = served
    path.write_bytes(content + b" ")
    with pytest.raises(FileNotFoundError, match="hash"):
        regions_partition("natural-earth-10m")


def test_no_network_names_the_offline_choices(served: tuple[Path, bytes]) -> None:
    with pytest.raises(FileNotFoundError, match=r"LOST_AND_FOUND_GEODATA.*'gazetteer'"):
        regions_partition("natural-earth-10m")


def test_the_folder_of_geodata_is_looked_in_first(
    served: tuple[Path, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / regions.NATURAL_EARTH_NAME
    path.write_bytes(served[1])
    monkeypatch.setenv("LOST_AND_FOUND_GEODATA", str(tmp_path))
    assert regions.natural_earth_regions_path() == path


def test_the_pinned_address_is_of_a_commit() -> None:
    assert "/f1890d9f152c896d250a77557a5751a93d494776/" in regions.NATURAL_EARTH_URL
    assert len(regions.NATURAL_EARTH_SHA256) == 64
