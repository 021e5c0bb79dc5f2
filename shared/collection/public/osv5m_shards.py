"""The files of OSV-5M at a hub or in a folder: tables copied whole, photos read out of the zips."""

import hashlib
import logging
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import fsspec  # type: ignore[import-untyped]

from shared.collection.public.account import Skips
from shared.data_loader.archives import read_member
from shared.data_loader.config import transfer
from shared.data_loader.download import fetch_whole
from shared.data_loader.errors import DataListError, DownloadError
from shared.data_loader.files import write_bytes
from shared.data_loader.places import memory_folder, short_key
from shared.data_loader.redaction import redacted
from shared.data_loader.remotes import FsspecRemote

logger = logging.getLogger(__name__)

DENSE = 0.25  # where more of a shard is wanted, it is read in large blocks
LARGE_BLOCK = 1 << 23
SMALL_BLOCK = 96 * 1024  # a photo has 52 kB on average: mostly one request
BATCH = 1000  # photos that a thread reads at a time, about 50 MB
THREADS = 4

_SHARD = re.compile(r"(\d{1,4})\.zip")
_MEMBER = re.compile(r"(?:[0-9A-Za-z_\-]+/)*([0-9A-Za-z_]+)\.jpe?g", re.IGNORECASE)
_HELP = "Is there a network? A local copy of the data set may be named in the parameter address."


class Shards:
    """What lies below an address in the layout of OSV-5M."""

    def __init__(self, address: str, options: Mapping[str, Any], numbers: frozenset[int]) -> None:
        """Prepare; nothing is read yet.

        Args:
            address: of fsspec, or a local path.
            options: options of fsspec.
            numbers: of the shards that may be used; none: all.
        """
        self._address = address
        self._options = dict(options)
        self._fs, self._root = fsspec.url_to_fs(address, **options)
        self._is_local = "file" in self._fs.protocol
        self.numbers = numbers

    def table(self, name: str) -> Path:
        """The path of a table: in place where it is local, else a copy, fetched once.

        Raises:
            DownloadError: it cannot be fetched; what came is kept for the next run.
            DataListError: it is not what the hub says it is.
        """
        if self._is_local:
            path = Path(self._root) / name
            if not path.is_file():
                msg = f"{path}: expected OSV-5M's table, got none; is the copy whole?"
                raise DataListError(msg)
            return path
        place = self._memory() / name
        if not place.is_file():
            remote = FsspecRemote(f"{self._address}/{name}", self._options, transfer())
            fetch_whole(remote, place, transfer(), _HELP)
            self._check(name, place)
        return place

    def members(self, split: str) -> list[str]:
        """The ids of the photos in the shards that may be used."""
        return [name for shard in self._paths(split) for name in self._names(split, shard)]

    def pictures(
        self, split: str, wanted: Sequence[str], skips: Skips
    ) -> Iterator[tuple[str, bytes]]:
        """Photos by id, read out of the shards that hold them; what is in none is noted."""
        left = set(wanted)
        batches: list[tuple[str, int, list[str]]] = []
        for shard in self._paths(split) if left else ():
            names = self._names(split, shard)
            here = [name for name in names if name in left]
            left.difference_update(here)
            block = LARGE_BLOCK if len(here) > DENSE * len(names) else SMALL_BLOCK
            batches += [(shard, block, here[k : k + BATCH]) for k in range(0, len(here), BATCH)]
            if not left:
                break
        for name in sorted(left):
            skips.add("in the table, but in no shard", f"{split}_{name}")
        with ThreadPoolExecutor(THREADS) as pool:
            for start in range(0, len(batches), THREADS):
                some = batches[start : start + THREADS]
                for came in pool.map(lambda batch: self._read(*batch), some):
                    yield from self._sound(split, came, skips)

    def _sound(
        self, split: str, came: Iterable[tuple[str, bytes | str]], skips: Skips
    ) -> Iterator[tuple[str, bytes]]:
        for name, data in came:
            if isinstance(data, str):
                skips.add(data, f"{split}_{name}")
            else:
                yield name, data

    def _read(self, shard: str, block: int, names: Sequence[str]) -> list[tuple[str, bytes | str]]:
        """Some photos of a shard, in the order in which they lie there; a text is a fault."""
        wanted = set(names)
        limit = int(transfer().max_file_mb * 1e6)
        try:
            with self._open(shard, block) as file, zipfile.ZipFile(file) as archive:
                members = {
                    found[1]: info
                    for info in archive.infolist()
                    if (found := _MEMBER.fullmatch(info.filename)) and found[1] in wanted
                }
                ordered = sorted(members.items(), key=lambda item: item[1].header_offset)
                return [(name, _member(archive, info, limit)) for name, info in ordered]
        except Exception as error:  # each file system has its own errors, with no common base
            raise self._fault(shard, error) from error

    def _paths(self, split: str) -> list[str]:
        """The shards of a split that may be used, by number."""
        folder = f"{self._root}/images/{split}"
        try:
            paths = [str(path) for path in self._fs.ls(folder, detail=False)]
        except Exception as error:  # each file system has its own errors, with no common base
            raise self._fault(folder, error) from error
        numbered = {
            int(found[1]): path
            for path in sorted(paths)
            if (found := _SHARD.fullmatch(path.replace("\\", "/").rpartition("/")[2]))
        }
        return [
            path
            for number, path in sorted(numbered.items())
            if not self.numbers or number in self.numbers
        ]

    def _names(self, split: str, shard: str) -> list[str]:
        """The ids in a shard, from the directory at its end; kept, as a shard never changes."""
        number = shard.replace("\\", "/").rpartition("/")[2].removesuffix(".zip")
        kept = self._memory() / f"{split}-{number}.ids.txt"
        if not self._is_local and kept.is_file():
            return kept.read_text(encoding="utf-8").split()
        try:
            with self._open(shard, SMALL_BLOCK) as file, zipfile.ZipFile(file) as archive:
                found = [_MEMBER.fullmatch(name) for name in archive.namelist()]
        except Exception as error:  # each file system has its own errors, with no common base
            raise self._fault(shard, error) from error
        names = [match[1] for match in found if match]
        if not self._is_local:
            write_bytes(kept, "\n".join(names).encode())
        return names

    def _open(self, path: str, block: int) -> IO[bytes]:
        file: IO[bytes] = (
            self._fs.open(path, "rb")
            if self._is_local
            else self._fs.open(path, "rb", block_size=block, cache_type="readahead")
        )
        return file

    def _memory(self) -> Path:
        return memory_folder() / "osv5m" / short_key(self._address)

    def _check(self, name: str, place: Path) -> None:
        """Hold a copy to the sha256 that the hub keeps of large files, where it says one."""
        said = (self._fs.info(f"{self._root}/{name}").get("lfs") or {}).get("sha256", "")
        if not said:
            logger.info("%s: no checksum is known; its length is right", name)
            return
        with place.open("rb") as file:
            got = hashlib.file_digest(file, "sha256").hexdigest()
        if got != said:
            place.unlink()
            msg = f"{name}: expected sha256 {said}, got {got}; the copy is deleted: run again"
            raise DataListError(msg)

    def _fault(self, what: str, error: Exception) -> DownloadError:
        msg = (
            f"{redacted(self._address)}: expected {what.rpartition(self._root)[2].strip('/')}, "
            f"got {type(error).__name__}: {redacted(error)[:200]}; what came before is in place: "
            f"run again to go on. {_HELP}"
        )
        return DownloadError(msg)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes | str:
    if info.file_size > limit:
        return f"a photo of more than {limit:,} bytes"
    try:
        return read_member(archive, info)
    except zipfile.BadZipFile:
        return "a damaged photo in its shard"
