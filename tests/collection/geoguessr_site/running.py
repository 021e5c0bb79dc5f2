"""Running the stand-in: in a thread beside a test, or as a program of its own."""

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import web

from shared.collection.geoguessr_site import Site
from tests.collection.geoguessr_site.server import StandIn, make_app


@contextmanager
def served(stand_in: StandIn) -> Iterator[Site]:
    """Serve the stand-in on a free port of loopback; where it is."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = web.AppRunner(make_app(stand_in), shutdown_timeout=0.5)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address: tuple[str, int] = runner.addresses[0]
        return address[1]

    try:
        port = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
        yield Site.at(f"http://127.0.0.1:{port}")
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


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
