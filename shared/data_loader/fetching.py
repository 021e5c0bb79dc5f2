"""What of a store is missing, and fetching it: by a list, by an index, or whole from a zip."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shared.data_loader.archives import unpack_archive
from shared.data_loader.config import PREFIX, transfer
from shared.data_loader.download import fetch, fetch_index, open_remote
from shared.data_loader.errors import first_few
from shared.data_loader.finding import Job, by_our_names
from shared.data_loader.listing import list_pairs
from shared.data_loader.listing_cache import forget
from shared.data_loader.lists import DataList
from shared.data_loader.names import RECORD_SUFFIX, is_safe, split_name
from shared.data_loader.places import locked
from shared.data_loader.stores import Store
from shared.paths import shown

logger = logging.getLogger(__name__)

Choose = Callable[[list[str]], list[str]]


def prepare(store: Store) -> None:
    """Unpack the store's zip, where it has one that is not unpacked yet."""
    if store.archive is not None:
        with locked(f"store {store.images}"):
            unpack_archive(store, transfer(), offline_help(store))
        _forget(store)


def fetch_missing(store: Store, pinned: DataList, missing: Sequence[int]) -> None:
    """Fetch files of a list that are missing, each held to its digest.

    Args:
        store: where they belong, and where they come from.
        pinned: the list of n pairs.
        missing: which; i is the image of pair i, n + i its record.
    """
    if store.remote is None or not missing:
        return
    with locked(f"store {store.images}"):
        n = len(pinned)
        images = [_image_job(store, pinned, i) for i in missing if i < n]
        records = [_record_job(store, pinned, i - n) for i in missing if i >= n]
        _fetch_jobs(store, images, records)


def fetch_by_index(store: Store, choose: Choose, where: Callable[[str], bool] | None) -> None:
    """Fetch pairs that the remote's index names; nothing is known yet of what they hold.

    Args:
        store: where they belong, and where they come from.
        choose: picks some of the ids of whole pairs, in the order of preference.
        where: says of an id whose record is there whether its image is wanted.
    """
    if store.remote is None:
        return
    with locked(f"store {store.images}"):
        images, records = _remote_files(store)
        here = _local_ids(store)
        names = sorted((images.keys() & records.keys()) | here)
        _report_halves(images, records)
        ids = choose(names)
        record_jobs = [
            Job(f"{i}.json", _record_place(store, i), address=records[i])
            for i in ids
            if i not in here and i in records
        ]
        _fetch_jobs(store, [], record_jobs)
        wanted = [i for i in ids if i not in here and (where is None or where(i))]
        image_jobs = [
            Job(i + images[i][0], _image_place(store, i, images[i][0]), address=images[i][1])
            for i in wanted
        ]
        _fetch_jobs(store, image_jobs, [])


def offline_help(store: Store) -> str:
    """What to do without a network."""
    return (
        f"Without a network: put the files in {shown(store.images)}, or set {PREFIX}FOLDER to a "
        f"folder that has them, or {PREFIX}SOURCE to a local path (see data-lists/README.md)."
    )


def _fetch_jobs(store: Store, images: Sequence[Job], records: Sequence[Job]) -> None:
    """Fetch what is not there; images and records may come from two places."""
    if store.remote is None:
        return
    options = dict(store.remote_options)
    sources = [(store.remote, [*images, *records])]
    if store.remote_records is not None:
        sources = [(store.remote, list(images)), (store.remote_records, list(records))]
    how = transfer()
    try:
        for url, jobs in sources:
            left = [job for job in jobs if not os.path.isfile(job.place)]  # noqa: PTH113
            if left:
                fetch(open_remote(url, options, how), left, how, offline_help(store))
    finally:
        _forget(store)


def _remote_files(store: Store) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """What the index names: suffix and address of each id's image, address of its record."""
    how = transfer()
    options = dict(store.remote_options)
    names: dict[str, str] = {}
    for url in dict.fromkeys((store.remote, store.remote_records)):
        if url is not None:
            index = fetch_index(open_remote(url, options, how), how, offline_help(store))
            names = {**by_our_names(index), **names}
    images: dict[str, tuple[str, str]] = {}
    records: dict[str, str] = {}
    for name in sorted(names):
        parts = split_name(name)
        if parts is None or not is_safe(name):
            continue
        if parts[1].lower() == RECORD_SUFFIX:
            records.setdefault(parts[0], names[name])
        else:
            images.setdefault(parts[0], (parts[1], names[name]))
    return images, records


def _report_halves(images: dict[str, Any], records: dict[str, Any]) -> None:
    halves = sorted(images.keys() ^ records.keys())
    if halves:
        logger.warning(
            "%s half pairs at the source are not fetched:\n%s",
            f"{len(halves):,}",
            first_few(halves),
        )


def _local_ids(store: Store) -> set[str]:
    return {pair.id for pair in list_pairs(store).pairs}


def _image_job(store: Store, pinned: DataList, index: int) -> Job:
    name = pinned.ids[index]
    suffix = pinned.suffix_of(name)
    digest = pinned.image_digests[index] if pinned.is_pinned else ""
    return Job(name + suffix, _image_place(store, name, suffix), digest)


def _record_job(store: Store, pinned: DataList, index: int) -> Job:
    name = pinned.ids[index]
    digest = pinned.record_digests[index] if pinned.is_pinned else ""
    return Job(f"{name}.json", _record_place(store, name), digest)


def _image_place(store: Store, name: str, suffix: str) -> str:
    place = store.place(suffix)
    return f"{place.images}/{place.image_name(name)}"


def _record_place(store: Store, name: str) -> str:
    place = store.place("")
    return f"{place.records}/{place.record_name(name)}"


def _forget(store: Store) -> None:
    for folder in _folders_of(store):
        forget(folder)


def _folders_of(store: Store) -> Iterator[str]:
    for folder in dict.fromkeys((store.images, store.records)):
        yield str(folder)
        if store.nested:
            with contextlib.suppress(FileNotFoundError):
                yield from (str(inner) for inner in folder.iterdir() if inner.is_dir())
