"""Running a notebook of the project in a fresh kernel, as the runner does."""

from pathlib import Path

import nbformat
import papermill

PROJECT = Path(__file__).parents[1]


def execute(name: str, folder: Path, /, **parameters: object) -> nbformat.NotebookNode:
    """Run a notebook from a folder; the executed copy, which is written there too.

    Args:
        name: from the root, without its ending, such as `"3-training/region"`.
        folder: the working folder.
        **parameters: of the notebook; `dataset` is `"tiny"` if nothing else is said.
    """
    done: nbformat.NotebookNode = papermill.execute_notebook(
        PROJECT / f"{name}.ipynb",
        folder / f"{name.replace('/', '-')}.ipynb",
        parameters={"dataset": "tiny", **parameters},
        kernel_name="python3",
        cwd=folder,
        progress_bar=False,
    )
    return done


def run_notebook(name: str, folder: Path, /, **parameters: object) -> str:
    """Run a notebook as `execute` does; the text of all its outputs."""
    return _text(execute(name, folder, **parameters))


def run_quiet_notebook(name: str, folder: Path, /, **parameters: object) -> str:
    """The same for a notebook that may not print a warning."""
    done = execute(name, folder, **parameters)
    warned = [o.text for o in _outputs(done) if o.get("name") == "stderr" and "Warning" in o.text]
    assert warned == []
    return _text(done)


def _outputs(done: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [o for cell in done.cells if cell.cell_type == "code" for o in cell.outputs]


def _text(done: nbformat.NotebookNode) -> str:
    shown = [o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in _outputs(done)]
    return "\n".join(shown)
