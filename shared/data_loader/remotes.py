"""Where files are fetched from: one interface for web servers and for everything of fsspec's."""

import asyncio
import os
import posixpath
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import fsspec  # type: ignore[import-untyped]

from shared.data_loader.config import Transfer
from shared.data_loader.errors import DataListError
from shared.data_loader.names import is_safe, split_name
from shared.data_loader.redaction import redacted
from shared.data_loader.sinks import Sink


@dataclass(eq=False)
class FetchFault(Exception):
    """Why a file was not fetched.

    Attributes:
        kind: what sort of fault, in words by which faults are counted.
        detail: what exactly; shown redacted.
        may_pass: whether trying again may help.
        after_s: how long the server asks to wait.
    """

    kind: str
    detail: str = ""
    may_pass: bool = False
    after_s: float | None = None

    def __str__(self) -> str:
        return redacted(f"{self.kind}: {self.detail}" if self.detail else self.kind)


NOT_FOUND = "not found"


class Remote(Protocol):
    """A place that files are fetched from."""

    url: str

    async def open(self) -> None:
        """Begin."""

    async def close(self) -> None:
        """End."""

    def address(self, relative: str) -> str:
        """The address of a file by its path below the remote."""

    def whole(self) -> str:
        """The address of the remote itself, where it is one file."""

    async def index(self) -> dict[str, str]:
        """The names of the pairs' files that it says it has, each with its address."""

    async def fetch(self, address: str, sink: Sink, limit: int | None) -> None:
        """Fetch one file into a sink, or raise a `FetchFault`; `limit` is in bytes."""


def _plain_gcsfs() -> None:
    """Have fsspec read Google's buckets over plain HTTP, whoever imported gcsfs before.

    What gcsfs registers otherwise asks by gRPC, with keys, what type the bucket is: a minute lost
    where they are absent, as with public buckets, and listing and reading need none of it.
    """
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    for protocol in ("gs", "gcs"):
        fsspec.register_implementation(protocol, "gcsfs.core.GCSFileSystem", clobber=True)


class FsspecRemote:
    """A bucket, a hub or a folder, through fsspec: s3, gs, hf, memory, file, a local path."""

    def __init__(self, url: str, options: Mapping[str, Any], transfer: Transfer) -> None:
        self.url = url
        self._transfer = transfer
        if url.startswith(("gs://", "gcs://")):
            _plain_gcsfs()
        try:
            self._fs, self._root = fsspec.url_to_fs(url, **options)
        except (ImportError, ValueError) as error:
            msg = (
                f"source {redacted(url)!r}: expected http(s)://, s3://, gs://, hf://, another "
                f"protocol of fsspec or a local path: {redacted(error)}"
            )
            raise DataListError(msg) from error
        self._pool = ThreadPoolExecutor(transfer.concurrency, thread_name_prefix="fetch")

    async def open(self) -> None:
        """Nothing to begin."""

    async def close(self) -> None:
        """Let go of the threads; one that hangs is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def address(self, relative: str) -> str:
        """The path of a file in the file system."""
        return posixpath.join(self._root, relative)

    def whole(self) -> str:
        """The path of the remote itself, where it is one file."""
        return str(self._root)

    async def index(self) -> dict[str, str]:
        """All files of pairs below the root, in whatever folders."""
        paths: list[str] = await self._call(self._fs.find, self._root)
        found: dict[str, str] = {}
        for path in sorted(paths):
            name = path.replace("\\", "/").rpartition("/")[2]
            if split_name(name) is not None and is_safe(name):
                found.setdefault(name, path)
        if not paths:
            raise FetchFault(kind="no index", detail="nothing is there")
        return found

    async def fetch(self, address: str, sink: Sink, limit: int | None) -> None:
        """Fetch a file whole; what the sink holds already is not asked for again."""
        if limit is not None:
            sink.restart()
            data: bytes = await self._call(self._fs.cat_file, address)
            if len(data) > limit:
                raise FetchFault(
                    kind="too large", detail=f"{len(data):,} bytes, the limit is {limit:,}"
                )
            sink.write(data)
            return
        about = await self._call(self._fs.info, address)
        size = int(about["size"])
        validator = f"{size} {about.get('ETag') or about.get('mtime') or about.get('LastModified')}"
        if sink.validator != validator:
            sink.restart()
        sink.validator = validator
        while sink.size < size:
            end = min(size, sink.size + 2**23)
            sink.write(await self._call(self._fs.cat_file, address, sink.size, end))

    async def _call(self, function: Callable[..., Any], *arguments: object) -> Any:  # noqa: ANN401
        loop = asyncio.get_running_loop()
        limit_s = 10 * self._transfer.timeout_s
        try:
            return await asyncio.wait_for(
                loop.run_in_executor(self._pool, function, *arguments), limit_s
            )
        except TimeoutError:
            raise FetchFault(kind="timeout", detail=f"{limit_s:g} s", may_pass=True) from None
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            raise FetchFault(kind=NOT_FOUND, detail=str(error)) from error
        except PermissionError as error:
            raise FetchFault(kind="no permission", detail=str(error)) from error
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:  # each file system has its own errors, with no common base
            detail = f"{type(error).__name__}: {error}"
            raise FetchFault(
                kind="error of the file system", detail=detail, may_pass=True
            ) from error
