"""Conditions and queries over the tables, in DuckDB's SQL.

Studies, and the commands that go with them, are passed around: a query is not trusted. It reads the tables it is given
and nothing else: no file, no network, no extension, no setting, no variable of this program.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from isthmus.errors import MissingPackage, SpecError, nearest

#: Nothing outside of the connection; the last one keeps it so.
_CLOSED = (
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET autoinstall_known_extensions = false",
    "SET autoload_known_extensions = false",
    "SET allow_community_extensions = false",
    "SET python_enable_replacements = false",
    "SET enable_progress_bar = false",
    "SET TimeZone = 'UTC'",
    "SET lock_configuration = true",
)
_NO_COLUMN = re.compile(r'(?:Referenced column|column named?) "([^"]+)"')
_NO_TABLE = re.compile(r"Table with name (\S+) does not exist")
_BATCH = 65_536


def where(condition: str, name: str, table: Any, columns: Sequence[str]) -> pa.RecordBatchReader:
    """The rows of ``table`` (a table, a dataset or a reader, with these columns) for which the condition holds.

    Raises:
        MissingPackage: DuckDB is not installed.
        SpecError: the condition cannot be understood, or computed for some row.
    """
    return _run(f'SELECT * FROM "{name}" WHERE (\n{condition}\n)', {name: table}, "--where", columns)


def select(sql: str, tables: Mapping[str, Any]) -> pa.RecordBatchReader:
    """What a query over ``tables`` finds. Raises as `where`."""
    columns = [name for table in tables.values() for name in table.schema.names]
    return _run(sql, tables, "--sql", list(dict.fromkeys(columns)))


def _run(sql: str, tables: Mapping[str, Any], option: str, columns: Sequence[str]) -> pa.RecordBatchReader:
    try:
        import duckdb
    except ImportError:
        raise MissingPackage("duckdb", option, "duckdb") from None
    connection = duckdb.connect(":memory:")
    for setting in _CLOSED:
        connection.execute(setting)
    for name, table in tables.items():
        connection.register(name, table)
    try:
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SpecError(f"{option} takes {_TAKES[option]}.")
        found = connection.sql(sql).to_arrow_reader(_BATCH)
    except duckdb.Error as error:
        raise SpecError(_sentence(error, option, columns)) from None

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from found
        except (duckdb.Error, pa.ArrowInvalid, OSError) as error:
            raise SpecError(_sentence(error, option, columns)) from None
        finally:
            connection.close()

    return pa.RecordBatchReader.from_batches(found.schema, batches())


_TAKES = {
    "--where": "one condition, such as \"language = 'sw' and gain > 0\"",
    "--sql": 'one query, such as "select language, avg(gain) from results group by language"',
}


def _sentence(error: Exception, option: str, columns: Sequence[str]) -> str:
    """What is wrong with a query."""
    said = str(error).partition("\n")[0].partition("Error: ")
    kind, reason = said[0].strip(), (said[2] or said[0]).rstrip("!. ")
    if found := _NO_COLUMN.search(reason):
        hint = nearest(found[1], columns)
        if hint.startswith("known"):
            hint = f"texts stand in single quotes ('{found[1]}')."
        return f"{option}: there is no column {found[1]!r}: {hint} The columns are {', '.join(columns)}."
    if kind == "Permission" or (found := _NO_TABLE.search(reason)):
        what = f"there is no table {found[1]!r}" if found else reason.partition(" - ")[0]
        return f"{option}: {what}: a query reads the tables results and predictions, and nothing else."
    known = f" The columns are {', '.join(columns)}." if kind in ("Parser", "Binder", "Catalog") else ""
    return f"{option} cannot be computed: {reason}.{known}"
