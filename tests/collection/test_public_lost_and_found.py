import json
import zipfile
from pathlib import Path

import pytest

from shared.collection.public.gathering import Subset, collect_pairs
from shared.collection.public.lost_and_found import LostAndFound
from shared.data_loader import DataListError, raw_store
from tests.collection.public_stand_ins import jpeg, png
from tests.collection.public_stand_ins import project as project

BERN, PARIS = [46.95, 7.44], [48.85, 2.35]


def put(folder: Path, name: str, record: object, number: int = 1) -> None:
    """A pair as it is published: `location_<id>` on Kaggle, two prefixes in the scraper's."""
    folder.mkdir(parents=True, exist_ok=True)
    prefixes = (
        ("geoguessr_location_", "geoguessr_result_") if "player" in name else ("location_",) * 2
    )
    (folder / f"{prefixes[0]}{name}.png").write_bytes(png(number))
    (folder / f"{prefixes[1]}{name}.json").write_text(json.dumps(record), encoding="utf-8")


@pytest.fixture
def download(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    put(folder / "data", "abcDEF12_1", {"coordinates": BERN, "duration": 3.5})
    put(folder / "data", "abcDEF12_2", {"coordinates": PARIS}, 2)
    put(folder / "data_mapped", "abcDEF12_2", {"coordinates": PARIS}, 2)
    put(folder / "data", "singleplayer_Xy_3", {"coordinates": BERN}, 3)
    put(folder / "data", "multiplayer_77_4", {"country": "Czechia", "coordinates": None}, 4)
    return folder


def test_published_files_become_pairs_with_lost_and_found_s_ids(download: Path) -> None:
    store = raw_store("lost-and-found", source="")
    account = collect_pairs(LostAndFound(str(download)), store, Subset())
    names = ["multiplayer_77_4", "singleplayer_Xy_3"]
    names += ["singleplayer_abcDEF12_1", "singleplayer_abcDEF12_2"]
    assert account.ids == names
    assert {path.name for path in store.images.glob("*.png")} == {f"{name}.png" for name in names}
    first = json.loads((store.images / "singleplayer_abcDEF12_1.json").read_text(encoding="utf-8"))
    assert first["coordinates"] == BERN
    assert first["duration"] == 3.5
    assert first["parts"] == ["data"]
    assert "kaggle.com/datasets/killusions/street-location-images" in first["source"]
    second = json.loads((store.images / "singleplayer_abcDEF12_2.json").read_text(encoding="utf-8"))
    assert second["parts"] == ["data", "data_mapped"]
    multi = json.loads((store.images / "multiplayer_77_4.json").read_text(encoding="utf-8"))
    assert multi["country"] == "Czechia"
    assert not list(store.images.rglob("geoguessr_*"))


def test_one_part_and_one_country(download: Path) -> None:
    store = raw_store("lost-and-found", source="")
    mapped = collect_pairs(LostAndFound(str(download), ["data_mapped"]), store, Subset())
    assert mapped.ids == ["singleplayer_abcDEF12_2"]
    subset = Subset(countries=["Switzerland", "CZ"])
    both = collect_pairs(LostAndFound(str(download)), store, subset)
    assert both.ids == ["multiplayer_77_4", "singleplayer_Xy_3", "singleplayer_abcDEF12_1"]


def test_the_zip_gives_what_the_folder_gives(download: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(download.rglob("*.*")):
            file.write(path, path.relative_to(download).as_posix())
        file.writestr("data/../../location_evil_1.png", png(9))
        file.writestr("data/../../location_evil_1.json", '{"coordinates": [1, 2]}')
    folder, zipped = raw_store("a", source=""), raw_store("b", source="")
    collect_pairs(LostAndFound(str(download)), folder, Subset())
    account = collect_pairs(LostAndFound(str(archive)), zipped, Subset())
    assert account.skips.counts == {"an unsafe path": 2}
    for path in folder.images.glob("*player*"):
        assert (zipped.images / path.name).read_bytes() == path.read_bytes()
    assert len(account.ids) == 4


def test_what_is_passed_over_is_counted_and_named(download: Path) -> None:
    data = download / "data"
    put(data, "zero_1", {"coordinates": [0, 0]})
    put(data, "far_1", {"coordinates": [95, 3]})
    put(data, "none_1", {"duration": 3})
    put(data, "half_1", {"coordinates": BERN})
    (data / "location_half_1.json").unlink()
    put(data, "other_1", {"coordinates": BERN})
    (data / "location_other_1.png").unlink()
    put(data, "text_1", [])
    put(data, "page_1", {"coordinates": BERN})
    (data / "location_page_1.png").write_bytes(b"<html>")
    put(data, "empty_1", {"coordinates": BERN})
    (data / "location_empty_1.png").write_bytes(b"")
    account = collect_pairs(LostAndFound(str(download)), raw_store("x", source=""), Subset())
    assert dict(account.skips.counts) == {
        "coordinates (0, 0), which is never a real answer": 1,
        "coordinates that are no latitude and longitude": 1,
        "a record without a place": 1,
        "a picture without a record": 1,
        "a record without a picture": 1,
        "a record that is no JSON object": 1,
        "no JPEG, PNG or WebP": 1,
        "the picture is empty": 1,
    }
    assert account.skips.examples["a picture without a record"] == ["data/location_half_1.png"]
    assert len(account.ids) == 4


def test_two_files_of_one_id_are_one_pair(download: Path) -> None:
    folder = download / "data"
    put(folder, "singleplayer_abcDEF12_1", {"coordinates": PARIS}, 8)
    (folder / "location_x_1.jpg").write_bytes(jpeg(1))
    account = collect_pairs(LostAndFound(str(download)), raw_store("x", source=""), Subset())
    assert account.skips.counts["an id that was listed already"] == 2
    assert len(account.ids) == 4


def test_no_download_is_an_error_that_says_where_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataListError, match=r"kaggle\.com/datasets/killusions.*download it"):
        LostAndFound(str(tmp_path / "absent"))
    adapter = LostAndFound(str(tmp_path))
    with pytest.raises(DataListError, match="in the folders data and data_mapped, got none"):
        collect_pairs(adapter, raw_store("x", source=""), Subset())
    with pytest.raises(DataListError, match="parts: expected some of"):
        LostAndFound(str(tmp_path), ["mapped"])
