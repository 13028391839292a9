"""What every store of rollouts promises: the life of one, what it does to versions, and who was first."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from spots_ml.errors import ConfigError, InputError, RegistryError
from spots_ml.experiments.changes.transitions import ROLLOUT_TRANSITIONS
from spots_ml.experiments.rollout import ROLLOUT_ACTIONS
from spots_ml.experiments.rollout_store import RolloutChangedError
from spots_ml.experiments.units import NEW_UNITS, UNITS, units_digest
from spots_ml.registry.in_service import in_service
from spots_ml.registry.service import service_periods
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import hours, make_candidate
from spots_ml_tests.stores.keeping_rollouts import (
    MODEL,
    NO_UNITS,
    alter,
    change,
    kept,
    look,
    new_start,
    record,
    standing,
    start,
    told,
    unit,
    units,
    version,
)
from spots_ml_tests.stores.keeping_versions import archive, fill, promote, rollback, unarchive, weigh, withdraw

pytestmark = pytest.mark.parametrize("new_store", ["embedded", "supabase"], indirect=True)
"""Rollouts are never read straight from Postgres."""

AGENTS = tuple(f"agent-{number}" for number in range(12))


@pytest.fixture
def filled(store):
    """Three versions, the first active at the weight 0.2."""
    fill(store, "a", "b", "c")
    promote(store, 0)
    weigh(store, 0, 0.2)
    return store


@contextlib.contextmanager
def nothing_changes(store, error=RegistryError, match=None):
    before = kept(store)
    with pytest.raises(error, match=match):
        yield
    assert kept(store) == before


def test_without_rollouts_there_are_none(store):
    assert store.rollouts.list_rollouts() == ()
    for asked in (store.rollouts.rollout_events, store.rollouts.rollout_looks, store.rollouts.rollout_units):
        with pytest.raises(RegistryError, match="there is no rollout-1; there are 0 rollouts"):
            asked(1)


def test_a_rollout_that_starts_is_kept_as_it_was_started_and_offers_the_challenger_at_the_champions_weight(filled):
    given = new_start(filled)
    started = filled.rollouts.start_rollout(given, now=hours(50), actor="eva", reason="blessed")

    assert {name: getattr(started, name) for name in type(given).model_fields} == dict(given)
    assert (started.number, started.name, started.status, started.stage) == (1, "rollout-1", "running", 1)
    assert (started.started_at, started.share) == (hours(50), 0.1)
    assert filled.rollouts.list_rollouts() == filled.rollouts.list_rollouts(MODEL) == (started,)
    assert filled.rollouts.list_rollouts("outcome") == ()
    assert standing(filled) == [("active", 0.2, 1.0), ("staging", 0.2, 0.1), ("staging", 0.1, 0.0)]
    (event,) = filled.rollouts.rollout_events(1)
    assert (event.action, event.stage, event.share, event.at, event.reason) == ("started", 1, 0.1, hours(50), "blessed")
    assert (event.number, event.look) == (started.last_event, None)
    assert [(one.action, one.to_value, one.reason) for one in filled.versions.history()[-2:]] == [
        ("weight_set", 0.2, "rollout-1: blessed"),
        ("traffic_set", 0.1, "rollout-1: blessed"),
    ]


def test_evidence_widens_and_promotes_with_what_that_does_to_versions(filled):
    rollout = record(filled, start(filled), what="widened", at=60)
    assert (rollout.status, rollout.stage, rollout.share) == ("running", 2, 0.5)
    assert standing(filled)[1] == ("staging", 0.2, 0.5)

    rollout = record(filled, rollout, what="promoted", at=70)
    assert (rollout.status, rollout.stage, rollout.share) == ("promoted", 2, 0.0)
    assert standing(filled) == [("deprecated", 0.2, 0.0), ("active", 0.2, 1.0), ("staging", 0.1, 0.0)]
    assert [one[:4] for one in told(filled)] == [
        ("started", "evidence", 1, 0.1),
        ("widened", "evidence", 2, 0.5),
        ("promoted", "evidence", 2, 0.0),
    ]
    looks = filled.rollouts.rollout_looks(1)
    assert [one.look for one in filled.rollouts.rollout_events(1)] == [None, *(one.number for one in looks)]
    assert rollback(filled) == version(0)


def test_after_two_promotions_in_a_row_a_rollback_leads_to_the_first_and_then_to_what_was_before(filled):
    for number in (1, 2):
        alter(filled, start(filled, number), "promoted")

    assert [rollback(filled), rollback(filled)] == [version(1), version(0)]
    assert standing(filled) == [("active", 0.2, 1.0), ("deprecated", 0.2, 0.0), ("deprecated", 0.2, 0.0)]


@pytest.mark.parametrize("action", ["rolled_back", "ended"])
def test_a_rollout_that_is_over_leaves_the_champion_alone_and_the_challenger_without_traffic(filled, action):
    rollout = alter(filled, start(filled), action, cause="harm")

    assert (rollout.status, rollout.share) == (action, 0.0)
    assert standing(filled) == [("active", 0.2, 1.0), ("staging", 0.2, 0.0), ("staging", 0.1, 0.0)]
    with nothing_changes(filled, match=f"rollout-1 is {action}; nothing changes it any more"):
        alter(filled, rollout, "resumed")
    assert start(filled, 1).number == 2


def test_a_paused_rollout_keeps_its_traffic_and_may_be_rolled_back_but_neither_widened_nor_promoted(filled):
    rollout = alter(filled, start(filled), "paused", cause="by_hand")
    assert standing(filled)[1] == ("staging", 0.2, 0.1)
    for action in ("widened", "promoted", "paused"):
        with nothing_changes(filled, match=f"rollout-1 is paused and cannot be {action}"):
            alter(filled, rollout, action)

    assert alter(filled, rollout, "rolled_back").status == "rolled_back"
    assert standing(filled)[1] == ("staging", 0.2, 0.0)


@pytest.mark.parametrize("action", ["widened", "promoted"])
def test_of_a_paused_rollout_it_is_told_how_it_gets_that_far(filled, action):
    rollout = alter(filled, start(filled), "paused", cause="by_hand")
    first = rf'cannot be {action}; `spots-ml rollout resume {MODEL} --reason "\.\.\."` lets it go on first$'
    with nothing_changes(filled, match=first):
        alter(filled, rollout, action, cause="by_hand")


@pytest.mark.parametrize("status", ["running", "paused"])
def test_each_status_is_left_by_the_changes_of_the_table_and_by_no_others(filled, status):
    allowed = {action: after for action, before, after in ROLLOUT_TRANSITIONS if before == status}
    for action in ROLLOUT_ACTIONS:
        rollout = start(filled, 2)
        rollout = alter(filled, rollout, "paused") if status == "paused" else rollout
        if action in allowed:
            rollout = alter(filled, rollout, action)
            assert rollout.status == allowed[action]
        else:
            with nothing_changes(filled, match=f"rollout-{rollout.number} is {status} and cannot be {action}"):
                alter(filled, rollout, action)
        if rollout.status in ("running", "paused"):
            alter(filled, rollout, "ended")
        if action == "promoted" and action in allowed:
            rollback(filled)
            archive(filled, 2)
            unarchive(filled, 2)


def test_the_last_stage_is_not_widened(filled):
    rollout = alter(filled, start(filled), "widened")
    with nothing_changes(filled, match="rollout-1 is in its last stage and cannot be widened; promote it"):
        alter(filled, rollout, "widened")


def test_a_model_has_one_rollout_at_a_time_and_models_do_not_wait_for_each_other(filled):
    filled.versions.register(make_candidate("x", model_type="outcome"), now=hours(0), actor="test")
    start(filled)
    with nothing_changes(filled, match=r"rollout-1 of calling_score v1\.1-synthetic is running, and a model has one"):
        start(filled, 2)

    other = start(filled, 0, model="outcome")
    assert (other.number, other.champion, other.weight) == (2, None, 0.1)
    assert [one.number for one in filled.rollouts.list_rollouts("outcome")] == [2]


def test_without_a_champion_a_version_is_rolled_out_against_the_formula(store):
    fill(store, "a")
    rollout = record(store, start(store, 0, weight=0.15), what="widened")
    assert standing(store) == [("staging", 0.15, 0.5)]
    record(store, rollout, what="promoted")
    assert standing(store) == [("active", 0.15, 1.0)]


def test_a_rollout_of_a_weight_changes_the_active_version_once_it_is_promoted(filled):
    rollout = start(filled, 0, kind="weight", weight=0.3)
    rollout = alter(filled, rollout, "widened")
    assert standing(filled)[0] == ("active", 0.2, 1.0)
    n_before = len(filled.versions.history())

    assert alter(filled, rollout, "promoted").status == "promoted"
    assert standing(filled)[0] == ("active", 0.3, 1.0)
    assert [one.action for one in filled.versions.history()[n_before:]] == ["weight_set"]


def test_a_rollout_of_a_weight_that_is_over_leaves_the_weight(filled):
    alter(filled, start(filled, 0, kind="weight", weight=0.3), "rolled_back")
    assert standing(filled)[0] == ("active", 0.2, 1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "weight"}, "is staging; only the active version is tried at another weight"),
        ({"version": version(0)}, "is active; only a staging version is rolled out"),
        ({"version": version(9)}, r"there is no calling_score v1\.9-synthetic; registered are"),
        ({"version": version(0), "kind": "weight"}, "has that weight already"),
        ({"level": 0.03}, "is not its part of the error budget"),
    ],
)
def test_what_cannot_be_rolled_out_is_not_started(filled, changes, message):
    with nothing_changes(filled, match=message):
        start(filled, **changes)


def test_a_start_has_a_reason_and_who_starts_is_one_line(filled):
    for actor, reason, error in (
        ("eva", " ", RegistryError),
        ("e\nva", "x", ConfigError),
        ("eva", "x\ny", ConfigError),
    ):
        with nothing_changes(filled, error):
            filled.rollouts.start_rollout(new_start(filled), now=hours(50), actor=actor, reason=reason)


def test_a_salt_is_never_used_again(filled):
    first = start(filled)
    alter(filled, first, "ended")
    with nothing_changes(filled, match="the salt of rollout-1 was used before"):
        start(filled, salt=first.salt)


def test_a_start_that_counted_otherwise_or_knew_another_champion_is_refused(filled):
    stale = new_start(filled)
    alter(filled, start(filled), "ended")
    with nothing_changes(
        filled, RolloutChangedError, "1 rollouts before, 0 of them promoted by evidence, and the start names 0 and 0"
    ):
        filled.rollouts.start_rollout(stale, now=hours(51), actor="eva", reason="again")
    with nothing_changes(filled, RolloutChangedError, r"v1\.0-synthetic is active, and the start names no version"):
        start(filled, champion=None)
    rollout = start(filled)
    alter(filled, rollout, "promoted")
    with nothing_changes(filled, RolloutChangedError, "2 rollouts before, 1 of them promoted by evidence"):
        start(filled, 2, n_promoted_before=0)


def test_what_a_hand_promotes_adds_nothing_to_the_budget(filled):
    alter(filled, start(filled), "promoted", cause="by_hand")
    assert [one.promoted_by for one in filled.rollouts.list_rollouts()] == ["by_hand"]
    started = start(filled, 2, n_promoted_before=0)
    assert alter(filled, started, "promoted").promoted_by == "evidence"
    assert [one.promoted_by for one in filled.rollouts.list_rollouts()] == ["by_hand", "evidence"]
    with nothing_changes(filled, RolloutChangedError, "2 rollouts before, 1 of them promoted by evidence"):
        start(filled, 2, n_promoted_before=2)


def test_who_has_not_seen_the_last_event_changes_nothing(filled):
    rollout = start(filled)
    alter(filled, alter(filled, rollout, "paused"), "resumed")
    with nothing_changes(filled, RolloutChangedError, "somebody else was first"):
        alter(filled, rollout, "promoted")
    with nothing_changes(filled, RolloutChangedError, "somebody else was first"):
        record(filled, rollout, units(rollout, *AGENTS))


def test_units_are_kept_in_their_order_and_numbered_whatever_clocks_say(filled):
    rollout = start(filled)
    record(filled, rollout, units(rollout, *AGENTS[:5], at=99))
    record(filled, rollout, units(rollout, *AGENTS[5:], at=-99), at=-3)

    found = filled.rollouts.rollout_units(1)
    expected = [unit(rollout, agent, at=99 if agent in AGENTS[:5] else -99) for agent in AGENTS]
    assert found.schema == UNITS
    given = pa.Table.from_pylist([{"number": number, **one} for number, one in enumerate(expected, 1)], schema=UNITS)
    assert units_digest(found) == units_digest(given)
    assert found.to_pylist() == [{"number": number, **one} for number, one in enumerate(expected, 1)]


def test_an_agent_has_one_unit_in_each_stage(filled):
    rollout = start(filled)
    record(filled, rollout, units(rollout, *AGENTS))
    with nothing_changes(filled, match=r"rollout-1 has a unit of the agent agent-3 in stage 1 already; units are kept"):
        record(filled, rollout, units(rollout, "new", "agent-3", "agent-4"))

    rollout = alter(filled, rollout, "widened")
    again = units(rollout, *AGENTS, stage=2)
    assert again.num_rows > 0
    record(filled, rollout, again)
    assert filled.rollouts.rollout_units(1).num_rows == len(AGENTS) + again.num_rows


def test_rollouts_have_units_of_their_own(filled):
    first = start(filled)
    record(filled, first, units(first, *AGENTS))
    alter(filled, first, "ended")
    second = start(filled)
    record(filled, second, units(second, "agent-3"))

    assert filled.rollouts.rollout_units(1).num_rows == 12
    assert filled.rollouts.rollout_units(2)["number"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": 2}, "are of the stages"),
        ({"stage": 0}, "are of the stages"),
        ({"place": 0.04, "treated": False}, "were not treated as their place says"),
        ({"place": 1.0, "treated": False}, "of no fresh agent"),
        ({"value": float("nan")}, "no value, or none that is a number, in \\['value'\\]"),
    ],
)
def test_units_that_the_rollout_cannot_have_are_refused(filled, changes, message):
    rollout = start(filled)
    with nothing_changes(filled, InputError, message):
        record(filled, rollout, pa.Table.from_pylist([unit(rollout, "agent-1") | changes], schema=NEW_UNITS))


def test_units_of_another_schema_and_an_agent_twice_are_refused(filled):
    rollout = start(filled)
    found = units(rollout, *AGENTS)
    with nothing_changes(filled, InputError, "expected the schema of"):
        record(filled, rollout, found.drop_columns(["slow"]))
    with nothing_changes(filled, InputError, "an agent is twice in a stage"):
        record(filled, rollout, units(rollout, "agent-1", "agent-1"))


def test_a_look_that_knew_other_units_is_refused(filled):
    rollout = start(filled)
    record(filled, rollout, units(rollout, *AGENTS[:5]))
    with nothing_changes(filled, RolloutChangedError, "has 6 units with the new ones, and the look has seen 1"):
        record(filled, rollout, units(rollout, AGENTS[5]), n_units=1)


def test_a_look_that_decides_nothing_is_kept_and_makes_no_event(filled):
    rollout = start(filled)
    assert record(filled, rollout, at=61) == rollout
    record(filled, rollout, at=62)
    record(filled, rollout, at=-5)

    looks = filled.rollouts.rollout_looks(1)
    assert [(one.at, one.actor, one.rollout) for one in looks] == [(hours(at), "gus", 1) for at in (61, 62, -5)]
    assert [one.number for one in looks] == sorted(one.number for one in looks)
    assert looks[0].model_dump(include=set(type(look()).model_fields)) == look(at=61).model_dump()
    assert filled.rollouts.rollout_looks(1, limit=2) == looks[1:]
    assert len(filled.rollouts.rollout_events(1)) == 1


def test_a_refused_change_of_a_look_keeps_nothing_of_the_look(filled):
    rollout = alter(filled, start(filled), "paused")
    with nothing_changes(filled, match="rollout-1 is paused and cannot be widened"):
        record(filled, rollout, units(rollout, *AGENTS), what="widened")


def test_events_are_in_the_order_of_their_numbers_when_clocks_go_back(filled):
    rollout = start(filled, at=50)
    for action, at in (("paused", 10), ("resumed", -30), ("widened", 20)):
        rollout = alter(filled, rollout, action, at=at)

    events = filled.rollouts.rollout_events(1)
    assert [one.action for one in events] == ["started", "paused", "resumed", "widened"]
    assert [one.number for one in events] == sorted({one.number for one in events})
    assert rollout.last_event == events[-1].number


@pytest.mark.parametrize(
    ("by_hand", "reason"),
    [
        (lambda store: promote(store, 2), r"v1\.2-synthetic was promoted: better"),
        (rollback, r"v1\.0-synthetic was rolled_back: worse"),
        (withdraw, r"v1\.0-synthetic was withdrawn: wrong"),
    ],
)
@pytest.mark.parametrize("paused", [False, True])
def test_who_changes_the_champion_ends_the_rollout_and_takes_its_traffic_back(filled, by_hand, reason, paused):
    rollout = start(filled)
    if paused:
        rollout = alter(filled, rollout, "paused")
    by_hand(filled)

    (ended,) = filled.rollouts.list_rollouts()
    last = filled.rollouts.rollout_events(1)[-1]
    assert (ended.status, ended.share, ended.last_event) == ("ended", 0.0, last.number)
    assert (last.action, last.cause, last.share) == ("ended", "champion_changed", 0.0)
    assert last.reason == reason.replace("\\", "")
    assert standing(filled)[1] == ("staging", 0.2, 0.0)
    taken = filled.versions.history()[-1]
    assert (taken.version, taken.action, taken.to_value) == (version(1), "traffic_set", 0.0)
    assert (taken.actor, taken.reason) == (last.actor, f"rollout-1: {last.reason}")
    with pytest.raises(RolloutChangedError):
        alter(filled, rollout, "promoted")


@pytest.mark.parametrize("by_hand", [promote, archive])
def test_who_promotes_or_archives_the_challenger_ends_its_rollout(filled, by_hand):
    start(filled)
    by_hand(filled, 1)

    assert told(filled)[-1][:2] == ("ended", "champion_changed")
    assert standing(filled)[1][2] == (1.0 if by_hand is promote else 0.0)
    assert [one.action for one in filled.versions.history()[-1:]] == ["promoted" if by_hand is promote else "archived"]


def test_a_rollout_of_a_weight_ends_with_the_version_that_it_is_of(filled):
    start(filled, 0, kind="weight", weight=0.3)
    rollback(filled)
    assert told(filled)[-1][:2] == ("ended", "champion_changed")
    assert standing(filled)[0] == ("deprecated", 0.2, 0.0)


def test_what_changes_neither_champion_nor_challenger_leaves_the_rollout_alone(filled):
    filled.versions.register(make_candidate("x", model_type="outcome"), now=hours(0), actor="test")
    rollout = start(filled)
    archive(filled, 2)
    unarchive(filled, 2)
    weigh(filled, 2, 0.3)
    filled.versions.register(make_candidate("b", version(1)), now=hours(70), actor="test")
    promote_blessed(filled.versions, "outcome", version(0), now=hours(71), actor="ann", reason="")
    assert filled.rollouts.list_rollouts() == (rollout,)


def test_the_weight_of_what_a_rollout_compares_stays(filled):
    rollout = start(filled)
    for number in (0, 1):
        with nothing_changes(filled, match=rf"rollout-1 compares calling_score v1\.{number}-synthetic at"):
            weigh(filled, number, 0.3)
    alter(filled, rollout, "ended")
    assert weigh(filled, 1, 0.3).weight == 0.3


def test_the_version_that_is_rolled_out_is_told_and_in_service_as_long_as_it_is(filled):
    rollout = start(filled, at=50)
    assert in_service(filled.versions, MODEL).rolling_out.version == version(1)
    alter(filled, alter(filled, rollout, "paused", at=55), "ended", at=60)
    assert in_service(filled.versions, MODEL).rolling_out is None

    moments = np.array([hours(at).replace(tzinfo=None) for at in (49, 50, 57, 60)], "datetime64[us]")
    covered = service_periods(filled.versions.history()).covers(MODEL, version(1), moments)
    assert covered.tolist() == [False, True, True, False]


def test_of_controllers_that_decide_at_once_one_acts(filled):
    rollout = start(filled)
    found = units(rollout, *AGENTS)

    def decide(_):
        try:
            record(filled, rollout, found, what="promoted", n_units=len(AGENTS))
        except RolloutChangedError:
            return 0
        return 1

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(decide, range(4))) == 1
    assert [one[0] for one in told(filled)] == ["started", "promoted"]
    assert len(filled.rollouts.rollout_looks(1)) == 1
    assert [one.action for one in filled.versions.history()].count("promoted") == 2


def test_of_starts_at_once_one_starts(filled):
    starts = [new_start(filled, number) for number in (1, 2, 1, 2)]

    def begin(given):
        try:
            filled.rollouts.start_rollout(given, now=hours(50), actor="eva", reason="blessed")
        except RolloutChangedError:
            return 0
        return 1

    with ThreadPoolExecutor(4) as threads:
        assert sum(threads.map(begin, starts)) == 1
    assert len(filled.rollouts.list_rollouts()) == 1
    assert sum(one[2] for one in standing(filled)) == pytest.approx(1.1)


def test_no_rollout_has_a_number_that_none_has(filled):
    start(filled)
    with nothing_changes(filled, match="there is no rollout-7; there are 1 rollouts"):
        filled.rollouts.change_rollout(7, change("paused"), after=1, now=hours(1), actor="fay")
    with nothing_changes(filled, match="there is no rollout-7; there are 1 rollouts"):
        filled.rollouts.record_look(7, after=1, units=NO_UNITS, look=look(), now=hours(1), actor="fay")


def test_a_moment_without_a_zone_is_refused(filled):
    with nothing_changes(filled, InputError, "has no zone"):
        filled.rollouts.start_rollout(
            new_start(filled), now=hours(1).replace(tzinfo=None), actor="eva", reason="blessed"
        )
