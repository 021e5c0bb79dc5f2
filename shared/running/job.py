"""What the runner asks of the process that runs one notebook (`shared.running.execute`)."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

kernel_groups: list[int] = []  # process groups of the kernels that this process has started


@dataclass(frozen=True)
class Job:
    """One notebook to run; paths are absolute.

    Attributes:
        source: the notebook.
        executed: where its executed copy goes.
        parameters: values by name.
        result: where the result goes: JSON with `error` (a text, or null).
        runner: the process that waits for it.
    """

    source: str
    executed: str
    parameters: dict[str, Any]
    result: str
    runner: int

    def save(self, path: Path) -> None:
        """Write the job to a file for the process that does it."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")
