"""Every request is answered, in its order: with scores to the last bit, or with the reasons why it was refused."""

import gzip
import io
import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from spots_ml.features.contract import HISTORY_FEATURES, RAW_FEATURES
from spots_ml.features.history import NO_HISTORY
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.requests.of_day import DayCount, interactions_as_requests, of_day, read_pairs
from spots_ml.requests.reading import read_requests
from spots_ml.requests.request_schema import ANSWER_COLUMNS, REQUESTS
from spots_ml.scoring.answering.answers import answer_requests, decisions_of
from spots_ml.scoring.answering.score_table import SCORES, SCORES_WITH_REQUESTS, score_table
from spots_ml.scoring.answering.score_tally import ScoreTally, fallbacks_told, models_told
from spots_ml.scoring.answering.score_writing import open_score_writer
from spots_ml.scoring.exploration import chances
from spots_ml.scoring.inputs import scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel, ServedModel
from spots_ml.scoring.served_history import ServedHistory
from spots_ml_tests.scoring.asking import HISTORY, lines, make_request

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Proximity:
    """Answers with one input; above 0.8 with nothing."""

    def predict(self, inputs):
        return np.where(inputs[:, 24] > 0.8, np.float32(np.nan), inputs[:, 24])


class Sure:
    def predict(self, inputs):
        return np.full(len(inputs), 0.95, np.float32)


class Remembering:
    """Serves a history that tells who was asked for and when."""

    def __init__(self):
        self.asked = []

    def serve_history(self, agent_ids, at, *, up_to=None):
        self.asked += list(zip(agent_ids, at.tolist(), strict=True))
        values = np.tile(np.linspace(0, 1, 6, dtype=np.float32), (len(agent_ids), 1))
        return ServedHistory(values=values, watermark=up_to or "7/9")


SCORER = Scorer(ServedModel("v1.2-real", Proximity(), weight=0.3), ServedModel("v1.0-real", Sure()))
BROKEN = Scorer(
    MissingModel("damaged", "model.onnx is not what was registered", "v1.1-real"), MissingModel("no_version", "none")
)
REQUESTED = [
    make_request(0, history_features=HISTORY),
    b"nonsense",
    make_request(2, context_features__location_proximity=0.9, timing_features__user_patterns=None),
    make_request(3, timestamp=None, trend_boost=0.5),
    make_request(4, timestamp=None),
    make_request(5, agent_id=None),
]


def answer(requests=REQUESTED, scorer=SCORER, *, batch_rows=100, **options):
    batches = read_requests(io.BytesIO(lines(requests)), format="jsonl", batch_rows=batch_rows)
    return list(answer_requests(batches, scorer, now=NOW, **options))


def moment(told):
    return datetime.fromisoformat(str(told))


def rows_of(answers, **options):
    return pa.Table.from_batches([score_table(one, **options) for one in answers]).to_pylist()


# --- answers


def test_every_request_has_one_answer_in_its_order():
    rows = rows_of(answer())
    assert [row["position"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert [row["refused"] for row in rows] == [None, ["malformed_record"], None, ["out_of_range"], None, None]
    for row in rows:
        answered = {name for name in ANSWER_COLUMNS if row[name] is not None} - {"neural_score", "fallback"}
        assert answered == (
            {"refused"} if row["refused"] else set(ANSWER_COLUMNS) - {"neural_score", "fallback", "refused"}
        )
    assert (rows[2]["neural_score"], rows[2]["fallback"], rows[2]["weight"]) == (None, "calling_score: bad_answer", 0.0)
    assert [row["n_unknown"] for row in rows] == [0, None, 1, None, 0, 0]
    assert (rows[5]["agent_id"], rows[5]["group"], rows[5]["weight"]) == (None, "formulaBased", 0.0)
    assert rows[0]["version"] == "v1.2-real" and rows[0]["outcome_version"] == "v1.0-real"


def test_the_numbers_are_those_of_the_scorer_and_do_not_depend_on_the_batches():
    (one,) = answer()
    rows = rows_of([one])
    kept = [row for row in rows if row["refused"] is None]
    scores = SCORER.score(scoring_inputs(one.scored))
    assert [row["score"] for row in kept] == scores.score.tolist()
    assert [row["formula_score"] for row in kept] == scores.formula.score.tolist()
    assert [row["called"] for row in kept] == scores.called.tolist()
    for batch_rows in (1, 2, 4):
        assert rows_of(answer(batch_rows=batch_rows)) == rows


def test_history_is_served_to_those_that_bring_none_as_of_their_moment():
    store = Remembering()
    partly = make_request(6, history_features=HISTORY | {"activity_level": None})
    answers = answer([*REQUESTED, partly], history=store, up_to="3/4")
    moments = {agent: moment for agent, moment in store.asked}
    assert set(moments) == {"agent-2", "agent-4", None, "agent-6"}
    assert moments["agent-4"] == NOW.replace(tzinfo=None), "a request without a moment is decided now"
    assert moments["agent-2"].isoformat() == "2026-05-01T10:00:02"
    assert answers[0].watermark == "3/4"

    used = rows_of(answers, with_requests=True)
    told = {row["position"]: [row[name] for name in HISTORY_FEATURES] for row in used}
    served = [float(value) for value in np.linspace(0, 1, 6, dtype=np.float32)]
    assert told[0] == list(HISTORY.values())
    assert told[2] == served
    assert told[6] == [*list(HISTORY.values())[:5], served[5]]
    assert told[1] == [None] * 6


def test_a_store_is_not_asked_without_need_and_no_store_means_no_history():
    store = Remembering()
    (only,) = answer([make_request(0, history_features=HISTORY)], history=store)
    assert (store.asked, only.watermark) == ([], None)
    (alone,) = answer([make_request(0)])
    assert np.array_equal(alone.inputs.history, np.array([NO_HISTORY], np.float32))


def test_exploration_draws_the_same_chance_for_the_same_pair_and_moment():
    scorer = Scorer(SCORER.calling_score, SCORER.outcome, exploration=0.2)
    requests = [make_request(number) for number in range(50)]
    (first,), (again,) = answer(requests, scorer), answer(requests, scorer)
    moments = first.scored["scored_at"].to_numpy(zero_copy_only=False)
    expected = chances(first.scored["agent_id"].to_pylist(), first.scored["opportunity_id"].to_pylist(), moments)
    assert np.array_equal(first.inputs.chance, expected)
    assert score_table(first).equals(score_table(again))
    assert first.scores.explored.any() and set(first.scores.propensity.tolist()) <= {0.1, 0.9, 1.0}
    assert not (first.scores.called & first.scores.blocked).any()


def test_a_row_without_an_agent_or_an_opportunity_is_never_left_to_a_coin():
    scorer = Scorer(SCORER.calling_score, SCORER.outcome, exploration=0.2)
    requests = [make_request(n, **{key: None}) for n in range(50) for key in ("agent_id", "opportunity_id")]
    (answers,) = answer(requests, scorer)
    assert not answers.scores.explored.any() and (answers.scores.propensity == 1.0).all()


def test_only_refused_rows_are_answered_too():
    (answers,) = answer([b"nonsense", b"{}"])
    assert [row["refused"] for row in rows_of([answers])] == [["malformed_record"], ["missing_key"]]
    assert answers.scores.n_rows == 0


# --- what is written


def test_the_columns_of_the_table_are_those_that_a_reader_knows():
    assert tuple(SCORES.names[3:]) == ANSWER_COLUMNS
    assert set(SCORES_WITH_REQUESTS.names) == {*SCORES.names, *REQUESTS.names} - {"problems"}
    assert all(b"doc" in SCORES.field(name).metadata for name in ANSWER_COLUMNS)


@pytest.mark.parametrize("packed", [False, True])
def test_json_lines_read_back_as_the_very_same_numbers(tmp_path, packed):
    sink = tmp_path / "scores"
    with open_score_writer(sink, "jsonl", packed=packed) as write:
        for answers in answer(batch_rows=2):
            write(score_table(answers))
    content = sink.read_bytes()
    texts = (gzip.decompress(content) if packed else content).decode().splitlines()
    told = [row | {"decided_at": row["decided_at"] and moment(row["decided_at"])} for row in rows_of(answer())]
    read = [json.loads(text) for text in texts]
    assert [row | {"decided_at": row["decided_at"] and moment(row["decided_at"])} for row in read] == told
    assert list(json.loads(texts[0])) == SCORES.names


def test_a_written_parquet_file_asked_again_gives_the_same_file(tmp_path):
    first, second, stream = tmp_path / "first.parquet", tmp_path / "second.parquet", io.BytesIO()
    for sink, source, history in ((first, None, Remembering()), (second, first, None), (stream, first, None)):
        asked = io.BytesIO(lines(REQUESTED)) if source is None else source
        with open_score_writer(sink, "parquet") as write:
            for answers in answer_requests(
                read_requests(asked, format="jsonl" if source is None else "parquet"), SCORER, now=NOW, history=history
            ):
                write(score_table(answers, with_requests=True))
    assert pq.read_schema(first).names == SCORES_WITH_REQUESTS.names
    assert first.read_bytes() == second.read_bytes() == stream.getvalue()


# --- what is counted


def test_the_tally_adds_up_over_batches():
    tally = ScoreTally()
    for answers in answer(batch_rows=2):
        tally.add(score_table(answers))
    rows = rows_of(answer())
    scored = [row for row in rows if row["refused"] is None]
    assert (tally.n_read, tally.n_scored, tally.n_refused) == (6, 4, 2)
    assert tally.refused == {"malformed_record": 1, "out_of_range": 1}
    n_silent = sum(row["neural_score"] is None for row in scored)
    assert tally.fallbacks == {"calling_score: bad_answer": n_silent} and tally.fallen_back == n_silent > 0
    assert tally.n_called == sum(row["called"] for row in scored)
    assert sum(group.n for group in tally.groups.values()) == 4
    assert tally.n_unknown_features == 1
    means = tally.means()
    assert means["score"] == pytest.approx(np.mean([row["score"] for row in scored]))
    answered = [row["neural_score"] for row in scored if row["neural_score"] is not None]
    assert means["neural_score"] == pytest.approx(np.mean(answered))


def test_nothing_scored_has_no_means_and_no_rates():
    tally = ScoreTally()
    tally.add(score_table(answer([b"nonsense"])[0]))
    assert tally.means() == {}
    assert [group.called_rate for group in tally.groups.values()] == [None, None]


def test_fallbacks_are_told_with_version_reason_detail_and_who_answered():
    tally = ScoreTally()
    for answers in answer(scorer=BROKEN):
        tally.add(score_table(answers))
    assert fallbacks_told(tally, BROKEN) == [
        "calling_score v1.1-real: damaged: model.onnx is not what was registered - the formula answered 4 of 4 rows",
        "outcome: no_version: none - the outcome rule answered 4 of 4 rows",
    ]
    assert models_told(BROKEN)["calling_score"] == "v1.1-real: damaged: model.onnx is not what was registered"
    assert models_told(SCORER) == {"calling_score": "v1.2-real (weight 0.3)", "outcome": "v1.0-real"}


# --- what is logged


def test_scored_rows_with_agent_and_opportunity_are_logged_and_the_others_counted():
    (answers,) = answer(history=Remembering())
    decisions = decisions_of(answers, now=NOW)
    assert decisions["opportunity_id"].to_pylist() == ["spot-0", "spot-2", "spot-4", "spot-5"]
    assert decisions["agent_id"].null_count == 1
    assert decisions["watermark"].to_pylist() == [None, "7/9", "7/9", "7/9"]
    assert decisions["decided_at"].to_pylist() == [row["decided_at"] for row in rows_of([answers]) if row["decided_at"]]
    assert decisions["decided_at"][2].as_py() == NOW


# --- the requests of a day


def test_a_day_holds_the_rows_of_that_day_and_undated_pairs_are_of_every_day(tmp_path):
    moments = [
        "2026-04-30T23:59:59.999999+00:00",
        "2026-05-01T00:00:00+00:00",
        None,
        "2026-05-01T23:59:59.999999+00:00",
    ]
    moments += ["2026-05-02T00:00:00+00:00"]
    (batch,) = read_requests(
        io.BytesIO(lines([make_request(n, timestamp=moment) for n, moment in enumerate(moments)])), format="jsonl"
    )
    start, end = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)
    for undated, positions in ((True, [1, 2, 3]), (False, [1, 3])):
        count = DayCount()
        kept = pa.Table.from_batches(of_day([batch], start, end, count, undated=undated))
        assert kept["position"].to_pylist() == positions
        assert (count.n_read, count.n_undated, count.n_elsewhere) == (len(positions), int(undated), 5 - len(positions))
    assert kept.schema == REQUESTS
    dated = pa.Table.from_batches(of_day([batch], start, end, DayCount(), undated=True))
    assert dated["scored_at"][1].as_py() == start


def test_a_folder_of_pairs_is_read_in_the_order_of_names_and_numbered_through(tmp_path):
    (batch,) = read_requests(io.BytesIO(lines([make_request(number) for number in range(5)])), format="jsonl")
    pq.write_table(pa.Table.from_batches([batch.slice(0, 3)]), tmp_path / "b.parquet")
    pq.write_table(pa.Table.from_batches([batch.slice(3)]), tmp_path / "a.parquet")
    (tmp_path / "notes.txt").write_text("not read")
    table = pa.Table.from_batches(read_pairs(tmp_path))
    assert table["position"].to_pylist() == [0, 1, 2, 3, 4]
    assert table["opportunity_id"].to_pylist() == ["spot-3", "spot-4", "spot-0", "spot-1", "spot-2"]


def test_interactions_lose_their_labels_and_keep_what_was_known():
    row = {"position": 0, "agent_id": "a", "outcome_score": 0.9, **dict.fromkeys(RAW_FEATURES, 0.25)}
    (batch,) = interactions_as_requests([pa.RecordBatch.from_pylist([row], schema=INTERACTIONS)])
    assert batch.schema == REQUESTS
    assert [batch[name][0].as_py() for name in RAW_FEATURES] == [0.25] * 34
    assert batch["agent_id"].to_pylist() == ["a"] and batch["past_positive_rate"].null_count == 1
