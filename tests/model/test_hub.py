"""A model from the hub: its commit is pinned, nothing that could run code is fetched, and the cache does without a net.

The hub is a server on this machine (`hub_server`), and everything runs in processes of their own, as for a user: the
library reads HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE when it is imported.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub, names

TINY = "org/tiny"
GIVEN = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
#: What a model stage adds: the card.
OWN = {"README.md"}
#: Does what its arguments say, find=NAME or get=COMMIT, and prints of each the identity, the stage's key or the error.
PROGRAM = """
import json, sys
from pathlib import Path
from isthmus.errors import IsthmusError
from isthmus.running.execute import execute
from isthmus.model.sources import find_model
from isthmus.stage import Settings, Stage
from isthmus.store import Store

def get(commit):
    stage = Stage("model", {"hub": "org/tiny", "revision": commit})
    execute(Store.open(Path(sys.argv[1])), stage, Settings())
    return stage.key

for order in sys.argv[2:]:
    what, _, name = order.partition("=")
    try:
        print(json.dumps(dict(find_model(name).identity) if what == "find" else get(name)))
    except IsthmusError as error:
        print(json.dumps(f"{type(error).__name__}: {error}"))
"""


@pytest.fixture
def hub(tiny_model: Path, tmp_path: Path) -> Iterator[Hub]:
    """A hub with one good repository, which also holds what must never be fetched, and some that cannot be used."""
    good = shutil.copytree(tiny_model, tmp_path / "hub" / "tiny")
    (good / "pytorch_model.bin").write_bytes(b"a pickle")
    (good / "training_args.pkl").write_bytes(b"a pickle")
    (good / "modeling_tiny.py").write_text("raise SystemExit('code from the hub was run')\n")
    (good / "onnx").mkdir()
    (good / "onnx" / "model.safetensors").write_bytes(b"another format")
    repositories = {TINY: good}
    for name, lacking in (("pickled", "model.safetensors"), ("mute", "tokenizer.json"), ("data", "config.json")):
        repositories[f"org/{name}"] = shutil.copytree(good, tmp_path / "hub" / name)
        (repositories[f"org/{name}"] / lacking).unlink()
    repositories["org/gated"] = good
    server = Hub(repositories)
    server.gated.add("org/gated")
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def environment(hub: Hub, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    return {**kept, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}


def ask(environment: dict[str, str], store: Path, *orders: str, program: str = PROGRAM) -> list[Any]:
    """What a program prints, a JSON document a line."""
    command = [sys.executable, "-c", program, str(store), *orders]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_name_stands_for_the_commit_that_it_has_now(hub: Hub, environment: dict[str, str], tmp_path: Path) -> None:
    commit = hub.commit(TINY)
    spellings = [f"find={TINY}{revision}" for revision in ("", "@main", "@v1", f"@{commit}")]
    assert ask(environment, tmp_path, *spellings) == [{"hub": TINY, "revision": commit}] * 4
    (hub.repositories[TINY] / "README.md").write_text("The branch moves on.\n")
    assert hub.commit(TINY) != commit
    assert ask(environment, tmp_path, f"find={TINY}") == [{"hub": TINY, "revision": hub.commit(TINY)}]


def test_nothing_but_weights_configuration_and_tokenizer_is_ever_asked_for(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    _, key = ask(environment, tmp_path / "store", f"find={TINY}", f"get={hub.commit(TINY)}")
    folder = tmp_path / "store" / "stages" / key / "model"
    assert set(names(folder)) == GIVEN | OWN
    assert hub.files_asked_for() == GIVEN
    for name in GIVEN:
        assert (folder / name).read_bytes() == (hub.repositories[TINY] / name).read_bytes()


def test_what_others_left_in_the_cache_does_not_get_into_the_store(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    everything = f"import huggingface_hub; huggingface_hub.snapshot_download({TINY!r})\n"
    (key,) = ask(environment, tmp_path / "store", f"get={hub.commit(TINY)}", program=everything + PROGRAM)
    assert "modeling_tiny.py" in hub.files_asked_for()
    assert set(names(tmp_path / "store" / "stages" / key / "model")) == GIVEN | OWN


def test_offline_the_cache_is_enough_and_without_it_one_sentence_says_what_to_do(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    (before,) = ask(offline, tmp_path, f"find={TINY}")
    assert before == (
        f"ModelError: There is no model folder {TINY}, and the hub's cache has no {TINY}@main: "
        "unset HF_HUB_OFFLINE to download it."
    )
    commit = hub.commit(TINY)
    ask(environment, tmp_path / "first", f"find={TINY}", f"get={commit}")
    asked = len(hub.requests)
    *found, key = ask(offline, tmp_path / "second", f"find={TINY}", f"find={TINY}@{commit}", f"get={commit}")
    assert found == [{"hub": TINY, "revision": commit}] * 2
    assert set(names(tmp_path / "second" / "stages" / key / "model")) == GIVEN | OWN
    hub.shutdown()
    hub.server_close()
    (found_without_hub,) = ask(environment, tmp_path, f"find={TINY}")
    assert found_without_hub == {"hub": TINY, "revision": commit}, "the hub is down, the cache is there"
    assert len(hub.requests) == asked


def test_what_the_hub_cannot_give_is_said_in_one_sentence(
    hub: Hub, environment: dict[str, str], tmp_path: Path
) -> None:
    wanted = {
        "find=org/pickled": "org/pickled@main has no safetensors weights; Isthmus does not load pickled ones.",
        "find=org/mute": "org/mute@main has no tokenizer (such as a tokenizer.json): "
        "save the one it was trained with there.",
        "find=org/data": "org/data@main is no model for transformers: it has no config.json.",
        "find=org/none": "There is no model folder org/none, and no such repository on the hub "
        "(is it private? hf auth login).",
        f"find={TINY}@v7": f"{TINY} has no revision 'v7' on the hub.",
        "find=org/gated": "org/gated is only for those who accept its terms on the hub: do, and hf auth login.",
        "find=org/..": "There is no model folder org/.., and no repository of the hub can have such a name.",
        f"get={'0' * 40}": f"{TINY} has no revision {'0' * 40!r} on the hub.",
    }
    assert ask(environment, tmp_path / "store", *wanted) == [f"ModelError: {said}" for said in wanted.values()]
    assert "pytorch_model.bin" not in hub.files_asked_for()
    (unreachable,) = ask({**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}, tmp_path, "find=embeded")
    assert "could not be had from the hub: " in unreachable and unreachable.endswith("Did you mean embedded?")


def test_a_model_from_the_hub_is_trained_on_a_file(hub: Hub, environment: dict[str, str], tmp_path: Path) -> None:
    rows = [("the lamp is green", "lamp"), ("a boat on the river", "boat"), ("turn off the lamp", "lamp")] * 4
    (tmp_path / "things.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    command = [str(Path(sys.executable).with_name("isthmus")), "train", "--model", f"{TINY}@v1", "--json"]
    command += ["--target", "things.csv", "--test", "de=things.csv", "--output", "out", "--set", "recipe.max_length=32"]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=90, check=False
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert told["tasks"]["things.csv"]["languages"].keys() == {"de"}
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert hub.commit(TINY) in card, "the card says which commit was trained"
    assert hub.files_asked_for() == GIVEN
