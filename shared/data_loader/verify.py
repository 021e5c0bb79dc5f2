"""Whether files are what a list says: digests, taken once and remembered by size and time."""

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tqdm import tqdm

from shared.data_loader.files import file_digest
from shared.paths import root

MISSING = ""  # the digest of a file that is not there
_FRESH_NS = (
    50_000_000  # a file changed this shortly ago may change again within one tick of its clock
)
_BATCH = 20_000


def digests(paths: Sequence[str]) -> list[str]:
    """The digest of each file (32 hex digits), or `MISSING`.

    A digest is taken again only when the file's size or time of change is not the one remembered.
    """
    with contextlib.closing(_Memory()) as memory:
        found: list[str] = []
        with tqdm(total=len(paths), desc="verify", unit="file", delay=2) as bar:
            for start in range(0, len(paths), _BATCH):
                part = paths[start : start + _BATCH]
                found += memory.digests(part)
                bar.update(len(part))
        return found


class _Memory:
    """Digests by path, size and time, in an SQLite file that processes may share."""

    def __init__(self) -> None:
        path = memory_folder() / "digests.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=60)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, digest TEXT)"
            " WITHOUT ROWID"
        )

    def close(self) -> None:
        self._db.close()

    def digests(self, paths: Sequence[str]) -> list[str]:
        known = dict(self._known(paths))
        stats = [_stat(path) for path in paths]
        stale = [
            (path, stat)
            for path, stat in zip(paths, stats, strict=True)
            if stat is not None and (path not in known or known[path][:2] != stat)
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            taken = list(pool.map(_digest, (path for path, _ in stale)))
        fresh = time.time_ns() - _FRESH_NS
        rows = [
            (path, *stat, digest)
            for (path, stat), digest in zip(stale, taken, strict=True)
            if digest != MISSING and stat[1] < fresh
        ]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)
        new = {path: digest for (path, _), digest in zip(stale, taken, strict=True)}
        return [
            MISSING if stat is None else new.get(path) or known[path][2]
            for path, stat in zip(paths, stats, strict=True)
        ]

    def _known(self, paths: Sequence[str]) -> Iterator[tuple[str, tuple[int, int, str]]]:
        for start in range(0, len(paths), 500):
            part = paths[start : start + 500]
            query = f"SELECT path, size, mtime_ns, digest FROM files WHERE path IN ({','.join('?' * len(part))})"
            for path, size, mtime, digest in self._db.execute(query, part):
                yield path, (size, mtime, digest)


def memory_folder() -> Path:
    """Where the package remembers what it has verified, listed and read (may be deleted)."""
    return root() / ".cache" / "data-loader"


def short_key(text: str) -> str:
    """A name for what is remembered under a long key."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _stat(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_size, found.st_mtime_ns


def _digest(path: str) -> str:
    try:
        return file_digest(path)
    except (FileNotFoundError, IsADirectoryError):
        return MISSING
