"""Copies the outputs of executed notebooks into their sources, scrubbed of the machine."""

import os
import re
from pathlib import Path
from typing import Any

import nbformat

from shared.paths import root, shown
from shared.running import check, state
from shared.running.errors import RunError

_ADDRESS = re.compile(r" at 0x[0-9a-f]{6,}")
_METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def publish(dataset: str, notebook: str, parameters: dict[str, Any]) -> str:
    """Put the outputs of a notebook's last run into its source.

    Only outputs and execution counts change, so the notebook stays up to date.

    Args:
        dataset: that it was run on.
        notebook: its name.
        parameters: the values that the run must have had.

    Returns:
        What was done, in a line.

    Raises:
        RunError: there is no such run, or its outputs may not be committed.
    """
    path = root() / f"{notebook}.ipynb"
    source = check.read_notebook(path)
    record = state.load(dataset, notebook)
    executed_path = state.executed_path(dataset, notebook)
    if record is None or record.identity.parameters != parameters or not executed_path.exists():
        msg = f"{notebook}: expected a finished run with the default parameters. Run it first."
        raise RunError(msg)
    graft(source, check.read_notebook(executed_path), shown(path))
    faults = list(check.outputs(source))
    if faults:
        msg = f"{notebook} is not published: {'; '.join(faults)}"
        raise RunError(msg)
    text = str(nbformat.writes(source)) + "\n"  # type: ignore[no-untyped-call]
    if text == path.read_text(encoding="utf-8"):
        return f"[{notebook}] published already"
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
    return f"[{notebook}] published"


def graft(source: nbformat.NotebookNode, executed: nbformat.NotebookNode, where: str) -> None:
    """Give the source's cells the outputs of the executed copy, scrubbed, counted from 1.

    Raises:
        RunError: the cells are not the same.
    """
    run = [
        cell
        for cell in executed.cells
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", [])
    ]
    own = [cell for cell in source.cells if cell.cell_type == "code"]
    if [cell.source for cell in own] != [cell.source for cell in run]:
        msg = f"{where}: its cells were changed since it was run. Run it again."
        raise RunError(msg)
    for count, (cell, done) in enumerate(zip(own, run, strict=True), start=1):
        cell.execution_count = count
        cell.outputs = _scrubbed(done.outputs, count)
    for cell in source.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = _node({"tags": tags} if tags else {})
    source.metadata = _node(_METADATA)


def _node(content: dict[str, Any]) -> nbformat.NotebookNode:
    return nbformat.from_dict(content)  # type: ignore[no-untyped-call, no-any-return]


def _scrubbed(outputs: list[nbformat.NotebookNode], count: int) -> list[nbformat.NotebookNode]:
    """Outputs without progress bars, widgets, machine paths and addresses; prints in one piece."""
    kept: list[nbformat.NotebookNode] = []
    for output in outputs:
        is_stderr = output.output_type == "stream" and output.name == "stderr"
        if is_stderr or check.WIDGET in output.get("data", {}):
            continue
        if output.output_type == "execute_result":
            output.execution_count = count
        for kind in [kind for kind in output.get("data", {}) if kind.startswith("text/")]:
            output.data[kind] = _without_machine("".join(output.data[kind]))
        if output.output_type != "stream":
            kept.append(output)
        elif kept and kept[-1].output_type == "stream":
            kept[-1].text += _without_machine("".join(output.text))
        else:
            output.text = _without_machine("".join(output.text))
            kept.append(output)
    return kept


def _without_machine(text: str) -> str:
    text = text.replace(f"{root()}/", "").replace(str(root()), ".")
    home = str(Path.home())
    text = re.sub(rf"(?<![\w/]){re.escape(home)}(?=/)", "~", text) if home != "/" else text
    return _ADDRESS.sub("", text)
