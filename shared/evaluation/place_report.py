"""What the reports of `4-evaluation/region` and `4-evaluation/coordinates` say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from shared.evaluation.approaches import (
    CENTRE,
    LEAST,
    Approach,
    approach_table,
    figure_cell,
    figure_text,
    versus_lines,
)
from shared.evaluation.areas import LEVELS
from shared.evaluation.conventions import CONVENTIONS
from shared.evaluation.country_report import POOLED
from shared.evaluation.distances import DISTANCE_TITLES, distance_text
from shared.evaluation.intervals import Interval
from shared.evaluation.metrics import FIGURE_TITLES
from shared.evaluation.place_summary import PlaceSummary
from shared.evaluation.report import Card, Cell, Picture, Report, Section, Table
from shared.evaluation.slice_sections import slice_sections
from shared.evaluation.summary import MODEL, MODEL_PLACES
from shared.evaluation.trust import Trust, trust_sections

CARDS = ("median_km", "mean_km", "geo_score", "within_200", "within_750")


@dataclass(frozen=True)
class PlaceReport:
    """What goes into a report of distances.

    Attributes:
        summary: the figures.
        trust: leakage, calibration, credible areas, abstention.
        approaches: all models under one protocol.
        slices: of `slices.slice_table`.
        urban: what counts as urban.
        figures: pictures by name: `cumulative`, `map`, `comparison`, `approaches`, `slices`, and
            those of `trust.trust_pictures`.
    """

    summary: PlaceSummary
    trust: Trust
    approaches: Sequence[Approach]
    slices: pd.DataFrame
    urban: str
    figures: Mapping[str, Picture]


def place_report(
    found: PlaceReport, question: str, title: str, is_synthetic: bool, facts: Mapping[str, Any]
) -> Report:
    """The report of an evaluation by distance.

    Args:
        found: what it is made of.
        question: such as `"Which region?"`.
        title: of the data set.
        is_synthetic: whether its photos are painted.
        facts: what `metrics.json` says of how it was made.
    """
    figures = found.figures
    return Report(
        title=f"{question} {title}",
        badge="synthetic" if is_synthetic else "",
        lead=lead_of(found.summary, is_synthetic),
        cards=_cards(found.summary),
        sections=[
            _rules(found.summary, [figures["comparison"], figures["cumulative"]]),
            *_classes(found.summary),
            _approaches(found.approaches, figures["approaches"]),
            Section("Where it errs", pictures=[figures["map"]]),
            _areas(found.summary),
            *slice_sections(found.slices, found.urban, [figures["slices"]]),
            *trust_sections(found.trust, figures),
            _conventions(found.summary.conventions),
        ],
        limits=_limits(is_synthetic, facts),
        facts=_facts(found.summary, facts),
        warnings=found.trust.leakage.warnings,
    )


def lead_of(summary: PlaceSummary, is_synthetic: bool) -> str:
    """The answer, in two sentences."""
    photos = summary.figures[MODEL]
    kind = "painted (synthetic) photos" if is_synthetic else "photos"
    text = (
        f"Half of the guesses of {len(summary.table):,} {kind} from {len(summary.places):,} places "
        f"lie within {span('median_km', photos['median_km'])} of the truth"
    )
    if len(summary.places) < len(summary.table):
        pooled = summary.figures[MODEL_PLACES]["median_km"]
        text += f", and within {span('median_km', pooled)} given all views of a place"
    best = min(summary.baselines.items(), key=lambda item: item[1].figures["median_km"].value)
    value = distance_text("median_km", best[1].figures["median_km"].value)
    return f"{text}. The nearest simple rule, {best[0]}, reaches {value}. Brackets: 95 % intervals."


def span(name: str, found: Interval) -> str:
    """A figure with its interval as text: `"385.6 km (350.1 to 402.3)"`."""
    ends = [figure_text(name, end).removesuffix(" km") for end in (found.lower, found.upper)]
    return f"{figure_text(name, found.value)} ({ends[0]} to {ends[1]})"


def place_headline(summary: PlaceSummary) -> dict[str, str]:
    """The figures that the runner prints at its end."""
    photos, places = summary.figures[MODEL], summary.figures[MODEL_PLACES]
    found = {
        "median distance": span("median_km", photos["median_km"]),
        "median distance of places, all views": span("median_km", places["median_km"]),
        "GeoScore": span("geo_score", photos["geo_score"]),
    }
    if summary.classes:
        found["top-1"] = summary.classes[MODEL]["top_1"].percent()
    return found


def gain_lines(approaches: Sequence[Approach]) -> list[str]:
    """What the point of least expected distance gains over the centre, in words."""
    lines = []
    for one in approaches:
        for kind, gain in one.gain.items():
            km, score = gain["median_km"], gain["geo_score"]
            lines.append(
                f"{one.name}, probabilities {kind}: least expected distance against centre: "
                f"median {km.value:+,.1f} km ({km.lower:+,.1f} to {km.upper:+,.1f}), GeoScore "
                f"{score.value:+,.1f} ({score.lower:+,.1f} to {score.upper:+,.1f})."
            )
    return lines


def _cards(summary: PlaceSummary) -> list[Card]:
    photos = summary.figures[MODEL]
    cards = [
        Card(
            DISTANCE_TITLES[name], figure_text(name, photos[name].value), _ends(name, photos[name])
        )
        for name in CARDS
    ]
    if summary.classes:
        top = summary.classes[MODEL]["top_1"]
        cards.append(Card("top-1", figure_text("top_1", top.value), _ends("top_1", top)))
    return cards


def _ends(name: str, found: Interval) -> str:
    return f"{figure_text(name, found.lower)} to {figure_text(name, found.upper)}"


def comparison_figures(summary: PlaceSummary) -> dict[str, dict[str, Interval]]:
    """Distances of the model, for photos and places, and of each baseline, by name."""
    return {**summary.figures, **{name: b.figures for name, b in summary.baselines.items()}}


def _rules(summary: PlaceSummary, pictures: Sequence[Picture]) -> Section:
    rows = []
    for name, found in comparison_figures(summary).items():
        baseline = summary.baselines.get(name)
        gain = Cell("")
        if baseline:
            km = baseline.difference["median_km"]
            gain = Cell(f"{km.value:+,.0f} km", f"{km.lower:+,.0f} to {km.upper:+,.0f}")
        rows.append([Cell(name), *(figure_cell(k, found[k]) for k in DISTANCE_TITLES), gain])
    text = (
        "The best constant is the point of least mean distance to the training photos; nearest by "
        "colour takes the place of the training photo with the most alike colours; the nearest "
        "training place is what a perfect search among the training photos would reach. The "
        "difference is paired: each draw of the bootstrap takes the same places for both."
    )
    columns = ["", *DISTANCE_TITLES.values(), "model minus this, median"]
    return Section("Against simple rules", [text], Table(columns, rows), list(pictures))


def _classes(summary: PlaceSummary) -> list[Section]:
    if not summary.classes:
        return []
    rows = [
        [Cell(name), *(figure_cell(key, found[key]) for key in FIGURE_TITLES)]
        for name, found in summary.classes.items()
    ]
    text = "How often the region itself is named. A region that the model lacks counts as wrong."
    return [Section("Right region", [text], Table(["", *FIGURE_TITLES.values()], rows))]


def _approaches(approaches: Sequence[Approach], picture: Picture) -> Section:
    text = (
        "Each model of this data set on the same photos. A model of regions is read as countries "
        "by summing the regions of each; a point by the country of the nearest place. Classes are "
        f"read as points by the {CENTRE} of the likeliest, and by the point of least "
        f"{LEAST.replace('-', ' ')}. Small: 95 % intervals over places."
    )
    paragraphs = [text, *gain_lines(approaches), *versus_lines(approaches)]
    return Section(
        "All approaches, one protocol", paragraphs, approach_table(approaches), [picture]
    )


def _areas(summary: PlaceSummary) -> Section:
    rows = [[Cell(level), figure_cell("top_1", summary.areas[level])] for level in LEVELS]
    text = (
        "Country, region, area and city of guess and truth are those of the gazetteer's nearest "
        "place. Photos whose own label is missing at a level are not counted there."
    )
    return Section("In the right area", [text], Table(["", "right"], rows))


def _conventions(table: pd.DataFrame) -> Section:
    rows = []
    for name, row in table.iterrows():
        cells = [Cell(figure_text(key, float(row[key]))) for key in DISTANCE_TITLES]
        rows.append([Cell(str(name)), *cells, Cell(CONVENTIONS[str(name)].source)])
    text = (
        "The same guesses, counted as other publications count theirs; "
        "distances of geoguessrai are miles."
    )
    columns = ["convention", *DISTANCE_TITLES.values(), "what it is"]
    return Section("By other conventions", [text], Table(columns, rows))


def _limits(is_synthetic: bool, facts: Mapping[str, Any]) -> list[str]:
    found = []
    if is_synthetic:
        found.append(
            "The photos are synthetic: painted by rules. Nothing here says how a model does on "
            "real photos, and no figure here may be put beside one on real photos."
        )
    if left := facts.get("photos_without_truth", 0):
        found.append(f"{left:,} photos of the test have no known place, and are not counted.")
    return [
        *found,
        "Intervals cover which places happened to be in the test. They do not cover the luck of "
        "one training run: train with several seeds to see that.",
        "Photos of another source, season or camera than those of the test can be harder.",
        "A guess is no evidence of where a photo was taken. Do not use it to find people.",
    ]


def _facts(summary: PlaceSummary, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    model, test, drawn = facts["model"], facts["test_list"], facts["intervals"]
    size = model["preprocessing"]
    size = f"{size['width']} x {size['height']} pixels ({size['fit']})"
    kind = " (synthetic)" if facts["dataset"]["is_synthetic"] else ""
    classes = f", {len(model['classes'])} classes" if model["classes"] else ", no classes"
    return [
        ("Data set", f"{facts['dataset']['name']}{kind}"),
        (
            "Test",
            f"{len(summary.table):,} photos of {len(summary.places):,} places, {test['name']}",
        ),
        ("Digest of the test list", test["digest"]),
        ("Model", f"{model['backbone']}, {size}{classes}"),
        ("Trained on", f"{model['trained_on'] or 'see its folder'}, seed {model['seed']}"),
        ("Digest of the weights", model["weights_digest"]),
        ("Read as points by", facts["readout"]),
        ("Views of a place", POOLED[facts["pooling"]]),
        (
            "Intervals",
            f"{100 * drawn['level']:.0f} %, percentile bootstrap over {drawn['over']}, "
            f"{drawn['draws']:,} draws, seed {drawn['seed']}",
        ),
    ]
