import hashlib
import io
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from shared.collection.demo_climate import climate_of
from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_faults import FAULTS
from shared.collection.demo_light import make_light
from shared.collection.demo_paint import paint_view
from shared.collection.demo_place import Place, make_place
from shared.collection.demo_plan import DemoSettings, plan_views
from shared.collection.demo_world import paint_pair
from shared.data_loader import list_path
from shared.data_loader.lists import read_list


def painted(place: Place, turn: int = 0, weather: int = 0) -> NDArray[np.uint8]:
    light = make_light(0, f"light {weather}", place.lat, place.climate.dryness)
    heading = place.road_deg + 90 * turn
    view = paint_view(place, light, heading, 0, f"view {turn}", (128, 72))
    return np.asarray(view.image)


def test_photos_are_the_same_to_the_byte_as_the_committed_list_pins() -> None:
    # Taken on x86-64 Linux with the locked versions of Pillow and numpy: whoever sees another
    # digest here has other photos than the committed data lists pin.
    settings = DemoSettings()
    pinned = read_list(list_path("demo", "1-collect"))
    digests = dict(
        zip(pinned.ids, zip(pinned.image_digests, pinned.record_digests, strict=True), strict=True)
    )
    by_fault = {view.fault: view for view in plan_views(settings) if view.id in digests}
    assert set(by_fault) == {"", *FAULTS} - {"no image", "no record"}
    for view in by_fault.values():
        files = paint_pair(view, settings)
        image = next(files[suffix] for suffix in (".jpg", ".png") if suffix in files)
        found = [hashlib.sha256(data).hexdigest()[:32] for data in (image, files[".json"])]
        assert tuple(found) == digests[view.id], view
        with Image.open(io.BytesIO(image)) as opened:
            assert opened.format == ("PNG" if view.fault == "odd format" else "JPEG")


def test_other_views_painted_before_change_nothing() -> None:
    place = make_place(0, "somewhere", "CZ", 50.0, 14.5)
    alone = painted(place)
    painted(make_place(0, "elsewhere", "AU", -33.0, 150.0), 2, 1)
    assert np.array_equal(painted(place), alone)


def test_headings_and_weathers_of_a_place_look_different() -> None:
    place = make_place(0, "somewhere", "TR", 39.0, 35.0)
    views = [painted(place, turn) for turn in range(4)] + [painted(place, 0, 5)]
    for a in range(5):
        for b in range(a):
            apart = np.abs(views[a].astype(int) - views[b].astype(int)).mean()
            assert apart > 5


@pytest.mark.parametrize(("code", "side"), [("GB", -1), ("JP", -1), ("US", 1), ("PL", 1)])
def test_traffic_keeps_to_the_side_of_its_country(code: str, side: int) -> None:
    south, north, west, east = COUNTRIES[code].box
    places = [
        make_place(0, f"p{n}", code, (south + north) / 2, (west + east) / 2) for n in range(20)
    ]
    cars = [thing for place in places for thing in place.things if thing.kind == "car"]
    assert len(cars) > 15
    assert all(place.lane * side > 0 for place in places)
    # a car's length says whether it drives our way: then it is on our side
    assert all(car.t * side * car.length > 0 for car in cars)


def test_driving_sides_are_those_of_the_real_countries() -> None:
    # Left-hand traffic among the demo's countries: the UK, Ireland, Japan, Australia, New Zealand
    # and South Africa (https://en.wikipedia.org/wiki/Left-_and_right-hand_traffic).
    left = {code for code, rules in COUNTRIES.items() if rules.drives_left}
    assert left == {"GB", "IE", "JP", "AU", "NZ", "ZA"}


def test_climate_drifts_smoothly_and_the_equator_is_warm() -> None:
    rules = COUNTRIES["US"]
    steps = [climate_of(rules, 40.0, -120.0 + 0.5 * k) for k in range(100)]
    dryness = [climate.dryness for climate in steps]
    assert max(abs(a - b) for a, b in pairwise(dryness)) < 0.08
    assert dryness[0] > dryness[-1] + 0.2  # the west of the USA is drier than its east
    assert climate_of(COUNTRIES["BR"], -3.0, -50.0).warmth > 0.9
    assert climate_of(COUNTRIES["SE"], 65.0, 18.0).warmth < 0.25


@pytest.mark.parametrize(("lat", "towards"), [(50.0, 180.0), (-30.0, 0.0)])
def test_the_sun_stands_towards_the_equator(lat: float, towards: float) -> None:
    for n in range(50):
        assert abs(make_light(0, f"p{n}", lat, 0.4).sun_deg - towards) < 90


def test_boxes_of_cues_lie_in_the_picture() -> None:
    place = make_place(0, "somewhere", "PL", 52.0, 20.0)
    light = make_light(0, "light", 52.0, 0.3)
    kinds = set()
    for turn in range(4):
        view = paint_view(place, light, place.road_deg + 90 * turn, 0, f"v{turn}", (160, 90))
        kinds |= set(view.cues)
        for x0, y0, x1, y1 in view.cues.values():
            assert 0 <= x0 < x1 <= 160
            assert 0 <= y0 < y1 <= 90
    assert {"road", "tree", "sign", "house"} <= kinds


@pytest.mark.parametrize("size", [(32, 32), (97, 61), (1300, 300)])
def test_any_size_can_be_painted(size: tuple[int, int]) -> None:
    place = make_place(0, "somewhere", "TR", 39.0, 35.0)
    light = make_light(0, "light", 39.0, 0.5)
    assert paint_view(place, light, 10.0, 0, "v", size).image.size == size
