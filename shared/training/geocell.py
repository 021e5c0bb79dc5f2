"""What the geocell task reads and answers: cells, facts, features of views. Degrees, kilometres.

The cells are those of `2-data-processing/6-divide/geocells.ipynb`, or naive ones to hold them
against; the facts are those of `2-data-processing/2-enrich/surroundings.ipynb`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import cat, nn

from shared.data_loader.places import locked
from shared.geo import haversine_km
from shared.manifest import note_inputs
from shared.partitions import Partition
from shared.paths import data_folder, shown
from shared.processing.geocells import preset
from shared.processing.geocells_rivals import naive_cells
from shared.processing.surroundings import load_surroundings, surroundings_folder
from shared.training import distributed
from shared.training.batches import Split
from shared.training.checkpoint import Checkpoint
from shared.training.features import Features, cached_features
from shared.training.geocell_net import GeocellModel, net_outputs
from shared.training.geocell_targets import (
    Fact,
    constant_guess,
    fact_error,
    fit_facts,
    split_outputs,
    target_columns,
)
from shared.training.grid import CellPhotos, CellTargets, cell_targets
from shared.training.headings import ViewFeatures, heading_columns
from shared.training.images import Bytes, Preprocessing
from shared.training.inputs import Lists, PhotoList
from shared.training.measures import summarise_km
from shared.training.targets import classes_of

CELLS = ("semantic", "naive")
STAGE, NOTEBOOK = "2-data-processing/6-divide", "2-data-processing/6-divide/geocells"


@dataclass(frozen=True)
class GeocellData:
    """The classes, the facts, and the photos of both lists with theirs.

    Attributes:
        cells: the classes, and the photos with coordinates.
        facts: what is told beside the cells, scaled by the training photos.
        surroundings: the facts of all photos, by id.
    """

    cells: CellTargets
    facts: tuple[Fact, ...]
    surroundings: pd.DataFrame = field(repr=False)

    @property
    def partition(self) -> Partition:
        """The cells."""
        return self.cells.partition

    def train_split(
        self, features: Features | Bytes, headings: NDArray[np.float32], views: str
    ) -> Split:
        """The photos or places to learn from, with their facts.

        Args:
            features: of the whole training list, or its pixels.
            headings: (N, 2) of the whole list.
            views: `"one"`: a row a photo; else a row a place, with the facts of its first view.
        """
        part = self.cells.train
        split = split_of(part, features, headings, views)
        own = target_columns(self.facts, self.surroundings.reindex(part.photos.records.index))
        chosen = own if views == "one" else own[part.views.rows[:, 0]]
        return replace(split, targets=cat([split.targets, chosen], dim=1))

    def validation_split(
        self, features: Features | Bytes, headings: NDArray[np.float32], views: str
    ) -> Split:
        """The photos or places that the best epoch is chosen by: by their cells alone."""
        return split_of(self.cells.validation, features, headings, views)

    def place_facts(self, part: CellPhotos) -> pd.DataFrame:
        """The true facts of the places of a list, by place: those of the first view."""
        ids = part.photos.records.index[part.views.rows[:, 0]]
        return self.surroundings.reindex(ids).set_axis(part.views.places)


@dataclass(frozen=True)
class PlaceOutputs:
    """What a model says of P places.

    Attributes:
        embeddings: (P, D) the joined embeddings that the head reads.
        logits: (P, K) of the cells.
        facts: by name, (P,) values in the fact's unit, or class names.
    """

    embeddings: NDArray[np.float32] = field(repr=False)
    logits: NDArray[np.float32] = field(repr=False)
    facts: Mapping[str, NDArray[Any]] = field(repr=False)

    @property
    def cells(self) -> NDArray[np.int64]:
        """(P,) the likeliest cells."""
        return np.asarray(self.logits.argmax(axis=1), dtype=np.int64)

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """(P, K) the softmax of the logits, which are divided by a temperature."""
        scaled = self.logits.astype(np.float64) / temperature
        shares = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def geocell_partition(
    dataset: str, kind: str, train: PhotoList, naive_maximum: int = 0
) -> Partition:
    """The cells of a data set.

    Args:
        dataset: the data set.
        kind: `"semantic"`: those of `6-divide/geocells`; `"naive"`: boxes that are halved.
        train: the training photos; naive cells are made of their places.
        naive_maximum: training places of a naive cell; 0: that of the scaled geocells.

    Raises:
        FileNotFoundError: when the notebook that writes the geocells has not run.
        ValueError: for another kind.
    """
    if kind not in CELLS:
        msg = f"Expected cells to be one of {CELLS}, but got {kind!r}"
        raise ValueError(msg)
    if kind == "naive":
        places = np.unique(train.points[train.has_point], axis=0)
        return naive_cells(places, naive_maximum or preset("scaled", len(places)).maximum)
    path = data_folder(STAGE, dataset) / "geocells.parquet"
    if not path.exists():
        msg = f"Expected the geocells in {shown(path)}: run {NOTEBOOK}"
        raise FileNotFoundError(msg)
    note_inputs([path])
    return Partition.load(path)


def geocell_data(
    lists: Lists,
    dataset: str,
    cells: Partition,
    tasks: Sequence[str],
    weights: Mapping[str, float] | None = None,
    max_views: int = 4,
) -> GeocellData:
    """The classes and facts of a data set's photos.

    Args:
        lists: of `read_lists`.
        dataset: whose surroundings are read, where there are tasks.
        cells: of `geocell_partition`; a photo outside of all is of the nearest.
        tasks: the facts to learn beside the cells.
        weights: other weights than the published, by fact (`fit_facts`).
        max_views: views of a place that are used, at most.

    Raises:
        FileNotFoundError: when the notebook that writes the surroundings has not run.
    """
    targets = cell_targets(lists.train, lists.validation, cells, "area", max_views)
    if not tasks:
        return GeocellData(targets, (), pd.DataFrame(index=lists.train.records.index[:0]))
    table = load_surroundings(dataset)
    note_inputs([surroundings_folder(dataset) / "surroundings.parquet"])
    own = table.reindex(targets.train.photos.records.index)
    return GeocellData(targets, fit_facts(own, tasks, weights), table)


def headings_of(photos: PhotoList) -> NDArray[np.float32]:
    """(N, 2) the headings of all photos of a list, as `heading_columns`.

    Photos that were not chosen get 0 and 0, as those without a heading.
    """
    known = photos.records.get("heading", pd.Series(np.nan, index=photos.records.index))
    found = np.full(len(photos.pairs), np.nan)
    rows = np.arange(len(photos)) if photos.rows is None else photos.rows
    found[rows] = np.asarray(known, dtype=np.float64)
    return heading_columns(found)


def split_of(
    part: CellPhotos, features: Features | Bytes, headings: NDArray[np.float32], views: str
) -> Split:
    """Photos or places with their cells and points.

    Args:
        part: the photos of one list.
        features: of the whole list, or its pixels.
        headings: (N, 2) of the whole list.
        views: `"one"`: a row a photo; else a row a place.
    """
    joined = cast(NDArray[Any], ViewFeatures(features, headings))
    return part.split(joined, views)


def front_features(
    front: nn.Module,
    images: Bytes,
    digest: str,
    preprocessing: Preprocessing,
    folder: Path,
    name: str,
) -> Features | Bytes:
    """What a tower's unchanging part gives for a list's photos: computed now, or opened.

    Args:
        front: of a network or a model; where there is none the pixels are returned as they are.
        images: (N, H, W, 3) bytes of the whole list.
        digest: of the list.
        preprocessing: how its photos became these images.
        folder: where the files lie.
        name: the tower's, for the file's name.
    """
    if isinstance(front, nn.Identity):
        return images
    plain = "".join(c if c.isalnum() else "-" for c in f"{name}-{type(front).__name__}").lower()
    # Trials of a sweep that run side by side compute them once.
    with distributed.one_process_first(), locked(f"{folder} {plain}"):
        return cached_features(front, images, digest, preprocessing, folder, name=plain)


def checkpoint_features(
    checkpoint: Checkpoint, images: Bytes, digest: str, folder: Path
) -> Features | Bytes:
    """The features that a checkpoint's trained part reads, of a list's photos.

    Args:
        checkpoint: of `3-training/geocell`.
        images: (N, H, W, 3) bytes of the whole list.
        digest: of the list.
        folder: where they are kept.
    """
    model = model_of(checkpoint)
    name = str(checkpoint.config["network"]["tower"]["name"])
    return front_features(model.front, images, digest, checkpoint.preprocessing, folder, name)


def model_of(checkpoint: Checkpoint) -> GeocellModel:
    """The network of a checkpoint of geocells.

    Raises:
        TypeError: for another checkpoint.
    """
    model = checkpoint.model
    if not isinstance(model, GeocellModel):
        msg = f"Expected a checkpoint of 3-training/geocell, but got {type(model).__name__}"
        raise TypeError(msg)
    return model


def place_outputs(
    model: nn.Module,
    features: Features | Bytes,
    view_rows: NDArray[np.int64],
    headings: NDArray[np.float32],
    batch_size: int = 256,
) -> PlaceOutputs:
    """What a model says of places.

    Args:
        model: a `GeocellModel`.
        features: of all photos of a list, by `checkpoint_features`.
        view_rows: (P, V) the views of each place as rows of the list, -1 behind the last; any
            number of them. (P,) for photos alone.
        headings: (N, 2) of all photos of the list, by `headings_of`.
        batch_size: places at a time.

    Raises:
        TypeError: for another network.
    """
    if not isinstance(model, GeocellModel):
        msg = f"Expected a geocell model, but got {type(model).__name__}"
        raise TypeError(msg)
    joined = ViewFeatures(features, headings)
    embeddings, outputs = net_outputs(model.net, joined, view_rows, batch_size)
    logits, rest = outputs[:, : model.n_cells], outputs[:, model.n_cells :]
    return PlaceOutputs(embeddings, logits, split_outputs(rest, model.facts))


def score_cells(outputs: PlaceOutputs, cells: Partition, part: CellPhotos) -> dict[str, float]:
    """How well places are named: the right cell in per cent, and distances of the likeliest one."""
    truth = part.view_targets
    right = 100 * float((outputs.cells == classes_of(truth).numpy()).mean())
    away = haversine_km(cells.centres[outputs.cells], truth[:, 1:].numpy())
    return {"right cell, %": right, **summarise_km(away)}


def fact_table(outputs: PlaceOutputs, data: GeocellData, part: CellPhotos) -> pd.DataFrame:
    """The errors of each fact against those of the best constant guess, in the fact's unit.

    Args:
        outputs: of the places of a list.
        data: what was learned, and the true facts.
        part: the photos of the list.

    Returns:
        A row a fact: `unit`, `error` and `constant guess` (means over places), `better` than it in
        per cent, and how many `places` it is known of.
    """
    truth = data.place_facts(part)
    training = data.place_facts(data.cells.train)
    rows = {}
    for fact in data.facts:
        known = truth[fact.name]
        error = fact_error(fact, outputs.facts[fact.name], known)
        guess = np.full(len(known), constant_guess(fact, training[fact.name]), dtype=object)
        without = fact_error(fact, guess, known)
        rows[fact.name] = {
            "unit": fact.unit,
            "error": error.mean(),
            "constant guess": without.mean(),
            "better, %": 100 * (1 - error.mean() / without.mean()),
            "places": len(error),
        }
    return pd.DataFrame.from_dict(rows, orient="index")
