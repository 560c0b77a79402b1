"""Write the tables of tasks and of mixtures in docs/tasks.md from the registry, the only place that knows them.

python scripts/task_table.py            # rewrite what stands between the two markers
python scripts/task_table.py --check    # change nothing; exit 1 if the page is out of date
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from isthmus.data.sources.published import Dataset
from isthmus.languages import language
from isthmus.tasks.core import Task
from isthmus.tasks.mixtures import MIXTURES, description
from isthmus.tasks.registry import tasks

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tasks.md"
NAME = "tasks"


def between(text: str, name: str, body: str, page: Path) -> str:
    """``text`` with ``body`` between the markers of ``name``. Raises SystemExit where the page has no such markers."""
    begin, end = f"<!-- begin: {name} -->", f"<!-- end: {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        sys.exit(f"{page}: it needs one line `{begin}` and, below it, one line `{end}`.")
    before, after = text[: text.index(begin) + len(begin)], text[text.index(end) :]
    return f"{before}\n\n{body.strip()}\n\n{after}"


def update(page: Path, bodies: dict[str, str], check: bool) -> int:
    """Put each body between its markers in ``page``, or only look whether it is there; the exit status."""
    old = new = page.read_text(encoding="utf-8")
    for name, body in bodies.items():
        new = between(new, name, body, page)
    if new == old:
        return 0
    if check:
        print(f"{page.name} is out of date: run `python {sys.argv[0]}`.", file=sys.stderr)
        return 1
    page.write_text(new, encoding="utf-8")
    return 0


def cell(text: str) -> str:
    """Text that cannot end a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def overview(every: list[Task]) -> str:
    """A line for each task."""
    head = ("task", "kind", "trained in", "measured in", "metric", "labels are")
    return table(
        head,
        [
            (
                f"[`{task.name}`](#{task.name})",
                f"`{task.kind}`",
                language(task.train_language).name if task.train_language else "never",
                measured(task),
                f"`{task.metric}`",
                task.labels_are,
            )
            for task in every
        ],
    )


def measured(task: Task) -> str:
    """How many languages, or the one."""
    return f"{len(task.languages)} languages" if len(task.languages) > 1 else language(task.languages[0]).name


def rows(task: Task) -> str:
    """How many rows each split has: ``2,500 train and 300 dev in English; 300 test in each language``.

    Numbers that are known of some languages only say so by how many these are.
    """
    found: dict[str, list[int]] = {}
    for name, number in task.expected_rows.items():
        found.setdefault(name.partition("/")[0], []).append(number)
    shown = {split: _span(numbers) for split, numbers in found.items()}
    training = " and ".join(f"{shown[split]} {split}" for split in ("train", "dev") if split in shown)
    if training and task.train_language:
        training += f" in {language(task.train_language).name}; "
    if "test" not in shown:
        return training.removesuffix("; ")
    known = len(found["test"]) if "test" not in task.expected_rows else len(task.languages)
    few = f"{known} of the languages" if known > 1 else "one of the languages"
    where = measured(task) if len(task.languages) == 1 else "each language" if known >= len(task.languages) else few
    return f"{training}{shown['test']} test in {where}"


def _span(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def section(task: Task) -> Iterator[str]:
    """Everything that the metadata says of one task."""
    yield f"### {task.name}\n"
    yield f"{task.description} {task.derivation}\n"
    if len(task.languages) > 1:
        yield f"- Languages: {', '.join(f'`{tag}`' for tag in task.languages)}."
    if task.expected_rows:
        yield f"- Rows: {rows(task)}."
    if task.labels:
        shown = ", ".join(f"`{label}`" for label in task.labels[:4])
        yield f"- Labels: {len(task.labels)}, such as {shown}." if len(task.labels) > 4 else f"- Labels: {shown}."
    if task.trains_on:
        yield f"- Trained on before it is measured: {', then '.join(f'`{name}`' for name in task.trains_on)}."
    if isinstance(task.source, Dataset):
        yield f"- Files: {', or '.join(f'`{layout.path}`' for layout in task.source.layouts)}."
        if task.source.hub:
            yield f"- On the hub: `{task.source.hub.id}` at `{task.source.hub.revision}`."
    yield f"- Licence: {task.licence}."
    yield f"- Source: {task.citation}, <{task.homepage}>.\n"


def mixtures() -> str:
    """A line for each mixture that comes with the library."""
    head = ("mixture", "tasks", "what it is")
    names = {name: ", ".join(f"`{member}`" for member in mixture.tasks) for name, mixture in MIXTURES.items()}
    return table(head, [(f"`{name}`", members, description(name)) for name, members in names.items()])


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if the page is out of date")
    every = list(tasks().values())
    body = "\n".join([overview(every), "", *(line for task in every for line in section(task))])
    return update(PAGE, {NAME: body, "mixtures": mixtures()}, parser.parse_args().check)


if __name__ == "__main__":
    sys.exit(main())
