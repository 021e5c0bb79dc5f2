"""What the runner shows while notebooks run, and at the end."""

import sys
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

BAR_EVERY_S = 2.0  # a progress bar is shown again after this time


@dataclass
class Outcome:
    """How it went with a notebook.

    Attributes:
        notebook: its name.
        state: "ran", "up to date", "failed", "stopped" or "not run".
        seconds: how long it ran, now or (where it is up to date) when it did.
        error: what went wrong.
    """

    notebook: str
    state: str = "not run"
    seconds: float | None = None
    error: str | None = None
    headline: dict[str, str] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)


class Console:
    """Prints lines of several notebooks, each with its notebook's name and elapsed time."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """Print one or more lines as they are."""
        with self._lock:
            print(text, file=self.out, flush=True)

    def follow(self, notebook: str, output: Iterable[bytes], log: Path) -> None:
        """Show what a notebook prints, line by line, and keep it in a log.

        Args:
            notebook: its name, which each line begins with.
            output: pieces of what it prints.
            log: the file that keeps every line.
        """
        start = time.monotonic()
        last_bar = -BAR_EVERY_S
        with log.open("w", encoding="utf-8") as kept:
            for line, is_bar in lines_of(output):
                elapsed = time.monotonic() - start
                if is_bar and elapsed - last_bar < BAR_EVERY_S and "100%" not in line:
                    continue
                last_bar = elapsed if is_bar else last_bar
                kept.write(line + "\n")
                kept.flush()
                self.say(f"[{notebook} {clock(elapsed)}] {line}")

    def summary(self, outcomes: Sequence[Outcome]) -> None:
        """Print the table of notebooks, the headline figures and the reports."""
        width = max(len(outcome.notebook) for outcome in outcomes)
        rows = [f"{'notebook':<{width}}  {'state':<10}  {'seconds':>8}"]
        for one in outcomes:
            seconds = "" if one.seconds is None else f"{one.seconds:.1f}"
            rows.append(f"{one.notebook:<{width}}  {one.state:<10}  {seconds:>8}".rstrip())
        for one in outcomes:
            if one.headline:
                rows += ["", one.notebook]
                rows += [f"  {name}: {value}" for name, value in one.headline.items()]
        reports = [report for one in outcomes for report in one.reports]
        rows += ["", *(f"Report: {report}" for report in reports)] if reports else []
        self.say("\n" + "\n".join(rows))


def lines_of(output: Iterable[bytes]) -> Iterable[tuple[str, bool]]:
    """Lines out of pieces of output, and whether each is a state of a progress bar.

    A progress bar writes its states over each other, parted by carriage returns.
    """
    waiting = b""
    for piece in output:
        waiting += piece
        while (cut := _first_end(waiting)) >= 0:
            line, end, waiting = waiting[:cut], waiting[cut : cut + 1], waiting[cut + 1 :]
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                yield text, end == b"\r" or _is_bar(text)
    if text := waiting.decode("utf-8", "replace").rstrip():
        yield text, _is_bar(text)


def clock(seconds: float) -> str:
    """`"0:42"`, `"1:02:03"`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _first_end(text: bytes) -> int:
    ends = [at for at in (text.find(b"\n"), text.find(b"\r")) if at >= 0]
    return min(ends, default=-1)


def _is_bar(text: str) -> bool:
    return "%|" in text and "it/s" in text
