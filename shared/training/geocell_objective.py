"""The loss of geocells and of the facts beside them.

The outputs are the cells' logits, then those of each fact in turn. Targets hold class, latitude and
longitude, and behind them a column a fact (`shared.training.geocell_targets`). The photos that the
best epoch is chosen by have the first three alone: facts help to learn, cells are what counts.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torchmetrics import Metric, MetricCollection
from torchmetrics.wrappers import LambdaInputTransformer

from shared.training.geocell_targets import Fact
from shared.training.smoothing import HaversineSmoothing, PlaceClassification

N_PLACE = 3  # columns of a target before its facts: class, latitude, longitude


class GeocellObjective(nn.Module):
    """Cells by cross-entropy, smoothed by distance or not; and facts of the place beside them.

    Args:
        centres: (K, 2) the cells' centres, degrees.
        facts: what else is learned; none for cells alone.
        smoothing: of the cells' targets, or None for hard labels.
    """

    monitor = PlaceClassification.monitor
    monitor_mode = PlaceClassification.monitor_mode

    def __init__(
        self,
        centres: ArrayLike,
        facts: Sequence[Fact] = (),
        smoothing: HaversineSmoothing | None = None,
    ) -> None:
        super().__init__()
        self.cells = PlaceClassification(centres, smoothing)
        self.tasks = tuple(facts)
        self.n_logits = self.cells.n_logits
        self.n_outputs = self.n_logits + sum(fact.width for fact in facts)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of (N, n_outputs) outputs.

        Args:
            outputs: of the network.
            targets: (N, 3 + A), or (N, 3) for the loss of the cells alone.

        Raises:
            ValueError: for targets of another width.
        """
        if targets.ndim != 2 or targets.shape[1] not in (N_PLACE, N_PLACE + len(self.tasks)):
            msg = (
                f"Expected targets of {N_PLACE} or {N_PLACE + len(self.tasks)} columns, but got "
                f"{tuple(targets.shape)}"
            )
            raise ValueError(msg)
        loss = self.cells.loss(self._cells(outputs), targets[:, :N_PLACE])
        if targets.shape[1] == N_PLACE:
            return loss
        return loss + self.facts_loss(outputs[:, self.n_logits :], targets[:, N_PLACE:])

    def facts_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The weighted loss of the facts that are known.

        Cross-entropy for each fact of classes, the mean over its known photos; the squared error of
        all numbers together, the mean over all known values, as published.

        Args:
            outputs: (N, sum of widths).
            targets: (N, A) of `target_columns`.
        """
        total = outputs.new_zeros(())
        squares, weights = [], []
        parts = torch.split(outputs.float(), [fact.width for fact in self.tasks], dim=1)
        for fact, part, column in zip(self.tasks, parts, targets.unbind(dim=1), strict=True):
            known = column.isfinite()
            if not known.any():
                continue
            if fact.classes:
                loss = F.cross_entropy(part[known], column[known].long())
                total = total + fact.weight * loss
            else:
                squares.append((part[known, 0] - column[known].to(part.dtype)).square())
                weights.append(part.new_full((int(known.sum()),), fact.weight))
        if squares:
            total = total + (torch.cat(weights) * torch.cat(squares)).mean()
        return total

    def probe(self, targets: Tensor) -> Tensor:
        """The cells of the photos."""
        return self.cells.probe(targets[:, :N_PLACE])

    def measures(self) -> MetricCollection:
        """Those of the cells: accuracies, and the distance of the likeliest cell's centre."""
        found: dict[str, Metric | MetricCollection] = {
            name: LambdaInputTransformer(metric, transform_pred=self._cells)
            for name, metric in self.cells.measures().items()
        }
        return MetricCollection(found, compute_groups=False)

    def head(self) -> dict[str, Any]:
        """The outputs that a checkpoint gives are logits of the cells."""
        return self.cells.head()

    def facts(self) -> dict[str, Any]:
        """The smoothing, and the facts with their scales."""
        return {**self.cells.facts(), "tasks": [fact.as_dict() for fact in self.tasks]}

    def _cells(self, outputs: Tensor) -> Tensor:
        return outputs[:, : self.n_logits]
