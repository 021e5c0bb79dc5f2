"""Pairs, the only data points there are, and their order, which depends on the ids alone."""

import contextlib
import gc
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NESTED_CHARACTERS = 2  # a nested folder has one folder for each first two characters of the ids


class Pair:
    """An image and the JSON record of the same id.

    The paths are kept as text: 330,000 pairs of `Path` objects would take a second and 250 MB.
    """

    __slots__ = ("_image", "_record", "id")

    id: str

    def __init__(
        self, id: str, image: str | os.PathLike[str], record: str | os.PathLike[str]
    ) -> None:
        self.id = id
        self._image = os.fspath(image)
        self._record = os.fspath(record)

    @property
    def image(self) -> Path:
        """Where the image lies."""
        return Path(self.image_path)

    @property
    def record(self) -> Path:
        """Where the record lies."""
        return Path(self.record_path)

    @property
    def image_path(self) -> str:
        """Where the image lies, as text (quicker than `image` for very many)."""
        return self._image

    @property
    def record_path(self) -> str:
        """Where the record lies, as text."""
        return self._record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pair):
            return NotImplemented
        mine = (self.id, self.image_path, self.record_path)
        return mine == (other.id, other.image_path, other.record_path)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"Pair(id={self.id!r}, image={self.image_path!r}, record={self.record_path!r})"


@dataclass(frozen=True, slots=True)
class Place:
    """Where pairs of one kind lie: their folders and the suffix of their images."""

    images: str
    records: str
    nested: bool
    suffix: str

    def image_name(self, name: str) -> str:
        """The path of an id's image below the folder of images."""
        inner = f"{name[:NESTED_CHARACTERS]}/" if self.nested else ""
        return f"{inner}{name}{self.suffix}"

    def image_names(self, names: Sequence[str]) -> list[str]:
        """`image_name` of each id."""
        end = self.suffix
        if self.nested:
            return [f"{name[:NESTED_CHARACTERS]}/{name}{end}" for name in names]
        return [f"{name}{end}" for name in names]

    def record_names(self, names: Sequence[str]) -> list[str]:
        """`record_name` of each id."""
        if self.nested:
            return [f"{name[:NESTED_CHARACTERS]}/{name}.json" for name in names]
        return [f"{name}.json" for name in names]

    def record_name(self, name: str) -> str:
        """The path of an id's record below the folder of records."""
        inner = f"{name[:NESTED_CHARACTERS]}/" if self.nested else ""
        return f"{inner}{name}.json"


class PlacedPair(Pair):
    """A pair that lies where its id says: a third of the memory and of the time to make."""

    __slots__ = ("_place",)

    def __init__(self, id: str, place: Place) -> None:
        self.id = id
        self._place = place

    @property
    def image_path(self) -> str:
        """Where the image lies, as text."""
        return f"{self._place.images}/{self._place.image_name(self.id)}"

    @property
    def record_path(self) -> str:
        """Where the record lies, as text."""
        return f"{self._place.records}/{self._place.record_name(self.id)}"


class PinnedPairs(list[Pair]):
    """The pairs of a data list, with the digest of its lines."""

    digest: str

    def __init__(self, pairs: Iterable[Pair], digest: str) -> None:
        super().__init__(pairs)
        self.digest = digest


def placed_pairs(ids: Sequence[str], place: Place) -> list[Pair]:
    """The pairs of ids that all lie in one place."""
    with collection_paused():
        return [PlacedPair(name, place) for name in ids]


def stable_order(ids: Iterable[str], seed: int) -> list[str]:
    """The ids in a random order that the ids and the seed alone decide.

    Each id has a key of its own, sha256 of `order:<seed>:<id>`, so an id that is added or taken
    away moves no other. The id itself breaks ties. The word `order` keeps it independent of other
    draws from the same seed and id: a split must not find the first of an order in one part.
    """
    start = hashlib.sha256(f"order:{seed}:".encode())

    def key(name: str) -> tuple[bytes, str]:
        state = start.copy()
        state.update(name.encode())
        return state.digest(), name

    return sorted(ids, key=key)


@contextlib.contextmanager
def collection_paused() -> Iterator[None]:
    """No garbage collection meanwhile: it makes 330,000 small objects take 6 x as long."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
