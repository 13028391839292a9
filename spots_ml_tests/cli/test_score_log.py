"""`spots-ml score --log`: answers and decision log are one, and nothing claims more than it may."""

import gzip
import json
import os
import signal
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.cli.scoring import score as command
from spots_ml.scoring.answering import logged_answers
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.blessing import promote_blessed
from spots_ml_tests.registry.building import register_network
from spots_ml_tests.scoring.asking import lines, make_request
from spots_ml_tests.stores.keeping_decisions import EVER
from spots_ml_tests.stores.keeping_interactions import interaction, stream


@pytest.fixture
def environment(tmp_path):
    return {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "SPOTS_ML_SOURCE": "synthetic",
    }


@pytest.fixture
def score(environment):
    def run(asked, *arguments):
        content = asked if isinstance(asked, bytes) else lines(asked)
        return CliRunner().invoke(main, ["score", "--log", *map(str, arguments)], input=content, env=environment)

    return run


@pytest.fixture
def store(tmp_path):
    return embedded_store(tmp_path / "data" / "spots_ml.sqlite")


NOW = datetime.now(UTC).replace(microsecond=0)


def asking(number, *, ago=timedelta(0), **changes):
    moment = NOW - ago + timedelta(milliseconds=number)
    return make_request(number, **{"timestamp": moment.isoformat(), **changes})


def take_in(store, rows):
    store.interactions.import_interactions(stream(rows), now=datetime.now(UTC))


def rows_of(content):
    return [json.loads(line) for line in content.splitlines()]


def logged(store):
    return store.decisions.read_decisions(*EVER).to_pylist()


def test_decisions_are_logged_once_and_what_cannot_be_logged_is_told(score, store):
    asked = [asking(number) for number in range(6)] + [asking(7, agent_id=None)]
    first, again = score(asked), score(asked)
    assert "decision log: 6 new, 0 known before; of the new ones 6 served" in first.stderr
    assert "1 rows without an agent or an opportunity are not logged" in first.stderr
    assert "decision log: 0 new, 6 known before" in again.stderr
    assert first.stdout == again.stdout

    scores = {row["opportunity_id"]: row["score"] for row in rows_of(first.stdout) if row["agent_id"]}
    assert {row["opportunity_id"]: row["score"] for row in logged(store)} == scores
    assert {(row["origin"], row["propensity"]) for row in logged(store)} == {("served", 1.0)}


def test_a_last_line_that_contradicts_what_is_logged_costs_no_answer(score, store, tmp_path):
    out = tmp_path / "answers.jsonl"
    asked = [asking(number) for number in range(40)]
    other = asking(0, user_vibe_dimensions=asking(99)["user_vibe_dimensions"])
    result = score([*asked, other], "--out", out)

    assert result.exit_code == 0
    assert "decision log: 40 new, 1 known before" in result.stderr
    assert "1 of the known ones would be decided otherwise now" in result.stderr
    rows = rows_of(out.read_text())
    assert len(logged(store)) == 40 and len(rows) == 41
    assert [row["from_log"] for row in rows] == [False] * 40 + [True]
    assert {name: rows[0][name] for name in ("score", "called", "formula_score", "decided_at")}.items() <= rows[
        40
    ].items()


def test_requests_that_break_off_leave_nothing_in_the_log_and_no_file(score, store, tmp_path):
    asked = tmp_path / "asked.jsonl.gz"
    asked.write_bytes(gzip.compress(lines([asking(number) for number in range(3000)]))[:-20])
    out = tmp_path / "answers.jsonl"
    result = score(b"", asked, "--out", out)
    assert result.exit_code == 1 and not out.exists()
    assert logged(store) == []


def test_answers_that_cannot_be_written_are_told_with_what_is_logged(score, store, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    asked, out = [asking(number) for number in range(5)], tmp_path / "answers.jsonl"
    with monkeypatch.context() as later:
        later.setattr(command, "_write", full)
        result = score(asked, "--out", out)
    assert result.exit_code == 1 and not out.exists()
    assert "No space left on device" in result.stderr
    assert "their decisions are logged: 5 new, 0 known before" in result.stderr
    assert "Nothing was logged" not in result.stderr
    assert score(asked, "--out", out).exit_code == 0
    assert [row["score"] for row in rows_of(out.read_text())] == [
        row["score"] for row in sorted(logged(store), key=lambda row: row["decided_at"])
    ]


@pytest.mark.parametrize(("place", "n_logged"), [("before", 0), ("after", 20)])
def test_a_command_that_is_killed_is_completed_by_the_same_command(
    score, store, tmp_path, monkeypatch, place, n_logged
):
    asked, out = [asking(number) for number in range(20)], tmp_path / "answers.jsonl"
    child = os.fork()
    if child == 0:
        where = (logged_answers, "decisions_of") if place == "before" else (command, "_write")
        monkeypatch.setattr(*where, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        score(asked, "--out", out)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert len(logged(store)) == n_logged and not out.exists()

    assert score(asked, "--out", out).exit_code == 0
    rows = rows_of(out.read_text())
    assert {row["opportunity_id"]: row["score"] for row in logged(store)} == {
        row["opportunity_id"]: row["score"] for row in rows
    }
    assert len(rows) == len(logged(store)) == 20


def test_a_past_moment_that_is_scored_is_a_replay(score, store):
    result = score([asking(0), asking(1, ago=timedelta(days=5)), asking(2, ago=timedelta(minutes=16))])
    assert "of the new ones 1 served" in result.stderr
    assert "2 replayed, which counts in no performance: their moment was not the present" in result.stderr
    told = {row["opportunity_id"]: (row["origin"], row["claim"], row["propensity"]) for row in logged(store)}
    assert told == {
        "spot-0": ("served", "at_its_moment", 1.0),
        "spot-1": ("replayed", "another_moment", None),
        "spot-2": ("replayed", "another_moment", None),
    }


def registered(store, tmp_path, version, *, seed, promoted):
    for model_type in ("calling_score", "outcome"):
        register_network(
            store.versions, tmp_path / "artifacts" / "models", model_type, version, seed=seed, active=False
        )
        if promoted is not None:
            promote_blessed(store.versions, model_type, version, now=promoted, actor="a test", reason="")


def test_four_requests_of_before_a_version_are_not_served_by_it(score, store, tmp_path):
    registered(store, tmp_path, "v1.0-synthetic", seed=0, promoted=NOW - timedelta(days=9))
    asked = [asking(number) for number in range(4)]
    score(asked)
    registered(store, tmp_path, "v1.1-synthetic", seed=1, promoted=NOW + timedelta(minutes=1))
    result = score(asked)

    assert "4 new, 0 known before; of the new ones 0 served" in result.stderr
    assert "4 replayed, which counts in no performance: a version that answered was not in service" in result.stderr
    take_in(
        store,
        [
            interaction(
                number,
                agent_id=f"agent-{number}",
                opportunity_id=f"spot-{number}",
                scored_at=NOW + timedelta(milliseconds=number),
                outcome_at=NOW + timedelta(milliseconds=number),
            )
            for number in range(4)
        ],
    )
    told = {(row["version"], row["origin"], row["outcome_score"]) for row in logged(store)}
    assert told == {("v1.0-synthetic", "served", 0.9), ("v1.1-synthetic", "replayed", None)}


def test_a_version_that_is_not_in_service_serves_nobody(score, store, tmp_path):
    registered(store, tmp_path, "v1.0-synthetic", seed=0, promoted=None)
    score([asking(0)], "--calling-score", "v1.0-synthetic", "--outcome", "v1.0-synthetic")
    assert [(row["version"], row["claim"]) for row in logged(store)] == [("v1.0-synthetic", "not_in_service")]


def test_a_label_that_changes_the_history_changes_no_logged_answer(score, store, tmp_path):
    asked = [asking(number) for number in range(4)]
    first = rows_of(score(asked[:3]).stdout)
    take_in(
        store,
        [
            interaction(
                9,
                agent_id="agent-1",
                scored_at=NOW - timedelta(days=2),
                outcome_at=NOW - timedelta(days=1),
                outcome_type="negative",
                outcome_score=0.0,
            )
        ],
    )
    result = score(asked)
    rows = rows_of(result.stdout)
    assert result.exit_code == 0
    assert "decision log: 1 new, 3 known before" in result.stderr
    assert "1 of the known ones would be decided otherwise now" in result.stderr
    assert [row["from_log"] for row in rows] == [False, True, False, False]
    assert rows[:3] == [row | {"from_log": row["position"] == 1} for row in first]
    unlogged = CliRunner().invoke(main, ["score"], input=lines(asked), env=score_environment(tmp_path))
    assert rows_of(unlogged.stdout)[1]["outcome_probability"] != first[1]["outcome_probability"]


def score_environment(tmp_path):
    return {"SPOTS_ML_DATA_DIR": str(tmp_path / "data"), "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts")}


def test_a_request_without_a_moment_is_told_the_one_under_which_an_outcome_is_linked(score, store):
    (row,) = rows_of(score([make_request(3, timestamp=None)]).stdout)
    moment = datetime.fromisoformat(row["decided_at"])
    take_in(
        store,
        [
            interaction(
                0,
                agent_id=row["agent_id"],
                opportunity_id=row["opportunity_id"],
                scored_at=moment,
                outcome_at=moment,
            )
        ],
    )
    (decision,) = logged(store)
    assert (decision["decided_at"], decision["origin"], decision["outcome_score"]) == (moment, "served", 0.9)


def test_a_pair_that_is_asked_twice_without_a_moment_has_two_answers_and_one_decision(score, store):
    asked = [make_request(3, timestamp=None), make_request(4, timestamp=None), make_request(3, timestamp=None)]
    result = score(asked)
    rows = rows_of(result.stdout)
    assert result.exit_code == 0 and len(logged(store)) == 2
    assert rows[2] == rows[0] | {"position": 2}
