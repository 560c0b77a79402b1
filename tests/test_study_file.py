"""A study is read strictly, and every mistake is answered with the file, the line and the field."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from isthmus.api import built_in_studies, load_study
from isthmus.commands.starting import example, examples
from isthmus.errors import SpecError
from isthmus.study.fields import Location, at, hint_of, is_model, written
from isthmus.study.file import parse_study, read_study
from isthmus.study.schema import study_schema
from isthmus.study.spec import ALL, Study, of_size, sized
from isthmus.study.yaml_lines import Document, dump

GOOD = """\
name: first
intermediates: [none, slots, [slots, template-pairs]]
targets: [intents]
seeds: [1, 2]
recipe: {epochs: 2, learning_rate: 1e-4}
"""


def test_a_study_says_what_its_file_says() -> None:
    study = parse_study(GOOD, "first.yaml")
    assert study.intermediates == ("none", "slots", "slots>template-pairs")
    assert study.recipe.learning_rate == 1e-4, "YAML 1.1 would read 1e-4 as text"
    assert study.models == ("embedded",)


def test_a_single_name_may_stand_for_a_list() -> None:
    assert parse_study("targets: intents\nseeds: 3", "s.yaml").seeds == (3,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("targets: [intents]\nseed: 1\n", "line 2: there is no field 'seed': did you mean seeds or target_seeds?"),
        ("targets: [intents]\nrecipe:\n  epoch: 1\n", "s.yaml, line 3: there is no field 'recipe.epoch'"),
        (
            "targets: [intents]\nrecipe:\n  epochs: many\n",
            "s.yaml, line 3: recipe.epochs: Input should be a valid number",
        ),
        ("targets: [intents]\nrecipe:\n  epochs: 0\n", "s.yaml, line 3: recipe.epochs: Input should be greater than 0"),
        ("targets: [intents]\ntargets: [slots]\n", "s.yaml, line 2: the field 'targets' is given twice"),
        ("targets: [intents\n", "s.yaml, line 2: this is not valid YAML"),
        ("targets:\n\t- a\n", "s.yaml, line 2: this is not valid YAML"),
        ("- a\n", "s.yaml: a study is a mapping"),
        ("", "s.yaml: the field 'targets' is missing"),
        ("targets: []\n", "s.yaml, line 1: targets"),
        ("targets: [a, a]\n", "targets names 'a' twice"),
        (
            "targets: [a]\noverrides: {a: {epoch: 1}}\n",
            "s.yaml, line 2: there is no field 'overrides.a.epoch': did you mean epochs?",
        ),
        ("name: ../x\ntargets: [a]\n", "s.yaml, line 1: name"),
    ],
)
def test_a_mistake_is_named(text: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_study(text, "s.yaml")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_file_that_is_not_text_are_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="There is no study file"):
        read_study(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match=r"bytes\.yaml cannot be read"):
        read_study(tmp_path / "bytes.yaml")


def test_dotted_changes_are_applied() -> None:
    study = parse_study(GOOD, "s.yaml", ("recipe.epochs=5", "seeds=[7]", "recipe.learning_rate=3e-5"))
    assert (study.recipe.epochs, study.seeds, study.recipe.learning_rate) == (5, (7,), 3e-5)


@pytest.mark.parametrize("change", ["recipe.epochs", "=3", "name.x=1", "recipe.epochs=[", "recipe.epoch=1"])
def test_a_change_that_makes_no_sense_is_refused(change: str) -> None:
    with pytest.raises(SpecError):
        parse_study(GOOD, "s.yaml", (change,))


def test_a_study_written_out_and_read_again_is_the_same() -> None:
    from isthmus.api import study_yaml

    study = parse_study(GOOD, "s.yaml", ("overrides.target={epochs: 4}",))
    assert parse_study(study_yaml(study), "again") == study
    assert isinstance(study, Study)


@pytest.mark.parametrize(
    ("text", "changes", "sentence"),
    [
        ("a: &a [*a]\n", (), "s.yaml: it nests too deeply, or an alias"),
        (f"a: {'[' * 3000}", (), "s.yaml: it nests too deeply, or an alias"),
        (GOOD, ("recipe.epochs=abc",), "--set recipe.epochs=abc: recipe.epochs: Input should be a valid number"),
        (GOOD, ("recipe.epoch=1",), "--set recipe.epoch=1: there is no field 'recipe.epoch': did you mean epochs?"),
        (
            "targets: [x]\nfiles:\n  x: {colums: 1}\n",
            (),
            "s.yaml, line 3: there is no field 'files.x.colums': did you mean columns?",
        ),
    ],
)
def test_the_one_to_blame_is_named(text: str, changes: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_study(text, "s.yaml", changes)
    assert str(caught.value).startswith(sentence)


def test_no_is_norwegian_and_quoted_numbers_are_texts() -> None:
    text = 'targets: [a]\nlanguages: [no, de]\nmodels: ["1e5", m@12e4567]\npartial: true\nrecipe: {steps: 1e3}\n'
    study = parse_study(text, "s.yaml")
    assert study.languages == ("no", "de")
    assert study.models == ("1e5", "m@12e4567")
    assert (study.partial, study.recipe.steps) == (True, 1000)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("010", 10), ("0o10", 8), ("0x1F", 31), ("-3", -3), ("1:30", "1:30"), ("1_000", "1_000"), ("0b1", "0b1"),
        ("1e3", 1000), ("1.5e+3", 1500), ("3e-5", 3e-5), (".5", 0.5), ("2.", 2.0), ("-.INF", float("-inf")),
        ("9" * 5000, float("inf")), ("e5", "e5"), ("True", True), ("yes", "yes"), ("on", "on"), ("~", None), ("", None),
        ("2020-01-01", "2020-01-01"), ("2001-99-99", "2001-99-99"), ("=", "="), ("!!float 3", 3.0), ("!!str 3", "3"),
        ("'1e5'", "1e5"), ("!!seq [1]", [1]), ("!!map {a: 1}", {"a": 1}),
    ],
)  # fmt: skip
def test_a_value_is_what_it_is_in_yaml_1_2(written: str, value: object) -> None:
    found = Document(f"a: {written}", "s").data["a"]
    assert found == value and type(found) is type(value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8"))
    | st.text("0123456789.eExobn_:+-~<=!#&*yY \n", max_size=7)
    | st.sampled_from(
        ["1e5", ".5e3", "0o17", "010", "1:30", "no", "true", "null", "2020-01-01", "<<", "=", ".inf", ""]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z1e5.]+", fullmatch=True), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(VALUES)
def test_what_is_written_is_what_is_read(value: Any) -> None:
    assert Document(dump({"a": value}), "s").data == {"a": value}


def test_a_study_whose_names_look_like_numbers_is_kept_as_it_is() -> None:
    from isthmus.api import study_yaml

    text = "name: '1e5'\ntargets: ['.5e3', '0o17']\nfiles: {'1e5': {kind: '1e5'}}\nlanguages: [no, 'true']\n"
    study = parse_study(text, "s.yaml")
    assert parse_study(study_yaml(study), "kept") == study


def test_fields_can_be_taken_over() -> None:
    text = "targets: [a]\noverrides:\n  a: &a {epochs: 2, batch_size: 4}\n  b: {<<: *a, epochs: 3}\n"
    study = parse_study(text, "s.yaml")
    assert (study.overrides["b"].epochs, study.overrides["b"].batch_size) == (3, 4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("targets: [a]\nsizes: [10, 0]\n", "line 2: sizes[1] takes whole number or `all`, not 0"),
        ("targets: [a]\nsizes:\n- 10\n- 10\n", "line 4: sizes names 10 twice"),
        ("targets: [a]\nseeds: [1, true]\n", "line 2: seeds[1]: Input should be a valid integer"),
        ("targets: [a]\nseeds: -1\n", "line 2: seeds: Input should be greater than or equal to 0"),
        ("targets: [a]\nmixtures:\n  x:\n    tasks: [b, c]\n    mlm:\n      shar: 1\n",
         "line 6: there is no field 'mixtures.x.mlm.shar': did you mean share"),
        ("targets: [a]\nmixtures:\n  x:\n    mlm: {share: 1}\n    tasks: [b, c]\n",
         "line 4: mixtures.x.mlm.share: Input should be less than 1"),
        ("targets: [a]\nmixtures:\n  x: {cap: 3}\n", "line 3: the field 'mixtures.x.tasks' is missing"),
        ("targets: [a]\nmixtures:\n  x:\n    tasks: [b, b]\n", "line 3: mixtures.x: a mixture names a task twice"),
        ("targets: [a]\nrecipes:\n  x:\n    epoch: 3\n", "line 4: there is no field 'recipes.x.epoch': did you mean"),
        ("targets: [a]\nrecipes:\n  x:\n    target: {epochs: 0}\n", "line 4: recipes.x.target.epochs: Input should"),
        ("targets: [a]\nfiles:\n  a:\n    columns:\n      text: [b]\n",
         "line 5: files.a.columns.text takes text or whole number, not a list of 1"),
        ("targets: [a]\nfiles: {a: {train: [x, y, z]}}\n", "line 2: files.a.train takes text or two texts, not a list"),
        ("targets: [a]\ntest_examples:\n  a: 0\n", "line 3: test_examples.a: Input should be greater than or"),
        ("targets: [a]\nrecipe:\n", "line 2: recipe takes preset's name or fields, not nothing"),
        ("targets: [a]\nrecipe: quick\n", "line 2: recipe: Input should be 'paper' or 'fast'"),
        ("targets: [a]\nrecipe: {max_grad_norm: .inf}\n", "line 2: recipe.max_grad_norm: Input should be a finite"),
        ("targets: [a]\nintermediates:\n- b@0\n", "line 3: 'b@0': a size is a number of rows, at least 1"),
        ("targets: [a]\nmixtures:\n  x@5: {tasks: [b]}\n", "line 3: mixtures: the name 'x@5' ends as a size does"),
        ("target: [a]\n", "s.yaml, line 1: there is no field 'target': did you mean targets"),
        ("targets: [a]\nmixtures:\n  x:\n    task: [b]\n", "line 4: there is no field 'mixtures.x.task': did you mean"),
        ("targets: [a]\npartial: yes\n", "line 2: partial takes true or false, not 'yes'."),
        ("targets: [a]\npartial: 1\n", "line 2: partial takes true or false, not 1."),
        ("targets: [a]\nrecipe: {no_answer: 'true'}\n", "line 2: recipe.no_answer takes true or false, not 'true'."),
        ("targets: [a]\nseeds: [1_000]\n", "line 2: seeds[0]: Input should be a valid integer"),
        ("targets: [a]\nname: !!timestamp foo\n", "line 2: the tag !!timestamp does not fit: leave it out."),
        ("targets: [a]\nname: !!int foo\n", "line 2: the tag !!int does not fit"),
        ("targets: !mine [a]\n", "line 1: the tag !mine does not fit"),
        ("targets: [a]\nrecipe: !!set {epochs}\n", "line 2: the tag !!set does not fit"),
        ("targets: [a]\nrecipe:\n  <<: {epochs: 1}\n  <<: {steps: 2}\n", "line 4: the field '<<' is given twice"),
        ("targets: [a]\n? [b]\n: 1\n", "line 2: the name of a field is a text"),
        ("targets: [a]\nretrieval: {layer: all}\n", "line 2: retrieval: layer: all needs a dev_language"),
        ("a0: &a0 x\n" + "".join(f"a{n + 1}: &a{n + 1} [{f'*a{n}, ' * 9}]\n" for n in range(8)), "aliases (*name)"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_at_any_depth(text: str, sentence: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_study(text, "s.yaml")
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "path", "value"),
    [
        ("seeds[1]=7", ("seeds", 1), 7),
        ("seeds.2=9", ("seeds", 2), 9),
        ("intermediates[2][1]=slots", ("intermediates", 2, 1), "slots"),
        ("overrides.target.epochs=4", ("overrides", "target", "epochs"), 4),
        ('files."a.csv".train=b.csv', ("files", "a.csv", "train"), "b.csv"),
        ("languages=no", ("languages",), "no"),
        ("name=", ("name",), None),
        ("recipe=\n  epochs: 1\n  steps: 010", ("recipe",), {"epochs": 1, "steps": 10}),
        ("seeds=\n- 1\n- 2", ("seeds",), [1, 2]),
        ('name="a\n  b"', ("name",), "a b"),
    ],
)
def test_a_change_reaches_items_and_new_fields(change: str, path: Location, value: object) -> None:
    from isthmus.study.file import apply_changes

    found: Any = apply_changes((change,), yaml.safe_load(GOOD))
    for part in path:
        found = found[part]
    assert found == value


def test_a_name_with_dots_that_is_there_needs_no_quotes_and_a_preset_becomes_fields() -> None:
    text = "targets: [a.csv]\nfiles: {a.csv: {test: {de: b}}}\nrecipe: fast\n"
    study = parse_study(text, "s", ("files.a.csv.test.sw=c", "recipe.epochs=2"))
    assert study.files["a.csv"].test == {"de": "b", "sw": "c"}
    assert (study.recipe.preset, study.recipe.epochs) == ("fast", 2)


@pytest.mark.parametrize(
    ("text", "changes", "sentence"),
    [
        (GOOD, ("seeds[5]=1",), "--set seeds[5]=1: in a list of 2 there is no item 5: [0] is the first."),
        (GOOD, ("seeds[1]=x",), "--set seeds[1]=x: seeds[1]: Input should be a valid integer"),
        (GOOD, ("mixtures.x.cap=3",), "--set mixtures.x.cap=3: the field 'mixtures.x.tasks' is missing."),
        (GOOD, ("recipe.epochs=9", "seeds=[1,1]"), "--set seeds=[1,1]: seeds names 1 twice."),
        (
            "name: x\nrecipe: {epoch: 1}\ntargets: [a]\n",
            ("seeds=3",),
            "s.yaml, line 2: there is no field 'recipe.epoch'",
        ),
        (GOOD, ("a..b=1",), "--set takes field=value"),
        (GOOD, ("name.x=1",), "--set name.x=1: 'name' holds a value, not fields."),
    ],
)
def test_the_file_is_blamed_for_what_it_says_and_a_change_for_the_rest(
    text: str, changes: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(SpecError) as caught:
        parse_study(text, "s.yaml", changes)
    assert str(caught.value).startswith(sentence)


# -- any mutation of a valid study

WHOLE = """\
name: whole
models: [embedded, m]
intermediates: [none, slots@100, [slots, pairs], mix, slots-mt]
targets: [intents, reviews]
train_on: {reviews: [slots]}
sizes: [100, all]
recipes:
  a: {epochs: 2}
  b: {target: {epochs: 3, head: keep}}
seeds: [1, 2]
target_seeds: {reviews: [1]}
languages: [all]
data: [hub]
partial: true
test_examples: {reviews: 5}
recipe: {epochs: 2, learning_rate: 0.001, dev_languages: [de]}
overrides:
  intermediate: {epochs: 1}
  slots: fast
mixtures:
  mix:
    tasks: [slots, pairs]
    sampling: uniform
    mlm: {share: 0.2, text: {de: de.txt}, languages: [de]}
translations:
  slots-mt: {task: slots, into: [de], translator: t, beams: 2}
retrieval: {layer: 3, pooling: mean}
files:
  reviews:
    train: r.tsv
    test: {de: [de.txt, de.lst]}
    columns: {text: 1, label: stars}
"""
WHOLE_DATA = yaml.safe_load(WHOLE)


def places(data: Any, place: Location = ()) -> Iterator[Location]:
    """Every place in the data, the whole left out."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for part, value in items:
        yield (*place, part)
        yield from places(value, (*place, part))


def changed(place: Location, value: Any, rename: bool = False) -> Any:
    data = deepcopy(WHOLE_DATA)
    inside = data
    for part in place[:-1]:
        inside = inside[part]
    if rename:
        inside[value] = inside.pop(place[-1])
    else:
        inside[place[-1]] = value
    return data


#: Where a field stands that a model has, and no name that is free.
NAMED = [
    place for place in places(WHOLE_DATA) if isinstance(place[-1], str) and is_model(hint_of(at(Study, place[:-1])))
]


def accepted(data: Any) -> bool:
    try:
        Study.model_validate(data)
    except ValueError:
        return False
    return True


WRONG = st.sampled_from([{"x": {"y": 1}}, [[["a"]]], [1.5], -3, 2.5, "?", None, [], [None], True])


@settings(deadline=None, max_examples=80)
@given(place=st.sampled_from(list(places(WHOLE_DATA))), wrong=WRONG)
def test_a_value_that_does_not_fit_is_answered_with_its_line(place: Location, wrong: Any) -> None:
    data = changed(place, wrong)
    text = yaml.safe_dump(data, sort_keys=False)
    if accepted(data):
        assert isinstance(parse_study(text, "s.yaml"), Study)
        return
    with pytest.raises(SpecError) as caught:
        parse_study(text, "s.yaml")
    sentence = str(caught.value)
    found = re.match(r"s\.yaml, line (\d+): ", sentence)
    assert found and "\n" not in sentence and len(sentence) < 400, sentence
    lines = Document(text, "s.yaml").lines
    inside = {line for other, line in lines.items() if other[: len(place)] == place}
    around = {lines[place[:length]] for length in range(1, len(place))}  # a rule about several fields names their whole
    assert int(found[1]) in inside | around
    top = place[0] if len(place) == 1 else written(place[:2])
    assert str(top).split("[")[0].split(".")[0] in sentence


@settings(deadline=None, max_examples=60)
@given(place=st.sampled_from(NAMED), letter=st.sampled_from("xq_"))
def test_a_field_that_there_is_not_is_answered_with_its_line_and_the_nearest(place: Location, letter: str) -> None:
    name = f"{place[-1]}{letter}"
    data = changed(place, name, rename=True)
    text = yaml.safe_dump(data, sort_keys=False)
    if accepted(data):  # names of recipes and the like are free
        return
    with pytest.raises(SpecError) as caught:
        parse_study(text, "s.yaml")
    document = Document(text, "s.yaml")
    assert str(caught.value).startswith(f"s.yaml, line {document.line((*place[:-1], name))}: ")
    assert f"'{written((*place[:-1], name))}': did you mean {place[-1]}" in str(caught.value)


# -- the schema, by which editors check the same

SCHEMA = jsonschema.Draft202012Validator(study_schema())
LAB = Path(__file__).parent.parent / "recipes" / "lab.yaml"


def test_the_schema_is_one_and_accepts_every_study_that_comes_along() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA.schema)
    texts = [example(name) for name in examples()]
    texts += [LAB.read_text(encoding="utf-8")] if LAB.exists() else []
    data = [Document(text, "s").data for text in (*texts, GOOD, WHOLE)]
    data += [load_study(name).model_dump(mode="json", exclude_unset=True) for name in built_in_studies()]
    for each in data:
        SCHEMA.validate(each)
    assert SCHEMA.schema["properties"]["seeds"]["description"] == Study.model_fields["seeds"].description


@settings(deadline=None, max_examples=80)
@given(place=st.sampled_from(list(places(WHOLE_DATA))), wrong=WRONG)
def test_the_schema_refuses_what_reading_refuses(place: Location, wrong: Any) -> None:
    data = changed(place, wrong)
    fits = SCHEMA.is_valid(data)
    if accepted(data):
        assert fits
    elif fits:  # rules about several fields are for reading alone
        with pytest.raises(ValueError, match=r"Value error|twice|size"):
            Study.model_validate(data)


LISTS = [("models",), ("targets",), ("target_seeds", "reviews"), ("mixtures", "mix", "tasks"), ("languages",)]
LISTS += [("intermediates",), ("sizes",), ("seeds",), ("data",), ("train_on", "reviews"), ("recipe", "dev_languages")]


@pytest.mark.parametrize("place", LISTS, ids=written)
def test_what_may_not_stand_twice_may_not_by_the_schema(place: Location) -> None:
    value = WHOLE_DATA
    for part in place:
        value = value[part]
    data = changed(place, [*value, value[0]])
    assert SCHEMA.is_valid(data) == accepted(data)


@pytest.mark.parametrize("name", examples())
def test_every_example_is_a_study(name: str) -> None:
    study = parse_study(example(name), name)
    assert study.targets and "none" in study.intermediates


# -- sizes


@pytest.mark.parametrize(
    ("name", "size", "wanted"),
    [
        ("a", 100, "a@100"), ("a@5", 100, "a@5"), ("a", ALL, "a"), ("a@all", 100, "a"), ("a@all", ALL, "a"),
        ("a > b", 10, "a@10>b@10"), ("a@5>b", 10, "a@5>b@10"), ("a+b", 10, "a+b@10"), ("a@5>b", ALL, "a@5>b"),
    ],
)  # fmt: skip
def test_a_size_is_of_every_task_that_has_none_of_its_own(name: str, size: int | str, wanted: str) -> None:
    assert of_size(name, size) == wanted


def test_a_file_with_an_at_sign_in_its_name_has_no_size() -> None:
    assert sized("rows@2.csv") == ("rows@2.csv", None)
    assert sized("rows@2.csv@30") == ("rows@2.csv", 30)
    assert sized("@5") == ("@5", None)
