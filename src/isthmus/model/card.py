"""The model card in every model folder: what the model was trained on, in which order, under which licences."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from isthmus.stage import Json

_HEAD = """---
library_name: transformers
tags: [isthmus, intermediate-task-transfer]
---

# {title}

Made by [Isthmus](https://arxiv.org/abs/2005.13013)'s method, intermediate-task transfer, with isthmus {version}.

## Training, in order

{steps}

Load it with `transformers.AutoModel.from_pretrained`, or the class for its head: it is an ordinary folder.
"""


def write_card(folder: Path, history: Sequence[Mapping[str, Json]]) -> None:
    """Write README.md for a model with this training history."""
    tasks = " > ".join(str(entry.get("task") or entry.get("model")) for entry in history)
    steps = "\n".join(f"{number}. {_line(entry)}" for number, entry in enumerate(history, 1))
    text = _HEAD.format(title=tasks, version=metadata.version("isthmus"), steps=steps)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _line(entry: Mapping[str, Json]) -> str:
    if "model" in entry:
        return f"**{entry['model']}** as it was found ({entry.get('identity')})."
    recipe = entry["recipe"]
    return (
        f"**{entry['task']}** ({entry['kind']}, {entry['language']}): {entry['examples']} examples, "
        f"{recipe['epochs']:g} epochs, learning rate {recipe['learning_rate']:g}, batch {recipe['batch_size']}, "
        f"seed {entry['seed']}. Licence of the data: {entry['licence']}. Stage `{entry['key']}`."
    )
