"""Reading a study from YAML: every mistake is answered with the file, the line and the field."""

from copy import deepcopy
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from isthmus.errors import SpecError
from isthmus.study.problems import Fault, faults
from isthmus.study.spec import Study
from isthmus.study.yaml_lines import Document, change


def read_study(path: Path, changes: tuple[str, ...] = ()) -> Study:
    """The study in the YAML file ``path``, with dotted changes such as ``recipe.epochs=2`` applied.

    Raises:
        SpecError: the file cannot be read or is not a valid study; names the line and the field.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError(f"There is no study file {path}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} cannot be read: {error}.") from None
    return parse_study(text, str(path), changes)


def parse_study(text: str, where: str, changes: tuple[str, ...] = ()) -> Study:
    """As `read_study`, from text; ``where`` names it in errors."""
    document = Document(text, where)
    if not isinstance(document.data, dict):
        kind = type(document.data).__name__
        raise SpecError(f"{where}: a study is a mapping of fields such as `targets: [...]`, not a {kind}.")
    versions = [document.data]
    for wanted in changes:
        versions.append(apply_changes((wanted,), deepcopy(versions[-1])))
    try:
        return Study.model_validate(versions[-1])
    except ValidationError as error:
        found = faults(error, versions[-1])
    # a field that is missing is often there, mistyped
    first = min(found, key=lambda fault: (fault.missing, document.line(fault.place) or 0))
    by = _blamed(first, versions)
    if by:
        raise SpecError(f"--set {changes[by - 1]}: {first}")
    line = document.line(first.place)
    raise SpecError(f"{where}{f', line {line}' if line else ''}: {first}")


def _blamed(fault: Fault, versions: list[dict[str, Any]]) -> int:
    """The number of the change since which the fault is there; 0 for a fault of the file's own."""
    for number in range(len(versions) - 1, 0, -1):
        try:
            Study.model_validate(versions[number - 1])
        except ValidationError as error:
            if fault in faults(error, versions[number - 1]):
                continue
        return number
    return 0


def apply_changes(changes: tuple[str, ...], data: dict[str, Any]) -> dict[str, Any]:
    """``data`` with dotted changes such as ``recipe.epochs=2``. Raises SpecError on one that cannot be read."""
    for wanted in changes:
        change(data, wanted)
    return data
