import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.training.batches import Batch, Batches, Split, ahead, let_go

CPU = torch.device("cpu")


def numbered(n: int) -> Split:
    """Images whose pixels are all their own number."""
    images = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 4, 6, 3))
    return Split(np.ascontiguousarray(images), torch.arange(n))


def numbers(batches: Batches, epoch: int) -> list[list[int]]:
    batches.set_epoch(epoch)
    return [batch.images[:, 0, 0, 0].tolist() for batch in batches]


def test_an_epoch_shows_each_photo_once_and_its_target_with_it() -> None:
    batches = Batches(numbered(24), 8, 0, CPU)
    batches.set_epoch(3)
    found = list(batches)
    assert len(found) == len(batches) == 3
    assert sorted(t for b in found for t in b.targets.tolist()) == list(range(24))
    for batch in found:
        assert batch.images[:, 0, 0, 0].tolist() == batch.targets.tolist()
        assert (batch.epoch, batch.start, batch.total) == (3, 0, 8)


def test_order_follows_from_seed_and_epoch_alone() -> None:
    one, two = Batches(numbered(40), 8, 7, CPU), Batches(numbered(40), 8, 7, CPU)
    numbers(one, 0)  # what went before plays no part
    assert numbers(one, 5) == numbers(two, 5)
    assert numbers(one, 5) != numbers(one, 6)
    assert numbers(one, 5) != numbers(Batches(numbered(40), 8, 8, CPU), 5)


def test_training_leaves_an_incomplete_batch_out() -> None:
    assert [len(b) for b in numbers(Batches(numbered(20), 8, 0, CPU), 0)] == [8, 8]
    assert [len(b) for b in numbers(Batches(numbered(5), 8, 0, CPU), 0)] == [5]


def test_validation_shows_all_photos_in_their_order() -> None:
    found = numbers(Batches(numbered(20), 8, None, CPU), 0)
    assert [n for batch in found for n in batch] == list(range(20))


def test_rows_choose_photos() -> None:
    split = Split(numbered(9).images, torch.tensor([1, 0]), np.array([7, 2]))
    (batch,) = list(Batches(split, 4, None, CPU))
    assert batch.images[:, 0, 0, 0].tolist() == [7, 2]
    assert batch.targets.tolist() == [1, 0]


def test_processes_share_the_batches_of_one() -> None:
    whole = numbers(Batches(numbered(40), 8, 7, CPU), 2)
    parts = [numbers(Batches(numbered(40), 8, 7, CPU, rank, 2), 2) for rank in range(2)]
    assert [a + b for a, b in zip(*parts, strict=True)] == whole


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9])
def test_processes_share_a_validation_without_doubles(n: int) -> None:
    real: list[int] = []
    lengths = []
    for rank in range(3):
        batches = list(Batches(numbered(n), 6, None, CPU, rank, 3))
        lengths.append([len(batch.images) for batch in batches])
        real += [t for batch in batches for t in batch.targets.tolist() if t >= 0]
    assert sorted(real) == list(range(n))
    assert lengths[0] == lengths[1] == lengths[2]  # else one would wait for the others for ever


def test_too_few_photos_for_the_processes_is_an_error() -> None:
    with pytest.raises(ValueError, match="for each of 3 processes"):
        Batches(numbered(2), 6, 0, CPU, 0, 3)
    with pytest.raises(ValueError, match="a photo or more a process"):
        Batches(numbered(9), 2, 0, CPU, 0, 3)


def test_targets_must_fit_the_photos() -> None:
    with pytest.raises(ValueError, match="a target for each of 4 photos, but got 3"):
        Split(numbered(4).images, torch.arange(3))


def test_an_error_in_the_thread_is_raised_where_batches_are_used() -> None:
    def broken() -> Iterator[Batch]:
        yield Batch(torch.zeros(1), torch.zeros(1), 0, 0, 0, 1)
        msg = "disk gone"
        raise OSError(msg)

    batches = ahead(broken())
    next(batches)
    with pytest.raises(OSError, match="disk gone"):
        next(batches)


def test_leaving_an_epoch_early_ends_the_thread() -> None:
    before = threading.active_count()
    batches = iter(Batches(numbered(200), 2, 0, CPU))
    next(batches)
    assert threading.active_count() == before + 1
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_a_mapped_file_reads_the_same_after_its_pages_were_given_back(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", numbered(50).images)
    images = np.load(tmp_path / "a.npy", mmap_mode="r")
    before = np.array(images)
    let_go(images)
    assert np.array_equal(images, before)
