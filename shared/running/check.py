"""What every committed notebook keeps to: `python -m shared.pipeline --check`, in `make lint`."""

import base64
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat

from shared.paths import shown
from shared.running.errors import RunError
from shared.running.parameters import is_known_annotation
from shared.running.source import is_parameters, read_source
from shared.running.tree import find_notebooks

MAX_PICTURE_BYTES = 125_000
WIDGET = "application/vnd.jupyter.widget-view+json"
_NOTEBOOK_METADATA = {"kernelspec", "language_info"}
_CELL_METADATA = {"tags", "slideshow", "jp-MarkdownHeadingCollapsed"}
_MAGIC = re.compile(r"(?m)^\s*([%!].*|.*\bget_ipython\(\).*)$")
_ALLOWED_MAGIC = "%matplotlib inline"
_MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|Users|content|work|mnt|usr|var|opt)/\S+")


def notebooks(root: Path) -> list[Path]:
    """All notebooks of the tree."""
    return [root / f"{name}.ipynb" for name in find_notebooks(root)]


def faults(path: Path) -> list[str]:
    """What is wrong with a notebook's source and its outputs: one line each, with cell and remedy.

    Args:
        path: the notebook.
    """
    try:
        source = read_source(path)
        notebook = read_notebook(path)
    except (RunError, nbformat.ValidationError) as error:
        return [str(error)]
    found = [*_metadata(notebook), *_parameters(notebook)]
    for name, parameter in source.parameters.items():
        if not is_known_annotation(parameter.annotation):
            found.append(
                f"parameter {name}: expected a type of JSON values, got {parameter.annotation}"
            )
    found += [*_magics(notebook), *_counts(notebook), *outputs(notebook)]
    return [f"{shown(path)}: {fault}" for fault in found]


def read_notebook(path: Path) -> nbformat.NotebookNode:
    """Read a notebook, checked against the format."""
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call, no-any-return]


def outputs(notebook: nbformat.NotebookNode) -> Iterator[str]:
    """What is wrong with the outputs: errors, progress, widgets, machine paths, large pictures."""
    for number, cell in _code(notebook):
        for output in cell.outputs:
            where = f"cell {number}"
            if output.output_type == "error":
                yield f"{where}: the output is an error ({output.ename})"
            if output.output_type == "stream" and output.name == "stderr":
                yield f"{where}: output on stderr; publish from the runner"
            if WIDGET in output.get("data", {}):
                yield f"{where}: a widget as output; use plain tqdm, and publish from the runner"
            yield from (f"{where}: {fault}" for fault in _pictures(output))
            if match := _MACHINE_PATH.search(text_of(output)):
                yield f"{where}: an output shows the machine's path {match[0]}; print it relative"


def text_of(output: nbformat.NotebookNode) -> str:
    """The plain text of an output."""
    text = output.get("text") or output.get("data", {}).get("text/plain", "")
    return "".join(text)


def _metadata(notebook: nbformat.NotebookNode) -> Iterator[str]:
    kernel = notebook.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        yield f"expected the kernel python3, got {kernel}"
    if extra := sorted(set(notebook.metadata) - _NOTEBOOK_METADATA):
        yield f"metadata that says how it was run: {', '.join(extra)}; publish from the runner"
    for number, cell in enumerate(notebook.cells, start=1):
        if extra := sorted(set(cell.metadata) - _CELL_METADATA):
            yield f"cell {number}: metadata that says how it was run: {', '.join(extra)}"
        if "injected-parameters" in cell.metadata.get("tags", []):
            yield f"cell {number}: parameters of a run (tag injected-parameters); remove the cell"


def _parameters(notebook: nbformat.NotebookNode) -> Iterator[str]:
    tagged = [number for number, cell in _code(notebook) if is_parameters(cell)]
    if len(tagged) != 1:
        yield f"expected exactly one code cell tagged `parameters`, got {len(tagged)}"


def _magics(notebook: nbformat.NotebookNode) -> Iterator[str]:
    for number, cell in _code(notebook):
        for match in _MAGIC.finditer(cell.source):
            line = match[1].strip()
            if line != _ALLOWED_MAGIC and not line.startswith("#"):
                yield f"cell {number}: expected plain Python, got `{line}`"


def _counts(notebook: nbformat.NotebookNode) -> Iterator[str]:
    cells = [cell for _, cell in _code(notebook)]
    counts = [cell.execution_count for cell in cells]
    is_clean = all(count is None for count in counts) and not any(cell.outputs for cell in cells)
    if not is_clean and counts != list(range(1, len(cells) + 1)):
        yield (
            f"expected no outputs, or those of one run from top to bottom (execution counts 1 to "
            f"{len(cells)}), got the counts {counts}; publish from the runner"
        )


def _pictures(output: nbformat.NotebookNode) -> Iterator[str]:
    for kind, content in output.get("data", {}).items():
        if not kind.startswith("image/"):
            continue
        text = "".join(content)
        size = len(text.encode()) if kind == "image/svg+xml" else len(base64.b64decode(text))
        if size > MAX_PICTURE_BYTES:
            yield (
                f"a picture of {size:,} bytes, at most {MAX_PICTURE_BYTES:,} expected; "
                "lower its dpi or its size"
            )


def _code(notebook: nbformat.NotebookNode) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            yield number, cell
