"""Collecting over the stand-in: what is found, paid, saved, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import shapely
from PIL import Image

from shared.collection.street_view import Limits, Taken, bill_of, take_photos
from shared.collection.street_view_client import StreetViewError
from shared.collection.street_view_find import Found, Place, Search, find_places
from shared.collection.street_view_ledger import Bill, BillError
from shared.collection.street_view_photos import (
    Photo,
    record_of,
    wanted_photos,
    without_metadata,
)
from shared.collection.street_view_places import Area, cell_areas
from shared.collection.street_view_service import Camera, Panorama, Secret, Service
from shared.grid import grid_partition
from tests.collection.street_view_api import KEY, StandIn, distance_m, picture

ROOT = Path(__file__).parents[2]
CAMERA = Camera(64, 48)
SEARCH = Search(radius_m=1500)
ENOUGH = Limits(confirm_usd=10.0, max_requests=10_000)
FOUR_CELLS = cell_areas(grid_partition(shapely.box(0, 50, 2, 52), 1.0), 3)


def service(api: StandIn, **settings: object) -> Service:
    quick: dict[str, object] = {
        "requests_per_s": 2000.0,
        "backoff_s": 0.001,
        "timeout_s": 2.0,
        "concurrency": 8,
    }
    return Service(Secret(KEY), url=api.url, **{**quick, **settings})  # type: ignore[arg-type]


def find(folder: Path, api: StandIn, areas: list[Area] = FOUR_CELLS) -> Found:
    return find_places(folder, areas, service(api), CAMERA, SEARCH)


def take(folder: Path, api: StandIn, limits: Limits = ENOUGH, **settings: object) -> Taken:
    photos = wanted_photos(find(folder, api).places, [0, 90, 180], 0)
    return take_photos(folder, photos, service(api, **settings), CAMERA, limits)


def place(name: str = "here") -> Place:
    panorama = Panorama("pano_1_2", 51.50001, -0.10001, "2019-05", "© Stand-In")
    area = Area("city", "london", "London", 1, (51.5, -0.1), radius_km=5.0)
    return Place(name, area, (51.5, -0.1), panorama)


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def test_places_lie_in_their_cells_and_none_comes_twice(tmp_path: Path) -> None:
    with StandIn(share_covered=0.5) as api:
        found = find(tmp_path, api)
    assert Counter(place.area.code for place in found.places) == {
        area.code: 3 for area in FOUR_CELLS
    }
    assert len({place.panorama.pano_id for place in found.places}) == 12
    for got in found.places:
        there = got.panorama.lat, got.panorama.lon
        assert got.area.holds(there)
        assert distance_m(got.asked, there) <= SEARCH.radius_m
    outcomes: Counter[str] = sum(found.asked.values(), Counter())
    assert outcomes["found"] == 12
    assert outcomes["ZERO_RESULTS"] > 0
    assert outcomes.total() == len(api.metadata_asked) == found.n_requests
    assert len(found.missing) == outcomes.total() - 12 - outcomes["spare"]
    assert {query["source"] for query in api.metadata_asked} == {"outdoor"}


def test_a_panorama_of_two_cities_is_the_first_ones_and_one_outside_nobodys(
    tmp_path: Path,
) -> None:
    twin = Area("city", "a", "A", 30, (51.5, 0.5), radius_km=2.0)
    with StandIn(share_covered=1.0) as api:
        found = find(tmp_path, api, [twin, replace(twin, code="b", name="B")])
    names = [place.panorama.pano_id for place in found.places]
    assert len(set(names)) == len(names)
    assert found.asked["b"]["seen before"] > 0
    assert found.asked["a"]["outside"] > 0
    assert sum(found.asked["a"].values()) == 300  # 30 wanted, ten tries each, and no more


def test_indoor_panoramas_are_asked_for_only_when_wanted(tmp_path: Path) -> None:
    with StandIn() as api:
        find_places(tmp_path, FOUR_CELLS, service(api), CAMERA, replace(SEARCH, outdoor=False))
    assert all("source" not in query for query in api.metadata_asked)


def test_answers_are_remembered_and_the_same_places_come_in_any_order(tmp_path: Path) -> None:
    with StandIn() as api:
        first = find(tmp_path / "a", api)
        n_asked = len(api.asked)
        again = find(tmp_path / "a", api)
        assert len(api.asked) == n_asked
        assert again.n_requests == 0
    faults = {"UNKNOWN_ERROR": 0.1, "HTTP 503": 0.1, "cut off": 0.1}
    with StandIn(faults=faults, seed=5) as api:
        other = find(tmp_path / "b", api)
    assert [p.id for p in first.places] == [p.id for p in again.places]
    assert [p.id for p in first.places] == [p.id for p in other.places]


def test_requests_that_fail_for_good_stop_the_search_and_are_asked_again(tmp_path: Path) -> None:
    with StandIn(faults={"HTTP 503": 0.5}) as api:
        poor = service(api, retries=0)
        with pytest.raises(StreetViewError, match=r"metadata requests failed.*HTTP 503"):
            find_places(tmp_path, FOUR_CELLS, poor, CAMERA, SEARCH)
        before = len(api.asked)
        api.faults = {}
        assert len(find(tmp_path, api).places) == 12
        good = [q["location"] for kind, q in api.asked[before:] if kind == "metadata"]
        assert len(set(good)) == len(good)


def test_the_cap_on_metadata_requests_holds(tmp_path: Path) -> None:
    with StandIn() as api:
        capped = replace(SEARCH, max_requests=5)
        with pytest.raises(StreetViewError, match="cap of 5 metadata requests"):
            find_places(tmp_path, FOUR_CELLS, service(api), CAMERA, capped)
        assert len(api.asked) == 5


def test_pairs_are_photos_with_records_of_where_when_and_whose(tmp_path: Path) -> None:
    with StandIn() as api:
        taken = take(tmp_path, api)
    assert (len(taken.ids), taken.n_new, taken.failed.total()) == (36, 36, 0)
    assert api.charged.total() == 36
    first = taken.ids[0]
    record = json.loads((tmp_path / f"{first}.json").read_text())
    assert first == f"{record['place']}_000"
    assert record["place"].startswith(f"{record['cell']}+")
    assert record["heading"] == 0
    assert record["source"] == "Google Street View Static API"
    assert record["copyright"] == "© Stand-In"
    assert (record["pano_id"], "0") in api.charged
    assert distance_m(record["asked"], record["coordinates"]) < 1500
    assert len(record["date"]) == 7
    assert Counter(name[-3:] for name in taken.ids) == {"000": 12, "090": 12, "180": 12}


def test_a_record_names_the_city(tmp_path: Path) -> None:
    record = record_of(Photo("here_090", place(), 90), CAMERA)
    assert record == {
        "coordinates": [51.50001, -0.10001],
        "asked": [51.5, -0.1],
        "heading": 90,
        "pitch": 0.0,
        "fov": 90.0,
        "size": [64, 48],
        "place": "here",
        "pano_id": "pano_1_2",
        "date": "2019-05",
        "copyright": "© Stand-In",
        "city": "london",
        "city_name": "London",
        "source": "Google Street View Static API",
    }


def test_photos_lose_what_they_tell_beside_and_keep_their_pixels(tmp_path: Path) -> None:
    before = picture("pano", "0", 64, 48)
    assert b"Exif" in before
    after = tmp_path / "a.jpg"
    after.write_bytes(without_metadata(before))
    (tmp_path / "b.jpg").write_bytes(before)
    with Image.open(after) as ours, Image.open(tmp_path / "b.jpg") as theirs:
        assert not ours.getexif()
        assert "comment" not in ours.info
        assert ours.tobytes() == theirs.tobytes()


def test_headings_are_as_asked_or_start_anywhere() -> None:
    places = [place(f"p{n}") for n in range(40)]
    assert [p.heading for p in wanted_photos(places[:1], [0, 90, 180], 0)] == [0, 90, 180]
    turned = wanted_photos(places, "random", 3)
    starts = [p.heading for p in turned[::4]]
    assert len(set(starts)) > 30
    assert [(p.heading - starts[0]) % 360 for p in turned[:4]] == [0, 90, 180, 270]
    assert starts[20:] == [p.heading for p in wanted_photos(places[20:], "random", 3)[::4]]
    assert starts != [p.heading for p in wanted_photos(places, "random", 4)[::4]]
    for wrong in ([], [0, 360], "sideways"):
        with pytest.raises(ValueError, match="Expected headings, each once, or 'random'"):
            wanted_photos(places, wrong, 0)


def test_the_bill_is_photos_times_price() -> None:
    bill = Bill(n_photos=1452, price_usd=0.007, spent_usd=0.7, n_uncertain=2)
    assert bill.to_pay_usd == pytest.approx(10.164)
    assert bill.total_usd == pytest.approx(10.864)
    assert bill.to_confirm_usd == 10.87
    assert not bill.is_confirmed(10.86)
    assert bill.is_confirmed(10.87)
    assert "1,452 photos to take x 0.007 USD = 10.16 USD" in str(bill)
    assert "2 requests of earlier runs were cut off and may have been charged" in str(bill)


def test_nothing_is_charged_before_the_bill_is_confirmed(tmp_path: Path) -> None:
    with StandIn() as api:
        with pytest.raises(BillError, match=r"at least 0.26, got 0; nothing was charged"):
            take(tmp_path, api, Limits())
        with pytest.raises(BillError, match=r"got 0\.25"):
            take(tmp_path, api, Limits(confirm_usd=0.25))  # 36 photos x 0.007 = 0.252
        with pytest.raises(BillError, match=r"max_requests of at least 36 .* got 35"):
            take(tmp_path, api, Limits(confirm_usd=1.0, max_requests=35))
        assert api.photos_asked == []
        assert take(tmp_path, api, Limits(confirm_usd=0.26, max_requests=36)).n_new == 36


def test_the_cap_counts_every_request_also_those_that_failed(tmp_path: Path) -> None:
    with StandIn() as api:
        find(tmp_path, api)
        api.faults = {"HTTP 503": 0.5}
        with pytest.raises(BillError, match="cap of 40 requests for photos is reached"):
            take(tmp_path, api, Limits(confirm_usd=10, max_requests=40))
        assert len(api.photos_asked) == 40
        with pytest.raises(BillError, match="40 were sent before"):
            take(tmp_path, api, Limits(confirm_usd=10, max_requests=40))
        assert len(api.photos_asked) == 40
        api.faults = {}
        assert len(take(tmp_path, api, Limits(confirm_usd=10, max_requests=100)).ids) == 36
    assert set(api.charged.values()) == {1}  # those refused with 503 cost nothing


def test_what_may_have_been_charged_never_exceeds_what_was_confirmed(tmp_path: Path) -> None:
    with StandIn() as api:
        find(tmp_path, api)
        api.faults = {"cut off": 0.4}  # charged, and did not arrive
        with pytest.raises(BillError, match="One more photo would cost"):
            take(tmp_path, api, Limits(confirm_usd=0.28), retries=8)
        assert api.charged.total() == 40  # 0.28 / 0.007
        bill = bill_of(tmp_path, wanted_photos(find(tmp_path, api).places, [0, 90, 180], 0), CAMERA)
        assert bill.spent_usd == pytest.approx(0.28)
        assert bill.n_uncertain > 0


def test_a_second_run_pays_for_what_is_missing_alone(tmp_path: Path) -> None:
    with StandIn() as api:
        taken = take(tmp_path, api)
        (tmp_path / f"{taken.ids[5]}.jpg").unlink()
        again = take(tmp_path, api)
        assert again.n_new == 1
        assert api.charged.total() == 37
        assert again.bill.spent_usd == pytest.approx(37 * 0.007)
        assert take(tmp_path, api, Limits()).n_new == 0  # nothing to pay, nothing to confirm


def test_every_photo_arrives_once_though_the_service_fails_in_every_way(tmp_path: Path) -> None:
    kinds = ["UNKNOWN_ERROR", "OVER_QUERY_LIMIT", "HTTP 503", "cut off", "garbage", "slow"]
    with StandIn(faults=dict.fromkeys(kinds, 0.02), slow_s=1.0) as api:
        taken = take(tmp_path / "loud", api, timeout_s=0.3, retries=8)
    assert len(taken.ids) == 36
    assert not taken.failed
    assert all(Image.open(tmp_path / f"loud/{name}.jpg").size == (64, 48) for name in taken.ids)
    with StandIn() as api:
        take(tmp_path / "quiet", api)
    assert files_of(tmp_path / "loud") == files_of(tmp_path / "quiet")


def test_photos_that_are_gone_are_missing_and_not_asked_again(tmp_path: Path) -> None:
    with StandIn() as api:
        gone = find(tmp_path, api).places[0]
        api.gone = {gone.panorama.pano_id}
        taken = take(tmp_path, api)
        assert len(taken.ids) == 33
        assert taken.missing == [f"{gone.id}_{heading:03d}" for heading in (0, 90, 180)]
        n_asked = len(api.photos_asked)
        assert take(tmp_path, api).missing == taken.missing
        assert len(api.photos_asked) == n_asked


def test_a_refusal_stops_the_run_and_keeps_what_was_taken(tmp_path: Path) -> None:
    with StandIn() as api:
        find(tmp_path, api)
        api.delay_s = 0.05
        api.next = [""] * 9 + ["REQUEST_DENIED"]
        with pytest.raises(StreetViewError, match="REQUEST_DENIED"):
            take(tmp_path, api)
        charged = api.charged.total()
        assert 9 <= charged <= 9 + 8 + 8  # those under way, and at most one more of each worker
        assert len(list(tmp_path.glob("*.jpg"))) == charged
        assert take(tmp_path, api).n_new == 36 - charged
        assert set(api.charged.values()) == {1}


def test_another_camera_is_another_data_set(tmp_path: Path) -> None:
    with StandIn() as api:
        take(tmp_path, api)
        with pytest.raises(StreetViewError, match="give the data set another name"):
            find_places(tmp_path, FOUR_CELLS, service(api), Camera(64, 64), SEARCH)


def test_the_key_is_in_no_file(tmp_path: Path) -> None:
    with StandIn() as api:
        take(tmp_path, api)
    for path in tmp_path.rglob("*"):
        assert KEY.encode() not in path.read_bytes()
        assert KEY not in path.name


RUN = """
import sys
from pathlib import Path
from tests.collection.test_street_view import *
api = type("Api", (), {"url": sys.argv[2]})()
folder = Path(sys.argv[1])
photos = wanted_photos(find(folder, api).places, [0, 90, 180], 0)
take_photos(folder, photos, service(api, timeout_s=30.0), CAMERA, ENOUGH)
"""


@pytest.mark.parametrize("hold_from", [0, 7, 20])
def test_a_killed_run_goes_on_and_says_what_it_may_have_paid(
    tmp_path: Path, hold_from: int, caplog: pytest.LogCaptureFixture
) -> None:
    with StandIn(hold_from=hold_from) as api:
        run = subprocess.Popen(
            [sys.executable, "-c", RUN, str(tmp_path), api.url],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while len(api.photos_asked) < hold_from + 8 and time.monotonic() < deadline:
            time.sleep(0.02)
        run.send_signal(signal.SIGKILL)
        run.wait(10)
        assert len(list(tmp_path.glob("*.jpg"))) == hold_from
        n_metadata = len(api.metadata_asked)
        api.hold_from = None
        taken = take(tmp_path, api)
    assert len(api.metadata_asked) == n_metadata
    assert len(taken.ids) == 36
    # Eight were charged and never arrived: they count, and were paid for again; no other was.
    assert api.charged.total() == 36 + 8
    assert taken.bill.n_uncertain == 8
    assert taken.bill.spent_usd == pytest.approx(44 * 0.007)
    assert "8 requests of earlier runs were cut off and may have been charged" in caplog.text


def test_killed_between_saving_and_writing_it_down_a_photo_counts_as_paid_once(
    tmp_path: Path,
) -> None:
    with StandIn() as api:
        taken = take(tmp_path, api)
        ledger = tmp_path / ".street-view-ledger.jsonl"
        lines = ledger.read_text().splitlines()
        last = max(n for n, line in enumerate(lines) if "end" in json.loads(line))
        ledger.write_text("\n".join([*lines[:last], lines[last][:9]]))  # and its line is cut
        again = take(tmp_path, api, Limits())
    assert again.n_new == 0
    assert again.bill.n_uncertain == 0
    assert again.bill.spent_usd == taken.bill.spent_usd


def test_a_record_without_its_image_is_no_pair(tmp_path: Path) -> None:
    with StandIn() as api:
        photos = wanted_photos(find(tmp_path, api).places, [0, 90, 180], 0)
        (tmp_path / f"{photos[0].id}.json").write_text("{}")
        taken = take(tmp_path, api)
    assert taken.n_new == 36
    assert json.loads((tmp_path / f"{photos[0].id}.json").read_text())["heading"] == 0


def test_a_broken_line_of_the_ledger_is_named(tmp_path: Path) -> None:
    (tmp_path / ".street-view-ledger.jsonl").write_text('{"camera": {}}\nnonsense\n')
    with pytest.raises(StreetViewError, match="give the data set another name"):
        bill_of(tmp_path, [], CAMERA)
    (tmp_path / ".street-view-ledger.jsonl").write_text("nonsense\n")
    with pytest.raises(StreetViewError, match="line 1: expected JSON, got b'nonsense'"):
        bill_of(tmp_path, [], CAMERA)
