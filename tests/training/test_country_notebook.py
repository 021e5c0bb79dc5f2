import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from shared.training.checkpoint import Checkpoint
from shared.training.images import Preprocessing
from tests.notebook_runs import run_notebook
from tests.training.conftest import TINY

NOTEBOOK = Path(__file__).parents[2] / "3-training" / "country.ipynb"


def as_python(notebook: Path) -> str:
    """A notebook as `jupyter nbconvert --to python` writes it."""
    arguments = ["-m", "nbconvert", "--to", "python", "--stdout", str(notebook)]
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, check=True
    ).stdout


@pytest.mark.slow
def test_notebook_trains_and_does_not_repeat_itself(tiny_root: Path) -> None:
    first = run_notebook("3-training/country", tiny_root, **TINY)
    assert "48 training photos of 3 countries" in first
    assert "15 of 16 validation photos are of these" in first
    assert "Kenya: 1 validation photos, but none to learn from" in first
    assert "Trained.\n" in first
    folder = tiny_root / "3-training" / ".data" / "tiny" / "country"
    checkpoint = Checkpoint.load(folder / "best")
    assert checkpoint.classes == ["CZ", "FR", "JP"]
    assert checkpoint.preprocessing == Preprocessing(64, 36)
    assert sorted(checkpoint.config["lists"]) == ["5-split-train", "5-split-validation"]
    assert checkpoint.partition is not None
    # The mean of the training photos' places: latitudes 50.1 + n / 100 for n = 0, 3, ... 45.
    assert checkpoint.partition.centres[0] == pytest.approx([50.1 + 0.225, 14.4], abs=1e-3)
    second = run_notebook("3-training/country", tiny_root, **TINY)
    assert "Trained before with these parameters." in second


@pytest.mark.slow
def test_notebook_as_plain_python_runs_under_torchrun_with_two_processes(tiny_root: Path) -> None:
    source = as_python(NOTEBOOK)
    for name, value in {"dataset": "tiny", **TINY}.items():
        lines = [line for line in source.splitlines() if line.startswith(f"{name}: ")]
        source = source.replace(lines[0], f"{name} = {value!r}")
    script = tiny_root / "country.py"
    script.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc_per_node", "2", str(script)),
        ],
        cwd=tiny_root,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("48 training photos of 3 countries") == 1
    folder = tiny_root / "3-training" / ".data" / "tiny" / "country"
    checkpoint = Checkpoint.load(folder / "best")
    images = np.zeros((3, 36, 64, 3), dtype=np.uint8)
    assert np.isfinite(checkpoint.predict(images)).all()
    assert len((folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2
