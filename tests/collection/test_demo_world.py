import json
from dataclasses import replace
from pathlib import Path

import pytest

from shared.collection.demo_plan import DemoSettings, plan_views
from shared.collection.demo_world import paint_pair, write_demo_world


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.startswith(".")}


def test_one_process_and_two_write_the_same_bytes(tmp_path: Path, small: DemoSettings) -> None:
    one = write_demo_world(tmp_path / "one", small, n_processes=1)
    two = write_demo_world(tmp_path / "two", replace(small, n_places=8), n_processes=2)
    assert (one.n_painted, two.n_painted) == (28, 36)
    first, more = files_of(tmp_path / "one"), files_of(tmp_path / "two")
    assert first.items() <= more.items()


def test_a_second_run_keeps_all_and_paints_what_is_missing_or_changed(
    tmp_path: Path, small: DemoSettings
) -> None:
    sound = replace(small, faults={})
    write_demo_world(tmp_path, sound, n_processes=1)
    before = files_of(tmp_path)
    again = write_demo_world(tmp_path, sound, n_processes=1)
    assert (again.n_painted, again.n_kept) == (0, 28)
    (tmp_path / "singleplayer_00001_2.json").unlink()
    (tmp_path / "singleplayer_00003_0.jpg").write_bytes(b"half")
    (tmp_path / ".singleplayer_00003_1.jpg.x.part").write_bytes(b"half")
    mended = write_demo_world(tmp_path, sound, n_processes=1)
    assert (mended.n_painted, mended.n_kept) == (2, 26)
    assert files_of(tmp_path) == before
    assert not list(tmp_path.glob(".*.part"))


def test_a_log_cut_by_a_kill_costs_only_its_last_chunk(tmp_path: Path, small: DemoSettings) -> None:
    write_demo_world(tmp_path, small, n_processes=1)
    before = files_of(tmp_path)
    log = tmp_path / ".painted.log"
    log.write_bytes(log.read_bytes()[:-9])
    assert write_demo_world(tmp_path, small, n_processes=1).n_painted == 1
    assert files_of(tmp_path) == before


def test_other_settings_leave_nothing_of_the_old_ones(tmp_path: Path, small: DemoSettings) -> None:
    write_demo_world(tmp_path, small, n_processes=1)
    (tmp_path / "notes.txt").write_text("not ours", encoding="utf-8")
    fewer = replace(small, n_places=2, n_multiplayer=1, faults={})
    write_demo_world(tmp_path, fewer, n_processes=1)
    names = {view.id for view in plan_views(fewer)}
    expected = {f"{name}{suffix}" for name in names for suffix in (".jpg", ".json")}
    assert set(files_of(tmp_path)) == expected | {"notes.txt"}


def test_records_say_what_they_should_and_no_more(small: DemoSettings) -> None:
    views = {view.id: view for view in plan_views(replace(small, faults={}))}
    single = json.loads(paint_pair(views["singleplayer_00002_1"], small)[".json"])
    place = views["singleplayer_00002_1"].place
    assert single["coordinates"] == [place.lat, place.lon]
    assert single["place"] == "singleplayer_00002"
    assert single["synthetic"] is True
    assert single["size"] == [64, 36]
    first = json.loads(paint_pair(views["singleplayer_00002_0"], small)[".json"])
    assert (single["heading"] - first["heading"]) % 360 == 90
    multi = json.loads(paint_pair(views["multiplayer_00001_0"], small)[".json"])
    assert set(multi) == {"country", "place", "synthetic"}
    assert multi["place"] == "multiplayer_00001"


def test_a_place_visited_again_has_another_light_and_the_same_coordinates() -> None:
    settings = DemoSettings(
        n_places=30, n_multiplayer=0, width=64, height=36, faults={}, repeated_places=0.3
    )
    views = plan_views(settings)
    again = next(view for view in views if view.place.world != view.place.id)
    first = next(
        view for view in views if (view.place.id, view.turn) == (again.place.world, again.turn)
    )
    pairs = [paint_pair(view, settings) for view in (first, again)]
    records = [json.loads(pair[".json"]) for pair in pairs]
    assert records[0]["coordinates"] == records[1]["coordinates"]
    assert records[0]["heading"] == records[1]["heading"]
    assert records[0]["place"] != records[1]["place"]
    assert pairs[0][".jpg"] != pairs[1][".jpg"]


@pytest.mark.parametrize(
    ("fault", "suffixes"),
    [("no record", {".jpg"}), ("no image", {".json"}), ("odd format", {".png", ".json"})],
)
def test_faults_decide_which_files_there_are(
    small: DemoSettings, fault: str, suffixes: set[str]
) -> None:
    view = replace(plan_views(small)[0], fault=fault)
    assert set(paint_pair(view, small)) == suffixes
