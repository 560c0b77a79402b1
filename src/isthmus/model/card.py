"""The model card in every model folder: what the model was trained on, in which order, under which licences.

A card tells the model's history, an entry for the model as it was found and one for each training (`outcome` is what an
entry says of how that went), and the test scores that are known when a model leaves the store
(`isthmus.commands.exporting`).
"""

import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.model.layout import HEADS_INDEX
from isthmus.stage import Json
from isthmus.store import Store

_BODY = """# {title}

Made by [Isthmus](https://arxiv.org/abs/2005.13013)'s method, intermediate-task transfer, with isthmus {version}.

## Training, in order

{steps}

{zero_shot}
{scores}
Load it with `transformers.AutoModel.from_pretrained`{head}: it is an ordinary folder.
"""
_HEAD = ", or the class for its head"
_HEADS = "; the heads lie beside it, and `isthmus evaluate FOLDER --task NAME` uses them"
#: How the members of a mixture are called that are text for its masked language model, before their language.
TEXT = "mlm/"
#: The field of the metadata that lists these languages, for when the folder is the beginning of another history.
_NOT_ZERO_SHOT = "not_zero_shot"
_TUNED = "Not zero-shot in {}: dev rows in these languages decided when a training stopped, or what it kept."
_UNTUNED = "No training stopped or chose its checkpoint on dev rows of other languages than it was trained in."
#: The identity of a model from the hub, as a history has it.
_FROM_HUB = re.compile(r"hub ([\w.-]+(?:/[\w.-]+)?),")
#: What the hub calls the kinds of tasks.
_HUB_TASKS = {
    "sequence": "text-classification",
    "pair": "text-classification",
    "tagging": "token-classification",
    "span": "question-answering",
    "choice": "multiple-choice",
    "text": "fill-mask",
}


class CardScore(NamedTuple):
    """The score (0 to 100) on the test rows of a task in one language, or the mean of several, and its interval."""

    task: str
    kind: str
    language: str
    metric: str
    value: float
    low: float | None
    high: float | None
    examples: int
    tuned: bool  # no longer zero-shot


def outcome(result: Mapping[str, Json], translations: Sequence[Mapping[str, Json]]) -> dict[str, Json]:
    """What a history keeps of the result of a training: steps, shares of members, dev scores of what was kept."""
    kept = result["kept_step"]
    return {
        **{name: result[name] for name in ("steps", "planned_steps", "kept_step")},
        "accounts": result["members"],
        "dev": [point for point in result["dev"] if point["step"] == kept],
        "translations": list(translations),
    }


def translations_of(inputs: Mapping[str, str], store: Store) -> list[dict[str, Json]]:
    """What the ``translate`` stages among the inputs of a training say of their rows."""
    records = [record for key in inputs.values() if (record := store.record(key)) and record.function == "translate"]
    return [
        {name: record.result.get(name) for name in ("translator", "language", "rows", "kept", "dropped")}
        for record in records
    ]


def decides(recipe: Mapping[str, Json]) -> bool:
    """Do dev rows decide anything in a training by that recipe, or are they only measured?"""
    return recipe.get("patience") is not None or recipe.get("checkpoint", "last") == "best"


def tuned_languages(history: Sequence[Mapping[str, Json]]) -> tuple[str, ...]:
    """The languages, but those trained in, whose dev rows decided when a training stopped or what it kept."""
    told: list[Mapping[str, Json]] = []
    for entry in history:
        told += [entry] if "model" in entry else entry.get("members", ()) if decides(entry["recipe"]) else ()
    return tuple(dict.fromkeys(tag for one in told for tag in one.get("tuned_on", ())))


def told_by_card(folder: Path) -> tuple[str, ...]:
    """The same as the card in a model folder has it; nothing where there is no card, or one that says nothing of it."""
    import yaml

    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
        head = yaml.safe_load(text.split("---\n")[1]) if text.startswith("---\n") else {}
    except (OSError, ValueError, IndexError, yaml.YAMLError):
        return ()
    found = head.get(_NOT_ZERO_SHOT, ()) if isinstance(head, dict) else ()
    return tuple(map(str, found)) if isinstance(found, list) else ()


def write_card(folder: Path, history: Sequence[Mapping[str, Json]], scores: Sequence[CardScore] = ()) -> None:
    """Write README.md for a model with this training history, and these scores if there are any."""
    import yaml

    title = " > ".join(_name(entry) for entry in history)
    tuned = tuned_languages(history)
    text = _BODY.format(
        title=title,
        version=metadata.version("isthmus"),
        steps="\n".join(f"{number}. {_line(entry)}" for number, entry in enumerate(history, 1)),
        zero_shot=_TUNED.format(", ".join(tuned)) if tuned else _UNTUNED,
        scores=f"\n{score_section(scores)}" if scores else "",
        head=_HEADS if (folder / HEADS_INDEX).exists() else _HEAD,
    )
    head = yaml.safe_dump(_head(title, history, scores), sort_keys=False, allow_unicode=True, default_flow_style=None)
    (folder / "README.md").write_text(f"---\n{head}---\n\n{text}", encoding="utf-8")


def score_section(scores: Sequence[CardScore]) -> str:
    """The scores as a section of a card."""
    lines = ["## Scores", "", "Of test rows, 0 to 100, with 95% intervals over the choice of examples.", ""]
    lines += ["| task | language | metric | score | 95% interval | examples |", "| --- | --- | --- | --: | --- | --: |"]
    for score in scores:
        interval = "-" if score.low is None or score.high is None else f"{score.low:.1f} to {score.high:.1f}"
        figure = f"{score.value:.1f}{' †' if score.tuned else ''}"
        cells = (_cell(score.task), score.language, score.metric, figure, interval, f"{score.examples:,}")
        lines.append(f"| {' | '.join(cells)} |")
    if any(score.tuned for score in scores):
        lines += ["", "† Not zero-shot, or a mean that has a score that is not."]
    return "\n".join([*lines, ""])


def _head(title: str, history: Sequence[Mapping[str, Json]], scores: Sequence[CardScore]) -> dict[str, Any]:
    """The metadata that the hub reads."""
    members = [member for entry in history for member in _members(entry)]
    languages = dict.fromkeys(tag for member in members for tag in str(member["language"] or "").split(", ") if tag)
    datasets = dict.fromkeys(found for member in members if (found := _dataset(str(member["task"]))))
    base = _FROM_HUB.match(str(history[0].get("identity")))
    head: dict[str, Any] = {"library_name": "transformers", "tags": ["isthmus", "intermediate-task-transfer"]}
    if languages:
        head["language"] = sorted(languages)
    if datasets:
        head["datasets"] = list(datasets)
    if base:
        head["base_model"] = base[1]
    if tuned := tuned_languages(history):
        head[_NOT_ZERO_SHOT] = list(tuned)
    if results := [_result(score) for score in scores if score.kind in _HUB_TASKS]:
        head["model-index"] = [{"name": title, "results": results}]
    return head


def _result(score: CardScore) -> dict[str, Any]:
    """A score as the hub's `model-index` has it."""
    interval = "" if score.low is None or score.high is None else f", 95% interval {score.low:.1f} to {score.high:.1f}"
    shown = score.metric if not interval else f"{score.metric}{interval}"
    data = {"name": score.task, "type": _dataset(score.task) or score.task, "config": score.language, "split": "test"}
    return {
        "task": {"type": _HUB_TASKS[score.kind]},
        "dataset": data,
        "metrics": [{"type": score.metric, "value": round(score.value, 2), "name": shown}],
    }


def _dataset(task: str) -> str:
    """The hub's name of the data set of a task; empty where it has none."""
    from isthmus.data.sources.published import Dataset
    from isthmus.tasks.registry import tasks

    source = tasks()[task].source if task in tasks() else None
    return source.hub.id if isinstance(source, Dataset) and source.hub else ""


def _name(entry: Mapping[str, Json]) -> str:
    return " ".join(str(entry.get("task") or entry.get("model")).split())


def _members(entry: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
    """What a training was made of; nothing for a model as it was found."""
    if "model" in entry:
        return ()
    return entry.get("members") or (entry,)


def _line(entry: Mapping[str, Json]) -> str:
    """An entry of the list, with what its training was made of below."""
    if "model" in entry:
        return f"**{entry['model']}** as it was found ({entry.get('identity')})."
    recipe, members = entry["recipe"], _members(entry)
    head = "the head kept" if recipe.get("head") == "keep" else "fresh heads" if len(members) > 1 else "a fresh head"
    licence = f"Licence of the data: {entry['licence']}. " if len(members) == 1 else ""
    first = (
        f"**{entry['task']}** ({entry['kind']}, {entry['language']}): {entry['examples']:,} examples, "
        f"{_length(entry)}, learning rate {recipe['learning_rate']:g}, batch {recipe['batch_size']}, "
        f"seed {entry['seed']}, {head}. {licence}Stage `{entry['key']}`."
    )
    below = [_member(member, entry) for member in members] if len(members) > 1 else []
    below += _texts(entry)
    below += [_translation(told) for told in entry.get("translations", ())]
    below += [_dev(point) for point in entry.get("dev", ())]
    return "\n".join([first, *(f"   - {line}" for line in below)])


def _length(entry: Mapping[str, Json]) -> str:
    """How long a training was, and what of it was kept."""
    recipe = entry["recipe"]
    if not entry.get("steps"):
        return f"{recipe['epochs']:g} epochs"
    steps, planned, kept = (entry[name] for name in ("steps", "planned_steps", "kept_step"))
    early = f" of {planned:,} planned" if steps < planned else ""
    least = f", the weights after step {kept:,} kept" if kept < steps else ""
    epochs = "" if recipe.get("steps") else f"{recipe['epochs']:g} epochs, "
    return f"{epochs}{steps:,} steps{early}{least}"


def _member(member: Mapping[str, Json], entry: Mapping[str, Json]) -> str:
    """One of the tasks of a mixture with its share of the steps, or a text for its masked language model."""
    account = entry.get("accounts", {}).get(member["task"])
    share = f", {_share(account['steps'], entry)}" if account else ""
    name = f"**{member['task']}**" if member["kind"] != "text" else str(member["task"])
    return f"{name} ({member['kind']}, {member['language']}){share}. Licence of the data: {member['licence']}."


def _texts(entry: Mapping[str, Json]) -> list[str]:
    """The masked language model of a mixture: its share of the steps, by language."""
    accounts = entry.get("accounts", {})
    steps = {name.removeprefix(TEXT): had["steps"] for name, had in accounts.items() if name.startswith(TEXT)}
    if not steps:
        return []
    each = ", ".join(f"{language} {count:,}" for language, count in steps.items())
    return [f"masked language modelling: {_share(sum(steps.values()), entry)} ({each})."]


def _share(steps: int, entry: Mapping[str, Json]) -> str:
    return f"{100 * steps / entry['steps']:.0f}% of the steps"


def _translation(told: Mapping[str, Json]) -> str:
    """A translation of the rows: by whom, and what became of them."""
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in (told["dropped"] or {}).items() if count)
    kept = f"{told['kept']:,} of {told['rows']:,} rows kept{f' (dropped: {dropped})' if dropped else ''}"
    return f"translated into {told['language']} by {told['translator']}: {kept}."


def _dev(point: Mapping[str, Json]) -> str:
    interval = "" if point.get("low") is None else f" [{point['low']:.1f}, {point['high']:.1f}]"
    return f"dev {point['metric']} of {point['member']} in {point['language']}: {point['score']:.1f}{interval}."


def _cell(text: str) -> str:
    """Text in a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")
