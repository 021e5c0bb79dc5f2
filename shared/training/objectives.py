"""What a model is trained for: the width of its head, its loss, and its measures.

A task of its own (regions with smoothed labels, coordinates on the sphere) is another `Objective`;
backbones, batches and the training loop stay as they are.
"""

from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics import MetricCollection

from shared.training.measures import BalancedAccuracy, TopAccuracy
from shared.training.targets import FILLER, classes_of

WEIGHTINGS = ("none", "balanced", "sqrt")


class Objective(Protocol):
    """What the training loop needs to know of a task."""

    n_outputs: int
    n_logits: int
    monitor: str
    monitor_mode: str

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of (N, n_outputs) outputs."""

    def probe(self, targets: Tensor) -> Tensor:
        """What a head is fitted to before the training, of N photos.

        (N,) classes, whose logits the first `n_logits` outputs are, or (N, n_outputs) outputs.
        """

    def measures(self) -> MetricCollection:
        """Measures that are updated with outputs and targets, without fillers."""

    def head(self) -> dict[str, Any]:
        """How the outputs are read, as plain values: `kind`, and what that needs."""

    def facts(self) -> dict[str, Any]:
        """Its settings as plain values, for a checkpoint and a fingerprint."""


class Classification(nn.Module):
    """One class out of many, by cross-entropy.

    Args:
        n_classes: the number of classes.
        label_smoothing: the share of the target that is spread over all classes.
        class_weights: (n_classes,) the weight of each class in the loss, or None.
    """

    monitor = "validation_top1"
    monitor_mode = "max"

    def __init__(
        self, n_classes: int, label_smoothing: float = 0.0, class_weights: Tensor | None = None
    ) -> None:
        super().__init__()
        self.n_outputs = self.n_logits = n_classes
        self.label_smoothing = label_smoothing
        self.class_weights: Tensor | None
        self.register_buffer("class_weights", class_weights, persistent=False)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of (N, n_classes) logits and their targets, which hold classes."""
        return F.cross_entropy(
            outputs.float(),
            classes_of(targets),
            weight=self.class_weights,
            label_smoothing=self.label_smoothing,
            ignore_index=FILLER,
        )

    def probe(self, targets: Tensor) -> Tensor:
        """The classes of the photos."""
        return classes_of(targets)

    def measures(self) -> MetricCollection:
        """Top-1, top-3, top-5 and balanced accuracy."""
        n = self.n_outputs
        tops = {f"top{k}": TopAccuracy(n, top_k=k, average="micro") for k in (1, 3, 5) if k <= n}
        return MetricCollection({**tops, "balanced": BalancedAccuracy(n)}, compute_groups=False)

    def head(self) -> dict[str, Any]:
        """The outputs are logits of classes."""
        return {"kind": "classes"}

    def facts(self) -> dict[str, Any]:
        """The label smoothing and the weights of the classes."""
        weights = self.class_weights
        return {
            "label_smoothing": self.label_smoothing,
            "class_weights": None if weights is None else weights.tolist(),
        }


def class_weights(targets: Tensor, n_classes: int, how: str) -> Tensor | None:
    """Weights that make rare classes count for more in the loss; their mean over photos is 1.

    Args:
        targets: (N,) the classes of the training photos.
        n_classes: the number of classes.
        how: `"none"`; `"balanced"`: as much for each class; `"sqrt"`: half of the way, by the
            square root.
    """
    if how not in WEIGHTINGS:
        msg = f"Expected class weights to be one of {WEIGHTINGS}, but got {how!r}"
        raise ValueError(msg)
    if how == "none":
        return None
    counts = torch.bincount(targets, minlength=n_classes).clamp(min=1).double()
    weights = counts.reciprocal() if how == "balanced" else counts.rsqrt()
    return (weights * counts.sum() / (weights * counts).sum()).float()
