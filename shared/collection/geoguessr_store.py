"""Where rounds are kept: pairs, photos that still wait for their answer, and who plays which game.

A photo is written to `.waiting/` before the answer is known. With the answer, first the record
gets its name and then the photo is moved beside it, so a pair is there whole or not at all: of
what a kill leaves in between, the next run makes a whole pair again.
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from shared.data_loader import read_record, write_json
from shared.data_loader.files import write_bytes
from shared.data_loader.names import check_name

Mode = Literal["singleplayer", "multiplayer"]
MODES: tuple[Mode, ...] = ("singleplayer", "multiplayer")
PHOTO = ".jpg"


def as_mode(text: str) -> Mode:
    """A mode of play from its name.

    Raises:
        ValueError: there is none of this name.
    """
    for mode in MODES:
        if text == mode:
            return mode
    msg = f"Expected mode to be one of {MODES}, but got {text!r}"
    raise ValueError(msg)


def pair_id(mode: Mode, game: str, number: int) -> str:
    """Lost & Found's own ids, as the data-loader reads them: `singleplayer_<game id>_<round>`."""
    return check_name(f"{mode}_{game}_{number}", "of a round")


class RoundStore:
    """The pairs of a folder, and the photos that wait."""

    def __init__(self, folder: Path) -> None:
        """Make the folder whole: what a kill left between two renames is put right."""
        self.folder = folder
        self.waiting_folder = folder / ".waiting"
        self.waiting_folder.mkdir(parents=True, exist_ok=True)

    def recover(self) -> None:
        """Put right what a kill left; only where nobody else is at work in the folder."""
        for place in (self.folder, self.waiting_folder):
            for path in place.glob(".*.part"):
                path.unlink(missing_ok=True)
        for record in self.folder.glob("*.json"):
            if record.stem.startswith(MODES) and not self._photo(record.stem).exists():
                self._complete(record)

    def _complete(self, record: Path) -> None:
        waiting = self._waiting(record.stem)
        if waiting.exists():
            waiting.replace(self._photo(record.stem))
        else:
            record.unlink()

    def has(self, name: str) -> bool:
        """Whether there is a whole pair."""
        return self._photo(name).exists() and self.record_path(name).exists()

    def waits(self, name: str) -> bool:
        """Whether there is a photo that waits for its answer."""
        return self._waiting(name).exists()

    def waiting_photo(self, name: str) -> bytes:
        """A photo that waits for its answer."""
        return self._waiting(name).read_bytes()

    def keep_photo(self, name: str, photo: bytes) -> None:
        """Keep a photo until its answer is known; an earlier one of the same round is replaced."""
        write_bytes(self._waiting(name), photo)

    def drop_waiting(self, mode: Mode, game: str) -> int:
        """Drop all photos of a game that wait; how many there were."""
        waiting = list(self.waiting_folder.glob(f"{mode}_{game}_*{PHOTO}"))
        for path in waiting:
            path.unlink(missing_ok=True)
        return len(waiting)

    def drop_photo(self, name: str) -> None:
        """Drop a photo whose answer will not be known."""
        self._waiting(name).unlink(missing_ok=True)

    def save(self, name: str, record: Mapping[str, Any]) -> bool:
        """Make a pair of a photo that waits and its record.

        Returns:
            Whether it is new: a pair that is there is left as it is.

        Raises:
            FileNotFoundError: no photo waits under this name.
        """
        if self.has(name):
            self.drop_photo(name)
            return False
        if not self.waits(name):
            msg = f"Expected a photo at {self._waiting(name)}, found none: keep_photo comes first"
            raise FileNotFoundError(msg)
        write_json(self.record_path(name), dict(record))
        self._waiting(name).replace(self._photo(name))
        return True

    def correct(self, name: str, point: tuple[float, float]) -> bool:
        """Correct a record's coordinates; what was there before is kept in `coordinates_before`.

        Args:
            name: of the pair.
            point: latitude and longitude, degrees.

        Returns:
            Whether the record was wrong.
        """
        record = read_record(self.record_path(name))
        before = record.get("coordinates")
        if before == list(point):
            return False
        earlier = [*record.get("coordinates_before", []), before]
        write_json(
            self.record_path(name),
            {**record, "coordinates": list(point), "coordinates_before": earlier},
        )
        return True

    def record_path(self, name: str) -> Path:
        """Where the record of a pair lies."""
        return self.folder / f"{name}.json"

    def _photo(self, name: str) -> Path:
        return self.folder / f"{name}{PHOTO}"

    def _waiting(self, name: str) -> Path:
        return self.waiting_folder / f"{name}{PHOTO}"


class Ledger:
    """Which games are played, and by whom: each by one worker, of whatever process, and once.

    A game's file `<mode>_<id>.playing` is locked while it is played; a lock ends with its process,
    so the games of a killed run are free to be played on. `<mode>_<id>.done` ends a game.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / ".games"
        self.folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def claim(self, mode: Mode, game: str) -> Iterator[bool]:
        """Hold a game as long as it is played; false where it is done or another worker plays."""
        path = self.folder / f"{pair_id(mode, game, 0)}.playing"
        with path.open("a", encoding="utf-8") as file:
            is_mine = _locked(file.fileno()) and not self.is_done(mode, game)
            try:
                yield is_mine
            finally:
                if self.is_done(mode, game):
                    path.unlink(missing_ok=True)

    def finish(self, mode: Mode, game: str) -> None:
        """Say that a game is over: it is never played again."""
        write_bytes(self._done(mode, game), b"")

    def is_done(self, mode: Mode, game: str) -> bool:
        """Whether a game is over."""
        return self._done(mode, game).exists()

    def unfinished(self, mode: Mode) -> list[str]:
        """Games that were begun and are not over; whoever claims one may play it on."""
        names = sorted(path.stem for path in self.folder.glob(f"{mode}_*.playing"))
        games = [name.removeprefix(f"{mode}_").removesuffix("_0") for name in names]
        return [game for game in games if not self.is_done(mode, game)]

    def _done(self, mode: Mode, game: str) -> Path:
        return self.folder / f"{pair_id(mode, game, 0)}.done"


@contextmanager
def only_collector(folder: Path) -> Iterator[None]:
    """Hold a folder for one run.

    Raises:
        BlockingIOError: another run is at work in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a", encoding="utf-8") as file:
        if not _locked(file.fileno()):
            msg = f"Another run collects into {folder}: wait for it, or give it more workers"
            raise BlockingIOError(msg)
        yield


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def free_mb(folder: Path) -> float:
    """Free space of the disk that a folder is on, megabytes."""
    stat = os.statvfs(folder)
    return stat.f_bavail * stat.f_frsize / 1e6
