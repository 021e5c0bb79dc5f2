"""A zip of pairs, copied whole (a mounted drive is slow by the file) and unpacked to local disk."""

import json
import logging
import lzma
import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from shared.data_loader.config import Transfer
from shared.data_loader.download import fetch_whole, open_remote, put
from shared.data_loader.errors import DataListError, UnsafeNameError
from shared.data_loader.files import write_bytes
from shared.data_loader.finding import Job
from shared.data_loader.names import RECORD_SUFFIX, check_name, split_name
from shared.data_loader.places import memory_folder, short_key
from shared.data_loader.redaction import redacted
from shared.data_loader.stores import Store

logger = logging.getLogger(__name__)

_SPARE_BYTES = 100_000_000  # left free on the disk
_ENCRYPTED = 1  # bit of a member's flags, by the format's APPNOTE 4.4.4


def unpack_archive(store: Store, transfer: Transfer, offline_help: str) -> None:
    """Copy the store's zip to local disk and unpack its pairs, unless that is done already.

    Folders inside the zip do not matter; files that are no part of a pair are passed over. The
    copy is resumed where it stopped, and deleted when all is unpacked.

    Raises:
        UnsafeNameError: an entry would be written outside the store's folders.
        DataListError: it is no whole zip, or too large for the disk.
        DownloadError: it cannot be copied.
    """
    source = str(store.archive)
    marker = store.images / f".unpacked-{short_key(redacted(source))}"
    identity = _identity(source)
    if marker.is_file() and _read_marker(marker) == identity:
        return
    copy = memory_folder() / "archives" / f"{short_key(source)}.zip"
    if not copy.is_file():
        fetch_whole(
            open_remote(source, dict(store.remote_options), transfer), copy, transfer, offline_help
        )
    try:
        with zipfile.ZipFile(copy) as archive:
            _unpack(archive, store, source, transfer)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        # The latter is what zipfile raises when it opens a zip of a later version of the format.
        copy.unlink()
        msg = (
            f"{redacted(source)}: expected a whole zip without a password, got: {error}; the copy "
            "is deleted, and made anew by the next run"
        )
        raise DataListError(msg) from error
    write_bytes(marker, json.dumps(identity).encode())
    copy.unlink()


def _unpack(archive: zipfile.ZipFile, store: Store, source: str, transfer: Transfer) -> None:
    entries = list(_entries(archive, store, source, int(transfer.max_file_mb * 1e6)))
    if not entries:
        msg = f"{redacted(source)}: expected images and records of pairs in it, got none"
        raise DataListError(msg)
    todo = [(info, place) for info, place in entries if not _is_there(place, info.file_size)]
    needed = sum(info.file_size for info, _ in todo)
    store.images.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store.images).free
    if needed > free - _SPARE_BYTES:
        msg = f"{redacted(source)}: it unpacks to {needed:,} bytes more, the disk has {free:,} free"
        raise DataListError(msg)
    for folder in {os.path.dirname(place) for _, place in todo}:  # noqa: PTH120
        Path(folder).mkdir(parents=True, exist_ok=True)
    for info, place in tqdm(todo, desc="unpack", unit="file"):
        put(Job(info.filename, place), read_member(archive, info))


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """The bytes of a file in a zip, checked by their CRC.

    Raises:
        zipfile.BadZipFile: it is damaged, under a password, or packed in a way that is not known.
            A fault of reading the zip itself, from a disk or a server, comes out as it is.
    """
    if info.flag_bits & _ENCRYPTED:
        msg = f"{info.filename[:120]!r} is under a password"
        raise zipfile.BadZipFile(msg)
    try:
        return archive.read(info)
    except (zlib.error, lzma.LZMAError, EOFError, NotImplementedError) as error:
        # The last is what zipfile raises for ways of packing that it does not know.
        msg = f"{info.filename[:120]!r} cannot be unpacked: {error or type(error).__name__}"
        raise zipfile.BadZipFile(msg) from error


def _entries(
    archive: zipfile.ZipFile, store: Store, source: str, limit: int
) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """The pairs' files in a zip, each with its place; anything unsafe refuses the whole zip."""
    taken: set[str] = set()
    for info in archive.infolist():
        _check_entry(info, source)
        name = info.filename.rpartition("/")[2]
        parts = split_name(name)
        if info.is_dir() or parts is None:
            continue
        identity = check_name(parts[0], f"in {redacted(source)}")
        if info.file_size > limit:
            msg = (
                f"{redacted(source)}: {info.filename[:120]!r} has {info.file_size:,} bytes, "
                f"expected at most {limit:,} (option MAX_FILE_MB)"
            )
            raise DataListError(msg)
        place = store.place(parts[1])
        is_record = parts[1].lower() == RECORD_SUFFIX
        target = (
            f"{place.records}/{place.record_name(identity)}"
            if is_record
            else f"{place.images}/{place.image_name(identity)}"
        )
        if target in taken:
            msg = f"{redacted(source)}: expected each file once, got {name!r} in two folders"
            raise DataListError(msg)
        taken.add(target)
        yield info, target


def _check_entry(info: zipfile.ZipInfo, source: str) -> None:
    name = info.filename
    steps = name.replace("\\", "/").split("/")
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if ".." in steps or name.startswith(("/", "\\")) or "\\" in name or ":" in steps[0] or is_link:
        what = "a link" if is_link else "a path that leads outside"
        msg = (
            f"{redacted(source)}: unsafe entry {name[:120]!r} ({what}); nothing of this zip is used"
        )
        raise UnsafeNameError(msg)


def _is_there(place: str, size: int) -> bool:
    try:
        return os.stat(place).st_size == size  # noqa: PTH116
    except FileNotFoundError:
        return False


def _identity(source: str) -> dict[str, int | str]:
    """What tells a changed zip from the one that was unpacked; of a URL, the URL alone."""
    if "://" in source:
        return {"source": redacted(source)}
    try:
        found = Path(source).expanduser().stat()
    except FileNotFoundError:
        msg = f"no zip {source}: expected the archive of a store there (option SOURCE)"
        raise DataListError(msg) from None
    return {"source": source, "size": found.st_size, "mtime_ns": found.st_mtime_ns}


def _read_marker(marker: Path) -> object:
    try:
        return json.loads(marker.read_bytes())
    except ValueError:
        return None
