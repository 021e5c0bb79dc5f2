"""Mapillary's API, over a server that answers as its documentation says, and fails when told."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from shared.collection.public.gathering import Subset, collect_pairs
from shared.collection.public.mapillary import Mapillary
from shared.collection.public.mapillary_api import CELL_DEG, RequestCapError, cells
from shared.data_loader import DataListError, DownloadError, raw_store
from tests.collection.public_stand_ins import Answer, LoopbackServer, jpeg, serving
from tests.collection.public_stand_ins import project as project

TOKEN = "MLY|4242|deadbeefcafe"
BOX = [7.40, 46.90, 7.50, 46.98]  # Bern: two cells


@dataclass
class StandIn:
    """Images in boxes, pages, thumbnails that need no token, and faults to come, in order."""

    images: list[dict[str, Any]]
    page: int = 2000
    cap: int = 2000
    faults: list[Answer] = field(default_factory=list)
    server: LoopbackServer = field(init=False)
    authorised: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.server = LoopbackServer(self.answer)

    def answer(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        parts = urlsplit(path)
        if parts.path.startswith("/thumb/"):
            self.authorised.append(headers.get("authorization", ""))
            name = parts.path.removeprefix("/thumb/")
            return (410, {}, b"") if name in self.gone else (200, {}, jpeg(int(name)))
        if headers.get("authorization") != f"OAuth {TOKEN}":
            said = f"Malformed access token {headers.get('authorization', '')[6:]}"
            return graph_error(400, 190, said)
        if self.faults:
            return self.faults.pop(0)
        return self._search(parse_qs(parts.query))

    def _search(self, query: dict[str, list[str]]) -> Answer:
        west, south, east, north = map(float, query["bbox"][0].split(","))
        if (east - west) * (north - south) > 0.01:
            return graph_error(400, 100, "bbox is too large")
        wanted = query["fields"][0].split(",")
        inside = [image for image in self.images if _lies_in(image, west, south, east, north)]
        inside = inside[: min(self.cap, int(query["limit"][0]))]
        start = int(query.get("after", ["0"])[0])
        rows = [
            {key: image[key] for key in wanted if key in image}
            for image in inside[start : start + self.page]
        ]
        for row in rows:
            row["thumb_1024_url"] = f"{self.server.url}/thumb/{row['id']}?sig=1"
        answer: dict[str, Any] = {"data": rows}
        if start + self.page < len(inside):
            after = str(start + self.page)
            url = f"{self.server.url}/images?access_token={TOKEN}&after={after}"
            answer["paging"] = {"cursors": {"after": after}, "next": url}
        return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()


def _lies_in(image: dict[str, Any], west: float, south: float, east: float, north: float) -> bool:
    lon, lat = (image.get("computed_geometry") or image["geometry"])["coordinates"]
    return bool(west <= lon <= east and south <= lat <= north)


def graph_error(status: int, code: int, message: str, **headers: str) -> Answer:
    body = {"error": {"message": message, "type": "OAuthException", "code": code}}
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


def image(number: int, lon: float, lat: float, **more: Any) -> dict[str, Any]:
    return {
        "id": str(number),
        "computed_geometry": {"type": "Point", "coordinates": [lon, lat]},
        "geometry": {"type": "Point", "coordinates": [lon + 0.001, lat]},
        "compass_angle": 271.25,
        "captured_at": 1_600_000_000_000,
        "sequence": "seq1",
        "creator": {"username": "roadroid", "id": "9"},
        "is_pano": False,
        **more,
    }


def twelve() -> list[dict[str, Any]]:
    return [image(100 + k, 7.41 + k * 0.008, 46.91 + k * 0.005) for k in range(12)]


@pytest.fixture(autouse=True)
def token(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_MAPILLARY_TOKEN", TOKEN)


@pytest.fixture
def run() -> Iterator[Callable[..., Mapillary]]:
    """An adapter of a stand-in that is served until the end of the test, and quick."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(stand_in: StandIn, box: list[float] | None = None, **options: Any) -> Mapillary:
            if not stand_in.server.url:
                stack.enter_context(serving(stand_in.server))
            settings = {"per_minute": 60_000.0, "max_requests": 200, **options}
            adapter = Mapillary(box or BOX, address=stand_in.server.url, **settings)
            adapter._api.first_wait_s = 0.01
            return adapter

        yield start


def test_photos_of_a_box_become_pairs_with_attribution(run: Callable[..., Mapillary]) -> None:
    stand_in = StandIn(twelve())
    store = raw_store("mapillary", source="")
    account = collect_pairs(run(stand_in), store, Subset())
    assert account.ids == [f"mapillary_{100 + k}" for k in range(12)]
    record = json.loads((store.images / "mapillary_100.json").read_text(encoding="utf-8"))
    assert record["coordinates"] == [46.91, 7.41]
    assert record["heading"] == 271.25
    assert record["date"] == "2020-09-13"
    assert record["place"] == "seq1"
    page = "https://www.mapillary.com/app/?pKey=100"
    assert record["attribution"] == f"© roadroid, Mapillary, CC BY-SA 4.0, {page}"
    assert (store.images / "mapillary_105.jpg").read_bytes() == jpeg(105)


def test_pages_are_followed_and_a_photo_on_an_edge_comes_once(
    run: Callable[..., Mapillary],
) -> None:
    stand_in = StandIn([*twelve(), image(500, 7.45, 46.94)], page=2)  # on the edge of two cells
    account = collect_pairs(run(stand_in), raw_store("m", source=""), Subset())
    assert account.n_listed == 13
    after = [line for line in stand_in.server.log if "after=" in line]
    assert len(after) >= 5
    assert not any("access_token" in line for line in stand_in.server.log)


def test_a_cell_that_comes_back_full_is_cut_in_four(
    run: Callable[..., Mapillary], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.collection.public.mapillary_api.PAGE", 5)
    stand_in = StandIn(twelve(), cap=5)
    account = collect_pairs(run(stand_in), raw_store("m", source=""), Subset())
    assert account.n_listed == 12
    crowd = StandIn([image(k, 7.45001, 46.95001) for k in range(9)], cap=5)
    account = collect_pairs(run(crowd), raw_store("n", source=""), Subset())
    assert account.n_listed == 5
    assert account.skips.counts["a cell of 50 m with more photos than the API names"] >= 1


def test_a_cell_that_is_too_much_for_the_server_is_cut_too(run: Callable[..., Mapillary]) -> None:
    stand_in = StandIn(twelve())
    said = "Please reduce the amount of data you're asking for, then retry your request"
    stand_in.faults = [graph_error(500, 1, said)]
    account = collect_pairs(run(stand_in), raw_store("m", source=""), Subset())
    assert account.n_listed == 12
    assert sum("/images?" in line for line in stand_in.server.log) == 2 + 4


def test_limits_and_failures_that_pass_are_waited_for(run: Callable[..., Mapillary]) -> None:
    stand_in = StandIn(twelve())
    stand_in.faults = [
        graph_error(429, 4, "Application request limit reached", **{"Retry-After": "0"}),
        (502, {}, b"<html>Bad Gateway</html>"),
    ]
    account = collect_pairs(run(stand_in), raw_store("m", source=""), Subset())
    assert account.n_listed == 12
    assert stand_in.faults == []


def test_a_server_that_stays_down_is_an_error(run: Callable[..., Mapillary]) -> None:
    stand_in = StandIn(twelve())
    stand_in.faults = [(503, {}, b"")] * 9
    with pytest.raises(DownloadError, match="does not answer after 3 tries: HTTP 503"):
        collect_pairs(run(stand_in), raw_store("m", source=""), Subset())


def test_the_token_is_shown_nowhere(
    run: Callable[..., Mapillary],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    project: Path,
) -> None:
    caplog.set_level(logging.DEBUG)
    shown = io.StringIO()
    store = raw_store("m", source="")
    with redirect_stdout(shown), redirect_stderr(shown):
        stand_in = StandIn(twelve(), page=3)
        stand_in.faults = [graph_error(500, 2, f"unexpected {TOKEN}")]
        adapter = run(stand_in)
        collect_pairs(adapter, store, Subset())
        monkeypatch.setenv("LOST_AND_FOUND_MAPILLARY_TOKEN", "MLY|other|secret")
        refused = run(stand_in)
        with pytest.raises(DataListError, match="the token is wrong or has run out") as error:
            collect_pairs(refused, store, Subset())
    texts = [shown.getvalue(), caplog.text, str(error.value), repr(adapter), repr(refused._api)]
    texts += [path.read_text("utf-8", "replace") for path in project.rglob("*") if path.is_file()]
    texts += stand_in.server.log
    for secret in (TOKEN, "deadbeefcafe", "MLY|other|secret", "other|secret"):
        assert not any(secret in text for text in texts)
    assert set(stand_in.authorised) == {""}  # the pictures' servers are not given it


def test_what_has_no_place_or_picture_is_counted(run: Callable[..., Mapillary]) -> None:
    images = twelve()
    images[0]["is_pano"] = True
    del images[1]["computed_geometry"]
    images[2]["compass_angle"] = -1
    stand_in = StandIn(images, gone={"103"})
    store = raw_store("m", source="")
    account = collect_pairs(run(stand_in), store, Subset())
    assert dict(account.skips.counts) == {
        "a panorama of 360 degrees": 1,
        "the picture could not be had (not found)": 1,
    }
    moved = json.loads((store.images / "mapillary_101.json").read_text(encoding="utf-8"))
    assert moved["coordinates"] == pytest.approx([46.915, 7.419])  # where the camera said
    assert "heading" not in json.loads((store.images / "mapillary_102.json").read_text("utf-8"))
    account = collect_pairs(run(stand_in, panoramas=True), store, Subset())
    assert "mapillary_100" in account.ids


def test_a_second_run_asks_again_but_fetches_only_what_is_missing(
    run: Callable[..., Mapillary],
) -> None:
    stand_in = StandIn(twelve())
    store = raw_store("m", source="")
    collect_pairs(run(stand_in), store, Subset())
    (store.images / "mapillary_103.jpg").unlink()
    del stand_in.server.log[:]
    account = collect_pairs(run(stand_in), store, Subset())
    assert (account.n_written, account.n_kept) == (1, 11)
    thumbs = [line for line in stand_in.server.log if "/thumb/" in line]
    assert thumbs == ["GET /thumb/103?sig=1"]


def test_requests_are_capped_before_and_while_asking(run: Callable[..., Mapillary]) -> None:
    with pytest.raises(DataListError, match=r"expected at most 2 cells.*got 12,544"):
        run(StandIn([]), [0.0, 40.0, 10.0, 50.0], max_requests=2)
    stand_in = StandIn(twelve(), page=1)
    with pytest.raises(RequestCapError, match="expected to be done after 4 requests"):
        collect_pairs(run(stand_in, max_requests=4), raw_store("m", source=""), Subset())
    assert len(stand_in.server.log) == 4


def test_requests_keep_to_the_rate(run: Callable[..., Mapillary]) -> None:
    import time

    stand_in = StandIn(twelve(), page=3)
    start = time.monotonic()
    collect_pairs(run(stand_in, per_minute=600.0), raw_store("m", source=""), Subset())
    n_requests = sum("/images?" in line for line in stand_in.server.log)
    assert time.monotonic() - start >= (n_requests - 1) * 0.1


@pytest.mark.parametrize("box", [[], [1, 2, 3], [5, 1, 4, 2], [0, 0, 1, 91]])
def test_a_box_that_is_none_is_an_error(box: list[float]) -> None:
    with pytest.raises(DataListError, match=r"box: expected \[west, south, east, north\]"):
        Mapillary(box)


def test_no_token_is_an_error_that_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOST_AND_FOUND_MAPILLARY_TOKEN")
    with pytest.raises(DataListError, match=r"expected LOST_AND_FOUND_MAPILLARY_TOKEN.*/dash"):
        Mapillary(BOX)


def test_cells_cover_a_box_and_are_small_enough() -> None:
    found = cells((7.0, 46.0, 7.5, 46.2))
    assert len(found) == 6 * 3
    assert all((e - w) * (n - s) < 0.01 and e - w <= CELL_DEG + 1e-9 for w, s, e, n in found)
    assert sum((e - w) * (n - s) for w, s, e, n in found) == pytest.approx(0.5 * 0.2)
