"""One runner at a time for a data set, and nothing left of a runner that was killed."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.manifest import MANIFEST_VARIABLE
from shared.paths import runs_folder
from shared.running.errors import RunError

_WAIT_S = 10.0


@contextmanager
def only_runner(dataset: str) -> Iterator[None]:
    """Hold the lock of a data set; what a killed runner left running is ended first.

    The lock belongs to the process, so that of a dead runner is free.

    Raises:
        RunError: another runner is at work on the data set.
    """
    path = runs_folder(dataset) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            msg = (
                f"Another run of '{dataset}' is under way (process {file.read().strip()}): "
                "wait for it, or stop it."
            )
            raise RunError(msg) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        end_remains(dataset)
        yield


def end_remains(dataset: str) -> None:
    """End processes that notebooks of an earlier, killed run of the data set left behind.

    They are known by the manifest that the runner named in their environment. Where there is no
    `/proc`, the kernels' own watch ends them within a second, which is waited for.
    """
    mark = f"{MANIFEST_VARIABLE}={runs_folder(dataset)}/".encode()
    if not Path("/proc/self/environ").exists():
        time.sleep(1.5)
        return
    deadline = time.monotonic() + _WAIT_S
    while (remains := list(_marked(mark))) and time.monotonic() < deadline:
        for pid in remains:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue  # it has ended
        time.sleep(0.05)


def _marked(mark: bytes) -> Iterator[int]:
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue  # ended, or of another user
        if any(entry.startswith(mark) for entry in environment.split(b"\0")):
            yield int(folder.name)
