"""Partitions: classes that divide the Earth, each with a name, a centre and mostly a polygon.

Degrees, `(lat, lon)`, kilometres. A partition is one GeoParquet file, without pickles; a model's
classes are its rows, in their order. A class without a polygon may have the places that lie in it
instead (a multipoint): points are then labelled by the nearest place. With neither it is known by
its centre alone.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import ArrayLike, NDArray

from shared.boundaries import CRS, PolygonIndex, world_outlines
from shared.countries import all_codes, name_of
from shared.gazetteer import gazetteer
from shared.geo import Floats, check_points, spherical_mean

__all__ = ["COLUMNS", "OPTIONAL_COLUMNS", "Partition", "countries_partition", "world_outlines"]

COLUMNS = ["code", "name", "lat", "lon", "geometry"]
OPTIONAL_COLUMNS = ["country", "inner_lat", "inner_lon"]


@dataclass(frozen=True)
class Partition:
    """Classes that divide the Earth.

    Attributes:
        name: what it divides the Earth into, such as `"countries"`.
        table: a row a class: `code`, `name`, `lat` and `lon` of its centre (degrees), and
            `geometry`: a polygon or the places of a class in degrees (EPSG:4326), or None. It may
            have `country` (ISO alpha-2, "" unknown), and `inner_lat` and `inner_lon` of a point
            inside (degrees).
    """

    name: str
    table: gpd.GeoDataFrame = field(repr=False)

    def __post_init__(self) -> None:
        """Hold the table to its columns: codes once each, centres on the Earth."""
        missing = [column for column in COLUMNS if column not in self.table.columns]
        if missing:
            msg = f"Expected columns {COLUMNS}, but {missing} are missing: {list(self.table)}"
            raise ValueError(msg)
        twice = self.table["code"][self.table["code"].duplicated()].unique()
        if len(twice):
            msg = f"Expected each code once, but these come more often: {list(twice)[:5]}"
            raise ValueError(msg)
        check_points(self.table[["lat", "lon"]].to_numpy(dtype=float), "centres")
        inner = [column for column in ("inner_lat", "inner_lon") if column in self.table.columns]
        if len(inner) == 1:
            msg = f"Expected both inner_lat and inner_lon, or neither, but got {list(self.table)}"
            raise ValueError(msg)
        if inner:
            check_points(self.table[inner].to_numpy(dtype=float), "inner points")

    def __len__(self) -> int:
        """The number of classes."""
        return len(self.table)

    @property
    def codes(self) -> list[str]:
        """The codes of the classes, in order."""
        return [str(code) for code in self.table["code"]]

    @property
    def names(self) -> list[str]:
        """The names of the classes, in order."""
        return [str(name) for name in self.table["name"]]

    @property
    def centres(self) -> Floats:
        """(K, 2) latitudes and longitudes of the classes' centres, degrees."""
        centres: Floats = self.table[["lat", "lon"]].to_numpy(dtype=np.float64)
        return centres

    @property
    def countries(self) -> list[str]:
        """The country of each class, in order; "" where it is not known.

        Where the table does not tell them and all codes are countries', it is the codes.
        """
        if "country" in self.table.columns:
            return [str(country) for country in self.table["country"]]
        codes = self.codes
        return codes if set(codes) <= set(all_codes()) else [""] * len(codes)

    @property
    def inner(self) -> Floats:
        """(K, 2) latitudes and longitudes, degrees, of a point inside each class.

        Where the table has none, it is one inside the polygon, or the centre of a class without.
        """
        columns = ["inner_lat", "inner_lon"]
        if set(columns) <= set(self.table.columns):
            inner: Floats = self.table[columns].to_numpy(dtype=np.float64)
            return inner
        inner = self.centres.copy()
        has_shape = self.table.geometry.notna().to_numpy()
        inside = self.table.geometry[has_shape].representative_point()
        inner[has_shape] = np.column_stack([inside.y, inside.x])
        return inner

    def index_of(self, codes: Iterable[str]) -> NDArray[np.int64]:
        """The rows of codes, -1 for a code that is no class here."""
        rows = {code: row for row, code in enumerate(self.codes)}
        return np.asarray([rows.get(code, -1) for code in codes], dtype=np.int64)

    def subset(self, codes: Iterable[str]) -> "Partition":
        """The partition of some of the classes, in the order given.

        Raises:
            ValueError: when a code is no class here.
        """
        wanted = list(codes)
        rows = self.index_of(wanted)
        if (rows < 0).any():
            unknown = [code for code, row in zip(wanted, rows, strict=True) if row < 0]
            msg = f"Expected classes of {self.name!r} ({len(self)}), but got {unknown[:5]}"
            raise ValueError(msg)
        return Partition(self.name, self.table.iloc[rows].reset_index(drop=True))

    def label(self, points: ArrayLike) -> NDArray[Any]:
        """The class of each point: the codes of `label_with_distance`."""
        return self.label_with_distance(points)[0]

    def label_with_distance(self, points: ArrayLike) -> tuple[NDArray[Any], Floats]:
        """The class of each point, and how far off it lies.

        It is the class whose polygon holds the point; for other points the class whose polygon
        (for a class without one: whose nearest place, or centre) is nearest on the sphere.

        Args:
            points: (N, 2) latitudes and longitudes, degrees.

        Returns:
            (N,) codes, as objects; and (N,) distances to the class, km, 0 inside its polygon.
        """
        array = check_points(points).reshape(-1, 2)
        rows, distance_km = self._areas.label(array)
        open_rows = np.flatnonzero(rows < 0)
        if len(open_rows):
            rows[open_rows], distance_km[open_rows] = self._areas.nearest(array[open_rows])
        return np.asarray(self.codes, dtype=object)[rows], distance_km

    def nearest(self, points: ArrayLike, k: int) -> tuple[NDArray[np.intp], Floats]:
        """The k classes nearest to each point, those that hold it first.

        Args:
            points: (N, 2) latitudes and longitudes, degrees.
            k: how many classes, at most all.

        Returns:
            (N, k) rows of the classes, the nearest first; and (N, k) distances to them, km, as
            `label_with_distance` measures them.

        Raises:
            ValueError: when k is not from 1 to the number of classes.
        """
        return self._areas.nearest_areas(points, k)

    @cached_property
    def _areas(self) -> PolygonIndex:
        centres = shapely.points(self.centres[:, ::-1])
        shapes = self.table.geometry.to_numpy()
        return PolygonIndex(np.where(self.table.geometry.isna(), centres, shapes))

    def save(self, path: Path) -> None:
        """Write the partition as a GeoParquet file, under its name only when it is whole."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
        table = self.table[_known_columns(self.table)].assign(partition=self.name)
        table.to_parquet(temporary, index=False)
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Partition":
        """Read a partition that `save` wrote.

        Raises:
            FileNotFoundError: when there is no such file.
            ValueError: when the file is no partition.
        """
        if not path.exists():
            msg = f"Expected a partition at {path}: a checkpoint of 3-training carries one"
            raise FileNotFoundError(msg)
        table = gpd.read_parquet(path)
        names = set(table["partition"]) if "partition" in table.columns else set()
        if len(names) != 1:
            msg = f"Expected one partition in {path}, with a column 'partition': {list(table)}"
            raise ValueError(msg)
        return cls(str(names.pop()), table[_known_columns(table)].reset_index(drop=True))


def countries_partition(
    codes: Iterable[str],
    polygons: gpd.GeoDataFrame | None = None,
    points: pd.DataFrame | None = None,
    name: str = "countries",
) -> Partition:
    """The partition into countries.

    A country's centre is the middle, on the sphere, of its points (so that a guess of the country
    lies where its photos are); without points, of its places in the gazetteer; without those, a
    point inside its polygon.

    Args:
        codes: the countries, in the order of the classes.
        polygons: a table with `code` and `geometry`, or None: no polygons.
        points: a table with `code`, `lat`, `lon` (degrees; rows without are passed over), or None.
        name: the partition's name.

    Raises:
        ValueError: when a country has neither points nor places nor a polygon.
        UnknownCountryError: for a code that is none.
    """
    wanted = list(codes)
    shapes = {} if polygons is None else dict(zip(polygons["code"], polygons.geometry, strict=True))
    own = _points_by_code(points) if points is not None else {}
    places = _points_by_code(gazetteer().rename(columns={"cc": "code"}))
    rows = []
    for code in wanted:
        located = own.get(code, places.get(code))
        shape = shapes.get(code)
        if located is not None:
            lat, lon = spherical_mean(located)
        elif shape is not None:
            inside = shape.representative_point()
            lat, lon = inside.y, inside.x
        else:
            msg = f"Expected points, gazetteer places or a polygon of {code}, but there is none"
            raise ValueError(msg)
        rows.append((code, name_of(code), float(lat), float(lon), shape))
    table = pd.DataFrame(rows, columns=COLUMNS)
    return Partition(name, gpd.GeoDataFrame(table, geometry="geometry", crs=CRS))


def _known_columns(table: pd.DataFrame) -> list[str]:
    return COLUMNS + [column for column in OPTIONAL_COLUMNS if column in table.columns]


def _points_by_code(points: pd.DataFrame) -> dict[str, Floats]:
    located = points.dropna(subset=["lat", "lon"])
    return {
        str(code): group[["lat", "lon"]].to_numpy(dtype=np.float64)
        for code, group in located.groupby("code", sort=True)
    }
