import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.partitions import countries_partition
from shared.training.backbones import build_backbone
from shared.training.checkpoint import Checkpoint
from shared.training.images import Bytes

CODES = ["CZ", "FR", "JP"]


@pytest.fixture
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    config = {
        "task": "country",
        "backbone": "mobilenet_v3_small",
        "classes": CODES,
        "preprocessing": {"width": 48, "height": 32, "fit": "crop"},
        "normalisation": {"mean": [0.5, 0.4, 0.3], "std": [0.5, 0.6, 0.7]},
    }
    model = build_backbone("mobilenet_v3_small", 3)
    return Checkpoint(model, config, countries_partition(CODES))


@pytest.fixture
def images() -> Bytes:
    return np.random.default_rng(0).integers(0, 256, (7, 32, 48, 3)).astype(np.uint8)


def test_what_is_read_predicts_as_what_was_saved(
    checkpoint: Checkpoint, images: Bytes, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "best")
    found = Checkpoint.load(tmp_path / "best")
    assert np.array_equal(found.predict(images), checkpoint.predict(images))
    assert found.partition is not None
    assert found.classes == CODES == found.partition.codes


def test_predictions_are_the_networks_probabilities(checkpoint: Checkpoint, images: Bytes) -> None:
    pixels = images.astype(np.float32) / np.float32(255)
    mean, std = (np.array(v, dtype=np.float32) for v in ([0.5, 0.4, 0.3], [0.5, 0.6, 0.7]))
    pixels = (pixels - mean) / std
    with torch.no_grad():
        logits = checkpoint.model.eval()(torch.from_numpy(pixels).permute(0, 3, 1, 2)).double()
    powers = np.exp(logits.numpy())
    found = checkpoint.predict(images, batch_size=3)
    assert found.dtype == np.float32
    assert found == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-5)


def test_the_folder_holds_the_three_files_and_nothing_else(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "best")
    checkpoint.save(tmp_path / "best")
    assert [path.name for path in tmp_path.iterdir()] == ["best"]
    names = sorted(path.name for path in (tmp_path / "best").iterdir())
    assert names == ["config.json", "model.safetensors", "partition.parquet"]


def test_it_predicts_in_a_process_without_the_data(
    checkpoint: Checkpoint, images: Bytes, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "best")
    np.save(tmp_path / "images.npy", images)
    code = (
        "import numpy as np; from pathlib import Path; "
        "from shared.training.checkpoint import Checkpoint; "
        "c = Checkpoint.load(Path('best')); "
        "np.save('found.npy', c.predict(np.load('images.npy', mmap_mode='r')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, timeout=120)
    assert np.allclose(np.load(tmp_path / "found.npy"), checkpoint.predict(images), atol=1e-6)


def test_images_of_another_size_are_refused(checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match=r"\(N, 32, 48, 3\).*uint8 \(2, 48, 32, 3\)"):
        checkpoint.predict(np.zeros((2, 48, 32, 3), np.uint8))


def test_an_empty_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run 3-training first"):
        Checkpoint.load(tmp_path)


def test_parts_of_two_checkpoints_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a")
    countries_partition(["CZ", "FR", "KE"]).save(tmp_path / "a" / "partition.parquet")
    with pytest.raises(ValueError, match="Expected the classes of"):
        Checkpoint.load(tmp_path / "a")


def test_an_unknown_format_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a")
    config = json.loads((tmp_path / "a" / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "a" / "config.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(ValueError, match=r"format 1 in .*, got 99"):
        Checkpoint.load(tmp_path / "a")


def test_a_kill_while_saving_leaves_the_old_checkpoint(
    checkpoint: Checkpoint, images: Bytes, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "best")
    expected = checkpoint.predict(images)
    process_id = os.fork()
    if process_id == 0:  # the child dies after the weights are written, before the rest is
        with torch.no_grad():
            next(checkpoint.model.parameters()).zero_()
        object.__setattr__(checkpoint.partition, "save", lambda _: os.kill(os.getpid(), 9))
        checkpoint.save(tmp_path / "best")
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(process_id, 0)[1]) == signal.SIGKILL
    assert np.array_equal(Checkpoint.load(tmp_path / "best").predict(images), expected)
