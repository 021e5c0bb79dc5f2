"""Choosing, pinning and loading pairs: stable, exact, and with errors that name what differs."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from shared.data_loader import (
    DataListError,
    MissingListError,
    Pair,
    Store,
    load_pairs,
    pin_pairs,
    processed_store,
    raw_store,
    read_records,
    stable_order,
)

Make = Callable[..., list[str]]


@pytest.fixture
def store(project: Path, make_pairs: Make) -> Store:
    store = raw_store("demo")
    make_pairs(store.images, 10)
    return store


def pin(store: Store, step: str = "1-collect", **criteria: Any) -> list[Pair]:
    return pin_pairs("demo", step, store, source="made", may_write=True, **criteria)


def test_without_leave_a_list_is_not_written(project: Path, store: Store) -> None:
    with pytest.raises(DataListError, match=r"may not be written.*may_write_lists=True"):
        pin_pairs("demo", "1-collect", store, source="made", may_write=False)
    assert not (project / "data-lists").exists()


def test_an_existing_list_is_held_to_without_leave(store: Store) -> None:
    pinned = pin(store)
    held = pin_pairs("demo", "1-collect", store, source="made", may_write=False)
    assert held == pinned
    assert load_pairs("demo", "1-collect", store) == pinned


def test_a_missing_pair_is_an_error_that_names_it(store: Store) -> None:
    pin(store)
    (store.images / "view_0003.jpg").unlink()
    with pytest.raises(DataListError, match="view_0003: expected by the list, found no such pair"):
        pin(store)
    with pytest.raises(DataListError, match=r"view_0003: expected image \w{32}, found nothing at"):
        load_pairs("demo", "1-collect", store)


def test_an_extra_pair_is_an_error_that_names_it(store: Store, make_pairs: Make) -> None:
    pin(store)
    make_pairs(store.images, 1, "zebra")
    with pytest.raises(DataListError, match="zebra_0000: not expected by the list"):
        pin(store)
    assert len(load_pairs("demo", "1-collect", store)) == 10


def test_a_changed_file_is_an_error_with_both_digests(store: Store) -> None:
    pin(store)
    (store.images / "view_0003.json").write_text("{}")
    # sha256 of "{}", from sha256sum
    found = "44136fa355b3678a1146ad16f7e8649e"
    said = rf"view_0003: expected record \w{{32}}, found {found}"
    with pytest.raises(DataListError, match=said):
        pin(store)
    with pytest.raises(DataListError, match=said):
        load_pairs("demo", "1-collect", store)


def test_a_change_that_keeps_size_and_second_is_seen(store: Store) -> None:
    pin(store)
    load_pairs("demo", "1-collect", store)
    path = store.images / "view_0003.jpg"
    data = path.read_bytes()
    path.write_bytes(data[:-1] + b"!")
    with pytest.raises(DataListError, match="view_0003: expected image"):
        load_pairs("demo", "1-collect", store)


def test_many_differences_are_counted_and_the_first_few_named(store: Store) -> None:
    pin(store)
    for path in store.images.glob("*.jpg"):
        path.write_bytes(b"new")
    with pytest.raises(DataListError) as error:
        load_pairs("demo", "1-collect", store)
    assert "10 differences from data-lists/demo/1-collect.txt" in str(error.value)
    assert "view_0004" in str(error.value)
    assert "view_0005" not in str(error.value)
    assert "... and 5 more" in str(error.value)


def test_verified_files_are_not_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    pin(store)
    time.sleep(0.06)
    load_pairs("demo", "1-collect", store)
    read: list[str] = []
    monkeypatch.setattr("shared.data_loader.verify.file_digest", read.append)
    assert len(load_pairs("demo", "1-collect", store)) == 10
    assert read == []


def test_criteria_choose_by_name_and_record(store: Store) -> None:
    (store.images / "view_0002.json").write_text('{"country": "Chad"}')
    assert [p.id for p in pin(store, "a", pattern="*_000[0-2]")] == [
        f"view_000{i}" for i in range(3)
    ]
    assert [p.id for p in pin(store, "b", ids=["view_0007", "view_0001"])] == [
        "view_0001",
        "view_0007",
    ]
    assert [p.id for p in pin(store, "c", where=lambda r: r.get("country") == "Chad")] == [
        "view_0002"
    ]
    assert [p.id for p in pin(store, "d", limit=2)] == ["view_0000", "view_0001"]


def test_ids_that_are_not_there_are_named(store: Store) -> None:
    with pytest.raises(DataListError, match=r"1 of the 2 ids asked for(.|\n)*absent_1"):
        pin(store, ids=["view_0001", "absent_1"])


def test_no_pair_at_all_is_an_error(project: Path) -> None:
    with pytest.raises(DataListError, match="expected pairs, but none meets the criteria"):
        pin(raw_store("demo"))


def test_a_limit_below_one_is_an_error(store: Store) -> None:
    with pytest.raises(DataListError, match="limit: expected at least 1, got 0"):
        pin(store, limit=0)


def test_an_unreadable_record_is_reported_and_not_chosen(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    (store.images / "view_0002.json").write_text('{"coordinates": [1')
    assert len(pin(store, where=lambda record: True)) == 9
    assert "1 unreadable records are not used" in caplog.text
    assert "view_0002" in caplog.text


def test_half_pairs_are_reported_and_not_used(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    (store.images / "view_0001.json").unlink()
    (store.images / "view_0005.jpg").unlink()
    assert len(pin(store)) == 8
    assert "1 images without a record are not used:\n  view_0001" in caplog.text
    assert "1 records without an image are not used:\n  view_0005" in caplog.text


def test_the_shuffled_order_is_that_of_sha256() -> None:
    # printf order:1:a | sha256sum, and so on, sorted: fadbec
    assert "".join(stable_order("fedcba", 1)) == "fadbec"


def test_an_added_pair_moves_no_other(store: Store, make_pairs: Make) -> None:
    before = [p.id for p in pin(store, "before", shuffle_seed=4)]
    make_pairs(store.images, 5, "another")
    after = [p.id for p in pin(store, "after", shuffle_seed=4)]
    assert [name for name in after if name in before] == before
    assert before != sorted(before)


def test_order_does_not_depend_on_place_or_layout(store: Store, tmp_path: Path) -> None:
    nested = tmp_path / "elsewhere" / "vi"
    shutil.copytree(store.images, nested)
    there = Store(nested.parent, nested.parent, nested=True)
    mine = [p.id for p in pin(store, "mine", limit=5, shuffle_seed=2)]
    assert [p.id for p in pin(there, "there", limit=5, shuffle_seed=2)] == mine


def test_names_alone_are_pinned_and_then_held(project: Path, store: Store) -> None:
    path = project / "data-lists/demo/old.txt"
    path.parent.mkdir(parents=True)
    path.write_text("view_0004.jpg\nview_0001.jpg\n")
    assert [p.id for p in load_pairs("demo", "old", store)] == ["view_0001", "view_0004"]
    assert len(pin(store, "old")) == 2
    assert path.read_text().startswith("# lost-and-found data list")
    (store.images / "view_0001.jpg").write_bytes(b"other")
    with pytest.raises(DataListError, match="view_0001: expected image"):
        load_pairs("demo", "old", store)


def test_names_alone_that_are_not_there_are_an_error(project: Path, store: Store) -> None:
    path = project / "data-lists/demo/old.txt"
    path.parent.mkdir(parents=True)
    path.write_text("view_0004.jpg\nview_9999.jpg\n")
    with pytest.raises(DataListError, match="view_9999"):
        load_pairs("demo", "old", store)


def test_a_list_pinned_as_png_names_pngs(project: Path, store: Store) -> None:
    (store.images / "view_0004.jpg").rename(store.images / "view_0004.PNG")
    pairs = pin(store)
    assert pairs[4].image.name == "view_0004.PNG"
    assert load_pairs("demo", "1-collect", store) == pairs


def test_a_processed_pair_has_its_image_and_record_in_two_places(project: Path) -> None:
    store = processed_store("demo")
    store.images.mkdir(parents=True)
    store.records.mkdir(parents=True)
    (store.images / "a.jpg").write_bytes(b"1")
    (store.images / "a.json").write_bytes(b"not a record of this store")
    (store.records / "a.json").write_bytes(b"{}")
    pairs = pin(store)
    assert pairs == [Pair("a", store.images / "a.jpg", store.records / "a.json")]
    assert pairs[0].image == project / "2-data-processing/1-resize/.data/demo/a.jpg"
    assert pairs[0].record == project / "2-data-processing/2-enrich/.data/demo/countries/a.json"


def test_a_missing_list_is_a_missing_file(store: Store) -> None:
    with pytest.raises(MissingListError):
        load_pairs("demo", "9-nothing", store)
    with pytest.raises(FileNotFoundError):
        load_pairs("demo", "9-nothing", store)


# --- records


def test_records_become_a_table(project: Path) -> None:
    store = raw_store("demo")
    store.images.mkdir(parents=True)
    contents: dict[str, dict[str, Any]] = {
        "a": {"coordinates": [-22.5, 17], "country": "NA", "heading": 90},
        "b": {"country": "null", "place": "p"},
        "c": {"coordinates": [0, -180.0], "guesses": [1, 2]},
    }
    for name, record in contents.items():
        (store.images / f"{name}.jpg").write_bytes(b"x")
        (store.images / f"{name}.json").write_text(json.dumps(record))
    table = read_records(pin(store))
    assert list(table.index) == ["a", "b", "c"]
    assert table.index.name == "id"
    np.testing.assert_array_equal(table["lat"], [-22.5, np.nan, 0])
    np.testing.assert_array_equal(table["lon"], [17, np.nan, -180])
    assert table["country"].tolist()[:2] == ["NA", "null"]
    assert pd.isna(table["country"]["c"])
    assert table["heading"]["a"] == 90
    assert pd.isna(table["heading"]["b"])
    assert table["guesses"]["c"] == [1, 2]


@pytest.mark.parametrize(
    "coordinates", [[91, 0], [0, 181], [1], "1,2", [True, 0], [float("nan"), 0]]
)
def test_coordinates_that_are_none_are_named(store: Store, coordinates: Any) -> None:
    path = store.images / "view_0003.json"
    path.write_text(json.dumps({"coordinates": coordinates}))
    with pytest.raises(DataListError, match="record of view_0003: expected coordinates"):
        read_records(pin(store))


def test_broken_records_are_left_out_when_that_is_asked_for(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    (store.images / "view_0003.json").write_text("[]")
    pairs = pin(store)
    with pytest.raises(DataListError, match="view_0003: expected a JSON object, got list"):
        read_records(pairs)
    assert len(read_records(pairs, skip_broken=True)) == 9
    assert "1 unreadable records are left out" in caplog.text


def test_the_records_of_a_long_list_are_read_once(
    project: Path, make_pairs: Make, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    store = raw_store("demo")
    make_pairs(store.images, 600)
    pairs = pin(store, shuffle_seed=3)
    first = read_records(pairs)
    for path in store.images.glob("*.json"):
        path.unlink()
    pd.testing.assert_frame_equal(read_records(pairs), first)
    assert list(first.index) == [pair.id for pair in pairs]
