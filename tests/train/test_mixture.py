"""A mixture trains one encoder with several heads, and leaves a folder that any of them can be used from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.run.small_study import TASKS, Rows, task
from tests.tiny import SENTENCES

from isthmus.api import make_plan
from isthmus.data.schema import Kind, to_table
from isthmus.errors import ModelError
from isthmus.execute import execute
from isthmus.model.folder import load_model
from isthmus.plan import Plan
from isthmus.spec import Study
from isthmus.stage import Record, Settings
from isthmus.store import Store
from isthmus.tasks.core import Split, Task
from isthmus.train.heads import Heads

QUICK = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "max_length": 32}


class Questions(Rows):
    """A question about each sentence, and a choice of two endings."""

    def load(self, split: Split, language: str) -> pa.Table:
        texts = [f"{SENTENCES[row % 10]} {row}" for row in range(30)]
        columns: dict[str, Any] = {"id": [f"{split}-{row}" for row in range(30)], "question": ["what is it"] * 30}
        if self.kind is Kind.SPAN:
            words = [text.split()[1] for text in texts]
            starts = [[text.index(word)] for text, word in zip(texts, words, strict=True)]
            columns |= {"context": texts, "answers": [[word] for word in words], "answer_starts": starts}
        else:
            choices = [["yes", "no", "a boat"][: 2 + row % 2] for row in range(30)]
            columns |= {"text": texts, "choices": choices, "answer": [row % 2 for row in range(30)]}
        return to_table(self.kind, columns, self.name)


def asked(name: str, kind: Kind) -> Task:
    metric = "squad" if kind is Kind.SPAN else "accuracy"
    return Task(name, kind, name, ("en", "de"), metric, Questions(kind, name), "CC0", "derived", "en")


EVERY = (*TASKS, task("pairs", Kind.BITEXT, ()), asked("spans", Kind.SPAN), asked("endings", Kind.CHOICE))


def run(store: Store, fields: Mapping[str, Any]) -> Plan:
    """Plan and run a study here, a stage after the other."""
    planned = make_plan(Study.model_validate({"recipe": QUICK, **fields}), store, tasks=EVERY)
    for stage in planned.stages.values():
        execute(store, stage, Settings())
    return planned


def trained(store: Store, planned: Plan, name: str) -> Record:
    (key,) = [key for key, stage in planned.stages.items() if stage.function == "train" and name in stage.title]
    record = store.record(key)
    assert record is not None
    return record


def test_all_kinds_are_trained_together_on_one_encoder(masked_model: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    names = ["colours", "places", "pairs", "spans", "endings"]
    mlm = {"share": 0.25, "tasks": ["length", "places"], "languages": ["en"]}
    planned = run(
        store,
        {
            "models": [str(masked_model)],
            "intermediates": ["everything"],
            "mixtures": {"everything": {"tasks": names, "mlm": mlm}},
            "targets": ["length"],
        },
    )
    record = trained(store, planned, "> everything,")
    members = record.result["members"]
    assert list(members) == [*names, "mlm/en"]
    steps = {name: member["steps"] for name, member in members.items()}
    assert sum(steps.values()) == record.result["steps"]
    assert steps["mlm/en"] / record.result["steps"] == pytest.approx(0.25, abs=0.03)
    curves = {name: [p["loss"] for p in record.result["curve"] if p["member"] == name] for name in members}
    assert all(curves.values()), "each member has a curve of its own"
    assert record.result["vocabulary"] is None, "masked language modelling trains the whole vocabulary"


def test_each_head_of_a_mixture_is_there_afterwards(tiny_model: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    fields = {
        "models": [str(tiny_model)],
        "intermediates": ["colours+places"],
        "targets": ["colours", "places"],
        "train_on": {"colours": [], "places": []},
        "recipe": {**QUICK, "epochs": 30, "learning_rate": 5e-3},
    }
    planned = run(store, fields)
    for chain in planned.chains:
        assert chain.score is not None
        record = store.record(chain.score)
        assert record is not None and record.result["scores"]["en"] > 80, (chain.chain.target, record.result)
    folder = store.stage_folder(trained(store, planned, "colours+places").key) / "model"
    from transformers import AutoModel

    assert sum(value.numel() for value in AutoModel.from_pretrained(folder).parameters()) > 0
    labels = {"colours": ["short", "long"], "places": ["O", "B-P"]}
    for name, auto in (
        ("colours", "AutoModelForSequenceClassification"),
        ("places", "AutoModelForTokenClassification"),
    ):
        model: Any = load_model(folder, auto, labels[name], fresh_head=False, head=name)
        assert list(model.config.id2label.values()) == labels[name]
    with pytest.raises(ModelError, match="has no head for boats"):
        load_model(folder, "AutoModelForTokenClassification", ["O"], fresh_head=False, head="boats")
    with pytest.raises(ModelError, match="no trained head"):
        load_model(folder, "AutoModelForTokenClassification", [], fresh_head=False)


def test_tasks_that_share_a_head_have_one_and_the_others_do_not(tiny_model: Path) -> None:
    labels = ["short", "long"]
    models: list[Any] = [
        load_model(tiny_model, auto, labels, fresh_head=True, seed=1)
        for auto in (
            "AutoModelForSequenceClassification",
            "AutoModelForTokenClassification",
            "AutoModelForMultipleChoice",
        )
    ]
    heads = Heads([models[0], models[1], models[0], models[2]])
    bodies = {id(parameter) for parameter in models[0].bert.parameters()}
    assert {id(parameter) for parameter in models[1].bert.parameters()} <= bodies, "it has no pooler"
    assert {id(parameter) for parameter in models[2].bert.parameters()} == bodies
    named = [name for name, _ in heads.named_parameters()]
    assert len(named) == len(bodies) + 3 * 2, "a weight and a bias for each of three heads"


def test_the_same_mixture_with_the_same_seed_has_the_same_weights_bit_for_bit(tiny_model: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        store = Store.open(tmp_path / name)
        fields = {"models": [str(tiny_model)], "intermediates": ["colours+spans"], "targets": ["length"]}
        record = trained(store, run(store, fields), "> colours+spans,")
        found.append([fact.sha256 for path, fact in record.files.items() if path.endswith(".safetensors")])
    assert len(found[0]) == 3, "the encoder in two, and the heads"
    assert found[0] == found[1]


def test_stopping_early_keeps_the_best_weights_on_dev_rows(tiny_model: Path, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "store")
    recipe = {**QUICK, "epochs": 40, "learning_rate": 5e-3, "evaluate_every": 2, "patience": 3, "checkpoint": "best"}
    planned = run(
        store, {"models": [str(tiny_model)], "intermediates": ["colours"], "targets": ["length"], "recipe": recipe}
    )
    result = trained(store, planned, "> colours,").result
    assert result["steps"] < result["planned_steps"]
    scores = {point["step"]: point["score"] for point in result["dev"]}
    assert result["kept_step"] == min(step for step, score in scores.items() if score == max(scores.values()))
    assert result["steps"] == result["kept_step"] + 3 * 2
    assert result["examples"] == 40 - 8, "a fifth was held out"
