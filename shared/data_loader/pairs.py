"""Pairs, the only data points there are, and their order, which depends on the ids alone."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path


class Pair:
    """An image and the JSON record of the same id.

    The paths are kept as text: 330,000 pairs of `Path` objects would take a second and 250 MB.
    """

    __slots__ = ("_image", "_record", "id")

    id: str

    def __init__(
        self, id: str, image: str | os.PathLike[str], record: str | os.PathLike[str]
    ) -> None:  # noqa: A002
        self.id = id
        self._image = image if type(image) is str else os.fspath(image)
        self._record = record if type(record) is str else os.fspath(record)

    @property
    def image(self) -> Path:
        """Where the image lies."""
        return Path(self._image)

    @property
    def record(self) -> Path:
        """Where the record lies."""
        return Path(self._record)

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
        return (self.id, self._image, self._record) == (other.id, other._image, other._record)

    def __hash__(self) -> int:
        return hash((self.id, self._image, self._record))

    def __repr__(self) -> str:
        return f"Pair(id={self.id!r}, image={self._image!r}, record={self._record!r})"


class PinnedPairs(list[Pair]):
    """The pairs of a data list, with the digest of its lines."""

    digest: str

    def __init__(self, pairs: Iterable[Pair], digest: str) -> None:
        super().__init__(pairs)
        self.digest = digest


def stable_order(ids: Iterable[str], seed: int) -> list[str]:
    """The ids in a random order that the ids and the seed alone decide.

    Each id has a key of its own, sha256 of `<seed>:<id>`, so an id that is added or taken away
    moves no other. The id itself breaks ties.
    """
    start = hashlib.sha256(f"{seed}:".encode())

    def key(name: str) -> tuple[bytes, str]:
        state = start.copy()
        state.update(name.encode())
        return state.digest(), name

    return sorted(ids, key=key)
