"""What the report of `4-evaluation/benchmark` says."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from shared.evaluation.approaches import figure_cell
from shared.evaluation.benchmark import BenchmarkPhotos, BenchmarkResult, Reach
from shared.evaluation.distances import DISTANCE_TITLES
from shared.evaluation.intervals import Interval
from shared.evaluation.metrics import FIGURE_TITLES
from shared.evaluation.report import Card, Cell, Picture, Report, Section, Table

TITLES = {**FIGURE_TITLES, **DISTANCE_TITLES}


def benchmark_document(
    result: BenchmarkResult, within: Reach, beside: pd.DataFrame, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What `metrics.json` holds."""
    return {
        **facts,
        "reach": {
            "photos": within.photos,
            "lost": within.lost,
            "unknown": within.unknown.to_dict("records"),
        },
        "figures": {
            name: {key: interval.as_dict() for key, interval in found.items()}
            for name, found in result.figures.items()
        },
        "areas": {k: None if pd.isna(v) else round(v, 6) for k, v in result.areas.items()},
        "conventions": {
            str(name): {str(k): round(float(v), 6) for k, v in row.items()}
            for name, row in result.conventions.iterrows()
        },
        "beside_published": [
            {str(k): v for k, v in row.items() if not pd.isna(v)}
            for row in beside.to_dict("records")
        ],
    }


def benchmark_report(
    result: BenchmarkResult,
    within: Reach,
    beside: pd.DataFrame,
    pictures: Mapping[str, Picture],
    photos: BenchmarkPhotos,
    facts: Mapping[str, Any],
    is_synthetic: bool,
) -> Report:
    """The report of a benchmark."""
    rows = [
        [Cell(name), *(figure_cell(key, found.get(key)) for key in TITLES)]
        for name, found in result.figures.items()
    ]
    unknown = [
        [Cell(r["name"]), Cell(f"{r['photos']:,}", order=r["photos"])]
        for r in within.unknown.to_dict("records")
    ]
    sections = [
        Section("The figures", table=Table(["", *TITLES.values()], rows)),
        Section(
            "Countries that the model cannot know",
            [within.sentence],
            Table(["country", "photos"], unknown, is_sortable=True) if unknown else None,
        ),
        Section("How far off", pictures=list(pictures.values())),
        _beside_section(beside, is_synthetic),
    ]
    return Report(
        title=f"Benchmark: {photos.title}",
        badge="synthetic" if is_synthetic else "",
        lead=". ".join(f"{k}: {v}" for k, v in result.headline().items()) + ".",
        cards=[Card(k, v.split(" (")[0]) for k, v in list(result.headline().items())[:4]],
        sections=sections,
        limits=[
            *photos.notes,
            "Published rows are other protocols: other photos, other training, other questions.",
            "A guess is no evidence of where a photo was taken. Do not use it to find people.",
        ],
        facts=[
            ("Photos", f"{photos.title} ({photos.layout}), digest {photos.digest}"),
            ("Model", f"{facts['task']}, {facts['model']['backbone']}"),
            ("Digest of the weights", str(facts["model"]["weights_digest"])),
            ("Read as points by", str(facts["readout"])),
        ],
    )


def _beside_section(beside: pd.DataFrame, is_synthetic: bool) -> Section:
    if is_synthetic:
        text = "These photos are synthetic: their figures are put beside no published ones."
        return Section("Beside published results", [text])
    shown = [c for c in ("top_1", "top_5", *DISTANCE_TITLES, "country") if c in beside.columns]
    rows = []
    for row in beside.to_dict("records"):
        cells = [Cell(str(row[c])) for c in ("model", "protocol", "convention")]
        cells += [Cell("" if pd.isna(row[c]) else _text(c, row[c])) for c in shown]
        rows.append(cells)
    text = (
        "Below each published result stands this model, counted by that publication's convention. "
        "These are not one protocol: read each row with what was asked, of what, after what."
    )
    titles = [TITLES.get(c, c) for c in shown]
    return Section(
        "Beside published results", [text], Table(["", "protocol", "convention", *titles], rows)
    )


def _text(name: str, value: float) -> str:
    return figure_cell(name, Interval(value, value, value)).text
