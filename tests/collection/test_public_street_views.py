import csv
import json
import os
from pathlib import Path

import pytest

from shared.collection.public.gathering import Subset, collect_pairs
from shared.collection.public.street_views import COLUMNS, StreetViews
from shared.data_loader import DataListError, DownloadError, pin_pairs, raw_store
from tests.collection.public_stand_ins import files_of, jpeg, serving
from tests.collection.public_stand_ins import project as project

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("LOST_AND_FOUND_REAL_DATA", ROOT.parent / "shared" / "data"))
HEADER = [*COLUMNS, "radius", "country"]


def make_repository(folder: Path, rows: list[list[object]], pictures: dict[str, bytes]) -> Path:
    """The layout of the repository at its commit: the table, and pictures two folders down."""
    inner = folder / "imgs_final_v1" / "imgs_final_v1"
    inner.mkdir(parents=True)
    for name, data in pictures.items():
        (inner / name).write_bytes(data)
    with (folder / "full_benchmark.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    return folder


def row(number: int, lat: float, lon: float, country: str = "Australia") -> list[object]:
    return [f"imgs_final_v1/{number}.jpg", "Kiryū", lat, lon, 343, 0, 90, 500, country]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    rows = [row(0, -38.14890723, 144.3486681), row(33, 38.87849613, -121.2947096, "United Kingdom")]
    rows += [row(7, 13.46777719, 144.7332082, "Guam"), row(1601, 35.1, 139.2, "Japan")]
    pictures = {f"{n}.jpg": jpeg(n) for n in (0, 7, 33, 1601)}
    return make_repository(tmp_path / "dataset_final_v1", rows, pictures)


def test_photos_become_pairs_without_the_table_s_countries(repository: Path) -> None:
    store = raw_store("views", source="")
    with serving(files_of(repository)) as server:
        account = collect_pairs(StreetViews("views", server.url), store, Subset())
    assert account.ids == [f"street-view_{n:04d}" for n in (0, 7, 33, 1601)]
    record = json.loads((store.images / "street-view_0033.json").read_text(encoding="utf-8"))
    assert record["coordinates"] == [38.87849613, -121.2947096]
    assert (record["heading"], record["pitch"], record["fov"]) == (343, 0, 90)
    assert record["city"] == "Kiryū"
    assert "country" not in record
    assert "e3177542f12247c4956e1bb1bd5032948c3a8986" in record["source"]
    assert (store.images / "street-view_0033.jpg").read_bytes() == jpeg(33)


def test_countries_go_by_coordinates(repository: Path) -> None:
    store = raw_store("views", source="")
    subset = Subset(countries=["United States"])
    account = collect_pairs(StreetViews("views", str(repository)), store, subset)
    assert account.ids == ["street-view_0033"]  # Lincoln in California, which the table puts in
    assert account.skips.counts == {"in another country than asked for": 3}  # the United Kingdom


def test_a_stopped_run_goes_on_with_what_is_missing(repository: Path) -> None:
    store = raw_store("views", source="")
    with serving(files_of(repository)) as server:
        collect_pairs(StreetViews("views", server.url), store, Subset())
        (store.images / "street-view_0007.jpg").unlink()  # killed between record and image
        (store.images / "street-view_1601.json").write_text("{", encoding="utf-8")
        del server.log[:]
        account = collect_pairs(StreetViews("views", server.url), store, Subset())
        assert (account.n_written, account.n_kept) == (2, 2)
        inner = "GET /imgs_final_v1/imgs_final_v1"
        assert sorted(server.log) == [
            "GET /full_benchmark.csv",
            f"{inner}/1601.jpg",
            f"{inner}/7.jpg",
        ]
    assert json.loads((store.images / "street-view_1601.json").read_text())["heading"] == 343


def test_what_is_passed_over_is_counted_and_named(tmp_path: Path) -> None:
    rows = [row(0, 1.0, 2.0), row(1, 91.0, 2.0), row(2, 1.0, 2.0), row(3, 1.0, 2.0), row(0, 1, 2)]
    rows.append(["../../secret.jpg", "X", 1.0, 2.0, 0, 0, 90, 500, "Y"])
    folder = make_repository(tmp_path / "r", rows, {"0.jpg": jpeg(0), "3.jpg": b"<html>no</html>"})
    store = raw_store("views", source="")
    account = collect_pairs(StreetViews("views", str(folder)), store, Subset())
    assert account.ids == ["street-view_0000"]
    assert dict(account.skips.counts) == {
        "no coordinates or view in the table": 1,
        "an id that was listed already": 1,
        "an unexpected file name": 1,
        "the picture could not be had (not found)": 1,
        "the picture could not be had (a web page, not the file)": 1,
    }
    assert account.skips.examples["no coordinates or view in the table"] == ["line 3"]
    text = (store.images / "ACCOUNT.md").read_text(encoding="utf-8")
    assert "1 x an unexpected file name: line 7: '../../secret.jpg'" in text
    assert "none stated; Google imagery" in text


def test_a_committed_list_says_which_pairs_and_what_they_are(repository: Path) -> None:
    records = {0: [-38.14890723, 144.3486681], 7: [13.46777719, 144.7332082]}
    source = raw_store("views", source="")
    source.images.mkdir(parents=True)
    for number, point in records.items():
        plain = {"coordinates": point, "heading": 343, "pitch": 0, "fov": 90}
        (source.images / f"street-view_{number:04d}.json").write_text(json.dumps(plain))
        (source.images / f"street-view_{number:04d}.jpg").write_bytes(jpeg(number))
    pin_pairs("views", "1-collect", source, source="made", may_write=True)
    for path in source.images.iterdir():
        path.unlink()
    (repository / "imgs_final_v1/imgs_final_v1/7.jpg").write_bytes(jpeg(8))
    account = collect_pairs(StreetViews("views", str(repository)), source, Subset())
    assert account.ids == ["street-view_0000"]
    assert account.skips.counts == {
        "not in the data set's committed list": 2,
        "the picture could not be had (does not match its digest)": 1,
    }


def test_no_server_is_an_error_that_says_how_to_go_on() -> None:
    adapter = StreetViews("views", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1:9.*run again to go on"):
        collect_pairs(adapter, raw_store("views", source=""), Subset())


def test_another_table_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "full_benchmark.csv").write_text("file,lat\n", encoding="utf-8")
    with pytest.raises(DataListError, match=r"full_benchmark\.csv: expected the columns"):
        collect_pairs(StreetViews("views", str(tmp_path)), raw_store("views", source=""), Subset())


def test_what_is_known_of_the_pictures_holds_for_other_data_sets_too(repository: Path) -> None:
    store = raw_store("street-views", source="")
    store.images.mkdir(parents=True)
    (store.images / "street-view_0007.json").write_text('{"coordinates": [1, 2]}')
    (store.images / "street-view_0007.jpg").write_bytes(jpeg(70))
    pin_pairs("street-views", "1-collect", store, source="made", may_write=True)
    all_of_them = StreetViews("views", str(repository))
    account = collect_pairs(all_of_them, raw_store("views", source=""), Subset())
    assert account.ids == ["street-view_0000", "street-view_0033", "street-view_1601"]
    reason = "the picture could not be had (does not match its digest)"
    assert account.skips.examples == {reason: ["street-view_0007"]}


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.skipif(
    not (REAL / "street-views").is_dir(),
    reason="no real photos: name their folder in LOST_AND_FOUND_REAL_DATA",
)
@pytest.mark.parametrize("is_pinned", [True, False])
def test_the_pairs_equal_the_real_ones(tmp_path: Path, project: Path, is_pinned: bool) -> None:
    real = {path.stem: path for path in (REAL / "street-views").glob("*.json")}
    rows = []
    inner = tmp_path / "r" / "imgs_final_v1" / "imgs_final_v1"
    for name, path in sorted(real.items()):
        plain = json.loads(path.read_text(encoding="utf-8"))
        number = int(name.removeprefix("street-view_"))
        lat, lon = plain["coordinates"]
        rows.append(row(number, lat, lon, "a wrong country"))
        rows[-1][4:7] = [plain["heading"], plain["pitch"], plain["fov"]]
    make_repository(tmp_path / "r", rows, {})
    for name, path in real.items():
        number = int(name.removeprefix("street-view_"))
        (inner / f"{number}.jpg").symlink_to(path.with_suffix(".jpg"))
    if is_pinned:
        pinned = project / "data-lists" / "street-views" / "1-collect.txt"
        pinned.parent.mkdir(parents=True)
        pinned.write_bytes((ROOT / "data-lists/street-views/1-collect.txt").read_bytes())
    store = raw_store("street-views", source="")
    with serving(files_of(tmp_path / "r")) as server:
        account = collect_pairs(StreetViews("street-views", server.url), store, Subset())
    assert len(account.ids) == len(real) == 1220
    for name, path in real.items():
        copy = store.images / f"{name}.jpg"
        assert copy.read_bytes() == path.with_suffix(".jpg").read_bytes(), name
        record = (store.images / f"{name}.json").read_bytes()
        if is_pinned:
            assert record == path.read_bytes(), name
        else:
            plain = json.loads(path.read_text(encoding="utf-8"))
            assert plain.items() <= json.loads(record).items(), name
    if is_pinned:  # the committed list holds
        pin_pairs("street-views", "1-collect", store, source="made", may_write=False)
