"""Haversine-smoothed cross-entropy: a guess next door costs less than one across the world.

The target of a class is exp(-(its centre's distance - a reference distance) / temperature). Which
reference, and whether the targets are then made to sum to 1, differs between PIGEON's paper (arXiv
2307.05845, section 3.2) and its released code: see `SMOOTHINGS`. Distances in kilometres.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torchmetrics import MetricCollection

from shared.geo import check_points
from shared.training.measures import Distances
from shared.training.objectives import Classification
from shared.training.sphere import Centres
from shared.training.targets import classes_of, points_of

REFERENCES = ("true", "nearest")
# A target of exp(60) = 1e26, where the true class's centre is farther than another's by 60 times
# the temperature, is the largest: the published formula would overflow float32 at 88.
LARGEST_EXPONENT = 60.0


@dataclass(frozen=True)
class HaversineSmoothing:
    """How far a class's share of the target falls off with its distance.

    Attributes:
        temperature_km: the distance at which it falls to 1/e.
        relative_to: the reference distance: that of the `"true"` class's centre, or of the
            `"nearest"` centre. It plays no part where the targets are normalised.
        is_normalised: whether each photo's targets sum to 1. If not, photos among many close
            centres count for more in the loss.
    """

    temperature_km: float
    relative_to: str = "nearest"
    is_normalised: bool = True

    def __post_init__(self) -> None:
        """Check the values."""
        if not self.temperature_km > 0:
            msg = f"Expected a temperature_km above 0, but got {self.temperature_km}"
            raise ValueError(msg)
        if self.relative_to not in REFERENCES:
            msg = f"Expected relative_to to be one of {REFERENCES}, but got {self.relative_to!r}"
            raise ValueError(msg)

    @classmethod
    def named(cls, name: str, temperature_km: float = 0.0) -> "HaversineSmoothing | None":
        """A smoothing by its name in `SMOOTHINGS`; None for `"none"`.

        Args:
            name: the name.
            temperature_km: another temperature than the published one; 0 keeps that.

        Raises:
            ValueError: for another name.
        """
        if name not in SMOOTHINGS:
            msg = f"Expected smoothing to be one of {tuple(SMOOTHINGS)}, but got {name!r}"
            raise ValueError(msg)
        found = SMOOTHINGS[name]
        if found is None or temperature_km == 0:
            return found
        return replace(found, temperature_km=temperature_km)

    def targets(self, distance_km: Tensor, classes: Tensor) -> Tensor:
        """The target of each class for each photo.

        Args:
            distance_km: (N, K) from each photo's true point to each class's centre.
            classes: (N,) the true classes.

        Returns:
            (N, K) targets, at least 0.
        """
        if self.is_normalised:
            return distance_km.div(-self.temperature_km).softmax(dim=1)
        if self.relative_to == "true":
            reference = distance_km.gather(1, classes[:, None])
        else:
            reference = distance_km.amin(dim=1, keepdim=True)
        exponent = (reference - distance_km).div_(self.temperature_km)
        return exponent.clamp_(max=LARGEST_EXPONENT).exp_()


SMOOTHINGS: dict[str, HaversineSmoothing | None] = {
    "none": None,  # hard labels, or label smoothing over all classes alike
    "normalised": HaversineSmoothing(75.0, "nearest", is_normalised=True),
    "pigeon-paper": HaversineSmoothing(75.0, "true", is_normalised=False),
    "pigeon-code": HaversineSmoothing(75.0, "nearest", is_normalised=False),
    "pigeotto-code": HaversineSmoothing(65.0, "nearest", is_normalised=False),
}


class PlaceClassification(Classification):
    """Classes that have places: cross-entropy, smoothed by distance or not, and distances.

    Targets hold class, latitude and longitude.

    Args:
        centres: (K, 2) the classes' centres, degrees.
        smoothing: of the targets, or None for hard labels.
        label_smoothing: the share of the target that is spread over all classes; hard labels only.
        class_weights: (K,) the weight in the loss of the photos of each class, or None.
    """

    monitor = "validation_geoscore"

    def __init__(
        self,
        centres: ArrayLike,
        smoothing: HaversineSmoothing | None = None,
        label_smoothing: float = 0.0,
        class_weights: Tensor | None = None,
    ) -> None:
        if smoothing is not None and label_smoothing:
            msg = (
                f"Expected label_smoothing=0 beside haversine smoothing, but got {label_smoothing}:"
                " the two are alternatives"
            )
            raise ValueError(msg)
        places = torch.from_numpy(check_points(centres, "centres").copy())
        super().__init__(len(places), label_smoothing, class_weights)
        self.smoothing = smoothing
        self.centres = Centres(places)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean cross-entropy of (N, K) logits against (N, 3) classes with their points."""
        if self.smoothing is None:
            return super().loss(outputs, targets)
        classes = classes_of(targets)
        shares = self.smoothing.targets(self.centres.distances_km(points_of(targets)), classes)
        losses = -(shares * outputs.float().log_softmax(dim=1)).sum(dim=1)
        if self.class_weights is None:
            return losses.mean()
        weights = self.class_weights[classes]
        return (weights * losses).sum() / weights.sum()

    def points(self, outputs: Tensor) -> Tensor:
        """(N, 2) the centres of the likeliest classes, degrees."""
        found: Tensor = self.centres.points[outputs.argmax(dim=1)]
        return found

    def measures(self) -> MetricCollection:
        """Those of the classes, and the distance of the likeliest class's centre."""
        found = super().measures()
        found.add_metrics({"distances": Distances(self.points)})
        return found

    def facts(self) -> dict[str, Any]:
        """The smoothing, the label smoothing and the weights of the classes."""
        smoothing = None if self.smoothing is None else asdict(self.smoothing)
        return {**super().facts(), "smoothing": smoothing}
