"""GeoGuessrAI's picture of a guess, on paper and in the browser, and scores by number of views.

Cells are shaded by their probability, the true point is green, the middle of the likeliest cell is
yellow, and a line joins the two. Degrees, `(lat, lon)`, kilometres.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from shared.arcs import great_circle
from shared.boundaries import CRS, world_outlines
from shared.evaluation.distances import distance_km
from shared.evaluation.figures import BLUE, FAINT, INK, ORANGE, new_figure, plain
from shared.evaluation.intervals import Interval
from shared.evaluation.maps import LAND
from shared.evaluation.predictions import class_probabilities
from shared.geo import Floats
from shared.grid import cell_centres
from shared.partitions import Partition
from shared.web_map import (
    GREEN,
    YELLOW,
    add_areas,
    add_line,
    add_points,
    focus,
    world_map,
)

MARGIN_DEG = 6.0
COLOURS = (BLUE, ORANGE, "#2f9e44", "#7b5ea7", INK)
MILE_KM = 1.609344


@dataclass(frozen=True)
class Guess:
    """One place, and what a model says of it.

    Attributes:
        place: its key.
        cells: the classes.
        shares: (K,) their probabilities.
        truth: (2,) the true point, degrees.
        n_views: how many views the model was given.
    """

    place: str
    cells: Partition
    shares: Floats
    truth: Floats
    n_views: int

    @property
    def best(self) -> int:
        """The likeliest cell."""
        return int(np.argmax(self.shares))

    @property
    def middle(self) -> Floats:
        """(2,) the middle of the likeliest cell, degrees."""
        shape = self.cells.table.geometry.to_numpy()[self.best : self.best + 1]
        found: Floats = cell_centres(shape)[0]
        return found

    @property
    def text(self) -> str:
        """How far off it is, and how sure."""
        km = float(distance_km(self.truth[None], self.middle[None])[0])
        views = f"{self.n_views} view{'s' if self.n_views != 1 else ''}"
        return (
            f"{km:,.0f} km ({km / MILE_KM:,.0f} miles) off, {100 * self.shares.max():.0f} % sure, "
            f"{views}"
        )


def guess_of(table: pd.DataFrame, row: int, cells: Partition, n_views: int) -> Guess:
    """The guess of one row of a table of predictions."""
    one = table.iloc[row : row + 1]
    codes, values = class_probabilities(one)
    shares = np.zeros(len(cells))
    shares[cells.index_of(codes)] = values[0]
    truth = one[["true_lat", "true_lon"]].to_numpy(dtype=np.float64)[0]
    return Guess(str(one["place"].iloc[0]), cells, shares, truth, n_views)


def guess_figure(guess: Guess, note: str) -> Figure:
    """The picture of a guess, drawn by matplotlib.

    Args:
        guess: of one place.
        note: the foot.
    """
    figure = new_figure(7.5, 4.6, note)
    axes = figure.add_subplot()
    shapes = gpd.GeoSeries(guess.cells.table.geometry.to_numpy(), crs=CRS)
    colour = ScalarMappable(Normalize(0, float(guess.shares.max())), "Blues")
    world_outlines().plot(ax=axes, color=LAND, edgecolor="white", linewidth=0.4, zorder=0)
    shapes.plot(
        ax=axes, color=colour.to_rgba(guess.shares), edgecolor=INK, linewidth=0.25, zorder=1
    )
    line = great_circle(guess.truth, guess.middle)
    axes.plot(line[:, 1], line[:, 0], color=INK, linewidth=1.4, zorder=3)
    for point, fill, label in ((guess.truth, GREEN, "true"), (guess.middle, YELLOW, "guess")):
        style: dict[str, Any] = {"edgecolors": INK, "linewidths": 0.8, "zorder": 4, "s": 52}
        axes.scatter(point[1], point[0], color=fill, label=label, **style)
    low, high = _frame(guess)
    axes.set(xlim=(low[1], high[1]), ylim=(low[0], high[0]))
    axes.set(xlabel="longitude, °", ylabel="latitude, °")
    axes.set_aspect(1 / np.cos(np.radians((low[0] + high[0]) / 2)))
    axes.set_title(f"{guess.place}: {guess.text}", fontsize=10)
    axes.legend(frameon=True, fontsize=8, loc="lower left")
    bar = figure.colorbar(colour, ax=axes, shrink=0.7)
    bar.set_label("probability of the cell", fontsize=9)
    plain(axes)
    return figure


def guess_map(guess: Guess, note: str) -> go.Figure:
    """The same as a map to look around on; `web_map.write_page` makes a page of it.

    Args:
        guess: of one place.
        note: the foot.
    """
    figure = world_map(f"{guess.place}: {guess.text}", note, "equirectangular")
    names = [
        f"{name}: {100 * share:.1f} %"
        for name, share in zip(guess.cells.names, guess.shares, strict=True)
    ]
    areas = list(guess.cells.table.geometry)
    add_areas(figure, areas, guess.shares, names, "probability", guess.cells.inner)
    add_line(figure, guess.truth, guess.middle, guess.text)
    best = f"likeliest cell: {names[guess.best]}"
    add_points(figure, guess.middle[None], [best], "middle of the likeliest cell", YELLOW, 13)
    add_points(figure, guess.truth[None], ["the true place"], "true place", GREEN, 13)
    low, high = _frame(guess)
    focus(figure, np.clip([low, high], (-90, -180), (90, 180)), 0.0)
    return figure


def views_figure(rows: Mapping[str, Mapping[int, Mapping[str, Interval]]], note: str) -> Figure:
    """GeoScore and right cells by the number of views, a line a model, with intervals.

    Args:
        rows: figures by model, then by number of views.
        note: the foot.
    """
    figure = new_figure(9.0, 3.6, note)
    panels = figure.subplots(1, 2)
    for axes, (name, title, factor) in zip(
        panels, (("geo_score", "GeoScore", 1.0), ("top_1", "right cell, %", 100.0)), strict=True
    ):
        for number, (model, found) in enumerate(rows.items()):
            at = np.asarray(list(found)) + 0.05 * (number - (len(rows) - 1) / 2)
            values = factor * np.asarray([f[name].value for f in found.values()])
            ends = factor * np.asarray([[f[name].lower, f[name].upper] for f in found.values()]).T
            colour = COLOURS[number % len(COLOURS)]
            axes.errorbar(
                at, values, np.abs(ends - values), color=colour, marker="o", capsize=2, label=model
            )
        axes.set(xlabel="views of each place", xticks=sorted({n for f in rows.values() for n in f}))
        axes.set_ylabel(title)
        axes.grid(axis="y", color=FAINT)
        plain(axes)
    panels[1].legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def ancestor_figure(rows: Mapping[str, Mapping[str, Interval]], note: str) -> Figure:
    """Means between the centres of cells, miles, as the ancestor showed its four models.

    Args:
        rows: figures of `evaluation.grid.grid_figures` by model.
        note: the foot.
    """
    figure = new_figure(7.0, 0.36 * len(rows) + 1.3, note)
    axes = figure.add_subplot()
    heights = np.arange(len(rows))[::-1]
    values = [found["ancestor_miles"] for found in rows.values()]
    ends = np.asarray([[v.value - v.lower, v.upper - v.value] for v in values]).T
    axes.barh(heights, [v.value for v in values], xerr=ends, color=BLUE, height=0.6, capsize=3)
    axes.set_yticks(heights, list(rows))
    axes.set_xlabel("mean distance between the centres of the true and the likeliest cell, miles")
    plain(axes)
    return figure


def _frame(guess: Guess) -> tuple[Floats, Floats]:
    """South-west and north-east corner of what is shown: both points, and the likeliest cell."""
    shape = guess.cells.table.geometry.to_numpy()[guess.best]
    west, south, east, north = shape.bounds
    points = np.stack([guess.truth, guess.middle, [south, west], [north, east]])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN_DEG + 0.1 * (high - low).max()
    return np.maximum(low - margin, (-90, -180)), np.minimum(high + margin, (90, 180))
