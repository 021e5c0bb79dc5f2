"""The country of a point: by polygon where there is one, by the nearest gazetteer place otherwise.

Degrees `(lat, lon)`, kilometres. With polygons, the rules are, in this order:

1. A point inside a country's polygon has its code (`"polygon"`). Some files, Natural Earth among
   them, draw overseas territories as parts of their sovereign (Réunion within France): there the
   nearest gazetteer place decides, if its country is such a territory without a polygon of its
   own (`"nearest place"`).
2. A point outside of all, at most `coast_km` from one, has the code of the nearest
   (`"nearest polygon"`), with the exception of rule 1, and unless a gazetteer place of a country
   without a polygon (Gibraltar) is nearer still (`"nearest place"`).
3. Any other point has the code of the nearest gazetteer place (`"nearest place"`).

Without polygons only rule 3 is left. Its error is known: it names the wrong country for 6 % of
uniform land points against Natural Earth 50m, and for 25 % of those within 0.05 degrees of a border
or coast; for points near towns, 0.7 %.
"""

from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.boundaries import PolygonIndex
from shared.countries import all_codes, resolve_territory, sovereign_of
from shared.gazetteer import nearest_place_codes
from shared.geo import Floats, check_points

POLYGON, NEAREST_POLYGON, NEAREST_PLACE, NAME = (
    "polygon",
    "nearest polygon",
    "nearest place",
    "name",
)


@dataclass(frozen=True)
class Labels:
    """The countries of N points: what they are, how they are known, and from how far.

    Attributes:
        codes: (N,) country codes.
        sources: (N,) `"polygon"`, `"nearest polygon"` or `"nearest place"`.
        distance_km: (N,) distance to the polygon or place that decided; 0 inside a polygon.
    """

    codes: NDArray[Any]
    sources: NDArray[Any]
    distance_km: Floats


class CountryLabeller:
    """Names the countries of points, many at a time."""

    def __init__(
        self,
        polygons: gpd.GeoDataFrame | None = None,
        territories: str = "own",
        coast_km: float = 25.0,
    ) -> None:
        """Prepare the polygons.

        Args:
            polygons: a table with `code` and `geometry` in degrees, codes not yet joined to
                sovereigns; or None: the gazetteer alone.
            territories: `"own"`, or `"sovereign"` to count territories to their sovereigns.
            coast_km: how far outside of a polygon a point may lie and still be its, km.

        Raises:
            ValueError: when `coast_km` is negative or `territories` is neither.
        """
        if coast_km < 0:
            msg = f"Expected coast_km of at least 0, but got {coast_km}"
            raise ValueError(msg)
        self._final = {code: resolve_territory(code, territories) for code in all_codes()}
        self._coast_km = coast_km
        shapes = [] if polygons is None else list(polygons.geometry)
        self._codes = np.asarray([] if polygons is None else list(polygons["code"]), dtype=object)
        self._index = PolygonIndex(shapes)
        drawn = set(self._codes)
        self._without_polygon = np.asarray([code for code in all_codes() if code not in drawn])
        self._with_hidden_parts = np.asarray(
            sorted({sovereign_of(code) for code in self._without_polygon} & drawn)
        )

    def label(self, points: ArrayLike) -> Labels:
        """The countries of points.

        Args:
            points: (N, 2) latitudes and longitudes, degrees.

        Raises:
            ValueError: when a point is not on the Earth.
        """
        array = check_points(points).reshape(-1, 2)
        codes = np.full(len(array), "", dtype=object)
        sources = np.full(len(array), NEAREST_PLACE, dtype=object)
        distance_km = np.full(len(array), np.inf)
        if len(self._codes):
            rows, inside_km = self._index.label(array)
            inside = rows >= 0
            codes[inside] = self._codes[rows[inside]]
            sources[inside], distance_km[inside] = POLYGON, inside_km[inside]
            self._label_off_coast(array, np.flatnonzero(~inside), codes, sources, distance_km)
        self._label_by_place(array, codes, sources, distance_km)
        final = np.asarray([self._final[code] for code in codes], dtype=object)
        return Labels(final, sources, distance_km)

    def _label_off_coast(
        self,
        points: Floats,
        outside: NDArray[np.intp],
        codes: NDArray[Any],
        sources: NDArray[Any],
        distance_km: Floats,
    ) -> None:
        """Rule 2, but for the countries without a polygon, in place."""
        if len(outside) == 0:
            return
        rows, off_km = self._index.nearest(points[outside])
        near = off_km <= self._coast_km
        codes[outside[near]] = self._codes[rows[near]]
        sources[outside[near]], distance_km[outside[near]] = NEAREST_POLYGON, off_km[near]

    def _label_by_place(
        self, points: Floats, codes: NDArray[Any], sources: NDArray[Any], distance_km: Floats
    ) -> None:
        """Rule 3, and what rules 1 and 2 leave to the places, in place."""
        open_rows = np.flatnonzero(
            (sources != POLYGON) | np.isin(codes.astype(str), self._with_hidden_parts)
        )
        if len(open_rows) == 0:
            return
        place_codes, place_km = nearest_place_codes(points[open_rows])
        hidden = np.isin(place_codes.astype(str), self._without_polygon)
        owners = np.asarray([sovereign_of(code) for code in place_codes], dtype=object)
        was = sources[open_rows]
        is_territory = hidden & (owners == codes[open_rows])
        is_nearer = hidden & (was == NEAREST_POLYGON) & (place_km < distance_km[open_rows])
        decides = (was == NEAREST_PLACE) | is_territory | is_nearer
        rows = open_rows[decides]
        codes[rows], distance_km[rows] = place_codes[decides], place_km[decides]
        sources[rows] = NEAREST_PLACE
