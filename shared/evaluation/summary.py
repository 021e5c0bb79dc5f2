"""All figures of an evaluation, for photos and for places, and the JSON file that holds them.

The file depends on the predictions, the seed and the settings alone: no date, no machine.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from shared.countries import name_of
from shared.evaluation.baselines import chance
from shared.evaluation.calibration import KINDS, Calibration, calibrate
from shared.evaluation.intervals import Interval, PlaceBootstrap, rounded
from shared.evaluation.metrics import compare, country_table, evaluate, split_by_knowledge
from shared.evaluation.pooling import pool_views
from shared.evaluation.predictions import code_matrix

UNITS = ("photos", "places")
MODEL, MODEL_PLACES = "model, a photo", "model, all views of a place"


@dataclass(frozen=True)
class UnitSummary:
    """The figures of one kind of rows: photos, or places with all their views pooled.

    Attributes:
        table: the predictions.
        figures: of all rows; a class that the model lacks counts as wrong.
        known: of the rows whose true class the model has; None where that is all of them.
        calibrations: equal width and adaptive.
    """

    table: pd.DataFrame
    figures: dict[str, Interval]
    known: dict[str, Interval] | None
    calibrations: list[Calibration]


@dataclass(frozen=True)
class Baseline:
    """What a baseline reaches on the photos, and how much more the model does (paired)."""

    figures: dict[str, Interval]
    difference: dict[str, Interval]


@dataclass(frozen=True)
class Summary:
    """An evaluation.

    Attributes:
        units: by `"photos"` and `"places"`.
        countries: `metrics.country_table` of the photos.
        unknown: countries of the photos that the model lacks: `code, name, photos, places`.
        baselines: by name. Chance has no interval: its figures are exact.
    """

    units: dict[str, UnitSummary]
    countries: pd.DataFrame
    unknown: pd.DataFrame
    baselines: dict[str, Baseline]


def summarise(
    predictions: pd.DataFrame,
    baselines: Mapping[str, pd.DataFrame],
    bootstrap: PlaceBootstrap,
    pooling: str = "log",
) -> Summary:
    """Evaluate predictions of photos.

    Args:
        predictions: a table of predictions.
        baselines: other predictions of the same photos, by name.
        bootstrap: how intervals are made.
        pooling: how the views of a place become one prediction (`pooling.pool_views`).
    """
    tables = dict(zip(UNITS, (predictions, pool_views(predictions, pooling)), strict=True))
    known, unknown = split_by_knowledge(predictions)
    found = {
        name: Baseline(evaluate(table, bootstrap), compare(predictions, table, bootstrap))
        for name, table in baselines.items()
    }
    n_classes = code_matrix(predictions).shape[1]
    lot = chance(n_classes, len(known) / len(predictions))
    exact = {name: Interval(value, value, value) for name, value in lot.items()}
    return Summary(
        {unit: _summarise_unit(table, bootstrap) for unit, table in tables.items()},
        country_table(predictions, bootstrap),
        unknown_countries(unknown),
        {**found, "chance": Baseline(exact, {})},
    )


def _summarise_unit(table: pd.DataFrame, bootstrap: PlaceBootstrap) -> UnitSummary:
    known, unknown = split_by_knowledge(table)
    is_mixed = len(known) > 0 and len(unknown) > 0
    return UnitSummary(
        table,
        evaluate(table, bootstrap),
        evaluate(known, bootstrap) if is_mixed else None,
        [calibrate(table, bootstrap, kind) for kind in KINDS],
    )


def unknown_countries(unknown: pd.DataFrame) -> pd.DataFrame:
    """The countries of rows whose true class a model lacks, by falling number of photos.

    Returns:
        `code`, `name`, `photos`, `places`.
    """
    grouped = unknown.groupby("true_code")
    found = pd.DataFrame({"photos": grouped.size(), "places": grouped["place"].nunique()})
    found = found.rename_axis("code").reset_index()
    found.insert(1, "name", [name_of(code) for code in found["code"]])
    return found.sort_values(["photos", "code"], ascending=[False, True], ignore_index=True)


def metrics_document(summary: Summary, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What `metrics.json` holds: `facts` (lists, checkpoint, seed and so on), then every figure.

    A figure is `{"value", "lower", "upper"}`, a share between 0 and 1, to 6 decimals; `null` where
    there is none.
    """
    first = summary.units["photos"].table
    counts = {"photos": len(first), "places": first["place"].nunique()}
    counts["countries"] = first["true_code"].nunique()
    return {
        **facts,
        "n": {name: int(count) for name, count in counts.items()},
        **{unit: _unit_document(found) for unit, found in summary.units.items()},
        "baselines": {
            name: {
                "photos": _figures(found.figures),
                "model_minus_this": _figures(found.difference),
            }
            for name, found in summary.baselines.items()
        },
        "unknown_countries": summary.unknown.to_dict("records"),
        "countries": [_country(row) for row in summary.countries.to_dict("records")],
    }


def write_metrics(document: Mapping[str, Any], path: Path) -> None:
    """Write metrics as JSON, indented, under its name only when it is whole."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def _unit_document(found: UnitSummary) -> dict[str, Any]:
    eces = {c.kind: c.ece.as_dict() for c in found.calibrations}
    return {
        "all": _figures(found.figures),
        "known": None if found.known is None else _figures(found.known),
        "ece": eces["equal width"],
        "ece_adaptive": eces["adaptive"],
    }


def _figures(found: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.as_dict() for name, interval in found.items()}


def _country(row: Mapping[Any, Any]) -> dict[str, Any]:
    plain = ("code", "name", "continent", "is_known", "photos", "places", "guessed")
    figures = {
        name: {
            "value": rounded(row[name]),
            "lower": rounded(row[f"{name}_lower"]),
            "upper": rounded(row[f"{name}_upper"]),
        }
        for name in ("recall", "precision", "f1")
    }
    confused = {"confused_with": row["confused_with"] or None, "confused": row["confused"]}
    return {**{name: row[name] for name in plain}, **figures, **confused}
