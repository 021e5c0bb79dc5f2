"""The nearest areas, against a search of every place of every outline."""

import numpy as np
import pytest
import shapely

from shared.geo import haversine_km
from shared.polygon_index import OUTLINE_STEP_DEG, PolygonIndex


@pytest.mark.parametrize("seed", [0, 1])
def test_nearest_areas_are_those_of_a_search_of_all_outlines(seed: int) -> None:
    random = np.random.default_rng(seed)
    corners = np.column_stack([random.uniform(-180, 172, 40), random.uniform(-90, 82, 40)])
    sides = random.uniform(0.05, 8, (40, 2))
    boxes = np.column_stack([corners, corners + sides])
    shapes = [shapely.box(*box) for box in boxes]
    shapes[3] = shapely.MultiPoint(random.uniform(-80, 80, (5, 2)))
    fiji = [shapely.box(170, -20, 180, -10), shapely.box(-180, -20, -179, -10)]
    shapes[7] = shapely.MultiPolygon(fiji)
    points = np.column_stack([random.uniform(-90, 90, 60), random.uniform(-180, 180, 60)])
    points[:4] = [(90, 0), (-90, 0), (-15, 179.99), (-15, -178.5)]

    slow = np.empty((len(points), len(shapes)))
    for column, shape in enumerate(shapes):
        lines = shape if shape.geom_type == "MultiPoint" else shape.boundary
        places = shapely.get_coordinates(shapely.segmentize(lines, OUTLINE_STEP_DEG))[:, ::-1]
        slow[:, column] = haversine_km(points[:, None], places[None]).min(axis=1)
        is_inside = shapely.covers(shape, shapely.points(points[:, ::-1]))
        slow[is_inside, column] = 0.0
    rows, distance_km = PolygonIndex(shapes).nearest_areas(points, 6)
    np.testing.assert_allclose(distance_km, np.sort(slow, axis=1)[:, :6], atol=1e-6)
    np.testing.assert_allclose(np.take_along_axis(slow, rows, axis=1), distance_km, atol=1e-6)
    assert all(len(set(line)) == 6 for line in rows.tolist())


def test_no_points_have_no_nearest_areas() -> None:
    rows, distance_km = PolygonIndex([shapely.box(0, 0, 1, 1)]).nearest_areas(np.empty((0, 2)), 1)
    assert rows.shape == distance_km.shape == (0, 1)


def test_of_areas_that_share_the_nearest_point_the_first_is_taken() -> None:
    # A border that ends at (0, 1): the point south of it is equally far from both.
    squares = [shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)]
    for shapes in (squares, squares[::-1]):
        index = PolygonIndex(shapes)
        assert index.nearest([(-1, 1)])[0].tolist() == [0]
        assert index.nearest_areas([(-1, 1)], 2)[0].tolist() == [[0, 1]]
