import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

ORACLE = Path(os.environ.get("ISTHMUS_SHARED", "../shared")) / "oracle"


def published(*names: str) -> Any:
    """A file of published figures; None where there is no such folder."""
    path = ORACLE.joinpath(*names)
    return json.loads(path.read_bytes()) if path.exists() else None


@pytest.fixture(scope="session")
def oracle() -> Path:
    """The folder with the figures of the official evaluators, where there is one."""
    if not (ORACLE / "cases/expected.json").exists():
        pytest.skip("no shared folder (ISTHMUS_SHARED) with published figures")
    return ORACLE


@pytest.fixture(scope="session")
def full_benchmark(oracle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder with every task and language of both suites."""
    folder = tmp_path_factory.mktemp("full")
    with zipfile.ZipFile(oracle / "full_benchmark/full_benchmark.zip") as archive:
        for entry in archive.infolist():
            name = PurePosixPath(entry.filename)
            assert not name.is_absolute() and ".." not in name.parts and entry.file_size < 1_000_000
        archive.extractall(folder)
    return folder


def assert_same(found: Any, expected: Any, where: str = "") -> None:
    """Equal in structure, and in every figure to 1e-9."""
    if isinstance(expected, Mapping):
        assert set(found) == set(expected), where
        for name, value in expected.items():
            assert_same(found[name], value, f"{where}/{name}")
    else:
        assert abs(found - expected) < 1e-9, f"{where}: {found} is not {expected}"


def write_tree(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files by relative name."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
