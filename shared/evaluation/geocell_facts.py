"""How well a model tells what surrounds a place: errors in real units, beside the constant guess.

Of numbers the mean absolute error, whose best constant is the median of the training places; of
classes (climate, month, driving side) the share that is right, whose best constant is the class
that most training places have. Places whose own fact is not known are left out, fact by fact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap
from shared.evaluation.metrics import ratio
from shared.training.geocell_targets import WEIGHTS, Fact, as_texts, constant_guess

CLASSES = tuple(WEIGHTS)  # those that are no numbers
# What is told, how it is called, its unit, and how many decimals a table shows.
TITLES: Mapping[str, tuple[str, str, int]] = {
    "elevation_m": ("elevation", "m", 0),
    "population_per_km2": ("population", "people/km²", 0),
    "temperature_c": ("temperature", "°C", 2),
    "temperature_range_c": ("temperature range", "°C", 2),
    "precipitation_mm_day": ("precipitation", "mm/day", 2),
    "precipitation_range_mm_day": ("precipitation range", "mm/day", 2),
    "climate": ("climate", "%", 1),
    "month": ("month", "%", 1),
    "driving_side": ("driving side", "%", 1),
}


@dataclass(frozen=True)
class FactError:
    """How well one fact is told.

    Attributes:
        name: of the fact, as in `TITLES`.
        n: places whose fact is known.
        model: mean absolute error, or share right.
        constant: the same of the best constant guess.
        difference: model minus constant, paired over places.
    """

    name: str
    n: int
    model: Interval
    constant: Interval
    difference: Interval

    @property
    def helps(self) -> bool:
        """Whether the model is clearly better than the constant."""
        better = self.difference.lower > 0 if self.name in CLASSES else self.difference.upper < 0
        return bool(better)


def facts_of_places(surroundings: pd.DataFrame, ids: list[str], places: list[str]) -> pd.DataFrame:
    """What is known of places: the facts of their first photo that has each.

    Args:
        surroundings: of photos, by id, as of `surroundings.load_surroundings`.
        ids: photos.
        places: the place of each of them.

    Returns:
        By place, sorted, a column a fact of `TITLES` that the table has; NaN where unknown.
    """
    columns = [name for name in TITLES if name in surroundings.columns]
    table = surroundings.reindex(ids)[columns].replace("", np.nan)
    return table.groupby(np.asarray(places, dtype=object), sort=True).first()


def place_errors(told: Mapping[str, NDArray[Any]], known: pd.DataFrame) -> dict[str, Floats]:
    """(P,) the error of each place by fact: absolute, or 1 where a class is right and 0 where not.

    Args:
        told: what the model says, in the places' order: numbers, or classes as texts or numbers.
        known: by place, as of `facts_of_places`. Facts that no place has are left out.

    Returns:
        NaN where the fact is not known.
    """
    names = [
        name for name in TITLES if name in told and name in known and known[name].notna().any()
    ]
    return {name: _errors(name, told[name], known[name]) for name in names}


def fact_errors(
    facts: Sequence[Fact],
    told: Mapping[str, NDArray[Any]],
    known: pd.DataFrame,
    train: pd.DataFrame,
    bootstrap: PlaceBootstrap,
) -> list[FactError]:
    """How well each fact is told, beside the best constant, with intervals over places.

    Args:
        facts: what the model was taught to tell.
        told: what it says of places.
        known: what is known of them, in the same order.
        train: what is known of the training places.
        bootstrap: how places are drawn.
    """
    found, taught = [], {fact.name: fact for fact in facts}
    for name, errors in place_errors(told, known).items():
        guess = np.full(len(known), constant_guess(taught[name], train[name]), dtype=object)
        plain = _errors(name, guess, known[name])
        is_known = (~np.isnan(errors)).astype(np.float64)
        sums = {
            "n": is_known,
            "model": np.nan_to_num(errors),
            "constant": np.nan_to_num(plain),
        }

        def figures(summed: Mapping[str, Floats]) -> dict[str, Floats]:
            model, constant = (ratio(summed[k], summed["n"]) for k in ("model", "constant"))
            return {"model": model, "constant": constant, "difference": model - constant}

        made = bootstrap.intervals(sums, figures)
        found.append(FactError(name, int(is_known.sum()), **made))
    return found


def fact_text(name: str, value: float) -> str:
    """An error for people: `"147 m"`, `"74.7 %"`."""
    _, unit, decimals = TITLES[name]
    return f"{100 * value if unit == '%' else value:,.{decimals}f} {unit}"


def facts_frame(errors: list[FactError]) -> pd.DataFrame:
    """A row a fact: the model, the constant guess, and whether the model is clearly better."""

    def text(name: str, found: Interval) -> str:
        unit = TITLES[name][1]
        lower, upper = (
            fact_text(name, end).removesuffix(f" {unit}") for end in (found.lower, found.upper)
        )
        return f"{fact_text(name, found.value)} ({lower} to {upper})"

    rows = {
        f"{TITLES[e.name][0]}, {'right' if e.name in CLASSES else 'mean error'}": {
            "model": text(e.name, e.model),
            "constant guess": text(e.name, e.constant),
            "clearly better": "yes" if e.helps else "no",
            "places": e.n,
        }
        for e in errors
    }
    return pd.DataFrame(rows).T


def facts_document(errors: list[FactError]) -> dict[str, Any]:
    """What `metrics.json` says of them."""
    return {
        e.name: {
            "places": e.n,
            "is_share_right": e.name in CLASSES,
            "model": e.model.as_dict(),
            "constant": e.constant.as_dict(),
            "model_minus_constant": e.difference.as_dict(),
        }
        for e in errors
    }


def _errors(name: str, told: NDArray[Any], known: pd.Series) -> Floats:
    missing = known.isna().to_numpy()
    if name in CLASSES:
        right = np.asarray(as_texts(known, name), dtype=object) == told.astype(str)
        return np.where(missing, np.nan, right.astype(np.float64))
    error: Floats = np.abs(told.astype(np.float64) - known.to_numpy(dtype=np.float64))
    return error
