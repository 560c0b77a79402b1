"""A study is read strictly, and every mistake is answered with the file, the line and the field."""

from pathlib import Path

import pytest

from isthmus.errors import SpecError
from isthmus.spec import Study
from isthmus.study_file import parse_study, read_study

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
        ("targets: [intents]\nseed: 1\n", "s.yaml, line 2: there is no field 'seed': did you mean seeds"),
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
        ("targets: [a]\noverrides: {a: {epoch: 1}}\n", "overrides.a: epoch: there is no such field"),
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
