"""The photos that are wanted of places, and what is saved of each. Degrees."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.collection.street_view_client import Fault
from shared.collection.street_view_find import Place
from shared.collection.street_view_service import Camera
from shared.data_loader.names import check_name

RANDOM_START = "random"
QUARTERS = (0, 90, 180, 270)
SOURCE = "Google Street View Static API"
START_OF_IMAGE, START_OF_SCAN = b"\xff\xd8", 0xDA
TOLD_BESIDE = frozenset({0xE1, 0xED, 0xFE})  # EXIF and XMP, Photoshop's, comments


@dataclass(frozen=True)
class Photo:
    """A photo that is wanted: its id, its place and where the camera looks, degrees."""

    id: str
    place: Place
    heading: int


def wanted_photos(places: Sequence[Place], headings: Sequence[int] | str, seed: int) -> list[Photo]:
    """The photos of places.

    Args:
        places: where.
        headings: degrees, such as `[0, 90, 180, 270]`; or `"random"`: quarter turns from a start
            that the place's id and the seed decide.
        seed: of random starts.

    Raises:
        ValueError: when there are no headings, or the same direction twice.
    """
    is_random = isinstance(headings, str) and headings == RANDOM_START
    turns = list(QUARTERS) if is_random else []
    if not isinstance(headings, str):
        turns = [int(heading) % 360 for heading in headings]
    if not turns or len(set(turns)) < len(turns):
        msg = f"Expected headings, each once, or {RANDOM_START!r}, but got {headings!r}"
        raise ValueError(msg)
    photos = []
    for place in places:
        start = _start_deg(place.id, seed) if is_random else 0
        for heading in ((start + turn) % 360 for turn in turns):
            name = check_name(f"{place.id}_{heading:03d}", "of a street view")
            photos.append(Photo(name, place, heading))
    return photos


def record_of(photo: Photo, camera: Camera) -> dict[str, Any]:
    """The record of a photo: where the panorama is, what was asked for, and whose it is."""
    place, panorama = photo.place, photo.place.panorama
    return {
        "coordinates": [panorama.lat, panorama.lon],
        "asked": list(place.asked),
        "heading": photo.heading,
        "pitch": camera.pitch,
        "fov": camera.fov,
        "size": [camera.width, camera.height],
        "place": place.id,
        "pano_id": panorama.pano_id,
        "date": panorama.date,
        "copyright": panorama.copyright,
        place.area.kind: place.area.code,
        f"{place.area.kind}_name": place.area.name,
        "source": SOURCE,
    }


def without_metadata(jpeg: bytes) -> bytes:
    """A JPEG without EXIF, XMP and comments; its pixels are not touched.

    Raises:
        Fault: it is no JPEG, or cut off before its pixels.
    """
    kept, at = [jpeg[:2]], 2
    while jpeg[:2] == START_OF_IMAGE and jpeg[at : at + 1] == b"\xff" and at + 4 <= len(jpeg):
        kind, length = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        if kind == START_OF_SCAN:
            return b"".join([*kept, jpeg[at:]])
        if kind not in TOLD_BESIDE:
            kept.append(jpeg[at : at + 2 + length])
        at += 2 + length
    raise Fault(kind="no JPEG", detail=f"{len(jpeg):,} bytes", may_pass=True)


def _start_deg(place: str, seed: int) -> int:
    digest = hashlib.sha256(f"heading:{seed}:{place}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 360
