"""The two ways to a step's pairs: make its list (`pin_pairs`), or read it (`load_pairs`)."""

import fnmatch
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.data_loader.errors import DataListError, first_few
from shared.data_loader.fetching import fetch_by_index, prepare
from shared.data_loader.files import read_record
from shared.data_loader.holding import (
    compare_lists,
    find_pairs,
    hold_to_list,
    pinned_list,
    raise_faults,
)
from shared.data_loader.listing import list_pairs
from shared.data_loader.lists import DataList, list_path, read_list, write_list
from shared.data_loader.pairs import Pair, PinnedPairs, stable_order
from shared.data_loader.redaction import redacted
from shared.data_loader.stores import Store
from shared.manifest import note_inputs
from shared.paths import shown

logger = logging.getLogger(__name__)

Where = Callable[[dict[str, Any]], bool]


def load_pairs(dataset: str, step: str, store: Store) -> list[Pair]:
    """Exactly the pairs of a step's list, sorted by id, from a store.

    Files that are missing are fetched from the store's remote, where it has one. Every file is held
    to its digest; digests are remembered by size and time of change.

    Raises:
        MissingListError: there is no such list; the error says which notebook writes it.
        DataListError: pairs are missing or changed; the error names the first few.
        DownloadError: missing files could not be fetched.
    """
    path = list_path(dataset, step)
    pinned = read_list(path, dataset, step)
    note_inputs([path])
    prepare(store)
    pairs, now, fetched = find_pairs(store, pinned)
    if pinned.is_pinned:
        hold_to_list(store, pinned, pairs, now, fetched, path)
    else:
        _all_there(pairs, path)
        logger.warning(
            "%s holds names only: files are used unchecked; pin them with pin_pairs", shown(path)
        )
    return PinnedPairs(pairs, pinned.digest())


def pin_pairs(
    dataset: str,
    step: str,
    store: Store,
    *,
    ids: Iterable[str] | None = None,
    pattern: str | None = None,
    where: Where | None = None,
    limit: int | None = None,
    shuffle_seed: int | None = None,
    source: str,
    may_write: bool,
) -> list[Pair]:
    """The pairs that meet the criteria, held to the step's list, or pinned in it the first time.

    A list of names alone, as Lost & Found wrote them, is itself a criterion, and is pinned when
    that is allowed.

    Args:
        dataset: the name of the data set.
        step: the name of the list.
        store: where the pairs lie.
        ids: use only these.
        pattern: use only ids that match this (`*`, `?`, `[...]`; case matters).
        where: use only pairs whose record this is true of.
        limit: use the first so many of the order.
        shuffle_seed: the order is a random one that ids and seed decide; else by id.
        source: where the pairs come from, for the header.
        may_write: write the list where there is none; else that is an error.

    Returns:
        The pairs, sorted by id, or in the shuffled order.

    Raises:
        DataListError: a pair is missing, extra or changed; or the list is absent and may not be
            written; or no pair meets the criteria.
        DownloadError: missing files could not be fetched.
    """
    path = list_path(dataset, step)
    expected = _read_existing(path, may_write)
    if expected is not None and not expected.is_pinned:
        ids = set(expected.ids) & set(expected.ids if ids is None else ids)
    criteria = _Criteria(None if ids is None else set(ids), pattern, where, limit, shuffle_seed)
    prepare(store)
    if expected is None:
        fetch_by_index(store, criteria.named, _where_by_id(store, criteria))
    else:
        note_inputs([path])
        find_pairs(store, expected)
    listing = list_pairs(store)
    listing.report()
    chosen = criteria.choose(listing.pairs)
    found = pinned_list(chosen)
    if expected is not None and expected.is_pinned:
        compare_lists(expected, found, path, is_remote=store.remote is not None)
    else:
        _write(
            path,
            found,
            {
                "dataset": dataset,
                "step": step,
                "source": redacted(source),
                "made": criteria.described(),
            },
            may_write,
        )
    return PinnedPairs(chosen, found.digest())


@dataclass(frozen=True)
class _Criteria:
    """Which pairs a step uses, and in which order."""

    ids: set[str] | None
    pattern: str | None
    where: Where | None
    limit: int | None
    shuffle_seed: int | None

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            msg = f"limit: expected at least 1, got {self.limit}"
            raise DataListError(msg)

    def named(self, names: Iterable[str]) -> list[str]:
        """The ids that may be used, in order, before anything is known of their records."""
        ids, pattern = self.ids, self.pattern
        found = [
            name
            for name in names
            if (ids is None or name in ids)
            and (pattern is None or fnmatch.fnmatchcase(name, pattern))
        ]
        found = (
            sorted(found) if self.shuffle_seed is None else stable_order(found, self.shuffle_seed)
        )
        return found if self.where is not None else found[: self.limit]

    def choose(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs to use, in order."""
        by_id = {pair.id: pair for pair in pairs}
        self._check_ids(by_id)
        names = self.named(by_id)
        if self.where is None:
            return [by_id[name] for name in names]
        chosen: list[Pair] = []
        broken: list[str] = []
        for name in names:
            if len(chosen) == self.limit:
                break
            if _meets(by_id[name].record_path, self.where, broken):
                chosen.append(by_id[name])
        if broken:
            count = f"{len(broken):,}"
            logger.warning("%s unreadable records are not used:\n%s", count, first_few(broken))
        return chosen

    def described(self) -> str:
        """In words, for the header of the list."""
        said = [
            "" if self.ids is None else f"{len(self.ids)} ids given by the step",
            "" if self.pattern is None else f"ids like {self.pattern!r}",
            "" if self.where is None else f"records that meet {_name_of(self.where)}",
            "" if self.limit is None else f"the first {self.limit}",
            "" if self.shuffle_seed is None else f"order shuffled with seed {self.shuffle_seed}",
        ]
        return ", ".join(part for part in said if part) or "all whole pairs"

    def _check_ids(self, there: Mapping[str, Pair]) -> None:
        absent = sorted((self.ids or set()) - there.keys())
        if absent:
            msg = (
                f"{len(absent):,} of the {len(self.ids or ()):,} ids asked for have no whole pair "
                f"in the store:\n{first_few(absent)}"
            )
            raise DataListError(msg)


def _read_existing(path: Path, may_write: bool) -> DataList | None:
    if path.exists():
        return read_list(path)
    if may_write:
        return None
    msg = (
        f"no data list {shown(path)}, and it may not be written; to pin the pairs that are found "
        "now, run with may_write_lists=True and commit the list"
    )
    raise DataListError(msg)


def _where_by_id(store: Store, criteria: _Criteria) -> Callable[[str], bool] | None:
    where = criteria.where
    if where is None:
        return None
    place = store.place("")
    left = [criteria.limit]

    def wants(name: str) -> bool:
        if left[0] == 0 or not _meets(f"{place.records}/{place.record_name(name)}", where, []):
            return False
        if left[0] is not None:
            left[0] -= 1
        return True

    return wants


def _meets(record: str, where: Where, broken: list[str]) -> bool:
    try:
        content = read_record(record)
    except DataListError as error:
        broken.append(str(error))
        return False
    return where(content)


def _name_of(where: Where) -> str:
    name = getattr(where, "__name__", "")
    return name if name and name != "<lambda>" else "a condition of the step"


def _write(path: Path, found: DataList, header: Mapping[str, str], may_write: bool) -> None:
    if not found.ids:
        msg = (
            f"{shown(path)}: expected pairs, but none meets the criteria ({header['made']}); is "
            "the store empty, or nested where it should be flat?"
        )
        raise DataListError(msg)
    if not may_write:
        logger.warning(
            "%s holds names only; run with may_write_lists=True to pin them", shown(path)
        )
        return
    write_list(path, found, header)
    logger.info("pinned %s pairs in %s", f"{len(found):,}", shown(path))


def _all_there(pairs: Sequence[Pair], path: Path) -> None:
    raise_faults(
        [
            f"{pair.id}: expected {shown(place)}, found nothing"
            for pair in pairs
            for place in (pair.image, pair.record)
            if not place.is_file()
        ],
        path,
        is_remote=False,
    )
