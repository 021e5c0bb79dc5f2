"""The training photos that look most like a photo to the model, where they may be shown.

Alike means: a small angle between what the last layer is given of the two (its features).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.countries import name_of
from shared.data_loader import (
    DataListError,
    dataset_settings,
    list_digest,
    load_pairs,
    processed_store,
    read_records,
)
from shared.paths import data_folder
from shared.predict.predictor import Predictor
from shared.processing.places import place_keys
from shared.training.backbones import Normalisation
from shared.training.images import Bytes, cache_images

TRAIN_LIST = "5-split-train"
AT_ONCE = 256


@dataclass(frozen=True)
class Neighbour:
    """A training photo: where it lies, its country, and how alike it is (1: the same)."""

    path: Path
    country: str
    likeness: float


class Neighbours:
    """The training photos of a model, ready to be compared with."""

    def __init__(
        self,
        predictor: Predictor,
        paths: list[Path],
        codes: list[str],
        places: list[str],
        vectors: NDArray[np.float32],
    ) -> None:
        """Take the features of photos; `neighbours_of` computes them."""
        self.predictor, self.paths, self.codes, self.places = predictor, paths, codes, places
        self.vectors = vectors

    def nearest(self, image: Bytes, count: int = 6) -> list[Neighbour]:
        """The most alike training photos, at most one a place.

        Args:
            image: (H, W, 3) bytes, as `Predictor.pixels` makes them.
            count: how many at most.
        """
        likeness = self.vectors @ features(self.predictor, image[None])[0]
        found: dict[str, Neighbour] = {}
        for row in np.argsort(-likeness, kind="stable"):
            if len(found) == count:
                break
            neighbour = Neighbour(self.paths[row], name_of(self.codes[row]), float(likeness[row]))
            found.setdefault(self.places[row], neighbour)
        return list(found.values())


def neighbours_of(
    predictor: Predictor, say: Callable[[str], None] | None = None
) -> tuple[Neighbours | None, str]:
    """The training photos of a model, or None and why they are not shown.

    Args:
        predictor: the model.
        say: is told when photos are looked at for the first time, which takes a while.
    """
    dataset = predictor.facts["trained_on"]
    if not dataset:
        return None, "It is not known which photos this model was trained on."
    try:
        if not dataset_settings(dataset).show_photos:
            return None, "The photos that this model was trained on are not ours to show."
        pairs = load_pairs(dataset, TRAIN_LIST, processed_store(dataset))
    except (FileNotFoundError, DataListError) as error:
        return None, f"The photos that this model was trained on are not here: {error}"
    digest = list_digest(dataset, TRAIN_LIST)
    if digest != predictor.checkpoint.config["lists"].get(TRAIN_LIST, digest):
        return None, "The training list is no longer the one that this model was trained on."
    if say is not None:
        say(f"Looking at {len(pairs):,} training photos of {dataset} ...")
    cache = data_folder("3-training", dataset) / "cache"
    images = cache_images(pairs, predictor.checkpoint.preprocessing, digest, cache)
    records = read_records(pairs)
    codes = [str(code) for code in records["country_code"]]
    places = [str(place) for place in place_keys(records)]
    paths = [pair.image for pair in pairs]
    return Neighbours(predictor, paths, codes, places, features(predictor, images)), ""


def features(predictor: Predictor, images: Bytes) -> NDArray[np.float32]:
    """What the last linear layer is given, as unit vectors.

    Args:
        predictor: the model.
        images: (N, H, W, 3) bytes, of the model's size.

    Returns:
        (N, D).

    Raises:
        ValueError: for a network without a linear layer.
    """
    config = predictor.checkpoint.config
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = predictor.checkpoint.model.to(device).eval()
    layers = [layer for layer in model.modules() if isinstance(layer, nn.Linear)]
    if not layers:
        msg = f"Expected a network with a linear layer at its end, got {config['backbone']}"
        raise ValueError(msg)
    given: list[Tensor] = []
    handle = layers[-1].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    normalisation = Normalisation(**config["normalisation"])
    try:
        with torch.inference_mode():
            for start in range(0, len(images), AT_ONCE):
                batch = torch.from_numpy(np.array(images[start : start + AT_ONCE])).to(device)
                model(normalisation.apply(batch.permute(0, 3, 1, 2).float() / 255))
    finally:
        handle.remove()
    vectors = torch.cat(given).flatten(1).float()
    found: NDArray[np.float32] = nn.functional.normalize(vectors, dim=1).cpu().numpy()
    return found
