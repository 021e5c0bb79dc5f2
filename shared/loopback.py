"""Small web services that stay on this machine: bound to 127.0.0.1, ended with their block."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

HOST = "127.0.0.1"
PATIENCE_S = 20  # for the start and the end of a service


@contextmanager
def served(app: web.Application, port: int = 0) -> Iterator[int]:
    """Serve an app in a thread as long as the block lasts.

    Args:
        app: the service.
        port: of 127.0.0.1; 0: any that is free.

    Yields:
        The port.

    Raises:
        OSError: the port is taken.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loopback", daemon=True)
    thread.start()
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)

    async def start() -> int:
        await runner.setup()
        await web.TCPSite(runner, HOST, port).start()
        address: tuple[str, int] = runner.addresses[0]
        return address[1]

    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(PATIENCE_S)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()
