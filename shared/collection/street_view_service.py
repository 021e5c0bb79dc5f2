"""Whom to ask for street views, with which key, and how photos are taken.

The key and the secret come from the environment or `.env`, and are shown nowhere.
Source: developers.google.com/maps/documentation/streetview.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.data_loader.config import PREFIX, option
from shared.data_loader.redaction import redacted

GOOGLE = "https://maps.googleapis.com/maps/api/streetview"
KEY_OPTION, SECRET_OPTION = "STREET_VIEW_KEY", "STREET_VIEW_SECRET"
KEY_VARIABLE = f"{PREFIX}{KEY_OPTION}"
SECRET_VARIABLE = f"{PREFIX}{SECRET_OPTION}"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SIZES, FOVS, PITCHES = (16, 640), (10, 120), (-90, 90)  # pixels, degrees


class Secret:
    """A text that is shown nowhere."""

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for a request alone."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"


@dataclass(frozen=True)
class Service:
    """Who is asked, and how patiently; times in seconds.

    Attributes:
        key: of the API.
        secret: signs requests where it is given (URL-safe base64, as Google's console shows it).
        url: of the API; only `https`, but for this machine itself.
        requests_per_s: at most, of both kinds together.
        concurrency: requests under way at a time.
        timeout_s: for a whole answer.
        retries: further tries after a fault that may pass.
        backoff_s: before the first of them; each further one waits twice as long.
    """

    key: Secret
    secret: Secret | None = None
    url: str = GOOGLE
    requests_per_s: float = 10.0
    concurrency: int = 16
    timeout_s: float = 30.0
    retries: int = 5
    backoff_s: float = 0.5

    def __post_init__(self) -> None:
        """Hold the settings to their ranges."""
        parts = urlsplit(self.url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            msg = f"Expected an https address to send the key to, but got {redacted(self.url)!r}"
            raise ValueError(msg)
        numbers = (self.requests_per_s, self.concurrency, self.timeout_s, self.retries + 1)
        if min(numbers) <= 0 or self.backoff_s < 0:
            msg = f"Expected rate, concurrency and timeout above 0 and retries >= 0, got {self}"
            raise ValueError(msg)
        if self.secret is not None:
            signature("/", self.secret)


@dataclass(frozen=True)
class Panorama:
    """What the service knows of a panorama: where it is, and when and by whom it was taken."""

    pano_id: str
    lat: float
    lon: float
    date: str
    copyright: str


@dataclass(frozen=True)
class Camera:
    """How photos are taken: pixels and degrees."""

    width: int = 640
    height: int = 640
    fov: float = 90.0
    pitch: float = 0.0

    def __post_init__(self) -> None:
        """Hold the settings to what the service gives."""
        if not (16 <= self.width <= 640 and 16 <= self.height <= 640):
            msg = f"Expected a size of 16 to 640 pixels, but got {self.width} x {self.height}"
            raise ValueError(msg)
        if not (10 <= self.fov <= 120 and -90 <= self.pitch <= 90):
            msg = (
                "Expected a field of view of 10 to 120 degrees and a pitch of -90 to 90, but got "
                f"{self.fov} and {self.pitch}"
            )
            raise ValueError(msg)


def key_from_environment() -> Secret | None:
    """The key in LOST_AND_FOUND_STREET_VIEW_KEY, of the environment or `.env`, or nothing."""
    return _secret(option(KEY_OPTION))


def secret_from_environment() -> Secret | None:
    """The secret in LOST_AND_FOUND_STREET_VIEW_SECRET, or nothing: requests are not signed."""
    return _secret(option(SECRET_OPTION))


def signature(path_and_query: str, secret: Secret) -> str:
    """The signature of a request: HMAC-SHA1 under the decoded secret, in URL-safe base64.

    Source: developers.google.com/maps/documentation/streetview/digital-signature.

    Raises:
        ValueError: when the secret is no URL-safe base64; it is not shown.
    """
    key = None
    text = secret.reveal().encode()
    if text.replace(b"-", b"").replace(b"_", b"").rstrip(b"=").isalnum():
        try:
            key = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        except binascii.Error:
            key = None
    if not key:
        msg = f"Expected URL-safe base64 in {SECRET_VARIABLE}, as the console shows it"
        raise ValueError(msg)
    digest = hmac.new(key, path_and_query.encode(), hashlib.sha1).digest()
    return base64.urlsafe_b64encode(digest).decode()


def _secret(text: str | None) -> Secret | None:
    return Secret(text.strip()) if text and text.strip() else None
