"""From what was decided to a look: units that have become whole, the evidence of all of them, the decision."""

from datetime import datetime

import numpy as np
import pyarrow as pa

from spots_ml.errors import ArtifactError
from spots_ml.experiments.decided import known_until
from spots_ml.experiments.evidence_record import NewLook
from spots_ml.experiments.rollout import Rollout, stage_periods
from spots_ml.experiments.unit_finding import find_units, needed_since
from spots_ml.experiments.units import UNITS, units_digest
from spots_ml.experiments.weighing.evidence import evidence
from spots_ml.experiments.weighing.ramp import decide_rollout
from spots_ml.pipeline.rollouts.both_routes import read_decided
from spots_ml.pipeline.rollouts.next_rollout import why_withheld
from spots_ml.pipeline.rollouts.starting import rollouts_of
from spots_ml.stores.store import Store


def new_look(store: Store, rollout: Rollout, *, now: datetime) -> tuple[pa.Table, NewLook]:
    """Look at a rollout.

    Args:
        store: Decisions, reports of phones, the registry's history, and what is kept of the rollout.
        rollout: On its way.
        now: The present (UTC).

    Returns:
        Its new units, schema `units.NEW_UNITS`, and what is known and decided with them.

    Raises:
        ArtifactError: When the units that are kept are not those that the last look has seen.
    """
    events = store.rollouts.rollout_events(rollout.number)
    periods = stage_periods(events)
    known = _known_units(store, rollout)
    decided = read_decided(store, needed_since(periods), now)
    found = find_units(decided, rollout, periods, known, as_of=known_until(decided, now=now))
    units = pa.concat_tables([known, _numbered(found.new, known.num_rows)])
    weighed = evidence(rollout, periods, units, found.entered, as_of=now)
    withheld = why_withheld(rollouts_of(store, rollout.model_type), rollout, events)
    decision = decide_rollout(rollout, events, weighed, withheld=withheld, now=now)
    return found.new, NewLook(
        evidence=weighed,
        n_units=units.num_rows,
        units_digest=units_digest(units),
        change=decision.change,
        told=decision.told,
    )


def _known_units(store: Store, rollout: Rollout) -> pa.Table:
    """Units as they are kept; they only grow, so those of the last look come first."""
    seen = store.rollouts.rollout_looks(rollout.number, limit=1)
    known = store.rollouts.rollout_units(rollout.number)
    for last in seen:
        if units_digest(known.slice(0, last.n_units)) != last.units_digest:
            raise ArtifactError(
                f"the first {last.n_units:,} units of {rollout.name} are not those that its look {last.number} has "
                "seen; restore a backup of the store, or abort the rollout: nothing follows from these"
            )
    return known


def _numbered(units: pa.Table, n_before: int) -> pa.Table:
    """New units with the numbers that the store will give them."""
    numbers = pa.array(np.arange(n_before + 1, n_before + 1 + units.num_rows), pa.int64())
    return pa.table([numbers, *units.columns], schema=UNITS)
