"""Maps of results, drawn without network: outlines that come with pyogrio, Robinson projection."""

import geopandas as gpd
import pandas as pd
import shapely
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from shared.evaluation.figures import FAINT, GREY, INK, new_figure
from shared.partitions import countries_partition, world_outlines

# Shows the world without shapes torn apart; areas are nearly kept (Robinson, 1974).
ROBINSON = "+proj=robin +datum=WGS84"
FEW_PLACES = 10  # below, a country's accuracy says little: it is hatched
SEA, LAND = "#f4f7fa", "#dde1e6"
COLOURS = "viridis"
STEPS = [step / 10 for step in range(11)]  # shares of one colour each
SMALL_KM2 = 40_000.0  # on the map, about 12 pixels: what is smaller gets a dot


def accuracy_map(countries: pd.DataFrame, note: str, few_places: int = FEW_PLACES) -> Figure:
    """A world map of the share of each country's photos that are given the right country.

    Args:
        countries: `metrics.country_table`; rows with photos are drawn. Countries with fewer than
            `few_places` places are hatched; those too small to be seen, or without an outline,
            are dots.
        note: the foot.
        few_places: how many places are few.

    Returns:
        The figure.
    """
    tested = countries[countries["photos"] > 0].reset_index(drop=True)
    figure = new_figure(10, 4.9, note)
    axes = figure.add_subplot()
    outlines = world_outlines().to_crs(ROBINSON)
    draw_world(axes, outlines)
    shapes = outlines.merge(tested, on="code")
    colour = ScalarMappable(BoundaryNorm(STEPS, 256), colormaps[COLOURS])
    is_few = shapes["places"] < few_places
    for part, hatch in ((shapes[~is_few], None), (shapes[is_few], "//////")):
        if len(part):
            filled = colour.to_rgba(part["recall"].to_numpy())
            part.plot(ax=axes, color=filled, edgecolor="white", linewidth=0.4, hatch=hatch)
    seen = set(shapes["code"][shapes.area / 1e6 >= SMALL_KM2])
    dots = tested[~tested["code"].isin(seen)]
    _draw_dots(axes, dots, colour, few_places)
    bar = figure.colorbar(colour, ax=axes, shrink=0.8, pad=0.01, ticks=STEPS[::2])
    bar.ax.set_yticklabels([f"{100 * step:.0f} %" for step in STEPS[::2]], fontsize=8)
    total = f"n = {tested['photos'].sum():,} photos, {tested['places'].sum():,} places"
    bar.set_label(f"right country, share of photos\n{total}, {len(tested)} countries", fontsize=9)
    bar.outline.set_visible(False)
    _draw_legend(axes, few_places, has_dots=len(dots) > 0)
    return figure


def draw_world(axes: Axes, outlines: gpd.GeoDataFrame) -> None:
    """Sea and land; outlines in the Robinson projection."""
    globe = shapely.segmentize(shapely.box(-180, -90, 180, 90), 1.0)
    gpd.GeoSeries([globe], crs="EPSG:4326").to_crs(ROBINSON).plot(
        ax=axes, color=SEA, edgecolor=FAINT, linewidth=0.8
    )
    outlines[outlines["code"] != "AQ"].plot(ax=axes, color=LAND, edgecolor="white", linewidth=0.4)
    axes.set_axis_off()
    axes.set_ylim(-6.7e6, 8.7e6)  # metres: from Cape Horn to the north of Greenland


def _draw_dots(
    axes: Axes, countries: pd.DataFrame, colour: ScalarMappable, few_places: int
) -> None:
    if len(countries) == 0:
        return
    centres = countries_partition(list(countries["code"])).centres
    points = gpd.GeoSeries.from_xy(centres[:, 1], centres[:, 0], crs="EPSG:4326").to_crs(ROBINSON)
    is_few = (countries["places"] < few_places).to_numpy()
    filled = colour.to_rgba(countries["recall"].to_numpy())
    rings = [GREY if few else INK for few in is_few]
    axes.scatter(points.x, points.y, s=34, c=filled, edgecolors=rings, linewidths=1, zorder=3)


def _draw_legend(axes: Axes, few_places: int, has_dots: bool) -> None:
    few = f"fewer than {few_places} places"
    entries: list[Patch | Line2D] = [
        Patch(facecolor=LAND, label="not in the test"),
        Patch(facecolor="white", edgecolor=GREY, hatch="//////", label=few),
    ]
    if has_dots:
        ring = Line2D([], [], marker="o", linestyle="", color="white", markeredgecolor=INK)
        ring.set_label(f"small country (grey ring: {few})")
        entries.append(ring)
    axes.legend(
        handles=entries,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=3,
        frameon=False,
        fontsize=8,
    )
