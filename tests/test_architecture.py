"""Imports point one way, as the map in docs/architecture.md says; what does not keep to it is named there."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import isthmus

SOURCE = Path(isthmus.__file__).parent
PAGE = Path(__file__).resolve().parent.parent / "docs" / "architecture.md"


def blocks() -> list[str]:
    """The map and the exceptions."""
    return re.findall(r"```text\n(.*?)```", PAGE.read_text(encoding="utf-8").split("\n## Modules")[1], re.DOTALL)


def ranks() -> dict[str, int]:
    """How high each module, or all of a folder, stands, by its dotted name below the package."""
    found = {}
    for rank, line in enumerate(reversed(blocks()[0].splitlines())):
        names = re.match(r"(?:[\w/.]+(?:/|\.py)\s+)+", line)
        assert names, f"no modules in the line {line!r}"
        found |= {name.removesuffix(".py").strip("/").replace("/", "."): rank for name in names[0].split()}
    return found


def exceptions() -> set[tuple[str, str]]:
    """Pairs of modules: the first uses the second, though that stands above it."""
    return {
        (user, used)
        for user, all_used in re.findall(r"^([\w.]+) -> ([\w., ]+?)(?:  |$)", blocks()[1], re.MULTILINE)
        for used in all_used.split(", ")
    }


def place(module: str, of: dict[str, int]) -> str:
    """The entry of the map that says most of a module."""
    fitting = [name for name in of if module == name or module.startswith(f"{name}.")]
    assert fitting, f"{module} is not in the map of docs/architecture.md"
    return max(fitting, key=len)


def imports() -> Iterator[tuple[str, str]]:
    """All imports of the package's modules from each other, but those that only type checkers see."""
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if module == "__init__":  # the package's own names
            continue
        todo: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
        while todo:
            node = todo.pop()
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                continue
            todo += ast.iter_child_nodes(node)
            yield from ((module, used) for used in used_by(node))


def used_by(node: ast.AST) -> list[str]:
    """The modules that a statement imports, by their names below the package."""
    if isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        found = [name for name in names if (SOURCE.parent / name.replace(".", "/")).with_suffix(".py").is_file()]
        found = found or [node.module]
    elif isinstance(node, ast.Import):
        found = [alias.name for alias in node.names]
    else:
        return []
    return [name.removeprefix("isthmus.") for name in found if name.startswith("isthmus.")]


def test_imports_point_one_way_but_for_those_that_are_named() -> None:
    of = ranks()
    upwards = {(user, used) for user, used in imports() if of[place(used, of)] > of[place(user, of)]}
    assert upwards == exceptions()
