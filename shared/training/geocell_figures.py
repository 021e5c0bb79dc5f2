"""Figures of the geocell training: views, facts, and guesses on a map. Degrees, kilometres."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from shared.geo import haversine_km
from shared.partitions import Partition
from shared.processing.geocells_figures import draw_cells
from shared.processing.maps import draw_world
from shared.training.geocell import PlaceOutputs
from shared.training.grid import CellPhotos


def views_figure(scores: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """GeoScore and median error by the number of views that a model is shown.

    Args:
        scores: of each model, by its name: a row a number of views, with the columns of
            `score_cells`.
        title: above the figure.
    """
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2))
    panels = (("GeoScore", "GeoScore, of 5,000"), ("median km", "median error, km"))
    for place, (column, label) in zip(axes, panels, strict=True):
        for name, table in scores.items():
            place.plot(table.index, table[column], marker="o", label=name)
        numbers = sorted({int(n) for table in scores.values() for n in table.index})
        place.set(xlabel="views of each place", ylabel=label, xticks=numbers)
    axes[0].legend(frameon=False)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    return figure


def facts_figure(table: pd.DataFrame, title: str) -> Figure:
    """How much smaller the errors of facts are than those of the best constant guess.

    Args:
        table: of `fact_table`.
        title: above the figure.
    """
    figure, axes = plt.subplots(figsize=(7, 0.3 * len(table) + 1.2))
    axes.barh(table.index, table["better, %"])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set(xlabel="error below that of the constant guess, %")
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    return figure


def cells_map(cells: Partition, part: CellPhotos, title: str) -> Figure:
    """The cells, their points, and the places that they are learned from."""
    figure, axes = plt.subplots(figsize=(7, 3.3))
    places = pd.DataFrame(part.view_targets[:, 1:].numpy(), columns=["lat", "lon"])
    draw_world(axes, places)
    draw_cells(axes, cells)
    axes.scatter(places["lon"], places["lat"], s=1, color="black", linewidths=0, zorder=3)
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    return figure


def guesses_map(outputs: PlaceOutputs, cells: Partition, part: CellPhotos, title: str) -> Figure:
    """Each place of a list, coloured by how far off the likeliest cell's point is."""
    truth = part.view_targets[:, 1:].numpy()
    away = haversine_km(cells.centres[outputs.cells], truth)
    places = pd.DataFrame(truth, columns=["lat", "lon"])
    figure, axes = plt.subplots(figsize=(7, 3.3))
    draw_world(axes, places)
    drawn = axes.scatter(
        places["lon"], places["lat"], c=np.log10(np.maximum(away, 1.0)), s=14, cmap="viridis_r",
        vmin=1.0, vmax=4.0, zorder=3,
    )  # fmt: skip
    bar = figure.colorbar(drawn, ax=axes, ticks=[1, 2, 3, 4], shrink=0.8, label="error, km")
    bar.ax.set_yticklabels(["10", "100", "1,000", "10,000"])
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    return figure
