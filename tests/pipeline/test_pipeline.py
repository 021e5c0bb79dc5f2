"""The runner as it is used: `python -m shared.pipeline` on a made-up pipeline."""

import fcntl
import json
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest


def states(output: str) -> dict[str, str]:
    """State by notebook, from the table at the end."""
    return dict(re.findall(r"(?m)^(\d\S+/\S+)  +(ran|up to date|failed|not run)\b", output))


def listed(output: str) -> list[str]:
    """The notebooks that `--list` shows."""
    return re.findall(r"(?m)^(\d\S+/\S+): ", output)


def test_what_is_up_to_date_is_skipped_and_every_reason_to_run_is_said(three_steps: Any) -> None:
    first = three_steps.run("--jobs", "2")
    assert first.count(" runs: never run") == 4
    second = three_steps.run()
    assert set(states(second).values()) == {"up to date"}
    for output in (first, second):
        assert "  sum: 24\n" in output  # 2 * (0 + 2 + 4 + 6)
        assert output.rstrip().endswith("Report: 3-sum/.data/report.html")

    # A new result upstream runs what reads it; an equal one does not.
    more = three_steps.run("-p", "count=5")
    assert "[1-make/numbers] runs: parameters changed: count 4 -> 5" in more
    assert "[2-double/a] runs: input changed: 1-make/.data/numbers.json" in more
    assert "  sum: 40\n" in more
    again = three_steps.run("--force", "--only", "1-make", "-p", "count=5")
    assert states(again) == {"1-make/numbers": "ran"}
    listed = three_steps.ask("--list", "-p", "count=5")
    assert listed.count("up to date") == 4

    (three_steps.root / "2-double/.data/b.json").unlink()
    repaired = three_steps.run("-p", "count=5")
    assert "[2-double/b] runs: output missing: 2-double/.data/b.json" in repaired
    assert states(repaired)["3-sum/sum"] == "up to date"


def test_executed_copies_go_to_runs_and_the_sources_stay(three_steps: Any) -> None:
    source = three_steps.root / "1-make/numbers.ipynb"
    before = source.read_bytes()
    three_steps.run("--to", "1-make", "-p", "count=2")
    assert source.read_bytes() == before
    executed = three_steps.read("runs/demo/1-make/numbers.ipynb")
    assert any("count = 2" in "".join(cell["source"]) for cell in executed["cells"])
    assert not list(three_steps.root.glob("1-make/.numbers*"))


def test_a_failure_names_notebook_cell_and_traceback_and_the_folder_is_finished(
    pipeline: Any,
) -> None:
    done = "from pathlib import Path\nfrom shared.manifest import report_outputs\n"
    done += (
        "Path('.data').mkdir(exist_ok=True)\nPath('.data/x').touch()\nreport_outputs(['.data/x'])"
    )
    pipeline.notebook("1-a/bad", "x = 1", "def f():\n    return x / 0\n\nf()", "print('never')")
    pipeline.notebook("1-a/good", done)
    pipeline.notebook("1-a/quits", "import sys\nsys.exit(0)", done)
    pipeline.notebook("1-a/dies", "import os", "print('soon', flush=True)\nos._exit(0)")
    pipeline.notebook("2-b/later", done)
    output = pipeline.run("--jobs", "2", code=1)
    assert states(output) == {
        "1-a/bad": "failed",
        "1-a/good": "ran",
        "1-a/quits": "failed",
        "1-a/dies": "failed",
        "2-b/later": "not run",
    }
    assert "1-a/bad.ipynb FAILED in code cell 3, under 'Step 2':\n    def f():" in output
    assert "ZeroDivisionError: division by zero" in output
    assert "\x1b[" not in output
    assert re.search(r"1-a/quits.ipynb FAILED in .*ended without reporting an output", output)
    assert "1-a/dies.ipynb FAILED in code cell 3, under 'Step 2'" in output
    assert "The kernel died in this cell" in output
    assert "failed: 1-a/bad, 1-a/dies, 1-a/quits" in output
    assert "never" not in output.replace("never run", "")
    # The next run goes on from there.
    pipeline.notebook("1-a/bad", done)
    pipeline.notebook("1-a/quits", done)
    pipeline.notebook("1-a/dies", done)
    output = pipeline.run("--jobs", "2")
    assert "[1-a/bad] runs: the last run failed" in output
    assert states(output)["1-a/good"] == "up to date"
    assert states(output)["2-b/later"] == "ran"


def test_prints_and_progress_bars_are_shown_while_a_notebook_runs(pipeline: Any) -> None:
    pipeline.notebook(
        "1-a/slow",
        "import sys, time\nfrom tqdm import tqdm",
        "print('begun', flush=True)\nfor _ in tqdm(range(3)):\n    time.sleep(0.1)\n",
        "time.sleep(600)",
    )
    with pipeline.start() as process:
        seen = []
        for line in process.stdout:
            seen.append(line.rstrip())
            if "Step 3" in line:
                break
        process.terminate()
        process.communicate(timeout=30)
    assert any(re.match(r"\[1-a/slow \d+:\d\d\] begun$", line) for line in seen)
    assert any("100%" in line and "3/3" in line for line in seen)
    assert process.returncode == 143


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-p", "cout=3"],
            "unknown parameter 'cout'. Did you mean 'count'? Known: count, dataset.",
        ),
        (
            ["--only", "4-none"],
            "--only: expected a notebook or a folder of notebooks, got '4-none'",
        ),
        (["--dataset", "nowhere"], "no data set 'nowhere'"),
        (["--publish", "-p", "count=2"], "--publish: only runs of a synthetic data set without -p"),
        (["--from", "3-sum", "--only", "1-make"], "No notebook is left to run"),
    ],
)
def test_what_makes_no_sense_is_an_error_without_a_traceback(
    three_steps: Any, arguments: list[str], message: str
) -> None:
    output = three_steps.ask(*arguments, code=2)
    assert output.startswith("error: ")
    assert message in output
    assert "Traceback" not in output


def test_a_second_runner_of_the_same_data_set_is_refused(three_steps: Any) -> None:
    path = three_steps.root / "runs/demo/lock"
    path.parent.mkdir(parents=True)
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711")
        held.flush()
        output = three_steps.ask(code=2)
    assert "Another run of 'demo' is under way (process 4711)" in output


def test_before_runs_what_a_stage_stands_on(three_steps: Any) -> None:
    assert list(states(three_steps.run("--before", "2-double"))) == ["1-make/numbers"]
    assert "nothing runs before 1-make" in three_steps.ask("--before", "1-make")


def test_notebooks_that_take_longer_run_with_all_or_by_name(three_steps: Any) -> None:
    three_steps.settings(
        'title = "mini"\nsynthetic = true\n[notebooks]\nrun = ["1-make/*", "2-double/a"]\n'
        'also = ["2-double/b", "3-sum/*"]\n'
    )
    assert listed(three_steps.ask("--list")) == ["1-make/numbers", "2-double/a"]
    assert listed(three_steps.ask("--list", "--only", "2-double/b")) == ["2-double/b"]
    before = ["1-make/numbers", "2-double/a", "2-double/b"]
    assert listed(three_steps.ask("--list", "--before", "3-sum/sum")) == before
    assert len(states(three_steps.run("--all"))) == 4
    three_steps.settings('title = "mini"\n[notebooks]\nrun = ["1-make/*"]\nalso = ["4-x"]\n')
    assert "[notebooks] also: expected a notebook" in three_steps.ask("--list", code=2)


def test_published_notebooks_carry_clean_outputs_and_stay_up_to_date(pipeline: Any) -> None:
    path = pipeline.notebook(
        "1-a/figures",
        "%matplotlib inline\nimport sys\nfrom pathlib import Path\nfrom tqdm import tqdm\n"
        "import matplotlib.pyplot as plt\nfrom shared.manifest import report_outputs",
        "for _ in tqdm(range(3)):\n    pass\nprint('here:', Path('.data').resolve())",
        "plt.plot([1, 2])\nplt.show()",
        "Path('.data').mkdir(exist_ok=True)\nPath('.data/x').touch()\nreport_outputs(['.data/x'])",
        "object()",
    )
    assert "[1-a/figures] published" in pipeline.run("--publish")
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5, 6]
    assert code[2].outputs == [
        {"output_type": "stream", "name": "stdout", "text": "here: 1-a/.data\n"}
    ]
    assert "image/png" in code[3].outputs[0].data
    assert code[5].outputs[0].data["text/plain"] == "<object>"
    text = path.read_text()
    assert str(pipeline.root) not in text
    assert "papermill" not in text
    assert "injected" not in text
    assert code[0].metadata.tags == ["parameters"]
    assert pipeline.ask("--check") == ""
    assert states(pipeline.run()) == {"1-a/figures": "up to date"}


def test_the_check_prints_what_is_wrong_and_fails(pipeline: Any) -> None:
    pipeline.notebook("1-a/magic", "%pip install torch")
    output = pipeline.ask("--check", code=1)
    assert output == "1-a/magic.ipynb: cell 4: expected plain Python, got `%pip install torch`\n"


def test_notebooks_find_the_environment_of_the_runner(pipeline: Any) -> None:
    pipeline.extra = {"MPLBACKEND": "Agg", "TQDM_MININTERVAL": "7"}
    pipeline.notebook(
        "1-a/env",
        "import json, os\nfrom pathlib import Path\nfrom shared.manifest import report_outputs",
        "Path('.data').mkdir(exist_ok=True)\n"
        "Path('.data/env.json').write_text(json.dumps(dict(os.environ)))\n"
        "report_outputs(['.data/env.json'])",
    )
    pipeline.run()
    found = json.loads(Path(pipeline.root / "1-a/.data/env.json").read_text())
    assert found["PYTHONHASHSEED"] == "0"
    assert found["MPLBACKEND"] == "module://matplotlib_inline.backend_inline"
    assert found["TQDM_MININTERVAL"] == "7"
    assert found["LOST_AND_FOUND_ROOT"] == str(pipeline.root)
