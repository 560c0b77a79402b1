"""Check the documentation against the repository: links, anchors, file names, commands, options, imports, YAML.

Reads README.md, CHANGELOG.md and docs/**/*.md. Prints one line a mistake (file:line: what) and exits 1 if there is any.
Nothing is fetched: addresses on the network are left alone.
"""

import ast
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
INLINE_CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^\s*(```+|~~~+)\s*(\w*)")
#: Inline code that names a file of the repository, which must then exist.
REPOSITORY_FILE = re.compile(
    r"(?:src|docs|tests|scripts|benchmarks)/[\w./-]+|Makefile|pyproject\.toml|constraints\.txt"
)
SHELL = {"sh", "bash", "console", "shell"}


class Mistake(NamedTuple):
    """Something a page says that is not so."""

    page: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {self.what}"


class Block(NamedTuple):
    """A fenced block: its language, the line of its first line, its text."""

    language: str
    line: int
    text: str


def split(text: str) -> tuple[list[tuple[int, str]], list[Block]]:
    """The prose lines, numbered from 1, and the fenced blocks of a page."""
    prose: list[tuple[int, str]] = []
    blocks: list[Block] = []
    fence = language = ""
    start, inside = 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        match = FENCE.match(line)
        if fence:
            if match and match[1].startswith(fence) and not match[2]:
                blocks.append(Block(language, start, "\n".join(inside)))
                fence = ""
            else:
                inside.append(line)
        elif match:
            fence, language = match[1], match[2].lower()
            start, inside = number + 1, []
        else:
            prose.append((number, line))
    return prose, blocks


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors that a forge makes of the headings of ``page``; a repeated heading gets ``-1``, ``-2``, ..."""
    seen: dict[str, int] = {}
    found = set()
    for _, line in split(page.read_text(encoding="utf-8"))[0]:
        if heading := re.match(r"#{1,6}\s+(.*?)\s*#*\s*$", line):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).lower()
            slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            found.add(f"{slug}-{count}" if count else slug)
    return frozenset(found)


def link_mistakes(page: Path, target: str) -> Iterator[str]:
    """What is wrong with one link of ``page``."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE):
        return
    name, _, anchor = target.partition("#")
    path = (page.parent / name).resolve() if name else page
    if not path.is_relative_to(ROOT):
        yield f"the link {target} leaves the repository"
    elif not path.exists():
        yield f"the link {target} leads nowhere"
    elif anchor and path.suffix == ".md" and anchor not in anchors(path):
        yield f"the link {target} names a heading that {path.relative_to(ROOT)} does not have"


@cache
def help_text(*command: str) -> str | None:
    """The help page of an ``isthmus`` command, or None where there is no such command."""
    program = Path(sys.executable).with_name("isthmus")
    environment = {**os.environ, "NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "200"}
    result = subprocess.run(
        [program, *command, "--help"], capture_output=True, text=True, check=False, env=environment, timeout=60
    )
    return result.stdout if result.returncode == 0 else None


def isthmus_mistakes(words: list[str]) -> Iterator[str]:
    """What is wrong with the arguments of one ``isthmus`` command line."""
    command: list[str] = []
    for word in words:
        if re.fullmatch(r"[a-z][a-z-]*", word) is None or not is_command(*command, word):
            break
        command.append(word)
    text = help_text(*command)
    rest = words[len(command) :]
    name = " ".join(["isthmus", *command])
    if text is None:
        yield f"`{name} --help` fails"
        return
    if re.search(r"COMMAND", text) and rest and not rest[0].startswith("-"):
        yield f"`{name}` has no command {rest[0]!r}"
        return
    for word in rest:
        option = word.partition("=")[0]
        if re.fullmatch(r"--?[a-z][a-z-]*", option) and not re.search(rf"(?<![\w-]){option}(?![\w-])", text):
            yield f"`{name}` has no option {option}"


def is_command(*command: str) -> bool:
    """Whether the commands above list the last word of ``command`` as one of theirs."""
    above = help_text(*command[:-1])
    return above is not None and "COMMAND" in above and help_text(*command) is not None


@cache
def make_targets() -> frozenset[str]:
    """The targets of the Makefile."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^([a-z][\w-]*):(?!=)", text, re.MULTILINE))


def command_mistakes(line: str) -> Iterator[str]:
    """What is wrong with one line of shell, as far as it calls isthmus or make."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return
    while words and re.fullmatch(r"[A-Z_][A-Z0-9_]*=.*", words[0]):
        words = words[1:]
    if not words:
        return
    program, *arguments = words
    if Path(program).name == "isthmus":
        yield from isthmus_mistakes(arguments)
    elif program == "make":
        for word in arguments:
            if re.fullmatch(r"[a-z][\w-]*", word) and word not in make_targets():
                yield f"the Makefile has no target {word!r}"


def shell_lines(block: Block) -> Iterator[tuple[int, str]]:
    """The commands of a shell block, without prompts; a line that ends in a backslash goes on."""
    lines = block.text.split("\n")
    prompted = any(line.startswith("$ ") for line in lines)
    pending, start = "", block.line
    for number, line in enumerate(lines, block.line):
        if not pending:
            start = number
            if prompted and not line.startswith("$ "):
                continue
        pending += line.removeprefix("$ ")
        if pending.endswith("\\"):
            pending = pending[:-1] + " "
            continue
        for command in re.split(r"&&|\|\||[|;]", pending):
            yield start, command
        pending = ""


def import_mistakes(code: str) -> Iterator[tuple[int, str]]:
    """Python that does not parse, or that imports from isthmus what is not there; with the line within the block."""
    try:
        tree = ast.parse(code)
    except SyntaxError as error:
        yield error.lineno or 1, f"this Python does not parse: {error.msg}"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            wanted = [(node.module, alias.name) for alias in node.names]
        else:
            continue
        for module, name in wanted:
            if module.split(".")[0] == "isthmus" and not importable(module, name):
                yield node.lineno, f"there is no {module}{'.' if name else ''}{name}"


def importable(module: str, name: str) -> bool:
    """Whether ``from module import name`` works (``import module`` where name is empty)."""
    try:
        found = importlib.import_module(module)
        return not name or hasattr(found, name) or bool(importlib.import_module(f"{module}.{name}"))
    except ImportError:
        return False


def block_mistakes(block: Block) -> Iterator[tuple[int, str]]:
    """What is wrong with a fenced block, by line."""
    if block.language in SHELL:
        for line, command in shell_lines(block):
            yield from ((line, what) for what in command_mistakes(command))
    elif block.language in {"python", "py"}:
        yield from ((block.line + line - 1, what) for line, what in import_mistakes(block.text))
    elif block.language in {"yaml", "yml"}:
        try:
            yaml.safe_load(block.text)
        except yaml.YAMLError as error:
            yield block.line, f"this YAML does not parse: {' '.join(str(error).split())}"


def check(page: Path) -> Iterator[Mistake]:
    """The mistakes of one page."""
    prose, blocks = split(page.read_text(encoding="utf-8"))
    for line, text in prose:
        for target in LINK.findall(INLINE_CODE.sub("", text)):
            yield from (Mistake(page, line, what) for what in link_mistakes(page, target))
        for code in INLINE_CODE.findall(text):
            if REPOSITORY_FILE.fullmatch(code) and not (ROOT / code).exists():
                yield Mistake(page, line, f"there is no file {code}")
            if code.startswith(("isthmus ", "make ")) and "..." not in code:
                yield from (Mistake(page, line, what) for what in command_mistakes(code))
    for block in blocks:
        yield from (Mistake(page, line, what) for line, what in block_mistakes(block))


def main() -> int:
    """Check every page; the exit status."""
    pages = [path for path in (ROOT / "README.md", ROOT / "CHANGELOG.md") if path.exists()]
    pages += sorted((ROOT / "docs").rglob("*.md"))
    mistakes = [mistake for page in pages for mistake in check(page)]
    for mistake in mistakes:
        print(mistake)
    print(f"{len(pages)} pages checked, {len(mistakes)} mistakes." if pages else "There are no pages to check.")
    return 1 if mistakes or not pages else 0


if __name__ == "__main__":
    sys.exit(main())
