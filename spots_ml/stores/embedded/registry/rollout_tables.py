"""The tables of rollouts in SQLite, a step of `schema`: it is never changed."""

from typing import Final

ROLLOUT_TABLES: Final = """
-- What is fixed when a rollout starts is a document with its digest; where it stands follows its events.
CREATE TABLE rollouts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    model_type TEXT NOT NULL,
    version TEXT NOT NULL,
    salt TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('running', 'paused', 'promoted', 'rolled_back', 'ended')),
    stage INTEGER NOT NULL CHECK (stage >= 1),
    started_at TEXT NOT NULL,
    last_event INTEGER NOT NULL,
    document TEXT NOT NULL,
    digest TEXT NOT NULL,
    FOREIGN KEY (model_type, version) REFERENCES model_versions (model_type, version)
);
CREATE UNIQUE INDEX one_rollout_on_its_way ON rollouts (model_type) WHERE status IN ('running', 'paused');
CREATE TRIGGER starts_are_not_changed BEFORE UPDATE OF number, model_type, version, salt, started_at, document, digest
ON rollouts BEGIN SELECT RAISE(ABORT, 'what a rollout started with never changes'); END;
CREATE TRIGGER what_is_over_stays_over BEFORE UPDATE ON rollouts WHEN old.status NOT IN ('running', 'paused')
BEGIN SELECT RAISE(ABORT, 'a rollout that is over never changes'); END;
CREATE TRIGGER rollouts_are_not_deleted BEFORE DELETE ON rollouts
BEGIN SELECT RAISE(ABORT, 'rollouts end, they are never deleted'); END;

CREATE TABLE rollout_looks (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rollout INTEGER NOT NULL REFERENCES rollouts (number),
    at TEXT NOT NULL,
    actor TEXT NOT NULL CHECK (actor <> ''),
    document TEXT NOT NULL,
    digest TEXT NOT NULL
);
CREATE INDEX looks_of_rollout ON rollout_looks (rollout, number);
CREATE TRIGGER looks_are_not_changed BEFORE UPDATE ON rollout_looks
BEGIN SELECT RAISE(ABORT, 'rollout_looks is append-only'); END;
CREATE TRIGGER looks_are_not_deleted BEFORE DELETE ON rollout_looks
BEGIN SELECT RAISE(ABORT, 'rollout_looks is append-only'); END;

CREATE TABLE rollout_events (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    rollout INTEGER NOT NULL REFERENCES rollouts (number),
    at TEXT NOT NULL,
    action TEXT NOT NULL,
    cause TEXT NOT NULL,
    reason TEXT NOT NULL CHECK (reason <> ''),
    stage INTEGER NOT NULL CHECK (stage >= 1),
    share REAL NOT NULL CHECK (share BETWEEN 0 AND 1),
    actor TEXT NOT NULL CHECK (actor <> ''),
    look INTEGER REFERENCES rollout_looks (number)
);
CREATE INDEX events_of_rollout ON rollout_events (rollout, number);
CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON rollout_events
BEGIN SELECT RAISE(ABORT, 'rollout_events is append-only'); END;
CREATE TRIGGER events_are_not_deleted BEFORE DELETE ON rollout_events
BEGIN SELECT RAISE(ABORT, 'rollout_events is append-only'); END;

CREATE TABLE rollout_units (
    rollout INTEGER NOT NULL REFERENCES rollouts (number),
    number INTEGER NOT NULL CHECK (number >= 1),
    stage INTEGER NOT NULL CHECK (stage >= 1),
    agent_id TEXT NOT NULL,
    document TEXT NOT NULL CHECK (json_valid(document)),
    PRIMARY KEY (rollout, number),
    UNIQUE (rollout, stage, agent_id)
) WITHOUT ROWID;
CREATE TRIGGER units_are_not_changed BEFORE UPDATE ON rollout_units
BEGIN SELECT RAISE(ABORT, 'rollout_units is append-only'); END;
CREATE TRIGGER units_are_not_deleted BEFORE DELETE ON rollout_units
BEGIN SELECT RAISE(ABORT, 'rollout_units is append-only'); END;
"""
