"""Parameters: `dataset.toml` and `-p name=value`, checked against what each notebook declares."""

import ast
import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.data_loader import DatasetSettings
from shared.running.errors import RunError
from shared.running.source import Parameter
from shared.running.tree import matches, suggestion

_PLAIN = {"str": str, "int": int, "bool": bool, "None": type(None)}


def resolve(
    settings: DatasetSettings,
    declared: Mapping[str, Mapping[str, Parameter]],
    selected: Iterable[str],
    given: Iterable[str] = (),
) -> dict[str, dict[str, Any]]:
    """The values of all parameters of each selected notebook.

    Defaults come first, then `dataset.toml` (common, then the notebook's own), then `-p`.

    Args:
        settings: of the data set.
        declared: the parameters of every notebook of the data set.
        selected: the notebooks that will run.
        given: `-p`: `name=value`, or `notebook:name=value` for one notebook or folder.

    Raises:
        RunError: an unknown name, or a value of another type than the notebook declares.
    """
    where = f"data-lists/{settings.name}/dataset.toml"
    values = {name: {p: q.default for p, q in own.items()} for name, own in declared.items()}
    for name, value in settings.parameters.items():
        _set(values, declared, list(declared), name, value, f"{where}, [parameters]")
    for notebook, own in settings.notebook_parameters.items():
        section = f'{where}, [parameters."{notebook}"]'
        if notebook not in declared:
            msg = f"{section}: no such notebook.{suggestion(notebook, declared)}"
            raise RunError(msg)
        for name, value in own.items():
            _set(values, declared, [notebook], name, value, section)
    chosen = list(selected)
    for text in given:
        _set_given(values, declared, chosen, text)
    for own in values.values():
        if "dataset" in own:
            own["dataset"] = settings.name
    return {notebook: values[notebook] for notebook in chosen}


def _set_given(
    values: dict[str, dict[str, Any]],
    declared: Mapping[str, Mapping[str, Parameter]],
    chosen: list[str],
    text: str,
) -> None:
    left, equals, value = text.partition("=")
    pattern, _, name = left.rpartition(":")
    if not equals or not name:
        msg = f"-p: expected name=value or notebook:name=value, got '{text}'."
        raise RunError(msg)
    if name == "dataset":
        msg = f"-p dataset: name the data set by --dataset {value}."
        raise RunError(msg)
    among = [notebook for notebook in chosen if not pattern or matches(notebook, pattern)]
    if not among:
        msg = f"-p {text}: no selected notebook is '{pattern}'.{suggestion(pattern, chosen)}"
        raise RunError(msg)
    _set(values, declared, among, name, _Text(value), f"-p {text}")


class _Text(str):
    """A value as it was typed, still to be read as what the annotation asks for."""


def _set(
    values: dict[str, dict[str, Any]],
    declared: Mapping[str, Mapping[str, Parameter]],
    among: list[str],
    name: str,
    value: object,
    where: str,
) -> None:
    having = [notebook for notebook in among if name in declared[notebook]]
    if not having:
        known = sorted({known for notebook in among for known in declared[notebook]})
        msg = (
            f"{where}: unknown parameter '{name}'.{suggestion(name, known)} "
            f"Known: {', '.join(known)}."
        )
        raise RunError(msg)
    for notebook in having:
        annotation = declared[notebook][name].annotation
        read = _read(value, annotation) if isinstance(value, _Text) else value
        values[notebook][name] = _checked(read, annotation, f"{where}: {name} of {notebook}")


def is_known_annotation(annotation: str) -> bool:
    """Whether an annotation is one of the types that parameters may have."""
    tree = ast.parse(annotation, mode="eval").body
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    if "Literal" in names:
        return True
    return names <= {*_PLAIN, "float", "list", "dict"}


def _read(text: str, annotation: str) -> object:
    """A typed value: text as it is where text is expected, JSON or a Python literal otherwise."""
    expected = ast.parse(annotation, mode="eval").body
    if _is_text_or_none(expected) and not (text in {"None", "null"} and _fits(None, expected)):
        return str(text)
    for reader in (json.loads, ast.literal_eval):
        try:
            return reader(text)
        except (ValueError, SyntaxError):
            continue
    return str(text)


def _checked(value: object, annotation: str, where: str) -> object:
    expected = ast.parse(annotation, mode="eval").body
    if not _fits(value, expected):
        msg = f"{where}: expected {annotation}, got {value!r} ({type(value).__name__})."
        raise RunError(msg)
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_whole and annotation == "float" else value  # type: ignore[arg-type]


def _is_text_or_none(expected: ast.expr) -> bool:
    if isinstance(expected, ast.BinOp):
        return _is_text_or_none(expected.left) and _is_text_or_none(expected.right)
    return ast.unparse(expected) in {"str", "None"}


def _fits(value: object, expected: ast.expr) -> bool:
    """Whether a value is of an annotated type: the plain ones, `list`, `dict`, `|`, `Literal`."""
    if isinstance(expected, ast.BinOp):
        return _fits(value, expected.left) or _fits(value, expected.right)
    name = ast.unparse(expected.value if isinstance(expected, ast.Subscript) else expected)
    if isinstance(expected, ast.Subscript):
        of = expected.slice.elts if isinstance(expected.slice, ast.Tuple) else [expected.slice]
        if name.endswith("Literal"):
            return value in [ast.literal_eval(choice) for choice in of]
        if name == "list":
            return isinstance(value, list) and all(_fits(item, of[0]) for item in value)
        if name == "dict":
            return isinstance(value, dict) and all(
                _fits(key, of[0]) and _fits(item, of[1]) for key, item in value.items()
            )
        return False
    if name == "float":
        return isinstance(value, int | float) and not isinstance(value, bool)
    if name in {"list", "dict"}:
        return isinstance(value, {"list": list, "dict": dict}[name])
    plain = _PLAIN.get(name)
    is_flag = isinstance(value, bool)
    return plain is not None and isinstance(value, plain) and (not is_flag or plain is bool)
