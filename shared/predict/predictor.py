"""A checkpoint that answers questions: `Predictor.load(checkpoint).predict(images)`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from shared.countries import name_of
from shared.evaluation.cells import cells
from shared.evaluation.pooling import POOLINGS, pool_points, pool_rows
from shared.geo import Floats, nearest
from shared.manifest import fingerprint
from shared.predict.answers import Answer, Answers, Guess, Pin
from shared.predict.areas import Classes
from shared.predict.origin import find_folder, resize_settings, shown_folder
from shared.predict.photos import Photo, PhotoSource, is_photo, model_input, name_photos
from shared.processing.decode import ImageRefusedError
from shared.processing.resize import ResizeSettings
from shared.training.checkpoint import MODEL, Checkpoint
from shared.training.images import Bytes
from shared.training.model_card import dataset_of

Request = PhotoSource | Sequence[PhotoSource | Sequence[PhotoSource]]


@dataclass(frozen=True)
class Group:
    """What one answer is about: a photo, or several views of one place."""

    name: str
    photos: tuple[Photo, ...]


class Predictor:
    """A model with the one path of pixels that its training took.

    Attributes:
        checkpoint: the model.
        resize: how photos were made small before the training.
        facts: what answers say of the model.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        resize: ResizeSettings,
        name: str = "",
        digest: str = "",
        dataset: str = "",
    ) -> None:
        """Take a checkpoint that is loaded; `load` finds all this by itself."""
        self.checkpoint, self.resize = checkpoint, resize
        config = checkpoint.config
        partition = checkpoint.partition
        self.has_spread = partition is not None or _has_mixture(checkpoint)
        self.classes = Classes(partition or cells()) if self.has_spread else None
        self.facts: dict[str, Any] = {
            "checkpoint": name,
            "task": config["task"],
            "backbone": config["backbone"],
            "classes": len(config["classes"]),
            "countries": len({c for c in partition.countries if c}) if partition else None,
            "is_calibrated": config.get("temperature") is not None,
            "trained_on": config.get("dataset") or dataset or None,
            "weights_digest": digest,
        }

    @classmethod
    def load(cls, checkpoint: str | Path, task: str = "") -> "Predictor":
        """Read a checkpoint.

        Args:
            checkpoint: its folder; or the name of a data set, for the best trained on it.
            task: which of a data set's: `"country"`, `"region"`, `"coordinates"`, `"grid"`,
                `"city_clip"`; "": the first that there is.

        Raises:
            FileNotFoundError: when there is none.
        """
        folder = find_folder(checkpoint, task)
        loaded = Checkpoint.load(folder)
        digest = fingerprint(folder / MODEL).digest
        resize = resize_settings(loaded.config, folder)
        return cls(loaded, resize, shown_folder(folder), digest, dataset_of(folder))

    def pixels(self, photo: PhotoSource) -> Bytes:
        """(height, width, 3) RGB bytes: what the model is shown of a photo.

        Raises:
            ImageRefusedError: when the photo cannot be used; it says why.
        """
        return model_input(photo, self.resize, self.checkpoint.preprocessing)

    def predict(
        self,
        images: Request,
        *,
        views: bool = False,
        top: int = 5,
        level: float = 0.9,
        pin: bool = False,
        pooling: str = "log",
        batch_size: int = 64,
    ) -> Answers:
        """Say where photos were taken: by default a country and an area, never an exact point.

        Args:
            images: a photo (path, bytes, Pillow image, RGB array), a folder, or a list of these. A
                list in the list holds views of one place, which get one answer.
            views: whether all the photos are views of one place.
            top: how many countries, and regions, are named at most.
            level: the share of the probability that the area holds.
            pin: whether a point is given as well.
            pooling: how views become one answer, as in evaluation: `"log"` or `"mean"`.
            batch_size: photos at a time; no more of them are held in memory.

        Raises:
            ImageRefusedError: when a single photo was given and it cannot be used. Of several,
                those that cannot are named in `refused`.
            ValueError: for settings out of range, or when there is nothing to look at.
        """
        _check(top, level, pooling)
        groups = group_photos(images, views)
        photos = [photo for group in groups for photo in group.photos]
        outputs, is_read, refused = self._look(photos, batch_size, alone=is_photo(images))
        owner = np.repeat(np.arange(len(groups)), [len(group.photos) for group in groups])
        answers, rows = [], []
        for number, group in enumerate(groups):
            chosen = np.flatnonzero((owner == number) & is_read)
            if len(chosen) == 0:
                continue
            used = tuple(photos[row].name for row in chosen)
            found = outputs[chosen]
            if self.has_spread:
                found = pool_rows(found, np.zeros(len(chosen), dtype=np.intp), pooling)[0]
            rows.append(found)
            answers.append(self._answer(group.name, used, found, top, level, pin))
        spread = np.stack(rows) if rows and self.has_spread else None
        classes = self.classes.partition if self.classes else None
        return Answers(tuple(answers), refused, self.facts, classes, spread)

    def predict_inputs(
        self, images: Bytes, *, top: int = 5, level: float = 0.9, pin: bool = False
    ) -> Answers:
        """The answers to photos that are already what `pixels` makes of them, one each.

        Args:
            images: (N, height, width, 3) bytes.
            top: how many countries, and regions, are named at most.
            level: the share of the probability that the area holds.
            pin: whether a point is given as well.
        """
        _check(top, level, POOLINGS[0])
        outputs = self.outputs(images)
        answers = []
        for number, found in enumerate(outputs, 1):
            name = f"photo {number}"
            answers.append(self._answer(name, (name,), found, top, level, pin))
        classes = self.classes.partition if self.classes else None
        return Answers(tuple(answers), {}, self.facts, classes, outputs if classes else None)

    def _look(
        self, photos: Sequence[Photo], batch_size: int, alone: bool
    ) -> tuple[Floats, np.ndarray[Any, np.dtype[np.bool_]], dict[str, str]]:
        """(N, K) probabilities or (N, 2) points of photos, which could be read, and why not."""
        width = len(self.classes.codes) if self.classes else 2
        outputs = np.full((len(photos), width), np.nan)
        is_read = np.zeros(len(photos), dtype=bool)
        refused: dict[str, str] = {}
        for start in range(0, len(photos), batch_size):
            rows, batch = [], []
            for row in range(start, min(start + batch_size, len(photos))):
                try:
                    batch.append(self.pixels(photos[row].source))
                    rows.append(row)
                except ImageRefusedError as error:
                    if alone and len(photos) == 1:
                        raise
                    refused[photos[row].name] = str(error)
            if rows:
                outputs[rows] = self.outputs(np.stack(batch))
                is_read[rows] = True
        return outputs, is_read, refused

    def outputs(self, images: Bytes) -> Floats:
        """What the model says of its inputs.

        Args:
            images: (N, height, width, 3) bytes, as `pixels` makes them.

        Returns:
            (N, K) probabilities of `classes`; of a model without spread (N, 2) points, degrees.
        """
        if self.checkpoint.partition is not None:
            if self.facts["is_calibrated"]:
                found = self.checkpoint.predict(images, calibrated=True)
            else:
                found = self.checkpoint.predict(images)
            return np.asarray(found, dtype=np.float64)
        said = self.checkpoint.predict_points(images)
        if self.classes is None or said.mixture is None:
            return np.asarray(said.points, dtype=np.float64)
        return np.asarray(
            said.mixture.on_cells(self.classes.partition.centres, self.classes.km2),
            dtype=np.float64,
        )

    def _answer(
        self, name: str, photos: tuple[str, ...], found: Floats, top: int, level: float, pin: bool
    ) -> Answer:
        if self.classes is None:
            return _without_spread(name, photos, found, pin)
        regions = self.classes.best(found, top) if self.classes.is_finer else ()
        return Answer(
            name,
            photos,
            self.classes.best_countries(found, top),
            regions,
            self.classes.area(found, level),
            self.classes.pin(found) if pin else None,
        )


def _without_spread(name: str, photos: tuple[str, ...], points: Floats, pin: bool) -> Answer:
    """The answer of a model that gives points alone: the country that it points at."""
    point = pool_points(points, np.zeros(len(points), dtype=np.intp))[0]
    code = cells().countries[int(nearest(cells().centres, point[None])[0][0])]
    where = Pin(float(point[0]), float(point[1]), "the middle of the points of all views", None)
    return Answer(
        name, photos, (Guess(code, name_of(code), 1.0),), (), None, where if pin else None
    )


def _has_mixture(checkpoint: Checkpoint) -> bool:
    return checkpoint.head is not None and checkpoint.head.kind == "vmf-mixture"


def _check(top: int, level: float, pooling: str) -> None:
    if top < 1 or not 0 < level <= 1 or pooling not in POOLINGS:
        msg = (
            "Expected top of at least 1, a level above 0 and at most 1, and a pooling of "
            f"{POOLINGS}; got top={top}, level={level}, pooling={pooling!r}"
        )
        raise ValueError(msg)


def group_photos(images: Request, views: bool) -> list[Group]:
    """The photos of a request, grouped by the answer that they get.

    Args:
        images: as `Predictor.predict` takes them.
        views: whether all of them show one place.

    Raises:
        ValueError: when there is nothing to look at.
    """
    listed: Iterable[Any] = [images] if is_photo(images) else images  # type: ignore[assignment]
    groups: list[Group] = []
    first = 1
    for item in listed:
        photos = name_photos(item, first)
        first += len(photos)
        if is_photo(item):
            groups += [Group(photo.name, (photo,)) for photo in photos]
        else:
            groups.append(Group(f"place {len(groups) + 1}", tuple(photos)))
    groups = _distinct(groups)
    every = tuple(photo for group in groups for photo in group.photos)
    if not every:
        msg = "Expected at least one photo to look at, got none"
        raise ValueError(msg)
    return [Group("the place", every)] if views else groups


def _distinct(groups: Sequence[Group]) -> list[Group]:
    """The groups with photos of names of their own: a second `1.jpg` is called `1.jpg (2)`."""
    seen: dict[str, int] = {}
    found = []
    for group in groups:
        photos = []
        for photo in group.photos:
            seen[photo.name] = seen.get(photo.name, 0) + 1
            count = seen[photo.name]
            photos.append(photo if count == 1 else Photo(f"{photo.name} ({count})", photo.source))
        name = photos[0].name if len(photos) == 1 else group.name
        found.append(Group(name, tuple(photos)))
    return found
