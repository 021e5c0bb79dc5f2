"""Effects of settings: expected values are counted by hand."""

import itertools

import numpy as np
import pandas as pd
import pytest

from shared.evaluation.effects import Trials, geo_scores, main_effects, means, right_country
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.predictions import make_predictions
from shared.partitions import countries_partition

BOOTSTRAP = PlaceBootstrap(0, 400)
GRID = pd.DataFrame(
    list(itertools.product(["small", "large"], [0, 1])), columns=["size", "augmented"]
)


def trials_of(scores: list[list[float]], place: list[int]) -> Trials:
    return Trials(GRID, np.asarray(scores, dtype=np.float64), np.asarray(place, dtype=np.intp))


def test_effects_are_differences_of_means_over_the_other_settings() -> None:
    # Right of 4 photos: small 1 and 2, large 3 and 4. By hand: size (3+4)/8 - (1+2)/8 = 1/2,
    # augmented (2+4)/8 - (1+3)/8 = 1/4.
    found = trials_of([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]], [0, 1, 2, 3])
    effects = main_effects(found, BOOTSTRAP)
    assert [(e.setting, e.level, e.than) for e in effects] == [
        ("size", "large", "small"),
        ("augmented", 1, 0),
    ]
    assert [e.change.value for e in effects] == [0.5, 0.25]
    assert [m.value for m in means(found, BOOTSTRAP)] == [0.25, 0.5, 0.75, 1.0]


def test_what_is_hard_for_all_trainings_is_no_doubt_about_an_effect() -> None:
    hard = np.repeat([0.0, 1.0], 50)  # half of the photos: nobody right; the others: everybody
    found = trials_of([list(hard)] * 4, list(range(100)))
    (size, augmented) = main_effects(found, BOOTSTRAP)
    assert (size.change.lower, size.change.upper) == (0.0, 0.0)
    assert augmented.change.value == 0.0
    first = means(found, BOOTSTRAP)[0]
    assert first.lower < 0.45 < 0.55 < first.upper  # while each figure by itself is in doubt


def test_views_of_a_place_are_drawn_together() -> None:
    rng = np.random.default_rng(0)
    by_place = rng.integers(0, 2, (4, 50)).astype(float)
    alone = trials_of(by_place.tolist(), list(range(50)))
    views = trials_of(np.repeat(by_place, 8, axis=1).tolist(), list(np.repeat(np.arange(50), 8)))
    for one, other in zip(
        main_effects(alone, BOOTSTRAP), main_effects(views, BOOTSTRAP), strict=True
    ):
        assert other.change.as_dict() == one.change.as_dict()


def test_an_unfinished_grid_is_refused() -> None:
    found = Trials(GRID.iloc[:3], np.zeros((3, 2)), np.asarray([0, 1], dtype=np.intp))
    with pytest.raises(ValueError, match=r"all 4 combinations .* got 3 of 3: finish the sweep"):
        main_effects(found, BOOTSTRAP)


def test_scores_that_fit_no_training_are_refused() -> None:
    with pytest.raises(ValueError, match=r"each of 4 trainings and 3 photos, got shape \(4, 2\)"):
        trials_of([[0, 0]] * 4, [0, 1, 2])


def predictions(guesses: list[str]) -> pd.DataFrame:
    truth = pd.DataFrame(
        {"place": ["a", "b"], "code": ["CZ", "FR"], "lat": [50.0, 46.0], "lon": [14.0, 2.0]},
        index=["p0", "p1"],
    )
    classes = countries_partition(["CZ", "FR"])
    shares = [[0.9, 0.1] if code == "CZ" else [0.1, 0.9] for code in guesses]
    return make_predictions(truth, np.asarray(shares, dtype=np.float32), classes)


def test_scores_of_tables_are_hits_and_geo_scores() -> None:
    tables = [predictions(["CZ", "CZ"]), predictions(["CZ", "FR"])]
    hits, place = right_country(tables)
    assert hits.tolist() == [[1.0, 0.0], [1.0, 1.0]]
    assert place.tolist() == [0, 1]
    scores, _ = geo_scores(tables)
    assert scores[0, 0] == scores[1, 0] > scores[0, 1]  # Prague is no place of France
    with pytest.raises(ValueError, match="the same photos, but got"):
        right_country([tables[0], tables[1].iloc[:1]])
