"""Rollouts on Supabase: implements `experiments.rollout_store.RolloutStore`.

Every change is one function in the database, which locks, checks and changes rollout and versions in one transaction;
the rules are those of `experiments.changes`. A call carries an id of its own, so that one whose answer is lost may be
sent again.
"""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from spots_ml.errors import RegistryError
from spots_ml.experiments.changes.transitions import find_rollout, is_carried, require_on_the_way, require_seen, started
from spots_ml.experiments.evidence_record import Look, NewLook
from spots_ml.experiments.rollout import Rollout, RolloutChange, RolloutEvent, RolloutStart
from spots_ml.experiments.rollout_store import RolloutChangedError, WholeRollout
from spots_ml.models.declared import ModelType
from spots_ml.stores.moments import to_text
from spots_ml.stores.rollout_documents import document_of, event_of, look_of, new_look_of, rollout_of, start_of
from spots_ml.stores.rollout_units import check_units, unit_documents, units_of
from spots_ml.stores.supabase.registry.numbered_rows import read_numbered
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.supabase.transport.paging import Filter, KeysetRead, count_rows, read_pages
from spots_ml.texts import require_line

if TYPE_CHECKING:
    from postgrest import SyncPostgrestClient, SyncRPCFilterRequestBuilder, SyncSelectRequestBuilder

_ROLLOUTS: Final = "rollouts"
_ROLLOUT_COLUMNS: Final = ("number", "status", "stage", "last_event", "started_at", "document", "digest")
_EVENTS: Final = "rollout_events"
_LOOKS: Final = "rollout_looks"
_LOOK_COLUMNS: Final = "number,rollout,at,actor,document,digest"
_UNITS: Final = "rollout_units"
_EVERY_NUMBER: Final = str(2**53 - 1)


class SupabaseRolloutStore:
    """Rollouts in a Supabase project; see `RolloutStore` for what each method promises.

    Every method raises `CallError` when the project gives no answer.

    Args:
        calls: The project.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def list_rollouts(self, model_type: ModelType | None = None) -> tuple[Rollout, ...]:
        """List rollouts by number."""
        rows = read_numbered(self._calls, _ROLLOUTS, _ROLLOUT_COLUMNS, "number", {"model_type": model_type})
        causes: dict[int, str] = {}
        if any(row["status"] == "promoted" for row in rows):
            columns = ("number", "rollout", "cause")
            promotions = read_numbered(self._calls, _EVENTS, columns, "number", {"action": "promoted"})
            causes = {event["rollout"]: event["cause"] for event in promotions}
        # One that was promoted between the two reads is told as it was before.
        return tuple(
            rollout_of(
                {**row, "promoted_by": causes[row["number"]] if row["status"] == "promoted" else None}, self._place
            )
            for row in rows
        )

    def rollout_events(self, rollout: int) -> tuple[RolloutEvent, ...]:
        """List what happened to a rollout."""
        find_rollout(self.list_rollouts(), rollout)
        columns = tuple(RolloutEvent.model_fields)
        return tuple(map(event_of, read_numbered(self._calls, _EVENTS, columns, "number", {"rollout": str(rollout)})))

    def rollout_looks(self, rollout: int, *, limit: int = 100) -> tuple[Look, ...]:
        """Give the last looks at a rollout, 1,000 at most."""
        find_rollout(self.list_rollouts(), rollout)

        def build(client: "SyncPostgrestClient") -> "SyncSelectRequestBuilder":
            wanted = client.from_(_LOOKS).select(_LOOK_COLUMNS).eq("rollout", rollout)
            return wanted.order("number", desc=True).limit(limit)

        found = self._calls.execute("read the looks at a rollout", _LOOKS, build, repeat="read").data
        return tuple(look_of(row, self._place) for row in reversed(found))

    def rollout_units(self, rollout: int) -> pa.Table:
        """Give all units of a rollout."""
        find_rollout(self.list_rollouts(), rollout)
        columns, of_it = ("number", "document"), (Filter("rollout", "eq", str(rollout)),)
        every = KeysetRead(_UNITS, columns, ("number",), Filter("number", "lte", _EVERY_NUMBER), of_it)
        # They are numbered without gaps: those that there are now are those up to their count.
        read = KeysetRead(
            _UNITS, columns, ("number",), Filter("number", "lte", str(count_rows(self._calls, every))), of_it
        )
        rows = (row for page in read_pages(self._calls, read) for row in page)
        return units_of((row["number"], row["document"]) for row in rows)

    def start_rollout(
        self, start: RolloutStart, *, now: datetime, actor: str, reason: str, forced: bool = False
    ) -> Rollout:
        """Start a rollout, and give the challenger its weight and the first stage's share."""
        change = started(start, require_line(reason, "reason"), forced=forced)
        return self._change(
            "start a rollout",
            "start_rollout",
            p_document=document_of(start)[0],
            p_at=to_text(now),
            p_actor=require_line(actor, "actor"),
            p_reason=change.reason,
            p_forced=forced,
        )

    def record_look(
        self, rollout: int, *, after: int, units: pa.Table, look: NewLook, now: datetime, actor: str
    ) -> Rollout:
        """Keep a look: its new units, its document, and the change that it decides, with what that does to versions."""
        known = find_rollout(self.list_rollouts(), rollout)
        require_seen(known, after)
        require_on_the_way(known)
        check_units(units, known)
        if look.change is not None:
            require_line(look.change.reason, "reason")
        return self._change(
            "keep a look at a rollout",
            "record_rollout_look",
            p_rollout=rollout,
            p_after=after,
            p_units=unit_documents(units),
            p_document=document_of(look)[0],
            p_at=to_text(now),
            p_actor=require_line(actor, "actor"),
        )

    def carry_rollout(self, whole: WholeRollout) -> Rollout:
        """Keep a rollout of another store that is over, under its number."""
        rollout, places = whole.rollout, {one.number: place for place, one in enumerate(whole.looks)}
        if is_carried(rollout, self.list_rollouts()):
            return find_rollout(self.list_rollouts(), rollout.number)
        looks = [
            {"at": to_text(one.at), "actor": one.actor, "document": document_of(new_look_of(one))[0]}
            for one in whole.looks
        ]
        events = [
            one.model_dump(mode="json", exclude={"number", "rollout"})
            | {"at": to_text(one.at), "look": None if one.look is None else places[one.look]}
            for one in whole.events
        ]
        return self._change(
            "carry a rollout over",
            "carry_rollout",
            p_number=rollout.number,
            p_status=rollout.status,
            p_stage=rollout.stage,
            p_started_at=to_text(rollout.started_at),
            p_document=document_of(start_of(rollout))[0],
            p_events=events,
            p_looks=looks,
            p_units=unit_documents(whole.units.drop_columns(["number"])),
        )

    def change_rollout(self, rollout: int, change: RolloutChange, *, after: int, now: datetime, actor: str) -> Rollout:
        """Make a change that follows from no look."""
        return self._change(
            "change a rollout",
            "change_rollout",
            p_rollout=rollout,
            p_after=after,
            p_action=change.action,
            p_cause=change.cause,
            p_reason=require_line(change.reason, "reason"),
            p_at=to_text(now),
            p_actor=require_line(actor, "actor"),
        )

    @property
    def _place(self) -> str:
        return self._calls.connection.host

    def _change(self, operation: str, function: str, **arguments: Any) -> Rollout:
        arguments["p_request_id"] = str(uuid.uuid4())

        def build(client: "SyncPostgrestClient") -> "SyncRPCFilterRequestBuilder":
            return client.rpc(function, arguments)

        answer: dict[str, Any] = self._calls.execute(operation, function, build, repeat="keyed").data
        if answer["status"] == "changed":
            raise RolloutChangedError(answer["reason"])
        if answer["status"] != "ok":
            raise RegistryError(answer["reason"])
        return rollout_of(answer["rollout"], self._place)
