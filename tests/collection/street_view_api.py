"""A stand-in for the Street View Static API on loopback, written from what is known of the service.

It knows nothing of the client. Panoramas lie on a lattice, moved a little; some places have none,
and some only one indoors. It checks the key, the signature and the ranges, counts what it would
charge, is as slow as it is told to be, and fails as often as it is told to.
"""

import asyncio
import base64
import hashlib
import hmac
import io
import math
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any

from aiohttp import web
from PIL import Image

KEY = "AIzaSyStandIn+Key/0123456789"  # '+' and '/' look different inside an address
STEP_DEG = 0.02  # between panoramas
STATUS_OF_PHOTO = {
    "REQUEST_DENIED": 403,
    "INVALID_REQUEST": 400,
    "OVER_QUERY_LIMIT": 429,
    "UNKNOWN_ERROR": 500,
    "ZERO_RESULTS": 404,
    "NOT_FOUND": 404,
}
# Faults that a request can be given, beside the statuses above.
FAULTS = ("HTTP 503", "cut off", "slow", "garbage")


class StandIn:
    """The service; `with StandIn() as api` starts it at `api.url` and stops it.

    Attributes:
        faults: how often each fault or status is answered instead, by its name.
        delay_s: what every answer takes.
        slow_s: what a slow one takes.
        next: statuses or faults that the next requests get, whatever they ask; the first first.
        asked: the parameters of every request, without the key, behind its kind.
        arrived: when each came, seconds.
        charged: photos that were sent whole, by panorama and heading.
        hold_from: photos from this number on are charged and never answered.
    """

    def __init__(
        self,
        *,
        secret: str = "",
        faults: Mapping[str, float] | None = None,
        seed: int = 0,
        delay_s: float = 0.0,
        slow_s: float = 5.0,
        hold_from: int | None = None,
        share_covered: float = 0.7,
    ) -> None:
        self.secret, self.delay_s, self.slow_s = secret, delay_s, slow_s
        self.faults = dict(faults or {})
        self.hold_from, self.share_covered = hold_from, share_covered
        self.next: list[str] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.arrived: list[float] = []
        self.given: Counter[str] = Counter()
        self.charged: Counter[tuple[str, str]] = Counter()
        self.gone: set[str] = set()
        self._random = random.Random(seed)  # the test's own faults
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.url = ""

    def __enter__(self) -> "StandIn":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def photos_asked(self) -> list[dict[str, str]]:
        """The parameters of every request for a photo."""
        return [query for kind, query in self.asked if kind == "photo"]

    @property
    def metadata_asked(self) -> list[dict[str, str]]:
        """The parameters of every metadata request."""
        return [query for kind, query in self.asked if kind == "metadata"]

    async def _start(self) -> None:
        app = web.Application()
        app.router.add_get("/maps/api/streetview/metadata", self._metadata)
        app.router.add_get("/maps/api/streetview", self._photo)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/maps/api/streetview"

    async def _stop(self) -> None:
        await self._runner.cleanup()

    async def _metadata(self, request: web.Request) -> web.StreamResponse:
        fault = await self._begin("metadata", request)
        if fault in FAULTS:
            return await self._failed(request, fault)
        status = fault or self._refused(request)
        if status:
            said = f"The provided API key {KEY} is invalid, see {request.url}"
            return web.json_response({"status": status, "error_message": said})
        try:
            lat, lon = (float(part) for part in request.query["location"].split(","))
            radius_m = float(request.query.get("radius", "50"))
        except (KeyError, ValueError):
            return web.json_response({"status": "INVALID_REQUEST"})
        found = nearest(lat, lon, radius_m, self.share_covered, request.query.get("source", ""))
        self.given["metadata"] += 1
        return web.json_response(found or {"status": "ZERO_RESULTS"})

    async def _photo(self, request: web.Request) -> web.StreamResponse:
        fault = await self._begin("photo", request)
        query = request.query
        what = query.get("pano", ""), query.get("heading", "")
        if self.hold_from is not None and len(self.photos_asked) > self.hold_from:
            self.charged[what] += 1
            await asyncio.sleep(3600)
        if fault in FAULTS:
            if fault != "HTTP 503":
                self.charged[what] += 1
            return await self._failed(request, fault)
        status = fault or self._refused(request) or self._bad(query)
        if not status and what[0] in self.gone:
            status = "ZERO_RESULTS"
        if status:
            return web.Response(status=STATUS_OF_PHOTO[status], text=f"{status} {request.url}")
        width, height = (int(side) for side in query["size"].split("x"))
        self.charged[what] += 1
        return web.Response(body=picture(*what, width, height), content_type="image/jpeg")

    async def _begin(self, kind: str, request: web.Request) -> str:
        """Note a request, take its time, and say which fault it gets, or none."""
        self.arrived.append(time.monotonic())
        self.asked.append((kind, {k: v for k, v in request.query.items() if k != "key"}))
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.next:
            return self.next.pop(0)
        draw = self._random.random()
        for name, share in self.faults.items():
            draw -= share
            if draw < 0:
                return name
        return ""

    async def _failed(self, request: web.Request, fault: str) -> web.StreamResponse:
        self.given[fault] += 1
        if fault == "HTTP 503":
            return web.Response(status=503, text="Service Unavailable")
        if fault == "garbage":
            return web.Response(text="<html>sorry</html>", content_type="text/html")
        if fault == "slow":
            await asyncio.sleep(self.slow_s)
        answer = web.StreamResponse(headers={"Content-Length": "5000"})
        await answer.prepare(request)
        await answer.write(b"\xff\xd8\xff\xe0")
        if request.transport is not None:
            request.transport.close()
        return answer

    def _refused(self, request: web.Request) -> str:
        if request.query.get("key") != KEY:
            return "REQUEST_DENIED"
        if not self.secret:
            return ""
        signed, _, given = request.raw_path.rpartition("&signature=")
        key = base64.urlsafe_b64decode(self.secret)
        digest = hmac.new(key, signed.encode(), hashlib.sha1).digest()
        expected = base64.b64encode(digest).decode().translate(str.maketrans("+/", "-_"))
        return "" if given.replace("%3D", "=") == expected else "REQUEST_DENIED"

    def _bad(self, query: Mapping[str, str]) -> str:
        try:
            width, height = (int(side) for side in query["size"].split("x"))
            is_good = (
                0 < width <= 640
                and 0 < height <= 640
                and 0 <= float(query["heading"]) <= 360
                and -90 <= float(query["pitch"]) <= 90
                and 10 <= float(query["fov"]) <= 120
                and query["return_error_code"] == "true"
                and bool(query["pano"])
            )
        except (KeyError, ValueError):
            is_good = False
        return "" if is_good else "INVALID_REQUEST"


def nearest(
    lat: float, lon: float, radius_m: float, share: float, source: str
) -> dict[str, Any] | None:
    """The service's answer for the nearest panorama within a radius, or nothing."""
    row, column = round(lat / STEP_DEG), round(lon / STEP_DEG)
    found: list[tuple[float, dict[str, Any]]] = []
    for i in range(row - 1, row + 2):
        for j in range(column - 1, column + 2):
            digest = hashlib.sha256(f"{i} {j}".encode()).digest()
            there = (i + digest[0] / 640) * STEP_DEG, (j + digest[1] / 640) * STEP_DEG
            is_indoor = digest[2] < 30
            if digest[3] >= 256 * share or (is_indoor and source == "outdoor"):
                continue
            away_m = distance_m((lat, lon), there)
            if away_m <= radius_m:
                found.append((away_m, _answer(f"pano_{i}_{j}", there, digest)))
    return min(found, key=lambda item: item[0])[1] if found else None


def distance_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Distance of points that are near each other, metres (6,371 km, equirectangular)."""
    north = math.radians(b[0] - a[0])
    east = math.radians(b[1] - a[1]) * math.cos(math.radians((a[0] + b[0]) / 2))
    return 6_371_000 * math.hypot(north, east)


def _answer(pano_id: str, there: tuple[float, float], digest: bytes) -> dict[str, Any]:
    return {
        "status": "OK",
        "pano_id": pano_id,
        "location": {"lat": round(there[0], 7), "lng": round(there[1], 7)},
        "date": f"{2008 + digest[4] % 16}-{1 + digest[5] % 12:02d}",
        "copyright": "© Stand-In",
    }


@lru_cache(maxsize=4096)
def picture(pano: str, heading: str, width: int, height: int) -> bytes:
    """A JPEG with EXIF (a position and a maker) and a comment, as cameras write them."""
    colour = tuple(hashlib.sha256(f"{pano} {heading}".encode()).digest()[:3])
    image = Image.new("RGB", (width, height), colour)
    exif = Image.Exif()
    exif[0x010F] = "Stand-In's camera"
    exif[0x8825] = {1: "N", 2: (51.0, 30.0, 0.0), 3: "W", 4: (0.0, 7.0, 0.0)}
    file = io.BytesIO()
    image.save(file, "JPEG", quality=70, exif=exif, comment=b"position 51.5 -0.1")
    return file.getvalue()
