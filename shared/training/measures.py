"""Measures of a validation: balanced accuracy, and distances on the Earth. Kilometres."""

from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.utilities import dim_zero_cat

from shared.geo import GEOSCORE_DECAY_KM, GEOSCORE_MAXIMUM, Floats
from shared.training.sphere import distances_km
from shared.training.targets import classes_of, points_of


class TopAccuracy(MulticlassAccuracy):
    """The share of photos whose class is among the likeliest k; targets may hold points too."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count (N, K) outputs and their targets."""
        super().update(preds, classes_of(target))


class BalancedAccuracy(Metric):
    """The mean over classes of the share of their photos that are right.

    Classes without photos do not count. (torchmetrics' macro average counts them as 0 as soon as
    one of them is guessed.)
    """

    right: Tensor
    photos: Tensor

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        for name in ("right", "photos"):
            self.add_state(name, torch.zeros(n_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Count (N, n_classes) outputs and their classes."""
        n_classes, classes = len(self.photos), classes_of(targets)
        is_right = outputs.argmax(dim=1) == classes
        self.photos += torch.bincount(classes, minlength=n_classes)
        self.right += torch.bincount(classes[is_right], minlength=n_classes)

    def compute(self) -> Tensor:
        """The balanced accuracy, 0..1."""
        is_there = self.photos > 0
        return (self.right[is_there] / self.photos[is_there]).mean()


class Distances(Metric):
    """The distances from guessed to true points: their median and mean, and the mean GeoScore.

    Args:
        points: gives the (N, 2) points, degrees, of outputs.
    """

    distance_km: list[Tensor]

    def __init__(self, points: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.points = points
        self.add_state("distance_km", [], dist_reduce_fx="cat")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Note the distances of outputs to targets that hold points."""
        found = distances_km(self.points(outputs).double(), points_of(targets))
        self.distance_km.append(found)

    def compute(self) -> dict[str, Tensor]:
        """`median_km`, `mean_km` and `geoscore` (0..5000)."""
        km = dim_zero_cat(self.distance_km)
        score = GEOSCORE_MAXIMUM * (-km / GEOSCORE_DECAY_KM).exp()
        # numpy's median, the mean of the two in the middle; torch's own is the lower of them.
        return {"median_km": km.quantile(0.5), "mean_km": km.mean(), "geoscore": score.mean()}


def summarise_km(distance_km: Floats) -> pd.Series:
    """Median and mean of (N,) distances, km, and the mean GeoScore (0..5000)."""
    km = torch.from_numpy(distance_km)
    score = GEOSCORE_MAXIMUM * (-km / GEOSCORE_DECAY_KM).exp()
    values = {"median km": km.quantile(0.5), "mean km": km.mean(), "GeoScore": score.mean()}
    return pd.Series({name: float(value) for name, value in values.items()})
