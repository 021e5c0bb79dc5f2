"""The game that people play on the photos of a test: which photo comes, and what is right.

A player is shown one view of a place at most: a second view would be known from the first answer.
Everybody is shown the photos in the same order, so that players are compared on the same ones.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from shared.countries import UnknownCountryError, code_of, name_of
from shared.data_loader import Pair, stable_order
from shared.evaluation.human_sessions import MOST_ANSWERS, PlayerFile, player_name
from shared.training.images import Bytes, Preprocessing, read_image

DEPTHS = (1, 3, 5)
LOOKS_ALIKE = 75.0  # of 100: less is no help to who mistyped
SHOWN_WIDTH = 960  # pixels on the screen: enlarging adds nothing that the model does not have


@dataclass(frozen=True)
class GamePhoto:
    """A photo of the test: its place and what is true of it; NaN coordinates are not known."""

    id: str
    place: str
    path: Path
    code: str
    lat: float
    lon: float


def choose_photos(pairs: Sequence[Pair], truth: pd.DataFrame, seed: int) -> list[GamePhoto]:
    """One photo a place, in the order in which everybody is shown them.

    Args:
        pairs: the photos of the test.
        truth: `place`, `code`, `lat`, `lon`, by id (`shared.evaluation.inputs.truth_of`).
        seed: decides the order, and which view of a place is shown.
    """
    paths = {pair.id: pair.image for pair in pairs}
    found: dict[str, GamePhoto] = {}
    for name in stable_order(paths, seed):
        row: dict[Any, Any] = truth.loc[name].to_dict()
        place = str(row["place"])
        if place not in found:
            point = float(row["lat"]), float(row["lon"])
            found[place] = GamePhoto(name, place, paths[name], str(row["code"]), *point)
    return list(found.values())


@dataclass(frozen=True)
class Outcome:
    """What became of an answer.

    Attributes:
        photo: the photo.
        answers: the codes that were answered, the first guess first.
        rank: how many wrong countries stood before the right one; None when it is not among them.
    """

    photo: GamePhoto
    answers: tuple[str, ...]
    rank: int | None


@dataclass
class Game:
    """One player's session.

    Attributes:
        photos: the photos in order, of `choose_photos`.
        player: the player's file.
        session: the number of the session.
        preprocessing: the size of the models' inputs, at which photos are shown.
    """

    photos: list[GamePhoto]
    player: PlayerFile
    session: int
    preprocessing: Preprocessing
    clock: Callable[[], float] = time.monotonic
    current: GamePhoto | None = None
    _since: float = 0.0
    _was_larger: bool = field(default=False)

    def next(self) -> GamePhoto | None:
        """Go to the next photo; None when the player has seen all."""
        found = self.player.take([photo.id for photo in self.photos], self.session)
        self.current = next((photo for photo in self.photos if photo.id == found), None)
        self._since, self._was_larger = self.clock(), False
        return self.current

    def picture(self, larger: bool = False) -> Bytes:
        """The current photo for the screen: as large as the models see it, or as it is stored.

        Args:
            larger: show it as it is stored; that this was done is noted with the answer.

        Returns:
            (H, W, 3) RGB bytes, enlarged evenly to `SHOWN_WIDTH`.
        """
        photo = self._photo()
        self._was_larger = self._was_larger or larger
        image = read_image(photo.path) if larger else self.preprocessing.read(photo.path)
        height = round(SHOWN_WIDTH * image.shape[0] / image.shape[1])
        method = cv2.INTER_CUBIC if image.shape[1] < SHOWN_WIDTH else cv2.INTER_AREA
        return np.asarray(cv2.resize(image, (SHOWN_WIDTH, height), interpolation=method), np.uint8)

    def answer(self, typed: Sequence[str]) -> Outcome:
        """Answer the current photo and store it.

        Args:
            typed: up to five countries as the player wrote them, the first guess first; none means
                that the player has no idea.

        Raises:
            UnknownCountryError: for a name that is no country: nothing is stored.
            ValueError: for more than five names, or when no photo waits for an answer.
        """
        photo = self._photo()
        answers = read_names(typed)
        size = "stored" if self._was_larger else self.preprocessing.name
        self.player.append(
            {
                "event": "answer",
                "session": self.session,
                "id": photo.id,
                "typed": list(typed),
                "answers": list(answers),
                "seconds": round(self.clock() - self._since, 2),
                "size": size,
            }
        )
        self.current = None
        rank = answers.index(photo.code) if photo.code in answers else None
        return Outcome(photo, answers, rank)

    def score(self) -> dict[int, tuple[int, int]]:
        """Depth -> (right, answered) of all that this player has answered of these photos."""
        truth = {photo.id: photo.code for photo in self.photos}
        events = [e for e in self.player.events() if e["event"] == "answer" and e["id"] in truth]
        return {
            depth: (sum(truth[e["id"]] in e["answers"][:depth] for e in events), len(events))
            for depth in DEPTHS
        }

    def _photo(self) -> GamePhoto:
        if self.current is None:
            msg = "Expected a photo that waits for an answer, but there is none: ask for the next"
            raise ValueError(msg)
        return self.current


def read_names(typed: Sequence[str]) -> tuple[str, ...]:
    """The codes of countries as people write them, each once, in their order.

    Raises:
        UnknownCountryError: for a name that is no country.
        ValueError: for more than five.
    """
    codes = dict.fromkeys(code_of(name) for name in typed if name.strip())
    if len(codes) > MOST_ANSWERS:
        msg = f"Expected at most {MOST_ANSWERS} countries, got {len(codes)}"
        raise ValueError(msg)
    return tuple(codes)


def kindly(error: UnknownCountryError) -> str:
    """What a player is told of a name that is no country."""
    looks = [name_of(s.code) for s in error.suggestions if s.score >= LOOKS_ALIKE]
    hint = f" Did you mean {' or '.join(looks)}?" if looks else ""
    return f"I know no country called “{error.name}”.{hint} Nothing was counted; try again."


def begin(
    photos: list[GamePhoto],
    folder: Path,
    name: str,
    experience: str,
    preprocessing: Preprocessing,
    facts: dict[str, Any],
) -> Game:
    """Begin a player's session, or go on with what an earlier one left.

    Args:
        photos: of `choose_photos`.
        folder: where the players' files lie.
        name: the player's name, of their choice.
        experience: one of `EXPERIENCES`.
        preprocessing: the size of the models' inputs.
        facts: more for the session's line: `dataset`, `list_digest`.

    Raises:
        ValueError: for a name that is empty or too long.
    """
    player = PlayerFile(folder, player_name(name))
    size = preprocessing.name
    session = player.begin({"experience": experience, "size": size, **facts})
    return Game(photos, player, session, preprocessing)
