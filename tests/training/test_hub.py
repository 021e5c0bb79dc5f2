"""Weights by name: what is asked of the hub, pinned to a commit, and what is said when it fails."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import DistilBertConfig, DistilBertModel

from shared.paths import ROOT_VARIABLE
from shared.training.clip import load_clip
from shared.training.clip_tiny import caption_tokenizer, tiny_clip
from shared.training.text import build_text_encoder, train_tokenizer
from tests.training.hub_stand_in import Hub, running_hub

CAPTIONS = ["A Street View photo in Czechia.", "A Street View photo in France."]
SMALL = {
    "hidden": 16,
    "layers": 1,
    "heads": 2,
    "text_hidden": 16,
    "text_layers": 1,
    "text_heads": 2,
    "projection": 8,
}
# As OpenAI's preprocessor_config.json has it, with other figures, to tell whether it is read.
PIXELS = b"""{"image_processor_type": "CLIPImageProcessor", "image_mean": [0.1, 0.2, 0.3],
"image_std": [0.4, 0.5, 0.6]}"""


@dataclass(frozen=True)
class Shelf:
    """A hub with two commits of a CLIP, `first` and the newest, and one of a text encoder."""

    hub: Hub
    first: str
    newest: str
    encoder: str


def write_clip(folder: Path, seed: int) -> None:
    tokenizer = caption_tokenizer(CAPTIONS, 32)
    tiny_clip(tokenizer, SMALL, 32, seed).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_bytes(PIXELS)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "project"))
    for seed in (0, 1):
        write_clip(tmp_path / f"clip-{seed}", seed)
    tokenizer = train_tokenizer(CAPTIONS, 16)
    config = DistilBertConfig(vocab_size=len(tokenizer), dim=8, n_layers=1, n_heads=2, hidden_dim=8)
    torch.manual_seed(0)
    DistilBertModel(config).save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    with running_hub(tmp_path / "cache", monkeypatch) as hub:
        first = hub.add("made/clip", tmp_path / "clip-0")
        newest = hub.add("made/clip", tmp_path / "clip-1")
        yield Shelf(hub, first, newest, hub.add("made/encoder", tmp_path / "encoder"))


def test_a_pinned_name_gives_the_weights_of_its_commit(shelf: Shelf, tmp_path: Path) -> None:
    vectors = {}
    for name, revision in (("first", shelf.first), ("newest", "")):
        found = load_clip("made/clip", revision)
        vectors[name] = found.text_embeddings(CAPTIONS)
        assert found.normalisation.mean == (0.1, 0.2, 0.3)
        assert (found.preprocessing.width, found.preprocessing.height) == (32, 32)
    for name, seed in (("first", 0), ("newest", 1)):
        by_folder = load_clip(str(tmp_path / f"clip-{seed}")).text_embeddings(CAPTIONS)
        assert torch.equal(vectors[name], by_folder)
    assert not torch.equal(vectors["first"], vectors["newest"])
    pinned = [path for path in shelf.hub.asked if f"/resolve/{shelf.first}/" in path]
    assert any(path.endswith("model.safetensors") for path in pinned)


def test_what_was_downloaded_once_needs_no_hub_again(shelf: Shelf) -> None:
    before = load_clip("made/clip", shelf.first).text_embeddings(CAPTIONS)
    shelf.hub.shutdown()
    shelf.hub.server_close()
    again = load_clip("made/clip", shelf.first).text_embeddings(CAPTIONS)
    assert torch.equal(before, again)


def test_a_text_encoder_by_name_is_that_of_its_commit(shelf: Shelf, tmp_path: Path) -> None:
    found = build_text_encoder("made/encoder", [], 16, 0, shelf.encoder)
    local = build_text_encoder(str(tmp_path / "encoder"), [], 16, 0)
    assert not found.is_stand_in
    weights = dict(local.network.named_parameters())
    for name, value in found.network.named_parameters():
        assert torch.equal(weights[name], value)
    assert found.tokens(CAPTIONS)[0].tolist() == local.tokens(CAPTIONS)[0].tolist()


def test_a_commit_that_is_not_there_is_named(shelf: Shelf) -> None:
    with pytest.raises(FileNotFoundError, match="0" * 40):
        load_clip("made/clip", "0" * 40)
    with pytest.raises(FileNotFoundError, match="0" * 40):
        build_text_encoder("made/encoder", [], 16, 0, "0" * 40)


def test_a_name_that_is_not_there_is_named(shelf: Shelf) -> None:
    with pytest.raises(FileNotFoundError, match="by the name 'made/nothing'"):
        load_clip("made/nothing")
    with pytest.raises(FileNotFoundError, match=r"(?s)'made/nothing'.*'none' for the stand-in"):
        build_text_encoder("made/nothing", [], 16, 0)


def test_weights_that_are_none_are_no_traceback_of_a_library(shelf: Shelf, tmp_path: Path) -> None:
    shelf.hub.add("made/broken", tmp_path / "clip-0", model__safetensors=b"<html>Not found</html>")
    with pytest.raises(ValueError, match=r"cannot be read.*'made/broken'"):
        load_clip("made/broken")
    shelf.hub.add("made/odd", tmp_path / "encoder", model__safetensors=b"<html>Not found</html>")
    with pytest.raises(ValueError, match=r"cannot be read.*'made/odd'"):
        build_text_encoder("made/odd", [], 16, 0)


def test_weights_of_another_model_are_refused(shelf: Shelf, tmp_path: Path) -> None:
    other = (tmp_path / "encoder" / "model.safetensors").read_bytes()
    shelf.hub.add("made/swapped", tmp_path / "clip-0", model__safetensors=other)
    with pytest.raises(ValueError, match="is it the file of another model"):
        load_clip("made/swapped")


def test_a_text_encoder_is_no_clip(shelf: Shelf) -> None:
    with pytest.raises(ValueError, match="Expected a contrastive model like CLIP"):
        load_clip("made/encoder", shelf.encoder)


def test_a_hub_that_dies_half_way_leaves_nothing_that_passes_for_weights(
    shelf: Shelf, tmp_path: Path
) -> None:
    shelf.hub.dies_at = 4000
    with pytest.raises(FileNotFoundError, match="by the name 'made/clip'"):
        load_clip("made/clip", shelf.first)
    shelf.hub.dies_at, shelf.hub.is_dead = None, False
    found = load_clip("made/clip", shelf.first).text_embeddings(CAPTIONS)
    assert torch.equal(found, load_clip(str(tmp_path / "clip-0")).text_embeddings(CAPTIONS))
