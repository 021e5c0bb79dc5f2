"""What zero-shot search gives: predictions of each level, figures, and the metrics' document."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from torch import Tensor

from shared.cities import nearest_city
from shared.evaluation.distance_intervals import distance_intervals
from shared.evaluation.distances import DISTANCE_TITLES
from shared.evaluation.figures import BLUE, GREY, ORANGE, new_figure, plain
from shared.evaluation.generalised import TITLES, chances, generalised
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap
from shared.evaluation.metrics import evaluate
from shared.evaluation.pooling import pool_views
from shared.evaluation.predictions import make_predictions
from shared.evaluation.readout import as_points
from shared.evaluation.zero_shot import hierarchical_probabilities
from shared.evaluation.zero_shot_levels import Level

LEVELS = ("country", "region", "city")


@dataclass(frozen=True)
class Search:
    """A tree of names with the vectors of its classes.

    Attributes:
        levels: from the top down, by name.
        vectors: of each level's classes, (K, D) of length 1.
        scale: the factor of the similarities.
    """

    levels: Mapping[str, Level]
    vectors: Mapping[str, Tensor]
    scale: float

    def probabilities(self, images: Tensor, beam: int) -> dict[str, Floats]:
        """Of each level (N, K) probabilities, multiplied along the tree."""
        parents = [level.parents for level in list(self.levels.values())[1:]]
        vectors = [self.vectors[name] for name in self.levels]
        found = hierarchical_probabilities(images, vectors, parents, self.scale, beam)
        return dict(zip(self.levels, found, strict=True))

    def tables(self, images: Tensor, truth: pd.DataFrame, beam: int) -> dict[str, pd.DataFrame]:
        """Of each level a table of predictions, of the photos that have a true class there.

        Args:
            images: (N, D) vectors of length 1.
            truth: of `true_classes`, in the same order.
            beam: how many classes of a level are looked below; 0: all.
        """
        found = {}
        for name, values in self.probabilities(images, beam).items():
            known = truth[name].notna().to_numpy()
            rows = truth[known].assign(code=truth.loc[known, name], country=truth["country"][known])
            found[name] = make_predictions(rows, values[known], self.levels[name].partition)
        return found


def true_classes(truth: pd.DataFrame, levels: Mapping[str, Level]) -> pd.DataFrame:
    """The true class of each photo at each level, beside `place`, `lat` and `lon`.

    A photo's region is that whose area or place is nearest; its city is the nearest of the level
    in its own country. Photos without coordinates have neither.

    Args:
        truth: indexed by id: `place`, `code` (country), `lat`, `lon` (degrees, NaN unknown).
        levels: by the names of `LEVELS`.
    """
    found = truth[["place", "lat", "lon"]].assign(country=truth["code"])
    located = truth[["lat", "lon"]].notna().all(axis=1).to_numpy()
    points = truth.loc[located, ["lat", "lon"]].to_numpy(dtype=np.float64)
    for name in ("region", "city"):
        found[name] = pd.Series(None, index=found.index, dtype=object)
        if name not in levels or not located.any():
            continue
        partition = levels[name].partition
        if name == "region":
            labels = partition.label(points)
        else:
            codes = np.asarray([*partition.codes, None], dtype=object)
            own = [str(code) for code in truth["code"][located]]
            labels = codes[nearest_city(partition.table, points, own)[0]]
        found.loc[located, name] = labels
    return found


def side_figures(
    tables: Mapping[str, pd.DataFrame], seen: Collection[str], bootstrap: PlaceBootstrap
) -> dict[str, dict[str, Interval]]:
    """`generalised` figures by name, such as one a set of prompts."""
    return {name: generalised(table, seen, bootstrap) for name, table in tables.items()}


def side_table(
    found: Mapping[str, Mapping[str, Interval]], chance: Mapping[str, float]
) -> pd.DataFrame:
    """The same for people: a row a name, and what even guessing reaches."""
    rows = {
        name: {title: figures[key].percent() for key, title in TITLES.items()}
        for name, figures in found.items()
    }
    even = {title: f"{100 * chance[key]:.1f} %" for key, title in TITLES.items()}
    return pd.DataFrame({**rows, "even guessing": even}).T


def level_table(
    tables: Mapping[str, pd.DataFrame], bootstrap: PlaceBootstrap
) -> dict[str, dict[str, Any]]:
    """How often the class of each level is right, and how many times chance that is."""
    found: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        n_classes, figures = len(table["codes"].iloc[0]), evaluate(table, bootstrap)
        top = figures["top_1"]
        times = [n_classes * value for value in (top.value, top.lower, top.upper)]
        found[name] = {"classes": n_classes, "photos": len(table), **figures}
        found[name]["times_chance"] = Interval(*times)
    return found


def point_figures(
    tables: Mapping[str, pd.DataFrame],
    levels: Mapping[str, Level],
    bootstrap: PlaceBootstrap,
    readout: str,
    pooling: str,
) -> tuple[dict[str, pd.DataFrame], dict[str, dict[str, Interval]]]:
    """Each level read as points: of photos, and of places with their views pooled.

    Returns:
        The tables of photos, by level; and distances by `"country"`, `"country, all views"` ...
    """
    points, figures = {}, {}
    for name, table in tables.items():
        located = table.dropna(subset=["true_lat", "true_lon"]).reset_index(drop=True)
        if not len(located):
            continue
        partition = levels[name].partition
        points[name] = as_points(located, partition, readout)
        pooled = as_points(pool_views(located, pooling), partition, readout)
        figures[name] = distance_intervals(points[name], bootstrap)
        figures[f"{name}, all views of a place"] = distance_intervals(pooled, bootstrap)
    return points, figures


def sides_figure(
    found: Mapping[str, Mapping[str, Interval]], chance: Mapping[str, float], note: str
) -> Figure:
    """Seen and unseen accuracy of each row with intervals, and what even guessing reaches."""
    names, keys = list(found), ("seen", "unseen", "harmonic", "unseen_alone")
    figure = new_figure(10.5, 0.42 * len(names) + 1.5, note)
    grid = figure.subplots(1, len(keys), sharey=True, squeeze=False)[0]
    heights = np.arange(len(names))[::-1]
    for axes, key in zip(grid, keys, strict=True):
        colour = BLUE if key == "seen" else ORANGE
        for height, figures in zip(heights, found.values(), strict=True):
            one = figures[key]
            ends = [100 * one.lower, 100 * one.upper]
            axes.plot(ends, [height] * 2, color=colour, linewidth=3, alpha=0.45)
            axes.plot([100 * one.value], [height], "o", color=colour, markersize=5)
        axes.axvline(100 * chance[key], color=GREY, linestyle="--", linewidth=1)
        axes.set(xlim=(0, 100), ylim=(-0.6, len(names) - 0.4))
        axes.set_xlabel(TITLES[key].replace(", ", ",\n") + ", %", fontsize=8)
        plain(axes)
    grid[0].set_yticks(heights, names, fontsize=8)
    return figure


def curve_figure(curves: Mapping[str, pd.DataFrame], chance: float, note: str) -> Figure:
    """Seen accuracy against unseen accuracy, as the seen classes are penalised more and more."""
    figure = new_figure(5.6, 4.6, note)
    axes = figure.add_subplot()
    shades = (BLUE, ORANGE, GREY)
    for (name, curve), colour in zip(curves.items(), shades * len(curves), strict=False):
        axes.plot(100 * curve["unseen"], 100 * curve["seen"], color=colour, label=name)
        still = curve.iloc[[int(curve["amount"].abs().argmin())]]
        axes.plot(100 * still["unseen"], 100 * still["seen"], "o", color=colour)
    axes.axhline(100 * chance, color=GREY, linestyle="--", linewidth=1)
    axes.axvline(100 * chance, color=GREY, linestyle="--", linewidth=1)
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.set_xlabel("unseen classes, %", fontsize=9)
    axes.set_ylabel("seen classes, %", fontsize=9)
    axes.legend(frameon=False, fontsize=8)
    plain(axes)
    return figure


def distance_table(figures: Mapping[str, Mapping[str, Interval]]) -> pd.DataFrame:
    """Distances for people: a row a level."""
    return pd.DataFrame(
        {
            name: {title: found[key].value for key, title in DISTANCE_TITLES.items()}
            for name, found in figures.items()
        }
    ).T


def plain_figures(found: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as plain values for `metrics.json`, however deep they lie."""
    return {
        str(name): value.as_dict()
        if isinstance(value, Interval)
        else plain_figures(value)
        if isinstance(value, Mapping)
        else value
        for name, value in found.items()
    }


def country_chances(codes: Sequence[str], seen: Collection[str]) -> dict[str, float]:
    """`chances`, without what is not known, for JSON."""
    return {k: v for k, v in chances(codes, seen).items() if np.isfinite(v)}
