"""Files from web servers, by aiohttp: timeouts, ranges, index pages, and no trust in what comes."""

import asyncio
import base64
import contextlib
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from shared.data_loader.config import Transfer
from shared.data_loader.errors import DataListError
from shared.data_loader.index_pages import Index, read_index
from shared.data_loader.pairs import NESTED_CHARACTERS
from shared.data_loader.remotes import NOT_FOUND, FetchFault
from shared.data_loader.sinks import MemorySink, Sink

MAX_INDEX_BYTES = 1 << 30  # 300,000 links of nginx take 45 MB
MAX_FOLDERS = 4096
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOT_THERE = frozenset({404, 410})


class WebRemote:
    """A folder on a web server."""

    def __init__(self, url: str, transfer: Transfer) -> None:
        self.url = url
        self._transfer = transfer
        self._session: aiohttp.ClientSession | None = None
        self._base, self._headers = _without_user(url)
        start, _, query = self._base.partition("?")
        self._start = f"{start.rstrip('/')}/"
        self._end = f"?{query}" if query else ""

    async def open(self) -> None:
        """Begin."""
        slow_s = self._transfer.timeout_s
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._transfer.concurrency),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=slow_s, sock_read=slow_s),
            headers={
                "Accept-Encoding": "identity",
                "User-Agent": "lost-and-found",
                **self._headers,
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=_has_proxy(self._base),
        )

    async def close(self) -> None:
        """End."""
        if self._session is not None:
            await self._session.close()

    def address(self, relative: str) -> str:
        """The URL of a file by its path below the remote."""
        return f"{self._start}{quote(relative)}{self._end}"

    def whole(self) -> str:
        """The URL of the remote itself, where it is one file."""
        return self._base

    async def index(self) -> dict[str, str]:
        """The files that the server's index names, with those of the folders just below it."""
        found = await self._read_page(self._page())
        folders = found.folders[:MAX_FOLDERS]
        # those of a store nested by two characters; others (thumbs, backups) are not entered
        inner = [url for url in folders if len(_folder_name(url)) <= NESTED_CHARACTERS]
        for start in range(0, len(inner), self._transfer.concurrency):
            some = inner[start : start + self._transfer.concurrency]
            for page in await asyncio.gather(*(self._read_page(url) for url in some)):
                for name, address in page.files.items():
                    found.files.setdefault(name, address)
        return found.files

    async def fetch(self, address: str, sink: Sink, limit: int | None) -> None:
        """Fetch one file into a sink, from where the sink ends if the server can."""
        with _told(sink):
            await self._fetch(address, sink, limit)

    async def _fetch(self, address: str, sink: Sink, limit: int | None) -> None:
        if self._session is None:
            msg = "the remote is not open"
            raise RuntimeError(msg)
        headers = {}
        if sink.size and sink.validator:
            headers = {"Range": f"bytes={sink.size}-", "If-Range": sink.validator}
        # a server may dribble a byte a second for ever
        deadline = time.monotonic() + 10 * self._transfer.timeout_s
        url = URL(address, encoded=True)
        async with self._session.get(url, headers=headers or None) as answer:
            _check_status(answer)
            if answer.status != 206 or not _continues(answer, sink.size):
                sink.restart()
            sink.validator = _validator(answer)
            length = answer.content_length
            if limit is not None and length is not None and length > limit:
                raise FetchFault(
                    kind="too large", detail=f"{length:,} bytes, the limit is {limit:,}"
                )
            while chunk := await answer.content.readany():
                sink.write(chunk)
                if limit is None:
                    continue
                if sink.size > limit:
                    raise FetchFault(kind="too large", detail=f"over {limit:,} bytes")
                if time.monotonic() > deadline and not answer.content.at_eof():
                    raise TimeoutError

    def _page(self) -> str:
        """The URL of the index: a folder ends in a slash, a script or a page does not."""
        start, mark, query = self._base.partition("?")
        last = start.rpartition("/")[2]
        is_page = last.lower().endswith((".php", ".html", ".htm", ".json"))
        return f"{start}{'' if is_page or start.endswith('/') else '/'}{mark}{query}"

    async def _read_page(self, url: str) -> Index:
        sink = MemorySink()
        with _told(sink):
            await self._fetch(url, sink, MAX_INDEX_BYTES)
        try:
            index = await asyncio.to_thread(read_index, sink.body(), url)
        except DataListError as error:
            raise FetchFault(kind="no index", detail=str(error)) from error
        index.report(url)
        return index


@contextlib.contextmanager
def _told(sink: Sink) -> Iterator[None]:
    """Turn what aiohttp raises into a `FetchFault`."""
    try:
        yield
    except TimeoutError as error:
        raise FetchFault(kind="timeout", detail=_came(sink), may_pass=True) from error
    except aiohttp.ClientPayloadError as error:
        raise FetchFault(kind="cut off", detail=_came(sink), may_pass=True) from error
    except (aiohttp.InvalidURL, aiohttp.TooManyRedirects) as error:
        raise FetchFault(kind="bad address", detail=type(error).__name__) from error
    except aiohttp.ClientResponseError as error:  # headers that are none, a status of 999
        raise FetchFault(kind="no HTTP", detail=error.message[:120], may_pass=True) from error
    except (aiohttp.ClientError, ConnectionError) as error:
        raise FetchFault(kind="no connection", detail=str(error), may_pass=True) from error


def _came(sink: Sink) -> str:
    return f"after {sink.size:,} bytes"


def _check_status(answer: aiohttp.ClientResponse) -> None:
    status = answer.status
    if status in (200, 206):
        return
    if status in _NOT_THERE:
        raise FetchFault(kind=NOT_FOUND, detail=f"HTTP {status}")
    may_pass = status in _MAY_PASS or status == 416
    kind = f"HTTP {status}"
    raise FetchFault(kind, answer.reason or "", may_pass, _retry_after(answer))


def _folder_name(url: str) -> str:
    return unquote(urlsplit(url).path.rstrip("/")).rpartition("/")[2]


def _continues(answer: aiohttp.ClientResponse, size: int) -> bool:
    return answer.headers.get("Content-Range", "").startswith(f"bytes {size}-")


def _validator(answer: aiohttp.ClientResponse) -> str:
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _retry_after(answer: aiohttp.ClientResponse) -> float | None:
    """Seconds that the server asks to wait: a number or a date."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _has_proxy(url: str) -> bool:
    """Whether the environment names a proxy for a URL.

    Only then is aiohttp told to look there: it does so anew for each file, in a thread, which takes
    as long as fetching a small file.
    """
    parts = urlsplit(url)
    return parts.scheme in getproxies() and not proxy_bypass(parts.netloc)


def _without_user(url: str) -> tuple[str, dict[str, str]]:
    """The URL without user and password, and the header that carries them instead."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, {}
    secret = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {secret}"}
