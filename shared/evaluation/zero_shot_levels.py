"""The names that zero-shot search chooses among: countries, regions, cities, and their prompts.

A level is a partition with prompts, and the row of each class's parent in the level above. Prompts
are templates of captions, filled with the facts of some gazetteer places of the class: no photo is
looked at, so countries without photos are told as the others are. Degrees `(lat, lon)`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.cities import cities_partition
from shared.gazetteer import gazetteer
from shared.partitions import Partition, countries_partition
from shared.training.caption_facts import plain_region
from shared.training.clip_prompts import (
    Facts,
    class_facts,
    country_prompts,
    prompts_of,
    some_places,
)


@dataclass(frozen=True)
class Level:
    """Classes of one kind, such as countries.

    Attributes:
        partition: the classes.
        prompts: of each class, one or more.
        parents: (K,) rows of the level above; none at the top.
    """

    partition: Partition
    prompts: list[list[str]]
    parents: NDArray[np.intp]

    def __len__(self) -> int:
        """The number of classes."""
        return len(self.partition)


def country_level(
    codes: Sequence[str],
    templates: Sequence[str],
    places: int = 8,
    seed: int = 0,
    more: Facts | None = None,
    polygons: gpd.GeoDataFrame | None = None,
) -> Level:
    """Countries, each told by the facts of some of its gazetteer places.

    Args:
        codes: the countries; they are also those that prompts may name as neighbours.
        templates: of captions (see `captions`): with facts in braces, optional parts in brackets.
        places: how many places of a country are told; each gives a prompt a template.
        seed: which places.
        more: facts to add or to change, by country.
        polygons: of `country_polygons`, for the partition; None: without.
    """
    prompts = country_prompts(codes, templates, places, seed, more)
    none = np.empty(0, dtype=np.intp)
    return Level(countries_partition(codes, polygons), _told(prompts, codes), none)


def region_level(
    regions: Partition,
    countries: Level,
    templates: Sequence[str],
    places: int = 2,
    seed: int = 0,
    more: Facts | None = None,
) -> Level:
    """The regions of the level of countries that hold a gazetteer place.

    Args:
        regions: all regions, with their countries.
        countries: the level above.
        templates: of captions.
        places: how many places of a region are told.
        seed: which places.
        more: facts to add or to change, by region or country.
    """
    codes = countries.partition.codes
    mine = regions.subset(
        [code for code, own in zip(regions.codes, regions.countries, strict=True) if own in codes]
    )
    table = gazetteer()
    table = table[table["cc"].isin(codes)].reset_index(drop=True)
    labels = mine.label(table[["lat", "lon"]].to_numpy(dtype=np.float64))
    holding = [code for code in mine.codes if code in set(labels)]
    kept = mine.subset(holding)
    prompts = []
    for code, name, country in zip(kept.codes, kept.names, kept.countries, strict=True):
        points = some_places(table[labels == code], places, seed)
        facts = class_facts(points, [country] * len(points), codes)
        facts["region"] = plain_region(name, code, country)
        facts = facts.assign(**_added(more, country, code))
        prompts.append(prompts_of(templates, facts))
    return Level(kept, _told(prompts, kept.codes), countries.partition.index_of(kept.countries))


def city_level(
    cities: pd.DataFrame,
    regions: Level,
    templates: Sequence[str],
    more: Facts | None = None,
) -> Level:
    """The cities that lie in the level of regions.

    Args:
        cities: of `city_table`.
        regions: the level above.
        templates: of captions.
        more: facts to add or to change, by city or country.
    """
    above = regions.partition
    labels = above.label(cities[["lat", "lon"]].to_numpy(dtype=np.float64))
    parents = above.index_of(labels)
    own = np.asarray(above.countries, dtype=object)[parents] == cities["country"].to_numpy(object)
    kept = cities[own].reset_index(drop=True)
    parents = parents[own]
    points = kept[["lat", "lon"]].to_numpy(dtype=np.float64)
    facts = class_facts(points, list(kept["country"]), sorted(set(above.countries)))
    facts["city"] = kept["name"].to_numpy(dtype=object)
    facts["region"] = [
        plain_region(above.names[row], above.codes[row], above.countries[row]) for row in parents
    ]
    prompts = []
    for row, (code, country) in enumerate(zip(kept["code"], kept["country"], strict=True)):
        prompts.append(
            prompts_of(templates, facts.iloc[[row]].assign(**_added(more, country, code)))
        )
    return Level(cities_partition(kept), _told(prompts, list(kept["code"])), parents)


def _added(more: Facts | None, *keys: str) -> dict[str, str]:
    """The facts that are to be added, of each key; later ones replace earlier ones."""
    found: dict[str, str] = {}
    for key in keys:
        found |= dict((more or {}).get(key, {}))
    return found


def _told(prompts: list[list[str]], codes: Sequence[str]) -> list[list[str]]:
    """The prompts, once each class has one.

    Raises:
        ValueError: when no template can be filled for a class.
    """
    if without := [code for code, texts in zip(codes, prompts, strict=True) if not texts]:
        msg = (
            f"Expected a template that can be filled for each class, but {without[:5]} lack facts "
            "of all of them: put what may be missing in square brackets"
        )
        raise ValueError(msg)
    return prompts
