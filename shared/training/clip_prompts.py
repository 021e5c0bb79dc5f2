"""Prompts that tell classes by text: templates filled with what is known of gazetteer places.

No photo is looked at, so classes without photos are told as the others are. Degrees `(lat, lon)`.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.data_loader import stable_order
from shared.gazetteer import gazetteer
from shared.processing.surroundings import driving_sides
from shared.training.caption_facts import place_facts, spoken
from shared.training.captions import fill

Facts = Mapping[str, Mapping[str, str]]  # by class, then by fact


def country_prompts(
    codes: Sequence[str],
    templates: Sequence[str],
    places: int = 8,
    seed: int = 0,
    more: Facts | None = None,
) -> list[list[str]]:
    """Prompts of countries, each told by the facts of some of its gazetteer places.

    Args:
        codes: the countries; they are also those that prompts may name as neighbours.
        templates: of captions (see `captions`): facts in braces, optional parts in brackets.
        places: how many places of a country are told; each gives a prompt a template.
        seed: which places.
        more: facts to add or to change, by country.

    Returns:
        Of each country its prompts, each text once.
    """
    table, prompts = gazetteer(), []
    for code in codes:
        points = some_places(table[table["cc"] == code], places, seed)
        facts = class_facts(points, [code] * len(points), codes)
        prompts.append(prompts_of(templates, facts.assign(**dict((more or {}).get(code, {})))))
    return prompts


def class_facts(
    points: NDArray[np.float64], codes: Sequence[str], among: Sequence[str]
) -> pd.DataFrame:
    """The facts of gazetteer places, with the side that their country drives on."""
    found = place_facts(points, codes, among, [str(n) for n in range(len(points))])
    found["driving_side"] = [driving_sides().get(code, "") for code in codes]
    return found


def prompts_of(templates: Sequence[str], facts: pd.DataFrame) -> list[str]:
    """Each template with the facts of each row; each text once, those without facts left out."""
    rows = [{str(k): str(v) for k, v in row.items()} for row in facts.to_dict("records")]
    texts = [fill(template, row) for template in templates for row in rows]
    return [text for text in dict.fromkeys(texts) if text]


def named(codes: Sequence[str], template: str) -> list[list[str]]:
    """One prompt a country, of its name alone: `"A photo in {country}."`."""
    return [[fill(template, {"country": spoken(code)})] for code in codes]


def some_places(table: pd.DataFrame, count: int, seed: int) -> NDArray[np.float64]:
    """(M, 2) some points of a table with `lat` and `lon`; coordinates and seed decide which."""
    points = table[["lat", "lon"]].to_numpy(dtype=np.float64)
    names = [f"{lat:.5f} {lon:.5f}" for lat, lon in points]
    rows = {name: row for row, name in enumerate(names)}
    return points[[rows[name] for name in stable_order(rows, seed)[:count]]]
