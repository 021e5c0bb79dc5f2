"""A photo as people have it (a path, bytes, a Pillow image, an array) to the input of a model.

There is one path of pixels for training, evaluation and use: a photo is made small as
`2-data-processing/1-resize` does it, to a JPEG of the same bytes, and that is brought to the
model's size as `shared.training.images` does it. A photo that has been through 1-resize is taken
as it is.
EXIF orientation is applied; all else of the metadata is dropped unread.
"""

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from shared.processing.decode import ImageRefusedError, Reason, read_header
from shared.processing.resize import BYTES_PER_PIXEL, small_jpeg
from shared.processing.scaling import ResizeSettings
from shared.training.images import Bytes, Preprocessing

PhotoSource: TypeAlias = str | Path | bytes | Image.Image | NDArray[Any]
# What is looked for in a folder. The last six are photos too, and are refused by name.
READ = (".jpg", ".jpeg", ".png", ".webp")
SUFFIXES = (*READ, ".gif", ".tif", ".tiff", ".bmp", ".heic", ".avif")
HINT = "Save it as JPEG or PNG"
_FORMATS = {b"GIF8": "a GIF", b"II*\0": "a TIFF", b"MM\0*": "a TIFF", b"BM": "a BMP"}
_PLAIN = ("1", "L", "RGB")
_WITH_ALPHA = ("P", "PA", "LA", "La", "RGBA", "RGBa")
_OTHER_COLOURS = ("CMYK", "YCbCr", "HSV", "LAB", "RGBX")
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True)
class Photo:
    """A photo that is asked about: what it is called in the answer, and where its pixels are."""

    name: str
    source: PhotoSource


def name_photos(sources: PhotoSource | Iterable[PhotoSource], first: int = 1) -> list[Photo]:
    """Photos with names, folders opened.

    Args:
        sources: one photo, a folder, or several of these. A folder stands for the photos in it and
            in its folders, in the order of their names; hidden ones are passed over.
        first: the number of the first; photos without a name are called by theirs.

    Raises:
        FileNotFoundError: for a folder without photos.
        TypeError: for what is no photo at all.
    """
    listed: list[Any] = [sources] if is_photo(sources) else list(sources)  # type: ignore[arg-type]
    photos: list[Photo] = []
    for source in listed:
        if not is_photo(source):
            msg = (
                "Expected a photo as a path, bytes, a Pillow image or an array (H, W, 3), "
                f"got {type(source).__name__}"
            )
            raise TypeError(msg)
        if isinstance(source, (str, Path)) and Path(source).is_dir():
            photos += photos_in(Path(source))
        elif isinstance(source, (str, Path)):
            photos.append(Photo(Path(source).name, Path(source)))
        else:
            photos.append(Photo(f"photo {first + len(photos)}", source))
    return photos


def is_photo(source: object) -> bool:
    """Whether something is one photo, or one folder, and no list of them."""
    return isinstance(source, (str, Path, bytes, Image.Image, np.ndarray))


def photos_in(folder: Path) -> list[Photo]:
    """The photos of a folder and of the folders in it, 2 before 10.

    Raises:
        FileNotFoundError: when there is none.
    """
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not found:
        msg = f"Expected photos ({', '.join(READ)}) in {folder}, but there is none"
        raise FileNotFoundError(msg)
    names = {path.relative_to(folder).as_posix(): path for path in found}
    return [Photo(name, names[name]) for name in sorted(names, key=_natural)]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    parts = (part for part in _DIGITS.split(name) if part)
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]


def model_input(source: PhotoSource, resize: ResizeSettings, preprocessing: Preprocessing) -> Bytes:
    """What a model is shown of a photo: the same pixels as in its training.

    Args:
        source: the photo.
        resize: how 1-resize made the photos of the training small.
        preprocessing: the input of the model.

    Returns:
        (height, width, 3) bytes, RGB, upright.

    Raises:
        ImageRefusedError: absent, empty, damaged, truncated, animated, too large, too small, or
            of a kind that is not read. Its `reason` says which.
    """
    data = photo_bytes(source, resize.max_megapixels)
    try:
        small = data if is_small(data, resize) else small_jpeg(data, resize)
        return preprocessing.apply(small)
    except ImageRefusedError as error:
        raise _named(error, data) from error


def _named(error: ImageRefusedError, data: bytes) -> ImageRefusedError:
    """A refusal that says what the file is, where it is known: animated GIFs, TIFFs and so on."""
    if error.reason != Reason.NOT_AN_IMAGE:
        return error
    kind = next((name for start, name in _FORMATS.items() if data.startswith(start)), "")
    if data[4:12] in (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"):
        kind = "a HEIC or AVIF"
    if kind == "a GIF":
        return ImageRefusedError(Reason.ANIMATED, f"a GIF, which is not read. {HINT}")
    detail = f"{kind}, which is not read" if kind else error.detail
    return ImageRefusedError(error.reason, f"{detail}. {HINT}")


def photo_bytes(source: PhotoSource, max_megapixels: float = 100.0) -> bytes:
    """The bytes of a photo's file; of images and arrays those of a PNG, which loses nothing.

    Raises:
        ImageRefusedError: when there is no such file, it is too large, or the image is of a kind
            that is not read.
    """
    if isinstance(source, np.ndarray):
        return _png(_checked_array(source, max_megapixels))
    if isinstance(source, Image.Image):
        return _png(_pixels(source, max_megapixels))
    limit = max_megapixels * 1e6 * BYTES_PER_PIXEL
    if isinstance(source, bytes):
        size = len(source)
    else:
        try:
            size = Path(source).stat().st_size
        except OSError as error:
            raise ImageRefusedError(Reason.ABSENT, error.strerror or str(error)) from error
    if size > limit:
        raise ImageRefusedError(Reason.TOO_LARGE, f"a file of {size} bytes")
    if isinstance(source, bytes):
        return source
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise ImageRefusedError(Reason.ABSENT, error.strerror or str(error)) from error


def _pixels(image: Image.Image, max_megapixels: float) -> NDArray[Any]:
    """The upright pixels of a Pillow image, without its metadata."""
    if getattr(image, "n_frames", 1) > 1:
        detail = f"a {image.format or 'Pillow image'} of {image.n_frames} frames"  # type: ignore[attr-defined]
        raise ImageRefusedError(Reason.ANIMATED, detail)
    _check_megapixels(image.width, image.height, max_megapixels)
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in _WITH_ALPHA:
            return np.asarray(upright.convert("RGBA"))
        if upright.mode in _OTHER_COLOURS or upright.mode == "1":
            return np.asarray(upright.convert("RGB"))
        if upright.mode in _PLAIN or upright.mode.startswith("I;16"):
            return _checked_array(np.asarray(upright), max_megapixels)
    except (OSError, SyntaxError, EOFError) as error:
        raise ImageRefusedError(Reason.DAMAGED, str(error)) from error
    detail = f"a Pillow image of mode {image.mode!r}: expected 8 or 16 bits a channel"
    raise ImageRefusedError(Reason.NOT_AN_IMAGE, detail)


def _checked_array(array: NDArray[Any], max_megapixels: float) -> NDArray[Any]:
    is_image = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3, 4))
    if not is_image or array.dtype not in (np.uint8, np.uint16) or array.size == 0:
        detail = (
            "expected an array (H, W), (H, W, 3) RGB or (H, W, 4) of uint8 or uint16, "
            f"got {array.shape} of {array.dtype}"
        )
        raise ImageRefusedError(Reason.NOT_AN_IMAGE, detail)
    _check_megapixels(array.shape[1], array.shape[0], max_megapixels)
    return array


def _check_megapixels(width: int, height: int, limit: float) -> None:
    if width * height > limit * 1e6:
        detail = f"{width} x {height} is over {limit:g} megapixels"
        raise ImageRefusedError(Reason.TOO_LARGE, detail)


def _png(rgb: NDArray[Any]) -> bytes:
    """A PNG of pixels: grey, RGB or RGBA, of 8 or 16 bits."""
    if rgb.ndim == 3 and rgb.shape[2] >= 3:
        bgr = np.ascontiguousarray(rgb[..., [2, 1, 0, 3][: rgb.shape[2]]])
    else:
        bgr = np.ascontiguousarray(rgb)
    return cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()


def is_small(data: bytes, resize: ResizeSettings) -> bool:
    """Whether a file is what 1-resize writes: a JPEG of its size and its quantisation.

    Making it small again would compress it twice, and the model would see other pixels than it
    did in its training.
    """
    header = read_header(data)
    if header.format != "JPEG" or header.orientation != 1:
        return False
    if (header.width, header.height) != (resize.width, resize.height):
        return False
    return _quantisation(data) == _reference_quantisation(resize.quality)


def _quantisation(data: bytes) -> tuple[tuple[int, ...], ...]:
    with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
        tables: dict[int, Sequence[int]] = getattr(image, "quantization", {})
        return tuple(tuple(tables[key]) for key in sorted(tables))


@cache
def _reference_quantisation(quality: int) -> tuple[tuple[int, ...], ...]:
    encoded = cv2.imencode(
        ".jpg", np.zeros((16, 16, 3), np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )[1]
    return _quantisation(encoded.tobytes())
