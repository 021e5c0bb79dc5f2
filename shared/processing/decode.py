"""Photo files to pixels, fast and distrustful: what is not wholly readable is refused.

Pixels are `(height, width, 3)` in OpenCV's order blue, green, red, 8 bits a channel.
"""

import io
import os
import re
import tempfile
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

Pixels = NDArray[np.uint8]

ORIENTATION_TAG = 0x0112  # EXIF 2.32, section 4.6.4
REDUCED = {
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}
# ITU T.81, table B.1. Frame headers are 0xC0..0xCF without DHT, JPG and DAC, which are no frames.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_END_OF_SCAN = re.compile(
    rb"\xff[^\x00\xff\xd0-\xd7]"
)  # neither a stuffed byte, a fill nor a restart
_DECODER_WARNING = re.compile(rb"Corrupt JPEG data: (?!\d+ extraneous)[^\n]*|Premature end[^\n]*")


class Reason(StrEnum):
    """Why a photo is not used: few words, to be counted."""

    EMPTY = "empty file"
    TRUNCATED = "truncated"
    DAMAGED = "damaged"
    NOT_AN_IMAGE = "not an image"
    TOO_LARGE = "too large"
    TOO_SMALL = "too small"
    ANIMATED = "animated"
    ABSENT = "absent"


class ImageRefusedError(ValueError):
    """A photo that is not used: the reason, and what was found."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What a file says of its image: size in pixels as stored, before `orientation` is applied."""

    format: str
    width: int
    height: int
    n_channels: int
    orientation: int = 1  # as in EXIF: 1 upright, 2 to 8 mirrored or turned


def read_header(data: bytes) -> ImageHeader:
    """Size and orientation of an image, and a check that its file is complete; no pixel is decoded.

    Args:
        data: the bytes of a JPEG, PNG or WebP file, whatever its name says.

    Raises:
        ImageRefusedError: empty, another format, damaged, truncated, or animated.
    """
    if not data:
        raise ImageRefusedError(Reason.EMPTY, "expected an image, got 0 bytes")
    return _read_jpeg_header(data) if data[:3] == b"\xff\xd8\xff" else _read_other_header(data)


def _read_jpeg_header(data: bytes) -> ImageHeader:
    """Walk a JPEG to its end mark: decoders paint what is missing grey, and say nothing."""
    position, frame, orientation = 2, None, 1
    while True:
        marker, start, end = _segment(data, position)
        if marker == _END:
            break
        if marker in _FRAMES and end - start >= 6:
            frame = data[start:end]
        elif marker == _APP1 and data[start : start + 6] == b"Exif\0\0":
            orientation = _orientation(data[start:end])
        position = end
        if marker == _SCAN:
            if data.endswith(b"\xff\xd9"):  # mostly: the rest of the walk can be saved
                break
            found = _END_OF_SCAN.search(data, end)
            if found is None:
                detail = f"no end mark in {len(data)} bytes of JPEG"
                raise ImageRefusedError(Reason.TRUNCATED, detail)
            position = found.start()
    if frame is None:
        raise ImageRefusedError(Reason.DAMAGED, "a JPEG without a frame")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    return ImageHeader("JPEG", width, height, frame[5], orientation)


def _segment(data: bytes, position: int) -> tuple[int, int, int]:
    """Marker of the JPEG segment at a position, and where its content starts and ends."""
    while data[position : position + 2] == b"\xff\xff":  # fill bytes
        position += 1
    if position + 2 > len(data):
        raise ImageRefusedError(Reason.TRUNCATED, f"no end mark in {len(data)} bytes of JPEG")
    if data[position] != 0xFF:
        detail = f"expected a JPEG marker at byte {position}, got 0x{data[position]:02x}"
        raise ImageRefusedError(Reason.DAMAGED, detail)
    marker = data[position + 1]
    if marker == _END:
        return marker, position + 2, position + 2
    length = int.from_bytes(data[position + 2 : position + 4], "big")
    end = position + 2 + length
    if end > len(data):
        raise ImageRefusedError(
            Reason.TRUNCATED, f"a JPEG segment ends {end - len(data)} bytes too late"
        )
    if length < 2:
        raise ImageRefusedError(
            Reason.DAMAGED, f"a JPEG segment of length {length} at byte {position}"
        )
    return marker, position + 4, end


def _orientation(exif: bytes) -> int:
    entries = Image.Exif()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged metadata, which is dropped anyway
            entries.load(exif)
            value = entries.get(ORIENTATION_TAG, 1)
    except (SyntaxError, ValueError, OSError, zlib.error):
        return 1  # the photo itself may be sound
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _read_other_header(data: bytes) -> ImageHeader:
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "WEBP")) as image:
            width, height = image.size
            kind, frames = str(image.format), int(getattr(image, "n_frames", 1))
            orientation = _orientation(image.info.get("exif", b""))
            bands = len(image.getbands())
            if frames > 1:
                raise ImageRefusedError(Reason.ANIMATED, f"a {kind} of {frames} frames")
            if kind == "WEBP" and len(data) < int.from_bytes(data[4:8], "little") + 8:
                raise ImageRefusedError(Reason.TRUNCATED, f"{len(data)} bytes of WebP")
            image.verify()  # PNG: every chunk has its checksum, and the last is there
    except UnidentifiedImageError as error:
        detail = f"expected JPEG, PNG or WebP, got bytes that begin {data[:8]!r}"
        raise ImageRefusedError(Reason.NOT_AN_IMAGE, detail) from error
    except Image.DecompressionBombError as error:
        raise ImageRefusedError(Reason.TOO_LARGE, str(error)) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, ImageRefusedError):
            raise
        raise ImageRefusedError(Reason.DAMAGED, str(error)) from error
    return ImageHeader(kind, width, height, bands, orientation)


def decode(data: bytes, header: ImageHeader, reduction: int = 1) -> Pixels:
    """Decode an image, not yet turned upright.

    Grey becomes three equal channels, 16 bits the upper 8, CMYK red, green, blue; transparent parts
    become white, as on a web page. Colour profiles are not applied.

    Args:
        data: the bytes of the file.
        header: what `read_header` said of it.
        reduction: 1, 2, 4 or 8: a JPEG is decoded at this fraction of its size, and sooner.

    Returns:
        (H, W, 3) blue, green, red; H and W are the header's divided by the reduction, rounded up.

    Raises:
        ImageRefusedError: the decoder gives up or warns that it invents pixels.
    """
    buffer = np.frombuffer(data, np.uint8)
    if header.format != "JPEG":
        return _flatten(_imdecode(buffer, cv2.IMREAD_UNCHANGED))
    if header.n_channels == 4:
        return _decode_cmyk(data)
    flag = REDUCED.get(reduction, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    return _flatten(_imdecode(buffer, flag))


def _imdecode(buffer: NDArray[np.uint8], flag: int) -> NDArray[np.generic]:
    try:
        with _decoder_messages() as messages:
            image = cv2.imdecode(buffer, flag)
    except cv2.error as error:
        raise ImageRefusedError(Reason.DAMAGED, " ".join(str(error).split())) from error
    if warning := _DECODER_WARNING.search(messages):
        raise ImageRefusedError(Reason.DAMAGED, warning[0].decode(errors="replace"))
    if image is None:
        detail = " ".join(messages.decode(errors="replace").split()) or "it cannot be decoded"
        raise ImageRefusedError(Reason.DAMAGED, detail)
    return np.asarray(image)


def _decode_cmyk(data: bytes) -> Pixels:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            return np.ascontiguousarray(np.asarray(image.convert("RGB"))[..., ::-1])
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageRefusedError(Reason.DAMAGED, str(error)) from error


def _flatten(image: NDArray[np.generic]) -> Pixels:
    """Any depth and number of channels to three of 8 bits, transparent parts white."""
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)  # type: ignore[operator]
    pixels = image.astype(np.uint8, copy=False)
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    if pixels.shape[2] == 4:
        alpha = pixels[..., 3:].astype(np.uint16)
        mixed = pixels[..., :3] * alpha + 255 * (255 - alpha) + 127
        return (mixed // 255).astype(np.uint8)
    return pixels


def turn_upright(image: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (1 to 8) to decoded pixels."""
    if orientation in (5, 6, 7, 8):
        image = np.asarray(cv2.transpose(image), np.uint8)
    # After the transposition 5 is done, 6 is left mirrored, 7 turned by half, 8 upside down.
    flips = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}
    if orientation in flips:
        image = np.asarray(cv2.flip(image, flips[orientation]), np.uint8)
    return image


@contextmanager
def _decoder_messages() -> Iterator[bytearray]:
    """What libjpeg and libpng write to the error stream meanwhile: it is their only way to warn."""
    messages = bytearray()
    file = _message_file(os.getpid())
    try:
        error_stream = os.dup(2)
    except OSError:  # closed: nothing can be written to it either
        yield messages
        return
    os.dup2(file.fileno(), 2)
    try:
        yield messages
    finally:
        os.dup2(error_stream, 2)
        os.close(error_stream)
        if length := os.fstat(file.fileno()).st_size:
            file.seek(0)
            messages += file.read(length)
            file.seek(0)
            file.truncate()


@cache
def _message_file(process: int) -> BinaryIO:
    """A file of its own for each process: forked ones would share a position."""
    return tempfile.TemporaryFile(buffering=0)
