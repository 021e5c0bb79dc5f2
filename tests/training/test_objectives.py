import math

import pytest
import torch

from shared.training.objectives import Classification, class_weights

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]])


def test_cross_entropy_is_the_mean_negative_logarithm() -> None:
    expected = -(2 - math.log(math.exp(2) + 2) + 1 - math.log(1 + math.e + math.exp(3))) / 2
    found = Classification(3).loss(LOGITS, torch.tensor([0, 1]))
    assert float(found) == pytest.approx(expected, abs=1e-6)


def test_fillers_do_not_count() -> None:
    objective = Classification(3)
    whole = objective.loss(LOGITS[:1], torch.tensor([0]))
    assert torch.equal(objective.loss(LOGITS, torch.tensor([0, -1])), whole)


def test_measures_are_those_counted_by_hand() -> None:
    # Three photos of class 0, of which two are right; one of class 1, which is wrong.
    logits = torch.eye(6)[[0, 0, 2, 3]]
    measures = Classification(6).measures()
    measures.update(logits, torch.tensor([0, 0, 0, 1]))
    found = {name: float(value) for name, value in measures.compute().items()}
    assert found["top1"] == pytest.approx(0.5)
    assert found["balanced"] == pytest.approx((2 / 3 + 0) / 2)
    assert sorted(found) == ["balanced", "top1", "top3", "top5"]


def test_weights_of_classes() -> None:
    targets = torch.tensor([0] * 9 + [1])
    assert class_weights(targets, 2, "none") is None
    balanced = class_weights(targets, 2, "balanced")
    assert balanced is not None
    # Each class weighs as much as the other: 9 a = b, and the photos' mean is (9 a + b) / 10 = 1.
    assert balanced.tolist() == pytest.approx([5 / 9, 5.0])
    root = class_weights(targets, 2, "sqrt")
    assert root is not None
    assert float(root[1] / root[0]) == pytest.approx(3.0)
    assert float(root[targets].mean()) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="'none', 'balanced', 'sqrt'"):
        class_weights(targets, 2, "heavy")
