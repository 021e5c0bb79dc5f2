"""The whole, on a tiny demo world: two runs, one of them killed on its way, end the same."""

import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("1-data-collection", "2-data-processing", "3-training", "4-evaluation")
TINY = (
    *("may_write_lists=true", "n_places=80", "n_multiplayer=80", "width=320", "height=180"),
    *("epochs=2", "draws=50", "threads=1", "processes=1", "minimum_share=0.0"),
)


def make_root(folder: Path) -> Path:
    """A clone's notebooks and settings, without lists and without data."""
    for stage in STAGES:
        for notebook in (ROOT / stage).rglob("*.ipynb"):
            if not any(part.startswith(".") for part in notebook.relative_to(ROOT).parts):
                target = folder / notebook.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(notebook, target)
    settings = folder / "data-lists" / "demo" / "dataset.toml"
    settings.parent.mkdir(parents=True)
    shutil.copy(ROOT / "data-lists" / "demo" / "dataset.toml", settings)
    return folder


def start(root: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "shared.pipeline", "--dataset", "demo", "--jobs", "1"]
    for parameter in TINY:
        command += ["-p", parameter]
    environment = {**os.environ, "LOST_AND_FOUND_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    environment.pop("WANDB_API_KEY", None)
    with log.open("ab") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, start_new_session=True
        )


def run(root: Path, log: Path) -> str:
    code = start(root, log).wait(500)
    text = log.read_text(encoding="utf-8", errors="replace")
    assert code == 0, text[-4000:]
    return text


def results(root: Path) -> dict[str, bytes]:
    """The lists, the metrics and the predictions: what has to be the same, to the byte."""
    lists = sorted((root / "data-lists" / "demo").iterdir())
    evaluation = root / "4-evaluation" / ".data" / "demo" / "country"
    files = [*lists, evaluation / "metrics.json", evaluation / "predictions.parquet"]
    return {path.name: path.read_bytes() for path in files}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_two_clones_give_the_same_even_when_one_is_killed_on_its_way(tmp_path: Path) -> None:
    one, two = make_root(tmp_path / "one"), make_root(tmp_path / "two")
    text = run(one, tmp_path / "one.log")
    assert "report.html" in text
    draw = random.Random(7)
    for _ in range(2):
        process = start(two, tmp_path / "two.log")
        try:
            process.wait(draw.uniform(10, 40))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait(20)
    run(two, tmp_path / "two.log")
    first, second = results(one), results(two)
    assert {"1-collect.txt", "4-filter.txt", "5-split-test.txt", "metrics.json"} <= set(first)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
