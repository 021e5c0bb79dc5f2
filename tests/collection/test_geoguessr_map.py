"""The map of the guess: its projection, and clicks on the stand-in's map in a real browser."""

import asyncio
import math
from pathlib import Path

import pytest
from pyproj import Transformer

from shared.collection.geoguessr_map import Projection, guess_at
from shared.collection.geoguessr_session import Session
from shared.collection.geoguessr_single import start_single
from shared.collection.geoguessr_site import Site, game_of, is_single_player, is_stand_in
from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.tiles import tile
from shared.collection.stand_in.world import PaintedWorld, PhotoWorld
from shared.geo import haversine_km
from tests.collection.geoguessr_site.helpers import needs_browser

SITE = Site()
HALF_M = 20037508.342789244  # of EPSG:3857: half the width of its square, metres
PLACES = [(48.2, 16.4), (-33.9, 151.2), (64.1, -21.9), (-41.3, 174.8), (-18.1, 178.4), (71.3, -156)]


@pytest.mark.parametrize("point", PLACES)
def test_pixels_are_those_of_epsg_3857(point: tuple[float, float]) -> None:
    projection = Projection(world_px=512.0, left=-30.0, top=7.0)
    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    east, north = to_metres.transform(point[1], point[0])
    x, y = projection.pixel_of(point, near_x=226.0)
    assert x == pytest.approx(-30 + 512 * (east / HALF_M + 1) / 2)
    assert y == pytest.approx(7 + 512 * (1 - north / HALF_M) / 2)
    assert projection.place_of((x, y)) == pytest.approx(point)


def test_the_nearest_copy_of_the_world_is_taken() -> None:
    projection = Projection(world_px=512.0, left=0.0, top=0.0)
    assert projection.pixel_of((0.0, 179.0), near_x=10.0)[0] == pytest.approx(-512 / 360)
    assert projection.pixel_of((0.0, -179.0), near_x=500.0)[0] == pytest.approx(512 + 512 / 360)


def test_the_projection_is_read_from_the_address_and_place_of_a_tile() -> None:
    # two tiles of zoom 3 at half size, one left over from zoom 2, and a picture that is no tile
    tiles = [
        ("https://maps.example/vt?pb=!1m5!1m4!1i3!2i4!3i2!4i256!2m3", 300.0, 50.0, 128.0),
        ("https://maps.example/vt?pb=!1m5!1m4!1i3!2i5!3i2!4i256!2m3", 428.0, 50.0, 128.0),
        ("https://maps.example/vt?pb=!1m5!1m4!1i2!2i1!3i1!4i256!2m3", 0.0, 0.0, 256.0),
        ("https://maps.example/logo.png", 0.0, 0.0, 20.0),
    ]
    assert Projection.of_tiles(tiles, SITE) == Projection(1024.0, 300 - 4 * 128, 50 - 2 * 128)
    assert Projection.of_tiles(tiles[3:], SITE) is None


@pytest.mark.parametrize(
    ("path", "is_single"),
    [
        ("/game/AbCdEf0123456789", True),
        ("/game/AbCdEf0123456789?x=1#y", True),
        ("/game/AbCdEf0123456789/", False),
        ("/game/", False),
        ("/game/a/../../duels/AbCdEf0123456789", False),
        ("/maps/world", False),
        ("/duels/AbCdEf0123456789", False),
        ("/team-duels/AbCdEf0123456789", False),
        ("/battle-royale/AbCdEf0123456789", False),
        ("/multiplayer/battle-royale-countries", False),
        ("/challenge/AbCdEf0123456789", False),
        ("/party/game/AbCdEf0123456789", False),
        ("/ranked/game/AbCdEf0123456789", False),
        (".evil.example/game/AbCdEf0123456789", False),
    ],
)
def test_only_the_address_of_a_singleplayer_game_is_one(path: str, is_single: bool) -> None:
    assert is_single_player(f"https://www.geoguessr.com{path}", SITE) == is_single
    assert not is_single_player(f"https://other.example{path}", SITE)


def test_only_loopback_is_a_stand_in() -> None:
    assert is_stand_in(Site.at("http://127.0.0.1:8123/"))
    for address in ("https://www.geoguessr.com", "http://127.0.0.1.evil.example:80"):
        assert not is_stand_in(Site.at(address))


def test_the_tile_of_the_world_has_land_and_there_is_none_outside() -> None:
    assert b'<path d="M' in tile(0, 0, 0)
    with pytest.raises(ValueError, match="zoom 1, x 2, y 0"):
        tile(1, 2, 0)


def test_a_world_of_photos_needs_a_place_for_each(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 photos and 2 places"):
        PhotoWorld([tmp_path / "a.jpg"], [[1.0, 2.0], [3.0, 4.0]])


@pytest.mark.browser
@needs_browser
@pytest.mark.slow
def test_a_place_is_clicked_wherever_it_is_and_scored_by_its_distance(tmp_path: Path) -> None:
    stand_in = StandIn(PaintedWorld(10), needs_login=False)

    async def play(site: Site) -> tuple[list[tuple[float, float]], list[int]]:
        async with Session(site, cookies=tmp_path / "c", timeout_s=10.0) as session:
            page = await session.new_page()
            await start_single(page)
            assert is_single_player(page.page.url, site)
            assert game_of(page.page.url) in stand_in.games
            clicked, points = [], []
            for place in PLACES[:5]:
                await page.wait_for("canvas")
                await page.wait_until_gone("loading")
                clicked.append(await guess_at(page, place))
                button = await page.wait_for("view_results", "next_round")
                points += await page.points_shown()
                await page.click(button)
            await page.until_count("marker", 5)
            return clicked, [*points, *await page.points_shown()]

    with stand_in_served(stand_in) as site:
        clicked, points = asyncio.run(play(site))
    (game,) = stand_in.games.values()
    assert haversine_km(clicked, PLACES[:5]).max() < 2.5  # a pixel is no larger
    assert haversine_km(clicked, game.guesses).max() < 0.05
    for place, guess, shown in zip(game.places, clicked, points, strict=False):
        km = float(haversine_km(guess, stand_in.point(place)))
        assert shown == pytest.approx(5000 * math.exp(-km / 1492.7), abs=0.51)
    assert points[5] == sum(points[:5])
