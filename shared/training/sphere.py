"""Angles and distances between points on the sphere, for tensors: kilometres and unit vectors.

Everything is exact in float32 from a millimetre to the antipode: an angle is twice the arc tangent
of chord over sum, 2 atan2(|a - b|, |a + b|), which needs no arc sine or cosine of a rounded 1.
Source: Kahan (2006), How Futile are Mindless Assessments of Roundoff, section 12.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from shared.geo import EARTH_RADIUS_KM

SHORTEST = 1e-6  # a vector that is shorter has no direction to learn from


def unit_vectors(points: Tensor) -> Tensor:
    """(N, 2) latitudes and longitudes, degrees, as (N, 3) unit vectors of the same precision."""
    lat, lon = torch.deg2rad(points).unbind(dim=-1)
    return torch.stack([lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()], dim=-1)


def lat_lon(vectors: Tensor) -> Tensor:
    """The (N, 2) points, degrees, that (N, 3) vectors of any length point at."""
    x, y, z = vectors.unbind(dim=-1)
    across = torch.linalg.vector_norm(vectors[..., :2], dim=-1)
    return torch.rad2deg(torch.stack([torch.atan2(z, across), torch.atan2(y, x)], dim=-1))


def directions(vectors: Tensor) -> Tensor:
    """(..., 3) vectors at length 1; one of length 0 stays 0."""
    return F.normalize(vectors, dim=-1, eps=SHORTEST)


def angles(a: Tensor, b: Tensor) -> Tensor:
    """(...) angles between (..., 3) unit vectors, rad; the gradient is 0 where they are equal."""
    chord = torch.linalg.vector_norm(a - b, dim=-1)
    return 2 * torch.atan2(chord, torch.linalg.vector_norm(a + b, dim=-1))


def distances_km(a: Tensor, b: Tensor) -> Tensor:
    """(N,) great-circle distances between (N, 2) points, degrees, pair by pair."""
    return EARTH_RADIUS_KM * angles(unit_vectors(a), unit_vectors(b))


class Centres(torch.nn.Module):
    """The centres of K classes, and the distances to them.

    A point in float32 is 0.4 m off. So each coordinate is kept in two float32 numbers, of which
    the second is what the first one leaves: their differences are exact to a millimetre.
    """

    def __init__(self, points: Tensor) -> None:
        """Keep (K, 2) centres, degrees, float64."""
        super().__init__()
        high, low = _in_two(unit_vectors(points.double()))
        self.points: Tensor
        self.high: Tensor
        self.low: Tensor
        self.register_buffer("points", points.double(), persistent=False)
        self.register_buffer("high", high.T.contiguous(), persistent=False)
        self.register_buffer("low", low.T.contiguous(), persistent=False)

    def distances_km(self, points: Tensor) -> Tensor:
        """Great-circle distances from points to all centres.

        Args:
            points: (N, 2) latitudes and longitudes, degrees, float64.

        Returns:
            (N, K) kilometres, float32. No intermediate result is larger.
        """
        high, low = _in_two(unit_vectors(points.double()))
        apart = torch.zeros(len(points), self.high.shape[1], device=points.device)
        together = torch.zeros_like(apart)
        for axis in range(3):
            a, b = high[:, axis, None], low[:, axis, None]
            apart += torch.sub(a, self.high[axis]).add_(b).sub_(self.low[axis]).square_()
            together += torch.add(a, self.high[axis]).add_(b).add_(self.low[axis]).square_()
        return torch.atan2(apart.sqrt_(), together.sqrt_()).mul_(2 * EARTH_RADIUS_KM)


def _in_two(values: Tensor) -> tuple[Tensor, Tensor]:
    """Float64 values as the float32 next to them, and what that leaves."""
    high = values.float()
    return high, (values - high.double()).float()
