"""Buckets, hubs and folders: all by the same path, against small stand-ins on loopback."""

import json
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import fsspec  # type: ignore[import-untyped]
import pytest
from aiohttp import web

from shared.data_loader import DataListError, DownloadError, load_pairs, pin_pairs, raw_store

Make = Callable[..., list[str]]
Start = Callable[[web.Application], str]


def check(url: str, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any] | None = None) -> None:
    """Pin three pairs from a source, delete two files, and fetch them again by the list."""
    if options is not None:
        monkeypatch.setenv("LOST_AND_FOUND_SOURCE_OPTIONS", json.dumps(options))
    store = raw_store("demo", url)
    pairs = pin_pairs("demo", "1-collect", store, source=url, may_write=True)
    assert [pair.id for pair in pairs] == [f"view_000{n}" for n in range(3)]
    pairs[0].image.unlink()
    pairs[2].record.unlink()
    assert load_pairs("demo", "1-collect", store) == pairs


def test_a_local_folder(project: Path, make_pairs: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pairs(project.parent / "source", 3)
    check(str(project.parent / "source"), monkeypatch)


def test_a_file_url(project: Path, make_pairs: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pairs(project.parent / "source" / "vi", 3)
    check((project.parent / "source").as_uri(), monkeypatch)


def test_memory(project: Path, make_pairs: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pairs(project.parent / "source", 3)
    memory = fsspec.filesystem("memory")
    memory.put(str(project.parent / "source"), "/views", recursive=True)
    check("memory://views", monkeypatch)
    memory.rm("/views", recursive=True)


def test_a_source_that_has_nothing_is_an_error(project: Path) -> None:
    store = raw_store("demo", str(project / "absent"))
    with pytest.raises(DownloadError, match="no index: nothing is there"):
        pin_pairs("demo", "1-collect", store, source="x", may_write=True)


def test_an_unknown_protocol_is_an_error(project: Path) -> None:
    store = raw_store("demo", "gopher2://x/y")
    with pytest.raises(DataListError, match=r"expected http\(s\)://, s3://, gs://, hf://"):
        pin_pairs("demo", "1-collect", store, source="x", may_write=True)


def test_a_wrong_file_of_a_folder_is_not_taken(project: Path, make_pairs: Make) -> None:
    source = project.parent / "source"
    make_pairs(source, 2)
    store = raw_store("demo", str(source))
    pairs = pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    pairs[0].image.unlink()
    (source / "view_0000.jpg").write_bytes(b"another")
    with pytest.raises(DownloadError, match="1 x does not match its digest"):
        load_pairs("demo", "1-collect", store)
    assert not pairs[0].image.exists()


# --- stand-ins: each answers the few calls that listing and reading need


def about(path: Path) -> dict[str, str]:
    return {"ETag": f'"{path.stat().st_size}"', "Last-Modified": formatdate(0, usegmt=True)}


def bucket(folder: Path) -> web.Application:
    """ListObjectsV2, HEAD and GET of S3, path style, for the bucket `pairs`."""

    async def answer(request: web.Request) -> web.StreamResponse:
        key = request.match_info["key"]
        if key:
            path = folder / key.removeprefix("views/")
            if not path.is_file():
                raise web.HTTPNotFound
            return web.Response(body=path.read_bytes(), headers=about(path))
        prefix = request.query.get("prefix", "")
        contents = "".join(
            f"<Contents><Key>views/{path.name}</Key><Size>{path.stat().st_size}</Size>"
            '<ETag>"x"</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>'
            for path in sorted(folder.iterdir())
            if f"views/{path.name}".startswith(prefix)
        )
        text = (
            '<?xml version="1.0"?><ListBucketResult><Name>pairs</Name><IsTruncated>false'
            f"</IsTruncated>{contents}</ListBucketResult>"
        )
        return web.Response(text=text, content_type="application/xml")

    application = web.Application()
    application.router.add_get("/pairs{slash:/?}{key:.*}", answer)
    return application


@pytest.mark.slow
def test_s3(project: Path, make_pairs: Make, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pairs(project.parent / "source", 3)
    url = start(bucket(project.parent / "source"))
    check("s3://pairs/views", monkeypatch, {"anon": True, "endpoint_url": url})


def storage(folder: Path) -> web.Application:
    """Listing, metadata and media of Google Cloud Storage's JSON API, for the bucket `pairs`."""

    def entry(path: Path) -> dict[str, str]:
        return {
            "kind": "storage#object",
            "name": f"views/{path.name}",
            "bucket": "pairs",
            "size": str(path.stat().st_size),
            "generation": "1",
            "updated": "2026-01-01T00:00:00.000Z",
            "timeCreated": "2026-01-01T00:00:00.000Z",
        }

    async def listing(request: web.Request) -> web.StreamResponse:
        prefix = request.query.get("prefix", "")
        items = [entry(p) for p in sorted(folder.iterdir()) if f"views/{p.name}".startswith(prefix)]
        return web.json_response({"kind": "storage#objects", "items": items})

    async def media(request: web.Request) -> web.StreamResponse:
        path = folder / request.match_info["key"].removeprefix("views/")
        if not path.is_file():
            raise web.HTTPNotFound
        if request.query.get("alt") == "media":
            return web.Response(body=path.read_bytes())
        return web.json_response(entry(path))

    application = web.Application()
    application.router.add_get("/storage/v1/b/pairs/o{slash:/?}", listing)
    application.router.add_get("/storage/v1/b/pairs/o/{key:.+}", media)
    application.router.add_get("/download/storage/v1/b/pairs/o/{key:.+}", media)
    return application


@pytest.mark.slow
def test_gs(project: Path, make_pairs: Make, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    # as papermill imports it, before anything of ours: the kind that asks Google by gRPC
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "true")
    fsspec.register_implementation("gs", "gcsfs.extended_gcsfs.ExtendedGcsFileSystem", clobber=True)
    make_pairs(project.parent / "source", 3)
    url = start(storage(project.parent / "source"))
    check("gs://pairs/views", monkeypatch, {"token": "anon", "endpoint_url": url})


def hub(folder: Path) -> web.Application:
    """The tree, the paths and the files of a data set of the Hugging Face hub."""

    def entry(path: Path) -> dict[str, Any]:
        size = path.stat().st_size
        return {"type": "file", "oid": "0" * 40, "size": size, "path": f"views/{path.name}"}

    async def revision(request: web.Request) -> web.StreamResponse:
        return web.json_response({"id": "org/pairs", "sha": "1" * 40, "siblings": []})

    async def tree(request: web.Request) -> web.StreamResponse:
        return web.json_response([entry(path) for path in sorted(folder.iterdir())])

    async def paths(request: web.Request) -> web.StreamResponse:
        form = await request.json() if request.can_read_body else {}
        wanted = form.get("paths", [])
        wanted = [wanted] if isinstance(wanted, str) else wanted
        found = [folder / path.removeprefix("views/") for path in wanted]
        return web.json_response([entry(path) for path in found if path.is_file()])

    async def file(request: web.Request) -> web.StreamResponse:
        path = folder / request.match_info["key"]
        if not path.is_file():
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"X-Repo-Commit": "1" * 40, **about(path)})

    application = web.Application()
    application.router.add_get("/api/datasets/org/pairs", revision)
    application.router.add_get("/api/datasets/org/pairs/revision/{revision}", revision)
    application.router.add_get("/api/datasets/org/pairs/tree/{revision}/views", tree)
    application.router.add_get("/api/datasets/org/pairs/tree/{revision}", tree)
    application.router.add_post("/api/datasets/org/pairs/paths-info/{revision}", paths)
    application.router.add_get("/datasets/org/pairs/resolve/{revision}/views/{key:.+}", file)
    return application


@pytest.mark.slow
def test_hf(project: Path, make_pairs: Make, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    make_pairs(project.parent / "source", 3)
    url = start(hub(project.parent / "source"))
    check("hf://datasets/org/pairs/views", monkeypatch, {"endpoint": url, "token": False})
