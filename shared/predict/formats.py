"""Answers as files: JSON, CSV, GeoJSON and a map in one HTML file that opens without network.

Files are written under a temporary name and renamed when they are whole.
"""

import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry import mapping

from shared.evaluation.cells import CELLS
from shared.predict.answers import Answer, Answers, as_dict
from shared.predict.areas import Classes

FORMATS = ("json", "csv", "geojson", "html")
COORDINATE_DECIMALS = 4  # of outlines, degrees: 11 m, far below what an area means


def write_answers(answers: Answers, path: Path) -> Path:
    """Write answers in the format that the ending of a name says.

    Args:
        answers: what `Predictor.predict` gave.
        path: ends in `.json`, `.csv`, `.geojson` or `.html`.

    Raises:
        ValueError: for another ending.
    """
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        msg = f"Expected a file of one of {FORMATS}, but got {path.name!r}"
        raise ValueError(msg)
    if kind == "html":
        from shared.predict.map_page import answers_map  # plotly takes seconds to import
        from shared.web_map import write_page

        return write_page(answers_map(answers), path, "Where was it taken?")
    text = as_text(answers, kind)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8", newline="")
    temporary.replace(path)
    return path


def as_text(answers: Answers, kind: str) -> str:
    """Answers as text: `"json"`, `"csv"` or `"geojson"`."""
    made: dict[str, Callable[[Answers], str]] = {
        "json": as_json,
        "csv": as_csv,
        "geojson": as_geojson,
    }
    return made[kind](answers)


def as_json(answers: Answers) -> str:
    """Answers as JSON: `model`, `cautions`, `answers`, `refused`."""
    document = {
        "model": dict(answers.model),
        "cautions": answers.cautions,
        "answers": [as_dict(answer) for answer in answers],
        "refused": [{"photo": name, "reason": why} for name, why in answers.refused.items()],
    }
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(answers: Answers) -> str:
    """Answers as a table: a row an answer, then a row a refused photo.

    Columns: `name, photos, country_1, country_1_code, country_1_probability, ...`, the same of
    regions where the model knows some, `area_level, area_held, area_km2, area_classes` (codes, by
    falling probability; of a spread over cells the countries), `lat, lon` where points were asked
    for, and `refused`.
    """
    rows = [_row(answer) for answer in answers]
    rows += [{"name": name, "refused": why} for name, why in answers.refused.items()]
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    names.pop("refused", None)
    text = io.StringIO()
    writer = csv.DictWriter(text, [*names, "refused"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _row(answer: Answer) -> dict[str, Any]:
    row: dict[str, Any] = {"name": answer.name, "photos": len(answer.photos)}
    for kind, guesses in (("country", answer.countries), ("region", answer.regions)):
        for number, guess in enumerate(guesses, 1):
            row[f"{kind}_{number}"] = guess.name
            row[f"{kind}_{number}_code"] = guess.code
            has = answer.area is not None
            row[f"{kind}_{number}_probability"] = f"{guess.probability:.6f}" if has else ""
    if answer.area is not None:
        row["area_level"] = answer.area.level
        row["area_held"] = f"{answer.area.held:.6f}"
        row["area_km2"] = "" if answer.area.km2 is None else round(answer.area.km2)
        is_cells = answer.area.kind == CELLS
        codes = answer.area.countries if is_cells else [g.code for g in answer.area.classes]
        row["area_classes"] = " ".join(codes)
    if answer.pin is not None:
        row["lat"], row["lon"] = f"{answer.pin.lat:.5f}", f"{answer.pin.lon:.5f}"
    return row


def as_geojson(answers: Answers) -> str:
    """Answers as GeoJSON (RFC 7946): a feature for each class of an area, and for each point."""
    features = []
    for answer in answers:
        features += _area_features(answer, answers)
        if answer.pin is not None:
            properties = {"name": answer.name, "kind": "point", "how": answer.pin.how}
            point = {"type": "Point", "coordinates": [answer.pin.lon, answer.pin.lat]}
            features.append(_feature(point, properties))
    document = {
        "type": "FeatureCollection",
        "features": features,
        "model": dict(answers.model),
        "cautions": answers.cautions,
        "refused": dict(answers.refused),
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n"


def _area_features(answer: Answer, answers: Answers) -> list[dict[str, Any]]:
    if answer.area is None or answers.classes is None:
        return []
    classes = Classes(answers.classes)
    rows = answers.classes.index_of(guess.code for guess in answer.area.classes)
    if answer.area.kind == CELLS:  # thousands of boxes, joined
        whole = shapely.union_all(classes.outlines.iloc[rows].to_numpy())
        held = {"name": answer.name, "kind": "area", "probability": round(answer.area.held, 6)}
        return [_feature(_rounded(mapping(whole)), held)]
    features = []
    for guess, row in zip(answer.area.classes, rows, strict=True):
        outline = classes.outlines.iloc[int(row)]
        properties = {
            "name": answer.name,
            "kind": "area",
            "code": guess.code,
            "class": guess.name,
            "country": answers.classes.countries[int(row)] or None,
            "probability": round(guess.probability, 6),
        }
        shape = None if outline is None else _rounded(mapping(outline))
        features.append(_feature(shape, properties))
    return features


def _feature(geometry: object, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _rounded(shape: object) -> object:
    """GeoJSON of shapely with fewer decimals."""
    if isinstance(shape, dict):
        return {"type": shape["type"], "coordinates": _rounded(shape["coordinates"])}
    if isinstance(shape, (tuple, list)):
        return [_rounded(part) for part in shape]
    return round(float(str(shape)), COORDINATE_DECIMALS)
