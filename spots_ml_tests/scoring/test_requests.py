"""The one repair of a request, and everything that is refused instead."""

import io
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spots_ml.errors import ContractError
from spots_ml.features.contract import DERIVED_FEATURES, FEATURES, HISTORY_FEATURES, RAW_FEATURES
from spots_ml.features.derived import derive
from spots_ml.features.history import NO_HISTORY
from spots_ml.interactions.judging.judgement import accepted
from spots_ml.interactions.judging.rules import codes
from spots_ml.interactions.learning.dataset import labelled_rows
from spots_ml.interactions.reading.record_layout import FEATURE_GROUPS
from spots_ml.interactions.schema import INTERACTIONS
from spots_ml.requests.judging import find_request_problems
from spots_ml.requests.reading import REQUESTS, read_requests
from spots_ml.requests.single_records import read_request
from spots_ml.scoring.assignment import group_of
from spots_ml.scoring.inputs import count_unknown, scoring_inputs
from spots_ml.scoring.scorer import Scorer
from spots_ml.scoring.served import MissingModel
from spots_ml_tests.scoring.asking import HISTORY, lines, make_request

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SCORER = Scorer(MissingModel("no_version", ""), MissingModel("no_version", ""))


def batch_of(*requests):
    (batch,) = read_requests(io.BytesIO(lines(requests)), format="jsonl")
    return batch


def problems_of(**changes):
    return codes(int(find_request_problems(batch_of(make_request(0, **changes)), now=NOW)[0]))


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, []),
        ({"context_features__location_proximity": 0.0}, []),
        ({"context_features__location_proximity": 1}, []),
        ({"context_features__location_proximity": -1e-12}, ["out_of_range"]),
        ({"context_features__location_proximity": 1.0000001}, ["out_of_range"]),
        ({"trend_boost": -0.1}, []),
        ({"trend_boost": 0.2}, []),
        ({"trend_boost": -0.1001}, ["out_of_range"]),
        ({"trend_boost": 0.21}, ["out_of_range"]),
        ({"trajectory_potential": 1.1}, ["out_of_range"]),
        ({"positive_influence": -0.1}, ["out_of_range"]),
        ({"history_features": HISTORY | {"activity_level": 1.5}}, ["out_of_range"]),
        ({"agent_id": ""}, ["empty_id"]),
        ({"opportunity_id": ""}, ["empty_id"]),
        ({"timestamp": (NOW + timedelta(seconds=299)).isoformat()}, []),
        ({"timestamp": (NOW + timedelta(seconds=301)).isoformat()}, ["timestamp_in_future"]),
        ({"timestamp": "yesterday", "trend_boost": 0.3}, ["invalid_timestamp", "out_of_range"]),
    ],
)
def test_a_value_outside_its_range_refuses_the_row(changes, problems):
    assert problems_of(**changes) == problems


def test_nan_out_of_parquet_is_refused_wherever_it_stands():
    for name in (*RAW_FEATURES, *HISTORY_FEATURES, "trend_boost", "trajectory_potential", "positive_influence"):
        for value in (np.nan, np.inf, -np.inf):
            batch = batch_of(make_request(0))
            place = REQUESTS.get_field_index(name)
            batch = batch.set_column(place, REQUESTS.field(name), pa.array([value]))
            assert codes(int(find_request_problems(batch, now=NOW)[0])) == ["not_finite"], name


WHERE = [(group, key) for group, keys in FEATURE_GROUPS.items() for key in keys]


@settings(deadline=None, max_examples=100)
@given(
    place=st.sampled_from(WHERE),
    value=st.one_of(
        st.text(max_size=4),
        st.booleans(),
        st.floats(max_value=-1e-9),
        st.just(float("nan")),
        st.floats(min_value=1.0 + 1e-9),
        st.lists(st.floats(0, 1), max_size=2),
        st.just(...),
    ),
)
def test_one_wrong_feature_always_refuses_its_row_and_never_another(place, value):
    wrong = make_request(1, **{"__".join(place): value})
    batch = batch_of(make_request(0), wrong, make_request(2))
    assert (find_request_problems(batch, now=NOW) != 0).tolist() == [False, True, False]


@settings(deadline=None, max_examples=100)
@given(text=st.binary(max_size=200) | st.text(max_size=80).map(str.encode))
def test_whatever_a_line_says_it_is_a_row_with_a_reason(text):
    row = read_request(text)
    assert set(row) <= set(REQUESTS.names)
    assert row["problems"] and row["record"] == text.decode("utf-8", "backslashreplace")


# --- the repair


def test_unknown_features_become_what_the_app_feeds_after_derivation():
    known = make_request(3)
    batch = batch_of(
        make_request(3, user_vibe_dimensions__overall_energy=None, timing_features__user_patterns=None), known
    )
    features = scoring_inputs(batch).features
    changed = dict(zip(FEATURES, features[0].tolist(), strict=True))
    full = dict(zip(FEATURES, features[1].tolist(), strict=True))
    assert changed["agent_overall_energy"] == changed["user_patterns"] == 0.5
    assert changed["energy_match"] == 0.5, "unknown on one side is unknown, not 1 - |0.5 - theirs|"
    times = [
        known["timing_features"][name] for name in ("optimal_time_of_day", "optimal_day_of_week", "opportunity_timing")
    ]
    assert changed["timing_alignment"] == pytest.approx(np.mean(times), abs=1e-6), "the mean of the known ones"
    touched = {"agent_overall_energy", "user_patterns", *DERIVED_FEATURES}
    assert {name for name in FEATURES if changed[name] != full[name]} <= touched
    assert count_unknown(batch).tolist() == [2, 0]


def test_a_request_is_fed_as_training_feeds_the_same_interaction():
    requests = [make_request(number, context_features__network_effects=None) for number in range(5)]
    batch = batch_of(*requests)
    rows = [row | {"outcome_score": 0.5, "outcome_type": "neutral"} for row in batch.to_pylist()]
    rows = [{name: row[name] for name in INTERACTIONS.names if name in row} for row in rows]
    interactions = pa.RecordBatch.from_pylist(rows, schema=INTERACTIONS)
    dataset = accepted(interactions, np.zeros(5, np.int64), np.tile(np.array(NO_HISTORY, np.float32), (5, 1)))
    trained_on = labelled_rows(pa.Table.from_batches([dataset]))
    fed = scoring_inputs(batch)
    assert np.array_equal(fed.features, trained_on.features)
    assert np.array_equal(fed.history, trained_on.history)


def test_history_of_the_request_wins_over_what_is_served_and_that_over_none():
    partly = HISTORY | {"activity_level": None}
    batch = batch_of(
        make_request(0, history_features=HISTORY), make_request(1, history_features=partly), make_request(2)
    )
    served = np.full((3, 6), 0.25, np.float32)
    given = np.array(list(HISTORY.values()), np.float32)

    with_store, alone = scoring_inputs(batch, served).history, scoring_inputs(batch).history
    assert np.array_equal(with_store, [given, [*given[:5], 0.25], served[2]])
    assert np.array_equal(alone, np.array([given, [*given[:5], 0.5], NO_HISTORY], np.float32))
    assert with_store.dtype == np.float32


def test_unknown_extras_have_their_neutral_values():
    inputs = scoring_inputs(
        batch_of(make_request(0), make_request(1, trend_boost=0.2, trajectory_potential=1, positive_influence=0))
    )
    assert inputs.trend_boost.tolist() == [0.0, 0.2]
    assert inputs.trajectory_potential.tolist() == [0.5, 1.0]
    assert inputs.positive_influence.tolist() == [0.5, 0.0]


def test_the_group_is_the_agents_and_an_unknown_agent_is_not_in_the_hybrid_one():
    requests = [make_request(number) for number in range(7)]
    hybrid = scoring_inputs(batch_of(*requests, make_request(8, agent_id=None))).hybrid
    assert hybrid.tolist() == [group_of(f"agent-{number}") == "hybrid" for number in range(7)] + [False]


def test_what_passes_the_rules_can_be_scored_and_one_row_alone_gives_the_same():
    requests = [
        make_request(n, trend_boost=None if n % 2 else 0.1, spot_vibe_dimensions__crowd_tolerance=None)
        for n in range(9)
    ]
    batch = batch_of(*requests)
    assert not find_request_problems(batch, now=NOW).any()
    together = SCORER.score(scoring_inputs(batch)).score
    alone = [SCORER.score(scoring_inputs(batch.slice(row, 1))).score[0] for row in range(9)]
    assert together.tolist() == alone


def test_no_rows_are_no_inputs():
    inputs = scoring_inputs(batch_of(make_request()).slice(0, 0))
    assert (inputs.features.shape, inputs.history.shape, SCORER.score(inputs).n_rows) == ((0, 39), (0, 6), 0)


def test_served_history_of_another_shape_is_refused():
    with pytest.raises(ContractError, match=r"\(1, 5\)"):
        scoring_inputs(batch_of(make_request()), np.zeros((1, 5)))


def test_derived_values_agree_with_the_app_formula():
    batch = batch_of(make_request(4))
    raw = np.array([[batch[name][0].as_py() for name in RAW_FEATURES]])
    assert np.array_equal(scoring_inputs(batch).features, derive(raw))
