"""The order of the notebooks, and which of them are chosen."""

from pathlib import Path

import pytest

from shared.running.errors import RunError
from shared.running.tree import before, find_notebooks, in_folders, matches, select, select_run

TREE = [
    "1-collect/world",
    "2-process/2-enrich/countries",
    "2-process/2-enrich/regions",
    "2-process/10-split/split",
    "2-process/explore/overview",
    "3-training/country",
    "3-training/extra/late",
    "10-last/end",
]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    others = [
        "2-process/.ipynb_checkpoints/split-checkpoint",
        "2-process/.data/demo/copy",
        "runs/demo/1-collect/world",
        "notes/idea",
        "3-training/.hidden",
    ]
    for name in reversed([*TREE, *others]):
        path = tmp_path / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_folders_run_by_their_numbers_and_unnumbered_ones_last(tree: Path) -> None:
    assert find_notebooks(tree) == TREE


def test_notebooks_of_one_folder_are_one_group() -> None:
    assert in_folders(TREE)[1] == ["2-process/2-enrich/countries", "2-process/2-enrich/regions"]
    assert len(in_folders(TREE)) == 7


def test_a_star_stands_for_one_folder_and_a_folder_for_all_below_it() -> None:
    chosen = [name for name in TREE if matches(name, "2-process/*/*")]
    assert chosen == TREE[1:5]
    assert [name for name in TREE if matches(name, "*/country")] == ["3-training/country"]
    assert [name for name in TREE if matches(name, "3-training/")] == TREE[5:7]
    assert matches("3-training/country", "./3-training/country.ipynb")
    assert not matches("3-training/country", "3-train")


def test_from_to_and_only_are_inclusive_and_take_folders() -> None:
    assert select(TREE, first="2-process/10-split", last="3-training") == TREE[3:7]
    assert select(TREE, last="2-process") == TREE[:5]
    assert select(TREE, only=["3-training/country.ipynb", "1-collect"]) == [TREE[0], TREE[5]]
    assert select(TREE, first="3-training", only=["1-collect"]) == []


def test_before_is_the_numbered_folders_before_its_own() -> None:
    stages = [name for name in TREE[:5] if "explore" not in name]
    assert before(TREE, "3-training") == stages
    assert before(TREE, "2-process/2-enrich/regions") == TREE[:1]  # not what lies beside it
    assert before(TREE, "1-collect") == []


def test_an_unknown_name_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(RunError, match=r"--only: .* got '3-training/contry'. Did you mean '3-tra"):
        select(TREE, only=["3-training/contry"])
    with pytest.raises(RunError, match=r"dataset.toml, \[notebooks\] run: expected a notebook"):
        select_run(TREE, ["9-none/*"], "data-lists/demo/dataset.toml")


def test_an_end_before_the_start_is_an_error() -> None:
    with pytest.raises(RunError, match="Expected --from to come before --to"):
        select(TREE, first="3-training", last="1-collect")


def test_patterns_of_the_data_set_select_in_the_order_of_the_tree() -> None:
    assert select_run(TREE, ["3-training/country", "1-*/*"], "x") == [TREE[0], TREE[5]]
