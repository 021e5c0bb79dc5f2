"""What a folder of pairs holds, listed once: names only, no look at the files themselves."""

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shared.data_loader.errors import first_few
from shared.data_loader.names import IMAGE_SUFFIXES, RECORD_SUFFIX, is_safe, split_name
from shared.data_loader.pairs import Pair
from shared.data_loader.stores import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    """The whole pairs of a store, sorted by id, and what is there of other pairs.

    Attributes:
        pairs: the pairs.
        suffixes: the suffix of each pair's image.
        images_alone: paths of images without a record.
        records_alone: paths of records without an image.
    """

    pairs: list[Pair]
    suffixes: list[str]
    images_alone: list[str] = field(default_factory=list)
    records_alone: list[str] = field(default_factory=list)

    def report(self) -> None:
        """Warn of half pairs, with their number and the first few."""
        for what, missing, alone in (
            ("images", "record", self.images_alone),
            ("records", "image", self.records_alone),
        ):
            if alone:
                logger.warning(
                    "%s %s without a %s are not used:\n%s",
                    f"{len(alone):,}",
                    what,
                    missing,
                    first_few(alone),
                )


def list_pairs(store: Store) -> Listing:
    """List, pair and order a store's pairs by id.

    Of two images with one id the one whose suffix comes first in `IMAGE_SUFFIXES` is used.
    """
    images: dict[str, str] = {}
    records: dict[str, str] = {}
    for path, name in _files(store):
        parts = split_name(name)
        if parts is None or not is_safe(name):
            continue
        chosen, table = parts[0], records if parts[1].lower() == RECORD_SUFFIX else images
        if chosen not in table or _preference(path) < _preference(table[chosen]):
            table[chosen] = path
    ids = sorted(images.keys() & records.keys())
    return Listing(
        [Pair(i, images[i], records[i]) for i in ids],
        [os.path.splitext(images[i])[1] for i in ids],  # noqa: PTH122
        sorted(images[i] for i in images.keys() - records.keys()),
        sorted(records[i] for i in records.keys() - images.keys()),
    )


def _preference(path: str) -> tuple[int, str]:
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    return (IMAGE_SUFFIXES.index(suffix) if suffix in IMAGE_SUFFIXES else -1), path


def _files(store: Store) -> Iterator[tuple[str, str]]:
    for folder in dict.fromkeys((store.images, store.records)):
        for inner in _folders(folder, store.nested):
            yield from ((f"{inner}/{name}", name) for name in os.listdir(inner))  # noqa: PTH208


def _folders(folder: Path, nested: bool) -> Iterable[str]:
    if not folder.is_dir():
        return []
    if not nested:
        return [str(folder)]
    with os.scandir(folder) as entries:
        return sorted(e.path for e in entries if e.is_dir() and not e.name.startswith("."))
