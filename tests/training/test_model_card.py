from collections.abc import Callable
from pathlib import Path

import pytest

from shared.paths import data_folder
from shared.processing.resize import ResizeSettings, resize_pairs
from shared.training.fit import fit
from shared.training.model_card import CARD, card, dataset_of, origin_facts
from shared.training.settings import FitSettings
from shared.training.writer import Task, training_code
from tests.training.conftest import make_split

HEADINGS = [
    "## What it is",
    "## What it learned from",
    "## What it can answer",
    "## How good it is",
    "## Is its confidence honest?",
    "## Limits",
    "## Intended use",
    "## Out of scope",
    "## How it was made",
]


@pytest.mark.slow
def test_every_checkpoint_of_a_training_has_a_card_with_its_own_figures(
    make_task: Callable[[], Task], tiny_settings: FitSettings, tiny_root: Path
) -> None:
    folder = data_folder("3-training", "tiny") / "country"
    result = fit(make_task(), make_split(24, 0), make_split(12, 1), tiny_settings, folder)
    for checkpoint in (result.best, result.last):
        text = (checkpoint / CARD).read_text(encoding="utf-8")
        assert [line for line in text.splitlines() if line.startswith("## ")] == HEADINGS
        assert "Data set: tiny (Tiny)." in text
        assert "**Synthetic**" in text
        assert f"`5-split-train`, digest `{'0' * 32}`" in text
        assert "3 countries: Czechia (CZ), France (FR), Japan (JP)." in text
        assert "a temperature of " in text
    best = result.history[result.best_epoch]
    share = f"| right at the first guess | {100 * best['validation_top1']:.1f} % |"
    assert share in (result.best / CARD).read_text(encoding="utf-8")


def test_the_card_plays_no_part_in_the_fingerprint() -> None:
    code = training_code(["shared.training.fit"])
    assert "shared/training/writer.py" in code  # which imports the card
    assert "shared/training/model_card.py" not in code


def test_a_card_says_what_is_not_known() -> None:
    config = {
        "task": "coordinates",
        "backbone": "resnet18",
        "head": {"kind": "unit-vector"},
        "classes": [],
        "preprocessing": {"width": 64, "height": 36, "fit": "crop"},
        "lists": {},
        "measures": {"validation_median_km": 1234.5},
    }
    text = card(config, [])
    assert "head: unit-vector" in text
    assert "| median distance to the true place | 1,234 km |" in text  # half to even
    assert "Not recorded." in text
    assert "Coordinates anywhere on Earth" in text


def test_the_data_set_and_its_small_photos_are_known_by_the_folder(tiny_root: Path) -> None:
    folder = data_folder("3-training", "tiny") / "country" / "best"
    assert dataset_of(folder) == "tiny"
    assert dataset_of(tiny_root / "elsewhere") == ""
    assert origin_facts(folder) == {"dataset": "tiny", "resize": None}
    small = data_folder("2-data-processing/1-resize", "tiny")
    resize_pairs([], small, ResizeSettings(235, 224, quality=95), n_processes=1)
    made = origin_facts(folder)["resize"]
    assert (made["width"], made["height"], made["quality"]) == (235, 224, 95)
