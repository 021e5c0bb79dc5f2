"""Classes to countries and areas: whose they are, how large, and the fewest that hold most.

Degrees, `(lat, lon)`; square kilometres.
"""

from functools import cache, cached_property

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from shared.boundaries import CRS
from shared.countries import name_of
from shared.evaluation.credible import class_areas, credible_classes
from shared.evaluation.readout import expected_distance_points
from shared.geo import EARTH_RADIUS_KM, Floats, haversine_km
from shared.partitions import COLUMNS, Partition, world_outlines
from shared.predict.answers import Area, Guess, Pin

CELL_DEG = 1.5  # height of a cell, and its width on the equator: 167 km
CELLS = "cells"
POLYGONS = ("Polygon", "MultiPolygon")
MOST_FOR_POINT = 500  # classes


class Classes:
    """What the classes of a model are, as answers need it: countries, outlines and areas."""

    def __init__(self, partition: Partition) -> None:
        """Take the classes of a model, or `cells`."""
        self.partition = partition
        names = {"countries": "countries", CELLS: CELLS}
        self.kind = names.get(partition.name, "regions")

    @cached_property
    def codes(self) -> list[str]:
        """The codes of the classes, in the order of the probabilities."""
        return self.partition.codes

    @cached_property
    def names(self) -> list[str]:
        """The names of the classes."""
        return self.partition.names

    @cached_property
    def countries(self) -> tuple[list[str], NDArray[np.intp]]:
        """The countries, sorted, and (K,) which of them each class lies in; -1: none is known."""
        each = self.partition.countries
        known = sorted({code for code in each if code})
        number = {code: row for row, code in enumerate(known)}
        return known, np.asarray([number.get(code, -1) for code in each], dtype=np.intp)

    @cached_property
    def outlines(self) -> gpd.GeoSeries:
        """The polygon of each class; None where there is none, also not among coarse outlines."""
        shapes = list(self.partition.table.geometry)
        spare: dict[str, object] = {}
        if self.kind == "countries":
            world = world_outlines()
            spare = dict(zip(world["code"], world.geometry, strict=True))
        found = [
            shape if getattr(shape, "geom_type", "") in POLYGONS else spare.get(code)
            for shape, code in zip(shapes, self.codes, strict=True)
        ]
        return gpd.GeoSeries(found, crs=CRS)

    @cached_property
    def km2(self) -> Floats:
        """(K,) areas of the classes, NaN where the outline is not known."""
        if self.kind == CELLS:
            return cell_areas_km2(self.partition)
        return class_areas(self.partition)

    def best_countries(self, probabilities: Floats, top: int) -> tuple[Guess, ...]:
        """The most probable countries: the sums of their classes."""
        known, rows = self.countries
        sums = np.bincount(rows + 1, probabilities, len(known) + 1)[1:]
        order = np.argsort(-sums, kind="stable")[:top]
        return tuple(Guess(known[row], name_of(known[row]), float(sums[row])) for row in order)

    def best(self, probabilities: Floats, top: int) -> tuple[Guess, ...]:
        """The most probable classes."""
        return tuple(
            self._guess(int(row), probabilities)
            for row in np.argsort(-probabilities, kind="stable")[:top]
        )

    def _guess(self, row: int, probabilities: Floats) -> Guess:
        return Guess(self.codes[row], self.names[row], float(probabilities[row]))

    def area(self, probabilities: Floats, level: float) -> Area:
        """The fewest classes that hold a share of the probability.

        Args:
            probabilities: (K,) of the classes.
            level: the share, above 0 and at most 1.
        """
        chosen = credible_classes(probabilities[None], level)[0]
        rows = [row for row in np.argsort(-probabilities, kind="stable") if chosen[row]]
        inside = np.where(chosen, probabilities, 0.0)
        km2 = float(self.km2[rows].sum())
        known, _ = self.countries
        return Area(
            level,
            float(inside.sum()),
            self.kind,
            tuple(self._guess(int(row), probabilities) for row in rows),
            tuple(g.code for g in self.best_countries(inside, len(known)) if g.probability > 0),
            None if np.isnan(km2) else km2,
        )

    def pin(self, probabilities: Floats) -> Pin:
        """The point from which the expected distance to the true place is least.

        Of many classes the most probable ones are looked at: the rest hardly moves the point.
        """
        rows = np.argsort(-probabilities, kind="stable")[:MOST_FOR_POINT]
        shares, centres = probabilities[rows], self.partition.centres[rows]
        point = expected_distance_points(shares[None], centres)[0]
        expected = float(haversine_km(point, centres) @ shares / shares.sum())
        how = f"least expected distance to the middles of the {self.kind}"
        return Pin(round(float(point[0]), 5), round(float(point[1]), 5), how, round(expected))


@cache
def cells() -> Partition:
    """The Earth in cells of like areas, each with its country: what a spread is read on.

    Bands of `CELL_DEG` are cut into as many boxes as keep them about square. A cell's country is
    that which holds its middle, by coarse outlines; at sea it is the nearest.
    """
    world = world_outlines()
    inside = world.geometry.representative_point()
    table = pd.DataFrame(
        {"code": world["code"], "name": world["name"], "lat": inside.y, "lon": inside.x}
    )
    # Some outlines end at longitude 180.00000000000006.
    shapes = shapely.transform(world.geometry.to_numpy(), _on_earth)
    countries = Partition(
        "countries", gpd.GeoDataFrame(table[COLUMNS[:4]], geometry=shapes, crs=CRS)
    )
    boxes = np.concatenate([_band(south) for south in np.arange(-90, 90, CELL_DEG)])
    centres = np.column_stack([boxes[:, [1, 3]].mean(axis=1), boxes[:, [0, 2]].mean(axis=1)])
    cell_table = pd.DataFrame(
        {
            "code": [f"cell_{number:05d}" for number in range(len(boxes))],
            "name": [f"around {lat:.0f}, {lon:.0f}" for lat, lon in centres],
            "lat": centres[:, 0],
            "lon": centres[:, 1],
            "country": countries.label(centres),
        }
    )
    geometry = shapely.box(*boxes.T)
    return Partition(CELLS, gpd.GeoDataFrame(cell_table, geometry=geometry, crs=CRS))


def _on_earth(lon_lat: Floats) -> Floats:
    found: Floats = np.clip(lon_lat, [-180, -90], [180, 90])
    return found


def _band(south: float) -> Floats:
    """(M, 4) boxes west, south, east, north of a band, degrees."""
    n_boxes = max(3, round(360 / CELL_DEG * np.cos(np.radians(south + CELL_DEG / 2))))
    edges = np.linspace(-180, 180, n_boxes + 1)
    low, high = np.full(n_boxes, south), np.full(n_boxes, south + CELL_DEG)
    return np.column_stack([edges[:-1], low, edges[1:], high])


def cell_areas_km2(partition: Partition) -> Floats:
    """(K,) areas of boxes of latitude and longitude on the sphere: R^2 dlon (sin n - sin s)."""
    west, south, east, north = np.radians(partition.table.geometry.bounds.to_numpy()).T
    found: Floats = EARTH_RADIUS_KM**2 * (east - west) * (np.sin(north) - np.sin(south))
    return found
