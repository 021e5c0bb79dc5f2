import numpy as np
import pandas as pd
import pytest

from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.pointing import (
    ANY,
    as_seen,
    centre_map,
    gain,
    game,
    play,
    rounds,
    widened,
)
from shared.processing.resize import ResizeSettings
from shared.training.images import Preprocessing


def spot(down: int, along: int, size: int = 10) -> np.ndarray:
    found = np.zeros((size, size), np.float32)
    found[down, along] = 1
    return found


def cue(down: int, along: int, size: int = 10) -> np.ndarray:
    return spot(down, along, size) > 0


def test_a_hit_lies_on_the_cue_or_within_the_tolerance() -> None:
    mask = cue(5, 5)
    assert play(spot(5, 5), mask, 0).hit == 1
    assert play(spot(5, 6), mask, 0).hit == 0
    assert play(spot(5, 7), mask, 0.2).hit == 1  # two pixels of ten
    assert play(spot(5, 8), mask, 0.2).hit == 0
    assert play(spot(7, 7), mask, 0.2).hit == 0  # 2.8 pixels off: the tolerance is a circle


def test_chance_is_the_share_of_pixels_that_would_hit() -> None:
    # one pixel, itself and its four neighbours, and the 13 within two pixels
    assert [play(spot(0, 0), cue(5, 5), t).chance for t in (0, 0.1, 0.2)] == [0.01, 0.05, 0.13]
    hits = [play(spot(y, x), cue(5, 5), 0.2).hit for y in range(10) for x in range(10)]
    assert np.mean(hits) == pytest.approx(0.13)
    assert widened(np.zeros((4, 4), bool), 2).sum() == 0


def test_ties_are_shared_and_an_empty_map_plays_by_chance() -> None:
    map_ = spot(5, 5) + spot(1, 1) + spot(2, 2) + spot(3, 3)
    assert play(map_, cue(5, 5), 0).hit == 0.25
    empty = play(np.zeros((10, 10), np.float32), cue(5, 5), 0.2)
    assert empty.hit == pytest.approx(empty.chance)
    assert empty.energy == empty.area == 0.01


def test_energy_is_the_share_of_what_is_positive() -> None:
    map_ = 3 * spot(5, 5) + spot(1, 1) - 8 * spot(2, 2)
    assert play(map_, cue(5, 5)).energy == 0.75


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match=r"of one \(H, W\), but got \(10, 10\) and \(9, 9\)"):
        play(spot(1, 1), cue(1, 1, 9))


def test_the_centre_map_points_at_the_middle() -> None:
    found = centre_map(9, 15)
    assert int(found.argmax()) == 4 * 15 + 7


def test_masks_take_the_way_of_the_photo() -> None:
    mask = np.zeros((90, 160), bool)
    mask[:, :40] = True  # the left quarter; a square crop of the middle 90 columns keeps 5 of it
    assert as_seen(mask, ResizeSettings(160, 90), Preprocessing(80, 45))[:, :20].all()
    assert as_seen(mask, ResizeSettings(160, 90), Preprocessing(80, 45)).mean() == 0.25
    found = as_seen(mask, ResizeSettings(80, 45), Preprocessing(45, 45))
    assert found.shape == (45, 45)
    assert found.sum(axis=1).tolist() == [3] * 45  # 40 of 160 is 20 of 80, of which 17 are cut
    thin = np.zeros((90, 160), bool)
    thin[:, 80] = True  # half of a pixel of the smaller photo: more than a quarter counts
    assert as_seen(thin, ResizeSettings(80, 45), Preprocessing(80, 45)).sum() == 45


def three_photos() -> pd.DataFrame:
    photos = pd.DataFrame({"place": ["a", "a", "b"]}, index=["1", "2", "3"])
    masks = [{"tree": cue(5, 5), "pole": cue(2, 2)}, {"tree": cue(5, 5)}, {"pole": cue(2, 2)}]
    own = [spot(5, 5), spot(2, 2), spot(2, 2)]
    maps = {"own": own, "blind": [spot(9, 9)] * 3}
    return rounds(maps, masks, photos, ["tree", "pole"], 0.005, 0)


def test_the_game_counts_by_method_and_cue() -> None:
    found = game(three_photos(), PlaceBootstrap(draws=50))
    assert {m: {c: one.photos for c, one in some.items()} for m, some in found.items()} == {
        name: {"tree": 2, "pole": 2, ANY: 3} for name in ("own", "blind")
    }
    assert found["own"]["tree"]["hit"].value == 0.5
    assert found["own"]["pole"]["hit"].value == 0.5
    assert found["own"][ANY]["hit"].value == pytest.approx(2 / 3)
    assert found["own"][ANY]["chance"].value == pytest.approx((0.02 + 0.01 + 0.01) / 3)
    assert found["own"][ANY]["lift"].value == pytest.approx(2 / 3 - 0.04 / 3)
    assert found["own"][ANY]["focus"].value == pytest.approx(50)
    assert found["blind"][ANY]["hit"].value == 0
    # place a has one hit of two, place b one of one: every draw lies between
    assert (found["own"][ANY]["hit"].lower, found["own"][ANY]["hit"].upper) == (0.5, 1)
    assert found["own"][ANY].as_dict()["photos"] == 3


def test_gains_are_paired_by_photo() -> None:
    more = gain(three_photos(), "own", "blind", ANY, PlaceBootstrap(draws=50))
    assert more["hit"].value == pytest.approx(2 / 3)
    assert more["chance"].value == more["chance"].lower == more["chance"].upper == 0


def test_cues_that_are_too_small_are_not_looked_for() -> None:
    photos = pd.DataFrame({"place": ["a"]}, index=["1"])
    found = rounds({"own": [spot(5, 5)]}, [{"tree": cue(5, 5)}], photos, ["tree"], 0.02)
    assert found.empty
