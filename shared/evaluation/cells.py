"""The Earth in cells of like areas: what a density on the sphere is read on.

Degrees, `(lat, lon)`; square kilometres.
"""

from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from shared.boundaries import CRS
from shared.geo import EARTH_RADIUS_KM, Floats
from shared.partitions import COLUMNS, Partition, world_outlines

CELL_DEG = 1.5  # height of a cell, and its width on the equator: 167 km
CELLS = "cells"


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
