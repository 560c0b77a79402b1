"""A store with a translator and an encoder in it, and rows to translate."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from isthmus.data.schema import Kind, fingerprint, to_table
from isthmus.disk import replacing
from isthmus.model.sources import find_model
from isthmus.running.execute import execute
from isthmus.stage import Settings, Stage
from isthmus.store import Store
from tests.translate.phrasebook import write_translator


class Workplace:
    """A store, and the stages that build on its models."""

    def __init__(self, root: Path, models: Mapping[str, Path]) -> None:
        self.store = Store.open(root)
        self.inputs = {role: self.model(folder) for role, folder in models.items()}

    def model(self, folder: Path) -> str:
        source = find_model(str(folder))
        stage = Stage("model", source.identity, title=f"get {folder.name}", hints=source.hints)
        execute(self.store, stage, Settings())
        return stage.key

    def rows(self, kind: Kind, columns: Mapping[str, Sequence[Any]]) -> str:
        table = to_table(kind, columns, "test")
        name = fingerprint(table)
        path = self.store.data_file(name)
        with replacing(path) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
            writer.write_table(table)
        return name

    def stage(self, kind: Kind, columns: Mapping[str, Sequence[Any]], **fields: Any) -> Stage:
        identity = {"kind": str(kind), "rows": self.rows(kind, columns), "source": "en", "language": "de", **fields}
        needs = self.inputs if kind in (Kind.SPAN, Kind.TAGGING) else {"translator": self.inputs["translator"]}
        return Stage("translate", identity, needs, "translate the rows")

    def run(self, stage: Stage) -> tuple[pa.Table, Mapping[str, Any]]:
        """The rows that the stage leaves, and its result."""
        execute(self.store, stage, Settings())
        record = self.store.record(stage.key)
        assert record is not None
        with pa.memory_map(str(self.store.stage_folder(stage.key) / "rows.arrow")) as source:
            return pa.ipc.open_file(source).read_all(), record.result


@pytest.fixture(scope="session")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a translator that knows a phrasebook: read-only."""
    return write_translator(tmp_path_factory.mktemp("phrasebook"))


@pytest.fixture
def workplace(tmp_path: Path, translator: Path, tiny_model: Path) -> Workplace:
    return Workplace(tmp_path / "store", {"translator": translator, "encoder": tiny_model})
