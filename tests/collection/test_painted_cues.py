import hashlib
from dataclasses import replace
from math import log2

import numpy as np
import pytest
from PIL import Image

from shared.collection.demo_countries import COUNTRIES
from shared.collection.demo_light import Light, make_light
from shared.collection.demo_paint import paint_view
from shared.collection.demo_place import Place, make_place
from shared.collection.demo_plan import DemoSettings, PlannedView, plan_views
from shared.collection.demo_world import paint_pair
from shared.collection.painted_cues import (
    CUES,
    LAND,
    SHADOWED,
    SKY,
    find_cues,
    mutual_bits,
    paintable,
    style_bits,
)
from shared.data_loader import list_path
from shared.data_loader.lists import read_list

SMALL = DemoSettings(n_places=12, n_multiplayer=2, width=160, height=90)


def views() -> list[PlannedView]:
    return list(paintable([view.id for view in plan_views(SMALL)], SMALL).values())


def scene(view: PlannedView) -> tuple[Place, Light]:
    shown = view.shown
    place = make_place(0, shown.world, shown.code, shown.lat, shown.lon)
    return place, make_light(0, shown.id, place.lat, place.climate.dryness)


def painted(view: PlannedView, place: Place, light: Light, heading: int) -> np.ndarray:
    name = f"{view.shown.id}_{view.turn}"
    picture: Image.Image = paint_view(place, light, heading, 0, name, (160, 90)).image
    return np.asarray(picture)


def heading_of(view: PlannedView) -> int:
    text = paint_pair(view, SMALL)[".json"].decode()
    return int(text.split('"heading": ')[1].split(",")[0])


def test_masks_are_exactly_the_pixels_that_change_without_the_kind() -> None:
    dull = [view for view in views() if scene(view)[1].strength < 0.2]  # no shadows are thrown
    compared = set()
    for view in dull[:4]:
        place, light = scene(view)
        heading, cues = heading_of(view), find_cues(view, SMALL)
        whole = painted(view, place, light, heading)
        for kind in set(cues.masks) - {"road", LAND, SKY}:
            if kind == "lines":
                without = replace(place, centre="none", edge="none")
            elif kind == "soil":
                without = replace(place, verge=0.0, paths=())
            else:
                kept = tuple(thing for thing in place.things if thing.kind != kind)
                without = replace(place, things=kept)
            changed = (painted(view, without, light, heading) != whole).any(axis=2)
            assert np.array_equal(cues.masks[kind], changed), kind
            assert np.array_equal(
                np.asarray(cues.without[kind]) != whole,
                whole != np.asarray(painted(view, without, light, heading)),
            ), kind
            compared.add(kind)
    assert {"lines", "soil", "house", "tree", "pole", "sign"} <= compared


def test_shadows_are_no_part_of_what_throws_them() -> None:
    sunny = [view for view in views() if scene(view)[1].strength > 0.8]
    n_shadow = 0
    for view in sunny[:2]:
        place, light = scene(view)
        whole = painted(view, place, light, heading_of(view)).astype(int)
        cues = find_cues(view, SMALL)
        for kind in set(SHADOWED) & set(cues.masks):
            without = np.asarray(cues.without[kind]).astype(int)
            beside = (whole != without).any(axis=2) & ~cues.masks[kind]
            n_shadow += int(beside.sum())
            assert (whole[beside] <= without[beside]).all()  # a shadow only darkens
    assert n_shadow > 100


def test_every_pixel_is_a_cue_or_land_or_sky() -> None:
    for view in views()[:2]:
        masks = find_cues(view, SMALL).masks
        assert set(masks) <= {*CUES, LAND, SKY}
        assert np.logical_or.reduce(list(masks.values())).all()
        assert not (masks[LAND] & masks[SKY]).any()
        assert not masks[LAND][:39].any()  # the horizon is at 0.44 of the height
        assert not masks[SKY][40:].any()


def test_the_photo_is_the_one_that_the_committed_list_pins() -> None:
    settings = DemoSettings()
    pinned = read_list(list_path("demo", "1-collect"))
    digests = dict(zip(pinned.ids, pinned.image_digests, strict=True))
    name = "singleplayer_00012_0"
    cues = find_cues(paintable([name], settings)[name], settings)
    assert hashlib.sha256(cues.photo).hexdigest()[:32] == digests[name]
    assert {mask.shape for mask in cues.masks.values()} == {(360, 640)}


def test_views_whose_cues_are_not_known_are_left_out_or_refused() -> None:
    everything = plan_views(replace(SMALL, n_places=60))
    known = paintable([view.id for view in everything], replace(SMALL, n_places=60))
    assert not any(view.fault or view.id.startswith("multi") for view in known.values())
    faulty = next(view for view in everything if view.fault in {"blur", "black frame"})
    with pytest.raises(ValueError, match=r"Expected .* to come out as its file has it"):
        find_cues(faulty, SMALL)


def test_bits_are_those_of_two_equal_classes() -> None:
    both = {"a": 3.0, "b": 3.0}
    assert mutual_bits(both, {"a": {"x": 5}, "b": {"y": 2}}) == pytest.approx(1)
    assert mutual_bits(both, {"a": {"x": 1, "y": 1}, "b": {"x": 2, "y": 2}}) == pytest.approx(0)
    # a channel that is right three times of four has 1 - H(1/4) bits (Shannon, 1948)
    noisy = mutual_bits(both, {"a": {"x": 3, "y": 1}, "b": {"x": 1, "y": 3}})
    assert noisy == pytest.approx(1 + 0.25 * log2(0.25) + 0.75 * log2(0.75))


def test_the_driving_side_tells_its_entropy() -> None:
    total = sum(rules.single for rules in COUNTRIES.values())
    left = sum(r.single for r in COUNTRIES.values() if r.drives_left) / total
    entropy = -left * log2(left) - (1 - left) * log2(1 - left)
    assert style_bits("car") == pytest.approx(entropy)
    assert style_bits("soil") == style_bits("road") == 0  # colours are not counted
    assert style_bits("lines") > style_bits("bollard") > 0
