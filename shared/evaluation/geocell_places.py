"""The places of a list, and what a model of geocells says of them. Degrees, `(lat, lon)`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from shared.data_loader import Pair, list_digest, load_pairs, processed_store, read_records
from shared.evaluation.geocell import PlaceAnswers, place_truth
from shared.evaluation.geocell_facts import facts_of_places
from shared.evaluation.grid import views_of
from shared.evaluation.inputs import truth_of
from shared.evaluation.models import partition_of
from shared.geo import Floats
from shared.processing.surroundings import load_surroundings
from shared.training.checkpoint import Checkpoint
from shared.training.geocell import checkpoint_features, model_of, place_outputs
from shared.training.headings import heading_columns
from shared.training.images import cache_images
from shared.training.views import Views


@dataclass(frozen=True)
class PlaceList:
    """The photos of a data list.

    Attributes:
        name: of the list.
        digest: of the list.
        pairs: the photos.
        truth: of `inputs.truth_of`, in the same order.
        headings_deg: (N,) of the photos; NaN where unknown.
        seed: draws which views of a place are shown, where not all are.
    """

    name: str
    digest: str
    pairs: Sequence[Pair] = field(repr=False)
    truth: pd.DataFrame = field(repr=False)
    headings_deg: Floats = field(repr=False)
    seed: int = 0

    @cached_property
    def all_views(self) -> Views:
        """All views of each place with coordinates, by their headings."""
        return views_of(self.pairs, self.truth, self.seed, 0)

    @property
    def most_views(self) -> int:
        """How many views a place has at most."""
        return int(self.all_views.counts.max())


def place_list(dataset: str, name: str, seed: int = 0) -> PlaceList:
    """The photos of a data list.

    Args:
        dataset: its name.
        name: of the list.
        seed: draws which views of a place are shown, where not all are.
    """
    pairs = load_pairs(dataset, name, processed_store(dataset))
    records = read_records(pairs)
    headings = records.get("heading", pd.Series(np.nan, index=records.index))
    known = np.asarray(headings, dtype=np.float64)
    return PlaceList(name, list_digest(dataset, name), pairs, truth_of(pairs), known, seed)


def place_answers(
    checkpoint: Checkpoint,
    part: PlaceList,
    folder: Path,
    n_views: int = 0,
    batch_size: int = 256,
    processes: int | None = None,
) -> PlaceAnswers:
    """What a model says of the places of a list.

    Args:
        checkpoint: of `3-training/geocell`.
        part: the photos.
        folder: where photos and features are kept.
        n_views: views of each place that it is shown, at most; 0: all. Of more views fewer are a
            part. A model of single photos looks at the first, in the order of their headings.
        batch_size: photos, or places, at a time.
        processes: how many decode side by side; None: one a processor.
    """
    images = cache_images(part.pairs, checkpoint.preprocessing, part.digest, folder, processes)
    features = checkpoint_features(checkpoint, images, part.digest, folder)
    views = part.all_views
    if n_views:
        views = views_of(part.pairs, part.truth, part.seed, n_views)
    headings = heading_columns(part.headings_deg)
    told = place_outputs(model_of(checkpoint), features, views.rows, headings, batch_size)
    truth = place_truth(views.places, views.rows[:, 0], part.truth, partition_of(checkpoint))
    return PlaceAnswers(told.embeddings, told.logits, told.facts, truth)


def known_facts(dataset: str, part: PlaceList) -> pd.DataFrame:
    """What is known of the surroundings of a list's places, in the order of `place_answers`.

    Returns:
        By place, a column a fact; without columns where `2-enrich/surroundings` has not run.
    """
    try:
        table = load_surroundings(dataset)
    except FileNotFoundError:
        return pd.DataFrame(index=part.all_views.places)
    rows = part.all_views.rows
    real = rows >= 0
    places = np.repeat(part.all_views.places, real.sum(axis=1))
    ids = [str(name) for name in part.truth.index[rows[real]]]
    return facts_of_places(table, ids, [str(place) for place in places])
