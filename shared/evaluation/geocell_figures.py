"""A refined guess as a picture. Degrees, `(lat, lon)`, kilometres."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from shared.arcs import great_circle
from shared.boundaries import CRS, world_outlines
from shared.evaluation.figures import INK, ORANGE, new_figure, plain
from shared.evaluation.geocell import PROTOTYPES, PlaceAnswers, Refinement
from shared.evaluation.maps import LAND
from shared.geo import Floats, haversine_km, spherical_mean
from shared.partitions import Partition
from shared.web_map import BLUE, GREEN, YELLOW

MARGIN_SHARE, MARGIN_DEG = 0.15, 1.0


@dataclass(frozen=True)
class RefinedGuess:
    """One place, how its guess was refined, and what a neighbour would have said.

    Attributes:
        place: its key.
        shares: (K,) probabilities of the cells.
        truth, first, answer, nearest: (2,) the true point, the likeliest cell's centre, the refined
            guess, and the place of the nearest training embedding, degrees.
        prototypes: (M, 2) the middles of the prototypes in the cells that were looked at.
        members: (n, 2) the training places of the winning one; none where the first guess stayed.
    """

    place: str
    shares: Floats
    truth: Floats
    first: Floats
    answer: Floats
    nearest: Floats
    prototypes: Floats
    members: Floats

    @property
    def text(self) -> str:
        """How far off the first guess, the refined one and the neighbour are."""
        km = [float(haversine_km(self.truth, p)) for p in (self.first, self.answer, self.nearest)]
        return f"cell {km[0]:,.0f} km off, refined {km[1]:,.0f}, nearest neighbour {km[2]:,.0f}"


def refined_guess(
    refinement: Refinement, answers: PlaceAnswers, row: int, way: str = PROTOTYPES
) -> RefinedGuess:
    """How the guess of one place came about.

    Args:
        refinement: prototypes and settings.
        answers: of places.
        row: which of them.
        way: one of those with prototypes.
    """
    rows = slice(row, row + 1)
    one = PlaceAnswers(answers.embeddings[rows], answers.logits[rows], {}, answers.truth.iloc[rows])
    shares = one.probabilities()[0]
    refined = refinement.refined(one, way)
    made = refinement.refiner.prototypes
    top = np.argsort(-shares, kind="stable")[: refinement.settings[way].top_k]
    looked_at = np.flatnonzero(np.isin(made.cells, top))
    middles = [spherical_mean(made.points[made.members_of(int(n))]) for n in looked_at]
    winner = int(refined.prototypes[0])
    members = made.points[made.members_of(winner)] if winner >= 0 else np.empty((0, 2))
    return RefinedGuess(
        str(one.truth["place"].iloc[0]),
        shares,
        one.points[0],
        refinement.centres[int(shares.argmax())],
        refined.points[0],
        refinement.neighbours.guess(one.embeddings, 1)[0],
        np.reshape(middles, (-1, 2)),
        members,
    )


def refined_figure(guess: RefinedGuess, cells: Partition, note: str) -> Figure:
    """The picture of a refined guess.

    Args:
        guess: of one place.
        cells: the classes, whose outlines are shaded by their probability.
        note: the foot.
    """
    figure = new_figure(7.8, 4.8, note)
    axes = figure.add_subplot()
    world_outlines().plot(ax=axes, color=LAND, edgecolor="white", linewidth=0.4, zorder=0)
    colour = ScalarMappable(Normalize(0, float(guess.shares.max())), "Blues")
    shapes = gpd.GeoSeries(cells.table.geometry.to_numpy(), crs=CRS)
    if shapes.geom_type.str.contains("Polygon").all():
        shades = colour.to_rgba(guess.shares)
        shapes.plot(ax=axes, color=shades, edgecolor=INK, linewidth=0.2, alpha=0.75, zorder=1)
    dots = (
        (guess.prototypes, "D", 22, "prototypes looked at"),
        (guess.members, "o", 9, "its places"),
    )
    for (points, marker, size, label), fill in zip(dots, (BLUE, ORANGE), strict=True):
        axes.scatter(
            points[:, 1],
            points[:, 0],
            marker=marker,
            s=size,
            color=fill,
            label=label,
            edgecolors="white",
            linewidths=0.4,
            zorder=3,
        )
    line = great_circle(guess.truth, guess.answer)
    axes.plot(line[:, 1], line[:, 0], color=INK, linewidth=1.2, zorder=2)
    named = (
        (guess.first, "s", "#ffffff", "likeliest cell's point"),
        (guess.nearest, "^", "#c9b8e8", "nearest neighbour"),
        (guess.answer, "o", YELLOW, "refined guess"),
        (guess.truth, "*", GREEN, "true place"),
    )
    for point, marker, fill, label in named:
        axes.scatter(
            point[1],
            point[0],
            marker=marker,
            s=70,
            color=fill,
            label=label,
            edgecolors=INK,
            linewidths=0.8,
            zorder=4,
        )
    low, high = _frame(guess)
    axes.set(xlim=(low[1], high[1]), ylim=(low[0], high[0]))
    axes.set(xlabel="longitude, °", ylabel="latitude, °")
    axes.set_aspect(1 / np.cos(np.radians((low[0] + high[0]) / 2)))
    axes.set_title(f"{guess.place}: {guess.text}", fontsize=9)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    bar = figure.colorbar(colour, ax=axes, shrink=0.6, location="left", pad=0.12)
    bar.set_label("probability of the cell", fontsize=8)
    plain(axes)
    return figure


def _frame(guess: RefinedGuess) -> tuple[Floats, Floats]:
    """South-west and north-east corner: the points that are named, and the winner's places."""
    points = np.vstack([guess.truth, guess.first, guess.answer, guess.nearest, guess.members])
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN_DEG + MARGIN_SHARE * float((high - low).max())
    return np.maximum(low - margin, (-90, -180)), np.minimum(high + margin, (90, 180))
