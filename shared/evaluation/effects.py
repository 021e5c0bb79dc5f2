"""What each setting of a sweep changed on the test: main effects, paired over places.

A grid of trainings, each tested on the same photos: the effect of a level of a setting is the mean
score of the trainings that have it, minus that of the trainings that have the setting's first
level. All other settings are the same on both sides, so they cancel, and so does what makes a photo
hard: each draw of the bootstrap takes the same places for all. It covers which places were tested,
not the luck of a training.

Source: Montgomery (2017), Design and Analysis of Experiments, section 6.2 (main effects of a
factorial design).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from shared.evaluation.distances import scores_of, table_distances
from shared.evaluation.figures import BLUE, FAINT, INK, new_figure, plain
from shared.evaluation.intervals import Floats, Interval, PlaceBootstrap, Sums, sum_by_place
from shared.evaluation.metrics import place_index, rank_of_truth


@dataclass(frozen=True)
class Effect:
    """What a level of a setting changes against the setting's first level.

    Attributes:
        setting: such as `"image_size"`.
        level: such as `"320x180"`.
        than: the first level, such as `"130x80"`.
        change: of the mean score.
    """

    setting: str
    level: object
    than: object
    change: Interval


@dataclass(frozen=True)
class Trials:
    """Trainings on the same photos.

    Attributes:
        settings: a row a training, a column a setting that was varied.
        scores: (T, N) a score of each training and photo, of which means are taken.
        place: (N,) the place of each photo, 0 to P - 1.
    """

    settings: pd.DataFrame
    scores: Floats
    place: NDArray[np.intp]

    def __post_init__(self) -> None:
        """Check the shapes."""
        if self.scores.shape != (len(self.settings), len(self.place)):
            msg = (
                f"Expected a score of each of {len(self.settings)} trainings and "
                f"{len(self.place)} photos, got shape {self.scores.shape}"
            )
            raise ValueError(msg)


def right_country(tables: Sequence[pd.DataFrame]) -> tuple[Floats, NDArray[np.intp]]:
    """(T, N) 1 where the first guess is the true class, and (N,) the photos' places.

    Args:
        tables: predictions of the same photos.

    Raises:
        ValueError: when they are about different photos.
    """
    _check_same(tables)
    hits = np.stack([(rank_of_truth(table) < 1).astype(np.float64) for table in tables])
    return hits, place_index(tables[0])[0]


def geo_scores(tables: Sequence[pd.DataFrame]) -> tuple[Floats, NDArray[np.intp]]:
    """(T, N) the GeoScore of each guessed point, and (N,) the photos' places.

    Args:
        tables: predictions of the same photos, all of them with a true and a guessed point.

    Raises:
        ValueError: when they are about different photos.
    """
    _check_same(tables)
    scores = np.stack([scores_of(table_distances(table)) for table in tables])
    return scores, place_index(tables[0])[0]


def means(trials: Trials, bootstrap: PlaceBootstrap) -> list[Interval]:
    """The mean score of each training, with its interval."""
    rows = np.eye(len(trials.settings))
    return _contrasts(trials, {str(number): row for number, row in enumerate(rows)}, bootstrap)


def main_effects(trials: Trials, bootstrap: PlaceBootstrap) -> list[Effect]:
    """The effect of each level of each setting, in the order of the columns and of the rows.

    Raises:
        ValueError: when the trainings are no whole grid, each combination as often as any other:
            then the settings do not cancel.
    """
    _check_grid(trials.settings)
    found: list[tuple[str, object, object]] = []
    rows: dict[str, Floats] = {}
    for setting in trials.settings:
        column = trials.settings[setting]
        first, *others = list(dict.fromkeys(column))
        low = (column == first).to_numpy(dtype=np.float64)
        for level in others:
            high = (column == level).to_numpy(dtype=np.float64)
            rows[str(len(found))] = high / high.sum() - low / low.sum()
            found.append((str(setting), level, first))
    changes = _contrasts(trials, rows, bootstrap) if rows else []
    return [Effect(*what, change) for what, change in zip(found, changes, strict=True)]


def effects_table(effects: Mapping[str, Sequence[Effect]]) -> pd.DataFrame:
    """The effects for readers: a row a level, a column a measure.

    Args:
        effects: by measure, `"top-1"` or `"GeoScore"`; of the same trials.
    """
    measures = list(effects)
    rows = []
    for same in zip(*effects.values(), strict=True):
        row: dict[str, object] = {
            "setting": same[0].setting,
            "level": same[0].level,
            "against": same[0].than,
        }
        row |= {name: change_text(name, e.change) for name, e in zip(measures, same, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows, columns=["setting", "level", "against", *measures])


def score_text(found: Interval) -> str:
    """A GeoScore with its interval: `"3,333 (3,180 to 3,477)"`."""
    return f"{found.value:,.0f} ({found.lower:,.0f} to {found.upper:,.0f})"


def change_text(measure: str, found: Interval) -> str:
    """A change with its interval: of a share in points, of GeoScore as it is."""
    if measure == "top-1":
        return found.points()
    return f"{found.value:+,.0f} ({found.lower:+,.0f} to {found.upper:+,.0f})"


def effects_document(
    means_of: Mapping[str, Sequence[Interval]],
    effects: Mapping[str, Sequence[Effect]],
    settings: pd.DataFrame,
) -> dict[str, Any]:
    """What `metrics.json` says of the trials and of the effects."""
    return {
        "trials": [
            {
                "settings": row,
                **{measure: found[number].as_dict() for measure, found in means_of.items()},
            }
            for number, row in enumerate(settings.to_dict("records"))
        ],
        "effects": {
            measure: [
                {
                    "setting": one.setting,
                    "level": one.level,
                    "against": one.than,
                    "change": one.change.as_dict(),
                }
                for one in found
            ]
            for measure, found in effects.items()
        },
    }


def effects_figure(effects: Sequence[Effect], note: str) -> Figure:
    """The changes of a share with their intervals, a line a level, in points."""
    figure = new_figure(7.0, 0.45 * len(effects) + 1.3, note)
    axes = figure.subplots()
    heights = np.arange(len(effects))[::-1]
    for height, one in zip(heights, effects, strict=True):
        ends = [100 * one.change.lower, 100 * one.change.upper]
        axes.plot(ends, [height, height], color=BLUE, linewidth=3, alpha=0.45)
        axes.plot([100 * one.change.value], [height], "o", color=BLUE, markersize=5)
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(heights, [f"{e.setting}: {e.level} against {e.than}" for e in effects])
    axes.set(xlabel="change of top-1, points", ylim=(-0.6, len(effects) - 0.4))
    axes.grid(axis="x", color=FAINT)
    plain(axes)
    return figure


def _contrasts(
    trials: Trials, rows: Mapping[str, ArrayLike], bootstrap: PlaceBootstrap
) -> list[Interval]:
    """Weighted sums of the trainings' means; each row of weights is (T,)."""
    weights = np.stack([np.asarray(row, dtype=np.float64) for row in rows.values()], axis=1)
    n_places = int(trials.place.max()) + 1
    sums = {
        "rows": sum_by_place(trials.place, np.ones(len(trials.place)), n_places),
        "scores": sum_by_place(trials.place, trials.scores.T, n_places),
    }

    def figures(found: Sums) -> dict[str, Floats]:
        mean = found["scores"] / found["rows"][..., None]
        return {name: (mean @ weights)[..., number] for number, name in enumerate(rows)}

    return list(bootstrap.intervals(sums, figures).values())


def _check_same(tables: Sequence[pd.DataFrame]) -> None:
    ids = [list(table["id"]) for table in tables]
    if not ids or any(one != ids[0] for one in ids):
        msg = f"Expected predictions of the same photos, but got {[len(one) for one in ids]} rows"
        raise ValueError(msg)


def _check_grid(settings: pd.DataFrame) -> None:
    counts = settings.value_counts(list(settings), dropna=False)
    cells = int(np.prod([settings[name].nunique(dropna=False) for name in settings]))
    if len(counts) != cells or len(set(counts)) != 1:
        msg = (
            f"Expected trainings of all {cells} combinations of {list(settings)}, each as often as "
            f"any other, but got {len(settings)} of {len(counts)}: finish the sweep first"
        )
        raise ValueError(msg)
