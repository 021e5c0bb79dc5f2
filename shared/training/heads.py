"""Heads without classes: what the outputs of a network say of a point on the Earth.

Each head is a few plain values in a checkpoint's `config.json`, from which it is made again.
Degrees, `(lat, lon)`; directions are unit vectors.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from shared.training.sphere import angles, directions, lat_lon
from shared.vmf import VmfMixture

# The spread of a component lies between that of the whole Earth and about 30 km.
LEAST_KAPPA, LARGEST_KAPPA = 1e-2, 4e4
# The gradient of a mean grows with its kappa. At full size it drowned what the backbone learns
# from the weights: after 11 epochs of the demo the median was still that of a constant point.
MEAN_STEP, SPREAD_STEP = 0.03, 0.3  # of an output that moves a mean, or changes a spread
ANYWHERE = 0.01  # the share of the whole Earth, so that no photo is infinitely surprising


class PointHead(Protocol):
    """What a checkpoint and an objective need of a head that gives points."""

    kind: str
    n_outputs: int

    def facts(self) -> dict[str, Any]:
        """What `config.json` holds of it, `kind` among it."""

    def points(self, outputs: Tensor) -> Tensor:
        """The (N, 2) points, degrees, of (N, n_outputs) outputs; quick, for measures."""

    def mixture(self, outputs: Tensor) -> VmfMixture | None:
        """The mixtures that (N, n_outputs) outputs stand for, where the head has a spread."""


class UnitVectorHead:
    """A vector from the centre of the Earth: the point is where it points at."""

    kind = "unit-vector"
    n_outputs = 3

    def facts(self) -> dict[str, Any]:
        """Its kind."""
        return {"kind": self.kind}

    def points(self, outputs: Tensor) -> Tensor:
        """The points of (N, 3) vectors of any length."""
        return lat_lon(outputs.double())

    def mixture(self, outputs: Tensor) -> None:
        """There is no spread."""


class LatLonHead:
    """Latitude / 90 and longitude / 180, as the project's ancestor began.

    Kept as a baseline: neighbours across the antimeridian are far apart here.
    """

    kind = "lat-lon"
    n_outputs = 2

    def facts(self) -> dict[str, Any]:
        """Its kind."""
        return {"kind": self.kind}

    def points(self, outputs: Tensor) -> Tensor:
        """The points of (N, 2) outputs; what lies beyond a pole or the antimeridian is cut."""
        limits = torch.tensor([90.0, 180.0], dtype=torch.float64, device=outputs.device)
        return outputs.double().clamp(-1, 1) * limits

    def mixture(self, outputs: Tensor) -> None:
        """There is no spread."""


class VmfHead(nn.Module):
    """A mixture of von Mises-Fisher distributions.

    The M components begin as groups of training places, so that what there is to learn at first is
    their weights, as a classifier does. The outputs are, for each component, the logit of its
    weight, a change of its concentration (on a logistic curve between the least and the largest
    logarithm), and a vector that moves its mean. One more component, as good as uniform, has the
    weight of 0.01 in every mixture.

    Args:
        anchors: (M, 3) unit vectors where the means begin.
        kappas: (M,) where the concentrations begin.
    """

    kind = "vmf-mixture"

    def __init__(
        self, anchors: Sequence[Sequence[float]] | Tensor, kappas: Sequence[float] | Tensor
    ) -> None:
        super().__init__()
        self.anchors: Tensor
        self.first: Tensor
        first = torch.as_tensor(kappas, dtype=torch.float32)
        self.register_buffer(
            "anchors", torch.as_tensor(anchors, dtype=torch.float32), persistent=False
        )
        self.register_buffer("first", first.clamp(2 * LEAST_KAPPA, LARGEST_KAPPA / 2), False)
        if self.anchors.shape != (len(first), 3) or len(first) == 0:
            found = (tuple(self.anchors.shape), tuple(first.shape))
            msg = f"Expected anchors of shape (M, 3) and kappas of shape (M,), but got {found}"
            raise ValueError(msg)
        self.n_components = len(first)
        self.n_outputs = 5 * self.n_components

    def facts(self) -> dict[str, Any]:
        """Its kind, the number of components, and where they begin."""
        return {
            "kind": self.kind,
            "components": self.n_components,
            "anchors": self.anchors.tolist(),
            "kappas": self.first.tolist(),
        }

    def parts(self, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights (N, M + 1), means (N, M + 1, 3) and concentrations (N, M + 1) of outputs."""
        m = self.n_components
        logits, spread, vectors = torch.split(outputs.float(), [m, m, 3 * m], dim=1)
        least, largest = math.log(LEAST_KAPPA), math.log(LARGEST_KAPPA)
        first = ((self.first.log() - least) / (largest - least)).logit()
        kappas = (least + (largest - least) * (SPREAD_STEP * spread + first).sigmoid()).exp()
        means = directions(MEAN_STEP * vectors.reshape(-1, m, 3) + self.anchors)
        log_weights = logits.log_softmax(dim=1) + math.log(1 - ANYWHERE)
        n = len(outputs)
        return (
            torch.cat([log_weights, log_weights.new_full((n, 1), math.log(ANYWHERE))], dim=1),
            torch.cat([means, self.anchors[:1].expand(n, 1, 3)], dim=1),
            torch.cat([kappas, kappas.new_full((n, 1), LEAST_KAPPA)], dim=1),
        )

    def points(self, outputs: Tensor) -> Tensor:
        """The means from which the weighted angles to all means of their mixture are least."""
        log_weights, means, _ = self.parts(outputs)
        costs = (log_weights.exp()[:, None] * angles(means[:, :, None], means[:, None])).sum(dim=2)
        chosen = means[torch.arange(len(means), device=means.device), costs.argmin(dim=1)]
        return lat_lon(chosen.double())

    def mixture(self, outputs: Tensor) -> VmfMixture:
        """The mixtures, in double precision."""
        log_weights, means, kappas = (part.detach().cpu().double() for part in self.parts(outputs))
        means = means / torch.linalg.vector_norm(means, dim=-1, keepdim=True)
        return VmfMixture(log_weights.exp().numpy(), means.numpy(), kappas.numpy())


def point_head(facts: Mapping[str, Any]) -> PointHead:
    """The head that `facts` of a checkpoint stand for.

    Raises:
        ValueError: for another kind.
    """
    kind = facts.get("kind")
    if kind == UnitVectorHead.kind:
        return UnitVectorHead()
    if kind == LatLonHead.kind:
        return LatLonHead()
    if kind == VmfHead.kind:
        return VmfHead(facts["anchors"], facts["kappas"])
    kinds = (UnitVectorHead.kind, LatLonHead.kind, VmfHead.kind)
    msg = f"Expected a head of one of the kinds {kinds}, but got {kind!r}"
    raise ValueError(msg)
