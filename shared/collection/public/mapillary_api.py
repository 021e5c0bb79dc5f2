"""Mapillary's API v4 (graph.mapillary.com): the images in a box, slowly, with faults handled.

The token goes in a header and nowhere else: no address, no log, no file and no error has it.
Boxes are `(west, south, east, north)`, degrees. The API searches boxes of less than 0.01 square
degrees, and answers 2,000 images at most, with no promise of more pages: so a large box is cut into
cells, a cell that comes back full is cut in four, and pages are followed where there are any.
Source: mapillary.com/developer/api-documentation.
"""

import asyncio
import json
import logging
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import getproxies

import aiohttp

from shared.data_loader.config import Transfer
from shared.data_loader.errors import DataListError, DownloadError
from shared.data_loader.redaction import redacted

logger = logging.getLogger(__name__)

ADDRESS = "https://graph.mapillary.com"
FIELDS = (
    *("id", "computed_geometry", "geometry", "compass_angle", "captured_at", "thumb_1024_url"),
    *("sequence", "creator", "is_pano"),
)
CELL_DEG = 0.09  # side of a cell: 0.0081 square degrees
SMALLEST_DEG = 0.0005  # about 50 m: a cell so small is not cut any more
PAGE = 2000  # images of an answer
LONGEST_WAIT_S = 300.0

_TOKEN_FAULT = 190  # code of the Graph API: the token is wrong or has run out
_SMALLER = "reduce the amount of data"  # what the Graph API says of a cell with too much in it
_TOO_MUCH = frozenset({4, 17, 32, 613})  # codes of the Graph API for too many requests
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})

Box = tuple[float, float, float, float]


class RequestCapError(DataListError):
    """As many requests as were allowed have been made."""


class _TooLargeError(Exception):
    """The API asks for a smaller question."""


@dataclass
class MapillaryApi:
    """A client; used within `async with`.

    Attributes:
        token: of an application registered with Mapillary.
        settings: patience: timeouts and tries.
        max_requests: no more are made.
        per_minute: how many requests a minute.
        address: of the API.
        n_requests: made so far.
    """

    token: str = field(repr=False)
    settings: Transfer
    max_requests: int = 200
    per_minute: float = 60.0
    address: str = ADDRESS
    first_wait_s: float = 2.0
    n_requests: int = 0
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)
    _next_s: float = field(default=0.0, repr=False)

    async def __aenter__(self) -> "MapillaryApi":
        """Begin."""
        slow_s = self.settings.timeout_s
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=10 * slow_s, sock_connect=slow_s, sock_read=slow_s),
            headers={"Authorization": f"OAuth {self.token}", "User-Agent": "lost-and-found"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=urlsplit(self.address).scheme in getproxies(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """End."""
        if self._session is not None:
            await self._session.close()

    async def images_in(self, box: Box) -> tuple[list[dict[str, Any]], list[Box]]:
        """All images in a box, each once, by id; and the smallest cells that were still full.

        Raises:
            RequestCapError: there are more cells and pages than requests are allowed.
            DownloadError: the API answers no more.
            DataListError: it refuses the token or the question.
        """
        found: dict[str, dict[str, Any]] = {}
        full: list[Box] = []
        left = cells(box)[::-1]
        while left:
            cell = left.pop()
            images, is_full = await self._images_in_cell(cell)
            for image in images:
                found.setdefault(str(image.get("id")), image)
            if is_full and max(cell[2] - cell[0], cell[3] - cell[1]) > SMALLEST_DEG:
                left += quarters(cell)[::-1]
            elif is_full:
                full.append(cell)
        return [found[name] for name in sorted(found)], full

    async def _images_in_cell(self, cell: Box) -> tuple[list[dict[str, Any]], bool]:
        """The images of a cell, page after page; and whether there may be more than it says."""
        query = {
            "fields": ",".join(FIELDS),
            "bbox": ",".join(f"{value:.7f}" for value in cell),
            "limit": str(PAGE),
        }
        images: list[dict[str, Any]] = []
        while True:
            try:
                answer = await self._ask("images", query)
            except _TooLargeError:
                return images, True
            page = answer.get("data")
            if not isinstance(page, list):
                msg = f"expected a list 'data' from Mapillary, got the keys {sorted(answer)}"
                raise DownloadError(msg)
            images += [image for image in page if isinstance(image, dict)]
            after = _after(answer)
            if not page or not after or after == query.get("after"):
                return images, len(page) >= PAGE
            query["after"] = after

    async def _ask(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        """One answer, asked for again where that may help."""
        fault = ""
        for number in range(self.settings.retries + 1):
            await self._take_turn()
            wait_s = min(LONGEST_WAIT_S, self.first_wait_s * 2**number)
            try:
                status, after_s, body = await self._get(path, query)
            except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
                fault = f"{type(error).__name__}: {self._safe(error)}"
            else:
                answer, fault, may_pass = self._judged(status, body)
                if answer is not None:
                    return answer
                if not may_pass:
                    msg = f"Mapillary refuses: {fault}"
                    raise DataListError(msg)
                wait_s = min(LONGEST_WAIT_S, max(wait_s, after_s))
            logger.info("Mapillary: %s; waiting %.1f s", fault, wait_s)
            await asyncio.sleep(wait_s)
        msg = f"Mapillary does not answer after {self.settings.retries + 1} tries: {fault}"
        raise DownloadError(msg)

    async def _get(self, path: str, query: Mapping[str, str]) -> tuple[int, float, bytes]:
        if self._session is None:
            msg = "use the client within `async with`"
            raise RuntimeError(msg)
        url = f"{self.address}/{path}"
        async with self._session.get(url, params=query, allow_redirects=False) as answer:
            after = answer.headers.get("Retry-After", "")
            return answer.status, float(after) if after.isdecimal() else 0.0, await answer.read()

    def _judged(self, status: int, body: bytes) -> tuple[dict[str, Any] | None, str, bool]:
        """The answer, or what is wrong and whether it may pass."""
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if status == 200 and isinstance(answer, dict) and "error" not in answer:
            return answer, "", True
        error = answer.get("error") if isinstance(answer, dict) else None
        error = error if isinstance(error, dict) else {}
        code = error.get("code")
        if _SMALLER in str(error.get("message", "")).casefold():
            raise _TooLargeError
        said = self._safe(error.get("message", "no JSON" if answer is None else "no message"))
        if code == _TOKEN_FAULT or status == 401:
            fault = f"the token is wrong or has run out ({said}); set another one"
            return None, fault, False
        fault = f"HTTP {status}, code {code}: {said}"
        return None, fault, status in _MAY_PASS or code in _TOO_MUCH or status == 200

    def _safe(self, text: object) -> str:
        """A text of others without the token, which some messages repeat, and without queries."""
        return redacted(str(text).replace(self.token, "(the token)"))[:200]

    async def _take_turn(self) -> None:
        """Wait for the next turn at the allowed rate, and count it."""
        if self.n_requests >= self.max_requests:
            msg = (
                f"expected to be done after {self.max_requests:,} requests (max_requests), got "
                "more cells or pages; choose a smaller box, or allow more"
            )
            raise RequestCapError(msg)
        self.n_requests += 1
        now_s = time.monotonic()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + 60 / self.per_minute
        await asyncio.sleep(turn_s - now_s)


def cells(box: Box) -> list[Box]:
    """A box cut into cells that the API searches.

    Raises:
        DataListError: it is no box on the Earth.
    """
    west, south, east, north = box
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        msg = f"box: expected [west, south, east, north] in degrees, got {list(box)}"
        raise DataListError(msg)
    n_cols = math.ceil((east - west) / CELL_DEG)
    n_rows = math.ceil((north - south) / CELL_DEG)
    lons = [west + (east - west) * k / n_cols for k in range(n_cols + 1)]
    lats = [south + (north - south) * k / n_rows for k in range(n_rows + 1)]
    return [
        (lons[col], lats[row], lons[col + 1], lats[row + 1])
        for row in range(n_rows)
        for col in range(n_cols)
    ]


def quarters(box: Box) -> list[Box]:
    """A box cut in four."""
    west, south, east, north = box
    lon, lat = (west + east) / 2, (south + north) / 2
    return [
        (west, south, lon, lat),
        (lon, south, east, lat),
        (west, lat, lon, north),
        (lon, lat, east, north),
    ]


def _after(answer: Mapping[str, Any]) -> str:
    """Where the next page begins; the address that is offered is not followed: it has the token."""
    paging = answer.get("paging")
    if not isinstance(paging, dict) or not paging.get("next"):
        return ""
    cursors = paging.get("cursors")
    if isinstance(cursors, dict) and cursors.get("after"):
        return str(cursors["after"])
    return parse_qs(urlsplit(str(paging["next"])).query).get("after", [""])[0]
