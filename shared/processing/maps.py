"""Maps and bars of stage 2, drawn by matplotlib from what is installed: no network, no tiles."""

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from shared.boundaries import world_outlines
from shared.data_loader import dataset_settings

LAND, SHORE = "#e8e4da", "#b5afa2"


def figure_note(dataset: str) -> str:
    """What every figure of a data set says of it, such as `"demo (synthetic)"`."""
    settings = dataset_settings(dataset)
    return f"{dataset} (synthetic)" if settings.synthetic else dataset


def draw_world(axes: Axes, points: pd.DataFrame | None = None, margin_deg: float = 5.0) -> None:
    """Outlines of the world's countries as a background, cut to the points where there are some.

    Args:
        axes: where to draw; x is the longitude and y the latitude, degrees.
        points: `lat`, `lon`, degrees, or None for the whole world.
        margin_deg: how much is shown around the points, degrees.
    """
    outlines: gpd.GeoDataFrame = world_outlines()
    outlines.plot(ax=axes, color=LAND, edgecolor=SHORE, linewidth=0.4, zorder=0)
    west, east, south, north = -180.0, 180.0, -60.0, 85.0
    if points is not None and len(points):
        west = max(-180.0, float(points["lon"].min()) - margin_deg)
        east = min(180.0, float(points["lon"].max()) + margin_deg)
        south = max(-90.0, float(points["lat"].min()) - margin_deg)
        north = min(90.0, float(points["lat"].max()) + margin_deg)
    axes.set(xlim=(west, east), ylim=(south, north), xlabel="longitude, °", ylabel="latitude, °")
    axes.set_aspect("equal")


def grouped_bars(axes: Axes, table: pd.DataFrame, labels: Sequence[str]) -> None:
    """A group of bars for each row of a table, a bar for each column.

    Args:
        axes: where to draw.
        table: numbers; a row a group, a column a series, its name in the legend.
        labels: what stands below each group.
    """
    width = 0.8 / len(table.columns)
    at = np.arange(len(table))
    for n, column in enumerate(table.columns):
        offset = (n - (len(table.columns) - 1) / 2) * width
        axes.bar(at + offset, table[column].to_numpy(), width, label=str(column))
    axes.set_xticks(at, labels, rotation=90 if len(table) > 20 else 0)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
