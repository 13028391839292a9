"""A predictor answers rows or says why not; nothing else ever comes out of it."""

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from spots_ml.features.contract import CONTRACT_DIGEST
from spots_ml.release.onnx import predictor as onnx_predictor
from spots_ml.release.onnx.predictor import OnnxPredictor
from spots_ml.release.onnx.sessions import empty_graph
from spots_ml.scoring.fallback import ModelUnavailableError
from spots_ml.training.trained_model import predict


def reason_of(call):
    with pytest.raises(ModelUnavailableError) as caught:
        call()
    return caught.value.reason, caught.value.detail


@pytest.fixture(scope="module")
def rows():
    return np.random.default_rng(0).random((5000, 39), dtype=np.float32)


def in_contract(nodes, initializers=(), output_width=1):
    """A file that says it is a calling-score model, whatever its nodes do."""
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("input", 39), ("output", output_width))
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "odd", ends[:1], ends[1:], list(initializers)),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=8,
    )
    helper.set_model_props(model, {"contract_digest": CONTRACT_DIGEST, "model_type": "calling_score"})
    return model.SerializeToString()


def mean_times(factor):
    """Mean of the row times a factor: beyond 1 for some rows."""
    return in_contract(
        [
            helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=1),
            helper.make_node("Mul", ["mean", "factor"], ["output"]),
        ],
        [
            numpy_helper.from_array(np.array([1]), "axes"),
            numpy_helper.from_array(np.array(factor, np.float32), "factor"),
        ],
    )


def slow_file():
    """Plain rows are answered at once, others after counting to more than anybody waits for."""
    name = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Add", ["sum", "one"], ["sum_next"]),
        ],
        "count",
        [
            name("i", TensorProto.INT64, []),
            name("go", TensorProto.BOOL, []),
            name("sum", TensorProto.FLOAT, ["batch", 1]),
        ],
        [name("go_on", TensorProto.BOOL, []), name("sum_next", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(np.array(0.0, np.float32), "one")],
    )
    return in_contract(
        [
            helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=1),
            helper.make_node("Slice", ["input", "zero", "one_i", "axes"], ["first"]),
            helper.make_node("ReduceMax", ["first"], ["most"], keepdims=0),
            helper.make_node("Sub", ["most", "half"], ["above"]),
            helper.make_node("Mul", ["above", "very_many"], ["trips_f"]),
            helper.make_node("Cast", ["trips_f"], ["trips"], to=TensorProto.INT64),
            helper.make_node("Loop", ["trips", "", "mean"], ["output"], body=body),
        ],
        [
            numpy_helper.from_array(np.array([1]), "axes"),
            numpy_helper.from_array(np.array([0]), "zero"),
            numpy_helper.from_array(np.array([1]), "one_i"),
            numpy_helper.from_array(np.array(0.5, np.float32), "half"),
            numpy_helper.from_array(np.array(1e12, np.float32), "very_many"),
        ],
    )


def test_answers_are_those_of_torch_for_any_number_of_rows_and_threads(good_file, network, rows):
    predictor = OnnxPredictor(good_file, "calling_score")
    answers = predictor.predict(rows)

    np.testing.assert_allclose(answers, predict(network, rows), atol=1e-6)
    for n_rows in (0, 1, 2, 7, 100):
        np.testing.assert_array_equal(predictor.predict(rows[:n_rows]), answers[:n_rows])
    with ThreadPoolExecutor(4) as threads:
        for again in threads.map(predictor.predict, [rows] * 8):
            np.testing.assert_array_equal(again, answers)


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x08\x08" * 40])
def test_what_is_no_model_is_not_loadable(content):
    assert reason_of(lambda: OnnxPredictor(content, "calling_score"))[0] == "not_loadable"


def test_a_file_cut_short_is_not_loadable(good_file):
    assert reason_of(lambda: OnnxPredictor(good_file[: len(good_file) // 2], "calling_score"))[0] == "not_loadable"


def test_the_other_model_and_another_contract_are_the_wrong_contract(good_file, spoil):
    reason, detail = reason_of(lambda: OnnxPredictor(good_file, "outcome"))
    assert reason == "wrong_contract"
    assert "model_type is calling_score, expected outcome" in detail
    assert "input [batch, 45]" in detail

    def another(model: onnx.ModelProto):
        next(p for p in model.metadata_props if p.key == "contract_digest").value = "0" * 64

    assert reason_of(lambda: OnnxPredictor(spoil(good_file, another), "calling_score"))[0] == "wrong_contract"
    assert reason_of(lambda: OnnxPredictor(empty_graph(39), "calling_score"))[0] == "wrong_contract"


def test_answers_outside_the_range_are_no_answers_row_by_row(rows):
    predictor = OnnxPredictor(mean_times(1.9), "calling_score")
    means = 1.9 * rows.mean(axis=1)
    answers = predictor.predict(rows)

    assert 0 < np.isnan(answers).sum() < len(rows)
    np.testing.assert_array_equal(np.isnan(answers), means > 1)
    alone = np.array([predictor.predict(rows[i : i + 1])[0] for i in range(50)])
    np.testing.assert_array_equal(alone, answers[:50])


def test_a_model_whose_plain_answer_is_no_score_is_not_loadable():
    assert reason_of(lambda: OnnxPredictor(mean_times(9.0), "calling_score"))[0] == "not_loadable"
    assert reason_of(lambda: OnnxPredictor(mean_times(np.nan), "calling_score"))[0] == "not_loadable"


def test_an_answer_of_the_wrong_shape_is_a_bad_answer():
    wide = in_contract([helper.make_node("Identity", ["input"], ["output"])], output_width=39)

    assert reason_of(lambda: OnnxPredictor(wide, "calling_score"))[0] == "bad_answer"


def test_rows_of_the_wrong_width_fail(good_file):
    predictor = OnnxPredictor(good_file, "calling_score")

    assert reason_of(lambda: predictor.predict(np.zeros((2, 38), np.float32)))[0] == "failed"


def test_a_call_that_takes_too_long_is_stopped_and_after_three_the_model_rests(monkeypatch):
    predictor = OnnxPredictor(slow_file(), "calling_score", time_limit_s=0.2)
    quick, slow = np.full((3, 39), 0.5, np.float32), np.full((3, 39), 0.75, np.float32)
    started = time.monotonic()

    for _ in range(2):
        assert reason_of(lambda: predictor.predict(slow)) == ("slow", "3 rows took more than 0.2 s")
    np.testing.assert_array_equal(predictor.predict(quick), np.float32(0.5))  # an answer in time: it counts anew
    for _ in range(3):
        assert reason_of(lambda: predictor.predict(slow))[0] == "slow"
    assert time.monotonic() - started < 30  # not the hours that the counting takes

    reason, detail = reason_of(lambda: predictor.predict(quick))
    assert (reason, detail) == ("slow", "it was too slow 3 times in a row and is not asked now")
    monkeypatch.setattr(onnx_predictor, "_REST_S", 0.0)
    predictor._rests_until = 0.0
    np.testing.assert_array_equal(predictor.predict(quick), np.float32(0.5))


def _slow_in_a_child(content, queue):
    try:
        OnnxPredictor(content, "calling_score", time_limit_s=0.2).predict(np.full((1, 39), 0.75, np.float32))
    except ModelUnavailableError as error:
        queue.put(error.reason)


def test_calls_are_stopped_in_a_forked_process_too(good_file):
    OnnxPredictor(good_file, "calling_score").predict(np.full((1, 39), 0.5, np.float32))
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_slow_in_a_child, args=(slow_file(), queue))
    child.start()

    assert queue.get(timeout=60) == "slow"
    child.join(timeout=60)
    queue.close()
