"""Model folders: ordinary Hugging Face folders in and out, heads that are what they say, embeddings shared or whole."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from isthmus.data.schema import Kind
from isthmus.errors import ModelError
from isthmus.kinds import method
from isthmus.model.card import write_card
from isthmus.model.folder import DUAL_ENCODER, load_model, load_tokenizer, save_model
from isthmus.model.layout import EMBEDDING_SHARD, HEADS, INDEX, OTHER_SHARD
from isthmus.model.sources import find_model
from isthmus.running.execute import execute
from isthmus.stage import Settings, Stage
from isthmus.store import Store

SEQUENCE, TOKENS = "AutoModelForSequenceClassification", "AutoModelForTokenClassification"
LABELS = ["short", "long"]
TEXT = "die Lampe in der Küche"


def write_xlm_roberta(folder: Path, tiny_model: Path) -> Path:
    """The paper's architecture in miniature, with the tokenizer of the other tiny model."""
    size = json.loads((tiny_model / "config.json").read_text())["vocab_size"]
    names = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "pad_token_id": 1}
    torch.manual_seed(3)
    config = transformers.XLMRobertaConfig(vocab_size=size, hidden_size=32, max_position_embeddings=66, **names)
    transformers.XLMRobertaForMaskedLM(config).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tiny_model / name, folder)
    return folder


@pytest.fixture(scope="module")
def xlm_roberta(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As people publish it: under a language model's head."""
    return write_xlm_roberta(tmp_path_factory.mktemp("xlm-roberta"), tiny_model)


@pytest.fixture(params=["tiny_model", "xlm_roberta"])
def parent(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue(request.param)
    return folder


def head(model: Any) -> dict[str, torch.Tensor]:
    prefix = f"{model.base_model_prefix}."
    return {name: value for name, value in model.state_dict().items() if not name.startswith(prefix)}


def saved(model: Any, folder: Path, parent: Path, rows: Any = None, kept: Any = None) -> Path:
    folder.mkdir()
    save_model(model, folder, parent, rows, kept)
    return folder


def trained(parent: Path, folder: Path, auto_class: str = SEQUENCE, labels: list[str] = LABELS) -> Path:
    """A folder whose head is like no fresh one, as after training."""
    model: Any = load_model(parent, auto_class, labels, fresh_head=True)
    for value in head(model).values():
        value.fill_(0.5)
    return saved(model, folder, parent)


def outputs(model: Any, folder: Path) -> torch.Tensor:
    tokenizer = load_tokenizer(folder)
    with torch.inference_mode():
        found: torch.Tensor = model.eval()(**tokenizer(TEXT, return_tensors="pt"))[0]
    return found


def assert_same(model: Any, other: Any, where: Path) -> None:
    """The same weights, to the bit, and the same outputs, to the noise of how they lie in memory."""
    one, two = model.state_dict(), other.state_dict()
    assert one.keys() == two.keys()
    assert [name for name, value in one.items() if not torch.equal(value, two[name])] == []
    torch.testing.assert_close(outputs(model, where), outputs(other, where), rtol=1e-5, atol=1e-6)


# -- heads


@pytest.mark.parametrize("auto_class", [SEQUENCE, TOKENS])
@pytest.mark.parametrize("labels", [LABELS, ["neg", "pos"], ["a", "b", "c"]])
def test_a_fresh_head_is_fresh_even_where_the_folder_has_one_of_the_same_shape(
    parent: Path, tmp_path: Path, auto_class: str, labels: list[str]
) -> None:
    after = trained(parent, tmp_path / "after", auto_class)
    from_parent = head(load_model(parent, auto_class, labels, fresh_head=True, seed=7))
    from_trained = head(load_model(after, auto_class, labels, fresh_head=True, seed=7))
    assert from_trained.keys() == from_parent.keys() and from_trained
    for name, value in from_trained.items():
        assert torch.equal(value, from_parent[name]), f"{name} depends on what was trained before"
        assert not (value == 0.5).any(), name
    other = head(load_model(after, auto_class, labels, fresh_head=True, seed=8))
    assert any(not torch.equal(other[name], value) for name, value in from_trained.items()), "the seed draws the head"


def test_a_trained_head_is_read_back_with_its_labels(parent: Path, tmp_path: Path) -> None:
    folder = trained(parent, tmp_path / "trained")
    model: Any = load_model(folder, SEQUENCE, LABELS, fresh_head=False)
    assert all((value == 0.5).all() for value in head(model).values())
    assert json.loads((folder / "config.json").read_text())["id2label"] == {"0": "short", "1": "long"}


@pytest.mark.parametrize("labels", [LABELS[::-1], ["neg", "pos"], [*LABELS, "none"], LABELS[:1]])
def test_labels_in_another_order_or_of_another_task_are_refused(
    tiny_model: Path, tmp_path: Path, labels: list[str]
) -> None:
    folder = trained(tiny_model, tmp_path / "trained")
    with pytest.raises(ModelError, match=f"its head has the labels short, long, not {', '.join(labels)}"):
        load_model(folder, SEQUENCE, labels, fresh_head=False)


@pytest.mark.parametrize("auto_class", [SEQUENCE, TOKENS])
def test_a_model_without_a_trained_head_is_not_measured(parent: Path, auto_class: str) -> None:
    with pytest.raises(ModelError, match="no trained head for this kind of task"):
        load_model(parent, auto_class, LABELS, fresh_head=False)


# -- folders


@pytest.mark.parametrize("auto_class", [SEQUENCE, TOKENS])
def test_a_saved_model_is_loaded_by_the_auto_classes_with_and_without_its_head(
    parent: Path, tmp_path: Path, auto_class: str
) -> None:
    model: Any = load_model(parent, auto_class, LABELS, fresh_head=True, seed=1)
    folder = saved(model, tmp_path / "saved", parent)
    again = getattr(transformers, auto_class).from_pretrained(folder)
    assert_same(again, model, folder)
    assert again.config.label2id == {"short": 0, "long": 1}
    body = transformers.AutoModel.from_pretrained(folder).state_dict()
    assert all(torch.equal(value, body[name]) for name, value in model.base_model.state_dict().items())
    ids = transformers.AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"]
    assert ids == load_tokenizer(parent)(TEXT)["input_ids"]


def test_a_model_without_head_is_saved_under_the_names_that_one_with_head_has(parent: Path, tmp_path: Path) -> None:
    model: Any = load_model(parent, "AutoModel", [], fresh_head=False)
    folder = saved(model, tmp_path / "body", parent)
    weights = json.loads((folder / INDEX).read_text())["weight_map"]
    assert all(name.startswith(f"{model.base_model_prefix}.") for name in weights)
    assert_same(load_model(folder, "AutoModel", [], fresh_head=False), model, folder)
    with_head: Any = load_model(folder, SEQUENCE, LABELS, fresh_head=True)
    mine = with_head.base_model.state_dict()
    assert all(torch.equal(value, mine[name]) for name, value in model.state_dict().items() if name in mine)


def test_an_index_names_every_weight_and_its_bytes(tiny_model: Path, tmp_path: Path) -> None:
    folder = trained(tiny_model, tmp_path / "trained")
    index = json.loads((folder / INDEX).read_text())
    found, size = {}, 0
    for shard in (EMBEDDING_SHARD, OTHER_SHARD):
        tensors = load_file(folder / shard)
        found |= dict.fromkeys(tensors, shard)
        size += sum(value.numel() * value.element_size() for value in tensors.values())
    assert (index["weight_map"], index["metadata"]["total_size"]) == (found, size)
    assert len(load_file(folder / EMBEDDING_SHARD)) == 1


def test_an_embedding_that_was_not_trained_is_shared_and_not_copied(parent: Path, tmp_path: Path) -> None:
    first = trained(parent, tmp_path / "first")
    second = trained(first, tmp_path / "second", TOKENS)
    assert (second / EMBEDDING_SHARD).samefile(first / EMBEDDING_SHARD)
    assert (second / "tokenizer.json").samefile(parent / "tokenizer.json")
    assert not (second / OTHER_SHARD).samefile(first / OTHER_SHARD)


@pytest.mark.parametrize("kept", [[2, 5, 9], None])
def test_trained_rows_of_the_embedding_are_written_and_the_others_are_as_they_were(
    parent: Path, tmp_path: Path, kept: list[int] | None
) -> None:
    first = trained(parent, tmp_path / "first")
    before = next(iter(load_file(first / EMBEDDING_SHARD).values()))
    rows = torch.full((len(kept) if kept else len(before), before.shape[1]), 0.25)
    model: Any = load_model(first, SEQUENCE, LABELS, fresh_head=False)
    second = saved(model, tmp_path / "second", first, rows, kept)
    after = next(iter(load_file(second / EMBEDDING_SHARD).values()))
    expected = before.clone()
    expected[torch.arange(len(before)) if kept is None else torch.tensor(kept)] = 0.25
    assert torch.equal(after, expected)
    assert torch.equal(before, next(iter(load_file(first / EMBEDDING_SHARD).values()))), "the parent was written to"


def halved(source: Path, folder: Path) -> Path:
    """The same model as others publish it: float16."""
    shutil.copytree(source, folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({name: value.half() for name, value in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "dtype": "float16", "torch_dtype": "float16"}))
    return folder


def in_shards(source: Path, folder: Path) -> Path:
    """The same model in several files, the embedding beside other weights."""
    shutil.copytree(source, folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    weights = {}
    for number, names in enumerate((sorted(tensors)[::2], sorted(tensors)[1::2]), 1):
        shard = f"model-{number:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in names}, folder / shard, {"format": "pt"})
        weights |= dict.fromkeys(names, shard)
    (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": weights}))
    return folder


@pytest.mark.parametrize("publish", [halved, in_shards])
def test_parents_in_half_precision_or_in_shards_give_whole_float32_folders(
    parent: Path, tmp_path: Path, publish: Callable[[Path, Path], Path]
) -> None:
    published = publish(parent, tmp_path / "published")
    model: Any = load_model(published, SEQUENCE, LABELS, fresh_head=True)
    assert {value.dtype for value in model.state_dict().values() if value.is_floating_point()} == {torch.float32}
    folder = saved(model, tmp_path / "saved", published)
    for shard in (EMBEDDING_SHARD, OTHER_SHARD):
        with safe_open(folder / shard, framework="pt") as file:
            assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float32}  # noqa: SIM118
    assert_same(getattr(transformers, SEQUENCE).from_pretrained(folder), model, folder)


def test_a_card_names_the_tasks_in_order_and_their_licences(tmp_path: Path) -> None:
    recipe = {"epochs": 2.0, "learning_rate": 1e-5, "batch_size": 32}
    steps = [("slots", "CC-BY-4.0", "train-one"), ("intents", "Apache-2.0", "train-two")]
    history = [{"model": "org/base", "identity": "hub org/base, revision abc"}] + [
        {"task": task, "kind": "tagging", "language": "en", "examples": 640, "seed": 1, "recipe": recipe}
        | {"licence": licence, "key": key}
        for task, licence, key in steps
    ]
    write_card(tmp_path, history)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "# org/base > slots > intents" in card
    places = [card.index(word) for word in ("revision abc", "CC-BY-4.0", "`train-one`", "Apache-2.0", "`train-two`")]
    assert places == sorted(places)


# -- what is refused


def test_pickled_weights_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(tiny_model, folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has no safetensors weights; Isthmus does not load pickled ones"):
        find_model(str(folder))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_model(folder, "AutoModel", [], fresh_head=False)


@pytest.mark.parametrize(
    ("lacking", "sentence"),
    [("config.json", "is not a model folder: it has no config.json"), ("tokenizer.json", "has no tokenizer")],
)
def test_half_a_model_is_refused(tiny_model: Path, tmp_path: Path, lacking: str, sentence: str) -> None:
    folder = tmp_path / "half"
    shutil.copytree(tiny_model, folder)
    (folder / lacking).unlink()
    with pytest.raises(ModelError, match=sentence):
        find_model(str(folder))


def test_a_checkpoint_that_lacks_a_weight_of_the_body_is_refused(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(tiny_model, folder)
    tensors = load_file(folder / "model.safetensors")
    lost = next(name for name in tensors if "layer.1" in name)
    save_file({name: value for name, value in tensors.items() if name != lost}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=f"the checkpoint lacks 1 weights of the model, such as .*{lost}"):
        load_model(folder, SEQUENCE, LABELS, fresh_head=True)


@pytest.mark.parametrize("fresh_head", [True, False])
def test_weights_of_another_shape_than_the_configuration_says_are_refused(
    tiny_model: Path, tmp_path: Path, fresh_head: bool
) -> None:
    """Even where a fresh head may have another shape: a body drawn at random would pass for a pretrained one."""
    folder = tmp_path / "mixed"
    shutil.copytree(tiny_model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    with pytest.raises(ModelError, match=r"intermediate\.dense|cannot be loaded"):
        load_model(folder, SEQUENCE, LABELS, fresh_head)


def test_code_beside_a_model_is_never_run_whatever_is_answered(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library would ask at the keyboard whether to run it."""
    folder, traces = tmp_path / "coded", tmp_path / "traces"
    shutil.copytree(tiny_model, folder)
    (folder / "modeling.py").write_text(f"open({str(traces)!r}, 'w').close()\n")
    config = json.loads((folder / "config.json").read_text())
    theirs = {"AutoConfig": "modeling.Config", "AutoModel": "modeling.Model"}
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "theirs", "auto_map": theirs}))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    for load in (lambda: load_tokenizer(folder), lambda: load_model(folder, "AutoModel", [], fresh_head=False)):
        with contextlib.suppress(ModelError):
            load()
        assert not traces.exists()


# -- folders in the store


def test_a_folder_is_copied_so_that_writing_into_it_later_changes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    shutil.copytree(tiny_model, mine)
    found = find_model(str(mine))
    stage = Stage("model", found.identity, hints=found.hints)
    store = Store.open(tmp_path / "store")
    execute(store, stage, Settings())
    for path in mine.iterdir():
        path.write_bytes(b"written into, in place")
    assert store.damage(stage.key, thorough=True) == []
    assert find_model(str(store.stage_folder(stage.key) / "model")).identity == found.identity
    with pytest.raises(ModelError, match="has changed since the study was planned"):
        execute(Store.open(tmp_path / "another"), stage, Settings())


@pytest.mark.parametrize("kind", Kind)
def test_the_heads_that_are_looked_for_before_a_run_are_those_that_the_kinds_load(kind: Kind) -> None:
    loaded = method(kind).auto_class
    assert HEADS[kind] == ("" if loaded in ("AutoModel", DUAL_ENCODER) else loaded.removeprefix("AutoModel"))
