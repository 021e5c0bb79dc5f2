from pathlib import Path

import pytest

from tests.collection.public_stand_ins import gps_exif, jpeg
from tests.collection.public_stand_ins import project as project
from tests.notebook_runs import run_notebook

SETTINGS = 'title = "Tiny"\ndescription = "for a test"\nlicence = "MIT"\n'


@pytest.fixture
def lists(project: Path) -> Path:
    folder = project / "data-lists" / "tiny"
    folder.mkdir(parents=True)
    (folder / "dataset.toml").write_text(SETTINGS, encoding="utf-8")
    return folder


@pytest.mark.slow
def test_it_only_explains_before_the_terms_are_accepted(project: Path, lists: Path) -> None:
    text = run_notebook("1-data-collection/public_datasets", project, adapter="mapillary")
    assert "LOST_AND_FOUND_MAPILLARY_TOKEN" in text
    assert "CC BY-SA 4.0" in text
    assert "Nothing is read and nobody is contacted" in text
    collected = project / "1-data-collection" / ".data" / "tiny"
    assert [path.name for path in collected.iterdir()] == ["TERMS.md"]
    assert not (lists / "1-collect.txt").exists()


@pytest.mark.slow
def test_own_photos_are_collected_pinned_and_held_to_the_list(
    project: Path, lists: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        (photos / f"p{number}.jpg").write_bytes(jpeg(number, gps_exif(-33.8 - number, 151.2)))
    (photos / "bare.jpg").write_bytes(jpeg(9))
    told = {"address": str(photos), "accept_terms": True, "licence": "CC0"}
    text = run_notebook("1-data-collection/public_datasets", project, may_write_lists=True, **told)
    assert "4 pairs of 4 listed: 4 written now, 0 kept from before" in text
    assert "1 x no GPS position in EXIF: bare.jpg" in text
    pinned = (lists / "1-collect.txt").read_bytes()
    assert b"# source: 1-data-collection/public_datasets.ipynb, own photos; " in pinned
    assert b"licence: CC0" in pinned
    again = run_notebook("1-data-collection/public_datasets", project, **told)
    assert "0 written now, 4 kept from before" in again
    assert (lists / "1-collect.txt").read_bytes() == pinned
