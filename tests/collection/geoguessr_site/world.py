"""Places and pictures of the stand-in: those of the demo world. Degrees `(lat, lon)`."""

import io
from functools import cached_property

import cv2
import numpy as np

from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_plan import DemoSettings, PlannedPlace, PlannedView, plan_places
from shared.collection.demo_world import paint_pair

N_PICTURES = 12  # painted ones; a row of blocks in each view tells its place apart from others
BITS = 16
GREEN = (0, 255, 0)
MAGENTA = (255, 0, 255)


class World:
    """Places with a number each, and pictures."""

    def __init__(self, n_places: int, n_countries: int = 60) -> None:
        self.settings = DemoSettings(
            n_places=n_places, n_multiplayer=n_countries, faults={}, repeated_places=0.0
        )
        self._pictures: dict[int, bytes] = {}

    @cached_property
    def places(self) -> list[PlannedPlace]:
        """Of singleplayer: by number."""
        return plan_places(self.settings, "singleplayer")

    @cached_property
    def countries(self) -> list[str]:
        """Of multiplayer: the countries' names, by number."""
        found = plan_places(self.settings, "multiplayer")
        return [COUNTRIES[place.code].written for place in found]

    def picture(self, number: int) -> bytes:
        """A JPEG of 640 x 360."""
        if number not in self._pictures:
            place = self.places[number]
            view = PlannedView(f"{place.id}_0", place, place, 0, "")
            self._pictures[number] = paint_pair(view, self.settings)[".jpg"]
        return self._pictures[number]


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
