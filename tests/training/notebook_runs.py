"""Running a training notebook on the tiny made data."""

from pathlib import Path

import papermill

TINY = {"dataset": "tiny", "epochs": 2, "batch_size": 16, "width": 64, "height": 36, "threads": 1}


def run_notebook(folder: Path, notebook: Path, **parameters: object) -> str:
    """Run a notebook in a fresh kernel; the text of all its outputs."""
    done = papermill.execute_notebook(
        notebook,
        folder / "executed.ipynb",
        parameters={**TINY, **parameters},
        kernel_name="python3",
        cwd=folder,
        progress_bar=False,
    )
    return "\n".join(
        output.get("text", "")
        for cell in done.cells
        if cell.cell_type == "code"
        for output in cell.outputs
    )
