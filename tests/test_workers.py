import os

import pytest

from shared.workers import side_by_side


def squared(number: int) -> tuple[int, int]:
    if number < 0:
        msg = "a negative number"
        raise ValueError(msg)
    return number * number, os.getpid()


def test_every_item_is_done_once_in_other_processes() -> None:
    done = list(side_by_side(squared, range(20), 2))
    assert sorted(result for result, _ in done) == [n * n for n in range(20)]
    assert os.getpid() not in {process for _, process in done}


def test_one_process_is_this_one_and_keeps_the_order() -> None:
    assert list(side_by_side(squared, [3, 1, 2], 1)) == [(n, os.getpid()) for n in (9, 1, 4)]


def test_an_error_of_the_work_comes_out() -> None:
    with pytest.raises(ValueError, match="a negative number"):
        list(side_by_side(squared, [1, -1, 2, 3], 2))
