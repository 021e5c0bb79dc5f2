"""Geocells on made areas: sizes, borders, coverage, the antimeridian and the pole."""

import geopandas as gpd
import numpy as np
import pytest
import shapely

from shared.areas import areas_km2
from shared.geo import Floats, haversine_km
from shared.partitions import Partition
from shared.processing.geocells import GeocellSettings, make_geocells, preset
from shared.processing.geocells_areas import Areas, administrative_areas
from shared.processing.geocells_check import cells_of, coverage_report, random_points
from shared.processing.geocells_cluster import Trial, halved
from shared.processing.geocells_merge import shared_borders
from shared.processing.geocells_plane import FlatArea, Plane, voronoi_groups
from shared.processing.geocells_split import Cell, split_cell
from shared.processing.geocells_tidy import tidied

SETTINGS = GeocellSettings(5, 12, (Trial("hdbscan", 3), Trial("hdbscan", 3, selection="leaf")))


def _areas(*boxes: tuple[float, float, float, float], countries: str = "") -> Areas:
    shapes = np.asarray([shapely.box(*box) for box in boxes], dtype=object)
    owners = countries.split() or ["FR"] * len(boxes)
    return Areas(shapes, owners, [f"region {n}" for n in range(len(boxes))])


def _cluster(lat: float, lon: float, count: int, seed: int, spread: float = 0.2) -> Floats:
    return np.array([lat, lon]) + np.random.default_rng(seed).normal(0, spread, (count, 2))


def _partition(areas: Areas) -> Partition:
    centres = [shape.centroid for shape in areas.shapes]
    columns = {
        "code": areas.regions,
        "name": areas.regions,
        "lat": [c.y for c in centres],
        "lon": [c.x for c in centres],
        "country": areas.countries,
    }
    return Partition("regions", gpd.GeoDataFrame(columns, geometry=list(areas.shapes), crs=4326))


def test_presets_are_the_published_ones() -> None:
    pigeon, pigeotto = preset("pigeon", 100_000, "optics"), preset("pigeotto", 10**6, "optics")
    assert (pigeon.minimum, pigeon.maximum) == (30, 60)
    assert [(t.min_samples, t.xi) for t in pigeon.trials] == [(8, 0.05), (10, 0.025), (15, 0.015)]
    assert (pigeotto.minimum, pigeotto.maximum) == (1000, 2000)
    steps = [(300, 0.05), (400, 0.005), (1000, 0.0001)]
    assert [(t.min_samples, t.xi) for t in pigeotto.trials] == steps


def test_the_scaled_preset_is_pigeons_at_its_own_size_and_smaller_below() -> None:
    assert (preset("scaled", 100_000).minimum, preset("scaled", 100_000).maximum) == (30, 60)
    assert (preset("scaled", 500).minimum, preset("scaled", 500).maximum) == (5, 10)


@pytest.mark.parametrize(("name", "method"), [("pidgeon", "optics"), ("pigeon", "kmeans")])
def test_an_unknown_preset_or_method_names_those_there_are(name: str, method: str) -> None:
    with pytest.raises(ValueError, match=r"Expected a preset of .*pigeotto.* and a method of"):
        preset(name, 100, method)


@pytest.mark.parametrize(
    "bad", [{"minimum": 9, "maximum": 5}, {"centre": "middle"}, {"rest": "drop"}]
)
def test_settings_out_of_range_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Expected 1 <= minimum <= maximum"):
        GeocellSettings(**({"minimum": 1, "maximum": 5} | bad))  # type: ignore[arg-type]


def test_no_points_make_no_cells() -> None:
    with pytest.raises(ValueError, match="got none"):
        make_geocells(np.empty((0, 2)), _areas((0, 0, 1, 1)), SETTINGS)


def test_small_areas_merge_until_the_minimum_and_never_across_a_border() -> None:
    boxes = [(k, 40.0, k + 1.0, 41.0) for k in range(6)]
    areas = _areas(*boxes, countries="FR FR FR DE DE DE")
    counts = [4, 2, 0, 1, 3, 9]
    points = np.vstack([np.column_stack([np.linspace(40.3, 40.7, n), np.full(n, k + 0.5)])
                        for k, n in enumerate(counts) if n])  # fmt: skip
    cells = make_geocells(points, areas, GeocellSettings(5, 50)).partition
    # By hand: France has 6 in all, one cell; of Germany's, 1 + 3 = 4 join the 9: one cell.
    assert cells.countries == ["DE", "FR"]
    assert areas_km2(cells.table.geometry).sum() == pytest.approx(areas_km2(areas.shapes).sum())
    assert cells.table.geometry.iloc[1].equals(shapely.box(0, 40, 3, 41))


def test_a_country_with_too_few_points_is_one_cell() -> None:
    areas = _areas((0, 0, 1, 1), (1, 0, 2, 1), (5, 0, 6, 1), countries="FR FR DE")
    points = np.vstack([_cluster(0.5, 0.5, 8, 0, 0.1), [[0.5, 1.5], [0.5, 5.5]]])
    cells = make_geocells(points, areas, SETTINGS)
    assert dict(zip(cells.partition.countries, cells.counts, strict=True)) == {"DE": 1, "FR": 9}


def test_clusters_become_cells_that_cover_the_area_once() -> None:
    areas = _areas((0, 0, 8, 6))
    centres = [(1, 1), (1, 7), (5, 4)]
    points = np.vstack([_cluster(*c, 10, n) for n, c in enumerate(centres)])
    cells = make_geocells(points, areas, SETTINGS)
    assert sorted(cells.counts) == [10, 10, 10]
    report = coverage_report(cells.partition, areas, points)
    assert report["random points in one cell"] == 10_000
    assert report["places in one class"] == 30
    assert abs(report["covered twice, km2"]) < 1e-6 * report["land, km2"]
    assert abs(report["not covered, km2"]) < 1e-6 * report["land, km2"]


def test_the_order_of_the_points_plays_no_part() -> None:
    areas = _areas((0, 0, 8, 6), (8, 0, 12, 6))
    points = np.vstack([_cluster(2, 2, 30, 0, 0.7), _cluster(4, 9, 25, 1, 0.7)])
    tables = [
        make_geocells(points[order], areas, SETTINGS).partition.table
        for order in (np.arange(55), np.random.default_rng(3).permutation(55))
    ]
    assert tables[0].drop(columns="geometry").equals(tables[1].drop(columns="geometry"))
    assert (shapely.to_wkb(tables[0].geometry) == shapely.to_wkb(tables[1].geometry)).all()


def test_areas_on_the_two_sides_of_the_antimeridian_are_neighbours() -> None:
    areas = _areas((178, -18, 180, -16), (-180, -18, -178, -16), (-170, -18, -169, -16))
    borders = shared_borders(areas.shapes)
    assert borders == [{1: pytest.approx(2.0)}, {0: pytest.approx(2.0)}, {}]


def test_a_cell_across_the_antimeridian_is_split_by_distance_on_the_sphere() -> None:
    shape = shapely.multipolygons(
        [shapely.box(174, -20, 180, -14), shapely.box(-180, -20, -174, -14)]
    )
    areas = Areas(np.asarray([shape], dtype=object), ["FJ"], ["Fiji"])
    clusters = [
        _cluster(-17, 180, 10, 0, 0.05),
        _cluster(-17, 175, 10, 1),
        _cluster(-17, -175, 10, 2),
    ]
    points = np.vstack(clusters)
    points[:, 1] = (points[:, 1] + 180) % 360 - 180  # some of the first lie beyond 180
    assert (points[:10, 1] < 0).any()
    cells = make_geocells(points, areas, SETTINGS)
    labels = cells.partition.index_of(cells.partition.label(points))
    assert [len(set(labels[k : k + 10])) for k in (0, 10, 20)] == [1, 1, 1]
    assert len(set(labels)) == 3
    report = coverage_report(cells.partition, areas, points)
    assert report["random points in one cell"] == 10_000
    assert abs(report["not covered, km2"]) < 1e-6 * report["land, km2"]
    # The nearest cluster decides, across the seam: 180 is nearer to 178.5 W than 175 W is.
    assert cells.partition.label([[-17, -178.5]])[0] == cells.partition.label(points[:1])[0]


def test_a_cap_round_the_pole_is_divided_like_any_other_area() -> None:
    areas = Areas(np.asarray([shapely.box(-180, -90, 180, -70)], dtype=object), ["AQ"], ["cap"])
    points = np.vstack([_cluster(-80, lon, 10, n) for n, lon in enumerate((-150, -30, 90))])
    cells = make_geocells(points, areas, SETTINGS)
    assert sorted(cells.counts) == [10, 10, 10]
    report = coverage_report(cells.partition, areas, points)
    assert report["random points in one cell"] == 10_000
    assert abs(report["not covered, km2"]) < 1e-6 * report["land, km2"]
    # A third of the cap each, since the clusters lie at a third of a turn from each other.
    share = areas_km2(cells.partition.table.geometry) / areas_km2(areas.shapes)
    assert share == pytest.approx([1 / 3] * 3, abs=0.02)


def test_random_points_on_land_belong_to_the_nearest_cluster() -> None:
    shape = shapely.box(-10, 60, 30, 75)
    area = FlatArea(shape, np.array([68.0, 10.0]))
    places = np.array([[62.0, -5.0], [70.0, 0.0], [66.0, 25.0]])
    groups = voronoi_groups(area.plane.forward(places), np.arange(3), area.shape)
    parts = [area.clipped(group)[1] for group in groups]
    points = random_points(np.asarray([shape], dtype=object), 500, 0)
    away_km = haversine_km(points[:, None], places)
    clear = (
        np.ptp(np.sort(away_km, axis=1)[:, :2], axis=1) > 2
    )  # km: the plane is off by half of it
    nearest = away_km.argmin(axis=1)
    held = np.stack([shapely.intersects_xy(p, points[:, 1], points[:, 0]) for p in parts])
    assert clear.sum() > 450
    assert (held[nearest, np.arange(500)][clear]).all()
    assert (cells_of(np.asarray(parts, dtype=object), points) == 1).all()


def test_random_points_are_drawn_on_islands_on_the_two_sides_of_the_antimeridian() -> None:
    tiny = [shapely.box(179.99, -17, 180, -16.99), shapely.box(-180, -17, -179.99, -16.98)]
    points = random_points(np.asarray([shapely.multipolygons(tiny)], dtype=object), 300, 0)
    is_east = points[:, 1] < 0
    # The island beyond the seam is twice as large.
    assert is_east.mean() == pytest.approx(2 / 3, abs=0.1)
    assert (np.abs(points[:, 1]) >= 179.99).all()


def test_the_plane_keeps_distances_from_its_middle_by_the_tangent_of_half_the_arc() -> None:
    plane = Plane((47.0, 179.0))
    points = np.array([[47.0, 179.0], [57.0, 179.0], [10.0, -160.0], [-60.0, 30.0]])
    arc = haversine_km(points, [47.0, 179.0]) / 6371.0088
    length = np.linalg.norm(plane.forward(points), axis=1)
    assert length == pytest.approx(2 * 6371.0088 * np.tan(arc / 2))
    assert plane.back(plane.forward(points)) == pytest.approx(points)


def test_what_is_enclosed_joins_its_surroundings_unless_it_has_enough_points() -> None:
    inner, island = shapely.box(4, 4, 6, 6), shapely.box(20, 0, 21, 1)
    ring = shapely.box(0, 0, 10, 10).difference(inner)
    parts = np.asarray([ring, shapely.box(10, 0, 12, 10), inner, island], dtype=object)
    owner = np.array([0, 1, 1, 1])  # the hole and the island belong to the strip's cluster
    few, many = np.array([9, 9, 2, 1]), np.array([9, 9, 7, 1])
    assert tidied(parts, owner, few, 5).tolist() == [0, 1, 0, 1]
    assert tidied(parts, owner, many, 5).tolist() == [0, 1, 2, 1]


def test_a_cell_that_loses_its_points_joins_a_neighbour() -> None:
    parts = np.asarray([shapely.box(k, 0, k + 1, 1) for k in range(4)], dtype=object)
    # The second cell's places are scattered: no part has five of its seven.
    assert tidied(parts, np.array([0, 1, 0, 1]), np.array([8, 3, 6, 4]), 5).tolist() == [0, 0, 1, 1]


def test_rounded_outlines_are_mended() -> None:
    areas = _areas((0, 0, 1.04, 1), (1, 0, 2, 1), (2.03, 0, 3, 1))
    mended = administrative_areas(_partition(areas), [[0.5, 0.5]], gap_deg=0.1)
    assert shapely.coverage_is_valid(mended.shapes)
    union = shapely.union_all(mended.shapes)
    assert areas_km2(mended.shapes).sum() == pytest.approx(areas_km2([union])[0], rel=1e-9)


def test_countries_without_points_are_left_out() -> None:
    areas = _areas((0, 0, 1, 1), (5, 0, 6, 1), countries="FR DE")
    assert administrative_areas(_partition(areas), [[0.5, 0.5]]).countries == ["FR"]


def test_regions_without_outlines_are_drawn_in_their_country() -> None:
    places = [shapely.multipoints([[1, 1], [1, 3]]), shapely.multipoints([[5, 1], [5, 3]])]
    table = gpd.GeoDataFrame(
        {"code": ["A", "B"], "name": ["A", "B"], "lat": 2.0, "lon": [1.0, 5.0], "country": "FR"},
        geometry=places,
        crs=4326,
    )
    regions = Partition("regions", table)
    outline = gpd.GeoDataFrame({"code": ["FR"]}, geometry=[shapely.box(0, 0, 6, 4)], crs=4326)
    with pytest.raises(ValueError, match="Expected outlines of countries"):
        administrative_areas(regions, [[1, 1]])
    drawn = administrative_areas(regions, [[1, 1]], outline)
    # The border lies half way: 3 degrees east, for both pairs of places.
    assert drawn.regions == ["A", "B"]
    whole = areas_km2([shapely.box(0, 0, 3, 4)])[0]
    assert areas_km2(drawn.shapes) == pytest.approx([whole, whole], rel=1e-4)


@pytest.mark.parametrize(
    ("centre", "expected"), [("mean", (0, 2)), ("median", (0, 1)), ("centroid", (1, 4))]
)
def test_the_point_of_a_cell_is_a_choice(centre: str, expected: tuple[float, float]) -> None:
    areas = _areas((0, 0, 8, 2))
    points = np.array([[0, 1], [0, 1.001], [0, 0.999], [0, 5]])
    settings = GeocellSettings(1, 50, centre=centre)
    assert make_geocells(points, areas, settings).partition.centres[0] == pytest.approx(
        expected, abs=0.01
    )


def test_places_off_the_land_belong_to_the_nearest_cell() -> None:
    areas = _areas((0, 0, 8, 6))
    sea = np.array([[-0.3, 7.0], [6.5, 1.0]])
    points = np.vstack([_cluster(1, 7, 9, 0), _cluster(5, 1, 9, 1), sea])
    cells = make_geocells(points, areas, SETTINGS)
    assert sorted(cells.counts) == [10, 10]
    labels = cells.partition.label(points)
    assert labels[18] == labels[0]
    assert labels[19] == labels[9]


def test_a_cell_without_clusters_is_halved_unless_the_published_way_is_asked_for() -> None:
    areas = _areas((0, 0, 8, 1))
    grid = np.column_stack([np.full(40, 0.5), np.linspace(0.1, 7.9, 40)])
    left = make_geocells(grid, areas, GeocellSettings(5, 10, (), rest="leave"))
    assert left.counts.tolist() == [40]
    halved = make_geocells(grid, areas, GeocellSettings(5, 10, ()))
    # By hand: 40 places come to 20 and 20, and these to tens; the borders lie between the places.
    assert halved.counts.tolist() == [10, 10, 10, 10]
    edges = shapely.bounds(halved.partition.table.geometry)[:, 2]
    assert edges.tolist() == pytest.approx([2.0, 4.0, 6.0, 8.0], abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_bounds_hold_wherever_places_are_single(seed: int) -> None:
    areas = _areas(*[(k, 40.0, k + 1.0, 41.0) for k in range(6)], countries="FR FR FR FR DE DE")
    draw = np.random.default_rng(seed)
    french = np.column_stack([draw.uniform(40, 41, 230), 4 * draw.beta(1, 4, 230)])
    german = np.column_stack([draw.uniform(40, 41, 3), draw.uniform(4, 6, 3)])
    cells = make_geocells(np.vstack([french, german]), areas, SETTINGS)
    counts = dict(zip(cells.partition.codes, cells.counts.tolist(), strict=True))
    # Germany's three places are one small cell: France, next door, is another country.
    assert [n for code, n in counts.items() if code.startswith("DE")] == [3]
    of_france = [n for code, n in counts.items() if code.startswith("FR")]
    assert sum(of_france) == 230
    assert min(of_france) >= 5
    assert max(of_france) <= 12


def test_photos_of_one_place_stay_in_one_cell_and_are_counted_each() -> None:
    points = np.vstack([[(0.5, 0.5)] * 40, _cluster(0.5, 7, 8, 0)])
    cells = make_geocells(points, _areas((0, 0, 8, 1)), GeocellSettings(5, 12, ()))
    # Nothing can be cut in the first cell: all of its 40 photos are of one place.
    assert sorted(cells.counts) == [8, 40]


@pytest.mark.parametrize(
    ("places", "weights", "expected"),
    [
        ([(0, 0), (0, 1), (0, 2), (0, 9)], [1, 1, 1, 1], [0, 0, 1, 1]),
        ([(0, 0), (0, 1), (0, 2), (0, 9)], [5, 1, 1, 1], [0, 1, 1, 1]),
        ([(0, 179), (0, -180), (0, -179), (0, -178)], [1, 1, 1, 1], [0, 0, 1, 1]),  # one line
        ([(5, 5)], [9], [0]),
    ],
)
def test_halves_have_as_many_points_each_as_can_be(
    places: list[tuple[float, float]], weights: list[int], expected: list[int]
) -> None:
    assert halved(np.asarray(places, dtype=float), np.asarray(weights)).tolist() == expected


def test_the_other_axis_cuts_across() -> None:
    places = np.array([(lat, lon) for lat in (0.0, 1.0) for lon in (0.0, 4.0, 8.0, 12.0)])
    assert halved(places, np.ones(8, dtype=np.int64)).tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert halved(places, np.ones(8, dtype=np.int64), axis=1).tolist() == [0] * 4 + [1] * 4


def test_counties_of_a_file_are_where_cells_begin() -> None:
    counties = _areas((0, 0, 1, 1), (1, 0, 2, 1), (2, 0, 3, 1), (3, 0, 4, 1))
    regions = _partition(_areas((0, 0, 2, 1), (2, 0, 4, 1)))
    points = np.vstack([_cluster(0.5, k + 0.5, n, k, 0.1) for k, n in enumerate((3, 9, 6, 7))])
    areas = administrative_areas(regions, points, finer=_partition(counties))
    assert areas.regions == ["region 0", "region 0", "region 1", "region 1"]
    cells = make_geocells(points, areas, GeocellSettings(5, 20, ()))
    # By hand: the first county has 3 of 5, and joins the second, of its region; the others stay.
    found = zip(cells.partition.table.geometry, cells.counts.tolist(), strict=True)
    bounds = sorted((*shapely.bounds(shape).tolist(), count) for shape, count in found)
    assert bounds == [(0, 0, 2, 1, 12), (2, 0, 3, 1, 6), (3, 0, 4, 1, 7)]


def test_counties_of_one_region_leave_the_other_regions_as_they_are() -> None:
    counties = _partition(_areas((0, 0, 1, 1), (1, 0, 2, 1)))
    regions = _areas((0, 0, 2, 1), (2, 0, 4, 1), (4, 0, 6, 1), countries="FR FR DE")
    points = [[0.5, 0.5], [0.5, 3], [0.5, 5]]
    areas = administrative_areas(_partition(regions), points, finer=counties)
    west = shapely.bounds(areas.shapes)[:, 0].tolist()
    assert west == [0, 1, 2, 4]
    assert areas.countries == ["FR", "FR", "FR", "DE"]
    assert areas.regions == ["region 0", "region 0", "region 1", "region 2"]


def test_counties_are_taken_where_regions_are_drawn_from_places() -> None:
    table = gpd.GeoDataFrame(
        {"code": ["A", "B"], "name": ["A", "B"], "lat": 2.0, "lon": [1.0, 5.0], "country": "FR"},
        geometry=[shapely.Point(1, 2), shapely.Point(5, 2)],
        crs=4326,
    )
    outline = gpd.GeoDataFrame({"code": ["FR"]}, geometry=[shapely.box(0, 0, 6, 4)], crs=4326)
    counties = _partition(_areas((0, 0, 3, 2), (0, 2, 3, 4)))
    areas = administrative_areas(
        Partition("regions", table), [[1, 1]], outline, finer=counties, gap_deg=0
    )
    # The west is two counties, and the east, which has none in the file, stays one region.
    assert areas.regions == ["A", "A", "B"]


def test_a_hole_is_filled_and_a_sliver_goes_to_its_neighbour_with_their_places() -> None:
    # A ring of places round a few in the middle, and a cluster beside it.
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    ring = np.column_stack([3 + 2 * np.sin(angle), 3 + 2 * np.cos(angle)])
    middle, beside = _cluster(3, 3, 3, 0, 0.05), _cluster(3, 12, 12, 1)
    points = np.vstack([ring, middle, beside])
    groups = np.repeat([0, 1, 1], [24, 3, 12])  # the middle's cluster is the other one's
    cell = Cell(shapely.box(0, 0, 14, 6), np.arange(39))
    parts = split_cell(cell, points, np.ones(39, dtype=np.int64), groups, 5)
    assert sorted(len(part.rows) for part in parts) == [12, 27]
    for part in parts:
        assert part.shape.geom_type == "Polygon"
        assert not part.shape.interiors
        spots = shapely.points(points[part.rows][:, ::-1])
        assert shapely.intersects(part.shape, spots).all()
