"""The grid partition: squares whose cells can be counted by hand, and the ancestors' outlines."""

import os
from pathlib import Path

import numpy as np
import pytest
import shapely

from shared.areas import areas_km2
from shared.grid import country_outline, grid_partition
from shared.partitions import Partition

ROOT = Path(__file__).parents[1]
GEODATA = Path(
    os.environ.get("LOST_AND_FOUND_GEODATA", ROOT.parent / "shared" / "data" / "geodata")
)
NATION = GEODATA / "cb_2018_us_nation_5m.shp"
WORLD = GEODATA / "ne_50m_admin_0_countries.geojson"
KANSAS = (39.50, -98.35)

has_nation = pytest.mark.skipif(
    not NATION.exists(), reason="no outlines: name their folder in LOST_AND_FOUND_GEODATA"
)
has_world = pytest.mark.skipif(
    not WORLD.exists(), reason="no outlines: name their folder in LOST_AND_FOUND_GEODATA"
)


@has_nation
@pytest.mark.parametrize(("neighbour", "count"), [("first", 243), ("largest", 242)])
def test_the_contiguous_united_states_have_the_ancestors_cells(neighbour: str, count: int) -> None:
    outline = country_outline(str(NATION), holding=KANSAS)
    assert len(grid_partition(outline, 2.0, neighbour=neighbour)) == count


@has_world
def test_the_united_kingdom_has_about_246_cells() -> None:
    cells = grid_partition(country_outline(str(WORLD), "GB"), 0.45)
    assert len(cells) == pytest.approx(246, rel=0.02)


def test_the_installed_outline_of_the_united_kingdom_has_246_cells_of_042_degrees() -> None:
    assert len(grid_partition(country_outline("coarse", "United Kingdom"), 0.42)) == 246


def test_a_rectangle_is_cut_at_multiples_of_the_size_counted_from_zero() -> None:
    cells = grid_partition(shapely.box(1, 0, 5, 4), 2.0)  # columns 0-2 (half), 2-4, 4-6 (half)
    assert [shape.bounds for shape in cells.table.geometry] == [
        (1, 0, 2, 2),
        (1, 2, 2, 4),
        (2, 0, 4, 2),
        (2, 2, 4, 4),
        (4, 0, 5, 2),
        (4, 2, 5, 4),
    ]
    assert cells.codes[:2] == ["grid_0000", "grid_0001"]
    assert cells.names[0] == "0.0 to 2.0 N, 1.0 to 2.0 E"


def test_a_small_cell_goes_to_its_largest_neighbour_or_to_the_first() -> None:
    # A half square (0.5), a strip above it (0.045), and a whole square (1.0) right of the strip.
    outline = shapely.unary_union(
        [shapely.box(0.5, 0, 1, 1), shapely.box(0.95, 1, 1, 1.9), shapely.box(1, 1, 2, 2)]
    )
    largest = grid_partition(outline, 1.0, min_share=0.1)
    first = grid_partition(outline, 1.0, min_share=0.1, neighbour="first")
    strip = shapely.Point(0.97, 1.5)
    assert [round(shape.area, 3) for shape in largest.table.geometry] == [0.5, 1.045]
    assert [round(shape.area, 3) for shape in first.table.geometry] == [0.545, 1.0]
    assert shapely.intersects(largest.table.geometry[1], strip)
    assert shapely.intersects(first.table.geometry[0], strip)


def test_cells_that_touch_at_a_corner_are_no_neighbours() -> None:
    outline = shapely.unary_union([shapely.box(0, 0, 1, 1), shapely.box(1, 1, 1.2, 1.2)])
    assert len(grid_partition(outline, 1.0)) == 2


def test_the_parts_of_a_clipped_box_are_cells_of_their_own() -> None:
    outline = shapely.MultiPolygon([shapely.box(0, 0, 1, 0.4), shapely.box(0, 0.6, 1, 1)])
    assert len(grid_partition(outline, 1.0)) == 2


def test_a_small_island_stays_or_goes_to_the_nearest_cell() -> None:
    outline = shapely.MultiPolygon([shapely.box(0, 0, 3, 1), shapely.box(4.5, 0.2, 4.6, 0.3)])
    assert len(grid_partition(outline, 1.0)) == 4
    joined = grid_partition(outline, 1.0, islands="nearest")
    assert len(joined) == 3
    assert joined.label([[0.25, 4.55]]).tolist() == ["grid_0002"]


def test_nothing_is_lost_and_nothing_is_there_twice() -> None:
    outline = country_outline("coarse", "FR")
    cells = grid_partition(outline, 1.0)
    shapes = cells.table.geometry.to_numpy()
    assert sum(shape.area for shape in shapes) == pytest.approx(outline.area, rel=1e-9)
    assert shapely.union_all(shapes).symmetric_difference(outline).area < 1e-9


def test_centres_lie_in_their_cells_and_a_cell_near_the_pole_leans_to_the_equator() -> None:
    cells = grid_partition(country_outline("coarse", "NO"), 1.0)
    assert cells.label(cells.centres).tolist() == cells.codes
    cap = grid_partition(shapely.box(0, 80, 10, 90), 10.0)
    # Half of a cap's area lies south of the latitude whose sine is the mean of the sines' (84.4).
    mean_sine = (np.sin(np.radians(80)) + 1) / 2
    assert cap.centres[0] == pytest.approx([np.degrees(np.arcsin(mean_sine)), 5.0], abs=1e-3)


def test_it_is_a_partition_that_can_be_saved(tmp_path: Path) -> None:
    cells = grid_partition(shapely.box(0, 0, 4, 4), 2.0, name="square")
    cells.save(tmp_path / "grid.parquet")
    again = Partition.load(tmp_path / "grid.parquet")
    assert again.name == "square"
    assert again.label([[1, 1], [3, 1]]).tolist() == ["square_0000", "square_0001"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size_deg": 0}, "size_deg of more than 0"),
        ({"min_share": 2}, "min_share from 0 to 1"),
        ({"neighbour": "any"}, "neighbour to be one of"),
        ({"islands": "drop"}, "islands to be one of"),
        ({"boxes": "hexagons"}, "boxes to be one of"),
    ],
)
def test_each_setting_is_held_to_its_range(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid_partition(shapely.box(0, 0, 1, 1), **settings)  # type: ignore[arg-type]


def test_an_empty_outline_is_an_error() -> None:
    with pytest.raises(ValueError, match="an outline with an area"):
        grid_partition(shapely.Polygon())


def test_outlines_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="a file with one outline at"):
        country_outline(str(tmp_path / "none.shp"))
    with pytest.raises(ValueError, match="the outline of MT among"):
        country_outline("coarse", "Malta")
    with pytest.raises(ValueError, match="holds \\(lat, lon\\)"):
        country_outline("coarse", "GB", holding=KANSAS)


def test_equal_area_boxes_have_the_area_of_one_on_the_equator_at_any_latitude() -> None:
    outline = shapely.box(-60, 40, 60, 64)
    cells = grid_partition(outline, 4.0, boxes="equal-area", min_share=0.0)
    area = areas_km2(cells.table.geometry.to_numpy())
    # A box of 4 x 4 degrees on the equator: R^2 x width x sine of the height.
    wanted = 6371.0088**2 * np.radians(4) * np.sin(np.radians(4))
    whole = np.isclose(area, wanted, rtol=1e-3)
    assert whole.sum() > 100
    assert (area < wanted * 1.001).all()
    assert (~whole).sum() <= 2 * 6  # the cut ones at both ends of the rows
    degrees = areas_km2(grid_partition(outline, 4.0).table.geometry.to_numpy())
    assert degrees.max() / degrees.min() > 1.5  # cos 42 / cos 62 = 1.58


def test_equal_area_cells_cover_the_outline_once() -> None:
    outline = country_outline("coarse", "SE")
    shapes = grid_partition(outline, 2.0, boxes="equal-area").table.geometry.to_numpy()
    assert sum(shape.area for shape in shapes) == pytest.approx(outline.area, rel=1e-9)
    assert shapely.union_all(shapes).symmetric_difference(outline).area < 1e-9


def test_boxes_cut_by_a_plain_loop_are_the_same() -> None:
    outline = country_outline("coarse", "IT")
    west, south, east, north = (int(np.floor(2 * edge)) for edge in outline.bounds)
    wanted = [
        part
        for i in range(west, east + 1)
        for j in range(south, north + 1)
        for part in sorted(
            shapely.get_parts(outline & shapely.box(i / 2, j / 2, i / 2 + 0.5, j / 2 + 0.5)),
            key=lambda part: (part.bounds[1], part.bounds[0]),
        )
        if part.area > 0
    ]
    found = grid_partition(outline, 0.5, min_share=0.0).table.geometry
    assert len(found) == len(wanted)
    assert all(a.symmetric_difference(b).area < 1e-12 for a, b in zip(found, wanted, strict=True))
