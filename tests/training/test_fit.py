import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shared.training import epochs as epochs_module
from shared.training.augment import Augmentation
from shared.training.backbones import build_backbone
from shared.training.batches import Split
from shared.training.checkpoint import Checkpoint
from shared.training.fit import choose_device, choose_precision, fit
from shared.training.settings import FitSettings
from shared.training.writer import STATE, Task, fingerprint, training_code

Splits = tuple[Split, Split]
MakeTask = Callable[[], Task]


class PulledPlugError(Exception):
    """Stands for a process that dies."""


def weights_of(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def die_in_epoch(epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next training die after the last batch of an epoch, before its state is saved."""
    write = epochs_module.Epochs._write

    def dying(self: epochs_module.Epochs, *arguments: object) -> None:
        write(self, *arguments)  # type: ignore[arg-type]
        if arguments[2] == epoch:
            monkeypatch.undo()
            raise PulledPlugError

    monkeypatch.setattr(epochs_module.Epochs, "_write", dying)


def test_training_learns_to_tell_colours_apart(
    splits: Splits, make_task: MakeTask, tiny_settings: FitSettings, tmp_path: Path
) -> None:
    settings = replace(tiny_settings, backbone="resnet18", epochs=6, batch_size=10, precision="32")
    settings = replace(settings, augmentation=Augmentation(colour=False))
    result = fit(make_task(), *splits, settings, tmp_path / "country")
    found = Checkpoint.load(result.best)
    guessed = found.predict(splits[1].images).argmax(axis=1)
    assert (guessed == splits[1].targets.numpy()).mean() >= 0.9
    assert result.history[result.best_epoch]["validation_top1"] == pytest.approx(
        (guessed == splits[1].targets.numpy()).mean()
    )
    config = found.config
    assert (config["task"], config["backbone"], config["seed"]) == ("country", "resnet18", 0)
    assert config["lists"] == {"5-split-train": "0" * 32}
    assert config["parameters"]["lr"] == settings.lr
    assert config["versions"]["torch"] == torch.__version__.split("+")[0]
    assert {"commit", "is_dirty", "fingerprint", "classes", "preprocessing"} <= set(config)


@pytest.mark.parametrize("schedule", ["step", "cosine", "one-cycle"])
def test_a_training_that_died_ends_with_the_same_bits(
    schedule: str,
    splits: Splits,
    make_task: MakeTask,
    tiny_settings: FitSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(tiny_settings, epochs=4, schedule=schedule, schedule_every=2)
    whole = fit(make_task(), *splits, settings, tmp_path / "whole")
    die_in_epoch(2, monkeypatch)
    with pytest.raises(PulledPlugError):
        fit(make_task(), *splits, settings, tmp_path / "cut")
    torch.manual_seed(99)  # another process would not have this generator either
    again = fit(make_task(), *splits, settings, tmp_path / "cut")
    assert weights_of(again.last) == weights_of(whole.last)
    assert weights_of(again.best) == weights_of(whole.best)
    assert again.history == whole.history
    for name in ("metrics.jsonl", "metrics.csv"):
        assert (tmp_path / "cut" / name).read_text() == (tmp_path / "whole" / name).read_text()


def test_a_training_goes_on_from_its_state_and_not_from_the_start(
    splits: Splits,
    make_task: MakeTask,
    tiny_settings: FitSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    die_in_epoch(2, monkeypatch)
    with pytest.raises(PulledPlugError):
        fit(make_task(), *splits, tiny_settings, tmp_path)
    seconds = (tmp_path / "timing.jsonl").read_text().splitlines()[:2]
    fit(make_task(), *splits, tiny_settings, tmp_path)
    assert (tmp_path / "timing.jsonl").read_text().splitlines()[:2] == seconds
    assert not (tmp_path / STATE).exists()


def test_a_finished_training_is_not_repeated(
    splits: Splits, make_task: MakeTask, tiny_settings: FitSettings, tmp_path: Path
) -> None:
    first = fit(make_task(), *splits, tiny_settings, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    second = fit(make_task(), *splits, tiny_settings, tmp_path)
    assert (first.was_done, second.was_done) == (False, True)
    assert second.history == first.history
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_other_parameters_start_anew_and_mix_nothing(
    splits: Splits,
    make_task: MakeTask,
    tiny_settings: FitSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    die_in_epoch(1, monkeypatch)
    with pytest.raises(PulledPlugError):
        fit(make_task(), *splits, tiny_settings, tmp_path / "mixed")
    other = replace(tiny_settings, lr=1e-4)
    mixed = fit(make_task(), *splits, other, tmp_path / "mixed")
    pure = fit(make_task(), *splits, other, tmp_path / "pure")
    assert weights_of(mixed.last) == weights_of(pure.last)
    assert mixed.history == pure.history


def test_fingerprint_knows_settings_lists_classes_and_targets(
    splits: Splits, make_task: MakeTask, tiny_settings: FitSettings
) -> None:
    task = make_task()
    assert task.partition is not None
    turned = replace(splits[0], targets=splits[0].targets.flip(0))
    marks = {
        fingerprint(task, tiny_settings, splits),
        fingerprint(task, replace(tiny_settings, seed=1), splits),
        fingerprint(task, replace(tiny_settings, augmentation=Augmentation(crop=False)), splits),
        fingerprint(replace(task, lists={"5-split-train": "1" * 32}), tiny_settings, splits),
        fingerprint(
            replace(task, partition=task.partition.subset(["FR", "CZ"])), tiny_settings, splits
        ),
        fingerprint(task, tiny_settings, (turned, splits[1])),
        fingerprint(task, tiny_settings, splits, "shared.training.city_clip_fit"),
    }
    assert len(marks) == 7
    assert fingerprint(make_task(), tiny_settings, splits) in marks


def test_a_training_is_known_by_the_code_that_it_stands_on_and_no_other() -> None:
    code = training_code(["shared.training.fit", "shared.training.smoothing"])
    for used in ("fit", "batches", "smoothing", "sphere", "backbones"):
        assert f"shared/training/{used}.py" in code
    for other in ("grid_net", "captions", "city_clip_net", "model_card", "clip_fit"):
        assert f"shared/training/{other}.py" not in code


def test_early_stopping_stops_and_stays_stopped(
    splits: Splits, make_task: MakeTask, tiny_settings: FitSettings, tmp_path: Path
) -> None:
    settings = replace(tiny_settings, epochs=9, lr=1e-9, early_stopping_patience=2)
    result = fit(make_task(), *splits, settings, tmp_path)
    # With next to no learning the first epoch stays the best, or nearly so.
    assert len(result.history) == result.best_epoch + 3


def test_a_death_after_the_last_epoch_trains_no_epoch_more(
    splits: Splits,
    make_task: MakeTask,
    tiny_settings: FitSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = replace(tiny_settings, epochs=9, lr=1e-9, early_stopping_patience=2)
    whole = fit(make_task(), *splits, settings, tmp_path / "whole")

    def die(*_: object) -> None:
        raise PulledPlugError

    with monkeypatch.context() as patch:
        patch.setattr("shared.training.writer.Writer.finish", die)
        with pytest.raises(PulledPlugError):
            fit(make_task(), *splits, settings, tmp_path / "cut")
    cut = fit(make_task(), *splits, settings, tmp_path / "cut")
    assert cut.history == whole.history
    assert weights_of(cut.last) == weights_of(whole.last)


def test_time_limit_stops_after_an_epoch(
    splits: Splits, make_task: MakeTask, tiny_settings: FitSettings, tmp_path: Path
) -> None:
    result = fit(make_task(), *splits, replace(tiny_settings, max_minutes=1e-6), tmp_path)
    assert len(result.history) == 1
    assert result.last.is_dir()


def test_step_schedule_and_the_backbones_tenth(
    splits: Splits, make_task: MakeTask, tiny_settings: FitSettings, tmp_path: Path
) -> None:
    torch.save(build_backbone("mobilenet_v3_small", 9).state_dict(), tmp_path / "w.pth")
    settings = replace(
        tiny_settings,
        epochs=4,
        lr=1e-3,
        schedule="step",
        schedule_every=2,
        weights=str(tmp_path / "w.pth"),
    )
    result = fit(make_task(), *splits, settings, tmp_path / "country")
    # Logged after each epoch, for the next: a tenth after every second one.
    assert [r["lr_head"] for r in result.history] == pytest.approx([1e-3, 1e-4, 1e-4, 1e-5])
    assert [r["lr_backbone"] for r in result.history] == pytest.approx([1e-4, 1e-5, 1e-5, 1e-6])


def test_precision_is_what_was_measured_to_be_fastest() -> None:
    device = torch.device("cpu")
    has_bf16 = bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    assert choose_precision(FitSettings(backbone="mobilenet_v3_small"), device) == "32"
    expected = "bf16-mixed" if has_bf16 else "32"
    assert choose_precision(FitSettings(backbone="resnet18"), device) == expected
    assert choose_precision(FitSettings(backbone="resnet18", precision="32"), device) == "32"


def test_bfloat16_training_works_on_a_cpu(
    splits: Splits, make_task: MakeTask, tiny_settings: FitSettings, tmp_path: Path
) -> None:
    settings = replace(tiny_settings, epochs=1, precision="bf16-mixed")
    result = fit(make_task(), *splits, settings, tmp_path)
    assert 0 < result.history[0]["train_loss"] < 10


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_asking_for_a_missing_gpu_is_an_error() -> None:
    with pytest.raises(ValueError, match="torch sees none"):
        choose_device("gpu")


@pytest.mark.parametrize(
    ("name", "value"),
    [("schedule", "linear"), ("precision", "64"), ("epochs", 0), ("lr", 0.0), ("backbone", "vgg")],
)
def test_settings_are_checked(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"Expected .*{name}"):
        FitSettings(**{name: value})  # type: ignore[arg-type]


SCRIPT = """
import sys
from pathlib import Path
import torch
torch.manual_seed({noise})  # a process that starts elsewhere must end the same
sys.path.insert(0, {tests!r})
import conftest
from shared.partitions import countries_partition
from shared.training.fit import fit
from shared.training.images import Preprocessing
from shared.training.objectives import Classification
from shared.training.settings import FitSettings
from shared.training.writer import Task
task = Task("country", Classification(3, 0.1), countries_partition(conftest.CODES),
            Preprocessing(conftest.WIDTH, conftest.HEIGHT), {{"5-split-train": "0" * 32}}, {{}})
settings = FitSettings(epochs=12, batch_size=16, schedule="one-cycle", threads=1, accelerator="cpu")
splits = conftest.make_split(70, 0), conftest.make_split(26, 1)
fit(task, *splits, settings, Path({folder!r}))
"""


def start(folder: Path, noise: int) -> subprocess.Popen[bytes]:
    code = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(folder), noise=noise)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "WANDB_MODE": "disabled"},
    )


@pytest.mark.slow
def test_a_training_killed_at_random_moments_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert start(whole, 0).wait(timeout=500) == 0
    chance = random.Random(os.urandom(8))
    n_killed = 0
    for attempt in range(3):
        process = start(cut, attempt + 1)
        n_before = n_lines(cut / "metrics.jsonl")
        deadline = time.monotonic() + 300
        # From the first epoch on, so that there is something to go on from or to tear apart.
        while n_lines(cut / "metrics.jsonl") <= n_before and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.7))
        n_killed += process.poll() is None
        process.kill()
        process.wait(timeout=60)
    assert n_killed >= 1
    assert start(cut, 99).wait(timeout=500) == 0
    for name in ("best/model.safetensors", "last/model.safetensors", "metrics.jsonl"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name
    configs = [json.loads((f / "last" / "config.json").read_text()) for f in (whole, cut)]
    for config in configs:  # somebody may commit meanwhile
        del config["commit"], config["is_dirty"]
    assert configs[0] == configs[1]
    assert sorted(p.name for p in cut.iterdir()) == sorted(p.name for p in whole.iterdir())


def n_lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n") if path.exists() else 0
