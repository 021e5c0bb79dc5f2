"""A collection that is killed at any moment goes on: nothing is lost, halved or doubled."""

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from shared.collection.stand_in.games import StandIn
from shared.collection.stand_in.serving import stand_in_served
from shared.collection.stand_in.world import PaintedWorld
from tests.collection.geoguessr_site.helpers import check_singleplayer, credentials, needs_browser

ROOT = Path(__file__).parents[2]


@pytest.mark.browser
@needs_browser
@pytest.mark.slow
def test_killed_five_times_no_round_is_lost_halved_or_doubled(tmp_path: Path) -> None:
    stand_in, folder = StandIn(PaintedWorld(200)), tmp_path / "pairs"
    draws = Random(5)
    with stand_in_served(stand_in) as site:
        for turn in range(5):
            process = start(site.base, folder, n_games=2)
            wait_for_photos(folder, n_photos(folder) + 1 + turn % 2, process)
            time.sleep(draws.uniform(0, 0.8))
            process.kill()
            process.wait(10)
            whole = {path.stem for path in folder.glob("*.jpg")}
            assert whole <= {path.stem for path in folder.glob("*.json")}
        begun = set(stand_in.games)
        last = start(site.base, folder, n_games=len(begun) + 1)
        assert last.wait(150) == 0
    names = check_singleplayer(folder, stand_in)
    taken = {name.split("_")[1] for name in names}
    assert len(names) == 5 * len(taken)  # every game that had a round has all of them
    assert len(taken & begun) >= 2


def start(address: str, folder: Path, n_games: int) -> subprocess.Popen[bytes]:
    """A collection in a process of its own."""
    program = [sys.executable, "-m", "tests.collection.geoguessr_site.collect"]
    command = [*program, address, str(folder), str(n_games)]
    environment = {**os.environ, **credentials(), "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, address, str(folder), str(n_games)], env=environment, cwd=ROOT
    )


def n_photos(folder: Path) -> int:
    """Photos so far, those that wait for their answer too."""
    return len(list(folder.glob("*.jpg"))) + len(list(folder.glob(".waiting/*.jpg")))


def wait_for_photos(folder: Path, number: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until a collection has so many photos, or has ended."""
    deadline = time.monotonic() + 60
    while n_photos(folder) < number and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
