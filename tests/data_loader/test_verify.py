"""Digests are taken once, and again only when size or time of change say so."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from shared.data_loader import verify
from shared.data_loader.files import file_digest, write_json, write_with
from shared.data_loader.places import memory_folder
from shared.data_loader.verify import MISSING, Snapshot, digests, stats

AN_HOUR_AGO = time.time() - 3600


def old_file(path: Path, data: bytes, when: float = AN_HOUR_AGO) -> str:
    path.write_bytes(data)
    os.utime(path, (when, when))
    return str(path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose bytes were read."""
    names: list[str] = []

    def note(path: str) -> str:
        names.append(Path(path).name)
        return file_digest(path)

    monkeypatch.setattr(verify, "file_digest", note)
    return names


def test_digests_are_those_of_sha256(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    paths = [
        old_file(tmp_path / "a", data),
        str(tmp_path / "absent"),
        old_file(tmp_path / "b", b""),
    ]
    assert digests(paths) == [
        hashlib.sha256(data).hexdigest()[:32],
        MISSING,
        "e3b0c44298fc1c149afbf4c8996fb924",  # sha256 of nothing
    ]


def test_a_digest_is_taken_once(tmp_path: Path, read: list[str]) -> None:
    path = old_file(tmp_path / "a", b"1")
    assert digests([path]) == digests([path])
    assert read == ["a"]


@pytest.mark.parametrize(
    ("data", "when"),
    [(b"22", AN_HOUR_AGO), (b"2", AN_HOUR_AGO + 1)],
    ids=["another size", "another time"],
)
def test_another_size_or_time_is_read_again(
    tmp_path: Path, read: list[str], data: bytes, when: float
) -> None:
    path = old_file(tmp_path / "a", b"1")
    first = digests([path])
    old_file(tmp_path / "a", data, when)
    assert digests([path]) != first
    assert len(read) == 2


def test_a_file_changed_a_moment_ago_is_not_trusted(tmp_path: Path, read: list[str]) -> None:
    path = old_file(tmp_path / "a", b"1", time.time())
    digests([path])
    digests([path])
    assert len(read) == 2


def test_a_broken_memory_is_made_again(tmp_path: Path) -> None:
    path = old_file(tmp_path / "a", b"1")
    first = digests([path])
    (memory_folder() / "digests.sqlite").write_bytes(b"this is no database" * 100)
    assert digests([path]) == first


def test_stats_are_sizes_and_times(tmp_path: Path) -> None:
    old_file(tmp_path / "a", b"123", 1.5)
    found = stats(str(tmp_path), ["a", "absent"])
    assert found.tolist() == [[3, 1_500_000_000], [-1, -1]]


def test_a_snapshot_names_the_rows_that_differ(tmp_path: Path) -> None:
    for name in "abc":
        old_file(tmp_path / name, b"1")
    now = stats(str(tmp_path), "abc")
    snapshot = Snapshot("key")
    assert snapshot.differing(now).tolist() == [0, 1, 2]
    snapshot.remember(now)
    assert snapshot.differing(now).tolist() == []
    old_file(tmp_path / "b", b"22")
    assert snapshot.differing(stats(str(tmp_path), "abc")).tolist() == [1]
    assert Snapshot("other").differing(now).tolist() == [0, 1, 2]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": "é"})
    assert path.read_bytes() == '{"a": "é", "b": 1}\n'.encode()

    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        msg = "disk full"
        raise OSError(msg)

    with pytest.raises(OSError, match="disk full"):
        write_with(path, fail)
    assert path.read_bytes() == '{"a": "é", "b": 1}\n'.encode()
    assert list(tmp_path.iterdir()) == [path, *[p for p in tmp_path.iterdir() if p != path]]
    assert [p.name for p in tmp_path.glob("*.json*")] == ["a.json"]
