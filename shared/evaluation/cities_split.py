"""What a split by photo inflates: two models, each on its own held-out photos and on new places.

Both learned from as many photos of the same cities. One split kept all views of a place on one
side, the other (restricted geoclip's) drew photos. Their own held-out photos tell how good each
would have been called; the test list, whose places neither has seen, tells how good each is.

Two trainings differ by more than their split. `nearest_photo_figures` holds all else equal: photos
that an encoder never saw are told by the most similar of the others, with and without the views of
their own place among these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from torch import Tensor

from shared.data_loader import Pair, read_records
from shared.evaluation.inputs import find_checkpoint, truth_of
from shared.evaluation.intervals import (
    Floats,
    Interval,
    PlaceBootstrap,
    Sums,
    sum_by_place,
)
from shared.evaluation.predictions import make_predictions
from shared.training.checkpoint import Checkpoint
from shared.training.city_clip import group_photos
from shared.training.images import Bytes
from shared.training.inputs import PhotoList, read_lists

OWN, NEW = "its own held-out photos", "new places (the test list)"


@dataclass(frozen=True)
class SplitModel:
    """A model and the split that it was trained with.

    Attributes:
        name: `"by place"` or `"by photo"`.
        checkpoint: the model.
    """

    name: str
    checkpoint: Checkpoint

    @classmethod
    def load(cls, name: str, folder: Path) -> "SplitModel":
        """Read a checkpoint."""
        return cls(name, Checkpoint.load(folder))

    @property
    def held_out(self) -> list[str] | None:
        """The ids of its held-out photos; None: those of the validation list."""
        found = self.checkpoint.config["facts"].get("held_out_photos")
        return None if found is None else [str(name) for name in found]


def seen_table(
    model: SplitModel, pairs: Sequence[Pair], images: Bytes, only: Sequence[str] | None = None
) -> pd.DataFrame:
    """Predictions of the photos of a list whose city the model has as a class.

    Args:
        model: the model.
        pairs: the list.
        images: its photos.
        only: ids; others are left out.

    Raises:
        ValueError: when no photo is left.
    """
    classes = model.checkpoint.partition
    if classes is None:
        msg = f"Expected a model of cities, but {model.name} has no classes"
        raise ValueError(msg)
    cities = _cities(model)
    records = read_records(pairs)
    grouped = group_photos(PhotoList(pairs, "", records), cities)
    codes = cities["code"].to_numpy(dtype=object)[grouped.rows]
    names = np.asarray([str(name) for name in grouped.photos.records.index], dtype=object)
    chosen = np.isin(codes, classes.codes) & (np.isin(names, list(only)) if only else True)
    if not chosen.any():
        msg = f"Expected photos of the cities of {model.name}, but none of {len(pairs)} is of one"
        raise ValueError(msg)
    truth = truth_of(pairs).loc[list(names[chosen])]
    truth = truth.assign(country=truth["code"], code=codes[chosen])
    rows = np.arange(len(pairs)) if grouped.photos.rows is None else grouped.photos.rows
    shares = model.checkpoint.predict(np.asarray(images[rows[chosen]]))
    return make_predictions(truth, shares, classes)


def split_models(dataset: str, folder: Path, twin: str = "") -> dict[str, SplitModel]:
    """The model and its twin, where there is one, by `"by place"` and `"by photo"`.

    Args:
        dataset: the data set.
        folder: of the model.
        twin: "" for the data set's own, or where another lies (see `find_checkpoint`).
    """
    found = {"by place": SplitModel.load("by place", folder)}
    try:
        place = find_checkpoint(dataset, twin, "city_clip_by_photo")
    except FileNotFoundError:
        if twin:
            raise
        return found
    return {**found, "by photo": SplitModel.load("by photo", place.folder)}


def split_tables(
    models: Mapping[str, SplitModel],
    dataset: str,
    test: tuple[Sequence[Pair], Bytes],
    seed: int,
    processes: int = 0,
) -> dict[tuple[str, str], pd.DataFrame]:
    """Each model's predictions of its own held-out photos and of the test photos.

    Args:
        models: of `split_models`, of one preprocessing.
        dataset: the data set that they were trained on.
        test: the pairs and the photos of the test list.
        seed: of `read_lists`.
        processes: how many decode photos side by side; 0: one a processor.

    Returns:
        Tables by the model's name and `OWN` or `NEW`.
    """
    lists = read_lists(dataset, 0, seed)
    found = {}
    for name, model in models.items():
        images = lists.decode(model.checkpoint.preprocessing, dataset, processes)
        if model.held_out is None:
            found[name, OWN] = seen_table(model, lists.validation.pairs, images[1])
        else:
            pairs = [*lists.train.pairs, *lists.validation.pairs]
            found[name, OWN] = seen_table(model, pairs, np.concatenate(images), model.held_out)
        found[name, NEW] = seen_table(model, *test)
    return found


def nearest_photo_figures(
    vectors: Tensor, truth: pd.DataFrame, bootstrap: PlaceBootstrap
) -> dict[str, Interval]:
    """How often the most similar other photo is of the same city: by photo, and by place.

    By place, the views of a photo's own place do not stand to choose from; by photo they do, and
    as many other photos, drawn at random, do not. So both choose among equally many.

    Args:
        vectors: (N, D) of length 1, of photos that the encoder did not learn from.
        truth: (N,) their `place` and their city as `code`.
        bootstrap: draws the places; its seed draws the photos that are left out.

    Returns:
        `by photo`, `by place`, and `inflation`: the first minus the second, paired over places.

    Raises:
        ValueError: when all photos are of one place.
    """
    codes = truth["code"].to_numpy(dtype=object)
    numbers, names = pd.factorize(truth["place"])
    if len(names) < 2:
        msg = f"Expected photos of two places or more, but got {len(truth)} of {list(names)}"
        raise ValueError(msg)
    is_own = numbers[:, None] == numbers
    draw = np.where(is_own, np.inf, np.random.default_rng(bootstrap.seed).random(is_own.shape))
    n_others = is_own.sum(axis=1, keepdims=True) - 1
    is_out = draw.argsort(axis=1).argsort(axis=1) < n_others
    likeness = (vectors @ vectors.T).numpy().astype(np.float64)
    np.fill_diagonal(likeness, -np.inf)
    rows = {"rows": sum_by_place(numbers, np.ones(len(numbers)), len(names))}
    sums = {}
    for name, barred in (("by photo", is_out), ("by place", is_own)):
        nearest = np.where(barred, -np.inf, likeness).argmax(axis=1)
        hits = sum_by_place(numbers, codes[nearest] == codes, len(names))
        sums[name] = {**rows, "hits": hits}
    found = {name: bootstrap.intervals(one, _hit_share)["share"] for name, one in sums.items()}
    paired = bootstrap.differences(sums["by photo"], sums["by place"], _hit_share)
    return {**found, "inflation": paired["share"]}


def _hit_share(sums: Sums) -> dict[str, Floats]:
    return {"share": sums["hits"] / sums["rows"]}


def _cities(model: SplitModel) -> pd.DataFrame:
    """The whole city table that a model's photos were grouped to."""
    return pd.DataFrame(model.checkpoint.config["facts"]["cities"])
