"""The two ways to a step's pairs: make its list (`pin_pairs`), or read it (`load_pairs`)."""

import fnmatch
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.data_loader.download import fetch_all, fetch_listed
from shared.data_loader.errors import DataListError, first_few
from shared.data_loader.files import read_record
from shared.data_loader.listing import Listing, list_pairs
from shared.data_loader.lists import DataList, list_path, main_suffix, read_list, write_list
from shared.data_loader.pairs import Pair, PinnedPairs, stable_order
from shared.data_loader.redaction import redacted
from shared.data_loader.stores import Store
from shared.data_loader.verify import MISSING, digests
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
    """
    path = list_path(dataset, step)
    pinned = read_list(path, dataset, step)
    note_inputs([path])
    fetch_listed(store, pinned)
    pairs = _places(store, pinned)
    if pinned.is_pinned:
        _hold(pinned, pairs, path)
    else:
        logger.warning(
            "%s holds names only: the files are used unchecked; pin them with pin_pairs",
            shown(path),
        )
        _all_there(pairs, path)
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
    """
    path = list_path(dataset, step)
    expected = read_list(path, dataset, step) if path.exists() else None
    if expected is None and not may_write:
        msg = f"no data list {shown(path)}, and it may not be written; run with may_write_lists=True to pin the pairs"
        raise DataListError(msg)
    wanted = None if ids is None else set(ids)
    if expected is not None:
        note_inputs([path])
        fetch_listed(store, expected)
    else:
        fetch_all(store, lambda name: _is_named(name, wanted, pattern))
    listing = list_pairs(store)
    listing.report()
    chosen = _choose(listing, wanted, pattern, where, limit, shuffle_seed)
    found = _pinned(listing, chosen)
    if expected is not None and expected.is_pinned:
        _compare(expected, found, path)
    elif expected is not None:
        _compare_names(expected, found, path)
    if expected is None or (may_write and not expected.is_pinned):
        made = _made(wanted, pattern, where, limit, shuffle_seed)
        _write(
            path,
            found,
            {"dataset": dataset, "step": step, "source": redacted(source), "made": made},
        )
    by_id = dict(zip(found.ids, sorted(chosen, key=lambda pair: pair.id), strict=True))
    order = found.ids if shuffle_seed is None else stable_order(found.ids, shuffle_seed)
    return PinnedPairs([by_id[name] for name in order], found.digest())


def _places(store: Store, pinned: DataList) -> list[Pair]:
    default = pinned.suffix
    other = pinned.other_suffixes
    return [store.pair(name, other.get(name, default)) for name in pinned.ids]


def _is_named(name: str, wanted: set[str] | None, pattern: str | None) -> bool:
    return (wanted is None or name in wanted) and (
        pattern is None or fnmatch.fnmatchcase(name, pattern)
    )


def _choose(
    listing: Listing,
    wanted: set[str] | None,
    pattern: str | None,
    where: Where | None,
    limit: int | None,
    shuffle_seed: int | None,
) -> list[Pair]:
    if limit is not None and limit < 1:
        msg = f"limit: expected at least 1, got {limit}"
        raise DataListError(msg)
    pairs = {p.id: p for p in listing.pairs if _is_named(p.id, wanted, pattern)}
    if wanted is not None and pattern is None and wanted - pairs.keys():
        absent = sorted(wanted - pairs.keys())
        msg = f"{len(absent):,} of the {len(wanted):,} ids asked for have no whole pair:\n{first_few(absent)}"
        raise DataListError(msg)
    order = list(pairs) if shuffle_seed is None else stable_order(pairs, shuffle_seed)
    chosen: list[Pair] = []
    broken: list[str] = []
    for name in order:
        if limit is not None and len(chosen) == limit:
            break
        if where is None or _meets(pairs[name], where, broken):
            chosen.append(pairs[name])
    if broken:
        logger.warning(
            "%s records cannot be read and are not used:\n%s", f"{len(broken):,}", first_few(broken)
        )
    return chosen


def _meets(pair: Pair, where: Where, broken: list[str]) -> bool:
    try:
        record = read_record(pair.record_path)
    except DataListError as error:
        broken.append(str(error))
        return False
    return where(record)


def _pinned(listing: Listing, chosen: Sequence[Pair]) -> DataList:
    """What a list of the chosen pairs would pin."""
    pairs = sorted(chosen, key=lambda pair: pair.id)
    all_suffixes: Mapping[str, str] = dict(
        zip((pair.id for pair in listing.pairs), listing.suffixes, strict=True)
    )
    suffixes = {pair.id: all_suffixes[pair.id] for pair in pairs}
    taken = digests([pair.image_path for pair in pairs] + [pair.record_path for pair in pairs])
    most = main_suffix(list(suffixes.values()))
    return DataList(
        list(suffixes),
        taken[: len(pairs)],
        taken[len(pairs) :],
        most,
        {name: suffix for name, suffix in suffixes.items() if suffix != most},
    )


def _write(path: Path, found: DataList, header: Mapping[str, str]) -> None:
    if not found.ids:
        msg = f"{shown(path)}: no pair meets the criteria ({header['made']}); nothing to pin"
        raise DataListError(msg)
    write_list(path, found, header)
    logger.info("pinned %s pairs in %s", f"{len(found):,}", shown(path))


def _made(
    wanted: set[str] | None,
    pattern: str | None,
    where: Where | None,
    limit: int | None,
    shuffle_seed: int | None,
) -> str:
    said = [
        "" if wanted is None else f"ids given by the step ({len(wanted)})",
        "" if pattern is None else f"ids like {pattern!r}",
        "" if where is None else f"records that meet {getattr(where, '__name__', 'a condition')}",
        "" if limit is None else f"the first {limit}",
        "" if shuffle_seed is None else f"order shuffled with seed {shuffle_seed}",
    ]
    return ", ".join(part for part in said if part) or "all whole pairs"


def _hold(pinned: DataList, pairs: Sequence[Pair], path: Path) -> None:
    taken = digests([pair.image_path for pair in pairs] + [pair.record_path for pair in pairs])
    n = len(pairs)
    faults = []
    for index, (pair, image, record) in enumerate(zip(pairs, taken[:n], taken[n:], strict=True)):
        if image != pinned.image_digests[index]:
            faults.append(_fault(pair.id, "image", pair.image, pinned.image_digests[index], image))
        if record != pinned.record_digests[index]:
            faults.append(
                _fault(pair.id, "record", pair.record, pinned.record_digests[index], record)
            )
    _raise_faults(faults, path)


def _all_there(pairs: Sequence[Pair], path: Path) -> None:
    absent = [
        f"{pair.id}: expected {shown(place)}, found nothing"
        for pair in pairs
        for place in (pair.image, pair.record)
        if not place.is_file()
    ]
    _raise_faults(absent, path)


def _compare(expected: DataList, found: DataList, path: Path) -> None:
    """Hold what the criteria chose to the list: missing, extra or changed pairs are errors."""
    mine = _by_id(found)
    theirs = _by_id(expected)
    faults = [
        f"{name}: expected by the list, found no such pair" for name in theirs if name not in mine
    ]
    faults += [
        f"{name}: not in the list, found a pair that meets the criteria"
        for name in mine
        if name not in theirs
    ]
    for name in theirs.keys() & mine.keys():
        if theirs[name] != mine[name]:
            for what, a, b in zip(
                ("image", "record", "suffix"), theirs[name], mine[name], strict=True
            ):
                if a != b:
                    faults.append(f"{name}: expected {what} {a}, found {b}")
    _raise_faults(sorted(faults), path)


def _compare_names(expected: DataList, found: DataList, path: Path) -> None:
    faults = [
        f"{n}: expected by the list, found no such pair"
        for n in expected.ids
        if n not in set(found.ids)
    ]
    faults += [
        f"{n}: not in the list, found a pair" for n in found.ids if n not in set(expected.ids)
    ]
    _raise_faults(faults, path)


def _by_id(pinned: DataList) -> dict[str, tuple[str, str, str]]:
    rows = zip(pinned.ids, pinned.image_digests, pinned.record_digests, strict=True)
    return {name: (image, record, pinned.suffix_of(name)) for name, image, record in rows}


def _fault(name: str, what: str, place: Path, expected: str, found: str) -> str:
    if found == MISSING:
        return f"{name}: expected {what} {expected}, found nothing at {shown(place)}"
    return f"{name}: expected {what} {expected}, found {found} at {shown(place)}"


def _raise_faults(faults: Sequence[str], path: Path) -> None:
    if faults:
        msg = (
            f"{len(faults):,} files or pairs differ from {shown(path)}:\n{first_few(faults)}\n"
            "Take the files that the list pins, or - if the change is meant - delete the list, run with "
            "may_write_lists=True and commit it."
        )
        raise DataListError(msg)
