"""The notebooks of countries, mapping and split, run one after the other on a tiny data set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import papermill
import pytest
from PIL import Image

from shared.data_loader import load_pairs, pin_pairs, processed_store, raw_store
from tests.notebook_runs import execute

NOTEBOOKS = {"enrich": "2-enrich/countries", "map": "3-map/distribution", "split": "5-split/split"}
# Capitals far from any border, and how many places of each there are.
TOWNS = {"FR": (48.85, 2.35, 12), "BR": (-15.79, -47.88, 8), "NA": (-22.56, 17.08, 6)}

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with raw and resized pairs, faults among them, and the list of the raw ones."""
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    raw, resized = raw_store("tiny").images, processed_store("tiny").images
    for folder in (raw, resized, tmp_path / "data-lists" / "tiny"):
        folder.mkdir(parents=True)
    (tmp_path / "data-lists" / "tiny" / "dataset.toml").write_text(
        'title = "Tiny"\nsynthetic = true\n'
    )
    names = ["France"] * 2 + ["Brazil"] * 2 + ["Namibia"] + ["Virgin Islands"]
    records: dict[str, Any] = {f"m_{n}": {"country": name} for n, name in enumerate(names)}
    for code, (lat, lon, number) in TOWNS.items():
        for place in range(number):
            point = [lat + place / 100, lon]
            key = f"{code}{place}"
            records |= {
                f"s_{key}_{v}": {"coordinates": point, "place": f"s_{key}"} for v in range(2)
            }
    for number, (name, record) in enumerate(records.items()):
        grey = np.full((8, 12, 3), number, dtype=np.uint8)
        for folder in (raw, resized):
            Image.fromarray(grey).save(folder / f"{name}.jpg")
        (raw / f"{name}.json").write_text(json.dumps(record))
    (raw / "s_FR0_0.json").write_text('{"coord')
    (resized / "s_FR1_0.jpg").unlink()  # a photo that could not be read
    pin_pairs("tiny", "1-collect", raw_store("tiny"), source="made by a test", may_write=True)
    return tmp_path


def _run(name: str, root: Path, **parameters: Any) -> None:
    execute(f"2-data-processing/{NOTEBOOKS[name]}", root, **parameters)


def _ids(step: str) -> list[str]:
    return [pair.id for pair in load_pairs("tiny", step, processed_store("tiny"))]


def test_notebooks_pin_what_they_chose_and_hold_to_it(project: Path) -> None:
    lists = project / "data-lists" / "tiny"
    _run("enrich", project, may_write_lists=True, processes=1)
    ids = _ids("2-enrich")
    assert len(ids) == 5 + 52 - 2  # the broken record, the lost photo, and one uncertain name
    assert not {"m_5", "s_FR0_0", "s_FR1_0"} & set(ids)
    rows = (lists / "countries.csv").read_text().splitlines()
    assert rows[0] == "part,code,name,pairs"
    assert "s,NA,Namibia,12" in rows
    uncertain = project / "2-data-processing/2-enrich/.data/tiny/uncertain-names.csv"
    assert "Virgin Islands,1,m_5" in uncertain.read_text()

    _run("map", project, may_write_lists=True, target_part="m", slack_factor=1.0)
    # Due 2/5, 2/5 and 1/5; of 22, 16 and 12 photos Brazil's are the scarcest: N = 40.
    mapped = _ids("3-map-mapped")
    france, *others = [sum(code in name for name in mapped) for code in TOWNS]
    assert others == [16, 8]
    assert france in {15, 16}  # two of its places have a single photo
    assert set(mapped) <= set(_ids("3-map-mapped-wide")) <= set(_ids("3-map-all"))
    assert len(_ids("3-map-all")) == 50

    _run("split", project, may_write_lists=True, input_list="3-map-mapped")
    parts = {part: _ids(f"5-split-{part}") for part in ("train", "validation", "test")}
    assert sorted(name for ids in parts.values() for name in ids) == sorted(mapped)
    places = [{name.rpartition("_")[0] for name in ids} for ids in parts.values()]
    assert not places[0] & places[1] | places[0] & places[2] | places[1] & places[2]
    for code in TOWNS:
        assert all(any(code in name for name in ids) for ids in parts.values())

    before = {path.name: path.read_bytes() for path in lists.iterdir()}
    _run("enrich", project, processes=1)
    _run("map", project, target_part="m", slack_factor=1.0)
    _run("split", project, input_list="3-map-mapped")
    assert {path.name: path.read_bytes() for path in lists.iterdir()} == before


def test_without_leave_to_write_the_error_says_how(project: Path) -> None:
    with pytest.raises(papermill.PapermillExecutionError, match="may_write_lists=True"):
        _run("enrich", project, processes=1)
    assert [path.name for path in (project / "data-lists/tiny").glob("*.csv")] == []
