"""What players answered: one file a player, a JSON line an event, appended and never rewritten.

`{"event": "session", "session", "player", "experience", "dataset", "list_digest", "size"}` begins a
session, `{"event": "shown", "session", "id"}` says that a photo was shown, and `{"event": "answer",
"session", "id", "typed", "answers", "seconds", "size"}` what was answered: codes of countries, the
first guess first. A photo that was shown is never shown to that player again, answered or not.
"""

import hashlib
import json
import logging
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from shared.countries import fold
from shared.data_loader.places import locked

logger = logging.getLogger(__name__)

EXPERIENCES = (
    "I have never played such a game",
    "I have played now and then",
    "I play often",
    "I play in tournaments",
)
MOST_ANSWERS = 5
LONGEST_NAME = 40
ANSWER_COLUMNS = ["player", "experience", "session", "id", "answers", "seconds", "size"]


def player_name(name: str) -> str:
    """A player's name as it is kept: without odd spaces and signs that cannot be seen.

    Raises:
        ValueError: when nothing is left of it, or it is too long.
    """
    visible = "".join(c for c in unicodedata.normalize("NFKC", name) if c.isprintable())
    tidy = " ".join(visible.split())
    if not tidy or len(tidy) > LONGEST_NAME:
        msg = f"Expected a name of 1 to {LONGEST_NAME} characters, got {len(tidy)}"
        raise ValueError(msg)
    return tidy


@dataclass(frozen=True)
class PlayerFile:
    """The events of one player. Names that differ in case or accents alone are one player."""

    folder: Path
    player: str

    @property
    def path(self) -> Path:
        """The file; its name keeps what is harmless of the player's, and a digest tells the rest.

        A name of signs that `fold` drops altogether is known by the digest alone.
        """
        folded = fold(self.player) or self.player.casefold()
        plain = "-".join("".join(c if c.isascii() else " " for c in folded).split())
        digest = hashlib.sha256(folded.encode()).hexdigest()[:10]
        return self.folder / f"{plain[:30]}-{digest}.jsonl"

    def events(self) -> list[dict[str, Any]]:
        """All events, in order. A line cut by a kill is passed over, with a warning."""
        return read_events(self.path)

    def append(self, event: Mapping[str, Any]) -> None:
        """Add an event; it is on the disk when this returns."""
        with locked(str(self.path)):
            self._append(event)

    def take(self, order: Sequence[str], session: int) -> str | None:
        """The first photo of an order that this player was not shown, noted as shown from now on.

        Two windows of one player never get the same photo.

        Args:
            order: the ids of the photos.
            session: the number of the session.

        Returns:
            The id, or None when all were shown.
        """
        with locked(str(self.path)):
            seen = {event["id"] for event in self.events() if event["event"] == "shown"}
            found = next((name for name in order if name not in seen), None)
            if found is not None:
                self._append({"event": "shown", "session": session, "id": found})
        return found

    def begin(self, facts: Mapping[str, Any]) -> int:
        """Begin a session; its number, from 1."""
        with locked(str(self.path)):
            known = [event["session"] for event in self.events() if event["event"] == "session"]
            session = max(known, default=0) + 1
            self._append({"event": "session", "session": session, "player": self.player, **facts})
        return session

    def _append(self, event: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(event, ensure_ascii=False) + "\n"
        with self.path.open("a+b") as file:
            if file.tell() > 0:
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a line cut by a kill ends here
                    line = "\n" + line
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a file, none where there is no such file."""
    if not path.is_file():
        return []
    events = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            logger.warning("%s, line %d: cut off, passed over", path.name, number)
            continue
        if isinstance(event, dict) and "event" in event:
            events.append(event)
    return events


def read_sessions(folder: Path, list_digest: str = "") -> tuple[pd.DataFrame, int]:
    """All answers of all players.

    Args:
        folder: where the files of the players lie.
        list_digest: sessions on another test list are left out; "": on any.

    Returns:
        `player, experience, session, id, answers, seconds, size`, a row an answer; and how many
        photos were shown and left without one.
    """
    rows, n_left = [], 0
    for path in sorted(folder.glob("*.jsonl")):
        sessions: dict[int, dict[str, Any]] = {}
        player = ""  # as it was first written in this file
        shown: set[tuple[int, str]] = set()
        for event in read_events(path):
            number = int(event["session"])
            if event["event"] == "session":
                player = player or str(event["player"])
                if not list_digest or event.get("list_digest") == list_digest:
                    sessions[number] = event
            elif number not in sessions:
                continue
            elif event["event"] == "shown":
                shown.add((number, str(event["id"])))
            elif event["event"] == "answer":
                shown.discard((number, str(event["id"])))
                experience = sessions[number].get("experience", "")
                rows.append({**event, "player": player, "experience": experience})
        n_left += len(shown)
    table = pd.DataFrame(rows, columns=ANSWER_COLUMNS)
    return table.drop_duplicates(["player", "id"], ignore_index=True), n_left
