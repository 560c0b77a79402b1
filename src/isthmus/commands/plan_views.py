"""What a plan says of its training and translating stages, beside their titles."""

from typing import Any

from isthmus.planning.plan import Plan
from isthmus.planning.shares import shares_of


def facts_of(plan: Plan, key: str) -> dict[str, Any]:
    """What ``isthmus plan --json`` has of a stage besides: head, members, rows."""
    stage = plan.stages[key]
    if stage.function == "translate":
        return {"rows": _rows_to_translate(plan, key)}
    if stage.function != "train":
        return {}
    head = {"head": "kept" if stage.identity["recipe"].get("head") == "keep" else "fresh"}
    members = [each._asdict() for each in shares_of(plan, key)]
    return {**head, "members": members} if members else head


def note_of(plan: Plan, key: str) -> str:
    """The line below the title of a stage; empty where there is nothing to say."""
    if plan.stages[key].function == "translate":
        return f"{_rows_to_translate(plan, key):,} rows to translate"
    shares = [f"{each.name} {100 * each.share:.0f}%" for each in shares_of(plan, key)]
    return f"of the steps, by rows: {', '.join(shares)}" if shares else ""


def _rows_to_translate(plan: Plan, key: str) -> int:
    return sum(fact.rows for fact in plan.reads[key])
