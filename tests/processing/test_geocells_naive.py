"""Naive cells: halved on the longer side until none holds too many points."""

import numpy as np
import pytest
import shapely

from shared.processing.geocells_naive import naive_cells


def test_a_hand_count_of_halves() -> None:
    """Four points, one a quarter of the eastern half: two cuts, by longitude and again."""
    points = [(10.0, 45.0), (10.0, 100.0), (-10.0, 45.0), (-10.0, 46.0)]
    cells = naive_cells(points, 2)
    # 360 x 180 is cut at 0 (nothing lies west); 180 x 180 is no taller than wide: cut at 90; then
    # 90 x 180 is taller: cut at the equator.
    boxes = {geometry.bounds for geometry in cells.table.geometry}
    assert boxes == {(90, -90, 180, 90), (0, 0, 90, 90), (0, -90, 90, 0)}
    labels = cells.label(points)
    assert labels[2] == labels[3]
    assert len(set(labels)) == 3
    middle = cells.centres[cells.index_of([labels[2]])[0]]
    np.testing.assert_allclose(middle, [-10.0, 45.5], atol=1e-3)


def test_no_cell_has_too_many_points_and_each_point_its_own() -> None:
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.normal(48, 6, 400), rng.normal(10, 9, 400)])
    cells = naive_cells(points, 10)
    labels = cells.index_of(cells.label(points))
    counts = np.bincount(labels, minlength=len(cells))
    assert counts.min() >= 1
    assert counts.max() <= 10
    shapes = np.asarray(cells.table.geometry)[labels]
    assert shapely.covers(shapes, shapely.points(points[:, ::-1])).all()
    boxes = np.asarray(cells.table.geometry)
    whole = shapely.area(shapely.union_all(boxes))
    assert shapely.area(boxes).sum() == pytest.approx(whole)  # no two overlap


def test_points_that_lie_together_stay_together() -> None:
    assert len(naive_cells([(50.0, 14.0)] * 30, 10)) == 1


def test_nothing_to_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="points and a maximum"):
        naive_cells(np.empty((0, 2)), 10)
