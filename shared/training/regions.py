"""What the region task learns: one class for each region with enough training photos.

The regions of photos are a table that `2-data-processing/2-enrich/regions.ipynb` writes. Degrees,
`(lat, lon)`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from shared.geo import spherical_mean
from shared.manifest import fingerprint
from shared.partitions import Partition
from shared.processing.region_classes import RegionClasses, region_classes
from shared.processing.regions import load_regions, regions_folder
from shared.training.inputs import PhotoList
from shared.training.targets import classes_of, located

SMALL = {"merge": "merge", "leave-out": "leave out"}  # the parameter, and its name in `processing`
CENTRES = ("photos", "area")


@dataclass(frozen=True)
class Regions:
    """All regions, the region of each photo, and the files that say so."""

    partition: Partition
    table: pd.DataFrame
    files: list[Path]
    facts: dict[str, object] = field(repr=False)


@dataclass(frozen=True)
class RegionTargets:
    """The classes, and the class and point of each photo that has one.

    Attributes:
        classes: which regions are classes, and where the others went.
        partition: the classes; their centres are the points that a guess of the class stands for.
        train, validation: the photos that have a class.
        train_targets, validation_targets: (M, 3) class, latitude, longitude.
        reach: of each part, what a perfect classifier could name (`RegionClasses.reach`), and
            `without_region`: photos that have no coordinates, hence no region.
    """

    classes: RegionClasses
    partition: Partition
    train: PhotoList
    validation: PhotoList
    train_targets: Tensor
    validation_targets: Tensor
    reach: dict[str, dict[str, int | float]]

    @property
    def facts(self) -> dict[str, object]:
        """What a checkpoint says of it: which class each region went to, and what is in reach."""
        return {"moved": self.classes.moved, "reach": self.reach}

    @property
    def report(self) -> Iterator[str]:
        """Lines that say how many photos and regions there are, and what is out of reach."""
        yield f"{len(self.partition)} classes"
        for name, part, reach in (
            ("training", self.train, self.reach["train"]),
            ("validation", self.validation, self.reach["validation"]),
        ):
            yield (
                f"{len(part):,} {name} photos have a class; {reach['without_region']:,} have no "
                f"coordinates, {reach['no_class']:,} lie in {reach['regions_without_class']} "
                f"regions without a class, {reach['merged']:,} are named as a neighbour"
            )


def read_regions(dataset: str) -> Regions:
    """The regions of a data set's photos.

    Raises:
        FileNotFoundError: when `2-data-processing/2-enrich/regions` has not run.
    """
    partition, table = load_regions(dataset)
    files = [regions_folder(dataset) / name for name in ("partition.parquet", "regions.parquet")]
    digests: dict[str, object] = {path.stem: fingerprint(path).digest for path in files}
    return Regions(partition, table, files, {"region_files": digests})


def region_targets(
    train: PhotoList,
    validation: PhotoList,
    regions: Regions,
    min_photos: int,
    small: str,
    centres: str,
) -> RegionTargets:
    """The classes of the region task.

    Args:
        train: the training photos.
        validation: the validation photos.
        regions: of all photos that have coordinates.
        min_photos: how many training photos a class must have.
        small: what becomes of regions with fewer: `"merge"` or `"leave-out"`.
        centres: the point of a class: the middle of its training `"photos"`, so that a guess of
            the class lies where its photos are, or of its `"area"`.

    Raises:
        ValueError: for another choice, or when fewer than two classes are left.
    """
    if small not in SMALL or centres not in CENTRES:
        msg = (
            f"Expected small_regions out of {tuple(SMALL)} and centres out of {CENTRES}, but got "
            f"{small!r} and {centres!r}"
        )
        raise ValueError(msg)
    parts = {"train": _with_region(train, regions), "validation": _with_region(validation, regions)}
    codes = {name: list(regions.table["region_code"][p.records.index]) for name, p in parts.items()}
    classes = region_classes(regions.partition, codes["train"], min_photos, SMALL[small])
    if len(classes.partition) < 2:
        msg = f"Expected two classes or more, but min_photos={min_photos} leaves one"
        raise ValueError(msg)
    chosen: dict[str, PhotoList] = {}
    targets: dict[str, Tensor] = {}
    reach: dict[str, dict[str, int | float]] = {}
    for name, part in parts.items():
        rows = classes.classes_of(codes[name])
        chosen[name] = part.only(rows >= 0)
        targets[name] = located(chosen[name].points, torch.from_numpy(rows[rows >= 0]))
        whole = train if name == "train" else validation
        lost = len(whole) - len(part)
        reach[name] = {**classes.reach(codes[name]), "without_region": lost}
    partition = classes.partition
    if centres == "photos":
        partition = centred_on(partition, targets["train"])
    return RegionTargets(
        classes,
        partition,
        chosen["train"],
        chosen["validation"],
        targets["train"],
        targets["validation"],
        reach,
    )


def centred_on(partition: Partition, targets: Tensor) -> Partition:
    """The same classes, with the middle of their photos as centres.

    Args:
        partition: the classes; each has a photo.
        targets: (M, 3) class, latitude, longitude.
    """
    classes, points = classes_of(targets).numpy(), targets[:, 1:].numpy()
    middles = np.stack([spherical_mean(points[classes == k]) for k in range(len(partition))])
    table = partition.table.assign(lat=middles[:, 0], lon=middles[:, 1])
    return Partition(partition.name, table)


def _with_region(photos: PhotoList, regions: Regions) -> PhotoList:
    return photos.only(photos.has_point & photos.records.index.isin(regions.table.index))
