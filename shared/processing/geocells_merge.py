"""Merging neighbouring areas of one country until every cell has enough points.

Areas touch where they share a border, across the antimeridian too. Degrees, points `(lat, lon)`.
"""

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from shared.areas import centroids, inner_points
from shared.geo import haversine_km
from shared.polygon_index import PolygonIndex
from shared.processing.geocells_areas import Areas
from shared.processing.geocells_plane import Shapes

EDGE_DEG = 1e-9  # areas that share less than this length only touch at a corner
SEAM_DEG = 1e-6  # areas so near to the antimeridian touch it
N_NEAR = 16  # areas round an island that are looked at first

Borders = list[dict[int, float]]


def merged_groups(areas: Areas, counts: NDArray[np.int64], minimum: int) -> list[NDArray[np.intp]]:
    """Groups of areas that have the minimum of points, never of two countries.

    First areas without any points join a neighbour, ring by ring. Then the smallest group goes
    into one of its neighbours, until none is below the minimum: into a small one of its own
    region, else any of its own region, else a small one of another, else any; of several into the
    one with the most points. One that touches none goes to the nearest group of its country. A
    country with too few points in all stays one group.

    Args:
        areas: a coverage.
        counts: (K,) points of each area.
        minimum: points that a group must have.

    Returns:
        The rows of each group's areas, ordered by their first.
    """
    groups: list[NDArray[np.intp]] = []
    countries = np.asarray(areas.countries, dtype=object)
    borders = shared_borders(areas.shapes)
    for country in sorted(set(areas.countries)):
        rows = np.flatnonzero(countries == country)
        own = {int(row): n for n, row in enumerate(rows)}
        inside = [
            {own[other]: length for other, length in borders[row].items() if other in own}
            for row in rows
        ]
        merging = _Merging(areas.subset(rows), counts[rows], inside, minimum)
        merging.fill()
        merging.grow()
        groups += [rows[members] for members in merging.groups()]
    return sorted(groups, key=lambda members: int(members[0]))


def shared_borders(shapes: Shapes) -> Borders:
    """For each of (K,) areas the areas that it touches and the length of their border, degrees."""
    borders: Borders = [{} for _ in shapes]
    _add_borders(borders, shapes, shapes)
    bounds = shapely.bounds(shapes)
    west = np.flatnonzero(bounds[:, 0] <= -180 + SEAM_DEG)
    east = np.flatnonzero(bounds[:, 2] >= 180 - SEAM_DEG)
    if len(west) and len(east):
        moved = shapely.transform(shapes[west], lambda lon_lat: lon_lat + np.array([360.0, 0.0]))
        _add_borders(borders, shapes[east], moved, east, west)
    return borders


def _add_borders(
    borders: Borders,
    first: Shapes,
    second: Shapes,
    first_rows: NDArray[np.intp] | None = None,
    second_rows: NDArray[np.intp] | None = None,
) -> None:
    one, other = shapely.STRtree(second).query(first, predicate="intersects")
    lengths = shapely.length(shapely.intersection(first[one], second[other]))
    a = one if first_rows is None else first_rows[one]
    b = other if second_rows is None else second_rows[other]
    for row, column, length in zip(a.tolist(), b.tolist(), lengths.tolist(), strict=True):
        if row != column and length > EDGE_DEG:
            borders[row][column] = borders[column][row] = length


class _Merging:
    """The areas of one country, and the groups that they have come to."""

    def __init__(
        self, areas: Areas, counts: NDArray[np.int64], borders: Borders, minimum: int
    ) -> None:
        self._minimum = minimum
        self._group = np.arange(len(areas))  # the area that stands for each area's group
        self._points = counts.astype(np.int64).copy()
        self._borders = [dict(row) for row in borders]
        self._regions: list[set[str]] = [{region} for region in areas.regions]
        self._shapes = areas.shapes
        self._heads = set(range(len(areas)))
        self._middles = inner_points(areas.shapes, centroids(areas.shapes))
        self._near: NDArray[np.intp] | None = None

    def groups(self) -> list[NDArray[np.intp]]:
        """The members of each group."""
        return [np.flatnonzero(self._group == head) for head in sorted(self._heads)]

    def fill(self) -> None:
        """Let areas without points join a neighbour that has some, those that touch one first."""
        empty = [head for head in sorted(self._heads) if self._points[head] == 0]
        while empty and len(self._heads) > len(empty):
            # Looked at before any of this ring is joined, so that rings grow evenly.
            ring = [(head, self._filling(head)) for head in empty]
            chosen = [(head, into) for head, into in ring if into is not None]
            if not chosen:
                chosen = [(head, self._nearest(head, with_points=True)) for head in empty]
            for head, into in chosen:
                self._join(head, int(self._group[into]))
            empty = [head for head in empty if head in self._heads]

    def grow(self) -> None:
        """Merge the smallest group until none is below the minimum, or one is left."""
        while len(self._heads) > 1:
            head = min(self._heads, key=lambda k: (self._points[k], k))
            if self._points[head] >= self._minimum:
                break
            self._join(head, self._chosen(head))

    def _filling(self, head: int) -> int | None:
        """The neighbour with points that an empty area joins: of its region, by border."""
        found = [k for k in self._borders[head] if self._points[k] > 0]
        return max(
            found, key=lambda k: (self._is_akin(head, k), self._borders[head][k], -k), default=None
        )

    def _chosen(self, head: int) -> int:
        found = list(self._borders[head])
        if not found:
            return self._nearest(head)

        def rank(k: int) -> tuple[bool, bool, int, float, int]:
            is_akin, is_small = self._is_akin(head, k), self._points[k] < self._minimum
            return is_akin, is_small, int(self._points[k]), self._borders[head][k], -k

        return max(found, key=rank)

    def _is_akin(self, one: int, other: int) -> bool:
        return not self._regions[one].isdisjoint(self._regions[other])

    def _nearest(self, head: int, with_points: bool = False) -> int:
        """The nearest other group: by outline, measured from the middle of the group's areas."""
        members = np.flatnonzero(self._group == head)
        if self._near is None:
            index = PolygonIndex(self._shapes)
            count = min(N_NEAR, len(self._shapes))
            self._near, _ = index.nearest_areas(self._middles, count)
        for rows in self._near[members].T:
            for row in rows.tolist():
                other = int(self._group[row])
                if other != head and (self._points[other] > 0 or not with_points):
                    return other
        others = [k for k in sorted(self._heads - {head}) if self._points[k] > 0 or not with_points]
        distance_km = haversine_km(self._middles[head], self._middles[others])
        return others[int(np.argmin(distance_km))]

    def _join(self, head: int, into: int) -> None:
        self._group[self._group == head] = into
        self._points[into] += self._points[head]
        self._regions[into] |= self._regions[head]
        self._heads.discard(head)
        for other, length in self._borders[head].items():
            self._borders[other].pop(head)
            if other != into:
                total = self._borders[into].get(other, 0.0) + length
                self._borders[into][other] = self._borders[other][into] = total
        self._borders[head] = {}


def group_labels(groups: Sequence[NDArray[np.intp]], n_areas: int) -> NDArray[np.intp]:
    """(K,) the group of each area."""
    labels = np.full(n_areas, -1, dtype=np.intp)
    for number, members in enumerate(groups):
        labels[members] = number
    return labels
