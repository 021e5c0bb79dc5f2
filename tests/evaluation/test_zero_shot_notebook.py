"""The zero-shot notebook on a tiny project, with a stand-in of random weights."""

import json
from pathlib import Path

import pytest

from shared.evaluation.predictions import read_predictions
from shared.evaluation.zero_shot_sources import find_clip
from shared.paths import data_folder
from shared.training.backbones import Normalisation
from shared.training.clip import ClipEncoder
from shared.training.clip_tiny import caption_tokenizer, tiny_clip
from shared.training.images import Preprocessing
from tests.notebook_runs import run_notebook

SIZES = {"hidden": 32, "layers": 1, "text_hidden": 16, "text_layers": 1, "projection": 16}


def save_stand_in(folder: Path) -> None:
    texts = ["A Street View photo in Czechia.", "A Street View photo in France.", "Japan"]
    tokenizer = caption_tokenizer(texts, 32)
    model = tiny_clip(tokenizer, {**SIZES, "text_length": 32}, 64, 0)
    pixels, normalisation = Preprocessing(64, 36), Normalisation.of("half")
    facts = {"facts": {"seen": ["CZ", "FR"]}, "origin": "stand-in", "seed": 0}
    ClipEncoder(model, tokenizer, pixels, normalisation, facts).save(folder)


@pytest.mark.slow
def test_notebook_searches_countries_regions_and_cities(tiny_root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"3-training/contrastive\.ipynb writes it"):
        find_clip("tiny")
    save_stand_in(data_folder("3-training", "tiny") / "contrastive" / "best")
    text = run_notebook(
        "4-evaluation/zero_shot",
        tiny_root,
        draws=40,
        processes=1,
        cities=30,
        validation_list="5-split-train",
    )
    assert "Seen: Czechia, France" in text
    assert "Unseen: Japan" in text
    folder = tiny_root / "4-evaluation" / ".data" / "tiny" / "zero_shot"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["seen"] == ["CZ", "FR"]
    assert metrics["chance"]["unseen"] == pytest.approx(1 / 3)
    assert metrics["classes"]["city"] == 30
    for name, count in metrics["classes"].items():
        table = read_predictions(folder / f"predictions-{name}.parquet")
        assert len(table) == 18
        assert len(table["codes"].iloc[0]) == count
        assert table["pred_lat"].notna().all()
    told = metrics["countries"]["what places tell"]
    assert 0 <= told["harmonic"]["value"] <= max(told["seen"]["value"], told["unseen"]["value"])
    assert set(metrics["levels"]) == {"beam 1", "beam 3", "beam of all", "flat"}
    assert metrics["distances"]["city"]["median_km"]["value"] > 0
