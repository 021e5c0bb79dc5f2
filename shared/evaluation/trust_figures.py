"""Figures of leakage, calibration, credible areas and abstention; each with a note at its foot."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from shared.evaluation.abstention import RiskCoverage
from shared.evaluation.calibration import Tempering
from shared.evaluation.credible import Coverage
from shared.evaluation.figures import (
    BLUE,
    FAINT,
    GREY,
    ORANGE,
    new_figure,
    plain,
    reliability_figure,
)
from shared.evaluation.leakage import LeakageAudit

BINS_A_DECADE = 5
PANELS = {"top_1": ("top-1, %", 100.0), "median_km": ("median distance, km", 1.0)}


def leakage_figure(audit: LeakageAudit, note: str) -> Figure:
    """Distances of the test places to the nearest training place, and the figures by them.

    Args:
        audit: with distances.
        note: the foot.
    """
    names = [name for name in PANELS if name in audit.by_distance.columns]
    figure = new_figure(4.6 + 3.4 * len(names), 3.6, note)
    panels = figure.subplots(1, 1 + len(names), squeeze=False)[0]
    _draw_distances(panels[0], audit)
    heights = np.arange(len(audit.by_distance))[::-1]
    for axes, name in zip(panels[1:], names, strict=True):
        title, scale = PANELS[name]
        rows = scale * audit.by_distance[[name, f"{name}_lower", f"{name}_upper"]].to_numpy()
        axes.hlines(heights, rows[:, 1], rows[:, 2], color=BLUE, linewidth=3, alpha=0.45)
        axes.plot(rows[:, 0], heights, "o", color=BLUE, markersize=5)
        counts = audit.by_distance["places"]
        labels = [f"{r} ({n})" for r, n in zip(audit.by_distance["range"], counts, strict=True)]
        axes.set_yticks(heights, labels)
        axes.set_xlim(left=0)
        axes.set_xlabel(title, fontsize=9)
        axes.grid(axis="x", color=FAINT)
        plain(axes)
        axes.set_ylim(-0.6, len(heights) - 0.4)
    if names:
        panels[1].set_title("by distance (places)", fontsize=10)
    return figure


def _draw_distances(axes: Axes, audit: LeakageAudit) -> None:
    away = np.maximum(audit.distances.to_numpy(dtype=np.float64), 0.1)
    low, high = np.floor(np.log10(away.min())), np.ceil(np.log10(max(away.max(), 1.0)) + 1e-9)
    count = int(max(1, high - low)) * BINS_A_DECADE
    axes.hist(away, bins=np.logspace(low, max(high, low + 1), count + 1).tolist(), color=BLUE)
    axes.axvline(audit.near_km, color=ORANGE, linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("km to the nearest training place", fontsize=9)
    axes.set_ylabel("test places", fontsize=9)
    axes.set_title(f"orange: {audit.near_km:g} km, the same place", fontsize=10)
    plain(axes)


def tempering_figure(made: Tempering, note: str) -> Figure:
    """Reliability before and after a temperature, side by side."""
    return reliability_figure([made.before, made.after], note)


def credible_figure(coverage: Sequence[Coverage], note: str) -> Figure:
    """What credible areas promise and hold, and how large they are.

    Args:
        coverage: by level.
        note: the foot.
    """
    figure = new_figure(8.4, 3.8, note)
    left, right = figure.subplots(1, 2)
    levels = 100 * np.asarray([c.level for c in coverage])
    held = 100 * np.asarray([[c.holds.value, c.holds.lower, c.holds.upper] for c in coverage])
    sizes = np.asarray([[c.size_km2.value, c.size_km2.lower, c.size_km2.upper] for c in coverage])
    left.plot([0, 100], [0, 100], color=GREY, linestyle="--", linewidth=1, label="as promised")
    left.vlines(levels, held[:, 1], held[:, 2], color=BLUE, linewidth=3, alpha=0.45)
    left.plot(levels, held[:, 0], "o", color=BLUE, label="found, 95 % interval")
    left.set(xlim=(40, 100), ylim=(0, 102))
    left.set_xlabel("promised, %", fontsize=9)
    left.set_ylabel("truth inside, % of photos", fontsize=9)
    left.legend(loc="lower right", frameon=False, fontsize=8)
    right.vlines(levels, sizes[:, 1], sizes[:, 2], color=BLUE, linewidth=3, alpha=0.45)
    right.plot(levels, sizes[:, 0], "o-", color=BLUE, linewidth=1)
    if np.isnan(sizes).any():
        right.set_title("areas of some classes are not known", fontsize=10)
    elif (sizes > 0).all():
        right.set_yscale("log")
    right.set_xlabel("promised, %", fontsize=9)
    right.set_ylabel("median size, km2", fontsize=9)
    for axes in (left, right):
        axes.grid(color=FAINT)
        plain(axes)
    return figure


def risk_figure(risk: RiskCoverage, unit: str, note: str) -> Figure:
    """Risk against coverage, with the best possible order and no order at all.

    Args:
        risk: the curve.
        unit: what an error is: `"share wrong"` or `"mean km"`.
        note: the foot.
    """
    scale = 100.0 if unit == "share wrong" else 1.0
    figure = new_figure(5.4, 3.8, note)
    axes = figure.add_subplot()
    share = 100 * risk.coverage
    axes.plot(share, scale * risk.risk, color=BLUE, linewidth=1.6, label="surest first")
    axes.plot(share, scale * risk.best, color=GREY, linewidth=1, label="best possible order")
    axes.axhline(scale * risk.risk[-1], color=ORANGE, linestyle="--", linewidth=1, label="no order")
    points = np.asarray([[100 * c, f.value, f.lower, f.upper] for c, f in risk.answered.items()])
    axes.vlines(points[:, 0], scale * points[:, 2], scale * points[:, 3], color=BLUE, alpha=0.45)
    axes.plot(points[:, 0], scale * points[:, 1], "o", color=BLUE, markersize=4)
    axes.set(xlim=(0, 101))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("answered, % of photos", fontsize=9)
    axes.set_ylabel("wrong, % of answers" if scale == 100.0 else "mean error, km", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    axes.grid(color=FAINT)
    plain(axes)
    return figure
