"""The steps of PIGEON's ablation (Haas et al. 2023, Table 1), as switches of `3-training/geocell`.

Each step of `ORDER` adds one thing to the one before; `only-...` adds that thing alone to the base,
which is a frozen tower, one view, hard labels and naive cells. A step decides the parameters of
`ADDITIONS`; all others stay what they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TASKS = (  # all auxiliary tasks, by the columns of `2-enrich/surroundings`
    "climate",
    "elevation_m",
    "population_per_km2",
    "temperature_c",
    "temperature_range_c",
    "precipitation_mm_day",
    "precipitation_range_mm_day",
    "month",
    "driving_side",
)


@dataclass(frozen=True)
class Addition:
    """One thing that a step adds.

    Attributes:
        parameter: of the notebook, which it sets.
        off: the value without it.
        on: the value with it, where the notebook's own value is the one without.
        label: what a table calls it.
    """

    parameter: str
    off: Any
    on: Any
    label: str


ADDITIONS: Mapping[str, Addition] = {
    "smoothing": Addition("smoothing", "none", "normalised", "label smoothing by distance"),
    "views": Addition("views", "one", "mean", "four views"),
    "last-layer": Addition("tuning", "frozen", "last", "tuning the last layer"),
    "tasks": Addition("tasks", [], list(TASKS), "auxiliary tasks"),
    "semantic-cells": Addition("cells", "naive", "semantic", "semantic geocells"),
    "pretraining": Addition("pretraining", False, True, "contrastive pretraining"),
}
BASE = "base"
ORDER: Sequence[str] = (BASE, *ADDITIONS)
SINGLE: Sequence[str] = tuple(f"only-{name}" for name in ADDITIONS)
# Every step, and what it adds to the base.
STEPS: Mapping[str, tuple[str, ...]] = {
    **{step: tuple(ADDITIONS)[:count] for count, step in enumerate(ORDER)},
    **{step: (name,) for step, name in zip(SINGLE, ADDITIONS, strict=True)},
}


def switches(step: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a step decides.

    What the step adds keeps the notebook's own value, such as another smoothing, unless that is
    the value without it.

    Args:
        step: a name of `STEPS`; "" leaves all as given.
        given: the notebook's parameters, by name.

    Returns:
        The value of each parameter of `ADDITIONS`.

    Raises:
        ValueError: for another name.
    """
    if step and step not in STEPS:
        msg = f"Expected a step out of {list(STEPS)}, or '' for none, but got {step!r}"
        raise ValueError(msg)
    found = {}
    for name, addition in ADDITIONS.items():
        own = given[addition.parameter]
        value = addition.on if own == addition.off else own
        found[addition.parameter] = value if name in STEPS.get(step, ()) else addition.off
    return found if step else {a.parameter: given[a.parameter] for a in ADDITIONS.values()}


def label_of(step: str) -> str:
    """What a table calls a step: `"base"`, `"+ four views"`, `"base + four views"`.

    Raises:
        ValueError: for a name that is no step.
    """
    if step not in STEPS:
        msg = f"Expected a step out of {list(STEPS)}, but got {step!r}"
        raise ValueError(msg)
    if step == BASE:
        return BASE
    label = ADDITIONS[step.removeprefix("only-")].label
    return f"base + {label}" if step in SINGLE else f"+ {label}"


def steps_of_sweep(varied: Mapping[str, Sequence[Any]]) -> list[str]:
    """The steps that an ablation's sweep trains.

    Args:
        varied: what the sweep varies, with its values.

    Raises:
        ValueError: unless it varies `step` and `seed`.
    """
    if not {"step", "seed"} <= set(varied):
        msg = f"Expected a sweep over step and seed, but it varies {list(varied)}"
        raise ValueError(msg)
    return [str(step) for step in varied["step"]]
