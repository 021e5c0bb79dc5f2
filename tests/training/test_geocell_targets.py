"""Facts as targets and their losses: hand counts, closed forms, and what is not known."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch

from shared.training.geocell_objective import GeocellObjective
from shared.training.geocell_steps import ADDITIONS, ORDER, SINGLE, STEPS, TASKS, label_of, switches
from shared.training.geocell_targets import (
    FACTS,
    MISSING,
    Fact,
    constant_guess,
    fact_error,
    fit_facts,
    split_outputs,
    target_columns,
)
from shared.training.smoothing import SMOOTHINGS, PlaceClassification
from shared.training.targets import is_real, located

CENTRES = [(0.0, 0.0), (0.0, 10.0), (50.0, 100.0)]
TABLE = pd.DataFrame(
    {
        "climate": ["Cfb", "Af", "", "Cfb"],
        "elevation_m": [math.e - 408, math.e**3 - 408, np.nan, math.e - 408],
        "temperature_c": [10.0, 20.0, np.nan, 30.0],
        "month": [1.0, 12.0, np.nan, 12.0],
        "driving_side": ["left", "right", "", "right"],
    }
)


def test_numbers_are_standardised_logarithms_and_classes_are_numbered() -> None:
    facts = fit_facts(TABLE, list(TABLE.columns))
    columns = target_columns(facts, TABLE).numpy()
    climate, elevation, temperature, month, side = columns.T
    assert climate.tolist() == [1, 0, MISSING, 1]  # Af, Cfb
    # Logarithms 1, 3, 1: mean 5/3, standard deviation sqrt(8)/3.
    np.testing.assert_allclose(elevation[[0, 1, 3]], np.array([-2, 4, -2]) / math.sqrt(8))
    np.testing.assert_allclose(temperature[[0, 1, 3]], np.array([-1, 0, 1]) * math.sqrt(1.5))
    assert month.tolist() == [0, 11, MISSING, 11]
    assert side.tolist() == [0, 1, MISSING, 1]
    assert [fact.width for fact in facts] == [2, 1, 1, 12, 2]
    assert [fact.weight for fact in facts] == [2, 8, 8, 1, 1]  # as published; the side is ours


def test_what_is_missing_is_no_filler() -> None:
    targets = torch.cat([located([(1.0, 2.0)], torch.tensor([0])), torch.tensor([[MISSING]])], 1)
    assert is_real(targets.double()).tolist() == [True]


def test_values_come_back_in_their_units() -> None:
    facts = fit_facts(TABLE, ["elevation_m", "climate", "temperature_c"])
    outputs = np.array([[-2 / math.sqrt(8), 0.1, 0.9, 0.0], [4 / math.sqrt(8), 3.0, -1.0, 0.0]])
    told = split_outputs(outputs, facts)
    np.testing.assert_allclose(told["elevation_m"], [math.e - 408, math.e**3 - 408])
    assert told["climate"].tolist() == ["Cfb", "Af"]
    np.testing.assert_allclose(told["temperature_c"], [20.0, 20.0])
    plain = [fact.as_dict() for fact in facts]
    assert tuple(Fact.of(one) for one in plain) == facts


def test_below_the_lowest_land_a_logarithm_is_held() -> None:
    values = pd.Series([-430.0, 0.0])
    fact = Fact("elevation_m", 8.0, offset=408.0, mean=0.0, std=1.0)
    np.testing.assert_allclose(fact.targets(values), [math.log(1e-3), math.log(408)])


def test_errors_are_in_real_units_of_what_is_known() -> None:
    elevation, climate = fit_facts(TABLE, ["elevation_m", "climate"])
    truth = pd.Series([10.0, np.nan, 30.0])
    np.testing.assert_allclose(fact_error(elevation, np.array([13.0, 5.0, 20.0]), truth), [3, 10])
    names = np.array(["Af", "Af", "Cfb"], dtype=object)
    assert fact_error(climate, names, pd.Series(["Cfb", "", "Cfb"])).tolist() == [100.0, 0.0]
    assert constant_guess(elevation, pd.Series([1.0, 2.0, 30.0, np.nan])) == 2.0
    assert constant_guess(climate, TABLE["climate"]) == "Cfb"
    assert (climate.unit, elevation.unit) == ("% wrong", "m above the sea")


def test_unknown_tasks_and_constant_facts_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected tasks out of"):
        fit_facts(TABLE, ["soil"])
    with pytest.raises(ValueError, match="two values or more of climate"):
        fit_facts(TABLE.iloc[:1], ["climate"])


def _batch() -> tuple[GeocellObjective, torch.Tensor, torch.Tensor]:
    facts = fit_facts(TABLE, ["climate", "temperature_c", "elevation_m", "driving_side"])
    objective = GeocellObjective(CENTRES, facts, None)
    targets = torch.cat(
        [located(CENTRES + CENTRES[:1], torch.tensor([0, 1, 2, 0])), target_columns(facts, TABLE)],
        dim=1,
    )
    outputs = torch.randn(4, objective.n_outputs, generator=torch.Generator().manual_seed(0))
    return objective, outputs, targets


def test_losses_are_the_closed_forms_over_what_is_known() -> None:
    objective, outputs, targets = _batch()
    assert (objective.n_logits, objective.n_outputs) == (3, 3 + 2 + 1 + 1 + 2)
    array = outputs.double().numpy()

    def entropy(logits: np.ndarray, classes: list[int]) -> float:
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return float(-np.log(shares[np.arange(len(classes)), classes]).mean())

    known = [0, 1, 3]
    cells = entropy(array[:, :3], [0, 1, 2, 0])
    climate = entropy(array[known, 3:5], [1, 0, 1])
    side = entropy(array[known, 7:9], [0, 1, 1])
    numbers = array[known, 5:7] - targets.numpy()[known, 4:6]
    wanted = cells + 2 * climate + 8 * float((numbers**2).mean()) + side
    assert float(objective.loss(outputs, targets)) == pytest.approx(wanted, rel=1e-5)
    assert float(objective.loss(outputs, targets[:, :3])) == pytest.approx(cells, rel=1e-5)


def test_what_is_not_known_has_no_gradient() -> None:
    objective, outputs, targets = _batch()
    outputs.requires_grad_()
    loss = objective.loss(outputs, targets)
    torch.autograd.backward(loss)
    gradient = outputs.grad
    assert gradient is not None
    assert gradient.isfinite().all()
    assert not gradient[2, 3:].any()
    assert gradient[2, :3].any()
    nothing = targets.clone()
    nothing[:, 3:] = MISSING
    assert objective.loss(outputs, nothing) == objective.loss(outputs, nothing[:, :3])


def test_cells_are_smoothed_as_regions_are() -> None:
    facts = fit_facts(TABLE, ["climate"])
    smoothing = SMOOTHINGS["pigeon-code"]
    objective = GeocellObjective(CENTRES, facts, smoothing)
    targets = located([(0.0, 1.0), (0.0, 8.0)], torch.tensor([0, 1]))
    outputs = torch.randn(2, 5, generator=torch.Generator().manual_seed(1))
    alone = PlaceClassification(CENTRES, smoothing).loss(outputs[:, :3], targets)
    assert objective.loss(outputs, targets) == alone


def test_measures_count_the_cells_alone() -> None:
    objective, _, _ = _batch()
    outputs = torch.tensor([[9.0, 0, 0] + [99.0] * 6, [9.0, 0, 0] + [99.0] * 6])
    targets = located(CENTRES[:2], torch.tensor([0, 1]))
    measures = objective.measures()
    measures.update(outputs, targets)
    found = measures.compute()
    assert found["top1"] == 0.5
    # Half of the photos are 10 degrees of the equator off: 1,111.95 km.
    assert found["mean_km"] == pytest.approx(1111.95 / 2, rel=1e-4)
    assert objective.monitor == "validation_geoscore"


def test_targets_of_another_width_are_refused() -> None:
    objective, outputs, targets = _batch()
    with pytest.raises(ValueError, match="targets of 3 or 7 columns"):
        objective.loss(outputs, targets[:, :5])


def test_steps_add_one_thing_at_a_time() -> None:
    assert TASKS == FACTS
    assert ORDER[0] == "base"
    for earlier, later in pairwise(ORDER):
        assert set(STEPS[later]) - set(STEPS[earlier]) == {later}
    assert all(STEPS[step] == (step.removeprefix("only-"),) for step in SINGLE)
    own = {"smoothing": "pigeon-code", "views": "attention", "tuning": "all", "tasks": ["month"]}
    given = {**own, "cells": "semantic", "pretraining": False}
    base = switches("base", given)
    assert base == {a.parameter: a.off for a in ADDITIONS.values()}
    assert switches("views", given) == {**base, "smoothing": "pigeon-code", "views": "attention"}
    assert switches("only-pretraining", given) == {**base, "pretraining": True}
    assert switches("", given) == given
    assert label_of("only-views") == "base + four views"
    assert (label_of("base"), label_of("views")) == ("base", "+ four views")
    for call in (lambda: switches("all", given), lambda: label_of("all")):
        with pytest.raises(ValueError, match="a step out of"):
            call()
