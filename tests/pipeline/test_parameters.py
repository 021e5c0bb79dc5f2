"""Parameters come from defaults, dataset.toml and the command line, and are checked."""

from typing import Any

import pytest

from shared.data_loader import DatasetSettings
from shared.running.errors import RunError
from shared.running.parameters import is_known_annotation, resolve
from shared.running.source import Parameter

TRAIN, SPLIT = "3-training/country", "2-process/split"
DECLARED = {
    SPLIT: {"dataset": Parameter("str", "demo"), "seed": Parameter("int", 0)},
    TRAIN: {
        "dataset": Parameter("str", "demo"),
        "seed": Parameter("int", 0),
        "epochs": Parameter("int", 10),
        "rate": Parameter("float", 0.001),
        "mixed": Parameter("bool", False),
        "weights": Parameter("str | None", None),
        "sizes": Parameter("list[int]", [1]),
        "fit": Parameter("Literal['crop', 'pad']", "crop"),
        "alias": Parameter("dict[str, str]", {}),
    },
}


def values(*given: str, **settings: Any) -> dict[str, dict[str, Any]]:
    return resolve(DatasetSettings("mini", "", **settings), DECLARED, list(DECLARED), given)


def test_own_settings_come_before_common_ones_and_the_command_line_before_both() -> None:
    found = values(
        "seed=3",
        parameters={"seed": 1, "epochs": 4},
        notebook_parameters={TRAIN: {"epochs": 5, "rate": 0.5}},
    )
    assert found[SPLIT] == {"dataset": "mini", "seed": 3}
    assert found[TRAIN]["epochs"] == 5
    assert found[TRAIN]["rate"] == 0.5
    assert found[TRAIN]["seed"] == 3


def test_a_parameter_can_be_given_to_one_notebook_or_folder() -> None:
    found = values("3-training:seed=7", f"{SPLIT}:seed=8")
    assert (found[TRAIN]["seed"], found[SPLIT]["seed"]) == (7, 8)


@pytest.mark.parametrize(
    ("given", "name", "expected"),
    [
        ("mixed=true", "mixed", True),
        ("mixed=False", "mixed", False),
        ("rate=1", "rate", 1.0),
        ("rate=1e-3", "rate", 0.001),
        ("weights=007", "weights", "007"),
        ("weights=true", "weights", "true"),
        ("weights=null", "weights", None),
        ("weights=a=b", "weights", "a=b"),
        ("sizes=[1, 2]", "sizes", [1, 2]),
        ("fit=pad", "fit", "pad"),
        ('alias={"UK": "GB"}', "alias", {"UK": "GB"}),
    ],
)
def test_values_are_read_as_the_annotation_says(given: str, name: str, expected: object) -> None:
    found = values(given)[TRAIN][name]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("epochs=ten", r"epochs of 3-training/country: expected int, got 'ten' \(str\)"),
        ("epochs=1.5", r"expected int, got 1.5 \(float\)"),
        ("epochs=true", r"expected int, got True \(bool\)"),
        ("mixed=1", r"expected bool, got 1 \(int\)"),
        ("sizes=[1, 'a']", r"expected list\[int\]"),
        ("fit=stretch", r"expected Literal\['crop', 'pad'\], got 'stretch'"),
        ("epoch=3", r"unknown parameter 'epoch'. Did you mean 'epochs'\? Known: alias, dataset"),
        (f"{SPLIT}:epochs=3", r"unknown parameter 'epochs'.* Known: dataset, seed"),
        ("4-evaluation:seed=3", r"no selected notebook is '4-evaluation'"),
        ("epochs", r"expected name=value or notebook:name=value, got 'epochs'"),
        ("dataset=other", r"name the data set by --dataset other"),
    ],
)
def test_what_makes_no_sense_on_the_command_line_is_an_error(given: str, message: str) -> None:
    with pytest.raises(RunError, match=message):
        values(given)


def test_unknown_names_in_the_settings_are_errors_that_name_the_file() -> None:
    with pytest.raises(RunError, match=r"data-lists/mini/dataset.toml, \[parameters\]: unknown"):
        values(parameters={"speed": 1})
    with pytest.raises(RunError, match=r'\[parameters\."3-training/contry"\]: no such notebook'):
        values(notebook_parameters={"3-training/contry": {"seed": 1}})


def test_only_types_of_json_values_are_parameters() -> None:
    assert is_known_annotation("dict[str, list[int] | None]")
    assert not is_known_annotation("Path")
    assert not is_known_annotation("tuple[int, int]")
