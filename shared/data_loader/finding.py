"""Finding one file at a remote and getting it: layouts, index, tries, and its digest."""

import asyncio
import logging
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from shared.data_loader.config import Transfer
from shared.data_loader.files import digest_of
from shared.data_loader.names import ANCESTOR_IMAGE_PREFIX, ANCESTOR_RECORD_PREFIX
from shared.data_loader.pairs import NESTED_CHARACTERS
from shared.data_loader.redaction import redacted
from shared.data_loader.remotes import NOT_FOUND, FetchFault, Remote
from shared.data_loader.sinks import MemorySink

logger = logging.getLogger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 60.0
MISMATCH_TRIES = 2  # a file that does not match is asked for once more, not `retries` times
MISMATCH = "does not match its digest"
NO_FILE = "a web page, not the file"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Job:
    """One file to fetch.

    Attributes:
        name: its name at the remote, `<id><suffix>`.
        place: where it belongs.
        digest: what it must have, or "" where nothing is known of it.
        address: where the remote's index says it is, or "".
    """

    name: str
    place: str
    digest: str = ""
    address: str = ""


class Finder:
    """Knows where at a remote the files are: flat, nested, under the ancestor's names, by index."""

    def __init__(self, remote: Remote, transfer: Transfer) -> None:
        self._remote = remote
        self._transfer = transfer
        self._layout: int | None = None
        self._index: dict[str, str] | None = None
        self._lock = asyncio.Lock()
        self.failures_in_a_row = 0

    async def get(self, job: Job) -> bytes:
        """The bytes of a file, held to its digest."""
        if job.address:
            return await self._get(job.address, job)
        known = self._layout
        for number, layout in enumerate(_LAYOUTS) if known is None else ((known, _LAYOUTS[known]),):
            try:
                data = await self._get(self._remote.address(layout(job.name)), job)
            except FetchFault as fault:
                if fault.kind != NOT_FOUND:
                    raise
                continue
            self._layout = number
            return data
        address = (await self._indexed()).get(job.name)
        if address is None:
            raise FetchFault(kind=NOT_FOUND, detail="neither at its place nor in an index")
        return await self._get(address, job)

    async def _indexed(self) -> dict[str, str]:
        """The remote's index by our names; empty where there is none."""
        async with self._lock:
            if self._index is None:
                try:
                    self._index = by_our_names(await retried(self._remote.index, self._transfer))
                except FetchFault as fault:
                    logger.info("no index at %s (%s)", redacted(self._remote.url), fault)
                    self._index = {}
            return self._index

    async def _get(self, address: str, job: Job) -> bytes:
        sink = MemorySink()
        limit = int(self._transfer.max_file_mb * 1e6)

        async def once() -> bytes:
            await self._remote.fetch(address, sink, limit)
            data = sink.body()
            if job.digest and digest_of(data) != job.digest:
                sink.restart()
                detail = f"expected {job.digest}, got {digest_of(data)} ({len(data):,} bytes)"
                raise FetchFault(kind=MISMATCH, detail=detail, may_pass=True)
            if not job.digest and _is_web_page(data):
                raise FetchFault(kind=NO_FILE, detail=repr(data[:40]))
            return data

        return await retried(once, self._transfer)


def by_our_names(index: dict[str, str]) -> dict[str, str]:
    """An index in which Lost & Found's prefixes are off, and the suffixes as they were."""
    prefixes = (ANCESTOR_IMAGE_PREFIX, ANCESTOR_RECORD_PREFIX)
    plain = {name: address for name, address in index.items() if not name.startswith(prefixes)}
    for name, address in index.items():
        for prefix in prefixes:
            if name.startswith(prefix):
                plain.setdefault(name.removeprefix(prefix), address)
    return plain


async def retried(attempt: Callable[[], Awaitable[_Result]], transfer: Transfer) -> _Result:
    """Try until it works, a fault will not pass, or `retries` are used up.

    Waits double from half a second to a minute, each with jitter, so that 32 tasks do not come
    back at once; a longer Retry-After of the server is respected, up to ten minutes' worth.
    """
    for number in range(transfer.retries + 1):
        try:
            return await attempt()
        except FetchFault as fault:
            tries = MISMATCH_TRIES if fault.kind == MISMATCH else transfer.retries + 1
            if not fault.may_pass or number + 1 >= tries:
                raise
            wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**number) * random.uniform(0.5, 1)
            if fault.after_s is not None:
                wait_s = min(600.0, max(wait_s, fault.after_s))
            await asyncio.sleep(wait_s)
    msg = "unreachable: the last attempt returns or raises"
    raise AssertionError(msg)


def _inner(name: str) -> str:
    return os.path.splitext(name)[0][:NESTED_CHARACTERS]  # noqa: PTH122


def _with_prefix(name: str) -> str:
    is_record = name.lower().endswith(".json")
    return (ANCESTOR_RECORD_PREFIX if is_record else ANCESTOR_IMAGE_PREFIX) + name


# where a file may lie below a remote, the likeliest first
_LAYOUTS: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    lambda name: f"{_inner(name)}/{name}",
    _with_prefix,
    lambda name: f"{_inner(name)}/{_with_prefix(name)}",
)


def _is_web_page(data: bytes) -> bool:
    """Whether this is HTML, as servers send it with status 200 in place of what they lack."""
    start = data[:64].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))
