"""Google's Street View Static API: one request at a time, signed, limited, tried again.

Degrees, `(lat, lon)`, metres. The key and the secret are in no error, log or representation here,
and no error keeps aiohttp's own, which knows the whole address.
Source: developers.google.com/maps/documentation/streetview.
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from shared.collection.street_view_rate import Crew, Rate
from shared.collection.street_view_service import (
    KEY_VARIABLE,
    SECRET_VARIABLE,
    Camera,
    Panorama,
    Service,
    signature,
)
from shared.data_loader.redaction import redacted

logger = logging.getLogger(__name__)

OUTDOOR, ANY_SOURCE = "outdoor", "default"
MISSING = frozenset({"ZERO_RESULTS", "NOT_FOUND"})
OVER_LIMIT = "OVER_QUERY_LIMIT"
UNKNOWN = "UNKNOWN_ERROR"
STOPS = {
    "REQUEST_DENIED": f"Is the key in {KEY_VARIABLE} good, the Street View Static API switched on "
    f"for it, and {SECRET_VARIABLE} set where requests must be signed?",
    "INVALID_REQUEST": "The service does not take the request as it is: check radius, size, "
    "heading, pitch and field of view.",
}
STATUS_OF_HTTP = {
    400: "INVALID_REQUEST",
    401: "REQUEST_DENIED",
    403: "REQUEST_DENIED",
    404: "NOT_FOUND",
    429: OVER_LIMIT,
}
MAX_ANSWER_BYTES = 16 << 20
MAX_WAIT_S = 60.0
MAX_SHOWN = 200

T = TypeVar("T")


class StreetViewError(RuntimeError):
    """The collection cannot go on; what was paid for is saved."""


class Fault(Exception):
    """One request failed.

    Attributes:
        kind: a status of the service, or what became of the request ("timeout", "no connection").
        detail: more of it, without secrets.
        may_pass: whether the same request may succeed later.
        is_refused: whether the service answered that it gives nothing, so that nothing is charged.
        wait_s: how long the service asks to wait.
    """

    def __init__(
        self,
        kind: str,
        detail: str = "",
        *,
        may_pass: bool = False,
        is_refused: bool = False,
        wait_s: float = 0.0,
    ) -> None:
        super().__init__(f"{kind}: {detail}" if detail else kind)
        self.kind, self.detail = kind, detail
        self.may_pass, self.is_refused, self.wait_s = may_pass, is_refused, wait_s

    @property
    def is_missing(self) -> bool:
        """Whether the service says that there is no such thing."""
        return self.kind in MISSING


class StreetViewClient:
    """Asks the service; `async with` opens and closes its connections."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.n_requests = 0
        self.n_retries = 0
        self._rate = Rate(service.requests_per_s)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "StreetViewClient":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self.service.concurrency),
            timeout=aiohttp.ClientTimeout(total=self.service.timeout_s),
            headers={"User-Agent": "lost-and-found"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=_has_proxy(self.service.url),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def metadata(
        self, lat: float, lon: float, radius_m: float, source: str = OUTDOOR
    ) -> Panorama | str:
        """The panorama nearest to a place, free of charge, or the status that says there is none.

        It is one request, as `photo` is: call them through `retried`.
        """
        parameters = {"location": f"{lat:.5f},{lon:.5f}", "radius": f"{radius_m:g}"}
        return await self._metadata(parameters | ({"source": source} if source == OUTDOOR else {}))

    async def photo(self, pano_id: str, heading: float, camera: Camera) -> bytes:
        """One photo, in one request, which is charged."""
        parameters = {
            "size": f"{camera.width}x{camera.height}",
            "pano": pano_id,
            "heading": f"{heading:g}",
            "pitch": f"{camera.pitch:g}",
            "fov": f"{camera.fov:g}",
            "return_error_code": "true",
        }
        status, headers, body = await self._get("", parameters)
        self._check(status, headers, body)
        if not (body.startswith(b"\xff\xd8") and body.rstrip(b"\0").endswith(b"\xff\xd9")):
            raise Fault(kind="no JPEG", detail=f"{len(body):,} bytes", may_pass=True)
        return body

    async def retried(self, attempt: Callable[[], Awaitable[T]], crew: Crew) -> T:
        """Make a request, again after faults that may pass, each in its turn of the rate.

        Raises:
            Fault: the last one.
            StreetViewError: the service refuses, or its quota stays used up.
        """
        for number in range(self.service.retries + 1):
            await self._rate.turn()
            self.n_requests += 1
            self.n_retries += number > 0
            try:
                return await attempt()
            except Fault as fault:
                last = fault
            if last.kind in STOPS:
                raise StreetViewError(_refusal(last))
            if not last.may_pass or number == self.service.retries or crew.is_stopping:
                break
            wait_s = max(last.wait_s, min(MAX_WAIT_S, self.service.backoff_s * 2**number))
            if last.kind == OVER_LIMIT:
                self._rate.pause(wait_s)
            logger.debug("%s: again in %.1f s", last, wait_s)
            await asyncio.sleep(wait_s)
        if last.kind == OVER_LIMIT:
            msg = (
                f"The service's quota is used up ({last}), also after {self.service.retries} more "
                "tries. Run again later: what is there is not asked for again"
            )
            raise StreetViewError(msg)
        raise last

    async def _metadata(self, parameters: Mapping[str, str]) -> Panorama | str:
        status, headers, body = await self._get("/metadata", parameters)
        try:
            answer = json.loads(body)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("status"), str):
            self._check(status, headers, body)
            raise Fault(kind="no JSON", detail=f"{len(body):,} bytes", may_pass=True)
        said = self._clean(str(answer.get("error_message", "")))
        if answer["status"] in MISSING:
            return str(answer["status"])
        if answer["status"] != "OK":
            raise _fault(self._clean(answer["status"]), said, _wait_s(headers))
        found = _panorama(answer)
        if found is None:
            raise Fault(
                kind="no panorama", detail="status OK without pano_id or location", may_pass=True
            )
        return found

    def _check(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Raise the fault that an HTTP status stands for."""
        if status == 200:
            return
        said = self._clean(body[:MAX_SHOWN].decode(errors="replace"))
        if status in STATUS_OF_HTTP:
            raise _fault(STATUS_OF_HTTP[status], f"HTTP {status}, {said}", _wait_s(headers))
        may_pass = status >= 500 or status in {408, 425}
        wait_s = _wait_s(headers)
        kind = f"HTTP {status}"
        raise Fault(kind, said, may_pass=may_pass, is_refused=True, wait_s=wait_s)

    async def _get(
        self, path: str, parameters: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body. What aiohttp raises is left behind: it knows the key."""
        if self._session is None:
            msg = "the client is not open: use `async with`"
            raise RuntimeError(msg)
        fault = Fault("no answer", may_pass=True)
        try:
            request = self._session.get(self._address(path, parameters), allow_redirects=False)
            async with request as answer:
                body = await answer.content.read(MAX_ANSWER_BYTES)
                while not answer.content.at_eof() and len(body) < MAX_ANSWER_BYTES:
                    body += await answer.content.read(MAX_ANSWER_BYTES - len(body))
                return answer.status, answer.headers, body
        except TimeoutError:
            fault = Fault("timeout", f"after {self.service.timeout_s:g} s", may_pass=True)
        except aiohttp.ClientPayloadError:
            fault = Fault("cut off", may_pass=True)
        except aiohttp.ClientConnectorError as error:
            said = self._clean(str(error.os_error))
            fault = Fault("no connection", said, may_pass=True, is_refused=True)
        except (aiohttp.ClientError, OSError) as error:
            fault = Fault("no connection", type(error).__name__, may_pass=True)
        raise fault

    def _address(self, path: str, parameters: Mapping[str, str]) -> URL:
        """The whole address, with the key, and signed where there is a secret."""
        base = urlsplit(self.service.url.rstrip("/") + path)
        query = urlencode({**parameters, "key": self.service.key.reveal()}, safe=",")
        if self.service.secret is not None:
            signed = signature(f"{base.path}?{query}", self.service.secret)
            query = f"{query}&signature={quote(signed)}"
        return URL(f"{base.scheme}://{base.netloc}{base.path}?{query}", encoded=True)

    def _clean(self, text: str) -> str:
        """What the service said, without the key, the secret or an address, on one line."""
        for secret in (self.service.key, self.service.secret):
            if secret is not None and secret.reveal():
                for form in (secret.reveal(), quote(secret.reveal()), quote_plus(secret.reveal())):
                    text = text.replace(form, "***")
        return " ".join(redacted(text).split())[:MAX_SHOWN]


def _fault(status: str, said: str, wait_s: float) -> Fault:
    """The fault that a status of the service stands for."""
    may_pass = status in {OVER_LIMIT, UNKNOWN}
    return Fault(status, said, may_pass=may_pass, is_refused=status not in MISSING, wait_s=wait_s)


def _refusal(fault: Fault) -> str:
    return f"The service answered {fault}. {STOPS[fault.kind]}"


def _panorama(answer: Mapping[str, Any]) -> Panorama | None:
    """The panorama of an answer, or nothing where the answer is not whole."""
    try:
        where = answer["location"]
        found = Panorama(
            pano_id=str(answer["pano_id"]),
            lat=float(where["lat"]),
            lon=float(where["lng"]),
            date=str(answer.get("date", "")),
            copyright=str(answer.get("copyright", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None
    on_earth = abs(found.lat) <= 90 and abs(found.lon) <= 180
    return found if found.pano_id and on_earth else None


def _wait_s(headers: Mapping[str, str]) -> float:
    """Seconds that the service asks to wait, at most a minute."""
    text = headers.get("Retry-After", "").strip()
    return min(MAX_WAIT_S, float(text)) if text.isdecimal() and text.isascii() else 0.0


def _has_proxy(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in getproxies() and not proxy_bypass(parts.hostname or "")
