"""What lies on a mounted Drive is found, and its zips write nowhere else."""

import zipfile
from pathlib import Path

import pytest

from shared.colab.drive import find_drive, source_variable, unpack_processed
from shared.colab.errors import ColabError


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOST_AND_FOUND_CONTENT", str(tmp_path / "content"))
    monkeypatch.delenv("LOST_AND_FOUND_DRIVE", raising=False)
    folder = tmp_path / "content/drive/MyDrive/lost-and-found"
    folder.mkdir(parents=True)
    return folder


def test_a_zip_comes_before_a_folder(drive: Path) -> None:
    (drive / "demo").mkdir()
    found = find_drive("demo")
    assert found is not None
    assert (found.pairs, found.processed) == (drive / "demo", None)
    (drive / "demo.zip").touch()
    (drive / "demo-processed.zip").touch()
    found = find_drive("demo")
    assert found is not None
    assert (found.pairs, found.processed) == (drive / "demo.zip", drive / "demo-processed.zip")


def test_a_named_folder_may_be_the_drive_or_the_folder_on_it(drive: Path) -> None:
    for given in (drive, drive.parent):
        found = find_drive("demo", str(given))
        assert found is not None
        assert found.folder == drive


@pytest.mark.usefixtures("drive")
def test_no_drive_is_nothing_and_a_named_one_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_CONTENT", "/nowhere")
    assert find_drive("demo") is None
    with pytest.raises(ColabError, match="Expected a mounted Drive at '/nowhere'"):
        find_drive("demo", "/nowhere")


def test_what_stage_2_made_is_unpacked_once(tmp_path: Path) -> None:
    archive = tmp_path / "demo-processed.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("2-data-processing/1-resize/.data/demo/a.jpg", b"x")
    assert unpack_processed(archive, tmp_path) == 1
    assert (tmp_path / "2-data-processing/1-resize/.data/demo/a.jpg").read_bytes() == b"x"
    assert unpack_processed(archive, tmp_path) == 0


@pytest.mark.parametrize(
    "name",
    ["../evil", "/evil", "2-data-processing/../evil", "shared/evil.py", "2-data-processing\\x"],
)
def test_a_zip_cannot_write_elsewhere(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "demo-processed.zip"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(name, b"x")
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(ColabError, match="expected names below 2-data-processing/"):
        unpack_processed(archive, root)
    assert list(tmp_path.rglob("evil*")) == []


def test_the_variable_is_that_of_the_data_loader() -> None:
    assert source_variable("street-views") == "LOST_AND_FOUND_SOURCE_STREET_VIEWS"
