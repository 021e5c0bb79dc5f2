"""Refining a guess of a cell to a place within it, by prototypes of the training embeddings.

Degrees `(lat, lon)`, kilometres. After PIGEON (Haas et al. 2023, arXiv 2307.05845): over the K most
probable cells, the nearest prototype of each cell is taken; a softmax of their nearness weighs the
cells' probabilities; then the answer is a training place of the winning prototype's cluster. Paper
and released code differ in which: the paper takes the place whose embedding is closest, the code
the one that is farthest. Both are here, under their names.

A cell without prototypes (no training place) cannot win. Where all K lack them the first guess, the
most probable cell's centre, stays; so it does where the answer lies further off than the largest
move.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import ArrayLike

from shared.evaluation.refinement_neighbours import Neighbours, cell_votes
from shared.evaluation.refinement_prototypes import Embeddings, Prototypes, Rows
from shared.geo import Floats, check_points, geo_score, haversine_km, spherical_mean

CLOSEST, FARTHEST, MIDDLE = "closest", "released code's farthest", "prototype's middle"
MEMBERS = (CLOSEST, FARTHEST, MIDDLE)
BATCH = 128  # places at once: with 40 cells of three prototypes, 47 MB at 768 dimensions
TINY = 1e-300  # stands for a probability of 0, whose logarithm is none


@dataclass(frozen=True)
class RefinementSettings:
    """How a guess is refined.

    Attributes:
        top_k: how many cells are looked at.
        temperature: of the softmax over the cells' nearest prototypes; low: the nearest decides.
        max_move_km: how far off the first guess an answer may lie; infinite: anywhere.
        member: which training place of the cluster answers: `"closest"`, as in the paper;
            `"released code's farthest"`; or `"prototype's middle"`, the middle of them all.
        neighbour_share: how much of a cell's probability comes from the nearest neighbours among
            all training embeddings, 0 to 1: a mixture of both.
        n_neighbours: how many of them.
        neighbour_temperature: of the softmax over these.
    """

    top_k: int = 5
    temperature: float = 1.6
    max_move_km: float = 1000.0
    member: str = CLOSEST
    neighbour_share: float = 0.0
    n_neighbours: int = 10
    neighbour_temperature: float = 1.0

    def __post_init__(self) -> None:
        """Hold the settings to their ranges.

        Raises:
            ValueError: when one is out of range.
        """
        faults = [
            (self.top_k >= 1, f"top_k of at least 1, but got {self.top_k}"),
            (self.temperature > 0, f"a temperature above 0, but got {self.temperature}"),
            (self.max_move_km >= 0, f"max_move_km of at least 0, but got {self.max_move_km}"),
            (self.member in MEMBERS, f"a member of {MEMBERS}, but got {self.member!r}"),
            (
                0 <= self.neighbour_share <= 1,
                f"a share from 0 to 1, but got {self.neighbour_share}",
            ),
            (self.n_neighbours >= 1, f"a neighbour at least, but got {self.n_neighbours}"),
            (self.neighbour_temperature > 0, "a temperature of neighbours above 0"),
        ]
        for is_good, expected in faults:
            if not is_good:
                msg = f"Expected {expected}"
                raise ValueError(msg)


# As published, for street views and for photos of everything.
PUBLISHED = {
    "pigeon": RefinementSettings(5, 1.6, 1000.0),
    "pigeotto": RefinementSettings(40, 0.6, float("inf")),
}


@dataclass(frozen=True)
class Refined:
    """Refined guesses.

    Attributes:
        points: (M, 2) the answers, degrees.
        cells: (M,) the cell of each.
        prototypes: (M,) the prototype that won; -1 where the first guess stayed.
        moved_km: (M,) from the first guess to the answer.
    """

    points: Floats = field(repr=False)
    cells: Rows = field(repr=False)
    prototypes: Rows = field(repr=False)
    moved_km: Floats = field(repr=False)


class Refiner:
    """Refines guesses, many at a time."""

    def __init__(
        self, prototypes: Prototypes, centres: ArrayLike, neighbours: Neighbours | None = None
    ) -> None:
        """Prepare prototypes of cells with (K, 2) centres, degrees; neighbours for mixtures.

        Raises:
            ValueError: when there are not as many centres as cells.
        """
        self._centres = check_points(centres).reshape(-1, 2)
        if len(self._centres) != prototypes.n_cells:
            msg = f"Expected {prototypes.n_cells} centres of cells, but got {len(self._centres)}"
            raise ValueError(msg)
        self._prototypes = prototypes
        self._neighbours = neighbours
        self._square = (prototypes.vectors**2).sum(axis=1)
        self._count = np.bincount(prototypes.cells, minlength=prototypes.n_cells)
        self._begin = np.cumsum(self._count) - self._count  # of each cell's prototypes

    @property
    def prototypes(self) -> Prototypes:
        """What guesses are refined by."""
        return self._prototypes

    def refine(
        self, embeddings: Embeddings, probabilities: ArrayLike, settings: RefinementSettings
    ) -> Refined:
        """The places that embeddings were taken at.

        Args:
            embeddings: (M, D).
            probabilities: (M, K) of the cells.
            settings: how.

        Raises:
            ValueError: when shapes differ, or a mixture is asked for without neighbours.
        """
        vectors, chances = self._checked(embeddings, probabilities, settings)
        parts = [
            self._refined(vectors[start : start + BATCH], chances[start : start + BATCH], settings)
            for start in range(0, len(vectors), BATCH)
        ]
        parts = parts or [(np.empty((0, 2)), *np.empty((2, 0), dtype=np.int64), np.empty(0))]
        points, cells, prototypes, moved = (
            np.concatenate(arrays) for arrays in zip(*parts, strict=True)
        )
        return Refined(points, cells, prototypes, moved)

    def _checked(
        self, embeddings: Embeddings, probabilities: ArrayLike, settings: RefinementSettings
    ) -> tuple[Embeddings, Floats]:
        vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
        chances = np.asarray(probabilities, dtype=np.float64)
        expected = (len(vectors), self._prototypes.n_cells)
        if vectors.shape[1:] != self._prototypes.vectors.shape[1:] or chances.shape != expected:
            msg = (
                f"Expected embeddings (M, {self._prototypes.vectors.shape[1]}) and probabilities "
                f"(M, {expected[1]}), but got {vectors.shape} and {chances.shape}"
            )
            raise ValueError(msg)
        if settings.neighbour_share > 0 and self._neighbours is None:
            msg = "Expected neighbours for a mixture: Refiner(prototypes, centres, neighbours)"
            raise ValueError(msg)
        return vectors, chances

    def _refined(
        self, vectors: Embeddings, chances: Floats, settings: RefinementSettings
    ) -> tuple[Floats, Rows, Rows, Floats]:
        chances = self._mixed(vectors, chances, settings)
        first = chances.argmax(axis=1)
        guesses = self._centres[first]
        top = _top(chances, settings.top_k)
        distance, nearest = self._nearest_prototypes(vectors, top)
        score = np.log(np.maximum(np.take_along_axis(chances, top, axis=1), TINY))
        best = (score - distance / settings.temperature).argmax(axis=1)
        rows = np.arange(len(vectors))
        chosen = nearest[rows, best]
        answers = self._answers(vectors, chosen, guesses, settings.member)
        moved = haversine_km(guesses, answers)
        stays = (chosen < 0) | (moved > settings.max_move_km)
        cells = np.where(stays, first, top[rows, best])
        points = np.where(stays[:, None], guesses, answers)
        return points, cells, np.where(stays, -1, chosen), np.where(stays, 0.0, moved)

    def _mixed(self, vectors: Embeddings, chances: Floats, settings: RefinementSettings) -> Floats:
        share = settings.neighbour_share
        if share == 0 or self._neighbours is None:
            return chances
        found = self._neighbours.find(vectors, settings.n_neighbours)
        owner = self._prototypes.cell_of_place
        votes = cell_votes(found, owner, chances.shape[1], settings.neighbour_temperature)
        return (1 - share) * chances + share * votes

    def _nearest_prototypes(self, vectors: Embeddings, top: Rows) -> tuple[Floats, Rows]:
        """The nearest prototype of each of (M, k) cells, and its distance; -1, infinite: none.

        Only the prototypes of these cells are looked at, a few of thousands.
        """
        distance, nearest = np.full(top.size, np.inf), np.full(top.size, -1, dtype=np.int64)
        count = self._count[top].ravel()
        pairs = np.flatnonzero(count)  # of a place and a cell that has prototypes
        if len(pairs):
            lengths = count[pairs]
            starts = np.cumsum(lengths) - lengths
            along = np.arange(lengths.sum()) - np.repeat(starts, lengths)
            prototype = np.repeat(self._begin[top.ravel()[pairs]], lengths) + along
            place = np.repeat(pairs // top.shape[1], lengths)
            product = np.einsum("nd,nd->n", vectors[place], self._prototypes.vectors[prototype])
            square = self._square[prototype] - 2 * product + (vectors**2).sum(axis=1)[place]
            least = np.minimum.reduceat(square, starts)
            distance[pairs] = np.sqrt(np.maximum(least, 0))
            is_least = np.flatnonzero(square == np.repeat(least, lengths))[::-1]
            nearest[np.repeat(pairs, lengths)[is_least]] = prototype[
                is_least
            ]  # of equals the first
        return distance.reshape(top.shape), nearest.reshape(top.shape)

    def _answers(self, vectors: Embeddings, chosen: Rows, guesses: Floats, member: str) -> Floats:
        """The place of each winning prototype's cluster that answers."""
        answers = guesses.copy()
        order = np.argsort(chosen, kind="stable")
        for rows in np.split(order, np.flatnonzero(np.diff(chosen[order])) + 1):
            if not len(rows) or chosen[rows[0]] < 0:
                continue
            members = self._prototypes.members_of(int(chosen[rows[0]]))
            places = self._prototypes.points[members]
            if member == MIDDLE:
                answers[rows] = spherical_mean(places)
                continue
            own = self._prototypes.embeddings[members]
            square = (own**2).sum(axis=1) - 2 * vectors[rows] @ own.T
            pick = square.argmin(axis=1) if member == CLOSEST else square.argmax(axis=1)
            answers[rows] = places[pick]
        return answers


def choose_settings(
    refiner: Refiner,
    embeddings: Embeddings,
    probabilities: ArrayLike,
    truth: ArrayLike,
    *,
    top_ks: Iterable[int] = (1, 2, 5, 10, 40),
    temperatures: Iterable[float] = (0.1, 0.3, 0.6, 1.0, 1.6, 3.0),
    max_moves_km: Iterable[float] = (250.0, 1000.0, float("inf")),
    shares: Iterable[float] = (0.0,),
    base: RefinementSettings | None = None,
    figure: Callable[[Floats], float] | None = None,
) -> tuple[RefinementSettings, list[dict[str, float]]]:
    """The settings that do best on validation places; of equals the first tried.

    Args:
        refiner: with prototypes of the training places.
        embeddings: (M, D) of validation places.
        probabilities: (M, K) of the cells.
        truth: (M, 2) where they lie, degrees.
        top_ks: numbers of cells to try.
        temperatures: to try.
        max_moves_km: to try.
        shares: of the neighbours, to try.
        base: all other settings.
        figure: what is to be large, of (M,) errors in km; the mean GeoScore, if None.

    Returns:
        The settings, and a row for each that was tried, with its figure.
    """
    points = check_points(truth).reshape(-1, 2)
    start = base or RefinementSettings()
    tried: list[dict[str, float]] = []
    settings = [
        replace(start, top_k=k, temperature=t, max_move_km=move, neighbour_share=share)
        for k, t, move, share in product(top_ks, temperatures, max_moves_km, shares)
    ]
    for setting in settings:
        refined = refiner.refine(embeddings, probabilities, setting)
        error_km = haversine_km(points, refined.points)
        reached = float(geo_score(error_km).mean()) if figure is None else figure(error_km)
        tried.append(
            {
                "top_k": setting.top_k,
                "temperature": setting.temperature,
                "max_move_km": setting.max_move_km,
                "neighbour_share": setting.neighbour_share,
                "figure": reached,
            }
        )
    best = int(np.argmax([row["figure"] for row in tried]))
    return settings[best], tried


def _top(chances: Floats, k: int) -> Rows:
    """(M, k) the most probable cells, the best first; of equals the first."""
    count = min(k, chances.shape[1])
    if count == chances.shape[1]:
        return np.argsort(-chances, axis=1, kind="stable").astype(np.int64)
    some = np.sort(np.argpartition(-chances, count - 1, axis=1)[:, :count], axis=1)
    order = np.argsort(-np.take_along_axis(chances, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1).astype(np.int64)
