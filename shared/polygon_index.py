"""Which area holds a point, and which areas are nearest to it on the sphere. Degrees, kilometres.

Areas are shapely geometries in EPSG:4326, `(lon, lat)` inside; points are `(lat, lon)`. An area is
a polygon, or, where none is known, the places that lie in it (a point or many): then it holds no
other point, and its distance is that to the nearest of its places.
"""

from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from shared.geo import EARTH_RADIUS_KM, Floats, check_points, to_unit_vectors

# Places along an outline lie this close, so that the nearest of them is at most half of it
# (1.1 km) further along the shore than the nearest point of the outline.
OUTLINE_STEP_DEG = 0.02
STRIDE = 24  # every so many places of a ring are looked at first, 0.48 degrees apart
MOST_AT_A_PLACE = 8  # areas that meet at one point, ends of rings counted twice
CHUNK = 20_000  # points whose nearest areas are looked for at once: about 100 MB

Rows = NDArray[np.intp]


class PolygonIndex:
    """Finds the polygon that holds a point, or the ones nearest to it on the sphere."""

    def __init__(self, polygons: ArrayLike) -> None:
        """Index areas (shapely geometries in degrees); None stands for a class without one."""
        shapes = np.asarray(polygons, dtype=object)
        self._rows = np.flatnonzero([shape is not None for shape in shapes])
        self._shapes = shapes[self._rows]
        self._with_area = np.flatnonzero(shapely.get_dimensions(self._shapes) == 2)
        self._polygons = self._shapes[self._with_area]
        shapely.prepare(self._polygons)
        self._tree = shapely.STRtree(self._polygons)

    def label(self, points: ArrayLike) -> tuple[Rows, Floats]:
        """The polygon that holds each point, borders included: of several the first.

        Args:
            points: (N, 2) latitudes and longitudes, degrees.

        Returns:
            (N,) positions among the areas, -1 where none holds the point; and (N,) distances,
            km: 0 inside, infinite outside.
        """
        array = check_points(points).reshape(-1, 2)
        found = np.full(len(array), -1, dtype=np.intp)
        distance_km = np.full(len(array), np.inf)
        point, shape = self._holding(array)
        # Written from the last to the first: the first of several stays.
        order = np.argsort(-shape, kind="stable")
        found[point[order]] = self._rows[shape[order]]
        distance_km[found >= 0] = 0.0
        return found, distance_km

    def nearest(self, points: ArrayLike) -> tuple[Rows, Floats]:
        """The area whose outline is nearest on the sphere to each point outside of all.

        Args:
            points: (N, 2) latitudes and longitudes, degrees.

        Returns:
            (N,) positions among the areas (of equally near ones the first), -1 where there are
            none; and (N,) distances, km, to the nearest of places `OUTLINE_STEP_DEG` apart along
            the outlines.
        """
        array = check_points(points).reshape(-1, 2)
        if len(self._shapes) == 0:
            return np.full(len(array), -1, dtype=np.intp), np.full(len(array), np.inf)
        # Neighbours share the ends of their border: of those equally near the first is taken.
        count = min(MOST_AT_A_PLACE, self._outline_tree.n)
        ranks = np.arange(1, count + 1)
        chord, place = self._outline_tree.query(to_unit_vectors(array), ranks, workers=-1)
        owners = np.where(chord == chord[:, :1], self._outline[1][place], len(self._shapes))
        return self._rows[owners.min(axis=1)], _arc_km(chord[:, 0])

    def nearest_areas(self, points: ArrayLike, k: int) -> tuple[Rows, Floats]:
        """The areas nearest to each point on the sphere, those that hold it first.

        Args:
            points: (N, 2) latitudes and longitudes, degrees.
            k: how many.

        Returns:
            (N, k) positions among the areas, the nearest first (of equals the first); and (N, k)
            distances, km: 0 inside, else as `nearest` measures them.

        Raises:
            ValueError: when k is not from 1 to the number of areas.
        """
        array = check_points(points).reshape(-1, 2)
        if not 1 <= k <= len(self._shapes):
            msg = f"Expected k from 1 to the number of areas, {len(self._shapes)}, but got {k}"
            raise ValueError(msg)
        rows = np.empty((len(array), k), dtype=np.intp)
        distance_km = np.empty((len(array), k))
        for start in range(0, len(array), CHUNK):
            part = slice(start, start + CHUNK)
            rows[part], distance_km[part] = self._nearest_of_chunk(array[part], k)
        return rows, distance_km

    def _holding(self, points: Floats) -> tuple[Rows, Rows]:
        """All pairs of a point and a shape that holds it."""
        # Boxes first, then prepared polygons: 8 x as fast as `query(predicate="intersects")`, which
        # prepares the points.
        point, polygon = self._tree.query(shapely.points(points[:, ::-1]))
        holds = shapely.intersects_xy(self._polygons[polygon], points[point, 1], points[point, 0])
        return point[holds], self._with_area[polygon[holds]]

    @cached_property
    def _outline(self) -> tuple[Floats, Rows, NDArray[np.bool_], Floats]:
        """Places along all outlines, their shapes, which are looked at first, and gaps of shapes.

        Places are (lat, lon). Each place of a shape lies at most the shape's gap, km, from one
        that is looked at first.
        """
        lines = shapely.segmentize(_outlines(self._shapes), OUTLINE_STEP_DEG)
        parts, owner = shapely.get_parts(lines, return_index=True)
        places, part = shapely.get_coordinates(parts, return_index=True)
        length = np.bincount(part, minlength=len(parts))
        along = np.arange(len(places)) - (np.cumsum(length) - length)[part]
        # A ring ends where it began, so a place is at most half a stride from one on either side.
        steps = (np.minimum(length - 1, STRIDE) + 1) // 2
        gap_km = np.zeros(len(self._shapes))
        np.maximum.at(gap_km, owner, EARTH_RADIUS_KM * np.radians(OUTLINE_STEP_DEG) * steps)
        on_earth = np.clip(places[:, ::-1], (-90, -180), (90, 180))  # rounding may leave it
        return on_earth, owner[part], along % STRIDE == 0, gap_km

    @cached_property
    def _outline_tree(self) -> cKDTree:
        # Unbalanced, so that it is built faster: few points lie outside of all areas.
        return cKDTree(to_unit_vectors(self._outline[0]), balanced_tree=False)

    @cached_property
    def _coarse(self) -> tuple[cKDTree, Rows]:
        places, owners, is_first, _ = self._outline
        return cKDTree(to_unit_vectors(places[is_first])), owners[is_first]

    @cached_property
    def _fine(self) -> list[cKDTree]:
        places, owners, _, _ = self._outline
        # Places come shape by shape.
        cuts = np.flatnonzero(np.diff(owners)) + 1
        return [cKDTree(vectors) for vectors in np.split(to_unit_vectors(places), cuts)]

    def _nearest_of_chunk(self, points: Floats, k: int) -> tuple[Rows, Floats]:
        vectors = to_unit_vectors(points)
        point, shape = self._candidates(vectors, k)
        distance_km = self._fine_km(vectors, point, shape)
        in_point, in_shape = self._holding(points)
        point, shape = np.append(in_point, point), np.append(in_shape, shape)
        distance_km = np.append(np.zeros(len(in_point)), distance_km)
        # A shape that holds a point comes twice: its first line, with distance 0, stays.
        _, first = np.unique(point * len(self._shapes) + shape, return_index=True)
        point, shape, distance_km = point[first], shape[first], distance_km[first]
        order = np.lexsort((shape, distance_km, point))
        best = order[_rank(point[order]) < k]
        size = (len(points), k)
        return self._rows[shape[best]].reshape(size), distance_km[best].reshape(size)

    def _candidates(self, vectors: Floats, k: int) -> tuple[Rows, Rows]:
        """Pairs of a point and a shape; the k shapes nearest to a point are all among its pairs.

        The k-th shape is no further than the k-th by the places that are looked at first, and no
        shape is nearer than these by more than its gap.
        """
        n_points, n_shapes = len(vectors), len(self._shapes)
        if k == n_shapes:  # then there is nothing to choose
            return np.repeat(np.arange(n_points), k), np.tile(np.arange(k), n_points)
        tree, owners = self._coarse
        gap_km = self._outline[3]
        found: list[tuple[Rows, Rows]] = []
        rest, count = np.arange(len(vectors)), 8 * k
        while len(rest):
            count = min(count, tree.n)
            chord, place = tree.query(vectors[rest], np.arange(1, count + 1), workers=-1)
            km = _arc_km(chord)
            point, shape, first_km = _firsts(owners[place], km)
            rank = _rank(point)
            limit_km = np.full(len(rest), np.inf)
            limit_km[point[rank == k - 1]] = first_km[rank == k - 1]
            is_done = (km[:, -1] > limit_km + gap_km.max()) | (count == tree.n)
            kept = is_done[point] & (first_km <= limit_km[point] + gap_km[shape])
            found.append((rest[point[kept]], shape[kept]))
            rest, count = rest[~is_done], count * 4
        return np.concatenate([pair[0] for pair in found]), np.concatenate([p[1] for p in found])

    def _fine_km(self, vectors: Floats, point: Rows, shape: Rows) -> Floats:
        """The distance of each pair of a point and a shape, km."""
        distance_km = np.empty(len(point))
        order = np.argsort(shape, kind="stable")
        for pairs in np.split(order, np.flatnonzero(np.diff(shape[order])) + 1):
            if len(pairs):
                chord, _ = self._fine[shape[pairs[0]]].query(vectors[point[pairs]])
                distance_km[pairs] = _arc_km(chord)
        return distance_km


def _outlines(shapes: NDArray[Any]) -> NDArray[Any]:
    """The outlines of polygons; places as they are."""
    lines = shapes.copy()
    with_area = shapely.get_dimensions(shapes) == 2
    lines[with_area] = shapely.boundary(shapes[with_area])
    return lines


def _firsts(owners: Rows, km: Floats) -> tuple[Rows, Rows, Floats]:
    """The owners of (N, M) places, sorted by distance, once each: point, owner, least distance.

    They come point by point, the nearest owner first.
    """
    size = int(owners.max()) + 1
    flat = (np.arange(len(owners))[:, None] * size + owners).ravel()
    _, first = np.unique(flat, return_index=True)
    first.sort()
    return first // owners.shape[1], owners.ravel()[first], km.ravel()[first]


def _rank(groups: Rows) -> Rows:
    """How many entries of its group come before each entry; groups stand together."""
    is_new = np.append(True, groups[1:] != groups[:-1])[: len(groups)]
    starts = np.flatnonzero(is_new)
    rank: Rows = np.arange(len(groups)) - starts[np.cumsum(is_new) - 1]
    return rank


def _arc_km(chord: Floats) -> Floats:
    arc_km: Floats = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0))
    return arc_km
