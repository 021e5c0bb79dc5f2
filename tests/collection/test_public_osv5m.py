import json
import zipfile
from pathlib import Path

import fsspec  # type: ignore[import-untyped]
import httpx
import polars as pl
import pytest
from PIL import Image

from shared.collection.public.account import Skips
from shared.collection.public.gathering import Subset, collect_pairs
from shared.collection.public.osv5m import Osv5m
from shared.collection.public.osv5m_table import TYPES, read_osv5m_table
from shared.data_loader import DataListError, DownloadError, raw_store, stable_order
from tests.collection.public_stand_ins import (
    TEST_COLUMNS,
    TRAIN_COLUMNS,
    cut_range,
    hub_of,
    make_osv5m,
    serving,
)
from tests.collection.public_stand_ins import project as project

REVISION = "0123456789abcdef0123456789abcdef01234567"


def ids_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.jpg")}


def test_every_column_of_the_two_tables_has_a_type_and_namibia_is_no_gap(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m")
    for split, columns in (("train", TRAIN_COLUMNS), ("test", TEST_COLUMNS)):
        table = read_osv5m_table(made.folder / f"{split}.csv")
        assert table.columns == list(columns)
        assert dict(table.schema) == {name: TYPES[name] for name in columns}
        assert table["country"].null_count() == 0
        assert "NA" in table["country"].to_list()
    train = read_osv5m_table(made.folder / "train.csv")
    assert train["id"][0] == "3859149887465501"
    assert train["creator_id"][0] == "111336221091714.0"
    assert train["region"].null_count() == 4  # rows 0, 5, 10 and 15 of 18
    assert train["captured_at"][1] == 1_600_086_400_000


def test_faults_of_a_table_are_named(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("id,latitude,longitude\n1,2,3\n", encoding="utf-8")
    with pytest.raises(DataListError, match=r"train.csv: expected the columns .* \['country'\]"):
        read_osv5m_table(path)
    path.write_text("id,latitude,longitude,country\n1,north,3,NA\n", encoding="utf-8")
    with pytest.raises(DataListError, match=r"expected values of the types of OSV-5M.*north"):
        read_osv5m_table(path)
    path.write_text("id,latitude,longitude,country\n1,2,3,NA\n1,2,3,NA\n", encoding="utf-8")
    with pytest.raises(DataListError, match="expected each id once, got '1' again"):
        read_osv5m_table(path)


def test_a_local_copy_becomes_pairs_with_train_and_test_apart(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m")
    store = raw_store("osv5m", source="")
    account = collect_pairs(Osv5m("", address=str(made.folder)), store, Subset())
    assert ids_in(store.images) == set(made.rows) == set(account.ids)
    assert sum(name.startswith("test_") for name in account.ids) == 6
    for name, row in made.rows.items():
        record = json.loads((store.images / f"{name}.json").read_text(encoding="utf-8"))
        assert record["coordinates"] == [float(row["latitude"]), float(row["longitude"])]
        assert record["country"] == row["country"]
        assert record["split"] == name.partition("_")[0]
        assert record["place"] == row["sequence"]
        assert record["creator"] == "roadroid"
        assert "CC BY-SA 4.0" in record["source"]
    first = json.loads((store.images / "train_3859149887465501.json").read_text(encoding="utf-8"))
    assert first["date"] == "2020-09-13"  # `date -u -d @1600000000`
    with zipfile.ZipFile(made.folder / "images/train/00.zip") as archive:
        expected = archive.read("00/3859149887465501.jpg")
    assert (store.images / "train_3859149887465501.jpg").read_bytes() == expected


def test_a_subset_is_drawn_by_ids_and_seed_alone(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m")
    namibian = [name for name, row in made.rows.items() if row["country"] == "NA"]
    store = raw_store("osv5m", source="")
    subset = Subset(limit=3, countries=["Namibia"], seed=5)
    account = collect_pairs(Osv5m("", address=str(made.folder)), store, subset)
    assert ids_in(store.images) == set(stable_order(namibian, 5)[:3])
    assert account.n_listed == len(namibian) == 8
    assert account.skips.counts["in another country than asked for"] == 16


def test_the_real_way_fetches_only_what_is_needed(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m", per_shard=40)
    fsspec.spec.AbstractFileSystem.clear_instance_cache()
    with serving(hub_of(made.folder, REVISION)) as hub:
        adapter = Osv5m(
            REVISION,
            splits=["train"],
            shards=[1],
            options={"endpoint": hub.url, "token": False},
        )
        store = raw_store("osv5m", source="")
        account = collect_pairs(adapter, store, Subset(limit=4, seed=1))
        candidates = [name for name, shard in made.shards.items() if shard == "train/01"]
        assert ids_in(store.images) == set(stable_order(candidates, 1)[:4])
        assert account.n_listed == 40
        touched = [line for line in hub.log if "/resolve/" in line]
        assert any("images/train/01.zip" in line for line in touched)
        assert not any(end in line for line in touched for end in ("00.zip", "02.zip", "test"))
        assert all(f"/resolve/{REVISION}/" in line for line in touched)
        del hub.log[:]
        again = collect_pairs(
            Osv5m(
                REVISION,
                splits=["train"],
                shards=[1],
                options={"endpoint": hub.url, "token": False},
            ),
            store,
            Subset(limit=4, seed=1),
        )
        assert (again.n_written, again.n_kept) == (0, 4)
        assert sum(cut_range(line) for line in hub.log) == 0  # tables and directories are kept


def test_a_table_that_is_not_what_the_hub_says_is_not_used(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m")
    fsspec.spec.AbstractFileSystem.clear_instance_cache()
    wrong = {"train.csv": "0" * 64}
    with serving(hub_of(made.folder, REVISION, sha256=wrong)) as hub:
        options = {"endpoint": hub.url, "token": False}
        adapter = Osv5m(REVISION, splits=["train"], options=options)
        with pytest.raises(
            DataListError, match=r"train\.csv: expected sha256 0{64}, got [0-9a-f]{64}"
        ):
            collect_pairs(adapter, raw_store("osv5m", source=""), Subset())
    assert not list(tmp_path.rglob("project/**/train.csv"))


def test_a_cut_connection_says_how_to_go_on(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m")
    zip_path = made.folder / "images/train/01.zip"
    zip_path.write_bytes(zip_path.read_bytes()[:100])
    adapter = Osv5m("", address=str(made.folder), splits=["train"])
    with pytest.raises(DownloadError, match=r"expected images/train/01.zip.*run again to go on"):
        collect_pairs(adapter, raw_store("osv5m", source=""), Subset())


def test_any_fault_of_the_network_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_osv5m(tmp_path / "osv5m")
    adapter = Osv5m("", address=str(made.folder), splits=["train"])

    def fail(*_: object, **__: object) -> None:
        msg = "connection reset"
        raise httpx.ReadError(msg)  # of the hub's client, and no OSError

    list(adapter.ids(frozenset(), Skips()))
    monkeypatch.setattr(adapter._shards._fs, "open", fail)
    with pytest.raises(DownloadError, match=r"got ReadError: connection reset.*run again"):
        list(adapter.images(["train_3859149887465501"], Skips()))


def test_photos_that_are_missing_damaged_or_unsafe_are_counted(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m", train=1, test=1)
    with (made.folder / "train.csv").open("a", encoding="utf-8") as file:
        file.write("77,1.0,2.0" + "," * (len(TRAIN_COLUMNS) - 3) + "\n")
        file.write("78,99.0,2.0" + "," * (len(TRAIN_COLUMNS) - 3) + "\n")
    path = made.folder / "images/train/00.zip"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../77.jpg", b"outside")
    data = bytearray(path.read_bytes())
    at = data.index(b"\xff\xd8") + 30
    data[at] ^= 0xFF
    path.write_bytes(data)
    store = raw_store("osv5m", source="")
    adapter = Osv5m("", address=str(made.folder), splits=["train"])
    account = collect_pairs(adapter, store, Subset())
    assert dict(account.skips.counts) == {
        "coordinates that are no latitude and longitude": 1,
        "in the table, but in no shard": 1,
        "a damaged photo in its shard": 1,
    }
    assert account.skips.examples["in the table, but in no shard"] == ["train_77"]
    assert len(ids_in(store.images)) == 5
    assert not (store.images.parent / "77.jpg").exists()


@pytest.mark.parametrize("revision", ["", "main", "0123456"])
def test_the_hub_is_read_at_a_commit_only(revision: str) -> None:
    with pytest.raises(DataListError, match="revision: expected a commit of 40 hex digits"):
        Osv5m(revision)


def test_types_hold_for_numbers_that_look_whole(tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    path.write_text(
        "id,latitude,longitude,country,soil,creator_id\n007,1,2,NA,3,9.0\n", encoding="utf-8"
    )
    table = read_osv5m_table(path)
    assert table.rows() == [("007", 1.0, 2.0, "NA", 3.0, "9.0")]
    assert table.schema["soil"] == pl.Float64()


def test_a_picture_of_a_shard_opens(tmp_path: Path) -> None:
    made = make_osv5m(tmp_path / "osv5m", train=1)
    store = raw_store("osv5m", source="")
    collect_pairs(Osv5m("", address=str(made.folder)), store, Subset(limit=1))
    (path,) = store.images.glob("*.jpg")
    with Image.open(path) as image:
        assert image.size == (24, 16)
