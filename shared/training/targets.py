"""Targets of photos: classes, points, or both in one tensor, and fillers.

A class alone is a whole number, (M,) int64. Points are (M, 2) float64 latitudes and longitudes,
degrees; a class with a point is (M, 3): class, latitude, longitude. Double precision holds a class
exactly and a point to a nanometre. Fillers, which only make the processes' parts of a batch equally
long, are class -1, or NaN in float64.
"""

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from shared.geo import check_points

FILLER = -1  # the class of photos that only fill a batch up


def located(points: ArrayLike, classes: Tensor | None = None) -> Tensor:
    """Targets that hold a point for each photo, and its class where there are classes.

    Args:
        points: (M, 2) latitudes and longitudes, degrees.
        classes: (M,) class numbers, or None.

    Returns:
        (M, 3) or, without classes, (M, 2) float64.
    """
    places = torch.from_numpy(check_points(points).reshape(-1, 2).copy())
    if classes is None:
        return places
    if classes.shape != (len(places),):
        msg = f"Expected a class for each of {len(places)} points, but got {tuple(classes.shape)}"
        raise ValueError(msg)
    return torch.cat([classes.double()[:, None], places], dim=1)


def classes_of(targets: Tensor) -> Tensor:
    """(M,) class numbers.

    Raises:
        ValueError: for targets without classes.
    """
    if targets.ndim == 1 and not targets.is_floating_point():
        return targets
    if targets.ndim == 2 and targets.shape[1] == 3 and targets.dtype == torch.float64:
        return targets[:, 0].nan_to_num(FILLER).long()
    shape = tuple(targets.shape)
    msg = f"Expected a class for each photo, but got {targets.dtype} targets of shape {shape}"
    raise ValueError(msg)


def points_of(targets: Tensor) -> Tensor:
    """(M, 2) latitudes and longitudes, degrees, float64.

    Raises:
        ValueError: for targets without points.
    """
    if targets.ndim != 2 or targets.shape[1] not in (2, 3):
        shape = tuple(targets.shape)
        msg = f"Expected a point for each photo, but got {targets.dtype} targets of shape {shape}"
        raise ValueError(msg)
    return targets[:, -2:]


def is_real(targets: Tensor) -> Tensor:
    """(M,) whether a target is of a photo, and no filler."""
    return targets != FILLER if targets.ndim == 1 else ~targets.isnan().any(dim=1)


def make_fillers(targets: Tensor, start: int) -> None:
    """Turn the targets from a row on into fillers, in place."""
    targets[start:] = torch.nan if targets.is_floating_point() else FILLER
