"""The contrastive notebook on the tiny made data."""

import json
from pathlib import Path

import numpy as np
import pytest

from shared.training.clip import load_clip
from shared.training.images import Preprocessing
from tests.notebook_runs import run_notebook
from tests.training.conftest import TINY

NOTEBOOK = "3-training/contrastive"
SIZES = {"hidden": 32, "layers": 1, "text_hidden": 16, "text_layers": 1, "projection": 16}


@pytest.mark.slow
def test_notebook_trains_a_stand_in_without_the_unseen_countries(tiny_root: Path) -> None:
    parameters = {"tiny_sizes": SIZES, "unseen_countries": ["JP"], "prompt_places": 2}
    text = run_notebook(NOTEBOOK, tiny_root, **TINY, **parameters)
    assert "32 training and 10 validation photos of 2 countries" in text
    assert "Left out: Japan, Kenya" in text
    assert "stand-in" in text
    assert "Trained.\n" in text
    folder = tiny_root / "3-training" / ".data" / "tiny" / "contrastive"
    found = load_clip(str(folder / "best"))
    assert found.preprocessing == Preprocessing(64, 36)
    assert found.facts["facts"]["seen"] == ["CZ", "FR"]
    assert found.facts["facts"]["unseen"] == ["JP", "KE"]
    vectors = found.image_embeddings(np.zeros((2, 36, 64, 3), dtype=np.uint8))
    assert vectors.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)
    config = json.loads((folder / "best" / "config.json").read_text(encoding="utf-8"))
    assert config["model_type"] == "clip"
    assert not list((folder / "best").glob("*.bin"))
    assert (folder / "figures" / "texts.png").exists()
    assert len((folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2
