"""What the country task learns: one class for each country that has training photos."""

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.partitions import Partition, countries_partition


@dataclass(frozen=True)
class CountryTargets:
    """The classes, and the class of each photo.

    Attributes:
        partition: the countries of the training photos, by code; a country's centre is the middle
            of its training photos, or of its gazetteer places where none has coordinates.
        train: (N,) the class of each training photo.
        rows: (M,) the validation photos that have a class, as rows of their table.
        validation: (M,) their classes.
        unknown: how many validation photos there are of each country without training photos.
    """

    partition: Partition
    train: Tensor
    rows: NDArray[np.int64]
    validation: Tensor
    unknown: dict[str, int]


def country_targets(
    train: pd.DataFrame, validation: pd.DataFrame, polygons: gpd.GeoDataFrame | None = None
) -> CountryTargets:
    """The classes of the country task.

    Args:
        train: records of the training photos, with `country_code`, and `lat` and `lon` (degrees)
            where there are some.
        validation: records of the validation photos.
        polygons: the countries' polygons, with `code` and `geometry`, or None.

    Raises:
        ValueError: when a record names no country, or there is but one country.
    """
    for name, table in (("training", train), ("validation", validation)):
        if "country_code" not in table.columns or table["country_code"].isna().any():
            msg = (
                f"Expected a country_code in each {name} record, but some have none: "
                "2-data-processing/2-enrich writes it"
            )
            raise ValueError(msg)
    classes = sorted(set(train["country_code"]))
    if len(classes) < 2:
        msg = f"Expected training photos of two countries or more, but found {classes}"
        raise ValueError(msg)
    partition = countries_partition(classes, polygons, _located(train))
    found = partition.index_of(validation["country_code"])
    rows = np.flatnonzero(found >= 0)
    missing = validation["country_code"].to_numpy()[found < 0]
    return CountryTargets(
        partition,
        torch.from_numpy(partition.index_of(train["country_code"])),
        rows,
        torch.from_numpy(found[rows]),
        {str(code): int(n) for code, n in pd.Series(missing).value_counts().sort_index().items()},
    )


def _located(records: pd.DataFrame) -> pd.DataFrame | None:
    if not {"lat", "lon"} <= set(records.columns):
        return None
    return records.rename(columns={"country_code": "code"})[["code", "lat", "lon"]]
