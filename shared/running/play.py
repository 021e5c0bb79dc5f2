"""Runs one notebook by papermill, and says in words what went wrong."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
import papermill  # type: ignore[import-untyped, unused-ignore]
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import (  # type: ignore[import-untyped, unused-ignore]
    PapermillExecutionError,
)

from shared.running.job import Job, kernel_groups

START_TIMEOUT_S = 120
STARTS = 3  # a kernel whose port was taken in the meantime does not start
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_HEAD_LINES = 6


class KernelManager(AsyncKernelManager):
    """Remembers the processes of the kernels, to be able to end them."""

    async def _async_post_start_kernel(self, **kw: Any) -> None:  # noqa: ANN401 - as it is there
        await super()._async_post_start_kernel(**kw)
        pid = getattr(self.provisioner, "pid", None)
        if pid:
            kernel_groups.append(pid)  # a kernel leads a session and process group of its own


class Progress:
    """Where the notebook is; prints the heading above each cell when that cell begins."""

    def __init__(self, notebook: nbformat.NotebookNode) -> None:
        self.started = False
        self.headings = _headings(notebook)
        self.code_cell = 0
        self.code_source = ""

    def cell_start(self, cell: nbformat.NotebookNode, cell_index: int) -> None:
        """Called by nbclient before each cell, markdown too."""
        self.started = True
        if cell.cell_type != "code":
            if match := re.match(r"#+ (.+)", cell.source):
                print(f"# {match[1]}", flush=True)  # noqa: T201 - the runner reads it
        elif "injected-parameters" not in cell.metadata.get("tags", []):
            self.code_cell += 1
            self.code_source = cell.source

    def place(self) -> str:
        """The present cell, as a person finds it: its number among the code cells, and its head."""
        heading = self.headings.get(self.code_cell)
        under = f", under '{heading}'" if heading else ""
        lines = self.code_source.splitlines()
        more = ["    ..."] if len(lines) > _HEAD_LINES else []
        head = [f"    {line}" for line in lines[:_HEAD_LINES]]
        return "\n".join([f"code cell {self.code_cell}{under}:", *head, *more])


def run(job: Job) -> str | None:
    """Run a notebook by papermill; the executed copy is written whole, also after a failure.

    Returns:
        What went wrong, with the cell and the traceback, or nothing.
    """
    notebook = nbformat.read(job.source, as_version=4)  # type: ignore[no-untyped-call]
    executed = Path(job.executed)
    executed.parent.mkdir(parents=True, exist_ok=True)
    temporary = executed.with_name(f".{executed.stem}.{os.getpid()}.ipynb")
    for attempt in range(1, STARTS + 1):
        progress = Progress(notebook)
        error = _papermill(job, temporary, progress)
        if progress.started or attempt == STARTS:
            break
        print(f"the kernel did not start, trying again: {error}", flush=True)  # noqa: T201
    if temporary.exists():
        temporary.replace(executed)
    return error


def _papermill(job: Job, output: Path, progress: Progress) -> str | None:
    try:
        papermill.execute_notebook(
            job.source,
            output,
            parameters=job.parameters,
            kernel_name="python3",
            language="python",
            cwd=Path(job.source).parent,
            request_save_on_cell_execute=False,
            progress_bar=False,
            start_timeout=START_TIMEOUT_S,
            kernel_manager_class=KernelManager,
            on_cell_start=progress.cell_start,
            stdout_file=sys.stdout,
            stderr_file=sys.stdout,
        )
    except PapermillExecutionError as failure:
        traceback = _COLOURS.sub("", "\n".join(failure.traceback))
        return f"{progress.place()}\n{traceback or f'{failure.ename}: {failure.evalue}'}"
    except DeadKernelError:
        return (
            f"{progress.place()}\nThe kernel died in this cell (out of memory, killed, or a crash "
            "in a library). The executed copy says 'completed' of every cell: do not trust it."
        )
    except Exception as failure:  # any other failure is one of this notebook too
        where = f"{progress.place()}\n" if progress.started else ""
        return f"{where}{type(failure).__name__}: {failure}"
    return None


def _headings(notebook: nbformat.NotebookNode) -> dict[int, str]:
    """The heading above each code cell, by the cell's number among the code cells."""
    headings = {}
    heading = ""
    number = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            number += 1
            headings[number] = heading
        elif found := re.findall(r"(?m)^#+ (.+)$", cell.source):
            heading = found[-1]
    return headings
