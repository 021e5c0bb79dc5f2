"""Contrastive training of tiny CLIPs on coloured scenes, and what a checkpoint of it gives."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from transformers import CLIPModel

from shared.training import epochs as epochs_module
from shared.training.augment import Augmentation
from shared.training.backbones import Normalisation
from shared.training.batches import Split
from shared.training.captions import CaptionStyle
from shared.training.clip import ClipEncoder, load_clip, text_features, tokens_of
from shared.training.clip_fit import ClipTask, clip_fingerprint, fit_clip
from shared.training.clip_module import (
    CaptionSource,
    Choices,
    class_embeddings,
    groups_of,
    linear_share,
)
from shared.training.clip_settings import ClipSettings
from shared.training.clip_tiny import caption_tokenizer, tiny_clip
from shared.training.images import Preprocessing
from shared.training.writer import STATE
from tests.training.conftest import CODES, HEIGHT, WIDTH, make_split

NAMES = {"CZ": "Czechia", "FR": "France", "JP": "Japan"}
STYLE = CaptionStyle("A photo in {country}.", {"month": "It was taken in {month}."}, {"month": 0.5})
SIZES = {"hidden": 32, "layers": 1, "text_hidden": 16, "text_layers": 1, "projection": 16}
SETTINGS = ClipSettings(
    epochs=3, batch_size=14, lr=5e-3, threads=1, accelerator="cpu", augmentation=Augmentation()
)
Make = Callable[[], ClipTask]


def make_clip_task() -> ClipTask:
    """Told by their colour: 70 scenes of three countries, each of a place of two."""
    facts = pd.DataFrame(
        {
            "country": [NAMES[CODES[n % 3]] for n in range(70)],
            "month": [("May", "June")[n % 2] for n in range(70)],
        },
        index=[f"photo_{n:02d}" for n in range(70)],
    )
    source = CaptionSource(facts, [f"place_{n // 6}_{n % 3}" for n in range(70)], STYLE, 0)
    texts = [text for epoch in range(2) for text in source.of(range(70), epoch)]
    tokenizer = caption_tokenizer(texts, 16)
    model = tiny_clip(tokenizer, {**SIZES, "text_length": 16}, WIDTH, 0)
    encoder = ClipEncoder(model, tokenizer, Preprocessing(WIDTH, HEIGHT), Normalisation.of("half"))
    choices = Choices(CODES, [[f"A photo in {NAMES[code]}."] for code in CODES])
    return ClipTask(encoder, "random", source, choices, {"5-split-train": "0" * 32}, {})


def clip_splits() -> tuple[Split, Split]:
    train = make_split(70, 0)
    return Split(train.images, torch.arange(70)), make_split(26, 1)


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_a_tiny_clip_learns_to_tell_countries_by_their_captions(tmp_path: Path) -> None:
    train, validation = clip_splits()
    settings = replace(SETTINGS, epochs=8, gradient_checkpointing=True)
    result = fit_clip(make_clip_task(), train, validation, settings, tmp_path / "run")
    found = load_clip(str(result.best))
    images = found.image_embeddings(np.asarray(validation.images, dtype=np.uint8))
    classes = class_embeddings(found, [[f"A photo in {NAMES[code]}."] for code in CODES])
    guessed = (images @ classes.T).argmax(dim=1)
    share = float((guessed == validation.targets).float().mean())
    assert share >= 0.9
    assert result.history[result.best_epoch]["validation_top1"] == pytest.approx(share)
    assert found.facts["lists"] == {"5-split-train": "0" * 32}
    assert found.facts["style"]["location"] == STYLE.location
    again = fit_clip(make_clip_task(), train, validation, settings, tmp_path / "run")
    assert again.was_done


def test_a_checkpoint_is_a_folder_that_transformers_reads(tmp_path: Path) -> None:
    encoder = make_clip_task().encoder
    encoder.save(tmp_path / "model")
    assert not list((tmp_path / "model").glob("*.bin"))
    found, plain = load_clip(str(tmp_path / "model")), CLIPModel.from_pretrained(tmp_path / "model")
    texts = ["A photo in France.", "A photo in Atlantis. It was taken in May."]
    tokens = tokens_of(found.tokenizer, texts, 16)
    expected = torch.nn.functional.normalize(text_features(plain, *tokens), dim=1)
    torch.testing.assert_close(found.text_embeddings(texts), expected.detach())
    torch.testing.assert_close(encoder.text_embeddings(texts), found.text_embeddings(texts))
    assert found.preprocessing == Preprocessing(WIDTH, HEIGHT)
    assert found.scale == pytest.approx(float(np.exp(2.6592)), rel=1e-5)
    (tmp_path / "model" / "captions.json").write_text('{"format": 9}', encoding="utf-8")
    with pytest.raises(ValueError, match="checkpoint of format 1"):
        load_clip(str(tmp_path / "model"))


def test_published_weights_in_a_folder_are_read_with_clips_own_pixels(tmp_path: Path) -> None:
    task = make_clip_task()
    task.encoder.save(tmp_path / "model")
    (tmp_path / "model" / "captions.json").unlink()
    found = load_clip(str(tmp_path / "model"))
    assert found.preprocessing == Preprocessing(WIDTH, WIDTH)  # the model's own, square
    assert found.normalisation.mean[0] == pytest.approx(0.48145466)
    assert found.image_embeddings(np.zeros((2, WIDTH, WIDTH, 3), np.uint8)).shape == (2, 16)
    with pytest.raises(ValueError, match="Expected uint8"):
        found.image_embeddings(np.zeros((2, HEIGHT, WIDTH, 3), np.uint8))


def test_a_name_that_cannot_be_had_names_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="model='tiny'"):
        load_clip("nobody/no-such-clip")


def test_a_training_that_died_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = fit_clip(make_clip_task(), *clip_splits(), SETTINGS, tmp_path / "whole")
    save = epochs_module.Epochs._write

    def dying(self: epochs_module.Epochs, *arguments: object) -> None:
        save(self, *arguments)  # type: ignore[arg-type]
        if arguments[2] == 1:
            monkeypatch.undo()
            raise KeyError

    monkeypatch.setattr(epochs_module.Epochs, "_write", dying)
    with pytest.raises(KeyError):
        fit_clip(make_clip_task(), *clip_splits(), SETTINGS, tmp_path / "cut")
    assert (tmp_path / "cut" / STATE).exists()
    torch.manual_seed(99)
    again = fit_clip(make_clip_task(), *clip_splits(), SETTINGS, tmp_path / "cut")
    assert weights_of(again.last) == weights_of(whole.last)
    assert again.history == whole.history


def test_a_frozen_tower_keeps_its_weights(tmp_path: Path) -> None:
    task = make_clip_task()
    before = {k: v.clone() for k, v in task.encoder.model.state_dict().items()}
    settings = replace(SETTINGS, epochs=1, frozen="vision")
    fit_clip(task, *clip_splits(), settings, tmp_path / "run")
    after = task.encoder.model.state_dict()
    changed = {name.split(".")[0] for name in before if not before[name].equal(after[name])}
    assert changed == {"text_model", "text_projection", "visual_projection", "logit_scale"}


def test_a_fingerprint_changes_with_the_captions() -> None:
    task, splits = make_clip_task(), clip_splits()
    mark = clip_fingerprint(task, SETTINGS, splits)
    assert clip_fingerprint(make_clip_task(), SETTINGS, splits) == mark
    other = replace(task, source=replace(task.source, style=replace(STYLE, chances={})))
    assert clip_fingerprint(other, SETTINGS, splits) != mark
    assert clip_fingerprint(task, replace(SETTINGS, warm_up=0.2), splits) != mark


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text(
        "from pathlib import Path\n"
        "from dataclasses import replace\n"
        "from shared.training.augment import Augmentation\n"
        "from tests.training.test_clip import SETTINGS, clip_splits, fit_clip, make_clip_task\n"
        "settings = replace(SETTINGS, epochs=1, augmentation=Augmentation(False, False, False))\n"
        f"fit_clip(make_clip_task(), *clip_splits(), settings, Path({str(tmp_path / 'two')!r}))\n",
        encoding="utf-8",
    )
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node", "2", str(script)),
        ],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(here)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    settings = replace(SETTINGS, epochs=1, augmentation=Augmentation(False, False, False))
    one = fit_clip(make_clip_task(), *clip_splits(), settings, tmp_path / "one")
    mine = load_clip(str(one.last)).model.state_dict()
    theirs = load_clip(str(tmp_path / "two" / "last")).model.state_dict()
    for name, weight in mine.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-3, atol=2e-4)


def test_duplicates_are_equal_captions_and_views_of_a_place() -> None:
    keys = torch.tensor([[1, 10], [2, 10], [1, 11], [3, 12], [4, 12], [5, 13]])
    assert groups_of(keys, "caption").tolist() == [0, 1, 0, 2, 3, 4]
    joined = groups_of(keys, "place").tolist()
    assert joined[0] == joined[1] == joined[2]
    assert joined[3] == joined[4]
    assert len(set(joined)) == 3


def test_the_rate_rises_in_a_line_and_falls_in_one() -> None:
    shares = [linear_share(step, 10, 0.2) for step in range(11)]
    assert shares == pytest.approx(
        [1 / 3, 2 / 3, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]
    )


def test_a_text_is_read_at_its_end_token() -> None:
    encoder = make_clip_task().encoder
    assert encoder.tokenizer.eos_token_id != 2
    alone, padded = (
        encoder.text_embeddings(texts)[0]
        for texts in (
            ["A photo in France."],
            ["A photo in France.", "A photo in Japan. It was taken in May."],
        )
    )
    torch.testing.assert_close(alone, padded)
    tokenizer = caption_tokenizer(["a"], 8)
    tokenizer.eos_token = tokenizer.cls_token
    with pytest.raises(ValueError, match="number other than 2"):
        tiny_clip(tokenizer, {}, 64, 0)
    with pytest.raises(ValueError, match="sizes out of"):
        tiny_clip(encoder.tokenizer, {"depth": 3}, 64, 0)


def test_settings_say_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="repeats to be one of"):
        ClipSettings(repeats="drop")
    with pytest.raises(ValueError, match="two photos a batch"):
        ClipSettings(batch_size=1)
    with pytest.raises(ValueError, match="warm_up from 0"):
        ClipSettings(warm_up=1.0)
    with pytest.raises(ValueError, match="parameters \\['epochs'"):
        ClipSettings.of({})
