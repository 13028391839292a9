"""The life of a version in SQL: what `registry.lifecycle` says, word for word, and one at a time."""

import contextlib
import itertools
import json
import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import get_args

import psycopg
import pytest
from psycopg.types.json import Jsonb

from spots_ml.errors import RegistryError
from spots_ml.experiments.rollout import ROLLOUT_ACTIONS, RolloutChange
from spots_ml.experiments.rollout_store import RolloutChangedError
from spots_ml.registry.lifecycle import TRANSITIONS
from spots_ml.registry.records import STATUSES, Action, Candidate, HistoryEntry, ModelVersion, VersionContent
from spots_ml.stores.embedded.store import embedded_store
from spots_ml.stores.rollout_documents import document_of, event_of, rollout_of
from spots_ml_tests.database.clock import set_clock
from spots_ml_tests.database.roles import bless, call, content, hours, model_file
from spots_ml_tests.database.rollout_calls import change_rollout, start_rollout
from spots_ml_tests.registry import blessing as blessed
from spots_ml_tests.registry.building import all_verdicts
from spots_ml_tests.stores.keeping_rollouts import new_start

MODEL = "calling_score"
KINDS = (
    *("register", "promote", "rollback", "take_back", "withdraw", "archive", "unarchive", "set_weight", "bless"),
    *("start", "step"),
)


def register(connection, name="a", version="v1.0-synthetic", at=0, watermark=None, model=MODEL, **values):
    return call(
        connection,
        "register_model_version",
        p_content=content(name, version, model),
        p_watermark=watermark,
        p_at=hours(at),
        p_actor="test",
        **values,
    )


def fill(connection, *names):
    for number, name in enumerate(names):
        assert register(connection, name, f"v1.{number}-synthetic", number)["created"]


def change(connection, kind, number=None, at=10, model=MODEL, **values):
    if kind == "promote":
        bless(connection, model, f"v1.{number}-synthetic")
    return change_as_it_is(connection, kind, number, at, model, **values)


def change_as_it_is(connection, kind, number=None, at=10, model=MODEL, **values):
    named = {} if number is None else {"p_version": f"v1.{number}-synthetic"}
    told = {"p_model_type": model, "p_at": hours(at), "p_actor": "ann", "p_reason": "better"}
    return call(connection, kind if "_" in kind else f"{kind}_model_version", **(told | named | values))


def versions(connection):
    return connection.execute("select * from public.model_versions order by registered_order").fetchall()


def statuses(connection):
    return [row["status"] for row in versions(connection) if row["model_type"] == MODEL]


def history(connection):
    return connection.execute("select * from public.version_history order by sequence").fetchall()


def told(connection):
    return [(row["version"][:4], row["action"], row["from_status"], row["to_status"]) for row in history(connection)]


def test_a_version_is_registered_in_staging_as_it_was_offered(database):
    with database.service() as connection:
        answer = register(connection, at=1, watermark="3/4")
        row = versions(connection)[0]

    assert (answer["status"], answer["reason"], answer["created"]) == ("ok", "", True)
    assert {name: row[name] for name in content()} == content()
    assert (row["status"], row["weight"], row["traffic"], row["watermark"]) == ("staging", 0.1, 0.0, "3/4")
    shown = {name: answer["version"][name] for name in ModelVersion.model_fields}
    assert ModelVersion.model_validate(shown) == ModelVersion.model_validate({name: row[name] for name in shown})


def test_the_same_content_again_is_reaffirmed(database):
    with database.service() as connection:
        register(connection, at=0, watermark="3/4")
        answer = register(connection, version="v1.7-synthetic", at=2)
        row = versions(connection)[0]
        assert told(connection) == [
            ("v1.0", "registered", None, "staging"),
            ("v1.0", "reaffirmed", "staging", "staging"),
        ]
    assert (answer["created"], answer["version"]["version"]) == (False, "v1.0-synthetic")
    assert (row["last_registered_at"], row["created_at"], row["watermark"]) == (hours(2), hours(0), "3/4")


def test_a_file_may_be_told_later_but_once(database):
    file = model_file(content())
    with database.service() as connection:
        register(connection)
        register(connection, **file)
        register(connection, **(file | {"p_size_bytes": 7}))
        row = versions(connection)[0]
    assert {f"p_{name}": row[name] for name in ("file_path", "size_bytes", "client_runtime_floor")} == file


def test_another_file_of_the_same_model_is_not_taken_for_the_versions_own(database):
    other = content() | {"sha256": content("b")["sha256"]}
    with database.service() as connection:
        register(connection)
        answer = call(
            connection,
            "register_model_version",
            p_content=other,
            p_watermark=None,
            p_at=hours(1),
            p_actor="test",
            **model_file(other),
        )
    assert (answer["status"], answer["version"]["file_path"]) == ("ok", None)
    assert answer["version"]["sha256"] == content()["sha256"]


@pytest.mark.parametrize(
    "changes",
    [
        {"p_size_bytes": None},
        {"p_client_runtime_floor": None},
        {"p_client_runtime_floor": "newest"},
        {"p_size_bytes": 0},
        {"p_file_path": "calling_score/model.onnx"},
        {"p_file_path": model_file(content("b"))["p_file_path"]},
    ],
)
def test_a_file_is_told_wholly_and_is_named_by_the_digest_of_the_version(shared, changes):
    with shared.service() as connection, pytest.raises(psycopg.errors.CheckViolation):
        register(connection, **(model_file(content()) | changes))


@pytest.mark.parametrize("sent", [None, 7, [], "7"])
def test_content_that_is_no_object_is_refused(shared, sent):
    with shared.service() as connection:
        answer = call(
            connection, "register_model_version", p_content=Jsonb(sent), p_watermark=None, p_at=hours(0), p_actor="test"
        )
    assert (answer["status"], answer["reason"]) == ("refused", "the content of a version is no JSON object")


def test_content_that_is_sent_as_a_text_is_understood(database):
    with database.service() as connection:
        text = Jsonb(json.dumps(content()))
        answer = call(
            connection, "register_model_version", p_content=text, p_watermark=None, p_at=hours(0), p_actor="test"
        )
    assert answer["version"]["sha256"] == content()["sha256"]


def test_content_with_unknown_or_missing_fields_is_refused(shared):
    with shared.service() as connection:
        for wrong in (content() | {"colour": "red"}, {"model_type": MODEL}):
            answer = call(
                connection, "register_model_version", p_content=wrong, p_watermark=None, p_at=hours(0), p_actor="test"
            )
            assert answer["status"] == "refused"
            assert "expected are model_type, version" in answer["reason"]
        assert versions(connection) == []


@pytest.mark.parametrize(
    "changes",
    [{"version": "1.0"}, {"sha256": "00"}, {"n_labelled": -1}, {"source_kind": "made"}],
)
def test_content_that_cannot_be_is_refused_by_the_table(shared, changes):
    with shared.service() as connection, pytest.raises(psycopg.errors.CheckViolation):
        call(
            connection,
            "register_model_version",
            p_content=content() | changes,
            p_watermark=None,
            p_at=hours(0),
            p_actor="test",
        )


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_changes_ends_as_in_the_embedded_store(database, tmp_path, seed):
    """Both stores get the same changes at random; every answer, refusal, row and history entry is the same."""
    random_ = random.Random(seed)
    embedded = embedded_store(tmp_path / "store.sqlite")
    clock, n_refused = count(1), 0
    with database.service() as connection:
        for _ in range(150):
            at, number = next(clock), random_.randrange(5)
            name, model = f"v1.{number}-synthetic", random_.choice([MODEL, MODEL, "outcome"])
            arguments = {"now": hours(at), "actor": "ann"}
            kind = random_.choice([*KINDS, "register", "promote", "bless", "bless", "start", "step", "step"])
            share = random_.choice([0.0, 0.1, 0.3, 1.0, 1.5, -0.25])
            expected = None
            try:
                if kind == "register":
                    name_of_content = random_.choice("abcde")
                    answer = register(connection, name_of_content, name, at, f"{at}/{at}", model, p_request_id=None)
                    offered = Candidate(
                        content=VersionContent(**content(name_of_content, name, model)),
                        watermark=f"{at}/{at}",
                        verdicts=all_verdicts(),
                    )
                    expected = embedded.versions.register(offered, now=hours(at), actor="test").version
                elif kind in ("rollback", "withdraw"):
                    answer = change(connection, kind, None, at, model)
                    expected = getattr(embedded.versions, kind)(model, **arguments, reason="better")
                elif kind == "take_back":
                    named = {"p_instead": random_.choice([None, *(f"v1.{other}-synthetic" for other in range(5))])}
                    taken = active_of(embedded, model) if random_.random() < 0.8 else name
                    reason = random_.choice(["better", "better", "better", " "])
                    named |= {"p_version": taken or name, "p_reason": reason}
                    answer = change_as_it_is(connection, "take_back_model_version", None, at, model, **named)
                    expected = embedded.versions.take_back(
                        model, taken or name, instead=named["p_instead"], **arguments, reason=reason
                    )
                elif kind == "bless":
                    found = {"champion": random_.choice([active_of(embedded, model)] * 5 + [None, "v1.1-synthetic"])}
                    found["passed"] = random_.random() < 0.8
                    answer = bless(connection, model, name, **found)
                    blessed_there = embedded.versions.bless(
                        blessed.blessing(name, model_type=model, **found), now=hours(at), actor="ann"
                    )
                    assert (answer["status"], answer["blessing"]["number"]) == ("ok", blessed_there.number)
                    continue
                elif kind == "start":
                    forced, given = random_.random() < 0.3, any_start(random_, embedded, model, name)
                    answer = start_rollout(connection, name, at, document_of(given)[0], p_forced=forced)
                    started = {"actor": "eva", "reason": "blessed", "forced": forced}
                    there = embedded.rollouts.start_rollout(given, now=hours(at), **started)
                    assert rollout_of(answer["rollout"], "SQL") == there, answer["reason"]
                    continue
                elif kind == "step":
                    last = [(one.number, one.last_event) for one in embedded.rollouts.list_rollouts()][-2:]
                    rollout, after = random_.choice([*last * 3, (number, 1)])
                    changes = {"cause": random_.choice(["evidence", "by_hand"]), "reason": "because"}
                    step = RolloutChange(action=random_.choice(ROLLOUT_ACTIONS), **changes)
                    seen = {"number": rollout, "last_event": after}
                    answer = change_rollout(connection, seen, step.action, at, p_cause=step.cause)
                    there = embedded.rollouts.change_rollout(rollout, step, after=after, now=hours(at), actor="fay")
                    assert rollout_of(answer["rollout"], "SQL") == there, answer["reason"]
                    continue
                elif kind == "set_weight":
                    answer = change_as_it_is(connection, "set_model_weight", number, at, model, p_weight=share)
                    expected = embedded.versions.set_weight(model, name, share, **arguments, reason="better")
                else:
                    told = {"reason": random_.choice(["better", "better", " "])}
                    named = {"p_reason": told["reason"]}
                    if kind == "promote":
                        told["forced"] = named["p_forced"] = random_.random() < 0.25
                    answer = change_as_it_is(connection, kind, number, at, model, **named)
                    expected = getattr(embedded.versions, kind)(model, name, **arguments, **told)
            except RegistryError as error:
                n_refused += 1
                status = "changed" if isinstance(error, RolloutChangedError) else "refused"
                assert (answer["status"], answer["reason"]) == (status, str(error))
            else:
                assert answer["status"] == "ok", answer["reason"]
                assert _without_number(_version(answer["version"])) == _without_number(expected)

        in_sql, in_file = (
            sorted(found, key=lambda one: one.last_registered_sequence)
            for found in (map(_version, versions(connection)), embedded.versions.list_versions())
        )
        rollouts = embedded.rollouts.list_rollouts()
        assert list(map(_without_number, in_sql)) == list(map(_without_number, in_file))
        assert [_entry(row) for row in history(connection)] == [
            _without_number(one) for one in embedded.versions.history()
        ]
        assert rollouts_of(connection) == [*rollouts]
        assert [event_of(one) for one in documents(connection, "rollout_events")] == sorted(
            (event for one in rollouts for event in embedded.rollouts.rollout_events(one.number)),
            key=lambda event: event.number,
        )
    assert 0 < n_refused < 150


def any_start(random_, embedded, model, version):
    """A start that may be as things stand, or not quite."""
    kind = random_.choice(["version", "version", "weight"])
    wrong = random_.choice([{}] * 6 + [{"champion": None}, {"n_before": 0}, {"level": 0.04}])
    version = active_of(embedded, model) or version if kind == "weight" else version
    return new_start(
        embedded, model=model, blessed=False, **({"version": version, "kind": kind, "weight": 0.3} | wrong)
    )


def documents(connection, table):
    rows = connection.execute(f"select to_jsonb(one) as document from public.{table} as one order by number")
    return [row["document"] for row in rows]


def rollouts_of(connection):
    causes = {
        one["rollout"]: one["cause"] for one in documents(connection, "rollout_events") if one["action"] == "promoted"
    }
    found = documents(connection, "rollouts")
    return [rollout_of({**one, "promoted_by": causes.get(one["number"])}, "SQL") for one in found]


def active_of(store, model):
    return blessed.champion_of(store.versions, model)


def _version(row):
    return ModelVersion.model_validate({name: row[name] for name in ModelVersion.model_fields})


def _entry(row):
    names = set(HistoryEntry.model_fields)
    return _without_number(HistoryEntry.model_validate({name: row[name] for name in names}))


def _without_number(record):
    """Numbers of a sequence may have gaps; their order is what counts."""
    return record.model_dump(exclude={"sequence", "last_registered_sequence"})


def test_a_call_that_is_sent_again_with_its_id_happens_once(database):
    first, second, third = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    with database.service() as connection:
        for created in (True, True):
            assert register(connection, p_request_id=first)["created"] is created
        register(connection, "b", "v1.1-synthetic")
        for _ in range(2):
            answer = change(connection, "promote", 0, p_request_id=second)
            assert (answer["status"], answer["version"]["version"]) == ("ok", "v1.0-synthetic")
        change(connection, "promote", 1)
        for _ in range(2):
            answer = change(connection, "rollback", p_request_id=third)
            assert (answer["status"], answer["version"]["version"]) == ("ok", "v1.0-synthetic")
        assert statuses(connection) == ["active", "deprecated"]
        assert [row[1] for row in told(connection)] == [
            *("registered", "registered", "promoted", "superseded", "promoted", "rolled_back", "restored"),
        ]


def test_eight_at_once_promote_and_one_is_active(database):
    with database.service() as connection:
        fill(connection, *"abcdefgh")
    start = threading.Barrier(8)

    def promote(number):
        with database.service() as connection:
            start.wait(30)
            return change_as_it_is(connection, "promote", number, p_forced=True)["status"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(promote, range(8)))

    with database.service() as connection:
        assert answers == ["ok"] * 8
        assert sorted(statuses(connection)) == ["active"] + ["deprecated"] * 7
        changes = told(connection)[8:]
        assert len(changes) == 15
        active = None
        for version, action, before, after in changes:
            if action == "superseded":
                assert (version, before, after) == (active, "active", "deprecated")
                active = None
            else:
                assert (action, before, after, active) == ("promoted", "staging", "active", None)
                active = version
        assert active == next(row["version"][:4] for row in versions(connection) if row["status"] == "active")


def test_eight_at_once_promote_the_same_and_one_does(database):
    with database.service() as connection:
        fill(connection, "a")
        bless(connection, MODEL, "v1.0-synthetic")
    start = threading.Barrier(8)

    def promote(_):
        with database.service() as connection:
            start.wait(30)
            return change_as_it_is(connection, "promote", 0)["status"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(promote, range(8)))
    assert sorted(answers) == ["ok"] + ["refused"] * 7


def test_eight_at_once_register_the_same_and_there_is_one(database):
    start = threading.Barrier(8)

    def offer(_):
        with database.service() as connection:
            start.wait(30)
            return register(connection)["created"]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(offer, range(8)))
    assert sorted(answers) == [False] * 7 + [True]


def test_a_second_active_version_is_against_a_constraint(database):
    with database.service() as connection:
        fill(connection, "a", "b")
        change(connection, "promote", 0)
    with database.owner() as connection, pytest.raises(psycopg.errors.UniqueViolation, match="one_active_version"):
        connection.execute(
            "update public.model_versions set status = 'active', traffic = 1 where version = 'v1.1-synthetic'"
        )


@pytest.mark.parametrize("moment", ["infinity", "-infinity", None])
def test_a_moment_that_no_calendar_has_is_refused(database, moment):
    with database.service() as connection:
        fill(connection, "a")
        for answer in (
            call(
                connection,
                "register_model_version",
                p_content=content("b", "v1.1-synthetic"),
                p_watermark=None,
                p_at=moment,
                p_actor="test",
            ),
            *(change(connection, kind, 0, p_at=moment) for kind in ("promote", "archive", "unarchive")),
            *(change(connection, kind, p_at=moment) for kind in ("rollback", "withdraw")),
            change(connection, "set_model_weight", 0, p_weight=0.2, p_at=moment),
        ):
            assert answer["status"] == "refused"
            assert "expected one of the calendar" in answer["reason"]
        assert len(history(connection)) == 1
    with database.owner() as connection, pytest.raises(psycopg.errors.CheckViolation, match="moments_are_finite"):
        connection.execute("update public.model_versions set updated_at = 'infinity'")


@pytest.mark.parametrize("text", ["good\nforged", "good\r", "\x1b[2K", "a\u2028b", "\u202egood", "x" * 1_001])
def test_who_and_why_are_one_line_each(database, text):
    with database.service() as connection:
        fill(connection, "a")
        for told in ({"p_actor": text}, {"p_reason": text}):
            answer = change(connection, "promote", 0, **told)
            assert (answer["status"], "expected one line of text" in answer["reason"]) == ("refused", True)
        assert len(history(connection)) == 1
        assert change(connection, "promote", 0, p_reason="schön, 好 👍" + "x" * 900)["status"] == "ok"


def test_the_databases_own_clock_is_noted_beside_the_moment_that_was_told(database):
    with database.owner() as connection:
        set_clock(connection, "'2026-11-21 12:00+00'::timestamptz")
    with database.service() as connection:
        register(connection, at=240)
        (entry,) = history(connection)
    assert (entry["at"], entry["noted_at"]) == (hours(240), hours(2))


def test_the_transitions_of_the_database_are_those_of_the_registry(database):
    with database.owner() as connection:
        rows = connection.execute("select action, from_status, to_status from private.version_transitions").fetchall()
        assert sorted(map(repr, (tuple(row.values()) for row in rows))) == sorted(map(repr, TRANSITIONS))


def test_not_even_the_owner_notes_a_change_that_is_none(database):
    with database.service() as connection:
        fill(connection, "a")
    for action, before, after in itertools.product(get_args(Action), [None, *STATUSES], STATUSES):
        with database.owner() as connection:
            allowed = contextlib.nullcontext()
            if (action, before, after) not in TRANSITIONS:
                allowed = pytest.raises(psycopg.errors.CheckViolation, match="cannot be")
            with allowed:
                value = 0.1 if action.endswith("_set") else None
                connection.execute(
                    "insert into public.version_history"
                    " (at, model_type, version, action, from_status, to_status, actor, reason, from_value, to_value)"
                    " values (now(), 'calling_score', 'v1.0-synthetic', %s, %s, %s, 'x', '', %s, %s)",
                    (action, before, after, value, value),
                )


def test_a_request_id_is_bound_to_its_whole_request(database):
    mine = uuid.uuid4()
    with database.service() as connection:
        fill(connection, "a", "b")
        register(connection, "x", "v1.0-synthetic", model="outcome")
        assert change(connection, "promote", 0, p_request_id=mine)["status"] == "ok"
        before = history(connection)
        others = [
            change(connection, "promote", 0, model="outcome", p_request_id=mine),
            change(connection, "promote", 1, p_request_id=mine),
            change(connection, "promote", 0, at=11, p_request_id=mine),
            change(connection, "promote", 0, p_request_id=mine, p_reason="worse"),
            change(connection, "promote", 0, p_request_id=mine, p_actor="bob"),
            change(connection, "archive", 0, p_request_id=mine),
            change(connection, "rollback", p_request_id=mine),
            change(connection, "withdraw", p_request_id=mine),
            change(connection, "set_model_weight", 0, p_weight=0.3, p_request_id=mine),
            start_rollout(connection, "v1.1-synthetic", p_request_id=mine),
            register(connection, "c", "v1.2-synthetic", p_request_id=mine),
        ]
        for answer in others:
            assert answer["status"] == "refused"
            assert f"the request id {mine} belongs to another request" in answer["reason"]
            assert "calling_score v1.0-synthetic active" in answer["reason"]
        assert history(connection) == before
        assert change(connection, "promote", 0, p_request_id=mine)["status"] == "ok"


@pytest.mark.parametrize(
    ("statement", "match"),
    [
        ("update public.version_history set reason = 'x'", "version_history is append-only"),
        ("delete from public.version_history", "version_history is append-only"),
        ("truncate public.version_history", "version_history is append-only"),
        ("delete from public.model_versions", "append-only"),
        ("update public.model_versions set sha256 = content_digest", "what a version is never changes"),
        ("update public.model_versions set created_at = now()", "what a version is never changes"),
        ("update public.model_versions set size_bytes = 2", "file of a version never changes"),
    ],
)
def test_not_even_the_owner_rewrites_what_was(database, statement, match):
    with database.service() as connection:
        register(connection, **model_file(content()))
    with database.owner() as connection, pytest.raises(psycopg.errors.RestrictViolation, match=match):
        connection.execute(statement)
