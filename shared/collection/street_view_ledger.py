"""The ledger of street views: what was answered, what was tried and may have been charged.

Two files of JSON lines beside the pairs, hidden from the data-loader. A line is written before each
request that is charged and another after it, so that a run that was killed between the two knows
that it may have paid. Deleting them forgets what was paid, and asks for everything anew.
"""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from shared.collection.street_view_client import MISSING, StreetViewError
from shared.collection.street_view_service import Panorama
from shared.paths import shown

LEDGER_NAME = ".street-view-ledger.jsonl"
ANSWERS_NAME = ".street-view-answers.jsonl"
SAVED, NONE_THERE, NOT_CHARGED = "saved", "missing", "not charged"
TINY_USD = 1e-9

Asked = tuple[float, float, float, str]  # latitude, longitude, radius (m), source


class BillError(StreetViewError):
    """What a collection costs, or could cost, is more than was confirmed."""


@dataclass(frozen=True)
class Bill:
    """What a collection costs.

    Attributes:
        n_photos: still to be taken.
        price_usd: of one.
        spent_usd: on what was tried before, in all runs: what may have been charged counts.
        n_uncertain: requests of earlier runs that were cut off: they may have been charged.
    """

    n_photos: int
    price_usd: float
    spent_usd: float = 0.0
    n_uncertain: int = 0

    @property
    def to_pay_usd(self) -> float:
        """What the photos that are still to be taken cost."""
        return self.n_photos * self.price_usd

    @property
    def total_usd(self) -> float:
        """What the data set costs in all, which is what has to be confirmed."""
        return self.spent_usd + self.to_pay_usd

    @property
    def to_confirm_usd(self) -> float:
        """The total, rounded up to whole cents."""
        return math.ceil(round(self.total_usd * 100, 6)) / 100

    def is_confirmed(self, confirm_usd: float) -> bool:
        """Whether a confirmed sum covers all of it."""
        return self.total_usd <= confirm_usd + TINY_USD

    def __str__(self) -> str:
        photos = f"{self.n_photos:,} photos to take x {self.price_usd:g} USD"
        lines = [f"{photos} = {self.to_pay_usd:,.2f} USD"]
        if self.spent_usd:
            lines.append(f"spent before: {self.spent_usd:,.2f} USD")
        if self.n_uncertain:
            lines.append(
                f"{self.n_uncertain:,} requests of earlier runs were cut off and may have been "
                "charged: they count as spent, and those photos are asked for again"
            )
        lines.append(f"in all: {self.total_usd:,.2f} USD")
        return "\n".join(lines)


class Ledger:
    """The ledger of one folder."""

    def __init__(self, folder: Path, camera: Mapping[str, object]) -> None:
        """Read what is there.

        Args:
            folder: where the pairs lie.
            camera: how photos are taken; all photos of a folder are taken alike.

        Raises:
            StreetViewError: the photos there were taken otherwise, or a line is broken.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / LEDGER_NAME
        self._answers_path = folder / ANSWERS_NAME
        self.answers = {_asked(line["asked"]): _answer(line) for line in _lines(self._answers_path)}
        self._tries: dict[int, tuple[str, float]] = {}
        self._ends: dict[int, str] = {}
        self.spent_usd = 0.0  # what was charged, or may have been
        for line in _lines(self.path):
            self._read(line, camera)
        if not self.path.exists():
            _append(self.path, {"camera": dict(camera)})

    def _read(self, line: Mapping[str, Any], camera: Mapping[str, object]) -> None:
        if "camera" in line and line["camera"] != dict(camera):
            msg = (
                f"Expected photos taken with {line['camera']}, as those in "
                f"{shown(self.path.parent)}, but got {dict(camera)}: give the data set another name"
            )
            raise StreetViewError(msg)
        if "try" in line:
            self._note_try(int(line["try"]), str(line["photo"]), float(line["usd"]))
        if "end" in line:
            self._note_end(int(line["end"]), str(line["is"]))

    @property
    def n_tries(self) -> int:
        """Requests for photos that were ever sent, whatever came of them."""
        return len(self._tries)

    @property
    def n_open(self) -> int:
        """Requests whose end is not known: under way now, or cut off before."""
        return len(self._tries) - len(self._ends)

    def missing(self) -> set[str]:
        """The photos that the service said it does not have."""
        return {self._tries[n][0] for n, end in self._ends.items() if end == NONE_THERE}

    def settle(self, is_there: Callable[[str], bool]) -> None:
        """Count an open try as saved where it is its photo's last, and the photo is there."""
        last = {photo: number for number, (photo, _) in self._tries.items()}
        for photo, number in last.items():
            if number not in self._ends and is_there(photo):
                self._ends[number] = SAVED

    def begin(self, photo: str, usd: float, max_requests: int, confirm_usd: float) -> int:
        """Note that a photo is about to be asked for; the number of the try.

        Raises:
            BillError: the request would exceed the cap, or what was confirmed.
        """
        if self.n_tries >= max_requests:
            msg = (
                f"The cap of {max_requests:,} requests for photos is reached, in all runs of this "
                "data set together. What was taken is saved; raise max_requests to go on"
            )
            raise BillError(msg)
        if self.spent_usd + usd > confirm_usd + TINY_USD:
            msg = (
                f"One more photo would cost {self.spent_usd + usd:,.3f} USD in all (requests that "
                f"were cut off may have been charged), and {confirm_usd:,.3f} USD are confirmed. "
                "What was taken is saved; raise confirm_usd to go on"
            )
            raise BillError(msg)
        number = len(self._tries)
        _append(self.path, {"try": number, "photo": photo, "usd": usd})
        self._note_try(number, photo, usd)
        return number

    def end(self, number: int, outcome: str) -> None:
        """Note what became of a try: saved, missing or not charged."""
        _append(self.path, {"end": number, "is": outcome})
        self._note_end(number, outcome)

    def _note_try(self, number: int, photo: str, usd: float) -> None:
        self._tries[number] = photo, usd
        self.spent_usd = round(self.spent_usd + usd, 9)

    def _note_end(self, number: int, outcome: str) -> None:
        self._ends[number] = outcome
        if outcome == NOT_CHARGED:
            self.spent_usd = round(self.spent_usd - self._tries[number][1], 9)

    def note_answer(self, asked: Asked, answer: Panorama | str) -> None:
        """Note what the service knows of a place, so that it is not asked again."""
        what: dict[str, object] = {"status": answer}
        if isinstance(answer, Panorama):
            what = {"panorama": asdict(answer)}
        _append(self._answers_path, {"asked": list(asked), **what})
        self.answers[asked] = answer


def _asked(values: list[Any]) -> Asked:
    lat, lon, radius_m, source = values
    return float(lat), float(lon), float(radius_m), str(source)


def _answer(line: Mapping[str, Any]) -> Panorama | str:
    if "panorama" in line:
        return Panorama(**line["panorama"])
    status = str(line["status"])
    if status not in MISSING:
        msg = f"Expected one of {sorted(MISSING)} in {ANSWERS_NAME}, got {status!r}"
        raise StreetViewError(msg)
    return status


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file; a last one that was cut by a kill is taken off it."""
    if not path.exists():
        return
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) < len(data):
        with path.open("r+b") as file:
            file.truncate(len(whole))
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            found = json.loads(line)
        except ValueError as error:
            msg = f"{shown(path)}, line {number}: expected JSON, got {line[:60]!r}"
            raise StreetViewError(msg) from error
        yield found


def _append(path: Path, line: Mapping[str, object]) -> None:
    """One line in one write, which outlives the process (though not a power cut at once)."""
    data = (json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n").encode()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, data)
    finally:
        os.close(file)
