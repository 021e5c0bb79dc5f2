"""What reports say of slices: a table for each way of slicing, and a picture before them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from shared.evaluation.approaches import figure_text
from shared.evaluation.distances import DISTANCE_TITLES
from shared.evaluation.intervals import Interval
from shared.evaluation.metrics import FIGURE_TITLES
from shared.evaluation.report import Cell, Picture, Report, Section, Table
from shared.evaluation.slices import SLICES

SLICE_TITLES = {
    "country": "Country by country",
    "continent": "By continent",
    "latitude": "By latitude",
    "surroundings": "Town and country",
}
FIGURES = ("top_1", "median_km", "geo_score")


def slice_sections(
    slices: pd.DataFrame,
    urban: str,
    pictures: Sequence[Picture] = (),
    figures: Sequence[str] = FIGURES,
) -> list[Section]:
    """A section that says what urban is, and one for each way of slicing that has rows.

    Args:
        slices: of `slices.slice_table`.
        urban: what counts as urban.
        pictures: for the first section.
        figures: which of them the tables show, as far as they are known.
    """
    found = [Section("Where it does well", [f"Urban: {urban}."], pictures=list(pictures))]
    titles = {**FIGURE_TITLES, **DISTANCE_TITLES}
    for kind in SLICES:
        part = slices[slices["slice"] == kind]
        if len(part):
            names = [n for n in figures if n in part.columns and part[n].notna().any()]
            columns = ["", "photos", "places", *(titles[n] for n in names)]
            rows = [_row(row, names) for row in part.to_dict("records")]
            found.append(Section(SLICE_TITLES[kind], table=Table(columns, rows, is_sortable=True)))
    return found


def with_slices(page: Report, slices: pd.DataFrame, urban: str) -> Report:
    """A report of countries with the other ways of slicing before its last section.

    It has a table of countries of its own already, and speaks of no distances.
    """
    others = slices[slices["slice"] != "country"]
    found = slice_sections(others, urban, figures=["top_1"])
    sections = [*page.sections[:-1], *found, *page.sections[-1:]]
    return replace(page, sections=sections)


def _row(row: Mapping[Any, Any], names: Sequence[str]) -> list[Cell]:
    cells = [
        Cell(row["name"]),
        Cell(f"{row['photos']:,}", order=row["photos"]),
        Cell(f"{row['places']:,}", order=row["places"]),
    ]
    for name in names:
        found = Interval(row[name], row[f"{name}_lower"], row[f"{name}_upper"])
        if found.value != found.value:
            cells.append(Cell("", order=-1.0))
            continue
        ends = f"{figure_text(name, found.lower)} to {figure_text(name, found.upper)}"
        order = round(float(found.value), 6)
        cells.append(Cell(figure_text(name, found.value), ends, order=order))
    return cells
