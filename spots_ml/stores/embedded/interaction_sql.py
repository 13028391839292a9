"""The SQL of importing and reading interactions in the embedded store; the schema is in `database`.

What records of one interaction say together is not said here: `interaction_merging` asks `judging.merging`.
"""

from typing import Final

STAGE: Final = """
CREATE TEMP TABLE incoming (
    number INTEGER PRIMARY KEY, position INTEGER NOT NULL, identity BLOB NOT NULL, agent_id TEXT, opportunity_id TEXT,
    scored_at INTEGER, features BLOB NOT NULL, formula_score REAL, is_called INTEGER, outcome_type TEXT,
    outcome_score REAL, outcome_at INTEGER, first_outcome_at INTEGER
);
CREATE TEMP TABLE broken (
    identity BLOB PRIMARY KEY, position INTEGER NOT NULL, reasons TEXT NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID;
"""
"""Temporary tables that hold one stream, seen by nobody else; `number` tells the order of its records."""

ADD: Final = "INSERT INTO incoming VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
"""Takes the position and `interaction_rows.COLUMNS`."""

ADD_BROKEN: Final = "INSERT OR IGNORE INTO broken VALUES (?, ?, ?, ?)"
"""Takes identity, position, reasons, record."""

INDEX: Final = "CREATE INDEX incoming_by_identity ON incoming (identity)"

FIND_REPEATED: Final = """
CREATE TEMP TABLE repeated AS
SELECT first.number AS place, incoming.number
FROM (SELECT identity, min(number) AS number FROM incoming GROUP BY identity HAVING count(*) > 1) AS first
JOIN incoming ON incoming.identity = first.identity
WHERE incoming.number <> first.number
ORDER BY first.number, incoming.number
"""
"""Of each interaction that the stream tells of several times: the first record, and each other one."""

REPEATED: Final = """
SELECT place, incoming.* FROM repeated JOIN incoming ON incoming.number = place
WHERE repeated.rowid > :after AND repeated.rowid <= :after + :page
UNION
SELECT place, incoming.* FROM repeated JOIN incoming ON incoming.number = repeated.number
WHERE repeated.rowid > :after AND repeated.rowid <= :after + :page
"""
"""One page of repetitions, and the first records that say together what earlier pages have said."""

RESTATE: Final = """
UPDATE incoming SET
    scored_at = ?, features = ?, formula_score = ?, is_called = ?, outcome_type = ?, outcome_score = ?, outcome_at = ?,
    first_outcome_at = ?
WHERE number = ?
"""

FORGET_REPEATED: Final = "DELETE FROM incoming WHERE number IN (SELECT number FROM repeated)"

FIND_NEWS: Final = """
CREATE TEMP TABLE news AS
SELECT known.row_sequence AS place, incoming.number
FROM incoming JOIN interactions AS known ON known.identity = incoming.identity
WHERE incoming.features <> known.features
    OR incoming.scored_at > known.scored_at
    OR (incoming.formula_score IS NOT NULL AND incoming.formula_score IS NOT known.formula_score)
    OR (incoming.is_called IS NOT NULL AND incoming.is_called IS NOT known.is_called)
    OR (incoming.outcome_type IS NOT NULL AND (
        incoming.outcome_type IS NOT known.outcome_type OR incoming.outcome_score IS NOT known.outcome_score
        OR incoming.outcome_at IS NOT known.outcome_at OR incoming.first_outcome_at IS NOT known.first_outcome_at
    ))
ORDER BY known.row_sequence
"""
"""Known interactions of which the stream may say more: all of which it does, and some of which it does not."""

NEWS: Final = """
SELECT true AS is_known, place, known.agent_id, known.opportunity_id, known.scored_at, known.features,
    known.formula_score, known.is_called, known.outcome_type, known.outcome_score, known.outcome_at,
    known.first_outcome_at
FROM news JOIN interactions AS known ON known.row_sequence = place
WHERE news.rowid > :after AND news.rowid <= :after + :page
UNION ALL
SELECT false, place, agent_id, opportunity_id, scored_at, features, formula_score, is_called, outcome_type,
    outcome_score, outcome_at, first_outcome_at
FROM news JOIN incoming USING (number)
WHERE news.rowid > :after AND news.rowid <= :after + :page
"""
"""One page of them: what is known, and what the stream says."""

UPDATE: Final = """
UPDATE interactions SET
    scored_at = ?, features = ?, formula_score = ?, is_called = ?, outcome_type = ?, outcome_score = ?, outcome_at = ?,
    first_outcome_at = ?
WHERE row_sequence = ?
"""

INSERT: Final = """
INSERT INTO interactions (
    row_sequence, source_kind, identity, agent_id, opportunity_id, scored_at, features,
    formula_score, is_called, outcome_type, outcome_score, outcome_at, first_outcome_at
)
SELECT
    :rows + row_number() OVER (ORDER BY number), :kind, identity, agent_id, opportunity_id, scored_at, features,
    formula_score, is_called, outcome_type, outcome_score, outcome_at, first_outcome_at
FROM incoming
WHERE NOT EXISTS (SELECT 1 FROM interactions AS known WHERE known.identity = incoming.identity)
ORDER BY number
"""
"""New interactions, numbered in the order of the stream behind the last number `:rows`."""

FIND_TOLD: Final = """
CREATE TEMP TABLE told AS
SELECT :labels + row_number() OVER (ORDER BY incoming.number) AS sequence, known.row_sequence,
    latest.sequence IS NULL AS is_first,
    latest.outcome_type IS NOT known.outcome_type OR latest.outcome_score IS NOT known.outcome_score AS is_other
FROM incoming JOIN interactions AS known ON known.identity = incoming.identity
LEFT JOIN outcomes AS latest ON latest.sequence = known.outcome_sequence
WHERE known.outcome_type IS NOT NULL AND known.outcome_score IS NOT NULL AND (
    latest.sequence IS NULL OR latest.outcome_type <> known.outcome_type
    OR latest.outcome_score <> known.outcome_score OR latest.outcome_at IS NOT known.outcome_at
    OR latest.first_outcome_at IS NOT known.first_outcome_at
)
"""
"""Outcomes that are not what the log says, numbered in the order of the stream behind the last number `:labels`."""

LOG_TOLD: Final = """
INSERT INTO outcomes
SELECT told.sequence, row_sequence, outcome_type, outcome_score, outcome_at, first_outcome_at
FROM told JOIN interactions USING (row_sequence) ORDER BY told.sequence
"""

NUMBER_TOLD: Final = """
UPDATE interactions SET
    label_sequence = coalesce(label_sequence, told.sequence),
    outcome_sequence = told.sequence,
    corrected_sequence = iif(is_other AND NOT is_first, told.sequence, corrected_sequence)
FROM told WHERE interactions.row_sequence = told.row_sequence
"""

COUNT_TOLD: Final = "SELECT count(*) AS n_entries, coalesce(sum(is_first), 0) AS n_labels FROM told"

COUNT_LABELS: Final = "SELECT count(*) FROM interactions WHERE label_sequence > :labels"
"""Interactions that were first labelled after `:labels` entries, from an index."""

COUNT_CORRECTIONS: Final = """
SELECT count(*) FROM interactions WHERE corrected_sequence > :labels AND label_sequence <= :labels
"""
"""Those labelled by then of which another type or score was told since, from an index."""

QUARANTINE: Final = """
INSERT INTO quarantined (row_sequence, identity, position, source, reasons, record, imported_at)
SELECT :rows + row_number() OVER (ORDER BY position, identity), identity, position, :source, reasons, record, :at
FROM broken
WHERE NOT EXISTS (SELECT 1 FROM quarantined AS known WHERE known.identity = broken.identity)
ORDER BY position, identity
"""
"""Broken records, numbered behind the last number `:rows`; one that is known already is not kept twice."""

COUNT_QUARANTINE: Final = "SELECT count(*) FROM quarantined WHERE row_sequence <= :rows"
"""Broken records up to the number `:rows`."""

READ_QUARANTINE: Final = """
SELECT row_sequence, reasons, record FROM quarantined
WHERE row_sequence > :after AND row_sequence <= :rows
ORDER BY row_sequence
LIMIT :page
"""
"""One page of them behind the number `:after`."""

_KNOWN: Final = """
SELECT
    known.row_sequence, agent_id, opportunity_id, scored_at, features, formula_score, is_called,
    iif(known.outcome_sequence <= :labels, known.outcome_type, told.outcome_type) AS outcome_type,
    iif(known.outcome_sequence <= :labels, known.outcome_score, told.outcome_score) AS outcome_score,
    iif(known.outcome_sequence <= :labels, known.outcome_at, told.outcome_at) AS outcome_at,
    iif(known.outcome_sequence <= :labels, known.first_outcome_at, told.first_outcome_at) AS first_outcome_at
"""
"""What is read of an interaction, its outcome as known after `:labels` entries of the log."""

TOLD_BY_THEN: Final = """
LEFT JOIN outcomes AS told ON known.label_sequence <= :labels AND known.outcome_sequence > :labels
AND told.sequence = (
    SELECT max(sequence) FROM outcomes WHERE row_sequence = known.row_sequence AND sequence <= :labels
)
"""
"""What the log said after `:labels` entries of an interaction of which more was told later."""

READ: Final = f"""
{_KNOWN} FROM interactions AS known {TOLD_BY_THEN}
WHERE known.row_sequence > :after AND known.row_sequence <= :rows
ORDER BY known.row_sequence
LIMIT :page
"""
"""One page of interactions behind the row `:after`, up to the row `:rows`."""

COUNT: Final = "SELECT count(*) FROM interactions WHERE row_sequence <= :rows"
"""Interactions up to the row `:rows`."""

FIRST_OF_KIND: Final = "SELECT min(row_sequence) FROM interactions WHERE source_kind = ?"
"""The first row of a kind of source, from an index."""

NUMBERS_OF_PERIOD: Final = """
SELECT row_sequence FROM interactions INDEXED BY interactions_by_moment
WHERE scored_at >= :since AND scored_at < :until AND +row_sequence <= :rows
"""
"""Rows of a period in microseconds, up to the row `:rows`; from the index alone, which has none without a moment."""

ASKED: Final = "CREATE TEMP TABLE asked (agent_id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID"
"""Holds the agents of one read, seen by nobody else."""

NUMBERS_OF_AGENTS: Final = """
SELECT known.row_sequence FROM asked CROSS JOIN interactions AS known INDEXED BY interactions_by_agent
ON known.agent_id = asked.agent_id AND +known.row_sequence <= :rows
"""
"""Rows of the agents in `asked`, up to the row `:rows`; from the index alone."""

NUMBERS_OF_AGENTS_IN_PERIOD: Final = f"""
{NUMBERS_OF_AGENTS} AND known.scored_at >= :since AND known.scored_at < :until
"""
"""Those of them in a period in microseconds."""

WANTED: Final = "CREATE TEMP TABLE wanted (row_sequence INTEGER PRIMARY KEY)"
"""Holds the numbers of one page, seen by nobody else."""

READ_WANTED: Final = f"""
{_KNOWN} FROM wanted CROSS JOIN interactions AS known ON known.row_sequence = wanted.row_sequence
{TOLD_BY_THEN}
ORDER BY wanted.row_sequence
"""
"""The interactions in `wanted`."""
