"""Ending a browser, as a crash would."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path


def end_browser(what: str) -> None:
    """End a page's process, or the browser's, among those that this process has started."""
    kind = "--type=renderer" if what == "page crash" else "--remote-debugging-pipe"
    found = [
        pid
        for pid in _descendants(os.getpid())
        if kind in (command := _command(pid))
        and (what == "page crash" or not any(part.startswith("--type=") for part in command))
    ]
    if found:  # Chromium keeps a spare renderer: the largest is one with a page
        with_signal(max(found, key=_pages))


def with_signal(pid: int) -> None:
    """Kill a process that may have ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _descendants(pid: int) -> Iterator[int]:
    children = Path(f"/proc/{pid}/task")
    try:
        found = [
            int(child)
            for task in children.iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return
    for child in found:
        yield child
        yield from _descendants(child)


def _pages(pid: int) -> int:
    """How much memory a process holds, pages of it (proc(5): `statm`)."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0


def _command(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []
