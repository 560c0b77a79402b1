"""The stage `translate`: training rows and a translator in, the same rows in another language out.

Sentences and their translations are kept in the store, under ``translations/``, by translator and pair of languages:
no stage translates one again. Rows are made in parts; a stage that was interrupted goes on behind the last one.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache as once
from pathlib import Path
from typing import Any

import pyarrow as pa
import torch

from isthmus.data.catalog import read_rows
from isthmus.data.provenance import Provenance, provenance, stamped
from isthmus.data.schema import PROJECTED, SCHEMAS, Kind, check_table
from isthmus.disk import replacing, write_atomic
from isthmus.errors import DataError, SpecError
from isthmus.kinds.core import TOKEN_BUDGET, device_called
from isthmus.model.folder import load_model, load_tokenizer
from isthmus.running.execute import Context, Interrupted
from isthmus.stage import Json, canonical
from isthmus.study.spec import Translation
from isthmus.translate.align import Aligner
from isthmus.translate.cache import Cache
from isthmus.translate.model import Options, Seq2Seq, Translator
from isthmus.translate.project import Languages
from isthmus.translate.rows import Made, Rules, check_kind, source_of, translated, wording_of
from isthmus.translate.wording import Progress, cut, in_words, translate_all

#: Raise it when the same translator would translate a sentence otherwise.
_CACHE_VERSION = 1
#: Rows made between two savings.
_PART = 1000
_HOW = "how"


def run(context: Context) -> dict[str, Json]:
    """Translate as the stage's identity says; writes ``rows.arrow``, in the schema of the kind.

    Returns:
        How many rows there were, were kept, and were dropped for which reason; how many sentences were translated and
        how many were in the cache before; how many rows have labels projected which way.
    """
    identity = context.stage.identity
    torch.set_num_threads(context.settings.threads)
    rules = _rules(identity)
    device = device_called(context.settings.device)
    options = Options(*rules.languages, _option(identity, "beams"))
    name = _name_of(context, "translator")
    translator = Seq2Seq(context.input_folder("translator") / "model", name, options, device)
    max_length = _option(identity, "max_length")
    if max_length > translator.longest:
        raise SpecError(f"max_length is {max_length}, but {name} reads at most {translator.longest} tokens: lower it.")
    cache = Cache(cache_path(context, options))
    return translate(context, rules, translator, cache, device, name)


def translate(
    context: Context, rules: Rules, translator: Translator, cache: Cache, device: torch.device, name: str
) -> dict[str, Json]:
    """`run`, by any translator."""
    identity = context.stage.identity
    table = read_rows(context.store.data_file(identity["rows"]))
    if rules.kind is Kind.TAGGING:
        rules = rules.of(table.column("tags").to_pylist())
    sources = [source_of(row, rules) for row in _rows(table)]
    cuts = cut((text for source in sources for text in source.texts), translator, _option(identity, "max_length"))
    wanted = {sent for source in sources for sent in wording_of(source, cuts, rules) if in_words(sent)}
    reused = _at_the_beginning(context, sum(sent in cache.known for sent in wanted))
    total = len(wanted) + len(table)

    def after(progress: Progress) -> None:
        context.report(progress.done, total)
        _stop_if_asked(context, f"{progress.done} of {progress.total} sentences translated")

    words = translate_all(wanted, translator, cache, after)
    aligner = once(lambda: _aligner(context, device)) if rules.aligns else None
    parts = []
    for start, path in _parts(context, len(table)):
        if not path.exists():
            _save(path, translated(table.slice(start, _PART).to_pylist(), rules, cuts, words, aligner), rules.kind)
        parts.append(read_rows(path))
        context.report(len(words) + min(len(table), start + _PART), total)
        _stop_if_asked(context, f"{min(len(table), start + _PART)} of {len(table)} rows made")
    made = pa.concat_tables(parts)
    counts = Counter(made.column(_HOW).to_pylist())
    kept = _kept(made, table, rules, name)
    check_table(rules.kind, kept, context.stage.title)
    with replacing(context.output / "rows.arrow") as temporary, pa.ipc.new_file(str(temporary), kept.schema) as writer:
        writer.write_table(kept)
    return {
        "rows": len(table),
        "kept": len(kept),
        "dropped": {how.removeprefix("-"): count for how, count in sorted(counts.items()) if how[0] == "-"},
        "sentences": len(words),
        "translated": len(words) - reused,
        "reused": reused,
        "projected": {how: counts[how] for how in ("markers", "alignment")} if rules.kind in PROJECTED else {},
        "translator": name,
        "language": rules.languages.target,
    }


def cache_path(context: Context, options: Options) -> Path:
    """The file of the sentences that this translator has translated between these languages."""
    told = {"translator": context.stage.inputs["translator"], "beams": options.beams, "version": _CACHE_VERSION}
    folder = hashlib.sha256(canonical(told)).hexdigest()[:20]
    return context.store.root / "translations" / folder / f"{options.source}-{options.target}.jsonl"


def _rules(identity: Mapping[str, Json]) -> Rules:
    kind = Kind(identity["kind"])
    check_kind(kind)
    languages = Languages(identity["source"], identity["language"])
    if languages.source == languages.target:
        raise SpecError(f"The rows are in {languages.source} already: name another language to translate them into.")
    return Rules(kind, languages, *(_option(identity, name) for name in ("projection", "min_quality")))


def _option(identity: Mapping[str, Json], name: str) -> Any:
    """A field of the translation; one at its default is not in the identity."""
    return identity.get(name, Translation.model_fields[name].default)


def _name_of(context: Context, role: str) -> str:
    """What a person calls the model that plays ``role``."""
    record = context.store.record(context.stage.inputs[role])
    return str(record.result["history"][0]["model"]) if record else role


def _at_the_beginning(context: Context, reused: int) -> int:
    """How many sentences were in the cache when the first attempt at the stage began."""
    path = context.work / "begun.json"
    if not path.exists():
        write_atomic(path, json.dumps({"reused": reused}).encode())
    return int(json.loads(path.read_bytes())["reused"])


def _stop_if_asked(context: Context, state: str) -> None:
    if context.stopping():
        raise Interrupted(f"{context.stage.title}: stopped, with {state} and saved.")


def _aligner(context: Context, device: torch.device) -> Aligner:
    folder = context.input_folder("encoder") / "model"
    model: Any = load_model(folder, "AutoModel", [], fresh_head=False).eval()
    return Aligner(model.to(device), load_tokenizer(folder), TOKEN_BUDGET[device.type])


def _rows(table: pa.Table) -> Iterator[Mapping[str, Any]]:
    """The rows, so many at a time that the others need not be Python objects."""
    for start in range(0, len(table), _PART):
        yield from table.slice(start, _PART).to_pylist()


def _parts(context: Context, rows: int) -> Iterator[tuple[int, Path]]:
    """The first row of each part, and its file."""
    folder = context.work / "parts"
    folder.mkdir(exist_ok=True)
    for left in folder.glob(".*.tmp"):
        left.unlink()
    for start in range(0, rows, _PART):
        yield start, folder / f"{start:010}.arrow"


def _save(path: Path, made: list[Made], kind: Kind) -> None:
    """Write rows and how they were made; of a row that is dropped only that, after a ``-``."""
    schema = SCHEMAS[kind]
    columns = {
        name: pa.array([None if one.row is None else one.row[name] for one in made], schema.field(name).type)
        for name in schema.names
    }
    hows = pa.array([one.how if one.row is not None else f"-{one.how}" for one in made], pa.string())
    table = pa.table({**columns, _HOW: hows})
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), table.schema) as writer:
        writer.write_table(table)


def _kept(made: pa.Table, table: pa.Table, rules: Rules, name: str) -> pa.Table:
    """The rows that were not dropped, telling how they came about. Raises DataError where there is none."""
    import pyarrow.compute as pc

    kept = made.filter(pc.invert(pc.starts_with(made.column(_HOW), "-"))).drop_columns([_HOW]).cast(SCHEMAS[rules.kind])
    if not len(kept):
        reasons = ", ".join(sorted({how.removeprefix("-") for how in made.column(_HOW).to_pylist()}))
        raise DataError(
            f"Not one of {len(table)} rows could be kept in {rules.languages.target} ({reasons}): take another "
            "translator, or lower min_quality."
        )
    dropped = len(table) - len(kept)
    notes = [f"translated from {rules.languages.source} into {rules.languages.target} by {name}"]
    notes += [f"rows dropped, as their labels were lost in translation: {dropped:,}"] if dropped else []
    return stamped(kept, Provenance(len(table), "", (*provenance(table).notes, *notes)))
