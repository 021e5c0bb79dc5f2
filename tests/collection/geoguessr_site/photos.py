"""What a photo of the stand-in tells: its place's number, and whether anything else is on it."""

import io

import cv2
import numpy as np

BITS = 16
GREEN = (0, 255, 0)
MAGENTA = (255, 0, 255)


def shown_number(photo: bytes) -> int:
    """The number of the place that a photo shows, from its row of blocks.

    Raises:
        AssertionError: the photo is not that of a settled view alone: of another size, a tile is
            not sharp yet, or something else is on it.
    """
    image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, "no photo"
    assert image.shape == (720, 1280, 3), "a photo of another size"
    rgb = image[:, :, ::-1].astype(int)
    for tile in range(8):
        x, y = 320 * (tile % 4) + 28, 360 * (tile // 4) + 28
        assert np.abs(rgb[y, x] - GREEN).max() < 60, f"tile {tile} is not sharp"
    assert (np.abs(rgb - MAGENTA).max(axis=2) < 40).mean() < 1e-4, "something else is on the photo"
    return number_in(photo)


def number_in(photo: bytes) -> int:
    """The number that the row of blocks of a photo tells, whatever else is on it."""
    grey = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert grey is not None, "no photo"
    step = 1280 // BITS
    row = grey[420, step // 2 :: step] > 128
    return sum(int(is_set) << bit for bit, is_set in enumerate(row))


def has_exif(photo: bytes) -> bool:
    """Whether a JPEG holds EXIF."""
    return b"Exif\0\0" in io.BytesIO(photo).read(65536)
