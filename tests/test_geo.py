"""The sphere: expected values are closed forms, published examples, or another library's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import BallTree

from shared import geo

LAT = st.floats(-90, 90, allow_nan=False)
LON = st.floats(-180, 180, allow_nan=False)
POINT = st.tuples(LAT, LON)


def test_quarter_meridian_is_10007_km() -> None:
    assert geo.haversine_km((0, 0), (90, 0)) == pytest.approx(10007.557, abs=5e-4)


def test_nashville_to_los_angeles_as_rosetta_code_has_it() -> None:
    # https://rosettacode.org/wiki/Haversine_formula: 2887.2599506 km with R = 6372.8 km.
    expected = 2887.2599506071106 * 6371.0088 / 6372.8
    assert geo.haversine_km((36.12, -86.67), (33.94, -118.40)) == pytest.approx(expected, rel=1e-9)


def test_a_degree_across_the_antimeridian_is_111_km() -> None:
    assert geo.haversine_km((0, 179.5), (0, -179.5)) == pytest.approx(111.19508, abs=1e-4)


def test_longitude_means_nothing_at_the_pole() -> None:
    assert geo.haversine_km((90, 12), (90, -170)) == pytest.approx(0, abs=1e-9)


def test_antipodes_are_half_the_circumference_apart() -> None:
    assert geo.haversine_km((37, 20), (-37, -160)) == pytest.approx(np.pi * 6371.0088)


def test_distances_broadcast() -> None:
    distances = geo.haversine_km(np.zeros((4, 1, 2)), np.zeros((3, 2)))
    assert distances.shape == (4, 3)


@given(POINT, POINT)
def test_distance_is_symmetric_and_at_most_half_the_circumference(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    there, back = float(geo.haversine_km(a, b)), float(geo.haversine_km(b, a))
    assert there == pytest.approx(back, abs=1e-6)
    assert 0 <= there <= np.pi * 6371.0088 + 1e-6


def test_unit_vectors_point_along_the_axes() -> None:
    vectors = geo.to_unit_vectors([(0, 0), (0, 90), (90, 0), (0, -180)])
    np.testing.assert_allclose(vectors, [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0)], atol=1e-15)


@given(POINT)
def test_points_come_back_from_unit_vectors(point: tuple[float, float]) -> None:
    back = geo.to_lat_lon(geo.to_unit_vectors(point))
    assert float(geo.haversine_km(point, back)) < 1e-6


def test_length_of_a_vector_plays_no_part() -> None:
    np.testing.assert_allclose(geo.to_lat_lon((0, 0, -7.5)), (-90, 0))


def test_zero_vector_points_nowhere() -> None:
    with pytest.raises(ValueError, match="point somewhere"):
        geo.to_lat_lon((0.0, 0.0, 0.0))


def test_vectors_of_two_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 3\), but got \(2,\)"):
        geo.to_lat_lon((1.0, 0.0))


def test_swapped_coordinates_are_named_with_their_row() -> None:
    with pytest.raises(ValueError, match=r"row 1 \(1 such of 2\) is \(139.7, 35.6\).*swapped"):
        geo.to_unit_vectors([(35.6, 139.7), (139.7, 35.6)])


def test_missing_coordinates_are_refused() -> None:
    with pytest.raises(ValueError, match="row 0"):
        geo.haversine_km((np.nan, 0), (0, 0))


def test_a_shape_without_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match=r"but got \(3,\)"):
        geo.to_unit_vectors([1, 2, 3])


def test_mean_across_the_antimeridian_lies_on_it() -> None:
    lat, lon = geo.spherical_mean([(0, 179), (0, -179)])
    assert lat == pytest.approx(0, abs=1e-9)
    assert abs(lon) == pytest.approx(180)


def test_mean_round_the_pole_is_the_pole() -> None:
    assert geo.spherical_mean([(80, 0), (80, 120), (80, -120)])[0] == pytest.approx(90)


def test_antipodes_have_no_mean() -> None:
    with pytest.raises(ValueError, match="cancel out"):
        geo.spherical_mean([(0, 0), (0, 180)])


def test_no_points_have_no_mean() -> None:
    with pytest.raises(ValueError, match="at least one point"):
        geo.spherical_mean(np.empty((0, 2)))


def test_nearest_agrees_with_scikit_learns_haversine_tree() -> None:
    random = np.random.default_rng(3)
    z = random.uniform(-1, 1, (2, 400))
    lat, lon = np.degrees(np.arcsin(z)), random.uniform(-180, 180, (2, 400))
    points, queries = np.stack([lat[0], lon[0]], axis=1), np.stack([lat[1], lon[1]], axis=1)
    expected_rad, expected = BallTree(np.radians(points), metric="haversine").query(
        np.radians(queries)
    )
    index, distance_km = geo.nearest(points, queries)
    np.testing.assert_array_equal(index, expected[:, 0])
    np.testing.assert_allclose(distance_km, expected_rad[:, 0] * 6371.0088, rtol=1e-9, atol=1e-6)


def test_nearest_looks_across_the_antimeridian_and_the_pole() -> None:
    index, _ = geo.nearest([(0, -179), (0, 170), (88, 180), (80, 0)], [(0, 179), (89, 0)])
    assert index.tolist() == [0, 2]


def test_nearest_of_no_points_is_refused() -> None:
    with pytest.raises(ValueError, match="N at least 1"):
        geo.nearest(np.empty((0, 2)), [(0, 0)])


def test_blocks_of_two_degrees() -> None:
    points = [(48.85, 2.35), (49.99, 3.99), (50.0, 2.35), (-90, -180), (90, 180), (-90, 180)]
    names = geo.block_names(points, 2.0)
    assert names[0] == names[1] == "block_069_091"  # (48.85 + 90) / 2 = 69.4; (2.35 + 180) / 2
    assert names[2] == "block_070_091"
    assert names[3] == names[5] == "block_000_000"  # 180 and -180 are one meridian
    assert names[4] == "block_089_000"  # the pole belongs to the last row


@pytest.mark.parametrize("size", [0, -1, 181, float("nan")])
def test_block_of_no_size_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match="block side"):
        geo.block_names([(0, 0)], size)


@pytest.mark.parametrize(
    ("distance_km", "score"),
    [(0, 5000), (1, 4996.6515), (25, 4916.9565), (200, 4373.0142), (750, 3025.2468)],
)
def test_geo_score_of_published_distances(distance_km: float, score: float) -> None:
    assert float(geo.geo_score(distance_km)) == pytest.approx(score, abs=5e-5)
