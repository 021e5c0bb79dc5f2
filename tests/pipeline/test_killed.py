"""A runner that is killed or stopped leaves nothing running, and the next run ends the same."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

LINUX = pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc to see processes")
POOL = """
import multiprocessing, time
from shared.manifest import note_inputs, report_outputs
from shared.paths import root
folder = root() / "{stage}/.data"
folder.mkdir(exist_ok=True)
"""
WORK = """
def work(n):
    time.sleep(0.15)
    return n * n
with multiprocessing.get_context("fork").Pool(2) as pool:
    squares = pool.map(work, range({n}), chunksize=1)
"""


def processes_of(root: Path) -> list[int]:
    """Processes whose environment names the root: the runner, its children and their kernels."""
    mark = f"LOST_AND_FOUND_ROOT={root}".encode()
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # ended in the meantime
            continue
    return found


def wait_until_gone(root: Path, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while processes_of(root):
        assert time.monotonic() < deadline, f"still running: {processes_of(root)}"
        time.sleep(0.05)


@pytest.fixture
def with_workers(pipeline: Any) -> Any:
    """Two stages whose notebooks start worker processes, and a third that joins their files."""
    for name in ("1-a/one", "2-b/two"):
        stage, stem = name.split("/")
        pipeline.notebook(
            name,
            POOL.format(stage=stage),
            WORK.format(n=8 if stem == "one" else 10),
            f'(folder / "{stem}.txt").write_text(str(sum(squares)))\n'
            f'report_outputs([folder / "{stem}.txt"])',
        )
    pipeline.notebook(
        "3-c/join",
        POOL.format(stage="3-c"),
        'sources = [root() / "1-a/.data/one.txt", root() / "2-b/.data/two.txt"]\n'
        "note_inputs(sources)\ntotal = sum(int(s.read_text()) for s in sources)\n"
        '(folder / "sum.txt").write_text(str(total))\nreport_outputs([folder / "sum.txt"])',
    )
    return pipeline


@LINUX
@pytest.mark.slow
def test_killed_at_random_moments_it_leaves_nothing_and_ends_the_same(with_workers: Any) -> None:
    draw = random.Random(20260201)
    for _ in range(5):
        process = with_workers.start()
        try:
            process.wait(draw.uniform(1.0, 9.0))
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate()
        wait_until_gone(with_workers.root)
    with_workers.run()
    assert (with_workers.root / "3-c/.data/sum.txt").read_text() == "425"  # 140 + 285
    assert with_workers.ask("--list").count("up to date") == 3


@LINUX
def test_what_a_killed_run_left_behind_is_ended_by_the_next(with_workers: Any) -> None:
    """The process between runner and kernel is killed too, so that nobody ends the workers."""
    process = with_workers.start("--only", "1-a")
    for line in process.stdout:
        if "Step 2" in line:
            break
    time.sleep(0.4)  # the workers have begun
    own = processes_of(with_workers.root)
    between = [pid for pid in own if _command(pid).count("shared.running.execute")]
    assert len(between) == 1
    os.kill(process.pid, signal.SIGKILL)
    os.kill(between[0], signal.SIGKILL)
    process.communicate()
    with_workers.run("--only", "1-a")
    wait_until_gone(with_workers.root, 5.0)
    assert (with_workers.root / "1-a/.data/one.txt").read_text() == "140"


@LINUX
def test_control_c_stops_everything_with_exit_code_130(with_workers: Any) -> None:
    # a shell that runs tests in the background has them ignore Control-C, and children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = with_workers.start()
    for line in process.stdout:
        if "Step 2" in line:
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=30)
    assert process.returncode == 130, rest
    assert "the next run goes on from here" in rest
    assert "FAILED" not in rest
    wait_until_gone(with_workers.root, 5.0)
    assert "the last run was interrupted" in with_workers.ask("--list")


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
