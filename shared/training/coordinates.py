"""What the coordinates task learns: a point on the Earth, by one of four losses.

`"unit-vector"` is Lost & Found's (mean squared error of x, y, z), `"great-circle"` its angle,
`"vmf-mixture"` has a spread, and `"lat-lon"` is the baseline that knows nothing of the sphere.
Targets are (N, 2) latitudes and longitudes, degrees.
"""

import math
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from sklearn.cluster import KMeans
from torch import Tensor, nn
from torchmetrics import MetricCollection

from shared.geo import Floats, to_lat_lon, to_unit_vectors
from shared.training.heads import LatLonHead, PointHead, UnitVectorHead, VmfHead
from shared.training.measures import Distances
from shared.training.sphere import angles, directions, unit_vectors
from shared.training.targets import points_of
from shared.vmf import least_distance

LOSSES = ("unit-vector", "great-circle", "vmf-mixture", "lat-lon")
STARTS = 50  # places that the search for the best constant point begins at


class Coordinates(nn.Module):
    """A point, by one of `LOSSES`; watched by its distances.

    Args:
        loss: the name of the loss.
        groups: where the components of `"vmf-mixture"` begin (`groups_of`); None for the others.
    """

    monitor = "validation_geoscore"
    monitor_mode = "max"

    def __init__(self, loss: str, groups: tuple[Tensor, Tensor] | None = None) -> None:
        super().__init__()
        if loss not in LOSSES:
            msg = f"Expected a loss out of {LOSSES}, but got {loss!r}"
            raise ValueError(msg)
        if (loss == "vmf-mixture") != (groups is not None):
            msg = "Expected groups for the loss 'vmf-mixture', and for no other"
            raise ValueError(msg)
        self.name = loss
        self.point_head: PointHead
        if groups is not None:
            self.point_head = VmfHead(*groups)
        else:
            self.point_head = LatLonHead() if loss == "lat-lon" else UnitVectorHead()
        self.n_outputs = self.point_head.n_outputs
        self.n_logits = 0 if groups is None else len(groups[0])

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of (N, n_outputs) outputs and (N, 2) points, degrees."""
        points, found = points_of(targets), outputs.float()
        if self.name == "lat-lon":
            return F.mse_loss(found, _shares(points).float())
        truth = unit_vectors(points).float()
        if self.name == "unit-vector":
            return F.mse_loss(found, truth)
        if self.name == "great-circle":
            return angles(directions(found), truth).mean()
        parts = cast(VmfHead, self.point_head).parts(found)
        return -log_density(*parts, truth).mean()

    def probe(self, targets: Tensor) -> Tensor:
        """What the outputs should be; of a mixture the component that begins nearest."""
        points = points_of(targets)
        if self.name == "lat-lon":
            return _shares(points)
        vectors = unit_vectors(points)
        if isinstance(self.point_head, VmfHead):
            return (vectors.float() @ self.point_head.anchors.T).argmax(dim=1)
        return vectors

    def measures(self) -> MetricCollection:
        """Median and mean distance, and GeoScore."""
        return MetricCollection(
            {"distances": Distances(self.point_head.points)}, compute_groups=False
        )

    def head(self) -> dict[str, Any]:
        """How the outputs are read."""
        return self.point_head.facts()

    def facts(self) -> dict[str, Any]:
        """The loss and the head."""
        return {"loss": self.name, "head": self.head()}


def _shares(points: Tensor) -> Tensor:
    """(N, 2) latitudes / 90 and longitudes / 180."""
    return points / torch.tensor([90.0, 180.0], dtype=torch.float64, device=points.device)


def log_density(log_weights: Tensor, means: Tensor, kappas: Tensor, truth: Tensor) -> Tensor:
    """The logarithms of mixtures' densities at unit vectors, per steradian.

    log(kappa / (2 pi (1 - exp(-2 kappa)))) - kappa (1 - cos): nothing overflows for large kappa,
    and 1 - cos is half of the squared chord, which does not cancel.

    Args:
        log_weights: (N, M).
        means: (N, M, 3) unit vectors.
        kappas: (N, M).
        truth: (N, 3) unit vectors.

    Returns:
        (N,).
    """
    versine = (means - truth[:, None]).square().sum(dim=-1) / 2
    factor = kappas.log() - math.log(2 * math.pi) - (-torch.expm1(-2 * kappas)).log()
    return (log_weights + factor - kappas * versine).logsumexp(dim=1)


def groups_of(points: ArrayLike, n: int, seed: int) -> tuple[Tensor, Tensor]:
    """Where the components of a mixture begin: n groups of training places.

    Args:
        points: (M, 2) latitudes and longitudes, degrees.
        n: how many; fewer where there are fewer different places.
        seed: of the k-means.

    Returns:
        (n, 3) unit vectors, the groups' middles, and (n,) concentrations that fit the lengths of
        their mean vectors (Banerjee et al., 2005, JMLR 6, equation 4.4); both float32.
    """
    if n < 1:
        msg = f"Expected components of at least 1, but got {n}"
        raise ValueError(msg)
    vectors = np.unique(to_unit_vectors(points).reshape(-1, 3), axis=0)
    groups = KMeans(min(n, len(vectors)), random_state=seed, n_init=4).fit(vectors)
    middles = groups.cluster_centers_
    lengths = np.linalg.norm(middles, axis=1)
    safe = np.maximum(lengths, 1e-9)[:, None]
    middles = np.where(lengths[:, None] > 1e-9, middles / safe, [[0.0, 0.0, 1.0]])
    rest = np.maximum(1 - lengths**2, 1e-9)  # 0 for a group of one place
    kappas = np.maximum(lengths * (3 - lengths**2) / rest, 1e-3)
    return torch.from_numpy(middles.astype(np.float32)), torch.from_numpy(kappas).float()


def best_constant(points: ArrayLike) -> Floats:
    """The one point with the least mean distance to some points: what a guess without photo gives.

    Args:
        points: (M, 2) latitudes and longitudes, degrees.

    Returns:
        (2,) latitude and longitude, degrees.
    """
    vectors = to_unit_vectors(points).reshape(-1, 3)
    shares = np.full((1, len(vectors)), 1 / len(vectors))
    spread = vectors[np.linspace(0, len(vectors) - 1, min(len(vectors), STARTS)).astype(int)]
    found: Floats = to_lat_lon(least_distance(vectors[None], shares, list(spread[:, None])))[0]
    return found
