"""Figures of street views: cells with coverage, places found and missing. Degrees."""

from collections.abc import Sequence

import geopandas as gpd
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from shared.boundaries import CRS, world_outlines
from shared.collection.street_view_find import FOUND, SPARE, Found
from shared.collection.street_view_places import Area, LatLon

LAND, SHORE, NOTHING, HERE = "#e8e4da", "#b5afa2", "#c0392b", "#1f5f8b"
PALE = ListedColormap(colormaps["YlGn"](np.linspace(0.0, 0.55, 64)))  # points stay visible on it
MARGIN = 0.05  # around what is drawn, as a share of its extent
MIN_MARGIN_DEG = 0.1


def coverage_table(areas: Sequence[Area], found: Found) -> pd.DataFrame:
    """A row an area: what was wanted, asked and found, and what became of the rest.

    Returns:
        `code`, `name`, `wanted`, `found`, `asked`, `share` (found of wanted, 0 to 1), and a column
        for each outcome of a request, such as `ZERO_RESULTS`.
    """
    kinds = {kind for counts in found.asked.values() for kind in counts}
    outcomes = sorted(kinds - {FOUND, SPARE})
    rows = []
    for area in areas:
        counts = found.asked[area.code]
        rows.append(
            {
                "code": area.code,
                "name": area.name,
                "wanted": area.wanted,
                "found": counts[FOUND],
                "asked": counts.total() - counts[SPARE],
                "share": counts[FOUND] / area.wanted,
                **{kind: counts[kind] for kind in outcomes},
            }
        )
    return pd.DataFrame(rows)


def plan_map(areas: Sequence[Area], points: Sequence[LatLon], title: str) -> Figure:
    """Where places will be asked for.

    Args:
        areas: cells are drawn, and the centres of cities.
        points: the first candidates, (lat, lon).
        title: what stands above.
    """
    figure, axes = _figure(areas, points, title)
    _draw_cells(axes, areas)
    _scatter(axes, points, HERE, f"first candidates ({len(points):,})")
    axes.legend(fontsize=7, loc="best")
    return figure


def coverage_map(areas: Sequence[Area], found: Found, title: str) -> Figure:
    """Cells by the share of their places that were found; places found, and asked in vain."""
    here = [(place.panorama.lat, place.panorama.lon) for place in found.places]
    figure, axes = _figure(areas, [*here, *found.missing], title)
    shares = coverage_table(areas, found)["share"].tolist()
    _draw_cells(axes, areas, shares)
    _scatter(
        axes, found.missing, NOTHING, f"nothing there, outside or seen ({len(found.missing):,})"
    )
    _scatter(axes, here, HERE, f"found ({len(here):,})")
    axes.legend(fontsize=7, loc="best")
    return figure


def _figure(areas: Sequence[Area], points: Sequence[LatLon], title: str) -> tuple[Figure, Axes]:
    """A map of what is drawn, on coarse outlines of the world."""
    figure, axes = plt.subplots(figsize=(7.5, 6))
    world_outlines().plot(ax=axes, color=LAND, edgecolor=SHORE, linewidth=0.4, zorder=0)
    boxes = [area.shape.bounds for area in areas if area.shape is not None]
    near = [*points, *(area.centre for area in areas)]
    lons = [lon for _, lon in near] + [lon for box in boxes for lon in (box[0], box[2])]
    lats = [lat for lat, _ in near] + [lat for box in boxes for lat in (box[1], box[3])]
    for values, limit in ((lons, axes.set_xlim), (lats, axes.set_ylim)):
        margin = max(MIN_MARGIN_DEG, MARGIN * (max(values) - min(values)))
        limit(min(values) - margin, max(values) + margin)
    axes.set(xlabel="longitude, °", ylabel="latitude, °")
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=10)
    return figure, axes


def _draw_cells(axes: Axes, areas: Sequence[Area], shares: Sequence[float] | None = None) -> None:
    """Outlines of cells, filled by a share where there is one."""
    shapes = [area.shape for area in areas]
    if any(shape is None for shape in shapes):
        return
    cells = gpd.GeoDataFrame(geometry=shapes, crs=CRS)
    if shares is None:
        cells.plot(ax=axes, color="none", edgecolor=SHORE, linewidth=0.5)
        return
    legend = {"label": "places found, share of those wanted", "shrink": 0.7}
    cells.assign(share=shares).plot(
        ax=axes,
        column="share",
        cmap=PALE,
        vmin=0.0,
        vmax=1.0,
        edgecolor=SHORE,
        linewidth=0.5,
        legend=True,
        legend_kwds=legend,
    )


def _scatter(axes: Axes, points: Sequence[LatLon], colour: str, label: str) -> None:
    lats, lons = [lat for lat, _ in points], [lon for _, lon in points]
    axes.scatter(lons, lats, s=5, color=colour, linewidths=0, label=label, zorder=3)
