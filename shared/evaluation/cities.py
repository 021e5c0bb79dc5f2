"""The cities, told by text: the figures of restricted geoclip's three protocols, and ours.

A protocol is a list of cities: the largest city of each cell of a grid, the 150 largest cities, or
the 50 largest. A photo's true class is the city that it is grouped to. The same model is asked in
each protocol: what it is told among is nothing but a list of captions.
Degrees, `(lat, lon)`, kilometres.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from torch import Tensor

from shared.boundaries import CRS, world_outlines
from shared.cities import cities_of_cells, cities_partition, city_table, nearest_city
from shared.evaluation.distances import table_distances
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap, Sums, sum_by_place
from shared.evaluation.metrics import place_index
from shared.evaluation.predictions import class_probabilities, make_predictions
from shared.evaluation.zero_shot import flat_probabilities
from shared.geo import haversine_km
from shared.grid import grid_partition
from shared.partitions import Partition
from shared.training.city_clip import city_captions
from shared.training.contrast import ImageTextModel

RADII_KM = (25.0, 75.0, 150.0)
TITLES = {
    "accuracy": "right city",
    "mean_km": "mean km to the true point",
    "mean_between_km": "mean km between the cities",
    **{f"within_{radius:g}": f"within {radius:g} km" for radius in RADII_KM},
}
GRID, TOP = "grid", "top-"


@dataclass(frozen=True)
class Protocol:
    """A list of cities that photos are told among.

    Attributes:
        name: `"grid"`, or `"top-150"` for the 150 largest.
        cities: a row a class.
        captions: of each.
        cells: the cells of a grid, which group the photos; None: the nearest city does.
    """

    name: str
    cities: pd.DataFrame
    captions: list[str]
    cells: Partition | None = None

    def only(self, codes: Collection[str], name: str) -> "Protocol":
        """Some of the cities, in the same order."""
        chosen = self.cities["code"].isin(set(codes)).to_numpy()
        captions = [self.captions[row] for row in np.flatnonzero(chosen)]
        return Protocol(name, self.cities[chosen].reset_index(drop=True), captions, self.cells)

    @property
    def partition(self) -> Partition:
        """The cities as classes."""
        return cities_partition(self.cities, self.name)

    def truth(self, photos: pd.DataFrame, max_km: float = 0.0) -> pd.DataFrame:
        """The photos that belong to a class, with it as `code`, and their country as `country`.

        Args:
            photos: indexed by id: `place`, `code` (the country), `lat`, `lon`.
            max_km: photos farther from their city belong to none; 0: no limit.
        """
        known = photos[photos[["lat", "lon"]].notna().all(axis=1)]
        known = known.assign(country=known["code"])
        points = known[["lat", "lon"]].to_numpy(dtype=np.float64)
        if self.cells is not None:
            labels, away = self.cells.label_with_distance(points)
            is_class = np.isin(labels, self.cities["code"].to_numpy(dtype=object))
            codes, is_near = labels, is_class & (away == 0)
        else:
            rows, away = nearest_city(self.cities, points, [str(c) for c in known["code"]])
            codes = self.cities["code"].to_numpy(dtype=object)[rows]
            is_near = (rows >= 0) & ((away <= max_km) if max_km else True)
        found: pd.DataFrame = known.assign(code=codes)[is_near]
        return found


def make_protocol(
    name: str,
    countries: Sequence[str],
    template: str,
    source: str = "",
    apart_km: float = 0.0,
    is_even: bool = False,
    grid_deg: float = 1.0,
) -> Protocol:
    """A protocol by its name.

    Args:
        name: `"grid"`, or `"top-"` and a number.
        countries: the codes of the countries whose cities stand to choose from.
        template: of the captions.
        source: see `city_table`.
        apart_km: see `city_table`.
        is_even: see `city_table`.
        grid_deg: size of the boxes of the grid, degrees.

    Raises:
        ValueError: for another name.
    """
    number = name.removeprefix(TOP)
    if name == GRID:
        shapes = world_outlines()
        outline = shapely.union_all(shapes.geometry[shapes["code"].isin(set(countries))].to_numpy())
        cells = grid_partition(outline, grid_deg)
        cities = cities_of_cells(cells, source)
        return Protocol(name, cities, city_captions(cities, template), cells)
    if not (name.startswith(TOP) and number.isdigit() and int(number) > 1):
        msg = f"Expected a protocol 'grid' or 'top-' with a number such as 'top-50', got {name!r}"
        raise ValueError(msg)
    cities = city_table(countries, int(number), source, apart_km, is_even)
    return Protocol(name, cities, city_captions(cities, template))


def trained_protocol(facts: Mapping[str, Any], name: str = "as trained") -> Protocol:
    """The cities that a model was trained with, seen, held out and without photos.

    Args:
        facts: of the checkpoint's config.
        name: of the protocol.
    """
    return Protocol(name, pd.DataFrame(facts["cities"]), [str(t) for t in facts["captions"]])


def predict_cities(
    model: ImageTextModel, photos: Tensor, truth: pd.DataFrame, protocol: Protocol
) -> pd.DataFrame:
    """The table of predictions of photos told among the captions of a protocol.

    Args:
        model: embeds the captions.
        photos: (N, D) embeddings of the photos, in the order of `truth`.
        truth: of `Protocol.truth`.
        protocol: the cities.
    """
    captions = model.text_embeddings(protocol.captions)
    shares = flat_probabilities(photos, captions, model.scale)
    return make_predictions(truth, shares, protocol.partition)


def city_figures(
    table: pd.DataFrame, cities: Partition, bootstrap: PlaceBootstrap
) -> dict[str, Interval]:
    """The figures of `TITLES`, with intervals over places.

    Args:
        table: predictions.
        cities: the classes.
        bootstrap: how intervals are made.
    """
    return bootstrap.intervals(_sums(table, cities), _means)


def city_differences(
    first: pd.DataFrame, second: pd.DataFrame, cities: Partition, bootstrap: PlaceBootstrap
) -> dict[str, Interval]:
    """The figures of `first` minus those of `second`, of the same photos, paired over places."""
    return bootstrap.differences(_sums(first, cities), _sums(second, cities), _means)


def by_country(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> dict[str, Interval]:
    """The mean distance, km, to the true points of the photos of each true country."""
    found = {}
    for code, part in table.groupby("true_country"):
        rows = part.reset_index(drop=True)
        place, n = place_index(rows)
        sums = {
            "km": sum_by_place(place, table_distances(rows), n),
            "rows": sum_by_place(place, np.ones(len(rows)), n),
        }
        found[str(code)] = bootstrap.intervals(sums, lambda s: {"km": s["km"] / s["rows"]})["km"]
    return found


def simple_guesses(table: pd.DataFrame, protocol: Protocol) -> dict[str, dict[str, float]]:
    """What is reached without looking: every city as likely, and always the true city.

    Args:
        table: predictions of a model, for their truths.
        protocol: the cities.

    Returns:
        The figures of `TITLES`, by the rule's name.
    """
    cities = protocol.partition
    true = cities.centres[cities.index_of(table["true_code"])]
    points = table[["true_lat", "true_lon"]].to_numpy(dtype=np.float64)
    away = haversine_km(points[:, None], cities.centres[None])
    between = haversine_km(true[:, None], cities.centres[None])
    own = haversine_km(points, true)
    chance = {
        "accuracy": 1 / len(cities),
        "mean_km": away.mean(),
        "mean_between_km": between.mean(),
    }
    ceiling = {"accuracy": 1.0, "mean_km": own.mean(), "mean_between_km": 0.0}
    for radius in RADII_KM:
        chance[f"within_{radius:g}"] = (away <= radius).mean()
        ceiling[f"within_{radius:g}"] = (own <= radius).mean()
    rules = {"a city at random": chance, "always the true city": ceiling}
    return {rule: {k: float(v) for k, v in found.items()} for rule, found in rules.items()}


def country_figures(table: pd.DataFrame, protocol: Protocol) -> dict[str, float]:
    """What of a right guess is the country: its share, and what chance makes of it.

    Args:
        table: predictions.
        protocol: the cities that stood to choose from.

    Returns:
        `country`: the share of the photos whose guessed city lies in the right country; `within`:
        of these, those of the right city; `within_chance`: the same of even guesses among the
        country's cities; `given_country`: what such guesses reach where every country is right.
    """
    country = dict(zip(protocol.cities["code"], protocol.cities["country"], strict=True))
    counts = protocol.cities["country"].value_counts()
    true = table["true_code"].map(country)
    even = 1 / true.map(counts).to_numpy(dtype=np.float64)
    is_right = (table["pred_code"].map(country) == true).to_numpy()
    is_city = (table["pred_code"] == table["true_code"]).to_numpy()
    own = [values[is_right].mean() if is_right.any() else np.nan for values in (is_city, even)]
    named = ("country", "within", "within_chance", "given_country")
    values = (is_right.mean(), *own, even.mean())
    return {name: float(value) for name, value in zip(named, values, strict=True)}


def seen_classes(protocol: Protocol, photos: pd.DataFrame) -> list[str]:
    """The classes of a protocol that photos, those that a model learned from, belong to."""
    return sorted(set(protocol.truth(photos)["code"]))


def name_scores(
    model: ImageTextModel, photos: Tensor, names: Sequence[str], countries: Sequence[str]
) -> pd.DataFrame:
    """Photos told among any list of names, counted by their true country.

    Args:
        model: embeds the names.
        photos: (N, D) embeddings of the photos.
        names: K texts.
        countries: (N,) what the photos are counted by.

    Returns:
        A row a country, a column a name: the share of the country's photos given that name.
    """
    shares = flat_probabilities(photos, model.text_embeddings(list(names)), model.scale)
    given = np.asarray(list(names), dtype=object)[shares.argmax(axis=1)]
    counts = pd.crosstab(pd.Series(list(countries), name="true country"), given, normalize="index")
    return counts.reindex(columns=list(names), fill_value=0.0)


def likeliest(table: pd.DataFrame, row: int, count: int = 5) -> pd.Series:
    """The likeliest classes of one row with their probabilities."""
    classes, values = class_probabilities(table)
    order = np.argsort(-values[row], kind="stable")[:count]
    return pd.Series(values[row][order], index=[classes[k] for k in order])


def country_shapes(code: str) -> gpd.GeoSeries:
    """The outline of a country; empty where the installed outlines lack it."""
    outlines = world_outlines()
    return gpd.GeoSeries(outlines.geometry[outlines["code"] == code].to_numpy(), crs=CRS)


def _sums(table: pd.DataFrame, cities: Partition) -> dict[str, Floats]:
    place, n = place_index(table)
    away = table_distances(table)
    true, guessed = (cities.index_of(table[f"{side}_code"]) for side in ("true", "pred"))
    between = haversine_km(cities.centres[true], cities.centres[guessed])
    columns: Mapping[str, NDArray[np.generic]] = {
        "accuracy": true == guessed,
        "mean_km": away,
        "mean_between_km": between,
        **{f"within_{radius:g}": away <= radius for radius in RADII_KM},
    }
    sums = {name: sum_by_place(place, values, n) for name, values in columns.items()}
    return {**sums, "rows": sum_by_place(place, np.ones(len(table)), n)}


def _means(sums: Sums) -> dict[str, Floats]:
    return {name: sums[name] / sums["rows"] for name in TITLES}
