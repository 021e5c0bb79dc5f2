"""Pairs, the only data points there are, and their order, which depends on the ids alone."""

import contextlib
import gc
import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

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


class PlacedPairs(Sequence[Pair]):
    """The pairs of ids that all lie in one place, made as they are asked for.

    To make 330,000 at once takes as long as to list half of their files.
    """

    def __init__(self, ids: Sequence[str], place: Place) -> None:
        self.ids = ids
        self._place = place

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice) -> list[Pair]: ...

    def __getitem__(self, index: int | slice) -> Pair | list[Pair]:
        if isinstance(index, slice):
            return [PlacedPair(name, self._place) for name in self.ids[index]]
        return PlacedPair(self.ids[index], self._place)

    def __iter__(self) -> Iterator[Pair]:
        return map(PlacedPair, self.ids, itertools.repeat(self._place))

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as lists


def placed_pairs(ids: Sequence[str], place: Place) -> list[Pair]:
    """The pairs of ids that all lie in one place, all at once."""
    with collection_paused():
        return list(PlacedPairs(ids, place))


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
