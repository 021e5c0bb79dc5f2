"""Chunks over processes, and the log that lets a killed run go on."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.processing.parallel import DoneLog, file_key, map_chunks


def squares(chunk: Sequence[int]) -> list[int]:
    return [n * n for n in chunk]


def failing(chunk: Sequence[int]) -> list[int]:
    if 7 in chunk:
        msg = "seven"
        raise ValueError(msg)
    return list(chunk)


def shrunk(chunk: Sequence[int]) -> list[tuple[int, ...]]:
    return [cv2.resize(np.zeros((n, n, 3), np.uint8), (9, 9)).shape for n in chunk]


@pytest.mark.parametrize("n_processes", [1, 2, 3])
@pytest.mark.parametrize("chunk_size", [1, 4, 1000])
def test_every_item_is_done_once(n_processes: int, chunk_size: int) -> None:
    chunks = map_chunks(squares, range(50), n_processes=n_processes, chunk_size=chunk_size)
    assert sorted(n for chunk in chunks for n in chunk) == [n * n for n in range(50)]


def test_nothing_to_do_is_done() -> None:
    assert list(map_chunks(squares, [], n_processes=2)) == []


@pytest.mark.parametrize("n_processes", [1, 2])
def test_an_error_in_the_work_is_raised_here(n_processes: int) -> None:
    with pytest.raises(ValueError, match="seven"):
        list(map_chunks(failing, range(40), n_processes=n_processes, chunk_size=5))


@pytest.mark.timeout(60)
def test_processes_start_after_opencv_has_used_its_threads_here() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (0, 0), 3)
        chunks = map_chunks(shrunk, [400] * 8, n_processes=2, chunk_size=2)
        assert [shape for chunk in chunks for shape in chunk] == [(9, 9, 3)] * 8
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_a_log_says_again_what_was_added(tmp_path: Path) -> None:
    log = DoneLog(tmp_path / "log", {"size": 1})
    log.rewrite({})
    log.add({"b": ([1, 2], {"x": "é\n"}), "a": ([None, None], 3.25)})
    again = DoneLog(tmp_path / "log", {"size": 1})
    assert again.entries == {"b": ([1, 2], {"x": "é\n"}), "a": ([None, None], 3.25)}


def test_a_log_of_other_settings_is_not_used_but_its_ids_are_known(tmp_path: Path) -> None:
    log = DoneLog(tmp_path / "log", {"size": 1})
    log.rewrite({"a": ([1], 1)})
    other = DoneLog(tmp_path / "log", {"size": 2})
    assert (other.entries, other.known) == ({}, {"a"})


def test_any_cut_of_a_log_loses_only_the_last_entries(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = DoneLog(path, {"size": 1})
    log.rewrite({name: ([1], name) for name in "abc"})
    whole = path.read_bytes()
    for length in range(len(whole) + 1):
        path.write_bytes(whole[:length])
        complete = whole[:length].count(b"\n") - 1
        entries = DoneLog(path, {"size": 1}).entries
        assert list(entries) == list("abc")[: max(0, complete)], length


def test_the_key_of_a_file_changes_with_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    absent = file_key(path)
    path.write_bytes(b"1")
    short = file_key(path)
    path.write_bytes(b"12")
    assert absent == [None, None]
    assert len({str(key) for key in (absent, short, file_key(path))}) == 3
