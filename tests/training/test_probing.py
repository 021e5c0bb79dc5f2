"""The head that fine-tuning begins with is the classifier that scikit-learn finds."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from shared.geo import haversine_km
from shared.training.backbones import Normalisation
from shared.training.batches import Split
from shared.training.coordinates import Coordinates, best_constant, groups_of
from shared.training.objectives import Classification
from shared.training.probing import probe_head

HALF = Normalisation.of("half")


class MeanColour(nn.Module):
    """A backbone that returns the mean colour, and a head."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(3, n_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(images.mean((2, 3)))
        return logits


def coloured(n_classes: int) -> Split:
    random = np.random.default_rng(0)
    targets = random.integers(0, n_classes, 90)
    images = random.integers(0, 120, (90, 4, 5, 3), dtype=np.uint8)
    images[np.arange(90), :, :, targets % 3] += 100
    return Split(images, torch.from_numpy(targets))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_head_gives_the_probabilities_of_the_classifier(n_classes: int) -> None:
    split, model = coloured(n_classes), MeanColour(n_classes)
    probe_head(model, split, HALF, Classification(model.head.out_features))
    pixels = torch.from_numpy(np.asarray(split.images)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        ours = model(pixels / 127.5 - 1).softmax(1).numpy()
    colours = (split.images / 127.5 - 1).mean((1, 2))
    scaled = (colours - colours.mean(0)) / colours.std(0)
    theirs = LogisticRegression(C=3e-3, max_iter=200).fit(scaled, split.targets.numpy())
    np.testing.assert_allclose(ours, theirs.predict_proba(scaled), atol=1e-4)


def test_a_class_without_photos_is_never_the_first_guess() -> None:
    split, model = coloured(3), MeanColour(5)
    probe_head(model, split, HALF, Classification(model.head.out_features))
    with torch.no_grad():
        guesses = model(torch.rand(50, 3, 4, 5) * 2 - 1).argmax(1)
    assert set(guesses.tolist()) <= {0, 1, 2}


def test_targets_that_are_no_classes_are_refused() -> None:
    split = Split(np.zeros((2, 4, 5, 3), np.uint8), torch.rand(2, 3))
    with pytest.raises(
        ValueError, match=r"a class for each photo, but got torch.float32 targets of shape"
    ):
        probe_head(MeanColour(3), split, HALF, Classification(3))


def test_photos_of_one_class_are_refused() -> None:
    split = Split(np.zeros((2, 4, 5, 3), np.uint8), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="all are of one"):
        probe_head(MeanColour(3), split, HALF, Classification(3))


def placed() -> tuple[Split, np.ndarray]:
    """Photos whose colours tell in which of three groups of places they were taken."""
    split = coloured(3)
    middles = np.asarray([[50.0, 5.0], [-30.0, 140.0], [0.0, -179.0]])
    points = middles[split.targets.numpy()] + np.random.default_rng(1).normal(0, 1, (90, 2))
    points[:, 1] = (points[:, 1] + 180) % 360 - 180
    return Split(split.images, torch.from_numpy(points)), points


@pytest.mark.parametrize("loss", ["unit-vector", "great-circle", "lat-lon", "vmf-mixture"])
def test_a_head_of_points_begins_near_the_places(loss: str) -> None:
    split, points = placed()
    groups = groups_of(points, 3, 0) if loss == "vmf-mixture" else None
    objective, model = Coordinates(loss, groups), MeanColour(15 if groups else 3)
    if loss == "lat-lon":
        model = MeanColour(2)
    probe_head(model, split, HALF, objective)
    pixels = torch.from_numpy(np.asarray(split.images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        outputs = model(pixels)
    found = haversine_km(objective.point_head.points(outputs).numpy(), points)
    constant = haversine_km(np.broadcast_to(best_constant(points), points.shape), points)
    assert np.median(found) < 0.5 * np.median(constant)
    if groups:  # spread and shift begin at zero, so that the means begin where the places are
        assert not outputs[:, 3:].any()
