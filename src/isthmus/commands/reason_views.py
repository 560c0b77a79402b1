"""What ``isthmus why`` shows."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from isthmus.commands.reasons import Explanation, Graph, Known, explain, facts, graph_of, told
from isthmus.commands.views import existing, output, print_json
from isthmus.running.runner import State

_MOST = 8  # of a list, what is shown on a terminal
_COLOURS = {State.DONE: "green", State.FAILED: "red", State.RUNNING: "cyan"}


def show_why(words: Sequence[str], study: str | None, store_path: Path, as_json: bool) -> None:
    """``isthmus why``. Raises SpecError when it is not clear which stage is meant."""
    store = existing(store_path)
    graph, without = graph_of(store, study)
    stage, found = explain(graph, words)
    if as_json:
        print_json(_json(graph, stage, found))
        return
    for sentence in without:
        print(sentence, file=sys.stderr)
    _show(graph, stage, found, output())


def _json(graph: Graph, stage: Known, found: Explanation) -> dict[str, Any]:
    near = found.nearest
    differs = {each.field: {"here": each.here, "there": each.there} for each in near.differences} if near else {}
    return {
        "key": stage.key,
        "title": stage.title,
        "function": stage.function,
        "version": stage.version,
        "state": str(found.state),
        "why": list(found.why),
        "identity": dict(stage.identity),
        "needs": [_needs_json(graph, need) for need in stage.inputs.values()],
        "needed_by": [
            {"key": key, "title": graph.title(key), "state": str(graph.state(key))}
            for key in graph.all_later(stage.key)
        ],
        "chains": [{"study": name, **vars(chain)} for name, chain in graph.chains(stage.key)],
        "nearest": {"key": near.key, "title": near.title, "differs": differs} if near else None,
    }


def _needs_json(graph: Graph, key: str) -> dict[str, Any]:
    stage = graph.stages.get(key)
    needs = [_needs_json(graph, need) for need in stage.inputs.values()] if stage else []
    return {"key": key, "title": graph.title(key), "state": str(graph.state(key)), "needs": needs}


def _show(graph: Graph, stage: Known, found: Explanation, console: Console) -> None:
    console.print(Text(stage.title, style="bold"))
    console.print(Text(f"{stage.key}, {found.state}", style="dim"))
    console.print()
    for sentence in found.why:
        console.print(sentence)
    if near := found.nearest:
        console.print(f"The finished stage that is most like it is {near.title} ({near.key}). It has another:")
        for each in near.differences:
            console.print(f"  {each.field}: {each.here} here, {each.there} there")
    tree = Tree(_line(graph, stage.key), guide_style="dim")
    _grow(graph, stage.key, tree)
    console.print("\nIt builds on:" if stage.inputs else "\nIt builds on nothing.")
    for branch in tree.children:
        console.print(branch)
    _list(console, "What builds on it:", [_line(graph, key) for key in graph.all_later(stage.key)])
    chains = [
        Text(f"{name}: {' > '.join((chain.model, chain.intermediate, chain.target))}, seed {chain.seed}")
        for name, chain in graph.chains(stage.key)
    ]
    _list(console, "The chains it serves:", chains)
    console.print("\nWhat names it:")
    console.print(f"  function: {stage.function}, version {stage.version}")
    for name, value in facts(stage.identity).items():
        console.print(Text(f"  {name}: {told(value)}"))


def _list(console: Console, head: str, lines: Sequence[Text]) -> None:
    if lines:
        console.print(f"\n{head}")
    for line in lines[:_MOST]:
        console.print(Text("  ").append(line))
    if len(lines) > _MOST:
        console.print(Text(f"  ... and {len(lines) - _MOST:,} more: --json lists them.", style="dim"))


def _line(graph: Graph, key: str) -> Text:
    state = graph.state(key)
    return Text.assemble(graph.title(key), "  ", (str(state), _COLOURS.get(state, "")))


def _grow(graph: Graph, key: str, tree: Tree) -> None:
    stage = graph.stages.get(key)
    for need in dict.fromkeys(stage.inputs.values()) if stage else ():
        _grow(graph, need, tree.add(_line(graph, need)))
