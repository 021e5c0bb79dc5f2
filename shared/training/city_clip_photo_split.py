"""The split that restricted geoclip used: photos drawn at random, so that views of a place part.

It is here to show what that inflates. The photos are those of the training and the validation
list together, divided anew in the same proportion; the test list is not touched.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shared.data_loader import stable_order
from shared.training.batches import Split
from shared.training.city_clip import CityPhotos, CityTargets
from shared.training.images import Bytes


@dataclass(frozen=True)
class PhotoSplit:
    """The same photos, divided by photo instead of by place.

    Attributes:
        train, validation: as many photos each as by place.
        validation_ids: the ids of the latter, in their order.
        shared_places: the share of them whose place the training has seen from another side.
    """

    train: Split
    validation: Split
    validation_ids: list[str]
    shared_places: float

    @property
    def facts(self) -> dict[str, object]:
        """What a checkpoint says of it."""
        return {"split": "photo", "held_out_photos": self.validation_ids}


def split_by_photo(
    targets: CityTargets, train_images: Bytes, validation_images: Bytes, seed: int
) -> PhotoSplit:
    """Divide the photos of both lists by ids and seed, whatever place they show.

    Args:
        targets: the photos and their cities; the classes stay the same.
        train_images: of the training list, whole.
        validation_images: of the validation list, whole.
        seed: of the draw.
    """
    parts = (targets.train, targets.validation)
    ids = [str(name) for part in parts for name in part.photos.records.index]
    places = np.array([place for part in parts for place in part.places], dtype=object)
    both = zip(parts, (train_images, validation_images), strict=True)
    images = np.concatenate([pixels[_rows(part)] for part, pixels in both])
    wanted = torch.cat([targets.train_targets, targets.validation_targets])
    number = {name: row for row, name in enumerate(ids)}
    order = np.array([number[name] for name in stable_order(ids, seed)])
    n_train = len(targets.train.photos)
    first, rest = np.sort(order[:n_train]), np.sort(order[n_train:])
    return PhotoSplit(
        Split(images, wanted[first], first),
        Split(images, wanted[rest], rest),
        [ids[row] for row in rest],
        float(np.isin(places[rest], places[first]).mean()),
    )


def _rows(part: CityPhotos) -> NDArray[np.int64]:
    """The photos as rows of their list."""
    photos = part.photos
    return np.arange(len(photos)) if photos.rows is None else photos.rows
