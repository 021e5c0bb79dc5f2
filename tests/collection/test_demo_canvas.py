import pytest

from shared.collection.demo_canvas import EYE_M, FOCAL, NEAR_M, SCALE, Canvas, area, clip
from shared.collection.demo_light import make_light
from shared.collection.demo_place import make_place


@pytest.fixture
def canvas() -> Canvas:
    """A canvas of 320 x 180 that looks along a road in Poland."""
    place = make_place(0, "singleplayer_00000", "PL", 52.2, 21.0)
    light = make_light(0, "singleplayer_00000", 52.2, 0.3)
    return Canvas(place, place.road_deg, light, (320, 180))


def test_what_is_ten_metres_ahead_of_the_lane_is_in_the_middle(canvas: Canvas) -> None:
    bend = canvas.place.curve * 100  # metres to the side, 10 m ahead
    spot = canvas.spot(10.0, canvas.place.lane - bend)
    assert spot is not None
    assert spot.x == pytest.approx(320 * SCALE / 2)
    assert spot.y == pytest.approx(canvas.horizon + EYE_M * FOCAL * 320 * SCALE / 10)
    assert spot.z == pytest.approx(10.0)


def test_what_is_behind_the_camera_is_not_seen(canvas: Canvas) -> None:
    assert canvas.spot(-10.0, 0.0) is None
    assert not canvas.face([(-9.0, 0.0, 0.0), (-8.0, 1.0, 0.0), (-7.0, 0.0, 0.0)], (9, 9, 9))


def test_a_turn_to_the_right_puts_the_right_side_ahead(canvas: Canvas) -> None:
    turned = Canvas(canvas.place, canvas.place.road_deg + 90, canvas.light, (320, 180))
    right, _, ahead = turned.seen((0.0, canvas.place.lane + 7.0, 0.0))
    assert (right, ahead) == pytest.approx((0.0, 7.0))


def test_clipping_cuts_a_triangle_at_the_near_plane() -> None:
    cut = clip([(0.0, 0.0, NEAR_M + 1), (1.0, 0.0, NEAR_M - 1), (2.0, 0.0, NEAR_M + 1)])
    assert len(cut) == 4
    assert min(point[2] for point in cut) == NEAR_M
    assert {round(point[0], 9) for point in cut} == {0.0, 0.5, 1.5, 2.0}
    assert clip([(0.0, 0.0, -1.0), (1.0, 0.0, -1.0), (0.0, 1.0, -1.0)]) == []


def test_area_is_positive_clockwise_on_the_screen() -> None:
    square = [(0.0, 0.0), (3.0, 0.0), (3.0, 2.0), (0.0, 2.0)]
    assert area(square) == 12.0
    assert area(square[::-1]) == -12.0


def test_the_largest_box_of_a_cue_is_kept_in_pixels_of_the_picture(canvas: Canvas) -> None:
    canvas.mark("sign", [(20.0, 40.0), (60.0, 100.0)])
    canvas.mark("sign", [(20.0, 40.0), (40.0, 60.0)])
    canvas.mark("pole", [(-50.0, 10.0), (2000.0, 30.0)])
    assert canvas.cues == {"sign": (10, 20, 30, 50), "pole": (0, 5, 320, 15)}
