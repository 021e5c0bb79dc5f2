"""Chunks of work over the machine's processes, and a log that lets a killed run go on."""

import json
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import cv2
from tqdm import tqdm

from shared.data_loader.files import write_bytes

logger = logging.getLogger(__name__)

CHUNK_SIZE = 50  # a task per image costs a fifth of the speed of decoding; from 25 on nothing
ORPHAN_CHECK_S = 1.0

Entry = tuple[list[Any], Any]  # what it was made from, and what was made

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


def default_processes() -> int:
    """The number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
    n_threads = cv2.getNumThreads()
    # OpenCV's own threads would only take processors from each other, and a process that is forked
    # while they exist hangs when it uses OpenCV: this ends them.
    cv2.setNumThreads(1)
    try:
        with tqdm(total=len(items), desc=title, unit="photo", disable=not items) as progress:
            finished = (
                _in_this_process(work, chunks)
                if n_processes == 1 or len(chunks) < 2
                else _in_processes(work, chunks, n_processes)
            )
            for n_items, result in finished:
                progress.update(n_items)
                yield result
    finally:
        cv2.setNumThreads(n_threads)


def _in_this_process(
    work: Callable[[Sequence[ItemT]], ResultT], chunks: Sequence[Sequence[ItemT]]
) -> Iterator[tuple[int, ResultT]]:
    for chunk in chunks:
        yield len(chunk), work(chunk)


def _in_processes(
    work: Callable[[Sequence[ItemT]], ResultT], chunks: Sequence[Sequence[ItemT]], n_processes: int
) -> Iterator[tuple[int, ResultT]]:
    # Forked where there is fork: a notebook that runs as a plain script has no `__main__` guard,
    # and the other ways of starting a process would run it again from the top.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    pool = ProcessPoolExecutor(
        min(n_processes, len(chunks)), context, _start_worker, (os.getpid(),)
    )
    with pool:
        waiting: dict[Future[ResultT], int] = {
            pool.submit(work, chunk): len(chunk) for chunk in chunks
        }
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker(parent: int) -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, args=(parent,), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    """End this worker when its parent was killed: a forked worker would wait for work for ever."""
    while os.getppid() == parent:
        time.sleep(ORPHAN_CHECK_S)
    os._exit(1)


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
