"""Chunks of work over the machine's processes, and a log that lets a killed run go on."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from shared.data_loader.files import write_bytes
from shared.workers import default_processes, side_by_side

logger = logging.getLogger(__name__)

CHUNK_SIZE = 50  # a task per image costs a fifth of the speed of decoding; from 25 on nothing

Entry = tuple[list[Any], Any]  # what it was made from, and what was made

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def map_chunks(
    work: Callable[[Sequence[ItemT]], ResultT],
    items: Sequence[ItemT],
    *,
    n_processes: int | None = None,
    chunk_size: int = CHUNK_SIZE,
    title: str = "",
) -> Iterator[ResultT]:
    """Yield `work(chunk)` for chunks of the items, in whatever order they are finished.

    Args:
        work: a function that other processes can be given (importable, or a `partial` of one).
        items: what to work on; every item is in exactly one chunk.
        n_processes: how many processes; 0 or `None` for one a processor, 1 for this process alone.
        chunk_size: items in a chunk; fewer where there would be processes without work.
        title: what the progress bar says.
    """
    n_processes = n_processes or default_processes()
    size = max(1, min(chunk_size, -(-len(items) // n_processes)))
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    with tqdm(total=len(items), desc=title, unit="photo", disable=not items) as progress:
        for n_items, result in side_by_side(partial(_counted, work), chunks, n_processes):
            progress.update(n_items)
            yield result


def _counted(
    work: Callable[[Sequence[ItemT]], ResultT], chunk: Sequence[ItemT]
) -> tuple[int, ResultT]:
    return len(chunk), work(chunk)


def file_key(path: Path) -> list[Any]:
    """What tells whether a file has changed: its size and time of change, or that it is absent."""
    try:
        status = path.stat()
    except OSError:
        return [None, None]
    return [status.st_size, status.st_mtime_ns]


class DoneLog:
    """What a step has done, a JSON line an entry, valid for one set of settings.

    The first line holds the settings; each other line is `[id, key, value]`, where `key` says what
    the entry was made from. Other settings begin a new log. A last line cut by a kill is not read:
    its entry is done again.
    """

    def __init__(self, path: Path, settings: Mapping[str, object]) -> None:
        """Read the log at `path` if it was written with the same settings."""
        self.path = path
        self._header = json.dumps(settings, sort_keys=True)
        self.entries: dict[str, Entry] = {}
        self.known: set[str] = set()  # every id that the log names, whatever its settings
        if path.is_file():
            self._read()

    def _read(self) -> None:
        lines = self.path.read_text(encoding="utf-8").split("\n")
        for line in lines[1:-1]:  # what follows the last line end is empty, or cut by a kill
            item, key, value = json.loads(line)
            self.entries[item] = (key, value)
        self.known = set(self.entries)
        if lines[0] != self._header:
            logger.info("%s was written with other settings: everything is done again", self.path)
            self.entries = {}

    def rewrite(self, entries: Mapping[str, Entry]) -> None:
        """Make the log hold just these entries; called once before `add`."""
        self.entries = dict(entries)
        lines = [self._line(item, *entry) for item, entry in sorted(self.entries.items())]
        write_bytes(self.path, "".join([self._header + "\n", *lines]).encode())

    def add(self, entries: Mapping[str, Entry]) -> None:
        """Append entries, all in one write."""
        self.entries.update(entries)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(
                "".join(self._line(item, entry[0], entry[1]) for item, entry in entries.items())
            )

    @staticmethod
    def _line(item: str, key: list[Any], value: object) -> str:
        return json.dumps([item, key, value], ensure_ascii=False, separators=(",", ":")) + "\n"
