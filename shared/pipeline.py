"""The runner: `python -m shared.pipeline --dataset demo` runs a data set's notebooks in order.

The order is read from the tree. What is up to date (code, parameters, inputs and outputs as they
were) is skipped; what a killed run left unfinished is run again. Executed copies go to `runs/`.
"""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from shared.data_loader import DataListError, DatasetSettings, dataset_settings
from shared.paths import lists_folder, root, shown
from shared.running.console import Console
from shared.running.errors import RunError
from shared.running.lock import only_runner
from shared.running.parameters import resolve
from shared.running.scheduler import Scheduler, default_jobs
from shared.running.source import read_source
from shared.running.tree import before, find_notebooks, names_one_of, select, select_run

FAILED, USAGE, INTERRUPTED, TERMINATED = 1, 2, 130, 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0: all is done, 1: a notebook failed, 2: the request makes no sense."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return _check() if options.check else _run(options)
    except (RunError, DataListError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return USAGE
    except KeyboardInterrupt:
        print("\nstopped; the next run goes on from here", file=sys.stderr)  # noqa: T201
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    console = Console()
    scheduler = _plan(options, console)
    if not scheduler.parameters:
        console.say(f"nothing runs before {options.before}")
        return 0
    if options.list:
        for name, reason in scheduler.reasons():
            console.say(f"{name}: {f'runs: {reason}' if reason else 'up to date'}")
        return 0
    with only_runner(options.dataset):
        outcomes = scheduler.run()
        console.summary(outcomes)
        failed = [one.notebook for one in outcomes if one.state == "failed"]
        if failed:
            console.say(f"\nfailed: {', '.join(failed)} (what went wrong is shown above)")
            return FAILED
        if options.publish:
            from shared.running import publish  # nbformat takes seconds to import

            for name in scheduler.parameters:
                console.say(publish.publish(options.dataset, name, scheduler.parameters[name]))
    return 0


def _plan(options: argparse.Namespace, console: Console) -> Scheduler:
    settings = dataset_settings(options.dataset)
    where = shown(lists_folder(options.dataset) / "dataset.toml")
    notebooks, candidates = _candidates(settings, options, where)
    chosen = select(candidates, options.first, options.last, options.only)
    if options.before:
        chosen = before(chosen, options.before)
    if not chosen and not options.before:
        msg = f"No notebook is left to run; those of '{options.dataset}': {', '.join(notebooks)}."
        raise RunError(msg)
    if options.publish and (options.parameters or not settings.synthetic):
        msg = "--publish: only runs of a synthetic data set without -p are published."
        raise RunError(msg)
    declared = {name: read_source(root() / f"{name}.ipynb").parameters for name in notebooks}
    parameters = resolve(settings, declared, chosen, options.parameters)
    return Scheduler(options.dataset, parameters, options.jobs, options.force, console)


def _candidates(
    settings: DatasetSettings, options: argparse.Namespace, where: str
) -> tuple[list[str], list[str]]:
    """All notebooks of a data set, and those that are chosen among.

    The latter are `[notebooks] run`, or all with `--all` or where a name is not among these.
    """
    tree = find_notebooks(root())
    run = select_run(tree, settings.run, where)
    also = select_run(tree, settings.also, where, "also")
    notebooks = [name for name in tree if name in {*run, *also}]
    named = [options.first, options.last, options.before, *options.only]
    is_run = names_one_of(run, [name for name in named if name])
    return notebooks, run if is_run and not options.all else notebooks


def _check() -> int:
    from shared.running import check  # nbformat takes seconds to import

    faults = [fault for path in check.notebooks(root()) for fault in check.faults(path)]
    for fault in faults:
        print(fault)  # noqa: T201
    return FAILED if faults else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m shared.pipeline", description=__doc__)
    add = parser.add_argument
    add("--dataset", default="demo", help="a folder of data-lists/ (default: demo)")
    add("--all", action="store_true", help="also the notebooks that make sense but take longer")
    add("--from", dest="first", metavar="NAME", help="begin with this notebook or folder")
    add("--to", dest="last", metavar="NAME", help="end with this notebook or folder")
    add("--before", metavar="NAME", help="run only what this notebook or folder stands on")
    add("--only", action="append", default=[], metavar="NAME", help="run only this (repeatable)")
    add("--jobs", type=_positive, default=default_jobs(), help="notebooks of a folder side by side")
    add(
        "-p",
        dest="parameters",
        action="append",
        default=[],
        metavar="[NOTEBOOK:]NAME=VALUE",
        help="a parameter, of all notebooks that have it or of one",
    )
    add("--force", action="store_true", help="run also what is up to date")
    add("--list", action="store_true", help="show the order and what would run, and why")
    add("--publish", action="store_true", help="then copy the outputs into the source notebooks")
    add("--check", action="store_true", help="check the source notebooks (for `make lint`)")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        msg = "expected at least 1"
        raise argparse.ArgumentTypeError(msg)
    return number


def _terminate(number: int, frame: FrameType | None) -> None:
    raise SystemExit(TERMINATED)


if __name__ == "__main__":
    raise SystemExit(main())
