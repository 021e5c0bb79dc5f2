"""Foreign layouts, made small, and the published rows beside which a model is put."""

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from shared.evaluation.conventions import CONVENTIONS
from shared.evaluation.layouts import layout_of, read_foreign, unknown_to
from shared.evaluation.predictions import make_point_predictions
from shared.evaluation.published import PUBLISHED, beside_published


def write_photos(folder: Path, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((12, 16, 3), 20 * number, dtype=np.uint8))


def write_table(path: Path, lines: Sequence[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_im2gps_names_photos_by_file_in_any_folder(tmp_path: Path) -> None:
    write_photos(tmp_path, ["images/1_a@N00.jpg", "images/deep/2_b@N00.jpg"])
    lines = [
        "IMG_ID,AUTHOR,LAT,LON,S3_Label,S16_Label,S365_Label,Prob_indoor,Prob_natural,Prob_urban",
        "2_b@N00.jpg,b@N00,48.2,16.4,2,11,108,0.0,0.1,0.9",
        "1_a@N00.jpg,a@N00,-1.3,36.8,1,7,306,0.0,0.9,0.1",
    ]
    table = write_table(tmp_path / "im2gps_places365.csv", lines)
    assert layout_of(table) == "im2gps"
    found = read_foreign(table)
    assert [p.id for p in found.photos] == ["1_a@N00.jpg", "2_b@N00.jpg"]
    assert list(found.truth["code"]) == ["KE", "AT"]
    assert found.photos[1].image.parent.name == "deep"
    assert found.notes == []


def test_im2gps3k_with_swapped_heads_is_turned_round(tmp_path: Path) -> None:
    write_photos(tmp_path, ["x/1.jpg", "x/2.jpg"])
    # As in the version of commit 3487c53: the latitude stands below LON.
    lines = ["IMG_ID,AUTHOR,LON,LAT", "1.jpg,a,29.976052,122.390356", "2.jpg,a,46.2,30.8"]
    table = write_table(tmp_path / "im2gps3k_places365.csv", lines)
    assert layout_of(table) == "im2gps3k"
    found = read_foreign(table)
    assert found.truth[["lat", "lon"]].to_numpy()[0].tolist() == [29.976052, 122.390356]
    assert found.truth["code"].tolist() == ["CN", "UA"]
    assert "swapped" in found.notes[0]


def test_yfcc_ids_hold_folders_and_absent_photos_are_counted(tmp_path: Path) -> None:
    write_photos(tmp_path / "yfcc4k", ["25935894.jpg"])
    lines = ["IMG_ID,LAT,LON", "a1/b2/25935894.jpg,35.7,139.7", "c3/d4/99.jpg,1.0,2.0"]
    table = write_table(tmp_path / "yfcc25600_places365.csv", lines)
    assert layout_of(table) == "yfcc4k"
    found = read_foreign(table, tmp_path / "yfcc4k")
    assert [p.id for p in found.photos] == ["a1/b2/25935894.jpg"]
    assert found.notes == ["1 of 2 photos are not there."]


def test_osv5m_keeps_its_labels_and_namibia(tmp_path: Path) -> None:
    write_photos(tmp_path, ["images/test/00/11.jpg", "images/test/01/22.jpg"])
    lines = [
        "id,latitude,longitude,country,region,sub-region,city",
        "11,-22.56,17.08,NA,Khomas,,Windhoek",
        "22,59.9,10.7,NO,Oslo,Oslo,Oslo",
    ]
    table = write_table(tmp_path / "test.csv", lines)
    assert layout_of(table) == "osv5m"
    found = read_foreign(table, tmp_path / "images")
    assert list(found.truth["code"]) == ["NA", "NO"]
    assert found.labels.to_numpy()[0].tolist() == ["NA", "Khomas", "", "Windhoek"]


def test_a_folder_reads_records_beside_photos(tmp_path: Path) -> None:
    write_photos(tmp_path, ["a.jpg", "b.png", "c.webp", "d.jpg"])
    (tmp_path / "a.json").write_text(json.dumps({"coordinates": [48.86, 2.35]}), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"country_code": "JP"}), encoding="utf-8")
    (tmp_path / "d.json").write_text("{broken", encoding="utf-8")
    found = read_foreign(tmp_path)
    assert list(found.truth["code"]) == ["FR", "JP", "", ""]
    assert found.truth["place"].nunique() == 4
    assert found.notes == [
        "1 records cannot be read: nothing is known of their photos.",
        "Of 2 photos neither place nor country is known.",
    ]


def test_photos_of_one_point_are_one_place(tmp_path: Path) -> None:
    write_photos(tmp_path, ["1.jpg", "2.jpg"])
    lines = ["IMG_ID,LAT,LON", "1.jpg,10.0,20.0", "2.jpg,10.0,20.0"]
    found = read_foreign(write_table(tmp_path / "im2gps.csv", lines))
    assert len(set(found.truth["place"])) == 1


def test_what_is_not_there_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="folder of photos or a CSV"):
        layout_of(tmp_path / "none.csv")
    table = write_table(tmp_path / "t.csv", ["a,b", "1,2"])
    with pytest.raises(ValueError, match="OSV-5M"):
        layout_of(table)
    with pytest.raises(ValueError, match="layout"):
        read_foreign(table, layout="kaggle")
    with pytest.raises(FileNotFoundError, match="none of them"):
        read_foreign(write_table(tmp_path / "im2gps.csv", ["IMG_ID,LAT,LON", "1.jpg,1,2"]))
    twice = write_table(tmp_path / "x.csv", ["IMG_ID,LAT,LON", "1.jpg,1,2", "1.jpg,1,2"])
    with pytest.raises(ValueError, match="once"):
        read_foreign(twice)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="webp"):
        read_foreign(tmp_path / "empty")


def test_countries_that_a_model_lacks_are_counted() -> None:
    found = unknown_to(["KE", "FR", "KE", "", "US"], ["FR"])
    assert list(found.items()) == [("KE", 2), ("US", 1)]


def test_published_rows_name_a_convention_and_a_protocol() -> None:
    for row in PUBLISHED:
        assert row.convention in CONVENTIONS
        assert len(row.protocol) > 20
        assert row.figures
        shares = {
            k: v for k, v in row.figures.items() if not k.endswith("_km") and k != "geo_score"
        }
        assert all(0 < v < 1 for v in shares.values())


def test_ours_is_counted_by_each_rows_own_convention() -> None:
    names = ["a", "b"]
    truth = pd.DataFrame({"place": names, "lat": [0.0, 0.0], "lon": [0.0, 1.0]}, index=names)
    table = make_point_predictions(truth, [[0.0, 0.0], [1.0, 1.0]])
    found = beside_published(table, "made", figures={"top_1": 0.5})
    rows = found[found["model"] == "ours"].reset_index(drop=True)
    theirs = [row.name for row in PUBLISHED]
    assert list(found["model"][::2]) == theirs
    pigeon, osv5m = theirs.index("PIGEON"), theirs.index("OSV-5M baseline")
    # One degree of a meridian: 111.32 km on PIGEON's sphere, 111.19 km on OSV-5M's.
    assert rows.loc[pigeon, "mean_km"] == pytest.approx(111.3195 / 2, abs=1e-4)
    assert rows.loc[osv5m, "mean_km"] == pytest.approx(111.1949 / 2, abs=1e-4)
    assert rows.loc[theirs.index("Lost & Found, country"), "top_1"] == 0.5
    assert rows["top_1"].isna()[osv5m]
