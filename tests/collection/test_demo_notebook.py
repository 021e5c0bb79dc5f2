from pathlib import Path

import papermill
import pytest

from shared.paths import ROOT_VARIABLE

NOTEBOOK = Path(__file__).parents[2] / "1-data-collection" / "demo_world.ipynb"
SETTINGS = 'title = "Tiny"\ndescription = "for a test"\nlicence = "MIT"\nsynthetic = true\n'


@pytest.mark.slow
def test_notebook_paints_pins_and_holds_to_what_it_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = tmp_path / "data-lists" / "tiny"
    lists.mkdir(parents=True)
    (lists / "dataset.toml").write_text(SETTINGS, encoding="utf-8")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    tiny = {"n_places": 20, "n_multiplayer": 5, "width": 64, "height": 36, "fault_factor": 2.0}
    text = run(tmp_path, dataset="tiny", may_write_lists=True, **tiny)
    pinned = (lists / "1-collect.txt").read_bytes()
    assert "85 views of 20 places" in text
    assert "whole pairs of 85 views" in text
    assert "1-collect.txt" in text
    (tmp_path / "1-data-collection/.data/tiny/singleplayer_00004_0.jpg").unlink()
    run(tmp_path, dataset="tiny", **tiny)
    assert (lists / "1-collect.txt").read_bytes() == pinned
    with pytest.raises(papermill.PapermillExecutionError, match="differences from"):
        run(tmp_path, dataset="tiny", **{**tiny, "seed": 1})


def run(folder: Path, **parameters: object) -> str:
    """Run the notebook in a fresh kernel; the text of all its outputs."""
    done = papermill.execute_notebook(
        NOTEBOOK,
        folder / "executed.ipynb",
        parameters={"processes": 1, **parameters},
        kernel_name="python3",
        cwd=folder,
        progress_bar=False,
    )
    cells = [cell for cell in done.cells if cell.cell_type == "code"]
    return "\n".join(output.get("text", "") for cell in cells for output in cell.outputs)
