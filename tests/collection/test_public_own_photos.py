import io
import json
from pathlib import Path

import polars as pl
import pytest
from PIL import Image

from shared.collection.public.gathering import Subset, collect_pairs
from shared.collection.public.own_photos import OwnPhotos, id_of
from shared.data_loader import DataListError, Store, raw_store
from shared.data_loader.names import is_safe
from tests.collection.public_stand_ins import gps_exif, jpeg
from tests.collection.public_stand_ins import project as project

CITIES = {  # all four quarters of the Earth
    "bern": (46.948, 7.4474),
    "sydney": (-33.8688, 151.2093),
    "rio": (-22.9068, -43.1729),
    "boston": (42.3601, -71.0589),
}


def record_of(store: Store, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((store.images / f"{name}.json").read_text("utf-8"))
    return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, (name, point) in enumerate(CITIES.items()):
        (folder / f"{name}.jpg").write_bytes(jpeg(number, gps_exif(*point)))
    return folder


def test_positions_come_from_exif_in_all_hemispheres_and_exif_stays_out(photos: Path) -> None:
    store = raw_store("own", source="")
    account = collect_pairs(OwnPhotos(str(photos), licence="CC0"), store, Subset())
    assert account.ids == sorted(CITIES)
    for name, point in CITIES.items():
        record = record_of(store, name)
        assert record["coordinates"] == pytest.approx(point, abs=1e-6)
        assert record["date"] == "2021-06-30"
        assert (
            record["source"] == "own photos; a folder named photos, places from EXIF; licence: CC0"
        )
        data = (store.images / f"{name}.jpg").read_bytes()
        assert b"Exif" not in data
        assert b"A camera of somebody" not in data
        with Image.open(io.BytesIO(data)) as kept, Image.open(photos / f"{name}.jpg") as was:
            assert not kept.getexif()
            assert kept.tobytes() == was.tobytes()  # the pixels, to the bit


def test_only_a_true_heading_is_kept(tmp_path: Path) -> None:
    for name, reference in (("true", "T"), ("magnetic", "M")):
        exif = gps_exif(46.9, 7.4, gps={16: reference, 17: 271.5})
        (tmp_path / f"{name}.jpg").write_bytes(jpeg(1, exif))
    store = raw_store("own", source="")
    collect_pairs(OwnPhotos(str(tmp_path)), store, Subset())
    assert record_of(store, "true")["heading"] == 271.5
    assert "heading" not in record_of(store, "magnetic")


def test_photos_without_a_sound_position_are_counted(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    no_side = gps_exif(46.9, 7.4, gps={1: ""})
    (folder / "bare.jpg").write_bytes(jpeg(1))
    (folder / "side.jpg").write_bytes(jpeg(2, no_side))
    (folder / "null.jpg").write_bytes(jpeg(3, gps_exif(0, 0)))
    (folder / "far.jpg").write_bytes(jpeg(4, gps_exif(46.9, 7.4, gps={2: (99.0, 0.0, 0.0)})))
    (folder / "odd.jpg").write_bytes(b"GIF89a")
    (folder / "notes.txt").write_text("x")
    (folder / ".hidden.jpg").write_bytes(jpeg(5, gps_exif(1, 1)))
    account = collect_pairs(OwnPhotos(str(folder)), raw_store("own", source=""), Subset())
    assert account.ids == []
    assert dict(account.skips.counts) == {
        "no GPS position in EXIF": 1,
        "the GPS position in EXIF does not say N or S": 1,
        "the GPS position in EXIF is none on the Earth": 2,
        "no JPEG, PNG or WebP": 2,
    }


def table_of(path: Path, rows: dict[str, list[object]]) -> str:
    table = pl.DataFrame(rows, strict=False)
    if path.suffix == ".parquet":
        table.write_parquet(path)
    else:
        table.write_csv(path)
    return str(path)


@pytest.mark.parametrize("name", ["places.csv", "places.parquet"])
def test_a_table_says_where_photos_are(photos: Path, tmp_path: Path, name: str) -> None:
    rows: dict[str, list[object]] = {
        "Path": ["bern.jpg", "rio.jpg", "sydney.jpg"],
        "latitude": [46.9, None, None],
        "longitude": [7.4, None, None],
        "country": ["", "NA", "Brazil"],
        "heading": [-90, None, None],
        "mood": ["fine", "", ""],
    }
    store = raw_store("own", source="")
    table = table_of(tmp_path / name, rows)
    account = collect_pairs(OwnPhotos(str(photos), table), store, Subset())
    assert account.ids == ["bern", "rio", "sydney"]
    bern, rio = record_of(store, "bern"), record_of(store, "rio")
    assert (bern["coordinates"], bern["heading"]) == ([46.9, 7.4], 270.0)
    assert rio["country"] == "NA"  # Namibia, not a gap
    assert set(rio) == {"country", "source"}
    some = collect_pairs(OwnPhotos(str(photos), table), store, Subset(countries=["NA", "CH"]))
    assert some.ids == ["bern", "rio"]


def test_rows_that_cannot_be_used_are_counted(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.jpg").write_bytes(jpeg(1))
    paths = ["../secret.jpg", "absent.jpg", "bern.jpg", "rio.jpg", "boston.jpg", "sydney.jpg"]
    paths += ["sydney.jpg", ""]
    rows: dict[str, list[object]] = {
        "path": list(paths),
        "lat": ["1", "1", "91", "x", "", "1", "2", "1"],
        "lon": ["1", "1", "1", "2", "", "1", "2", "1"],
        "country": ["", "", "", "", "Atlantis", "", "", ""],
    }
    adapter = OwnPhotos(str(photos), table_of(tmp_path / "t.csv", rows))
    account = collect_pairs(adapter, raw_store("own", source=""), Subset())
    assert account.ids == ["sydney"]
    assert dict(account.skips.counts) == {
        "a path that is not below the folder": 2,
        "no file at its path": 1,
        "no latitude and longitude on the Earth": 1,
        "neither latitude and longitude nor a country": 1,
        "a country that is not known": 1,
        "an id that was listed already": 1,
    }
    assert account.skips.examples["no file at its path"] == ["row 2: absent.jpg"]


def test_faults_of_folder_and_table_are_errors(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(DataListError, match="expected a folder of photos"):
        OwnPhotos(str(tmp_path / "absent"))
    with pytest.raises(DataListError, match="expected a CSV or Parquet table, got none"):
        OwnPhotos(str(photos), str(tmp_path / "absent.csv"))
    table = table_of(tmp_path / "t.csv", {"path": ["a"], "lat": [1]})
    adapter = OwnPhotos(str(photos), table)
    with pytest.raises(DataListError, match="expected columns path, and lat, lon or country"):
        collect_pairs(adapter, raw_store("own", source=""), Subset())


@pytest.mark.parametrize(
    "path",
    ["a/IMG 1.jpg", "b/IMG 1.jpg", "Zürich.jpg", "-x.jpg", "…/…/….png", "a" * 300 + ".jpg"],
)
def test_ids_are_safe_and_depend_on_the_path_alone(path: str) -> None:
    name = id_of(path)
    assert is_safe(name)
    assert name == id_of(path)
    assert name != id_of(f"other/{path}")


def test_plain_names_stay_what_they_are() -> None:
    assert id_of("DSC_0042.JPG") == "DSC_0042"
