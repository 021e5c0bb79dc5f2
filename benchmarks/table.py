"""The rows that every benchmark yields, and the table they are printed in."""

import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Row:
    """One comparison: two figures measured in the same run, and what was asked of their ratio."""

    name: str
    ours: str
    baseline: str
    ratio: float
    target: str
    ok: bool


def scale() -> float:
    """The share of the full size to measure at: `BENCH_SCALE` in the environment, 1 by default."""
    return float(os.environ.get("BENCH_SCALE", "1"))


def as_table(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    lines = ["| what | ours | baseline | ratio | asked | met |", "|---|---|---|---|---|---|"]
    for row in rows:
        name, ours, baseline, ratio, target, ok = astuple(row)
        met = "yes" if ok else "**no**"
        lines.append(f"| {name} | {ours} | {baseline} | {ratio:.2f} | {target} | {met} |")
    return "\n".join(lines)
