"""What planning was told about the world, kept with a study that was run.

The answers are kept, not the plan that was made of them: the planner makes it again, from the same answers. So there is
one way to plan, and a study can be looked at when its files, its models or a package are no longer there.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache, lru_cache
from typing import Any, get_type_hints

import pyarrow as pa
from pydantic import BaseModel, TypeAdapter, create_model

from isthmus.data.catalog import SplitFacts
from isthmus.errors import DataError, StoreError
from isthmus.planning.plan import Facts, ModelSource
from isthmus.stage import Json
from isthmus.study.spec import Mixture
from isthmus.tasks.core import Split, Task

_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def remembering(facts: Facts, answers: dict[str, Any]) -> Facts:
    """The same facts; what is asked, and what the answer is, is put into ``answers``."""

    def asking(name: str) -> Callable[..., Any]:
        ask: Callable[..., Any] = getattr(facts, name)

        def asked(*parts: Any) -> Any:
            question = _question(name, parts)
            try:
                answers[question] = ask(*parts)
            except DataError:  # planning goes on without some splits
                answers[question] = None
                raise
            return answers[question]

        return asked

    return Facts(**{field.name: asking(field.name) for field in fields(Facts)})


def to_json(answers: Mapping[str, Any]) -> dict[str, Json]:
    """Answers as they are kept. Raises ValueError where a task has what its fields do not allow."""
    return {question: _written(json.loads(question)[0], answer) for question, answer in answers.items()}


def remembered(answers: Mapping[str, Json]) -> Facts:
    """The facts that were kept. The rows of their tasks cannot be loaded.

    They raise StoreError for what was not asked then, ValueError for what is no answer, and DataError again.
    """

    def asking(name: str) -> Callable[..., Any]:
        def asked(*parts: Any) -> Any:
            question = _question(name, parts)
            if question not in answers:
                raise StoreError(f"It was not kept: {question}.")
            return _read(name, answers[question])

        return asked

    return Facts(**{field.name: asking(field.name) for field in fields(Facts)})


class _NotHere:
    """Stands for the source of a task that was kept."""

    def identity(self) -> Mapping[str, str]:
        """Of nothing."""
        return {}

    def load(self, split: Split, language: str) -> pa.Table:
        """Raises DataError."""
        raise DataError(f"The rows of a task that was kept cannot be loaded ({split} split, {language}).")


def _question(name: str, parts: tuple[Any, ...]) -> str:
    """A question as text. In one plan, tasks of one name differ in their languages alone."""
    told = [[part.name, _digest(part.languages)] if isinstance(part, Task) else part for part in parts]
    return json.dumps([name, *told])


@lru_cache(maxsize=4096)
def _digest(languages: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps(languages).encode()).hexdigest()[:12]


@cache
def _answers() -> Mapping[str, TypeAdapter[Any]]:
    """How each answer is written and read. None where it was a DataError, or what is none."""
    names = tuple[str, ...]
    return {
        "task": TypeAdapter(_task_fields()),
        "model": TypeAdapter(ModelSource),
        "split": TypeAdapter(SplitFacts | None),
        "languages": TypeAdapter(names),
        "suite": TypeAdapter(dict[str, names] | None),
        "mixture": TypeAdapter(Mixture | None),
        "offers": TypeAdapter(bool),
        "among": TypeAdapter(names),
    }


@cache
def _task_fields() -> type[BaseModel]:
    """The fields of a task, but for its source."""
    hints = {name: (hint, ...) for name, hint in get_type_hints(Task).items() if name != "source"}
    made: type[BaseModel] = create_model("TaskFields", **hints)  # type: ignore[call-overload]
    return made


def _written(name: str, answer: Any) -> Json:
    """As `_read` takes it; any mapping is a dictionary then."""
    form = _answers()[name]
    return form.dump_python(form.validate_python(answer, from_attributes=True), mode="json", fallback=dict)


def _read(name: str, answer: Json) -> Any:
    found = _answers()[name].validate_python(answer)
    if name == "task":
        return Task(**dict(found), source=_NotHere())
    if name == "split" and (found is None or not _FINGERPRINT.fullmatch(found.fingerprint)):
        raise DataError("These rows could not be had when the study was run.")  # else the name of a file elsewhere
    return found
