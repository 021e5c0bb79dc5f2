"""What a notebook made is printed and noted; what it read is noted."""

import hashlib
import os
from pathlib import Path

import pandas as pd
import pytest

from shared.manifest import (
    MANIFEST_VARIABLE,
    fingerprint,
    is_unchanged,
    note_inputs,
    read_manifest,
    report_outputs,
)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    monkeypatch.delenv(MANIFEST_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def manifest(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = root / "manifest.jsonl"
    monkeypatch.setenv(MANIFEST_VARIABLE, str(path))
    return path


def test_a_file_is_shown_below_the_root_with_its_sha256(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "out.json").write_bytes(b"{}")
    report_outputs([root / "out.json"])
    expected = hashlib.sha256(b"{}").hexdigest()[:32]
    assert capsys.readouterr().out == f"out.json: 2 bytes, digest {expected}\n"


def test_tables_are_shown_with_their_rows_and_folders_with_their_files(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = pd.DataFrame({"a": range(1234)})
    table.to_parquet(root / "t.parquet")
    table.to_csv(root / "t.csv", index=False)
    (root / "list.txt").write_text("# header\nx 1 2\ny 3 4\n", encoding="utf-8")
    (root / "many").mkdir()
    for name in "abc":
        (root / "many" / name).touch()
    report_outputs([root / name for name in ("t.parquet", "t.csv", "list.txt", "many")])
    amounts = [
        line.split(": ")[1].split(",")[0:-1] for line in capsys.readouterr().out.split("\n")[:4]
    ]
    assert [",".join(parts) for parts in amounts] == [
        "1,234 rows",
        "1,234 rows",
        "2 rows",
        "3 files",
    ]


def test_inputs_outputs_figures_and_report_are_noted_in_order(root: Path, manifest: Path) -> None:
    for name in ("in.txt", "out.txt", "report.html"):
        (root / name).write_text(name, encoding="utf-8")
    note_inputs([root / "in.txt", root / "none"])
    report_outputs([root / "out.txt"], headline={"top-1": "61 %"}, report=root / "report.html")
    notes = [(n["kind"], n.get("path") or n.get("name")) for n in read_manifest(manifest)]
    assert notes == [
        ("input", "in.txt"),
        ("input", "none"),
        ("output", "out.txt"),
        ("output", "report.html"),
        ("headline", "top-1"),
        ("report", "report.html"),
    ]


def test_outside_the_runner_nothing_is_noted(root: Path) -> None:
    (root / "a").touch()
    note_inputs([root / "a"])
    report_outputs([root / "a"])
    assert sorted(path.name for path in root.iterdir()) == ["a"]


def test_an_output_that_does_not_exist_is_an_error(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"Expected the output 'none\.txt', found none"):
        report_outputs([root / "none.txt"])


def test_no_outputs_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one output"):
        report_outputs([])


def test_a_folder_is_the_same_by_names_and_contents_whatever_its_times(root: Path) -> None:
    folder = root / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a").write_text("one", encoding="utf-8")
    before = fingerprint(folder)
    os.utime(folder / "inner" / "a", (1, 1))
    assert is_unchanged(before)
    (folder / ".cache").touch()  # hidden: somebody's cache
    assert is_unchanged(before)
    (folder / "inner" / "a").write_text("two", encoding="utf-8")
    assert not is_unchanged(before)


def test_a_file_that_appears_or_goes_is_a_change(root: Path) -> None:
    absent = fingerprint(root / "a")
    assert is_unchanged(absent)
    (root / "a").touch()
    assert not is_unchanged(absent)
    there = fingerprint(root / "a")
    (root / "a").unlink()
    assert not is_unchanged(there)
