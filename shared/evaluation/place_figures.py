"""Figures of distances: how many guesses lie within what distance, where, and in which slices."""

from collections.abc import Mapping, Sequence

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from shared.boundaries import world_outlines
from shared.evaluation.approaches import Approach, approach_rows
from shared.evaluation.distances import RADII_KM
from shared.evaluation.figures import BLUE, FAINT, GREY, INK, ORANGE, new_figure, plain
from shared.evaluation.intervals import Floats, Interval
from shared.evaluation.maps import ROBINSON, draw_world

RADIUS_NAMES = ("street", "city", "region", "country", "continent")
SHADES = (BLUE, "#2f9e44", ORANGE, "#8a5fb0", GREY, INK)
WIDEST_KM = 20_020.0


def cumulative_figure(distances: Mapping[str, Floats], note: str) -> Figure:
    """The share of photos whose guess lies within each distance.

    Args:
        distances: km of the same photos, by predictor; the model first.
        note: the foot.
    """
    figure = new_figure(7.6, 4.4, note)
    axes = figure.add_subplot()
    for radius, name in zip(RADII_KM, RADIUS_NAMES, strict=True):
        axes.axvline(radius, color=FAINT, linewidth=1)
        axes.annotate(
            f"{name}\n{radius:,g} km",
            (radius, 101),
            fontsize=7,
            color=GREY,
            ha="center",
            annotation_clip=False,
        )
    for number, (name, values) in enumerate(distances.items()):
        ranked = np.sort(np.maximum(np.asarray(values), 0.1))
        share = 100 * np.arange(1, len(ranked) + 1) / len(ranked)
        width = 2.0 if number == 0 else 1.2
        colour = SHADES[number % len(SHADES)]
        axes.step(ranked, share, where="post", color=colour, linewidth=width, label=name)
    axes.set_xscale("log")
    axes.set(xlim=(0.5, WIDEST_KM), ylim=(0, 100))
    axes.set_xlabel("distance of the guess from the truth, km", fontsize=9)
    axes.set_ylabel("share of photos, %", fontsize=9)
    axes.legend(loc="upper left", frameon=False, fontsize=8, bbox_to_anchor=(0, 0.98))
    plain(axes)
    return figure


def error_map(table: pd.DataFrame, distances: Floats, note: str) -> Figure:
    """A world map of the test places, coloured by how far the guess was.

    Args:
        table: predictions with known places.
        distances: (N,) km.
        note: the foot.
    """
    figure = new_figure(10, 4.9, note)
    axes = figure.add_subplot()
    draw_world(axes, world_outlines().to_crs(ROBINSON))
    rows = table.assign(km=distances).groupby("place", sort=True)
    places = rows[["true_lat", "true_lon"]].first().join(rows["km"].median())
    places = places.sort_values("km")  # the worst on top
    xy = gpd.GeoSeries.from_xy(places["true_lon"], places["true_lat"], crs="EPSG:4326")
    xy = xy.to_crs(ROBINSON)
    colour = ScalarMappable(LogNorm(25, 10_000), colormaps["viridis_r"])
    shades = colour.to_rgba(np.maximum(places["km"].to_numpy(), 1.0))
    axes.scatter(xy.x, xy.y, s=14, c=shades, edgecolors="white", linewidths=0.3, zorder=3)
    bar = figure.colorbar(
        colour, ax=axes, shrink=0.8, pad=0.01, ticks=[25, 200, 750, 2500, 10_000], extend="both"
    )
    bar.ax.set_yticklabels(["25", "200", "750", "2,500", "10,000"], fontsize=8)
    bar.ax.minorticks_off()
    bar.set_label(f"km from the truth, median of a place\nn = {len(places):,} places", fontsize=9)
    bar.outline.set_visible(False)
    return figure


def distance_comparison(rows: Mapping[str, Mapping[str, Interval]], note: str) -> Figure:
    """Median distance and GeoScore with their intervals, a line a predictor.

    Args:
        rows: figures by predictor; the best known name first.
        note: the foot.
    """
    panels = {"median_km": "median distance, km", "geo_score": "GeoScore, of 5,000"}
    shown = {name: found for name, found in rows.items() if "median_km" in found}
    figure = new_figure(8.6, 0.42 * len(shown) + 1.3, note)
    heights = np.arange(len(shown))[::-1]
    grid = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for axes, (name, title) in zip(grid, panels.items(), strict=True):
        for height, found in zip(heights, shown.values(), strict=True):
            one = found[name]
            axes.plot([one.lower, one.upper], [height] * 2, color=BLUE, linewidth=3, alpha=0.45)
            axes.plot([one.value], [height], "o", color=BLUE, markersize=5)
            text = f"{one.value:,.0f}"
            axes.annotate(
                text,
                (one.value, height),
                (0, 6),
                textcoords="offset points",
                fontsize=8,
                ha="center",
            )
        widest = max(f[name].upper for f in shown.values())
        axes.set(xlim=(0, 1.08 * widest), ylim=(-0.6, len(shown) - 0.3))
        axes.set_yticks(heights, list(shown))
        axes.set_xlabel(title, fontsize=9)
        axes.grid(axis="x", color=FAINT)
        plain(axes)
        axes.tick_params(axis="y", length=0)
    return figure


def approaches_figure(approaches: Sequence[Approach], note: str) -> Figure:
    """Median distance and GeoScore of all approaches, read as points."""
    rows = {n: f for n, f in approach_rows(approaches).items() if "median_km" in f}
    short = {
        n.replace("as points: ", "").replace("likeliest class", "class"): f for n, f in rows.items()
    }
    return distance_comparison(short, note)


def slices_figure(slices: pd.DataFrame, note: str, few_places: int = 5) -> Figure:
    """The median distance in each slice, with intervals.

    Args:
        slices: of `slices.slice_table`.
        note: the foot.
        few_places: slices with fewer places are grey.
    """
    rows = slices[slices["slice"] != "country"].dropna(subset=["median_km"])
    figure = new_figure(7.2, 0.3 * len(rows) + 1.2, note)
    axes = figure.add_subplot()
    heights = np.arange(len(rows))[::-1]
    for height, row in zip(heights, rows.to_dict("records"), strict=True):
        colour = GREY if row["places"] < few_places else BLUE
        ends = [row["median_km_lower"], row["median_km_upper"]]
        axes.plot(ends, [height] * 2, color=colour, linewidth=3, alpha=0.45)
        axes.plot([row["median_km"]], [height], "o", color=colour, markersize=5)
    labels = [f"{r['name']} ({r['places']:,})" for r in rows.to_dict("records")]
    axes.set_yticks(heights, labels)
    axes.set_xlim(left=0)
    axes.set_xlabel("median distance, km (number of places)", fontsize=9)
    starts = np.flatnonzero(rows["slice"].to_numpy()[1:] != rows["slice"].to_numpy()[:-1])
    for start in starts:
        axes.axhline(heights[start] - 0.5, color=GREY, linewidth=0.6)
    axes.grid(axis="x", color=FAINT)
    plain(axes)
    return figure
