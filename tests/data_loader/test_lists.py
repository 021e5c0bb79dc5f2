"""Lists: what is written is read, and every fault is named with its file and line."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.data_loader import (
    DataListError,
    MissingListError,
    UnsafeNameError,
    list_digest,
    pin_pairs,
    raw_store,
    read_names,
)
from shared.data_loader.lists import DataList, read_list, write_list
from shared.data_loader.names import is_safe

A, B = "a" * 32, "b" * 32
HEAD = (
    "# lost-and-found data list, format 1\n# dataset: demo\n# step: s\n# source: x\n# made: y\n"
    "# digest: sha256, first 32 hex digits\n# image suffix: .jpg\n"
)


def written(path: Path, *lines: str, count: int | None = None) -> Path:
    pairs = len(lines) if count is None else count
    path.write_text(f"{HEAD}# pairs: {pairs}\n" + "".join(f"{line}\n" for line in lines))
    return path


def test_a_list_is_what_the_readme_says(
    project: Path, make_pairs: Callable[..., list[str]]
) -> None:
    store = raw_store("demo")
    make_pairs(store.images, 2)
    pin_pairs("demo", "1-collect", store, source="made here", may_write=True)
    lines = (project / "data-lists/demo/1-collect.txt").read_text(encoding="utf-8").splitlines()
    assert lines[:8] == [
        "# lost-and-found data list, format 1",
        "# dataset: demo",
        "# step: 1-collect",
        "# source: made here",
        "# made: all whole pairs",
        "# digest: sha256, first 32 hex digits; of the image, then of the record",
        "# image suffix: .jpg",
        "# pairs: 2",
    ]
    image = hashlib.sha256((store.images / "view_0000.jpg").read_bytes()).hexdigest()[:32]
    record = hashlib.sha256((store.images / "view_0000.json").read_bytes()).hexdigest()[:32]
    assert lines[8] == f"view_0000 {image} {record}"
    body = "".join(f"{line}\n" for line in lines[8:])
    digest = hashlib.sha256(body.encode()).hexdigest()[:32]
    assert list_digest("demo", "1-collect") == digest


SAFE_IDS = st.text(min_size=1, max_size=20).filter(
    lambda name: is_safe(name) and is_safe(f"{name}.json") and not name.startswith("#")
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.dictionaries(SAFE_IDS, st.sampled_from([".jpg", ".PNG", ".webp"]), min_size=1))
def test_any_safe_ids_are_read_as_they_were_written(
    tmp_path: Path, suffixes: dict[str, str]
) -> None:
    ids = sorted(suffixes)
    other = {name: suffixes[name] for name in ids if suffixes[name] != ".jpg"}
    pinned = DataList(ids, [A] * len(ids), [B] * len(ids), ".jpg", other)
    write_list(tmp_path / "l.txt", pinned, {"dataset": "d", "step": "s", "source": "", "made": ""})
    found = read_list(tmp_path / "l.txt")
    assert list(found.ids) == ids
    assert list(found.image_digests) == [A] * len(ids)
    assert list(found.record_digests) == [B] * len(ids)
    assert {name: found.suffix_of(name) for name in ids} == suffixes
    assert found.digest() == pinned.digest()


def test_an_id_that_reads_like_a_missing_value_stays(tmp_path: Path) -> None:
    path = written(tmp_path / "l.txt", f"NA {A} {B}", f"null {A} {B}")
    assert list(read_list(path).ids) == ["NA", "null"]


def test_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    path = written(tmp_path / "l.txt", f"a {A} {B}", f"b {A} {B}")
    plain = read_list(path)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert list(read_list(path).ids) == ["a", "b"]
    assert read_list(path).digest() == plain.digest()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([f"a {A} {B}", f"b {A}"], r"line 10: expected '<id> .*got 2 fields; the line is 'b aaa"),
        ([f"a {A} {B[:-1]}"], r"line 9: expected .*32 hex digits"),
        ([f"a {A} {B}", ""], r"line 10: expected .* got 0 fields"),
        ([f"b {A} {B}", f"a {A} {B}"], r"line 9: expected ids in order, so 'a' here, got 'b'"),
        ([f"a {A} {B}", f"a {A} {B}"], r"line 10: expected each id once, got 'a' again"),
        ([f"../a {A} {B}"], r"unsafe name '../a' in .*line 9"),
        ([f"con {A} {B}"], r"unsafe name 'con' in .*line 9: the name is reserved"),
        ([f"a\x07 {A} {B}"], r"unsafe name 'a\\x07' in .*line 9"),
        ([f"a {A} {B} .gif"], r"expected an image suffix of .jpg, .jpeg, .png, .webp, got '.gif'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    path = written(tmp_path / "l.txt", *lines)
    with pytest.raises(DataListError, match=said) as error:
        read_list(path)
    assert str(path) in str(error.value)


def test_a_list_cut_short_is_an_error(tmp_path: Path) -> None:
    path = written(tmp_path / "l.txt", f"a {A} {B}", count=2)
    with pytest.raises(DataListError, match="expected 2 pairs as its header says, got 1"):
        read_list(path)


def test_a_list_of_another_format_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_text("# something else\na b c\n")
    with pytest.raises(DataListError, match="line 1: expected '# lost-and-found data list"):
        read_list(path)


def test_a_header_without_its_count_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "l.txt"
    path.write_text(HEAD + f"a {A} {B}\n")
    with pytest.raises(DataListError, match="expected a header line '# pairs: "):
        read_list(path)


def test_bytes_that_are_no_utf8_are_named_with_their_line(tmp_path: Path) -> None:
    path = written(tmp_path / "l.txt", f"a {A} {B}")
    path.write_bytes(path.read_bytes() + b"\xff\n")
    with pytest.raises(DataListError, match="line 10: expected UTF-8 text, got byte 0xff"):
        read_list(path)


def test_a_missing_list_says_who_writes_it(project: Path) -> None:
    (project / "2-data-processing/3-map").mkdir(parents=True)
    with pytest.raises(MissingListError, match=r"2-data-processing/3-map.*may_write_lists=True"):
        list_digest("demo", "3-map-mapped")


def test_lost_and_founds_lists_of_names_are_read(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text(
        "geoguessr_location_singleplayer_Zz9_1.png\ngeoguessr_result_singleplayer_Zz9_1.json\n"
        "geoguessr_location_multiplayer_a_2.png\n\n"
    )
    assert read_names(path) == ["multiplayer_a_2", "singleplayer_Zz9_1"]
    assert read_list(path).suffix == ".png"
    assert not read_list(path).is_pinned


def test_a_list_of_names_that_lead_outside_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text("a.jpg\n../b.jpg\n")
    with pytest.raises(UnsafeNameError, match="line 2"):
        read_names(path)


def test_an_empty_list_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "names"
    path.write_text("\n")
    with pytest.raises(DataListError, match="got an empty file"):
        read_names(path)
