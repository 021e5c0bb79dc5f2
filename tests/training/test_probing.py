"""The head that fine-tuning begins with is the classifier that scikit-learn finds."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from shared.training.backbones import Normalisation
from shared.training.batches import Split
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
    probe_head(model, split, HALF)
    pixels = torch.from_numpy(np.asarray(split.images)).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        ours = model(pixels / 127.5 - 1).softmax(1).numpy()
    colours = (split.images / 127.5 - 1).mean((1, 2))
    scaled = (colours - colours.mean(0)) / colours.std(0)
    theirs = LogisticRegression(C=3e-3, max_iter=200).fit(scaled, split.targets.numpy())
    np.testing.assert_allclose(ours, theirs.predict_proba(scaled), atol=1e-4)


def test_a_class_without_photos_is_never_the_first_guess() -> None:
    split, model = coloured(3), MeanColour(5)
    probe_head(model, split, HALF)
    with torch.no_grad():
        guesses = model(torch.rand(50, 3, 4, 5) * 2 - 1).argmax(1)
    assert set(guesses.tolist()) <= {0, 1, 2}


def test_targets_that_are_no_classes_are_refused() -> None:
    split = Split(np.zeros((2, 4, 5, 3), np.uint8), torch.rand(2, 3))
    with pytest.raises(
        ValueError, match=r"a class for each photo, but got torch.float32 targets of shape"
    ):
        probe_head(MeanColour(3), split, HALF)


def test_photos_of_one_class_are_refused() -> None:
    split = Split(np.zeros((2, 4, 5, 3), np.uint8), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(ValueError, match="all are of one"):
        probe_head(MeanColour(3), split, HALF)
