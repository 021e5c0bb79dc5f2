"""Maps of a grid's cells, drawn by matplotlib without network. Degrees."""

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm

from shared.boundaries import world_outlines
from shared.partitions import Partition

LAND, EDGE, EMPTY = "#e8e4da", "#7b8794", "#ffffff"
MARGIN_DEG = 3.0


def draw_cells(axes: Axes, grid: Partition, photos: pd.DataFrame | None = None) -> None:
    """The outlines of cells on a map, shaded by how many photos lie in them.

    Args:
        axes: where to draw; x is the longitude and y the latitude, degrees.
        grid: the cells.
        photos: `lat`, `lon`, degrees; None: no shades.
    """
    shapes = gpd.GeoSeries(grid.table.geometry.to_numpy(), crs=grid.table.crs)
    west, south, east, north = shapes.total_bounds
    world_outlines().plot(ax=axes, color=LAND, edgecolor="none", zorder=0)
    shapes.plot(ax=axes, color=EMPTY, edgecolor=EDGE, linewidth=0.4, zorder=1)
    if photos is not None and len(photos):
        rows = grid.index_of(grid.label(photos[["lat", "lon"]].to_numpy(dtype=float)))
        counts = np.bincount(rows, minlength=len(grid))
        table = gpd.GeoDataFrame({"photos": counts}, geometry=shapes)
        table[counts > 0].plot(
            "photos",
            ax=axes,
            cmap="YlGnBu",
            norm=LogNorm(1, max(2, counts.max())),
            edgecolor=EDGE,
            linewidth=0.4,
            zorder=2,
            legend=True,
            legend_kwds={"label": "training photos", "shrink": 0.7, "pad": 0.02},
        )
    axes.set(xlim=(west - MARGIN_DEG, east + MARGIN_DEG), xlabel="longitude, °")
    axes.set(ylim=(south - MARGIN_DEG, north + MARGIN_DEG), ylabel="latitude, °")
