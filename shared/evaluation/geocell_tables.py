"""The ways of guessing side by side, and the other models of a data set: figures and tables.

A row of a table of predictions is a place. Kilometres; shares are shown in per cent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from shared.evaluation.distance_intervals import compare_distances, distance_intervals
from shared.evaluation.distances import DISTANCE_TITLES, distance_text, table_distances
from shared.evaluation.geocell import Refinement, right_country
from shared.evaluation.geocell_places import PlaceList
from shared.evaluation.intervals import Interval, PlaceBootstrap, Sums
from shared.evaluation.metrics import evaluate
from shared.evaluation.models import checkpoints_of, predict_photos
from shared.evaluation.place_summary import judged, oracle_predictions
from shared.evaluation.seeds import SeedRuns, median_ratio
from shared.partitions import Partition

COUNTRY = "country"
TITLES: Mapping[str, str] = {
    "top_1": "right cell",
    "top_5": "among five",
    COUNTRY: "right country",
    **{name: DISTANCE_TITLES[name] for name in ("mean_km", "median_km")},
    **{name: title for name, title in DISTANCE_TITLES.items() if name.startswith("within")},
    "geo_score": DISTANCE_TITLES["geo_score"],
}
RIVALS = ("country", "region", "coordinates")
RIGHT_CELL, NEAREST_PLACE = "the right cell's point", "the nearest training place"

Figures = Mapping[str, Interval]


def way_figures(
    tables: Mapping[str, pd.DataFrame],
    bootstrap: PlaceBootstrap,
    countries: Partition | None = None,
) -> dict[str, dict[str, Interval]]:
    """All figures of each way of guessing, with intervals over places.

    Args:
        tables: predictions by way.
        bootstrap: how places are drawn.
        countries: polygons that tell the country of a point; None: the gazetteer does.
    """
    found = {}
    for way, table in tables.items():
        cells = evaluate(table, bootstrap)
        country = bootstrap.intervals(_country_sums(table, countries), _shares)
        kept = {name: cells[name] for name in ("top_1", "top_5")}
        found[way] = {**kept, **country, **distance_intervals(table, bootstrap)}
    return found


def compare_ways(
    pairs: Sequence[tuple[str, str]],
    tables: Mapping[str, pd.DataFrame],
    bootstrap: PlaceBootstrap,
    countries: Partition | None = None,
) -> dict[tuple[str, str], dict[str, Interval]]:
    """The figures of the first of each pair minus those of the second, paired over places."""
    found = {}
    for first, second in pairs:
        sums = [_country_sums(tables[way], countries) for way in (first, second)]
        country = bootstrap.differences(sums[0], sums[1], _shares)
        distances = compare_distances(tables[first], tables[second], bootstrap)
        found[first, second] = {**country, **distances}
    return found


def ways_frame(
    figures: Mapping[str, Figures] | Mapping[tuple[str, str], Figures], is_difference: bool = False
) -> pd.DataFrame:
    """A row a way, or a comparison of two; a column a figure, with its interval."""
    text = change_text if is_difference else interval_text
    rows = {
        " minus ".join(name) if isinstance(name, tuple) else name: {
            title: text(key, found[key]) for key, title in TITLES.items() if key in found
        }
        for name, found in figures.items()
    }
    return pd.DataFrame(rows).T


def interval_text(name: str, found: Interval) -> str:
    """A figure with its interval."""
    value, lower, upper = (_text(name, end) for end in (found.value, found.lower, found.upper))
    for unit in (" km", " %"):
        lower, upper = lower.removesuffix(unit), upper.removesuffix(unit)
    return f"{value} ({lower} to {upper})"


def change_text(name: str, found: Interval) -> str:
    """A difference with its interval: shares in points; *clear* where that leaves out 0."""
    is_share = not (name.endswith("_km") or name == "geo_score")
    factor, decimals = (100, 1) if is_share else (1, 0)
    value, lower, upper = (
        f"{factor * end:+,.{decimals}f}" for end in (found.value, found.lower, found.upper)
    )
    unit, clear = " points" if is_share else "", ", clear" if found.is_clear else ""
    return f"{value}{unit} ({lower} to {upper}{clear})"


@dataclass(frozen=True)
class Rival:
    """Another model on the same places.

    Attributes:
        figures: its distances.
        ratio: how many times as far its median is as that of the geocell model.
    """

    figures: Figures
    ratio: Interval

    @property
    def text(self) -> str:
        """Both in words."""
        return (
            f"median {interval_text('median_km', self.figures['median_km'])}, "
            f"{self.ratio.value:.2f} times as far ({self.ratio.lower:.2f} to "
            f"{self.ratio.upper:.2f})"
        )

    def as_dict(self) -> dict[str, Any]:
        """What `metrics.json` says of it."""
        figures = {name: one.as_dict() for name, one in self.figures.items()}
        return {"figures": figures, "median_over_ours": self.ratio.as_dict()}


def rival_tables(
    dataset: str,
    part: PlaceList,
    cache: Path,
    batch_size: int = 256,
    processes: int | None = None,
    tasks: Sequence[str] = RIVALS,
) -> dict[str, pd.DataFrame]:
    """The guesses of the other models of a data set, a row a place, its views pooled.

    Classes are read by the point of least expected distance; views are pooled by the mean of their
    log-probabilities.

    Args:
        dataset: its name.
        part: the places.
        cache: where decoded photos are kept.
        batch_size: photos at a time.
        processes: how many decode side by side; None: one a processor.
        tasks: of the models.

    Returns:
        By task; none for tasks that were not trained.
    """
    found = {}
    for task, place in checkpoints_of(dataset, tasks).items():
        asked = (part.truth, part.pairs, part.digest, cache, dataset, batch_size, processes)
        pooled = judged(predict_photos(place, *asked), "expected-distance", "log")["places"]
        found[task] = pooled.assign(id=pooled["place"]).sort_values("id", ignore_index=True)
    return found


def rival_of(ours: pd.DataFrame, theirs: pd.DataFrame, bootstrap: PlaceBootstrap) -> Rival:
    """Another model beside ours, on the same places.

    Raises:
        ValueError: when the places differ.
    """
    if ours["place"].tolist() != theirs["place"].tolist():
        msg = f"Expected the same places, but got {len(ours)} and {len(theirs)}, or others"
        raise ValueError(msg)
    one, two = (SeedRuns(table_distances(table)[None]) for table in (ours, theirs))
    return Rival(distance_intervals(theirs, bootstrap), median_ratio(one, two, bootstrap))


def bound_tables(
    table: pd.DataFrame, cells: Partition, train: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """What no model can beat: a perfect choice of the cell, and of the training place.

    Args:
        table: predictions of places, for these and their true cells.
        cells: the classes.
        train: the training photos: `lat`, `lon`.
    """
    centres = cells.centres[cells.index_of(table["true_code"])]
    right = table.assign(pred_lat=centres[:, 0], pred_lon=centres[:, 1])
    return {RIGHT_CELL: right, NEAREST_PLACE: oracle_predictions(table, train)}


def rivals_frame(rivals: Mapping[str, Rival]) -> pd.DataFrame:
    """A row a model."""
    rows = {
        name: {
            **{
                DISTANCE_TITLES[key]: interval_text(key, rival.figures[key])
                for key in ("median_km", "mean_km", "geo_score")
            },
            "median, times ours": (
                f"{rival.ratio.value:.2f} ({rival.ratio.lower:.2f} to {rival.ratio.upper:.2f})"
            ),
        }
        for name, rival in rivals.items()
    }
    return pd.DataFrame(rows).T


def ways_document(
    refinement: Refinement,
    figures: Mapping[str, Figures],
    changes: Mapping[tuple[str, str], Figures],
) -> dict[str, Any]:
    """What `metrics.json` says of the ways: what was chosen, their figures, their differences."""
    return {
        "refinement": {
            "prototypes": len(refinement.refiner.prototypes),
            "settings": {
                way: {
                    "top_k": one.top_k,
                    "temperature": round(one.temperature, 6),
                    "max_move_km": one.max_move_km if np.isfinite(one.max_move_km) else None,
                    "neighbour_share": one.neighbour_share,
                }
                for way, one in refinement.settings.items()
            },
            "neighbours": refinement.n_neighbours,
            "neighbour_temperature": round(refinement.neighbour_temperature, 6),
        },
        "ways": {way: _document(found) for way, found in figures.items()},
        "differences": {" minus ".join(pair): _document(found) for pair, found in changes.items()},
    }


def _document(found: Figures) -> dict[str, Any]:
    return {name: one.as_dict() for name, one in found.items()}


def _country_sums(table: pd.DataFrame, countries: Partition | None) -> Sums:
    points = table[["pred_lat", "pred_lon"]].to_numpy(dtype=np.float64)
    right = right_country(points, table["true_country"].tolist(), countries)
    return {"n": np.ones(len(table)), "right": right.astype(np.float64)}


def _shares(sums: Sums) -> dict[str, Any]:
    return {COUNTRY: sums["right"] / sums["n"]}


def _text(name: str, value: float) -> str:
    if name in DISTANCE_TITLES:
        return distance_text(name, value)
    return f"{100 * value:.1f} %"
