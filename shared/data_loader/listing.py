"""What a folder of pairs holds, listed once: names only, no look at the files themselves."""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from shared.data_loader.errors import first_few
from shared.data_loader.listing_cache import names_in
from shared.data_loader.names import (
    ANCESTOR_IMAGE_PREFIX,
    ANCESTOR_RECORD_PREFIX,
    IMAGE_SUFFIXES,
    RECORD_SUFFIX,
    is_safe,
    split_name,
)
from shared.data_loader.pairs import NESTED_CHARACTERS, Pair, Place, PlacedPair, PlacedPairs
from shared.data_loader.stores import Store

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    """The whole pairs of a store, sorted by id, and what is there of other pairs.

    Attributes:
        pairs: the pairs.
        images_alone: ids of images without a record.
        records_alone: ids of records without an image.
    """

    pairs: Sequence[Pair]
    images_alone: list[str] = field(default_factory=list)
    records_alone: list[str] = field(default_factory=list)

    def report(self) -> None:
        """Warn of half pairs, with their number and the first few."""
        for what, missing, alone in (
            ("images", "a record", self.images_alone),
            ("records", "an image", self.records_alone),
        ):
            if alone:
                count = f"{len(alone):,}"
                few = first_few(alone)
                logger.warning("%s %s without %s are not used:\n%s", count, what, missing, few)


def list_pairs(store: Store) -> Listing:
    """List, pair and order a store's pairs by id.

    Of two images with one id the one whose suffix comes first in `IMAGE_SUFFIXES` is used.
    Hidden files, unsafe names and files that are no part of a pair are passed over.
    """
    apart = store.records != store.images
    image_files = _Names(store.images, store.nested)
    record_files = _Names(store.records, store.nested) if apart else image_files
    suffix = image_files.main_image_suffix()
    if suffix is not None and not record_files.odd(RECORD_SUFFIX, "" if apart else suffix):
        found = image_files.stems(suffix)
        records = record_files.stems(RECORD_SUFFIX)
        if not (apart and image_files.odd(suffix, RECORD_SUFFIX)):
            place = Place(str(store.images), str(store.records), store.nested, suffix)
            return _pair_up(found, records, place)
    return _list_slowly(store, image_files.paths(), record_files.paths() if apart else None)


class _Names:
    """The names of the files in a folder, as Arrow text: 330,000 pairs in 30 ms, not 500."""

    def __init__(self, folder: Path, nested: bool) -> None:
        self._folders: list[tuple[str, Sequence[str]]] = [
            (inner, names_in(inner)) for inner in _folders(folder, nested)
        ]
        self._nested = nested
        self._columns = [_as_text(names) for _, names in self._folders]
        self._all = pa.chunked_array(self._columns, type=pa.string())

    def paths(self) -> Iterable[tuple[str, str]]:
        """Path and name of each file."""
        for folder, names in self._folders:
            yield from ((f"{folder}/{name}", name) for name in names)

    def main_image_suffix(self) -> str | None:
        """The only suffix of images here, or nothing where there are several or none."""
        there = [s for s in IMAGE_SUFFIXES if pc.any(pc.ends_with(self._all, s)).as_py()]
        return there[0] if len(there) == 1 else None

    def stems(self, suffix: str) -> pa.Array:
        """The names that end so, without the ending, in no order."""
        names = self._all.filter(pc.ends_with(self._all, suffix)).combine_chunks()
        return pc.utf8_slice_codeunits(names, 0, -len(suffix))

    def odd(self, *suffixes: str) -> bool:
        """Whether a name asks for a closer look: another case, a prefix, a wrong folder."""
        plain = pc.is_null(self._all)
        for suffix in suffixes:
            plain = pc.or_(plain, pc.ends_with(self._all, suffix)) if suffix else plain
        others = self._all.filter(pc.invert(plain)).to_pylist()
        if any(split_name(name) is not None for name in others):
            return True
        for prefix in (ANCESTOR_IMAGE_PREFIX, ANCESTOR_RECORD_PREFIX, "."):
            if pc.any(pc.and_(plain, pc.starts_with(self._all, prefix))).as_py():
                return True
        return self._nested and any(
            not pc.all(pc.starts_with(names, os.path.basename(folder))).as_py()  # noqa: PTH119
            or len(os.path.basename(folder)) > NESTED_CHARACTERS  # noqa: PTH119
            for (folder, _), names in zip(self._folders, self._columns, strict=True)
            if len(names)
        )


def _pair_up(images: pa.Array, records: pa.Array, place: Place) -> Listing:
    """Pair stems, none of which is there twice."""
    whole = pc.is_in(images, value_set=records)
    if pc.all(whole).as_py() and len(images) == len(records):
        return Listing(PlacedPairs(sorted(images.to_pylist()), place))
    alone = pc.invert(pc.is_in(records, value_set=images))
    return Listing(
        PlacedPairs(sorted(images.filter(whole).to_pylist()), place),
        sorted(images.filter(pc.invert(whole)).to_pylist()),
        sorted(records.filter(alone).to_pylist()),
    )


def _list_slowly(
    store: Store,
    image_files: Iterable[tuple[str, str]],
    record_files: Iterable[tuple[str, str]] | None,
) -> Listing:
    """Pair files one by one, whatever their suffixes, prefixes and folders."""
    images: dict[str, str] = {}
    records: dict[str, str] = {}
    for files, takes_images, takes_records in (
        (image_files, True, record_files is None),
        (record_files or (), False, True),
    ):
        for path, name in files:
            parts = split_name(name)
            if parts is None or not is_safe(name):
                continue
            is_record = parts[1].lower() == RECORD_SUFFIX
            if not (takes_records if is_record else takes_images):
                continue
            table = records if is_record else images
            if parts[0] not in table or _preference(path) < _preference(table[parts[0]]):
                table[parts[0]] = path
    return Listing(
        [_pair(store, i, images[i], records[i]) for i in sorted(images.keys() & records.keys())],
        sorted(images.keys() - records.keys()),
        sorted(records.keys() - images.keys()),
    )


def _pair(store: Store, name: str, image: str, record: str) -> Pair:
    pair = PlacedPair(name, store.place(os.path.splitext(image)[1]))  # noqa: PTH122
    is_placed = pair.image_path == image and pair.record_path == record
    return pair if is_placed else Pair(name, image, record)


def _preference(path: str) -> tuple[int, str]:
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122
    return (IMAGE_SUFFIXES.index(suffix) if suffix in IMAGE_SUFFIXES else -1), path


def _as_text(names: Sequence[str]) -> pa.Array:
    try:
        return pa.array(names, type=pa.string())
    except UnicodeEncodeError:  # names that are not UTF-8; no list could hold them
        kept = [name for name in names if is_safe(name)]
        logger.warning("%d names that are not UTF-8 are passed over", len(names) - len(kept))
        return pa.array(kept, type=pa.string())


def _folders(folder: Path, nested: bool) -> list[str]:
    if not folder.is_dir():
        return []
    if not nested:
        return [str(folder)]
    inner = (name for name in names_in(str(folder), folders=True) if not name.startswith("."))
    return [f"{folder}/{name}" for name in sorted(inner)]
