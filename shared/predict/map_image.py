"""A small map of an answer as one SVG, for a panel: areas shaded by probability, nothing fetched.

Degrees, x is the longitude and y the latitude. Text is drawn as outlines: no font is asked for.
"""

import io
from collections.abc import Sequence

import numpy as np
import shapely
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from shapely import Geometry

from shared.boundaries import world_outlines
from shared.evaluation.cells import CELLS
from shared.geo import Floats
from shared.predict.answers import Answers
from shared.predict.areas import Classes
from shared.predict.map_page import SHELLS, shaded
from shared.web_map import COAST, INK, LAND, SIMPLE_DEG

SIZE = (4.4, 3.2)  # inches
COLOURS = "GnBu"
PALEST, DARKEST = 0.25, 0.8  # of the colour map: less cannot be told from land
MARGIN_DEG = 12.0
LEAST_DEG = 40.0  # of longitude, so that there is something to know the place by
NAMED, NAMED_FROM = 3, 0.05  # so many of the shaded classes, and none that is less probable
MOST_SHAPE = 2.2  # width by height of a map, so that it fills its panel
POLES = (-60.0, 85.0)


def answer_svg(answers: Answers, row: int = 0) -> str:
    """A map of one answer.

    Args:
        answers: what `Predictor.predict` gave.
        row: which of them.

    Returns:
        An SVG without scripts and links.
    """
    shapes, values, labels = _shades(answers, row)
    figure = Figure(figsize=SIZE, layout="constrained")
    axes = figure.add_subplot()
    box = _box(shapes)
    axes.set(xlim=(box[0], box[2]), ylim=(box[1], box[3]), xticks=[], yticks=[], aspect="equal")
    _fill(axes, list(world_outlines().geometry), [LAND] * len(world_outlines()), box)
    top = max(values, default=1.0)
    colour = colormaps[COLOURS]
    _fill(axes, shapes, [colour(PALEST + (DARKEST - PALEST) * v / top) for v in values], box)
    for shape, label in list(zip(shapes, labels, strict=True))[::-1][:NAMED]:
        middle = shapely.clip_by_rect(shape, *box).representative_point()
        if label and not middle.is_empty:
            halo = [withStroke(linewidth=2, foreground="white")]
            at = (middle.x, middle.y)
            axes.annotate(label, at, fontsize=7, color=INK, ha="center", path_effects=halo)
    file = io.StringIO()
    with rc_context({"svg.hashsalt": "lost-and-found"}):  # the same answer, the same bytes
        said = {"Date": None, "Creator": None}
        figure.savefig(file, format="svg", metadata=said, bbox_inches="tight", pad_inches=0.02)
    return file.getvalue()


def _shades(answers: Answers, row: int) -> tuple[list[Geometry], list[float], list[str]]:
    """Areas, how dark they are, and their names; the most probable last, to lie on top."""
    best = answers[row].countries[0]
    if answers.classes is None:
        outlines = world_outlines().set_index("code").geometry
        known = best.code in outlines.index
        return ([outlines[best.code]], [1.0], [best.name]) if known else ([], [], [])
    classes, shares = Classes(answers.classes), np.asarray(answers.probabilities[row])
    if classes.kind == CELLS:
        return _shells(classes, shares, best.name)
    rows = [at for at in shaded(shares)[::-1] if classes.outlines.iloc[at] is not None]
    labels = [
        f"{classes.names[at]} {100 * shares[at]:.0f} %" if shares[at] >= NAMED_FROM else ""
        for at in rows
    ]
    return [classes.outlines.iloc[at] for at in rows], [float(shares[at]) for at in rows], labels


def _shells(
    classes: Classes, shares: Floats, name: str
) -> tuple[list[Geometry], list[float], list[str]]:
    """Nested areas of a spread over cells, the smallest the darkest."""
    order = np.argsort(-shares, kind="stable")
    held = np.cumsum(shares[order])
    shapes = []
    for share in SHELLS[::-1]:
        rows = order[: int(np.searchsorted(held, share)) + 1]
        shapes.append(shapely.union_all(classes.outlines.iloc[rows].to_numpy()))
    return shapes, [1 - share for share in SHELLS[::-1]], [*[""] * (len(SHELLS) - 1), name]


def _box(shapes: Sequence[Geometry]) -> tuple[float, float, float, float]:
    """What is shown: the areas with a margin, in a shape that fits; the world where none is."""
    west, south, east, north = shapely.total_bounds(np.asarray(list(shapes), dtype=object))
    if not shapes or not np.isfinite(west):
        return -180.0, POLES[0], 180.0, POLES[1]
    ratio = SIZE[0] / SIZE[1]
    south, north = _stretched(south - MARGIN_DEG, north + MARGIN_DEG, 0.0, POLES)
    least = max(LEAST_DEG, ratio * (north - south))
    west, east = _stretched(west - MARGIN_DEG, east + MARGIN_DEG, least, (-180.0, 180.0))
    south, north = _stretched(south, north, (east - west) / MOST_SHAPE, POLES)
    return west, south, east, north


def _stretched(
    low: float, high: float, least: float, ends: tuple[float, float]
) -> tuple[float, float]:
    """A range of at least so many degrees around the same middle, cut to its ends."""
    more = max(0.0, (least - (high - low)) / 2)
    return max(ends[0], low - more), min(ends[1], high + more)


def _fill(
    axes: Axes,
    shapes: Sequence[Geometry],
    colours: Sequence[object],
    box: tuple[float, float, float, float],
) -> None:
    """Fill the parts of areas that are shown."""
    for shape, colour in zip(shapes, colours, strict=True):
        part = shapely.clip_by_rect(shapely.simplify(shape, SIMPLE_DEG), *box)
        for polygon in shapely.get_parts(part):
            if polygon.geom_type == "Polygon" and not polygon.is_empty:
                x, y = polygon.exterior.xy
                axes.fill(x, y, facecolor=colour, edgecolor=COAST, linewidth=0.5)
