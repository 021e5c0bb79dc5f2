"""Maps of classes by matplotlib: polygons where there are some, else the places of a class."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from shared.partitions import Partition

N_COLOURS = 20  # of matplotlib's tab20; neighbours may share one


def draw_classes(
    axes: Axes,
    partition: Partition,
    codes: Sequence[str] | None = None,
    values: pd.Series | None = None,
    **options: object,
) -> None:
    """Fill the polygons of classes, or dot their places.

    Args:
        axes: where to draw; x is the longitude and y the latitude, degrees.
        partition: the classes.
        codes: which classes, or None for all.
        values: a number for each code, to colour by; else neighbours mostly differ in colour.
        options: passed on to geopandas, such as `cmap`, `norm` or `legend`.
    """
    chosen = partition if codes is None else partition.subset(codes)
    shapes = chosen.table.geometry.to_numpy().copy()
    bare = np.flatnonzero([shape is None for shape in shapes])
    shapes[bare] = shapely.points(chosen.centres[bare][:, ::-1])
    table = gpd.GeoDataFrame({"code": chosen.codes}, geometry=shapes, crs=partition.table.crs)
    rows = partition.index_of(chosen.codes)
    if values is None:
        table["value"] = _mixed(rows)
        options = {"cmap": ListedColormap(_colours()), "vmin": 0, "vmax": N_COLOURS - 1} | options
    else:
        table["value"] = table["code"].map(values)
    is_polygon = shapely.get_dimensions(shapes) == 2
    for part, extra in ((table[is_polygon], {"linewidth": 0}), (table[~is_polygon], _DOTS)):
        if len(part):
            part.plot(column="value", ax=axes, zorder=1, **(extra | options))


def _mixed(rows: np.ndarray) -> np.ndarray:
    """Colour numbers: rows that follow each other, as neighbours often do, get distant ones."""
    return (rows * 7) % N_COLOURS


_DOTS = {"markersize": 1.5, "marker": ".", "linewidth": 0}


def _colours() -> list[tuple[float, ...]]:
    from matplotlib import colormaps

    return [tuple(colour) for colour in colormaps["tab20"](np.arange(N_COLOURS))]
