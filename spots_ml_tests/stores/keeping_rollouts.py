"""Rollouts as tests start, look at and change them."""

import secrets
from datetime import timedelta

import pyarrow as pa

from spots_ml.estimates.estimate import Estimate
from spots_ml.experiments.budget import level_at
from spots_ml.experiments.evidence_record import EValue, Evidence, NewLook
from spots_ml.experiments.policy import RolloutPolicy
from spots_ml.experiments.rollout import RolloutChange, RolloutStart, n_promoted_by_evidence
from spots_ml.experiments.units import NEW_UNITS
from spots_ml.scoring.assignment import place_of
from spots_ml_tests.registry.blessing import bless_if_possible
from spots_ml_tests.registry.building import hours

MODEL = "calling_score"
POLICY = RolloutPolicy()
NOTHING_YET = EValue(log_e=0.0, peak=0.0, needed=3.0)
UNKNOWN = Estimate(value=None, low=None, high=None)


def version(number):
    return f"v1.{number}-synthetic"


def new_start(store, number=1, model=MODEL, *, blessed=True, **changes):
    """The start of a rollout as it may start now, of a version that is blessed before where it can be."""
    rollouts = store.rollouts.list_rollouts()
    active = next((one for one in store.versions.list_versions(model) if one.status == "active"), None)
    values = {
        "model_type": model,
        "kind": "version",
        "version": version(number),
        "weight": 0.1 if active is None else active.weight,
        "champion": None if active is None else active.version,
        "salt": secrets.token_hex(16),
        "policy": POLICY,
        "n_before": len(rollouts),
        "n_promoted_before": n_promoted_by_evidence(rollouts),
    } | changes
    counts = values["n_before"], min(values["n_promoted_before"], values["n_before"])
    start = RolloutStart(**({"level": level_at(*counts, POLICY.lifetime_level)} | values))
    if blessed:
        bless_if_possible(store.versions, model, start.version)
    return start


def start(store, number=1, at=50, model=MODEL, **changes):
    return store.rollouts.start_rollout(
        new_start(store, number, model, **changes), now=hours(at), actor="eva", reason="blessed"
    )


def change(action, cause="evidence", reason="because"):
    return RolloutChange(action=action, cause=cause, reason=reason)


def alter(store, rollout, action, at=60, after=None, **values):
    """Make a change of a rollout; returns how it stands."""
    seen = rollout.last_event if after is None else after
    return store.rollouts.change_rollout(
        rollout.number, change(action, **values), after=seen, now=hours(at), actor="fay"
    )


def evidence(at=60):
    return Evidence(
        as_of=hours(at),
        stages=(),
        benefit=NOTHING_YET,
        harm=NOTHING_YET,
        not_much_worse=NOTHING_YET,
        effect=UNKNOWN,
        relative=UNKNOWN,
        spread=None,
        guardrails=(),
        sample_ratio=NOTHING_YET,
        otherwise_share=0.0,
        by_day=(),
    )


def unit(rollout, agent, stage=1, at=0, **changes):
    """A unit of an agent; None where the agent is none of the stage's fresh ones."""
    shares = (0.0, *rollout.policy.shares)
    place = place_of(agent, rollout.salt)
    if place < shares[stage - 1]:
        return None
    values = {
        "stage": stage,
        "agent_id": agent,
        "place": place,
        "treated": place < shares[stage],
        "entered_at": hours(at),
        "matured_at": hours(at) + timedelta(days=9),
        "n_decisions": 3,
        "n_phone": 1,
        "n_otherwise": 0,
        "value": 1 / 3,
        "daily_values": [0.5, None, 0.1 + 0.2, None, None, None, -1.0],
        "called": 2 / 3,
        "negative": 0.1,
        "fallback": 0.0,
        "slow": 1e-7,
        "n_earlier": 0,
        "earlier_value": None,
        "first_formula_score": 0.6,
    }
    return values | changes


def units(rollout, *agents, stage=1, at=0, **changes):
    """Units of agents, those that are fresh in the stage, in the given order."""
    rows = [one for agent in agents if (one := unit(rollout, agent, stage, at, **changes)) is not None]
    return pa.Table.from_pylist(rows, schema=NEW_UNITS)


NO_UNITS = NEW_UNITS.empty_table()


def look(n_units=0, what=None, at=60):
    return NewLook(
        evidence=evidence(at),
        n_units=n_units,
        units_digest="a" * 64,
        change=None if what is None else change(what),
        told="hold: 12 of 50 units; known at about noon",
    )


def record(store, rollout, found=NO_UNITS, what=None, at=60, after=None, n_units=None):
    """Keep a look; returns how the rollout stands."""
    if n_units is None:
        n_units = store.rollouts.rollout_units(rollout.number).num_rows + found.num_rows
    return store.rollouts.record_look(
        rollout.number,
        after=rollout.last_event if after is None else after,
        units=found,
        look=look(n_units, what, at),
        now=hours(at),
        actor="gus",
    )


def told(store, number=1):
    """Action, cause, status-giving numbers and author of each event of a rollout."""
    return [(one.action, one.cause, one.stage, one.share, one.actor) for one in store.rollouts.rollout_events(number)]


def standing(store, model=MODEL):
    """Status, weight and traffic of each version."""
    return [(one.status, one.weight, one.traffic) for one in store.versions.list_versions(model)]


def kept(store):
    """All that a store has of versions and rollouts."""
    rollouts = store.rollouts.list_rollouts()
    return (
        store.versions.list_versions(),
        store.versions.history(),
        rollouts,
        [store.rollouts.rollout_events(one.number) for one in rollouts],
        [store.rollouts.rollout_looks(one.number) for one in rollouts],
        [store.rollouts.rollout_units(one.number) for one in rollouts],
    )
