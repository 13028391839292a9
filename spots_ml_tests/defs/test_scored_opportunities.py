"""`scored_opportunities`: a day is scored whole, once, and no fallback stays unseen."""

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from spots_ml.digests import digest_file
from spots_ml.features.contract import HISTORY_FEATURES, RAW_FEATURES
from spots_ml.interactions.source import InteractionStream
from spots_ml.registry.published_files import version_directory
from spots_ml.scoring.answering import scored_day
from spots_ml.scoring.answering.score_table import SCORES_WITH_REQUESTS
from spots_ml_tests.defs.building import INTERACTIONS, World
from spots_ml_tests.defs.monitored import Outcome
from spots_ml_tests.registry.building import register_network

DAY = pc.max(INTERACTIONS["scored_at"]).as_py().date() - timedelta(days=30)
START = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
END = START + timedelta(days=1)
OF_DAY = INTERACTIONS.filter(
    pc.and_(
        pc.greater_equal(INTERACTIONS["scored_at"], pa.scalar(START)),
        pc.less(INTERACTIONS["scored_at"], pa.scalar(END)),
    )
)


def run(world, day=DAY, **config):
    options = {"ops": {"scored_opportunities": {"config": config}}} if config else {}
    return Outcome(
        world.job("scoring").execute_in_process(
            instance=world.instance,
            partition_key=str(day),
            raise_on_error=False,
            run_config={**options, "loggers": {"console": {}}},
        )
    )


def shown(outcome):
    return outcome.metadata["scored_opportunities"]


@pytest.fixture
def filled(world):
    """A store with 3,000 interactions of half a year."""
    stream = InteractionStream("real", iter(INTERACTIONS.to_batches()), description="a test", watermark=None)
    world.store.interactions.import_interactions(stream, now=world.clock())
    return world


@pytest.fixture
def with_models(filled):
    for seed, model_type in enumerate(("calling_score", "outcome")):
        register_network(filled.store.versions, filled.platform.places.models_dir, model_type, seed=seed)
    return filled


def pairs(n_rows=6, **columns):
    """Candidate pairs with the columns given."""
    values = np.random.default_rng(1).random((n_rows, len(RAW_FEATURES)))
    table = pa.table({name: values[:, index] for index, name in enumerate(RAW_FEATURES)})
    columns = {"agent_id": [f"a-{row}" for row in range(n_rows)], "opportunity_id": ["x"] * n_rows} | columns
    for name, values in columns.items():
        table = table.append_column(name, values if isinstance(values, pa.Array) else pa.array(values))
    return table


def serving(world, table, name="pairs.parquet"):
    """The same world with candidate pairs."""
    folder = world.settings.data_dir.parent / "pairs"
    folder.mkdir(exist_ok=True)
    pq.write_table(table, folder / name)
    return World(world.instance, dataclasses.replace(world.settings, opportunities=folder), world.clock)


def test_a_fresh_install_scores_nothing_and_says_so(world):
    outcome = run(world)
    assert outcome.result.success and outcome.checks["no_fallback"].passed and outcome.checks["nothing_lost"].passed
    assert "no rows of this day" in shown(outcome)["nothing_to_score"].replace("  \n", " ")
    assert (shown(outcome)["n_read"], pq.read_metadata(shown(outcome)["path"]).num_rows) == (0, 0)
    assert world.store.decisions.read_decisions(START, END).num_rows == 0


def test_the_interactions_of_the_day_are_scored_again_with_the_history_of_their_moment(with_models):
    outcome = run(with_models)
    told = shown(outcome)
    assert outcome.result.success and all(check.passed for check in outcome.checks.values())
    assert OF_DAY.num_rows > 5
    assert (told["n_read"], told["n_scored"]) == (OF_DAY.num_rows, OF_DAY.num_rows)
    assert (told["n_decisions_served"], told["n_decisions_replayed"]) == (0, OF_DAY.num_rows)
    assert f"{OF_DAY.num_rows} replayed, which counts in no performance: scored again on purpose" in told[
        "decision_log"
    ].replace("  \n", " ")
    assert told["n_of_other_days"] == 0  # the store was asked for the day alone
    assert "FALLBACK" not in told

    table = pq.read_table(told["path"])
    assert table.schema.names == SCORES_WITH_REQUESTS.names
    assert sorted(table["opportunity_id"].to_pylist()) == sorted(OF_DAY["opportunity_id"].to_pylist())
    served = with_models.store.history.serve_history(table["agent_id"].to_pylist(), table["scored_at"].to_numpy())
    used = np.stack([table[name].to_numpy() for name in HISTORY_FEATURES], axis=1)
    assert np.array_equal(used.astype(np.float32), served.values)
    assert told["mean/score"] == pytest.approx(pc.mean(table["score"]).as_py(), rel=1e-4)

    logged = with_models.store.decisions.read_decisions(START, END)
    assert logged.num_rows == told["n_decisions_logged"] == OF_DAY.num_rows
    assert set(logged["origin"].to_pylist()) == {"replayed"} and logged["propensity"].null_count == logged.num_rows
    assert set(logged["watermark"].to_pylist()) == {told["label_watermark"]}


def test_the_same_day_again_is_the_same_file_and_logs_nothing_twice(with_models):
    first, again = shown(run(with_models)), shown(run(with_models))
    assert first["path"] == again["path"] and digest_file(Path(first["path"])) == first["digest"]
    assert [path.name for path in (with_models.platform.places.scored_dir / str(DAY)).iterdir()] == [
        f"{first['digest']}.parquet"
    ]
    assert (again["n_decisions_logged"], again["n_decisions_known"]) == (0, OF_DAY.num_rows)


def test_a_decision_that_is_logged_stays_even_when_later_labels_change_the_history(filled):
    store = filled.store
    before = run(filled)
    row = OF_DAY.slice(OF_DAY.num_rows - 1).to_pylist()[0]
    earlier = row | {
        "opportunity_id": "late news",
        "scored_at": row["scored_at"] - timedelta(hours=9),
        "outcome_at": row["scored_at"] - timedelta(hours=8),
        "outcome_type": "positive",
        "outcome_score": 0.9,
    }
    news = pa.RecordBatch.from_pylist([earlier], schema=INTERACTIONS.schema)
    store.interactions.import_interactions(
        InteractionStream("real", iter([news]), description="late"), now=filled.clock()
    )
    logged = store.decisions.read_decisions(START, END)
    after = run(filled)
    assert after.result.success
    assert shown(after)["digest"] != shown(before)["digest"]
    kept = store.decisions.read_decisions(START, END)
    ids = logged["decision_id"]
    assert kept.filter(pc.is_in(kept["decision_id"], ids.combine_chunks())).equals(logged)


def test_without_versions_the_fallback_is_a_warning_and_first_in_sight(filled):
    outcome = run(filled)
    check = outcome.checks["no_fallback"]
    assert outcome.result.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"the formula answered {OF_DAY.num_rows:,} of {OF_DAY.num_rows:,} rows" in check.description
    assert next(iter(shown(outcome))) == "FALLBACK"
    assert f"| calling_score: no_version | {OF_DAY.num_rows:,} |" in shown(outcome)["FALLBACK"]


def test_a_damaged_version_is_an_error_that_names_the_file_and_loses_no_row(with_models):
    path = version_directory(with_models.platform.places.models_dir, "outcome", "v1.0-synthetic") / "model.onnx"
    path.chmod(0o644)
    path.write_bytes(b"broken")
    outcome = run(with_models)
    check = outcome.checks["no_fallback"]
    assert outcome.result.success and outcome.checks["nothing_lost"].passed
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "damaged" in check.description and str(path) in check.description
    assert set(pq.read_table(shown(outcome)["path"])["fallback"].to_pylist()) == {"outcome: damaged"}


def test_candidate_pairs_are_scored_on_their_day_and_undated_ones_on_every_day(with_models):
    moments = [START, START - timedelta(hours=1), None, END, END - timedelta(seconds=1), None]
    table = pairs(scored_at=pa.array(moments, pa.timestamp("us", tz="UTC")), trend_boost=[0.1, 0, 0, 0, None, 9.0])
    world = serving(with_models, table)
    outcome = run(world)
    told = shown(outcome)
    assert outcome.result.success and outcome.checks["nothing_lost"].passed
    assert [told[name] for name in ("n_read", "n_undated", "n_of_other_days", "n_scored", "n_refused")] == [
        4, 2, 2, 3, 1,
    ]  # fmt: skip
    assert "| out_of_range | 1 |" in told["refused"]
    rows = pq.read_table(told["path"]).to_pylist()
    assert [(row["position"], row["refused"]) for row in rows] == [
        (0, None),
        (2, None),
        (4, None),
        (5, ["out_of_range"]),
    ]
    logged = world.store.decisions.read_decisions(START, END).to_pylist()
    assert [(row["agent_id"], row["decided_at"]) for row in logged] == [
        *sorted([("a-0", START), ("a-2", START)], key=lambda pair: by_id(logged, pair[0])),
        ("a-4", END - timedelta(seconds=1)),
    ]
    # The day was over when it was scored: nobody was called by these decisions.
    assert {(row["origin"], row["claim"], row["propensity"]) for row in logged} == {
        ("replayed", "another_moment", None)
    }
    assert shown(run(world))["digest"] == told["digest"]


def by_id(logged, agent):
    return next(row["decision_id"] for row in logged if row["agent_id"] == agent)


def test_a_pair_that_stands_twice_is_scored_twice_and_logged_once(with_models):
    told = shown(run(serving(with_models, pairs(3, agent_id=["a", "a", None]))))
    assert (told["n_scored"], told["n_decisions_logged"], told["n_decisions_known"], told["n_not_logged"]) == (
        3,
        1,
        1,
        1,
    )


def test_versions_and_weights_are_the_run_s_choice(with_models):
    register_network(
        with_models.store.versions, with_models.platform.places.models_dir, "calling_score", "v1.1-synthetic", seed=8
    )
    told = shown(run(with_models, calling_score="v1.1-synthetic"))
    assert "v1.1-synthetic (weight 0.1)" in told["models"]
    failed = run(with_models, by_confidence=True)
    assert "no confidence profile" in failed.failures["scored_opportunities"]
    assert "v9.9-real" in run(with_models, outcome="v9.9-real").failures["scored_opportunities"]


def test_pairs_that_cannot_be_read_are_one_sentence_and_leave_no_file(with_models):
    world = serving(with_models, pairs().drop_columns(["agent_overall_energy"]))
    outcome = run(world)
    assert "feature columns are missing: agent_overall_energy" in outcome.failures["scored_opportunities"]
    assert list((world.platform.places.scored_dir / str(DAY)).iterdir()) == []


def test_a_row_that_gets_lost_on_the_way_fails_the_check(with_models, monkeypatch):
    answer = scored_day.answer_requests

    def losing(batches, *arguments, **options):
        return answer((batch.slice(1) for batch in batches), *arguments, **options)

    monkeypatch.setattr(scored_day, "answer_requests", losing)
    outcome = run(with_models)
    assert not outcome.checks["nothing_lost"].passed
    assert (
        f"{OF_DAY.num_rows - 1} rows in the file; {OF_DAY.num_rows} were read"
        in outcome.checks["nothing_lost"].description
    )


def test_small_batches_give_the_same_rows(with_models, monkeypatch):
    whole = pq.read_table(shown(run(with_models))["path"])
    monkeypatch.setattr(scored_day, "_BATCH_ROWS", 3)
    assert pq.read_table(shown(run(with_models))["path"]).equals(whole)


def exploring(world, clock=None):
    return World(world.instance, dataclasses.replace(world.settings, exploration=0.2), clock or world.clock)


def test_a_share_of_served_decisions_is_left_to_a_coin_and_the_log_says_how_probable_they_were(filled):
    table = pairs(300)
    high = {name: pa.array(0.9 + 0.1 * table[name].to_numpy()) for name in RAW_FEATURES}
    table = pa.table({name: high.get(name, table[name]) for name in table.schema.names})
    world = exploring(serving(filled, table), clock=lambda: START + timedelta(minutes=10))
    outcome = run(world)
    assert outcome.result.success

    logged = world.store.decisions.read_decisions(START, END).to_pylist()
    explored = [row for row in logged if row["explored"]]
    assert 20 < len(explored) < 120
    assert {row["propensity"] for row in logged} <= {0.1, 0.9, 1.0}
    assert {row["propensity"] for row in explored} <= {0.1, 0.9}
    assert {row["claim"] for row in logged} == {"at_its_moment"}


def test_replayed_decisions_are_never_left_to_a_coin(with_models):
    world = exploring(with_models)
    run(world)
    logged = world.store.decisions.read_decisions(START, END).to_pylist()
    assert logged and not any(row["explored"] for row in logged)
