"""The Makefile and its scripts: what a person without any of this installed runs first."""

import importlib.util
import os
import re
import shutil
import subprocess
import tomllib
from itertools import chain
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Stands for Python: makes a virtual environment that is nothing but itself, and whose pip fails when $FAIL is set.
PYTHON = """#!/bin/sh
case "$*" in
    "-m venv --clear .venv") rm -rf .venv; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
    *"pip install"*) echo "$@" >> pip.log; test -z "${FAIL:-}" ;;
    --version) echo "Python 3.11.0" ;;
esac
"""


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(command, cwd=cwd, env=kept | environment, capture_output=True, text=True, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with nothing installed, and a Python that installs nothing but remembers what it was asked."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    program(tmp_path / "python", PYTHON)
    return tmp_path


def install(clone: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run("make", ".venv/stamps/quickstart", cwd=clone, PYTHON=str(clone / "python"), **environment)


def test_make_alone_lists_its_targets(clone: Path) -> None:
    listed = run("make", cwd=clone).stdout
    for target in ("quickstart", "test", "lint", "docs", "clean"):
        assert f"make {target} " in listed


def test_an_installation_is_pinned_and_done_once(clone: Path) -> None:
    assert install(clone).returncode == 0
    assert install(clone).returncode == 0
    assert (clone / "pip.log").read_text(encoding="utf-8").count("-c constraints.txt -e .[quickstart]") == 1


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_an_installation_is_repeated_when_its_requirements_change(clone: Path, changed: str) -> None:
    install(clone)
    later = (clone / ".venv/stamps/quickstart").stat().st_mtime + 2
    os.utime(clone / changed, (later, later))
    assert install(clone).returncode == 0
    assert (clone / "pip.log").read_text(encoding="utf-8").count("pip install") == 2


def test_the_tools_of_developers_include_the_quickstart(clone: Path) -> None:
    assert run("make", ".venv/stamps/dev", cwd=clone, PYTHON=str(clone / "python")).returncode == 0
    assert run("make", "--question", ".venv/stamps/quickstart", cwd=clone).returncode == 0


def test_the_tools_of_developers_include_all_that_tests_use(clone: Path) -> None:
    optional = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (ours,) = (need for need in optional["dev"] if need.startswith("isthmus["))
    assert set(ours.removeprefix("isthmus[").removesuffix("]").split(",")) == set(optional) - {"dev", "bench"}
    run("make", ".venv/stamps/dev", cwd=clone, PYTHON=str(clone / "python"))
    assert (clone / "pip.log").read_text(encoding="utf-8").strip().endswith("-e .[dev]")


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    named = {re.split(r"[<>=\[]", need)[0].lower().replace("_", "-") for need in needs} - {"isthmus"}
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().replace("_", "-").splitlines()
    assert named <= {line.partition("==")[0] for line in lines}


def test_an_interrupted_installation_is_not_believed(clone: Path) -> None:
    assert install(clone, FAIL="yes").returncode != 0
    half_installed = program(clone / ".venv/lib/half.py", "")
    again = install(clone)
    assert again.returncode == 0 and "cut off" in again.stdout
    assert not half_installed.exists()


def test_an_environment_made_by_somebody_else_is_never_emptied(clone: Path) -> None:
    program(clone / ".venv/bin/python", PYTHON)
    theirs = program(clone / ".venv/lib/theirs.py", "")
    assert install(clone, FAIL="yes").returncode != 0
    assert install(clone).returncode == 0
    assert theirs.exists()


def test_an_old_python_is_refused_in_a_sentence(clone: Path) -> None:
    program(clone / "python", "#!/bin/sh\nexit 1\n")
    refused = install(clone)
    assert refused.returncode != 0
    assert "Isthmus needs Python 3.11 or newer" in refused.stderr and "make PYTHON=" in refused.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize(
    "apt_get, said",
    [
        (None, "no apt-get to install it"),
        ("echo 'E: no such mirror' >&2; exit 100", "apt-get failed (E: no such mirror)"),
        ("exit 0", ""),
    ],
)
def test_without_chromium_the_tests_go_on_after_one_sentence(tmp_path: Path, apt_get: str | None, said: str) -> None:
    for name in ("sh", "id", "mktemp", "rm", "tail", "env"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    program(tmp_path / "sudo", '#!/bin/sh\nif [ "$1" = -n ]; then shift; fi\n"$@"\n')
    if apt_get is not None:
        program(tmp_path / "apt-get", f"#!/bin/sh\n{apt_get}\n")
    result = run("sh", str(ROOT / "scripts/install-chromium"), cwd=tmp_path, PATH=str(tmp_path))
    assert result.returncode == 0
    assert result.stderr.count("\n") == bool(said) and said in result.stderr


@pytest.fixture
def check_docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/check_docs.py, looking at an empty repository."""
    spec = importlib.util.spec_from_file_location("check_docs", ROOT / "scripts/check_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    shutil.copy(ROOT / "Makefile", tmp_path)
    return module


def mistakes(check_docs: ModuleType, tmp_path: Path, text: str) -> list[str]:
    page = tmp_path / "README.md"
    page.write_text(text, encoding="utf-8")
    return [str(mistake) for mistake in check_docs.check(page)]


@pytest.mark.parametrize(
    "text, mistake",
    [
        ("a [page](docs/none.md)", "README.md:1: the link docs/none.md leads nowhere"),
        ("[`code`](none.md)", "README.md:1: the link none.md leads nowhere"),
        ("![picture](../up.png)", "README.md:1: the link ../up.png leaves the repository"),
        ("# One\n\n[down](#two)", "README.md:3: the link #two names a heading that README.md does not have"),
        ("see `src/isthmus/none.py`", "README.md:1: there is no file src/isthmus/none.py"),
        ("run `make quickstrat`", "README.md:1: the Makefile has no target 'quickstrat'"),
        ("```sh\n$ cd x && make tset\n```", "README.md:2: the Makefile has no target 'tset'"),
        (
            "```python\n\nfrom isthmus.languages import lnguage\n```",
            "README.md:3: there is no isthmus.languages.lnguage",
        ),
        ("```python\nif:\n```", "README.md:2: this Python does not parse: invalid syntax"),
        ("```yaml\na: [\n```", "README.md:2: this YAML does not parse: "),
    ],
)
def test_a_mistake_in_the_documentation_is_found(
    check_docs: ModuleType, tmp_path: Path, text: str, mistake: str
) -> None:
    found = mistakes(check_docs, tmp_path, text)
    assert len(found) == 1 and found[0].startswith(mistake)


def test_correct_documentation_passes(check_docs: ModuleType, tmp_path: Path) -> None:
    text = (
        "# One `two`\n\n[up](#one-two), [make](Makefile), [away](https://example.org/x), `Makefile`\n\n"
        "```sh\nmake test \\\n    PYTEST_ARGS='-x'  # all\n```\n\n"
        "```python\nfrom isthmus.languages import language\nimport isthmus.errors\n```\n\n"
        "```text\n[not a link](none.md)\n```\n"
    )
    assert mistakes(check_docs, tmp_path, text) == []


def test_commands_of_the_command_line_are_checked(check_docs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {
        (): "Usage: isthmus [OPTIONS] COMMAND [ARGS]...\n --help",
        ("stage",): "Usage: isthmus stage [OPTIONS] COMMAND",
        ("stage", "run"): "Usage: isthmus stage run [OPTIONS] FILE",
        ("run",): "Usage: isthmus run [OPTIONS] STUDY\n --store DIR  --json",
    }
    monkeypatch.setattr(check_docs, "help_text", lambda *command: pages.get(command))
    wrong = {
        "isthmus run a.yaml --store s --json": [],
        "isthmus stage run stage.json": [],
        "isthmus --help": [],
        "isthmus run a.yaml --stor s": ["`isthmus run` has no option --stor"],
        "isthmus walk a.yaml": ["`isthmus` has no command 'walk'"],
        "isthmus stage walk": ["`isthmus stage` has no command 'walk'"],
    }
    assert {line: list(check_docs.command_mistakes(line)) for line in wrong} == wrong
