"""Models of a grid's cells, from one view of a place or from several, and as their ancestor did it.

A row of these tables is a place, with the place as its id, so that any number of views can be
compared place by place. Degrees, `(lat, lon)`, kilometres; miles where the ancestor has them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from shared.data_loader import Pair, read_records
from shared.evaluation.conventions import CONVENTIONS
from shared.evaluation.distance_intervals import compare_distances, distance_intervals
from shared.evaluation.intervals import Interval, PlaceBootstrap
from shared.evaluation.metrics import compare, evaluate
from shared.evaluation.pooling import pool_views
from shared.evaluation.predictions import make_predictions
from shared.evaluation.readout import as_points
from shared.grid import cell_centres
from shared.partitions import Partition
from shared.paths import data_folder, shown
from shared.training.checkpoint import Checkpoint
from shared.training.features import Features, cached_features
from shared.training.grid_net import FrozenNet, feature_logits
from shared.training.images import cache_images
from shared.training.views import Views, drawn_order, group_views

MILES = CONVENTIONS["geoguessrai"]
KILOMETRES = replace(MILES, unit_km=1.0)


@dataclass(frozen=True)
class GridModel:
    """One trained head.

    Attributes:
        name: such as `"lstm, 1.5M"`.
        size: of the head.
        views: how it joins the views of a place; `"one"`: it knows single photos.
        checkpoint: the model.
    """

    name: str
    size: str
    views: str
    checkpoint: Checkpoint

    @property
    def cells(self) -> Partition:
        """Its classes.

        Raises:
            ValueError: when it has none.
        """
        if self.checkpoint.partition is None:
            msg = f"Expected a model of cells, but {self.name} has no classes"
            raise ValueError(msg)
        return self.checkpoint.partition


def grid_models(dataset: str) -> dict[str, GridModel]:
    """All heads that `3-training/grid.ipynb` has trained for a data set, by name.

    Raises:
        FileNotFoundError: when there is none.
    """
    folder = data_folder("3-training", dataset) / "grid" / "heads"
    found = {}
    for path in sorted(folder.glob("*/best/config.json")):
        checkpoint = Checkpoint.load(path.parent)
        head = checkpoint.config["network"]
        name = f"{head['views']}, {head['size']}"
        found[name] = GridModel(name, head["size"], head["views"], checkpoint)
    if not found:
        msg = f"Expected heads in {shown(folder)}, but there are none: run 3-training/grid.ipynb"
        raise FileNotFoundError(msg)
    return found


def model_features(
    model: GridModel,
    pairs: Sequence[Pair],
    digest: str,
    folder: Path,
    processes: int | None = None,
    batch_size: int = 64,
) -> Features:
    """What a model's frozen backbone sees in the photos of a list, computed once.

    Args:
        model: any of the heads.
        pairs: the photos.
        digest: of their list.
        folder: where photos and features are cached.
        processes: how many decode side by side; None: one a processor.
        batch_size: photos at a time.

    Raises:
        TypeError: for a model without a frozen backbone.
    """
    network, size = model.checkpoint.model, model.checkpoint.preprocessing
    if not isinstance(network, FrozenNet):
        msg = f"Expected a frozen backbone in {model.name}, but got {type(network).__name__}"
        raise TypeError(msg)
    images = cache_images(pairs, size, digest, folder, processes)
    return cached_features(network.backbone, images, digest, size, folder, batch_size)


def views_of(pairs: Sequence[Pair], truth: pd.DataFrame, seed: int, n: int) -> Views:
    """At most n views of each place, drawn by ids and seed, in the order of their headings.

    Of more views fewer are a part: the first of two is the one that n = 1 has.

    Args:
        pairs: the photos.
        truth: indexed by id, in the same order: `place`, `lat`, `lon`; rows without a point are
            passed over.
        seed: draws them.
        n: how many; 0: all.
    """
    ids = truth.index.astype(str)
    known = np.flatnonzero(truth[["lat", "lon"]].notna().all(axis=1))
    drawn = group_views(
        list(truth["place"].iloc[known]), drawn_order(list(ids[known]), seed), known, n
    )
    rows = drawn.rows[drawn.rows >= 0]
    places = np.repeat(drawn.places, drawn.counts)
    headings = read_records(pairs).get("heading")
    order = rows if headings is None else np.asarray(headings, dtype=np.float64)[rows]
    return group_views(list(places), order, rows)


def predict_places(
    model: GridModel, features: Features, views: Views, truth: pd.DataFrame
) -> pd.DataFrame:
    """The predictions of a model, a row a place; a guess is the centre of the likeliest cell.

    A head that knows single photos is asked about each place's first view.

    Args:
        model: the model.
        features: of all photos.
        views: the photos of each place.
        truth: of all photos, indexed by id: `place`, `code` (the country), `lat`, `lon`.
    """
    rows = views.rows[:, :1] if model.views == "one" else views.rows
    logits = feature_logits(model.checkpoint.model, features, rows).astype(np.float64)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    known = truth.iloc[rows[:, 0]]
    points = known[["lat", "lon"]].to_numpy(dtype=np.float64)
    place_truth = pd.DataFrame(
        {
            "place": views.places,
            "code": model.cells.label(points),
            "lat": points[:, 0],
            "lon": points[:, 1],
            "country": known["code"].to_numpy(),
        },
        index=pd.Index(views.places, name="id"),
    )
    return make_predictions(place_truth, shares / shares.sum(axis=1, keepdims=True), model.cells)


def as_ancestor(table: pd.DataFrame, cells: Partition) -> pd.DataFrame:
    """The table as GeoGuessrAI measured it: from the true cell's centre to the likeliest cell's.

    Args:
        table: predictions of cells.
        cells: all of them.
    """
    centres = cell_centres(cells.table.geometry.to_numpy())
    true = centres[cells.index_of(table["true_code"])]
    guess = centres[cells.index_of(table["pred_code"])]
    return table.assign(
        true_lat=true[:, 0], true_lon=true[:, 1], pred_lat=guess[:, 0], pred_lon=guess[:, 1]
    )


def grid_figures(
    table: pd.DataFrame, cells: Partition, bootstrap: PlaceBootstrap, readout: str
) -> dict[str, Interval]:
    """All figures of a model with intervals over places.

    Args:
        table: predictions of cells.
        cells: the classes.
        bootstrap: how places are drawn.
        readout: how a guess becomes a point, as of `readout.as_points`.

    Returns:
        Shares of right cells (`top_1` and more), the ancestor's `ancestor_miles` and `ancestor_km`
        (means between the centres of cells), and this project's distances to the true point.
    """
    ancestor = as_ancestor(table, cells)
    means = {
        "ancestor_miles": distance_intervals(ancestor, bootstrap, MILES)["mean_km"],
        "ancestor_km": distance_intervals(ancestor, bootstrap, KILOMETRES)["mean_km"],
    }
    points = distance_intervals(as_points(table, cells, readout), bootstrap)
    return {**evaluate(table, bootstrap), **means, **points}


def grid_difference(
    first: pd.DataFrame,
    second: pd.DataFrame,
    cells: Partition,
    bootstrap: PlaceBootstrap,
    readout: str,
) -> dict[str, Interval]:
    """The figures of `first` minus those of `second`, of the same places, paired.

    Args:
        first: predictions of cells.
        second: others of the same places.
        cells: the classes.
        bootstrap: how places are drawn.
        readout: how a guess becomes a point.
    """
    old = [as_ancestor(table, cells) for table in (first, second)]
    new = [as_points(table, cells, readout) for table in (first, second)]
    ancestor = compare_distances(old[0], old[1], bootstrap, KILOMETRES)["mean_km"]
    return {
        **compare(first, second, bootstrap),
        "ancestor_km": ancestor,
        **compare_distances(new[0], new[1], bootstrap),
    }


def pool_answers(
    model: GridModel, features: Features, views: Views, truth: pd.DataFrame
) -> pd.DataFrame:
    """What a head of single photos says of places: its answers to their views, pooled.

    Args:
        model: the model; it is asked about each view alone.
        features: of all photos.
        views: the photos of each place.
        truth: as of `predict_places`.
    """
    parts = []
    for column in range(views.rows.shape[1]):
        there = views.only(views.counts > column)
        one = Views(there.places, there.rows[:, column : column + 1])
        part = predict_places(model, features, one, truth)
        parts.append(part.assign(id=part["id"] + f" {column}"))
    table = pool_views(pd.concat(parts).sort_values("id", ignore_index=True))
    return as_points(table, model.cells, "centre")
