from pathlib import Path

import papermill
import pytest

ROOT = Path(__file__).parents[2]


def run_notebook(name: str, folder: Path, **parameters: object) -> str:
    """Run a notebook in a fresh kernel; the text of all its outputs."""
    done = papermill.execute_notebook(
        ROOT / "4-evaluation" / f"{name}.ipynb",
        folder / f"{name}.ipynb",
        parameters={"dataset": "tiny", **parameters},
        kernel_name="python3",
        cwd=folder,
        progress_bar=False,
    )
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not any("Warning" in o.text for o in outputs if o.get("name") == "stderr")
    return "\n".join(output.get("text", "") for output in outputs)


@pytest.mark.slow
def test_predict_answers_refuses_and_writes_its_files(tiny_root: Path) -> None:
    text = run_notebook("predict", tiny_root)
    for line in (
        "grey: ",
        "16 bits: ",
        "cut short: truncated: ",
        "animated: animated: ",
        "empty: empty file: ",
        "no image: not an image: ",
        "tiny: too small: ",
        "huge: too large: ",
        "Do not use it to find people.",
    ):
        assert line in text
    folder = tiny_root / "4-evaluation" / ".data" / "tiny" / "predict"
    written = {path.name for path in folder.iterdir()}
    assert written == {"answers.json", "answers.csv", "answers.geojson", "map.html"}


@pytest.mark.slow
def test_play_shows_an_example_and_does_not_wait(tiny_root: Path) -> None:
    text = run_notebook("play", tiny_root)
    assert "6 training photos to compare with" in text
    assert "Set open_app to True to open the page." in text
    assert (tiny_root / "4-evaluation" / ".data" / "tiny" / "play" / "example.html").is_file()
