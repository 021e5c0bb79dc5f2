"""All approaches under one protocol: each model read as countries, and read as points.

* Read as countries: a model of countries as it is; a model of regions by the sum of each country's
  regions; a point by the country whose polygon holds it, or, without polygons, by that of the
  gazetteer's nearest place: as the data set's own countries were told. The other countries follow
  by their distance.
* Read as points: a class by its centre, and by the point that minimises the expected distance under
  the predicted distribution; a point as it is.

The photos are the same for all: those that every model of the table can be asked about.
Degrees, `(lat, lon)`, kilometres.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shared.evaluation.calibration import tempered
from shared.evaluation.distance_intervals import compare_distances, distance_intervals
from shared.evaluation.distances import DISTANCE_TITLES, distance_text
from shared.evaluation.intervals import Interval, PlaceBootstrap
from shared.evaluation.metrics import FIGURE_TITLES, compare, evaluate
from shared.evaluation.models import Predicted
from shared.evaluation.predictions import check_predictions, has_classes
from shared.evaluation.readout import HOW, as_countries, as_points, points_as_classes
from shared.evaluation.report import Cell, Table
from shared.gazetteer import gazetteer
from shared.geo import Floats, NearestPlaces, check_points
from shared.partitions import Partition

LEAST, CENTRE = "expected-distance", "centre"
READ_AS = {CENTRE: "centre of the likeliest class", LEAST: "point of least expected distance"}


@dataclass(frozen=True)
class Approach:
    """One model under the protocol.

    Attributes:
        name: such as `"region"`.
        countries: figures of the model read as countries; None where it cannot be.
        points: figures read as points, by how; one entry, `"point"`, for a model of points.
        gain: the point of least expected distance minus the centre, paired; with and without the
            checkpoint's temperature. Empty for models of points.
        versus: the first model of the table minus this one, paired: figures of countries, and of
            points of least expected distance. Empty for the first itself.
    """

    name: str
    countries: dict[str, Interval] | None
    points: dict[str, dict[str, Interval]]
    gain: dict[str, dict[str, Interval]]
    versus: dict[str, Interval] = field(default_factory=dict)


def country_distances(points: ArrayLike) -> tuple[list[str], Floats]:
    """The distance of points to the nearest place of each country of the gazetteer.

    Args:
        points: (N, 2) latitudes and longitudes, degrees.

    Returns:
        The K codes, sorted, and (N, K) distances, km.
    """
    array, places = check_points(points), gazetteer()
    codes, found = [], []
    for code, rows in places.groupby("cc", sort=True):
        codes.append(str(code))
        found.append(NearestPlaces(rows[["lat", "lon"]].to_numpy()).query(array)[1])
    return codes, np.stack(found, axis=1)


def points_as_countries(table: pd.DataFrame, countries: Partition | None = None) -> pd.DataFrame:
    """Guessed points read as countries: the one they lie in has all the probability.

    Args:
        table: predictions with a guessed point each, and `true_country`.
        countries: their polygons; None: the gazetteer's nearest place tells the country.
    """
    if countries is not None:
        return points_as_classes(table, countries, table["true_country"].to_numpy(dtype=object))
    codes, away = country_distances(table[["pred_lat", "pred_lon"]].to_numpy(dtype=np.float64))
    order = np.argsort(away, axis=1, kind="stable")
    ranked = np.asarray(codes, dtype=object)[order]
    shares = np.zeros(away.shape, dtype=np.float32)
    shares[:, 0] = 1.0
    found = table.assign(
        true_code=table["true_country"],
        pred_code=ranked[:, 0],
        codes=list(ranked),
        probabilities=list(shares),
    )
    return check_predictions(found, "points read as countries")


def countries_of(predicted: Predicted, countries: Partition | None = None) -> pd.DataFrame:
    """A model's predictions read as countries; `countries` is for models of points."""
    if predicted.model.partition is None:
        return points_as_countries(predicted.table, countries)
    if predicted.task == "country":
        return predicted.table
    return as_countries(predicted.table, predicted.model.partition)


def points_of(predicted: Predicted, how: str = LEAST, *, calibrated: bool = False) -> pd.DataFrame:
    """A model's predictions read as points, for the photos whose place is known."""
    table = predicted.table
    table = table[table[["true_lat", "true_lon"]].notna().all(axis=1)].reset_index(drop=True)
    if calibrated and has_classes(table):
        table = tempered(table, predicted.model.temperature)
    return as_points(table, predicted.model.partition, how)


def approach_of(
    predicted: Predicted,
    bootstrap: PlaceBootstrap,
    ids: Sequence[str],
    countries: Partition | None = None,
) -> Approach:
    """One model under the protocol.

    Args:
        predicted: its predictions.
        bootstrap: how intervals are made.
        ids: the photos that count.
        countries: polygons that tell the country of a point; None: the gazetteer does.
    """
    read = _only(countries_of(predicted, countries), ids)
    if predicted.model.partition is None:
        figures = {"point": distance_intervals(_only(points_of(predicted), ids), bootstrap)}
        return Approach(predicted.task, evaluate(read, bootstrap), figures, {})
    tables = {how: _only(points_of(predicted, how), ids) for how in HOW}
    gain = {"as it is": compare_distances(tables[LEAST], tables[CENTRE], bootstrap)}
    if "temperature" in predicted.model.config:
        cooled = _only(points_of(predicted, LEAST, calibrated=True), ids)
        gain["calibrated"] = compare_distances(cooled, tables[CENTRE], bootstrap)
    points = {how: distance_intervals(table, bootstrap) for how, table in tables.items()}
    return Approach(predicted.task, evaluate(read, bootstrap), points, gain)


def approaches_of(
    predicted: Sequence[Predicted], bootstrap: PlaceBootstrap, countries: Partition | None = None
) -> list[Approach]:
    """All models under the protocol, on the photos that each of them has been asked about.

    Args:
        predicted: the models' predictions; the others are compared with the first.
        bootstrap: how intervals are made.
        countries: polygons that tell the country of a point; None: the gazetteer does.

    Raises:
        ValueError: when no photo is common to all, with a place.
    """
    located = [one.table.dropna(subset=["true_lat", "true_lon"])["id"] for one in predicted]
    ids = sorted(set.intersection(*(set(found) for found in located))) if located else []
    if not ids:
        msg = "Expected photos with coordinates that all models were asked about, but got none"
        raise ValueError(msg)
    found = [approach_of(one, bootstrap, ids, countries) for one in predicted]
    tables = [[_only(countries_of(o, countries), ids), _only(points_of(o), ids)] for o in predicted]
    for number, (named, pointed) in enumerate(tables[1:], start=1):
        versus = compare(tables[0][0], named, bootstrap)
        versus |= compare_distances(tables[0][1], pointed, bootstrap)
        found[number] = replace(found[number], versus=versus)
    return found


def _only(table: pd.DataFrame, ids: Sequence[str]) -> pd.DataFrame:
    return table[table["id"].isin(set(ids))].reset_index(drop=True)


def approach_rows(approaches: Sequence[Approach]) -> dict[str, dict[str, Interval]]:
    """Figures by row: `"region, as countries"`, `"region, centre"` and so on."""
    found = {}
    for one in approaches:
        if one.countries is not None:
            found[f"{one.name}, as countries"] = one.countries
        for how, figures in one.points.items():
            found[f"{one.name}, as points: {READ_AS.get(how, how)}"] = figures
    return found


def approach_table(approaches: Sequence[Approach]) -> Table:
    """The table of a report: a row a reading, a column a figure."""
    titles = {**FIGURE_TITLES, **DISTANCE_TITLES}
    rows = [
        [Cell(name), *(figure_cell(key, found.get(key)) for key in titles)]
        for name, found in approach_rows(approaches).items()
    ]
    return Table(["", *titles.values()], rows)


def figure_cell(name: str, found: Interval | None) -> Cell:
    """A figure with its interval: shares in per cent, distances in km."""
    if found is None:
        return Cell("")
    ends = f"{figure_text(name, found.lower)} to {figure_text(name, found.upper)}"
    return Cell(figure_text(name, found.value), ends)


def figure_text(name: str, value: float) -> str:
    """A figure for people."""
    if name in DISTANCE_TITLES:
        return distance_text(name, value)
    return f"{100 * value:.1f} %"


def versus_lines(approaches: Sequence[Approach]) -> list[str]:
    """The first model against each other one, in words; both are given the same places."""
    lines = []
    for one in approaches[1:]:
        top, km = one.versus["top_1"], one.versus["median_km"]
        lines.append(
            f"{approaches[0].name} minus {one.name}: right country {top.points()}, median "
            f"{km.value:+,.0f} km ({km.lower:+,.0f} to {km.upper:+,.0f})."
        )
    return lines


def approach_frame(approaches: Sequence[Approach]) -> pd.DataFrame:
    """The same table for a notebook."""
    titles = {**FIGURE_TITLES, **DISTANCE_TITLES}
    rows = {
        name: {t: figure_text(k, found[k].value) if k in found else "" for k, t in titles.items()}
        for name, found in approach_rows(approaches).items()
    }
    return pd.DataFrame(rows).T


def approach_document(approaches: Sequence[Approach]) -> list[dict[str, Any]]:
    """What `metrics.json` says of them."""
    return [
        {
            "model": one.name,
            "as_countries": None if one.countries is None else _as_dict(one.countries),
            "as_points": {how: _as_dict(figures) for how, figures in one.points.items()},
            "least_expected_distance_minus_centre": {
                kind: _as_dict(figures) for kind, figures in one.gain.items()
            },
            "first_model_minus_this": _as_dict(one.versus),
        }
        for one in approaches
    ]


def _as_dict(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.as_dict() for name, interval in found.items()}
