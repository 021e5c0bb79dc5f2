"""The regions notebook, run on a tiny data set."""

import json
from pathlib import Path

import pytest
from PIL import Image

from shared.data_loader import pin_pairs, raw_store
from shared.processing.regions import load_regions
from tests.notebook_runs import execute

RECORDS = {
    "s_0": {"coordinates": [47.37, 8.54]},  # Zurich
    "s_1": {"coordinates": [-22.56, 17.08]},  # Windhoek: the country NA is no missing value
    "s_2": {"coordinates": [0, 0]},
    "m_0": {"country": "Brazil"},
}

pytestmark = pytest.mark.slow


def _square(west: float, south: float, **properties: str) -> dict[str, object]:
    ring = [[west, south], [west + 1, south], [west + 1, south + 1], [west, south + 1]]
    shape = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return {"type": "Feature", "properties": properties, "geometry": shape}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    raw = raw_store("tiny").images
    for folder in (raw, tmp_path / "data-lists" / "tiny"):
        folder.mkdir(parents=True)
    settings = 'title = "Tiny"\nsynthetic = true\n'
    (tmp_path / "data-lists" / "tiny" / "dataset.toml").write_text(settings)
    for name, record in RECORDS.items():
        Image.new("RGB", (8, 8)).save(raw / f"{name}.jpg")
        (raw / f"{name}.json").write_text(json.dumps(record))
    pin_pairs("tiny", "1-collect", raw_store("tiny"), source="made by a test", may_write=True)
    return tmp_path


def test_photos_with_coordinates_get_the_region_of_a_file_of_polygons(project: Path) -> None:
    zurich = _square(8, 47, name="Zürich", iso_a2="CH", iso_3166_2="CH-ZH")
    khomas = _square(17.2, -23, name="Khomas", iso_a2="NA", iso_3166_2="NA-KH")
    path = project / "two.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [zurich, khomas]}))
    execute("2-data-processing/2-enrich/regions", project, source=str(path))
    partition, photos = load_regions("tiny")
    assert partition.codes == ["CH-ZH", "NA-KH"]
    assert photos.index.tolist() == ["s_0", "s_1"]
    assert photos["region_code"].tolist() == ["CH-ZH", "NA-KH"]
    assert photos["region_country"].tolist() == ["CH", "NA"]
    assert photos["region_from"].tolist() == ["polygon", "nearest polygon"]
    # 0.12 degrees of longitude at 22.56 S.
    assert photos["region_distance_km"].tolist() == pytest.approx([0, 12.32], abs=0.05)
    assert [list(codes) for codes in photos["nearest"]] == [["CH-ZH", "NA-KH"], ["NA-KH", "CH-ZH"]]
