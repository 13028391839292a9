"""`spots-ml score`, `explain` and `phone-manifest` while versions are rolled out: each agent is served what it drew."""

import importlib.util
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.experiments.rollout import stage_periods
from spots_ml.models.declared import declared_types
from spots_ml.release.client_kit.kit import FILES_DIR
from spots_ml.release.phone_manifest import PhoneManifest
from spots_ml.scoring.arms import stages_told, treating
from spots_ml.scoring.assignment import group_of, place_of
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import register_network
from spots_ml_tests.release.client_kit.runtimes import PROJECT
from spots_ml_tests.scoring.asking import lines, make_request
from spots_ml_tests.stores.keeping_decisions import EVER
from spots_ml_tests.stores.keeping_rollouts import alter, start, version

GIVEN_OUT = PROJECT / "spots_ml_tests" / "release" / "client_kit" / "decision.json"
NOW = datetime.now(UTC).replace(microsecond=0)
AGENTS = [f"agent-{number}" for number in range(60)]


@pytest.fixture
def store(tmp_path):
    """Two versions of each model, the first of them active."""
    store = embedded_store(tmp_path / "data" / "spots_ml.sqlite")
    for model_type in declared_types():
        for number in range(2):
            name = version(number)
            register_network(
                store.versions,
                tmp_path / "artifacts" / "models",
                model_type,
                version=name,
                seed=number,
                active=not number,
            )
    return store


@pytest.fixture
def spots_ml(tmp_path):
    environment = {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "SPOTS_ML_SOURCE": "synthetic",
    }

    def run(*arguments, asked=None):
        content = None if asked is None else lines(asked)
        done = CliRunner().invoke(main, list(arguments), input=content, env=environment)
        assert done.exit_code == 0, done.output
        return done

    return run


def asked():
    moments = [NOW + timedelta(milliseconds=number) for number in range(len(AGENTS))]
    return [
        make_request(number, agent_id=agent, timestamp=moment.isoformat())
        for number, (agent, moment) in enumerate(zip(AGENTS, moments, strict=True))
    ]


def logged(store):
    return {row["agent_id"]: row for row in store.decisions.read_decisions(*EVER).to_pylist()}


def by_model(store):
    return {rollout.model_type: rollout for rollout in store.rollouts.list_rollouts()}


SALTS = {"calling_score": "0a" * 16, "outcome": "1b" * 16}


def widened(store, model, number=1, **changes):
    """A rollout in its second stage, with the same draw in every run."""
    return alter(store, start(store, number, model=model, salt=SALTS[model], **changes), "widened")


def test_what_is_logged_and_what_the_store_keeps_prove_who_was_treated_by_what(store, spots_ml):
    outcome, neural = widened(store, "outcome"), widened(store, "calling_score")
    alter(store, neural, "paused")
    told = spots_ml("score", "--log", asked=asked()).stderr
    rows, rollouts = logged(store), by_model(store)

    assert "v1.1-synthetic for 50% of the hybrid group (rollout-2, stage 2, weight 0.1)" in told
    assert {row["origin"] for row in rows.values()} == {"served"}
    assert len({row["arm"] for row in rows.values()}) == 5
    for agent, row in rows.items():
        hybrid = group_of(agent) == "hybrid"
        drawn = {"rollout-2": 2, "rollout-1": 2} if hybrid else {}
        assert stages_told(row["experiment"], row["stage"]) == drawn
        assert list(drawn) == ([neural.name, outcome.name] if hybrid else [])
        for kind, name in (("calling_score", "version"), ("outcome", "outcome_version")):
            rollout = rollouts[kind]
            (*_, period) = stage_periods(store.rollouts.rollout_events(rollout.number))
            expected = hybrid and place_of(agent, rollout.salt) < period.share
            assert (rollout.name in treating(row["arm"], row["experiment"])) == expected
            assert row[name] == version(1 if expected else 0)


def test_a_rollout_that_is_over_decides_about_nobody(store, spots_ml):
    alter(store, widened(store, "calling_score"), "rolled_back")
    spots_ml("score", "--log", asked=asked())

    assert {row["experiment"] for row in logged(store).values()} == {None}
    assert {row["version"] for row in logged(store).values()} == {version(0)}


def test_the_rollout_of_a_weight_gives_those_that_it_treats_the_other_weight(store, spots_ml):
    rollout = widened(store, "calling_score", 0, kind="weight", weight=0.3)
    spots_ml("score", "--log", asked=asked())

    rows = logged(store)
    treated = {agent for agent in AGENTS if group_of(agent) == "hybrid" and place_of(agent, rollout.salt) < 0.5}
    assert {agent for agent, row in rows.items() if row["weight"] == 0.3} == treated
    assert {row["version"] for row in rows.values()} == {version(0)}
    assert {(row["arm"], row["weight"]) for row in rows.values()} == {
        ("formula", 0.0),
        ("calling_score v1.0-synthetic", 0.1),
        ("rollout-1", 0.3),
    }


def test_whoever_names_a_version_stands_outside_of_any_rollout(store, spots_ml):
    widened(store, "calling_score")
    widened(store, "outcome")
    spots_ml("score", "--log", "--calling-score", version(1), asked=asked())

    assert {(row["experiment"], row["version"], row["outcome_version"]) for row in logged(store).values()} == {
        (None, version(1), version(0))
    }


def test_an_explanation_is_of_the_arm_that_decides_about_the_agent(store, spots_ml, tmp_path):
    rollout = widened(store, "calling_score")
    path = tmp_path / "requests.jsonl"
    path.write_bytes(lines(asked()))
    hybrid = [agent for agent in AGENTS if group_of(agent) == "hybrid"]
    for treated in (True, False):
        agent = next(agent for agent in hybrid if (place_of(agent, rollout.salt) < 0.5) == treated)
        told = json.loads(spots_ml("explain", str(path), "--position", str(AGENTS.index(agent)), "--json").stdout)
        assert told["models"][0]["version"] == version(1 if treated else 0)
        assert (told["arm"], told["experiment"]) == (
            "rollout-1" if treated else "calling_score v1.0-synthetic",
            "rollout-1",
        )


def test_a_phone_that_goes_by_the_kit_and_its_manifest_decides_by_what_the_service_decides_by(store, spots_ml):
    spec = importlib.util.spec_from_file_location("kit_rules", FILES_DIR / "rules.py")
    kit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kit)
    rules = json.loads(GIVEN_OUT.read_text("utf-8"))
    widened(store, "outcome")
    widened(store, "calling_score", 0, kind="weight", weight=0.3)
    spots_ml("score", "--log", asked=asked())
    models = json.loads(spots_ml("phone-manifest").stdout)["models"]

    names = ("group", "weight", "filter_on", "experiment", "stage")
    served = {
        agent: {name: row[name] for name in names}
        | {"versions": {"calling_score": row["version"], "outcome": row["outcome_version"]}}
        for agent, row in logged(store).items()
    }
    by_phone = {agent: kit.assign(agent, models, rules) for agent in AGENTS}
    assert {agent: {name: told[name] for name in served[agent]} for agent, told in by_phone.items()} == served
    assert len({tuple(told["treated"].values()) for told in by_phone.values()}) == 4


def test_the_phones_manifest_tells_what_the_scorer_serves(store, spots_ml):
    widened(store, "outcome")
    printed = PhoneManifest.from_bytes(spots_ml("phone-manifest").stdout.encode())

    told, rollout = printed.models["outcome"].rolling_out, by_model(store)["outcome"]
    assert printed.models["calling_score"].rolling_out is None
    assert (told.version, told.traffic, told.stage) == (version(1), 0.5, 2)
    assert (told.experiment, told.salt) == (rollout.name, rollout.salt)
