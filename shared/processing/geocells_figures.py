"""Figures of the geocells' page: maps of cells, and how large they are. Degrees, places a cell."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from shared.partitions import Partition

COLOURS = 20  # of matplotlib's tab20
BINS = 40


def draw_cells(axes: Axes, partition: Partition) -> None:
    """Cells in colours that neighbours mostly do not share, within the axes' limits.

    Args:
        axes: where to draw; x is the longitude and y the latitude, degrees.
        partition: cells with polygons.
    """
    limits = axes.get_xlim(), axes.get_ylim()
    colour = np.arange(len(partition)) * 7 % COLOURS  # 7 and 20 share no factor
    table = partition.table.assign(colour=colour)
    table.plot(
        ax=axes, column="colour", cmap="tab20", vmin=0, vmax=COLOURS - 1, alpha=0.6,
        edgecolor="black", linewidth=0.2, zorder=2,
    )  # fmt: skip
    axes.set(xlim=limits[0], ylim=limits[1])
    axes.set_aspect("equal")


def draw_sizes(axes: Axes, counts: Mapping[str, NDArray[np.int64]]) -> None:
    """How many cells have so many places, a line for each way of making them.

    Args:
        axes: where to draw; x is the number of places, logarithmic.
        counts: places of each cell, by name.
    """
    most = max(int(values.max()) for values in counts.values())
    edges = np.unique(np.round(np.geomspace(1, most + 1, BINS)).astype(int))
    for name, values in counts.items():
        heights, _ = np.histogram(values, edges)
        axes.stairs(heights, edges, label=name)
    axes.set(xlabel="training places of a cell", ylabel="cells", xscale="log")
    axes.legend(frameon=False)
