"""Dividing one area among its points: Voronoi regions in a plane that touches the sphere there.

Areas are in degrees, `(lon, lat)` inside; points are `(lat, lon)`. The plane is the stereographic
projection from the area's middle. It is conformal, so that around each point all directions are
alike, and it maps circles to circles, so that the neighbours of a Voronoi diagram in it are those
on the sphere. The borders between them are nearly theirs: in an area of 2,000 km no place lies in
another region than that of its nearest point if it is nearer to it by 2 km than to the next.
There is no antimeridian and no pole in the plane: areas are cut at meridians before they go in, and
each piece comes back to the side that it came from.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Geometry

from shared.geo import EARTH_RADIUS_KM, Floats, to_lat_lon, to_unit_vectors

DENSE_DEG = 0.1  # step along edges before they go into the plane: off by 2 m at 60 degrees
DENSE_KM = 20.0  # and along new borders when they come back: off by 20 m at 70 degrees
WIDEST_DEG = 170.0  # an area that is wider is cut at every 90th meridian
SNAP_DEG = 1e-9  # places so near to a cut come back onto it
MARGIN = 1.5  # the diagram reaches so many times as far as the area
SAME_PLACE_KM = 1e-4  # points nearer than this have one Voronoi region

Shapes = NDArray[Any]
Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Plane:
    """A stereographic plane, km; `centre` is `(lat, lon)`, degrees."""

    centre: tuple[float, float]

    def forward(self, points: Floats) -> Floats:
        """(N, 2) latitudes and longitudes to (N, 2) x (east) and y (north), km."""
        x, y, z = (to_unit_vectors(points) @ self._axes().T).T
        scale: Floats = 2 * EARTH_RADIUS_KM / np.maximum(1 + z, 1e-9)
        return np.column_stack([x * scale, y * scale])

    def back(self, plane: Floats) -> Floats:
        """(N, 2) x and y, km, to (N, 2) latitudes and longitudes, degrees."""
        xy = plane / (2 * EARTH_RADIUS_KM)
        square = (xy**2).sum(axis=1)
        local = np.column_stack([2 * xy, 1 - square]) / (1 + square)[:, None]
        return to_lat_lon(local @ self._axes())

    def _axes(self) -> Floats:
        """(3, 3) the directions of x, y and up at the centre."""
        lat, lon = np.radians(self.centre)
        return np.array(
            [
                [-np.sin(lon), np.cos(lon), 0],
                [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)],
                [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)],
            ]
        )


class FlatArea:
    """An area in the plane, in pieces that each lie on one side of the cuts."""

    def __init__(self, area: Geometry, centre: Floats) -> None:
        """Bring an area, degrees, into the plane that touches at `centre`, `(lat, lon)`."""
        self.plane = Plane((float(centre[0]), float(centre[1])))
        self._pieces: list[tuple[Geometry, float, float]] = []  # in the plane; west and east
        for piece, west, east in _pieces(area):
            flat = shapely.transform(shapely.segmentize(piece, DENSE_DEG), self._to_plane)
            self._pieces.append((shapely.make_valid(flat), west, east))

    @property
    def shape(self) -> Geometry:
        """The whole area in the plane; where it was cut, its pieces are joined."""
        return self._joined([piece for piece, _, _ in self._pieces])

    def clipped(self, shape: Geometry) -> tuple[Geometry, Geometry]:
        """The part of the area in a shape of the plane: in the plane, and in degrees."""
        flat, round_ = [], []
        for piece, west, east in self._pieces:
            part = _polygonal(shapely.intersection(shape, piece))
            if not part.is_empty:
                flat.append(part)
                round_.append(self._to_degrees(part, west, east))
        if len(round_) == 1:
            return flat[0], round_[0]
        return self._joined(flat), _polygonal(shapely.union_all(round_))

    def _joined(self, pieces: list[Geometry]) -> Geometry:
        if len(pieces) == 1:
            return pieces[0]
        return _polygonal(shapely.union_all(pieces, grid_size=SAME_PLACE_KM))

    def _to_plane(self, lon_lat: Floats) -> Floats:
        return self.plane.forward(_on_earth(lon_lat[:, ::-1]))

    def _to_degrees(self, shape: Geometry, west: float, east: float) -> Geometry:
        rings = [
            shapely.transform(polygon, lambda xy: self._lon_lat(xy, west, east))
            for polygon in shapely.get_parts(shapely.segmentize(shape, DENSE_KM))
        ]
        fixed = [_with_pole(polygon, west, east) for polygon in rings]
        valid = [_polygonal(shapely.make_valid(polygon)) for polygon in fixed]
        parts = [part for polygon in valid for part in shapely.get_parts(polygon)]
        return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)

    def _lon_lat(self, plane: Floats, west: float, east: float) -> Floats:
        points = self.plane.back(plane)
        middle = (west + east) / 2
        lon = middle + (points[:, 1] - middle + 180) % 360 - 180
        for cut in (west, east):
            lon = np.where(np.abs(lon - cut) < SNAP_DEG, cut, lon)
        return np.column_stack([np.clip(lon, west, east), points[:, 0]])


def voronoi_groups(places: Floats, groups: Rows, extent: Geometry) -> Shapes:
    """The union of the Voronoi regions of each group's places, in the plane.

    Args:
        places: (N, 2) x and y, km, no two of them closer than `SAME_PLACE_KM`.
        groups: (N,) the group of each, 0 to G - 1, each with a place.
        extent: what the diagram has to cover.

    Returns:
        (G,) shapes that do not overlap and have no gaps between them.
    """
    west, south, east, north = shapely.bounds(extent)
    both = np.vstack([places, [[west, south], [east, north]]])
    low, high = both.min(axis=0), both.max(axis=0)
    spare = (MARGIN - 1) * max(float((high - low).max()), 1.0)
    frame = shapely.box(*(low - spare), *(high + spare))
    n_groups = int(groups.max()) + 1
    if n_groups == 1:
        return np.asarray([frame], dtype=object)
    regions = shapely.get_parts(
        shapely.voronoi_polygons(shapely.multipoints(places), extend_to=frame, ordered=True)
    )
    return np.asarray(
        [shapely.coverage_union_all(regions[groups == group]) for group in range(n_groups)],
        dtype=object,
    )


def nearest_inside(area: FlatArea, points: Floats) -> Floats:
    """Where points are in an area: (N, 2) themselves, or the nearest place of its outline; km."""
    plane = area.plane.forward(points)
    shape = area.shape
    shapely.prepare(shape)
    outside = np.flatnonzero(~shapely.intersects_xy(shape, plane))
    if len(outside):
        links = shapely.shortest_line(shapely.points(plane[outside]), shape)
        plane[outside] = shapely.get_coordinates(links)[1::2]
    return plane


def _pieces(area: Geometry) -> list[tuple[Geometry, float, float]]:
    """An area with its bounds of longitude; cut into four where it is wide."""
    west, _, east, _ = area.bounds
    if east - west <= WIDEST_DEG:
        return [(area, west, east)]
    cuts = [(lon, lon + 90.0) for lon in (-180.0, -90.0, 0.0, 90.0)]
    parts = [
        (_polygonal(shapely.intersection(area, shapely.box(low, -90, high, 90))), low, high)
        for low, high in cuts
    ]
    return [part for part in parts if not part[0].is_empty]


def _with_pole(polygon: Geometry, west: float, east: float) -> Geometry:
    """A polygon that touches a pole, with the pole's edge: one point there, a line in degrees."""
    lon_lat = shapely.get_coordinates(polygon.exterior)[:-1]
    at_pole = np.flatnonzero(np.abs(lon_lat[:, 1]) > 90 - SNAP_DEG * 1e3)
    if not len(at_pole):
        return polygon
    # Several vertices at the pole follow each other: only their neighbours' longitudes count.
    first = next((n for n in at_pole if n - 1 not in at_pole and n != 0), int(at_pole[0]))
    turned = np.roll(lon_lat, -first, axis=0)
    rest = turned[np.abs(turned[:, 1]) <= 90 - SNAP_DEG * 1e3]
    pole = np.sign(turned[0, 1]) * 90
    ends = [[rest[-1, 0], pole], [rest[0, 0], pole]]
    return shapely.polygons(np.vstack([ends, rest]), holes=list(polygon.interiors) or None)


def _on_earth(points: Floats) -> Floats:
    """Points whose rounding errors left the map, put back onto its edge."""
    return np.clip(points, (-90, -180), (90, 180))


def _polygonal(shape: Geometry) -> Geometry:
    """What of a shape has an area; an empty polygon where nothing has."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = [part for part in shapely.get_parts(shape) if part.geom_type.endswith("Polygon")]
    return shapely.union_all(parts) if parts else shapely.Polygon()
