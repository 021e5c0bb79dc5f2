"""Requests side by side: how many a second, how many at a time, and how they are stopped."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

MIN_FAILURES = 8  # one after the other, before it is taken that nothing comes any more

JobT = TypeVar("JobT")


class NothingComesError(RuntimeError):
    """So many jobs failed one after the other that the rest were not begun."""


class Rate:
    """Gives out turns, at most so many a second, evenly, whoever asks.

    Turns are given out ahead to those who wait, so that a late wake-up costs no turn; turns that
    nobody took are lost, so that no burst makes up for them.
    """

    def __init__(self, per_s: float) -> None:
        self._step_s = 1.0 / per_s
        self._next = 0.0
        self._paused_until = 0.0

    async def turn(self) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            at = max(now, self._next, self._paused_until)
            self._next = at + self._step_s
            if at > now:
                await asyncio.sleep(at - now)
            if at >= self._paused_until:
                return

    def pause(self, seconds: float) -> None:
        """Give out no turns for a while; those who wait for an earlier one queue anew."""
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until = max(self._paused_until, until)


class Crew:
    """Does jobs side by side; when one of them ends the run, those begun are finished.

    Attributes:
        is_stopping: no further job is begun, and nothing is tried again.
    """

    def __init__(self, n_workers: int, patience_s: float) -> None:
        """Set up a crew.

        Args:
            n_workers: jobs at a time.
            patience_s: how long those begun are waited for when the run is interrupted.
        """
        self.is_stopping = False
        self._n_workers = n_workers
        self._patience_s = patience_s
        self._failures_in_a_row = 0
        self._ended_by: BaseException | None = None

    async def do(self, jobs: Iterable[JobT], work: Callable[[JobT], Awaitable[str | None]]) -> None:
        """Do all jobs.

        Args:
            jobs: what is to be done.
            work: does one; the kind of the fault when it failed, None when it did not.

        Raises:
            NothingComesError: when nothing but failures came for a while.
            BaseException: the first that a job raised.
        """
        pending = iter(jobs)
        tasks = [asyncio.create_task(self._work(pending, work)) for _ in range(self._n_workers)]
        try:
            await asyncio.wait(tasks)  # unlike gather, it leaves them alone when it is cancelled
        except asyncio.CancelledError:
            self.is_stopping = True
            await asyncio.wait(tasks, timeout=self._patience_s)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._ended_by is not None:
            raise self._ended_by

    async def _work(
        self, pending: Iterator[JobT], work: Callable[[JobT], Awaitable[str | None]]
    ) -> None:
        while not self.is_stopping:
            try:
                job = next(pending)
            except StopIteration:
                return
            try:
                self._count(await work(job))
            except BaseException as error:
                self.is_stopping = True
                self._ended_by = self._ended_by or error
                return

    def _count(self, fault: str | None) -> None:
        self._failures_in_a_row = self._failures_in_a_row + 1 if fault else 0
        if self._failures_in_a_row >= max(MIN_FAILURES, self._n_workers):
            msg = (
                f"{self._failures_in_a_row} requests failed one after the other, the last with "
                f"{fault!r}; the rest were not sent. Run again later: what is there is kept"
            )
            raise NothingComesError(msg)
