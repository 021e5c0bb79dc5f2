"""Maps that open without network: what they draw, and that they ask for nothing."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from shared.arcs import circle, great_circle
from shared.geo import haversine_km
from shared.web_map import (
    add_areas,
    add_circle,
    add_line,
    add_points,
    focus,
    world_map,
    write_page,
)
from tests.collection.geoguessr_site.helpers import needs_browser

SQUARE = shapely.box(10, 40, 20, 50)


def test_a_circle_lies_as_far_from_its_middle_as_it_says() -> None:
    for middle in ((0.0, 0.0), (89.9, 30.0), (-17.0, 179.9)):
        ring = circle(middle, 750.0)
        np.testing.assert_allclose(haversine_km(ring, middle), 750.0, rtol=1e-9)
        assert len(np.unique(ring.round(6), axis=0)) == len(ring) - 1  # closed, no place twice


def test_a_great_circle_is_the_shortest_way() -> None:
    way = great_circle((50.0, 170.0), (50.0, -170.0))  # across the antimeridian
    steps = haversine_km(way[1:], way[:-1])
    assert steps.sum() == pytest.approx(haversine_km((50.0, 170.0), (50.0, -170.0)), rel=1e-9)
    assert np.ptp(steps) < 1e-6
    assert way[:, 0].max() == pytest.approx(50.4317, abs=1e-3)  # atan(tan 50 / cos 10)
    assert great_circle((1.0, 2.0), (1.0, 2.0)).tolist() == [[1.0, 2.0], [1.0, 2.0]]


def test_areas_values_and_labels_must_be_as_many() -> None:
    with pytest.raises(ValueError, match=r"as many values \(not negative\) and labels as areas"):
        add_areas(world_map(), [SQUARE], [0.1, 0.2], ["a"], "share")
    with pytest.raises(ValueError, match="not negative"):
        add_areas(world_map(), [SQUARE], [-0.1], ["a"], "share")


def test_outer_rings_turn_the_way_that_fills_the_inside() -> None:
    figure = world_map()
    add_areas(figure, [SQUARE], [1.0], ["a"], "share")
    (trace,) = [trace for trace in figure.data if trace.name == "a"]
    ring = shapely.LinearRing(np.stack([trace.lon, trace.lat], axis=1))
    assert not ring.is_ccw  # counter-clockwise would shade the rest of the world


def test_focus_stays_on_the_earth() -> None:
    figure = world_map()
    focus(figure, [(85.0, 100.0), (80.0, 179.0)])
    assert tuple(figure.layout.geo.lataxis.range) == (72.0, 90.0)
    assert tuple(figure.layout.geo.lonaxis.range) == (92.0, 180.0)


@pytest.mark.browser
@needs_browser
def test_a_page_draws_its_map_and_asks_for_nothing(tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    from shared.collection.geoguessr_session import find_browser

    figure = world_map("A <b>title</b>", "synthetic, n = 2")
    add_areas(figure, [SQUARE], [0.4], ["<i>square</i>: 40 %"], "probability")
    add_points(figure, [(48.0, 2.0), (-20.0, 179.0)], ["one", "two"], "guesses")
    add_circle(figure, (48.0, 2.0), 1000.0, "90 %")
    add_line(figure, (48.0, 2.0), (-20.0, 179.0), "far")
    path = write_page(figure, tmp_path / "map.html", "A map")
    asked, troubles = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser())
        page = browser.new_page(viewport={"width": 900, "height": 500})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_selector(".scattergeo path.point")
        assert page.locator(".scattergeo path.point").count() == 3  # and the square's middle
        assert page.locator("text=A <b>title</b>").count() == 1
        browser.close()
    assert asked == [path.as_uri()]
    assert troubles == []
