"""Stores: flat, nested, apart, zipped; listed once, by whatever names the files go."""

import os
import stat
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.data_loader import (
    DataListError,
    Pair,
    Store,
    UnsafeNameError,
    load_pairs,
    pin_pairs,
    raw_store,
)
from shared.data_loader.listing import list_pairs
from shared.data_loader.listing_cache import names_in

Make = Callable[..., list[str]]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def test_a_flat_folder_is_paired_by_stem(tmp_path: Path) -> None:
    touch(tmp_path, "b.jpg", "b.json", "a.jpg", "a.json", "notes.txt", ".hidden.jpg", "c.jpg.part")
    assert list_pairs(Store(tmp_path, tmp_path)).pairs == [
        Pair(name, tmp_path / f"{name}.jpg", tmp_path / f"{name}.json") for name in "ab"
    ]


def test_a_nested_folder_is_paired_across_its_folders(tmp_path: Path) -> None:
    touch(tmp_path, "ab/ab1.jpg", "ab/ab1.json", "cd/cd1.jpg", "cd/cd1.json", "cd/zz.json")
    listing = list_pairs(Store(tmp_path, tmp_path, nested=True))
    assert [str(pair.image.relative_to(tmp_path)) for pair in listing.pairs] == [
        "ab/ab1.jpg",
        "cd/cd1.jpg",
    ]
    assert listing.records_alone == ["zz"]


def test_a_file_in_the_wrong_folder_is_used_where_it_lies(tmp_path: Path) -> None:
    touch(tmp_path, "ab/xy1.jpg", "ab/xy1.json")
    pairs = list_pairs(Store(tmp_path, tmp_path, nested=True)).pairs
    assert pairs == [Pair("xy1", tmp_path / "ab/xy1.jpg", tmp_path / "ab/xy1.json")]


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".jpeg", ".png", ".Png", ".webp"])
def test_images_of_any_case_are_paired(tmp_path: Path, suffix: str) -> None:
    touch(tmp_path, f"a{suffix}", "a.json", "b.JSON", "b.jpg")
    pairs = list_pairs(Store(tmp_path, tmp_path)).pairs
    assert [pair.image.name for pair in pairs] == [f"a{suffix}", "b.jpg"]
    assert pairs[1].record.name == "b.JSON"


def test_of_two_images_of_one_id_the_jpeg_is_used(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "a.jpg", "a.json", "b.png", "b.json")
    pairs = list_pairs(Store(tmp_path, tmp_path)).pairs
    assert [pair.image.name for pair in pairs] == ["a.jpg", "b.png"]


def test_the_ancestors_names_share_an_id(tmp_path: Path) -> None:
    touch(tmp_path, "geoguessr_location_x_1.png", "geoguessr_result_x_1.json")
    pairs = list_pairs(Store(tmp_path, tmp_path)).pairs
    assert [pair.id for pair in pairs] == ["x_1"]
    assert pairs[0].image.name == "geoguessr_location_x_1.png"


def test_ids_that_end_like_suffixes_are_paired(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.json", "a.jpg.jpg", "a.jpg.json", "a.json.jpg", "a.json.json")
    assert [p.id for p in list_pairs(Store(tmp_path, tmp_path)).pairs] == ["a", "a.jpg", "a.json"]


def test_images_and_records_may_lie_apart(tmp_path: Path) -> None:
    touch(tmp_path / "i", "a.png", "b.png")
    touch(tmp_path / "r", "a.json", "c.json", "a.png")
    listing = list_pairs(Store(tmp_path / "i", tmp_path / "r"))
    assert [pair.image for pair in listing.pairs] == [tmp_path / "i/a.png"]
    assert listing.images_alone == ["b"]
    assert listing.records_alone == ["c"]


def test_a_folder_that_is_not_there_has_no_pairs(tmp_path: Path) -> None:
    assert list_pairs(Store(tmp_path / "x", tmp_path / "x")).pairs == []


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_names_that_are_no_utf8_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.json")
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb"):  # noqa: PTH123
        pass
    assert [pair.id for pair in list_pairs(Store(tmp_path, tmp_path)).pairs] == ["a"]


def test_a_kept_listing_is_used_until_the_package_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "s", "a.jpg", "a.json")
    monkeypatch.setenv("LOST_AND_FOUND_LISTING_CACHE", "keep")
    store = Store(tmp_path / "s", tmp_path / "s")
    list_pairs(store)
    monkeypatch.setattr(os, "listdir", lambda folder: pytest.fail("listed again"))
    assert [pair.id for pair in list_pairs(store).pairs] == ["a"]


def test_a_slow_listing_is_kept_until_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s"
    touch(folder, "a.jpg")
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))
    listed: list[str] = []
    real = os.listdir

    def slow(path: str) -> list[str]:
        listed.append(path)
        time.sleep(0.05)
        return real(path)

    monkeypatch.setattr(os, "listdir", slow)
    assert names_in(str(folder)) == ["a.jpg"]
    assert names_in(str(folder)) == ["a.jpg"]
    assert len(listed) == 1
    touch(folder, "b.jpg")
    assert sorted(names_in(str(folder))) == ["a.jpg", "b.jpg"]


def test_in_place_folders_are_found_flat_or_nested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "nested", "ab/ab1.jpg", "ab/ab1.json")
    touch(tmp_path / "flat", "ab1.jpg", "ab1.json")
    for name, is_nested in (("nested", True), ("flat", False)):
        monkeypatch.setenv("LOST_AND_FOUND_FOLDER_DEMO", str(tmp_path / name))
        store = raw_store("demo")
        assert store.nested is is_nested
        assert [pair.id for pair in list_pairs(store).pairs] == ["ab1"]


def test_a_nested_store_is_filled_nested(
    project: Path, make_pairs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = project.parent / "source"
    make_pairs(source, 3)
    monkeypatch.setenv("LOST_AND_FOUND_STORE", "nested")
    store = raw_store("demo", str(source))
    pairs = pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    assert pairs[0].image == store.images / "vi" / "view_0000.jpg"
    assert load_pairs("demo", "1-collect", store) == pairs


# --- zips


def zipped(folder: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, f"data/{file.relative_to(folder)}")
        archive.writestr("README.txt", "not a pair")
        archive.writestr("__MACOSX/._view_0000.jpg", "not a pair")
    return path


def test_a_zip_is_unpacked_and_read_like_a_folder(project: Path, make_pairs: Make) -> None:
    make_pairs(project.parent / "made", 4)
    path = zipped(project.parent / "made", project.parent / "demo.zip")
    store = raw_store("demo", str(path))
    pairs = pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    assert len(pairs) == 4
    assert not list((project / ".cache").rglob("*.zip"))
    path.unlink()
    path.write_bytes(b"")
    with pytest.raises(DataListError, match="expected a whole zip"):
        load_pairs("demo", "1-collect", store)  # another zip now: it is looked at again


def test_a_zip_beside_the_base_is_found(
    project: Path, make_pairs: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pairs(project.parent / "made", 2)
    zipped(project.parent / "made", project.parent / "demo.zip")
    monkeypatch.setenv("LOST_AND_FOUND_SOURCE", str(project.parent))
    store = raw_store("demo")
    assert store.archive == str(project.parent / "demo.zip")
    assert len(pin_pairs("demo", "1-collect", store, source="x", may_write=True)) == 2


def test_a_zip_on_a_server_is_copied_whole_and_resumed(
    project: Path, make_pairs: Make, nginx: Callable[[Path], str]
) -> None:
    served = project.parent / "served"
    served.mkdir()
    make_pairs(project.parent / "made", 4)
    path = zipped(project.parent / "made", served / "demo.zip")
    store = raw_store("demo", nginx(served) + "/demo.zip")
    assert len(pin_pairs("demo", "1-collect", store, source="x", may_write=True)) == 4
    assert path.is_file()


@pytest.mark.parametrize(
    "name", ["../evil.jpg", "/evil.jpg", "a/../../evil.jpg", "..\\evil.jpg", "C:\\evil.jpg"]
)
def test_a_zip_cannot_write_outside(project: Path, name: str) -> None:
    path = project.parent / "demo.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", "x")
        entry = zipfile.ZipInfo("x")
        entry.filename = name
        archive.writestr(entry, "x")
    store = raw_store("demo", str(path))
    with pytest.raises(UnsafeNameError, match=r"unsafe entry .*nothing of this zip is used"):
        pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    assert list(project.parent.rglob("*evil*")) == []
    assert list(project.parent.rglob("a.jpg")) == []


def test_a_link_in_a_zip_is_refused(project: Path) -> None:
    path = project.parent / "demo.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("a.jpg")
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    with pytest.raises(UnsafeNameError, match="a link"):
        pin_pairs("demo", "1", raw_store("demo", str(path)), source="x", may_write=True)


def test_an_entry_that_is_too_large_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_MAX_FILE_MB", "0.01")
    path = project.parent / "demo.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", b"0" * 1_000_000)
    with pytest.raises(DataListError, match=r"1,000,000 bytes, expected at most 10,000"):
        pin_pairs("demo", "1", raw_store("demo", str(path)), source="x", may_write=True)


def damaged(data: bytes, how: str) -> bytes:
    """A zip of one deflated file, changed at places that the format's APPNOTE gives (4.3)."""
    directory = data.index(b"PK\x01\x02")
    changed = bytearray(data)
    if how == "bits":
        changed[40:60] = b"\xff" * 20
    elif how == "password":
        changed[6] |= 1
        changed[directory + 8] |= 1
    elif how == "version":  # 9.9 is needed to unpack it; zipfile says so when it opens the zip
        changed[directory + 6] = 99
    else:
        changed[8], changed[directory + 10] = 99, 99
    return bytes(changed)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("bits", "unpack"),
        ("password", "password"),
        ("packing", "unpack"),
        ("version", r"version 9\.9"),
    ],
)
def test_a_damaged_zip_is_named_and_copied_anew(project: Path, how: str, message: str) -> None:
    path = project.parent / "demo.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", bytes(range(256)) * 9)
    path.write_bytes(damaged(path.read_bytes(), how))
    with pytest.raises(DataListError, match=f"expected a whole zip without a password.*{message}"):
        pin_pairs("demo", "1", raw_store("demo", str(path)), source="x", may_write=True)
    assert not list((project / ".cache").rglob("*.zip"))


def test_a_zip_without_pairs_is_an_error(project: Path) -> None:
    path = project.parent / "demo.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("notes.txt", "x")
    with pytest.raises(DataListError, match="expected images and records of pairs in it"):
        pin_pairs("demo", "1", raw_store("demo", str(path)), source="x", may_write=True)


def test_a_zip_that_is_not_there_is_named(project: Path) -> None:
    store = raw_store("demo", str(project / "absent.zip"))
    with pytest.raises(DataListError, match=r"no zip .*absent\.zip"):
        pin_pairs("demo", "1", store, source="x", may_write=True)


def test_a_resumed_copy_goes_on_where_it_stopped(
    project: Path, make_pairs: Make, serve: Callable[[Path], Any]
) -> None:
    from aiohttp import web

    make_pairs(project.parent / "made", 20)
    served = project.parent / "served"
    served.mkdir()
    data = zipped(project.parent / "made", served / "demo.zip").read_bytes()
    half = len(data) // 2
    ranges: list[str | None] = []

    async def cut_once(request: web.Request, body: bytes) -> web.StreamResponse:
        ranges.append(request.headers.get("Range"))
        tag = {"ETag": '"v1"'}
        if len(ranges) <= 6:  # the first run uses up its tries
            sent = 0 if ranges[-1] is None else half
            answer = web.StreamResponse(
                status=200 if ranges[-1] is None else 206,
                headers={
                    **tag,
                    "Content-Length": str(len(data) - sent),
                    **(
                        {"Content-Range": f"bytes {sent}-{len(data) - 1}/{len(data)}"}
                        if sent
                        else {}
                    ),
                },
            )
            await answer.prepare(request)
            await answer.write(data[sent:half])
            assert request.transport is not None
            request.transport.close()
            return answer
        start = int(str(ranges[-1]).removeprefix("bytes=").rstrip("-"))
        about = {**tag, "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"}
        return web.Response(status=206, body=data[start:], headers=about)

    server = serve(served)
    server.misbehave["demo.zip"] = cut_once
    store = raw_store("demo", server.url + "/demo.zip")
    with pytest.raises(DataListError, match="cut off"):
        pin_pairs("demo", "1-collect", store, source="x", may_write=True)
    assert len(pin_pairs("demo", "1-collect", store, source="x", may_write=True)) == 20
    assert ranges[0] is None
    assert ranges[-1] == f"bytes={half}-"
