"""What a notebook's source says about its parameters and the code that it stands on."""

import ast
from pathlib import Path
from typing import Any

import pytest

from shared.running.errors import RunError
from shared.running.source import read_source
from shared.source_code import modules_used


@pytest.fixture
def package(tmp_path: Path) -> Path:
    files = {
        "__init__.py": "",
        "geo.py": "RADIUS = 6371\n",
        "maps/__init__.py": "",
        "maps/draw.py": "from shared.geo import RADIUS\nfrom . import colours\n",
        "maps/colours.py": "from ..base import deep\n",
        "maps/style.json": "{}",
        "base/__init__.py": "",
        "base/deep.py": "",
        "other/__init__.py": "",
        "other/unused.py": "import shared.geo\n",
        "other/table.csv": "a,b\n",
        "worker.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "shared" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "shared"


def used(package: Path, code: str) -> dict[str, str]:
    return modules_used([ast.parse(code)], package)


def test_imports_are_followed_through_modules_and_relative_ones(package: Path) -> None:
    found = used(package, "from shared.maps import draw\nimport os, json")
    assert list(found) == [
        "shared/__init__.py",
        "shared/base/__init__.py",
        "shared/base/deep.py",
        "shared/geo.py",
        "shared/maps/__init__.py",
        "shared/maps/colours.py",
        "shared/maps/draw.py",
        "shared/maps/style.json",
    ]


def test_an_import_inside_a_function_and_a_module_named_in_a_string_count(package: Path) -> None:
    found = used(package, "def f():\n    import shared.geo\nrun(['-m', 'shared.worker'])")
    assert list(found) == ["shared/__init__.py", "shared/geo.py", "shared/worker.py"]


def test_at_import_only_what_is_imported_at_once_counts(package: Path) -> None:
    code = "import shared.geo\ndef f():\n    import shared.worker\nrun(['-m', 'shared.maps.draw'])"
    found = modules_used([ast.parse(code)], package, at_import=True)
    assert list(found) == ["shared/__init__.py", "shared/geo.py"]


def test_code_counts_and_comments_and_layout_do_not(package: Path) -> None:
    before = used(package, "import shared.geo")
    (package / "geo.py").write_text("# the mean radius\nRADIUS   =   6371\n", encoding="utf-8")
    assert used(package, "import shared.geo") == before
    (package / "geo.py").write_text("RADIUS = 6378\n", encoding="utf-8")
    after = used(package, "import shared.geo")
    assert {name for name in before if before[name] != after[name]} == {"shared/geo.py"}


def test_a_table_of_the_package_counts_for_the_code_beside_it(package: Path) -> None:
    before = used(package, "import shared.maps.draw")
    (package / "maps/style.json").write_text('{"land": "grey"}', encoding="utf-8")
    (package / "other/table.csv").write_text("changed", encoding="utf-8")
    after = used(package, "import shared.maps.draw")
    assert {name for name in before if before[name] != after[name]} == {"shared/maps/style.json"}


def test_parameters_are_read_with_annotation_and_default(pipeline: Any) -> None:
    path = pipeline.notebook(
        "1-a/a", "x = 1", parameters="n: int = -3  # how many\nnames: list[str] | None = None"
    )
    parameters = read_source(path).parameters
    assert [(name, p.annotation, p.default) for name, p in parameters.items()] == [
        ("n", "int", -3),
        ("names", "list[str] | None", None),
    ]


@pytest.mark.parametrize("line", ["n = 3", "n: int", "n: int = 2 * 3", "import os", "s: set = {1}"])
def test_parameters_that_are_no_annotated_literals_are_errors(pipeline: Any, line: str) -> None:
    path = pipeline.notebook("1-a/a", parameters=line)
    with pytest.raises(RunError, match="cell 2: expected annotated JSON literals"):
        read_source(path)


def test_a_notebook_that_is_none_is_an_error_that_names_it(pipeline: Any) -> None:
    path = pipeline.notebook("1-a/a")
    path.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match=r"a\.ipynb: expected a notebook \(JSON, format 4\)"):
        read_source(path)


def test_a_syntax_error_names_notebook_and_cell(pipeline: Any) -> None:
    path = pipeline.notebook("1-a/a", "%matplotlib inline\nx = (")
    with pytest.raises(RunError, match=r"a\.ipynb, cell 4: expected Python.* in line 2"):
        read_source(path)
