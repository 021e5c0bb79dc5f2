"""What the report of `4-evaluation/country` says: its sentences, tables and limits."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from shared.countries import name_of
from shared.evaluation.intervals import Interval
from shared.evaluation.metrics import FIGURE_TITLES
from shared.evaluation.report import Card, Cell, Picture, Report, Section, Table
from shared.evaluation.summary import MODEL, MODEL_PLACES, Summary

POOLED = {"log": "mean of log-probabilities", "mean": "mean of probabilities"}


def country_report(
    summary: Summary,
    title: str,
    is_synthetic: bool,
    figures: Mapping[str, Picture],
    mistakes: pd.DataFrame,
    facts: Mapping[str, Any],
    few_places: int,
) -> Report:
    """The report of an evaluation of countries.

    Args:
        summary: the evaluation.
        title: of the data set.
        is_synthetic: whether its photos are painted.
        figures: `comparison`, `map`, `confusion`, `reliability`, and `mistakes` where the photos
            may be shown.
        mistakes: rows of `metrics.confident_mistakes`.
        facts: what `metrics.json` says of how it was made.
        few_places: below this many places a country's figures are faint.
    """
    return Report(
        title=f"Which country? {title}",
        badge="synthetic" if is_synthetic else "",
        lead=_lead(summary, is_synthetic, facts["places_in_test_and_training"]),
        cards=_cards(summary),
        sections=[
            _comparison(summary, figures["comparison"]),
            *([_unknown(summary)] if len(summary.unknown) else []),
            Section("Where it is right", pictures=[figures["map"]]),
            _by_country(summary.countries, few_places),
            Section("What is taken for what", pictures=[figures["confusion"]]),
            _confidence(summary, figures["reliability"]),
            _mistakes(mistakes, figures.get("mistakes")),
        ],
        limits=_limits(summary, facts, few_places),
        facts=_facts(summary, facts),
    )


def comparison_rows(summary: Summary) -> dict[str, dict[str, Interval]]:
    """The figures of the model, for photos and places, and of each baseline, by name."""
    baselines = {name: found.figures for name, found in summary.baselines.items()}
    return {
        MODEL: summary.units["photos"].figures,
        MODEL_PLACES: summary.units["places"].figures,
        **baselines,
    }


def headline(summary: Summary) -> dict[str, str]:
    """The figures that the runner prints at its end."""
    photos, places = summary.units["photos"], summary.units["places"]
    found = {
        "top-1": photos.figures["top_1"].percent(),
        "top-1 of places, all views": places.figures["top_1"].percent(),
        "top-5": photos.figures["top_5"].percent(),
        "balanced accuracy": photos.figures["balanced_accuracy"].percent(),
    }
    if photos.known is not None:
        found["top-1 of the countries it knows"] = photos.known["top_1"].percent()
    return found


def _lead(summary: Summary, is_synthetic: bool, n_seen_places: int) -> str:
    photos, places = summary.units["photos"], summary.units["places"]
    kind = "painted (synthetic) photos" if is_synthetic else "photos"
    text = (
        f"The model names the right country for {photos.figures['top_1'].percent()} of "
        f"{len(photos.table):,} {kind} from {len(places.table):,} places"
    )
    text += "" if n_seen_places else " that it has never seen"
    if len(places.table) < len(photos.table):
        text += f", and for {places.figures['top_1'].percent()} of the places given all their views"
    name, best = max(summary.baselines.items(), key=lambda item: item[1].figures["top_1"].value)
    rule = f"The strongest simple rule, {name}, reaches {100 * best.figures['top_1'].value:.1f} %."
    return f"{text}. {rule}{_known_sentence(summary)} Brackets hold 95 % intervals."


def _known_sentence(summary: Summary) -> str:
    photos = summary.units["photos"]
    if photos.known is None:
        return ""
    return f" Of the photos of countries that it knows it names {photos.known['top_1'].percent()}."


def _cards(summary: Summary) -> list[Card]:
    photos = summary.units["photos"]
    cards = [
        Card(title, f"{100 * photos.figures[name].value:.1f} %", _between(photos.figures[name]))
        for name, title in FIGURE_TITLES.items()
    ]
    ece = photos.calibrations[0].ece
    return [*cards, Card("calibration error", f"{100 * ece.value:.1f} %", _between(ece))]


def _comparison(summary: Summary, picture: Picture) -> Section:
    rows = []
    for name, found in comparison_rows(summary).items():
        baseline = summary.baselines.get(name)
        difference = baseline.difference.get("top_1") if baseline else None
        gain = _difference_cell(difference) if difference else Cell("")
        figures = [_figure_cell(found.get(figure)) for figure in FIGURE_TITLES]
        rows.append([Cell(name), *figures, gain])
    columns = ["", *FIGURE_TITLES.values(), "model better by (top-1)"]
    text = (
        "Each baseline was fit on the training list and guesses the same test photos. Nearest by "
        "colour gives the country of the training photo with the most alike colours; majority "
        "class always gives the most frequent country; chance draws by lot. The difference is "
        "paired: each draw of the bootstrap takes the same places for both. Small: 95 % "
        "intervals over places."
    )
    return Section("Against simple rules", [text], Table(columns, rows), [picture])


def _unknown(summary: Summary) -> Section:
    photos = summary.units["photos"]
    share = summary.unknown["photos"].sum() / len(photos.table)
    rows = [
        [
            Cell(row["name"]),
            Cell(f"{row['photos']:,}", order=row["photos"]),
            Cell(f"{row['places']:,}", order=row["places"]),
        ]
        for row in summary.unknown.to_dict("records")
    ]
    text = (
        f"For {_count(len(summary.unknown)).lower()} of the test, with "
        f"{summary.unknown['photos'].sum():,} photos ({100 * share:.1f} %), the model has no "
        "class: it can only be wrong there. They count as wrong in all figures above."
        f"{_known_sentence(summary)}"
    )
    table = Table(["country", "photos", "places"], rows, is_sortable=True)
    return Section("Countries that the model does not know", [text], table)


def _by_country(countries: pd.DataFrame, few_places: int) -> Section:
    rows = [_country_row(row, few_places) for row in countries.to_dict("records")]
    columns = ["country", "continent", "photos", "places", "recall", "precision", "F1"]
    text = (
        "Recall: share of a country's photos that are given it. Precision: share of the photos "
        "given a country that are from there. Bars show the value, their black lines the 95 % "
        f"interval over places. Grey: fewer than {few_places} places. A column's title sorts by it."
    )
    table = Table([*columns, "most often taken for"], rows, is_sortable=True)
    return Section("Country by country", [text], table)


def _country_row(row: Mapping[Any, Any], few_places: int) -> list[Cell]:
    is_faint = row["places"] < few_places
    name = row["name"] if row["is_known"] else f"{row['name']} (not a class)"
    taken_for = ""
    if row["confused_with"]:
        taken_for = f"{name_of(row['confused_with'])} ({row['confused']} of {row['photos']})"
    return [
        Cell(name, is_faint=is_faint),
        Cell(row["continent"], is_faint=is_faint),
        Cell(f"{row['photos']:,}", order=row["photos"], is_faint=is_faint),
        Cell(f"{row['places']:,}", order=row["places"], is_faint=is_faint),
        *(_class_cell(row, name, is_faint) for name in ("recall", "precision", "f1")),
        Cell(taken_for, is_faint=is_faint),
    ]


def _class_cell(row: Mapping[Any, Any], name: str, is_faint: bool) -> Cell:
    found = Interval(row[name], row[f"{name}_lower"], row[f"{name}_upper"])
    if math.isnan(found.value):
        return Cell("none", order=-1.0, is_faint=True)
    bar = None if math.isnan(found.lower) or name == "f1" else found
    text = f"{100 * found.value:.0f} %"
    return Cell(text, order=round(found.value, 6), share=bar, is_faint=is_faint)


def _confidence(summary: Summary, picture: Picture) -> Section:
    eces = {unit: found.calibrations[0].ece for unit, found in summary.units.items()}
    gap = _mean_gap(summary)
    leaning = "surer than it is right" if gap > 0 else "less sure than it is right"
    text = (
        f"On average the model is {leaning}, by {100 * abs(gap):.1f} points. The expected "
        f"calibration error is {eces['photos'].percent()} for photos and "
        f"{eces['places'].percent()} for places."
    )
    return Section("Is its confidence honest?", [text], pictures=[picture])


def _mean_gap(summary: Summary) -> float:
    bins = summary.units["photos"].calibrations[0].bins
    gap = (bins["n"] * (bins["confidence"] - bins["accuracy"])).sum() / bins["n"].sum()
    return float(gap)


def _mistakes(mistakes: pd.DataFrame, picture: Picture | None) -> Section:
    title = "The most confident mistakes"
    if len(mistakes) == 0:
        return Section(title, ["There is none: every guess is right."])
    if picture is not None:
        return Section(title, pictures=[picture])
    rows = [
        [
            Cell(row["id"]),
            Cell(name_of(row["true_code"])),
            Cell(name_of(row["pred_code"])),
            Cell(f"{100 * row['confidence']:.1f} %", order=row["confidence"]),
        ]
        for row in mistakes.to_dict("records")
    ]
    text = "These photos are not ours to show: their ids are named instead. At most one a place."
    table = Table(["photo", "truly", "guess", "confidence"], rows, is_sortable=True)
    return Section(title, [text], table)


def _limits(summary: Summary, facts: Mapping[str, Any], few_places: int) -> list[str]:
    few = int(
        ((summary.countries["places"] > 0) & (summary.countries["places"] < few_places)).sum()
    )
    found = []
    if seen := facts["places_in_test_and_training"]:
        found.append(
            f"{seen:,} places of the test are in the training list too: these figures also count "
            "what was remembered, and say too much."
        )
    if facts["dataset"]["is_synthetic"]:
        found.append(
            "The photos are synthetic: painted by rules. Nothing here says how a model does on "
            "real photos, and no figure here may be put beside one on real photos."
        )
    found += [
        "Intervals cover which places happened to be in the test. They do not cover the luck of "
        "one training run: train with several seeds to see that.",
        f"{_count(few)} with fewer than {few_places} places here: their figures say little. An "
        "interval without width means that all places of a country agree, not that it is certain.",
        "Photos of another source, season or camera than those of the test can be harder.",
        "A guess is no evidence of where a photo was taken. Do not use it to find people.",
    ]
    return found


def _facts(summary: Summary, facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """How the figures were made, for readers."""
    photos, places = (summary.units[unit].table for unit in ("photos", "places"))
    model, test, drawn = facts["model"], facts["test_list"], facts["intervals"]
    size = model["preprocessing"]
    size = f"{size['width']} x {size['height']} pixels ({size['fit']})"
    kind = " (synthetic)" if facts["dataset"]["is_synthetic"] else ""
    source, pooled = facts["baselines_from"], POOLED[facts["pooling"]]
    return [
        ("Data set", f"{facts['dataset']['name']}{kind}"),
        ("Test", f"{len(photos):,} photos of {len(places):,} places, {test['name']}"),
        ("Digest of the test list", test["digest"]),
        ("Places also trained on", str(facts["places_in_test_and_training"])),
        ("Model", f"{model['backbone']}, {size}, {len(model['classes'])} countries"),
        ("Trained on", f"{model['trained_on'] or 'see its folder'}, seed {model['seed']}"),
        ("Digest of the weights", model["weights_digest"]),
        ("Baselines from", f"{source['dataset']}, {source['list']}"),
        ("Views of a place", pooled),
        (
            "Intervals",
            f"{100 * drawn['level']:.0f} %, percentile bootstrap over {drawn['over']}, "
            f"{drawn['draws']:,} draws, seed {drawn['seed']}",
        ),
    ]


def _figure_cell(found: Interval | None) -> Cell:
    if found is None:
        return Cell("")
    is_exact = found.lower == found.value == found.upper
    return Cell(f"{100 * found.value:.1f} %", "" if is_exact else _between(found))


def _difference_cell(found: Interval) -> Cell:
    low, high = 100 * found.lower, 100 * found.upper
    return Cell(f"{100 * found.value:+.1f} points", f"{low:+.1f} to {high:+.1f}")


def _between(found: Interval) -> str:
    return f"{100 * found.lower:.1f} to {100 * found.upper:.1f}"


def _count(n_countries: int) -> str:
    return f"{n_countries or 'No'} countr{'y' if n_countries == 1 else 'ies'}"
