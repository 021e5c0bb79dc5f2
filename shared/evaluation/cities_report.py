"""Tables of the cities' evaluation: figures for people and for `metrics.json`."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from shared.evaluation.cities import TITLES
from shared.evaluation.intervals import Interval, rounded

Figures = Mapping[str, Interval]
# Restricted geoclip's own table: accuracy, mean km, share within 25, 75 and 150 km (Figueroa,
# Gottlieb, Holland and Pogolian, 2024; the United Kingdom, split by photo).
PUBLISHED: Mapping[str, Mapping[str, float]] = {
    name: dict(zip(("accuracy", "mean_km", *list(TITLES)[3:]), values, strict=True))
    for name, values in {
        "grid": (0.0228, 292.23, 0.0128, 0.0954, 0.2554),
        "top-150": (0.1434, 127.88, 0.1955, 0.4700, 0.6722),
        "top-50": (0.2708, 130.76, 0.2222, 0.4531, 0.6250),
    }.items()
}
# The circles of its figure 4: its own in the United Kingdom, GeoguessrLSTM's 1,200 miles in the US.
CIRCLES_KM = {"GB": 130.76, "US": 1931.2}


def interval_text(found: Interval, name: str = "accuracy") -> str:
    """A figure with the ends of its interval: shares in per cent, distances in km."""
    if name.endswith("_km"):
        return f"{found.value:,.0f} ({found.lower:,.0f} to {found.upper:,.0f})"
    value, lower, upper = (100 * float(v) for v in (found.value, found.lower, found.upper))
    return f"{value:.1f} % ({lower:.1f} to {upper:.1f})"


def plain_text(value: float, name: str) -> str:
    """A figure without an interval."""
    return f"{value:,.0f}" if name.endswith("_km") else f"{100 * value:.1f} %"


def figures_frame(
    figures: Mapping[str, Figures], simple: Mapping[str, Mapping[str, Mapping[str, float]]]
) -> pd.DataFrame:
    """A row a protocol and rule, a column a figure of `TITLES`.

    Args:
        figures: by protocol.
        simple: by protocol and rule.
    """
    rows = {}
    for protocol, found in figures.items():
        rows[protocol, "the model"] = {TITLES[n]: interval_text(found[n], n) for n in TITLES}
        for rule, values in simple[protocol].items():
            rows[protocol, rule] = {TITLES[n]: plain_text(values[n], n) for n in TITLES}
    return pd.DataFrame(rows).T


def published_frame(figures: Mapping[str, Figures], is_synthetic: bool) -> pd.DataFrame | str:
    """What restricted geoclip reported beside ours; never beside synthetic photos."""
    if is_synthetic:
        return "Synthetic photos: no published result is put beside these figures."
    rows = {}
    for name, found in figures.items():
        if name in PUBLISHED:
            told = PUBLISHED[name]
            rows[name, "published, UK, split by photo"] = {
                TITLES[n]: plain_text(value, n) for n, value in told.items()
            }
            rows[name, "ours"] = {TITLES[n]: interval_text(found[n], n) for n in told}
    return pd.DataFrame(rows).T if rows else "Nothing was published for these lists of cities."


def published_km(is_synthetic: bool) -> dict[str, float]:
    """Mean errors to draw as circles, by country; none beside synthetic photos."""
    return {} if is_synthetic else dict(CIRCLES_KM)


def figures_document(
    figures: Mapping[str, Figures], rules: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Figures for `metrics.json`.

    Args:
        figures: by name; each figure with its interval.
        rules: more values by name: numbers, or numbers by rule.
    """
    told: dict[str, Any] = {
        name: {
            key: {end: rounded(float(getattr(one, end))) for end in ("value", "lower", "upper")}
            for key, one in found.items()
        }
        for name, found in figures.items()
    }
    return {**told, "rules": {name: _plain(values) for name, values in rules.items()}}


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _plain(value) if isinstance(value, Mapping) else rounded(float(value))
        for name, value in values.items()
    }
