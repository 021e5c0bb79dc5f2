"""Figures of an evaluation: what is confused, how honest the confidence is, what is compared.

Every figure carries a note at its foot (how many photos and places; that they are synthetic, where
they are), so that it cannot be shown without. Figures are drawn without pyplot's global state and
saved without dates or versions inside: equal inputs give equal files.
"""

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from shared.countries import continent_of, name_of
from shared.evaluation.calibration import Calibration
from shared.evaluation.intervals import Interval
from shared.evaluation.metrics import FIGURE_TITLES
from shared.training.images import Preprocessing

DPI = 100
INK, GREY, FAINT = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, ORANGE = "#1f6f8b", "#d9822b"
MANY_CLASSES = 30  # above, numbers in the cells of a confusion matrix cannot be read
THUMBNAIL = Preprocessing(224, 126, "pad")
NAME_LENGTH = 16


def new_figure(width: float, height: float, note: str) -> Figure:
    """An empty figure (inches) with a note at its foot."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    # Not `figure.text`, of which the layout would know nothing.
    figure.supxlabel(note, fontsize=8, color=GREY, x=0.995, ha="right")
    return figure


def save_figure(figure: Figure, path: Path, colours: int = 256) -> Path:
    """Write a figure as PNG, under its name only when it is whole.

    Args:
        figure: the figure.
        path: the file.
        colours: of the file's palette, at most 256; a third of the size of full colour.
    """
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    image = Image.open(data).convert("RGB")
    image = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    image.save(temporary, format="png", optimize=True)
    temporary.replace(path)
    return path


def short_name(code: str) -> str:
    """A country's name, cut where it is long."""
    name = name_of(code)
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1].rstrip()}…"


def confusion_figure(counts: NDArray[np.int64], codes: Sequence[str], note: str) -> Figure:
    """The confusion matrix, each row as shares of its photos.

    Args:
        counts: (K, K) photos of each true country (down) that are given each country (across).
        codes: the K countries, in order of continent, then name.
        note: the foot.
    """
    n = len(codes)
    # A country that the model guesses but that has no photo is a column without a row.
    rows = [int(row) for row in np.flatnonzero(counts.sum(axis=1))]
    columns = [int(c) for c in np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))]
    shares = counts[rows] / counts[rows].sum(axis=1, keepdims=True)
    side = float(np.clip(0.32 * n + 2.4, 5.5, 16))
    figure = new_figure(side + 0.8, side * max(0.5, len(rows) / n), note)
    axes = figure.add_subplot()
    # The square root shows rare confusions beside common ones.
    image = axes.imshow(shares[:, columns], cmap="Blues", norm=PowerNorm(0.5, 0, 1), aspect="equal")
    size = 9 if n <= MANY_CLASSES else 6
    axes.set_xticks(range(len(columns)), [short_name(codes[c]) for c in columns], rotation=90)
    labels = [f"{short_name(codes[r])}  ({counts[r].sum()})" for r in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.tick_params(labelsize=size, length=0)
    axes.set_xlabel("guessed country", fontsize=9)
    axes.set_ylabel("true country (photos)", fontsize=9)
    _draw_continents(axes, [codes[r] for r in rows], [codes[c] for c in columns])
    if n <= MANY_CLASSES:
        for row, column in zip(*np.nonzero(shares[:, columns] >= 0.005), strict=True):
            share = shares[row, columns[column]]
            colour = "white" if share > 0.35 else INK
            text = f"{100 * share:.0f}"
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    bar = figure.colorbar(image, ax=axes, shrink=0.6, ticks=[0, 0.05, 0.25, 0.5, 1])
    bar.ax.set_yticklabels(["0", "5 %", "25 %", "50 %", "100 %"], fontsize=8)
    bar.set_label("share of the true country's photos", fontsize=9)
    bar.outline.set_visible(False)
    return figure


def reliability_figure(calibrations: Sequence[Calibration], note: str) -> Figure:
    """Reliability diagrams: how often guesses of each confidence are right, and how many there are.

    Args:
        calibrations: one a kind of bins.
        note: the foot.
    """
    figure = new_figure(4.2 * len(calibrations), 4.8, note)
    grid = figure.subplots(2, len(calibrations), sharex=True, squeeze=False, height_ratios=[3.4, 1])
    for column, found in enumerate(calibrations):
        upper, lower = grid[0, column], grid[1, column]
        bins = found.bins
        upper.plot(
            [0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="as sure as right"
        )
        ends = np.abs(bins[["lower", "upper"]].to_numpy().T - bins["accuracy"].to_numpy())
        upper.errorbar(
            bins["confidence"],
            bins["accuracy"],
            np.nan_to_num(ends),
            fmt="o",
            color=BLUE,
            markersize=5,
            linewidth=1.2,
            capsize=2,
            label="photos of a bin, 95 % interval",
        )
        upper.set_title(f"{found.kind} bins: ECE {found.ece.percent()}", fontsize=10)
        upper.set(xlim=(0, 1), ylim=(-0.02, 1.02))
        lower.bar(bins["confidence"], bins["n"], width=0.02, color=BLUE)
        lower.set_xlabel("confidence: probability of the guess", fontsize=9)
        for axes in (upper, lower):
            plain(axes)
    grid[0, 0].set_ylabel("share that is right", fontsize=9)
    grid[1, 0].set_ylabel("photos", fontsize=9)
    grid[0, 0].legend(loc="lower right", frameon=False, fontsize=8)
    return figure


def comparison_figure(
    rows: Mapping[str, Mapping[str, Interval]], note: str, names: Mapping[str, str] | None = None
) -> Figure:
    """Figures with their intervals, a panel a figure, a line a predictor.

    Args:
        rows: intervals by figure, by predictor, the best on top. A figure may be missing.
        note: the foot.
        names: the figures that are drawn, with their titles.
    """
    titles = FIGURE_TITLES if names is None else names
    figure = new_figure(2.1 * len(titles) + 1.6, 0.42 * len(rows) + 1.2, note)
    panels = figure.subplots(1, len(titles), sharey=True, squeeze=False)[0]
    heights = np.arange(len(rows))[::-1]
    for axes, (name, title) in zip(panels, titles.items(), strict=True):
        for height, (row, found) in zip(heights, enumerate(rows.values()), strict=True):
            if name in found:
                _draw_interval(axes, found[name], float(height), BLUE if row < 2 else ORANGE)
        axes.set_title(title, fontsize=10)
        axes.set(xlim=(0, 100), xticks=[0, 50, 100], ylim=(-0.6, len(rows) - 0.4))
        axes.set_yticks(heights, list(rows))
        axes.set_xlabel("%", fontsize=8)
        axes.grid(axis="x", color=FAINT)
        plain(axes)
        axes.tick_params(axis="y", length=0)
    return figure


def mistakes_figure(
    mistakes: pd.DataFrame, images: Mapping[str, Path], note: str, columns: int = 4
) -> Figure:
    """Photos with a wrong and confident guess.

    Args:
        mistakes: rows of `metrics.confident_mistakes`, at least one.
        images: the photos by id. Only photos that may be shown belong here.
        note: the foot.
        columns: photos side by side.
    """
    rows = -(-len(mistakes) // columns)
    figure = new_figure(2.4 * columns, 1.95 * rows + 0.3, note)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, row in zip(grid, mistakes.to_dict("records"), strict=False):
        axes.imshow(THUMBNAIL.read(images[row["id"]]), interpolation="none")
        guess = f"{short_name(row['pred_code'])}, {100 * row['confidence']:.0f} % sure"
        axes.set_title(f"{guess}\ntruly {short_name(row['true_code'])}", fontsize=9, color=INK)
    return figure


def plain(axes: Axes) -> None:
    """Take the frame off, and make what is left quiet."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=8, colors=INK)


def _draw_interval(axes: Axes, found: Interval, height: float, colour: str) -> None:
    lower, value, upper = (100 * v for v in (found.lower, found.value, found.upper))
    axes.plot([lower, upper], [height, height], color=colour, linewidth=3, alpha=0.45)
    axes.plot([value], [height], "o", color=colour, markersize=5)
    is_right = value < 70
    axes.annotate(
        f"{value:.1f}",
        (value, height),
        (7 if is_right else -7, 5),
        textcoords="offset points",
        ha="left" if is_right else "right",
        fontsize=8,
        color=INK,
    )


def _draw_continents(axes: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Lines between the continents, and their names on the right."""
    for codes, line in ((rows, axes.axhline), (columns, axes.axvline)):
        continents = np.asarray([continent_of(code) for code in codes])
        starts = np.flatnonzero(np.r_[True, continents[1:] != continents[:-1]])
        for start, end in zip(starts, [*starts[1:], len(codes)], strict=True):
            if start:
                line(start - 0.5, color=GREY, linewidth=0.8)
            if codes is rows:
                middle, name = (start + end - 1) / 2, str(continents[start])
                place = axes.get_yaxis_transform()  # x in parts of the axes, y in rows
                axes.text(1.01, middle, name, transform=place, va="center", fontsize=8, color=GREY)
