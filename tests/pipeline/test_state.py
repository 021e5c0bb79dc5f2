"""Each reason to run a notebook again is found and named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shared.manifest import fingerprint
from shared.running.state import (
    Identity,
    Record,
    executed_path,
    mark_unfinished,
    save,
    why_run,
)

IDENTITY = Identity({"epochs": 10, "seed": 0}, ["aa"], {"shared/geo.py": "bb"})
Reason = Callable[[Identity], str | None]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(tmp_path))
    for name in ("list.txt", "model.bin"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    executed = executed_path("demo", "3-training/country")
    executed.parent.mkdir(parents=True)
    executed.touch()
    inputs, outputs = [fingerprint(tmp_path / "list.txt")], [fingerprint(tmp_path / "model.bin")]
    save("demo", "3-training/country", Record(IDENTITY, inputs, outputs, 1.5))
    return tmp_path


def reason(now: Identity = IDENTITY) -> str | None:
    return why_run("demo", "3-training/country", now)


@pytest.mark.usefixtures("root")
def test_nothing_changed_is_up_to_date() -> None:
    assert reason() is None


@pytest.mark.usefixtures("root")
def test_changed_parameters_are_named_with_both_values() -> None:
    now = replace(IDENTITY, parameters={"epochs": 20, "rate": 0.1})
    assert (
        reason(now) == "parameters changed: epochs 10 -> 20, rate (none) -> 0.1, seed 0 -> (none)"
    )


@pytest.mark.usefixtures("root")
def test_changed_code_is_named() -> None:
    assert reason(replace(IDENTITY, cells=["ab"])) == "code changed: the notebook's cells"
    now = replace(IDENTITY, code={"shared/geo.py": "bc", "shared/new.py": "1"})
    assert reason(now) == "code changed: shared/geo.py, shared/new.py"


def test_a_changed_input_is_named(root: Path) -> None:
    (root / "list.txt").write_text("other", encoding="utf-8")
    assert reason() == "input changed: list.txt"


def test_a_missing_or_changed_output_is_named(root: Path) -> None:
    (root / "model.bin").write_text("other", encoding="utf-8")
    assert reason() == "output changed: model.bin"
    (root / "model.bin").unlink()
    assert reason() == "output missing: model.bin"


@pytest.mark.usefixtures("root")
def test_a_missing_executed_copy_is_made_again() -> None:
    executed_path("demo", "3-training/country").unlink()
    assert reason() == "output missing: the executed copy"


@pytest.mark.usefixtures("root")
def test_a_run_that_did_not_end_is_run_again() -> None:
    mark_unfinished("demo", "3-training/country", "was interrupted")
    assert reason() == "the last run was interrupted"
    assert why_run("demo", "3-training/other", IDENTITY) == "never run"
