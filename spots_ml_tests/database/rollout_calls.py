"""Rollouts as a program starts and changes them by the functions of the database."""

import secrets

from spots_ml.experiments.budget import level_at
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import RolloutStart
from spots_ml.stores.rollout_documents import document_of
from spots_ml_tests.database.roles import bless, call, hours

MODEL = "calling_score"


def start_document(connection, version, **changes):
    """The document of a rollout as it may start now, of a version that is blessed before."""
    n_before, n_promoted = (
        connection.execute(
            "select (select count(*) from public.rollouts) as n, count(*) as n_promoted from public.rollout_events"
            " where action = 'promoted' and cause = 'evidence'"
        )
        .fetchone()
        .values()
    )
    active = connection.execute(
        "select version, weight from public.model_versions where model_type = %s and status = 'active'", (MODEL,)
    ).fetchone()
    bless(connection, MODEL, version)
    values = {
        "model_type": MODEL,
        "kind": "version",
        "version": version,
        "weight": active["weight"] if active else 0.1,
        "champion": active["version"] if active else None,
        "salt": secrets.token_hex(16),
        "policy": RolloutPolicy(),
        "n_before": n_before,
        "n_promoted_before": n_promoted,
        "level": level_at(n_before, n_promoted, RolloutPolicy().lifetime_level),
    }
    return document_of(RolloutStart(**(values | changes)))[0]


def start_rollout(connection, version, at=10, document=None, **values):
    """Start a rollout; returns the answer's row."""
    told = {"p_at": hours(at), "p_actor": "eva", "p_reason": "blessed"}
    document = start_document(connection, version) if document is None else document
    return call(connection, "start_rollout", p_document=document, **(told | values))


def change_rollout(connection, rollout, action, at=20, **values):
    """Change a rollout, given as an answer told it; returns the answer's row."""
    told = {
        "p_rollout": rollout["number"],
        "p_after": rollout["last_event"],
        "p_action": action,
        "p_cause": "evidence",
        "p_reason": "because",
        "p_at": hours(at),
        "p_actor": "fay",
    }
    return call(connection, "change_rollout", **(told | values))
