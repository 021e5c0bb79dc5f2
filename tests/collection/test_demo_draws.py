import hashlib
import math
from random import Random

import pytest

from shared.collection.demo_draws import Draws, cosine, limited, mix, shade, sine


def test_a_name_decides_its_draws_whatever_else_is_drawn() -> None:
    assert Draws(3, "a").unit() == Draws(3, "a").unit()
    assert Draws(3, "a").unit() != Draws(3, "b").unit()
    assert Draws(3, "a").unit() != Draws(4, "a").unit()


def test_draws_are_the_mersenne_twister_from_sha256() -> None:
    start = hashlib.sha256(b"0:x").digest()[:16]
    assert Draws(0, "x").unit() == Random(int.from_bytes(start, "big")).random()


def test_weighted_draws_come_as_often_as_the_weights_say() -> None:
    draws = Draws(0, "weights")
    drawn = [draws.weighted({"a": 6, "b": 3, "c": 1, "never": 0}) for _ in range(4000)]
    assert drawn.count("never") == 0
    for key, share in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
        deviation = math.sqrt(share * (1 - share) / 4000)  # of a binomial share
        assert abs(drawn.count(key) / 4000 - share) < 4 * deviation


def test_an_item_along_a_row_is_near_the_position() -> None:
    draws = Draws(0, "along")
    first = [draws.along("abcde", 0.0) for _ in range(300)]
    last = [draws.along("abcde", 1.0) for _ in range(300)]
    assert set(first) <= {"a", "b"}
    assert set(last) <= {"d", "e"}


def test_colours_are_mixed_halfway_and_stay_in_range() -> None:
    assert mix((0, 100, 200), (100, 200, 255), 0.5) == (50, 150, 228)
    assert shade((100, 200, 250), 1.5) == (150, 255, 255)
    assert limited(1.5) == 1.0
    assert limited(-2.0) == 0.0


@pytest.mark.parametrize(("degrees", "expected"), [(0, 0.0), (30, 0.5), (90, 1.0), (-90, -1.0)])
def test_sines_are_rounded_to_known_values(degrees: float, expected: float) -> None:
    assert sine(degrees) == expected
    assert cosine(degrees - 90) == expected
