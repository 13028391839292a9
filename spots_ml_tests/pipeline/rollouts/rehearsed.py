"""Rollouts in a small platform of their own, with short windows and a clock that is moved by hand."""

from datetime import UTC, datetime, timedelta

from spots_ml.experiments.policy import GuardrailMargins, RolloutPolicy
from spots_ml.pipeline.rollouts.controller import look
from spots_ml.pipeline.rollouts.due_look import look_due
from spots_ml.pipeline.rollouts.rehearsal import Rehearsal, hybrid_agents

START = datetime(2026, 11, 2, 6, tzinfo=UTC)
POLICY = RolloutPolicy(
    shares=(0.3, 0.6),
    window_days=1.0,
    maturity_hours=24.0,
    least_units=20,
    longest_days=40.0,
    # Who says yes calls everybody and the champion nobody: neither that nor some who are not pleased is harm by itself.
    guardrails=GuardrailMargins(called=1.0, negative=1.0),
)
FIRST, SECOND, THIRD = "v1.0-synthetic", "v1.1-synthetic", "v1.2-synthetic"


def rehearsal(folder, n_agents=240):
    return Rehearsal(folder, START, hybrid_agents(n_agents))


def with_champion(place, version=FIRST):
    """A champion that says no: beside it nobody is called."""
    place.register(version, says_yes=False, blessed=False)
    place.promote(version)
    place.pass_time(timedelta(hours=1))


def look_at(place, policy=POLICY, actor="a test"):
    return look(place.store, place.places, place.model_type, policy, now=place.now, actor=actor)


def due(place, policy=POLICY):
    return look_due(place.store, place.places.models_dir, place.model_type, policy, looked_at=None, now=place.now)


def days(place, number, *, good, policy=POLICY, until=lambda looked: False):
    """Days that pass: everybody is asked about at noon, and somebody looks in the next morning; gives the last look."""
    looked = None
    for _ in range(number):
        place.pass_time(timedelta(hours=12))
        place.serve(good=good)
        place.pass_time(timedelta(hours=12))
        looked = look_at(place, policy)
        if until(looked):
            break
    return looked


def active(place):
    rows = place.store.versions.list_versions(place.model_type)
    return next((one.version for one in rows if one.status == "active"), None)


def traffic(place, version):
    return place.store.versions.get(place.model_type, version).traffic


def actions(place, rollout):
    return [(event.action, event.cause) for event in place.store.rollouts.rollout_events(rollout.number)]
