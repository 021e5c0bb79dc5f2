"""`run_colab.sh --host` over real ssh to loopback."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

TINY = "3-training/tiny.ipynb"
RESULT = "3-training/.data/demo/tiny"


@pytest.fixture
def there(machine: Any, server: str, tmp_path: Path) -> Path:
    """The folder on the other machine; the machine knows how to reach it."""
    folder = tmp_path / "there" / "lost and found"
    folder.parent.mkdir()
    machine.extra = {"LOST_AND_FOUND_SSH": server, "LOST_AND_FOUND_REMOTE_FOLDER": str(folder)}
    return folder


@pytest.mark.slow
def test_head_is_sent_run_there_and_its_results_are_brought_back(
    machine: Any, repository: Path, there: Path
) -> None:
    (repository / ".env").write_text("WANDB_API_KEY=secret\n")
    (repository / "shared/geo.py").write_text("an uncommitted change")
    script = repository / "run_colab.sh"
    output = machine.run(script, TINY, "--host", "127.0.0.1", "-p", "epochs=4")
    assert "note: uncommitted changes are not sent, only HEAD" in output
    brought = repository / RESULT
    assert json.loads((brought / "rank-.json").read_text()) == {"epochs": 4, "seed": "7"}
    assert [path.name for path in brought.iterdir()] == ["rank-.json"]  # cached images stay there
    assert (there / RESULT / "cache.npy").exists()
    assert (there / "shared/geo.py").read_text() != "an uncommitted change"
    assert not (there / ".env").exists()
    assert "secret" not in output

    # The next sending takes away what HEAD has no more, and a failure keeps its exit code.
    subprocess.run(["git", "-C", str(repository), "rm", "-q", "pyproject.toml"], check=True)
    identity = ["git", "-c", "user.name=S", "-c", "user.email=s@example.org", "-C", str(repository)]
    subprocess.run([*identity, "commit", "-q", "-m", "Less"], check=True)
    more = ["--send-env", "-p", "code=9"]
    output = machine.run(script, TINY, "--host", "127.0.0.1", *more, code=9)
    assert "error: the run on 127.0.0.1 failed with exit code 9" in output
    assert not (there / "pyproject.toml").exists()
    assert (there / ".env").read_text() == "WANDB_API_KEY=secret\n"
    assert (there / ".env").stat().st_mode & 0o077 == 0
    assert "secret" not in output


@pytest.mark.slow
def test_alone_it_clones_there(machine: Any, repository: Path, there: Path) -> None:
    script = machine.home / "run_colab.sh"
    script.write_bytes((repository / "run_colab.sh").read_bytes())
    machine.run(script, TINY, "--host", "127.0.0.1", "--repo", str(repository))
    assert (there / ".git").is_dir()
    assert (machine.home / RESULT / "rank-.json").exists()


def test_a_dry_run_reaches_for_no_machine(machine: Any, repository: Path) -> None:
    machine.extra = {"LOST_AND_FOUND_SSH": "false"}
    output = machine.run(repository / "run_colab.sh", TINY, "--host", "me@there", "--dry-run")
    assert (
        "+ false me@there: cd lost-and-found && bash run_colab.sh 3-training/tiny.ipynb" in output
    )


def test_no_connection_is_named(machine: Any, repository: Path) -> None:
    machine.extra = {"LOST_AND_FOUND_SSH": "ssh -F none -o BatchMode=yes -p 1"}
    output = machine.run(repository / "run_colab.sh", TINY, "--host", "127.0.0.1", code=255)
    assert "error: no ssh connection to '127.0.0.1'" in output
