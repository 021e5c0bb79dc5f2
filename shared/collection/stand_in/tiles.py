"""The map of the stand-in as square tiles of Web Mercator (EPSG:3857), drawn as SVG.

At zoom z the world is 2^z x 2^z tiles of 256 pixels, x from 180 degrees west, y from the north.
"""

from functools import cache

import numpy as np
import shapely
from shapely import Geometry

from shared.geo import Floats

TILE_PX = 256
MOST_ZOOM = 8
NORTHMOST_DEG = 85.05112878  # where the square of the projection ends
LAND, SHORE, SEA = "#e6ead9", "#9aa58c", "#a9cfe6"


@cache
def tile(zoom: int, x: int, y: int) -> bytes:
    """A tile as SVG.

    Args:
        zoom: 0 shows the world in one tile.
        x: column, from the west.
        y: row, from the north.

    Raises:
        ValueError: there is no such tile.
    """
    n = 2**zoom
    if not (0 <= zoom <= MOST_ZOOM and 0 <= x < n and 0 <= y < n):
        msg = f"Expected a tile of zoom 0 to {MOST_ZOOM}, got zoom {zoom}, x {x}, y {y}"
        raise ValueError(msg)
    inside = shapely.clip_by_rect(_world(), x / n, y / n, (x + 1) / n, (y + 1) / n)
    path = " ".join(_ring(ring, zoom, x, y) for ring in _rings(inside))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{TILE_PX}" height="{TILE_PX}">'
        f'<rect width="100%" height="100%" fill="{SEA}"/>'
        f'<path d="{path}" fill="{LAND}" stroke="{SHORE}" stroke-width="1"/></svg>'
    ).encode()


@cache
def _world() -> Geometry:
    """Countries on the square of the projection, which is 1 x 1 here, y to the south."""
    from shared.boundaries import world_outlines  # takes a second to import

    land = shapely.GeometryCollection(list(world_outlines().geometry))
    return shapely.transform(land, _project)


def _project(lon_lat: Floats) -> Floats:
    lat = np.radians(np.clip(lon_lat[:, 1], -NORTHMOST_DEG, NORTHMOST_DEG))
    y = 0.5 - np.arcsinh(np.tan(lat)) / (2 * np.pi)
    return np.stack([lon_lat[:, 0] / 360 + 0.5, y], axis=1)


def _rings(shape: Geometry) -> list[Geometry]:
    parts = shapely.get_parts(shapely.get_parts(shape))
    return [part.exterior for part in parts if part.geom_type == "Polygon" and not part.is_empty]


def _ring(ring: Geometry, zoom: int, x: int, y: int) -> str:
    at = shapely.get_coordinates(ring) * 2**zoom - (x, y)
    return "M" + "L".join(f"{px:.1f} {py:.1f}" for px, py in at * TILE_PX) + "Z"
