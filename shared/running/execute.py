"""Runs one notebook in a process of its own: `python -m shared.running.execute <job.json>`.

The runner starts this, reads what it prints, and reads the result file that it leaves. When the
runner is gone (killed, even), this process ends its kernel with all that the kernel started.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from shared.running.job import Job, kernel_groups

_WATCH_EVERY_S = 0.2
# nbformat and papermill import these where they are installed, for checks of addresses and for
# notebooks in a cloud, which are not needed here: two of the three seconds that they take.
_NOT_NEEDED = ("rfc3987_syntax", "gcsfs", "boto3")


def main(path: str) -> int:
    """Do the job in a file; the exit code is 0 when a result was written, even of a failure."""
    job = Job(**json.loads(Path(path).read_text(encoding="utf-8")))
    signal.signal(signal.SIGTERM, lambda *_: _end(143))
    threading.Thread(target=_watch_parent, args=(job.runner,), daemon=True).start()
    for name in _NOT_NEEDED:
        sys.modules[name] = None  # type: ignore[assignment] # importing it is an ImportError
    from shared.running import play

    error = play.run(job)
    _kill_kernels()
    temporary = Path(f"{job.result}.tmp")
    temporary.write_text(json.dumps({"error": error}), encoding="utf-8")
    temporary.replace(job.result)
    return 0


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_EVERY_S)
    _end(1)


def _end(code: int) -> None:
    _kill_kernels()
    os._exit(code)


def _kill_kernels() -> None:
    for group in kernel_groups:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue  # it has ended


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
