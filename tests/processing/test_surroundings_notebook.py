"""The surroundings notebook, run on a tiny data set and a tiny raster."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import from_origin

from shared.data_loader import pin_pairs, raw_store
from shared.processing.surroundings import load_surroundings
from tests.notebook_runs import execute

RECORDS = {
    "s_0": {"coordinates": [47.37, 8.54], "date": "2019-07"},  # Zurich
    "s_1": {"coordinates": [-22.56, 17.08]},  # Windhoek
    "m_0": {"country": "Brazil"},
}

pytestmark = pytest.mark.slow


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


def test_photos_get_facts_and_their_sources(project: Path) -> None:
    values = np.array([[15], [4]], dtype=np.uint8)  # Cfb in the north, BWh in the south
    with rasterio.open(
        project / "kg.tif",
        "w",
        driver="GTiff",
        height=2,
        width=1,
        count=1,
        dtype="uint8",
        crs="EPSG:4326",
        transform=from_origin(-180, 90, 360, 90),
    ) as raster:
        raster.write(values, 1)
    execute("2-data-processing/2-enrich/surroundings", project, climate=str(project / "kg.tif"))
    facts = load_surroundings("tiny").loc[["s_0", "s_1", "m_0"]]
    assert facts["climate"].tolist() == ["Cfb", "BWh", ""]
    assert facts["climate_from"].tolist() == ["kg.tif", "kg.tif", ""]
    assert facts["driving_side"].tolist() == ["right", "left", "right"]
    assert facts["month"].tolist()[0] == 7
    folder = project / "2-data-processing" / "2-enrich" / ".data" / "tiny" / "surroundings"
    account = json.loads((folder / "account.json").read_text())
    assert account["facts"]["climate"]["photos"] == 2
    assert account["facts"]["month"]["from"] == "capture date"
    assert account["facts"]["elevation_m"]["unit"] == "m above the sea"
