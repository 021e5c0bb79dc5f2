"""Mapillary: photos of its contributors in a box, by its API v4. Degrees `(lat, lon)`.

The pictures' addresses run out after some hours, so each run asks for them anew; what is there
already is not fetched again. Attribution stays with each record, as the licence asks.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shared.collection.public.account import Skips, Source
from shared.collection.public.gathering import in_countries, only_wanted, record_text
from shared.collection.public.mapillary_api import ADDRESS, Box, MapillaryApi, cells
from shared.collection.public.web_files import WebFile, fetch_files
from shared.data_loader.config import PREFIX, option, transfer
from shared.data_loader.download import run_blocking
from shared.data_loader.errors import DataListError
from shared.data_loader.remotes import FetchFault

TOKEN_OPTION = "MAPILLARY_TOKEN"
TOKEN_VARIABLE = PREFIX + TOKEN_OPTION
LICENCE = "CC BY-SA 4.0"
PAGE_URL = "https://www.mapillary.com/app/?pKey="


class Mapillary:
    """The adapter of a box of Mapillary."""

    def __init__(
        self,
        box: Sequence[float],
        *,
        panoramas: bool = False,
        max_requests: int = 200,
        per_minute: float = 60.0,
        address: str = "",
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            box: west, south, east, north, degrees.
            panoramas: whether photos of 360 degrees are taken too.
            max_requests: to the API, in all; pictures are not counted.
            per_minute: requests a minute.
            address: another address of the API; "" for Mapillary's.

        Raises:
            DataListError: it is no box, its cells are more than the requests, or there is no token.
        """
        if len(box) != 4:
            msg = f"box: expected [west, south, east, north] in degrees, got {list(box)}"
            raise DataListError(msg)
        self._box: Box = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
        n_cells = len(cells(self._box))
        if n_cells > max_requests:
            msg = (
                f"box: expected at most {max_requests:,} cells of 0.09 degrees (max_requests), got "
                f"{n_cells:,}; choose a smaller box, or allow more"
            )
            raise DataListError(msg)
        self._panoramas = panoramas
        self._api = MapillaryApi(
            token(), transfer(), max_requests, per_minute, (address or ADDRESS).rstrip("/")
        )
        self._images: dict[str, dict[str, Any]] = {}
        self._addresses: dict[str, str] = {}
        self.source = Source(
            name="Mapillary",
            address=f"{self._api.address}/images, box {', '.join(f'{x:g}' for x in self._box)}",
            licence=LICENCE,
            asks="May be passed on under the same licence, naming Mapillary and each photo's "
            "creator (the records' attribution); the API's terms hold for the collecting.",
        )

    def __repr__(self) -> str:
        """Without the token."""
        return f"Mapillary(box={self._box})"

    def ids(self, countries: frozenset[str], skips: Skips) -> Iterable[str]:
        """The ids of the photos in the box that have a place and a picture."""
        found, full = run_blocking(self._ask())
        for cell in full:
            skips.add("a cell of 50 m with more photos than the API names", cell)
        for image in found:
            fault, record, address = _judged(image, self._panoramas)
            name = f"mapillary_{image.get('id')}"
            if fault:
                skips.add(fault, name)
            else:
                self._images[name], self._addresses[name] = record, address
        names = list(self._images)
        points = [tuple(self._images[name]["coordinates"]) for name in names]
        yield from only_wanted(names, in_countries(points, countries), skips)

    def record(self, name: str) -> bytes:
        """Where it is, where it looks, when it was taken, and whom to name."""
        return record_text(self._images[name], self.source)

    def images(self, names: Sequence[str], skips: Skips) -> Iterator[tuple[str, bytes]]:
        """The pictures, 1,024 pixels wide; their servers are given no token."""
        files = [WebFile(name, self._addresses[name]) for name in names]
        for file, found in fetch_files(self._api.address, files):
            if isinstance(found, FetchFault):
                skips.add(f"the picture could not be had ({found.kind})", file.name)
            else:
                yield file.name, found

    async def _ask(self) -> tuple[list[dict[str, Any]], list[Box]]:
        async with self._api as api:
            return await api.images_in(self._box)


def token() -> str:
    """The token, from the environment or `.env`.

    Raises:
        DataListError: there is none.
    """
    found = (option(TOKEN_OPTION) or "").strip()
    if not found:
        msg = (
            f"expected {TOKEN_VARIABLE} in the environment or in .env, got nothing; register an "
            "application at https://www.mapillary.com/dashboard/developers and copy its token"
        )
        raise DataListError(msg)
    return found


def _judged(image: Mapping[str, Any], panoramas: bool) -> tuple[str, dict[str, Any], str]:
    """Why an image is passed over, or its record and the address of its picture."""
    if not str(image.get("id", "")).isdecimal():
        return "an id that is no number", {}, ""
    if image.get("is_pano") and not panoramas:
        return "a panorama of 360 degrees", {}, ""
    point = _point(image.get("computed_geometry")) or _point(image.get("geometry"))
    if point is None:
        return "no position", {}, ""
    address = str(image.get("thumb_1024_url") or "")
    if not address.startswith(("https://", "http://")):
        return "no address of the picture", {}, ""
    creator = image.get("creator")
    by = str((creator if isinstance(creator, dict) else {}).get("username") or "a contributor")
    page = f"{PAGE_URL}{image['id']}"
    record = {
        "coordinates": point,
        "heading": _heading(image.get("compass_angle")),
        "place": image.get("sequence"),  # photos of one drive stay together
        "date": _day(image.get("captured_at")),
        "creator": by,
        "page": page,
        "attribution": f"© {by}, Mapillary, {LICENCE}, {page}",
    }
    return "", record, address


def _point(geometry: object) -> list[float] | None:
    """Latitude and longitude of a GeoJSON point, which has them the other way round."""
    place = geometry.get("coordinates") if isinstance(geometry, dict) else None
    if not isinstance(place, list) or len(place) < 2:
        return None
    lon, lat = place[:2]
    if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in (lat, lon)):
        return None
    return [lat, lon] if abs(lat) <= 90 and abs(lon) <= 180 else None


def _heading(angle: object) -> float | None:
    is_angle = isinstance(angle, int | float) and not isinstance(angle, bool) and 0 <= angle <= 360
    return float(angle) % 360 if is_angle else None  # type: ignore[arg-type]


def _day(captured_at: object) -> str:
    """The day, from milliseconds since 1970, or from a text that begins with it."""
    if isinstance(captured_at, int) and 0 < captured_at < 10**14:
        return datetime.fromtimestamp(captured_at / 1000, UTC).strftime("%Y-%m-%d")
    return str(captured_at)[:10] if isinstance(captured_at, str) else ""
