"""What the heads beside the geocells learn: facts of a place, as numbers that a loss can take.

Numbers (elevation, people, weather) are standardised, logarithms with an offset where PIGEON's
released code has them; the others (climate, month, driving side) are classes. A fact that is not
known of a photo is `MISSING`, infinity: NaN would make its target a filler (`targets.is_real`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from shared.geo import Floats
from shared.processing.surroundings import UNITS

MISSING = float("inf")
FACTS = tuple(UNITS)
# Offsets of logarithms, in the fact's unit (PIGEON's `metrics.py`); the temperature has none.
OFFSETS: Mapping[str, float | None] = {
    "elevation_m": 408.0,
    "population_per_km2": 1.0,
    "temperature_c": None,
    "temperature_range_c": 1.0,
    "precipitation_mm_day": 1.0,
    "precipitation_range_mm_day": 1.0,
}
# As published, but for the driving side, which had no head: the weight of a class's cross-entropy,
# and that of the mean squared error of all numbers together.
WEIGHTS: Mapping[str, float] = {"climate": 2.0, "month": 1.0, "driving_side": 1.0}
NUMBERS_WEIGHT = 8.0
LOWEST = 1e-3  # stands for a logarithm's argument at or below 0, such as the Dead Sea's


@dataclass(frozen=True)
class Fact:
    """One fact, and how it becomes a target.

    Attributes:
        name: its column in the table of surroundings.
        weight: in the loss.
        classes: its classes, in the order of the outputs; () for a number.
        offset: what is added before the logarithm; None without one.
        mean, std: of a number's values in training, after the logarithm.
    """

    name: str
    weight: float
    classes: tuple[str, ...] = ()
    offset: float | None = None
    mean: float = 0.0
    std: float = 1.0

    @property
    def width(self) -> int:
        """How many outputs it has."""
        return len(self.classes) or 1

    @property
    def unit(self) -> str:
        """What its errors are counted in: `"%"` of wrong classes, or its own unit."""
        return "% wrong" if self.classes else UNITS[self.name].split(",")[0]

    def targets(self, values: pd.Series) -> NDArray[np.float64]:
        """The number of each value's class, or the standardised value; `MISSING` if not known."""
        if self.classes:
            numbers = {name: float(number) for number, name in enumerate(self.classes)}
            return np.asarray([numbers.get(text, MISSING) for text in as_texts(values, self.name)])
        scaled = (transformed(values, self.offset) - self.mean) / self.std
        return np.where(np.isfinite(scaled), scaled, MISSING)

    def values(self, outputs: NDArray[np.floating[Any]]) -> NDArray[Any]:
        """What (N, width) outputs say: the likeliest classes' names, or values in the unit."""
        if self.classes:
            names = np.asarray(self.classes, dtype=object)
            return np.asarray(names[outputs.argmax(axis=1)])
        scaled = outputs[:, 0].astype(np.float64) * self.std + self.mean
        return np.asarray(scaled if self.offset is None else np.exp(scaled) - self.offset)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as JSON would give them back."""
        return {**asdict(self), "classes": list(self.classes)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Fact":
        """The fact of `as_dict`."""
        return cls(**{**plain, "classes": tuple(plain["classes"])})


def fit_facts(
    table: pd.DataFrame, names: Sequence[str], weights: Mapping[str, float] | None = None
) -> tuple[Fact, ...]:
    """The facts to learn, scaled by the training photos.

    Args:
        table: the surroundings of the training photos.
        names: which of `FACTS`.
        weights: other weights than the published, by fact; numbers share that of `"numbers"`.

    Raises:
        ValueError: for a name that there is none of, or a fact of which fewer than two values are
            known.
    """
    if unknown := [name for name in [*names, *(weights or {})] if name not in (*FACTS, "numbers")]:
        msg = f"Expected tasks out of {FACTS}, but got {unknown}"
        raise ValueError(msg)
    chosen = {**WEIGHTS, "numbers": NUMBERS_WEIGHT, **(weights or {})}
    return tuple(_fit(table, name, chosen) for name in names)


def target_columns(facts: Sequence[Fact], table: pd.DataFrame) -> Tensor:
    """(N, A) float64: a column a fact, `MISSING` where it is not known."""
    columns = [fact.targets(table[fact.name]) for fact in facts]
    whole = np.column_stack(columns) if columns else np.empty((len(table), 0))
    return torch.from_numpy(whole)


def split_outputs(
    outputs: NDArray[np.floating[Any]], facts: Sequence[Fact]
) -> dict[str, NDArray[Any]]:
    """What (N, sum of widths) outputs say of each fact, in its unit, by its name."""
    ends = np.cumsum([fact.width for fact in facts])
    parts = zip(facts, ends, strict=True)
    return {fact.name: fact.values(outputs[:, end - fact.width : end]) for fact, end in parts}


def constant_guess(fact: Fact, training: pd.Series) -> Any:  # noqa: ANN401 (a name or a number)
    """The best answer without looking: the most frequent class, or the median of a number."""
    if fact.classes:
        texts = [text for text in as_texts(training, fact.name) if text in fact.classes]
        return max(fact.classes, key=texts.count)
    return float(np.nanmedian(training.to_numpy(dtype=float)))


def fact_error(fact: Fact, found: NDArray[Any], truth: pd.Series) -> Floats:
    """(M,) errors of the photos of which the fact is known: 100 or 0 for classes, else absolute.

    Args:
        fact: which.
        found: (N,) of `Fact.values`.
        truth: (N,) from the table of surroundings.
    """
    if fact.classes:
        texts = np.asarray(as_texts(truth, fact.name), dtype=object)
        known = texts != ""
        return np.asarray(100.0 * (texts[known] != found[known]), dtype=np.float64)
    values = truth.to_numpy(dtype=float)
    known = np.isfinite(values)
    return np.asarray(np.abs(found[known].astype(np.float64) - values[known]))


def as_texts(values: pd.Series, name: str) -> list[str]:
    """Classes by name: months as "1" to "12"; "" where not known."""
    if name == "month":
        return ["" if pd.isna(value) else str(int(value)) for value in values]
    return ["" if pd.isna(value) else str(value) for value in values]


def transformed(values: pd.Series, offset: float | None) -> Floats:
    """Numbers as they are, or the logarithm of each with an offset."""
    numbers: Floats = values.to_numpy(dtype=np.float64)
    return numbers if offset is None else np.log(np.maximum(numbers + offset, LOWEST))


def _fit(table: pd.DataFrame, name: str, weights: Mapping[str, float]) -> Fact:
    values = table[name]
    if name in WEIGHTS:
        seen = sorted({text for text in as_texts(values, name) if text})
        classes = [str(month) for month in range(1, 13)] if name == "month" and seen else seen
        count = len(classes)
        fact = Fact(name, weights[name], tuple(classes))
    else:
        offset = OFFSETS[name]
        known = transformed(values, offset)
        known = known[np.isfinite(known)]
        count = len(np.unique(known))
        scale = (float(known.mean()), float(known.std())) if count else (0.0, 1.0)
        weight = weights.get(name, weights["numbers"])
        fact = Fact(name, weight, (), offset, *scale)
    if count < 2:
        msg = f"Expected two values or more of {name} to learn from, but {count} are known"
        raise ValueError(msg)
    return fact
