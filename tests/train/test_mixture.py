"""A mixture trains one encoder with several heads, and leaves a folder that any of them can be used from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from tests.run.small_study import TASKS, Rows, task
from tests.tiny import SENTENCES

from isthmus.api import make_plan
from isthmus.data.schema import Kind, fingerprint, to_table
from isthmus.disk import replacing
from isthmus.errors import DataError, ModelError
from isthmus.model.folder import load_model
from isthmus.model.heads import head_of, save_heads
from isthmus.planning.plan import Plan
from isthmus.running.execute import Context, execute
from isthmus.stage import Record, Settings, Stage
from isthmus.store import Store
from isthmus.study.spec import Recipe, Study
from isthmus.tasks.core import Split, Task
from isthmus.train.dev import held_out
from isthmus.train.heads import Heads
from isthmus.train.rows import parts_of

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
    assert (folder / "heads.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode
    assert "isthmus evaluate FOLDER --task NAME" in (folder / "README.md").read_text()
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
    with pytest.raises(ModelError, match="it is one of AutoModelForSequenceClassification"):
        load_model(folder, "AutoModelForQuestionAnswering", [], fresh_head=False, head="colours")
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


def test_held_out_groups_are_whole_and_never_all_of_them() -> None:
    columns = {"id": list("abcdefghij"), "group": list("1122334455"), "text": ["x"] * 10, "label": ["l"] * 10}
    table = to_table(Kind.SEQUENCE, columns, "test")
    left, out = held_out(table, 3)
    assert len(out) == 2 and len(left) == 8
    assert not set(left.column("group").to_pylist()) & set(out.column("group").to_pylist())
    with pytest.raises(DataError, match="All training rows share one group"):
        held_out(table.slice(0, 2), 1)


def test_what_is_held_out_of_a_task_is_held_out_of_its_translations(tiny_model: Path, tmp_path: Path) -> None:
    """Some rows get lost in translation; those that are left must not tell what the dev rows are."""
    store = Store.open(tmp_path / "store")
    whole = task("colours", Kind.SEQUENCE, ("short", "long")).source.load("train", "en")
    fewer = whole.take([row for row in range(40) if row % 5]).replace_schema_metadata(None)
    prints = []
    for table in (whole, fewer):
        prints.append(fingerprint(table))
        with replacing(store.data_file(prints[-1])) as path, pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table)
    dev = {"en": {"held_out": 8, "of": prints[0]}}
    member = {"kind": "sequence", "labels": ["short", "long"], "dev": dev, "metric": "accuracy"}
    identity = {
        "members": [{"name": "a", "train": prints[0], **member}, {"name": "mt", "train": prints[1], **member}],
        "mixture": {},
        "seed": 1,
    }
    context = Context(store, Stage("train", identity), Settings(), tmp_path, tmp_path)
    one, other = parts_of(context, Recipe())
    trained_on = {*one.table.column("id").to_pylist(), *other.table.column("id").to_pylist()}
    measured_on = {*one.dev["en"].column("id").to_pylist(), *other.dev["en"].column("id").to_pylist()}
    assert len(one.dev["en"]) == 8 and not trained_on & measured_on
    foreign = whole.set_column(0, "id", pa.array([f"x{row}" for row in range(40)]))
    foreign = foreign.set_column(1, "group", foreign.column("id")).replace_schema_metadata(None)
    with replacing(store.data_file("foreign")) as path, pa.ipc.new_file(str(path), foreign.schema) as writer:
        writer.write_table(foreign)
    lost = Stage("train", {"train": [prints[0], "foreign"], "seed": 1, **member}, hints={"task": "a"})
    with pytest.raises(DataError, match="other ids and other groups"):
        parts_of(Context(store, lost, Settings(), tmp_path, tmp_path), Recipe())


def test_heads_whose_names_begin_alike_are_not_taken_for_each_other(tiny_model: Path, tmp_path: Path) -> None:
    auto = "AutoModelForSequenceClassification"
    models: dict[str, Any] = {
        name: load_model(tiny_model, auto, ["a", "b"], fresh_head=True, seed=seed)
        for seed, name in enumerate(("mine", "mine/x.csv"))
    }
    save_heads(models, dict.fromkeys(models, auto), {name: ["a", "b"] for name in models}, tmp_path)
    for name, model in models.items():
        weights = head_of(tmp_path, name).weights
        assert set(weights) == {"classifier.weight", "classifier.bias"}
        assert torch.equal(weights["classifier.weight"], model.classifier.weight)
