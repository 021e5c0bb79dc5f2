"""Areas and middles on the sphere, against closed forms and the geodesic library."""

import numpy as np
import pyproj
import pytest
import shapely

from shared.areas import areas_km2, centroids, inner_points
from shared.boundaries import world_outlines
from shared.geo import EARTH_RADIUS_KM, haversine_km

SPHERE_KM2 = 4 * np.pi * EARTH_RADIUS_KM**2


def test_an_octant_is_an_eighth_of_the_sphere() -> None:
    octant, world = shapely.box(0, 0, 90, 90), shapely.box(-180, -90, 180, 90)
    np.testing.assert_allclose(areas_km2([octant, world]) / SPHERE_KM2, [1 / 8, 1], rtol=1e-6)


def test_what_is_no_polygon_has_no_area() -> None:
    assert np.isnan(areas_km2([None, shapely.Point(0, 0), shapely.MultiPoint([(0, 0)])])).all()


def test_countries_are_as_large_as_the_geodesic_library_has_them() -> None:
    outlines = world_outlines().set_index("code").geometry[["FR", "RU", "CA", "FJ", "LS"]]
    sphere = pyproj.Geod(a=6371008.8, f=0)
    dense = shapely.segmentize(outlines.to_numpy(), 0.1)  # its edges are great circles
    expected = [abs(sphere.geometry_area_perimeter(shape)[0]) / 1e6 for shape in dense]
    np.testing.assert_allclose(areas_km2(outlines), expected, rtol=1e-4)


def test_the_middle_of_an_octant_is_equally_far_from_its_corners() -> None:
    (middle,) = centroids([shapely.box(0, 0, 90, 90)])
    np.testing.assert_allclose(middle, (np.degrees(np.arctan(1 / np.sqrt(2))), 45), atol=1e-3)


def test_the_middle_across_the_antimeridian_lies_on_it() -> None:
    halves = [shapely.box(170, -5, 180, 5), shapely.box(-180, -5, -170, 5)]
    (middle,) = centroids([shapely.MultiPolygon(halves)])
    assert abs(middle[1]) == pytest.approx(180, abs=1e-6)
    assert middle[0] == pytest.approx(0, abs=1e-6)


def test_the_middle_of_a_cap_is_its_pole() -> None:
    caps = [shapely.box(-180, 70, 180, 90), shapely.box(-180, -90, 180, -60)]
    np.testing.assert_allclose(centroids(caps)[:, 0], [90, -90], atol=1e-6)


def test_a_hole_moves_the_middle_away() -> None:
    with_hole = shapely.box(0, -5, 10, 5) - shapely.box(6, -2, 9, 2)
    # In the plane: (100 * 5 - 12 * 7.5) / 88; the sphere differs little so near the equator.
    assert centroids([with_hole])[0, 1] == pytest.approx(410 / 88, abs=0.02)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_the_direction_of_an_outline_does_not_matter(is_reversed: bool) -> None:
    ring = [(0, 0), (2, 0), (2, 2), (0, 2)]
    shape = shapely.Polygon(ring[::-1] if is_reversed else ring)
    np.testing.assert_allclose(centroids([shape])[0], (1, 1), atol=1e-3)


def test_an_outline_that_rounding_broke_is_not_turned_to_the_antipodes() -> None:
    # North Abaco, rounded to 0.1 degrees: the ring touches itself.
    ring = [(-77.4, 26.8), (-77.5, 26.8), (-77.5, 26.9), (-77.3, 26.7), (-77.4, 26.7)]
    (middle,) = centroids([shapely.Polygon(ring)])
    assert float(haversine_km(middle, (26.8, -77.4))) < 10


def test_the_inner_point_is_the_centre_where_that_is_inside() -> None:
    square = shapely.box(0, 0, 2, 2)
    horseshoe = shapely.box(0, 0, 10, 10) - shapely.box(2, 2, 10, 8)
    places = shapely.MultiPoint([(0, 0), (10, 0), (11, 0)])
    shapes = [square, horseshoe, places]
    centres = centroids(shapes)
    inner = inner_points(shapes, centres)
    np.testing.assert_allclose(inner[0], centres[0])
    assert not shapely.intersects_xy(horseshoe, *centres[1][::-1])
    assert shapely.intersects_xy(horseshoe, *inner[1][::-1])
    np.testing.assert_allclose(inner[2], (0, 10))  # of the places the one next to 7


def test_the_inner_point_of_islands_lies_on_the_largest() -> None:
    islands = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(8, 0, 10, 2)])
    (inner,) = inner_points([islands], [(0.5, 4.0)])
    assert 8 < inner[1] < 10
