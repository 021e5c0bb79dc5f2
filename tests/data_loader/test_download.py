"""Downloads from servers that behave, and from servers that do not."""

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from shared.data_loader import DownloadError, load_pairs, pin_pairs, raw_store
from shared.data_loader.download import run_blocking
from shared.paths import data_folder

Listed = Callable[[int], Path]
Serve = Callable[[Path], Any]


def parts(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


def test_missing_files_are_fetched_to_the_byte(listed: Listed, serve: Serve) -> None:
    server = serve(listed(20))
    pairs = load_pairs("demo", "1-collect", raw_store("demo", server.url))
    assert len(pairs) == 20
    for pair in pairs:
        assert pair.image.read_bytes() == (server.folder / pair.image.name).read_bytes()
        assert pair.record.read_bytes() == (server.folder / pair.record.name).read_bytes()
    assert parts(data_folder("1-data-collection", "demo")) == []


def test_a_list_alone_is_enough_when_the_server_shows_no_index(
    listed: Listed, serve: Serve
) -> None:
    server = serve(listed(5))
    server.index = False
    assert len(load_pairs("demo", "1-collect", raw_store("demo", server.url))) == 5
    assert "" not in server.requests


def test_a_second_run_asks_the_server_nothing(listed: Listed, serve: Serve) -> None:
    server = serve(listed(5))
    store = raw_store("demo", server.url)
    load_pairs("demo", "1-collect", store)
    server.requests.clear()
    load_pairs("demo", "1-collect", store)
    assert server.requests == []


def test_only_missing_files_are_fetched(listed: Listed, serve: Serve) -> None:
    server = serve(listed(8))
    store = raw_store("demo", server.url)
    pairs = load_pairs("demo", "1-collect", store)
    pairs[3].image.unlink()
    pairs[5].record.unlink()
    server.requests.clear()
    load_pairs("demo", "1-collect", store)
    assert sorted(server.requests) == ["view_0003.jpg", "view_0005.json"]


def test_a_nested_server_is_found_without_an_index(listed: Listed, serve: Serve) -> None:
    served = listed(5)
    (served / "vi").mkdir()
    for path in list(served.glob("*.*")):
        path.rename(served / "vi" / path.name)
    server = serve(served)
    server.index = False
    assert len(load_pairs("demo", "1-collect", raw_store("demo", server.url))) == 5


def test_a_nested_index_is_followed(project: Path, make_pairs: Any, serve: Serve) -> None:
    served = project.parent / "served"
    for prefix in ("ab", "cd"):
        make_pairs(served / prefix, 3, prefix)
    (served / "thumbnails").mkdir()
    server = serve(served)
    store = raw_store("demo", server.url)
    pairs = pin_pairs("demo", "1-collect", store, source=server.url, may_write=True)
    assert [pair.id for pair in pairs] == [f"{p}_{n:04d}" for p in ("ab", "cd") for n in range(3)]
    assert "thumbnails/" not in server.requests


def test_the_ancestors_names_lose_their_prefix(project: Path, serve: Serve) -> None:
    served = project.parent / "served"
    served.mkdir()
    (served / "geoguessr_location_multiplayer_ab12_1.png").write_bytes(b"\x89PNG")
    (served / "geoguessr_result_multiplayer_ab12_1.json").write_text('{"country": "Chad"}')
    server = serve(served)
    store = raw_store("demo", server.url)
    pairs = pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    assert [pair.image.name for pair in pairs] == ["multiplayer_ab12_1.png"]
    server.index = False
    pairs[0].image.unlink()
    pairs[0].record.unlink()
    assert load_pairs("demo", "1-collect", store) == pairs


def test_a_first_download_fetches_only_what_the_criteria_name(
    project: Path, make_pairs: Any, serve: Serve
) -> None:
    served = project.parent / "served"
    make_pairs(served, 30)
    server = serve(served)
    store = raw_store("demo", server.url)
    pairs = pin_pairs(
        "demo", "1-collect", store, limit=4, shuffle_seed=1, source="x", may_write=True
    )
    assert len(pairs) == 4
    assert len(server.requests) == 1 + 2 * 4


def test_a_first_download_with_a_condition_fetches_images_only_of_those_that_meet_it(
    project: Path, make_pairs: Any, serve: Serve
) -> None:
    served = project.parent / "served"
    make_pairs(served, 10)
    (served / "view_0007.json").write_text('{"country": "Chad"}')
    server = serve(served)
    pairs = pin_pairs(
        "demo",
        "1-collect",
        raw_store("demo", server.url),
        where=lambda record: record.get("country") == "Chad",
        source="x",
        may_write=True,
    )
    assert [pair.id for pair in pairs] == ["view_0007"]
    assert [name for name in server.requests if name.endswith(".jpg")] == ["view_0007.jpg"]


def test_half_pairs_at_the_source_are_reported(
    project: Path, make_pairs: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    served = project.parent / "served"
    make_pairs(served, 3)
    (served / "view_0001.json").unlink()
    pin_pairs("demo", "1-collect", raw_store("demo", serve(served).url), source="x", may_write=True)
    assert "1 half pairs at the source are not fetched" in caplog.text
    assert "view_0001" in caplog.text


# --- servers that misbehave


async def _cut(request: web.Request, data: bytes) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"Content-Length": str(len(data))})
    await answer.prepare(request)
    await answer.write(data[: len(data) // 2])
    assert request.transport is not None
    request.transport.close()
    return answer


async def _wrong(request: web.Request, data: bytes) -> web.Response:
    return web.Response(body=b"x" * len(data))


async def _broken(request: web.Request, data: bytes) -> web.Response:
    return web.Response(status=500)


async def _hang(request: web.Request, data: bytes) -> web.Response:
    await asyncio.sleep(60)
    return web.Response(body=data)


async def _huge(request: web.Request, data: bytes) -> web.StreamResponse:
    answer = web.StreamResponse()
    answer.enable_chunked_encoding()
    await answer.prepare(request)
    for _ in range(1000):
        await answer.write(b"0" * 100_000)
    return answer


async def _gone(request: web.Request, data: bytes) -> web.Response:
    return web.Response(status=404)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (_cut, "1 x cut off"),
        (_wrong, "1 x does not match its digest"),
        (_broken, "1 x HTTP 500"),
        (_hang, "1 x timeout"),
        (_huge, "1 x too large"),
        (_gone, "1 x not found"),
    ],
)
def test_a_fault_leaves_no_file_and_the_next_run_fetches_only_what_is_missing(
    listed: Listed,
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    fault: Any,
    said: str,
) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_TIMEOUT", "0.5")
    monkeypatch.setenv("LOST_AND_FOUND_RETRIES", "1")
    monkeypatch.setenv("LOST_AND_FOUND_MAX_FILE_MB", "1")
    server = serve(listed(12))
    server.misbehave["view_0004.jpg"] = fault
    store = raw_store("demo", server.url)
    with pytest.raises(DownloadError) as error:
        load_pairs("demo", "1-collect", store)
    assert said in str(error.value)
    assert "view_0004.jpg" in str(error.value)
    assert "23 were fetched" in str(error.value)
    assert not (store.images / "view_0004.jpg").exists()
    assert len(list(store.images.glob("*.*"))) == 23
    assert parts(store.images) == []
    server.misbehave.clear()
    server.requests.clear()
    assert len(load_pairs("demo", "1-collect", store)) == 12
    assert server.requests == ["view_0004.jpg"]


def failing_times(times: int, fault: Any) -> Any:
    """A server's fault that passes after so many times."""
    left = [times]

    async def answer(request: web.Request, data: bytes) -> web.StreamResponse:
        left[0] -= 1
        if left[0] >= 0:
            result: web.StreamResponse = await fault(request, data)
            return result
        return web.Response(body=data)

    return answer


@pytest.mark.parametrize(("fault", "times"), [(_cut, 3), (_broken, 3), (_wrong, 1)])
def test_a_fault_that_passes_is_tried_again(
    listed: Listed, serve: Serve, fault: Any, times: int
) -> None:
    server = serve(listed(3))
    server.misbehave["view_0001.json"] = failing_times(times, fault)
    assert len(load_pairs("demo", "1-collect", raw_store("demo", server.url))) == 3
    assert server.requests.count("view_0001.json") == times + 1


def test_retry_after_is_respected(listed: Listed, serve: Serve) -> None:
    async def busy(request: web.Request, data: bytes) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "1"})

    server = serve(listed(1))
    server.misbehave["view_0000.jpg"] = failing_times(1, busy)
    start = time.monotonic()
    load_pairs("demo", "1-collect", raw_store("demo", server.url))
    assert time.monotonic() - start >= 1.0


def test_a_cut_body_is_gone_on_with_by_range(listed: Listed, serve: Serve) -> None:
    asked: list[str | None] = []

    async def cut_then_range(request: web.Request, data: bytes) -> web.StreamResponse:
        asked.append(request.headers.get("Range"))
        half = len(data) // 2
        if len(asked) == 1:
            answer = web.StreamResponse(headers={"Content-Length": str(len(data)), "ETag": '"one"'})
            await answer.prepare(request)
            await answer.write(data[:half])
            await asyncio.sleep(0.1)
            assert request.transport is not None
            request.transport.close()
            return answer
        assert request.headers["If-Range"] == '"one"'
        start = int(str(asked[-1]).removeprefix("bytes=").rstrip("-"))
        return web.Response(
            status=206,
            body=data[start:],
            headers={"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"},
        )

    server = serve(listed(1))
    server.misbehave["view_0000.jpg"] = cut_then_range
    size = (server.folder / "view_0000.jpg").stat().st_size
    load_pairs("demo", "1-collect", raw_store("demo", server.url))
    assert asked == [None, f"bytes={size // 2}-"]


def test_a_web_page_in_place_of_a_file_is_not_taken(
    project: Path, make_pairs: Any, serve: Serve
) -> None:
    async def login(request: web.Request, data: bytes) -> web.Response:
        return web.Response(body=b"<!DOCTYPE html><title>Log in</title>")

    served = project.parent / "served"
    make_pairs(served, 2)
    server = serve(served)
    server.misbehave["view_0000.jpg"] = login
    store = raw_store("demo", server.url)
    with pytest.raises(DownloadError, match="1 x a web page, not the file"):
        pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    assert not (store.images / "view_0000.jpg").exists()


def test_without_a_server_the_error_names_the_offline_choice(
    listed: Listed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_RETRIES", "0")
    listed(40)
    with pytest.raises(DownloadError) as error:
        load_pairs("demo", "1-collect", raw_store("demo", "http://127.0.0.1:9/x"))
    assert "x no connection" in str(error.value)
    assert "not tried, as nothing came any more" in str(error.value)
    assert "LOST_AND_FOUND_FOLDER" in str(error.value)


def test_names_that_lead_outside_are_never_written(
    project: Path, make_pairs: Any, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    served = project.parent / "served"
    make_pairs(served, 2)
    server = serve(served)
    server.page = (
        b'<a href="view_0000.jpg">a</a><a href="view_0000.json">b</a>'
        b'<a href="../evil.jpg">c</a><a href="..%2fevil.json">d</a>'
        b'<a href="%2e%2e%5cevil.jpg">e</a>'
        b'<a href="/etc/../evil.jpg">f</a><a href="http://127.0.0.2/evil.jpg">g</a>'
        b'<a href="x%00y.jpg">h</a><a href="con.jpg">i</a><a href="a%0ab.json">j</a>'
    )
    store = raw_store("demo", server.url)
    pairs = pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    assert [pair.id for pair in pairs] == ["view_0000"]
    assert sorted(server.requests) == ["", "view_0000.jpg", "view_0000.json"]
    assert list(project.parent.rglob("*evil*")) == []
    assert "unsafe names or on other servers" in caplog.text


def test_an_index_of_300000_links_is_read_in_seconds(
    project: Path, make_pairs: Any, serve: Serve
) -> None:
    served = project.parent / "served"
    make_pairs(served, 3)
    server = serve(served)
    server.page = b"<pre>" + b"".join(
        b'<a href="view_%04d.%s">view_..&gt;</a>  21-Nov-2026 09:00  123\r\n' % (n, suffix)
        for n in range(150_000)
        for suffix in (b"jpg", b"json")
    )
    start = time.process_time()  # the machine may have other things to do
    pairs = pin_pairs(
        "demo",
        "1-collect",
        raw_store("demo", server.url),
        ids=["view_0000", "view_0002"],
        source="x",
        may_write=True,
    )
    assert len(pairs) == 2
    assert time.process_time() - start < 30


def test_passwords_and_signatures_show_nowhere(
    project: Path,
    make_pairs: Any,
    serve: Serve,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG, "shared")
    served = project.parent / "served"
    make_pairs(served, 2)
    server = serve(served)
    server.misbehave["view_0001.jpg"] = _gone
    url = server.url.replace("http://", "http://user:hunter2@") + "?sig=s3cr3t"
    store = raw_store("demo", url)
    with pytest.raises(DownloadError) as error:
        pin_pairs("demo", "1-collect", store, source=url, may_write=True)
    server.misbehave.clear()
    pin_pairs("demo", "1-collect", store, source=url, may_write=True)
    assert server.headers[-1]["Authorization"] == "Basic dXNlcjpodW50ZXIy"
    written = (project / "data-lists/demo/1-collect.txt").read_text()
    shown = [str(error.value), caplog.text, *capfd.readouterr(), written, repr(store)]
    for text in shown:
        assert "hunter2" not in text
        assert "s3cr3t" not in text
    assert f"# source: {server.url}?..." in written


def test_a_download_works_inside_a_running_loop(listed: Listed, serve: Serve) -> None:
    server = serve(listed(3))

    async def cell() -> int:
        return len(load_pairs("demo", "1-collect", raw_store("demo", server.url)))

    assert asyncio.run(cell()) == 3


def test_an_error_inside_a_running_loop_comes_out() -> None:
    async def fail() -> None:
        msg = "inside"
        raise KeyError(msg)

    async def cell() -> None:
        run_blocking(fail())

    with pytest.raises(KeyError, match="inside"):
        asyncio.run(cell())


KILLED = """
import sys
from shared.data_loader import load_pairs, raw_store
load_pairs("demo", "1-collect", raw_store("demo", sys.argv[1]))
"""


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_after_a_kill_the_next_run_fetches_only_what_is_missing(
    listed: Listed, serve: Serve, share: float
) -> None:
    n = 150
    server = serve(listed(n))
    server.delay_s = 0.05
    folder = raw_store("demo", server.url).images
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, server.url], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and len(list(folder.glob("*.*"))) < share * 2 * n:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    there = {path.name for path in folder.glob("view_*")}
    assert 0 < len(there) < 2 * n
    server.requests.clear()
    server.delay_s = 0
    pairs = load_pairs("demo", "1-collect", raw_store("demo", server.url))
    assert len(pairs) == n
    wanted = {path.name for path in server.folder.iterdir()}
    assert sorted(server.requests) == sorted(wanted - there)
    assert parts(folder) == []


def test_two_processes_do_not_fetch_the_same_twice(listed: Listed, serve: Serve) -> None:
    server = serve(listed(40))
    server.delay_s = 0.02
    command = [sys.executable, "-c", KILLED, server.url]
    both = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert len(server.requests) == 80


def test_records_may_come_from_another_place(
    listed: Listed, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = listed(4)
    records = served.parent / "records"
    records.mkdir()
    for path in served.glob("*.json"):
        path.rename(records / path.name)
    monkeypatch.setenv("LOST_AND_FOUND_SOURCE_RECORDS_DEMO", str(records))
    assert len(load_pairs("demo", "1-collect", raw_store("demo", serve(served).url))) == 4


@pytest.mark.parametrize("where", ["", "/json", "/closed"])
def test_nginx_serves_a_list(listed: Listed, nginx: Callable[[Path], str], where: str) -> None:
    served = listed(30)
    os.chmod(served.parent, 0o755)  # noqa: PTH101
    url = nginx(served) + where
    assert len(load_pairs("demo", "1-collect", raw_store("demo", url))) == 30


@pytest.mark.parametrize("where", ["", "/json"])
def test_nginx_index_is_read_with_odd_and_long_names(
    project: Path, nginx: Callable[[Path], str], where: str
) -> None:
    served = project.parent / "served"
    served.mkdir()
    names = ["a b&c", "Ümlaut_1", "x" * 90, "plus+comma,1", "per%41cent"]
    for name in names:
        (served / f"{name}.PNG").write_bytes(b"\x89PNG")
        (served / f"{name}.json").write_text(json.dumps({"country": name}))
    pairs = pin_pairs(
        "demo", "1-collect", raw_store("demo", nginx(served) + where), source="x", may_write=True
    )
    assert [pair.id for pair in pairs] == sorted(names)
