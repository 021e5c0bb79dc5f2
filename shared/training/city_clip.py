"""What the city CLIP learns: the cities of photos, their captions, and which are held out.

Degrees, `(lat, lon)`, kilometres.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.cities import cities_partition, nearest_city
from shared.countries import name_of
from shared.data_loader import stable_order
from shared.geo import Floats
from shared.partitions import Partition
from shared.processing.places import place_keys
from shared.training.caption_facts import part_of_country, place_facts, spoken
from shared.training.captions import FACT, PART, fill
from shared.training.inputs import PhotoList
from shared.training.targets import located

TEMPLATE = "a photo of {city} in {nation}"
# What coordinates and the country alone say, beside the names: an unseen city has them too.
PLACE_FACTS = ("continent", "near", "belt", "position")
CITY_FACTS = ("city", "nation", "region", "country", "part", *PLACE_FACTS)


def city_captions(cities: pd.DataFrame, template: str = TEMPLATE) -> list[str]:
    """The caption of each city of a table.

    Args:
        cities: of `shared.cities.city_table`.
        template: with `CITY_FACTS` in braces; a part in square brackets is left out where one of
            its facts is not known. `{city}`, `{nation}`, `{region}` and `{country}` are names;
            `{part}` (of the country: `"the south-east"`), `{near}` (neighbours among the table's
            countries), `{position}`, `{belt}` and `{continent}` are where it lies, in words that
            cities share (see `caption_facts`).

    Raises:
        ValueError: for another name in braces.
    """
    unknown = sorted(set(FACT.findall(template)) - set(CITY_FACTS))
    if unknown or any(c in FACT.sub("", PART.sub("", template)) for c in "[]{}"):
        msg = (
            f"Expected facts out of {CITY_FACTS} in braces and optional parts in square brackets, "
            f"but got {template!r} (unknown: {unknown})"
        )
        raise ValueError(msg)
    texts = [fill(template, facts) for facts in _told(cities)]
    if "" in texts:
        name = cities["name"].iloc[texts.index("")]
        msg = f"Expected facts for {template!r}, but one is not known of {name}: put it in brackets"
        raise ValueError(msg)
    return texts


def _told(cities: pd.DataFrame) -> Iterator[dict[str, str]]:
    """The facts of each city as they stand in a sentence: `in the United States`."""
    codes = [str(code) for code in cities["country"]]
    points = cities[["lat", "lon"]].to_numpy(dtype=np.float64)
    where = place_facts(points, codes, sorted(set(codes)), cities.index)[list(PLACE_FACTS)]
    parts = part_of_country(points, codes)
    rows = zip(cities.to_dict("records"), where.to_dict("records"), parts, strict=True)
    for row, place, part in rows:
        code, nation = str(row["country"]), str(row["nation"])
        country = spoken(code)
        nation = country if nation == name_of(code) else nation
        names = {"city": row["name"], "region": row["region"], "nation": nation, "country": country}
        told = {**names, **{str(key): text for key, text in place.items()}, "part": part}
        yield {name: str(text) for name, text in told.items()}


@dataclass(frozen=True)
class CityPhotos:
    """The photos of a list that belong to a city.

    Attributes:
        photos: those with coordinates, in a country of the table and near enough to a city.
        rows: (M,) the city of each, as rows of the table.
        away_km: (M,) how far off it lies.
        lost: how many photos belong to none.
    """

    photos: PhotoList
    rows: NDArray[np.intp]
    away_km: Floats
    lost: int

    @property
    def places(self) -> list[str]:
        """(M,) the place that each photo shows."""
        return [str(key) for key in place_keys(self.photos.records)]

    def only(self, chosen: NDArray[np.bool_]) -> "CityPhotos":
        """Some of them: (M,) yes or no for each."""
        return CityPhotos(self.photos.only(chosen), self.rows[chosen], self.away_km[chosen], 0)


def group_photos(photos: PhotoList, cities: pd.DataFrame, max_km: float = 0.0) -> CityPhotos:
    """Photos grouped to the nearest city of their own country.

    Args:
        photos: of a list.
        cities: of `shared.cities.city_table`, or of cells.
        max_km: photos farther from their city belong to none; 0: no limit.
    """
    placed = photos.only(photos.has_point)
    codes = placed.records.get("country_code")
    told = None if codes is None else [str(code) for code in codes]
    rows, away = nearest_city(cities, placed.points, told)
    is_near = (rows >= 0) & ((away <= max_km) if max_km else True)
    lost = len(photos) - int(is_near.sum())
    return CityPhotos(placed.only(is_near), rows[is_near], away[is_near], lost)


@dataclass(frozen=True)
class CityTargets:
    """The classes of a training, and its photos.

    Attributes:
        cities: all cities of the table.
        captions: (K,) of all of them.
        seen: rows of the cities that training photos belong to, held-out ones apart.
        held_out: rows of the cities whose photos are kept from the training.
        partition: the seen cities, the classes.
        train, validation: the photos of seen cities.
        train_targets, validation_targets: (M, 3) class, latitude, longitude.
        lost: of each list, photos that belong to no city, and to one that is not seen.
    """

    cities: pd.DataFrame
    captions: list[str]
    seen: NDArray[np.intp]
    held_out: NDArray[np.intp]
    partition: Partition
    train: CityPhotos
    validation: CityPhotos
    train_targets: Tensor
    validation_targets: Tensor
    lost: Mapping[str, tuple[int, int]]

    @property
    def seen_captions(self) -> list[str]:
        """The captions of the classes, in their order."""
        return [self.captions[row] for row in self.seen]

    @property
    def facts(self) -> dict[str, object]:
        """What a checkpoint says of it."""
        table = self.cities.astype(object).where(self.cities.notna(), None)
        return {
            "cities": table.to_dict("list"),
            "captions": self.captions,
            "seen": self.cities["code"].iloc[self.seen].tolist(),
            "held_out": self.cities["code"].iloc[self.held_out].tolist(),
        }

    @property
    def report(self) -> Iterator[str]:
        """Lines that say how many cities and photos there are."""
        told = Counter(self.cities["ranked"])
        how = ", ".join(f"{n} ranked by {what}" for what, n in told.items())
        yield f"{len(self.cities)} cities ({how}), {len(set(self.captions))} captions"
        yield f"{len(self.seen)} cities are seen in training, {len(self.held_out)} are held out"
        for name, part in (("training", self.train), ("validation", self.validation)):
            no_city, not_seen = self.lost[name]
            median = float(np.median(part.away_km)) if len(part.away_km) else float("nan")
            yield (
                f"{len(part.photos):,} {name} photos, {median:,.0f} km from their city in the "
                f"median; {no_city:,} belong to no city and {not_seen:,} to one not seen"
            )


def city_targets(
    train: PhotoList,
    validation: PhotoList,
    cities: pd.DataFrame,
    template: str = TEMPLATE,
    max_km: float = 0.0,
    held_out: float = 0.2,
    seed: int = 0,
) -> CityTargets:
    """The classes and photos of a training.

    Args:
        train: the photos to learn from.
        validation: the photos to choose the best epoch by.
        cities: the table.
        template: see `city_captions`.
        max_km: see `group_photos`.
        held_out: the share of the cities with training photos that are kept for the zero-shot
            test, chosen by code and seed.
        seed: of that choice.

    Raises:
        ValueError: when fewer than two cities are left.
    """
    if not 0 <= held_out < 1:
        msg = f"Expected held_out from 0 to below 1, but got {held_out}"
        raise ValueError(msg)
    parts = {"training": group_photos(train, cities, max_km)}
    parts["validation"] = group_photos(validation, cities, max_km)
    codes = [str(code) for code in cities["code"]]
    with_photos = np.unique(parts["training"].rows)
    order = stable_order([codes[row] for row in with_photos], seed)
    apart = set(order[: round(held_out * len(order))])
    is_apart = np.array([codes[row] in apart for row in with_photos], dtype=bool)
    seen = with_photos[~is_apart]
    if len(seen) < 2:
        msg = f"Expected photos of two cities or more to learn from, but got {len(seen)}"
        raise ValueError(msg)
    chosen = {name: part.only(np.isin(part.rows, seen)) for name, part in parts.items()}
    partition = cities_partition(cities.iloc[seen])
    lost = {name: (p.lost, len(p.rows) - len(chosen[name].rows)) for name, p in parts.items()}
    return CityTargets(
        cities,
        city_captions(cities, template),
        seen,
        with_photos[is_apart],
        partition,
        chosen["training"],
        chosen["validation"],
        class_targets(chosen["training"], seen),
        class_targets(chosen["validation"], seen),
        lost,
    )


def class_targets(photos: CityPhotos, seen: NDArray[np.intp]) -> Tensor:
    """(M, 3) class, latitude and longitude of photos of seen cities; `seen` is sorted."""
    classes = torch.from_numpy(np.searchsorted(seen, photos.rows).astype(np.int64))
    return located(photos.photos.points, classes)
