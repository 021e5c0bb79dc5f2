"""Near duplicates: the hash, and that no near pair is missed."""

import itertools

import cv2
import numpy as np
import pytest

from shared.processing import duplicates as duplicates_module
from shared.processing.duplicates import (
    Hashes,
    as_numbers,
    difference_hash,
    distances,
    first_of_near,
    near_pairs,
)


def clustered_hashes(n: int, seed: int) -> Hashes:
    """Random hashes, each with a copy in which 0 to 20 bits are flipped."""
    rng = np.random.default_rng(seed)
    bits = rng.random((n, 128)) < 0.5
    copies = bits.copy()
    for row, flips in zip(copies, rng.integers(0, 21, n), strict=True):
        row[rng.choice(128, flips, replace=False)] ^= True
    packed = np.packbits(np.concatenate([bits, copies]), axis=1)
    return as_numbers([row.tobytes().hex() for row in packed])


def distance(a: np.ndarray, b: np.ndarray) -> int:
    return sum((int(x) ^ int(y)).bit_count() for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("radius", [0, 1, 3, 8, 16])
def test_all_pairs_within_the_radius_are_found_and_no_others(radius: int) -> None:
    hashes = clustered_hashes(120, seed=radius)
    hashes = np.concatenate([hashes, hashes[:5]])  # equal ones
    expected = [
        [i, j]
        for i, j in itertools.combinations(range(len(hashes)), 2)
        if distance(hashes[i], hashes[j]) <= radius
    ]
    pairs, bits = near_pairs(hashes, radius)
    assert len(expected) >= 5
    assert pairs.tolist() == expected
    assert bits.tolist() == [distance(hashes[i], hashes[j]) for i, j in expected]


def test_no_hash_and_one_hash_have_no_pairs() -> None:
    for n in (0, 1):
        pairs, bits = near_pairs(np.zeros((n, 2), np.uint64), 8)
        assert (pairs.shape, bits.shape) == ((0, 2), (0,))


@pytest.mark.parametrize("radius", [-1, 17])
def test_a_radius_out_of_range_is_an_error(radius: int) -> None:
    with pytest.raises(ValueError, match=f"radius: expected 0 to 16 bits, got {radius}"):
        near_pairs(np.zeros((2, 2), np.uint64), radius)


def test_too_many_pairs_to_hold_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates_module, "MAX_PAIRS", 44)
    assert len(near_pairs(np.zeros((9, 2), np.uint64), 2)[0]) == 36
    with pytest.raises(ValueError, match="at most 44 pairs within 2 bits, got more among 11"):
        near_pairs(np.zeros((11, 2), np.uint64), 2)


def test_a_hash_of_another_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected hashes of 32 hexadecimal digits, got 16"):
        as_numbers(["0" * 16])


def test_the_hash_of_a_ramp_is_known() -> None:
    right = np.tile(np.linspace(0, 255, 320).astype(np.uint8), (180, 1))
    down = np.tile(np.linspace(0, 255, 180).astype(np.uint8)[:, None], (1, 320))
    left = np.ascontiguousarray(right[:, ::-1])
    found = as_numbers([difference_hash(image) for image in (right, down, left)])
    expected = as_numbers(["f" * 16 + "0" * 16, "0" * 16 + "f" * 16, "0" * 32])
    assert (distances(found, expected) <= 2).all()  # equal levels are rounded to unequal ones


def test_saving_again_hardly_moves_a_hash_and_another_photo_does() -> None:
    rng = np.random.default_rng(0)
    a, b = (
        cv2.resize(rng.integers(0, 256, (12, 20), dtype=np.uint8), (320, 180)) for _ in range(2)
    )
    again = cv2.imdecode(cv2.imencode(".jpg", a, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 0)
    images = [np.asarray(image, np.uint8) for image in (a, again, b)]
    hashes = as_numbers([difference_hash(image) for image in images])
    assert distances(hashes[:1], hashes[1:2])[0] <= 8
    assert distances(hashes[:1], hashes[2:])[0] >= 30


def test_of_a_chain_every_second_is_kept() -> None:
    chain = np.array([[0, 1], [1, 2], [2, 3], [3, 4]])
    assert first_of_near(5, chain).tolist() == [-1, 0, -1, 2, -1]


def test_the_first_kept_photo_stands_for_a_group_whatever_the_order_of_the_pairs() -> None:
    group = np.array([[1, 3], [0, 3], [0, 1], [1, 2], [0, 2], [2, 3]])
    for order in itertools.permutations(range(len(group))):
        assert first_of_near(4, group[list(order)]).tolist() == [-1, 0, 0, 0]
