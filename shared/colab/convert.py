"""Converts a notebook to a plain Python script with its parameters set."""

import argparse
import os
import re
from pathlib import Path

import nbformat
from nbconvert import PythonExporter

from shared.data_loader import dataset_settings
from shared.paths import root
from shared.running.errors import RunError
from shared.running.parameters import resolve
from shared.running.source import is_parameters, read_source, without_magics

_DISPLAY = "from IPython.display import display\n"


def script_of(notebook: str, dataset: str, given: list[str]) -> str:
    """The script of a notebook: parameters of the data set and the command line, no magics.

    Args:
        notebook: its path below the root, without `.ipynb`.
        dataset: the name of the data set.
        given: `name=value`.

    Raises:
        RunError: an unknown parameter, or IPython code that plain Python cannot run.
    """
    path = root() / f"{notebook}.ipynb"
    declared = {notebook: read_source(path).parameters}
    settings = dataset_settings(dataset)
    common = {k: v for k, v in settings.parameters.items() if k in declared[notebook]}
    own = {k: v for k, v in settings.notebook_parameters.items() if k == notebook}
    settings = type(settings)(
        settings.name, settings.title, parameters=common, notebook_parameters=own
    )
    values = resolve(settings, declared, [notebook], given)[notebook]
    cells = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in cells.cells:
        if cell.cell_type != "code":
            continue
        cell.source = without_magics(cell.source)
        if is_parameters(cell):
            lines = [f"{k}: {declared[notebook][k].annotation} = {v!r}" for k, v in values.items()]
            cell.source = "\n".join(lines)
    exporter = PythonExporter(exclude_input_prompt=True)  # type: ignore[no-untyped-call]
    text, _ = exporter.from_notebook_node(cells)
    if match := re.search(r"(?m)^.*get_ipython\(\).*$", text):
        msg = f"{path}: expected plain Python, got `{match[0].strip()}`."
        raise RunError(msg)
    return _DISPLAY + text if re.search(r"\bdisplay\(", text) else text


def main() -> int:
    """`python -m shared.colab.convert NOTEBOOK SCRIPT --dataset D [-p name=value ...]`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebook")
    parser.add_argument("script", type=Path)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("-p", dest="given", action="append", default=[])
    options = parser.parse_args()
    try:
        text = script_of(options.notebook, options.dataset, options.given)
    except (RunError, FileNotFoundError) as error:
        msg = f"error: {error}"
        raise SystemExit(msg) from error
    options.script.parent.mkdir(parents=True, exist_ok=True)
    temporary = options.script.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(options.script)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
