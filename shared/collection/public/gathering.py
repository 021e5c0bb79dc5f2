"""What all adapters share: the choice of ids, what is there already, and how a pair is written."""

import itertools
import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from shared.collection.public.account import Account, Skips, Source
from shared.collection.public.pictures import PictureFault, clean
from shared.countries import code_of
from shared.data_loader import Store, stable_order
from shared.data_loader.files import write_bytes
from shared.data_loader.names import IMAGE_SUFFIXES, is_safe
from shared.gazetteer import nearest_place_codes

logger = logging.getLogger(__name__)

ACCOUNT_NAME = "ACCOUNT.md"
MIN_FREE_BYTES = 100_000_000  # below this no picture is written
OTHER_COUNTRY = "in another country than asked for"
UNSAFE_ID = "a name that is not safe as the name of a file"
TWICE = "an id that was listed already"

_CHUNK = 100_000  # ids that are put in order at a time
_LOOKS = 50  # pictures between two looks at the free space
_ID = re.compile(r"[0-9A-Za-z_][0-9A-Za-z_+.\-]*")


class Adapter(Protocol):
    """What a source of pairs has to say for itself."""

    source: Source

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        """The ids of all that could be a pair, each once; no codes means every country."""

    def record(self, name: str) -> bytes:
        """The text of an id's record, source field and all."""

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        """Ids with the bytes of their pictures, in any order; what cannot be had is noted."""


@dataclass(frozen=True)
class Subset:
    """How much of a source.

    Attributes:
        limit: how many pairs at most, drawn by ids and seed; 0: all.
        countries: names or codes; none: all.
        seed: feeds the draw.
    """

    limit: int = 0
    countries: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse a negative limit."""
        if self.limit < 0:
            msg = f"limit: expected 0 (all) or more, got {self.limit}"
            raise ValueError(msg)

    def codes(self) -> frozenset[str]:
        """The codes of the countries; `UnknownCountryError` for a name that is none."""
        return frozenset(code_of(name) for name in self.countries)


def collect_pairs(adapter: Adapter, store: Store, subset: Subset) -> Account:
    """Write the pairs of a source, going on where an earlier run stopped.

    A pair is there when its image is: the record is written first, and an old image goes before
    its record changes. So no kill leaves an image beside a record of something else.

    Args:
        adapter: the source.
        store: where the pairs go.
        subset: how many, of which countries.

    Raises:
        OSError: the disk is nearly full.
    """
    skips = Skips()
    names, n_listed = chosen_ids(_checked(adapter.ids(subset.codes(), skips), skips), subset)
    todo = [name for name in names if not _is_there(store, name, adapter.record(name))]
    written = set()
    pictures = adapter.images(todo, skips) if todo else iter(())
    for number, (name, data) in enumerate(tqdm(pictures, "collect", len(todo), unit="pair")):
        if number % _LOOKS == 0:
            check_free_space(store.images)
        try:
            image, suffix = clean(data)
        except PictureFault as fault:
            skips.add(str(fault), name)
            continue
        _write_pair(store, name, adapter.record(name), image, suffix)
        written.add(name)
    left_out = set(todo) - written
    whole = sorted(name for name in names if name not in left_out)
    account = Account(adapter.source, whole, n_listed, len(written), len(names) - len(todo), skips)
    write_bytes(store.images / ACCOUNT_NAME, account.text().encode())
    return account


def chosen_ids(ids: Iterable[str], subset: Subset) -> tuple[list[str], int]:
    """The first ids of the order that ids and seed decide, sorted by id; and how many there were.

    Ids come in chunks and only the first `limit` are kept, so that five million take no memory.
    """
    n_listed = 0
    kept: list[str] = []
    stream = iter(ids)
    while chunk := list(itertools.islice(stream, _CHUNK)):
        n_listed += len(chunk)
        kept += chunk
        if subset.limit:
            kept = stable_order(kept, subset.seed)[: subset.limit]
    return sorted(kept), n_listed


def record_text(record: Mapping[str, Any], source: Source) -> bytes:
    """A record with its source, as `write_json` writes it; keys without a value are left out."""
    whole = {key: value for key, value in record.items() if value is not None and value != ""}
    whole["source"] = source.line()
    return (json.dumps(whole, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n").encode()


def in_countries(points: Sequence[tuple[float, float]], codes: frozenset[str]) -> list[bool]:
    """Whether each point is in one of the countries: by the nearest place of the gazetteer.

    It names another country than polygons do for less than 1 % of points near towns, and more at
    borders; stage 2 decides anew. No codes: every point.
    """
    if not codes or not points:
        return [True] * len(points)
    found, _ = nearest_place_codes(np.asarray(points, dtype=float))
    return [str(code) in codes for code in found]


def only_wanted(names: Sequence[str], are_wanted: Sequence[bool], skips: Skips) -> Iterator[str]:
    """The names in the countries that are asked for; the others are counted as passed over."""
    for name, is_wanted in zip(names, are_wanted, strict=True):
        if is_wanted:
            yield name
        else:
            skips.add(OTHER_COUNTRY)


def check_free_space(folder: Path) -> None:
    """Stop before the disk is full.

    Raises:
        OSError: fewer than 100 MB are free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        msg = (
            f"{folder}: expected {MIN_FREE_BYTES:,} bytes of free disk, got {free:,}; free some "
            "and run again: it goes on where it stopped"
        )
        raise OSError(msg)


def _checked(ids: Iterable[str], skips: Skips) -> Iterator[str]:
    """Those ids that can be names of files."""
    for name in ids:
        if _ID.fullmatch(name) and is_safe(name):
            yield name
        else:
            skips.add(UNSAFE_ID, repr(name))


def _places(store: Store, name: str) -> tuple[Path, list[Path]]:
    """The record's place, and those where the image may lie."""
    places = [store.place(suffix) for suffix in IMAGE_SUFFIXES]
    images = [Path(place.images) / place.image_name(name) for place in places]
    return Path(places[0].records) / places[0].record_name(name), images


def _is_there(store: Store, name: str, record: bytes) -> bool:
    place, images = _places(store, name)
    return (
        any(path.is_file() for path in images) and place.is_file() and place.read_bytes() == record
    )


def _write_pair(store: Store, name: str, record: bytes, image: bytes, suffix: str) -> None:
    place, images = _places(store, name)
    for path in images:
        path.unlink(missing_ok=True)
    write_bytes(place, record)
    write_bytes(images[IMAGE_SUFFIXES.index(suffix)], image)
