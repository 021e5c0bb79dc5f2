"""Running a notebook of collecting in a fresh kernel, and what it prints and shows."""

from pathlib import Path

import papermill

STAGE = Path(__file__).parents[2] / "1-data-collection"


def run_notebook(name: str, folder: Path, **parameters: object) -> str:
    """Run a notebook for the data set `tiny`, from a folder; the text of all its outputs."""
    done = papermill.execute_notebook(
        STAGE / f"{name}.ipynb",
        folder / "executed.ipynb",
        parameters={"dataset": "tiny", **parameters},
        kernel_name="python3",
        cwd=folder,
        progress_bar=False,
    )
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    return "\n".join(o.get("text", "") or o.get("data", {}).get("text/plain", "") for o in outputs)
