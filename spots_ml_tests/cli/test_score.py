"""`spots-ml score` as a user has it: rows on stdout, what came of them on stderr, and the exit status."""

import gzip
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from spots_ml.cli import main
from spots_ml.features.contract import HISTORY_FEATURES
from spots_ml.interactions.generators.export_writing import write_export
from spots_ml.interactions.generators.seed_law import SeedLaw
from spots_ml.interactions.reading.export import read_export
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml.registry.published_files import version_directory
from spots_ml.stores.embedded.store import embedded_store
from spots_ml_tests.registry.building import register_network
from spots_ml_tests.scoring.asking import lines, make_request

MODELS = ("calling_score", "outcome")


@pytest.fixture
def environment(tmp_path):
    return {
        "SPOTS_ML_DATA_DIR": str(tmp_path / "data"),
        "SPOTS_ML_ARTIFACTS_DIR": str(tmp_path / "artifacts"),
        "SPOTS_ML_SOURCE": "synthetic",
    }


@pytest.fixture
def score(environment):
    """Runs `spots-ml score`; requests given as a list are piped in."""

    def run(*arguments, asked=None):
        content = None if asked is None else lines(asked)
        return CliRunner().invoke(main, ["score", *map(str, arguments)], input=content, env=environment)

    return run


@pytest.fixture
def store(tmp_path):
    return embedded_store(tmp_path / "data" / "spots_ml.sqlite")


@pytest.fixture
def two_models(store, tmp_path):
    for seed, model_type in enumerate(MODELS):
        register_network(store.versions, tmp_path / "artifacts" / "models", model_type, seed=seed)
    return store


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """An export with 200 interactions of few agents, whose history is worth something."""
    path = tmp_path_factory.mktemp("generated") / "export.json.gz"
    write_export(SeedLaw(rows_per_agent=25.0).generate(200, seed=4), path)
    return path


def rows_of(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_without_any_version_the_formula_answers_and_says_so_loudly(score):
    result = score(asked=[make_request(number) for number in range(5)])
    rows = rows_of(result)
    assert result.exit_code == 0
    assert [row["position"] for row in rows] == [0, 1, 2, 3, 4]
    assert {row["fallback"] for row in rows} == {"calling_score: no_version, outcome: no_version"}
    assert all(row["score"] is not None and row["neural_score"] is None and row["version"] is None for row in rows)
    first, second, *_ = result.stderr.splitlines()
    assert first.startswith("FALLBACK calling_score: no_version:") and "the formula answered 5 of 5 rows" in first
    assert second.startswith("FALLBACK outcome: no_version:") and "make run" in second


def test_with_both_versions_there_is_no_word_of_a_fallback(score, two_models):
    result = score("-", asked=[make_request(number) for number in range(40)])
    rows = rows_of(result)
    assert result.exit_code == 0 and "FALLBACK" not in result.stderr
    assert all(row["fallback"] is None and 0 < row["neural_score"] < 1 for row in rows)
    assert {(row["version"], row["outcome_version"]) for row in rows} == {("v1.0-synthetic", "v1.0-synthetic")}
    assert {(row["group"], row["weight"]) for row in rows} == {("hybrid", 0.1), ("formulaBased", 0.0)}
    assert "40 requests: 40 scored, 0 refused" in result.stderr and "v1.0-synthetic (weight 0.1)" in result.stderr


def test_a_damaged_version_is_named_with_what_is_wrong(score, two_models, tmp_path):
    path = version_directory(tmp_path / "artifacts" / "models", "calling_score", "v1.0-synthetic") / "model.onnx"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1])

    result = score(asked=[make_request(0)])
    assert result.exit_code == 0
    assert result.stderr.startswith("FALLBACK calling_score v1.0-synthetic: damaged: ") and str(path) in result.stderr
    assert "FALLBACK outcome" not in result.stderr
    (row,) = rows_of(result)
    assert (row["fallback"], row["version"]) == ("calling_score: damaged", "v1.0-synthetic")
    assert score("--strict", asked=[make_request(0)]).exit_code == 1


def test_refused_rows_keep_their_places_and_cost_the_exit_status(score, two_models):
    asked = [make_request(0), b"nonsense", b"", make_request(2, trend_boost=9), make_request(3)]
    result = score(asked=asked)
    rows = rows_of(result)
    assert result.exit_code == 1
    assert [(row["position"], row["refused"]) for row in rows] == [
        (0, None),
        (1, ["malformed_record"]),
        (3, ["out_of_range"]),
        (4, None),
    ]
    assert rows[2]["agent_id"] == "agent-2" and rows[2]["score"] is rows[2]["called"] is rows[2]["version"] is None
    assert "4 requests: 2 scored, 2 refused" in result.stderr
    assert "refused, malformed_record: 1 - the record is not a JSON object" in result.stderr


def test_formats_are_told_by_names_and_all_give_the_same_scores(score, two_models, generated, tmp_path):
    asked = tmp_path / "asked.jsonl"
    asked.write_bytes(lines(json.loads(gzip.decompress(generated.read_bytes()))["training_data"]))
    answers = {name: tmp_path / name for name in ("a.jsonl", "b.jsonl.gz", "c.parquet", "d.jsonl", "e.parquet")}

    assert score(asked, "--out", answers["a.jsonl"]).stdout == ""
    assert score(generated, "--out", answers["b.jsonl.gz"]).exit_code == 0
    assert score(asked, "--out", answers["c.parquet"]).exit_code == 0
    assert score(answers["c.parquet"], "--to", "jsonl", "--out", answers["d.jsonl"]).exit_code == 0
    assert score("--from", "jsonl", "--to", "parquet", asked, "--out", answers["e.parquet"]).exit_code == 0

    expected = answers["a.jsonl"].read_bytes()
    assert gzip.decompress(answers["b.jsonl.gz"].read_bytes()) == answers["d.jsonl"].read_bytes() == expected
    assert answers["c.parquet"].read_bytes() == answers["e.parquet"].read_bytes()
    table = pq.read_table(answers["c.parquet"])
    assert table["score"].to_pylist() == [json.loads(line)["score"] for line in expected.splitlines()]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == sorted(["asked.jsonl", *answers])


def test_history_comes_from_the_store_as_of_each_moment(score, two_models, generated, tmp_path):
    two_models.interactions.import_interactions(read_export(generated), now=datetime.now(UTC))
    with_store, without = tmp_path / "with.parquet", tmp_path / "without.parquet"
    score(generated, "--out", with_store)
    score(generated, "--out", without, "--no-history")

    table = pq.read_table(with_store)
    served = two_models.history.serve_history(table["agent_id"].to_pylist(), table["scored_at"].to_numpy())
    used = np.stack([table[name].to_numpy() for name in HISTORY_FEATURES], axis=1)
    assert np.array_equal(used.astype(np.float32), served.values)
    assert len(set(used[:, 3].tolist())) > 5
    alone = pq.read_table(without)
    assert set(alone["interaction_count"].to_pylist()) == {0.0}
    assert alone["outcome_probability"].to_pylist() != table["outcome_probability"].to_pylist()


def test_exploration_leaves_some_decisions_to_a_coin(score):
    asked = [make_request(number) for number in range(60)]
    for request in asked:
        request |= {group: dict.fromkeys(keys, 0.9) for group, keys in FEATURE_GROUPS.items()}
    result = score("--exploration", "0.2", asked=asked)
    explored = [row for row in rows_of(result) if row["explored"]]
    assert explored and f"{len(explored)} decisions were left to a coin" in result.stderr
    assert result.stdout == score("--exploration", "0.2", asked=asked).stdout


def test_versions_can_be_named(score, two_models, tmp_path):
    register_network(two_models.versions, tmp_path / "artifacts" / "models", "calling_score", "v1.1-synthetic", seed=9)
    asked = [make_request(0)]
    (first,), (second,) = (
        rows_of(score("--calling-score", version, asked=asked)) for version in ("v1.0-synthetic", "v1.1-synthetic")
    )
    assert (first["version"], second["version"]) == ("v1.0-synthetic", "v1.1-synthetic")
    assert first["neural_score"] != second["neural_score"]


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--calling-score", "v9.9-real"], 1, "v1.0-synthetic"),
        (["--weights", "confidence"], 2, "no confidence profile"),
        (["--exploration", "0.3"], 2, "exploration"),
        (["--exploration", "nan"], 2, "exploration"),
        (["--from", "csv"], 2, "'csv' is not one of"),
        (["/nowhere/asked.jsonl"], 2, "does not exist"),
        (["{tmp_path}/asked.txt"], 2, "--from"),
        (["{tmp_path}/asked.txt", "--from", "parquet"], 1, "cannot be read as Parquet"),
        (["{tmp_path}/asked.txt", "--from", "export"], 1, "asked.txt"),
        (["--out", "/dev/null/scores.jsonl"], 1, "a file stands where a folder is expected"),
    ],
)
def test_what_cannot_be_done_is_one_message_and_an_exit_status(score, two_models, tmp_path, arguments, status, told):
    (tmp_path / "asked.txt").write_bytes(lines([make_request(0), make_request(1)]))
    result = score(*(one.format(tmp_path=tmp_path) for one in arguments), asked=[make_request(0)])
    assert (result.exit_code, result.stdout) == (status, "")
    assert told in result.stderr and "Traceback" not in result.output


def test_an_input_that_breaks_off_leaves_no_output_file(score, generated, tmp_path):
    broken, out = tmp_path / "broken.jsonl.gz", tmp_path / "scores.jsonl"
    broken.write_bytes(gzip.compress(lines([make_request(number) for number in range(100)]))[:-20])
    assert score(broken, "--out", out).exit_code == 1
    assert not out.exists()


def test_nothing_in_is_nothing_out(score):
    result = score(asked=[])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "0 requests: 0 scored, 0 refused" in result.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_enough_ends_it_without_a_traceback(environment, tmp_path, unbuffered):
    asked = tmp_path / "asked.jsonl"
    asked.write_bytes(lines([make_request(number % 50) for number in range(3_000)]))
    with subprocess.Popen(
        [sys.executable, "-m", "spots_ml.cli", "score", str(asked)],
        env=os.environ | environment | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": unbuffered},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert json.loads(process.stdout.readline())["position"] == 0
        process.stdout.close()
        told = process.stderr.read().decode()
    assert process.returncode == 1
    assert told == ""


def test_parquet_through_a_pipe_is_whole(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "spots_ml.cli", "score", "--to", "parquet"],
        env=os.environ | environment | {"OMP_NUM_THREADS": "1"},
        input=lines([make_request(0), make_request(1)]),
        capture_output=True,
        check=True,
    )
    path = tmp_path / "answers.parquet"
    path.write_bytes(done.stdout)
    assert pq.read_table(path)["position"].to_pylist() == [0, 1]


def test_without_an_outcome_version_the_formula_calls_whom_it_calls(score):
    result = score(asked=[make_request(number) for number in range(50)])
    rows = rows_of(result)
    assert [row["called"] for row in rows] == [row["score"] >= 0.7 for row in rows]
    assert not any(row["blocked"] for row in rows)


@pytest.mark.usefixtures("two_models")
def test_how_many_the_outcome_filter_blocked_is_told(score):
    result = score(asked=[make_request(number) for number in range(50)])
    blocked = sum(row["blocked"] for row in rows_of(result))
    assert blocked > 0
    assert f"{blocked} blocked ({blocked / 50:.1%}) by the outcome filter" in result.stderr


def test_answers_never_replace_what_is_read_for_them(score, store, tmp_path):
    asked = tmp_path / "asked.jsonl"
    asked.write_bytes(lines([make_request(0)]))
    database = tmp_path / "data" / "spots_ml.sqlite"
    before = asked.read_bytes(), database.read_bytes()

    for out in (asked, database):
        result = score(asked, "--out", out, "--to", "jsonl")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "is read for what is to be written to it" in result.stderr
    assert (asked.read_bytes(), database.read_bytes()) == before


def test_refused_requests_name_keys_and_values(score, two_models):
    asked = [
        make_request(0, trend_bost=0.1),
        make_request(1, trend_boost=9),
        make_request(2, context_features__network_effects=1.5),
        make_request(3, history_features={"past_positive_rate": "x"}),
        make_request(4),
    ]
    result = score(asked=asked)

    for told in (
        "request 0: unknown_key: trend_bost = 0.1",
        "request 1: out_of_range: trend_boost = 9",
        "request 2: out_of_range: context_features.network_effects = 1.5",
        'wrong_type: history_features.past_positive_rate = "x"',
        "    unknown_key: trend_bost: 1",
    ):
        assert told in result.stderr
