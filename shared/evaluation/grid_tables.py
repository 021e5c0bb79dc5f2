"""Tables of `evaluation.grid`'s figures for people: values with intervals, and paired differences.

Distances are kilometres, but for the ancestor's mean in miles.
"""

from collections.abc import Mapping

import pandas as pd

from shared.evaluation.distances import distance_text
from shared.evaluation.intervals import Interval

TITLES = {
    "top_1": "right cell",
    "top_5": "among five",
    "ancestor_miles": "ancestor, mean miles",
    "ancestor_km": "ancestor, mean km",
    "mean_km": "mean",
    "median_km": "median",
    "geo_score": "GeoScore",
}
COMPARED = ("top_1", "ancestor_km", "mean_km", "median_km", "geo_score")

Figures = Mapping[str, Interval]


def figure_text(name: str, found: Interval) -> str:
    """A figure with its interval."""
    value, lower, upper = (_text(name, v) for v in (found.value, found.lower, found.upper))
    return f"{value} ({lower} to {upper})"


def difference_text(name: str, found: Interval) -> str:
    """A difference with its interval; *clear* where that leaves out 0."""
    factor, unit = (100, " points") if name.startswith("top") else (1, "")
    ends = f"{factor * found.lower:+,.1f} to {factor * found.upper:+,.1f}"
    return f"{factor * found.value:+,.1f}{unit} ({ends}{', clear' if found.is_clear else ''})"


def figures_frame(rows: Mapping[str, Mapping[int, Figures]]) -> pd.DataFrame:
    """A row a model and number of views, a column a figure."""
    table = {
        (name, n): {
            title: figure_text(key, figures[key]) for key, title in TITLES.items() if key in figures
        }
        for name, found in rows.items()
        for n, figures in found.items()
    }
    return pd.DataFrame(table).T.rename_axis(["head", "views"])


def differences_frame(rows: Mapping[str, Figures]) -> pd.DataFrame:
    """A row a comparison, a column a figure."""
    table = {
        name: {TITLES[key]: difference_text(key, found[key]) for key in COMPARED}
        for name, found in rows.items()
    }
    return pd.DataFrame(table).T


def figures_document(rows: Mapping[str, Mapping[int, Figures]]) -> dict[str, object]:
    """The same as `figures_frame` for JSON: value and ends of each interval."""
    return {
        name: {
            str(n): {key: figures[key].as_dict() for key in TITLES if key in figures}
            for n, figures in found.items()
        }
        for name, found in rows.items()
    }


def differences_document(rows: Mapping[str, Figures]) -> dict[str, object]:
    """The same as `differences_frame` for JSON, with all figures."""
    return {
        name: {key: one.as_dict() for key, one in found.items()} for name, found in rows.items()
    }


def _text(name: str, value: float) -> str:
    if name.startswith("ancestor"):
        return f"{value:,.0f}"
    return f"{100 * value:.1f} %" if name.startswith("top") else distance_text(name, value)
