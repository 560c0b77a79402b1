"""``isthmus store push``, ``pull`` and ``diff``."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from isthmus.commands.studies_kept import plan_of
from isthmus.commands.tables import size
from isthmus.commands.views import existing, output, print_json
from isthmus.errors import IsthmusError, SpecError, StoreError, nearest
from isthmus.planning.plan import Plan
from isthmus.remote import pull as pulling
from isthmus.remote import push as pushing
from isthmus.remote.layout import Remote
from isthmus.remote.transfer import Moved
from isthmus.store import Store


def push(store_path: Path, url: str, studies: tuple[str, ...], dry: bool, quiet: bool, as_json: bool) -> int:
    """``isthmus store push``; 1 when something could not be brought."""
    store = existing(store_path)
    names = pushing.kept_names(store)
    for name in studies:
        if name not in names:
            raise SpecError(f"--study {name}: no study of that name was run in {store.root}: {nearest(name, names)}")
    plans = {name: _plan(name, store) for name in studies or names}
    remote = Remote.open(url, create=True, dry=dry)
    load = pushing.everything(store, plans)
    if studies:
        loads = [pushing.of_plan(store, name, plan) for name, plan in plans.items() if plan]
        if unplanned := [name for name, plan in plans.items() if plan is None]:
            raise StoreError(
                f"What {unplanned[0]} needs is not known, since it cannot be planned: push without --study."
            )
        stages = dict.fromkeys(key for each in loads for key in each.stages)
        load = replace(load, stages=tuple(stages), rows=tuple(sorted({row for each in loads for row in each.rows})))
    return _tell(pushing.push(store, remote, load, quiet or as_json, dry), "pushed", remote, dry, as_json)


def _plan(name: str, store: Store) -> Plan | None:
    """The plan of a study, where it can be planned here and now."""
    with suppress(IsthmusError):
        return plan_of(name, store)
    return None


def pull(
    store_path: Path, url: str, studies: tuple[str, ...], stages: tuple[str, ...], dry: bool, quiet: bool, as_json: bool
) -> int:
    """``isthmus store pull``; 1 when something could not be had."""
    remote = Remote.open(url)
    store = Store.open(store_path)
    order = pulling.Order() if studies or stages else pulling.everything(remote)
    for name in studies:
        try:
            more = pulling.of_study(remote, name)
        except FileNotFoundError:
            known = nearest(name, remote.studies())
            raise SpecError(f"--study {name}: there is no such study in {remote.place}: {known}") from None
        order = pulling.Order(
            *(tuple(dict.fromkeys((*a, *b))) for a, b in zip(_parts(order), _parts(more), strict=True))
        )
    there = sorted(remote.stages()) if stages else []
    for begins in stages:
        found = [key for key in there if key.startswith(begins)]
        if not found:
            raise SpecError(
                f"--stage {begins}: {remote.place} has no stage whose key begins so: {nearest(begins, there)}"
            )
        order = replace(order, stages=tuple(dict.fromkeys((*order.stages, *found))))
    return _tell(pulling.pull(store, remote, order, quiet or as_json, dry), "pulled", remote, dry, as_json)


def _parts(order: pulling.Order) -> tuple[tuple[str, ...], ...]:
    return order.stages, order.rows, order.studies


def _tell(moved: Moved, word: str, remote: Remote, dry: bool, as_json: bool) -> int:
    if as_json:
        print_json({"remote": str(remote.place), "dry_run": dry, **asdict(moved)})
        return 1 if moved.failed else 0
    console = output()
    for note in moved.notes:
        console.print(note)
    for what, why in moved.failed.items():
        console.print(f"{what} was not {word}: {why}")
    parts = [_count(len(moved.stages), "stage"), _count(moved.rows, "set of rows", "sets of rows")]
    parts.append(_count(len(moved.studies), "study", "studies"))
    told = ", ".join(part for part in parts if part)
    verb = f"would be {word}" if dry else word
    if not told and not moved.failed:
        console.print(f"Nothing to do: all {moved.there:,} stages are on both sides.")
        return 0
    if told:
        many = f"{_size(moved.bytes)} in {_count(moved.files, 'file')}" if moved.files else "no file had to move"
        console.print(f"{told} {verb}: {many}.")
    if moved.whole > moved.bytes:
        console.print(f"The files of these stages have {_size(moved.whole)}; equal ones moved once, or were there.")
    return 1 if moved.failed else 0


def _size(count: int) -> str:
    return size(count) if count >= 1_000_000 else f"{count / 1e3:,.0f} kB"


def _count(count: int, one: str, several: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else several or one + 's'}" if count else ""


def diff(store_path: Path, url: str, as_json: bool) -> None:
    """``isthmus store diff``: what is on one side only."""
    store, remote = existing(store_path), Remote.open(url)
    here, there = set(store.finished()), remote.stages()
    rows = {path.stem for path in (store.root / "data").glob("*.arrow")}, remote.rows()
    studies = set(pushing.kept_names(store)), remote.studies()
    sides: Mapping[str, Any] = {
        "remote": str(remote.place),
        "stages": {"here": sorted(here - there), "there": sorted(there - here), "both": len(here & there)},
        "rows": {"here": len(rows[0] - rows[1]), "there": len(rows[1] - rows[0]), "both": len(rows[0] & rows[1])},
        "studies": {"here": sorted(studies[0]), "there": sorted(studies[1])},
    }
    if as_json:
        print_json(sides)
        return
    console = output()
    for what, mine, theirs in (("stages", here, there), ("sets of rows", *rows), ("studies", *studies)):
        console.print(
            f"{what}: {len(mine & theirs):,} on both sides, {len(mine - theirs):,} only here, "
            f"{len(theirs - mine):,} only there"
        )
    for word, keys in (("only here", here - there), ("only there", there - here)):
        for key in sorted(keys):
            record = store.record(key)
            console.print(f"  {word}: {key}{f'  {record.title}' if record else ''}")
