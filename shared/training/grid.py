"""What the grid task learns: one class for each cell, from single photos or the views of a place.

The cells are a partition that `2-data-processing/6-divide/grid.ipynb` writes. Degrees,
`(lat, lon)`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from shared.geo import haversine_km, spherical_mean
from shared.partitions import Partition
from shared.processing.places import place_keys
from shared.training.batches import Split
from shared.training.features import Features
from shared.training.grid_net import feature_logits
from shared.training.images import Bytes
from shared.training.inputs import PhotoList
from shared.training.measures import summarise_km
from shared.training.regions import CENTRES
from shared.training.targets import classes_of, located
from shared.training.views import Views, group_views


@dataclass(frozen=True)
class CellPhotos:
    """The photos of one list that lie somewhere.

    Attributes:
        photos: those of the list that have coordinates.
        targets: (M, 3) class, latitude, longitude of each.
        views: the same photos by place, in the order of their headings; rows of `photos`.
    """

    photos: PhotoList
    targets: Tensor
    views: Views

    @property
    def rows(self) -> NDArray[np.int64]:
        """(M,) the photos as rows of their list."""
        return np.arange(len(self.photos)) if self.photos.rows is None else self.photos.rows

    @property
    def view_rows(self) -> NDArray[np.int64]:
        """(P, V) the views of each place as rows of their list, -1 behind the last."""
        return np.where(self.views.rows >= 0, self.rows[self.views.rows], -1)

    @property
    def view_targets(self) -> Tensor:
        """(P, 3) class, latitude, longitude of each place."""
        return self.targets[self.views.rows[:, 0]]

    def split(self, images: Bytes | Features, views: str = "one") -> Split:
        """What a training reads.

        Args:
            images: of the whole list: pixels or features.
            views: `"one"`: a row a photo; else a row a place.
        """
        if views == "one":
            return Split(images, self.targets, self.rows)
        return Split(images, self.view_targets, self.view_rows)


@dataclass(frozen=True)
class CellTargets:
    """The classes, and the photos of both lists with theirs.

    Attributes:
        partition: a class a cell; its centres are what a guess of the class stands for.
        train, validation: the photos.
        without_place: how many photos of the two lists have no coordinates.
    """

    partition: Partition
    train: CellPhotos
    validation: CellPhotos
    without_place: tuple[int, int]

    @property
    def facts(self) -> dict[str, object]:
        """What a checkpoint says of it."""
        lost = dict(zip(("train", "validation"), self.without_place, strict=True))
        return {"cells": len(self.partition), "without_place": lost}

    @property
    def report(self) -> Iterator[str]:
        """Lines that say how many cells, photos and places there are."""
        seen = len(set(classes_of(self.train.targets).tolist()))
        yield f"{len(self.partition)} cells, {seen} of them with training photos"
        parts = (("training", self.train), ("validation", self.validation))
        for (name, part), lost in zip(parts, self.without_place, strict=True):
            counts = np.bincount(part.views.counts)[1:].tolist()
            yield (
                f"{len(part.photos):,} {name} photos of {len(part.views):,} places (places with "
                f"1 view or more: {counts}); {lost:,} without coordinates left out"
            )


def cell_targets(
    train: PhotoList, validation: PhotoList, grid: Partition, centres: str, max_views: int = 0
) -> CellTargets:
    """The classes of the grid task.

    Args:
        train: the training photos.
        validation: the validation photos.
        grid: the cells; a photo outside of all is of the nearest.
        centres: the point of a cell: the middle of its training `"photos"` (its own centre where
            it has none), or of its `"area"`, as the ancestor had it.
        max_views: how many views of a place are used at most; 0: all.

    Raises:
        ValueError: for another choice of centres, or when no photo has coordinates.
    """
    if centres not in CENTRES:
        msg = f"Expected centres to be one of {CENTRES}, but got {centres!r}"
        raise ValueError(msg)
    parts = [_cell_photos(part, grid, max_views) for part in (train, validation)]
    if centres == "photos":
        grid = _centred(grid, parts[0].targets)
    lost = (len(train) - len(parts[0].photos), len(validation) - len(parts[1].photos))
    return CellTargets(grid, parts[0], parts[1], lost)


def score_views(
    model: nn.Module, grid: Partition, features: Features, places: CellPhotos, n_views: int
) -> dict[str, float]:
    """How well a head names the cells of places from their first views, in order of headings.

    Args:
        model: a `FrozenNet`.
        grid: the classes, with the points that they stand for.
        features: of all photos of the list.
        places: the photos, by place.
        n_views: how many views of each place are shown, at most.

    Returns:
        The right cells in per cent, and distances of the likeliest cell's point.
    """
    guessed = feature_logits(model, features, places.view_rows[:, :n_views]).argmax(axis=1)
    truth = places.view_targets
    points = truth[:, 1:].numpy()
    right = 100 * float((guessed == classes_of(truth).numpy()).mean())
    return {"right cell, %": right, **summarise_km(haversine_km(grid.centres[guessed], points))}


def cell_numbers(grid: Partition, points: ArrayLike) -> Tensor:
    """(N,) the cell of each of (N, 2) points, degrees: the one that holds it, or the nearest."""
    return torch.from_numpy(grid.index_of(grid.label(points)))


def _centred(grid: Partition, targets: Tensor) -> Partition:
    """The same cells, with the middle of their photos as centres where they have photos."""
    classes, points = classes_of(targets).numpy(), targets[:, 1:].numpy()
    centres = grid.centres.copy()
    for k in np.unique(classes):
        centres[k] = spherical_mean(points[classes == k])
    return Partition(grid.name, grid.table.assign(lat=centres[:, 0], lon=centres[:, 1]))


def _cell_photos(photos: PhotoList, grid: Partition, max_views: int) -> CellPhotos:
    if not photos.has_point.any():
        msg = f"Expected photos with coordinates, but none of {len(photos)} has any"
        raise ValueError(msg)
    placed = photos.only(photos.has_point)
    targets = located(placed.points, cell_numbers(grid, placed.points))
    records = placed.records
    headings = records.get("heading")
    order = np.arange(len(placed)) if headings is None else np.asarray(headings, dtype=float)
    views = group_views(list(place_keys(records)), order, limit=max_views)
    return CellPhotos(placed, targets, views)
