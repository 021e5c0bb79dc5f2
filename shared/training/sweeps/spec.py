"""The sweep file: W&B's format (docs.wandb.ai, "Define a sweep configuration"), read and checked.

    name: demo-tiny
    program: 3-training/country.ipynb      # the notebook that a trial runs
    method: grid                           # grid, random or bayes
    metric: {name: validation_top1, goal: maximize}
    run_cap: 12                            # trials at most; a grid ends by itself
    parameters:
      lr: {values: [0.1, 0.01, 0.001]}
      weight_decay: {min: 0.001, max: 0.1, distribution: log_uniform_values}
      epochs: {value: 3}

A parameter is one of the notebook's, or one of two shorthands for several that go together:
`image_size: 130x80` (width, height) and `augmentation: crop+colour` (or `none`, or `all`).
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from shared.paths import root, shown

METHODS = ("grid", "random", "bayes")
GOALS = ("maximize", "minimize")
SWITCHES = ("crop", "rotation", "colour")
_KEYS = {"name", "program", "method", "metric", "run_cap", "parameters", "description", "project"}
_PLAIN = (str, int, float, bool, type(None))


@dataclass(frozen=True)
class Sweep:
    """A sweep file.

    Attributes:
        name: of the file and of the folder of results.
        program: the notebook, from the root.
        method: `"grid"`, `"random"` or `"bayes"`.
        metric: the measure of the best epoch that is compared.
        goal: `"maximize"` or `"minimize"`.
        run_cap: how many trials at most; 0: no limit.
        space: what is varied.
        constants: what is the same in every trial.
        config: the file as W&B gets it.
    """

    name: str
    program: str
    method: str
    metric: str
    goal: str
    run_cap: int
    space: Mapping[str, BaseDistribution]
    constants: Mapping[str, Any]
    config: Mapping[str, Any]

    def with_constants(self, **values: object) -> "Sweep":
        """The same sweep with other values of what is the same in every trial.

        Raises:
            ValueError: for a parameter that is varied.
        """
        varied = sorted(set(values) & set(self.space))
        if varied:
            msg = f"Expected parameters that {self.name} does not vary, but it varies {varied}"
            raise ValueError(msg)
        parameters = {name: {"value": value} for name, value in values.items()}
        config = {**self.config, "parameters": {**self.config["parameters"], **parameters}}
        return replace(self, constants={**self.constants, **values}, config=config)

    @property
    def task(self) -> str:
        """The name of the notebook."""
        return Path(self.program).stem

    @property
    def digest(self) -> str:
        """Of all that decides which trials there are and how they compare."""
        parts = {k: v for k, v in self.config.items() if k not in ("description", "run_cap")}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def grid(self) -> dict[str, list[Any]]:
        """The values of each varied parameter, for a grid."""
        return {name: _values(name, distribution) for name, distribution in self.space.items()}


def sweep_path(name: str) -> Path:
    """Where the sweep file of a name lies."""
    return root() / "3-training" / "sweeps" / f"{name}.yaml"


def read_sweep(path: Path) -> Sweep:
    """Read a sweep file.

    Raises:
        FileNotFoundError: when there is none; the error names those that there are.
        ValueError: for a key, a method or a distribution that means nothing here.
    """
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        msg = f"Expected a sweep file {shown(path)}, but there is none; there are: {known}"
        raise FileNotFoundError(msg)
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(config, dict):
        msg = f"{shown(path)}: expected a mapping, got {type(config).__name__}"
        raise ValueError(msg)
    try:
        return _sweep(path.stem, config)
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{shown(path)}: {error}"
        raise ValueError(msg) from error


def as_parameters(values: Mapping[str, Any]) -> dict[str, Any]:
    """The notebook's parameters that a trial's values stand for: shorthands are written out.

    Raises:
        ValueError: for a shorthand that cannot be read.
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name == "image_size":
            found |= _size(value)
        elif name == "augmentation":
            found |= _switches(value)
        else:
            found[name] = value
    return found


def _sweep(name: str, config: dict[str, Any]) -> Sweep:
    unknown = sorted(set(config) - _KEYS)
    if unknown:
        msg = f"unknown keys {unknown}; expected some of {sorted(_KEYS)}"
        raise ValueError(msg)
    for key in ("program", "method", "metric", "parameters"):
        if key not in config:
            msg = f"expected a key '{key}', but it is not there"
            raise ValueError(msg)
    metric = config["metric"]
    method, goal = config["method"], metric.get("goal", "minimize")
    if method not in METHODS or goal not in GOALS:
        msg = f"expected a method out of {METHODS} and a goal out of {GOALS}: {method!r}, {goal!r}"
        raise ValueError(msg)
    space: dict[str, BaseDistribution] = {}
    constants: dict[str, Any] = {}
    for key, entry in config["parameters"].items():
        if "value" in entry or entry.get("distribution") == "constant":
            constants[key] = entry["value"]
        else:
            space[key] = _distribution(key, entry)
            if method == "grid":
                _values(key, space[key])
    as_parameters({**constants})  # so that a mistake is found before the first trial
    return Sweep(
        name,
        str(config["program"]),
        method,
        str(metric["name"]),
        goal,
        int(config.get("run_cap", 0)),
        space,
        constants,
        config,
    )


def _distribution(name: str, entry: Mapping[str, Any]) -> BaseDistribution:
    """The Optuna distribution of an entry of W&B's."""
    if "values" in entry:
        bad = [value for value in entry["values"] if not isinstance(value, _PLAIN)]
        if bad:
            msg = f"{name}: expected numbers, texts or switches as values, but got {bad}"
            raise ValueError(msg)
        return CategoricalDistribution(entry["values"])
    low, high = entry.get("min"), entry.get("max")
    is_whole = isinstance(low, int) and isinstance(high, int)
    kind = entry.get("distribution", "int_uniform" if is_whole else "uniform")
    if low is None or high is None:
        msg = f"{name}: expected value, values, or min and max, but got {dict(entry)}"
        raise ValueError(msg)
    if kind == "int_uniform":
        return IntDistribution(int(low), int(high))
    if kind == "uniform":
        return FloatDistribution(float(low), float(high))
    if kind == "q_uniform":
        return FloatDistribution(float(low), float(high), step=float(entry.get("q", 1)))
    if kind == "log_uniform_values":
        return FloatDistribution(float(low), float(high), log=True)
    if kind == "log_uniform":  # of W&B: min and max are exponents of e
        return FloatDistribution(math.exp(low), math.exp(high), log=True)
    msg = (
        f"{name}: the distribution {kind!r} is none of those that can be searched here: "
        "int_uniform, uniform, q_uniform, log_uniform, log_uniform_values, values, value"
    )
    raise ValueError(msg)


def _values(name: str, distribution: BaseDistribution) -> list[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return list(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return list(range(distribution.low, distribution.high + 1, distribution.step))
    msg = f"{name}: expected values, or whole numbers, for the method 'grid'"
    raise ValueError(msg)


def _size(value: object) -> dict[str, int]:
    sides = str(value).split("x")
    if len(sides) != 2 or not all(side.isdigit() for side in sides):
        msg = f"image_size: expected <width>x<height>, such as 130x80, but got {value!r}"
        raise ValueError(msg)
    return {"width": int(sides[0]), "height": int(sides[1])}


def _switches(value: object) -> dict[str, bool]:
    chosen = {"none": (), "all": SWITCHES}.get(str(value), tuple(str(value).split("+")))
    if not set(chosen) <= set(SWITCHES):
        msg = f"augmentation: expected none, all, or some of {'+'.join(SWITCHES)}: {value!r}"
        raise ValueError(msg)
    return {f"augment_{name}": name in chosen for name in SWITCHES}
