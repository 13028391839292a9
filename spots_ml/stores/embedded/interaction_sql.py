"""The SQL of importing and reading interactions in the embedded store; the schema is in `database`.

What is known is never forgotten: a record without an outcome does not take one away, a corrected outcome replaces it.
"""

from typing import Final

STAGE: Final = """
CREATE TEMP TABLE incoming (
    position INTEGER NOT NULL, identity BLOB PRIMARY KEY, agent_id TEXT, opportunity_id TEXT, scored_at INTEGER,
    features BLOB NOT NULL, formula_score REAL, is_called INTEGER, outcome_type TEXT, outcome_score REAL,
    outcome_at INTEGER
);
CREATE TEMP TABLE broken (
    identity BLOB PRIMARY KEY, position INTEGER NOT NULL, reasons TEXT NOT NULL, record TEXT NOT NULL
) WITHOUT ROWID;
"""
"""Temporary tables that hold one stream, seen by nobody else."""

ADD: Final = """
INSERT INTO incoming VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (identity) DO UPDATE SET
    features = excluded.features,
    formula_score = coalesce(excluded.formula_score, formula_score),
    is_called = coalesce(excluded.is_called, is_called),
    outcome_type = coalesce(excluded.outcome_type, outcome_type),
    outcome_score = coalesce(excluded.outcome_score, outcome_score),
    outcome_at = coalesce(excluded.outcome_at, outcome_at)
"""
"""Takes the position and `interaction_rows.COLUMNS`."""

ADD_BROKEN: Final = "INSERT OR IGNORE INTO broken VALUES (?, ?, ?, ?)"
"""Takes identity, position, reasons, record."""

UPDATE: Final = """
UPDATE interactions AS known SET
    features = incoming.features,
    formula_score = coalesce(incoming.formula_score, known.formula_score),
    is_called = coalesce(incoming.is_called, known.is_called),
    outcome_type = coalesce(incoming.outcome_type, known.outcome_type),
    outcome_score = coalesce(incoming.outcome_score, known.outcome_score),
    outcome_at = coalesce(incoming.outcome_at, known.outcome_at)
FROM incoming
WHERE known.identity = incoming.identity AND (
    incoming.features IS NOT known.features
    OR coalesce(incoming.formula_score, known.formula_score) IS NOT known.formula_score
    OR coalesce(incoming.is_called, known.is_called) IS NOT known.is_called
    OR coalesce(incoming.outcome_type, known.outcome_type) IS NOT known.outcome_type
    OR coalesce(incoming.outcome_score, known.outcome_score) IS NOT known.outcome_score
    OR coalesce(incoming.outcome_at, known.outcome_at) IS NOT known.outcome_at
)
"""
"""Changes the known interactions of which the stream says more or something else, and only those."""

INSERT: Final = """
INSERT INTO interactions (
    source_kind, identity, agent_id, opportunity_id, scored_at, features,
    formula_score, is_called, outcome_type, outcome_score, outcome_at
)
SELECT
    ?, identity, agent_id, opportunity_id, scored_at, features,
    formula_score, is_called, outcome_type, outcome_score, outcome_at
FROM incoming
WHERE NOT EXISTS (SELECT 1 FROM interactions AS known WHERE known.identity = incoming.identity)
ORDER BY position
"""
"""Takes the kind of the source."""

LABEL: Final = """
UPDATE interactions SET label_sequence = ? + fresh.number
FROM (
    SELECT known.row_sequence, row_number() OVER (ORDER BY incoming.position) AS number
    FROM incoming JOIN interactions AS known ON known.identity = incoming.identity
    WHERE known.label_sequence IS NULL AND known.outcome_type IS NOT NULL AND known.outcome_score IS NOT NULL
) AS fresh
WHERE interactions.row_sequence = fresh.row_sequence
"""
"""Numbers the labels that have just arrived; takes the last number given."""

QUARANTINE: Final = """
INSERT OR IGNORE INTO quarantined (identity, position, source, reasons, record, imported_at)
SELECT identity, position, ?, reasons, record, ? FROM broken
"""
"""Takes the source and the time; a broken record that is known already is not kept twice."""

_KNOWN: Final = """
SELECT
    known.row_sequence, agent_id, opportunity_id, scored_at, features, formula_score, is_called,
    iif(label_sequence <= :labels, outcome_type, NULL) AS outcome_type,
    iif(label_sequence <= :labels, outcome_score, NULL) AS outcome_score,
    iif(label_sequence <= :labels, outcome_at, NULL) AS outcome_at
"""
"""What is read of an interaction, its outcome as known after `:labels` labels."""

READ: Final = f"""
{_KNOWN} FROM interactions AS known
WHERE row_sequence > :after AND row_sequence <= :rows
ORDER BY row_sequence
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
ORDER BY wanted.row_sequence
"""
"""The interactions in `wanted`."""
