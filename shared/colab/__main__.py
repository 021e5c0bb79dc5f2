"""`python -m shared.colab NOTEBOOK ...`: what `run_colab.sh` does once the repository is there.

Installs what is missing, finds the Drive, prepares what the notebook reads, converts it to plain
Python, and runs it with live output; under torchrun when there are several GPUs.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.colab.drive import (
    Drive,
    find_drive,
    save_results,
    source_variable,
    unpack_processed,
)
from shared.colab.errors import ColabError
from shared.colab.install import describe, install, packages_folder
from shared.paths import ROOT_VARIABLE, data_folder, root, runs_folder, shown

USAGE = 2
TRAINING = "3-training"  # its notebooks know torchrun; others would write the same files twice


@dataclass
class Machine:
    """Says what is done, and does it unless it is a dry run."""

    is_dry_run: bool
    environment: dict[str, str] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Print a line."""
        print(f"== {text}", flush=True)  # noqa: T201

    def run(self, why: str, command: Sequence[str], cwd: Path) -> int:
        """Run a command with live output, and give its exit code (0 in a dry run)."""
        self.say(why)
        print(f"+ cd {shlex.quote(str(cwd))} && {shlex.join(command)}", flush=True)  # noqa: T201
        if self.is_dry_run:
            return 0
        environment = {**os.environ, **self.environment}
        code = subprocess.run(command, cwd=cwd, env=environment, check=False).returncode
        return 128 - code if code < 0 else code  # a signal, as a shell gives it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is that of the step that failed, or the notebook's."""
    options = _parser().parse_args(arguments)
    try:
        return _main(options)
    except ColabError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return USAGE
    except KeyboardInterrupt:
        return 130


def _main(options: argparse.Namespace) -> int:
    notebook = _notebook(options.notebook)
    stage = notebook.rpartition("/")[0]
    machine = Machine(options.dry_run)
    _install(machine)
    drive = _use_drive(machine, options.dataset, options.drive)
    script = runs_folder(options.dataset) / f"{notebook}.py"
    given = [part for value in options.parameters for part in ("-p", value)]
    convert = ["-m", "shared.colab.convert", notebook, str(script), "--dataset", options.dataset]
    before = ["-m", "shared.pipeline", "--dataset", options.dataset, "--before", notebook]
    steps = [("convert the notebook to plain Python", [sys.executable, *convert, *given], root())]
    if not (drive and drive.processed):
        prepare = [sys.executable, *before]
        steps.append(
            ("prepare what the notebook reads (what is up to date stays)", prepare, root())
        )
    run = [*_launcher(_processes(options.processes, notebook)), "shared.colab.script", str(script)]
    steps.append((f"run {notebook}", run, (root() / notebook).parent))
    for why, command, cwd in steps:
        code = machine.run(why, command, cwd)
        if code:
            print(f"error: failed with exit code {code}: {why}", file=sys.stderr)  # noqa: T201
            return code
    _save(machine, drive, options.dataset, stage)
    return 0


def _install(machine: Machine) -> None:
    folder = packages_folder(root())
    package = str(Path(__file__).parents[2])
    paths = [package, *([str(folder)] if folder else []), os.environ.get("PYTHONPATH", "")]
    machine.environment = {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONUNBUFFERED": "1",
        "MPLBACKEND": "Agg",
        ROOT_VARIABLE: str(root()),
    }
    if folder is None or folder.exists():
        machine.say("the libraries are installed")
        return
    machine.say(describe(root(), folder))
    if not machine.is_dry_run:
        install(root(), folder)


def _use_drive(machine: Machine, dataset: str, given: str | None) -> Drive | None:
    drive = find_drive(dataset, given)
    if drive is None:
        machine.say("no Drive with a folder lost-and-found is mounted")
        return None
    held = [str(path) for path in (drive.pairs, drive.processed) if path]
    machine.say(f"Drive: {', '.join(held) or f'nothing for {dataset!r} in {drive.folder}'}")
    variable = source_variable(dataset)
    if drive.pairs and variable not in os.environ:
        machine.environment[variable] = str(drive.pairs)
    if drive.processed and not machine.is_dry_run:
        machine.say(f"unpacked {unpack_processed(drive.processed, root()):,} files")
    return drive


def _save(machine: Machine, drive: Drive | None, dataset: str, stage: str) -> None:
    folder = data_folder(stage, dataset)
    machine.say(f"the results are in {shown(folder)}")
    if drive and folder.is_dir() and not machine.is_dry_run:
        machine.say(f"and in {save_results(folder, drive, dataset, stage)}")


def _notebook(given: str) -> str:
    """A notebook's name: its path below the root without `.ipynb`."""
    path = Path(given) if Path(given).is_absolute() else root() / given
    name = path.with_suffix("") if path.suffix == ".ipynb" else path
    if not name.with_name(f"{name.name}.ipynb").is_file() or not name.is_relative_to(root()):
        known = ", ".join(sorted(shown(found) for found in root().glob("[0-9]*/*.ipynb")))
        msg = f"Expected a notebook of the repository, got '{given}'. There are: {known or 'none'}."
        raise ColabError(msg)
    return name.relative_to(root()).as_posix()


def _processes(given: int | None, notebook: str) -> int:
    """How many processes share the work: one a GPU, for notebooks that train."""
    if given is not None:
        return given
    if not notebook.startswith(f"{TRAINING}/"):
        return 1
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return len([gpu for gpu in visible.split(",") if gpu.strip() and gpu.strip() != "-1"]) or 1
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return 1
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True, check=False)
    return max(1, len(re.findall(r"(?m)^GPU \d+", listed.stdout)))


def _launcher(processes: int) -> list[str]:
    if processes == 1:
        return [sys.executable, "-u", "-m"]
    torchrun = [sys.executable, "-m", "torch.distributed.run"]  # with this Python's own torch
    return [*torchrun, "--standalone", "--nproc_per_node", str(processes), "--module"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("run_colab.sh", description=__doc__)
    add = parser.add_argument
    add("notebook")
    add("-p", dest="parameters", action="append", default=[], metavar="NAME=VALUE")
    add("--dataset", default="demo")
    add("--drive")
    add("--processes", type=int)
    add("--dry-run", action="store_true")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
