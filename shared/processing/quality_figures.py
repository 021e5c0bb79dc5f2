"""Figures of the quality filter: distributions with their threshold, and the photos beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from shared.processing.decode import ImageRefusedError, decode, read_header, turn_upright

DROPPED, KEPT, LINE = "#c8102e", "#4a7a8c", "#222222"
THUMBNAIL_WIDTH = 104  # pixels, drawn as they are: a figure of 10 photos stays below 100 kB
DOTS_PER_INCH = 72


@dataclass(frozen=True, slots=True)
class Example:
    """A photo to show: its id, its file, and what is written above it."""

    id: str
    image: Path
    label: str


def draw_distribution(axes: Axes, values: "pd.Series[float]", threshold: float) -> int:
    """A histogram on a logarithmic axis, the dropped side red, with the threshold as a line.

    Args:
        axes: where to draw.
        values: one a photo, 0 or more; NaN is left out, below 0.1 is drawn at 0.1.
        threshold: values below it are dropped.

    Returns:
        How many are dropped.
    """
    known = values.dropna().to_numpy(dtype=float)
    drawn = np.maximum(known, 0.1)
    top = max([threshold, *drawn.tolist()]) * 1.1
    edges = np.geomspace(0.1, top, 61)
    bad = known < threshold
    axes.hist([drawn[bad], drawn[~bad]], edges.tolist(), stacked=True, color=[DROPPED, KEPT])
    axes.axvline(threshold, color=LINE, linewidth=1)
    axes.set_xscale("log")
    n_bad = int(bad.sum())
    axes.text(
        0.01,
        0.97,
        f"{n_bad:,} of {len(known):,} dropped",
        color=DROPPED,
        va="top",
        transform=axes.transAxes,
    )
    return n_bad


def draw_distances(axes: Axes, distances: NDArray[np.intp], max_distance: int) -> None:
    """Bars of how many pairs of photos lie so many bits apart; those within the threshold are red.

    Args:
        axes: where to draw.
        distances: (M,) bits, of pairs that are no further apart than some radius.
        max_distance: the largest that counts as a near duplicate.
    """
    counts = np.bincount(distances, minlength=max_distance + 2)
    at = np.arange(len(counts))
    axes.bar(at, counts, color=[DROPPED if bit <= max_distance else KEPT for bit in at])
    axes.axvline(max_distance + 0.5, color=LINE, linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def around(
    values: "pd.Series[float]", threshold: float, n: int
) -> tuple["pd.Series[float]", "pd.Series[float]"]:
    """The `n` values just below a threshold, and the `n` at or just above it; the nearest first."""
    known = values.dropna().sort_index().sort_values(kind="stable")
    return known[known < threshold].iloc[::-1][:n], known[known >= threshold][:n]


def photos_figure(
    rows: Sequence[tuple[str, Sequence[Example]]], title: str, *, may_show: bool, n_columns: int = 5
) -> Figure:
    """Rows of photos, each row with a name; or a figure that says why there are none.

    Args:
        rows: a name and its photos; more than `n_columns` are not drawn.
        title: what stands above.
        may_show: whether the photos may be shown (`dataset_settings(...).show_photos`).
        n_columns: how many photos a row has at most.
    """
    if not may_show:
        return _empty(title, "photos are not shown: this data set does not say that they may be")
    if not any(examples for _, examples in rows):
        return _empty(title, "no photo to show")
    size = 1.5 * n_columns, 1.2 * len(rows) + 0.3
    figure, axes = plt.subplots(
        len(rows), n_columns, figsize=size, dpi=DOTS_PER_INCH, squeeze=False
    )
    for row, (name, examples) in zip(axes, rows, strict=True):
        for ax in row:
            ax.set_axis_off()
        for ax, example in zip(row, examples, strict=False):
            ax.imshow(_thumbnail(example.image))
            ax.set_title(example.label, fontsize=8, pad=3)
        row[0].text(
            -0.08,
            0.5,
            name,
            rotation=90,
            ha="right",
            va="center",
            fontsize=9,
            transform=row[0].transAxes,
        )
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    return figure


def _empty(title: str, reason: str) -> Figure:
    figure, axes = plt.subplots(figsize=(7, 0.8))
    axes.set_axis_off()
    axes.text(0.5, 0.5, reason, ha="center", va="center")
    axes.set_title(title, fontsize=10)
    return figure


def _thumbnail(path: Path) -> NDArray[np.uint8]:
    """A small copy of a photo, (H, W, 3) red, green, blue; grey where it cannot be read."""
    try:
        data = path.read_bytes()
        header = read_header(data)
        image = turn_upright(decode(data, header), header.orientation)
    except (ImageRefusedError, OSError):
        return np.full((THUMBNAIL_WIDTH, THUMBNAIL_WIDTH, 3), 128, np.uint8)
    height = max(1, round(image.shape[0] * THUMBNAIL_WIDTH / image.shape[1]))
    small = cv2.resize(image, (THUMBNAIL_WIDTH, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small[..., ::-1], np.uint8)
