"""Rules over columns, for sources that did not come through the export reader, and the edges of the outcome types."""

import math
from datetime import timedelta

import pyarrow as pa
import pytest

from spots_ml.features.contract import RAW_FEATURES
from spots_ml.interactions.judging.rules import REASONS, ValidationConfig, bit, codes, find_problems
from spots_ml.interactions.schema import INTERACTIONS


def judge_one(now, **values) -> list[str]:
    row = {"position": 0, **dict.fromkeys(RAW_FEATURES, 0.5), "is_called": True, **values}
    batch = pa.RecordBatch.from_pylist([row], schema=INTERACTIONS)
    return codes(int(find_problems(batch, config=ValidationConfig(), now=now)[0]))


EDGES = [
    ("positive", 0.7, True, True),
    ("positive", 0.69996, True, True),
    ("positive", 0.6999, True, False),
    ("neutral", 0.7, True, True),
    ("neutral", 0.7001, True, False),
    ("neutral", 0.4, True, True),
    ("neutral", 0.39996, True, True),
    ("neutral", 0.3999, True, False),
    ("neutral", 0.3999, False, True),
    ("neutral", 0.3999, None, False),
    ("neutral", 0.3, False, True),
    ("neutral", 0.2999, False, False),
    ("negative", 0.4, True, True),
    ("negative", 0.3999, False, True),
    ("negative", 0.4001, False, False),
    ("negative", 0.0, True, True),
    ("positive", 1.0, False, True),
]


@pytest.mark.parametrize(("kind", "score", "called", "fits"), EDGES)
def test_outcome_types_end_where_both_generators_draw_the_line(now, kind, score, called, fits) -> None:
    found = judge_one(now, outcome_type=kind, outcome_score=score, is_called=called)
    assert found == ([] if fits else ["outcome_contradicts_score"])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", ["agent_novelty_seeking", "opportunity_timing", "formula_score"])
def test_a_number_that_is_not_finite_is_not_taken_for_unknown(now, column, value) -> None:
    assert judge_one(now, **{column: value}) == ["not_finite"]
    assert judge_one(now, **{column: None}) == []


def test_the_ends_of_the_range_are_inside(now) -> None:
    assert judge_one(now, agent_novelty_seeking=0.0, opportunity_timing=1.0) == []
    assert judge_one(now, agent_novelty_seeking=-1e-9) == ["out_of_range"]
    assert judge_one(now, agent_novelty_seeking=math.nextafter(1.0, 2.0)) == ["out_of_range"]


def test_a_clock_may_run_ahead_as_far_as_configured(now) -> None:
    assert judge_one(now, scored_at=now + timedelta(seconds=300)) == []
    assert judge_one(now, scored_at=now + timedelta(seconds=301)) == ["timestamp_in_future"]


def test_an_outcome_may_arrive_at_the_instant_of_the_scoring(now) -> None:
    labelled = {"outcome_type": "positive", "outcome_score": 0.9}
    assert judge_one(now, scored_at=now, outcome_at=now, **labelled) == []
    earlier = now - timedelta(microseconds=1)
    assert judge_one(now, scored_at=now, outcome_at=earlier, **labelled) == ["outcome_before_interaction"]


def test_what_reading_found_is_kept(now) -> None:
    assert judge_one(now, problems=["wrong_type", "missing_key"], record="{}") == ["missing_key", "wrong_type"]


def test_every_reason_has_a_bit_of_its_own_and_an_explanation() -> None:
    assert len({bit(code) for code in REASONS}) == len(REASONS)
    assert codes(sum(bit(code) for code in REASONS)) == sorted(REASONS)
    assert all(REASONS.values())
