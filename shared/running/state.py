"""What the runner remembers of each notebook, and why one has to run again.

One JSON file a notebook, in `runs/<dataset>/state/`, written when the notebook is done.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared.manifest import Fingerprint, fingerprint, is_unchanged, read_manifest
from shared.paths import root, runs_folder

LOCK_FILE = "poetry.lock"  # other versions of the libraries may give other results


@dataclass(frozen=True)
class Identity:
    """What a notebook's result depends on, apart from its inputs.

    Attributes:
        parameters: all of them, by name.
        cells: digest of the code of each code cell but the parameters.
        code: digest of each file of the package that it uses, by path.
    """

    parameters: dict[str, Any]
    cells: list[str]
    code: dict[str, str]


@dataclass(frozen=True)
class Record:
    """A run of a notebook that ended well."""

    identity: Identity
    inputs: list[Fingerprint]
    outputs: list[Fingerprint]
    seconds: float
    headline: dict[str, str] = field(default_factory=dict)
    reports: list[str] = field(default_factory=list)


def state_path(dataset: str, notebook: str) -> Path:
    """Where the record of a notebook is."""
    return runs_folder(dataset) / "state" / f"{notebook}.json"


def executed_path(dataset: str, notebook: str) -> Path:
    """Where the executed copy of a notebook is."""
    return runs_folder(dataset) / f"{notebook}.ipynb"


def load(dataset: str, notebook: str) -> Record | None:
    """The record of a notebook's last run, or nothing where that did not end well."""
    path = state_path(dataset, notebook)
    if not path.exists():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    if "unfinished" in found:
        return None
    return Record(
        identity=Identity(**found["identity"]),
        inputs=[Fingerprint(**entry) for entry in found["inputs"]],
        outputs=[Fingerprint(**entry) for entry in found["outputs"]],
        seconds=found["seconds"],
        headline=found["headline"],
        reports=found["reports"],
    )


def save(dataset: str, notebook: str, record: Record) -> None:
    """Remember a run that ended well."""
    _write(state_path(dataset, notebook), asdict(record))


def mark_unfinished(dataset: str, notebook: str, why: str) -> None:
    """Remember that a notebook has begun or failed; `why` completes "the last run ..."."""
    _write(state_path(dataset, notebook), {"unfinished": why})


def record_of(identity: Identity, manifest: Path, seconds: float) -> Record:
    """The record of a run that has just ended, from what the notebook noted.

    What a notebook both read and wrote counts as written.
    """
    notes = read_manifest(manifest)
    outputs = {note.path: note for note in _fingerprints(notes, "output")}
    inputs: dict[str, Fingerprint] = {}
    for note in _fingerprints(notes, "input"):
        if note.path not in outputs:
            inputs.setdefault(note.path, note)  # as it was when it was first read
    return Record(
        identity=identity,
        inputs=list(inputs.values()),
        outputs=[fingerprint(root() / path) for path in outputs],
        seconds=seconds,
        headline={str(n["name"]): str(n["value"]) for n in notes if n["kind"] == "headline"},
        reports=[str(note["path"]) for note in notes if note["kind"] == "report"],
    )


def why_run(dataset: str, notebook: str, now: Identity) -> str | None:
    """Why a notebook has to run, in words, or nothing where it is up to date."""
    record = load(dataset, notebook)
    if record is None:
        path = state_path(dataset, notebook)
        if not path.exists():
            return "never run"
        return f"the last run {json.loads(path.read_text(encoding='utf-8'))['unfinished']}"
    return next(_reasons(record, now, executed_path(dataset, notebook)), None)


def _reasons(record: Record, now: Identity, executed: Path) -> Iterator[str]:
    before = record.identity
    changes = list(_differences(before.parameters, now.parameters))
    if changes:
        yield f"parameters changed: {', '.join(changes)}"
    if before.cells != now.cells:
        yield "code changed: the notebook's cells"
    files = [name for name, _ in _changed(before.code, now.code)]
    if files:
        yield f"code changed: {', '.join(files)}"
    for noted in record.inputs:
        if not is_unchanged(noted):
            yield f"input changed: {noted.path}"
    for made in record.outputs:
        if not (root() / made.path).exists():
            yield f"output missing: {made.path}"
        elif not is_unchanged(made):
            yield f"output changed: {made.path}"
    if not executed.exists():
        yield "output missing: the executed copy"


def file_digest(path: Path) -> str:
    """The digest of a file's contents."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, (old, new) in _changed(before, now):
        yield f"{name} {'(none)' if old is None else old} -> {'(none)' if new is None else new}"


def _changed(
    before: Mapping[str, Any], now: Mapping[str, Any]
) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in sorted({*before, *now}):
        if name not in before or name not in now or before[name] != now[name]:
            yield name, (before.get(name), now.get(name))


def _fingerprints(notes: list[dict[str, Any]], kind: str) -> list[Fingerprint]:
    found = [note for note in notes if note["kind"] == kind]
    return [Fingerprint(**{k: v for k, v in note.items() if k != "kind"}) for note in found]


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
    temporary.replace(path)
