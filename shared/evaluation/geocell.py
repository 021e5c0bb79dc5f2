"""What a model of geocells says of places, and its guesses by cells, prototypes and neighbours.

A row is a place with all its views. All that is chosen (K, temperatures, the largest move, how many
neighbours, their share) is chosen on the validation places, and used on the test as it is. Degrees,
`(lat, lon)`, kilometres.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from shared.evaluation.predictions import make_predictions
from shared.evaluation.readout import points_of_many
from shared.evaluation.refinement import (
    CLOSEST,
    FARTHEST,
    MIDDLE,
    Refined,
    RefinementSettings,
    Refiner,
    choose_settings,
)
from shared.evaluation.refinement_neighbours import Neighbours
from shared.evaluation.refinement_prototypes import FAST_CLUSTERS, fit_prototypes
from shared.gazetteer import nearest_place_codes
from shared.geo import Floats, geo_score, haversine_km
from shared.partitions import Partition
from shared.processing.geocells_cluster import Trial
from shared.training.geocell import PlaceOutputs

CELLS, LEAST = "likeliest cell", "least expected distance"
PROTOTYPES, RELEASED = "prototypes, closest", "prototypes, released code's farthest"
MIDDLES = "prototypes, their middle"
NEAREST, NEIGHBOURS, MIXTURE = "nearest neighbour", "neighbours", "mixture"
WAYS = (CELLS, LEAST, PROTOTYPES, RELEASED, MIDDLES, NEAREST, NEIGHBOURS, MIXTURE)
MEMBER_OF = {PROTOTYPES: CLOSEST, RELEASED: FARTHEST, MIDDLES: MIDDLE}
TOP_KS = (1, 2, 5, 10, 40)
# Embeddings have no unit: temperatures are tried as shares of what lies between a validation place
# and its nearest training place (median), the published 1.6 being meant for CLIP's embeddings.
TEMPERATURE_SHARES = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 3.0)
MOVES_KM = (250.0, 1000.0, float("inf"))
COUNTS = (1, 3, 5, 10, 20, 40)  # of neighbours
SHARES = (0.25, 0.5, 0.75)  # of the neighbours in the mixture


@dataclass(frozen=True)
class PlaceAnswers(PlaceOutputs):
    """What a model says of places, and where they are.

    Attributes:
        truth: by place: `place`, `code` (the cell that the place lies in), `lat`, `lon`, `country`.
    """

    truth: pd.DataFrame = field(repr=False)

    def __post_init__(self) -> None:
        """Check that all parts are of the same places.

        Raises:
            ValueError: when their lengths differ.
        """
        lengths = [len(self.truth), len(self.embeddings), len(self.logits)]
        lengths += [len(values) for values in self.facts.values()]
        if len(set(lengths)) != 1:
            msg = f"Expected embeddings, logits and facts of the same places, but got {lengths}"
            raise ValueError(msg)

    def __len__(self) -> int:
        """The number of places."""
        return len(self.truth)

    @property
    def points(self) -> Floats:
        """(P, 2) where the places lie, degrees."""
        return self.truth[["lat", "lon"]].to_numpy(dtype=np.float64)


def place_truth(
    places: list[str], rows: NDArray[np.int64], truth: pd.DataFrame, cells: Partition
) -> pd.DataFrame:
    """The truth of places, as `PlaceAnswers.truth` has it.

    Args:
        places: their keys.
        rows: (P,) a photo of each, as a row of `truth`.
        truth: of photos: `code` (the country), `lat`, `lon`, as of `inputs.truth_of`.
        cells: the model's classes.
    """
    known = truth.iloc[rows]
    points = known[["lat", "lon"]].to_numpy(dtype=np.float64)
    return pd.DataFrame(
        {
            "place": places,
            "code": cells.label(points),
            "lat": points[:, 0],
            "lon": points[:, 1],
            "country": known["code"].to_numpy(),
        },
        index=pd.Index(places, name="id"),
    )


@dataclass(frozen=True)
class Refinement:
    """Prototypes and neighbours of the training places, and the settings that were chosen.

    Attributes:
        refiner: with the prototypes.
        neighbours: all training places.
        centres: (K, 2) of the cells, degrees.
        settings: by way: of those with prototypes, and of `MIXTURE`.
        n_neighbours, neighbour_temperature: of `NEIGHBOURS`.
        tried: a row for each setting that was tried on the validation places: `way`, the settings,
            and `figure`, the mean GeoScore there.
    """

    refiner: Refiner
    neighbours: Neighbours
    centres: Floats = field(repr=False)
    settings: Mapping[str, RefinementSettings]
    n_neighbours: int
    neighbour_temperature: float
    tried: pd.DataFrame = field(repr=False)

    def refined(self, answers: PlaceAnswers, way: str) -> Refined:
        """The guesses of a way with prototypes, with what moved them.

        Raises:
            ValueError: for a way without.
        """
        if way not in self.settings:
            msg = f"Expected a way out of {tuple(self.settings)}, but got {way!r}"
            raise ValueError(msg)
        return self.refiner.refine(answers.embeddings, answers.probabilities(), self.settings[way])

    def guesses(self, answers: PlaceAnswers) -> dict[str, Floats]:
        """(P, 2) the guessed points of places, by way: all of `WAYS`."""
        shares = answers.probabilities()
        return {
            CELLS: self.centres[shares.argmax(axis=1)],
            LEAST: points_of_many(shares, self.centres),
            **{way: self.refined(answers, way).points for way in MEMBER_OF},
            NEAREST: self.neighbours.guess(answers.embeddings, 1),
            NEIGHBOURS: self.neighbours.guess(
                answers.embeddings, self.n_neighbours, self.neighbour_temperature
            ),
            MIXTURE: self.refined(answers, MIXTURE).points,
        }


def learn_refinement(
    train: PlaceAnswers,
    validation: PlaceAnswers,
    cells: Partition,
    trial: Trial = FAST_CLUSTERS,
) -> Refinement:
    """Prototypes of the training places, with what does best on the validation places.

    Both members of a cluster are given the same settings, chosen with the closest one, so that they
    differ in that alone.

    Args:
        train: the training places.
        validation: the validation places.
        cells: the classes.
        trial: how places are clustered within a cell.
    """
    owner = cells.index_of(train.truth["code"].to_numpy())
    prototypes = fit_prototypes(train.embeddings, train.points, owner, len(cells), trial)
    neighbours = Neighbours(train.embeddings, train.points)
    refiner = Refiner(prototypes, cells.centres, neighbours)
    found = neighbours.find(validation.embeddings, 1)
    scale = max(float(np.median(found.distance)), 1e-6)
    temperatures = [scale * share for share in TEMPERATURE_SHARES]
    asked = (validation.embeddings, validation.probabilities(), validation.points)
    grid: dict[str, Any] = {
        "top_ks": [k for k in TOP_KS if k < len(cells)] or [1],
        "temperatures": temperatures,
        "max_moves_km": MOVES_KM,
    }
    best, tried = choose_settings(refiner, *asked, **grid)
    count, heat, tried_counts = _choose_neighbours(neighbours, validation, temperatures)
    base = RefinementSettings(n_neighbours=count, neighbour_temperature=heat)
    mixed, tried_mixed = choose_settings(refiner, *asked, **grid, shares=SHARES, base=base)
    settings = {way: replace(best, member=member) for way, member in MEMBER_OF.items()}
    rows = [(PROTOTYPES, tried), (NEIGHBOURS, tried_counts), (MIXTURE, tried_mixed)]
    table = pd.concat([pd.DataFrame(part).assign(way=way) for way, part in rows])
    return Refinement(
        refiner,
        neighbours,
        cells.centres,
        {**settings, MIXTURE: mixed},
        count,
        heat,
        table[["way", *(c for c in table if c != "way")]].reset_index(drop=True),
    )


def _choose_neighbours(
    neighbours: Neighbours, validation: PlaceAnswers, temperatures: list[float]
) -> tuple[int, float, list[dict[str, float]]]:
    """How many neighbours vote, and how: of equals the first tried."""
    tried = []
    for count, heat in product(COUNTS, temperatures):
        guess = neighbours.guess(validation.embeddings, count, heat)
        score = float(geo_score(haversine_km(validation.points, guess)).mean())
        tried.append({"n_neighbours": count, "neighbour_temperature": heat, "figure": score})
    best = tried[int(np.argmax([row["figure"] for row in tried]))]
    return int(best["n_neighbours"]), float(best["neighbour_temperature"]), tried


def predictions_of(
    answers: PlaceAnswers, cells: Partition, points: ArrayLike | None = None
) -> pd.DataFrame:
    """The project's table of predictions of places, a row a place, with the place as its id.

    Args:
        answers: of a model.
        cells: its classes.
        points: (P, 2) guesses, degrees; None: the likeliest cell's centre. The cells stay ranked as
            the model has them: a refined point may lie in another one than the likeliest.
    """
    table = make_predictions(answers.truth, answers.probabilities(), cells)
    if points is None:
        return table
    guesses = pd.DataFrame(np.asarray(points), index=answers.truth.index, columns=["lat", "lon"])
    chosen = guesses.loc[table["id"]]
    return table.assign(pred_lat=chosen["lat"].to_numpy(), pred_lon=chosen["lon"].to_numpy())


def right_country(
    points: ArrayLike, countries: Sequence[str], polygons: Partition | None = None
) -> NDArray[np.bool_]:
    """(P,) whether each point lies in its true country.

    Args:
        points: (P, 2) latitudes and longitudes, degrees.
        countries: (P,) the true codes.
        polygons: of the countries; None: the gazetteer's nearest place tells it.
    """
    found = nearest_place_codes(points)[0] if polygons is None else polygons.label(points)
    return np.asarray(found == np.asarray(countries, dtype=object), dtype=np.bool_)
