"""Holding a store to a list: where each pinned file is, and whether it is what the list says."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.data_loader.errors import DataListError, first_few
from shared.data_loader.fetching import fetch_missing
from shared.data_loader.listing import list_pairs
from shared.data_loader.lists import DataList, main_suffix
from shared.data_loader.names import check_name
from shared.data_loader.pairs import Pair, PlacedPair, placed_pairs
from shared.data_loader.stores import Store
from shared.data_loader.verify import MISSING, Snapshot, digests, stats
from shared.paths import shown


def find_pairs(
    store: Store, pinned: DataList
) -> tuple[list[Pair], NDArray[np.int64], NDArray[np.intp]]:
    """Where the pairs of a list are; what is missing is fetched first.

    Files are looked for where their ids say; only when some are not there is the store listed, for
    files under other names (`.JPG`, Lost & Found's prefixes, another folder).

    Returns:
        The n pairs in the order of the list, the (2 n, 2) `stats` of images, then records, and the
        rows that were just fetched, so held to their digests already.
    """
    place = store.place(pinned.suffix)
    pairs = placed_pairs(pinned.ids, place)
    if pinned.other_suffixes:
        pairs = [
            PlacedPair(p.id, store.place(pinned.other_suffixes[p.id]))
            if p.id in pinned.other_suffixes
            else p
            for p in pairs
        ]
        images = stats("", (p.image_path for p in pairs))
    else:
        images = stats(place.images, place.image_names(pinned.ids))
    records = stats(place.records, place.record_names(pinned.ids))
    now = np.concatenate([images, records])
    missing: list[int] = []
    if (now[:, 0] < 0).any():
        _use_other_names(store, pairs, now)
        missing = _missing(now)
        fetch_missing(store, pinned, missing)
        now[missing] = stats("", [_path(pairs, row) for row in missing])
    fetched = [row for row in missing if now[row, 0] >= 0] if pinned.is_pinned else []
    return pairs, now, np.array(fetched, dtype=np.intp)


def hold_to_list(
    store: Store,
    pinned: DataList,
    pairs: Sequence[Pair],
    now: NDArray[np.int64],
    fetched: NDArray[np.intp],
    path: Path,
) -> None:
    """Check that each file has the digest of the list.

    Only files that are not as they were when they were last checked are read.

    Raises:
        DataListError: some are missing or changed; it names the first few.
    """
    key = f"{pinned.digest()} {store.images} {store.records} {store.nested}"
    snapshot = Snapshot(key)
    differing = snapshot.differing(now)
    if not len(differing):
        return
    rows = np.setdiff1d(differing, fetched).tolist()
    n = len(pairs)
    taken = digests([_path(pairs, row) for row in rows])
    faults = []
    for row, found in zip(rows, taken, strict=True):
        expected = (pinned.image_digests if row < n else pinned.record_digests)[row % n]
        if found != expected:
            what = "image" if row < n else "record"
            place = shown(Path(_path(pairs, row)))
            seen = "nothing" if found == MISSING else found
            faults.append(
                f"{pairs[row % n].id}: expected {what} {expected}, found {seen} at {place}"
            )
    raise_faults(faults, path, is_remote=store.remote is not None)
    snapshot.remember(now)


def pinned_list(chosen: Sequence[Pair]) -> DataList:
    """What a list of these pairs pins of them."""
    pairs = sorted(chosen, key=lambda pair: pair.id)
    ids = [check_name(pair.id, "in the store") for pair in pairs]
    suffixes = [os.path.splitext(pair.image_path)[1] for pair in pairs]  # noqa: PTH122
    n = len(pairs)
    taken = digests([_path(pairs, row) for row in range(2 * n)])
    most = main_suffix(suffixes)
    other = {name: suffix for name, suffix in zip(ids, suffixes, strict=True) if suffix != most}
    return DataList(ids, taken[:n], taken[n:], most, other)


def compare_lists(expected: DataList, found: DataList, path: Path, *, is_remote: bool) -> None:
    """Check that pairs are exactly those of a list.

    Raises:
        DataListError: some are missing, extra or changed; it names the first few.
    """
    theirs, mine = _rows(expected), _rows(found)
    faults = []
    for name in sorted(theirs.keys() | mine.keys()):
        if name not in mine:
            faults.append(
                f"{name}: expected by the list, found no such pair that meets the criteria"
            )
        elif name not in theirs:
            faults.append(f"{name}: not expected by the list, found a pair that meets the criteria")
        else:
            faults += [
                f"{name}: expected {what} {theirs[name][what]}, found {mine[name][what]}"
                for what in theirs[name]
                if theirs[name][what] != mine[name][what]
            ]
    raise_faults(faults, path, is_remote=is_remote)


def raise_faults(faults: Sequence[str], path: Path, *, is_remote: bool) -> None:
    """Raise an error that names the first few faults and says what to do, if there are any."""
    if not faults:
        return
    again = (
        "Delete the files that changed, and the next run fetches them again"
        if is_remote
        else "Put back the files that the list pins"
    )
    msg = (
        f"{len(faults):,} differences from {shown(path)}:\n{first_few(faults)}\n{again}; or, if "
        "the change is meant, delete the list, run with may_write_lists=True and commit it."
    )
    raise DataListError(msg)


def _rows(pinned: DataList) -> dict[str, Mapping[str, str]]:
    rows = zip(pinned.ids, pinned.image_digests, pinned.record_digests, strict=True)
    return {
        name: {"image": image, "record": record, "suffix": pinned.suffix_of(name)}
        for name, image, record in rows
    }


def _use_other_names(store: Store, pairs: list[Pair], now: NDArray[np.int64]) -> None:
    """Take pairs that are there under other names, in place."""
    n = len(pairs)
    odd = {pair.id: pair for pair in list_pairs(store).pairs if type(pair) is Pair}
    for row in _missing(now):
        pair = odd.get(pairs[row % n].id)
        if pair is not None:
            pairs[row % n] = pair
            now[[row % n, n + row % n]] = stats("", [pair.image_path, pair.record_path])


def _missing(now: NDArray[np.int64]) -> list[int]:
    found: list[int] = np.flatnonzero(now[:, 0] < 0).tolist()
    return found


def _path(pairs: Sequence[Pair], row: int) -> str:
    n = len(pairs)
    return pairs[row].image_path if row < n else pairs[row - n].record_path
