"""``isthmus store verify`` and ``isthmus store gc``: what is damaged, and what no study needs."""

import errno
import json
import os
import shutil
import time
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
from rich.table import Table
from rich.text import Text

from isthmus.commands.naming import titles_in
from isthmus.commands.progress import preparing
from isthmus.commands.studies_kept import kept_studies, plan_of
from isthmus.commands.tables import duration, size
from isthmus.commands.views import existing, output, print_json
from isthmus.disk import locked, plainly
from isthmus.errors import IsthmusError, SpecError, StoreError, nearest
from isthmus.planning.plan import Plan
from isthmus.store import Damage, Store, names_in

#: The units of ``--older-than``, in seconds.
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
#: Files that are renamed when they are whole, and the folders that measurements are made in.
_TEMPORARY = (".calibration.*", ".STORE.*.tmp", "data/**/.*.tmp", "tokens/.*.tmp", "studies/**/.*.tmp")
_SETTLED = 3600.0  # seconds without writing after which no process is at it
_MOST = 40  # of the list, what is shown unless all is asked for


def verify(store_path: Path, as_json: bool) -> int:
    """``isthmus store verify``; 1 when something was damaged, whether it could be set aside or not."""
    store = existing(store_path)
    checked, found, left = 0, {}, ""
    with plainly(store.root), preparing(as_json) as say:
        for name, damage in store.verify():
            say(f"reading {name}")
            checked += 1
            if damage:
                found[name] = damage
        if found:
            found, left = _set_aside(store, found)
    items = [item for damage in found.values() for item in damage]
    if as_json:
        told = {"damaged": [vars(item) for item in items], "set_aside": bool(items) and not left}
        print_json({"checked": checked, **told})
        return 1 if items else 0
    for item in items:
        output().print(f"{item}: {'left there' if left else 'removed' if item.key == 'data' else 'set aside'}.")
    if left:
        output().print(left)
    elif items:
        output().print("The next run of a study that needs them makes them anew.")
    else:
        output().print(f"All {checked:,} finished stages and data files are as they were written.")
    return 1 if items else 0


def _set_aside(store: Store, found: dict[str, list[Damage]]) -> tuple[dict[str, list[Damage]], str]:
    """Set aside what is damaged, unless a run counts on it; returns what was damaged, and why it was left there."""
    try:
        with store.alone() as mine:
            if not mine:
                return found, f"A run is under way in {store.root}: verify again at its end, to have that set aside."
            found = {name: damage for name, damage in store.verify(found) if damage}  # it may have been mended
            for name in found:
                store.data_file(Path(name).stem).unlink() if name.startswith("data/") else store.set_aside(name)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        return found, f"{store.root} cannot be written ({error.strerror})."
    return found, ""


class Item(NamedTuple):
    """Something in the store that is not needed.

    Attributes:
        what: ``stage``, ``work``, ``damaged``, ``data``, ``tokens``, ``translations``, or ``left`` by what was killed.
        path: the file or folder.
        title: what a person calls it.
        bytes: how much there is in it; what other names are left for is not freed.
        age: seconds since it was written, or used.
    """

    what: str
    path: Path
    title: str
    bytes: int
    age: float


class Garbage(NamedTuple):
    """What is not needed, or was not: beside the studies that were kept, and with the room that it takes, in bytes."""

    kept: tuple[str, ...]
    items: tuple[Item, ...]
    bytes: int
    deleted: bool


@dataclass(frozen=True)
class Wish:
    """What is to go.

    Attributes:
        keep: study files or names whose stages stay, besides those of the studies that the store keeps.
        forget: studies that the store is to keep no longer.
        older_than: seconds; what was written or used since then stays.
        also: of ``damaged``, ``data``, ``tokens``, ``translations``: what goes besides stages.
    """

    keep: tuple[str, ...] = ()
    forget: tuple[str, ...] = ()
    older_than: float = 0.0
    also: frozenset[str] = frozenset()


def age_of(text: str) -> float:
    """``30d`` in seconds. Raises SpecError."""
    number, unit = text[:-1], text[-1:]
    try:
        if unit in _UNITS and float(number) >= 0:
            return float(number) * _UNITS[unit]
    except ValueError:
        pass
    raise SpecError(f"--older-than takes a number and m, h, d or w, such as 30d, not {text!r}.")


def collect_garbage(store_path: Path, wish: Wish, yes: bool, everything: bool, as_json: bool) -> None:
    """``isthmus store gc``: list what is not needed, and with ``yes`` delete it.

    Raises:
        SpecError: a study to forget is not there, or one to keep cannot be planned.
        StoreError: a study cannot be planned, so that what it needs is not known; or a run is under way.
    """
    store = existing(store_path)
    kept = kept_studies(store)
    for name in wish.forget:
        if name not in kept:
            raise SpecError(f"--forget {name}: no study of that name was run in {store.root}: {nearest(name, kept)}")
        if name in wish.keep:
            raise SpecError(f"--keep {name} and --forget {name}: say only one of them.")
    names = tuple(dict.fromkeys((*(name for name in kept if name not in wish.forget), *wish.keep)))
    with plainly(store.root):
        if yes:
            found = _delete(store, names, wish)
        else:
            items = garbage(store, _plans(names, kept, store), wish)
            found = Garbage(names, tuple(items), freed(items), deleted=False)
    if not as_json:
        _show(found, everything)
        return
    listed = [{**item._asdict(), "path": str(item.path)} for item in found.items]
    print_json({"store": str(store.root), **found._asdict(), "items": listed})


def _delete(store: Store, names: tuple[str, ...], wish: Wish) -> Garbage:
    """Delete what no study of those names needs, while no run is under way."""
    with store.alone() as mine:
        if not mine:
            raise StoreError(f"A run is under way in {store.root}: wait for its end. Nothing was deleted.")
        items = garbage(store, _plans(names, kept_studies(store), store), wish)
        room = freed(items)
        gone = tuple(item for item in items if _put_away(store, item))
        for name in wish.forget:
            _to_trash(store, store.study_folder(name))
    _empty_trash(store)  # what takes time is done when runs may begin again
    return Garbage(names, gone, room, deleted=True)


def _plans(names: Iterable[str], kept: Container[str], store: Store) -> list[Plan]:
    return [_plan(name, name in kept, store) for name in names]


def _plan(name: str, kept: bool, store: Store) -> Plan:
    try:
        return plan_of(name, store)
    except IsthmusError as error:
        if not kept:
            raise SpecError(f"--keep {name}: {error}") from error
        raise StoreError(
            f"What {name} needs is not known, since it cannot be planned ({error}) Mend that, or say --forget {name}."
        ) from error


def garbage(store: Store, plans: Sequence[Plan], wish: Wish) -> list[Item]:
    """What is in the store and is not needed by the plans, nor by a stage that a process is working at."""
    at_work = set(_at_work(store))
    needed = {key for plan in plans for key in plan.stages} | at_work
    read = {fact.fingerprint for plan in plans for facts in plan.reads.values() for fact in facts}
    titles = titles_in(store)
    found = [
        *(_item("stage", store.stage_folder(key), titles.get(key, key)) for key in names_in(store.root / "stages")),
        *(_item("work", store.work_folder(key), titles.get(key, key)) for key in names_in(store.root / "work")),
    ]
    found = [item for item in found if item.path.name not in needed]
    if "damaged" in wish.also:
        found += [_item("damaged", store.root / "damaged" / name, name) for name in names_in(store.root / "damaged")]
    if "data" in wish.also:
        arrows = sorted((store.root / "data").glob("*.arrow"))
        found += [_item("data", path, f"rows {path.stem[:12]}...") for path in arrows if path.stem not in read]
    if "tokens" in wish.also:
        found += [_item("tokens", path, path.name) for path in sorted((store.root / "tokens").glob("*.arrow"))]
    if "translations" in wish.also and not at_work:
        found += [_item("translations", path, path.name) for path in sorted((store.root / "translations").glob("*"))]
    found += _left(store)
    trash = _item("left", store.root / "trash", "what a collection before this one did not delete")
    return [item for item in found if item.age >= wish.older_than] + ([trash] if trash.path.exists() else [])


def _left(store: Store) -> Iterator[Item]:
    """What processes that were killed had not ended: beside work folders, which a run goes on from."""
    root = store.root
    for path in sorted(path for pattern in _TEMPORARY for path in root.glob(pattern)):
        item = _item("left", path, f"half written: {path.relative_to(root)}")
        if item.age > _SETTLED or _writer_is_gone(path):
            yield item
    if (root / "incoming").exists() and not locked(root / "locks" / "pull.lock"):
        yield _item("left", root / "incoming", "what a pull that did not end has fetched")


def _writer_is_gone(path: Path) -> bool:
    """Has the process that a temporary file is named after ended? Of a folder that is not known."""
    *_, number, _ = path.name.rsplit(".", 2)
    return number.isdecimal() and not psutil.pid_exists(int(number))


def _at_work(store: Store) -> Iterator[str]:
    """The stages that processes are working at, and all that these build on."""
    waiting = [key for key in store.under_way() if store.running(key)]
    seen: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            yield key
            for folder in (store.work_folder(key), store.stage_folder(key)):
                with suppress(OSError, ValueError, KeyError, AttributeError):
                    waiting += json.loads((folder / "stage.json").read_bytes())["inputs"].values()


def _files(path: Path) -> Iterator[os.stat_result]:
    for file in [path] if path.is_file() else path.rglob("*"):
        with suppress(OSError):
            if file.is_file() and not file.is_symlink():
                yield file.stat()


def _item(what: str, path: Path, title: str) -> Item:
    known = list(_files(path))
    latest = max((each.st_mtime for each in known), default=0.0)
    return Item(what, path, title, sum(each.st_size for each in known), max(0.0, time.time() - latest))


def freed(items: Iterable[Item]) -> int:
    """The bytes that the disk will have more: of a file with several names, when the last one goes."""
    names: dict[tuple[int, int], int] = {}
    status: dict[tuple[int, int], os.stat_result] = {}
    for item in items:
        for each in _files(item.path):
            place = (each.st_dev, each.st_ino)
            names[place] = names.get(place, 0) + 1
            status[place] = each
    return sum(status[place].st_size for place, count in names.items() if count >= status[place].st_nlink)


def _put_away(store: Store, item: Item) -> bool:
    """Move something into the trash, unless a process holds it; was that done?"""
    if item.path == store.root / "trash":
        return True
    if item.what not in ("stage", "work"):
        return _to_trash(store, item.path)
    with store.claim(item.path.name) as mine:
        return mine and _to_trash(store, item.path)


def _to_trash(store: Store, path: Path) -> bool:
    trash = store.root / "trash"
    trash.mkdir(exist_ok=True)
    try:
        path.rename(trash / f"{path.name}.{time.time_ns()}")
    except FileNotFoundError:
        return False
    return True


def _empty_trash(store: Store) -> None:
    """Delete what is in the trash, also what an attempt before this one left there."""
    shutil.rmtree(store.root / "trash", ignore_errors=True)


def _show(found: Garbage, everything: bool) -> None:
    console, items = output(), found.items
    if items:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column("what", no_wrap=True)
        table.add_column("size", justify="right", no_wrap=True)
        table.add_column("age", justify="right", no_wrap=True)
        table.add_column("title", overflow="fold")
        shown = sorted(items, key=lambda item: -item.bytes)[: None if everything else _MOST]
        for item in shown:
            table.add_row(item.what, size(item.bytes), duration(item.age), Text(item.title))
        console.print(table)
        if len(items) > len(shown):
            console.print(f"... and {len(items) - len(shown):,} more: --all lists them.")
        console.print()
    needed = f"What these studies need stays: {', '.join(found.kept)}." if found.kept else "The store keeps no study."
    console.print(needed)
    things = f"{len(items):,} thing{'' if len(items) == 1 else 's'}"
    if not items:
        console.print("There is nothing else.")
    elif found.deleted:
        console.print(f"Deleted: {things}, {size(found.bytes)}.")
    else:
        console.print(f"Without {things} that nothing needs, {size(found.bytes)} are free. --yes deletes them.")
