"""Folders of tiny pairs, and servers on loopback: nginx, and one that misbehaves as told."""

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from shared.data_loader import pin_pairs, raw_store
from tests.projects import make_project

Misbehave = Callable[[web.Request, bytes], Any]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project root of its own, without options from outside, and quick to give up."""
    return make_project(tmp_path, monkeypatch)


def write_pair(folder: Path, name: str, suffix: str = ".jpg", **record: Any) -> None:
    """An image of a few bytes, which no two ids share, and its record."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{suffix}").write_bytes(b"\xff\xd8" + name.encode() * 20)
    content = record or {"coordinates": [len(name), 2.5]}
    (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def make_pairs() -> Callable[..., list[str]]:
    """Fill a folder with n pairs; returns their ids."""

    def make(folder: Path, n: int, prefix: str = "view") -> list[str]:
        names = [f"{prefix}_{number:04d}" for number in range(n)]
        for name in names:
            write_pair(folder, name)
        return names

    return make


@pytest.fixture
def listed(project: Path, make_pairs: Callable[..., list[str]]) -> Callable[[int], Path]:
    """Pin n pairs of the data set `demo`, then move them away, to where a server has them."""

    def make(n: int) -> Path:
        store = raw_store("demo", source="")
        make_pairs(store.images, n)
        pin_pairs("demo", "1-collect", store, source="made", may_write=True)
        served = project.parent / "served"
        shutil.move(store.images, served)
        return served

    return make


@dataclass
class Server:
    """A web server that serves a folder, and may be told to misbehave.

    Attributes:
        url: where it is.
        misbehave: name -> what to do instead of serving it.
        requests: the names that were asked for, in order.
    """

    folder: Path
    url: str = ""
    index: bool = True
    misbehave: dict[str, Misbehave] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    page: bytes | None = None
    delay_s: float = 0.0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        self.requests.append(name)
        self.headers.append(dict(request.headers))
        path = self.folder / name
        if name == "" or name.endswith("/"):
            if not self.index:
                raise web.HTTPForbidden
            page = (
                self.page
                or "".join(
                    f'<a href="{p.name}{"/" if p.is_dir() else ""}">{p.name}</a>\n'
                    for p in sorted(path.iterdir())
                ).encode()
            )
            return web.Response(body=page, content_type="text/html")
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        data = path.read_bytes() if path.is_file() else b""
        if name in self.misbehave:
            answer: web.StreamResponse = await self.misbehave[name](request, data)
            return answer
        if not path.is_file():
            raise web.HTTPNotFound
        return web.Response(body=data)


@contextlib.contextmanager
def running(application: web.Application) -> Iterator[str]:
    """Run a server on a free port of loopback, in a thread, until the end of the block."""
    url: list[str] = []
    loop = asyncio.new_event_loop()
    ready = threading.Event()

    async def start() -> web.AppRunner:
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        ready.set()
        return runner

    def work() -> None:
        runner = loop.run_until_complete(start())
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert ready.wait(10)
    yield url[0]
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@pytest.fixture
def serve() -> Iterator[Callable[[Path], Server]]:
    """Serve a folder until the end of the test."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path) -> Server:
            server = Server(folder)
            application = web.Application()
            application.router.add_get("/{name:.*}", server.answer)
            server.url = stack.enter_context(running(application))
            return server

        yield start


@pytest.fixture
def start() -> Iterator[Callable[[web.Application], str]]:
    """Run an application until the end of the test; its URL."""
    with contextlib.ExitStack() as stack:
        yield lambda application: stack.enter_context(running(application))


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


NGINX = """
daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/error.log;
worker_rlimit_nofile 4096;
events {{ worker_connections 1024; }}
http {{
  access_log off; default_type application/octet-stream;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{ alias {folder}/; autoindex on; }}
    location /json/ {{ alias {folder}/; autoindex on; autoindex_format json; }}
    location /closed/ {{ alias {folder}/; }}
  }}
}}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[Callable[[Path], str]]:
    """Serve a folder with nginx: `/` and `/json/` with an index, `/closed/` without."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is absent: apt-get install nginx")
    with contextlib.ExitStack() as stack:

        def start(folder: Path) -> str:
            work = tmp_path / "nginx"
            work.mkdir()
            port = free_port()
            text = NGINX.format(work=work, port=port, folder=folder)
            (work / "nginx.conf").write_text(text)
            command = [program, "-p", str(work), "-c", str(work / "nginx.conf")]
            process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    return f"http://127.0.0.1:{port}"
                time.sleep(0.05)
            message = (work / "error.log").read_text()
            pytest.fail(f"nginx did not start: {message}")

        yield start
