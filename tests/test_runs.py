import csv
import json
import logging
import sys
import time
from pathlib import Path

import pytest

from shared.runs import (
    Tracker,
    commit,
    read_records,
    resolve_mode,
    versions,
    without_secrets,
)


@pytest.fixture(autouse=True)
def no_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_CACHE_DIR", "WANDB_DATA_DIR", "WANDB_CONFIG_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_jsonl_and_csv_hold_what_was_logged(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path / "run", {"lr": 0.1})
    tracker.log({"loss": 0.5}, 0)
    tracker.log({"loss": 0.25}, 1)
    tracker.finish()
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 0, "loss": 0.5},
        {"step": 1, "loss": 0.25},
    ]
    assert table(tmp_path / "run" / "metrics.csv") == [
        {"step": "0", "loss": "0.5"},
        {"step": "1", "loss": "0.25"},
    ]
    assert json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8")) == {"lr": 0.1}


def test_a_new_measure_gets_a_column(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, {})
    tracker.log({"a": 1}, 0)
    tracker.log({"b": 2}, 1)
    assert table(tmp_path / "metrics.csv") == [
        {"step": "0", "a": "1", "b": ""},
        {"step": "1", "a": "", "b": "2"},
    ]


def test_a_run_that_goes_on_drops_what_came_after_its_state(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, {})
    for step in range(4):
        tracker.log({"a": step}, step)
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 4, "a"')  # cut by a kill
    again = Tracker(tmp_path, {}, keep_until=1)
    assert [record["step"] for record in again.records()] == [0, 1]
    again.log({"a": 22}, 2)
    assert [row["a"] for row in table(tmp_path / "metrics.csv")] == ["0", "1", "22"]


def test_a_new_run_starts_empty(tmp_path: Path) -> None:
    Tracker(tmp_path, {}).log({"a": 1}, 0)
    assert Tracker(tmp_path, {}).records() == []


def test_a_line_that_was_cut_short_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"step": 0}\n{"step": 1', encoding="utf-8")
    assert read_records(tmp_path / "m.jsonl") == [{"step": 0}]


def test_values_under_names_of_secrets_are_blanked(tmp_path: Path) -> None:
    config = {"WANDB_API_KEY": "abc", "nested": {"password": "def", "lr": 1}, "n_keys": 3}
    Tracker(tmp_path, config)
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    assert "abc" not in text
    assert "def" not in text
    assert without_secrets(config)["nested"]["lr"] == 1
    assert without_secrets(config)["n_keys"] == 3


def test_nothing_is_asked_without_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # an import of it would fail
    tracker = Tracker(tmp_path, {"lr": 0.1})
    tracker.log({"loss": 0.5}, 0)
    tracker.log_table("classes", ["code"], [["CZ"]])
    tracker.log_artifact(tmp_path, "best", "checkpoint", {})
    tracker.finish()
    assert not (tmp_path / "wandb").exists()


@pytest.mark.parametrize(
    ("argument", "environment", "key", "expected"),
    [
        ("", "", "", "disabled"),
        ("", "", "k", "online"),
        ("", "offline", "", "offline"),
        ("", "disabled", "k", "disabled"),
        ("disabled", "offline", "k", "disabled"),
        ("offline", "", "k", "offline"),
        ("online", "", "k", "online"),
    ],
)
def test_mode_is_argument_then_environment_then_key(
    argument: str, environment: str, key: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", environment)
    monkeypatch.setenv("WANDB_API_KEY", key)
    assert resolve_mode(argument) == expected


def test_modes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"wandb mode out of .*but got 'cloud'"):
        resolve_mode("cloud")
    with pytest.raises(ValueError, match="set WANDB_API_KEY, or use 'offline'"):
        resolve_mode("online")


def test_offline_run_holds_measures_classes_and_checkpoint(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checkpoint = tmp_path / "best"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text("{}", encoding="utf-8")
    tracker = Tracker(tmp_path / "run", {"lr": 0.1}, wandb_mode="offline")
    tracker.log({"loss": 0.5}, 0)
    tracker.log_table("classes", ["class", "code"], [[0, "CZ"], [1, "FR"]])
    tracker.log_artifact(checkpoint, "country-best", "checkpoint", {"classes": ["CZ"]})
    tracker.finish({"best": 0.5})
    (found,) = (tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb")
    deadline = time.monotonic() + 20
    while b"config.json" not in (data := found.read_bytes()):  # written a moment after `finish`
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for expected in (b"metrics/loss", b"classes", b"country-best", b"config.json"):
        assert expected in data
    assert table(tmp_path / "run" / "metrics.csv") == [{"step": "0", "loss": "0.5"}]
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "wandb" not in shown.err


def test_a_run_that_cannot_start_online_goes_on_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = "0123456789abcdef0123456789abcdef01234567"
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setattr("shared.runs.PATIENCE_S", 3.0)
    with caplog.at_level(logging.WARNING):
        tracker = Tracker(tmp_path, {})
    tracker.log({"loss": 0.5}, 0)
    tracker.finish()
    assert "did not start" in caplog.text
    assert key not in caplog.text
    assert len(tracker.records()) == 1


def test_versions_and_commit_are_those_of_this_clone() -> None:
    import torch

    found = versions(["torch", "no-such-package"])
    assert found["torch"] == torch.__version__.split("+")[0]
    assert found["no-such-package"] == "not installed"
    assert set(commit()) == {"commit", "is_dirty"}
