"""A report as one HTML page that asks for nothing: images, style and script are inside it.

The page forbids itself every request (a Content-Security-Policy of `default-src 'none'`), so it
reads the same on a machine without network. What it says is given to it: see `country_report`.
"""

import base64
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.evaluation.intervals import Interval
from shared.runs import commit, versions
from shared.workers import default_processes

TEMPLATES = Path(__file__).parent / "templates"
PACKAGES = ("torch", "numpy", "pandas", "scikit-learn", "geopandas", "matplotlib")


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: what it shows.
        detail: a smaller line below, such as an interval.
        order: the number that the column is sorted by; None sorts by the text.
        share: draws a bar of this share of the cell, with its interval, where given.
        is_faint: shown in grey, for what has little weight.
    """

    text: str
    detail: str = ""
    order: float | None = None
    share: Interval | None = None
    is_faint: bool = False


@dataclass(frozen=True)
class Table:
    """A table: `columns` and rows of as many cells. Readers may sort it if `is_sortable`."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    is_sortable: bool = False

    def __post_init__(self) -> None:
        """Check that each row has a cell a column."""
        for row in self.rows:
            if len(row) != len(self.columns):
                msg = f"Expected {len(self.columns)} cells in each row, got {len(row)}: {row}"
                raise ValueError(msg)


@dataclass(frozen=True)
class Picture:
    """A figure: a PNG file, and the caption that says what to see. Notebooks show the file."""

    path: Path
    caption: str

    def _repr_png_(self) -> bytes:
        return self.path.read_bytes()


@dataclass(frozen=True)
class Card:
    """A headline figure: its name, its value, and a smaller line."""

    title: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a report: paragraphs, then a table, then pictures."""

    title: str
    paragraphs: Sequence[str] = ()
    table: Table | None = None
    pictures: Sequence[Picture] = ()


@dataclass(frozen=True)
class Report:
    """What a report says.

    Attributes:
        title: the page's title.
        badge: a word that stands beside the title, such as "synthetic"; "" for none.
        lead: the answer, in a sentence or two.
        cards: headline figures.
        sections: the parts, in order.
        limits: what the figures do not say.
        facts: names and values of how they were made; `machine_facts` are added.
        warnings: why the figures may say too much, shown above them.
    """

    title: str
    badge: str
    lead: str
    cards: Sequence[Card]
    sections: Sequence[Section]
    limits: Sequence[str]
    facts: Sequence[tuple[str, str]] = field(default_factory=list)
    warnings: Sequence[str] = ()


def write_report(report: Report, path: Path) -> Path:
    """Write a report as one HTML file, under its name only when it is whole.

    Raises:
        FileNotFoundError: when a picture is missing.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_uri"] = data_uri
    page = environment.get_template("report.html.j2")
    text = page.render(report=report, facts=[*report.facts, *machine_facts()])
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return path


def data_uri(path: Path) -> str:
    """A PNG file as text that stands for it in a page."""
    if not path.is_file():
        msg = f"Expected a figure at {path}: write the figures before the report"
        raise FileNotFoundError(msg)
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def machine_facts() -> list[tuple[str, str]]:
    """When and on what a report was made. Nothing of it is in the metrics."""
    return [
        ("Made", f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
        ("Machine", f"{platform.system()} {platform.machine()}, {default_processes()} processors"),
        ("Python", platform.python_version()),
        ("Packages", ", ".join(f"{name} {v}" for name, v in versions(PACKAGES).items())),
        ("Commit", str(commit().get("commit") or "unknown")),
    ]
