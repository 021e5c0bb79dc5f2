"""A made-up pipeline of small notebooks in a root of its own, and a way to run it."""

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import shared
from shared.pipeline import main

PACKAGE = Path(shared.__file__).parent


def write_notebook(path: Path, *cells: str, parameters: str = 'dataset: str = "demo"') -> None:
    """A notebook of code cells, with a heading before each and a tagged parameters cell first."""
    made = [_cell("markdown", "title", f"# {path.stem}"), _cell("code", "parameters", parameters)]
    made[1]["metadata"]["tags"] = ["parameters"]
    for number, source in enumerate(cells, start=1):
        made.append(_cell("markdown", f"heading{number}", f"## Step {number}"))
        made.append(_cell("code", f"step{number}", source))
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**notebook, "cells": made}), encoding="utf-8")


def _cell(kind: str, name: str, source: str) -> dict[str, Any]:
    code: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "id": name, "metadata": {}, "source": source, **code}


@dataclass
class Pipeline:
    """A root with notebooks and a data set `demo`, and its runner in a process."""

    root: Path
    extra: dict[str, str] = field(default_factory=dict)

    def notebook(self, name: str, *cells: str, **more: str) -> Path:
        path = self.root / f"{name}.ipynb"
        write_notebook(path, *cells, **more)
        return path

    def settings(self, text: str) -> None:
        path = self.root / "data-lists" / "demo" / "dataset.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "shared.pipeline", *arguments]

    def environment(self) -> dict[str, str]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("LOST_AND_FOUND_")}
        return {**plain, "LOST_AND_FOUND_ROOT": str(self.root), **self.extra}

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command(*arguments),
            cwd=PACKAGE.parent,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run it to its end, expect an exit code, give what it printed."""
        with self.start(*arguments) as process:
            output, _ = process.communicate(timeout=120)
        assert process.returncode == code, output
        return output

    def ask(self, *arguments: str, code: int = 0) -> str:
        """Like `run`, in this process: quick, for what starts no notebook."""
        out, err = io.StringIO(), io.StringIO()
        before = signal.getsignal(signal.SIGTERM)
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setenv("LOST_AND_FOUND_ROOT", str(self.root))
            found = main(list(arguments))
        signal.signal(signal.SIGTERM, before)
        assert found == code, out.getvalue() + err.getvalue()
        return out.getvalue() + err.getvalue()

    def read(self, path: str) -> Any:
        return json.loads((self.root / path).read_text(encoding="utf-8"))


STEP = """
import json
from pathlib import Path
from shared.manifest import note_inputs, report_outputs
from shared.paths import root
"""


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """Nothing but a `dataset.toml` that selects every notebook."""
    made = Pipeline(tmp_path / "root")
    made.settings('title = "mini"\nsynthetic = true\n[notebooks]\nrun = ["*"]\n')
    return made


@pytest.fixture
def three_steps(pipeline: Pipeline) -> Pipeline:
    """`1-make/numbers` -> `2-double/a`, `2-double/b` -> `3-sum/sum`, through small files."""
    pipeline.notebook(
        "1-make/numbers",
        STEP,
        'made = root() / "1-make/.data/numbers.json"\nmade.parent.mkdir(exist_ok=True)',
        "made.write_text(json.dumps(list(range(count))))",
        "report_outputs([made])",
        parameters='dataset: str = "demo"\ncount: int = 4  # how many',
    )
    for name in ("a", "b"):
        pipeline.notebook(
            f"2-double/{name}",
            STEP,
            'source = root() / "1-make/.data/numbers.json"\nnote_inputs([source])',
            f'made = root() / "2-double/.data/{name}.json"\nmade.parent.mkdir(exist_ok=True)',
            "made.write_text(json.dumps([2 * x for x in json.loads(source.read_text())]))",
            "report_outputs([made])",
        )
    pipeline.notebook(
        "3-sum/sum",
        STEP,
        'sources = [root() / f"2-double/.data/{n}.json" for n in "ab"]\nnote_inputs(sources)',
        "total = sum(sum(json.loads(source.read_text())) for source in sources)",
        'made = root() / "3-sum/.data/sum.json"\nmade.parent.mkdir(exist_ok=True)',
        'page = made.with_name("report.html")\npage.write_text(f"<p>{total}</p>")',
        "made.write_text(json.dumps(total))",
        'report_outputs([made], headline={"sum": total}, report=page)',
    )
    return pipeline
