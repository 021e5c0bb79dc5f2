"""The names in a folder, kept so that a slow mount is not listed again."""

import os
import time
from pathlib import Path

from shared.data_loader.config import choice
from shared.data_loader.files import write_bytes
from shared.data_loader.places import memory_folder, short_key

SLOW_S = 0.02  # a listing that takes longer than this, and than the next line, is kept
SLOW_S_A_NAME = 20e-6  # a local disk takes about 0.5e-6
_SETTLED_NS = 2_000_000_000  # changed more recently, it may change again within its clock's tick


def names_in(folder: str, *, folders: bool = False) -> list[str]:
    """The names of the files in a folder (or of its folders), in no order.

    With the option `LISTING_CACHE=auto` a listing that was slow is used again as long as the
    folder's time of change stays the same; with `keep` until `.cache/` is deleted or this package
    writes to the folder; with `off` never.
    """
    mode = choice("LISTING_CACHE", ("auto", "keep", "off"))
    if mode == "off":
        return _list(folder, folders)
    path = _path(folder, folders)
    changed = os.stat(folder).st_mtime_ns  # noqa: PTH116
    names = _kept(path, None if mode == "keep" else changed)
    if names is not None:
        return names
    start = time.perf_counter()
    names = _list(folder, folders)
    taken_s = time.perf_counter() - start
    is_slow = taken_s > max(SLOW_S, SLOW_S_A_NAME * len(names))
    if mode == "keep" or (is_slow and changed < time.time_ns() - _SETTLED_NS):
        lines = [f"{changed}", *names]
        write_bytes(path, "\0".join(lines).encode(errors="surrogateescape"))
    return names


def forget(folder: str) -> None:
    """List a folder anew the next time."""
    for folders in (False, True):
        _path(folder, folders).unlink(missing_ok=True)


def _path(folder: str, folders: bool) -> Path:
    kind = "folders" if folders else "files"
    return memory_folder() / "listings" / f"{short_key(f'{kind} {folder}')}.txt"


def _list(folder: str, folders: bool) -> list[str]:
    if not folders:
        return os.listdir(folder)  # noqa: PTH208
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir()]


def _kept(path: Path, changed: int | None) -> list[str] | None:
    try:
        first, *names = path.read_bytes().decode(errors="surrogateescape").split("\0")
    except FileNotFoundError:
        return None
    return names if changed is None or first == str(changed) else None
