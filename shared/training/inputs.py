"""What a training reads: its two lists, the records of their photos, and their decoded pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from shared.data_loader import (
    Pair,
    list_digest,
    load_pairs,
    processed_store,
    read_records,
    stable_order,
)
from shared.paths import data_folder
from shared.training import distributed
from shared.training.batches import Split
from shared.training.images import Bytes, Preprocessing, cache_images

STEPS = ("5-split-train", "5-split-validation")


@dataclass(frozen=True)
class PhotoList:
    """Photos of a pinned list: all of them, or some.

    Attributes:
        pairs: all pairs of the list, in order.
        digest: the list's digest.
        records: the records of the chosen photos, by id.
        rows: (M,) the chosen photos as rows of the list; None for all.
    """

    pairs: Sequence[Pair]
    digest: str
    records: pd.DataFrame
    rows: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """The number of chosen photos."""
        return len(self.records)

    @property
    def points(self) -> NDArray[np.float64]:
        """(M, 2) latitudes and longitudes of the chosen photos, degrees; NaN where unknown."""
        columns = {n: self.records.get(n, np.full(len(self), np.nan)) for n in ("lat", "lon")}
        return np.column_stack([np.asarray(c, dtype=np.float64) for c in columns.values()])

    @property
    def has_point(self) -> NDArray[np.bool_]:
        """(M,) whether a photo's coordinates are known."""
        return np.asarray(np.isfinite(self.points).all(axis=1))

    def only(self, chosen: ArrayLike) -> "PhotoList":
        """Some of the photos: (M,) yes or no for each, or their numbers."""
        where = np.asarray(chosen)
        where = np.flatnonzero(where) if where.dtype == bool else where.astype(np.int64)
        rows = where if self.rows is None else self.rows[where]
        return replace(self, records=self.records.iloc[where], rows=rows)

    def first(self, n: int, seed: int) -> "PhotoList":
        """The first n photos of an order that follows from ids and seed, in the list's own order.

        More photos contain fewer: those of n are among those of n + 1.

        Args:
            n: how many; 0 for all.
            seed: gives the order.

        Raises:
            ValueError: when there are fewer.
        """
        if n == 0:
            return self
        if not 0 < n <= len(self):
            msg = f"Expected train_photos from 1 to {len(self)}, or 0 for all of them, but got {n}"
            raise ValueError(msg)
        chosen = set(stable_order(list(self.records.index), seed)[:n])
        return self.only(self.records.index.isin(chosen))

    def split(self, images: Bytes, targets: Tensor) -> Split:
        """The chosen photos with their targets.

        Args:
            images: the pixels of the whole list.
            targets: (M, ...) of the chosen photos.
        """
        return Split(images, targets, self.rows)


@dataclass(frozen=True)
class Lists:
    """The training list, of which some photos may be chosen, and the validation list, whole."""

    train: PhotoList
    validation: PhotoList

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each list, by its step."""
        return dict(zip(STEPS, (self.train.digest, self.validation.digest), strict=True))

    def decode(
        self, preprocessing: Preprocessing, dataset: str, processes: int
    ) -> tuple[Bytes, Bytes]:
        """The pixels of all photos of both lists, decoded now or opened (see `cache_images`)."""
        folder = data_folder("3-training", dataset) / "cache"
        with distributed.one_process_first():
            train, validation = (
                cache_images(part.pairs, preprocessing, part.digest, folder, processes or None)
                for part in (self.train, self.validation)
            )
        return train, validation


def read_lists(dataset: str, train_photos: int, seed: int) -> Lists:
    """The photos to learn from and those to choose the best epoch by.

    Args:
        dataset: the data set.
        train_photos: how many of the training photos are used; 0 for all. The validation list is
            whole in any case, so that models of several sizes can be compared on it.
        seed: chooses them.
    """
    store = processed_store(dataset)
    parts = []
    for step in STEPS:
        with distributed.one_process_first():
            pairs = load_pairs(dataset, step, store)
        parts.append(PhotoList(pairs, list_digest(dataset, step), read_records(pairs)))
    return Lists(parts[0].first(train_photos, seed), parts[1])


def facts_of(train: PhotoList, validation: PhotoList, **more: object) -> Mapping[str, object]:
    """What a checkpoint says of the photos it learned from, and `more`."""
    counts = {"training_photos": len(train), "validation_photos": len(validation)}
    return {**counts, **more}


def output_folder(dataset: str, task: str, run: str) -> Path:
    """Where a training writes: a folder of its task, or one of a run that has a name of its own.

    Raises:
        ValueError: for a name that leads out of the folder of runs.
    """
    if Path(run).is_absolute() or ".." in Path(run).parts:
        msg = f"Expected run to be a name, or names with / between them, but got {run!r}"
        raise ValueError(msg)
    folder = data_folder("3-training", dataset)
    return folder / "runs" / run if run else folder / task
