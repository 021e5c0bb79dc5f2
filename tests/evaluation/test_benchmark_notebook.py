"""The benchmark notebook on the layouts that it reads, made small."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from shared.evaluation.benchmark import measure, photos_of, reach
from shared.evaluation.benchmark_report import benchmark_document
from shared.evaluation.inputs import find_checkpoint
from shared.evaluation.intervals import PlaceBootstrap
from shared.evaluation.models import predict_photos
from shared.evaluation.slices import large_places
from tests.evaluation.conftest import COLOURS, PLACES
from tests.notebook_runs import run_notebook

NOTEBOOK = "4-evaluation/benchmark"
TINY = {"draws": 40, "processes": 1}


def metrics_of(root: Path, dataset: str, name: str) -> Any:
    folder = root / "4-evaluation" / ".data" / dataset / "benchmark" / name
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_a_foreign_table_is_measured_and_put_beside_published_results(tiny_root: Path) -> None:
    folder = tiny_root / "im2gps3k"
    (folder / "images").mkdir(parents=True)
    lines = ["IMG_ID,AUTHOR,LON,LAT"]  # swapped, as in one published version of the table
    for number, code in enumerate(["CZ", "FR", "JP", "KE"]):
        lat, lon = PLACES[code]
        lines.append(f"{number}_a@N0.jpg,a@N0,{lat},{lon}")
        image = np.full((36, 64, 3), COLOURS[code][::-1], dtype=np.uint8)
        cv2.imwrite(str(folder / "images" / f"{number}_a@N0.jpg"), image)
    table = folder / "im2gps3k_places365.csv"
    table.write_text("\n".join([*lines, "gone.jpg,a@N0,1.0,2.0"]), encoding="utf-8")
    text = run_notebook(
        NOTEBOOK,
        tiny_root,
        **TINY,
        dataset="other",
        source=str(table),
        checkpoint="tiny",
        name="made",
    )
    assert "swapped" in text
    assert "1 of 5 photos are not there" in text
    assert "1 of 4 photos (25.0 %) are of 1 countries that the model cannot name" in text
    metrics = metrics_of(tiny_root, "other", "made")
    assert metrics["reach"]["unknown"] == [{"code": "KE", "name": "Kenya", "photos": 1}]
    assert metrics["photos"]["layout"] == "im2gps3k"
    rows = metrics["beside_published"]
    assert rows[0]["model"] == "Lost & Found, country"
    assert {"top_1": 0.6496, "protocol": rows[0]["protocol"]}.items() <= rows[0].items()
    assert rows[1]["model"] == "ours"
    page = tiny_root / "4-evaluation/.data/other/benchmark/made/report.html"
    assert "not one protocol" in page.read_text(encoding="utf-8")


@pytest.mark.slow
def test_synthetic_photos_are_put_beside_no_published_result(tiny_root: Path) -> None:
    text = run_notebook(NOTEBOOK, tiny_root, **TINY)
    assert "Synthetic photos: not put beside real ones." in text
    metrics = metrics_of(tiny_root, "tiny", "country-5-split-test")
    assert metrics["beside_published"] == []
    assert metrics["reach"]["lost"] == 0
    all_photos = metrics["figures"]["read as countries, all photos"]
    assert 0 <= all_photos["top_1"]["value"] <= 1


def test_photos_with_a_country_alone_are_measured_without_distances(tiny_root: Path) -> None:
    folder = tiny_root / "names"
    folder.mkdir()
    for code in ("CZ", "FR", "JP", "KE"):
        image = np.full((36, 64, 3), COLOURS[code][::-1], dtype=np.uint8)
        cv2.imwrite(str(folder / f"{code}.jpg"), image)
        (folder / f"{code}.json").write_text(json.dumps({"country_code": code}), encoding="utf-8")
    photos = photos_of("tiny", "5-split-test", str(folder))
    asked = (photos.truth, photos.photos, photos.digest, tiny_root / "cache", "tiny")
    predicted = predict_photos(find_checkpoint("tiny"), *asked, 256, 1)
    within = reach(predicted)
    how = ("expected-distance", "default", large_places(), 25.0)
    result = measure(predicted, within, photos.labels, PlaceBootstrap(0, 40), *how)
    assert set(result.figures) == {
        "read as countries, all photos",
        "read as countries, of countries it knows",
    }
    assert len(result.distances) == 0
    document = benchmark_document(result, within, result.beside(True, ""), {})
    assert document["reach"]["unknown"] == [{"code": "KE", "name": "Kenya", "photos": 1}]
