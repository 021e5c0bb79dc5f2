"""PIGEON's ablation as published: Tables 1 and 2 of Haas et al. 2023 (arXiv 2307.05845).

5,000 held-out GeoGuessr places, a model of 100,000 places of four real photos each, by the
`pigeon` convention. Neither photos nor protocol are ours: it is shown under its own heading, never
in one table with figures of ours. Shares are between 0 and 1, distances km.
"""

from collections.abc import Mapping

import pandas as pd

from shared.evaluation.geocell_facts import TITLES, fact_text

PROTOCOL = (
    "5,000 held-out GeoGuessr places with four real photos each, from training on 100,000 places; "
    "a right country is the polygon that the guess lies in"
)
# By the steps of ours: country, median km, GeoScore. Each row holds all steps above it.
STEPS: Mapping[str, tuple[float, float, float]] = {
    "base": (0.7212, 148.0, 3890),
    "smoothing": (0.7474, 131.1, 3986),
    "views": (0.8764, 60.81, 4442),
    "last-layer": (0.8790, 61.81, 4442),
    "tasks": (0.8796, 60.63, 4454),
    "semantic-cells": (0.8936, 55.51, 4464),
    "pretraining": (0.9114, 50.01, 4522),
    "prototypes": (0.9196, 44.35, 4525),
}
# The auxiliary errors, with semantic geocells: of numbers the mean absolute error in their unit, of
# classes the share that is right.
TASKS: Mapping[str, float] = {
    "elevation_m": 147.1,
    "population_per_km2": 1064.0,
    "temperature_c": 1.36,
    "precipitation_mm_day": 14.71,
    "month": 0.4574,
    "climate": 0.7466,
}


def published_steps(titles: Mapping[str, str]) -> pd.DataFrame:
    """The published steps as a table for people.

    Args:
        titles: of the steps, by name; those that are not named keep their names.
    """
    rows = {
        titles.get(name, name): {
            "country": f"{100 * country:.2f} %",
            "median km": f"{median:,.2f}".rstrip("0").rstrip("."),
            "GeoScore": f"{score:,.0f}",
        }
        for name, (country, median, score) in STEPS.items()
    }
    return pd.DataFrame(rows).T.rename_axis("published: PIGEON")


def published_tasks() -> pd.DataFrame:
    """The published auxiliary errors as a table for people."""
    rows = {TITLES[name][0]: {"published": fact_text(name, value)} for name, value in TASKS.items()}
    return pd.DataFrame(rows).T.rename_axis("PIGEON, with semantic geocells")
