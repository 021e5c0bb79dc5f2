"""The regions of photos: a table beside the processed records, and the partition that it names.

Degrees `(lat, lon)`, kilometres. `2-data-processing/2-enrich/regions.ipynb` writes both.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray

from shared.data_loader import Pair, read_records
from shared.geo import Floats
from shared.partitions import Partition
from shared.paths import data_folder, shown

STAGE = "2-data-processing/2-enrich"
NOTEBOOK = f"{STAGE}/regions"
N_NEAREST = 5
POLYGON, NEAREST_POLYGON, NEAREST_PLACE = "polygon", "nearest polygon", "nearest place"
COLUMNS = [
    "region_code",
    "region_name",
    "region_country",
    "region_distance_km",
    "region_from",
    "nearest",
    "nearest_km",
]


def regions_folder(dataset: str) -> Path:
    """Where the regions of a data set are: `partition.parquet` and `regions.parquet`."""
    return data_folder(STAGE, dataset) / "regions"


def load_regions(dataset: str) -> tuple[Partition, pd.DataFrame]:
    """The regions that the notebook wrote.

    Args:
        dataset: the folder of data-lists/.

    Returns:
        The partition of all regions, and the table of `label_regions`. Photos without coordinates
        are not in it.

    Raises:
        FileNotFoundError: when the notebook has not run.
    """
    folder = regions_folder(dataset)
    for name in ("partition.parquet", "regions.parquet"):
        if not (folder / name).exists():
            msg = f"Expected {shown(folder / name)}: run {NOTEBOOK}"
            raise FileNotFoundError(msg)
    table = pd.read_parquet(folder / "regions.parquet")
    return Partition.load(folder / "partition.parquet"), table


def save_regions(dataset: str, partition: Partition, table: pd.DataFrame) -> list[Path]:
    """Write what `load_regions` reads, each file under its name only when it is whole."""
    folder = regions_folder(dataset)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "partition.parquet", folder / "regions.parquet"]
    partition.save(paths[0])
    temporary = paths[1].with_name(f"{paths[1].name}.{os.getpid()}.part")
    table.to_parquet(temporary)
    temporary.replace(paths[1])
    return paths


def located_points(pairs: Sequence[Pair]) -> pd.DataFrame:
    """The coordinates of raw records: `lat, lon`, degrees, by id, in the order of the pairs.

    Records that cannot be read, without coordinates, or with (0, 0), as scrapers write what they
    do not know, are left out: `countries.ipynb` counts these.
    """
    table = read_records(pairs, skip_broken=True)
    if "lat" not in table.columns:
        return pd.DataFrame({"lat": [], "lon": []}, index=table.index[:0], dtype=float)
    points = table[["lat", "lon"]].dropna()
    return points[(points != 0).any(axis=1)]


def label_regions(partition: Partition, points: pd.DataFrame) -> pd.DataFrame:
    """The region of each point, how it is known, and the regions around.

    Args:
        partition: the regions.
        points: `lat`, `lon`, degrees, indexed by id.

    Returns:
        A table with the same index: `region_code, region_name, region_country`;
        `region_distance_km`, 0 inside a polygon; `region_from`: `"polygon"`, `"nearest polygon"`
        or `"nearest place"`; `nearest`, the codes of the five nearest regions (all, where there
        are fewer), the nearest first, and `nearest_km`, their distances.
    """
    array = points[["lat", "lon"]].to_numpy(dtype=float)
    near, near_km = partition.nearest(array, min(N_NEAREST, len(partition)))
    rows, distance_km = near[:, 0], np.round(near_km[:, 0], 3)
    codes = np.asarray(partition.codes, dtype=object)
    return pd.DataFrame(
        {
            "region_code": codes[rows],
            "region_name": np.asarray(partition.names, dtype=object)[rows],
            "region_country": np.asarray(partition.countries, dtype=object)[rows],
            "region_distance_km": distance_km,
            "region_from": _sources(partition, rows, near_km[:, 0]),
            "nearest": list(codes[near]),
            "nearest_km": list(np.round(near_km, 3)),
        },
        index=points.index,
        columns=COLUMNS,
    )


def _sources(
    partition: Partition, rows: NDArray[np.intp], distance_km: Floats
) -> NDArray[np.object_]:
    has_polygon = shapely.get_dimensions(partition.table.geometry.to_numpy())[rows] == 2
    inside = np.where(distance_km == 0, POLYGON, NEAREST_POLYGON)
    sources: NDArray[np.object_] = np.where(has_polygon, inside, NEAREST_PLACE).astype(object)
    return sources
