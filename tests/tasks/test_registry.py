"""The registry: by name, without work, and helpful when the name is wrong."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

from isthmus.errors import IsthmusError, MissingPackage, SpecError
from isthmus.tasks import emoji_names, grammar, package_files
from isthmus.tasks.registry import task, tasks


def test_a_task_is_found_by_its_name() -> None:
    assert task("intents").name == "intents"
    assert list(tasks()) == [found.name for found in tasks().values()]


def test_an_unknown_task_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(SpecError, match=r"No task is called 'intent': did you mean intents or "):
        task("intent")


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        tasks()["mine"] = task("intents")  # type: ignore[index]


def test_listing_the_tasks_imports_nothing_heavy() -> None:
    heavy = ("hassil", "emoji", "home_assistant_intents", "torch", "transformers")
    listing = "import sys; from isthmus.tasks.registry import tasks; tasks()"
    script = f"{listing}; print([module for module in {heavy} if module in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("module", "distribution", "name", "language"),
    [
        ("home_assistant_intents", "home-assistant-intents", "intents", "de"),
        ("hassil", "hassil", "slots", "sw"),
        ("emoji", "emoji", "emoji-names", "de"),
    ],
)
def test_a_missing_package_is_told_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, module: str, distribution: str, name: str, language: str
) -> None:
    monkeypatch.setattr(
        "isthmus.tasks.package_files.find_spec", lambda wanted: None if wanted == module else find_spec(wanted)
    )
    grammar.grammar.cache_clear()
    emoji_names._file.cache_clear()
    with pytest.raises(MissingPackage, match=rf"needs the package {distribution}.*pip install 'isthmus\[quickstart\]'"):
        grammar.grammar(language) if module != "emoji" else emoji_names._file(language)


def test_the_version_of_a_missing_package_is_told_in_a_sentence() -> None:
    with pytest.raises(MissingPackage, match="Reading runes needs the package runes-of-old, which is not installed"):
        package_files.package_version("runes-of-old", "Reading runes")


@pytest.mark.parametrize(
    ("name", "split", "language"),
    [
        ("intents", "train", "de"),
        ("intents", "test", "xx"),
        ("template-pairs", "test", "de"),
        ("emoji-names", "dev", "de"),
        ("emoji-names", "test", "sw"),
        ("emoji-aliases", "test", "de"),
    ],
)
def test_a_split_that_is_not_there_is_told_in_a_sentence(name: str, split: str, language: str) -> None:
    with pytest.raises(IsthmusError) as told:
        task(name).source.load(split, language)  # type: ignore[arg-type]
    assert str(told.value).endswith(".") and "\n" not in str(told.value)
