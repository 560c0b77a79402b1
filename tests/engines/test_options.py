"""What engines are told: read strictly, and a mistake is one sentence that says what to do."""

import importlib
import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.disk import lock
from isthmus.engines.choose import choose, options_of
from isthmus.engines.options import duration, pairs, seconds_of
from isthmus.engines.ray_cluster import Look, Need, Node, check_look, check_places, import_ray, look, need_of, nodes_of
from isthmus.errors import MissingPackage, ResourceError, SpecError
from isthmus.stage import Settings

HERE = version("isthmus")


@given(st.integers(1, 10_000), st.sampled_from([("", 1), ("s", 1), ("m", 60), ("h", 3600), ("d", 86400)]))
def test_a_time_is_a_number_and_a_unit(number: int, unit: tuple[str, int]) -> None:
    assert duration(f"{number}{unit[0]}") == number * unit[1]


@pytest.mark.parametrize("text", ["", "0", "-5", "soon", "5 weeks", "1h30", "nan", "inf", "9" * 400])
def test_anything_else_is_no_time(text: str) -> None:
    with pytest.raises(SpecError, match="--timeout is a time such as"):
        seconds_of(text)


def test_options_are_read_with_their_types() -> None:
    given = {"partition": "gpu", "time": "2h", "mem": "16GB", "gpus": "0", "cpus": "4", "setup": "export A=b,c"}
    assert options_of("slurm", given) == {**given, "time": 7200.0, "mem": 16.0, "gpus": 0, "cpus": 4}
    assert options_of("slurm", {"time": "5m", "mem": "1M"}) == {"time": 300.0, "mem": 0.001}
    assert options_of("ray", {"gpus": "0.5", "memory": "500M"}) == {"gpus": 0.5, "memory": 0.5}
    assert pairs(["setup=export A=b", "qos=low"]) == {"setup": "export A=b", "qos": "low"}


@pytest.mark.parametrize(
    ("engine", "options", "words"),
    [
        ("rya", {}, "--engine is local, ray or slurm, not 'rya': did you mean ray?"),
        ("ray", {"adress": "auto"}, "the ray engine has no option 'adress': did you mean address?"),
        ("local", {"cpus": "2"}, "the local engine has no option 'cpus': it takes none."),
        ("ray", {"cpus": "0"}, "cpus is a number from 1, not '0'."),
        ("ray", {"gpus": "1.5"}, "gpus is a number from 0, or a part of one such as 0.5, not '1.5'."),
        ("slurm", {"mem": "lots"}, "mem is an amount such as 16GB, from 1M to 1000T, not 'lots'."),
        ("slurm", {"mem": "0.4M"}, "from 1M to 1000T, not '0.4M'."),
        ("slurm", {"mem": "0.0001G"}, "from 1M to 1000T, not '0.0001G'."),
        ("ray", {"memory": f"{'9' * 400}G"}, "memory is an amount such as 16GB, from 1M to 1000T, not '999"),
        ("ray", {"gpus": "9" * 400}, "gpus is a number from 0, or a part of one such as 0.5, not '999"),
        ("slurm", {"time": "0"}, "time is a time such as 90m or 4h, from 5m to 10000d, not '0'."),
        ("slurm", {"time": "90s"}, "from 5m to 10000d, not '90s'."),
        ("slurm", {"time": "9" * 400}, "from 5m to 10000d, not '999"),
        ("slurm", {"poll": "10001d"}, "poll is a time such as 90, 30m or 2h, at most 10000d, not '10001d'."),
        ("slurm", {"partition": "gpu\nrm x"}, r"partition is a word, not 'gpu\nrm x'."),
        ("slurm", {"account": "me\x1b[2J"}, r"account is a word, not 'me\x1b[2J'."),
        ("slurm", {"setup": "a\nb"}, r"setup is one line of shell, not 'a\nb'."),
        ("slurm", {"cluster": "pbs"}, "cluster is slurm or local, not 'pbs'."),
        ("slurm", {"partition": " "}, "partition is a word, not ' '."),
    ],
)
def test_a_mistake_is_one_sentence(engine: str, options: dict[str, str], words: str) -> None:
    with pytest.raises(SpecError) as caught:
        options_of(engine, options)
    assert words in str(caught.value)


@pytest.mark.parametrize(("given", "words"), [(["auto"], "NAME=VALUE"), (["a=1", "a=2"], "names a twice")])
def test_options_come_as_pairs(given: list[str], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        pairs(given)


def test_the_command_line_reads_them_before_anything_is_planned(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "isthmus.cli", "run", "quickstart", "--store", str(tmp_path / "store"), "--json"]
    command += ["--engine", "ray", "--engine-option", "adress=auto"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ended.returncode == 2
    assert "did you mean address?" in json.loads(ended.stdout)["error"]
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_a_package_that_is_missing_is_named_with_its_command(
    engine: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=rf"package {package}, .*pip install 'isthmus\[{engine}\]'"):
        choose(engine, {}, None, (1, Settings()), tmp_path)


def test_a_preset_choice_of_gpus_stays_where_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray gives its workers their GPUs; nothing that the run starts with is told to them."""
    importlib.import_module("ray")  # which sets a variable of its own
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    before = dict(os.environ)
    import_ray(starting=False)
    changed = {name for name in os.environ if os.environ[name] != before.get(name)}
    assert changed <= {"RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"}


def node(cpus: float, gpus: float = 0, memory: float = 64) -> Node:
    told = {"CPU": cpus, "GPU": gpus, "memory": memory * 1e9}
    common = {"NodeID": "n", "NodeManagerHostname": "host", "NodeManagerAddress": "10.0.0.1"}
    (found,) = nodes_of([{"Alive": True, "Resources": told, **common}, {"Alive": False, "Resources": {}, **common}])
    return found


def test_a_node_has_as_many_places_as_its_scarcest_resource_allows() -> None:
    assert node(16, 4).places(Need(2)) == 8
    assert node(16, 4).places(Need(2, 1)) == 4
    assert node(16, 4).places(Need(2, 0.5)) == 8
    assert node(16, 4, 8).places(Need(2, 0, 4)) == 2
    assert node(1).places(Need(2)) == 0
    assert node(16).places(Need(1, 1)) == 0


@pytest.mark.parametrize(
    ("nodes", "device", "processes", "options", "need"),
    [
        ([node(64), node(16)], "auto", 1, {}, Need(2)),
        ([node(2)], "auto", 1, {}, Need(1)),
        ([node(64, 8), node(16)], "auto", 1, {}, Need(8, 1)),
        ([node(64, 8)], "auto", 4, {}, Need(32, 4)),
        ([node(64, 8)], "cpu", 1, {}, Need(8)),
        ([node(64, 8)], "auto", 1, {"gpus": 0.5, "cpus": 2, "memory": 8.0}, Need(2, 0.5, 8)),
        ([node(8)], "cuda", 1, {}, Need(1, 1)),
    ],
)
def test_what_a_stage_needs_follows_from_the_cluster(
    nodes: list[Node], device: str, processes: int, options: dict[str, float], need: Need
) -> None:
    assert need_of(nodes, device, processes, options) == need


def test_what_no_node_has_is_said_instead_of_waited_for() -> None:
    check_places([node(1), node(8, 1)], Need(2, 1))
    with pytest.raises(ResourceError, match=r"needs 1 CPU and 2 GPUs, which no node .* has \(the largest has 8 CPUs"):
        check_places([node(8, 1, 32), node(16, 0)], Need(1, 2))
    with pytest.raises(ResourceError, match=r"\(there is none\)"):
        check_places([], Need(1))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (Look("0.0.1", True, True), "has Isthmus 0.0.1, and here is"),
        (Look(HERE, False, False), "does not see the store /shared/store: put it into a folder that all nodes share"),
        (Look(HERE, True, False), "but not its locks: two nodes could run the same stage"),
    ],
)
def test_a_node_that_would_do_harm_is_named(seen: Look, words: str) -> None:
    with pytest.raises(ResourceError, match=words) as caught:
        check_look(node(2), seen, Path("/shared/store"))
    assert "host (10.0.0.1)" in str(caught.value)
    check_look(node(2), Look(HERE, True, True), Path("/shared/store"))


def test_a_node_looks_for_the_file_and_whether_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "some.lock"
    assert look(str(path)) == Look(HERE, False, False)
    with lock(path):
        assert look(str(path)) == Look(HERE, True, True)
    assert look(str(path)) == Look(HERE, True, False)
