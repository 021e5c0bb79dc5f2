"""Plainer partitions on points whose boxes can be told by hand."""

from collections.abc import Callable

import numpy as np
import pytest
import shapely
from numpy.typing import ArrayLike

from shared.partitions import Partition
from shared.processing.geocells_check import cells_of
from shared.processing.geocells_rivals import naive_cells, quadtree_partition

# Two points near each other in the north-east, one in the north-west, one in the south-east.
POINTS = [(50.0, 100.0), (52.0, 140.0), (40.0, -100.0), (-30.0, 20.0)]


def _boxes(partition: Partition) -> list[tuple[float, ...]]:
    shapes = partition.table.geometry.to_numpy()
    return [tuple(bounds) for bounds in shapely.bounds(shapes).tolist()]


def test_naive_cells_are_halved_across_the_longer_side() -> None:
    # By hand: 360 x 180 is cut at 0 E, the eastern half (180 x 180) at 90 E, the quarter beyond
    # (90 x 180) at the equator, its north (90 x 90) at 135 E.
    expected = [(0, -90, 90, 90), (-180, -90, 0, 90), (90, 0, 135, 90), (135, 0, 180, 90)]
    assert sorted(_boxes(naive_cells(POINTS, 1))) == sorted(expected)


def test_a_quadtree_cuts_a_box_into_four() -> None:
    # The map into quarters; the north-eastern one at 45 N and 90 E; and again at 67.5 N and 135 E.
    expected = [(-180, 0, 0, 90), (0, -90, 180, 0), (90, 45, 135, 67.5), (135, 45, 180, 67.5)]
    assert sorted(_boxes(quadtree_partition(POINTS, 1))) == sorted(expected)


@pytest.mark.parametrize("make", [naive_cells, quadtree_partition])
def test_no_box_holds_more_than_the_maximum_and_boxes_never_overlap(
    make: Callable[[ArrayLike, int], Partition],
) -> None:
    points = np.random.default_rng(0).normal((20, 30), (15, 30), (500, 2))
    partition = make(points, 20)
    rows = partition.index_of(partition.label(points))
    counts = np.bincount(rows, minlength=len(partition))
    assert counts.sum() == 500
    assert counts.min() >= 1
    assert counts.max() <= 20
    assert (cells_of(partition.table.geometry.to_numpy(), points) == 1).all()


def test_the_point_of_a_box_is_the_mean_of_its_points_and_its_country_that_of_most() -> None:
    prague, brno, vienna = (50.09, 14.42), (49.2, 16.61), (48.21, 16.37)
    cells = naive_cells([prague, brno, vienna, (-33.87, 151.21)], 3)
    assert dict(zip(cells.countries, cells.centres[:, 0].round(1), strict=True)) == {
        "CZ": 49.2,
        "AU": -33.9,
    }


def test_many_photos_of_one_place_stay_one_box() -> None:
    cells = naive_cells([(10.0, 10.0)] * 9 + [(-10.0, 10.0)], 3)
    labels = cells.label([(10.0, 10.0), (-10.0, 10.0)])
    assert len(cells) == 2
    assert labels[0] != labels[1]


@pytest.mark.parametrize(("points", "maximum"), [(np.empty((0, 2)), 5), (POINTS, 0)])
def test_boxes_of_nothing_are_refused(points: ArrayLike, maximum: int) -> None:
    with pytest.raises(
        ValueError, match=r"Expected training points|Expected a maximum of at least"
    ):
        naive_cells(points, maximum)
