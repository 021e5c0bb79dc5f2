"""Which files of the package some code stands on, and what each of them says.

Python counts by its syntax, so that comments and line breaks play no part.
"""

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

DIGEST_HEX_DIGITS = 32


def modules_used(
    trees: Iterable[ast.Module], package: Path, *, at_import: bool = False
) -> dict[str, str]:
    """Digests of all files of the package that some code stands on, directly or through others.

    A file that is no Python (a table, a template) counts for the code of the nearest Python
    package that it lies in. A module named in a string (`python -m shared.x`) counts as imported.

    Args:
        trees: the code, parsed.
        package: the folder `shared`.
        at_import: leave out what is imported in functions, or named in strings: what code may
            stand on, but need not.

    Returns:
        Digest by path, such as `{"shared/geo.py": "..."}`; of Python with comments left out.

    Raises:
        SyntaxError: a file of the package is no Python.
    """
    waiting = [path for tree in trees for path in _imported(tree, package, package, at_import)]
    code: dict[Path, str] = {}
    while waiting:
        path = waiting.pop()
        if path in code:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        code[path] = hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:DIGEST_HEX_DIGITS]
        waiting += _imported(tree, package, path.parent, at_import)
    folders = {path.parent for path in code}
    for path in _data_files(package):
        if _room(path) in folders:
            code[path] = hashlib.sha256(path.read_bytes()).hexdigest()[:DIGEST_HEX_DIGITS]
    named = {path.relative_to(package.parent).as_posix(): code[path] for path in code}
    return dict(sorted(named.items()))


def _imported(tree: ast.Module, package: Path, here: Path, at_import: bool) -> Iterator[Path]:
    """The files that an import or a string names; `here` is where relative imports begin."""
    for node in tree.body if at_import else ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package, here)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names = [node.value] if re.fullmatch(r"\w+(\.\w+)+", node.value) else []
        for name in names:
            yield from _files_of(name, package)


def _absolute(node: ast.ImportFrom, package: Path, here: Path) -> str:
    if not node.level:
        return node.module or ""
    folder = here
    for _ in range(node.level - 1):
        folder = folder.parent
    base = ".".join(folder.relative_to(package.parent).parts)
    return f"{base}.{node.module}" if node.module else base


def _files_of(name: str, package: Path) -> Iterator[Path]:
    """The file of a module, and the `__init__.py` of every package above it."""
    parts = name.split(".")
    if parts[0] != package.name:
        return
    for length in range(1, len(parts) + 1):
        path = package.parent.joinpath(*parts[:length])
        for file in (path / "__init__.py", path.with_suffix(".py")):
            if file.is_file():
                yield file


def _data_files(package: Path) -> Iterator[Path]:
    for path in sorted(package.rglob("*")):
        hidden = any(part.startswith((".", "__pycache__")) for part in path.parts)
        if path.is_file() and path.suffix not in {".py", ".pyc"} and not hidden:
            yield path


def _room(path: Path) -> Path:
    return next(folder for folder in path.parents if (folder / "__init__.py").exists())
