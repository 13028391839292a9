"""What a decision log refuses, in the words of every store.

What a table must be like is in `scoring.decision_log.log`.
"""

from collections.abc import Mapping
from typing import Any, NoReturn

import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.scoring.decision_log.fields import FIELDS, DecisionField, said_by


def refuse_other_content(position: int, known: Mapping[str, Any], given: Mapping[str, Any]) -> NoReturn:
    """Refuse a decision whose id is logged with other content, and tell in what they differ.

    Args:
        position: Where the one that is refused stands in its table, from 0.
        known: The one that is logged, by the names of the fields.
        given: The one that is refused.

    Raises:
        InputError: Always.
    """
    differing = [
        field for field in FIELDS if field.content and said_by(known, field) and known[field.name] != given[field.name]
    ]
    told = ", ".join(_change(field, known[field.name], given[field.name]) for field in differing)
    raise InputError(
        f"decision {position} of the table ({given['decision_id']}) is logged already with other content: {told}. "
        "Nothing was logged: a decision stays as it was made; leave out those that are known, or score with another "
        "version"
    )


def _change(field: DecisionField, known: Any, given: Any) -> str:
    if field.packing == "bytes":
        return field.name
    if pa.types.is_float32(field.type):
        return f"{field.name} {known:g} -> {given:g}"
    if pa.types.is_boolean(field.type):
        return f"{field.name} {int(known)} -> {int(given)}"
    if pa.types.is_timestamp(field.type):
        return f"{field.name} {known} -> {given}"
    return f"{field.name} {known!r} -> {given!r}"
