"""What it costs to merge small regions or to leave them out: reach and oracle error, kilometres."""

from collections.abc import Iterable, Sequence

import pandas as pd

from shared.partitions import Partition
from shared.processing.partition_quality import PartitionQuality, partition_quality
from shared.processing.region_classes import HOW, RegionClasses, region_classes


def class_quality(
    classes: RegionClasses,
    train: pd.DataFrame,
    test: pd.DataFrame,
    name: str = "",
    centres: str = "photos",
    with_areas: bool = True,
) -> PartitionQuality:
    """The quality of a model's classes, for photos whose regions are known.

    Args:
        classes: which regions are classes, and where the others went.
        train: the training photos: `lat`, `lon` (degrees) and `region_code`.
        test: the same of the test photos.
        name: what to call it.
        centres: the point that stands for a class, as `partition_quality` has it.
        with_areas: the same.
    """
    return partition_quality(
        classes.partition,
        train,
        test,
        name=name,
        centres=centres,
        train_codes=[classes.moved.get(code, "") for code in train["region_code"]],
        test_codes=[classes.moved.get(code, "") for code in test["region_code"]],
        with_areas=with_areas,
    )


def reach_table(
    regions: Partition,
    train: pd.DataFrame,
    test: pd.DataFrame,
    limits: Iterable[int],
    hows: Sequence[str] = HOW,
    centres: str = "photos",
    max_km: float = 500.0,
) -> pd.DataFrame:
    """What is lost by asking for so many training photos a class.

    Args:
        regions: all regions.
        train: the training photos: `lat`, `lon` (degrees) and `region_code`.
        test: the same of the test photos.
        limits: training photos that a class must have; those that no region has are passed over.
        hows: what becomes of regions with fewer, as `region_classes` has it.
        centres: the point that stands for a class, as `partition_quality` has it.
        max_km: how far off the neighbour may lie that a region is merged into, km.

    Returns:
        A row for each way and limit: classes, the shares of test photos in a class of their own,
        named as a neighbour and without a class, and the oracle error.
    """
    most = int(train["region_code"].value_counts().max())
    settings = [(how, n) for how in hows for n in sorted(set(limits)) if n <= most]
    return pd.DataFrame(
        _reach(region_classes(regions, train["region_code"], n, how, max_km), train, test, centres)
        for how, n in settings
    )


def _reach(
    classes: RegionClasses, train: pd.DataFrame, test: pd.DataFrame, centres: str
) -> dict[str, object]:
    reach = classes.reach(test["region_code"])
    summary = class_quality(classes, train, test, centres=centres, with_areas=False).summary()
    share = 100 / max(reach["photos"], 1)
    return {
        "how": classes.how,
        "photos at least": classes.min_photos,
        "classes": len(classes.partition),
        "in their own class, %": share * reach["own_class"],
        "named as a neighbour, %": share * reach["merged"],
        "no class, %": share * reach["no_class"],
        "oracle median, km": summary["oracle median, km"],
        "oracle mean, km": summary["oracle mean, km"],
    }
