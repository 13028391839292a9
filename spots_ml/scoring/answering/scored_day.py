"""Scores the requests of one day into one Parquet file named by its digest, and logs what was decided.

The same requests, versions and history give the same file. A decision that is logged stays as it was made: scoring a
day again adds to the log only what it does not know, and the file has the answers of then.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from spots_ml.digests import digest_file
from spots_ml.files import TEMPORARY_PREFIX, whole_file
from spots_ml.interactions.columns import rebatch
from spots_ml.scoring.answering.answers import answer_requests
from spots_ml.scoring.answering.logged_answers import logged_answers
from spots_ml.scoring.answering.score_tally import LogTally, ScoreTally
from spots_ml.scoring.answering.score_writing import open_score_writer
from spots_ml.scoring.decision_log.claims import ClaimRule
from spots_ml.scoring.decision_log.log import DecisionLog
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served_history import HistoryServer

_BATCH_ROWS: Final = 50_000


@dataclass(frozen=True)
class ScoredDay:
    """What came of scoring a day.

    Attributes:
        digest: SHA-256 of the file.
        path: The file; rows of schema `score_table.SCORES_WITH_REQUESTS`.
        tally: Counts over all answers.
        log: What was logged.
        n_written: Rows of the file with scores, counted in the file.
        n_written_refused: Rows of the file without, counted in the file.
    """

    digest: str
    path: Path
    tally: ScoreTally
    log: LogTally
    n_written: int
    n_written_refused: int


def score_day(
    requests: Iterable[pa.RecordBatch],
    scorer: Scorer,
    folder: Path,
    *,
    rule: ClaimRule,
    history: HistoryServer,
    log: DecisionLog,
    now: datetime,
    up_to: str | None = None,
) -> ScoredDay:
    """Score a day, keep the answers, log the decisions.

    Args:
        requests: Rows of schema `REQUESTS`, all of the day.
        scorer: Scores.
        folder: Where the file goes; created.
        rule: Judges what the decisions may claim.
        history: Serves the history of each row as of its moment.
        log: Takes the decisions.
        now: The present, with a time zone.
        up_to: The label watermark the history is served at; None: the present one.

    Returns:
        What came of it.

    Raises:
        InputError: When the requests turn out to be broken while they are read, or the log refuses a decision; then no
            file is left, and nothing is logged.
    """
    tally = ScoreTally()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=TEMPORARY_PREFIX, dir=folder) as directory:
        draft = Path(directory) / "scores.parquet"
        batches = rebatch(requests, _BATCH_ROWS)
        answered = tally.noting_refusals(
            answer_requests(batches, scorer, now=now, history=history, up_to=up_to, rule=rule)
        )
        with (
            logged_answers(answered, log, now=now, with_requests=True, folder=folder) as logged,
            open_score_writer(draft, "parquet") as write,
        ):
            for batch in logged.batches:
                write(batch)
                tally.add(batch)
        digest = digest_file(draft)
        path = folder / f"{digest}.parquet"
        with whole_file(path) as temporary:
            draft.replace(temporary)
    n_written, n_written_refused = _count(path)
    return ScoredDay(digest, path, tally, logged.tally, n_written, n_written_refused)


def _count(path: Path) -> tuple[int, int]:
    """Count what a file says, not what was meant to be written: rows with scores and rows that were refused."""
    columns = pq.read_table(path, columns=["score", "refused"])
    scored, refused = columns["score"].is_valid(), columns["refused"].is_valid()
    return (
        pc.sum(pc.and_not(scored, refused)).as_py() or 0,
        pc.sum(pc.and_not(refused, scored)).as_py() or 0,
    )
