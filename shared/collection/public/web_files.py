"""Many small files of a server, a hub or a folder, each as bytes, or with the reason why not."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.data_loader.config import transfer
from shared.data_loader.download import open_remote, run_blocking
from shared.data_loader.errors import DownloadError
from shared.data_loader.finding import Finder, Job
from shared.data_loader.redaction import redacted
from shared.data_loader.remotes import FetchFault, Remote

CHUNK = 64  # files in memory at a time
_NO_ROUTE = frozenset({"no connection", "timeout", "no HTTP"})


@dataclass(frozen=True)
class WebFile:
    """A file to fetch.

    Attributes:
        name: what it is called here.
        path: below the remote, or a whole `http(s)` address.
        digest: what it must have (sha256, 32 hex digits), or "" where nothing is known.
    """

    name: str
    path: str
    digest: str = ""


def fetch_files(
    url: str, files: Sequence[WebFile], options: Mapping[str, Any] | None = None
) -> Iterator[tuple[WebFile, bytes | FetchFault]]:
    """Fetch files side by side, tried again where that may help.

    Args:
        url: the folder that they lie in: `http(s)://`, `hf://` and so on, or a local path.
        files: which.
        options: options of fsspec.

    Raises:
        DownloadError: nothing of a whole chunk came, for want of a connection.
    """
    for start in range(0, len(files), CHUNK):
        chunk = files[start : start + CHUNK]
        remote = open_remote(url, dict(options or {}), transfer())
        came = run_blocking(_fetch_chunk(remote, chunk))
        faults = [found for found in came if isinstance(found, FetchFault)]
        if len(faults) == len(chunk) and all(fault.kind in _NO_ROUTE for fault in faults):
            msg = (
                f"expected files from {redacted(url)}, got none of {len(chunk):,}: {faults[0]}; "
                "what came before is in place: run again to go on"
            )
            raise DownloadError(msg)
        yield from zip(chunk, came, strict=True)


def fetch_file(url: str, path: str, options: Mapping[str, Any] | None = None) -> bytes:
    """One file.

    Raises:
        DownloadError: it cannot be had.
    """
    ((_, found),) = fetch_files(url, [WebFile(path, path)], options)
    if isinstance(found, FetchFault):
        msg = f"expected {path} at {redacted(url)}, got none: {found}"
        raise DownloadError(msg)
    return found


async def _fetch_chunk(remote: Remote, files: Sequence[WebFile]) -> list[bytes | FetchFault]:
    finder = Finder(remote, transfer())
    await remote.open()
    try:
        return await asyncio.gather(*(_fetch(finder, remote, file) for file in files))
    finally:
        await remote.close()


async def _fetch(finder: Finder, remote: Remote, file: WebFile) -> bytes | FetchFault:
    is_whole = file.path.startswith(("http://", "https://"))
    address = file.path if is_whole else remote.address(file.path)
    try:
        return await finder.get(Job(file.name, "", file.digest, address))
    except FetchFault as fault:
        return fault
