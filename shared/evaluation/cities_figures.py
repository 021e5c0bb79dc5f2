"""The picture of restricted geoclip's report: a mean error as a circle on the country's map."""

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shared.countries import name_of
from shared.evaluation.cities import TITLES, country_shapes
from shared.evaluation.distances import table_distances
from shared.evaluation.figures import BLUE, GREY, INK, ORANGE, new_figure
from shared.evaluation.intervals import Interval
from shared.evaluation.maps import LAND

MARGIN = 1.08  # of what is drawn, around a country and its circle


def circle_figure(
    errors: Mapping[str, Interval],
    table: pd.DataFrame,
    note: str,
    published_km: Mapping[str, float] | None = None,
) -> Figure:
    """A panel a country: its outline, its test places, and a circle of the mean error.

    The map is azimuthal equidistant around the middle of the outline, so that the circle is one.

    Args:
        errors: the mean distance, km, by country code.
        table: the predictions, for the places and for how far each was missed.
        note: the foot.
        published_km: another mean error of some of the countries, drawn dashed.
    """
    codes = list(errors)
    figure = new_figure(4.2 * len(codes), 4.6, note)
    panels = figure.subplots(1, len(codes), squeeze=False)[0]
    for axes, code in zip(panels, codes, strict=True):
        rows = table[table["true_country"] == code]
        shape = country_shapes(code)
        points = gpd.GeoSeries.from_xy(rows["true_lon"], rows["true_lat"], crs="EPSG:4326")
        middle = (shape if len(shape) else points).union_all().centroid
        plane = f"+proj=aeqd +lat_0={middle.y} +lon_0={middle.x} +datum=WGS84 +units=km"
        if len(shape):
            shape.to_crs(plane).plot(ax=axes, color=LAND, edgecolor=GREY, linewidth=0.6)
        at = points.to_crs(plane)
        away = np.minimum(table_distances(rows.reset_index(drop=True)), 2 * errors[code].value)
        axes.scatter(at.x, at.y, s=9, c=away, cmap="viridis_r", zorder=3)
        _circle(axes, float(errors[code].value), ORANGE, "-")
        label = (
            f"{errors[code].value:,.0f} km ({errors[code].lower:,.0f} to {errors[code].upper:,.0f})"
        )
        if published_km and code in published_km:
            _circle(axes, published_km[code], BLUE, "--")
            label += f"; published {published_km[code]:,.0f} km"
        axes.set_title(f"{name_of(code)}\n{label}", fontsize=9, color=INK)
        _frame(axes, shape.to_crs(plane) if len(shape) else at, float(errors[code].value))
    return figure


def _circle(axes: Axes, radius_km: float, colour: str, line: str) -> None:
    edge = shapely.Point(0, 0).buffer(radius_km, quad_segs=64).exterior.xy
    axes.plot(*edge, color=colour, linestyle=line, linewidth=1.8, zorder=4)
    if line == "-":
        axes.fill(*edge, color=colour, alpha=0.12, zorder=2)


def _frame(axes: Axes, shown: gpd.GeoSeries, radius_km: float) -> None:
    west, south, east, north = shown.total_bounds
    half = MARGIN * max(radius_km, abs(west), abs(south), abs(east), abs(north))
    axes.set(xlim=(-half, half), ylim=(-half, half), xlabel="km", ylabel="km")
    axes.set_aspect("equal")


def protocol_figure(
    figures: Mapping[str, Mapping[str, Interval]], names: Sequence[str], note: str
) -> Figure:
    """Shares by protocol with their intervals: the right city, and within the radii."""
    shown = [name for name in TITLES if not name.startswith("mean")]
    figure = new_figure(7.2, 3.4, note)
    axes = figure.add_subplot()
    for number, name in enumerate(names):
        found = [figures[name][key] for key in shown]
        at = np.arange(len(shown)) + 0.18 * (number - (len(names) - 1) / 2)
        values = 100 * np.array([one.value for one in found])
        ends = 100 * np.array([[one.lower for one in found], [one.upper for one in found]])
        spread = np.abs(ends - values)
        axes.errorbar(at, values, yerr=spread, fmt="o", capsize=3, label=name)
    axes.set_xticks(np.arange(len(shown)), [TITLES[key] for key in shown])
    axes.set(ylabel="share of the photos, %", ylim=(0, None))
    axes.legend(frameon=False)
    return figure
