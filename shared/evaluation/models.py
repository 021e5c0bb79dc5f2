"""Any checkpoint's predictions of photos: of countries, of regions, or points. Degrees, km."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from shared.data_loader import Pair
from shared.evaluation.inputs import CheckpointPlace, find_checkpoint
from shared.evaluation.predictions import make_point_predictions, make_predictions
from shared.partitions import Partition
from shared.processing.regions import load_regions
from shared.training.checkpoint import Checkpoint
from shared.training.images import Bytes, cache_images
from shared.vmf import VmfMixture

CELL_TASKS = ("grid", "city_clip", "geocell")  # whose classes hold the photos' places
TASKS = ("country", "region", "coordinates", *CELL_TASKS)


@dataclass(frozen=True)
class Predicted:
    """What a model says of photos.

    Attributes:
        task: `"country"`, `"region"`, `"coordinates"`, or one of `CELL_TASKS`.
        model: the checkpoint.
        table: the predictions, with `true_country`.
        mixture: the densities of the rows of `table`; None for other models.
        left_out: how many photos have no true class or place, and are not in the table.
    """

    task: str
    model: Checkpoint
    table: pd.DataFrame
    mixture: VmfMixture | None
    left_out: int


def partition_of(model: Checkpoint) -> Partition:
    """The classes of a model that has some.

    Raises:
        ValueError: for a model of points.
    """
    if model.partition is None:
        msg = f"Expected a model of classes, but this one is of {model.config['task']}: points"
        raise ValueError(msg)
    return model.partition


def region_codes(truth: pd.DataFrame, model: Checkpoint, dataset: str) -> pd.Series:
    """The true class of photos, for a model of regions.

    It is the class that the photo's region went to when the classes were chosen; a region that went
    to none keeps its own code, which the model lacks. Where `2-enrich/regions` has not run for the
    data set, or names other regions, it is the class whose area holds the photo, or is nearest.

    Args:
        truth: indexed by id: `lat`, `lon`.
        model: its partition, and `config["facts"]["moved"]`.
        dataset: the photos' data set.

    Returns:
        Codes by id, of the photos that have a place.
    """
    located = truth[truth[["lat", "lon"]].notna().all(axis=1)]
    moved = model.config.get("facts", {}).get("moved", {})
    try:
        _, table = load_regions(dataset)
        regions = table["region_code"].reindex(located.index)
    except FileNotFoundError:
        regions = pd.Series(index=located.index, dtype=object)
    known = regions.notna() & (regions.isin(list(moved)) if moved else True)
    if known.mean() > 0.5:
        kept = regions[regions.notna()].astype(str)
        return kept.map(lambda code: moved.get(code, code)).astype(object)
    labels = partition_of(model).label(located[["lat", "lon"]].to_numpy(dtype=np.float64))
    return pd.Series(labels, index=located.index, dtype=object)


def cell_codes(truth: pd.DataFrame, cells: Partition) -> pd.Series:
    """The cell or city that holds each photo, or is nearest; codes of those with a place, by id."""
    located = truth[truth[["lat", "lon"]].notna().all(axis=1)]
    labels = cells.label(located[["lat", "lon"]].to_numpy(dtype=np.float64))
    return pd.Series(labels, index=located.index, dtype=object)


def predict_photos(
    checkpoint: CheckpointPlace,
    truth: pd.DataFrame,
    pairs: Sequence[Pair],
    digest: str,
    cache: Path,
    dataset: str,
    batch_size: int = 256,
    processes: int | None = None,
) -> Predicted:
    """The predictions of a checkpoint.

    Args:
        checkpoint: where the model lies.
        truth: indexed by id: `place`, `code` (the country), `lat`, `lon`.
        pairs: the photos, in the same order.
        digest: of their list.
        cache: where decoded photos are kept.
        dataset: the photos' data set.
        batch_size: photos at a time.
        processes: how many decode side by side; None: one a processor.

    Raises:
        ValueError: when no photo has what the task needs.
    """
    model = Checkpoint.load(checkpoint.folder)
    task = str(model.config["task"])
    images = cache_images(pairs, model.preprocessing, digest, cache, processes)
    known = truth.assign(country=truth["code"])
    if task == "region":
        known["code"] = region_codes(truth, model, dataset).reindex(known.index)
    if task in CELL_TASKS:
        known["code"] = cell_codes(truth, partition_of(model)).reindex(known.index)
    is_usable = known["code"].notna().to_numpy()
    if task == "coordinates":
        is_usable = known[["lat", "lon"]].notna().all(axis=1).to_numpy()
    if not is_usable.any():
        msg = f"Expected photos with coordinates, but none of {len(truth)} has any: {task} needs it"
        raise ValueError(msg)
    rows = np.flatnonzero(is_usable)
    chosen = images if len(rows) == len(truth) else np.asarray(images[rows])
    table, mixture = _tables(model, known.iloc[rows], chosen, batch_size)
    return Predicted(task, model, table, mixture, len(truth) - len(rows))


def _tables(
    model: Checkpoint, known: pd.DataFrame, images: Bytes, batch_size: int
) -> tuple[pd.DataFrame, VmfMixture | None]:
    if model.partition is not None:
        values = model.predict(images, batch_size)
        return make_predictions(known, values, model.partition), None
    output = model.predict_points(images, batch_size)
    order = np.argsort(known.index.to_numpy(dtype=str), kind="stable")
    mixture = output.mixture
    if mixture is not None:  # in the order of the table, which is sorted by id
        mixture = VmfMixture(mixture.weights[order], mixture.means[order], mixture.kappas[order])
    return make_point_predictions(known, output.points), mixture


def checkpoints_of(dataset: str, tasks: Sequence[str] = TASKS) -> dict[str, CheckpointPlace]:
    """The best checkpoint of each task that a data set has, by task."""
    found = {}
    for task in tasks:
        try:
            found[task] = find_checkpoint(dataset, task=task)
        except FileNotFoundError:
            continue
    return found
