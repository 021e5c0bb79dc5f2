from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from shared.evaluation.baselines import (
    chance,
    colour_histograms,
    majority_predictions,
    nearest_by_class,
    neighbour_predictions,
)
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.metrics import evaluate

TableOf = Callable[..., pd.DataFrame]


def unit_rows(n: int, seed: int) -> np.ndarray:
    rows = np.abs(np.random.default_rng(seed).normal(size=(n, 20)))
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / lengths, dtype=np.float32)


def test_chance_is_what_drawing_by_lot_reaches(random_table: pd.DataFrame) -> None:
    assert chance(20) == {"top_1": 0.05, "top_3": 0.15, "top_5": 0.25}
    assert chance(4) == {"top_1": 0.25, "top_3": 0.75, "top_5": 1.0}
    assert chance(20, known_share=0.5)["top_1"] == 0.025
    # By lot: rank of the truth among 20 classes, 100,000 times.
    rank = np.random.default_rng(0).integers(20, size=100_000)
    assert (rank < 3).mean() == pytest.approx(chance(20)["top_3"], abs=0.005)


def test_chance_without_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        chance(0)


def test_majority_ranks_countries_by_their_training_photos(table_of: TableOf) -> None:
    test = table_of(["CZ", "FR", "JP", "FR"], [[0.5, 0.3, 0.2]] * 4)
    found = majority_predictions(test, ["FR"] * 5 + ["KE"] * 3 + ["CZ"] * 2)
    assert list(found["pred_code"]) == ["FR"] * 4
    assert list(found["codes"].iloc[0]) == ["FR", "KE", "CZ"]
    assert list(found["probabilities"].iloc[0]) == pytest.approx([0.5, 0.3, 0.2])
    figures = evaluate(found, PlaceBootstrap(0, draws=10))
    assert figures["top_1"].value == 0.5  # two of four are FR
    assert figures["top_3"].value == 0.75  # JP is not in the training


def test_of_equally_frequent_countries_the_first_by_code_wins(table_of: TableOf) -> None:
    test = table_of(["CZ"], [[0.5, 0.3, 0.2]])
    assert majority_predictions(test, ["JP", "FR"])["pred_code"].iloc[0] == "FR"


def test_nearest_neighbour_agrees_with_scikit_learn(table_of: TableOf) -> None:
    known, asked = unit_rows(150, 0), unit_rows(40, 1)
    codes = [("CZ", "FR", "JP", "KE")[n % 4] for n in range(150)]
    test = table_of(["CZ"] * 40, [[0.5, 0.3, 0.2]] * 40)
    found = neighbour_predictions(test, asked, codes, known)
    expected = KNeighborsClassifier(1).fit(known, codes).predict(asked)
    assert list(found["pred_code"]) == list(expected)


def test_distance_to_a_class_is_that_to_its_nearest_photo() -> None:
    known, asked = unit_rows(30, 2), unit_rows(5, 3)
    codes = [("b", "a", "c")[n % 3] for n in range(30)]
    classes, found = nearest_by_class(asked, codes, known)
    assert classes == ["a", "b", "c"]
    for column, code in enumerate(classes):
        rows = known[[c == code for c in codes]]
        expected = np.linalg.norm(asked[:, None] - rows[None], axis=2).min(axis=1)
        assert found[:, column] == pytest.approx(expected, abs=1e-3)


def test_vectors_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(N, D\) and \(2, D\)"):
        nearest_by_class(unit_rows(3, 0), ["a", "b"], unit_rows(3, 0))


def test_histogram_of_a_photo_of_two_colours() -> None:
    image = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    image[0, :, 1:] = (255, 128, 31)  # three of four columns: boxes 7, 4, 0
    found = colour_histograms(image)[0]
    assert found[0] == pytest.approx(np.sqrt(0.25))
    assert found[7 * 64 + 4 * 8 + 0] == pytest.approx(np.sqrt(0.75))
    assert np.linalg.norm(found) == pytest.approx(1.0)
    assert np.count_nonzero(found) == 2


def test_distance_of_two_histograms_is_the_hellinger_distance() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 10, 12, 3)).astype(np.uint8)
    first, second = colour_histograms(images)
    shares = []
    for image in images:
        counts, _ = np.histogramdd(image.reshape(-1, 3), bins=8, range=[(0, 256)] * 3)
        shares.append(counts.ravel() / counts.sum())
    hellinger = np.sqrt(1 - np.sqrt(shares[0] * shares[1]).sum())
    assert np.linalg.norm(first - second) == pytest.approx(np.sqrt(2) * hellinger, rel=1e-5)


def test_what_is_no_photos_is_refused() -> None:
    with pytest.raises(ValueError, match=r"uint8, but got \(4, 4, 3\)"):
        colour_histograms(np.zeros((4, 4, 3), dtype=np.uint8))
