"""The tables of the embedded store, as the steps from one schema version to the next.

A step that has been in use is never changed: the next one is added behind it, so that every file there is can be
brought up to date. `identity_of` is the function of that name in `database`.
"""

from typing import Final

from spots_ml.models.declared import model_in
from spots_ml.models.spec import Role
from spots_ml.stores.embedded.decision_sql import added_columns
from spots_ml.stores.embedded.registry.rollout_tables import ROLLOUT_TABLES

_NEURAL: Final = model_in(Role.NEURAL_SCORE).name
_FILTER: Final = model_in(Role.OUTCOME_FILTER).name

_INTERACTIONS_AND_VERSIONS: Final = """
CREATE TABLE model_versions (
    registered_order INTEGER PRIMARY KEY AUTOINCREMENT,
    model_type TEXT NOT NULL,
    version TEXT NOT NULL,
    content_digest TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('staging', 'active', 'deprecated', 'archived')),
    weight REAL NOT NULL CHECK (weight BETWEEN 0 AND 1),
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_registered_at TEXT NOT NULL,
    watermark TEXT,
    content TEXT NOT NULL,
    UNIQUE (model_type, version),
    UNIQUE (model_type, content_digest)
);
CREATE UNIQUE INDEX one_active_version ON model_versions (model_type) WHERE status = 'active';
CREATE TABLE version_history (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    model_type TEXT NOT NULL,
    version TEXT NOT NULL,
    action TEXT NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL,
    FOREIGN KEY (model_type, version) REFERENCES model_versions (model_type, version)
);
CREATE TRIGGER history_is_not_changed BEFORE UPDATE ON version_history
BEGIN SELECT RAISE(ABORT, 'version_history is append-only'); END;
CREATE TRIGGER history_is_not_deleted BEFORE DELETE ON version_history
BEGIN SELECT RAISE(ABORT, 'version_history is append-only'); END;
CREATE TRIGGER versions_are_not_deleted BEFORE DELETE ON model_versions
BEGIN SELECT RAISE(ABORT, 'versions are archived, never deleted'); END;
CREATE TRIGGER content_is_not_changed BEFORE UPDATE OF model_type, version, content_digest, created_at, content
ON model_versions BEGIN SELECT RAISE(ABORT, 'what a version is never changes'); END;

CREATE TABLE interactions (
    row_sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    identity BLOB NOT NULL UNIQUE,
    source_kind TEXT NOT NULL,
    agent_id TEXT,
    opportunity_id TEXT,
    scored_at INTEGER,
    features BLOB NOT NULL,
    formula_score REAL,
    is_called INTEGER,
    outcome_type TEXT,
    outcome_score REAL,
    outcome_at INTEGER,
    label_sequence INTEGER
);
CREATE UNIQUE INDEX labels_by_arrival ON interactions (label_sequence) WHERE label_sequence IS NOT NULL;
CREATE TABLE quarantined (
    identity BLOB PRIMARY KEY,
    position INTEGER NOT NULL,
    source TEXT NOT NULL,
    reasons TEXT NOT NULL,
    record TEXT NOT NULL,
    imported_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO counters VALUES ('label_sequence', 0);
"""

_DECISIONS_AND_PERFORMANCE: Final = """
CREATE INDEX interactions_by_agent ON interactions (agent_id, scored_at) WHERE agent_id IS NOT NULL;

CREATE TABLE decisions (
    decision_id TEXT PRIMARY KEY NOT NULL,
    identity BLOB NOT NULL,
    logged_at TEXT NOT NULL,
    origin TEXT NOT NULL CHECK (origin IN ('served', 'replayed')),
    agent_id TEXT NOT NULL,
    opportunity_id TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    agent_group TEXT NOT NULL,
    version TEXT,
    outcome_version TEXT,
    weight REAL NOT NULL,
    formula_score REAL NOT NULL,
    neural_score REAL,
    outcome_probability REAL NOT NULL,
    score REAL NOT NULL,
    called INTEGER NOT NULL,
    blocked INTEGER NOT NULL,
    explored INTEGER NOT NULL,
    propensity REAL,
    feature_digest BLOB NOT NULL,
    history BLOB NOT NULL,
    watermark TEXT,
    fallback TEXT
);
CREATE INDEX decisions_by_time ON decisions (decided_at, decision_id);
CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE TRIGGER decisions_are_not_deleted BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;

CREATE TABLE performance (
    day TEXT NOT NULL,
    arm TEXT NOT NULL,
    origin TEXT NOT NULL,
    saved_at TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (day, origin, arm)
) WITHOUT ROWID;
"""

_WEIGHT_AND_TRAFFIC: Final = """
ALTER TABLE model_versions ADD COLUMN traffic REAL NOT NULL DEFAULT 0 CHECK (traffic BETWEEN 0 AND 1);
UPDATE model_versions SET traffic = 1 WHERE status = 'active';
CREATE UNIQUE INDEX one_rollout ON model_versions (model_type) WHERE status = 'staging' AND traffic > 0;
CREATE TRIGGER traffic_follows_status BEFORE UPDATE OF status, traffic ON model_versions
WHEN CASE new.status WHEN 'active' THEN new.traffic <> 1 WHEN 'staging' THEN 0 ELSE new.traffic <> 0 END
BEGIN SELECT RAISE(ABORT, 'the active version has the traffic 1, a deprecated or archived one has none'); END;

ALTER TABLE version_history ADD COLUMN from_value REAL CHECK (from_value BETWEEN 0 AND 1);
ALTER TABLE version_history ADD COLUMN to_value REAL CHECK (to_value BETWEEN 0 AND 1);
"""

_BOUNDED_READING: Final = """
CREATE INDEX interactions_by_moment ON interactions (scored_at) WHERE scored_at IS NOT NULL;
CREATE INDEX interactions_by_kind ON interactions (source_kind);
"""

_IDENTITIES_BY_THE_MILLISECOND: Final = """
-- Of two rows that are the same interaction now, one keeps the identity that it had: reading shows both, and validation
-- merges them.
UPDATE OR IGNORE interactions SET identity = identity_of(
    agent_id, opportunity_id, scored_at, features, formula_score, is_called, outcome_type, outcome_score, outcome_at
)
WHERE agent_id IS NULL OR opportunity_id IS NULL OR scored_at IS NULL OR scored_at % 1000 <> 0;

DROP TRIGGER decisions_are_not_changed;
UPDATE decisions SET identity = identity_of(agent_id, opportunity_id, decided_at) WHERE decided_at % 1000 <> 0;
CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
"""

_TWINS: Final = """
-- Of rows that are the same interaction and were two before, the one whose outcome stands has the identity: it is what
-- a decision finds. The others keep what tells them apart.
CREATE TEMP TABLE twins AS
WITH told AS MATERIALIZED (
    SELECT row_sequence, identity, outcome_score, outcome_at,
        identity_of(agent_id, opportunity_id, scored_at) AS told
    FROM interactions WHERE agent_id IS NOT NULL AND opportunity_id IS NOT NULL AND scored_at % 1000 <> 0
), several AS MATERIALIZED (
    SELECT DISTINCT told FROM told WHERE told <> identity
)
SELECT row_sequence, identity, told, row_number() OVER (
    PARTITION BY told
    ORDER BY outcome_score IS NULL, outcome_at IS NULL, outcome_at DESC, outcome_score, identity <> told, row_sequence
) AS place
FROM (
    SELECT * FROM told WHERE told IN (SELECT told FROM several)
    UNION
    SELECT row_sequence, identity, outcome_score, outcome_at, identity
    FROM interactions WHERE identity IN (SELECT told FROM several)
);
CREATE TEMP TABLE exchanged AS
SELECT chosen.row_sequence AS chosen, chosen.identity AS aside, known.row_sequence AS known, known.identity AS told
FROM twins AS chosen JOIN twins AS known ON known.identity = chosen.told
WHERE chosen.place = 1 AND chosen.identity <> chosen.told;
UPDATE interactions SET identity = randomblob(16) WHERE row_sequence IN (SELECT chosen FROM exchanged);
UPDATE interactions SET identity = (SELECT aside FROM exchanged WHERE known = row_sequence)
WHERE row_sequence IN (SELECT known FROM exchanged);
UPDATE interactions SET identity = (SELECT told FROM exchanged WHERE chosen = row_sequence)
WHERE row_sequence IN (SELECT chosen FROM exchanged);
DROP TABLE exchanged;
DROP TABLE twins;
"""

_ORDER_OF_REGISTRATIONS: Final = """
-- Which version was registered last is said by the number of the history's entry, never by a clock. What was only noted
-- of a version that was put away does not count.
ALTER TABLE model_versions ADD COLUMN last_registered_sequence INTEGER NOT NULL DEFAULT 0;
UPDATE model_versions SET last_registered_sequence = coalesce((
    SELECT max(entry.sequence) FROM version_history AS entry
    WHERE entry.model_type = model_versions.model_type AND entry.version = model_versions.version
        AND entry.action IN ('registered', 'reaffirmed') AND entry.to_status <> 'archived'
), 0);
CREATE TRIGGER registrations_are_numbered AFTER INSERT ON version_history
WHEN new.action IN ('registered', 'reaffirmed')
BEGIN
    UPDATE model_versions SET last_registered_sequence = new.sequence
    WHERE model_type = new.model_type AND version = new.version;
END;
"""

_REFUSALS: Final = """
CREATE TABLE refusals (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    model_type TEXT NOT NULL,
    refused_at TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX refusals_by_model ON refusals (model_type, number);
CREATE TRIGGER refusals_are_not_changed BEFORE UPDATE ON refusals
BEGIN SELECT RAISE(ABORT, 'refusals is append-only'); END;
CREATE TRIGGER refusals_are_not_deleted BEFORE DELETE ON refusals
BEGIN SELECT RAISE(ABORT, 'refusals is append-only'); END;
"""

_OUTCOME_LOG: Final = """
-- What is known of an outcome is an entry of a log that only grows. An interaction says the number of its first entry
-- (`label_sequence`), of its latest one, and of the latest that told another type or score.
ALTER TABLE interactions ADD COLUMN first_outcome_at INTEGER;
ALTER TABLE interactions ADD COLUMN outcome_sequence INTEGER;
ALTER TABLE interactions ADD COLUMN corrected_sequence INTEGER;
CREATE INDEX corrections_by_arrival ON interactions (corrected_sequence, label_sequence)
WHERE corrected_sequence IS NOT NULL;
CREATE TABLE outcomes (
    sequence INTEGER PRIMARY KEY,
    row_sequence INTEGER NOT NULL,
    outcome_type TEXT NOT NULL,
    outcome_score REAL NOT NULL,
    outcome_at INTEGER,
    first_outcome_at INTEGER
);
INSERT INTO outcomes SELECT label_sequence, row_sequence, outcome_type, outcome_score, outcome_at, NULL
FROM interactions WHERE label_sequence IS NOT NULL ORDER BY label_sequence;
CREATE UNIQUE INDEX outcomes_by_interaction ON outcomes (row_sequence, sequence);
CREATE TRIGGER outcomes_are_not_changed BEFORE UPDATE ON outcomes
BEGIN SELECT RAISE(ABORT, 'outcomes are append-only'); END;
CREATE TRIGGER outcomes_are_not_deleted BEFORE DELETE ON outcomes
BEGIN SELECT RAISE(ABORT, 'outcomes are append-only'); END;
UPDATE interactions SET outcome_sequence = label_sequence WHERE label_sequence IS NOT NULL;
"""

_CLAIMS: Final = f"""
{added_columns(since=3)}
-- What was served is decided anew by what is known of it: when it was logged, which versions were registered by then,
-- and that of one agent, opportunity and moment one decision is.
DROP TRIGGER decisions_are_not_changed;
UPDATE decisions SET claim = CASE
    WHEN origin = 'replayed' THEN 'scored_again'
    WHEN coalesce(abs(strftime('%s', logged_at) - decided_at / 1000000) > 900, 1) THEN 'another_moment'
    WHEN version IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM model_versions AS known WHERE known.model_type = '{_NEURAL}' AND known.version = decisions.version
            AND CAST(strftime('%s', known.created_at) AS INTEGER) <= decisions.decided_at / 1000000
    ) OR outcome_version IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM model_versions AS known
        WHERE known.model_type = '{_FILTER}' AND known.version = decisions.outcome_version
            AND CAST(strftime('%s', known.created_at) AS INTEGER) <= decisions.decided_at / 1000000
    ) THEN 'not_in_service'
    ELSE 'at_its_moment'
END;
UPDATE decisions SET claim = 'already_served' WHERE claim = 'at_its_moment' AND rowid NOT IN (
    SELECT min(rowid) FROM decisions WHERE claim = 'at_its_moment' GROUP BY identity
);
UPDATE decisions SET origin = 'replayed', propensity = NULL WHERE claim <> 'at_its_moment';
CREATE TRIGGER decisions_are_not_changed BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decisions are append-only'); END;
CREATE UNIQUE INDEX one_served_decision ON decisions (identity) WHERE origin = 'served';
"""  # noqa: S608 - names of columns and models

_QUARANTINE_BY_ARRIVAL: Final = """
-- A broken record has a number of the same sequence as the interactions, so that a watermark says which were there.
-- Those of before the numbers were there at every watermark.
ALTER TABLE quarantined ADD COLUMN row_sequence INTEGER;
UPDATE quarantined SET row_sequence = numbered.place - (SELECT count(*) FROM quarantined)
FROM (
    SELECT identity, row_number() OVER (ORDER BY imported_at, position, identity) AS place FROM quarantined
) AS numbered
WHERE numbered.identity = quarantined.identity;
CREATE UNIQUE INDEX quarantined_by_arrival ON quarantined (row_sequence);
"""

_RETRAINING_REQUESTS: Final = """
-- A request is answered by a version or a refusal that came after it was taken, by these numbers and by no clock.
CREATE TABLE retraining_requests (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    model_type TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    anew INTEGER NOT NULL CHECK (anew IN (0, 1)),
    asked_at TEXT NOT NULL
);
CREATE INDEX retraining_requests_by_model ON retraining_requests (model_type, number);
CREATE TABLE retraining_takings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    request INTEGER NOT NULL REFERENCES retraining_requests (number),
    taker TEXT NOT NULL,
    taken_at TEXT NOT NULL,
    after_change INTEGER NOT NULL,
    after_refusal INTEGER NOT NULL
);
CREATE INDEX retraining_takings_by_request ON retraining_takings (request, number);
CREATE TRIGGER retraining_requests_are_not_changed BEFORE UPDATE ON retraining_requests
BEGIN SELECT RAISE(ABORT, 'retraining_requests is append-only'); END;
CREATE TRIGGER retraining_requests_are_not_deleted BEFORE DELETE ON retraining_requests
BEGIN SELECT RAISE(ABORT, 'retraining_requests is append-only'); END;
CREATE TRIGGER retraining_takings_are_not_changed BEFORE UPDATE ON retraining_takings
BEGIN SELECT RAISE(ABORT, 'retraining_takings is append-only'); END;
CREATE TRIGGER retraining_takings_are_not_deleted BEFORE DELETE ON retraining_takings
BEGIN SELECT RAISE(ABORT, 'retraining_takings is append-only'); END;
"""

_BLESSINGS: Final = """
-- What comparing a version with the champion came to. The log only grows; its numbers are its order, and each says the
-- last change of the history that there was then.
CREATE TABLE blessings (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    after_change INTEGER NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    model_type TEXT NOT NULL,
    version TEXT NOT NULL,
    champion TEXT,
    digest TEXT NOT NULL CHECK (length(digest) = 64),
    document TEXT NOT NULL CHECK (json_valid(document)),
    FOREIGN KEY (model_type, version) REFERENCES model_versions (model_type, version)
);
CREATE INDEX blessings_of_version ON blessings (model_type, version, number);
CREATE TRIGGER blessings_are_not_changed BEFORE UPDATE ON blessings
BEGIN SELECT RAISE(ABORT, 'blessings is append-only'); END;
CREATE TRIGGER blessings_are_not_deleted BEFORE DELETE ON blessings
BEGIN SELECT RAISE(ABORT, 'blessings is append-only'); END;
ALTER TABLE version_history ADD COLUMN forced INTEGER NOT NULL DEFAULT 0 CHECK (forced IN (0, 1));
"""

_WATCHES: Final = """
CREATE TABLE watches (
    day TEXT NOT NULL,
    model_type TEXT NOT NULL,
    topic TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (day, model_type, topic)
) WITHOUT ROWID;
"""

_PHONE_REPORTS: Final = """
-- What exports tell of phones' decisions, beside the interactions: the number is the order in which they were told. A
-- row that is no report names the id of an outcome.
CREATE TABLE phone_reports (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    identity BLOB NOT NULL UNIQUE,
    agent_id TEXT NOT NULL,
    opportunity_id TEXT NOT NULL,
    decided_at INTEGER NOT NULL,
    agent_group TEXT CHECK (agent_group IN ('hybrid', 'formulaBased')),
    version TEXT,
    outcome_version TEXT,
    weight REAL CHECK (weight BETWEEN 0 AND 1),
    neural_score REAL CHECK (neural_score BETWEEN 0 AND 1),
    score REAL CHECK (score BETWEEN 0 AND 1),
    called INTEGER,
    propensity REAL CHECK (propensity > 0 AND propensity <= 1),
    fallback TEXT,
    experiment TEXT CHECK (experiment <> ''),
    stage INTEGER CHECK (stage BETWEEN 1 AND 1000),
    formula_score REAL CHECK (formula_score BETWEEN 0 AND 1),
    outcome_id TEXT,
    is_report INTEGER NOT NULL,
    reported_at INTEGER
);
CREATE INDEX phone_reports_by_moment ON phone_reports (decided_at) WHERE is_report;
CREATE INDEX phone_reports_by_outcome ON phone_reports (agent_id, outcome_id) WHERE outcome_id IS NOT NULL;
CREATE TRIGGER phone_reports_are_not_deleted BEFORE DELETE ON phone_reports
BEGIN SELECT RAISE(ABORT, 'phone_reports only grows'); END;
"""

_FORECASTS: Final = """
-- A forecast counts for rollouts that start after it: which was the last by then is looked up here, not told.
CREATE TABLE forecasts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    model_type TEXT NOT NULL,
    version TEXT NOT NULL,
    after_rollout INTEGER NOT NULL,
    made_at TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX forecasts_by_version ON forecasts (model_type, version, number);
CREATE TRIGGER forecasts_are_not_changed BEFORE UPDATE ON forecasts
BEGIN SELECT RAISE(ABORT, 'forecasts is append-only'); END;
CREATE TRIGGER forecasts_are_not_deleted BEFORE DELETE ON forecasts
BEGIN SELECT RAISE(ABORT, 'forecasts is append-only'); END;
"""

STEPS: Final = (
    _INTERACTIONS_AND_VERSIONS,
    _DECISIONS_AND_PERFORMANCE,
    _WEIGHT_AND_TRAFFIC,
    _BOUNDED_READING,
    _IDENTITIES_BY_THE_MILLISECOND,
    added_columns(since=2),
    _TWINS,
    _ORDER_OF_REGISTRATIONS,
    _REFUSALS,
    _OUTCOME_LOG,
    _CLAIMS,
    _QUARANTINE_BY_ARRIVAL,
    _RETRAINING_REQUESTS,
    added_columns(since=4),
    _BLESSINGS,
    _WATCHES,
    ROLLOUT_TABLES,
    _PHONE_REPORTS,
    _FORECASTS,
)
"""The first step makes version 1 out of an empty file, each further one the next version."""

SCHEMA_VERSION: Final = len(STEPS)
