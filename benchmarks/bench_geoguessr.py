"""How much of its time the GeoGuessr scraper waits for the page, against a stand-in for the site.

The stand-in is a process of its own. The scraper's own time is the processor time of its process
and of Playwright's driver, with the default settings but without the pause between rounds. The
stand-in's pages load in a tenth of a second, far sooner than the site's: a slower page only adds
waiting.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.table import Row, scale
from shared.collection.geoguessr import Settings, Site, collect_rounds
from tests.collection.geoguessr_site.helpers import credentials

N_GAMES = 2
ASKED = 0.9
ROOT = Path(__file__).parents[1]
POLL_S = 0.1


def rows() -> Iterator[Row]:
    """The share of the wall time that is not the scraper's own processor time."""
    n_games = max(1, round(N_GAMES * scale()))
    settings = Settings(max_games=n_games, pause_s=0)
    os.environ.update(credentials())
    with (
        _stand_in() as site,
        tempfile.TemporaryDirectory(prefix="bench-geoguessr-") as folder,
        _driver_time() as driver,
    ):
        report = collect_rounds(
            Path(folder), settings, accept_terms=True, site=site, cookies=Path(folder) / "c"
        )
    own_s = report.own_s + driver[0]
    share = 1 - own_s / report.wall_s
    yield Row(
        f"GeoGuessr scraper, {len(report.ids)} rounds, share of the time waiting for the page",
        f"{own_s:.2f} s its own",
        f"{report.wall_s:.1f} s in all",
        share,
        f">= {ASKED:g}",
        share >= ASKED and len(report.ids) == 5 * n_games,
    )


@contextmanager
def _stand_in() -> Iterator[Site]:
    """The stand-in in a process of its own."""
    command = [sys.executable, "-m", "shared.collection.stand_in"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Site.at(process.stdout.readline().strip())
        finally:
            process.stdin.close()


@contextmanager
def _driver_time() -> Iterator[list[float]]:
    """Processor time, s, of Playwright's driver, which this process starts meanwhile."""
    taken, is_over = [0.0], threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            taken[0] = max(taken[0], sum(map(_processor_s, _drivers())))
            time.sleep(POLL_S)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield taken
    finally:
        is_over.set()
        thread.join()


def _drivers() -> list[Path]:
    """Playwright's drivers among the children of this process."""
    tasks = Path("/proc/self/task").glob("*/children")
    children = [Path("/proc") / pid for task in tasks for pid in _text(task).split()]
    return [child for child in children if "run-driver" in _text(child / "cmdline")]


def _processor_s(process: Path) -> float:
    """User and system time of a process (proc(5): fields 14 and 15 of `stat`), seconds."""
    fields = _text(process / "stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # the process has ended
        return ""
