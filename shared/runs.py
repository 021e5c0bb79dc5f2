"""The log of a run: JSONL and CSV always, Weights & Biases when asked; and its versions.

Weights & Biases is used when `WANDB_API_KEY` is set, or when a mode is asked for by argument or by
`WANDB_MODE`. Otherwise nothing is imported, asked or sent. Nothing here prints a key.
"""

import csv
import json
import logging
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from shared.paths import root

logger = logging.getLogger(__name__)

MODES = ("", "offline", "online", "disabled")
SECRET = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
PACKAGES = ("torch", "torchvision", "lightning", "numpy", "opencv-python-headless")
PATIENCE_S = 30.0  # for Weights & Biases to answer, before a run goes on without it


class Tracker:
    """Logs a run beside what it makes.

    `<folder>/<stream>.jsonl` gets a line a record and `<folder>/<stream>.csv` the same as a table.

    Args:
        folder: where the files lie.
        config: the run's parameters, written to `run.json`; values with names of secrets are
            blanked.
        project: the project at Weights & Biases.
        wandb_mode: `"offline"`, `"online"`, `"disabled"`, or `""`: what `WANDB_MODE` says, else
            online when there is a key, else none.
        keep_until: when a run goes on, the last step whose records are kept; None starts anew.
        name: the run's name at Weights & Biases.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        project: str = "lost-and-found",
        wandb_mode: str = "",
        keep_until: int | None = None,
        name: str | None = None,
    ) -> None:
        self.folder = folder
        self.config = without_secrets(config)
        folder.mkdir(parents=True, exist_ok=True)
        self._trim(-1 if keep_until is None else keep_until)
        write_atomically(folder / "run.json", json.dumps(self.config, indent=2) + "\n")
        self.run: Any = None
        mode = resolve_mode(wandb_mode)
        if mode != "disabled":
            self.run = self._start_wandb(project, mode, name, is_anew=keep_until is None)

    def log(
        self, values: Mapping[str, float | int | str], step: int, stream: str = "metrics"
    ) -> None:
        """Add a record: to `<stream>.jsonl`, `<stream>.csv`, and Weights & Biases."""
        record = {"step": step, **values}
        path = self.folder / f"{stream}.jsonl"
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self._add_to_csv(record, stream)
        if self.run is not None:
            self.run.log({f"{stream}/{k}": v for k, v in values.items()}, step=step)

    def log_table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Send a table, such as the class map, to Weights & Biases."""
        if self.run is not None:
            import wandb

            table = wandb.Table(columns=list(columns), data=[list(row) for row in rows])
            self.run.log({name: table})

    def log_artifact(self, folder: Path, name: str, kind: str, facts: Mapping[str, Any]) -> None:
        """Send a folder, such as a checkpoint, to Weights & Biases as an artifact."""
        if self.run is not None:
            import wandb

            artifact = wandb.Artifact(name, type=kind, metadata=without_secrets(facts))
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                artifact.add_file(str(path), name=path.relative_to(folder).as_posix())
            self.run.log_artifact(artifact)

    def finish(self, summary: Mapping[str, Any] | None = None) -> None:
        """End the run; later records would begin a new one."""
        if self.run is not None:
            self.run.summary.update(dict(summary or {}))
            self.run.finish()
            self.run = None

    def records(self, stream: str = "metrics") -> list[dict[str, Any]]:
        """What was logged so far."""
        return read_records(self.folder / f"{stream}.jsonl")

    def _add_to_csv(self, record: Mapping[str, Any], stream: str) -> None:
        path = self.folder / f"{stream}.csv"
        columns = _columns([record])
        if path.exists() and _header(path) == columns:
            with path.open("a", encoding="utf-8", newline="") as file:
                csv.DictWriter(file, columns).writerow(record)
        else:
            self._write_csv(stream)

    def _write_csv(self, stream: str) -> None:
        records = self.records(stream)
        path = self.folder / f"{stream}.csv"
        temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, _columns(records))
            writer.writeheader()
            writer.writerows(records)
        temporary.replace(path)

    def _trim(self, last_step: int) -> None:
        """Drop the records after a step: a run that goes on writes them again."""
        for path in sorted(self.folder.glob("*.jsonl")):
            kept = [record for record in read_records(path) if record["step"] <= last_step]
            lines = "".join(json.dumps(record) + "\n" for record in kept)
            write_atomically(path, lines)
            self._write_csv(path.stem)

    def _start_wandb(self, project: str, mode: str, name: str | None, is_anew: bool) -> Any:  # noqa: ANN401
        import wandb

        os.environ.setdefault("WANDB_DISABLE_WEAVE", "true")  # else it advertises another product
        memory = self.folder / "wandb-run.txt"
        run_id = None if is_anew or not memory.exists() else memory.read_text("utf-8").strip()
        try:
            run = wandb.init(
                project=project,
                name=name,
                id=run_id,
                resume="allow" if run_id else None,
                mode="offline" if mode == "offline" else "online",
                dir=self.folder,
                config=dict(self.config),
                settings=wandb.Settings(
                    silent=True, quiet=True, console="off", init_timeout=PATIENCE_S
                ),
            )
        except (wandb.errors.Error, OSError) as error:
            logger.warning("Weights & Biases did not start (%s): only local logs", error)
            return None
        write_atomically(memory, f"{run.id}\n")
        return run


def resolve_mode(wandb_mode: str = "") -> str:
    """Whether and how Weights & Biases is used: `"offline"`, `"online"` or `"disabled"`.

    Raises:
        ValueError: for another mode, or an online run without a key.
    """
    mode = wandb_mode or os.environ.get("WANDB_MODE", "")
    has_key = bool(os.environ.get("WANDB_API_KEY"))
    if mode not in MODES:
        msg = f"Expected a wandb mode out of {MODES}, but got {mode!r}"
        raise ValueError(msg)
    if mode == "online" and not has_key:
        msg = "Expected a key for wandb_mode='online': set WANDB_API_KEY, or use 'offline'"
        raise ValueError(msg)
    return mode or ("online" if has_key else "disabled")


def without_secrets(config: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a config in which values under names like "api_key" are blanked."""
    return {
        str(key): "***"
        if SECRET.search(str(key)) and isinstance(value, str) and value
        else without_secrets(value)
        if isinstance(value, Mapping)
        else value
        for key, value in config.items()
    }


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a JSONL file; a last line that a kill cut short is passed over."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    # A whole record ends with a newline, so what follows the last one is a cut line or nothing.
    return [json.loads(line) for line in lines[:-1] if line]


def write_atomically(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """The versions of packages that decide what a run computes."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> dict[str, object]:
    """The commit of the project's clone, and whether tracked files differ from it."""
    sha = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no") if sha else ""
    return {"commit": sha or "unknown", "is_dirty": bool(changes)}


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root(), capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _columns(records: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), [])
