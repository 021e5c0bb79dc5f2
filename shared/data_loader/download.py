"""Fetching many files: side by side, tried again, checked, and put in place whole or not at all."""

import asyncio
import collections
import contextlib
import logging
import os
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from shared.data_loader.config import Transfer
from shared.data_loader.errors import SHOWN, DownloadError
from shared.data_loader.finding import Finder, Job, retried
from shared.data_loader.redaction import redacted
from shared.data_loader.remotes import FetchFault, FsspecRemote, Remote
from shared.data_loader.sinks import FileSink
from shared.data_loader.web import WebRemote

logger = logging.getLogger(__name__)

_NO_ROUTE = frozenset({"no connection", "timeout", "no HTTP"})
_Result = TypeVar("_Result")


@dataclass
class Outcome:
    """What became of the jobs: how many are done, and the faults of the others by kind."""

    done: int = 0
    faults: dict[str, list[str]] = field(default_factory=lambda: collections.defaultdict(list))
    details: dict[str, str] = field(default_factory=dict)

    def add(self, job: Job, fault: FetchFault) -> None:
        """Note a job that failed."""
        self.faults[fault.kind].append(job.name)
        self.details.setdefault(fault.kind, redacted(fault.detail))


def open_remote(url: str, options: dict[str, Any], transfer: Transfer) -> Remote:
    """The remote of a URL or a local path."""
    if url.lower().startswith(("http://", "https://")):
        return WebRemote(url, transfer)
    return FsspecRemote(url, options, transfer)


def fetch(remote: Remote, jobs: Sequence[Job], transfer: Transfer, offline_help: str) -> None:
    """Fetch files.

    Args:
        remote: where from.
        jobs: what, and where to.
        transfer: how many side by side, how patiently.
        offline_help: what to do where the remote cannot be reached; part of the error.

    Raises:
        DownloadError: some could not be fetched; the others are in place.
    """
    if not jobs:
        return
    outcome = run_blocking(_fetch_all(remote, jobs, transfer))
    if outcome.faults:
        raise DownloadError(_summary(remote, jobs, outcome, offline_help))
    logger.info("fetched %s files from %s", f"{outcome.done:,}", redacted(remote.url))


def fetch_index(remote: Remote, transfer: Transfer, offline_help: str) -> dict[str, str]:
    """The names of the pairs' files that a remote's index names, each with its address.

    Raises:
        DownloadError: there is no index, or it cannot be reached.
    """

    async def read() -> dict[str, str]:
        async with _opened(remote):
            return await retried(remote.index, transfer)

    try:
        return run_blocking(read())
    except FetchFault as fault:
        msg = f"the index of {redacted(remote.url)} cannot be read: {fault}\n{offline_help}"
        raise DownloadError(msg) from fault


def _new_loop() -> asyncio.AbstractEventLoop:
    """A loop by libuv where there is one (a sixth more small files a second), else Python's own."""
    try:
        import uvloop  # there is none for Windows
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run_blocking(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Run a coroutine to its end, also where a loop runs already, as in a notebook's kernel."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        with asyncio.Runner(loop_factory=_new_loop) as runner:
            return runner.run(work)
    box: list[_Result] = []
    faults: list[BaseException] = []
    loop = _new_loop()
    task = loop.create_task(work)

    def target() -> None:
        try:
            box.append(loop.run_until_complete(task))
        except BaseException as error:
            faults.append(error)
        finally:
            loop.close()

    thread = threading.Thread(target=target, name="fetch", daemon=True)
    thread.start()
    try:
        thread.join()
    except KeyboardInterrupt:
        loop.call_soon_threadsafe(task.cancel)
        thread.join()
        raise
    if faults:
        raise faults[0]
    return box[0]


def fetch_whole(remote: Remote, place: Path, transfer: Transfer, offline_help: str) -> None:
    """Fetch one large file, resumed from where an earlier run stopped.

    Raises:
        DownloadError: it could not be fetched; what came is kept for the next run.
    """
    place.parent.mkdir(parents=True, exist_ok=True)

    async def copy() -> None:
        async with _opened(remote):
            with (
                tqdm(desc=f"fetch from {_host(remote)}", unit="B", unit_scale=True) as bar,
                FileSink(place, bar) as sink,
            ):
                await retried(lambda: remote.fetch(remote.whole(), sink, None), transfer)
                sink.finish()

    try:
        run_blocking(copy())
    except FetchFault as fault:
        msg = f"{redacted(remote.url)} could not be fetched: {fault}\n{offline_help}"
        raise DownloadError(msg) from fault


@contextlib.asynccontextmanager
async def _opened(remote: Remote) -> AsyncIterator[Remote]:
    await remote.open()
    try:
        yield remote
    finally:
        await remote.close()


async def _fetch_all(remote: Remote, jobs: Sequence[Job], transfer: Transfer) -> Outcome:
    outcome = Outcome()
    for folder in {os.path.dirname(job.place) for job in jobs}:  # noqa: PTH120
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    pending = iter(jobs)
    finder = Finder(remote, transfer)
    with tqdm(
        total=len(jobs), desc=f"fetch from {_host(remote)}", unit="file", mininterval=0.5
    ) as bar:
        async with _opened(remote), asyncio.TaskGroup() as group:
            for _ in range(min(transfer.concurrency, len(jobs))):
                group.create_task(_work(finder, pending, outcome, transfer, bar))
    left = sum(1 for _ in pending)
    if left:
        outcome.faults["not tried, as nothing came any more"] = [f"{left:,} files"] * left
    return outcome


async def _work(
    finder: Finder,
    pending: Iterator[Job],
    outcome: Outcome,
    transfer: Transfer,
    bar: "tqdm[Any]",
) -> None:
    """Take jobs until there are none, or until nothing at all comes any more."""
    for job in pending:
        try:
            data = await finder.get(job)
            put(job, data)
        except FetchFault as fault:
            outcome.add(job, fault)
            is_dead = fault.kind in _NO_ROUTE
            finder.failures_in_a_row = finder.failures_in_a_row + 1 if is_dead else 0
            if finder.failures_in_a_row >= max(8, transfer.concurrency):
                return
        else:
            outcome.done += 1
            finder.failures_in_a_row = 0
        bar.update()


def put(job: Job, data: bytes) -> None:
    """Write a file to a temporary name beside its place, and rename it.

    The lock of the store keeps other processes away; what a dead one left is written over.
    """
    folder, name = os.path.split(job.place)
    temporary = f"{folder}/.{name}.part"
    with open(temporary, "wb", buffering=0) as file:  # noqa: PTH123
        view = memoryview(data)
        while len(view):
            view = view[file.write(view) or 0 :]
    os.replace(temporary, job.place)  # noqa: PTH105


def _host(remote: Remote) -> str:
    shown = redacted(remote.url)
    return shown.partition("://")[2].partition("/")[0] or shown[-40:]


def _summary(remote: Remote, jobs: Sequence[Job], outcome: Outcome, offline_help: str) -> str:
    failed = sum(len(names) for names in outcome.faults.values())
    lines = [f"{failed:,} of {len(jobs):,} files could not be fetched from {redacted(remote.url)}:"]
    for kind, names in sorted(outcome.faults.items(), key=lambda item: -len(item[1])):
        few = ", ".join(sorted(set(names))[:SHOWN])
        more = ", ..." if len(set(names)) > SHOWN else ""
        detail = outcome.details.get(kind, "")
        lines.append(f"  {len(names):,} x {kind}{f' ({detail})' if detail else ''}: {few}{more}")
    lines.append(
        f"{outcome.done:,} were fetched and are in place; run again to fetch only the rest."
    )
    if outcome.done == 0:
        lines.append(offline_help)
    return "\n".join(lines)
