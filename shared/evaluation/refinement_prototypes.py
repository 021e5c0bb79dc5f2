"""Prototypes: groups of training places within a cell, each with the mean of its embeddings.

Degrees `(lat, lon)`. After PIGEON (Haas et al. 2023): within each cell places are clustered by
where they lie; noise is dropped, and cells with too few places, or nothing but noise, are one
cluster. A prototype is the mean embedding of a cluster, and keeps its members.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from tqdm import tqdm

from shared.data_loader.files import write_with
from shared.geo import Floats, check_points
from shared.processing.geocells_cluster import HDBSCAN_NAME, OPTICS_NAME, Trial, clusters

Embeddings = NDArray[np.float32]
Rows = NDArray[np.int64]

# Published: OPTICS with so many samples and this steepness, for street views and for Flickr photos.
PIGEON_CLUSTERS = Trial(OPTICS_NAME, 3, 0.15)
PIGEOTTO_CLUSTERS = Trial(OPTICS_NAME, 100, 0.1)
FAST_CLUSTERS = Trial(HDBSCAN_NAME, 3)


@dataclass(frozen=True)
class Prototypes:
    """Clusters of training places, ordered by cell.

    Attributes:
        vectors: (P, D) mean embeddings of the clusters.
        cells: (P,) the cell of each, ascending.
        starts: (P + 1,) where each cluster's members begin in `members`.
        members: (M,) rows of the training places, cluster by cluster.
        embeddings: (N, D) of the training places.
        points: (N, 2) where these lie, degrees.
        n_cells: how many cells there are; some may have no prototype.
    """

    vectors: Embeddings = field(repr=False)
    cells: Rows = field(repr=False)
    starts: Rows = field(repr=False)
    members: Rows = field(repr=False)
    embeddings: Embeddings = field(repr=False)
    points: Floats = field(repr=False)
    n_cells: int

    def __len__(self) -> int:
        """The number of prototypes."""
        return len(self.vectors)

    def members_of(self, prototype: int) -> Rows:
        """The rows of a prototype's training places."""
        return self.members[self.starts[prototype] : self.starts[prototype + 1]]

    @cached_property
    def cell_of_place(self) -> Rows:
        """(N,) the cell of each training place; -1 for one that is in no cluster (noise)."""
        cells = np.full(len(self.points), -1, dtype=np.int64)
        cells[self.members] = np.repeat(self.cells, np.diff(self.starts))
        return cells

    def save(self, path: Path) -> None:
        """Write them as one safetensors file, whole or not at all."""
        arrays: dict[str, NDArray[Any]] = {
            "vectors": self.vectors,
            "cells": self.cells,
            "starts": self.starts,
            "members": self.members,
            "embeddings": self.embeddings,
            "points": self.points,
            "n_cells": np.asarray([self.n_cells], dtype=np.int64),
        }
        write_with(path, lambda temporary: save_file(arrays, temporary))

    @classmethod
    def load(cls, path: Path) -> "Prototypes":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: when there is no such file.
        """
        if not path.exists():
            msg = f"Expected prototypes at {path}: make them with `fit_prototypes`, and save them"
            raise FileNotFoundError(msg)
        arrays = load_file(path)
        return cls(n_cells=int(arrays.pop("n_cells")[0]), **arrays)


def fit_prototypes(
    embeddings: Embeddings,
    points: Floats,
    cells: Rows,
    n_cells: int,
    trial: Trial = FAST_CLUSTERS,
) -> Prototypes:
    """Cluster the training places of each cell.

    Args:
        embeddings: (N, D) of the training places.
        points: (N, 2) latitudes and longitudes, degrees.
        cells: (N,) the cell of each, 0 to `n_cells` - 1; -1: none, it is left out.
        n_cells: how many cells there are.
        trial: how clusters are found: `PIGEON_CLUSTERS`, `PIGEOTTO_CLUSTERS` or `FAST_CLUSTERS`.

    Raises:
        ValueError: when shapes differ, or a cell is out of range.
    """
    array = check_points(points).reshape(-1, 2)
    rows = np.asarray(cells, dtype=np.int64)
    vectors = np.ascontiguousarray(embeddings, dtype=np.float32)
    if vectors.ndim != 2 or not len(vectors) == len(array) == len(rows):
        msg = (
            f"Expected embeddings (N, D), points (N, 2) and cells (N,), but got {vectors.shape}, "
            f"{array.shape} and {rows.shape}"
        )
        raise ValueError(msg)
    if len(rows) and not -1 <= rows.min() <= rows.max() < n_cells:
        msg = f"Expected cells from -1 to {n_cells - 1}, but got {rows.min()} to {rows.max()}"
        raise ValueError(msg)
    groups, owners = [], []
    order = np.argsort(rows, kind="stable")
    cuts = np.searchsorted(rows[order], np.arange(n_cells + 1))
    for cell in tqdm(range(n_cells), desc="prototypes", unit="cell", delay=2):
        members = order[cuts[cell] : cuts[cell + 1]]
        found = _clusters_of(array[members], trial)
        groups += [members[found == label] for label in range(found.max(initial=-1) + 1)]
        owners += [cell] * (found.max(initial=-1) + 1)
    means = [vectors[group].mean(axis=0, dtype=np.float64) for group in groups]
    return Prototypes(
        np.asarray(means, dtype=np.float32).reshape(len(groups), vectors.shape[1]),
        np.asarray(owners, dtype=np.int64),
        np.cumsum([0, *map(len, groups)]).astype(np.int64),
        np.concatenate(groups).astype(np.int64) if groups else np.empty(0, dtype=np.int64),
        vectors,
        array,
        n_cells,
    )


def _clusters_of(places: Floats, trial: Trial) -> Rows:
    """(n,) the cluster of each of a cell's places, -1: noise; one cluster where none is found."""
    if len(places) < max(trial.min_samples, 2):
        return np.zeros(len(places), dtype=np.int64)
    found = clusters(places, trial, trial.min_samples).astype(np.int64)
    return found if found.max() >= 0 else np.zeros(len(places), dtype=np.int64)
