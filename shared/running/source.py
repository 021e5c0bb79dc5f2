"""What a notebook's source says: its parameters and its code."""

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.paths import shown
from shared.running.errors import RunError

PARAMETERS_TAG = "parameters"


@dataclass(frozen=True)
class Parameter:
    """A parameter of a notebook: its annotation as written, and its default (a JSON value)."""

    annotation: str
    default: Any


@dataclass(frozen=True)
class Source:
    """A notebook's source.

    Attributes:
        parameters: by name.
        cells: a digest of the code of each code cell but the parameters, comments aside.
        trees: the same code, parsed.
    """

    parameters: dict[str, Parameter]
    cells: list[str]
    trees: list[ast.Module]


def read_source(path: Path) -> Source:
    """Read a notebook's parameters and code.

    Raises:
        RunError: the notebook cannot be parsed, or its parameters are not annotated JSON literals.
    """
    cells = read_cells(path)
    parameters: dict[str, Parameter] = {}
    trees = []
    for number, cell in enumerate(cells, start=1):
        if cell["cell_type"] != "code":
            continue
        tree = _parse(cell["source"], f"{shown(path)}, cell {number}")
        if is_parameters(cell):
            parameters |= _parameters(tree, f"{shown(path)}, cell {number}")
        else:
            trees.append(tree)
    return Source(parameters, [_digest(ast.dump(tree)) for tree in trees], trees)


def read_cells(path: Path) -> list[dict[str, Any]]:
    """The cells of a notebook of format 4, as they are in its file, with `source` as one text.

    Read as plain JSON: nbformat takes seconds to import, and every start of the runner reads all.

    Raises:
        RunError: it cannot be parsed.
    """
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        form = notebook["nbformat"]
        cells = [{**cell, "source": "".join(cell["source"])} for cell in notebook["cells"]]
    except (ValueError, TypeError, KeyError) as error:
        msg = f"{shown(path)}: expected a notebook (JSON, format 4): {error!r}"
        raise RunError(msg) from error
    if form != 4:
        msg = f"{shown(path)}: expected a notebook of format 4, got format {form}."
        raise RunError(msg)
    return cells


def is_parameters(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is the one that holds the parameters."""
    return PARAMETERS_TAG in cell["metadata"].get("tags", [])


def without_magics(source: str) -> str:
    """A cell's code with its line magics and shell lines left out (each leaves an empty line)."""
    return re.sub(r"(?m)^\s*[%!].*$", "", source)


def _parse(source: str, where: str) -> ast.Module:
    try:
        return ast.parse(without_magics(source))
    except SyntaxError as error:
        msg = f"{where}: expected Python, got {error.msg} in line {error.lineno}."
        raise RunError(msg) from error


def _parameters(tree: ast.Module, where: str) -> dict[str, Parameter]:
    found = {}
    for statement in tree.body:
        try:
            name, parameter = _parameter(statement)
            json.dumps(parameter.default)
        except (TypeError, ValueError) as error:
            msg = (
                f"{where}: expected annotated JSON literals in the parameters cell, such as "
                f"`epochs: int = 10`, got `{ast.unparse(statement)}`."
            )
            raise RunError(msg) from error
        found[name] = parameter
    return found


def _parameter(statement: ast.stmt) -> tuple[str, Parameter]:
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        msg = "no annotated name"
        raise TypeError(msg)
    if statement.value is None:
        msg = "no default"
        raise TypeError(msg)
    default = ast.literal_eval(statement.value)
    return statement.target.id, Parameter(ast.unparse(statement.annotation), default)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
