"""Options: where they come from, in which order, and that each is described once."""

import json
from pathlib import Path

import pytest

import shared.paths
from shared.data_loader import DataListError, dataset_settings, raw_store
from shared.data_loader.config import (
    DATASET_OPTIONS,
    OPTIONS,
    option,
    source_of,
    source_options,
    transfer,
)
from shared.data_loader.redaction import redacted

TOML = """
title = "Views"
licence = "CC0"
synthetic = false
[source]
url = "http://toml.example/views"
[source.options]
anon = true
[notebooks]
run = ["1-data-collection/*"]
[parameters]
seed = 3
[parameters."3-training/country"]
epochs = 2
seed = 4
"""


@pytest.fixture
def toml(project: Path) -> Path:
    path = project / "data-lists/my-views/dataset.toml"
    path.parent.mkdir(parents=True)
    path.write_text(TOML)
    return path


def test_argument_environment_dotenv_and_settings_come_in_this_order(
    project: Path, toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source_of("my-views") == "http://toml.example/views"
    (project / ".env").write_text("LOST_AND_FOUND_SOURCE=http://dotenv.example/all\n")
    assert source_of("my-views") == "http://dotenv.example/all/my-views"
    monkeypatch.setenv("LOST_AND_FOUND_SOURCE", "http://environment.example/?k=1")
    assert source_of("my-views") == "http://environment.example/my-views?k=1"
    (project / ".env").write_text("LOST_AND_FOUND_SOURCE_MY_VIEWS=http://own.example\n")
    assert source_of("my-views") == "http://own.example"
    assert source_of("my-views", "http://argument.example") == "http://argument.example"


def test_what_is_made_here_is_not_fetched_from_the_common_source(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    toml.write_text("synthetic = true\n")
    monkeypatch.setenv("LOST_AND_FOUND_SOURCE", "http://common.example")
    assert source_of("my-views") is None
    monkeypatch.setenv("LOST_AND_FOUND_SOURCE_MY_VIEWS", "http://own.example")
    assert source_of("my-views") == "http://own.example"


def test_dotenv_does_not_enter_the_environment(project: Path) -> None:
    import os

    (project / ".env").write_text("LOST_AND_FOUND_TIMEOUT_X=1\nLOST_AND_FOUND_SOURCE=/secret\n")
    assert option("SOURCE") == "/secret"
    assert "LOST_AND_FOUND_SOURCE" not in os.environ


def test_every_option_is_described_once() -> None:
    readme = Path(shared.paths.__file__).parents[1] / "data-lists" / "README.md"
    rows = [
        line for line in readme.read_text(encoding="utf-8").splitlines() if line.startswith("|")
    ]
    for name in {*OPTIONS, *DATASET_OPTIONS}:
        assert len([row for row in rows if row.startswith(f"| `{name}` ")]) == 1, name


@pytest.mark.parametrize(
    ("name", "value"),
    [("CONCURRENCY", "0"), ("TIMEOUT", "soon"), ("RETRIES", "-1"), ("MAX_FILE_MB", "nan")],
)
def test_a_number_out_of_range_is_an_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"LOST_AND_FOUND_{name}", value)
    with pytest.raises(DataListError, match=f"LOST_AND_FOUND_{name}: expected a number from"):
        transfer()


def test_an_unknown_layout_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOST_AND_FOUND_STORE", "heap")
    with pytest.raises(
        DataListError, match="STORE: expected one of auto, flat, nested, got 'heap'"
    ):
        raw_store("demo")


def test_options_of_the_source_are_json_and_not_shown_when_they_are_not(
    toml: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source_options("my-views") == {"anon": True}
    monkeypatch.setenv("LOST_AND_FOUND_SOURCE_OPTIONS", json.dumps({"key": "k"}))
    assert source_options("my-views") == {"anon": True, "key": "k"}
    monkeypatch.setenv("LOST_AND_FOUND_SOURCE_OPTIONS", "key=hunter2")
    with pytest.raises(DataListError, match="expected a JSON object") as error:
        source_options("my-views")
    assert "hunter2" not in str(error.value)


def test_settings_of_a_dataset(toml: Path) -> None:
    settings = dataset_settings("my-views")
    assert (settings.title, settings.licence, settings.synthetic) == ("Views", "CC0", False)
    assert settings.run == ("1-data-collection/*",)
    assert settings.parameters_for("3-training/country") == {"seed": 4, "epochs": 2}
    assert settings.parameters_for("elsewhere") == {"seed": 3}


def test_an_unknown_dataset_names_those_there_are(toml: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no data set 'nothing'.*there are: my-views"):
        dataset_settings("nothing")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title = ", "expected TOML"),
        ("tilte = 'x'", r"unknown keys \['tilte'\]"),
        ("[source]\nulr = 'x'", r"unknown keys \['ulr'\] in \[source\]"),
        ("source = 'x'", r"expected a table \[source\], got 'x'"),
        ("[notebooks]\nrun = 'x'", "notebooks.run: expected a list of strings, got 'x'"),
    ],
)
def test_bad_settings_are_named(toml: Path, text: str, said: str) -> None:
    toml.write_text(text)
    with pytest.raises(DataListError, match=said) as error:
        dataset_settings("my-views")
    assert "data-lists/my-views/dataset.toml" in str(error.value)


def test_a_dataset_name_cannot_lead_outside() -> None:
    with pytest.raises(DataListError, match="unsafe name"):
        raw_store("../elsewhere")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h/x?sig=1", "http://h/x?..."),
        ("at https://h/x?a=b&c=d and s3://k:s@b/c", "at https://h/x?... and s3://b/c"),
        ("what? nothing here", "what? nothing here"),
    ],
)
def test_redaction(text: str, shown: str) -> None:
    assert redacted(text) == shown
