"""The ablation for readers: its tables and its figure. Kilometres; shares are shown in per cent."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shared.evaluation.ablation import ALONE, COUNTRY, REFINED, TESTED, StepChange
from shared.evaluation.distances import DISTANCE_TITLES, distance_text
from shared.evaluation.figures import BLUE, FAINT, GREY, ORANGE, new_figure, plain
from shared.evaluation.geocell_facts import CLASSES, TITLES, fact_text
from shared.evaluation.seeds import Difference, SeedFigure
from shared.geo import Floats
from shared.training.geocell_steps import BASE, STEPS, label_of

COLUMNS: Mapping[str, str] = {
    COUNTRY: "country",
    "mean_km": "mean km",
    "median_km": "median km",
    **{name: title for name, title in DISTANCE_TITLES.items() if name.startswith("within")},
    TESTED: DISTANCE_TITLES[TESTED],
}
COMPARED = (COUNTRY, "mean_km", "median_km", "within_200", TESTED)
PANELS: Mapping[str, str] = {TESTED: "GeoScore, of 5,000", "median_km": "median distance, km"}

Figures = Mapping[str, SeedFigure]


def value_text(name: str, value: float) -> str:
    """A figure for people."""
    if name in TITLES:
        return fact_text(name, value)
    if name == COUNTRY:
        return f"{100 * value:.1f} %"
    return distance_text(name, value)


def figure_text(name: str, found: SeedFigure) -> str:
    """A figure with its interval over places, and its spread over the seeds."""
    unit = TITLES[name][1] if name in TITLES else "km" if name.endswith("_km") else "%"
    value, lower, upper, spread = (
        value_text(name, number).removesuffix(f" {unit}")
        for number in (
            found.interval.value,
            found.interval.lower,
            found.interval.upper,
            found.spread,
        )
    )
    tail = f" ± {spread}" if len(found.seeds) > 1 else ""
    return f"{value} ({lower} to {upper}){tail}"


def steps_frame(
    figures: Mapping[str, Figures], steps: Sequence[str], titles: Mapping[str, str]
) -> pd.DataFrame:
    """A row a step, a column a figure of PIGEON's Table 1.

    Args:
        figures: of all steps.
        steps: the rows, in order.
        titles: of the steps.
    """
    rows = {
        titles[step]: {
            title: figure_text(name, figures[step][name]) for name, title in COLUMNS.items()
        }
        for step in steps
    }
    return pd.DataFrame(rows).T.rename_axis("ours")


def tasks_frame(
    figures: Mapping[str, Figures], steps: Sequence[str], titles: Mapping[str, str]
) -> pd.DataFrame:
    """A row a step that tells facts, a column a fact, as PIGEON's Table 2."""
    rows = {
        titles[step]: {
            f"{TITLES[name][0]}, {TITLES[name][1]}{' right' if name in CLASSES else ''}": (
                figure_text(name, figures[step][name])
            )
            for name in TITLES
            if name in figures[step]
        }
        for step in steps
        if any(name in figures[step] for name in TITLES)
    }
    return pd.DataFrame(rows).T.rename_axis("ours")


def changes_frame(changes: Sequence[StepChange], titles: Mapping[str, str]) -> pd.DataFrame:
    """A row a comparison: differences with intervals over places and seeds, and the verdict."""
    rows = {
        f"{titles[c.step]} minus {titles[c.against]}": {
            **{COLUMNS[name]: difference_text(name, c.figures[name]) for name in COMPARED},
            "p of GeoScore (Holm)": f"{c.p:.3f}",
            "": c.verdict,
        }
        for c in changes
    }
    return pd.DataFrame(rows).T


def difference_text(name: str, found: Difference) -> str:
    """A difference with its interval: shares in points, the rest in its unit."""
    is_share = name == COUNTRY or name.startswith("within")
    factor, decimals = (100, 1) if is_share else (1, 0)
    value, lower, upper = (
        f"{factor * end:+,.{decimals}f}"
        for end in (found.interval.value, found.interval.lower, found.interval.upper)
    )
    return f"{value}{' points' if is_share else ''} ({lower} to {upper})"


def change_line(change: StepChange, titles: Mapping[str, str]) -> str:
    """A comparison in words."""
    km = change.figures["median_km"]
    return (
        f"{titles[change.step]} {change.verdict} against "
        f"{titles[change.against]}: GeoScore "
        f"{difference_text(TESTED, change.figures[TESTED])}, p {change.p:.3f}; median "
        f"{difference_text('median_km', km)} km"
    )


def step_titles(trained: Iterable[str]) -> dict[str, str]:
    """How steps are called, those of prototypes with them."""
    named = {step: label_of(step) for step in trained if step in STEPS}
    return {**named, REFINED: "+ prototypes", ALONE + REFINED: f"{BASE} + prototypes"}


def steps_figure(
    figures: Mapping[str, Figures],
    steps: Sequence[str],
    alone: Mapping[str, str],
    titles: Mapping[str, str],
    note: str,
) -> Figure:
    """GeoScore and median by step: one upon the other, and each alone beside.

    Args:
        figures: of all steps.
        steps: one upon the other, in order.
        alone: what holds each of them alone.
        titles: of the steps.
        note: the foot.
    """
    figure = new_figure(9.4, 0.46 * len(steps) + 1.6, note)
    panels = figure.subplots(1, len(PANELS), sharey=True, squeeze=False)[0]
    heights = np.arange(len(steps), dtype=np.float64)[::-1]
    for axes, (name, title) in zip(panels, PANELS.items(), strict=True):
        upon = [figures[step][name] for step in steps]
        _marks(axes, heights + 0.12, upon, BLUE, "one upon the other")
        axes.plot([f.interval.value for f in upon], heights + 0.12, color=BLUE, linewidth=0.8)
        chosen = [n for n, step in enumerate(steps) if step in alone]
        single = [figures[alone[steps[n]]][name] for n in chosen]
        _marks(axes, heights[chosen] - 0.16, single, ORANGE, "each alone on the base")
        axes.axvline(upon[0].interval.value, color=GREY, linewidth=0.8, linestyle=":")
        axes.set_yticks(heights, [titles[step] for step in steps])
        axes.set_ylim(-0.7, len(steps) - 0.4)
        axes.set_xlabel(title, fontsize=9)
        axes.grid(axis="x", color=FAINT)
        plain(axes)
        axes.tick_params(axis="y", length=0)
    panels[-1].legend(frameon=False, fontsize=8, loc="lower left", ncols=2, bbox_to_anchor=(0, 1.0))
    return figure


def _marks(
    axes: Axes, heights: Floats, found: Sequence[SeedFigure], colour: str, label: str
) -> None:
    for number, (height, one) in enumerate(zip(heights, found, strict=True)):
        ends = [one.interval.lower, one.interval.upper]
        axes.plot(ends, [height] * 2, color=colour, linewidth=3, alpha=0.35)
        axes.scatter(one.seeds, [height] * len(one.seeds), color=colour, s=5, alpha=0.7)
        axes.plot(
            [one.interval.value],
            [height],
            "o",
            color=colour,
            markersize=5,
            label=label if number == 0 else None,
        )
