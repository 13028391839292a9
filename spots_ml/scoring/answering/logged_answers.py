"""Answers and the decision log as one: all decisions are logged at once, and only then an answer is told.

Answers wait in a draft until the log has taken all decisions in, in one transaction. So there is no answer without its
decision; and who is killed between the two asks again and gets the answers of the log, because what is logged stays as
it was made. A decision that the log knows and that would be made otherwise now is answered as it was then.
"""

import contextlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.files import TEMPORARY_PREFIX
from spots_ml.scoring.answering.answers import Answers, decisions_of
from spots_ml.scoring.answering.score_table import score_table
from spots_ml.scoring.answering.score_tally import LogTally
from spots_ml.scoring.decision_log.deciding_arms import deciding_arms
from spots_ml.scoring.decision_log.fields import DECISIONS
from spots_ml.scoring.decision_log.log import DecisionLog

_ID: Final = "decision_id"
_GROUNDS: Final = "feature_digest"


@dataclass(frozen=True)
class LoggedAnswers:
    """Answers whose decisions are logged.

    Attributes:
        tally: What was logged.
        batches: The answers, in their order; read once.
    """

    tally: LogTally
    batches: Iterator[pa.RecordBatch]


@contextlib.contextmanager
def logged_answers(
    answered: Iterable[Answers],
    log: DecisionLog,
    *,
    now: datetime,
    with_requests: bool,
    folder: Path | None = None,
) -> Iterator[LoggedAnswers]:
    """Log the decisions of answers, all or none, then give the answers.

    Args:
        answered: Answers, judged by a rule of claims; made while they are taken.
        log: Takes the decisions.
        now: The present, with a time zone.
        with_requests: Whether what was asked stands beside the answers.
        folder: Where the draft is kept, about as large as the answers; None: the system's temporary folder.

    Yields:
        The answers, each as its decision stands in the log. When the block is entered, everything is logged.

    Raises:
        InputError: When the requests turn out to be broken while they are read, or the log refuses a decision; nothing
            is logged then.
    """
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder) as directory:
        draft = _Draft(Path(directory) / "answers.arrow", with_requests=with_requests)
        report = log.log_decisions(draft.write(answered, now), now=now)
        standing = log.find_decisions(report.others)
        n_from_log = 0
        if standing.num_rows:
            n_from_log = sum(_as_logged(batch, standing)["from_log"].true_count for batch in draft.read())
        yield LoggedAnswers(
            LogTally(report, n_from_log, draft.n_unidentified),
            (_as_logged(batch, standing) for batch in draft.read()),
        )


class _Draft:
    """Answers on disk, each with the id of its decision, and on what grounds it was made."""

    def __init__(self, path: Path, *, with_requests: bool) -> None:
        self.n_unidentified = 0
        self._path = path
        self._with_requests = with_requests

    def write(self, answered: Iterable[Answers], now: datetime) -> Iterator[pa.Table]:
        """Keep answers, and give the decisions that can be logged."""
        with contextlib.ExitStack() as opened:
            writer = None
            for answers in answered:
                decisions = decisions_of(answers, now=now)
                named = pc.and_(pc.is_valid(decisions["agent_id"]), pc.is_valid(decisions["opportunity_id"]))
                batch = _with_grounds(
                    score_table(answers, with_requests=self._with_requests),
                    [pc.if_else(named, decisions[_ID], None), decisions[_GROUNDS]],
                    answers.masks == 0,
                )
                if writer is None:
                    writer = opened.enter_context(pa.ipc.new_file(self._path, batch.schema))
                writer.write_batch(batch)
                identified = decisions.filter(named)
                self.n_unidentified += decisions.num_rows - identified.num_rows
                yield identified

    def read(self) -> Iterator[pa.RecordBatch]:
        """Give what was kept, batch by batch."""
        if not self._path.exists():
            return
        with pa.memory_map(str(self._path)) as source, pa.ipc.open_file(source) as reader:
            for number in range(reader.num_record_batches):
                yield reader.get_batch(number)


def _with_grounds(batch: pa.RecordBatch, columns: list[pa.ChunkedArray], kept: np.ndarray) -> pa.RecordBatch:
    places, schema = pa.array(np.cumsum(kept) - 1, mask=~kept), batch.schema
    for name in (_ID, _GROUNDS):
        schema = schema.append(DECISIONS.field(name).with_nullable(True))
    return pa.RecordBatch.from_arrays(
        [*batch.columns, *(column.combine_chunks().take(places) for column in columns)], schema=schema
    )


def _as_logged(batch: pa.RecordBatch, standing: pa.Table) -> pa.RecordBatch:
    """Answer as the log has it, where that is another answer, or was given on other grounds."""
    schema = pa.schema([field for field in batch.schema if field.name not in (_ID, _GROUNDS)])
    if not standing.num_rows:
        return batch.select(schema.names)
    places = pc.index_in(batch[_ID], standing[_ID].combine_chunks(), skip_nulls=True)
    known = standing.set_column(standing.column_names.index("arm"), "arm", deciding_arms(standing))
    then = {
        name: known[name].combine_chunks().take(places).cast(batch[name].type)
        for name in batch.schema.names
        if name in known.column_names and name not in ("agent_id", "opportunity_id")
    }
    # A replay has no propensity: nothing was left to chance.
    then["propensity"] = pc.coalesce(then["propensity"], pa.scalar(1.0))
    other = pc.and_(pc.is_valid(places), _differs(batch, then))
    columns = {
        name: pc.if_else(other, then[name], batch[name]) if name in then else batch[name] for name in schema.names
    }
    columns["from_log"] = pc.if_else(other, True, batch["from_log"])
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _differs(batch: pa.RecordBatch, then: dict[str, pa.Array]) -> pa.Array:
    differs = pa.repeat(pa.scalar(False), batch.num_rows)
    for name, values in then.items():
        if name in HISTORY_FEATURES:
            # Part of the grounds; what a request says of them has more digits than what is logged.
            continue
        same = pc.fill_null(pc.equal(values, batch[name]), False)
        both_unknown = pc.and_(pc.is_null(values), pc.is_null(batch[name]))
        differs = pc.or_(differs, pc.invert(pc.or_(same, both_unknown)))
    return differs
