"""What committed notebooks keep to."""

import base64
import json
from pathlib import Path
from typing import Any

import nbformat
import pytest

from shared.running import check, publish
from shared.running.errors import RunError


@pytest.fixture
def root(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("LOST_AND_FOUND_ROOT", str(pipeline.root))
    return pipeline


def changed(path: Path, change: Any) -> list[str]:
    """The faults of a notebook after a change to its JSON."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    change(notebook)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return [fault.removeprefix("1-a/a.ipynb: ") for fault in check.faults(path)]


def outputs(*given: dict[str, Any]) -> Any:
    """A change that runs the notebook's two code cells, the second with outputs."""

    def change(notebook: dict[str, Any]) -> None:
        notebook["cells"][1]["execution_count"] = 1
        notebook["cells"][3] |= {"execution_count": 2, "outputs": list(given)}

    return change


def picture(size: int) -> dict[str, Any]:
    text = base64.b64encode(bytes(size)).decode()
    return {"output_type": "display_data", "metadata": {}, "data": {"image/png": text}}


def printed(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def test_a_clean_notebook_has_no_faults(root: Any) -> None:
    path = root.notebook("1-a/a", "%matplotlib inline\nx = 1")
    assert changed(path, lambda notebook: None) == []
    assert changed(path, outputs(picture(125_000), printed("2-b/.data/x: 3 rows"))) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda n: n["metadata"].update(papermill={}), "metadata that says how it was run: paperm"),
        (
            lambda n: n["metadata"]["kernelspec"].update(name="py"),
            "expected the kernel python3, got",
        ),
        (
            lambda n: n["cells"][3]["metadata"].update(execution={}),
            "cell 4: metadata that says how",
        ),
        (
            lambda n: n["cells"][1]["metadata"].clear(),
            "expected exactly one code cell tagged `param",
        ),
        (
            lambda n: n["cells"][3]["metadata"].update(tags=["injected-parameters"]),
            "cell 4: parameters of a run",
        ),
        (lambda n: n["cells"][3].update(source="!ls"), "cell 4: expected plain Python, got `!ls`"),
        (lambda n: n["cells"][3].update(execution_count=7), "expected no outputs, or those of one"),
        (outputs(printed("50%|##", "stderr")), "cell 4: output on stderr"),
        (outputs(printed("/home/me/x.txt")), "cell 4: an output shows the machine's path /home/me"),
        (outputs(picture(125_001)), "cell 4: a picture of 125,001 bytes, at most 125,000 expected"),
        (
            outputs({"output_type": "error", "ename": "E", "evalue": "", "traceback": []}),
            "cell 4: the output is an error (E)",
        ),
        (
            outputs(
                {"output_type": "display_data", "metadata": {}, "data": {check.WIDGET: {"a": "b"}}}
            ),
            "cell 4: a widget as output",
        ),
    ],
)
def test_each_fault_is_named_with_its_cell(root: Any, change: Any, fault: str) -> None:
    path = root.notebook("1-a/a", "x = 1")
    found = changed(path, change)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_parameter_of_another_type_than_json_is_a_fault(root: Any) -> None:
    path = root.notebook("1-a/a", parameters="size: tuple[int, int] | None = None")
    assert "parameter size: expected a type of JSON values" in check.faults(path)[0]


def test_a_changed_notebook_is_not_published(root: Any) -> None:
    source = check.read_notebook(root.notebook("1-a/a", "x = 1"))
    executed = check.read_notebook(root.notebook("1-a/b", "x = 2"))
    with pytest.raises(RunError, match="its cells were changed since it was run"):
        publish.graft(source, executed, "1-a/a.ipynb")


def test_injected_parameters_stderr_and_machine_paths_are_not_published(root: Any) -> None:
    path = root.notebook("1-a/a", "x = 1")
    source = check.read_notebook(path)
    executed = check.read_notebook(path)
    injected = nbformat.v4.new_code_cell(  # type: ignore[no-untyped-call]
        "dataset = 'demo'", metadata={"tags": ["injected-parameters"]}
    )
    executed.cells.insert(2, injected)
    executed.cells[-1].outputs = nbformat.from_dict(  # type: ignore[no-untyped-call]
        [
            printed(f"{root.root}/a.txt\n"),
            printed("\r100%|##", "stderr"),
            printed("<x at 0x7f0123456789>\n"),
        ]
    )
    publish.graft(source, executed, "1-a/a.ipynb")
    assert len(source.cells) == 4
    assert source.cells[-1].outputs == [printed("a.txt\n<x>\n")]
    assert source.cells[-1].execution_count == 2


def test_a_notebook_that_was_not_run_is_not_published(root: Any) -> None:
    root.notebook("1-a/a", "x = 1")
    with pytest.raises(RunError, match="expected a finished run with the default parameters"):
        publish.publish("demo", "1-a/a", {"dataset": "demo"})
