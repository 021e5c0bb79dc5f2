"""The model as a player: whole games on the stand-in, and what it refuses to play."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pyproj import Geod

from shared.collection.geoguessr import Patience, Settings, Site, TermsError
from shared.collection.geoguessr_faults import NotSinglePlayerError
from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.world import PaintedWorld, PhotoWorld
from shared.data_loader import load_pairs, processed_store, read_records
from shared.evaluation.intervals import PlaceBootstrap
from shared.predict import Predictor
from shared.predict.answers import Answer, Guess, Pin
from shared.predict.play import PlayedRound, PlayReport, missing_browser, play_games
from shared.predict.play_report import games_table, mean_points, rounds_table
from tests.browsers import needs_browser

SPHERE = Geod(a=6371008.8, b=6371008.8)
QUICK = Settings(
    max_games=1, pause_s=0, retry_s=0.05, timeout_s=10, patience=Patience(quiet_s=0.3, poll_s=0.1)
)


def points_at(guess: tuple[float, float], truth: tuple[float, float]) -> float:
    metres = SPHERE.inv(guess[1], guess[0], truth[1], truth[0])[2]
    return 5000 * math.exp(-metres / 1000 / 1492.7)


def tiny_world() -> PhotoWorld:
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    return PhotoWorld.of_pairs(pairs, read_records(pairs), seed=0)


@pytest.mark.browser
@needs_browser
@pytest.mark.slow
def test_points_are_those_of_the_clicked_places_and_every_truth_is_told(tiny_root: Path) -> None:
    predictor = Predictor.load("tiny")
    world = tiny_world()
    stand_in = StandIn(world, {"opens nothing": 0.3}, seed=1, needs_login=False)
    with stand_in_served(stand_in) as site:
        report = play_games(predictor, replace(QUICK, timeout_s=4), tiny_root / "p", site=site)
    (game,) = stand_in.games.values()
    assert [played.number for played in report.rounds] == [1, 2, 3, 4, 5]
    assert stand_in.made["opens nothing"] > 0  # and the results page told the place
    for played, place, guess in zip(report.rounds, game.places, game.guesses, strict=True):
        pin = predictor.predict(played.photo, pin=True)[0].pin
        assert pin is not None
        assert SPHERE.inv(pin.lon, pin.lat, *played.clicked[::-1])[2] < 2500  # a pixel of the map
        assert SPHERE.inv(*guess[::-1], *played.clicked[::-1])[2] < 50
        assert played.truth == stand_in.point(place)
        assert played.points == pytest.approx(points_at(played.clicked, played.truth), abs=0.51)
    total = sum(played.points for played in report.rounds)
    assert report.totals == {game.id: total}
    assert report.stopped == "all games are played"
    assert not list((tiny_root / "p").rglob("*"))  # no photo is kept


@pytest.mark.browser
@needs_browser
@pytest.mark.slow
def test_a_game_of_people_is_not_played(tiny_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor = Predictor.load("tiny")
    looked: list[object] = []
    monkeypatch.setattr(predictor, "predict", lambda *given, **_: looked.append(given))
    stand_in = StandIn(PaintedWorld(10), needs_login=False)
    with stand_in_served(stand_in) as site:
        led_on = replace(site, lobby=site.battle_lobby)
        with pytest.raises(NotSinglePlayerError, match=r"/battle-royale/.*it is not played"):
            play_games(predictor, QUICK, tiny_root / "p", site=led_on)
    assert stand_in.battles
    assert not looked


def test_other_modes_and_the_site_without_its_terms_are_refused(tiny_root: Path) -> None:
    predictor = Predictor.load("tiny")
    several = Settings(mode="multiplayer")
    with pytest.raises(NotSinglePlayerError, match="'multiplayer'"):
        play_games(predictor, several, tiny_root / "p", site=Site(), accept_terms=True)
    with pytest.raises(TermsError, match=r"geoguessr\.com/terms"):
        play_games(predictor, QUICK, tiny_root / "p", site=Site())
    assert not (tiny_root / "p").exists()
    assert "no-such-browser" in missing_browser("/no/where/no-such-browser")


def test_a_world_shows_a_view_of_each_place_in_an_order_of_ids_and_seed(tiny_root: Path) -> None:
    assert tiny_root.is_dir()
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    records = read_records(pairs)
    shown = [spot.path.stem for spot in PhotoWorld.of_pairs(pairs, records, 0).places]
    assert len(shown) == records["place"].nunique()
    again = PhotoWorld.of_pairs(pairs[::-1], records.iloc[::-1], 0)
    assert [spot.path.stem for spot in again.places] == shown
    with pytest.raises(ValueError, match="0 photos and 0 places"):
        PhotoWorld.of_pairs(pairs, records.assign(lat=None), 0)


def made_round(
    game: str, number: int, truth: tuple[float, float] | None, points: int
) -> PlayedRound:
    guess = Guess("FR", "France", 0.5)
    answer = Answer("a", ("a",), (guess,), (), None, Pin(0.0, 0.0, "", 500.0))
    return PlayedRound(game, number, answer, (0.0, 0.0), truth, points, b"")


def test_the_report_counts_what_was_played_beside_a_constant_guess() -> None:
    rounds = (
        made_round("x", 1, (0.0, 0.0), 5000),
        made_round("x", 2, (0.0, 90.0), 6),
        made_round("x", 3, None, 9),  # its place was not told: it is left out
        made_round("y", 1, (0.0, 45.0), 175),
    )
    report = PlayReport(rounds, {"x": 5006, "y": None}, Counter(), "", 1.0)
    table = rounds_table(report, (0.0, 90.0))
    quarter = math.pi / 2 * 6371.0088
    assert list(table["km"]) == pytest.approx([0.0, quarter, quarter / 2])
    eighth = 5000 * math.exp(-quarter / 2 / 1492.7)
    fourth = 5000 * math.exp(-quarter / 1492.7)
    assert list(table["constant"]) == pytest.approx([fourth, 5000.0, eighth])
    games = games_table(table, report.totals)
    assert list(games["rounds"]) == [2, 1]
    assert list(games["points"]) == [5006, 175]
    assert games["shown"].tolist() == [5006, pd.NA]
    found = mean_points(table, PlaceBootstrap(0, draws=500))
    assert found["model"].value == pytest.approx((5000 + 6 + 175) / 3)
    assert found["model"].lower >= 6
    assert found["model"].upper <= 5000
    assert found["difference"].value == pytest.approx(
        found["model"].value - found["constant"].value
    )
