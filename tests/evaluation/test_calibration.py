from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torchmetrics.classification import MulticlassCalibrationError

from shared.evaluation.calibration import (
    bin_of,
    calibrate,
    confidences,
    expected_calibration_error,
    reliability,
)
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.metrics import split_by_knowledge
from shared.evaluation.predictions import class_probabilities

TableOf = Callable[..., pd.DataFrame]


@pytest.mark.parametrize("kind", ["equal width", "adaptive"])
def test_three_of_four_right_at_75_percent_is_perfect(kind: str) -> None:
    found = expected_calibration_error([0.75] * 4, [True, True, True, False], kind, n_bins=1)
    assert found == pytest.approx(0.0)


def test_half_right_when_always_certain_is_an_error_of_one_half() -> None:
    assert expected_calibration_error([1.0] * 10, [True, False] * 5) == pytest.approx(0.5)


def test_error_of_two_bins_is_weighted_by_their_rows() -> None:
    confidence = [0.9, 0.9, 0.9, 0.3]
    is_right = [True, True, False, True]
    # Bins of 0.1: three rows, 2/3 right at 0.9; one row, right at 0.3.
    expected = 3 / 4 * abs(2 / 3 - 0.9) + 1 / 4 * abs(1 - 0.3)
    found = expected_calibration_error(confidence, is_right, n_bins=10)
    assert found == pytest.approx(expected)


def test_equal_width_agrees_with_torchmetrics(random_table: pd.DataFrame) -> None:
    known, _ = split_by_knowledge(random_table)
    classes, probabilities = class_probabilities(known)
    truth = torch.tensor([classes.index(code) for code in known["true_code"]])
    measure = MulticlassCalibrationError(len(classes), n_bins=15, norm="l1")
    expected = float(measure(torch.tensor(probabilities, dtype=torch.float32), truth))
    assert expected_calibration_error(*confidences(known)) == pytest.approx(expected, abs=1e-6)


def test_equal_width_bins_hold_their_upper_edge() -> None:
    assert list(bin_of([0.0, 0.1, 0.1001, 0.5, 1.0], n_bins=10)) == [0, 0, 1, 4, 9]


def test_adaptive_bins_hold_equally_many_rows() -> None:
    confidence = np.random.default_rng(0).beta(8, 1, size=100)
    bins = bin_of(confidence, "adaptive", n_bins=4)
    assert list(np.bincount(bins)) == [25, 25, 25, 25]
    assert max(confidence[bins == 1]) <= min(confidence[bins == 2])


def test_adaptive_error_of_sorted_quarters() -> None:
    confidence = [0.2, 0.4, 0.6, 0.8]
    is_right = [False, True, True, True]
    # Two bins: mean 0.3, half right; mean 0.7, all right.
    expected = 0.5 * abs(0.5 - 0.3) + 0.5 * abs(1 - 0.7)
    found = expected_calibration_error(confidence, is_right, "adaptive", n_bins=2)
    assert found == pytest.approx(expected)


def test_reliability_leaves_out_empty_bins() -> None:
    found = reliability([0.05, 0.95, 0.91], [False, True, False], n_bins=10)
    assert list(found["bin"]) == [0, 9]
    assert list(found["n"]) == [1, 2]
    assert list(found["confidence"]) == pytest.approx([0.05, 0.93])
    assert list(found["accuracy"]) == [0.0, 0.5]


@pytest.mark.parametrize("kind", ["equal width", "adaptive"])
def test_calibration_of_a_table_is_that_of_its_confidences(
    random_table: pd.DataFrame, kind: str
) -> None:
    found = calibrate(random_table, PlaceBootstrap(0, draws=100), kind)
    confidence, is_right = confidences(random_table)
    assert found.ece.value == pytest.approx(expected_calibration_error(confidence, is_right, kind))
    bins = reliability(confidence, is_right, kind)
    for name in ("n", "confidence", "accuracy"):
        assert found.bins[name].to_numpy() == pytest.approx(bins[name].to_numpy())
    assert found.ece.lower < found.ece.upper
    assert (found.bins["lower"] <= found.bins["accuracy"]).all()


def test_another_kind_of_bins_is_refused() -> None:
    with pytest.raises(ValueError, match="'equal width', 'adaptive'"):
        bin_of([0.5], "round")


def test_confidences_that_are_no_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        bin_of([1.5])
