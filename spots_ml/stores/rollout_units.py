"""Units of rollouts on their way into a store: judged before they are kept, since nothing corrects them afterwards."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.errors import InputError
from spots_ml.experiments.rollout import Rollout
from spots_ml.experiments.units import NEW_UNITS, UNITS

_TIMES: Final = tuple(field.name for field in NEW_UNITS if pa.types.is_timestamp(field.type))


def check_units(units: pa.Table, rollout: Rollout) -> None:
    """Check that units are ones that this rollout can have.

    Args:
        units: New ones, schema `NEW_UNITS`.
        rollout: As it stands before them.

    Raises:
        InputError: When they have another schema or miss a value, an agent is twice in a stage, a stage was not
            reached, or somebody's place is not that of a fresh agent of its stage or says otherwise whether it is
            treated.
    """
    if units.schema != NEW_UNITS:
        raise InputError(f"the units have the columns {units.schema.names}; expected the schema of `units.NEW_UNITS`")
    missing = [field.name for field in NEW_UNITS if not field.nullable and units[field.name].null_count]
    unreal = [
        field.name
        for field in NEW_UNITS
        if pa.types.is_floating(field.type)
        and not pc.all(pc.is_finite(units[field.name].drop_null()), min_count=0).as_py()
    ]
    if missing or unreal:
        raise InputError(f"units of {rollout.name} have no value, or none that is a number, in {missing + unreal}")
    keys = set(zip(units["stage"].to_pylist(), units["agent_id"].to_pylist(), strict=True))
    if len(keys) < units.num_rows:
        raise InputError(f"an agent is twice in a stage of the units of {rollout.name}; expected one unit each")
    stage, place = units["stage"].to_numpy(), units["place"].to_numpy()
    if units.num_rows and not ((stage >= 1) & (stage <= rollout.stage)).all():
        raise InputError(f"units are of the stages {sorted(set(stage.tolist()))}; {rollout.name} is at {rollout.stage}")
    shares = np.array((0.0, *rollout.policy.shares))
    fresh, below = (shares[stage - 1] <= place) & (place < 1.0), place < shares[stage]
    if not fresh.all() or not (units["treated"].to_numpy(zero_copy_only=False) == below).all():
        raise InputError(
            f"units of {rollout.name} are of no fresh agent of their stage, or were not treated as their place says; "
            "expected what the rollout's salt and shares say"
        )


def unit_documents(units: pa.Table) -> list[dict[str, Any]]:
    """Turn units into documents of JSON.

    Args:
        units: Schema `NEW_UNITS`.

    Returns:
        One of each: column -> value, moments as texts.
    """
    moments = {name: np.datetime_as_string(units[name].cast(pa.timestamp("us")).to_numpy(), "us") for name in _TIMES}
    texts = ([f"{moment}+00:00" for moment in found] for found in moments.values())
    rows = units.drop_columns(list(_TIMES)).to_pylist()
    return [{**row, **dict(zip(_TIMES, told, strict=True))} for row, *told in zip(rows, *texts, strict=True)]


def units_of(rows: Iterable[tuple[int, dict[str, Any]]]) -> pa.Table:
    """Turn documents back into units.

    Args:
        rows: Number and document of each.

    Returns:
        A table of schema `UNITS`; what an earlier program did not know of is null.
    """
    told = [
        {"number": number, **document, **{name: datetime.fromisoformat(document[name]) for name in _TIMES}}
        for number, document in rows
    ]
    return pa.Table.from_pylist(told, schema=UNITS)
