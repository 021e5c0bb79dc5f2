"""People and models on the same photos: how often right, with intervals, and who is better.

* Each player's shares have exact intervals (Clopper and Pearson, 1934): their photos are of
  different places.
* Each player against a model: McNemar's exact test on the photos where one of the two alone is
  right (a binomial test of the discordant pairs), and the difference with an interval by the
  paired bootstrap over places.
* All players together: answers to one photo are alike, so photos (places) are drawn with all the
  answers to them, the same for both sides (paired bootstrap). That covers which photos were shown,
  not which people played.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from shared.data_loader import Pair, dataset_settings
from shared.evaluation.inputs import find_checkpoint, truth_of
from shared.evaluation.intervals import (
    Floats,
    Interval,
    PlaceBootstrap,
    Sums,
    sum_by_place,
)
from shared.evaluation.metrics import rank_of_truth
from shared.evaluation.models import partition_of, predict_photos
from shared.evaluation.readout import as_countries
from shared.training.images import Preprocessing

DEPTHS = (1, 3, 5)
LEVEL = 0.95
NOT_NAMED = 99  # the rank of a country that was not named


@dataclass(frozen=True)
class Versus:
    """Answers of people against those of a model, on the same photos.

    Attributes:
        model: its name.
        n_answers: answers of people.
        n_photos: photos that they are about.
        people: top-1, 3 and 5 of the people, by depth.
        machine: those of the model, on the same photos, each counted as often as it was answered.
        difference: the model minus the people, paired.
        only_model: photos that the model alone has right at the first guess.
        only_people: answers where the people alone have it right.
        p_value: of McNemar's exact test; NaN for several players together, whose answers to one
            photo are not independent.
    """

    model: str
    n_answers: int
    n_photos: int
    people: dict[int, Interval]
    machine: dict[int, Interval]
    difference: dict[int, Interval]
    only_model: int
    only_people: int
    p_value: float


def paired_answers(answers: pd.DataFrame, predictions: pd.DataFrame) -> pd.DataFrame:
    """Each answer of a person beside a model's guesses about the same photo.

    Args:
        answers: of `human_sessions.read_sessions`.
        predictions: of photos, of countries (`shared.evaluation.predictions`).

    Returns:
        A row for each answer to a photo that the model was tested on: `player, experience, id,
        place, true_code, seconds, size`, and `people_rank` and `model_rank`: how many wrong
        countries stand before the right one, 99 where it is not named.
    """
    ranks = rank_of_truth(predictions)
    lacks = ranks >= len(predictions["codes"].iloc[0])
    known = predictions[["id", "place", "true_code"]].assign(
        model_rank=np.where(lacks, NOT_NAMED, ranks)
    )
    merged = answers.merge(known, on="id", how="inner")
    merged["people_rank"] = [
        list(said).index(code) if code in list(said) else NOT_NAMED
        for said, code in zip(merged["answers"], merged["true_code"], strict=True)
    ]
    columns = ["player", "experience", "id", "place", "true_code", "seconds", "size"]
    return merged[[*columns, "people_rank", "model_rank"]]


def exact_share(hits: NDArray[np.bool_]) -> Interval:
    """A share with its exact (Clopper-Pearson) interval.

    Args:
        hits: (N,) independent trials, N at least 1.
    """
    found = binomtest(int(hits.sum()), len(hits)).proportion_ci(LEVEL, method="exact")
    return Interval(float(hits.mean()), float(found.low), float(found.high))


def versus(pairs: pd.DataFrame, model: str, bootstrap: PlaceBootstrap) -> Versus:
    """People against a model.

    Args:
        pairs: of `paired_answers`; of one player, or of several together.
        model: its name.
        bootstrap: how places are drawn.

    Raises:
        ValueError: when there is no answer.
    """
    if len(pairs) == 0:
        msg = "Expected at least one answer to a photo of the test, got none"
        raise ValueError(msg)
    people, machine = _sums(pairs, "people_rank"), _sums(pairs, "model_rank")
    right_people = (pairs["people_rank"] < 1).to_numpy()
    right_model = (pairs["model_rank"] < 1).to_numpy()
    only_model = int((right_model & ~right_people).sum())
    only_people = int((right_people & ~right_model).sum())
    is_one = len(set(pairs["player"])) == 1
    return Versus(
        model,
        len(pairs),
        int(pairs["id"].nunique()),
        _by_depth(bootstrap.intervals(people, _shares)),
        _by_depth(bootstrap.intervals(machine, _shares)),
        _by_depth(bootstrap.differences(machine, people, _shares)),
        only_model,
        only_people,
        mcnemar(only_model, only_people) if is_one else float("nan"),
    )


def mcnemar(first_alone: int, second_alone: int) -> float:
    """The two-sided p-value of McNemar's exact test (McNemar, 1947, Psychometrika 12, 153).

    Args:
        first_alone: how many only the first has right.
        second_alone: how many only the second has right.
    """
    discordant = first_alone + second_alone
    return 1.0 if discordant == 0 else float(binomtest(first_alone, discordant, 0.5).pvalue)


def _sums(pairs: pd.DataFrame, column: str) -> dict[str, Floats]:
    places, place = np.unique(pairs["place"].to_numpy(dtype=str), return_inverse=True)
    ranks = pairs[column].to_numpy()
    return {
        "rows": sum_by_place(place, np.ones(len(pairs)), len(places)),
        "top": sum_by_place(place, ranks[:, None] < np.asarray(DEPTHS), len(places)),
    }


def _shares(sums: Sums) -> Mapping[str, Floats]:
    top = sums["top"] / sums["rows"][..., None]
    return {str(depth): top[..., column] for column, depth in enumerate(DEPTHS)}


def _by_depth(found: Mapping[str, Interval]) -> dict[int, Interval]:
    return {int(depth): interval for depth, interval in found.items()}


def country_predictions(
    dataset: str,
    model: str,
    pairs: Sequence[Pair],
    digest: str,
    cache: Path,
    processes: int | None = None,
) -> tuple[pd.DataFrame, Preprocessing]:
    """What a model says of the test photos of a data set, as countries.

    Args:
        dataset: the data set. Its `dataset.toml` may name the checkpoint of 4-evaluation's
            notebook of the same name.
        model: `"country"`, or `"region"`, whose classes are read as countries.
        pairs: the test photos.
        digest: of their list.
        cache: where decoded photos are kept.
        processes: how many decode side by side; None: one a processor.

    Returns:
        A table of predictions, and how photos become the model's input.

    Raises:
        FileNotFoundError: when there is no checkpoint; it names the notebook that writes it.
    """
    settings = dataset_settings(dataset)
    wanted = str(settings.parameters_for(f"4-evaluation/{model}").get("checkpoint", ""))
    place = find_checkpoint(dataset, wanted, model)
    found = predict_photos(
        place, truth_of(pairs), pairs, digest, cache, dataset, processes=processes
    )
    table = found.table
    if model != "country":
        table = as_countries(table, partition_of(found.model))
    return table, found.model.preprocessing
