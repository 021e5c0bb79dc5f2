"""GeoGuessrAI's files: both layouts, headings and numbers of views, and what is passed over."""

import json
from pathlib import Path

import pytest

from shared.collection.public.gathering import Subset, collect_pairs
from shared.collection.public.geoguessr_ai import GeoguessrAI, read_name
from shared.collection.public_datasets import Request, adapter_of, explained
from shared.data_loader import (
    DataListError,
    Store,
    load_pairs,
    pin_pairs,
    raw_store,
    read_records,
)
from tests.collection.public_stand_ins import jpeg
from tests.collection.public_stand_ins import project as project

OREGON = {"cell": 0, "coordinates": [42.775957, -124.0667758], "date": "2009-07", "month": 7}


def write(folder: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(number))
    return folder


def records_of(store: Store) -> dict[str, dict[str, object]]:
    return {path.stem: json.loads(path.read_text("utf-8")) for path in store.records.glob("*.json")}


@pytest.mark.parametrize(
    "path",
    [
        "0+42.775957,-124.0667758/90_2009-07.jpg",
        "data/0+42.775957,-124.0667758/90_2009-07.jpg",
        "dataCombined/0+42.775957,-124.0667758+90_2009-07.jpg",
        "0+42.775957,-124.0667758+90_2009-07.jpg",
        "0/42.775957,-124.0667758/90-2009-07.jpg",
        "0 + 42.775957,-124.0667758 + 90 - 2009-07.jpg",
    ],
)
def test_both_layouts_say_the_same(path: str) -> None:
    wanted = {**OREGON, "view": 90, "place": "0000_42.775957_-124.0667758"}
    assert read_name(path) == wanted


@pytest.mark.parametrize(
    "path",
    [
        "0+42.7/90_2009-07.jpg",
        "0+142.7,-24.0/90_2009-07.jpg",
        "0+42.7,-124.0/90_2009-13.jpg",
        "trainFiles.npy",
        "0+42.7,-124.0/90_2009-07.txt",
    ],
)
def test_other_names_are_none_of_theirs(path: str) -> None:
    assert read_name(path) is None


def test_files_become_pairs_whose_views_share_a_place(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "data",
        "0+42.775957,-124.0667758/0_2009-07.jpg",
        "0+42.775957,-124.0667758/120_2009-07.jpg",
        "17+38.5,-121.25+240_2018-11.jpg",
        "notes.txt",
    )
    store = raw_store("tiny", source="")
    account = collect_pairs(GeoguessrAI(str(folder)), store, Subset())
    assert len(account.ids) == 3
    records = records_of(store)
    assert sorted(record["heading"] for record in records.values()) == [0, 120, 240]  # type: ignore[type-var]
    assert len({record["place"] for record in records.values()}) == 2
    (second,) = (r for r in records.values() if r["cell"] == 17)
    assert second["coordinates"] == [38.5, -121.25]
    assert second["month"] == 11
    assert "GeoGuessrAI" in str(second["source"])
    assert "a name that is not GeoGuessrAI's" in account.text()
    again = collect_pairs(GeoguessrAI(str(folder)), store, Subset())
    assert again.ids == account.ids


def test_numbers_of_views_are_no_headings(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", *(f"0+42.5,-124.0/{n}_2009-07.jpg" for n in range(3)))
    store = raw_store("tiny", source="")
    collect_pairs(GeoguessrAI(str(folder)), store, Subset())
    records = records_of(store).values()
    assert sorted(record["view"] for record in records) == [0, 1, 2]  # type: ignore[type-var]
    assert all("heading" not in record for record in records)


def test_pairs_are_read_by_the_data_loader(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "0+42.5,-124.0/90_2009-07.jpg", "1+42.5,-120.0/0.jpg")
    store = raw_store("tiny", source="")
    account = collect_pairs(GeoguessrAI(str(folder)), store, Subset())
    (tmp_path / "project" / "data-lists" / "tiny").mkdir(parents=True)
    toml = tmp_path / "project" / "data-lists" / "tiny" / "dataset.toml"
    toml.write_text('title = "Tiny"\nsynthetic = true\n', encoding="utf-8")
    pin_pairs("tiny", "1-collect", store, ids=account.ids, source="made", may_write=True)
    records = read_records(load_pairs("tiny", "1-collect", store))
    assert records["lat"].tolist() == [42.5, 42.5]
    assert records["lon"].tolist() == [-124.0, -120.0]


def test_only_the_wanted_countries_are_taken(tmp_path: Path) -> None:
    folder = write(tmp_path / "data", "0+42.5,-123.0/0_2009-07.jpg", "1+48.86,2.35/0_2009-07.jpg")
    account = collect_pairs(
        GeoguessrAI(str(folder)), raw_store("tiny", source=""), Subset(countries=["France"])
    )
    assert account.ids == ["0001_48.86_2.35_0_2009-07"]


def test_it_is_registered(tmp_path: Path) -> None:
    assert "Contacts nothing" in explained("geoguessr-ai")
    assert isinstance(adapter_of("geoguessr-ai", Request("x", str(tmp_path))), GeoguessrAI)
    with pytest.raises(DataListError, match="expected the folder that 'geoguessr-ai' is read from"):
        adapter_of("geoguessr-ai", Request("x"))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataListError, match="a folder of GeoGuessrAI's files"):
        GeoguessrAI(str(tmp_path / "none"))
