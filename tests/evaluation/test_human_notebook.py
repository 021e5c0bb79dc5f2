import json
from pathlib import Path

import pytest

from shared.data_loader import list_digest, load_pairs, processed_store
from shared.evaluation.human_game import begin, choose_photos
from shared.evaluation.inputs import truth_of
from shared.evaluation.predictions import make_predictions
from shared.training.checkpoint import Checkpoint
from shared.training.images import cache_images
from tests.notebook_runs import run_quiet_notebook

NOTEBOOK = "4-evaluation/human_baseline"


@pytest.mark.slow
def test_the_question_is_open_without_players_and_answered_with_them(tiny_root: Path) -> None:
    pairs = load_pairs("tiny", "5-split-test", processed_store("tiny"))
    truth = truth_of(pairs)
    model = Checkpoint.load(tiny_root / "3-training" / ".data" / "tiny" / "country" / "best")
    images = cache_images(pairs, model.preprocessing, "d", tiny_root / "cache", 1)
    assert model.partition is not None
    table = make_predictions(truth, model.predict(images), model.partition)
    folder = tiny_root / "4-evaluation" / ".data" / "tiny"

    assert "Nobody has played yet, so the question is open" in run_quiet_notebook(
        NOTEBOOK, tiny_root, draws=50
    )
    assert json.loads((folder / "human" / "human.json").read_text())["players"] == 0

    photos = choose_photos(pairs, truth, 0)
    assert len(photos) == 9
    session = {"dataset": "tiny", "list_digest": list_digest("tiny", "5-split-test")}
    sessions = folder / "human" / "sessions"
    game = begin(photos, sessions, "Test player", "made for a test", model.preprocessing, session)
    while (photo := game.next()) is not None:
        game.answer(["France" if photo.code == "FR" else "Kenya"])
    text = run_quiet_notebook(NOTEBOOK, tiny_root, draws=50, enough_photos=5)
    found = json.loads((folder / "human" / "human.json").read_text())
    assert (found["players"], found["answers"], found["photos"]) == (1, 9, 9)
    # Three of the nine test places are in France.
    assert found["all_players"]["country"]["people"]["top_1"]["value"] == pytest.approx(1 / 3)
    right = table.set_index("id").loc[[photo.id for photo in photos]]
    share = (right["true_code"] == right["pred_code"]).mean()
    assert found["all_players"]["country"]["model"]["top_1"]["value"] == pytest.approx(share)
    assert found["answer"] in text
    assert "Test player" in found["each_player"]
    assert (folder / "human" / "comparison.png").is_file()
