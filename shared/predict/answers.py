"""What is answered about a photo: countries, regions, an area, and a point only where asked for.

Degrees, `(lat, lon)`, kilometres; probabilities between 0 and 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from shared.countries import name_of
from shared.partitions import Partition

CAUTION = (
    "A guess from pixels, not evidence of where a photo was taken. Do not use it to find people."
)
CAUTION_OF_POINTS = (
    "The point is one place out of the area, chosen because a point was asked for; the true place "
    "is nearly never there."
)


MOST_LISTED = 300  # classes of an area in JSON, the most probable; a spread has thousands of cells


@dataclass(frozen=True)
class Guess:
    """A country, region or cell with its probability."""

    code: str
    name: str
    probability: float


@dataclass(frozen=True)
class Area:
    """The fewest classes that hold a share of the probability.

    Attributes:
        level: the share asked for.
        held: the share that they hold, at least `level`.
        kind: `"countries"`, `"regions"`, `"grid cells"`, `"cities"`; `"cells"` of the whole Earth.
        classes: the classes, the most probable first.
        countries: the codes of the countries that they lie in, the most probable first.
        km2: their area, or None where the outline of one is not known.
    """

    level: float
    held: float
    kind: str
    classes: tuple[Guess, ...]
    countries: tuple[str, ...]
    km2: float | None

    def text(self, most: int = 4) -> str:
        """The area in words, such as "France, Spain and 2 more countries: 1,045,000 km2"."""
        is_cells = self.kind == "cells"
        names = [name_of(c) for c in self.countries] if is_cells else [g.name for g in self.classes]
        shown = ", ".join(names[:most])
        more = len(names) - most
        what = "countries" if is_cells else self.kind
        text = f"{shown} and {more} more {what}" if more > 0 else shown
        if self.km2 is None:
            return text
        return f"{'within ' if is_cells else ''}{text}: {rounded_km2(self.km2)} km²"


@dataclass(frozen=True)
class Pin:
    """An exact point, which only who asks for it is given.

    Attributes:
        lat: latitude, degrees.
        lon: longitude, degrees.
        how: how it follows from the probabilities.
        expected_km: the distance to the true place that the model expects; None: it cannot tell.
    """

    lat: float
    lon: float
    how: str
    expected_km: float | None


@dataclass(frozen=True)
class Answer:
    """What a model says of a photo, or of several views of one place.

    Attributes:
        name: of the photo or the place.
        photos: the names of the photos that were looked at.
        countries: the most probable, best first; of a model without a spread the one it points at,
            with a probability of None in the files.
        regions: the most probable regions, grid cells or cities; empty for models without them.
        area: the smallest area that holds most of the probability; None for models without spread.
        pin: a point, when it was asked for.
    """

    name: str
    photos: tuple[str, ...]
    countries: tuple[Guess, ...]
    regions: tuple[Guess, ...]
    area: Area | None
    pin: Pin | None = None

    def text(self) -> str:
        """The answer in a sentence or two."""
        best = self.countries[0]
        if self.area is None:
            text = f"{best.name}; this model gives no probabilities, so how sure it is is unknown."
        else:
            text = f"{best.name} ({100 * best.probability:.0f} %). "
            text += f"With {100 * self.area.held:.0f} % in {self.area.text()}."
        if self.pin is not None:
            text += f" Point (as asked for): {self.pin.lat:.4f}, {self.pin.lon:.4f}."
        return text


@dataclass(frozen=True)
class Answers:
    """The answers to a request.

    Attributes:
        answers: one for each photo, or place, that could be read, in the order asked.
        refused: photo -> why it was refused.
        model: what is said of the model: task, backbone, number of classes, calibration.
        classes: the classes that areas are made of; None for models without spread.
        probabilities: (N, K) of these classes, a row an answer; None as well.
    """

    answers: tuple[Answer, ...]
    refused: Mapping[str, str]
    model: Mapping[str, Any]
    classes: Partition | None = field(default=None, repr=False)
    probabilities: Any = field(default=None, repr=False)

    def __len__(self) -> int:
        """How many answers there are."""
        return len(self.answers)

    def __iter__(self) -> Iterator[Answer]:
        """The answers in order."""
        return iter(self.answers)

    def __getitem__(self, row: int) -> Answer:
        """One answer."""
        return self.answers[row]

    @property
    def has_pins(self) -> bool:
        """Whether points were asked for."""
        return any(answer.pin is not None for answer in self.answers)

    @property
    def cautions(self) -> list[str]:
        """What must be said beside the answers."""
        said = [CAUTION]
        if not self.model["is_calibrated"] and self.classes is not None:
            said.append("The probabilities are not calibrated: they may be too sure.")
        if self.has_pins:
            said.append(CAUTION_OF_POINTS)
        return said


def as_dict(answer: Answer) -> dict[str, Any]:
    """An answer for JSON: plain lists and numbers, probabilities to 6 decimals."""
    area = None
    if answer.area is not None:
        area = {
            "level": answer.area.level,
            "held": round(answer.area.held, 6),
            "kind": answer.area.kind,
            "count": len(answer.area.classes),
            "classes": _guesses(answer.area.classes[:MOST_LISTED]),
            "countries": list(answer.area.countries),
            "km2": None if answer.area.km2 is None else round(answer.area.km2),
        }
    return {
        "name": answer.name,
        "photos": list(answer.photos),
        "countries": _guesses(answer.countries, answer.area is not None),
        "regions": _guesses(answer.regions),
        "area": area,
        "point": None if answer.pin is None else asdict(answer.pin),
    }


def _guesses(guesses: Sequence[Guess], has_probability: bool = True) -> list[dict[str, Any]]:
    return [
        {
            "code": guess.code,
            "name": guess.name,
            "probability": round(guess.probability, 6) if has_probability else None,
        }
        for guess in guesses
    ]


def rounded_km2(km2: float) -> str:
    """An area to two digits or so: more would be pretence."""
    digits = max(0, len(f"{km2:.0f}") - 3)
    return f"{round(km2, -digits):,.0f}"
