"""Whether files are what a list says: digests, taken once and remembered by size and time."""

import contextlib
import os
import sqlite3
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from shared.data_loader.files import file_digest
from shared.data_loader.places import memory_folder, short_key

MISSING = ""  # the digest of a file that is not there
_FRESH_NS = 50_000_000  # a file changed this shortly ago may change again within one tick
_COARSE_NS = 2_000_000_000  # the same, where the file system keeps whole seconds
_BATCH = 20_000
_CHUNK = 100  # files a thread takes at once: handing them over one by one costs more than sha256
_THREADS = 8  # a mounted drive answers slowly, not narrowly
_Stale = tuple[str, tuple[int, int]]
_TABLE = (
    "CREATE TABLE IF NOT EXISTS files "
    "(path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, digest TEXT) WITHOUT ROWID"
)


def digests(paths: Sequence[str]) -> list[str]:
    """The digest of each file (32 hex digits), or `MISSING`.

    A digest is taken again only when the file's size or time of change is not the one remembered.
    """
    found: list[str] = []
    if not paths:
        return found
    with (
        contextlib.closing(_Memory()) as memory,
        tqdm(total=len(paths), desc="verify", unit="file", delay=2) as bar,
    ):
        for start in range(0, len(paths), _BATCH):
            part = paths[start : start + _BATCH]
            found += memory.digests(part)
            bar.update(len(part))
    return found


def stats(folder: str, names: Iterable[str]) -> NDArray[np.int64]:
    """Size and time of change of files below a folder.

    Args:
        folder: the folder.
        names: paths of N files below it.

    Returns:
        (N, 2) sizes in bytes and times in nanoseconds; both -1 for a file that is not there.
    """
    values = array("q")
    add = values.append
    stat = os.stat
    with _opened(folder) as (handle, start):
        for name in names:
            try:
                found = stat(start + name, dir_fd=handle)
            except (FileNotFoundError, NotADirectoryError):
                add(-1)
                add(-1)
            else:
                add(found.st_size)
                add(found.st_mtime_ns)
    return np.array(values, dtype=np.int64).reshape(-1, 2)


class Snapshot:
    """How all files of a list were when they were last found to be what it says.

    One array in one file, so that 330,000 pairs are held to it in the time of asking their sizes.
    """

    def __init__(self, key: str) -> None:
        self._path = memory_folder() / "snapshots" / f"{short_key(key)}.npy"

    def differing(self, now: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows of `stats` that are not as they were; all, where nothing is remembered."""
        try:
            then = np.load(self._path)
        except (FileNotFoundError, ValueError, EOFError):
            return np.arange(len(now))
        if then.shape != now.shape:
            return np.arange(len(now))
        return np.flatnonzero((then != now).any(axis=1))

    def remember(self, now: NDArray[np.int64]) -> None:
        """Remember these `stats`, but for files that changed a moment ago."""
        kept = now.copy()
        kept[~_is_settled(now[:, 1])] = -1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(f".{os.getpid()}.part")
        with temporary.open("wb") as file:
            np.save(file, kept)
        temporary.replace(self._path)


class _Memory:
    """Digests by path, size and time, in an SQLite file that processes may share."""

    def __init__(self) -> None:
        path = memory_folder() / "digests.sqlite"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._db = _connect(path)
        except sqlite3.DatabaseError:  # cut off or overwritten: it can be made again
            path.unlink()
            self._db = _connect(path)

    def close(self) -> None:
        self._db.close()

    def digests(self, paths: Sequence[str]) -> list[str]:
        known = dict(self._known(paths))
        now = stats("", paths).tolist()
        stale = [
            (path, (size, changed))
            for path, (size, changed) in zip(paths, now, strict=True)
            if size >= 0 and known.get(path, ())[:2] != (size, changed)
        ]
        with ThreadPoolExecutor(_THREADS) as pool:
            chunks = [stale[i : i + _CHUNK] for i in range(0, len(stale), _CHUNK)]
            taken = [digest for some in pool.map(_digests, chunks) for digest in some]
        self._remember(stale, taken)
        new = {path: digest for (path, _), digest in zip(stale, taken, strict=True)}
        return [
            MISSING if size < 0 else new[path] if path in new else known[path][2]
            for path, (size, _) in zip(paths, now, strict=True)
        ]

    def _known(self, paths: Sequence[str]) -> Iterator[tuple[str, tuple[int, int, str]]]:
        for start in range(0, len(paths), 500):
            part = paths[start : start + 500]
            marks = ",".join("?" * len(part))
            query = f"SELECT path, size, mtime_ns, digest FROM files WHERE path IN ({marks})"
            for path, size, changed, digest in self._db.execute(query, part):
                yield path, (size, changed, digest)

    def _remember(self, stale: Sequence[_Stale], taken: Sequence[str]) -> None:
        settled = _is_settled(np.array([changed for _, (_, changed) in stale], dtype=np.int64))
        rows = [
            (path, size, changed, digest)
            for (path, (size, changed)), digest, is_settled in zip(
                stale, taken, settled.tolist(), strict=True
            )
            if digest != MISSING and is_settled
        ]
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", rows)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=60)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=OFF")
    db.execute(_TABLE)
    return db


def _is_settled(changed_ns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether files changed so long ago that another change would show in their time."""
    tick = np.where(changed_ns % 1_000_000_000 == 0, _COARSE_NS, _FRESH_NS)
    settled: NDArray[np.bool_] = changed_ns < time.time_ns() - tick
    return settled


@contextlib.contextmanager
def _opened(folder: str) -> Iterator[tuple[int | None, str]]:
    """A folder's handle, and what to put before the names of its files to find them by it."""
    if not folder or os.stat not in os.supports_dir_fd or not os.path.isdir(folder):  # noqa: PTH112
        yield None, f"{folder}/" if folder else ""
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle, ""
    finally:
        os.close(handle)


def _digests(stale: Sequence[_Stale]) -> list[str]:
    return [_digest(path) for path, _ in stale]


def _digest(path: str) -> str:
    try:
        return file_digest(path)
    except (FileNotFoundError, IsADirectoryError):
        return MISSING
