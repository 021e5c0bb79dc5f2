"""Runs the notebooks folder by folder, those of one folder side by side in processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import shared
from shared.manifest import MANIFEST_VARIABLE
from shared.paths import ROOT_VARIABLE, root, runs_folder, shown
from shared.running import state
from shared.running.console import Console, Outcome
from shared.running.errors import RunError
from shared.running.job import Job
from shared.running.source import Source, read_source
from shared.running.tree import in_folders
from shared.source_code import modules_used

STOP_WAIT_S = 5.0
# transformers asks tqdm for bars that are widgets, which warns where there are none; we want none.
NO_WIDGETS = "ignore:IProgress not found"
NO_OUTPUTS = (
    "The notebook ended without reporting an output. A notebook ends by "
    "shared.manifest.report_outputs([...]); a cell that calls sys.exit ends it too early."
)


@dataclass
class Scheduler:
    """A run of notebooks of a data set.

    Attributes:
        dataset: its name.
        parameters: all values, by notebook; the notebooks run in this order.
        jobs: how many notebooks of a folder run side by side.
        force: whether those run too that are up to date.
    """

    dataset: str
    parameters: dict[str, dict[str, Any]]
    jobs: int = 1
    force: bool = False
    console: Console = field(default_factory=Console)
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> list[Outcome]:
        """Run what is not up to date; after a failure the folder is finished and no more begun."""
        outcomes = {name: Outcome(name) for name in self.parameters}
        for folder in in_folders(self.parameters):
            with ThreadPoolExecutor(self.jobs) as pool:
                try:
                    for outcome in pool.map(self._run_one, folder):
                        outcomes[outcome.notebook] = outcome
                except BaseException:  # Ctrl-C, or a fault of the runner: nothing may go on
                    self._stop()
                    raise
            if any(outcomes[name].state == "failed" for name in folder):
                break
        return list(outcomes.values())

    def reasons(self) -> Iterator[tuple[str, str | None]]:
        """Each notebook, with why it has to run, or nothing where it is up to date."""
        for name, identity in self._identities():
            yield name, "--force" if self.force else state.why_run(self.dataset, name, identity)

    def _identities(self) -> Iterator[tuple[str, state.Identity]]:
        for name in self.parameters:
            yield name, identity_of(name, self.parameters[name])

    def _run_one(self, name: str) -> Outcome:
        if self._stopping.is_set():
            return Outcome(name)
        identity = identity_of(name, self.parameters[name])
        reason = "--force" if self.force else state.why_run(self.dataset, name, identity)
        record = state.load(self.dataset, name)
        if reason is None and record is not None:
            self.console.say(f"[{name}] up to date")
            return Outcome(
                name, "up to date", record.seconds, None, record.headline, record.reports
            )
        self.console.say(f"[{name}] runs: {reason}")
        return self._execute(name, identity)

    def _execute(self, name: str, identity: state.Identity) -> Outcome:
        start = time.monotonic()
        folder = state.state_path(self.dataset, name).parent
        stem = Path(name).name
        manifest = folder / f"{stem}.manifest.jsonl"
        state.mark_unfinished(self.dataset, name, "was interrupted")
        manifest.unlink(missing_ok=True)
        error = self._run_process(name, identity.parameters, manifest)
        record = state.record_of(identity, manifest, time.monotonic() - start)
        if self._stopping.is_set():
            return Outcome(name, "stopped", record.seconds)
        if error is None and not record.outputs:
            error = NO_OUTPUTS
        if error is not None:
            state.mark_unfinished(self.dataset, name, "failed")
            self.console.say(f"\n{name}.ipynb FAILED in {error}\n")
            return Outcome(name, "failed", record.seconds, error)
        state.save(self.dataset, name, record)
        return Outcome(name, "ran", record.seconds, None, record.headline, record.reports)

    def _run_process(self, name: str, parameters: dict[str, Any], manifest: Path) -> str | None:
        executed = state.executed_path(self.dataset, name)
        executed.parent.mkdir(parents=True, exist_ok=True)
        result = manifest.with_name(f"{executed.stem}.result.json")
        result.unlink(missing_ok=True)
        job = Job(
            str(root() / f"{name}.ipynb"), str(executed), parameters, str(result), os.getpid()
        )
        job_path = manifest.with_name(f"{executed.stem}.job.json")
        job.save(job_path)
        log = executed.with_suffix(".log")
        errors = executed.with_suffix(".errors.log")
        with errors.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "shared.running.execute", str(job_path)],
                cwd=Path(shared.__file__).parents[1],
                env=environment(manifest),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,  # Ctrl-C reaches the runner alone, which ends the rest
            )
        self._processes[name] = process
        if self._stopping.is_set():  # it was asked to stop while this one began
            process.terminate()
        self.console.follow(name, _pieces(process), log)
        code = process.wait()
        if result.exists():
            error = json.loads(result.read_text(encoding="utf-8"))["error"]
            return None if error is None else str(error)
        tail = errors.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
        return "\n".join([f"its own process, which ended with exit code {code}:", *tail])

    def _stop(self) -> None:
        """End all notebooks that run; each ends its kernel."""
        self._stopping.set()
        for process in self._processes.values():
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_WAIT_S
        for process in self._processes.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def identity_of(name: str, parameters: dict[str, Any]) -> state.Identity:
    """What a notebook's result depends on now, apart from its inputs.

    Raises:
        RunError: a file that it stands on is no Python.
    """
    source: Source = read_source(root() / f"{name}.ipynb")
    try:
        code = modules_used(source.trees, Path(shared.__file__).parent)
    except SyntaxError as error:
        where = shown(Path(error.filename or "?"))
        msg = f"{where}: expected Python, got {error.msg} in line {error.lineno}."
        raise RunError(msg) from error
    lock = Path(shared.__file__).parents[1] / state.LOCK_FILE
    if lock.exists():
        code[state.LOCK_FILE] = state.file_digest(lock)
    return state.Identity(parameters, source.cells, code)


def environment(manifest: Path) -> dict[str, str]:
    """The environment that a notebook runs in."""
    package = str(Path(shared.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return {
        "TQDM_MININTERVAL": "2",
        "PYTHONWARNINGS": NO_WIDGETS,
        **os.environ,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # pictures, whatever is set
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": path,  # the same `shared` as the runner's
        "PYTHONUNBUFFERED": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # ipykernel's debugger warns otherwise
        ROOT_VARIABLE: str(root()),
        MANIFEST_VARIABLE: str(manifest),
    }


def _pieces(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    stream = process.stdout
    while stream and (piece := os.read(stream.fileno(), 65536)):
        yield piece


def default_jobs() -> int:
    """Notebooks side by side: one for each two processors, four at most."""
    return min(4, max(1, (os.cpu_count() or 1) // 2))


def runs_shown(dataset: str) -> str:
    """The folder of the executed copies, as it is shown."""
    return runs_folder(dataset).relative_to(root()).as_posix()
