"""Interactions in Supabase: idempotent import, exact count of arrived labels, reading up to a fixed point.

They are in the table that the app writes, `calling_score_training_data`. An import sends its rows page by page, then
one function takes all of them in. How they are read is in `reading`.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any, Final

import pyarrow as pa

from spots_ml.errors import InputError
from spots_ml.interactions.judging.intake import ImportReport, Intake
from spots_ml.interactions.judging.judgement import app_record
from spots_ml.interactions.judging.rules import ValidationConfig
from spots_ml.interactions.source import InteractionStream
from spots_ml.stores.moments import to_text
from spots_ml.stores.read_bounds import ReadBounds
from spots_ml.stores.supabase.arrival import present
from spots_ml.stores.supabase.postgres.bulk_read import DirectReads
from spots_ml.stores.supabase.quarantine import read_quarantine
from spots_ml.stores.supabase.reading import read_stream
from spots_ml.stores.supabase.staging import send_batch
from spots_ml.stores.supabase.transport.calls import Calls
from spots_ml.stores.watermark import own, parse

_IMPORT: Final = "import_interactions"
_COUNT: Final = "count_labels_after"
_COUNT_CORRECTIONS: Final = "count_corrections_after"


class SupabaseInteractionStore:
    """Interactions in one Supabase project.

    Args:
        calls: The project.
        direct: Its Postgres, for bulk reads; None: they go over the API.
    """

    def __init__(self, calls: Calls, direct: DirectReads | None) -> None:
        self._calls = calls
        self._direct = direct

    def import_interactions(
        self, stream: InteractionStream, *, now: datetime, config: ValidationConfig | None = None
    ) -> ImportReport:
        """Take interactions in; what is known already changes nothing, an outcome that arrived later is added.

        All or nothing: a stream that breaks in the middle, or a killed process, leaves the project as it was; what it
        had sent is not visible, and swept away later. Other writers wait only for the last step.

        Args:
            stream: Interactions; read in batches.
            now: The present (UTC): nothing may have happened later.
            config: The rules each record is held against; None: the defaults.

        Returns:
            What happened, in numbers that add up.

        Raises:
            InputError: When the stream turns out to be broken while it is read, or the present has no time zone.
            ValidationFailedError: When more of its records are broken than the rules allow.
            CallError: When a call ends in no answer.
        """
        imported_at = to_text(now)
        intake = Intake(config or ValidationConfig(), now)
        batch = send_batch(self._calls, _items(intake.judged(stream.batches)))
        arguments: dict[str, Any] = {
            "p_batch": batch.id,
            "p_n_rows": batch.n_rows,
            "p_source_kind": stream.kind,
            "p_source": _storable(stream.description),
            "p_at": imported_at,
        }
        counts = self._calls.execute(
            "take in the interactions", _IMPORT, lambda client: client.rpc(_IMPORT, arguments), repeat="keyed"
        ).data
        if counts["status"] != "ok":
            raise InputError(f"nothing was taken in from {stream.description}: {counts['reason']}; import it again")
        return intake.report(
            **{name: counts[name] for name in ("n_distinct", "n_new", "n_updated", "n_new_labels")},
        )

    def label_watermark(self) -> str:
        """Name the present point of arrival.

        Returns:
            An opaque text; labels and interactions that arrive from now on lie after it.

        Raises:
            CallError: When the call ends in no answer.
        """
        return str(present(self._calls))

    def own_watermark(self, watermark: str | None) -> str | None:
        """Keep a watermark where it says something.

        Args:
            watermark: What a registered version remembers; None: its data came from no store.

        Returns:
            The watermark; None when it is one of another kind of store.
        """
        return own(watermark, "supabase")

    def count_labels_after(self, watermark: str | None) -> int:
        """Count the labels that arrived after a watermark.

        Args:
            watermark: What `label_watermark` answered earlier; None: count all labels.

        Returns:
            The exact number, counted by the server from an index. A label that is corrected later is counted once, when
            it first arrived.

        Raises:
            InputError: When it is no watermark of a Supabase store.
            CallError: When the call ends in no answer.
        """
        labels = 0 if watermark is None else parse(watermark, "supabase").labels
        return self._count("count the labels", _COUNT, labels)

    def count_corrections_after(self, watermark: str | None) -> int:
        """Count the interactions labelled at a watermark of which another type or score has been told since.

        Args:
            watermark: What `label_watermark` answered earlier; None: of nothing known, nothing is corrected.

        Returns:
            The exact number, counted by the server from an index. One that was corrected several times is counted once.

        Raises:
            InputError: When it is no watermark of a Supabase store.
            CallError: When the call ends in no answer.
        """
        labels = 0 if watermark is None else parse(watermark, "supabase").labels
        return self._count("count the corrections", _COUNT_CORRECTIONS, labels)

    def _count(self, operation: str, function: str, labels: int) -> int:
        """Ask a function that numbers what has arrived and counts behind an entry: twice, it answers the same."""
        count: int = self._calls.execute(
            operation, function, lambda client: client.rpc(function, {"p_label": str(labels)}), repeat="keyed"
        ).data
        return count

    def read_interactions(
        self,
        up_to: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        agents: Collection[str] | None = None,
    ) -> InteractionStream:
        """Read interactions as they were known at a point of arrival.

        Args:
            up_to: A watermark; None: the present one. Outcomes and interactions that arrived later are not shown.
            since: Start of a period, with a time zone, inclusive. Interactions without a moment are in no period.
            until: Its end, exclusive.
            agents: Only interactions of these.

        Returns:
            The interactions within these bounds in the order of their arrival, with the watermark; possibly none. Its
            kind is that of all rows, `hybrid` when kinds are mixed.

        Raises:
            EmptyStoreError: When the store holds none at all.
            InputError: When `up_to` is no watermark, a moment has no zone, or the period ends before it starts; while
                reading: when rows are missing.
            CallError: When a call ends in no answer.
        """
        bounds = ReadBounds.checked(since, until, agents)
        known = present(self._calls) if up_to is None else parse(up_to, "supabase")
        return read_stream(self._calls, self._direct, known, bounds)

    def read_quarantine(self, up_to: str | None = None) -> Iterator[pa.RecordBatch]:
        """Read the broken records that imports have set aside up to a point of arrival, some at a time.

        Args:
            up_to: A watermark; None: the present one. Those of later imports are not shown.

        Returns:
            Rows of `judging.set_aside`, each broken record once, in the order in which they were taken in; `position`
            counts from 0 in each batch. Nothing for none.

        Raises:
            InputError: When `up_to` is no watermark; at the end: when rows are missing.
            CallError: When a call ends in no answer, also while reading.
        """
        return read_quarantine(self._calls, present(self._calls) if up_to is None else parse(up_to, "supabase"))


def _items(judged: Iterable[tuple[pa.RecordBatch, list[dict[str, Any]]]]) -> Iterator[dict[str, Any]]:
    """Write records as `import_interactions` takes them: unknown keys are left out, so that nothing overwrites."""
    for accepted, broken in judged:
        for row in accepted.to_pylist():
            first = row["first_outcome_at"] and row["first_outcome_at"].isoformat()
            said = app_record(row) | {"first_outcome_timestamp": first}
            yield {key: value for key, value in said.items() if value is not None}
        for row in broken:
            yield row | {"record": _storable(row["record"])}


def _storable(text: str) -> str:
    """Write what Postgres keeps in no text, NUL and halves of surrogate pairs, as the escapes that stand for them."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\u0000")
