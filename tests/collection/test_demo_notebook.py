from pathlib import Path

import papermill
import pytest

from shared.paths import ROOT_VARIABLE
from tests.notebook_runs import run_notebook

NOTEBOOK = "1-data-collection/demo_world"
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
    text = run_notebook(NOTEBOOK, tmp_path, processes=1, may_write_lists=True, **tiny)
    pinned = (lists / "1-collect.txt").read_bytes()
    assert "85 views of 20 places" in text
    assert "whole pairs of 85 views" in text
    assert "1-collect.txt" in text
    (tmp_path / "1-data-collection/.data/tiny/singleplayer_00004_0.jpg").unlink()
    run_notebook(NOTEBOOK, tmp_path, processes=1, **tiny)
    assert (lists / "1-collect.txt").read_bytes() == pinned
    with pytest.raises(papermill.PapermillExecutionError, match="differences from"):
        run_notebook(NOTEBOOK, tmp_path, processes=1, **{**tiny, "seed": 1})
