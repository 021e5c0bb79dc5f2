"""One photo of any size to a small one: what is kept of it, how it is averaged, which way is up.

Sizes are pixels, `width` before `height`. Images are `(height, width, 3)`, blue, green, red.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from shared.processing.decode import (
    ImageHeader,
    ImageRefusedError,
    Pixels,
    Reason,
    decode,
    read_header,
    turn_upright,
)


@dataclass(frozen=True, slots=True)
class ResizeSettings:
    """What every output looks like.

    `fit` is `"crop"` (fill the size, cut what is too much evenly from both sides) or `"pad"` (show
    the whole photo, black beside it); the aspect is kept either way. A photo that would have to be
    enlarged by more than `max_enlargement` is refused as too small, so that all outputs have one
    size. A photo of more than `max_megapixels` is refused before it is decoded.
    """

    width: int = 320
    height: int = 180
    fit: str = "crop"
    quality: int = 90
    max_enlargement: float = 2.0
    max_megapixels: float = 100.0

    def __post_init__(self) -> None:
        if self.fit not in ("crop", "pad"):
            msg = f"fit: expected 'crop' or 'pad', got {self.fit!r}"
            raise ValueError(msg)
        if min(self.width, self.height) < 1:
            msg = f"expected a size of at least 1 x 1 pixels, got {self.width} x {self.height}"
            raise ValueError(msg)
        if not 1 <= self.quality <= 100:
            msg = f"quality: expected a JPEG quality of 1 to 100, got {self.quality}"
            raise ValueError(msg)
        if self.max_enlargement < 1 or self.max_megapixels <= 0:
            msg = (
                "expected max_enlargement of at least 1 and max_megapixels above 0, "
                f"got {self.max_enlargement} and {self.max_megapixels}"
            )
            raise ValueError(msg)


def resize_image(data: bytes, settings: ResizeSettings) -> Pixels:
    """One photo at the size that is asked for.

    The fast path decodes a JPEG at 1/2, 1/4 or 1/8, as long as that is no smaller than what is
    needed, and averages over areas (`INTER_AREA`) from there.

    Args:
        data: the bytes of a JPEG, PNG or WebP file.
        settings: size, fit and limits.

    Returns:
        (height, width, 3) blue, green, red, upright.

    Raises:
        ImageRefusedError: unreadable, too large, too small or animated.
    """
    header = read_header(data)
    target, scale = stored_target(header, settings)
    _check_size(header, settings, scale)
    image = decode(data, header, _reduction(scale))
    small = _cropped(image, target) if settings.fit == "crop" else _padded(image, target)
    return turn_upright(small, header.orientation)


def stored_target(header: ImageHeader, settings: ResizeSettings) -> tuple[tuple[int, int], float]:
    """The size asked for as the file stores its image, and how many times larger a photo becomes.

    A photo stored on its side is made small on its side, and turned when it is small.
    """
    target = (settings.width, settings.height)
    if header.orientation >= 5:
        target = target[::-1]
    if min(header.width, header.height) < 1:
        raise ImageRefusedError(Reason.DAMAGED, f"a size of {header.width} x {header.height}")
    ratios = target[0] / header.width, target[1] / header.height
    return target, max(ratios) if settings.fit == "crop" else min(ratios)


def _check_size(header: ImageHeader, settings: ResizeSettings, scale: float) -> None:
    size = f"{header.width} x {header.height}"
    if header.width * header.height > settings.max_megapixels * 1e6:
        detail = f"{size} is over {settings.max_megapixels:g} megapixels"
        raise ImageRefusedError(Reason.TOO_LARGE, detail)
    if scale > settings.max_enlargement:
        detail = (
            f"{size} would be enlarged {scale:.2f} times, "
            f"at most {settings.max_enlargement:g} is allowed"
        )
        raise ImageRefusedError(Reason.TOO_SMALL, detail)


def _reduction(scale: float) -> int:
    """The largest of 8, 4, 2, 1 at which a JPEG is decoded no smaller than it is needed."""
    return next((n for n in (8, 4, 2) if scale * n <= 1), 1)


def _cropped(image: Pixels, target: tuple[int, int]) -> Pixels:
    height, width = image.shape[:2]
    scale = max(target[0] / width, target[1] / height)
    used_width = min(width, max(1, round(target[0] / scale)))
    used_height = min(height, max(1, round(target[1] / scale)))
    left, top = (width - used_width) // 2, (height - used_height) // 2
    return _scaled(image[top : top + used_height, left : left + used_width], target)


def _padded(image: Pixels, target: tuple[int, int]) -> Pixels:
    height, width = image.shape[:2]
    scale = min(target[0] / width, target[1] / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (target[0] - size[0]) // 2, (target[1] - size[1]) // 2
    padded = np.zeros((target[1], target[0], 3), np.uint8)
    padded[top : top + size[1], left : left + size[0]] = _scaled(image, size)
    return padded


def _scaled(image: Pixels, size: tuple[int, int]) -> Pixels:
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    shrinks = size[0] <= width and size[1] <= height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=method), np.uint8)
