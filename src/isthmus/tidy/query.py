"""Conditions and queries over the tables, in DuckDB's SQL.

Studies, and the commands that go with them, are passed around: a query is not trusted. It reads the tables it is given
and nothing else: no file, no network, no extension, no setting, no variable of this program.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from isthmus.errors import MissingPackage, SpecError, nearest

if TYPE_CHECKING:
    import duckdb

#: Nothing outside of the connection; the last one keeps it so.
_CLOSED = (
    "SET temp_directory = ''",
    "SET allow_persistent_secrets = false",
    "SET secret_directory = 'none'",
    "SET extension_directory = 'none'",
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
#: Types that some format lacks, and what is written instead: sums of whole numbers are whole, the rest is text.
_PLAIN = {"HUGEINT": "BIGINT", **dict.fromkeys(("INTERVAL", "BIT", "BLOB", "BIGNUM"), "VARCHAR")}


def where(condition: str, name: str, table: Any, columns: Sequence[str]) -> pa.RecordBatchReader:
    """The rows of ``table`` (a table, a dataset or a reader, with these columns) for which the condition holds.

    Raises:
        MissingPackage: DuckDB is not installed.
        SpecError: the condition cannot be understood, or computed for some row.
    """
    connection = _connected({name: table}, "--where")
    import duckdb

    try:  # the condition is parsed alone: nothing in it ends the query that it becomes part of
        parsed = duckdb.SQLExpression(condition)
    except duckdb.Error as error:
        if "syntax error" in str(error):
            raise SpecError(_sentence(error, "--where", columns)) from None
        raise SpecError(f"--where takes {_TAKES['--where']}.") from None
    return _read(connection, lambda: connection.table(name).filter(parsed), "--where", columns).cast(table.schema)


def select(sql: str, tables: Mapping[str, Any]) -> pa.RecordBatchReader:
    """What a query over ``tables`` finds. Raises as `where`."""
    connection = _connected(tables, "--sql")
    import duckdb

    def found() -> "duckdb.DuckDBPyRelation":
        statements = connection.extract_statements(sql)
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise SpecError(f"--sql takes {_TAKES['--sql']}.")
        return _plain(connection.sql(sql))

    columns = [name for table in tables.values() for name in table.schema.names]
    return _read(connection, found, "--sql", list(dict.fromkeys(columns)))


def _connected(tables: Mapping[str, Any], option: str) -> "duckdb.DuckDBPyConnection":
    """A connection that sees these tables and nothing else."""
    try:
        import duckdb
    except ImportError:
        raise MissingPackage("duckdb", option, "duckdb") from None
    connection = duckdb.connect(":memory:")
    for setting in _CLOSED:
        connection.execute(setting)
    for name, table in tables.items():
        connection.register(name, table)
    return connection


def _plain(found: "duckdb.DuckDBPyRelation") -> "duckdb.DuckDBPyRelation":
    """What was found, with types that every format has. Raises SpecError where two columns have one name."""
    from duckdb import ColumnExpression

    names = Counter(name.lower() for name in found.columns)
    if twice := [name for name in found.columns if names[name.lower()] > 1]:
        raise SpecError(f"--sql finds two columns called {twice[0]}: give one of them another name with AS.")
    kinds = [str(kind) for kind in found.types]
    if not set(kinds) & set(_PLAIN):
        return found
    cast = (
        ColumnExpression(name).cast(_PLAIN[kind]).alias(name) if kind in _PLAIN else ColumnExpression(name)
        for name, kind in zip(found.columns, kinds, strict=True)
    )
    return found.select(*cast)


def _read(
    connection: "duckdb.DuckDBPyConnection",
    relation: "Callable[[], duckdb.DuckDBPyRelation]",
    option: str,
    columns: Sequence[str],
) -> pa.RecordBatchReader:
    """The rows of a relation, read as they are asked for; what is wrong with it is a sentence."""
    import duckdb

    try:
        found = relation().to_arrow_reader(_BATCH)
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
