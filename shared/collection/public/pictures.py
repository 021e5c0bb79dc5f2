"""Pictures as they are kept: JPEG, PNG or WebP, without what cameras write beside the pixels.

EXIF, XMP, IPTC and comments are cut out of the file, so the pixels stay what they were, to the bit.
Only where EXIF says that a picture lies on its side are the pixels turned and written anew.
The place that EXIF names is read before: degrees `(lat, lon)`, headings in degrees from north.
"""

import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
MAX_PIXELS = 150_000_000  # more is no photo but an attack or a map
TURNED_QUALITY = 95  # of a JPEG that had to be turned

_JPEG_METADATA = frozenset([*range(0xE1, 0xEE), 0xEF, 0xFE])  # APP1 to 13, APP15, comments
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # the others belong to the scan
_PNG_METADATA = frozenset([b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"tIME"])
_WEBP_METADATA = {b"EXIF": 0x08, b"XMP ": 0x04}  # with its bit among VP8X's flags
_ICC = b"ICC_PROFILE\0"  # APP2 may hold the colour profile, which belongs to the pixels


class PictureFault(ValueError):
    """Why a file is no picture that can be kept; the text is the reason that is counted."""


@dataclass(frozen=True)
class ExifPlace:
    """What EXIF says of where and when a picture was taken.

    Attributes:
        lat: degrees.
        lon: degrees.
        heading: where the camera looked, degrees from true north, or None.
        date: `yyyy-mm-dd`, or "".
    """

    lat: float
    lon: float
    heading: float | None
    date: str


def clean(data: bytes) -> tuple[bytes, str]:
    """A picture's file without metadata, and its suffix.

    Raises:
        PictureFault: it is no JPEG, PNG or WebP, or damaged.
    """
    if not data:
        msg = "the picture is empty"
        raise PictureFault(msg)
    image = _opened(data)
    kind = "JPEG" if image.format == "MPO" else str(image.format)  # MPO: a JPEG, then another
    try:
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            return _turned(image, kind), SUFFIXES[kind]
        strip = {"JPEG": _strip_jpeg, "PNG": _strip_png, "WEBP": _strip_webp}[kind]
        return strip(data), SUFFIXES[kind]
    except (OSError, SyntaxError, ValueError, IndexError) as error:
        msg = "the picture is damaged"
        raise PictureFault(msg) from error


def exif_place(data: bytes) -> ExifPlace:
    """Where EXIF says that a picture was taken.

    Raises:
        PictureFault: it is no picture, or says no place that can be.
    """
    exif = _opened(data).getexif()
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    if ExifTags.GPS.GPSLatitude not in gps or ExifTags.GPS.GPSLongitude not in gps:
        msg = "no GPS position in EXIF"
        raise PictureFault(msg)
    lat = _angle(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "NS")
    lon = _angle(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "EW")
    if not (abs(lat) <= 90 and abs(lon) <= 180) or (lat, lon) == (0, 0):
        msg = "the GPS position in EXIF is none on the Earth"
        raise PictureFault(msg)
    taken = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal, "")
    return ExifPlace(lat, lon, _heading(gps), _date(taken))


def _opened(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=list(SUFFIXES))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        msg = "no JPEG, PNG or WebP"
        raise PictureFault(msg) from error
    except Image.DecompressionBombError as error:
        msg = f"a picture of more than {MAX_PIXELS:,} pixels"
        raise PictureFault(msg) from error
    if image.width * image.height > MAX_PIXELS:
        msg = f"a picture of more than {MAX_PIXELS:,} pixels"
        raise PictureFault(msg)
    return image


def _turned(image: Image.Image, kind: str) -> bytes:
    """The picture as EXIF says to show it, with the pixels turned, and without EXIF."""
    upright = ImageOps.exif_transpose(image)
    bare = Image.frombytes(upright.mode, upright.size, upright.tobytes())
    file = io.BytesIO()
    lossless = {"lossless": True} if kind == "WEBP" else {}
    options = {"quality": TURNED_QUALITY, "subsampling": 0} if kind == "JPEG" else lossless
    bare.save(file, kind, icc_profile=image.info.get("icc_profile"), **options)
    return file.getvalue()


def _strip_jpeg(data: bytes) -> bytes:
    """Segment by segment (ISO/IEC 10918-1, annex B) to the end of the first picture.

    What follows it, such as a phone's second picture with EXIF of its own, is left out.
    """
    kept = [data[:2]]
    at = 2
    while at < len(data):  # a file that was cut off stays so: stage 2 looks for those
        if data[at] != 0xFF:
            msg = f"expected a marker at byte {at}, got {data[at]:#x}"
            raise ValueError(msg)
        marker = data[at + 1]
        if marker == 0xD9:
            return b"".join([*kept, data[at : at + 2]])
        if marker == 0xFF:  # filling
            at += 1
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4])
        is_profile = marker == 0xE2 and data.startswith(_ICC, at + 4)
        if marker == 0xDA:
            found = _NEXT_MARKER.search(data, end)
            end = found.start() if found else len(data)
        if marker not in _JPEG_METADATA or is_profile:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _strip_png(data: bytes) -> bytes:
    """Chunk by chunk (length, type, content, CRC) after a signature of eight bytes."""
    kept = [data[:8]]
    at = 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4])
        if data[at + 4 : at + 8] not in _PNG_METADATA:
            kept.append(data[at:end])
        at = end
    return b"".join(kept)


def _strip_webp(data: bytes) -> bytes:
    """Chunk by chunk of a RIFF file; the flags of the first say which others there are."""
    kept = b""
    flags = 0xFF
    for name, chunk in _riff_chunks(data):
        if name in _WEBP_METADATA:
            flags &= ~_WEBP_METADATA[name]
        else:
            kept += chunk
    if kept[:4] == b"VP8X":
        kept = kept[:8] + bytes([kept[8] & flags]) + kept[9:]
    return b"RIFF" + (len(kept) + 4).to_bytes(4, "little") + b"WEBP" + kept


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + size + size % 2
        yield data[at : at + 4], data[at:end]
        at = end


def _angle(gps: dict[int, Any], key: int, reference: int, sides: str) -> float:
    """Degrees, negative on the second of two sides; NaN where there are no numbers."""
    side = str(gps.get(reference, "")).strip("\0 ").upper()[:1]
    if not side or side not in sides:
        msg = f"the GPS position in EXIF does not say {' or '.join(sides)}"
        raise PictureFault(msg)
    try:
        parts = [float(part) for part in gps[key]]
        degrees, minutes, seconds = [*parts, 0.0, 0.0][:3]
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    angle = degrees + minutes / 60 + seconds / 3600
    return -angle if side == sides[1] else angle


def _heading(gps: dict[int, Any]) -> float | None:
    """From true north; a magnetic heading may be 20 degrees off, and is left out."""
    if str(gps.get(ExifTags.GPS.GPSImgDirectionRef, "")).strip("\0 ").upper() != "T":
        return None
    try:
        heading = float(gps[ExifTags.GPS.GPSImgDirection])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    return heading % 360 if math.isfinite(heading) else None


def _date(text: object) -> str:
    day = str(text).partition(" ")[0].split(":")
    is_date = [len(part) for part in day] == [4, 2, 2] and "".join(day).isdigit()
    return "-".join(day) if is_date else ""
