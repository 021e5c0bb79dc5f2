"""What bounds a run, and what it has done so far. Times are seconds."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from shared.collection.geoguessr_site import ROUNDS_A_GAME
from shared.collection.geoguessr_store import Mode, as_mode, free_mb
from shared.collection.geoguessr_view import Patience


@dataclass(frozen=True)
class Settings:
    """How much is collected, and how slowly.

    Attributes:
        mode: "singleplayer" or "multiplayer".
        max_games: no more games are begun or played on.
        max_minutes: no round is begun later than that.
        workers: pages that play side by side, with one account.
        stagger_s: each worker starts so much later than the one before.
        pause_s: after every round of a worker.
        rate_limit_s: waited when the site asks to wait; twice as long each further time in a row.
        retry_s: waited before anything else is tried again.
        tries: faults in a row, without a round in between, that a worker bears.
        timeout_s: waited for what is looked for on a page.
        answer_s: waited for the end of a multiplayer round.
        min_free_mb: the run stops where the disk has less left.
        patience: when a view counts as settled.
        headless: without a window; False shows what is played.
        executable: the browser's program; "" finds one.
    """

    mode: Mode = "singleplayer"
    max_games: int = 3
    max_minutes: float = 30.0
    workers: int = 1
    stagger_s: float = 20.0
    pause_s: float = 5.0
    rate_limit_s: float = 60.0
    retry_s: float = 5.0
    tries: int = 5
    timeout_s: float = 30.0
    answer_s: float = 180.0
    min_free_mb: float = 100.0
    patience: Patience = field(default_factory=Patience)
    headless: bool = True
    executable: str = ""

    def __post_init__(self) -> None:
        """Hold the settings to what makes sense.

        Raises:
            ValueError: names the setting, what was expected and what came.
        """
        as_mode(self.mode)
        for name in ("max_games", "workers", "tries"):
            _check(name, getattr(self, name), 1)
        for name in ("max_minutes", "stagger_s", "pause_s", "rate_limit_s", "retry_s"):
            _check(name, getattr(self, name), 0)
        _check("min_free_mb", self.min_free_mb, 1)


def _check(name: str, value: float, least: float) -> None:
    if not value >= least:
        msg = f"Expected {name} of at least {least}, but got {value}"
        raise ValueError(msg)


@dataclass(frozen=True)
class Report:
    """What a run did.

    Attributes:
        ids: the pairs that it saved, in order of time.
        times_s: when each was saved, from the run's start.
        failures: how many there were of each kind; all of them were got over.
        n_games: games that came to their end.
        n_left: games that another worker had played already.
        stopped: why it ended.
        wall_s: how long it took.
        own_s: processor time of this process; the rest of the time it waited for the page.
    """

    ids: Sequence[str]
    times_s: Sequence[float]
    failures: Counter[str]
    n_games: int
    n_left: int
    stopped: str
    wall_s: float
    own_s: float

    @property
    def rounds_an_hour(self) -> float:
        """How many rounds an hour of such a run brings."""
        return 3600 * len(self.ids) / self.wall_s

    @property
    def waiting(self) -> float:
        """The share of the time that was spent on waiting for the page."""
        return 1.0 - self.own_s / self.wall_s

    def as_json(self) -> dict[str, object]:
        """For the log of runs."""
        return {
            "ended": datetime.now(UTC).isoformat(timespec="seconds"),
            "rounds": len(self.ids),
            "games": self.n_games,
            "failures": dict(self.failures),
            "stopped": self.stopped,
            "seconds": round(self.wall_s, 1),
        }


class StopRun(Exception):
    """A limit was reached: no further round is begun."""


class Tally:
    """What the workers of a run have done so far."""

    def __init__(self) -> None:
        self._start, self._own = time.monotonic(), time.process_time()
        self.ids: list[str] = []
        self.times_s: list[float] = []
        self.failures: Counter[str] = Counter()
        self.n_games = 0
        self.n_left = 0

    def saved(self, name: str) -> None:
        """Count a pair."""
        self.ids.append(name)
        self.times_s.append(time.monotonic() - self._start)

    def report(self, stopped: str) -> Report:
        """What was done until now."""
        return Report(
            tuple(self.ids),
            tuple(self.times_s),
            Counter(self.failures),
            self.n_games,
            self.n_left,
            stopped,
            time.monotonic() - self._start,
            time.process_time() - self._own,
        )


class Limits:
    """Games, minutes and disk."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """The minutes run from here."""
        self._settings, self._folder = settings, folder
        self._deadline = time.monotonic() + 60 * settings.max_minutes
        self._games_left = settings.max_games
        self.stopped = ""

    def take_game(self) -> bool:
        """Whether a further game may be begun; it is counted."""
        self.check()
        if self._games_left <= 0:
            return False
        self._games_left -= 1
        return True

    def give_game_back(self) -> None:
        """A game that was counted is not played after all."""
        self._games_left += 1

    def check(self) -> None:
        """Let a round begin, or stop the run.

        Raises:
            StopRun: the time is over, or the disk is nearly full.
        """
        if time.monotonic() >= self._deadline:
            self.stop(f"{self._settings.max_minutes:g} minutes are over")
        if (left := free_mb(self._folder)) < self._settings.min_free_mb:
            self.stop(f"the disk has {left:.0f} MB left, {self._settings.min_free_mb:g} are wanted")
        if self.stopped:
            raise StopRun(self.stopped)

    def stop(self, why: str) -> None:
        """Stop all workers before their next round."""
        self.stopped = self.stopped or why

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than the run may last.

        Raises:
            StopRun: it may not last longer.
        """
        left = self._deadline - time.monotonic()
        await asyncio.sleep(max(0.0, min(seconds, left)))
        self.check()


def expected_rounds(settings: Settings) -> int | None:
    """How many rounds the games have; nothing where the players decide it."""
    return settings.max_games * ROUNDS_A_GAME if settings.mode == "singleplayer" else None
