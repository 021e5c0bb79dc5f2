"""What the stand-in shows: places with their pictures. Degrees `(lat, lon)`."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_plan import DemoSettings, PlannedPlace, PlannedView, plan_places
from shared.collection.demo_world import paint_pair
from shared.data_loader import Pair, stable_order
from shared.geo import check_points

N_PICTURES = 12  # painted ones; a row of blocks in each view tells its place apart from others


class Spot(Protocol):
    """Where a place is."""

    @property
    def lat(self) -> float:
        """Latitude, degrees."""

    @property
    def lon(self) -> float:
        """Longitude, degrees."""


class World(Protocol):
    """Places by number.

    Attributes:
        is_marked: whether a view has the number of its place, and marks of its sharp tiles, on it.
    """

    is_marked: bool

    @property
    def places(self) -> Sequence[Spot]:
        """Of singleplayer."""

    @property
    def countries(self) -> Sequence[str]:
        """Of multiplayer: the countries' names; none where there is no such game."""

    def picture_of(self, place: int) -> int:
        """The number of the picture that a place has."""

    def picture(self, number: int) -> bytes:
        """A JPEG."""


class PaintedWorld:
    """Places of the demo world with a few painted pictures, each view marked with its number."""

    is_marked = True

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

    def picture_of(self, place: int) -> int:
        """Places take turns: few pictures are painted."""
        return place % N_PICTURES

    def picture(self, number: int) -> bytes:
        """A JPEG of 640 x 360."""
        if number not in self._pictures:
            place = self.places[number]
            view = PlannedView(f"{place.id}_0", place, place, 0, "")
            self._pictures[number] = paint_pair(view, self.settings)[".jpg"]
        return self._pictures[number]


@dataclass(frozen=True)
class PhotoSpot:
    """A photo and its true place.

    Attributes:
        path: of the JPEG.
        lat, lon: degrees.
    """

    path: Path
    lat: float
    lon: float


class PhotoWorld:
    """Photos of a data set at their true places, shown as they are."""

    is_marked = False
    countries: Sequence[str] = ()

    def __init__(self, photos: Sequence[Path], points: ArrayLike) -> None:
        """Take photos and their places.

        Args:
            photos: N files of JPEGs.
            points: (N, 2) latitudes and longitudes, degrees.

        Raises:
            ValueError: when the numbers differ, or there is no photo.
        """
        array = check_points(points).reshape(-1, 2)
        if len(array) != len(photos) or not photos:
            msg = (
                "Expected at least one photo and a place for each, got "
                f"{len(photos)} photos and {len(array)} places"
            )
            raise ValueError(msg)
        self.places = [
            PhotoSpot(path, float(lat), float(lon))
            for path, (lat, lon) in zip(photos, array, strict=True)
        ]

    @classmethod
    def of_pairs(cls, pairs: Sequence[Pair], records: pd.DataFrame, seed: int) -> "PhotoWorld":
        """A photo of each place, in an order that ids and seed decide.

        Args:
            pairs: JPEGs, with their records.
            records: of `read_records`: `lat`, `lon`, and `place` where views share one.
            seed: decides which view of a place is shown, and when.

        Raises:
            ValueError: no record has coordinates.
        """
        known = records.reindex(columns=["lat", "lon"]).dropna().index
        places = records["place"] if "place" in records else records.index.to_series()
        firsts: dict[str, str] = {}
        for name in stable_order([str(name) for name in known], seed):
            firsts.setdefault(str(places[name]), name)
        paths = {pair.id: Path(pair.image) for pair in pairs}
        chosen = list(firsts.values())
        points = records.reindex(index=chosen, columns=["lat", "lon"]).to_numpy(np.float64)
        return cls([paths[name] for name in chosen], points)

    def picture_of(self, place: int) -> int:
        """Each place has its own."""
        return place

    def picture(self, number: int) -> bytes:
        """The file of a photo."""
        return self.places[number].path.read_bytes()
