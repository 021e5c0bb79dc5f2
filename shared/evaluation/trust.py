"""What a report says of how far its figures can be trusted: leakage, calibration, abstention.

Every evaluation does the same here, whatever its model predicts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from shared.evaluation.abstention import RiskCoverage, risk_coverage
from shared.evaluation.calibration import Tempering, compare_tempered, confidences, tempered
from shared.evaluation.credible import Coverage, class_coverage, coverage_document
from shared.evaluation.figures import save_figure
from shared.evaluation.intervals import Interval, PlaceBootstrap
from shared.evaluation.leakage import LeakageAudit
from shared.evaluation.predictions import has_classes
from shared.evaluation.report import Cell, Picture, Report, Section, Table
from shared.evaluation.trust_figures import (
    credible_figure,
    leakage_figure,
    risk_figure,
    tempering_figure,
)
from shared.partitions import Partition

RANGE_TITLES = {"top_1": "top-1", "median_km": "median km", "geo_score": "GeoScore"}


@dataclass(frozen=True)
class Trust:
    """How far figures can be trusted.

    Attributes:
        leakage: what was found between test and training.
        tempering: calibration before and after the temperature; None without classes, or where
            the checkpoint has no temperature.
        coverage: how credible areas do, by level, with the temperature where there is one; empty
            where the model has none.
        risk: risk against coverage; None where the model has no confidence.
        risk_unit: what an error is: `"share wrong"` or `"mean km"`.
        untempered: credible areas without the temperature, where there is one.
    """

    leakage: LeakageAudit
    tempering: Tempering | None
    coverage: list[Coverage]
    risk: RiskCoverage | None
    risk_unit: str = "share wrong"
    untempered: Sequence[Coverage] = ()


def trust_of_classes(
    table: pd.DataFrame,
    partition: Partition,
    leakage: LeakageAudit,
    bootstrap: PlaceBootstrap,
    temperature: float | None,
) -> Trust:
    """Trust in a model of classes.

    Args:
        table: predictions.
        partition: the classes.
        leakage: the audit.
        bootstrap: how intervals are made.
        temperature: of the checkpoint, fitted on the validation photos; None where it has none.
    """
    if not has_classes(table):
        msg = "Expected predictions of classes, got points: use Trust itself"
        raise ValueError(msg)
    confidence, is_right = confidences(table)
    risk = risk_coverage(table, confidence, ~is_right, bootstrap)
    plain = class_coverage(table, partition, bootstrap)
    if temperature is None:
        return Trust(leakage, None, plain, risk)
    made = compare_tempered(table, temperature, bootstrap)
    coverage = class_coverage(tempered(table, temperature), partition, bootstrap)
    return Trust(leakage, made, coverage, risk, untempered=plain)


def trust_document(trust: Trust) -> dict[str, Any]:
    """What `metrics.json` says of it."""
    found: dict[str, Any] = {"leakage": trust.leakage.document(), "calibration": None}
    if trust.tempering is not None:
        made = trust.tempering
        found["calibration"] = {
            "temperature": round(made.temperature, 6),
            "ece_before": made.before.ece.as_dict(),
            "ece_after": made.after.ece.as_dict(),
            "log_loss_before": made.log_loss["before"].as_dict(),
            "log_loss_after": made.log_loss["after"].as_dict(),
        }
    found["credible_areas"] = coverage_document(trust.coverage)
    found["credible_areas_without_temperature"] = coverage_document(trust.untempered)
    found["abstention"] = None
    if trust.risk is not None:
        at = {f"{share:g}": found.as_dict() for share, found in trust.risk.answered.items()}
        found["abstention"] = {
            "error": trust.risk_unit,
            "aurc": trust.risk.aurc.as_dict(),
            "excess_aurc": trust.risk.excess.as_dict(),
            "risk_at_coverage": at,
        }
    return found


def trust_pictures(trust: Trust, folder: Path, note: str) -> dict[str, Picture]:
    """Draw and save the figures that there is something to draw for."""
    found = {}
    if len(trust.leakage.distances):
        found["leakage"] = Picture(
            save_figure(leakage_figure(trust.leakage, note), folder / "leakage.png"),
            "How far each test place is from the nearest training place, and the figures by that "
            f"distance; bars are 95 % intervals over places. {note}.",
        )
    if trust.tempering is not None:
        found["calibration"] = Picture(
            save_figure(tempering_figure(trust.tempering, note), folder / "calibration.png"),
            "How often guesses of each confidence are right, as the model is and with the "
            f"temperature of its validation photos. {note}.",
        )
    if trust.coverage:
        found["credible"] = Picture(
            save_figure(credible_figure(trust.coverage, note), folder / "credible.png"),
            "How often the truth lies in the area that should hold it with that probability, and "
            f"how large this area is. {note}.",
        )
    if trust.risk is not None:
        figure = risk_figure(trust.risk, trust.risk_unit, note)
        found["risk"] = Picture(
            save_figure(figure, folder / "risk.png"),
            "What goes wrong among the photos of which the model is surest, by how many of them "
            f"it answers. {note}.",
        )
    return found


def trust_sections(trust: Trust, pictures: Mapping[str, Picture]) -> list[Section]:
    """The sections of a report."""
    found = [_leakage(trust.leakage, pictures)]
    if trust.tempering is not None:
        found.append(_tempering(trust.tempering, pictures))
    if trust.coverage:
        found.append(_credible(trust, pictures))
    if trust.risk is not None:
        found.append(_risk(trust.risk, trust.risk_unit, pictures))
    return found


def with_trust(page: Report, trust: Trust, pictures: Mapping[str, Picture]) -> Report:
    """A report with its sections on trust before its last one, and the audit's warnings on top."""
    sections = [*page.sections[:-1], *trust_sections(trust, pictures), *page.sections[-1:]]
    return replace(page, sections=sections, warnings=trust.leakage.warnings)


def _leakage(audit: LeakageAudit, pictures: Mapping[str, Picture]) -> Section:
    paragraphs = []
    if audit.is_honest:
        paragraphs.append("Nothing was found that speaks against this test.")
    else:
        paragraphs += [f"Warning: {text}" for text in audit.warnings]
    if len(audit.distances):
        half = float(audit.distances.median())
        near = float((audit.distances <= audit.near_km).mean())
        paragraphs.append(
            f"Half of the test places are at least {half:,.1f} km from the nearest training "
            f"place; {100 * near:.1f} % are within {audit.near_km:g} km. Where figures fall with "
            "that distance, part of what they say is how near the training was."
        )
    else:
        paragraphs.append("Places have no coordinates here, so distances cannot be told.")
    if audit.duplicates is not None:
        paragraphs.append(
            f"{len(audit.duplicates):,} pairs of nearly equal photos, one on each side, among "
            f"{audit.compared:,} training photos."
        )
    rows = [_range_row(row, audit) for row in audit.by_distance.to_dict("records")]
    names = [t for n, t in RANGE_TITLES.items() if n in audit.by_distance.columns]
    columns = ["nearest training place", "photos", "places", *names]
    table = Table(columns, rows) if rows else None
    return Section("Is the test honest?", paragraphs, table, _some(pictures, "leakage"))


def _range_row(row: Mapping[Any, Any], audit: LeakageAudit) -> list[Cell]:
    cells = [Cell(row["range"]), Cell(f"{row['photos']:,}"), Cell(f"{row['places']:,}")]
    for name in RANGE_TITLES:
        if name in audit.by_distance.columns:
            ends = Interval(row[name], row[f"{name}_lower"], row[f"{name}_upper"])
            cells.append(_cell(ends, name))
    return cells


def _tempering(made: Tempering, pictures: Mapping[str, Picture]) -> Section:
    before, after = made.log_loss["before"], made.log_loss["after"]
    text = (
        f"Divided by {made.temperature:.3f}, the temperature that fits the validation photos, the "
        f"logits give a calibration error of {made.after.ece.percent()} on the test, against "
        f"{made.before.ece.percent()} as they are; the mean negative log-probability of the true "
        f"class goes from {before.value:.3f} ({before.lower:.3f} to {before.upper:.3f}) to "
        f"{after.value:.3f} ({after.lower:.3f} to {after.upper:.3f}). The guesses stay the same."
    )
    return Section("Temperature", [text], pictures=_some(pictures, "calibration"))


def _credible(trust: Trust, pictures: Mapping[str, Picture]) -> Section:
    coverage = trust.coverage
    with_classes = coverage[0].classes is not None
    rows = []
    for found in coverage:
        size = found.size_km2
        cells = [
            Cell(f"{100 * found.level:.0f} %"),
            Cell(f"{100 * found.holds.value:.1f} %", _ends(found.holds, 100, 1)),
            Cell("not known")
            if math.isnan(size.value)
            else Cell(f"{size.value / 1000:,.0f}", _ends(size, 0.001, 0)),
        ]
        if found.classes is not None:
            cells.append(Cell(f"{found.classes.value:.0f}", _ends(found.classes, 1, 0)))
        rows.append(cells)
    columns = ["promised", "holds", "median size, 1,000 km2"]
    columns += ["median number of classes"] if with_classes else []
    broken = [f"{100 * c.level:.0f} %" for c in coverage if not c.is_kept]
    text = (
        "The areas hold what they promise, as far as the intervals tell."
        if not broken
        else f"The areas of {', '.join(broken)} hold less often than they promise."
    )
    text += " Small: 95 % intervals over places."
    if trust.untempered:
        held = [f"{100 * c.holds.value:.1f} % at {100 * c.level:.0f} %" for c in trust.untempered]
        text += f" With the temperature; without it they hold {', '.join(held)}."
    table = Table(columns, rows)
    return Section("Within which area?", [text], table, _some(pictures, "credible"))


def _risk(risk: RiskCoverage, unit: str, pictures: Mapping[str, Picture]) -> Section:
    scale, end = (100.0, " %") if unit == "share wrong" else (1.0, " km")
    half, whole = risk.answered[0.5], risk.answered[1.0]
    text = (
        f"If the model answers only the half of the photos of which it is surest, {unit} is "
        f"{scale * half.value:,.1f}{end} ({_ends(half, scale, 1)}), against "
        f"{scale * whole.value:,.1f}{end} for all. The area under the curve (AURC) is "
        f"{scale * risk.aurc.value:,.2f}{end} ({_ends(risk.aurc, scale, 2)}), "
        f"{scale * risk.excess.value:,.2f}{end} above the best order that there could be."
    )
    return Section("If it may abstain", [text], pictures=_some(pictures, "risk"))


def _cell(found: Interval, name: str) -> Cell:
    if name == "top_1":
        return Cell(f"{100 * found.value:.1f} %", _ends(found, 100, 1))
    return Cell(f"{found.value:,.0f}", _ends(found, 1, 0))


def _ends(found: Interval, scale: float, decimals: int) -> str:
    low, high = scale * found.lower, scale * found.upper
    return f"{low:,.{decimals}f} to {high:,.{decimals}f}"


def _some(pictures: Mapping[str, Picture], *names: str) -> list[Picture]:
    return [pictures[name] for name in names if name in pictures]
