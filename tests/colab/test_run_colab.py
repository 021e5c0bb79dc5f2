"""`run_colab.sh` on a stand-in for Colab, in a clone, and with what makes no sense."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "run_colab.sh"
TINY = "3-training/tiny.ipynb"
RESULT = "3-training/.data/demo/tiny"


def test_the_script_is_clean() -> None:
    tool = shutil.which("shellcheck")
    if tool is None:
        pytest.skip("needs shellcheck: apt-get install shellcheck")
    done = subprocess.run([tool, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert os.access(SCRIPT, os.X_OK)


@pytest.fixture
def alone(machine: Any) -> Path:
    """The script as the only file of the project."""
    return Path(shutil.copy(SCRIPT, machine.home / "run_colab.sh"))


def test_help_names_every_option(machine: Any) -> None:
    text = machine.run(SCRIPT, "--help")
    options = ["-p ", "--dataset", "--host", "--repo", "--branch", "--drive", "--dry-run", "--help"]
    assert [option for option in options if option not in text] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a notebook, such as 3-training/country.ipynb"),
        ([TINY, "--speed"], "unknown option '--speed'"),
        ([TINY, "-p"], "-p: expected a value after it"),
        ([TINY, "other.ipynb"], "expected one notebook, got '3-training/tiny.ipynb' and 'other"),
        ([TINY, "--dataset", "../x"], "--dataset: expected a name, got '../x'"),
        ([TINY], "this script lies alone: name the repository by --repo URL"),
        ([TINY, "--host", "-oProxyCommand=x"], "--host: expected user@machine"),
    ],
)
def test_what_makes_no_sense_is_an_error(
    machine: Any, alone: Path, arguments: list[str], message: str
) -> None:
    output = machine.run(alone, *arguments, code=2)
    assert f"error: {message}" in output


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["zip", "nested"])
def test_alone_on_colab_it_clones_installs_and_trains_from_the_drive(
    machine: Any, alone: Path, repository: Path, pairs: Path, zipped: Path, layout: str
) -> None:
    machine.drive.mkdir(parents=True)
    if layout == "zip":
        shutil.copy(zipped, machine.drive / "demo.zip")
    for file in pairs.iterdir() if layout == "nested" else []:
        target = machine.drive / "demo" / file.name[:2] / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
    wanted = [TINY, "-p", "epochs=3", "-p", "reads=true"]
    output = machine.run(alone, *wanted, "--repo", str(repository))
    clone = machine.home / "lost-and-found"
    assert "pairs: ['aa1', 'aa2', 'bb1']" in output
    assert "'trained'" in output or "trained" in output
    # The stage before was run, the parameters arrived, and the results are on the Drive too.
    expected = {"epochs": 3, "seed": "7"}
    assert json.loads((clone / RESULT / "rank-.json").read_text()) == expected
    saved = machine.drive / "results/demo/3-training/tiny"
    assert [path.name for path in saved.iterdir()] == ["rank-.json"]  # no cached images
    script = (clone / "runs/demo/3-training/tiny.py").read_text()
    assert "get_ipython" not in script
    assert "matplotlib inline" not in script


@pytest.mark.slow
def test_a_clone_is_updated_and_the_libraries_are_installed_once(
    machine: Any, alone: Path, repository: Path
) -> None:
    first = machine.run(alone, TINY, "--repo", str(repository))
    assert "== install " in first
    names = [line.split("==")[0] for line in machine.installed.read_text().splitlines()]
    assert {"numpy", "lightning", "papermill"} <= set(names)
    assert not [name for name in names if name.startswith(("torch-", "nvidia", "cuda", "triton"))]
    assert {"torch", "torchvision"}.isdisjoint(names)
    (repository / "README.md").write_text("new")
    identity = ["git", "-c", "user.name=S", "-c", "user.email=s@example.org", "-C", str(repository)]
    subprocess.run([*identity, "add", "-A"], check=True)
    subprocess.run([*identity, "commit", "--quiet", "-m", "Second"], check=True)
    second = machine.run(alone, TINY)
    assert (machine.home / "lost-and-found/README.md").read_text() == "new"
    assert "== the libraries are installed" in second
    assert "[1-make/seed] up to date" in second


@pytest.mark.slow
def test_several_gpus_share_a_training_under_torchrun(machine: Any, repository: Path) -> None:
    tool = machine.home / "bin/nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: T4 (UUID: x)'\necho 'GPU 1: T4 (UUID: y)'\n")
    tool.chmod(0o755)
    output = machine.run(repository / "run_colab.sh", TINY)
    assert "torch.distributed.run --standalone --nproc_per_node 2 --module" in output
    ranks = sorted(path.name for path in (repository / RESULT).glob("rank*"))
    assert ranks == ["rank0.json", "rank1.json"]


def test_a_dry_run_shows_everything_and_does_nothing(machine: Any, repository: Path) -> None:
    output = machine.run(repository / "run_colab.sh", TINY, "-p", "epochs=3", "--dry-run")
    for part in ("== install ", "-m shared.colab.convert 3-training/tiny", "-p epochs=3"):
        assert part in output
    assert "-m shared.pipeline --dataset demo --before 3-training/tiny" in output
    assert not machine.installed.exists()
    assert not (repository / "runs").exists()
    assert not (repository / ".cache/colab-packages").exists()


def test_the_exit_code_of_the_notebook_is_kept(machine: Any, repository: Path) -> None:
    script = repository / "run_colab.sh"
    output = machine.run(script, TINY, "-p", "code=7", code=7)
    assert "error: failed with exit code 7: run 3-training/tiny" in output


def test_failures_before_the_notebook_are_named(machine: Any, repository: Path) -> None:
    script = repository / "run_colab.sh"
    machine.extra = {"FAKE_INSTALL_CODE": "4"}
    output = machine.run(script, TINY, code=2)
    assert "error: Installing the libraries of poetry.lock failed (exit code 4)" in output
    machine.extra = {}
    output = machine.run(script, TINY, "-p", "epoch=3", code=1)
    assert "unknown parameter 'epoch'. Did you mean 'epochs'?" in output
    output = machine.run(script, "3-training/none.ipynb", code=2)
    assert "Expected a notebook of the repository, got '3-training/none.ipynb'" in output
    output = machine.run(script, TINY, "--drive", "/nowhere", code=2)
    assert "Expected a mounted Drive at '/nowhere'" in output
    machine.extra = {"PYTHON": "/nowhere/python"}
    assert "no Python at '/nowhere/python'" in machine.run(script, TINY, code=2)


def test_an_old_python_is_refused(machine: Any, repository: Path) -> None:
    old = machine.home / "bin/old"
    old.write_text("#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.1' && exit 0\nexit 1\n")
    old.chmod(0o755)
    machine.extra = {"PYTHON": str(old)}
    output = machine.run(repository / "run_colab.sh", TINY, code=2)
    assert "error: expected Python 3.11 to 3.13, got Python 3.9.1" in output


def test_a_repository_that_cannot_be_cloned_is_named(machine: Any, alone: Path) -> None:
    output = machine.run(alone, TINY, "--repo", "/nowhere/repository", code=1)
    assert "error: could not clone /nowhere/repository" in output
