"""The administrative areas that geocells start from: a coverage of the land, from coarse to fine.

Degrees, points `(lat, lon)`. Areas are the first-level regions that `2-enrich/regions` made, or
second-level ones from a file. Where regions have no outlines (the gazetteer's), they are drawn:
the part of their country's outline that is nearest to their places. Files whose neighbours overlap
or gape (rounded outlines) are cleaned, so that afterwards every spot of land has one area.
"""

from dataclasses import dataclass, field

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely import Geometry

from shared.areas import centroids
from shared.geo import Floats, check_points
from shared.partitions import Partition
from shared.polygon_index import PolygonIndex
from shared.processing.geocells_plane import (
    SAME_PLACE_KM,
    FlatArea,
    Shapes,
    nearest_inside,
    voronoi_groups,
)
from shared.processing.geocells_tidy import gathered


@dataclass(frozen=True)
class Areas:
    """Areas that do not overlap: what merging and splitting begin with.

    Attributes:
        shapes: (K,) polygons, degrees.
        countries: (K,) codes.
        regions: (K,) names of the first-level regions that they lie in.
    """

    shapes: Shapes = field(repr=False)
    countries: list[str] = field(repr=False)
    regions: list[str] = field(repr=False)

    def __len__(self) -> int:
        """The number of areas."""
        return len(self.shapes)

    def subset(self, rows: ArrayLike) -> "Areas":
        """Some of the areas."""
        chosen = np.asarray(rows, dtype=np.intp)
        return Areas(
            self.shapes[chosen],
            [self.countries[row] for row in chosen],
            [self.regions[row] for row in chosen],
        )

    def label(self, points: ArrayLike) -> NDArray[np.intp]:
        """(N,) the area that holds each point, else the nearest on the sphere."""
        array = check_points(points).reshape(-1, 2)
        index = PolygonIndex(self.shapes)
        rows, _ = index.label(array)
        outside = np.flatnonzero(rows < 0)
        if len(outside):
            rows[outside] = index.nearest(array[outside])[0]
        return rows


def administrative_areas(
    regions: Partition,
    points: ArrayLike,
    outlines: gpd.GeoDataFrame | None = None,
    finer: Partition | None = None,
    gap_deg: float = 0.1,
) -> Areas:
    """The areas of all countries that have points.

    Args:
        regions: first-level regions, with outlines or with the places that lie in them.
        points: (N, 2) latitudes and longitudes, degrees: the training places.
        outlines: countries, `code` and `geometry`: what regions without outlines are drawn in.
        finer: second-level areas with outlines, for some countries or all; each stands in the
            region that holds its middle, and regions that hold none stay as they are; or None.
        gap_deg: gaps between outlines that are narrower are closed, degrees; 0 leaves them.

    Raises:
        ValueError: when regions without outlines come without outlines of countries, or no area
            is left.
    """
    array = check_points(points).reshape(-1, 2)
    has_outline = shapely.get_dimensions(regions.table.geometry.to_numpy()) == 2
    if has_outline.all():
        areas = Areas(regions.table.geometry.to_numpy(), regions.countries, regions.names)
    elif outlines is None:
        msg = (
            f"Expected outlines of countries to draw {int((~has_outline).sum())} regions in that "
            "have places alone, or regions with outlines (2-enrich/regions, source)"
        )
        raise ValueError(msg)
    else:
        areas = _drawn(regions, outlines, array)
    if finer is not None:
        areas = _refined(areas, finer)
    seen = set(np.asarray(areas.countries, dtype=object)[areas.label(array)])
    rows = [row for row, country in enumerate(areas.countries) if country in seen]
    if not rows:
        msg = f"Expected areas that hold some of the {len(array)} points, but there are none"
        raise ValueError(msg)
    return _cleaned(areas.subset(rows), gap_deg)


def _refined(areas: Areas, finer: Partition) -> Areas:
    """Finer areas in the place of the regions that they lie in, and the other regions."""
    rows = areas.label(finer.inner)
    kept = areas.subset(np.setdiff1d(np.arange(len(areas)), rows))
    codes = [
        code or areas.countries[row]
        for code, row in zip(finer.countries, rows.tolist(), strict=True)
    ]
    return Areas(
        np.concatenate([finer.table.geometry.to_numpy(), kept.shapes]),
        codes + kept.countries,
        [areas.regions[row] for row in rows] + kept.regions,
    )


def _cleaned(areas: Areas, gap_deg: float) -> Areas:
    """Without overlaps and narrow gaps; areas that others cover whole are dropped."""
    shapes = shapely.make_valid(areas.shapes)
    if not shapely.coverage_is_valid(shapes) or gap_deg > 0:
        shapes = np.asarray(shapely.coverage_clean(shapes, gap_width=gap_deg), dtype=object)
    kept = np.flatnonzero(~shapely.is_empty(shapes))
    return Areas(shapes, areas.countries, areas.regions).subset(kept)


def _drawn(regions: Partition, outlines: gpd.GeoDataFrame, points: Floats) -> Areas:
    """Regions as the parts of countries' outlines that are nearest to their places."""
    owner = np.asarray(regions.countries, dtype=object)
    countries = outlines["code"].to_numpy(dtype=object)
    nearest, _ = PolygonIndex(outlines.geometry.to_numpy()).nearest_areas(points, 1)
    shapes: list[Geometry] = []
    names: list[str] = []
    codes: list[str] = []
    for row in np.unique(nearest[:, 0]):
        outline, code = outlines.geometry.iloc[row], str(countries[row])
        members = np.flatnonzero(owner == code)
        parts = _parts_of(outline, regions.table.geometry.to_numpy()[members])
        shapes += [part for _, part in parts]
        names += [regions.names[members[n]] if len(members) else code for n, _ in parts]
        codes += [code] * len(parts)
    return Areas(np.asarray(shapes, dtype=object), codes, names)


def _parts_of(outline: Geometry, places: Shapes) -> list[tuple[int, Geometry]]:
    """The parts of a country's outline that are nearest to the places of each region."""
    if len(places) < 2:
        return [(0, outline)]
    lon_lat, region = shapely.get_coordinates(places, return_index=True)
    area = FlatArea(outline, centroids([outline])[0])
    plane = nearest_inside(area, lon_lat[:, ::-1])
    _, first = np.unique(np.round(plane / SAME_PLACE_KM / 10), axis=0, return_index=True)
    first.sort()
    _, group = np.unique(region[first], return_inverse=True)
    kept = np.unique(region[first])
    shapes = voronoi_groups(plane[first], group.astype(np.intp), area.shape)
    clipped = np.asarray([area.clipped(shape)[0] for shape in shapes], dtype=object)
    parts, owner = shapely.get_parts(clipped, return_index=True)
    # Where a region's places lie apart from each other, what lies between keeps them together.
    size = np.ceil(shapely.area(parts)).astype(np.int64)
    cell = gathered(parts, owner, size)
    return [
        (int(kept[k]), area.clipped(shapely.union_all(parts[cell == k]))[1])
        for k in np.unique(cell)
    ]
