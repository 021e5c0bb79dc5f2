"""Which regions become classes of a model, what becomes of the others, and what that costs.

Only regions of the training photos can be classes. Those with too few photos are merged into a
neighbour of their country, or left out; either way some photos can no longer be named exactly.
Degrees `(lat, lon)`, kilometres.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import shapely
from numpy.typing import NDArray

from shared.areas import centroids, inner_points
from shared.boundaries import CRS
from shared.geo import Floats, haversine_km
from shared.partitions import Partition

HOW = ("merge", "leave out")
TOUCHING_KM = 5.0  # regions so close are neighbours: of several, the one with the nearest centre
MAX_OUTLINE_PLACES = 200  # of a region whose neighbours are looked for


@dataclass(frozen=True)
class RegionClasses:
    """The classes of a region model, and where each region went.

    Attributes:
        partition: the classes, in the order of their codes; a class that took in others has
            their areas, too, and the middle of them all.
        moved: the class of each region that has one, by the region's code; a class's own code
            among them.
        counts: training photos of each region, by code.
        min_photos: what a class must have.
        how: what became of regions with fewer: "merge" or "leave out".
    """

    partition: Partition
    moved: dict[str, str]
    counts: dict[str, int]
    min_photos: int
    how: str

    def classes_of(self, codes: Iterable[str]) -> NDArray[np.int64]:
        """The rows of the classes of region codes; -1 for a region without a class."""
        return self.partition.index_of([self.moved.get(code, "") for code in codes])

    def reach(self, codes: Iterable[str]) -> dict[str, int | float]:
        """What a perfect classifier could still name, of photos in these regions.

        Args:
            codes: the region of each photo.

        Returns:
            `photos`; `own_class`, those whose region is a class of its own or gave it its name;
            `merged`, those named as a neighbour; `no_class`, those that cannot be named;
            `share_named`, of all; `regions` and `regions_without_class`, how many of them.
        """
        counts = Counter(codes)
        total = sum(counts.values())
        own = sum(n for code, n in counts.items() if self.moved.get(code) == code)
        named = sum(n for code, n in counts.items() if code in self.moved)
        return {
            "photos": total,
            "own_class": own,
            "merged": named - own,
            "no_class": total - named,
            "share_named": named / total if total else float("nan"),
            "regions": len(counts),
            "regions_without_class": sum(code not in self.moved for code in counts),
        }


def region_classes(
    partition: Partition,
    codes: Iterable[str],
    min_photos: int = 1,
    how: str = "merge",
    max_km: float = 500.0,
) -> RegionClasses:
    """The classes of a model.

    The smallest region goes first, into the nearest of the regions of its country that have
    training photos (of those that touch it, the one with the nearest centre), which may itself be
    small and go on. One that finds none within `max_km` is left out.

    Args:
        partition: all regions.
        codes: the region of each training photo.
        min_photos: how many training photos a class must have, at least 1.
        how: `"merge"` or `"leave out"`.
        max_km: how far the area of a neighbour may lie off, km.

    Raises:
        ValueError: for a setting out of range, a code that is no region, or when no class is left.
    """
    counts = dict(sorted(Counter(codes).items()))
    _check(partition, counts, min_photos, how, max_km)
    small = [code for code, count in counts.items() if count < min_photos]
    if how == "merge":
        into = _merged(partition, counts, min_photos, max_km)
    else:
        into = {code: code for code in counts if code not in small}
    if not into:
        msg = f"Expected a region with at least {min_photos} training photos, but none has"
        raise ValueError(msg)
    return RegionClasses(_joined(partition, into), into, counts, min_photos, how)


def _check(
    partition: Partition, counts: Mapping[str, int], min_photos: int, how: str, max_km: float
) -> None:
    unknown = sorted(set(counts) - set(partition.codes))
    faults = [
        (min_photos >= 1, f"min_photos of at least 1, but got {min_photos}"),
        (how in HOW, f"how to be one of {HOW}, but got {how!r}"),
        (max_km >= 0, f"max_km of at least 0, but got {max_km}"),
        (not unknown, f"codes of {partition.name!r} ({len(partition)}), but got {unknown[:5]}"),
    ]
    for is_good, expected in faults:
        if not is_good:
            msg = f"Expected {expected}"
            raise ValueError(msg)


def _merged(
    partition: Partition, counts: Mapping[str, int], min_photos: int, max_km: float
) -> dict[str, str]:
    """The class of each region that has one."""
    into: dict[str, str] = {}
    photographed = partition.subset(counts)
    countries = np.asarray(photographed.countries, dtype=object)
    for country in sorted(set(countries)):
        own = photographed.subset(np.asarray(photographed.codes)[countries == country])
        number = np.asarray([counts[code] for code in own.codes])
        # Regions of no known country have no neighbours inside one.
        distance_km = _distances_km(own, number < min_photos) if country else None
        into |= _merged_country(own, number, distance_km, min_photos, max_km)
    return dict(sorted(into.items()))


def _merged_country(
    own: Partition,
    number: NDArray[np.int64],
    distance_km: Floats | None,
    min_photos: int,
    max_km: float,
) -> dict[str, str]:
    group = np.arange(len(own))  # the region that stands for each region
    photos = number.astype(np.int64).copy()
    lost: set[int] = set()
    while True:
        heads = [k for k in np.unique(group) if k not in lost]
        small = [k for k in heads if photos[k] < min_photos]
        if not small:
            break
        k = min(small, key=lambda head: (photos[head], head))
        target = _neighbour(own, k, heads, group, distance_km, max_km)
        if target is None:
            lost.add(k)
            continue
        group[group == k] = target
        photos[target] += photos[k]
    codes = own.codes
    return {codes[row]: codes[head] for row, head in enumerate(group) if head not in lost}


def _neighbour(
    own: Partition,
    k: int,
    heads: list[int],
    group: NDArray[np.intp],
    distance_km: Floats | None,
    max_km: float,
) -> int | None:
    """The class nearest to one: by area, of those that touch it by centre."""
    others = [head for head in heads if head != k]
    if distance_km is None or not others:
        return None
    members = np.flatnonzero(group == k)
    gap_km = {h: distance_km[np.ix_(members, np.flatnonzero(group == h))].min() for h in others}
    least = min(gap_km.values())
    if least > max_km:
        return None
    touching = [h for h in others if gap_km[h] <= max(least, TOUCHING_KM)]
    centres = own.centres
    centre_km = haversine_km(centres[k], centres[touching])
    return touching[int(np.argmin(centre_km))]


def _distances_km(own: Partition, is_small: NDArray[np.bool_]) -> Floats:
    """(K, K) distances between the areas of regions, km; infinite where neither is small."""
    distance_km = np.full((len(own), len(own)), np.inf)
    for k in np.flatnonzero(is_small):
        places = shapely.get_coordinates(own.table.geometry.iloc[k])[:, ::-1]
        places = places if len(places) else own.centres[[k]]
        step = max(1, len(places) // MAX_OUTLINE_PLACES)
        rows, km = own.nearest(places[::step], len(own))
        np.minimum.at(distance_km[k], rows.ravel(), km.ravel())
    least: Floats = np.minimum(distance_km, distance_km.T)
    return least


def _joined(partition: Partition, into: Mapping[str, str]) -> Partition:
    """The partition of the classes: areas joined, their middles taken anew where they grew."""
    members: dict[str, list[str]] = {}
    for code, head in into.items():
        members.setdefault(head, []).append(code)
    classes = partition.subset(sorted(members))
    shapes = dict(zip(partition.codes, partition.table.geometry, strict=True))
    grown = [row for row, code in enumerate(classes.codes) if len(members[code]) > 1]
    if not grown:
        return classes
    table = classes.table.copy()
    geometry = table.geometry.to_numpy().copy()
    for row in grown:
        shape = shapely.union_all([shapes[code] for code in members[classes.codes[row]]])
        geometry[row] = None if shape.is_empty else shape
    grown = [row for row in grown if geometry[row] is not None]
    centres = centroids(geometry[grown])
    table.loc[grown, ["lat", "lon"]] = centres
    if "inner_lat" in table.columns:
        table.loc[grown, ["inner_lat", "inner_lon"]] = inner_points(geometry[grown], centres)
    table["geometry"] = gpd.GeoSeries(geometry, index=table.index, crs=CRS)
    return Partition(partition.name, gpd.GeoDataFrame(table, geometry="geometry", crs=CRS))
