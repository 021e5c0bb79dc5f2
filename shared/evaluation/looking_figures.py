"""Figures of what models looked at: maps over photos, and how often they fall on known cues."""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from shared.evaluation.figures import BLUE, FAINT, GREY, INK, ORANGE, new_figure, plain
from shared.evaluation.intervals import Interval
from shared.evaluation.known_cues import FALLS
from shared.evaluation.looking import Map, overlay
from shared.evaluation.pointing import CENTRE, Game, Mask, Measured
from shared.training.images import Bytes

COLOURS = (BLUE, ORANGE, "#6a4c93", GREY)
SHOWN_WIDTH = 224  # pixels of a photo in a sheet
CUE_COLOURS: Mapping[str, str] = {
    "lines": "#e5383b",
    "road": "#6c757d",
    "soil": "#a0622d",
    "house": "#f4a300",
    "tree": "#2b9348",
    "fence": "#d65db1",
    "pole": "#1d4ed8",
    "sign": "#1a1a1a",
    "bollard": "#00c2d1",
    "car": "#ffffff",
    "land": "#cfe8b5",
    "sky": "#bcdcff",
}


def sheet_figure(
    columns: Mapping[str, Sequence[Bytes]], rows: Sequence[str], cues: Sequence[str], note: str
) -> Figure:
    """Photos down, ways of looking across.

    Args:
        columns: by title, a picture of each photo.
        rows: what is written beside each photo.
        cues: the kinds that the pictures of `painted` colour, for a key; none without.
        note: the foot.
    """
    figure = new_figure(1.62 * len(columns), 1.02 * len(rows) + 0.7, note)
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for column, (title, pictures) in enumerate(columns.items()):
        for row, picture in enumerate(pictures):
            axes = grid[row, column]
            axes.imshow(picture, interpolation="none")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if row == 0:
                axes.set_title(title, fontsize=8, color=INK)
            if column == 0:
                axes.set_ylabel(rows[row], fontsize=7, color=INK)
    if cues:
        key = [Patch(facecolor=CUE_COLOURS[kind], edgecolor=GREY, label=kind) for kind in cues]
        figure.legend(
            handles=key, loc="outside upper center", ncols=len(key), fontsize=7, frameon=False,
            handlelength=1, columnspacing=1,
        )  # fmt: skip
    return figure


def marked(image: Bytes, scores: Map) -> Bytes:
    """A photo with a map over it, of the size of a sheet."""
    return overlay(image, scores, SHOWN_WIDTH)


def plain_photo(image: Bytes) -> Bytes:
    """A photo as the model has it, of the size of a sheet."""
    return np.asarray(cv2.resize(image, _size(image), interpolation=cv2.INTER_CUBIC), np.uint8)


def painted(masks: Mapping[str, Mask]) -> Bytes:
    """The cues of a photo, each kind in its colour, of the size of a sheet."""
    first = next(iter(masks.values()))
    found: NDArray[np.uint8] = np.full((*first.shape, 3), 255, np.uint8)
    for kind, mask in masks.items():
        colour = CUE_COLOURS[kind].lstrip("#")
        found[mask] = [int(colour[k : k + 2], 16) for k in (0, 2, 4)]
    return np.asarray(cv2.resize(found, _size(found), interpolation=cv2.INTER_NEAREST), np.uint8)


def pointing_figure(figures: Mapping[str, Game], cue: str, note: str) -> Figure:
    """How often the maps of each method hit a cue, beside chance; and the energy beside the area.

    Args:
        figures: of `game`, by model.
        cue: which.
        note: the foot.
    """
    figure = new_figure(3.9 * len(figures) + 1.2, 4.1, note)
    grid = figure.subplots(2, len(figures), squeeze=False, sharex=True)
    for column, (model, found) in enumerate(figures.items()):
        own = {method: some[cue] for method, some in found.items() if cue in some}
        for row, (value, chance, label) in enumerate(
            (("hit", "chance", "maximum on a cue"), ("energy", "area", "energy on cues"))
        ):
            axes = grid[row, column]
            _bars(axes, {m: (one[value], one[chance]) for m, one in own.items()})
            axes.set_title(f"{model}: {label}" if row == 0 else label, fontsize=9)
            axes.set_xlim(0, 100)
    for axes in grid[-1]:
        axes.set_xlabel("%; line: chance", fontsize=8)
    return figure


def cue_figure(figures: Mapping[str, Game], cues: Sequence[str], note: str) -> Figure:
    """By kind of cue: how much more often than by chance the maximum falls on it.

    Args:
        figures: of `game`, by model; all methods in it are drawn.
        cues: the kinds, top down.
        note: the foot.
    """
    drawn = {
        model: {
            method: {cue: one["lift"] for cue, one in some.items()}
            for method, some in found.items()
        }
        for model, found in figures.items()
    }
    return _dots(drawn, cues, "hits less chance, points", 100.0, note)


def fall_figure(
    figures: Mapping[str, Mapping[str, Measured]], cues: Sequence[str], note: str
) -> Figure:
    """What the answer loses when each kind of cue goes, in three ways.

    Args:
        figures: of `fall_figures`, by model.
        cues: the kinds, top down.
        note: the foot.
    """
    drawn = {
        model: {way: {cue: one[way] for cue, one in found.items()} for way in FALLS}
        for model, found in figures.items()
    }
    return _dots(drawn, cues, "fall of the log-probability, nats", 1.0, note)


def _dots(
    drawn: Mapping[str, Mapping[str, Mapping[str, Interval]]],
    cues: Sequence[str],
    label: str,
    unit: float,
    note: str,
) -> Figure:
    """A panel a model, a line a kind, a colour a way, with intervals."""
    figure = new_figure(3.6 * len(drawn) + 1.2, 0.36 * len(cues) + 1.5, note)
    panels = figure.subplots(1, len(drawn), squeeze=False, sharey=True)[0]
    heights = {cue: len(cues) - 1 - row for row, cue in enumerate(cues)}
    for axes, (model, ways) in zip(panels, drawn.items(), strict=True):
        for number, (way, found) in enumerate(ways.items()):
            colour, off = COLOURS[number % len(COLOURS)], 0.22 * (0.5 * (len(ways) - 1) - number)
            axes.plot([], [], "o", color=colour, markersize=4, label=way)
            for cue, one in found.items():
                if cue in heights and np.isfinite(one.value):
                    height = heights[cue] + off
                    ends = [unit * one.lower, unit * one.upper]
                    axes.plot(ends, [height, height], color=colour, linewidth=2, alpha=0.5)
                    axes.plot(unit * one.value, height, "o", color=colour, markersize=4)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set_title(model, fontsize=9)
        axes.set_yticks(list(heights.values()), list(heights))
        axes.set_xlabel(label, fontsize=8)
        axes.legend(fontsize=7, frameon=False, loc="best")
        plain(axes)
    return figure


def _bars(axes: Axes, values: Mapping[str, tuple[Interval, Interval]]) -> None:
    for row, (name, (found, chance)) in enumerate(values.items()):
        height = len(values) - 1 - row
        is_own = "," not in name and name != CENTRE
        axes.barh(height, 100 * found.value, 0.62, color=BLUE if is_own else FAINT)
        ends = [100 * found.lower, 100 * found.upper]
        axes.plot(ends, [height, height], color=INK, linewidth=1.4)
        at = 100 * chance.value
        axes.plot([at, at], [height - 0.42, height + 0.42], color=ORANGE, linewidth=1.6)
    axes.set_yticks(range(len(values))[::-1], list(values))
    plain(axes)
    axes.tick_params(axis="y", length=0)


def _size(image: NDArray[np.uint8]) -> tuple[int, int]:
    return SHOWN_WIDTH, round(SHOWN_WIDTH * image.shape[0] / image.shape[1])
