"""Stage 2 from raw photos to the split: its notebooks in order on tiny data with faults."""

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import cv2
import nbformat
import numpy as np
import pandas as pd
import papermill
import pytest
from PIL import Image

from shared.data_loader import load_pairs, pin_pairs, processed_store, raw_store
from tests.notebook_runs import execute

RESIZE, QUALITY = "1-resize/resize", "4-filter/quality"
# Capitals far from any border; 8 places of 2 views each.
TOWNS = {"FR": (48.85, 2.35), "BR": (-15.79, -47.88)}

pytestmark = pytest.mark.slow


def scene(seed: int) -> np.ndarray:
    """A made photo of 400 x 300, no two alike."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    smooth = np.asarray(cv2.resize(coarse, (400, 300)), float)
    return np.clip(smooth + rng.normal(0, 15, smooth.shape), 0, 255).astype(np.uint8)


def jpeg(image: np.ndarray, quality: int = 92) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def raw_photos() -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Photos and records by id, sound ones first, then one of each fault."""
    made: dict[str, tuple[bytes, dict[str, Any]]] = {}
    for code, (lat, lon) in TOWNS.items():
        for place in range(8):
            for heading in (0, 180):
                name = f"s_{code}{place}_{heading}"
                record = {
                    "coordinates": [lat + place / 100, lon],
                    "heading": heading,
                    "place": f"s_{code}{place}",
                }
                made[name] = (jpeg(scene(len(made))), record)
    made |= {f"m_{n}": (jpeg(scene(100 + n)), {"country": "France"}) for n in range(2)}
    made |= {f"m_{n}": (jpeg(scene(100 + n)), {"country": "Brazil"}) for n in (2, 3)}
    first = made["s_FR0_0"][1]
    elsewhere = {**first, "coordinates": [48.5, 2.35]}
    made["s_FRblack_0"] = (jpeg(np.zeros((300, 400, 3), np.uint8)), {**elsewhere, "heading": 1})
    blurred = np.asarray(cv2.GaussianBlur(scene(200), (0, 0), 6), np.uint8)
    made["s_FRblurred_0"] = (jpeg(blurred), {**elsewhere, "heading": 2})
    made["s_FRcopy_0"] = (made["s_FR3_0"][0], {**elsewhere, "heading": 3})
    made["s_FRsaved_0"] = (jpeg(scene(8), quality=60), {**elsewhere, "heading": 4})  # s_FR4_0
    made["s_FRplace_0"] = (jpeg(scene(201)), first)  # the place and heading of s_FR0_0
    made["s_FRcut_0"] = (jpeg(scene(202))[:-500], {**elsewhere, "heading": 5})
    return made


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with the raw pairs and their list."""
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    settings(tmp_path, "synthetic = true")
    raw = raw_store("tiny").images
    raw.mkdir(parents=True)
    for name, (photo, record) in raw_photos().items():
        (raw / f"{name}.jpg").write_bytes(photo)
        (raw / f"{name}.json").write_text(json.dumps(record))
    pin_pairs("tiny", "1-collect", raw_store("tiny"), source="made by a test", may_write=True)
    return tmp_path


def settings(root: Path, *lines: str) -> None:
    path = root / "data-lists" / "tiny" / "dataset.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(['title = "Tiny"', *lines, ""]))


def run(notebook: str, root: Path, **parameters: Any) -> nbformat.NotebookNode:
    """Run a notebook; the executed copy."""
    return execute(f"2-data-processing/{notebook}", root, **parameters)


def run_all(root: Path) -> None:
    parameters = {"may_write_lists": True}
    run(RESIZE, root, processes=2)
    run("2-enrich/countries", root, processes=1, **parameters)
    run("3-map/distribution", root, source_ids="s_*", target_part="m", **parameters)
    run(QUALITY, root, processes=2, input_list="3-map-all", **parameters)
    run("5-split/split", root, **parameters)


def ids(step: str) -> set[str]:
    return {pair.id for pair in load_pairs("tiny", step, processed_store("tiny"))}


def made_files(root: Path) -> dict[str, bytes]:
    """Lists, photos, records, tables: what later stages read."""
    paths = [*root.glob("data-lists/tiny/*"), *root.glob("2-data-processing/*/.data/tiny/**/*")]
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(paths)
        if path.is_file() and not path.name.startswith(".")
    }


def shown_images(executed: nbformat.NotebookNode) -> list[np.ndarray]:
    """The figures of an executed notebook, (H, W, 3)."""
    return [
        np.asarray(Image.open(io.BytesIO(b64decode(output.data["image/png"]))).convert("RGB"))
        for cell in executed.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]


def test_faults_are_dropped_each_for_its_reason_and_the_rest_is_split(project: Path) -> None:
    run_all(project)

    refused = pd.read_csv(project / "2-data-processing/1-resize/.data/tiny/refused.csv")
    assert refused[["id", "reason"]].to_numpy().tolist() == [["s_FRcut_0", "truncated"]]
    assert "s_FRcut_0" not in ids("2-enrich")
    with Image.open(processed_store("tiny").images / "s_FR0_0.jpg") as image:
        assert image.size == (320, 180)

    table = pd.read_parquet(project / "2-data-processing/4-filter/.data/tiny/quality.parquet")
    reasons = table.set_index("id")["reason"]
    assert reasons[reasons != ""].to_dict() == {
        "s_FRblack_0": "low variance",
        "s_FRblurred_0": "blurred",
        "s_FRcopy_0": "same photo",
        "s_FRplace_0": "same place",
        "s_FRsaved_0": "near duplicate",
    }
    sound = {f"s_{code}{place}_{view}" for code in TOWNS for place in range(8) for view in (0, 180)}
    assert ids("4-filter") == sound

    parts = [ids(f"5-split-{part}") for part in ("train", "validation", "test")]
    assert set.union(*parts) == sound
    assert sum(len(part) for part in parts) == len(sound)

    before = made_files(project)
    run(RESIZE, project)  # these two go on from what they find, and may write no list
    run(QUALITY, project, input_list="3-map-all")
    assert made_files(project) == before


def test_the_overview_counts_shows_and_maps_what_is_there(project: Path) -> None:
    run_all(project)
    executed = run("explore/overview", project, processes=1)
    folder = project / "2-data-processing/explore/.data/tiny"
    counts = pd.read_csv(folder / "countries.csv", index_col="code")
    # 16 sound photos and 4 names a country, and 5 faults in France that could be read
    assert counts["2-enrich"].to_dict() == {"FR": 23, "BR": 18}
    assert counts["4-filter"].to_dict() == {"FR": 16, "BR": 16}
    assert counts["part m"].to_dict() == {"FR": 2, "BR": 2}
    assert len(pd.read_csv(folder / "missing-countries.csv")) == 248
    assert len(pd.read_parquet(folder / "images.parquet")) == 41
    assert "places in blocks of" in (folder / "places.html").read_text(encoding="utf-8")
    shown = [
        o for c in executed.cells for o in c.get("outputs", []) if "image/jpeg" in o.get("data", {})
    ]
    assert len(shown) == 2  # samples, and pictures by variance

    settings(project, "synthetic = false")  # and then they are not ours to show
    hidden = run("explore/overview", project, processes=1)
    assert not [
        o for c in hidden.cells for o in c.get("outputs", []) if "image/jpeg" in o.get("data", {})
    ]


def test_other_thresholds_are_held_to_the_list(project: Path) -> None:
    run(RESIZE, project)
    run("2-enrich/countries", project, may_write_lists=True)
    run(QUALITY, project, input_list="2-enrich", may_write_lists=True)
    kept = ids("4-filter")
    with pytest.raises(papermill.PapermillExecutionError, match=r"4-filter\.txt"):
        run(QUALITY, project, input_list="2-enrich", min_variance=1e6)
    assert ids("4-filter") == kept


def test_photos_are_shown_only_where_the_data_set_says_so(project: Path) -> None:
    (synthetic,) = shown_images(run(RESIZE, project))
    settings(project, "synthetic = false")
    (hidden,) = shown_images(run(RESIZE, project))
    assert (np.ptp(synthetic, axis=2) > 30).any()  # the photos are coloured
    assert not np.ptp(hidden, axis=2).any()  # black text on white


def test_a_missing_list_names_what_writes_it(project: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError, match="3-map"):
        run(QUALITY, project)
